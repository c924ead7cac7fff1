/* tests/fuzz/fuzz_parse.c: any bytes are a program: the parser reports, and never crashes.
 *
 * Held besides: with no error there is a tree, its layout parses to the same tree, and laying it
 * out again changes nothing. */
#include "base/buf.h"
#include "compiler/fmt/fmt.h"
#include "compiler/parse/parse.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static AstFile *parse(Arena *arena, SourceSet *set, DiagList *diags, Str text)
{
    Source *source;
    AstFile *file = NULL;
    source_set_init(set, arena);
    diag_list_init(diags, arena, set);
    if (source_add(set, STR("fuzz.tutti"), text, &source, NULL)) return NULL;
    if (parse_source(arena, source, diags, &file)) return NULL;
    return file;
}

static void same_or_die(const Buf *a, const Buf *b)
{
    if (!str_eq(buf_view(a), buf_view(b))) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SourceSet set;
    DiagList diags;
    Arena *arena = arena_new(16 << 10, 256 << 20);
    if (!arena || size > (64 << 10)) {
        arena_free(arena);
        return 0;
    }
    AstFile *file = parse(arena, &set, &diags, str_slice((const char *)data, size));
    Buf text, dump, dump_again, again;
    buf_init(&text, 64 << 20);
    buf_init(&dump, 64 << 20);
    buf_init(&dump_again, 64 << 20);
    buf_init(&again, 64 << 20);
    if (file && diags.error_count) {
        diag_sort(&diags);
        diag_print(&diags, &text);
        diag_print_json(&diags, &text);
    } else if (file && fmt_file(arena, file, &text) == ST_OK) {
        ast_dump(file, &dump);
        AstFile *second = parse(arena, &set, &diags, buf_view(&text));
        if (!second || diags.error_count) abort();
        ast_dump(second, &dump_again);
        same_or_die(&dump, &dump_again);
        if (fmt_file(arena, second, &again)) abort();
        same_or_die(&text, &again);
    }
    buf_done(&text);
    buf_done(&dump);
    buf_done(&dump_again);
    buf_done(&again);
    arena_free(arena);
    return 0;
}
