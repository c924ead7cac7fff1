/* runtime/peer/curl_lib.h: the functions of libcurl that are used, loaded when first needed.
 *
 * Numbers are those of curl/curl.h, which are part of the ABI of libcurl.so.4. */
#ifndef TUTTI_PEER_CURL_LIB_H
#define TUTTI_PEER_CURL_LIB_H

#include "base/status.h"

#include <stddef.h>

enum {
    CURL_OPT_WRITEDATA = 10001,
    CURL_OPT_URL = 10002,
    CURL_OPT_READDATA = 10009,
    CURL_OPT_ERRORBUFFER = 10010,
    CURL_OPT_POSTFIELDS = 10015,
    CURL_OPT_USERAGENT = 10018,
    CURL_OPT_HTTPHEADER = 10023,
    CURL_OPT_HEADERDATA = 10029,
    CURL_OPT_XFERINFODATA = 10057,
    CURL_OPT_CAINFO = 10065,
    CURL_OPT_USERNAME = 10173,
    CURL_OPT_PASSWORD = 10174,
    CURL_OPT_MAIL_FROM = 10186,
    CURL_OPT_MAIL_RCPT = 10187,
    CURL_OPT_WRITEFUNCTION = 20011,
    CURL_OPT_READFUNCTION = 20012,
    CURL_OPT_HEADERFUNCTION = 20079,
    CURL_OPT_XFERINFOFUNCTION = 20219,
    CURL_OPT_NOPROGRESS = 43,
    CURL_OPT_UPLOAD = 46,
    CURL_OPT_POSTFIELDSIZE = 60,
    CURL_OPT_HTTPGET = 80,
    CURL_OPT_NOSIGNAL = 99,
    CURL_OPT_USE_SSL = 119, /* 0 no, 1 try, 3 must */
    CURL_OPT_TIMEOUT_MS = 155,
    CURL_OPT_CONNECTTIMEOUT_MS = 156,
    CURL_OPT_PROTOCOLS = 181,
    CURL_PROTO_HTTP = 1 << 0,
    CURL_PROTO_HTTPS = 1 << 1,
    CURL_PROTO_SMTP = 1 << 16,
    CURL_PROTO_SMTPS = 1 << 17,
    CURL_INFO_RESPONSE_CODE = 0x200002,
    CURL_ERROR_BYTES = 256
};
enum { /* results */
       CURL_UNKNOWN_PROTOCOL = 1,
       CURL_MALFORMED = 3,
       CURL_WEIRD_REPLY = 8,
       CURL_UPLOAD_FAILED = 25,
       CURL_TIMED_OUT = 28,
       CURL_ABORTED = 42,
       CURL_SEND_ERROR = 55,
       CURL_RECV_ERROR = 56,
       CURL_LOGIN_DENIED = 67
};

typedef struct CurlLib {
    void *(*init)(void);
    int (*setopt)(void *, int, ...);
    int (*perform)(void *);
    int (*getinfo)(void *, int, ...);
    const char *(*error)(int);
    void (*cleanup)(void *);
    void *(*append)(void *, const char *);
    void (*free_all)(void *);
} CurlLib;

/* Any thread; loads once per process. `who` needs it begins the error. */
MUST Status curl_lib(const char *who, const CurlLib **ret_lib, Diag *diag);
/* A handle; NULL: out of memory. The first one sets the library up, which until libcurl 7.84 two
 * threads must not do at once: so all are made here. */
void *curl_handle(const CurlLib *curl);

#endif
