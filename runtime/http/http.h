/* runtime/http/http.h: the HTTP/1.1 server and its WebSocket side, on one Loop.
 *
 * Strict on purpose (RFC 9110, RFC 9112): whatever two readers could understand differently is
 * answered 400 and the connection closes; nothing is repaired. The server owns sockets, limits and
 * framing; what a request means is the handler's business. Everything runs on the loop's thread.
 *
 * Life of a request: the handler gets it once head and body are complete (so a body is at most
 * body_bytes_max) and answers now or later, exactly once, with http_answer() or http_begin() ...
 * http_end(), or hands the connection over with ws_accept(). Until then everything in the HttpReq
 * stays valid, also when the peer has left: the answer then goes nowhere. Answers of pipelined
 * requests leave in order. */
#ifndef TUTTI_HTTP_HTTP_H
#define TUTTI_HTTP_HTTP_H

#include "base/arena.h"
#include "base/log.h"
#include "base/status.h"
#include "base/str.h"
#include "loop/loop.h"
#include "tls/tls.h"

enum {
    HTTP_HEAD_BYTES_MAX = 16 * 1024, /* request line and fields; more is 431 (target alone: 414) */
    HTTP_FIELDS_MAX = 100,
    HTTP_HEAD_TIMEOUT_MS = 10000, /* from the first byte of a head to its end */
    HTTP_BODY_TIMEOUT_MS = 60000, /* from head to the end of the body */
    HTTP_IDLE_TIMEOUT_MS = 75000, /* between two requests of one connection */
    HTTP_BODY_BYTES_PRESET = 1 << 20,
};

typedef struct HttpServer HttpServer;
typedef struct WsConn WsConn;

typedef struct HttpField {
    Str name, value; /* as sent; names compare without case */
} HttpField;

typedef struct HttpReq {
    Arena *arena;  /* dies with the request */
    Str method;    /* "GET"; case counts */
    Str path;      /* decoded, starts with '/', no "." or ".." segments, no NUL */
    Str query;     /* behind '?', still percent-encoded; empty when there is none */
    Str host;      /* Host field, lower case, with port as sent */
    Str peer;      /* address as text, without port */
    Str body;      /* complete, chunks removed */
    bool loopback; /* the peer is this machine */
    bool tls;      /* nobody between the peer and us reads along */
    bool is_head;  /* method was HEAD: method reads "GET" and the body is not sent */
    const HttpField *fields;
    uint32_t field_count;
    void *http_private;
} HttpReq;

/* Value of the first field of that name, STR_NONE when absent. `name` in lower case. */
Str http_field(const HttpReq *req, const char *name);
/* Walks the fields, each name once and in lower case: *at starts with 0. Fields of one name are one
 * value, joined by ", " (RFC 9110, section 5.3). False at the end, or when memory is gone. */
bool http_field_next(const HttpReq *req, uint32_t *at, Str *ret_name, Str *ret_value);
/* Value of one cookie (RFC 6265, section 5.4), STR_NONE when absent. */
Str http_cookie(const HttpReq *req, const char *name);
/* One parameter of the query, percent and '+' decoded into the arena; false when absent or bad. */
bool http_query(const HttpReq *req, const char *name, Str *ret_value);
/* Walks all parameters: at starts with 0. Names and values are decoded. False at the end;
 * *ret_bad is set when the query is not well formed. */
bool http_query_next(const HttpReq *req, size_t *at, Str *ret_name, Str *ret_value, bool *ret_bad);

typedef void HttpFn(void *ctx, HttpReq *req);
/* Called when the head is complete: how large the body may be; 0 takes the preset. */
typedef uint32_t HttpBodyMaxFn(void *ctx, const HttpReq *req);

typedef struct HttpConf {
    HttpFn *handle;
    HttpBodyMaxFn *body_max; /* NULL = HTTP_BODY_BYTES_PRESET for all */
    void *ctx;
    uint32_t connections_max; /* 0 = 4096; beyond, new connections are closed at once */
    uint32_t peer_max;        /* 0 = 512 connections of one address (loopback is exempt) */
    bool loopback_only;       /* see http_server_loopback_only */
    uint32_t head_timeout_ms; /* 0 = HTTP_HEAD_TIMEOUT_MS */
} HttpConf;

/* Copies conf; listens on nothing yet. */
MUST Status http_server_open(Loop *loop, const HttpConf *conf, Log *log, HttpServer **ret_server);
/* "127.0.0.1:8080", "[::1]:8080"; port 0 takes a free one. ret_port may be NULL. */
MUST Status http_server_listen(HttpServer *server, const char *address, uint16_t *ret_port,
                               Diag *diag);
