/* runtime/modules/bridges/bridges_store.c: bridges on the disk, and their changes.
 *
 * A change is on the disk before it holds. Filters that a change took away are remembered until the
 * other broker was told, however long it is away. */
#include "modules/bridges/bridges_int.h"

#include "base/mem.h"

#include <stdio.h>
#include <sodium.h>

static const char key_file[] = "bridges.key";

const StoreMigration bridges__migrations[] = {
    {1, "init",
     "CREATE TABLE bridges_bridge(name TEXT PRIMARY KEY, conf TEXT NOT NULL, sealed BLOB,"
     " known INTEGER NOT NULL, remote TEXT NOT NULL, forget TEXT NOT NULL) WITHOUT ROWID;"
     "CREATE TABLE bridges_self(id TEXT NOT NULL);"},
    {0}};

/* ---- items ---- */

Item *bridges__item_new(Bridges *self)
{
    Arena *arena = arena_new(0, 4 << 20);
    Item *item = arena ? arena_one(arena, Item) : NULL;
    if (!item) {
        arena_free(arena);
        return NULL;
    }
    item->self = self;
    item->arena = arena;
    return item;
}

void bridges__item_free(Item *item)
{
    if (!item) return;
    secret_wipe(item->conf.password);
    arena_free(item->arena);
}

/* Read from the item's own text, so all slices live as long as it. */
static Status item_read(Item *item, Str text, Diag *diag)
{
    const Json *json;
    item->text = arena_str(item->arena, text);
    if (!item->text.ptr) return diag_set(diag, ST_NO_MEMORY, "out of memory");
    Status st = json_read(item->arena, item->text, &json, diag);
    if (!st) st = bridges__read(item->arena, json, &item->conf, diag);
    item->conf.self_id = str_from(item->self->id);
    return st;
}

static Status forget_read(Item *item, Str text, Diag *diag)
{
    const Json *json;
    Str copy = arena_str(item->arena, text);
    if (!copy.ptr) return diag_set(diag, ST_NO_MEMORY, "out of memory");
    Status st = json_read(item->arena, copy, &json, diag);
    if (st) return diag_wrap(diag, st, "filters to be forgotten");
    Str *list = arena_many(item->arena, Str, json->count + 1);
    if (!list) return diag_set(diag, ST_NO_MEMORY, "out of memory");
    uint32_t count = 0;
    for (const Json *at = json->first; at; at = at->next) list[count++] = at->text;
    item->conf.forget = list;
    item->conf.forget_count = count;
    return ST_OK;
}

static Status password_open(Item *item, Diag *diag)
{
    Bridges *self = item->self;
    if (!item->sealed.len) return ST_OK;
    Status st = secret_key_load(&self->key, self->env->data_dir, key_file, diag);
    return st ? st : secret_unseal(&self->key, item->arena, item->sealed, &item->conf.password);
}

static Status load_row(Bridges *self, StoreStmt *stmt, Diag *diag)
{
    Item *item = bridges__item_new(self);
    if (!item) return diag_set(diag, ST_NO_MEMORY, "out of memory");
    Diag why = {0};
    Status st = item_read(item, store_str(stmt, 1), &why);
    item->sealed = arena_str(item->arena, store_str(stmt, 2));
    item->conf.known = store_int(stmt, 3) != 0;
    item->conf.remote_id = arena_str(item->arena, store_str(stmt, 4));
    if (!st) st = forget_read(item, store_str(stmt, 5), &why);
    if (st) {
        log_error(self->env->log, "bridges", "a stored bridge cannot be read", "name=%.*s error=%s",
                  STR_ARG(store_str(stmt, 0)), why.text);
        bridges__item_free(item);
        return ST_OK;
    }
    if (password_open(item, &why)) /* it stays, without its secret, and says so */
        log_error(self->env->log, "bridges", "the password cannot be opened", "name=%.*s error=%s",
                  STR_ARG(item->conf.name), why.text);
    st = bridges__item_put(self, item);
    return st ? diag_set(diag, st, "a bridge more than fits") : ST_OK;
}

