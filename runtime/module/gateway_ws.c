/* runtime/module/gateway_ws.c: sockets the edge carries for others: live data and MQTT.
 *
 * Live data belongs to the websocket module; it may run in another process, so text goes both ways
 * over the bus and the socket stays here:
 *   websocket.open {"conn","user",...}   asked once per socket; its answer is the first frame
 *   websocket.from.CONN.text|gone|slow|drained    what the socket says (body of text: the message)
 *   websocket.to.CONN.text|frame|end              what it shall get; end: {"code","reason"}
 * A `frame` is droppable: with GW_SLOW_BYTES waiting it is left out, the module hears "slow" once
 * and "drained" when the socket has room again. So nothing ever queues up for a slow page. */
#include "module/gateway_int.h"

#include "base/mem.h"
#include "mqtt/broker.h"

#include <stdio.h>

typedef struct GwSocket {
    Gateway *gateway;
    WsConn *ws;
    struct GwSocket *next, *prev;
    uint64_t id;
    char *session; /* owned; empty when signed in by token */
    bool slow, opened;
} GwSocket;

static void say(GwSocket *socket, const char *what, Str body)
{
    char subject[GW_SUBJECT_MAX];
    (void)snprintf(subject, sizeof subject, "websocket.from.%llu.%s",
                   (unsigned long long)socket->id, what);
    if (bus_publish(socket->gateway->conf.bus, str_from(subject), body))
        log_warn(socket->gateway->conf.log, "gateway", "message not handed on", "socket=%llu",
                 (unsigned long long)socket->id);
}

static void on_message(void *ctx, WsType type, Str bytes)
{
    GwSocket *socket = ctx;
    if (type != WS_TEXT)
        ws_close(socket->ws, 1003, "text only");
    else
        say(socket, "text", bytes);
}

static void on_drain(void *ctx)
{
    GwSocket *socket = ctx;
    if (!socket->slow) return;
    socket->slow = false;
    say(socket, "drained", STR_NONE);
}

static void on_close(void *ctx, uint16_t code)
{
    GwSocket *socket = ctx;
    Gateway *gateway = socket->gateway;
    (void)code;
    if (socket->opened) say(socket, "gone", STR_NONE);
    if (socket->prev)
        socket->prev->next = socket->next;
    else
        gateway->sockets = socket->next;
    if (socket->next) socket->next->prev = socket->prev;
    gateway->socket_count--;
    mem_free(socket->session);
    mem_free(socket);
}

static GwSocket *socket_find(Gateway *gateway, uint64_t id)
{
    GwSocket *socket = gateway->sockets;
    while (socket && socket->id != id) socket = socket->next;
    return socket;
}

typedef struct Opening {
    Gateway *gateway;
    uint64_t id; /* the socket may be gone when the answer comes */
} Opening;

static void on_opened(void *ctx, Status status, Str body)
{
    Opening *opening = ctx;
    Gateway *gateway = opening->gateway;
    uint64_t id = opening->id;
    GwSocket *socket = socket_find(gateway, id);
    mem_free(opening);
    gateway->pending--;
    if (socket && status) {
        ws_close(socket->ws, status == ST_FORBIDDEN ? 1008 : 1013, status_text(status));
    } else if (socket) {
        socket->opened = true;
        (void)ws_send(socket->ws, WS_TEXT, body); /* the answer is the page's first frame */
        ws_pause(socket->ws, false);
    } else if (!status) {
        GwSocket gone = {.gateway = gateway, .id = id};
        say(&gone, "gone", STR_NONE);
    }
    gateway__check_done(gateway);
}

static Status ask_open(GwCall *call, GwSocket *socket)
{
    Opening *opening = mem_alloc(sizeof *opening);
    if (!opening) return ST_NO_MEMORY;
    *opening = (Opening){call->gateway, socket->id};
    BusCaller system = {.roles = ROLE_SYSTEM | ROLE_ADMIN};
    Buf body;
    JsonOut out;
    buf_init(&body, 16 * 1024);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_field_int(&out, "conn", (int64_t)socket->id);
    json_key(&out, "user");
    json_put_raw(&out, call->user_json.len ? call->user_json : STR("{}"));
    json_field_int(&out, "roles", call->caller.roles);
    json_end(&out);
    Status st = bus_request(call->gateway->conf.bus, STR("websocket.open"), buf_view(&body),
                            &system, 5000, on_opened, opening);
    buf_done(&body);
    if (st)
        mem_free(opening);
    else
        call->gateway->pending++;
    return st;
}

