/* runtime/series/values.c: the values of a block in the way that needs the fewest bits.
 *
 * The choice is made by counting bits, not by trying every encoder. All sums of bit patterns are
 * unsigned, so nothing overflows whatever the values or the stored bytes are. */
#include "series/block_int.h"

#include <math.h>
#include <string.h>

typedef enum ValueMode {
    VALUES_SAME,          /* one value */
    VALUES_DECIMAL,       /* whole numbers over 10^e, less the smallest */
    VALUES_DECIMAL_DELTA, /* the same, differences */
    VALUES_BITS,         /* differences of ordered bit patterns, common zeros at the end left out */
    VALUES_SPLIT,        /* leading bits from a short list, the rest as it is */
    VALUES_DECIMAL_RISE, /* decimals, differences less the smallest */
} ValueMode;

enum {
    EXPONENT_MAX = 15,
    DECIMAL_TRIES = 32,      /* as many first values decide whether decimals are worth it */
    DECIMAL_MISS_SHARE = 16, /* at most one value in so many may be no decimal */
    SPLIT_SAMPLE = 256,
    SPLIT_LEADS = 8,
    SPLIT_RIGHT_MIN = 48,
    SPLIT_RIGHT_MAX = 60,
};

static const double powers[EXPONENT_MAX + 1] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
static const double whole_max = 1125899906842624.0; /* 2^50: rounding below it is exact */
static const double rounder = 6755399441055744.0;   /* 1.5 * 2^52: adding it rounds to a whole */

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static double double_of(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* ---- decimals ---- */

/* Division is correctly rounded, so a value that was read from decimal text comes back exactly. */
static bool as_decimal(double value, uint32_t exponent, int64_t *ret)
{
    double scaled = value * powers[exponent];
    if (!(fabs(scaled) < whole_max)) return false;
    double whole = (scaled + rounder) - rounder;
    if (bits_of(whole / powers[exponent]) != bits_of(value)) return false;
    *ret = (int64_t)whole;
    return true;
}

/* The exponent that fits nearly all values, or a negative number. Values that fit a smaller one fit
 * the larger, too, unless they become too large; those are patched. */
static int find_exponent(const double *values, uint32_t count)
{
    uint32_t exponent = 0, misses = 0;
    int64_t whole;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t e = exponent;
        while (e <= EXPONENT_MAX && !as_decimal(values[i], e, &whole)) e++;
        if (e <= EXPONENT_MAX) {
            exponent = e;
            continue;
        }
        misses++;
        if (i < DECIMAL_TRIES ? misses > DECIMAL_TRIES / 2
                              : misses > 2 + count / DECIMAL_MISS_SHARE)
            return -1;
    }
    return misses > count / DECIMAL_MISS_SHARE ? -1 : (int)exponent;
}

static void put_patches(Buf *out, const SeriesScratch *scratch, uint32_t count)
{
    pack_put_varint(out, count);
    for (uint32_t i = 0; i < count; i++) {
        pack_put_varint(out, scratch->places[i]);
        pack_put_fixed(out, scratch->patches[i], 8);
    }
}

static void decimals_put(Buf *out, const double *values, uint32_t count, uint32_t exponent,
                         SeriesScratch *scratch)
{
    uint64_t *whole = scratch->a, *delta = scratch->b, bits = 0, bits_delta = 0, bits_rise = 0;
    uint32_t patches = 0;
    int64_t number = 0, least = INT64_MAX, least_rise = INT64_MAX;
    for (uint32_t i = 0; i < count; i++) {
        if (!as_decimal(values[i], exponent,
                        &number)) { /* keeps the number before: no difference */
            scratch->places[patches] = i;
            scratch->patches[patches++] = bits_of(values[i]);
        }
        whole[i] = (uint64_t)number;
        if (number < least) least = number;
        if (i && number - (int64_t)whole[i - 1] < least_rise)
            least_rise = number - (int64_t)whole[i - 1];
    }
    if (count == 1) least_rise = 0;
    for (uint32_t i = 0; i < count; i++) {
        delta[i] = i ? whole[i] - whole[i - 1] : 0;
        bits_delta += pack_bits(pack_zigzag(delta[i]));
        bits_rise += i ? pack_bits(delta[i] - (uint64_t)least_rise) : 0;
        bits += pack_bits(whole[i] - (uint64_t)least);
    }
    ValueMode mode = bits_delta < bits ? VALUES_DECIMAL_DELTA : VALUES_DECIMAL;
    if (bits_rise < bits && bits_rise < bits_delta) mode = VALUES_DECIMAL_RISE;
    pack_put_u8(out, (uint8_t)mode);
    pack_put_u8(out, (uint8_t)exponent);
    put_patches(out, scratch, patches);
    pack_put_varint(out, pack_zigzag(mode == VALUES_DECIMAL ? (uint64_t)least : whole[0]));
    if (mode == VALUES_DECIMAL_RISE) pack_put_varint(out, pack_zigzag((uint64_t)least_rise));
    for (uint32_t i = 0; i < count; i++) {
        if (mode == VALUES_DECIMAL)
            delta[i] = whole[i] - (uint64_t)least;
        else if (mode == VALUES_DECIMAL_DELTA)
            delta[i] = pack_zigzag(delta[i]);
        else
            delta[i] = i ? delta[i] - (uint64_t)least_rise : 0;
    }
    pack_put_all(out, delta, count);
}

