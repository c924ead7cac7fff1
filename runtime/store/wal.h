/* runtime/store/wal.h: the write-ahead log of a store is taken into its file; for this folder only.
 *
 * Nobody waits for that: it happens when the commit was reported. Much of it (a reader held it
 * back, or a start found it) is done by a thread of its own, beside the writer, who does the rest.
 */
#ifndef TUTTI_STORE_WAL_H
#define TUTTI_STORE_WAL_H

#include "store/sqlite_conn.h"

#include <pthread.h>
#include <stdatomic.h>

typedef struct StoreWal {
    const char *path;
    int pages;      /* of the log at the last commit */
    int done;       /* of these: in the file; the thread's while it works */
    int tried_done; /* the same when the thread was started last, and when that was */
    int64_t tried_ns;
    pthread_t thread;
    bool started;     /* and not joined */
    atomic_bool busy; /* it works */
} StoreWal;

/* `conn` is the writer's; everything here is called by its thread. `path` is lent. */
void store__wal_open(StoreWal *wal, StoreConn *conn, const char *path);
void store__wal_tidy(StoreWal *wal, StoreConn *conn); /* after a commit was reported */
void store__wal_close(StoreWal *wal);                 /* waits for the thread */

#endif
