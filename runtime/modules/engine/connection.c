/* runtime/modules/engine/connection.c: what a program says about a connection, as the connectors
 * module wants to hear it.
 *
 * Programs write durations in the language's own unit (ns here), tcp:// for any stream protocol,
 * and ${NAME} for what the environment holds; connectors take milliseconds, a scheme per protocol,
 * and plain text. Secrets from the environment pass through here and are never stored or printed.
 */
#include "modules/engine/engine.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>

static Status expand(Str text, Buf *out, Diag *diag)
{
    while (text.len) {
        ptrdiff_t at = str_find(text, STR("${"));
        Str rest = at < 0 ? STR_NONE : str_skip(text, (size_t)at + 2);
        ptrdiff_t end = at < 0 ? -1 : str_find_char(rest, '}');
        if (end < 0) {
            buf_str(out, text);
            break;
        }
        char name[200];
        if ((size_t)end >= sizeof(name)) {
            return diag_set(diag, ST_INVALID, "the name of an environment variable is too long");
        }
        buf_add(out, text.ptr, (size_t)at);
        memcpy(name, rest.ptr, (size_t)end);
        name[end] = 0;
        const char *value = getenv(name);
        if (!value) {
            return diag_set(diag, ST_INVALID, "the environment variable %s is not set", name);
        }
        buf_text(out, value);
        text = str_skip(rest, (size_t)end + 1);
    }
    return buf_status(out);
}

static Status put_url(JsonOut *json, Str kind, Str url, Diag *diag)
{
    AUTO_BUF Buf text;
    buf_init(&text, 8192);
    if (str_starts(url, STR("tcp://"))) {
        buf_str(&text, kind);
        url = str_skip(url, 3);
    }
    Status st = expand(url, &text, diag);
    if (!st) {
        json_field_str(json, "url", buf_view(&text));
    }
    return st;
}

static bool is_any(Str name, const char *const *list)
{
    for (; *list; list++) {
        if (str_is(name, *list)) {
            return true;
        }
    }
    return false;
}

/* Copies members of `options`: durations get the unit connectors count in, and its name. With
 * `only`, just those named. */
static Status put_members(JsonOut *json, const Json *options, const char *const *only, Diag *diag)
{
    static const char *const ms[] = {"timeout", "every", NULL};
    static const char *const s[] = {"keep_alive", "session_expiry", NULL};
    for (const Json *o = options ? options->first : NULL; o; o = o->next) {
        if (only && !is_any(o->key, only)) {
            continue;
        }
        char name[80];
        if (is_any(o->key, ms) || is_any(o->key, s)) {
            bool in_ms = is_any(o->key, ms);
            (void)snprintf(name, sizeof(name), "%.*s_%s", STR_ARG(o->key), in_ms ? "ms" : "s");
            json_field_int(json, name, o->integer / (in_ms ? NS_PER_MS : NS_PER_S));
        } else if (o->type == JSON_STRING) {
            AUTO_BUF Buf text;
            buf_init(&text, 8192);
            Status st = expand(o->text, &text, diag);
            if (st) {
                return st;
            }
            json_key_str(json, str_is(o->key, "client") ? STR("client_id") : o->key);
            json_put_str(json, buf_view(&text));
        } else {
            json_key_str(json, o->key);
            json_put_raw(json, o->raw);
        }
    }
    return ST_OK;
}

static const RtConnectionInfo *find(const RtProgram *program, const char *name)
{
    for (uint32_t i = 0; i < program->connection_count; i++) {
        if (str_eq(str_from(program->connections[i].name), str_from(name))) {
            return &program->connections[i];
        }
    }
    return NULL;
}

static const Json *read_options(Arena *arena, const char *text)
{
    const Json *json = NULL;
    if (text && text[0] && json_read(arena, str_from(text), &json, NULL)) {
        json = NULL;
    }
    return json;
}

bool engine__is_remote(const char *kind, const char *connection)
{
    /* A device has no broker of ours between: its address is the connection. */
    return (connection && connection[0]) || strcmp(kind, "modbus") == 0;
}

Status engine__connection_put(JsonOut *json, const RtProgram *program, const char *kind,
                              const char *connection, const char *address, const char *options,
                              Diag *diag)
{
    static const char *const own[] = {"unit", "timeout", "client", NULL};
    Arena *arena = arena_new(0, 0);
    if (!arena) {
        return diag_set(diag, ST_NO_MEMORY, "out of memory");
    }
    bool named = connection && connection[0];
    const RtConnectionInfo *info = named ? find(program, connection) : NULL;
    Status st = ST_OK;
    if (named && !info) {
        json_field_text(json, "name", connection);
    } else {
        const char *its_kind = info ? info->kind : kind;
        json_key(json, "connection");
        json_begin_object(json);
        json_field_text(json, "kind", its_kind);
        st = put_url(json, str_from(its_kind), str_from(info ? info->url : address), diag);
        json_key(json, "options");
        json_begin_object(json);
        if (!st && info) {
            st = put_members(json, read_options(arena, info->options), NULL, diag);
        }
        if (!st) {
            st = put_members(json, read_options(arena, options), own, diag);
        }
        json_end(json);
        json_end(json);
    }
    arena_free(arena);
    return st;
}

Status engine__source_options_put(JsonOut *json, const char *options, Diag *diag)
{
    static const char *const sub[] = {"qos", "every_ms", "stale_ms", "registers", NULL};
    static const char *const own_pace[] = {"qos", "every", "registers", NULL};
    Arena *arena = arena_new(0, 0);
    if (!arena) {
        return diag_set(diag, ST_NO_MEMORY, "out of memory");
    }
    json_key(json, "options");
    json_begin_object(json);
    const Json *read = read_options(arena, options);
    Status st = put_members(json, read, json_get(read, "every") ? own_pace : sub, diag);
    json_end(json);
    arena_free(arena);
    return st;
}
