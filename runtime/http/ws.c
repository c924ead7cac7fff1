/* runtime/http/ws.c: a connection after its upgrade: handshake, messages, pings, closing.
 *
 * A WsConn lives from ws_accept until its on_close returned. Both sides may start closing; ours
 * waits CLOSE_WAIT_MS for the peer's close frame and then drops the socket. */
#include "http/conn.h"

#include "base/mem.h"
#include "http/ws_frame.h"

enum { PING_PRESET_MS = 30000, CLOSE_WAIT_MS = 3000, MESSAGE_PRESET = 64 * 1024, KEY_BYTES = 24 };

struct WsConn {
    HttpConn *conn;
    WsConf conf;
    WsDecoder decoder;
    uint64_t heard_ms, pinged_ms;
    uint64_t close_deadline_ms; /* own close sent; 0 = open */
    uint16_t close_code;        /* what on_close reports */
    bool close_sent, input_over, paused;
};

static uint64_t now_ms(const WsConn *ws)
{
    return uv_now(loop_uv(ws->conn->server->loop));
}

bool ws_wanted(const HttpReq *req)
{
    const HttpExchange *exchange = (const HttpExchange *)req;
    return exchange->upgrade && http__has_token(http_field(req, "upgrade"), "websocket");
}

bool ws_offers(const HttpReq *req, const char *subprotocol)
{
    for (uint32_t i = 0; i < req->field_count; i++) {
        Str rest = req->fields[i].value;
        if (!http__same_text(req->fields[i].name, "sec-websocket-protocol")) continue;
        while (rest.len) {
            ptrdiff_t comma = str_find_char(rest, ',');
            size_t len = comma < 0 ? rest.len : (size_t)comma;
            if (str_is(str_trim((Str){rest.ptr, len}), subprotocol)) return true;
            rest = str_skip(rest, comma < 0 ? len : len + 1);
        }
    }
    return false;
}

/* 16 bytes in base64: 22 letters and "==". */
static bool key_valid(Str key)
{
    if (key.len != KEY_BYTES || key.ptr[22] != '=' || key.ptr[23] != '=') return false;
    for (size_t i = 0; i < 22; i++) {
        char c = key.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && c != '+' && c != '/') return false;
    }
    return true;
}

/* A browser names the page's origin; only our own pages may speak (cross-site hijacking). */
static bool origin_same(const HttpReq *req)
{
    Str origin = http_field(req, "origin");
    if (!origin.ptr) return true; /* not a browser */
    ptrdiff_t at = str_find(origin, STR("://"));
    if (at < 0) return false;
    Str host = http__lower(req->arena, str_skip(origin, (size_t)at + 3));
    return str_eq(host, req->host);
}

Status ws_check(const HttpReq *req, bool any_origin, Diag *diag)
{
    const HttpExchange *exchange = (const HttpExchange *)req;
    uint32_t keys = 0, versions = 0;
    for (uint32_t i = 0; i < req->field_count; i++) {
        keys += http__same_text(req->fields[i].name, "sec-websocket-key");
        versions += http__same_text(req->fields[i].name, "sec-websocket-version");
    }
    if (!ws_wanted(req) || exchange->minor0 || req->is_head || !str_is(req->method, "GET"))
        return diag_set(diag, ST_UNSUPPORTED, "this address speaks WebSocket: Upgrade is missing");
    if (versions != 1 || !str_is(http_field(req, "sec-websocket-version"), "13"))
        return diag_set(diag, ST_UNSUPPORTED, "only WebSocket version 13 is spoken");
    if (keys != 1 || !key_valid(http_field(req, "sec-websocket-key")) || req->body.len)
        return diag_set(diag, ST_INVALID, "the WebSocket handshake is not valid");
    if (!any_origin && !origin_same(req))
        return diag_set(diag, ST_FORBIDDEN, "the page comes from another host");
    return ST_OK;
}

Status ws_accept(HttpReq *req, const WsConf *conf, WsConn **ret_conn, Diag *diag)
{
    HttpExchange *exchange = (HttpExchange *)req;
    HttpConn *conn = exchange->conn;
    Status st = ws_check(req, conf->any_origin, diag);
    if (st) return st;
    if (!conn) return diag_set(diag, ST_CANCELLED, "the peer has left");
    if (conn->server->closing) return diag_set(diag, ST_UNAVAILABLE, "the server stops");
    WsConn *ws = mem_zalloc(1, sizeof *ws);
    if (!ws) return diag_set(diag, ST_NO_MEMORY, "no memory for a WebSocket");
    ws->conn = conn;
    ws->conf = *conf;
    if (!ws->conf.message_bytes_max) ws->conf.message_bytes_max = MESSAGE_PRESET;
    if (!ws->conf.ping_ms) ws->conf.ping_ms = PING_PRESET_MS;
    ws__decoder_init(&ws->decoder, ws->conf.message_bytes_max);
    ws->heard_ms = now_ms(ws);
    ws->close_code = 1006;

    char accept[29];
    Buf head;
    ws__accept_value(http_field(req, "sec-websocket-key"), accept);
    buf_init(&head, HTTP_HEAD_BYTES_MAX);
    http__put_head(conn->server, &head, 101, NULL, buf_view(&exchange->fields));
    buf_printf(&head, "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n",
               accept);
    if (conf->subprotocol) buf_printf(&head, "Sec-WebSocket-Protocol: %s\r\n", conf->subprotocol);
    buf_text(&head, "\r\n");
    conn->exchange = NULL;
    conn->ws = ws;
    conn->state = CONN_WS;
    conn->deadline_ms = 0;
    conn->server->stats.websockets++;
    conn->server->stats.websockets_now++;
    http__conn_write(conn, buf_view(&head), STR_NONE);
    buf_done(&head);
    http__exchange_free(exchange);
    *ret_conn = ws;
    if (!conn->processing) http__conn_resume_later(conn);
    return ST_OK;
}

