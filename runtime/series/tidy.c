/* runtime/series/tidy.c: small segments become larger ones, loose points become sealed blocks. */
#include "series/series_int.h"

typedef struct Load {
    int64_t fresh, gathered, points, fresh_points, series;
} Load;

static Status measure(StoreConn *conn, Load *ret, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    *ret = (Load){0};
    Status st = store_prepare(conn,
                              "SELECT count(*) FILTER (WHERE level = 0), count(*) FILTER (WHERE"
                              " level = 1), total(points), total(points) FILTER (WHERE level = 0),"
                              " max(series) FROM series_segments",
                              &stmt, diag);
    if (!st) st = store_step(stmt, &row, diag);
    if (st || !row) return st;
    *ret = (Load){store_int(stmt, 0), store_int(stmt, 1), store_int(stmt, 2), store_int(stmt, 3),
                  store_int(stmt, 4)};
    store_reset(stmt);
    return ST_OK;
}

static Status forget(StoreConn *conn, const Loose *loose, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    Status st = store_prepare(conn, "DELETE FROM series_segments WHERE id = ?1", &stmt, diag);
    for (uint32_t i = 0; i < loose->count && !st; i++) {
        store_bind_int(stmt, 1, loose->id[i]);
        st = store_step(stmt, &row, diag);
    }
    return st;
}

/* Level 0 into one segment of level 1. */
static Status gather(StoreConn *conn, SeriesWork *work, Loose *loose, Diag *diag)
{
    SegmentOut out;
    int64_t series;
    Status st;
    segment_out_init(&out);
    while (!(st = loose_next(work, loose, &series, diag)) && series)
        segment_out_add(&out, series, &work->run.at, &work->scratch);
    if (!st) st = series__put_segment(conn, work, &out, LEVEL_GATHERED, diag);
    segment_out_done(&out);
    return st;
}

/* All that is loose into blocks. */
static Status seal(StoreConn *conn, SeriesWork *work, Loose *loose, Diag *diag)
{
    Status st;
    int64_t series;
    while (!(st = loose_next(work, loose, &series, diag)) && series) {
        Run fresh = work->run; /* sealing gathers in the run what is there already */
        work->run = work->fresh;
        work->fresh = fresh;
        st = series__seal_run(conn, work, series, &work->fresh.at, diag);
        if (st) break;
    }
    return st ? st : series__keep_newest(conn, work, loose, diag);
}

static Status step(StoreConn *conn, SeriesWork *work, uint32_t level_max, Diag *diag)
{
    Loose loose;
    Status st = loose_read(conn, level_max, 0, &loose, diag);
    if (!st && loose.count)
        st = level_max == LEVEL_FRESH ? gather(conn, work, &loose, diag)
                                      : seal(conn, work, &loose, diag);
    if (!st) st = forget(conn, &loose, diag);
    loose_done(&loose);
    return st;
}

static bool seal_due(const Load *load)
{
    return load->gathered >= SERIES_FAN_IN || load->points >= SERIES_LOOSE_POINTS_MAX ||
           (load->series && load->points >= load->series * SERIES_SEAL_POINTS);
}

static bool gather_due(const Load *load)
{
    return load->fresh >= SERIES_FAN_IN || load->fresh_points >= SERIES_LOOSE_POINTS_MAX / 4;
}

Status series_tidy(StoreConn *conn, SeriesWork *work, bool *ret_more, Diag *diag)
{
    Load load;
    Status st = measure(conn, &load, diag);
    *ret_more = false;
    if (st) return st;
    if (seal_due(&load)) return step(conn, work, LEVEL_GATHERED, diag);
    if (!gather_due(&load)) return ST_OK;
    st = step(conn, work, LEVEL_FRESH, diag);
    if (!st) st = measure(conn, &load, diag);
    *ret_more = !st && seal_due(&load);
    return st;
}

Status series_seal(StoreConn *conn, SeriesWork *work, Diag *diag)
{
    return step(conn, work, LEVEL_GATHERED, diag);
}
