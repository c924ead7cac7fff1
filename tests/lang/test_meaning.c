/* tests/lang/test_meaning.c: one program a slip of meaning (names, types, units, stages).
 *
 * Every tests/lang/bad/X-*.tutti with a code of the phases behind the parser says in its first
 * line what must be found and where: `# expect: U003 9:16`. Exactly that one error is wanted. The
 * good programs of tests/lang/good must pass, and their IR dumps equal NAME.ir where there is one.
 */
#include "base/buf.h"
#include "compiler/compile.h"
#include "test.h"

#include <dirent.h>
#include <stdio.h>

typedef struct Unit {
    Arena *arena;
    SourceSet sources;
    Source *source;
    DiagList diags;
    IrProgram *program;
    Buf dump;
} Unit;

static void dump_after(void *ctx, const char *pass, const IrProgram *program)
{
    Unit *u = ctx;
    if (strcmp(pass, "dead") == 0) ir_dump(program, &u->dump);
}

static void folder(const char *name, char *ret_path, size_t size)
{
    snprintf(ret_path, size, "%s/tests/lang/%s", TEST_SOURCES, name);
}

static void unit_open(Unit *u, const char *path)
{
    Diag diag = {0};
    *u = (Unit){.arena = arena_new(0, 256 << 20)};
    buf_init(&u->dump, 64 << 20);
    source_set_init(&u->sources, u->arena);
    CHECK_OK(source_load(&u->sources, path, &u->source, &diag));
    diag_list_init(&u->diags, u->arena, &u->sources);
    CompileOptions options = {.after = dump_after, .ctx = u, .diag = &diag};
    Status status = compile_source(u->arena, u->source, &u->diags, &options, &u->program);
    if (status) fprintf(stderr, "%s: %s\n", path, diag.text);
    CHECK_OK(status);
    diag_sort(&u->diags);
}

static void unit_close(Unit *u)
{
    buf_done(&u->dump);
    arena_free(u->arena);
}

/* The findings, in order, as the first line of the file names them: `CODE line:col  CODE ...`. */
static bool meets(const Unit *u, const char *path)
{
    Str first = source_line(u->source, 1);
    AUTO_BUF Buf got;
    buf_init(&got, 4096);
    if (!str_starts(first, STR("# expect: "))) return false;
    for (const Diagnostic *d = u->diags.first; d; d = d->next) {
        SourcePlace place = source_place(u->source, d->span.start);
        buf_printf(&got, "%s%s %u:%u", got.len ? "  " : "", diag_code_info(d->code)->id, place.line,
                   place.column);
    }
    Str want = str_trim(str_skip(first, 10));
    bool same = str_eq(want, buf_view(&got));
    if (!same)
        fprintf(stderr, "%s: want %.*s, got %.*s\n", path, STR_ARG(want), STR_ARG(buf_view(&got)));
    return same;
}

static uint32_t each(const char *name, bool (*one)(const char *path), uint32_t *ret_failed)
{
    char base[512], path[1024];
    folder(name, base, sizeof base);
    uint32_t count = 0;
    DIR *dir = opendir(base);
    CHECK(dir != NULL);
    for (struct dirent *e; (e = readdir(dir));) {
        const char *dot = strrchr(e->d_name, '.');
        if (!dot || strcmp(dot, ".tutti") != 0) continue;
        /* Small names are the parser's: tests/suites/lang_bad.sh. */
        if (strcmp(name, "bad") == 0 && (e->d_name[0] < 'A' || e->d_name[0] > 'Z')) continue;
        snprintf(path, sizeof path, "%s/%s", base, e->d_name);
        count++;
        *ret_failed += !one(path);
    }
    closedir(dir);
    return count;
}

static bool one_bad(const char *path)
{
    Unit u;
    unit_open(&u, path);
    bool fine = meets(&u, path);
    unit_close(&u);
    return fine;
}

static bool one_good(const char *path)
{
    Unit u;
    char golden[1100];
    unit_open(&u, path);
    AUTO_BUF Buf text;
    buf_init(&text, 1 << 20);
    diag_print(&u.diags, &text);
    bool fine = u.diags.count == 0;
    if (!fine) fprintf(stderr, "%.*s", STR_ARG(buf_view(&text)));
    snprintf(golden, sizeof golden, "%.*s.ir", (int)(strlen(path) - 6), path);
    FILE *file = fopen(golden, "rb");
    if (file && fine) {
        static char want[1 << 20];
        size_t len = fread(want, 1, sizeof want, file);
        fine = len == u.dump.len && memcmp(want, u.dump.ptr, len) == 0;
        if (!fine) fprintf(stderr, "%s differs; now:\n%.*s", golden, (int)u.dump.len, u.dump.ptr);
    }
    if (file) fclose(file);
    unit_close(&u);
    return fine;
}

TEST(bad_programs_have_the_errors_they_name)
{
    uint32_t failed = 0;
    CHECK(each("bad", one_bad, &failed) >= 140);
    CHECK_INT(failed, 0);
}

TEST(good_programs_are_fine)
{
    uint32_t failed = 0;
    CHECK(each("good", one_good, &failed) >= 3);
    CHECK_INT(failed, 0);
}

TEST(optional_says_where_and_what_to_write)
{
    static const char text[] = "type Press = {\n  pressure: f64 [bar]?, rpm: i32\n}\n"
                               "pipeline p {\n  from stdin as json Press\n"
                               "  let power = pressure * rpm * 0.0167\n"
                               "  into stdout\n  on error into dead\n}\n";
    Arena *arena = arena_new(0, 64 << 20);
    SourceSet sources;
    Source *source;
    DiagList diags;
    IrProgram *program = NULL;
    source_set_init(&sources, arena);
    CHECK_OK(source_add(&sources, STR("press.tutti"), str_from(text), &source, NULL));
    diag_list_init(&diags, arena, &sources);
    CHECK_OK(compile_source(arena, source, &diags, NULL, &program));
    CHECK_INT(diags.error_count, 1);
    const Diagnostic *d = diags.first;
    CHECK_TEXT(diag_code_info(d->code)->id, "T014");
    CHECK_STR(d->message, "`pressure` can be missing here, `power` cannot");
    CHECK_STR(d->under, "f64 [bar]? since line 2");
    CHECK_STR(d->fixes->label, "pressure ?? 0 [bar]");
    CHECK_STR(d->fixes->next->label, "require pressure");
    CHECK_STR(d->fixes->next->next->label, "where pressure exists");
    arena_free(arena);
}
