/* runtime/series/write.c: a batch becomes one segment of level 0. */
#include "series/series_int.h"

#include "base/mem.h"

#include <string.h>

enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS };

/* Stable, by series: as many passes over 11 bits as the span of series needs, mostly one. Leaves
 * the result in *points or *spare and says where. */
static SeriesPoint *by_series(SeriesPoint *points, SeriesPoint *spare, uint32_t count)
{
    int64_t least = points[0].series, most = least;
    bool sorted = true;
    for (uint32_t i = 1; i < count; i++) {
        if (points[i].series < least) least = points[i].series;
        if (points[i].series > most) most = points[i].series;
        sorted = sorted && points[i - 1].series <= points[i].series;
    }
    for (uint32_t shift = 0; !sorted && (most - least) >> shift; shift += DIGIT_BITS) {
        uint32_t start[DIGITS + 1] = {0};
        for (uint32_t i = 0; i < count; i++)
            start[(((points[i].series - least) >> shift) & (DIGITS - 1)) + 1]++;
        for (uint32_t i = 0; i < DIGITS; i++) start[i + 1] += start[i];
        for (uint32_t i = 0; i < count; i++)
            spare[start[((points[i].series - least) >> shift) & (DIGITS - 1)]++] = points[i];
        SeriesPoint *other = points;
        points = spare;
        spare = other;
    }
    return points;
}

/* Points of one series by time, stable; nearly always sorted already, so by insertion into runs
 * that are merged (bottom up, from the natural order). */
static void by_time(SeriesPoint *points, SeriesPoint *spare, uint32_t count)
{
    if (count < 2) return;
    uint32_t middle = count / 2, left = 0, right = middle, at = 0;
    by_time(points, spare, middle);
    by_time(points + middle, spare, count - middle);
    if (points[middle - 1].t_ns <= points[middle].t_ns) return;
    while (left < middle && right < count)
        spare[at++] = points[right].t_ns < points[left].t_ns ? points[right++] : points[left++];
    while (left < middle) spare[at++] = points[left++];
    memcpy(points, spare, at * sizeof *points);
}

static bool sorted_by_time(const SeriesPoint *points, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++)
        if (points[i].t_ns < points[i - 1].t_ns) return false;
    return true;
}

/* One series' points, sorted: the last of equal times into the run, the run into the segment. */
static Status add_series(SeriesWork *work, SegmentOut *out, const SeriesPoint *points,
                         uint32_t count)
{
    SeriesColumns *run = &work->run.at;
    run->count = 0;
    Status st = series__reserve(&work->run, count);
    if (st) return st;
    for (uint32_t i = 0; i < count; i++) {
        if (i + 1 < count && points[i + 1].t_ns == points[i].t_ns) continue;
        run->t_ns[run->count] = points[i].t_ns;
        run->value[run->count] = points[i].value;
        run->quality[run->count++] = points[i].quality;
    }
    segment_out_add(out, points[0].series, run, &work->scratch);
    return ST_OK;
}

static Status fill(SeriesWork *work, SegmentOut *out, SeriesPoint *points, SeriesPoint *spare,
                   uint32_t count)
{
    Status st = ST_OK;
    SeriesPoint *sorted = by_series(points, spare, count);
    spare = sorted == points ? spare : points;
    for (uint32_t from = 0, to; from < count && !st; from = to) {
        for (to = from + 1; to < count && sorted[to].series == sorted[from].series;) to++;
        if (!sorted_by_time(sorted + from, to - from)) by_time(sorted + from, spare, to - from);
        st = add_series(work, out, sorted + from, to - from);
    }
    return st;
}

Status series__put_segment(StoreConn *conn, SeriesWork *work, SegmentOut *out, uint32_t level,
                           Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    buf_clear(&work->bytes);
    Status st = segment_out_bytes(out, &work->bytes);
    if (st) return diag_set(diag, st, "a segment of %u points: %s", out->points, status_text(st));
    st = store_prepare(conn,
                       "INSERT INTO series_segments(level, t_first, t_last, points, series, data)"
                       " VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
                       &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, level);
    store_bind_int(stmt, 2, out->t_first_ns);
    store_bind_int(stmt, 3, out->t_last_ns);
    store_bind_int(stmt, 4, out->points);
    store_bind_int(stmt, 5, out->series_count);
    store_bind_blob(stmt, 6, buf_view(&work->bytes));
    return store_step(stmt, &row, diag);
}

Status series_write(StoreConn *conn, SeriesWork *work, SeriesPoint *points, uint32_t count,
                    Diag *diag)
{
    if (!count) return ST_OK;
    if (count > SERIES_BATCH_POINTS_MAX)
        return diag_set(diag, ST_LIMIT, "%u points at once; at most %d", count,
                        SERIES_BATCH_POINTS_MAX);
    for (uint32_t i = 0; i < count; i++)
        if (points[i].series < 1 || points[i].series > UINT32_MAX)
            return diag_set(diag, ST_INVALID, "no such series");
    SeriesPoint *spare = mem_alloc(count * sizeof *spare);
    if (!spare) return diag_set(diag, ST_NO_MEMORY, "%u points", count);
    SegmentOut out;
    segment_out_init(&out);
    Status st = fill(work, &out, points, spare, count);
    if (!st) st = series__put_segment(conn, work, &out, LEVEL_FRESH, diag);
    segment_out_done(&out);
    mem_free(spare);
    return st;
}
