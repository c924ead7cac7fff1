/* runtime/mqtt/broker_in.c: what each packet of a client does.
 *
 * The codec has judged the packet by itself; here stands what depends on the connection's past. */
#include "mqtt/bridge.h"
#include "mqtt/broker_int.h"

#include "base/mem.h"

#include <stdio.h>

void mqtt__refuse(Conn *c, MqttReason reason)
{
    uint8_t code = (uint8_t)reason;
    if (c->version < 5) {
        switch (reason) {
        case MQTT_RC_VERSION: code = 1; break;
        case MQTT_RC_CLIENT_ID: code = 2; break;
        case MQTT_RC_BAD_USER: code = 4; break;
        case MQTT_RC_NOT_AUTHORIZED: code = 5; break;
        case MQTT_RC_UNAVAILABLE:
        case MQTT_RC_QUOTA: code = 3; break;
        default: /* 3.1.1 has no code for it: close without a word */ mqtt__conn_close(c); return;
        }
    }
    mqtt_put_connack(&c->out, c->version, false, code, STR_NONE);
    c->linger = true;
    mqtt__conn_close(c);
}

/* The old connection goes; the session too, when it was to end with its connection. */
static Session *take_over(MqttBroker *b, Session *s, Str id, bool clean)
{
    Conn *old = s->conn;
    if (old) {
        b->stats.takeovers++;
        if (old->version == 5 && old->state == CONN_OPEN)
            mqtt_put_disconnect(&old->out, 5, MQTT_RC_TAKEN_OVER, STR_NONE);
        mqtt__session_detach(old);
        mqtt__conn_close(old);
        s = map_get(&b->by_id, id);
    }
    if (!s || !clean) return s;
    mqtt__session_end(s);
    return NULL;
}

static bool will_take(Conn *c, Session *s, const MqttPacket *p)
{
    MqttBroker *b = c->broker;
    mqtt__msg_unref(b, s->will);
    s->will = NULL;
    s->will_at_ns = 0;
    if (!p->has_will) return true;
    buf_clear(&b->scratch);
    MqttPub pub = {.topic = p->will_topic,
                   .payload = p->will_payload,
                   .qos = p->will_qos,
                   .retain = p->will_retain,
                   .publisher = s->id,
                   .user = s->user};
    s->will_delay_s = 0;
    if (c->version == 5) {
        pub.props = mqtt_props_passing(&p->will_props, &b->scratch);
        pub.expiry_s = mqtt_number(&p->will_props, MQTT_P_MESSAGE_EXPIRY, 0);
        pub.expires = mqtt_has(&p->will_props, MQTT_P_MESSAGE_EXPIRY);
        s->will_delay_s = mqtt_number(&p->will_props, MQTT_P_WILL_DELAY, 0);
    }
    s->will = mqtt__msg_new(b, &pub, s->serial);
    return s->will != NULL;
}

static void connack(Conn *c, const MqttPacket *p, Session *s, bool present, bool made_id)
{
    const MqttBrokerConf *conf = &c->broker->conf;
    Buf *props = &c->broker->scratch;
    buf_clear(props);
    if (c->version == 5) {
        if (made_id) mqtt_put_prop_text(props, MQTT_P_ASSIGNED_ID, s->id);
        if (s->expiry_s != mqtt_number(&p->props, MQTT_P_SESSION_EXPIRY, 0))
            mqtt_put_prop_number(props, MQTT_P_SESSION_EXPIRY, s->expiry_s);
        mqtt_put_prop_number(props, MQTT_P_RECEIVE_MAX, conf->receive_max);
        mqtt_put_prop_number(props, MQTT_P_MAX_PACKET, conf->packet_bytes_max);
        mqtt_put_prop_number(props, MQTT_P_TOPIC_ALIAS_MAX, conf->topic_alias_max);
        if (c->keep_alive_ns != p->keep_alive * NS_PER_S)
            mqtt_put_prop_number(props, MQTT_P_SERVER_KEEP_ALIVE,
                                 (uint32_t)(c->keep_alive_ns / NS_PER_S));
    }
    mqtt__step_connack(c, props);
    if (s->slot || p->clean) mqtt__keep_gate(c, mqtt__keep_latest(c->broker));
    /* 3.1 has no such flag: its byte is reserved. */
    mqtt_put_connack(&c->out, c->version, present && c->version > 3, 0, buf_view(props));
}

