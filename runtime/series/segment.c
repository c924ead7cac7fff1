/* runtime/series/segment.c: writing and reading segments; what is read is checked, never trusted.
 */
#include "series/segment.h"

#include <string.h>

void segment_out_init(SegmentOut *out)
{
    *out = (SegmentOut){.t_first_ns = INT64_MAX, .t_last_ns = INT64_MIN};
    buf_init(&out->entries, SEGMENT_BYTES_MAX);
    buf_init(&out->blocks, SEGMENT_BYTES_MAX);
}

void segment_out_done(SegmentOut *out)
{
    buf_done(&out->entries);
    buf_done(&out->blocks);
}

static void add_u32(Buf *out, uint64_t value)
{
    uint32_t small = (uint32_t)value;
    buf_add(out, &small, sizeof small);
}

void segment_out_add(SegmentOut *out, int64_t series, const SeriesColumns *points,
                     SeriesScratch *scratch)
{
    for (uint32_t at = 0; at < points->count;) {
        uint32_t left = points->count - at;
        SeriesColumns part = {points->t_ns + at, points->value + at, points->quality + at,
                              left < SERIES_BLOCK_POINTS ? left : SERIES_BLOCK_POINTS};
        series_block_put(&out->blocks, &part, scratch);
        add_u32(&out->entries, (uint64_t)series);
        add_u32(&out->entries, out->blocks.len);
        out->count++;
        at += part.count;
    }
    if (!points->count) return;
    if (series != out->series) out->series_count++;
    out->series = series;
    out->points += points->count;
    if (points->t_ns[0] < out->t_first_ns) out->t_first_ns = points->t_ns[0];
    if (points->t_ns[points->count - 1] > out->t_last_ns)
        out->t_last_ns = points->t_ns[points->count - 1];
}

Status segment_out_bytes(SegmentOut *out, Buf *ret)
{
    add_u32(ret, out->count);
    buf_str(ret, buf_view(&out->entries));
    buf_str(ret, buf_view(&out->blocks));
    Status st = buf_status(&out->entries);
    if (!st) st = buf_status(&out->blocks);
    return st ? st : buf_status(ret);
}

static uint32_t get_u32(const char *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

Status segment_open(Str bytes, Segment *ret)
{
    if (bytes.len < SEGMENT_HEAD_BYTES) return ST_CORRUPT;
    uint32_t count = get_u32(bytes.ptr);
    size_t head = SEGMENT_HEAD_BYTES + (size_t)count * SEGMENT_ENTRY_BYTES;
    if (head > bytes.len) return ST_CORRUPT;
    *ret = (Segment){bytes.ptr + SEGMENT_HEAD_BYTES, bytes.ptr + head, count, bytes.len - head};
    return ST_OK;
}

int64_t segment_series(const Segment *segment, uint32_t at)
{
    return get_u32(segment->entries + (size_t)at * SEGMENT_ENTRY_BYTES);
}

Status segment_block(const Segment *segment, uint32_t at, Str *ret_block)
{
    const char *entry = segment->entries + (size_t)at * SEGMENT_ENTRY_BYTES;
    size_t from = at ? get_u32(entry - sizeof(uint32_t)) : 0,
           to = get_u32(entry + sizeof(uint32_t));
    if (from > to || to > segment->block_bytes) return ST_CORRUPT;
    *ret_block = (Str){segment->blocks + from, to - from};
    return ST_OK;
}

uint32_t segment_find(const Segment *segment, int64_t series)
{
    uint32_t low = 0, high = segment->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (segment_series(segment, middle) < series)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}
