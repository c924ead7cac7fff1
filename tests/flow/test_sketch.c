/* tests/flow/test_sketch.c: a quantile is the middle of the bucket that holds the value at rank
 * ceil(p * n). The value is found here by sorting; its bucket by the bits of a double. */
#include "flow/window.h"
#include "test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BITS = 6, VALUES_MAX = 3000, CHUNKS_MAX = 4096 };

static RtChunk *chunks[CHUNKS_MAX];
static uint32_t chunk_count;

static void add(RtSketch *s, double x)
{
    uint64_t bits;
    memcpy(&bits, &x, 8);
    s->n++;
    if (x == 0) {
        s->zeros++;
        return;
    }
    uint32_t octave = (uint32_t)(bits >> 52);
    RtChunk *chunk = s->table[octave & 15];
    while (chunk && chunk->octave != octave) chunk = chunk->next;
    if (!chunk) {
        chunk = calloc(1, sizeof *chunk + (sizeof(uint32_t) << BITS));
        CHECK(chunk && chunk_count < CHUNKS_MAX);
        chunks[chunk_count++] = chunk;
        chunk->octave = octave;
        chunk->next = s->table[octave & 15];
        s->table[octave & 15] = chunk;
    }
    chunk->count[bits >> (52 - BITS) & ((1u << BITS) - 1)]++;
}

static double middle(double x)
{
    uint64_t bits;
    if (x == 0) return 0;
    memcpy(&bits, &x, 8);
    bits = (bits >> (52 - BITS) << (52 - BITS)) + (1ull << (51 - BITS));
    memcpy(&x, &bits, 8);
    return x;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static uint64_t seed = 88172645463325252ull;
static uint64_t next(uint64_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (seed >> 11) % n;
}

/* `kind`: 0 positive, 1 negative, 2 both and zeros, 3 zeros mostly, 4 of every magnitude */
static double value(int kind)
{
    double x = (double)(next(100000) + 1) / 100;
    if (kind == 1) return -x;
    if (kind == 2) return next(5) == 0 ? 0 : next(2) ? x : -x;
    if (kind == 3) return next(5) ? 0 : next(2) ? x : -x;
    if (kind == 4) return ldexp(next(2) ? x : -x, (int)next(600) - 300);
    return x;
}

TEST(quantiles_are_at_their_rank)
{
    static const double ps[] = {0, 0.001, 0.01, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999, 1};
    static double list[VALUES_MAX];
    for (int round = 0; round < 200; round++) {
        RtSketch s = {0};
        size_t count = round < 20 ? (size_t)round + 1 : 1 + (size_t)next(VALUES_MAX);
        chunk_count = 0;
        for (size_t i = 0; i < count; i++) add(&s, list[i] = value(round % 5));
        qsort(list, count, sizeof *list, by_value);
        for (size_t i = 0; i < sizeof ps / sizeof *ps; i++) {
            size_t rank = (size_t)ceil(ps[i] * (double)count);
            double want = middle(list[rank ? rank - 1 : 0]);
            CHECK(rt_sketch_quantile(&s, ps[i], BITS) == want);
        }
        while (chunk_count) free(chunks[--chunk_count]);
    }
}
