/* runtime/modules/websocket/websocket.c: live data for pages: who is there, and what they ask.
 *
 * Sockets are held by the gateway and spoken to over the bus (websocket.from.*, websocket.to.*; see
 * docs/api-live.md), so this module runs in any process. It keeps no values: owners of data batch
 * them per watch, frames are wrapped and handed on, and a page that is slow gets none until it
 * caught up; then a full one. What a client may ask is in the table at `ops_of_client`. */
#include "modules/websocket/websocket.h"

#include "base/clock.h"
#include "base/mem.h"
#include "module/host.h"

#include <stdio.h>

enum { RENEW_EVERY_MS = 20000, TEXT_BYTES_MAX = BUS_BODY_BYTES_MAX };

const BusCaller live__system = {.roles = ROLE_SYSTEM | ROLE_ADMIN};

LiveSocket *live__socket(const Live *live, int64_t id)
{
    LiveSocket *socket = live->sockets;
    while (socket && socket->id != id) socket = socket->next;
    return socket;
}

void live__send(LiveSocket *socket, bool frame, Str text)
{
    char subject[64];
    (void)snprintf(subject, sizeof subject, "websocket.to.%lld.%s", (long long)socket->id,
                   frame ? "frame" : "text");
    if (bus_publish(socket->live->env->bus, str_from(subject), text))
        log_warn(socket->live->env->log, "websocket", "text not sent", "socket=%lld bytes=%zu",
                 (long long)socket->id, text.len);
}

void live__reply_error(LiveSocket *socket, int64_t re, Status status, const char *text)
{
    Buf body;
    JsonOut out;
    buf_init(&body, 4096);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_field_int(&out, "re", re);
    json_key(&out, "error");
    json_begin_object(&out);
    json_field_text(&out, "code", status_name(status));
    json_field_text(&out, "text", text && *text ? text : status_text(status));
    json_end(&out);
    json_end(&out);
    live__send(socket, false, buf_view(&body));
    buf_done(&body);
}

void live__reply_ok(LiveSocket *socket, int64_t re, const char *more)
{
    char text[160];
    int len = snprintf(text, sizeof text, "{\"re\":%lld,\"ok\":true%s}", (long long)re, more);
    live__send(socket, false, (Str){text, (size_t)len});
}

/* ---- presence ---- */

static void put_presence(const Live *live, const char *page, JsonOut *out)
{
    int64_t total = 0;
    json_begin_object(out);
    json_field_text(out, "ev", "presence");
    json_field_text(out, "page", page);
    json_key(out, "users");
    json_begin_array(out);
    for (const LiveSocket *socket = live->sockets; socket; socket = socket->next) {
        int64_t count = 0;
        bool first = true;
        if (strcmp(socket->page, page) != 0) continue;
        total++;
        for (const LiveSocket *other = live->sockets; other; other = other->next) {
            if (strcmp(other->page, page) != 0 || strcmp(other->name, socket->name) != 0) continue;
            if (other == socket && count > 0) first = false; /* counted with an earlier one */
            count++;
        }
        if (!first) continue;
        json_begin_object(out);
        json_field_text(out, "name", socket->name);
        json_field_int(out, "sockets", count);
        json_end(out);
    }
    json_end(out);
    json_field_int(out, "sockets", total);
    json_end(out);
}

static void tell_presence(Live *live, const char *page)
{
    Buf body;
    JsonOut out;
    if (!*page) return;
    buf_init(&body, TEXT_BYTES_MAX);
    json_out_init(&out, &body);
    put_presence(live, page, &out);
    for (LiveSocket *socket = live->sockets; socket && !buf_status(&body); socket = socket->next)
        if (strcmp(socket->page, page) == 0) live__send(socket, true, buf_view(&body));
    buf_done(&body);
}

static void copy_text(char *to, size_t room, Str text)
{
    size_t len = text.len < room - 1 ? text.len : room - 1;
    while (len && len < text.len && ((unsigned char)text.ptr[len] & 0xc0) == 0x80) len--;
    if (len) memcpy(to, text.ptr, len);
    to[len] = '\0';
}

static void op_presence(LiveSocket *socket, int64_t re, const Json *message)
{
    char before[LIVE_PAGE_BYTES_MAX];
    copy_text(before, sizeof before, str_from(socket->page));
    copy_text(socket->page, sizeof socket->page, json_str(message, "page", STR_NONE));
    live__reply_ok(socket, re, "");
    if (strcmp(before, socket->page) != 0) tell_presence(socket->live, before);
    tell_presence(socket->live, socket->page);
}

/* ---- what a client may ask ---- */

static void op_watch(LiveSocket *socket, int64_t re, const Json *message)
{
    live__op_watch(socket, re, message, LIVE_VALUES);
}

static void op_watch_graph(LiveSocket *socket, int64_t re, const Json *message)
{
    live__op_watch(socket, re, message, LIVE_GRAPH);
}

