/* compiler/type/alarms.c: `alarm NAME { ... }` to a rule as JSON (docs/alarms.md).
 *
 * Every field is a constant. A limit's number is compared with what is published, so it goes into
 * the rule as it was written: its unit says what the publisher's is. What has a second unit beside
 * it is converted: `hysteresis` to the unit of its limit, and in a schema, where the field has a
 * unit of its own, the limit to that. In a schema (Check.schema) `on` names a field of the type,
 * or stands nowhere where the type is a single value. */
#include "compiler/type/check.h"

#include "base/json.h"

enum {
    ALARMS_MAX = 1000, /* as many rules as the namespace takes */
    NAME_BYTES_MAX = 63,
    FILTER_BYTES_MAX = 1024,
    TEXT_BYTES_MAX = 500,
    WORDS_MAX = 32,
    RULE_BYTES_MAX = 64 << 10
};

typedef enum Takes { FILTER, NUMBER, SPAN, WORDS, QUALITY, PRIORITY, FLAG, MESSAGE, TEXT } Takes;

enum {
#define ALARM_FIELD(name, takes, usage, doc) FIELD_##name,
#include "compiler/type/alarm_fields.def"
#undef ALARM_FIELD
    FIELD__COUNT
};
enum { FIRST_CONDITION = FIELD_above, LAST_CONDITION = FIELD_quality };

static const struct {
    const char *name, *usage;
    Takes takes;
} fields[] = {
#define ALARM_FIELD(name, takes, usage, doc) {#name, usage, takes},
#include "compiler/type/alarm_fields.def"
#undef ALARM_FIELD
};

/* What other alarm systems call these fields. */
static const struct {
    const char *word;
    uint8_t field;
} others[] = {
    {"topic", FIELD_on},
    {"path", FIELD_on},
    {"tag", FIELD_on},
    {"source", FIELD_on},
    {"limit", FIELD_above},
    {"threshold", FIELD_above},
    {"over", FIELD_above},
    {"high", FIELD_above},
    {"max", FIELD_above},
    {"under", FIELD_below},
    {"low", FIELD_below},
    {"min", FIELD_below},
    {"equals", FIELD_is},
    {"state", FIELD_is},
    {"timeout", FIELD_stale},
    {"stale_ms", FIELD_stale},
    {"deadband", FIELD_hysteresis},
    {"within_ms", FIELD_within},
    {"delay", FIELD_for},
    {"for_ms", FIELD_for},
    {"delay_on", FIELD_for},
    {"delay_off", FIELD_clear},
    {"clear_ms", FIELD_clear},
    {"severity", FIELD_priority},
    {"level", FIELD_priority},
    {"prio", FIELD_priority},
    {"latched", FIELD_latch},
    {"latching", FIELD_latch},
    {"text", FIELD_message},
    {"description", FIELD_message},
    {"msg", FIELD_message},
    {"advice", FIELD_action},
    {"help", FIELD_action},
};

static const char *const priorities[] = {"critical", "high", "medium", "low"};

typedef struct Alarm {
    Check *c;
    const AstItem *item;
    const AstField *given[FIELD__COUNT];
    int condition;    /* FIELD_above ... FIELD_quality, or -1 */
    const Type *type; /* of the schema's field; NULL: not known */
    const Unit *unit; /* of the limit in the rule */
    JsonOut *json;
    bool wrong;
} Alarm;

/* From here on errors are those of this field: one each. */
static const AstExpr *value_of(Alarm *a, int field)
{
    const AstField *given = a->given[field];
    if (given) diag_stage_begin(a->c->diags, given->span);
    return given ? given->value : NULL;
}

static Diagnostic *wrong(Alarm *a, DiagCode code, Span span, Str text)
{
    a->wrong = true;
    return diag_error(a->c->diags, code, span, "%.*s", STR_ARG(text));
}

#define WRONG(a, code, span, ...) wrong((a), (code), (span), check__text((a)->c, __VA_ARGS__))

static void fix(Alarm *a, Diagnostic *d, Span span, Str text)
{
    diag_fix_str(a->c->diags, d, STR_NONE, span, text);
}

