/* runtime/mqtt/broker.c: opening, listening, closing, and the heartbeat of the broker.
 *
 * Two handles drive it: a prepare handle before every wait of the loop (acks, own publishes made
 * inside callbacks, then all output) and a timer that runs only while there is a client. */
#include "mqtt/broker_int.h"

#include "base/mem.h"

#include <stdlib.h>

enum { FLUSH_ROUNDS = 16, CLOSE_BY_S = 3, FRAME_BYTES_MAX = 64 * 1024 };

static void preset32(uint32_t *value, uint32_t preset)
{
    if (!*value) *value = preset;
}

static void preset64(uint64_t *value, uint64_t preset)
{
    if (!*value) *value = preset;
}

static void presets(MqttBrokerConf *conf)
{
    preset32(&conf->packet_bytes_max, 1 << 20);
    preset32(&conf->connect_bytes_max, 128 * 1024);
    preset32(&conf->connect_timeout_ms, 10000);
    preset32(&conf->receive_max, 256);
    preset32(&conf->topic_alias_max, 10);
    preset32(&conf->filters_per_session_max, 1000);
    preset32(&conf->filter_bytes_max, 4096);
    preset32(&conf->session_queue_max, 10000);
    preset64(&conf->session_queue_bytes, 8u << 20);
    preset64(&conf->queue_bytes_total, 256u << 20);
    preset32(&conf->durable_queue_max, 1000000);
    preset64(&conf->durable_queue_bytes, (uint64_t)1 << 30);
    preset64(&conf->durable_bytes_total, (uint64_t)4 << 30);
    preset32(&conf->session_expiry_max_s, 7 * 86400);
    preset32(&conf->sessions_max, 10000);
    preset32(&conf->connections_max, 5000);
    preset32(&conf->unauthenticated_max, 500);
    preset32(&conf->retained_max, 100000);
    preset64(&conf->retained_bytes, 64u << 20);
    preset32(&conf->stalled_ms, 60000);
    preset32(&conf->sys_interval_ms, 10000);
}

void mqtt_broker_configure(MqttBroker *broker, const MqttBrokerConf *conf)
{
    broker->conf = *conf;
    presets(&broker->conf);
    broker->by_id.count_max = broker->conf.sessions_max;
    broker->scratch.max_bytes = (size_t)broker->conf.packet_bytes_max + 65536;
}

void mqtt_broker_unhook(MqttBroker *broker)
{
    broker->conf.auth = NULL;
    mqtt__steps_drop(broker);
    broker->conf.step = NULL;
    broker->conf.step_done = NULL;
    broker->conf.may = NULL;
}

static void nothing(void *ctx)
{
    (void)ctx;
}

static void on_prepare(uv_prepare_t *prepare)
{
    MqttBroker *b = prepare->data;
    b->thread = uv_thread_self();
    b->thread_known = true;
    for (uint32_t round = 0; round < FLUSH_ROUNDS; round++) {
        if (!b->closing) {
            /* Before the acks: an answer that follows one of these has to wait for it. */
            if (b->later.count) mqtt__later_run(b);
            mqtt__acks_run(b);
            if (b->attach_work) mqtt__attach_work(b);
        }
        Conn *list = b->dirty;
        if (!list && !b->later.count && !b->attach_work) {
            mqtt__keep_turn(b);
            if (!b->dirty) return;
            continue;
        }
        b->dirty = NULL;
        /* conn_free walks b->dirty only, so each is unlinked before it is flushed. */
        while (list) {
            Conn *c = list;
            list = c->dirty_next;
            c->dirty = false;
            c->dirty_next = NULL;
            mqtt__conn_flush(c);
        }
    }
    if (loop_post(b->loop, nothing, NULL)) return; /* the loop is awake anyway then */
}

Status mqtt_broker_open(Loop *loop, const MqttBrokerConf *conf, Log *log, MqttBroker **ret_broker)
{
    MqttBroker *b = mem_zalloc(1, sizeof *b);
    if (!b) return ST_NO_MEMORY;
    b->loop = loop;
    b->log = log;
    b->conf = *conf;
    presets(&b->conf);
    map_init(&b->by_id, b->conf.sessions_max);
    buf_init(&b->acks, (size_t)ATTACH_MAX * 65536 * 8);
    buf_init(&b->acks_now, (size_t)ATTACH_MAX * 65536 * 8);
    buf_init(&b->scratch, (size_t)b->conf.packet_bytes_max + 65536);
    buf_init(&b->frame.bytes, FRAME_BYTES_MAX);
    b->read_buf = mem_alloc(READ_BYTES);
    b->matches = mem_zalloc(MATCH_SLOTS, sizeof *b->matches);
    Status st = b->read_buf && b->matches ? mqtt__trie_init(&b->subs) : ST_NO_MEMORY;
    if (!st && (st = mqtt__trie_init(&b->retained))) mqtt__trie_done(&b->subs);
    if (!st && uv_prepare_init(loop_uv(loop), &b->prepare)) {
        mqtt__trie_done(&b->subs);
        mqtt__trie_done(&b->retained);
        st = ST_IO;
    }
    if (!st) st = mqtt__keep_open(b, conf->store);
    if (st) {
        mem_free(b->read_buf);
        mem_free(b->matches);
        mem_free(b);
        return st;
    }
    pthread_mutex_init(&b->ack_lock, NULL);
    b->prepare.data = b;
    (void)uv_prepare_start(&b->prepare, on_prepare);
    uv_unref((uv_handle_t *)&b->prepare);
    b->generation = 1;
    b->opened_ns = clock_monotonic_ns();
    *ret_broker = b;
    return ST_OK;
}

