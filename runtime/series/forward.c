/* runtime/series/forward.c: what goes from the file to a server, and questions that see both.
 *
 * Blocks are older than loose segments, and segments are ordered by their ids; going in that order
 * a point that replaces another comes behind it. */
#include "series/server.h"

#include "base/hash.h"
#include "base/mem.h"
#include "series/roll_int.h"

#include <stdatomic.h>

static Status room(SeriesUnit *unit, uint32_t more, Diag *diag)
{
    if (unit->count + more <= unit->cap) return ST_OK;
    uint32_t cap = unit->cap ? unit->cap : 4096;
    while (cap < unit->count + more) cap *= 2;
    if (cap > SERIES_RUN_POINTS_MAX) return diag_set(diag, ST_LIMIT, "too many points at once");
    SeriesPoint *grown = mem_realloc(unit->points, cap * sizeof *grown);
    if (!grown) return diag_set(diag, ST_NO_MEMORY, "no memory for points of the history");
    unit->points = grown;
    unit->cap = cap;
    return ST_OK;
}

static Status take_block(SeriesWork *work, SeriesUnit *unit, int64_t series, Str bytes, Diag *diag)
{
    Status st = series__decode(work, bytes, diag);
    if (!st) st = room(unit, work->block.count, diag);
    for (uint32_t i = 0; i < work->block.count && !st; i++)
        unit->points[unit->count++] = (SeriesPoint){series, work->block.t_ns[i],
                                                    work->block.value[i], work->block.quality[i]};
    return st;
}

static Status take_blocks(StoreConn *conn, SeriesWork *work, SeriesUnit *unit, Diag *diag)
{
    StoreStmt *stmt;
    bool row = true;
    Status st = store_prepare(conn,
                              "SELECT b.series, b.id, d.block FROM series_blocks b JOIN"
                              " series_data d ON d.id = b.id ORDER BY b.series, b.t_first LIMIT ?1",
                              &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, SERIES_UNIT_BLOCKS_MAX);
    while (!st && !(st = store_step(stmt, &row, diag)) && row) {
        Str bytes = store_str(stmt, 2);
        unit->block[unit->block_count] = store_int(stmt, 1);
        unit->hash[unit->block_count++] = hash_bytes(bytes.ptr, bytes.len);
        st = take_block(work, unit, store_int(stmt, 0), bytes, diag);
    }
    store_reset(stmt);
    return st;
}

static Status take_segment(StoreConn *conn, SeriesWork *work, SeriesUnit *unit, Diag *diag)
{
    StoreStmt *stmt;
    Segment segment;
    bool row;
    Status st = store_prepare(conn, "SELECT id, data FROM series_segments ORDER BY id LIMIT 1",
                              &stmt, diag);
    if (!st) st = store_step(stmt, &row, diag);
    if (st || !row) return st;
    unit->segment = store_int(stmt, 0);
    st = segment_open(store_str(stmt, 1), &segment);
    if (st) (void)diag_set(diag, st, "a segment of the history is damaged");
    for (uint32_t i = 0; !st && i < segment.count; i++) {
        Str bytes;
        st = segment_block(&segment, i, &bytes);
        if (!st) st = take_block(work, unit, segment_series(&segment, i), bytes, diag);
    }
    store_reset(stmt);
    return st;
}

/* Roll-ups go first, and then since when there are points: so nobody works out anew what has no
 * points any more. */
static Status take_rolls(StoreConn *conn, SeriesWork *work, SeriesUnit *unit, Diag *diag)
{
    StoreStmt *stmt;
    SeriesRollUnit *rolls = &unit->rolls;
    bool row;
    Status st = store_prepare(
        conn, "SELECT id, series, level, data FROM series_rolls ORDER BY id LIMIT 1", &stmt, diag);
    if (!st) st = store_step(stmt, &row, diag);
    if (st) return st;
    if (row) {
        unit->is_rolls = true;
        unit->roll_id = store_int(stmt, 0);
        *rolls = (SeriesRollUnit){.series = store_int(stmt, 1), .level = (int)store_int(stmt, 2)};
        rolls->rows = mem_zalloc(1, sizeof *rolls->rows);
        st = rolls->rows ? roll__decode(work, store_str(stmt, 3), rolls->rows, diag)
                         : diag_set(diag, ST_NO_MEMORY, "no memory for roll-ups of the history");
        store_reset(stmt);
        return st;
    }
    st = store_prepare(conn, "SELECT series, raw_from FROM series_kept WHERE series > 0 LIMIT 1",
                       &stmt, diag);
    if (!st) st = store_step(stmt, &row, diag);
    if (st || !row) return st;
    unit->is_rolls = true;
    *rolls = (SeriesRollUnit){.series = store_int(stmt, 0), .raw_from_ns = store_int(stmt, 1)};
    store_reset(stmt);
    return ST_OK;
}

Status series_waiting(StoreConn *conn, uint64_t *ret_points, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    Status st = store_prepare(conn,
                              "SELECT (SELECT total(points) FROM series_segments) +"
                              " (SELECT total(points) FROM series_blocks)",
                              &stmt, diag);
    if (!st) st = store_step(stmt, &row, diag);
    if (st) return st;
    *ret_points = (uint64_t)store_int(stmt, 0);
    store_reset(stmt);
    return ST_OK;
}

