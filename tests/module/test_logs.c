/* tests/module/test_logs.c: lines come in from threads, are found by words, and go by age and size.
 */
#include "mod_bed.h"

#include "base/clock.h"
#include "modules/logs/logs_int.h"

#include <pthread.h>

extern const ModuleDef logs_module;

static const ModuleDef *const only_logs[] = {&logs_module, NULL};
static const HostConf quick[] = {{"logs", "flush", "1"}, {0}};

typedef struct LogBed {
    ModBed mod;
    BusSub *sub;
    int lines, expected;
    char last[256];
} LogBed;

static void on_line(void *ctx, const BusMsg *msg)
{
    LogBed *bed = ctx;
    (void)snprintf(bed->last, sizeof bed->last, "%.*s", STR_ARG(msg->body));
    if (++bed->lines == bed->expected) loop_stop(bed->mod.loop);
}

static void begin(LogBed *bed, const HostConf *conf)
{
    Diag diag = {0};
    memset(bed, 0, sizeof *bed);
    bed_begin(&bed->mod);
    log_free(bed->mod.log);
    bed->mod.log = log_new(LOG_DEBUG, false);
    CHECK_OK(bus_subscribe(bed->mod.bus, "logs.line", NULL, 100000, 0, on_line, bed, &bed->sub));
    Status st = bed_open(&bed->mod, only_logs, conf, &diag);
    if (st) print_error("%s\n", diag.text);
    CHECK_OK(st);
}

static void wait_lines(LogBed *bed, int count)
{
    bed->expected = count;
    while (bed->lines < count) bed_run(&bed->mod);
}

static uint32_t found(LogBed *bed, const char *query)
{
    Status st = bed_ask(&bed->mod, "logs.search", query);
    if (st) print_error("%s: %.*s\n", query, STR_ARG(bed->mod.body));
    CHECK_OK(st);
    return json_get(bed->mod.json, "lines")->count;
}

static Str field(LogBed *bed, uint32_t index, const char *name)
{
    return json_str(json_at(json_get(bed->mod.json, "lines"), index), name, STR(""));
}

TEST(logs_are_found_by_words_level_and_module)
{
    LogBed bed;
    begin(&bed, quick);
    Log *log = bed.mod.log;
    log_info(log, "mqtt", "client connected", "client=%s", "press-07");
    log_warn(log, "mqtt", "client refused", "client=%s reason=%s", "press-08", "\"quoted\"");
    log_error(log, "engine", "compile failed", "pipeline=M\xc3\xbcller line=%d", 12);
    wait_lines(&bed, 3);
    CHECK(strstr(bed.last, "\"message\":\"compile failed\""));
    CHECK_INT(found(&bed, "{}"), 3);
    CHECK_STR(field(&bed, 0, "message"), "compile failed"); /* newest first */
    CHECK_STR(field(&bed, 2, "detail"), "client=press-07");
    CHECK_INT(found(&bed, "{\"q\":\"client\"}"), 2);
    CHECK_INT(found(&bed, "{\"q\":\"REFUSED press\"}"), 1);
    CHECK_INT(found(&bed, "{\"q\":\"conn\"}"), 1);      /* beginning of a word */
    CHECK_INT(found(&bed, "{\"q\":\"m\\u00fcl\"}"), 1); /* unicode61 folds case */
    CHECK_INT(found(&bed, "{\"q\":\"client engine\"}"), 0);
    CHECK_INT(found(&bed, "{\"level\":\"warn\"}"), 2);
    CHECK_INT(found(&bed, "{\"level\":\"warn\",\"module\":\"mqtt\"}"), 1);
    CHECK_INT(found(&bed, "{\"limit\":1}"), 1);
    CHECK_INT(found(&bed, "{\"before\":2}"), 1);
    CHECK_INT(found(&bed, "{\"since\":8000000000000}"), 0);
    CHECK_INT(bed_ask(&bed.mod, "logs.search", "{\"level\":\"loud\"}"), ST_INVALID);
    bed_end(&bed.mod);
}

TEST(logs_search_takes_any_text)
{
    static const char *const odd[] = {"\\\"",
                                      "AND",
                                      "OR NOT",
                                      "NEAR(a b)",
                                      "a*b",
                                      "(",
                                      ")",
                                      "^x",
                                      "col:x",
                                      "-",
                                      "\\u0000",
                                      "\\u0000x",
                                      "***",
                                      "{}",
                                      "\\\"\\\"",
                                      "a\\\"b",
                                      "'; DROP TABLE logs_lines",
                                      "\\u00a0",
                                      "+",
                                      "\\\\"};
    LogBed bed;
    char query[200];
    begin(&bed, quick);
    log_info(bed.mod.log, "test", "one line", "a=1");
    wait_lines(&bed, 1);
    for (size_t i = 0; i < COUNT_OF(odd); i++) {
        (void)snprintf(query, sizeof query, "{\"q\":\"%s\"}", odd[i]);
        (void)found(&bed, query); /* never an error */
    }
    CHECK_INT(found(&bed, "{}"), 1);
    bed_end(&bed.mod);
}

