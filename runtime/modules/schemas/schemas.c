/* runtime/modules/schemas/schemas.c: types bound to topics: every publish is held against them.
 *
 * Life and tables; see schemas_int.h for the picture. */
#include "modules/schemas/schemas_int.h"

#include "base/mem.h"
#include "mqtt/broker.h"

void schemas__job_done(Schemas *self)
{
    self->jobs--;
    if (!self->draining || self->jobs || !self->drained) return;
    DoneFn *drained = self->drained;
    self->drained = NULL;
    drained(self->drained_ctx);
}

void schemas__changed(Schemas *self, const char *what, Str name)
{
    Buf body;
    JsonOut out;
    buf_init(&body, 4096);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_field_text(&out, "what", what);
    json_field_str(&out, "name", name);
    json_end(&out);
    if (!buf_status(&body) && bus_publish(self->env->bus, STR("schemas.changed"), buf_view(&body)))
        log_debug(self->env->log, "schemas", "news not told", "what=%s", what);
    buf_done(&body);
}

static Status schemas_open(void *ctx, const ModEnv *env, Diag *diag)
{
    Schemas *self = ctx;
    (void)diag;
    self->env = env;
    self->generation = 1;
    return ST_OK;
}

static Status load_all(StoreConn *conn, void *ctx, Diag *diag)
{
    Status st = schemas__load(conn, ctx, diag);
    return st ? st : schemas__violations_load(ctx, conn, diag);
}

static Status schemas_start(void *ctx, Diag *diag)
{
    Schemas *self = ctx;
    Diag why = {0};
    Status st = store_run_now(self->env->store, load_all, self, diag);
    if (st) return st;
    if (schemas__rebind(self, &why))
        log_error(self->env->log, "schemas", "a binding checks nothing", "reason=%s", why.text);
    schemas__alarms_start(self);
    return ST_OK;
}

static void schemas_drain(void *ctx, DoneFn *done, void *done_ctx)
{
    Schemas *self = ctx;
    self->draining = true;
    self->drained = done;
    self->drained_ctx = done_ctx;
    self->jobs++; /* so that the end is reported also when nothing waits */
    schemas__violations_flush(self);
    schemas__job_done(self);
}

static void schemas_close(void *ctx)
{
    Schemas *self = ctx;
    if (!self->env) return;
    if (self->env->broker) mqtt_broker_check(self->env->broker, NULL, NULL);
    loop_timer_stop(self->store_timer);
    schemas__bindings_free(self);
    schemas__free(self);
    mem_free(self->ring);
}

/* ---- tables ---- */

static const StoreMigration migrations[] = {
    {1, "schemas, bindings, violations",
     "CREATE TABLE schemas(name TEXT NOT NULL, version INTEGER NOT NULL, text TEXT NOT NULL,"
     " root TEXT NOT NULL, form TEXT NOT NULL, closed INTEGER NOT NULL, at INTEGER NOT NULL,"
     " by TEXT NOT NULL, PRIMARY KEY(name, version)) WITHOUT ROWID;"
     "CREATE TABLE schema_bindings(filter TEXT PRIMARY KEY, schema TEXT NOT NULL,"
     " version INTEGER NOT NULL, strict INTEGER NOT NULL, at INTEGER NOT NULL, by TEXT NOT NULL,"
     " violations INTEGER NOT NULL, last INTEGER NOT NULL) WITHOUT ROWID;"
     "CREATE TABLE schema_violations(id INTEGER PRIMARY KEY, at INTEGER NOT NULL,"
     " topic TEXT NOT NULL, schema TEXT NOT NULL, version INTEGER NOT NULL,"
     " strict INTEGER NOT NULL, client TEXT NOT NULL, user TEXT NOT NULL, reason TEXT NOT NULL,"
     " message TEXT NOT NULL, field TEXT NOT NULL, head BLOB NOT NULL, bytes INTEGER NOT NULL);"},
    {2, "alarms", "ALTER TABLE schemas ADD COLUMN alarms TEXT NOT NULL DEFAULT '[]';"},
    {0, NULL, NULL}};

