/* tests/flow/test_scan.c: what is JSON and what is not, by RFC 8259 section by section, and values.
 */
#include "flow/hot.h"
#include "flow/pipe.h"
#include "flow/scan.h"
#include "test.h"

#include <stdio.h>
#include <string.h>

static int json(const char *text, size_t n)
{
    char padded[8 * RT_JSON_DEPTH_MAX + RT_PAD_BYTES] = {0};
    memcpy(padded, text, n);
    const char *end = padded + n, *p = rt_skip_value(rt_skip_space(padded, end), end);
    return p && rt_skip_space(p, end) == end;
}

static const char *const good[] = {
    "{}",
    "[]",
    "[[]]",
    "{\"\":0}",
    "{\"a\":{\"b\":[1,2,{}]}}",
    " [1 , 2]\t\r\n",
    "true",
    "false",
    "null",
    "0",
    "-0",
    "1e5",
    "-1.5E+10",
    "0.1e-7",
    "\"\"",
    "\"\\u0000\"",
    "\"\\ud83d\\ude00\"",
    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
    "\"\x7f\"",
    "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"",
    "\"a long text that takes more than one vector of sixteen bytes\"",
    "{\"a\":1,\"a\":2}",
    "123456789012345678901234567890"};

static const char *const bad[] = {"",
                                  "{",
                                  "}",
                                  "[",
                                  "[1",
                                  "[1,]",
                                  "[,1]",
                                  "{\"a\"}",
                                  "{\"a\":}",
                                  "{\"a\":1,}",
                                  "{a:1}",
                                  "{'a':1}",
                                  "[1 2]",
                                  "{\"a\" 1}",
                                  "01",
                                  "-01",
                                  "1.",
                                  ".5",
                                  "+1",
                                  "1e",
                                  "1e+",
                                  "-",
                                  "--1",
                                  "0x10",
                                  "1_000",
                                  "Infinity",
                                  "NaN",
                                  "tru",
                                  "TRUE",
                                  "nul",
                                  "\"",
                                  "\"a",
                                  "\"\\\"",
                                  "\"\\x41\"",
                                  "\"\\u12\"",
                                  "\"\\u12g4\"",
                                  "\"\\ud800\"",
                                  "\"\\ud800\\u0041\"",
                                  "\"\\udc00\"",
                                  "\"\x01\"",
                                  "\"\t\"",
                                  "\"\n\"",
                                  "\"\xff\"",
                                  "\"\xc0\xaf\"",
                                  "\"\xed\xa0\x80\"",
                                  "\"\xe2\x82\"",
                                  "\"\xf4\x90\x80\x80\"",
                                  "[1]]",
                                  "{}{}",
                                  "1 2",
                                  "\xef\xbb\xbf{}",
                                  "[1}",
                                  "{\"a\":1]",
                                  "\"a\"b",
                                  "[\"a\",]",
                                  "// c\n1"};

TEST(texts_of_rfc_8259)
{
    for (size_t i = 0; i < COUNT_OF(good); i++)
        if (!json(good[i], strlen(good[i]))) fail_msg("refused: %s", good[i]);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (json(bad[i], strlen(bad[i]))) fail_msg("accepted: %s", bad[i]);
    CHECK(!json("\"a\0b\"", 5));
}

/* Brackets of an alternating nest: each closing one must be that of its level. */
static size_t nest(char *text, int depth, int wrong)
{
    size_t len = 0;
    for (int i = 0; i < depth; i++) {
        Str open = i % 3 ? STR("[") : STR("{\"a\":");
        memcpy(text + len, open.ptr, open.len);
        len += open.len;
    }
    text[len++] = '1';
    for (int i = depth; i-- > 0;) text[len++] = (i % 3 != 0) == (i != wrong) ? ']' : '}';
    text[len] = 0;
    return len;
}

TEST(levels_with_the_record)
{
    static char text[8 * RT_JSON_DEPTH_MAX];
    for (int depth = 1020; depth <= 1025; depth++) { /* a value inside a record: 1023 more */
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        CHECK_INT(json(text, (size_t)depth * 2), depth <= 1023);
        CHECK_INT(json(text, nest(text, depth, -1)), depth <= 1023);
    }
    for (int wrong = 0; wrong < 300; wrong++) CHECK(!json(text, nest(text, 300, wrong)));
    for (int depth = 0; depth < 300; depth++) CHECK(json(text, nest(text, depth, -1)));
}

