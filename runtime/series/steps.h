/* runtime/series/steps.h: the values of a series step by step of time.
 *
 * A step is a length of time (`15m`, `1h`) or one of the calendar (`1d`, `1w`, `1mo`, `1y`), which
 * begins where it begins in a time zone: a day has 23 hours there when the clocks go forward. A
 * value holds until the next one, so a step without points has a mean as soon as there was one
 * before. Points are read, or roll-ups where they do as well or are all there is (roll.h). */
#ifndef TUTTI_SERIES_STEPS_H
#define TUTTI_SERIES_STEPS_H

#include "base/tz.h"
#include "series/roll.h"

enum { SERIES_STEPS_MAX = 10000 };

typedef struct SeriesStep {
    int64_t t_ns;                        /* where it begins */
    uint32_t count, odd;                 /* odd: points whose quality is not good */
    bool held;                           /* a value from before holds in it, and be it a bad one */
    double least, greatest, first, last; /* of its points; only when count is not 0 */
    double area, width_ns;               /* mean = area / width, when width is not 0; a bad value
                                            weighs nothing */
    uint8_t worst;                       /* of its points, or of the value that holds */
} SeriesStep;

typedef struct SeriesSteps {
    SeriesStep *step;
    uint32_t count;
    int64_t from_ns, to_ns; /* where the first begins and the last ends, not included */
    int level;              /* the coarsest roll-up that was read; SERIES_RAW: none */
} SeriesSteps;

/* Is there anything to tell of it? */
static inline bool series_step_known(const SeriesStep *step)
{
    return step->count || step->held;
}

/* The share of its points whose quality is good; only when count is not 0. */
static inline double series_step_good(const SeriesStep *step)
{
    return (double)(step->count - step->odd) / step->count;
}

/* Cuts [from, to) into steps, in the arena; from goes back to where its step begins. `zone` may be
 * empty (UTC). ST_INVALID says what is wrong; ST_LIMIT: more than SERIES_STEPS_MAX. */
MUST Status series_steps_cut(Arena *arena, Str step, Str zone, int64_t from_ns, int64_t to_ns,
                             SeriesSteps *ret_steps, Diag *diag);
/* Fills them; values hold up to now_ns at most. */
MUST Status series_steps_fill(StoreConn *conn, SeriesWork *work, int64_t series, int64_t now_ns,
                              SeriesSteps *steps, Diag *diag);

/* What a series was at a moment. */
typedef struct SeriesMoment {
    bool known;
    double value;
    uint8_t quality;
    int64_t t_ns; /* of the point it comes from */
} SeriesMoment;

/* The last value at or before t; with `linear` on the straight line to the next one, its quality
 * the worse of the two, the last known (uncertain: 1 at least) where there is no next one. */
MUST Status series_moment(StoreConn *conn, SeriesWork *work, int64_t series, int64_t t_ns,
                          bool linear, SeriesMoment *ret_moment, Diag *diag);

#endif