enum { THREADS = 4, LINES = 500 };

static void *write_lines(void *ctx)
{
    for (int i = 0; i < LINES; i++) log_debug(ctx, "thread", "a line", "n=%d", i);
    return NULL;
}

/* Sends standard error away, so that thousands of lines do not drown the report. */
static int quiet(void)
{
    int old = dup(STDERR_FILENO);
    CHECK(freopen("/dev/null", "w", stderr));
    return old;
}

static void loud(int old)
{
    CHECK(dup2(old, STDERR_FILENO) >= 0);
    close(old);
}

TEST(logs_of_threads_all_arrive_and_survive_a_restart)
{
    LogBed bed;
    pthread_t threads[THREADS];
    begin(&bed, quick);
    int old = quiet();
    for (int i = 0; i < THREADS; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, write_lines, bed.mod.log), 0);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    loud(old);
    wait_lines(&bed, THREADS * LINES);
    bed_close_host(&bed.mod);
    CHECK_OK(bed_open(&bed.mod, only_logs, quick, NULL));
    CHECK_INT(found(&bed, "{\"q\":\"n=499\",\"module\":\"thread\",\"limit\":1000}"), THREADS);
    bed_end(&bed.mod);
}

static void on_drained(void *ctx)
{
    loop_stop(ctx);
}

TEST(logs_drain_writes_what_waits)
{
    static const HostConf slow[] = {{"logs", "flush", "1min"}, {0}};
    LogBed bed;
    begin(&bed, slow);
    log_info(bed.mod.log, "test", "last words", "a=1");
    host_drain(bed.mod.host, BED_DEADLINE_MS, on_drained, bed.mod.loop);
    bed_run(&bed.mod);
    bed_close_host(&bed.mod);
    CHECK_OK(bed_open(&bed.mod, only_logs, slow, NULL));
    CHECK_INT(found(&bed, "{\"q\":\"words\"}"), 1);
    bed_end(&bed.mod);
}

TEST(logs_lost_lines_are_counted)
{
    static const HostConf narrow[] = {{"logs", "flush", "1"}, {"logs", "waiting_max", "16"}, {0}};
    LogBed bed;
    begin(&bed, narrow);
    for (int i = 0; i < 30; i++) log_info(bed.mod.log, "test", "burst", "n=%d", i);
    wait_lines(&bed, 17);
    CHECK(strstr(bed.last, "count=14"));
    bed_end(&bed.mod);
}

/* ---- limits, on the tables themselves ---- */

static Status fill_and_trim(StoreConn *conn, void *ctx, Diag *diag)
{
    int64_t *left = ctx; /* in: bytes_max; out: lines left, first time left */
    Status st = ST_OK;
    for (int i = 0; i < 20000 && !st; i++) {
        char detail[80];
        int len = snprintf(detail, sizeof detail, "number=%d some words to fill the page", i);
        LogsRow row = {.time_ms = 1000 + i,
                       .level = LOG_INFO,
                       .module = STR("fill"),
                       .message = STR("a line"),
                       .detail = {detail, (size_t)len}};
        st = logs__insert(conn, &row, diag);
    }
    if (!st) st = logs__trim(conn, 1000 + 500, left[0], diag);
    StoreStmt *stmt = NULL;
    bool row = false;
    if (!st) st = store_prepare(conn, "SELECT count(*),min(time_ms) FROM logs_lines", &stmt, diag);
    if (!st) st = store_step(stmt, &row, diag);
    if (st) return st;
    left[0] = store_int(stmt, 0);
    left[1] = store_int(stmt, 1);
    store_reset(stmt);
    /* FTS5 compares its index with the table and fails when they differ. */
    return store_exec(conn, "INSERT INTO logs_text(logs_text,rank) VALUES('integrity-check',1)",
                      diag);
}

static void trim_case(int64_t bytes_max, int64_t *left)
{
    ModBed bed;
    Store *store = NULL;
    char path[128];
    Diag diag = {0};
    bed_begin(&bed);
    (void)snprintf(path, sizeof path, "%s/t.db", bed.dir);
    CHECK_OK(store_sqlite_open(bed.loop, path, &store, NULL));
    CHECK_OK(store_migrate(store, "logs", logs__migrations, &diag));
    left[0] = bytes_max;
    Status st = store_run_now(store, fill_and_trim, left, &diag);
    if (st) print_error("%s\n", diag.text);
    CHECK_OK(st);
    store_close(store);
    bed_end(&bed);
}

TEST(logs_go_by_age_and_by_size_and_the_index_with_them)
{
    int64_t left[2];
    trim_case(1 << 30, left);
    CHECK_INT(left[0], 19500); /* 500 are older than the limit */
    CHECK_INT(left[1], 1500);
    trim_case(1 << 20, left);
    CHECK(left[0] > 1000 && left[0] < 15000);
}
