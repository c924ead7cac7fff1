/* runtime/store/store.h: where modules keep things: SQL behind one writer thread per file.
 *
 * Work is handed over as a job. The store's thread takes all jobs that wait, runs them in one
 * transaction (each inside a savepoint, so a failed job undoes only itself), commits once with the
 * data synced to disk, and only then reports each job on the loop: a reported success is durable.
 * This group commit is what lets many small writes be safe and fast at once. */
#ifndef TUTTI_STORE_STORE_H
#define TUTTI_STORE_STORE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"
#include "base/str.h"
#include "loop/loop.h"

typedef struct Store Store;
typedef struct StoreConn StoreConn; /* valid inside a job only, on the store's thread */
typedef struct StoreStmt StoreStmt; /* a prepared statement, cached by its text */

/* Runs on the store's thread. Must not touch anything the loop's thread uses, but `ctx`. */
typedef Status StoreJobFn(StoreConn *conn, void *ctx, Diag *diag);
/* Runs on the loop after the commit (or the failure). */
typedef void StoreDoneFn(void *ctx, Status status, const Diag *diag);

typedef struct StoreMigration {
    uint32_t version; /* 1, 2, 3 ... without gaps */
    const char *name, *sql;
} StoreMigration;

enum { STORE_JOBS_MAX = 65536 };

/* Opens (creates) the SQLite file at `path`; file mode 0600. ST_CORRUPT: it is damaged. */
MUST Status store_sqlite_open(Loop *loop, const char *path, Store **ret_store, Diag *diag);
/* The same; a new file gets pages of `page_bytes` (a power of two, 512 .. 65536; 0 = SQLite's
 * preset). Small pages waste less beside blobs of some KiB. */
MUST Status store_sqlite_open_paged(Loop *loop, const char *path, uint32_t page_bytes,
                                    Store **ret_store, Diag *diag);
/* Finishes every accepted job, commits, closes. Blocks. */
void store_close(Store *store);

/* Blocking, before the loop runs. Records version and content hash per owner, refuses an edited
 * or a newer one (ST_CONFLICT). `list` ends with version 0. */
MUST Status store_migrate(Store *store, const char *owner, const StoreMigration *list, Diag *diag);

/* A value of a row. */
typedef enum StoreKind { STORE_NULL, STORE_INT, STORE_NUMBER, STORE_TEXT, STORE_BLOB } StoreKind;
typedef struct StoreCell {
    StoreKind kind;
    int64_t integer;
    double number;
    Str bytes; /* TEXT, BLOB */
} StoreCell;
static inline StoreCell store_of_int(int64_t value)
{
    return (StoreCell){.kind = STORE_INT, .integer = value};
}
static inline StoreCell store_of_number(double value)
{
    return (StoreCell){.kind = STORE_NUMBER, .number = value};
}
static inline StoreCell store_of_str(Str text)
{
    return (StoreCell){.kind = STORE_TEXT, .bytes = text};
}
/* May a row that was found without its table be one of `table`? What it says NULL for is the
 * number of the row. */
typedef bool StoreJudgeFn(Str table, const StoreCell *cells, uint32_t count);
/* As store_sqlite_open_paged, for a file whose owner can do with what is left of it; a list of who
 * may do what is none. When it is damaged it is renamed to PATH.damaged-DATE-TIME, and
 * store_migrate fills a new one with all that can be read; also when a job found damage before the
 * last end. `judge` may be NULL. */
MUST Status store_sqlite_open_salvaging(Loop *loop, const char *path, uint32_t page_bytes,
                                        StoreJudgeFn *judge, Store **ret_store, Diag *diag);
/* The same, blocking, before the loop runs, when a job says ST_CORRUPT; ST_CORRUPT if it was not
 * opened so. */
MUST Status store_salvage(Store *store, Diag *diag);
typedef struct StoreSalvaged {
    char aside[4200];    /* the file that was put aside */
    uint64_t rows, lost; /* lost: pages and rows that could not be read, or that fit nowhere */
} StoreSalvaged;
const StoreSalvaged *store_salvaged(const Store *store); /* NULL: nothing was damaged */
/* A job found damage: it is salvaged by the next start. */
bool store_is_damaged(const Store *store);

