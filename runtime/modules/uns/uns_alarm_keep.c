/* runtime/modules/uns/uns_alarm_keep.c: rows of alarms to the disk and back.
 *
 * The rows of one turn of the loop leave as one job; what comes while it is on its way is the next
 * one. A job that the disk refuses is tried again until it is taken, and operators wait with it. */
#include "modules/uns/uns_notify.h"

#include "base/buf.h"
#include "base/mem.h"

#include <math.h>

enum { RETRY_MS = 500, BATCH_BYTES_MAX = 64 << 20, TELL_EVERY_MS = 250 };

/* ---- the job ---- */

static Status write_journal(StoreConn *conn, const UnsAlarmRow *row, Diag *diag)
{
    const StoreCell cells[] = {store_of_int(row->at_ms),
                               store_of_str(row->rule),
                               store_of_str(row->path),
                               store_of_int(row->priority),
                               store_of_int(row->from),
                               store_of_int(row->kept.state),
                               isnan(row->value) ? (StoreCell){.kind = STORE_NULL}
                                                 : store_of_number(row->value),
                               store_of_str(row->who),
                               store_of_str(row->text)};
    return store_run(conn,
                     "INSERT INTO alarm_journal(at, rule, path, priority, was, became,"
                     " value, who, text) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9)",
                     cells, COUNT_OF(cells), diag);
}

static Status write_point(StoreConn *conn, const UnsAlarmRow *row, Diag *diag)
{
    const AlarmKept *kept = &row->kept;
    const int over = kept->shelved | kept->suppressed << 1 | kept->out_of_service << 2;
    const StoreCell cells[] = {store_of_str(row->rule),
                               store_of_str(row->path),
                               store_of_int(kept->under),
                               store_of_int(kept->since_ms),
                               store_of_int(kept->raised_ms),
                               store_of_number(kept->raised_value),
                               store_of_int((int64_t)kept->raised_count),
                               store_of_int(kept->shelf_ms),
                               store_of_int(over)};
    return store_run(conn,
                     "INSERT OR REPLACE INTO alarm_points(rule, path, under, since, raised,"
                     " raised_value, raised_count, shelf, over)"
                     " VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9)",
                     cells, COUNT_OF(cells), diag);
}

static Status write_rows(StoreConn *conn, void *ctx, Diag *diag)
{
    const UnsAlarmBatch *batch = ctx;
    Status st = uns__alarm_write_names(conn, batch, diag);
    for (const UnsAlarmRow *row = batch->first; row && !st; row = row->next) {
        st = write_journal(conn, row, diag);
        if (!st) st = write_point(conn, row, diag);
    }
    return st ? st : uns__notify_write(conn, batch, diag);
}

Status uns__alarm_trim(StoreConn *conn, int64_t before_ms, Diag *diag)
{
    enum { AT_ONCE = 5000 };
    const StoreCell cells[] = {store_of_int(before_ms), store_of_int(AT_ONCE)};
    return store_run(conn,
                     "DELETE FROM alarm_journal WHERE id IN (SELECT id FROM alarm_journal"
                     " WHERE at < ?1 LIMIT ?2)",
                     cells, COUNT_OF(cells), diag);
}

/* ---- on its way ---- */

static void on_written(void *ctx, Status status, const Diag *diag);

static void batch_again(void *ctx)
{
    UnsAlarmBatch *batch = ctx;
    Uns *uns = batch->uns;
    if (store_write(uns->env->store, write_rows, on_written, batch))
        on_written(batch, ST_BUSY, NULL);
}

static void answer_waiters(const UnsAlarmBatch *batch, Status status)
{
    for (UnsAlarmWaiter *waiter = batch->waiters, *next; waiter; waiter = next) {
        next = waiter->next;
        if (status)
            req_fail(waiter->req, status, "the change was made but could not be stored");
        else
            req_answer(waiter->req, waiter->answer);
    }
}

static void on_written(void *ctx, Status status, const Diag *diag)
{
    UnsAlarmBatch *batch = ctx;
    Uns *uns = batch->uns;
    UnsAlarms *alarms = uns->alarms;
    if (status && !alarms->failures++)
        log_error(uns->env->log, "uns", "alarms not stored", "rows=%u reason=%s", batch->count,
                  diag ? diag->text : "");
    if (status && !uns->draining &&
        !loop_once(uns->env->loop, RETRY_MS, batch_again, batch, &alarms->retry_timer))
        return;
    if (status) alarms->rows_lost += batch->count;
    answer_waiters(batch, status);
    int64_t notice = status ? 0 : batch->last_notice;
    arena_free(batch->arena);
    alarms->writing = NULL;
    if (notice) uns__notify_stored(uns, notice);
    uns__alarm_flush(uns);
    uns__job_done(uns);
}

