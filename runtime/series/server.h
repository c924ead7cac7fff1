/* runtime/series/server.h: points of all series on a PostgreSQL server.
 *
 * The file stays the way in: what is written to it is durable and acknowledged, and is the buffer
 * while the server is away. Unit by unit it goes to the server and leaves the file. Questions see
 * both: what is still in the file is newer and wins (series_set_base).
 *
 * On the server there is one table, tutti_points(series, t, value, quality) with t in nanoseconds,
 * a hypertable where the extension timescaledb is installed, else partitioned by weeks; the
 * primary key makes writing the same points again harmless. Minutes and hours are rows of
 * tutti_rolls, worked out there as in a file (roll.h). tutti_series has the names, and the views
 * tutti_samples, tutti_by_minute and tutti_by_hour all of it with timestamps, for other programs.
 */
#ifndef TUTTI_SERIES_SERVER_H
#define TUTTI_SERIES_SERVER_H

#include "series/roll.h"

typedef struct SeriesServer SeriesServer;

typedef struct SeriesName {
    int64_t series;
    const char *path;
} SeriesName;

/* Opens no connection yet. ST_UNSUPPORTED: there is no libpq here. `halting` may be NULL. A
 * question waits for each answer at most `question_ms` and fails with ST_UNAVAILABLE, and while the
 * server is known to be away at once. */
MUST Status series_server_new(const char *url, int64_t question_ms, bool (*halting)(void *ctx),
                              void *ctx, SeriesServer **ret_server, Diag *diag);
void series_server_free(SeriesServer *server); /* accepts NULL */

/* All of these wait: for threads that may. Of equal (series, t) the later call counts, in one
 * call the last point. */
MUST Status series_server_put(SeriesServer *server, const SeriesPoint *points, uint32_t count,
                              const SeriesName *names, uint32_t name_count, Diag *diag);
MUST Status series_server_scan(SeriesServer *server, int64_t series, int64_t from_ns, int64_t to_ns,
                               const SeriesVisitor *visitor, Diag *diag);
MUST Status series_server_before(SeriesServer *server, int64_t series, int64_t before_ns,
                                 SeriesPoint *ret_point, bool *ret_found, Diag *diag);
/* Drops partitions (chunks) that end by then; none while some of it is not rolled up. What is older
 * than rolls_before_ns has no roll-ups that anybody keeps. INT64_MIN: no time is over. */
MUST Status series_server_forget(SeriesServer *server, int64_t before_ns, int64_t rolls_before_ns,
                                 Diag *diag);

/* Roll-ups. Whoever calls these also calls series_server_put, and never both at once. */
typedef struct SeriesRollRound {
    void (*policy)(void *ctx, Str path, SeriesPolicy *ret_policy);
    void *ctx;
    int64_t ready_ns; /* hours that end by then are worked out, by the wall clock */
    int64_t until_ns; /* no other piece is begun after it, by the monotonic clock */
} SeriesRollRound;
MUST Status series_server_roll(SeriesServer *server, SeriesWork *work, const SeriesRollRound *round,
                               bool *ret_more, Diag *diag);
typedef struct SeriesKeep {
    int64_t series;
    SeriesPolicy policy;
} SeriesKeep;
/* Forgets roll-ups that are no longer kept; those that are wanted and not there begin. */
MUST Status series_server_trim(SeriesServer *server, const SeriesKeep *list, uint32_t count,
                               int64_t now_ns, Diag *diag);
/* "timescaledb", "partitions", or "" before the first connection. */
const char *series_server_kind(const SeriesServer *server);

/* Questions through `work` see the server's points, too. NULL: no longer. */
void series_set_base(SeriesWork *work, SeriesServer *server);

/* The one of this process, for connections that others open (table.c); any thread. */
void series_set_default_base(SeriesServer *server);
SeriesServer *series_default_base(void);

/* Roll-ups of a file that gets a server: rows of one series, or (rows NULL) since when it has
 * points. */
typedef struct SeriesRollUnit {
    int64_t series, raw_from_ns;
    int level;
    struct RollRows *rows; /* owned by the unit */
} SeriesRollUnit;
MUST Status series_server_put_rolls(SeriesServer *server, const SeriesRollUnit *unit, Diag *diag);

/* What goes to the server next: roll-ups, a segment or some blocks, oldest first. */
enum { SERIES_UNIT_BLOCKS_MAX = 16 };
typedef struct SeriesUnit {
    bool is_rolls;
    int64_t roll_id; /* of `rolls` */
    SeriesRollUnit rolls;
    int64_t segment; /* 0: blocks */
    int64_t block[SERIES_UNIT_BLOCKS_MAX];
    uint64_t hash[SERIES_UNIT_BLOCKS_MAX]; /* of its bytes: ids of blocks are used again */
    uint32_t block_count, count, cap;
    SeriesPoint *points; /* owned; freed by series_unit_done */
    uint64_t waiting;    /* points in the file, these among them */
} SeriesUnit;

static inline bool series_unit_empty(const SeriesUnit *unit)
{
    return !unit->count && !unit->is_rolls;
}

/* How many points the file has. */
MUST Status series_waiting(StoreConn *conn, uint64_t *ret_points, Diag *diag);
MUST Status series_unit_take(StoreConn *conn, SeriesWork *work, SeriesUnit *ret_unit, Diag *diag);
/* It is on the server: leaves the file. What became of it meanwhile stays and goes once more. */
MUST Status series_unit_drop(StoreConn *conn, const SeriesUnit *unit, Diag *diag);
void series_unit_done(SeriesUnit *unit);

#endif
