/* compiler/type/tests.c: `test NAME "..." { in ... clock ... expect ... }` against its pipeline.
 *
 * What goes in becomes the bytes its source would get; what is expected becomes paths with values
 * as the JSON edge writes them. The runner (back end) only feeds and compares. */
#include "base/json.h"
#include "base/num.h"
#include "compiler/type/check.h"

typedef struct TestWalk {
    Check *c;
    const IrPipeline *p;
    uint32_t pipeline;
    IrTest test;
    uint32_t step_cap;
    int64_t clock;
} TestWalk;

static void time_text(Buf *out, int64_t ns)
{
    int64_t seconds = ns / 1000000000, rest = ns % 1000000000;
    if (rest < 0) {
        rest += 1000000000;
        seconds--;
    }
    int64_t days = seconds / 86400, in_day = seconds % 86400;
    if (in_day < 0) {
        in_day += 86400;
        days--;
    }
    /* Civil date of a day number; Howard Hinnant's algorithm, eras of 400 years from 0000-03-01. */
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    int64_t day = doy - (153 * mp + 2) / 5 + 1, month = mp < 10 ? mp + 3 : mp - 9;
    int64_t year = yoe + era * 400 + (month <= 2);
    buf_printf(out, "%04lld-%02lld-%02lldT%02lld:%02lld:%02lld", (long long)year, (long long)month,
               (long long)day, (long long)(in_day / 3600), (long long)(in_day / 60 % 60),
               (long long)(in_day % 60));
    if (rest && rest % 1000000 == 0)
        buf_printf(out, ".%03lld", (long long)(rest / 1000000));
    else if (rest && rest % 1000 == 0)
        buf_printf(out, ".%06lld", (long long)(rest / 1000));
    else if (rest)
        buf_printf(out, ".%09lld", (long long)rest);
    buf_char(out, 'Z');
}

static void duration_text(Buf *out, int64_t ns)
{
    static const struct {
        const char *unit;
        uint64_t ns;
    } units[] = {{"d", 86400000000000}, {"h", 3600000000000}, {"m", 60000000000}, {"s", 1000000000},
                 {"ms", 1000000},       {"us", 1000},         {"ns", 1}};
    uint64_t left = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    if (ns < 0) buf_char(out, '-');
    if (!left) buf_text(out, "0s");
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        if (left < units[i].ns) continue;
        buf_u64(out, left / units[i].ns);
        buf_text(out, units[i].unit);
        left %= units[i].ns;
    }
}

/* A constant as JSON out would print it. */
static void scalar(JsonOut *json, const Type *type, IrImm imm)
{
    AUTO_BUF Buf text;
    buf_init(&text, 256);
    static const int64_t per[] = {0, 1000000000, 1000000, 1000, 1};
    switch (type->kind) {
    case IR_BOOL: json_put_bool(json, imm.boolean); break;
    case IR_U32:
    case IR_U64: json_put_uint(json, imm.natural); break;
    case IR_F32:
    case IR_F64: json_put_number(json, imm.number); break;
    case IR_DECIMAL:
        check__put_decimal(&text, imm.integer, type->scale);
        json_put_raw(json, buf_view(&text));
        break;
    case IR_STR:
    case IR_BYTES: json_put_str(json, imm.text); break;
    case IR_ENUM: json_put_str(json, type->names->names[imm.integer]); break;
    case IR_TIME:
        if (type->time_read != IR_TIME_TEXT) {
            json_put_int(json, imm.integer / per[type->time_read]);
            break;
        }
        time_text(&text, imm.integer);
        json_put_str(json, buf_view(&text));
        break;
    case IR_DURATION:
        duration_text(&text, imm.integer);
        json_put_str(json, buf_view(&text));
        break;
    default: json_put_int(json, imm.integer); break;
    }
}

