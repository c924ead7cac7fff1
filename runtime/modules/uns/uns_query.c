/* runtime/modules/uns/uns_query.c: points, steps and values at moments of one path.
 *
 * A question goes the way of uns_history.c: what waits in memory is written first, then a job on
 * the store's reading side answers into a buffer. The work is done by runtime/series; here are
 * times, names and JSON. */
#include "modules/uns/uns.h"

#include "series/steps.h"

enum { POINTS_PRESET = 1000, POINTS_MOST = 10000, MOMENTS_MAX = 5000 };

typedef struct Question {
    Uns *uns;
    Req *req;
    StoreJobFn *job;
    Buf body;
    int64_t series, from_ns, to_ns, now_ns;
    /* points */
    uint32_t limit, count;
    SeriesPoint *points;
    bool more;
    /* steps, moments */
    SeriesSteps steps;
    bool linear;
    int64_t *at_ns;
} Question;

/* ---- the way of a question ---- */

static void on_answered(void *ctx, Status status, const Diag *diag)
{
    Question *q = ctx;
    Uns *uns = q->uns;
    if (status) { /* q lives in the request's arena, which goes with the answer */
        buf_done(&q->body);
        req_fail(q->req, status, "%s", diag ? diag->text : "");
    } else {
        req_answer_buf(q->req, &q->body);
    }
    uns__job_done(uns);
}

static void on_written(void *ctx, Status status, const Diag *diag)
{
    Question *q = ctx;
    (void)status; /* a failed write is reported where it happened; what is stored can be read */
    (void)diag;
    Status st = store_read(q->uns->env->store, q->job, on_answered, q);
    if (!st) return;
    Uns *uns = q->uns;
    buf_done(&q->body);
    req_fail(q->req, st, "too many questions at once");
    uns__job_done(uns);
}

static void ask(Question *q, StoreJobFn *job)
{
    Uns *uns = q->uns;
    q->job = job;
    buf_init(&q->body, UNS_ANSWER_BYTES_MAX);
    Status st = uns__keep_then(uns, on_written, q);
    if (st) req_fail(q->req, st, "too many questions at once");
}

bool uns__when(Str text, int64_t now_ns, int64_t *ret_ns)
{
    int64_t ms;
    if (uns_time_read(text, ret_ns)) return true;
    if (str_is(text, "now")) {
        *ret_ns = now_ns;
        return true;
    }
    if (!uns_when_read(text, now_ns / NS_PER_MS, &ms)) return false;
    *ret_ns = uns_ns(ms);
    return true;
}

/* Finds the series, reads from and to; NULL: the request was refused. */
static Question *question_new(Uns *uns, Req *req)
{
    Str path = json_str(req->in, "path", STR_NONE), from = json_str(req->in, "from", STR_NONE),
        to = json_str(req->in, "to", STR_NONE);
    const UnsNode *node = uns_tree_find(&uns->tree, path);
    Question *q = arena_one(req->arena, Question);
    if (!node || !q) {
        req_fail(req, node ? ST_NO_MEMORY : ST_NOT_FOUND, "nothing was published at %.*s yet",
                 STR_ARG(path));
        return NULL;
    }
    *q = (Question){
        .uns = uns, .req = req, .series = uns_node_series(node), .now_ns = clock_wall_ns()};
    q->to_ns = q->now_ns;
    if (!uns__when(from.len ? from : STR("-1h"), q->now_ns, &q->from_ns) ||
        (to.len && !uns__when(to, q->now_ns, &q->to_ns))) {
        req_fail(req, ST_INVALID, "from and to must be RFC 3339, milliseconds, now, or like -15m");
        return NULL;
    }
    if (q->to_ns >= q->from_ns) return q;
    req_fail(req, ST_INVALID, "to is before from");
    return NULL;
}

static const char *quality_name(uint8_t quality)
{
    static const char *const names[] = {"good", "uncertain", "bad"};
    return names[quality < COUNT_OF(names) ? quality : UNS_BAD];
}

static void put_time(JsonOut *out, int64_t t_ns)
{
    char room[40];
    json_put_str(out, uns_time_text(t_ns, room));
}

static void put_level(JsonOut *out, int level)
{
    json_field_text(out, "source",
                    level == SERIES_RAW       ? "points"
                    : level == SERIES_MINUTES ? "minutes"
                                              : "hours");
}

/* ---- points as they were ---- */

