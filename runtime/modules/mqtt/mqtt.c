/* runtime/modules/mqtt/mqtt.c: the broker's settings, its clients, and the module's tables. */
#include "modules/mqtt/mqtt_int.h"

#include "base/clock.h"
#include "base/mem.h"

#include <sodium.h>

enum { CLIENTS_MAX = 1000, ANSWER_BYTES_MAX = BUS_BODY_BYTES_MAX };

/* ---- clients ---- */

typedef struct List {
    JsonOut out;
    int64_t left;
    uint32_t total;
} List;

static void put_client(void *ctx, const MqttClientInfo *info)
{
    List *list = ctx;
    JsonOut *out = &list->out;
    list->total++;
    if (list->left-- <= 0) return;
    json_begin_object(out);
    json_field_str(out, "client", info->client_id);
    json_field_str(out, "user", info->user);
    json_field_str(out, "address", info->address);
    json_field_bool(out, "connected", info->connected);
    json_field_text(out, "version", info->version == 5 ? "5.0" : "3.1.1");
    json_field_int(out, "subscriptions", info->subscriptions);
    json_field_int(out, "queued", info->queued);
    json_field_int(out, "inflight", info->inflight);
    json_field_int(out, "received", (int64_t)info->received);
    json_field_int(out, "sent", (int64_t)info->sent);
    json_field_int(out, "dropped", (int64_t)info->dropped);
    json_field_int(out, "since", info->since_ns / NS_PER_MS);
    json_end(out);
}

static void op_clients(void *ctx, Req *req)
{
    const Door *door = ctx;
    List list = {.left = json_int(req->in, "limit", CLIENTS_MAX)};
    Buf buf;
    buf_init(&buf, ANSWER_BYTES_MAX);
    json_out_init(&list.out, &buf);
    json_begin_object(&list.out);
    json_key(&list.out, "clients");
    json_begin_array(&list.out);
    if (door->env->broker) mqtt_broker_clients(door->env->broker, put_client, &list);
    json_end(&list.out);
    json_field_int(&list.out, "total", list.total);
    json_end(&list.out);
    if (buf_status(&buf))
        req_fail(req, buf_status(&buf), "too many clients for one answer: ask with a limit");
    else
        req_answer(req, buf_view(&buf));
    buf_done(&buf);
}

static bool is_client(void *ctx, const MqttClientInfo *info)
{
    const Str *id = ctx;
    return str_eq(info->client_id, *id);
}

static void op_client_end(void *ctx, Req *req)
{
    const Door *door = ctx;
    Str id = json_str(req->in, "client", STR_NONE);
    bool forget = json_bool(req->in, "forget", false);
    if (!door->env->broker || !mqtt_broker_end(door->env->broker, forget, is_client, &id))
        req_fail(req, ST_NOT_FOUND, "there is no client %.*s", STR_ARG(id));
    else
        req_answer(req, STR("{}"));
}

/* Asked once pipelines run: whoever publishes finds them there. */
static void op_listen(void *ctx, Req *req)
{
    Door *door = ctx;
    Diag diag = {0};
    Status st = door->env->broker ? door__listen_tls(door, &diag) : ST_OK;
    if (st)
        req_fail(req, st, "%s", diag.text);
    else
        req_answer(req, STR("{}"));
}

/* ---- requests that wait ---- */

void *door__asking_new(Door *door, size_t bytes)
{
    Asking *asking = mem_zalloc(1, bytes);
    if (!asking) return NULL;
    asking->door = door;
    asking->next = door->asking;
    if (asking->next) asking->next->prev = asking;
    door->asking = asking;
    return asking;
}

Door *door__asking_end(Asking *asking)
{
    Door *door = asking->door;
    if (!door) return NULL;
    if (asking->prev)
        asking->prev->next = asking->next;
    else
        door->asking = asking->next;
    if (asking->next) asking->next->prev = asking->prev;
    return door;
}

/* ---- life ---- */

static void on_rules_changed(void *ctx, const BusMsg *msg)
{
    (void)msg;
    door__ask_rules(ctx);
}

/* As in the browser: a changed user signs in again. */
static void on_users_changed(void *ctx, const BusMsg *msg)
{
    Door *door = ctx;
    Arena *arena = arena_new(0, 0);
    const Json *json = NULL;
    door__forget_proofs(door);
    if (arena && !json_read(arena, msg->body, &json, NULL))
        door__end_of(door, json_str(json, "id", STR_NONE));
    arena_free(arena);
    door__ask_people(door);
}