static const ModConf conf[] = {
    {"violations_max", CONF_INT, "1000", 10, 100000, offsetof(SchemasConf, violations_max), 0,
     "most publishes kept that did not fit; older ones are forgotten, and still counted"},
    {0}};

#define NAME_FIELD                                                                                 \
    {                                                                                              \
        "name", FIELD_STR, FIELD_REQUIRED, 1, SCHEMA_NAME_BYTES_MAX, "of the schema"               \
    }
#define TEXT_FIELD                                                                                 \
    {                                                                                              \
        "text", FIELD_STR, FIELD_REQUIRED, 1, SCHEMA_TEXT_BYTES_MAX,                               \
            "types, units, constants and alarms in the language"                                   \
    }
#define ROOT_FIELD                                                                                 \
    {                                                                                              \
        "root", FIELD_STR, 0, 0, SCHEMA_NAME_BYTES_MAX,                                            \
            "the type that payloads have; preset: the last one of the text"                        \
    }
#define CLOSED_FIELD                                                                               \
    {                                                                                              \
        "closed", FIELD_BOOL, 0, 0, 0, "members that no field names do not fit"                    \
    }

static const Field list_out[] = {{"schemas", FIELD_ARRAY, 0, 0, 0, "by name"}, {0}};
static const Field get_in[] = {
    NAME_FIELD, {"version", FIELD_INT, 0, 0, 0, "preset: the newest"}, {0}};
static const Field get_out[] = {{"name", FIELD_STR, 0, 0, 0, "of the schema"},
                                {"version", FIELD_INT, 0, 0, 0, "of this text"},
                                {"root", FIELD_STR, 0, 0, 0, "the type that payloads have"},
                                {"text", FIELD_STR, 0, 0, 0, "as it was saved"},
                                {"closed", FIELD_BOOL, 0, 0, 0, "no other members"},
                                {"form", FIELD_OBJECT, 0, 0, 0, "the type as data"},
                                {"alarms", FIELD_ARRAY, 0, 0, 0, "rules; `on` is a field"},
                                {"versions", FIELD_ARRAY, 0, 0, 0, "newest first: who, when"},
                                {0}};
static const Field save_in[] = {
    NAME_FIELD,
    TEXT_FIELD,
    ROOT_FIELD,
    CLOSED_FIELD,
    {"incompatible", FIELD_BOOL, 0, 0, 0, "save a change that is not compatible"},
    {0}};
static const Field check_in[] = {
    {"name", FIELD_STR, 0, 0, SCHEMA_NAME_BYTES_MAX, "compare with this schema's newest version"},
    TEXT_FIELD,
    ROOT_FIELD,
    CLOSED_FIELD,
    {0}};
static const Field save_out[] = {
    {"ok", FIELD_BOOL, 0, 0, 0, "the text has no errors"},
    {"version", FIELD_INT, 0, 0, 0, "that was saved, or was there already"},
    {"problems", FIELD_ARRAY, 0, 0, 0, "errors and warnings by line and column"},
    {"root", FIELD_STR, 0, 0, 0, "the type that payloads have"},
    {"compatible", FIELD_BOOL, 0, 0, 0, "what fitted before fits now and means the same"},
    {"changed", FIELD_BOOL, 0, 0, 0, "anything is another than before"},
    {"changes", FIELD_ARRAY, 0, 0, 0, "field, compatible, text"},
    {"form", FIELD_OBJECT, 0, 0, 0, "the type as data"},
    {"alarms", FIELD_ARRAY, 0, 0, 0, "rules; `on` is a field"},
    {0}};