void uns__alarm_flush(Uns *uns)
{
    UnsAlarms *alarms = uns->alarms;
    if (alarms->writing || !alarms->gathering) return;
    UnsAlarmBatch *batch = alarms->gathering;
    alarms->gathering = NULL;
    alarms->writing = batch;
    uns->jobs++;
    if (store_write(uns->env->store, write_rows, on_written, batch))
        on_written(batch, ST_BUSY, NULL);
}

static void on_flush(void *ctx)
{
    Uns *uns = ctx;
    uns->alarms->flush_posted = false;
    uns__alarm_flush(uns);
    uns__job_done(uns);
}

void uns__alarm_want_flush(Uns *uns)
{
    UnsAlarms *alarms = uns->alarms;
    if (alarms->flush_posted || alarms->writing || alarms->loading) return;
    if (loop_post(uns->env->loop, on_flush, uns)) {
        uns__alarm_flush(uns);
        return;
    }
    alarms->flush_posted = true;
    uns->jobs++;
}

/* ---- gathering ---- */

UnsAlarmBatch *uns__alarm_gathering(Uns *uns)
{
    UnsAlarms *alarms = uns->alarms;
    if (alarms->gathering) return alarms->gathering;
    Arena *arena = arena_new(4096, BATCH_BYTES_MAX);
    UnsAlarmBatch *batch = arena ? arena_one(arena, UnsAlarmBatch) : NULL;
    if (!batch) {
        arena_free(arena);
        return NULL;
    }
    *batch = (UnsAlarmBatch){.uns = uns, .arena = arena};
    alarms->gathering = batch;
    return batch;
}

static void tell(void *ctx)
{
    Uns *uns = ctx;
    Buf body;
    JsonOut out;
    buf_init(&body, 4096);
    json_out_init(&out, &body);
    json_begin_object(&out);
    uns__alarm_put_counts(uns, &out);
    json_end(&out);
    if (!buf_status(&body) &&
        bus_publish(uns->env->bus, STR("uns.alarms_changed"), buf_view(&body)))
        log_debug(uns->env->log, "uns", "alarms not told", "bytes=%zu", body.len);
    buf_done(&body);
}

static double number_of(const Uns *uns, Str path)
{
    const UnsNode *node = uns_tree_find(&uns->tree, path);
    UnsValue value = node ? uns_node_value(node) : (UnsValue){.type = UNS_NONE};
    bool number = value.type == UNS_INT || value.type == UNS_NUMBER;
    return number ? uns_value_number(&value) : (double)NAN;
}

static UnsAlarmRow *new_row(UnsAlarmBatch *batch, const AlarmEvent *event)
{
    Arena *arena = batch->arena;
    const AlarmRule *rule = alarm_point_rule(event->point);
    UnsAlarmRow *row = batch->count < UNS_ALARM_ROWS_MAX ? arena_one(arena, UnsAlarmRow) : NULL;
    if (!row) return NULL;
    *row = (UnsAlarmRow){.rule = arena_str(arena, rule->name),
                         .path = arena_str(arena, alarm_point_path(event->point)),
                         .who = arena_str(arena, event->who),
                         .text = arena_str(arena, event->text),
                         .from = event->from,
                         .priority = rule->priority,
                         .kept = alarm_point_kept(event->point),
                         .at_ms = clock_wall_ns() / NS_PER_MS};
    return row->rule.ptr && row->path.ptr && row->who.ptr && row->text.ptr ? row : NULL;
}

void uns__alarm_row(void *ctx, const AlarmEvent *event)
{
    Uns *uns = ctx;
    UnsAlarms *alarms = uns->alarms;
    UnsAlarmBatch *batch = uns__alarm_gathering(uns);
    UnsAlarmRow *row = batch ? new_row(batch, event) : NULL;
    if (row) {
        row->value = number_of(uns, row->path);
        if (batch->last)
            batch->last->next = row;
        else
            batch->first = row;
        batch->last = row;
        batch->count++;
    } else if (!alarms->rows_lost++) {
        log_error(uns->env->log, "uns", "an alarm's change is not in the journal", "waiting=%u",
                  batch ? batch->count : 0);
    }
    uns__notify_event(uns, event);
    uns__alarm_want_flush(uns);
    if (!alarms->loading) loop_once(uns->env->loop, TELL_EVERY_MS, tell, uns, &alarms->tell_timer);
}

void uns__alarm_answer_kept(Uns *uns, Req *req, Buf *answer)
{
    UnsAlarms *alarms = uns->alarms;
    UnsAlarmBatch *batch = alarms->gathering ? alarms->gathering : alarms->writing;
    UnsAlarmWaiter *waiter = batch ? arena_one(batch->arena, UnsAlarmWaiter) : NULL;
    if (!waiter || buf_status(answer)) {
        req_answer_buf(req, answer);
        return;
    }
    *waiter = (UnsAlarmWaiter){batch->waiters, req, arena_str(batch->arena, buf_view(answer))};
    buf_done(answer);
    if (waiter->answer.ptr)
        batch->waiters = waiter;
    else
        req_fail(req, ST_NO_MEMORY, "the change was made; no memory for the answer");
}