/* ---- which fields there are --------------------------------------------------------------- */

static void unknown_field(Alarm *a, const AstField *f)
{
    Str word = f->name.text, best = STR_NONE;
    uint32_t distance = UINT32_MAX;
    for (int i = 0; i < FIELD__COUNT; i++)
        diag_suggest(word, str_from(fields[i].name), &best, &distance);
    for (size_t i = 0; i < COUNT_OF(others); i++)
        if (str_is(word, others[i].word)) best = str_from(fields[others[i].field].name);
    Diagnostic *d =
        WRONG(a, DIAG_R004, f->name.span, "an alarm has no field `%.*s`", STR_ARG(word));
    check__did_you_mean(a->c, d, f->name.span, best);
}

static void gather(Alarm *a)
{
    for (const AstField *f = a->item->as.alarm.fields->as.fields; f; f = f->next) {
        int at = 0;
        diag_stage_begin(a->c->diags, f->span);
        if (f->spread || f->tolerance) {
            WRONG(a, DIAG_R004, f->span, "an alarm's fields are written one by one: %s",
                  fields[FIELD_on].usage);
            continue;
        }
        while (at < FIELD__COUNT && !str_is(f->name.text, fields[at].name)) at++;
        if (at == FIELD__COUNT) {
            unknown_field(a, f);
        } else if (a->given[at]) {
            Diagnostic *d =
                WRONG(a, DIAG_S005, f->name.span, "`%s` stands here twice", fields[at].name);
            diag_note(a->c->diags, d, a->given[at]->span, "first here");
        } else {
            a->given[at] = f;
        }
    }
}

static void find_condition(Alarm *a)
{
    Check *c = a->c;
    Span head = a->item->name.span;
    a->condition = -1;
    for (int i = FIRST_CONDITION; i <= LAST_CONDITION; i++) {
        if (!a->given[i]) continue;
        if (a->condition < 0) {
            a->condition = i;
            continue;
        }
        (void)value_of(a, i);
        Diagnostic *d =
            WRONG(a, DIAG_R006, a->given[i]->span,
                  "an alarm has one condition: write another alarm for `%s`", fields[i].name);
        diag_note(c->diags, d, a->given[a->condition]->span, "this is one already");
    }
    if (a->condition >= 0 || a->wrong) return;
    diag_stage_begin(c->diags, head);
    Diagnostic *d =
        WRONG(a, DIAG_R006, head, "the alarm `%.*s` has no condition", STR_ARG(a->item->name.text));
    diag_hint(c->diags, d, "one of above, below, rises, falls, is, stale and quality");
}

static bool is_rate(const Alarm *a)
{
    return a->condition == FIELD_rises || a->condition == FIELD_falls;
}

static bool has_limit(const Alarm *a)
{
    return is_rate(a) || a->condition == FIELD_above || a->condition == FIELD_below;
}

/* `hysteresis` and `within` go with some conditions only; rates need `within`. */
static void check_company(Alarm *a)
{
    if (a->condition < 0) return;
    const char *condition = fields[a->condition].name;
    if (a->given[FIELD_hysteresis] && !has_limit(a)) {
        (void)value_of(a, FIELD_hysteresis);
        WRONG(a, DIAG_R007, a->given[FIELD_hysteresis]->span,
              "`hysteresis` belongs to a limit, `%s` has none", condition);
    }
    if (a->given[FIELD_within] && !is_rate(a)) {
        (void)value_of(a, FIELD_within);
        Diagnostic *d = WRONG(a, DIAG_R007, a->given[FIELD_within]->span,
                              "`within` belongs to `rises` and `falls`, not to `%s`", condition);
        if (!a->given[FIELD_for]) fix(a, d, a->given[FIELD_within]->name.span, STR("for"));
    }
    if (is_rate(a) && !a->given[FIELD_within]) {
        (void)value_of(a, a->condition);
        Span at = a->given[a->condition]->span;
        Diagnostic *d =
            WRONG(a, DIAG_R007, at, "`%s` needs the time it is about: within: 1m", condition);
        fix(a, d, (Span){at.file, at.end, at.end}, STR(", within: 1m"));
    }
}

