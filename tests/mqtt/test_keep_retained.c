/* tests/mqtt/test_keep_retained.c: retained messages outlive the broker's process.
 *
 * Expectations are sentences of MQTT 5.0: 3.3.1.3 (RETAIN), 3.8.3.1 (retain handling). */
#include "keep_bed.h"

static void retain(Raw *raw, const char *topic, const char *text)
{
    raw_publish(raw, (RawPub){topic, text, 1, 1, .retain = true});
    (void)raw_expect(raw, MQTT_PUBACK, 1);
}

TEST(retained_messages_survive)
{
    KeepBed kb;
    Raw raw;
    keep_begin(&kb, NULL);
    CHECK(!raw_open(&kb, &raw, "a", (RawHello){.clean = true}));
    raw_publish(&raw, (RawPub){"r/1", "one", 1, 1, .retain = true, .expiry_s = 500});
    (void)raw_expect(&raw, MQTT_PUBACK, 1);
    raw_publish(&raw, (RawPub){"r/2", "gone", 2, 1, .retain = true});
    (void)raw_expect(&raw, MQTT_PUBACK, 2);
    raw_publish(&raw, (RawPub){"r/2", "", 3, 1, .retain = true});
    (void)raw_expect(&raw, MQTT_PUBACK, 3);
    raw_publish(&raw, (RawPub){"r/3", "old", 0, 0, .retain = true});
    raw_publish(&raw, (RawPub){"r/3", "new", 0, 0, .retain = true});
    bed_until(&kb.bed, keep_asked(&kb, "SELECT count(*) FROM retained") == 2); /* 0 has its time */
    keep_crash(&kb);
    raw_gone(&raw);
    CHECK(!raw_open(&kb, &raw, "a", (RawHello){.clean = true}));
    raw_subscribe(&raw, "r/1", 1, 0);
    (void)raw_gets(&raw, "one", 1, false);
    CHECK(raw.p.retain);
    CHECK(mqtt_number(&raw.p.props, MQTT_P_MESSAGE_EXPIRY, 0) > 450);
    CHECK(mqtt_number(&raw.p.props, MQTT_P_MESSAGE_EXPIRY, 0) <= 500);
    raw_subscribe(&raw, "r/2", 1, 0);
    raw_settle(&raw);
    raw_subscribe(&raw, "r/3", 1, 0);
    (void)raw_gets(&raw, "new", 0, false);
    raw_drop(&raw);
    keep_end(&kb);
}

/* A module publishes in its start, before the broker has read what there was. */
TEST(what_is_retained_before_the_store_is_read_is_newer)
{
    static const char *const topics[] = {"r/1", "r/2"};
    KeepBed kb;
    Raw raw;
    keep_begin(&kb, NULL);
    CHECK(!raw_open(&kb, &raw, "a", (RawHello){.clean = true}));
    retain(&raw, "r/1", "old");
    keep_die(&kb);
    raw_gone(&raw);
    keep_open(&kb);
    for (size_t i = 0; i < COUNT_OF(topics); i++) {
        MqttPub pub = {
            .topic = str_from(topics[i]), .payload = STR("new"), .qos = 1, .retain = true};
        CHECK_OK(mqtt_broker_publish(kb.bed.broker, &pub, NULL));
    }
    keep_restore(&kb);
    for (int again = 0; again < 2; again++) {
        CHECK(!raw_open(&kb, &raw, "a", (RawHello){.clean = true}));
        for (size_t i = 0; i < COUNT_OF(topics); i++) {
            raw_subscribe(&raw, topics[i], 1, 0);
            (void)raw_gets(&raw, "new", 1, false);
        }
        raw_settle(&raw);
        bed_until(&kb.bed, keep_ask(kb.path, "SELECT count(*) FROM retained") == 2);
        keep_crash(&kb);
        raw_gone(&raw);
    }
    keep_end(&kb);
}

TEST(retained_messages_take_the_rows_of_those_that_went)
{
    KeepBed kb;
    Raw raw;
    keep_begin(&kb, NULL);
    for (int again = 0; again < 3; again++) { /* rows are known again after a crash */
        CHECK(!raw_open(&kb, &raw, "a", (RawHello){.clean = true}));
        retain(&raw, "r/1", "1");
        retain(&raw, "r/2", "2");
        retain(&raw, "r/3", "3");
        retain(&raw, "r/1", "");
        retain(&raw, "r/1", "");
        retain(&raw, "r/2", "22");
        retain(&raw, "r/2", "222");
        retain(&raw, "r/4", "4");
        CHECK_INT(keep_asked(&kb, "SELECT count(*) FROM retained"), 3);
        CHECK_INT(keep_asked(&kb, "SELECT max(id) FROM retained"), 3);
        keep_crash(&kb);
        raw_gone(&raw);
    }
    CHECK(!raw_open(&kb, &raw, "a", (RawHello){.clean = true}));
    raw_subscribe(&raw, "r/1", 1, 0);
    raw_settle(&raw);
    raw_subscribe(&raw, "r/2", 1, 0);
    (void)raw_gets(&raw, "222", 1, false);
    raw_drop(&raw);
    keep_end(&kb);
}

