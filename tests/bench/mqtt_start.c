/* tests/bench/mqtt_start.c: how long the broker takes to be back with a file of some size.
 *
 *   mqtt_start FILE build QUEUED_MIB RETAINED_MIB [BYTES 1024] [SESSIONS 10] [shared]
 *   mqtt_start FILE hold  reads as of now until its input ends: a log that nobody can checkpoint
 *   mqtt_start FILE       opens and restores; prints when it could listen and when all retained
 *                         messages were read, CPU time, and memory
 *
 * `build` writes what the broker would have written: SESSIONS durable sessions with a filter each,
 * the waiting messages spread over them (shared: all wait for the same ones), and retained
 * messages. What a kill leaves behind is not here: tests/e2e/broker.mjs has that. */
#include "base/clock.h"
#include "mqtt/keep.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { BATCH_BYTES = 8 << 20, BYTES_MAX = 1 << 20 };

typedef struct Build {
    Store *store;
    Buf batch;
    char payload[BYTES_MAX];
    uint32_t bytes;
    bool shared;
} Build;

static Status apply_job(StoreConn *conn, void *ctx, Diag *diag)
{
    return mqtt__keep_apply(conn, ctx, diag);
}

static void need(Status st, const Diag *diag)
{
    if (!st) return;
    (void)fprintf(stderr, "mqtt_start: %s\n", diag->text[0] ? diag->text : status_text(st));
    exit(1);
}

static void write_out(Build *b)
{
    Diag diag = {0};
    need(buf_status(&b->batch), &diag);
    need(store_run_now(b->store, apply_job, &b->batch, &diag), &diag);
    buf_clear(&b->batch);
}

static size_t begin(Build *b, KeepHead head)
{
    size_t at = b->batch.len;
    buf_add(&b->batch, &head, sizeof head);
    return at;
}

static void end(Build *b, size_t at)
{
    uint32_t bytes = (uint32_t)(b->batch.len - at - sizeof(KeepHead));
    if (!b->batch.failed)
        memcpy(b->batch.ptr + at + offsetof(KeepHead, bytes), &bytes, sizeof bytes);
    if (b->batch.len > BATCH_BYTES) write_out(b);
}

static void put_message(Build *b, const char *topic, uint8_t qos)
{
    KeepMsg msg = {.pub = {.topic = str_from(topic),
                           .payload = {b->payload, b->bytes},
                           .publisher = STR("publisher"),
                           .received_ns = clock_wall_ns(),
                           .qos = qos}};
    mqtt__keep_put_msg(&b->batch, &msg);
}

static void sessions(Build *b, uint32_t count, uint64_t queued)
{
    char name[64];
    for (uint32_t slot = 1; slot <= count; slot++) {
        (void)snprintf(name, sizeof name, "session-%u", slot);
        KeepSession row = {.id = str_from(name), .expiry_s = 86400, .version = 5};
        size_t at = begin(b, (KeepHead){.op = KEEP_SESSION, .id = slot});
        mqtt__keep_put_session(&b->batch, &row);
        end(b, at);
        (void)snprintf(name, sizeof name, "line/%u/#", slot);
        KeepFilter filter = {.filter = str_from(name), .qos = 1};
        at = begin(b, (KeepHead){.op = KEEP_FILTER, .id = slot});
        mqtt__keep_put_filter(&b->batch, &filter);
        end(b, at);
        KeepMark mark = {queued, queued * (b->bytes + 128), queued, 0};
        at = begin(b, (KeepHead){.op = KEEP_MARK, .id = slot});
        buf_add(&b->batch, &mark, sizeof mark);
        end(b, at);
    }
}

static void waiting(Build *b, uint32_t count, uint64_t queued)
{
    char name[64];
    for (uint64_t seq = 1; seq <= queued; seq++) {
        size_t at = begin(b, (KeepHead){.op = KEEP_BODY, .id = seq, .number = count});
        if (b->shared) put_message(b, "line/all/machine", 1);
        if (b->shared)
            end(b, at);
        else
            b->batch.len = at;
        for (uint32_t slot = 1; slot <= count; slot++) {
            (void)snprintf(name, sizeof name, "line/%u/machine", slot);
            KeepHead head = {.op = KEEP_QUEUE,
                             .flags = 1,
                             .id = keep_row(slot, seq),
                             .number = b->shared ? seq : 0};
            at = begin(b, head);
            mqtt__keep_put_entry(&b->batch, NULL, 0);
            if (!b->shared) put_message(b, name, 1);
            end(b, at);
        }
    }
}