static const Field name_in[] = {NAME_FIELD, {0}};
static const Field try_in[] = {
    NAME_FIELD,
    {"version", FIELD_INT, 0, 0, 0, "preset: the newest"},
    {"payload", FIELD_STR, FIELD_REQUIRED, 0, 256 * 1024, "as a client would publish it"},
    {0}};
static const Field try_out[] = {{"fits", FIELD_BOOL, 0, 0, 0, "it does"},
                                {"reason", FIELD_STR, 0, 0, 0, "why not, one word"},
                                {"message", FIELD_STR, 0, 0, 0, "why not, for people"},
                                {"field", FIELD_STR, 0, 0, 0, "which; empty: the whole payload"},
                                {0}};
static const Field bindings_out[] = {
    {"bindings", FIELD_ARRAY, 0, 0, 0, "the first whose filter fits a topic is the topic's"}, {0}};
static const Field bind_in[] = {
    {"filter", FIELD_STR, FIELD_REQUIRED, 1, FILTER_BYTES_MAX, "topics, with + and #"},
    {"schema", FIELD_STR, FIELD_REQUIRED, 1, SCHEMA_NAME_BYTES_MAX, "name of the schema"},
    {"version", FIELD_INT, 0, 0, 0, "preset: always the newest"},
    {"mode", FIELD_STR, 0, 1, 6, "strict: what does not fit is refused; soft: it is counted"},
    {0}};
static const Field unbind_in[] = {
    {"filter", FIELD_STR, FIELD_REQUIRED, 1, FILTER_BYTES_MAX, "as it was bound"}, {0}};
static const Field of_in[] = {
    {"path", FIELD_STR, FIELD_REQUIRED, 1, FILTER_BYTES_MAX, "a topic, or a field below one"}, {0}};
static const Field of_out[] = {{"path", FIELD_STR, 0, 0, 0, "as asked"},
                               {"topic", FIELD_STR, 0, 0, 0, "the one that is bound"},
                               {"binding", FIELD_OBJECT, 0, 0, 0, "filter, schema, mode, counts"},
                               {"root", FIELD_STR, 0, 0, 0, "name of the type"},
                               {"form", FIELD_OBJECT, 0, 0, 0, "type of what stands at the path"},
                               {0}};
static const Field violations_in[] = {
    {"topic", FIELD_STR, 0, 0, FILTER_BYTES_MAX, "this topic and those below it"},
    {"schema", FIELD_STR, 0, 0, SCHEMA_NAME_BYTES_MAX, "of this schema"},
    {"limit", FIELD_INT, 0, 1, 1000, "most rows"},
    {0}};
static const Field violations_out[] = {{"violations", FIELD_ARRAY, 0, 0, 0, "newest first"},
                                       {"kept", FIELD_INT, 0, 0, 0, "that would be listed"},
                                       {"ever", FIELD_INT, 0, 0, 0, "that there were"},
                                       {0}};
static const Field stats_out[] = {{"schemas", FIELD_INT, 0, 0, 0, "how many"},
                                  {"bindings", FIELD_INT, 0, 0, 0, "how many"},
                                  {"checked", FIELD_INT, 0, 0, 0, "publishes since the start"},
                                  {"violations", FIELD_INT, 0, 0, 0, "that did not fit, ever"},
                                  {"stored", FIELD_INT, 0, 0, 0, "of them, on disk or forgotten"},
                                  {"refused", FIELD_INT, 0, 0, 0, "of them, since the start"},
                                  {0}};
static const Field changed_body[] = {{"what", FIELD_STR, 0, 0, 0, "saved, removed, bound, unbound"},
                                     {"name", FIELD_STR, 0, 0, 0, "of the schema, or the filter"},
                                     {0}};

