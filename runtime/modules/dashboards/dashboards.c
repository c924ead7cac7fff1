/* runtime/modules/dashboards/dashboards.c: definitions people made, and one that makes itself.
 *
 * A definition is checked for shape and bounds and otherwise kept as the page wrote it. Writers
 * name the version they edited; whoever comes second gets ST_CONFLICT instead of overwriting. The
 * dashboard "overview" is never stored: it is drawn from the names of the namespace each time, so a
 * new installation shows something right after its first publish. */
#include "modules/dashboards/overview.h"

#include "module/module.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>

enum {
    DEFINITION_BYTES_MAX = 256 * 1024,
    WIDGETS_MAX = 200,
    COLUMNS = 12,
    ROWS_MAX = 1000,
    DASHBOARDS_MAX = 1000,
    NAME_BYTES_MAX = 64,
    PATH_BYTES_MAX = 65535,
    ANSWER_BYTES_MAX = BUS_BODY_BYTES_MAX,
};

typedef struct Dashboards {
    const ModEnv *env;
} Dashboards;

/* One request on its way through the store. */
typedef struct Job {
    Dashboards *self;
    Req *req;
    Str name, title, definition, user;
    int64_t version, now_ms;
    Buf body; /* the answer; written by the job */
} Job;

static bool name_valid(Str name)
{
    if (!name.len || name.len > NAME_BYTES_MAX) return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
        if (!letter) return false;
    }
    return true;
}

/* ---- the shape of a definition ---- */

static Status check_widget(const Json *widget, Diag *diag)
{
    static const char *const types[] = {"value", "trend", "bar", "table", "state", "text"};
    Str type = json_str(widget, "type", STR_NONE), id = json_str(widget, "id", STR_NONE);
    int64_t x = json_int(widget, "x", -1), y = json_int(widget, "y", -1),
            w = json_int(widget, "w", 0), h = json_int(widget, "h", 0);
    bool known = false;
    for (size_t i = 0; i < COUNT_OF(types); i++) known = known || str_is(type, types[i]);
    if (!id.len || id.len > NAME_BYTES_MAX || !known)
        return diag_set(diag, ST_INVALID, "widget \"%.*s\" has no id or an unknown type",
                        STR_ARG(id));
    if (x < 0 || y < 0 || w < 1 || h < 1 || x + w > COLUMNS || y > ROWS_MAX || h > ROWS_MAX)
        return diag_set(diag, ST_INVALID, "widget \"%.*s\" lies outside of the grid", STR_ARG(id));
    return ST_OK;
}

static Status check_definition(const Json *definition, Diag *diag)
{
    const Json *widgets = json_get(definition, "widgets");
    if (!widgets || widgets->type != JSON_ARRAY)
        return diag_set(diag, ST_INVALID, "the definition has no list of widgets");
    if (widgets->count > WIDGETS_MAX || definition->raw.len > DEFINITION_BYTES_MAX)
        return diag_set(diag, ST_LIMIT, "at most %d widgets and %d bytes", WIDGETS_MAX,
                        DEFINITION_BYTES_MAX);
    for (const Json *widget = widgets->first; widget; widget = widget->next) {
        Status st = check_widget(widget, diag);
        if (st) return st;
        for (const Json *other = widgets->first; other != widget; other = other->next)
            if (str_eq(json_str(other, "id", STR_NONE), json_str(widget, "id", STR_NONE)))
                return diag_set(diag, ST_INVALID, "two widgets have the id \"%.*s\"",
                                STR_ARG(json_str(widget, "id", STR_NONE)));
    }
    return ST_OK;
}

/* ---- jobs on the store's thread ---- */

static void put_head(JsonOut *out, Str name, Str title, int64_t version, int64_t updated, Str by)
{
    json_field_str(out, "name", name);
    json_field_str(out, "title", title);
    json_field_int(out, "version", version);
    json_field_int(out, "updated", updated);
    json_field_str(out, "by", by);
}