static void limits_take(Conn *c, const MqttPacket *p)
{
    const MqttBrokerConf *conf = &c->broker->conf;
    uint32_t keep = p->keep_alive;
    if (c->version == 5 && !c->own && conf->keep_alive_max_s &&
        (!keep || keep > conf->keep_alive_max_s))
        keep = conf->keep_alive_max_s;
    c->keep_alive_ns = keep * NS_PER_S;
    c->receive_max = 65535;
    c->received_before = c->session->received_count;
    c->bridges = p->bridge;
    if (c->version < 5) return;
    c->receive_max = mqtt_number(&p->props, MQTT_P_RECEIVE_MAX, 65535);
    c->packet_max = mqtt_number(&p->props, MQTT_P_MAX_PACKET, 0);
    uint32_t alias = mqtt_number(&p->props, MQTT_P_TOPIC_ALIAS_MAX, 0);
    c->alias_out_max = (uint16_t)(alias < conf->topic_alias_max ? alias : conf->topic_alias_max);
    c->request_problem = mqtt_number(&p->props, MQTT_P_REQUEST_PROBLEM, 1);
}

static uint32_t expiry_of(const Conn *c, const MqttPacket *p)
{
    uint32_t max = c->own ? UINT32_MAX : c->broker->conf.session_expiry_max_s;
    uint32_t wish = c->version == 5 ? mqtt_number(&p->props, MQTT_P_SESSION_EXPIRY, 0)
                                    : (p->clean ? 0 : UINT32_MAX);
    return wish < max ? wish : max;
}

/* Allowed in: session, CONNACK, what waited. */
static void enter(Conn *c, const MqttPacket *p, Str user)
{
    MqttBroker *b = c->broker;
    char made[40];
    Str id = p->client_id;
    if (!id.len) {
        int len = snprintf(made, sizeof made, "auto-%016llx",
                           (unsigned long long)hash_bytes(&b->serial, sizeof b->serial));
        b->serial++;
        id = str_slice(made, (size_t)len);
    }
    Session *s = map_get(&b->by_id, id);
    if (s && s->conn && s->conn->state == CONN_CLOSING) {
        mqtt__session_detach(s->conn); /* it left in this very turn */
        s = map_get(&b->by_id, id);
    }
    if (s && !s->conn && clock_monotonic_ns() >= s->ends_ns) {
        mqtt__session_end(s); /* over, though the tick did not come by yet (5.0, 3.1.2.11.2) */
        s = NULL;
    }
    /* A session belongs to who made it, as far as somebody checks who that is. */
    if (s && b->conf.auth && s->user.len && !str_eq(s->user, user)) {
        mqtt__refuse(c, MQTT_RC_NOT_AUTHORIZED);
        return;
    }
    if (s) s = take_over(b, s, id, p->clean);
    bool present = s != NULL;
    if (!s) s = mqtt__session_new(b, id, user);
    if (!s) {
        mqtt__refuse(c, MQTT_RC_QUOTA);
        return;
    }
    s->conn = c;
    c->session = s;
    s->version = c->version;
    s->ends_ns = 0;
    s->since_ns = clock_wall_ns();
    s->expiry_s = expiry_of(c, p);
    if (!will_take(c, s, p)) {
        mqtt__conn_close(c);
        return;
    }
    limits_take(c, p);
    mqtt__keep_session(s);
    connack(c, p, s, present, !p->client_id.len);
    if (c->packet_max && c->out.len > c->packet_max) {
        buf_clear(&c->out); /* it does not even take the answer (MQTT-3.1.2-24) */
        mqtt__conn_close(c);
        return;
    }
    c->state = CONN_OPEN;
    b->new_count--;
    b->stats.connections++;
    mqtt__conn_dirty(c);
    if (present) {
        if (!s->slot) mqtt__resume_inflight(s);
        mqtt__pump(s);
    }
}

