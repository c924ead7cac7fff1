/* runtime/base/rfc3339.h: instants and durations to text and back.
 *
 * Instants are ns since 1970-01-01T00:00:00Z in int64 (years 1677 to 2262). Text follows RFC 3339
 * section 5.6; durations are written as in the Tutti language (`1h30m`, `500ms`). */
#ifndef TUTTI_BASE_RFC3339_H
#define TUTTI_BASE_RFC3339_H

#include "base/str.h"

enum { RFC3339_BYTES = 32, DURATION_BYTES = 48 }; /* room the writers need */

/* With offset or Z, any number of fraction digits (beyond nine they are cut). The leap second :60
 * is the first moment of the next minute. False: not a date that exists, or out of range. */
bool rfc3339_get(Str text, int64_t *ret_ns);
/* UTC with Z and 0, 3, 6 or 9 fraction digits, the fewest that are exact. Returns the end, no NUL.
 */
char *rfc3339_put(char *out, int64_t ns);

/* One or more of <digits><d|h|m|s|ms|us|ns>, optional '-' before all. */
bool duration_get(Str text, int64_t *ret_ns);
char *duration_put(char *out, int64_t ns); /* largest units first; 0 is "0s" */

/* Days since 1970-01-01 of a date of the proleptic Gregorian calendar, and back. */
int64_t days_from_date(int64_t year, unsigned month, unsigned day);
void date_from_days(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day);

#endif
