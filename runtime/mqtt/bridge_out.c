/* runtime/mqtt/bridge_out.c: packets of our broker's session, for the other broker.
 *
 * Called from inside our broker while it writes its output: nothing may be fed back to it here
 * (bridge__feed_later). A message that does not go over is answered in the other side's place, so
 * that its row leaves the queue. */
#include "mqtt/bridge_int.h"

#include "base/mem.h"

/* The session has sent it and waits: nobody else will answer. PUBREC with an error ends QoS 2. */
static void answer(MqttBridge *b, const MqttPacket *p)
{
    if (!p->qos) return;
    bool two = p->qos == 2;
    mqtt_put_ack(&b->to_local, two ? MQTT_PUBREC : MQTT_PUBACK, 5, p->id,
                 two ? MQTT_RC_IMPLEMENTATION : MQTT_RC_OK, STR_NONE);
    bridge__feed_later(b);
}

static void drop(MqttBridge *b, const MqttPacket *p, MqttBridgeDrop why)
{
    bridge__drop(b, why);
    answer(b, p);
}

/* Any alias may be given to another topic (MQTT 5.0, 3.3.2.3.4), so a topic's place is its hash. */
static uint16_t alias_of(MqttBridge *b, Str topic, bool *ret_known)
{
    *ret_known = false;
    uint32_t max = b->alias_max < BRIDGE_ALIASES_MAX ? b->alias_max : BRIDGE_ALIASES_MAX;
    if (!max || topic.len < 4) return 0;
    if (!b->aliases) b->aliases = mem_zalloc(BRIDGE_ALIASES_MAX, sizeof *b->aliases);
    if (!b->aliases) return 0;
    uint64_t hash = hash_bytes(topic.ptr, topic.len);
    uint64_t *at = &b->aliases[hash % max];
    *ret_known = *at == hash;
    *at = hash;
    return (uint16_t)(at - b->aliases + 1);
}

static void lower_set(MqttBridge *b, uint16_t id)
{
    if (!b->lowered) b->lowered = mem_zalloc(BRIDGE_IDS_WORDS, sizeof *b->lowered);
    if (b->lowered) b->lowered[id / 64] |= 1ull << (id % 64);
}

/* The other side takes no more than QoS 1 or 0: the rest of the exchange is played here. */
static uint8_t lower(MqttBridge *b, const MqttPacket *p)
{
    if (p->qos <= b->qos_max) return p->qos;
    if (p->qos == 2 && b->qos_max == 1) {
        lower_set(b, p->id);
        return 1;
    }
    if (p->qos == 2)
        lower_set(b, p->id);
    else
        b->info.sent++;
    mqtt_put_ack(&b->to_local, p->qos == 2 ? MQTT_PUBREC : MQTT_PUBACK, 5, p->id, 0, STR_NONE);
    bridge__feed_later(b);
    return 0;
}

static void publish(MqttBridge *b, MqttPacket *p)
{
    const BridgeRule *rule = bridge__rule(b, MQTT_BRIDGE_OUT, p->topic);
    if (!rule) {
        drop(b, p, MQTT_DROP_NO_RULE);
        return;
    }
    if (bridge__passed(&p->props, str_from(b->remote_id))) {
        drop(b, p, MQTT_DROP_LOOP);
        return;
    }
    Str via = b->conf.mark && b->version == 5 ? b->conf.self_id : STR_NONE;
    MqttPublishOut out = bridge__onward(b, p, rule->local_prefix, rule->remote_prefix, via);
    if (b->no_retain) out.retain = false;
    size_t bytes = mqtt_publish_bytes(&out, b->version);
    if (!bytes || b->topic.failed || b->props.failed || (b->packet_max && bytes > b->packet_max)) {
        drop(b, p, MQTT_DROP_TOO_LARGE);
        return;
    }
    out.qos = lower(b, p);
    if (!out.qos) out.dup = false;
    bool known = false;
    out.alias = bytes + 3 > b->packet_max && b->packet_max ? 0 : alias_of(b, out.topic, &known);
    if (b->plain && bridge__rule(b, MQTT_BRIDGE_IN, out.topic))
        bridge__echo_add(b, out.topic, out.payload);
    if (out.alias && known) out.topic = (Str){"", 0};
    mqtt_put_publish(link_out(b->link), &out, b->version);
    b->info.sent_bytes += p->payload.len;
    if (!p->qos) b->info.sent++;
}