static Diagnostic *unknown_field(Check *c, const AstField *f, const IrSchema *s, DiagCode code)
{
    Str best = STR_NONE;
    uint32_t distance = UINT32_MAX;
    for (uint32_t i = 0; i < s->count; i++)
        diag_suggest(f->name.text, s->fields[i].name, &best, &distance);
    Diagnostic *d = diag_error(c->diags, code, f->name.span, "there is no field `%.*s` there",
                               STR_ARG(f->name.text));
    check__did_you_mean(c, d, f->name.span, best);
    return d;
}

static const IrField *schema_field(const IrSchema *s, Str name)
{
    for (uint32_t i = 0; i < s->count; i++)
        if (str_eq(s->fields[i].name, name)) return &s->fields[i];
    return NULL;
}

static Type field_type(const IrField *f)
{
    return (Type){.kind = f->type,
                  .optional = f->optional,
                  .bytes_max = f->bytes_max,
                  .scale = f->scale,
                  .time_read = f->time_read,
                  .names = f->names};
}

/* A value of the field's kind; its unit is taken off (converted by nobody: it must be the same). */
static bool value_of(Check *c, const AstExpr *e, const IrField *f, Val *v)
{
    Type want = field_type(f);
    if (!check__constant_expr(c, e, &want, "a test's value", v)) return false;
    if (v->type.null) return true;
    if (want.kind == IR_ENUM && v->type.kind == IR_STR) {
        for (uint32_t i = 0; i < f->names->count; i++) {
            if (!str_eq(f->names->names[i], v->imm.text)) continue;
            v->type = want;
            v->imm = (IrImm){.integer = i};
            return true;
        }
    }
    if (want.kind == IR_BYTES && v->type.kind == IR_STR) { /* base64, as at the edge */
        v->type = want;
        return true;
    }
    if (v->type.unit && !str_eq(v->type.unit->text, f->unit)) {
        diag_error(c->diags, DIAG_U002, e->span, "this is in [%.*s], the field in [%.*s]",
                   STR_ARG(v->type.unit->text), STR_ARG(f->unit));
        return false;
    }
    v->type.unit = NULL;
    return check__fit(c, v, &want, "the field", f->name);
}

static void put_record(Check *c, JsonOut *json, const AstExpr *e, uint32_t schema, bool out);

/* Any JSON, for fields of type json. */
static void put_free(Check *c, JsonOut *json, const AstExpr *e)
{
    Val v;
    switch (e->kind) {
    case AST_NULL: json_put_null(json); return;
    case AST_LIST:
        json_begin_array(json);
        for (const AstExpr *one = e->as.items; one; one = one->next) put_free(c, json, one);
        json_end(json);
        return;
    case AST_RECORD:
        json_begin_object(json);
        for (const AstField *f = e->as.fields; f; f = f->next) {
            json_key_str(json, f->name.text);
            put_free(c, json, f->value);
        }
        json_end(json);
        return;
    default:
        if (check__constant_expr(c, e, NULL, "a test's value", &v)) scalar(json, &v.type, v.imm);
    }
}

/* A value as the edge writes it: what comes in, or (`out`) what a sink gets. */
static void put_value(Check *c, JsonOut *json, const AstExpr *e, const IrField *field, bool out)
{
    Type type = field_type(field);
    IrField lenient = *field;
    Val v;
    lenient.optional = true; /* a test may send null where it must not be */
    if (field->type == IR_LIST && e->kind == AST_LIST) {
        const IrSchema *item = &c->program->schemas[field->record];
        bool scalar = ir_is_scalar_item(c->program, field->record);
        json_begin_array(json);
        for (const AstExpr *one = e->as.items; one; one = one->next) {
            if (scalar)
                put_value(c, json, one, &item->fields[0], out);
            else if (one->kind == AST_RECORD)
                put_record(c, json, one, field->record, out);
            else
                diag_error(c->diags, out ? DIAG_R002 : DIAG_R001, one->span,
                           "the items are records: { ... }");
        }
        json_end(json);
        return;
    }
    if (field->type == IR_LIST && e->kind != AST_NULL) {
        diag_error(c->diags, out ? DIAG_R002 : DIAG_R001, e->span, "`%.*s` is a list: [ ... ]",
                   STR_ARG(field->name));
        json_put_null(json);
        return;
    }
    if (field->type == IR_JSON && e->kind != AST_NULL) {
        put_free(c, json, e);
        return;
    }
    if (out) type.time_read = IR_TIME_TEXT;
    if (!value_of(c, e, &lenient, &v) || v.type.null)
        json_put_null(json);
    else
        scalar(json, &type, v.imm);
}

