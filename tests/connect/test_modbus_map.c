/* tests/connect/test_modbus_map.c: register lists: planning of requests, decoding by hand. */
#include "test.h"

#include "connect/connect.h"
#include "connect/modbus_lib.h"
#include "connect/modbus_map.h"

static ModbusMap map;

static Status map_of(const char *text, Diag *diag)
{
    Arena *arena = arena_new(0, 0);
    const Json *json;
    CHECK_OK(json_read(arena, str_from(text), &json, diag));
    Status st = connect__modbus_map(json, &map, diag);
    arena_free(arena);
    return st;
}

static void value(const char *type, const char *order, const char *scale, const uint16_t *words,
                  const char *want)
{
    char text[200];
    Buf buf;
    JsonOut out;
    (void)snprintf(text, sizeof text,
                   "[{\"name\":\"v\",\"type\":\"%s\",\"order\":\"%s\",\"address\":0,\"scale\":%s}]",
                   type, order, scale);
    CHECK_OK(map_of(text, NULL));
    buf_init(&buf, 1000);
    json_out_init(&out, &buf);
    connect__modbus_value(&map.points[0], words, &out);
    CHECK_STR(buf_view(&buf), want);
    buf_done(&buf);
}

/* 231.4 as f32 is 0x43676666, 1.5 as f64 is 0x3ff8000000000000 (IEEE 754). */
TEST(values_in_every_order)
{
    value("f32", "ABCD", "1", (uint16_t[]){0x4367, 0x6666}, "231.4");
    value("f32", "CDAB", "1", (uint16_t[]){0x6666, 0x4367}, "231.4");
    value("f32", "BADC", "1", (uint16_t[]){0x6743, 0x6666}, "231.4");
    value("f32", "DCBA", "1", (uint16_t[]){0x6666, 0x6743}, "231.4");
    value("f64", "ABCD", "1", (uint16_t[]){0x3ff8, 0, 0, 0}, "1.5");
    value("f64", "DCBA", "1", (uint16_t[]){0, 0, 0, 0xf83f}, "1.5");
    value("u16", "ABCD", "1", (uint16_t[]){65535}, "65535");
    value("i16", "ABCD", "1", (uint16_t[]){65535}, "-1");
    value("i16", "ABCD", "0.1", (uint16_t[]){284}, "28.4");
    value("u32", "ABCD", "1", (uint16_t[]){0xffff, 0xfffe}, "4294967294");
    value("i32", "CDAB", "1", (uint16_t[]){0xfffe, 0xffff}, "-2");
    value("i64", "ABCD", "1", (uint16_t[]){0xffff, 0xffff, 0xffff, 0xfffd}, "-3");
    value("u64", "DCBA", "1", (uint16_t[]){0xfeff, 0xffff, 0xffff, 0xffff}, "18446744073709551614");
    value("bool", "ABCD", "1", (uint16_t[]){0}, "false");
    value("bool", "ABCD", "1", (uint16_t[]){256}, "true");
    value("f32", "ABCD", "1", (uint16_t[]){0x7fc0, 0}, "null"); /* NaN */
}

TEST(scale_then_offset)
{
    const uint16_t words[] = {284};
    Buf buf;
    JsonOut out;
    buf_init(&buf, 1000);
    json_out_init(&out, &buf);
    json_begin_array(&out);
    CHECK_OK(map_of("[{\"name\":\"v\",\"address\":0,\"scale\":0.1,\"offset\":-40}]", NULL));
    connect__modbus_value(&map.points[0], words, &out);
    CHECK_OK(map_of("[{\"name\":\"v\",\"address\":0,\"offset\":0.5}]", NULL));
    connect__modbus_value(&map.points[0], words, &out);
    json_end(&out);
    CHECK_STR(buf_view(&buf), "[-11.6,284.5]");
    buf_done(&buf);
}

