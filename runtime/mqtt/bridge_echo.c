/* runtime/mqtt/bridge_echo.c: what a 3.1.1 broker gives back to who published it.
 *
 * MQTT 5.0 has No Local, and brokers of Mosquitto's kind know a bridge by a bit of its CONNECT. To
 * the others it is a client like any: what it publishes on a topic that it also subscribes to comes
 * back. So each message that went out there is remembered, and the next equal one that comes in is
 * not taken. The memory is bounded by number and by time; what it forgets comes back once, and no
 * further, for our broker does not give it to the session it came from.
 *
 * In a ring of three or more nothing tells an echo from a new message that is equal, and none may
 * be lost: it goes round as fast as it can. That is noticed by its number, and said. */
#include "mqtt/bridge_int.h"

#include "base/mem.h"

enum { ECHO_S = 30, ECHO_PROBES = 32, ROUNDS_S = 10, ROUNDS = 500 };

static uint64_t hash_of(Str topic, Str payload)
{
    uint64_t both[2] = {hash_bytes(topic.ptr, topic.len), hash_bytes(payload.ptr, payload.len)};
    uint64_t hash = hash_bytes(both, sizeof both);
    return hash ? hash : 1;
}

void bridge__echo_add(MqttBridge *b, Str topic, Str payload)
{
    if (!b->echoes) b->echoes = mem_zalloc(BRIDGE_ECHO_MAX, sizeof *b->echoes);
    if (!b->echoes) return;
    uint64_t hash = hash_of(topic, payload);
    int64_t now = clock_monotonic_ns();
    BridgeEcho *oldest = NULL;
    for (uint32_t i = 0; i < ECHO_PROBES; i++) {
        BridgeEcho *at = &b->echoes[(hash + i) % BRIDGE_ECHO_MAX];
        if (!oldest || at->until_ns < oldest->until_ns) oldest = at;
        if (at->until_ns <= now) break;
    }
    *oldest = (BridgeEcho){hash, now + ECHO_S * NS_PER_S};
}

bool bridge__echo_take(MqttBridge *b, Str topic, Str payload)
{
    if (!b->echoes) return false;
    uint64_t hash = hash_of(topic, payload);
    int64_t now = clock_monotonic_ns();
    for (uint32_t i = 0; i < ECHO_PROBES; i++) {
        BridgeEcho *at = &b->echoes[(hash + i) % BRIDGE_ECHO_MAX];
        if (at->hash != hash || at->until_ns <= now) continue;
        *at = (BridgeEcho){0};
        return true;
    }
    return false;
}

void bridge__round(MqttBridge *b, const Msg *msg)
{
    MqttPub pub = mqtt__msg_view(msg);
    if (!str_starts(pub.publisher, STR(MQTT_BRIDGE_SESSION)) &&
        !str_starts(pub.publisher, STR("tutti-")))
        return;
    if (!b->rounds) b->rounds = mem_zalloc(BRIDGE_ROUNDS_MAX, sizeof *b->rounds);
    if (!b->rounds) return;
    uint64_t hash = hash_of(pub.topic, pub.payload);
    int64_t now = clock_monotonic_ns();
    BridgeRound *at = &b->rounds[hash % BRIDGE_ROUNDS_MAX];
    if (at->hash != hash || now - at->since_ns > ROUNDS_S * NS_PER_S)
        *at = (BridgeRound){.hash = hash, .since_ns = now};
    if (++at->count % ROUNDS) return;
    bridge__note(b, 0,
                 "an equal message on %.*s came from other bridges %u times within %d s: they seem "
                 "to make a ring, which only version 5.0 ends; take one of them away, or set "
                 "\"version\" to 5.0 in all of them",
                 (int)(pub.topic.len < 60 ? pub.topic.len : 60), pub.topic.ptr, at->count,
                 ROUNDS_S);
}
