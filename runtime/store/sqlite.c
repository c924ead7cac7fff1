/* runtime/store/sqlite.c: SQLite behind a writer thread, with group commit.
 *
 * A Worker is a thread with a queue and a connection of its own. The writer takes up to BATCH_JOBS
 * jobs, runs them in one transaction, syncs once (WAL, synchronous=FULL), and reports them to the
 * loop in one post: a job that was reported is on disk. The log is taken into the file behind that
 * (wal.h). Each of several jobs has a savepoint, so a failing one undoes only itself. Should SQLite
 * itself roll the transaction back (disk full, I/O error), every job of it is reported as failed.
 * The reader starts with the first store_read. Only the worker's thread touches its connection:
 * SQLite is opened without its own mutexes. */
#include "store/sqlite_conn.h"

#include "store/ahead.h"
#include "store/salvage.h"
#include "store/wal.h"

#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { BATCH_JOBS = 2048, HASH_BYTES = 32, PATH_BYTES = 4096, OWNERS_MAX = 16, ASIDE_MAX = 100 };

typedef struct Job {
    struct Job *next;
    StoreJobFn *fn;
    StoreDoneFn *done;
    void *ctx;
    bool *ret_now; /* store_run_now waits for this to become true; it owns the Job then */
    Status status;
    Diag diag;
} Job;

typedef struct Worker {
    Store *store;
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t some, finished;
    Job *first, *last;
    size_t count;
    bool closing, started, is_writer;
    StoreConn conn; /* the thread's own */
    StoreWal wal;   /* the writer's */
} Worker;

typedef struct Migrate {
    const char *owner;
    const StoreMigration *list;
} Migrate;

struct Store {
    uint32_t page_bytes; /* of a new file; 0 = preset */
    Loop *loop;
    char path[PATH_BYTES];
    Worker writer, reader;
    pthread_mutex_t reader_start;
    StoreAhead *ahead; /* owned; NULL: there is no log ahead */
    /* damage (salvage.h) */
    StoreJudgeFn *judge;
    Migrate owners[OWNERS_MAX];
    uint32_t owner_count;
    StoreSalvaged salvaged;
    bool salvages, is_salvaged;
    atomic_bool damaged; /* a job found it; its mark is set */
};

/* ---- running jobs, on the worker's thread ---- */

/* One of the statements that every transaction has: prepared once. */
static Status run_sql(Worker *worker, const char *sql, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    Status st = store_prepare(&worker->conn, sql, &stmt, diag);
    return st ? st : store_step(stmt, &row, diag);
}

static void mark_path(const Store *store, char name[PATH_BYTES + 16])
{
    (void)snprintf(name, PATH_BYTES + 16, "%s.salvage", store->path);
}

/* For the next start, which has nobody to wait for. */
static void mark_damaged(Store *store)
{
    char name[PATH_BYTES + 16];
    if (!store->salvages || atomic_exchange(&store->damaged, true)) return;
    mark_path(store, name);
    int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0) close(fd);
}

bool store_is_damaged(const Store *store)
{
    return store && atomic_load(&store->damaged);
}

static void fail_all(Job *from, const Job *to, Status status, const Diag *diag)
{
    for (Job *job = from; job != to; job = job->next) {
        if (job->status) continue;
        job->status = status;
        job->diag = *diag;
    }
}

/* `alone`: nobody else's work is in the transaction, so it is its own savepoint. One costs a copy
 * of every page that the job touches. */
static void run_job(Worker *worker, Job *job, bool alone)
{
    Diag ignored;
    if (!alone) job->status = run_sql(worker, "SAVEPOINT job", &job->diag);
    if (job->status) return;
    job->status = job->fn(&worker->conn, job->ctx, &job->diag);
    store__conn_rest(&worker->conn);
    if (alone) {
        if (job->status && !sqlite3_get_autocommit(worker->conn.db))
            (void)!store_exec(&worker->conn, "ROLLBACK", &ignored);
        else if (!job->status && sqlite3_get_autocommit(worker->conn.db))
            job->status = diag_set(&job->diag, ST_IO, "the transaction was lost");
        return;
    }
    if (sqlite3_get_autocommit(worker->conn.db)) {
        /* SQLite gave the whole transaction up; the caller finds out by the same question. */
        if (!job->status) job->status = diag_set(&job->diag, ST_IO, "the transaction was lost");
        return;
    }
    if (job->status) (void)!store_exec(&worker->conn, "ROLLBACK TO job", &ignored);
    Status st = run_sql(worker, "RELEASE job", job->status ? &ignored : &job->diag);
    if (!job->status) job->status = st;
}

