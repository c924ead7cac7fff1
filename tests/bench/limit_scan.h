/* tests/bench/limit_scan.h: scanning one record of the work item, fast path and fallback.
 *
 * The fast path expects the key order and spacing that bench_gen writes and gives up (NULL) on any
 * surprise; the fallback takes any order. Neither validates UTF-8 or all of RFC 8259: this is the
 * floor a person could reach, not a safe decoder. */
#ifndef TUTTI_BENCH_LIMIT_SCAN_H
#define TUTTI_BENCH_LIMIT_SCAN_H

#include "limit_window.h"

#include <emmintrin.h>
#include <stdlib.h>

#define UNLIKELY(x) __builtin_expect(!!(x), 0)

typedef struct Rec {
    int64_t ms;
    const char *machine;
    unsigned machine_len, have;
    double temp, pressure, rpm;
    int run;
} Rec;

typedef struct Day { /* the last date seen, so that it is parsed once a day */
    uint64_t a;
    uint32_t b;
    int64_t ms;
} Day;

static const double powers[] = {1,   1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

static inline int64_t days_from_civil(int64_t y, unsigned m, unsigned d)
{
    y -= m <= 2;
    int64_t era = y / 400;
    unsigned yoe = (unsigned)(y - era * 400);
    unsigned doy = (153 * (m + (m > 2 ? -3u : 9u)) + 2) / 5 + d - 1;
    return era * 146097 + (int64_t)(yoe * 365 + yoe / 4 - yoe / 100 + doy) - 719468;
}

/* "YYYY-MM-DDTHH:MM:SS.mmmZ" */
static inline int scan_time(const char *s, Day *day, int64_t *ret_ms)
{
    uint64_t a = load8(s);
    uint32_t b = load4(s + 7);
#define DIGIT(i) ((unsigned)(s[i] - '0'))
    if (UNLIKELY(a != day->a || b != day->b)) {
        for (int i = 0; i < 10; i++)
            if (i == 4 || i == 7 ? s[i] != '-' : DIGIT(i) > 9) return 0;
        day->a = a;
        day->b = b;
        day->ms =
            86400000 * days_from_civil(DIGIT(0) * 1000 + DIGIT(1) * 100 + DIGIT(2) * 10 + DIGIT(3),
                                       DIGIT(5) * 10 + DIGIT(6), DIGIT(8) * 10 + DIGIT(9));
    }
    /* "HH:MM:SS" as one word: digits and colons checked at once */
    uint64_t x = load8(s + 11) ^ 0x30303A30303A3030u;
    uint32_t y = load4(s + 19) ^ 0x3030302Eu; /* ".mmm" */
    if (UNLIKELY(((x + 0x0606000606000606u) | x) & 0xF0F0FFF0F0FFF0F0u)) return 0;
    if (UNLIKELY((((y + 0x06060600u) | y) & 0xF0F0F0FFu) || s[23] != 'Z')) return 0;
    unsigned h = (unsigned)(x & 15) * 10 + (unsigned)(x >> 8 & 15);
    unsigned m = (unsigned)(x >> 24 & 15) * 10 + (unsigned)(x >> 32 & 15);
    unsigned sec = (unsigned)(x >> 48 & 15) * 10 + (unsigned)(x >> 56);
    unsigned ms = (y >> 8 & 15) * 100 + (y >> 16 & 15) * 10 + (y >> 24);
    *ret_ms = day->ms + (int64_t)((h * 60 + m) * 60 + sec) * 1000 + ms;
    return 1;
#undef DIGIT
}

static inline const char *scan_number_slow(const char *p, double *ret)
{
    char *end;
    *ret = strtod(p, &end);
    return end == p ? NULL : end;
}

/* -?D+(.D+)? of at most 8 characters behind the sign without a branch per digit; else strtod. */
static inline const char *scan_number(const char *from, double *ret)
{
    int negative = *from == '-';
    const char *p = from + negative;
    uint64_t x = load8(p) ^ 0x3030303030303030u;
    uint64_t other = ((x + 0x7676767676767676u) | x) & 0x8080808080808080u;
    if (UNLIKELY(!other)) return scan_number_slow(from, ret);
    unsigned whole = (unsigned)__builtin_ctzll(other) >> 3, digits = whole, len = whole, frac = 0;
    if (p[whole] == '.') {
        other &= other - 1;
        if (UNLIKELY(!other)) return scan_number_slow(from, ret);
        len = (unsigned)__builtin_ctzll(other) >> 3;
        frac = len - whole - 1;
        if (UNLIKELY(!frac)) return NULL;
        uint64_t mask = whole ? ((uint64_t)1 << (8 * whole)) - 1 : 0;
        x = (x & mask) | ((x >> 8) & ~mask); /* close up over the point */
        digits = len - 1;
    }
    if (UNLIKELY(!digits || p[len] == 'e' || p[len] == 'E')) return scan_number_slow(from, ret);
    x <<= 8 * (8 - digits);
    x = x * 10 + (x >> 8);
    x = ((x & 0x000000FF000000FFu) * 0x000F424000000064u +
         ((x >> 16) & 0x000000FF000000FFu) * 0x0000271000000001u) >>
        32;
    double value = (double)(uint32_t)x / powers[frac];
    *ret = negative ? -value : value;
    return p + len;
}

/* End of a plain string of at most 15 bytes; NULL when it is longer or has escapes. */
static inline const char *scan_short(const char *p)
{
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
    unsigned quote = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')));
    unsigned slash = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
    if (UNLIKELY(!quote || (slash & ((quote & -quote) - 1)))) return NULL;
    return p + __builtin_ctz(quote);
}

static const char *scan_string(const char *p, const char *end)
{
    for (; p < end && *p != '"'; p++) {
        if (*p == '\\')
            p++;
        else if ((unsigned char)*p < 0x20)
            return NULL;
    }
    return p < end ? p : NULL;
}

static inline const char *space(const char *p)
{
    while (*p == ' ' || *p == '\t' || *p == '\r') p++;
    return p;
}

/* Flat records only: a value is a string, a number or a word. */
static const char *skip_value(const char *p, const char *end)
{
    if (*p == '"') {
        p = scan_string(p + 1, end);
        return p ? p + 1 : NULL;
    }
    const char *from = p;
    while (p < end && *p != ',' && *p != '}' && *p != ' ') p++;
    return p == from ? NULL : p;
}

static const char *any_field(Rec *rec, Day *day, const char *key, unsigned len, const char *p,
                             const char *end)
{
    static const struct {
        const char *name;
        unsigned len;
    } names[] = {{"ts", 2}, {"machine", 7}, {"temp", 4}, {"pressure", 8}, {"rpm", 3}, {"state", 5}};
    unsigned which = 0;
    while (which < 6 && (names[which].len != len || memcmp(names[which].name, key, len))) which++;
    const char *from = p + 1, *stop = skip_value(p, end);
    if (!stop || which == 6) return stop;
    rec->have |= 1u << which;
    unsigned bytes = (unsigned)(stop - from - 1);
    switch (which) {
    case 0: return *p == '"' && bytes == 24 && scan_time(from, day, &rec->ms) ? stop : NULL;
    case 1:
        rec->machine = from;
        rec->machine_len = bytes;
        return *p == '"' ? stop : NULL;
    case 2: return scan_number(p, &rec->temp);
    case 3: return scan_number(p, &rec->pressure);
    case 4: return scan_number(p, &rec->rpm);
    default: rec->run = bytes == 3 && !memcmp(from, "RUN", 3); return *p == '"' ? stop : NULL;
    }
}

/* Any key order and spacing. */
static int scan_any(const char *p, const char *end, Rec *rec, Day *day)
{
    rec->have = 0;
    p = space(p);
    if (*p++ != '{') return 0;
    for (;;) {
        p = space(p);
        const char *key = p + 1;
        if (*p != '"' || !(p = scan_string(key, end))) return 0;
        unsigned len = (unsigned)(p - key);
        p = space(p + 1);
        if (*p != ':' || !(p = any_field(rec, day, key, len, space(p + 1), end))) return 0;
        p = space(p);
        if (*p == '}') return space(p + 1) >= end && rec->have == 63;
        if (*p++ != ',') return 0;
    }
}

#endif
