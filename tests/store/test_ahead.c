/* tests/store/test_ahead.c: the log ahead of a store.
 *
 * A batch is a list of numbers, each with some bytes; one that is taken in twice, or before
 * another, is refused, so every test holds that each comes once and in order. What a kill leaves is
 * a copy of the files as they are at that moment; damage is put into the copy. */
#include "test.h"

#include "base/mem.h"
#include "store/ahead_file.h"
#include "store/store.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DEADLINE_MS = 60000, PARTS = 3 };

static const char *const parts[PARTS] = {"", "-wal", "-ahead"};

typedef struct Bed {
    Loop *loop;
    Store *store;
    char dir[64], path[80];
    LoopTimer *deadline;
    Status last;
    char why[200];
    int copies;
} Bed;

static const StoreMigration table[] = {{1, "numbers", "CREATE TABLE t(n INTEGER PRIMARY KEY)"},
                                       {0, NULL, NULL}};

typedef struct Item {
    uint32_t n, bytes; /* that follow */
} Item;

static bool refuses;    /* the store takes nothing */
static bool sync_fails; /* of the log; the store has nothing to do then */

/* In place of the library's, for SQLite as well. */
int fdatasync(int fd)
{
    if (!sync_fails) return (int)syscall(SYS_fdatasync, fd);
    errno = EIO;
    return -1;
}

static Status apply(StoreConn *conn, Buf *batches, Diag *diag)
{
    Status st = refuses ? diag_set(diag, ST_IO, "the disk is full") : ST_OK;
    for (size_t at = 0; at < batches->len && !st;) {
        Item item;
        memcpy(&item, batches->ptr + at, sizeof item);
        at += sizeof item + item.bytes;
        StoreCell cell = store_of_int(item.n);
        st = store_run(
            conn, "INSERT INTO t(n) SELECT ?1 WHERE ?1 = 1 + (SELECT coalesce(max(n), 0) FROM t)",
            &cell, 1, diag);
        if (!st && store_changes(conn) != 1) st = diag_set(diag, ST_CONFLICT, "out of order");
    }
    return st;
}

static void on_deadline(void *ctx)
{
    (void)ctx;
    print_error("nothing more happens\n");
    abort();
}

static Status try_open(Bed *bed, Diag *diag)
{
    CHECK_OK(loop_new(&bed->loop));
    CHECK_OK(loop_timer_start(bed->loop, DEADLINE_MS, 0, on_deadline, bed, &bed->deadline));
    CHECK_OK(store_sqlite_open(bed->loop, bed->path, &bed->store, diag));
    CHECK_OK(store_migrate(bed->store, "test", table, diag));
    return store_ahead_open(bed->store, apply, diag);
}

static void bed_open(Bed *bed)
{
    Diag diag = {0};
    Status st = try_open(bed, &diag);
    if (st) print_error("%s\n", diag.text);
    CHECK_OK(st);
}

static void bed_begin(Bed *bed)
{
    *bed = (Bed){0};
    refuses = false;
    (void)snprintf(bed->dir, sizeof bed->dir, "/tmp/tutti-ahead-XXXXXX");
    CHECK(mkdtemp(bed->dir));
    (void)snprintf(bed->path, sizeof bed->path, "%s/0.db", bed->dir);
    bed_open(bed);
}

static void bed_close(Bed *bed)
{
    store_close(bed->store);
    loop_run_posts(bed->loop);
    loop_timer_stop(bed->deadline);
    loop_free(bed->loop);
}

static void bed_end(Bed *bed)
{
    bed_close(bed);
    DIR *dir = opendir(bed->dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        char path[400];
        (void)snprintf(path, sizeof path, "%s/%s", bed->dir, entry->d_name);
        (void)unlink(path);
    }
    (void)closedir(dir);
    CHECK(!rmdir(bed->dir));
}

static void part_name(const char *path, int part, char name[100])
{
    (void)snprintf(name, 100, "%s%s", path, parts[part]);
}

