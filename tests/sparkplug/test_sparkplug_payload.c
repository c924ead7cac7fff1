/* tests/sparkplug/test_sparkplug_payload.c: payloads of Sparkplug B 3.0. The bytes are those of
 * Eclipse Tahu's encoder (npm sparkplug-payload 1.0.3) or written by hand from sparkplug_b.proto;
 * what they mean is what that encoder was told. */
#include "test.h"

#include "sparkplug/payload.h"
#include "sparkplug/topic.h"

#include <stdio.h>
#include <stdlib.h>

static size_t unhex(const char *hex, char *bytes)
{
    size_t n = 0;
    for (; hex[0] && hex[1]; hex += 2, n++) {
        char two[3] = {hex[0], hex[1], 0};
        bytes[n] = (char)strtoul(two, NULL, 16);
    }
    return n;
}

static void hexed(Str bytes, char *text)
{
    for (size_t i = 0; i < bytes.len; i++)
        (void)snprintf(text + 2 * i, 3, "%02x", (unsigned)(uint8_t)bytes.ptr[i]);
    text[2 * bytes.len] = 0;
}

/* The only metric of a payload that Tahu wrote with timestamp 1700000000000 and seq 3; it is read
 * as JSON, and written again it is the same bytes. */
static void check_metric(const char *hex, const char *name, uint32_t type, const char *json)
{
    char bytes[512], again[1024];
    SpPayload payload;
    SpMetric metric;
    Buf out;
    JsonOut writer;
    Str whole = str_slice(bytes, unhex(hex, bytes));
    CHECK_OK(sp_payload_read(whole, &payload, NULL));
    CHECK_INT(payload.seq, 3);
    CHECK_INT(payload.ts_ms, 1700000000000);
    CHECK_INT(payload.count, 1);
    SpWalk walk = sp_metrics(&payload);
    CHECK(sp_metric_next(&walk, &metric));
    CHECK_STR(metric.name, name);
    CHECK_INT(metric.type, type);
    buf_init(&out, 4096);
    json_out_init(&writer, &out);
    if (metric.null)
        json_put_null(&writer);
    else
        sp_put_json(&writer, metric.type, &metric.value);
    CHECK_STR(buf_view(&out), json);
    CHECK(!sp_metric_next(&walk, &metric));
    buf_clear(&out);
    walk = sp_metrics(&payload);
    CHECK(sp_metric_next(&walk, &metric));
    sp_put_begin(&out, payload.ts_ms);
    sp_put_metric(&out, &metric);
    sp_put_seq(&out, (uint8_t)payload.seq);
    hexed(buf_view(&out), again);
    if (!metric.has_alias && !metric.set.len && type != SP_TEMPLATE) CHECK_TEXT(again, hex);
    buf_done(&out);
}

TEST(whole_numbers_are_read_as_tahu_writes_them)
{
    check_metric("0880d095ffbc3112140a0161100118fbd095ffbc31200150fbffffff0f1803", "a", SP_INT8,
                 "-5");
    check_metric("0880d095ffbc31120b0a0162200250d4fdffff0f1803", "b", SP_INT16, "-300");
    check_metric("0880d095ffbc31120b0a016320035090ddfbff0f1803", "c", SP_INT32, "-70000");
    check_metric("0880d095ffbc3112100a0164200458809ce8afedffffffff011803", "d", SP_INT64,
                 "-5000000000");
    check_metric("0880d095ffbc3112080a0165200550c8011803", "e", SP_UINT8, "200");
    check_metric("0880d095ffbc3112090a0166200650e0d4031803", "f", SP_UINT16, "60000");
    check_metric("0880d095ffbc31120b0a016720075880d0acf30e1803", "g", SP_UINT32, "4000000000");
    check_metric("0880d095ffbc3112100a0168200858ffffffffffffffffff011803", "h", SP_UINT64,
                 "18446744073709551615");
}

