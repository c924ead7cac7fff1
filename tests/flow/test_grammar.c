/* tests/flow/test_grammar.c: RFC 8259, production by production: texts are put together from parts
 * that are right or wrong, so what must come out is known from how they were made. Each text is
 * read as a value nobody needs, as a needed json value, and as a value in a list, with `check
 * strict`. */
#include "base/mem.h"
#include "flow/keys.h"
#include "flow/scan.h"
#include "test.h"

#include <stdio.h>
#include <string.h>

enum { TEXT_MAX = 900 };

static FlowInstance *host;

static const RtField any_fields[] = {{.name = "v",
                                      .word = 'v',
                                      .name_len = 1,
                                      .type = RT_JSON,
                                      .flags = RT_NEEDED | RT_OPTIONAL,
                                      .path = "v"}};
static const RtSchema any = {"", any_fields, 1, 1}, nothing = {"", NULL, 0, 0};

static bool reads(const RtSchema *schema, const char *front, const char *text, size_t n,
                  const char *back)
{
    char record[TEXT_MAX + 64 + RT_PAD_BYTES] = {0};
    RtValue value;
    u8 has;
    RtScan scan = {.value = &value, .has = &has};
    int start = snprintf(record, sizeof record, "%s", front);
    memcpy(record + start, text, n);
    size_t len = (size_t)start + n;
    memcpy(record + len, back, strlen(back));
    len += strlen(back);
    host->pipe.scratch_len = 0;
    return !rt_scan_json(&host->pipe, schema, RT_CHECK_STRICT, RT_UNKNOWN_IGNORE, record,
                         record + len, &scan);
}

static unsigned tried, wrong;

static void is(bool right, const char *text, size_t n)
{
    bool skipped = reads(&nothing, "{\"v\":", text, n, "}");
    bool needed = reads(&any, "{\"v\":", text, n, "}");
    bool inside = reads(&any, "{\"v\":[0,", text, n, "]}");
    tried++;
    if (skipped == right && needed == right && inside == right) return;
    if (wrong++ < 10)
        printf("%s: %.*s (%d %d %d)\n", right ? "refused" : "accepted", (int)n, text, skipped,
               needed, inside);
}

static void text_is(bool right, const char *text)
{
    is(right, text, strlen(text));
}

static void open_host(void)
{
    host = mem_zalloc(1, sizeof *host);
    CHECK(host);
    host->pipe.host = host;
}

static void close_host(void)
{
    while (host->retired_count) mem_free(host->retired[--host->retired_count]);
    mem_free(host->pipe.scratch);
    rt_keys_free(host);
    mem_free(host);
    printf("%u texts\n", tried);
    CHECK_INT(wrong, 0);
}

/* Section 6: one wrong part makes the whole wrong. */
TEST(numbers)
{
    static const struct {
        const char *text;
        bool right;
    } signs[] = {{"", 1}, {"-", 1}, {"+", 0}, {"--", 0}, {"\xe2\x88\x92", 0}},
      wholes[] = {{"0", 1},       {"7", 1},        {"10", 1},
                  {"1234567", 1}, {"12345678", 1}, {"123456789012345678901234567890", 1},
                  {"", 0},        {"00", 0},       {"01", 0},
                  {"0x1", 0},     {"1_0", 0},      {"\xd9\xa1", 0}},
      parts[] = {{"", 1},  {".0", 1},  {".5", 1},  {".1234567", 1}, {".12345678901234567890", 1},
                 {".", 0}, {"..5", 0}, {".5.", 0}, {",5", 0}},
      powers[] = {{"", 1},  {"e0", 1}, {"E5", 1}, {"e+5", 1},  {"E-5", 1},  {"e00", 1}, {"e400", 1},
                  {"e", 0}, {"e+", 0}, {"e-", 0}, {"e+-5", 0}, {"e1.5", 0}, {"e 5", 0}, {"ee5", 0}};
    open_host();
    tried = wrong = 0;
    for (size_t a = 0; a < COUNT_OF(signs); a++)
        for (size_t b = 0; b < COUNT_OF(wholes); b++)
            for (size_t c = 0; c < COUNT_OF(parts); c++)
                for (size_t d = 0; d < COUNT_OF(powers); d++) {
                    char text[200];
                    bool right =
                        signs[a].right && wholes[b].right && parts[c].right && powers[d].right;
                    /* "0,5" is two values where the text stands in a list */
                    if (strcmp(parts[c].text, ",5") == 0) continue;
                    snprintf(text, sizeof text, "%s%s%s%s", signs[a].text, wholes[b].text,
                             parts[c].text, powers[d].text);
                    text_is(right, text);
                }
    static const char *const words[] = {"NaN", "-NaN", "Infinity", "-Infinity",
                                        "1a",  "0e1x", ".5",       "1 2"};
    for (size_t i = 0; i < COUNT_OF(words); i++) text_is(false, words[i]);
    close_host();
}

