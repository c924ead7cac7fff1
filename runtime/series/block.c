/* runtime/series/block.c: a block is its count, times, qualities and values, in this order. */
#include "series/block.h"

#include "series/block_int.h"

#include <string.h>

typedef enum TimeMode {
    TIMES_STEP,    /* every difference is the same */
    TIMES_DELTA,   /* differences less the smallest */
    TIMES_DELTA_2, /* differences of differences */
} TimeMode;

typedef enum QualityMode { QUALITY_SAME, QUALITY_EACH } QualityMode;

static const uint64_t units[] = {1, 1000, 1000000, 1000000000};

/* The coarsest unit that all differences are multiples of. */
static uint32_t coarsest_unit(const uint64_t *deltas, uint32_t count)
{
    uint32_t unit = sizeof units / sizeof *units - 1;
    for (uint32_t i = 0; i < count && unit; i++)
        while (deltas[i] % units[unit]) unit--;
    return unit;
}

static void times_put(Buf *out, const int64_t *t, uint32_t count, SeriesScratch *scratch)
{
    uint64_t *delta = scratch->a, *second = scratch->b, least = UINT64_MAX, bits = 0, bits_2 = 0;
    bool same = true;
    pack_put_fixed(out, (uint64_t)t[0], 8);
    if (count == 1) return;
    uint32_t deltas = count - 1;
    for (uint32_t i = 0; i < deltas; i++) delta[i] = (uint64_t)t[i + 1] - (uint64_t)t[i];
    uint32_t unit = coarsest_unit(delta, deltas);
    for (uint32_t i = 0; i < deltas; i++) {
        delta[i] /= units[unit];
        if (delta[i] < least) least = delta[i];
        same = same && delta[i] == delta[0];
    }
    if (same) {
        pack_put_u8(out, (uint8_t)(unit << 2 | TIMES_STEP));
        pack_put_varint(out, delta[0]);
        return;
    }
    for (uint32_t i = 0; i < deltas; i++) {
        second[i] = pack_zigzag(i ? delta[i] - delta[i - 1] : 0);
        bits_2 += pack_bits(second[i]);
        bits += pack_bits(delta[i] - least);
    }
    if (bits_2 < bits) {
        pack_put_u8(out, (uint8_t)(unit << 2 | TIMES_DELTA_2));
        pack_put_varint(out, delta[0]);
        pack_put_all(out, second, deltas);
        return;
    }
    for (uint32_t i = 0; i < deltas; i++) delta[i] -= least;
    pack_put_u8(out, (uint8_t)(unit << 2 | TIMES_DELTA));
    pack_put_varint(out, least);
    pack_put_all(out, delta, deltas);
}

/* Damaged bytes may give any differences: sums are taken without overflow, order is checked. */
static void times_get(PackIn *in, int64_t *t, uint32_t count, SeriesScratch *scratch)
{
    uint64_t now = pack_get_fixed(in, 8), *delta = scratch->a;
    t[0] = (int64_t)now;
    if (count == 1) return;
    uint8_t head = pack_get_u8(in);
    uint64_t base = pack_get_varint(in);
    uint32_t mode = head & 3, unit = head >> 2;
    if (mode > TIMES_DELTA_2 || unit >= sizeof units / sizeof *units) in->failed = true;
    if (!in->failed && mode != TIMES_STEP) pack_get_all(in, delta, count - 1);
    if (in->failed) return;
    uint64_t step = base, scale = units[unit];
    for (uint32_t i = 1; i < count; i++) {
        if (mode == TIMES_DELTA) step = base + delta[i - 1];
        if (mode == TIMES_DELTA_2) step += pack_unzigzag(delta[i - 1]);
        now += step * scale;
        t[i] = (int64_t)now;
        if (t[i] <= t[i - 1]) in->failed = true;
    }
}

static void qualities_put(Buf *out, const uint8_t *quality, uint32_t count, SeriesScratch *scratch)
{
    bool same = true;
    for (uint32_t i = 0; i < count; i++) {
        same = same && quality[i] == quality[0];
        scratch->a[i] = quality[i];
    }
    pack_put_u8(out, same ? QUALITY_SAME : QUALITY_EACH);
    if (same)
        pack_put_u8(out, quality[0]);
    else
        pack_put_all(out, scratch->a, count);
}

static void qualities_get(PackIn *in, uint8_t *quality, uint32_t count, SeriesScratch *scratch)
{
    uint8_t mode = pack_get_u8(in);
    if (mode == QUALITY_SAME) {
        memset(quality, pack_get_u8(in), count);
        return;
    }
    if (mode != QUALITY_EACH) in->failed = true;
    pack_get_all(in, scratch->a, count);
    if (in->failed) return;
    for (uint32_t i = 0; i < count; i++) {
        quality[i] = (uint8_t)scratch->a[i];
        if (scratch->a[i] > UINT8_MAX) in->failed = true;
    }
}

void series_block_put(Buf *out, const SeriesColumns *points, SeriesScratch *scratch)
{
    pack_put_varint(out, points->count);
    times_put(out, points->t_ns, points->count, scratch);
    qualities_put(out, points->quality, points->count, scratch);
    series__values_put(out, points->value, points->count, scratch);
}

Status series_block_get(Str bytes, SeriesColumns *points, SeriesScratch *scratch)
{
    PackIn in = pack_in(bytes);
    uint64_t count = pack_get_varint(&in);
    if (in.failed || !count || count > SERIES_BLOCK_POINTS) return ST_CORRUPT;
    points->count = (uint32_t)count;
    times_get(&in, points->t_ns, points->count, scratch);
    if (!in.failed) qualities_get(&in, points->quality, points->count, scratch);
    if (!in.failed) series__values_get(&in, points->value, points->count, scratch);
    return in.failed || in.at != in.end ? ST_CORRUPT : ST_OK;
}
