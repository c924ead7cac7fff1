/* tests/series/test_series.c: the series store against a plain list of what was written.
 *
 * The model keeps every point in an array, the last one of equal (series, time) counting. Random
 * writes in any order, with tidying and sealing between them, must give the same answers as it. */
#include "test.h"

#include "base/mem.h"
#include "series/roll.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SERIES = 5, SPAN = 3000, WRITES = 150, BATCH_MAX = 400, POINTS_MAX = WRITES * BATCH_MAX };

static uint64_t seed = 88172645463325252u;

static uint64_t draw(void) /* xorshift64 */
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

typedef struct Bed {
    Loop *loop;
    Store *store;
    SeriesWork *work;
    char dir[64], path[96];
    SeriesPoint *model; /* by series and time once model_sort ran */
    uint32_t model_count;
} Bed;

static const StoreMigration schema[] = {
    {1, "series", SERIES_SCHEMA_SQL SERIES_ROLL_SQL SERIES_NEWEST_SQL}, {0, NULL, NULL}};

static void bed_open(Bed *bed)
{
    CHECK_OK(loop_new(&bed->loop));
    CHECK_OK(store_sqlite_open(bed->loop, bed->path, &bed->store, NULL));
    CHECK_OK(store_migrate(bed->store, "series", schema, NULL));
}

static void bed_begin(Bed *bed)
{
    memset(bed, 0, sizeof *bed);
    (void)snprintf(bed->dir, sizeof bed->dir, "/tmp/tutti-series-XXXXXX");
    CHECK(mkdtemp(bed->dir));
    (void)snprintf(bed->path, sizeof bed->path, "%s/s.db", bed->dir);
    bed_open(bed);
    bed->work = series_work_new();
    CHECK(bed->work);
    bed->model = mem_zalloc(POINTS_MAX, sizeof *bed->model);
}

static void bed_close(Bed *bed)
{
    store_close(bed->store);
    loop_free(bed->loop);
}

static void bed_end(Bed *bed)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    bed_close(bed);
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        char name[128];
        (void)snprintf(name, sizeof name, "%s%s", bed->path, ends[i]);
        (void)unlink(name);
    }
    CHECK_INT(rmdir(bed->dir), 0);
    series_work_free(bed->work);
    mem_free(bed->model);
}

/* ---- jobs ---- */

typedef struct Job {
    Bed *bed;
    SeriesPoint *points;
    uint32_t count;
    bool more, found;
    int64_t series, from, to;
    SeriesPoint before;
    const SeriesVisitor *visitor;
} Job;

static Status write_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Job *job = ctx;
    return series_write(conn, job->bed->work, job->points, job->count, diag);
}

static Status tidy_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Job *job = ctx;
    return series_tidy(conn, job->bed->work, &job->more, diag);
}

static Status seal_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Job *job = ctx;
    return series_seal(conn, job->bed->work, diag);
}

static Status scan_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Job *job = ctx;
    return series_scan(conn, job->bed->work, job->series, job->from, job->to, job->visitor, diag);
}

static Status before_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Job *job = ctx;
    return series_before(conn, job->bed->work, job->series, job->from, &job->before, &job->found,
                         diag);
}

static void run(Bed *bed, StoreJobFn *fn, Job *job)
{
    Diag diag = {0};
    job->bed = bed;
    Status st = store_run_now(bed->store, fn, job, &diag);
    if (st) print_error("%s\n", diag.text);
    CHECK_OK(st);
}

/* ---- the model ---- */

static int by_key(const void *a, const void *b)
{
    const SeriesPoint *x = a, *y = b;
    if (x->series != y->series) return x->series < y->series ? -1 : 1;
    return x->t_ns < y->t_ns ? -1 : x->t_ns > y->t_ns;
}

static void model_add(Bed *bed, const SeriesPoint *point)
{
    for (uint32_t i = 0; i < bed->model_count; i++)
        if (!by_key(&bed->model[i], point)) {
            bed->model[i] = *point;
            return;
        }
    bed->model[bed->model_count++] = *point;
}

static void write_points(Bed *bed, const SeriesPoint *points, uint32_t count)
{
    SeriesPoint copy[BATCH_MAX];
    memcpy(copy, points, count * sizeof *points);
    for (uint32_t i = 0; i < count; i++) model_add(bed, &points[i]);
    run(bed, write_job, &(Job){.points = copy, .count = count});
}

/* Mostly newer than before, sometimes late, sometimes twice in the batch. */
static void write_random(Bed *bed, uint32_t round)
{
    SeriesPoint batch[BATCH_MAX];
    uint32_t count = 1 + (uint32_t)(draw() % BATCH_MAX);
    for (uint32_t i = 0; i < count; i++) {
        int64_t now = (int64_t)round * SPAN / WRITES, t = now + (int64_t)(draw() % 30);
        if (draw() % 50 == 0) t = (int64_t)(draw() % SPAN) - 100;
        int64_t series = 1 + (int64_t)(draw() % SERIES);
        batch[i] = (SeriesPoint){series, t * 1000000, (double)(draw() % 1000) / 10, 0};
        /* blocks of the others have a summary */
        if (series % 2 && draw() % 40 == 0) batch[i].quality = 1;
    }
    write_points(bed, batch, count);
}

