/* runtime/flow/sketch.c: quantiles: counts of values in buckets of a fixed relative width.
 *
 * Each power of two is a chunk of 1 << bits counters (abi.h). Chunks come from free lists. Counts
 * may also be taken away again: where windows overlap, the sketch of the next one is that of the
 * last one with some panes more and some less, and not put together anew. Such a whole has a chunk
 * for every octave of its panes from when a record brings it, so it never needs room later. */
#include "flow/agg.h"

#include "base/mem.h"
#include "flow/dict.h"
#include "flow/hot.h"

#include <string.h>

RtChunk *rt_sketch_chunk(RtAggMemory *memory, RtSketch *sketch, u32 octave, u32 bits)
{
    u32 place = RT_OCTAVE_AT(octave);
    RtChunk **at = &sketch->table[place];
    sketch->first[place] = (u16)(octave + 1);
    for (RtChunk **p = at; *p; p = &(*p)->next) {
        if ((*p)->octave != octave) continue;
        RtChunk *found = *p; /* to the front: the next value is likely near */
        *p = found->next;
        found->next = *at;
        return *at = found;
    }
    u64 bytes = sizeof(RtChunk) + (sizeof(u32) << bits);
    RtChunk *chunk = memory->free_chunks[bits];
    if (chunk) {
        memory->free_chunks[bits] = chunk->next;
    } else {
        if (rt_afford(memory->pipe, bytes) || memory->beyond) chunk = mem_alloc(bytes);
        if (!chunk) {
            sketch->first[place] = 0;
            return NULL;
        }
    }
    memset(chunk, 0, bytes);
    chunk->octave = octave;
    chunk->next = *at;
    return *at = chunk;
}

void rt_sketch_release(RtAggMemory *memory, RtSketch *sketch, u32 bits)
{
    rt_settle_sketch(sketch);
    for (u32 i = 0; i < 16; i++) {
        sketch->first[i] = 0;
        while (sketch->table[i]) {
            RtChunk *chunk = sketch->table[i];
            sketch->table[i] = chunk->next;
            chunk->next = memory->free_chunks[bits];
            memory->free_chunks[bits] = chunk;
        }
    }
}

int rt_sketch_merge(RtAggMemory *memory, RtSketch *into, RtSketch *from, u32 bits)
{
    rt_settle_sketch(from);
    for (u32 i = 0; i < 16; i++) {
        for (const RtChunk *c = from->table[i]; c; c = c->next) {
            RtChunk *to = rt_sketch_chunk(memory, into, c->octave, bits);
            if (!to) return 0;
            for (u32 n = 0; n < 1u << bits; n++) to->count[n] += c->count[n];
        }
    }
    into->n += from->n;
    into->zeros += from->zeros;
    return 1;
}

/* ---- panes ---- */

static RtChunk *chunk_of(const RtSketch *sketch, u32 octave)
{
    RtChunk *c = sketch->table[RT_OCTAVE_AT(octave)];
    while (c && c->octave != octave) c = c->next;
    return c;
}

/* One pane less has that octave. */
static void unuse(RtAggMemory *memory, RtSketch *whole, u32 octave, u32 bits)
{
    RtChunk **p = &whole->table[RT_OCTAVE_AT(octave)];
    while (*p && (*p)->octave != octave) p = &(*p)->next;
    RtChunk *chunk = *p;
    if (!chunk || --chunk->used) return;
    whole->first[RT_OCTAVE_AT(octave)] = 0;
    *p = chunk->next;
    chunk->next = memory->free_chunks[bits];
    memory->free_chunks[bits] = chunk;
}

int rt_sketch_share(RtAggMemory *memory, RtSketch *pane, RtSketch *whole, int counted, RtValue v,
                    u32 bits)
{
    u32 octave = (u32)(v.u >> 52), index = (u32)(v.u >> (52 - bits)) & ((1u << bits) - 1);
    RtChunk *chunk = v.d == 0 ? NULL : chunk_of(pane, octave);
    if (v.d != 0 && !chunk) {
        RtChunk *same = rt_sketch_chunk(memory, whole, octave, bits);
        if (!same) return 0;
        same->used++;
        chunk = rt_sketch_chunk(memory, pane, octave, bits);
        if (!chunk) {
            unuse(memory, whole, octave, bits);
            return 0;
        }
    }
    pane->n++;
    whole->n += counted != 0;
    if (chunk) {
        chunk->count[index]++;
        if (counted) chunk_of(whole, octave)->count[index]++;
    } else {
        pane->zeros++;
        whole->zeros += counted != 0;
    }
    return 1;
}

/* Four at a time: bits is 2 at least where this matters, and counters lie on 16 bytes. */
static void add_counts(u32 *to, const u32 *from, u32 count, u32 sign)
{
    typedef u32 V4 __attribute__((vector_size(16), may_alias, aligned(4)));
    u32 i = 0;
    for (; i + 4 <= count; i += 4)
        *(V4 *)(void *)(to + i) += *(const V4 *)(const void *)(from + i) * sign;
    for (; i < count; i++) to[i] += from[i] * sign;
}