static bool take_point(void *ctx, int64_t t_ns, double value, uint8_t quality)
{
    Question *q = ctx;
    if (q->count == q->limit) {
        q->more = true;
        return false;
    }
    q->points[q->count++] = (SeriesPoint){q->series, t_ns, value, quality};
    return true;
}

static Status points_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Question *q = ctx;
    JsonOut out;
    SeriesVisitor visitor = {take_point, NULL, q};
    Status st = uns__read_work(q->uns, diag);
    if (!st)
        st = series_scan(conn, q->uns->read_work, q->series, q->from_ns, q->to_ns, &visitor, diag);
    if (st) return st;
    json_out_init(&out, &q->body);
    json_begin_object(&out);
    json_field_str(&out, "path", json_str(q->req->in, "path", STR_NONE));
    json_key(&out, "t");
    json_begin_array(&out);
    for (uint32_t i = 0; i < q->count; i++) put_time(&out, q->points[i].t_ns);
    json_end(&out);
    json_key(&out, "value");
    json_begin_array(&out);
    for (uint32_t i = 0; i < q->count; i++) json_put_number(&out, q->points[i].value);
    json_end(&out);
    json_key(&out, "quality");
    json_begin_array(&out);
    for (uint32_t i = 0; i < q->count; i++) json_put_text(&out, quality_name(q->points[i].quality));
    json_end(&out);
    json_key(&out, "next");
    if (q->more)
        put_time(&out, q->points[q->count - 1].t_ns + 1);
    else
        json_put_null(&out);
    json_end(&out);
    return ST_OK;
}

void uns__op_points(void *self, Req *req)
{
    Question *q = question_new(self, req);
    if (!q) return;
    q->limit = (uint32_t)json_int(req->in, "limit", POINTS_PRESET);
    q->points = arena_many(req->arena, SeriesPoint, q->limit);
    if (q->points)
        ask(q, points_job);
    else
        req_fail(req, ST_NO_MEMORY, "no memory for so many points");
}

/* ---- steps ---- */

typedef enum Column {
    COLUMN_T,
    COLUMN_MEAN,
    COLUMN_LEAST,
    COLUMN_GREATEST,
    COLUMN_FIRST,
    COLUMN_LAST,
    COLUMN_COUNT,
    COLUMN_QUALITY,
    COLUMN_GOOD_RATIO,
    COLUMNS
} Column;

static const char *const column_names[COLUMNS] = {"t",    "mean",  "min",     "max",       "first",
                                                  "last", "count", "quality", "good_ratio"};

static void put_cell(JsonOut *out, const SeriesStep *step, Column column)
{
    bool has = column == COLUMN_T || column == COLUMN_COUNT || column == COLUMN_QUALITY ||
               (column == COLUMN_MEAN ? step->width_ns > 0 : step->count > 0);
    if (!has) {
        json_put_null(out);
        return;
    }
    switch (column) {
    case COLUMN_T: put_time(out, step->t_ns); break;
    case COLUMN_MEAN: json_put_number(out, step->area / step->width_ns); break;
    case COLUMN_LEAST: json_put_number(out, step->least); break;
    case COLUMN_GREATEST: json_put_number(out, step->greatest); break;
    case COLUMN_FIRST: json_put_number(out, step->first); break;
    case COLUMN_LAST: json_put_number(out, step->last); break;
    case COLUMN_COUNT: json_put_int(out, step->count); break;
    case COLUMN_GOOD_RATIO: json_put_number(out, series_step_good(step)); break;
    default: json_put_text(out, quality_name(step->worst));
    }
}

static Status steps_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Question *q = ctx;
    JsonOut out;
    Status st = uns__read_work(q->uns, diag);
    if (!st) st = series_steps_fill(conn, q->uns->read_work, q->series, q->now_ns, &q->steps, diag);
    if (st) return st;
    json_out_init(&out, &q->body);
    json_begin_object(&out);
    json_field_str(&out, "path", json_str(q->req->in, "path", STR_NONE));
    json_field_str(&out, "step", json_str(q->req->in, "step", STR_NONE));
    put_level(&out, q->steps.level);
    for (int column = 0; column < COLUMNS; column++) {
        json_key(&out, column_names[column]);
        json_begin_array(&out);
        for (uint32_t i = 0; i < q->steps.count; i++) {
            const SeriesStep *step = &q->steps.step[i];
            if (series_step_known(step)) put_cell(&out, step, (Column)column);
        }
        json_end(&out);
    }
    json_end(&out);
    return ST_OK;
}

