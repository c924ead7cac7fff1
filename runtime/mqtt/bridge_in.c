/* runtime/mqtt/bridge_in.c: packets of the other broker, for ours.
 *
 * After CONNACK the session there is asked for its subscriptions, and a ping goes behind that: when
 * its answer comes, all that was asked is answered, also which broker the other one is. Messages
 * that come in meanwhile go on to our broker at once; what it wants to send out waits until then.
 */
#include "mqtt/bridge_int.h"

#include <stdio.h>

enum { FILTER_ROWS_MAX = 512 * 1024, IDS_AHEAD = 16000, IDS_OF_RULES = 2 };
static const char id_topic[] = "$SYS/broker/id";

/* ---- CONNECT ---- */

/* A password needs a name before 5.0 (MQTT-3.1.2-22). */
void bridge__sign(MqttConnectOut *hello, Str client_id, Str user, Str password)
{
    hello->client_id = client_id;
    hello->user = user;
    hello->password = password;
    hello->has_user = user.len > 0;
    hello->has_password = password.len > 0 && (hello->has_user || hello->version >= 5);
}

/* Of 3.1.1, Mosquitto, EMQX and others know a bridge by a bit: they give it nothing back, and leave
 * the retain flag on what they send. Who does not know it refuses the level. */
void bridge__hello(MqttBridge *b)
{
    const MqttBridgeConf *conf = &b->conf;
    AUTO_BUF Buf props;
    buf_init(&props, 256);
    if (b->version == 5) {
        mqtt_put_prop_number(&props, MQTT_P_SESSION_EXPIRY, conf->session_expiry_s);
        mqtt_put_prop_number(&props, MQTT_P_RECEIVE_MAX, b->broker->conf.receive_max);
        mqtt_put_prop_number(&props, MQTT_P_MAX_PACKET, b->broker->conf.packet_bytes_max);
    }
    MqttConnectOut hello = {.version = b->version,
                            .clean = b->wash,
                            .bridge = b->version < 5 && !b->plain,
                            .keep_alive = conf->keep_alive_s,
                            .has_will = conf->notify.len > 0,
                            .will_retain = true,
                            .will_qos = 1,
                            .will_topic = conf->notify,
                            .will_payload = STR("0"),
                            .props = buf_view(&props)};
    bridge__sign(&hello, conf->client_id, conf->user, conf->password);
    mqtt_put_connect(link_out(b->link), &hello);
    link_flush(b->link);
}

/* ---- after CONNACK ---- */

/* An identifier that no message has: those in flight are the 32,768 before sent_seq, and new ones
 * wait until we are ready. */
static uint16_t id_free(const MqttBridge *b, uint32_t nth)
{
    return (uint16_t)((b->session->sent_seq + IDS_AHEAD + nth) % 65535 + 1);
}

static void ask_forget(MqttBridge *b)
{
    AUTO_BUF Buf rows;
    buf_init(&rows, FILTER_ROWS_MAX);
    for (uint32_t i = 0; i < b->conf.forget_count; i++) mqtt_put_string(&rows, b->conf.forget[i]);
    if (!rows.len || rows.failed) return;
    mqtt_put_unsubscribe(link_out(b->link), b->version, id_free(b, 1), STR_NONE, buf_view(&rows));
}

/* Rules whose names change alike go into one packet, which says so by its subscription identifier:
 * a Tutti there does not give us what its own bridge brings (bridge_twin.c). */
static const BridgeRule *next_of(const MqttBridge *b, uint32_t *at, uint32_t pair)
{
    while (*at < b->conf.topic_count) {
        const BridgeRule *rule = &b->rules[(*at)++];
        if (rule->directions & MQTT_BRIDGE_IN && rule->pair_in == pair) return rule;
    }
    return NULL;
}

static bool is_first_of(const MqttBridge *b, uint32_t index)
{
    const BridgeRule *rule = &b->rules[index];
    uint32_t at = 0;
    return rule->directions & MQTT_BRIDGE_IN && next_of(b, &at, rule->pair_in) == rule;
}

