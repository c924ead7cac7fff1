/* runtime/flow/token.c: the tokens of JSON: white space, numbers, strings, values to skip.
 *
 * Strict on purpose: a record that passes here passes everywhere. Strings are walked 16 bytes at a
 * time; what is unusual (escape, control character, byte above 127) is looked at one by one. */
#include "flow/scan.h"

#include "base/num.h"
#include "base/rfc3339.h"
#include "base/str.h"
#include "flow/hot.h"
#include "flow/pipe.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

const char *rt_skip_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n')) p++;
    return p;
}

static const char *digits_end(const char *p, const char *end)
{
    while (p < end && (unsigned)(*p - '0') <= 9) p++;
    return p;
}

const char *rt_number_end(const char *p, const char *end)
{
    p += p < end && *p == '-';
    const char *whole = p;
    p = digits_end(p, end);
    if (p == whole || (*whole == '0' && p - whole > 1)) return NULL;
    if (p < end && *p == '.') {
        const char *part = ++p;
        if ((p = digits_end(p, end)) == part) return NULL;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        p += p < end && (*p == '+' || *p == '-');
        const char *power = p;
        if ((p = digits_end(p, end)) == power) return NULL;
    }
    return p;
}

static int hex4(const char *p, const char *end)
{
    int value = 0;
    if (end - p < 4) return -1;
    for (int i = 0; i < 4; i++) {
        int c = p[i] | 32, d = c >= '0' && c <= '9'   ? c - '0'
                               : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                                      : -1;
        if (d < 0 || (p[i] < '0')) return -1;
        value = value << 4 | d;
    }
    return value;
}

/* At a backslash: behind the escape and its code point, or NULL. */
static const char *escape(const char *p, const char *end, u32 *ret_code)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (end - p < 2) return NULL;
    if (p[1] != 'u') {
        const char *at = p[1] ? strchr(from, p[1]) : NULL;
        if (!at) return NULL;
        *ret_code = (u8)to[at - from];
        return p + 2;
    }
    int high = hex4(p + 2, end);
    if (high < 0 || (high >= 0xdc00 && high < 0xe000)) return NULL;
    p += 6;
    if (high >= 0xd800 && high < 0xdc00) {
        if (end - p < 6 || p[0] != '\\' || p[1] != 'u') return NULL;
        int low = hex4(p + 2, end);
        if (low < 0xdc00 || low >= 0xe000) return NULL;
        *ret_code = 0x10000 + ((u32)(high - 0xd800) << 10) + (u32)(low - 0xdc00);
        return p + 6;
    }
    *ret_code = (u32)high;
    return p;
}

/* First byte that is a quote, a backslash or a control character; notes bytes above 127. */
static const char *special(const char *p, const char *end, u32 *high)
{
#ifdef __SSE2__
    for (; p < end; p += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i stop = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')),
                                    _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
        stop = _mm_or_si128(stop, _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(31)), v));
        u32 mask = (u32)_mm_movemask_epi8(stop), above = (u32)_mm_movemask_epi8(v);
        if (mask) {
            u32 n = (u32)__builtin_ctz(mask);
            *high |= above & ((1u << n) - 1);
            return p + n;
        }
        *high |= above;
    }
    return end;
#else
    for (; p < end && *p != '"' && *p != '\\' && (u8)*p >= 32; p++) *high |= (u8)*p & 128;
    return p;
#endif
}

const char *rt_string_end(const char *p, const char *end, u32 *ret_escapes)
{
    const char *start = p;
    u32 high = 0, escapes = 0, code;
    for (;;) {
        p = special(p, end, &high);
        if (p >= end) return NULL;
        if (*p == '"') break;
        if (*p != '\\') return NULL;
        escapes = 1;
        p = escape(p, end, &code);
        if (!p) return NULL;
    }
    if (high && !str_utf8_valid(str_slice(start, (size_t)(p - start)))) return NULL;
    *ret_escapes = escapes;
    return p;
}