static void send_frame(WsConn *ws, uint8_t opcode, Str bytes)
{
    unsigned char head[WS_FRAME_HEAD_BYTES_MAX];
    size_t len = ws__frame_head(head, opcode, bytes.len);
    http__conn_write(ws->conn, (Str){(const char *)head, len}, bytes);
}

size_t ws_send(WsConn *ws, WsType type, Str bytes)
{
    if (ws->conn && !ws->close_sent) send_frame(ws, (uint8_t)type, bytes);
    return ws_waiting(ws);
}

size_t ws_waiting(const WsConn *ws)
{
    return http__conn_waiting(ws->conn);
}

void ws_pause(WsConn *ws, bool paused)
{
    ws->paused = paused;
    ws->conn->paused = paused;
    if (paused)
        http__conn_reading(ws->conn, false);
    else
        http__conn_resume_later(ws->conn);
}

void ws_close(WsConn *ws, uint16_t code, const char *reason)
{
    char body[WS_CONTROL_BYTES_MAX];
    size_t len = reason ? strlen(reason) : 0;
    if (ws->close_sent) return;
    if (len > sizeof body - 2) len = sizeof body - 2;
    body[0] = (char)(code >> 8);
    body[1] = (char)(code & 0xff);
    if (len) memcpy(body + 2, reason, len);
    send_frame(ws, 8, (Str){body, len + 2});
    ws->close_sent = true;
    ws->close_code = code;
    ws->close_deadline_ms = now_ms(ws) + CLOSE_WAIT_MS;
    ws->conn->paused = false; /* the peer's close frame has to be read */
    http__conn_reading(ws->conn, true);
}

/* Both close frames are through, or the peer broke the rules: nothing more is read. */
static void finish(WsConn *ws)
{
    ws->input_over = true;
    http__conn_end(ws->conn);
}

static void on_peer_close(WsConn *ws, const WsEvent *event)
{
    if (!ws->close_sent) {
        ws->close_code = event->code;
        char body[2] = {(char)(event->code >> 8), (char)(event->code & 0xff)};
        send_frame(ws, 8, (Str){body, event->code == 1005 ? 0 : 2});
        ws->close_sent = true;
    }
    finish(ws);
}

void http__ws_input(HttpConn *conn)
{
    WsConn *ws = conn->ws;
    Buf *in = &conn->in;
    size_t used_all = 0;
    while (ws && used_all < in->len && conn->state == CONN_WS && !ws->input_over) {
        if (ws->paused && !ws->close_sent) break;
        size_t used = 0;
        WsEvent event = ws__decode(&ws->decoder, in->ptr + used_all, in->len - used_all, &used);
        used_all += used;
        ws->heard_ms = now_ms(ws);
        ws->pinged_ms = 0;
        switch (event.type) {
        case WS_MESSAGE:
            if (!ws->close_sent)
                ws->conf.on_message(ws->conf.ctx, event.text ? WS_TEXT : WS_BINARY, event.bytes);
            break;
        case WS_PING:
            if (!ws->close_sent) send_frame(ws, 10, event.bytes);
            break;
        case WS_CLOSE: on_peer_close(ws, &event); break;
        case WS_ERROR:
            conn->server->stats.bad_requests++;
            ws_close(ws, event.code, NULL);
            finish(ws);
            break;
        default: break;
        }
        ws = conn->ws;
    }
    if (ws && ws->input_over)
        buf_clear(in);
    else if (used_all)
        buf_consume(in, used_all);
}

void http__ws_drained(HttpConn *conn)
{
    WsConn *ws = conn->ws;
    if (!ws->close_sent && ws->conf.on_drain) ws->conf.on_drain(ws->conf.ctx);
}

void http__ws_gone(HttpConn *conn)
{
    WsConn *ws = conn->ws;
    conn->ws = NULL;
    conn->server->stats.websockets_now--;
    ws->conf.on_close(ws->conf.ctx, ws->close_code);
    ws__decoder_done(&ws->decoder);
    mem_free(ws);
}

void http__ws_tick(HttpConn *conn, uint64_t now)
{
    WsConn *ws = conn->ws;
    if (ws->close_sent || conn->state != CONN_WS) {
        if (now >= ws->close_deadline_ms && (!conn->deadline_ms || now >= conn->deadline_ms))
            http__conn_close(conn);
        return;
    }
    uint64_t silent = now - ws->heard_ms;
    if (silent > 2 * (uint64_t)ws->conf.ping_ms && !ws->paused) {
        conn->server->stats.timeouts++;
        http__conn_close(conn);
    } else if (silent > ws->conf.ping_ms && !ws->pinged_ms) {
        ws->pinged_ms = now;
        send_frame(ws, 9, STR_NONE);
    }
}
