/* tests/store/test_store.c: group commit, savepoints, migrations, and kill -9.
 *
 * The kill test: a child writes numbered rows and reports each acknowledged number over a pipe;
 * the parent kills it with SIGKILL in the middle, opens the file again and must find every number
 * that was reported. */
#include "test.h"

#include "base/clock.h"
#include "base/mem.h"
#include "store/store.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DEADLINE_MS = 60000 };

typedef struct Bed {
    Loop *loop;
    Store *store;
    char dir[64], path[96];
    LoopTimer *deadline;
    bool late;
    int done, failed, expected;
    int64_t found;
    Status last;
} Bed;

static void on_deadline(void *ctx)
{
    Bed *bed = ctx;
    bed->late = true;
    loop_stop(bed->loop);
}

static const StoreMigration first[] = {
    {1, "init", "CREATE TABLE t(n INTEGER PRIMARY KEY, x TEXT); CREATE INDEX tx ON t(x);"},
    {0, NULL, NULL}};

static void bed_open(Bed *bed)
{
    CHECK_OK(loop_new(&bed->loop));
    CHECK_OK(loop_timer_start(bed->loop, DEADLINE_MS, 0, on_deadline, bed, &bed->deadline));
    Diag diag = {0};
    Status st = store_sqlite_open(bed->loop, bed->path, &bed->store, &diag);
    if (st) print_error("%s\n", diag.text);
    CHECK_OK(st);
}

static void bed_begin(Bed *bed)
{
    memset(bed, 0, sizeof *bed);
    (void)snprintf(bed->dir, sizeof bed->dir, "/tmp/tutti-store-XXXXXX");
    CHECK(mkdtemp(bed->dir));
    (void)snprintf(bed->path, sizeof bed->path, "%s/t.db", bed->dir);
    bed_open(bed);
    CHECK_OK(store_migrate(bed->store, "test", first, NULL));
}

static void bed_close(Bed *bed)
{
    store_close(bed->store);
    loop_run_posts(bed->loop);
    loop_free(bed->loop);
}

static void bed_end(Bed *bed)
{
    static const char *const ends[] = {"", "-wal", "-shm", "-ahead"};
    bed_close(bed);
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        char name[128];
        (void)snprintf(name, sizeof name, "%s%s", bed->path, ends[i]);
        (void)unlink(name);
    }
    CHECK_INT(rmdir(bed->dir), 0);
}

static void run(Bed *bed)
{
    loop_run(bed->loop);
    CHECK(!bed->late);
}

static Status insert(StoreConn *conn, int64_t n, Diag *diag)
{
    StoreStmt *stmt = NULL;
    bool row = false;
    Status st = store_prepare(conn, "INSERT INTO t(n,x) VALUES(?1,?2)", &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, n);
    store_bind_str(stmt, 2, STR("x\0y"));
    return store_step(stmt, &row, diag);
}

typedef struct One {
    Bed *bed;
    int64_t n;
    bool fail_after;
    StoreDoneFn *then;
} One;

static Status insert_one(StoreConn *conn, void *ctx, Diag *diag)
{
    One *one = ctx;
    Status st = insert(conn, one->n, diag);
    if (!st && one->fail_after) st = diag_set(diag, ST_FORBIDDEN, "changed its mind");
    return st;
}

static void on_done(void *ctx, Status status, const Diag *diag)
{
    Bed *bed = ((One *)ctx)->bed;
    bed->done++;
    bed->last = status;
    if (status) {
        bed->failed++;
        CHECK(diag->text[0]);
    }
    if (bed->done == bed->expected) loop_stop(bed->loop);
}

static Status count_rows(StoreConn *conn, void *ctx, Diag *diag)
{
    StoreStmt *stmt = NULL;
    bool row = false;
    Status st = store_prepare(conn, "SELECT count(*), sum(n) FROM t", &stmt, diag);
    if (!st) st = store_step(stmt, &row, diag);
    if (!st) *(int64_t *)ctx = store_int(stmt, 0);
    return st; /* left before the last row on purpose: the store resets it */
}

TEST(store_commits_many_jobs_and_undoes_only_the_failed)
{
    enum { JOBS = 5000 };
    Bed bed;
    static One ones[JOBS];
    bed_begin(&bed);
    bed.expected = JOBS;
    for (int i = 0; i < JOBS; i++) {
        ones[i] = (One){.bed = &bed, .n = i, .fail_after = i % 10 == 3};
        CHECK_OK(store_write(bed.store, insert_one, on_done, &ones[i]));
    }
    CHECK_INT(bed.done, 0);
    run(&bed);
    CHECK_INT(bed.failed, JOBS / 10);
    CHECK_OK(store_run_now(bed.store, count_rows, &bed.found, NULL));
    CHECK_INT(bed.found, JOBS - JOBS / 10);
    bed_end(&bed);
}

static void on_read(void *ctx, Status status, const Diag *diag __attribute__((unused)))
{
    Bed *bed = ctx;
    bed->last = status;
    loop_stop(bed->loop);
}