static Status list_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Job *job = ctx;
    StoreStmt *stmt;
    JsonOut out;
    bool row;
    Status st = store_prepare(conn,
                              "SELECT name, title, version, updated, by FROM dashboards"
                              " ORDER BY title, name",
                              &stmt, diag);
    json_out_init(&out, &job->body);
    json_begin_object(&out);
    json_key(&out, "dashboards");
    json_begin_array(&out);
    json_begin_object(&out);
    put_head(&out, STR("overview"), STR("Overview"), 0, 0, STR_NONE);
    json_field_bool(&out, "generated", true);
    json_end(&out);
    while (!st && !(st = store_step(stmt, &row, diag)) && row) {
        json_begin_object(&out);
        put_head(&out, store_str(stmt, 0), store_str(stmt, 1), store_int(stmt, 2),
                 store_int(stmt, 3), store_str(stmt, 4));
        json_field_bool(&out, "generated", false);
        json_end(&out);
    }
    json_end(&out);
    json_end(&out);
    return st;
}

static Status get_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Job *job = ctx;
    StoreStmt *stmt;
    JsonOut out;
    bool row;
    Status st = store_prepare(conn,
                              "SELECT name, title, version, updated, by, definition"
                              " FROM dashboards WHERE name = ?1",
                              &stmt, diag);
    if (st) return st;
    store_bind_str(stmt, 1, job->name);
    st = store_step(stmt, &row, diag);
    if (st) return st;
    if (!row) return diag_set(diag, ST_NOT_FOUND, "there is no dashboard %.*s", STR_ARG(job->name));
    buf_clear(&job->body);
    json_out_init(&out, &job->body);
    json_begin_object(&out);
    put_head(&out, store_str(stmt, 0), store_str(stmt, 1), store_int(stmt, 2), store_int(stmt, 3),
             store_str(stmt, 4));
    json_field_bool(&out, "generated", false);
    json_key(&out, "definition");
    json_put_raw(&out, store_str(stmt, 5));
    json_end(&out);
    store_reset(stmt);
    return ST_OK;
}

/* Dashboards with a widget of the path, or of one below it. */
static Status uses_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Job *job = ctx;
    StoreStmt *stmt;
    JsonOut out;
    bool row;
    Status st = store_prepare(conn,
                              "SELECT d.name, d.title, count(DISTINCT w.id)"
                              " FROM dashboards d, json_each(d.definition, '$.widgets') w,"
                              " json_each(w.value, '$.paths') p WHERE p.value = ?1"
                              " OR substr(p.value, 1, length(?1) + 1) = ?1 || '/'"
                              " GROUP BY d.name ORDER BY d.title, d.name LIMIT 200",
                              &stmt, diag);
    if (st) return st;
    store_bind_str(stmt, 1, job->name);
    json_out_init(&out, &job->body);
    json_begin_object(&out);
    json_key(&out, "dashboards");
    json_begin_array(&out);
    while (!(st = store_step(stmt, &row, diag)) && row) {
        json_begin_object(&out);
        json_field_str(&out, "name", store_str(stmt, 0));
        json_field_str(&out, "title", store_str(stmt, 1));
        json_field_int(&out, "widgets", store_int(stmt, 2));
        json_end(&out);
    }
    json_end(&out);
    json_end(&out);
    return st;
}

static Status current_version(StoreConn *conn, Str name, int64_t *ret_version, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    Status st = store_prepare(conn, "SELECT version FROM dashboards WHERE name = ?1", &stmt, diag);
    if (st) return st;
    store_bind_str(stmt, 1, name);
    st = store_step(stmt, &row, diag);
    if (st) return st;
    *ret_version = row ? store_int(stmt, 0) : 0;
    if (row) store_reset(stmt);
    return ST_OK;
}

