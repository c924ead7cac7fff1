/* runtime/modules/uns/uns_alarm_journal.c: what happened: the journal, and what it says about the
 * alarms themselves (EEMUA 191, ISA-18.2 clause 16: how many, which ones, how long). */
#include "modules/uns/uns_alarm.h"

enum { JOURNAL_LIMIT = 200, HOURS = 24, WORST = 10 };
#define HOUR_MS 3600000

typedef struct Look {
    Uns *uns;
    Req *req;
    Arena *arena; /* owned */
    Buf body;
    int64_t from_ms, to_ms, now_ms;
    uint64_t lost; /* rows that never reached the journal */
} Look;

static void on_looked(void *ctx, Status status, const Diag *diag)
{
    Look *look = ctx;
    Uns *uns = look->uns;
    Arena *arena = look->arena;
    if (status) {
        req_fail(look->req, status, "%s", diag ? diag->text : "");
        buf_done(&look->body);
    } else {
        req_answer_buf(look->req, &look->body);
    }
    arena_free(arena);
    uns__job_done(uns);
}

static Look *look_new(Uns *uns, Req *req)
{
    Arena *arena = arena_new(4096, 1 << 20);
    Look *look = arena ? arena_one(arena, Look) : NULL;
    if (!look) {
        arena_free(arena);
        req_fail(req, ST_NO_MEMORY, "no memory for the question");
        return NULL;
    }
    *look = (Look){.uns = uns,
                   .req = req,
                   .arena = arena,
                   .to_ms = INT64_MAX,
                   .now_ms = clock_wall_ns() / NS_PER_MS};
    buf_init(&look->body, UNS_ANSWER_BYTES_MAX);
    return look;
}

static void look_start(Look *look, StoreJobFn *job)
{
    Uns *uns = look->uns;
    if (!store_read(uns->env->store, job, on_looked, look)) {
        uns->jobs++;
        return;
    }
    req_fail(look->req, ST_BUSY, "too many questions at once");
    arena_free(look->arena);
}

/* ---- the journal ---- */

static const char *state_of(int64_t number)
{
    return alarm_state_name(number >= 0 && number < ALARM__STATES ? (AlarmState)number
                                                                  : ALARM_NORMAL);
}

static void put_entry(StoreStmt *stmt, JsonOut *out)
{
    int64_t priority = store_int(stmt, 4);
    json_begin_object(out);
    json_field_int(out, "id", store_int(stmt, 0));
    json_field_int(out, "time", store_int(stmt, 1));
    json_field_str(out, "rule", store_str(stmt, 2));
    json_field_str(out, "path", store_str(stmt, 3));
    json_field_text(out, "priority",
                    alarm_priority_name(priority >= ALARM_CRITICAL && priority <= ALARM_LOW
                                            ? (AlarmPriority)priority
                                            : ALARM_LOW));
    json_field_text(out, "from", state_of(store_int(stmt, 5)));
    json_field_text(out, "to", state_of(store_int(stmt, 6)));
    json_key(out, "value");
    if (store_is_null(stmt, 7))
        json_put_null(out);
    else
        json_put_number(out, store_number(stmt, 7));
    json_field_str(out, "who", store_str(stmt, 8));
    json_field_str(out, "text", store_str(stmt, 9));
    if (!store_is_null(stmt, 10)) {
        json_field_str(out, "target", store_str(stmt, 10));
        json_field_bool(out, "delivered", store_int(stmt, 11) != 0);
    }
    json_end(out);
}

static Status journal_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Look *look = ctx;
    const Json *in = look->req->in;
    int64_t limit = json_int(in, "limit", JOURNAL_LIMIT), count = 0;
    StoreStmt *stmt;
    JsonOut out;
    bool row = false;
    Status st = store_prepare(
        conn,
        "SELECT id, at, rule, path, priority, was, became, value, who, text,"
        " target, delivered FROM alarm_journal WHERE id < ?1 AND at >= ?2 AND at <= ?3"
        " AND (?4 = '' OR rule = ?4)"
        " AND (?5 = '' OR path = ?5 OR path GLOB ?6)"
        " ORDER BY id DESC LIMIT ?7",
        &stmt, diag);
    if (st) return st;
    Str prefix = json_str(in, "prefix", STR_NONE);
    Str glob = arena_printf(look->arena, "%.*s/*", STR_ARG(prefix));
    store_bind_int(stmt, 1, json_int(in, "before", INT64_MAX));
    store_bind_int(stmt, 2, look->from_ms);
    store_bind_int(stmt, 3, look->to_ms);
    store_bind_str(stmt, 4, json_str(in, "rule", STR_NONE));
    store_bind_str(stmt, 5, prefix);
    store_bind_str(stmt, 6, glob);
    store_bind_int(stmt, 7, limit + 1);
    json_out_init(&out, &look->body);
    json_begin_object(&out);
    json_key(&out, "entries");
    json_begin_array(&out);
    while (!(st = store_step(stmt, &row, diag)) && row && count++ < limit) put_entry(stmt, &out);
    if (row) store_reset(stmt);
    json_end(&out);
    json_field_bool(&out, "more", row);
    json_end(&out);
    return st;
}

