/* runtime/modules/bridges/bridges.c: bridges to other brokers: their state, and the module's
 * tables.
 *
 * What a bridge does is in runtime/mqtt/bridge.h; here it has a name, a row and an API. Bridges
 * begin on the loop's first turn: then the broker has read its sessions, and nobody has published
 * yet. */
#include "modules/bridges/bridges_int.h"

#include "base/clock.h"
#include "base/mem.h"

/* ---- answers ---- */

static void counters_write(JsonOut *out, const MqttBridgeInfo *info)
{
    json_field_int(out, "queued", (int64_t)info->queued);
    json_field_int(out, "queued_bytes", (int64_t)info->queued_bytes);
    json_field_int(out, "sent", (int64_t)info->sent);
    json_field_int(out, "sent_bytes", (int64_t)info->sent_bytes);
    json_field_int(out, "received", (int64_t)info->received);
    json_field_int(out, "received_bytes", (int64_t)info->received_bytes);
    json_field_int(out, "connects", (int64_t)info->connects);
    json_key(out, "dropped");
    json_begin_object(out);
    for (uint32_t i = 0; i < MQTT_DROP__COUNT; i++)
        json_field_int(out, mqtt_bridge_drop_word(i), (int64_t)info->dropped[i]);
    json_end(out);
}

static void item_write(JsonOut *out, const Item *item)
{
    MqttBridgeInfo info = {.round_trip_us = -1, .error = str_from(item->error)};
    if (item->bridge) mqtt_bridge_info(item->bridge, &info);
    json_begin_object(out);
    bridges__write(out, &item->conf);
    json_field_bool(out, "secret", item->sealed.len > 0);
    json_field_text(out, "state", item->bridge ? mqtt_bridge_state_word(info.state) : "failed");
    json_field_int(out, "since_ms", info.since_ns / NS_PER_MS);
    json_field_str(out, "error", info.error);
    json_field_int(out, "error_code", info.error_code);
    json_field_int(out, "error_ms", info.error_ns / NS_PER_MS);
    json_field_int(out, "next_try_ms", info.next_try_ns / NS_PER_MS);
    json_key(out, "round_trip_ms");
    if (info.round_trip_us < 0)
        json_put_null(out);
    else
        json_put_number(out, (double)info.round_trip_us / 1000);
    json_field_str(out, "remote_id", info.remote_id);
    counters_write(out, &info);
    json_end(out);
}

static void op_list(void *ctx, Req *req)
{
    const Bridges *self = ctx;
    Buf body;
    JsonOut out;
    buf_init(&body, BUS_BODY_BYTES_MAX);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_field_text(&out, "id", self->id);
    json_key(&out, "bridges");
    json_begin_array(&out);
    MapSlot *slot;
    for (size_t at = 0; (slot = map_next(&self->items, &at));) item_write(&out, slot->value);
    json_end(&out);
    json_end(&out);
    req_answer_buf(req, &body);
}

static void op_get(void *ctx, Req *req)
{
    const Bridges *self = ctx;
    const Item *item = bridges__find(self, req);
    if (!item) return;
    Buf body;
    JsonOut out;
    buf_init(&body, BUS_BODY_BYTES_MAX);
    json_out_init(&out, &body);
    item_write(&out, item);
    req_answer_buf(req, &body);
}

static void op_stats(void *ctx, Req *req)
{
    const Bridges *self = ctx;
    MqttBridgeInfo sum = {0};
    int64_t connected = 0, dropped = 0;
    MapSlot *slot;
    for (size_t at = 0; (slot = map_next(&self->items, &at));) {
        const Item *item = slot->value;
        MqttBridgeInfo info;
        if (!item->bridge) continue;
        mqtt_bridge_info(item->bridge, &info);
        connected += info.state == MQTT_BRIDGE_CONNECTED;
        sum.queued += info.queued;
        sum.queued_bytes += info.queued_bytes;
        sum.sent += info.sent;
        sum.received += info.received;
        for (uint32_t i = 0; i < MQTT_DROP__COUNT; i++) dropped += (int64_t)info.dropped[i];
    }
    Buf body;
    JsonOut out;
    buf_init(&body, 4096);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_field_int(&out, "bridges", (int64_t)self->items.len);
    json_field_int(&out, "connected", connected);
    json_field_int(&out, "queued", (int64_t)sum.queued);
    json_field_int(&out, "queued_bytes", (int64_t)sum.queued_bytes);
    json_field_int(&out, "sent", (int64_t)sum.sent);
    json_field_int(&out, "received", (int64_t)sum.received);
    json_field_int(&out, "dropped", dropped);
    json_end(&out);
    req_answer_buf(req, &body);
}

