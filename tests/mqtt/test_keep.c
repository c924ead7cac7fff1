/* tests/mqtt/test_keep.c: what of the broker outlives its process: sessions, queues, damage.
 * Retained messages: test_keep_retained.c.
 *
 * Expectations are sentences of MQTT 5.0: 3.1.2.11.2 (session expiry), 4.1 (session state), 4.3
 * (QoS), 4.4 (redelivery), 4.6 (order). */
#include "keep_bed.h"

#include "mqtt/keep.h"

static const RawHello keeps = {.expiry_s = 1000};

static uint64_t batches(KeepBed *kb)
{
    MqttBrokerStats stats;
    mqtt_broker_stats(kb->bed.broker, &stats);
    return stats.stored_batches;
}

static void send_many(Raw *raw, const char *topic, int from, int to, uint8_t qos)
{
    char text[16];
    for (int i = from; i < to; i++) {
        (void)snprintf(text, sizeof text, "%d", i);
        raw_publish(raw, (RawPub){topic, text, (uint16_t)(i % 200 + 1), qos, .retain = false});
        if (qos != 1 || (i % 200 != 199 && i + 1 < to)) continue;
        for (int k = i / 200 * 200 < from ? from : i / 200 * 200; k <= i; k++)
            (void)raw_expect(raw, MQTT_PUBACK, (uint16_t)(k % 200 + 1));
    }
}

/* A durable subscriber "sub" of "t/#" that went away. */
static void away(KeepBed *kb, uint8_t qos)
{
    Raw sub;
    CHECK(!raw_open(kb, &sub, "sub", keeps));
    raw_subscribe(&sub, "t/#", qos, 7);
    raw_drop(&sub);
}

TEST(a_session_and_what_waits_for_it_survive)
{
    KeepBed kb;
    Raw pub, sub;
    keep_begin(&kb, NULL);
    away(&kb, 1);
    CHECK(!raw_open(&kb, &pub, "pub", (RawHello){0}));
    send_many(&pub, "t/x", 0, 3, 1);
    keep_crash(&kb);
    raw_gone(&pub);
    CHECK(raw_open(&kb, &sub, "sub", keeps));
    for (int i = 0; i < 3; i++) {
        char text[4];
        (void)snprintf(text, sizeof text, "%d", i);
        CHECK_INT(raw_gets(&sub, text, 1, false), i + 1);
        CHECK_INT(sub.p.props.sub_id_count, 1);
        CHECK_INT(sub.p.props.sub_ids[0], 7);
        CHECK_STR(sub.p.topic, "t/x");
        raw_ack(&sub, MQTT_PUBACK, sub.p.id);
    }
    raw_settle(&sub);
    CHECK_INT(keep_asked(&kb, "SELECT count(*) FROM queue"), 0);
    raw_drop(&sub);
    keep_crash(&kb); /* what was acknowledged does not come again */
    CHECK(raw_open(&kb, &sub, "sub", keeps));
    raw_settle(&sub);
    raw_drop(&sub);
    keep_end(&kb);
}

/* What a start would find if the process were killed now. */
static int64_t left_behind(KeepBed *kb, const char *sql)
{
    char copy[120];
    Store *store;
    (void)snprintf(copy, sizeof copy, "%s/copy-%d.db", kb->dir, ++kb->generation);
    keep_files_copy(kb, copy);
    CHECK_OK(mqtt_store_open(kb->bed.loop, copy, kb->bed.log, &store, NULL));
    CHECK_OK(store_ahead_open(store, mqtt__keep_apply, NULL));
    store_close(store);
    return keep_ask(copy, sql);
}

TEST(an_acknowledgement_comes_after_the_commit)
{
    KeepBed kb;
    Raw pub;
    keep_begin(&kb, NULL);
    away(&kb, 1);
    CHECK(!raw_open(&kb, &pub, "pub", (RawHello){0}));
    for (int i = 0; i < 20; i++) {
        raw_publish(&pub, (RawPub){"t/x", "v", (uint16_t)(i + 1), 1, .retain = false});
        (void)raw_expect(&pub, MQTT_PUBACK, (uint16_t)(i + 1));
        CHECK_INT(left_behind(&kb, "SELECT count(*) FROM queue"), i + 1);
    }
    raw_drop(&pub);
    keep_end(&kb);
}