void rt_sketch_count(RtSketch *whole, const RtSketch *pane, int in, u32 bits)
{
    u64 sign = in ? 1 : ~0ull;
    for (u32 i = 0; i < 16; i++)
        for (const RtChunk *c = pane->table[i]; c; c = c->next)
            add_counts(chunk_of(whole, c->octave)->count, c->count, 1u << bits, (u32)sign);
    whole->n += pane->n * sign;
    whole->zeros += pane->zeros * sign;
}

void rt_sketch_leave(RtAggMemory *memory, RtSketch *whole, const RtSketch *pane, u32 bits)
{
    for (u32 i = 0; i < 16; i++)
        for (const RtChunk *c = pane->table[i]; c; c = c->next)
            unuse(memory, whole, c->octave, bits);
}

int rt_sketch_enter(RtAggMemory *memory, RtSketch *whole, const RtSketch *pane, u32 bits)
{
    for (u32 i = 0; i < 16; i++) {
        for (const RtChunk *c = pane->table[i]; c; c = c->next) {
            RtChunk *same = rt_sketch_chunk(memory, whole, c->octave, bits);
            if (!same) return 0;
            same->used++;
        }
    }
    return 1;
}

/* ---- the value ---- */

/* Middle of a bucket; below zero the octave holds the sign, so bits order by magnitude. */
static f64 bucket_middle(u32 octave, u32 index, u32 bits)
{
    u64 low = (u64)octave << 52 | (u64)index << (52 - bits), half = 1ull << (51 - bits);
    f64 value;
    low += half;
    memcpy(&value, &low, sizeof value);
    return value;
}

/* Chunks from the most negative to the greatest: octaves with the sign bit descend first. */
static u32 octave_rank(u32 octave)
{
    return octave & 0x800 ? 0xfff - octave : octave + 0x800;
}

/* The next chunk in the direction of the walk whose rank is not yet done; NULL: none is left. */
static const RtChunk *next_chunk(const RtSketch *sketch, int down, u32 done)
{
    const RtChunk *best = NULL;
    for (u32 i = 0; i < 16; i++) {
        for (const RtChunk *c = sketch->table[i]; c; c = c->next) {
            u32 rank = octave_rank(c->octave);
            if (down ? rank >= done : rank < done) continue;
            if (!best || (rank < octave_rank(best->octave)) != down) best = c;
        }
    }
    return best;
}

/* Walks the buckets from the end that is nearer to the value; zeros lie between the negative and
 * the positive ones. */
f64 rt_sketch_quantile(RtSketch *sketch, f64 p, u32 bits)
{
    rt_settle_sketch(sketch);
    f64 exact = p * (f64)sketch->n;
    u64 need = (u64)exact;
    if ((f64)need < exact) need++;
    if (need < 1) need = 1;
    int down = need > sketch->n / 2;
    if (down) need = need > sketch->n ? 1 : sketch->n - need + 1;
    u32 done = down ? 0x1000 : 0, count = 1u << bits; /* ranks on this side are counted */
    u64 seen = 0;
    int zeros_counted = 0;
    for (;;) {
        const RtChunk *chunk = next_chunk(sketch, down, done);
        int same_way = chunk && (int)(chunk->octave >> 11 & 1) == down;
        if (!zeros_counted && (!chunk || same_way)) { /* beyond zero, seen from where it began */
            zeros_counted = 1;
            seen += sketch->zeros;
            if (seen >= need) return 0;
        }
        if (!chunk) return 0;
        u64 sum = 0;
        for (u32 i = 0; i < count; i++) sum += chunk->count[i];
        u32 rank = octave_rank(chunk->octave);
        done = down ? rank : rank + 1;
        if (seen + sum < need) { /* not in this one */
            seen += sum;
            continue;
        }
        for (u32 i = 0; i < count; i++) {
            u32 index = same_way ? i : count - 1 - i; /* they order by magnitude */
            seen += chunk->count[index];
            if (seen >= need) return bucket_middle(chunk->octave, index, bits);
        }
    }
}

/* n, zeros, u32 chunks, each u32 octave and its counts. What is pending is part of what the sketch
 * says already. */
void rt_sketch_save(const RtSketch *sketch, u32 bits, Buf *out)
{
    u32 chunks = 0;
    rt_settle_sketch((RtSketch *)(uintptr_t)sketch);
    for (u32 i = 0; i < 16; i++)
        for (const RtChunk *c = sketch->table[i]; c; c = c->next) chunks++;
    buf_add(out, &sketch->n, 8);
    buf_add(out, &sketch->zeros, 8);
    buf_add(out, &chunks, 4);
    for (u32 i = 0; i < 16; i++) {
        for (const RtChunk *c = sketch->table[i]; c; c = c->next) {
            buf_add(out, &c->octave, 4);
            buf_add(out, c->count, sizeof(u32) << bits);
        }
    }
}

int rt_sketch_load(RtAggMemory *memory, RtSketch *sketch, u32 bits, Str *from)
{
    u32 chunks, octave;
    if (!rt_take(from, &sketch->n, 8) || !rt_take(from, &sketch->zeros, 8) ||
        !rt_take(from, &chunks, 4))
        return 0;
    while (chunks--) {
        if (!rt_take(from, &octave, 4) || octave > 0xfff) return 0;
        RtChunk *chunk = rt_sketch_chunk(memory, sketch, octave, bits);
        if (!chunk || !rt_take(from, chunk->count, sizeof(u32) << bits)) return 0;
    }
    return 1;
}
