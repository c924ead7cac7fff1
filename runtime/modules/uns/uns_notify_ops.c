/* runtime/modules/uns/uns_notify_ops.c: targets and routes as people see and change them. A change
 * is in force when it is on the disk. */
#include "modules/uns/uns_notify.h"

#include "mqtt/codec.h"

enum { BODY_BYTES_MAX = 64 * 1024 };

typedef struct Change {
    Uns *uns;
    Req *req; /* its arena has the change */
    const char *sql;
    const char *also; /* with the name; or NULL */
    Str name, body, sealed;
    UnsTargetConf *conf; /* owned; of a target that is put */
    AlarmRoute route;    /* of a route that is put */
    void (*apply)(struct Change *change, Diag *diag);
} Change;

/* ---- the job ---- */

static Status run(StoreConn *conn, const char *sql, const Change *change, Diag *diag)
{
    StoreStmt *stmt;
    bool more;
    Status st = store_prepare(conn, sql, &stmt, diag);
    if (st) return st;
    store_bind_str(stmt, 1, change->name);
    if (change->body.len) store_bind_str(stmt, 2, change->body);
    if (change->sealed.len) store_bind_blob(stmt, 3, change->sealed);
    return store_step(stmt, &more, diag);
}

static Status write_change(StoreConn *conn, void *ctx, Diag *diag)
{
    const Change *change = ctx;
    Status st = run(conn, change->sql, change, diag);
    return st || !change->also ? st : run(conn, change->also, change, diag);
}

static void on_written(void *ctx, Status status, const Diag *diag)
{
    Change *change = ctx;
    Uns *uns = change->uns;
    Diag why = {0};
    if (!status) {
        change->apply(change, &why);
        status = why.status;
    }
    uns__target_conf_free(change->conf);
    if (status) {
        req_fail(change->req, status, "%s", why.status ? why.text : diag ? diag->text : "");
    } else {
        log_info(uns->env->log, "uns", "who is told of alarms was changed", "what=%.*s by=%.*s",
                 STR_ARG(change->name), STR_ARG(bus_caller_who(&change->req->caller)));
        req_answer(change->req, STR("{}"));
    }
    uns__job_done(uns);
}

static void change_start(Change *change, Status st, Diag *diag)
{
    Uns *uns = change->uns;
    if (!st) st = store_write(uns->env->store, write_change, on_written, change);
    if (!st) {
        uns->jobs++;
        return;
    }
    uns__target_conf_free(change->conf);
    req_fail(change->req, st, "%s", diag->text[0] ? diag->text : status_text(st));
}

static Change *change_new(void *self, Req *req, const char *sql,
                          void (*apply)(Change *change, Diag *diag))
{
    Change *change = arena_one(req->arena, Change);
    if (change)
        *change = (Change){.uns = self,
                           .req = req,
                           .sql = sql,
                           .apply = apply,
                           .name = json_str(req->in, "name", STR_NONE)};
    else
        req_fail(req, ST_NO_MEMORY, "no memory for the change");
    return change;
}

/* ---- targets ---- */

static void put_state(const UnsTarget *target, JsonOut *out)
{
    const UnsConf *conf = uns_conf(target->uns);
    bool waits = target->first && target->tries && !target->delivery;
    int64_t wall = clock_wall_ns() / NS_PER_MS, now = clock_monotonic_ns() / NS_PER_MS;
    json_field_int(out, "queued", target->queued);
    json_field_int(out, "queue_max", conf->notify_queue_max);
    if (target->first) json_field_int(out, "oldest", target->first->at_ms);
    json_field_bool(out, "sending", target->delivery != NULL);
    json_field_int(out, "tries", target->tries);
    if (waits) json_field_int(out, "next_try", wall + target->next_ms - now);
    if (target->success_ms) json_field_int(out, "last_success", target->success_ms);
    if (target->error_ms) {
        json_field_int(out, "last_error", target->error_ms);
        json_field_text(out, "error", target->error);
    }
    json_field_bool(out, "working", !target->troubled);
    json_field_int(out, "messages", (int64_t)target->sent);
    json_field_int(out, "delivered", (int64_t)target->delivered);
    json_field_int(out, "grouped", (int64_t)target->grouped);
    json_field_int(out, "failures", (int64_t)target->failures);
    json_field_int(out, "refused", (int64_t)target->refused);
    json_field_int(out, "dropped", (int64_t)target->dropped);
    json_field_int(out, "expired", (int64_t)target->expired);
}

