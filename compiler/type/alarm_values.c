/* compiler/type/alarm_values.c: what stands behind the fields of an alarm; see alarms.h.
 *
 * Every field is a constant. A limit's number is compared with what is published, so it goes into
 * the rule as it was written: its unit says what the publisher's is. What has a second unit beside
 * it is converted: `hysteresis` to the unit of its limit, and in a schema, where the field has a
 * unit of its own, the limit to that. In a schema (Check.schema) `on` names a field of the type,
 * or stands nowhere where the type is a single value. */
#include "compiler/type/alarms.h"

enum { WORDS_MAX = 32 };

const AstExpr *alarm__value_of(Alarm *a, int field)
{
    const AstField *given = a->given[field];
    if (given) diag_stage_begin(a->c->diags, given->span);
    return given ? given->value : NULL;
}

/* ---- texts -------------------------------------------------------------------------------- */

static const char *const placeholders[] = {"path", "name", "value"};

static bool is_placeholder(const AstExpr *e)
{
    for (size_t i = 0; i < COUNT_OF(placeholders) && e->kind == AST_NAME; i++)
        if (str_is(e->as.name, placeholders[i])) return true;
    return false;
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
        for (size_t i = 0; i < COUNT_OF(placeholders); i++)
            diag_suggest(e->as.name, str_from(placeholders[i]), &best, &distance);
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

bool alarm__text(Alarm *a, int field, size_t max, Str *ret_text)
{
    Check *c = a->c;
    const AstExpr *e = alarm__value_of(a, field);
    bool message = field == FIELD_message, fine = true;
    AUTO_BUF Buf out;
    buf_init(&out, ALARM_RULE_BYTES_MAX);
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
            WRONG(a, DIAG_R008, e->span, "`%s` is a text: %s", alarm_fields[field].name,
                  alarm_fields[field].usage);
            return false;
        }
        buf_str(&out, v.imm.text);
    }
    if (out.len > max || out.failed) {
        WRONG(a, DIAG_R008, e->span, "`%s` has at most %zu bytes", alarm_fields[field].name, max);
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

bool alarm__filter(Alarm *a, Str *ret_on)
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
    if (!alarm__text(a, FIELD_on, ALARM_FILTER_BYTES_MAX, ret_on)) return false;
    if (is_filter(*ret_on)) return true;
    Diagnostic *d =
        WRONG(a, DIAG_R005, a->given[FIELD_on]->value->span, "this is no path and no filter");
    diag_hint(c->diags, d, "levels between /; + is one whole level, # any number of them");
    return false;
}

