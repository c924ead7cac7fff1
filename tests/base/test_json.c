/* tests/base/test_json.c: the reader accepts RFC 8259 and nothing else; the writer is read back.
 *
 * Accepted and refused texts are the y_ and n_ kinds of cases of the JSON grammar in RFC 8259
 * sections 2 to 8; number texts are what ECMA-262 Number::toString prints (checked with node). */
#include "test.h"

#include "base/json.h"
#include "base/mem.h"

#include <math.h>

static Status read_text(Arena *arena, Str text, const Json **ret_json, Diag *diag)
{
    arena_reset(arena);
    return json_read(arena, text, ret_json, diag);
}

TEST(json_accepts_every_kind_of_value)
{
    static const Str good[] = {
        {"null", 4},
        {" true ", 6},
        {"\t\n\r false", 9},
        {"0", 1},
        {"-0", 2},
        {"-1.5e+3", 7},

        {"\"\"", 2},
        {"[]", 2},
        {"{}", 2},
        {"[[],[[]],{}]", 12},
        {"{\"\":0,\"a\":{\"a\":1}}", 18},
        {"[1,\n2]", 6},
        {"\"\\u0000\"", 8},
        {"\"\\ud83d\\ude00\"", 14},
        {"\"\xc3\xa4\"", 4},
        {"\"\x7f\"", 3},
        {"1e-400", 6},
    };
    Arena *arena = arena_new(0, 0);
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        const Json *json = NULL;
        if (read_text(arena, good[i], &json, NULL)) print_error("%.*s\n", STR_ARG(good[i]));
        CHECK(json);
        CHECK(json->raw.len && json->raw.len <= good[i].len);
    }
    arena_free(arena);
}

TEST(json_refuses_everything_else)
{
    static const char *const bad[] = {
        "",
        " ",
        "nul",
        "nulll",
        "True",
        "01",
        "-",
        "-01",
        "+1",
        ".5",
        "1.",
        "1.e1",
        "1e",
        "1e+",
        "0x1",
        "1e999",
        "-1e999",
        "NaN",
        "Infinity",
        "\"",
        "\"a",
        "\"\\\"",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\\u123\"",
        "\"\\ud800\"",
        "\"\\ud800\\u0041\"",
        "\"\\udc00\"",
        "\"a\nb\"",
        "\"a\tb\"",
        "'a'",
        "[",
        "]",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1}",
        "{",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\":1,}",
        "{a:1}",
        "{\"a\" 1}",
        "{1:1}",
        "{\"a\":1]",
        "{\"a\":1 \"b\":2}",
        "1 2",
        "[] []",
        "//x\n1",
        "/**/1",
        "\xef\xbb\xbf"
        "1",
        "\"\xc3\"",
        "\"\xed\xa0\x80\"",
        "\xc2\xa0"
        "1",
        "{\"a\":1,\"a\":2}",
        "{\"a\":1,\"\\u0061\":2}",
        "\"\\",
    };
    Arena *arena = arena_new(0, 0);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        const Json *json = NULL;
        Status st = read_text(arena, str_from(bad[i]), &json, NULL);
        if (!st) print_error("accepted: %s\n", bad[i]);
        CHECK_INT(st, ST_INVALID);
        CHECK(!json);
    }
    arena_free(arena);
}

TEST(json_keeps_64_bits)
{
    Arena *arena = arena_new(0, 0);
    const Json *json = NULL;
    CHECK_OK(read_text(arena,
                       STR("[9223372036854775807,-9223372036854775808,9007199254740993,"
                           "9223372036854775808,-0,1.0]"),
                       &json, NULL));
    CHECK(json_at(json, 0)->integer == INT64_MAX);
    CHECK(json_at(json, 1)->integer == INT64_MIN);
    CHECK(json_at(json, 2)->integer == 9007199254740993);
    CHECK_INT(json_at(json, 3)->type, JSON_NUMBER);
    CHECK(json_at(json, 3)->number == 9223372036854775808.0);
    CHECK_INT(json_at(json, 4)->type, JSON_INT);
    CHECK(signbit(json_at(json, 4)->number));
    CHECK_INT(json_at(json, 5)->type, JSON_NUMBER);
    CHECK(!json_at(json, 6));
    arena_free(arena);
}

TEST(json_depth_is_64_and_no_more)
{
    char text[140];
    Arena *arena = arena_new(0, 0);
    const Json *json = NULL;
    memset(text, '[', 65);
    memset(text + 65, ']', 65);
    CHECK_OK(read_text(arena, str_slice(text + 1, 128), &json, NULL));
    CHECK_INT(read_text(arena, str_slice(text, 130), &json, NULL), ST_INVALID);
    arena_free(arena);
}