static Status count_into_bed(StoreConn *conn, void *ctx, Diag *diag)
{
    return count_rows(conn, &((Bed *)ctx)->found, diag);
}

static Status write_in_read(StoreConn *conn, void *ctx __attribute__((unused)), Diag *diag)
{
    return insert(conn, 77, diag);
}

TEST(store_read_sees_the_last_commit_and_cannot_write)
{
    Bed bed;
    bed_begin(&bed);
    One one = {.bed = &bed, .n = 5};
    bed.expected = 1;
    CHECK_OK(store_write(bed.store, insert_one, on_done, &one));
    run(&bed);
    CHECK_OK(bed.last);
    CHECK_OK(store_read(bed.store, count_into_bed, on_read, &bed));
    run(&bed);
    CHECK_OK(bed.last);
    CHECK_INT(bed.found, 1);
    CHECK_OK(store_read(bed.store, write_in_read, on_read, &bed));
    run(&bed);
    CHECK(bed.last != ST_OK);
    bed_end(&bed);
}

/* How often this process asked the system to write, files and all else; -1: the system does not
 * say.
 */
static int64_t writes_asked(void)
{
    long long calls = -1;
    char line[128];
    FILE *file = fopen("/proc/self/io", "r");
    while (file && calls < 0 && fgets(line, sizeof line, file))
        (void)sscanf(line, "syscw: %lld", &calls);
    if (file) (void)fclose(file);
    return calls;
}

static Status insert_many(StoreConn *conn, void *ctx, Diag *diag)
{
    StoreStmt *stmt;
    Status st =
        store_prepare(conn, "INSERT INTO t(n, x) VALUES(?1, hex(zeroblob(1000)))", &stmt, diag);
    for (int64_t n = 0; n < *(int *)ctx && !st; n++) {
        bool row;
        store_bind_int(stmt, 1, n);
        st = store_step(stmt, &row, diag);
    }
    return st;
}

/* 2 KB in the table and 2 KB in its index: as many pages as rows. SQLite hands over two writes for
 * each of them, and one more when the log is taken into the file. */
TEST(store_writes_many_pages_with_few_calls)
{
    Bed bed;
    int rows = 400;
    bed_begin(&bed);
    int64_t before = writes_asked();
    CHECK_OK(store_run_now(bed.store, insert_many, &rows, NULL));
    if (before >= 0) CHECK(writes_asked() - before < rows / 4);
    CHECK_OK(store_run_now(bed.store, count_rows, &bed.found, NULL));
    CHECK_INT(bed.found, rows);
    bed_end(&bed);
}

static Status read_back(StoreConn *conn, void *ctx, Diag *diag)
{
    StoreStmt *stmt = NULL;
    bool row = false;
    Status st = insert(conn, INT64_MIN, diag);
    if (!st) st = store_prepare(conn, "SELECT n,x,NULL,0.5 FROM t", &stmt, diag);
    if (!st) st = store_step(stmt, &row, diag);
    if (st) return st;
    Str x = store_str(stmt, 1);
    *(bool *)ctx = row && store_int(stmt, 0) == INT64_MIN && x.len == 3 &&
                   memcmp(x.ptr, "x\0y", 3) == 0 && store_is_null(stmt, 2) &&
                   store_number(stmt, 3) == 0.5 && store_str(stmt, 2).len == 0;
    return store_step(stmt, &row, diag);
}

TEST(store_gives_back_what_was_bound)
{
    Bed bed;
    bool right = false;
    bed_begin(&bed);
    CHECK_OK(store_run_now(bed.store, read_back, &right, NULL));
    CHECK(right);
    Diag diag = {0};
    CHECK_INT(store_run_now(bed.store, read_back, &right, &diag), ST_CONFLICT); /* key twice */
    CHECK(strstr(diag.text, "UNIQUE"));
    struct stat info;
    CHECK_INT(stat(bed.path, &info), 0);
    CHECK_INT(info.st_mode & 0777, 0600);
    bed_end(&bed);
}

TEST(store_close_finishes_what_was_accepted)
{
    Bed bed;
    static One ones[100];
    bed_begin(&bed);
    for (int i = 0; i < 100; i++) {
        ones[i] = (One){.bed = &bed, .n = i};
        CHECK_OK(store_write(bed.store, insert_one, on_done, &ones[i]));
    }
    bed_close(&bed);
    CHECK_INT(bed.done, 100);
    CHECK_INT(bed.failed, 0);
    bed_open(&bed);
    CHECK_OK(store_run_now(bed.store, count_rows, &bed.found, NULL));
    CHECK_INT(bed.found, 100);
    bed_end(&bed);
}

