/* runtime/series/newest.c: the newest points that whoever keeps last values does not have yet.
 *
 * Points are the log, last values the table: a value is written down long after its point was, and
 * what a kill leaves of that is in the segments behind the one up to which all are settled. Mostly
 * these are a few. What is sealed or leaves for a server before it is settled keeps its newest
 * point aside (series_newest), so that no block is ever read for it. */
#include "series/series_int.h"

#include <math.h>

static Status read_number(StoreConn *conn, const char *sql, int64_t *ret, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    *ret = 0;
    Status st = store_prepare(conn, sql, &stmt, diag);
    if (!st) st = store_step(stmt, &row, diag);
    if (st || !row) return st;
    *ret = store_int(stmt, 0);
    store_reset(stmt);
    return ST_OK;
}

Status series_segment_now(StoreConn *conn, int64_t *ret_segment, Diag *diag)
{
    return read_number(conn, "SELECT seq FROM sqlite_sequence WHERE name = 'series_segments'",
                       ret_segment, diag);
}

static Status settled_segment(StoreConn *conn, int64_t *ret_segment, Diag *diag)
{
    return read_number(conn, "SELECT segment FROM series_settled", ret_segment, diag);
}

Status series_settle(StoreConn *conn, int64_t segment, Diag *diag)
{
    const StoreCell cell = store_of_int(segment);
    Status st = store_run(conn, "INSERT OR REPLACE INTO series_settled(id, segment) VALUES(1, ?1)",
                          &cell, 1, diag);
    return st ? st
              : store_run(conn, "DELETE FROM series_newest WHERE segment <= ?1", &cell, 1, diag);
}

/* ---- aside ---- */

static Status put_aside(StoreConn *conn, const SeriesPoint *point, int64_t segment, Diag *diag)
{
    const StoreCell cells[] = {store_of_int(point->series), store_of_int(point->t_ns),
                               store_of_number(point->value), store_of_int(point->quality),
                               store_of_int(segment)};
    return store_run(conn,
                     "INSERT INTO series_newest(series, t, value, quality, segment)"
                     " VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT(series) DO UPDATE SET t = excluded.t,"
                     " value = excluded.value, quality = excluded.quality,"
                     " segment = excluded.segment WHERE excluded.t >= t",
                     cells, COUNT_OF(cells), diag);
}

/* The next series of a walk with the newest of its points; its number is 0 at the end. */
static Status next_loose(SeriesWork *work, Loose *loose, SeriesPoint *ret, Diag *diag)
{
    const SeriesColumns *run = &work->run.at;
    *ret = (SeriesPoint){0};
    Status st = loose_next(work, loose, &ret->series, diag);
    if (st || !ret->series || !run->count) return st;
    ret->t_ns = run->t_ns[run->count - 1];
    ret->value = run->value[run->count - 1];
    ret->quality = run->quality[run->count - 1];
    return ST_OK;
}

Status series__keep_newest(StoreConn *conn, SeriesWork *work, Loose *loose, Diag *diag)
{
    SeriesPoint point;
    int64_t settled;
    Status st = settled_segment(conn, &settled, diag);
    for (uint32_t i = 0; i < loose->count; i++)
        loose->at[i] = loose->id[i] > settled ? 0 : loose->segment[i].count;
    while (!st && !(st = next_loose(work, loose, &point, diag)) && point.series)
        st = put_aside(conn, &point, loose->id[loose->count - 1], diag);
    return st;
}

Status series__keep_newest_of(StoreConn *conn, const SeriesPoint *points, uint32_t count,
                              int64_t segment, Diag *diag)
{
    int64_t settled;
    Status st = settled_segment(conn, &settled, diag);
    if (segment <= settled) return st;
    for (uint32_t i = 0; i < count && !st; i++)
        if (i + 1 == count || points[i + 1].series != points[i].series)
            st = put_aside(conn, &points[i], segment, diag);
    return st;
}

/* ---- asking ---- */

/* The next row of those aside; the series' number is 0 at the end. */
static Status next_aside(StoreStmt *stmt, SeriesPoint *ret, Diag *diag)
{
    bool row;
    *ret = (SeriesPoint){0};
    Status st = store_step(stmt, &row, diag);
    if (st || !row) return st;
    *ret = (SeriesPoint){store_int(stmt, 0), store_int(stmt, 1),
                         store_is_null(stmt, 2) ? (double)NAN : store_number(stmt, 2),
                         (uint8_t)store_int(stmt, 3)};
    return ST_OK;
}

/* Both are by ascending series. Of equal times the segments' counts: they are the newer ones. */
static Status give_both(StoreStmt *stmt, SeriesWork *work, Loose *loose, SeriesNewestFn *fn,
                        void *ctx, Diag *diag)
{
    SeriesPoint aside, fresh;
    Status st = next_aside(stmt, &aside, diag);
    if (!st) st = next_loose(work, loose, &fresh, diag);
    while (!st && (aside.series || fresh.series)) {
        bool has_aside = aside.series && (!fresh.series || aside.series <= fresh.series);
        bool has_fresh = fresh.series && (!aside.series || fresh.series <= aside.series);
        bool is_fresh = has_fresh && (!has_aside || fresh.t_ns >= aside.t_ns);
        st = fn(ctx, is_fresh ? &fresh : &aside, diag);
        if (!st && has_aside) st = next_aside(stmt, &aside, diag);
        if (!st && has_fresh) st = next_loose(work, loose, &fresh, diag);
    }
    return st;
}

Status series_unsettled(StoreConn *conn, SeriesWork *work, SeriesNewestFn *fn, void *ctx,
                        Diag *diag)
{
    int64_t settled;
    StoreStmt *stmt;
    Loose loose;
    Status st = settled_segment(conn, &settled, diag);
    if (st) return st;
    st = loose_read(conn, LEVEL_GATHERED, settled, &loose, diag);
    if (!st)
        st = store_prepare(conn,
                           "SELECT series, t, value, quality FROM series_newest"
                           " ORDER BY series",
                           &stmt, diag);
    if (!st) {
        st = give_both(stmt, work, &loose, fn, ctx, diag);
        store_reset(stmt);
    }
    loose_done(&loose);
    return st;
}
