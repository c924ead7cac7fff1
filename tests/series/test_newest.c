/* tests/series/test_newest.c: what a start asks for, on each way that points take. */
#include "test.h"

#include "series/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SERIES_MAX = 8 };

typedef struct Bed {
    Loop *loop;
    Store *store;
    SeriesWork *work;
    char dir[64], path[96];
    SeriesPoint points[SERIES_MAX], seen[SERIES_MAX];
    uint32_t count, seen_count;
    int64_t segment;
} Bed;

static const StoreMigration schema[] = {
    {1, "series", SERIES_SCHEMA_SQL SERIES_ROLL_SQL SERIES_NEWEST_SQL}, {0, NULL, NULL}};

static void run(Bed *bed, StoreJobFn *fn)
{
    Diag diag = {0};
    Status st = store_run_now(bed->store, fn, bed, &diag);
    if (st) print_error("%s\n", diag.text);
    CHECK_OK(st);
}

static void bed_begin(Bed *bed)
{
    memset(bed, 0, sizeof *bed);
    (void)snprintf(bed->dir, sizeof bed->dir, "/tmp/tutti-series-XXXXXX");
    CHECK(mkdtemp(bed->dir));
    (void)snprintf(bed->path, sizeof bed->path, "%s/s.db", bed->dir);
    CHECK_OK(loop_new(&bed->loop));
    CHECK_OK(store_sqlite_open(bed->loop, bed->path, &bed->store, NULL));
    CHECK_OK(store_migrate(bed->store, "series", schema, NULL));
    bed->work = series_work_new();
    CHECK(bed->work);
}

static void bed_end(Bed *bed)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    store_close(bed->store);
    loop_free(bed->loop);
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        char name[128];
        (void)snprintf(name, sizeof name, "%s%s", bed->path, ends[i]);
        (void)unlink(name);
    }
    CHECK_INT(rmdir(bed->dir), 0);
    series_work_free(bed->work);
}

/* ---- jobs ---- */

static Status write_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Bed *bed = ctx;
    Status st = series_write(conn, bed->work, bed->points, bed->count, diag);
    bed->count = 0;
    return st ? st : series_segment_now(conn, &bed->segment, diag);
}

static Status seal_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Bed *bed = ctx;
    return series_seal(conn, bed->work, diag);
}

static Status tidy_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Bed *bed = ctx;
    bool more;
    return series_tidy(conn, bed->work, &more, diag);
}

/* To a server, and off the file. */
static Status leave_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Bed *bed = ctx;
    SeriesUnit unit;
    Status st = series_unit_take(conn, bed->work, &unit, diag);
    while (!st && !series_unit_empty(&unit)) {
        st = series_unit_drop(conn, &unit, diag);
        series_unit_done(&unit);
        if (!st) st = series_unit_take(conn, bed->work, &unit, diag);
    }
    return st;
}

static Status settle_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Bed *bed = ctx;
    return series_settle(conn, bed->segment, diag);
}

static Status see(void *ctx, const SeriesPoint *point, Diag *diag)
{
    Bed *bed = ctx;
    (void)diag;
    CHECK(bed->seen_count < SERIES_MAX);
    bed->seen[bed->seen_count++] = *point;
    return ST_OK;
}

static Status ask_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Bed *bed = ctx;
    bed->seen_count = 0;
    return series_unsettled(conn, bed->work, see, bed, diag);
}

static void put(Bed *bed, int64_t series, int64_t t_ns, double value)
{
    bed->points[bed->count++] = (SeriesPoint){series, t_ns, value, (uint8_t)(value < 0 ? 2 : 0)};
}

/* "1:10=0.5 3:20=-1" */
static void check_newest(Bed *bed, const char *want)
{
    char text[400];
    size_t len = 0;
    text[0] = 0;
    run(bed, ask_job);
    for (uint32_t i = 0; i < bed->seen_count; i++) {
        const SeriesPoint *point = &bed->seen[i];
        CHECK_INT(point->quality, point->value < 0 ? 2 : 0);
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%lld:%lld=%g", i ? " " : "",
                                (long long)point->series, (long long)point->t_ns, point->value);
    }
    CHECK_STR(str_from(text), want);
}

/* ---- tests ---- */

TEST(newest_is_of_each_series_behind_what_is_settled)
{
    Bed bed;
    bed_begin(&bed);
    check_newest(&bed, "");
    put(&bed, 1, 10, 1);
    put(&bed, 2, 10, 2);
    run(&bed, write_job);
    put(&bed, 1, 20, 1.5);
    put(&bed, 1, 15, 7); /* late */
    put(&bed, 3, 5, -1);
    run(&bed, write_job);
    check_newest(&bed, "1:20=1.5 2:10=2 3:5=-1");
    run(&bed, settle_job);
    check_newest(&bed, "");
    put(&bed, 2, 10, 4); /* the same time again */
    run(&bed, write_job);
    put(&bed, 3, 4, 9);
    run(&bed, write_job);
    check_newest(&bed, "2:10=4 3:4=9");
    bed_end(&bed);
}

/* What leaves the segments keeps aside what is not settled, and nothing else. */
static void check_leaving(StoreJobFn *leave)
{
    Bed bed;
    bed_begin(&bed);
    put(&bed, 1, 10, 1);
    put(&bed, 2, 10, 2);
    run(&bed, write_job);
    run(&bed, settle_job);
    int64_t settled = bed.segment;
    put(&bed, 2, 20, 3);
    put(&bed, 4, 20, -4);
    run(&bed, write_job);
    run(&bed, leave);
    check_newest(&bed, "2:20=3 4:20=-4");
    put(&bed, 1, 11, 5);
    put(&bed, 2, 15, 6); /* late behind what is aside */
    put(&bed, 4, 20, 7); /* and at its time */
    run(&bed, write_job);
    check_newest(&bed, "1:11=5 2:20=3 4:20=7");
    run(&bed, leave);
    check_newest(&bed, "1:11=5 2:20=3 4:20=7");
    int64_t last = bed.segment;
    bed.segment = settled;
    run(&bed, settle_job); /* no more than it was */
    check_newest(&bed, "1:11=5 2:20=3 4:20=7");
    bed.segment = last;
    run(&bed, settle_job);
    check_newest(&bed, "");
    bed_end(&bed);
}

TEST(newest_points_outlive_sealing)
{
    check_leaving(seal_job);
}

TEST(newest_points_outlive_leaving_for_a_server)
{
    check_leaving(leave_job);
}

TEST(newest_points_outlive_gathering)
{
    Bed bed;
    bed_begin(&bed);
    for (int64_t i = 1; i < SERIES_FAN_IN; i++) {
        put(&bed, 1, i, (double)i);
        run(&bed, write_job);
    }
    run(&bed, settle_job);
    put(&bed, 2, 9, 3);
    run(&bed, write_job);
    run(&bed, tidy_job);
    check_newest(&bed, "1:63=63 2:9=3"); /* series 1 has the one it had: no harm */
    bed_end(&bed);
}