TEST(store_migrations_are_checked)
{
    static const StoreMigration edited[] = {{1, "init", "CREATE TABLE t(n)"}, {0, NULL, NULL}};
    static const StoreMigration gap[] = {{2, "x", "CREATE TABLE g(n)"}, {0, NULL, NULL}};
    static const StoreMigration none[] = {{0, NULL, NULL}};
    static const StoreMigration broken[] = {
        {1, "half", "CREATE TABLE half(n); CREATE TABLE half(n);"}, {0, NULL, NULL}};
    static const StoreMigration mended[] = {{1, "half", "CREATE TABLE half(n);"},
                                            {2, "more", "ALTER TABLE half ADD x;"},
                                            {0, NULL, NULL}};
    Bed bed;
    Diag diag = {0};
    bed_begin(&bed);
    CHECK_OK(store_migrate(bed.store, "test", first, &diag)); /* again: nothing to do */
    CHECK_INT(store_migrate(bed.store, "test", edited, &diag), ST_CONFLICT);
    CHECK(strstr(diag.text, "edited"));
    CHECK_INT(store_migrate(bed.store, "gap", gap, &diag), ST_INVALID);
    CHECK_INT(store_migrate(bed.store, "test", none, &diag), ST_CONFLICT);
    CHECK(strstr(diag.text, "newer"));
    CHECK(store_migrate(bed.store, "half", broken, &diag) != ST_OK);
    CHECK_OK(store_migrate(bed.store, "half", mended, &diag)); /* the failed one left nothing */
    bed_end(&bed);
}

TEST(store_refuses_a_damaged_file)
{
    Bed bed;
    Diag diag = {0};
    Store *store = NULL;
    bed_begin(&bed);
    bed_close(&bed);
    FILE *file = fopen(bed.path, "r+");
    CHECK(file);
    (void)fputs("this is no database, it is a text that somebody put there", file);
    (void)fclose(file);
    CHECK_OK(loop_new(&bed.loop));
    CHECK_INT(store_sqlite_open(bed.loop, bed.path, &store, &diag), ST_CORRUPT);
    CHECK(!store);
    bed.store = NULL;
    bed_end(&bed);
}

/* ---- kill -9 ---- */

typedef struct Row {
    int64_t n;
    int pipe;
} Row;

static Status write_row(StoreConn *conn, void *ctx, Diag *diag)
{
    return insert(conn, ((Row *)ctx)->n, diag);
}

static void report_row(void *ctx, Status status, const Diag *diag __attribute__((unused)))
{
    Row *row = ctx;
    if (!status && write(row->pipe, &row->n, sizeof row->n) != sizeof row->n) _exit(2);
    mem_free(row);
}

typedef struct Child {
    Loop *loop;
    Store *store;
    int pipe;
    int64_t next;
} Child;

static void keep_writing(void *ctx)
{
    Child *child = ctx;
    for (int i = 0; i < 50; i++) {
        Row *row = mem_alloc(sizeof *row);
        if (!row) _exit(3);
        *row = (Row){child->next++, child->pipe};
        if (store_write(child->store, write_row, report_row, row)) mem_free(row);
    }
    if (loop_post(child->loop, keep_writing, child)) _exit(4);
}

static void child_main(const char *path, int pipe)
{
    Child child = {.pipe = pipe};
    if (loop_new(&child.loop) || store_sqlite_open(child.loop, path, &child.store, NULL)) _exit(5);
    keep_writing(&child);
    loop_run(child.loop);
    _exit(6);
}

static Status check_rows(StoreConn *conn, void *ctx, Diag *diag)
{
    int64_t *list = ctx; /* count, then numbers */
    StoreStmt *stmt = NULL;
    Status st = store_prepare(conn, "SELECT 1 FROM t WHERE n=?1", &stmt, diag);
    for (int64_t i = 1; i <= list[0] && !st; i++) {
        bool row = false;
        store_reset(stmt);
        store_bind_int(stmt, 1, list[i]);
        st = store_step(stmt, &row, diag);
        if (!st && !row)
            return diag_set(diag, ST_NOT_FOUND, "row %lld is lost", (long long)list[i]);
    }
    return st;
}

TEST(store_loses_nothing_acknowledged_to_kill_9)
{
    enum { ROUNDS = 3, WANTED = 3000, ROOM = 400000 };
    static int64_t list[ROOM + 1];
    for (int round = 0; round < ROUNDS; round++) {
        Bed bed;
        int ends[2];
        memset(list, 0, sizeof list);
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
        int64_t n;
        bool killed = false;
        while (list[0] < ROOM && read(ends[0], &n, sizeof n) == (ssize_t)sizeof n) {
            list[++list[0]] = n;
            if (list[0] < WANTED + round * 777 || killed) continue;
            kill(pid, SIGKILL);
            killed = true;
        }
        close(ends[0]);
        waitpid(pid, NULL, 0);
        CHECK(list[0] >= WANTED);
        Diag diag = {0};
        bed_open(&bed);
        Status st = store_run_now(bed.store, check_rows, list, &diag);
        if (st) print_error("%s\n", diag.text);
        CHECK_OK(st);
        bed_end(&bed);
    }
}