/* ---- reading at start ---- */

/* A rule that cannot be read (it was checked before it was stored) does not keep the others out. */
static void load_rule(Uns *uns, StoreStmt *stmt, Arena *arena)
{
    const Json *json = NULL;
    AlarmRule rule;
    Diag why = {0};
    Str body = arena_str(arena, store_str(stmt, 1));
    Status st = body.ptr ? json_read(arena, body, &json, &why) : ST_NO_MEMORY;
    if (!st) st = alarm_rule_read(arena, json, &rule, &why);
    if (!st) {
        rule.origin = arena_str(arena, store_str(stmt, 0));
        st = alarms_put(uns->alarms->list, &rule, NULL, NULL);
    }
    if (!st)
        uns->alarms->rule_count++;
    else
        log_error(uns->env->log, "uns", "alarm rule not read", "rule=%.*s reason=%s", STR_ARG(body),
                  why.text);
}

static void load_point(Uns *uns, StoreStmt *stmt, Arena *arena)
{
    Alarms *list = uns->alarms->list;
    (void)arena;
    const AlarmRule *rule = alarms_rule(list, store_str(stmt, 0));
    UnsNode *node;
    Str path = store_str(stmt, 1);
    int64_t under = store_int(stmt, 2), over = store_int(stmt, 8);
    AlarmTime now = uns_alarm_now();
    if (!rule || !uns_path_valid(path) || under < 0 || under > ALARM_LATCHED_ACKED) return;
    if (!uns__alarm_fits(rule, path)) return;          /* renamed out of the rule */
    if (uns_tree_add(&uns->tree, path, &node)) return; /* a value may be stored after its alarm */
    AlarmKept kept = {.under = (AlarmState)under,
                      .since_ms = store_int(stmt, 3),
                      .raised_ms = store_int(stmt, 4),
                      .raised_value = store_number(stmt, 5),
                      .raised_count = (uint64_t)store_int(stmt, 6),
                      .shelf_ms = store_int(stmt, 7),
                      .shelved = over & 1,
                      .suppressed = over & 2,
                      .out_of_service = over & 4};
    UnsMore *more = uns_node_more(&uns->tree, node);
    if (!more || alarms_attach(list, rule, uns_node_path(node), &more->alarms, NULL, now)) return;
    alarm_point_restore(list, alarm_find(more->alarms, rule->name), &kept, now);
}

Status uns__alarm_read(Uns *uns, StoreConn *conn, const UnsAlarmTable *tables, size_t count,
                       Diag *diag)
{
    Status st = ST_OK;
    Arena *arena = arena_new(4096, 4 << 20);
    if (!arena) return diag_set(diag, ST_NO_MEMORY, "no memory for alarms");
    for (size_t i = 0; i < count && !st; i++) {
        StoreStmt *stmt;
        bool row;
        st = store_prepare(conn, tables[i].sql, &stmt, diag);
        while (!st && !(st = store_step(stmt, &row, diag)) && row) {
            tables[i].fn(uns, stmt, arena);
            arena_reset(arena);
        }
    }
    arena_free(arena);
    return st;
}

static Status load(StoreConn *conn, void *ctx, Diag *diag)
{
    static const UnsAlarmTable tables[] = {
        {"SELECT origin, body FROM alarm_rules", load_rule},
        {"SELECT rule, path, under, since, raised, raised_value, raised_count, shelf, over"
         " FROM alarm_points",
         load_point}};
    Status st = uns__alarm_read(ctx, conn, tables, COUNT_OF(tables), diag);
    return st ? st : uns__notify_load(ctx, conn, diag);
}

/* What waited for targets when the program ended. */
static void begin_notify(void *ctx)
{
    Uns *uns = ctx;
    uns__notify_stored(uns, 0);
    uns__notify_arm(uns);
}

/* Blocking, before the loop runs. What changed meanwhile is told when the loop begins. */
Status uns__alarms_load(Uns *uns, Diag *diag)
{
    UnsAlarms *alarms = uns->alarms;
    alarms->loading = true;
    Status st = store_run_now(uns->env->store, load, uns, diag);
    for (UnsNode *node = uns->tree.first; node && !st; node = node->next_node)
        if (uns_node_has_value(node)) uns__alarm_value(uns, node, true);
    if (!st) alarm_notify_sweep(uns->notify->routes);
    alarms->loading = false;
    if (!st && alarms->gathering) uns__alarm_want_flush(uns);
    if (!st) st = loop_post(uns->env->loop, begin_notify, uns);
    return st;
}
