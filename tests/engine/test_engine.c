/* tests/engine/test_engine.c: the engine with pipelines written by hand and a real MQTT publisher.
 *
 * The publisher is a thread with a plain socket that speaks MQTT 3.1.1 (OASIS, 2014) byte by byte,
 * so acknowledgements are seen as any client sees them. The programs are tables as the compiler
 * makes them: they copy each record, and fail those that start with "bad". */
#include "test.h"

#include "base/mem.h"
#include "flow/abi.h"
#include "module/compiler.h"
#include "module/host.h"
#include "mqtt/broker.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

extern const ModuleDef engine_module;

/* ---- two programs, equal but for their names ---- */

static const RtApi *api;

static void bind_api(const RtApi *given)
{
    if (api != given) { /* bound again for each version, while others run */
        api = given;
    }
}

static void copy_records(RtPipe *pipe, const RtBatch *batch)
{
    for (u32 i = 0; i < batch->count; i++) {
        const RtRecord *record = &batch->records[i];
        pipe->raw = record->ptr;
        pipe->raw_len = record->len;
        pipe->received_ns = record->received_ns;
        pipe->n.in++;
        if (record->len >= 3 && memcmp(record->ptr, "bad", 3) == 0) {
            api->error(pipe, 0, RT_BAD_JSON, NULL, NULL);
            continue;
        }
        for (u32 sink = 0; sink < pipe->info->sink_count; sink++) {
            char *w = api->row_begin(pipe, sink, record->len + 1);
            memcpy(w, record->ptr, record->len);
            w[record->len] = '\n';
            RtValue none = {.s = {"", 0}};
            api->row_end(pipe, sink, w + record->len + 1, none, none);
        }
        pipe->wires[0].count++;
        pipe->n.emitted++;
    }
}

static char out_path[128];
static RtSinkInfo sinks[] = {{.kind = "file",
                              .connection = "",
                              .address = out_path,
                              .options = "{}",
                              .format = "text",
                              .keys = "[]",
                              .node = 1},
                             {.kind = "uns",
                              .connection = "",
                              .address = "copy/last",
                              .options = "{}",
                              .format = "text",
                              .keys = "[]",
                              .node = 1}};
static const RtSourceInfo sources[] = {{.kind = "mqtt",
                                        .connection = "",
                                        .address = "in/#",
                                        .options = "{\"qos\":1}",
                                        .format = "raw"}};
static const RtNodeInfo nodes[] = {{"from", "from mqtt", 1, 1}, {"into", "into file", 2, 1}};
static const RtWireInfo wires[] = {{0, 1, 0, NULL}};

#define PIPELINE(sink_total)                                                                       \
    {                                                                                              \
        .name = "copy", .sources = sources, .sinks = sinks, .nodes = nodes, .wires = wires,        \
        .source_count = 1, .sink_count = (sink_total), .node_count = 2, .wire_count = 1,           \
        .feed = copy_records                                                                       \
    }
static const RtPipelineInfo pipe_file[] = {PIPELINE(1)};
static const RtPipelineInfo pipe_both[] = {PIPELINE(2)};
static const RtProgram program_a = {
    .abi = RT_ABI, .pipeline_count = 1, .name = "a", .pipelines = pipe_file, .bind = bind_api};
static const RtProgram program_b = {
    .abi = RT_ABI, .pipeline_count = 1, .name = "b", .pipelines = pipe_both, .bind = bind_api};

static Status fake_compile(void *ctx, Arena *arena, Str file, Str text, ProgramLink link,
                           ProgramCompiled *ret, Diag *diag)
{
    (void)ctx;
    (void)arena;
    (void)file;
    (void)link;
    (void)diag;
    bool a = str_starts(text, STR("A")), b = str_starts(text, STR("B"));
    *ret = (ProgramCompiled){
        .ok = a || b,
        .table = a ? &program_a : &program_b,
        .problems = a || b ? STR("[]")
                           : STR("[{\"code\":\"P001\",\"severity\":\"error\",\"line\":1,"
                                 "\"column\":2,\"text\":\"nothing fits\"}]")};
    return ST_OK;
}

static const ProgramCompiler fake = {.compile = fake_compile};

/* ---- loop, broker, host ---- */

