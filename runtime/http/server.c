/* runtime/http/server.c: listening, accepting, the deadline tick, statistics, and draining.
 *
 * One coarse timer looks at all connections, and it exists only while there are any: an idle server
 * does nothing. The server's memory goes when its last socket has been closed. */
#include "http/conn.h"

#include "base/mem.h"

#include <stdlib.h>

typedef struct HttpListener {
    uv_tcp_t tcp;
    HttpServer *server;
    bool tls;
    struct HttpListener *next;
} HttpListener;

Status http_server_open(Loop *loop, const HttpConf *conf, Log *log, HttpServer **ret_server)
{
    HttpServer *server = mem_zalloc(1, sizeof *server);
    if (!server) return ST_NO_MEMORY;
    server->loop = loop;
    server->log = log;
    server->conf = *conf;
    server->loopback_only = conf->loopback_only;
    if (!server->conf.connections_max) server->conf.connections_max = 4096;
    if (!server->conf.peer_max) server->conf.peer_max = 512;
    if (!server->conf.head_timeout_ms) server->conf.head_timeout_ms = HTTP_HEAD_TIMEOUT_MS;
    *ret_server = server;
    return ST_OK;
}

static void on_tick(void *ctx)
{
    HttpServer *server = ctx;
    uint64_t now = uv_now(loop_uv(server->loop));
    for (HttpConn *conn = server->conns, *next; conn; conn = next) {
        next = conn->next;
        if (server->closing && now >= server->grace_until_ms)
            http__conn_close(conn);
        else
            http__conn_tick(conn, now);
    }
    if (server->conns) return;
    loop_timer_stop(server->tick);
    server->tick = NULL;
}

static void start_tick(HttpServer *server)
{
    uint64_t every_ms = server->conf.head_timeout_ms / 4;
    if (every_ms > 1000) every_ms = 1000;
    if (server->closing || every_ms < 20) every_ms = 20;
    if (server->tick) {
        if (!server->closing) return;
        loop_timer_stop(server->tick);
        server->tick = NULL;
    }
    if (loop_timer_start(server->loop, every_ms, every_ms, on_tick, server, &server->tick))
        log_error(server->log, "http", "no timer for deadlines", "reason=out of memory");
}

static void on_connection(uv_stream_t *stream, int status)
{
    HttpListener *listener = stream->data;
    if (status < 0) {
        log_warn(listener->server->log, "http", "accept failed", "error=%s", uv_strerror(status));
        return;
    }
    http__conn_accept(listener->server, stream, listener->tls);
    if (listener->server->conns) start_tick(listener->server);
}

static void on_listener_closed(uv_handle_t *handle)
{
    HttpListener *listener = handle->data;
    HttpServer *server = listener->server;
    mem_free(listener);
    server->handles--;
    http__server_check_done(server);
}

static Status parse_address(const char *text, struct sockaddr_storage *ret_address, Diag *diag)
{
    char host[64];
    int64_t port;
    const char *colon = strrchr(text, ':');
    if (!colon || !str_to_i64(str_from(colon + 1), &port) || port < 0 || port > 65535)
        return diag_set(diag, ST_INVALID, "\"%s\" is not ADDRESS:PORT", text);
    size_t len = (size_t)(colon - text);
    bool brackets = len >= 2 && text[0] == '[' && text[len - 1] == ']';
    if (brackets) {
        text++;
        len -= 2;
    }
    if (len == 0 || len >= sizeof host)
        return diag_set(diag, ST_INVALID, "no address before the port");
    memcpy(host, text, len);
    host[len] = '\0';
    int failed = brackets ? uv_ip6_addr(host, (int)port, (struct sockaddr_in6 *)ret_address)
                          : uv_ip4_addr(host, (int)port, (struct sockaddr_in *)ret_address);
    if (failed) return diag_set(diag, ST_INVALID, "\"%s\" is not an IP address", host);
    return ST_OK;
}

