/* runtime/series/read.c: sealed blocks and loose points of one series, merged by time.
 *
 * Loose points are newer than any block, so of equal times theirs count. A block under which no
 * loose point lies can be offered as its summary and is then never read. */
#include "series/series_int.h"

typedef struct Scan {
    StoreConn *conn;
    SeriesWork *work; /* its run holds the loose points of the range */
    const SeriesVisitor *visitor;
    int64_t series, from_ns, to_ns;
    uint32_t loose; /* the next loose point */
    bool stopped;
    Diag *diag;
} Scan;

static void give(Scan *scan, const SeriesColumns *points, uint32_t at)
{
    const SeriesVisitor *visitor = scan->visitor;
    if (!visitor->point(visitor->ctx, points->t_ns[at], points->value[at], points->quality[at]))
        scan->stopped = true;
}

/* Loose points before t. */
static void give_loose(Scan *scan, int64_t before_ns)
{
    const SeriesColumns *run = &scan->work->run.at;
    while (!scan->stopped && scan->loose < run->count && run->t_ns[scan->loose] < before_ns)
        give(scan, run, scan->loose++);
}

static void give_block(Scan *scan)
{
    const SeriesColumns *block = &scan->work->block, *run = &scan->work->run.at;
    for (uint32_t i = series__lower(block, scan->from_ns); i < block->count && !scan->stopped;
         i++) {
        int64_t t_ns = block->t_ns[i];
        if (t_ns > scan->to_ns) break;
        give_loose(scan, t_ns);
        if (scan->stopped) break;
        if (scan->loose < run->count && run->t_ns[scan->loose] == t_ns)
            give(scan, run, scan->loose++);
        else
            give(scan, block, i);
    }
}

/* The row of series_blocks as its summary; false when it has none, or points that are not good:
 * how long those were is in the points alone. */
static bool summary_of(StoreStmt *stmt, SeriesSummary *ret)
{
    if (store_is_null(stmt, 5) || store_int(stmt, 3)) return false;
    *ret = (SeriesSummary){.t_first_ns = store_int(stmt, 0),
                           .t_last_ns = store_int(stmt, 1),
                           .points = (uint32_t)store_int(stmt, 2),
                           .odd = (uint32_t)store_int(stmt, 3),
                           .first = store_number(stmt, 5),
                           .last = store_number(stmt, 6),
                           .least = store_number(stmt, 7),
                           .greatest = store_number(stmt, 8),
                           .total = store_number(stmt, 9),
                           .area = store_number(stmt, 10)};
    return true;
}

static bool take_summary(Scan *scan, StoreStmt *stmt)
{
    const SeriesColumns *run = &scan->work->run.at;
    const SeriesVisitor *visitor = scan->visitor;
    SeriesSummary summary;
    if (!visitor->summary || !summary_of(stmt, &summary)) return false;
    if (summary.t_first_ns < scan->from_ns || summary.t_last_ns > scan->to_ns) return false;
    give_loose(scan, summary.t_first_ns);
    if (scan->stopped) return true;
    if (scan->loose < run->count && run->t_ns[scan->loose] <= summary.t_last_ns) return false;
    return visitor->summary(visitor->ctx, &summary);
}

static Status read_block(Scan *scan, int64_t id)
{
    StoreStmt *stmt;
    bool row;
    Status st =
        store_prepare(scan->conn, "SELECT block FROM series_data WHERE id = ?1", &stmt, scan->diag);
    if (st) return st;
    store_bind_int(stmt, 1, id);
    st = store_step(stmt, &row, scan->diag);
    if (st) return st;
    if (!row) return diag_set(scan->diag, ST_CORRUPT, "a block of the history is missing");
    st = series__decode(scan->work, store_str(stmt, 0), scan->diag);
    store_reset(stmt);
    return st;
}

