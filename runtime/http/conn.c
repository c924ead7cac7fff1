/* runtime/http/conn.c: a connection from accept to close: input, output, deadlines.
 *
 * Owns the socket. Invariants: at most one exchange at a time, so pipelined answers keep their
 * order; at most one write is in flight, new bytes gather in `out` and follow it; the memory of the
 * connection goes only after the socket's close callback and after a posted resume ran. Errors
 * in framing end in http__conn_fail: answer, stop parsing for good, close. */
#include "http/conn.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

static void conn_process(HttpConn *conn);

static uint64_t now_ms(const HttpConn *conn)
{
    return uv_now(conn->tcp.loop);
}

static void conn_free(HttpConn *conn)
{
    HttpServer *server = conn->server;
    buf_done(&conn->in);
    buf_done(&conn->out);
    buf_done(&conn->sending);
    tls_conn_free(conn->tls);
    mem_free(conn);
    server->handles--;
    http__server_check_done(server);
}

static void on_closed(uv_handle_t *handle)
{
    HttpConn *conn = handle->data;
    conn->closed = true;
    if (!conn->resume_posted) conn_free(conn);
}

void http__conn_close(HttpConn *conn)
{
    HttpServer *server = conn->server;
    if (conn->state == CONN_CLOSING) return;
    bool handed_over = conn->state != CONN_BODY; /* the handler has seen the exchange */
    conn->state = CONN_CLOSING;
    if (conn->prev)
        conn->prev->next = conn->next;
    else
        server->conns = conn->next;
    if (conn->next) conn->next->prev = conn->prev;
    server->conn_count--;
    uv_close((uv_handle_t *)&conn->tcp, on_closed);
    HttpExchange *exchange = conn->exchange;
    conn->exchange = NULL;
    if (exchange && !handed_over) {
        http__exchange_free(exchange);
    } else if (exchange) {
        exchange->conn = NULL;
        if (exchange->begun && exchange->on_gone) exchange->on_gone(exchange->ctx);
    }
    if (conn->ws) http__ws_gone(conn);
}

/* ---- output ---- */

/* The socket failed while somebody writes: closes on a later turn, not under the writer's feet. */
static void conn_break(HttpConn *conn)
{
    conn->broken = true;
    http__conn_resume_later(conn);
}

static void write_more(HttpConn *conn);

static void on_drained(HttpConn *conn)
{
    if (conn->end_when_sent) {
        http__conn_end(conn);
        return;
    }
    HttpExchange *exchange = conn->exchange;
    if (conn->ws)
        http__ws_drained(conn);
    else if (exchange && exchange->begun && exchange->on_drain)
        exchange->on_drain(exchange->ctx);
}

static void on_written(uv_write_t *req, int status)
{
    HttpConn *conn = req->data;
    conn->writing = false;
    if (conn->state == CONN_CLOSING) return;
    if (status < 0) {
        http__conn_close(conn);
        return;
    }
    conn->server->stats.bytes_out += conn->sending.len;
    conn->progress_ms = now_ms(conn);
    if (conn->sending.cap > 16 * 1024)
        buf_done(&conn->sending);
    else
        buf_clear(&conn->sending);
    if (conn->out.len)
        write_more(conn);
    else
        on_drained(conn);
}

static void write_more(HttpConn *conn)
{
    Buf swap = conn->sending;
    conn->sending = conn->out;
    conn->out = swap;
    conn->out.max_bytes = CONN_OUT_BYTES_MAX;
    buf_clear(&conn->out);
    uv_buf_t piece = uv_buf_init(conn->sending.ptr, (unsigned)conn->sending.len);
    conn->write_req.data = conn;
    conn->progress_ms = now_ms(conn);
    if (uv_write(&conn->write_req, (uv_stream_t *)&conn->tcp, &piece, 1, on_written))
        conn_break(conn);
    else
        conn->writing = true;
}

/* Bytes for the wire. */
static void send_pieces(HttpConn *conn, Str head, Str body)
{
    size_t sent = 0;
    if (conn->state == CONN_CLOSING || conn->broken) return;
    if (!conn->writing && !conn->out.len) {
        uv_buf_t pieces[2] = {{(char *)(uintptr_t)head.ptr, head.len},
                              {(char *)(uintptr_t)body.ptr, body.len}};
        int got = uv_try_write((uv_stream_t *)&conn->tcp, pieces, body.len ? 2 : 1);
        if (got < 0 && got != UV_EAGAIN) {
            conn_break(conn);
            return;
        }
        sent = got > 0 ? (size_t)got : 0;
        conn->server->stats.bytes_out += sent;
    }
    size_t head_sent = sent < head.len ? sent : head.len;
    buf_str(&conn->out, str_skip(head, head_sent));
    buf_str(&conn->out, str_skip(body, sent - head_sent));
    if (buf_status(&conn->out)) {
        log_warn(conn->server->log, "http", "connection dropped", "peer=%s reason=%s", conn->peer,
                 status_name(buf_status(&conn->out)));
        conn_break(conn);
    } else if (conn->out.len && !conn->writing) {
        write_more(conn);
    }
}

