/* tests/series/test_roll.c: roll-ups against a plain list of the points they are made of.
 *
 * The model keeps all points sorted and works every bucket out anew, by the definition: a value
 * holds until the next one, a bucket begins at a whole minute or hour. Writes come in any order,
 * repeated ones among them, with sealing and rolling between them. */
#include "test.h"

#include "base/mem.h"
#include "series/roll.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { POINTS_MAX = 60000, BUCKETS_MAX = 8000 };
#define T0   ((int64_t)1795428000000000000) /* 2026-11-23T10:00:00Z */
#define HOUR ((int64_t)3600000000000)
#define DAY  (24 * HOUR)

static uint64_t seed = 88172645463325252u;

static uint64_t draw(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

typedef struct Bucket {
    int64_t t, first_ns, last_ns;
    double first, last, least, greatest, area, width;
    uint32_t count, odd;
    uint8_t worst, first_quality, last_quality;
    bool rolled;
} Bucket;

typedef struct Bed {
    Loop *loop;
    Store *store;
    SeriesWork *work;
    char dir[64], path[96];
    SeriesPoint *model;
    uint32_t count;
    Bucket want[BUCKETS_MAX], got[BUCKETS_MAX];
    uint32_t want_count, got_count;
    int64_t width, hold_ns; /* of the buckets compared */
    bool holds;             /* something that is not bad */
    double hold;
} Bed;

static const StoreMigration schema[] = {
    {1, "series", SERIES_SCHEMA_SQL SERIES_ROLL_SQL SERIES_NEWEST_SQL}, {0, NULL, NULL}};

static void bed_begin(Bed *bed)
{
    memset(bed, 0, sizeof *bed);
    (void)snprintf(bed->dir, sizeof bed->dir, "/tmp/tutti-roll-XXXXXX");
    CHECK(mkdtemp(bed->dir));
    (void)snprintf(bed->path, sizeof bed->path, "%s/s.db", bed->dir);
    CHECK_OK(loop_new(&bed->loop));
    CHECK_OK(store_sqlite_open(bed->loop, bed->path, &bed->store, NULL));
    CHECK_OK(store_migrate(bed->store, "series", schema, NULL));
    bed->work = series_work_new();
    bed->model = mem_zalloc(POINTS_MAX, sizeof *bed->model);
    CHECK(bed->work && bed->model);
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
    mem_free(bed->model);
    mem_free(bed);
}

/* ---- jobs ---- */

typedef struct Job {
    Bed *bed;
    SeriesPoint *points;
    uint32_t count;
    SeriesWant want;
    SeriesPolicy policy;
    int64_t now_ns;
    int level, rounds;
    bool wait;
    int64_t *bytes;
} Job;

static Status policy_of(void *ctx, StoreConn *conn, int64_t series, SeriesPolicy *ret, Diag *diag)
{
    (void)conn;
    (void)series;
    (void)diag;
    *ret = ((Job *)ctx)->policy;
    return ST_OK;
}

static Status write_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Job *job = ctx;
    return series_write(conn, job->bed->work, job->points, job->count, diag);
}

static Status seal_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Job *job = ctx;
    return series_seal(conn, job->bed->work, diag);
}

static Status roll_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Job *job = ctx;
    bool more = true;
    Status st = ST_OK;
    for (int i = 0; i < job->rounds && more && !st; i++)
        st = series_roll(conn, job->bed->work, policy_of, job, &more, diag);
    return st;
}

static Status forget_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Job *job = ctx;
    return series_forget(conn, 1, &job->policy, job->now_ns, &job->wait, diag);
}

static Status bytes_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Job *job = ctx;
    StoreStmt *stmt;
    bool row;
    Status st = store_prepare(conn, "SELECT sum(length(data)) FROM series_rolls WHERE level = 0",
                              &stmt, diag);
    if (!st) st = store_step(stmt, &row, diag);
    if (st) return st;
    *job->bytes = store_int(stmt, 0);
    store_reset(stmt);
    return ST_OK;
}

static const SeriesPolicy all = {INT64_MAX, {INT64_MAX, INT64_MAX}};

static void run(Bed *bed, StoreJobFn *fn, Job *job)
{
    Diag diag = {0};
    job->bed = bed;
    if (!job->rounds) job->rounds = 1 << 20;
    Status st = store_run_now(bed->store, fn, job, &diag);
    if (st) (void)fprintf(stderr, "%s\n", diag.text);
    CHECK_OK(st);
}

