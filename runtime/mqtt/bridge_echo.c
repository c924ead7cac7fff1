/* runtime/mqtt/bridge_echo.c: what a 3.1.1 broker gives back to who published it.
 *
 * MQTT 5.0 has No Local, and brokers of Mosquitto's kind know a bridge by a bit of its CONNECT. To
 * the others it is a client like any: what it publishes on a topic that it also subscribes to comes
 * back. So each message that went out there is remembered, and the next equal one that comes in is
 * not taken. The memory is bounded by number and by time; what it forgets comes back once, and no
 * further, for our broker does not give it to the session it came from. */
#include "mqtt/bridge_int.h"

#include "base/mem.h"

enum { ECHO_S = 30, ECHO_PROBES = 32 };

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