void uns__op_targets(void *self, Req *req)
{
    Uns *uns = self;
    Buf body;
    JsonOut out;
    bool whole = req->caller.roles & ROLE_ADMIN;
    buf_init(&body, UNS_ANSWER_BYTES_MAX);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_key(&out, "targets");
    json_begin_array(&out);
    for (const UnsTarget *each = uns->notify->targets; each; each = each->next) {
        json_begin_object(&out);
        uns__target_write(each->conf, whole, &out);
        if (each->conf->kind == UNS_WEBHOOK)
            json_field_bool(&out, "signed", each->conf->secret.len > 0);
        json_key(&out, "state");
        json_begin_object(&out);
        put_state(each, &out);
        json_end(&out);
        json_end(&out);
    }
    json_end(&out);
    json_field_int(&out, "calls", alarm_notify_calls(uns->notify->routes));
    json_field_int(&out, "uncalled", (int64_t)alarm_notify_uncalled(uns->notify->routes));
    json_end(&out);
    req_answer_buf(req, &body);
}

static void apply_target(Change *change, Diag *diag)
{
    UnsTargetConf *conf = change->conf;
    change->conf = NULL;
    if (uns__target_put(change->uns, conf, diag) && !diag->status)
        (void)diag_set(diag, ST_NO_MEMORY, "no memory for the target");
}

/* What is told below the paths of alarms would be alarms again. */
static Status check_topic(const Uns *uns, const UnsTargetConf *conf, Diag *diag)
{
    const AlarmPoint *point = NULL;
    if (conf->kind != UNS_MQTT) return ST_OK;
    while ((point = alarms_next_point(uns->alarms->list, point)))
        if (mqtt_topic_match(conf->filter, alarm_point_path(point)))
            return diag_set(diag, ST_INVALID,
                            "topic can be %.*s, where there is an alarm: choose a branch without"
                            " alarms, as alarms/{path}",
                            STR_ARG(alarm_point_path(point)));
    return ST_OK;
}

static Status target_texts(Change *change, Diag *diag)
{
    AUTO_BUF Buf body, secrets;
    JsonOut out;
    Uns *uns = change->uns;
    Status st = ST_OK;
    buf_init(&body, BODY_BYTES_MAX);
    buf_init(&secrets, BODY_BYTES_MAX);
    json_out_init(&out, &body);
    json_begin_object(&out);
    uns__target_write(change->conf, true, &out);
    json_end(&out);
    uns__target_secrets(change->conf, &secrets);
    if (buf_status(&body) || buf_status(&secrets))
        return diag_set(diag, ST_LIMIT, "the target is too long");
    change->body = arena_str(change->req->arena, buf_view(&body));
    if (!change->body.ptr) return diag_set(diag, ST_NO_MEMORY, "no memory for the target");
    if (!secrets.len) return ST_OK;
    st = secret_key_load(&uns->notify->key, uns->env->data_dir, "uns.key", diag);
    if (!st)
        st =
            secret_seal(&uns->notify->key, change->req->arena, buf_view(&secrets), &change->sealed);
    secret_wipe(buf_view(&secrets));
    return st;
}