static void ask_rules(MqttBridge *b, uint32_t first)
{
    AUTO_BUF Buf rows, props;
    uint32_t pair = b->rules[first].pair_in, at = first;
    buf_init(&rows, FILTER_ROWS_MAX);
    buf_init(&props, 16);
    for (const BridgeRule *rule; (rule = next_of(b, &at, pair));) {
        MqttFilterRow row = {.filter = rule->remote,
                             .qos = rule->qos,
                             .retain_handling = rule->retained,
                             .no_local = true,
                             .retain_as_published = true};
        Str group, rest;
        if (mqtt_share_split(row.filter, &group, &rest) && group.len) row.no_local = false;
        mqtt_put_filter(&rows, b->version, &row);
    }
    if (!b->no_sub_ids) mqtt_put_prop_number(&props, MQTT_P_SUBSCRIPTION_ID, pair);
    if (rows.failed)
        bridge__fail(b, 0, "the filters do not fit into one packet");
    else
        mqtt_put_subscribe(link_out(b->link), b->version, id_free(b, IDS_OF_RULES + first),
                           buf_view(&props), buf_view(&rows));
}

static void ask_filters(MqttBridge *b)
{
    AUTO_BUF Buf rows;
    buf_init(&rows, sizeof id_topic + 8);
    mqtt_put_filter(&rows, b->version, &(MqttFilterRow){.filter = str_from(id_topic)});
    mqtt_put_subscribe(link_out(b->link), b->version, id_free(b, 0), STR_NONE, buf_view(&rows));
    for (uint32_t i = 0; i < b->conf.topic_count; i++)
        if (is_first_of(b, i)) ask_rules(b, i);
}

static void limits_take(MqttBridge *b, const MqttPacket *p)
{
    bool five = b->version == 5;
    uint32_t window = five ? mqtt_number(&p->props, MQTT_P_RECEIVE_MAX, 65535) : 65535;
    b->receive_max = (uint16_t)(window < b->conf.receive_max ? window : b->conf.receive_max);
    b->packet_max = five ? mqtt_number(&p->props, MQTT_P_MAX_PACKET, 0) : 0;
    b->alias_max = (uint16_t)(five ? mqtt_number(&p->props, MQTT_P_TOPIC_ALIAS_MAX, 0) : 0);
    b->qos_max = (uint8_t)(five ? mqtt_number(&p->props, MQTT_P_MAX_QOS, 2) : 2);
    b->no_retain = five && !mqtt_number(&p->props, MQTT_P_RETAIN_AVAILABLE, 1);
    b->twice_told = false;
    b->no_sub_ids = !five || !mqtt_number(&p->props, MQTT_P_SUB_ID_AVAILABLE, 1);
    if (five && mqtt_has(&p->props, MQTT_P_SERVER_KEEP_ALIVE))
        b->keep_alive_s = (uint16_t)p->props.number[MQTT_P_SERVER_KEEP_ALIVE];
    if (b->aliases) memset(b->aliases, 0, BRIDGE_ALIASES_MAX * sizeof *b->aliases);
    if (b->lowered && !p->session_present)
        memset(b->lowered, 0, BRIDGE_IDS_WORDS * sizeof *b->lowered);
}

static void refused(MqttBridge *b, uint8_t reason)
{
    bool level = b->version < 5 && reason == 1;
    if (level && !b->plain) {
        b->plain = true;
        b->again = true;
        bridge__fail(b, 0, "the server does not know bridges");
        return;
    }
    reason = bridge__refusal(b->version, reason);
    bridge__fail(b, reason, "the server refuses the connection: %s", bridge__reason(reason));
}

static void connack(MqttBridge *b, const MqttPacket *p)
{
    if (b->accepted) {
        bridge__fail(b, MQTT_RC_PROTOCOL, "the server sent CONNACK twice");
        return;
    }
    if (p->reason) {
        refused(b, p->reason);
        return;
    }
    bool washed = b->wash;
    b->wash = false;
    if (washed && b->version < 5) { /* a clean session of 3.1.1 ends with its connection */
        mqtt_put_disconnect(link_out(b->link), b->version, 0, STR_NONE);
        b->again = true;
        bridge__fail(b, 0, "the old session was thrown away");
        return;
    }
    b->keep_alive_s = b->conf.keep_alive_s;
    limits_take(b, p);
    b->accepted = true;
    b->session_kept = p->session_present;
    link_accepted(b->link);
    if (!bridge__stream_open(b)) return;
    ask_forget(b);
    ask_filters(b);
    bridge__ping(b);
}

