/* tests/series/test_table.c: SQL over series, held against the same SQL over plain rows. */
#include "test.h"

#include "base/buf.h"
#include "base/mem.h"
#include "series/roll.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include <unistd.h>

enum { SERIES = 3, POINTS = 20000 };

typedef struct Bed {
    Loop *loop;
    Store *store;
    SeriesWork *work;
    sqlite3 *db;
    char dir[64], path[96];
    SeriesPoint *points;
} Bed;

static const StoreMigration tables[] = {
    {1, "both",
     SERIES_SCHEMA_SQL SERIES_ROLL_SQL SERIES_NEWEST_SQL
     "CREATE TABLE plain(series INTEGER, t INTEGER, value REAL,"
     " quality INTEGER); CREATE TABLE names(id INTEGER PRIMARY KEY,"
     " path TEXT); INSERT INTO names VALUES(1, 'a/x'), (2, 'a/y');"},
    {0, NULL, NULL}};

/* Most are sealed, the last of them loose. */
static Status fill(StoreConn *conn, void *ctx, Diag *diag)
{
    Bed *bed = ctx;
    StoreStmt *stmt;
    bool row;
    Status st = store_prepare(conn, "INSERT INTO plain VALUES(?1, ?2, ?3, ?4)", &stmt, diag);
    for (int64_t i = 0; i < POINTS && !st; i++) {
        bed->points[i] = (SeriesPoint){1 + i % SERIES, i * 500, (double)(i * i % 1009) / 4,
                                       (uint8_t)(i % 7 == 0)};
        store_bind_int(stmt, 1, bed->points[i].series);
        store_bind_int(stmt, 2, bed->points[i].t_ns);
        store_bind_number(stmt, 3, bed->points[i].value);
        store_bind_int(stmt, 4, bed->points[i].quality);
        st = store_step(stmt, &row, diag);
    }
    if (!st) st = series_write(conn, bed->work, bed->points, POINTS - 100, diag);
    if (!st) st = series_seal(conn, bed->work, diag);
    return st ? st : series_write(conn, bed->work, bed->points + POINTS - 100, 100, diag);
}

static void bed_begin(Bed *bed)
{
    *bed = (Bed){0};
    (void)snprintf(bed->dir, sizeof bed->dir, "/tmp/tutti-table-XXXXXX");
    CHECK(mkdtemp(bed->dir));
    (void)snprintf(bed->path, sizeof bed->path, "%s/s.db", bed->dir);
    bed->points = mem_zalloc(POINTS, sizeof *bed->points);
    bed->work = series_work_new();
    CHECK(bed->points && bed->work);
    CHECK_OK(loop_new(&bed->loop));
    CHECK_OK(store_sqlite_open(bed->loop, bed->path, &bed->store, NULL));
    CHECK_OK(store_migrate(bed->store, "both", tables, NULL));
    CHECK_OK(store_run_now(bed->store, fill, bed, NULL));
    CHECK_INT(sqlite3_open_v2(bed->path, &bed->db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    CHECK(series_table_register(bed->db));
}

static void bed_end(Bed *bed)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    CHECK_INT(sqlite3_close(bed->db), SQLITE_OK);
    store_close(bed->store);
    loop_free(bed->loop);
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        char name[128];
        (void)snprintf(name, sizeof name, "%s%s", bed->path, ends[i]);
        (void)unlink(name);
    }
    CHECK_INT(rmdir(bed->dir), 0);
    series_work_free(bed->work);
    mem_free(bed->points);
}

static void rows_of(sqlite3 *db, const char *sql, Buf *out)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL)) print_error("%s\n", sqlite3_errmsg(db));
    CHECK(stmt);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(stmt); i++) {
            const char *text = (const char *)sqlite3_column_text(stmt, i);
            buf_printf(out, "%s|", text ? text : "null");
        }
        buf_char(out, '\n');
    }
    CHECK_INT(sqlite3_finalize(stmt), SQLITE_OK);
    CHECK_OK(buf_status(out));
}

/* `%s` in the question is the table. */
static void compare(Bed *bed, const char *question)
{
    char sql[400];
    AUTO_BUF Buf got, want;
    buf_init(&got, 4 << 20);
    buf_init(&want, 4 << 20);
    for (int i = 0; i < 2; i++) {
        char *text = sqlite3_mprintf(question, i ? "plain" : "series_points");
        (void)snprintf(sql, sizeof sql, "%s", text);
        sqlite3_free(text);
        rows_of(bed->db, sql, i ? &want : &got);
    }
    CHECK(want.len > 0);
    CHECK_STR(buf_view(&got), want.ptr);
}

TEST(sql_gives_what_plain_rows_give)
{
    static const char *const questions[] = {
        "SELECT * FROM %s WHERE series = 2 ORDER BY t",
        "SELECT count(*), sum(value), min(t), max(t), sum(quality) FROM %s WHERE series = 1",
        "SELECT * FROM %s WHERE series = 3 AND t >= 1000500 AND t < 1200000 ORDER BY t DESC",
        "SELECT * FROM %s WHERE series = 3 AND t > 1000500 AND t <= 1000500 + 3000 ORDER BY t",
        "SELECT count(*) FROM %s WHERE series = 1 AND t BETWEEN 9000000 AND 99999999",
        "SELECT count(*) FROM %s WHERE series = 1 AND t >= 2500.5 AND t < '9'",
        "SELECT count(*) FROM %s WHERE series = 9 AND t >= 0",
        "SELECT n.path, count(*), avg(p.value) FROM names n JOIN %s p ON p.series = n.id"
        " WHERE p.t > 5000000 GROUP BY n.path ORDER BY n.path",
        "SELECT n.path, p.t FROM names n JOIN %s p ON p.series = n.id WHERE n.path = 'a/y'"
        " ORDER BY p.t DESC LIMIT 3",
        "SELECT count(*) FROM %s WHERE series IN (1, 3) AND quality = 1",
    };
    Bed bed;
    bed_begin(&bed);
    for (size_t i = 0; i < COUNT_OF(questions); i++) compare(&bed, questions[i]);
    bed_end(&bed);
}

/* The plain table would answer: none. */
TEST(a_time_that_is_a_text_is_told)
{
    Bed bed;
    sqlite3_stmt *stmt = NULL;
    bed_begin(&bed);
    CHECK_INT(sqlite3_prepare_v2(bed.db,
                                 "SELECT count(*) FROM series_points WHERE series = 1 AND"
                                 " t > '2026-11-23T10:00:00Z'",
                                 -1, &stmt, NULL),
              SQLITE_OK);
    CHECK_INT(sqlite3_step(stmt), SQLITE_ERROR);
    CHECK(strstr(sqlite3_errmsg(bed.db), "nanoseconds"));
    (void)sqlite3_finalize(stmt);
    bed_end(&bed);
}

TEST(a_question_without_a_series_is_refused)
{
    Bed bed;
    sqlite3_stmt *stmt = NULL;
    bed_begin(&bed);
    CHECK(sqlite3_prepare_v2(bed.db, "SELECT count(*) FROM series_points", -1, &stmt, NULL));
    CHECK(!stmt);
    bed_end(&bed);
}