static Status check_room(StoreConn *conn, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    Status st = store_prepare(conn, "SELECT count(*) FROM dashboards", &stmt, diag);
    if (st) return st;
    st = store_step(stmt, &row, diag);
    if (st || !row) return st;
    int64_t count = store_int(stmt, 0);
    store_reset(stmt);
    return count < DASHBOARDS_MAX
               ? ST_OK
               : diag_set(diag, ST_LIMIT, "there are %d dashboards already", DASHBOARDS_MAX);
}

static Status put_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Job *job = ctx;
    StoreStmt *stmt;
    int64_t version = 0;
    bool row;
    Status st = current_version(conn, job->name, &version, diag);
    if (st) return st;
    if (version != job->version)
        return diag_set(diag, ST_CONFLICT,
                        "somebody saved %.*s meanwhile: it is at version %lld, you edited %lld",
                        STR_ARG(job->name), (long long)version, (long long)job->version);
    if (!version) st = check_room(conn, diag);
    if (!st)
        st = store_prepare(conn,
                           "INSERT INTO dashboards(name, title, version, updated, by, definition)"
                           " VALUES(?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT(name) DO UPDATE SET"
                           " title = excluded.title, version = excluded.version,"
                           " updated = excluded.updated, by = excluded.by,"
                           " definition = excluded.definition",
                           &stmt, diag);
    if (st) return st;
    store_bind_str(stmt, 1, job->name);
    store_bind_str(stmt, 2, job->title);
    store_bind_int(stmt, 3, version + 1);
    store_bind_int(stmt, 4, job->now_ms);
    store_bind_str(stmt, 5, job->user);
    store_bind_str(stmt, 6, job->definition);
    st = store_step(stmt, &row, diag);
    return st ? st : get_job(conn, job, diag);
}

static Status delete_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Job *job = ctx;
    StoreStmt *stmt;
    bool row;
    Status st = store_prepare(conn, "DELETE FROM dashboards WHERE name = ?1", &stmt, diag);
    if (st) return st;
    store_bind_str(stmt, 1, job->name);
    st = store_step(stmt, &row, diag);
    if (st) return st;
    if (!store_changes(conn))
        return diag_set(diag, ST_NOT_FOUND, "there is no dashboard %.*s", STR_ARG(job->name));
    buf_text(&job->body, "{}");
    return ST_OK;
}

/* ---- ops ---- */

static void answer(Job *job, Status status, const Diag *diag)
{
    if (!status) status = buf_status(&job->body);
    if (status)
        req_fail(job->req, status, "%s", diag && diag->text[0] ? diag->text : status_text(status));
    else
        req_answer(job->req, buf_view(&job->body));
    buf_done(&job->body);
    mem_free(job);
}

static void on_read(void *ctx, Status status, const Diag *diag)
{
    answer(ctx, status, diag);
}

static void on_changed(void *ctx, Status status, const Diag *diag)
{
    Job *job = ctx;
    if (!status) {
        char body[NAME_BYTES_MAX + 32];
        int len = snprintf(body, sizeof body, "{\"name\":\"%.*s\"}", STR_ARG(job->name));
        if (bus_publish(job->self->env->bus, STR("dashboards.changed"), (Str){body, (size_t)len}))
            log_debug(job->self->env->log, "dashboards", "change not told", "name=%.*s",
                      STR_ARG(job->name));
    }
    answer(job, status, diag);
}

static Job *job_new(Dashboards *self, Req *req)
{
    Job *job = mem_zalloc(1, sizeof *job);
    if (!job) {
        req_fail(req, ST_NO_MEMORY, "no memory for the request");
        return NULL;
    }
    job->self = self;
    job->req = req;
    job->name = json_str(req->in, "name", STR_NONE);
    job->now_ms = clock_wall_ns() / NS_PER_MS;
    buf_init(&job->body, ANSWER_BYTES_MAX);
    return job;
}

static void start(Job *job, StoreJobFn *fn, bool writes)
{
    Store *store = job->self->env->store;
    Status st =
        writes ? store_write(store, fn, on_changed, job) : store_read(store, fn, on_read, job);
    if (st) answer(job, st, NULL);
}

