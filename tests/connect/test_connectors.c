/* tests/connect/test_connectors.c: the connectors module against foreign peers.
 *
 * The Modbus device is the simulated meter on libmodbus, the MQTT broker is Debian's mosquitto with
 * its own command-line clients' protocol stack on the far side of ours. */
#include "module/mod_bed.h"
#include "mqtt/peer.h"

#include "modules/modules.h"
#include "mqtt/broker.h"

#include <sys/stat.h>

enum { RECORDS_MAX = 64 };

typedef struct Record {
    uint32_t kind;
    int64_t received_ns;
    char key[64], payload[512];
} Record;

typedef struct Bench { /* one test's view */
    ModBed bed;
    BusSub *sub, *changed;
    Record records[RECORDS_MAX];
    uint64_t seqs[RECORDS_MAX];
    int count, want;
    char states[400];
} Bench;

static Bench field;

static uint32_t get_u32(const char *at)
{
    const unsigned char *b = (const unsigned char *)at;
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

/* Takes a batch apart as the module's README describes it. */
static void on_batch(void *ctx, const BusMsg *msg)
{
    (void)ctx;
    const char *at = msg->body.ptr, *end = at + msg->body.len;
    uint32_t count = get_u32(at);
    uint64_t first = get_u32(at + 8) | (uint64_t)get_u32(at + 12) << 32;
    CHECK_INT(get_u32(at + 4), 0);
    at += 16;
    for (uint32_t i = 0; i < count && field.count < RECORDS_MAX; i++) {
        Record *r = &field.records[field.count];
        field.seqs[field.count++] = first + i;
        uint32_t key = get_u32(at + 4), payload = get_u32(at + 8);
        r->kind = get_u32(at);
        r->received_ns = (int64_t)(get_u32(at + 16) | (uint64_t)get_u32(at + 20) << 32);
        at += 24;
        CHECK(at + key + payload <= end);
        (void)snprintf(r->key, sizeof r->key, "%.*s", (int)key, at);
        (void)snprintf(r->payload, sizeof r->payload, "%.*s", (int)payload, at + key);
        at += key + payload;
    }
    if (field.count >= field.want) loop_stop(field.bed.loop);
}

static void on_changed(void *ctx, const BusMsg *msg)
{
    (void)ctx;
    size_t len = strlen(field.states);
    (void)snprintf(field.states + len, sizeof field.states - len, "%.*s ", STR_ARG(msg->body));
}

static const BusCaller engine = {.roles = ROLE_SYSTEM};
static const BusCaller person = {.user = {"p", 1}, .roles = ROLE_ENGINEER | ROLE_VIEW};

extern const ModuleDef connectors_module;

static void begin(void)
{
    static const ModuleDef *const list[] = {&connectors_module, NULL};
    Diag diag = {0};
    field = (Bench){0};
    bed_begin(&field.bed);
    CHECK_OK(bed_open(&field.bed, list, NULL, &diag));
    CHECK_OK(
        bus_subscribe(field.bed.bus, "data.connect.>", NULL, 1000, 0, on_batch, NULL, &field.sub));
    CHECK_OK(bus_subscribe(field.bed.bus, "connectors.changed", NULL, 1000, 0, on_changed, NULL,
                           &field.changed));
}

static void end(void)
{
    bus_unsubscribe(field.sub);
    bus_unsubscribe(field.changed);
    bed_end(&field.bed);
}

static Status ask(const BusCaller *who, const char *op, const char *format, ...)
{
    char body[2000];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(body, sizeof body, format, args);
    va_end(args);
    return bed_ask_as(&field.bed, who, op, body);
}

static void wait_records(int want)
{
    field.want = want;
    while (field.count < want) bed_run(&field.bed);
}

static pid_t meter_start(uint16_t port)
{
    char listen[40], program[400];
    ssize_t len = readlink("/proc/self/exe", program, sizeof program - 30);
    CHECK(len > 0);
    program[len] = '\0';
    /* build/tests/NAME -> build/plant/plant_meter */
    char *slash = strrchr(program, '/');
    *slash = '\0';
    slash = strrchr(program, '/');
    memcpy(slash, "/plant/plant_meter", 19);
    (void)snprintf(listen, sizeof listen, "127.0.0.1:%u", port);
    char *argv[] = {program, "--listen", listen, "--for", "3600", NULL};
    return peer_start(argv, port);
}

static const char registers[] =
    "[{\"name\":\"voltage\",\"type\":\"f32\",\"address\":0},"
    "{\"name\":\"energy\",\"type\":\"u32\",\"area\":\"input\",\"address\":6},"
    "{\"name\":\"temp\",\"type\":\"i16\",\"address\":9,\"scale\":0.1},"
    "{\"name\":\"door\",\"type\":\"bool\",\"area\":\"discrete\",\"address\":0}]";

TEST(a_meter_is_polled_lost_and_found)
{
    begin();
    uint16_t port = peer_free_port();
    pid_t meter = meter_start(port);
    CHECK(meter > 0);
    CHECK_OK(ask(&person, "connectors.add",
                 "{\"name\":\"meter\",\"kind\":\"modbus\",\"url\":\"modbus://127.0.0.1:%u\","
                 "\"options\":{\"timeout_ms\":30000}}",
                 port));
    CHECK_OK(
        ask(&engine, "connectors.subscribe",
            "{\"id\":\"s1\",\"name\":\"meter\",\"options\":{\"every_ms\":20,\"registers\":%s}}",
            registers));
    wait_records(3);
    const Json *json;
    CHECK_OK(json_read(field.bed.arena, str_from(field.records[0].payload), &json, NULL));
    double voltage = json_number(json, "voltage", 0);
    CHECK(voltage > 224 && voltage < 236);
    CHECK(json_int(json, "energy", 0) >= 1234567);
    double temp = json_number(json, "temp", 0);
    CHECK(temp > 26 && temp < 31);
    CHECK(json_get(json, "door"));
    CHECK_TEXT(field.records[0].key, "1");
    CHECK_INT(field.records[0].kind, 0);
    CHECK_INT(field.seqs[0], 1);
    CHECK_INT(field.seqs[2], 3);
    CHECK_OK(ask(&person, "connectors.state", "{\"name\":\"meter\"}"));
    CHECK_STR(json_str(field.bed.json, "state", STR_NONE), "connected");
    /* The cable is pulled: an error record says so, and the state. */
    CHECK_INT(peer_stop(meter), 0);
    int seen = field.count;
    do wait_records(seen + 1);
    while (field.records[seen++].kind == 0);
    CHECK(strstr(field.records[seen - 1].payload, "holding") ||
          strstr(field.records[seen - 1].payload, "cannot connect"));
    CHECK_OK(ask(&person, "connectors.state", "{\"name\":\"meter\"}"));
    CHECK(json_str(field.bed.json, "error", STR_NONE).len > 0);
    /* And put back. */
    meter = meter_start(port);
    CHECK(meter > 0);
    do wait_records(seen + 1);
    while (field.records[seen++].kind != 0 && seen < RECORDS_MAX);
    CHECK_INT(field.records[seen - 1].kind, 0);
    CHECK(strstr(field.states, "\"connected\"") && strstr(field.states, "\"failed\""));
    CHECK_INT(peer_stop(meter), 0);
    end();
}

TEST(an_address_the_device_does_not_have_is_an_error_record)
{
    begin();
    uint16_t port = peer_free_port();
    pid_t meter = meter_start(port);
    CHECK(meter > 0);
    CHECK_OK(ask(
        &engine, "connectors.subscribe",
        "{\"id\":\"bad\",\"connection\":{\"kind\":\"modbus\",\"url\":\"modbus://127.0.0.1:%u\"},"
        "\"options\":{\"every_ms\":20,\"registers\":[{\"name\":\"x\",\"address\":4000}]}}",
        port));
    wait_records(2);
    CHECK_INT(field.records[0].kind, 1);
    CHECK_TEXT(field.records[0].payload, "holding 4000..4000: Illegal data address");
    CHECK_INT(peer_stop(meter), 0);
    end();
}

TEST(a_full_window_stops_the_polls)
{
    begin();
    uint16_t port = peer_free_port();
    pid_t meter = meter_start(port);
    CHECK(meter > 0);
    CHECK_OK(
        ask(&engine, "connectors.subscribe",
            "{\"id\":\"w\",\"connection\":{\"kind\":\"modbus\",\"url\":\"modbus://127.0.0.1:%u\"},"
            "\"window\":3,\"options\":{\"every_ms\":10,\"registers\":%s}}",
            port, registers));
    wait_records(3);
    /* Two seconds' worth of polls would be 200 records; a test of a connection takes its time. */
    CHECK_OK(ask(&person, "connectors.test",
                 "{\"kind\":\"modbus\",\"url\":\"modbus://127.0.0.1:%u\"}", port));
    CHECK(json_bool(field.bed.json, "ok", false));
    CHECK_INT(field.count, 3);
    CHECK_OK(ask(&engine, "connectors.ack", "{\"id\":\"w\",\"seq\":2}"));
    wait_records(5);
    CHECK_INT(ask(&engine, "connectors.ack", "{\"id\":\"w\",\"seq\":99}"), ST_INVALID);
    CHECK_OK(ask(&engine, "connectors.unsubscribe", "{\"id\":\"w\"}"));
    CHECK_INT(peer_stop(meter), 0);
    end();
}

static pid_t mosquitto_start(uint16_t port)
{
    char text[16];
    (void)snprintf(text, sizeof text, "%u", port);
    /* No option silences 2.0.11 but a config file; its log goes to standard error. */
    char *argv[] = {"mosquitto", "-p", text, NULL};
    pid_t pid = peer_start(argv, port);
    if (pid) return pid;
    argv[0] = "/usr/sbin/mosquitto";
    return peer_start(argv, port);
}

TEST(a_foreign_broker_sends_again_what_was_not_acked)
{
    begin();
    uint16_t port = peer_free_port();
    pid_t broker = mosquitto_start(port);
    if (!broker) {
        end();
        skip();
    }
    CHECK_OK(ask(&person, "connectors.add",
                 "{\"name\":\"ext\",\"kind\":\"mqtt\",\"url\":\"mqtt://127.0.0.1:%u\",\"options\":"
                 "{\"client_id\":\"tutti-1\",\"clean\":false,\"session_expiry_s\":60}}",
                 port));
    for (int round = 0; round < 2; round++) {
        field.count = 0;
        CHECK_OK(ask(
            &engine, "connectors.subscribe",
            "{\"id\":\"m\",\"name\":\"ext\",\"address\":\"plant/+/x\",\"options\":{\"qos\":1}}"));
        while (!strstr(field.states, "\"connected\""))
            bed_ask_as(&field.bed, &person, "connectors.list", "{}");
        if (!round) /* a written message travels through mosquitto and back */
            CHECK_OK(
                ask(&engine, "connectors.write",
                    "{\"name\":\"ext\",\"address\":\"plant/p1/x\",\"payload\":\"{\\\"v\\\":1}\"}"));
        /* The first round does not ack, so the second gets the same message from the broker. */
        wait_records(1);
        CHECK_TEXT(field.records[0].key, "plant/p1/x");
        CHECK_TEXT(field.records[0].payload, "{\"v\":1}");
        if (round) CHECK_OK(ask(&engine, "connectors.ack", "{\"id\":\"m\",\"seq\":1}"));
        CHECK_OK(ask(&engine, "connectors.unsubscribe", "{\"id\":\"m\"}"));
    }
    CHECK_INT(peer_stop(broker), 0);
    end();
}

TEST(bytes_that_are_no_text_are_written_as_they_are)
{
    begin();
    uint16_t port = peer_free_port();
    pid_t broker = mosquitto_start(port);
    if (!broker) {
        end();
        skip();
    }
    CHECK_OK(ask(&person, "connectors.add",
                 "{\"name\":\"ext\",\"kind\":\"mqtt\",\"url\":\"mqtt://127.0.0.1:%u\"}", port));
    CHECK_OK(ask(&engine, "connectors.subscribe",
                 "{\"id\":\"b\",\"name\":\"ext\",\"address\":\"raw/x\",\"options\":{\"qos\":1}}"));
    while (!strstr(field.states, "\"connected\""))
        bed_ask_as(&field.bed, &person, "connectors.list", "{}");
    CHECK_OK(
        ask(&engine, "connectors.write",
            "{\"name\":\"ext\",\"address\":\"raw/x\",\"payload\":\"gf8BQQ==\",\"base64\":true}"));
    wait_records(1); /* RFC 4648: gf8BQQ== is 81 FF 01 41 */
    CHECK_TEXT(field.records[0].payload, "\x81\xff\x01\x41");
    CHECK_INT(ask(&engine, "connectors.write",
                  "{\"name\":\"ext\",\"address\":\"raw/x\",\"payload\":\"%%\",\"base64\":true}"),
              ST_INVALID);
    CHECK_INT(peer_stop(broker), 0);
    end();
}

TEST(secrets_are_sealed_and_never_told)
{
    begin();
    CHECK_OK(ask(&person, "connectors.add",
                 "{\"name\":\"cloud\",\"kind\":\"mqtt\",\"url\":\"mqtt://127.0.0.1:1\",\"options\":"
                 "{\"user\":\"u\",\"password\":\"canary-7391\"}}"));
    CHECK_OK(ask(&person, "connectors.list", "{}"));
    CHECK(!strstr(field.bed.body.ptr, "canary"));
    CHECK(strstr(field.bed.body.ptr, "\"secret\":true"));
    char path[200];
    struct stat info;
    (void)snprintf(path, sizeof path, "%s/connectors.key", field.bed.dir);
    CHECK_INT(stat(path, &info), 0);
    CHECK_INT(info.st_mode & 0777, 0600);
    CHECK_INT(info.st_size, 32);
    /* Opened again: the secret is still there, and in no file in clear. */
    static const ModuleDef *const list[] = {&connectors_module, NULL};
    bed_close_host(&field.bed);
    DIR *dir = opendir(field.bed.dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        static char bytes[1 << 20];
        (void)snprintf(path, sizeof path, "%s/%.60s", field.bed.dir, entry->d_name);
        FILE *in = fopen(path, "rb");
        size_t len = in ? fread(bytes, 1, sizeof bytes, in) : 0;
        if (in) (void)fclose(in);
        CHECK(!memmem(bytes, len, "canary-7391", 11));
    }
    closedir(dir);
    Diag diag = {0};
    CHECK_OK(bed_open(&field.bed, list, NULL, &diag));
    CHECK_OK(ask(&person, "connectors.state", "{\"name\":\"cloud\"}"));
    CHECK(json_bool(field.bed.json, "secret", false));
    CHECK_STR(json_str(field.bed.json, "state", STR_NONE), "idle");
    CHECK_OK(ask(&person, "connectors.remove", "{\"name\":\"cloud\"}"));
    CHECK_INT(ask(&person, "connectors.state", "{\"name\":\"cloud\"}"), ST_NOT_FOUND);
    end();
}

TEST(refusals_have_words)
{
    begin();
    CHECK_INT(
        ask(&person, "connectors.add", "{\"name\":\"a\",\"kind\":\"fax\",\"url\":\"fax://x\"}"),
        ST_INVALID);
    CHECK_STR(field.bed.body, "there is no kind \"fax\"");
    CHECK_INT(
        ask(&person, "connectors.add",
            "{\"name\":\"a\",\"kind\":\"mqtt\",\"url\":\"mqtt://x\",\"options\":{\"speed\":1}}"),
        ST_INVALID);
    CHECK_INT(
        ask(&person, "connectors.add", "{\"name\":\"a/b\",\"kind\":\"mqtt\",\"url\":\"mqtt://x\"}"),
        ST_INVALID);
    CHECK_INT(ask(&engine, "connectors.subscribe", "{\"id\":\"x y\",\"name\":\"a\"}"), ST_INVALID);
    CHECK_INT(ask(&engine, "connectors.subscribe", "{\"id\":\"x\",\"name\":\"nobody\"}"),
              ST_NOT_FOUND);
    CHECK_INT(ask(&person, "connectors.subscribe", "{\"id\":\"x\",\"name\":\"a\"}"), ST_FORBIDDEN);
    CHECK_OK(ask(&person, "connectors.test",
                 "{\"kind\":\"modbus\",\"url\":\"modbus://127.0.0.1:%u\"}", peer_free_port()));
    CHECK(!json_bool(field.bed.json, "ok", true));
    CHECK(strstr(field.bed.body.ptr, "Connection refused"));
    end();
}
