/* runtime/ask/web_client.c: one request after the other on one handle; see web_client.h. */
#include "ask/web_client.h"

#include "base/mem.h"
#include "peer/curl_lib.h"

enum { HEADER_BYTES_MAX = 128 << 10 }; /* an access token is a few hundred bytes */

struct WebClient {
    const CurlLib *curl;
    void *handle;
};

Status web_client_new(WebClient **ret_client, Diag *diag)
{
    const CurlLib *curl;
    Status st = curl_lib("http", &curl, diag);
    if (st) return st;
    WebClient *client = mem_alloc(sizeof *client);
    void *handle = client ? curl_handle(curl) : NULL;
    if (!handle) {
        mem_free(client);
        return diag_set(diag, ST_NO_MEMORY, "no memory for libcurl");
    }
    *client = (WebClient){curl, handle};
    *ret_client = client;
    return ST_OK;
}

void web_client_free(WebClient *client)
{
    if (!client) return;
    client->curl->cleanup(client->handle);
    mem_free(client);
}

static size_t on_bytes(const char *bytes, size_t size, size_t count, void *ctx)
{
    Buf *body = ctx;
    buf_add(body, bytes, size * count);
    return body->failed ? 0 : size * count;
}

static void *headers(const CurlLib *curl, const WebCall *call)
{
    void *list = curl->append(NULL, "Accept: application/json");
    if (call->post) list = curl->append(list, "Content-Type: application/json");
    if (call->bearer) {
        AUTO_BUF Buf line;
        buf_init(&line, HEADER_BYTES_MAX);
        buf_printf(&line, "Authorization: Bearer %s", call->bearer);
        if (!line.failed) list = curl->append(list, line.ptr);
    }
    for (uint32_t i = 0; i < call->header_count; i++) list = curl->append(list, call->headers[i]);
    return list;
}

static int on_progress(void *ctx, int64_t a, int64_t b, int64_t c, int64_t d)
{
    const WebCall *call = ctx;
    (void)a, (void)b, (void)c, (void)d;
    return call->halting(call->ctx);
}

/* What is only of some calls; a handle keeps its options. */
static void set_rest(const CurlLib *curl, void *h, const WebCall *call)
{
    if (call->ca) (void)curl->setopt(h, CURL_OPT_CAINFO, call->ca);
    if (!call->halting) return;
    (void)curl->setopt(h, CURL_OPT_NOPROGRESS, 0L);
    (void)curl->setopt(h, CURL_OPT_XFERINFOFUNCTION, on_progress);
    (void)curl->setopt(h, CURL_OPT_XFERINFODATA, call);
}

static Status failure(const CurlLib *curl, int failed, const char *error, Diag *diag)
{
    bool wrong = failed == CURL_MALFORMED || failed == CURL_UNKNOWN_PROTOCOL;
    Status st = failed == CURL_TIMED_OUT ? ST_TIMEOUT
                : failed == CURL_ABORTED ? ST_CANCELLED
                : wrong                  ? ST_INVALID
                                         : ST_UNAVAILABLE;
    return diag_set(diag, st, "%s", error[0] ? error : curl->error(failed));
}

Status web_client_call(WebClient *client, const WebCall *call, Buf *answer, long *ret_code,
                       Diag *diag)
{
    const CurlLib *curl = client->curl;
    void *h = client->handle, *fields = headers(curl, call);
    char error[CURL_ERROR_BYTES] = {0};
    (void)curl->setopt(h, CURL_OPT_URL, call->url);
    (void)curl->setopt(h, CURL_OPT_NOSIGNAL, 1L);
    (void)curl->setopt(h, CURL_OPT_PROTOCOLS, (long)(CURL_PROTO_HTTP | CURL_PROTO_HTTPS));
    (void)curl->setopt(h, CURL_OPT_TIMEOUT_MS, (long)(call->timeout_ms < 1 ? 1 : call->timeout_ms));
    (void)curl->setopt(h, CURL_OPT_USERAGENT, "tutti");
    (void)curl->setopt(h, CURL_OPT_WRITEFUNCTION, on_bytes);
    (void)curl->setopt(h, CURL_OPT_WRITEDATA, answer);
    if (call->post) {
        (void)curl->setopt(h, CURL_OPT_POSTFIELDS, call->body.ptr ? call->body.ptr : "");
        (void)curl->setopt(h, CURL_OPT_POSTFIELDSIZE, (long)call->body.len);
    } else {
        (void)curl->setopt(h, CURL_OPT_HTTPGET, 1L);
    }
    (void)curl->setopt(h, CURL_OPT_HTTPHEADER, fields);
    (void)curl->setopt(h, CURL_OPT_ERRORBUFFER, error);
    set_rest(curl, h, call);
    int failed = curl->perform(h);
    if (!failed || answer->failed) (void)curl->getinfo(h, CURL_INFO_RESPONSE_CODE, ret_code);
    (void)curl->setopt(h, CURL_OPT_HTTPHEADER, NULL);
    (void)curl->setopt(h, CURL_OPT_ERRORBUFFER, NULL);
    curl->free_all(fields);
    if (answer->failed) return diag_set(diag, ST_LIMIT, "the answer is too long");
    return failed ? failure(curl, failed, error, diag) : ST_OK;
}
