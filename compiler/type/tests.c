/* compiler/type/tests.c: `test NAME "..." { in ... clock ... expect ... }` against its pipeline.
 *
 * What goes in becomes the bytes its source would get; what is expected becomes paths with values
 * as the JSON edge writes them. The runner (back end) only feeds and compares. */
#include "base/json.h"
#include "compiler/ir/facts.h"
#include "compiler/type/tests.h"

enum { TEST_HEADERS_BYTES = UINT16_MAX }; /* of RtRecord.headers_len */

typedef struct TestWalk {
    Check *c;
    const IrPipeline *p;
    uint32_t pipeline;
    IrTest test;
    uint32_t step_cap, table_cap;
    int64_t clock;
} TestWalk;

/* By its kind, or by the name of the record it gives to a `join last`. */
static bool source_named(const IrPipeline *p, uint32_t source, Str name)
{
    for (uint32_t i = 0; i < p->join_count; i++)
        if (p->joins[i].group == p->sources[source].group) return str_eq(p->joins[i].name, name);
    return str_eq(p->sources[source].kind, name);
}

/* Schema of what a source gives. */
static uint32_t source_schema(const IrPipeline *p, uint32_t source)
{
    for (uint32_t i = 0; i < p->join_count; i++)
        if (p->joins[i].group == p->sources[source].group) return p->joins[i].schema;
    return p->in_schema;
}

/* The path of `from "x"`; relative to the working directory, as all paths of data. */
static bool path_of(Check *c, const AstStep *step, DiagCode code, Str *ret_path)
{
    if (ast_string_text(step->value, ret_path) && ret_path->len) return true;
    diag_error(c->diags, code, step->value->span, "the path of a file is a fixed text");
    return false;
}

/* The table of the pipeline that a step names; NULL: reported. */
static const Table *table_of(TestWalk *t, const AstStep *step)
{
    Check *c = t->c;
    Str best = STR_NONE;
    uint32_t distance = UINT32_MAX;
    const AstName *name = &step->target;
    const Table *table = check__table(c, name->text);
    if (table && !table->record) return NULL; /* it has errors of its own */
    if (table) {
        uint32_t *used = NEW(c, uint32_t, c->program->table_count + 1);
        uint32_t count = ir_tables_of(c->program, t->p, used);
        for (uint32_t i = 0; i < count; i++)
            if (used[i] == table->index) return table;
        diag_error(c->diags, DIAG_R001, name->span, "the pipeline does not look into `%.*s`",
                   STR_ARG(name->text));
        return NULL;
    }
    check__suggest_map(&c->scope->tables, name->text, &best, &distance);
    Diagnostic *d = diag_error(c->diags, DIAG_N011, name->span, "there is no table `%.*s`",
                               STR_ARG(name->text));
    check__did_you_mean(c, d, name->span, best);
    return NULL;
}

/* `table T "file"` and `table T { ... }`: what the table holds in this test. */
static void step_table(TestWalk *t, const AstStep *step)
{
    Check *c = t->c;
    IrTestTable *at = NULL;
    bool row = step->value->kind == AST_RECORD;
    const Table *table = table_of(t, step);
    Str path = STR_NONE;
    if (!table || (!row && !path_of(c, step, DIAG_R001, &path))) return;
    if (t->test.step_count)
        diag_error(c->diags, DIAG_R001, step->span, "tables stand before the first step");
    for (uint32_t i = 0; i < t->test.table_count; i++)
        if (t->test.tables[i].table == table->index) at = &t->test.tables[i];
    if (at && (!row || at->path.len)) {
        diag_error(c->diags, DIAG_R001, step->span, "`%.*s` has its rows already",
                   STR_ARG(step->target.text));
        return;
    }
    if (!at) {
        at = PUSH(c, t->test.tables, t->test.table_count, t->table_cap);
        *at = (IrTestTable){.table = table->index, .path = path};
    }
    if (!row) return;
    AUTO_BUF Buf text;
    buf_init(&text, 4 << 20);
    uint32_t schema = c->program->tables[table->index].schema;
    buf_str(&text, at->text);
    tests__csv_header(&text, &c->program->schemas[schema], at->text.len > 0);
    tests__csv_record(c, &text, step->value, schema);
    buf_char(&text, '\n');
    if (buf_status(&text))
        diag_error(c->diags, DIAG_T018, step->span, "these rows are too long");
    else
        at->text = tests__kept(c, &text);
}