static void op_unwatch(LiveSocket *socket, int64_t re, const Json *message)
{
    (void)message;
    live__op_unwatch(socket, re);
}

static void op_snapshot(LiveSocket *socket, int64_t re, const Json *message)
{
    (void)message;
    live__op_snapshot(socket, re);
}

static void op_ping(LiveSocket *socket, int64_t re, const Json *message)
{
    char more[48];
    (void)message;
    (void)snprintf(more, sizeof more, ",\"time\":%lld", (long long)(clock_wall_ns() / NS_PER_MS));
    live__reply_ok(socket, re, more);
}

static const struct ClientOp {
    const char *name;
    void (*fn)(LiveSocket *socket, int64_t re, const Json *message);
} ops_of_client[] = {
    {"watch", op_watch},         {"watch_graph", op_watch_graph},
    {"events", live__op_events}, {"unwatch", op_unwatch},
    {"snapshot", op_snapshot},   {"rate", live__op_rate},
    {"presence", op_presence},   {"ping", op_ping},
};

static void on_text(LiveSocket *socket, Str text)
{
    Arena *arena = arena_new(0, 16 << 20);
    const Json *message = NULL;
    Diag diag = {0};
    if (!arena || json_read(arena, text, &message, &diag)) {
        live__reply_error(socket, 0, arena ? ST_INVALID : ST_NO_MEMORY, diag.text);
        arena_free(arena);
        return;
    }
    int64_t re = json_int(message, "id", 0);
    Str op = json_str(message, "op", STR_NONE);
    size_t i = 0;
    while (i < COUNT_OF(ops_of_client) && !str_is(op, ops_of_client[i].name)) i++;
    if (i == COUNT_OF(ops_of_client))
        live__reply_error(socket, re, ST_INVALID, "there is no such op");
    else
        ops_of_client[i].fn(socket, re, message);
    arena_free(arena);
}

/* ---- sockets ---- */

static void op_open(void *self, Req *req)
{
    Live *live = self;
    int64_t id = json_int(req->in, "conn", 0);
    const Json *user = json_get(req->in, "user");
    if (live->socket_count >= LIVE_SOCKETS_MAX || live__socket(live, id)) {
        req_fail(req, ST_BUSY, "too many pages are open");
        return;
    }
    LiveSocket *socket = mem_zalloc(1, sizeof *socket);
    if (!socket) {
        req_fail(req, ST_NO_MEMORY, "no memory for a socket");
        return;
    }
    *socket = (LiveSocket){.live = live, .next = live->sockets, .id = id, .hz_max = LIVE_HZ_MAX};
    socket->roles = (uint32_t)json_int(req->in, "roles", 0);
    copy_text(socket->name, sizeof socket->name, json_str(user, "name", STR_NONE));
    if (socket->next) socket->next->prev = socket;
    live->sockets = socket;
    live->socket_count++;
    Buf body;
    JsonOut out;
    const LiveConf *conf = live->env->conf;
    buf_init(&body, 64 * 1024);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_field_text(&out, "ev", "hello");
    json_field_int(&out, "time", clock_wall_ns() / NS_PER_MS);
    json_key(&out, "user");
    json_put_raw(&out, user ? user->raw : STR("null"));
    json_field_int(&out, "stale_ms", conf->stale_ms);
    json_field_int(&out, "hz_max", LIVE_HZ_MAX);
    json_field_int(&out, "conn", id);
    json_end(&out);
    req_answer(req, buf_view(&body)); /* the gateway sends it as the first frame */
    buf_done(&body);
}

static void socket_free(LiveSocket *socket)
{
    Live *live = socket->live;
    char page[LIVE_PAGE_BYTES_MAX];
    copy_text(page, sizeof page, str_from(socket->page));
    while (socket->watches) live__watch_end(socket->watches);
    if (socket->prev)
        socket->prev->next = socket->next;
    else
        live->sockets = socket->next;
    if (socket->next) socket->next->prev = socket->prev;
    live->socket_count--;
    mem_free(socket);
    tell_presence(live, page);
}

/* websocket.from.CONN.what */
static void on_from(void *self, const BusMsg *msg)
{
    Live *live = self;
    Str rest = str_skip(msg->subject, sizeof "websocket.from." - 1);
    ptrdiff_t dot = str_find_char(rest, '.');
    int64_t id;
    if (dot <= 0 || !str_to_i64((Str){rest.ptr, (size_t)dot}, &id)) return;
    LiveSocket *socket = live__socket(live, id);
    Str what = str_skip(rest, (size_t)dot + 1);
    if (!socket) return;
    if (str_is(what, "text"))
        on_text(socket, msg->body);
    else if (str_is(what, "gone"))
        socket_free(socket);
    else if (str_is(what, "slow"))
        socket->slow = true;
    else if (str_is(what, "drained"))
        live__drained(socket);
}