TEST(what_no_durable_session_wants_is_not_written)
{
    KeepBed kb;
    Raw pub, sub;
    keep_begin(&kb, NULL);
    CHECK(!raw_open(&kb, &sub, "sub", (RawHello){.clean = true}));
    raw_subscribe(&sub, "t/#", 2, 0);
    CHECK(!raw_open(&kb, &pub, "pub", (RawHello){.clean = true}));
    uint64_t before = batches(&kb);
    send_many(&pub, "t/x", 0, 50, 1);
    raw_publish(&pub, (RawPub){"t/x", "v", 999, 2, .retain = false});
    (void)raw_expect(&pub, MQTT_PUBREC, 999);
    raw_publish(&pub, (RawPub){"t/x", "v", 0, 0, .retain = false});
    raw_settle(&pub);
    CHECK_INT(batches(&kb), before);
    raw_drop(&sub);
    raw_drop(&pub);
    keep_end(&kb);
}

TEST(unacknowledged_comes_again_with_its_identifier)
{
    KeepBed kb;
    Raw pub, sub;
    RawHello two = {.expiry_s = 1000, .receive_max = 2};
    keep_begin(&kb, NULL);
    CHECK(!raw_open(&kb, &sub, "sub", two));
    raw_subscribe(&sub, "t/#", 2, 0);
    CHECK(!raw_open(&kb, &pub, "pub", (RawHello){0}));
    send_many(&pub, "t/x", 0, 5, 1);
    CHECK_INT(raw_gets(&sub, "0", 1, false), 1);
    CHECK_INT(raw_gets(&sub, "1", 1, false), 2);
    raw_settle(&sub); /* two are out: no third one */
    raw_drop(&sub);
    CHECK(raw_open(&kb, &sub, "sub", two)); /* a lost connection */
    CHECK_INT(raw_gets(&sub, "0", 1, true), 1);
    CHECK_INT(raw_gets(&sub, "1", 1, true), 2);
    raw_ack(&sub, MQTT_PUBACK, 1);
    CHECK_INT(raw_gets(&sub, "2", 1, false), 3);
    raw_settle(&sub);
    raw_drop(&sub);
    raw_settle(&pub);
    keep_crash(&kb); /* a lost process */
    raw_gone(&pub);
    CHECK(raw_open(&kb, &sub, "sub", (RawHello){.expiry_s = 1000}));
    CHECK_INT(raw_gets(&sub, "1", 1, true), 2);
    CHECK_INT(raw_gets(&sub, "2", 1, true), 3);
    CHECK_INT(raw_gets(&sub, "3", 1, false), 4);
    CHECK_INT(raw_gets(&sub, "4", 1, false), 5);
    raw_drop(&sub);
    keep_end(&kb);
}

TEST(quality_2_is_taken_once_across_a_crash)
{
    KeepBed kb;
    Raw pub, sub;
    keep_begin(&kb, NULL);
    away(&kb, 2);
    CHECK(!raw_open(&kb, &pub, "pub", keeps));
    raw_publish(&pub, (RawPub){"t/x", "once", 9, 2, .retain = false});
    (void)raw_expect(&pub, MQTT_PUBREC, 9);
    keep_crash(&kb);
    raw_gone(&pub);
    CHECK(raw_open(&kb, &pub, "pub", keeps));
    raw_publish(&pub, (RawPub){"t/x", "once", 9, 2, .dup = true});
    (void)raw_expect(&pub, MQTT_PUBREC, 9);
    raw_ack(&pub, MQTT_PUBREL, 9);
    CHECK_INT(raw_expect(&pub, MQTT_PUBCOMP, 9)->reason, 0);
    keep_crash(&kb); /* the identifier is free again, also after this */
    raw_gone(&pub);
    CHECK(raw_open(&kb, &pub, "pub", keeps));
    raw_publish(&pub, (RawPub){"t/x", "next", 9, 2, .retain = false});
    (void)raw_expect(&pub, MQTT_PUBREC, 9);
    CHECK(raw_open(&kb, &sub, "sub", keeps));
    (void)raw_gets(&sub, "once", 2, false);
    (void)raw_gets(&sub, "next", 2, false);
    raw_settle(&sub);
    raw_drop(&sub);
    raw_drop(&pub);
    keep_end(&kb);
}

