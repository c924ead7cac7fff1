/* compiler/driver/texts.c: programs on disk to texts that can leave this machine. */
#include "compiler/bundle.h"
#include "compiler/compile.h"
#include "compiler/driver/driver.h"

int driver_texts(const Command *self, Front *front, const char *const *files, size_t count,
                 Str **ret_texts)
{
    Diag diag = {0};
    for (size_t i = 0; i < count; i++) {
        Status st = front_add(front, files[i], &diag);
        if (st) {
            return driver_failed(self, st, &diag);
        }
    }
    if (front->count == 0) {
        return driver_usage(self, "no .tutti file in what was given");
    }
    Str *texts = *ret_texts = arena_many(front->arena, Str, front->count);
    if (!texts) {
        return driver_failed(self, ST_NO_MEMORY, NULL);
    }
    /* The whole compiler parses again and says what the parser said, and more. */
    diag_list_init(&front->diags, front->arena, &front->sources);
    for (uint32_t i = 0; i < front->count; i++) {
        IrProgram *program = NULL;
        CompileOptions options = {.diag = &diag};
        Status st =
            compile_source(front->arena, front->programs[i], &front->diags, &options, &program);
        if (!st && program) {
            st = bundle_text(front->arena, program, &texts[i], &diag);
        }
        if (st) {
            return driver_failed(self, st, &diag);
        }
    }
    return front->diags.error_count ? front_report(front) : EXIT_FINE;
}