static bool may_publish(MqttBroker *b, Str id, Str user, Str topic)
{
    /* Only a bridge has such a name. */
    if (b->conf.may && !str_starts(id, STR(MQTT_BRIDGE_SESSION)))
        return b->conf.may(b->conf.may_ctx, id, user, MQTT_MAY_PUBLISH, topic);
    return !topic.len || topic.ptr[0] != '$' || mqtt_is_bridge_state(topic);
}

/* The second half of CONNECT, once somebody said who it is. The packet is still in c->in. */
void mqtt__connect_go(Conn *c, bool allow, Str user)
{
    MqttPacket p;
    size_t head, len;
    if (mqtt_frame(buf_view(&c->in), c->broker->conf.connect_bytes_max, &head, &len) !=
            MQTT_FRAME_WHOLE ||
        mqtt_decode(str_slice(c->in.ptr, len), head, 0, MQTT_FROM_CLIENT, &p)) {
        mqtt__conn_close(c);
        return;
    }
    c->state = CONN_NEW;
    if (!allow) {
        c->broker->stats.refused_auth++;
        log_warn(c->broker->log, "mqtt", "client refused", "client=%.*s user=%.*s address=%s",
                 STR_ARG(p.client_id), STR_ARG(p.user), c->address);
        mqtt__refuse(c, p.has_user ? MQTT_RC_BAD_USER : MQTT_RC_NOT_AUTHORIZED);
        return;
    }
    if (p.has_will && (mqtt_levels(p.will_topic) > MQTT_LEVELS_MAX ||
                       !may_publish(c->broker, p.client_id, user, p.will_topic))) {
        mqtt__refuse(c, MQTT_RC_NOT_AUTHORIZED);
        return;
    }
    enter(c, &p, user);
    buf_consume(&c->in, len);
}

static void on_connect(Conn *c, Str packet, size_t head)
{
    MqttBroker *b = c->broker;
    MqttPacket p;
    MqttReason reason = mqtt_decode(packet, head, 0, MQTT_FROM_CLIENT, &p);
    c->version = p.version ? p.version : 4;
    if (reason == MQTT_RC_VERSION) c->version = 4; /* the form every client understands */
    if (reason) {
        if (reason != MQTT_RC_VERSION) b->stats.protocol_errors++;
        if (p.version != 5 && reason != MQTT_RC_VERSION)
            mqtt__conn_close(c);
        else
            mqtt__refuse(c, reason);
        return;
    }
    if (!p.client_id.len && (p.version == 3 || (p.version == 4 && !p.clean))) {
        mqtt__refuse(c, MQTT_RC_CLIENT_ID);
        return;
    }
    if (!c->own && str_starts(p.client_id, STR(MQTT_BRIDGE_SESSION))) {
        mqtt__refuse(c, MQTT_RC_CLIENT_ID);
        return;
    }
    if (p.version == 5 && mqtt_has(&p.props, MQTT_P_AUTH_METHOD)) {
        mqtt__step_begin(c, &p, packet);
        return;
    }
    /* Kept for mqtt__connect_go, which may run now or after a password was hashed. */
    buf_str(&c->in, packet);
    if (c->in.failed) {
        mqtt__conn_close(c);
        return;
    }
    MqttAuthAsk ask = {.id = c->serial,
                       .client_id = p.client_id,
                       .user = p.user,
                       .password = p.password,
                       .address = str_from(c->address),
                       .cert_name = c->tls ? tls_conn_name(c->tls) : STR_NONE,
                       .has_user = p.has_user,
                       .has_password = p.has_password,
                       .loopback = c->loopback,
                       .websocket = c->websocket};
    c->state = CONN_AUTH;
    MqttAuth answer = c->loopback ? MQTT_AUTH_ALLOW : MQTT_AUTH_DENY;
    Str user = p.has_user ? p.user : STR_NONE;
    if (b->conf.auth && !c->own) answer = b->conf.auth(b->conf.auth_ctx, &ask, &user);
    if (answer != MQTT_AUTH_LATER) mqtt__connect_go(c, answer == MQTT_AUTH_ALLOW, user);
}