/* Queues a job. `done` may be NULL. ST_BUSY when STORE_JOBS_MAX wait, ST_CANCELLED without a store
 * (it was closed: nothing is called in either case).
 * May be called from any thread; `done` is always on the loop the store was opened with. */
MUST Status store_write(Store *store, StoreJobFn *job, StoreDoneFn *done, void *ctx);
/* As store_write, on a read-only connection of its own that sees the last commit. */
MUST Status store_read(Store *store, StoreJobFn *job, StoreDoneFn *done, void *ctx);
/* Runs a job now and waits; for start-up, tests and command-line tools only. */
MUST Status store_run_now(Store *store, StoreJobFn *job, void *ctx, Diag *diag);

/* A log ahead of the store, for who writes much and waits for each answer: a batch is one write and
 * one sync of a file that does not grow, a tenth of what a transaction costs. It goes into the
 * store a little later, many in one transaction, each once, in order, whatever happens between.
 * Jobs of store_read and store_run_now see all that was reported before they were asked for.
 *
 * `apply` runs on the store's thread with one or more batches side by side; it may change the bytes
 * in place, but will find them so when the transaction has to be tried again. Blocking, before the
 * loop runs, behind the migrations; takes in what a kill left. Again: the file was salvaged. */
typedef Status StoreApplyFn(StoreConn *conn, Buf *batches, Diag *diag);
MUST Status store_ahead_open(Store *store, StoreApplyFn *apply, Diag *diag);
/* One batch at a time (ST_BUSY), lent until `done` on the loop; then it survives kill -9 and a loss
 * of power. After a failure the same bytes come again. On the loop's thread. */
MUST Status store_ahead_write(Store *store, Str batch, StoreDoneFn *done, void *ctx);

/* A StoreConn over a connection that somebody else opened, for code that is written against jobs;
 * NULL: out of memory. Freed before the connection is closed. */
struct sqlite3;
StoreConn *store_conn_new(struct sqlite3 *db);
void store_conn_free(StoreConn *conn);

/* Inside a job. Parameters are numbered from 1; text and blobs are copied by the binding call. */
MUST Status store_prepare(StoreConn *conn, const char *sql, StoreStmt **ret_stmt, Diag *diag);
void store_bind_int(StoreStmt *stmt, int index, int64_t value);
void store_bind_number(StoreStmt *stmt, int index, double value);
void store_bind_str(StoreStmt *stmt, int index, Str text);
void store_bind_blob(StoreStmt *stmt, int index, Str bytes);
/* Not copied: `bytes` stay as they are until the statement's last step. */
void store_bind_lent(StoreStmt *stmt, int index, Str bytes);
void store_bind_null(StoreStmt *stmt, int index);
void store_bind_cell(StoreStmt *stmt, int index, const StoreCell *cell);
/* ST_OK with *ret_row true: a row can be read; false: done, the statement is reset. */
MUST Status store_step(StoreStmt *stmt, bool *ret_row, Diag *diag);
void store_reset(StoreStmt *stmt);              /* stop before the last row */
int64_t store_int(StoreStmt *stmt, int column); /* columns count from 0 */
double store_number(StoreStmt *stmt, int column);
Str store_str(StoreStmt *stmt, int column); /* valid until the next step or reset */
bool store_is_null(StoreStmt *stmt, int column);
/* Prepares, binds nothing, steps to the end: for fixed SQL. */
MUST Status store_exec(StoreConn *conn, const char *sql, Diag *diag);
/* Prepares, binds the cells as ?1, ?2 ..., takes one step: for SQL that answers no rows. */
MUST Status store_run(StoreConn *conn, const char *sql, const StoreCell *cells, size_t count,
                      Diag *diag);
int64_t store_last_id(StoreConn *conn);
int64_t store_changes(StoreConn *conn);
int64_t store_total_changes(StoreConn *conn);

#endif
