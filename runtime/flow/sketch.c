/* runtime/flow/sketch.c: quantiles: counts of values in buckets of a fixed relative width.
 *
 * Each power of two is a chunk of 1 << bits counters (abi.h), from free lists. The chunks of many
 * sketches are far more memory than the processor has near, and a value would touch one of their
 * lines that is used once in a thousand records; so values wait in a list (generated code appends
 * to it) and are counted many at once. While they are few they stay there, and no chunk is taken.
 *
 * Counts may also be taken away again: where windows overlap, the sketch of the next one is that of
 * the last one with some panes more and some less, and not put together anew. Such a whole has a
 * chunk for every octave of its panes from when a record brings it, so it never needs room later;
 * neither it nor its panes have a list. */
#include "flow/agg.h"

#include "base/mem.h"
#include "flow/dict.h"
#include "flow/hot.h"

#include <string.h>

enum {
    TABLE_BYTES = 16 * sizeof(RtChunk *),
    LIST_FIRST = 16, /* how long a list is; four times as long each time it is full */
    LIST_BESIDE = 64 /* at most, when there are chunks */
};

/* ---- counts ---- */

static RtChunk *chunk_of(const RtSketch *sketch, u32 octave)
{
    RtChunk *c = sketch->table ? sketch->table[RT_OCTAVE_AT(octave)] : NULL;
    while (c && c->octave != octave) c = c->next;
    return c;
}

static int has_table(RtAggMemory *memory, RtSketch *sketch)
{
    if (sketch->table) return 1;
    sketch->table = rt_pool_get(&memory->pool, TABLE_BYTES);
    if (sketch->table) memset((void *)sketch->table, 0, TABLE_BYTES);
    return sketch->table != NULL;
}

RtChunk *rt_sketch_chunk(RtAggMemory *memory, RtSketch *sketch, u32 octave, u32 bits)
{
    if (!has_table(memory, sketch)) return NULL;
    RtChunk **at = &sketch->table[RT_OCTAVE_AT(octave)];
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
        if (!chunk) return NULL;
    }
    memset(chunk, 0, bytes);
    chunk->octave = octave;
    chunk->next = *at;
    return *at = chunk;
}

/* Those of the list that have a chunk, or for which there is room for one, are counted. */
static void count_list(RtAggMemory *memory, RtSketch *sketch, u32 bits)
{
    u32 kept = 0, mask = (1u << bits) - 1;
    for (u32 i = 0; i < sketch->used; i++) {
        u32 bucket = sketch->list[i], octave = bucket >> bits;
        RtChunk *c = sketch->table ? sketch->table[RT_OCTAVE_AT(octave)] : NULL;
        if (!c || c->octave != octave)
            c = memory ? rt_sketch_chunk(memory, sketch, octave, bits) : chunk_of(sketch, octave);
        if (c)
            c->count[bucket & mask]++;
        else
            sketch->list[kept++] = bucket;
    }
    sketch->n += sketch->used - kept;
    sketch->used = kept;
}

static int list_resize(RtAggMemory *memory, RtSketch *sketch, u32 cap)
{
    u32 *list = rt_pool_get(&memory->pool, cap * sizeof *list);
    if (!list) return 0;
    if (sketch->used) memcpy(list, sketch->list, sketch->used * sizeof *list);
    rt_pool_put(&memory->pool, sketch->list, sketch->cap * sizeof *list);
    sketch->list = list;
    sketch->cap = cap;
    return 1;
}

u32 rt_sketch_room(RtAggMemory *memory, RtSketch *sketch, u32 bits)
{
    u32 cap = sketch->cap ? sketch->cap * 4 : LIST_FIRST;
    if (cap <= (sketch->table ? LIST_BESIDE : RT_SKETCH_LIST_MAX) &&
        list_resize(memory, sketch, cap))
        return 1;
    count_list(memory, sketch, bits);
    if (sketch->cap > LIST_BESIDE && sketch->used < LIST_BESIDE)
        (void)list_resize(memory, sketch, LIST_BESIDE);
    return sketch->used < sketch->cap;
}

static u32 add_bucket(RtAggMemory *memory, RtSketch *sketch, u32 bucket, u32 bits)
{
    if (sketch->used == sketch->cap && !rt_sketch_room(memory, sketch, bits)) return 0;
    sketch->list[sketch->used++] = bucket;
    return 1;
}

