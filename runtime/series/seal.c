/* runtime/series/seal.c: points of one series become blocks that overlap no other block.
 *
 * The new points are taken gap by gap: those before the next block that exists join the block they
 * fall into, or the last one when it is not much larger than what comes (so that a slow series gets
 * large blocks in the end, each point being rewritten a few times, not at every seal). */
#include "series/series_int.h"

#include <math.h>

enum { JOINED_MAX = 16 };

typedef struct Block {
    int64_t t_first_ns, t_last_ns, points, id;
    bool found;
} Block;

/* The block that starts last at or before t. */
static Status find_before(StoreConn *conn, int64_t series, int64_t t_ns, Block *ret, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    *ret = (Block){0};
    Status st = store_prepare(conn,
                              "SELECT t_first, t_last, points, id FROM series_blocks WHERE"
                              " series = ?1 AND t_first <= ?2 ORDER BY t_first DESC LIMIT 1",
                              &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, series);
    store_bind_int(stmt, 2, t_ns);
    st = store_step(stmt, &row, diag);
    if (st || !row) return st;
    *ret = (Block){store_int(stmt, 0), store_int(stmt, 1), store_int(stmt, 2), store_int(stmt, 3),
                   true};
    store_reset(stmt);
    return ST_OK;
}

/* Where the first block behind t starts; INT64_MAX when there is none. */
static Status find_next(StoreConn *conn, int64_t series, int64_t t_ns, int64_t *ret, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    *ret = INT64_MAX;
    Status st = store_prepare(conn,
                              "SELECT min(t_first) FROM series_blocks WHERE series = ?1 AND"
                              " t_first > ?2",
                              &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, series);
    store_bind_int(stmt, 2, t_ns);
    st = store_step(stmt, &row, diag);
    if (st || !row) return st;
    if (!store_is_null(stmt, 0)) *ret = store_int(stmt, 0);
    store_reset(stmt);
    return ST_OK;
}

/* Takes a block's points into work->run and forgets the block. */
static Status take(StoreConn *conn, SeriesWork *work, int64_t series, const Block *block,
                   Diag *diag)
{
    static const char *const forget[] = {"DELETE FROM series_data WHERE id = ?1",
                                         "DELETE FROM series_blocks WHERE series = ?1 AND"
                                         " t_first = ?2"};
    StoreStmt *stmt;
    bool row;
    Status st = store_prepare(conn, "SELECT block FROM series_data WHERE id = ?1", &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, block->id);
    st = store_step(stmt, &row, diag);
    if (st) return st;
    if (!row) return diag_set(diag, ST_CORRUPT, "a block of the history is missing");
    st = series__decode(work, store_str(stmt, 0), diag);
    store_reset(stmt);
    if (!st) st = series__append(&work->run, &work->block, 0, work->block.count);
    if (!st) st = store_prepare(conn, forget[0], &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, block->id);
    st = store_step(stmt, &row, diag);
    if (!st) st = store_prepare(conn, forget[1], &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, series);
    store_bind_int(stmt, 2, block->t_first_ns);
    return store_step(stmt, &row, diag);
}

static SeriesSummary summarise(const SeriesColumns *points, bool *ret_finite)
{
    uint32_t count = points->count;
    SeriesSummary sum = {.t_first_ns = points->t_ns[0],
                         .t_last_ns = points->t_ns[count - 1],
                         .points = count,
                         .first = points->value[0],
                         .last = points->value[count - 1],
                         .least = points->value[0],
                         .greatest = points->value[0]};
    *ret_finite = true;
    for (uint32_t i = 0; i < count; i++) {
        double value = points->value[i];
        if (value < sum.least) sum.least = value;
        if (value > sum.greatest) sum.greatest = value;
        sum.total += value;
        if (i) /* unsigned: the ends of time are further apart than an int64_t is wide */
            sum.area += points->value[i - 1] *
                        (double)((uint64_t)points->t_ns[i] - (uint64_t)points->t_ns[i - 1]);
        sum.odd += points->quality[i] != 0;
        *ret_finite = *ret_finite && isfinite(value);
    }
    return sum;
}

static Status put_data(StoreConn *conn, SeriesWork *work, const SeriesColumns *points, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    buf_clear(&work->bytes);
    series_block_put(&work->bytes, points, &work->scratch);
    Status st = buf_status(&work->bytes);
    if (st) return diag_set(diag, st, "a block of the history");
    st = store_prepare(conn, "INSERT INTO series_data(block) VALUES(?1)", &stmt, diag);
    if (st) return st;
    store_bind_blob(stmt, 1, buf_view(&work->bytes));
    return store_step(stmt, &row, diag);
}

