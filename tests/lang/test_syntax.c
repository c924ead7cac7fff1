/* tests/lang/test_syntax.c: trees, layout and findings, against texts written by hand.
 *
 * The expectations follow docs/language.md; bad programs with their places are in tests/lang/bad.
 */
#include "compiler/fmt/fmt.h"
#include "compiler/parse/parse.h"
#include "test.h"

#include <dirent.h>
#include <stdio.h>

typedef struct Unit {
    Arena *arena;
    SourceSet sources;
    DiagList diags;
    AstFile *file;
    Buf out;
} Unit;

static void unit_open(Unit *u, Str text)
{
    Source *source;
    *u = (Unit){.arena = arena_new(0, 256 << 20)};
    buf_init(&u->out, 64 << 20);
    source_set_init(&u->sources, u->arena);
    diag_list_init(&u->diags, u->arena, &u->sources);
    CHECK_OK(source_add(&u->sources, STR("t.tutti"), text, &source, NULL));
    CHECK_OK(parse_source(u->arena, source, &u->diags, &u->file));
}

static void unit_close(Unit *u)
{
    buf_done(&u->out);
    arena_free(u->arena);
}

/* The first item's expression: const x = TEXT. */
static const AstExpr *expr_of(Unit *u, const char *text)
{
    char program[512];
    (void)snprintf(program, sizeof program, "const x = %s", text);
    unit_open(u, str_from(program));
    CHECK_INT(u->diags.error_count, 0);
    return u->file->items->as.constant.value;
}

static void check_dump(const char *text, const char *want)
{
    Unit u;
    const AstExpr *expr = expr_of(&u, text);
    ast_dump_expr(expr, &u.out);
    CHECK_STR(buf_view(&u.out), want);
    unit_close(&u);
}

TEST(operators_bind_as_the_table_says)
{
    check_dump("1 + 2 * 3", "(+ (a 1) (b (* (a 2) (b 3))))");
    check_dump("1 - 2 - 3", "(- (a (- (a 1) (b 2))) (b 3))");
    check_dump("not a == b", "(not (a (== (a a) (b b))))");
    check_dump("a or b and c", "(or (a a) (b (and (a b) (b c))))");
    check_dump("a ?? 1 + 2", "(?? (a a) (b (+ (a 1) (b 2))))");
    check_dump("a ?? b < c", "(< (a (?? (a a) (b b))) (b c))");
    check_dump("-a.b", "(- (a (. b (of a))))");
    check_dump("x * y to [degF]", "(* (a x) (b (to (a y) [ degF^1] -)))");
    check_dump("x in 1..5 and y", "(and (a (in (a x) (b (.. (lo 1) (hi 5))))) (b y))");
    check_dump("if a then b else c + 1", "(if (c a) (y b) (n (+ (a c) (b 1))))");
    check_dump("try a / b else 0", "(try (y (/ (a a) (b b))) (n 0))");
}

TEST(units_have_factors)
{
    check_dump("1 [kg*m/s^2]", "1 [ kg^1 m^1 s^-2]");
    check_dump("1 [1/min]", "1 [ 1^1 min^-1]");
    check_dump("1 [in]", "1 [ in^1]");
}

TEST(literals_have_their_values)
{
    Unit u;
    CHECK_INT(expr_of(&u, "1h30m")->as.ns, INT64_C(5400000000000));
    unit_close(&u);
    CHECK_INT(expr_of(&u, "1.5s")->as.ns, 1500000000);
    unit_close(&u);
    CHECK_INT(expr_of(&u, "64KiB")->as.bytes, 65536);
    unit_close(&u);
    CHECK_INT(expr_of(&u, "1GB")->as.bytes, 1000000000);
    unit_close(&u);
    CHECK(expr_of(&u, "5%")->as.fraction == 0.05);
    unit_close(&u);
    CHECK_INT(expr_of(&u, "0xFF")->as.number.integer, 255);
    unit_close(&u);
    CHECK_INT(expr_of(&u, "18446744073709551615")->as.number.integer, UINT64_MAX);
    unit_close(&u);
    CHECK(!expr_of(&u, "18446744073709551616")->as.number.is_int);
    unit_close(&u);
    /* date -u -d 2026-11-23T10:00:00.5Z +%s = 1795428000 */
    CHECK_INT(expr_of(&u, "2026-11-23T10:00:00.5Z")->as.ns, INT64_C(1795428000500000000));
    unit_close(&u);
    CHECK_INT(expr_of(&u, "2026-11-23T11:00:00+01:00")->as.ns, INT64_C(1795428000000000000));
    unit_close(&u);
    CHECK_INT(expr_of(&u, "2000-02-29T00:00:00Z")->as.ns, INT64_C(951782400000000000));
    unit_close(&u);
}

