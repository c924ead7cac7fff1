/* runtime/modules/sparkplug/sparkplug_edge.c: this process as an edge node of another broker.
 *
 * A connection has one bdSeq, which is in its will: it is on the disk before the connection is
 * begun, so that no two have the same one, whatever dies between
 * ([tck-id-payloads-nbirth-bdseq-repeat], [tck-id-topics-nbirth-bdseq-increment]). So each try is a
 * client of its own and the waiting between them is done here. Of several brokers the next one is
 * tried when one does not answer, is lost, or has no primary host that is online. */
#include "modules/sparkplug/sparkplug_edge.h"

#include "base/mem.h"
#include "connect/connect.h"

#include <stdio.h>

enum {
    WAIT_MIN_MS = 500,
    WAIT_MAX_MS = 30000,
    KEEP_ALIVE_S = 15,
    STATE_WAIT_S = 10, /* for a retained STATE, before another broker is tried */
};

static int64_t wall_ms(void)
{
    return clock_wall_ns() / NS_PER_MS;
}

static void reserve(SparkplugEdge *edge);

static void on_retry(void *ctx)
{
    reserve(ctx);
}

static const SparkplugServer *server_of(const SparkplugEdge *edge)
{
    return &edge->servers[edge->at];
}

/* This connection is over; the next one comes after a while, which grows with each round. */
static void hang_up(SparkplugEdge *edge, Str reason)
{
    MqttClient *client = edge->client;
    edge->client = NULL;
    (void)snprintf(edge->reason, sizeof edge->reason, "%.*s", STR_ARG(reason));
    sp_edge_lost(edge->edge);
    mqtt_client_close(client);
    if (edge->self->draining || edge->retry) return;
    loop_once(edge->self->env->loop, edge->wait_ms, on_retry, edge, &edge->retry);
    edge->at = (edge->at + 1) % edge->server_count;
    if (!edge->at)
        edge->wait_ms = edge->wait_ms * 2 > WAIT_MAX_MS ? WAIT_MAX_MS : edge->wait_ms * 2;
}

static void on_state(void *ctx, MqttClientState state, Str reason, uint32_t retry_ms)
{
    SparkplugEdge *edge = ctx;
    Log *log = edge->self->env->log;
    (void)retry_ms;
    if (state == MQTT_CLIENT_CONNECTED && reason.len) { /* something about a subscription */
        log_error(log, "sparkplug", "the edge node hears no commands", "reason=\"%.*s\"",
                  STR_ARG(reason));
    } else if (state == MQTT_CLIENT_CONNECTED) {
        log_info(log, "sparkplug", "the edge node is connected", "host=%.*s bdseq=%u",
                 STR_ARG(server_of(edge)->host), edge->bdseq);
        edge->wait_ms = WAIT_MIN_MS;
        edge->connected_ns = clock_monotonic_ns();
        edge->reason[0] = 0;
        sp_edge_connected(edge->edge, edge->bdseq, wall_ms());
    } else if (state == MQTT_CLIENT_WAITING) {
        log_warn(log, "sparkplug", "the edge node is not connected",
                 "host=%.*s retry_ms=%u reason=\"%.*s\"", STR_ARG(server_of(edge)->host),
                 edge->wait_ms, STR_ARG(reason));
        hang_up(edge, reason);
    }
}

static void on_message(void *ctx, const MqttClientMsg *msg)
{
    SparkplugEdge *edge = ctx;
    MqttClient *client = edge->client;
    sp_edge_message(edge->edge, msg->topic, msg->payload, wall_ms());
    if (edge->leaving) {
        edge->leaving = false;
        log_warn(edge->self->env->log, "sparkplug", "the primary host is offline", "host=%.*s",
                 STR_ARG(edge->self->conf->edge_primary));
        hang_up(edge, STR("the primary host is offline"));
    } else {
        mqtt_client_ack(client, msg->token);
    }
}

