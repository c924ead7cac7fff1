/* runtime/mqtt/client.c: one connection to a server, kept alive.
 *
 * States: resolving, TCP, waiting for CONNACK, connected, waiting for the next try. Whatever goes
 * wrong ends in lost(), which closes the socket and starts the backoff timer; the socket handle has
 * its own small allocation so that its close callback can outlive the next attempt or the client.
 * Own QoS 1/2 messages stand in one list in order: the first `sent` of them are in flight. */
#include "mqtt/client.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "mqtt/codec.h"

#include <stdio.h>
#include <stdlib.h>

enum { FILTERS_MAX = 256, READ_BYTES = 65536, OUT_BYTES_MAX = 8 << 20 };

typedef struct Out { /* an own message, from publish to acknowledgement */
    struct Out *next;
    MqttClientSentFn *fn;
    void *ctx;
    uint16_t id;
    uint8_t qos;
    bool retain, sent, released; /* released: PUBREC came, PUBREL goes */
    uint32_t topic_bytes;
    size_t payload_bytes;
    char text[];
} Out;

typedef struct In { /* a received message that is not acked yet, in order of arrival */
    uint16_t id;
    uint8_t qos;
    bool acked;
} In;

typedef struct Socket {
    uv_tcp_t tcp;
    MqttClient *client; /* NULL once given up */
    char *read_buf;     /* owned */
} Socket;

typedef struct Flight {
    uv_write_t write;
    char bytes[];
} Flight;

typedef struct Filter {
    Str text; /* owned */
    uint8_t qos;
} Filter;

struct MqttClient {
    Loop *loop;
    MqttClientConf conf; /* slices owned through `texts` */
    char *texts;
    Socket *socket;
    bool resolving, connected, connecting, closed, stopped, fall_back;
    uv_getaddrinfo_t *resolve;
    LoopTimer *timer; /* deadline of the attempt, keep alive, or next try */
    uint32_t attempt;
    uint8_t version;
    Buf in, out;
    Filter filters[FILTERS_MAX];
    uint32_t filter_count;
    Out *first, *last;
    uint32_t waiting, in_flight, inflight_max;
    uint16_t next_id;
    In *received; /* ring, receive_max entries */
    uint32_t received_head, received_count;
    uint64_t epoch, seq_head; /* tokens: epoch << 32 | sequence */
    uint64_t *seen;           /* bitmap of QoS 2 identifiers that were handed over */
    char *aliases[16];
    size_t alias_bytes[16];
    int64_t heard_ns, wrote_ns;
    bool flush_posted, ping_out;
    uint32_t posts; /* flushes on their way: the client is freed when none is left */
};

static void attempt(MqttClient *k);

static void client_free(MqttClient *k);

static void on_free(void *ctx)
{
    client_free(ctx);
}

/* The callback may close the client, but whoever called this still looks at it: then it is freed
 * on a later turn. */
static void state_say(MqttClient *k, MqttClientState state, Str reason, uint32_t retry_ms)
{
    if (k->closed || !k->conf.on_state) return;
    k->posts++;
    k->conf.on_state(k->conf.ctx, state, reason, retry_ms);
    k->posts--;
    if (k->closed && !k->posts && !k->resolving && loop_post(k->loop, on_free, k)) return;
}

static void on_socket_closed(uv_handle_t *handle)
{
    Socket *socket = handle->data;
    mem_free(socket->read_buf);
    mem_free(socket);
}

static void socket_drop(MqttClient *k)
{
    if (!k->socket) return;
    k->socket->client = NULL;
    uv_close((uv_handle_t *)&k->socket->tcp, on_socket_closed);
    k->socket = NULL;
}

static void on_retry(void *ctx)
{
    MqttClient *k = ctx;
    loop_timer_stop(k->timer);
    k->timer = NULL;
    attempt(k);
}