TEST(texts_have_parts)
{
    check_dump("\"a\\n\\\"\\{\\u{1F600}\"", "(text 8\"a\n\"{\xF0\x9F\x98\x80\")");
    check_dump("\"{a}-{b.c}!\"", "(text (in a) 1\"-\" (in (. c (of b))) 1\"!\")");
    check_dump("raw \"{\\\"ts\\\":12}\"", "(raw 9\"{\"ts\":12}\")");
    check_dump("\"{\"in {x}\"} out\"", "(text (in (text 3\"in \" (in x))) 4\" out\")");
    check_dump("\"\"", "(text 0\"\")");
}

TEST(keywords_may_be_names)
{
    Unit u;
    unit_open(&u,
              STR("type T = { time: time, order: i32, from: i32, state: i32, key: i32, in: i32 }\n"
                  "pipeline p {\n  from stdin as json T\n  where time > 3 and order.state == key\n"
                  "  let window = order  drop = time\n      split = 1\n  keep time, order as on\n"
                  "  into stdout\n  on error drop\n}\n"));
    CHECK_INT(u.diags.error_count, 0);
    const AstStage *let = u.file->items->next->as.pipeline.stages->next->next;
    CHECK_INT(let->kind, AST_LET);
    CHECK_STR(let->as.lets->next->next->name.text, "split");
    unit_close(&u);
}

TEST(connectors_sort_their_words)
{
    Unit u;
    unit_open(&u,
              STR("pipeline p {\n  from http post \"/a\" auth none as json T unknown keep\n"
                  "  ask r = erp sql \"select 1\" as T timeout 2s retry 3 else error down\n"
                  "  into historian press_10s key (machine, start) retain\n"
                  "  into uns \"a/{b}\" qos 1 and file \"x\" as csv\n  on error into dead\n}\n"));
    CHECK_INT(u.diags.error_count, 0);
    const AstStage *stage = u.file->items->as.pipeline.stages;
    CHECK_STR(stage->as.from.source.verb.text, "post");
    CHECK(ast_option(&stage->as.from.source, "auth") != NULL);
    CHECK(ast_option(&stage->as.from.source, "unknown") != NULL);
    stage = stage->next;
    CHECK_STR(stage->as.ask.source.verb.text, "sql");
    CHECK_INT(stage->as.ask.timeout.ns, 2000000000);
    CHECK_INT(stage->as.ask.retry.value, 3);
    stage = stage->next;
    CHECK_STR(stage->as.sinks->to.address->as.name, "press_10s");
    CHECK_INT(ast_option(&stage->as.sinks->to, "key")->value->kind, AST_LIST);
    CHECK(ast_option(&stage->as.sinks->to, "retain")->value == NULL);
    stage = stage->next;
    CHECK_STR(stage->as.sinks->next->format.text, "csv");
    CHECK_INT(stage->next->as.on.action, AST_ON_DEAD);
    unit_close(&u);
}

TEST(text_of_a_finding)
{
    Unit u;
    unit_open(&u, STR("pipeline p {\n\tfrom stdin as text\n\twhere a = 1\n  into stdout\n  on "
                      "error drop\n}\n"));
    diag_print(&u.diags, &u.out);
    CHECK_STR(buf_view(&u.out), "error[P018] `=` sets a value; equal is written `==`\n"
                                "  t.tutti:3:10 |  where a = 1\n"
                                "               |          ^\n"
                                "  write  ==\n");
    unit_close(&u);
}

TEST(fixes_apply)
{
    /* Every fix that is a plain replacement leaves a program with fewer errors. */
    static const char *const programs[] = {"where rpm = 5",
                                           "where rpm > 5 && rpm < 9",
                                           "let a == 3",
                                           "WHERE rpm > 5",
                                           "where machine == 'a'",
                                           "window tumbling 10s { n = count() }",
                                           "keep a b",
                                           "let a = if rpm > 3 then 1 elif rpm > 2 then 2 else 3"};
    for (size_t i = 0; i < COUNT_OF(programs); i++) {
        Unit u, fixed;
        char text[512], better[600];
        (void)snprintf(text, sizeof text,
                       "pipeline p {\n  from stdin as text\n  %s\n  on error drop\n}\n",
                       programs[i]);
        unit_open(&u, str_from(text));
        CHECK_INT(u.diags.count, 1);
        const DiagFix *fix = u.diags.first->fixes;
        CHECK(fix != NULL);
        (void)snprintf(better, sizeof better, "%.*s%.*s%s", (int)fix->span.start, text,
                       STR_ARG(fix->text), text + fix->span.end);
        unit_open(&fixed, str_from(better));
        CHECK_INT(fixed.diags.error_count, 0);
        unit_close(&fixed);
        unit_close(&u);
    }
}

