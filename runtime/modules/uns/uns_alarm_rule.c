/* runtime/modules/uns/uns_alarm_rule.c: rules put and dropped: by people one by one, by a program
 * all of its own at once. A rule is in force when it is on the disk. */
#include "modules/uns/uns_notify.h"

enum { CHANGE_BYTES_MAX = 8 << 20 };

typedef struct Change {
    Uns *uns;
    Req *req;
    Arena *arena; /* owned; holds the change */
    AlarmRule *rules;
    Str *bodies;
    uint32_t count;
    Str *keep; /* names of rules that stay as they are */
    uint32_t keep_count;
    Str drop;   /* name of one that goes; empty = none */
    Str origin; /* whose rules they are */
    bool whole; /* all others of the origin go */
} Change;

static Status delete_rule(StoreConn *conn, Str name, Diag *diag)
{
    static const char *const sql[] = {"DELETE FROM alarm_rules WHERE name = ?1",
                                      "DELETE FROM alarm_points WHERE rule = ?1"};
    StoreStmt *stmt;
    bool more;
    Status st = ST_OK;
    for (size_t i = 0; i < COUNT_OF(sql) && !st; i++) {
        st = store_prepare(conn, sql[i], &stmt, diag);
        if (st) return st;
        store_bind_str(stmt, 1, name);
        st = store_step(stmt, &more, diag);
    }
    return st;
}

static Status write_rule(StoreConn *conn, Str name, Str origin, Str body, Diag *diag)
{
    StoreStmt *stmt;
    bool more;
    Status st = store_prepare(conn,
                              "INSERT OR REPLACE INTO alarm_rules(name, origin, body)"
                              " VALUES(?1, ?2, ?3)",
                              &stmt, diag);
    if (st) return st;
    store_bind_str(stmt, 1, name);
    store_bind_str(stmt, 2, origin);
    store_bind_str(stmt, 3, body);
    return store_step(stmt, &more, diag);
}

static bool in_change(const Change *change, Str name)
{
    for (uint32_t i = 0; i < change->count; i++)
        if (str_eq(change->rules[i].name, name)) return true;
    for (uint32_t i = 0; i < change->keep_count; i++)
        if (str_eq(change->keep[i], name)) return true;
    return false;
}

/* Names of the origin's rules that are not in the change any more. */
static Status delete_others(StoreConn *conn, const Change *change, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    Status st = store_prepare(conn, "SELECT name FROM alarm_rules WHERE origin = ?1", &stmt, diag);
    Str gone[UNS_ALARM_RULES_MAX];
    uint32_t count = 0;
    if (st) return st;
    store_bind_str(stmt, 1, change->origin);
    while (!(st = store_step(stmt, &row, diag)) && row && count < COUNT_OF(gone)) {
        if (in_change(change, store_str(stmt, 0))) continue;
        gone[count++] = arena_str(change->arena, store_str(stmt, 0));
    }
    for (uint32_t i = 0; i < count && !st; i++) st = delete_rule(conn, gone[i], diag);
    return st;
}

static Status write_change(StoreConn *conn, void *ctx, Diag *diag)
{
    const Change *change = ctx;
    Status st = change->drop.len ? delete_rule(conn, change->drop, diag) : ST_OK;
    if (!st && change->whole) st = delete_others(conn, change, diag);
    for (uint32_t i = 0; i < change->count && !st; i++)
        st = write_rule(conn, change->rules[i].name, change->origin, change->bodies[i], diag);
    return st;
}

static void drop_others(Uns *uns, const Change *change)
{
    Alarms *list = uns->alarms->list;
    const AlarmRule *rule = alarms_next_rule(list, NULL), *next;
    for (; rule; rule = next) {
        next = alarms_next_rule(list, rule);
        if (!str_eq(rule->origin, change->origin) || in_change(change, rule->name)) continue;
        (void)alarms_drop(list, rule->name);
        uns->alarms->rule_count--;
    }
}

static void on_changed(void *ctx, Status status, const Diag *diag)
{
    Change *change = ctx;
    Uns *uns = change->uns;
    Req *req = change->req;
    Diag why = {0};
    if (status) {
        req_fail(req, status, "%s", diag ? diag->text : "");
        arena_free(change->arena);
        uns__job_done(uns);
        return;
    }
    if (change->drop.len && alarms_drop(uns->alarms->list, change->drop)) uns->alarms->rule_count--;
    if (change->whole) drop_others(uns, change);
    for (uint32_t i = 0; i < change->count && !status; i++) {
        uns->alarms->rule_count += !alarms_rule(uns->alarms->list, change->rules[i].name);
        status = uns__alarm_put(uns, &change->rules[i], &why);
    }
    alarm_notify_sweep(uns->notify->routes);
    if (status)
        req_fail(req, status, "%s", why.text);
    else
        req_answer(req, STR("{}"));
    arena_free(change->arena);
    uns__job_done(uns);
}

Status uns__alarm_owned(const Uns *uns, Str name, Str origin, Diag *diag)
{
    const AlarmRule *held = alarms_rule(uns->alarms->list, name);
    if (!held || str_eq(held->origin, origin)) return ST_OK;
    if (!held->origin.len)
        return diag_set(diag, ST_CONFLICT, "the alarm %.*s was made by people and is not replaced",
                        STR_ARG(name));
    return diag_set(diag, ST_CONFLICT, "the alarm %.*s is declared by the %.*s: change it there",
                    STR_ARG(name), STR_ARG(held->origin));
}