static char *put_utf8(char *w, u32 c)
{
    if (c < 0x80) {
        *w++ = (char)c;
    } else if (c < 0x800) {
        *w++ = (char)(0xc0 | c >> 6);
        *w++ = (char)(0x80 | (c & 63));
    } else if (c < 0x10000) {
        *w++ = (char)(0xe0 | c >> 12);
        *w++ = (char)(0x80 | (c >> 6 & 63));
        *w++ = (char)(0x80 | (c & 63));
    } else {
        *w++ = (char)(0xf0 | c >> 18);
        *w++ = (char)(0x80 | (c >> 12 & 63));
        *w++ = (char)(0x80 | (c >> 6 & 63));
        *w++ = (char)(0x80 | (c & 63));
    }
    return w;
}

const char *rt_text(RtPipe *pipe, const char *p, const char *end, RtValue *ret)
{
    u32 escapes;
    const char *stop = rt_string_end(p, end, &escapes);
    if (!stop) return NULL;
    ret->s.p = p;
    ret->s.n = (u64)(stop - p);
    if (!escapes) return stop;
    char *w = rt_scratch(pipe, (u64)(stop - p)); /* unescaped text is never longer */
    if (!w) return NULL;
    char *first = w;
    while (p < stop) {
        u32 code;
        if (*p != '\\') {
            *w++ = *p++;
            continue;
        }
        p = escape(p, stop, &code);
        if (!p) return NULL; /* cannot be: rt_string_end looked */
        w = put_utf8(w, code);
    }
    ret->s.p = first;
    ret->s.n = (u64)(w - first);
    return stop;
}

/* A value that is neither object nor array. */
static const char *scalar(const char *p, const char *end)
{
    u32 escapes;
    const char *q;
    switch (*p) {
    case '"':
        q = rt_plain(p + 1);
        if (q && q < end) return q + 1;
        p = rt_string_end(p + 1, end, &escapes);
        return p ? p + 1 : NULL;
    case 't': return end - p >= 4 && memcmp(p, "true", 4) == 0 ? p + 4 : NULL;
    case 'f': return end - p >= 5 && memcmp(p, "false", 5) == 0 ? p + 5 : NULL;
    case 'n': return end - p >= 4 && memcmp(p, "null", 4) == 0 ? p + 4 : NULL;
    default:
        q = rt_pass_number(p); /* one that goes on behind its digits is looked at again */
        return q && q <= end && (*q | 32) != 'e' ? q : rt_number_end(p, end);
    }
}

/* A key and its colon. */
static const char *member(const char *p, const char *end)
{
    u32 escapes;
    if (p >= end || *p != '"') return NULL;
    p = rt_string_end(p + 1, end, &escapes);
    if (!p) return NULL;
    p = rt_skip_space(p + 1, end);
    return p < end && *p == ':' ? rt_skip_space(p + 1, end) : NULL;
}

const char *rt_skip_value(const char *p, const char *end)
{
    return rt_skip_levels(p, end, RT_JSON_DEPTH_MAX - 1); /* the record itself is the first level */
}

const char *rt_skip_levels(const char *p, const char *end, u32 levels)
{
    /* One bit per open level: 1 = object. Of the 64 levels at hand in a word, of those around them
     * in `outer`, by 64. */
    u64 objects = 0, outer[RT_JSON_DEPTH_MAX / 64];
    u32 depth = 0;
    for (;;) {
        if (p >= end) return NULL;
        if (*p == '{' || *p == '[') {
            int object = *p == '{';
            if (depth == levels || depth == RT_JSON_DEPTH_MAX) return NULL;
            p = rt_skip_space(p + 1, end);
            if (p < end && *p == (object ? '}' : ']')) {
                p++;
            } else {
                if (RT_RARE(depth % 64 == 0 && depth)) outer[depth / 64 - 1] = objects;
                objects = objects << 1 | (u64)object;
                depth++;
                if (object && !(p = member(p, end))) return NULL;
                continue;
            }
        } else if (!(p = scalar(p, end))) {
            return NULL;
        }
        for (;;) { /* a value has ended */
            if (!depth) return p;
            p = rt_skip_space(p, end);
            if (p >= end) return NULL;
            if (*p == ',') {
                p = rt_skip_space(p + 1, end);
                if ((objects & 1) && !(p = member(p, end))) return NULL;
                break;
            }
            if (*p != ((objects & 1) ? '}' : ']')) return NULL;
            p++;
            objects >>= 1;
            if (RT_RARE(--depth % 64 == 0 && depth)) objects = outer[depth / 64 - 1];
        }
    }
}

__extension__ typedef unsigned __int128 u128;