/* Reads the patches into the scratch; false when they are not in order or outside. */
static uint32_t get_patches(PackIn *in, uint32_t count, SeriesScratch *scratch)
{
    uint64_t patches = pack_get_varint(in);
    if (patches > count) in->failed = true;
    for (uint32_t i = 0; i < patches && !in->failed; i++) {
        scratch->places[i] = pack_get_varint(in);
        scratch->patches[i] = pack_get_fixed(in, 8);
        if (scratch->places[i] >= count) in->failed = true;
    }
    return in->failed ? 0 : (uint32_t)patches;
}

static void decimals_get(PackIn *in, double *values, uint32_t count, ValueMode mode,
                         SeriesScratch *scratch)
{
    uint64_t *number = scratch->a;
    uint32_t exponent = pack_get_u8(in);
    if (exponent > EXPONENT_MAX) in->failed = true;
    uint32_t patches = get_patches(in, count, scratch);
    uint64_t base = pack_unzigzag(pack_get_varint(in)), rise = 0;
    if (mode == VALUES_DECIMAL_RISE) rise = pack_unzigzag(pack_get_varint(in));
    pack_get_all(in, number, count);
    if (in->failed) return;
    double scale = powers[exponent];
    base -= rise; /* the first number has none */
    if (mode == VALUES_DECIMAL_DELTA)
        for (uint32_t i = 0; i < count; i++) number[i] = base += pack_unzigzag(number[i]);
    else if (mode == VALUES_DECIMAL_RISE)
        for (uint32_t i = 0; i < count; i++) number[i] = base += number[i] + rise;
    else
        for (uint32_t i = 0; i < count; i++) number[i] += base;
    for (uint32_t i = 0; i < count; i++) values[i] = (double)(int64_t)number[i] / scale;
    for (uint32_t i = 0; i < patches; i++)
        values[scratch->places[i]] = double_of(scratch->patches[i]);
}

/* ---- bit patterns ---- */

/* Bit patterns in the order of their values: neighbours in value are neighbours in number. */
static uint64_t ordered(uint64_t bits)
{
    return bits >> 63 ? ~bits : bits | (uint64_t)1 << 63;
}

static uint64_t unordered(uint64_t number)
{
    return number >> 63 ? number & ~((uint64_t)1 << 63) : ~number;
}

typedef struct Split {
    uint32_t right, lead_count; /* bits that are stored as they are; leading patterns listed */
    uint32_t leads[SPLIT_LEADS];
    uint64_t bits; /* estimate per SPLIT_SAMPLE values */
} Split;

/* The most frequent leading patterns of the sample at one place to cut. */
static Split try_split(const uint64_t *bits, uint32_t sample, uint32_t step, uint32_t right)
{
    uint32_t lead[SPLIT_SAMPLE], times[SPLIT_SAMPLE], kinds = 0, covered = 0;
    Split split = {.right = right};
    for (uint32_t i = 0; i < sample; i++) {
        uint32_t own = (uint32_t)(bits[(size_t)i * step] >> right), at = 0;
        while (at < kinds && lead[at] != own) at++;
        if (at == kinds) {
            lead[kinds] = own;
            times[kinds++] = 0;
        }
        times[at]++;
    }
    while (split.lead_count < SPLIT_LEADS && split.lead_count < kinds) {
        uint32_t top = 0;
        for (uint32_t i = 1; i < kinds; i++)
            if (times[i] > times[top]) top = i;
        if (!times[top]) break;
        covered += times[top];
        times[top] = 0;
        split.leads[split.lead_count++] = lead[top];
    }
    uint32_t code = pack_bits(split.lead_count - 1);
    split.bits = (uint64_t)sample * (right + code) + (uint64_t)(sample - covered) * 80;
    return split;
}

static Split best_split(const uint64_t *bits, uint32_t count)
{
    uint32_t sample = count < SPLIT_SAMPLE ? count : SPLIT_SAMPLE, step = count / sample;
    Split best = try_split(bits, sample, step, SPLIT_RIGHT_MAX);
    for (uint32_t right = SPLIT_RIGHT_MAX; right-- > SPLIT_RIGHT_MIN;) {
        Split split = try_split(bits, sample, step, right);
        if (split.bits < best.bits) best = split;
    }
    best.bits = best.bits * count / sample;
    return best;
}

