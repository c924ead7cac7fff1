/* runtime/modules/uns/uns_time.c: times of the namespace as text (RFC 3339) and as query words.
 *
 * Days are counted with the civil-calendar rule of the Gregorian calendar, without time zones of
 * the machine: the same text gives the same instant everywhere. */
#include "modules/uns/uns_tree.h"

#include "base/clock.h"

#include <stdio.h>

#define SECONDS_MAX ((int64_t)9223372035) /* what nanoseconds in 64 bits hold: 1677 to 2262 */

static int64_t days_from_civil(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void civil_from_days(int64_t days, int64_t *year, int64_t *month, int64_t *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t of_era = days - era * 146097;
    int64_t years = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * years + years / 4 - years / 100);
    int64_t shifted = (5 * of_year + 2) / 153;
    *day = of_year - (153 * shifted + 2) / 5 + 1;
    *month = shifted + (shifted < 10 ? 3 : -9);
    *year = years + era * 400 + (*month <= 2);
}

/* Reads exactly `count` digits. */
static bool digits(Str *text, int count, int64_t *ret_value)
{
    int64_t value = 0;
    if (text->len < (size_t)count) return false;
    for (int i = 0; i < count; i++) {
        char c = text->ptr[i];
        if (c < '0' || c > '9') return false;
        value = value * 10 + (c - '0');
    }
    *text = str_skip(*text, (size_t)count);
    *ret_value = value;
    return true;
}

static bool letter(Str *text, const char *any)
{
    if (!text->len || !text->ptr[0] || !strchr(any, text->ptr[0])) return false;
    *text = str_skip(*text, 1);
    return true;
}

static bool read_fraction(Str *text, int64_t *ret_ns)
{
    int64_t ns = 0, scale = NS_PER_S / 10;
    if (!text->len || text->ptr[0] != '.') return true;
    *text = str_skip(*text, 1);
    if (!text->len || text->ptr[0] < '0' || text->ptr[0] > '9') return false;
    while (text->len && text->ptr[0] >= '0' && text->ptr[0] <= '9') {
        ns += (text->ptr[0] - '0') * scale;
        scale /= 10;
        *text = str_skip(*text, 1);
    }
    *ret_ns = ns;
    return true;
}

static bool read_offset(Str *text, int64_t *ret_s)
{
    int64_t hours, minutes;
    if (letter(text, "Zz")) return true;
    bool minus = text->len && text->ptr[0] == '-';
    if (!letter(text, "+-") || !digits(text, 2, &hours) || !letter(text, ":") ||
        !digits(text, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *ret_s = (hours * 3600 + minutes * 60) * (minus ? -1 : 1);
    return true;
}

bool uns_time_read(Str text, int64_t *ret_ns)
{
    int64_t year, month, day, hour, minute, second, ns = 0, offset_s = 0;
    if (!digits(&text, 4, &year) || !letter(&text, "-") || !digits(&text, 2, &month) ||
        !letter(&text, "-") || !digits(&text, 2, &day) || !letter(&text, "Tt ") ||
        !digits(&text, 2, &hour) || !letter(&text, ":") || !digits(&text, 2, &minute) ||
        !letter(&text, ":") || !digits(&text, 2, &second) || !read_fraction(&text, &ns) ||
        !read_offset(&text, &offset_s) || text.len)
        return false;
    if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60)
        return false;
    int64_t seconds =
        days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
    seconds -= offset_s;
    if (seconds < -SECONDS_MAX || seconds > SECONDS_MAX) return false;
    *ret_ns = seconds * NS_PER_S + ns;
    return true;
}

Str uns_time_text(int64_t ns, char room[40])
{
    int64_t seconds = ns / NS_PER_S, part = ns % NS_PER_S, year, month, day;
    if (part < 0) {
        part += NS_PER_S;
        seconds--;
    }
    int64_t days = seconds / 86400, of_day = seconds % 86400;
    if (of_day < 0) {
        of_day += 86400;
        days--;
    }
    civil_from_days(days, &year, &month, &day);
    int len = snprintf(room, 40, "%04d-%02d-%02dT%02d:%02d:%02d", (int)year, (int)month, (int)day,
                       (int)(of_day / 3600), (int)(of_day / 60 % 60), (int)(of_day % 60));
    if (part % NS_PER_MS == 0 && part)
        len += snprintf(room + len, 40 - (size_t)len, ".%03d", (int)(part / NS_PER_MS));
    else if (part % NS_PER_US == 0 && part)
        len += snprintf(room + len, 40 - (size_t)len, ".%06d", (int)(part / NS_PER_US));
    else if (part)
        len += snprintf(room + len, 40 - (size_t)len, ".%09d", (int)part);
    room[len++] = 'Z';
    return (Str){room, (size_t)len};
}

bool uns_when_read(Str text, int64_t now_ms, int64_t *ret_ms)
{
    static const struct Unit {
        const char *name;
        int64_t ms;
    } units[] = {{"ms", 1},      {"s", 1000},     {"m", 60000},       {"min", 60000},
                 {"h", 3600000}, {"d", 86400000}, {"w", 7 * 86400000}};
    int64_t value, ns;
    if (str_is(text, "now")) {
        *ret_ms = now_ms;
        return true;
    }
    if (str_to_i64(text, &value) && value >= 0) {
        *ret_ms = value;
        return true;
    }
    if (text.len > 2 && text.ptr[0] == '-') {
        size_t end = 1;
        while (end < text.len && text.ptr[end] >= '0' && text.ptr[end] <= '9') end++;
        if (end > 10 || !str_to_i64((Str){text.ptr + 1, end - 1}, &value)) return false;
        for (size_t i = 0; i < COUNT_OF(units); i++) {
            if (!str_is(str_skip(text, end), units[i].name)) continue;
            *ret_ms = now_ms - value * units[i].ms;
            return true;
        }
        return false;
    }
    if (!uns_time_read(text, &ns)) return false;
    *ret_ms = ns / NS_PER_MS;
    return true;
}
