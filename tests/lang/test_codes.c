/* tests/lang/test_codes.c: every code has its example, and examples do what they say.
 *
 * What is shown as wrong gives the code first; what is shown as right compiles. docs/diagnostics.md
 * is what the tables say. Codes that no line of text can show have a reason here. */
#include "compiler/bundle.h"
#include "compiler/compile.h"
#include "test.h"

#include <dirent.h>
#include <stdio.h>

enum { CODES_MIN = 120 };

/* Needs more than a short text: too large to show, other files, other bytes, a later version. */
static bool cannot_be_shown(const char *id)
{
    static const char *const list[] = {"P003", "P004", "P060", "N010", "T018", "S020",
                                       "S031", "C001", "C002", "C003", "C004"};
    for (size_t i = 0; i < COUNT_OF(list); i++)
        if (strcmp(list[i], id) == 0) return true;
    return id[0] == 'A';
}

static Str program_of(Arena *arena, DiagFrame frame, const char *text)
{
    if (frame == DIAG_FRAME_FILE) return arena_printf(arena, "%s\n", text);
    return arena_printf(arena,
                        "type R = {\n"
                        "  ts: time, machine: string(16), temp: f64 [degC] in -60..400,\n"
                        "  pressure: f64 [bar]?, rpm: i32, state: enum { RUN, IDLE },\n"
                        "  note: string(40)?, pos: { x: f64 }\n"
                        "}\n"
                        "pipeline p {\n"
                        "  from stdin as json R\n"
                        "  %s\n"
                        "  into stdout\n"
                        "  on error drop\n"
                        "}\n",
                        text);
}

/* The first finding's code, or DIAG__COUNT. */
static DiagCode compile(const char *id, DiagFrame frame, const char *text, bool *ret_errors)
{
    SourceSet set;
    DiagList diags;
    Source *source;
    IrProgram *program = NULL;
    Diag diag = {0};
    CompileOptions options = {.diag = &diag};
    Arena *arena = arena_new(0, 256 << 20);
    source_set_init(&set, arena);
    diag_list_init(&diags, arena, &set);
    CHECK_OK(source_add(&set, str_from(id), program_of(arena, frame, text), &source, NULL));
    CHECK_OK(bundle_open(source, NULL));
    CHECK_OK(compile_source(arena, source, &diags, &options, &program));
    diag_sort(&diags);
    DiagCode code = diags.first ? diags.first->code : DIAG__COUNT;
    *ret_errors = diags.error_count > 0;
    arena_free(arena);
    return code;
}

TEST(every_code_has_an_example_that_holds)
{
    uint32_t failed = 0;
    CHECK((int)DIAG__COUNT >= (int)CODES_MIN);
    for (int i = 0; i < (int)DIAG__COUNT; i++) {
        const DiagCodeInfo *info = diag_code_info((DiagCode)i);
        const DiagExample *example = diag_code_example((DiagCode)i);
        bool errors, shown = example->frame != DIAG_FRAME_NONE;
        if (!shown && !cannot_be_shown(info->id)) {
            fprintf(stderr, "%s has no row in examples.def\n", info->id);
            failed++;
        }
        if (shown) {
            DiagCode got = compile(info->id, example->frame, example->wrong, &errors);
            const DiagCodeInfo *other = diag_code_info(got);
            if (got != (DiagCode)i) {
                fprintf(stderr, "%s: `%s` gives %s\n", info->id, example->wrong,
                        other ? other->id : "nothing");
                failed++;
            }
        }
        if (shown && example->right[0]) {
            DiagCode got = compile(info->id, example->frame, example->right, &errors);
            if (errors) {
                fprintf(stderr, "%s: `%s` gives %s\n", info->id, example->right,
                        diag_code_info(got)->id);
                failed++;
            }
        }
    }
    CHECK_INT(failed, 0);
}

TEST(every_code_is_tested_by_a_bad_program)
{
    /* About size, depth and bytes: below, and in test_syntax.c. */
    static const char *const elsewhere[] = {"P003", "P004", "P060", "T018", "C004"};
    AUTO_BUF Buf list;
    buf_init(&list, 1 << 20);
    DIR *dir = opendir(TEST_SOURCES "/tests/lang/bad");
    CHECK(dir != NULL);
    for (struct dirent *entry; (entry = readdir(dir));) { /* the first lines: `# expect: ...` */
        char path[1024], line[512];
        if (!str_ends(str_from(entry->d_name), STR(".tutti"))) continue;
        snprintf(path, sizeof path, TEST_SOURCES "/tests/lang/bad/%s", entry->d_name);
        FILE *file = fopen(path, "re");
        CHECK(file != NULL);
        while (fgets(line, sizeof line, file) && str_starts(str_from(line), STR("# expect:")))
            buf_text(&list, line);
        fclose(file);
    }
    closedir(dir);
    uint32_t missing = 0;
    for (int i = 0; i < (int)DIAG__COUNT; i++) {
        const char *id = diag_code_info((DiagCode)i)->id;
        bool known = str_find(buf_view(&list), str_from(id)) >= 0;
        for (size_t k = 0; k < COUNT_OF(elsewhere); k++) known |= strcmp(elsewhere[k], id) == 0;
        known |= id[0] == 'A'; /* what is not there yet changes */
        if (!known) fprintf(stderr, "no program in tests/lang/bad expects %s\n", id);
        missing += !known;
    }
    CHECK_INT(missing, 0);
}

TEST(the_page_says_what_the_tables_say)
{
    AUTO_BUF Buf page;
    SourceSet set;
    Source *source;
    Arena *arena = arena_new(0, 16 << 20);
    buf_init(&page, 4 << 20);
    diag_codes_page(&page);
    source_set_init(&set, arena);
    CHECK_OK(source_load(&set, TEST_SOURCES "/docs/diagnostics.md", &source, NULL));
    bool same = str_eq(source->text, buf_view(&page));
    if (!same)
        fprintf(stderr, "docs/diagnostics.md is old: "
                        "build/tutti explain --codes --markdown > docs/diagnostics.md\n");
    arena_free(arena);
    CHECK(same);
}

TEST(limits_and_bytes_have_their_codes)
{
    AUTO_BUF Buf text;
    bool errors;
    buf_init(&text, 16 << 20);
    CHECK_INT(compile("bytes", DIAG_FRAME_FILE, "const a = \"\xff\"", &errors), DIAG_P060);
    for (int i = 0; i < 1000001; i++) buf_text(&text, "a ");
    buf_char(&text, '\0');
    CHECK_INT(compile("words", DIAG_FRAME_FILE, text.ptr, &errors), DIAG_P003);
    buf_clear(&text);
    buf_text(&text, "type R = { ");
    for (int i = 0; i < 257; i++) buf_printf(&text, "f%d: i64, ", i);
    buf_text(&text, "}\npipeline p { from stdin as json R  into stdout  on error drop }");
    buf_char(&text, '\0');
    CHECK_INT(compile("values", DIAG_FRAME_FILE, text.ptr, &errors), DIAG_T018);
}