static Status load_self(StoreConn *conn, Bridges *self, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    Status st = store_prepare(conn, "SELECT id FROM bridges_self", &stmt, diag);
    if (!st) st = store_step(stmt, &row, diag);
    if (st) return st;
    if (row) {
        (void)snprintf(self->id, sizeof self->id, "%.*s", STR_ARG(store_str(stmt, 0)));
        store_reset(stmt);
        return ST_OK;
    }
    unsigned char dice[MQTT_BRIDGE_ID_BYTES / 2];
    if (sodium_init() < 0) return diag_set(diag, ST_INTERNAL, "no random source");
    randombytes_buf(dice, sizeof dice);
    (void)sodium_bin2hex(self->id, sizeof self->id, dice, sizeof dice);
    st = store_prepare(conn, "INSERT INTO bridges_self(id) VALUES(?1)", &stmt, diag);
    if (st) return st;
    store_bind_str(stmt, 1, str_from(self->id));
    return store_step(stmt, &row, diag);
}

Status bridges__load(StoreConn *conn, void *ctx, Diag *diag)
{
    Bridges *self = ctx;
    StoreStmt *stmt;
    bool row = true;
    Status st = load_self(conn, self, diag);
    if (!st)
        st = store_prepare(conn,
                           "SELECT name, conf, sealed, known, remote, forget FROM bridges_bridge",
                           &stmt, diag);
    while (!st && !(st = store_step(stmt, &row, diag)) && row) st = load_row(self, stmt, diag);
    return st;
}

/* ---- the other side was reached ---- */

typedef struct Reached {
    Str name, remote;
    char text[]; /* both */
} Reached;

static Status reached_job(StoreConn *conn, void *ctx, Diag *diag)
{
    const Reached *r = ctx;
    StoreStmt *stmt;
    bool row;
    Status st = store_prepare(
        conn, "UPDATE bridges_bridge SET known = 1, remote = ?2, forget = '[]' WHERE name = ?1",
        &stmt, diag);
    if (st) return st;
    store_bind_str(stmt, 1, r->name);
    store_bind_str(stmt, 2, r->remote);
    return store_step(stmt, &row, diag);
}

static void reached_done(void *ctx, Status status, const Diag *diag)
{
    (void)status; /* then it is told the same with the next connection */
    (void)diag;
    mem_free(ctx);
}

static void on_reached(void *ctx, Str remote_id)
{
    Item *item = ctx;
    MqttBridgeConf *conf = &item->conf;
    if (conf->known && !conf->forget_count && str_eq(conf->remote_id, remote_id)) return;
    conf->known = true;
    conf->forget_count = 0;
    conf->remote_id = arena_str(item->arena, remote_id);
    Reached *r = mem_alloc(sizeof *r + conf->name.len + remote_id.len);
    if (!r) return;
    memcpy(r->text, conf->name.ptr, conf->name.len);
    if (remote_id.len) memcpy(r->text + conf->name.len, remote_id.ptr, remote_id.len);
    r->name = str_slice(r->text, conf->name.len);
    r->remote = str_slice(r->text + conf->name.len, remote_id.len);
    if (store_write(item->self->env->store, reached_job, reached_done, r)) mem_free(r);
}

/* ---- in memory ---- */

void bridges__item_begin(Item *item)
{
    const ModEnv *env = item->self->env;
    Diag diag = {0};
    item->conf.reached = on_reached;
    item->conf.ctx = item;
    item->error[0] = '\0';
    if (!mqtt_bridge_open(env->broker, env->loop, &item->conf, env->log, &item->bridge, &diag))
        return;
    item->bridge = NULL;
    (void)snprintf(item->error, sizeof item->error, "%s", diag.text);
    log_error(env->log, "bridges", "a bridge cannot be begun", "name=%.*s error=%s",
              STR_ARG(item->conf.name), diag.text);
}

Status bridges__item_put(Bridges *self, Item *item)
{
    Item *old = map_remove(&self->items, item->conf.name);
    if (old) mqtt_bridge_close(old->bridge, false);
    bridges__item_free(old);
    Status st = map_put(&self->items, item->conf.name, item);
    if (st) {
        bridges__item_free(item);
        return st;
    }
    if (self->begun) bridges__item_begin(item);
    return ST_OK;
}