TEST(quality_2_is_given_once_across_a_crash)
{
    KeepBed kb;
    Raw pub, sub;
    keep_begin(&kb, NULL);
    CHECK(!raw_open(&kb, &sub, "sub", keeps));
    raw_subscribe(&sub, "t/#", 2, 0);
    CHECK(!raw_open(&kb, &pub, "pub", (RawHello){0}));
    send_many(&pub, "t/x", 0, 2, 2);
    CHECK_INT(raw_gets(&sub, "0", 2, false), 1);
    CHECK_INT(raw_gets(&sub, "1", 2, false), 2);
    raw_ack(&sub, MQTT_PUBREC, 1);
    (void)raw_expect(&sub, MQTT_PUBREL, 1); /* from here on only PUBREL may come */
    keep_crash(&kb);
    raw_gone(&pub);
    raw_gone(&sub);
    CHECK(raw_open(&kb, &sub, "sub", keeps));
    (void)raw_expect(&sub, MQTT_PUBREL, 1);
    CHECK_INT(raw_gets(&sub, "1", 2, true), 2);
    raw_ack(&sub, MQTT_PUBCOMP, 1);
    raw_ack(&sub, MQTT_PUBREC, 2);
    (void)raw_expect(&sub, MQTT_PUBREL, 2);
    raw_ack(&sub, MQTT_PUBCOMP, 2);
    raw_settle(&sub);
    raw_drop(&sub);
    CHECK(raw_open(&kb, &sub, "sub", keeps));
    raw_settle(&sub);
    CHECK_INT(keep_asked(&kb, "SELECT count(*) FROM queue"), 0);
    raw_drop(&sub);
    keep_end(&kb);
}

TEST(subscriptions_end_when_they_are_ended)
{
    KeepBed kb;
    Raw raw;
    Buf out, rows;
    keep_begin(&kb, NULL);
    CHECK(!raw_open(&kb, &raw, "sub", keeps));
    raw_subscribe(&raw, "t/a", 1, 0);
    raw_subscribe(&raw, "t/b", 1, 0);
    buf_init(&out, 64);
    buf_init(&rows, 64);
    mqtt_put_string(&rows, STR("t/a"));
    mqtt_put_unsubscribe(&out, 5, 2, STR_NONE, buf_view(&rows));
    raw_send(&raw, &out);
    buf_done(&rows);
    (void)raw_expect(&raw, MQTT_UNSUBACK, 2);
    keep_crash(&kb);
    raw_gone(&raw);
    MqttBrokerStats stats;
    mqtt_broker_stats(kb.bed.broker, &stats);
    CHECK_INT(stats.subscriptions_now, 1);
    CHECK(!raw_open(&kb, &raw, "sub", (RawHello){.clean = true}));
    raw_settle(&raw);
    keep_crash(&kb); /* a clean start ended the stored session for good */
    raw_gone(&raw);
    mqtt_broker_stats(kb.bed.broker, &stats);
    CHECK_INT(stats.sessions_now, 0);
    CHECK_INT(keep_asked(&kb, "SELECT count(*) FROM filter"), 0);
    keep_end(&kb);
}

/* A will may have 64 KiB, and so its CONNECT more. */
TEST(a_large_will_is_taken_and_a_larger_packet_is_not)
{
    static char payload[60000];
    KeepBed kb;
    Raw raw;
    Buf out;
    const MqttBrokerConf small = {.connect_bytes_max = 50000};
    for (int limited = 0; limited < 2; limited++) {
        keep_begin(&kb, limited ? &small : NULL);
        memset(payload, 'w', sizeof payload);
        MqttConnectOut connect = {.version = 5,
                                  .clean = true,
                                  .has_will = true,
                                  .client_id = STR("w"),
                                  .will_topic = STR("t/will"),
                                  .will_payload = {payload, sizeof payload}};
        raw = (Raw){.kb = &kb, .version = 5};
        buf_init(&raw.in, RAW_BYTES_MAX);
        buf_init(&raw.last, RAW_BYTES_MAX);
        buf_init(&out, RAW_BYTES_MAX);
        mqtt_put_connect(&out, &connect);
        CHECK_OK(mqtt_broker_accept_stream(kb.bed.broker, &raw_ops, &raw, STR("::1"), true,
                                           &raw.stream));
        raw_send(&raw, &out);
        if (limited) {
            bed_until(&kb.bed, raw.closed);
            raw_gone(&raw);
        } else {
            CHECK_INT(raw_next(&raw)->type, MQTT_CONNACK);
            CHECK_INT(raw.p.reason, 0);
            raw_drop(&raw);
        }
        keep_end(&kb);
    }
}

