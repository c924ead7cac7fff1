/* runtime/modules/authz/authz.c: the rules about paths: kept, changed, explained.
 *
 * A policy is the whole list; a change writes a new version beside the old ones. What a new
 * installation starts with is a policy like any other: people see it and change it. */
#include "module/access.h"
#include "module/role.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>

enum { POLICY_BYTES_MAX = 256 * 1024, VERSIONS_KEPT = 100, ANSWER_BYTES_MAX = BUS_BODY_BYTES_MAX };

/* Anonymous clients come in from this machine only, unless TUTTI_MQTT_ANONYMOUS says otherwise. */
static const char first_policy[] =
    "[{\"who\":\"anonymous\",\"may\":\"read write\",\"path\":\"#\",\"allow\":true},"
    "{\"who\":\"role:view\",\"may\":\"read\",\"path\":\"#\",\"allow\":true},"
    "{\"who\":\"role:operate\",\"may\":\"write\",\"path\":\"#\",\"allow\":true},"
    "{\"who\":\"everyone\",\"may\":\"read\",\"path\":\"$SYS/#\",\"allow\":true}]";

typedef struct Authz {
    const ModEnv *env;
    int64_t version;
    Buf text; /* the policy in force */
    Access *access;
} Authz;

typedef struct Change {
    Authz *self;
    Req *req;
    Str text, user;
    int64_t version; /* the one that was edited; the new one is one more */
    Access *access;
} Change;

static Status write_policy(StoreConn *conn, int64_t version, Str text, Str user, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    Status st = store_prepare(conn,
                              "INSERT INTO authz_policies(version, text, changed_ms, by)"
                              " VALUES(?1, ?2, ?3, ?4)",
                              &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, version);
    store_bind_str(stmt, 2, text);
    store_bind_int(stmt, 3, clock_wall_ns() / NS_PER_MS);
    store_bind_str(stmt, 4, user);
    st = store_step(stmt, &row, diag);
    if (!st)
        st = store_prepare(conn, "DELETE FROM authz_policies WHERE version <= ?1", &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, version - VERSIONS_KEPT);
    return store_step(stmt, &row, diag);
}

static Status load(StoreConn *conn, void *ctx, Diag *diag)
{
    Authz *self = ctx;
    StoreStmt *stmt;
    bool row;
    Status st = store_prepare(
        conn, "SELECT version, text FROM authz_policies ORDER BY version DESC LIMIT 1", &stmt,
        diag);
    if (!st) st = store_step(stmt, &row, diag);
    if (st) return st;
    if (row) {
        self->version = store_int(stmt, 0);
        buf_str(&self->text, store_str(stmt, 1));
        store_reset(stmt);
        return buf_status(&self->text);
    }
    self->version = 1;
    buf_text(&self->text, first_policy);
    return write_policy(conn, 1, str_from(first_policy), STR("first start"), diag);
}

/* ---- ops ---- */

static void answer_rules(const Authz *self, Req *req)
{
    Buf buf;
    JsonOut out;
    buf_init(&buf, ANSWER_BYTES_MAX);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    json_field_int(&out, "version", self->version);
    json_key(&out, "rules");
    json_put_raw(&out, buf_view(&self->text));
    json_end(&out);
    if (buf_status(&buf))
        req_fail(req, buf_status(&buf), "the rules are too long for an answer");
    else
        req_answer(req, buf_view(&buf));
    buf_done(&buf);
}

static void op_rules(void *self, Req *req)
{
    answer_rules(self, req);
}

static Status change_job(StoreConn *conn, void *ctx, Diag *diag)
{
    const Change *change = ctx;
    return write_policy(conn, change->version + 1, change->text, change->user, diag);
}

static void change_done(void *ctx, Status status, const Diag *diag)
{
    Change *change = ctx;
    Authz *self = change->self;
    if (!status) {
        access_free(self->access);
        self->access = change->access;
        change->access = NULL;
        self->version = change->version + 1;
        buf_clear(&self->text);
        buf_str(&self->text, change->text);
        log_info(self->env->log, "authz", "the rules about paths are changed",
                 "version=%lld by=%.*s", (long long)self->version, STR_ARG(change->user));
        answer_rules(self, change->req);
        (void)!bus_publish(self->env->bus, STR("authz.changed"), STR("{}"));
    } else {
        req_fail(change->req, status, "%s",
                 status == ST_CONFLICT ? "somebody changed the rules at the same time: read them "
                                         "again, then change them"
                                       : diag->text);
    }
    access_free(change->access);
    mem_free(change);
}

static void op_rules_set(void *ctx, Req *req)
{
    Authz *self = ctx;
    const Json *rules = json_get(req->in, "rules");
    Diag diag = {0};
    Access *access = NULL;
    int64_t version = json_int(req->in, "version", 0);
    if (version != self->version) {
        req_fail(
            req, ST_CONFLICT,
            "the rules are at version %lld, you edited %lld: read them again, then change them",
            (long long)self->version, (long long)version);
        return;
    }
    Status st = rules->raw.len > POLICY_BYTES_MAX
                    ? diag_set(&diag, ST_LIMIT, "the rules have at most %d bytes", POLICY_BYTES_MAX)
                    : access_read(rules, &access, &diag);
    Change *change = st ? NULL : mem_zalloc(1, sizeof *change);
    if (!st && !change) st = diag_set(&diag, ST_NO_MEMORY, "no memory for the request");
    if (!st) {
        *change = (Change){.self = self,
                           .req = req,
                           .text = rules->raw,
                           .user = req->caller.user,
                           .version = version,
                           .access = access};
        st = store_write(self->env->store, change_job, change_done, change);
    }
    if (!st) return;
    access_free(access);
    mem_free(change);
    req_fail(req, st, "%s", diag.text[0] ? diag.text : status_text(st));
}