static Status door_open(void *ctx, const ModEnv *env, Diag *diag)
{
    Door *door = ctx;
    const DoorConf *conf = env->conf;
    door->env = env;
    door->conf = conf;
    map_init(&door->people, DOOR_PEOPLE_MAX);
    if (!str_is(conf->anonymous, "loopback") && !str_is(conf->anonymous, "any") &&
        !str_is(conf->anonymous, "off"))
        return diag_set(diag, ST_INVALID,
                        "TUTTI_MQTT_ANONYMOUS is \"%.*s\": write loopback, any or off",
                        STR_ARG(conf->anonymous));
    if (sodium_init() < 0) return diag_set(diag, ST_INTERNAL, "libsodium does not start");
    randombytes_buf(door->secret, sizeof door->secret);
    door__forget_proofs(door);
    if (!env->broker) return ST_OK;
    MqttBrokerConf broker = {.auth = door__knock,
                             .auth_ctx = door,
                             .may = door__may,
                             .may_ctx = door,
                             .keep_alive_max_s = (uint32_t)(conf->keep_alive_max_ms / 1000),
                             .session_expiry_max_s = (uint32_t)(conf->session_expiry_ms / 1000),
                             .stalled_ms = (uint32_t)conf->stalled_ms,
                             .sys_interval_ms = (uint32_t)conf->sys_interval_ms,
                             .packet_bytes_max = (uint32_t)conf->packet_bytes,
                             .connect_bytes_max = (uint32_t)conf->connect_bytes,
                             .receive_max = (uint32_t)conf->receive_max,
                             .topic_alias_max = (uint32_t)conf->topic_alias_max,
                             .filters_per_session_max = (uint32_t)conf->filters_per_session,
                             .session_queue_max = (uint32_t)conf->session_queue,
                             .session_queue_bytes = (uint64_t)conf->session_queue_bytes,
                             .queue_bytes_total = (uint64_t)conf->queue_bytes,
                             .durable_queue_max = (uint32_t)conf->durable_queue,
                             .durable_queue_bytes = (uint64_t)conf->durable_queue_bytes,
                             .durable_bytes_total = (uint64_t)conf->durable_bytes,
                             .sessions_max = (uint32_t)conf->sessions,
                             .connections_max = (uint32_t)conf->connections,
                             .retained_max = (uint32_t)conf->retained,
                             .retained_bytes = (uint64_t)conf->retained_bytes};
    mqtt_broker_configure(env->broker, &broker);
    return ST_OK;
}

static Status door_start(void *ctx, Diag *diag)
{
    Door *door = ctx;
    (void)diag;
    if (!door->env->broker) return ST_OK;
    door__ask_rules(door);
    door__ask_people(door);
    return ST_OK;
}

static void door_close(void *ctx)
{
    Door *door = ctx;
    tls_watch_stop(&door->tls_watch);
    for (Asking *asking = door->asking; asking; asking = asking->next) asking->door = NULL;
    if (door->env->broker) mqtt_broker_unhook(door->env->broker);
    door__forget_proofs(door);
    map_done(&door->proven);
    door__rights_done(door);
    sodium_memzero(door->secret, sizeof door->secret);
}

/* ---- tables ---- */

static const Field clients_in[] = {{"limit", FIELD_INT, 0, 1, CLIENTS_MAX, "at most so many; 1000"},
                                   {0}};
static const Field clients_out[] = {
    {"clients", FIELD_ARRAY, 0, 0, 0,
     "each: client, user (empty: anonymous), address, connected, version, subscriptions, queued, "
     "inflight, received, sent, dropped, since (ms since 1970)"},
    {"total", FIELD_INT, 0, 0, 0, "all sessions there are"},
    {0}};
static const Field end_in[] = {
    {"client", FIELD_STR, FIELD_REQUIRED, 1, 65535, "its client id"},
    {"forget", FIELD_BOOL, 0, 0, 0, "also its session: subscriptions and waiting messages"},
    {0}};

static const ModOp ops[] = {
    {"mqtt.clients", op_clients, clients_in, clients_out, 5000, ROLE_ENGINEER, OP_READ,
     "sessions of the broker, connected or not"},
    {"mqtt.client_end", op_client_end, end_in, NULL, 5000, ROLE_ADMIN, 0,
     "ends a client's connection"},
    {"mqtt.listen", op_listen, NULL, NULL, 5000, ROLE_SYSTEM, 0, "opens the TLS listener"},
    {0}};

static const ModSub subs[] = {
    {"authz.changed", on_rules_changed, 16, BUS_LATEST_WINS, "new rules hold at once"},
    {"auth.users_changed", on_users_changed, 16, BUS_LATEST_WINS,
     "changed roles hold at once; sessions of removed users end"},
    {0}};