/* ---- texts -------------------------------------------------------------------------------- */

static bool is_placeholder(const AstExpr *e)
{
    return e->kind == AST_NAME && (str_is(e->as.name, "path") || str_is(e->as.name, "name") ||
                                   str_is(e->as.name, "value"));
}

static bool put_constant(Alarm *a, const AstExpr *e, bool message, Buf *out)
{
    Check *c = a->c;
    Val v;
    Str text;
    if (message && e->kind == AST_NAME && !check__const(c, e->as.name)) {
        Diagnostic *d = WRONG(a, DIAG_R008, e->span,
                              "`%.*s` is not known in a message: {path}, {name}, {value} and "
                              "constants are",
                              STR_ARG(e->as.name));
        Str best = STR_NONE;
        uint32_t distance = UINT32_MAX;
        diag_suggest(e->as.name, STR("path"), &best, &distance);
        diag_suggest(e->as.name, STR("name"), &best, &distance);
        diag_suggest(e->as.name, STR("value"), &best, &distance);
        check__did_you_mean(c, d, e->span, best);
        return false;
    }
    if (!check__constant_expr(c, e, NULL, "a text of an alarm", &v) ||
        !check__constant_text(c, &v, &text)) {
        a->wrong = true;
        return false;
    }
    buf_str(out, text);
    return true;
}

/* A text with constants in it; in a message also the placeholders, which stay. */
static bool read_text(Alarm *a, int field, size_t max, Str *ret_text)
{
    Check *c = a->c;
    const AstExpr *e = value_of(a, field);
    bool message = field == FIELD_message, fine = true;
    AUTO_BUF Buf out;
    buf_init(&out, RULE_BYTES_MAX);
    Val v;
    if (e->kind == AST_STRING) {
        for (const AstPart *part = e->as.string.parts; part && fine; part = part->next) {
            if (!part->expr)
                buf_str(&out, part->text);
            else if (message && is_placeholder(part->expr))
                buf_printf(&out, "{%.*s}", STR_ARG(part->expr->as.name));
            else
                fine = put_constant(a, part->expr, message, &out);
        }
        if (!fine) return false;
    } else {
        if (!check__constant_expr(c, e, NULL, "an alarm's text", &v)) {
            a->wrong = true;
            return false;
        }
        if (v.type.kind != IR_STR || v.type.null) {
            WRONG(a, DIAG_R008, e->span, "`%s` is a text: %s", fields[field].name,
                  fields[field].usage);
            return false;
        }
        buf_str(&out, v.imm.text);
    }
    if (out.len > max) {
        WRONG(a, DIAG_R008, e->span, "`%s` has at most %zu bytes", fields[field].name, max);
        return false;
    }
    *ret_text = arena_str(c->arena, buf_view(&out));
    if (!ret_text->ptr) check__leave(c, ST_NO_MEMORY);
    return true;
}

/* Levels between `/`; `+` is a whole level, and so is `#`, behind which stand names only. */
static bool is_filter(Str text)
{
    bool rest = false;
    if (!text.len) return false;
    for (size_t at = 0; at <= text.len;) {
        Str level = str_skip(text, at);
        ptrdiff_t slash = str_find_char(level, '/');
        if (slash >= 0) level = str_slice(level.ptr, (size_t)slash);
        bool plus = str_find_char(level, '+') >= 0, hash = str_find_char(level, '#') >= 0;
        if ((plus || hash) && (level.len != 1 || rest)) return false;
        if (rest && !level.len) return false;
        rest = rest || hash;
        at += level.len + 1;
    }
    return true;
}

static bool read_filter(Alarm *a, Str *ret_on)
{
    Check *c = a->c;
    Span head = a->item->name.span;
    if (!a->given[FIELD_on]) {
        diag_stage_begin(c->diags, head);
        Diagnostic *d = WRONG(a, DIAG_R005, head, "the alarm `%.*s` does not say what it is about",
                              STR_ARG(a->item->name.text));
        diag_hint(c->diags, d, "on: \"acme/+/temp\", a path of the namespace or a filter");
        return false;
    }
    if (!read_text(a, FIELD_on, FILTER_BYTES_MAX, ret_on)) return false;
    if (is_filter(*ret_on)) return true;
    Diagnostic *d =
        WRONG(a, DIAG_R005, a->given[FIELD_on]->value->span, "this is no path and no filter");
    diag_hint(c->diags, d, "levels between /; + is one whole level, # any number of them");
    return false;
}