static Status address_read(const char *address, struct sockaddr_storage *ret_at, Diag *diag)
{
    Str text = str_from(address);
    size_t colon = text.len;
    while (colon && text.ptr[colon - 1] != ':') colon--;
    int64_t port;
    if (!colon || !str_to_i64(str_skip(text, colon), &port) || port < 0 || port > 65535)
        return diag_set(diag, ST_INVALID, "\"%s\" is not address:port", address);
    Str host = str_slice(text.ptr, colon - 1);
    char name[64];
    bool six = host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
    if (six) host = str_slice(host.ptr + 1, host.len - 2);
    if (host.len >= sizeof name) return diag_set(diag, ST_INVALID, "address is too long");
    memcpy(name, host.ptr, host.len);
    name[host.len] = '\0';
    int bad = six ? uv_ip6_addr(name, (int)port, (struct sockaddr_in6 *)ret_at)
                  : uv_ip4_addr(name, (int)port, (struct sockaddr_in *)ret_at);
    return bad ? diag_set(diag, ST_INVALID, "\"%s\" is not an IP address", name) : ST_OK;
}

static void on_listener_closed(uv_handle_t *handle)
{
    Listener *listener = handle->data;
    listener->broker->handles--;
    tls_server_free(listener->tls);
    mem_free(listener);
}

/* Does not take `tls` when it fails. */
static Status listen_on(MqttBroker *broker, const char *address, TlsServer *tls, uint16_t *ret_port,
                        Diag *diag)
{
    struct sockaddr_storage at = {0};
    Status st = address_read(address, &at, diag);
    if (st) return st;
    Listener *listener = mem_zalloc(1, sizeof *listener);
    if (!listener) return diag_set(diag, ST_NO_MEMORY, "out of memory");
    listener->broker = broker;
    if (uv_tcp_init(loop_uv(broker->loop), &listener->tcp)) {
        mem_free(listener);
        return diag_set(diag, ST_IO, "no socket for %s", address);
    }
    listener->tcp.data = listener;
    broker->handles++;
    int bad = uv_tcp_bind(&listener->tcp, (struct sockaddr *)&at, 0);
    if (!bad) bad = uv_listen((uv_stream_t *)&listener->tcp, 1024, mqtt__on_listen);
    if (bad) {
        uv_close((uv_handle_t *)&listener->tcp, on_listener_closed);
        return diag_set(diag, ST_IO, "cannot listen on %s: %s", address, uv_strerror(bad));
    }
    struct sockaddr_storage bound = {0};
    int len = sizeof bound;
    if (ret_port && !uv_tcp_getsockname(&listener->tcp, (struct sockaddr *)&bound, &len))
        *ret_port = ntohs(bound.ss_family == AF_INET ? ((struct sockaddr_in *)&bound)->sin_port
                                                     : ((struct sockaddr_in6 *)&bound)->sin6_port);
    listener->tls = tls;
    listener->next = broker->listeners;
    broker->listeners = listener;
    broker->keep.restored = false;
    if (broker->session_count) mqtt__tick_start(broker);
    return ST_OK;
}

Status mqtt_broker_listen_tcp(MqttBroker *broker, const char *address, uint16_t *ret_port,
                              Diag *diag)
{
    return listen_on(broker, address, NULL, ret_port, diag);
}

Status mqtt_broker_listen_tls(MqttBroker *broker, const char *address, TlsServer *tls,
                              uint16_t *ret_port, Diag *diag)
{
    Status st = listen_on(broker, address, tls, ret_port, diag);
    if (st) tls_server_free(tls);
    return st;
}

void mqtt_broker_renew_tls(MqttBroker *broker, TlsServer *tls)
{
    for (Listener *listener = broker->listeners; listener; listener = listener->next) {
        if (!listener->tls) continue;
        tls_server_free(listener->tls);
        listener->tls = tls;
        return; /* one listener at most has TLS */
    }
    tls_server_free(tls);
}

