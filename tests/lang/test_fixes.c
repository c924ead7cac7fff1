/* tests/lang/test_fixes.c: what the compiler offers to write instead does what it promises.
 *
 * Every fix of every finding in tests/lang/bad is applied, alone, and the result is compiled: this
 * finding must be gone, and where the program had no other, it compiles. The number of fixes has a
 * floor, so that they cannot quietly disappear. */
#include "compiler/compile.h"
#include "test.h"

#include <dirent.h>
#include <stdio.h>

enum { FIXES_MIN = 200, PATH_BYTES = 1024 };

typedef struct Unit {
    Arena *arena;
    SourceSet sources;
    Source *source;
    DiagList diags;
} Unit;

static void unit_open(Unit *u, Str path, Str text)
{
    IrProgram *program = NULL;
    Diag diag = {0};
    CompileOptions options = {.diag = &diag};
    *u = (Unit){.arena = arena_new(0, 256 << 20)};
    source_set_init(&u->sources, u->arena);
    diag_list_init(&u->diags, u->arena, &u->sources);
    CHECK_OK(source_add(&u->sources, path, text, &u->source, NULL));
    CHECK_OK(compile_source(u->arena, u->source, &u->diags, &options, &program));
}

/* The same finding at the place where it would stand now. */
static bool still_there(const Unit *u, const Diagnostic *was, const DiagFix *fix)
{
    int64_t grown = (int64_t)fix->text.len - (fix->span.end - fix->span.start);
    int64_t at = was->span.start + (fix->span.end <= was->span.start ? grown : 0);
    for (const Diagnostic *d = u->diags.first; d; d = d->next)
        if (d->code == was->code && (int64_t)d->span.start == at) return true;
    return false;
}

/* What this version does not have is refused however well it is written; and a file that is used
 * need not be there. */
static bool is_fine(const DiagList *diags)
{
    for (const Diagnostic *d = diags->first; d; d = d->next) {
        const char *id = diag_code_info(d->code)->id;
        if (d->severity == DIAG_ERROR && id[0] != 'A' && d->code != DIAG_N009) return false;
    }
    return true;
}

static bool one_fix(const Unit *u, const Diagnostic *d, const DiagFix *fix, const char *path)
{
    AUTO_BUF Buf text;
    Str was = u->source->text;
    buf_init(&text, 1 << 20);
    buf_add(&text, was.ptr, fix->span.start);
    buf_str(&text, fix->text);
    buf_add(&text, was.ptr + fix->span.end, was.len - fix->span.end);
    Unit after;
    unit_open(&after, u->source->path, buf_view(&text));
    bool gone = !still_there(&after, d, fix), compiles = is_fine(&after.diags);
    bool only = u->diags.error_count == 1 && d->severity == DIAG_ERROR;
    if (!gone || (only && !compiles)) {
        AUTO_BUF Buf out;
        buf_init(&out, 1 << 20);
        diag_sort(&after.diags);
        diag_print(&after.diags, &out);
        fprintf(stderr, "%s: %s: writing `%.*s` does not help:\n%.*s\n", path,
                diag_code_info(d->code)->id, STR_ARG(fix->text), STR_ARG(buf_view(&out)));
    }
    arena_free(after.arena);
    return gone && (!only || compiles);
}

TEST(every_fix_offered_mends_what_it_is_offered_for)
{
    uint32_t fixes = 0, failed = 0, with = 0, files = 0;
    char base[PATH_BYTES], path[2 * PATH_BYTES];
    snprintf(base, sizeof base, "%s/tests/lang/bad", TEST_SOURCES);
    DIR *dir = opendir(base);
    CHECK(dir != NULL);
    for (struct dirent *entry; (entry = readdir(dir));) {
        SourceSet set;
        Source *source;
        Unit u;
        if (!str_ends(str_from(entry->d_name), STR(".tutti"))) continue;
        snprintf(path, sizeof path, "%s/%s", base, entry->d_name);
        Arena *arena = arena_new(0, 16 << 20);
        source_set_init(&set, arena);
        CHECK_OK(source_load(&set, path, &source, NULL));
        unit_open(&u, str_from(path), source->text);
        uint32_t before = fixes;
        for (const Diagnostic *d = u.diags.first; d; d = d->next)
            for (const DiagFix *fix = d->fixes; fix; fix = fix->next, fixes++)
                failed += !one_fix(&u, d, fix, entry->d_name);
        files++;
        with += fixes > before;
        arena_free(u.arena);
        arena_free(arena);
    }
    closedir(dir);
    printf("%u fixes in %u of %u bad programs, %u do not help\n", fixes, with, files, failed);
    CHECK_INT(failed, 0);
    CHECK(fixes >= FIXES_MIN);
}