u32 rt_sketch_add(RtAggMemory *memory, RtSketch *sketch, RtValue v, u32 bits)
{
    if (v.d != 0) return add_bucket(memory, sketch, (u32)(v.u >> (52 - bits)), bits);
    sketch->n++;
    sketch->zeros++;
    return 1;
}

void rt_sketch_release(RtAggMemory *memory, RtSketch *sketch, u32 bits)
{
    for (u32 i = 0; sketch->table && i < 16; i++) {
        while (sketch->table[i]) {
            RtChunk *chunk = sketch->table[i];
            sketch->table[i] = chunk->next;
            chunk->next = memory->free_chunks[bits];
            memory->free_chunks[bits] = chunk;
        }
    }
    rt_pool_put(&memory->pool, (void *)sketch->table, TABLE_BYTES);
    rt_pool_put(&memory->pool, sketch->list, sketch->cap * sizeof *sketch->list);
    sketch->table = NULL;
    sketch->list = NULL;
    sketch->used = sketch->cap = 0;
}

int rt_sketch_merge(RtAggMemory *memory, RtSketch *into, RtSketch *from, u32 bits)
{
    for (u32 i = 0; from->table && i < 16; i++) {
        for (const RtChunk *c = from->table[i]; c; c = c->next) {
            RtChunk *to = rt_sketch_chunk(memory, into, c->octave, bits);
            if (!to) return 0;
            for (u32 n = 0; n < 1u << bits; n++) to->count[n] += c->count[n];
        }
    }
    for (u32 i = 0; i < from->used; i++)
        if (!add_bucket(memory, into, from->list[i], bits)) return 0;
    into->n += from->n;
    into->zeros += from->zeros;
    return 1;
}

/* ---- panes ---- */

/* One pane less has that octave. */
static void unuse(RtAggMemory *memory, RtSketch *whole, u32 octave, u32 bits)
{
    RtChunk **p = &whole->table[RT_OCTAVE_AT(octave)];
    while (*p && (*p)->octave != octave) p = &(*p)->next;
    RtChunk *chunk = *p;
    if (!chunk || --chunk->used) return;
    *p = chunk->next;
    chunk->next = memory->free_chunks[bits];
    memory->free_chunks[bits] = chunk;
}

int rt_sketch_share_room(RtAggMemory *memory, RtSketch *pane, RtSketch *whole, RtValue v, u32 bits)
{
    u32 octave = (u32)(v.u >> 52);
    if (v.d == 0 || chunk_of(pane, octave)) return 1;
    RtChunk *same = rt_sketch_chunk(memory, whole, octave, bits);
    if (!same) return 0;
    same->used++;
    if (rt_sketch_chunk(memory, pane, octave, bits)) return 1;
    unuse(memory, whole, octave, bits);
    return 0;
}

void rt_sketch_share(RtSketch *pane, RtSketch *whole, int counted, RtValue v, u32 bits)
{
    u32 octave = (u32)(v.u >> 52), index = (u32)(v.u >> (52 - bits)) & ((1u << bits) - 1);
    RtChunk *chunk = v.d == 0 ? NULL : chunk_of(pane, octave);
    pane->n++;
    whole->n += counted != 0;
    if (chunk) {
        chunk->count[index]++;
        if (counted) chunk_of(whole, octave)->count[index]++;
    } else {
        pane->zeros++;
        whole->zeros += counted != 0;
    }
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
    for (u32 i = 0; pane->table && i < 16; i++)
        for (const RtChunk *c = pane->table[i]; c; c = c->next)
            add_counts(chunk_of(whole, c->octave)->count, c->count, 1u << bits, (u32)sign);
    whole->n += pane->n * sign;
    whole->zeros += pane->zeros * sign;
}

void rt_sketch_leave(RtAggMemory *memory, RtSketch *whole, const RtSketch *pane, u32 bits)
{
    for (u32 i = 0; pane->table && i < 16; i++)
        for (const RtChunk *c = pane->table[i]; c; c = c->next)
            unuse(memory, whole, c->octave, bits);
}

int rt_sketch_enter(RtAggMemory *memory, RtSketch *whole, const RtSketch *pane, u32 bits)
{
    for (u32 i = 0; pane->table && i < 16; i++) {
        for (const RtChunk *c = pane->table[i]; c; c = c->next) {
            RtChunk *same = rt_sketch_chunk(memory, whole, c->octave, bits);
            if (!same) return 0;
            same->used++;
        }
    }
    return 1;
}

