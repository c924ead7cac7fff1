/* runtime/modules/websocket/live_watch.c: watches and events of pages.
 *
 * A frame's sequence number is the owner's. A gap means that an event was lost on the way (or left
 * out because the page was slow): frames are then held back until the owner has sent a full one, so
 * a page never sees values without their names. Owners drop a watch that is not renewed. */
#include "modules/websocket/websocket.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>

enum { ASK_TIMEOUT_MS = 5000, HZ_PRESET = 5, REQUEST_BYTES_MAX = 512 * 1024 };

/* A request to the owner of the data; socket and watch may be gone when it is answered. */
typedef struct Ask {
    Live *live;
    int64_t socket_id, re;
    uint64_t serial;
    LiveKind kind;
} Ask;

static LiveWatch *watch_by_id(const LiveSocket *socket, int64_t id)
{
    LiveWatch *watch = socket->watches;
    while (watch && watch->id != id) watch = watch->next;
    return watch;
}

static const char *owner(LiveKind kind)
{
    return kind == LIVE_GRAPH ? "engine" : "uns";
}

/* MODULE.verb {"watch":remote[,"hz":n]}; `fn` may be NULL-like on_ignored. */
static Status ask_owner(Live *live, LiveKind kind, const char *verb, const char *remote, double hz,
                        BusAnswerFn *fn, void *ctx)
{
    char subject[64], body[96];
    (void)snprintf(subject, sizeof subject, "%s.%s", owner(kind), verb);
    int len = hz < 0 ? snprintf(body, sizeof body, "{\"watch\":\"%s\"}", remote)
                     : snprintf(body, sizeof body, "{\"watch\":\"%s\",\"hz\":%g}", remote, hz);
    return bus_request(live->env->bus, str_from(subject), (Str){body, (size_t)len}, &live__system,
                       ASK_TIMEOUT_MS, fn, ctx);
}

static void on_ignored(void *ctx, Status status, Str body)
{
    (void)ctx;
    (void)status;
    (void)body;
}

static void tell_owner(Live *live, LiveKind kind, const char *verb, const char *remote, double hz)
{
    if (ask_owner(live, kind, verb, remote, hz, on_ignored, NULL))
        log_debug(live->env->log, "websocket", "owner not told", "verb=%s", verb);
}

static void watch_unlink(LiveWatch *watch)
{
    LiveWatch **link = &watch->socket->watches;
    while (*link != watch) link = &(*link)->next;
    *link = watch->next;
    watch->socket->watch_count--;
    mem_free(watch);
}

void live__watch_end(LiveWatch *watch)
{
    if (watch->remote[0])
        tell_owner(watch->socket->live, watch->kind, "unwatch", watch->remote, -1);
    watch_unlink(watch);
}

static LiveWatch *watch_new(LiveSocket *socket, int64_t id, LiveKind kind)
{
    LiveWatch *old = watch_by_id(socket, id);
    if (old) live__watch_end(old);
    if (socket->watch_count >= LIVE_WATCHES_MAX) {
        live__reply_error(socket, id, ST_LIMIT, "too many watches on this socket");
        return NULL;
    }
    LiveWatch *watch = mem_zalloc(1, sizeof *watch);
    if (!watch) {
        live__reply_error(socket, id, ST_NO_MEMORY, NULL);
        return NULL;
    }
    watch->socket = socket;
    watch->next = socket->watches;
    watch->id = id;
    watch->serial = ++socket->live->watch_serial;
    watch->kind = kind;
    socket->watches = watch;
    socket->watch_count++;
    return watch;
}

static LiveWatch *watch_by_serial(LiveSocket *socket, uint64_t serial)
{
    LiveWatch *watch = socket ? socket->watches : NULL;
    while (watch && watch->serial != serial) watch = watch->next;
    return watch;
}

/* ---- watch, watch_graph ---- */

static double rate_of(const LiveWatch *watch)
{
    return watch->hz < watch->socket->hz_max ? watch->hz : watch->socket->hz_max;
}