/* Of a schema: `on` is a field, whose type says what fits. */
static bool read_field(Alarm *a, const Type *root, Str *ret_on)
{
    Check *c = a->c;
    bool record = root->kind == IR_RECORD && !root->record->tag;
    *ret_on = STR("");
    if (!record) {
        a->type = check__is_tag(root) ? &record_find(root->record, STR("value"))->type : root;
        if (!a->given[FIELD_on]) return true;
        (void)value_of(a, FIELD_on);
        WRONG(a, DIAG_R005, a->given[FIELD_on]->span,
              "the schema's type is one value: an alarm is on it without `on`");
        return false;
    }
    if (!a->given[FIELD_on]) {
        diag_stage_begin(c->diags, a->item->name.span);
        WRONG(a, DIAG_R005, a->item->name.span,
              "the alarm `%.*s` does not say which field it is about: on: \"%.*s\"",
              STR_ARG(a->item->name.text),
              STR_ARG(root->record->count ? root->record->fields[0].name : STR("field")));
        return false;
    }
    if (!read_text(a, FIELD_on, FILTER_BYTES_MAX, ret_on)) return false;
    const RecordField *field = record_find(root->record, *ret_on);
    Span at = a->given[FIELD_on]->value->span;
    if (!field) {
        Str best = STR_NONE;
        uint32_t distance = UINT32_MAX;
        for (uint32_t i = 0; i < root->record->count; i++)
            diag_suggest(*ret_on, root->record->fields[i].name, &best, &distance);
        Diagnostic *d = WRONG(a, DIAG_R005, at, "the schema has no field `%.*s`", STR_ARG(*ret_on));
        if (best.len) fix(a, d, at, check__text(c, "\"%.*s\"", STR_ARG(best)));
        return false;
    }
    a->type = check__is_tag(&field->type) ? &record_find(field->type.record, STR("value"))->type
                                          : &field->type;
    if (a->type->kind != IR_RECORD && a->type->kind != IR_LIST && a->type->kind != IR_JSON)
        return true;
    WRONG(a, DIAG_R005, at, "`%.*s` is no single value, and only those are watched",
          STR_ARG(*ret_on));
    return false;
}

/* ---- numbers and units -------------------------------------------------------------------- */

/* As a difference: 2 degC more are 2 K more. */
static const Unit *step_of(Check *c, const Unit *unit)
{
    if (!unit || !unit_affine(unit)) return unit;
    Unit *step = NEW(c, Unit, 1);
    *step = unit_difference(unit);
    return step;
}

/* In `to`; a plain number has the unit of what it stands beside. */
static bool convert(Alarm *a, const Val *v, const Unit *to, bool step, double *number)
{
    Check *c = a->c;
    const Unit *from = v->type.unit;
    double factor, offset;
    if (!from || (to && unit_same(from, to))) return true;
    if (!to || !unit_convertible(from, to)) {
        a->wrong = true;
        diag_error(c->diags, DIAG_U004, v->span, "[%.*s] does not convert to %.*s",
                   STR_ARG(from->text),
                   STR_ARG(to ? check__text(c, "[%.*s]", STR_ARG(to->text))
                              : STR("a number without unit, which stands beside it")));
        return false;
    }
    if (step) from = step_of(c, from), to = step_of(c, to);
    unit_conversion(from, to, &factor, &offset);
    *number = *number * factor + (offset != 0 && !step ? offset : 0);
    return true;
}

