/* runtime/mqtt/bridge.c: a bridge's life: its session here, its connection there, its state.
 *
 * Both connections begin and end together: the session comes online when the other broker has
 * accepted us, with the limits that one announced, and goes offline when it is lost. So our broker
 * itself keeps what waits, resends what was not acknowledged, and holds back when the other side is
 * slow. Our own messages there (state) are of QoS 0, for identifiers belong to the session's. */
#include "mqtt/bridge_int.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>

enum { CONNECT_AGAIN_S = 10, NOTE_EVERY_S = 10 };

/* ---- words ---- */

const char *mqtt_bridge_state_word(MqttBridgeState state)
{
    static const char *const words[] = {"disabled", "connecting", "connected", "waiting"};
    return words[state];
}

const char *mqtt_bridge_drop_word(MqttBridgeDrop drop)
{
    static const char *const words[] = {
#define DROP(name, word, doc) word,
#include "mqtt/bridge_drops.def"
#undef DROP
    };
    return words[drop];
}

const char *bridge__reason(uint8_t code)
{
    static const struct {
        uint8_t code;
        const char *text;
    } rows[] = {
        {MQTT_RC_OK, "without a reason"},
        {MQTT_RC_UNSPECIFIED, "it does not say why (0x80)"},
        {MQTT_RC_MALFORMED, "malformed packet (0x81)"},
        {MQTT_RC_PROTOCOL, "protocol error (0x82)"},
        {MQTT_RC_IMPLEMENTATION, "not accepted by this server (0x83)"},
        {MQTT_RC_VERSION, "it does not know this protocol version (0x84): set \"version\""},
        {MQTT_RC_CLIENT_ID, "it does not take the client id (0x85)"},
        {MQTT_RC_BAD_USER, "wrong user or password (0x86)"},
        {MQTT_RC_NOT_AUTHORIZED, "not authorized (0x87)"},
        {MQTT_RC_UNAVAILABLE, "it is not available (0x88)"},
        {0x89, "it is busy (0x89)"},
        {0x8a, "this client is banned (0x8a)"},
        {MQTT_RC_SHUTDOWN, "it is shutting down (0x8b)"},
        {MQTT_RC_AUTH_METHOD, "authentication method (0x8c)"},
        {MQTT_RC_KEEP_ALIVE, "keep alive timeout (0x8d)"},
        {MQTT_RC_TAKEN_OVER, "another client took over this client id (0x8e)"},
        {MQTT_RC_FILTER_INVALID, "topic filter invalid (0x8f)"},
        {MQTT_RC_TOPIC_INVALID, "topic name invalid (0x90)"},
        {MQTT_RC_ID_IN_USE, "packet identifier in use (0x91)"},
        {MQTT_RC_RECEIVE_MAX, "receive maximum exceeded (0x93)"},
        {MQTT_RC_TOPIC_ALIAS, "topic alias invalid (0x94)"},
        {MQTT_RC_TOO_LARGE, "packet too large (0x95)"},
        {0x96, "message rate too high (0x96)"},
        {MQTT_RC_QUOTA, "quota exceeded (0x97)"},
        {MQTT_RC_ADMINISTRATIVE, "administrative action (0x98)"},
        {MQTT_RC_PAYLOAD, "payload format invalid (0x99)"},
        {0x9a, "retain not supported (0x9a)"},
        {0x9b, "QoS not supported (0x9b)"},
        {0x9c, "use another server (0x9c)"},
        {0x9d, "server moved (0x9d)"},
        {MQTT_RC_SHARED_UNSUPPORTED, "shared subscriptions not supported (0x9e)"},
        {0x9f, "connection rate exceeded (0x9f)"},
        {0xa1, "subscription identifiers not supported (0xa1)"},
        {0xa2, "wildcards not supported (0xa2)"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (rows[i].code == code) return rows[i].text;
    return "for a reason unknown here";
}

uint8_t bridge__refusal(uint8_t version, uint8_t code)
{
    static const uint8_t same[] = {0,
                                   MQTT_RC_VERSION,
                                   MQTT_RC_CLIENT_ID,
                                   MQTT_RC_UNAVAILABLE,
                                   MQTT_RC_BAD_USER,
                                   MQTT_RC_NOT_AUTHORIZED};
    if (version < 5) return code < COUNT_OF(same) ? same[code] : MQTT_RC_UNSPECIFIED;
    return code == 1 ? MQTT_RC_VERSION : code; /* 1: in the form of one that knows 3.1.1 only */
}

/* ---- errors and counters ---- */

static void error_put(MqttBridge *b, uint8_t code, const char *format, va_list args)
{
    (void)vsnprintf(b->error, sizeof b->error, format, args);
    b->info.error_code = code;
    b->info.error_ns = clock_wall_ns();
}

void bridge__note(MqttBridge *b, uint8_t code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    error_put(b, code, format, args);
    va_end(args);
    int64_t now = clock_monotonic_ns();
    if (now < b->noted_ns + NOTE_EVERY_S * NS_PER_S)
        return; /* a stream of them is one line now and then */
    b->noted_ns = now;
    log_warn(b->log, "bridge", b->error, "bridge=%.*s", STR_ARG(b->conf.name));
}

/* What follows is in on_lost, on a later turn. */
void bridge__fail(MqttBridge *b, uint8_t code, const char *format, ...)
{
    if (b->failing) return;
    va_list args;
    char reason[BRIDGE_ERROR_BYTES];
    va_start(args, format);
    (void)vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    b->failing = true;
    b->accepted = b->ready = false;
    b->fail_code = code;
    link_drop(b->link, reason, b->again);
}

void bridge__drop(MqttBridge *b, MqttBridgeDrop why)
{
    b->info.dropped[why]++;
}

/* ---- rules ---- */

const BridgeRule *bridge__rule(const MqttBridge *b, uint8_t direction, Str topic)
{
    for (uint32_t i = 0; i < b->conf.topic_count; i++) {
        const BridgeRule *rule = &b->rules[i];
        if (!(rule->directions & direction)) continue;
        if (mqtt_topic_match(direction == MQTT_BRIDGE_OUT ? rule->local : rule->remote, topic))
            return rule;
    }
    return NULL;
}

bool bridge__passed(const MqttProps *props, Str id)
{
    if (!id.len || !mqtt_has(props, MQTT_P_USER)) return false;
    MqttCursor cursor = mqtt_cursor(props->raw);
    for (Str key, value; mqtt_next_user_prop(&cursor, &key, &value);)
        if (str_is(key, "tutti-via") && str_eq(value, id)) return true;
    return false;
}

MqttPublishOut bridge__onward(MqttBridge *b, const MqttPacket *p, Str from, Str to, Str via)
{
    buf_clear(&b->topic);
    buf_str(&b->topic, to);
    buf_str(&b->topic, str_skip(p->topic, from.len));
    buf_clear(&b->props);
    MqttPublishOut out = {.topic = buf_view(&b->topic),
                          .payload = p->payload,
                          .props = mqtt_props_passing(&p->props, &b->props),
                          .expires = mqtt_has(&p->props, MQTT_P_MESSAGE_EXPIRY),
                          .expiry_s = mqtt_number(&p->props, MQTT_P_MESSAGE_EXPIRY, 0),
                          .id = p->id,
                          .qos = p->qos,
                          .dup = p->dup,
                          .retain = p->retain};
    if (!via.len) return out;
    if (!b->props.len) buf_str(&b->props, out.props);
    mqtt_put_prop_user(&b->props, STR("tutti-via"), via);
    out.props = buf_view(&b->props);
    return out;
}

/* ---- our side ---- */

static void on_feed(void *ctx)
{
    MqttBridge *b = ctx;
    b->posts--;
    b->fed_posted = false;
    if (b->closed) {
        if (!b->posts) mem_free(b);
        return;
    }
    bridge__feed(b);
}

void bridge__feed_later(MqttBridge *b)
{
    if (b->fed_posted || loop_post(b->loop, on_feed, b)) return;
    b->fed_posted = true;
    b->posts++;
}

void bridge__feed(MqttBridge *b)
{
    if (!b->stream || !b->to_local.len) return;
    if (b->to_local.failed) {
        bridge__fail(b, 0, "no memory for what the server sent");
        return;
    }
    Buf bytes = b->to_local;
    buf_init(&b->to_local, bytes.max_bytes);
    mqtt_stream_feed(b->stream, bytes.ptr, bytes.len);
    if (b->to_local.ptr) { /* written meanwhile */
        buf_done(&bytes);
        return;
    }
    b->to_local = bytes;
    buf_clear(&b->to_local);
}

/* The other side began anew: its identifiers of QoS 2 mean other messages now. */
static void received_forget(Session *s)
{
    for (uint32_t id = 1; id <= 65535 && s->received_count; id++)
        mqtt__received_clear(s, (uint16_t)id);
}

bool bridge__stream_open(MqttBridge *b)
{
    if (b->session && !b->session_kept) received_forget(b->session);
    if (!b->session || mqtt_broker_accept_stream(b->broker, &bridge__stream_ops, b, STR("bridge"),
                                                 true, &b->stream)) {
        b->stream = NULL;
        bridge__fail(b, 0, "our own broker takes no more connections, or is ending");
        return false;
    }
    b->stream->own = true;
    b->stream->in.max_bytes = BRIDGE_LOCAL_IN_BYTES;
    AUTO_BUF Buf props;
    buf_init(&props, 64);
    mqtt_put_prop_number(&props, MQTT_P_SESSION_EXPIRY, UINT32_MAX);
    mqtt_put_prop_number(&props, MQTT_P_RECEIVE_MAX, b->receive_max ? b->receive_max : 1);
    MqttConnectOut hello = {.version = 5, .client_id = b->session->id, .props = buf_view(&props)};
    buf_clear(&b->to_local);
    mqtt_put_connect(&b->to_local, &hello);
    bridge__feed(b);
    return !b->failing;
}

/* What is retained here goes over, as the rules say. */
static void replay(MqttBridge *b)
{
    for (uint32_t i = 0; i < b->conf.topic_count && b->session; i++) {
        BridgeRule *rule = &b->rules[i];
        bool wanted = rule->retained == MQTT_BRIDGE_RETAINED_ALWAYS ||
                      (rule->retained == MQTT_BRIDGE_RETAINED_NEW && rule->fresh);
        rule->fresh = false;
        if (!(rule->directions & MQTT_BRIDGE_OUT) || !wanted) continue;
        Sub *sub = map_get(&b->session->subs, rule->local);
        if (sub) mqtt__replay(b->broker, sub);
    }
}

/* ---- the other side ---- */

void bridge__ping(MqttBridge *b)
{
    mqtt_put_bare(link_out(b->link), MQTT_PINGREQ);
    b->asked_ns = clock_monotonic_ns();
}

void bridge__state_tell(MqttBridge *b, const char *payload)
{
    if (!b->conf.notify.len) return;
    MqttPublishOut out = {
        .topic = b->conf.notify, .payload = str_from(payload), .retain = !b->no_retain};
    mqtt_put_publish(link_out(b->link), &out, b->version);
}

void bridge__ready(MqttBridge *b)
{
    b->ready = true;
    b->state = MQTT_BRIDGE_CONNECTED;
    b->info.since_ns = clock_wall_ns();
    b->info.connects++;
    log_info(b->log, "bridge", "connected", "bridge=%.*s host=%.*s port=%u version=%s",
             STR_ARG(b->conf.name), STR_ARG(b->conf.host), b->conf.port,
             b->version == 5 ? "5.0" : "3.1.1");
    bridge__state_tell(b, "1");
    bridge__out_held(b);
    if (!b->ready) return;
    replay(b);
    link_flush(b->link);
    if (b->conf.reached) b->conf.reached(b->conf.ctx, str_from(b->remote_id));
    b->conf.forget_count = 0;
}

static void on_up(void *ctx)
{
    MqttBridge *b = ctx;
    b->failing = b->again = b->accepted = b->ready = false;
    buf_clear(&b->in);
    buf_clear(&b->to_local);
    bridge__hello(b);
}

static void on_lost(void *ctx, const char *reason, uint32_t retry_ms)
{
    MqttBridge *b = ctx;
    bool told = b->again; /* a step on the way, no error */
    if (b->stream) {
        MqttStream *stream = b->stream;
        b->stream = NULL;
        mqtt_stream_closed(stream);
    }
    b->accepted = b->ready = b->again = false;
    b->asked_ns = 0;
    buf_clear(&b->held);
    buf_clear(&b->in);
    buf_clear(&b->to_local);
    if (b->state == MQTT_BRIDGE_CONNECTED || !b->info.since_ns) b->info.since_ns = clock_wall_ns();
    if (!told) {
        b->state = MQTT_BRIDGE_WAITING;
        b->info.next_try_ns = clock_wall_ns() + retry_ms * NS_PER_MS;
        bool same = strcmp(reason, b->error) == 0;
        (void)snprintf(b->error, sizeof b->error, "%s", reason);
        b->info.error_code = b->failing ? b->fail_code : 0;
        b->info.error_ns = clock_wall_ns();
        if (!same)
            log_warn(b->log, "bridge", "not connected", "bridge=%.*s host=%.*s port=%u error=%s",
                     STR_ARG(b->conf.name), STR_ARG(b->conf.host), b->conf.port, reason);
    }
    b->failing = false;
    b->fail_code = 0;
    Diag diag = {0};
    if (bridge__tls_read(b, &diag)) bridge__note(b, 0, "%s", diag.text);
}

static void on_drained(void *ctx)
{
    MqttBridge *b = ctx;
    if (b->stream && b->ready) mqtt_stream_writable(b->stream);
}

/* Not before clients may come: what comes in has to find the pipelines. */
static bool on_may(void *ctx)
{
    MqttBridge *b = ctx;
    if (!b->broker->listeners || b->broker->quiet) return false;
    if (b->state != MQTT_BRIDGE_WAITING) b->state = MQTT_BRIDGE_CONNECTING;
    return true;
}

void bridge__beat(void *ctx)
{
    MqttBridge *b = ctx;
    int64_t now = clock_monotonic_ns(), keep = b->keep_alive_s * NS_PER_S;
    bridge__keep_tick(b, now);
    if (!b->link && b->conf.enabled && now >= b->connect_next_ns) bridge__connect_try(b);
    if (!b->accepted || !keep) return;
    if (b->asked_ns && now - link_heard_ns(b->link) > keep + keep / 2) {
        bridge__fail(b, MQTT_RC_KEEP_ALIVE, "the server does not answer pings");
        return;
    }
    if (b->asked_ns || now - b->beat_ns < keep / 2) return;
    b->beat_ns = now;
    bridge__ping(b);
    link_flush(b->link);
}

/* ---- connecting ---- */

Status bridge__tls_new(const MqttBridgeConf *conf, TlsClient **ret_tls, Diag *diag)
{
    LinkFiles files = {conf->ca_file, conf->cert_file, conf->key_file};
    *ret_tls = NULL;
    return conf->tls ? link_tls_new(&files, ret_tls, diag) : ST_OK;
}

Status bridge__tls_read(MqttBridge *b, Diag *diag)
{
    TlsClient *tls;
    Status st = bridge__tls_new(&b->conf, &tls, diag);
    if (st || !tls) return st;
    if (b->link) link_tls(b->link, tls);
    tls_client_free(b->tls);
    b->tls = tls;
    return ST_OK;
}

static Status connect_begin(MqttBridge *b, Diag *diag)
{
    const MqttBridgeConf *conf = &b->conf;
    if (!conf->enabled || b->link) return ST_OK;
    b->state = MQTT_BRIDGE_WAITING;
    Status st = bridge__tls_read(b, diag);
    if (st) return st;
    LinkConf link = {.host = conf->host,
                     .port = conf->port,
                     .tls = b->tls,
                     .up = on_up,
                     .bytes = bridge__in,
                     .drained = on_drained,
                     .lost = on_lost,
                     .may = on_may,
                     .ctx = b};
    b->state = MQTT_BRIDGE_CONNECTING;
    st = link_open(b->loop, &link, &b->link);
    return st ? diag_set(diag, st, "no connection can be begun") : ST_OK;
}

void bridge__connect_try(MqttBridge *b)
{
    Diag diag = {0};
    b->connect_next_ns = clock_monotonic_ns() + CONNECT_AGAIN_S * NS_PER_S;
    if (connect_begin(b, &diag)) bridge__note(b, 0, "%s", diag.text);
}

/* ---- looking at it ---- */

void mqtt_bridge_info(const MqttBridge *bridge, MqttBridgeInfo *ret_info)
{
    const MqttBridge *b = bridge;
    *ret_info = b->info;
    ret_info->name = b->conf.name;
    ret_info->error = str_from(b->error);
    ret_info->remote_id = str_from(b->remote_id);
    ret_info->state = b->state;
    if (b->state != MQTT_BRIDGE_WAITING) ret_info->next_try_ns = 0;
    if (b->state != MQTT_BRIDGE_CONNECTED) ret_info->round_trip_us = -1;
    if (!b->session) return;
    ret_info->queued = b->session->kept_count;
    ret_info->queued_bytes = b->session->kept_bytes;
}

void mqtt_bridges(const MqttBroker *broker, void (*fn)(void *ctx, const MqttBridgeInfo *info),
                  void *ctx)
{
    for (const MqttBridge *b = broker->bridges; b; b = b->next) {
        MqttBridgeInfo info;
        mqtt_bridge_info(b, &info);
        fn(ctx, &info);
    }
}

void mqtt_broker_name(MqttBroker *broker, Str id)
{
    (void)snprintf(broker->name, sizeof broker->name, "%.*s",
                   (int)(id.len > MQTT_BRIDGE_ID_BYTES ? MQTT_BRIDGE_ID_BYTES : id.len),
                   id.len ? id.ptr : "");
}