/* MQTT 5.0, 3.3.2.3.3: a copy whose interval has passed before delivery began is deleted. */
TEST(an_expiry_of_zero_is_for_those_who_are_there)
{
    KeepBed kb;
    Raw raw, late;
    keep_begin(&kb, NULL);
    away(&kb, 1);
    CHECK(!raw_open(&kb, &raw, "here", (RawHello){0}));
    raw_subscribe(&raw, "t/#", 1, 0);
    raw_publish(&raw, (RawPub){"t/x", "now", 1, 1, .retain = true, .at_once = true});
    raw_ack(&raw, MQTT_PUBACK, raw_gets(&raw, "now", 1, false));
    CHECK(mqtt_has(&raw.p.props, MQTT_P_MESSAGE_EXPIRY));
    CHECK_INT(mqtt_number(&raw.p.props, MQTT_P_MESSAGE_EXPIRY, 9), 0);
    (void)raw_expect(&raw, MQTT_PUBACK, 1);
    CHECK(!raw_open(&kb, &late, "late", (RawHello){0}));
    raw_subscribe(&late, "t/x", 1, 0); /* retained, and over */
    raw_settle(&late);
    raw_drop(&late);
    CHECK(raw_open(&kb, &late, "sub", keeps)); /* it was away */
    raw_settle(&late);
    raw_drop(&late);
    raw_drop(&raw);
    keep_end(&kb);
}

TEST(messages_and_sessions_expire_while_the_process_is_down)
{
    KeepBed kb;
    Raw raw;
    MqttBrokerStats stats;
    keep_begin(&kb, NULL);
    away(&kb, 1);
    CHECK(!raw_open(&kb, &raw, "short", (RawHello){.expiry_s = 1}));
    raw_drop(&raw);
    CHECK(!raw_open(&kb, &raw, "never back", (RawHello){.expiry_s = 1}));
    raw_drop(&raw);
    CHECK(!raw_open(&kb, &raw, "pub", (RawHello){0}));
    raw_publish(&raw, (RawPub){"t/x", "short", 1, 1, .expiry_s = 1});
    (void)raw_expect(&raw, MQTT_PUBACK, 1);
    raw_publish(&raw, (RawPub){"t/x", "long", 2, 1, .expiry_s = 1000});
    (void)raw_expect(&raw, MQTT_PUBACK, 2);
    keep_down(&kb);
    raw_gone(&raw);
    for (int64_t end = clock_wall_ns() + 1200 * NS_PER_MS; clock_wall_ns() < end;)
        (void)uv_run(loop_uv(kb.bed.loop), UV_RUN_NOWAIT);
    keep_up(&kb);
    mqtt_broker_stats(kb.bed.broker, &stats);
    CHECK_INT(stats.sessions_now, 3);
    /* Nobody had a look at the sessions yet: whoever comes first must not find the old one. */
    CHECK(!raw_open(&kb, &raw, "short", (RawHello){0}));
    raw_drop(&raw);
    while (stats.sessions_now > 1 && !kb.bed.late) {
        (void)uv_run(loop_uv(kb.bed.loop), UV_RUN_ONCE);
        mqtt_broker_stats(kb.bed.broker, &stats);
    }
    CHECK(raw_open(&kb, &raw, "sub", keeps));
    (void)raw_gets(&raw, "long", 1, false);
    CHECK(mqtt_number(&raw.p.props, MQTT_P_MESSAGE_EXPIRY, 0) <= 999);
    raw_ack(&raw, MQTT_PUBACK, raw.p.id);
    raw_settle(&raw);
    CHECK_INT(keep_asked(&kb, "SELECT count(*) FROM queue"), 0);
    raw_drop(&raw);
    keep_end(&kb);
}

TEST(a_will_is_published_after_the_crash_that_cut_its_client_off)
{
    KeepBed kb;
    Raw one, two, watch;
    keep_begin(&kb, NULL);
    away(&kb, 1);
    CHECK(!raw_open(&kb, &one, "one", (RawHello){.expiry_s = 60, .will = "t/now"}));
    CHECK(!raw_open(&kb, &two, "two",
                    (RawHello){.expiry_s = 60, .will = "t/later", .will_delay_s = 2}));
    keep_crash(&kb);
    raw_gone(&one);
    raw_gone(&two);
    CHECK(raw_open(&kb, &watch, "sub", keeps));
    (void)raw_gets(&watch, "t/now", 1, false);
    CHECK(raw_open(&kb, &two, "two", keeps)); /* in time: its will is off */
    raw_settle(&two);
    raw_ack(&watch, MQTT_PUBACK, watch.p.id);
    raw_settle(&watch);
    keep_crash(&kb); /* and it does not come twice */
    raw_gone(&watch);
    raw_gone(&two);
    CHECK(raw_open(&kb, &watch, "sub", keeps));
    CHECK(raw_open(&kb, &one, "one", keeps));
    raw_settle(&one);
    raw_settle(&watch);
    raw_drop(&watch);
    raw_drop(&one);
    keep_end(&kb);
}

