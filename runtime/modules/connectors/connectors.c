/* runtime/modules/connectors/connectors.c: connection profiles, and the tables of this module.
 *
 * Profiles live in memory and in the module's table; a change is answered when it is on disk. What
 * runs over them is in connectors_use.c, the engine's ops in connectors_ops.c. */
#include "modules/connectors/connectors_int.h"

#include "base/clock.h"
#include "base/mem.h"

#define KEY_FILE "connectors.key"
enum { URL_MAX = 512, PASSWORD_MAX = 1024, OPTIONS_MAX = 65536 };

static Str copy(Str text)
{
    char *bytes = mem_alloc(text.len + 1);
    if (!bytes) return STR_NONE;
    if (text.len) memcpy(bytes, text.ptr, text.len);
    bytes[text.len] = '\0';
    return str_slice(bytes, text.len);
}

void connectors__profile_free(Profile *profile)
{
    if (!profile) return;
    secret_wipe(profile->password);
    mem_free((char *)(uintptr_t)profile->url.ptr);
    mem_free((char *)(uintptr_t)profile->options.ptr);
    mem_free((char *)(uintptr_t)profile->password.ptr);
    mem_free(profile);
}

Profile *connectors__profile_new(Str name, Str kind, Str url, Str options, Str password)
{
    Profile *p = mem_zalloc(1, sizeof *p);
    if (!p) return NULL;
    if (name.len > CONNECTORS_NAME_MAX || kind.len >= sizeof p->kind) goto out;
    memcpy(p->name, name.ptr, name.len);
    memcpy(p->kind, kind.ptr, kind.len);
    p->url = copy(url);
    p->options = copy(options);
    p->password = copy(password);
    p->since_ns = clock_wall_ns();
    if (p->url.ptr && p->options.ptr && p->password.ptr) return p;
out:
    connectors__profile_free(p);
    return NULL;
}

/* Puts a profile in its place; the links of the one before end, their users subscribe again. */
static Status profile_put(Connectors *self, Profile *profile)
{
    Str name = str_from(profile->name);
    Profile *old = map_get(&self->profiles, name);
    profile->stored = true;
    if (old) {
        connectors__profile_uses_close(self, old);
        (void)map_remove(&self->profiles, name);
        connectors__profile_free(old);
    }
    Status st = map_put(&self->profiles, name, profile);
    if (st) connectors__profile_free(profile);
    return st;
}

static Status load_row(Connectors *self, Arena *arena, StoreStmt *stmt, Diag *diag)
{
    Str password = STR_NONE, sealed = arena_str(arena, store_str(stmt, 4));
    if (sealed.len) {
        Status st = secret_key_load(&self->key, self->env.data_dir, KEY_FILE, diag);
        if (!st) st = secret_unseal(&self->key, arena, sealed, &password);
        /* The connection stays in the list, without its secret, and says so when it is used. */
        if (st)
            log_error(self->env.log, "connectors", "secret cannot be opened", "name=%.*s",
                      STR_ARG(store_str(stmt, 0)));
    }
    Profile *p = connectors__profile_new(store_str(stmt, 0), store_str(stmt, 1), store_str(stmt, 2),
                                         store_str(stmt, 3), password);
    secret_wipe(password);
    if (!p) return diag_set(diag, ST_NO_MEMORY, "out of memory");
    return profile_put(self, p);
}

static Status load_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Connectors *self = ctx;
    StoreStmt *stmt;
    Status st = store_prepare(
        conn, "SELECT name, kind, url, options, sealed FROM connectors_profile", &stmt, diag);
    for (bool row = true; !st && row;) {
        st = store_step(stmt, &row, diag);
        if (st || !row) break;
        Arena *arena = arena_new(0, 0);
        if (!arena) return diag_set(diag, ST_NO_MEMORY, "out of memory");
        st = load_row(self, arena, stmt, diag);
        arena_free(arena);
    }
    return st;
}

/* ---- add and remove: on disk first ---- */

typedef struct Change {
    Connectors *self;
    Req *req;
    Profile *profile; /* owned until it is put; NULL = remove `name` */
    Str name, sealed; /* in the request's arena */
} Change;