/* Says which rule decides about somebody and a path: what people ask when something is refused. */
static void op_check(void *ctx, Req *req)
{
    const Authz *self = ctx;
    AccessWho who = {.user = json_str(req->in, "user", STR_NONE),
                     .client_id = json_str(req->in, "client", STR_NONE)};
    Str role = json_str(req->in, "role", STR_NONE), may = json_str(req->in, "may", STR_NONE);
    const Role *named = role_named(role);
    if (named) who.roles = named->bits;
    bool known = named || !role.len;
    if (!known || (!str_is(may, "read") && !str_is(may, "write"))) {
        req_fail(req, ST_INVALID, "role is view, operate, engineer or admin; may is read or write");
        return;
    }
    AccessAnswer found =
        access_may(self->access, &who, str_is(may, "read") ? ACCESS_READ : ACCESS_WRITE,
                   json_str(req->in, "path", STR_NONE));
    char body[64];
    int len = snprintf(body, sizeof body, "{\"allowed\":%s,\"rule\":%u}",
                       found.allowed ? "true" : "false", found.rule);
    req_answer(req, str_slice(body, (size_t)len));
}

/* ---- life ---- */

static Status authz_open(void *ctx, const ModEnv *env, Diag *diag)
{
    Authz *self = ctx;
    (void)diag;
    self->env = env;
    buf_init(&self->text, POLICY_BYTES_MAX);
    return ST_OK;
}

static Status authz_start(void *ctx, Diag *diag)
{
    Authz *self = ctx;
    Status st = store_run_now(self->env->store, load, self, diag);
    if (st) return st;
    Arena *arena = arena_new(0, 0);
    const Json *rules = NULL;
    Diag why = {0};
    st = arena ? json_read(arena, buf_view(&self->text), &rules, &why) : ST_NO_MEMORY;
    if (!st) st = access_read(rules, &self->access, &why);
    arena_free(arena);
    return st ? diag_set(diag, st,
                         "version %lld of the rules about paths in tutti.db cannot be read (%s): "
                         "restore a backup, or delete that row of authz_policies",
                         (long long)self->version, why.text)
              : ST_OK;
}

static void authz_close(void *ctx)
{
    Authz *self = ctx;
    access_free(self->access);
    buf_done(&self->text);
}

/* ---- tables ---- */

static const Field rules_in[] = {
    {"rules", FIELD_ARRAY, FIELD_REQUIRED, 0, ACCESS_RULES_MAX,
     "each: who (everyone, anonymous, user:NAME, role:NAME), may (read, write, read write), path "
     "(topic filter; levels %u and %c are user and client), allow"},
    {"version", FIELD_INT, FIELD_REQUIRED, 0, 0, "the version that was edited"},
    {0}};
static const Field rules_out[] = {
    {"version", FIELD_INT, 0, 0, 0, "grows with each change"},
    {"rules", FIELD_ARRAY, 0, 0, 0, "the first that fits decides; none: no"},
    {0}};
static const Field check_in[] = {
    {"user", FIELD_STR, 0, 0, ACCESS_NAME_BYTES_MAX, "name of the user; absent: anonymous"},
    {"role", FIELD_STR, 0, 0, 16, "the user's role"},
    {"client", FIELD_STR, 0, 0, 256, "MQTT client id, for rules with %c"},
    {"may", FIELD_STR, FIELD_REQUIRED, 1, 8, "read or write"},
    {"path", FIELD_STR, FIELD_REQUIRED, 1, ACCESS_PATH_BYTES_MAX, "topic name or filter"},
    {0}};
static const Field check_out[] = {
    {"allowed", FIELD_BOOL, 0, 0, 0, "what the rules say"},
    {"rule", FIELD_INT, 0, 0, 0, "which one decides, from 1; 0: none fits"},
    {0}};

static const ModOp ops[] = {
    {"authz.rules", op_rules, NULL, rules_out, 5000, ROLE_ADMIN, OP_READ, "the rules about paths"},
    {"authz.rules_set", op_rules_set, rules_in, rules_out, 5000, ROLE_ADMIN, OP_DURABLE,
     "replaces the rules about paths; they hold at once"},
    {"authz.check", op_check, check_in, check_out, 5000, ROLE_ADMIN, OP_READ,
     "which rule decides about somebody and a path"},
    {0}};

static const ModPub pubs[] = {{"authz.changed", NULL, "there are new rules"}, {0}};

static const ModRoute routes[] = {{"GET", "/api/v1/authz/rules", "authz.rules", NULL},
                                  {"PUT", "/api/v1/authz/rules", "authz.rules_set", NULL},
                                  {"GET", "/api/v1/authz/check", "authz.check", NULL},
                                  {0}};

static const StoreMigration migrations[] = {
    {1, "init",
     "CREATE TABLE authz_policies(version INTEGER PRIMARY KEY, text TEXT NOT NULL,"
     "changed_ms INTEGER NOT NULL, by TEXT NOT NULL);"},
    {0, NULL, NULL}};

const ModuleDef authz_module = {
    .abi = MODULE_ABI,
    .name = "authz",
    .doc = "who may read and write which paths",
    .self_bytes = sizeof(Authz),
    .migrations = migrations,
    .ops = ops,
    .pubs = pubs,
    .routes = routes,
    .open = authz_open,
    .start = authz_start,
    .close = authz_close,
};
