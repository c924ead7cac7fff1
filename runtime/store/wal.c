/* runtime/store/wal.c: when and by whom the write-ahead log is taken into the file.
 *
 * SQLite does it inside of COMMIT, so whoever waits for the commit waits for that as well: after a
 * kill that left a long log the first one took seconds. Here the writer does it behind the report.
 * A long log is left to a thread while commits go on; it can never catch up with a busy writer, so
 * the writer takes what is left of it: only then SQLite begins the log anew. */
#include "store/wal.h"

#include "base/clock.h"

enum {
    TIDY_PAGES = 1000,     /* from here on; SQLite's own preset */
    BEHIND_PAGES = 4096,   /* more to do than this is the thread's */
    AGAIN_NS = 1000000000, /* a reader may hold it back: not with every commit */
};

static int on_commit(void *ctx, sqlite3 *db, const char *name, int pages)
{
    StoreWal *wal = ctx;
    (void)db;
    (void)name;
    wal->pages = pages;
    return SQLITE_OK;
}

void store__wal_open(StoreWal *wal, StoreConn *conn, const char *path)
{
    *wal = (StoreWal){.path = path};
    (void)sqlite3_wal_hook(conn->db, on_commit, wal); /* takes the place of SQLite's own */
}

static void *behind(void *ctx)
{
    StoreWal *wal = ctx;
    StoreConn conn = {0};
    Diag ignored;
    int pages, done;
    if (!store__conn_open(&conn, wal->path, true, 0, &ignored)) {
        if (!sqlite3_wal_checkpoint_v2(conn.db, NULL, SQLITE_CHECKPOINT_PASSIVE, &pages, &done))
            wal->done = done;
        store__conn_close(&conn);
    }
    atomic_store(&wal->busy, false);
    return NULL;
}

static void join(StoreWal *wal)
{
    if (wal->started) (void)pthread_join(wal->thread, NULL);
    wal->started = false;
}

/* True: it is the thread's, now or in a while. */
static bool leave(StoreWal *wal)
{
    int64_t now = clock_monotonic_ns();
    bool held = wal->tried_ns && wal->done == wal->tried_done;
    if (held && now - wal->tried_ns < AGAIN_NS) return true;
    wal->tried_ns = now;
    wal->tried_done = wal->done;
    atomic_store(&wal->busy, true);
    wal->started = !pthread_create(&wal->thread, NULL, behind, wal);
    if (!wal->started) atomic_store(&wal->busy, false);
    return wal->started;
}

/* What fails here is tried again behind a later commit; the log has it until then. */
void store__wal_tidy(StoreWal *wal, StoreConn *conn)
{
    int pages, done;
    if (wal->pages < TIDY_PAGES || atomic_load(&wal->busy)) return;
    join(wal);
    if (wal->done > wal->pages) wal->done = 0; /* the log began anew */
    if (wal->pages - wal->done > BEHIND_PAGES && leave(wal)) return;
    if (!sqlite3_wal_checkpoint_v2(conn->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &pages, &done))
        wal->done = done;
}

void store__wal_close(StoreWal *wal)
{
    join(wal);
}