static const ModOp ops[] = {
    {"schemas.list", schemas__op_list, NULL, list_out, 5000, ROLE_VIEW, OP_READ, "all schemas"},
    {"schemas.get", schemas__op_get, get_in, get_out, 5000, ROLE_VIEW, OP_READ,
     "one version of a schema"},
    {"schemas.save", schemas__op_save, save_in, save_out, 15000, ROLE_ENGINEER, OP_DURABLE,
     "saves a new version; refused when it is not compatible"},
    {"schemas.check", schemas__op_check, check_in, save_out, 15000, ROLE_VIEW, OP_READ,
     "what is wrong with a text, and what it would change"},
    {"schemas.remove", schemas__op_remove, name_in, NULL, 5000, ROLE_ENGINEER, OP_DURABLE,
     "removes a schema that is bound nowhere"},
    {"schemas.try", schemas__op_try, try_in, try_out, 5000, ROLE_VIEW, OP_READ,
     "whether a payload fits"},
    {"schemas.bindings", schemas__op_bindings, NULL, bindings_out, 5000, ROLE_VIEW, OP_READ,
     "which topics have which schema"},
    {"schemas.bind", schemas__op_bind, bind_in, NULL, 5000, ROLE_ENGINEER, OP_DURABLE,
     "puts a schema on topics; the same filter is bound anew"},
    {"schemas.unbind", schemas__op_unbind, unbind_in, NULL, 5000, ROLE_ENGINEER, OP_DURABLE,
     "takes a schema off topics"},
    {"schemas.of", schemas__op_of, of_in, of_out, 5000, ROLE_VIEW, OP_READ,
     "the schema and type of one path"},
    {"schemas.violations", schemas__op_violations, violations_in, violations_out, 5000, ROLE_VIEW,
     OP_READ, "publishes that did not fit"},
    {"schemas.forget", schemas__op_forget, NULL, NULL, 5000, ROLE_ENGINEER, OP_DURABLE,
     "forgets the violations that are kept and the bindings' counts"},
    {"schemas.stats", schemas__op_stats, NULL, stats_out, 2000, ROLE_VIEW, OP_READ, "counters"},
    {0}};
static const ModPub pubs[] = {{"schemas.changed", changed_body, "a schema or a binding changed"},
                              {0}};
static const ModRoute routes[] = {{"GET", "/api/v1/schemas", "schemas.list", NULL},
                                  {"POST", "/api/v1/schemas/check", "schemas.check", NULL},
                                  {"GET", "/api/v1/schemas/{name}", "schemas.get", NULL},
                                  {"PUT", "/api/v1/schemas/{name}", "schemas.save", NULL},
                                  {"DELETE", "/api/v1/schemas/{name}", "schemas.remove", NULL},
                                  {"POST", "/api/v1/schemas/{name}/try", "schemas.try", NULL},
                                  {"GET", "/api/v1/schema-bindings", "schemas.bindings", NULL},
                                  {"PUT", "/api/v1/schema-bindings", "schemas.bind", NULL},
                                  {"DELETE", "/api/v1/schema-bindings", "schemas.unbind", NULL},
                                  {"GET", "/api/v1/schema-of/{path*}", "schemas.of", NULL},
                                  {"GET", "/api/v1/schema-violations", "schemas.violations", NULL},
                                  {"DELETE", "/api/v1/schema-violations", "schemas.forget", NULL},
                                  {"GET", "/api/v1/schema-stats", "schemas.stats", NULL},
                                  {0}};

/* Alarms of schemas are declared to it. */
static const char *const needs[] = {"uns", NULL};

extern const ModuleDef schemas_module;
const ModuleDef schemas_module = {.abi = MODULE_ABI,
                                  .name = "schemas",
                                  .doc = "types bound to topics, and what did not fit them",
                                  .needs = needs,
                                  .self_bytes = sizeof(Schemas),
                                  .conf_bytes = sizeof(SchemasConf),
                                  .conf = conf,
                                  .migrations = migrations,
                                  .ops = ops,
                                  .pubs = pubs,
                                  .routes = routes,
                                  .open = schemas_open,
                                  .start = schemas_start,
                                  .drain = schemas_drain,
                                  .close = schemas_close};