static Status change_job(StoreConn *conn, void *ctx, Diag *diag)
{
    const Change *change = ctx;
    StoreStmt *stmt;
    const Profile *p = change->profile;
    Status st = store_prepare(conn,
                              p ? "INSERT OR REPLACE INTO connectors_profile"
                                  "(name, kind, url, options, sealed) VALUES(?,?,?,?,?)"
                                : "DELETE FROM connectors_profile WHERE name = ?",
                              &stmt, diag);
    if (st) return st;
    store_bind_str(stmt, 1, change->name);
    if (p) {
        store_bind_str(stmt, 2, str_from(p->kind));
        store_bind_str(stmt, 3, p->url);
        store_bind_str(stmt, 4, p->options);
        if (change->sealed.len)
            store_bind_blob(stmt, 5, change->sealed);
        else
            store_bind_null(stmt, 5);
    }
    bool row;
    return store_step(stmt, &row, diag);
}

static void change_done(void *ctx, Status status, const Diag *diag)
{
    Change *change = ctx;
    Connectors *self = change->self;
    Req *req = change->req;
    if (status) {
        connectors__profile_free(change->profile);
        req_fail(req, status, "%s", diag ? diag->text : "");
        return;
    }
    if (change->profile) {
        status = profile_put(self, change->profile);
    } else {
        Profile *old = map_remove(&self->profiles, change->name);
        if (old) {
            connectors__profile_uses_close(self, old);
            connectors__profile_free(old);
        }
    }
    if (status)
        req_fail(req, status, "%s", status_text(status));
    else
        req_answer(req, STR("{}"));
}

static void change_start(Connectors *self, Req *req, Change *change)
{
    change->self = self;
    change->req = req;
    Status st = store_write(self->env.store, change_job, change_done, change);
    if (!st) return;
    connectors__profile_free(change->profile);
    req_fail(req, st, "%s", status_text(st));
}

/* The options without the password, as JSON text. */
static Str options_text(Arena *arena, const Json *options)
{
    Buf buf;
    JsonOut out;
    buf_init(&buf, OPTIONS_MAX);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    for (const Json *o = options ? options->first : NULL; o; o = o->next) {
        if (str_is(o->key, "password")) continue;
        json_key_str(&out, o->key);
        json_put_raw(&out, o->raw);
    }
    json_end(&out);
    Str text = buf.failed ? STR_NONE : arena_str(arena, buf_view(&buf));
    buf_done(&buf);
    return text;
}

static Status add_check(Connectors *self, const Json *in, Diag *diag)
{
    const ConnectorsConf *conf = self->env.conf;
    Str name = json_str(in, "name", STR_NONE), kind = json_str(in, "kind", STR_NONE), host;
    uint16_t port;
    const ConnectDriver *driver = connect_driver(kind);
    if (!driver) return diag_set(diag, ST_INVALID, "there is no kind \"%.*s\"", STR_ARG(kind));
    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.ptr[i] <= ' ' || strchr("/+#\"\\", name.ptr[i]))
            return diag_set(diag, ST_INVALID, "a name has no spaces and none of / + # \" \\");
    if (!map_get(&self->profiles, name) && (int64_t)self->profiles.len >= conf->profiles_max)
        return diag_set(diag, ST_LIMIT, "more than %lld connections",
                        (long long)conf->profiles_max);
    for (const Json *o = json_get(in, "options") ? json_get(in, "options")->first : NULL; o;
         o = o->next) {
        const ConnectField *field = driver->options;
        while (field->name && !str_is(o->key, field->name)) field++;
        if (!field->name)
            return diag_set(diag, ST_INVALID, "%s has no option \"%.*s\"", driver->kind,
                            STR_ARG(o->key));
    }
    return connect_url(json_str(in, "url", STR_NONE), driver->kind, 1, &host, &port, diag);
}

static void op_add(void *ctx, Req *req)
{
    Connectors *self = ctx;
    Diag diag = {0};
    const Json *options = json_get(req->in, "options");
    Str password = json_str(options, "password", STR_NONE);
    Status st = add_check(self, req->in, &diag);
    Change *change = arena_one(req->arena, Change);
    if (!st && (!change || password.len > PASSWORD_MAX))
        st = diag_set(&diag, ST_LIMIT, "a password has at most %d bytes", PASSWORD_MAX);
    if (!st && password.len) {
        st = secret_key_load(&self->key, self->env.data_dir, KEY_FILE, &diag);
        if (!st) st = secret_seal(&self->key, req->arena, password, &change->sealed);
    }
    Str text = st ? STR_NONE : options_text(req->arena, options);
    if (!st && !text.ptr) st = diag_set(&diag, ST_LIMIT, "the options are too long");
    if (st) {
        req_fail(req, st, "%s", diag.text);
        return;
    }
    change->name = json_str(req->in, "name", STR_NONE);
    change->profile = connectors__profile_new(change->name, json_str(req->in, "kind", STR_NONE),
                                              json_str(req->in, "url", STR_NONE), text, password);
    if (!change->profile)
        req_fail(req, ST_NO_MEMORY, "out of memory");
    else
        change_start(self, req, change);
}

