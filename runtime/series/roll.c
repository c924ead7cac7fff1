/* runtime/series/roll.c: marks become roll-ups, and what is no longer kept is forgotten.
 *
 * A mark says which times of a series have new points. At most a day is worked out at once, in one
 * walk for all levels. The first bucket with points behind a mark is looked at again, too: what a
 * value weighs there depends on the last point before it (its own last point stays, so the next
 * but one bucket does not change: such a mark, an echo, makes no other). */
#include "series/roll_int.h"

enum { MARK_GAP_S = 86400 };
#define DAY_NS  ((int64_t)86400000000000)
#define HOUR_NS ((int64_t)3600000000000)

static Status put_mark(StoreConn *conn, int64_t series, int64_t t_first, int64_t t_last, bool echo,
                       Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    Status st = store_prepare(conn,
                              "INSERT INTO series_stale(series, t_first, t_last, echo)"
                              " VALUES(?1, ?2, ?3, ?4)",
                              &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, series);
    store_bind_int(stmt, 2, t_first);
    store_bind_int(stmt, 3, t_last);
    store_bind_int(stmt, 4, echo);
    return store_step(stmt, &row, diag);
}

/* One mark, or more where days lie between two points. */
Status series__mark(StoreConn *conn, int64_t series, const SeriesColumns *points, Diag *diag)
{
    Status st = ST_OK;
    for (uint32_t from = 0, to; from < points->count && !st; from = to) {
        for (to = from + 1; to < points->count; to++)
            if ((uint64_t)points->t_ns[to] - (uint64_t)points->t_ns[to - 1] >
                (uint64_t)MARK_GAP_S * 1000000000)
                break;
        st = put_mark(conn, series, points->t_ns[from], points->t_ns[to - 1], false, diag);
    }
    return st;
}

Status series_mark_all(StoreConn *conn, int64_t series, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    Status st = store_prepare(conn,
                              "INSERT INTO series_stale(series, t_first, t_last) SELECT series,"
                              " min(t_first), max(t_last) FROM series_blocks WHERE series = ?1"
                              " HAVING count(*) > 0",
                              &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, series);
    return store_step(stmt, &row, diag);
}

/* ---- one piece of work ---- */

typedef struct Piece {
    StoreConn *conn;
    SeriesWork *work;
    int64_t series, from_ns, to_ns; /* to: not included */
    int64_t raw_from_ns;
    Diag *diag;
} Piece;

/* Rows as stored, with those of the piece in the place of what was there. Where points are gone
 * what was there stays. */
static void merge(const Piece *piece, const RollRows *stored, const RollRows *fresh, RollRows *out)
{
    uint32_t old = 0, new_at = 0;
    out->count = 0;
    while ((old < stored->count || new_at < fresh->count) && out->count < ROLL_ROWS_MAX) {
        const SeriesRoll *a = old < stored->count ? &stored->row[old] : NULL;
        const SeriesRoll *b = new_at < fresh->count ? &fresh->row[new_at] : NULL;
        bool take_old = a && (!b || a->t_ns <= b->t_ns);
        bool take_new = b && (!a || b->t_ns <= a->t_ns);
        old += take_old;
        new_at += take_new;
        bool keep = take_old && (a->t_ns < piece->from_ns || a->t_ns >= piece->to_ns ||
                                 a->t_ns < piece->raw_from_ns);
        if (keep)
            out->row[out->count++] = *a;
        else if (take_new)
            out->row[out->count++] = *b;
    }
}

static Status keep_level(const Piece *piece, int level, const RollRows *fresh)
{
    RollRows *stored, *merged;
    bool found;
    int64_t span_ns = roll__floor(piece->from_ns, roll__span_ns(level));
    Status st = roll__rows(piece->work, 2, &stored, piece->diag);
    if (!st) st = roll__rows(piece->work, 3, &merged, piece->diag);
    if (!st)
        st = roll__load(piece->conn, piece->work, piece->series, level, span_ns, true, stored,
                        &found, piece->diag);
    if (st) return st;
    merge(piece, stored, fresh, merged);
    return roll__store(piece->conn, piece->work, piece->series, level, span_ns, merged,
                       piece->diag);
}

/* The minutes of an hour whose points are gone. */
static Status minutes_there(const Piece *piece, RollRows **ret, Diag *diag)
{
    bool found;
    int64_t span_ns = roll__floor(piece->from_ns, roll__span_ns(SERIES_MINUTES));
    Status st = roll__rows(piece->work, 4, ret, diag);
    if (!st)
        st = roll__load(piece->conn, piece->work, piece->series, SERIES_MINUTES, span_ns, true,
                        *ret, &found, diag);
    return st;
}

