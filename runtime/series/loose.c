/* runtime/series/loose.c: reading what is written but not yet sealed.
 *
 * At most a few dozen segments of a few hundred KiB: they are taken into memory whole. The order of
 * their ids is the order of writing (a merged segment gets its id after the ones it replaces and
 * before the next that is written), so a newer one overrides an older one. */
#include "series/series_int.h"

#include "base/mem.h"

static Status take_row(StoreStmt *stmt, Loose *loose, Diag *diag)
{
    if (loose->count == SEGMENTS_MAX)
        return diag_set(diag, ST_LIMIT, "more than %d loose segments", SEGMENTS_MAX);
    uint32_t at = loose->count++;
    Buf *bytes = &loose->bytes[at];
    buf_init(bytes, SEGMENT_BYTES_MAX);
    loose->id[at] = store_int(stmt, 0);
    buf_str(bytes, store_str(stmt, 1));
    Status st = buf_status(bytes);
    if (st) return diag_set(diag, st, "reading a segment of the history");
    st = segment_open(buf_view(bytes), &loose->segment[at]);
    return st ? diag_set(diag, st, "a segment of the history is damaged") : ST_OK;
}

Status loose_read(StoreConn *conn, uint32_t level_max, int64_t after, Loose *loose, Diag *diag)
{
    StoreStmt *stmt;
    bool row = true;
    loose->count = 0;
    Status st = store_prepare(conn,
                              "SELECT id, data FROM series_segments WHERE level <= ?1 AND id > ?2"
                              " ORDER BY id",
                              &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, level_max);
    store_bind_int(stmt, 2, after);
    while (!st && !(st = store_step(stmt, &row, diag)) && row) st = take_row(stmt, loose, diag);
    store_reset(stmt);
    for (uint32_t i = 0; i < loose->count; i++) loose->at[i] = 0;
    return st;
}

Status loose_kept(StoreConn *conn, SeriesWork *work, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    Status st = store_prepare(conn, "SELECT max(id), count(*) FROM series_segments", &stmt, diag);
    if (!st) st = store_step(stmt, &row, diag);
    if (st) return st;
    int64_t id_max = store_int(stmt, 0), rows = store_int(stmt, 1);
    store_reset(stmt);
    if (!work->kept) work->kept = mem_zalloc(1, sizeof *work->kept);
    Loose *kept = work->kept;
    if (!kept) return diag_set(diag, ST_NO_MEMORY, "reading the history");
    if (kept->id_max == id_max && kept->rows == rows) return ST_OK;
    loose_done(kept);
    st = loose_read(conn, LEVEL_GATHERED, 0, kept, diag);
    if (st) loose_done(kept);
    kept->id_max = st ? 0 : id_max;
    kept->rows = st ? 0 : rows;
    return st;
}

void loose_done(Loose *loose)
{
    for (uint32_t i = 0; i < loose->count; i++) buf_done(&loose->bytes[i]);
    loose->count = 0;
}

/* The blocks of `series` from the place where segment `i` stands. */
static Status take_blocks(SeriesWork *work, Loose *loose, uint32_t i, int64_t series, Diag *diag)
{
    const Segment *segment = &loose->segment[i];
    Status st = ST_OK;
    for (; !st && loose->at[i] < segment->count && segment_series(segment, loose->at[i]) == series;
         loose->at[i]++) {
        Str bytes;
        st = segment_block(segment, loose->at[i], &bytes);
        if (st) return diag_set(diag, st, "a segment of the history is damaged");
        st = series__decode(work, bytes, diag);
        if (!st) st = series__merge(work, &work->block);
        if (st == ST_LIMIT || st == ST_NO_MEMORY)
            return diag_set(diag, st, "merging the history of a series");
    }
    return st;
}

Status loose_next(SeriesWork *work, Loose *loose, int64_t *ret_series, Diag *diag)
{
    int64_t series = INT64_MAX;
    Status st = ST_OK;
    work->run.at.count = 0;
    for (uint32_t i = 0; i < loose->count; i++) {
        if (loose->at[i] == loose->segment[i].count) continue;
        int64_t own = segment_series(&loose->segment[i], loose->at[i]);
        if (own < series) series = own;
    }
    *ret_series = series == INT64_MAX ? 0 : series;
    for (uint32_t i = 0; i < loose->count && *ret_series && !st; i++)
        st = take_blocks(work, loose, i, series, diag);
    return st;
}

Status loose_series(SeriesWork *work, Loose *loose, int64_t series, Diag *diag)
{
    Status st = ST_OK;
    work->run.at.count = 0;
    for (uint32_t i = 0; i < loose->count && !st; i++) {
        loose->at[i] = segment_find(&loose->segment[i], series);
        st = take_blocks(work, loose, i, series, diag);
    }
    return st;
}
