/* runtime/modules/uns/uns.c: the unified namespace: every publish becomes named last values.
 *
 * Observes the broker on the loop's thread: one payload, one or more values, each into the tree,
 * the watches and what waits for the disk. Nothing here blocks and nothing grows without a bound.
 * Settings stand at the end; the other tables of the module are uns_surface.c and uns_migrations.c.
 */
#include "modules/uns/uns.h"
#include "modules/uns/uns_notify.h"

#include "base/mem.h"
#include "mqtt/broker.h"

enum { CHANGED_EVERY_MS = 500 };

/* ---- news: uns.changed ---- */

static void put_added(const Uns *uns, bool with_value, JsonOut *out)
{
    for (uint32_t i = 0; i < uns->added_count; i++)
        if (uns_node_has_value(uns->added[i]) == with_value)
            json_put_str(out, uns_node_path(uns->added[i]));
}

static void tell_changed(void *ctx)
{
    Uns *uns = ctx;
    Buf body;
    JsonOut out;
    buf_init(&body, UNS_ANSWER_BYTES_MAX);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_key(&out, "added");
    json_begin_array(&out);
    put_added(uns, true, &out);
    json_end(&out);
    json_key(&out, "names");
    json_begin_array(&out);
    put_added(uns, false, &out);
    json_end(&out);
    json_field_int(&out, "paths", uns->tree.count);
    json_end(&out);
    uns->added_count = 0;
    if (!buf_status(&body) && bus_publish(uns->env->bus, STR("uns.changed"), buf_view(&body)))
        log_debug(uns->env->log, "uns", "news not told", "paths=%u", uns->tree.count);
    buf_done(&body);
}

static void tell_soon(Uns *uns)
{
    loop_once(uns->env->loop, CHANGED_EVERY_MS, tell_changed, uns, &uns->changed_timer);
}

/* Parents may be new as well: everything behind the last announced node is. */
void uns__added(Uns *uns)
{
    UnsNode *node = uns->announced ? uns->announced->next_node : uns->tree.first;
    for (; node; node = node->next_node) {
        uns->announced = node;
        if (uns->added_count < UNS_ADDED_NAMED_MAX) uns->added[uns->added_count++] = node;
    }
    tell_soon(uns);
}

/* A name that was there, as a branch or from an import, has its first value. */
static void got_value(Uns *uns, UnsNode *node)
{
    if (uns->added_count < UNS_ADDED_NAMED_MAX) uns->added[uns->added_count++] = node;
    tell_soon(uns);
}

/* ---- publishes ---- */

static void on_value(void *ctx, Str field, const UnsValue *value)
{
    Uns *uns = ctx;
    char joined[UNS_PATH_BYTES_MAX + 1];
    Str path = uns->topic;
    UnsNode *node;
    if (field.len) {
        if (path.len + 1 + field.len > UNS_PATH_BYTES_MAX || str_find_char(field, '/') >= 0) {
            uns->tree.rejected++;
            return;
        }
        memcpy(joined, path.ptr, path.len);
        joined[path.len] = '/';
        memcpy(joined + path.len + 1, field.ptr, field.len);
        path = (Str){joined, path.len + 1 + field.len};
    }
    uint32_t before = uns->tree.count;
    Status st = uns_tree_add(&uns->tree, path, &node);
    if (uns->tree.count != before) uns__added(uns);
    bool first = !st && !uns_node_has_value(node);
    if (first && uns->tree.count == before) got_value(uns, node);
    if (!st) st = uns_node_set(&uns->tree, node, value, uns->received_ns);
    if (!st) {
        if (first) uns__watch_added(uns, node);
        uns__wrote(uns, node);
        uns__keep_value(uns, node);
        uns__alarm_value(uns, node, first);
        return;
    }
    uns->tree.rejected++;
    if (st == ST_LIMIT && !uns->limit_logged++)
        log_warn(uns->env->log, "uns", "namespace is full", "paths=%u first=%.*s", uns->tree.count,
                 STR_ARG(path));
}