static void aliases_drop(MqttClient *k)
{
    for (size_t i = 0; i < COUNT_OF(k->aliases); i++) {
        mem_free(k->aliases[i]);
        k->aliases[i] = NULL;
    }
}

/* Ends this connection and plans the next. */
static void lost(MqttClient *k, const char *reason)
{
    if (k->closed) return;
    bool had = k->connected;
    socket_drop(k);
    loop_timer_stop(k->timer);
    k->timer = NULL;
    k->connected = k->connecting = k->stopped = k->ping_out = false;
    buf_clear(&k->in);
    buf_clear(&k->out);
    aliases_drop(k);
    k->received_count = 0;
    k->epoch++;
    k->in_flight = 0;
    for (Out *o = k->first; o; o = o->next) o->sent = false;
    if (had) k->attempt = 0;
    uint64_t wait = (uint64_t)k->conf.backoff_min_ms << (k->attempt < 16 ? k->attempt : 16);
    if (wait > k->conf.backoff_max_ms) wait = k->conf.backoff_max_ms;
    k->attempt++;
    uint64_t dice = hash_bytes(&k->epoch, sizeof k->epoch) ^ (uint64_t)clock_monotonic_ns();
    wait = wait / 2 + dice % (wait / 2 + 1);
    if (k->fall_back) wait = 0;
    if (loop_timer_start(k->loop, wait, 0, on_retry, k, &k->timer)) return;
    if (!k->fall_back) state_say(k, MQTT_CLIENT_WAITING, str_from(reason), (uint32_t)wait);
    k->fall_back = false;
}

static void on_sent(uv_write_t *write, int status)
{
    Flight *flight = write->data;
    (void)status; /* a broken socket shows itself on the reading side */
    mem_free(flight);
}

static void flush(MqttClient *k)
{
    if (k->out.failed && k->socket) {
        lost(k, "out of memory for output");
        return;
    }
    if (!k->socket || !k->out.len) return;
    uv_buf_t buf = uv_buf_init(k->out.ptr, (unsigned)k->out.len);
    int sent = uv_try_write((uv_stream_t *)&k->socket->tcp, &buf, 1);
    if (sent < 0 && sent != UV_EAGAIN) {
        lost(k, uv_strerror(sent));
        return;
    }
    k->wrote_ns = clock_monotonic_ns();
    size_t left = k->out.len - (sent > 0 ? (size_t)sent : 0);
    if (left) {
        Flight *flight = mem_alloc(sizeof *flight + left);
        if (!flight) {
            lost(k, "out of memory for output");
            return;
        }
        memcpy(flight->bytes, k->out.ptr + k->out.len - left, left);
        flight->write.data = flight;
        buf = uv_buf_init(flight->bytes, (unsigned)left);
        if (uv_write(&flight->write, (uv_stream_t *)&k->socket->tcp, &buf, 1, on_sent)) {
            mem_free(flight);
            lost(k, "cannot write");
            return;
        }
    }
    buf_clear(&k->out);
}

static void client_free(MqttClient *k)
{
    aliases_drop(k);
    for (uint32_t i = 0; i < k->filter_count; i++)
        mem_free((char *)(uintptr_t)k->filters[i].text.ptr);
    buf_done(&k->in);
    buf_done(&k->out);
    mem_free(k->received);
    mem_free(k->seen);
    mem_free(k->texts);
    mem_free(k);
}

static void on_flush(void *ctx)
{
    MqttClient *k = ctx;
    k->posts--;
    k->flush_posted = false;
    if (!k->closed)
        flush(k);
    else if (!k->posts && !k->resolving)
        client_free(k);
}

/* Output of one turn leaves together. */
static void flush_later(MqttClient *k)
{
    if (k->flush_posted) return;
    if (loop_post(k->loop, on_flush, k)) {
        flush(k);
        return;
    }
    k->flush_posted = true;
    k->posts++;
}