static void send_wire(HttpConn *conn)
{
    Buf *wire = tls_conn_wire(conn->tls);
    if (wire->len) send_pieces(conn, buf_view(wire), STR_NONE);
    if (wire->cap > 64 * 1024)
        buf_done(wire);
    else
        buf_clear(wire);
}

void http__conn_write(HttpConn *conn, Str head, Str body)
{
    if (!conn->tls) {
        send_pieces(conn, head, body);
        return;
    }
    if (conn->state == CONN_CLOSING || conn->broken) return;
    if (!tls_conn_up(conn->tls) || tls_conn_output(conn->tls, head.ptr, head.len) ||
        (body.len && tls_conn_output(conn->tls, body.ptr, body.len)))
        conn_break(conn);
    else
        send_wire(conn);
}

size_t http__conn_waiting(const HttpConn *conn)
{
    return conn->out.len + (conn->writing ? conn->sending.len : 0);
}

static void on_shutdown(uv_shutdown_t *req, int status)
{
    (void)status;
    mem_free(req);
}

/* Closing with bytes unread would reset the connection and may destroy the answer on its way, so
 * the peer gets a moment to read it and to close first (RFC 9112, section 9.6). */
void http__conn_end(HttpConn *conn)
{
    if (conn->state == CONN_CLOSING) return;
    conn->end_when_sent = true;
    if (conn->tls && !conn->tls_ended) {
        conn->tls_ended = true;
        tls_conn_end(conn->tls);
        send_wire(conn);
    }
    if (http__conn_waiting(conn)) {
        conn->state = CONN_LINGER;
        conn->deadline_ms = 0; /* the stall limit watches the write */
        return;
    }
    uv_shutdown_t *req = conn->shut || conn->eof ? NULL : mem_alloc(sizeof *req);
    if (!req) {
        http__conn_close(conn);
        return;
    }
    conn->shut = true;
    conn->state = CONN_LINGER;
    conn->deadline_ms = now_ms(conn) + CONN_LINGER_MS;
    buf_clear(&conn->in);
    if (uv_shutdown(req, (uv_stream_t *)&conn->tcp, on_shutdown)) {
        mem_free(req);
        http__conn_close(conn);
        return;
    }
    http__conn_reading(conn, true);
}

void http__conn_fail(HttpConn *conn, int code)
{
    Buf head;
    buf_init(&head, 1024);
    conn->server->stats.bad_requests++;
    http__put_head(conn->server, &head, code, "text/plain", STR("Connection: close\r\n"));
    const char *reason = http__reason(code);
    buf_printf(&head, "Content-Length: %zu\r\n\r\n%s\n", strlen(reason) + 1, reason);
    http__conn_write(conn, buf_view(&head), STR_NONE);
    buf_done(&head);
    http__conn_end(conn);
}

/* ---- input ---- */

static uint32_t body_max(HttpConn *conn, const HttpReq *req)
{
    const HttpConf *conf = &conn->server->conf;
    uint32_t max = conf->body_max ? conf->body_max(conf->ctx, req) : 0;
    return max ? max : HTTP_BODY_BYTES_PRESET;
}