static bool read_number(Alarm *a, int field, Val *ret_val, double *ret_number)
{
    Check *c = a->c;
    const AstExpr *e = value_of(a, field);
    Str text;
    if (e->kind == AST_STRING && ast_string_text(e, &text)) {
        WRONG(a, DIAG_R008, e->span, "`%s` is a number, without quotes: %s", fields[field].name,
              fields[field].usage);
        return false;
    }
    if (!check__constant_expr(c, e, NULL, "an alarm's number", ret_val)) {
        a->wrong = true;
        return false;
    }
    if (!type_is_number(ret_val->type.kind)) {
        WRONG(a, DIAG_R008, e->span, "`%s` is a number: %s", fields[field].name,
              fields[field].usage);
        return false;
    }
    *ret_number = check__val_number(ret_val);
    return true;
}

static void put_limit(Alarm *a)
{
    Val v;
    double number;
    int field = a->condition;
    if (!read_number(a, field, &v, &number)) return;
    a->unit = v.type.unit;
    if (a->type && !type_is_number(a->type->kind)) {
        WRONG(a, DIAG_R008, a->given[field]->span, "`%s` is about numbers, the field is %.*s",
              fields[field].name, STR_ARG(type_text(a->c->arena, a->type)));
        return;
    }
    if (a->type) {
        if (!convert(a, &v, a->type->unit, is_rate(a), &number)) return;
        a->unit = a->type->unit;
    }
    if (is_rate(a) && !(number > 0)) {
        WRONG(a, DIAG_R008, v.span, "`%s` is more than 0: how far the value moves",
              fields[field].name);
        return;
    }
    json_field_number(a->json, fields[field].name, number);
}

static void put_hysteresis(Alarm *a)
{
    Val v;
    double number;
    if (!a->given[FIELD_hysteresis] || !has_limit(a)) return;
    if (!read_number(a, FIELD_hysteresis, &v, &number)) return;
    if (!convert(a, &v, a->unit, true, &number)) return;
    const AstExpr *e = a->given[FIELD_hysteresis]->value;
    if (number < 0) {
        Diagnostic *d = WRONG(a, DIAG_R008, e->span, "`hysteresis` is a distance: not less than 0");
        if (e->kind == AST_UNARY)
            fix(a, d, e->span, source_text(a->c->file->source, e->as.op.a->span));
        return;
    }
    if (number > 0) json_field_number(a->json, "hysteresis", number);
}

/* ---- the other values --------------------------------------------------------------------- */

static bool read_span(Alarm *a, int field, bool zero, int64_t *ret_ms)
{
    Check *c = a->c;
    const AstExpr *e = value_of(a, field);
    Val v;
    if (!check__constant_expr(c, e, NULL, "an alarm's time", &v)) {
        a->wrong = true;
        return false;
    }
    if (v.type.kind != IR_DURATION) {
        Diagnostic *d = WRONG(a, DIAG_R008, e->span, "`%s` is a duration: %s", fields[field].name,
                              fields[field].usage);
        if (e->kind == AST_NUMBER && !e->as.number.unit)
            fix(a, d, e->span, check__text(c, "%.*ss", STR_ARG(e->as.number.text)));
        return false;
    }
    int64_t ns = v.imm.integer, day = (int64_t)86400 * 1000000000;
    if (ns < 0 || ns > day || ns % 1000000 || (!ns && !zero)) {
        WRONG(a, DIAG_R008, e->span, "`%s` is %s, in whole milliseconds", fields[field].name,
              zero ? "0s to 1d" : "more than 0s and at most 1d");
        return false;
    }
    *ret_ms = ns / 1000000;
    return true;
}

static void put_span(Alarm *a, int field, const char *name, bool zero)
{
    int64_t ms;
    if (a->given[field] && read_span(a, field, zero, &ms) && (ms || !zero))
        json_field_int(a->json, name, ms);
}