static void copy_part(const char *from, const char *to, int part)
{
    static char bytes[1 << 16];
    char name[100];
    part_name(from, part, name);
    FILE *in = fopen(name, "rb");
    part_name(to, part, name);
    FILE *out = in ? fopen(name, "wb") : NULL;
    if (!in) return;
    for (size_t len; (len = fread(bytes, 1, sizeof bytes, in)) > 0;)
        CHECK_INT(fwrite(bytes, 1, len, out), len);
    (void)fclose(in);
    CHECK(!fclose(out));
}

/* What the files are now; the path of the copy. */
static void bed_copy(Bed *bed, char to[80])
{
    (void)snprintf(to, 80, "%s/%d.db", bed->dir, ++bed->copies);
    for (int i = 0; i < PARTS; i++) copy_part(bed->path, to, i);
}

/* Goes on with a copy that was made. */
static void bed_crash(Bed *bed, const char *copy)
{
    bed_close(bed);
    memcpy(bed->path, copy, sizeof bed->path);
    bed_open(bed);
}

static void put(Buf *out, uint32_t n, uint32_t bytes)
{
    Item item = {n, bytes};
    buf_add(out, &item, sizeof item);
    char *room = buf_reserve(out, bytes);
    CHECK(room);
    memset(room, (int)(n % 251), bytes);
    out->len += bytes;
}

static void on_done(void *ctx, Status status, const Diag *diag)
{
    Bed *bed = ctx;
    bed->last = status;
    (void)snprintf(bed->why, sizeof bed->why, "%s", diag->text);
    loop_stop(bed->loop);
}

static Status write_buf(Bed *bed, const Buf *batch)
{
    CHECK_OK(store_ahead_write(bed->store, buf_view(batch), on_done, bed));
    loop_run(bed->loop);
    return bed->last;
}

/* A batch of `count` numbers, and waits for it. */
static Status write_batch(Bed *bed, uint32_t from, uint32_t count, uint32_t bytes)
{
    AUTO_BUF Buf batch;
    buf_init(&batch, 64 << 20);
    for (uint32_t i = 0; i < count; i++) put(&batch, from + i, bytes);
    return write_buf(bed, &batch);
}

typedef struct Found {
    int64_t count, sum;
} Found;

static Status count_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Found *found = ctx;
    StoreStmt *stmt;
    bool row = false;
    Status st = store_prepare(conn, "SELECT count(*), total(n) FROM t", &stmt, diag);
    if (!st) st = store_step(stmt, &row, diag);
    if (!st) *found = (Found){store_int(stmt, 0), (int64_t)store_number(stmt, 1)};
    return st;
}

typedef struct Look {
    Bed *bed;
    Found found;
} Look;

static Status look_job(StoreConn *conn, void *ctx, Diag *diag)
{
    return count_job(conn, &((Look *)ctx)->found, diag);
}

static void on_look(void *ctx, Status status, const Diag *diag)
{
    on_done(((Look *)ctx)->bed, status, diag);
}

/* The numbers 1 .. `last` are there and no others. */
static void check_all(Bed *bed, int64_t last)
{
    Found found = {0};
    CHECK_OK(store_run_now(bed->store, count_job, &found, NULL));
    CHECK_INT(found.count, last);
    CHECK_INT(found.sum, last * (last + 1) / 2);
}