static void split_put(Buf *out, const uint64_t *bits, uint32_t count, const Split *split,
                      SeriesScratch *scratch)
{
    uint64_t *code = scratch->b, mask = ((uint64_t)1 << split->right) - 1;
    uint32_t patches = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t own = bits[i] >> split->right;
        uint32_t at = 0;
        while (at < split->lead_count && split->leads[at] != own) at++;
        if (at == split->lead_count) {
            scratch->places[patches] = i;
            scratch->patches[patches++] = bits[i];
            at = 0;
        }
        code[i] = at;
    }
    pack_put_u8(out, VALUES_SPLIT);
    pack_put_u8(out, (uint8_t)split->right);
    pack_put_u8(out, (uint8_t)split->lead_count);
    for (uint32_t i = 0; i < split->lead_count; i++) pack_put_varint(out, split->leads[i]);
    put_patches(out, scratch, patches);
    pack_put_all(out, code, count);
    for (uint32_t i = 0; i < count; i++) code[i] = bits[i] & mask;
    pack_put_all(out, code, count);
}

static void split_get(PackIn *in, double *values, uint32_t count, SeriesScratch *scratch)
{
    uint64_t leads[SPLIT_LEADS] = {0};
    uint32_t right = pack_get_u8(in), lead_count = pack_get_u8(in);
    if (right < SPLIT_RIGHT_MIN || right > SPLIT_RIGHT_MAX || !lead_count ||
        lead_count > SPLIT_LEADS)
        in->failed = true;
    for (uint32_t i = 0; i < lead_count && !in->failed; i++)
        leads[i] = pack_get_varint(in) << right;
    uint32_t patches = get_patches(in, count, scratch);
    pack_get_all(in, scratch->a, count);
    pack_get_all(in, scratch->b, count);
    if (in->failed) return;
    for (uint32_t i = 0; i < count; i++)
        values[i] = double_of(leads[scratch->a[i] & (SPLIT_LEADS - 1)] | scratch->b[i]);
    for (uint32_t i = 0; i < patches; i++)
        values[scratch->places[i]] = double_of(scratch->patches[i]);
}

static void patterns_put(Buf *out, const double *values, uint32_t count, SeriesScratch *scratch)
{
    uint64_t *bits = scratch->a, *delta = scratch->b, all = 0, cost = 0;
    for (uint32_t i = 0; i < count; i++) {
        bits[i] = bits_of(values[i]);
        all |= bits[i];
    }
    uint32_t zeros = (uint32_t)__builtin_ctzll(all | (uint64_t)1 << 63);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t own = ordered(bits[i]) >> zeros, before = i ? ordered(bits[i - 1]) >> zeros : 0;
        delta[i] = i ? pack_zigzag(own - before) : 0;
        cost += pack_bits(delta[i]);
    }
    Split split = best_split(bits, count);
    if (split.bits < cost) {
        split_put(out, bits, count, &split, scratch);
        return;
    }
    pack_put_u8(out, VALUES_BITS);
    pack_put_u8(out, (uint8_t)zeros);
    pack_put_fixed(out, bits[0], 8);
    pack_put_all(out, delta, count);
}

static void patterns_get(PackIn *in, double *values, uint32_t count, SeriesScratch *scratch)
{
    uint32_t zeros = pack_get_u8(in);
    if (zeros > 63) in->failed = true;
    uint64_t number = ordered(pack_get_fixed(in, 8));
    pack_get_all(in, scratch->a, count);
    if (in->failed) return;
    /* A negative value's ordered pattern ends in ones where its bits end in zeros. */
    uint64_t low = ((uint64_t)1 << zeros) - 1;
    number >>= zeros;
    for (uint32_t i = 0; i < count; i++) {
        number += pack_unzigzag(scratch->a[i]);
        uint64_t shifted = number << zeros;
        values[i] = double_of(unordered(shifted >> 63 ? shifted : shifted | low));
    }
}

/* ---- both ways ---- */

void series__values_put(Buf *out, const double *values, uint32_t count, SeriesScratch *scratch)
{
    bool same = true;
    for (uint32_t i = 1; i < count && same; i++) same = bits_of(values[i]) == bits_of(values[0]);
    if (same) {
        pack_put_u8(out, VALUES_SAME);
        pack_put_fixed(out, bits_of(values[0]), 8);
        return;
    }
    int exponent = find_exponent(values, count);
    if (exponent >= 0)
        decimals_put(out, values, count, (uint32_t)exponent, scratch);
    else
        patterns_put(out, values, count, scratch);
}

void series__values_get(PackIn *in, double *values, uint32_t count, SeriesScratch *scratch)
{
    switch (pack_get_u8(in)) {
    case VALUES_SAME: {
        double value = double_of(pack_get_fixed(in, 8));
        for (uint32_t i = 0; i < count; i++) values[i] = value;
        break;
    }
    case VALUES_DECIMAL: decimals_get(in, values, count, VALUES_DECIMAL, scratch); break;
    case VALUES_DECIMAL_DELTA:
        decimals_get(in, values, count, VALUES_DECIMAL_DELTA, scratch);
        break;
    case VALUES_DECIMAL_RISE: decimals_get(in, values, count, VALUES_DECIMAL_RISE, scratch); break;
    case VALUES_BITS: patterns_get(in, values, count, scratch); break;
    case VALUES_SPLIT: split_get(in, values, count, scratch); break;
    default: in->failed = true;
    }
}