bool alarm__field(Alarm *a, const Type *root, Str *ret_on)
{
    Check *c = a->c;
    bool record = root->kind == IR_RECORD && !root->record->tag;
    *ret_on = STR("");
    if (!record) {
        a->type = check__is_tag(root) ? &record_find(root->record, STR("value"))->type : root;
        if (!a->given[FIELD_on]) return true;
        (void)alarm__value_of(a, FIELD_on);
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
    if (!alarm__text(a, FIELD_on, ALARM_FILTER_BYTES_MAX, ret_on)) return false;
    const RecordField *field = record_find(root->record, *ret_on);
    Span at = a->given[FIELD_on]->value->span;
    if (!field) {
        Str best = STR_NONE;
        uint32_t distance = UINT32_MAX;
        for (uint32_t i = 0; i < root->record->count; i++)
            diag_suggest(*ret_on, root->record->fields[i].name, &best, &distance);
        Diagnostic *d = WRONG(a, DIAG_R005, at, "the schema has no field `%.*s`", STR_ARG(*ret_on));
        if (best.len)
            diag_fix_str(a->c->diags, d, STR_NONE, at, check__text(c, "\"%.*s\"", STR_ARG(best)));
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
    if (step) from = check__step_unit(c, from), to = check__step_unit(c, to);
    unit_conversion(from, to, &factor, &offset);
    *number = *number * factor + (offset != 0 && !step ? offset : 0);
    return true;
}

static bool read_number(Alarm *a, int field, Val *ret_val, double *ret_number)
{
    Check *c = a->c;
    const AstExpr *e = alarm__value_of(a, field);
    Str text;
    if (e->kind == AST_STRING && ast_string_text(e, &text)) {
        WRONG(a, DIAG_R008, e->span, "`%s` is a number, without quotes: %s",
              alarm_fields[field].name, alarm_fields[field].usage);
        return false;
    }
    if (!check__constant_expr(c, e, NULL, "an alarm's number", ret_val)) {
        a->wrong = true;
        return false;
    }
    if (!type_is_number(ret_val->type.kind)) {
        WRONG(a, DIAG_R008, e->span, "`%s` is a number: %s", alarm_fields[field].name,
              alarm_fields[field].usage);
        return false;
    }
    *ret_number = check__val_number(ret_val);
    return true;
}

void alarm__put_limit(Alarm *a)
{
    Val v;
    double number;
    int field = a->condition;
    if (!read_number(a, field, &v, &number)) return;
    a->unit = v.type.unit;
    if (a->type && !type_is_number(a->type->kind)) {
        WRONG(a, DIAG_R008, a->given[field]->span, "`%s` is about numbers, the field is %.*s",
              alarm_fields[field].name, STR_ARG(type_text(a->c->arena, a->type)));
        return;
    }
    if (a->type) {
        if (!convert(a, &v, a->type->unit, alarm__is_rate(a), &number)) return;
        a->unit = a->type->unit;
    }
    if (alarm__is_rate(a) && !(number > 0)) {
        WRONG(a, DIAG_R008, v.span, "`%s` is more than 0: how far the value moves",
              alarm_fields[field].name);
        return;
    }
    json_field_number(a->json, alarm_fields[field].name, number);
}

void alarm__put_hysteresis(Alarm *a)
{
    Val v;
    double number;
    if (!a->given[FIELD_hysteresis] || !alarm__has_limit(a)) return;
    if (!read_number(a, FIELD_hysteresis, &v, &number)) return;
    if (!convert(a, &v, a->unit, true, &number)) return;
    const AstExpr *e = a->given[FIELD_hysteresis]->value;
    if (number < 0) {
        Diagnostic *d = WRONG(a, DIAG_R008, e->span, "`hysteresis` is a distance: not less than 0");
        if (e->kind == AST_UNARY)
            diag_fix_str(a->c->diags, d, STR_NONE, e->span,
                         source_text(a->c->file->source, e->as.op.a->span));
        return;
    }
    if (number > 0) json_field_number(a->json, "hysteresis", number);
}

/* ---- the other values --------------------------------------------------------------------- */

static bool read_span(Alarm *a, int field, bool zero, int64_t *ret_ms)
{
    Check *c = a->c;
    const AstExpr *e = alarm__value_of(a, field);
    Val v;
    if (!check__constant_expr(c, e, NULL, "an alarm's time", &v)) {
        a->wrong = true;
        return false;
    }
    if (v.type.kind != IR_DURATION) {
        Diagnostic *d = WRONG(a, DIAG_R008, e->span, "`%s` is a duration: %s",
                              alarm_fields[field].name, alarm_fields[field].usage);
        if (e->kind == AST_NUMBER && !e->as.number.unit)
            diag_fix_str(a->c->diags, d, STR_NONE, e->span,
                         check__text(c, "%.*ss", STR_ARG(e->as.number.text)));
        return false;
    }
    int64_t ns = v.imm.integer, day = (int64_t)86400 * 1000000000;
    if (ns < 0 || ns > day || ns % 1000000 || (!ns && !zero)) {
        WRONG(a, DIAG_R008, e->span, "`%s` is %s, in whole milliseconds", alarm_fields[field].name,
              zero ? "0s to 1d" : "more than 0s and at most 1d");
        return false;
    }
    *ret_ms = ns / 1000000;
    return true;
}

void alarm__put_span(Alarm *a, int field, const char *name, bool zero)
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
        diag_fix_str(a->c->diags, d, STR_NONE, e->span,
                     check__text(c, "\"%.*s\"", STR_ARG(e->as.name)));
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
        if (text.len > ALARM_TEXT_BYTES_MAX)
            WRONG(a, DIAG_R008, e->span, "a text has at most %d bytes", ALARM_TEXT_BYTES_MAX);
        json_put_str(a->json, text);
    }
}

void alarm__put_words(Alarm *a)
{
    const AstExpr *e = alarm__value_of(a, FIELD_is);
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

bool alarm__choice(Alarm *a, int field, const char *const *list, size_t count,
                   const char **ret_word)
{
    Check *c = a->c;
    const AstExpr *e = alarm__value_of(a, field);
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
    Diagnostic *d =
        WRONG(a, DIAG_R008, e->span, "`%s` is %s, without quotes", alarm_fields[field].name,
              field == FIELD_quality ? "bad" : "critical, high, medium or low");
    check__did_you_mean(c, d, e->span, best);
    return false;
}