static void dial(SparkplugEdge *edge)
{
    const SparkplugConf *conf = edge->self->conf;
    AUTO_BUF Buf topic = {0}, payload = {0}, filter = {0};
    Diag diag = {0};
    char id[SP_ID_BYTES_MAX * 2 + 16];
    buf_init(&topic, 4 * SP_ID_BYTES_MAX);
    buf_init(&payload, 256);
    buf_init(&filter, 4 * SP_ID_BYTES_MAX);
    sp_edge_will(edge->edge, edge->bdseq, wall_ms(), &topic, &payload);
    int len = snprintf(id, sizeof id, "tutti-%.*s-%.*s", STR_ARG(conf->edge_group),
                       STR_ARG(conf->edge_node));
    const SparkplugServer *server = server_of(edge);
    /* will_on_close: [tck-id-payloads-ndeath-will-message-publisher-disconnect-mqtt50] */
    MqttClientConf client = {.host = server->host,
                             .port = server->port,
                             .tls = server->tls,
                             .ca_file = conf->edge_ca,
                             .cert_file = conf->edge_cert,
                             .key_file = conf->edge_key,
                             .client_id = str_slice(id, (size_t)len),
                             .user = conf->edge_user,
                             .password = conf->edge_password,
                             .keep_alive_s = KEEP_ALIVE_S,
                             .will_topic = buf_view(&topic),
                             .will_payload = buf_view(&payload),
                             .will_qos = 1, /* [tck-id-payloads-ndeath-will-message-qos] */
                             .will_on_close = true,
                             .on_message = on_message,
                             .on_state = on_state,
                             .ctx = edge};
    Status st = mqtt_client_open(edge->self->env->loop, &client, &edge->client, &diag);
    for (uint32_t i = 0; !st && sp_edge_filter(edge->edge, i, &filter); i++) {
        st = mqtt_client_subscribe(edge->client, buf_view(&filter), 1, &diag);
        buf_clear(&filter);
    }
    if (st) hang_up(edge, str_from(diag.text));
}

/* ---- bdSeq ---- */

static Status reserve_job(StoreConn *conn, void *ctx, Diag *diag)
{
    SparkplugEdge *edge = ctx;
    const SparkplugConf *conf = edge->self->conf;
    StoreStmt *stmt;
    bool row;
    Status st = store_prepare(conn,
                              "INSERT INTO sparkplug_edge(grp, node, bdseq) VALUES(?1, ?2, 0)"
                              " ON CONFLICT DO UPDATE SET bdseq = (bdseq + 1) % 256"
                              " RETURNING bdseq",
                              &stmt, diag);
    if (st) return st;
    store_bind_str(stmt, 1, conf->edge_group);
    store_bind_str(stmt, 2, conf->edge_node);
    st = store_step(stmt, &row, diag);
    if (!st && row) edge->bdseq = (uint8_t)store_int(stmt, 0);
    while (!st && row) st = store_step(stmt, &row, diag);
    return st;
}

static void on_reserved(void *ctx, Status status, const Diag *diag)
{
    SparkplugEdge *edge = ctx;
    edge->reserving = false;
    if (edge->self->draining) return;
    if (status)
        hang_up(edge, diag ? str_from(diag->text) : STR("the store does not answer"));
    else
        dial(edge);
}

static void reserve(SparkplugEdge *edge)
{
    if (edge->reserving) return;
    edge->reserving = !store_write(edge->self->env->store, reserve_job, on_reserved, edge);
    if (!edge->reserving) hang_up(edge, STR("too many writes wait"));
}

/* ---- what the edge node wants ---- */

static bool say(void *ctx, Str topic, Str payload, uint8_t qos)
{
    SparkplugEdge *edge = ctx;
    Status st = edge->client
                    ? mqtt_client_publish(edge->client, topic, payload, qos, false, NULL, NULL)
                    : ST_UNAVAILABLE;
    if (st == ST_LIMIT)
        log_error(edge->self->env->log, "sparkplug", "a message is too large for the broker",
                  "topic=%.*s bytes=%zu", STR_ARG(topic), payload.len);
    return !st;
}

static void leave(void *ctx)
{
    ((SparkplugEdge *)ctx)->leaving = true; /* the client is in a call */
}

