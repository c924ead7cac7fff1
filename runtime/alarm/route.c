/* runtime/alarm/route.c: routes as JSON. The form is in docs/alarms.md. */
#include "alarm/alarm_int.h"
#include "alarm/notify.h"

static const char *const news_names[] = {"raised",   "cleared",    "acknowledged",   "reset",
                                         "shelved",  "suppressed", "out-of-service", "restored",
                                         "repeated", "escalated"};
_Static_assert(COUNT_OF(news_names) == ALARM_NEWS__COUNT, "one name per kind of news");

enum { SPAN_MS_MAX = ALARM_SPAN_MS_MAX * 7 };
#define ALL_PRIORITIES                                                                             \
    (1u << ALARM_CRITICAL | 1u << ALARM_HIGH | 1u << ALARM_MEDIUM | 1u << ALARM_LOW)

const char *alarm_news_name(AlarmNews news)
{
    return news_names[news];
}

static bool is_aside(AlarmState state)
{
    return state == ALARM_SHELVED || state == ALARM_SUPPRESSED || state == ALARM_OUT_OF_SERVICE;
}

AlarmNews alarm_news_of(AlarmState from, AlarmState to)
{
    if (from == to) return ALARM_NEWS_NONE;
    switch (to) {
    case ALARM_UNACKED: return ALARM_NEWS_RAISED;
    case ALARM_SHELVED: return ALARM_NEWS_SHELVED;
    case ALARM_SUPPRESSED: return ALARM_NEWS_SUPPRESSED;
    case ALARM_OUT_OF_SERVICE: return ALARM_NEWS_OUT_OF_SERVICE;
    default: break;
    }
    if (is_aside(from)) return ALARM_NEWS_RESTORED;
    bool there = from == ALARM_UNACKED || from == ALARM_ACKED;
    if (there && to != ALARM_ACKED) return ALARM_NEWS_CLEARED;
    return from == ALARM_LATCHED_ACKED ? ALARM_NEWS_RESET : ALARM_NEWS_ACKNOWLEDGED;
}

/* ---- reading ---- */

typedef struct Reader {
    Arena *arena;
    AlarmRoute *route;
    Diag *diag;
} Reader;

static Status copy(const Reader *in, Str text, Str *ret)
{
    *ret = arena_str(in->arena, text);
    return ret->ptr ? ST_OK : diag_set(in->diag, ST_NO_MEMORY, "no memory for a route");
}

static Status read_text(const Reader *in, const Json *json, const char *name, size_t max, Str *ret)
{
    const Json *text = json_get(json, name);
    if (!text || text->type == JSON_NULL) return ST_OK;
    if (text->type != JSON_STRING) return diag_set(in->diag, ST_INVALID, "%s is not a text", name);
    if (text->text.len > max)
        return diag_set(in->diag, ST_INVALID, "%s is longer than %zu bytes", name, max);
    return copy(in, text->text, ret);
}

/* A list of texts; the field may be missing. */
static Status read_list(const Reader *in, const Json *json, const char *name, size_t max,
                        Str *ret_list, uint32_t *ret_count)
{
    const Json *list = json_get(json, name);
    Status st = ST_OK;
    *ret_count = 0;
    if (!list || list->type == JSON_NULL) return ST_OK;
    if (list->type != JSON_ARRAY || list->count > max)
        return diag_set(in->diag, ST_INVALID, "%s is not a list of at most %zu texts", name, max);
    for (const Json *each = list->first; each && !st; each = each->next) {
        if (each->type != JSON_STRING || !each->text.len || each->text.len > ALARM_NAME_BYTES_MAX)
            return diag_set(in->diag, ST_INVALID,
                            "%s holds something that is not a text of 1 to"
                            " %d bytes",
                            name, ALARM_NAME_BYTES_MAX);
        st = copy(in, each->text, &ret_list[(*ret_count)++]);
    }
    return st;
}

static Status read_priorities(const Reader *in, const Json *json)
{
    Str list[ALARM_LOW];
    uint32_t count;
    AlarmPriority priority;
    Status st = read_list(in, json, "priorities", COUNT_OF(list), list, &count);
    in->route->priorities = 0;
    for (uint32_t i = 0; i < count && !st; i++) {
        if (!alarm_priority_read(list[i], &priority))
            return diag_set(in->diag, ST_INVALID,
                            "priorities holds \"%.*s\", which is not critical, high, medium or low",
                            STR_ARG(list[i]));
        in->route->priorities |= 1u << priority;
    }
    if (!st && !count) in->route->priorities = ALL_PRIORITIES;
    return st;
}

static Status read_when(const Reader *in, const Json *json)
{
    Str list[ALARM_NEWS_REPEATED];
    uint32_t count;
    Status st = read_list(in, json, "when", COUNT_OF(list), list, &count);
    in->route->when = 0;
    for (uint32_t i = 0; i < count && !st; i++) {
        uint32_t at = 0;
        while (at < ALARM_NEWS_REPEATED && !str_is(list[i], news_names[at])) at++;
        if (at == ALARM_NEWS_REPEATED)
            return diag_set(in->diag, ST_INVALID,
                            "when holds \"%.*s\", which is not raised, cleared, acknowledged,"
                            " reset, shelved, suppressed, out-of-service or restored",
                            STR_ARG(list[i]));
        in->route->when |= 1u << at;
    }
    if (!st && !count) in->route->when = 1u << ALARM_NEWS_RAISED;
    return st;
}

static Status read_span(const Reader *in, const Json *json, const char *name, int64_t max,
                        int64_t *ret)
{
    const Json *span = json_get(json, name);
    if (!span || span->type == JSON_NULL) return ST_OK;
    if (span->type != JSON_INT || span->integer < 0 || span->integer > max)
        return diag_set(in->diag, ST_INVALID, "%s is not a whole number from 0 to %lld", name,
                        (long long)max);
    *ret = span->integer;
    return ST_OK;
}

