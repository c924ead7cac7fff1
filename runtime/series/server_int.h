/* runtime/series/server_int.h: the tables on a server; private to this folder. */
#ifndef TUTTI_SERIES_SERVER_INT_H
#define TUTTI_SERIES_SERVER_INT_H

#include "peer/pg.h"

typedef enum ServerKind { SERVER_UNKNOWN, SERVER_PARTITIONS, SERVER_TIMESCALE } ServerKind;

/* Makes what is missing and says what is there. */
MUST Status server__tables(Pg *pg, const PgWait *wait, ServerKind *ret_kind, Diag *diag);
/* The partition of a week since 1970. */
MUST Status server__partition(Pg *pg, const PgWait *wait, int64_t week, Diag *diag);
/* Drops partitions of weeks before `week`, or chunks that end by before_ns. */
MUST Status server__forget(Pg *pg, const PgWait *wait, ServerKind kind, int64_t week,
                           int64_t before_ns, Diag *diag);

#endif
