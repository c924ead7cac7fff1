/* runtime/ask/web.c: questions over HTTP(S), by the libcurl of the system.
 *
 * It is loaded when the first such question is asked, so nobody else needs it. The answer is a JSON
 * object, or an array of them; cells are its members by name. */
#include "ask/ask_int.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"

#include <dlfcn.h>

enum { BODY_MAX = 4 << 20, URL_MAX = 16 << 10 };
/* Numbers of curl/curl.h, which are part of its ABI. */
enum {
    OPT_WRITEDATA = 10001,
    OPT_URL = 10002,
    OPT_POSTFIELDS = 10015,
    OPT_USERAGENT = 10018,
    OPT_HTTPHEADER = 10023,
    OPT_HTTPGET = 80,
    OPT_POSTFIELDSIZE = 60,
    OPT_NOSIGNAL = 99,
    OPT_TIMEOUT_MS = 155,
    OPT_PROTOCOLS = 181, /* 1 http, 2 https */
    OPT_WRITEFUNCTION = 20011,
    INFO_CODE = 0x200002,
    CODE_MALFORMED = 3,
    CODE_PROTOCOL = 1,
    CODE_TIMEDOUT = 28
};

typedef struct Curl {
    void *library;
    void *(*init)(void);
    int (*setopt)(void *, int, ...);
    int (*perform)(void *);
    int (*getinfo)(void *, int, ...);
    const char *(*error)(int);
    void (*cleanup)(void *);
    void *(*append)(void *, const char *);
    void (*free_all)(void *);
} Curl;

static bool symbol(Curl *curl, const char *name, void *ret)
{
    void *found = dlsym(curl->library, name);
    memcpy(ret, &found, sizeof found); /* a function pointer; POSIX says it fits */
    return found != NULL;
}

MUST static Status load(Asker *asker, Diag *diag)
{
    static const char *const names[] = {"libcurl.so.4", "libcurl-gnutls.so.4"};
    if (asker->curl) return ST_OK;
    Curl *curl = mem_zalloc(1, sizeof *curl);
    if (!curl) return diag_set(diag, ST_NO_MEMORY, "no memory for libcurl");
    for (size_t i = 0; i < COUNT_OF(names) && !curl->library; i++)
        curl->library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    bool fine = curl->library && symbol(curl, "curl_easy_init", &curl->init) &&
                symbol(curl, "curl_easy_setopt", &curl->setopt) &&
                symbol(curl, "curl_easy_perform", &curl->perform) &&
                symbol(curl, "curl_easy_getinfo", &curl->getinfo) &&
                symbol(curl, "curl_easy_strerror", &curl->error) &&
                symbol(curl, "curl_easy_cleanup", &curl->cleanup) &&
                symbol(curl, "curl_slist_append", &curl->append) &&
                symbol(curl, "curl_slist_free_all", &curl->free_all);
    if (fine) asker->handle = curl->init();
    if (!asker->handle) {
        if (curl->library) dlclose(curl->library);
        mem_free(curl);
        return diag_set(diag, ST_UNSUPPORTED, "`ask http` needs libcurl.so.4, which is not here");
    }
    asker->curl = curl;
    return ST_OK;
}

void ask__web_done(Asker *asker)
{
    Curl *curl = asker->curl;
    if (!curl) return;
    curl->cleanup(asker->handle);
    mem_free(curl); /* the library stays: others may have it open, and it has threads' data */
    asker->curl = asker->handle = NULL;
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

static size_t on_bytes(const char *bytes, size_t size, size_t count, void *ctx)
{
    Buf *body = ctx;
    buf_add(body, bytes, size * count);
    return body->failed ? 0 : size * count;
}

MUST static Status fetch(Asker *asker, const RtAskInfo *ask, const char *url, Str body, Buf *answer,
                         Diag *diag)
{
    Curl *curl = asker->curl;
    void *h = asker->handle, *fields = NULL;
    bool post = str_is(str_from(ask->target), "post");
    int64_t left_ms = (asker->deadline_ns - clock_monotonic_ns()) / NS_PER_MS;
    long code = 0;
    (void)curl->setopt(h, OPT_URL, url);
    (void)curl->setopt(h, OPT_NOSIGNAL, 1L);
    (void)curl->setopt(h, OPT_PROTOCOLS, 3L);
    (void)curl->setopt(h, OPT_TIMEOUT_MS, (long)(left_ms < 1 ? 1 : left_ms));
    (void)curl->setopt(h, OPT_USERAGENT, "tutti");
    (void)curl->setopt(h, OPT_WRITEFUNCTION, on_bytes);
    (void)curl->setopt(h, OPT_WRITEDATA, answer);
    fields = curl->append(NULL, "Accept: application/json");
    if (post) {
        fields = curl->append(fields, "Content-Type: application/json");
        (void)curl->setopt(h, OPT_POSTFIELDS, body.ptr ? body.ptr : "");
        (void)curl->setopt(h, OPT_POSTFIELDSIZE, (long)body.len);
    } else {
        (void)curl->setopt(h, OPT_HTTPGET, 1L);
    }
    (void)curl->setopt(h, OPT_HTTPHEADER, fields);
    int failed = curl->perform(h);
    if (!failed) (void)curl->getinfo(h, INFO_CODE, &code);
    (void)curl->setopt(h, OPT_HTTPHEADER, NULL);
    curl->free_all(fields);
    if (answer->failed) return diag_set(diag, ST_LIMIT, "the answer is longer than 4 MiB");
    if (failed)
        return diag_set(diag,
                        failed == CODE_TIMEDOUT                               ? ST_TIMEOUT
                        : failed == CODE_MALFORMED || failed == CODE_PROTOCOL ? ST_INVALID
                                                                              : ST_UNAVAILABLE,
                        "%s", curl->error(failed));
    if (code >= 200 && code < 300) return ST_OK;
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
    AUTO_BUF Buf url, body, answer;
    const Json *json = NULL;
    buf_init(&url, URL_MAX);
    buf_init(&body, BODY_MAX);
    buf_init(&answer, BODY_MAX);
    Status st = load(asker, diag);
    if (st) return st;
    fill_in(ask, values, count, &url, &body);
    if (url.failed || body.failed) return diag_set(diag, ST_LIMIT, "the question is too long");
    st = fetch(asker, ask, url.ptr, buf_view(&body), &answer, diag);
    if (st) return st;
    Arena *arena = arena_new(0, (size_t)BODY_MAX * 16);
    if (!arena || json_read(arena, buf_view(&answer), &json, diag))
        st = diag_set(diag, ST_INVALID, "the answer is no JSON");
    if (!st && json->type != JSON_ARRAY) st = put_object(json, ask->schema, out, diag);
    for (const Json *row = !st && json->type == JSON_ARRAY ? json->first : NULL; row && !st;
         row = ask->single ? NULL : row->next)
        st = put_object(row, ask->schema, out, diag);
    arena_free(arena);
    return st;
}