TEST(a_full_queue_is_told_to_the_publisher)
{
    KeepBed kb;
    Raw pub, sub, other;
    MqttBrokerConf conf = {.durable_queue_max = 3};
    keep_begin(&kb, &conf);
    away(&kb, 1);
    CHECK(!raw_open(&kb, &other, "other", (RawHello){.clean = true}));
    raw_subscribe(&other, "t/#", 0, 0);
    CHECK(!raw_open(&kb, &pub, "pub", (RawHello){0}));
    send_many(&pub, "t/x", 0, 3, 1);
    raw_publish(&pub, (RawPub){"t/x", "four", 4, 1, .retain = false});
    CHECK_INT(raw_expect(&pub, MQTT_PUBACK, 4)->reason, MQTT_RC_QUOTA);
    raw_publish(&pub, (RawPub){"t/x", "five", 5, 2, .retain = false});
    CHECK_INT(raw_expect(&pub, MQTT_PUBREC, 5)->reason, MQTT_RC_QUOTA);
    raw_publish(&pub, (RawPub){"t/x", "zero", 0, 0, .retain = false}); /* dropped for it only */
    for (int i = 0; i < 3; i++) CHECK_INT(raw_next(&other)->type, MQTT_PUBLISH);
    (void)raw_gets(&other, "zero", 0, false); /* nobody got what was refused */
    keep_crash(&kb);                          /* it is still full */
    raw_gone(&pub);
    raw_gone(&other);
    CHECK(!raw_open(&kb, &pub, "pub", (RawHello){0}));
    raw_publish(&pub, (RawPub){"t/x", "four", 4, 1, .retain = false});
    CHECK_INT(raw_expect(&pub, MQTT_PUBACK, 4)->reason, MQTT_RC_QUOTA);
    CHECK(raw_open(&kb, &sub, "sub", keeps));
    uint16_t first = raw_gets(&sub, "0", 1, false);
    (void)raw_gets(&sub, "1", 1, false);
    (void)raw_gets(&sub, "2", 1, false);
    raw_ack(&sub, MQTT_PUBACK, first);
    raw_settle(&sub);
    raw_publish(&pub, (RawPub){"t/x", "four", 4, 1, .retain = false});
    CHECK_INT(raw_expect(&pub, MQTT_PUBACK, 4)->reason, 0);
    (void)raw_gets(&sub, "four", 1, false);
    raw_drop(&sub);
    raw_drop(&pub);
    keep_end(&kb);
}

/* More than memory holds, while it goes on. */
TEST(a_long_queue_comes_in_order)
{
    enum { BEFORE = 3000, AFTER = 1000 };
    KeepBed kb;
    Raw pub, sub;
    MqttBrokerStats stats;
    keep_begin(&kb, NULL);
    away(&kb, 1);
    CHECK(!raw_open(&kb, &pub, "pub", (RawHello){0}));
    send_many(&pub, "t/x", 0, BEFORE, 1);
    mqtt_broker_stats(kb.bed.broker, &stats);
    CHECK_INT(stats.queued_now, BEFORE);
    CHECK(raw_open(&kb, &sub, "sub", keeps));
    int got = 0;
    for (int sent = BEFORE; got < BEFORE + AFTER;) {
        if (sent < BEFORE + AFTER && sent < got + BEFORE && got % 2 == 0) {
            char more[8];
            (void)snprintf(more, sizeof more, "%d", sent++);
            raw_publish(&pub,
                        (RawPub){"t/x", more, (uint16_t)(sent % 200 + 1), 1, .retain = false});
        }
        char text[8];
        (void)snprintf(text, sizeof text, "%d", got++);
        raw_ack(&sub, MQTT_PUBACK, raw_gets(&sub, text, 1, false));
        while (raw_has(&pub)) CHECK_INT(raw_next(&pub)->type, MQTT_PUBACK);
    }
    raw_settle(&sub);
    mqtt_broker_stats(kb.bed.broker, &stats);
    CHECK_INT(stats.queued_now, 0);
    CHECK_INT(stats.queued_bytes_now, 0);
    raw_drop(&sub);
    raw_drop(&pub);
    keep_end(&kb);
}