/* The same with TLS. The server owns `tls` from now on, also when it fails. One such listener. */
MUST Status http_server_listen_tls(HttpServer *server, const char *address, TlsServer *tls,
                                   uint16_t *ret_port, Diag *diag);
/* For new connections; takes over `tls`. */
void http_server_renew_tls(HttpServer *server, TlsServer *tls);
/* While true, connections from other machines are closed right after accept. */
void http_server_loopback_only(HttpServer *server, bool on);
/* Drains: no new connections, running answers are finished (at most grace_ms), WebSockets are
 * closed with 1001; then frees and calls done(ctx) on a later turn (NULL is accepted). */
void http_server_close(HttpServer *server, uint32_t grace_ms, LoopFn *done, void *ctx);

typedef struct HttpStats {
    uint64_t connections, connections_now, requests, websockets, websockets_now;
    uint64_t refused_limit, bad_requests, timeouts, bytes_in, bytes_out;
    uint64_t by_class[6]; /* answers 1xx..5xx at index 1..5 */
} HttpStats;
void http_server_stats(const HttpServer *server, HttpStats *ret_stats);

/* Adds a field to the coming answer. Refused (ignored, logged) when name or value could break the
 * framing. Date, Content-Length, Connection and Transfer-Encoding are the server's own. */
void http_set(HttpReq *req, const char *name, Str value);
/* Answers and consumes the request. `type` NULL = no body type. The body is copied. */
void http_answer(HttpReq *req, int code, const char *type, Str body);
/* As http_answer; the body is not copied and must live as long as the process. */
void http_answer_static(HttpReq *req, int code, const char *type, Str body);

/* A body of unknown length (chunked; closes the connection for HTTP/1.0). on_drain is called when
 * everything written so far left for the kernel; on_gone when the peer left: after it only
 * http_end() may be called. Both may be NULL. */
void http_begin(HttpReq *req, int code, const char *type, void (*on_drain)(void *ctx),
                void (*on_gone)(void *ctx), void *ctx);
/* Copies the bytes; returns how many now wait, SIZE_MAX when the peer has left. Stop writing above
 * 64 KiB until on_drain. */
size_t http_write(HttpReq *req, Str bytes);
void http_end(HttpReq *req); /* consumes the request */
/* Instead of http_end: the body did not become whole. Closes the connection, and so says it. */
void http_abort(HttpReq *req);

/* ---- WebSocket (RFC 6455) ---- */

typedef enum WsType { WS_TEXT = 1, WS_BINARY = 2 } WsType;

typedef struct WsConf {
    /* A whole message; text was checked as UTF-8. The bytes are lent for the call. Inside it
     * ws_close is allowed. */
    void (*on_message)(void *ctx, WsType type, Str bytes);
    /* The connection is gone (1006 = without a closing handshake); conn is freed after this call.
     * Called exactly once, also after an own ws_close. */
    void (*on_close)(void *ctx, uint16_t code);
    void (*on_drain)(void *ctx); /* all sent bytes left for the kernel; may be NULL */
    void *ctx;
    const char *subprotocol;    /* what the answer names; NULL = none */
    uint32_t message_bytes_max; /* 0 = 64 KiB; longer closes with 1009 */
    uint32_t ping_ms; /* 0 = 30 s of silence: ping; twice that: the connection is dropped */
    bool any_origin;  /* false: a browser's Origin must be the same host */
} WsConf;

/* True when the request asks for a WebSocket (Upgrade). */
bool ws_wanted(const HttpReq *req);
/* True when the client offers this subprotocol. */
bool ws_offers(const HttpReq *req, const char *subprotocol);
/* The handshake alone: ST_UNSUPPORTED (426) without Upgrade or for another version, ST_INVALID
 * (400) when it is broken, ST_FORBIDDEN (403) for a page of another host. */
MUST Status ws_check(const HttpReq *req, bool any_origin, Diag *diag);
/* Checks, takes the connection over and consumes the request. On failure it is NOT consumed:
 * answer it. */
MUST Status ws_accept(HttpReq *req, const WsConf *conf, WsConn **ret_conn, Diag *diag);
/* Copies and sends one message as one frame. Returns the bytes that now wait for the socket. */
size_t ws_send(WsConn *conn, WsType type, Str bytes);
size_t ws_waiting(const WsConn *conn);
void ws_pause(WsConn *conn, bool paused); /* stop or resume reading */
/* Starts the closing handshake (code 1000..4999 as RFC 6455, section 7.4); on_close follows. */
void ws_close(WsConn *conn, uint16_t code, const char *reason);

#endif