static void roll_all(Bed *bed)
{
    Job job = {.policy = all};
    run(bed, seal_job, &job);
    run(bed, roll_job, &job);
}

/* ---- model ---- */

static void model_put(Bed *bed, const SeriesPoint *point)
{
    uint32_t low = 0, high = bed->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (bed->model[middle].t_ns < point->t_ns)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == bed->count || bed->model[low].t_ns != point->t_ns) {
        CHECK(bed->count < POINTS_MAX);
        memmove(&bed->model[low + 1], &bed->model[low], (bed->count - low) * sizeof *bed->model);
        bed->count++;
    }
    bed->model[low] = *point;
}

static void write_points(Bed *bed, SeriesPoint *points, uint32_t count)
{
    Job job = {.points = points, .count = count};
    for (uint32_t i = 0; i < count; i++) model_put(bed, &points[i]);
    run(bed, write_job, &job);
}

static int64_t floor_to(int64_t t, int64_t width)
{
    return t - t % width;
}

static void model_buckets(Bed *bed, int64_t width, int64_t from, int64_t to)
{
    bed->want_count = 0;
    for (uint32_t i = 0; i < bed->count; i++) {
        const SeriesPoint *p = &bed->model[i], *before = i ? p - 1 : NULL;
        if (p->t_ns < from || p->t_ns > to) continue;
        int64_t t = floor_to(p->t_ns, width);
        Bucket *b = bed->want_count ? &bed->want[bed->want_count - 1] : NULL;
        if (!b || b->t != t) {
            CHECK(bed->want_count < BUCKETS_MAX);
            b = &bed->want[bed->want_count++];
            *b = (Bucket){.t = t,
                          .first_ns = p->t_ns,
                          .first = p->value,
                          .least = p->value,
                          .greatest = p->value};
            if (before && before->quality < SERIES_BAD) {
                b->area = before->value * (double)(p->t_ns - t);
                b->width = (double)(p->t_ns - t);
            }
        }
        int64_t next = i + 1 < bed->count && p[1].t_ns < t + width ? p[1].t_ns : t + width;
        if (p->quality < SERIES_BAD) {
            b->area += p->value * (double)(next - p->t_ns);
            b->width += (double)(next - p->t_ns);
        }
        if (b->count == 0) b->first_quality = p->quality;
        b->last_quality = p->quality;
        b->last = p->value;
        b->last_ns = p->t_ns;
        b->least = fmin(b->least, p->value);
        b->greatest = fmax(b->greatest, p->value);
        b->count++;
        b->odd += p->quality != 0;
        if (p->quality > b->worst) b->worst = p->quality;
    }
}

/* ---- what was read ---- */

static void close_raw(Bed *bed)
{
    Bucket *b = bed->got_count ? &bed->got[bed->got_count - 1] : NULL;
    if (!b || b->rolled || !bed->holds) return;
    b->area += bed->hold * (double)(b->t + bed->width - bed->hold_ns);
    b->width += (double)(b->t + bed->width - bed->hold_ns);
}

static bool got_point(void *ctx, int64_t t_ns, double value, uint8_t quality)
{
    Bed *bed = ctx;
    int64_t t = floor_to(t_ns, bed->width);
    Bucket *b = bed->got_count ? &bed->got[bed->got_count - 1] : NULL;
    CHECK(!b || b->t <= t);
    if (!b || b->t != t) {
        close_raw(bed);
        b = &bed->got[bed->got_count++];
        *b = (Bucket){.t = t,
                      .first_ns = t_ns,
                      .first = value,
                      .least = value,
                      .greatest = value,
                      .first_quality = quality};
        if (bed->holds) {
            b->area = bed->hold * (double)(t_ns - t);
            b->width = (double)(t_ns - t);
        }
    } else if (bed->holds) {
        b->area += bed->hold * (double)(t_ns - bed->hold_ns);
        b->width += (double)(t_ns - bed->hold_ns);
    }
    b->last = value;
    b->last_ns = t_ns;
    b->least = fmin(b->least, value);
    b->greatest = fmax(b->greatest, value);
    b->count++;
    b->odd += quality != 0;
    if (quality > b->worst) b->worst = quality;
    b->last_quality = quality;
    bed->holds = quality < SERIES_BAD;
    bed->hold = value;
    bed->hold_ns = t_ns;
    return true;
}