Status series_unit_take(StoreConn *conn, SeriesWork *work, SeriesUnit *ret_unit, Diag *diag)
{
    *ret_unit = (SeriesUnit){0};
    Status st = series_waiting(conn, &ret_unit->waiting, diag);
    if (st) return st;
    st = take_rolls(conn, work, ret_unit, diag);
    if (!st && !ret_unit->is_rolls) st = take_blocks(conn, work, ret_unit, diag);
    if (!st && !ret_unit->is_rolls && !ret_unit->block_count)
        st = take_segment(conn, work, ret_unit, diag);
    if (st) series_unit_done(ret_unit);
    return st;
}

void series_unit_done(SeriesUnit *unit)
{
    mem_free(unit->points);
    mem_free(unit->rolls.rows);
    unit->rolls.rows = NULL;
    unit->points = NULL;
    unit->count = unit->cap = 0;
}

static Status drop(StoreConn *conn, const char *sql, int64_t id, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    Status st = store_prepare(conn, sql, &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, id);
    return store_step(stmt, &row, diag);
}

/* Are the bytes of a block those that went to the server? */
static Status same_block(StoreConn *conn, const SeriesUnit *unit, uint32_t at, bool *ret_same,
                         Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    *ret_same = false;
    Status st = store_prepare(conn, "SELECT block FROM series_data WHERE id = ?1", &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, unit->block[at]);
    st = store_step(stmt, &row, diag);
    if (st || !row) return st;
    Str bytes = store_str(stmt, 0);
    *ret_same = hash_bytes(bytes.ptr, bytes.len) == unit->hash[at];
    store_reset(stmt);
    return ST_OK;
}

Status series_unit_drop(StoreConn *conn, const SeriesUnit *unit, Diag *diag)
{
    Status st = ST_OK;
    if (unit->is_rolls && unit->roll_id)
        return drop(conn, "DELETE FROM series_rolls WHERE id = ?1", unit->roll_id, diag);
    if (unit->is_rolls)
        return drop(conn, "DELETE FROM series_kept WHERE series = ?1", unit->rolls.series, diag);
    if (unit->segment) {
        st = series__keep_newest_of(conn, unit->points, unit->count, unit->segment, diag);
        if (!st) st = drop(conn, "DELETE FROM series_segments WHERE id = ?1", unit->segment, diag);
    }
    for (uint32_t i = 0; i < unit->block_count && !st; i++) {
        bool same;
        st = same_block(conn, unit, i, &same, diag);
        if (st || !same) continue;
        st = drop(conn, "DELETE FROM series_blocks WHERE id = ?1", unit->block[i], diag);
        if (!st) st = drop(conn, "DELETE FROM series_data WHERE id = ?1", unit->block[i], diag);
    }
    return st;
}

/* ---- questions ---- */

static _Atomic(SeriesServer *) default_base;

void series_set_default_base(SeriesServer *server)
{
    atomic_store(&default_base, server);
}

SeriesServer *series_default_base(void)
{
    return atomic_load(&default_base);
}

void series_set_base(SeriesWork *work, SeriesServer *server)
{
    work->base = server;
}

typedef struct Both {
    const SeriesVisitor *visitor;
    const SeriesColumns *own; /* of the file, newer */
    uint32_t at;
    bool stopped;
} Both;

static void give_own(Both *both, int64_t before_ns, bool all)
{
    while (!both->stopped && both->at < both->own->count &&
           (all || both->own->t_ns[both->at] < before_ns)) {
        uint32_t i = both->at++;
        both->stopped = !both->visitor->point(both->visitor->ctx, both->own->t_ns[i],
                                              both->own->value[i], both->own->quality[i]);
    }
}

static bool on_base(void *ctx, int64_t t_ns, double value, uint8_t quality)
{
    Both *both = ctx;
    give_own(both, t_ns, false);
    if (both->stopped) return false;
    if (both->at < both->own->count && both->own->t_ns[both->at] == t_ns) return true;
    both->stopped = !both->visitor->point(both->visitor->ctx, t_ns, value, quality);
    return !both->stopped;
}

static bool keep(void *ctx, int64_t t_ns, double value, uint8_t quality)
{
    Run *run = ctx;
    SeriesColumns one = {&t_ns, &value, &quality, 1};
    return series__append(run, &one, 0, 1) == ST_OK;
}

/* The file first: what leaves it meanwhile is on the server then, and seen there. */
Status series__scan_both(StoreConn *conn, SeriesWork *work, int64_t series, int64_t from_ns,
                         int64_t to_ns, const SeriesVisitor *visitor, Diag *diag)
{
    SeriesVisitor gather = {keep, NULL, &work->fresh}, base;
    work->fresh.at.count = 0;
    Status st = series__scan_file(conn, work, series, from_ns, to_ns, &gather, diag);
    if (st) return st;
    Both both = {.visitor = visitor, .own = &work->fresh.at};
    base = (SeriesVisitor){on_base, NULL, &both};
    st = series_server_scan(work->base, series, from_ns, to_ns, &base, diag);
    if (!st) give_own(&both, 0, true);
    return st;
}

Status series__before_both(StoreConn *conn, SeriesWork *work, int64_t series, int64_t before_ns,
                           SeriesPoint *ret_point, bool *ret_found, Diag *diag)
{
    SeriesPoint own = {0}, base = {0};
    bool has_own, has_base;
    Status st = series__before_file(conn, work, series, before_ns, &own, &has_own, diag);
    if (!st) st = series_server_before(work->base, series, before_ns, &base, &has_base, diag);
    if (st) return st;
    *ret_found = has_own || has_base;
    if (*ret_found) *ret_point = has_own && (!has_base || own.t_ns >= base.t_ns) ? own : base;
    ret_point->series = series;
    return ST_OK;
}