TEST(retained_messages_of_the_first_version_are_taken_over)
{
    KeepBed kb;
    Raw raw;
    keep_begin(&kb, NULL);
    CHECK(!raw_open(&kb, &raw, "a", (RawHello){.clean = true}));
    retain(&raw, "r/1", "1");
    retain(&raw, "r/2", "2");
    keep_down(&kb);
    raw_gone(&raw);
    static const char move[] =
        "INSERT INTO retained(rowid, topic, record) SELECT id * 5000000000, 'r/' || id, record "
        "FROM rows";
    static const char *const back[] = {
        "ALTER TABLE retained RENAME TO rows",
        "CREATE TABLE retained(topic BLOB PRIMARY KEY, record BLOB NOT NULL)",
        move,
        "DROP TABLE rows",
        "DROP TABLE retained_topic",
        "DROP INDEX body_unused",
        "DELETE FROM tutti_migrations WHERE owner = 'mqtt' AND version >= 2"};
    for (size_t i = 0; i < COUNT_OF(back); i++) (void)keep_ask(kb.path, back[i]);
    keep_up(&kb);
    CHECK_INT(keep_asked(&kb, "SELECT max(id) FROM retained"), 2);
    CHECK(!raw_open(&kb, &raw, "a", (RawHello){.clean = true}));
    raw_subscribe(&raw, "r/1", 1, 0);
    (void)raw_gets(&raw, "1", 1, false);
    raw_subscribe(&raw, "r/2", 1, 0);
    (void)raw_gets(&raw, "2", 1, false);
    raw_drop(&raw);
    keep_end(&kb);
}

enum { MANY = 12000 };

/* r/N with N or `text`, retained, and on the disk. */
static void retain_many(KeepBed *kb, Raw *raw, const char *text)
{
    for (int i = 0; i < MANY; i++) {
        char topic[16], own[16];
        (void)snprintf(topic, sizeof topic, "r/%d", i);
        (void)snprintf(own, sizeof own, "%d", i);
        raw_publish(raw, (RawPub){topic, text ? text : own, 0, 0, .retain = true});
    }
    bed_until(&kb->bed, keep_ask(kb->path, "SELECT count(*) FROM retained_topic") == MANY);
}

static uint64_t unread(KeepBed *kb)
{
    MqttBrokerStats stats;
    mqtt_broker_stats(kb->bed.broker, &stats);
    return stats.retained_unread;
}

/* A new subscriber of r/# gets "N" from r/N, all but 6, each once, and "new" from r/5. */
static void many_come(KeepBed *kb, const char *who)
{
    static bool got[MANY];
    Raw sub;
    memset(got, 0, sizeof got);
    CHECK(!raw_open(kb, &sub, who, (RawHello){.clean = true}));
    raw_subscribe(&sub, "r/#", 0, 0);
    for (int left = MANY - 1; left > 0 && !kb->bed.late; left--) {
        CHECK_INT(raw_next(&sub)->type, MQTT_PUBLISH);
        CHECK(sub.p.retain);
        int64_t n;
        CHECK(str_to_i64(str_skip(sub.p.topic, 2), &n));
        char text[16];
        (void)snprintf(text, sizeof text, n == 5 ? "new" : "%d", (int)n);
        CHECK(n >= 0 && n < MANY && n != 6 && !got[n]);
        CHECK_STR(sub.p.payload, text);
        got[n] = true;
    }
    raw_settle(&sub);
    raw_drop(&sub);
}

/* They are read while clients are served: who subscribes, publishes, or ends one meanwhile meets
 * the same as when all were there. */
TEST(retained_messages_come_back_while_clients_are_there)
{
    KeepBed kb;
    Raw raw, early;
    keep_begin(&kb, NULL);
    CHECK(!raw_open(&kb, &raw, "a", (RawHello){.clean = true}));
    retain_many(&kb, &raw, NULL);
    keep_crash(&kb);
    raw_gone(&raw);
    CHECK_INT(unread(&kb), MANY);
    CHECK(!raw_open(&kb, &early, "early", (RawHello){.clean = true}));
    raw_subscribe(&early, "r/+", 0, 0);
    CHECK(!raw_open(&kb, &raw, "a", (RawHello){.clean = true}));
    raw_publish(&raw, (RawPub){"r/5", "new", 1, 1, .retain = true});
    raw_publish(&raw, (RawPub){"r/6", "", 2, 1, .retain = true});
    uint64_t left = unread(&kb);
    CHECK(left > 0); /* or this shows nothing */
    (void)raw_expect(&raw, MQTT_PUBACK, 1);
    (void)raw_expect(&raw, MQTT_PUBACK, 2);
    keep_crash(&kb); /* and again, before all were read */
    raw_gone(&raw);
    raw_gone(&early);
    CHECK_INT(unread(&kb), MANY - 1);
    many_come(&kb, "first");
    CHECK_INT(unread(&kb), 0);
    many_come(&kb, "second");
    CHECK_INT(keep_asked(&kb, "SELECT count(*) FROM retained"), MANY - 1);
    CHECK_INT(keep_asked(&kb, "SELECT count(*) FROM retained_topic"), MANY - 1);
    keep_end(&kb);
}