static bool got_roll(void *ctx, int level, const SeriesRoll *roll)
{
    Bed *bed = ctx;
    CHECK(series_roll_ns(level) == bed->width);
    CHECK(!bed->got_count || bed->got[bed->got_count - 1].t < roll->t_ns);
    close_raw(bed);
    bed->got[bed->got_count++] = (Bucket){.t = roll->t_ns,
                                          .first_ns = roll->first_ns,
                                          .last_ns = roll->last_ns,
                                          .first = roll->first,
                                          .last = roll->last,
                                          .least = roll->least,
                                          .greatest = roll->greatest,
                                          .area = roll->mean * roll->width_ns,
                                          .width = roll->width_ns,
                                          .count = roll->count,
                                          .odd = roll->odd,
                                          .worst = roll->worst,
                                          .first_quality = roll->first_quality,
                                          .last_quality = roll->last_quality,
                                          .rolled = true};
    bed->holds = roll->last_quality < SERIES_BAD;
    bed->hold = roll->last;
    bed->hold_ns = roll->t_ns + bed->width;
    return true;
}

static Status read_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Job *job = ctx;
    Bed *bed = job->bed;
    SeriesReader reader = {{got_point, NULL, bed}, got_roll};
    SeriesPoint before;
    Status st =
        series_value_before(conn, bed->work, 1, job->want.from_ns, &before, &bed->holds, diag);
    bed->holds = bed->holds && before.quality < SERIES_BAD;
    if (bed->holds) bed->hold = before.value;
    bed->hold_ns = job->want.from_ns;
    return st ? st : series_read(conn, bed->work, 1, &job->want, &reader, &job->level, diag);
}

/* How many buckets came as roll-ups. */
static uint32_t compare(Bed *bed, int level, int64_t from, int64_t to)
{
    Job job = {.want = {from, to, level, 0}};
    uint32_t rolled = 0;
    bed->width = series_roll_ns(level);
    bed->got_count = 0;
    run(bed, read_job, &job);
    close_raw(bed);
    model_buckets(bed, bed->width, from, to);
    CHECK_INT(bed->got_count, bed->want_count);
    for (uint32_t i = 0; i < bed->got_count; i++) {
        const Bucket *got = &bed->got[i], *want = &bed->want[i];
        CHECK(got->t == want->t && got->count == want->count && got->odd == want->odd);
        CHECK(got->first == want->first && got->last == want->last);
        CHECK(got->first_ns == want->first_ns && got->last_ns == want->last_ns);
        CHECK(got->least == want->least && got->greatest == want->greatest);
        CHECK_INT(got->worst, want->worst);
        CHECK_INT(got->first_quality, want->first_quality);
        CHECK_INT(got->last_quality, want->last_quality);
        CHECK(fabs(got->width - want->width) < 1);
        CHECK(want->width > 0 ? fabs(got->area / got->width - want->area / want->width) < 1e-9
                              : got->area == 0);
        rolled += got->rolled;
    }
    return rolled;
}

static SeriesPoint random_point(int64_t from, int64_t span, int64_t unit)
{
    SeriesPoint p = {1, from + (int64_t)(draw() % (uint64_t)(span / unit)) * unit,
                     (double)(draw() % 2000) / 10 - 100, 0};
    if (draw() % 20 == 0) p.quality = (uint8_t)(draw() % 3);
    return p;
}

/* ---- tests ---- */

TEST(any_order_of_writes_gives_the_buckets_of_all_points)
{
    Bed *bed = mem_zalloc(1, sizeof *bed);
    static SeriesPoint batch[2000];
    bed_begin(bed);
    for (int round = 0; round < 40; round++) {
        uint32_t count = 1 + (uint32_t)(draw() % 400);
        int64_t from = T0 + (int64_t)(draw() % 60) * HOUR, span = (round % 7 + 1) * HOUR;
        for (uint32_t i = 0; i < count; i++)
            batch[i] = i && draw() % 10 == 0 ? batch[i - 1] : random_point(from, span, 500000000);
        write_points(bed, batch, count);
        Job some = {.policy = all, .rounds = 1 + (int)(draw() % 3)};
        if (round % 3 == 0) run(bed, seal_job, &some);
        if (round % 2 == 0) run(bed, roll_job, &some);
        (void)compare(bed, SERIES_MINUTES, T0, T0 + 4 * DAY - 1);
        (void)compare(bed, SERIES_HOURS, T0, T0 + 4 * DAY - 1);
    }
    roll_all(bed);
    CHECK(compare(bed, SERIES_MINUTES, T0, T0 + 4 * DAY - 1) == bed->want_count);
    CHECK(compare(bed, SERIES_HOURS, T0, T0 + 4 * DAY - 1) == bed->want_count);
    bed_end(bed);
}

