/* runtime/mqtt/client.c: one connection to a server, kept alive.
 *
 * States: resolving, TCP, waiting for CONNACK, connected, waiting for the next try. Whatever goes
 * wrong ends in mqtt_client__lost, which closes the socket and starts the backoff timer; the socket
 * handle has its own small allocation so that its close callback can outlive the next attempt or
 * the client. What the connection carries is in client_flow.c. */
#include "mqtt/client_int.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

static void attempt(MqttClient *k);

static void client_free(MqttClient *k);

static void on_free(void *ctx)
{
    client_free(ctx);
}

/* The callback may close the client, but whoever called this still looks at it: then it is freed
 * on a later turn. */
void mqtt_client__state_say(MqttClient *k, MqttClientState state, Str reason, uint32_t retry_ms)
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
    tls_conn_free(socket->tls);
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

void mqtt_client__lost(MqttClient *k, const char *reason)
{
    if (k->closed) return;
    bool had = k->connected;
    socket_drop(k);
    loop_timer_stop(k->timer);
    k->timer = NULL;
    k->connected = k->connecting = k->stopped = k->ping_out = false;
    buf_clear(&k->in);
    buf_clear(&k->out);
    mqtt_client__aliases_drop(k);
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
    if (!k->fall_back)
        mqtt_client__state_say(k, MQTT_CLIENT_WAITING, str_from(reason), (uint32_t)wait);
    k->fall_back = false;
}

static void on_sent(uv_write_t *write, int status)
{
    Flight *flight = write->data;
    (void)status; /* a broken socket shows itself on the reading side */
    mem_free(flight);
}

/* Empties `from`. */
static void send_bytes(MqttClient *k, Buf *from)
{
    uv_buf_t buf = uv_buf_init(from->ptr, (unsigned)from->len);
    int sent = uv_try_write((uv_stream_t *)&k->socket->tcp, &buf, 1);
    if (sent < 0 && sent != UV_EAGAIN) {
        mqtt_client__lost(k, uv_strerror(sent));
        return;
    }
    k->wrote_ns = clock_monotonic_ns();
    size_t left = from->len - (sent > 0 ? (size_t)sent : 0);
    if (left) {
        Flight *flight = mem_alloc(sizeof *flight + left);
        if (!flight) {
            mqtt_client__lost(k, "out of memory for output");
            return;
        }
        memcpy(flight->bytes, from->ptr + from->len - left, left);
        flight->write.data = flight;
        buf = uv_buf_init(flight->bytes, (unsigned)left);
        if (uv_write(&flight->write, (uv_stream_t *)&k->socket->tcp, &buf, 1, on_sent)) {
            mem_free(flight);
            mqtt_client__lost(k, "cannot write");
            return;
        }
    }
    buf_clear(from);
}

/* During the handshake of TLS it waits. */
static void flush(MqttClient *k)
{
    if (k->out.failed && k->socket) {
        mqtt_client__lost(k, "out of memory for output");
        return;
    }
    if (!k->socket || !k->out.len) return;
    TlsConn *tls = k->socket->tls;
    if (!tls) {
        send_bytes(k, &k->out);
        return;
    }
    if (!tls_conn_up(tls)) return;
    if (tls_conn_output(tls, k->out.ptr, k->out.len)) {
        mqtt_client__lost(k, tls_conn_error(tls));
        return;
    }
    buf_clear(&k->out);
    send_bytes(k, tls_conn_wire(tls));
}

