/* tests/flow/test_sketch.c: a quantile is the middle of the bucket that holds the value at rank
 * ceil(p * n). The value is found here by sorting; its bucket by the bits of a double. */
#include "flow/hot.h"
#include "flow/window.h"
#include "test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BITS = 6, VALUES_MAX = 3000, CHUNKS_MAX = 16384 };

static RtChunk *chunks[CHUNKS_MAX];
static uint32_t chunk_count;
static RtAggMemory memory;

static RtChunk *chunk_for(RtPipe *pipe, u32 window, RtSketch *s, u32 octave, u32 bits)
{
    (void)pipe, (void)window;
    if (!memory.free_chunks[bits]) { /* so that no limit is asked */
        CHECK(chunk_count < CHUNKS_MAX);
        chunks[chunk_count] = calloc(1, sizeof(RtChunk) + (sizeof(uint32_t) << bits));
        memory.free_chunks[bits] = chunks[chunk_count++];
    }
    return rt_sketch_chunk(&memory, s, octave, bits);
}

static const RtApi api = {.chunk = chunk_for};

static void add(RtSketch *s, double x)
{
    CHECK(rt_add_sketch(NULL, &api, 0, s, x, BITS));
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

/* Through a saved state, while the last value is still pending. */
static void saved_and_loaded(const RtSketch *from, RtSketch *to)
{
    Buf bytes;
    buf_init(&bytes, 1 << 20);
    for (int i = 0; i < 16; i++)
        for (const RtChunk *c = from->table[i]; c; c = c->next)
            (void)chunk_for(NULL, 0, to, c->octave, BITS);
    rt_sketch_save(from, BITS, &bytes);
    Str rest = buf_view(&bytes);
    CHECK(rt_sketch_load(&memory, to, BITS, &rest) && !rest.len);
    buf_done(&bytes);
}

TEST(quantiles_are_at_their_rank)
{
    static const double ps[] = {0, 0.001, 0.01, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999, 1};
    static double list[VALUES_MAX];
    for (int round = 0; round < 200; round++) {
        RtSketch s = {0}, copy = {0}, half[2] = {{0}, {0}};
        size_t count = round < 20 ? (size_t)round + 1 : 1 + (size_t)next(VALUES_MAX);
        for (size_t i = 0; i < count; i++) {
            add(&s, list[i] = value(round % 5));
            add(&half[i % 2], list[i]);
        }
        saved_and_loaded(&s, &copy);
        for (int i = 0; i < 16; i++) /* room for the chunks of both */
            for (const RtChunk *c = half[1].table[i]; c; c = c->next)
                (void)chunk_for(NULL, 0, &half[0], c->octave, BITS);
        CHECK(rt_sketch_merge(&memory, &half[0], &half[1], BITS));
        qsort(list, count, sizeof *list, by_value);
        for (size_t i = 0; i < sizeof ps / sizeof *ps; i++) {
            size_t rank = (size_t)ceil(ps[i] * (double)count);
            double want = middle(list[rank ? rank - 1 : 0]);
            CHECK(rt_sketch_quantile(&s, ps[i], BITS) == want);
            CHECK(rt_sketch_quantile(&copy, ps[i], BITS) == want);
            CHECK(rt_sketch_quantile(&half[0], ps[i], BITS) == want);
        }
        add(&s, 1); /* pending when the chunks are given back */
        rt_sketch_release(&memory, &s, BITS);
        CHECK(!s.pending);
        memory.free_chunks[BITS] = NULL;
        while (chunk_count) free(chunks[--chunk_count]);
    }
}