/* Writes what may be in flight: first time or again after a reconnect. */
static void pump(MqttClient *k)
{
    if (!k->connected) return;
    for (Out *o = k->first; o && k->in_flight < k->inflight_max; o = o->next) {
        if (o->sent) continue;
        if (o->released) {
            mqtt_put_ack(&k->out, MQTT_PUBREL, k->version, o->id, 0, STR_NONE);
        } else {
            bool again = o->id != 0;
            if (!again) {
                if (!++k->next_id) k->next_id = 1;
                o->id = k->next_id;
            }
            MqttPublishOut pub = {.topic = str_slice(o->text, o->topic_bytes),
                                  .payload = str_slice(o->text + o->topic_bytes, o->payload_bytes),
                                  .id = o->id,
                                  .qos = o->qos,
                                  .dup = again,
                                  .retain = o->retain};
            mqtt_put_publish(&k->out, &pub, k->version);
        }
        o->sent = true;
        k->in_flight++;
    }
    if (k->out.len) flush_later(k);
}

static void out_finish(MqttClient *k, uint16_t id, Status status, const char *reason)
{
    for (Out **link = &k->first, *before = NULL; *link; before = *link, link = &(*link)->next) {
        Out *o = *link;
        if (o->id != id || !o->sent) continue;
        *link = o->next;
        if (k->last == o) k->last = before;
        k->waiting--;
        k->in_flight--;
        if (o->fn) o->fn(o->ctx, status, str_from(reason));
        mem_free(o);
        pump(k);
        return;
    }
}

static void put_subscribe(MqttClient *k, const Filter *filter)
{
    Buf rows;
    buf_init(&rows, 70000);
    MqttFilterRow row = {.filter = filter->text, .qos = filter->qos};
    mqtt_put_filter(&rows, k->version, &row);
    if (!++k->next_id) k->next_id = 1;
    mqtt_put_subscribe(&k->out, k->version, k->next_id, STR_NONE, buf_view(&rows));
    buf_done(&rows);
    flush_later(k);
}

static void on_beat(void *ctx)
{
    MqttClient *k = ctx;
    int64_t now = clock_monotonic_ns(), keep = k->conf.keep_alive_s * NS_PER_S;
    if (k->ping_out && now - k->heard_ns > keep + keep / 2) {
        lost(k, "the server does not answer pings");
        return;
    }
    if (now - k->wrote_ns < keep / 2 && now - k->heard_ns < keep) return;
    mqtt_put_bare(&k->out, MQTT_PINGREQ);
    k->ping_out = true;
    flush_later(k);
}

static const char *connack_text(uint8_t version, uint8_t reason)
{
    if (version < 5) {
        static const char *const texts[] = {"accepted",
                                            "the server refuses the protocol version",
                                            "the server refuses the client id",
                                            "the server is unavailable",
                                            "wrong user or password",
                                            "not authorized"};
        return reason < COUNT_OF(texts) ? texts[reason] : "refused";
    }
    switch (reason) {
    case MQTT_RC_VERSION: return "the server refuses the protocol version";
    case MQTT_RC_CLIENT_ID: return "the server refuses the client id";
    case MQTT_RC_BAD_USER: return "wrong user or password";
    case MQTT_RC_NOT_AUTHORIZED: return "not authorized";
    case MQTT_RC_UNAVAILABLE: return "the server is unavailable";
    case MQTT_RC_QUOTA: return "the server's quota is used up";
    default: return "the server refused the connection";
    }
}