static void op_list(void *self, Req *req)
{
    Job *job = job_new(self, req);
    if (job) start(job, list_job, false);
}

static void op_get(void *self, Req *req)
{
    Job *job = job_new(self, req);
    if (job) start(job, get_job, false);
}

static void op_uses(void *self, Req *req)
{
    Job *job = job_new(self, req);
    if (!job) return;
    job->name = json_str(req->in, "path", STR_NONE);
    start(job, uses_job, false);
}

static void op_put(void *self, Req *req)
{
    Diag diag = {0};
    Str name = json_str(req->in, "name", STR_NONE);
    const Json *definition = json_get(req->in, "definition");
    if (!name_valid(name) || str_is(name, "overview")) {
        req_fail(req, ST_INVALID,
                 "a name has 1 to 64 of a-z 0-9 _ - and is not \"overview\", which makes itself");
        return;
    }
    Status st = check_definition(definition, &diag);
    if (st) {
        req_fail(req, st, "%s", diag.text);
        return;
    }
    Job *job = job_new(self, req);
    if (!job) return;
    job->title = json_str(req->in, "title", STR_NONE);
    job->version = json_int(req->in, "version", 0);
    job->definition = definition->raw;
    job->user = bus_caller_who(&req->caller);
    start(job, put_job, true);
}

static void op_delete(void *self, Req *req)
{
    Job *job = job_new(self, req);
    if (job) start(job, delete_job, true);
}

/* ---- the overview that makes itself ---- */

static void on_tree(void *ctx, Status status, Str body)
{
    Req *req = ctx;
    Arena *arena = arena_new(0, 64 << 20);
    const Json *tree = NULL;
    if (status || !arena || json_read(arena, body, &tree, NULL)) {
        req_fail(req, status ? status : ST_NO_MEMORY, "the namespace does not answer");
        arena_free(arena);
        return;
    }
    const Json *nodes = json_get(tree, "nodes");
    Buf text;
    JsonOut out;
    buf_init(&text, ANSWER_BYTES_MAX);
    json_out_init(&out, &text);
    json_begin_object(&out);
    put_head(&out, STR("overview"), STR("Overview"), 0, clock_wall_ns() / NS_PER_MS, STR_NONE);
    json_field_bool(&out, "generated", true);
    json_key(&out, "definition");
    json_begin_object(&out);
    json_field_int(&out, "columns", COLUMNS);
    json_key(&out, "widgets");
    json_begin_array(&out);
    if (nodes) dashboards__overview(arena, nodes, &out);
    json_end(&out);
    json_end(&out);
    json_end(&out);
    if (buf_status(&text))
        req_fail(req, ST_LIMIT, "the overview is too large");
    else
        req_answer(req, buf_view(&text));
    buf_done(&text);
    arena_free(arena);
}

static void op_overview(void *self, Req *req)
{
    Dashboards *dashboards = self;
    BusCaller system = {.roles = ROLE_SYSTEM | ROLE_ADMIN};
    Status st = bus_request(dashboards->env->bus, STR("uns.tree"),
                            STR("{\"depth\":0,\"limit\":2000}"), &system, 5000, on_tree, req);
    if (st) req_fail(req, st, "the namespace does not answer");
}

/* ---- tables ---- */

static Status dashboards_open(void *self, const ModEnv *env, Diag *diag)
{
    (void)diag;
    ((Dashboards *)self)->env = env;
    return ST_OK;
}

static void dashboards_close(void *self)
{
    (void)self;
}

static const StoreMigration migrations[] = {
    {1, "dashboards",
     "CREATE TABLE dashboards(name TEXT PRIMARY KEY, title TEXT NOT NULL, version INTEGER NOT NULL,"
     " updated INTEGER NOT NULL, by TEXT NOT NULL, definition TEXT NOT NULL) WITHOUT ROWID;"},
    {0}};

