/* runtime/modules/uns/uns_history.c: samples of one path, reduced to the pixels that show them.
 *
 * What waits in memory is written first, so a spike of a second ago is in the answer. Per bucket
 * the smallest and the largest value are kept: no spike vanishes at any zoom. The reduction runs on
 * the store's reading side, streaming, with memory for the pixels only. */
#include "modules/uns/uns.h"

#include "base/mem.h"
#include "series/roll.h"

enum { PIXELS_PRESET = 800, PIXEL_POINTS_MAX = 300000 };

typedef struct Bucket {
    int64_t t_ms, count, bad;
    bool gap; /* its last value is bad: what is behind it is not known until the next row */
    double min, max, last;
    double area, width_ms; /* value times time, and how much of the bucket has a value */
} Bucket;

typedef struct History {
    Uns *uns;
    Req *req;
    int64_t series, from_ms, to_ms, bucket_ms;
    uint64_t points;
    uint32_t pixels, bucket_count;
    Bucket *buckets; /* in the request's arena */
    bool raw, has_before;
    double before;
    /* the last value, which holds until the next; a bad one holds for nothing */
    bool holds;
    double hold;
    int64_t hold_ms, now_ms;
    int level; /* the coarsest roll-up that was read; SERIES_RAW: none */
} History;

static Bucket *last_bucket(const History *history)
{
    return history->bucket_count ? &history->buckets[history->bucket_count - 1] : NULL;
}

/* The held value counts up to t, inside the last bucket: time in buckets without a point is of no
 * row. */
static void hold_until(History *history, int64_t t_ms)
{
    Bucket *bucket = last_bucket(history);
    if (!bucket || !history->holds || history->raw) return;
    int64_t from_ms = history->hold_ms > bucket->t_ms ? history->hold_ms : bucket->t_ms;
    int64_t end_ms = bucket->t_ms + history->bucket_ms;
    if (t_ms > end_ms) t_ms = end_ms;
    if (t_ms <= from_ms) return;
    bucket->area += history->hold * (double)(t_ms - from_ms);
    bucket->width_ms += (double)(t_ms - from_ms);
}

static void hold(History *history, int64_t t_ms, double value, uint8_t quality)
{
    history->holds = quality < SERIES_BAD;
    history->hold = value;
    history->hold_ms = t_ms;
}

/* False when there is no room for another bucket. */
static bool add(History *history, int64_t t_ms, double value, uint8_t quality)
{
    int64_t start = t_ms;
    if (!history->raw)
        start =
            history->from_ms + (t_ms - history->from_ms) / history->bucket_ms * history->bucket_ms;
    hold_until(history, t_ms);
    Bucket *bucket = last_bucket(history);
    if (!bucket || bucket->t_ms != start) {
        if (history->bucket_count == history->pixels) return false;
        bucket = &history->buckets[history->bucket_count++];
        *bucket = (Bucket){.t_ms = start, .min = value, .max = value};
        hold_until(history, t_ms);
    }
    hold(history, t_ms, value, quality);
    bucket->gap = quality >= SERIES_BAD;
    if (value < bucket->min) bucket->min = value;
    if (value > bucket->max) bucket->max = value;
    bucket->last = value;
    bucket->count++;
    bucket->bad += quality != UNS_GOOD;
    return true;
}

/* A whole block, when one bucket holds all of it: it need not be read then. */
static bool add_summary(void *ctx, const SeriesSummary *sum)
{
    History *history = ctx;
    int64_t from_ms = sum->t_first_ns / NS_PER_MS, to_ms = sum->t_last_ns / NS_PER_MS;
    if (history->raw || (from_ms - history->from_ms) / history->bucket_ms !=
                            (to_ms - history->from_ms) / history->bucket_ms)
        return false;
    if (!add(history, from_ms, sum->first, UNS_GOOD)) return true;
    Bucket *bucket = last_bucket(history);
    if (sum->least < bucket->min) bucket->min = sum->least;
    if (sum->greatest > bucket->max) bucket->max = sum->greatest;
    bucket->last = sum->last;
    bucket->count += sum->points - 1;
    bucket->bad += sum->odd;
    bucket->area += sum->area / (double)NS_PER_MS;
    bucket->width_ms +=
        (double)((uint64_t)sum->t_last_ns - (uint64_t)sum->t_first_ns) / (double)NS_PER_MS;
    hold(history, to_ms, sum->last, UNS_GOOD);
    return true;
}

/* A roll-up: whole into the bucket where it begins, which may be shorter than it where points are
 * gone. */