void uns__op_target_put(void *self, Req *req)
{
    Uns *uns = self;
    Diag diag = {0};
    Change *change = change_new(self, req,
                                "INSERT OR REPLACE INTO alarm_targets(name, body, secrets)"
                                " VALUES(?1, ?2, ?3)",
                                apply_target);
    if (!change) return;
    const UnsTarget *held = uns__target(uns, change->name);
    Status st = uns__target_read(req->in, held ? held->conf : NULL, &change->conf, &diag);
    if (!st && held && held->conf->kind != change->conf->kind)
        st = diag_set(&diag, ST_CONFLICT, "kind of a target cannot be changed: make another one");
    if (!st && !held && uns->notify->target_count == UNS_TARGETS_MAX)
        st = diag_set(&diag, ST_LIMIT, "there are %d targets already", UNS_TARGETS_MAX);
    if (!st) st = check_topic(uns, change->conf, &diag);
    if (!st) st = target_texts(change, &diag);
    change_start(change, st, &diag);
}

static bool route_names(const AlarmRoute *route, Str target)
{
    for (uint32_t i = 0; i < route->to_count; i++)
        if (str_eq(route->to[i], target)) return true;
    return str_eq(route->escalate_to, target);
}

static void apply_target_drop(Change *change, Diag *diag)
{
    UnsTarget *target = uns__target(change->uns, change->name);
    (void)diag;
    if (target) uns__target_drop(target);
}

void uns__op_target_drop(void *self, Req *req)
{
    Uns *uns = self;
    Diag diag = {0};
    const AlarmRoute *route = NULL;
    Change *change =
        change_new(self, req, "DELETE FROM alarm_targets WHERE name = ?1", apply_target_drop);
    if (!change) return;
    change->also = "DELETE FROM alarm_outbox WHERE target = ?1";
    Status st =
        uns__target(uns, change->name)
            ? ST_OK
            : diag_set(&diag, ST_NOT_FOUND, "there is no target %.*s", STR_ARG(change->name));
    while (!st && (route = alarm_notify_next(uns->notify->routes, route)))
        if (route_names(route, change->name))
            st = diag_set(&diag, ST_CONFLICT, "the route %.*s tells %.*s: change it first",
                          STR_ARG(route->name), STR_ARG(change->name));
    change_start(change, st, &diag);
}

/* ---- a test ---- */

static void put_test(Uns *uns, Str target, Buf *out)
{
    JsonOut json;
    int64_t now = clock_wall_ns() / NS_PER_MS;
    json_out_init(&json, out);
    json_begin_object(&json);
    json_field_int(&json, "id", uns->notify->next_id++);
    json_field_text(&json, "event", "test");
    json_field_text(&json, "rule", "test");
    json_field_text(&json, "path", "test");
    json_field_text(&json, "name", "test");
    json_field_text(&json, "priority", "low");
    json_field_text(&json, "state", "normal");
    json_field_int(&json, "time", now);
    json_field_int(&json, "raised", now);
    json_key(&json, "value");
    json_put_null(&json);
    json_field_text(&json, "message", "This is a test: nothing is wrong");
    json_field_text(&json, "action", "");
    json_field_text(&json, "who", "");
    json_key(&json, "text");
    json_put_str(&json, target);
    json_field_text(&json, "route", "");
    json_field_int(&json, "number", 1);
    json_end(&json);
}

void uns__op_target_test(void *self, Req *req)
{
    AUTO_BUF Buf event = {0};
    Uns *uns = self;
    Str name = json_str(req->in, "name", STR_NONE);
    const UnsTarget *target = uns__target(uns, name);
    if (!target || uns->notify->tests == UNS_TESTS_MAX) {
        req_fail(req, target ? ST_BUSY : ST_NOT_FOUND,
                 target ? "%d tests are under way" : "there is no such target", UNS_TESTS_MAX);
        return;
    }
    buf_init(&event, UNS_EVENT_BYTES_MAX);
    put_test(uns, name, &event);
    if (target->conf->kind == UNS_MQTT) {
        Diag diag = {0};
        int64_t began_ns = clock_monotonic_ns();
        Status st = uns__publish_event(uns, target->conf, buf_view(&event), &diag);
        uns__test_answer(req, st, &diag, began_ns);
        return;
    }
    UnsDelivery *d = buf_status(&event) ? NULL : uns__delivery_new(uns, target->conf, 1);
    if (!d) {
        req_fail(req, ST_NO_MEMORY, "no memory for the test");
        return;
    }
    d->events[d->count++] = arena_str(d->arena, buf_view(&event));
    d->id = arena_printf(d->arena, "test-%lld", (long long)(uns->notify->next_id - 1));
    d->req = req;
    uns->notify->tests++;
    uns__delivery_start(d);
}