static void op_remove(void *ctx, Req *req)
{
    Connectors *self = ctx;
    Str name = json_str(req->in, "name", STR_NONE);
    Change *change = arena_one(req->arena, Change);
    if (!change || !map_get(&self->profiles, name)) {
        req_fail(req, ST_NOT_FOUND, "there is no connection \"%.*s\"", STR_ARG(name));
        return;
    }
    change->name = name;
    change_start(self, req, change);
}

/* ---- reading ---- */

static void profile_json(JsonOut *out, const Profile *p)
{
    json_begin_object(out);
    json_field_text(out, "name", p->name);
    json_field_bool(out, "stored", p->stored);
    json_field_text(out, "kind", p->kind);
    json_field_str(out, "url", p->url);
    json_key(out, "options");
    json_put_raw(out, p->options);
    json_field_bool(out, "secret", p->password.len > 0);
    json_field_text(out, "state", connect_state_name(p->state));
    json_field_text(out, "error", p->error);
    json_field_int(out, "since_ms", p->since_ns / NS_PER_MS);
    json_field_int(out, "next_try_ms", p->next_try_ns / NS_PER_MS);
    json_field_int(out, "uses", p->uses);
    json_field_int(out, "records", (int64_t)p->records);
    json_field_int(out, "errors", (int64_t)p->errors);
    json_field_int(out, "bytes", (int64_t)p->bytes);
    json_field_int(out, "writes", (int64_t)p->writes);
    json_end(out);
}

static void op_list(void *ctx, Req *req)
{
    Connectors *self = ctx;
    Buf body;
    JsonOut out;
    buf_init(&body, BUS_BODY_BYTES_MAX);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_key(&out, "connections");
    json_begin_array(&out);
    MapSlot *slot;
    for (size_t at = 0; (slot = map_next(&self->profiles, &at));) profile_json(&out, slot->value);
    for (const Use *use = self->uses; use; use = use->next)
        if (use->profile && !use->profile->stored) profile_json(&out, use->profile);
    json_end(&out);
    json_key(&out, "kinds");
    json_begin_array(&out);
    const ConnectDriver *driver;
    for (size_t i = 0; (driver = connect_driver_at(i)); i++) {
        json_begin_object(&out);
        json_field_text(&out, "kind", driver->kind);
        json_field_text(&out, "doc", driver->doc);
        json_key(&out, "options");
        json_begin_array(&out);
        for (const ConnectField *field = driver->options; field->name; field++) {
            json_begin_object(&out);
            json_field_text(&out, "name", field->name);
            json_field_text(&out, "preset", field->preset);
            json_field_text(&out, "doc", field->doc);
            json_end(&out);
        }
        json_end(&out);
        json_end(&out);
    }
    json_end(&out);
    json_end(&out);
    req_answer_buf(req, &body);
}

static void op_state(void *ctx, Req *req)
{
    Connectors *self = ctx;
    Str name = json_str(req->in, "name", STR_NONE);
    const Profile *p = map_get(&self->profiles, name);
    if (!p) {
        req_fail(req, ST_NOT_FOUND, "there is no connection \"%.*s\"", STR_ARG(name));
        return;
    }
    Buf body;
    JsonOut out;
    buf_init(&body, BUS_BODY_BYTES_MAX);
    json_out_init(&out, &body);
    profile_json(&out, p);
    req_answer_buf(req, &body);
}

/* ---- life ---- */

static Status connectors_open(void *ctx, const ModEnv *env, Diag *diag)
{
    (void)diag;
    Connectors *self = ctx;
    self->env = *env;
    map_init(&self->profiles, (size_t)((const ConnectorsConf *)env->conf)->profiles_max);
    return ST_OK;
}

static Status connectors_start(void *ctx, Diag *diag)
{
    Connectors *self = ctx;
    return store_run_now(self->env.store, load_job, self, diag);
}