static void build(const char *path, char **args, int count)
{
    static Build b;
    Diag diag = {0};
    Loop *loop;
    uint64_t queued = strtoull(args[0], NULL, 10) << 20, retained = strtoull(args[1], NULL, 10)
                                                                    << 20;
    b.bytes = count > 2 ? (uint32_t)strtoul(args[2], NULL, 10) : 1024;
    uint32_t slots = count > 3 ? (uint32_t)strtoul(args[3], NULL, 10) : 10;
    if (!b.bytes || b.bytes > BYTES_MAX || !slots || slots >= KEEP_SLOTS_MAX) exit(2);
    buf_init(&b.batch, 64 << 20);
    for (uint32_t i = 0; i < b.bytes; i++) b.payload[i] = (char)('a' + i % 26);
    need(loop_new(&loop), &diag);
    need(store_sqlite_open(loop, path, &b.store, &diag), &diag);
    need(store_migrate(b.store, "mqtt", mqtt__keep_migrations, &diag), &diag);
    b.shared = count > 4 && strcmp(args[4], "shared") == 0;
    queued = queued / b.bytes / (b.shared ? 1 : slots);
    sessions(&b, slots, queued);
    waiting(&b, slots, queued);
    for (uint64_t i = 1; i <= retained / b.bytes; i++) {
        char topic[64];
        (void)snprintf(topic, sizeof topic, "plant/line%u/machine%u/value%u", (unsigned)(i % 100),
                       (unsigned)(i / 100 % 100), (unsigned)(i / 10000));
        size_t at = begin(&b, (KeepHead){.op = KEEP_RETAIN, .id = i});
        put_message(&b, topic, 1);
        end(&b, at);
    }
    write_out(&b);
    store_close(b.store);
    loop_free(loop);
}

static Status hold_job(StoreConn *conn, void *ctx, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    char byte;
    Status st = store_prepare(conn, "SELECT count(*) FROM sqlite_schema", &stmt, diag);
    if (!st) st = store_step(stmt, &row, diag);
    (void)ctx;
    (void)printf("held\n");
    (void)fflush(stdout);
    while (!st && read(STDIN_FILENO, &byte, 1) > 0) continue;
    return st;
}

static void hold(const char *path)
{
    Diag diag = {0};
    Loop *loop;
    Store *store;
    need(loop_new(&loop), &diag);
    need(store_sqlite_open(loop, path, &store, &diag), &diag);
    need(store_read(store, hold_job, NULL, NULL), &diag);
    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0) continue;
    _exit(0); /* nothing is checkpointed */
}

static double cpu_s(void)
{
    struct rusage use;
    (void)getrusage(RUSAGE_SELF, &use);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

static void start(const char *path)
{
    Diag diag = {0};
    Loop *loop = NULL;
    Store *store;
    MqttBroker *broker;
    MqttBrokerStats stats;
    struct rusage use;
    Log *log = log_new(LOG_INFO, false);
    need(log ? loop_new(&loop) : ST_NO_MEMORY, &diag);
    int64_t begin_ns = clock_monotonic_ns();
    need(mqtt_store_open(loop, path, log, &store, &diag), &diag);
    double opened_s = (double)(clock_monotonic_ns() - begin_ns) / 1e9;
    MqttBrokerConf conf = {.store = store,
                           .retained_max = 100000000,
                           .retained_bytes = (uint64_t)64 << 30,
                           .queue_bytes_total = (uint64_t)64 << 30,
                           .durable_queue_max = 100000000};
    need(mqtt_broker_open(loop, &conf, log, &broker), &diag);
    need(mqtt_broker_restore(broker, &diag), &diag);
    double ready_s = (double)(clock_monotonic_ns() - begin_ns) / 1e9, ready_cpu_s = cpu_s();
    mqtt_broker_stats(broker, &stats);
    while (stats.retained_unread) {
        (void)uv_run(loop_uv(loop), UV_RUN_ONCE);
        mqtt_broker_stats(broker, &stats);
    }
    double all_s = (double)(clock_monotonic_ns() - begin_ns) / 1e9;
    (void)getrusage(RUSAGE_SELF, &use);
    printf("{\"open_s\":%.3f,\"ready_s\":%.3f,\"ready_cpu_s\":%.3f,\"all_s\":%.3f,\"cpu_s\":%.3f,"
           "\"sessions\":%llu,\"queued\":%llu,\"retained\":%llu,\"memory_mib\":%ld}\n",
           opened_s, ready_s, ready_cpu_s, all_s, cpu_s(), (unsigned long long)stats.sessions_now,
           (unsigned long long)stats.queued_now, (unsigned long long)stats.retained_now,
           use.ru_maxrss / 1024);
    (void)fflush(stdout);
    _exit(0); /* as a kill would */
}

int main(int count, char **args)
{
    if (count > 4 && strcmp(args[2], "build") == 0)
        build(args[1], args + 3, count - 3);
    else if (count == 3 && strcmp(args[2], "hold") == 0)
        hold(args[1]);
    else if (count == 2)
        start(args[1]);
    else
        return 2;
    return 0;
}
