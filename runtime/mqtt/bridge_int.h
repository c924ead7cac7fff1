/* runtime/mqtt/bridge_int.h: what the files of a bridge share.
 *
 * `stream` is the connection of the bridge's session here, `link` the one to the other broker; they
 * begin and end together. Bytes of one side become bytes of the other packet by packet:
 * bridge_out.c from here, bridge_in.c to here. */
#ifndef TUTTI_MQTT_BRIDGE_INT_H
#define TUTTI_MQTT_BRIDGE_INT_H

#include "base/arena.h"
#include "mqtt/bridge.h"
#include "mqtt/broker_int.h"
#include "mqtt/link.h"

enum {
    BRIDGE_ALIASES_MAX = 256, /* of topics, towards the other side */
    BRIDGE_ECHO_MAX = 65536,  /* messages that may come back from a 3.1.1 broker */
    BRIDGE_ROUNDS_MAX = 256,  /* messages that are counted, for rings of 3.1.1 */
    BRIDGE_ERROR_BYTES = 240,
    BRIDGE_IDS_WORDS = 1024, /* a bit per packet identifier */
    BRIDGE_LOCAL_IN_BYTES = 64 << 20,
};

typedef struct BridgeRule {
    Str local, remote; /* prefix + filter */
    Str local_prefix, remote_prefix;
    /* What of a name changes on its way out and in: two bridges at one another that change it alike
     * would bring each message twice (bridge_twin.c). */
    uint32_t pair_out, pair_in;
    uint8_t directions, qos, retained;
    bool fresh; /* towards the other side: what is retained did not go over yet */
} BridgeRule;

/* An equal message that bridges brought, how often since when: many in short time are a ring. */
typedef struct BridgeRound {
    uint64_t hash;
    int64_t since_ns;
    uint32_t count;
} BridgeRound;

typedef struct BridgeEcho { /* one that went out and may come back */
    uint64_t hash;
    int64_t until_ns;
} BridgeEcho;

struct MqttBridge {
    MqttBroker *broker;
    Loop *loop;
    Log *log;
    MqttBridge *next;
    MqttBridgeConf conf; /* slices in texts */
    Arena *texts;        /* owned */
    BridgeRule *rules;   /* in texts */
    Session *session;    /* the broker's; NULL once the broker ended it */
    MqttStream *stream;  /* NULL: not connected */
    Link *link;
    MqttBridgeState state;
    TlsClient *tls;    /* owned; NULL = plain */
    bool failing;      /* given up; on_lost follows */
    bool again;        /* no failure: connects anew at once */
    bool session_kept; /* the other side had our session */
    uint8_t fail_code;
    uint16_t keep_alive_s;
    int64_t beat_ns, noted_ns, connect_next_ns;
    bool accepted; /* CONNACK came */
    bool ready;    /* and answers to what was asked then: from now on messages go out */
    bool plain;    /* 3.1.1 without the bit that makes a broker know a bridge */
    bool wash;     /* the other side's old session is to be thrown away first */
    bool closed, fed_posted;
    uint8_t version; /* in force */
    /* What the other side takes. */
    uint32_t packet_max;
    uint16_t receive_max, alias_max;
    uint8_t qos_max;
    bool no_retain, no_sub_ids;
    bool twice_told;     /* once a connection */
    Buf in;              /* part of a packet of the other side */
    Buf held;            /* what the session sent before we were ready */
    Buf to_local;        /* packets for our broker */
    Buf props, topic;    /* of the message at hand */
    uint64_t *aliases;   /* owned; hash of the topic that has alias i + 1 */
    uint64_t *lowered;   /* owned bitmap or NULL: QoS 2 here, less there */
    BridgeEcho *echoes;  /* owned, open addressing by hash; NULL until needed */
    BridgeRound *rounds; /* owned, by hash; NULL until needed */
    char remote_id[MQTT_BRIDGE_ID_BYTES + 1];
    int64_t asked_ns; /* PINGREQ is out since; 0 = none */
    LoopTimer *beat;
    /* the buffer's bounds: bridge_keep.c */
    bool trimming;
    int64_t trim_next_ns;
    uint64_t trim_seq, serial;
    uint32_t posts; /* the memory is needed by calls on their way */
    MqttBridgeInfo info;
    char error[BRIDGE_ERROR_BYTES];
};