/* The rule that is held, of this origin, says the same. */
static bool unchanged(const Change *change, Str name, Str body)
{
    const AlarmRule *held = alarms_rule(change->uns->alarms->list, name);
    if (!held || !str_eq(held->origin, change->origin)) return false;
    AUTO_BUF Buf text;
    JsonOut out;
    buf_init(&text, UNS_ALARM_RULE_BYTES_MAX);
    json_out_init(&out, &text);
    alarm_rule_write(held, &out);
    return !buf_status(&text) && str_eq(buf_view(&text), body);
}

static Status add_rule(Change *change, const Json *json, Diag *diag)
{
    Buf body;
    JsonOut out;
    AlarmRule *rule = &change->rules[change->count];
    Status st = alarm_rule_read(change->arena, json, rule, diag);
    if (!st) st = uns__alarm_check_on(rule, diag);
    if (!st) st = uns__alarm_owned(change->uns, rule->name, change->origin, diag);
    if (!st && in_change(change, rule->name))
        st = diag_set(diag, ST_INVALID, "the alarm %.*s is declared twice", STR_ARG(rule->name));
    if (st) return st;
    rule->origin = change->origin;
    buf_init(&body, UNS_ALARM_RULE_BYTES_MAX);
    json_out_init(&out, &body);
    alarm_rule_write(rule, &out);
    if (change->whole && unchanged(change, rule->name, buf_view(&body))) {
        buf_done(&body);
        change->keep[change->keep_count++] = rule->name;
        return ST_OK;
    }
    change->bodies[change->count] = arena_str(change->arena, buf_view(&body));
    st = buf_status(&body) ? diag_set(diag, ST_LIMIT, "the alarm is too long") : ST_OK;
    if (!st && !change->bodies[change->count].ptr)
        st = diag_set(diag, ST_NO_MEMORY, "no memory for the alarm");
    buf_done(&body);
    change->count++;
    return st;
}

static Change *change_new(Uns *uns, Req *req, uint32_t room, Str origin)
{
    Arena *arena = arena_new(4096, CHANGE_BYTES_MAX);
    Change *change = arena ? arena_one(arena, Change) : NULL;
    if (change) {
        *change = (Change){.uns = uns,
                           .req = req,
                           .arena = arena,
                           .rules = arena_many(arena, AlarmRule, room + 1),
                           .bodies = arena_many(arena, Str, room + 1),
                           .keep = arena_many(arena, Str, room + 1),
                           .origin = arena_str(arena, origin)};
    }
    if (change && change->rules && change->bodies && change->keep && change->origin.ptr)
        return change;
    arena_free(arena);
    req_fail(req, ST_NO_MEMORY, "no memory for the alarm");
    return NULL;
}

/* Rules of the origin that are not in the change any more. */
static uint32_t leaving(const Uns *uns, const Change *change)
{
    uint32_t count = 0;
    const AlarmRule *rule = NULL;
    while (change->whole && (rule = alarms_next_rule(uns->alarms->list, rule)))
        count += str_eq(rule->origin, change->origin) && !in_change(change, rule->name);
    return count;
}

/* How many rules there will be. */
static uint32_t count_after(const Uns *uns, const Change *change)
{
    uint32_t count = uns->alarms->rule_count - leaving(uns, change);
    for (uint32_t i = 0; i < change->count; i++)
        count += !alarms_rule(uns->alarms->list, change->rules[i].name);
    return count;
}

static void change_start(Change *change, Status st, Diag *diag)
{
    Uns *uns = change->uns;
    if (!st && change->whole && !change->count && !leaving(uns, change)) {
        req_answer(change->req, STR("{}"));
        arena_free(change->arena);
        return;
    }
    if (!st && count_after(uns, change) > UNS_ALARM_RULES_MAX)
        st = diag_set(diag, ST_LIMIT,
                      "there would be more than %d alarm rules: a filter in `on` makes one rule of"
                      " many",
                      UNS_ALARM_RULES_MAX);
    if (!st) {
        st = store_write(uns->env->store, write_change, on_changed, change);
        if (st) (void)diag_set(diag, st, "too many writes wait");
    }
    if (!st) {
        uns->jobs++;
        return;
    }
    req_fail(change->req, st, "%s", diag->text);
    arena_free(change->arena);
}

void uns__op_alarm_put(void *self, Req *req)
{
    Diag diag = {0};
    Change *change = change_new(self, req, 1, STR_NONE);
    if (change) change_start(change, add_rule(change, req->in, &diag), &diag);
}

void uns__op_alarm_drop(void *self, Req *req)
{
    Uns *uns = self;
    Diag diag = {0};
    Str name = json_str(req->in, "name", STR_NONE);
    Change *change = change_new(uns, req, 0, STR_NONE);
    if (!change) return;
    Status st = alarms_rule(uns->alarms->list, name)
                    ? uns__alarm_owned(uns, name, STR_NONE, &diag)
                    : diag_set(&diag, ST_NOT_FOUND, "there is no alarm %.*s", STR_ARG(name));
    change->drop = arena_str(change->arena, name);
    change_start(change, st, &diag);
}

/* All alarms of a program or schema; the ones it does not declare any more go, and those that are
 * as they were are left alone, so that a delay that runs goes on. */
void uns__op_alarm_declare(void *self, Req *req)
{
    Diag diag = {0};
    Status st = ST_OK;
    const Json *rules = json_get(req->in, "alarms");
    Change *change = change_new(self, req, rules->count, json_str(req->in, "origin", STR_NONE));
    if (!change) return;
    change->whole = true;
    for (const Json *each = rules->first; each && !st; each = each->next)
        st = add_rule(change, each, &diag);
    change_start(change, st, &diag);
}