static void free_all(void *ctx)
{
    MqttBroker *b = ctx;
    LoopFn *done = b->done;
    void *done_ctx = b->done_ctx;
    pthread_mutex_destroy(&b->ack_lock);
    mem_free(b);
    if (done) done(done_ctx);
}

static void on_prepare_closed(uv_handle_t *handle)
{
    MqttBroker *b = handle->data;
    mqtt__keep_close(b);
    mqtt__observe_give_up(b);
    mqtt__sessions_drop(b);
    mqtt__attaches_done(b);
    mqtt__ring_done(b, &b->later);
    mqtt__retained_free(b);
    mqtt__trie_done(&b->subs);
    mqtt__trie_done(&b->retained);
    for (uint32_t i = 0; i < MATCH_SLOTS; i++) {
        mem_free(b->matches[i].topic);
        mem_free(b->matches[i].rows);
    }
    for (Pending *p = b->pending_free, *next; p; p = next) {
        next = p->next;
        mem_free(p);
    }
    mqtt__keep_free(b);
    map_done(&b->by_id);
    buf_done(&b->acks);
    buf_done(&b->acks_now);
    buf_done(&b->scratch);
    buf_done(&b->frame.bytes);
    mem_free(b->matches);
    mem_free(b->read_buf);
    /* Posts of mqtt_broker_ack that are still queued run before this one. */
    if (loop_post(b->loop, free_all, b)) free_all(b);
}

static void on_tick(void *ctx)
{
    MqttBroker *b = ctx;
    int64_t now = clock_monotonic_ns();
    mqtt__conns_tick(b, now);
    if (b->closing) {
        if (now > b->close_by_ns)
            for (Conn *c = b->first; c; c = c->next) mqtt__conn_force(c);
        mqtt__keep_tick(b);
        if (b->conn_count || b->handles || b->keep.reads) return;
        if (!mqtt__keep_idle(b) && (b->keep.writing || now < b->close_by_ns)) return;
        loop_timer_stop(b->tick);
        b->tick = NULL;
        uv_close((uv_handle_t *)&b->prepare, on_prepare_closed);
        return;
    }
    mqtt__sessions_tick(b, now);
    mqtt__sys_tick(b, now);
    mqtt__keep_tick(b);
    if (b->conn_count || b->session_count || b->keep.lazy.count) return;
    loop_timer_stop(b->tick);
    b->tick = NULL;
}

void mqtt__tick_start(MqttBroker *b)
{
    if (!b->tick && loop_timer_start(b->loop, TICK_MS, TICK_MS, on_tick, b, &b->tick))
        log_error(b->log, "mqtt", "no timer: keep alive and expiry stand still", "%s", "");
}

static void listeners_close(MqttBroker *broker)
{
    while (broker->listeners) {
        Listener *listener = broker->listeners;
        broker->listeners = listener->next;
        uv_close((uv_handle_t *)&listener->tcp, on_listener_closed);
    }
}

void mqtt_broker_quiesce(MqttBroker *broker)
{
    broker->quiet = true;
    listeners_close(broker);
    for (Conn *c = broker->first; c; c = c->next) mqtt__conn_resume(c); /* and so stops reading */
}

void mqtt_broker_close(MqttBroker *broker, LoopFn *done, void *ctx)
{
    if (broker->closing) return;
    broker->done = done;
    broker->done_ctx = ctx;
    mqtt__attaches_done(broker);
    broker->closing = true;
    broker->close_by_ns = clock_monotonic_ns() + CLOSE_BY_S * NS_PER_S;
    listeners_close(broker);
    for (Conn *c = broker->first; c; c = c->next) {
        c->will_cancelled = true;
        mqtt__conn_fail(c, MQTT_RC_SHUTDOWN);
    }
    /* Fast ticks: the last one frees everything. */
    loop_timer_stop(broker->tick);
    broker->tick = NULL;
    if (loop_timer_start(broker->loop, 1, 10, on_tick, broker, &broker->tick)) on_tick(broker);
}

void mqtt_broker_auth_answer(MqttBroker *broker, uint64_t id, bool allow, Str user)
{
    for (Conn *c = broker->last; c; c = c->prev) {
        if (c->serial != id || c->state != CONN_AUTH) continue;
        mqtt__connect_go(c, allow, user);
        mqtt__conn_resume(c);
        return;
    }
}

/* The store is read before the loop's first turn, and what it has retained is older than what this
 * process says by then: that waits, or it would be overwritten. */
static bool before_start(const MqttBroker *broker)
{
    return broker->keep.store && !broker->thread_known;
}

