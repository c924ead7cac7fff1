/* runtime/sparkplug/topic.c: topics, STATE and paths; see topic.h. */
#include "sparkplug/topic.h"

#include "base/json.h"

static const char *const kinds[] = {
    [SP_NBIRTH] = "NBIRTH", [SP_NDEATH] = "NDEATH", [SP_DBIRTH] = "DBIRTH", [SP_DDEATH] = "DDEATH",
    [SP_NDATA] = "NDATA",   [SP_DDATA] = "DDATA",   [SP_NCMD] = "NCMD",     [SP_DCMD] = "DCMD",
};

bool sp_id_valid(Str id)
{
    if (!id.len || id.len > SP_ID_BYTES_MAX || !str_utf8_valid(id)) return false;
    for (size_t i = 0; i < id.len; i++)
        if (id.ptr[i] == '+' || id.ptr[i] == '/' || id.ptr[i] == '#' || (uint8_t)id.ptr[i] < 32)
            return false;
    return true;
}

static Str level(Str *rest)
{
    ptrdiff_t at = str_find_char(*rest, '/');
    Str first = at < 0 ? *rest : str_slice(rest->ptr, (size_t)at);
    *rest = at < 0 ? STR_NONE : str_skip(*rest, (size_t)at + 1);
    return first;
}

SpTopic sp_topic_read(Str topic)
{
    SpTopic is = {SP_NOT, STR_NONE, STR_NONE, STR_NONE};
    Str levels[5], rest = topic;
    uint32_t count = 0;
    bool more = true;
    while (more && count < COUNT_OF(levels)) {
        more = str_find_char(rest, '/') >= 0;
        levels[count++] = level(&rest);
    }
    if (more || count < 3 || !str_is(levels[0], "spBv1.0")) return is;
    for (uint32_t i = 1; i < count; i++)
        if (!sp_id_valid(levels[i])) return is;
    if (count == 3) {
        if (str_is(levels[1], "STATE")) return (SpTopic){SP_STATE, STR_NONE, levels[2], STR_NONE};
        return is;
    }
    for (SpKind kind = SP_NBIRTH; kind <= SP_DCMD; kind++) {
        bool device = kinds[kind][0] == 'D';
        if (!str_is(levels[2], kinds[kind]) || count != (device ? 5u : 4u)) continue;
        return (SpTopic){kind, levels[1], levels[3], device ? levels[4] : STR_NONE};
    }
    return is;
}

void sp_topic_put(Buf *out, SpKind kind, Str group, Str node, Str device)
{
    buf_text(out, "spBv1.0/");
    if (kind == SP_STATE) {
        buf_text(out, "STATE/");
        buf_str(out, node);
        return;
    }
    buf_str(out, group);
    buf_char(out, '/');
    buf_text(out, kinds[kind]);
    buf_char(out, '/');
    buf_str(out, node);
    if (!device.len) return;
    buf_char(out, '/');
    buf_str(out, device);
}

bool sp_state_read(Arena *arena, Str payload, bool *ret_online, int64_t *ret_ts_ms)
{
    const Json *json;
    if (payload.len > 4096 || json_read(arena, payload, &json, NULL)) return false;
    const Json *online = json_get(json, "online"), *ts = json_get(json, "timestamp");
    if (!online || (online->type != JSON_TRUE && online->type != JSON_FALSE)) return false;
    if (!ts || ts->type != JSON_INT) return false;
    *ret_online = online->type == JSON_TRUE;
    *ret_ts_ms = ts->integer;
    return true;
}

void sp_state_put(Buf *out, bool online, int64_t ts_ms)
{
    buf_text(out, online ? "{\"online\":true,\"timestamp\":" : "{\"online\":false,\"timestamp\":");
    buf_i64(out, ts_ms);
    buf_char(out, '}');
}

/* ---- paths ---- */

typedef struct Path {
    char *ptr;
    size_t len;
    bool full;
} Path;

static void add_level(Path *path, Str name)
{
    if (!name.len || path->full) return;
    if (path->len + 1 + name.len > SP_PATH_BYTES_MAX) {
        path->full = true;
        return;
    }
    if (path->len) path->ptr[path->len++] = '/';
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool odd = c == '+' || c == '#' || (uint8_t)c < 32 || c == 127;
        path->ptr[path->len] = odd || (c == '$' && !path->len) ? '_' : c;
        path->len++;
    }
}

static void add_levels(Path *path, Str names)
{
    while (names.len) add_level(path, level(&names));
}

bool sp_path(char *room, Str prefix, Str group, Str node, Str device, Str metric, Str *ret_path)
{
    Path path = {room, 0, false};
    add_levels(&path, prefix);
    add_level(&path, group);
    add_level(&path, node);
    add_level(&path, device);
    add_levels(&path, metric);
    *ret_path = str_slice(path.ptr, path.len);
    return !path.full;
}