/* Runs a list in one transaction (or several, when SQLite gives one up in between). */
static void run_batch(Worker *worker, Job *list)
{
    Job *begun = list; /* first job of the open transaction */
    Diag diag = {0};
    const char *begin = worker->is_writer ? "BEGIN IMMEDIATE" : "BEGIN";
    Status st = run_sql(worker, begin, &diag);
    for (Job *job = list; job && !st; job = job->next) {
        run_job(worker, job, !list->next);
        if (!sqlite3_get_autocommit(worker->conn.db)) continue;
        fail_all(begun, job->next, ST_IO, &job->diag);
        begun = job->next;
        if (begun) st = run_sql(worker, begin, &diag);
    }
    if (!st && begun) st = run_sql(worker, "COMMIT", &diag);
    if (!st) return;
    Diag ignored;
    if (!sqlite3_get_autocommit(worker->conn.db))
        (void)!store_exec(&worker->conn, "ROLLBACK", &ignored);
    fail_all(begun, NULL, st, &diag);
}

static void report(void *ctx)
{
    for (Job *job = ctx, *next; job; job = next) {
        next = job->next;
        if (job->done) job->done(job->ctx, job->status, &job->diag);
        mem_free(job);
    }
}

/* Waiters of store_run_now are woken here; the others go to the loop together. */
static void hand_back(Worker *worker, Job *list)
{
    Job *first = NULL, **link = &first;
    for (const Job *job = list; job; job = job->next)
        if (job->status == ST_CORRUPT) mark_damaged(worker->store);
    pthread_mutex_lock(&worker->lock);
    for (Job *job = list, *next; job; job = next) {
        next = job->next;
        if (job->ret_now) {
            *job->ret_now = true;
            continue;
        }
        *link = job;
        link = &job->next;
    }
    *link = NULL;
    pthread_cond_broadcast(&worker->finished);
    pthread_mutex_unlock(&worker->lock);
    /* The work is committed: it must be reported, so a full loop is waited for. */
    while (first && loop_post(worker->store->loop, report, first))
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static Job *take_batch(Worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    while (!worker->first && !worker->closing) pthread_cond_wait(&worker->some, &worker->lock);
    Job *list = worker->first, *last = list;
    size_t count = list ? 1 : 0;
    while (last && last->next && count < BATCH_JOBS) {
        last = last->next;
        count++;
    }
    if (last) {
        worker->first = last->next;
        last->next = NULL;
    }
    if (!worker->first) worker->last = NULL;
    worker->count -= count;
    pthread_mutex_unlock(&worker->lock);
    return list;
}

static void *worker_main(void *ctx)
{
    Worker *worker = ctx;
    for (Job *list; (list = take_batch(worker));) {
        Diag diag = {0};
        StoreAhead *ahead = worker->is_writer ? NULL : worker->store->ahead;
        Status st = ahead ? store__ahead_settle(ahead, &diag) : ST_OK;
        if (st)
            fail_all(list, NULL, st, &diag);
        else
            run_batch(worker, list);
        hand_back(worker, list);
        if (worker->is_writer) store__wal_tidy(&worker->wal, &worker->conn);
    }
    if (worker->is_writer) store__wal_close(&worker->wal);
    return NULL;
}

/* ---- opening and closing ---- */

static Status worker_start(Store *store, Worker *worker, bool is_writer, Diag *diag)
{
    worker->store = store;
    worker->is_writer = is_writer;
    Status st = store__conn_open(&worker->conn, store->path, is_writer, store->page_bytes, diag);
    if (st) return st;
    if (is_writer) store__wal_open(&worker->wal, &worker->conn, store->path);
    pthread_mutex_init(&worker->lock, NULL);
    pthread_cond_init(&worker->some, NULL);
    pthread_cond_init(&worker->finished, NULL);
    int error = pthread_create(&worker->thread, NULL, worker_main, worker);
    if (error) {
        store__conn_close(&worker->conn);
        return diag_errno(diag, error, "store %s: no thread", store->path);
    }
    worker->started = true;
    return ST_OK;
}

static void worker_stop(Worker *worker)
{
    if (!worker->started) return;
    pthread_mutex_lock(&worker->lock);
    worker->closing = true;
    pthread_cond_signal(&worker->some);
    pthread_mutex_unlock(&worker->lock);
    pthread_join(worker->thread, NULL);
    store__conn_close(&worker->conn);
    pthread_cond_destroy(&worker->some);
    pthread_cond_destroy(&worker->finished);
    pthread_mutex_destroy(&worker->lock);
}

/* SQLite gives its side files the mode of the main one. */
static Status create_file(const char *path, Diag *diag)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return diag_errno(diag, errno, "store %s", path);
    close(fd);
    return ST_OK;
}