/* Copies the head into the exchange's arena and cuts it there, so that slices live with it. */
static int exchange_open(HttpConn *conn, Str head_bytes, HttpFrame *ret_frame)
{
    HttpHead head;
    Arena *arena = arena_new(4096, 4u << 20);
    HttpExchange *exchange = arena ? arena_one(arena, HttpExchange) : NULL;
    Str text = exchange ? arena_str(arena, head_bytes) : STR_NONE;
    if (!text.ptr) {
        arena_free(arena);
        return 503;
    }
    exchange->req = (HttpReq){.arena = arena, .loopback = conn->loopback, .tls = conn->tls != NULL};
    buf_init(&exchange->body, HTTP_BODY_BYTES_PRESET);
    buf_init(&exchange->fields, HTTP_HEAD_BYTES_MAX);
    conn->exchange = exchange;
    exchange->conn = conn;
    HttpReq *req = &exchange->req;
    int code = http__head_lex(text, &head);
    if (!code) code = http__frame(&head, ret_frame);
    if (code) return code;
    HttpField *fields = arena_many(arena, HttpField, head.field_count + 1);
    req->host = http__lower(arena, ret_frame->host);
    req->peer = arena_str(arena, str_from(conn->peer));
    if (!fields || !req->host.ptr || !req->peer.ptr) return 503;
    memcpy(fields, head.fields, head.field_count * sizeof *fields);
    req->fields = fields;
    req->field_count = head.field_count;
    req->method = head.method;
    if (str_is(head.method, "HEAD")) {
        req->is_head = true;
        req->method = STR("GET");
    }
    exchange->keep_alive = ret_frame->keep_alive && !conn->server->closing;
    exchange->minor0 = head.minor == 0;
    exchange->upgrade = ret_frame->upgrade;
    if (str_is(head.method, "CONNECT")) return 501;
    if (str_is(head.method, "OPTIONS") && str_is(head.target, "*")) {
        req->path = STR("*");
        return 0;
    }
    return http__target(arena, head.target, req->host, &req->path, &req->query);
}

/* A complete head starts an exchange. False: more bytes are needed, or the connection ended. */
static bool conn_head(HttpConn *conn)
{
    Buf *in = &conn->in;
    HttpFrame frame;
    size_t empty = 0;
    while (in->len - empty >= 2 && memcmp(in->ptr + empty, "\r\n", 2) == 0) empty += 2;
    if (empty > 2 * HTTP_EMPTY_LINES_MAX) {
        http__conn_fail(conn, 400);
        return false;
    }
    if (empty) buf_consume(in, empty);
    if (!in->len) return false;
    size_t window = in->len < HTTP_HEAD_BYTES_MAX ? in->len : HTTP_HEAD_BYTES_MAX;
    ptrdiff_t len = http__head_end(in->ptr, window, &conn->scan_at);
    if (len == 0 && window == HTTP_HEAD_BYTES_MAX) {
        bool in_line = !memchr(in->ptr, '\n', window);
        http__conn_fail(conn, in_line ? 414 : 431);
        return false;
    }
    if (len < 0) {
        http__conn_fail(conn, 400);
        return false;
    }
    if (len == 0) return false;
    conn->scan_at = 0;
    conn->in_head = false;
    int code = exchange_open(conn, (Str){in->ptr, (size_t)len}, &frame);
    buf_consume(in, (size_t)len);
    if (!code) {
        uint32_t max = body_max(conn, &conn->exchange->req);
        conn->exchange->body.max_bytes = max;
        if (frame.has_length && frame.content_length > max) code = 413;
    }
    if (code) {
        if (conn->exchange) http__exchange_free(conn->exchange);
        conn->exchange = NULL;
        http__conn_fail(conn, code);
        return false;
    }
    conn->state = CONN_BODY;
    conn->deadline_ms = now_ms(conn) + HTTP_BODY_TIMEOUT_MS;
    conn->body_chunked = frame.chunked;
    conn->body_left = frame.has_length ? frame.content_length : 0;
    conn->chunks = (HttpChunks){0};
    if (frame.expect_continue && !in->len && (conn->body_left || frame.chunked))
        http__conn_write(conn, STR("HTTP/1.1 100 Continue\r\n\r\n"), STR_NONE);
    return conn->state == CONN_BODY;
}

static bool conn_body(HttpConn *conn)
{
    HttpExchange *exchange = conn->exchange;
    Buf *in = &conn->in;
    bool done = false;
    int code = 0;
    if (conn->body_chunked) {
        size_t used = 0;
        code = http__chunks(&conn->chunks, in->ptr, in->len, &exchange->body, &used, &done);
        if (!code) buf_consume(in, used);
    } else {
        size_t take = in->len < conn->body_left ? in->len : (size_t)conn->body_left;
        if (take) buf_add(&exchange->body, in->ptr, take);
        if (buf_status(&exchange->body)) code = 413;
        if (take) buf_consume(in, take);
        conn->body_left -= take;
        done = conn->body_left == 0;
    }
    if (code) {
        http__exchange_free(exchange);
        conn->exchange = NULL;
        http__conn_fail(conn, code);
        return false;
    }
    if (!done) return false;
    exchange->req.body = buf_view(&exchange->body);
    conn->state = CONN_WAIT;
    conn->deadline_ms = 0;
    conn->server->stats.requests++;
    conn->server->conf.handle(conn->server->conf.ctx, &exchange->req);
    return true;
}