/* ---- what comes beside a record ---- */

static bool is_header(const AstBeside *b, Str name)
{
    Str text;
    return b->name && str_is(b->word.text, "header") && ast_string_text(b->name, &text) &&
           str_eq(text, name);
}

/* The values of one name: a text, or several in a list, as meta.headers has them. */
static void put_header(JsonOut *json, const AstBeside *first, Str name)
{
    uint32_t count = 0;
    Str text = STR("");
    for (const AstBeside *b = first; b; b = b->next) count += is_header(b, name);
    json_key_str(json, name);
    if (count > 1) json_begin_array(json);
    for (const AstBeside *b = first; b; b = b->next)
        if (is_header(b, name) && ast_string_text(b->value, &text)) json_put_str(json, text);
    if (count > 1) json_end(json);
}

static void one_beside(TestWalk *t, const AstBeside *b, IrTestStep *out)
{
    Check *c = t->c;
    Str text, name;
    bool topic = str_is(b->word.text, "topic"), key = str_is(b->word.text, "key"),
         header = str_is(b->word.text, "header");
    Str *to = topic ? &out->topic : &out->key;
    if (!topic && !key && !header) {
        Str best = STR_NONE;
        uint32_t distance = UINT32_MAX;
        static const char *const words[] = {"topic", "key", "header"};
        for (size_t i = 0; i < COUNT_OF(words); i++)
            diag_suggest(b->word.text, str_from(words[i]), &best, &distance);
        Diagnostic *d = diag_error(c->diags, DIAG_R001, b->word.span,
                                   "beside a record come `topic`, `key` and `header`, not `%.*s`",
                                   STR_ARG(b->word.text));
        check__did_you_mean(c, d, b->word.span, best);
    } else if (header != (b->name != NULL)) {
        diag_error(c->diags, DIAG_R001, b->span, "%s",
                   header ? "a header has a name and a value: header \"x-line\" \"A\""
                          : "one text stands here: topic \"plant/7/press\"");
    } else if (!ast_string_text(b->value, &text) || (header && !ast_string_text(b->name, &name))) {
        diag_error(c->diags, DIAG_R001, b->span, "`%.*s` is a fixed text", STR_ARG(b->word.text));
    } else if (!header && to->ptr) {
        diag_error(c->diags, DIAG_R001, b->span, "the record has one %.*s", STR_ARG(b->word.text));
    } else if (!header) {
        *to = text.len ? text : STR("");
    }
}

static void step_beside(TestWalk *t, const AstStep *step, IrTestStep *out)
{
    Check *c = t->c;
    AUTO_BUF Buf text;
    buf_init(&text, TEST_HEADERS_BYTES);
    JsonOut json;
    json_out_init(&json, &text);
    json_begin_object(&json);
    for (const AstBeside *b = step->beside; b; b = b->next) {
        Str name;
        one_beside(t, b, out);
        bool again = !b->name || !ast_string_text(b->name, &name);
        for (const AstBeside *before = step->beside; before != b && !again; before = before->next)
            again = is_header(before, name);
        if (!again) put_header(&json, b, name);
    }
    json_end(&json);
    if (buf_status(&text))
        diag_error(c->diags, DIAG_T018, step->span, "these headers are longer than %d bytes",
                   TEST_HEADERS_BYTES);
    else if (text.len > 2)
        out->headers = tests__kept(c, &text);
}

