/* runtime/modules/uns/uns_alarm_on.c: which paths a rule is about.
 *
 * A filter is one of MQTT's, or has names behind its `#`: "acme/#/temp" fits every temp at or below
 * acme. A schema bound to "acme/#" needs that for alarms on its fields; a rule may have several. */
#include "modules/uns/uns_alarm.h"

#include "mqtt/codec.h"

/* The names behind `#/`; empty: there are none, and *ret_head is the whole. */
static Str tail_of(Str filter, Str *ret_head)
{
    *ret_head = filter;
    for (size_t i = 0; i + 1 < filter.len; i++) {
        if (filter.ptr[i] != '#' || filter.ptr[i + 1] != '/') continue;
        ret_head->len = i + 1;
        return str_skip(filter, i + 2);
    }
    return STR("");
}

static bool one_fits(Str filter, Str path)
{
    Str head, tail = tail_of(filter, &head);
    if (!tail.len) return mqtt_topic_match(filter, path);
    if (path.len < tail.len || !str_eq(str_skip(path, path.len - tail.len), tail)) return false;
    if (path.len == tail.len) return head.len == 1; /* "#/temp" fits temp */
    size_t rest = path.len - tail.len - 1;
    return path.ptr[rest] == '/' && mqtt_topic_match(head, str_slice(path.ptr, rest));
}

bool uns__alarm_fits(const AlarmRule *rule, Str path)
{
    Str rest = rule->on, filter;
    while (alarm_on_next(&rest, &filter))
        if (one_fits(filter, path)) return true;
    return false;
}

Status uns__alarm_check_on(const AlarmRule *rule, Diag *diag)
{
    Str rest = rule->on, filter, head;
    while (alarm_on_next(&rest, &filter)) {
        Str tail = tail_of(filter, &head);
        bool names = head.len == filter.len || mqtt_topic_valid(tail);
        if (!mqtt_filter_valid(head) || !names)
            return diag_set(diag, ST_INVALID,
                            "on is not a path or filter, as in \"acme/+/temp\": \"%.*s\"",
                            (int)(filter.len < 200 ? filter.len : 200), filter.ptr);
    }
    return ST_OK;
}