/* Written twice, rolled twice: nothing counts double. */
TEST(the_same_points_again_change_nothing)
{
    Bed *bed = mem_zalloc(1, sizeof *bed);
    static SeriesPoint batch[3000], again[3000];
    bed_begin(bed);
    for (uint32_t i = 0; i < 3000; i++) batch[i] = random_point(T0, 2 * DAY, 1000000000);
    memcpy(again, batch, sizeof again);
    write_points(bed, batch, 3000);
    roll_all(bed);
    write_points(bed, again, 3000);
    CHECK(compare(bed, SERIES_HOURS, T0, T0 + 3 * DAY) == 0); /* all dirty: points are read */
    roll_all(bed);
    CHECK(compare(bed, SERIES_HOURS, T0, T0 + 3 * DAY) == bed->want_count);
    bed_end(bed);
}

static void forget(Bed *bed, int64_t now, int64_t keep, bool want_wait)
{
    Job job = {.policy = {keep, {INT64_MAX, INT64_MAX}}, .now_ns = now};
    run(bed, forget_job, &job);
    CHECK_INT(job.wait, want_wait);
}

static int64_t raw_points(Bed *bed)
{
    Job job = {.want = {INT64_MIN, INT64_MAX, SERIES_RAW, 0}};
    bed->got_count = 0;
    bed->width = series_roll_ns(SERIES_MINUTES);
    run(bed, read_job, &job);
    int64_t count = 0;
    for (uint32_t i = 0; i < bed->got_count; i++)
        if (!bed->got[i].rolled) count += bed->got[i].count;
    return count;
}

TEST(what_is_not_rolled_up_is_not_forgotten)
{
    Bed *bed = mem_zalloc(1, sizeof *bed);
    static SeriesPoint batch[2000];
    bed_begin(bed);
    for (uint32_t i = 0; i < 2000; i++)
        batch[i] = (SeriesPoint){1, T0 + (int64_t)i * 10000000000, i, 0};
    write_points(bed, batch, 2000);
    forget(bed, T0 + 100 * DAY, DAY, true); /* loose */
    Job job = {.policy = all};
    run(bed, seal_job, &job);
    forget(bed, T0 + 100 * DAY, DAY, true); /* marked */
    CHECK(raw_points(bed) == 2000);
    run(bed, roll_job, &job);
    forget(bed, T0 + 100 * DAY, DAY, false);
    CHECK(raw_points(bed) == 0);
    CHECK(compare(bed, SERIES_MINUTES, T0, T0 + DAY) == bed->want_count);
    bed_end(bed);
}

/* Points gone: their buckets answer as before; a late point fills an empty bucket and no other. */
TEST(late_points_where_points_are_gone)
{
    Bed *bed = mem_zalloc(1, sizeof *bed);
    static SeriesPoint batch[2000];
    SeriesPoint late[2] = {{1, T0 + 30 * 60000000000, 4711, 0}, {1, T0 + 20000000000, 4711, 0}};
    bed_begin(bed);
    for (uint32_t i = 0; i < 60; i++) /* minutes 0 .. 9 and then 90 on */
        batch[i] = (SeriesPoint){1, T0 + (int64_t)i * 10000000000, i, 0};
    for (uint32_t i = 60; i < 2000; i++)
        batch[i] = (SeriesPoint){1, T0 + 90 * 60000000000 + (int64_t)i * 10000000000, i, 0};
    write_points(bed, batch, 2000);
    roll_all(bed);
    forget(bed, T0 + 100 * DAY, DAY, false);
    CHECK(compare(bed, SERIES_MINUTES, T0, T0 + DAY) == bed->want_count);
    CHECK(compare(bed, SERIES_HOURS, T0, T0 + DAY) == bed->want_count);
    for (int times = 0; times < 2; times++) {
        Job job = {.points = late, .count = 2, .policy = all};
        run(bed, write_job, &job);
        for (int stage = 0; stage < 3; stage++) { /* loose, sealed, rolled up */
            if (stage == 1) run(bed, seal_job, &job);
            if (stage == 2) run(bed, roll_job, &job);
            Job read = {.want = {T0, T0 + DAY, SERIES_MINUTES, 0}};
            bed->got_count = 0;
            bed->width = series_roll_ns(SERIES_MINUTES);
            run(bed, read_job, &read);
            CHECK(bed->got[0].count == 6 && bed->got[0].greatest == 5);
            CHECK(bed->got[10].t == T0 + 30 * 60000000000 && bed->got[10].count == 1);
            CHECK(bed->got[10].last == 4711);
        }
    }
    bed_end(bed);
}

