/* runtime/alarm/rule.c: rules as JSON, and the names of things. The form is in docs/alarms.md. */
#include "alarm/alarm_int.h"
#include "alarm/notify.h"

#include <math.h>

static const char *const state_names[] = {"normal",
                                          "unacknowledged",
                                          "acknowledged",
                                          "returned",
                                          "latched-unacknowledged",
                                          "latched-acknowledged",
                                          "shelved",
                                          "suppressed",
                                          "out-of-service"};
static const char *const act_names[] = {"acknowledge",
                                        "reset",
                                        "shelve",
                                        "unshelve",
                                        "suppress",
                                        "unsuppress",
                                        "remove-from-service",
                                        "return-to-service"};
static const char *const priority_names[] = {"", "critical", "high", "medium", "low"};
static const char *const kind_names[] = {"above", "below",    "rises",  "falls",
                                         "is",    "stale_ms", "quality"};
_Static_assert(COUNT_OF(state_names) == ALARM__STATES, "one name per state");
_Static_assert(COUNT_OF(act_names) == ALARM__ACTS, "one name per act");
_Static_assert(COUNT_OF(kind_names) == ALARM_QUALITY + 1, "one name per kind");

static bool find_name(const char *const *names, size_t count, Str name, uint32_t *ret_at)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!name.len || !str_is(name, names[i])) continue;
        *ret_at = i;
        return true;
    }
    return false;
}

const char *alarm_state_name(AlarmState state)
{
    return state_names[state];
}

const char *alarm_act_name(AlarmAct act)
{
    return act_names[act];
}

const char *alarm_priority_name(AlarmPriority priority)
{
    return priority_names[priority];
}

bool alarm_state_read(Str name, AlarmState *ret_state)
{
    uint32_t at;
    if (!find_name(state_names, COUNT_OF(state_names), name, &at)) return false;
    *ret_state = (AlarmState)at;
    return true;
}

bool alarm_act_read(Str name, AlarmAct *ret_act)
{
    uint32_t at;
    if (!find_name(act_names, COUNT_OF(act_names), name, &at)) return false;
    *ret_act = (AlarmAct)at;
    return true;
}

bool alarm_priority_read(Str name, AlarmPriority *ret_priority)
{
    uint32_t at;
    if (!find_name(priority_names, COUNT_OF(priority_names), name, &at)) return false;
    *ret_priority = (AlarmPriority)at;
    return true;
}

/* ---- reading ---- */

typedef struct Reader {
    Arena *arena;
    AlarmRule *rule;
    Diag *diag;
} Reader;

static bool is_number(const Json *json)
{
    return json && (json->type == JSON_INT || json->type == JSON_NUMBER) && isfinite(json->number);
}

static Status read_number(const Reader *in, const Json *when, const char *name, double *ret_number)
{
    const Json *json = json_get(when, name);
    if (!json) return ST_OK;
    if (!is_number(json)) return diag_set(in->diag, ST_INVALID, "when.%s is not a number", name);
    *ret_number = json->number;
    return ST_OK;
}

static Status read_span(const Reader *in, const Json *when, const char *name, int64_t *ret_ms)
{
    const Json *json = json_get(when, name);
    if (!json) return ST_OK;
    if (json->type != JSON_INT || json->integer < 0 || json->integer > ALARM_SPAN_MS_MAX)
        return diag_set(in->diag, ST_INVALID, "when.%s is not 0 to %d milliseconds", name,
                        ALARM_SPAN_MS_MAX);
    *ret_ms = json->integer;
    return ST_OK;
}

static Status read_text(const Reader *in, const Json *from, const char *name, size_t max, Str *ret)
{
    const Json *json = json_get(from, name);
    if (!json) return ST_OK;
    if (json->type != JSON_STRING) return diag_set(in->diag, ST_INVALID, "%s is not a text", name);
    if (json->text.len > max)
        return diag_set(in->diag, ST_INVALID, "%s is longer than %zu bytes", name, max);
    *ret = arena_str(in->arena, json->text);
    return ret->ptr ? ST_OK : diag_set(in->diag, ST_NO_MEMORY, "no memory for an alarm");
}