static void on_connack(MqttClient *k, const MqttPacket *p)
{
    if (k->connected) {
        lost(k, "the server sent CONNACK twice");
        return;
    }
    if (p->reason) {
        bool version = k->version == 5 && (p->reason == 1 || p->reason == MQTT_RC_VERSION);
        k->fall_back = version && !k->conf.no_fallback;
        const char *text = connack_text(p->reason < 0x80 ? 4 : 5, p->reason);
        if (k->fall_back) k->version = 4;
        lost(k, text);
        return;
    }
    k->connected = true;
    k->connecting = false;
    k->attempt = 0;
    k->inflight_max = k->conf.inflight_max;
    if (k->version == 5) {
        uint32_t max = mqtt_number(&p->props, MQTT_P_RECEIVE_MAX, 65535);
        if (max < k->inflight_max) k->inflight_max = max;
        uint32_t keep = mqtt_number(&p->props, MQTT_P_SERVER_KEEP_ALIVE, k->conf.keep_alive_s);
        if (keep) k->conf.keep_alive_s = (uint16_t)keep;
    }
    if (!p->session_present && k->seen) memset(k->seen, 0, 1024 * sizeof *k->seen);
    loop_timer_stop(k->timer);
    k->timer = NULL;
    uint64_t beat = k->conf.keep_alive_s * 1000u / 4 + 1;
    if (loop_timer_start(k->loop, beat, beat, on_beat, k, &k->timer)) return;
    for (uint32_t i = 0; i < k->filter_count; i++) put_subscribe(k, &k->filters[i]);
    pump(k);
    state_say(k, MQTT_CLIENT_CONNECTED, STR_NONE, 0);
}

static bool topic_of(MqttClient *k, MqttPacket *p)
{
    uint32_t alias = k->version == 5 ? mqtt_number(&p->props, MQTT_P_TOPIC_ALIAS, 0) : 0;
    if (!alias) return true;
    if (alias > COUNT_OF(k->aliases)) return false;
    if (p->topic.len) {
        char *copy = mem_realloc(k->aliases[alias - 1], p->topic.len);
        if (!copy) return false;
        memcpy(copy, p->topic.ptr, p->topic.len);
        k->aliases[alias - 1] = copy;
        k->alias_bytes[alias - 1] = p->topic.len;
        return true;
    }
    if (!k->aliases[alias - 1]) return false;
    p->topic = str_slice(k->aliases[alias - 1], k->alias_bytes[alias - 1]);
    return true;
}

static void on_publish(MqttClient *k, MqttPacket *p)
{
    if (!topic_of(k, p)) {
        lost(k, "the server used an unknown topic alias");
        return;
    }
    MqttClientMsg msg = {.topic = p->topic,
                         .payload = p->payload,
                         .props = p->props.raw,
                         .received_ns = clock_wall_ns(),
                         .qos = p->qos,
                         .retain = p->retain,
                         .dup = p->dup};
    if (p->qos) {
        if (k->received_count == k->conf.receive_max) {
            lost(k, "the server exceeds the receive maximum");
            return;
        }
        bool again = p->qos == 2 && k->seen[p->id / 64] >> (p->id % 64) & 1;
        uint32_t at = (k->received_head + k->received_count++) % k->conf.receive_max;
        k->received[at] = (In){.id = p->id, .qos = p->qos, .acked = again};
        msg.token = k->epoch << 32 | (uint32_t)(k->seq_head + k->received_count - 1);
        if (again) {
            mqtt_client_ack(k, 0);
            return;
        }
    }
    if (k->conf.on_message) k->conf.on_message(k->conf.ctx, &msg);
    if (k->version < 5 && k->received_count == k->conf.receive_max && k->socket) {
        k->stopped = true;
        (void)uv_read_stop((uv_stream_t *)&k->socket->tcp);
    }
}

static void on_puback(MqttClient *k, const MqttPacket *p)
{
    bool bad = p->reason >= 0x80;
    out_finish(k, p->id, bad ? ST_FORBIDDEN : ST_OK, bad ? "the server refused the message" : "");
}

static void on_pubrec(MqttClient *k, const MqttPacket *p)
{
    if (p->reason >= 0x80) {
        out_finish(k, p->id, ST_FORBIDDEN, "the server refused the message");
        return;
    }
    for (Out *o = k->first; o; o = o->next)
        if (o->id == p->id && o->qos == 2) o->released = true;
    mqtt_put_ack(&k->out, MQTT_PUBREL, k->version, p->id, 0, STR_NONE);
    flush_later(k);
}

