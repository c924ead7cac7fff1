/* compiler/driver/testfiles.c: the files that tests name; see testfiles.h.
 *
 * A file of records is cut into lines as a batch run cuts it: blank ones are skipped, what follows
 * the last line end counts. */
#include "compiler/driver/testfiles.h"

#include <errno.h>
#include <stdio.h>

MUST static Status open_file(Arena *arena, Str path, const char *how, FILE **ret_file, Diag *diag)
{
    Str name = arena_str(arena, path);
    FILE *file = name.ptr ? fopen(name.ptr, how) : NULL;
    if (!file) return diag_errno(diag, name.ptr ? errno : ENOMEM, "%.*s", STR_ARG(path));
    *ret_file = file;
    return ST_OK;
}

MUST static Status with_file(Str path, const char *how, FILE **ret_file, Diag *diag)
{
    Arena *arena = arena_new(4096, 64 << 10);
    if (!arena) return diag_set(diag, ST_NO_MEMORY, "out of memory");
    Status st = open_file(arena, path, how, ret_file, diag);
    arena_free(arena);
    return st;
}

Status test_file_read(Str path, Buf *out, Diag *diag)
{
    FILE *file;
    Status st = with_file(path, "re", &file, diag);
    if (st) return st;
    for (size_t n = 1; !st && n;) {
        char *room = buf_reserve(out, 64 << 10);
        n = room ? fread(room, 1, 64 << 10, file) : 0;
        out->len += n;
        if (!room)
            st = diag_set(diag, ST_LIMIT, "%.*s is larger than %d MiB", STR_ARG(path),
                          TEST_FILE_BYTES >> 20);
    }
    if (!st && ferror(file)) st = diag_errno(diag, errno, "%.*s", STR_ARG(path));
    (void)fclose(file);
    return st;
}

Status test_file_write(Str path, Str text, Diag *diag)
{
    FILE *file;
    Status st = with_file(path, "we", &file, diag);
    if (st) return st;
    if (text.len && fwrite(text.ptr, 1, text.len, file) != text.len)
        st = diag_errno(diag, errno, "%.*s", STR_ARG(path));
    if (fclose(file) && !st) st = diag_errno(diag, errno, "%.*s", STR_ARG(path));
    return st;
}

typedef struct Steps {
    Arena *arena;
    IrTestStep *list;
    uint32_t count, cap;
} Steps;

MUST static Status add(Steps *s, const IrTestStep *step, Diag *diag)
{
    if (s->count == s->cap) {
        uint32_t cap = s->cap ? s->cap * 2 : 64;
        IrTestStep *list = arena_many(s->arena, IrTestStep, cap);
        if (!list) return diag_set(diag, ST_NO_MEMORY, "the records of a test are too many");
        for (uint32_t i = 0; i < s->count; i++) list[i] = s->list[i];
        s->list = list;
        s->cap = cap;
    }
    s->list[s->count++] = *step;
    return ST_OK;
}

MUST static Status add_lines(Steps *s, const IrTestStep *step, Str text, Diag *diag)
{
    Status st = ST_OK;
    while (text.len && !st) {
        ptrdiff_t end = str_find_char(text, '\n');
        IrTestStep one = *step;
        one.kind = STEP_IN;
        one.text = end < 0 ? text : str_slice(text.ptr, (size_t)end);
        text = str_skip(text, end < 0 ? text.len : (size_t)end + 1);
        if (!str_trim(one.text).len) continue;
        if (s->count == TEST_RECORDS_MAX)
            return diag_set(diag, ST_LIMIT, "%.*s: a test has at most %d records",
                            STR_ARG(step->text), TEST_RECORDS_MAX);
        st = add(s, &one, diag);
    }
    return st;
}

MUST static Status add_file(Steps *s, const IrTestStep *step, Diag *diag)
{
    AUTO_BUF Buf text;
    buf_init(&text, TEST_FILE_BYTES);
    Status st = test_file_read(step->text, &text, diag);
    if (st) return st;
    Str kept = arena_str(s->arena, buf_view(&text));
    if (!kept.ptr) return diag_set(diag, ST_NO_MEMORY, "the records of a test are too many");
    return add_lines(s, step, kept, diag);
}

Status test_files(const IrProgram *ir, const IrTest *test, Arena *arena, IrTest *ret_test,
                  const FlowTable **ret_tables, Diag *diag)
{
    Steps steps = {.arena = arena};
    Status st = ST_OK;
    FlowTable *tables = test->table_count ? arena_many(arena, FlowTable, ir->table_count) : NULL;
    if (test->table_count && !tables) return diag_set(diag, ST_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < test->table_count; i++) {
        const IrTestTable *at = &test->tables[i];
        Str path = arena_str(arena, at->path);
        if (!path.ptr) return diag_set(diag, ST_NO_MEMORY, "out of memory");
        tables[at->table] = (FlowTable){true, at->path.len ? path.ptr : NULL, at->text};
    }
    for (uint32_t i = 0; i < test->step_count && !st; i++) {
        const IrTestStep *step = &test->steps[i];
        st = step->kind == STEP_IN_FILE ? add_file(&steps, step, diag) : add(&steps, step, diag);
    }
    if (st) return st;
    *ret_test = *test;
    ret_test->steps = steps.list;
    ret_test->step_count = steps.count;
    *ret_tables = tables;
    return ST_OK;
}