/* ---- what a scan gives ---- */

typedef struct Seen {
    const SeriesPoint *want; /* the next one of the model */
    const SeriesPoint *end;
    uint32_t wrong, points, summaries;
    double total;
} Seen;

static bool see_point(void *ctx, int64_t t_ns, double value, uint8_t quality)
{
    Seen *seen = ctx;
    seen->points++;
    const SeriesPoint *want = seen->want;
    if (want == seen->end || want->t_ns != t_ns || want->value != value || want->quality != quality)
        seen->wrong++;
    if (want < seen->end) seen->want++;
    return true;
}

/* Holds every field of the summary against the points of the model. */
static bool see_summary(void *ctx, const SeriesSummary *sum)
{
    Seen *seen = ctx;
    SeriesSummary own = {.least = INFINITY, .greatest = -INFINITY};
    seen->summaries++;
    if (sum->odd) seen->wrong++; /* those are read */
    own.t_first_ns = seen->want < seen->end ? seen->want->t_ns : 0;
    own.first = seen->want < seen->end ? seen->want->value : 0;
    for (; seen->want < seen->end && seen->want->t_ns <= sum->t_last_ns; seen->want++) {
        if (own.points) own.area += own.last * (double)(seen->want->t_ns - own.t_last_ns);
        own.last = seen->want->value;
        own.t_last_ns = seen->want->t_ns;
        own.points++;
        own.odd += seen->want->quality != 0;
        own.total += own.last;
        own.least = fmin(own.least, own.last);
        own.greatest = fmax(own.greatest, own.last);
    }
    if (own.t_first_ns != sum->t_first_ns || own.t_last_ns != sum->t_last_ns ||
        own.points != sum->points || own.odd != sum->odd || own.first != sum->first ||
        own.last != sum->last || own.least != sum->least || own.greatest != sum->greatest ||
        own.total != sum->total || own.area != sum->area)
        seen->wrong++;
    return true;
}

static uint32_t compare(Bed *bed, int64_t series, int64_t from, int64_t to, bool summaries)
{
    SeriesPoint low = {.series = series, .t_ns = from};
    Seen seen = {bed->model, NULL, 0, 0, 0, 0};
    const SeriesPoint *end = bed->model + bed->model_count;
    while (seen.want < end && by_key(seen.want, &low) < 0) seen.want++;
    seen.end = seen.want;
    while (seen.end < end && seen.end->series == series && seen.end->t_ns <= to) seen.end++;
    SeriesVisitor visitor = {see_point, summaries ? see_summary : NULL, &seen};
    run(bed, scan_job, &(Job){.series = series, .from = from, .to = to, .visitor = &visitor});
    CHECK_INT(seen.wrong, 0);
    CHECK(seen.want == seen.end);
    return seen.summaries;
}

static void compare_before(Bed *bed, int64_t series, int64_t t_ns)
{
    const SeriesPoint *want = NULL;
    for (uint32_t i = 0; i < bed->model_count; i++)
        if (bed->model[i].series == series && bed->model[i].t_ns < t_ns) want = &bed->model[i];
    Job job = {.series = series, .from = t_ns};
    run(bed, before_job, &job);
    CHECK_INT(job.found, want != NULL);
    if (!want) return;
    CHECK_INT(job.before.t_ns, want->t_ns);
    CHECK(job.before.value == want->value);
    CHECK_INT(job.before.quality, want->quality);
}

static uint32_t compare_all(Bed *bed)
{
    uint32_t summaries = 0;
    qsort(bed->model, bed->model_count, sizeof *bed->model, by_key);
    for (int64_t series = 0; series <= SERIES + 1; series++) {
        (void)compare(bed, series, INT64_MIN, INT64_MAX, false);
        summaries += compare(bed, series, INT64_MIN, INT64_MAX, true);
        for (int i = 0; i < 10; i++) {
            int64_t from = (int64_t)(draw() % SPAN) * 1000000;
            int64_t to = from + (int64_t)(draw() % (SPAN / 4)) * 1000000;
            (void)compare(bed, series, from, to, i % 2);
            compare_before(bed, series, from);
        }
        compare_before(bed, series, INT64_MAX);
        compare_before(bed, series, INT64_MIN);
    }
    return summaries;
}

