/* tests/store/test_salvage.c: real files with real damage, and what comes back of them.
 *
 * A row's content follows from its number, so every row that comes back is compared whole. How many
 * must come back follows from the damage: a page of rows costs the rows of that page, a page that
 * only leads to others costs none. SEED=n shows one damage again. */
#include "test.h"

#include "store/store.h"

#include <dirent.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROWS = 3000, KEYS = 800, MADE = 300, PAGE = 4096, SEEDS = 60, DATA_MAX = 9000 };

typedef struct Bed {
    Loop *loop;
    Store *store;
    char dir[64], path[96], copy[96];
    uint64_t seed;
} Bed;

static const StoreMigration tables[] = {
    {1, "init",
     "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT NOT NULL, data BLOB NOT NULL);"
     "CREATE INDEX tn ON t(name);"
     "CREATE TABLE k(a TEXT NOT NULL, b INTEGER NOT NULL, v INTEGER, PRIMARY KEY(b, a)) WITHOUT "
     "ROWID;"},
    {0, NULL, NULL}};

static uint64_t next(Bed *bed)
{
    bed->seed ^= bed->seed << 13;
    bed->seed ^= bed->seed >> 7;
    bed->seed ^= bed->seed << 17;
    return bed->seed;
}

/* One row in fifty goes over several pages. */
static size_t data_of(int64_t id, char data[DATA_MAX])
{
    size_t len = id % 50 == 7 ? DATA_MAX - (size_t)id : 20 + (size_t)(id % 200);
    for (size_t i = 0; i < len; i++) data[i] = (char)(id * 31 + (int64_t)i * 7);
    return len;
}

static Status fill(StoreConn *conn, void *ctx, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    char data[DATA_MAX], name[32];
    (void)ctx;
    Status st = store_exec(conn, "CREATE TABLE made(x REAL, y TEXT)", diag);
    for (int64_t id = 1; id <= ROWS && !st; id++) {
        st = store_prepare(conn, "INSERT INTO t VALUES(?1, ?2, ?3)", &stmt, diag);
        if (st) break;
        (void)snprintf(name, sizeof name, "name %d", (int)id);
        store_bind_int(stmt, 1, id);
        store_bind_str(stmt, 2, str_from(name));
        store_bind_blob(stmt, 3, (Str){data, data_of(id, data)});
        st = store_step(stmt, &row, diag);
    }
    for (int64_t b = 0; b < KEYS && !st; b++) {
        st = store_prepare(conn, "INSERT INTO k VALUES('key', ?1, -?1)", &stmt, diag);
        if (!st) store_bind_int(stmt, 1, b);
        if (!st) st = store_step(stmt, &row, diag);
    }
    for (int64_t n = 0; n < MADE && !st; n++) {
        st = store_prepare(conn, "INSERT INTO made VALUES(?1, ?1 || ' made')", &stmt, diag);
        if (!st) store_bind_int(stmt, 1, n);
        if (!st) st = store_step(stmt, &row, diag);
    }
    return st;
}

static Status thin(StoreConn *conn, void *ctx, Diag *diag)
{
    (void)ctx;
    return store_exec(conn, "DELETE FROM t WHERE id > 2800", diag);
}

static void bed_begin(Bed *bed)
{
    Diag diag = {0};
    memset(bed, 0, sizeof *bed);
    (void)snprintf(bed->dir, sizeof bed->dir, "/tmp/tutti-salvage-XXXXXX");
    CHECK(mkdtemp(bed->dir) != NULL);
    (void)snprintf(bed->path, sizeof bed->path, "%s/whole.db", bed->dir);
    (void)snprintf(bed->copy, sizeof bed->copy, "%s/t.db", bed->dir);
    CHECK_OK(loop_new(&bed->loop));
    CHECK_OK(store_sqlite_open(bed->loop, bed->path, &bed->store, &diag));
    CHECK_OK(store_migrate(bed->store, "test", tables, &diag));
    CHECK_OK(store_run_now(bed->store, fill, NULL, &diag));
    store_close(bed->store);
    CHECK_OK(store_sqlite_open(bed->loop, bed->path, &bed->store, &diag));
}

static void copy_file(const char *from, const char *to)
{
    static char bytes[1 << 20];
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    CHECK(out != NULL);
    for (size_t len; in && (len = fread(bytes, 1, sizeof bytes, in)) > 0;)
        CHECK_INT(fwrite(bytes, 1, len, out), len);
    if (in) (void)fclose(in);
    CHECK(!fclose(out));
}

/* Files of the folder whose names begin so. */
static void clean(const Bed *bed, const char *what)
{
    DIR *dir = opendir(bed->dir);
    CHECK(dir != NULL);
    for (struct dirent *entry; (entry = readdir(dir));) {
        char path[400];
        if (entry->d_name[0] == '.' || strncmp(entry->d_name, what, strlen(what))) continue;
        (void)snprintf(path, sizeof path, "%s/%s", bed->dir, entry->d_name);
        CHECK_INT(unlink(path), 0);
    }
    (void)closedir(dir);
}

