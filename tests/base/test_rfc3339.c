/* tests/base/test_rfc3339.c: Instants: examples of RFC 3339 section 5.8 and values counted by `date
 * -u +%s`. */
#include "base/rfc3339.h"
#include "test.h"

static bool get(const char *text, int64_t *ret_ns)
{
    return rfc3339_get(str_from(text), ret_ns);
}

static const char *put(int64_t ns)
{
    static char text[RFC3339_BYTES + 1];
    *rfc3339_put(text, ns) = 0;
    return text;
}

TEST(known_instants)
{
    int64_t ns;
    CHECK(get("1985-04-12T23:20:50.52Z", &ns));
    CHECK_INT(ns, 482196050520000000);
    CHECK(get("1996-12-19T16:39:57-08:00", &ns));
    CHECK_INT(ns, 851042397000000000);
    CHECK(get("1990-12-31T23:59:60Z", &ns));
    CHECK_INT(ns, 662688000000000000);
    CHECK(get("1937-01-01T12:00:27.87+00:20", &ns));
    CHECK_INT(ns, -1041337172130000000);
    CHECK(get("2026-11-23T10:00:00.123456789Z", &ns));
    CHECK_TEXT(put(ns), "2026-11-23T10:00:00.123456789Z");
    CHECK(get("1677-09-21T00:12:44Z", &ns));
    CHECK(!get("1677-09-21T00:12:43Z", &ns));
    CHECK(get("2262-04-11T23:47:16.854775807Z", &ns));
    CHECK(!get("2262-04-11T23:47:16.854775808Z", &ns));
}

TEST(what_is_no_instant)
{
    static const char *const bad[] = {"",
                                      "2026-11-23",
                                      "2026-11-23T10:00:00",
                                      "2026-11-23 10:00:00Z",
                                      "2026-02-29T10:00:00Z",
                                      "2026-13-01T10:00:00Z",
                                      "2026-11-31T10:00:00Z",
                                      "2026-11-23T24:00:00Z",
                                      "2026-11-23T10:60:00Z",
                                      "2026-11-23T10:00:61Z",
                                      "2026-11-23T10:00:00.Z",
                                      "2026-11-23T10:00:00+24:00",
                                      "2026-11-23T10:00:00+0100",
                                      "2026-11-23T10:00:00ZZ",
                                      "2O26-11-23T10:00:00Z",
                                      "1900-02-29T00:00:00Z"};
    int64_t ns;
    for (size_t i = 0; i < COUNT_OF(bad); i++) CHECK(!get(bad[i], &ns));
    CHECK(get("2000-02-29T00:00:00z", &ns));
}

TEST(fewest_fraction_digits)
{
    CHECK_TEXT(put(0), "1970-01-01T00:00:00Z");
    CHECK_TEXT(put(120000000), "1970-01-01T00:00:00.120Z");
    CHECK_TEXT(put(1000), "1970-01-01T00:00:00.000001Z");
    CHECK_TEXT(put(-1), "1969-12-31T23:59:59.999999999Z");
}

TEST(durations)
{
    char text[DURATION_BYTES + 1];
    int64_t ns;
    static const char *const same[] = {"0s", "500ms",    "10s", "2m", "1h30m",
                                       "7d", "-1s500ms", "3us", "1ns"};
    for (size_t i = 0; i < COUNT_OF(same); i++) {
        CHECK(duration_get(str_from(same[i]), &ns));
        *duration_put(text, ns) = 0;
        CHECK_TEXT(text, same[i]);
    }
    CHECK(!duration_get(STR("10"), &ns) && !duration_get(STR("s"), &ns) &&
          !duration_get(STR(""), &ns));
    CHECK(!duration_get(STR("99999999999d"), &ns) && !duration_get(STR("1x"), &ns));
}
