/* tests/http/peer.c: a small program around the HTTP server, for peers that are other programs.
 *
 * curl, conformance tools and Node's WebSocket client talk to it; it prints its port and serves
 * until its standard input closes, so that it never outlives the script that started it.
 *   GET /        "hello"          POST /echo   the body back
 *   GET /stream  3 MiB in pieces  GET /ws      echoes WebSocket messages */
#include "http/http.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct Echo {
    WsConn *conn;
} Echo;

static void echo_message(void *ctx, WsType type, Str bytes)
{
    Echo *echo = ctx;
    (void)ws_send(echo->conn, type, bytes);
}

static void echo_closed(void *ctx, uint16_t code)
{
    (void)code;
    mem_free(ctx);
}

typedef struct Stream {
    HttpReq *req;
    uint32_t left;
} Stream;

enum { PIECE_BYTES = 16 * 1024, PIECES = 192 };

static void stream_more(void *ctx)
{
    static char piece[PIECE_BYTES];
    Stream *stream = ctx;
    memset(piece, 'x', sizeof piece);
    while (stream->left) {
        stream->left--;
        if (http_write(stream->req, (Str){piece, sizeof piece}) > 64 * 1024) return;
    }
    http_end(stream->req);
    mem_free(stream);
}

static void stream_gone(void *ctx)
{
    Stream *stream = ctx;
    http_end(stream->req);
    mem_free(stream);
}

static void on_ws(HttpReq *req)
{
    Diag diag;
    Echo *echo = mem_zalloc(1, sizeof *echo);
    WsConf conf = {.on_message = echo_message,
                   .on_close = echo_closed,
                   .ctx = echo,
                   .message_bytes_max = 17 << 20};
    Status st = echo ? ws_accept(req, &conf, &echo->conn, &diag) : ST_NO_MEMORY;
    if (!st) return;
    mem_free(echo);
    http_answer(req, st == ST_UNSUPPORTED ? 426 : status_http(st), "text/plain",
                str_from(diag.text));
}

static void handle(void *ctx, HttpReq *req)
{
    (void)ctx;
    bool get = str_is(req->method, "GET");
    if (get && (str_is(req->path, "/ws") || ws_wanted(req))) {
        on_ws(req);
    } else if (get && str_is(req->path, "/")) {
        http_answer(req, 200, "text/plain", STR("hello\n"));
    } else if (str_is(req->method, "POST") && str_is(req->path, "/echo")) {
        http_answer(req, 200, "application/octet-stream", req->body);
    } else if (get && str_is(req->path, "/stream")) {
        Stream *stream = mem_zalloc(1, sizeof *stream);
        if (!stream) abort();
        *stream = (Stream){.req = req, .left = PIECES};
        http_begin(req, 200, "text/plain", stream_more, stream_gone, stream);
        stream_more(stream);
    } else if (str_is(req->path, "/") || str_is(req->path, "/echo")) {
        http_set(req, "Allow", STR("GET, POST"));
        http_answer(req, 405, "text/plain", STR("no\n"));
    } else {
        http_answer(req, 404, "text/plain", STR("nothing here\n"));
    }
}

static Loop *loop;
static HttpServer *server;

static void stopped(void *ctx)
{
    (void)ctx;
    loop_stop(loop);
}

static void on_stdin(uv_poll_t *poll, int status, int events)
{
    char byte;
    (void)status;
    (void)events;
    if (fread(&byte, 1, 1, stdin) == 1) return;
    uv_poll_stop(poll);
    http_server_close(server, 500, stopped, NULL);
}

int main(void)
{
    uint16_t port;
    Diag diag;
    uv_poll_t poll;
    Log *log = log_new(LOG_WARN, false);
    HttpConf conf = {.handle = handle};
    if (!log || loop_new(&loop) || http_server_open(loop, &conf, log, &server)) return 70;
    if (http_server_listen(server, "127.0.0.1:0", &port, &diag)) {
        fprintf(stderr, "%s\n", diag.text);
        return 1;
    }
    printf("%u\n", port);
    fflush(stdout);
    if (uv_poll_init(loop_uv(loop), &poll, 0) || uv_poll_start(&poll, UV_READABLE, on_stdin))
        return 70;
    loop_run(loop);
    loop_free(loop);
    log_free(log);
    return 0;
}