void gateway__live(GwCall *call)
{
    Gateway *gateway = call->gateway;
    HttpReq *req = call->req;
    Diag diag = {0};
    if (!gateway__has_role(call, ROLE_VIEW)) {
        gateway__fail(req, call->caller.user.len ? ST_FORBIDDEN : ST_UNAUTHENTICATED, 0, NULL);
        return;
    }
    if (gateway->socket_count >= gateway->conf.sockets_max) {
        gateway__fail(req, ST_BUSY, 503, "too many pages are open");
        return;
    }
    GwSocket *socket = mem_zalloc(1, sizeof *socket);
    char *session = mem_alloc(call->session.len + 1);
    if (!socket || !session) {
        mem_free(socket);
        mem_free(session);
        gateway__fail(req, ST_NO_MEMORY, 0, NULL);
        return;
    }
    if (call->session.len) memcpy(session, call->session.ptr, call->session.len);
    session[call->session.len] = '\0';
    *socket = (GwSocket){.gateway = gateway, .id = ++gateway->socket_serial, .session = session};
    WsConf conf = {.on_message = on_message,
                   .on_close = on_close,
                   .on_drain = on_drain,
                   .ctx = socket,
                   .message_bytes_max = GW_CLIENT_BYTES_MAX};
    Status st = ask_open(call, socket); /* first: ws_accept consumes the request */
    if (!st) st = ws_accept(req, &conf, &socket->ws, &diag);
    if (st) {
        mem_free(session);
        mem_free(socket);
        gateway__fail(req, st, st == ST_UNSUPPORTED ? 426 : 0, diag.text);
        return;
    }
    socket->next = gateway->sockets;
    if (socket->next) socket->next->prev = socket;
    gateway->sockets = socket;
    gateway->socket_count++;
    ws_pause(socket->ws, true); /* until the module has let it in */
}

static void send_end(GwSocket *socket, Str body)
{
    Arena *arena = arena_new(1024, 64 * 1024);
    const Json *json = NULL;
    int64_t code = 1000;
    char reason[100] = "";
    if (arena && !json_read(arena, body, &json, NULL)) {
        code = json_int(json, "code", 1000);
        Str text = json_str(json, "reason", STR_NONE);
        (void)snprintf(reason, sizeof reason, "%.*s", STR_ARG(text));
    }
    arena_free(arena);
    ws_close(socket->ws, code >= 1000 && code <= 4999 ? (uint16_t)code : 1011, reason);
}

/* websocket.to.CONN.what */
static void on_to_socket(void *ctx, const BusMsg *msg)
{
    Gateway *gateway = ctx;
    Str rest = str_skip(msg->subject, sizeof "websocket.to." - 1);
    ptrdiff_t dot = str_find_char(rest, '.');
    int64_t id;
    if (dot <= 0 || !str_to_i64((Str){rest.ptr, (size_t)dot}, &id)) return;
    GwSocket *socket = socket_find(gateway, (uint64_t)id);
    Str what = str_skip(rest, (size_t)dot + 1);
    if (!socket || !socket->opened) return;
    if (str_is(what, "end")) {
        send_end(socket, msg->body);
    } else if (str_is(what, "frame") && ws_waiting(socket->ws) > GW_SLOW_BYTES) {
        gateway->frames_skipped++;
        if (!socket->slow) say(socket, "slow", STR_NONE);
        socket->slow = true;
    } else if (ws_send(socket->ws, WS_TEXT, msg->body) > GW_STUCK_BYTES) {
        ws_close(socket->ws, 1013, "too slow");
    }
}