static bool add_roll(void *ctx, int level, const SeriesRoll *roll)
{
    History *history = ctx;
    int64_t t_ms = roll->t_ns / NS_PER_MS;
    if (!add(history, t_ms, roll->first, UNS_GOOD)) return false;
    Bucket *bucket = last_bucket(history);
    if (roll->least < bucket->min) bucket->min = roll->least;
    if (roll->greatest > bucket->max) bucket->max = roll->greatest;
    bucket->last = roll->last;
    bucket->count += roll->count - 1;
    bucket->bad += roll->odd;
    bucket->area += roll->mean * (roll->width_ns / (double)NS_PER_MS);
    bucket->width_ms += roll->width_ns / (double)NS_PER_MS;
    hold(history, (roll->t_ns + series_roll_ns(level)) / NS_PER_MS, roll->last, roll->last_quality);
    bucket->gap = roll->last_quality >= SERIES_BAD;
    return true;
}

static bool count_roll(void *ctx, int level, const SeriesRoll *roll)
{
    History *history = ctx;
    (void)level;
    history->points += roll->count + history->pixels; /* no row of it is one sample */
    return true;
}

static bool add_point(void *ctx, int64_t t_ns, double value, uint8_t quality)
{
    return add(ctx, t_ns / NS_PER_MS, value, quality);
}

/* Counts up to one more than the pixels. */
static bool count_summary(void *ctx, const SeriesSummary *sum)
{
    History *history = ctx;
    history->points += sum->points;
    return true;
}

static bool count_point(void *ctx, int64_t t_ns, double value, uint8_t quality)
{
    History *history = ctx;
    (void)t_ns;
    (void)value;
    (void)quality;
    return ++history->points <= history->pixels;
}

/* Roll-ups much finer than a pixel show the same. */
static int level_for(const History *history)
{
    for (int level = SERIES_LEVELS - 1; level >= 0; level--)
        if (series_roll_ns(level) / NS_PER_MS * 4 <= history->bucket_ms) return level;
    return SERIES_RAW;
}

static Status read_job(StoreConn *conn, void *ctx, Diag *diag)
{
    History *history = ctx;
    SeriesWork **work = &history->uns->read_work;
    SeriesReader count = {{count_point, count_summary, history}, count_roll},
                 reduce = {{add_point, add_summary, history}, add_roll};
    int64_t from_ns = uns_ns(history->from_ms), to_ns = uns_ns(history->to_ms);
    if (to_ns <= INT64_MAX - NS_PER_MS) to_ns += NS_PER_MS - 1; /* the whole millisecond */
    SeriesWant want = {from_ns, to_ns, level_for(history), PIXEL_POINTS_MAX};
    SeriesPoint before;
    Status st = uns__read_work(history->uns, diag);
    if (!st)
        st = series_value_before(conn, *work, history->series, from_ns, &before,
                                 &history->has_before, diag);
    if (!st && history->has_before) {
        history->before = before.value;
        hold(history, history->from_ms, before.value, before.quality);
        history->has_before = history->holds;
    }
    if (!st) st = series_read(conn, *work, history->series, &want, &count, &history->level, diag);
    history->raw = history->points <= history->pixels;
    if (!st) st = series_read(conn, *work, history->series, &want, &reduce, &history->level, diag);
    if (!st)
        hold_until(history,
                   history->to_ms < history->now_ms ? history->to_ms + 1 : history->now_ms);
    return st;
}

typedef enum Column {
    COLUMN_T,
    COLUMN_MIN,
    COLUMN_MAX,
    COLUMN_LAST,
    COLUMN_MEAN,
    COLUMN_COUNT,
    COLUMN_BAD,
    COLUMN_GAP
} Column;

static void put_column(JsonOut *out, const History *history, const char *name, Column column)
{
    json_key(out, name);
    json_begin_array(out);
    for (uint32_t i = 0; i < history->bucket_count; i++) {
        const Bucket *bucket = &history->buckets[i];
        switch (column) {
        case COLUMN_T: json_put_int(out, bucket->t_ms); break;
        case COLUMN_MIN: json_put_number(out, bucket->min); break;
        case COLUMN_MAX: json_put_number(out, bucket->max); break;
        case COLUMN_LAST: json_put_number(out, bucket->last); break;
        case COLUMN_MEAN:
            if (bucket->width_ms > 0)
                json_put_number(out, bucket->area / bucket->width_ms);
            else if (bucket->gap)
                json_put_null(out);
            else
                json_put_number(out, bucket->last);
            break;
        case COLUMN_COUNT: json_put_int(out, bucket->count); break;
        case COLUMN_BAD: json_put_int(out, bucket->bad); break;
        case COLUMN_GAP: json_put_bool(out, bucket->gap); break;
        }
    }
    json_end(out);
}