static void step_in(TestWalk *t, const AstStep *step, IrTestStep *out)
{
    Check *c = t->c;
    out->kind = STEP_IN;
    step_beside(t, step, out);
    if (step->target.text.len) {
        uint32_t i = 0;
        while (i < t->p->source_count && !source_named(t->p, i, step->target.text)) i++;
        if (i == t->p->source_count)
            diag_error(c->diags, DIAG_R001, step->target.span, "the pipeline has no source `%.*s`",
                       STR_ARG(step->target.text));
        else
            out->source = i;
    }
    if (step->from_file) {
        out->kind = STEP_IN_FILE;
        out->as_json = ir_format_is_bytes(t->p->sources[out->source].format);
        (void)path_of(c, step, DIAG_R001, &out->text);
        return;
    }
    Str raw;
    if (step->value && ast_string_text(step->value, &raw)) {
        out->text = raw;
        return;
    }
    if (!step->value || step->value->kind != AST_RECORD) {
        diag_error(c->diags, DIAG_R001, step->span, "`in` takes a record or raw \"...\"");
        return;
    }
    AUTO_BUF Buf text;
    buf_init(&text, 4 << 20);
    IrFormat format = t->p->sources[out->source].format;
    uint32_t schema = source_schema(t->p, out->source);
    if (format == FORMAT_CSV) {
        tests__csv_record(c, &text, step->value, schema);
    } else if (format == FORMAT_TEXT || format == FORMAT_RAW) {
        tests__plain_record(c, &text, step->value, schema);
    } else {
        JsonOut json;
        json_out_init(&json, &text);
        tests__put_record(c, &json, step->value, schema, false);
        out->as_json = ir_format_is_bytes(format);
    }
    if (buf_status(&text))
        diag_error(c->diags, DIAG_T018, step->span, "this record is too long");
    else
        out->text = tests__kept(c, &text);
}

typedef struct Expected {
    TestWalk *t;
    IrTestStep *out;
    uint32_t cap;
} Expected;

static void expect_field(Expected *x, const AstField *f, const IrField *field, Str path)
{
    Check *c = x->t->c;
    Val v = {.type = {.null = true}};
    IrField lenient = *field;
    lenient.optional = true;
    bool list = (field->type == IR_LIST || field->type == IR_JSON) && f->value->kind != AST_NULL;
    if (!list && !tests__value(c, f->value, &lenient, &v)) return;
    if (list) v.type.null = false;
    IrExpectField e = {.path = path, .type = field->type, .absent = v.type.null, .span = f->span};
    if (f->tolerance) {
        Val by;
        if (!check__constant_expr(c, f->tolerance, NULL, "a tolerance", &by)) return;
        if (!type_is_number(by.type.kind) || !type_is_number(field->type) || v.type.null) {
            diag_error(c->diags, DIAG_R002, f->tolerance->span, "`~` is for numbers");
            return;
        }
        e.has_tolerance = true;
        e.tolerance = check__val_number(&by);
    }
    if (!v.type.null) {
        AUTO_BUF Buf text;
        buf_init(&text, TYPE_STRING_MAX * 8);
        JsonOut json;
        json_out_init(&json, &text);
        tests__put_value(c, &json, f->value, field, true);
        e.json = tests__kept(c, &text);
        if (type_is_number(field->type)) e.number = check__val_number(&v);
    }
    *PUSH(c, x->out->fields, x->out->field_count, x->cap) = e;
}

static void expect_record(Expected *x, const AstExpr *e, const IrSchema *s, Str around)
{
    Check *c = x->t->c;
    for (const AstField *f = e->as.fields; f; f = f->next) {
        const IrField *field = f->spread ? NULL : tests__field(s, f->name.text);
        if (!field) {
            tests__unknown_field(c, f, s, DIAG_R002);
            continue;
        }
        Str path = around.len ? check__text(c, "%.*s.%.*s", STR_ARG(around), STR_ARG(field->name))
                              : field->name;
        if (field->type == IR_RECORD && f->value->kind == AST_RECORD)
            expect_record(x, f->value, &c->program->schemas[field->record], path);
        else if (field->type == IR_RECORD && f->value->kind != AST_NULL)
            diag_error(c->diags, DIAG_R002, f->value->span, "`%.*s` is a record: { ... }",
                       STR_ARG(path));
        else
            expect_field(x, f, field, path);
    }
}

