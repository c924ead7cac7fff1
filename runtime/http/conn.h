/* runtime/http/conn.h: one connection and its current exchange; private to runtime/http.
 *
 * A connection handles one request at a time; later requests wait as bytes in `in`. The exchange
 * (the HttpReq the handler sees) may outlive the connection: then exchange->conn is NULL. */
#ifndef TUTTI_HTTP_CONN_H
#define TUTTI_HTTP_CONN_H

#include "base/buf.h"
#include "http/head.h"
#include "http/http.h"

#include <uv.h>

typedef struct HttpConn HttpConn;

typedef enum ConnState {
    CONN_HEAD,   /* between requests, or inside a head */
    CONN_BODY,   /* head done, body comes */
    CONN_WAIT,   /* the handler has the request, or is streaming the answer */
    CONN_WS,     /* belongs to ws.c */
    CONN_LINGER, /* last answer sent; what still comes is thrown away until the peer closes */
    CONN_CLOSING,
} ConnState;

typedef struct HttpExchange {
    HttpReq req; /* first: HttpReq* and HttpExchange* are the same address */
    HttpConn *conn;
    Buf body, fields; /* request body; extra fields of the answer, ready to send */
    bool keep_alive, minor0, upgrade, begun, chunked;
    void (*on_drain)(void *ctx);
    void (*on_gone)(void *ctx);
    void *ctx;
} HttpExchange;

struct HttpConn {
    uv_tcp_t tcp;
    uv_write_t write_req;
    HttpServer *server;
    HttpConn *next, *prev;
    ConnState state;
    Buf in, out, sending;
    size_t scan_at; /* of http__head_end */
    HttpChunks chunks;
    uint64_t body_left;
    bool body_chunked;
    HttpExchange *exchange;
    WsConn *ws;
    TlsConn *tls;         /* owned; NULL = plain */
    uint64_t deadline_ms; /* uv_now; 0 = none */
    uint64_t progress_ms; /* last time the socket took bytes */
    bool writing, reading, processing, resume_posted, closed, eof, end_when_sent, shut;
    bool paused;  /* ws_pause */
    bool in_head; /* the first byte of a head is here: its clock runs */
    bool broken;  /* the socket failed while writing: closes on a later turn */
    bool loopback;
    bool tls_ended; /* close_notify was said */
    char peer[46];
};

struct HttpServer {
    Loop *loop;
    Log *log;
    HttpConf conf;
    HttpConn *conns;
    struct HttpListener *listeners;
    TlsServer *tls; /* owned; of the listener that has TLS */
    LoopTimer *tick;
    HttpStats stats;
    int64_t date_s;
    char date[32];                /* "Sun, 06 Nov 1994 08:49:37 GMT" */
    uint32_t conn_count, handles; /* handles: uv handles not yet closed */
    bool closing, loopback_only;
    LoopFn *done;
    void *done_ctx;
    uint64_t grace_until_ms;
    char scratch[64 * 1024]; /* read buffer; bytes are consumed inside the read callback */
};

enum { CONN_LINGER_MS = 1500, CONN_STALL_MS = 60000, CONN_IN_BYTES_MAX = 256 * 1024 };
enum { CONN_OUT_BYTES_MAX = 64 << 20, CONN_TURN_REQUESTS = 32 };

void http__conn_accept(HttpServer *server, uv_stream_t *listener, bool tls);
void http__conn_close(HttpConn *conn); /* at once; accepts one that is closing already */
void http__conn_tick(HttpConn *conn, uint64_t now_ms);
/* Sends both pieces; what the socket does not take now is copied. */
void http__conn_write(HttpConn *conn, Str head, Str body);
size_t http__conn_waiting(const HttpConn *conn);
/* No more requests: when everything is sent, shut down and linger. */
void http__conn_end(HttpConn *conn);
void http__conn_reading(HttpConn *conn, bool on);
/* The exchange is over: goes on with the next request, later when called outside of input. */
void http__conn_next(HttpConn *conn);
/* Looks at the input again on a later turn. */
void http__conn_resume_later(HttpConn *conn);
void http__conn_fail(HttpConn *conn, int code);
void http__server_check_done(HttpServer *server);

/* answer.c */
void http__exchange_free(HttpExchange *exchange);
void http__put_head(HttpServer *server, Buf *out, int code, const char *type, Str fields);
const char *http__reason(int code);

/* ws.c */
void http__ws_input(HttpConn *conn);
void http__ws_gone(HttpConn *conn);
void http__ws_drained(HttpConn *conn);
void http__ws_tick(HttpConn *conn, uint64_t now_ms);

#endif
