/* runtime/mqtt/bridge.h: joins the embedded broker with another one, MQTT 3.1.1 or 5.0.
 *
 * A bridge is a durable session of this broker whose client is the other broker: what is to go out
 * waits in the session's queue on the disk and leaves it when the other side has acknowledged it;
 * what comes in is published through that session as any client would, and acknowledged to the
 * other side when this broker acknowledges it. Packet identifiers are the same on both sides, so
 * the state of every exchange lies in the two brokers and the bridge itself has none: a message of
 * QoS 2 comes over exactly once, whichever of the three dies.
 *
 * Everything on the loop's thread. Design and rejected ways: docs/decisions/0055. */
#ifndef TUTTI_MQTT_BRIDGE_H
#define TUTTI_MQTT_BRIDGE_H

#include "mqtt/broker.h"

typedef struct MqttBridge MqttBridge;

enum {
    MQTT_BRIDGE_NAME_MAX = 64,
    MQTT_BRIDGE_ID_BYTES = 16, /* of the text that says which broker a message passed */
    MQTT_BRIDGE_TOPICS_MAX = 256,
    MQTT_BRIDGES_MAX = 64,
};
#define MQTT_BRIDGE_SESSION "$bridge/" /* and the name: client ids that nobody else may have */

enum { MQTT_BRIDGE_IN = 1, MQTT_BRIDGE_OUT = 2 };

/* When stored retained messages go over: with every connection, when the subscription is new,
 * never.
 */
typedef enum MqttBridgeRetained {
    MQTT_BRIDGE_RETAINED_ALWAYS,
    MQTT_BRIDGE_RETAINED_NEW,
    MQTT_BRIDGE_RETAINED_NEVER,
} MqttBridgeRetained;

/* Here a topic is local_prefix + what matches the filter, there remote_prefix + the same. The first
 * rule that fits a topic is its rule. */
typedef struct MqttBridgeTopic {
    Str filter, local_prefix, remote_prefix;
    uint8_t directions; /* MQTT_BRIDGE_IN | MQTT_BRIDGE_OUT */
    uint8_t qos;        /* at most */
    uint8_t retained;   /* MqttBridgeRetained */
} MqttBridgeTopic;

typedef enum MqttBridgeFull {                   /* the buffer is full: */
                              MQTT_FULL_OLDEST, /* the oldest give way */
                              MQTT_FULL_NEWEST, /* what is new is not taken */
                              MQTT_FULL_REFUSE, /* the publisher is told, and nobody gets the
                                                   message */
} MqttBridgeFull;

/* Slices are copied by mqtt_bridge_open. */
typedef struct MqttBridgeConf {
    Str name, host;
    Str user, password, client_id, notify;
    Str ca_file, cert_file, key_file; /* empty: see tls.h */
    Str self_id;                      /* which broker this is, for loops; at most ID_BYTES */
    Str remote_id;                    /* what the other one said last time; or empty */
    const MqttBridgeTopic *topics;
    uint32_t topic_count;
    const Str
        *forget; /* filters the other side may still have from an earlier life of this bridge */
    uint32_t forget_count;
    uint32_t session_expiry_s, buffer_age_s; /* age 0: any */
    uint64_t buffer_bytes;
    MqttBridgeFull full;
    uint16_t port, keep_alive_s, receive_max;
    uint8_t version; /* 4 or 5 */
    bool tls, enabled, mark;
    bool keep_qos0; /* what goes out with QoS 0 is sent as QoS 1 where the rule allows it, and waits
                     */
    bool known;     /* the other side was reached before: what its session there holds is ours */
    /* Once per connection, when the other side answered everything: it has our session now, what
     * was to be forgotten is, and `remote_id` is what it calls itself (empty: nothing). */
    void (*reached)(void *ctx, Str remote_id);
    void *ctx;
} MqttBridgeConf;

typedef enum MqttBridgeState {
    MQTT_BRIDGE_DISABLED,
    MQTT_BRIDGE_CONNECTING,
    MQTT_BRIDGE_CONNECTED,
    MQTT_BRIDGE_WAITING, /* lost or refused; tries again */
} MqttBridgeState;

/* Why a message did not come over: bridge_drops.def. */
typedef enum MqttBridgeDrop {
#define DROP(name, word, doc) MQTT_DROP_##name,
#include "mqtt/bridge_drops.def"
#undef DROP
    MQTT_DROP__COUNT
} MqttBridgeDrop;

typedef struct MqttBridgeInfo {
    Str name, error; /* error: the last one, in words; empty: none yet */
    Str remote_id;
    MqttBridgeState state;
    int64_t since_ns, error_ns, next_try_ns; /* wall; 0: never, none planned */
    uint64_t queued, queued_bytes;           /* to go out, on disk */
    uint64_t sent, received;                 /* acknowledged by who got them */
    uint64_t sent_bytes, received_bytes;     /* payloads */
    uint64_t dropped[MQTT_DROP__COUNT];
    uint64_t connects;
    int64_t round_trip_us; /* -1: not known */
    uint8_t error_code;    /* reason code of MQTT; 0: none */
} MqttBridgeInfo;
const char *mqtt_bridge_state_word(MqttBridgeState state);
const char *mqtt_bridge_drop_word(MqttBridgeDrop drop);

/* The session is there when it returns, with its filters, and gathers from then on; after the store
 * was read (mqtt_broker_restore). It connects once the broker listens. ST_INVALID says what is
 * wrong with `conf`. */
MUST Status mqtt_bridge_open(MqttBroker *broker, Loop *loop, const MqttBridgeConf *conf, Log *log,
                             MqttBridge **ret_bridge, Diag *diag);
/* What mqtt_bridge_open would say, and whether the files of TLS can be used. */
MUST Status mqtt_bridge_check(MqttBroker *broker, const MqttBridgeConf *conf, Diag *diag);
/* What came of a try; the reason is empty when connected, code is MQTT's or 0. */
typedef struct MqttBridgeTried {
    bool connected;
    uint8_t code;
    Str reason;
    int64_t took_ns;
} MqttBridgeTried;
typedef struct MqttBridgeTry MqttBridgeTry;
typedef void MqttBridgeTriedFn(void *ctx, const MqttBridgeTried *tried);
/* Connects once as a bridge of `conf` would and disconnects again; nothing stays at the other side,
 * and a bridge that runs is not disturbed. fn is called once, on a later turn, and the try is gone
 * then. The slices are copied. */
MUST Status mqtt_bridge_try(Loop *loop, const MqttBridgeConf *conf, MqttBridgeTriedFn *fn,
                            void *ctx, MqttBridgeTry **ret_try, Diag *diag);
void mqtt_bridge_try_close(MqttBridgeTry *t); /* fn is not called; accepts NULL */
/* The connection ends; `forget`: the session too, with what waits, at both sides. Accepts NULL. */
void mqtt_bridge_close(MqttBridge *bridge, bool forget);
void mqtt_bridge_info(const MqttBridge *bridge, MqttBridgeInfo *ret_info);
/* Sessions of bridges that `keep` does not know are ended: left over by a crash. */
void mqtt_bridge_tidy(MqttBroker *broker, bool (*keep)(void *ctx, Str name), void *ctx);
/* Every bridge's; for $SYS. */
void mqtt_bridges(const MqttBroker *broker, void (*fn)(void *ctx, const MqttBridgeInfo *info),
                  void *ctx);
/* What `$SYS/broker/id` says: which broker this is; empty: nothing. At most ID_BYTES are used. */
void mqtt_broker_name(MqttBroker *broker, Str id);

#endif
