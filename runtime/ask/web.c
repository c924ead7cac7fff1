/* runtime/ask/web.c: questions over HTTP(S).
 *
 * The answer is a JSON object, or an array of them; cells are its members by name. */
#include "ask/ask_int.h"

#include "base/clock.h"
#include "base/json.h"

enum { BODY_MAX = 4 << 20, URL_MAX = 16 << 10 };

void ask__web_done(Asker *asker)
{
    web_client_free(asker->client);
    asker->client = NULL;
    arena_free(asker->arena);
    asker->arena = NULL;
    buf_done(&asker->url);
    buf_done(&asker->body);
    buf_done(&asker->answer);
}

MUST static Status load(Asker *asker, Diag *diag)
{
    if (asker->client) return ST_OK;
    Status st = web_client_new(&asker->client, diag);
    if (st == ST_UNSUPPORTED)
        return diag_set(diag, st, "`ask http` needs libcurl.so.4, which is not here");
    if (st) return st;
    buf_init(&asker->url, URL_MAX);
    buf_init(&asker->body, BODY_MAX);
    buf_init(&asker->answer, BODY_MAX);
    asker->arena = arena_new(0, (size_t)BODY_MAX * 16);
    if (asker->arena) return ST_OK;
    ask__web_done(asker);
    return diag_set(diag, ST_NO_MEMORY, "no memory for `ask http`");
}

static bool is_plain(char ch)
{
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
           ch == '-' || ch == '.' || ch == '_' || ch == '~';
}

/* A value in an address is percent-encoded (RFC 3986), in a body it is the inside of a JSON text.
 */
static void put_value(Buf *out, RtText text, bool body)
{
    static const char hex[] = "0123456789ABCDEF";
    for (u64 i = 0; i < text.n; i++) {
        char ch = text.p[i];
        unsigned code = (unsigned char)ch;
        if (body && (ch == '"' || ch == '\\')) {
            buf_char(out, '\\');
            buf_char(out, ch);
        } else if (body && code < 0x20) {
            buf_printf(out, "\\u%04x", code);
        } else if (body || is_plain(ch)) {
            buf_char(out, ch);
        } else {
            buf_char(out, '%');
            buf_char(out, hex[code >> 4]);
            buf_char(out, hex[code & 15]);
        }
    }
}

/* url: up to \2, ended by NUL; what is behind it is the body. */
static void fill_in(const RtAskInfo *ask, const RtValue *values, u32 count, Buf *url, Buf *body)
{
    Buf *out = url;
    u32 next = 0;
    for (const char *p = ask->text; *p; p++) {
        if (*p == '\2') {
            out = body;
        } else if (*p == '\1') {
            if (next < count) put_value(out, values[next++].s, out == body);
        } else {
            buf_char(out, *p);
        }
    }
    buf_char(url, 0);
}

MUST static Status fetch(Asker *asker, const RtAskInfo *ask, const char *url, Str body, Buf *answer,
                         Diag *diag)
{
    WebCall call = {.url = url,
                    .post = str_is(str_from(ask->target), "post"),
                    .body = body,
                    .timeout_ms = (asker->deadline_ns - clock_monotonic_ns()) / NS_PER_MS};
    long code = 0;
    Status st = web_client_call(asker->client, &call, answer, &code, diag);
    if (answer->failed) return diag_set(diag, st, "the answer is longer than 4 MiB");
    if (st || (code >= 200 && code < 300)) return st;
    bool later = code >= 500 || code == 429;
    return diag_set(diag, later ? ST_UNAVAILABLE : ST_INVALID, "the server answered %ld", code);
}

MUST static Status put_object(const Json *object, const RtSchema *schema, Buf *out, Diag *diag)
{
    if (object->type != JSON_OBJECT)
        return diag_set(diag, ST_INVALID, "the answer is no object and no list of objects");
    size_t row = ask__row_begin(out);
    for (u32 i = 0; i < schema->count; i++) {
        const RtField *field = &schema->fields[i];
        const Json *value = json_get(object, field->name);
        bool none = !value || value->type == JSON_NULL;
        if (none && !(field->flags & RT_OPTIONAL))
            return diag_set(diag, ST_INVALID, "the answer has no member %s", field->name);
        ask__cell(out, i == 0,
                  none                         ? STR_NONE
                  : value->type == JSON_STRING ? (value->text.ptr ? value->text : STR(""))
                                               : value->raw);
    }
    ask__row_end(out, row);
    return ST_OK;
}

Status ask__web(Asker *asker, const RtAskInfo *ask, const RtValue *values, u32 count, Buf *out,
                Diag *diag)
{
    const Json *json = NULL;
    Status st = load(asker, diag);
    if (st) return st;
    Buf *url = &asker->url, *body = &asker->body, *answer = &asker->answer;
    buf_clear(url);
    buf_clear(body);
    buf_clear(answer);
    arena_reset(asker->arena);
    fill_in(ask, values, count, url, body);
    if (url->failed || body->failed) return diag_set(diag, ST_LIMIT, "the question is too long");
    st = fetch(asker, ask, url->ptr, buf_view(body), answer, diag);
    if (st) return st;
    if (json_read(asker->arena, buf_view(answer), &json, diag))
        st = diag_set(diag, ST_INVALID, "the answer is no JSON");
    if (!st && json->type != JSON_ARRAY) st = put_object(json, ask->schema, out, diag);
    for (const Json *row = !st && json->type == JSON_ARRAY ? json->first : NULL; row && !st;
         row = ask->single ? NULL : row->next)
        st = put_object(row, ask->schema, out, diag);
    return st;
}