/* A large body is stored once for all who wait for it, and goes with the last of them. */
TEST(a_body_is_shared)
{
    static char large[5000];
    KeepBed kb;
    Raw pub, subs[3];
    static const char *const names[] = {"s1", "s2", "s3"};
    memset(large, 'x', sizeof large - 1);
    keep_begin(&kb, NULL);
    for (int i = 0; i < 3; i++) {
        CHECK(!raw_open(&kb, &subs[i], names[i], keeps));
        raw_subscribe(&subs[i], "t/#", 1, 0);
        raw_drop(&subs[i]);
    }
    CHECK(!raw_open(&kb, &pub, "pub", (RawHello){0}));
    raw_publish(&pub, (RawPub){"t/x", large, 1, 1, .retain = false});
    (void)raw_expect(&pub, MQTT_PUBACK, 1);
    CHECK_INT(keep_asked(&kb, "SELECT count(*) FROM queue"), 3);
    CHECK_INT(keep_asked(&kb, "SELECT sum(uses) FROM body"), 3);
    keep_crash(&kb);
    raw_gone(&pub);
    for (int i = 0; i < 2; i++) {
        CHECK(raw_open(&kb, &subs[i], names[i], keeps));
        raw_ack(&subs[i], MQTT_PUBACK, raw_gets(&subs[i], large, 1, false));
        raw_settle(&subs[i]);
        raw_drop(&subs[i]);
    }
    CHECK(!raw_open(&kb, &subs[2], names[2], (RawHello){.clean = true}));
    raw_settle(&subs[2]);
    CHECK_INT(keep_asked(&kb, "SELECT count(*) FROM body"), 0);
    raw_drop(&subs[2]);
    keep_end(&kb);
}

TEST(a_damaged_record_is_set_aside_and_the_rest_goes_on)
{
    KeepBed kb;
    Raw pub, sub;
    MqttBrokerStats stats;
    keep_begin(&kb, NULL);
    away(&kb, 1);
    CHECK(!raw_open(&kb, &pub, "pub", (RawHello){0}));
    send_many(&pub, "t/x", 0, 3, 1);
    raw_publish(&pub, (RawPub){"r/1", "a", 9, 1, .retain = true});
    (void)raw_expect(&pub, MQTT_PUBACK, 9);
    keep_down(&kb);
    raw_gone(&pub);
    log_free(kb.bed.log);
    kb.bed.log = NULL; /* what it says is expected here */
    (void)keep_ask(kb.path, "UPDATE queue SET record = CAST(substr(record, 1, 20) || x'55' ||"
                            " substr(record, 22) AS BLOB) WHERE id % 65536 = 2");
    (void)keep_ask(kb.path, "UPDATE retained SET record = CAST(substr(record, 1, 20) || x'55' ||"
                            " substr(record, 22) AS BLOB)");
    keep_up(&kb);
    keep_all_read(&kb);
    mqtt_broker_stats(kb.bed.broker, &stats);
    CHECK_INT(stats.damaged, 1);
    CHECK_INT(stats.retained_now, 0);
    CHECK(raw_open(&kb, &sub, "sub", keeps));
    raw_ack(&sub, MQTT_PUBACK, raw_gets(&sub, "0", 1, false));
    raw_ack(&sub, MQTT_PUBACK, raw_gets(&sub, "2", 1, false));
    raw_settle(&sub);
    CHECK_INT(keep_asked(&kb, "SELECT count(*) FROM damaged"), 2);
    bed_until(&kb.bed, !keep_asked(&kb, "SELECT count(*) FROM queue"));
    raw_drop(&sub);
    keep_end(&kb);
}

enum { PAGE = 4096 };

/* The page becomes noise. */
static void ruin(const KeepBed *kb, int64_t page)
{
    FILE *file = fopen(kb->path, "r+b");
    CHECK(file && page > 1 && !fseek(file, (long)(page - 1) * PAGE, SEEK_SET));
    for (int i = 0; i < PAGE; i++) CHECK_INT(fputc(0x5a, file), 0x5a);
    CHECK(!fclose(file));
}