TEST(json_finds_a_duplicate_among_many_keys)
{
    Buf buf;
    Arena *arena = arena_new(0, 0);
    const Json *json = NULL;
    buf_init(&buf, 1 << 20);
    for (int twice = 0; twice < 2; twice++) {
        buf_clear(&buf);
        buf_char(&buf, '{');
        for (int i = 0; i < 5000; i++) buf_printf(&buf, "\"k%d\":%d,", i, i);
        buf_printf(&buf, "\"k%d\":0}", twice ? 17 : 5000);
        CHECK_INT(read_text(arena, buf_view(&buf), &json, NULL), twice ? ST_INVALID : ST_OK);
    }
    buf_done(&buf);
    arena_free(arena);
}

TEST(json_names_line_and_column)
{
    Arena *arena = arena_new(0, 0);
    const Json *json = NULL;
    Diag diag = {0};
    CHECK_INT(json_read(arena, STR("{\n  \"a\": 1,\n  \"b\": tru\n}"), &json, &diag), ST_INVALID);
    CHECK_TEXT(diag.text, "JSON line 3 column 8: a value was expected");
    arena_free(arena);
}

TEST(json_lookups_fall_back_to_the_preset)
{
    Arena *arena = arena_new(0, 0);
    const Json *json = NULL;
    CHECK_OK(
        json_read(arena, STR("{\"s\":\"x\\n\\u00e4\",\"i\":7,\"n\":1.5,\"b\":true}"), &json, NULL));
    CHECK_STR(json_str(json, "s", STR("")), "x\n\xc3\xa4");
    CHECK_STR(json_str(json, "i", STR("preset")), "preset");
    CHECK_INT(json_int(json, "n", 3), 3);
    CHECK(json_number(json, "i", 0) == 7.0);
    CHECK(json_bool(json, "b", false));
    CHECK(json_bool(NULL, "b", true));
    CHECK(!json_get(json_get(json, "s"), "x"));
    arena_free(arena);
}

TEST(json_survives_an_empty_heap)
{
    Str text = STR("{\"a\":[1,2,{\"b\":\"c\"}],\"d\":null}");
    for (uint64_t nth = 1; nth < 4; nth++) {
        Arena *arena = arena_new(32, 0);
        const Json *json = NULL;
        mem_fail_at(nth);
        Status st = json_read(arena, text, &json, NULL);
        mem_fail_at(0);
        CHECK(st == ST_OK || st == ST_NO_MEMORY);
        arena_free(arena);
    }
}

static void check_number(double value, const char *want)
{
    Buf buf;
    JsonOut out;
    buf_init(&buf, 100);
    json_out_init(&out, &buf);
    json_put_number(&out, value);
    CHECK_STR(buf_view(&buf), want);
    buf_done(&buf);
}

TEST(json_numbers_print_as_ecmascript_does)
{
    check_number(0.0, "0");
    check_number(-0.0, "0");
    check_number(1, "1");
    check_number(-1.5, "-1.5");
    check_number(0.1 + 0.2, "0.30000000000000004");
    check_number(1e21, "1e+21");
    check_number(123456789012345680000.0, "123456789012345680000");
    check_number(1e-6, "0.000001");
    check_number(1e-7, "1e-7");
    check_number(1.7976931348623157e308, "1.7976931348623157e+308");
    check_number(5e-324, "5e-324");
    check_number(9007199254740993.0, "9007199254740992");
    check_number(100, "100");
    check_number((double)NAN, "null");
    check_number((double)INFINITY, "null");
}

TEST(json_writer_puts_commas_and_escapes)
{
    Buf buf;
    JsonOut out;
    buf_init(&buf, 1000);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    json_field_str(&out, "a\"", STR("q\"\\/\b\x01\n\x7f\xc3\xa4\xff!\xc3"));
    json_key(&out, "list");
    json_begin_array(&out);
    json_put_int(&out, INT64_MIN);
    json_put_uint(&out, UINT64_MAX);
    json_begin_object(&out);
    json_end(&out);
    json_put_raw(&out, STR("[1]"));
    json_put_text(&out, NULL);
    json_end(&out);
    json_field_bool(&out, "b", true);
    json_field_number(&out, "n", 0.5);
    json_end(&out);
    CHECK_OK(buf_status(&buf));
    CHECK_STR(buf_view(&buf),
              "{\"a\\\"\":\"q\\\"\\\\/\\b\\u0001\\n\x7f\xc3\xa4\xef\xbf\xbd!\xef\xbf\xbd\","
              "\"list\":[-9223372036854775808,18446744073709551615,{},[1],null],"
              "\"b\":true,\"n\":0.5}");
    Arena *arena = arena_new(0, 0);
    const Json *json = NULL;
    CHECK_OK(json_read(arena, buf_view(&buf), &json, NULL));
    CHECK_INT(json->count, 4);
    arena_free(arena);
    buf_done(&buf);
}
