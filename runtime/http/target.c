/* runtime/http/target.c: request target, path and query to decoded text.
 *
 * The path is decoded once, here, and checked after decoding: a handler never sees "..", a NUL or
 * broken UTF-8, however it was dressed up. Nothing is normalised: what is odd is refused. */
#include "http/head.h"

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool http__decode(Arena *arena, Str text, bool plus, Str *ret_text)
{
    char *out = arena_alloc(arena, text.len + 1);
    size_t len = 0;
    if (!out) return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '%') {
            int high = text.len - i > 2 ? hex_value(text.ptr[i + 1]) : -1;
            int low = text.len - i > 2 ? hex_value(text.ptr[i + 2]) : -1;
            if (high < 0 || low < 0 || (high == 0 && low == 0)) return false;
            c = (char)(high * 16 + low);
            i += 2;
        } else if (plus && c == '+') {
            c = ' ';
        }
        out[len++] = c;
    }
    *ret_text = (Str){out, len};
    return true;
}

static bool path_clean(Str path)
{
    size_t segment = 1; /* behind the first '/' */
    for (size_t i = 1; i <= path.len; i++) {
        if (i < path.len && path.ptr[i] != '/') {
            unsigned char c = (unsigned char)path.ptr[i];
            if (c < 0x20 || c == 0x7f) return false;
            continue;
        }
        Str name = {path.ptr + segment, i - segment};
        if (str_is(name, ".") || str_is(name, "..")) return false;
        segment = i + 1;
    }
    return str_utf8_valid(path);
}

int http__target(Arena *arena, Str target, Str host, Str *ret_path, Str *ret_query)
{
    Str scheme = STR("http://"), secure = STR("https://");
    if (target.len && target.ptr[0] != '/') {
        size_t skip = 0;
        if (target.len > scheme.len && http__same_text((Str){target.ptr, scheme.len}, scheme.ptr))
            skip = scheme.len;
        else if (target.len > secure.len &&
                 http__same_text((Str){target.ptr, secure.len}, secure.ptr))
            skip = secure.len;
        if (!skip) return 400;
        target = str_skip(target, skip);
        ptrdiff_t slash = str_find_char(target, '/');
        size_t len = slash < 0 ? target.len : (size_t)slash;
        Str lower_host = http__lower(arena, host), lower_got = {target.ptr, len};
        lower_got = http__lower(arena, lower_got);
        if (!len || !str_eq(lower_host, lower_got)) return 400;
        target = slash < 0 ? STR("/") : str_skip(target, len);
    }
    if (!target.len || str_find_char(target, '#') >= 0) return 400;
    ptrdiff_t mark = str_find_char(target, '?');
    Str path = {target.ptr, mark < 0 ? target.len : (size_t)mark}, decoded;
    if (!http__decode(arena, path, false, &decoded) || !path_clean(decoded)) return 400;
    *ret_path = decoded;
    *ret_query = mark < 0 ? STR_NONE : str_skip(target, (size_t)mark + 1);
    return 0;
}

Str http_field(const HttpReq *req, const char *name)
{
    for (uint32_t i = 0; i < req->field_count; i++)
        if (http__same_text(req->fields[i].name, name)) return req->fields[i].value;
    return STR_NONE;
}

/* Both with ", " between them; nothing when memory is gone. */
static Str joined(Arena *arena, Str a, Str b)
{
    char *text = arena_alloc(arena, a.len + b.len + 2);
    if (!text) return STR_NONE;
    if (a.len) memcpy(text, a.ptr, a.len);
    memcpy(text + a.len, ", ", 2);
    if (b.len) memcpy(text + a.len + 2, b.ptr, b.len);
    return (Str){text, a.len + b.len + 2};
}

bool http_field_next(const HttpReq *req, uint32_t *at, Str *ret_name, Str *ret_value)
{
    for (uint32_t i = *at; i < req->field_count; i++) {
        Str name = http__lower(req->arena, req->fields[i].name);
        uint32_t before = 0;
        if (!name.ptr) return false;
        while (before < i && !http__same_text(req->fields[before].name, name.ptr)) before++;
        if (before < i) continue; /* it was part of that one */
        *at = i + 1;
        *ret_name = name;
        *ret_value = req->fields[i].value;
        while (++i < req->field_count)
            if (http__same_text(req->fields[i].name, name.ptr))
                *ret_value = joined(req->arena, *ret_value, req->fields[i].value);
        return true;
    }
    return false;
}

Str http_cookie(const HttpReq *req, const char *name)
{
    for (uint32_t i = 0; i < req->field_count; i++) {
        if (!http__same_text(req->fields[i].name, "cookie")) continue;
        Str rest = req->fields[i].value;
        while (rest.len) {
            ptrdiff_t semicolon = str_find_char(rest, ';');
            size_t len = semicolon < 0 ? rest.len : (size_t)semicolon;
            Str pair = str_trim((Str){rest.ptr, len});
            ptrdiff_t equals = str_find_char(pair, '=');
            if (equals > 0 && str_is((Str){pair.ptr, (size_t)equals}, name))
                return str_skip(pair, (size_t)equals + 1);
            rest = str_skip(rest, semicolon < 0 ? len : len + 1);
        }
    }
    return STR_NONE;
}

bool http_query_next(const HttpReq *req, size_t *at, Str *ret_name, Str *ret_value, bool *ret_bad)
{
    Str rest = str_skip(req->query, *at);
    while (rest.len && rest.ptr[0] == '&') rest = str_skip(rest, 1);
    if (!rest.len) return false;
    ptrdiff_t end = str_find_char(rest, '&');
    Str pair = {rest.ptr, end < 0 ? rest.len : (size_t)end};
    *at = (size_t)(pair.ptr + pair.len - req->query.ptr);
    ptrdiff_t equals = str_find_char(pair, '=');
    Str name = {pair.ptr, equals < 0 ? pair.len : (size_t)equals};
    Str value = equals < 0 ? STR_NONE : str_skip(pair, (size_t)equals + 1);
    if (!http__decode(req->arena, name, true, ret_name) ||
        !http__decode(req->arena, value, true, ret_value) || !str_utf8_valid(*ret_name) ||
        !str_utf8_valid(*ret_value)) {
        *ret_bad = true;
        return false;
    }
    return true;
}

bool http_query(const HttpReq *req, const char *name, Str *ret_value)
{
    size_t at = 0;
    bool bad = false;
    Str key, value;
    while (http_query_next(req, &at, &key, &value, &bad)) {
        if (!str_is(key, name)) continue;
        *ret_value = value;
        return true;
    }
    return false;
}