/* The blocks that may hold points of the range: one may start before it. */
static Status scan_blocks(Scan *scan)
{
    StoreStmt *stmt;
    bool row = true;
    Status st = store_prepare(scan->conn,
                              "SELECT t_first, t_last, points, odd, id, first, last, least,"
                              " greatest, total, area FROM series_blocks WHERE series = ?1 AND"
                              " t_first <= ?3 AND t_first >= coalesce((SELECT max(t_first) FROM"
                              " series_blocks WHERE series = ?1 AND t_first <= ?2), ?2)"
                              " ORDER BY t_first",
                              &stmt, scan->diag);
    if (st) return st;
    store_bind_int(stmt, 1, scan->series);
    store_bind_int(stmt, 2, scan->from_ns);
    store_bind_int(stmt, 3, scan->to_ns);
    while (!scan->stopped && !(st = store_step(stmt, &row, scan->diag)) && row) {
        if (store_int(stmt, 1) < scan->from_ns || take_summary(scan, stmt)) continue;
        st = read_block(scan, store_int(stmt, 4));
        if (st) break;
        give_block(scan);
    }
    store_reset(stmt);
    return st;
}

/* The loose points of the series into work->run. */
Status series__read_loose(StoreConn *conn, SeriesWork *work, int64_t series, Diag *diag)
{
    Status st = loose_kept(conn, work, diag);
    return st ? st : loose_series(work, work->kept, series, diag);
}

Status series__scan_file(StoreConn *conn, SeriesWork *work, int64_t series, int64_t from_ns,
                         int64_t to_ns, const SeriesVisitor *visitor, Diag *diag)
{
    if (from_ns > to_ns) return ST_OK;
    Status st = series__read_loose(conn, work, series, diag);
    if (st) return st;
    SeriesColumns *run = &work->run.at;
    Scan scan = {conn,  work, visitor, series, from_ns, to_ns, series__lower(run, from_ns),
                 false, diag};
    if (to_ns < INT64_MAX) run->count = series__lower(run, to_ns + 1);
    st = scan_blocks(&scan);
    if (!st) give_loose(&scan, INT64_MAX);
    if (!st && !scan.stopped && scan.loose < run->count) give(&scan, run, scan.loose);
    return st;
}

static bool keep_newest(SeriesPoint *ret, const SeriesColumns *points, int64_t before_ns,
                        bool found)
{
    uint32_t at = series__lower(points, before_ns);
    if (!at-- || (found && points->t_ns[at] <= ret->t_ns)) return found;
    ret->t_ns = points->t_ns[at];
    ret->value = points->value[at];
    ret->quality = points->quality[at];
    return true;
}

Status series__before_file(StoreConn *conn, SeriesWork *work, int64_t series, int64_t before_ns,
                           SeriesPoint *ret_point, bool *ret_found, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    SeriesPoint newest = {.series = series};
    *ret_found = false;
    if (before_ns == INT64_MIN) return ST_OK;
    Status st = series__read_loose(conn, work, series, diag);
    if (st) return st;
    bool found = keep_newest(&newest, &work->run.at, before_ns, false);
    st = store_prepare(conn,
                       "SELECT block FROM series_data WHERE id = (SELECT id FROM series_blocks"
                       " WHERE series = ?1 AND t_first < ?2 ORDER BY t_first DESC LIMIT 1)",
                       &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, series);
    store_bind_int(stmt, 2, before_ns);
    st = store_step(stmt, &row, diag);
    if (!st && row) {
        st = series__decode(work, store_str(stmt, 0), diag);
        store_reset(stmt);
        if (!st) found = keep_newest(&newest, &work->block, before_ns, found);
    }
    if (st) return st;
    *ret_point = newest;
    *ret_found = found;
    return ST_OK;
}

Status series_scan(StoreConn *conn, SeriesWork *work, int64_t series, int64_t from_ns,
                   int64_t to_ns, const SeriesVisitor *visitor, Diag *diag)
{
    return (work->base ? series__scan_both : series__scan_file)(conn, work, series, from_ns, to_ns,
                                                                visitor, diag);
}

Status series_before(StoreConn *conn, SeriesWork *work, int64_t series, int64_t before_ns,
                     SeriesPoint *ret_point, bool *ret_found, Diag *diag)
{
    return (work->base ? series__before_both : series__before_file)(conn, work, series, before_ns,
                                                                    ret_point, ret_found, diag);
}