static void put_record(Check *c, JsonOut *json, const AstExpr *e, uint32_t schema, bool out)
{
    DiagCode code = out ? DIAG_R002 : DIAG_R001;
    const IrSchema *s = &c->program->schemas[schema];
    json_begin_object(json);
    for (const AstField *f = e->as.fields; f; f = f->next) {
        const IrField *field = f->spread ? NULL : schema_field(s, f->name.text);
        if (!field) {
            if (f->spread)
                diag_error(c->diags, code, f->span, "`...` does not stand here");
            else
                unknown_field(c, f, s, code);
            continue;
        }
        if (out && f->value->kind == AST_NULL) continue;
        if (field->type == IR_RECORD && f->value->kind == AST_RECORD) {
            json_key_str(json, field->name);
            put_record(c, json, f->value, field->record, out);
            continue;
        }
        if (field->type == IR_RECORD && f->value->kind != AST_NULL) {
            diag_error(c->diags, code, f->value->span, "`%.*s` is a record: { ... }",
                       STR_ARG(field->name));
            continue;
        }
        json_key_str(json, field->name);
        put_value(c, json, f->value, field, out);
    }
    json_end(json);
}

static void csv_record(TestWalk *t, Buf *out, const AstExpr *e, uint32_t schema)
{
    Check *c = t->c;
    const IrSchema *s = &c->program->schemas[schema];
    for (const AstField *f = e->as.fields; f; f = f->next)
        if (!schema_field(s, f->name.text)) unknown_field(c, f, s, DIAG_R001);
    for (uint32_t i = 0; i < s->count; i++) {
        if (i) buf_char(out, ',');
        for (const AstField *f = e->as.fields; f; f = f->next) {
            Val v;
            IrField lenient = s->fields[i];
            lenient.optional = true;
            if (!str_eq(f->name.text, s->fields[i].name)) continue;
            if (!value_of(c, f->value, &lenient, &v) || v.type.null) break;
            AUTO_BUF Buf one;
            buf_init(&one, TYPE_STRING_MAX * 2);
            JsonOut json;
            json_out_init(&json, &one);
            Type type = field_type(&s->fields[i]);
            bool quote = type.kind == IR_STR && str_find_char(v.imm.text, ',') >= 0;
            if (type.kind == IR_STR) {
                if (quote) buf_char(out, '"');
                buf_str(out, v.imm.text);
                if (quote) buf_char(out, '"');
                break;
            }
            scalar(&json, &type, v.imm);
            Str text = buf_view(&one);
            if (text.len >= 2 && text.ptr[0] == '"') text = str_slice(text.ptr + 1, text.len - 2);
            buf_str(out, text);
            break;
        }
    }
}

/* `as text`, `as raw`: the bytes of the one field. */
static void plain_record(TestWalk *t, Buf *out, const AstExpr *e, uint32_t schema)
{
    Check *c = t->c;
    const IrSchema *s = &c->program->schemas[schema];
    const AstField *f = e->as.fields;
    Val v;
    if (!f || f->spread || f->next || !schema_field(s, f->name.text) ||
        s->fields[0].type != IR_STR) {
        diag_error(c->diags, DIAG_R001, e->span,
                   "this source takes one text: { %.*s: \"...\" }, or raw \"...\" for any bytes",
                   STR_ARG(s->fields[0].name));
        return;
    }
    if (value_of(c, f->value, &s->fields[0], &v)) buf_str(out, v.imm.text);
}

