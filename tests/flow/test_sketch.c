/* tests/flow/test_sketch.c: a quantile is the middle of the bucket that holds the value at rank
 * ceil(p * n). The value is found here by sorting; its bucket by the bits of a double. */
#include "flow/hot.h"
#include "flow/pipe.h"
#include "flow/window.h"
#include "test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BITS = 6, VALUES_MAX = 3000 };

static FlowInstance host;
static RtPipe pipe = {.host = &host};
static RtAggMemory memory;

static void begin(uint64_t state_bytes)
{
    host = (FlowInstance){.limits = {.state_bytes = state_bytes}};
    memory = (RtAggMemory){.pipe = &pipe, .pool = {.pipe = &pipe}};
}

static u32 room(RtPipe *of, u32 window, RtSketch *s, u32 bits)
{
    CHECK(of == &pipe && !window);
    return rt_sketch_room(&memory, s, bits);
}

static const RtApi api = {.sketch_room = room};

static bool added(RtSketch *s, double x)
{
    return rt_add_sketch(&pipe, &api, 0, s, x, BITS);
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

/* Through a saved state, while the last values wait in a list. */
static void saved_and_loaded(const RtSketch *from, RtSketch *to)
{
    Buf bytes;
    buf_init(&bytes, 1 << 20);
    rt_sketch_save(from, BITS, &bytes);
    Str rest = buf_view(&bytes);
    CHECK(rt_sketch_load(&memory, to, BITS, &rest) && !rest.len);
    buf_done(&bytes);
}

static const double ps[] = {0, 0.001, 0.01, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999, 1};

/* `list` is sorted. */
static void same(RtSketch *s, const double *list, size_t count)
{
    for (size_t i = 0; i < COUNT_OF(ps); i++) {
        size_t rank = (size_t)ceil(ps[i] * (double)count);
        CHECK(rt_sketch_quantile(s, ps[i], BITS) == middle(list[rank ? rank - 1 : 0]));
    }
}

TEST(quantiles_are_at_their_rank)
{
    static double list[VALUES_MAX];
    for (int round = 0; round < 200; round++) {
        RtSketch s = {0}, copy = {0}, half[2] = {{0}, {0}};
        size_t count = round < 20 ? (size_t)round + 1 : 1 + (size_t)next(VALUES_MAX);
        begin(1 << 30);
        for (size_t i = 0; i < count; i++) {
            CHECK(added(&s, list[i] = value(round % 5)));
            CHECK(added(&half[i % 2], list[i]));
        }
        saved_and_loaded(&s, &copy);
        CHECK(rt_sketch_merge(&memory, &half[0], &half[1], BITS));
        qsort(list, count, sizeof *list, by_value);
        same(&s, list, count);
        same(&copy, list, count);
        same(&half[0], list, count);
        rt_sketch_release(&memory, &s, BITS);
        rt_sketch_release(&memory, &copy, BITS);
        for (int i = 0; i < 2; i++) rt_sketch_release(&memory, &half[i], BITS);
        rt_agg_memory_done(&memory);
    }
}

/* Rows of a window are made early: what was told before is told again with what came since. */
TEST(a_quantile_may_be_asked_at_any_time)
{
    static double list[VALUES_MAX];
    RtSketch s = {0};
    begin(1 << 30);
    for (size_t count = 1; count <= 700; count++) {
        double x = value(4);
        CHECK(added(&s, x));
        size_t at = count - 1;
        for (; at && list[at - 1] > x; at--) list[at] = list[at - 1];
        list[at] = x;
        same(&s, list, count);
    }
    rt_sketch_release(&memory, &s, BITS);
    rt_agg_memory_done(&memory);
}

/* At the limit of state a value is refused, is not counted, and those before are. */
TEST(values_beyond_the_limit_are_refused)
{
    static double list[VALUES_MAX];
    for (uint64_t bytes = 0; bytes < 40000; bytes += bytes < 9000 ? 500 : 4000) {
        RtSketch s = {0}, copy = {0};
        size_t count = 0, refused = 0;
        begin(bytes);
        for (int i = 0; i < 1000; i++) {
            double x = value(4);
            if (added(&s, x))
                list[count++] = x;
            else
                refused++;
        }
        CHECK(rt_sketch_n(&s) == count && (refused > 0 || bytes > 30000));
        CHECK(count >= (bytes < 8500 ? 0 : bytes < 12500 ? 64 : 256));
        CHECK(host.state_bytes <= bytes);
        qsort(list, count, sizeof *list, by_value);
        if (count) same(&s, list, count);
        host.limits.state_bytes = 1 << 30;
        saved_and_loaded(&s, &copy);
        if (count) same(&copy, list, count);
        rt_sketch_release(&memory, &s, BITS);
        rt_sketch_release(&memory, &copy, BITS);
        rt_agg_memory_done(&memory);
    }
}

/* Few values take a list, not a chunk for each power of two. */
TEST(few_values_take_little)
{
    RtSketch s = {0};
    begin(1 << 20);
    for (int i = 0; i < 250; i++) CHECK(added(&s, value(4)));
    CHECK(!s.table && s.used == 250 && host.state_bytes < 16384);
    rt_sketch_release(&memory, &s, BITS);
    CHECK(!s.list && !s.used && !s.cap);
    rt_agg_memory_done(&memory);
}