static Pending *pending_new(Session *s, const MqttPacket *p)
{
    MqttBroker *b = s->broker;
    Pending *pending = b->pending_free;
    if (pending)
        b->pending_free = pending->next;
    else
        pending = mem_alloc(sizeof *pending);
    if (!pending) return NULL;
    *pending = (Pending){.session = s, .remaining = 1, .id = p->id, .qos = p->qos, .listed = true};
    if (s->pending_count++)
        s->pending_last->next = pending;
    else
        s->pending_first = pending;
    s->pending_last = pending;
    return pending;
}

void mqtt__pending_release(MqttBroker *b, Pending *p)
{
    if (p->listed || p->remaining) return;
    p->next = b->pending_free;
    b->pending_free = p;
}

/* Answers the finished publishes at the head of the list: in the order they came (MQTT 5.0, 4.6).
 */
static void answers_flush(Session *s)
{
    while (s->pending_first && !s->pending_first->remaining) {
        Pending *p = s->pending_first;
        s->pending_first = p->next;
        s->pending_count--;
        p->listed = false;
        if (p->late && p->session && s->slot) {
            mqtt__keep_received(s, p->id, false);
            p->batch = s->broker->keep.batch;
        }
        Conn *c = s->conn;
        if (c && c->state == CONN_OPEN && p->session) {
            const Keep *keep = &s->broker->keep;
            uint64_t batch = p->batch;
            /* What pipelines made of it is on its way to the disk as well. */
            if (p->attached && keep->own_batch > batch) batch = keep->own_batch;
            if (batch) mqtt__keep_gate(c, batch);
            mqtt_put_ack(&c->out, p->qos == 1 ? MQTT_PUBACK : MQTT_PUBREC, c->version, p->id,
                         p->reason, STR_NONE);
            mqtt__conn_dirty(c);
            if (c->paused && !c->held && s->pending_count < s->broker->conf.receive_max / 2)
                mqtt__conn_resume(c);
        }
        mqtt__pending_release(s->broker, p);
    }
    if (!s->pending_first) s->pending_last = NULL;
}

void mqtt__pending_done(MqttBroker *b, Pending *p)
{
    if (!p || --p->remaining) return;
    if (p->attached && !p->own_waited && b->own_mark > b->observed) {
        p->own_waited = true; /* what pipelines made of it may be in the history as well */
        mqtt__observe_wait(b, p, b->own_mark);
        return;
    }
    if (!p->listed)
        mqtt__pending_release(b, p);
    else if (p->session)
        answers_flush(p->session);
}

/* One that was never given a topic is a protocol error, no invalid alias (5.0, 3.3.2.3.4). */
static MqttReason alias_take(Conn *c, MqttPacket *p)
{
    uint32_t alias = mqtt_number(&p->props, MQTT_P_TOPIC_ALIAS, 0);
    if (!alias) return MQTT_RC_OK;
    uint32_t max = c->broker->conf.topic_alias_max;
    if (alias > max) return MQTT_RC_TOPIC_ALIAS;
    if (!c->alias_in) {
        c->alias_in = mem_zalloc(max, sizeof *c->alias_in);
        c->alias_in_bytes = mem_zalloc(max, sizeof *c->alias_in_bytes);
        if (!c->alias_in || !c->alias_in_bytes) return MQTT_RC_UNSPECIFIED;
    }
    if (p->topic.len) {
        char *copy = mem_realloc(c->alias_in[alias - 1], p->topic.len);
        if (!copy) return MQTT_RC_UNSPECIFIED;
        memcpy(copy, p->topic.ptr, p->topic.len);
        c->alias_in[alias - 1] = copy;
        c->alias_in_bytes[alias - 1] = (uint32_t)p->topic.len;
        return MQTT_RC_OK;
    }
    if (!c->alias_in[alias - 1]) return MQTT_RC_PROTOCOL;
    p->topic = str_slice(c->alias_in[alias - 1], c->alias_in_bytes[alias - 1]);
    return MQTT_RC_OK;
}