static void on_pubrel(MqttClient *k, const MqttPacket *p)
{
    k->seen[p->id / 64] &= ~(1ull << (p->id % 64));
    mqtt_put_ack(&k->out, MQTT_PUBCOMP, k->version, p->id, 0, STR_NONE);
    flush_later(k);
}

static void on_packet(MqttClient *k, Str bytes, size_t head)
{
    MqttPacket p;
    MqttReason reason = mqtt_decode(bytes, head, k->version, MQTT_FROM_SERVER, &p);
    if (reason || (!k->connected && p.type != MQTT_CONNACK)) {
        lost(k, "the server sent a malformed packet");
        return;
    }
    switch (p.type) {
    case MQTT_CONNACK: on_connack(k, &p); return;
    case MQTT_PUBLISH: on_publish(k, &p); return;
    case MQTT_PUBACK: on_puback(k, &p); return;
    case MQTT_PUBREC: on_pubrec(k, &p); return;
    case MQTT_PUBREL: on_pubrel(k, &p); return;
    case MQTT_PUBCOMP: out_finish(k, p.id, ST_OK, ""); return;
    case MQTT_PINGRESP: k->ping_out = false; return;
    case MQTT_DISCONNECT:
        lost(k, p.reason == MQTT_RC_TAKEN_OVER ? "another client took over this client id"
                                               : "the server ended the connection");
        return;
    case MQTT_SUBACK:
        for (size_t i = 0; i < p.list.len; i++)
            if (p.list.ptr[i] & 0x80)
                state_say(k, MQTT_CLIENT_CONNECTED, STR("the server refused a subscription"), 0);
        return;
    default: return;
    }
}