static void on_session_ended(void *ctx, const BusMsg *msg)
{
    Gateway *gateway = ctx;
    Arena *arena = arena_new(1024, 64 * 1024);
    const Json *json = NULL;
    Str session = STR_NONE;
    if (arena && !json_read(arena, msg->body, &json, NULL))
        session = json_str(json, "session", STR_NONE);
    for (GwSocket *socket = gateway->sockets, *next; session.len && socket; socket = next) {
        next = socket->next;
        if (str_is(session, socket->session)) ws_close(socket->ws, 4001, "session ended");
    }
    arena_free(arena);
}

Status gateway__sockets_open(Gateway *gateway)
{
    Status st = bus_subscribe(gateway->conf.bus, "websocket.to.>", NULL, 65536, BUS_LATEST_WINS,
                              on_to_socket, gateway, &gateway->to_sockets);
    if (st) return st;
    return bus_subscribe(gateway->conf.bus, "auth.session_ended", NULL, 1024, 0, on_session_ended,
                         gateway, &gateway->session_ended);
}

/* ---- MQTT over WebSocket ---- */

typedef struct GwMqtt {
    WsConn *ws;
    MqttStream *stream; /* NULL once the broker has let go */
} GwMqtt;

static size_t mqtt_write(void *ctx, const void *bytes, size_t len)
{
    return ws_send(((GwMqtt *)ctx)->ws, WS_BINARY, (Str){bytes, len});
}

static void mqtt_pause(void *ctx, bool paused)
{
    ws_pause(((GwMqtt *)ctx)->ws, paused);
}

static void mqtt_close(void *ctx)
{
    GwMqtt *carrier = ctx;
    carrier->stream = NULL;
    ws_close(carrier->ws, 1000, NULL);
}

static void mqtt_message(void *ctx, WsType type, Str bytes)
{
    GwMqtt *carrier = ctx;
    if (type != WS_BINARY)
        ws_close(carrier->ws, 1003, "binary only"); /* MQTT 5.0, section 6.0 */
    else if (carrier->stream)
        mqtt_stream_feed(carrier->stream, bytes.ptr, bytes.len);
}

static void mqtt_drained(void *ctx)
{
    GwMqtt *carrier = ctx;
    if (carrier->stream) mqtt_stream_writable(carrier->stream);
}

static void mqtt_gone(void *ctx, uint16_t code)
{
    GwMqtt *carrier = ctx;
    (void)code;
    if (carrier->stream) mqtt_stream_closed(carrier->stream);
    mem_free(carrier);
}

void gateway__mqtt(Gateway *gateway, HttpReq *req)
{
    static const MqttStreamOps ops = {mqtt_write, mqtt_pause, mqtt_close};
    enum { MQTT_MESSAGE_BYTES_MAX = (1 << 20) + 64 };
    Diag diag = {0};
    char peer[64];
    if (!gateway->conf.broker) {
        gateway__fail(req, ST_NOT_FOUND, 0, "this process has no MQTT broker");
        return;
    }
    if (!ws_offers(req, "mqtt")) {
        gateway__fail(req, ST_INVALID, 0, "this address speaks WebSocket with subprotocol mqtt");
        return;
    }
    GwMqtt *carrier = mem_zalloc(1, sizeof *carrier);
    WsConf conf = {.on_message = mqtt_message,
                   .on_close = mqtt_gone,
                   .on_drain = mqtt_drained,
                   .ctx = carrier,
                   .subprotocol = "mqtt",
                   .message_bytes_max = MQTT_MESSAGE_BYTES_MAX};
    bool loopback = req->loopback;
    (void)snprintf(peer, sizeof peer, "%.*s", STR_ARG(req->peer));
    Status st = carrier ? ws_accept(req, &conf, &carrier->ws, &diag) : ST_NO_MEMORY;
    if (st) {
        mem_free(carrier);
        gateway__fail(req, st, st == ST_UNSUPPORTED ? 426 : 0, diag.text);
        return;
    }
    if (mqtt_broker_accept_stream(gateway->conf.broker, &ops, carrier, str_from(peer), loopback,
                                  &carrier->stream))
        ws_close(carrier->ws, 1013, "too many connections");
}