static void conn_resume(void *ctx)
{
    HttpConn *conn = ctx;
    conn->resume_posted = false;
    if (conn->closed)
        conn_free(conn);
    else if (conn->broken)
        http__conn_close(conn);
    else if (conn->state != CONN_CLOSING)
        conn_process(conn);
}

void http__conn_resume_later(HttpConn *conn)
{
    if (conn->resume_posted) return;
    conn->resume_posted = true;
    if (loop_post(conn->server->loop, conn_resume, conn)) {
        conn->resume_posted = false;
        http__conn_close(conn);
    }
}

static void conn_process(HttpConn *conn)
{
    uint32_t turns = 0;
    conn->processing = true;
    for (bool more = true; more;) {
        switch (conn->state) {
        case CONN_HEAD:
            if (++turns > CONN_TURN_REQUESTS) { /* let the others have a turn */
                http__conn_resume_later(conn);
                more = false;
            } else {
                more = conn_head(conn);
            }
            break;
        case CONN_BODY: more = conn_body(conn); break;
        case CONN_WS:
            http__ws_input(conn);
            more = false;
            break;
        case CONN_LINGER:
            buf_clear(&conn->in);
            more = false;
            break;
        default: more = false; break;
        }
    }
    conn->processing = false;
    if (conn->state == CONN_CLOSING) return;
    if (conn->state == CONN_HEAD) {
        /* The clock of a head starts with its first byte and is not wound up by later ones. */
        if (conn->in.len && !conn->in_head)
            conn->deadline_ms = now_ms(conn) + conn->server->conf.head_timeout_ms;
        conn->in_head = conn->in.len > 0;
        if (!conn->resume_posted && (conn->eof || (conn->server->closing && !conn->in.len))) {
            http__conn_end(conn);
            return;
        }
    }
    if (conn->state == CONN_WS && conn->eof) {
        http__conn_close(conn); /* the peer left while the upgrade was being answered */
        return;
    }
    if (!conn->in.len && conn->in.cap) buf_done(&conn->in);
    if (conn->state != CONN_LINGER)
        http__conn_reading(conn, conn->in.len < CONN_IN_BYTES_MAX / 2 && !conn->paused);
}

void http__conn_next(HttpConn *conn)
{
    HttpExchange *exchange = conn->exchange;
    bool keep = exchange->keep_alive;
    conn->exchange = NULL;
    http__exchange_free(exchange);
    if (conn->state == CONN_CLOSING) return;
    if (!keep || conn->end_when_sent) {
        http__conn_end(conn);
        return;
    }
    conn->state = CONN_HEAD;
    conn->scan_at = 0;
    conn->deadline_ms = now_ms(conn) + HTTP_IDLE_TIMEOUT_MS;
    if (conn->processing) return;
    http__conn_reading(conn, true);
    if (conn->in.len || conn->eof || conn->server->closing) http__conn_resume_later(conn);
}

static void on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *ret_buf)
{
    (void)hint;
    HttpConn *conn = handle->data;
    *ret_buf = uv_buf_init(conn->server->scratch, sizeof conn->server->scratch);
}

static void on_end(HttpConn *conn, bool orderly)
{
    /* A half-closed peer still gets the answer to what it asked completely. */
    conn->eof = true;
    bool busy = conn->state == CONN_WAIT || (conn->state == CONN_LINGER && !conn->shut);
    if (!orderly || !busy)
        http__conn_close(conn);
    else
        http__conn_reading(conn, false);
}

static void on_plain(void *ctx, const char *bytes, size_t len)
{
    HttpConn *conn = ctx;
    buf_add(&conn->in, bytes, len);
}

/* Requests first, then what TLS said behind them: that the peer ends, or that it is none. */
static void input_tls(HttpConn *conn, Str bytes)
{
    size_t before = conn->in.len;
    Status st = tls_conn_input(conn->tls, bytes.ptr, bytes.len, on_plain, conn);
    send_wire(conn);
    if (buf_status(&conn->in)) {
        http__conn_close(conn);
        return;
    }
    if (conn->in.len > before) conn_process(conn);
    if (!st || conn->state == CONN_CLOSING) return;
    if (st != ST_UNAVAILABLE)
        log_debug(conn->server->log, "http", "TLS failed", "peer=%s error=%s", conn->peer,
                  tls_conn_error(conn->tls));
    on_end(conn, st == ST_UNAVAILABLE);
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *bytes)
{
    HttpConn *conn = stream->data;
    if (got == 0 || conn->state == CONN_CLOSING) return;
    if (got < 0) {
        on_end(conn, got == UV_EOF);
        return;
    }
    conn->server->stats.bytes_in += (uint64_t)got;
    if (conn->state == CONN_LINGER) return;
    if (conn->tls) {
        input_tls(conn, str_slice(bytes->base, (size_t)got));
        return;
    }
    buf_add(&conn->in, bytes->base, (size_t)got);
    if (buf_status(&conn->in)) {
        http__conn_close(conn);
        return;
    }
    conn_process(conn);
}

