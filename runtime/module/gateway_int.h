/* runtime/module/gateway_int.h: what the files of the gateway share; private to them.
 *
 * A GwCall lives in the arena of its HttpReq and is gone with the answer. `pending` counts bus
 * requests under way, so that the gateway is not freed under an answer that is still to come. */
#ifndef TUTTI_MODULE_GATEWAY_INT_H
#define TUTTI_MODULE_GATEWAY_INT_H

#include "http/http.h"
#include "module/gateway.h"
#include "module/tls_watch.h"

enum {
    GW_ROUTES_MAX = 1024,
    GW_PATH_PARAMS_MAX = 8,
    GW_SUBJECT_MAX = 128,
    GW_SLOW_BYTES = 256 * 1024,       /* waiting in a socket: frames are left out */
    GW_STUCK_BYTES = 4 << 20,         /* even answers pile up: the socket is closed */
    GW_CLIENT_BYTES_MAX = 256 * 1024, /* one message of a page */
};

#define GW_COOKIE "tutti_session"

typedef struct GwCall GwCall;

typedef struct GwRoute {
    const char *method, *path, *type;
    const ModOp *op;
    void (*own)(GwCall *call); /* served here instead of by an op */
    uint32_t role;             /* of `own` */
} GwRoute;

struct GwCall {
    Gateway *gateway;
    HttpReq *req;
    const GwRoute *route;
    Str params[GW_PATH_PARAMS_MAX]; /* values of {name} in order */
    Str session;                    /* cookie; empty when signed in by token or not at all */
    BusCaller caller;
    Str user_json; /* {"id":..,"name":..,"roles":[..]} as auth answered; empty = nobody */
    bool by_cookie;
    Str input;                  /* of an answer of many pages */
    void (*next)(GwCall *call); /* after the identity is known */
};

struct Gateway {
    GatewayConf conf;
    HttpServer *http;
    GwRoute *routes;
    size_t route_count;
    struct GwSocket *sockets;
    uint32_t socket_count;
    uint64_t socket_serial, frames_skipped;
    BusSub *to_sockets, *setup_done, *session_ended;
    uint32_t pending;
    int64_t started_ns;
    TlsWatch tls_watch;
    bool loopback_only, http_closed, closing;
    LoopFn *done;
    void *done_ctx;
};

/* Frees and reports when nothing is under way any more. */
void gateway__check_done(Gateway *gateway);

/* {"error":{"code","text"}} with the HTTP code of `status`; code 0 takes the status's own. */
void gateway__fail(HttpReq *req, Status status, int code, const char *text);
void gateway__json(HttpReq *req, int code, Str body);
/* Finds out who asks, then call->next. Answers 401/403 itself where the credentials or the origin
 * do not hold. */
void gateway__identify(GwCall *call);
bool gateway__has_role(const GwCall *call, uint32_t role);
GwCall *gateway__call_new(Gateway *gateway, HttpReq *req); /* NULL: answered already */
void gateway__no_method(HttpReq *req);

/* gateway_tls.c: the listener with TLS, if there is to be one, and its renewal */
MUST Status gateway__tls_open(Gateway *gateway, Diag *diag);
void gateway__tls_close(Gateway *gateway);

/* gateway_hook.c */
void gateway__hook(Gateway *gateway, HttpReq *req);

/* gateway_route.c */
MUST Status gateway__routes_read(Gateway *gateway, Diag *diag);
/* NULL: no route; *ret_allow then names the methods the path has (empty = unknown path). */
const GwRoute *gateway__route_find(const Gateway *gateway, Arena *arena, Str method, Str path,
                                   Str *params, Str *ret_allow);
/* Matches one pattern: params get the values of its {names}. Pure. */
bool gateway__path_match(const char *pattern, Str path, Str *params);
/* One input object from path, query and body. */
MUST Status gateway__input(const GwCall *call, Buf *out, Diag *diag);

/* gateway_pages.c: asks an op with OP_PAGES to its end. */
void gateway__pages(GwCall *call, Str input);

/* gateway_own.c: what the gateway answers itself */
extern const GwRoute gateway__own_routes[]; /* ends with a row without path */
void gateway__metrics(GwCall *call);
void gateway__openapi(GwCall *call);

/* gateway_static.c */
void gateway__page(HttpReq *req);
void gateway__secure_fields(HttpReq *req);

/* gateway_ws.c */
MUST Status gateway__sockets_open(Gateway *gateway);
void gateway__live(GwCall *call);
void gateway__mqtt(Gateway *gateway, HttpReq *req);

#endif