static void on_watching(void *ctx, Status status, Str body)
{
    Ask *ask = ctx;
    Live *live = ask->live;
    LiveSocket *socket = live__socket(live, ask->socket_id);
    LiveWatch *watch = watch_by_serial(socket, ask->serial);
    Arena *arena = arena_new(0, 1 << 20);
    const Json *answer = NULL;
    Str copy = arena ? arena_str(arena, body) : STR_NONE;
    if (!status && (!arena || json_read(arena, copy, &answer, NULL))) status = ST_INTERNAL;
    Str remote = json_str(answer, "watch", STR_NONE);
    if (!status && (!remote.len || remote.len >= sizeof watch->remote)) status = ST_INTERNAL;
    char id[sizeof watch->remote] = "";
    if (!status) memcpy(id, remote.ptr, remote.len);
    if (!watch) { /* gone or replaced meanwhile: the owner need not go on */
        if (id[0]) tell_owner(live, ask->kind, "unwatch", id, -1);
    } else if (status) {
        live__reply_error(socket, ask->re, status, answer ? NULL : copy.ptr);
        watch_unlink(watch);
    } else {
        memcpy(watch->remote, id, sizeof id);
        live__reply_ok(socket, ask->re,
                       json_bool(answer, "truncated", false) ? ",\"truncated\":true" : "");
    }
    arena_free(arena);
    mem_free(ask);
}

static Status put_request(const LiveWatch *watch, const Json *message, Buf *body)
{
    JsonOut out;
    json_out_init(&out, body);
    json_begin_object(&out);
    if (watch->kind == LIVE_VALUES) {
        const Json *paths = json_get(message, "paths");
        if (!paths || paths->type != JSON_ARRAY) return ST_INVALID;
        json_key(&out, "paths");
        json_put_raw(&out, paths->raw);
    } else {
        Str pipeline = json_str(message, "pipeline", STR_NONE);
        if (!pipeline.len) return ST_INVALID;
        json_field_str(&out, "pipeline", pipeline);
    }
    json_field_number(&out, "hz", rate_of(watch));
    json_end(&out);
    return buf_status(body);
}

void live__op_watch(LiveSocket *socket, int64_t re, const Json *message, LiveKind kind)
{
    Live *live = socket->live;
    LiveWatch *watch = watch_new(socket, re, kind);
    if (!watch) return;
    char subject[32];
    Buf body;
    watch->hz = json_number(message, "hz", HZ_PRESET);
    if (!(watch->hz >= 0.1)) watch->hz = 0.1;
    if (watch->hz > LIVE_HZ_MAX) watch->hz = LIVE_HZ_MAX;
    (void)snprintf(subject, sizeof subject, "%s.watch", owner(kind));
    buf_init(&body, REQUEST_BYTES_MAX);
    Ask *ask = mem_alloc(sizeof *ask);
    Status st = ask ? put_request(watch, message, &body) : ST_NO_MEMORY;
    if (!st) {
        *ask = (Ask){live, socket->id, re, watch->serial, kind};
        st = bus_request(live->env->bus, str_from(subject), buf_view(&body), &live__system,
                         ASK_TIMEOUT_MS, on_watching, ask);
    }
    buf_done(&body);
    if (!st) return;
    mem_free(ask);
    watch_unlink(watch);
    live__reply_error(socket, re, st,
                      kind == LIVE_VALUES ? "paths must be a list of texts"
                                          : "pipeline must be a name");
}

void live__op_unwatch(LiveSocket *socket, int64_t re)
{
    LiveWatch *watch = watch_by_id(socket, re);
    if (watch) live__watch_end(watch);
    live__reply_ok(socket, re, "");
}

void live__op_snapshot(LiveSocket *socket, int64_t re)
{
    LiveWatch *watch = watch_by_id(socket, re);
    if (!watch || !watch->remote[0]) {
        live__reply_error(socket, re, ST_NOT_FOUND, "there is no such watch");
        return;
    }
    if (watch->kind == LIVE_VALUES)
        tell_owner(socket->live, watch->kind, "snapshot", watch->remote, -1);
    live__reply_ok(socket, re, "");
}

void live__op_rate(LiveSocket *socket, int64_t re, const Json *message)
{
    double hz = json_number(message, "hz", LIVE_HZ_MAX);
    socket->hz_max = hz > LIVE_HZ_MAX ? LIVE_HZ_MAX : hz > 0 ? hz : 0;
    for (LiveWatch *watch = socket->watches; watch; watch = watch->next)
        if (watch->remote[0])
            tell_owner(socket->live, watch->kind, "watch", watch->remote, rate_of(watch));
    live__reply_ok(socket, re, "");
}

/* ---- frames ---- */

