/* runtime/base/cron.c: six fields of a calendar (see cron.h).
 *
 * The search walks local time, which has no gaps and no repeats: days first, then the time of day.
 * What is found is turned into UTC through the zone. */
#include "base/cron.h"

#include "base/clock.h"

#include <string.h>

enum { YEARS_MAX = 30, DAY_S = 86400 };

typedef struct FieldRange {
    const char *name;
    uint32_t low, high;
    const char *words; /* three letters each, the first is `low`; or NULL */
} FieldRange;

static const FieldRange ranges[] = {{"seconds", 0, 59, NULL},
                                    {"minutes", 0, 59, NULL},
                                    {"hours", 0, 23, NULL},
                                    {"days of the month", 1, 31, NULL},
                                    {"months", 1, 12, "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC"},
                                    {"days of the week", 0, 7, "SUNMONTUEWEDTHUFRISAT"}};

static bool value_of(Str *text, const FieldRange *range, uint32_t *ret)
{
    uint32_t value = 0;
    size_t n = 0;
    while (n < text->len && text->ptr[n] >= '0' && text->ptr[n] <= '9' && value < 1000)
        value = value * 10 + (uint32_t)(text->ptr[n++] - '0');
    if (n) {
        *text = str_skip(*text, n);
        *ret = value;
        return value >= range->low && value <= range->high;
    }
    for (uint32_t i = 0; range->words && range->words[3 * i] && text->len >= 3; i++) {
        char word[3];
        for (int k = 0; k < 3; k++) word[k] = (char)(text->ptr[k] & ~32);
        if (memcmp(word, range->words + 3 * i, 3) != 0) continue;
        *text = str_skip(*text, 3);
        *ret = range->low + i;
        return true;
    }
    return false;
}

static bool eat(Str *text, char c)
{
    if (!text->len || text->ptr[0] != c) return false;
    *text = str_skip(*text, 1);
    return true;
}

/* One item of a list: `*`, a, a-b, each with /step. */
static bool item(Str *text, const FieldRange *range, uint64_t *bits, bool *ret_any)
{
    uint32_t from = range->low, to = range->high, step = 1;
    bool star = eat(text, '*'), single = false;
    if (!star) {
        if (!value_of(text, range, &from)) return false;
        to = from;
        single = true;
        if (eat(text, '-')) {
            single = false;
            if (!value_of(text, range, &to) || to < from) return false;
        }
    }
    if (eat(text, '/')) {
        FieldRange steps = {"", 1, range->high, NULL};
        if (!value_of(text, &steps, &step)) return false;
        if (single) to = range->high; /* 5/15: from 5 on */
    }
    *ret_any = *ret_any || (star && step == 1);
    for (uint32_t v = from; v <= to; v += step) *bits |= (uint64_t)1 << v;
    return true;
}

Status cron_parse(Str text, Cron *ret_cron, Diag *diag)
{
    uint64_t bits[6] = {0};
    bool any[6] = {false};
    text = str_trim(text);
    for (uint32_t i = 0; i < 6; i++) {
        if (!text.len)
            return diag_set(diag, ST_INVALID,
                            "a schedule has six fields: second minute hour day month weekday");
        do {
            if (!item(&text, &ranges[i], &bits[i], &any[i]))
                return diag_set(diag, ST_INVALID, "the %s go from %u to %u", ranges[i].name,
                                ranges[i].low, ranges[i].high);
        } while (eat(&text, ','));
        if (text.len && text.ptr[0] != ' ' && text.ptr[0] != '\t')
            return diag_set(diag, ST_INVALID, "`%c` does not fit into the %s", text.ptr[0],
                            ranges[i].name);
        text = str_trim(text);
    }
    if (text.len)
        return diag_set(diag, ST_INVALID,
                        "a schedule has six fields: second minute hour day month weekday");
    *ret_cron = (Cron){.seconds = bits[0],
                       .minutes = bits[1],
                       .hours = (uint32_t)bits[2],
                       .days = (uint32_t)bits[3],
                       .months = (uint32_t)bits[4],
                       .weekdays = (uint8_t)((bits[5] | bits[5] >> 7) & 0x7f),
                       .any_hour = any[2],
                       .any_day = any[3],
                       .any_weekday = any[5]};
    return ST_OK;
}

static bool day_fits(const Cron *c, int64_t days)
{
    int64_t year;
    uint32_t month, day, weekday = (uint32_t)(((days + 4) % 7 + 7) % 7);
    civil_date(days, &year, &month, &day);
    if (!(c->months >> month & 1)) return false;
    bool by_day = c->days >> day & 1, by_week = c->weekdays >> weekday & 1;
    if (c->any_day) return by_week;
    if (c->any_weekday) return by_day;
    return by_day || by_week;
}

/* The first fitting second of a day at or behind `from`, or -1. */
static int32_t in_day(const Cron *c, int32_t from)
{
    for (int32_t h = from / 3600; h < 24; h++) {
        if (!(c->hours >> h & 1)) continue;
        int32_t m = h == from / 3600 ? from % 3600 / 60 : 0;
        for (; m < 60; m++) {
            if (!(c->minutes >> m & 1)) continue;
            bool first = h == from / 3600 && m == from % 3600 / 60;
            for (int32_t s = first ? from % 60 : 0; s < 60; s++)
                if (c->seconds >> s & 1) return h * 3600 + m * 60 + s;
        }
    }
    return -1;
}

/* The first fitting local second at or behind `local`, or INT64_MAX. */
static int64_t local_next(const Cron *c, int64_t local)
{
    int64_t day = (local >= 0 ? local : local - (DAY_S - 1)) / DAY_S, last = day + YEARS_MAX * 366;
    int32_t from = (int32_t)(local - day * DAY_S);
    for (; day < last; day++, from = 0) {
        int32_t at = day_fits(c, day) ? in_day(c, from) : -1;
        if (at >= 0) return day * DAY_S + at;
    }
    return INT64_MAX;
}

/* The UTC second of a local one: the first when it comes twice; of one left out, the change. */
static int64_t to_utc(const Tz *tz, int64_t local)
{
    int64_t early = local - tz_offset(tz, local - DAY_S); /* with the offset of the day before */
    if (early + tz_offset(tz, early) == local) return early;
    int64_t late = local - tz_offset(tz, local + DAY_S);
    if (late + tz_offset(tz, late) == local) return late;
    return tz_next_change(tz, late - 1 < early ? late - 1 : early - 1);
}

int64_t cron_next(const Cron *cron, const Tz *tz, int64_t after_ns)
{
    int64_t utc = (after_ns >= 0 ? after_ns : after_ns - (NS_PER_S - 1)) / NS_PER_S + 1;
    if (cron->any_hour) { /* by the clock as it stands, through repeats as well */
        for (int turn = 0; turn < 3; turn++) {
            int32_t offset = tz_offset(tz, utc);
            int64_t change = tz_next_change(tz, utc), local = local_next(cron, utc + offset);
            if (local == INT64_MAX) return INT64_MAX;
            if (local - offset < change) return (local - offset) * NS_PER_S;
            utc = change;
        }
    }
    for (int64_t local = utc + tz_offset(tz, utc) - 2 * 3600;; local++) {
        local = local_next(cron, local);
        if (local == INT64_MAX) return INT64_MAX;
        int64_t found = to_utc(tz, local);
        if (found >= utc) return found * NS_PER_S;
    }
}
