/* runtime/base/tz.h: time zones of the system's tz database (RFC 9636), without touching the
 * process's own.
 *
 * The C library knows one zone a process; a server has pipelines in several. A zone is read once:
 * its list of changes, and the rule behind the last of them. "UTC" needs no file. */
#ifndef TUTTI_BASE_TZ_H
#define TUTTI_BASE_TZ_H

#include "base/arena.h"
#include "base/status.h"
#include "base/str.h"

typedef struct Tz Tz;

/* "Europe/Berlin", looked for in $TZDIR and /usr/share/zoneinfo. ST_NOT_FOUND: there is no such
 * zone; ST_CORRUPT: its file is damaged. Lives in `arena`. */
MUST Status tz_load(Arena *arena, Str name, const Tz **ret_tz, Diag *diag);
/* The same from the bytes of a file. */
MUST Status tz_read(Arena *arena, Str bytes, const Tz **ret_tz, Diag *diag);
/* Seconds to add to UTC for local time, at that moment (seconds since 1970). */
int32_t tz_offset(const Tz *tz, int64_t utc_s);
/* The first change of the offset behind that moment; INT64_MAX: none. */
int64_t tz_next_change(const Tz *tz, int64_t utc_s);

/* Days since 1970-01-01 of a civil date (proleptic Gregorian), and back. */
int64_t civil_days(int64_t year, uint32_t month, uint32_t day);
void civil_date(int64_t days, int64_t *ret_year, uint32_t *ret_month, uint32_t *ret_day);

#endif