static LiveWatch *watch_by_remote(const Live *live, LiveKind kind, Str remote)
{
    for (LiveSocket *socket = live->sockets; socket; socket = socket->next)
        for (LiveWatch *watch = socket->watches; watch; watch = watch->next)
            if (watch->kind == kind && remote.len && str_is(remote, watch->remote)) return watch;
    return NULL;
}

/* The number behind `"seq":`, which both owners write first. */
static uint64_t seq_of(Str body)
{
    Str start = STR("{\"seq\":");
    uint64_t seq = 0;
    if (!str_starts(body, start)) return 0;
    for (size_t i = start.len; i < body.len && body.ptr[i] >= '0' && body.ptr[i] <= '9'; i++)
        seq = seq * 10 + (uint64_t)(body.ptr[i] - '0');
    return seq;
}

static bool is_full(Str body)
{
    Str head = {body.ptr, body.len < 96 ? body.len : 96};
    return str_find(head, STR("\"full\":true")) >= 0;
}

static void hand_on(LiveWatch *watch, const char *event, Str body)
{
    Buf text;
    if (body.len < 2 || body.ptr[0] != '{') return;
    buf_init(&text, BUS_BODY_BYTES_MAX);
    buf_printf(&text, "{\"ev\":\"%s\",\"id\":%lld,\"skipped\":%llu,", event, (long long)watch->id,
               (unsigned long long)watch->skipped);
    buf_str(&text, str_skip(body, 1));
    if (buf_status(&text)) {
        watch->skipped++;
    } else {
        watch->socket->live->frames++;
        live__send(watch->socket, true, buf_view(&text));
    }
    buf_done(&text);
}

void live__on_values(void *self, const BusMsg *msg)
{
    Live *live = self;
    LiveWatch *watch =
        watch_by_remote(live, LIVE_VALUES, str_skip(msg->subject, sizeof "uns.values." - 1));
    if (!watch) return;
    uint64_t seq = seq_of(msg->body);
    bool full = is_full(msg->body), gap = seq != watch->seq + 1;
    watch->seq = seq;
    if (watch->socket->slow) {
        watch->skipped++;
        live->frames_skipped++;
        watch->wants_full = true;
        return;
    }
    if (!full && (gap || watch->wants_full)) {
        if (!watch->wants_full) tell_owner(live, LIVE_VALUES, "snapshot", watch->remote, -1);
        watch->wants_full = true;
        watch->skipped++;
        return;
    }
    watch->wants_full = false;
    hand_on(watch, "values", msg->body);
}

static void send_ended(LiveWatch *watch, const char *reason)
{
    Buf text;
    JsonOut out;
    buf_init(&text, 4096);
    json_out_init(&out, &text);
    json_begin_object(&out);
    json_field_text(&out, "ev", "ended");
    json_field_int(&out, "id", watch->id);
    json_field_text(&out, "reason", reason);
    json_end(&out);
    live__send(watch->socket, false, buf_view(&text));
    buf_done(&text);
    watch_unlink(watch);
}

void live__on_wires(void *self, const BusMsg *msg)
{
    Live *live = self;
    LiveWatch *watch =
        watch_by_remote(live, LIVE_GRAPH, str_skip(msg->subject, sizeof "engine.wires." - 1));
    if (!watch) return;
    if (str_starts(msg->body, STR("{\"ended\":"))) {
        send_ended(watch, "the pipeline was removed");
    } else if (watch->socket->slow) {
        watch->skipped++;
        live->frames_skipped++;
    } else {
        hand_on(watch, "graph", msg->body);
    }
}

void live__drained(LiveSocket *socket)
{
    socket->slow = false;
    for (LiveWatch *watch = socket->watches; watch; watch = watch->next) {
        /* A frame may also have been left out by the gateway itself: always a full one now. */
        if (watch->kind != LIVE_VALUES || !watch->remote[0]) continue;
        watch->wants_full = true;
        tell_owner(socket->live, LIVE_VALUES, "snapshot", watch->remote, -1);
    }
}

/* ---- leases ---- */

static void on_renewed(void *ctx, Status status, Str body)
{
    Ask *ask = ctx;
    LiveSocket *socket = live__socket(ask->live, ask->socket_id);
    LiveWatch *watch = watch_by_serial(socket, ask->serial);
    (void)body;
    if (watch && status == ST_NOT_FOUND) send_ended(watch, "the source of the data was restarted");
    mem_free(ask);
}

