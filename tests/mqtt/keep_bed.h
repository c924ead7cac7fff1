/* tests/mqtt/keep_bed.h: a broker with a store, its death, and clients packet by packet.
 *
 * keep_crash copies the store's files as they are at that moment, which is what a process leaves
 * behind that is killed then, and goes on with a new broker on the copy. A Raw is a client that
 * does nothing by itself: it sends what the test says and shows every packet that comes. */
#ifndef TUTTI_TESTS_MQTT_KEEP_BED_H
#define TUTTI_TESTS_MQTT_KEEP_BED_H

#include "bed.h"

#include "base/clock.h"

#include "mqtt/codec.h"
#include "store/store.h"

#include <dirent.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

enum { RAW_BYTES_MAX = 64 << 20 };

typedef struct KeepBed {
    Bed bed;
    Store *store;
    MqttBrokerConf conf;
    int generation;
    char dir[64], path[96];
} KeepBed;

typedef struct Raw {
    KeepBed *kb;
    MqttStream *stream;
    Buf in, last; /* last: the packet that `p` points into */
    MqttPacket p;
    uint8_t version;
    bool closed;
} Raw;

static void keep_copy(const char *from, const char *to)
{
    char bytes[65536];
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    if (!in) {
        (void)fclose(out);
        return;
    }
    for (size_t len; (len = fread(bytes, 1, sizeof bytes, in)) > 0;)
        CHECK_INT(fwrite(bytes, 1, len, out), len);
    (void)fclose(in);
    CHECK(!fclose(out));
}

/* The broker, with its store not read yet. */
static void keep_open(KeepBed *kb)
{
    Diag diag = {0};
    Status st = mqtt_store_open(kb->bed.loop, kb->path, kb->bed.log, &kb->store, &diag);
    if (st) print_error("%s\n", diag.text);
    CHECK_OK(st);
    kb->conf.store = kb->store;
    CHECK_OK(mqtt_broker_open(kb->bed.loop, &kb->conf, kb->bed.log, &kb->bed.broker));
}

static void keep_restore(KeepBed *kb)
{
    Diag diag = {0};
    Status st = mqtt_broker_restore(kb->bed.broker, &diag);
    if (st) print_error("%s\n", diag.text);
    CHECK_OK(st);
    CHECK_OK(mqtt_broker_listen_tcp(kb->bed.broker, "127.0.0.1:0", &kb->bed.port, &diag));
}

static void keep_up(KeepBed *kb)
{
    keep_open(kb);
    keep_restore(kb);
}

static void keep_begin(KeepBed *kb, const MqttBrokerConf *conf)
{
    *kb = (KeepBed){.conf = conf ? *conf : (MqttBrokerConf){0}};
    kb->bed.log = log_new(LOG_ERROR, false);
    CHECK_OK(loop_new(&kb->bed.loop));
    CHECK_OK(loop_timer_start(kb->bed.loop, BED_DEADLINE_MS, 0, bed_on_deadline, &kb->bed,
                              &kb->bed.deadline));
    (void)snprintf(kb->dir, sizeof kb->dir, "%s/keep-XXXXXX", "/tmp");
    CHECK(mkdtemp(kb->dir) != NULL);
    (void)snprintf(kb->path, sizeof kb->path, "%s/0.db", kb->dir);
    keep_up(kb);
}

static void keep_down(KeepBed *kb)
{
    bed_broker_close(&kb->bed);
    store_close(kb->store);
    kb->store = NULL;
}

static void keep_files_copy(KeepBed *kb, const char *to)
{
    static const char *const parts[] = {"", "-wal", "-ahead"};
    for (int i = 0; i < 3; i++) {
        char from[128], into[128];
        (void)snprintf(from, sizeof from, "%s%s", kb->path, parts[i]);
        (void)snprintf(into, sizeof into, "%s%s", to, parts[i]);
        keep_copy(from, into);
    }
}

/* kill -9. Raws of before are gone. */
static void keep_die(KeepBed *kb)
{
    char copy[96];
    (void)snprintf(copy, sizeof copy, "%s/%d.db", kb->dir, ++kb->generation);
    keep_files_copy(kb, copy);
    keep_down(kb);
    memcpy(kb->path, copy, sizeof copy);
}

/* And a new process. */
static void keep_crash(KeepBed *kb)
{
    keep_die(kb);
    keep_up(kb);
}