/* ---- changes ---- */

typedef struct Change {
    Bridges *self;
    Req *req;
    Item *item;       /* owned until it is put; NULL = remove `name` */
    Str name, forget; /* JSON */
} Change;

static Status change_job(StoreConn *conn, void *ctx, Diag *diag)
{
    const Change *change = ctx;
    const Item *item = change->item;
    StoreStmt *stmt;
    bool row;
    Status st = store_prepare(conn,
                              item ? "INSERT OR REPLACE INTO bridges_bridge"
                                     "(name, conf, sealed, known, remote, forget)"
                                     " VALUES(?1, ?2, ?3, ?4, ?5, ?6)"
                                   : "DELETE FROM bridges_bridge WHERE name = ?1",
                              &stmt, diag);
    if (st) return st;
    store_bind_str(stmt, 1, change->name);
    if (item) {
        store_bind_str(stmt, 2, item->text);
        store_bind_blob(stmt, 3, item->sealed);
        store_bind_int(stmt, 4, item->conf.known);
        store_bind_str(stmt, 5, item->conf.remote_id);
        store_bind_str(stmt, 6, change->forget);
    }
    return store_step(stmt, &row, diag);
}

static void change_done(void *ctx, Status status, const Diag *diag)
{
    Change *change = ctx;
    Bridges *self = change->self;
    if (status) {
        bridges__item_free(change->item);
        req_fail(change->req, status, "%s", diag ? diag->text : status_text(status));
        return;
    }
    if (change->item) {
        status = bridges__item_put(self, change->item);
    } else {
        Item *old = map_remove(&self->items, change->name);
        if (old) mqtt_bridge_close(old->bridge, true);
        bridges__item_free(old);
    }
    if (status)
        req_fail(change->req, status, "at most %d bridges", MQTT_BRIDGES_MAX);
    else
        req_answer(change->req, STR("{}"));
}

static void change_start(Bridges *self, Change *change)
{
    Status st = store_write(self->env->store, change_job, change_done, change);
    if (!st) return;
    bridges__item_free(change->item);
    req_fail(change->req, st, "%s", status_text(st));
}

static bool has_filter(const MqttBridgeConf *conf, Str prefix, Str filter)
{
    for (uint32_t i = 0; i < conf->topic_count; i++) {
        const MqttBridgeTopic *topic = &conf->topics[i];
        if (topic->directions & MQTT_BRIDGE_IN && str_eq(topic->filter, filter) &&
            str_eq(topic->remote_prefix, prefix))
            return true;
    }
    return false;
}

/* Filters that the other broker still has and the new configuration has not. */
static Str forget_text(Arena *arena, const Item *old, const MqttBridgeConf *conf)
{
    Buf buf;
    JsonOut out;
    buf_init(&buf, BRIDGES_JSON_MAX);
    json_out_init(&out, &buf);
    json_begin_array(&out);
    for (uint32_t i = 0; old && i < old->conf.forget_count; i++)
        if (!has_filter(conf, STR(""), old->conf.forget[i]))
            json_put_str(&out, old->conf.forget[i]);
    for (uint32_t i = 0; old && i < old->conf.topic_count; i++) {
        const MqttBridgeTopic *topic = &old->conf.topics[i];
        if (!(topic->directions & MQTT_BRIDGE_IN)) continue;
        if (has_filter(conf, topic->remote_prefix, topic->filter)) continue;
        Str filter = arena_join(arena, topic->remote_prefix, topic->filter);
        if (filter.ptr) json_put_str(&out, filter);
    }
    json_end(&out);
    Str text = buf.failed ? STR("[]") : arena_str(arena, buf_view(&buf));
    buf_done(&buf);
    return text;
}

/* Of another server nothing is known yet. */
static void take_over(Item *item, const Item *old)
{
    const MqttBridgeConf *now = &item->conf, *was = &old->conf;
    if (!str_eq(now->host, was->host) || now->port != was->port ||
        !str_eq(now->client_id, was->client_id))
        return;
    item->conf.known = was->known;
    item->conf.remote_id = arena_str(item->arena, was->remote_id);
}

