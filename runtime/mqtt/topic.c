/* runtime/mqtt/topic.c: the rules of topic names and topic filters (MQTT 5.0, 4.7 and 4.8). */
#include "mqtt/codec.h"

uint32_t mqtt_levels(Str topic)
{
    uint32_t levels = 1;
    for (size_t i = 0; i < topic.len; i++) levels += topic.ptr[i] == '/';
    return levels;
}

bool mqtt_topic_valid(Str topic)
{
    if (!topic.len || topic.len > 65535) return false;
    for (size_t i = 0; i < topic.len; i++)
        if (topic.ptr[i] == '+' || topic.ptr[i] == '#' || !topic.ptr[i]) return false;
    return str_utf8_valid(topic);
}

bool mqtt_filter_valid(Str filter)
{
    if (!filter.len || filter.len > 65535) return false;
    for (size_t i = 0; i < filter.len; i++) {
        char c = filter.ptr[i];
        if (!c) return false;
        if (c != '+' && c != '#') continue;
        bool starts = i == 0 || filter.ptr[i - 1] == '/';
        bool ends = i + 1 == filter.len || filter.ptr[i + 1] == '/';
        if (!starts || !ends || (c == '#' && i + 1 != filter.len)) return false;
    }
    return str_utf8_valid(filter);
}

bool mqtt_share_split(Str filter, Str *ret_group, Str *ret_filter)
{
    if (!str_starts(filter, STR("$share/"))) {
        *ret_group = (Str){"", 0};
        *ret_filter = filter;
        return true;
    }
    Str rest = str_skip(filter, 7);
    ptrdiff_t slash = str_find_char(rest, '/');
    if (slash <= 0 || (size_t)slash + 1 >= rest.len) return false;
    Str group = str_slice(rest.ptr, (size_t)slash);
    if (str_find_char(group, '+') >= 0 || str_find_char(group, '#') >= 0) return false;
    *ret_group = group;
    *ret_filter = str_skip(rest, (size_t)slash + 1);
    return true;
}

bool mqtt_is_bridge_state(Str topic)
{
    Str name = STR("$SYS/broker/connection/"), last = STR("/state");
    if (!str_starts(topic, name)) return false;
    ptrdiff_t slash = str_find_char(str_skip(topic, name.len), '/');
    return slash > 0 && str_eq(str_skip(topic, name.len + (size_t)slash), last);
}

static Str level_cut(Str *rest, bool *ret_last)
{
    ptrdiff_t slash = str_find_char(*rest, '/');
    *ret_last = slash < 0;
    Str level = slash < 0 ? *rest : str_slice(rest->ptr, (size_t)slash);
    *rest = slash < 0 ? str_skip(*rest, rest->len) : str_skip(*rest, (size_t)slash + 1);
    return level;
}

bool mqtt_topic_match(Str filter, Str topic)
{
    if (topic.len && topic.ptr[0] == '$' && filter.len &&
        (filter.ptr[0] == '+' || filter.ptr[0] == '#'))
        return false;
    bool filter_last = false, topic_last = false;
    while (!filter_last) {
        Str level = level_cut(&filter, &filter_last);
        if (str_eq(level, STR("#"))) return true;
        if (topic_last) return false;
        Str name = level_cut(&topic, &topic_last);
        if (!str_eq(level, STR("+")) && !str_eq(level, name)) return false;
        /* "a/#" also matches "a" itself. */
        if (topic_last && !filter_last && str_eq(filter, STR("#"))) return true;
    }
    return topic_last;
}
