/* runtime/series/roll_read.c: points where they are there and few, else roll-ups.
 *
 * The time asked for is cut into parts. Where points are gone (`raw_from`) there are roll-ups, and
 * points that came later in buckets without one. Behind that there are points; when they are too
 * many, roll-ups stand for whole buckets, except where a mark or a loose point says that they do
 * not know all yet: there the points are read. So both ways give the same. With a server the
 * roll-ups and marks are there, and what is still in the file is not known to them. */
#include "series/roll_int.h"
#include "series/server_int.h"

enum { DIRTY_MAX = 64, PARTS_MAX = 2 * DIRTY_MAX + 8 };
#define HOUR_NS ((int64_t)3600000000000)

typedef enum PartKind { PART_RAW, PART_ROLL, PART_BOTH } PartKind;

typedef struct Part {
    int64_t from_ns, to_ns; /* to: not included, but at the end of time */
    PartKind kind;
    int level;
} Part;

typedef struct Reading {
    StoreConn *conn;
    SeriesWork *work;
    int64_t series;
    const SeriesWant *want;
    const SeriesReader *reader;
    Part part[PARTS_MAX];
    uint32_t part_count;
    Part dirty[DIRTY_MAX]; /* whole hours, ascending, apart */
    uint32_t dirty_count;
    /* roll-ups of the part at hand */
    RollRows *rows;
    uint32_t at;
    int64_t next_span_ns;
    bool rows_end, stopped;
    const Part *now;
    int level_max;
    Status status;
    Diag *diag;
} Reading;

/* ---- what roll-ups do not know yet ---- */

/* Intervals come by their start; when there are too many the last one covers the rest. */
static void add_dirty(Reading *r, int64_t from_ns, int64_t to_ns)
{
    from_ns = roll__floor(from_ns, HOUR_NS);
    to_ns = roll__floor(to_ns, HOUR_NS);
    to_ns = to_ns > INT64_MAX - HOUR_NS ? INT64_MAX : to_ns + HOUR_NS;
    uint32_t at = 0;
    while (at < r->dirty_count && r->dirty[at].to_ns < from_ns) at++;
    uint32_t end = at;
    while (end < r->dirty_count && r->dirty[end].from_ns <= to_ns) {
        if (r->dirty[end].from_ns < from_ns) from_ns = r->dirty[end].from_ns;
        if (r->dirty[end].to_ns > to_ns) to_ns = r->dirty[end].to_ns;
        end++;
    }
    if (at == end && r->dirty_count == DIRTY_MAX) { /* joined with a neighbour */
        Part *near = &r->dirty[at ? at - 1 : 0];
        if (from_ns < near->from_ns) near->from_ns = from_ns;
        if (to_ns > near->to_ns) near->to_ns = to_ns;
        return;
    }
    memmove(&r->dirty[at + 1], &r->dirty[end], (r->dirty_count - end) * sizeof *r->dirty);
    r->dirty_count = r->dirty_count - (end - at) + 1;
    r->dirty[at] = (Part){.from_ns = from_ns, .to_ns = to_ns};
}

static void on_hour(void *ctx, int64_t t_ns)
{
    add_dirty(ctx, t_ns, t_ns);
}

/* The file first: what leaves it meanwhile has its mark on the server then. */
static Status read_dirty(Reading *r)
{
    static const char marks[] = "SELECT t_first, t_last FROM series_stale WHERE series = ?1"
                                " ORDER BY t_first",
                      blocks[] = "SELECT t_first, t_last FROM series_blocks WHERE series = ?1"
                                 " ORDER BY t_first";
    StoreStmt *stmt;
    bool row = false;
    Status st = store_prepare(r->conn, r->work->base ? blocks : marks, &stmt, r->diag);
    if (st) return st;
    store_bind_int(stmt, 1, r->series);
    while (!(st = store_step(stmt, &row, r->diag)) && row)
        add_dirty(r, store_int(stmt, 0), store_int(stmt, 1));
    if (!st) st = series__read_loose(r->conn, r->work, r->series, r->diag);
    if (st) return st;
    const SeriesColumns *run = &r->work->run.at;
    for (uint32_t from = 0, to; from < run->count; from = to) {
        for (to = from + 1; to < run->count; to++)
            if ((uint64_t)run->t_ns[to] - (uint64_t)run->t_ns[to - 1] > (uint64_t)HOUR_NS) break;
        add_dirty(r, run->t_ns[from], run->t_ns[to - 1]);
    }
    return r->work->base ? server__stale(r->work->base, r->series, on_hour, r, r->diag) : ST_OK;
}

