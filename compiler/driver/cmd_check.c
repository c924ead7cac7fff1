/* compiler/driver/cmd_check.c: `tutti check`. */
#include "compiler/driver/driver.h"

#include "compiler/type/sema.h"

#include <string.h>

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

int cmd_check(const Command *self, int argc, char **argv)
{
    Front front;
    Diag diag = {0};
    Status st = front_open(&front, &diag);
    int paths = 0;
    for (int i = 1; i < argc && !st; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            front.json = true;
        } else if (argv[i][0] == '-' && argv[i][1]) {
            front_close(&front);
            return driver_usage(self, "unknown option `%s`", argv[i]);
        } else {
            st = front_add(&front, argv[i], &diag);
            paths++;
        }
    }
    if (!st) st = check_all(&front, &diag);
    int code;
    if (st)
        code = driver_failed(self, st, &diag);
    else if (!paths)
        code = driver_usage(self, "name a file or a folder");
    else
        code = front_report(&front);
    front_close(&front);
    return code;
}
