/* tests/mqtt/test_codec.c: packets by hand from the two standards, both ways.
 *
 * Byte sequences are written down from the tables and figures of MQTT 3.1.1 and 5.0, not produced
 * by the encoder under test. */
#include "test.h"

#include "mqtt/codec.h"
#include "mqtt/headers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static MqttPacket packet;

/* "10 0c ..." to bytes. */
static Str hex(const char *text)
{
    static char bytes[70000];
    size_t len = 0;
    for (char *end; *text; text = end) {
        bytes[len++] = (char)strtoul(text, &end, 16);
        while (*end == ' ') end++;
    }
    return str_slice(bytes, len);
}

static MqttReason decode(const char *text, uint8_t version, MqttSide side)
{
    size_t head, len;
    Str bytes = hex(text);
    MqttFrame frame = mqtt_frame(bytes, 1 << 20, &head, &len);
    if (frame != MQTT_FRAME_WHOLE || len != bytes.len) return MQTT_RC_MALFORMED;
    return mqtt_decode(bytes, head, version, side, &packet);
}

static MqttReason from_client(const char *text, uint8_t version)
{
    return decode(text, version, MQTT_FROM_CLIENT);
}

static void same(const Buf *buf, const char *text)
{
    Str want = hex(text);
    CHECK_INT(buf->len, want.len);
    CHECK(!memcmp(buf->ptr, want.ptr, want.len));
}

TEST(varint_takes_the_examples_of_the_standard)
{
    static const struct {
        const char *bytes;
        uint32_t value;
        bool bad;
    } rows[] = {{"00", 0, false},
                {"7f", 127, false},
                {"80 01", 128, false},
                {"ff 7f", 16383, false},
                {"80 80 01", 16384, false},
                {"ff ff 7f", 2097151, false},
                {"80 80 80 01", 2097152, false},
                {"ff ff ff 7f", 268435455, false},
                {"ff ff ff ff 01", 0, true},
                {"80", 0, true},
                {"80 00", 0, true}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        MqttCursor c = mqtt_cursor(hex(rows[i].bytes));
        CHECK_INT(mqtt_take_varint(&c), rows[i].value);
        CHECK_INT(c.bad, rows[i].bad);
    }
}

TEST(frame_judges_the_announced_length_before_the_bytes_came)
{
    size_t head, len;
    CHECK_INT(mqtt_frame(hex("30"), 100, &head, &len), MQTT_FRAME_MORE);
    CHECK_INT(mqtt_frame(hex("30 80"), 100, &head, &len), MQTT_FRAME_MORE);
    CHECK_INT(mqtt_frame(hex("30 ff ff ff 7f"), 100, &head, &len), MQTT_FRAME_TOO_LARGE);
    CHECK_INT(mqtt_frame(hex("30 ff ff ff ff"), 100, &head, &len), MQTT_FRAME_BAD);
    CHECK_INT(mqtt_frame(hex("30 80 00"), 100, &head, &len), MQTT_FRAME_BAD);
    CHECK_INT(mqtt_frame(hex("30 62 00"), 100, &head, &len), MQTT_FRAME_MORE);
    CHECK_INT(len, 100);
    CHECK_INT(mqtt_frame(hex("c0 00 c0 00"), 100, &head, &len), MQTT_FRAME_WHOLE);
    CHECK_INT(len, 2);
    CHECK_INT(head, 2);
}

/* MQTT 3.1.1, 3.1.2 figure 3.6 shows the flags; payload in the order of 3.1.3. */
TEST(connect_with_everything)
{
    CHECK_INT(from_client("10 24 00 04 4d 51 54 54 04 ce 00 0a 00 02 63 31 00 02 77 74 00 03 62 79 "
                          "65 00 04 75 73 65 72 00 03 70 77 64",
                          0),
              MQTT_RC_MALFORMED); /* one byte too few announced */
    CHECK_INT(from_client("10 23 00 04 4d 51 54 54 04 ee 00 0a 00 02 63 31 00 02 77 74 00 03 62 79 "
                          "65 00 04 75 73 65 72 00 03 70 77 64",
                          0),
              MQTT_RC_MALFORMED);
    CHECK_INT(from_client("10 22 00 04 4d 51 54 54 04 ee 00 0a 00 02 63 31 00 02 77 74 00 03 62 79 "
                          "65 00 04 75 73 65 72 00 03 70 77 64",
                          0),
              MQTT_RC_OK);
    CHECK_INT(packet.version, 4);
    CHECK(packet.clean && packet.has_will && packet.will_retain && packet.has_user);
    CHECK_INT(packet.will_qos, 1);
    CHECK_INT(packet.keep_alive, 10);
    CHECK_STR(packet.client_id, "c1");
    CHECK_STR(packet.will_topic, "wt");
    CHECK_STR(packet.will_payload, "bye");
    CHECK_STR(packet.user, "user");
    CHECK_STR(packet.password, "pwd");
}

