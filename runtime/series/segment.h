/* runtime/series/segment.h: blocks of many series in one run of bytes, by ascending series.
 *
 * count (u32), then per block its series (u32) and where it ends, counted from the first block
 * (u32), then the blocks. A series may have several blocks, in ascending time. */
#ifndef TUTTI_SERIES_SEGMENT_H
#define TUTTI_SERIES_SEGMENT_H

#include "series/block.h"

enum { SEGMENT_BYTES_MAX = 64 << 20, SEGMENT_HEAD_BYTES = 4, SEGMENT_ENTRY_BYTES = 8 };

/* A segment that is being written. */
typedef struct SegmentOut {
    Buf entries, blocks;
    int64_t t_first_ns, t_last_ns;
    uint32_t count, series_count, points;
    int64_t series; /* of the last block */
} SegmentOut;

void segment_out_init(SegmentOut *out);
void segment_out_done(SegmentOut *out);
/* Any number of points; series must not descend. */
void segment_out_add(SegmentOut *out, int64_t series, const SeriesColumns *points,
                     SeriesScratch *scratch);
/* The whole as bytes in `ret`, whose maximum is SEGMENT_BYTES_MAX. */
MUST Status segment_out_bytes(SegmentOut *out, Buf *ret);

/* A segment that is being read; the bytes are the caller's. */
typedef struct Segment {
    const char *entries, *blocks;
    uint32_t count;
    size_t block_bytes;
} Segment;

MUST Status segment_open(Str bytes, Segment *ret);
int64_t segment_series(const Segment *segment, uint32_t at);
MUST Status segment_block(const Segment *segment, uint32_t at, Str *ret_block);
/* The first entry whose series is not below `series`; count when there is none. */
uint32_t segment_find(const Segment *segment, int64_t series);

#endif
