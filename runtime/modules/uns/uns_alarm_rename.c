/* runtime/modules/uns/uns_alarm_rename.c: another name for a rule of people.
 *
 * Its alarms keep their states, the journal says the new name for what was, and routes that name it
 * follow. The rule has the name at once; what is on the disk follows in front of the rows that
 * gather (uns_alarm_keep.c): batches before this one still say the old name and are on the disk by
 * then, and what waits in this one is changed here. Whoever asked is answered when it is stored. */
#include "modules/uns/uns_notify.h"

typedef struct RouteBody {
    struct RouteBody *next;
    Str name, body;
} RouteBody;

typedef struct UnsAlarmRename {
    struct UnsAlarmRename *next;
    Str from, to, old_body, body, on, who, text;
    AlarmPriority priority;
    int64_t at_ms;
    RouteBody *routes; /* that named it, as they are now */
} UnsAlarmRename;

/* ---- to the disk ---- */

static Status write_name(StoreConn *conn, const UnsAlarmRename *name, Diag *diag)
{
    const StoreCell names[] = {store_of_str(name->from), store_of_str(name->to)};
    const StoreCell made[] = {store_of_str(name->to), store_of_str(name->body)};
    const StoreCell gone[] = {store_of_str(name->from), store_of_str(name->old_body)};
    const StoreCell entry[] = {store_of_int(name->at_ms), store_of_str(name->to),
                               store_of_str(name->on),    store_of_int(name->priority),
                               store_of_str(name->who),   store_of_str(name->text)};
    /* Who put a rule of either name meanwhile is not overwritten. */
    Status st =
        store_run(conn, "INSERT OR IGNORE INTO alarm_rules(name, origin, body) VALUES(?1, '', ?2)",
                  made, COUNT_OF(made), diag);
    if (!st)
        st = store_run(conn, "DELETE FROM alarm_rules WHERE name = ?1 AND body = ?2", gone,
                       COUNT_OF(gone), diag);
    static const char *const sql[] = {
        "UPDATE OR REPLACE alarm_points SET rule = ?2 WHERE rule = ?1",
        "UPDATE OR REPLACE alarm_calls SET rule = ?2 WHERE rule = ?1",
        "UPDATE alarm_outbox SET rule = ?2 WHERE rule = ?1",
        "UPDATE alarm_journal SET rule = ?2 WHERE rule = ?1"};
    for (size_t i = 0; i < COUNT_OF(sql) && !st; i++)
        st = store_run(conn, sql[i], names, COUNT_OF(names), diag);
    if (!st)
        st = store_run(conn,
                       "INSERT INTO alarm_journal(at, rule, path, priority, was, became, who, text)"
                       " VALUES(?1, ?2, ?3, ?4, 0, 0, ?5, ?6)",
                       entry, COUNT_OF(entry), diag);
    for (const RouteBody *route = name->routes; route && !st; route = route->next) {
        const StoreCell cells[] = {store_of_str(route->name), store_of_str(route->body)};
        st = store_run(conn, "UPDATE alarm_routes SET body = ?2 WHERE name = ?1", cells,
                       COUNT_OF(cells), diag);
    }
    return st;
}

Status uns__alarm_write_names(StoreConn *conn, const UnsAlarmBatch *batch, Diag *diag)
{
    Status st = ST_OK;
    for (const UnsAlarmRename *name = batch->first_name; name && !st; name = name->next)
        st = write_name(conn, name, diag);
    return st;
}

/* ---- in memory ---- */

static Str rule_body(Arena *arena, const AlarmRule *rule)
{
    Buf text;
    JsonOut out;
    buf_init(&text, UNS_ALARM_RULE_BYTES_MAX);
    json_out_init(&out, &text);
    alarm_rule_write(rule, &out);
    Str body = buf_status(&text) ? STR_NONE : arena_str(arena, buf_view(&text));
    buf_done(&text);
    return body;
}

static bool names_rule(const AlarmRoute *route, Str name)
{
    for (uint32_t i = 0; i < route->name_count; i++)
        if (str_eq(route->names[i], name)) return true;
    return false;
}

/* The route with the new name in the old one's place, in force, and its text for the disk. */
static bool route_follows(AlarmNotify *routes, const AlarmRoute *held, UnsAlarmRename *name,
                          Arena *arena)
{
    AlarmRoute route = *held;
    RouteBody *kept = arena_one(arena, RouteBody);
    Buf text;
    JsonOut out;
    if (!kept) return false;
    for (uint32_t i = 0; i < route.name_count; i++)
        if (str_eq(route.names[i], name->from)) route.names[i] = name->to;
    buf_init(&text, UNS_ALARM_RULE_BYTES_MAX);
    json_out_init(&out, &text);
    alarm_route_write(&route, &out);
    *kept = (RouteBody){.next = name->routes, .name = arena_str(arena, route.name)};
    if (!buf_status(&text)) kept->body = arena_str(arena, buf_view(&text));
    buf_done(&text);
    if (!kept->name.ptr || !kept->body.ptr || alarm_notify_put(routes, &route)) return false;
    name->routes = kept;
    return true;
}