static void client_free(MqttClient *k)
{
    mqtt_client__aliases_drop(k);
    for (uint32_t i = 0; i < k->filter_count; i++)
        mem_free((char *)(uintptr_t)k->filters[i].text.ptr);
    buf_done(&k->in);
    buf_done(&k->out);
    mem_free(k->received);
    mem_free(k->seen);
    mem_free(k->used);
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

void mqtt_client__flush_later(MqttClient *k)
{
    if (k->flush_posted) return;
    if (loop_post(k->loop, on_flush, k)) {
        flush(k);
        return;
    }
    k->flush_posted = true;
    k->posts++;
}

static void on_beat(void *ctx)
{
    MqttClient *k = ctx;
    int64_t now = clock_monotonic_ns(), keep = k->keep_alive_s * NS_PER_S;
    if (!keep) return; /* the server wants none */
    if (k->ping_out && now - k->heard_ns > keep + keep / 2) {
        mqtt_client__lost(k, "the server does not answer pings");
        return;
    }
    if (now - k->wrote_ns < keep / 2 && now - k->heard_ns < keep) return;
    mqtt_put_bare(&k->out, MQTT_PINGREQ);
    k->ping_out = true;
    mqtt_client__flush_later(k);
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

static void limits_take(MqttClient *k, const MqttPacket *p)
{
    bool five = k->version == 5;
    uint32_t max = five ? mqtt_number(&p->props, MQTT_P_RECEIVE_MAX, 65535) : 65535;
    uint32_t keep = k->conf.keep_alive_s;
    k->inflight_max = max < k->conf.inflight_max ? max : k->conf.inflight_max;
    k->keep_alive_s =
        (uint16_t)(five ? mqtt_number(&p->props, MQTT_P_SERVER_KEEP_ALIVE, keep) : keep);
    k->qos_max = (uint8_t)(five ? mqtt_number(&p->props, MQTT_P_MAX_QOS, 2) : 2);
    k->no_retain = five && !mqtt_number(&p->props, MQTT_P_RETAIN_AVAILABLE, 1);
    k->packet_max = five ? mqtt_number(&p->props, MQTT_P_MAX_PACKET, 0) : 0;
}

void mqtt_client__connack(MqttClient *k, const MqttPacket *p)
{
    if (k->connected) {
        mqtt_client__lost(k, "the server sent CONNACK twice");
        return;
    }
    if (p->reason) {
        bool version = k->version == 5 && (p->reason == 1 || p->reason == MQTT_RC_VERSION);
        k->fall_back = version && !k->conf.no_fallback;
        const char *text = connack_text(p->reason < 0x80 ? 4 : 5, p->reason);
        if (k->fall_back) k->version = 4;
        mqtt_client__lost(k, text);
        return;
    }
    if (p->session_present && !k->conf.keep_session && k->version == 5) {
        mqtt_client__lost(k, "the server goes on with a session that this client does not have");
        return;
    }
    k->connected = true;
    k->connecting = false;
    k->attempt = 0;
    limits_take(k, p);
    loop_timer_stop(k->timer);
    k->timer = NULL;
    uint64_t beat = k->keep_alive_s * 1000u / 4 + 1;
    if (loop_timer_start(k->loop, beat, beat, on_beat, k, &k->timer)) return;
    mqtt_client__begin(k, p->session_present);
    mqtt_client__state_say(k, MQTT_CLIENT_CONNECTED, STR_NONE, 0);
}

static void on_bytes(MqttClient *k, const char *bytes, size_t len)
{
    uint64_t epoch = k->epoch;
    k->heard_ns = clock_monotonic_ns();
    buf_add(&k->in, bytes, len);
    if (k->in.failed) {
        mqtt_client__lost(k, "out of memory for input");
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
            mqtt_client__lost(k, "the server sent too large a packet");
            break;
        }
        mqtt_client__packet(k, str_slice(work.ptr + used, whole), head);
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

static void hello(MqttClient *k);

static void on_plain(void *ctx, const char *bytes, size_t len)
{
    Socket *socket = ctx;
    if (socket->client) on_bytes(socket->client, bytes, len);
}

/* A callback may end the connection: the socket is freed on a later turn, its TLS with it. */
static void tls_in(Socket *socket, const char *bytes, size_t len)
{
    TlsConn *tls = socket->tls;
    bool was_up = tls_conn_up(tls);
    Status st = tls_conn_input(tls, bytes, len, on_plain, socket);
    MqttClient *k = socket->client;
    if (k && tls_conn_wire(tls)->len) send_bytes(k, tls_conn_wire(tls));
    if (!(k = socket->client)) return;
    if (st == ST_UNAVAILABLE)
        mqtt_client__lost(k, "the server closed the connection");
    else if (st)
        mqtt_client__lost(k, tls_conn_error(tls));
    else if (!was_up && tls_conn_up(tls))
        hello(k);
}

/* By TLS 1.3 a server looks at the client's certificate when the client thinks the handshake is
 * over: its alert may be lost behind the reset of what the client sent already. */
static const char *why_ended(const MqttClient *k, const Socket *socket, ssize_t len)
{
    if (socket->tls && tls_conn_up(socket->tls) && k->connecting && !k->conf.cert_file.len)
        return "the server hung up behind the TLS handshake: it may want a client's certificate";
    return len == UV_EOF ? "the server closed the connection" : uv_strerror((int)len);
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    Socket *socket = stream->data;
    MqttClient *k = socket->client;
    if (!k) return;
    if (len > 0 && socket->tls) {
        tls_in(socket, buf->base, (size_t)len);
    } else if (len > 0) {
        on_bytes(k, buf->base, (size_t)len);
    } else if (len < 0) {
        /* Some 3.1.1 servers just hang up on version 5. */
        bool silent = k->connecting && k->version == 5 && !k->conf.no_fallback && k->attempt >= 2;
        if (silent) k->version = 4;
        mqtt_client__lost(k, why_ended(k, socket, len));
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
    /* Up to 3.1.1 a session needs a name, and a password a user. */
    bool old = k->version<5, named = k->conf.user.len> 0;
    MqttConnectOut connect = {.version = k->version,
                              .clean = !k->conf.keep_session || (old && !k->conf.client_id.len),
                              .has_user = named,
                              .has_password = k->conf.password.len > 0 && (named || !old),
                              .keep_alive = k->conf.keep_alive_s,
                              .client_id = k->conf.client_id,
                              .user = k->conf.user,
                              .password = k->conf.password,
                              .has_will = k->conf.will_topic.len > 0,
                              .will_topic = k->conf.will_topic,
                              .will_payload = k->conf.will_payload,
                              .will_qos = k->conf.will_qos,
                              .will_retain = k->conf.will_retain,
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
        mqtt_client__lost(k, uv_strerror(status));
        return;
    }
    loop_tcp_tune(&socket->tcp);
    k->heard_ns = clock_monotonic_ns();
    if (uv_read_start((uv_stream_t *)&socket->tcp, on_alloc, on_read))
        mqtt_client__lost(k, "cannot read");
    else if (socket->tls)
        send_bytes(k, tls_conn_wire(socket->tls));
    else
        hello(k);
}

void mqtt_client__read_on(MqttClient *k)
{
    k->stopped = false;
    if (uv_read_start((uv_stream_t *)&k->socket->tcp, on_alloc, on_read))
        mqtt_client__lost(k, "cannot read");
}

static void on_timeout(void *ctx)
{
    mqtt_client__lost(ctx, "no answer in time");
}

/* The files anew with each try. False: the try is over. */
static bool tls_begin(MqttClient *k, Socket *socket)
{
    LinkFiles files = {k->conf.ca_file, k->conf.cert_file, k->conf.key_file};
    TlsClient *client = NULL;
    Diag diag = {0};
    if (!k->conf.tls) return true;
    if (link_tls_new(&files, &client, &diag)) {
        mqtt_client__lost(k, diag.text);
        return false;
    }
    socket->tls = tls_conn_to(client, k->conf.host.ptr, OUT_BYTES_MAX);
    tls_client_free(client);
    if (!socket->tls) mqtt_client__lost(k, "no memory for TLS");
    return socket->tls;
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
        mqtt_client__lost(k, "no socket");
        return;
    }
    socket->read_buf = bytes;
    socket->client = k;
    socket->tcp.data = socket;
    k->socket = socket;
    if (!tls_begin(k, socket)) {
        mem_free(request);
        return;
    }
    int bad = uv_tcp_connect(request, &socket->tcp, address, on_connected);
    if (!bad) return;
    mem_free(request);
    mqtt_client__lost(k, uv_strerror(bad));
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    MqttClient *k = request->data;
    k->resolving = false;
    mem_free(request);
    if (k->closed) {
        if (!k->posts) client_free(k);
    } else if (status < 0 || !found) {
        mqtt_client__lost(k, "the host name is not known");
    } else
        connect_to(k, found->ai_addr);
    uv_freeaddrinfo(found);
}

static void attempt(MqttClient *k)
{
    if (k->closed) return;
    if (k->resolving) { /* the last look-up is still under way */
        mqtt_client__lost(k, "the name server does not answer");
        return;
    }
    k->connecting = true;
    k->epoch++;
    k->received_count = 0;
    mqtt_client__state_say(k, MQTT_CLIENT_CONNECTING, STR_NONE, 0);
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
        mqtt_client__lost(k, "cannot look up the host name");
        return;
    }
    k->resolving = true;
}

static void conf_presets(MqttClientConf *conf)
{
    if (!conf->port) conf->port = conf->tls ? 8883 : 1883;
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
    Str *list[] = {&k->conf.host,     &k->conf.client_id,  &k->conf.user,
                   &k->conf.password, &k->conf.will_topic, &k->conf.will_payload,
                   &k->conf.ca_file,  &k->conf.cert_file,  &k->conf.key_file};
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
    if (conf->will_topic.len && (!mqtt_topic_valid(conf->will_topic) || conf->will_qos > 2 ||
                                 conf->will_payload.len > 65535))
        return diag_set(diag, ST_INVALID, "the will has no topic name, or is too large");
    MqttClient *k = mem_zalloc(1, sizeof *k);
    if (!k) return diag_set(diag, ST_NO_MEMORY, "out of memory");
    k->loop = loop;
    k->conf = *conf;
    conf_presets(&k->conf);
    k->version = k->conf.version;
    buf_init(&k->in, (size_t)k->conf.packet_bytes_max + 2 * READ_BYTES);
    buf_init(&k->out, 256u << 20);
    k->received = mem_zalloc(k->conf.receive_max, sizeof *k->received);
    k->seen = mem_zalloc(IDS_WORDS, sizeof *k->seen);
    k->used = mem_zalloc(IDS_WORDS, sizeof *k->used);
    if (!k->received || !k->seen || !k->used || !texts_copy(k) ||
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
        bool will = k->conf.will_on_close && k->conf.will_topic.len;
        mqtt_put_disconnect(&k->out, k->version, will ? MQTT_RC_WITH_WILL : 0, STR_NONE);
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

bool mqtt_client_connected(const MqttClient *client)
{
    return client->connected;
}

uint8_t mqtt_client_version(const MqttClient *client)
{
    return client->version;
}