/* ---- the value ---- */

/* Buckets in the order of their values are `ranks`: the sign turned round, and below zero, where
 * the bits order by magnitude, all others too. */
static u32 rank_of(u32 bucket, u32 bits)
{
    u32 sign = 1u << (11 + bits);
    return bucket & sign ? 2 * sign - 1 - bucket : bucket + sign;
}

static f64 middle_of(u32 rank, u32 bits)
{
    u32 sign = 1u << (11 + bits), bucket = rank & sign ? rank - sign : 2 * sign - 1 - rank;
    u64 word = (u64)bucket << (52 - bits) | 1ull << (51 - bits);
    f64 value;
    memcpy(&value, &word, sizeof value);
    return value;
}

/* The least rank that `need` of the values are not above: by halving, each time all are compared,
 * some at once and without a branch. */
static u32 nth_rank(const i32 *ranks, u32 count, u32 need)
{
    i32 low = ranks[0], high = ranks[0];
    for (u32 i = 1; i < count; i++) {
        low = ranks[i] < low ? ranks[i] : low;
        high = ranks[i] > high ? ranks[i] : high;
    }
    while (low < high) {
        i32 middle = low + (high - low) / 2;
        u32 within = 0;
        for (u32 i = 0; i < count; i++) within += ranks[i] <= middle;
        if (within >= need)
            high = middle;
        else
            low = middle + 1;
    }
    return (u32)low;
}

/* All values are in the list, but for zeros. */
static f64 of_list(const RtSketch *sketch, u64 need, u32 bits)
{
    i32 ranks[RT_SKETCH_LIST_MAX];
    u32 negative = 0, sign = 1u << (11 + bits);
    for (u32 i = 0; i < sketch->used; i++) {
        ranks[i] = (i32)rank_of(sketch->list[i], bits);
        negative += (sketch->list[i] & sign) != 0;
    }
    if (need > negative) {
        if (need <= negative + sketch->zeros) return 0;
        need -= sketch->zeros;
    }
    return need > sketch->used ? 0 : middle_of(nth_rank(ranks, sketch->used, (u32)need), bits);
}

/* The next octave in the direction of the walk, as the rank of its first bucket in units of a
 * chunk; those on this side of `done` are counted. 0: none is left. */
static int next_octave(const RtSketch *sketch, int down, u32 done, u32 bits, u32 *ret)
{
    int found = 0;
    for (u32 i = 0; i < 16; i++) {
        for (const RtChunk *c = sketch->table[i]; c; c = c->next) {
            u32 rank = rank_of(c->octave, 0);
            if (down ? rank >= done : rank < done) continue;
            if (!found || (rank < *ret) != down) *ret = rank;
            found = 1;
        }
    }
    for (u32 i = 0; i < sketch->used; i++) {
        u32 rank = rank_of(sketch->list[i], bits) >> bits;
        if (down ? rank >= done : rank < done) continue;
        if (!found || (rank < *ret) != down) *ret = rank;
        found = 1;
    }
    return found;
}

/* How many values of a rank there are; `chunk` is that of its octave, or NULL. */
static u64 count_of(const RtSketch *sketch, const RtChunk *chunk, u32 rank, u32 bits)
{
    u32 mask = (1u << bits) - 1;
    u64 count = 0;
    if (chunk) count += chunk->count[chunk->octave & 0x800 ? mask - (rank & mask) : rank & mask];
    for (u32 i = 0; i < sketch->used; i++) count += rank_of(sketch->list[i], bits) == rank;
    return count;
}

/* Of an octave. */
static u64 sum_of(const RtSketch *sketch, const RtChunk *chunk, u32 octave, u32 bits)
{
    u64 sum = 0;
    for (u32 i = 0; chunk && i < 1u << bits; i++) sum += chunk->count[i];
    for (u32 i = 0; i < sketch->used; i++) sum += sketch->list[i] >> bits == octave;
    return sum;
}

/* Walks the octaves from the end that is nearer to the value; zeros lie between the negative and
 * the positive ones. What has no chunk is left in the list: there is little of it. */
