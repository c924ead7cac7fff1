/* runtime/flow/builtin.c: the functions a program may call (stdlib/builtins.def says what
 * each promises). One entry, because a call costs more than the switch. */
#include "flow/pipe.h"
#include "flow/scan.h"

#include "base/num.h"
#include "base/rfc3339.h"
#include "base/str.h"

#include <math.h>
#include <string.h>

/* Bytes of the first `count` characters of UTF-8 text. */
static u64 characters(const char *p, u64 n, i64 count)
{
    u64 at = 0;
    while (at < n && count > 0) {
        at++;
        while (at < n && ((u8)p[at] & 0xc0) == 0x80) at++;
        count--;
    }
    return at;
}

static u32 letters(RtPipe *pipe, RtValue in, char from, char to, RtValue *ret)
{
    char *w = rt_scratch(pipe, in.s.n + 1);
    if (!w) return RT_TOO_LONG;
    for (u64 i = 0; i < in.s.n; i++) {
        char c = in.s.p[i];
        w[i] = c >= from && c <= from + 25 ? (char)(c - from + to) : c;
    }
    ret->s.p = w;
    ret->s.n = in.s.n;
    return RT_FINE;
}

static u32 replace(RtPipe *pipe, const RtValue *args, RtValue *ret)
{
    Str text = {args[0].s.p, args[0].s.n}, from = {args[1].s.p, args[1].s.n};
    u64 most = 65536, used = 0;
    char *w = rt_scratch(pipe, most);
    if (!w) return RT_TOO_LONG;
    while (text.len) {
        ptrdiff_t at = from.len ? str_find(text, from) : -1;
        u64 keep = at < 0 ? text.len : (u64)at;
        if (used + keep + (at < 0 ? 0 : args[2].s.n) > most) return RT_TOO_LONG;
        memcpy(w + used, text.ptr, keep);
        used += keep;
        if (at < 0) break;
        if (args[2].s.n) memcpy(w + used, args[2].s.p, args[2].s.n);
        used += args[2].s.n;
        text = str_skip(text, keep + from.len);
    }
    ret->s.p = w;
    ret->s.n = used;
    return RT_FINE;
}

static void split_part(const RtValue *args, RtValue *ret)
{
    Str text = {args[0].s.p, args[0].s.n}, mark = {args[1].s.p, args[1].s.n};
    i64 part = args[2].i;
    ret->s.p = "";
    ret->s.n = 0;
    if (part < 0) return;
    for (;; part--) {
        ptrdiff_t at = mark.len ? str_find(text, mark) : -1;
        if (part == 0) {
            ret->s.p = text.ptr;
            ret->s.n = at < 0 ? text.len : (u64)at;
            return;
        }
        if (at < 0) return;
        text = str_skip(text, (u64)at + mark.len);
    }
}

static u32 decimal(Str text, i64 scale, i64 *ret)
{
    u32 reason = RT_BAD_NUMBER;
    const char *end = text.ptr + text.len;
    if (!text.len || scale < 0 || scale > 18) return RT_BAD_NUMBER;
    return rt_decimal(text.ptr, end, (u32)scale, 0, ret, &reason) == end ? reason : RT_BAD_NUMBER;
}

static u32 text_call(RtPipe *pipe, u32 which, const RtValue *args, RtValue *ret)
{
    Str text = {args[0].s.p, args[0].s.n};
    int64_t whole;
    switch (which) {
    case RT_FN_LEN: {
        i64 count = 0;
        for (u64 i = 0; i < text.len; i++) count += ((u8)text.ptr[i] & 0xc0) != 0x80;
        ret->i = count;
        return RT_FINE;
    }
    case RT_FN_UPPER: return letters(pipe, args[0], 'a', 'A', ret);
    case RT_FN_LOWER: return letters(pipe, args[0], 'A', 'a', ret);
    case RT_FN_TRIM:
        text = str_trim(text);
        ret->s.p = text.ptr;
        ret->s.n = text.len;
        return RT_FINE;
    case RT_FN_SUBSTR: {
        u64 skip = characters(text.ptr, text.len, args[1].i);
        ret->s.p = text.ptr + skip;
        ret->s.n = characters(ret->s.p, text.len - skip, args[2].i);
        return RT_FINE;
    }
    case RT_FN_REPLACE: return replace(pipe, args, ret);
    case RT_FN_SPLIT_PART: split_part(args, ret); return RT_FINE;
    case RT_FN_PARSE_INT:
        if (!str_to_i64(text, &whole)) return RT_BAD_NUMBER;
        ret->i = whole;
        return RT_FINE;
    case RT_FN_PARSE_FLOAT:
        if (num_get_f64(text.ptr, text.ptr + text.len, &ret->d) != text.ptr + text.len || !text.len)
            return RT_BAD_NUMBER;
        return isfinite(ret->d) ? RT_FINE : RT_BAD_NUMBER;
    case RT_FN_PARSE_DURATION:
        if (!duration_get(text, &whole)) return RT_BAD_VALUE;
        ret->i = whole;
        return RT_FINE;
    case RT_FN_UNKNOWN_FIELDS: return rt_unknown_fields(pipe, args, ret);
    case RT_FN_JSON_MEMBER:
    case RT_FN_JSON_ITEM:
    case RT_FN_JSON_TEXT:
    case RT_FN_JSON_INT: return rt_inside(pipe, which, args, ret);
    case RT_FN_PARSE_DECIMAL: return decimal(text, args[1].i, &ret->i);
    default: return rfc3339_get(text, &ret->i) ? RT_FINE : RT_BAD_TIME;
    }
}