static bool take_first(void *ctx, int64_t t_ns, double value, uint8_t quality)
{
    (void)value;
    (void)quality;
    *(int64_t *)ctx = t_ns;
    return false;
}

/* The bucket behind a dirty interval weighs its beginning by the value that was there before. */
static Status widen_dirty(Reading *r)
{
    Part old[DIRTY_MAX];
    uint32_t count = r->dirty_count;
    Status st = ST_OK;
    memcpy(old, r->dirty, count * sizeof *old);
    for (uint32_t i = 0; i < count && !st; i++) {
        int64_t next_ns = INT64_MAX;
        SeriesVisitor visitor = {take_first, NULL, &next_ns};
        if (old[i].to_ns > r->want->to_ns) break;
        st = series_scan(r->conn, r->work, r->series, old[i].to_ns, r->want->to_ns, &visitor,
                         r->diag);
        if (!st && next_ns != INT64_MAX) add_dirty(r, next_ns, next_ns);
    }
    return st;
}

/* ---- parts ---- */

static void add_part(Reading *r, PartKind kind, int level, int64_t from_ns, int64_t to_ns)
{
    if (from_ns >= to_ns && !(from_ns == INT64_MAX && to_ns == INT64_MAX)) return;
    if (r->part_count < PARTS_MAX) r->part[r->part_count++] = (Part){from_ns, to_ns, kind, level};
}