/* The page at the root of each of these is noise: which rows are whose, and which come next. */
TEST(a_file_whose_trees_are_damaged_is_salvaged)
{
    static const char *const roots[] = {"queue", "session", "mark", "retained", "retained_topic"};
    enum { WAITING = 400, RETAINED = 150 };
    char text[16], sql[96];
    KeepBed kb;
    Raw pub, sub;
    for (size_t hit = 0; hit < COUNT_OF(roots); hit++) {
        keep_begin(&kb, NULL);
        away(&kb, 1);
        CHECK(!raw_open(&kb, &pub, "pub", (RawHello){.clean = true}));
        send_many(&pub, "t/x", 0, WAITING, 1);
        for (int i = 0; i < RETAINED; i++) {
            char topic[16];
            (void)snprintf(topic, sizeof topic, "r/%d", i);
            raw_publish(&pub, (RawPub){topic, topic, (uint16_t)(i + 1), 1, .retain = true});
        }
        for (int i = 0; i < RETAINED; i++) (void)raw_expect(&pub, MQTT_PUBACK, (uint16_t)(i + 1));
        keep_down(&kb);
        raw_gone(&pub);
        (void)snprintf(sql, sizeof sql, "SELECT rootpage FROM sqlite_schema WHERE name = '%s'",
                       roots[hit]);
        ruin(&kb, keep_ask(kb.path, sql));
        log_free(kb.bed.log);
        kb.bed.log = NULL; /* what it says is expected here */
        keep_up(&kb);
        if (!store_salvaged(kb.store)) { /* nobody looked there yet: a client does, and the next */
            keep_all_read(&kb);          /* start knows */
            CHECK(raw_open(&kb, &sub, "sub", keeps) || hit == 1);
            bed_until(&kb.bed, store_is_damaged(kb.store) && (sub.closed || hit == 3));
            if (sub.closed)
                raw_gone(&sub);
            else
                raw_drop(&sub);
            keep_down(&kb);
            keep_up(&kb);
        }
        CHECK(store_salvaged(kb.store) != NULL);
        keep_all_read(&kb);
        bool session = hit != 1; /* one row, and it was in that page */
        CHECK_INT(raw_open(&kb, &sub, "sub", keeps), session);
        for (int i = 0; i < WAITING && session; i++) {
            (void)snprintf(text, sizeof text, "%d", i);
            MqttPacket *p = raw_next(&sub);
            CHECK_STR(p->payload, text);
            raw_ack(&sub, MQTT_PUBACK, p->id);
        }
        raw_subscribe(&sub, "r/+", 0, 0);
        for (int i = 0; i < RETAINED; i++) {
            (void)raw_next(&sub);
            CHECK(str_eq(sub.p.topic, sub.p.payload));
        }
        CHECK(!raw_open(&kb, &pub, "pub", (RawHello){.clean = true}));
        if (session) send_many(&pub, "t/x", WAITING, WAITING + 3, 1); /* numbers go on */
        for (int i = WAITING; i < WAITING + 3 && session; i++) {
            (void)snprintf(text, sizeof text, "%d", i);
            (void)raw_gets(&sub, text, 1, false);
        }
        raw_drop(&sub);
        raw_drop(&pub);
        keep_end(&kb);
    }
}

static int64_t number_at(const KeepBed *kb, int64_t page, long at, int bytes)
{
    int64_t value = 0;
    FILE *file = fopen(kb->path, "rb");
    CHECK(file && page >= 1 && !fseek(file, (long)(page - 1) * PAGE + at, SEEK_SET));
    for (int i = 0; i < bytes; i++) value = value << 8 | fgetc(file);
    (void)fclose(file);
    return value;
}

/* The last page of bodies, which a start looks into: the same start salvages, after sessions were
 * loaded. Offsets: sqlite.org/fileformat2.html, 1.6. */