/* A word of `is`: text, number, true or false; held as text, and as a number where it is one. */
static Status read_word(const Reader *in, const Json *json)
{
    AlarmRule *rule = in->rule;
    bool scalar = json->type != JSON_ARRAY && json->type != JSON_OBJECT && json->type != JSON_NULL;
    if (!scalar || rule->word_count == ALARM_WORDS_MAX)
        return diag_set(in->diag, ST_INVALID, "when.is holds 1 to %d texts, numbers, true or false",
                        ALARM_WORDS_MAX);
    Str text = json->type == JSON_STRING ? json->text : json->raw;
    if (text.len > ALARM_TEXT_BYTES_MAX)
        return diag_set(in->diag, ST_INVALID, "a word of when.is is longer than %d bytes",
                        ALARM_TEXT_BYTES_MAX);
    rule->words[rule->word_count] = arena_str(in->arena, text);
    rule->numbers[rule->word_count] = is_number(json) ? json->number : (double)NAN;
    if (!rule->words[rule->word_count].ptr)
        return diag_set(in->diag, ST_NO_MEMORY, "no memory for an alarm");
    rule->word_count++;
    return ST_OK;
}

static Status read_words(const Reader *in, const Json *json)
{
    Status st = ST_OK;
    if (json->type != JSON_ARRAY) return read_word(in, json);
    for (const Json *each = json->first; each && !st; each = each->next) st = read_word(in, each);
    if (!st && !in->rule->word_count) st = diag_set(in->diag, ST_INVALID, "when.is holds no word");
    return st;
}

static Status read_condition(const Reader *in, const Json *when, const Json *json)
{
    AlarmRule *rule = in->rule;
    switch (rule->kind) {
    case ALARM_IS: return read_words(in, json);
    case ALARM_QUALITY:
        if (!str_is(json_str(when, "quality", STR_NONE), "bad"))
            return diag_set(in->diag, ST_INVALID, "when.quality can be \"bad\" only");
        return ST_OK;
    case ALARM_STALE: return read_span(in, when, "stale_ms", &rule->span_ms);
    default: return read_number(in, when, kind_names[rule->kind], &rule->limit);
    }
}

/* The fields a condition may have beside its own: which they are depends on its kind. */
static Status check_fields(const Reader *in, const Json *when)
{
    AlarmKind kind = in->rule->kind;
    bool rate = kind == ALARM_RISES || kind == ALARM_FALLS;
    bool limit = rate || kind == ALARM_ABOVE || kind == ALARM_BELOW;
    for (const Json *each = when->first; each; each = each->next) {
        bool known = str_is(each->key, kind_names[kind]) || str_is(each->key, "for_ms") ||
                     str_is(each->key, "clear_ms") || (limit && str_is(each->key, "hysteresis")) ||
                     (rate && str_is(each->key, "within_ms"));
        if (!known)
            return diag_set(in->diag, ST_INVALID, "when.%s does not go with when.%s", each->key.ptr,
                            kind_names[kind]);
    }
    return ST_OK;
}

static Status check_numbers(const Reader *in)
{
    const AlarmRule *rule = in->rule;
    if (rule->hysteresis < 0)
        return diag_set(in->diag, ST_INVALID, "when.hysteresis is less than 0");
    bool rate = rule->kind == ALARM_RISES || rule->kind == ALARM_FALLS;
    if (rate && rule->limit <= 0)
        return diag_set(in->diag, ST_INVALID, "when.%s is not more than 0", kind_names[rule->kind]);
    if (rate && !rule->span_ms)
        return diag_set(in->diag, ST_INVALID, "when.%s needs within_ms: the time it is about",
                        kind_names[rule->kind]);
    if (rule->kind == ALARM_STALE && !rule->span_ms)
        return diag_set(in->diag, ST_INVALID, "when.stale_ms is not more than 0");
    return ST_OK;
}

