/* runtime/series/server_int.h: the tables on a server; private to this folder. */
#ifndef TUTTI_SERIES_SERVER_INT_H
#define TUTTI_SERIES_SERVER_INT_H

#include "peer/pg.h"
#include "series/roll_int.h"
#include "series/server.h"

typedef enum ServerKind { SERVER_UNKNOWN, SERVER_PARTITIONS, SERVER_TIMESCALE } ServerKind;

/* Makes what is missing and says what is there. */
MUST Status server__tables(Pg *pg, const PgWait *wait, ServerKind *ret_kind, Diag *diag);
/* The partition of a week since 1970. */
MUST Status server__partition(Pg *pg, const PgWait *wait, int64_t week, Diag *diag);
/* Drops partitions of weeks before `week`, or chunks; not while something of
 * that time is not rolled up. */
MUST Status server__forget(Pg *pg, const PgWait *wait, ServerKind kind, int64_t week, Diag *diag);

/* Since when there are points, of a series or (0) of all; what is known later counts. */
MUST Status server__kept(Pg *pg, const PgWait *wait, int64_t series, int64_t raw_from_ns,
                         Diag *diag);
/* Ends what "begin" began: commits after ST_OK, else takes all back and returns `status`. */
MUST Status server__end(Pg *pg, const PgWait *wait, Status status, Diag *diag);

/* Chunks of roll-ups that nobody keeps. */
MUST Status server__forget_rolls(Pg *pg, const PgWait *wait, int64_t before_ns, Diag *diag);
/* Does the question have a row? */
MUST Status server__exists(Pg *pg, const PgWait *wait, const char *sql, const char *const *values,
                           uint32_t count, bool *ret, Diag *diag);
MUST Status server__run_all(Pg *pg, const PgWait *wait, const char *const *list, size_t count,
                            Diag *diag);

/* server_hyper.c: the same with the extension timescaledb. Makes points, makes hypertables of
 * roll-ups; in a transaction. */
MUST Status server__hyper_points(Pg *pg, const PgWait *wait, Diag *diag);
MUST Status server__hyper_rolls(Pg *pg, const PgWait *wait, Diag *diag);
/* Of a connection that writes. */
MUST Status server__hyper_writes(Pg *pg, const PgWait *wait, Diag *diag);
/* Chunks that end by then: is there one, and (in a transaction) away with them. */
MUST Status server__hyper_old(Pg *pg, const PgWait *wait, const char *table, int64_t before_ns,
                              bool *ret_any, Diag *diag);
MUST Status server__hyper_drop(Pg *pg, const PgWait *wait, const char *table, int64_t before_ns,
                               Diag *diag);

/* server.c: a connection to a database that has the tables. Questions (read_only) wait as long as
 * they may, and what they failed by goes through server__asked. */
MUST Status server__take(SeriesServer *server, bool read_only, PgWait *wait, Pg **ret_pg,
                         Diag *diag);
MUST Status server__asked(SeriesServer *server, Status status, Diag *diag);
Buf *server__bytes(SeriesServer *server); /* of the writing thread */
MUST Status server__points(Pg *pg, const PgWait *wait, int64_t series, int64_t from_ns,
                           int64_t to_ns, const SeriesVisitor *visitor, Diag *diag);
MUST Status server__newest(Pg *pg, const PgWait *wait, int64_t series, int64_t before_ns,
                           SeriesPoint *ret_point, bool *ret_found, Diag *diag);
/* The binary format of COPY. */
void server__put_head(Buf *out);
void server__put_be(Buf *out, uint64_t value, int bytes);
void server__put_cell(Buf *out, uint64_t value, int bytes); /* with its size */

/* server_roll.c, for roll_read.c and roll_rows.c: what they find in a file. */
MUST Status server__raw_from(SeriesServer *server, int64_t series, int64_t *ret_ns, Diag *diag);
MUST Status server__rolls_from(SeriesServer *server, int64_t series, int level, int64_t *ret_ns,
                               Diag *diag);
MUST Status server__count(SeriesServer *server, int64_t series, int level, int64_t from_ns,
                          int64_t to_ns, int64_t *ret_count, Diag *diag);
/* At most ROLL_ROWS_MAX rows from from_ns on, before to_ns. */
MUST Status server__rolls(SeriesServer *server, int64_t series, int level, int64_t from_ns,
                          int64_t to_ns, RollRows *ret, Diag *diag);
MUST Status server__roll_before(SeriesServer *server, int64_t series, int64_t before_ns,
                                RollRows *rows, Diag *diag);
MUST Status server__stale(SeriesServer *server, int64_t series, void (*fn)(void *ctx, int64_t t_ns),
                          void *ctx, Diag *diag);

#endif