void uns__op_steps(void *self, Req *req)
{
    Diag diag = {0};
    Question *q = question_new(self, req);
    if (!q) return;
    Status st = series_steps_cut(req->arena, json_str(req->in, "step", STR_NONE),
                                 json_str(req->in, "zone", STR_NONE), q->from_ns, q->to_ns,
                                 &q->steps, &diag);
    if (st)
        req_fail(req, st, "%s", diag.text);
    else
        ask(q, steps_job);
}

/* ---- values at moments ---- */

static Status moments_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Question *q = ctx;
    JsonOut out;
    SeriesMoment *moments = arena_many(q->req->arena, SeriesMoment, q->count);
    Status st = moments ? uns__read_work(q->uns, diag) : ST_NO_MEMORY;
    for (uint32_t i = 0; i < q->count && !st; i++)
        st = series_moment(conn, q->uns->read_work, q->series, q->at_ns[i], q->linear, &moments[i],
                           diag);
    if (st) return st;
    json_out_init(&out, &q->body);
    json_begin_object(&out);
    json_field_str(&out, "path", json_str(q->req->in, "path", STR_NONE));
    json_field_text(&out, "method", q->linear ? "linear" : "last");
    json_key(&out, "t");
    json_begin_array(&out);
    for (uint32_t i = 0; i < q->count; i++) put_time(&out, q->at_ns[i]);
    json_end(&out);
    json_key(&out, "value");
    json_begin_array(&out);
    for (uint32_t i = 0; i < q->count; i++)
        if (moments[i].known)
            json_put_number(&out, moments[i].value);
        else
            json_put_null(&out);
    json_end(&out);
    json_key(&out, "quality");
    json_begin_array(&out);
    for (uint32_t i = 0; i < q->count; i++)
        json_put_text(&out, moments[i].known ? quality_name(moments[i].quality) : NULL);
    json_end(&out);
    json_key(&out, "from");
    json_begin_array(&out);
    for (uint32_t i = 0; i < q->count; i++)
        if (moments[i].known)
            put_time(&out, moments[i].t_ns);
        else
            json_put_null(&out);
    json_end(&out);
    json_end(&out);
    return ST_OK;
}

/* The moments asked for: a list, or where steps begin. */
static bool read_moments(Question *q)
{
    Req *req = q->req;
    Diag diag = {0};
    const Json *times = json_get(req->in, "times");
    Str step = json_str(req->in, "step", STR_NONE);
    if (!times == !step.len) {
        req_fail(req, ST_INVALID, "say either times or from, to and step");
        return false;
    }
    if (step.len) {
        Status st = series_steps_cut(req->arena, step, json_str(req->in, "zone", STR_NONE),
                                     q->from_ns, q->to_ns, &q->steps, &diag);
        if (!st && q->steps.count > MOMENTS_MAX)
            st = diag_set(&diag, ST_LIMIT, "more than %d moments", MOMENTS_MAX);
        if (st) {
            req_fail(req, st, "%s", diag.text);
            return false;
        }
    }
    q->at_ns = arena_many(req->arena, int64_t, (times ? times->count : q->steps.count) + 1);
    if (!q->at_ns) {
        req_fail(req, ST_NO_MEMORY, "no memory for so many moments");
        return false;
    }
    for (uint32_t i = 0; i < q->steps.count; i++) q->at_ns[q->count++] = q->steps.step[i].t_ns;
    for (const Json *each = times ? times->first : NULL; each; each = each->next) {
        Str text = each->type == JSON_STRING ? each->text : each->raw;
        if (uns__when(text, q->now_ns, &q->at_ns[q->count++])) continue;
        req_fail(req, ST_INVALID, "times[%u] must be RFC 3339, milliseconds, now, or like -15m",
                 q->count - 1);
        return false;
    }
    return true;
}

void uns__op_moments(void *self, Req *req)
{
    Str method = json_str(req->in, "method", STR("last"));
    Question *q = question_new(self, req);
    if (!q) return;
    q->linear = str_is(method, "linear");
    if (!q->linear && !str_is(method, "last")) {
        req_fail(req, ST_INVALID, "method is last or linear");
        return;
    }
    if (read_moments(q)) ask(q, moments_job);
}
