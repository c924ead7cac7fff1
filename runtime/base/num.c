/* runtime/base/num.c: shortest printing and correctly rounded reading of binary floating point.
 *
 * Printing: Schubfach (Raffaello Giulietti, "The Schubfach way to render doubles", 2020). Reading:
 * Eisel and Lemire ("Number parsing at a gigabyte per second", 2021; without the fallback, as shown
 * by Mushtak and Lemire, 2023). Both need the leading 128 bits of powers of ten, which
 * tools/gen_pow10.c writes at build time. Only numbers with more than 19 digits that lie next to
 * the middle of two doubles go to strtod. Ryu was not taken: its tables are twice as large. */
#include "base/num.h"

#include <stdlib.h>
#include <string.h>

#include "pow10.inc"

__extension__ typedef unsigned __int128 u128;

static const char digit_pairs[] =
    "00010203040506070809101112131415161718192021222324252627282930313233"
    "34353637383940414243444546474849505152535455565758596061626364656667"
    "68697071727374757677787980818283848586878889909192939495969798"
    "99";

char *num_put_u64(char *out, uint64_t value)
{
    char text[20];
    size_t at = sizeof text;
    while (value >= 100) {
        memcpy(text + (at -= 2), digit_pairs + value % 100 * 2, 2);
        value /= 100;
    }
    if (value >= 10)
        memcpy(text + (at -= 2), digit_pairs + value * 2, 2);
    else
        text[--at] = (char)('0' + value);
    memcpy(out, text + at, sizeof text - at);
    return out + (sizeof text - at);
}

char *num_put_i64(char *out, int64_t value)
{
    if (value >= 0) return num_put_u64(out, (uint64_t)value);
    *out = '-';
    return num_put_u64(out + 1, 0 - (uint64_t)value);
}

/* floor(n * log) for the constants below; arithmetic shift of negative numbers is what gcc and
 * clang both do. */
static int32_t floor_log2_pow10(int32_t e)
{
    return (int32_t)(((int64_t)e * 1741647) >> 19);
}

/* The product's bits above the 128th, with the lowest bit set when something was cut off. */
static uint64_t round_to_odd(const uint64_t g[2], uint64_t c)
{
    u128 low = (u128)g[1] * c, high = (u128)g[0] * c + (uint64_t)(low >> 64);
    return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
}

typedef struct Decimal {
    uint64_t digits;
    int32_t exponent;
} Decimal;

/* The shortest decimal within the rounding interval of c * 2^q, the nearest of those.
 * `closer`: the lower neighbour is only half as far (c is a power of two). */
static Decimal shortest(uint64_t c, int32_t q, bool closer)
{
    bool even = (c & 1) == 0;
    uint64_t left = 4 * c - 2 + closer, middle = 4 * c, right = 4 * c + 2;
    int32_t k = (int32_t)(((int64_t)q * 1262611 - (closer ? 524031 : 0)) >> 22);
    int32_t h = q + floor_log2_pow10(-k) + 1;
    uint64_t g[2] = {pow10_table[-k - POW10_MIN][0], pow10_table[-k - POW10_MIN][1]};
    if (-k < 0 ||
        -k > 55) { /* not exact in 128 bits: the table is cut, Schubfach wants rounded up */
        g[1]++;
        g[0] += g[1] == 0;
    }
    uint64_t low = round_to_odd(g, left << h) + !even;
    uint64_t mid = round_to_odd(g, middle << h);
    uint64_t high = round_to_odd(g, right << h) - !even;
    uint64_t s = mid / 4;
    if (s >= 10) {
        uint64_t tens = s / 10;
        bool down = low <= 40 * tens, up = 40 * tens + 40 <= high;
        if (down != up) return (Decimal){tens + up, k + 1};
    }
    bool down = low <= 4 * s, up = 4 * s + 4 <= high;
    if (down != up) return (Decimal){s + up, k};
    bool round_up = mid > 4 * s + 2 || (mid == 4 * s + 2 && (s & 1));
    return (Decimal){s + round_up, k};
}

