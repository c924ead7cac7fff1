/* runtime/store/sqlite_conn.h: one SQLite connection and its statements; for this folder only.
 *
 * Used by one thread. Statements are cached by their text until too many gathered. */
#ifndef TUTTI_STORE_SQLITE_CONN_H
#define TUTTI_STORE_SQLITE_CONN_H

#include "base/hash.h"
#include "store/store.h"

#include <sqlite3.h>

struct StoreConn {
    sqlite3 *db;
    Map stmts; /* sql -> StoreStmt */
};

/* `path` exists. Sets WAL and the durability the store promises. */
MUST Status store__conn_open(StoreConn *conn, const char *path, bool is_writer, uint32_t page_bytes,
                             Diag *diag);
void store__conn_close(StoreConn *conn);
/* Between jobs: resets what a job left open and bounds the cache. */
void store__conn_rest(StoreConn *conn);

#endif
