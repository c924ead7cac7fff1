/* runtime/store/ahead.c: what was written ahead of a store, and how it comes into it.
 *
 * A batch is a record of the ring (ahead_file.c), synced, then reported; its bytes stay in memory
 * until the store has them: they gather, are taken as a whole, and go into the store in one
 * transaction together with the mark of the last of them (table `ahead`). So a record is in the
 * store or behind the mark, never both. What gathers has a maximum: then a batch waits until the
 * store has taken some. While the store refuses, it waits as well and is told why. */
#include "store/ahead.h"

#include "store/ahead_file.h"

#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum {
    APPLY_BYTES = 1 << 20,   /* so much does not wait */
    PENDING_BYTES = 4 << 20, /* that is not in the store */
    ROOM_BYTES = PENDING_BYTES + AHEAD_PAGE_BYTES,
    KEPT_BYTES = 128 << 10, /* of it, while nothing gathers */
    PATH_ROOM = 4200,
};
static const int64_t APPLY_NS = 500 * NS_PER_MS, AGAIN_NS = 500 * NS_PER_MS;

_Static_assert((int)AHEAD_RECORD_BYTES <= (int)PENDING_BYTES, "a record fits where batches gather");

typedef struct Pending {
    Buf bytes;
    uint32_t records;
    uint64_t at; /* of the first one */
    AheadMark last;
} Pending;

typedef struct Batch {
    Str bytes; /* lent */
    StoreDoneFn *done;
    void *ctx;
    Status status;
    Diag diag;
    StoreApplyFn *apply;
} Batch;

struct StoreAhead {
    Store *store;
    Loop *loop;
    StoreApplyFn *apply;
    pthread_t writer, applier;
    bool started;
    pthread_mutex_t lock; /* guards what follows; of `file` see there */
    pthread_cond_t to_write, to_apply, round_over;
    Batch *batch;   /* under way; owned */
    AheadFile file; /* the writer's while it writes, but for `needed` and `oldest` */
    bool writing;
    Pending gathers, taken;
    char *rooms;    /* owned: the bytes of both */
    int64_t due_ns; /* when what gathers is taken */
    bool wanted, closing;
    uint64_t in_store; /* the last record there */
    uint64_t rounds;   /* tries to get there */
    Status refused;    /* the last of them */
    Diag why;
};

/* ---- into the store, on its writer's thread ---- */

static Status mark_write(StoreConn *conn, const AheadMark *mark, Diag *diag)
{
    StoreCell cells[] = {store_of_int((int64_t)mark->seq), store_of_int(mark->crc),
                         store_of_int((int64_t)mark->next)};
    return store_run(conn,
                     "INSERT OR REPLACE INTO ahead(one, seq, crc, next) VALUES(1, ?1, ?2, ?3)",
                     cells, COUNT_OF(cells), diag);
}

/* A store without one begins at a number that no other log's record names. No migration: what is
 * salvaged of a damaged file may bring the table along. */
static Status mark_job(StoreConn *conn, void *ctx, Diag *diag)
{
    static const char table[] =
        "CREATE TABLE IF NOT EXISTS ahead(one INTEGER PRIMARY KEY CHECK(one = 1),"
        " seq INTEGER NOT NULL, crc INTEGER NOT NULL, next INTEGER NOT NULL)";
    AheadMark *mark = ctx;
    StoreStmt *stmt;
    bool row = false;
    Status st = store_exec(conn, table, diag);
    if (!st) st = store_prepare(conn, "SELECT seq, crc, next FROM ahead", &stmt, diag);
    if (!st) st = store_step(stmt, &row, diag);
    if (st) return st;
    *mark = (AheadMark){.crc = randombytes_random()};
    if (!row) return mark_write(conn, mark, diag);
    *mark = (AheadMark){.seq = (uint64_t)store_int(stmt, 0),
                        .crc = (uint32_t)store_int(stmt, 1),
                        .next = (uint64_t)store_int(stmt, 2)};
    store_reset(stmt);
    return ST_OK;
}