static uint64_t on_publish(void *ctx, const MqttPub *pub)
{
    Uns *uns = ctx;
    if (uns->quiet || (pub->topic.len && pub->topic.ptr[0] == '$')) return 0; /* $: the broker's */
    /* Payloads of Sparkplug B: the module `sparkplug` publishes their values under their names. */
    if (str_starts(pub->topic, STR("spBv1.0/"))) return 0;
    uns->publishes++;
    uns->topic = pub->topic;
    uns->publisher = pub->publisher;
    uns->user = pub->user;
    uns->received_ns = pub->received_ns ? pub->received_ns : clock_wall_ns();
    uns->sampled = 0;
    uns_payload_read(uns->arena, pub->payload, on_value, uns);
    arena_reset(uns->arena);
    return uns->sampled;
}

/* uns.publish: the door for modules that have no broker at hand. */
void uns__op_publish(void *self, Req *req)
{
    Uns *uns = self;
    Diag diag = {0};
    MqttPub pub = {.topic = json_str(req->in, "path", STR_NONE)};
    pub.payload = json_get(req->in, "value")->raw;
    if (!uns_path_valid(pub.topic)) {
        req_fail(req, ST_INVALID, "\"%.*s\" is not a path", STR_ARG(pub.topic));
        return;
    }
    if (uns->env->broker) {
        Status st = mqtt_broker_publish(uns->env->broker, &pub, &diag);
        if (st) {
            req_fail(req, st, "%s", diag.text);
            return;
        }
    } else {
        (void)on_publish(uns, &pub);
    }
    req_answer(req, STR("{}"));
}

/* ---- life ---- */

static Status uns_open(void *self, const ModEnv *env, Diag *diag)
{
    Uns *uns = self;
    uns->env = env;
    uns->mark = 1;
    uns_tree_init(&uns->tree, (uint32_t)uns_conf(uns)->path_count_max);
    uns->arena = arena_new(16 * 1024, 16 << 20);
    if (!uns->arena) return diag_set(diag, ST_NO_MEMORY, "no memory for the namespace");
    return uns__alarms_open(uns, diag);
}

static Status uns_start(void *self, Diag *diag)
{
    Uns *uns = self;
    Status st = uns__keep_load(uns, diag);
    if (!st) st = uns__alarms_load(uns, diag);
    if (!st) st = uns__server_open(uns, diag);
    if (!st) st = uns__rules_start(uns, diag);
    if (st) return st;
    uns->announced = uns->tree.last;
    uns->tidy_count = uns->tree.count;
    uint64_t every_ms = (uint64_t)uns_conf(uns)->upkeep_ms;
    st = loop_timer_start(uns->env->loop, every_ms, every_ms, uns__trim, uns, &uns->trim_timer);
    if (st) return diag_set(diag, st, "no timer");
    if (uns->env->broker) mqtt_broker_observe(uns->env->broker, on_publish, uns__keep_want, uns);
    uns__server_kick(uns, 0);
    return ST_OK;
}

static void uns_drain(void *self, DoneFn *done, void *ctx)
{
    Uns *uns = self;
    uns->draining = true;
    atomic_store(&uns->sql_halting, true);
    uns->drained = done;
    uns->drained_ctx = ctx;
    uns->jobs++; /* so that the end is reported also when nothing waits */
    atomic_store(&uns->notify->halting, true);
    uns__keep_flush(uns);
    uns__alarm_flush(uns);
    uns__job_done(uns);
}

static void uns_close(void *self)
{
    Uns *uns = self;
    if (!uns->env) return;
    if (uns->env->broker) mqtt_broker_observe(uns->env->broker, NULL, NULL, NULL);
    uns__watches_close(uns);
    loop_timer_stop(uns->changed_timer);
    uns__keep_close(uns);
    uns__alarms_close(uns);
    loop_timer_stop(uns->trim_timer);
    uns__server_close(uns);
    for (uint32_t i = 0; i < uns->name_count; i++) mem_free(uns->names[i].path);
    mem_free(uns->names);
    mem_free(uns->samples);
    series_work_free(uns->write_work);
    series_work_free(uns->read_work);
    arena_free(uns->arena);
    uns__writers_free(uns);
    uns_tree_done(&uns->tree);
}

