/* runtime/series/block.h: points of one series, compressed.
 *
 * A block holds up to SERIES_BLOCK_POINTS points in ascending time, each time once. Times, values
 * and qualities are stored apart, each in the way that needs the fewest bytes for this block:
 * - times: a constant step, or differences, or differences of differences, in units of the largest
 *   of 1 s, 1 ms, 1 us, 1 ns that divides them all;
 * - values: one constant; decimals (the values are whole numbers divided by a power of ten, as
 *   measured values mostly are); neighbouring bit patterns (smooth values); or split into a few
 *   leading patterns and the noise behind them (after ALP: Afroozeh and others, SIGMOD 2023);
 * - qualities: one constant, or a number each.
 * Every bit pattern of a double comes back, NaN and -0 included. */
#ifndef TUTTI_SERIES_BLOCK_H
#define TUTTI_SERIES_BLOCK_H

#include "base/buf.h"

enum {
    SERIES_BLOCK_POINTS = 8192,
    /* the worst a block can need: every part at its widest with every exception */
    SERIES_BLOCK_BYTES_MAX = 64 + SERIES_BLOCK_POINTS * 40,
};

/* Points as columns; the arrays are the caller's. */
typedef struct SeriesColumns {
    int64_t *t_ns; /* since 1970 UTC */
    double *value;
    uint8_t *quality; /* any number; the series store gives it no meaning */
    uint32_t count;
} SeriesColumns;

/* Working memory of encoding and decoding, about 260 KiB; one per thread. */
typedef struct SeriesScratch {
    uint64_t a[SERIES_BLOCK_POINTS], b[SERIES_BLOCK_POINTS];
    uint64_t patches[SERIES_BLOCK_POINTS], places[SERIES_BLOCK_POINTS];
} SeriesScratch;

/* Appends the block of 1 .. SERIES_BLOCK_POINTS points, times strictly ascending. */
void series_block_put(Buf *out, const SeriesColumns *points, SeriesScratch *scratch);

/* Fills `points`, whose arrays have room for SERIES_BLOCK_POINTS. ST_CORRUPT when the bytes are no
 * block; nothing outside them is read whatever they hold. */
MUST Status series_block_get(Str bytes, SeriesColumns *points, SeriesScratch *scratch);

#endif
