/* runtime/series/work.c: columns of points that grow and are merged by time. */
#include "series/series_int.h"

#include "base/mem.h"

#include <string.h>

static bool columns_new(SeriesColumns *columns, uint32_t cap)
{
    *columns = (SeriesColumns){mem_alloc(cap * sizeof(int64_t)), mem_alloc(cap * sizeof(double)),
                               mem_alloc(cap), 0};
    return columns->t_ns && columns->value && columns->quality;
}

static void columns_free(SeriesColumns *columns)
{
    mem_free(columns->t_ns);
    mem_free(columns->value);
    mem_free(columns->quality);
}

SeriesWork *series_work_new(void)
{
    SeriesWork *work = mem_zalloc(1, sizeof *work);
    if (!work) return NULL;
    buf_init(&work->bytes, SEGMENT_BYTES_MAX);
    if (columns_new(&work->block, SERIES_BLOCK_POINTS) &&
        columns_new(&work->rolled, SERIES_BLOCK_POINTS))
        return work;
    series_work_free(work);
    return NULL;
}

void series_work_free(SeriesWork *work)
{
    if (!work) return;
    if (work->kept) loose_done(work->kept);
    mem_free(work->kept);
    columns_free(&work->block);
    columns_free(&work->rolled);
    for (size_t i = 0; i < COUNT_OF(work->rolls); i++) mem_free(work->rolls[i]);
    columns_free(&work->run.at);
    columns_free(&work->spare.at);
    columns_free(&work->fresh.at);
    buf_done(&work->bytes);
    mem_free(work);
}

Status series__reserve(Run *run, uint32_t count)
{
    if (count <= run->cap) return ST_OK;
    if (count > SERIES_RUN_POINTS_MAX) return ST_LIMIT;
    uint32_t cap = run->cap ? run->cap : SERIES_BLOCK_POINTS;
    while (cap < count) cap *= 2;
    int64_t *t_ns = mem_realloc(run->at.t_ns, cap * sizeof *t_ns);
    if (t_ns) run->at.t_ns = t_ns;
    double *value = mem_realloc(run->at.value, cap * sizeof *value);
    if (value) run->at.value = value;
    uint8_t *quality = mem_realloc(run->at.quality, cap);
    if (quality) run->at.quality = quality;
    if (!t_ns || !value || !quality) return ST_NO_MEMORY;
    run->cap = cap;
    return ST_OK;
}

Status series__append(Run *run, const SeriesColumns *points, uint32_t from, uint32_t to)
{
    uint32_t count = to - from;
    Status st = series__reserve(run, run->at.count + count);
    if (st || !count) return st;
    memcpy(run->at.t_ns + run->at.count, points->t_ns + from, count * sizeof *points->t_ns);
    memcpy(run->at.value + run->at.count, points->value + from, count * sizeof *points->value);
    memcpy(run->at.quality + run->at.count, points->quality + from, count);
    run->at.count += count;
    return ST_OK;
}

uint32_t series__lower(const SeriesColumns *points, int64_t t_ns)
{
    uint32_t low = 0, high = points->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (points->t_ns[middle] < t_ns)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The common case, points behind all others, is an append. Else the run from the first point that
 * is not older is merged with the new ones in the spare run. */
Status series__merge(SeriesWork *work, const SeriesColumns *newer)
{
    Run *run = &work->run;
    if (!newer->count) return ST_OK;
    uint32_t keep = series__lower(&run->at, newer->t_ns[0]), old = keep, new_at = 0;
    if (keep == run->at.count) return series__append(run, newer, 0, newer->count);
    Run *out = &work->spare;
    out->at.count = 0;
    Status st = series__reserve(out, run->at.count - keep + newer->count);
    while (!st && old < run->at.count && new_at < newer->count) {
        int64_t t_old = run->at.t_ns[old], t_new = newer->t_ns[new_at];
        if (t_old < t_new) {
            st = series__append(out, &run->at, old, old + 1);
        } else {
            st = series__append(out, newer, new_at, new_at + 1);
            new_at++;
        }
        if (t_old <= t_new) old++;
    }
    if (!st) st = series__append(out, &run->at, old, run->at.count);
    if (!st) st = series__append(out, newer, new_at, newer->count);
    if (st) return st;
    run->at.count = keep;
    return series__append(run, &out->at, 0, out->at.count);
}

Status series__decode(SeriesWork *work, Str bytes, Diag *diag)
{
    Status st = series_block_get(bytes, &work->block, &work->scratch);
    return st ? diag_set(diag, st, "a block of the history is damaged") : ST_OK;
}