void http__conn_reading(HttpConn *conn, bool on)
{
    if (conn->state == CONN_CLOSING || conn->reading == on || (on && conn->eof)) return;
    conn->reading = on;
    if (!on)
        (void)uv_read_stop((uv_stream_t *)&conn->tcp);
    else if (uv_read_start((uv_stream_t *)&conn->tcp, on_alloc, on_read))
        http__conn_close(conn);
}

/* ---- accept, deadlines ---- */

static bool same_peer_full(const HttpServer *server, const char *peer)
{
    uint32_t count = 0;
    for (const HttpConn *conn = server->conns; conn; conn = conn->next)
        if (strcmp(conn->peer, peer) == 0) count++;
    return count >= server->conf.peer_max;
}

static void read_peer(HttpConn *conn)
{
    struct sockaddr_storage address;
    int len = sizeof address;
    if (uv_tcp_getpeername(&conn->tcp, (struct sockaddr *)&address, &len)) return;
    if (address.ss_family == AF_INET) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)&address;
        (void)uv_ip4_name(v4, conn->peer, sizeof conn->peer);
        conn->loopback = (ntohl(v4->sin_addr.s_addr) >> 24) == 127;
    } else {
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address;
        (void)uv_ip6_name(v6, conn->peer, sizeof conn->peer);
        conn->loopback = IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr) ||
                         (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) && v6->sin6_addr.s6_addr[12] == 127);
    }
}

void http__conn_accept(HttpServer *server, uv_stream_t *listener, bool tls)
{
    HttpConn *conn = mem_zalloc(1, sizeof *conn);
    if (!conn) {
        log_error(server->log, "http", "connection refused", "reason=out of memory");
        return;
    }
    conn->server = server;
    conn->tcp.data = conn;
    buf_init(&conn->in, CONN_IN_BYTES_MAX);
    buf_init(&conn->out, CONN_OUT_BYTES_MAX);
    buf_init(&conn->sending, CONN_OUT_BYTES_MAX);
    if (uv_tcp_init(loop_uv(server->loop), &conn->tcp)) {
        mem_free(conn);
        return;
    }
    server->handles++;
    server->conn_count++;
    conn->next = server->conns;
    if (conn->next) conn->next->prev = conn;
    server->conns = conn;
    if (uv_accept(listener, (uv_stream_t *)&conn->tcp)) {
        http__conn_close(conn);
        return;
    }
    server->stats.connections++;
    read_peer(conn);
    bool refused =
        server->closing || server->conn_count > server->conf.connections_max ||
        (!conn->loopback && (server->loopback_only || same_peer_full(server, conn->peer)));
    if (refused) {
        server->stats.refused_limit++;
        http__conn_close(conn);
        return;
    }
    if (tls && !(conn->tls = tls_conn_new(server->tls, CONN_OUT_BYTES_MAX))) {
        log_error(server->log, "http", "connection refused", "reason=out of memory for TLS");
        http__conn_close(conn);
        return;
    }
    loop_tcp_tune(&conn->tcp);
    conn->deadline_ms = now_ms(conn) + server->conf.head_timeout_ms;
    http__conn_reading(conn, true);
}

void http__conn_tick(HttpConn *conn, uint64_t now)
{
    if (conn->writing && now - conn->progress_ms > CONN_STALL_MS) {
        conn->server->stats.timeouts++;
        http__conn_close(conn);
        return;
    }
    if (conn->ws) {
        http__ws_tick(conn, now);
        return;
    }
    if (!conn->deadline_ms || now < conn->deadline_ms) return;
    if (conn->state == CONN_LINGER || (conn->state == CONN_HEAD && !conn->in.len)) {
        http__conn_close(conn);
        return;
    }
    conn->server->stats.timeouts++;
    if (conn->exchange) http__exchange_free(conn->exchange);
    conn->exchange = NULL;
    http__conn_fail(conn, 408);
}
