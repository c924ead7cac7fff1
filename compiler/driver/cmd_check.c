/* compiler/driver/cmd_check.c: `tutti check`. */
#include "compiler/driver/options.h"

#include "compiler/type/sema.h"

/* Everything that finds a mistake of the user's; what is made of a right program is not needed. */
static Status check_all(Front *front, Diag *diag)
{
    Status st = ST_OK;
    for (uint32_t i = 0; i < front->count && !st; i++) {
        IrProgram *program;
        st = check_file(front->arena, front->files[i], &front->diags, &program);
        if (st) st = diag_set(diag, st, "%s", status_text(st));
    }
    return st;
}

const Option check_options[] = {OPTION("--json", NULL, OPTION_FLAG, FrontArgs, front.json,
                                       "diagnostics as a JSON array on standard output"),
                                {0}};

int cmd_check(const Command *self, int argc, char **argv)
{
    FrontArgs args;
    Diag diag = {0};
    int code = options_read_front(self, argc, argv, &args);
    if (code >= 0) return code;
    Status st = check_all(&args.front, &diag);
    code = st ? driver_failed(self, st, &diag) : front_report(&args.front);
    front_close(&args.front);
    return code;
}