static Status put_block(StoreConn *conn, SeriesWork *work, int64_t series,
                        const SeriesColumns *points, Diag *diag)
{
    StoreStmt *stmt;
    bool row, finite;
    SeriesSummary sum = summarise(points, &finite);
    Status st = put_data(conn, work, points, diag);
    if (st) return st;
    int64_t id = store_last_id(conn);
    st = store_prepare(conn,
                       "INSERT INTO series_blocks(series, t_first, t_last, points, id, odd, first,"
                       " last, least, greatest, total, area)"
                       " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
                       &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, series);
    store_bind_int(stmt, 2, sum.t_first_ns);
    store_bind_int(stmt, 3, sum.t_last_ns);
    store_bind_int(stmt, 4, sum.points);
    store_bind_int(stmt, 5, id);
    store_bind_int(stmt, 6, sum.odd);
    const double numbers[] = {sum.first, sum.last, sum.least, sum.greatest, sum.total, sum.area};
    for (int i = 0; i < 6; i++)
        if (finite)
            store_bind_number(stmt, 7 + i, numbers[i]);
        else
            store_bind_null(stmt, 7 + i);
    return store_step(stmt, &row, diag);
}

/* work->run as blocks of about the same size. */
static Status put_run(StoreConn *conn, SeriesWork *work, int64_t series, Diag *diag)
{
    const SeriesColumns *run = &work->run.at;
    uint32_t parts = (run->count + SERIES_BLOCK_POINTS - 1) / SERIES_BLOCK_POINTS, at = 0;
    Status st = ST_OK;
    for (uint32_t i = 0; i < parts && !st; i++) {
        uint32_t to = (uint32_t)((uint64_t)run->count * (i + 1) / parts);
        SeriesColumns part = {run->t_ns + at, run->value + at, run->quality + at, to - at};
        st = put_block(conn, work, series, &part, diag);
        at = to;
    }
    return st;
}

/* The blocks that the points should be written together with, newest first: the one they fall into,
 * and before it those that are not much larger than what has gathered. */
static Status find_joined(StoreConn *conn, int64_t series, const SeriesColumns *fresh,
                          Block joined[JOINED_MAX], uint32_t *ret_count, Diag *diag)
{
    int64_t points = fresh->count, t_ns = fresh->t_ns[0];
    Status st = ST_OK;
    for (*ret_count = 0; *ret_count < JOINED_MAX; (*ret_count)++) {
        Block *block = &joined[*ret_count];
        st = find_before(conn, series, t_ns, block, diag);
        if (st || !block->found) break;
        bool overlaps = !*ret_count && block->t_last_ns >= t_ns;
        bool small = block->points <= 2 * points && block->points + points <= SERIES_BLOCK_POINTS;
        if (!overlaps && !small) break;
        points += block->points;
        if (block->t_first_ns == INT64_MIN) {
            (*ret_count)++;
            break;
        }
        t_ns = block->t_first_ns - 1;
    }
    return st;
}

/* Points that lie before the next block. */
static Status seal_gap(StoreConn *conn, SeriesWork *work, int64_t series,
                       const SeriesColumns *fresh, Diag *diag)
{
    Block joined[JOINED_MAX];
    uint32_t count;
    Status st = find_joined(conn, series, fresh, joined, &count, diag);
    work->run.at.count = 0;
    while (!st && count) st = take(conn, work, series, &joined[--count], diag);
    if (!st) {
        st = series__merge(work, fresh);
        if (st) (void)diag_set(diag, st, "merging the history of a series");
    }
    if (!st) st = put_run(conn, work, series, diag);
    return st ? st : series__mark(conn, series, fresh, diag);
}

Status series__seal_run(StoreConn *conn, SeriesWork *work, int64_t series,
                        const SeriesColumns *points, Diag *diag)
{
    Status st = ST_OK;
    for (uint32_t at = 0; at < points->count && !st;) {
        int64_t next;
        st = find_next(conn, series, points->t_ns[at], &next, diag);
        if (st) break;
        uint32_t to = next == INT64_MAX ? points->count : series__lower(points, next);
        SeriesColumns part = {points->t_ns + at, points->value + at, points->quality + at, to - at};
        st = seal_gap(conn, work, series, &part, diag);
        at = to;
    }
    return st;
}
