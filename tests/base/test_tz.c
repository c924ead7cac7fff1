/* tests/base/test_tz.c: offsets of zones and times of schedules. The lists were made by Python's
 * zoneinfo, the schedules by walking its local times minute by minute. */
#include "base/cron.h"
#include "base/mem.h"
#include "base/rfc3339.h"
#include "test.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *zone;
    long long utc_s;
    int offset;
} offsets[] = {
    {"Europe/Berlin", 2120587380, 3600},        {"Europe/Berlin", 494681820, 7200},
    {"Europe/Berlin", -609634500, 3600},        {"Europe/Berlin", 2856063900, 7200},
    {"Europe/Berlin", 2842452420, 3600},        {"Europe/Berlin", 1321898580, 3600},
    {"Europe/Berlin", 1774745999, 3600},        {"Europe/Berlin", 1774746000, 7200},
    {"Europe/Berlin", 1792889999, 7200},        {"Europe/Berlin", 1792890000, 3600},
    {"Europe/Berlin", 2879110799, 3600},        {"Europe/Berlin", 2879110800, 7200},
    {"Europe/Berlin", 2897859599, 7200},        {"Europe/Berlin", 2897859600, 3600},
    {"America/New_York", 2840751300, -18000},   {"America/New_York", 1116045240, -14400},
    {"America/New_York", 497814720, -14400},    {"America/New_York", 1108838400, -18000},
    {"America/New_York", 1307209500, -14400},   {"America/New_York", 497128380, -14400},
    {"America/New_York", 1772953199, -18000},   {"America/New_York", 1772953200, -14400},
    {"America/New_York", 1793512799, -14400},   {"America/New_York", 1793512800, -18000},
    {"America/New_York", 2877922799, -18000},   {"America/New_York", 2877922800, -14400},
    {"America/New_York", 2898482399, -14400},   {"America/New_York", 2898482400, -18000},
    {"Australia/Lord_Howe", 3814696140, 39600}, {"Australia/Lord_Howe", 2134304580, 37800},
    {"Australia/Lord_Howe", 1777182240, 37800}, {"Australia/Lord_Howe", 1298107980, 39600},
    {"Australia/Lord_Howe", 3801997080, 37800}, {"Australia/Lord_Howe", 477493800, 41400},
    {"Australia/Lord_Howe", 1775314799, 39600}, {"Australia/Lord_Howe", 1775314800, 37800},
    {"Australia/Lord_Howe", 1791041399, 37800}, {"Australia/Lord_Howe", 1791041400, 39600},
    {"Australia/Lord_Howe", 2879679599, 39600}, {"Australia/Lord_Howe", 2879679600, 37800},
    {"Australia/Lord_Howe", 2895406199, 37800}, {"Australia/Lord_Howe", 2895406200, 39600},
    {"America/Santiago", 2120821320, -10800},   {"America/Santiago", 495973260, -14400},
    {"America/Santiago", 2139331860, -10800},   {"America/Santiago", 3791845020, -10800},
    {"America/Santiago", 3817591380, -10800},   {"America/Santiago", 1795125120, -10800},
    {"America/Santiago", 1775357999, -10800},   {"America/Santiago", 1775358000, -14400},
    {"America/Santiago", 1788667199, -14400},   {"America/Santiago", 1788667200, -10800},
    {"America/Santiago", 2879722799, -10800},   {"America/Santiago", 2879722800, -14400},
    {"America/Santiago", 2893031999, -14400},   {"America/Santiago", 2893032000, -10800},
    {"Africa/Casablanca", 3799227360, 3600},    {"Africa/Casablanca", 2115630600, 3600},
    {"Africa/Casablanca", 491813340, 3600},     {"Africa/Casablanca", 1774337100, 3600},
    {"Africa/Casablanca", 2858736480, 3600},    {"Africa/Casablanca", 2861931120, 3600},
    {"Africa/Casablanca", 1771120799, 3600},    {"Africa/Casablanca", 1771120800, 0},
    {"Africa/Casablanca", 1774144799, 0},       {"Africa/Casablanca", 1774144800, 3600},
    {"Africa/Casablanca", 2873066399, 3600},    {"Africa/Casablanca", 2873066400, 0},
    {"Africa/Casablanca", 2876695199, 0},       {"Africa/Casablanca", 2876695200, 3600},
    {"Asia/Kathmandu", 2861994360, 20700},      {"Asia/Kathmandu", 2141708940, 20700},
    {"Asia/Kathmandu", 478856520, 19800},       {"Asia/Kathmandu", 1295201460, 20700},
    {"Asia/Kathmandu", 1777609560, 20700},      {"Asia/Kathmandu", 2139559680, 20700},
    {"Europe/Dublin", -610423740, 3600},        {"Europe/Dublin", 2856945960, 3600},
    {"Europe/Dublin", 3814218720, 0},           {"Europe/Dublin", 482389620, 3600},
    {"Europe/Dublin", 2138065200, 3600},        {"Europe/Dublin", 1125833940, 3600},
    {"Europe/Dublin", 1774745999, 0},           {"Europe/Dublin", 1774746000, 3600},
    {"Europe/Dublin", 1792889999, 3600},        {"Europe/Dublin", 1792890000, 0},
    {"Europe/Dublin", 2879110799, 0},           {"Europe/Dublin", 2879110800, 3600},
    {"Europe/Dublin", 2897859599, 3600},        {"Europe/Dublin", 2897859600, 0},
    {"Pacific/Apia", -626116860, -39600},       {"Pacific/Apia", 2847082920, 46800},
    {"Pacific/Apia", 2132970840, 46800},        {"Pacific/Apia", 3806579940, 46800},
    {"Pacific/Apia", 478826460, -39600},        {"Pacific/Apia", 1787868600, 46800},
    {"Asia/Tehran", -621953460, 12600},         {"Asia/Tehran", -609303900, 12600},
    {"Asia/Tehran", 504606780, 12600},          {"Asia/Tehran", 2120456040, 12600},
    {"Asia/Tehran", 2141322660, 12600},         {"Asia/Tehran", 1303908420, 16200},
    {"America/Sao_Paulo", 1303053720, -10800},  {"America/Sao_Paulo", -628961400, -7200},
    {"America/Sao_Paulo", 1776972120, -10800},  {"America/Sao_Paulo", 3816759900, -10800},
    {"America/Sao_Paulo", 1297177920, -7200},   {"America/Sao_Paulo", 2123524620, -10800},
};