static void put_word(Alarm *a, const AstExpr *e)
{
    Check *c = a->c;
    bool named = a->type && a->type->kind == IR_ENUM;
    Type plain = {.kind = IR_STR}; /* of a field: without what says where it may be missing */
    Val v;
    Str text;
    if (named) {
        plain = *a->type;
        plain.optional = false;
    }
    if (!named && e->kind == AST_NAME && !check__const(c, e->as.name)) {
        Diagnostic *d = WRONG(a, DIAG_R008, e->span, "`%.*s` is no constant; a text has quotes",
                              STR_ARG(e->as.name));
        fix(a, d, e->span, check__text(c, "\"%.*s\"", STR_ARG(e->as.name)));
        return;
    }
    if (!check__constant_expr(c, e, named && e->kind == AST_NAME ? &plain : NULL,
                              "what an alarm's value is", &v)) {
        a->wrong = true;
        return;
    }
    bool text_field = named || (a->type && a->type->kind == IR_STR);
    bool is_text = v.type.kind == IR_STR || v.type.kind == IR_ENUM,
         is_bool = v.type.kind == IR_BOOL;
    bool fits = is_text || is_bool || type_is_number(v.type.kind);
    if (fits && a->type)
        fits = is_text   ? text_field
               : is_bool ? a->type->kind == IR_BOOL
                         : type_is_number(a->type->kind);
    if (!fits || v.type.null) {
        WRONG(a, DIAG_R008, e->span, "`is` holds texts, numbers, true and false%s",
              a->type ? ", of the field's type" : "");
        return;
    }
    if (is_bool) {
        json_put_bool(a->json, v.imm.boolean);
    } else if (!is_text) {
        double number = check__val_number(&v);
        if (!a->type || convert(a, &v, a->type->unit, false, &number))
            json_put_number(a->json, number);
    } else if (check__constant_text(c, &v, &text)) {
        if (text.len > TEXT_BYTES_MAX)
            WRONG(a, DIAG_R008, e->span, "a text has at most %d bytes", TEXT_BYTES_MAX);
        json_put_str(a->json, text);
    }
}

static void put_words(Alarm *a)
{
    const AstExpr *e = value_of(a, FIELD_is);
    uint32_t count = 0;
    json_key(a->json, "is");
    json_begin_array(a->json);
    if (e->kind != AST_LIST) {
        put_word(a, e);
        count++;
    } else {
        for (const AstExpr *word = e->as.items; word; word = word->next, count++)
            if (count < WORDS_MAX) put_word(a, word);
    }
    json_end(a->json);
    if (!count || count > WORDS_MAX)
        WRONG(a, DIAG_R008, e->span, "`is` holds 1 to %d values", WORDS_MAX);
}

/* One of some words, written bare. */
static bool read_choice(Alarm *a, int field, const char *const *list, size_t count,
                        const char **ret_word)
{
    Check *c = a->c;
    const AstExpr *e = value_of(a, field);
    Str word = STR_NONE, best = STR_NONE;
    uint32_t distance = UINT32_MAX;
    bool quoted = ast_string_text(e, &word);
    if (e->kind == AST_NAME) word = e->as.name;
    for (size_t i = 0; i < count; i++) {
        if (str_is(word, list[i])) {
            *ret_word = list[i];
            if (!quoted) return true;
            best = word;
            break;
        }
        if (word.len) diag_suggest(word, str_from(list[i]), &best, &distance);
    }
    Diagnostic *d = WRONG(a, DIAG_R008, e->span, "`%s` is %s, without quotes", fields[field].name,
                          field == FIELD_quality ? "bad" : "critical, high, medium or low");
    check__did_you_mean(c, d, e->span, best);
    return false;
}

static void put_when(Alarm *a)
{
    static const char *const bad[] = {"bad"};
    const char *word;
    json_key(a->json, "when");
    json_begin_object(a->json);
    if (has_limit(a)) put_limit(a);
    if (a->condition == FIELD_is) put_words(a);
    if (a->condition == FIELD_stale) put_span(a, FIELD_stale, "stale_ms", false);
    if (a->condition == FIELD_quality && read_choice(a, FIELD_quality, bad, COUNT_OF(bad), &word))
        json_field_text(a->json, "quality", word);
    if (is_rate(a)) put_span(a, FIELD_within, "within_ms", false);
    put_hysteresis(a);
    put_span(a, FIELD_for, "for_ms", true);
    put_span(a, FIELD_clear, "clear_ms", true);
    json_end(a->json);
}

