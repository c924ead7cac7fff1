/* tests/fuzz/fuzz_series.c: a block of the history from hostile bytes, alone and inside a segment.
 *
 * What is accepted must be points in ascending time, and must survive being written and read again
 * bit by bit. */
#include "series/segment.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct Points {
    int64_t t_ns[SERIES_BLOCK_POINTS];
    double value[SERIES_BLOCK_POINTS];
    uint8_t quality[SERIES_BLOCK_POINTS];
} Points;

static Points first, again;
static SeriesScratch scratch;

static SeriesColumns columns(Points *points)
{
    return (SeriesColumns){points->t_ns, points->value, points->quality, 0};
}

static void read_block(Str bytes)
{
    SeriesColumns in = columns(&first), out = columns(&again);
    if (series_block_get(bytes, &in, &scratch)) return;
    for (uint32_t i = 1; i < in.count; i++)
        if (in.t_ns[i] <= in.t_ns[i - 1]) abort();
    AUTO_BUF Buf written;
    buf_init(&written, SERIES_BLOCK_BYTES_MAX);
    series_block_put(&written, &in, &scratch);
    if (buf_status(&written) || series_block_get(buf_view(&written), &out, &scratch)) abort();
    if (out.count != in.count || memcmp(first.t_ns, again.t_ns, in.count * sizeof(int64_t)) != 0 ||
        memcmp(first.value, again.value, in.count * sizeof(double)) != 0 ||
        memcmp(first.quality, again.quality, in.count) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Str bytes = {(const char *)data, size};
    Segment segment;
    read_block(bytes);
    if (segment_open(bytes, &segment)) return 0;
    for (uint32_t i = segment_find(&segment, 1); i < segment.count; i++) {
        Str block;
        if (segment_block(&segment, i, &block)) break;
        read_block(block);
    }
    return 0;
}
