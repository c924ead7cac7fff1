/* runtime/series/roll_int.h: rows of roll-ups and where they lie; private to this folder. */
#ifndef TUTTI_SERIES_ROLL_INT_H
#define TUTTI_SERIES_ROLL_INT_H

#include "series/roll.h"
#include "series/series_int.h"

/* A row of series_rolls holds the buckets of a span: a day of minutes, 64 days of hours. */
enum { ROLL_ROWS_MAX = 1536 };

struct RollRows {
    SeriesRoll row[ROLL_ROWS_MAX];
    uint32_t count;
};
typedef struct RollRows RollRows;

int64_t roll__span_ns(int level);
/* The multiple of `width` at or before t; the ends of time are not passed. */
static inline int64_t roll__floor(int64_t t_ns, int64_t width_ns)
{
    int64_t rest = t_ns % width_ns;
    if (rest < 0) rest += width_ns;
    return t_ns < INT64_MIN + rest ? INT64_MIN : t_ns - rest;
}

static inline int64_t roll__ceil(int64_t t_ns, int64_t width_ns)
{
    int64_t floor_ns = roll__floor(t_ns, width_ns);
    if (floor_ns == t_ns) return t_ns;
    return floor_ns > INT64_MAX - width_ns ? INT64_MAX : floor_ns + width_ns;
}

/* The rows of the span that starts at or after (at: exactly) t; *ret_found false: none. */
MUST Status roll__load(StoreConn *conn, SeriesWork *work, int64_t series, int level, int64_t t_ns,
                       bool exactly, RollRows *ret, bool *ret_found, Diag *diag);
/* Replaces the span's row; none when there are no rows. */
MUST Status roll__store(StoreConn *conn, SeriesWork *work, int64_t series, int level,
                        int64_t span_ns, RollRows *rows, Diag *diag);
MUST Status roll__decode(SeriesWork *work, Str bytes, RollRows *rows, Diag *diag);
/* Points before this are gone; INT64_MIN: none are. */
MUST Status roll__raw_from(StoreConn *conn, const SeriesWork *work, int64_t series, int64_t *ret_ns,
                           Diag *diag);
/* The newest point that the rows know before a time, when it is newer than *ret. */
void roll__newest(const RollRows *rows, int64_t before_ns, SeriesPoint *ret, bool *found);
int64_t roll__cutoff(int64_t now_ns, int64_t keep_ns); /* INT64_MIN: for ever */
/* Room for `index` of the work's row sets, made once. */
enum { ROLL_SETS = 5 };
MUST Status roll__rows(SeriesWork *work, int index, RollRows **ret_rows, Diag *diag);
/* The newest value that roll-ups know before a time. */
MUST Status roll__before(StoreConn *conn, SeriesWork *work, int64_t series, int64_t before_ns,
                         SeriesPoint *ret_point, bool *ret_found, Diag *diag);

/* roll_gather.c: buckets of the levels that the policy wants, from points that come in order.
 * `before` is the newest one before them, or NULL. */
typedef struct RollGather {
    RollRows *rows;
    int64_t width_ns;
    bool open; /* its last row's values do not end yet */
    double area, known_ns;
} RollGather;

typedef struct RollGathers {
    RollGather level[SERIES_LEVELS];
    bool holds;
    double hold;
    uint8_t hold_quality;
    int64_t hold_ns;
} RollGathers;
MUST Status roll__gather_begin(SeriesWork *work, const SeriesPolicy *policy,
                               const SeriesPoint *before, RollGathers *ret, Diag *diag);
bool roll__gather(void *gathers, int64_t t_ns, double value, uint8_t quality);
void roll__gather_end(RollGathers *gathers);

/* The same in an hour whose points are gone: a minute that is there stays, points that come late in
 * it count nowhere, and what it ended with holds from there on. */
typedef struct RollLate {
    RollGathers *gathers;
    const RollRows *minutes;
    uint32_t at;
} RollLate;
void roll__late_begin(RollLate *late, RollGathers *gathers, const RollRows *minutes,
                      int64_t from_ns);
bool roll__gather_late(void *late, int64_t t_ns, double value, uint8_t quality);

#endif