static bool is_marked(const Store *store)
{
    char name[PATH_BYTES + 16];
    mark_path(store, name);
    return !access(name, F_OK);
}

/* "mqtt.db" to "mqtt.db.damaged-20261127-231500", with its log; an empty file takes its place. */
static Status put_aside(Store *store, Diag *diag)
{
    StoreSalvaged *to = &store->salvaged;
    char from[PATH_BYTES + 16], log[sizeof to->aside + 8];
    time_t now = (time_t)(clock_wall_ns() / NS_PER_S);
    struct tm tm;
    (void)gmtime_r(&now, &tm);
    for (int n = 0; n < ASIDE_MAX; n++) {
        char tail[16] = "";
        if (n) (void)snprintf(tail, sizeof tail, "-%d", n + 1);
        (void)snprintf(to->aside, sizeof to->aside, "%s.damaged-%04d%02d%02d-%02d%02d%02d%s",
                       store->path, tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
                       tm.tm_min, tm.tm_sec, tail);
        if (access(to->aside, F_OK)) break;
    }
    if (rename(store->path, to->aside))
        return diag_errno(diag, errno, "store %s: damaged, and cannot be renamed", store->path);
    (void)snprintf(from, sizeof from, "%s-wal", store->path);
    (void)snprintf(log, sizeof log, "%s-wal", to->aside);
    (void)rename(from, log);
    (void)snprintf(from, sizeof from, "%s-shm", store->path);
    (void)unlink(from);
    mark_path(store, from);
    (void)unlink(from);
    store->is_salvaged = true;
    atomic_store(&store->damaged, false);
    return create_file(store->path, diag);
}

const StoreSalvaged *store_salvaged(const Store *store)
{
    return store && store->is_salvaged ? &store->salvaged : NULL;
}

static Status store_open(Loop *loop, const Store *how, const char *path, Store **ret_store,
                         Diag *diag)
{
    if (strlen(path) >= PATH_BYTES) return diag_set(diag, ST_LIMIT, "the store's path is too long");
    Status st = create_file(path, diag);
    if (st) return st;
    Store *store = mem_zalloc(1, sizeof *store);
    if (!store) return ST_NO_MEMORY;
    store->loop = loop;
    store->page_bytes = how->page_bytes;
    store->judge = how->judge;
    store->salvages = how->salvages;
    (void)snprintf(store->path, sizeof store->path, "%s", path);
    if (store->salvages && is_marked(store)) st = put_aside(store, diag);
    if (!st) st = worker_start(store, &store->writer, true, diag);
    if (st == ST_CORRUPT && store->salvages) {
        st = put_aside(store, diag);
        if (!st) st = worker_start(store, &store->writer, true, diag);
    }
    if (st) {
        mem_free(store);
        return st;
    }
    pthread_mutex_init(&store->reader_start, NULL);
    *ret_store = store;
    return ST_OK;
}

Status store_sqlite_open(Loop *loop, const char *path, Store **ret_store, Diag *diag)
{
    return store_sqlite_open_paged(loop, path, 0, ret_store, diag);
}

Status store_sqlite_open_paged(Loop *loop, const char *path, uint32_t page_bytes, Store **ret_store,
                               Diag *diag)
{
    return store_open(loop, &(Store){.page_bytes = page_bytes}, path, ret_store, diag);
}

Status store_sqlite_open_salvaging(Loop *loop, const char *path, uint32_t page_bytes,
                                   StoreJudgeFn *judge, Store **ret_store, Diag *diag)
{
    Store how = {.page_bytes = page_bytes, .judge = judge, .salvages = true};
    return store_open(loop, &how, path, ret_store, diag);
}

void store_close(Store *store)
{
    if (!store) return;
    worker_stop(&store->reader);
    store__ahead_close(store->ahead);
    worker_stop(&store->writer);
    pthread_mutex_destroy(&store->reader_start);
    mem_free(store);
}

/* ---- handing jobs over ---- */

