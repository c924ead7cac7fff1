/* runtime/modules/uns/uns_notify_keep.c: calls and notices to the disk and back.
 *
 * What is to be done rides in the batch of the rows it comes from (uns_alarm_keep.c): one
 * transaction has the change of an alarm, its entry of the journal, and the notices about it. */
#include "modules/uns/uns_notify.h"

bool uns__notify_op(Uns *uns, const UnsNotifyOp *from)
{
    UnsAlarmBatch *batch = uns__alarm_gathering(uns);
    UnsNotifyOp *op = batch ? arena_one(batch->arena, UnsNotifyOp) : NULL;
    if (!op) return false;
    *op = *from;
    op->next = NULL;
    Str *texts[] = {&op->call.route, &op->call.rule, &op->call.path, &op->target,
                    &op->rule,       &op->path,      &op->event,     &op->text};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        if (!(*texts[i] = arena_str(batch->arena, *texts[i])).ptr) return false;
    if (batch->last_op)
        batch->last_op->next = op;
    else
        batch->first_op = op;
    batch->last_op = op;
    if (op->what == UNS_NOTICE_KEEP) batch->last_notice = op->id;
    uns__alarm_want_flush(uns);
    return true;
}

/* ---- the job ---- */

static Status keep_call(StoreConn *conn, const AlarmCall *call, Diag *diag)
{
    const StoreCell cells[] = {store_of_str(call->route),     store_of_str(call->rule),
                               store_of_str(call->path),      store_of_int(call->first_ms),
                               store_of_int(call->repeat_ms), store_of_int(call->escalate_ms),
                               store_of_int(call->told),      store_of_int(call->escalated)};
    return store_run(conn,
                     "INSERT OR REPLACE INTO alarm_calls(route, rule, path, first, again,"
                     " escalate, told, escalated) VALUES(?1,?2,?3,?4,?5,?6,?7,?8)",
                     cells, COUNT_OF(cells), diag);
}

static Status drop_call(StoreConn *conn, const AlarmCall *call, Diag *diag)
{
    const StoreCell cells[] = {store_of_str(call->route), store_of_str(call->rule),
                               store_of_str(call->path)};
    return store_run(conn, "DELETE FROM alarm_calls WHERE route = ?1 AND rule = ?2 AND path = ?3",
                     cells, COUNT_OF(cells), diag);
}

static Status keep_notice(StoreConn *conn, const UnsNotifyOp *op, Diag *diag)
{
    const StoreCell cells[] = {store_of_int(op->id),    store_of_str(op->target),
                               store_of_int(op->at_ms), store_of_str(op->rule),
                               store_of_str(op->path),  store_of_int(op->priority),
                               store_of_int(op->state), store_of_str(op->event)};
    return store_run(conn,
                     "INSERT INTO alarm_outbox(id, target, at, rule, path, priority,"
                     " state, event) VALUES(?1,?2,?3,?4,?5,?6,?7,?8)",
                     cells, COUNT_OF(cells), diag);
}

/* The journal tells of it, with the state that was told of. */
static Status end_notice(StoreConn *conn, const UnsNotifyOp *op, Diag *diag)
{
    const StoreCell cells[] = {store_of_int(op->id), store_of_int(op->at_ms),
                               store_of_str(op->text), store_of_int(op->delivered)};
    Status st = store_run(conn,
                          "INSERT INTO alarm_journal(at, rule, path, priority, was, became,"
                          " who, text, target, delivered) SELECT ?2, rule, path, priority,"
                          " state, state, '', ?3, target, ?4 FROM alarm_outbox WHERE id = ?1",
                          cells, COUNT_OF(cells), diag);
    return st ? st : store_run(conn, "DELETE FROM alarm_outbox WHERE id = ?1", cells, 1, diag);
}

Status uns__notify_write(StoreConn *conn, const UnsAlarmBatch *batch, Diag *diag)
{
    Status st = ST_OK;
    for (const UnsNotifyOp *op = batch->first_op; op && !st; op = op->next) {
        switch (op->what) {
        case UNS_CALL_KEEP: st = keep_call(conn, &op->call, diag); break;
        case UNS_CALL_DROP: st = drop_call(conn, &op->call, diag); break;
        case UNS_NOTICE_KEEP: st = keep_notice(conn, op, diag); break;
        case UNS_NOTICE_END: st = end_notice(conn, op, diag); break;
        }
    }
    return st;
}