TEST(other_scalars_are_read_as_tahu_writes_them)
{
    check_metric("0880d095ffbc31120a0a016920096500808e421803", "i", SP_FLOAT, "71.25");
    check_metric("0880d095ffbc31120e0a016a200a699a9999999999b93f1803", "j", SP_DOUBLE, "0.1");
    check_metric("0880d095ffbc3112070a016b200b70011803", "k", SP_BOOLEAN, "true");
    check_metric("0880d095ffbc31120c0a016c200c7a056772c3bc6e1803", "l", SP_STRING,
                 "\"gr\xc3\xbcn\"");
    check_metric("0880d095ffbc31120c0a016d200d58fbd095ffbc311803", "m", SP_DATETIME,
                 "\"2023-11-14T22:13:20.123Z\"");
    check_metric("0880d095ffbc3112080a016e200e7a01741803", "n", SP_TEXT, "\"t\"");
    check_metric("0880d095ffbc31120a0a016f200f7a03752d311803", "o", SP_UUID, "\"u-1\"");
    check_metric("0880d095ffbc31120b0a0170201182010300ff101803", "p", SP_BYTES, "\"AP8Q\"");
    check_metric("0880d095ffbc3112070a0171200a38011803", "q", SP_DOUBLE, "null");
}

TEST(datasets_and_templates_are_read_as_tahu_writes_them)
{
    check_metric(
        "0880d095ffbc31122e0a017220108a0126080212016e1201731803180c220d0a0608ffffffff0f0a033"
        "2017822090a0208020a033201791803",
        "r", SP_DATASET,
        "{\"columns\":[\"n\",\"s\"],\"types\":[\"Int32\",\"String\"],"
        "\"rows\":[[-1,\"x\"],[2,\"y\"]]}");
    check_metric(
        "0880d095ffbc31122a0a017320139201220a0131120a0a0372706d200350aa0b1a080a0170100c42017"
        "a22054d6f746f7228001803",
        "s", SP_TEMPLATE, "{\"ref\":\"Motor\",\"metrics\":{\"rpm\":1450}}");
}

TEST(flags_and_properties)
{
    char bytes[256];
    SpPayload payload;
    SpMetric metric;
    SpValue value;
    uint32_t type;
    int64_t quality;
    Str whole = str_slice(
        bytes,
        unhex("0880d095ffbc3112300a01742003280130014a230a07656e67556e69740a075175616c697479120"
              "8080c4204646567431205080318c00150071803",
              bytes));
    CHECK_OK(sp_payload_read(whole, &payload, NULL));
    SpWalk walk = sp_metrics(&payload);
    CHECK(sp_metric_next(&walk, &metric));
    CHECK(metric.historical && metric.transient && !metric.null);
    CHECK(sp_property(metric.set, "engUnit", &type, &value));
    CHECK_STR(value.bytes, "degC");
    CHECK_INT(type, SP_STRING);
    CHECK(sp_property(metric.set, "Quality", &type, &value));
    CHECK(sp_value_int(type, &value, &quality));
    CHECK_INT(quality, 192);
    CHECK(!sp_property(metric.set, "Other", &type, &value));
}

static void check_list(uint32_t type, const char *hex, const char *json)
{
    char bytes[64];
    SpValue value = {.form = SP_IN_BYTES, .bytes = str_slice(bytes, unhex(hex, bytes))};
    Buf out;
    JsonOut writer;
    buf_init(&out, 4096);
    json_out_init(&writer, &out);
    sp_put_json(&writer, type, &value);
    CHECK_STR(buf_view(&out), json);
    buf_done(&out);
}