/* Where the roll-ups of a level begin; INT64_MAX: there are none. */
static Status rolls_from(const Reading *r, int level, int64_t *ret_ns)
{
    StoreStmt *stmt;
    bool row;
    if (r->work->base) return server__rolls_from(r->work->base, r->series, level, ret_ns, r->diag);
    *ret_ns = INT64_MAX;
    Status st = store_prepare(r->conn,
                              "SELECT min(t_first) FROM series_rolls WHERE series = ?1 AND"
                              " level = ?2",
                              &stmt, r->diag);
    if (st) return st;
    store_bind_int(stmt, 1, r->series);
    store_bind_int(stmt, 2, level);
    st = store_step(stmt, &row, r->diag);
    if (st || !row) return st;
    if (!store_is_null(stmt, 0)) *ret_ns = store_int(stmt, 0);
    store_reset(stmt);
    return ST_OK;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The time whose points are gone: minutes as far back as they go, hours before them; hours all
 * along where they do. */
static Status gone_parts(Reading *r, int64_t from_ns, int64_t to_ns)
{
    int64_t minutes_ns, hours_ns;
    Status st = rolls_from(r, SERIES_MINUTES, &minutes_ns);
    if (!st) st = rolls_from(r, SERIES_HOURS, &hours_ns);
    if (st) return st;
    int64_t border_ns = r->want->level == SERIES_HOURS && hours_ns < INT64_MAX ? to_ns : minutes_ns;
    if (border_ns < from_ns) border_ns = from_ns;
    border_ns = least(border_ns, to_ns);
    add_part(r, PART_BOTH, SERIES_HOURS, from_ns, border_ns);
    add_part(r, PART_BOTH, SERIES_MINUTES, border_ns, to_ns);
    return ST_OK;
}

/* Roll-ups but where they are dirty; the ends that are no whole buckets are points. */
static void thin_parts(Reading *r, int64_t from_ns, int64_t to_ns, int64_t rolls_ns)
{
    int level = r->want->level;
    int64_t width_ns = series_roll_ns(level),
            first_ns = roll__ceil(from_ns > rolls_ns ? from_ns : rolls_ns, width_ns),
            last_ns = roll__floor(to_ns, width_ns);
    if (first_ns >= last_ns) {
        add_part(r, PART_RAW, level, from_ns, to_ns);
        return;
    }
    add_part(r, PART_RAW, level, from_ns, first_ns);
    int64_t at_ns = first_ns;
    for (uint32_t i = 0; i < r->dirty_count && at_ns < last_ns; i++) {
        const Part *dirty = &r->dirty[i];
        if (dirty->to_ns <= at_ns) continue;
        if (dirty->from_ns >= last_ns) break;
        if (dirty->from_ns > at_ns) add_part(r, PART_ROLL, level, at_ns, dirty->from_ns);
        int64_t start_ns = dirty->from_ns > at_ns ? dirty->from_ns : at_ns;
        at_ns = least(dirty->to_ns, last_ns);
        add_part(r, PART_RAW, level, start_ns, at_ns);
    }
    add_part(r, PART_ROLL, level, at_ns, last_ns);
    add_part(r, PART_RAW, level, last_ns, to_ns);
}

static Status count_points(const Reading *r, int64_t from_ns, int64_t to_ns, int64_t *ret_count)
{
    StoreStmt *stmt;
    bool row;
    *ret_count = 0;
    Status st = store_prepare(r->conn,
                              "SELECT total(points) FROM series_blocks WHERE series = ?1 AND"
                              " t_first <= ?3 AND t_last >= ?2",
                              &stmt, r->diag);
    if (st) return st;
    store_bind_int(stmt, 1, r->series);
    store_bind_int(stmt, 2, from_ns);
    store_bind_int(stmt, 3, to_ns);
    st = store_step(stmt, &row, r->diag);
    if (st || !row) return st;
    int64_t in_file = store_int(stmt, 0);
    store_reset(stmt);
    if (r->work->base)
        st = server__count(r->work->base, r->series, r->want->level, from_ns, to_ns, ret_count,
                           r->diag);
    *ret_count += in_file;
    return st;
}

static Status cut(Reading *r)
{
    const SeriesWant *want = r->want;
    int64_t raw_from_ns, count = 0, from_ns = want->from_ns, rolls_ns = INT64_MAX,
                         end_ns = want->to_ns == INT64_MAX ? INT64_MAX : want->to_ns + 1;
    Status st = roll__raw_from(r->conn, r->work, r->series, &raw_from_ns, r->diag);
    if (!st && from_ns < raw_from_ns) st = gone_parts(r, from_ns, least(end_ns, raw_from_ns));
    if (st) return st;
    if (from_ns < raw_from_ns) from_ns = raw_from_ns;
    if (from_ns >= end_ns && from_ns != INT64_MAX) return ST_OK;
    if (want->level != SERIES_RAW) st = count_points(r, from_ns, want->to_ns, &count);
    if (!st && count > want->points_max) st = rolls_from(r, want->level, &rolls_ns);
    if (st) return st;
    if (rolls_ns == INT64_MAX) {
        add_part(r, PART_RAW, SERIES_RAW, from_ns, end_ns);
        return ST_OK;
    }
    st = read_dirty(r);
    if (!st) st = widen_dirty(r);
    if (!st) thin_parts(r, from_ns, end_ns, rolls_ns);
    return st;
}

/* ---- giving ---- */

static void give_roll(Reading *r, const SeriesRoll *row)
{
    if (r->now->level > r->level_max) r->level_max = r->now->level;
    if (!r->reader->roll(r->reader->points.ctx, r->now->level, row)) r->stopped = true;
}

/* More rows of the part at hand, from next_span_ns on. */
static void load_rows(Reading *r)
{
    bool found = false;
    const Part *part = r->now;
    r->rows->count = 0;
    if (r->work->base) {
        r->status = server__rolls(r->work->base, r->series, part->level, r->next_span_ns,
                                  part->to_ns, r->rows, r->diag);
        if (r->rows->count) r->next_span_ns = r->rows->row[r->rows->count - 1].t_ns + 1;
        return;
    }
    r->status = roll__load(r->conn, r->work, r->series, part->level, r->next_span_ns, false,
                           r->rows, &found, r->diag);
    if (found && r->rows->count)
        r->next_span_ns = roll__floor(r->rows->row[0].t_ns, roll__span_ns(part->level)) + 1;
}

/* The next bucket of the part, or NULL. */
static const SeriesRoll *roll_peek(Reading *r)
{
    while (!r->rows_end && !r->status) {
        for (; r->at < r->rows->count; r->at++) {
            const SeriesRoll *row = &r->rows->row[r->at];
            if (row->t_ns >= r->now->to_ns) break;
            if (row->t_ns >= r->now->from_ns) return row;
        }
        if (r->at < r->rows->count || r->next_span_ns >= r->now->to_ns) break;
        load_rows(r);
        r->at = 0;
        if (r->status || !r->rows->count) break;
    }
    r->rows_end = true;
    return NULL;
}

static void roll_begin(Reading *r, const Part *part)
{
    r->now = part;
    r->rows->count = r->at = 0;
    r->rows_end = false;
    r->next_span_ns = roll__floor(part->from_ns, roll__span_ns(part->level));
}

static void give_rolls(Reading *r, int64_t before_ns)
{
    const SeriesRoll *row;
    while (!r->stopped && (row = roll_peek(r)) && row->t_ns < before_ns) {
        give_roll(r, row);
        r->at++;
    }
}

/* A point where points are gone: it counts when its bucket has no roll-up. */
static bool on_late_point(void *ctx, int64_t t_ns, double value, uint8_t quality)
{
    Reading *r = ctx;
    int64_t bucket_ns = roll__floor(t_ns, series_roll_ns(r->now->level));
    give_rolls(r, bucket_ns);
    const SeriesRoll *row = roll_peek(r);
    if (r->stopped || r->status) return false;
    if (row && row->t_ns == bucket_ns) return true;
    if (!r->reader->points.point(r->reader->points.ctx, t_ns, value, quality)) r->stopped = true;
    return !r->stopped;
}

static bool on_raw_point(void *ctx, int64_t t_ns, double value, uint8_t quality)
{
    Reading *r = ctx;
    if (!r->reader->points.point(r->reader->points.ctx, t_ns, value, quality)) r->stopped = true;
    return !r->stopped;
}

static bool on_raw_summary(void *ctx, const SeriesSummary *summary)
{
    Reading *r = ctx;
    return r->reader->points.summary && r->reader->points.summary(r->reader->points.ctx, summary);
}

static Status give_part(Reading *r, const Part *part)
{
    int64_t to_ns = part->to_ns == INT64_MAX ? INT64_MAX : part->to_ns - 1;
    SeriesVisitor raw = {on_raw_point, on_raw_summary, r}, late = {on_late_point, NULL, r};
    Status st = ST_OK;
    if (part->kind == PART_RAW)
        return series_scan(r->conn, r->work, r->series, part->from_ns, to_ns, &raw, r->diag);
    roll_begin(r, part);
    if (part->kind == PART_BOTH)
        st = series_scan(r->conn, r->work, r->series, part->from_ns, to_ns, &late, r->diag);
    if (!st && !r->status) give_rolls(r, INT64_MAX);
    return st ? st : r->status;
}

Status series_read(StoreConn *conn, SeriesWork *work, int64_t series, const SeriesWant *want,
                   const SeriesReader *reader, int *ret_level, Diag *diag)
{
    Reading r = {.conn = conn,
                 .work = work,
                 .series = series,
                 .want = want,
                 .reader = reader,
                 .level_max = SERIES_RAW,
                 .diag = diag};
    *ret_level = SERIES_RAW;
    if (want->from_ns > want->to_ns) return ST_OK;
    Status st = roll__rows(work, 0, &r.rows, diag);
    if (!st) st = cut(&r);
    for (uint32_t i = 0; i < r.part_count && !st && !r.stopped; i++) st = give_part(&r, &r.part[i]);
    *ret_level = r.level_max;
    return st;
}

Status series_value_before(StoreConn *conn, SeriesWork *work, int64_t series, int64_t before_ns,
                           SeriesPoint *ret_point, bool *ret_found, Diag *diag)
{
    SeriesPoint rolled = {.series = series};
    bool found;
    int64_t raw_from_ns;
    Status st = series_before(conn, work, series, before_ns, ret_point, ret_found, diag);
    if (!st) st = roll__raw_from(conn, work, series, &raw_from_ns, diag);
    /* where points are there they know best */
    if (st || raw_from_ns == INT64_MIN || (*ret_found && ret_point->t_ns >= raw_from_ns)) return st;
    st = roll__before(conn, work, series, before_ns, &rolled, &found, diag);
    if (st || !found || (*ret_found && ret_point->t_ns >= rolled.t_ns)) return st;
    *ret_point = rolled;
    *ret_found = true;
    return ST_OK;
}