/* ---- messages ---- */

/* Taken for our broker, which is not asked. Of QoS 2 the rest follows: it answers PUBREL. */
static void answer(MqttBridge *b, const MqttPacket *p)
{
    if (p->qos)
        mqtt_put_ack(link_out(b->link), p->qos == 2 ? MQTT_PUBREC : MQTT_PUBACK, b->version, p->id,
                     0, STR_NONE);
}

static void drop(MqttBridge *b, const MqttPacket *p, MqttBridgeDrop why)
{
    bridge__drop(b, why);
    answer(b, p);
}

static void learn(MqttBridge *b, const MqttPacket *p)
{
    answer(b, p);
    if (!p->payload.len || p->payload.len > MQTT_BRIDGE_ID_BYTES) return;
    (void)snprintf(b->remote_id, sizeof b->remote_id, "%.*s", STR_ARG(p->payload));
}

static bool topic_fits(const MqttBridge *b, Str topic)
{
    return mqtt_topic_valid(topic) && topic.ptr[0] != '$' &&
           topic.len <= b->broker->conf.filter_bytes_max && mqtt_levels(topic) <= MQTT_LEVELS_MAX;
}

static void publish(MqttBridge *b, MqttPacket *p)
{
    const BridgeRule *rule = bridge__rule(b, MQTT_BRIDGE_IN, p->topic);
    if (!rule && str_is(p->topic, id_topic)) {
        learn(b, p);
        return;
    }
    if (!rule) {
        drop(b, p, MQTT_DROP_NO_RULE);
        return;
    }
    bool again = p->dup && p->qos == 2; /* our broker knows whether it has it */
    bool loop = bridge__passed(&p->props, b->conf.self_id);
    if (loop || (b->plain && !again && bridge__echo_take(b, p->topic, p->payload))) {
        drop(b, p, MQTT_DROP_LOOP);
        return;
    }
    Str via = str_from(b->remote_id);
    if (!b->conf.mark || bridge__passed(&p->props, via)) via = STR_NONE;
    MqttPublishOut out = bridge__onward(b, p, rule->remote_prefix, rule->local_prefix, via);
    size_t bytes = mqtt_publish_bytes(&out, 5);
    if (!bytes || bytes > b->broker->conf.packet_bytes_max || b->props.failed || b->topic.failed) {
        drop(b, p, MQTT_DROP_TOO_LARGE);
        return;
    }
    if (!topic_fits(b, out.topic)) {
        drop(b, p, MQTT_DROP_UNFIT);
        return;
    }
    mqtt_put_publish(&b->to_local, &out, 5);
    b->info.received_bytes += p->payload.len;
    if (!p->qos) b->info.received++;
}

/* ---- answers to what went out ---- */

static bool is_lowered(const MqttBridge *b, uint16_t id)
{
    return b->lowered && b->lowered[id / 64] >> (id % 64) & 1;
}

static void acked(MqttBridge *b, const MqttPacket *p)
{
    bool bad = p->reason >= 0x80 && p->type != MQTT_PUBCOMP;
    if (bad && p->reason == MQTT_RC_QUOTA) { /* it will have room again */
        bridge__fail(b, p->reason, "the server takes no more: %s", bridge__reason(p->reason));
        return;
    }
    if (bad) {
        bridge__drop(b, MQTT_DROP_REFUSED);
        bridge__note(b, p->reason, "the server refused a message: %s", bridge__reason(p->reason));
    } else if (p->type == MQTT_PUBACK || p->type == MQTT_PUBCOMP) {
        b->info.sent += p->type == MQTT_PUBCOMP || !is_lowered(b, p->id);
    }
    uint8_t type = p->type;
    if (type == MQTT_PUBACK && is_lowered(b, p->id)) type = MQTT_PUBREC;
    if (bad && is_lowered(b, p->id)) b->lowered[p->id / 64] &= ~(1ull << (p->id % 64));
    uint8_t reason = type == MQTT_PUBCOMP ? 0 : p->reason;
    mqtt_put_ack(&b->to_local, type, 5, p->id, type == MQTT_PUBREC && !bad ? 0 : reason, STR_NONE);
}