/* The examples of Sparkplug 3.0, 6.4.16, "Array data types", and shorter ones by hand. */
TEST(arrays_are_those_of_the_specification)
{
    check_list(SP_INT8_ARRAY, "ef7b", "[-17,123]");
    check_list(SP_INT16_ARRAY, "d08a307b", "[-30000,31536]");
    check_list(SP_INT32_ARRAY, "ffffffff35af7312", "[-1,309571381]");
    check_list(SP_INT64_ARRAY, "ffffffffffffffff", "[-1]");
    check_list(SP_UINT8_ARRAY, "17fa", "[23,250]");
    check_list(SP_UINT16_ARRAY, "1e008ce8", "[30,59532]");
    check_list(SP_UINT32_ARRAY, "34000000ffffffff", "[52,4294967295]");
    check_list(SP_UINT64_ARRAY, "ffffffffffffffff", "[18446744073709551615]");
    check_list(SP_FLOAT_ARRAY, "00808e42", "[71.25]");
    check_list(SP_DOUBLE_ARRAY, "9a9999999999b93f", "[0.1]");
    check_list(SP_BOOLEAN_ARRAY, "0c00000034d0",
               "[false,false,true,true,false,true,false,false,true,true,false,true]");
    check_list(SP_STRING_ARRAY, "41424300680069", "[\"ABC\",\"h\",\"i\"]");
    check_list(SP_DATETIME_ARRAY, "7b68e5cf8b010000", "[\"2023-11-14T22:13:20.123Z\"]");
    check_list(SP_INT32_ARRAY, "ffffff", "[]");
    check_list(SP_BOOLEAN_ARRAY, "ffffffff80", "[true,false,false,false,false,false,false,false]");
    check_list(SP_BOOLEAN_ARRAY, "ff", "[]");
}

static void check_bad(const char *hex, const char *why)
{
    char bytes[512];
    SpPayload payload = {.count = 77};
    Diag diag = {0};
    CHECK(sp_payload_read(str_slice(bytes, unhex(hex, bytes)), &payload, &diag));
    CHECK_TEXT(diag.text, why);
    CHECK_INT(payload.count, 77);
}

TEST(damaged_payloads_are_refused_with_the_reason)
{
    check_bad("ff", "the payload is cut off, or no protobuf");
    check_bad("12ffffffff0f", "the payload is cut off, or no protobuf");
    check_bad("1203", "the payload is cut off, or no protobuf");
    check_bad("12020aff", "a metric is cut off");
    check_bad("22125350"
              "4256312e305f434f4d50524553534544",
              "it is compressed, which 3.0 does not know");
    check_bad("188002", "seq is not between 0 and 255"); /* 256 */
    check_bad("12060a04ffffffff", "a metric's name is too long or no UTF-8");
    check_bad("12054a030a016b", "a property set has keys without values");
    check_bad("12038a0109", "a metric is cut off");
    check_bad("12058a01021205", "a DataSet is cut off");
    check_bad("12068a0103120161", "a DataSet has not one type a column");
    check_bad("12128a010f120161180322080a0208010a020801",
              "a row of a DataSet has not one value a column");
}

TEST(what_is_nested_too_deep_is_refused)
{
    Buf inner, outer;
    SpPayload payload;
    Diag diag = {0};
    buf_init(&inner, 1 << 16);
    buf_init(&outer, 1 << 16);
    for (int i = 0; i < SP_LEVELS_MAX + 1; i++) {
        buf_clear(&outer);
        SpMetric metric = {.name = STR("x"),
                           .ts_ms = SP_NO_TIME,
                           .type = SP_TEMPLATE,
                           .value = {.form = SP_IN_TEMPLATE, .bytes = buf_view(&inner)}};
        sp_put_metric(&outer, &metric);
        CHECK_INT(sp_payload_read(buf_view(&outer), &payload, &diag),
                  i < SP_LEVELS_MAX ? ST_OK : ST_LIMIT);
        buf_clear(&inner);
        buf_str(&inner, buf_view(&outer));
    }
    CHECK_TEXT(diag.text, "templates are nested too deep");
    buf_done(&inner);
    buf_done(&outer);
}

static void check_write(uint32_t type, const char *json, const char *error)
{
    Arena *arena = arena_new(0, 0);
    const Json *read;
    SpMetric metric = {.name = STR("x"), .ts_ms = SP_NO_TIME};
    Diag diag = {0};
    Buf out;
    JsonOut writer;
    CHECK_OK(json_read(arena, str_from(json), &read, NULL));
    Status st = sp_value_from_json(type, read, &metric, &diag);
    CHECK_TEXT(diag.text, error);
    if (!st) {
        buf_init(&out, 4096);
        json_out_init(&writer, &out);
        sp_put_json(&writer, metric.type, &metric.value);
        CHECK_STR(buf_view(&out), json);
        buf_done(&out);
    }
    arena_free(arena);
}

