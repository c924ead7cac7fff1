/* runtime/connect/mqtt.c: an external MQTT broker as a source and sink.
 *
 * A thin coat over mqtt/client.h: the receive maximum of the connection is the subscription's
 * window, so an unacknowledged window stops the broker, not us. */
#include "connect/connect.h"

#include "base/mem.h"
#include "mqtt/client.h"
#include "mqtt/codec.h"
#include "mqtt/headers.h"

#include <stdio.h>
#include <sys/random.h>

enum { HEADERS_BYTES = 1 << 20 }; /* while they are made; no packet of the client is larger */

struct ConnectLink {
    MqttClient *client;
    ConnectEvents events;
    Buf headers; /* of the message at hand */
};

static void on_message(void *ctx, const MqttClientMsg *msg)
{
    ConnectLink *link = ctx;
    buf_clear(&link->headers);
    mqtt_put_headers(msg->props, &link->headers);
    ConnectRecord record = {.key = msg->topic,
                            .payload = msg->payload,
                            .headers = buf_view(&link->headers),
                            .received_ns = msg->received_ns,
                            .token = msg->token};
    link->events.record(link->events.ctx, &record);
}

static void on_state(void *ctx, MqttClientState state, Str reason, uint32_t retry_ms)
{
    ConnectLink *link = ctx;
    ConnectState as = state == MQTT_CLIENT_CONNECTING ? CONNECT_CONNECTING
                      : state == MQTT_CLIENT_WAITING  ? CONNECT_FAILED
                      : reason.len                    ? CONNECT_DEGRADED
                                                      : CONNECT_CONNECTED;
    link->events.state(link->events.ctx, as, reason, retry_ms);
}

static Status client_conf(const ConnectConf *conf, char *id, size_t id_bytes, MqttClientConf *ret,
                          Diag *diag)
{
    const Json *o = conf->options;
    *ret = (MqttClientConf){.on_message = on_message, .on_state = on_state};
    Status st = connect_url(conf->url, "mqtt", 1883, &ret->host, &ret->port, diag);
    if (st) return st;
    ret->client_id = json_str(o, "client_id", STR_NONE);
    ret->keep_session = !json_bool(o, "clean", true);
    if (ret->client_id.len) {
        int len =
            snprintf(id, id_bytes, "%.*s-%.*s", STR_ARG(ret->client_id), STR_ARG(conf->purpose));
        if (len < 0 || (size_t)len >= id_bytes)
            return diag_set(diag, ST_INVALID, "client_id is too long");
        ret->client_id = str_slice(id, (size_t)len);
    } else {
        if (ret->keep_session)
            return diag_set(diag, ST_INVALID, "\"clean\": false needs a \"client_id\"");
        uint64_t random = 0;
        if (getrandom(&random, sizeof random, 0) != sizeof random)
            return diag_set(diag, ST_IO, "no random bytes");
        int len = snprintf(id, id_bytes, "tutti-%016llx", (unsigned long long)random);
        ret->client_id = str_slice(id, (size_t)len);
    }
    ret->user = json_str(o, "user", STR_NONE);
    ret->password = conf->password;
    int64_t version = json_int(o, "version", 5), keep = json_int(o, "keep_alive_s", 30);
    int64_t expiry = json_int(o, "session_expiry_s", ret->keep_session ? 86400 : 0);
    if ((version != 4 && version != 5) || keep < 1 || keep > 65535 || expiry < 0 ||
        expiry > UINT32_MAX)
        return diag_set(diag, ST_INVALID, "version is 4 or 5, keep_alive_s 1 to 65535");
    ret->version = (uint8_t)version;
    ret->keep_alive_s = (uint16_t)keep;
    ret->session_expiry_s = (uint32_t)expiry;
    ret->receive_max = (uint16_t)(conf->window < 65535 ? conf->window : 65535);
    return ST_OK;
}

static Status mqtt_open(Loop *loop, Log *log, const ConnectConf *conf, const ConnectEvents *events,
                        ConnectLink **ret_link, Diag *diag)
{
    (void)log;
    char id[256];
    MqttClientConf client;
    Status st = client_conf(conf, id, sizeof id, &client, diag);
    if (st) return st;
    int64_t qos = json_int(conf->sub_options, "qos", 1);
    if (conf->subscribes && (qos < 0 || qos > 2))
        return diag_set(diag, ST_INVALID, "qos is 0, 1 or 2");
    ConnectLink *link = mem_zalloc(1, sizeof *link);
    if (!link) return diag_set(diag, ST_NO_MEMORY, "out of memory");
    link->events = *events;
    buf_init(&link->headers, HEADERS_BYTES);
    client.ctx = link;
    st = mqtt_client_open(loop, &client, &link->client, diag);
    if (!st && conf->subscribes) {
        st = mqtt_client_subscribe(link->client, conf->address, (uint8_t)qos, diag);
        if (st) mqtt_client_close(link->client);
    }
    if (st) {
        mem_free(link);
        return st;
    }
    *ret_link = link;
    return ST_OK;
}

static void mqtt_ack(ConnectLink *link, uint64_t token)
{
    mqtt_client_ack(link->client, token);
}

static Status mqtt_write(ConnectLink *link, Str address, Str payload, uint8_t qos, bool retain,
                         ConnectDoneFn *done, void *ctx)
{
    /* The first write opens the link; QoS 0 has nowhere to wait for it, QoS 1 has. */
    if (!qos && !mqtt_client_connected(link->client)) qos = 1;
    return mqtt_client_publish(link->client, address, payload, qos, retain, done, ctx);
}

static void mqtt_close(ConnectLink *link)
{
    mqtt_client_close(link->client);
    buf_done(&link->headers);
    mem_free(link);
}

static const ConnectField options[] = {
    {"client_id", "", "prefix of the client ids used, see README; empty makes one up"},
    {"user", "", "user name"},
    {"password", "", "password; stored sealed"},
    {"version", "5", "protocol version 5 or 4 (3.1.1); 5 falls back to 4 when refused"},
    {"clean", "true", "false keeps the session at the broker while we are away"},
    {"keep_alive_s", "30", "seconds between signs of life"},
    {"session_expiry_s", "0", "how long the broker keeps the session, seconds"},
    {0}};
static const ConnectField sub_options[] = {{"qos", "1", "highest quality of service: 0, 1, 2"},
                                           {0}};

const ConnectDriver connect_mqtt = {.kind = "mqtt",
                                    .doc = "MQTT 5.0 and 3.1.1 broker",
                                    .options = options,
                                    .sub_options = sub_options,
                                    .open = mqtt_open,
                                    .ack = mqtt_ack,
                                    .write = mqtt_write,
                                    .close = mqtt_close};