static const Field name_in[] = {
    {"name", FIELD_STR, FIELD_REQUIRED, 1, NAME_BYTES_MAX, "name in the address"}, {0}};
static const Field uses_in[] = {
    {"path", FIELD_STR, FIELD_REQUIRED, 1, PATH_BYTES_MAX, "a path of the namespace"}, {0}};
static const Field uses_out[] = {
    {"dashboards", FIELD_ARRAY, 0, 0, 0, "name, title, how many widgets show it"}, {0}};
static const Field put_in[] = {
    {"name", FIELD_STR, FIELD_REQUIRED, 1, NAME_BYTES_MAX, "name in the address"},
    {"title", FIELD_STR, FIELD_REQUIRED, 1, 200, "what people read"},
    {"version", FIELD_INT, 0, 0, 1e15, "the version that was edited; 0 = new"},
    {"definition", FIELD_OBJECT, FIELD_REQUIRED, 0, 0, "columns and widgets"},
    {0}};
static const Field list_out[] = {
    {"dashboards", FIELD_ARRAY, 0, 0, 0, "name, title, version, updated, by"}, {0}};
static const Field get_out[] = {{"name", FIELD_STR, 0, 0, 0, "name in the address"},
                                {"title", FIELD_STR, 0, 0, 0, "what people read"},
                                {"version", FIELD_INT, 0, 0, 0, "counts saves"},
                                {"updated", FIELD_INT, 0, 0, 0, "ms since 1970"},
                                {"by", FIELD_STR, 0, 0, 0, "name of the user"},
                                {"generated", FIELD_BOOL, 0, 0, 0, "made by the program"},
                                {"definition", FIELD_OBJECT, 0, 0, 0, "columns and widgets"},
                                {0}};
static const Field changed_body[] = {{"name", FIELD_STR, 0, 0, 0, "saved or deleted"}, {0}};

static const ModOp ops[] = {
    {"dashboards.list", op_list, NULL, list_out, 5000, ROLE_VIEW, OP_READ, "all dashboards"},
    {"dashboards.get", op_get, name_in, get_out, 5000, ROLE_VIEW, OP_READ, "one dashboard"},
    {"dashboards.uses", op_uses, uses_in, uses_out, 5000, ROLE_VIEW, OP_READ,
     "dashboards that show a path, or what is below it"},
    {"dashboards.put", op_put, put_in, get_out, 10000, ROLE_ENGINEER, OP_DURABLE,
     "stores a dashboard"},
    {"dashboards.delete", op_delete, name_in, NULL, 10000, ROLE_ENGINEER, OP_DURABLE,
     "deletes a dashboard"},
    {"dashboards.overview", op_overview, NULL, get_out, 8000, ROLE_VIEW, OP_READ,
     "a dashboard of what exists"},
    {0}};
static const ModPub pubs[] = {{"dashboards.changed", changed_body, "one was saved or deleted"},
                              {0}};
static const ModRoute routes[] = {
    {"GET", "/api/v1/dashboards", "dashboards.list", NULL},
    {"GET", "/api/v1/dashboard-uses/{path*}", "dashboards.uses", NULL},
    {"GET", "/api/v1/dashboards/overview", "dashboards.overview", NULL},
    {"GET", "/api/v1/dashboards/{name}", "dashboards.get", NULL},
    {"PUT", "/api/v1/dashboards/{name}", "dashboards.put", NULL},
    {"DELETE", "/api/v1/dashboards/{name}", "dashboards.delete", NULL},
    {0}};

extern const ModuleDef dashboards_module;
const ModuleDef dashboards_module = {.abi = MODULE_ABI,
                                     .name = "dashboards",
                                     .doc = "dashboard definitions and a generated overview",
                                     .self_bytes = sizeof(Dashboards),
                                     .migrations = migrations,
                                     .ops = ops,
                                     .pubs = pubs,
                                     .routes = routes,
                                     .open = dashboards_open,
                                     .close = dashboards_close};
