/* runtime/mqtt/bridge_twin.c: two Tuttis with a bridge at one another, both both ways.
 *
 * A message then has two ways from here to there: our bridge pushes it, and the session of their
 * bridge, which is a client of ours, pulls it. Both begin here, so it is decided here which one a
 * message takes, once, when it is handed out. They are the same way when both change its name
 * alike, which the other bridge says with the subscription identifier of its filters: it is made of
 * what the two prefixes differ in, and it is kept with the subscription, so that it is known while
 * that bridge is away too. 3.1.1 has no such identifier; then a message comes twice, and that is
 * said (bridge__twice). */
#include "mqtt/bridge_int.h"

#include "base/crc.h"

enum { PAIR_MAX = 268435455 }; /* of a subscription identifier */

uint32_t bridge__pair(Str from_prefix, Str to_prefix)
{
    Str from = from_prefix, to = to_prefix;
    while (from.len && to.len && from.ptr[from.len - 1] == to.ptr[to.len - 1]) {
        from.len--;
        to.len--;
    }
    /* The same in every process, which hash_bytes is not. */
    uint32_t both[3] = {crc32c(0, from.ptr, from.len), crc32c(0, to.ptr, to.len),
                        (uint32_t)from.len};
    return crc32c(0, both, sizeof both) % PAIR_MAX + 1;
}

static bool is_online(const Session *s)
{
    return s->conn && s->conn->state == CONN_OPEN;
}

/* The rows are those of one session. Does ours take it? Who is connected; both or none: ours, which
 * keeps what waits as its settings say. Who would get it with a lower QoS leaves it. */
static bool is_ours(const MqttBridge *b, const BridgeRule *rule, const MatchRow *rows,
                    uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (rows[i].sub->qos > rule->qos) return false;
    return b->ready || !is_online(rows[0].session);
}

/* The rule by which our bridge takes the very way that the rows of that session do. */
static const BridgeRule *twin_rule(const MqttBridge *b, const MatchRow *rows, uint32_t count,
                                   const Msg *msg)
{
    const BridgeRule *rule =
        bridge__rule(b, MQTT_BRIDGE_OUT, str_slice(msg->text, msg->topic_bytes));
    for (uint32_t i = 0; rule && i < count; i++)
        if (rows[i].sub->id != rule->pair_out) rule = NULL;
    return rule;
}

bool mqtt__bridge_pushes(const MatchRow *rows, uint32_t count, const Msg *msg)
{
    const Session *s = rows[0].session;
    if (!str_starts(s->id, STR("tutti-"))) return false;
    for (const MqttBridge *b = s->broker->bridges; b; b = b->next) {
        if (!b->session || !bridge__is_of_remote(b, s->id)) continue;
        const BridgeRule *rule = twin_rule(b, rows, count, msg);
        if (!rule || !is_ours(b, rule, rows, count)) continue;
        bool full = b->session->full && b->conf.full != MQTT_FULL_OLDEST;
        if (!full && !bridge__is_of_remote(b, mqtt__msg_view(msg).publisher)) return true;
    }
    return false;
}

/* Anybody may have a client id like that: only who could have published the message as well is
 * believed that it brings it there. */
static bool may_publish(const Session *s, const Msg *msg)
{
    const MqttBrokerConf *conf = &s->broker->conf;
    return !conf->may || conf->may(conf->may_ctx, s->id, s->user, MQTT_MAY_PUBLISH,
                                   str_slice(msg->text, msg->topic_bytes));
}

bool mqtt__bridge_pulled(const Session *s, const MatchSlot *slot, const Msg *msg)
{
    const MqttBridge *b = s->bridge;
    if (!b->remote_id[0]) return false;
    for (uint32_t i = 0, count; i < slot->count; i += count) {
        const MatchRow *rows = &slot->rows[i];
        const Session *other = rows->session;
        count = 1;
        if (!other) continue;
        while (i + count < slot->count && rows[count].session == other) count++;
        if (!bridge__is_of_remote(b, other->id)) continue;
        const BridgeRule *rule = twin_rule(b, rows, count, msg);
        if (rule && !is_ours(b, rule, rows, count) && may_publish(other, msg)) return true;
    }
    return false;
}

void bridge__twice(MqttBridge *b, Str topic)
{
    if (!b->ready || !b->no_sub_ids || b->twice_told) return;
    for (uint32_t i = 0; i < b->conf.topic_count; i++) {
        const BridgeRule *rule = &b->rules[i];
        if (!(rule->directions & MQTT_BRIDGE_IN) || !mqtt_topic_match(rule->local, topic)) continue;
        b->twice_told = true;
        bridge__note(b, 0,
                     "the other broker's bridge brings what this one fetches (%.*s), so it comes "
                     "twice: declare it on one side only, or set \"version\" to 5.0 here",
                     STR_ARG(rule->local));
        return;
    }
}