/* Section 3: three words, in lower case, whole. */
TEST(literals)
{
    static const char *const words[] = {"true", "false", "null"};
    open_host();
    tried = wrong = 0;
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        char text[16];
        size_t n = strlen(words[i]);
        text_is(true, words[i]);
        for (size_t cut = 1; cut < n; cut++) is(false, words[i], cut);
        for (size_t at = 0; at < n; at++) {
            memcpy(text, words[i], n + 1);
            text[at] = (char)(text[at] - 32); /* upper case */
            text_is(false, text);
        }
        snprintf(text, sizeof text, "%sx", words[i]);
        text_is(false, text);
        snprintf(text, sizeof text, "%s\"\"", words[i]);
        text_is(false, text);
    }
    static const char *const others[] = {"",  "undefined", "nil", "yes",    "'x'",
                                         "x", "True",      "//",  "/* */ 1"};
    for (size_t i = 0; i < COUNT_OF(others); i++) text_is(false, others[i]);
    close_host();
}

/* A text with something in its middle, short and beyond the vectors of 16 bytes. */
static void in_string(bool right, const char *middle, size_t n)
{
    static const char *const fronts[] = {"", "a", "fifteen bytes..", "sixteen bytes...",
                                         "more than thirty-two bytes of text"};
    for (size_t i = 0; i < COUNT_OF(fronts); i++) {
        for (int back = 0; back < 2; back++) {
            char text[200];
            size_t front = strlen(fronts[i]), at = 0;
            text[at++] = '"';
            memcpy(text + at, fronts[i], front);
            memcpy(text + at + front, middle, n);
            at += front + n;
            if (back) memcpy(text + at, "zz behind!", 10), at += 10;
            text[at++] = '"';
            is(right, text, at);
        }
    }
}

/* Section 7 and 8.1: escapes, control characters, surrogates, UTF-8. */
TEST(strings)
{
    open_host();
    tried = wrong = 0;
    for (int c = 0; c < 256; c++) { /* a byte as it is, and behind a backslash */
        char text[3] = {(char)c, 0, 0};
        if (c != '"' && c != '\\') in_string(c >= 32 && c < 128, text, 1);
        text[0] = '\\';
        text[1] = (char)c;
        if (c == 'u') continue;
        if (c == '"' || c == '\\') {
            in_string(true, text, 2);
            continue;
        }
        in_string(c != 0 && strchr("/bfnrt", c) != NULL, text, 2);
    }
    static const struct {
        const char *text;
        bool right;
    } cases[] = {{"\\u0000", 1},
                 {"\\u00e9", 1},
                 {"\\uABCD", 1},
                 {"\\uabcd", 1},
                 {"\\uFFFF", 1},
                 {"\\u", 0},
                 {"\\u1", 0},
                 {"\\u12", 0},
                 {"\\u123", 0},
                 {"\\u123g", 0},
                 {"\\U0041", 0},
                 {"\\u 041", 0},
                 {"\\u-041", 0},
                 {"\\ud83d\\ude00", 1},
                 {"\\udbff\\udfff", 1},
                 {"\\ud800", 0},
                 {"\\ud800x", 0},
                 {"\\ud800\\n", 0},
                 {"\\ud800\\u0041", 0},
                 {"\\ud800\\ud800", 0},
                 {"\\udc00", 0},
                 {"\\udc00\\ud800", 0},
                 {"\\udfff", 0},
                 {"\\x41", 0},
                 {"\\0", 0},
                 {"\xc2\x80", 1},
                 {"\xdf\xbf", 1},
                 {"\xe0\xa0\x80", 1},
                 {"\xef\xbf\xbf", 1},
                 {"\xf0\x90\x80\x80", 1},
                 {"\xf4\x8f\xbf\xbf", 1},
                 {"\xc0\x80", 0},
                 {"\xc1\xbf", 0},
                 {"\xe0\x9f\xbf", 0},
                 {"\xed\xa0\x80", 0},
                 {"\xed\xbf\xbf", 0},
                 {"\xf0\x8f\xbf\xbf", 0},
                 {"\xf4\x90\x80\x80", 0},
                 {"\xf5\x80\x80\x80", 0},
                 {"\xc3", 0},
                 {"\xe2\x82", 0},
                 {"\xf0\x9f\x98", 0},
                 {"\xc3x", 0},
                 {"\x80", 0},
                 {"\xfe", 0}};
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        in_string(cases[i].right, cases[i].text, strlen(cases[i].text));
    static const char *const open[] = {"\"",     "\"a",    "\"a\\",      "\"a\\\"",
                                       "\"\"\"", "\"a\"b", "\"a\" \"b\""};
    for (size_t i = 0; i < COUNT_OF(open); i++) text_is(false, open[i]);
    close_host();
}

