/* runtime/modules/uns/uns_server.c: history on its way to a PostgreSQL server (setting
 * `historian`).
 *
 * The file is the way in and the buffer: what was acknowledged is in it until the server has it.
 * One unit at a time: read from the file, put on a pool thread, taken off the file. While the
 * server is away it is tried again, at most every half minute; when too much waits publishers of
 * QoS 1 and 2 are held, and what others send is dropped and counted. Upkeep of the server
 * (roll-ups, retention) goes between units, a piece at a time; its rules come from uns_rules.c each
 * round. */
#include "modules/uns/uns.h"

#include "base/mem.h"
#include "series/server.h"

#include <stdio.h>
#include <stdlib.h>

enum { AGAIN_FIRST_MS = 500, AGAIN_LAST_MS = 30000, FORGET_EVERY_S = 600, UPKEEP_MS = 200 };

struct UnsServer {
    Uns *uns;
    SeriesServer *server;
    SeriesUnit unit;
    SeriesName *names; /* of the unit; owned, and so are the paths */
    uint32_t name_count;
    LoopTimer *timer;
    SeriesWork *work;  /* of the roll-ups */
    UnsUpkeep *upkeep; /* of the server, due or under way; owned */
    bool upkeep_more;  /* roll-ups are due */
    bool busy, more, away;
    int64_t since_ms, again_ms, forgotten_ns;
    uint64_t sent, waiting; /* waiting: at least so many are in the file */
    uint64_t arrived;       /* of them since the last reading began, which may have seen them */
    Status status;
    Diag diag;
    char error[480];
};

static bool halting(void *ctx)
{
    Uns *uns = ctx;
    return atomic_load(&uns->sql_halting);
}

static void names_free(UnsServer *s)
{
    for (uint32_t i = 0; i < s->name_count; i++) mem_free((char *)(uintptr_t)s->names[i].path);
    mem_free(s->names);
    s->names = NULL;
    s->name_count = 0;
}

static void unit_free(UnsServer *s)
{
    series_unit_done(&s->unit);
    names_free(s);
}

/* ---- reading a unit ---- */

static int by_series(const void *a, const void *b)
{
    const SeriesName *left = a, *right = b;
    return left->series < right->series ? -1 : left->series > right->series;
}

static Status name_one(StoreConn *conn, SeriesName *name, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    Status st = store_prepare(conn, "SELECT path FROM series WHERE id = ?1", &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, name->series);
    st = store_step(stmt, &row, diag);
    if (st) return st;
    Str path = row ? store_str(stmt, 0) : STR("");
    char *copy = mem_alloc(path.len + 1);
    if (copy) {
        memcpy(copy, path.ptr, path.len);
        copy[path.len] = 0;
    }
    name->path = copy;
    if (row) store_reset(stmt);
    return copy ? ST_OK : diag_set(diag, ST_NO_MEMORY, "names of the history");
}

/* The series of the unit, each once, with their paths. */
static Status take_names(StoreConn *conn, UnsServer *s, Diag *diag)
{
    const SeriesUnit *unit = &s->unit;
    uint32_t count = 0, kept = 0;
    s->names = mem_zalloc(unit->count + 1, sizeof *s->names);
    if (!s->names) return diag_set(diag, ST_NO_MEMORY, "names of the history");
    if (unit->is_rolls) s->names[count++].series = unit->rolls.series;
    for (uint32_t i = 0; i < unit->count; i++)
        if (!i || unit->points[i].series != unit->points[i - 1].series)
            s->names[count++].series = unit->points[i].series;
    qsort(s->names, count, sizeof *s->names, by_series);
    for (uint32_t i = 0; i < count; i++)
        if (!kept || s->names[kept - 1].series != s->names[i].series)
            s->names[kept++].series = s->names[i].series;
    Status st = ST_OK;
    for (; s->name_count < kept && !st; s->name_count++)
        st = name_one(conn, &s->names[s->name_count], diag);
    return st;
}

static Status take_job(StoreConn *conn, void *ctx, Diag *diag)
{
    UnsServer *s = ctx;
    Status st = uns__series_work(&s->uns->read_work, diag);
    if (!st) st = series_unit_take(conn, s->uns->read_work, &s->unit, diag);
    if (!st && !series_unit_empty(&s->unit)) st = take_names(conn, s, diag);
    return st;
}

/* ---- the way of a unit ---- */

static void start(UnsServer *s);
static bool upkeep(UnsServer *s);

static void on_timer(void *ctx)
{
    start(ctx);
}

/* Without memory the next batch tries again. */
static void again_in(UnsServer *s, int64_t ms)
{
    if (!s->uns->draining) loop_once(s->uns->env->loop, (uint64_t)ms, on_timer, s, &s->timer);
}

