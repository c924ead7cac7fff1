/* runtime/series/roll_gather.c: points in ascending time become buckets of all levels at once.
 *
 * A value holds until the next one; a bad one holds for nothing. */
#include "series/roll_int.h"

static SeriesRoll *last_row(const RollGather *gather)
{
    return &gather->rows->row[gather->rows->count - 1];
}

/* The held value counts inside the open row, up to t. */
static void weigh(const RollGathers *gathers, RollGather *gather, int64_t t_ns)
{
    int64_t start_ns = last_row(gather)->t_ns;
    int64_t from_ns = gathers->hold_ns > start_ns ? gathers->hold_ns : start_ns;
    if (!gathers->holds || gathers->hold_quality >= SERIES_BAD) return;
    gather->area += gathers->hold * (double)(t_ns - from_ns);
    gather->known_ns += (double)(t_ns - from_ns);
}

static void finish(const RollGathers *gathers, RollGather *gather)
{
    if (!gather->open) return;
    SeriesRoll *row = last_row(gather);
    weigh(gathers, gather, row->t_ns + gather->width_ns);
    row->width_ns = gather->known_ns;
    row->mean = gather->known_ns > 0 ? gather->area / gather->known_ns : 0;
    gather->open = false;
}

static void begin(RollGather *gather, int64_t start_ns, const SeriesPoint *point)
{
    gather->rows->row[gather->rows->count++] = (SeriesRoll){.t_ns = start_ns,
                                                            .first_ns = point->t_ns,
                                                            .first = point->value,
                                                            .least = point->value,
                                                            .greatest = point->value,
                                                            .first_quality = point->quality};
    gather->open = true;
    gather->area = gather->known_ns = 0;
}

static void add_to(const RollGathers *gathers, RollGather *gather, const SeriesPoint *point)
{
    int64_t start_ns = roll__floor(point->t_ns, gather->width_ns);
    if (!gather->open || last_row(gather)->t_ns != start_ns) {
        if (gather->rows->count == ROLL_ROWS_MAX) return; /* more than a span has: never */
        finish(gathers, gather);
        begin(gather, start_ns, point);
    }
    weigh(gathers, gather, point->t_ns);
    SeriesRoll *row = last_row(gather);
    row->last_ns = point->t_ns;
    row->last = point->value;
    row->last_quality = point->quality;
    if (point->value < row->least) row->least = point->value;
    if (point->value > row->greatest) row->greatest = point->value;
    if (point->quality > row->worst) row->worst = point->quality;
    row->count++;
    row->odd += point->quality != 0;
}

bool roll__gather(void *ctx, int64_t t_ns, double value, uint8_t quality)
{
    RollGathers *gathers = ctx;
    SeriesPoint point = {0, t_ns, value, quality};
    for (int level = 0; level < SERIES_LEVELS; level++)
        if (gathers->level[level].rows) add_to(gathers, &gathers->level[level], &point);
    gathers->holds = true;
    gathers->hold = value;
    gathers->hold_quality = quality;
    gathers->hold_ns = t_ns;
    return true;
}

/* A value holds from a time on and is no point of the buckets. */
static void hold(RollGathers *gathers, const SeriesRoll *row)
{
    for (int level = 0; level < SERIES_LEVELS; level++) {
        RollGather *gather = &gathers->level[level];
        if (!gather->rows || !gather->open) continue;
        if (row->last_ns >= last_row(gather)->t_ns + gather->width_ns)
            finish(gathers, gather);
        else
            weigh(gathers, gather, row->last_ns);
    }
    gathers->holds = true;
    gathers->hold = row->last;
    gathers->hold_quality = row->last_quality;
    gathers->hold_ns = row->last_ns;
}

void roll__late_begin(RollLate *late, RollGathers *gathers, const RollRows *minutes,
                      int64_t from_ns)
{
    *late = (RollLate){gathers, minutes, 0};
    while (late->at < minutes->count && minutes->row[late->at].t_ns < from_ns) late->at++;
}

bool roll__gather_late(void *ctx, int64_t t_ns, double value, uint8_t quality)
{
    RollLate *late = ctx;
    const SeriesRoll *row = &late->minutes->row[late->at],
                     *end = late->minutes->row + late->minutes->count;
    for (; row < end && row->t_ns <= t_ns; row++, late->at++) {
        if (t_ns - row->t_ns < series_roll_ns(SERIES_MINUTES)) return true;
        if (!late->gathers->holds || row->last_ns > late->gathers->hold_ns)
            hold(late->gathers, row);
    }
    return roll__gather(late->gathers, t_ns, value, quality);
}

Status roll__gather_begin(SeriesWork *work, const SeriesPolicy *policy, const SeriesPoint *before,
                          RollGathers *ret, Diag *diag)
{
    Status st = ST_OK;
    *ret = (RollGathers){0};
    for (int level = 0; level < SERIES_LEVELS && !st; level++) {
        if (!policy->roll_ns[level]) continue;
        ret->level[level].width_ns = series_roll_ns(level);
        st = roll__rows(work, level, &ret->level[level].rows, diag);
        if (!st) ret->level[level].rows->count = 0;
    }
    if (st || !before) return st;
    ret->holds = true;
    ret->hold = before->value;
    ret->hold_quality = before->quality;
    ret->hold_ns = before->t_ns;
    return ST_OK;
}

void roll__gather_end(RollGathers *gathers)
{
    for (int level = 0; level < SERIES_LEVELS; level++)
        if (gathers->level[level].rows) finish(gathers, &gathers->level[level]);
}