static Status enqueue(Worker *worker, Job job)
{
    Job *copy = mem_alloc(sizeof *copy);
    if (!copy) return ST_NO_MEMORY;
    *copy = job;
    copy->diag.text[0] = '\0';
    pthread_mutex_lock(&worker->lock);
    bool full = worker->count >= STORE_JOBS_MAX;
    if (!full) {
        *(worker->last ? &worker->last->next : &worker->first) = copy;
        worker->last = copy;
        worker->count++;
        pthread_cond_signal(&worker->some);
    }
    pthread_mutex_unlock(&worker->lock);
    if (!full) return ST_OK;
    mem_free(copy);
    return ST_BUSY;
}

Status store_write(Store *store, StoreJobFn *fn, StoreDoneFn *done, void *ctx)
{
    if (!store) return ST_CANCELLED;
    return enqueue(&store->writer, (Job){.fn = fn, .done = done, .ctx = ctx});
}

Status store_read(Store *store, StoreJobFn *fn, StoreDoneFn *done, void *ctx)
{
    if (!store) return ST_CANCELLED;
    pthread_mutex_lock(&store->reader_start);
    Status st = ST_OK;
    if (!store->reader.started) st = worker_start(store, &store->reader, false, NULL);
    pthread_mutex_unlock(&store->reader_start);
    if (st) return st;
    return enqueue(&store->reader, (Job){.fn = fn, .done = done, .ctx = ctx});
}

Status store__run_now(Store *store, StoreJobFn *fn, void *ctx, Diag *diag)
{
    Worker *worker = &store->writer;
    bool finished = false;
    Job *job = mem_zalloc(1, sizeof *job);
    if (!job) return diag_set(diag, ST_NO_MEMORY, "no memory for a store job");
    *job = (Job){.fn = fn, .ctx = ctx, .ret_now = &finished};
    pthread_mutex_lock(&worker->lock);
    *(worker->last ? &worker->last->next : &worker->first) = job;
    worker->last = job;
    worker->count++;
    pthread_cond_signal(&worker->some);
    while (!finished) pthread_cond_wait(&worker->finished, &worker->lock);
    pthread_mutex_unlock(&worker->lock);
    Status st = job->status;
    if (st && diag) *diag = job->diag;
    mem_free(job);
    return st;
}

Status store_run_now(Store *store, StoreJobFn *fn, void *ctx, Diag *diag)
{
    Status st = store->ahead ? store__ahead_settle(store->ahead, diag) : ST_OK;
    return st ? st : store__run_now(store, fn, ctx, diag);
}

Status store_ahead_open(Store *store, StoreApplyFn *apply, Diag *diag)
{
    store__ahead_close(store->ahead);
    store->ahead = NULL;
    return store__ahead_open(store, store->loop, store->path, apply, &store->ahead, diag);
}

Status store_ahead_write(Store *store, Str batch, StoreDoneFn *done, void *ctx)
{
    if (!store || !store->ahead) return ST_CANCELLED;
    return store__ahead_write(store->ahead, batch, done, ctx);
}

/* ---- migrations ---- */

static void hash_text(const char *sql, char *hex, size_t room)
{
    unsigned char hash[HASH_BYTES];
    (void)crypto_generichash(hash, sizeof hash, (const unsigned char *)sql, strlen(sql), NULL, 0);
    (void)sodium_bin2hex(hex, room, hash, sizeof hash);
}

/* The recorded hash of one version; empty when it was never applied. */
static Status recorded(StoreConn *conn, const char *owner, uint32_t version, char *hex, Diag *diag)
{
    StoreStmt *stmt = NULL;
    bool row = false;
    Status st = store_prepare(
        conn, "SELECT hash FROM tutti_migrations WHERE owner=?1 AND version=?2", &stmt, diag);
    if (st) return st;
    store_bind_str(stmt, 1, str_from(owner));
    store_bind_int(stmt, 2, version);
    st = store_step(stmt, &row, diag);
    if (!st)
        (void)snprintf(hex, HASH_BYTES * 2 + 1, "%.*s",
                       STR_ARG(row ? store_str(stmt, 0) : STR("")));
    store_reset(stmt);
    return st;
}

static Status record(StoreConn *conn, const char *owner, const StoreMigration *m, const char *hex,
                     Diag *diag)
{
    StoreStmt *stmt = NULL;
    bool row = false;
    Status st = store_prepare(conn,
                              "INSERT INTO tutti_migrations(owner,version,name,hash,applied_s)"
                              " VALUES(?1,?2,?3,?4,unixepoch())",
                              &stmt, diag);
    if (st) return st;
    store_bind_str(stmt, 1, str_from(owner));
    store_bind_int(stmt, 2, m->version);
    store_bind_str(stmt, 3, str_from(m->name));
    store_bind_str(stmt, 4, str_from(hex));
    return store_step(stmt, &row, diag);
}

