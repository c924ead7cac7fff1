/* runtime/modules/logs/logs.c: keeps log lines in a file of their own and finds them again.
 *
 * The sink runs in whatever thread logs, with the log's lock held: it only copies the line into a
 * bounded list. The loop writes what gathered, every flush_ms, as one job, and publishes logs.line
 * once it is stored. Lines that find the list full are counted and the count is stored as a line.
 * This module never logs about its own failures: that would feed itself.
 * Search is SQLite's FTS5 (unicode61); the caller's words are quoted, so that no text of a user is
 * ever FTS syntax. Rows and their index entries are written and deleted together in one job. */
#include "modules/logs/logs_int.h"

#include "base/clock.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdio.h>

typedef struct LogsConf {
    int64_t keep_ms, keep_bytes, flush_ms, waiting_max;
} LogsConf;

typedef struct Line {
    struct Line *next;
    LogsRow row; /* its texts lie behind the struct */
} Line;

typedef struct Logs {
    const ModEnv *env;
    const LogsConf *conf;
    pthread_mutex_t lock; /* guards the next four */
    Line *first, **end;
    int64_t waiting;
    uint64_t lost; /* since the last flush */
    bool posted;   /* a flush is on its way */
    /* On the heap: it is closed by a later turn of the loop, when the module is gone. */
    uv_async_t *wake;
    LoopTimer *flush, *trim;
    bool writing, again; /* a flush came while one was being written */
    DoneFn *drain_done;
    void *drain_ctx;
} Logs;

/* ---- the sink, on any thread ---- */

static Str copy_text(char **at, Str text)
{
    char *to = *at;
    if (text.len) memcpy(to, text.ptr, text.len);
    *at += text.len;
    return (Str){to, text.len};
}

static Line *line_new(int64_t time_ms, LogLevel level, Str module, Str message, Str detail)
{
    Line *line = mem_alloc(sizeof *line + module.len + message.len + detail.len + 1);
    if (!line) return NULL;
    char *at = (char *)(line + 1);
    line->next = NULL;
    line->row = (LogsRow){.time_ms = time_ms, .level = (int)level};
    line->row.module = copy_text(&at, module);
    line->row.message = copy_text(&at, message);
    line->row.detail = copy_text(&at, detail);
    return line;
}

static void sink(void *ctx, const LogLine *from)
{
    Logs *logs = ctx;
    Line *line = line_new(from->wall_ns / NS_PER_MS, from->level, str_from(from->module),
                          str_from(from->message), from->detail);
    pthread_mutex_lock(&logs->lock);
    if (!line || logs->waiting >= logs->conf->waiting_max) {
        logs->lost++;
        mem_free(line);
    } else {
        *logs->end = line;
        logs->end = &line->next;
        logs->waiting++;
    }
    if (!logs->posted) logs->posted = uv_async_send(logs->wake) == 0;
    pthread_mutex_unlock(&logs->lock);
}

/* ---- writing ---- */

typedef struct Batch {
    Logs *logs;
    Line *lines;
} Batch;

static void free_lines(Line *line)
{
    for (Line *next; line; line = next) {
        next = line->next;
        mem_free(line);
    }
}

static Status write_batch(StoreConn *conn, void *ctx, Diag *diag)
{
    Status st = ST_OK;
    for (Line *line = ((Batch *)ctx)->lines; line && !st; line = line->next)
        st = logs__insert(conn, &line->row, diag);
    return st;
}

static void publish(Logs *logs, const LogsRow *row)
{
    Buf buf;
    JsonOut out;
    buf_init(&buf, BUS_BODY_BYTES_MAX);
    json_out_init(&out, &buf);
    logs__put_row(&out, row);
    if (!buf_status(&buf)) (void)!bus_publish(logs->env->bus, STR("logs.line"), buf_view(&buf));
    buf_done(&buf);
}

static void drained(Logs *logs)
{
    DoneFn *done = logs->drain_done;
    logs->drain_done = NULL;
    if (done) done(logs->drain_ctx);
}

static void count_lost(Logs *logs, uint64_t lost)
{
    pthread_mutex_lock(&logs->lock);
    logs->lost += lost;
    pthread_mutex_unlock(&logs->lock);
}

static void start_flush(Logs *logs);

static void batch_written(void *ctx, Status status, const Diag *diag __attribute__((unused)))
{
    Batch *batch = ctx;
    Logs *logs = batch->logs;
    uint64_t lost = 0;
    for (const Line *line = batch->lines; line; line = line->next) {
        if (status)
            lost++;
        else
            publish(logs, &line->row);
    }
    if (lost) count_lost(logs, lost);
    free_lines(batch->lines);
    mem_free(batch);
    logs->writing = false;
    if (logs->drain_done || logs->again) start_flush(logs);
}

