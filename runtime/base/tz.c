/* runtime/base/tz.c: TZif files and the rule at their end (see tz.h).
 *
 * A file has two parts: for old readers with 32-bit times, skipped here, and with 64-bit times;
 * then one line with a rule such as CET-1CEST,M3.5.0,M10.5.0/3 for all later years. Everything in
 * it is checked against its length: a zone's name may come from a program somebody deployed. */
#include "base/tz.h"

#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TZ_FILE_MAX = 1 << 20, TZ_CHANGES_MAX = 4096, DAY_S = 86400, NAME_MAX_BYTES = 64 };

typedef enum RuleKind { RULE_MONTH, RULE_JULIAN, RULE_DAY } RuleKind;

typedef struct Rule { /* when a change comes in a year, in local time before it */
    RuleKind kind;
    int32_t month, week, day, time_s;
} Rule;

struct Tz {
    int64_t *at; /* UTC seconds of each change */
    int32_t *offset;
    uint32_t count;
    int32_t first; /* before all changes */
    bool has_rule, has_dst;
    int32_t std, dst;
    Rule to_dst, to_std;
};

int64_t civil_days(int64_t year, uint32_t month, uint32_t day)
{
    /* Howard Hinnant's days_from_civil: eras of 400 years that begin in March. */
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t in_era = year - era * 400;
    int64_t of_year = (153 * (int64_t)(month + (month > 2 ? 0 : 12) - 3) + 2) / 5 + day - 1;
    return era * 146097 + in_era * 365 + in_era / 4 - in_era / 100 + of_year - 719468;
}

void civil_date(int64_t days, int64_t *ret_year, uint32_t *ret_month, uint32_t *ret_day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097, in_era = days - era * 146097;
    int64_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    int64_t of_year = in_era - (365 * year + year / 4 - year / 100),
            month = (5 * of_year + 2) / 153;
    *ret_day = (uint32_t)(of_year - (153 * month + 2) / 5 + 1);
    *ret_month = (uint32_t)(month < 10 ? month + 3 : month - 9);
    *ret_year = year + era * 400 + (*ret_month <= 2);
}

/* ---- the rule ---- */

static bool number(Str *text, int32_t most, int32_t *ret)
{
    int32_t value = 0;
    size_t n = 0;
    while (n < text->len && text->ptr[n] >= '0' && text->ptr[n] <= '9' && value <= most)
        value = value * 10 + text->ptr[n++] - '0';
    *text = str_skip(*text, n);
    *ret = value;
    return n > 0 && value <= most;
}

static bool eat(Str *text, char c)
{
    if (!text->len || text->ptr[0] != c) return false;
    *text = str_skip(*text, 1);
    return true;
}

static bool name(Str *text)
{
    size_t n = 0;
    if (eat(text, '<')) {
        while (n < text->len && text->ptr[n] != '>') n++;
        if (n == text->len) return false;
        *text = str_skip(*text, n + 1);
        return n > 0;
    }
    while (n < text->len && ((text->ptr[n] | 32) >= 'a') && ((text->ptr[n] | 32) <= 'z')) n++;
    *text = str_skip(*text, n);
    return n > 0;
}

/* [+-]hh[:mm[:ss]] */
static bool clock_time(Str *text, int32_t *ret_s)
{
    int32_t h, m = 0, s = 0, sign = eat(text, '-') ? -1 : 1;
    if (sign > 0) (void)eat(text, '+');
    if (!number(text, 167, &h)) return false;
    if (eat(text, ':') && (!number(text, 59, &m) || (eat(text, ':') && !number(text, 59, &s))))
        return false;
    *ret_s = sign * (h * 3600 + m * 60 + s);
    return true;
}

static bool rule(Str *text, Rule *out)
{
    *out = (Rule){.time_s = 2 * 3600};
    bool fine;
    if (eat(text, 'M')) {
        out->kind = RULE_MONTH;
        fine = number(text, 12, &out->month) && out->month > 0 && eat(text, '.') &&
               number(text, 5, &out->week) && out->week > 0 && eat(text, '.') &&
               number(text, 6, &out->day);
    } else if (eat(text, 'J')) {
        out->kind = RULE_JULIAN;
        fine = number(text, 365, &out->day) && out->day > 0;
    } else {
        out->kind = RULE_DAY;
        fine = number(text, 365, &out->day);
    }
    return fine && (!eat(text, '/') || clock_time(text, &out->time_s));
}