/* ---- life ---- */

static bool is_known(void *ctx, Str name)
{
    const Bridges *self = ctx;
    return map_get(&self->items, name) != NULL;
}

static void on_begin(void *ctx)
{
    Bridges *self = ctx;
    loop_timer_stop(self->begin);
    self->begin = NULL;
    self->begun = true;
    MapSlot *slot;
    for (size_t at = 0; (slot = map_next(&self->items, &at));) bridges__item_begin(slot->value);
    mqtt_bridge_tidy(self->env->broker, is_known, self);
}

static Status bridges_open(void *ctx, const ModEnv *env, Diag *diag)
{
    Bridges *self = ctx;
    (void)diag;
    self->env = env;
    map_init(&self->items, MQTT_BRIDGES_MAX);
    return ST_OK;
}

static Status bridges_start(void *ctx, Diag *diag)
{
    Bridges *self = ctx;
    Status st = store_run_now(self->env->store, bridges__load, self, diag);
    if (st || !self->env->broker) return st;
    mqtt_broker_name(self->env->broker, str_from(self->id));
    return loop_timer_start(self->env->loop, 0, 0, on_begin, self, &self->begin);
}

static void bridges_close(void *ctx)
{
    Bridges *self = ctx;
    loop_timer_stop(self->begin);
    bridges__tries_close(self);
    MapSlot *slot;
    for (size_t at = 0; (slot = map_next(&self->items, &at));) {
        Item *item = slot->value;
        mqtt_bridge_close(item->bridge, false);
        bridges__item_free(item);
    }
    map_done(&self->items);
    secret_key_wipe(&self->key);
}

/* ---- tables ---- */

#define NAME_FIELD                                                                                 \
    {                                                                                              \
        "name", FIELD_STR, FIELD_REQUIRED, 1, MQTT_BRIDGE_NAME_MAX, "name of the bridge"           \
    }
static const Field name_in[] = {NAME_FIELD, {0}};
static const Field enable_in[] = {
    NAME_FIELD,
    {"enabled", FIELD_BOOL, FIELD_REQUIRED, 0, 0, "false: it disconnects, and gathers"},
    {0}};
static const Field list_out[] = {
    {"id", FIELD_STR, 0, 0, 0, "of this broker, as other bridges see it"},
    {"bridges", FIELD_ARRAY, FIELD_REQUIRED, 0, 0, "each as bridges.get answers it"},
    {0}};
static const Field get_out[] = {
    NAME_FIELD,
    {"state", FIELD_STR, 0, 0, 0, "disabled, connecting, connected, waiting; failed: see error"},
    {"since_ms", FIELD_INT, 0, 0, 0, "when it connected or was lost, milliseconds since 1970"},
    {"error", FIELD_STR, 0, 0, 0, "the last one, in words; empty: none yet"},
    {"error_code", FIELD_INT, 0, 0, 0, "its reason code of MQTT 5.0; 0: none"},
    {"error_ms", FIELD_INT, 0, 0, 0, "when that was"},
    {"next_try_ms", FIELD_INT, 0, 0, 0, "when it connects again; 0: not planned"},
    {"round_trip_ms", FIELD_NUMBER, 0, 0, 0, "of the last ping; null: not known"},
    {"remote_id", FIELD_STR, 0, 0, 0, "which Tutti the other broker is; empty: none"},
    {"secret", FIELD_BOOL, 0, 0, 0, "a password is stored"},
    {"queued", FIELD_INT, 0, 0, 0, "messages that wait to go out, on the disk"},
    {"queued_bytes", FIELD_INT, 0, 0, 0, "what they count against buffer_bytes"},
    {"sent", FIELD_INT, 0, 0, 0, "messages the other broker has, since the start"},
    {"sent_bytes", FIELD_INT, 0, 0, 0, "payloads that went out"},
    {"received", FIELD_INT, 0, 0, 0, "messages taken from it, since the start"},
    {"received_bytes", FIELD_INT, 0, 0, 0, "payloads that came in"},
    {"connects", FIELD_INT, 0, 0, 0, "connections since the start"},
    {"dropped", FIELD_OBJECT, 0, 0, 0, "messages that did not come over, by reason"},
    {0}};