static const ModRoute routes[] = {{"GET", "/api/v1/mqtt/clients", "mqtt.clients", NULL},
                                  {"POST", "/api/v1/mqtt/clients/end", "mqtt.client_end", NULL},
                                  {0}};

#define ROW(key, type, preset, min, max, field, doc)                                               \
    {                                                                                              \
        key, type, preset, min, max, offsetof(DoorConf, field), 0, doc                             \
    }
static const ModConf conf[] = {
    ROW("anonymous", CONF_STR, "loopback", 0, 16, anonymous,
        "clients without a user: loopback lets in those of this machine, any all, off none"),
    ROW("tls", CONF_STR, "", 0, 64, tls, "address:port to listen with TLS, as 0.0.0.0:8883"),
    ROW("tls_cert", CONF_STR, "", 0, 4096, tls_cert,
        "PEM file: the certificate, then those that signed it; looked at every minute"),
    ROW("tls_key", CONF_STR, "", 0, 4096, tls_key, "PEM file: its key"),
    ROW("tls_client_ca", CONF_STR, "", 0, 4096, tls_client_ca,
        "PEM file: who signs clients' certificates; a certificate's common name is a user's name"),
    ROW("tls_client_required", CONF_BOOL, "false", 0, 0, tls_client_required,
        "no TLS without a valid client certificate"),
    ROW("keep_alive_max", CONF_MS, "0", 0, 65535000, keep_alive_max_ms,
        "longest keep alive, announced to MQTT 5 clients; 0: as they ask"),
    ROW("session_expiry", CONF_MS, "7d", 1000, 31536000000, session_expiry_ms,
        "a session without its client lives at most so long"),
    ROW("stalled", CONF_MS, "60s", 1000, 3600000, stalled_ms,
        "a client that takes nothing for so long is disconnected"),
    ROW("sys_interval", CONF_MS, "10s", 250, 86400000, sys_interval_ms,
        "between two rounds of the $SYS topics"),
    ROW("packet_bytes", CONF_BYTES, "1MiB", 1024, 256 << 20, packet_bytes, "largest packet"),
    ROW("connect_bytes", CONF_BYTES, "128KiB", 1024, 1 << 20, connect_bytes,
        "largest first packet, with its will: of who did not say yet who it is"),
    ROW("receive_max", CONF_INT, "256", 1, 65535, receive_max,
        "unanswered QoS 1 and 2 publishes of one client"),
    ROW("topic_alias_max", CONF_INT, "10", 1, 1000, topic_alias_max,
        "topic aliases of one connection, each direction"),
    ROW("filters_per_session", CONF_INT, "1000", 1, 1000000, filters_per_session,
        "subscriptions of one session"),
    ROW("session_queue", CONF_INT, "10000", 1, 10000000, session_queue,
        "messages that wait for one client"),
    ROW("session_queue_bytes", CONF_BYTES, "8MiB", 1024, 1 << 30, session_queue_bytes,
        "their bytes"),
    ROW("queue_bytes", CONF_BYTES, "256MiB", 1 << 20, 64LL << 30, queue_bytes,
        "bytes of all messages in the broker"),
    ROW("durable_queue", CONF_INT, "1000000", 1, 1000000000, durable_queue,
        "messages on disk for one session that survives; more are refused"),
    ROW("durable_queue_bytes", CONF_BYTES, "1GiB", 1024, 1LL << 40, durable_queue_bytes,
        "their bytes"),
    ROW("durable_bytes", CONF_BYTES, "4GiB", 1 << 20, 1LL << 42, durable_bytes,
        "bytes on disk of all such sessions"),
    ROW("sessions", CONF_INT, "10000", 1, 1000000, sessions, "sessions, connected or not"),
    ROW("connections", CONF_INT, "5000", 1, 1000000, connections, "connections at a time"),
    ROW("retained", CONF_INT, "100000", 1, 100000000, retained, "retained messages"),
    ROW("retained_bytes", CONF_BYTES, "64MiB", 1024, 64LL << 30, retained_bytes, "their bytes"),
    {0}};

static const char *const needs[] = {"auth", "authz", NULL};

const ModuleDef mqtt_module = {
    .abi = MODULE_ABI,
    .name = "mqtt",
    .doc = "the broker's door: who may connect, publish and subscribe; its settings and clients",
    .needs = needs,
    .self_bytes = sizeof(Door),
    .conf_bytes = sizeof(DoorConf),
    .conf = conf,
    .ops = ops,
    .subs = subs,
    .routes = routes,
    .open = door_open,
    .start = door_start,
    .close = door_close,
};
