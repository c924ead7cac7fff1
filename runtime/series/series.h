/* runtime/series/series.h: points of many series by time, inside a SQLite store.
 *
 * Everything runs inside a store job (store/store.h), so a write is durable when its job is
 * reported done, and a reader sees the last commit. What is written goes through three sizes:
 *
 *   series_write     one segment of level 0: the batch, a small block per series
 *   series_tidy      64 of those become one of level 1; what gathered there is sealed into blocks
 * of up to 8192 points that belong to one series and never overlap each other
 *
 * A point is known by (series, time): writing it again replaces it, however late it comes; of two
 * sizes the smaller, newer one wins. So late points, repeated ones and points of last year need no
 * special case, and sealing keeps the same answers.
 *
 * Where several threads call, each has a SeriesWork of its own. */
#ifndef TUTTI_SERIES_SERIES_H
#define TUTTI_SERIES_SERIES_H

#include "store/store.h"

enum {
    SERIES_PAGE_BYTES =
        2048, /* good for a file of series: wastes 0.1 bytes a point less than 4096 */
    SERIES_BATCH_POINTS_MAX = 1 << 17, /* of one series_write */
    SERIES_FAN_IN = 64,                /* segments of one level that become one of the next */
    SERIES_LOOSE_POINTS_MAX = 1 << 20, /* not yet sealed; series_tidy seals at this at the latest */
    SERIES_BAD =
        2, /* quality from which on a value counts for no mean: what was then is not known */
    SERIES_SEAL_POINTS = 3900, /* per series: sealed from this many on; two make a block */
};

/* For a module's migration, before SERIES_ROLL_SQL (roll.h): the tables of points. */
#define SERIES_SCHEMA_SQL                                                                          \
    "CREATE TABLE series_segments(id INTEGER PRIMARY KEY AUTOINCREMENT, level INTEGER NOT NULL,"   \
    " t_first INTEGER NOT NULL, t_last INTEGER NOT NULL, points INTEGER NOT NULL,"                 \
    " series INTEGER NOT NULL, data BLOB NOT NULL);"                                               \
    "CREATE TABLE series_blocks(series INTEGER NOT NULL, t_first INTEGER NOT NULL,"                \
    " t_last INTEGER NOT NULL, points INTEGER NOT NULL, id INTEGER NOT NULL, first REAL,"          \
    " last REAL, least REAL, greatest REAL, total REAL, area REAL, odd INTEGER NOT NULL,"          \
    " PRIMARY KEY(series, t_first)) WITHOUT ROWID;"                                                \
    "CREATE TABLE series_data(id INTEGER PRIMARY KEY, block BLOB NOT NULL);"
/* For a later one: newest points that are not settled (series_settle). */
#define SERIES_NEWEST_SQL                                                                          \
    "CREATE TABLE series_newest(series INTEGER PRIMARY KEY, t INTEGER NOT NULL, value REAL,"       \
    " quality INTEGER NOT NULL, segment INTEGER NOT NULL);"                                        \
    "CREATE TABLE series_settled(id INTEGER PRIMARY KEY, segment INTEGER NOT NULL);"

typedef struct SeriesPoint {
    int64_t series; /* 1 .. UINT32_MAX */
    int64_t t_ns;   /* since 1970 UTC */
    double value;
    uint8_t quality; /* 0 = good, from SERIES_BAD on bad; other numbers are the caller's */
} SeriesPoint;

typedef struct SeriesWork SeriesWork; /* working memory, about 1 MiB, grows with what is merged */
SeriesWork *series_work_new(void);    /* NULL: out of memory */
void series_work_free(SeriesWork *work);

/* Sorts `points` (so they change) and writes them. Of equal (series, time) the last one counts. */
MUST Status series_write(StoreConn *conn, SeriesWork *work, SeriesPoint *points, uint32_t count,
                         Diag *diag);

/* Does at most one merge; *ret_more: another one is due. Cheap when nothing is. */
MUST Status series_tidy(StoreConn *conn, SeriesWork *work, bool *ret_more, Diag *diag);
/* Seals everything that is loose, whatever its size: before a backup, in tests. */
MUST Status series_seal(StoreConn *conn, SeriesWork *work, Diag *diag);

/* What a block says about its points without being read. Valid when no point is NaN or infinite. */
typedef struct SeriesSummary {
    int64_t t_first_ns, t_last_ns;
    uint32_t points, odd; /* odd: quality other than 0 */
    double first, last, least, greatest, total;
    double area; /* of the steps from point to point, value times ns; the last has no width */
} SeriesSummary;

typedef struct SeriesVisitor {
    /* In ascending time. False stops the scan. */
    bool (*point)(void *ctx, int64_t t_ns, double value, uint8_t quality);
    /* May be NULL. Offered before a block of good points that lies inside the range and under no
     * loose point; true: it serves instead of its points. */
    bool (*summary)(void *ctx, const SeriesSummary *summary);
    void *ctx;
} SeriesVisitor;

/* Points with from_ns <= t <= to_ns. */
MUST Status series_scan(StoreConn *conn, SeriesWork *work, int64_t series, int64_t from_ns,
                        int64_t to_ns, const SeriesVisitor *visitor, Diag *diag);
/* The newest point with t < before_ns; *ret_found false when there is none. */
MUST Status series_before(StoreConn *conn, SeriesWork *work, int64_t series, int64_t before_ns,
                          SeriesPoint *ret_point, bool *ret_found, Diag *diag);

/* Last values. Whoever keeps them elsewhere, and writes them later than their points, says up to
 * which segment it has all of them; at a start it asks for what came behind: each series once, by
 * ascending number, with the newest of its points there. What was sealed meanwhile counts as well.
 * `fn` may ask nothing of the store. */
typedef Status SeriesNewestFn(void *ctx, const SeriesPoint *point, Diag *diag);
MUST Status series_unsettled(StoreConn *conn, SeriesWork *work, SeriesNewestFn *fn, void *ctx,
                             Diag *diag);
MUST Status series_settle(StoreConn *conn, int64_t segment, Diag *diag);
/* The segment that was written last; 0 = none yet. */
MUST Status series_segment_now(StoreConn *conn, int64_t *ret_segment, Diag *diag);

/* Gives a connection the table series_points(series, t, value, quality), read-only: SQL over what
 * this file holds. A query must say which series (`series = ...`, or a join that does); bounds of
 * `t` are used. False: out of memory. */
struct sqlite3;
MUST bool series_table_register(struct sqlite3 *db);

#endif