static void on_bytes(MqttClient *k, const char *bytes, size_t len)
{
    uint64_t epoch = k->epoch;
    k->heard_ns = clock_monotonic_ns();
    buf_add(&k->in, bytes, len);
    if (k->in.failed) {
        lost(k, "out of memory for input");
        return;
    }
    /* Out of the client meanwhile: a callback may close it. */
    Buf work = k->in;
    buf_init(&k->in, work.max_bytes);
    size_t used = 0;
    k->posts++; /* holds the memory during callbacks */
    while (!k->closed && k->epoch == epoch) {
        size_t head, whole;
        MqttFrame frame = mqtt_frame(str_slice(work.ptr + used, work.len - used),
                                     k->conf.packet_bytes_max, &head, &whole);
        if (frame == MQTT_FRAME_MORE) break;
        if (frame != MQTT_FRAME_WHOLE) {
            lost(k, "the server sent too large a packet");
            break;
        }
        on_packet(k, str_slice(work.ptr + used, whole), head);
        used += whole;
    }
    k->posts--;
    bool go_on = !k->closed && k->epoch == epoch;
    if (go_on) {
        buf_consume(&work, used);
        k->in = work;
    } else {
        buf_done(&work);
        if (k->closed && !k->posts && !k->resolving) client_free(k);
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    Socket *socket = handle->data;
    *buf = uv_buf_init(socket->read_buf, READ_BYTES);
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    Socket *socket = stream->data;
    MqttClient *k = socket->client;
    if (!k) return;
    if (len > 0) {
        on_bytes(k, buf->base, (size_t)len);
    } else if (len < 0) {
        /* Some 3.1.1 servers just hang up on version 5. */
        bool silent = k->connecting && k->version == 5 && !k->conf.no_fallback && k->attempt >= 2;
        if (silent) k->version = 4;
        lost(k, len == UV_EOF ? "the server closed the connection" : uv_strerror((int)len));
    }
}

static void hello(MqttClient *k)
{
    Buf props;
    buf_init(&props, 256);
    if (k->version == 5) {
        if (k->conf.session_expiry_s)
            mqtt_put_prop_number(&props, MQTT_P_SESSION_EXPIRY, k->conf.session_expiry_s);
        mqtt_put_prop_number(&props, MQTT_P_RECEIVE_MAX, k->conf.receive_max);
        mqtt_put_prop_number(&props, MQTT_P_MAX_PACKET, k->conf.packet_bytes_max);
        mqtt_put_prop_number(&props, MQTT_P_TOPIC_ALIAS_MAX, COUNT_OF(k->aliases));
    }
    MqttConnectOut connect = {.version = k->version,
                              .clean = !k->conf.keep_session,
                              .has_user = k->conf.user.len > 0,
                              .has_password = k->conf.password.len > 0,
                              .keep_alive = k->conf.keep_alive_s,
                              .client_id = k->conf.client_id,
                              .user = k->conf.user,
                              .password = k->conf.password,
                              .props = buf_view(&props)};
    mqtt_put_connect(&k->out, &connect);
    buf_done(&props);
    flush(k);
}

static void on_connected(uv_connect_t *request, int status)
{
    Socket *socket = request->handle->data;
    MqttClient *k = socket->client;
    mem_free(request);
    if (!k) return;
    if (status < 0) {
        lost(k, uv_strerror(status));
        return;
    }
    (void)uv_tcp_nodelay(&socket->tcp, 1);
    k->heard_ns = clock_monotonic_ns();
    if (uv_read_start((uv_stream_t *)&socket->tcp, on_alloc, on_read))
        lost(k, "cannot read");
    else
        hello(k);
}

static void on_timeout(void *ctx)
{
    lost(ctx, "no answer in time");
}

static void connect_to(MqttClient *k, const struct sockaddr *address)
{
    Socket *socket = mem_zalloc(1, sizeof *socket);
    uv_connect_t *request = mem_zalloc(1, sizeof *request);
    char *bytes = mem_alloc(READ_BYTES);
    if (!socket || !request || !bytes || uv_tcp_init(loop_uv(k->loop), &socket->tcp)) {
        mem_free(socket);
        mem_free(request);
        mem_free(bytes);
        lost(k, "no socket");
        return;
    }
    socket->read_buf = bytes;
    socket->client = k;
    socket->tcp.data = socket;
    k->socket = socket;
    int bad = uv_tcp_connect(request, &socket->tcp, address, on_connected);
    if (!bad) return;
    mem_free(request);
    lost(k, uv_strerror(bad));
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    MqttClient *k = request->data;
    k->resolving = false;
    mem_free(request);
    if (k->closed) {
        if (!k->posts) client_free(k);
    } else if (status < 0 || !found) {
        lost(k, "the host name is not known");
    } else
        connect_to(k, found->ai_addr);
    uv_freeaddrinfo(found);
}

static void attempt(MqttClient *k)
{
    if (k->closed) return;
    if (k->resolving) { /* the last look-up is still under way */
        lost(k, "the name server does not answer");
        return;
    }
    k->connecting = true;
    k->epoch++;
    k->received_count = 0;
    state_say(k, MQTT_CLIENT_CONNECTING, STR_NONE, 0);
    if (k->closed) return;
    if (loop_timer_start(k->loop, k->conf.connect_timeout_ms, 0, on_timeout, k, &k->timer)) return;
    char port[8];
    (void)snprintf(port, sizeof port, "%u", k->conf.port);
    struct sockaddr_in four;
    if (!uv_ip4_addr(k->conf.host.ptr, k->conf.port, &four)) {
        connect_to(k, (struct sockaddr *)&four);
        return;
    }
    uv_getaddrinfo_t *request = mem_zalloc(1, sizeof *request);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    if (request) request->data = k;
    if (!request ||
        uv_getaddrinfo(loop_uv(k->loop), request, on_resolved, k->conf.host.ptr, port, &hints)) {
        mem_free(request);
        lost(k, "cannot look up the host name");
        return;
    }
    k->resolving = true;
}

static void conf_presets(MqttClientConf *conf)
{
    if (!conf->port) conf->port = 1883;
    if (conf->version != 4) conf->version = 5;
    if (!conf->keep_alive_s) conf->keep_alive_s = 30;
    if (!conf->receive_max) conf->receive_max = 256;
    if (!conf->inflight_max) conf->inflight_max = 64;
    if (!conf->queue_max) conf->queue_max = 10000;
    if (!conf->packet_bytes_max) conf->packet_bytes_max = 1 << 20;
    if (!conf->connect_timeout_ms) conf->connect_timeout_ms = 5000;
    if (!conf->backoff_min_ms) conf->backoff_min_ms = 500;
    if (!conf->backoff_max_ms) conf->backoff_max_ms = 30000;
}

static bool texts_copy(MqttClient *k)
{
    Str *list[] = {&k->conf.host, &k->conf.client_id, &k->conf.user, &k->conf.password};
    size_t bytes = 0;
    for (size_t i = 0; i < COUNT_OF(list); i++) bytes += list[i]->len + 1;
    char *to = k->texts = mem_alloc(bytes);
    if (!to) return false;
    for (size_t i = 0; i < COUNT_OF(list); i++) {
        if (list[i]->len) memcpy(to, list[i]->ptr, list[i]->len);
        to[list[i]->len] = '\0';
        list[i]->ptr = to;
        to += list[i]->len + 1;
    }
    return true;
}

Status mqtt_client_open(Loop *loop, const MqttClientConf *conf, MqttClient **ret_client, Diag *diag)
{
    if (!conf->host.len || conf->host.len > 255 || conf->client_id.len > 65535)
        return diag_set(diag, ST_INVALID, "a host name has 1 to 255 characters");
    MqttClient *k = mem_zalloc(1, sizeof *k);
    if (!k) return diag_set(diag, ST_NO_MEMORY, "out of memory");
    k->loop = loop;
    k->conf = *conf;
    conf_presets(&k->conf);
    k->version = k->conf.version;
    buf_init(&k->in, (size_t)k->conf.packet_bytes_max + 2 * READ_BYTES);
    buf_init(&k->out, 256u << 20);
    k->received = mem_zalloc(k->conf.receive_max, sizeof *k->received);
    k->seen = mem_zalloc(1024, sizeof *k->seen);
    if (!k->received || !k->seen || !texts_copy(k) ||
        loop_timer_start(loop, 0, 0, on_retry, k, &k->timer)) {
        client_free(k);
        return diag_set(diag, ST_NO_MEMORY, "out of memory");
    }
    *ret_client = k;
    return ST_OK;
}

void mqtt_client_close(MqttClient *client)
{
    MqttClient *k = client;
    if (!k || k->closed) return;
    if (k->connected) {
        mqtt_put_disconnect(&k->out, k->version, 0, STR_NONE);
        flush(k);
    }
    k->closed = true;
    loop_timer_stop(k->timer);
    socket_drop(k);
    while (k->first) {
        Out *o = k->first;
        k->first = o->next;
        if (o->fn) o->fn(o->ctx, ST_CANCELLED, STR("closed"));
        mem_free(o);
    }
    k->last = NULL;
    if (!k->posts && !k->resolving) client_free(k);
}

Status mqtt_client_subscribe(MqttClient *client, Str filter, uint8_t qos, Diag *diag)
{
    MqttClient *k = client;
    if (!mqtt_filter_valid(filter) || qos > 2)
        return diag_set(diag, ST_INVALID, "\"%.*s\" is not a topic filter", STR_ARG(filter));
    Filter *at = NULL;
    for (uint32_t i = 0; i < k->filter_count; i++)
        if (str_eq(k->filters[i].text, filter)) at = &k->filters[i];
    if (!at) {
        char *copy = k->filter_count < FILTERS_MAX ? mem_alloc(filter.len) : NULL;
        if (!copy) return diag_set(diag, ST_LIMIT, "at most %d filters", FILTERS_MAX);
        memcpy(copy, filter.ptr, filter.len);
        at = &k->filters[k->filter_count++];
        at->text = str_slice(copy, filter.len);
    }
    at->qos = qos;
    if (k->connected) put_subscribe(k, at);
    return ST_OK;
}

void mqtt_client_unsubscribe(MqttClient *client, Str filter)
{
    MqttClient *k = client;
    for (uint32_t i = 0; i < k->filter_count; i++) {
        if (!str_eq(k->filters[i].text, filter)) continue;
        if (k->connected) {
            Buf rows;
            buf_init(&rows, 70000);
            mqtt_put_string(&rows, filter);
            if (!++k->next_id) k->next_id = 1;
            mqtt_put_unsubscribe(&k->out, k->version, k->next_id, STR_NONE, buf_view(&rows));
            buf_done(&rows);
            flush_later(k);
        }
        mem_free((char *)(uintptr_t)k->filters[i].text.ptr);
        k->filters[i] = k->filters[--k->filter_count];
        return;
    }
}

Status mqtt_client_publish(MqttClient *client, Str topic, Str payload, uint8_t qos, bool retain,
                           MqttClientSentFn *fn, void *ctx)
{
    MqttClient *k = client;
    if (k->closed || !mqtt_topic_valid(topic) || qos > 2) return ST_INVALID;
    if (!qos) {
        if (!k->connected) return ST_UNAVAILABLE;
        if (uv_stream_get_write_queue_size((uv_stream_t *)&k->socket->tcp) > OUT_BYTES_MAX)
            return ST_BUSY;
        MqttPublishOut pub = {.topic = topic, .payload = payload, .retain = retain};
        mqtt_put_publish(&k->out, &pub, k->version);
        flush_later(k);
        if (fn) fn(ctx, ST_OK, STR_NONE);
        return ST_OK;
    }
    if (k->waiting >= k->conf.queue_max) return ST_LIMIT;
    Out *o = mem_alloc(sizeof *o + topic.len + payload.len);
    if (!o) return ST_NO_MEMORY;
    *o = (Out){.fn = fn,
               .ctx = ctx,
               .qos = qos,
               .retain = retain,
               .topic_bytes = (uint32_t)topic.len,
               .payload_bytes = payload.len};
    memcpy(o->text, topic.ptr, topic.len);
    if (payload.len) memcpy(o->text + topic.len, payload.ptr, payload.len);
    if (k->last)
        k->last->next = o;
    else
        k->first = o;
    k->last = o;
    k->waiting++;
    pump(k);
    return ST_OK;
}

/* Acks go out in the order of arrival (MQTT 5.0, 4.6), so an early one waits for those before. */
void mqtt_client_ack(MqttClient *client, uint64_t token)
{
    MqttClient *k = client;
    if (k->closed || (token && token >> 32 != (k->epoch & 0xffffffff))) return;
    if (token) {
        uint32_t index = (uint32_t)token - (uint32_t)k->seq_head;
        if (index >= k->received_count) return;
        k->received[(k->received_head + index) % k->conf.receive_max].acked = true;
    }
    while (k->received_count && k->received[k->received_head].acked) {
        const In *in = &k->received[k->received_head];
        if (in->qos == 2) k->seen[in->id / 64] |= 1ull << (in->id % 64);
        mqtt_put_ack(&k->out, in->qos == 1 ? MQTT_PUBACK : MQTT_PUBREC, k->version, in->id, 0,
                     STR_NONE);
        k->received_head = (k->received_head + 1) % k->conf.receive_max;
        k->received_count--;
        k->seq_head++;
        flush_later(k);
    }
    if (k->stopped && k->received_count < k->conf.receive_max && k->socket) {
        k->stopped = false;
        if (uv_read_start((uv_stream_t *)&k->socket->tcp, on_alloc, on_read))
            lost(k, "cannot read");
    }
}

bool mqtt_client_connected(const MqttClient *client)
{
    return client->connected;
}

uint8_t mqtt_client_version(const MqttClient *client)
{
    return client->version;
}