static Str kept(Check *c, const Buf *out)
{
    Str text = arena_str(c->arena, buf_view(out));
    if (!text.ptr) check__leave(c, ST_NO_MEMORY);
    return text;
}

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

static void step_in(TestWalk *t, const AstStep *step, IrTestStep *out)
{
    Check *c = t->c;
    out->kind = STEP_IN;
    if (step->target.text.len) {
        uint32_t i = 0;
        while (i < t->p->source_count && !source_named(t->p, i, step->target.text)) i++;
        if (i == t->p->source_count)
            diag_error(c->diags, DIAG_R001, step->target.span, "the pipeline has no source `%.*s`",
                       STR_ARG(step->target.text));
        else
            out->source = i;
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
        csv_record(t, &text, step->value, schema);
    } else if (format == FORMAT_TEXT || format == FORMAT_RAW) {
        plain_record(t, &text, step->value, schema);
    } else {
        JsonOut json;
        json_out_init(&json, &text);
        put_record(c, &json, step->value, schema, false);
        out->as_json = ir_format_is_bytes(format);
    }
    if (buf_status(&text))
        diag_error(c->diags, DIAG_T018, step->span, "this record is too long");
    else
        out->text = kept(c, &text);
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
    if (!list && !value_of(c, f->value, &lenient, &v)) return;
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
        put_value(c, &json, f->value, field, true);
        e.json = kept(c, &text);
        if (type_is_number(field->type)) e.number = check__val_number(&v);
    }
    *PUSH(c, x->out->fields, x->out->field_count, x->cap) = e;
}

static void expect_record(Expected *x, const AstExpr *e, const IrSchema *s, Str around)
{
    Check *c = x->t->c;
    for (const AstField *f = e->as.fields; f; f = f->next) {
        const IrField *field = f->spread ? NULL : schema_field(s, f->name.text);
        if (!field) {
            unknown_field(c, f, s, DIAG_R002);
            continue;
        }
        Str path = around.len ? check__text(c, "%.*s.%.*s", STR_ARG(around), STR_ARG(field->name))
                              : field->name;
        if (field->type == IR_RECORD && f->value->kind == AST_RECORD)
            expect_record(x, f->value, &c->program->schemas[field->record], path);
        else if (field->type == IR_RECORD)
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

static bool is_error_sink(const IrPipeline *p, uint32_t sink)
{
    for (uint32_t i = 0; i < p->error_sink_count; i++)
        if (p->error_sinks[i] == sink) return true;
    return false;
}

static bool is_late_sink(const IrPipeline *p, uint32_t sink)
{
    for (uint32_t i = 0; i < p->wire_count; i++)
        if (p->wires[i].port == PORT_LATE && p->wires[i].to == p->sinks[sink].node) return true;
    return false;
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
            fits = schema_field(&t->c->program->schemas[schema], f->name.text) != NULL;
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
        bool is_error = is_error_sink(t->p, i), is_late = is_late_sink(t->p, i);
        bool fits = error ? is_error
                    : late
                        ? is_late
                        : !is_error && !is_late && str_eq(t->p->sinks[i].kind, step->target.text);
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
    out->kind = STEP_EXPECT;
    const IrSchema *schema = expect_target(t, step, out);
    if (!schema) return;
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
    if (item->as.test.from_file || item->as.test.expect_file || item->as.test.tables) {
        diag_error(c->diags, DIAG_A004, item->keyword, "tests from files are not available yet");
        return;
    }
    t.test = (IrTest){.text = item->as.test.text, .pipeline = t.pipeline, .span = item->span};
    for (const AstStep *step = item->as.test.steps; step; step = step->next) {
        IrTestStep out = {.span = step->span};
        diag_stage_begin(c->diags, step->span);
        switch (step->kind) {
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
