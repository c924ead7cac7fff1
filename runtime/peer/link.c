/* runtime/peer/link.c: settings of connections, and the environment. */
#include "peer/link.h"

#include <stdlib.h>

enum { TEXT_MAX = 8192, NAME_MAX_BYTES = 200 };

Status peer_expand(Str text, Buf *out, Diag *diag)
{
    while (text.len) {
        ptrdiff_t at = str_find(text, STR("${"));
        Str rest = at < 0 ? STR_NONE : str_skip(text, (size_t)at + 2);
        ptrdiff_t end = at < 0 ? -1 : str_find_char(rest, '}');
        if (end < 0) {
            buf_str(out, text);
            break;
        }
        char name[NAME_MAX_BYTES];
        if ((size_t)end >= sizeof name)
            return diag_set(diag, ST_INVALID, "the name of an environment variable is too long");
        buf_add(out, text.ptr, (size_t)at);
        memcpy(name, rest.ptr, (size_t)end);
        name[end] = 0;
        const char *value = getenv(name);
        if (!value)
            return diag_set(diag, ST_INVALID, "the environment variable %s is not set", name);
        buf_text(out, value);
        text = str_skip(rest, (size_t)end + 1);
    }
    return buf_status(out);
}

MUST static Status fill_in(Arena *arena, Str text, const char **ret_text, Diag *diag)
{
    AUTO_BUF Buf buf;
    buf_init(&buf, TEXT_MAX);
    Status st = peer_expand(text, &buf, diag);
    if (st) return st == ST_LIMIT ? diag_set(diag, st, "a setting is too long") : st;
    if (buf.len && memchr(buf.ptr, 0, buf.len))
        return diag_set(diag, ST_INVALID, "a setting holds a NUL byte");
    *ret_text = arena_str(arena, buf_view(&buf)).ptr;
    return *ret_text ? ST_OK : diag_set(diag, ST_NO_MEMORY, "out of memory");
}

MUST static Status make(PeerLink *link, Str name, Str url, Diag *diag)
{
    Status st = fill_in(link->arena, url, &link->url, diag);
    Str copy = arena_str(link->arena, name);
    link->name = copy.ptr ? copy.ptr : "";
    if (st) return name.len ? diag_wrap(diag, st, "connection %s", link->name) : st;
    return ST_OK;
}

Status peer_link_make(const char *name, const char *url, const char *options, PeerLink *ret_link,
                      Diag *diag)
{
    PeerLink link = {.arena = arena_new(0, 1 << 20)};
    Str text = link.arena ? arena_str(link.arena, str_from(options)) : STR_NONE;
    if (!link.arena || !text.ptr) {
        peer_link_done(&link);
        return diag_set(diag, ST_NO_MEMORY, "out of memory");
    }
    if (text.len && json_read(link.arena, text, &link.options, NULL)) link.options = NULL;
    Status st = make(&link, str_from(name), str_from(url), diag);
    if (st)
        peer_link_done(&link);
    else
        *ret_link = link;
    return st;
}

Status peer_link_read(Str json, PeerLink *ret_link, Diag *diag)
{
    PeerLink link = {.arena = arena_new(0, 1 << 20)};
    const Json *whole = NULL;
    Str text = link.arena ? arena_str(link.arena, json) : STR_NONE;
    if (!text.ptr || json_read(link.arena, text, &whole, NULL)) {
        peer_link_done(&link);
        return diag_set(diag, ST_INVALID, "a connection that cannot be read");
    }
    link.options = json_get(whole, "options");
    Status st =
        make(&link, json_str(whole, "name", STR("")), json_str(whole, "url", STR("")), diag);
    if (st)
        peer_link_done(&link);
    else
        *ret_link = link;
    return st;
}

void peer_link_done(PeerLink *link)
{
    arena_free(link->arena);
    *link = (PeerLink){0};
}

Status peer_link_text(const PeerLink *link, const char *name, const char **ret_text, Diag *diag)
{
    const Json *option = json_get(link->options, name);
    *ret_text = NULL;
    if (!option || option->type != JSON_STRING) return ST_OK;
    Status st = fill_in(link->arena, option->text, ret_text, diag);
    return st ? diag_wrap(diag, st, "connection %s: %s", link->name, name) : ST_OK;
}