static uint16_t port_of(const uv_tcp_t *tcp)
{
    struct sockaddr_storage address;
    int len = sizeof address;
    if (uv_tcp_getsockname(tcp, (struct sockaddr *)&address, &len)) return 0;
    if (address.ss_family == AF_INET6) return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
    return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

static Status listen_at(HttpServer *server, const char *address, bool tls, uint16_t *ret_port,
                        Diag *diag)
{
    enum { BACKLOG = 511 };
    struct sockaddr_storage at = {0};
    Status st = parse_address(address, &at, diag);
    if (st) return st;
    HttpListener *listener = mem_zalloc(1, sizeof *listener);
    if (!listener) return diag_set(diag, ST_NO_MEMORY, "no memory for a listener");
    listener->server = server;
    listener->tls = tls;
    listener->tcp.data = listener;
    int error = uv_tcp_init(loop_uv(server->loop), &listener->tcp);
    if (error) {
        mem_free(listener);
        return diag_set(diag, ST_IO, "%s: %s", address, uv_strerror(error));
    }
    server->handles++;
    error = uv_tcp_bind(&listener->tcp, (const struct sockaddr *)&at, 0);
    if (!error) error = uv_listen((uv_stream_t *)&listener->tcp, BACKLOG, on_connection);
    if (error) {
        uv_close((uv_handle_t *)&listener->tcp, on_listener_closed);
        return diag_set(diag, ST_IO, "cannot listen on %s: %s", address, uv_strerror(error));
    }
    listener->next = server->listeners;
    server->listeners = listener;
    if (ret_port) *ret_port = port_of(&listener->tcp);
    return ST_OK;
}

Status http_server_listen(HttpServer *server, const char *address, uint16_t *ret_port, Diag *diag)
{
    return listen_at(server, address, false, ret_port, diag);
}

Status http_server_listen_tls(HttpServer *server, const char *address, TlsServer *tls,
                              uint16_t *ret_port, Diag *diag)
{
    http_server_renew_tls(server, tls);
    return listen_at(server, address, true, ret_port, diag);
}

/* Connections hold what they need of the one before. */
void http_server_renew_tls(HttpServer *server, TlsServer *tls)
{
    tls_server_free(server->tls);
    server->tls = tls;
}

void http_server_loopback_only(HttpServer *server, bool on)
{
    server->loopback_only = on;
}

void http_server_stats(const HttpServer *server, HttpStats *ret_stats)
{
    *ret_stats = server->stats;
    ret_stats->connections_now = server->conn_count;
}

static void server_done(void *ctx)
{
    HttpServer *server = ctx;
    LoopFn *done = server->done;
    void *done_ctx = server->done_ctx;
    loop_timer_stop(server->tick);
    tls_server_free(server->tls);
    mem_free(server);
    if (done) done(done_ctx);
}

void http__server_check_done(HttpServer *server)
{
    if (!server->closing || server->handles) return;
    server->handles = UINT32_MAX; /* only once */
    if (loop_post(server->loop, server_done, server)) server_done(server);
}

void http_server_close(HttpServer *server, uint32_t grace_ms, LoopFn *done, void *ctx)
{
    if (server->closing) return;
    server->closing = true;
    server->done = done;
    server->done_ctx = ctx;
    server->grace_until_ms = uv_now(loop_uv(server->loop)) + grace_ms;
    for (HttpListener *listener = server->listeners; listener; listener = listener->next)
        uv_close((uv_handle_t *)&listener->tcp, on_listener_closed);
    server->listeners = NULL;
    for (HttpConn *conn = server->conns, *next; conn; conn = next) {
        next = conn->next;
        if (conn->ws)
            ws_close(conn->ws, 1001, "server stops");
        else if (conn->state == CONN_HEAD && !conn->in.len)
            http__conn_close(conn);
    }
    if (server->conns) start_tick(server);
    http__server_check_done(server);
}
