/* tests/layout/test_learnt.c: the learnt layouts never accept what reading in any order refuses,
 * and give the same values: records of many shapes with some bytes changed, taken out, put in, or
 * members moved, 100,000 of them through each way of checking, as records and as lines. */
#include "pair.h"
#include "test.h"

enum { LINES_MAX = 200, RECORDS = 100000 };

static Str lines[LINES_MAX];
static size_t line_count;
static char sample[64 << 10];

static void load(void)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/tests/layout/learnt.ndjson", TEST_SOURCES);
    FILE *in = fopen(path, "rb");
    CHECK(in);
    size_t n = fread(sample, 1, sizeof sample, in);
    fclose(in);
    Str rest = str_slice(sample, n);
    for (ptrdiff_t nl; (nl = str_find_char(rest, '\n')) >= 0 && line_count < LINES_MAX;) {
        lines[line_count++] = str_slice(rest.ptr, (size_t)nl);
        rest = str_skip(rest, (size_t)nl + 1);
    }
    CHECK(line_count > 20);
}

static uint64_t seed = 88172645463325252ull;
static size_t next(size_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (size_t)(seed >> 11) % n;
}

/* Bytes and texts that mean something where they land. */
static const char *const pieces[] = {"\"",
                                     "\\",
                                     "{",
                                     "}",
                                     "[",
                                     "]",
                                     ":",
                                     ",",
                                     " ",
                                     "\t",
                                     "\n",
                                     "\r",
                                     "0",
                                     "1",
                                     "9",
                                     ".",
                                     "-",
                                     "+",
                                     "e",
                                     "E",
                                     "e5",
                                     "E-3",
                                     "e400",
                                     ".5",
                                     "00",
                                     "null",
                                     "true",
                                     "false",
                                     "nul",
                                     "\\u0041",
                                     "\\ud800",
                                     "\\n",
                                     "\\q",
                                     "\x01",
                                     "\x1f",
                                     "\x7f",
                                     "\xc3\xa9",
                                     "\xff",
                                     "\xc3",
                                     "\xed\xa0\x80",
                                     "12345678",
                                     "123456789012345678901",
                                     "0.1234567890123456789",
                                     "2147483648",
                                     "-2147483649",
                                     "4294967296",
                                     "9223372036854775808",
                                     "18446744073709551615",
                                     "1.0",
                                     "1e2",
                                     "100.000",
                                     "2026-11-23T10:00:00.000Z",
                                     "2026-02-30T10:00:00.000Z",
                                     "24:00:00",
                                     "23:60:00",
                                     "RUN",
                                     "RUNN",
                                     "IDLE",
                                     "10s",
                                     "QUJDREVGRw==",
                                     "long long text of many bytes",
                                     ",\"i\":5",
                                     ",\"n\":{\"x\":1,\"k\":\"\"}",
                                     ",\"zz\":1",
                                     ",\"zz\":{\"a\":[1,2,{}]}",
                                     ",\"spare\":null",
                                     "[1,2,3,4,5]",
                                     "[[1]]",
                                     "{\"a\":1}",
                                     "\"x\"",
                                     "{}",
                                     "[]"};

static size_t change(char *text, size_t n)
{
    const char *piece = pieces[next(COUNT_OF(pieces))];
    size_t at = next(n + 1), len = strlen(piece), out = 0;
    switch (next(6)) {
    case 5: /* another value */
        while (at < n && text[at] != ':') at++;
        if (at == n) return n;
        at++;
        while (at + out < n && text[at + out] != ',' && text[at + out] != '}') out++;
        break;
    case 0: /* another byte */
        if (at < n) text[at] = piece[0];
        return n;
    case 1: /* put in */ break;
    case 2: /* in the place of some bytes */ out = 1 + next(3); break;
    case 3: /* taken out */
        out = 1 + next(8);
        len = 0;
        break;
    default: /* cut */ return next(8) ? n : at;
    }
    if (at + out > n) out = n - at;
    if (n + len - out > PAIR_BYTES_MAX / 2) return n;
    memmove(text + at + len, text + at + out, n - at - out);
    memcpy(text + at, piece, len);
    return n + len - out;
}

/* Where a member of the record itself starts and ends; a fair guess is enough. */
static size_t member_at(const char *text, size_t n, size_t from)
{
    int depth = 0;
    bool in_text = false;
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '"' && (!i || text[i - 1] != '\\')) in_text = !in_text;
        if (in_text) continue;
        depth += (text[i] == '{' || text[i] == '[') - (text[i] == '}' || text[i] == ']');
        if (i >= from && depth == 1 && text[i] == ',') return i;
    }
    return n;
}