/* Takes what waits; a line about lost ones goes behind it. */
static Line *take_lines(Logs *logs)
{
    char detail[64];
    pthread_mutex_lock(&logs->lock);
    Line *first = logs->first;
    if (logs->lost) {
        int len = snprintf(detail, sizeof detail, "count=%llu", (unsigned long long)logs->lost);
        Line *line = line_new(clock_wall_ns() / NS_PER_MS, LOG_WARN, STR("logs"),
                              STR("log lines were lost"), (Str){detail, (size_t)len});
        if (line) {
            *logs->end = line;
            first = logs->first;
            logs->lost = 0;
        }
    }
    logs->first = NULL;
    logs->end = &logs->first;
    logs->waiting = 0;
    pthread_mutex_unlock(&logs->lock);
    return first;
}

static void start_flush(Logs *logs)
{
    logs->again = logs->writing;
    if (logs->writing) return; /* its end comes here again */
    Line *lines = take_lines(logs);
    if (!lines) {
        drained(logs);
        return;
    }
    Batch *batch = mem_alloc(sizeof *batch);
    if (batch) *batch = (Batch){logs, lines};
    logs->writing = batch && !store_write(logs->env->store, write_batch, batch_written, batch);
    if (logs->writing) return;
    uint64_t lost = 0;
    for (const Line *line = lines; line; line = line->next) lost++;
    count_lost(logs, lost);
    free_lines(lines);
    mem_free(batch);
    drained(logs);
}

static void on_flush(void *ctx)
{
    Logs *logs = ctx;
    pthread_mutex_lock(&logs->lock);
    logs->posted = false;
    pthread_mutex_unlock(&logs->lock);
    start_flush(logs);
}

/* The first line of a burst: the others have flush_ms to come along. */
static void on_wake(uv_async_t *wake)
{
    Logs *logs = wake->data;
    if (!logs || logs->flush) return;
    if (loop_once(logs->env->loop, (uint64_t)logs->conf->flush_ms, on_flush, logs, &logs->flush))
        on_flush(logs);
}

/* ---- keeping within limits ---- */

typedef struct Trim {
    int64_t oldest_ms, bytes_max;
} Trim;

static Status run_trim(StoreConn *conn, void *ctx, Diag *diag)
{
    const Trim *trim = ctx;
    return logs__trim(conn, trim->oldest_ms, trim->bytes_max, diag);
}

static void trim_done(void *ctx, Status status __attribute__((unused)),
                      const Diag *diag __attribute__((unused)))
{
    mem_free(ctx); /* a failed round is repeated by the next */
}

static void on_trim(void *ctx)
{
    Logs *logs = ctx;
    Trim *trim = mem_alloc(sizeof *trim);
    if (!trim) return;
    *trim = (Trim){clock_wall_ns() / NS_PER_MS - logs->conf->keep_ms, logs->conf->keep_bytes};
    if (store_write(logs->env->store, run_trim, trim_done, trim)) mem_free(trim);
}

/* ---- searching ---- */

typedef struct Search {
    Req *req;
    LogsQuery query;
    Buf out;
} Search;

static Status run_search(StoreConn *conn, void *ctx, Diag *diag)
{
    Search *search = ctx;
    JsonOut out;
    json_out_init(&out, &search->out);
    json_begin_object(&out);
    json_key(&out, "lines");
    json_begin_array(&out);
    Status st = logs__search(conn, &search->query, &out, diag);
    json_end(&out);
    json_end(&out);
    if (!st && buf_status(&search->out))
        st = diag_set(diag, buf_status(&search->out), "too many lines for one answer: lower limit");
    return st;
}

static void search_done(void *ctx, Status status, const Diag *diag)
{
    Search *search = ctx;
    if (status)
        req_fail(search->req, status, "%s", diag->text);
    else
        req_answer(search->req, buf_view(&search->out));
    buf_done(&search->out);
    mem_free(search);
}

static bool level_of(Str name, int *ret_level)
{
    for (int level = LOG_DEBUG; level <= LOG_ERROR; level++) {
        if (!str_is(name, log_level_name((LogLevel)level))) continue;
        *ret_level = level;
        return true;
    }
    return name.len == 0;
}

static void op_search(void *self, Req *req)
{
    Logs *logs = self;
    const Json *in = req->in;
    LogsQuery query = {.words = json_str(in, "q", STR("")),
                       .module = json_str(in, "module", STR("")),
                       .since_ms = json_int(in, "since", 0),
                       .before = json_int(in, "before", INT64_MAX),
                       .limit = json_int(in, "limit", 200)};
    if (!level_of(json_str(in, "level", STR("")), &query.level)) {
        req_fail(req, ST_INVALID, "level is debug, info, warn or error");
        return;
    }
    Search *search = mem_zalloc(1, sizeof *search);
    if (!search) {
        req_fail(req, ST_NO_MEMORY, "no memory for the search");
        return;
    }
    search->req = req;
    search->query = query; /* its texts live in the request's arena until it is answered */
    buf_init(&search->out, BUS_BODY_BYTES_MAX);
    Status st = store_read(logs->env->store, run_search, search_done, search);
    if (!st) return;
    buf_done(&search->out);
    mem_free(search);
    req_fail(req, st, "%s", status_text(st));
}

