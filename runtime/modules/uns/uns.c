/* runtime/modules/uns/uns.c: the unified namespace: every publish becomes named last values.
 *
 * Observes the broker on the loop's thread: one payload, one or more values, each into the tree,
 * the watches and what waits for the disk. Nothing here blocks and nothing grows without a bound.
 * The tables at the end are the module's whole surface; docs/api-live.md tells it in words. */
#include "modules/uns/uns.h"
#include "modules/uns/uns_notify.h"

#include "modules/uns/uns_meta.h"

#include "base/mem.h"
#include "mqtt/broker.h"
#include "series/roll.h"

#include <stdio.h>

enum { CHANGED_EVERY_MS = 500 };

/* ---- news: uns.changed ---- */

static void put_added(const Uns *uns, bool with_value, JsonOut *out)
{
    for (uint32_t i = 0; i < uns->added_count; i++)
        if ((uns->added[i]->value.type != UNS_NONE) == with_value)
            json_put_str(out, uns_node_path(uns->added[i]));
}

static void tell_changed(void *ctx)
{
    Uns *uns = ctx;
    Buf body;
    JsonOut out;
    loop_timer_stop(uns->changed_timer);
    uns->changed_timer = NULL;
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
    if (!uns->changed_timer && loop_timer_start(uns->env->loop, CHANGED_EVERY_MS, 0, tell_changed,
                                                uns, &uns->changed_timer))
        uns->changed_timer = NULL;
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
    bool first = !st && node->value.type == UNS_NONE;
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
static void op_publish(void *self, Req *req)
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
    uint64_t every_ms = (uint64_t)uns_conf(uns)->upkeep_ms;
    st = loop_timer_start(uns->env->loop, every_ms, every_ms, uns__trim, uns, &uns->trim_timer);
    if (st) return diag_set(diag, st, "no timer");
    if (uns->env->broker) mqtt_broker_observe(uns->env->broker, on_publish, uns__keep_want, uns);
    uns__server_kick(uns);
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

static const char uns_0001[] =
    "CREATE TABLE last(path TEXT PRIMARY KEY, type INTEGER NOT NULL, i INTEGER, n REAL, s TEXT,"
    " quality INTEGER NOT NULL, ts INTEGER, received INTEGER NOT NULL, first INTEGER NOT NULL,"
    " count INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE series(id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE);"
    "CREATE TABLE samples(series INTEGER NOT NULL, t INTEGER NOT NULL, v REAL NOT NULL,"
    " q INTEGER NOT NULL, PRIMARY KEY(series, t)) WITHOUT ROWID;"
    "CREATE TABLE record_tables(name TEXT PRIMARY KEY, columns TEXT NOT NULL, key TEXT NOT NULL,"
    " quarantined INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"
    "CREATE TABLE quarantine(id INTEGER PRIMARY KEY, table_name TEXT NOT NULL, at INTEGER NOT NULL,"
    " reason TEXT NOT NULL, row TEXT NOT NULL);";

static const char uns_0002[] =
    SERIES_SCHEMA_SQL; /* `samples` is emptied into it at the next start */

static const char uns_0003[] =
    "CREATE TABLE alarm_rules(name TEXT PRIMARY KEY, origin TEXT NOT NULL, body TEXT NOT NULL)"
    " WITHOUT ROWID;"
    "CREATE TABLE alarm_points(rule TEXT NOT NULL, path TEXT NOT NULL, under INTEGER NOT NULL,"
    " since INTEGER NOT NULL, raised INTEGER NOT NULL, raised_value REAL, raised_count INTEGER"
    " NOT NULL, shelf INTEGER NOT NULL, over INTEGER NOT NULL, PRIMARY KEY(rule, path))"
    " WITHOUT ROWID;"
    "CREATE TABLE alarm_journal(id INTEGER PRIMARY KEY, at INTEGER NOT NULL, rule TEXT NOT NULL,"
    " path TEXT NOT NULL, priority INTEGER NOT NULL, was INTEGER NOT NULL, became INTEGER NOT NULL,"
    " value REAL, who TEXT NOT NULL, text TEXT NOT NULL);"
    "CREATE INDEX alarm_journal_at ON alarm_journal(at);";

static const char uns_0004[] =
    SERIES_ROLL_SQL "CREATE TABLE history_rules(place INTEGER PRIMARY KEY, pattern TEXT NOT NULL,"
                    " raw INTEGER NOT NULL, minutes INTEGER NOT NULL, hours INTEGER NOT NULL);";

static const char uns_0005[] =
    "CREATE TABLE meta(path TEXT PRIMARY KEY, json TEXT NOT NULL, at INTEGER NOT NULL,"
    " by TEXT NOT NULL) WITHOUT ROWID;";

static const char uns_0006[] =
    "CREATE TABLE alarm_targets(name TEXT PRIMARY KEY, body TEXT NOT NULL, secrets BLOB)"
    " WITHOUT ROWID;"
    "CREATE TABLE alarm_routes(name TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE alarm_calls(route TEXT NOT NULL, rule TEXT NOT NULL, path TEXT NOT NULL,"
    " first INTEGER NOT NULL, again INTEGER NOT NULL, escalate INTEGER NOT NULL,"
    " told INTEGER NOT NULL, escalated INTEGER NOT NULL, PRIMARY KEY(route, rule, path))"
    " WITHOUT ROWID;"
    "CREATE TABLE alarm_outbox(id INTEGER PRIMARY KEY, target TEXT NOT NULL, at INTEGER NOT NULL,"
    " rule TEXT NOT NULL, path TEXT NOT NULL, priority INTEGER NOT NULL, state INTEGER NOT NULL,"
    " event TEXT NOT NULL);"
    "ALTER TABLE alarm_journal ADD COLUMN target TEXT;"
    "ALTER TABLE alarm_journal ADD COLUMN delivered INTEGER;";

/* Bad values weigh nothing since then: their roll-ups are worked out anew. */
static const char uns_0007[] =
    "INSERT INTO series_stale(series, t_first, t_last) SELECT series, min(t_first), max(t_last)"
    " FROM series_blocks WHERE odd > 0 GROUP BY series;";

static const StoreMigration migrations[] = {{1, "last values, samples, records", uns_0001},
                                            {2, "samples in compressed blocks", uns_0002},
                                            {3, "alarms", uns_0003},
                                            {4, "roll-ups and how long they last", uns_0004},
                                            {5, "metadata of names", uns_0005},
                                            {6, "who is told of alarms", uns_0006},
                                            {7, "bad values weigh nothing", uns_0007},
                                            {0}};

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

static const Field tree_in[] = {
    {"prefix", FIELD_STR, 0, 0, UNS_PATH_BYTES_MAX, "list below this path"},
    {"depth", FIELD_INT, 0, 0, UNS_LEVELS_MAX, "levels below it; 0 = all"},
    {"limit", FIELD_INT, 0, 1, 5000, "most nodes in one answer"},
    {"after", FIELD_STR, 0, 0, UNS_PATH_BYTES_MAX, "go on behind this path"},
    {"values", FIELD_BOOL, 0, 0, 0, "false: names only"},
    {0}};
static const Field tree_out[] = {{"prefix", FIELD_STR, 0, 0, 0, "as asked"},
                                 {"nodes", FIELD_ARRAY, 0, 0, 0, "in path order"},
                                 {"total", FIELD_INT, 0, 0, 0, "names in the whole tree"},
                                 {"more", FIELD_BOOL, 0, 0, 0, "ask again with after"},
                                 {"stale_ms", FIELD_INT, 0, 0, 0, "age of a stale value"},
                                 {0}};
static const Field path_in[] = {
    {"path", FIELD_STR, FIELD_REQUIRED, 1, UNS_PATH_BYTES_MAX, "a name of the tree"}, {0}};
static const Field node_out[] = {{"path", FIELD_STR, 0, 0, 0, "full name"},
                                 {"value", FIELD_ANY, 0, 0, 0, "last value"},
                                 {"quality", FIELD_STR, 0, 0, 0, "good, uncertain, bad"},
                                 {"age_ms", FIELD_INT, 0, 0, 0, "since it was received"},
                                 {0}};
static const Field meta_in[] = {
    {"path", FIELD_STR, FIELD_REQUIRED, 1, UNS_PATH_BYTES_MAX, "a name; made when it is new"},
    {"kind", FIELD_STR, 0, 0, META_NAME_BYTES_MAX,
     "enterprise, site, area, line, cell, equipment, tag, or a word of your own"},
    {"title", FIELD_STR, 0, 0, META_TITLE_BYTES_MAX, "for people"},
    {"unit", FIELD_STR, 0, 0, META_NAME_BYTES_MAX, "of its value"},
    {"description", FIELD_STR, 0, 0, META_TEXT_BYTES_MAX, "for people"},
    {"owner", FIELD_STR, 0, 0, META_NAME_BYTES_MAX, "who is asked about it"},
    {"stale_ms", FIELD_INT, 0, 0, META_STALE_MS_MAX, "age of a stale value; 0: as the node above"},
    {"stale_by", FIELD_STR, 0, 0, 8, "which time counts: received or source"},
    {"keys", FIELD_OBJECT, 0, 0, 0, "more: name and text, at most 32"},
    {0}};
static const Field names_import_in[] = {
    {"text", FIELD_STR, FIELD_REQUIRED, 1, BUS_BODY_BYTES_MAX, "the file"},
    {"format", FIELD_STR, 0, 3, 4, "csv or json"},
    {"dry", FIELD_BOOL, 0, 0, 0, "only say what would change"},
    {0}};
static const Field changes_out[] = {{"dry", FIELD_BOOL, 0, 0, 0, "nothing was done"},
                                    {"nodes", FIELD_INT, 0, 0, 0, "in the file"},
                                    {"new", FIELD_INT, 0, 0, 0, "names that were not there"},
                                    {"changed", FIELD_INT, 0, 0, 0, "with other metadata"},
                                    {"same", FIELD_INT, 0, 0, 0, "as they are"},
                                    {"rows", FIELD_ARRAY, 0, 0, 0, "path, action, line, fields"},
                                    {"errors", FIELD_ARRAY, 0, 0, 0, "line, column, text"},
                                    {"error_count", FIELD_INT, 0, 0, 0, "also those not listed"},
                                    {0}};
static const Field branch_in[] = {
    {"prefix", FIELD_STR, 0, 0, UNS_PATH_BYTES_MAX, "this branch; preset: all"}, {0}};
static const Field templates_out[] = {
    {"templates", FIELD_ARRAY, 0, 0, 0, "name, title, description, text, tags"}, {0}};
static const Field instantiate_in[] = {
    {"name", FIELD_STR, FIELD_REQUIRED, 1, 64, "of the template"},
    {"path", FIELD_STR, FIELD_REQUIRED, 1, UNS_PATH_BYTES_MAX, "of the new equipment"},
    {"title", FIELD_STR, 0, 0, META_TITLE_BYTES_MAX, "preset: the template's"},
    {"owner", FIELD_STR, 0, 0, META_NAME_BYTES_MAX, "who is asked about it"},
    {"bind", FIELD_STR, 0, 0, 6, "strict or soft: hold its payloads against the template's type"},
    {"dry", FIELD_BOOL, 0, 0, 0, "only say what would change"},
    {0}};
static const Field rename_in[] = {
    {"from", FIELD_STR, FIELD_REQUIRED, 1, UNS_PATH_BYTES_MAX, "the name, with its branch"},
    {"to", FIELD_STR, FIELD_REQUIRED, 1, UNS_PATH_BYTES_MAX, "its new name; not there yet"},
    {0}};
static const Field rename_out[] = {
    {"nodes", FIELD_INT, 0, 0, 0, "that have another name now"},
    {"retained", FIELD_INT, 0, 0, 0, "messages published anew under the new name"},
    {"retained_left", FIELD_INT, 0, 0, 0, "that had to stay (refused, or the disk is behind)"},
    {0}};
static const Field renamed_body[] = {{"from", FIELD_STR, 0, 0, 0, "old name"},
                                     {"to", FIELD_STR, 0, 0, 0, "new name"},
                                     {"nodes", FIELD_INT, 0, 0, 0, "of the branch"},
                                     {0}};
static const Field lineage_out[] = {
    {"path", FIELD_STR, 0, 0, 0, "as asked"},
    {"topic", FIELD_STR, 0, 0, 0, "by which its value came"},
    {"clients", FIELD_ARRAY, 0, 0, 0, "that published it since the start, the latest first"},
    {"writes", FIELD_ARRAY, 0, 0, 0, "pipelines that write it: pipeline, running, by, from"},
    {"reads", FIELD_ARRAY, 0, 0, 0, "pipelines that read it: pipeline, running, by, into"},
    {"complete", FIELD_BOOL, 0, 0, 0, "false: the engine did not answer"},
    {0}};
static const Field search_in[] = {
    {"q", FIELD_STR, FIELD_REQUIRED, 1, 200, "words of the path or of what is said about it"},
    {"limit", FIELD_INT, 0, 1, 1000, "most nodes"},
    {0}};
static const Field search_out[] = {{"nodes", FIELD_ARRAY, 0, 0, 0, "the first matches"},
                                   {"total", FIELD_INT, 0, 0, 0, "all matches"},
                                   {0}};
static const Field history_in[] = {
    {"path", FIELD_STR, FIELD_REQUIRED, 1, UNS_PATH_BYTES_MAX, "a name of the tree"},
    {"from", FIELD_STR, 0, 0, 40, "RFC 3339, milliseconds, or -1h"},
    {"to", FIELD_STR, 0, 0, 40, "as from; preset is now"},
    {"pixels", FIELD_INT, 0, 1, 10000, "most rows of the answer"},
    {0}};
static const Field history_out[] = {{"t", FIELD_ARRAY, 0, 0, 0, "times, ms"},
                                    {"min", FIELD_ARRAY, 0, 0, 0, "per bucket"},
                                    {"max", FIELD_ARRAY, 0, 0, 0, "per bucket"},
                                    {"last", FIELD_ARRAY, 0, 0, 0, "per bucket"},
                                    {"mean", FIELD_ARRAY, 0, 0, 0, "per bucket, by time"},
                                    {"count", FIELD_ARRAY, 0, 0, 0, "per bucket"},
                                    {"bad", FIELD_ARRAY, 0, 0, 0, "per bucket"},
                                    {"gap", FIELD_ARRAY, 0, 0, 0, "ends with a bad value"},
                                    {0}};
static const Field points_in[] = {
    {"path", FIELD_STR, FIELD_REQUIRED, 1, UNS_PATH_BYTES_MAX, "a name of the tree"},
    {"from", FIELD_STR, 0, 0, 40, "RFC 3339, milliseconds, or -1h"},
    {"to", FIELD_STR, 0, 0, 40, "as from; preset is now"},
    {"limit", FIELD_INT, 0, 1, 10000, "most points; next says where it goes on"},
    {0}};
static const Field points_out[] = {
    {"t", FIELD_ARRAY, 0, 0, 0, "times, RFC 3339"},
    {"value", FIELD_ARRAY, 0, 0, 0, "as they came"},
    {"quality", FIELD_ARRAY, 0, 0, 0, "good, uncertain, bad"},
    {"next", FIELD_STR, 0, 0, 0, "from of the next question; null: no more"},
    {0}};
static const Field steps_in[] = {
    {"path", FIELD_STR, FIELD_REQUIRED, 1, UNS_PATH_BYTES_MAX, "a name of the tree"},
    {"from", FIELD_STR, 0, 0, 40, "RFC 3339, milliseconds, or -1h"},
    {"to", FIELD_STR, 0, 0, 40, "as from; preset is now"},
    {"step", FIELD_STR, FIELD_REQUIRED, 2, 12, "15m, 1h, 1d, 1w, 1mo, 1y"},
    {"zone", FIELD_STR, 0, 0, 64, "where days begin: Europe/Berlin; preset UTC"},
    {0}};
static const Field steps_out[] = {
    {"t", FIELD_ARRAY, 0, 0, 0, "where steps begin"},
    {"mean", FIELD_ARRAY, 0, 0, 0, "by time"},
    {"min", FIELD_ARRAY, 0, 0, 0, "of the points"},
    {"max", FIELD_ARRAY, 0, 0, 0, "of the points"},
    {"count", FIELD_ARRAY, 0, 0, 0, "points"},
    {"quality", FIELD_ARRAY, 0, 0, 0, "the worst"},
    {"good_ratio", FIELD_ARRAY, 0, 0, 0, "share of good points"},
    {"source", FIELD_STR, 0, 0, 0, "points, minutes or hours: the coarsest that was read"},
    {0}};
static const Field moments_in[] = {
    {"path", FIELD_STR, FIELD_REQUIRED, 1, UNS_PATH_BYTES_MAX, "a name of the tree"},
    {"times", FIELD_ARRAY, 0, 0, 5000, "moments; or from, to and step"},
    {"method", FIELD_STR, 0, 0, 8, "last (known value) or linear"},
    {"from", FIELD_STR, 0, 0, 40, "RFC 3339, milliseconds, or -1h"},
    {"to", FIELD_STR, 0, 0, 40, "as from; preset is now"},
    {"step", FIELD_STR, 0, 2, 12, "a moment where each step begins"},
    {"zone", FIELD_STR, 0, 0, 64, "where days begin; preset UTC"},
    {0}};
static const Field moments_out[] = {
    {"t", FIELD_ARRAY, 0, 0, 0, "the moments"},
    {"value", FIELD_ARRAY, 0, 0, 0, "null: nothing was there yet"},
    {"quality", FIELD_ARRAY, 0, 0, 0, "good, uncertain, bad"},
    {"from", FIELD_ARRAY, 0, 0, 0, "when the point was that it comes from"},
    {0}};
static const Field export_in[] = {
    {"filter", FIELD_STR, 0, 1, UNS_PATH_BYTES_MAX, "which paths: acme/+/temp, acme/#; preset all"},
    {"from", FIELD_STR, 0, 0, 40, "RFC 3339, milliseconds, or -1h"},
    {"to", FIELD_STR, 0, 0, 40, "as from; preset is now"},
    {"after", FIELD_STR, 0, 0, 60, "what the page before said as next"},
    {0}};
static const Field export_out[] = {{"text", FIELD_STR, 0, 0, 0, "lines of CSV"},
                                   {"next", FIELD_STR, 0, 0, 0, "null: this was the last page"},
                                   {0}};
static const Field import_in[] = {
    {"csv", FIELD_STR, FIELD_REQUIRED, 1, BUS_BODY_BYTES_MAX, "path,time,value[,quality]"},
    {"line", FIELD_INT, 0, 2, 0x1p53, "number of the first line behind the header; 2"},
    {0}};
static const Field import_out[] = {{"lines", FIELD_INT, 0, 0, 0, "that were read"},
                                   {"written", FIELD_INT, 0, 0, 0, "points on disk"},
                                   {"refused", FIELD_INT, 0, 0, 0, "lines left out"},
                                   {"errors", FIELD_ARRAY, 0, 0, 0, "line, text; the first 100"},
                                   {0}};
static const Field sql_in[] = {
    {"sql", FIELD_STR, FIELD_REQUIRED, 1, 65536, "one select over samples, steps(...), tables"},
    {"params", FIELD_ANY, 0, 0, 0, "a list for ?1, ?2; an object for :name"},
    {"limit", FIELD_INT, 0, 1, 10000, "most rows; 1000"},
    {"timeout", FIELD_INT, 0, 1, 30000, "ms the question may take; 5000"},
    {0}};
static const Field sql_out[] = {{"columns", FIELD_ARRAY, 0, 0, 0, "names"},
                                {"rows", FIELD_ARRAY, 0, 0, 0, "lists in column order"},
                                {"more", FIELD_BOOL, 0, 0, 0, "there were more rows"},
                                {0}};
static const Field rules_in[] = {
    {"rules", FIELD_ARRAY, FIELD_REQUIRED, 0, UNS_RULES_MAX, "pattern, raw, minutes, hours"}, {0}};
static const Field rules_out[] = {
    {"rules", FIELD_ARRAY, 0, 0, 0, "the first whose pattern fits decides"},
    {"rest", FIELD_OBJECT, 0, 0, 0, "the settings, for paths that no rule names"},
    {0}};
static const Field record_in[] = {
    {"table", FIELD_STR, FIELD_REQUIRED, 1, 63, "name of the historian table"},
    {"columns", FIELD_ARRAY, FIELD_REQUIRED, 1, 200, "objects of name and type"},
    {"key", FIELD_ARRAY, FIELD_REQUIRED, 1, 16, "columns that make a row unique"},
    {"rows", FIELD_ARRAY, FIELD_REQUIRED, 0, 10000, "lists in column order"},
    {0}};
static const Field record_out[] = {{"written", FIELD_INT, 0, 0, 0, "rows stored"},
                                   {"quarantined", FIELD_INT, 0, 0, 0, "rows set aside"},
                                   {0}};
static const Field tables_out[] = {{"tables", FIELD_ARRAY, 0, 0, 0, "name, columns, key, rows"},
                                   {0}};
static const Field query_in[] = {{"name", FIELD_STR, FIELD_REQUIRED, 1, 63, "name of the table"},
                                 {"limit", FIELD_INT, 0, 1, 5000, "most rows"},
                                 {"order", FIELD_STR, 0, 1, 63, "column to sort by"},
                                 {"desc", FIELD_BOOL, 0, 0, 0, "largest first"},
                                 {"column", FIELD_STR, 0, 1, 63, "only rows where this column ..."},
                                 {"equals", FIELD_STR, 0, 0, 1000, "... has this value"},
                                 {"time", FIELD_STR, 0, 1, 63, "time column for from and to"},
                                 {"from", FIELD_STR, 0, 0, 40, "RFC 3339, milliseconds, or -1h"},
                                 {"to", FIELD_STR, 0, 0, 40, "as from"},
                                 {0}};
static const Field query_out[] = {{"name", FIELD_STR, 0, 0, 0, "of the table"},
                                  {"columns", FIELD_ARRAY, 0, 0, 0, "name and type"},
                                  {"rows", FIELD_ARRAY, 0, 0, 0, "lists in column order"},
                                  {"more", FIELD_BOOL, 0, 0, 0, "there are more rows"},
                                  {0}};
static const Field publish_in[] = {
    {"path", FIELD_STR, FIELD_REQUIRED, 1, UNS_PATH_BYTES_MAX, "topic"},
    {"value", FIELD_ANY, FIELD_REQUIRED, 0, 0, "scalar, tag or record"},
    {0}};
static const Field quality_in[] = {
    {"path", FIELD_STR, FIELD_REQUIRED, 1, UNS_PATH_BYTES_MAX, "of the branch"},
    {"quality", FIELD_STR, FIELD_REQUIRED, 3, 9, "uncertain or bad; better ones become it"},
    {"until_ns", FIELD_INT, 0, 0, 0, "values that came later stay; preset is now"},
    {0}};
static const Field quality_out[] = {{"marked", FIELD_INT, 0, 0, 0, "values"}, {0}};
static const Field watch_in[] = {
    {"watch", FIELD_STR, 0, 1, 24, "an existing watch: renew it, change its rate"},
    {"paths", FIELD_ARRAY, 0, 0, UNS_WATCH_PATHS_MAX, "exact, or ending in /#"},
    {"hz", FIELD_NUMBER, 0, 0, 10, "most frames per second; 0 pauses"},
    {0}};
static const Field watch_out[] = {{"watch", FIELD_STR, 0, 0, 0, "id"},
                                  {"truncated", FIELD_BOOL, 0, 0, 0, "more paths than allowed"},
                                  {0}};
static const Field watch_id_in[] = {{"watch", FIELD_STR, FIELD_REQUIRED, 1, 24, "id"}, {0}};
static const Field stats_out[] = {{"paths", FIELD_INT, 0, 0, 0, "names in the tree"},
                                  {"values", FIELD_INT, 0, 0, 0, "names with a value"},
                                  {"publishes", FIELD_INT, 0, 0, 0, "since start"},
                                  {0}};
static const Field changed_body[] = {
    {"added", FIELD_ARRAY, 0, 0, 0, "paths with their first value, up to 100"},
    {"names", FIELD_ARRAY, 0, 0, 0, "new paths without a value"},
    {"paths", FIELD_INT, 0, 0, 0, "names in the tree"},
    {0}};
static const Field values_body[] = {{"seq", FIELD_INT, 0, 0, 0, "counts frames of the watch"},
                                    {"time", FIELD_INT, 0, 0, 0, "of the server, ms"},
                                    {"full", FIELD_BOOL, 0, 0, 0, "forget what came before"},
                                    {"add", FIELD_ARRAY, 0, 0, 0, "[index, path]"},
                                    {"v", FIELD_ARRAY, 0, 0, 0, "[index, value, quality, age]"},
                                    {0}};

static const Field alarms_in[] = {
    {"state", FIELD_STR, 0, 1, 32, "only this one; all = also what is normal"},
    {"priority", FIELD_STR, 0, 1, 16, "only this one"},
    {"prefix", FIELD_STR, 0, 0, UNS_PATH_BYTES_MAX, "only paths from here down"},
    {"limit", FIELD_INT, 0, 1, 5000, "most alarms in one answer"},
    {0}};
static const Field alarms_out[] = {
    {"alarms", FIELD_ARRAY, 0, 0, 0, "the most urgent first, of those the newest"},
    {"total", FIELD_INT, 0, 0, 0, "that fit the question"},
    {"more", FIELD_BOOL, 0, 0, 0, "not all are here"},
    {"standing", FIELD_OBJECT, 0, 0, 0, "per priority: not normal and not hidden"},
    {"states", FIELD_OBJECT, 0, 0, 0, "per state"},
    {0}};
static const Field alarm_act_in[] = {
    {"act", FIELD_STR, FIELD_REQUIRED, 1, 32,
     "acknowledge, reset, shelve, unshelve; suppress, unsuppress, remove-from-service,"
     " return-to-service"},
    {"alarms", FIELD_ARRAY, FIELD_REQUIRED, 1, UNS_ALARM_ACTS_MAX, "objects of rule and path"},
    {"text", FIELD_STR, 0, 0, ALARM_TEXT_BYTES_MAX, "comment or reason"},
    {"until", FIELD_INT, 0, 0, 0, "end of a shelve, ms"},
    {0}};
static const Field alarm_act_out[] = {
    {"done", FIELD_INT, 0, 0, 0, "alarms it was done to"},
    {"refused", FIELD_ARRAY, 0, 0, 0, "rule, path and reason of the others"},
    {0}};
static const Field alarm_rules_out[] = {{"rules", FIELD_ARRAY, 0, 0, 0, "origin and alarm"}, {0}};
static const Field alarm_put_in[] = {
    {"name", FIELD_STR, FIELD_REQUIRED, 1, ALARM_NAME_BYTES_MAX, "of the rule"},
    {"on", FIELD_ANY, FIELD_REQUIRED, 0, 0, "path, or filter with + and #; or a list of them"},
    {"when", FIELD_OBJECT, FIELD_REQUIRED, 0, 0, "the condition, as {\"above\": 80}"},
    {"priority", FIELD_STR, 0, 1, 16, "critical, high, medium (preset), low"},
    {"latch", FIELD_BOOL, 0, 0, 0, "stays until it is reset"},
    {"message", FIELD_STR, 0, 0, ALARM_TEXT_BYTES_MAX, "may hold {path}, {name} and {value}"},
    {"action", FIELD_STR, 0, 0, ALARM_TEXT_BYTES_MAX, "what an operator should do"},
    {0}};
static const Field alarm_name_in[] = {
    {"name", FIELD_STR, FIELD_REQUIRED, 1, ALARM_NAME_BYTES_MAX, "of the rule"}, {0}};
static const Field alarm_declare_in[] = {
    {"origin", FIELD_STR, FIELD_REQUIRED, 1, 320, "\"program NAME\" or \"schema NAME\""},
    {"alarms", FIELD_ARRAY, FIELD_REQUIRED, 0, UNS_ALARM_RULES_MAX, "as in uns.alarm_put"},
    {0}};
static const Field alarm_journal_in[] = {
    {"from", FIELD_STR, 0, 0, 40, "RFC 3339, milliseconds, or -1h"},
    {"to", FIELD_STR, 0, 0, 40, "as from; preset is now"},
    {"rule", FIELD_STR, 0, 0, ALARM_NAME_BYTES_MAX, "only of this rule"},
    {"prefix", FIELD_STR, 0, 0, UNS_PATH_BYTES_MAX, "only paths from here down"},
    {"limit", FIELD_INT, 0, 1, 2000, "most entries"},
    {"before", FIELD_INT, 0, 0, 0, "go on behind the entry with this id"},
    {0}};
static const Field alarm_journal_out[] = {{"entries", FIELD_ARRAY, 0, 0, 0, "the newest first"},
                                          {"more", FIELD_BOOL, 0, 0, 0, "there are older ones"},
                                          {0}};
static const Field alarm_stats_out[] = {
    {"per_hour", FIELD_ARRAY, 0, 0, 0, "raised in each of the last 24 hours"},
    {"worst", FIELD_ARRAY, 0, 0, 0, "the ten that were raised most often in a day"},
    {"ten_minutes", FIELD_INT, 0, 0, 0, "raised in the last ten minutes"},
    {"flood", FIELD_BOOL, 0, 0, 0, "more than ten of them"},
    {"lost", FIELD_INT, 0, 0, 0, "changes that are not in the journal"},
    {0}};
static const Field alarms_body[] = {{"standing", FIELD_OBJECT, 0, 0, 0, "per priority"},
                                    {"states", FIELD_OBJECT, 0, 0, 0, "per state"},
                                    {0}};

static const ModOp ops[] = {
    {"uns.tree", uns__op_tree, tree_in, tree_out, 5000, ROLE_VIEW, OP_READ, "names below a path"},
    {"uns.get", uns__op_get, path_in, node_out, 2000, ROLE_VIEW, OP_READ, "last value of a path"},
    {"uns.search", uns__op_search, search_in, search_out, 5000, ROLE_VIEW, OP_READ,
     "names that hold all words, in their path or metadata"},
    {"uns.meta_set", uns__op_meta_set, meta_in, node_out, 5000, ROLE_ENGINEER, OP_DURABLE,
     "what is said about a name, all of it; nothing clears it"},
    {"uns.names_import", uns__op_names_import, names_import_in, changes_out, 30000, ROLE_ENGINEER,
     OP_DURABLE, "names and metadata of a file: all, or with an error none"},
    {"uns.names_csv", uns__op_names_csv, branch_in, NULL, 10000, ROLE_VIEW, OP_READ | OP_RAW,
     "a branch as import takes it"},
    {"uns.names_json", uns__op_names_json, branch_in, NULL, 10000, ROLE_VIEW, OP_READ | OP_RAW,
     "a branch as import takes it"},
    {"uns.templates", uns__op_templates, NULL, templates_out, 5000, ROLE_VIEW, OP_READ,
     "common equipment: type, tags, units"},
    {"uns.instantiate", uns__op_instantiate, instantiate_in, changes_out, 15000, ROLE_ENGINEER,
     OP_DURABLE, "names for a piece of equipment"},
    {"uns.rename", uns__op_rename, rename_in, rename_out, 30000, ROLE_ENGINEER, OP_DURABLE,
     "another name for a branch, which keeps its history"},
    {"uns.lineage", uns__op_lineage, path_in, lineage_out, 5000, ROLE_VIEW, OP_READ,
     "who writes a name, and who reads it"},
    {"uns.history", uns__op_history, history_in, history_out, 30000, ROLE_VIEW, OP_READ,
     "samples reduced to pixels"},
    {"uns.points", uns__op_points, points_in, points_out, 30000, ROLE_VIEW, OP_READ,
     "points of a path as they came"},
    {"uns.steps", uns__op_steps, steps_in, steps_out, 30000, ROLE_VIEW, OP_READ,
     "a path step by step of time"},
    {"uns.moments", uns__op_moments, moments_in, moments_out, 30000, ROLE_VIEW, OP_READ,
     "a path's values at moments"},
    {"uns.sql", uns__op_sql, sql_in, sql_out, 40000, ROLE_VIEW, OP_READ,
     "a select over the history and the historian's tables"},
    {"uns.sql_csv", uns__op_sql_csv, sql_in, NULL, 40000, ROLE_VIEW, OP_READ | OP_RAW,
     "the same as CSV"},
    {"uns.export", uns__op_export, export_in, export_out, 30000, ROLE_VIEW, OP_READ | OP_PAGES,
     "points of many paths as CSV"},
    {"uns.export_page", uns__op_export, export_in, export_out, 30000, ROLE_VIEW, OP_READ,
     "one page of it"},
    {"uns.import", uns__op_import, import_in, import_out, 60000, ROLE_ENGINEER, OP_DURABLE,
     "points from CSV"},
    {"uns.history_rules", uns__op_rules, NULL, rules_out, 5000, ROLE_VIEW, OP_READ,
     "how long history is kept"},
    {"uns.history_rules_set", uns__op_rules_set, rules_in, rules_out, 30000, ROLE_ADMIN, OP_DURABLE,
     "says anew how long history is kept"},
    {"uns.stats", uns__op_stats, NULL, stats_out, 2000, ROLE_VIEW, OP_READ, "counters"},
    {"uns.tables", uns__op_tables, NULL, tables_out, 10000, ROLE_VIEW, OP_READ, "historian tables"},
    {"uns.query_table", uns__op_query_table, query_in, query_out, 30000, ROLE_VIEW, OP_READ,
     "rows of a historian table"},
    {"uns.record", uns__op_record, record_in, record_out, 30000, ROLE_SYSTEM, OP_DURABLE,
     "stores rows; answered when they are on disk"},
    {"uns.publish", op_publish, publish_in, NULL, 2000, ROLE_OPERATE, 0, "publishes a value"},
    {"uns.quality", uns__op_quality, quality_in, quality_out, 5000, ROLE_SYSTEM, 0,
     "makes the quality of a branch's values worse: their source is gone"},
    {"uns.alarms", uns__op_alarms, alarms_in, alarms_out, 5000, ROLE_VIEW, OP_READ,
     "alarms and their states"},
    {"uns.alarm_act", uns__op_alarm_act, alarm_act_in, alarm_act_out, 10000, ROLE_OPERATE,
     OP_DURABLE, "acknowledges, shelves, suppresses; answered when it is on disk"},
    {"uns.alarm_rules", uns__op_alarm_rules, NULL, alarm_rules_out, 5000, ROLE_VIEW, OP_READ,
     "what is an alarm"},
    {"uns.alarm_put", uns__op_alarm_put, alarm_put_in, NULL, 10000, ROLE_ENGINEER, OP_DURABLE,
     "makes or changes a rule"},
    {"uns.alarm_drop", uns__op_alarm_drop, alarm_name_in, NULL, 10000, ROLE_ENGINEER, OP_DURABLE,
     "takes a rule and its alarms away"},
    {"uns.alarm_declare", uns__op_alarm_declare, alarm_declare_in, NULL, 10000, ROLE_SYSTEM,
     OP_DURABLE, "all rules of a program at once"},
    {"uns.alarm_journal", uns__op_alarm_journal, alarm_journal_in, alarm_journal_out, 30000,
     ROLE_VIEW, OP_READ, "changes of states, the newest first"},
    {"uns.alarm_targets", uns__op_targets, NULL, uns__targets_out, 5000, ROLE_OPERATE, OP_READ,
     "who can be told of alarms, and how that goes"},
    {"uns.alarm_target_put", uns__op_target_put, uns__target_in, NULL, 10000, ROLE_ADMIN,
     OP_DURABLE, "makes or changes a target"},
    {"uns.alarm_target_drop", uns__op_target_drop, alarm_name_in, NULL, 10000, ROLE_ADMIN,
     OP_DURABLE, "takes a target and what waits for it away"},
    {"uns.alarm_target_test", uns__op_target_test, alarm_name_in, uns__test_out, 45000, ROLE_ADMIN,
     0, "sends a test and says what came of it"},
    {"uns.alarm_routes", uns__op_routes, NULL, uns__routes_out, 5000, ROLE_OPERATE, OP_READ,
     "which alarms are told to whom"},
    {"uns.alarm_route_put", uns__op_route_put, uns__route_in, NULL, 10000, ROLE_ADMIN, OP_DURABLE,
     "makes or changes a route"},
    {"uns.alarm_route_drop", uns__op_route_drop, alarm_name_in, NULL, 10000, ROLE_ADMIN, OP_DURABLE,
     "takes a route and its calls away"},
    {"uns.alarm_stats", uns__op_alarm_stats, NULL, alarm_stats_out, 30000, ROLE_VIEW, OP_READ,
     "how many, and which ones"},
    {"uns.watch", uns__op_watch, watch_in, watch_out, 2000, ROLE_SYSTEM, 0,
     "starts, renews or changes a watch"},
    {"uns.unwatch", uns__op_unwatch, watch_id_in, NULL, 2000, ROLE_SYSTEM, 0, "ends a watch"},
    {"uns.snapshot", uns__op_snapshot, watch_id_in, NULL, 2000, ROLE_SYSTEM, 0,
     "makes the next frame a full one"},
    {0}};
static const ModPub pubs[] = {
    {"uns.changed", changed_body, "new names, at most twice a second"},
    {"uns.renamed", renamed_body, "a branch has another name"},
    {"uns.alarms_changed", alarms_body, "counts of alarms, at most four times a second"},
    {"uns.values.*", values_body, "a frame of one watch"},
    {0}};
static const ModRoute routes[] = {
    {"GET", "/api/v1/uns", "uns.tree", NULL},
    {"GET", "/api/v1/uns/value/{path*}", "uns.get", NULL},
    {"GET", "/api/v1/uns/history/{path*}", "uns.history", NULL},
    {"GET", "/api/v1/historian/points/{path*}", "uns.points", NULL},
    {"GET", "/api/v1/historian/steps/{path*}", "uns.steps", NULL},
    {"GET", "/api/v1/historian/at/{path*}", "uns.moments", NULL},
    {"POST", "/api/v1/historian/at", "uns.moments", NULL},
    {"POST", "/api/v1/historian/sql", "uns.sql", NULL},
    {"POST", "/api/v1/historian/sql.csv", "uns.sql_csv", "text/csv; charset=utf-8; header=present"},
    {"GET", "/api/v1/historian/export", "uns.export", "text/csv; charset=utf-8; header=present"},
    {"GET", "/api/v1/historian/export/page", "uns.export_page", NULL},
    {"POST", "/api/v1/historian/import", "uns.import", NULL},
    {"GET", "/api/v1/historian/rules", "uns.history_rules", NULL},
    {"PUT", "/api/v1/historian/rules", "uns.history_rules_set", NULL},
    {"GET", "/api/v1/uns/search", "uns.search", NULL},
    {"PUT", "/api/v1/uns/meta/{path*}", "uns.meta_set", NULL},
    {"POST", "/api/v1/uns/import", "uns.names_import", NULL},
    {"GET", "/api/v1/uns/export.csv", "uns.names_csv", "text/csv; charset=utf-8"},
    {"GET", "/api/v1/uns/export.json", "uns.names_json", "application/json"},
    {"GET", "/api/v1/uns/templates", "uns.templates", NULL},
    {"POST", "/api/v1/uns/templates/{name}", "uns.instantiate", NULL},
    {"POST", "/api/v1/uns/rename", "uns.rename", NULL},
    {"GET", "/api/v1/uns/lineage/{path*}", "uns.lineage", NULL},
    {"GET", "/api/v1/uns/stats", "uns.stats", NULL},
    {"GET", "/api/v1/uns/tables", "uns.tables", NULL},
    {"GET", "/api/v1/uns/tables/{name}", "uns.query_table", NULL},
    {"POST", "/api/v1/uns/publish", "uns.publish", NULL},
    {"GET", "/api/v1/alarms", "uns.alarms", NULL},
    {"POST", "/api/v1/alarms/act", "uns.alarm_act", NULL},
    {"GET", "/api/v1/alarms/rules", "uns.alarm_rules", NULL},
    {"PUT", "/api/v1/alarms/rules/{name}", "uns.alarm_put", NULL},
    {"DELETE", "/api/v1/alarms/rules/{name}", "uns.alarm_drop", NULL},
    {"GET", "/api/v1/alarms/journal", "uns.alarm_journal", NULL},
    {"GET", "/api/v1/alarms/stats", "uns.alarm_stats", NULL},
    {"GET", "/api/v1/alarms/targets", "uns.alarm_targets", NULL},
    {"PUT", "/api/v1/alarms/targets/{name}", "uns.alarm_target_put", NULL},
    {"DELETE", "/api/v1/alarms/targets/{name}", "uns.alarm_target_drop", NULL},
    {"POST", "/api/v1/alarms/targets/{name}/test", "uns.alarm_target_test", NULL},
    {"GET", "/api/v1/alarms/routes", "uns.alarm_routes", NULL},
    {"PUT", "/api/v1/alarms/routes/{name}", "uns.alarm_route_put", NULL},
    {"DELETE", "/api/v1/alarms/routes/{name}", "uns.alarm_route_drop", NULL},
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
                              .migrations = migrations,
                              .ops = ops,
                              .pubs = pubs,
                              .routes = routes,
                              .open = uns_open,
                              .start = uns_start,
                              .drain = uns_drain,
                              .close = uns_close};