static i64 floor_div(i64 a, i64 b)
{
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

static i64 calendar(u32 which, i64 ns)
{
    const i64 second = 1000000000;
    i64 days = floor_div(ns, 86400 * second), of_day = (ns - days * 86400 * second) / second;
    int64_t year;
    unsigned month, day;
    date_from_days(days, &year, &month, &day);
    switch (which) {
    case RT_FN_YEAR: return year;
    case RT_FN_MONTH: return month;
    case RT_FN_DAY: return day;
    case RT_FN_HOUR: return of_day / 3600;
    case RT_FN_MINUTE: return of_day / 60 % 60;
    case RT_FN_SECOND: return of_day % 60;
    case RT_FN_WEEKDAY:
        return (days + 3 - floor_div(days + 3, 7) * 7) + 1; /* 1970-01-01: Thursday */
    default: return days - days_from_date(year, 1, 1) + 1;
    }
}

static u32 time_call(RtPipe *pipe, u32 which, const RtValue *args, RtValue *ret)
{
    switch (which) {
    case RT_FN_NOW: ret->i = pipe->received_ns; return RT_FINE;
    case RT_FN_BUCKET: {
        if (args[1].i <= 0) return RT_DIV_ZERO;
        i64 start = floor_div(args[0].i, args[1].i);
        ret->i = start * args[1].i;
        return RT_FINE;
    }
    case RT_FN_SECONDS: ret->d = (f64)args[0].i / 1e9; return RT_FINE;
    case RT_FN_UNIX_MS: ret->i = floor_div(args[0].i, 1000000); return RT_FINE;
    case RT_FN_FROM_UNIX_MS:
        return __builtin_mul_overflow(args[0].i, 1000000, &ret->i) ? RT_OVERFLOW : RT_FINE;
    default: ret->i = calendar(which, args[0].i); return RT_FINE;
    }
}

static u32 round_to(f64 x, i64 digits, f64 *ret)
{
    static const f64 tens[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                               1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    if (digits < 0 || digits > 15) return RT_RANGE;
    f64 scaled = x * tens[digits];
    *ret = isfinite(scaled) ? round(scaled) / tens[digits] : x;
    return RT_FINE;
}

u32 rt_builtin(RtPipe *pipe, u32 which, const RtValue *args, u32 count, RtValue *ret)
{
    f64 x = count ? args[0].d : 0;
    if (which >= RT_FN_NOW) return time_call(pipe, which, args, ret);
    if (which >= RT_FN_HEX) return rt_bytes_call(pipe, which, args, ret);
    if (which >= RT_FN_LEN) return text_call(pipe, which, args, ret);
    switch (which) {
    case RT_FN_SQRT: ret->d = sqrt(x); return x < 0 ? RT_RANGE : RT_FINE;
    case RT_FN_LOG: ret->d = log(x); return x <= 0 ? RT_RANGE : RT_FINE;
    case RT_FN_LOG10: ret->d = log10(x); return x <= 0 ? RT_RANGE : RT_FINE;
    case RT_FN_LOG2: ret->d = log2(x); return x <= 0 ? RT_RANGE : RT_FINE;
    case RT_FN_POW: ret->d = pow(x, args[1].d); return isfinite(ret->d) ? RT_FINE : RT_OVERFLOW;
    case RT_FN_EXP: ret->d = exp(x); return isfinite(ret->d) ? RT_FINE : RT_OVERFLOW;
    case RT_FN_SIN: ret->d = sin(x); break;
    case RT_FN_COS: ret->d = cos(x); break;
    case RT_FN_TAN: ret->d = tan(x); break;
    case RT_FN_ATAN2: ret->d = atan2(x, args[1].d); break;
    case RT_FN_ROUND: ret->d = round(x); break;
    case RT_FN_FLOOR: ret->d = floor(x); break;
    case RT_FN_CEIL: ret->d = ceil(x); break;
    case RT_FN_TRUNC: ret->d = trunc(x); break;
    default: return round_to(x, args[1].i, &ret->d);
    }
    return RT_FINE;
}

void rt_meta_level(RtPipe *pipe, u32 level, RtValue *ret)
{
    RtValue args[3] = {{.s = {pipe->topic_len ? pipe->topic : "", pipe->topic_len}},
                       {.s = {"/", 1}},
                       {.i = level}};
    split_part(args, ret);
}
