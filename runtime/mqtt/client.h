/* runtime/mqtt/client.h: an MQTT client on a Loop: connectors, and tests of the broker.
 *
 * Keeps one connection alive with backoff and jitter, subscribes again after every loss, sends QoS
 * 1 and 2 again until they are acknowledged, and acknowledges received messages only when told to.
 * Asks for 5.0; when the server refuses that version it goes on with 3.1.1 unless forbidden.
 * Everything on the loop's thread. */
#ifndef TUTTI_MQTT_CLIENT_H
#define TUTTI_MQTT_CLIENT_H

#include "base/log.h"
#include "base/status.h"
#include "base/str.h"
#include "loop/loop.h"

typedef struct MqttClient MqttClient;

typedef enum MqttClientState {
    MQTT_CLIENT_CONNECTING,
    MQTT_CLIENT_CONNECTED,
    MQTT_CLIENT_WAITING, /* lost or refused; tries again later */
} MqttClientState;

typedef struct MqttClientMsg {
    Str topic, payload, props; /* props: checked property block, see codec.h */
    int64_t received_ns;       /* wall clock */
    uint64_t token;            /* for mqtt_client_ack; 0 = QoS 0, nothing to ack */
    uint8_t qos;
    bool retain, dup;
} MqttClientMsg;

typedef void MqttClientMsgFn(void *ctx, const MqttClientMsg *msg);
/* reason: plain words, empty when connected. retry_ms: until the next try, WAITING only. */
typedef void MqttClientStateFn(void *ctx, MqttClientState state, Str reason, uint32_t retry_ms);
/* status ST_OK: acknowledged by the server (QoS 0: handed to the socket). */
typedef void MqttClientSentFn(void *ctx, Status status, Str reason);

/* 0 = preset (right column). The slices are copied. */
typedef struct MqttClientConf {
    Str host;                         /* name or address */
    uint16_t port;                    /* 1883, with TLS 8883 */
    bool tls;                         /* its certificate has to be for `host` */
    Str ca_file, cert_file, key_file; /* PEM, read with each try; empty: see tls.h */
    Str client_id, user, password;
    uint8_t version;   /* 5; 4 = 3.1.1 only */
    bool no_fallback;  /* version 5 or nothing */
    bool keep_session; /* no clean start */
    uint32_t session_expiry_s;
    uint16_t keep_alive_s; /* 30 */
    uint16_t receive_max;  /* 256: messages received and not acked; 3.1.1: reading stops there */
    uint32_t inflight_max; /* 64 own unacknowledged QoS 1/2 messages; more wait */
    uint32_t queue_max;    /* 10,000 own messages waiting */
    uint32_t packet_bytes_max;               /* 1 MiB */
    uint32_t connect_timeout_ms;             /* 5 s */
    uint32_t backoff_min_ms, backoff_max_ms; /* 500 ms doubling to 30 s, half of it random */
    Str will_topic, will_payload; /* said by the server when the connection ends without a word */
    uint8_t will_qos;
    bool will_retain;
    bool will_on_close; /* by 5.0 said by the server after mqtt_client_close as well */
    MqttClientMsgFn *on_message;
    MqttClientStateFn *on_state;
    void *ctx; /* of both */
} MqttClientConf;

/* Starts connecting at once; the first callback comes on a later turn. */
MUST Status mqtt_client_open(Loop *loop, const MqttClientConf *conf, MqttClient **ret_client,
                             Diag *diag);
/* Says DISCONNECT, closes, frees (on a later turn when called from a callback). No callback after
 * it, except that sent functions still waiting are called with ST_CANCELLED inside this call.
 * Accepts NULL. */
void mqtt_client_close(MqttClient *client);

/* Remembered and renewed after every reconnect. At most 256 filters. */
MUST Status mqtt_client_subscribe(MqttClient *client, Str filter, uint8_t qos, Diag *diag);
void mqtt_client_unsubscribe(MqttClient *client, Str filter);
/* ST_LIMIT when the queue is full. QoS 0 while not connected is ST_UNAVAILABLE. fn may be NULL. */
MUST Status mqtt_client_publish(MqttClient *client, Str topic, Str payload, uint8_t qos,
                                bool retain, MqttClientSentFn *fn, void *ctx);
/* Tokens of an earlier connection are ignored: the server sends those messages again. */
void mqtt_client_ack(MqttClient *client, uint64_t token);
bool mqtt_client_connected(const MqttClient *client);
uint8_t mqtt_client_version(const MqttClient *client); /* in force: 4 or 5 */

#endif