typedef struct Bed {
    Loop *loop;
    Bus *bus;
    Log *log;
    Host *host;
    MqttBroker *broker;
    LoopTimer *deadline;
    char dir[64];
    uint16_t port;
    bool late, answered, drained;
    Status status;
    Arena *arena;
    Str body;
    const Json *json;
} Bed;

static void on_late(void *ctx)
{
    Bed *bed = ctx;
    bed->late = true;
    loop_stop(bed->loop);
}

static void bed_up(Bed *bed)
{
    static const ModuleDef *const modules[] = {&engine_module, NULL};
    HostOptions options = {.loop = bed->loop,
                           .bus = bed->bus,
                           .log = bed->log,
                           .data_dir = bed->dir,
                           .broker = bed->broker,
                           .modules = modules};
    Diag diag = {0};
    Status st = host_open(&options, &bed->host, &diag);
    if (st) {
        fprintf(stderr, "%s\n", diag.text);
    }
    CHECK_OK(st);
}

static void bed_begin(Bed *bed)
{
    memset(bed, 0, sizeof(*bed));
    (void)snprintf(bed->dir, sizeof bed->dir, "/tmp/tutti-engine-XXXXXX");
    CHECK(mkdtemp(bed->dir));
    (void)snprintf(out_path, sizeof out_path, "%s/out.txt", bed->dir);
    program_compiler_set(&fake);
    bed->arena = arena_new(0, (size_t)256 << 20);
    bed->log = log_new(LOG_ERROR, false);
    CHECK_OK(loop_new(&bed->loop));
    CHECK_OK(loop_timer_start(bed->loop, 60000, 0, on_late, bed, &bed->deadline));
    CHECK_OK(bus_local_open(bed->loop, &bed->bus));
    MqttBrokerConf conf = {0};
    CHECK_OK(mqtt_broker_open(bed->loop, &conf, bed->log, &bed->broker));
    CHECK_OK(mqtt_broker_listen_tcp(bed->broker, "127.0.0.1:0", &bed->port, NULL));
    bed_up(bed);
}

static void on_drained(void *ctx)
{
    Bed *bed = ctx;
    bed->drained = true;
    loop_stop(bed->loop);
}

static void on_closed(void *ctx)
{
    loop_stop(((Bed *)ctx)->loop);
}

static void remove_folder(const char *dir)
{
    DIR *list = opendir(dir);
    for (struct dirent *entry; list && (entry = readdir(list));) {
        char path[512];
        (void)snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        (void)unlink(path);
    }
    closedir(list);
    (void)rmdir(dir);
}

static void bed_end(Bed *bed)
{
    host_drain(bed->host, 8000, on_drained, bed);
    loop_run(bed->loop);
    CHECK(bed->drained);
    host_close(bed->host);
    mqtt_broker_close(bed->broker, on_closed, bed);
    loop_run(bed->loop);
    bus_close(bed->bus);
    loop_free(bed->loop);
    log_free(bed->log);
    arena_free(bed->arena);
    char inner[100];
    (void)snprintf(inner, sizeof inner, "%s/engine", bed->dir);
    remove_folder(inner);
    remove_folder(bed->dir);
}

static void on_answer(void *ctx, Status status, Str body)
{
    Bed *bed = ctx;
    bed->status = status;
    bed->body = arena_str(bed->arena, body);
    bed->json = NULL;
    if (json_read(bed->arena, bed->body, &bed->json, NULL)) {
        bed->json = NULL;
    }
    loop_stop(bed->loop);
}

static Status ask(Bed *bed, const char *op, const char *body)
{
    CHECK_OK(bus_request(bed->bus, str_from(op), str_from(body), NULL, 20000, on_answer, bed));
    loop_run(bed->loop);
    CHECK(!bed->late);
    return bed->status;
}

/* Asks again and again until a number of the answer is as wanted: the event, with a deadline. */
static void until(Bed *bed, const char *op, const char *field, int64_t want)
{
    do {
        CHECK_OK(ask(bed, op, "{\"name\":\"copy\"}"));
    } while (json_int(bed->json, field, -1) != want);
}

/* ---- the publisher ---- */