static const Field test_out[] = {
    {"connected", FIELD_BOOL, FIELD_REQUIRED, 0, 0, "the other broker takes us"},
    {"ms", FIELD_INT, 0, 0, 0, "how long it took"},
    {"error", FIELD_STR, 0, 0, 0, "why not, in words"},
    {"error_code", FIELD_INT, 0, 0, 0, "its reason code of MQTT 5.0; 0: none"},
    {0}};
static const Field stats_out[] = {{"bridges", FIELD_INT, 0, 0, 0, "how many"},
                                  {"connected", FIELD_INT, 0, 0, 0, "of them, now"},
                                  {"queued", FIELD_INT, 0, 0, 0, "messages that wait to go out"},
                                  {"queued_bytes", FIELD_INT, 0, 0, 0, "their size"},
                                  {"sent", FIELD_INT, 0, 0, 0, "messages, since the start"},
                                  {"received", FIELD_INT, 0, 0, 0, "messages, since the start"},
                                  {"dropped", FIELD_INT, 0, 0, 0, "messages, since the start"},
                                  {0}};

static const ModOp ops[] = {
    {"bridges.list", op_list, NULL, list_out, 5000, ROLE_VIEW, OP_READ,
     "all bridges: configuration, state, counters"},
    {"bridges.get", op_get, name_in, get_out, 5000, ROLE_VIEW, OP_READ,
     "one bridge; also every member of bridges.put but the password"},
    {"bridges.put", bridges__op_put, bridges__put_in, NULL, 10000, ROLE_ADMIN, OP_DURABLE,
     "stores a bridge, or replaces the one of that name; holds at once"},
    {"bridges.test", bridges__op_test, bridges__put_in, test_out, 12000, ROLE_ADMIN, 0,
     "connects once as the bridge would; stores nothing, disturbs none that runs"},
    {"bridges.enable", bridges__op_enable, enable_in, NULL, 10000, ROLE_ADMIN, OP_DURABLE,
     "connects a bridge, or disconnects it"},
    {"bridges.remove", bridges__op_remove, name_in, NULL, 10000, ROLE_ADMIN, OP_DURABLE,
     "forgets a bridge, and what waits to go out over it"},
    {"bridges.stats", op_stats, NULL, stats_out, 2000, ROLE_VIEW, OP_READ, "counters of all"},
    {0}};
static const ModRoute routes[] = {{"GET", "/api/v1/bridges", "bridges.list", NULL},
                                  {"POST", "/api/v1/bridges", "bridges.put", NULL},
                                  {"GET", "/api/v1/bridges/{name}", "bridges.get", NULL},
                                  {"PUT", "/api/v1/bridges/{name}", "bridges.put", NULL},
                                  {"DELETE", "/api/v1/bridges/{name}", "bridges.remove", NULL},
                                  {"POST", "/api/v1/bridges/{name}/test", "bridges.test", NULL},
                                  {"POST", "/api/v1/bridges/{name}/enable", "bridges.enable", NULL},
                                  {"POST", "/api/v1/bridges/{name}/remove", "bridges.remove", NULL},
                                  {"GET", "/api/v1/bridge-stats", "bridges.stats", NULL},
                                  {0}};
static const char *const needs[] = {"mqtt", NULL};

extern const ModuleDef bridges_module;
const ModuleDef bridges_module = {.abi = MODULE_ABI,
                                  .name = "bridges",
                                  .doc = "bridges to other MQTT brokers, with a buffer on disk",
                                  .needs = needs,
                                  .self_bytes = sizeof(Bridges),
                                  .migrations = bridges__migrations,
                                  .ops = ops,
                                  .routes = routes,
                                  .open = bridges_open,
                                  .start = bridges_start,
                                  .close = bridges_close};
