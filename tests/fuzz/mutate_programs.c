/* tests/fuzz/mutate_programs.c: programs with some damage: the compiler must answer, not crash.
 *
 *   mutate_programs COUNT SEED FILE...
 *
 * Takes the files in turn and damages each copy in one to four places: bytes changed, removed,
 * doubled, words swapped or put in from another file. Every program is compiled as far as it goes.
 * The seed is printed, so a failure can be played again; so is the last program on a crash (it is
 * written to mutate_programs.last when the environment names a folder in MUTATE_KEEP). */
#include "base/mem.h"
#include "compiler/compile.h"
#include "compiler/parse/parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 256 << 10, ARENA_MAX = 256 << 20 };

static uint64_t state;

static uint64_t next_random(void) /* xorshift64* */
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545F4914F6CDD1Du;
}

static size_t below(size_t count)
{
    return count ? (size_t)(next_random() % count) : 0;
}

typedef struct Text {
    char *ptr;
    size_t len;
} Text;

static bool load(const char *path, Text *ret_text)
{
    FILE *file = fopen(path, "rbe");
    if (!file) return false;
    Text text = {mem_alloc(TEXT_MAX), 0};
    if (text.ptr) text.len = fread(text.ptr, 1, TEXT_MAX / 2, file);
    (void)fclose(file);
    *ret_text = text;
    return text.ptr != NULL;
}

static void replace(Text *text, size_t at, size_t gone, const char *put, size_t len)
{
    if (at > text->len) at = text->len;
    if (gone > text->len - at) gone = text->len - at;
    if (text->len - gone + len > TEXT_MAX) return;
    char keep[512];
    if (len > sizeof keep) len = sizeof keep;
    memcpy(keep, put, len); /* it may be a part of this text */
    memmove(text->ptr + at + len, text->ptr + at + gone, text->len - at - gone);
    memcpy(text->ptr + at, keep, len);
    text->len = text->len - gone + len;
}

static void damage(Text *text, const Text *other)
{
    static const char *const pieces[] = {"{",
                                         "}",
                                         "(",
                                         ")",
                                         "[",
                                         "]",
                                         "\"",
                                         "'",
                                         "=",
                                         "==",
                                         "=>",
                                         ";",
                                         ",",
                                         ".",
                                         "..",
                                         "#",
                                         "\n",
                                         " where ",
                                         " let ",
                                         " window ",
                                         " into ",
                                         " on error ",
                                         " pipeline p {",
                                         " if ",
                                         " else ",
                                         " match x {",
                                         " split {",
                                         " each ",
                                         "{x}",
                                         "\\u{",
                                         " [bar]",
                                         "5%",
                                         "10s",
                                         "1e999",
                                         "&&",
                                         "type T = {",
                                         " not ",
                                         " in ",
                                         " enum {",
                                         "?",
                                         "??",
                                         "~",
                                         "raw \"",
                                         "\xff",
                                         "0x",
                                         " by "};
    size_t at = below(text->len + 1);
    char byte = (char)next_random();
    const char *piece = pieces[below(COUNT_OF(pieces))];
    switch (below(7)) {
    case 0: replace(text, at, 1, &byte, 1); break;
    case 1: replace(text, at, 1 + below(8), "", 0); break;
    case 2: replace(text, at, 0, piece, strlen(piece)); break;
    case 3: replace(text, at, 1 + below(6), piece, strlen(piece)); break;
    case 4: replace(text, at, 0, text->ptr + at, below(text->len - at + 1)); break;
    case 5: {
        size_t from = below(other->len);
        replace(text, at, below(40), other->ptr + from, below(other->len - from + 1));
        break;
    }
    default: text->len = at; break;
    }
}

static void compile(const Text *text)
{
    SourceSet set;
    DiagList diags;
    Source *source;
    IrProgram *program = NULL;
    Diag diag = {0};
    Arena *arena = arena_new(64 << 10, ARENA_MAX);
    if (!arena) return;
    source_set_init(&set, arena);
    diag_list_init(&diags, arena, &set);
    if (source_add(&set, STR("m.tutti"), str_slice(text->ptr, text->len), &source, NULL) == ST_OK) {
        CompileOptions options = {.diag = &diag};
        Status st = compile_source(arena, source, &diags, &options, &program);
        if (st == ST_INTERNAL) {
            (void)fprintf(stderr, "internal error: %s\n%.*s\n", diag.text, (int)text->len,
                          text->ptr);
            abort();
        }
        Buf out;
        buf_init(&out, 16 << 20);
        diag_sort(&diags);
        diag_print(&diags, &out);
        buf_done(&out);
    }
    arena_free(arena);
}

static void keep_last(const Text *text)
{
    const char *folder = getenv("MUTATE_KEEP");
    char path[512];
    if (!folder) return;
    (void)snprintf(path, sizeof path, "%s/mutate_programs.last", folder);
    FILE *file = fopen(path, "wbe");
    if (!file) return;
    (void)fwrite(text->ptr, 1, text->len, file);
    (void)fclose(file);
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        (void)fputs("usage: mutate_programs COUNT SEED FILE...\n", stderr);
        return 2;
    }
    uint64_t count = strtoull(argv[1], NULL, 10), seed = strtoull(argv[2], NULL, 10);
    size_t files = (size_t)argc - 3;
    Text *texts = mem_zalloc(files, sizeof *texts);
    Text work = {mem_alloc(TEXT_MAX), 0};
    if (!texts || !work.ptr) return 70;
    for (size_t i = 0; i < files; i++) {
        if (!load(argv[i + 3], &texts[i])) return 2;
    }
    state = seed * 0x9E3779B97F4A7C15u + 1;
    (void)printf("seed %llu, %llu programs from %zu files\n", (unsigned long long)seed,
                 (unsigned long long)count, files);
    (void)fflush(stdout);
    for (uint64_t i = 0; i < count; i++) {
        const Text *from = &texts[i % files];
        memcpy(work.ptr, from->ptr, from->len);
        work.len = from->len;
        for (size_t n = 1 + below(4); n; n--) damage(&work, &texts[below(files)]);
        keep_last(&work);
        compile(&work);
    }
    for (size_t i = 0; i < files; i++) mem_free(texts[i].ptr);
    mem_free(texts);
    mem_free(work.ptr);
    (void)puts("1 passed, 0 failed");
    return 0;
}