/* bridge.c */
void bridge__fail(MqttBridge *b, uint8_t code, const char *format, ...) PRINTF_LIKE(3, 4);
/* Remembered as the last error; the connection stays. */
void bridge__note(MqttBridge *b, uint8_t code, const char *format, ...) PRINTF_LIKE(3, 4);
void bridge__drop(MqttBridge *b, MqttBridgeDrop why);
void bridge__ready(MqttBridge *b);
MUST bool bridge__stream_open(MqttBridge *b); /* our session comes online */
void bridge__feed(MqttBridge *b);             /* to_local goes to our broker now */
void bridge__feed_later(MqttBridge *b);       /* from inside a call of the broker */
void bridge__ping(MqttBridge *b);
/* A message as it goes on: its topic with `to` for the prefix `from`, its properties, and the mark
 * of the broker `via` if that is not empty. Slices of b->topic and b->props. */
MqttPublishOut bridge__onward(MqttBridge *b, const MqttPacket *p, Str from, Str to, Str via);
const BridgeRule *bridge__rule(const MqttBridge *b, uint8_t direction, Str topic);
bool bridge__passed(const MqttProps *props, Str id);    /* the message carries that broker's mark */
uint8_t bridge__refusal(uint8_t version, uint8_t code); /* of CONNACK, as one of 5.0 */
const char *bridge__reason(uint8_t code);               /* in words */
/* On the topic for it. */
void bridge__state_tell(MqttBridge *b, const char *payload);
void bridge__connect_try(MqttBridge *b); /* begins to connect, if enabled */
void bridge__beat(void *bridge);         /* once a second */
/* A client with the files of a configuration whose texts end with a NUL; NULL without TLS. */
MUST Status bridge__tls_new(const MqttBridgeConf *conf, TlsClient **ret_tls, Diag *diag);
/* That of the bridge; anew before each try, for certificates end sooner than a bridge does. */
MUST Status bridge__tls_read(MqttBridge *b, Diag *diag);

/* bridge_out.c: from our broker to the other one */
extern const MqttStreamOps bridge__stream_ops;
void bridge__out_held(MqttBridge *b);

/* bridge_in.c: from the other one to ours */
void bridge__in(void *ctx, const char *bytes, size_t len);
void bridge__hello(MqttBridge *b); /* CONNECT */
/* What a CONNECT says of who we are; hello->version is set. */
void bridge__sign(MqttConnectOut *hello, Str client_id, Str user, Str password);

/* bridge_keep.c: the buffer, and the broker's questions about it */
void bridge__keep_tick(MqttBridge *b, int64_t now_ns);

/* A bridge of that broker, when the other side is a Tutti: its client id says whose it is. */
bool bridge__is_of_remote(const MqttBridge *b, Str client_id);

/* bridge_twin.c: the other broker's bridge to this one */
/* Of a way from names at one broker to names at another; never 0. */
uint32_t bridge__pair(Str from_prefix, Str to_prefix);
/* A message of the other broker's bridge: says so when this bridge fetches it as well. */
void bridge__twice(MqttBridge *b, Str topic);

/* bridge_echo.c: what a 3.1.1 broker gives back */
void bridge__echo_add(MqttBridge *b, Str topic, Str payload);
bool bridge__echo_take(MqttBridge *b, Str topic, Str payload);
/* A message that another bridge brought goes out over 3.1.1: says so when it goes round. */
void bridge__round(MqttBridge *b, const Msg *msg);

#endif