typedef struct Publisher {
    pthread_t thread;
    uint16_t port;
    uint32_t total, window;
    const char *text; /* printf format with one number */
    atomic_uint acked;
    atomic_bool done, broken;
} Publisher;

static bool put_all(int fd, const void *bytes, size_t len)
{
    return send(fd, bytes, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static bool get_all(int fd, void *bytes, size_t len)
{
    return recv(fd, bytes, len, MSG_WAITALL) == (ssize_t)len;
}

static bool publish(int fd, uint32_t number, const char *format)
{
    unsigned char packet[256] = {0x32, 0, 0, 4, 'i', 'n', '/', 'x'};
    char text[200];
    int len = snprintf(text, sizeof text, format, number);
    uint16_t id = (uint16_t)(number % 60000 + 1);
    packet[8] = (unsigned char)(id >> 8);
    packet[9] = (unsigned char)id;
    memcpy(packet + 10, text, (size_t)len);
    packet[1] = (unsigned char)(8 + len);
    return len < 100 && put_all(fd, packet, (size_t)len + 10);
}

static void *publisher_main(void *ctx)
{
    static const unsigned char connect_packet[] = {0x10, 15, 0,  4, 'M', 'Q', 'T', 'T', 4,
                                                   2,    0,  60, 0, 3,   'p', 'u', 'b'};
    Publisher *pub = ctx;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(pub->port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    unsigned char answer[4];
    bool ok = connect(fd, (struct sockaddr *)&to, sizeof to) == 0 &&
              put_all(fd, connect_packet, sizeof connect_packet) && get_all(fd, answer, 4) &&
              answer[0] == 0x20 && answer[3] == 0;
    uint32_t sent = 0;
    while (ok && pub->acked < pub->total) {
        if (sent < pub->total && sent - pub->acked < pub->window) {
            ok = publish(fd, sent++, pub->text);
            continue;
        }
        ok = get_all(fd, answer, 4) && answer[0] == 0x40;
        pub->acked++;
    }
    close(fd);
    atomic_store(&pub->broken, !ok);
    atomic_store(&pub->done, true);
    return NULL;
}

static void publisher_start(Publisher *pub, const Bed *bed, uint32_t total, const char *text)
{
    memset(pub, 0, sizeof(*pub));
    pub->port = bed->port;
    pub->total = total;
    pub->window = 100;
    pub->text = text;
    CHECK_INT(pthread_create(&pub->thread, NULL, publisher_main, pub), 0);
}

static void publisher_wait(Publisher *pub, Bed *bed)
{
    while (!atomic_load(&pub->done)) {
        CHECK_OK(ask(bed, "engine.list", "{}"));
    }
    CHECK_INT(pthread_join(pub->thread, NULL), 0);
    CHECK(!atomic_load(&pub->broken));
}

/* The file must hold 0, 1, 2 ... total-1, one a line. Returns the first line that is wrong. */
static int64_t first_wrong(uint32_t total)
{
    FILE *file = fopen(out_path, "r");
    char line[100];
    int64_t at = 0;
    if (!file) {
        return 0;
    }
    for (; fgets(line, sizeof line, file); at++) {
        if (atoll(line) != at) {
            fclose(file);
            return at;
        }
    }
    fclose(file);
    return at == total ? -1 : at;
}

TEST(a_program_is_deployed_runs_and_is_seen)
{
    Bed bed;
    Publisher pub;
    bed_begin(&bed);
    CHECK_OK(ask(&bed, "engine.deploy", "{\"text\":\"A\",\"file\":\"copy.tutti\"}"));
    CHECK_STR(json_at(json_get(bed.json, "deployed"), 0)->text, "copy");
    CHECK_INT(json_int(bed.json, "version", 0), 1);
    publisher_start(&pub, &bed, 1000, "%u");
    publisher_wait(&pub, &bed);
    CHECK_INT(first_wrong(1000), -1);
    until(&bed, "engine.get", "in", 1000);
    CHECK_INT(json_int(bed.json, "out", 0), 1000);
    CHECK_STR(json_str(bed.json, "state", STR("")), "running");
    CHECK_STR(json_str(bed.json, "text", STR("")), "A");
    bed_end(&bed);
}

TEST(a_wrong_program_changes_nothing)
{
    Bed bed;
    bed_begin(&bed);
    CHECK_OK(ask(&bed, "engine.deploy", "{\"text\":\"A\",\"file\":\"copy.tutti\"}"));
    CHECK_INT(ask(&bed, "engine.deploy", "{\"text\":\"?\",\"file\":\"copy.tutti\"}"), ST_INVALID);
    CHECK(bed.json);
    CHECK_STR(json_str(json_at(json_get(bed.json, "problems"), 0), "code", STR("")), "P001");
    CHECK_OK(ask(&bed, "engine.get", "{\"name\":\"copy\"}"));
    CHECK_STR(json_str(bed.json, "state", STR("")), "running");
    CHECK_INT(json_int(bed.json, "version", 0), 1);
    CHECK_INT(ask(&bed, "engine.deploy", "{\"text\":\"B\",\"file\":\"other.tutti\"}"), ST_CONFLICT);
    CHECK_OK(ask(&bed, "engine.check", "{\"text\":\"?\"}"));
    CHECK(!json_bool(bed.json, "ok", true));
    bed_end(&bed);
}

/* The promise of hot deployment: 200 new versions under load, every acknowledged message once. */
TEST(two_hundred_versions_lose_and_double_nothing)
{
    enum { MESSAGES = 30000, SWAPS = 200 };
    Bed bed;
    Publisher pub;
    bed_begin(&bed);
    CHECK_OK(ask(&bed, "engine.deploy", "{\"text\":\"A\",\"file\":\"copy.tutti\"}"));
    publisher_start(&pub, &bed, MESSAGES, "%u");
    int swaps = 0;
    for (; swaps < SWAPS || !atomic_load(&pub.done); swaps++) {
        char body[80];
        (void)snprintf(body, sizeof body, "{\"text\":\"%c%d\",\"file\":\"copy.tutti\"}",
                       swaps & 1 ? 'A' : 'B', swaps);
        CHECK_OK(ask(&bed, "engine.deploy", body));
    }
    publisher_wait(&pub, &bed);
    CHECK_INT(first_wrong(MESSAGES), -1);
    until(&bed, "engine.get", "in", MESSAGES);
    CHECK_INT(json_int(bed.json, "version", 0), swaps + 1);
    bed_end(&bed);
}

TEST(bad_records_go_to_the_dead_letter_table_and_can_be_replayed)
{
    Bed bed;
    Publisher pub;
    bed_begin(&bed);
    CHECK_OK(ask(&bed, "engine.deploy", "{\"text\":\"A\",\"file\":\"copy.tutti\"}"));
    publisher_start(&pub, &bed, 50, "bad %u");
    publisher_wait(&pub, &bed);
    CHECK_OK(ask(&bed, "engine.dead", "{\"name\":\"copy\",\"limit\":10}"));
    CHECK_INT(json_int(bed.json, "total", 0), 50);
    CHECK_INT(json_get(bed.json, "rows")->count, 10);
    const Json *row = json_at(json_get(bed.json, "rows"), 0);
    CHECK_STR(json_str(row, "raw", STR("")), "bad 49");
    CHECK_STR(json_str(row, "reason", STR("")), "bad_json");
    CHECK_STR(json_str(row, "stage", STR("")), "from");
    CHECK_OK(ask(&bed, "engine.dead_replay", "{\"name\":\"copy\",\"limit\":20}"));
    CHECK_INT(json_int(bed.json, "replayed", 0), 20);
    until(&bed, "engine.get", "errors", 70);
    until(&bed, "engine.dead", "total", 50); /* they failed again: new rows for old ones */
    bed_end(&bed);
}

TEST(a_restart_brings_pipelines_back)
{
    Bed bed;
    Publisher pub;
    bed_begin(&bed);
    CHECK_OK(ask(&bed, "engine.deploy", "{\"text\":\"A\",\"file\":\"copy.tutti\"}"));
    CHECK_OK(ask(&bed, "engine.deploy", "{\"text\":\"B\",\"file\":\"copy.tutti\"}"));
    host_close(bed.host); /* without draining: as little as a kill -9 leaves */
    bed_up(&bed);
    CHECK_OK(ask(&bed, "engine.restored", "{}"));
    CHECK_OK(ask(&bed, "engine.get", "{\"name\":\"copy\"}"));
    CHECK_STR(json_str(bed.json, "state", STR("")), "running");
    CHECK_INT(json_int(bed.json, "version", 0), 2);
    publisher_start(&pub, &bed, 500, "%u");
    publisher_wait(&pub, &bed);
    CHECK_INT(first_wrong(500), -1);
    CHECK_OK(ask(&bed, "engine.stop", "{\"name\":\"copy\"}"));
    CHECK_STR(json_str(bed.json, "state", STR("")), "stopped");
    host_close(bed.host);
    bed_up(&bed);
    CHECK_OK(ask(&bed, "engine.restored", "{}"));
    CHECK_OK(ask(&bed, "engine.get", "{\"name\":\"copy\"}"));
    CHECK_STR(json_str(bed.json, "state", STR("")), "stopped");
    CHECK_OK(ask(&bed, "engine.start", "{\"name\":\"copy\"}"));
    CHECK_OK(ask(&bed, "engine.versions", "{\"name\":\"copy\"}"));
    CHECK_INT(json_get(bed.json, "versions")->count, 2);
    CHECK_OK(ask(&bed, "engine.remove", "{\"name\":\"copy\"}"));
    CHECK_INT(ask(&bed, "engine.get", "{\"name\":\"copy\"}"), ST_NOT_FOUND);
    bed_end(&bed);
}

static void on_wires(void *ctx, const BusMsg *msg)
{
    Bed *bed = ctx;
    bed->body = arena_str(bed->arena, msg->body);
    if (json_read(bed->arena, bed->body, &bed->json, NULL)) {
        bed->json = NULL;
    }
    loop_stop(bed->loop);
}

TEST(a_watch_tells_what_goes_over_the_wires)
{
    Bed bed;
    Publisher pub;
    BusSub *sub;
    bed_begin(&bed);
    CHECK_OK(ask(&bed, "engine.deploy", "{\"text\":\"A\",\"file\":\"copy.tutti\"}"));
    publisher_start(&pub, &bed, 77, "%u");
    publisher_wait(&pub, &bed);
    until(&bed, "engine.get", "in", 77);
    CHECK_OK(ask(&bed, "engine.watch", "{\"pipeline\":\"copy\",\"hz\":10}"));
    CHECK_STR(json_str(bed.json, "watch", STR("")), "1");
    CHECK_OK(bus_subscribe(bed.bus, "engine.wires.1", NULL, 100, 0, on_wires, &bed, &sub));
    int64_t total = 0;
    while (total != 77) {
        loop_run(bed.loop);
        CHECK(!bed.late && bed.json);
        total = json_int(json_get(json_get(bed.json, "wires"), "w0"), "total", -1);
    }
    CHECK_INT(json_int(json_get(json_get(bed.json, "nodes"), "n1"), "in", -1), 77);
    CHECK_STR(json_str(bed.json, "state", STR("")), "running");
    bus_unsubscribe(sub);
    CHECK_OK(ask(&bed, "engine.unwatch", "{\"watch\":\"1\"}"));
    bed_end(&bed);
}

/* A sink that cannot be written holds the messages; nobody is told they are safe. */
TEST(a_broken_sink_leaves_messages_unacknowledged)
{
    Bed bed;
    Publisher pub;
    bed_begin(&bed);
    CHECK_OK(ask(&bed, "engine.deploy", "{\"text\":\"A\",\"file\":\"copy.tutti\"}"));
    (void)snprintf(out_path, sizeof out_path, "%s/none/out.txt", bed.dir);
    publisher_start(&pub, &bed, 10, "%u");
    const Json *error = NULL;
    while (!error || error->type != JSON_STRING) {
        CHECK_OK(ask(&bed, "engine.get", "{\"name\":\"copy\"}"));
        error = json_get(bed.json, "error");
    }
    CHECK_INT(atomic_load(&pub.acked), 0);
    char dir[100];
    (void)snprintf(dir, sizeof dir, "%s/none", bed.dir);
    CHECK_INT(mkdir(dir, 0700), 0);
    publisher_wait(&pub, &bed);
    CHECK_INT(first_wrong(10), -1);
    remove_folder(dir);
    bed_end(&bed);
}
