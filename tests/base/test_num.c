/* tests/base/test_num.c: numbers: values from ECMA-262 and RFC 8259 by hand, then random doubles
 * against strtod. The comparison with Node's String(x) is tests/suites/numbers.sh. */
#include "base/num.h"
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const char *put(double value)
{
    static char text[NUM_TEXT_BYTES + 1];
    *num_put_f64(text, value) = 0;
    return text;
}

TEST(doubles_print_as_ecmascript_says)
{
    CHECK_TEXT(put(0), "0");
    CHECK_TEXT(put(-0.0), "0");
    CHECK_TEXT(put(1), "1");
    CHECK_TEXT(put(-1.5), "-1.5");
    CHECK_TEXT(put(160.25), "160.25");
    CHECK_TEXT(put(0.1), "0.1");
    CHECK_TEXT(put(0.1 + 0.2), "0.30000000000000004");
    CHECK_TEXT(put(1e20), "100000000000000000000");
    CHECK_TEXT(put(1e21), "1e+21");
    CHECK_TEXT(put(123456789012345680000.0), "123456789012345680000");
    CHECK_TEXT(put(1e-6), "0.000001");
    CHECK_TEXT(put(1e-7), "1e-7");
    CHECK_TEXT(put(1.5e-7), "1.5e-7");
    CHECK_TEXT(put(5e-324), "5e-324");
    CHECK_TEXT(put(1.7976931348623157e308), "1.7976931348623157e+308");
    CHECK_TEXT(put(9007199254740993.0), "9007199254740992");
    CHECK_TEXT(put(2.2250738585072014e-308), "2.2250738585072014e-308");
    CHECK_TEXT(put(9.5e15), "9500000000000000");
}

TEST(floats_print_shortest_for_a_float)
{
    char text[NUM_TEXT_BYTES + 1];
    *num_put_f32(text, 0.1f) = 0;
    CHECK_TEXT(text, "0.1");
    *num_put_f32(text, 16777216.0f) = 0;
    CHECK_TEXT(text, "16777216");
    *num_put_f32(text, 3.4028235e38f) = 0;
    CHECK_TEXT(text, "3.4028235e+38");
    *num_put_f32(text, 1e-45f) = 0;
    CHECK_TEXT(text, "1e-45");
}

TEST(grammar_of_rfc_8259)
{
    static const char *const bad[] = {"",   "-",   "01", "-01", "1.", ".5",
                                      "1e", "1e+", "+1", "--1", "a"};
    static const char *const good[] = {"0",    "-0",   "1",   "10.50", "1e5",
                                       "1E-5", "1e+5", "0.0", "0e0"};
    double value;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        CHECK(!num_get_f64(bad[i], bad[i] + strlen(bad[i]), &value));
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        const char *end = good[i] + strlen(good[i]);
        CHECK(num_get_f64(good[i], end, &value) == end);
        CHECK(value == strtod(good[i], NULL));
    }
}

static uint64_t seed = 88172645463325252ull;
static uint64_t next(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

TEST(random_doubles_read_back_and_have_no_shorter_form)
{
    for (int i = 0; i < 300000; i++) {
        uint64_t bits = next();
        if (i % 3 == 0) bits &= ~((1ull << (bits % 52)) - 1); /* few digits, powers of two */
        double value, back;
        memcpy(&value, &bits, 8);
        if (!isfinite(value)) continue;
        char text[64], shorter[64];
        *num_put_f64(text, value) = 0;
        CHECK(strtod(text, NULL) == value);
        CHECK(num_get_f64(text, text + strlen(text), &back));
        CHECK(back == value);
        int digits = 0;
        for (const char *p = text; *p && *p != 'e'; p++) digits += *p >= '0' && *p <= '9';
        if (strchr(text, 'e') && digits > 1) { /* one digit less must not read back */
            snprintf(shorter, sizeof shorter, "%.*e", digits - 2, value);
            CHECK(strtod(shorter, NULL) != value);
        }
        float f = (float)value;
        if (isfinite(f)) {
            *num_put_f32(text, f) = 0;
            CHECK(strtof(text, NULL) == f);
        }
    }
}

TEST(random_decimals_read_as_strtod_reads)
{
    for (int i = 0; i < 300000; i++) {
        char text[2400];
        size_t n = 0, whole = 1 + next() % (i % 1000 == 0 ? 900 : 22),
               part = next() % (i % 1000 == 1 ? 1200 : 25);
        text[n++] = (char)('1' + next() % 9);
        for (size_t k = 1; k < whole; k++) text[n++] = (char)('0' + next() % 10);
        if (part) text[n++] = '.';
        for (size_t k = 0; k < part; k++) text[n++] = (char)('0' + next() % 10);
        if (next() % 2) n += (size_t)snprintf(text + n, 16, "e%d", (int)(next() % 700) - 350);
        text[n] = 0;
        double value;
        CHECK(num_get_f64(text, text + n, &value) == text + n);
        CHECK(value == strtod(text, NULL));
    }
}

TEST(halfway_cases_round_to_even)
{
    static const char *const list[] = {
        "9007199254740993",
        "9007199254740995",
        "9007199254740993.00000000000000000000000000000001",
        "2.2250738585072011e-308",
        "4.9406564584124654e-324",
        "2.4703282292062327e-324",
        "2.4703282292062328e-324",
        "1.7976931348623158e308",
        "1.7976931348623159e308",
        "1e309",
        "179769313486231580793728971405303415079934132710037826936173778980444968292764750946649017"
        "977587207096330286416692887910946555547851940402630657488671505820681908902000708383676273"
        "854845817711531764475730270069855571366959622842914819860834936475292719074168444365510704"
        "342711559699508093042880",
        "0.500000000000000166533453693773481063544750213623046875"};
    for (size_t i = 0; i < COUNT_OF(list); i++) {
        double value;
        CHECK(num_get_f64(list[i], list[i] + strlen(list[i]), &value));
        CHECK(value == strtod(list[i], NULL));
    }
}