static Status read_times(const Reader *in, const Json *json)
{
    AlarmRoute *route = in->route;
    int64_t repeats = ALARM_REPEATS_PRESET;
    Status st = read_span(in, json, "delay_ms", ALARM_SPAN_MS_MAX, &route->delay_ms);
    if (!st) st = read_span(in, json, "repeat_ms", SPAN_MS_MAX, &route->repeat_ms);
    if (!st) st = read_span(in, json, "repeat_max", ALARM_REPEATS_MAX, &repeats);
    if (!st) st = read_span(in, json, "escalate_ms", SPAN_MS_MAX, &route->escalate_ms);
    if (!st) st = read_text(in, json, "escalate_to", ALARM_NAME_BYTES_MAX, &route->escalate_to);
    route->repeat_max = (uint32_t)repeats;
    if (!st && route->escalate_ms && !route->escalate_to.len)
        st = diag_set(in->diag, ST_INVALID,
                      "escalate_to is missing: the target that is told"
                      " after escalate_ms");
    if (!st && !route->escalate_ms && route->escalate_to.len)
        st = diag_set(in->diag, ST_INVALID,
                      "escalate_ms is missing: after how long escalate_to"
                      " is told");
    bool raised = route->when & 1u << ALARM_NEWS_RAISED;
    if (!st && !raised && (route->delay_ms || route->repeat_ms || route->escalate_ms))
        st = diag_set(in->diag, ST_INVALID,
                      "when does not hold raised: delay, repeat and escalate"
                      " are about that");
    return st;
}

static Status check_fields(const Reader *in, const Json *json)
{
    static const char *const fields[] = {"name",       "on",          "alarms",      "priorities",
                                         "when",       "to",          "delay_ms",    "repeat_ms",
                                         "repeat_max", "escalate_ms", "escalate_to", "off"};
    if (!json || json->type != JSON_OBJECT)
        return diag_set(in->diag, ST_INVALID, "a route is an object with name, on and to");
    for (const Json *each = json->first; each; each = each->next) {
        size_t at = 0;
        while (at < COUNT_OF(fields) && !str_is(each->key, fields[at])) at++;
        if (at == COUNT_OF(fields))
            return diag_set(in->diag, ST_INVALID, "a route has no field %.*s", STR_ARG(each->key));
    }
    return ST_OK;
}

Status alarm_route_read(Arena *arena, const Json *json, AlarmRoute *ret_route, Diag *diag)
{
    AlarmRoute route = {0};
    const Reader in = {arena, &route, diag};
    Status st = check_fields(&in, json);
    if (!st) st = read_text(&in, json, "name", ALARM_NAME_BYTES_MAX, &route.name);
    if (!st && !alarm_name_valid(route.name))
        st = diag_set(diag, ST_INVALID,
                      "name is not a word of at most %d letters, digits, _ . and -",
                      ALARM_NAME_BYTES_MAX);
    if (!st) st = read_text(&in, json, "on", 1024, &route.on);
    if (!st && !route.on.len) st = copy(&in, STR("#"), &route.on);
    if (!st)
        st = read_list(&in, json, "alarms", ALARM_ROUTE_NAMES_MAX, route.names, &route.name_count);
    if (!st) st = read_priorities(&in, json);
    if (!st) st = read_when(&in, json);
    if (!st) st = read_list(&in, json, "to", ALARM_ROUTE_TARGETS_MAX, route.to, &route.to_count);
    if (!st && !route.to_count) st = diag_set(diag, ST_INVALID, "to holds no target");
    if (!st) st = read_times(&in, json);
    const Json *off = json_get(json, "off");
    if (!st && off && off->type > JSON_TRUE)
        st = diag_set(diag, ST_INVALID, "off is not true or false");
    route.off = json_bool(json, "off", false);
    if (!st) *ret_route = route;
    return st;
}

/* ---- writing ---- */

static void write_list(JsonOut *out, const char *name, const Str *list, uint32_t count)
{
    json_key(out, name);
    json_begin_array(out);
    for (uint32_t i = 0; i < count; i++) json_put_str(out, list[i]);
    json_end(out);
}

void alarm_route_write(const AlarmRoute *route, JsonOut *out)
{
    json_begin_object(out);
    json_field_str(out, "name", route->name);
    json_field_str(out, "on", route->on);
    if (route->name_count) write_list(out, "alarms", route->names, route->name_count);
    json_key(out, "priorities");
    json_begin_array(out);
    for (AlarmPriority each = ALARM_CRITICAL; each <= ALARM_LOW; each++)
        if (route->priorities & 1u << each) json_put_text(out, alarm_priority_name(each));
    json_end(out);
    json_key(out, "when");
    json_begin_array(out);
    for (uint32_t each = 0; each < ALARM_NEWS_REPEATED; each++)
        if (route->when & 1u << each) json_put_text(out, news_names[each]);
    json_end(out);
    write_list(out, "to", route->to, route->to_count);
    if (route->delay_ms) json_field_int(out, "delay_ms", route->delay_ms);
    if (route->repeat_ms) json_field_int(out, "repeat_ms", route->repeat_ms);
    if (route->repeat_ms) json_field_int(out, "repeat_max", route->repeat_max);
    if (route->escalate_ms) json_field_int(out, "escalate_ms", route->escalate_ms);
    if (route->escalate_to.len) json_field_str(out, "escalate_to", route->escalate_to);
    if (route->off) json_field_bool(out, "off", true);
    json_end(out);
}