static bool footer(Tz *tz, Str text)
{
    int32_t west;
    if (!text.len) return true;
    if (!name(&text) || !clock_time(&text, &west)) return false;
    tz->has_rule = true;
    tz->std = -west;
    if (!text.len) return true;
    if (!name(&text)) return false;
    tz->dst = tz->std + 3600;
    if (text.len && text.ptr[0] != ',') {
        if (!clock_time(&text, &west)) return false;
        tz->dst = -west;
    }
    tz->has_dst = true;
    return eat(&text, ',') && rule(&text, &tz->to_dst) && eat(&text, ',') &&
           rule(&text, &tz->to_std) && !text.len;
}

static bool is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Local seconds since 1970 at which the change comes in that year. */
static int64_t rule_local(const Rule *r, int64_t year)
{
    int64_t day = civil_days(year, 1, 1);
    if (r->kind == RULE_MONTH) {
        int64_t first = civil_days(year, (uint32_t)r->month, 1);
        int64_t next = r->month < 12 ? civil_days(year, (uint32_t)r->month + 1, 1)
                                     : civil_days(year + 1, 1, 1);
        int64_t weekday = ((first + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
        day = first + (r->day - weekday + 7) % 7 + 7 * (r->week - 1);
        if (day >= next) day -= 7;
    } else if (r->kind == RULE_JULIAN) { /* the 29th of February is never counted */
        day += r->day - 1 + (is_leap(year) && r->day >= 60);
    } else {
        day += r->day;
    }
    return day * DAY_S + r->time_s;
}

static int32_t rule_offset(const Tz *tz, int64_t utc_s)
{
    int64_t year;
    uint32_t month, day;
    if (!tz->has_dst) return tz->std;
    int64_t local = utc_s + tz->std;
    civil_date((local >= 0 ? local : local - (DAY_S - 1)) / DAY_S, &year, &month, &day);
    int64_t begin = rule_local(&tz->to_dst, year) - tz->std,
            end = rule_local(&tz->to_std, year) - tz->dst;
    bool on = begin < end ? utc_s >= begin && utc_s < end : utc_s >= begin || utc_s < end;
    return on ? tz->dst : tz->std;
}

int32_t tz_offset(const Tz *tz, int64_t utc_s)
{
    if (!tz->count || utc_s < tz->at[0])
        return tz->count || !tz->has_rule ? tz->first : rule_offset(tz, utc_s);
    if (utc_s >= tz->at[tz->count - 1] && tz->has_rule) return rule_offset(tz, utc_s);
    uint32_t low = 0, high = tz->count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (tz->at[middle] <= utc_s)
            low = middle;
        else
            high = middle;
    }
    return tz->offset[low];
}

int64_t tz_next_change(const Tz *tz, int64_t utc_s)
{
    for (uint32_t i = 0; i < tz->count; i++)
        if (tz->at[i] > utc_s) return tz->at[i];
    if (!tz->has_dst) return INT64_MAX;
    int64_t year, best = INT64_MAX;
    uint32_t month, day;
    civil_date((utc_s >= 0 ? utc_s : utc_s - (DAY_S - 1)) / DAY_S, &year, &month, &day);
    for (int64_t y = year - 1; y <= year + 1; y++) {
        int64_t changes[] = {rule_local(&tz->to_dst, y) - tz->std,
                             rule_local(&tz->to_std, y) - tz->dst};
        for (int i = 0; i < 2; i++)
            if (changes[i] > utc_s && changes[i] < best) best = changes[i];
    }
    return best;
}

/* ---- the file ---- */

static uint32_t be32(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;
    return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

static int64_t be64(const char *p)
{
    return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4));
}

typedef struct Counts {
    uint32_t utc, wall, leap, changes, types, chars;
} Counts;

/* Reads one header; *bytes goes behind it. */
static bool header(Str *bytes, Counts *n, char *ret_version)
{
    if (bytes->len < 44 || memcmp(bytes->ptr, "TZif", 4) != 0) return false;
    const char *p = bytes->ptr;
    *ret_version = p[4];
    *n = (Counts){be32(p + 20), be32(p + 24), be32(p + 28),
                  be32(p + 32), be32(p + 36), be32(p + 40)};
    *bytes = str_skip(*bytes, 44);
    return n->changes <= TZ_CHANGES_MAX && n->types > 0 && n->types <= 256 && n->leap <= 4096 &&
           n->chars <= 4096 && n->utc <= 256 && n->wall <= 256;
}