void uns__op_alarm_journal(void *self, Req *req)
{
    Look *look = look_new(self, req);
    if (!look) return;
    Str from = json_str(req->in, "from", STR_NONE), to = json_str(req->in, "to", STR_NONE);
    bool good = (!from.len || uns_when_read(from, look->now_ms, &look->from_ms)) &&
                (!to.len || uns_when_read(to, look->now_ms, &look->to_ms));
    if (good) {
        look_start(look, journal_job);
        return;
    }
    req_fail(req, ST_INVALID, "from or to is not a time");
    arena_free(look->arena);
}

/* ---- what it says ---- */

/* Alarms that were raised, per hour back from now; the last is the hour that runs. */
static Status put_hours(StoreConn *conn, const Look *look, JsonOut *out, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    int64_t hours[HOURS] = {0};
    Status st = store_prepare(conn,
                              "SELECT (?1 - at) / 3600000, count(*) FROM alarm_journal"
                              " WHERE at > ?2 AND became = ?3 AND was <> ?3 GROUP BY 1",
                              &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, look->now_ms);
    store_bind_int(stmt, 2, look->now_ms - (int64_t)HOURS * HOUR_MS);
    store_bind_int(stmt, 3, ALARM_UNACKED);
    while (!(st = store_step(stmt, &row, diag)) && row) {
        int64_t back = store_int(stmt, 0);
        if (back >= 0 && back < HOURS) hours[HOURS - 1 - back] = store_int(stmt, 1);
    }
    json_key(out, "per_hour");
    json_begin_array(out);
    for (int i = 0; i < HOURS; i++) json_put_int(out, hours[i]);
    json_end(out);
    return st;
}

static Status put_worst(StoreConn *conn, const Look *look, JsonOut *out, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    Status st = store_prepare(conn,
                              "SELECT rule, path, count(*) AS n FROM alarm_journal"
                              " WHERE at > ?1 AND became = ?2 AND was <> ?2"
                              " GROUP BY rule, path ORDER BY n DESC, rule, path LIMIT ?3",
                              &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, look->now_ms - (int64_t)HOURS * HOUR_MS);
    store_bind_int(stmt, 2, ALARM_UNACKED);
    store_bind_int(stmt, 3, WORST);
    json_key(out, "worst");
    json_begin_array(out);
    while (!(st = store_step(stmt, &row, diag)) && row) {
        json_begin_object(out);
        json_field_str(out, "rule", store_str(stmt, 0));
        json_field_str(out, "path", store_str(stmt, 1));
        json_field_int(out, "count", store_int(stmt, 2));
        json_end(out);
    }
    json_end(out);
    return st;
}

/* More than ten in ten minutes is more than one person can follow (ISA-18.2, 16.5.2). */
static Status put_flood(StoreConn *conn, const Look *look, JsonOut *out, Diag *diag)
{
    enum { FLOOD_MS = 600000, FLOOD_ALARMS = 10 };
    StoreStmt *stmt;
    bool row = false;
    Status st = store_prepare(conn,
                              "SELECT count(*) FROM alarm_journal WHERE at > ?1 AND became = ?2"
                              " AND was <> ?2",
                              &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, look->now_ms - FLOOD_MS);
    store_bind_int(stmt, 2, ALARM_UNACKED);
    st = store_step(stmt, &row, diag);
    if (st || !row) return st;
    json_field_int(out, "ten_minutes", store_int(stmt, 0));
    json_field_bool(out, "flood", store_int(stmt, 0) > FLOOD_ALARMS);
    store_reset(stmt);
    return ST_OK;
}

static Status stats_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Look *look = ctx;
    JsonOut out;
    json_out_init(&out, &look->body);
    json_begin_object(&out);
    json_field_int(&out, "lost", (int64_t)look->lost);
    Status st = put_hours(conn, look, &out, diag);
    if (!st) st = put_worst(conn, look, &out, diag);
    if (!st) st = put_flood(conn, look, &out, diag);
    json_end(&out);
    return st;
}

void uns__op_alarm_stats(void *self, Req *req)
{
    Uns *uns = self;
    Look *look = look_new(uns, req);
    if (!look) return;
    look->lost = uns->alarms->rows_lost;
    look_start(look, stats_job);
}