/* What waits for the disk says the new name. */
static void rename_waiting(UnsAlarmBatch *batch, Str from, Str to)
{
    for (UnsAlarmRow *row = batch->first; row; row = row->next)
        if (str_eq(row->rule, from)) row->rule = to;
    for (UnsNotifyOp *op = batch->first_op; op; op = op->next) {
        if (str_eq(op->rule, from)) op->rule = to;
        if (str_eq(op->call.rule, from)) op->call.rule = to;
    }
}

static UnsAlarmRename *name_new(UnsAlarmBatch *batch, const AlarmRule *rule, Req *req, Str to)
{
    Arena *arena = batch->arena;
    UnsAlarmRename *name = arena_one(arena, UnsAlarmRename);
    if (!name) return NULL;
    *name = (UnsAlarmRename){
        .from = arena_str(arena, rule->name),
        .to = arena_str(arena, to),
        .old_body = rule_body(arena, rule),
        .who = arena_str(arena, bus_caller_who(&req->caller)),
        .text = arena_printf(arena, "the rule was called %.*s", STR_ARG(rule->name)),
        .priority = rule->priority,
        .at_ms = clock_wall_ns() / NS_PER_MS};
    Str rest = rule->on, filter = STR_NONE;
    (void)alarm_on_next(&rest, &filter);
    name->on = arena_str(arena, filter);
    bool whole = name->from.ptr && name->to.ptr && name->old_body.ptr && name->who.ptr &&
                 name->text.ptr && name->on.ptr;
    return whole ? name : NULL;
}

static Status rename_rule(Uns *uns, const AlarmRule *rule, Req *req, Str to)
{
    UnsAlarmBatch *batch = uns__alarm_gathering(uns);
    UnsAlarmRename *name = batch ? name_new(batch, rule, req, to) : NULL;
    if (!name) return ST_NO_MEMORY;
    AlarmRule renamed = *rule;
    renamed.name = name->to;
    name->body = rule_body(batch->arena, &renamed);
    if (!name->body.ptr || !alarms_rename(uns->alarms->list, name->from, name->to))
        return ST_NO_MEMORY;
    rename_waiting(batch, name->from, name->to);
    if (batch->last_name)
        batch->last_name->next = name;
    else
        batch->first_name = name;
    batch->last_name = name;
    AlarmNotify *routes = uns->notify->routes;
    /* A route that is put anew goes, and another takes its place in the order. */
    for (const AlarmRoute *route = alarm_notify_next(routes, NULL), *next; route; route = next) {
        next = alarm_notify_next(routes, route);
        if (names_rule(route, name->from) && !route_follows(routes, route, name, batch->arena))
            log_error(uns->env->log, "uns", "a route did not follow the new name of an alarm",
                      "rule=%.*s", STR_ARG(name->to));
    }
    alarm_notify_renamed(routes, name->from, name->to);
    log_info(uns->env->log, "uns", "alarm rule renamed", "from=%.*s to=%.*s by=%.*s",
             STR_ARG(name->from), STR_ARG(name->to), STR_ARG(name->who));
    uns__alarm_want_flush(uns);
    return ST_OK;
}

void uns__op_alarm_rename(void *self, Req *req)
{
    Uns *uns = self;
    Diag diag = {0};
    Str from = json_str(req->in, "name", STR_NONE), to = json_str(req->in, "to", STR_NONE);
    const AlarmRule *rule = alarms_rule(uns->alarms->list, from);
    Status st = rule ? uns__alarm_owned(uns, from, STR_NONE, &diag)
                     : diag_set(&diag, ST_NOT_FOUND, "there is no alarm %.*s", STR_ARG(from));
    if (!st && !alarm_name_valid(to))
        st = diag_set(&diag, ST_INVALID, "to: a name is letters, digits, _ . and -, 63 at most");
    if (!st && !str_eq(from, to) && alarms_rule(uns->alarms->list, to))
        st = diag_set(&diag, ST_CONFLICT, "there is an alarm %.*s already", STR_ARG(to));
    if (!st && !str_eq(from, to)) st = rename_rule(uns, rule, req, to);
    if (st) {
        req_fail(req, st, "%s", diag.text[0] ? diag.text : "no memory for the new name");
        return;
    }
    Buf answer;
    buf_init(&answer, 16);
    buf_text(&answer, "{}");
    uns__alarm_answer_kept(uns, req, &answer);
}
