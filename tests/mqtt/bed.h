/* tests/mqtt/bed.h: a loop with a broker, and clients of our own on it.
 *
 * bed_until(&bed, COND) turns the loop until COND holds, at most BED_DEADLINE_MS. */
#ifndef TUTTI_TESTS_MQTT_BED_H
#define TUTTI_TESTS_MQTT_BED_H

#include "test.h"

#include "base/log.h"
#include "mqtt/broker.h"
#include "mqtt/client.h"

#include <stdio.h>

enum { BED_DEADLINE_MS = 60000 };

typedef struct Bed {
    Loop *loop;
    Log *log;
    MqttBroker *broker;
    LoopTimer *deadline;
    uint16_t port;
    bool late, closed;
} Bed;

typedef struct Peer { /* a client and what it saw */
    MqttClient *client;
    int states, connects, messages, sent;
    bool hold; /* do not ack */
    uint64_t token;
    uint8_t qos;
    bool retain;
    char topic[64], payload[64], reason[100], all[2000];
} Peer;

static void bed_on_deadline(void *ctx)
{
    ((Bed *)ctx)->late = true;
}

static void bed_on_closed(void *ctx)
{
    ((Bed *)ctx)->closed = true;
}

#define bed_until(bed, cond)                                                                       \
    do {                                                                                           \
        while (!(cond) && !(bed)->late) (void)uv_run(loop_uv((bed)->loop), UV_RUN_ONCE);           \
        CHECK(cond);                                                                               \
    } while (0)

static inline void bed_broker(Bed *bed, const MqttBrokerConf *conf, const char *address)
{
    Diag diag = {0};
    static const MqttBrokerConf none;
    CHECK_OK(mqtt_broker_open(bed->loop, conf ? conf : &none, bed->log, &bed->broker));
    CHECK_OK(mqtt_broker_listen_tcp(bed->broker, address, &bed->port, &diag));
}

static void bed_broker_close(Bed *bed)
{
    bed->closed = false;
    mqtt_broker_close(bed->broker, bed_on_closed, bed);
    bed->broker = NULL;
    bed_until(bed, bed->closed);
}

static inline void bed_begin(Bed *bed, const MqttBrokerConf *conf)
{
    *bed = (Bed){0};
    bed->log = log_new(LOG_ERROR, false);
    CHECK_OK(loop_new(&bed->loop));
    CHECK_OK(loop_timer_start(bed->loop, BED_DEADLINE_MS, 0, bed_on_deadline, bed, &bed->deadline));
    bed_broker(bed, conf, "127.0.0.1:0");
}

static void bed_end(Bed *bed)
{
    if (bed->broker) bed_broker_close(bed);
    loop_timer_stop(bed->deadline);
    for (int i = 0; i < 20; i++) (void)uv_run(loop_uv(bed->loop), UV_RUN_NOWAIT);
    loop_free(bed->loop);
    log_free(bed->log);
}

static void text_keep(char *to, size_t bytes, Str text)
{
    (void)snprintf(to, bytes, "%.*s", STR_ARG(text));
}

static void peer_on_message(void *ctx, const MqttClientMsg *msg)
{
    Peer *peer = ctx;
    peer->messages++;
    peer->qos = msg->qos;
    peer->retain = msg->retain;
    peer->token = msg->token;
    text_keep(peer->topic, sizeof peer->topic, msg->topic);
    text_keep(peer->payload, sizeof peer->payload, msg->payload);
    size_t len = strlen(peer->all);
    (void)snprintf(peer->all + len, sizeof peer->all - len, "%.*s ", STR_ARG(msg->payload));
    if (!peer->hold) mqtt_client_ack(peer->client, msg->token);
}

static void peer_on_state(void *ctx, MqttClientState state, Str reason, uint32_t retry_ms)
{
    Peer *peer = ctx;
    (void)retry_ms;
    peer->states++;
    peer->connects += state == MQTT_CLIENT_CONNECTED && !reason.len;
    if (state == MQTT_CLIENT_WAITING) text_keep(peer->reason, sizeof peer->reason, reason);
}

__attribute__((unused)) static void peer_on_sent(void *ctx, Status status, Str reason)
{
    Peer *peer = ctx;
    peer->sent += status == ST_OK;
    if (status) text_keep(peer->reason, sizeof peer->reason, reason);
}

static inline void peer_open(Bed *bed, Peer *peer, const char *id, uint8_t version)
{
    *peer = (Peer){0};
    Diag diag = {0};
    MqttClientConf conf = {.host = STR("127.0.0.1"),
                           .port = bed->port,
                           .client_id = str_from(id),
                           .version = version,
                           .backoff_min_ms = 20,
                           .backoff_max_ms = 100,
                           .keep_session = id[0] == '+', /* "+name" keeps its session */
                           .session_expiry_s = id[0] == '+' ? 60 : 0,
                           .on_message = peer_on_message,
                           .on_state = peer_on_state,
                           .ctx = peer};
    CHECK_OK(mqtt_client_open(bed->loop, &conf, &peer->client, &diag));
}

static inline void peer_subscribe(Peer *peer, const char *filter, uint8_t qos)
{
    CHECK_OK(mqtt_client_subscribe(peer->client, str_from(filter), qos, NULL));
}

static inline void peer_publish(Peer *peer, const char *topic, const char *text, uint8_t qos,
                                bool retain)
{
    CHECK_OK(mqtt_client_publish(peer->client, str_from(topic), str_from(text), qos, retain,
                                 peer_on_sent, peer));
}

#endif
