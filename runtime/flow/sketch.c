/* runtime/flow/sketch.c: quantiles: counts of values in buckets of a fixed relative width.
 *
 * Each power of two is a chunk of 1 << bits counters (abi.h). Chunks come from free lists. */
#include "flow/agg.h"

#include "base/mem.h"
#include "flow/dict.h"

#include <string.h>

RtChunk *rt_sketch_chunk(RtAggMemory *memory, RtSketch *sketch, u32 octave, u32 bits)
{
    RtChunk **at = &sketch->table[octave & 15];
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
        if (!rt_afford(memory->pipe, bytes)) return NULL;
        chunk = mem_alloc(bytes);
        if (!chunk) return NULL;
    }
    memset(chunk, 0, bytes);
    chunk->octave = octave;
    chunk->next = *at;
    return *at = chunk;
}

void rt_sketch_release(RtAggMemory *memory, RtSketch *sketch, u32 bits)
{
    for (u32 i = 0; i < 16; i++) {
        while (sketch->table[i]) {
            RtChunk *chunk = sketch->table[i];
            sketch->table[i] = chunk->next;
            chunk->next = memory->free_chunks[bits];
            memory->free_chunks[bits] = chunk;
        }
    }
}

int rt_sketch_merge(RtAggMemory *memory, RtSketch *into, const RtSketch *from, u32 bits)
{
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
f64 rt_sketch_quantile(const RtSketch *sketch, f64 p, u32 bits)
{
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

/* n, zeros, u32 chunks, each u32 octave and its counts. */
void rt_sketch_save(const RtSketch *sketch, u32 bits, Buf *out)
{
    u32 chunks = 0;
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