static void finish(UnsServer *s)
{
    Uns *uns = s->uns;
    unit_free(s);
    s->busy = false;
    uint64_t most = (uint64_t)uns_conf(uns)->buffer_points;
    uns__server_full(uns, s->waiting > most, s->waiting > most + most / 8);
    if (s->away)
        again_in(s, s->again_ms);
    else if (!upkeep(s) && s->more && !uns->draining)
        start(s);
    uns__job_done(uns);
}

static void failed(UnsServer *s, const Diag *diag)
{
    Uns *uns = s->uns;
    const char *text = diag && diag->text[0] ? diag->text : "no reason given";
    (void)snprintf(s->error, sizeof s->error, "%s", text);
    if (!s->away) {
        s->since_ms = clock_wall_ns() / NS_PER_MS;
        s->again_ms = AGAIN_FIRST_MS;
        if (!uns->draining)
            log_error(uns->env->log, "uns", "historian's server is away", "waiting=%llu reason=%s",
                      (unsigned long long)s->waiting, text);
    } else if ((s->again_ms *= 2) > AGAIN_LAST_MS) {
        s->again_ms = AGAIN_LAST_MS;
    }
    s->away = true;
    finish(s);
}

static Status drop_job(StoreConn *conn, void *ctx, Diag *diag)
{
    UnsServer *s = ctx;
    return series_unit_drop(conn, &s->unit, diag);
}

static void on_dropped(void *ctx, Status status, const Diag *diag)
{
    UnsServer *s = ctx;
    if (status) {
        failed(s, diag); /* it goes once more */
        return;
    }
    s->sent += s->unit.count;
    s->waiting -= s->waiting < s->unit.count ? s->waiting : s->unit.count;
    s->more = s->more || s->waiting > 0 || s->unit.is_rolls;
    finish(s);
}

static void put_work(void *ctx)
{
    UnsServer *s = ctx;
    s->status = series_server_put(s->server, s->unit.points, s->unit.count, s->names, s->name_count,
                                  &s->diag);
    if (!s->status && s->unit.is_rolls)
        s->status = series_server_put_rolls(s->server, &s->unit.rolls, &s->diag);
}

static void on_put(void *ctx)
{
    UnsServer *s = ctx;
    Uns *uns = s->uns;
    if (s->status) {
        failed(s, &s->diag);
        return;
    }
    if (s->away)
        log_info(uns->env->log, "uns", "historian's server is back", "waiting=%llu kind=%s",
                 (unsigned long long)s->waiting, series_server_kind(s->server));
    s->away = false;
    Status st = store_write(uns->env->store, drop_job, on_dropped, s);
    if (st) on_dropped(s, st, NULL);
}

static void on_taken(void *ctx, Status status, const Diag *diag)
{
    UnsServer *s = ctx;
    Uns *uns = s->uns;
    s->waiting = status ? s->waiting : s->unit.waiting + s->arrived;
    s->more = s->more || s->arrived > 0; /* to be counted again */
    s->diag = (Diag){0};
    if (status) {
        failed(s, diag);
    } else if (series_unit_empty(&s->unit) || uns->draining) {
        finish(s);
    } else if (loop_work(uns->env->loop, put_work, on_put, s)) {
        failed(s, NULL);
    }
}

static void start(UnsServer *s)
{
    Uns *uns = s->uns;
    if (s->busy || s->timer || uns->draining) {
        s->more = true;
        return;
    }
    s->more = false;
    s->arrived = 0;
    if (store_read(uns->env->store, take_job, on_taken, s)) {
        again_in(s, AGAIN_FIRST_MS);
        return;
    }
    s->busy = true;
    uns->jobs++;
}

void uns__server_kick(Uns *uns, uint64_t points)
{
    UnsServer *s = uns->server;
    if (!s) return;
    s->waiting += points;
    s->arrived += points;
    start(s);
}

/* ---- upkeep ---- */

/* INT64_MIN: for ever. */
static int64_t kept_from(const UnsServer *s, int64_t longest_ns)
{
    int64_t now_ns = s->upkeep->now_ns;
    return longest_ns == INT64_MAX || longest_ns > now_ns ? INT64_MIN : now_ns - longest_ns;
}

static void forget(UnsServer *s)
{
    int64_t now_ns = clock_monotonic_ns();
    if (s->upkeep->importing) return;
    if (s->forgotten_ns && now_ns - s->forgotten_ns < FORGET_EVERY_S * NS_PER_S) return;
    s->status = series_server_forget(s->server, kept_from(s, s->upkeep->longest_ns),
                                     kept_from(s, s->upkeep->rolls_longest_ns), &s->diag);
    if (!s->status) s->forgotten_ns = now_ns;
}