static Status refuse_newer(StoreConn *conn, const char *owner, uint32_t newest, Diag *diag)
{
    StoreStmt *stmt = NULL;
    bool row = false;
    Status st = store_prepare(conn, "SELECT max(version) FROM tutti_migrations WHERE owner=?1",
                              &stmt, diag);
    if (st) return st;
    store_bind_str(stmt, 1, str_from(owner));
    st = store_step(stmt, &row, diag);
    int64_t have = !st && row ? store_int(stmt, 0) : 0;
    store_reset(stmt);
    if (!st && have > newest)
        st = diag_set(diag, ST_CONFLICT,
                      "%s: the data is of a newer program (version %lld, here %u)", owner,
                      (long long)have, newest);
    return st;
}

static Status migrate_job(StoreConn *conn, void *ctx, Diag *diag)
{
    const Migrate *run = ctx;
    uint32_t newest = 0;
    Status st = store_exec(conn,
                           "CREATE TABLE IF NOT EXISTS tutti_migrations(owner TEXT NOT NULL,"
                           "version INTEGER NOT NULL,name TEXT NOT NULL,hash TEXT NOT NULL,"
                           "applied_s INTEGER NOT NULL,PRIMARY KEY(owner,version)) WITHOUT ROWID",
                           diag);
    for (const StoreMigration *m = run->list; m->version && !st; m++) {
        char hex[HASH_BYTES * 2 + 1], old[HASH_BYTES * 2 + 1] = "";
        if (m->version != ++newest)
            return diag_set(diag, ST_INVALID, "%s: migration %u has a gap before it", run->owner,
                            m->version);
        hash_text(m->sql, hex, sizeof hex);
        st = recorded(conn, run->owner, m->version, old, diag);
        if (st || strcmp(old, hex) == 0) continue;
        if (old[0])
            return diag_set(diag, ST_CONFLICT,
                            "%s: migration %u (%s) was edited after it was applied", run->owner,
                            m->version, m->name);
        st = store_exec(conn, m->sql, diag);
        if (st)
            return diag_wrap(diag, st, "%s: migration %u (%s)", run->owner, m->version, m->name);
        st = record(conn, run->owner, m, hex, diag);
    }
    return st ? st : refuse_newer(conn, run->owner, newest, diag);
}

typedef struct Refill {
    StoreSalvageAsk ask;
    StoreSalvaged *salvaged;
} Refill;

static Status refill_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Refill *refill = ctx;
    return store__salvage(conn, &refill->ask, &refill->salvaged->rows, &refill->salvaged->lost,
                          diag);
}

/* Migrations of one owner, and into its tables what a damaged file has of them. */
static Status migrate_one(Store *store, Migrate run, Diag *diag)
{
    Status st = store_run_now(store, migrate_job, &run, diag);
    if (st || !store->is_salvaged) return st;
    Refill refill = {.ask = {.path = store->salvaged.aside,
                             .page_bytes = store->page_bytes,
                             .judge = store->judge,
                             .whole = store->owner_count == 1},
                     .salvaged = &store->salvaged};
    return store_run_now(store, refill_job, &refill, diag);
}

Status store_salvage(Store *store, Diag *diag)
{
    if (!store->salvages) return diag_set(diag, ST_CORRUPT, "store %s is damaged", store->path);
    worker_stop(&store->reader);
    worker_stop(&store->writer);
    store->reader = store->writer = (Worker){0};
    Status st = put_aside(store, diag);
    if (!st) st = worker_start(store, &store->writer, true, diag);
    for (uint32_t i = 0; i < store->owner_count && !st; i++)
        st = migrate_one(store, store->owners[i], diag);
    return st;
}

Status store_migrate(Store *store, const char *owner, const StoreMigration *list, Diag *diag)
{
    Migrate run = {owner, list};
    uint32_t i = 0;
    if (sodium_init() < 0) return diag_set(diag, ST_INTERNAL, "libsodium does not start");
    while (i < store->owner_count && strcmp(store->owners[i].owner, owner)) i++;
    if (i == OWNERS_MAX) return diag_set(diag, ST_LIMIT, "too many owners of one file");
    bool again = i < store->owner_count;
    store->owners[i] = run;
    if (!again) store->owner_count++;
    if (again) return store_run_now(store, migrate_job, &run, diag);
    Status st = migrate_one(store, run, diag);
    return st == ST_CORRUPT && store->salvages && !store->is_salvaged ? store_salvage(store, diag)
                                                                      : st;
}