static void put_rest(Alarm *a)
{
    const char *priority = "medium";
    Str text;
    if (a->given[FIELD_priority])
        (void)read_choice(a, FIELD_priority, priorities, COUNT_OF(priorities), &priority);
    json_field_text(a->json, "priority", priority);
    const AstExpr *latch = value_of(a, FIELD_latch);
    Val v;
    if (latch && !check__constant_expr(a->c, latch, NULL, "`latch`", &v))
        a->wrong = true;
    else if (latch && v.type.kind != IR_BOOL)
        WRONG(a, DIAG_R008, latch->span, "`latch` is true or false");
    else if (latch && v.imm.boolean)
        json_field_bool(a->json, "latch", true);
    for (int i = FIELD_message; i <= FIELD_action; i++)
        if (a->given[i] && read_text(a, i, TEXT_BYTES_MAX, &text) && text.len)
            json_field_str(a->json, fields[i].name, text);
}

/* ---- one alarm ---------------------------------------------------------------------------- */

/* "above 80 [degC], for 5s, priority high" */
static Str in_words(const Alarm *a)
{
    AUTO_BUF Buf out;
    buf_init(&out, RULE_BYTES_MAX);
    for (int i = FIRST_CONDITION; i <= FIELD_latch; i++) {
        if (!a->given[i]) continue;
        Str value = source_text(a->c->file->source, a->given[i]->value->span);
        buf_printf(&out, "%s%s %.*s", out.len ? ", " : "", fields[i].name, STR_ARG(value));
    }
    Str text = arena_str(a->c->arena, buf_view(&out));
    if (!text.ptr) check__leave(a->c, ST_NO_MEMORY);
    return text;
}

static void one_alarm(Check *c, const AstItem *item, const Type *root, IrAlarm *out, bool *ret_fine)
{
    AUTO_BUF Buf rule;
    JsonOut json;
    Alarm a = {.c = c, .item = item, .json = &json};
    Str name = item->name.text, on = STR("");
    buf_init(&rule, RULE_BYTES_MAX);
    json_out_init(&json, &rule);
    if (name.len > NAME_BYTES_MAX) {
        diag_stage_begin(c->diags, item->keyword);
        WRONG(&a, DIAG_R008, item->name.span, "the name of an alarm has at most %d letters",
              NAME_BYTES_MAX);
    }
    gather(&a);
    find_condition(&a);
    check_company(&a);
    if (!(root ? read_field(&a, root, &on) : read_filter(&a, &on))) a.wrong = true;
    json_begin_object(&json);
    json_field_str(&json, "name", name);
    json_field_str(&json, "on", on);
    put_when(&a);
    put_rest(&a);
    json_end(&json);
    diag_stage_end(c->diags);
    if (!a.wrong && buf_status(&rule)) check__leave(c, ST_NO_MEMORY);
    *out = (IrAlarm){.name = name, .on = on, .text = in_words(&a), .span = item->span};
    out->rule = arena_str(c->arena, buf_view(&rule));
    if (!out->rule.ptr) check__leave(c, ST_NO_MEMORY);
    *ret_fine = !a.wrong;
}

void check__alarms(Check *c)
{
    uint32_t cap = 0;
    const Type *root = NULL;
    if (c->schema) {
        const NamedType *type = check__named_type(c, c->schema_root);
        if (!type || type->type.kind == IR_NONE) return;
        root = &type->type;
    }
    for (const AstItem *item = c->file->items; item; item = item->next) {
        const Named *named = item->kind == AST_ITEM_ALARM && !item->broken
                                 ? map_get(&c->scope->alarms, item->name.text)
                                 : NULL;
        IrAlarm alarm;
        bool fine;
        if (!named || named->item != item || !item->as.alarm.fields) continue;
        if (c->program->alarm_count == ALARMS_MAX) {
            diag_error(c->diags, DIAG_T018, item->name.span, "a program has at most %d alarms",
                       ALARMS_MAX);
            return;
        }
        one_alarm(c, item, root, &alarm, &fine);
        if (fine) *PUSH(c, c->program->alarms, c->program->alarm_count, cap) = alarm;
    }
}