/* Moves the first member to the end, or says the last one twice. */
static size_t turn(char *text, size_t n)
{
    char copy[PAIR_BYTES_MAX];
    size_t first = member_at(text, n, 0);
    if (first == n || n < 3 || text[n - 1] != '}') return n;
    int wrote = next(3) ? snprintf(copy, sizeof copy, "{%.*s,%.*s}", (int)(n - first - 2),
                                   text + first + 1, (int)(first - 1), text + 1)
                        : snprintf(copy, sizeof copy, "%.*s,%.*s}", (int)(n - 1), text,
                                   (int)(first - 1), text + 1);
    if (wrote <= 0 || wrote >= (int)sizeof copy / 2) return n;
    memcpy(text, copy, (size_t)wrote);
    return (size_t)wrote;
}

TEST(learnt_and_any_order_agree)
{
    static Pairs pairs;
    char text[PAIR_BYTES_MAX];
    unsigned differ = 0;
    load();
    pairs_open(&pairs);
    for (int i = 0; i < RECORDS && differ < 10; i++) {
        Str line = lines[next(line_count)];
        size_t n = line.len;
        memcpy(text, line.ptr, n);
        if (next(6) == 0) n = turn(text, n);
        for (size_t times = next(4); times > 0; times--) n = change(text, n);
        differ += !pairs_try(&pairs, text, n);
    }
    CHECK_INT(differ, 0);
    for (uint32_t i = 0; i < PAIR_PIPELINES;
         i++) { /* both ways were taken, and both kinds of end */
        const RtCounters *a = flow_counters(pairs.list[i].learnt);
        const RtCounters *b = flow_counters(pairs.list[i].any);
        CHECK(a->learnt > RECORDS / 4);
        CHECK(a->errors > RECORDS / 8 && a->emitted > RECORDS / 8);
        CHECK_INT(b->learnt, 0);
        for (uint32_t k = 0; k < tutti_program.pipelines[i].layout_count; k++)
            CHECK(a->layout[k] > 1000);
    }
    pairs_close(&pairs);
}

/* Levels count from the record, also for what stands inside a nested record or a list's items. */
TEST(levels_of_nesting)
{
    static const struct {
        const char *front, *back;
        int around;
    } places[] = {{"{\"t\":\"2026-11-23T10:00:00.000Z\",\"m\":1,\"d\":\"1ms\",\"f\":1,\"g\":1,"
                   "\"i\":1,\"j\":1,\"u\":1,"
                   "\"w\":1,\"c\":1,\"s\":\"\",\"b\":\"\",\"e\":\"RUN\",\"o\":true,\"n\":{\"x\":1,"
                   "\"y\":1,\"k\":\"\"},"
                   "\"r\":{\"z\":1},\"l\":[],\"p\":[],\"a\":",
                   ",\"spare\":1,\"extra\":\"\"}", 1},
                  {"{\"r\":{\"z\":1,\"q\":",
                   "},\"t\":\"2026-11-23T10:00:00.000Z\",\"f\":1,\"i\":1,\"s\":\"\","
                   "\"e\":\"RUN\"}",
                   2},
                  {"{\"e\":\"RUN\",\"s\":\"\",\"p\":[{\"q\":1,\"zz\":",
                   "}],\"r\":{\"z\":1},\"f\":1,\"i\":1,\"t\":\"2026-11-23T10:00:00.000Z\"}", 3}};
    static Pairs pairs;
    pairs_open(&pairs);
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        for (int levels = RT_JSON_DEPTH_MAX - 6; levels < RT_JSON_DEPTH_MAX + 2; levels++) {
            char text[3000], inside[2200] = {0};
            memset(inside, '[', (size_t)levels);
            memset(inside + levels, ']', (size_t)levels);
            int n = snprintf(text, sizeof text, "%s%s%s", places[i].front, inside, places[i].back);
            uint64_t before = flow_counters(pairs.list[0].any)->errors;
            CHECK(pairs_try(&pairs, text, (size_t)n));
            bool refused = flow_counters(pairs.list[0].any)->errors > before;
            CHECK(refused == (places[i].around + levels > RT_JSON_DEPTH_MAX));
        }
    }
    pairs_close(&pairs);
}