static Status work_out(const Piece *piece, const SeriesPolicy *policy)
{
    RollGathers gathers;
    RollLate late;
    RollRows *minutes = NULL;
    SeriesPoint before;
    bool found, gone = piece->from_ns < piece->raw_from_ns;
    SeriesVisitor visitor = {roll__gather, NULL, &gathers};
    Status st = series_value_before(piece->conn, piece->work, piece->series, piece->from_ns,
                                    &before, &found, piece->diag);
    if (!st)
        st = roll__gather_begin(piece->work, policy, found ? &before : NULL, &gathers, piece->diag);
    if (!st && gone) st = minutes_there(piece, &minutes, piece->diag);
    if (!st && gone) {
        roll__late_begin(&late, &gathers, minutes, piece->from_ns);
        visitor = (SeriesVisitor){roll__gather_late, NULL, &late};
    }
    if (!st)
        st = series_scan(piece->conn, piece->work, piece->series, piece->from_ns, piece->to_ns - 1,
                         &visitor, piece->diag);
    if (st) return st;
    roll__gather_end(&gathers);
    for (int level = 0; level < SERIES_LEVELS && !st; level++)
        if (gathers.level[level].rows) st = keep_level(piece, level, gathers.level[level].rows);
    return st;
}

/* ---- marks ---- */

typedef struct Mark {
    int64_t id, series, t_first_ns, t_last_ns;
    bool echo, found;
} Mark;

static Status first_mark(StoreConn *conn, Mark *ret, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    *ret = (Mark){0};
    Status st = store_prepare(conn,
                              "SELECT id, series, t_first, t_last, echo FROM series_stale"
                              " ORDER BY id LIMIT 1",
                              &stmt, diag);
    if (!st) st = store_step(stmt, &row, diag);
    if (st || !row) return st;
    *ret = (Mark){store_int(stmt, 0), store_int(stmt, 1),      store_int(stmt, 2),
                  store_int(stmt, 3), store_int(stmt, 4) != 0, true};
    store_reset(stmt);
    return ST_OK;
}

/* Takes away the marks that lie within the piece; *ret_real: one of them was no echo. */
static Status absorb(const Piece *piece, bool *ret_real)
{
    static const char *const sql[] = {
        "SELECT 1 FROM series_stale WHERE series = ?1 AND t_first >= ?2 AND t_last < ?3"
        " AND echo = 0 LIMIT 1",
        "DELETE FROM series_stale WHERE series = ?1 AND t_first >= ?2 AND t_last < ?3"};
    StoreStmt *stmt;
    Status st = ST_OK;
    for (int i = 0; i < 2 && !st; i++) {
        bool row = false;
        st = store_prepare(piece->conn, sql[i], &stmt, piece->diag);
        if (st) return st;
        store_bind_int(stmt, 1, piece->series);
        store_bind_int(stmt, 2, piece->from_ns);
        store_bind_int(stmt, 3, piece->to_ns);
        st = store_step(stmt, &row, piece->diag);
        if (row) {
            *ret_real = true;
            store_reset(stmt);
        }
    }
    return st;
}

static Status drop_mark(StoreConn *conn, int64_t id, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    Status st = store_prepare(conn, "DELETE FROM series_stale WHERE id = ?1", &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, id);
    return store_step(stmt, &row, diag);
}

static bool take_first(void *ctx, int64_t t_ns, double value, uint8_t quality)
{
    (void)value;
    (void)quality;
    *(int64_t *)ctx = t_ns;
    return false;
}

/* What is left of the mark behind the piece: more points, or the bucket that comes next. */
static Status go_on(const Piece *piece, const Mark *mark, bool real)
{
    int64_t next_ns = INT64_MAX;
    SeriesVisitor visitor = {take_first, NULL, &next_ns};
    Status st = ST_OK;
    if (piece->to_ns < INT64_MAX)
        st = series_scan(piece->conn, piece->work, piece->series, piece->to_ns, INT64_MAX, &visitor,
                         piece->diag);
    if (!st) st = drop_mark(piece->conn, mark->id, piece->diag);
    if (st || next_ns == INT64_MAX) return st;
    if (next_ns <= mark->t_last_ns)
        return put_mark(piece->conn, piece->series, next_ns, mark->t_last_ns, mark->echo,
                        piece->diag);
    return real ? put_mark(piece->conn, piece->series, next_ns, next_ns, true, piece->diag) : ST_OK;
}

