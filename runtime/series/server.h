/* runtime/series/server.h: points of all series on a PostgreSQL server.
 *
 * The file stays the way in: what is written to it is durable and acknowledged, and is the buffer
 * while the server is away. Unit by unit it goes to the server and leaves the file. Questions see
 * both: what is still in the file is newer and wins (series_set_base).
 *
 * On the server there is one table, tutti_points(series, t, value, quality) with t in nanoseconds,
 * a hypertable where the extension timescaledb is installed, else partitioned by weeks; the
 * primary key makes writing the same points again harmless. tutti_series has the names and the view
 * tutti_samples all of it with timestamps, for other programs. */
#ifndef TUTTI_SERIES_SERVER_H
#define TUTTI_SERIES_SERVER_H

#include "series/series.h"

typedef struct SeriesServer SeriesServer;

typedef struct SeriesName {
    int64_t series;
    const char *path;
} SeriesName;

/* Opens no connection yet. ST_UNSUPPORTED: there is no libpq here. `halting` may be NULL. */
MUST Status series_server_new(const char *url, bool (*halting)(void *ctx), void *ctx,
                              SeriesServer **ret_server, Diag *diag);
void series_server_free(SeriesServer *server); /* accepts NULL */

/* All of these wait: for threads that may. Of equal (series, t) the later call counts, in one
 * call the last point. */
MUST Status series_server_put(SeriesServer *server, const SeriesPoint *points, uint32_t count,
                              const SeriesName *names, uint32_t name_count, Diag *diag);
MUST Status series_server_scan(SeriesServer *server, int64_t series, int64_t from_ns, int64_t to_ns,
                               const SeriesVisitor *visitor, Diag *diag);
MUST Status series_server_before(SeriesServer *server, int64_t series, int64_t before_ns,
                                 SeriesPoint *ret_point, bool *ret_found, Diag *diag);
/* Drops partitions (chunks) that end by then. */
MUST Status series_server_forget(SeriesServer *server, int64_t before_ns, Diag *diag);
/* "timescaledb", "partitions", or "" before the first connection. */
const char *series_server_kind(const SeriesServer *server);

/* Questions through `work` see the server's points, too. NULL: no longer. */
void series_set_base(SeriesWork *work, SeriesServer *server);

/* The one of this process, for connections that others open (table.c); any thread. */
void series_set_default_base(SeriesServer *server);
SeriesServer *series_default_base(void);

/* What goes to the server next: a segment or some blocks, oldest first. */
enum { SERIES_UNIT_BLOCKS_MAX = 16 };
typedef struct SeriesUnit {
    int64_t segment; /* 0: blocks */
    int64_t block[SERIES_UNIT_BLOCKS_MAX];
    uint64_t hash[SERIES_UNIT_BLOCKS_MAX]; /* of its bytes: ids of blocks are used again */
    uint32_t block_count, count, cap;
    SeriesPoint *points; /* owned; freed by series_unit_done */
    uint64_t waiting;    /* points in the file, these among them */
} SeriesUnit;

MUST Status series_unit_take(StoreConn *conn, SeriesWork *work, SeriesUnit *ret_unit, Diag *diag);
/* It is on the server: leaves the file. What became of it meanwhile stays and goes once more. */
MUST Status series_unit_drop(StoreConn *conn, const SeriesUnit *unit, Diag *diag);
void series_unit_done(SeriesUnit *unit);

#endif
