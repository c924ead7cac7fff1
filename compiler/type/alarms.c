/* compiler/type/alarms.c: `alarm NAME { ... }` to a rule as JSON (docs/alarms.md): which fields
 * there are and which go together. What stands behind them is read in alarm_values.c. */
#include "compiler/type/alarms.h"

enum {
    ALARMS_MAX = 1000, /* as many rules as the namespace takes */
    NAME_BYTES_MAX = 63
};

const AlarmFieldInfo alarm_fields[] = {
#define ALARM_FIELD(name, takes, usage, doc) {#name, usage},
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

/* ---- which fields there are --------------------------------------------------------------- */

static void unknown_field(Alarm *a, const AstField *f)
{
    Str word = f->name.text, best = STR_NONE;
    uint32_t distance = UINT32_MAX;
    for (int i = 0; i < FIELD__COUNT; i++)
        diag_suggest(word, str_from(alarm_fields[i].name), &best, &distance);
    for (size_t i = 0; i < COUNT_OF(others); i++)
        if (str_is(word, others[i].word)) best = str_from(alarm_fields[others[i].field].name);
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
                  alarm_fields[FIELD_on].usage);
            continue;
        }
        while (at < FIELD__COUNT && !str_is(f->name.text, alarm_fields[at].name)) at++;
        if (at == FIELD__COUNT) {
            unknown_field(a, f);
        } else if (a->given[at]) {
            Diagnostic *d =
                WRONG(a, DIAG_S005, f->name.span, "`%s` stands here twice", alarm_fields[at].name);
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
        (void)alarm__value_of(a, i);
        Diagnostic *d =
            WRONG(a, DIAG_R006, a->given[i]->span,
                  "an alarm has one condition: write another alarm for `%s`", alarm_fields[i].name);
        diag_note(c->diags, d, a->given[a->condition]->span, "this is one already");
    }
    if (a->condition >= 0 || a->wrong) return;
    diag_stage_begin(c->diags, head);
    Diagnostic *d =
        WRONG(a, DIAG_R006, head, "the alarm `%.*s` has no condition", STR_ARG(a->item->name.text));
    diag_hint(c->diags, d, "one of above, below, rises, falls, is, stale and quality");
}

/* `hysteresis` and `within` go with some conditions only; rates need `within`. */
static void check_company(Alarm *a)
{
    if (a->condition < 0) return;
    const char *condition = alarm_fields[a->condition].name;
    if (a->given[FIELD_hysteresis] && !alarm__has_limit(a)) {
        (void)alarm__value_of(a, FIELD_hysteresis);
        WRONG(a, DIAG_R007, a->given[FIELD_hysteresis]->span,
              "`hysteresis` belongs to a limit, `%s` has none", condition);
    }
    if (a->given[FIELD_within] && !alarm__is_rate(a)) {
        (void)alarm__value_of(a, FIELD_within);
        Diagnostic *d = WRONG(a, DIAG_R007, a->given[FIELD_within]->span,
                              "`within` belongs to `rises` and `falls`, not to `%s`", condition);
        if (!a->given[FIELD_for])
            diag_fix_str(a->c->diags, d, STR_NONE, a->given[FIELD_within]->name.span, STR("for"));
    }
    if (alarm__is_rate(a) && !a->given[FIELD_within]) {
        (void)alarm__value_of(a, a->condition);
        Span at = a->given[a->condition]->span;
        Diagnostic *d =
            WRONG(a, DIAG_R007, at, "`%s` needs the time it is about: within: 1m", condition);
        diag_fix_str(a->c->diags, d, STR_NONE, (Span){at.file, at.end, at.end},
                     STR(", within: 1m"));
    }
}

/* ---- the rule ----------------------------------------------------------------------------- */

static void put_when(Alarm *a)
{
    static const char *const bad[] = {"bad"};
    const char *word;
    json_key(a->json, "when");
    json_begin_object(a->json);
    if (alarm__has_limit(a)) alarm__put_limit(a);
    if (a->condition == FIELD_is) alarm__put_words(a);
    if (a->condition == FIELD_stale) alarm__put_span(a, FIELD_stale, "stale_ms", false);
    if (a->condition == FIELD_quality && alarm__choice(a, FIELD_quality, bad, COUNT_OF(bad), &word))
        json_field_text(a->json, "quality", word);
    if (alarm__is_rate(a)) alarm__put_span(a, FIELD_within, "within_ms", false);
    alarm__put_hysteresis(a);
    alarm__put_span(a, FIELD_for, "for_ms", true);
    alarm__put_span(a, FIELD_clear, "clear_ms", true);
    json_end(a->json);
}

static void put_rest(Alarm *a)
{
    static const char *const priorities[] = {"critical", "high", "medium", "low"};
    const char *priority = "medium";
    Str text;
    if (a->given[FIELD_priority])
        (void)alarm__choice(a, FIELD_priority, priorities, COUNT_OF(priorities), &priority);
    json_field_text(a->json, "priority", priority);
    const AstExpr *latch = alarm__value_of(a, FIELD_latch);
    Val v;
    if (latch && !check__constant_expr(a->c, latch, NULL, "`latch`", &v))
        a->wrong = true;
    else if (latch && v.type.kind != IR_BOOL)
        WRONG(a, DIAG_R008, latch->span, "`latch` is true or false");
    else if (latch && v.imm.boolean)
        json_field_bool(a->json, "latch", true);
    for (int i = FIELD_message; i <= FIELD_action; i++)
        if (a->given[i] && alarm__text(a, i, ALARM_TEXT_BYTES_MAX, &text) && text.len)
            json_field_str(a->json, alarm_fields[i].name, text);
}

/* "above 80 [degC], for 5s, priority high" */
static Str in_words(const Alarm *a)
{
    AUTO_BUF Buf out;
    buf_init(&out, ALARM_RULE_BYTES_MAX);
    for (int i = FIRST_CONDITION; i <= FIELD_latch; i++) {
        if (!a->given[i]) continue;
        Str value = source_text(a->c->file->source, a->given[i]->value->span);
        buf_printf(&out, "%s%s %.*s", out.len ? ", " : "", alarm_fields[i].name, STR_ARG(value));
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
    buf_init(&rule, ALARM_RULE_BYTES_MAX);
    json_out_init(&json, &rule);
    if (name.len > NAME_BYTES_MAX) {
        diag_stage_begin(c->diags, item->keyword);
        WRONG(&a, DIAG_R008, item->name.span, "the name of an alarm has at most %d letters",
              NAME_BYTES_MAX);
    }
    gather(&a);
    find_condition(&a);
    check_company(&a);
    (void)(root ? alarm__field(&a, root, &on) : alarm__filter(&a, &on));
    json_begin_object(&json);
    json_field_str(&json, "name", name);
    json_field_str(&json, "on", on);
    put_when(&a);
    put_rest(&a);
    json_end(&json);
    if (!a.wrong && rule.failed == ST_LIMIT) {
        diag_stage_begin(c->diags, item->keyword);
        WRONG(&a, DIAG_R008, item->name.span, "as a rule the alarm has at most %d bytes of JSON",
              ALARM_RULE_BYTES_MAX);
    }
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