TEST(commands_take_what_fits_their_type)
{
    check_write(SP_INT8, "-128", "");
    check_write(SP_INT8, "128", "128 is no Int8");
    check_write(SP_UINT8, "-1", "-1 is no UInt8");
    check_write(SP_UINT32, "4294967295", "");
    check_write(SP_INT64, "-9223372036854775808", "");
    check_write(SP_INT32, "1.5", "1.5 is no Int32");
    check_write(SP_FLOAT, "71.25", "");
    check_write(SP_DOUBLE, "\"x\"", "\"x\" is no Double");
    check_write(SP_BOOLEAN, "true", "");
    check_write(SP_BOOLEAN, "1", "1 is no Boolean");
    check_write(SP_STRING, "\"x\"", "");
    check_write(SP_STRING, "5", "5 is no String");
    check_write(SP_DATETIME, "\"2023-11-14T22:13:20.123Z\"", "");
    check_write(SP_DATASET, "5", "a value of type DataSet cannot be written from here");
}

TEST(topics_tck_id_topic_structure)
{
    SpTopic is = sp_topic_read(STR("spBv1.0/G/DDATA/E/D"));
    CHECK_INT(is.kind, SP_DDATA);
    CHECK_STR(is.group, "G");
    CHECK_STR(is.node, "E");
    CHECK_STR(is.device, "D");
    CHECK_INT(sp_topic_read(STR("spBv1.0/STATE/scada")).kind, SP_STATE);
    CHECK_STR(sp_topic_read(STR("spBv1.0/STATE/scada")).node, "scada");
    static const char *const not [] = {"spBv1.0",
                                       "spBv1.0/G/NDATA",
                                       "spBv1.0/G/NDATA/E/D",
                                       "spBv1.0/G/DDATA/E",
                                       "spBv1.0/G/DDATA/E/D/x",
                                       "spAv1.0/G/NDATA/E",
                                       "spBv1.0//NDATA/E",
                                       "spBv1.0/G/XDATA/E",
                                       "STATE/scada",
                                       "spBv1.0/G/DDATA/E/",
                                       ""};
    for (size_t i = 0; i < COUNT_OF(not ); i++)
        CHECK_INT(sp_topic_read(str_from(not [i])).kind, SP_NOT);
}

TEST(paths)
{
    static const struct {
        const char *prefix, *device, *metric, *path;
    } rows[] = {{"sparkplug", "D", "a/b", "sparkplug/G/E/D/a/b"},
                {"", "", "a//b/", "G/E/a/b"},
                {"a/b", "", "x+y#\x01", "a/b/G/E/x_y__"},
                {"$x", "", "", "_x/G/E"}};
    char room[SP_PATH_BYTES_MAX], longest[SP_PATH_BYTES_MAX + 1];
    Str path;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CHECK(sp_path(room, str_from(rows[i].prefix), STR("G"), STR("E"), str_from(rows[i].device),
                      str_from(rows[i].metric), &path));
        CHECK_STR(path, rows[i].path);
    }
    memset(longest, 'x', sizeof longest);
    CHECK(!sp_path(room, STR(""), STR("G"), STR("E"), STR(""), str_slice(longest, sizeof longest),
                   &path));
}

TEST(state_tck_id_host_topic_phid_birth_payload)
{
    Arena *arena = arena_new(0, 0);
    bool online = false;
    int64_t ts = 0;
    Buf out;
    buf_init(&out, 100);
    sp_state_put(&out, true, 1700000000000);
    CHECK_STR(buf_view(&out), "{\"online\":true,\"timestamp\":1700000000000}");
    CHECK(sp_state_read(arena, buf_view(&out), &online, &ts));
    CHECK(online && ts == 1700000000000);
    CHECK(!sp_state_read(arena, STR("ONLINE"), &online, &ts));
    CHECK(!sp_state_read(arena, STR("{\"online\":\"true\",\"timestamp\":1}"), &online, &ts));
    CHECK(!sp_state_read(arena, STR("{\"online\":true}"), &online, &ts));
    buf_done(&out);
    arena_free(arena);
}