/* What is not rolled up yet is not forgotten; the next round tries again. */
static void upkeep_work(void *ctx)
{
    UnsServer *s = ctx;
    UnsUpkeep *round = s->upkeep;
    int64_t now_ns = clock_monotonic_ns();
    SeriesRollRound rolls = {uns__upkeep_policy, round, clock_wall_ns(),
                             now_ns + UPKEEP_MS * NS_PER_MS};
    s->status = uns__series_work(&s->work, &s->diag);
    if (!s->status && round->series_count && !round->importing) {
        s->status = series_server_trim(s->server, round->series, round->series_count, round->now_ns,
                                       &s->diag);
        if (!s->status) round->series_count = 0; /* once a round */
    }
    if (!s->status)
        s->status = series_server_roll(s->server, s->work, &rolls, &s->upkeep_more, &s->diag);
    if (!s->status && !s->upkeep_more) forget(s);
}

static void on_upkept(void *ctx)
{
    UnsServer *s = ctx;
    Uns *uns = s->uns;
    if (s->status && !uns->draining)
        log_warn(uns->env->log, "uns", "the historian's server was not tidied", "reason=%s",
                 s->diag.text);
    if (s->status || !s->upkeep_more) {
        uns__upkeep_free(s->upkeep);
        s->upkeep = NULL;
    }
    s->busy = false;
    if (!uns->draining) start(s); /* a unit, and then the next piece */
    uns__job_done(uns);
}

/* True when it is under way: what else there is waits for its end. */
static bool upkeep(UnsServer *s)
{
    Uns *uns = s->uns;
    if (!s->upkeep || s->busy || uns->draining) return false;
    s->diag = (Diag){0};
    s->upkeep_more = false;
    if (loop_work(uns->env->loop, upkeep_work, on_upkept, s)) return false;
    s->busy = true;
    uns->jobs++;
    return true;
}

void uns__server_upkeep(Uns *uns, UnsUpkeep *round)
{
    UnsServer *s = uns->server;
    if (!s || s->upkeep || s->away || uns->draining) { /* that one first */
        uns__upkeep_free(round);
        return;
    }
    s->upkeep = round;
    (void)upkeep(s);
}

/* ---- life ---- */

/* The file says that it is not all there is: see ask/historian.c. */
static Status mark_job(StoreConn *conn, void *ctx, Diag *diag)
{
    return store_exec(conn,
                      ctx ? "INSERT OR REPLACE INTO series_kept(series, raw_from) VALUES(0, 0)"
                          : "DELETE FROM series_kept WHERE series = 0",
                      diag);
}

static Status count_job(StoreConn *conn, void *ctx, Diag *diag)
{
    return series_waiting(conn, ctx, diag);
}

Status uns__server_open(Uns *uns, Diag *diag)
{
    Str url = uns_conf(uns)->historian;
    UnsServer *s = NULL;
    Status st = store_run_now(uns->env->store, mark_job, url.len ? uns : NULL, diag);
    uint64_t waiting = 0;
    if (!st && url.len) st = store_run_now(uns->env->store, count_job, &waiting, diag);
    if (st || !url.len) return st;
    Str copy = arena_str(uns->arena, url);
    s = mem_zalloc(1, sizeof *s);
    if (!s || !copy.ptr) {
        mem_free(s);
        return diag_set(diag, ST_NO_MEMORY, "no memory for the historian's server");
    }
    st = series_server_new(copy.ptr, uns_conf(uns)->question_ms, halting, uns, &s->server, diag);
    if (st) {
        mem_free(s);
        return diag_wrap(diag, st, "historian");
    }
    s->uns = uns;
    s->waiting = waiting;
    uns->server = s;
    series_set_default_base(s->server);
    return ST_OK;
}

void uns__server_close(Uns *uns)
{
    UnsServer *s = uns->server;
    if (!s) return;
    loop_timer_stop(s->timer);
    unit_free(s);
    uns__upkeep_free(s->upkeep);
    series_work_free(s->work);
    series_set_default_base(NULL);
    series_server_free(s->server);
    mem_free(s);
    uns->server = NULL;
}

SeriesServer *uns__server_base(const Uns *uns)
{
    return uns->server ? uns->server->server : NULL;
}

void uns__server_stats(const Uns *uns, JsonOut *out)
{
    const UnsServer *s = uns->server;
    if (!s) return;
    json_key(out, "historian");
    json_begin_object(out);
    json_field_text(out, "state", s->away ? "away" : "up");
    json_field_text(out, "kind", series_server_kind(s->server));
    json_field_int(out, "waiting", (int64_t)s->waiting);
    json_field_int(out, "sent", (int64_t)s->sent);
    if (s->away) {
        json_field_int(out, "since", s->since_ms);
        json_field_text(out, "error", s->error);
    }
    json_end(out);
}