/* What our broker says to a message from there. */
static void answer_in(MqttBridge *b, const MqttPacket *p)
{
    if (p->reason == MQTT_RC_QUOTA) {
        bridge__fail(b, p->reason, "this broker is full: %s", bridge__reason(p->reason));
        return;
    }
    if (p->type != MQTT_PUBCOMP) {
        if (p->reason >= 0x80) {
            bridge__drop(b, MQTT_DROP_UNFIT);
            bridge__note(b, p->reason, "this broker refused a message: %s",
                         bridge__reason(p->reason));
        } else {
            b->info.received++;
        }
    }
    mqtt_put_ack(link_out(b->link), p->type, b->version, p->id, p->reason, STR_NONE);
}

static void release(MqttBridge *b, const MqttPacket *p)
{
    uint64_t bit = 1ull << (p->id % 64);
    if (!b->lowered || !(b->lowered[p->id / 64] & bit)) {
        mqtt_put_ack(link_out(b->link), MQTT_PUBREL, b->version, p->id, 0, STR_NONE);
        return;
    }
    b->lowered[p->id / 64] &= ~bit;
    mqtt_put_ack(&b->to_local, MQTT_PUBCOMP, 5, p->id, 0, STR_NONE);
    bridge__feed_later(b);
    b->info.sent++;
}

static void packet(MqttBridge *b, Str bytes, size_t head)
{
    MqttPacket p;
    if (mqtt_decode(bytes, head, 5, MQTT_FROM_SERVER, &p)) {
        bridge__fail(b, 0, "our own broker sent what cannot be read");
        return;
    }
    switch (p.type) {
    case MQTT_CONNACK:
        if (p.reason)
            bridge__fail(b, p.reason, "our own broker refuses the bridge: %s",
                         bridge__reason(p.reason));
        return;
    case MQTT_PUBLISH: publish(b, &p); return;
    case MQTT_PUBACK:
    case MQTT_PUBREC:
    case MQTT_PUBCOMP: answer_in(b, &p); return;
    case MQTT_PUBREL: release(b, &p); return;
    case MQTT_DISCONNECT:
        bridge__fail(b, p.reason, "our own broker ended the session's connection: %s",
                     bridge__reason(p.reason));
        return;
    default: return;
    }
}

static void work(MqttBridge *b, const char *bytes, size_t len)
{
    size_t used = 0, head, whole;
    while (used < len && b->accepted) {
        Str rest = str_slice(bytes + used, len - used);
        if (mqtt_frame(rest, UINT32_MAX, &head, &whole) != MQTT_FRAME_WHOLE) {
            bridge__fail(b, 0, "our own broker sent part of a packet");
            return;
        }
        packet(b, str_slice(rest.ptr, whole), head);
        used += whole;
    }
    if (b->accepted) link_flush(b->link);
}

/* The broker writes whole packets. Until we are ready they are held, and it is told that much
 * waits, so that it sends little more. */
static size_t on_write(void *ctx, const void *bytes, size_t len)
{
    MqttBridge *b = ctx;
    if (!b->accepted) return 0;
    if (!b->ready) {
        buf_add(&b->held, bytes, len);
        return OUT_HIGH_BYTES + 1;
    }
    work(b, bytes, len);
    return b->accepted ? link_waiting(b->link) : 0;
}

void bridge__out_held(MqttBridge *b)
{
    Buf held = b->held;
    buf_init(&b->held, held.max_bytes);
    if (held.failed)
        bridge__fail(b, 0, "no memory for what our broker sent");
    else
        work(b, held.ptr, held.len);
    buf_done(&held);
    if (b->stream) mqtt_stream_writable(b->stream);
}

static void on_pause(void *ctx, bool paused)
{
    MqttBridge *b = ctx;
    link_pause(b->link, paused);
}

static void on_close(void *ctx)
{
    MqttBridge *b = ctx;
    b->stream = NULL;
    if (b->accepted) bridge__fail(b, 0, "our own broker ended the session's connection");
}

const MqttStreamOps bridge__stream_ops = {.write = on_write, .pause = on_pause, .close = on_close};