static void bed_end(Bed *bed)
{
    store_close(bed->store);
    loop_run_posts(bed->loop);
    loop_free(bed->loop);
    clean(bed, "");
    CHECK_INT(rmdir(bed->dir), 0);
}

static int64_t ask(const char *path, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *stmt;
    CHECK_INT(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    CHECK_INT(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    int64_t value = sqlite3_step(stmt) == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : -1;
    CHECK_INT(sqlite3_finalize(stmt), SQLITE_OK);
    CHECK_INT(sqlite3_close(db), SQLITE_OK);
    return value;
}

typedef struct Found {
    int64_t rows, keys, made;
    int64_t wrong;   /* rows whose content is another */
    int64_t unsound; /* what SQLite says about the new file */
} Found;

static Status count(StoreConn *conn, void *ctx, Diag *diag)
{
    Found *found = ctx;
    StoreStmt *stmt;
    bool row;
    char data[DATA_MAX];
    Status st = store_exec(conn, "CREATE TABLE IF NOT EXISTS made(x REAL, y TEXT)", diag);
    if (st) return st;
    st = store_prepare(conn, "SELECT id, data FROM t WHERE name = 'name ' || id", &stmt, diag);
    while (!st && !(st = store_step(stmt, &row, diag)) && row) {
        int64_t id = store_int(stmt, 0);
        size_t len = id >= 1 && id <= ROWS ? data_of(id, data) : 0;
        found->rows++;
        found->wrong += !str_eq(store_str(stmt, 1), (Str){data, len});
    }
    if (!st)
        st = store_prepare(conn,
                           "SELECT (SELECT count(*) FROM k WHERE a = 'key' AND v = -b),"
                           " (SELECT count(*) FROM made WHERE y = CAST(x AS INTEGER) || ' made'),"
                           " (SELECT count(*) FROM pragma_integrity_check"
                           "  WHERE integrity_check <> 'ok')",
                           &stmt, diag);
    if (!st) st = store_step(stmt, &row, diag);
    if (st) return st;
    found->keys = store_int(stmt, 0);
    found->made = store_int(stmt, 1);
    found->unsound = store_int(stmt, 2);
    store_reset(stmt);
    return ST_OK;
}

/* Opens the copy as a start does, and looks. */
static Found come_back(Bed *bed, bool noticed)
{
    Found found = {0};
    Diag diag = {0};
    Store *store;
    CHECK_OK(store_sqlite_open_salvaging(bed->loop, bed->copy, 0, NULL, &store, &diag));
    Status st = store_migrate(store, "test", tables, &diag);
    if (!st && !store_salvaged(store)) {
        CHECK(!noticed);
        st = store_salvage(store, &diag);
    }
    if (st) print_error("%s\n", diag.text);
    CHECK_OK(st);
    CHECK(store_salvaged(store) != NULL);
    CHECK_INT(access(store_salvaged(store)->aside, F_OK), 0);
    st = store_run_now(store, count, &found, &diag);
    if (st) print_error("%s\n", diag.text);
    CHECK_OK(st);
    CHECK_INT(found.unsound, 0);
    store_close(store);
    clean(bed, "t.db");
    return found;
}

static void copy_whole(const Bed *bed)
{
    copy_file(bed->path, bed->copy);
}

static void put(const Bed *bed, long at, const void *bytes, size_t len)
{
    int fd = open(bed->copy, O_WRONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    CHECK_INT(pwrite(fd, bytes, len, at), len);
    close(fd);
}

static long size_of(const Bed *bed)
{
    struct stat info;
    CHECK_INT(stat(bed->copy, &info), 0);
    return (long)info.st_size;
}

static long root_of(const Bed *bed, const char *table)
{
    char sql[96];
    (void)snprintf(sql, sizeof sql, "SELECT rootpage FROM sqlite_schema WHERE name = '%s'", table);
    return (long)ask(bed->path, sql);
}

TEST(an_undamaged_file_comes_back_whole)
{
    Bed bed;
    bed_begin(&bed);
    copy_whole(&bed);
    Found found = come_back(&bed, false);
    CHECK_INT(found.rows, ROWS);
    CHECK_INT(found.keys, KEYS);
    CHECK_INT(found.made, MADE);
    CHECK_INT(found.wrong, 0);
    bed_end(&bed);
}

/* Its first page: how large pages are, and where everything is. */
TEST(without_its_first_page)
{
    Bed bed;
    char zeros[PAGE] = {0};
    bed_begin(&bed);
    copy_whole(&bed);
    put(&bed, 0, zeros, sizeof zeros);
    Found found = come_back(&bed, true);
    CHECK_INT(found.rows, ROWS); /* by what they are; k has no numbers, and nobody knows of made */
    CHECK_INT(found.wrong, 0);
    bed_end(&bed);
}

TEST(without_the_root_of_a_table)
{
    Bed bed;
    char noise[PAGE];
    bed_begin(&bed);
    copy_whole(&bed);
    memset(noise, 0x5a, sizeof noise);
    put(&bed, (root_of(&bed, "t") - 1) * PAGE, noise, sizeof noise);
    Found found = come_back(&bed, false);
    CHECK_INT(found.rows, ROWS);
    CHECK_INT(found.keys, KEYS);
    CHECK_INT(found.made, MADE);
    CHECK_INT(found.wrong, 0);
    bed_end(&bed);
}

TEST(a_file_cut_short)
{
    Bed bed;
    bed_begin(&bed);
    copy_whole(&bed);
    long bytes = size_of(&bed);
    CHECK_INT(truncate(bed.copy, bytes / 2 / PAGE * PAGE + 1000), 0);
    Found found = come_back(&bed, true);
    CHECK(found.rows > ROWS / 3);
    CHECK(found.rows < ROWS);
    CHECK_INT(found.wrong, 0);
    bed_end(&bed);
}

/* What waits in the log belongs to the file; what was deleted does not come back from free pages.
 */
TEST(with_its_log_and_free_pages)
{
    Bed bed;
    char from[112], to[112], noise[PAGE];
    Diag diag = {0};
    bed_begin(&bed);
    CHECK_OK(store_run_now(bed.store, thin, NULL, &diag));
    copy_whole(&bed);
    (void)snprintf(from, sizeof from, "%s-wal", bed.path);
    (void)snprintf(to, sizeof to, "%s-wal", bed.copy);
    copy_file(from, to);
    Found found = come_back(&bed, false);
    CHECK_INT(found.rows, 2800);
    CHECK_INT(found.wrong, 0);
    copy_whole(&bed);
    copy_file(from, to);
    memset(noise, 0, sizeof noise);
    put(&bed, 0, noise, 100); /* of the file; the log has that page, too */
    found = come_back(&bed, false);
    CHECK_INT(found.rows, 2800);
    copy_whole(&bed); /* without its log: as it was before */
    found = come_back(&bed, false);
    CHECK_INT(found.rows, ROWS);
    bed_end(&bed);
}

/* Bytes flipped, halves of pages torn, pages of elsewhere: at most the rows of those pages go. */
TEST(seeded_damage)
{
    Bed bed;
    const char *one = getenv("SEED"); /* NOLINT(concurrency-mt-unsafe) */
    uint64_t only = one ? strtoull(one, NULL, 10) : 0;
    bed_begin(&bed);
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        if (only && seed != only) continue;
        bed.seed = seed * 0x9e3779b97f4a7c15u;
        copy_whole(&bed);
        uint64_t pages = (uint64_t)size_of(&bed) / PAGE, hits = 1 + next(&bed) % 6;
        for (uint64_t i = 0; i < hits; i++) {
            char noise[PAGE];
            long page = (long)(1 + next(&bed) % (pages - 1)) * PAGE;
            for (size_t k = 0; k < sizeof noise; k++) noise[k] = (char)next(&bed);
            switch (next(&bed) % 3) {
            case 0: put(&bed, page + (long)(next(&bed) % 64), noise, 1 + next(&bed) % 16); break;
            case 1: put(&bed, page + PAGE / 2, noise, PAGE / 2); break;
            default: put(&bed, page, noise, PAGE); break;
            }
        }
        Found found = come_back(&bed, false);
        /* A page has at most 60 rows of t; one leading to pages of k has most of its rows. */
        int64_t most = 60 * (int64_t)hits;
        bool good = found.rows >= ROWS - most && found.rows <= ROWS && found.wrong <= most &&
                    found.made >= MADE - 3 * most && found.made <= MADE && found.keys <= KEYS;
        if (!good)
            print_error("SEED=%d: %d rows, %d keys, %d made, %d wrong, %d hits\n", (int)seed,
                        (int)found.rows, (int)found.keys, (int)found.made, (int)found.wrong,
                        (int)hits);
        CHECK(good);
    }
    bed_end(&bed);
}

/* Damage that a job meets while the process runs is mended by the next start. */
TEST(damage_found_while_running_is_mended_at_the_next_start)
{
    Bed bed;
    char noise[PAGE];
    Diag diag = {0};
    Store *store;
    Found found = {0};
    bed_begin(&bed);
    copy_whole(&bed);
    memset(noise, 0x5a, sizeof noise);
    put(&bed, (root_of(&bed, "t") - 1) * PAGE, noise, sizeof noise);
    CHECK_OK(store_sqlite_open_salvaging(bed.loop, bed.copy, 0, NULL, &store, &diag));
    CHECK_OK(store_migrate(store, "test", tables, &diag));
    CHECK(!store_salvaged(store));
    CHECK(!store_is_damaged(store));
    CHECK_INT(store_run_now(store, count, &found, &diag), ST_CORRUPT);
    CHECK(store_is_damaged(store));
    store_close(store);
    found = come_back(&bed, true);
    CHECK_INT(found.rows, ROWS);
    bed_end(&bed);
}
