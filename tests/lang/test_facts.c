/* tests/lang/test_facts.c: what the checker tells editors: types, definitions, rows, reasons. */
#include "compiler/parse/parse.h"
#include "compiler/type/facts.h"
#include "test.h"

typedef struct Bed {
    Arena *arena;
    SourceSet set;
    DiagList diags;
    Source *source;
    Facts facts;
} Bed;

static Bed bed(const char *text)
{
    Bed b = {.arena = arena_new(0, 0)};
    AstFile *file;
    IrProgram *program;
    source_set_init(&b.set, b.arena);
    diag_list_init(&b.diags, b.arena, &b.set);
    CHECK_OK(source_add(&b.set, STR("t.tutti"), str_from(text), &b.source, NULL));
    CHECK_OK(parse_source(b.arena, b.source, &b.diags, &file));
    CHECK_OK(check_file_facts(b.arena, file, &b.diags, &b.facts, &program));
    return b;
}

/* The fact about the n-th place (from 0) where `text` stands; of that kind. */
static const Fact *fact(const Bed *b, const char *text, int nth, FactKind kind)
{
    Str all = b->source->text;
    size_t len = strlen(text);
    for (size_t at = 0; at + len <= all.len; at++) {
        if (memcmp(all.ptr + at, text, len) != 0 || nth-- > 0) continue;
        for (uint32_t i = 0; i < b->facts.count; i++) {
            const Fact *f = &b->facts.list[i];
            if (f->at.start == at && f->at.end == at + len && f->kind == kind) return f;
        }
        return NULL;
    }
    return NULL;
}

static uint32_t line_of(const Bed *b, Str def)
{
    Span span;
    return facts_place(&b->set, def, &span) ? source_place(b->source, span.start).line : 0;
}

static const char program[] = "type P = { ts: time, temp: f64 [degC], n: i32, s: enum { A, B } }\n"
                              "const top = 80 [degC]\n"
                              "fn twice(x: f64) -> f64 = x * 2\n"
                              "pipeline p {\n"
                              "  from stdin as json P\n"
                              "  where temp > top and s == B\n"
                              "  let f = temp to [degF]  r = 100 / n\n"
                              "  keep f as g, r\n"
                              "  into stdout\n"
                              "  on error drop\n"
                              "}\n";

TEST(a_name_has_its_type_and_its_definition)
{
    Bed b = bed(program);
    CHECK_INT(b.diags.count, 0);
    const Fact *temp = fact(&b, "temp", 1, FACT_FIELD), *top = fact(&b, "top", 1, FACT_CONST),
               *name = fact(&b, "B", 1, FACT_ENUM_NAME), *x = fact(&b, "x", 1, FACT_PARAM);
    CHECK(temp && top && name && x);
    CHECK_STR(type_text(b.arena, &temp->type), "f64 [degC]");
    CHECK_INT(line_of(&b, temp->def), 1);
    CHECK_INT(line_of(&b, top->def), 2);
    CHECK_INT(line_of(&b, name->def), 1);
    CHECK_INT(line_of(&b, x->def), 3);
    const Fact *f = fact(&b, "f", 7, FACT_FIELD); /* behind keep */
    CHECK(!f || line_of(&b, f->def) == 7);
    arena_free(b.arena);
}

TEST(an_expression_has_its_reasons)
{
    Bed b = bed(program);
    const Fact *divided = fact(&b, "100 / n", 0, FACT_VALUE);
    CHECK(divided);
    CHECK_INT(divided->reasons, 1u << REASON_DIV_ZERO);
    const Fact *converted = fact(&b, "temp to [degF]", 0, FACT_VALUE);
    CHECK(converted);
    CHECK_STR(type_text(b.arena, &converted->type), "f64 [degF]");
    arena_free(b.arena);
}

TEST(a_stage_has_the_rows_around_it)
{
    Bed b = bed(program);
    CHECK_INT(b.facts.row_count, 6); /* one a stage */
    const FactRow *from = &b.facts.rows[0], *where = &b.facts.rows[1], *keep = &b.facts.rows[3];
    CHECK(!from->in);
    CHECK_INT(from->out->count, 4);
    CHECK_INT(where->in->count, 4);
    CHECK_INT(keep->in->count, 6);
    CHECK_INT(keep->out->count, 2);
    CHECK_STR(keep->out->fields[0].name, "g");
    arena_free(b.arena);
}

TEST(half_a_pipeline_still_has_types_and_says_nothing_new)
{
    Bed b = bed("type P = { ts: time, temp: f64 [bar] }\n"
                "pipeline p {\n"
                "  from stdin as json P\n"
                "  let half = temp / 2\n"
                "  where half >\n"
                "  into stdout\n"
                "}\n"
                "test p \"t\" { in { temp: 1 } expect uns { half: 1 } }\n");
    CHECK_INT(b.diags.count, 1); /* the operator without its right side */
    const Fact *half = fact(&b, "temp / 2", 0, FACT_VALUE);
    CHECK(half);
    CHECK_STR(type_text(b.arena, &half->type), "f64 [bar]");
    CHECK_INT(b.facts.rows[1].out->count, 3);
    arena_free(b.arena);
}

TEST(a_lost_declaration_leaves_types_of_the_rest)
{
    Bed b = bed(
        "type P = { ts: time, temp: f64 [degC]\n"
        "const k = \n"
        "pipeline p { from stdin as json P  where temp > 1 [degC]  into stdout  on error drop }\n");
    CHECK(b.diags.count >= 1);
    const Fact *temp = fact(&b, "temp", 1, FACT_FIELD);
    CHECK(temp);
    CHECK_STR(type_text(b.arena, &temp->type), "f64 [degC]");
    arena_free(b.arena);
}