TEST(tags_share_no_request_with_plain_values)
{
    CHECK_OK(map_of("[{\"name\":\"a\",\"address\":0},{\"name\":\"b\",\"address\":1,\"tag\":true},"
                    "{\"name\":\"c\",\"address\":2},{\"name\":\"d\",\"address\":3,\"tag\":true}]",
                    NULL));
    CHECK_INT(map.range_count, 2);
    for (uint32_t i = 0; i < 4; i++) CHECK_INT(map.ranges[map.points[i].range].tags, i % 2);
}

TEST(neighbours_share_a_request)
{
    CHECK_OK(map_of("[{\"name\":\"a\",\"type\":\"f32\",\"address\":0},"
                    "{\"name\":\"far\",\"type\":\"u16\",\"address\":500},"
                    "{\"name\":\"b\",\"type\":\"u32\",\"address\":6},"
                    "{\"name\":\"in\",\"type\":\"u16\",\"area\":\"input\",\"address\":2},"
                    "{\"name\":\"door\",\"type\":\"bool\",\"area\":\"discrete\",\"address\":9}]",
                    NULL));
    CHECK_INT(map.range_count, 4);
    CHECK_INT(map.ranges[0].address, 0);
    CHECK_INT(map.ranges[0].count, 8);
    CHECK_INT(map.points[2].range, 0);
    CHECK_INT(map.points[2].offset, 6);
    CHECK_INT(map.ranges[1].address, 500);
    CHECK_INT(map.ranges[2].area, MODBUS_INPUT);
    CHECK_INT(map.ranges[3].area, MODBUS_DISCRETE);
}

TEST(a_request_never_asks_for_more_than_the_protocol_allows)
{
    char text[8192] = "[";
    for (int i = 0; i < 100; i++) {
        size_t len = strlen(text);
        (void)snprintf(text + len, sizeof text - len,
                       "%s{\"name\":\"r%d\",\"type\":\"f32\",\"address\":%d}", i ? "," : "", i,
                       i * 2);
    }
    memcpy(text + strlen(text), "]", 2);
    CHECK_OK(map_of(text, NULL));
    CHECK_INT(map.range_count, 2);
    for (uint32_t i = 0; i < map.range_count; i++) CHECK(map.ranges[i].count <= 125);
}

TEST(bad_lists_are_explained)
{
    static const char *const lists[] = {
        "[]",
        "{}",
        "[{\"type\":\"u16\",\"address\":1}]",
        "[{\"name\":\"a\",\"type\":\"u8\",\"address\":1}]",
        "[{\"name\":\"a\",\"area\":\"coil\",\"type\":\"u16\",\"address\":1}]",
        "[{\"name\":\"a\",\"address\":65536}]",
        "[{\"name\":\"a\",\"type\":\"f64\",\"address\":65533}]",
        "[{\"name\":\"a\"}]",
    };
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        Diag diag = {0};
        CHECK_INT(map_of(lists[i], &diag), ST_INVALID);
        CHECK(diag.text[0]);
    }
}

TEST(urls)
{
    Str host;
    uint16_t port;
    CHECK_OK(connect_url(STR("modbus://10.0.0.7"), "modbus", 502, &host, &port, NULL));
    CHECK_STR(host, "10.0.0.7");
    CHECK_INT(port, 502);
    CHECK_OK(connect_url(STR("mqtt://plant-7:1884/"), "mqtt", 1883, &host, &port, NULL));
    CHECK_STR(host, "plant-7");
    CHECK_INT(port, 1884);
    static const char *const bad[] = {"http://x",       "mqtt://",          "mqtt://a:0",
                                      "mqtt://a:70000", "mqtt://user@host", "mqtt://a/b",
                                      "mqtt:/x"};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        CHECK_INT(connect_url(str_from(bad[i]), "mqtt", 1883, &host, &port, NULL), ST_INVALID);
}

TEST(the_copy_of_libmodbus_inside_the_program_works)
{
    ModbusLib lib;
    Diag diag = {0};
    CHECK_OK(connect__modbus_lib_embedded(&lib, &diag));
    ModbusCtx *ctx = lib.new_tcp_pi("127.0.0.1", "1");
    CHECK(ctx);
    CHECK_INT(lib.set_slave(ctx, 1), 0);
    lib.free(ctx);
}
