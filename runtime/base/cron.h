/* runtime/base/cron.h: times of a calendar, written as six fields.
 *
 *   second minute hour day-of-month month day-of-week
 *
 * Each is `*`, a number, a range a-b, a list of them with commas, and any with a step behind `/`.
 * Months and days of the week may be written JAN ... DEC and SUN ... SAT (0 and 7 are Sunday). When
 * both days are given, either of them fits, as cron has it.
 *
 * Around a change of the clock: a schedule with hours of its own runs once, at the moment of the
 * change when its time is left out, and only the first time when it comes twice. One for every
 * hour goes on as time does. */
#ifndef TUTTI_BASE_CRON_H
#define TUTTI_BASE_CRON_H

#include "base/tz.h"

typedef struct Cron {
    uint64_t seconds, minutes;    /* bit n: n fits */
    uint32_t hours, days, months; /* days from 1, months from 1 */
    uint8_t weekdays;             /* bit 0 Sunday */
    bool any_day, any_weekday, any_hour;
} Cron;

/* ST_INVALID with a sentence that names the field. */
MUST Status cron_parse(Str text, Cron *ret_cron, Diag *diag);
/* The first time after `after_ns` (both ns since 1970 UTC); INT64_MAX: none within 30 years. */
int64_t cron_next(const Cron *cron, const Tz *tz, int64_t after_ns);

#endif
