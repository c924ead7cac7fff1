/* runtime/mqtt/broker_sys.c: what the broker says about itself, under $SYS.
 *
 * Topics are Mosquitto's where the meaning is the same, so that tools made for it work here. Each
 * is published at an interval; a new subscription gets all values at once, made for it and marked
 * as retained. They are not kept as retained messages: nothing of them belongs on a disk. */
#include "mqtt/bridge.h"
#include "mqtt/broker_int.h"

#include <stdio.h>

enum { SYS_TEXT_BYTES = 128 };

typedef struct SysValues {
    MqttBrokerStats stats;
    uint64_t uptime_s, connected, disconnected, message_bytes, dropped;
} SysValues;

#define STAT(topic, field)                                                                         \
    {                                                                                              \
        "$SYS/broker/" topic, offsetof(SysValues, stats.field), ""                                 \
    }
#define VALUE(topic, field)                                                                        \
    {                                                                                              \
        "$SYS/broker/" topic, offsetof(SysValues, field), ""                                       \
    }
static const struct {
    const char *topic;
    size_t offset;
    const char *unit;
} rows[] = {
    {"$SYS/broker/uptime", offsetof(SysValues, uptime_s), " seconds"},
    VALUE("clients/connected", connected),
    VALUE("clients/disconnected", disconnected),
    STAT("clients/total", sessions_now),
    STAT("subscriptions/count", subscriptions_now),
    STAT("retained messages/count", retained_now),
    VALUE("store/messages/bytes", message_bytes),
    STAT("publish/messages/received", received),
    STAT("publish/messages/sent", sent),
    VALUE("publish/messages/dropped", dropped),
    STAT("publish/bytes/received", received_bytes),
    STAT("publish/bytes/sent", sent_bytes),
    /* Ours alone. */
    STAT("connections/refused/auth", refused_auth),
    STAT("connections/refused/limit", refused_limit),
    STAT("connections/protocol errors", protocol_errors),
    STAT("queued/count", queued_now),
    STAT("queued/bytes", queued_bytes_now),
    STAT("store/failures", store_failures),
};
#undef STAT
#undef VALUE

static void values_take(const MqttBroker *b, SysValues *ret_values)
{
    SysValues *v = ret_values;
    *v = (SysValues){.message_bytes = b->msg_bytes,
                     .uptime_s = (uint64_t)((clock_monotonic_ns() - b->opened_ns) / NS_PER_S)};
    mqtt_broker_stats(b, &v->stats);
    for (const Session *s = b->sessions; s; s = s->next) v->connected += s->conn != NULL;
    v->disconnected = v->stats.sessions_now - v->connected;
    v->dropped = v->stats.dropped_qos0 + v->stats.dropped_full + v->stats.dropped_expired +
                 v->stats.dropped_denied;
}

static MqttPub row_pub(const SysValues *values, size_t i, char text[SYS_TEXT_BYTES])
{
    uint64_t value;
    memcpy(&value, (const char *)values + rows[i].offset, sizeof value);
    int len = snprintf(text, SYS_TEXT_BYTES, "%llu%s", (unsigned long long)value, rows[i].unit);
    return (MqttPub){.topic = str_from(rows[i].topic), .payload = str_slice(text, (size_t)len)};
}

/* ---- bridges, and who this is ---- */

typedef void SysFn(void *ctx, const MqttPub *pub);

typedef struct SysWalk {
    SysFn *fn;
    void *ctx;
} SysWalk;

static void sys_text(const SysWalk *walk, Str name, const char *what, const char *text)
{
    char topic[64 + MQTT_BRIDGE_NAME_MAX];
    (void)snprintf(topic, sizeof topic, "$SYS/broker/bridge/%.*s/%s", STR_ARG(name), what);
    MqttPub pub = {.topic = str_from(topic), .payload = str_from(text)};
    walk->fn(walk->ctx, &pub);
}

static void sys_number(const SysWalk *walk, Str name, const char *what, int64_t value)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%lld", (long long)value);
    sys_text(walk, name, what, text);
}

static void sys_bridge(void *ctx, const MqttBridgeInfo *info)
{
    const SysWalk *walk = ctx;
    sys_text(walk, info->name, "state", mqtt_bridge_state_word(info->state));
    sys_number(walk, info->name, "queued/count", (int64_t)info->queued);
    sys_number(walk, info->name, "queued/bytes", (int64_t)info->queued_bytes);
    sys_number(walk, info->name, "messages/sent", (int64_t)info->sent);
    sys_number(walk, info->name, "messages/received", (int64_t)info->received);
    if (info->round_trip_us >= 0)
        sys_number(walk, info->name, "round trip/us", info->round_trip_us);
    for (uint32_t i = 0; i < MQTT_DROP__COUNT; i++) {
        char what[48];
        (void)snprintf(what, sizeof what, "dropped/%s", mqtt_bridge_drop_word(i));
        sys_number(walk, info->name, what, (int64_t)info->dropped[i]);
    }
}

static void sys_own(MqttBroker *b, SysFn *fn, void *ctx)
{
    SysWalk walk = {fn, ctx};
    MqttPub id = {.topic = STR("$SYS/broker/id"), .payload = str_from(b->name)};
    if (id.payload.len) fn(ctx, &id);
    MqttPub state = {.topic = STR("$SYS/broker/store/state"),
                     .payload = b->keep.failures ? STR("refused") : STR("ok")};
    if (b->keep.store) fn(ctx, &state);
    mqtt_bridges(b, sys_bridge, &walk);
}

static void on_own_tick(void *ctx, const MqttPub *pub)
{
    (void)mqtt__accept(ctx, pub, 0, NULL);
}

static void on_own_replay(void *ctx, const MqttPub *pub)
{
    Sub *sub = ctx;
    if (!mqtt_topic_match(sub->filter, pub->topic)) return;
    MqttBroker *b = sub->session->broker;
    Msg *msg = mqtt__msg_new(b, pub, 0);
    if (!msg) return;
    mqtt__give_retained(sub, msg);
    mqtt__msg_unref(b, msg);
}

void mqtt__sys_tick(MqttBroker *b, int64_t now_ns)
{
    if (now_ns < b->sys_next_ns) return;
    bool first = !b->sys_next_ns;
    b->sys_next_ns = now_ns + b->conf.sys_interval_ms * NS_PER_MS;
    if (first) return;
    SysValues values;
    char text[SYS_TEXT_BYTES];
    values_take(b, &values);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        MqttPub pub = row_pub(&values, i, text);
        (void)mqtt__accept(b, &pub, 0, NULL);
    }
    sys_own(b, on_own_tick, b);
}

void mqtt__sys_replay(MqttBroker *b, Sub *sub)
{
    if (!sub->session || !str_starts(sub->filter, STR("$SYS/"))) return;
    SysValues values;
    char text[SYS_TEXT_BYTES];
    values_take(b, &values);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        MqttPub pub = row_pub(&values, i, text);
        on_own_replay(sub, &pub);
    }
    sys_own(b, on_own_replay, sub);
}
