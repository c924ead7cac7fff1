/* runtime/peer/pg.h: PostgreSQL by libpq: pools of connections, and statements with deadlines.
 *
 * A pool belongs to one connection of programs (URL and user); all pipelines of the process that
 * name it share it, and it has at most `pool` connections open. A connection is used by one thread
 * at a time. A statement that takes too long is cancelled by the server itself (statement_timeout
 * is set to the time left), and a connection that does not answer by then is closed. After a
 * failed try to connect the next one waits, up to a second. */
#ifndef TUTTI_PEER_PG_H
#define TUTTI_PEER_PG_H

#include "peer/link.h"

typedef struct PgPool PgPool;
typedef struct Pg Pg;

typedef struct PgWait {
    int64_t deadline_ns;        /* by the monotonic clock */
    bool (*halting)(void *ctx); /* NULL = never */
    void *ctx;
} PgWait;

typedef struct PgCell {
    Str name, text; /* text.ptr NULL = null */
    unsigned type;  /* OID */
} PgCell;
enum { PG_OID_BOOL = 16, PG_OID_BYTEA = 17, PG_OID_DATE = 1082, PG_OID_INTERVAL = 1186 };
enum { PG_OID_TIMESTAMP = 1114, PG_OID_TIMESTAMPTZ = 1184 };
enum { PG_COLUMNS_MAX = 1600, PG_VALUES_MAX = 64 };

/* ST_CANCELLED: enough rows; anything else but ST_OK ends the statement with it. */
typedef Status PgRowFn(void *ctx, const PgCell *cells, uint32_t count, Diag *diag);

/* Finds the pool or makes it; opens nothing yet. */
MUST Status pg_pool(const PeerLink *link, PgPool **ret_pool, Diag *diag);
void pg_pool_unref(PgPool *pool); /* accepts NULL; the last one closes its connections */

MUST Status pg_take(PgPool *pool, const PgWait *wait, bool read_only, Pg **ret_pg, Diag *diag);
void pg_give(Pg *pg); /* accepts NULL */

/* One statement, prepared when it comes the first time; values as text, NULL = null. Status by what
 * may be done about it: ST_UNAVAILABLE, ST_BUSY, ST_TIMEOUT, ST_IO (disk full) may work later;
 * ST_CONFLICT is about the values given (SQLSTATE 22, 23), ST_INVALID about the statement. */
MUST Status pg_query(Pg *pg, const PgWait *wait, const char *sql, const char *const *values,
                     uint32_t count, PgRowFn *row, void *ctx, Diag *diag);
/* `sql` is a COPY ... FROM STDIN, `data` all that goes into it. Status as pg_query. */
MUST Status pg_copy(Pg *pg, const PgWait *wait, const char *sql, Str data, Diag *diag);
const char *pg_sqlstate(const Pg *pg); /* of the last statement that failed; "" */

/* Quoted as an identifier. */
void pg_put_name(Buf *out, Str name);

#endif
