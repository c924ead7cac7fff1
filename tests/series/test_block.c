/* tests/series/test_block.c: whatever goes into a block comes out, and no bytes harm its reader. */
#include "test.h"

#include "base/mem.h"
#include "series/block.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Bed {
    SeriesScratch scratch;
    int64_t t_in[SERIES_BLOCK_POINTS], t_out[SERIES_BLOCK_POINTS];
    double v_in[SERIES_BLOCK_POINTS], v_out[SERIES_BLOCK_POINTS];
    uint8_t q_in[SERIES_BLOCK_POINTS], q_out[SERIES_BLOCK_POINTS];
    Buf bytes;
} Bed;

static Bed bed;
static uint64_t seed = 2463534242u;

static uint64_t draw(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static void begin(uint32_t count)
{
    seed = 2463534242u;
    buf_done(&bed.bytes);
    buf_init(&bed.bytes, SERIES_BLOCK_BYTES_MAX);
    for (uint32_t i = 0; i < count; i++) {
        bed.t_in[i] = 1795428000000000000 + (int64_t)i * 1000000000;
        bed.v_in[i] = 1;
        bed.q_in[i] = 0;
    }
}

/* The size of the block, after it was read back bit by bit the same. */
static size_t there_and_back(uint32_t count)
{
    SeriesColumns in = {bed.t_in, bed.v_in, bed.q_in, count},
                  out = {bed.t_out, bed.v_out, bed.q_out, 0};
    buf_clear(&bed.bytes);
    series_block_put(&bed.bytes, &in, &bed.scratch);
    CHECK_OK(buf_status(&bed.bytes));
    CHECK_OK(series_block_get(buf_view(&bed.bytes), &out, &bed.scratch));
    CHECK_INT(out.count, count);
    CHECK_INT(memcmp(bed.t_in, bed.t_out, count * sizeof(int64_t)), 0);
    CHECK_INT(memcmp(bed.v_in, bed.v_out, count * sizeof(double)), 0);
    CHECK_INT(memcmp(bed.q_in, bed.q_out, count), 0);
    return bed.bytes.len;
}

TEST(one_point)
{
    begin(1);
    CHECK(there_and_back(1) <= 24);
}

/* A constant once a second: nothing per point is left. */
TEST(a_constant_needs_no_bytes_per_point)
{
    begin(SERIES_BLOCK_POINTS);
    CHECK(there_and_back(SERIES_BLOCK_POINTS) <= 40);
}

/* Steps of -10 .. 10 hundredths: 21^9 is below 2^40, so 9 steps need 5 bytes and 128 of them 72 (14
 * times 5, and 2 for the last 2), with 2 bytes head. */
TEST(a_sensor_with_two_decimals_needs_less_than_five_bits)
{
    long hundredths = 5000;
    begin(SERIES_BLOCK_POINTS);
    for (uint32_t i = 0; i < SERIES_BLOCK_POINTS; i++) {
        hundredths += (long)(draw() % 21) - 10;
        bed.v_in[i] = (double)hundredths / 100;
    }
    CHECK(there_and_back(SERIES_BLOCK_POINTS) <= 64 * (72 + 2) + 40);
}

/* Rises of 0 .. 3: 2 bits, as none is below 0. */
TEST(a_counter_needs_the_bits_of_its_rises)
{
    double count = 1e6;
    begin(SERIES_BLOCK_POINTS);
    for (uint32_t i = 0; i < SERIES_BLOCK_POINTS; i++) bed.v_in[i] = count += (double)(draw() % 4);
    CHECK(there_and_back(SERIES_BLOCK_POINTS) <= 64 * (32 + 2) + 40);
}

/* All greatest numbers a group can have, in groups of all lengths: also those whose digits fill a
 * chunk to the last bit. */
TEST(digits_in_every_radix_come_back)
{
    for (uint32_t radix = 2; radix <= 300; radix++)
        for (uint32_t count = 2; count <= 260; count += 1 + radix % 7) {
            begin(count);
            for (uint32_t i = 0; i < count; i++)
                bed.v_in[i] = i % 3 == 1 ? radix - 1 : (double)(draw() % radix);
            (void)there_and_back(count);
        }
}

/* Noise of 53 bits: the exponents have few kinds, so a value needs 55 bits, not 64. */
TEST(noise_is_not_larger_than_its_bits)
{
    begin(SERIES_BLOCK_POINTS);
    for (uint32_t i = 0; i < SERIES_BLOCK_POINTS; i++)
        bed.v_in[i] = (double)(draw() >> 11) / 9007199254740992.0 * 100.0;
    CHECK(there_and_back(SERIES_BLOCK_POINTS) <= SERIES_BLOCK_POINTS * 71 / 10);
}

/* A set-point that changes once in 600 points: the changes are patched, not paid by all. */
TEST(rare_changes_cost_only_themselves)
{
    begin(SERIES_BLOCK_POINTS);
    for (uint32_t i = 1; i < SERIES_BLOCK_POINTS; i++)
        bed.v_in[i] = draw() % 600 ? bed.v_in[i - 1] : (double)(draw() % 100);
    CHECK(there_and_back(SERIES_BLOCK_POINTS) <= SERIES_BLOCK_POINTS / 32);
}

static double odd_value(uint32_t i, uint32_t kind)
{
    static const double odd[] = {
        NAN,   -0.0, 0.0, INFINITY, -INFINITY, 5e-324, 1.7976931348623157e308, 9007199254740993.0,
        -1e-7, 0.1};
    switch (kind) {
    case 0: return sin(i * 0.001) * 100;
    case 1: return (double)(float)(sin(i * 0.001) * -100);
    case 2: return odd[draw() % COUNT_OF(odd)];
    case 3: return draw() % 50 ? (double)(int64_t)(draw() % 2000) - 1000 : odd[draw() % 10];
    case 4: return i * 1e14;
    case 5: return draw() % 2 ? 0.0 : -0.0;
    case 6: return (double)(draw() % 100000) / 1e5;
    default: {
        uint64_t bits = draw();
        double value;
        memcpy(&value, &bits, sizeof value);
        return value;
    }
    }
}

static int64_t odd_step(uint32_t kind)
{
    switch (kind) {
    case 0: return 1;
    case 1: return 1000000 + (int64_t)(draw() % 5) * 1000;
    case 2: return 1 + (int64_t)(draw() % 1000000000);
    case 3: return draw() % 100 ? 1000000000 : 3600000000000;
    default: return (int64_t)1 << (draw() % 48);
    }
}

TEST(every_shape_of_values_and_times_comes_back)
{
    static const uint32_t counts[] = {1, 2, 3, 127, 128, 129, 1000, SERIES_BLOCK_POINTS};
    for (uint32_t kind = 0; kind < 40; kind++)
        for (size_t n = 0; n < COUNT_OF(counts); n++) {
            begin(counts[n]);
            int64_t t = kind % 3 ? -5000000000 : 1795428000000000000;
            for (uint32_t i = 0; i < counts[n]; i++) {
                bed.t_in[i] = t;
                t += odd_step(kind / 8);
                bed.v_in[i] = odd_value(i, kind % 8);
                bed.q_in[i] = (uint8_t)(kind % 2 ? draw() % 3 : draw() % 100 == 0);
            }
            (void)there_and_back(counts[n]);
        }
}

TEST(the_ends_of_time)
{
    begin(3);
    bed.t_in[0] = INT64_MIN;
    bed.t_in[1] = 0;
    bed.t_in[2] = INT64_MAX;
    (void)there_and_back(3);
}

/* From a copy of exactly the size, so that a sanitizer sees a read behind the end. */
static Status read_copy(const char *bytes, size_t len)
{
    SeriesColumns out = {bed.t_out, bed.v_out, bed.q_out, 0};
    char *copy = mem_alloc(len ? len : 1);
    CHECK(copy);
    memcpy(copy, bytes, len);
    Status st = series_block_get((Str){copy, len}, &out, &bed.scratch);
    mem_free(copy);
    return st;
}

TEST(cut_and_damaged_blocks_harm_nobody)
{
    for (uint32_t kind = 0; kind < 8; kind++) {
        begin(300);
        for (uint32_t i = 0; i < 300; i++) {
            bed.v_in[i] = odd_value(i, kind);
            bed.t_in[i] += (int64_t)(draw() % 1000);
            bed.q_in[i] = (uint8_t)(draw() % 3);
        }
        size_t len = there_and_back(300);
        for (size_t cut = 0; cut < len; cut++) CHECK_INT(read_copy(bed.bytes.ptr, cut), ST_CORRUPT);
        for (int i = 0; i < 3000; i++) {
            size_t at = draw() % len;
            char was = bed.bytes.ptr[at];
            bed.bytes.ptr[at] = (char)draw();
            Status st = read_copy(bed.bytes.ptr, len);
            CHECK(st == ST_OK || st == ST_CORRUPT);
            bed.bytes.ptr[at] = was;
        }
    }
}
