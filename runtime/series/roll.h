/* runtime/series/roll.h: roll-ups of points by minutes and hours, and reading that chooses.
 *
 * A roll-up is derived: sealing points leaves a mark (series_stale) in the same transaction, and
 * series_roll works the marked hours out anew from the points. So a crash between the two loses
 * nothing, and late or repeated points need no case of their own. Once series_forget has taken the
 * points of a time (`raw_from`), its roll-ups stay as they are: a point that comes later still
 * fills a bucket that has none, and changes no other.
 *
 * series_read gives a question points where they are there and few enough, else roll-ups. */
#ifndef TUTTI_SERIES_ROLL_H
#define TUTTI_SERIES_ROLL_H

#include "series/series.h"

enum { SERIES_MINUTES, SERIES_HOURS, SERIES_LEVELS, SERIES_RAW = -1 };

/* For a migration behind SERIES_SCHEMA_SQL: all that is there becomes rolled up. */
#define SERIES_ROLL_SQL                                                                            \
    "CREATE TABLE series_rolls(id INTEGER PRIMARY KEY, series INTEGER NOT NULL,"                   \
    " level INTEGER NOT NULL, t_first INTEGER NOT NULL, data BLOB NOT NULL,"                       \
    " UNIQUE(series, level, t_first));"                                                            \
    "CREATE TABLE series_stale(id INTEGER PRIMARY KEY, series INTEGER NOT NULL,"                   \
    " t_first INTEGER NOT NULL, t_last INTEGER NOT NULL, echo INTEGER NOT NULL DEFAULT 0);"        \
    "CREATE INDEX series_stale_of ON series_stale(series, t_first);"                               \
    "CREATE TABLE series_kept(series INTEGER PRIMARY KEY, raw_from INTEGER NOT NULL);"             \
    "INSERT INTO series_stale(series, t_first, t_last)"                                            \
    " SELECT series, min(t_first), max(t_last) FROM series_blocks GROUP BY series;"

typedef struct SeriesRoll {
    int64_t t_ns; /* start of the bucket; starts are whole minutes or hours since 1970 */
    int64_t first_ns, last_ns;
    double first, last, least, greatest;
    double mean, width_ns; /* by time, a value holding until the next; how long there is one that
                              is not bad (0: the mean is 0, too) */
    uint32_t count, odd;   /* odd: quality other than 0 */
    uint8_t worst, first_quality, last_quality;
} SeriesRoll;

/* How long things are kept, counted back from now; 0: not at all, INT64_MAX: for ever. */
typedef struct SeriesPolicy {
    int64_t raw_ns, roll_ns[SERIES_LEVELS];
} SeriesPolicy;
typedef Status SeriesPolicyFn(void *ctx, StoreConn *conn, int64_t series, SeriesPolicy *ret_policy,
                              Diag *diag);

int64_t series_roll_ns(int level); /* width of a bucket */

/* Works out at most one day of one series; *ret_more: there is more to do. */
MUST Status series_roll(StoreConn *conn, SeriesWork *work, SeriesPolicyFn *policy, void *ctx,
                        bool *ret_more, Diag *diag);
/* Forgets what the policy of one series no longer keeps. Does nothing to points that are not
 * rolled up yet; *ret_wait: there are such, seal and roll first. */
MUST Status series_forget(StoreConn *conn, int64_t series, const SeriesPolicy *policy,
                          int64_t now_ns, bool *ret_wait, Diag *diag);
/* A rule begins to want roll-ups: marks all points of a series. */
MUST Status series_mark_all(StoreConn *conn, int64_t series, Diag *diag);

typedef struct SeriesWant {
    int64_t from_ns, to_ns; /* both included */
    int level;              /* the coarsest that does; SERIES_RAW: points where there are any */
    uint32_t points_max;    /* more than so many points: roll-ups of `level` */
} SeriesWant;

typedef struct SeriesReader {
    SeriesVisitor points; /* its ctx is also roll's */
    /* A bucket; its points are not given. In ascending time with the points. False stops. */
    bool (*roll)(void *ctx, int level, const SeriesRoll *roll);
} SeriesReader;

/* *ret_level: the coarsest level that was given, SERIES_RAW when all were points. */
MUST Status series_read(StoreConn *conn, SeriesWork *work, int64_t series, const SeriesWant *want,
                        const SeriesReader *reader, int *ret_level, Diag *diag);
/* As series_before, also from roll-ups where the points are gone. */
MUST Status series_value_before(StoreConn *conn, SeriesWork *work, int64_t series,
                                int64_t before_ns, SeriesPoint *ret_point, bool *ret_found,
                                Diag *diag);

#endif