f64 rt_sketch_quantile(RtSketch *sketch, f64 p, u32 bits)
{
    u64 n = rt_sketch_n(sketch), seen = 0;
    f64 exact = p * (f64)n;
    u64 need = (u64)exact;
    if ((f64)need < exact) need++;
    if (need < 1) need = 1;
    if (!sketch->table) return of_list(sketch, need, bits);
    count_list(NULL, sketch, bits);
    int down = need > n / 2, zeros_counted = 0;
    if (down) need = need > n ? 1 : n - need + 1;
    u32 done = down ? 0x1000 : 0, rank = 0; /* ranks on this side are counted */
    for (;;) {
        int found = next_octave(sketch, down, done, bits, &rank);
        int same_way = found && (int)(rank < 0x800) == down;
        if (!zeros_counted && (!found || same_way)) { /* beyond zero, seen from where it began */
            zeros_counted = 1;
            seen += sketch->zeros;
            if (seen >= need) return 0;
        }
        if (!found) return 0;
        u32 octave = rank & 0x800 ? rank - 0x800 : 0xfff - rank;
        const RtChunk *chunk = chunk_of(sketch, octave);
        u64 sum = sum_of(sketch, chunk, octave, bits);
        done = down ? rank : rank + 1;
        if (seen + sum < need) { /* not in this one */
            seen += sum;
            continue;
        }
        u32 at = down ? ((rank + 1) << bits) - 1 : rank << bits;
        while ((seen += count_of(sketch, chunk, at, bits)) < need) at += down ? -1u : 1u;
        return middle_of(at, bits);
    }
}

/* ---- saved state ---- */

/* An octave and its counts, those of the list among them. */
static void save_octave(const RtSketch *sketch, u32 octave, u32 bits, Buf *out)
{
    const RtChunk *chunk = chunk_of(sketch, octave);
    u64 bytes = sizeof(u32) << bits;
    buf_add(out, &octave, 4);
    char *counts = buf_reserve(out, bytes);
    if (!counts) return;
    if (chunk)
        memcpy(counts, chunk->count, bytes);
    else
        memset(counts, 0, bytes);
    for (u32 i = 0; i < sketch->used; i++) {
        if (sketch->list[i] >> bits != octave) continue;
        char *at = counts + 4 * (sketch->list[i] & ((1u << bits) - 1));
        u32 count;
        memcpy(&count, at, 4);
        count++;
        memcpy(at, &count, 4);
    }
    out->len += bytes;
}

/* Of an octave without a chunk: it is the first one of it in the list. */
static int is_first(const RtSketch *sketch, u32 at, u32 bits)
{
    u32 octave = sketch->list[at] >> bits;
    if (chunk_of(sketch, octave)) return 0;
    for (u32 i = 0; i < at; i++)
        if (sketch->list[i] >> bits == octave) return 0;
    return 1;
}

/* n, zeros, u32 octaves, each u32 octave and its counts. */
void rt_sketch_save(const RtSketch *sketch, u32 bits, Buf *out)
{
    u64 n = rt_sketch_n(sketch);
    u32 octaves = 0;
    for (u32 i = 0; sketch->table && i < 16; i++)
        for (const RtChunk *c = sketch->table[i]; c; c = c->next) octaves++;
    for (u32 i = 0; i < sketch->used; i++) octaves += (u32)is_first(sketch, i, bits);
    buf_add(out, &n, 8);
    buf_add(out, &sketch->zeros, 8);
    buf_add(out, &octaves, 4);
    for (u32 i = 0; sketch->table && i < 16; i++)
        for (const RtChunk *c = sketch->table[i]; c; c = c->next)
            save_octave(sketch, c->octave, bits, out);
    for (u32 i = 0; i < sketch->used; i++)
        if (is_first(sketch, i, bits)) save_octave(sketch, sketch->list[i] >> bits, bits, out);
}

int rt_sketch_load(RtAggMemory *memory, RtSketch *sketch, u32 bits, Str *from)
{
    u32 octaves, octave;
    if (!rt_take(from, &sketch->n, 8) || !rt_take(from, &sketch->zeros, 8) ||
        !rt_take(from, &octaves, 4))
        return 0;
    while (octaves--) {
        if (!rt_take(from, &octave, 4) || octave > 0xfff) return 0;
        RtChunk *chunk = rt_sketch_chunk(memory, sketch, octave, bits);
        if (!chunk || !rt_take(from, chunk->count, sizeof(u32) << bits)) return 0;
    }
    return 1;
}