static void answer(History *history)
{
    Buf body;
    JsonOut out;
    buf_init(&body, UNS_ANSWER_BYTES_MAX);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_field_str(&out, "path", json_str(history->req->in, "path", STR_NONE));
    json_field_int(&out, "from", history->from_ms);
    json_field_int(&out, "to", history->to_ms);
    json_field_int(&out, "bucket_ms", history->bucket_ms);
    json_field_bool(&out, "raw", history->raw);
    json_field_text(&out, "source",
                    history->level == SERIES_RAW       ? "points"
                    : history->level == SERIES_MINUTES ? "minutes"
                                                       : "hours");
    json_key(&out, "before");
    if (history->has_before)
        json_put_number(&out, history->before);
    else
        json_put_null(&out);
    put_column(&out, history, "t", COLUMN_T);
    put_column(&out, history, "min", COLUMN_MIN);
    put_column(&out, history, "max", COLUMN_MAX);
    put_column(&out, history, "last", COLUMN_LAST);
    put_column(&out, history, "mean", COLUMN_MEAN);
    put_column(&out, history, "count", COLUMN_COUNT);
    put_column(&out, history, "bad", COLUMN_BAD);
    put_column(&out, history, "gap", COLUMN_GAP);
    json_end(&out);
    req_answer_buf(history->req, &body);
}

static void on_read(void *ctx, Status status, const Diag *diag)
{
    History *history = ctx;
    Uns *uns = history->uns;
    if (status)
        req_fail(history->req, status, "%s", diag ? diag->text : "");
    else
        answer(history);
    uns__job_done(uns);
}

/* The write side has committed everything that was received before the question. */
static void on_written(void *ctx, Status status, const Diag *diag)
{
    History *history = ctx;
    (void)status; /* a failed write is reported where it happened; what is stored can be read */
    (void)diag;
    Status st = store_read(history->uns->env->store, read_job, on_read, history);
    if (!st) return;
    Uns *uns = history->uns;
    req_fail(history->req, st, "too many questions at once");
    uns__job_done(uns);
}

void uns__op_history(void *self, Req *req)
{
    Uns *uns = self;
    Str path = json_str(req->in, "path", STR_NONE), from = json_str(req->in, "from", STR("-1h")),
        to = json_str(req->in, "to", STR_NONE);
    int64_t now_ms = clock_wall_ns() / NS_PER_MS;
    const UnsNode *node = uns_tree_find(&uns->tree, path);
    History *history = arena_one(req->arena, History);
    if (!node || !history) {
        req_fail(req, node ? ST_NO_MEMORY : ST_NOT_FOUND, "nothing was published at %.*s yet",
                 STR_ARG(path));
        return;
    }
    *history = (History){
        .uns = uns, .req = req, .series = uns_node_series(node), .to_ms = now_ms, .now_ms = now_ms};
    history->pixels = (uint32_t)json_int(req->in, "pixels", PIXELS_PRESET);
    if (!uns_when_read(from.len ? from : STR("-1h"), now_ms, &history->from_ms) ||
        (to.len && !uns_when_read(to, now_ms, &history->to_ms)) ||
        history->to_ms < history->from_ms) {
        req_fail(req, ST_INVALID, "from and to must be RFC 3339, milliseconds, now, or like -15m");
        return;
    }
    /* ends of the time that a sample can have */
    if (history->from_ms < INT64_MIN / NS_PER_MS) history->from_ms = INT64_MIN / NS_PER_MS;
    if (history->to_ms > INT64_MAX / NS_PER_MS) history->to_ms = INT64_MAX / NS_PER_MS;
    if (history->to_ms < history->from_ms) history->to_ms = history->from_ms;
    int64_t span = history->to_ms - history->from_ms + 1;
    history->bucket_ms = (span + history->pixels - 1) / history->pixels;
    history->buckets = arena_many(req->arena, Bucket, history->pixels);
    if (!history->buckets) {
        req_fail(req, ST_NO_MEMORY, "not enough memory for so many pixels");
        return;
    }
    Status st = uns__keep_then(uns, on_written, history);
    if (st) req_fail(req, st, "too many questions at once");
}