/* QoS 2 seen before: answered again, or still on its way to an attachment. */
static void publish_again(Session *s, uint16_t id)
{
    for (Pending *p = s->pending_first; p; p = p->next)
        if (p->id == id && p->qos == 2) return;
    mqtt__keep_gate(s->conn, mqtt__keep_latest(s->broker));
    mqtt_put_ack(&s->conn->out, MQTT_PUBREC, s->conn->version, id, 0, STR_NONE);
    mqtt__conn_dirty(s->conn);
}

static uint32_t qos1_waiting(const Session *s)
{
    return s->pending_count > s->received_count ? s->pending_count - s->received_count : 0;
}

/* `again`: a crash came before pipelines and history were known to have it; sessions have. */
static MqttReason publish_take(Conn *c, const MqttPacket *p, Pending *pending, bool again)
{
    MqttBroker *b = c->broker;
    Session *s = c->session;
    if (!may_publish(b, s->id, s->user, p->topic)) {
        b->stats.dropped_denied++;
        return MQTT_RC_NOT_AUTHORIZED;
    }
    buf_clear(&b->scratch);
    MqttPub pub = {.topic = p->topic,
                   .payload = p->payload,
                   .publisher = s->id,
                   .user = s->user,
                   .received_ns = ++b->wall_ns,
                   .qos = p->qos,
                   .retain = p->retain};
    if (c->version == 5) {
        pub.props = mqtt_props_passing(&p->props, &b->scratch);
        pub.expiry_s = mqtt_number(&p->props, MQTT_P_MESSAGE_EXPIRY, 0);
        pub.expires = mqtt_has(&p->props, MQTT_P_MESSAGE_EXPIRY);
    }
    if (again) return mqtt__accept_own(b, &pub, s->serial, pending); /* it was checked before */
    Str why;
    uint8_t unfit = mqtt__unfit(b, &pub, &why);
    return unfit ? (MqttReason)unfit : mqtt__accept(b, &pub, s->serial, pending);
}

/* Starts anew with each connection (MQTT 5.0, 4.9). */
static uint32_t quota_used(const Conn *c)
{
    const Session *s = c->session;
    uint32_t before =
        c->received_before < s->received_count ? c->received_before : s->received_count;
    return s->received_count - before + qos1_waiting(s);
}