static void command(void *ctx, uint32_t metric, const SpMetric *value)
{
    SparkplugEdge *edge = ctx;
    Sparkplug *self = edge->self;
    AUTO_BUF Buf text = {0};
    JsonOut out;
    Diag diag = {0};
    if (!self->conf->edge_writes || !edge->paths[metric] || !self->env->broker) {
        log_warn(self->env->log, "sparkplug", "a command was not followed", "path=%s reason=\"%s\"",
                 edge->paths[metric] ? edge->paths[metric] : "",
                 self->conf->edge_writes ? "there is no broker"
                                         : "TUTTI_SPARKPLUG_EDGE_WRITES is off");
        return;
    }
    buf_init(&text, 64 * 1024);
    json_out_init(&out, &text);
    if (value->null)
        json_put_null(&out);
    else
        sp_put_json(&out, value->type, &value->value);
    if (!value->null && str_is(buf_view(&text), "null")) {
        log_warn(self->env->log, "sparkplug", "a command was not followed",
                 "path=%s reason=\"its value is no %s\"", edge->paths[metric],
                 sp_type_name(value->type));
        return;
    }
    MqttPub pub = {.topic = str_from(edge->paths[metric]), .payload = buf_view(&text), .qos = 1};
    Status st = buf_status(&text);
    if (!st) st = mqtt_broker_publish(self->env->broker, &pub, &diag);
    if (st)
        log_warn(self->env->log, "sparkplug", "a command was not followed", "path=%s reason=\"%s\"",
                 edge->paths[metric], diag.text[0] ? diag.text : "its value is too large");
}

static const SpEdgeFns fns = {say, leave, command};

static void on_tick(void *ctx)
{
    SparkplugEdge *edge = ctx;
    SpEdgeStats stats;
    sparkplug__watch(edge);
    sp_edge_flush(edge->edge, wall_ms());
    if (edge->server_count < 2 || !edge->client) return;
    sp_edge_stats(edge->edge, &stats);
    if (stats.state == SP_EDGE_WAITING &&
        clock_monotonic_ns() - edge->connected_ns > STATE_WAIT_S * NS_PER_S)
        hang_up(edge, STR("the primary host was never at this broker"));
}

/* ---- life ---- */

static MUST Status server_read(SparkplugServer *server, Str address, Diag *diag)
{
    bool tls = str_starts(address, STR("mqtts:"));
    *server = (SparkplugServer){.address = address, .tls = tls};
    Status st = connect_url(address, tls ? "mqtts" : "mqtt", tls ? 8883 : 1883, &server->host,
                            &server->port, diag);
    return st ? diag_wrap(diag, st, "TUTTI_SPARKPLUG_EDGE") : ST_OK;
}

/* "mqtt://a:1883; mqtts://b" */
static MUST Status servers_read(SparkplugEdge *edge, Diag *diag)
{
    const SparkplugConf *conf = edge->self->conf;
    bool tls = false;
    for (Str rest = conf->edge, one; sparkplug__part_next(&rest, &one);) {
        if (edge->server_count == SPARKPLUG_SERVERS_MAX)
            return diag_set(diag, ST_LIMIT, "TUTTI_SPARKPLUG_EDGE: at most %d brokers",
                            SPARKPLUG_SERVERS_MAX);
        Status st = server_read(&edge->servers[edge->server_count], one, diag);
        if (st) return st;
        tls |= edge->servers[edge->server_count++].tls;
    }
    if (!edge->server_count)
        return diag_set(diag, ST_INVALID, "TUTTI_SPARKPLUG_EDGE names no broker");
    if (!tls && (conf->edge_ca.len || conf->edge_cert.len || conf->edge_key.len))
        return diag_set(diag, ST_INVALID,
                        "TUTTI_SPARKPLUG_EDGE: certificates are for TLS: write mqtts://");
    return ST_OK;
}

