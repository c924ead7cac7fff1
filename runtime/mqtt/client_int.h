/* runtime/mqtt/client_int.h: what the two files of the client share.
 *
 * client.c keeps the connection: name, socket, CONNECT, keep alive, loss and the next try.
 * client_flow.c keeps the messages: both ways, their acknowledgements, subscriptions. */
#ifndef TUTTI_MQTT_CLIENT_INT_H
#define TUTTI_MQTT_CLIENT_INT_H

#include "base/buf.h"
#include "mqtt/client.h"
#include "mqtt/codec.h"
#include "mqtt/link.h"

enum { FILTERS_MAX = 256, READ_BYTES = 65536, OUT_BYTES_MAX = 8 << 20, IDS_WORDS = 1024 };

typedef struct Out { /* an own message, from publish to acknowledgement */
    struct Out *next;
    MqttClientSentFn *fn;
    void *ctx;
    uint16_t id;
    uint8_t qos;
    bool retain, sent, released; /* released: PUBREC came, PUBREL goes */
    uint32_t topic_bytes;
    size_t payload_bytes;
    char text[];
} Out;

typedef struct In { /* a received message that is not acked yet, in order of arrival */
    uint16_t id;
    uint8_t qos;
    bool acked;
} In;

typedef struct Socket {
    uv_tcp_t tcp;
    MqttClient *client; /* NULL once given up */
    char *read_buf;     /* owned */
    TlsConn *tls;       /* owned; NULL = plain */
} Socket;

typedef struct Flight {
    uv_write_t write;
    char bytes[];
} Flight;

typedef struct Filter {
    Str text; /* owned */
    uint8_t qos;
} Filter;

struct MqttClient {
    Loop *loop;
    MqttClientConf conf; /* slices owned through `texts` */
    char *texts;
    Socket *socket;
    bool resolving, connected, connecting, closed, stopped, fall_back;
    uv_getaddrinfo_t *resolve;
    LoopTimer *timer; /* deadline of the attempt, keep alive, or next try */
    uint32_t attempt;
    uint8_t version;
    Buf in, out;
    Filter filters[FILTERS_MAX];
    uint32_t filter_count;
    Out *first, *last;
    uint32_t waiting, in_flight, inflight_max;
    uint16_t next_id;
    In *received; /* ring, receive_max entries */
    uint32_t received_head, received_count;
    uint64_t epoch, seq_head; /* tokens: epoch << 32 | sequence */
    uint64_t *seen;           /* bitmap of QoS 2 identifiers that were handed over */
    uint64_t *used;           /* bitmap of own identifiers that wait for an answer */
    uint32_t packet_max;      /* what the server takes; 0 = no limit of its own */
    uint16_t keep_alive_s;    /* in force: ours, or what the server said */
    uint8_t qos_max;
    bool no_retain;
    char *aliases[16];
    size_t alias_bytes[16];
    int64_t heard_ns, wrote_ns;
    bool flush_posted, ping_out;
    uint32_t posts; /* flushes on their way: the client is freed when none is left */
};

/* client.c */
/* Ends this connection and plans the next. */
void mqtt_client__lost(MqttClient *k, const char *reason);
/* Output of one turn leaves together. */
void mqtt_client__flush_later(MqttClient *k);
void mqtt_client__state_say(MqttClient *k, MqttClientState state, Str reason, uint32_t retry_ms);
void mqtt_client__connack(MqttClient *k, const MqttPacket *p);
void mqtt_client__read_on(MqttClient *k); /* reading had stopped for want of acknowledgements */

/* client_flow.c */
void mqtt_client__packet(MqttClient *k, Str bytes, size_t head);
/* A connection was accepted; the server knows the session, or does not. */
void mqtt_client__begin(MqttClient *k, bool session_present);
void mqtt_client__aliases_drop(MqttClient *k);

#endif