/* Minutes 0 to 9 end with 59. Late: 4711 in minute 0, which is there, and 100 in the middle of
 * minute 30, which is not: half of it is 59, half 100. The hour is there and stays as it is. */
TEST(a_late_point_in_a_minute_that_is_there_holds_for_nothing)
{
    Bed *bed = mem_zalloc(1, sizeof *bed);
    SeriesPoint batch[60], more = {1, T0 + DAY, 0, 0};
    SeriesPoint late[2] = {{1, T0 + 25000000000, 4711, 0},
                           {1, T0 + 30 * 60000000000 + 30000000000, 100, 0}};
    bed_begin(bed);
    for (uint32_t i = 0; i < 60; i++)
        batch[i] = (SeriesPoint){1, T0 + (int64_t)i * 10000000000, i, 0};
    write_points(bed, batch, 60);
    write_points(bed, &more, 1);
    roll_all(bed);
    forget(bed, T0 + 100 * DAY, DAY, false);
    CHECK(raw_points(bed) == 0);
    for (int times = 0; times < 2; times++) {
        Job job = {.points = late, .count = 2, .policy = all};
        run(bed, write_job, &job);
        run(bed, seal_job, &job);
        run(bed, roll_job, &job);
        Job read = {.want = {T0, T0 + DAY, SERIES_MINUTES, 0}};
        bed->got_count = 0;
        bed->width = series_roll_ns(SERIES_MINUTES);
        run(bed, read_job, &read);
        const Bucket *b = &bed->got[10];
        CHECK(b->t == T0 + 30 * 60000000000 && b->count == 1);
        CHECK(fabs(b->area / b->width - 79.5) < 1e-9);
    }
    bed_end(bed);
}

/* A sensor of two decimals at 1 Hz: sums of 60 have two decimals, too. first, last, least, greatest
 * move by some hundred hundredths a minute, sums by some thousand: 9 and 14 bits, 50 in all. */
TEST(roll_ups_of_decimals_are_small)
{
    Bed *bed = mem_zalloc(1, sizeof *bed);
    static SeriesPoint batch[2000];
    int64_t hundredths = 5000, bytes = 0;
    bed_begin(bed);
    for (int part = 0; part < 30; part++) {
        for (uint32_t i = 0; i < 2000; i++) {
            hundredths += (int64_t)(draw() % 21) - 10;
            batch[i] = (SeriesPoint){1, T0 + ((int64_t)part * 2000 + i) * 1000000000,
                                     (double)hundredths / 100, 0};
        }
        write_points(bed, batch, 2000);
    }
    roll_all(bed);
    run(bed, bytes_job, &(Job){.bytes = &bytes});
    CHECK(bytes < 1000 * 7); /* 1,000 minutes */
    bed_end(bed);
}

TEST(roll_ups_are_forgotten_in_their_turn)
{
    Bed *bed = mem_zalloc(1, sizeof *bed);
    static SeriesPoint batch[2000];
    bed_begin(bed);
    for (uint32_t i = 0; i < 2000; i++) /* 83 days */
        batch[i] = (SeriesPoint){1, T0 + (int64_t)i * HOUR, i, 0};
    write_points(bed, batch, 2000);
    roll_all(bed);
    Job job = {.policy = {DAY, {10 * DAY, INT64_MAX}}, .now_ns = T0 + 2000 * HOUR};
    run(bed, forget_job, &job);
    CHECK(!job.wait);
    /* minutes of ten days and part of one; before them the hours answer */
    Job read = {.want = {T0, T0 + 2000 * HOUR, SERIES_HOURS, 0}};
    bed->width = HOUR;
    bed->got_count = 0;
    run(bed, read_job, &read);
    CHECK_INT(bed->got_count, 2000);
    CHECK_INT(read.level, SERIES_HOURS);
    job.policy.roll_ns[SERIES_MINUTES] = 0;
    run(bed, forget_job, &job);
    bed->got_count = 0;
    run(bed, read_job, &read);
    CHECK_INT(bed->got_count, 2000);
    bed_end(bed);
}