/* Lays digits * 10^exponent out by ECMA-262: n is the place of the decimal point. */
static char *lay_out(char *out, Decimal d)
{
    char text[20];
    char *end = num_put_u64(text, d.digits);
    while (end[-1] == '0' && end > text + 1) {
        end--;
        d.exponent++;
    }
    int k = (int)(end - text), n = k + d.exponent;
    if (k <= n && n <= 21) {
        memcpy(out, text, (size_t)k);
        memset(out + k, '0', (size_t)(n - k));
        return out + n;
    }
    if (0 < n && n <= 21) {
        memcpy(out, text, (size_t)n);
        out[n] = '.';
        memcpy(out + n + 1, text + n, (size_t)(k - n));
        return out + k + 1;
    }
    if (-6 < n && n <= 0) {
        memcpy(out, "0.", 2);
        memset(out + 2, '0', (size_t)-n);
        memcpy(out + 2 - n, text, (size_t)k);
        return out + 2 - n + k;
    }
    *out++ = text[0];
    if (k > 1) {
        *out++ = '.';
        memcpy(out, text + 1, (size_t)k - 1);
        out += k - 1;
    }
    *out++ = 'e';
    *out++ = n > 0 ? '+' : '-';
    return num_put_u64(out, (uint64_t)(n > 0 ? n - 1 : 1 - n));
}

static char *put_word(char *out, const char *word)
{
    size_t len = strlen(word);
    memcpy(out, word, len);
    return out + len;
}

char *num_put_f64(char *out, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint64_t fraction = bits & 0xfffffffffffff;
    int32_t exponent = (int32_t)(bits >> 52 & 0x7ff);
    bool negative = bits >> 63;
    if (exponent == 0x7ff && fraction) return put_word(out, "NaN");
    if (negative && (exponent || fraction)) *out++ = '-'; /* -0 prints as 0 */
    if (exponent == 0x7ff) return put_word(out, "Infinity");
    if (!exponent && !fraction) return put_word(out, "0");
    uint64_t c = exponent ? fraction | 1ull << 52 : fraction;
    int32_t q = (exponent ? exponent : 1) - 1075;
    if (q <= 0 && q > -53 && (c & ((1ull << -q) - 1)) == 0)
        return num_put_u64(out, c >> -q); /* a whole number below 2^53 */
    return lay_out(out, shortest(c, q, fraction == 0 && exponent > 1));
}

char *num_put_f32(char *out, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t fraction = bits & 0x7fffff;
    int32_t exponent = (int32_t)(bits >> 23 & 0xff);
    if (exponent == 0xff || (!exponent && !fraction)) return num_put_f64(out, (double)value);
    if (bits >> 31) *out++ = '-';
    uint32_t c = exponent ? fraction | 1u << 23 : fraction;
    int32_t q = (exponent ? exponent : 1) - 150;
    if (q <= 0 && q > -24 && (c & ((1u << -q) - 1)) == 0) return num_put_u64(out, c >> -q);
    return lay_out(out, shortest(c, q, fraction == 0 && exponent > 1));
}

static double from_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* w * 10^q rounded to nearest even; w is not 0. */
static double eisel_lemire(uint64_t w, int64_t q)
{
    if (q < POW10_MIN) return 0;
    if (q > 308) return from_bits(0x7ffull << 52);
    int zeros = __builtin_clzll(w);
    w <<= zeros;
    const uint64_t *g = pow10_table[q - POW10_MIN];
    uint64_t g_low = g[1] + (q < 0 && q >= -27); /* there the reciprocal must be rounded up */
    u128 product = (u128)w * g[0];
    if (((uint64_t)(product >> 64) & 0x1ff) == 0x1ff)
        product += (uint64_t)(((u128)w * g_low) >> 64);
    uint64_t high = (uint64_t)(product >> 64), low = (uint64_t)product;
    int top = (int)(high >> 63);
    uint64_t mantissa = high >> (top + 9);
    int64_t power = ((217706 * q) >> 16) + 63 + top - zeros + 1023;
    if (power <= 0) {
        if (1 - power >= 64) return 0;
        mantissa >>= 1 - power;
        mantissa += mantissa & 1;
        return from_bits(mantissa >> 1); /* a carry into the exponent is right as it is */
    }
    if (low <= 1 && q >= -4 && q <= 23 && (mantissa & 3) == 1 && mantissa << (top + 9) == high)
        mantissa &= ~1ull; /* exactly between two: to even */
    mantissa += mantissa & 1;
    mantissa >>= 1;
    if (mantissa >> 53) {
        mantissa = 1ull << 52;
        power++;
    }
    if (power >= 0x7ff) return from_bits(0x7ffull << 52);
    return from_bits((mantissa & ~(1ull << 52)) | (uint64_t)power << 52);
}