Status series_roll(StoreConn *conn, SeriesWork *work, SeriesPolicyFn *policy, void *ctx,
                   bool *ret_more, Diag *diag)
{
    Mark mark;
    SeriesPolicy kept = {0};
    *ret_more = false;
    Status st = first_mark(conn, &mark, diag);
    if (st || !mark.found) return st;
    *ret_more = true;
    st = policy(ctx, conn, mark.series, &kept, diag);
    if (st) return st;
    if (!kept.roll_ns[SERIES_MINUTES] && !kept.roll_ns[SERIES_HOURS])
        return drop_mark(conn, mark.id, diag);
    Piece piece = {.conn = conn, .work = work, .series = mark.series, .diag = diag};
    piece.from_ns = roll__floor(mark.t_first_ns, HOUR_NS);
    int64_t day_ns = roll__floor(mark.t_first_ns, DAY_NS),
            end_ns = roll__floor(mark.t_last_ns, HOUR_NS);
    day_ns = day_ns > INT64_MAX - DAY_NS ? INT64_MAX : day_ns + DAY_NS;
    end_ns = end_ns > INT64_MAX - HOUR_NS ? INT64_MAX : end_ns + HOUR_NS;
    piece.to_ns = day_ns < end_ns ? day_ns : end_ns;
    bool real = !mark.echo;
    st = roll__raw_from(conn, work, mark.series, &piece.raw_from_ns, diag);
    if (piece.from_ns < piece.raw_from_ns && piece.from_ns + HOUR_NS < piece.to_ns)
        piece.to_ns = piece.from_ns + HOUR_NS; /* what held before is in roll-ups, not in points */
    if (!st) st = absorb(&piece, &real);
    if (!st) st = work_out(&piece, &kept);
    return st ? st : go_on(&piece, &mark, real);
}

/* ---- retention ---- */

int64_t roll__cutoff(int64_t now_ns, int64_t keep_ns)
{
    int64_t at_ns;
    if (keep_ns == INT64_MAX || __builtin_sub_overflow(now_ns, keep_ns, &at_ns)) return INT64_MIN;
    return roll__floor(at_ns, HOUR_NS);
}

static Status run(StoreConn *conn, const char *sql, const int64_t *values, int count, Diag *diag)
{
    StoreStmt *stmt;
    bool row = false;
    Status st = store_prepare(conn, sql, &stmt, diag);
    if (st) return st;
    for (int i = 0; i < count; i++) store_bind_int(stmt, i + 1, values[i]);
    st = store_step(stmt, &row, diag);
    if (row) store_reset(stmt);
    return st;
}

/* Is something of the series in the way: not sealed, or not rolled up? */
static Status in_the_way(StoreConn *conn, int64_t series, int64_t before_ns, bool *ret, Diag *diag)
{
    StoreStmt *stmt;
    Status st = store_prepare(conn,
                              "SELECT 1 WHERE EXISTS (SELECT 1 FROM series_stale WHERE series = ?1"
                              " AND t_first < ?2) OR EXISTS (SELECT 1 FROM series_segments WHERE"
                              " t_first < ?2)",
                              &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, series);
    store_bind_int(stmt, 2, before_ns);
    st = store_step(stmt, ret, diag);
    if (!st && *ret) store_reset(stmt);
    return st;
}

static Status forget_points(StoreConn *conn, int64_t series, int64_t before_ns, Diag *diag)
{
    int64_t values[] = {series, before_ns};
    Status st = run(conn,
                    "INSERT INTO series_kept(series, raw_from) SELECT ?1, ?2 WHERE EXISTS"
                    " (SELECT 1 FROM series_blocks WHERE series = ?1 AND t_last < ?2)"
                    " ON CONFLICT(series) DO UPDATE SET raw_from = max(raw_from, ?2)",
                    values, 2, diag);
    if (!st)
        st = run(conn,
                 "DELETE FROM series_data WHERE id IN (SELECT id FROM series_blocks WHERE"
                 " series = ?1 AND t_first < ?2 AND t_last < ?2)",
                 values, 2, diag);
    if (!st)
        st = run(conn,
                 "DELETE FROM series_blocks WHERE series = ?1 AND t_first < ?2 AND t_last < ?2",
                 values, 2, diag);
    return st;
}

Status series_forget(StoreConn *conn, int64_t series, const SeriesPolicy *policy, int64_t now_ns,
                     bool *ret_wait, Diag *diag)
{
    Status st = ST_OK;
    for (int level = 0; level < SERIES_LEVELS && !st; level++) {
        int64_t before_ns = roll__cutoff(now_ns, policy->roll_ns[level]);
        if (before_ns < INT64_MIN + roll__span_ns(level)) continue;
        int64_t values[] = {series, level, before_ns - roll__span_ns(level)};
        if (!policy->roll_ns[level]) values[2] = INT64_MAX; /* nobody looks after them any more */
        st =
            run(conn, "DELETE FROM series_rolls WHERE series = ?1 AND level = ?2 AND t_first <= ?3",
                values, 3, diag);
    }
    int64_t before_ns = roll__cutoff(now_ns, policy->raw_ns);
    if (st || before_ns == INT64_MIN) return st;
    bool wait = false;
    if (policy->roll_ns[SERIES_MINUTES] || policy->roll_ns[SERIES_HOURS])
        st = in_the_way(conn, series, before_ns, &wait, diag);
    if (st) return st;
    if (wait) {
        *ret_wait = true;
        return ST_OK;
    }
    return forget_points(conn, series, before_ns, diag);
}