static Status password_set(Item *item, const Item *old, const Json *in, Diag *diag)
{
    Bridges *self = item->self;
    Str password = json_str(in, "password", STR_NONE);
    if (!json_get(in, "password")) {
        item->sealed = arena_str(item->arena, old ? old->sealed : STR(""));
        item->conf.password = arena_str(item->arena, old ? old->conf.password : STR(""));
        return ST_OK;
    }
    item->conf.password = arena_str(item->arena, password);
    item->sealed = STR("");
    if (!password.len) return ST_OK;
    Status st = secret_key_load(&self->key, self->env->data_dir, key_file, diag);
    return st ? st : secret_seal(&self->key, item->arena, password, &item->sealed);
}

/* What bridges.put was sent, or a stored bridge with something changed. */
static void put(Bridges *self, Req *req, const Json *in, const MqttBridgeConf *conf)
{
    Diag diag = {0};
    Buf buf;
    JsonOut out;
    const Item *old = map_get(&self->items, conf->name);
    Change *change = arena_one(req->arena, Change);
    Item *item = bridges__item_new(self);
    Status st = change && item ? ST_OK : diag_set(&diag, ST_NO_MEMORY, "out of memory");
    if (!st && !self->env->broker)
        st = diag_set(&diag, ST_UNSUPPORTED, "there is no embedded broker to bridge");
    if (!st && !old && self->items.len >= MQTT_BRIDGES_MAX)
        st = diag_set(&diag, ST_LIMIT, "at most %d bridges", MQTT_BRIDGES_MAX);
    buf_init(&buf, BRIDGES_JSON_MAX);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    bridges__write(&out, conf);
    json_end(&out);
    if (!st && buf.failed) st = diag_set(&diag, ST_LIMIT, "the topics are too long");
    if (!st) st = item_read(item, buf_view(&buf), &diag);
    buf_done(&buf);
    if (!st) st = password_set(item, old, in, &diag);
    if (!st && old) take_over(item, old);
    if (!st) {
        *change = (Change){.self = self,
                           .req = req,
                           .item = item,
                           .name = item->conf.name,
                           .forget = forget_text(req->arena, old, &item->conf)};
        st = forget_read(item, change->forget, &diag);
    }
    if (!st) st = mqtt_bridge_check(self->env->broker, &item->conf, &diag);
    if (st) {
        bridges__item_free(item);
        req_fail(req, st, "%s", diag.text[0] ? diag.text : status_text(st));
        return;
    }
    change_start(self, change);
}

void bridges__op_put(void *ctx, Req *req)
{
    Bridges *self = ctx;
    Diag diag = {0};
    MqttBridgeConf conf;
    Status st = bridges__read(req->arena, req->in, &conf, &diag);
    if (st)
        req_fail(req, st, "%s", diag.text);
    else
        put(self, req, req->in, &conf);
}

Item *bridges__find(const Bridges *self, Req *req)
{
    Str name = json_str(req->in, "name", STR(""));
    Item *item = map_get(&self->items, name);
    if (!item) req_fail(req, ST_NOT_FOUND, "there is no bridge \"%.*s\"", STR_ARG(name));
    return item;
}

void bridges__op_enable(void *ctx, Req *req)
{
    const Item *item = bridges__find(ctx, req);
    if (!item) return;
    MqttBridgeConf conf = item->conf;
    conf.enabled = json_bool(req->in, "enabled", true);
    put(ctx, req, NULL, &conf);
}

void bridges__op_remove(void *ctx, Req *req)
{
    Item *item = bridges__find(ctx, req);
    if (!item) return;
    Change *change = arena_one(req->arena, Change);
    if (!change) {
        req_fail(req, ST_NO_MEMORY, "out of memory");
        return;
    }
    *change = (Change){.self = ctx, .req = req, .name = arena_str(req->arena, item->conf.name)};
    change_start(ctx, change);
}