bool num_from_decimal(uint64_t digits, int64_t exponent, bool more, double *ret_value)
{
    static const double exact[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (!more && digits <= 1ull << 53 && exponent >= -22 && exponent <= 22) {
        double value = (double)digits; /* both exact: one rounding (Clinger 1990) */
        *ret_value = exponent < 0 ? value / exact[-exponent] : value * exact[exponent];
        return true;
    }
    if (digits == 0) {
        *ret_value = 0;
        return true;
    }
    double value = eisel_lemire(digits, exponent);
    if (more && digits < UINT64_MAX && value != eisel_lemire(digits + 1, exponent)) return false;
    *ret_value = value;
    return true;
}

static const char *get_slowly(const char *p, const char *stop, double *ret_value)
{
    /* 1,074 + 17 digits decide every double; strtod sees them all when the text is short enough,
     * and a sticky 1 stands for the rest otherwise. */
    char text[1200];
    size_t len = (size_t)(stop - p), used = 0;
    int64_t dropped = 0;
    bool point = false, sticky = false;
    size_t i = 0;
    for (; i < len && p[i] != 'e' && p[i] != 'E'; i++) {
        if (p[i] == '.') point = true;
        if (used < 1150)
            text[used++] = p[i];
        else if (p[i] != '.') {
            if (!point) dropped++;
            sticky |= p[i] != '0';
        }
    }
    if (sticky) text[used++] = '1', dropped -= !memchr(text, '.', used);
    int64_t exponent = 0;
    if (i < len) {
        bool minus = p[++i] == '-';
        i += p[i] == '-' || p[i] == '+';
        for (; i < len; i++)
            if (exponent < 100000000) exponent = exponent * 10 + (p[i] - '0');
        if (minus) exponent = -exponent;
    }
    text[used++] = 'e';
    used = (size_t)(num_put_i64(text + used, exponent + dropped) - text);
    text[used] = 0;
    *ret_value = strtod(text, NULL);
    return stop;
}

const char *num_get_f64(const char *p, const char *end, double *ret_value)
{
    const char *start = p;
    bool negative = p < end && *p == '-';
    p += negative;
    const char *first = p;
    uint64_t digits = 0;
    int count = 0; /* significant digits in `digits` */
    int64_t exponent = 0;
    bool more = false;
    for (; p < end && (unsigned)(*p - '0') <= 9; p++) {
        unsigned d = (unsigned)(*p - '0');
        if (count < 19)
            digits = digits * 10 + d, count += count || d;
        else
            exponent++, more |= d != 0;
    }
    if (p == first || (*first == '0' && p - first > 1)) return NULL;
    if (p < end && *p == '.') {
        const char *fraction = ++p;
        for (; p < end && (unsigned)(*p - '0') <= 9; p++) {
            unsigned d = (unsigned)(*p - '0');
            if (count < 19)
                digits = digits * 10 + d, count += count || d, exponent--;
            else
                more |= d != 0;
        }
        if (p == fraction) return NULL;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        bool minus = ++p < end && *p == '-';
        p += p < end && (*p == '-' || *p == '+');
        const char *first_e = p;
        int64_t e = 0;
        for (; p < end && (unsigned)(*p - '0') <= 9; p++)
            if (e < 100000000) e = e * 10 + (*p - '0');
        if (p == first_e) return NULL;
        exponent += minus ? -e : e;
    }
    double value;
    if (!num_from_decimal(digits, exponent, more, &value)) {
        get_slowly(start + negative, p, &value);
    }
    *ret_value = negative ? -value : value;
    return p;
}
