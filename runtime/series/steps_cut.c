/* runtime/series/steps_cut.c: a time cut into steps, also those of the calendar in a time zone.
 *
 * Lengths are counted from local midnight of 1970-01-01, so steps of an hour begin at whole hours
 * of the zone. Where the clocks go forward over a beginning, it is the first moment behind. */
#include "series/steps.h"

#define NS_PER_SECOND ((int64_t)1000000000)
#define DAY_S         ((int64_t)86400)

typedef enum Unit { UNIT_TIME, UNIT_DAY, UNIT_MONTH } Unit;

typedef struct Cut {
    Unit unit;
    int64_t count; /* ns, days or months */
    int64_t shift; /* days: a week begins on Monday, and 1970 began on a Thursday */
    const Tz *tz;
} Cut;

static const struct Word {
    const char *name;
    Unit unit;
    int64_t count;
} words[] = {{"ms", UNIT_TIME, 1000000},
             {"s", UNIT_TIME, NS_PER_SECOND},
             {"m", UNIT_TIME, 60 * NS_PER_SECOND},
             {"min", UNIT_TIME, 60 * NS_PER_SECOND},
             {"h", UNIT_TIME, 3600 * NS_PER_SECOND},
             {"d", UNIT_DAY, 1},
             {"w", UNIT_DAY, 7},
             {"mo", UNIT_MONTH, 1},
             {"y", UNIT_MONTH, 12}};

static bool read_step(Str text, Cut *ret)
{
    size_t digits = 0;
    int64_t count;
    while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9') digits++;
    if (!digits || digits > 9 || !str_to_i64(str_slice(text.ptr, digits), &count) || !count)
        return false;
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (!str_is(str_skip(text, digits), words[i].name)) continue;
        ret->unit = words[i].unit;
        ret->shift = str_is(str_skip(text, digits), "w") ? 3 : 0;
        return !__builtin_mul_overflow(count, words[i].count, &ret->count);
    }
    return false;
}

static int64_t floor_div(int64_t value, int64_t by)
{
    int64_t result = value / by;
    return result * by > value ? result - 1 : result;
}

/* Local seconds to UTC. */
static int64_t to_utc(const Tz *tz, int64_t local_s)
{
    int64_t first = local_s - tz_offset(tz, local_s), second = local_s - tz_offset(tz, first);
    if (second + tz_offset(tz, second) == local_s) return second;
    return first > second ? first : second; /* skipped by the clocks: the change itself is near */
}

static int64_t days_of_months(int64_t months)
{
    int64_t year = floor_div(months, 12);
    return civil_days(1970 + year, (uint32_t)(months - year * 12 + 1), 1);
}

/* The number of the step that t is in, and where a step begins. */
static int64_t number_of(const Cut *cut, int64_t t_ns)
{
    int64_t second = floor_div(t_ns, NS_PER_SECOND), year;
    uint32_t month, day;
    int64_t local_s = second + tz_offset(cut->tz, second), days = floor_div(local_s, DAY_S);
    switch (cut->unit) {
    case UNIT_TIME: return floor_div(t_ns + tz_offset(cut->tz, second) * NS_PER_SECOND, cut->count);
    case UNIT_DAY: return floor_div(days + cut->shift, cut->count);
    default:
        civil_date(days, &year, &month, &day);
        return floor_div((year - 1970) * 12 + month - 1, cut->count);
    }
}

static int64_t calendar_start(const Cut *cut, int64_t number)
{
    int64_t days = cut->unit == UNIT_DAY ? number * cut->count - cut->shift
                                         : days_of_months(number * cut->count);
    return to_utc(cut->tz, days * DAY_S) * NS_PER_SECOND;
}

/* Where the first step begins. */
static int64_t start_of(const Cut *cut, int64_t t_ns)
{
    if (cut->unit != UNIT_TIME) return calendar_start(cut, number_of(cut, t_ns));
    int64_t offset_ns = tz_offset(cut->tz, floor_div(t_ns, NS_PER_SECOND)) * NS_PER_SECOND;
    return number_of(cut, t_ns) * cut->count - offset_ns;
}

static int64_t next_of(const Cut *cut, int64_t start_ns)
{
    if (cut->unit == UNIT_TIME) return start_ns + cut->count;
    return calendar_start(cut, number_of(cut, start_ns) + 1);
}

Status series_steps_cut(Arena *arena, Str step, Str zone, int64_t from_ns, int64_t to_ns,
                        SeriesSteps *ret_steps, Diag *diag)
{
    const int64_t end_ns = INT64_MAX / 2; /* the year 2116: nothing below overflows */
    Cut cut = {0};
    if (!read_step(step, &cut) || cut.count > end_ns)
        return diag_set(diag, ST_INVALID,
                        "step \"%.*s\" is no number with ms, s, m, h, d, w, mo or y",
                        STR_ARG(step));
    if (cut.unit != UNIT_TIME && cut.count > 1200)
        return diag_set(diag, ST_INVALID, "step %.*s is too long", STR_ARG(step));
    Status st = tz_load(arena, zone.len ? zone : STR("UTC"), &cut.tz, diag);
    if (st) return diag_wrap(diag, st == ST_NOT_FOUND ? ST_INVALID : st, "zone");
    if (from_ns < -end_ns) from_ns = -end_ns;
    if (to_ns > end_ns) to_ns = end_ns;
    *ret_steps = (SeriesSteps){.from_ns = from_ns, .to_ns = to_ns, .level = SERIES_RAW};
    if (from_ns >= to_ns) return ST_OK;
    int64_t start_ns = start_of(&cut, from_ns);
    uint32_t count = 0;
    for (int64_t at_ns = start_ns; at_ns < to_ns; at_ns = next_of(&cut, at_ns))
        if (++count > SERIES_STEPS_MAX)
            return diag_set(diag, ST_LIMIT,
                            "more than %d steps of %.*s: ask for less time or a "
                            "longer step",
                            SERIES_STEPS_MAX, STR_ARG(step));
    ret_steps->step = arena_many(arena, SeriesStep, count);
    if (!ret_steps->step) return diag_set(diag, ST_NO_MEMORY, "no memory for %u steps", count);
    ret_steps->from_ns = start_ns;
    for (int64_t at_ns = start_ns; at_ns < to_ns; at_ns = next_of(&cut, at_ns))
        ret_steps->step[ret_steps->count++].t_ns = at_ns;
    return ST_OK;
}