Status mqtt_broker_publish(MqttBroker *broker, const MqttPub *pub, Diag *diag)
{
    if (broker->closing) return diag_set(diag, ST_UNAVAILABLE, "the broker is shutting down");
    if (!mqtt_topic_valid(pub->topic) || pub->topic.len > broker->conf.filter_bytes_max ||
        mqtt_levels(pub->topic) > MQTT_LEVELS_MAX || pub->qos > 2)
        return diag_set(diag, ST_INVALID, "\"%.*s\" is not a topic name", STR_ARG(pub->topic));
    if (pub->payload.len + pub->topic.len + pub->props.len + 16 > broker->conf.packet_bytes_max)
        return diag_set(diag, ST_INVALID, "the message is larger than %u bytes",
                        broker->conf.packet_bytes_max);
    Str why = STR_NONE;
    if (mqtt__unfit(broker, pub, &why)) return diag_set(diag, ST_INVALID, "%.*s", STR_ARG(why));
    broker->stats.published_own++;
    if (!broker->depth && !before_start(broker)) {
        if (mqtt__keep_behind(broker)) return diag_set(diag, ST_BUSY, "the disk is behind");
        uint64_t changes = broker->keep.changes;
        MqttReason reason = mqtt__accept(broker, pub, 0, NULL);
        if (broker->keep.changes != changes) broker->keep.own_batch = broker->keep.batch;
        return reason >= 0x80 ? diag_set(diag, ST_LIMIT, "the broker's memory for messages is full")
                              : ST_OK;
    }
    Msg *msg = mqtt__msg_new(broker, pub, 0);
    if (!msg || broker->later.count >= LATER_MAX ||
        !mqtt__ring_push(&broker->later, (Entry){.msg = msg, .qos = pub->qos})) {
        mqtt__msg_unref(broker, msg);
        return diag_set(diag, ST_LIMIT, "too many messages at once from this process");
    }
    return ST_OK;
}

void mqtt_broker_check(MqttBroker *broker, MqttCheckFn *fn, void *ctx)
{
    broker->check = fn;
    broker->check_ctx = ctx;
}

void mqtt_broker_observe(MqttBroker *broker, MqttObserveFn *fn, MqttWantFn *want, void *ctx)
{
    broker->observe = fn;
    broker->want = want;
    broker->observe_ctx = ctx;
    if (fn) return;
    mqtt__observe_give_up(broker);
    broker->own_mark = broker->observed;
    mqtt_broker_observe_hold(broker, false);
}

void mqtt_broker_stats(const MqttBroker *broker, MqttBrokerStats *ret_stats)
{
    *ret_stats = broker->stats;
    ret_stats->paused_now = broker->held_count;
    ret_stats->damaged = broker->keep.damaged;
    ret_stats->retained_unread = broker->keep.unread.count;
}

static uint32_t queued(const Session *s)
{
    uint64_t rows = s->kept_count > s->unacked ? s->kept_count - s->unacked : 0;
    if (rows > UINT32_MAX / 2) rows = UINT32_MAX / 2;
    return s->wait0.count + (s->slot ? (uint32_t)rows : s->wait1.count);
}

static MqttClientInfo client_info(const Session *s)
{
    return (MqttClientInfo){.client_id = s->id,
                            .user = s->user,
                            .address = str_from(s->conn ? s->conn->address : ""),
                            .connected = s->conn != NULL,
                            .version = s->version,
                            .subscriptions = (uint32_t)s->subs.len,
                            .queued = queued(s),
                            .inflight = s->unacked,
                            .received = s->in_count,
                            .sent = s->out_count,
                            .dropped = s->dropped,
                            .since_ns = s->since_ns};
}

void mqtt_broker_clients(const MqttBroker *broker,
                         void (*fn)(void *ctx, const MqttClientInfo *info), void *ctx)
{
    for (const Session *s = broker->sessions; s; s = s->next) {
        MqttClientInfo info = client_info(s);
        fn(ctx, &info);
    }
}

uint32_t mqtt_broker_end(MqttBroker *broker, bool forget,
                         bool (*fn)(void *ctx, const MqttClientInfo *info), void *ctx)
{
    uint32_t count = 0;
    for (Session *s = broker->sessions, *next; s; s = next) {
        next = s->next;
        MqttClientInfo info = client_info(s);
        if (!fn(ctx, &info)) continue;
        count++;
        if (s->bridge) { /* its session ends with the bridge; it connects again */
            if (s->conn) mqtt__conn_fail(s->conn, MQTT_RC_ADMINISTRATIVE);
            continue;
        }
        if (forget) s->expiry_s = 0;
        if (s->conn)
            mqtt__conn_fail(s->conn, MQTT_RC_ADMINISTRATIVE); /* a session of 0 s goes with it */
        else if (forget)
            mqtt__session_end(s);
    }
    return count;
}
