/* compiler/type/test_values.c: values written in a test as the bytes that the edge reads or writes.
 */
#include "base/json.h"
#include "base/num.h"
#include "compiler/type/tests.h"

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

Diagnostic *tests__unknown_field(Check *c, const AstField *f, const IrSchema *s, DiagCode code)
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

const IrField *tests__field(const IrSchema *s, Str name)
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
bool tests__value(Check *c, const AstExpr *e, const IrField *f, Val *v)
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
void tests__put_value(Check *c, JsonOut *json, const AstExpr *e, const IrField *field, bool out)
{
    Type type = field_type(field);
    IrField lenient = *field;
    Val v;
    lenient.optional = true; /* a test may send null where it must not be */
    if (field->type == IR_LIST && e->kind == AST_LIST) {
        const IrSchema *item = &c->program->schemas[field->record];
        bool scalar = ir_is_scalar_item(c->program, field->record);
        bool missing = !scalar && item->fields[0].name.len == 0; /* records that may be */
        json_begin_array(json);
        for (const AstExpr *one = e->as.items; one; one = one->next) {
            if (scalar)
                tests__put_value(c, json, one, &item->fields[0], out);
            else if (missing && one->kind == AST_NULL)
                json_put_null(json);
            else if (one->kind == AST_RECORD)
                tests__put_record(c, json, one, missing ? item->fields[0].record : field->record,
                                  out);
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
    if (!tests__value(c, e, &lenient, &v) || v.type.null)
        json_put_null(json);
    else
        scalar(json, &type, v.imm);
}

void tests__put_record(Check *c, JsonOut *json, const AstExpr *e, uint32_t schema, bool out)
{
    DiagCode code = out ? DIAG_R002 : DIAG_R001;
    const IrSchema *s = &c->program->schemas[schema];
    json_begin_object(json);
    for (const AstField *f = e->as.fields; f; f = f->next) {
        const IrField *field = f->spread ? NULL : tests__field(s, f->name.text);
        if (!field) {
            if (f->spread)
                diag_error(c->diags, code, f->span, "`...` does not stand here");
            else
                tests__unknown_field(c, f, s, code);
            continue;
        }
        if (out && f->value->kind == AST_NULL) continue;
        if (field->type == IR_RECORD && f->value->kind == AST_RECORD) {
            json_key_str(json, field->name);
            tests__put_record(c, json, f->value, field->record, out);
            continue;
        }
        if (field->type == IR_RECORD && f->value->kind != AST_NULL) {
            diag_error(c->diags, code, f->value->span, "`%.*s` is a record: { ... }",
                       STR_ARG(field->name));
            continue;
        }
        json_key_str(json, field->name);
        tests__put_value(c, json, f->value, field, out);
    }
    json_end(json);
}

/* RFC 4180: quoted where it holds what would end the cell. */
static void csv_text(Buf *out, Str text)
{
    bool quote = str_find_char(text, ',') >= 0 || str_find_char(text, '"') >= 0;
    if (quote) buf_char(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"') buf_char(out, '"');
        buf_char(out, text.ptr[i]);
    }
    if (quote) buf_char(out, '"');
}

void tests__csv_header(Buf *out, const IrSchema *s, bool there)
{
    for (uint32_t i = 0; i < s->count && !there; i++) {
        if (i) buf_char(out, ',');
        buf_str(out, s->fields[i].name);
    }
    if (!there) buf_char(out, '\n');
}

void tests__csv_record(Check *c, Buf *out, const AstExpr *e, uint32_t schema)
{
    const IrSchema *s = &c->program->schemas[schema];
    for (const AstField *f = e->as.fields; f; f = f->next)
        if (!tests__field(s, f->name.text)) tests__unknown_field(c, f, s, DIAG_R001);
    for (uint32_t i = 0; i < s->count; i++) {
        if (i) buf_char(out, ',');
        for (const AstField *f = e->as.fields; f; f = f->next) {
            Val v;
            IrField lenient = s->fields[i];
            lenient.optional = true;
            if (!str_eq(f->name.text, s->fields[i].name)) continue;
            if (!tests__value(c, f->value, &lenient, &v) || v.type.null) break;
            AUTO_BUF Buf one;
            buf_init(&one, TYPE_STRING_MAX * 2);
            JsonOut json;
            json_out_init(&json, &one);
            Type type = field_type(&s->fields[i]);
            if (type.kind == IR_STR) {
                csv_text(out, v.imm.text);
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
void tests__plain_record(Check *c, Buf *out, const AstExpr *e, uint32_t schema)
{
    const IrSchema *s = &c->program->schemas[schema];
    const AstField *f = e->as.fields;
    Val v;
    if (!f || f->spread || f->next || !tests__field(s, f->name.text) ||
        s->fields[0].type != IR_STR) {
        diag_error(c->diags, DIAG_R001, e->span,
                   "this source takes one text: { %.*s: \"...\" }, or raw \"...\" for any bytes",
                   STR_ARG(s->fields[0].name));
        return;
    }
    if (tests__value(c, f->value, &s->fields[0], &v)) buf_str(out, v.imm.text);
}

Str tests__kept(Check *c, const Buf *out)
{
    Str text = arena_str(c->arena, buf_view(out));
    if (!text.ptr) check__leave(c, ST_NO_MEMORY);
    return text;
}