/* ---- life ---- */

enum { TRIM_FIRST_MS = 60000, TRIM_EVERY_MS = 600000 };

static Status logs_open(void *self, const ModEnv *env, Diag *diag)
{
    Logs *logs = self;
    logs->env = env;
    logs->conf = env->conf;
    logs->end = &logs->first;
    pthread_mutex_init(&logs->lock, NULL);
    logs->wake = mem_zalloc(1, sizeof *logs->wake);
    if (!logs->wake) return diag_set(diag, ST_NO_MEMORY, "no memory for logs");
    (void)uv_async_init(loop_uv(env->loop), logs->wake, on_wake);
    logs->wake->data = logs;
    return ST_OK;
}

static void wake_closed(uv_handle_t *handle)
{
    mem_free(handle);
}

static Status logs_start(void *self, Diag *diag)
{
    Logs *logs = self;
    Status st =
        loop_timer_start(logs->env->loop, TRIM_FIRST_MS, TRIM_EVERY_MS, on_trim, logs, &logs->trim);
    if (st) return diag_set(diag, st, "no memory for a timer");
    log_set_sink(logs->env->log, sink, logs);
    return ST_OK;
}

static void logs_drain(void *self, DoneFn *done, void *ctx)
{
    Logs *logs = self;
    logs->drain_done = done;
    logs->drain_ctx = ctx;
    start_flush(logs);
}

static void logs_close(void *self)
{
    Logs *logs = self;
    log_set_sink(logs->env->log, NULL, NULL);
    if (logs->wake) {
        logs->wake->data = NULL;
        uv_close((uv_handle_t *)logs->wake, wake_closed);
    }
    loop_timer_stop(logs->flush);
    loop_timer_stop(logs->trim);
    free_lines(logs->first);
    pthread_mutex_destroy(&logs->lock);
}

/* ---- tables ---- */

static const Field search_in[] = {
    {"q", FIELD_STR, 0, 0, 1000, "words that must occur, each as the beginning of a word"},
    {"level", FIELD_STR, 0, 0, 10, "debug, info, warn, error: this or worse"},
    {"module", FIELD_STR, 0, 0, 100, "only lines of this module"},
    {"since", FIELD_INT, 0, 0, 9e15, "not older than this, in milliseconds since 1970"},
    {"before", FIELD_INT, 0, 0, 9e15, "only lines with a smaller id, to read on"},
    {"limit", FIELD_INT, 0, 1, 1000, "how many lines at most: 200"},
    {0}};
static const Field search_out[] = {
    {"lines", FIELD_ARRAY, 0, 0, 0, "newest first: id, time, level, module, message, detail"}, {0}};
static const ModOp ops[] = {{"logs.search", op_search, search_in, search_out, 10000, ROLE_VIEW,
                             OP_READ, "finds log lines, newest first"},
                            {0}};

static const Field line_body[] = {
    {"id", FIELD_INT, 0, 0, 0, "grows with each line"},
    {"time", FIELD_INT, 0, 0, 0, "milliseconds since 1970"},
    {"level", FIELD_STR, 0, 0, 0, "debug, info, warn, error"},
    {"module", FIELD_STR, 0, 0, 0, "who wrote it"},
    {"message", FIELD_STR, 0, 0, 0, "what happened, always the same words"},
    {"detail", FIELD_STR, 0, 0, 0, "key=value of this case"},
    {0}};
static const ModPub pubs[] = {{"logs.line", line_body, "a log line was stored"}, {0}};
static const ModRoute routes[] = {{"GET", "/api/v1/logs", "logs.search", NULL}, {0}};

static const ModConf conf[] = {
    {"keep", CONF_MS, "30d", 60000, 315360000000, offsetof(LogsConf, keep_ms), 0,
     "older lines are deleted"},
    {"bytes", CONF_BYTES, "256MiB", 1 << 20, 1LL << 40, offsetof(LogsConf, keep_bytes), 0,
     "when the file holds more, the oldest lines are deleted"},
    {"flush", CONF_MS, "200", 1, 60000, offsetof(LogsConf, flush_ms), 0,
     "lines gather for so long before they are written together"},
    {"waiting_max", CONF_INT, "8192", 16, 1000000, offsetof(LogsConf, waiting_max), 0,
     "lines that may wait to be written; more are counted and lost"},
    {0}};

const ModuleDef logs_module = {
    .abi = MODULE_ABI,
    .name = "logs",
    .doc = "log lines: kept, searched, announced",
    .self_bytes = sizeof(Logs),
    .conf_bytes = sizeof(LogsConf),
    .store_file = "logs.db",
    .conf = conf,
    .migrations = logs__migrations,
    .ops = ops,
    .pubs = pubs,
    .routes = routes,
    .open = logs_open,
    .start = logs_start,
    .drain = logs_drain,
    .close = logs_close,
};
