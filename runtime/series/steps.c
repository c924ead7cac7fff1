/* runtime/series/steps.c: filling steps from points and roll-ups, and values at moments. */
#include "series/steps.h"

enum { STEP_POINTS_MAX = 50000 };

typedef struct Filling {
    SeriesSteps *steps;
    uint32_t at; /* the step that time has come to */
    bool holds;
    double hold;
    uint8_t hold_quality;
    int64_t hold_ns; /* the held value counts from here on */
} Filling;

static int64_t step_end(const SeriesSteps *steps, uint32_t at)
{
    return at + 1 < steps->count ? steps->step[at + 1].t_ns : steps->to_ns;
}

/* The held value counts up to t; steps that end by then are done. */
static void hold_to(Filling *f, int64_t t_ns)
{
    while (f->at < f->steps->count) {
        SeriesStep *step = &f->steps->step[f->at];
        int64_t end_ns = step_end(f->steps, f->at), until_ns = t_ns < end_ns ? t_ns : end_ns;
        if (f->holds && until_ns > f->hold_ns) {
            double width_ns = (double)((uint64_t)until_ns - (uint64_t)f->hold_ns);
            if (f->hold_quality < SERIES_BAD) {
                step->area += f->hold * width_ns;
                step->width_ns += width_ns;
            }
            step->held = true;
            if (!step->count && f->hold_quality > step->worst) step->worst = f->hold_quality;
            f->hold_ns = until_ns;
        }
        if (t_ns < end_ns) return;
        f->at++;
    }
}

static void hold(Filling *f, int64_t t_ns, double value, uint8_t quality)
{
    f->holds = true;
    f->hold = value;
    f->hold_quality = quality;
    f->hold_ns = t_ns;
}

static void add(SeriesStep *step, const SeriesRoll *roll)
{
    if (!step->count) {
        step->first = roll->first;
        step->least = roll->least;
        step->greatest = roll->greatest;
        step->worst = 0;
    }
    if (roll->least < step->least) step->least = roll->least;
    if (roll->greatest > step->greatest) step->greatest = roll->greatest;
    if (roll->worst > step->worst) step->worst = roll->worst;
    step->last = roll->last;
    step->count += roll->count;
    step->odd += roll->odd;
}

static bool on_point(void *ctx, int64_t t_ns, double value, uint8_t quality)
{
    Filling *f = ctx;
    hold_to(f, t_ns);
    if (f->at == f->steps->count) return false;
    SeriesRoll one = {.first = value,
                      .last = value,
                      .least = value,
                      .greatest = value,
                      .count = 1,
                      .odd = quality != 0,
                      .worst = quality};
    add(&f->steps->step[f->at], &one);
    hold(f, t_ns, value, quality);
    return true;
}

static bool on_roll(void *ctx, int level, const SeriesRoll *roll)
{
    Filling *f = ctx;
    hold_to(f, roll->t_ns);
    if (f->at == f->steps->count) return false;
    SeriesStep *step = &f->steps->step[f->at];
    add(step, roll);
    step->area += roll->mean * roll->width_ns;
    step->width_ns += roll->width_ns;
    hold(f, roll->t_ns + series_roll_ns(level), roll->last, roll->last_quality);
    return true;
}

/* The coarsest level whose buckets end where every step does. */
static int fitting_level(const SeriesSteps *steps)
{
    for (int level = SERIES_LEVELS - 1; level >= 0; level--) {
        int64_t width_ns = series_roll_ns(level);
        bool fits = true;
        for (uint32_t i = 0; i < steps->count && fits; i++)
            fits = steps->step[i].t_ns % width_ns == 0;
        if (fits) return level;
    }
    return SERIES_RAW;
}

Status series_steps_fill(StoreConn *conn, SeriesWork *work, int64_t series, int64_t now_ns,
                         SeriesSteps *steps, Diag *diag)
{
    Filling f = {.steps = steps};
    SeriesPoint before;
    SeriesReader reader = {{on_point, NULL, &f}, on_roll};
    SeriesWant want = {steps->from_ns, steps->to_ns - 1, fitting_level(steps), STEP_POINTS_MAX};
    steps->level = SERIES_RAW;
    if (!steps->count) return ST_OK;
    Status st = series_value_before(conn, work, series, steps->from_ns, &before, &f.holds, diag);
    if (st) return st;
    if (f.holds) hold(&f, steps->from_ns, before.value, before.quality);
    st = series_read(conn, work, series, &want, &reader, &steps->level, diag);
    if (!st) hold_to(&f, steps->to_ns < now_ns ? steps->to_ns : now_ns);
    return st;
}

/* ---- moments ---- */

static bool first_point(void *ctx, int64_t t_ns, double value, uint8_t quality)
{
    SeriesPoint *first = ctx;
    *first = (SeriesPoint){1, t_ns, value, quality};
    return false;
}

static bool first_roll(void *ctx, int level, const SeriesRoll *roll)
{
    SeriesPoint *first = ctx;
    (void)level;
    *first = (SeriesPoint){1, roll->first_ns, roll->first, roll->first_quality};
    return false;
}

Status series_moment(StoreConn *conn, SeriesWork *work, int64_t series, int64_t t_ns, bool linear,
                     SeriesMoment *ret_moment, Diag *diag)
{
    SeriesPoint before, after = {0};
    SeriesReader reader = {{first_point, NULL, &after}, first_roll};
    SeriesWant want = {t_ns, INT64_MAX, SERIES_RAW, 0};
    int level;
    *ret_moment = (SeriesMoment){0};
    int64_t behind_ns = t_ns == INT64_MAX ? INT64_MAX : t_ns + 1;
    Status st =
        series_value_before(conn, work, series, behind_ns, &before, &ret_moment->known, diag);
    if (st || !ret_moment->known) return st;
    *ret_moment = (SeriesMoment){true, before.value, before.quality, before.t_ns};
    if (!linear || before.t_ns == t_ns) return ST_OK;
    st = series_read(conn, work, series, &want, &reader, &level, diag);
    if (st) return st;
    if (!after.series || after.t_ns <= before.t_ns) {
        if (!ret_moment->quality) ret_moment->quality = 1;
        return ST_OK;
    }
    double part = (double)((uint64_t)t_ns - (uint64_t)before.t_ns) /
                  (double)((uint64_t)after.t_ns - (uint64_t)before.t_ns);
    ret_moment->value = before.value + (after.value - before.value) * part;
    if (after.quality > ret_moment->quality) ret_moment->quality = after.quality;
    return ST_OK;
}