static size_t body_bytes(const Counts *n, size_t word)
{
    return n->changes * (word + 1) + n->types * 6 + n->chars + n->leap * (word + 4) + n->wall +
           n->utc;
}

static bool body(Arena *arena, Tz *tz, Str bytes, const Counts *n)
{
    if (bytes.len < body_bytes(n, 8)) return false;
    const char *times = bytes.ptr, *index = times + 8 * n->changes, *types = index + n->changes;
    tz->at = arena_many(arena, int64_t, n->changes + 1);
    tz->offset = arena_many(arena, int32_t, n->changes + 1);
    if (!tz->at || !tz->offset) return false;
    tz->count = n->changes;
    tz->first = (int32_t)be32(types);
    for (uint32_t i = 0; i < n->changes; i++) {
        uint8_t type = (uint8_t)index[i];
        if (type >= n->types) return false;
        tz->at[i] = be64(times + 8 * i);
        tz->offset[i] = (int32_t)be32(types + 6 * type);
        if (i && tz->at[i] <= tz->at[i - 1]) return false;
        if (tz->offset[i] < -DAY_S * 2 || tz->offset[i] > DAY_S * 2) return false;
    }
    return true;
}

Status tz_read(Arena *arena, Str bytes, const Tz **ret_tz, Diag *diag)
{
    Counts n;
    char version;
    Tz *tz = arena_one(arena, Tz);
    if (!tz) return diag_set(diag, ST_NO_MEMORY, "a time zone");
    bool fine = header(&bytes, &n, &version) && version >= '2' && bytes.len > body_bytes(&n, 4);
    if (fine) {
        bytes = str_skip(bytes, body_bytes(&n, 4));
        fine = header(&bytes, &n, &version) && body(arena, tz, bytes, &n);
    }
    if (fine) {
        bytes = str_skip(bytes, body_bytes(&n, 8));
        ptrdiff_t end =
            bytes.len && bytes.ptr[0] == '\n' ? str_find_char(str_skip(bytes, 1), '\n') : -1;
        fine = end >= 0 && footer(tz, str_slice(bytes.ptr + 1, (size_t)end));
    }
    if (!fine) return diag_set(diag, ST_CORRUPT, "the time zone's file is damaged");
    *ret_tz = tz;
    return ST_OK;
}

/* Names lead into the folder and nowhere else. */
static bool name_holds(Str text)
{
    if (!text.len || text.len > NAME_MAX_BYTES || text.ptr[0] == '/') return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '_' || c == '-' || c == '+' || c == '/';
        if (!word) return false;
    }
    return true;
}

Status tz_load(Arena *arena, Str zone, const Tz **ret_tz, Diag *diag)
{
    const char *folder = getenv("TZDIR");
    if (str_is(zone, "UTC")) {
        Tz *tz = arena_one(arena, Tz);
        *ret_tz = tz;
        return tz ? ST_OK : diag_set(diag, ST_NO_MEMORY, "a time zone");
    }
    if (!name_holds(zone))
        return diag_set(diag, ST_NOT_FOUND, "there is no time zone `%.*s`", STR_ARG(zone));
    AUTO_BUF Buf path, bytes;
    buf_init(&path, 4096);
    buf_init(&bytes, TZ_FILE_MAX);
    buf_printf(&path, "%s/%.*s", folder && *folder ? folder : "/usr/share/zoneinfo", STR_ARG(zone));
    buf_char(&path, 0);
    int fd = path.failed ? -1 : open(path.ptr, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return diag_set(diag, ST_NOT_FOUND, "there is no time zone `%.*s`", STR_ARG(zone));
    ssize_t n = 1;
    while (n > 0) {
        char *room = buf_reserve(&bytes, 16 << 10);
        n = room ? read(fd, room, 16 << 10) : 0;
        if (n > 0) bytes.len += (size_t)n;
    }
    close(fd);
    return n < 0 ? diag_set(diag, ST_NOT_FOUND, "there is no time zone `%.*s`", STR_ARG(zone))
                 : tz_read(arena, buf_view(&bytes), ret_tz, diag);
}
