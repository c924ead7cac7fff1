/* runtime/base/rfc3339.c: instants and durations as text.
 *
 * The calendar is Howard Hinnant's days_from_civil ("chrono-compatible low-level date algorithms"):
 * no tables, no time zone, no libc. Everything is range-checked by builtin overflow arithmetic. */
#include "base/rfc3339.h"

#include "base/clock.h"
#include "base/num.h"

__extension__ typedef __int128 wide;

int64_t days_from_date(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    unsigned of_era = (unsigned)(year - era * 400);
    unsigned of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    unsigned days = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    return era * 146097 + (int64_t)days - 719468;
}

void date_from_days(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    unsigned of_era = (unsigned)(days - era * 146097);
    unsigned year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    unsigned of_year = of_era - (365 * year + year / 4 - year / 100);
    unsigned mp = (5 * of_year + 2) / 153;
    *ret_day = of_year - (153 * mp + 2) / 5 + 1;
    *ret_month = mp < 10 ? mp + 3 : mp - 9;
    *ret_year = (int64_t)year + era * 400 + (*ret_month <= 2);
}

static bool two(const char *p, unsigned *ret)
{
    unsigned a = (unsigned)(p[0] - '0'), b = (unsigned)(p[1] - '0');
    *ret = a * 10 + b;
    return a <= 9 && b <= 9;
}

static unsigned days_in(int64_t year, unsigned month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (unsigned)(month == 2 && leap);
}

/* "Z" or "+HH:MM" at p: minutes east of UTC. */
static bool offset_get(const char *p, size_t len, int *ret_minutes)
{
    unsigned hours, minutes;
    if (len == 1 && (*p == 'Z' || *p == 'z')) {
        *ret_minutes = 0;
        return true;
    }
    if (len != 6 || (*p != '+' && *p != '-') || p[3] != ':') return false;
    if (!two(p + 1, &hours) || !two(p + 4, &minutes) || hours > 23 || minutes > 59) return false;
    *ret_minutes = (*p == '-' ? -1 : 1) * (int)(hours * 60 + minutes);
    return true;
}

bool rfc3339_get(Str text, int64_t *ret_ns)
{
    const char *p = text.ptr;
    unsigned century, year, month, day, hour, minute, second;
    if (text.len < 20 || p[4] != '-' || p[7] != '-' || (p[10] != 'T' && p[10] != 't')) return false;
    if (p[13] != ':' || p[16] != ':' || !two(p, &century) || !two(p + 2, &year)) return false;
    if (!two(p + 5, &month) || !two(p + 8, &day) || !two(p + 11, &hour)) return false;
    if (!two(p + 14, &minute) || !two(p + 17, &second)) return false;
    year += century * 100;
    if (month < 1 || month > 12 || day < 1 || day > days_in(year, month)) return false;
    if (hour > 23 || minute > 59 || second > 60) return false;
    size_t at = 19;
    int64_t fraction = 0, unit = NS_PER_S;
    if (p[at] == '.') {
        size_t first = ++at;
        for (; at < text.len && (unsigned)(p[at] - '0') <= 9; at++) {
            if (unit > 1) fraction = fraction * 10 + (p[at] - '0'), unit /= 10;
        }
        if (at == first) return false;
    }
    int minutes;
    if (!offset_get(p + at, text.len - at, &minutes)) return false;
    int64_t seconds = (days_from_date(year, month, day) * 24 + hour) * 3600 +
                      ((int64_t)minute - minutes) * 60 + second;
    wide ns = (wide)seconds * NS_PER_S + fraction * unit;
    if (ns < INT64_MIN || ns > INT64_MAX) return false;
    *ret_ns = (int64_t)ns;
    return true;
}

static char *put_digits(char *out, uint64_t value, int count)
{
    for (int i = count - 1; i >= 0; i--) {
        out[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return out + count;
}

char *rfc3339_put(char *out, int64_t ns)
{
    int64_t seconds = ns / NS_PER_S, fraction = ns % NS_PER_S;
    if (fraction < 0) fraction += NS_PER_S, seconds--;
    int64_t days = seconds / 86400, rest = seconds % 86400, year;
    if (rest < 0) rest += 86400, days--;
    unsigned month, day;
    date_from_days(days, &year, &month, &day);
    out = put_digits(out, (uint64_t)year, 4);
    *out++ = '-';
    out = put_digits(out, month, 2);
    *out++ = '-';
    out = put_digits(out, day, 2);
    *out++ = 'T';
    out = put_digits(out, (uint64_t)rest / 3600, 2);
    *out++ = ':';
    out = put_digits(out, (uint64_t)rest / 60 % 60, 2);
    *out++ = ':';
    out = put_digits(out, (uint64_t)rest % 60, 2);
    if (fraction) {
        int count = 9;
        while (fraction % 1000 == 0) fraction /= 1000, count -= 3;
        *out++ = '.';
        out = put_digits(out, (uint64_t)fraction, count);
    }
    *out++ = 'Z';
    return out;
}

static const struct {
    const char *name;
    int64_t ns;
} units[] = {{"d", 86400 * NS_PER_S},
             {"h", 3600 * NS_PER_S},
             {"m", 60 * NS_PER_S},
             {"s", NS_PER_S},
             {"ms", NS_PER_MS},
             {"us", NS_PER_US},
             {"ns", 1}};

bool duration_get(Str text, int64_t *ret_ns)
{
    bool negative = text.len && text.ptr[0] == '-';
    if (negative) text = str_skip(text, 1);
    if (!text.len) return false;
    int64_t total = 0;
    while (text.len) {
        size_t digits = 0, letters = 0;
        int64_t value = 0, part;
        while (digits < text.len && (unsigned)(text.ptr[digits] - '0') <= 9) digits++;
        if (!digits || !str_to_i64(str_slice(text.ptr, digits), &value)) return false;
        text = str_skip(text, digits);
        while (letters < text.len && text.ptr[letters] >= 'a' && text.ptr[letters] <= 'z')
            letters++;
        size_t u = 0;
        while (u < COUNT_OF(units) && !str_is(str_slice(text.ptr, letters), units[u].name)) u++;
        if (u == COUNT_OF(units) || __builtin_mul_overflow(value, units[u].ns, &part)) return false;
        if (__builtin_add_overflow(total, negative ? -part : part, &total)) return false;
        text = str_skip(text, letters);
    }
    *ret_ns = total;
    return true;
}

char *duration_put(char *out, int64_t ns)
{
    uint64_t rest = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    if (ns < 0) *out++ = '-';
    if (!ns) *out++ = '0', *out++ = 's';
    for (size_t u = 0; u < COUNT_OF(units) && rest; u++) {
        uint64_t count = rest / (uint64_t)units[u].ns;
        if (!count) continue;
        out = num_put_u64(out, count);
        for (const char *c = units[u].name; *c; c++) *out++ = *c;
        rest -= count * (uint64_t)units[u].ns;
    }
    return out;
}