void live__renew(void *ctx)
{
    Live *live = ctx;
    for (LiveSocket *socket = live->sockets; socket; socket = socket->next) {
        for (LiveWatch *watch = socket->watches; watch; watch = watch->next) {
            if (!watch->remote[0]) continue;
            Ask *ask = mem_alloc(sizeof *ask);
            if (!ask) return;
            *ask = (Ask){live, socket->id, 0, watch->serial, watch->kind};
            if (ask_owner(live, watch->kind, "watch", watch->remote, rate_of(watch), on_renewed,
                          ask))
                mem_free(ask);
        }
    }
}

/* ---- events ---- */

/* Who may hear what; the first row that fits decides, everything else is refused. */
static const struct EventRight {
    const char *prefix;
    uint32_t role;
} rights[] = {
    {"engine.wires.", ROLE_SYSTEM},    {"engine.", ROLE_VIEW},
    {"connectors.", ROLE_VIEW},        {"uns.changed", ROLE_VIEW},
    {"uns.alarms_changed", ROLE_VIEW}, {"dashboards.", ROLE_VIEW},
    {"logs.line", ROLE_VIEW},          {"uns.renamed", ROLE_VIEW},
    {"schemas.", ROLE_VIEW},           {"auth.", ROLE_ADMIN},
};

static bool may_hear(const LiveSocket *socket, Str subject)
{
    for (size_t i = 0; i < COUNT_OF(rights); i++)
        if (str_starts(subject, str_from(rights[i].prefix)))
            return rights[i].role != ROLE_SYSTEM &&
                   (socket->roles & (rights[i].role | ROLE_ADMIN)) != 0;
    return false;
}

void live__op_events(LiveSocket *socket, int64_t re, const Json *message)
{
    const Json *subjects = json_get(message, "subjects");
    if (!subjects || subjects->type != JSON_ARRAY || subjects->count > LIVE_FILTERS_MAX) {
        live__reply_error(socket, re, ST_INVALID, "subjects must be a list of at most 16 texts");
        return;
    }
    for (const Json *subject = subjects->first; subject; subject = subject->next) {
        if (subject->type != JSON_STRING || subject->text.len >= LIVE_FILTER_BYTES_MAX ||
            !may_hear(socket, subject->text)) {
            live__reply_error(socket, re, ST_FORBIDDEN, "one of the subjects is not open to you");
            return;
        }
    }
    LiveWatch *watch = watch_new(socket, re, LIVE_EVENTS);
    if (!watch) return;
    for (const Json *subject = subjects->first; subject; subject = subject->next) {
        char *to = watch->filters[watch->filter_count++];
        memcpy(to, subject->text.ptr, subject->text.len);
        to[subject->text.len] = '\0';
    }
    live__reply_ok(socket, re, "");
}

static bool wants(const LiveWatch *watch, Str subject)
{
    for (uint32_t i = 0; i < watch->filter_count; i++)
        if (bus_match(str_from(watch->filters[i]), subject)) return true;
    return false;
}

static void send_event(LiveWatch *watch, const BusMsg *msg)
{
    Live *live = watch->socket->live;
    Buf text;
    JsonOut out;
    if (watch->socket->slow) {
        watch->lost++;
        live->events_lost++;
        return;
    }
    buf_init(&text, BUS_BODY_BYTES_MAX);
    json_out_init(&out, &text);
    json_begin_object(&out);
    json_field_text(&out, "ev", "event");
    json_field_int(&out, "id", watch->id);
    json_field_str(&out, "subject", msg->subject);
    json_field_int(&out, "time", clock_wall_ns() / NS_PER_MS);
    json_key(&out, "body");
    json_put_raw(&out, msg->body.len ? msg->body : STR("null"));
    json_field_int(&out, "lost", (int64_t)watch->lost);
    json_end(&out);
    if (!buf_status(&text)) {
        live->events_sent++;
        live__send(watch->socket, true, buf_view(&text));
    }
    buf_done(&text);
}

void live__on_event(void *ctx, const BusMsg *msg)
{
    Live *live = ctx;
    if (msg->req) return; /* a request is nobody's event */
    for (LiveSocket *socket = live->sockets; socket; socket = socket->next)
        for (LiveWatch *watch = socket->watches; watch; watch = watch->next)
            if (watch->kind == LIVE_EVENTS && wants(watch, msg->subject) &&
                may_hear(socket, msg->subject))
                send_event(watch, msg);
}