static void connectors_close(void *ctx)
{
    Connectors *self = ctx;
    while (self->uses) connectors__use_close(self->uses);
    loop_timer_stop(self->flush);
    MapSlot *slot;
    for (size_t at = 0; (slot = map_next(&self->profiles, &at));)
        connectors__profile_free(slot->value);
    map_done(&self->profiles);
    secret_key_wipe(&self->key);
}

#define NAME                                                                                       \
    {                                                                                              \
        "name", FIELD_STR, 0, 1, CONNECTORS_NAME_MAX, "name of a stored connection"                \
    }
#define NAME_REQUIRED                                                                              \
    {                                                                                              \
        "name", FIELD_STR, FIELD_REQUIRED, 1, CONNECTORS_NAME_MAX, "name of the connection"        \
    }
#define ID                                                                                         \
    {                                                                                              \
        "id", FIELD_STR, FIELD_REQUIRED, 1, CONNECTORS_NAME_MAX, "the subscription's id"           \
    }
#define CONNECTION                                                                                 \
    {                                                                                              \
        "connection", FIELD_OBJECT, 0, 0, 0, "kind, url, options: instead of a name"               \
    }

static const Field subscribe_in[] = {
    ID,
    NAME,
    CONNECTION,
    {"address", FIELD_STR, 0, 0, 4096, "what to read; MQTT: topic filter"},
    {"options", FIELD_OBJECT, 0, 0, 0, "of the subscription, see README"},
    {"window", FIELD_INT, 0, 1, 65536, "most records without ack"},
    {0}};
static const Field id_in[] = {ID, {0}};
static const Field id_out[] = {ID, {0}};
static const Field ack_in[] = {
    ID, {"seq", FIELD_INT, FIELD_REQUIRED, 0, 0, "all records up to this one are taken over"}, {0}};
static const Field write_in[] = {
    NAME,
    CONNECTION,
    {"address", FIELD_STR, FIELD_REQUIRED, 1, 4096, "where to write; MQTT: topic"},
    {"payload", FIELD_STR, FIELD_REQUIRED, 0, 1000000, "the bytes, as text"},
    {"base64", FIELD_BOOL, 0, 0, 0, "the payload is base64 of bytes that are no text"},
    {"qos", FIELD_INT, 0, 0, 2, "quality of service"},
    {"retain", FIELD_BOOL, 0, 0, 0, "the peer keeps it as the last value"},
    {0}};
static const Field add_in[] = {
    NAME_REQUIRED,
    {"kind", FIELD_STR, FIELD_REQUIRED, 1, 15, "protocol: mqtt, modbus"},
    {"url", FIELD_STR, FIELD_REQUIRED, 1, URL_MAX, "kind://host:port"},
    {"options", FIELD_OBJECT, 0, 0, 0, "of the protocol; a password is stored sealed"},
    {0}};
static const Field test_in[] = {
    NAME,
    {"kind", FIELD_STR, 0, 1, 15, "protocol, when the connection is not stored yet"},
    {"url", FIELD_STR, 0, 1, URL_MAX, "kind://host:port"},
    {"options", FIELD_OBJECT, 0, 0, 0, "of the protocol"},
    {0}};
static const Field test_out[] = {{"ok", FIELD_BOOL, FIELD_REQUIRED, 0, 0, "the peer answered"},
                                 {"error", FIELD_STR, 0, 0, 0, "what went wrong, in words"},
                                 {"ms", FIELD_INT, 0, 0, 0, "how long it took, milliseconds"},
                                 {0}};
static const Field name_in[] = {NAME_REQUIRED, {0}};
static const Field list_out[] = {
    {"connections", FIELD_ARRAY, FIELD_REQUIRED, 0, 0, "each as connectors.state answers it"},
    {"kinds", FIELD_ARRAY, FIELD_REQUIRED, 0, 0, "the protocols and their options"},
    {0}};