TEST(layout)
{
    Unit u;
    unit_open(
        &u, STR("# head\ntype   T={a:f64[degC] in -60 .. 400,b:string( 16 )?}\n\n\n\n"
                "pipeline p{\n from stdin as json T # in\nwhere a>-40[degC]and not b exists\n"
                "let temp_f=a to[degF]\nx=-a*2\n"
                "window tumble 10s by b{n=count()  avg=mean(x)}\n"
                "into historian h key(b,start)\non late drop\non error into file \"x{ b }\"\n}\n"));
    CHECK_INT(u.diags.error_count, 0);
    CHECK_OK(fmt_file(u.arena, u.file, &u.out));
    CHECK_STR(buf_view(&u.out), "# head\n"
                                "type T = { a: f64 [degC] in -60..400, b: string(16)? }\n"
                                "\n"
                                "pipeline p {\n"
                                "  from stdin as json T  # in\n"
                                "  where a > -40 [degC] and not b exists\n"
                                "  let temp_f = a to [degF]\n"
                                "      x      = -a * 2\n"
                                "  window tumble 10s by b { n = count()  avg = mean(x) }\n"
                                "  into historian h key (b, start)\n"
                                "  on late  drop\n"
                                "  on error into file \"x{b}\"\n"
                                "}\n");
    unit_close(&u);
}

TEST(limits_are_reported)
{
    static char deep[4096];
    Unit u;
    size_t len = (size_t)snprintf(deep, sizeof deep, "const x = ");
    memset(deep + len, '(', 250);
    unit_open(&u, str_slice(deep, len + 250));
    CHECK_INT(u.diags.first->code, DIAG_P004);
    CHECK(u.file->items == NULL);
    unit_close(&u);

    len = (size_t)snprintf(deep, sizeof deep, "const x = 1");
    for (int i = 0; i < 900; i++) len += (size_t)snprintf(deep + len, sizeof deep - len, "+ 1");
    unit_open(&u, str_slice(deep, len));
    CHECK_INT(u.diags.first->code, DIAG_P004);
    unit_close(&u);
}

static bool keeps_meaning(Str text)
{
    Unit u, again;
    Buf dump, dump_again;
    unit_open(&u, text);
    bool good = true;
    if (!u.diags.error_count) {
        buf_init(&dump, 64 << 20);
        buf_init(&dump_again, 64 << 20);
        CHECK_OK(fmt_file(u.arena, u.file, &u.out));
        unit_open(&again, buf_view(&u.out));
        CHECK_OK(fmt_file(again.arena, again.file, &again.out));
        ast_dump(u.file, &dump);
        ast_dump(again.file, &dump_again);
        good = str_eq(buf_view(&dump), buf_view(&dump_again)) &&
               str_eq(buf_view(&u.out), buf_view(&again.out));
        buf_done(&dump);
        buf_done(&dump_again);
        unit_close(&again);
    }
    unit_close(&u);
    return good;
}

static void over_folder(const char *name)
{
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/tests/lang/%s", TEST_SOURCES, name);
    DIR *dir = opendir(path);
    CHECK(dir != NULL);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (!str_ends(str_from(entry->d_name), STR(".tutti"))) continue;
        char file[2048];
        static char text[1 << 20];
        (void)snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        FILE *in = fopen(file, "rbe");
        CHECK(in != NULL);
        size_t len = fread(text, 1, sizeof text, in);
        (void)fclose(in);
        if (!keeps_meaning(str_slice(text, len))) fail_msg("%s changes under its layout", file);
    }
    (void)closedir(dir);
}

TEST(layout_keeps_every_program)
{
    over_folder("good");
    over_folder("bad"); /* those whose fault is not in the syntax */
    over_folder("../fuzz/corpus/parse");
    over_folder("../../examples/press-line");
    over_folder("../../examples/basics");
}