static const IrSchema *error_schema(void)
{
    static IrField fields[] = {
        {.name = {"reason", 6}, .type = IR_STR, .bytes_max = 64},
        {.name = {"field", 5}, .type = IR_STR, .bytes_max = 1024, .optional = true},
        {.name = {"message", 7}, .type = IR_STR, .bytes_max = 4096},
        {.name = {"pipeline", 8}, .type = IR_STR, .bytes_max = 256},
        {.name = {"stage", 5}, .type = IR_STR, .bytes_max = 256},
        {.name = {"at", 2}, .type = IR_TIME},
        {.name = {"raw", 3}, .type = IR_STR, .bytes_max = TYPE_STRING_MAX}};
    static const IrSchema schema = {{"error", 5}, fields, COUNT_OF(fields)};
    return &schema;
}

/* Several sinks of one kind may take rows of different types: those that have all fields named. */
static void narrow(TestWalk *t, const AstStep *step, IrTestStep *out)
{
    uint32_t kept = 0;
    if (!step->value || step->value->kind != AST_RECORD) return;
    for (uint32_t i = 0; i < out->sink_count; i++) {
        uint32_t schema = t->p->sinks[out->sinks[i]].schema;
        bool fits = schema != NO_INDEX;
        for (const AstField *f = step->value->as.fields; f && fits; f = f->next)
            fits = tests__field(&t->c->program->schemas[schema], f->name.text) != NULL;
        if (!fits) continue;
        uint32_t keep = out->sinks[kept];
        out->sinks[kept++] = out->sinks[i];
        out->sinks[i] = keep;
    }
    if (kept) out->sink_count = kept;
}

/* The sinks that `expect TARGET` may mean; NULL after an error, else the schema of their rows. */
static const IrSchema *expect_target(TestWalk *t, const AstStep *step, IrTestStep *out)
{
    Check *c = t->c;
    uint32_t cap = 0;
    bool late = str_is(step->target.text, "late"), error = str_is(step->target.text, "error");
    out->on = error ? EXPECT_ERROR : late ? EXPECT_LATE : EXPECT_SINK;
    for (uint32_t i = 0; i < t->p->sink_count; i++) {
        IrPort port = ir_sink_port(t->p, i);
        bool named = str_eq(t->p->sinks[i].kind, step->target.text);
        bool fits = error  ? port == PORT_ERROR
                    : late ? port == PORT_LATE
                           : port == PORT_OUT && named;
        if (fits) *PUSH(c, out->sinks, out->sink_count, cap) = i;
    }
    bool late_dead = false;
    for (uint32_t i = 0; i < t->p->window_count; i++) late_dead |= t->p->windows[i].late_dead;
    if (error || (late && !out->sink_count && late_dead)) return error_schema();
    narrow(t, step, out);
    if (out->sink_count && t->p->sinks[out->sinks[0]].schema != NO_INDEX)
        return &c->program->schemas[t->p->sinks[out->sinks[0]].schema];
    Str best = STR_NONE;
    uint32_t distance = UINT32_MAX;
    for (uint32_t i = 0; i < t->p->sink_count; i++)
        diag_suggest(step->target.text, t->p->sinks[i].kind, &best, &distance);
    Diagnostic *d = diag_error(c->diags, DIAG_R002, step->target.span,
                               late ? "no `on late into ...` takes late records"
                                    : "the pipeline has no sink `%.*s`",
                               STR_ARG(step->target.text));
    check__did_you_mean(c, d, step->target.span, best);
    return NULL;
}

static void step_expect(TestWalk *t, const AstStep *step, IrTestStep *out)
{
    Check *c = t->c;
    out->kind = step->from_file ? STEP_EXPECT_FILE : STEP_EXPECT;
    if (step->from_file && !path_of(c, step, DIAG_R002, &out->text)) return;
    if (!step->target.text.len) return; /* all sinks */
    const IrSchema *schema = expect_target(t, step, out);
    if (!schema || step->from_file) return;
    Str text;
    if (step->value && ast_string_text(step->value, &text)) {
        out->text = text;
    } else if (!step->value || step->value->kind != AST_RECORD) {
        diag_error(c->diags, DIAG_R002, step->span, "`expect` takes a record or a text");
    } else {
        Expected x = {.t = t, .out = out};
        expect_record(&x, step->value, schema, STR_NONE);
    }
}