static void op_stats(void *self, Req *req)
{
    const Live *live = self;
    char text[256];
    int len =
        snprintf(text, sizeof text,
                 "{\"sockets\":%u,\"frames\":%llu,\"frames_skipped\":%llu,\"events\":%llu,"
                 "\"events_lost\":%llu}",
                 live->socket_count, (unsigned long long)live->frames,
                 (unsigned long long)live->frames_skipped, (unsigned long long)live->events_sent,
                 (unsigned long long)live->events_lost);
    req_answer(req, (Str){text, (size_t)len});
}

/* ---- life ---- */

static Status live_open(void *self, const ModEnv *env, Diag *diag)
{
    (void)diag;
    ((Live *)self)->env = env;
    return ST_OK;
}

/* Events of all modules of this process, by their tables; values and sockets have own ways. */
static Status subscribe_events(Live *live, Diag *diag)
{
    const ModEnv *env = live->env;
    for (size_t m = 0; m < host_module_count(env->host); m++) {
        const ModPub *pub = host_module(env->host, m)->pubs;
        for (; pub && pub->subject && live->event_sub_count < LIVE_EVENT_SUBS_MAX; pub++) {
            Str subject = str_from(pub->subject);
            if (str_starts(subject, STR("uns.values.")) ||
                str_starts(subject, STR("engine.wires.")) ||
                str_starts(subject, STR("websocket.")) || str_is(subject, "auth.session_ended"))
                continue;
            Status st =
                bus_subscribe(env->bus, pub->subject, NULL, 256, BUS_LATEST_WINS, live__on_event,
                              live, &live->event_subs[live->event_sub_count]);
            if (st) return diag_set(diag, st, "cannot listen to %s", pub->subject);
            live->event_sub_count++;
        }
    }
    return ST_OK;
}

static Status live_start(void *self, Diag *diag)
{
    Live *live = self;
    Status st = subscribe_events(live, diag);
    if (st) return st;
    st = loop_timer_start(live->env->loop, RENEW_EVERY_MS, RENEW_EVERY_MS, live__renew, live,
                          &live->lease_timer);
    return st ? diag_set(diag, st, "no timer") : ST_OK;
}

static void live_close(void *self)
{
    Live *live = self;
    loop_timer_stop(live->lease_timer);
    for (uint32_t i = 0; i < live->event_sub_count; i++) bus_unsubscribe(live->event_subs[i]);
    for (LiveSocket *socket = live->sockets, *next; socket; socket = next) {
        next = socket->next;
        for (LiveWatch *watch = socket->watches, *after; watch; watch = after) {
            after = watch->next;
            mem_free(watch);
        }
        mem_free(socket);
    }
    live->sockets = NULL;
}

static const ModConf conf[] = {{"stale", CONF_MS, "30s", 100, 86400000,
                                offsetof(LiveConf, stale_ms), 0,
                                "age at which pages show a value as stale"},
                               {0}};
static const Field open_in[] = {{"conn", FIELD_INT, FIELD_REQUIRED, 0, 0, "number of the socket"},
                                {"user", FIELD_OBJECT, 0, 0, 0, "id, name, roles"},
                                {"roles", FIELD_INT, 0, 0, 0, "bits of AuthRole"},
                                {0}};
static const Field open_out[] = {{"ev", FIELD_STR, 0, 0, 0, "hello: the first frame"}, {0}};
static const Field stats_out[] = {{"sockets", FIELD_INT, 0, 0, 0, "open now"},
                                  {"frames", FIELD_INT, 0, 0, 0, "handed on"},
                                  {"frames_skipped", FIELD_INT, 0, 0, 0, "left out for slow pages"},
                                  {0}};
static const ModOp ops[] = {
    {"websocket.open", op_open, open_in, open_out, 2000, ROLE_SYSTEM, 0, "a socket wants in"},
    {"websocket.stats", op_stats, NULL, stats_out, 2000, ROLE_VIEW, OP_READ, "counters"},
    {0}};
static const ModSub subs[] = {
    {"websocket.from.>", on_from, 16384, 0, "what sockets say"},
    {"uns.values.*", live__on_values, 4096, BUS_LATEST_WINS, "frames of values"},
    {"engine.wires.*", live__on_wires, 4096, BUS_LATEST_WINS, "frames of wires"},
    {0}};

extern const ModuleDef websocket_module;
const ModuleDef websocket_module = {.abi = MODULE_ABI,
                                    .name = "websocket",
                                    .doc = "live data, events and presence for pages",
                                    .self_bytes = sizeof(Live),
                                    .conf_bytes = sizeof(LiveConf),
                                    .conf = conf,
                                    .ops = ops,
                                    .subs = subs,
                                    .open = live_open,
                                    .start = live_start,
                                    .close = live_close};