/* ---- routes ---- */

void uns__op_routes(void *self, Req *req)
{
    Uns *uns = self;
    Buf body;
    JsonOut out;
    const AlarmRoute *route = NULL;
    buf_init(&body, UNS_ANSWER_BYTES_MAX);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_key(&out, "routes");
    json_begin_array(&out);
    while ((route = alarm_notify_next(uns->notify->routes, route))) alarm_route_write(route, &out);
    json_end(&out);
    json_end(&out);
    req_answer_buf(req, &body);
}

static void apply_route(Change *change, Diag *diag)
{
    Status st = alarm_notify_put(change->uns->notify->routes, &change->route);
    if (st) (void)diag_set(diag, st, "no memory for the route");
}

static Status check_targets(const Uns *uns, const AlarmRoute *route, Diag *diag)
{
    for (uint32_t i = 0; i < route->to_count; i++)
        if (!uns__target(uns, route->to[i]))
            return diag_set(diag, ST_INVALID, "to holds %.*s, which is no target",
                            STR_ARG(route->to[i]));
    if (route->escalate_to.len && !uns__target(uns, route->escalate_to))
        return diag_set(diag, ST_INVALID, "escalate_to is %.*s, which is no target",
                        STR_ARG(route->escalate_to));
    if (!mqtt_filter_valid(route->on))
        return diag_set(diag, ST_INVALID, "on is not a path or filter, as in \"acme/+/temp\"");
    return ST_OK;
}

void uns__op_route_put(void *self, Req *req)
{
    AUTO_BUF Buf body = {0};
    JsonOut out;
    Uns *uns = self;
    Diag diag = {0};
    Change *change = change_new(
        self, req, "INSERT OR REPLACE INTO alarm_routes(name, body) VALUES(?1, ?2)", apply_route);
    if (!change) return;
    buf_init(&body, BODY_BYTES_MAX);
    json_out_init(&out, &body);
    Status st = alarm_route_read(req->arena, req->in, &change->route, &diag);
    if (!st) st = check_targets(uns, &change->route, &diag);
    bool there = alarm_notify_route(uns->notify->routes, change->name);
    uint32_t count = 0;
    for (const AlarmRoute *each = NULL; (each = alarm_notify_next(uns->notify->routes, each));)
        count++;
    if (!st && !there && count == ALARM_ROUTES_MAX)
        st = diag_set(&diag, ST_LIMIT, "there are %d routes already", ALARM_ROUTES_MAX);
    if (!st) {
        alarm_route_write(&change->route, &out);
        change->body = arena_str(req->arena, buf_view(&body));
        if (buf_status(&body) || !change->body.ptr)
            st = diag_set(&diag, ST_LIMIT, "the route is too long");
    }
    change_start(change, st, &diag);
}

static void apply_route_drop(Change *change, Diag *diag)
{
    (void)diag;
    (void)alarm_notify_drop(change->uns->notify->routes, change->name);
}

void uns__op_route_drop(void *self, Req *req)
{
    Uns *uns = self;
    Diag diag = {0};
    Change *change =
        change_new(self, req, "DELETE FROM alarm_routes WHERE name = ?1", apply_route_drop);
    if (!change) return;
    Status st =
        alarm_notify_route(uns->notify->routes, change->name)
            ? ST_OK
            : diag_set(&diag, ST_NOT_FOUND, "there is no route %.*s", STR_ARG(change->name));
    change_start(change, st, &diag);
}