/* What is remembered of earlier texts lets pass only what the whole rule lets pass. */
TEST(times_of_the_day_seen_last)
{
    static const struct {
        const char *text;
        i64 ms; /* by hand: date -u -d TEXT +%s; -1 = no time */
    } rows[] = {
        {"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0:05.000Z", -1},
        {"1970-01-01T00:00:59.999Z", 59999},
        {"2026-07-29T10:11:12.345Z", 1785319872345},
        {"2026-07-29T10:11:59.999Z", 1785319919999},
        {"2026-07-29T10:11:60.000Z", 1785319920000}, /* a leap second, by the whole rule alone */
        {"2026-07-29T10:11:5a.000Z", -1},
        {"2026-07-29T10:11:05.00aZ", -1},
        {"2026-07-29T10:11:05,000Z", -1},
        {"2026-07-29T10:11:05.0000", -1},
        {"2026-07-29T10:60:05.000Z", -1},
        {"2026-07-29T24:00:05.000Z", -1},
        {"2026-07-29T23:59:05.001Z", 1785369545001},
        {"2026-07-30T00:00:00.000Z", 1785369600000},
        {"1969-12-31T23:58:30.500Z", -89500},
        {"1969-12-31T23:58:31.500Z", -88500},
        {"1969-12-31T00:00:00.001Z", -86399999},
    };
    struct RtDay day;
    rt_day_begin(&day);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[24 + RT_PAD_BYTES] = {0};
        memcpy(text, rows[i].text, 24);
        i64 ns = -1, again = -1;
        CHECK_INT(rt_time_text(&day, text, 24, &ns), rows[i].ms != -1);
        if (rows[i].ms != -1) CHECK_INT(ns, rows[i].ms * 1000000);
        CHECK(!rt_time24(&day, text, &again) || (rows[i].ms != -1 && again == ns));
    }
}

TEST(numbers_as_multiples)
{
    static const struct {
        const char *text;
        uint32_t scale;
        int cut;
        int64_t value;
        uint32_t reason;
    } cases[] = {{"12", 0, 0, 12, 0},
                 {"1.0", 0, 0, 1, 0},
                 {"1e3", 0, 0, 1000, 0},
                 {"1.5e1", 0, 0, 15, 0},
                 {"1.5", 0, 0, 0, RT_BAD_NUMBER},
                 {"-0", 0, 0, 0, 0},
                 {"1.25", 2, 0, 125, 0},
                 {"1.255", 2, 0, 0, RT_BAD_NUMBER},
                 {"1.259", 2, 1, 125, 0},
                 {"9223372036854775807", 0, 0, INT64_MAX, 0},
                 {"-9223372036854775808", 0, 0, INT64_MIN, 0},
                 {"9223372036854775808", 0, 0, 0, RT_RANGE},
                 {"1e400", 0, 0, 0, RT_RANGE},
                 {"1e-400", 0, 0, 0, RT_BAD_NUMBER},
                 {"0e999999999", 0, 0, 0, 0},
                 {"1763892000.123456789", 9, 1, 1763892000123456789, 0}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t value = 0;
        uint32_t reason = 99;
        const char *end = cases[i].text + strlen(cases[i].text);
        CHECK(rt_decimal(cases[i].text, end, cases[i].scale, cases[i].cut, &value, &reason) == end);
        CHECK_INT(reason, cases[i].reason);
        if (!reason) CHECK_INT(value, cases[i].value);
    }
}

static f64 quantile(const f64 *values, size_t count, f64 p, u32 bits)
{
    static u64 pool[64][(sizeof(RtChunk) + 4 * 64) / 8];
    RtChunk *table[16] = {0};
    RtSketch sketch = {.table = table};
    size_t used = 0;
    memset(pool, 0, sizeof pool);
    for (size_t i = 0; i < count; i++) {
        u64 word;
        memcpy(&word, &values[i], 8);
        sketch.n++;
        if (values[i] == 0) {
            sketch.zeros++;
            continue;
        }
        u32 octave = (u32)(word >> 52);
        RtChunk *at = sketch.table[RT_OCTAVE_AT(octave)];
        while (at && at->octave != octave) at = at->next;
        if (!at) {
            at = (RtChunk *)(void *)pool[used++];
            at->octave = octave;
            at->next = sketch.table[RT_OCTAVE_AT(octave)];
            sketch.table[RT_OCTAVE_AT(octave)] = at;
        }
        at->count[(word >> (52 - bits)) & ((1u << bits) - 1)]++;
    }
    return rt_sketch_quantile(&sketch, p, bits);
}

TEST(quantiles_are_within_their_error)
{
    static const f64 mixed[] = {-1000, -10, -0.5, 0, 0, 0.001, 3, 70, 5000}; /* ascending */
    for (u32 rank = 1; rank <= 9; rank++) {
        f64 got = quantile(mixed, 9, rank / 9.0 - 1e-9, 6), want = mixed[rank - 1];
        f64 error = got > want ? got - want : want - got,
            bound = want > 0 ? want / 100 : -want / 100;
        CHECK(error <= bound);
    }
    CHECK(quantile(mixed, 9, 0, 6) < -990);
    CHECK(quantile(mixed, 9, 1, 6) > 4950);
}