static void on_publish(Conn *c, MqttPacket *p)
{
    MqttBroker *b = c->broker;
    Session *s = c->session;
    b->stats.received++;
    b->stats.received_bytes += p->payload.len;
    s->in_count++;
    /* What a client must not send (MQTT-3.3.4-6) is not allowed by the protocol: 1.2, 4.13.1. What
     * a bridge brings in comes from a server, which says which of its subscriptions matched. */
    if (c->version == 5 && p->props.sub_id_count && !c->own) {
        mqtt__conn_fail(c, MQTT_RC_PROTOCOL);
        return;
    }
    MqttReason alias = alias_take(c, p);
    if (alias) {
        mqtt__conn_fail(c, alias);
        return;
    }
    if (p->topic.len > b->conf.filter_bytes_max || mqtt_levels(p->topic) > MQTT_LEVELS_MAX) {
        mqtt__conn_fail(c, MQTT_RC_TOPIC_INVALID);
        return;
    }
    bool again = p->qos == 2 && mqtt__received_has(s, p->id) && mqtt__received_open_take(s, p->id);
    if (p->qos == 2 && !again && mqtt__received_has(s, p->id)) {
        publish_again(s, p->id);
        return;
    }
    /* A bridge hands on what a 3.1.1 broker sends, which knows no such limit. */
    if (p->qos && !again && c->version == 5 && !c->own && quota_used(c) >= b->conf.receive_max) {
        mqtt__conn_fail(c, MQTT_RC_RECEIVE_MAX);
        return;
    }
    Pending *pending = p->qos ? pending_new(s, p) : NULL;
    if (p->qos && (!pending || (p->qos == 2 && !again && !mqtt__received_set(s, p->id)))) {
        mqtt__conn_close(c);
        return;
    }
    uint64_t changes = b->keep.changes;
    MqttReason reason = publish_take(c, p, pending, again);
    if (!pending) return;
    if (reason && c->version < 5 && reason == MQTT_RC_QUOTA) {
        /* 3.1.1 cannot refuse: not answering and closing makes the client send it again. */
        pending->session = NULL;
        if (p->qos == 2) mqtt__received_clear(s, p->id);
        mqtt__conn_close(c);
    }
    pending->reason = (uint8_t)reason;
    if (reason >= 0x80 && p->qos == 2 && c->version == 5) mqtt__received_clear(s, p->id);
    if (p->qos == 2 && reason < 0x80) {
        pending->late = pending->remaining > 1;
        mqtt__keep_received(s, p->id, pending->late);
    }
    if (b->keep.changes != changes) pending->batch = b->keep.batch;
    if (mqtt__keep_behind(b) || b->observe_hold) b->must_hold = true;
    mqtt__pending_done(b, pending);
}

/* SUBACK or UNSUBACK, unless the client does not take that many bytes (MQTT-3.1.2-24). */
static void put_codes(Conn *c, uint8_t type, uint16_t id, const Buf *codes)
{
    size_t start = c->out.len;
    mqtt_put_codes(&c->out, type, c->version, id, buf_view(codes));
    mqtt__conn_dirty(c);
    if (!c->packet_max || c->out.failed || c->out.len - start <= c->packet_max) return;
    c->out.len = start;
    mqtt__conn_fail(c, MQTT_RC_TOO_LARGE);
}

static void on_subscribe(Conn *c, const MqttPacket *p)
{
    Session *s = c->session;
    MqttBroker *b = c->broker;
    uint32_t id = mqtt_number(&p->props, MQTT_P_SUBSCRIPTION_ID, 0);
    if (c->version < 5) id = 0;
    Buf *codes = &b->scratch;
    buf_clear(codes);
    MqttFilterRow row;
    for (Str list = p->list; mqtt_next_filter(&list, MQTT_SUBSCRIBE, c->version, &row);) {
        bool had = map_get(&s->subs, row.filter) != NULL;
        /* What MQTT 5.0 has options for, brokers of 3.1.1 give whoever says that it is one. */
        if (c->bridges && !str_starts(row.filter, STR("$share/")))
            row.no_local = row.retain_as_published = true;
        uint8_t code = mqtt__subscribe(s, &row, id);
        if (c->version < 5 && code > 2) code = 0x80;
        /* Bit 6 remembers here whether retained messages are wanted; cleared below. */
        bool replay = code <= 2 && (row.retain_handling == 0 || (row.retain_handling == 1 && !had));
        buf_char(codes, (char)(code | (replay ? 0x40 : 0)));
    }
    AUTO_FREE char *wanted = mem_alloc(codes->len + 1);
    if (!wanted || codes->failed) {
        mqtt__conn_close(c);
        return;
    }
    memcpy(wanted, codes->ptr, codes->len);
    for (size_t i = 0; i < codes->len; i++)
        if (!(codes->ptr[i] & 0x80)) codes->ptr[i] &= 0x3f;
    if (s->slot) mqtt__keep_gate(c, mqtt__keep_latest(b));
    put_codes(c, MQTT_SUBACK, p->id, codes);
    size_t i = 0;
    for (Str list = p->list; mqtt_next_filter(&list, MQTT_SUBSCRIBE, c->version, &row); i++) {
        if (wanted[i] & 0x80 || !(wanted[i] & 0x40)) continue;
        Sub *sub = map_get(&s->subs, row.filter);
        if (sub && !sub->share) mqtt__replay(b, sub);
    }
}