/* ---- tables ---- */

const Field uns__target_in[] = {
    {"name", FIELD_STR, FIELD_REQUIRED, 1, ALARM_NAME_BYTES_MAX, "of the target"},
    {"kind", FIELD_STR, FIELD_REQUIRED, 1, 16, "email, mqtt or webhook"},
    {"to", FIELD_STR, 0, 0, UNS_TARGET_TEXT_MAX, "email: addresses, with commas"},
    {"subject", FIELD_STR, 0, 0, UNS_TARGET_TEXT_MAX, "email: with {path}, {message} and so on"},
    {"topic", FIELD_STR, 0, 0, UNS_TARGET_TEXT_MAX, "mqtt: alarms/{path} when left out"},
    {"retain", FIELD_BOOL, 0, 0, 0, "mqtt: the last message of a topic stays"},
    {"qos", FIELD_INT, 0, 0, 2, "mqtt: 1 when left out"},
    {"url", FIELD_STR, 0, 0, UNS_TARGET_TEXT_MAX, "webhook: https://host/path"},
    {"ca", FIELD_STR, 0, 0, UNS_TARGET_TEXT_MAX, "webhook: file of certificates to trust"},
    {"headers", FIELD_OBJECT, FIELD_SECRET, 0, 0, "webhook: name and value; null keeps a value"},
    {"secret", FIELD_STR, FIELD_SECRET, 0, UNS_TARGET_TEXT_MAX, "webhook: key of the signature"},
    {"group_ms", FIELD_INT, 0, 0, 0, "email, webhook: least time between two messages"},
    {0}};
const Field uns__targets_out[] = {
    {"targets", FIELD_ARRAY, 0, 0, 0, "by name, with their state; no secrets"},
    {"calls", FIELD_INT, 0, 0, 0, "alarms that routes follow now"},
    {"uncalled", FIELD_INT, 0, 0, 0, "that were told once only, for want of room"},
    {0}};
const Field uns__test_out[] = {{"delivered", FIELD_BOOL, 0, 0, 0, "the target took it"},
                               {"ms", FIELD_INT, 0, 0, 0, "how long that took"},
                               {"error", FIELD_STR, 0, 0, 0, "why not"},
                               {0}};
const Field uns__route_in[] = {
    {"name", FIELD_STR, FIELD_REQUIRED, 1, ALARM_NAME_BYTES_MAX, "of the route"},
    {"on", FIELD_STR, 0, 0, UNS_PATH_BYTES_MAX, "path or filter of the alarms; all when left out"},
    {"alarms", FIELD_ARRAY, 0, 0, ALARM_ROUTE_NAMES_MAX, "names of rules, with *; all if empty"},
    {"priorities", FIELD_ARRAY, 0, 0, 4, "critical, high, medium, low; all if empty"},
    {"when", FIELD_ARRAY, 0, 0, 8, "raised (preset), cleared, acknowledged, reset, shelved, ..."},
    {"to", FIELD_ARRAY, FIELD_REQUIRED, 0, ALARM_ROUTE_TARGETS_MAX, "names of targets"},
    {"delay_ms", FIELD_INT, 0, 0, 0, "an alarm that is over by then is not told"},
    {"repeat_ms", FIELD_INT, 0, 0, 0, "told again while it is unacknowledged"},
    {"repeat_max", FIELD_INT, 0, 0, 0, "how often again; 10 when left out"},
    {"escalate_ms", FIELD_INT, 0, 0, 0, "unacknowledged that long: escalate_to is told"},
    {"escalate_to", FIELD_STR, 0, 0, ALARM_NAME_BYTES_MAX, "a target"},
    {"off", FIELD_BOOL, 0, 0, 0, "tells nobody"},
    {0}};
const Field uns__routes_out[] = {{"routes", FIELD_ARRAY, 0, 0, 0, "by name"}, {0}};