static Status read_when(const Reader *in, const Json *when)
{
    uint32_t found = 0, at = 0;
    for (uint32_t i = 0; when && i < COUNT_OF(kind_names); i++) {
        if (!json_get(when, kind_names[i])) continue;
        found++;
        at = i;
    }
    if (found != 1)
        return diag_set(in->diag, ST_INVALID,
                        "when needs exactly one of above, below, rises, falls, is, stale_ms and"
                        " quality, as in {\"above\": 80}");
    in->rule->kind = (AlarmKind)at;
    Status st = check_fields(in, when);
    if (!st) st = read_condition(in, when, json_get(when, kind_names[at]));
    if (!st) st = read_number(in, when, "hysteresis", &in->rule->hysteresis);
    if (!st) st = read_span(in, when, "for_ms", &in->rule->for_ms);
    if (!st) st = read_span(in, when, "clear_ms", &in->rule->clear_ms);
    if (!st && at != ALARM_STALE) st = read_span(in, when, "within_ms", &in->rule->span_ms);
    return st ? st : check_numbers(in);
}

bool alarm_on_next(Str *rest, Str *ret_filter)
{
    if (!rest->len) return false;
    ptrdiff_t end = str_find_char(*rest, '\n');
    *ret_filter = end < 0 ? *rest : str_slice(rest->ptr, (size_t)end);
    *rest = str_skip(*rest, end < 0 ? rest->len : (size_t)end + 1);
    return true;
}

static Status add_filter(const Reader *in, const Json *json, Buf *out)
{
    if (json->type != JSON_STRING || !json->text.len || json->text.len > ALARM_FILTER_BYTES_MAX ||
        str_find_char(json->text, '\n') >= 0)
        return diag_set(in->diag, ST_INVALID,
                        "on is not a text of 1 to %d bytes, or a list of them",
                        ALARM_FILTER_BYTES_MAX);
    if (out->len) buf_char(out, '\n');
    buf_str(out, json->text);
    return ST_OK;
}

/* One filter or several; a line each. */
static Status read_on(const Reader *in, const Json *json)
{
    AUTO_BUF Buf out;
    Status st = ST_OK;
    buf_init(&out, ALARM_ON_BYTES_MAX);
    bool list = json && json->type == JSON_ARRAY;
    if (!json || (list && !json->first) || (json->type == JSON_STRING && !json->text.len))
        return diag_set(in->diag, ST_INVALID, "on is missing: the paths, as in \"acme/+/temp\"");
    for (const Json *each = list ? json->first : json; each && !st; each = list ? each->next : NULL)
        st = add_filter(in, each, &out);
    if (st) return st;
    if (buf_status(&out))
        return diag_set(in->diag, ST_LIMIT, "on is longer than %d bytes: a filter fits many paths",
                        ALARM_ON_BYTES_MAX);
    in->rule->on = arena_str(in->arena, buf_view(&out));
    return in->rule->on.ptr ? ST_OK : diag_set(in->diag, ST_NO_MEMORY, "no memory for an alarm");
}

bool alarm_name_valid(Str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!word && !(i && ((c >= '0' && c <= '9') || c == '-' || c == '.'))) return false;
    }
    return name.len && name.len <= ALARM_NAME_BYTES_MAX;
}