static void on_unsubscribe(Conn *c, const MqttPacket *p)
{
    Buf *codes = &c->broker->scratch;
    buf_clear(codes);
    MqttFilterRow row;
    for (Str list = p->list; mqtt_next_filter(&list, MQTT_UNSUBSCRIBE, c->version, &row);)
        buf_char(codes, mqtt__unsubscribe(c->session, row.filter) ? 0 : MQTT_RC_NO_SUBSCRIPTION);
    if (c->session->slot) mqtt__keep_gate(c, mqtt__keep_latest(c->broker));
    put_codes(c, MQTT_UNSUBACK, p->id, codes);
}

static void on_pubrel(Conn *c, uint16_t id)
{
    bool had = mqtt__received_has(c->session, id);
    mqtt__received_clear(c->session, id);
    if (c->session->slot) mqtt__keep_gate(c, mqtt__keep_latest(c->broker));
    mqtt_put_ack(&c->out, MQTT_PUBCOMP, c->version, id, had ? 0 : MQTT_RC_ID_NOT_FOUND, STR_NONE);
    mqtt__conn_dirty(c);
}

static void on_disconnect(Conn *c, const MqttPacket *p)
{
    Session *s = c->session;
    if (c->version == 5 && mqtt_has(&p->props, MQTT_P_SESSION_EXPIRY)) {
        uint32_t wish = p->props.number[MQTT_P_SESSION_EXPIRY];
        if (wish && !s->expiry_s) {
            mqtt__conn_fail(c, MQTT_RC_PROTOCOL);
            return;
        }
        uint32_t max = c->broker->conf.session_expiry_max_s;
        s->expiry_s = wish < max ? wish : max;
    }
    c->will_cancelled = p->reason == 0;
    mqtt__conn_close(c);
}

void mqtt__handle(Conn *c, Str packet, size_t head)
{
    uint8_t type = (uint8_t)packet.ptr[0] >> 4;
    if (c->state == CONN_NEW) {
        if (type == MQTT_CONNECT)
            on_connect(c, packet, head);
        else
            mqtt__conn_close(c);
        return;
    }
    if (c->state == CONN_STEP) {
        mqtt__step_packet(c, packet, head);
        return;
    }
    MqttPacket p;
    MqttReason reason = mqtt_decode(packet, head, c->version, MQTT_FROM_CLIENT, &p);
    if (type == MQTT_CONNECT) reason = MQTT_RC_PROTOCOL;
    if (reason) {
        c->broker->stats.protocol_errors++;
        mqtt__conn_fail(c, reason);
        return;
    }
    switch (type) {
    case MQTT_PUBLISH: on_publish(c, &p); return;
    case MQTT_SUBSCRIBE: on_subscribe(c, &p); return;
    case MQTT_UNSUBSCRIBE: on_unsubscribe(c, &p); return;
    case MQTT_PUBREL: on_pubrel(c, p.id); return;
    case MQTT_PINGREQ:
        mqtt_put_bare(&c->out, MQTT_PINGRESP);
        mqtt__conn_dirty(c);
        return;
    case MQTT_DISCONNECT: on_disconnect(c, &p); return;
    case MQTT_AUTH: mqtt__step_again(c, &p); return;
    default: mqtt__acked(c->session, type, p.id, p.reason);
    }
}