/* Sections 2, 4, 5: what stands between tokens. */
TEST(structure)
{
    static const char *const right[] = {"[]",
                                        "{}",
                                        "[[]]",
                                        "[{}]",
                                        "[1,2]",
                                        "{\"a\":1}",
                                        "{\"a\":1,\"b\":[{\"c\":{}}]}",
                                        "{\"\":0}",
                                        "{\"a\":1,\"a\":2}",
                                        "{\"\\u0061\":1}",
                                        "[\"]\",\"}\",\"\\\"\"]",
                                        "{\"a b\":{\"c\":[null,true,-0.5e1]}}"};
    static const char *const bad[] = {"[",
                                      "]",
                                      "{",
                                      "}",
                                      "[}",
                                      "{]",
                                      "[1,]",
                                      "[,1]",
                                      "[1,,2]",
                                      "[1 2]",
                                      "[1]]",
                                      "[1:2]",
                                      "{\"a\"}",
                                      "{\"a\":}",
                                      "{:1}",
                                      "{1:2}",
                                      "{a:1}",
                                      "{'a':1}",
                                      "{\"a\":1,}",
                                      "{,\"a\":1}",
                                      "{\"a\":1,,\"b\":2}",
                                      "{\"a\":1 \"b\":2}",
                                      "{\"a\" 1}",
                                      "{\"a\"::1}",
                                      "{\"a\":1}}",
                                      "{\"a\":1,\"b\"}",
                                      "[\"a\",\"b]",
                                      "{null:1}",
                                      "{\"a\":1;\"b\":2}",
                                      "[1;2]",
                                      "[[[",
                                      "{\"a\":{",
                                      "{\"a\":[}",
                                      "[{\"a\":1]",
                                      "[1}",
                                      "{[1]:2}",
                                      "{\"\\q\":1}",
                                      "{\"a\x01\":1}"};
    open_host();
    tried = wrong = 0;
    for (size_t i = 0; i < COUNT_OF(right); i++) text_is(true, right[i]);
    for (size_t i = 0; i < COUNT_OF(bad); i++) text_is(false, bad[i]);
    /* White space may stand around every token, and only the four characters that are. */
    static const char *const tokens[] = {"{", "\"a\"", ":",     "[", "1", ",", "true",
                                         "]", ",",     "\"b\"", ":", "{", "}", "}"};
    for (int c = 1; c < 128; c++) {
        for (size_t at = 0; at <= COUNT_OF(tokens); at++) {
            char text[64];
            size_t n = 0;
            bool white = c == ' ' || c == '\t' || c == '\n' || c == '\r';
            if (!white && c > 32) continue;
            for (size_t i = 0; i <= COUNT_OF(tokens); i++) {
                if (i == at) text[n++] = (char)c;
                if (i == COUNT_OF(tokens)) break;
                memcpy(text + n, tokens[i], strlen(tokens[i]));
                n += strlen(tokens[i]);
            }
            is(white, text, n);
        }
    }
    static const char *const spaces[] = {"\xc2\xa0", "\xef\xbb\xbf", "\xe2\x80\xa8", "\x0b",
                                         "\x0c"};
    for (size_t i = 0; i < COUNT_OF(spaces); i++) {
        char text[16];
        snprintf(text, sizeof text, "[%s1]", spaces[i]);
        text_is(false, text);
    }
    close_host();
}
