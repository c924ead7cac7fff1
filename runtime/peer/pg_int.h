/* runtime/peer/pg_int.h: what pg.c (statements) and pg_pool.c (connections) share. */
#ifndef TUTTI_PEER_PG_INT_H
#define TUTTI_PEER_PG_INT_H

#include "peer/pg.h"
#include "peer/pq_lib.h"

enum { PG_PREPARED_MAX = 64 };

struct Pg {
    PgPool *pool;
    PqConn *conn; /* NULL = the place is free */
    bool taken, broken;
    bool begun; /* inside begin and commit */
    int read_only;
    int64_t timeout_ms;
    struct {
        uint64_t hash;
        uint32_t values; /* the statement wants so many */
    } prepared[PG_PREPARED_MAX];
    uint32_t prepared_count;
    char sqlstate[6];
};

const PqLib *pg__lib(const PgPool *pool);
/* Waits until the socket may be read (or written, too); ST_TIMEOUT, ST_CANCELLED. */
MUST Status pg__poll(int fd, bool write, const PgWait *wait);
/* libpq's sentence on one line. */
Status pg__say(Diag *diag, Status status, const char *before, const char *text);

#endif