#define CONF_FIELD(name) offsetof(UnsConf, name)
static const ModConf conf[] = {
    {"path_count_max", CONF_INT, "100000", 1, 10000000, CONF_FIELD(path_count_max), 0,
     "most names in the tree; a new one over it is refused and counted"},
    {"stale", CONF_MS, "30s", 100, 86400000, CONF_FIELD(stale_ms), 0,
     "age at which a value is shown as stale"},
    {"sample_every", CONF_MS, "60s", 1000, 86400000, CONF_FIELD(sample_every_ms), 0,
     "a number of unchanged value and quality is stored again after this time"},
    {"keep_every", CONF_MS, "1s", 50, 60000, CONF_FIELD(keep_ms), 0,
     "how long samples and last values gather before they are written"},
    {"late_max", CONF_MS, "7d", 1000, 315360000000, CONF_FIELD(late_ms), 0,
     "a value that names an older time than this gets the time of its arrival in the history"},
    {"retention", CONF_MS, "30d", 60000, 315360000000, CONF_FIELD(retention_ms), 0,
     "samples older than this are deleted, where no rule says otherwise"},
    {"alarm_count_max", CONF_INT, "100000", 1, 1000000, CONF_FIELD(alarm_count_max), 0,
     "most alarms: a rule makes one per path it fits"},
    {"shelve_max", CONF_MS, "8h", 60000, 604800000, CONF_FIELD(shelve_max_ms), 0,
     "how long an alarm may be shelved"},
    {"alarm_retention", CONF_MS, "365d", 3600000, 315360000000, CONF_FIELD(journal_ms), 0,
     "entries of the alarm journal older than this are deleted"},
    {"notify_queue_max", CONF_INT, "10000", 10, 1000000, CONF_FIELD(notify_queue_max), 0,
     "most notices of alarms that wait for one target; the oldest are dropped and counted"},
    {"notify_age_max", CONF_MS, "24h", 1000, 2592000000, CONF_FIELD(notify_age_ms), 0,
     "a notice that is older is given up"},
    {"notify_retry", CONF_MS, "1s", 10, 3600000, CONF_FIELD(notify_retry_ms), 0,
     "pause before a notice is tried again; twice as long with each failure"},
    {"notify_retry_max", CONF_MS, "5min", 10, 3600000, CONF_FIELD(notify_retry_max_ms), 0,
     "the longest pause"},
    {"minutes_retention", CONF_MS, "365d", 0, 315360000000, CONF_FIELD(minutes_retention_ms), 0,
     "the same for what samples were minute by minute; 0 makes none"},
    {"hours_retention", CONF_MS, "3650d", 0, 315360000000, CONF_FIELD(hours_retention_ms), 0,
     "the same hour by hour"},
    {"historian", CONF_STR, "", 0, 4096, CONF_FIELD(historian), CONF_SECRET,
     "postgres://user:password@host/database that keeps the history instead of the data folder"},
    {"historian_wait", CONF_MS, "5s", 100, 600000, CONF_FIELD(question_ms), 0,
     "how long a question waits for an answer of that server before it fails"},
    {"historian_buffer", CONF_INT, "500000000", 1000, 4000000000, CONF_FIELD(buffer_points), 0,
     "most points that wait in the data folder while that server is away"},
    {"upkeep_every", CONF_MS, "60s", 100, 86400000, CONF_FIELD(upkeep_ms), 0,
     "how often a thousand series are looked at for what is no longer kept"},
    {"meta_bytes_max", CONF_BYTES, "64MiB", 65536, 4294967296, CONF_FIELD(meta_bytes_max), 0,
     "most memory for what is said about names"},
    {0}};

extern const ModuleDef uns_module;
const ModuleDef uns_module = {.abi = MODULE_ABI,
                              .name = "uns",
                              .doc = "unified namespace: tree, last values, history, alarms",
                              .self_bytes = sizeof(Uns),
                              .conf_bytes = sizeof(UnsConf),
                              .store_file = "history.db",
                              .store_page_bytes = SERIES_PAGE_BYTES,
                              .store_salvages = true,
                              .conf = conf,
                              .migrations = uns__migrations,
                              .ops = uns__ops,
                              .pubs = uns__pubs,
                              .routes = uns__routes,
                              .open = uns_open,
                              .start = uns_start,
                              .drain = uns_drain,
                              .close = uns_close};
