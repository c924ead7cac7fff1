/* runtime/ask/web_client.h: one HTTP(S) request after the other, by the libcurl of the system.
 *
 * It is loaded when the first client is opened, so nobody else needs it. Calls wait: for threads
 * that may. */
#ifndef TUTTI_ASK_WEB_CLIENT_H
#define TUTTI_ASK_WEB_CLIENT_H

#include "base/buf.h"
#include "base/status.h"

typedef struct WebClient WebClient;

typedef struct WebCall {
    const char *url;
    const char *bearer; /* an access token; NULL = none */
    bool post;          /* JSON `body` goes along; else GET */
    Str body;
    int64_t timeout_ms;
    const char *const *headers; /* more of them, "Name: value" */
    uint32_t header_count;
    const char *ca;             /* file of certificates to trust; NULL = the system's */
    bool (*halting)(void *ctx); /* NULL = it is never given up */
    void *ctx;
} WebCall;

/* ST_UNSUPPORTED: there is no libcurl here. */
MUST Status web_client_new(WebClient **ret_client, Diag *diag);
void web_client_free(WebClient *client); /* accepts NULL */
/* ST_OK whatever the server answered: its bytes are in `answer`, up to its limit, its code in
 * *ret_code; where it points to elsewhere is not followed. ST_TIMEOUT; ST_CANCELLED: halting;
 * ST_INVALID: no such address can be; ST_UNAVAILABLE: nobody answers. */
MUST Status web_client_call(WebClient *client, const WebCall *call, Buf *answer, long *ret_code,
                            Diag *diag);

#endif