/* As SQLite says without us. */
static int64_t in_file(const char *path)
{
    sqlite3 *db;
    sqlite3_stmt *stmt;
    CHECK_INT(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    CHECK_INT(sqlite3_prepare_v2(db, "SELECT count(*) FROM t", -1, &stmt, NULL), SQLITE_OK);
    CHECK_INT(sqlite3_step(stmt), SQLITE_ROW);
    int64_t count = sqlite3_column_int64(stmt, 0);
    CHECK_INT(sqlite3_finalize(stmt), SQLITE_OK);
    CHECK_INT(sqlite3_close(db), SQLITE_OK);
    return count;
}

TEST(ahead_batches_are_there_after_a_kill_and_come_once)
{
    Bed bed;
    char copy[80], again[80];
    bed_begin(&bed);
    for (uint32_t n = 1; n <= 30; n += 3) CHECK_OK(write_batch(&bed, n, 3, 50));
    bed_copy(&bed, copy);
    bed_crash(&bed, copy);
    check_all(&bed, 30);
    bed_copy(&bed, again); /* the log still holds them */
    bed_crash(&bed, again);
    check_all(&bed, 30);
    CHECK_OK(write_batch(&bed, 31, 2, 50));
    check_all(&bed, 32);
    bed_end(&bed);
}

TEST(ahead_a_close_leaves_everything_in_the_file)
{
    Bed bed;
    bed_begin(&bed);
    CHECK_OK(write_batch(&bed, 1, 7, 10));
    bed_close(&bed);
    CHECK_INT(in_file(bed.path), 7);
    bed_open(&bed);
    check_all(&bed, 7);
    bed_end(&bed);
}

TEST(ahead_readers_see_what_was_reported)
{
    Bed bed;
    Look look = {.bed = &bed};
    bed_begin(&bed);
    for (uint32_t n = 1; n <= 20; n++) {
        CHECK_OK(write_batch(&bed, n, 1, 10));
        CHECK_OK(store_read(bed.store, look_job, on_look, &look));
        loop_run(bed.loop);
        CHECK_OK(bed.last);
        CHECK_INT(look.found.count, n);
    }
    bed_end(&bed);
}

TEST(ahead_it_comes_into_the_file_by_itself)
{
    Bed bed;
    bed_begin(&bed);
    CHECK_OK(write_batch(&bed, 1, 5, 10));
    for (int64_t there = 0; there < 5; there = in_file(bed.path)) {
    } /* the deadline aborts */
    bed_end(&bed);
}

/* A page of the last record is cut in half by a loss of power. */
TEST(ahead_a_torn_record_ends_the_log)
{
    Bed bed;
    char copy[80], name[100], bytes[AHEAD_PAGE_BYTES];
    bed_begin(&bed);
    CHECK_OK(write_batch(&bed, 1, 10, 500));
    long second = AHEAD_PAGE_BYTES * 2; /* 10 * (8 + 500) and a head take two pages */
    CHECK_OK(write_batch(&bed, 11, 10, 500));
    bed_copy(&bed, copy);
    part_name(copy, 2, name);
    FILE *file = fopen(name, "r+b");
    CHECK(file && !fseek(file, second + 3000, SEEK_SET));
    memset(bytes, 0, sizeof bytes);
    CHECK_INT(fwrite(bytes, 1, 1000, file), 1000);
    CHECK(!fclose(file));
    bed_crash(&bed, copy);
    check_all(&bed, 10);
    CHECK_OK(write_batch(&bed, 11, 4, 500));
    bed_copy(&bed, copy);
    bed_crash(&bed, copy);
    check_all(&bed, 14);
    bed_end(&bed);
}

static int64_t place(uint64_t oldest, uint64_t next, size_t bytes)
{
    AheadFile file = {.last = {.next = next}, .needed = true, .oldest = oldest};
    uint64_t at;
    return store__ahead_place(&file, bytes, &at) ? (int64_t)at : -1;
}

/* A head is 24 bytes: 100 bytes take a page, 5,000 two, 9,000 three. */
TEST(ahead_no_record_takes_the_place_of_one_that_is_needed)
{
    enum { PAGE = AHEAD_PAGE_BYTES, END = AHEAD_RING_BYTES };
    AheadFile empty = {.last = {.next = 5 * PAGE}};
    uint64_t at = 1;
    CHECK(store__ahead_place(&empty, 100, &at) && at == 0);
    CHECK_INT(place(0, END - PAGE, 100), END - PAGE);
    CHECK_INT(place(0, END - PAGE, 5000), -1);
    CHECK_INT(place(2 * PAGE, END - PAGE, 5000), 0);
    CHECK_INT(place(2 * PAGE, END - PAGE, 9000), -1);
    CHECK_INT(place(4 * PAGE, 2 * PAGE, 5000), 2 * PAGE);
    CHECK_INT(place(4 * PAGE, 2 * PAGE, 9000), -1);
    CHECK_INT(place(4 * PAGE, 4 * PAGE, 100), -1);
}

/* Several times around the ring, killed at every eighth batch. */
TEST(ahead_the_ring_goes_round)
{
    Bed bed;
    char copy[80];
    uint32_t n = 1;
    bed_begin(&bed);
    for (int i = 0; i < 64; i++) {
        CHECK_OK(write_batch(&bed, n, 10, 90000)); /* 0.9 MB */
        n += 10;
        if (i % 8) continue;
        bed_copy(&bed, copy);
        bed_crash(&bed, copy);
        check_all(&bed, n - 1);
    }
    char name[100];
    struct stat about;
    part_name(bed.path, 2, name);
    CHECK(!stat(name, &about) && about.st_size <= AHEAD_RING_BYTES);
    bed_end(&bed);
}

static void damage(const char *path, long at)
{
    char name[100];
    part_name(path, 2, name);
    FILE *file = fopen(name, "r+b");
    CHECK(file && !fseek(file, at, SEEK_SET));
    CHECK_INT(fputc('!', file), '!');
    CHECK(!fclose(file));
}

/* An older copy of the store with a newer log: it goes on from there as far as the log leads. Where
 * it took another way, what stands behind in the log is another one's. */
TEST(ahead_an_older_store_takes_no_strangers_records)
{
    Bed bed;
    char old[80], copy[80];
    bed_begin(&bed);
    CHECK_OK(write_batch(&bed, 1, 5, 100));
    check_all(&bed, 5);
    bed_copy(&bed, old);
    CHECK_OK(write_batch(&bed, 6, 5, 101)); /* at the beginning of the file */
    CHECK_OK(write_batch(&bed, 11, 5, 100));
    copy_part(bed.path, old, 2);
    damage(old, 100);
    bed_crash(&bed, old);
    check_all(&bed, 5);
    CHECK_OK(write_batch(&bed, 6, 5, 102)); /* of other bytes, as many pages, in that place */
    bed_copy(&bed, copy);
    bed_crash(&bed, copy);
    check_all(&bed, 10);
    bed_end(&bed);
}

TEST(ahead_nothing_is_acknowledged_while_the_store_refuses)
{
    Bed bed;
    Found found;
    Diag diag = {0};
    char copy[80];
    bed_begin(&bed);
    CHECK_OK(write_batch(&bed, 1, 5, 10));
    refuses = true;
    CHECK_OK(write_batch(&bed, 6, 1, 10)); /* nobody knows yet */
    CHECK_INT(store_run_now(bed.store, count_job, &found, &diag), ST_IO);
    CHECK_TEXT(diag.text, "the disk is full");
    CHECK_INT(write_batch(&bed, 7, 1, 10), ST_IO);
    CHECK_TEXT(bed.why, "the disk is full");
    bed_copy(&bed, copy);
    refuses = false;
    CHECK_OK(write_batch(&bed, 7, 1, 10)); /* the same bytes once more */
    check_all(&bed, 7);
    bed_crash(&bed, copy);
    check_all(&bed, 6);
    bed_end(&bed);
}

/* A start that cannot take in what is there says so and leaves it to the next one. */
TEST(ahead_a_start_that_is_refused_loses_nothing)
{
    Bed bed;
    Diag diag = {0};
    char copy[80];
    bed_begin(&bed);
    CHECK_OK(write_batch(&bed, 1, 9, 10));
    bed_copy(&bed, copy);
    bed_close(&bed);
    memcpy(bed.path, copy, sizeof bed.path);
    refuses = true;
    CHECK_INT(try_open(&bed, &diag), ST_IO);
    CHECK_TEXT(diag.text, "the disk is full");
    bed_close(&bed);
    refuses = false;
    bed_open(&bed);
    check_all(&bed, 9);
    bed_end(&bed);
}

TEST(ahead_a_batch_too_long_for_a_record_keeps_its_place)
{
    Bed bed;
    char copy[80];
    bed_begin(&bed);
    AUTO_BUF Buf large; /* 10 MB, made before: nothing else is taken in meanwhile */
    buf_init(&large, 64 << 20);
    for (uint32_t n = 4; n <= 53; n++) put(&large, n, 200000);
    CHECK_OK(write_batch(&bed, 1, 3, 10));
    CHECK_OK(write_buf(&bed, &large));
    CHECK_INT(in_file(bed.path), 53);
    CHECK_OK(write_batch(&bed, 54, 3, 10));
    bed_copy(&bed, copy);
    bed_crash(&bed, copy);
    check_all(&bed, 56);
    bed_end(&bed);
}

/* Bytes that were written, but not synced: the same bytes come again, to the same place, though
 * meanwhile a new record would stand at the beginning; what follows them is found by a start. */
TEST(ahead_a_record_that_failed_is_written_again)
{
    Bed bed;
    char copy[80];
    bed_begin(&bed);
    CHECK_OK(write_batch(&bed, 1, 1, 5 * AHEAD_PAGE_BYTES)); /* the next one lies behind it */
    sync_fails = true;
    CHECK_INT(write_batch(&bed, 2, 3, 4000), ST_IO);
    CHECK(strstr(bed.why, "-ahead"));
    sync_fails = false;
    check_all(&bed, 1);
    CHECK_OK(write_batch(&bed, 2, 3, 4000));
    CHECK_OK(write_batch(&bed, 5, 3, 10));
    bed_copy(&bed, copy);
    bed_crash(&bed, copy);
    check_all(&bed, 7);
    bed_end(&bed);
}

/* ---- kill -9 ---- */

typedef struct Child {
    Bed bed;
    Buf batch;
    uint32_t next, count;
    int pipe;
} Child;

static void child_write(Child *child);

static void child_on_done(void *ctx, Status status, const Diag *diag)
{
    Child *child = ctx;
    (void)diag;
    if (status) _exit(2);
    child->next += child->count;
    uint32_t told = child->next - 1;
    if (write(child->pipe, &told, sizeof told) != sizeof told) _exit(3);
    child_write(child);
}

static void child_write(Child *child)
{
    buf_clear(&child->batch);
    child->count = 1 + child->next % 7;
    for (uint32_t i = 0; i < child->count; i++)
        put(&child->batch, child->next + i, child->next % 3000);
    if (store_ahead_write(child->bed.store, buf_view(&child->batch), child_on_done, child))
        _exit(4);
}

static void child_main(const char *path, int pipe)
{
    Child child = {.pipe = pipe, .next = 1};
    Diag diag;
    memcpy(child.bed.path, path, sizeof child.bed.path);
    if (try_open(&child.bed, &diag)) _exit(5);
    buf_init(&child.batch, 64 << 20);
    child_write(&child);
    loop_run(child.bed.loop);
    _exit(6);
}

TEST(ahead_loses_nothing_acknowledged_to_kill_9)
{
    for (uint32_t round = 0; round < 4; round++) {
        Bed bed;
        int ends[2];
        bed_begin(&bed);
        bed_close(&bed);
        CHECK_INT(pipe(ends), 0);
        pid_t pid = fork();
        if (pid == 0) {
            close(ends[0]);
            child_main(bed.path, ends[1]);
        }
        CHECK(pid > 0);
        close(ends[1]);
        uint32_t told, last = 0;
        bool killed = false;
        while (read(ends[0], &told, sizeof told) == (ssize_t)sizeof told) {
            last = told;
            if (last < 3000 + round * 4111 || killed) continue;
            kill(pid, SIGKILL);
            killed = true;
        }
        close(ends[0]);
        waitpid(pid, NULL, 0);
        CHECK(killed);
        bed_open(&bed);
        Found found = {0};
        CHECK_OK(store_run_now(bed.store, count_job, &found, NULL));
        CHECK(found.count >= last); /* one more batch may be there */
        CHECK_INT(found.sum, found.count * (found.count + 1) / 2);
        bed_end(&bed);
    }
}
