/* runtime/ask/web_client.c: libcurl, loaded by name; see web_client.h. */
#include "ask/web_client.h"

#include "base/mem.h"

#include <dlfcn.h>
#include <pthread.h>

enum { HEADER_BYTES_MAX = 128 << 10 }; /* an access token is a few hundred bytes */
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

struct WebClient {
    void *library, *handle;
    void *(*init)(void);
    int (*setopt)(void *, int, ...);
    int (*perform)(void *);
    int (*getinfo)(void *, int, ...);
    const char *(*error)(int);
    void (*cleanup)(void *);
    void *(*append)(void *, const char *);
    void (*free_all)(void *);
};

/* The first handle sets the library up; until 7.84 two threads must not do that at once. */
static pthread_mutex_t first_handle = PTHREAD_MUTEX_INITIALIZER;

static bool symbol(WebClient *curl, const char *name, void *ret)
{
    void *found = dlsym(curl->library, name);
    memcpy(ret, &found, sizeof found); /* a function pointer; POSIX says it fits */
    return found != NULL;
}

Status web_client_new(WebClient **ret_client, Diag *diag)
{
    static const char *const names[] = {"libcurl.so.4", "libcurl-gnutls.so.4"};
    WebClient *curl = mem_zalloc(1, sizeof *curl);
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
    if (fine) {
        (void)pthread_mutex_lock(&first_handle);
        curl->handle = curl->init();
        (void)pthread_mutex_unlock(&first_handle);
    }
    if (!curl->handle) {
        if (curl->library) dlclose(curl->library);
        mem_free(curl);
        return diag_set(diag, ST_UNSUPPORTED, "libcurl.so.4 is not here");
    }
    *ret_client = curl;
    return ST_OK;
}

void web_client_free(WebClient *client)
{
    if (!client) return;
    client->cleanup(client->handle);
    mem_free(client); /* the library stays: others may have it open, and it has threads' data */
}

static size_t on_bytes(const char *bytes, size_t size, size_t count, void *ctx)
{
    Buf *body = ctx;
    buf_add(body, bytes, size * count);
    return body->failed ? 0 : size * count;
}

static void *headers(const WebClient *curl, const WebCall *call)
{
    void *list = curl->append(NULL, "Accept: application/json");
    if (call->post) list = curl->append(list, "Content-Type: application/json");
    if (call->bearer) {
        AUTO_BUF Buf line;
        buf_init(&line, HEADER_BYTES_MAX);
        buf_printf(&line, "Authorization: Bearer %s", call->bearer);
        if (!line.failed) list = curl->append(list, line.ptr);
    }
    return list;
}

Status web_client_call(WebClient *client, const WebCall *call, Buf *answer, long *ret_code,
                       Diag *diag)
{
    void *h = client->handle, *fields = headers(client, call);
    (void)client->setopt(h, OPT_URL, call->url);
    (void)client->setopt(h, OPT_NOSIGNAL, 1L);
    (void)client->setopt(h, OPT_PROTOCOLS, 3L);
    (void)client->setopt(h, OPT_TIMEOUT_MS, (long)(call->timeout_ms < 1 ? 1 : call->timeout_ms));
    (void)client->setopt(h, OPT_USERAGENT, "tutti");
    (void)client->setopt(h, OPT_WRITEFUNCTION, on_bytes);
    (void)client->setopt(h, OPT_WRITEDATA, answer);
    if (call->post) {
        (void)client->setopt(h, OPT_POSTFIELDS, call->body.ptr ? call->body.ptr : "");
        (void)client->setopt(h, OPT_POSTFIELDSIZE, (long)call->body.len);
    } else {
        (void)client->setopt(h, OPT_HTTPGET, 1L);
    }
    (void)client->setopt(h, OPT_HTTPHEADER, fields);
    int failed = client->perform(h);
    if (!failed) (void)client->getinfo(h, INFO_CODE, ret_code);
    (void)client->setopt(h, OPT_HTTPHEADER, NULL);
    client->free_all(fields);
    if (answer->failed) return diag_set(diag, ST_LIMIT, "the answer is too long");
    if (!failed) return ST_OK;
    bool wrong = failed == CODE_MALFORMED || failed == CODE_PROTOCOL;
    return diag_set(diag,
                    failed == CODE_TIMEDOUT ? ST_TIMEOUT
                    : wrong                 ? ST_INVALID
                                            : ST_UNAVAILABLE,
                    "%s", client->error(failed));
}