static void step_clock(TestWalk *t, const AstStep *step, IrTestStep *out)
{
    Check *c = t->c;
    out->kind = STEP_CLOCK;
    const AstExpr *e = step->value;
    if (!e || e->kind != AST_INSTANT) {
        diag_error(c->diags, DIAG_R003, step->span, "`clock` takes a time: 2026-11-23T10:00:00Z");
        return;
    }
    if (t->clock && e->as.ns < t->clock)
        diag_error(c->diags, DIAG_R003, e->span, "the clock goes back here");
    t->clock = out->clock_ns = e->as.ns;
}

/* The pipeline a test or a check is about; NULL: reported. */
static const IrPipeline *pipeline_of(Check *c, const AstItem *item, uint32_t *ret_index)
{
    const IrProgram *program = c->program;
    for (uint32_t i = 0; i < program->pipeline_count; i++) {
        if (!str_eq(program->pipelines[i].name, item->name.text)) continue;
        *ret_index = i;
        return &program->pipelines[i];
    }
    if (map_get(&c->scope->pipelines, item->name.text)) return NULL; /* it has errors of its own */
    Str best = STR_NONE;
    uint32_t distance = UINT32_MAX;
    check__suggest_map(&c->scope->pipelines, item->name.text, &best, &distance);
    Diagnostic *d = diag_error(c->diags, DIAG_N008, item->name.span, "there is no pipeline `%.*s`",
                               STR_ARG(item->name.text));
    check__did_you_mean(c, d, item->name.span, best);
    return NULL;
}

static void one_test(Check *c, const AstItem *item)
{
    TestWalk t = {.c = c};
    t.p = pipeline_of(c, item, &t.pipeline);
    if (!t.p) return;
    t.test = (IrTest){.text = item->as.test.text, .pipeline = t.pipeline, .span = item->span};
    for (const AstStep *step = item->as.test.steps; step; step = step->next) {
        IrTestStep out = {.span = step->span};
        diag_stage_begin(c->diags, step->span);
        switch (step->kind) {
        case AST_STEP_TABLE: step_table(&t, step); continue;
        case AST_STEP_IN: step_in(&t, step, &out); break;
        case AST_STEP_CLOCK: step_clock(&t, step, &out); break;
        case AST_STEP_EXPECT: step_expect(&t, step, &out); break;
        case AST_STEP_NOTHING: out.kind = STEP_NOTHING; break;
        }
        *PUSH(c, t.test.steps, t.test.step_count, t.step_cap) = out;
    }
    diag_stage_end(c->diags);
    IrProgram *out = c->program;
    *PUSH(c, out->tests, out->test_count, c->test_cap) = t.test;
}

/* The words behind `check P`, in any order; each says one disturbance. */
static void one_check(Check *c, const AstItem *item)
{
    static const char *const phrases[][3] = {{"restart", "anywhere"},
                                             {"split", "batches", "anywhere"},
                                             {"every", "engine"},
                                             {"every", "backend"}};
    IrRepeat check = {.span = item->span};
    if (!pipeline_of(c, item, &check.pipeline)) return;
    for (const AstNames *word = item->as.check.words; word;) {
        const AstNames *next = NULL;
        size_t p = 0;
        for (; p < COUNT_OF(phrases); p++) {
            int i = 0;
            for (next = word; i < 3 && phrases[p][i]; i++, next = next->next)
                if (!next || !str_is(next->name.text, phrases[p][i])) break;
            if (i == 3 || !phrases[p][i]) break;
        }
        if (p == COUNT_OF(phrases)) {
            diag_error(
                c->diags, DIAG_S011, word->name.span,
                "`check` knows `restart anywhere`, `split batches anywhere`, `every engine`");
            return;
        }
        check.restart |= p == 0;
        check.split |= p == 1;
        check.engines |= p >= 2;
        word = next;
    }
    IrProgram *out = c->program;
    *PUSH(c, out->repeats, out->repeat_count, c->repeat_cap) = check;
}

void check__tests(Check *c)
{
    for (const AstItem *item = c->file->items; item; item = item->next) {
        if (item->broken) continue;
        if (item->kind == AST_ITEM_TEST) one_test(c, item);
        if (item->kind == AST_ITEM_CHECK) one_check(c, item);
    }
}