TEST(any_order_of_writing_tidying_and_sealing_gives_what_was_written)
{
    Bed bed;
    uint32_t summaries;
    bed_begin(&bed);
    for (uint32_t round = 0; round < WRITES; round++) {
        Job job = {0};
        write_random(&bed, round);
        do run(&bed, tidy_job, &job);
        while (job.more);
        if (round % 37 == 36) run(&bed, seal_job, &(Job){0});
        if (round % 50 == 49) (void)compare_all(&bed);
    }
    bed_close(&bed);
    bed_open(&bed);
    summaries = compare_all(&bed); /* the last points are loose and mostly lie over the blocks */
    run(&bed, seal_job, &(Job){0});
    CHECK(compare_all(&bed) > summaries);
    bed_end(&bed);
}

static int64_t count_rows(Bed *bed, const char *sql);

typedef struct Count {
    const char *sql;
    int64_t rows;
} Count;

static Status count_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Count *count = ctx;
    StoreStmt *stmt;
    bool row;
    Status st = store_prepare(conn, count->sql, &stmt, diag);
    if (!st) st = store_step(stmt, &row, diag);
    if (st) return st;
    count->rows = store_int(stmt, 0);
    store_reset(stmt);
    return ST_OK;
}

static int64_t count_rows(Bed *bed, const char *sql)
{
    Count count = {sql, 0};
    CHECK_OK(store_run_now(bed->store, count_job, &count, NULL));
    return count.rows;
}

/* 70 writes of two series of one point each: 64 of them are one segment, no block yet. */
TEST(segments_gather_and_are_sealed_in_the_end)
{
    Bed bed;
    bed_begin(&bed);
    for (int64_t i = 0; i < 70; i++) {
        SeriesPoint points[] = {{1, i * 1000000000, (double)i, 0}, {2, i * 1000000000, 0.5, 0}};
        Job job = {0};
        write_points(&bed, points, 2);
        run(&bed, tidy_job, &job);
    }
    CHECK_INT(count_rows(&bed, "SELECT count(*) FROM series_segments WHERE level = 1"), 1);
    CHECK_INT(count_rows(&bed, "SELECT count(*) FROM series_segments WHERE level = 0"), 6);
    CHECK_INT(count_rows(&bed, "SELECT count(*) FROM series_blocks"), 0);
    run(&bed, seal_job, &(Job){0});
    CHECK_INT(count_rows(&bed, "SELECT count(*) FROM series_segments"), 0);
    CHECK_INT(count_rows(&bed, "SELECT count(*) FROM series_blocks"), 2);
    CHECK_INT(count_rows(&bed, "SELECT sum(points) FROM series_blocks"), 140);
    (void)compare_all(&bed);
    bed_end(&bed);
}

/* A slow series that is sealed again and again ends in few blocks, each point rewritten rarely. */
TEST(small_blocks_join)
{
    Bed bed;
    bed_begin(&bed);
    for (int64_t i = 0; i < 64; i++) {
        SeriesPoint points[10];
        for (int64_t k = 0; k < 10; k++)
            points[k] = (SeriesPoint){1, (i * 10 + k) * 1000, (double)k, 0};
        write_points(&bed, points, 10);
        run(&bed, seal_job, &(Job){0});
    }
    CHECK(count_rows(&bed, "SELECT count(*) FROM series_blocks") <= 7); /* log2(64) + 1 */
    CHECK_INT(count_rows(&bed, "SELECT count(*) FROM series_data"),
              count_rows(&bed, "SELECT count(*) FROM series_blocks"));
    (void)compare_all(&bed);
    bed_end(&bed);
}

TEST(a_damaged_block_is_an_error_and_not_a_wrong_answer)
{
    Bed bed;
    bed_begin(&bed);
    SeriesPoint points[] = {{1, 1, 1, 0}, {1, 2, 2, 0}};
    write_points(&bed, points, 2);
    run(&bed, seal_job, &(Job){0});
    CHECK_INT(count_rows(&bed, "UPDATE series_data SET block = x'0201' RETURNING 1"), 1);
    Seen seen = {0};
    SeriesVisitor visitor = {see_point, NULL, &seen};
    Job job = {.bed = &bed, .series = 1, .to = 9, .visitor = &visitor};
    Diag diag = {0};
    CHECK_INT(store_run_now(bed.store, scan_job, &job, &diag), ST_CORRUPT);
    CHECK_TEXT(diag.text, "a block of the history is damaged");
    bed_end(&bed);
}

TEST(what_is_no_series_or_too_much_is_refused)
{
    Bed bed;
    bed_begin(&bed);
    SeriesPoint none = {0, 1, 1, 0};
    Job job = {.bed = &bed, .points = &none, .count = 1};
    CHECK_INT(store_run_now(bed.store, write_job, &job, NULL), ST_INVALID);
    job.count = SERIES_BATCH_POINTS_MAX + 1;
    CHECK_INT(store_run_now(bed.store, write_job, &job, NULL), ST_LIMIT);
    bed_end(&bed);
}