static const Field state_out[] = {
    NAME_REQUIRED,
    {"stored", FIELD_BOOL, 0, 0, 0, "false: it stands in a program, its name is the link's id"},
    {"kind", FIELD_STR, 0, 0, 0, "protocol"},
    {"url", FIELD_STR, 0, 0, 0, "address of the peer"},
    {"options", FIELD_OBJECT, 0, 0, 0, "without the secret"},
    {"secret", FIELD_BOOL, 0, 0, 0, "a password is stored"},
    {"state", FIELD_STR, 0, 0, 0, "idle, connecting, connected, degraded, failed"},
    {"error", FIELD_STR, 0, 0, 0, "the last reason, in words"},
    {"since_ms", FIELD_INT, 0, 0, 0, "when this state began, milliseconds since 1970"},
    {"next_try_ms", FIELD_INT, 0, 0, 0,
     "when it connects again, milliseconds since 1970; 0 = not planned"},
    {"uses", FIELD_INT, 0, 0, 0, "links open over it"},
    {"records", FIELD_INT, 0, 0, 0, "received since start"},
    {"errors", FIELD_INT, 0, 0, 0, "error records since start"},
    {"bytes", FIELD_INT, 0, 0, 0, "payload bytes since start"},
    {"writes", FIELD_INT, 0, 0, 0, "sent since start"},
    {0}};
static const Field changed_body[] = {NAME_REQUIRED,
                                     {"state", FIELD_STR, 0, 0, 0, "the new state"},
                                     {"error", FIELD_STR, 0, 0, 0, "reason, empty when fine"},
                                     {0}};

static const ModConf conf[] = {{"profiles_max", CONF_INT, "1000", 1, 100000,
                                offsetof(ConnectorsConf, profiles_max), 0,
                                "most stored connections"},
                               {"uses_max", CONF_INT, "256", 1, 10000,
                                offsetof(ConnectorsConf, uses_max), 0, "most links open at once"},
                               {0}};
static const ModOp ops[] = {{"connectors.subscribe", connectors__op_subscribe, subscribe_in, id_out,
                             5000, ROLE_SYSTEM, 0, "records of a peer as events data.connect.ID"},
                            {"connectors.unsubscribe", connectors__op_unsubscribe, id_in, NULL,
                             5000, ROLE_SYSTEM, 0, "ends a subscription"},
                            {"connectors.ack", connectors__op_ack, ack_in, NULL, 5000, ROLE_SYSTEM,
                             0, "records up to seq are taken over for good"},
                            {"connectors.write", connectors__op_write, write_in, NULL, 30000,
                             ROLE_SYSTEM, 0,
                             "sends one message; answers when the peer acknowledged it"},
                            {"connectors.list", op_list, NULL, list_out, 2000, ROLE_VIEW, OP_READ,
                             "all connections, stored or of programs that run, and all protocols"},
                            {"connectors.state", op_state, name_in, state_out, 2000, ROLE_VIEW,
                             OP_READ, "one connection: state, last error, next try, counters"},
                            {"connectors.add", op_add, add_in, NULL, 5000, ROLE_ENGINEER,
                             OP_DURABLE, "stores a connection, or replaces the one of that name"},
                            {"connectors.remove", op_remove, name_in, NULL, 5000, ROLE_ENGINEER,
                             OP_DURABLE, "forgets a connection and ends its links"},
                            {"connectors.test", connectors__op_test, test_in, test_out, 10000,
                             ROLE_ENGINEER, 0, "connects once and says what happened"},
                            {0}};
static const ModPub pubs[] = {
    {"connectors.changed", changed_body, "a connection changed its state or its reason"},
    {"data.connect.ID", NULL, "a batch of records; layout in the module's README"},
    {0}};
static const ModRoute routes[] = {
    {"GET", "/api/v1/connectors", "connectors.list", NULL},
    {"GET", "/api/v1/connectors/{name}", "connectors.state", NULL},
    {"POST", "/api/v1/connectors", "connectors.add", NULL},
    {"POST", "/api/v1/connectors/test", "connectors.test", NULL},
    {"DELETE", "/api/v1/connectors/{name}", "connectors.remove", NULL},
    {0}};
static const StoreMigration migrations[] = {
    {1, "init",
     "CREATE TABLE connectors_profile(name TEXT PRIMARY KEY, kind TEXT NOT NULL, url TEXT NOT NULL,"
     " options TEXT NOT NULL, sealed BLOB) WITHOUT ROWID;"},
    {0}};

const ModuleDef connectors_module = {.abi = MODULE_ABI,
                                     .name = "connectors",
                                     .doc = "connections to machines and servers, supervised",
                                     .self_bytes = sizeof(Connectors),
                                     .conf_bytes = sizeof(ConnectorsConf),
                                     .conf = conf,
                                     .ops = ops,
                                     .pubs = pubs,
                                     .routes = routes,
                                     .migrations = migrations,
                                     .open = connectors_open,
                                     .start = connectors_start,
                                     .close = connectors_close};