const char *rt_decimal(const char *p, const char *end, u32 scale, int cut, i64 *ret,
                       u32 *ret_reason)
{
    const char *stop = rt_number_end(p, end);
    if (!stop) return NULL;
    int minus = *p == '-';
    p += minus;
    u128 n = 0;
    const u128 many = (u128)1 << 100;
    i64 power = scale;
    int big = 0, point = 0, lost = 0;
    for (; p < stop && *p != 'e' && *p != 'E'; p++) {
        if (*p == '.') {
            point = 1;
        } else if (n < many) {
            n = n * 10 + (unsigned)(*p - '0');
            power -= point;
        } else {
            lost |= *p != '0';
            power += !point;
        }
    }
    if (p < stop) {
        int down = p[1] == '-';
        i64 e = 0;
        for (p += 1 + (p[1] == '-' || p[1] == '+'); p < stop; p++)
            if (e < 1000000) e = e * 10 + (*p - '0');
        power += down ? -e : e;
    }
    for (; power < 0 && n; power++) {
        lost |= n % 10 != 0;
        n /= 10;
    }
    for (; power > 0 && n && !big; power--) {
        big = n > many;
        n *= 10;
    }
    u128 max = (u128)INT64_MAX + (unsigned)minus;
    *ret_reason = lost && !cut ? RT_BAD_NUMBER : big || n > max ? RT_RANGE : RT_FINE;
    *ret = minus ? (i64)(0 - (u64)n) : (i64)(u64)n;
    return stop;
}

const char *rt_integer(const char *p, const char *end, i64 *ret)
{
    u32 reason;
    p = rt_decimal(p, end, 0, 0, ret, &reason);
    return p && !reason ? p : NULL;
}

/* "YYYY-MM-DDTHH:MM:SS.mmmZ" of the date seen last: its minute is the one seen last now. */
static int another_minute(struct RtDay *day, const char *p, i64 *ret)
{
    u64 x = RT_8(p + 11) ^ 0x30303a30303a3030ull; /* HH:MM:SS */
    u64 y = RT_8(p + 16) ^ 0x5a3030302e30303aull; /* :SS.mmmZ */
    if (RT_RARE((RT_8(p) ^ day->a) | (RT_4(p + 7) ^ day->b))) return 0;
    if (RT_RARE(((((x + 0x0606000606000606ull) | x) & 0xf0f0fff0f0fff0f0ull) |
                 (((y + 0x0006060600060600ull) | y) & 0xfff0f0f0fff0f0ffull))))
        return 0;
    x = (x * 10 + (x >> 8)) & 0x00ff0000ff0000ffull; /* hours, minutes, seconds in bytes 0, 3, 6 */
    if (RT_RARE((x + 0x0044000044000068ull) & 0x0080000080000080ull)) return 0; /* 60, 60, 24 */
    u32 minutes = (u32)(x * (60u << 24 | 1) >> 24) & 0xffff, ms = (u32)(y >> 32);
    ms = ((ms * 10 + (ms >> 8)) & 0xff) * 10 + (ms >> 16);
    day->minute = RT_8(p + 8);
    day->minute_ns = day->ns + (i64)minutes * 60000000000ll;
    *ret = day->minute_ns + (i64)((u32)(x >> 48) * 1000 + ms) * 1000000;
    return 1;
}

/* A 24-byte text whose time is `ns`: its date and minute are those seen last now. */
static void remember(struct RtDay *day, const char *p, i64 ns)
{
    const i64 minute = 60000000000ll, whole = 1440 * minute;
    i64 of_day = (ns % whole + whole) % whole;
    day->a = RT_8(p);
    day->b = RT_4(p + 7);
    day->minute = RT_8(p + 8);
    day->ns = ns - of_day;
    day->minute_ns = ns - of_day % minute;
}

void rt_day_begin(struct RtDay *day)
{
    remember(day, "1970-01-01T00:00:00.000Z", 0);
}

int rt_time_text(struct RtDay *day, const char *p, u64 len, i64 *ret)
{
    int64_t ns;
    if (len == 24 && another_minute(day, p, ret)) return 1;
    if (!rfc3339_get(str_slice(p, len), &ns)) return 0;
    if (len == 24 && p[10] == 'T' && p[23] == 'Z' && p[17] < '6') remember(day, p, ns);
    *ret = ns;
    return 1;
}