static Status read_head(const Reader *in, const Json *json)
{
    AlarmRule *rule = in->rule;
    Str priority = json_str(json, "priority", STR("medium"));
    const Json *latch = json_get(json, "latch");
    Status st = read_text(in, json, "name", 4096, &rule->name);
    if (!st && !alarm_name_valid(rule->name))
        st = diag_set(in->diag, ST_INVALID,
                      "name is not a word of at most %d letters, digits, _ . and -",
                      ALARM_NAME_BYTES_MAX);
    if (!st) st = read_on(in, json_get(json, "on"));
    if (!st && !alarm_priority_read(priority, &rule->priority))
        st = diag_set(in->diag, ST_INVALID, "priority is not critical, high, medium or low");
    if (!st && latch && latch->type != JSON_TRUE && latch->type != JSON_FALSE)
        st = diag_set(in->diag, ST_INVALID, "latch is not true or false");
    rule->latch = json_bool(json, "latch", false);
    if (!st) st = read_text(in, json, "message", ALARM_TEXT_BYTES_MAX, &rule->message);
    return st ? st : read_text(in, json, "action", ALARM_TEXT_BYTES_MAX, &rule->action);
}

Status alarm_rule_read(Arena *arena, const Json *json, AlarmRule *ret_rule, Diag *diag)
{
    static const char *const fields[] = {"name",  "on",      "when",  "priority",
                                         "latch", "message", "action"};
    AlarmRule rule = {0};
    const Reader in = {arena, &rule, diag};
    uint32_t at;
    if (!json || json->type != JSON_OBJECT)
        return diag_set(diag, ST_INVALID, "an alarm is an object with name, on and when");
    for (const Json *each = json->first; each; each = each->next)
        if (!find_name(fields, COUNT_OF(fields), each->key, &at))
            return diag_set(diag, ST_INVALID, "an alarm has no field %.*s", STR_ARG(each->key));
    Status st = read_head(&in, json);
    if (!st) st = read_when(&in, json_get(json, "when"));
    if (!st) *ret_rule = rule;
    return st;
}

/* ---- writing ---- */

static void write_words(const AlarmRule *rule, JsonOut *out)
{
    json_begin_array(out);
    for (uint32_t i = 0; i < rule->word_count; i++) {
        if (isnan(rule->numbers[i]))
            json_put_str(out, rule->words[i]);
        else
            json_put_number(out, rule->numbers[i]);
    }
    json_end(out);
}

static void write_when(const AlarmRule *rule, JsonOut *out)
{
    json_begin_object(out);
    json_key(out, kind_names[rule->kind]);
    switch (rule->kind) {
    case ALARM_IS: write_words(rule, out); break;
    case ALARM_STALE: json_put_int(out, rule->span_ms); break;
    case ALARM_QUALITY: json_put_text(out, "bad"); break;
    default: json_put_number(out, rule->limit); break;
    }
    if (rule->kind == ALARM_RISES || rule->kind == ALARM_FALLS)
        json_field_int(out, "within_ms", rule->span_ms);
    if (rule->hysteresis > 0) json_field_number(out, "hysteresis", rule->hysteresis);
    if (rule->for_ms) json_field_int(out, "for_ms", rule->for_ms);
    if (rule->clear_ms) json_field_int(out, "clear_ms", rule->clear_ms);
    json_end(out);
}

static void write_on(const AlarmRule *rule, JsonOut *out)
{
    Str rest = rule->on, filter;
    if (str_find_char(rule->on, '\n') < 0) {
        json_field_str(out, "on", rule->on);
        return;
    }
    json_key(out, "on");
    json_begin_array(out);
    while (alarm_on_next(&rest, &filter)) json_put_str(out, filter);
    json_end(out);
}

void alarm_rule_write(const AlarmRule *rule, JsonOut *out)
{
    json_begin_object(out);
    json_field_str(out, "name", rule->name);
    write_on(rule, out);
    json_key(out, "when");
    write_when(rule, out);
    json_field_text(out, "priority", alarm_priority_name(rule->priority));
    if (rule->latch) json_field_bool(out, "latch", true);
    if (rule->message.len) json_field_str(out, "message", rule->message);
    if (rule->action.len) json_field_str(out, "action", rule->action);
    json_end(out);
}