/* What one who subscribed early gets: the retained ones it has not seen live, and those once. */
TEST(an_early_subscriber_gets_each_retained_message_once)
{
    KeepBed kb;
    Raw raw, sub;
    int live = 0, kept = 0;
    keep_begin(&kb, NULL);
    CHECK(!raw_open(&kb, &raw, "a", (RawHello){.clean = true}));
    retain_many(&kb, &raw, "old");
    keep_crash(&kb);
    raw_gone(&raw);
    CHECK(!raw_open(&kb, &raw, "a", (RawHello){.clean = true}));
    CHECK(!raw_open(&kb, &sub, "sub", (RawHello){.clean = true}));
    raw_publish(&raw, (RawPub){"r/11900", "before", 0, 0, .retain = true});
    raw_subscribe(&sub, "r/#", 0, 0);
    raw_publish(&raw, (RawPub){"r/11901", "after", 0, 0, .retain = true});
    raw_publish(&raw, (RawPub){"r/11902", "", 0, 0, .retain = true});
    CHECK(unread(&kb) > 0);
    for (int left = MANY; left > 0 && !kb.bed.late; left--) {
        CHECK_INT(raw_next(&sub)->type, MQTT_PUBLISH);
        if (str_is(sub.p.payload, "old"))
            kept++;
        else
            live++;
    }
    raw_settle(&sub); /* and nothing else */
    CHECK_INT(kept, MANY - 3);
    CHECK_INT(live, 3); /* "before" as retained, "after" and the end of 11902 as they came */
    raw_drop(&sub);
    raw_drop(&raw);
    keep_end(&kb);
}

/* Who asks for little need not wait until all is read: neither for a topic nor for a filter, of
 * rows that come last. */
TEST(what_is_asked_for_is_read_first)
{
    static const char *const asked[] = {"s/1/x", "s/+/x", "s/#"};
    KeepBed kb;
    Raw raw, sub;
    keep_begin(&kb, NULL);
    CHECK(!raw_open(&kb, &raw, "a", (RawHello){.clean = true}));
    retain_many(&kb, &raw, NULL);
    retain(&raw, "s/1/x", "one");
    for (size_t i = 0; i < COUNT_OF(asked); i++) {
        keep_crash(&kb);
        raw_gone(&raw);
        CHECK_INT(unread(&kb), MANY + 1);
        CHECK(!raw_open(&kb, &sub, "sub", (RawHello){.clean = true}));
        raw_subscribe(&sub, asked[i], 0, 0);
        (void)raw_gets(&sub, "one", 0, false);
        CHECK(sub.p.retain);
        CHECK(unread(&kb) > 0);
        raw_subscribe(&sub, "r/7", 0, 0);
        (void)raw_gets(&sub, "7", 0, false);
        keep_all_read(&kb);
        raw_settle(&sub); /* and nothing twice */
        raw_drop(&sub);
        CHECK(!raw_open(&kb, &raw, "a", (RawHello){.clean = true}));
    }
    raw_drop(&raw);
    keep_end(&kb);
}

/* The topics beside the messages are an aid: the records decide. A wrong one is nobody's or
 * another's: until the next start its message is not found, and no other is lost. */
TEST(a_topic_that_does_not_fit_its_message_is_made_anew)
{
    static const char *const wrong[] = {"r/3", "r/1"};
    char sql[96];
    KeepBed kb;
    Raw raw;
    MqttBrokerStats stats;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        keep_begin(&kb, NULL);
        CHECK(!raw_open(&kb, &raw, "a", (RawHello){.clean = true}));
        retain(&raw, "r/1", "1");
        retain(&raw, "r/2", "2");
        keep_down(&kb);
        raw_gone(&raw);
        (void)snprintf(sql, sizeof sql,
                       "UPDATE retained_topic SET topic = CAST('%s' AS BLOB) WHERE id = 2",
                       wrong[i]);
        (void)keep_ask(kb.path, sql);
        keep_up(&kb);
        keep_all_read(&kb);
        mqtt_broker_stats(kb.bed.broker, &stats);
        CHECK_INT(stats.retained_now, 1);
        CHECK(!raw_open(&kb, &raw, "a", (RawHello){.clean = true}));
        raw_subscribe(&raw, "r/+", 1, 0);
        (void)raw_gets(&raw, "1", 1, false);
        raw_settle(&raw);
        raw_drop(&raw);
        keep_down(&kb);
        keep_up(&kb);
        keep_all_read(&kb);
        CHECK(!raw_open(&kb, &raw, "a", (RawHello){.clean = true}));
        raw_subscribe(&raw, "r/2", 1, 0);
        (void)raw_gets(&raw, "2", 1, false);
        raw_drop(&raw);
        keep_end(&kb);
    }
}