static void keep_end(KeepBed *kb)
{
    if (kb->bed.broker) keep_down(kb);
    bed_end(&kb->bed);
    DIR *dir = opendir(kb->dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        char path[400];
        (void)snprintf(path, sizeof path, "%s/%s", kb->dir, entry->d_name);
        (void)unlink(path);
    }
    (void)closedir(dir);
    CHECK(!rmdir(kb->dir));
}

/* What the store's file says. */
static int64_t keep_ask(const char *path, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *stmt;
    CHECK_INT(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    CHECK_INT(sqlite3_exec(db, "PRAGMA synchronous=OFF", NULL, NULL, NULL), SQLITE_OK);
    CHECK_INT(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    int64_t value = sqlite3_step(stmt) == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
    CHECK_INT(sqlite3_finalize(stmt), SQLITE_OK);
    CHECK_INT(sqlite3_close(db), SQLITE_OK);
    return value;
}

static Status keep_nothing(StoreConn *conn, void *ctx, Diag *diag)
{
    (void)conn, (void)ctx, (void)diag;
    return ST_OK;
}

/* The same when all that was answered has come out of the log into the file. */
static int64_t keep_asked(KeepBed *kb, const char *sql)
{
    CHECK_OK(store_run_now(kb->store, keep_nothing, NULL, NULL));
    return keep_ask(kb->path, sql);
}

/* Until retained messages are back in memory; what there was is in `unread` at first. */
static void keep_all_read(KeepBed *kb)
{
    MqttBrokerStats stats;
    do {
        (void)uv_run(loop_uv(kb->bed.loop), UV_RUN_ONCE);
        mqtt_broker_stats(kb->bed.broker, &stats);
    } while (stats.retained_unread && !kb->bed.late);
}

/* ---- raw clients ---- */

static size_t raw_write(void *ctx, const void *bytes, size_t len)
{
    buf_add(&((Raw *)ctx)->in, bytes, len);
    return 0;
}

static void raw_close(void *ctx)
{
    ((Raw *)ctx)->closed = true;
}

static const MqttStreamOps raw_ops = {raw_write, NULL, raw_close};

static bool raw_has(Raw *raw)
{
    size_t head, len;
    return mqtt_frame(buf_view(&raw->in), RAW_BYTES_MAX, &head, &len) == MQTT_FRAME_WHOLE;
}

/* The next packet, waited for. */
static MqttPacket *raw_next(Raw *raw)
{
    size_t head, len;
    bed_until(&raw->kb->bed, raw_has(raw));
    (void)mqtt_frame(buf_view(&raw->in), RAW_BYTES_MAX, &head, &len);
    buf_clear(&raw->last);
    buf_add(&raw->last, raw->in.ptr, len);
    buf_consume(&raw->in, len);
    CHECK_INT(mqtt_decode(buf_view(&raw->last), head, raw->version, MQTT_FROM_SERVER, &raw->p), 0);
    return &raw->p;
}

static MqttPacket *raw_expect(Raw *raw, uint8_t type, uint16_t id)
{
    MqttPacket *p = raw_next(raw);
    CHECK_INT(p->type, type);
    CHECK_INT(p->id, id);
    return p;
}

/* Turns the loop until everything that was sent is on disk and answered: a PINGREQ comes back last,
 * because gates keep the order. */
static void raw_settle(Raw *raw)
{
    Buf out;
    buf_init(&out, 16);
    mqtt_put_bare(&out, MQTT_PINGREQ);
    mqtt_stream_feed(raw->stream, out.ptr, out.len);
    buf_done(&out);
    CHECK_INT(raw_next(raw)->type, MQTT_PINGRESP);
}

static void raw_send(Raw *raw, Buf *out)
{
    CHECK_OK(buf_status(out));
    mqtt_stream_feed(raw->stream, out->ptr, out->len);
    buf_done(out);
}

typedef struct RawHello {
    uint8_t version;
    bool clean;
    uint32_t expiry_s, will_delay_s;
    uint16_t receive_max;
    const char *will; /* topic and payload */
} RawHello;

/* Returns whether the session was there. */
static bool raw_open(KeepBed *kb, Raw *raw, const char *id, RawHello hello)
{
    Buf out, props, will;
    *raw = (Raw){.kb = kb, .version = hello.version ? hello.version : 5};
    buf_init(&raw->in, RAW_BYTES_MAX);
    buf_init(&raw->last, RAW_BYTES_MAX);
    buf_init(&out, 4096);
    buf_init(&props, 4096);
    buf_init(&will, 4096);
    if (hello.expiry_s) mqtt_put_prop_number(&props, MQTT_P_SESSION_EXPIRY, hello.expiry_s);
    if (hello.receive_max) mqtt_put_prop_number(&props, MQTT_P_RECEIVE_MAX, hello.receive_max);
    if (hello.will_delay_s) mqtt_put_prop_number(&will, MQTT_P_WILL_DELAY, hello.will_delay_s);
    MqttConnectOut connect = {.version = raw->version,
                              .clean = hello.clean,
                              .has_will = hello.will != NULL,
                              .will_qos = 1,
                              .client_id = str_from(id),
                              .will_topic = str_from(hello.will ? hello.will : ""),
                              .will_payload = str_from(hello.will ? hello.will : ""),
                              .props = buf_view(&props),
                              .will_props = buf_view(&will)};
    mqtt_put_connect(&out, &connect);
    CHECK_OK(
        mqtt_broker_accept_stream(kb->bed.broker, &raw_ops, raw, STR("::1"), true, &raw->stream));
    raw_send(raw, &out);
    buf_done(&props);
    buf_done(&will);
    MqttPacket *p = raw_next(raw);
    CHECK_INT(p->type, MQTT_CONNACK);
    CHECK_INT(p->reason, 0);
    return p->session_present;
}

/* Without a DISCONNECT, as a lost connection. */
static void raw_drop(Raw *raw)
{
    mqtt_stream_closed(raw->stream);
    for (int i = 0; i < 3; i++) (void)uv_run(loop_uv(raw->kb->bed.loop), UV_RUN_NOWAIT);
    buf_done(&raw->in);
    buf_done(&raw->last);
}

/* After a crash: its connection ended with the process. */
static void raw_gone(Raw *raw)
{
    buf_done(&raw->in);
    buf_done(&raw->last);
}

static void raw_subscribe(Raw *raw, const char *filter, uint8_t qos, uint32_t id)
{
    Buf out, rows, props;
    buf_init(&out, 4096);
    buf_init(&rows, 4096);
    buf_init(&props, 64);
    MqttFilterRow row = {.filter = str_from(filter), .qos = qos, .retain_as_published = true};
    if (raw->version < 5) row.retain_as_published = false;
    mqtt_put_filter(&rows, raw->version, &row);
    if (id) mqtt_put_prop_number(&props, MQTT_P_SUBSCRIPTION_ID, id);
    mqtt_put_subscribe(&out, raw->version, 1, buf_view(&props), buf_view(&rows));
    raw_send(raw, &out);
    buf_done(&rows);
    buf_done(&props);
    CHECK_INT(raw_expect(raw, MQTT_SUBACK, 1)->list.ptr[0], qos);
}

typedef struct RawPub {
    const char *topic, *payload;
    uint16_t id;
    uint8_t qos;
    bool retain, dup, at_once; /* at_once: an expiry interval of 0 */
    uint32_t expiry_s;
} RawPub;

static void raw_publish(Raw *raw, RawPub pub)
{
    Buf out;
    buf_init(&out, RAW_BYTES_MAX);
    MqttPublishOut packet = {.topic = str_from(pub.topic),
                             .payload = str_from(pub.payload),
                             .expiry_s = pub.expiry_s,
                             .expires = pub.expiry_s || pub.at_once,
                             .id = pub.id,
                             .qos = pub.qos,
                             .dup = pub.dup,
                             .retain = pub.retain};
    mqtt_put_publish(&out, &packet, raw->version);
    raw_send(raw, &out);
}

static inline void raw_ack(Raw *raw, uint8_t type, uint16_t id)
{
    Buf out;
    buf_init(&out, 64);
    mqtt_put_ack(&out, type, raw->version, id, 0, STR_NONE);
    raw_send(raw, &out);
}

/* A PUBLISH must be next. Returns its packet identifier. */
static uint16_t raw_gets(Raw *raw, const char *payload, uint8_t qos, bool dup)
{
    MqttPacket *p = raw_next(raw);
    CHECK_INT(p->type, MQTT_PUBLISH);
    CHECK_STR(p->payload, payload);
    CHECK_INT(p->qos, qos);
    CHECK_INT(p->dup, dup);
    return p->id;
}

#endif