Status sparkplug__edge_start(Sparkplug *self, Diag *diag)
{
    const SparkplugConf *conf = self->conf;
    if (!sp_id_valid(conf->edge_group) || !sp_id_valid(conf->edge_node))
        return diag_set(diag, ST_INVALID,
                        "TUTTI_SPARKPLUG_EDGE_GROUP and _NODE name the edge node, without + / #");
    if (conf->edge_primary.len && !sp_id_valid(conf->edge_primary))
        return diag_set(diag, ST_INVALID, "TUTTI_SPARKPLUG_EDGE_PRIMARY is no id of a host");
    SparkplugEdge *edge = mem_zalloc(1, sizeof *edge);
    if (!edge) return diag_set(diag, ST_NO_MEMORY, "no memory for an edge node");
    self->edge = edge;
    edge->self = self;
    edge->wait_ms = WAIT_MIN_MS;
    memset(edge->of_row, 0xff, sizeof edge->of_row);
    Status st = servers_read(edge, diag);
    if (st) return st;
    st = sparkplug__maps_read(edge, conf->edge_paths, diag);
    if (st) return st;
    edge->arena = arena_new(64 * 1024, 64 << 20);
    edge->edge = sp_edge_new(conf->edge_group, conf->edge_node, conf->edge_primary,
                             (size_t)conf->edge_buffer, &fns, edge);
    if (!edge->arena || !edge->edge)
        return diag_set(diag, ST_NO_MEMORY, "no memory for an edge node");
    sp_edge_walks(edge->edge, edge->server_count > 1);
    st = loop_timer_start(self->env->loop, 1, SPARKPLUG_TICK_MS, on_tick, edge, &edge->timer);
    if (!st) reserve(edge);
    return st;
}

void sparkplug__edge_stop(Sparkplug *self)
{
    SparkplugEdge *edge = self->edge;
    if (!edge || !edge->edge) return;
    loop_timer_stop(edge->timer);
    loop_timer_stop(edge->retry);
    edge->timer = edge->retry = NULL;
    sparkplug__watch_end(edge);
    sp_edge_stop(edge->edge, wall_ms());
    mqtt_client_close(edge->client);
    edge->client = NULL;
}

void sparkplug__edge_free(Sparkplug *self)
{
    SparkplugEdge *edge = self->edge;
    if (!edge) return;
    self->edge = NULL;
    for (uint32_t i = 0; i < SP_EDGE_METRICS_MAX; i++) mem_free(edge->paths[i]);
    sp_edge_free(edge->edge);
    arena_free(edge->arena);
    mem_free(edge);
}

void sparkplug__edge_put(const Sparkplug *self, JsonOut *out)
{
    static const char *const states[] = {"away", "waiting", "born"};
    const SparkplugEdge *edge = self->edge;
    SpEdgeStats stats = {0};
    json_begin_object(out);
    json_field_bool(out, "on", edge != NULL);
    if (edge) {
        sp_edge_stats(edge->edge, &stats);
        json_field_str(out, "address", server_of(edge)->address);
        json_field_str(out, "group", self->conf->edge_group);
        json_field_str(out, "node", self->conf->edge_node);
        json_field_str(out, "primary", self->conf->edge_primary);
        json_field_text(out, "state", states[stats.state]);
        json_field_bool(out, "host_online", stats.host_online);
        json_field_text(out, "reason", edge->reason);
        json_field_int(out, "bdseq", stats.bdseq);
        json_field_int(out, "seq", stats.seq);
        json_field_int(out, "metrics", stats.metrics);
        json_field_int(out, "devices", stats.devices);
        json_field_int(out, "devices_dead", stats.devices_dead);
        json_field_int(out, "births", (int64_t)stats.births);
        json_field_int(out, "messages", (int64_t)stats.messages);
        json_field_int(out, "values", (int64_t)stats.values);
        json_field_int(out, "unsaid", stats.unsaid);
        json_field_int(out, "kept_bytes", (int64_t)stats.kept_bytes);
        json_field_int(out, "kept_lost", (int64_t)stats.kept_lost);
        json_field_int(out, "commands", (int64_t)stats.commands);
        json_field_int(out, "commands_refused", (int64_t)stats.strange);
        json_field_int(out, "over_limit", (int64_t)edge->over_limit);
    }
    json_end(out);
}