static Status taken_job(StoreConn *conn, void *ctx, Diag *diag)
{
    StoreAhead *a = ctx; /* what was taken is this job's until it is over */
    Status st = a->apply(conn, &a->taken.bytes, diag);
    return st ? st : mark_write(conn, &a->taken.last, diag);
}

static Status batch_job(StoreConn *conn, void *ctx, Diag *diag)
{
    const Batch *batch = ctx;
    Str bytes = batch->bytes;
    Buf lent = {.ptr = (char *)(uintptr_t)bytes.ptr, .len = bytes.len, .cap = bytes.len};
    return batch->apply(conn, &lent, diag);
}

static void oldest_set(StoreAhead *a)
{
    const Pending *first = a->taken.records ? &a->taken : &a->gathers;
    a->file.needed = first->records > 0;
    a->file.oldest = first->at;
}

/* Two pieces of address space, outside of the heap: what a burst filled can be given back. */
static Status rooms_map(StoreAhead *a, Diag *diag)
{
    char *rooms = mmap(NULL, (size_t)2 * ROOM_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (rooms == MAP_FAILED) return diag_errno(diag, errno, "memory for the log of a store");
    a->rooms = rooms;
    a->gathers.bytes = (Buf){.ptr = rooms, .cap = ROOM_BYTES, .max_bytes = ROOM_BYTES - 1};
    a->taken.bytes = a->gathers.bytes;
    a->taken.bytes.ptr += ROOM_BYTES;
    return ST_OK;
}

static void rooms_give_back(StoreAhead *a)
{
    for (char *room = a->rooms; room < a->rooms + 2 * ROOM_BYTES; room += ROOM_BYTES)
        (void)madvise(room + KEPT_BYTES, ROOM_BYTES - KEPT_BYTES, MADV_DONTNEED);
}

/* Once, by whoever takes: the thread, or a start and an end, which have none. */
static Status take_in(StoreAhead *a, Diag *diag)
{
    pthread_mutex_lock(&a->lock);
    if (!a->taken.records) {
        Pending swap = a->taken;
        a->taken = a->gathers;
        a->gathers = swap;
        a->due_ns = 0;
    }
    bool any = a->taken.records;
    pthread_mutex_unlock(&a->lock);
    if (!any) return ST_OK;
    Status st = store__run_now(a->store, taken_job, a, diag);
    pthread_mutex_lock(&a->lock);
    if (!st) {
        a->in_store = a->taken.last.seq;
        a->taken.records = 0;
        buf_clear(&a->taken.bytes);
        if (!a->gathers.records) rooms_give_back(a);
        oldest_set(a);
    } else if (!a->writing) {
        store__ahead_shrink(&a->file); /* it may be room that is missing */
    }
    pthread_mutex_unlock(&a->lock);
    return st;
}

/* ---- the thread that takes in ---- */

static void wait_until(StoreAhead *a, int64_t at_ns)
{
    struct timespec until = {.tv_sec = at_ns / NS_PER_S, .tv_nsec = at_ns % NS_PER_S};
    (void)pthread_cond_timedwait(&a->to_apply, &a->lock, &until);
}

/* With the lock. */
static bool is_due(const StoreAhead *a)
{
    return a->wanted || a->gathers.bytes.len >= APPLY_BYTES || clock_monotonic_ns() >= a->due_ns;
}

static void *applier_main(void *ctx)
{
    StoreAhead *a = ctx;
    pthread_mutex_lock(&a->lock);
    while (!a->closing) {
        bool any = a->taken.records || a->gathers.records;
        if (!any && !a->wanted) {
            pthread_cond_wait(&a->to_apply, &a->lock);
            continue;
        }
        if (!is_due(a)) {
            wait_until(a, a->due_ns);
            continue;
        }
        a->wanted = false;
        pthread_mutex_unlock(&a->lock);
        Diag diag = {0};
        Status st = take_in(a, &diag);
        pthread_mutex_lock(&a->lock);
        a->refused = st;
        a->why = diag;
        a->rounds++;
        if (st) a->due_ns = clock_monotonic_ns() + AGAIN_NS;
        pthread_cond_broadcast(&a->round_over);
    }
    pthread_cond_broadcast(&a->round_over);
    pthread_mutex_unlock(&a->lock);
    return NULL;
}

/* With the lock: asks for a round and waits for its end. */
static Status round_wait(StoreAhead *a, Diag *diag)
{
    uint64_t round = a->rounds;
    a->wanted = true;
    pthread_cond_signal(&a->to_apply);
    while (a->rounds == round && !a->closing) pthread_cond_wait(&a->round_over, &a->lock);
    if (a->closing) return diag_set(diag, ST_CANCELLED, "the store is closed");
    if (a->refused && diag) *diag = a->why;
    return a->refused;
}

Status store__ahead_settle(StoreAhead *a, Diag *diag)
{
    Status st = ST_OK;
    pthread_mutex_lock(&a->lock);
    uint64_t goal = a->gathers.records ? a->gathers.last.seq
                    : a->taken.records ? a->taken.last.seq
                                       : a->in_store;
    while (a->in_store < goal && !st) st = round_wait(a, diag);
    pthread_mutex_unlock(&a->lock);
    return st;
}

/* ---- the thread that writes ---- */

/* With the lock. */
static bool has_room(const StoreAhead *a, size_t bytes, uint64_t *ret_at)
{
    size_t pending = a->gathers.bytes.len + a->taken.bytes.len;
    return (!pending || pending + bytes <= PENDING_BYTES) &&
           store__ahead_place(&a->file, bytes, ret_at);
}

/* With the lock: waits for room. A store that refused is asked first: else what is acknowledged
 * would pile up before a disk that takes nothing. */
static Status room_take(StoreAhead *a, size_t bytes, uint64_t *ret_at, Diag *diag)
{
    Status st = ST_OK;
    while (!st && (a->refused || !has_room(a, bytes, ret_at))) st = round_wait(a, diag);
    return st;
}

/* With the lock: the record that was just written. It fits: has_room looked. */
static void gather(StoreAhead *a, uint64_t at, Str bytes)
{
    Pending *p = &a->gathers;
    buf_str(&p->bytes, bytes);
    if (!p->records++) {
        p->at = at;
        a->due_ns = clock_monotonic_ns() + APPLY_NS;
        pthread_cond_signal(&a->to_apply);
    }
    p->last = a->file.last;
    if (p->bytes.len >= APPLY_BYTES) pthread_cond_signal(&a->to_apply);
    oldest_set(a);
}

/* With the lock, which is let go meanwhile. */
static Status record_write(StoreAhead *a, Str bytes, Diag *diag)
{
    uint64_t at;
    Status st = room_take(a, bytes.len, &at, diag);
    if (st) return st;
    a->writing = true;
    pthread_mutex_unlock(&a->lock);
    st = store__ahead_append(&a->file, at, bytes, diag);
    pthread_mutex_lock(&a->lock);
    a->writing = false;
    if (!st) gather(a, at, bytes);
    return st;
}

/* One that no record holds goes into the store behind all others, and its writer waits for that. */
static Status whole_write(StoreAhead *a, Batch *batch)
{
    pthread_mutex_unlock(&a->lock);
    Status st = store__ahead_settle(a, &batch->diag);
    if (!st) st = store__run_now(a->store, batch_job, batch, &batch->diag);
    pthread_mutex_lock(&a->lock);
    return st;
}

static void report(void *ctx)
{
    Batch *batch = ctx;
    if (batch->done) batch->done(batch->ctx, batch->status, &batch->diag);
    mem_free(batch);
}

static void *writer_main(void *ctx)
{
    StoreAhead *a = ctx;
    pthread_mutex_lock(&a->lock);
    while (!a->closing || a->batch) {
        Batch *batch = a->batch;
        if (!batch) {
            pthread_cond_wait(&a->to_write, &a->lock);
            continue;
        }
        batch->status = batch->bytes.len > AHEAD_RECORD_BYTES
                            ? whole_write(a, batch)
                            : record_write(a, batch->bytes, &batch->diag);
        a->batch = NULL;
        pthread_mutex_unlock(&a->lock);
        while (loop_post(a->loop, report, batch)) /* it must be told: a full loop is waited for */
            (void)nanosleep(&(struct timespec){.tv_nsec = NS_PER_MS}, NULL);
        pthread_mutex_lock(&a->lock);
    }
    pthread_mutex_unlock(&a->lock);
    return NULL;
}

/* ---- opening, handing over, closing ---- */

static void threads_stop(StoreAhead *a)
{
    pthread_mutex_lock(&a->lock);
    a->closing = true;
    pthread_cond_signal(&a->to_write);
    pthread_cond_signal(&a->to_apply);
    pthread_cond_broadcast(&a->round_over);
    pthread_mutex_unlock(&a->lock);
    (void)pthread_join(a->writer, NULL);
}

static Status threads_start(StoreAhead *a)
{
    if (a->started) return ST_OK;
    if (pthread_create(&a->writer, NULL, writer_main, a)) return ST_NO_MEMORY;
    a->started = !pthread_create(&a->applier, NULL, applier_main, a);
    if (a->started) return ST_OK;
    threads_stop(a);
    a->closing = false;
    return ST_NO_MEMORY;
}

Status store__ahead_write(StoreAhead *a, Str bytes, StoreDoneFn *done, void *ctx)
{
    Status st = threads_start(a);
    Batch *batch = st ? NULL : mem_zalloc(1, sizeof *batch);
    if (!batch) return ST_NO_MEMORY;
    *batch = (Batch){.bytes = bytes, .done = done, .ctx = ctx, .apply = a->apply};
    pthread_mutex_lock(&a->lock);
    bool busy = a->batch;
    if (!busy) a->batch = batch;
    pthread_cond_signal(&a->to_write);
    pthread_mutex_unlock(&a->lock);
    if (!busy) return ST_OK;
    mem_free(batch);
    return ST_BUSY;
}

/* What a kill left between the store and the end of the log. */
static Status recover(StoreAhead *a, Diag *diag)
{
    bool there = true;
    Status st = ST_OK;
    while (!st && there) {
        uint64_t at;
        st = store__ahead_read(&a->file, &a->gathers.bytes, &at, &there, diag);
        if (st || !there) break;
        if (!a->gathers.records++) a->gathers.at = at;
        a->gathers.last = a->file.last;
    }
    oldest_set(a);
    if (!st) st = take_in(a, diag);
    return st && a->file.needed ? take_in(a, diag) : st; /* it may have got the room now */
}

Status store__ahead_open(Store *store, Loop *loop, const char *path, StoreApplyFn *apply,
                         StoreAhead **ret_ahead, Diag *diag)
{
    char name[PATH_ROOM];
    StoreAhead *a = mem_zalloc(1, sizeof *a);
    if (!a) return diag_set(diag, ST_NO_MEMORY, "no memory for the log of a store");
    a->store = store;
    a->loop = loop;
    a->apply = apply;
    a->file.fd = -1;
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->to_write, NULL);
    pthread_cond_init(&a->round_over, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&a->to_apply, &monotonic);
    pthread_condattr_destroy(&monotonic);
    (void)snprintf(name, sizeof name, "%s-ahead", path);
    Status st = rooms_map(a, diag);
    if (!st) st = store__ahead_file_open(&a->file, name, diag);
    if (!st) st = store__run_now(store, mark_job, &a->file.last, diag);
    a->in_store = a->file.last.seq;
    if (!st) st = recover(a, diag);
    if (st)
        store__ahead_close(a);
    else
        *ret_ahead = a;
    return st;
}

void store__ahead_close(StoreAhead *a)
{
    Diag ignored;
    if (!a) return;
    if (a->started) {
        threads_stop(a);
        (void)pthread_join(a->applier, NULL);
        while ((a->taken.records || a->gathers.records) && !take_in(a, &ignored)) {
        }
    }
    store__ahead_file_close(&a->file);
    if (a->rooms) (void)munmap(a->rooms, (size_t)2 * ROOM_BYTES);
    pthread_mutex_destroy(&a->lock);
    pthread_cond_destroy(&a->to_write);
    pthread_cond_destroy(&a->to_apply);
    pthread_cond_destroy(&a->round_over);
    mem_free(a);
}
