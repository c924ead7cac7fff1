/* compiler/driver/front.c: files and folders to syntax trees, and findings to the terminal. */
#include "compiler/driver/driver.h"

#include "base/mem.h"
#include "compiler/bundle.h"
#include "compiler/pass/pass.h"
#include "compiler/type/sema.h"

#include <stdio.h>

enum { REPORT_BYTES_MAX = 16 << 20 };

Status front_open(Front *front, Diag *diag)
{
    *front = (Front){0};
    front->arena = arena_new(64 << 10, FRONT_ARENA_BYTES);
    if (!front->arena) return diag_set(diag, ST_NO_MEMORY, "out of memory");
    front->files = arena_many(front->arena, AstFile *, SOURCE_FILES_MAX);
    front->programs = arena_many(front->arena, Source *, SOURCE_FILES_MAX);
    if (!front->files || !front->programs) return diag_set(diag, ST_NO_MEMORY, "out of memory");
    source_set_init(&front->sources, front->arena);
    diag_list_init(&front->diags, front->arena, &front->sources);
    return ST_OK;
}

void front_close(Front *front)
{
    arena_free(front->arena);
    front->arena = NULL;
}

static Status add_file(void *ctx, const char *path, Diag *diag)
{
    Front *front = ctx;
    Source *source;
    Str name = arena_printf(front->arena, "%s", path);
    if (!name.ptr) return ST_NO_MEMORY;
    Status st = source_load(&front->sources, name.ptr, &source, diag);
    if (!st) st = bundle_open(source, diag);
    if (st) return st;
    st = parse_source(front->arena, source, &front->diags, &front->files[front->count]);
    front->programs[front->count++] = source;
    return st ? diag_set(diag, st, "%s: %s", path, status_text(st)) : ST_OK;
}

Status front_add(Front *front, const char *path, Diag *diag)
{
    static const char *const endings[] = {".tutti", NULL};
    return driver_walk(path, endings, add_file, front, diag);
}

Status front_compile(Front *front, uint32_t file, IrProgram **ret_program, Diag *diag)
{
    IrProgram *program = NULL;
    uint32_t before = front->diags.error_count;
    Status st = check_file(front->arena, front->files[file], &front->diags, &program);
    uint32_t errors = front->diags.error_count - before;
    for (const Diagnostic *d = front->diags.first; d; d = d->next)
        errors += d->severity == DIAG_ERROR && d->span.file == front->programs[file]->id;
    if (st) return diag_set(diag, st, "%s", status_text(st));
    if (errors || front->diags.count >= DIAG_ERRORS_MAX) return ST_OK;
    st = pass_all(program, front->after, front->after_ctx, diag);
    if (!st) *ret_program = program;
    return st;
}

int front_report(Front *front)
{
    Buf out;
    buf_init(&out, REPORT_BYTES_MAX);
    diag_sort(&front->diags);
    if (front->json) {
        diag_print_json(&front->diags, &out);
    } else {
        diag_print(&front->diags, &out);
        uint32_t errors = front->diags.error_count;
        if (errors) {
            uint32_t shown = 0;
            for (const Diagnostic *d = front->diags.first; d; d = d->next) {
                shown += d->severity == DIAG_ERROR;
            }
            buf_printf(&out, "%u %s\n", shown, shown == 1 ? "error" : "errors");
        }
    }
    (void)fwrite(out.ptr ? out.ptr : "", 1, out.len, front->json ? stdout : stderr);
    bool failed = buf_status(&out) != ST_OK;
    buf_done(&out);
    if (failed) return EXIT_OURS;
    return front->diags.error_count ? EXIT_WRONG : EXIT_FINE;
}