TEST(connect_5_properties)
{
    /* session expiry 10 (MQTT 5.0, figure 3-6), receive maximum 20, user property a=b */
    CHECK_INT(from_client("10 1d 00 04 4d 51 54 54 05 02 00 3c 0f 11 00 00 00 0a 21 00 14 26 00 01 "
                          "61 00 01 62 00 01 78",
                          0),
              MQTT_RC_OK);
    CHECK_INT(mqtt_number(&packet.props, MQTT_P_SESSION_EXPIRY, 0), 10);
    CHECK_INT(mqtt_number(&packet.props, MQTT_P_RECEIVE_MAX, 0), 20);
    MqttCursor c = mqtt_cursor(packet.props.raw);
    Str key, value;
    CHECK(mqtt_next_user_prop(&c, &key, &value));
    CHECK_STR(key, "a");
    CHECK_STR(value, "b");
    CHECK(!mqtt_next_user_prop(&c, &key, &value));
}

TEST(connect_that_breaks_a_rule)
{
    static const struct {
        const char *bytes;
        MqttReason reason;
    } rows[] = {
        {"10 0d 00 04 4d 51 54 54 04 03 00 0a 00 01 78", MQTT_RC_MALFORMED}, /* reserved flag */
        {"10 0d 00 04 4d 51 54 54 04 0a 00 0a 00 01 78", MQTT_RC_MALFORMED}, /* will QoS, no will */
        {"10 0d 00 04 4d 51 54 54 04 42 00 0a 00 01 78", MQTT_RC_MALFORMED}, /* password, no user */
        {"11 0d 00 04 4d 51 54 54 04 02 00 0a 00 01 78", MQTT_RC_MALFORMED}, /* header flags */
        {"10 0d 00 04 4d 51 54 54 09 02 00 0a 00 01 78", MQTT_RC_VERSION},   /* level 9 */
        {"10 0d 00 04 4d 51 54 55 04 02 00 0a 00 01 78", MQTT_RC_MALFORMED}, /* name MQTU */
        {"10 0d 00 04 4d 51 54 54 04 02 00 0a 00 01 00", MQTT_RC_MALFORMED}, /* U+0000 */
        {"10 0f 00 04 4d 51 54 54 04 02 00 0a 00 03 ed a0 80", MQTT_RC_MALFORMED}, /* surrogate */
        {"10 0e 00 04 4d 51 54 54 04 02 00 0a 00 01 78 00",
         MQTT_RC_MALFORMED}, /* bytes left over */
        {"10 14 00 04 4d 51 54 54 05 02 00 0a 06 21 00 01 21 00 01 00 01 78", MQTT_RC_PROTOCOL},
        {"10 11 00 04 4d 51 54 54 05 02 00 0a 03 21 00 00 00 01 78", MQTT_RC_PROTOCOL}, /* max 0 */
        {"10 10 00 04 4d 51 54 54 05 02 00 0a 02 01 00 00 01 78", MQTT_RC_PROTOCOL},  /* not here */
        {"10 10 00 04 4d 51 54 54 05 02 00 0a 02 7f 00 00 01 78", MQTT_RC_MALFORMED}, /* unknown */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        CHECK_INT(from_client(rows[i].bytes, 0), rows[i].reason);
}

TEST(a_bridge_says_so_by_the_top_bit_of_its_level)
{
    static const struct {
        const char *bytes;
        MqttReason reason;
        uint8_t version;
        bool bridge;
    } rows[] = {
        {"10 0d 00 04 4d 51 54 54 84 02 00 0a 00 01 78", MQTT_RC_OK, 4, true},
        {"10 0d 00 04 4d 51 54 54 04 02 00 0a 00 01 78", MQTT_RC_OK, 4, false},
        {"10 0f 00 06 4d 51 49 73 64 70 83 02 00 0a 00 01 78", MQTT_RC_OK, 3, true},
        {"10 0e 00 04 4d 51 54 54 85 02 00 0a 00 00 01 78", MQTT_RC_VERSION, 0x85, false},
        {"10 0d 00 04 4d 51 54 54 80 02 00 0a 00 01 78", MQTT_RC_VERSION, 0x80, false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CHECK_INT(from_client(rows[i].bytes, 0), rows[i].reason);
        CHECK_INT(packet.version, rows[i].version);
        CHECK_INT(packet.bridge, rows[i].bridge);
    }
}

/* MQTT 3.1.1, 3.3.2 figure 3.11: topic a/b, packet identifier 10. */
TEST(publish_example_of_the_standard)
{
    CHECK_INT(from_client("3b 09 00 03 61 2f 62 00 0a 68 69", 4), MQTT_RC_OK);
    CHECK_STR(packet.topic, "a/b");
    CHECK_STR(packet.payload, "hi");
    CHECK_INT(packet.id, 10);
    CHECK_INT(packet.qos, 1);
    CHECK(packet.dup && packet.retain);
    CHECK_INT(from_client("36 07 00 03 61 2f 62 00 0a", 4), MQTT_RC_MALFORMED); /* QoS 3 */
    CHECK_INT(from_client("38 05 00 03 61 2f 62", 4), MQTT_RC_MALFORMED);       /* DUP with QoS 0 */
    CHECK_INT(from_client("30 05 00 03 61 2f 23", 4), MQTT_RC_TOPIC_INVALID);   /* a/# */
    CHECK_INT(from_client("32 07 00 03 61 2f 62 00 00", 4), MQTT_RC_PROTOCOL);  /* identifier 0 */
    CHECK_INT(from_client("30 02 00 00", 4), MQTT_RC_MALFORMED);                /* no topic */
    CHECK_INT(from_client("30 03 00 00 00", 5), MQTT_RC_PROTOCOL); /* no topic, no alias */
    CHECK_INT(from_client("30 06 00 00 03 23 00 01", 5), MQTT_RC_OK);
    CHECK_INT(from_client("30 07 00 01 61 03 23 00 00", 5), MQTT_RC_TOPIC_ALIAS);
}

TEST(props_that_travel)
{
    /* payload format 1, expiry 7, correlation 01 02, user k=v */
    CHECK_INT(from_client("30 18 00 01 74 13 01 01 02 00 00 00 07 09 00 02 01 02 26 00 01 6b 00 01 "
                          "76 21",
                          5),
              MQTT_RC_OK);
    Buf buf;
    buf_init(&buf, 1000);
    Str passing = mqtt_props_passing(&packet.props, &buf);
    Buf copy;
    buf_init(&copy, 1000);
    buf_str(&copy, passing);
    same(&copy, "01 01 09 00 02 01 02 26 00 01 6b 00 01 76");
    buf_done(&copy);
    buf_done(&buf);
}

/* MQTT 3.1.1, 3.8.3 figure 3.21: a/b at QoS 1, c/d at QoS 2. */
TEST(subscribe_example_of_the_standard)
{
    MqttFilterRow row;
    CHECK_INT(from_client("82 0e 00 0a 00 03 61 2f 62 01 00 03 63 2f 64 02", 4), MQTT_RC_OK);
    CHECK_INT(packet.id, 10);
    CHECK_INT(packet.count, 2);
    Str list = packet.list;
    CHECK(mqtt_next_filter(&list, MQTT_SUBSCRIBE, 4, &row));
    CHECK_STR(row.filter, "a/b");
    CHECK_INT(row.qos, 1);
    CHECK(mqtt_next_filter(&list, MQTT_SUBSCRIBE, 4, &row));
    CHECK_STR(row.filter, "c/d");
    CHECK_INT(row.qos, 2);
    CHECK(!mqtt_next_filter(&list, MQTT_SUBSCRIBE, 4, &row));
    CHECK_INT(from_client("80 08 00 0a 00 03 61 2f 62 01", 4), MQTT_RC_MALFORMED); /* flags */
    CHECK_INT(from_client("82 02 00 0a", 4), MQTT_RC_PROTOCOL);                    /* no filter */
    CHECK_INT(from_client("82 08 00 0a 00 03 61 2f 62 03", 4), MQTT_RC_MALFORMED); /* QoS 3 */
    CHECK_INT(from_client("82 08 00 0a 00 03 61 23 62 01", 4), MQTT_RC_MALFORMED); /* a#b */
    CHECK_INT(from_client("82 09 00 0a 00 00 03 61 2f 62 30", 5),
              MQTT_RC_PROTOCOL); /* handling 3 */
}

/* MQTT 5.0, 3.3.2.3: what a message says beside its payload, for programs. */
TEST(user_properties_are_an_object)
{
    AUTO_BUF Buf block, out;
    buf_init(&block, 4 << 20);
    buf_init(&out, 4 << 20);
    mqtt_put_headers(STR_NONE, &out);
    CHECK_STR(buf_view(&out), "");
    mqtt_put_prop_number(&block, MQTT_P_PAYLOAD_FORMAT, 1);
    mqtt_put_headers(buf_view(&block), &out);
    CHECK_STR(buf_view(&out), "");
    mqtt_put_prop_user(&block, STR("a"), STR("1\""));
    mqtt_put_prop_text(&block, MQTT_P_CONTENT_TYPE, STR("text/x"));
    mqtt_put_prop_user(&block, STR("b"), STR(""));
    mqtt_put_prop_user(&block, STR("a"), STR("2"));
    mqtt_put_headers(buf_view(&block), &out);
    CHECK_STR(buf_view(&out), "{\"content-type\":\"text/x\",\"a\":[\"1\\\"\",\"2\"],\"b\":\"\"}");
    buf_clear(&out);
    mqtt_put_headers(hex("26 00 05 61 62"), &out); /* a name that is cut off */
    CHECK_STR(buf_view(&out), "");
}

TEST(headers_have_a_maximum)
{
    AUTO_BUF Buf block, out;
    buf_init(&block, 4 << 20);
    buf_init(&out, 4 << 20);
    for (int i = 0; i < 150; i++) {
        char name[8];
        int len = snprintf(name, sizeof name, "n%d", i);
        mqtt_put_prop_user(&block, (Str){name, (size_t)len}, STR("v"));
    }
    mqtt_put_headers(buf_view(&block), &out);
    buf_char(&out, 0);
    CHECK(strstr(out.ptr, "\"n99\":\"v\"}") && !strstr(out.ptr, "n100"));
    buf_clear(&block);
    buf_clear(&out);
    static char big[60000];
    memset(big, 'x', sizeof big);
    mqtt_put_prop_user(&block, STR("first"), (Str){big, sizeof big});
    mqtt_put_prop_user(&block, STR("next"), (Str){big, sizeof big});
    mqtt_put_headers(buf_view(&block), &out);
    CHECK(out.len > sizeof big && out.len <= MQTT_HEADERS_BYTES_MAX);
    buf_clear(&block);
    buf_clear(&out);
    memset(big, '"', sizeof big); /* each is two bytes long in JSON */
    mqtt_put_prop_user(&block, STR("only"), (Str){big, sizeof big});
    mqtt_put_headers(buf_view(&block), &out);
    CHECK_STR(buf_view(&out), "{}");
}

TEST(acks_and_the_rest)
{
    CHECK_INT(from_client("40 02 12 34", 4), MQTT_RC_OK);
    CHECK_INT(packet.id, 0x1234);
    CHECK_INT(from_client("40 03 12 34 00", 4), MQTT_RC_MALFORMED);
    CHECK_INT(from_client("40 03 12 34 10", 5), MQTT_RC_OK);
    CHECK_INT(packet.reason, 0x10);
    CHECK_INT(from_client("40 03 12 34 11", 5), MQTT_RC_PROTOCOL); /* not a reason of PUBACK */
    CHECK_INT(from_client("60 02 12 34", 4), MQTT_RC_MALFORMED);   /* PUBREL needs flags 2 */
    CHECK_INT(from_client("6a 02 12 34", 4), MQTT_RC_MALFORMED);
    CHECK_INT(from_client("6a 02 12 34", 3), 0); /* 3.1 marks it as a duplicate */
    CHECK_INT(from_client("62 02 12 34", 4), MQTT_RC_OK);
    CHECK_INT(from_client("c0 00", 4), MQTT_RC_OK);
    CHECK_INT(from_client("c0 01 00", 4), MQTT_RC_MALFORMED);
    CHECK_INT(from_client("d0 00", 4), MQTT_RC_PROTOCOL); /* clients send no PINGRESP */
    CHECK_INT(from_client("e0 00", 5), MQTT_RC_OK);
    CHECK_INT(from_client("e0 07 04 05 11 00 00 00 09", 5), MQTT_RC_OK);
    CHECK_INT(packet.reason, 4);
    CHECK_INT(from_client("00 00", 5), MQTT_RC_MALFORMED);
    CHECK_INT(decode("20 02 01 00", 4, MQTT_FROM_SERVER), MQTT_RC_OK);
    CHECK(packet.session_present);
    CHECK_INT(decode("20 02 02 00", 4, MQTT_FROM_SERVER), MQTT_RC_MALFORMED);
    CHECK_INT(decode("90 04 00 0a 01 80", 4, MQTT_FROM_SERVER), MQTT_RC_OK);
    CHECK_INT(packet.count, 2);
}

TEST(writers_give_the_bytes_of_the_standard)
{
    Buf out;
    buf_init(&out, 1000);
    mqtt_put_publish(&out,
                     &(MqttPublishOut){.topic = STR("a/b"),
                                       .payload = STR("hi"),
                                       .id = 10,
                                       .qos = 1,
                                       .dup = true,
                                       .retain = true},
                     4);
    same(&out, "3b 09 00 03 61 2f 62 00 0a 68 69");
    buf_clear(&out);
    uint32_t ids[] = {1, 200};
    mqtt_put_publish(&out,
                     &(MqttPublishOut){.topic = STR("t"),
                                       .payload = STR("x"),
                                       .expiry_s = 7,
                                       .expires = true,
                                       .alias = 3,
                                       .sub_ids = ids,
                                       .sub_id_count = 2},
                     5);
    same(&out, "30 12 00 01 74 0d 02 00 00 00 07 23 00 03 0b 01 0b c8 01 78");
    buf_clear(&out);
    mqtt_put_connack(&out, 5, true, 0, STR_NONE);
    same(&out, "20 03 01 00 00");
    buf_clear(&out);
    mqtt_put_ack(&out, MQTT_PUBREL, 5, 0x1234, MQTT_RC_ID_NOT_FOUND, STR_NONE);
    same(&out, "62 03 12 34 92");
    buf_clear(&out);
    mqtt_put_codes(&out, MQTT_SUBACK, 4, 10, hex("01 02"));
    same(&out, "90 04 00 0a 01 02");
    buf_clear(&out);
    mqtt_put_connect(
        &out,
        &(MqttConnectOut){.version = 5, .clean = true, .keep_alive = 60, .client_id = STR("x")});
    same(&out, "10 0e 00 04 4d 51 54 54 05 02 00 3c 00 00 01 78");
    buf_done(&out);
}

/* MQTT 5.0, 4.7.1 and 4.7.2, with the examples given there. */
TEST(topics_match_as_in_the_standard)
{
    static const struct {
        const char *filter, *topic;
        bool match;
    } rows[] = {
        {"sport/tennis/player1/#", "sport/tennis/player1", true},
        {"sport/tennis/player1/#", "sport/tennis/player1/ranking", true},
        {"sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true},
        {"sport/#", "sport", true},
        {"#", "a/b", true},
        {"sport/tennis/+", "sport/tennis/player1", true},
        {"sport/tennis/+", "sport/tennis/player1/ranking", false},
        {"sport/+", "sport", false},
        {"sport/+", "sport/", true},
        {"+/+", "/finance", true},
        {"/+", "/finance", true},
        {"+", "/finance", false},
        {"#", "$SYS/monitor", false},
        {"+/monitor/Clients", "$SYS/monitor/Clients", false},
        {"$SYS/#", "$SYS/monitor", true},
        {"$SYS/monitor/+", "$SYS/monitor/Clients", true},
        {"a/b", "a/b/c", false},
        {"a/b/c", "a/b", false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        CHECK_INT(mqtt_topic_match(str_from(rows[i].filter), str_from(rows[i].topic)),
                  rows[i].match);
    CHECK(!mqtt_filter_valid(STR("sport/tennis#")) && !mqtt_filter_valid(STR("sport/#/ranking")));
    CHECK(!mqtt_filter_valid(STR("sport+")) && !mqtt_filter_valid(STR("")));
    CHECK(mqtt_filter_valid(STR("+/tennis/#")) && mqtt_filter_valid(STR("/")));
    Str group, rest;
    CHECK(mqtt_share_split(STR("$share/g/a/+"), &group, &rest));
    CHECK_STR(group, "g");
    CHECK_STR(rest, "a/+");
    CHECK(!mqtt_share_split(STR("$share/g"), &group, &rest));
    CHECK(!mqtt_share_split(STR("$share//a"), &group, &rest));
    CHECK(!mqtt_share_split(STR("$share/g+/a"), &group, &rest));
}