TEST(damage_that_a_start_meets_late_is_salvaged_by_it)
{
    enum { WAITING = 60 };
    static char large[3000];
    KeepBed kb;
    Raw pub, sub;
    MqttBrokerStats stats;
    keep_begin(&kb, NULL);
    away(&kb, 1);
    CHECK(!raw_open(&kb, &sub, "another", keeps));
    raw_subscribe(&sub, "t/#", 1, 0);
    raw_drop(&sub);
    CHECK(!raw_open(&kb, &pub, "pub", (RawHello){.expiry_s = 1000, .will = "will"}));
    for (int i = 0; i < WAITING; i++) {
        (void)snprintf(large, sizeof large, "%02d%02900d", i, 0);
        raw_publish(&pub, (RawPub){"t/x", large, (uint16_t)(i + 1), 1, .retain = false});
    }
    raw_publish(&pub, (RawPub){"r/1", "kept", WAITING + 1, 1, .retain = true});
    for (int i = 0; i <= WAITING; i++) (void)raw_expect(&pub, MQTT_PUBACK, (uint16_t)(i + 1));
    keep_down(&kb);
    raw_gone(&pub);
    int64_t root = keep_ask(kb.path, "SELECT rootpage FROM sqlite_schema WHERE name = 'body'");
    CHECK_INT(number_at(&kb, root, 0, 1), 5);  /* leads to others */
    int64_t page = number_at(&kb, root, 8, 4); /* the rightmost */
    CHECK_INT(number_at(&kb, page, 0, 1), 13); /* has rows */
    int64_t lost = number_at(&kb, page, 3, 2);
    CHECK(lost > 0 && lost < WAITING);
    ruin(&kb, page);
    log_free(kb.bed.log);
    kb.bed.log = NULL; /* what it says is expected here */
    keep_up(&kb);
    CHECK(store_salvaged(kb.store) != NULL);
    keep_all_read(&kb);
    mqtt_broker_stats(kb.bed.broker, &stats);
    CHECK_INT(stats.sessions_now, 3);
    CHECK_INT(stats.subscriptions_now, 2);
    CHECK_INT(stats.queued_now, 2 * WAITING);
    CHECK_INT(stats.retained_now, 1);
    CHECK(raw_open(&kb, &sub, "sub", keeps));
    for (int i = 0; i < WAITING - (int)lost; i++) { /* the last page had the last rows */
        (void)snprintf(large, sizeof large, "%02d%02900d", i, 0);
        raw_ack(&sub, MQTT_PUBACK, raw_gets(&sub, large, 1, false));
    }
    raw_settle(&sub);
    CHECK_INT(keep_asked(&kb, "SELECT count(*) FROM damaged"), lost);
    raw_subscribe(&sub, "r/1", 1, 0);
    (void)raw_gets(&sub, "kept", 1, false);
    raw_drop(&sub);
    keep_end(&kb);
}

/* The log of writes cut at any place, or with a flipped byte: it ends at a whole commit before. */
TEST(a_torn_log_ends_at_a_whole_batch)
{
    KeepBed kb;
    Raw pub;
    keep_begin(&kb, NULL);
    away(&kb, 1);
    CHECK(!raw_open(&kb, &pub, "pub", (RawHello){0}));
    for (int i = 0; i < 20; i++) send_many(&pub, "t/x", i, i + 1, 1); /* a commit each */
    char torn[96], wal[112], from[112];
    (void)snprintf(torn, sizeof torn, "%s/torn.db", kb.dir);
    (void)snprintf(wal, sizeof wal, "%s-wal", torn);
    (void)snprintf(from, sizeof from, "%s-wal", kb.path);
    FILE *file = fopen(from, "rb");
    CHECK(file && !fseek(file, 0, SEEK_END));
    long bytes = ftell(file);
    (void)fclose(file);
    int64_t before = 0;
    for (long cut = 32; cut < bytes; cut += 9973) {
        keep_files_copy(&kb, torn);
        CHECK(!truncate(wal, cut));
        int64_t rows = keep_ask(torn, "SELECT count(*) FROM sqlite_master WHERE name = 'queue'");
        if (rows) rows = keep_ask(torn, "SELECT count(*) FROM queue");
        CHECK(rows >= before && rows <= 20); /* never less from a longer log */
        before = rows;
        keep_files_copy(&kb, torn);
        file = fopen(wal, "r+b");
        CHECK(file && !fseek(file, cut, SEEK_SET));
        int c = fgetc(file);
        CHECK(c >= 0 && !fseek(file, cut, SEEK_SET) && fputc(c ^ 0x40, file) >= 0 && !fclose(file));
        CHECK_INT(keep_ask(torn, "SELECT count(*) FROM pragma_integrity_check WHERE"
                                 " integrity_check <> 'ok'"),
                  0);
    }
    CHECK(before > 12);
    raw_drop(&pub);
    keep_end(&kb);
}