static const struct {
    const char *cron, *zone, *after, *next;
} schedules[] = {
    {"0 0 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"},
    {"0 30 2 * * *", "Europe/Berlin", "2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z"},
    {"0 30 2 * * *", "Europe/Berlin", "2026-10-24T23:00:00Z", "2026-10-25T00:30:00Z"},
    {"0 30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"},
    {"0 15 * * * *", "Europe/Berlin", "2026-10-25T00:15:00Z", "2026-10-25T01:15:00Z"},
    {"0 */20 * * * *", "Europe/Berlin", "2026-03-29T00:45:00Z", "2026-03-29T01:00:00Z"},
    {"5 10 8 1-5 * *", "Asia/Kathmandu", "2026-03-05T12:00:00Z", "2026-04-01T02:25:05Z"},
    {"30 59 23 31 * *", "America/New_York", "2026-02-01T00:00:00Z", "2026-02-01T04:59:30Z"},
    {"0 0 6 * * 1-5", "America/New_York", "2026-03-06T11:00:00Z", "2026-03-09T10:00:00Z"},
    {"0 0 6 13 * 5", "America/New_York", "2026-03-01T11:00:00Z", "2026-03-06T11:00:00Z"},
    {"0 45 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", "2026-10-03T15:45:00Z"},
    {"0 10 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00:00Z", "2026-04-04T14:10:00Z"},
    {"0 0 0 1 1 *", "UTC", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"},
    {"0 30 23 * * 7", "Pacific/Apia", "2026-05-05T05:05:05Z", "2026-05-10T10:30:00Z"},
};

static Arena *arena;

static const Tz *zone(const char *name)
{
    const Tz *tz = NULL;
    Diag diag;
    if (!arena) arena = arena_new(0, 64 << 20);
    CHECK_OK(tz_load(arena, str_from(name), &tz, &diag));
    return tz;
}

TEST(offsets_of_zones)
{
    for (size_t i = 0; i < COUNT_OF(offsets); i++) {
        int32_t got = tz_offset(zone(offsets[i].zone), offsets[i].utc_s);
        if (got != offsets[i].offset) printf("%s %lld\n", offsets[i].zone, offsets[i].utc_s);
        CHECK_INT(got, offsets[i].offset);
    }
    CHECK_INT(tz_offset(zone("UTC"), 0), 0);
    CHECK_INT(tz_next_change(zone("UTC"), 0), INT64_MAX);
    CHECK_INT(tz_next_change(zone("Europe/Berlin"), 1774745999), 1774746000); /* 2026-03-29T01Z */
}

TEST(next_times_of_schedules)
{
    for (size_t i = 0; i < COUNT_OF(schedules); i++) {
        Cron cron;
        Diag diag;
        int64_t after, want;
        CHECK_OK(cron_parse(str_from(schedules[i].cron), &cron, &diag));
        CHECK(rfc3339_get(str_from(schedules[i].after), &after));
        CHECK(rfc3339_get(str_from(schedules[i].next), &want));
        int64_t got = cron_next(&cron, zone(schedules[i].zone), after);
        if (got != want)
            printf("%s %s %s\n", schedules[i].cron, schedules[i].zone, schedules[i].after);
        CHECK_INT(got, want);
        CHECK_INT(cron_next(&cron, zone(schedules[i].zone), want - 1), want);
    }
}

TEST(schedules_that_never_come)
{
    Cron cron;
    Diag diag;
    CHECK_OK(cron_parse(STR("0 0 0 31 2 *"), &cron, &diag));
    CHECK_INT(cron_next(&cron, zone("UTC"), 0), INT64_MAX);
    CHECK_OK(cron_parse(STR("0 0 0 29 2 *"), &cron, &diag)); /* 2096 is followed by 2104 */
    int64_t at = cron_next(&cron, zone("UTC"), (int64_t)3981398400 * 1000000000);
    CHECK_INT(at / 1000000000, 4233686400);
}

TEST(words_steps_and_mistakes)
{
    static const char *const good[] = {"* * * * * *", "0 0 6 * JAN-mar MON,wed,5",
                                       "*/7 5/10 0-23/3 1,2,31 * SUN-SAT", " 0\t0 0 * * 7 "};
    static const char *const bad[] = {"",
                                      "* * * * *",
                                      "* * * * * * *",
                                      "60 * * * * *",
                                      "* * 24 * * *",
                                      "* * * 0 * *",
                                      "* * * * 13 *",
                                      "* * * * * 8",
                                      "a * * * * *",
                                      "1-* * * * * *",
                                      "5-2 * * * * *",
                                      "*/0 * * * * *",
                                      "1,, * * * * *",
                                      "* * * * FOO *",
                                      "1x * * * * *"};
    Cron cron;
    Diag diag;
    for (size_t i = 0; i < COUNT_OF(good); i++)
        CHECK_OK(cron_parse(str_from(good[i]), &cron, &diag));
    CHECK_INT(cron.weekdays, 1); /* 7 is Sunday */
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        CHECK(cron_parse(str_from(bad[i]), &cron, &diag) == ST_INVALID);
    CHECK_OK(cron_parse(STR("*/7 5/20 * * * FRI-7"), &cron, &diag));
    CHECK(cron.seconds == (1ull | 1ull << 7 | 1ull << 14 | 1ull << 21 | 1ull << 28 | 1ull << 35 |
                           1ull << 42 | 1ull << 49 | 1ull << 56));
    CHECK(cron.minutes == (1ull << 5 | 1ull << 25 | 1ull << 45));
    CHECK_INT(cron.weekdays, 1 | 1 << 5 | 1 << 6);
}

TEST(names_lead_nowhere_else)
{
    static const char *const bad[] = {"",       "Mars/Base", "/etc/passwd", "../../../etc/passwd",
                                      "Europe", "a b"};
    const Tz *tz;
    Diag diag;
    (void)zone("UTC");
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        CHECK(tz_load(arena, str_from(bad[i]), &tz, &diag) == ST_NOT_FOUND ||
              tz_load(arena, str_from(bad[i]), &tz, &diag) == ST_CORRUPT);
}

/* A file cut or damaged anywhere is refused or gives some offset, and nothing is read past its end.
 */
TEST(damaged_files)
{
    static char file[1 << 16];
    FILE *in = fopen("/usr/share/zoneinfo/Europe/Berlin", "rb");
    CHECK(in != NULL);
    size_t len = fread(file, 1, sizeof file, in);
    fclose(in);
    const Tz *tz;
    Diag diag;
    for (size_t cut = 0; cut < len; cut++) {
        char *part = mem_alloc(cut ? cut : 1);
        memcpy(part, file, cut);
        Arena *mine = arena_new(0, 1 << 20);
        CHECK(tz_read(mine, str_slice(part, cut), &tz, &diag) == ST_CORRUPT);
        arena_free(mine);
        mem_free(part);
    }
    for (size_t at = 0; at < len; at++) {
        file[at] = (char)(file[at] ^ 0x91);
        Arena *mine = arena_new(0, 1 << 20);
        if (!tz_read(mine, str_slice(file, len), &tz, &diag)) {
            (void)tz_offset(tz, 1800000000);
            (void)tz_next_change(tz, 1800000000);
        }
        arena_free(mine);
        file[at] = (char)(file[at] ^ 0x91);
    }
    arena_free(arena);
    arena = NULL;
}