static void suback(MqttBridge *b, const MqttPacket *p)
{
    uint32_t at = 0, row = 0;
    while (at < b->conf.topic_count &&
           !(is_first_of(b, at) && id_free(b, IDS_OF_RULES + at) == p->id))
        at++;
    if (at == b->conf.topic_count) return; /* that of $SYS/broker/id */
    uint32_t pair = b->rules[at].pair_in;
    for (const BridgeRule *rule; (rule = next_of(b, &at, pair)); row++) {
        uint8_t code = row < p->list.len ? (uint8_t)p->list.ptr[row] : 0;
        if (code & 0x80)
            bridge__note(b, code, "the server refuses the subscription to %.*s: %s",
                         STR_ARG(rule->remote), bridge__reason(code));
    }
}

static void pong(MqttBridge *b)
{
    if (b->asked_ns) b->info.round_trip_us = (clock_monotonic_ns() - b->asked_ns) / NS_PER_US;
    b->asked_ns = 0;
    if (!b->ready) bridge__ready(b);
}

static void packet(MqttBridge *b, Str bytes, size_t head)
{
    MqttPacket p;
    MqttReason reason = mqtt_decode(bytes, head, b->version, MQTT_FROM_SERVER, &p);
    if (reason || (!b->accepted && p.type != MQTT_CONNACK)) {
        bridge__fail(b, MQTT_RC_MALFORMED, "the server sent a malformed packet");
        return;
    }
    switch (p.type) {
    case MQTT_CONNACK: connack(b, &p); return;
    case MQTT_PUBLISH:
        if (!p.topic.len)
            bridge__fail(b, MQTT_RC_TOPIC_ALIAS, "the server used a topic alias unasked");
        else
            publish(b, &p);
        return;
    case MQTT_PUBACK:
    case MQTT_PUBREC:
    case MQTT_PUBCOMP: acked(b, &p); return;
    case MQTT_PUBREL: mqtt_put_ack(&b->to_local, MQTT_PUBREL, 5, p.id, 0, STR_NONE); return;
    case MQTT_SUBACK: suback(b, &p); return;
    case MQTT_UNSUBACK: return;
    case MQTT_PINGRESP: pong(b); return;
    case MQTT_DISCONNECT:
        bridge__fail(b, p.reason, "the server ended the connection: %s", bridge__reason(p.reason));
        return;
    default: bridge__fail(b, MQTT_RC_PROTOCOL, "the server wants to authenticate unasked");
    }
}

/* Packets are worked off where they lie; only the part of one at the end is kept. */
void bridge__in(void *ctx, const char *bytes, size_t len)
{
    MqttBridge *b = ctx;
    bool kept = b->in.len > 0;
    if (kept) {
        buf_add(&b->in, bytes, len);
        if (b->in.failed) {
            bridge__fail(b, MQTT_RC_TOO_LARGE, "the server sent too large a packet");
            return;
        }
        bytes = b->in.ptr;
        len = b->in.len;
    }
    size_t used = 0, head, whole;
    while (used < len && !b->failing) {
        Str rest = str_slice(bytes + used, len - used);
        MqttFrame frame = mqtt_frame(rest, (uint32_t)b->in.max_bytes / 2, &head, &whole);
        if (frame == MQTT_FRAME_MORE) break;
        if (frame != MQTT_FRAME_WHOLE) {
            bridge__fail(b, MQTT_RC_TOO_LARGE, "the server sent too large a packet");
            return;
        }
        packet(b, str_slice(rest.ptr, whole), head);
        used += whole;
    }
    if (b->failing) return;
    if (kept)
        buf_consume(&b->in, used);
    else if (used < len)
        buf_add(&b->in, bytes + used, len - used);
    bridge__feed(b);
    if (!b->failing) link_flush(b->link);
}