/* ---- reading at start ---- */

static Status load_secrets(Uns *uns, Arena *arena, Str sealed, UnsTargetConf **ret_held, Diag *diag)
{
    const Json *json = NULL;
    Str text;
    if (!sealed.len) return ST_OK;
    Status st = secret_key_load(&uns->notify->key, uns->env->data_dir, "uns.key", diag);
    if (!st) st = secret_unseal(&uns->notify->key, arena, sealed, &text);
    if (!st) st = json_read(arena, text, &json, diag);
    if (!st) st = uns__target_unsealed(json, ret_held);
    return st;
}

/* One that cannot be read does not keep the others out; what waits for it stays on the disk. */
static void load_target(Uns *uns, StoreStmt *stmt, Arena *arena)
{
    const Json *json = NULL;
    UnsTargetConf *held = NULL, *conf = NULL;
    Diag why = {0};
    Str body = arena_str(arena, store_str(stmt, 1));
    Status st = body.ptr ? json_read(arena, body, &json, &why) : ST_NO_MEMORY;
    if (!st) st = load_secrets(uns, arena, arena_str(arena, store_str(stmt, 2)), &held, &why);
    if (!st) st = uns__target_read(json, held, &conf, &why);
    if (!st) st = uns__target_put(uns, conf, &why);
    uns__target_conf_free(held);
    if (st)
        log_error(uns->env->log, "uns", "alarm target not read", "target=%.*s reason=%s",
                  STR_ARG(store_str(stmt, 0)), why.text[0] ? why.text : status_text(st));
}

static void load_route(Uns *uns, StoreStmt *stmt, Arena *arena)
{
    const Json *json = NULL;
    AlarmRoute route;
    Diag why = {0};
    Str body = arena_str(arena, store_str(stmt, 1));
    Status st = body.ptr ? json_read(arena, body, &json, &why) : ST_NO_MEMORY;
    if (!st) st = alarm_route_read(arena, json, &route, &why);
    if (!st) st = alarm_notify_put(uns->notify->routes, &route);
    if (st)
        log_error(uns->env->log, "uns", "alarm route not read", "route=%.*s reason=%s",
                  STR_ARG(store_str(stmt, 0)), why.text[0] ? why.text : status_text(st));
}

static void load_call(Uns *uns, StoreStmt *stmt, Arena *arena)
{
    AlarmCall call = {.route = arena_str(arena, store_str(stmt, 0)),
                      .rule = arena_str(arena, store_str(stmt, 1)),
                      .path = arena_str(arena, store_str(stmt, 2)),
                      .first_ms = store_int(stmt, 3),
                      .repeat_ms = store_int(stmt, 4),
                      .escalate_ms = store_int(stmt, 5),
                      .told = (uint32_t)store_int(stmt, 6),
                      .escalated = store_int(stmt, 7) != 0};
    Status st = alarm_notify_restore(uns->notify->routes, &call);
    if (st)
        log_error(uns->env->log, "uns", "an alarm's call is forgotten", "route=%.*s reason=%s",
                  STR_ARG(call.route), status_text(st));
}

static void load_notice(Uns *uns, StoreStmt *stmt, Arena *arena)
{
    UnsNotify *notify = uns->notify;
    int64_t id = store_int(stmt, 0);
    UnsTarget *target = uns__target(uns, store_str(stmt, 1));
    (void)arena;
    if (id >= notify->next_id) notify->next_id = id + 1;
    if (!target) return;
    if (uns__notice_add(target, id, store_int(stmt, 2), store_str(stmt, 3))) notify->stored_id = id;
}

Status uns__notify_load(Uns *uns, StoreConn *conn, Diag *diag)
{
    static const UnsAlarmTable tables[] = {
        {"SELECT name, body, secrets FROM alarm_targets", load_target},
        {"SELECT name, body FROM alarm_routes", load_route},
        {"SELECT route, rule, path, first, again, escalate, told, escalated FROM alarm_calls",
         load_call},
        {"SELECT id, target, at, event FROM alarm_outbox ORDER BY id", load_notice}};
    return uns__alarm_read(uns, conn, tables, COUNT_OF(tables), diag);
}
