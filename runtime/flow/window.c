/* runtime/flow/window.c: the keyed window.
 *
 *   dictionary: hash table of key ids -> Key (bytes, the slots it has open)
 *   panes:      open windows, ascending by number; each a list of slots
 *   slots:      fixed size, from blocks that double; freed ones wait in a list
 *
 * A record of a key it saw before finds its slot through the key's two-entry cache, indexed by the
 * lowest bit of the window's number, because data that is a little out of order swings between two
 * neighbouring windows. Rows of a pane are sorted when it closes; keys compare by their bytes.
 * Invariant: a key with live == 0 owns no slot and may be forgotten when the dictionary is full. */
#include "flow/window.h"

#include "base/hash.h"
#include "base/mem.h"
#include "flow/hot.h"
#include "flow/pipe.h"

#include <string.h>

typedef struct Slot {
    struct Slot *next_of_pane, *next_of_key; /* next_of_pane also links the free list */
    i64 number;                              /* window number; count windows: 0 */
    u32 key, seen; /* seen: place in the table of seen slots plus 1, or 0 */
    RtSlotHead head;
    u32 aggregates[]; /* behind the head, 8-byte aligned; slots lie 16-byte aligned */
} __attribute__((aligned(16))) Slot;
_Static_assert(offsetof(Slot, aggregates) == offsetof(Slot, head) + sizeof(RtSlotHead),
               "generated code finds the head in front of the aggregates");

typedef struct Key {
    u64 hash;
    char *bytes; /* owned */
    u32 len, live;
    Slot *slots;
    i64 number[2];
    Slot *slot[2];
} Key;

typedef struct Pane {
    i64 number;
    Slot *slots;
    u32 count;
} Pane;

enum { BLOCKS_MAX = 40, SEEN_BITS_MIN = 9, SEEN_BITS_MAX = 14 };

struct RtWindow {
    RtPipe *pipe;
    const RtWindowInfo *info;
    u32 index;
    u64 seed;
    Key *keys;
    u32 *table; /* id + 1 */
    u64 table_cap, key_count, key_cap, keys_max;
    Pane *panes;
    u32 pane_count, pane_cap;
    void *block[BLOCKS_MAX]; /* of slots; block i holds 16 << i */
    u32 block_count;
    u64 stride;
    Slot *free_slots;
    RtChunk *free_chunks[16]; /* by bits */
    Slot **sorted, **sort_space;
    u64 sort_cap;
    char *key_space; /* several keys, encoded */
    u64 key_space_bytes;
    RtValue *row;
    u8 *row_has;
    RtSeenTable *seen; /* pipe->seen[index] */
};

static int afford(RtWindow *w, u64 bytes)
{
    FlowInstance *host = rt_host(w->pipe);
    if (host->state_bytes + bytes > host->limits.state_bytes) return 0;
    host->state_bytes += bytes;
    return 1;
}

/* Grows *list to hold `count` items, counted as state. */
static int grow(RtWindow *w, void **list, u64 item, u64 old, u64 count)
{
    if (!afford(w, (count - old) * item)) return 0;
    void *more = mem_realloc(*list, count * item);
    if (!more) return 0;
    *list = more;
    return 1;
}

static int is_text(u8 type)
{
    return type == RT_STR || type == RT_BYTES || type == RT_JSON;
}

/* Makes the table of the inlined look-up, or a larger one; what was in it is found again. It knows
 * tumbling windows and a key of one word or one text. */
static int seen_resize(RtWindow *w, u32 bits)
{
    if (w->info->kind != 0 || w->info->key_count > 1) return 1;
    RtSeen *list = mem_zalloc(((size_t)1 << bits) + 1, sizeof *list);
    if (!list) return 0;
    mem_free(w->seen->list);
    *w->seen = (RtSeenTable){list, 64 - bits};
    return 1;
}

RtWindow *rt_window_new(RtPipe *pipe, u32 index, u64 keys_max)
{
    RtWindow *w = mem_zalloc(1, sizeof *w);
    if (!w) return NULL;
    w->pipe = pipe;
    w->index = index;
    w->info = &pipe->info->windows[index];
    w->keys_max = keys_max;
    w->seed = hash_bytes("window", 6);
    w->stride = (sizeof(Slot) + w->info->slot_bytes + 15) / 16 * 16;
    w->table_cap = 256;
    w->table = mem_zalloc(w->table_cap, sizeof *w->table);
    for (u32 i = 0; i < w->info->key_count; i++)
        w->key_space_bytes += 12 + (u64)w->info->key_bytes_max[i];
    w->key_space = mem_alloc(w->key_space_bytes + 16);
    u32 values = w->info->key_count + 2 + w->info->agg_count;
    w->row = mem_zalloc(values, sizeof *w->row);
    w->row_has = mem_zalloc(values, 1);
    w->seen = &pipe->seen[index];
    if (!w->table || !w->key_space || !w->row || !w->row_has || !seen_resize(w, SEEN_BITS_MIN)) {
        rt_window_free(w);
        return NULL;
    }
    return w;
}

static RtSketch *sketch_of(const RtAggInfo *agg, Slot *slot)
{
    return (RtSketch *)(void *)((char *)slot->aggregates + agg->offset);
}

static void chunks_release(RtWindow *w, Slot *slot)
{
    for (u32 a = 0; a < w->info->agg_count; a++) {
        const RtAggInfo *agg = &w->info->aggs[a];
        if (agg->kind != RT_AGG_QUANTILE) continue;
        RtSketch *sketch = sketch_of(agg, slot);
        for (u32 i = 0; i < 16; i++) {
            while (sketch->table[i]) {
                RtChunk *chunk = sketch->table[i];
                sketch->table[i] = chunk->next;
                chunk->next = w->free_chunks[agg->bits];
                w->free_chunks[agg->bits] = chunk;
            }
        }
    }
}

void rt_window_free(RtWindow *w)
{
    if (!w) return;
    for (u32 p = 0; p < w->pane_count; p++)
        for (Slot *slot = w->panes[p].slots; slot; slot = slot->next_of_pane)
            chunks_release(w, slot);
    for (u32 bits = 0; bits < 16; bits++) {
        while (w->free_chunks[bits]) {
            RtChunk *next = w->free_chunks[bits]->next;
            mem_free(w->free_chunks[bits]);
            w->free_chunks[bits] = next;
        }
    }
    for (u64 k = 0; k < w->key_count; k++) mem_free(w->keys[k].bytes);
    for (u32 b = 0; b < w->block_count; b++) mem_free(w->block[b]);
    mem_free(w->keys);
    mem_free(w->table);
    mem_free(w->panes);
    mem_free(w->sorted);
    mem_free(w->sort_space);
    mem_free(w->key_space);
    mem_free(w->row);
    mem_free(w->row_has);
    if (w->seen) mem_free(w->seen->list);
    mem_free(w);
}

/* ---- keys ---- */

__extension__ typedef unsigned __int128 u128;

static u64 mix(u64 a, u64 b)
{
    u128 m = (u128)a * b;
    return (u64)m ^ (u64)(m >> 64);
}

static u64 load(const char *p, u64 n)
{
    u64 v = 0;
    if (n >= 8)
        memcpy(&v, p, 8);
    else if (n >= 4) {
        u32 a, b;
        memcpy(&a, p, 4);
        memcpy(&b, p + n - 4, 4);
        v = a | (u64)b << 32;
    } else if (n) {
        v = (u8)p[0] | (u64)(u8)p[n / 2] << 8 | (u64)(u8)p[n - 1] << 16;
    }
    return v;
}

/* wyhash's way of folding a 64 x 64 product, keyed per process: SipHash would be a tenth of the
 * whole record's time, and the number of keys is bounded anyway. */
static u64 key_hash(const RtWindow *w, const char *p, u64 n)
{
    u64 h = w->seed ^ n * 0x9e3779b97f4a7c15ull, tail = n;
    for (; tail > 16; tail -= 8, p += 8) h = mix(h ^ load(p, 8), 0xd6e8feb86659fd93ull);
    u64 a = load(p, tail), b = tail > 8 ? load(p + tail - 8, 8) : 0;
    return mix(h ^ a, b ^ 0xa0761d6478bd642full ^ w->seed);
}

/* The bytes that identify the keys: a single text is itself; else each with its length in front. */
static const char *encode(RtWindow *w, const RtValue *keys, u64 *ret_len)
{
    const RtWindowInfo *info = w->info;
    if (info->key_count == 1 && is_text(info->key_types[0])) {
        *ret_len = keys[0].s.n;
        return keys[0].s.p;
    }
    char *p = w->key_space;
    for (u32 i = 0; i < info->key_count; i++) {
        if (is_text(info->key_types[i])) {
            u64 n = keys[i].s.n > info->key_bytes_max[i] ? info->key_bytes_max[i] : keys[i].s.n;
            u32 len = (u32)n;
            memcpy(p, &len, 4);
            memcpy(p + 4, keys[i].s.p, n);
            p += 4 + n;
        } else {
            memcpy(p, &keys[i], 8);
            p += 8;
        }
    }
    *ret_len = (u64)(p - w->key_space);
    return w->key_space;
}

static void decode(const RtWindow *w, const Key *key, RtValue *ret)
{
    const RtWindowInfo *info = w->info;
    const char *p = key->bytes;
    if (info->key_count == 1 && is_text(info->key_types[0])) {
        ret[0].s.p = p;
        ret[0].s.n = key->len;
        return;
    }
    for (u32 i = 0; i < info->key_count; i++) {
        if (is_text(info->key_types[i])) {
            u32 len;
            memcpy(&len, p, 4);
            ret[i].s.p = p + 4;
            ret[i].s.n = len;
            p += 4 + len;
        } else {
            ret[i].u = 0;
            memcpy(&ret[i], p, 8);
            p += 8;
        }
    }
}

static void table_put(RtWindow *w, u64 hash, u32 id)
{
    u64 at = hash & (w->table_cap - 1);
    while (w->table[at]) at = (at + 1) & (w->table_cap - 1);
    w->table[at] = id + 1;
}

static int table_rebuild(RtWindow *w, u64 cap)
{
    if (cap > w->table_cap && !grow(w, (void **)&w->table, sizeof *w->table, w->table_cap, cap))
        return 0;
    w->table_cap = cap > w->table_cap ? cap : w->table_cap;
    memset(w->table, 0, w->table_cap * sizeof *w->table);
    for (u64 k = 0; k < w->key_count; k++) table_put(w, w->keys[k].hash, (u32)k);
    return 1;
}

/* Forgets keys that hold nothing. Ids change, so the slots learn the new ones. */
static void forget_keys(RtWindow *w)
{
    FlowInstance *host = rt_host(w->pipe);
    u64 kept = 0;
    for (u64 k = 0; k < w->key_count; k++) {
        Key *key = &w->keys[k];
        if (!key->live) {
            host->state_bytes -= key->len;
            mem_free(key->bytes);
            continue;
        }
        for (Slot *slot = key->slots; slot; slot = slot->next_of_key) slot->key = (u32)kept;
        w->keys[kept++] = *key;
    }
    w->key_count = kept;
    (void)table_rebuild(w, w->table_cap);
}

static Key *key_add(RtWindow *w, u64 hash, const char *p, u64 n)
{
    if (w->key_count >= w->keys_max) forget_keys(w);
    if (w->key_count >= w->keys_max) return NULL;
    if (w->key_count == w->key_cap) {
        u64 cap = w->key_cap ? w->key_cap * 2 : 64;
        if (!grow(w, (void **)&w->keys, sizeof *w->keys, w->key_cap, cap)) return NULL;
        w->key_cap = cap;
    }
    if ((w->key_count + 1) * 2 > w->table_cap && !table_rebuild(w, w->table_cap * 2)) return NULL;
    if (!afford(w, n)) return NULL;
    Key *key = &w->keys[w->key_count];
    memset(key, 0, sizeof *key);
    key->hash = hash;
    key->len = (u32)n;
    key->bytes = mem_alloc(n ? n : 1);
    if (!key->bytes) return NULL;
    if (n) memcpy(key->bytes, p, n);
    table_put(w, hash, (u32)w->key_count++);
    u32 bits = 64 - w->seen->shift; /* eight places a key; without memory it stays small */
    if (w->seen->list && w->key_count * 8 > 1ull << bits && bits < SEEN_BITS_MAX)
        (void)seen_resize(w, bits + 2);
    return key;
}

/* memcmp costs a call; keys are short. */
static int same_bytes(const char *a, const char *b, u64 n)
{
    if (n < 8 || n > 16) return !n || memcmp(a, b, n) == 0;
    return load(a, 8) == load(b, 8) && load(a + n - 8, 8) == load(b + n - 8, 8);
}

static Key *key_of_bytes(RtWindow *w, const char *p, u64 n)
{
    u64 hash = key_hash(w, p, n);
    for (u64 at = hash & (w->table_cap - 1);; at = (at + 1) & (w->table_cap - 1)) {
        u32 id = w->table[at];
        if (!id) return key_add(w, hash, p, n);
        Key *key = &w->keys[id - 1];
        if (key->hash == hash && key->len == n && same_bytes(key->bytes, p, n)) return key;
    }
}

static Key *key_find(RtWindow *w, const RtValue *keys)
{
    u64 n;
    const char *p = encode(w, keys, &n);
    return key_of_bytes(w, p, n);
}

/* ---- slots and panes ---- */

static Slot *slot_new(RtWindow *w)
{
    if (!w->free_slots) {
        if (w->block_count == BLOCKS_MAX) return NULL;
        u64 count = 16ull << (w->block_count < 16 ? w->block_count : 16);
        if (!afford(w, count * w->stride)) return NULL;
        char *block = mem_alloc(count * w->stride);
        if (!block) return NULL;
        w->block[w->block_count++] = block;
        for (u64 i = count; i-- > 0;) {
            Slot *slot = (Slot *)(void *)(block + i * w->stride);
            slot->next_of_pane = w->free_slots;
            w->free_slots = slot;
        }
    }
    Slot *slot = w->free_slots;
    w->free_slots = slot->next_of_pane;
    memset(slot, 0, w->stride);
    return slot;
}

static Pane *pane_find(RtWindow *w, i64 number)
{
    u32 at = w->pane_count;
    while (at > 0 && w->panes[at - 1].number > number) at--;
    if (at > 0 && w->panes[at - 1].number == number) return &w->panes[at - 1];
    if (w->pane_count == w->pane_cap) {
        u32 cap = w->pane_cap ? w->pane_cap * 2 : 8;
        if (!grow(w, (void **)&w->panes, sizeof *w->panes, w->pane_cap, cap)) return NULL;
        w->pane_cap = cap;
    }
    memmove(&w->panes[at + 1], &w->panes[at], (w->pane_count - at) * sizeof *w->panes);
    w->panes[at] = (Pane){number, NULL, 0};
    w->pane_count++;
    return &w->panes[at];
}

static i64 end_of(const RtWindow *w, i64 number)
{
    i64 end;
    if (w->info->kind != 0) return INT64_MAX;
    if (number == INT64_MAX || __builtin_mul_overflow(number + 1, w->info->size_ns, &end))
        return INT64_MAX;
    return end;
}

static i64 start_of(const RtWindow *w, i64 number)
{
    i64 start; /* the first window of all time begins before int64 does */
    return __builtin_mul_overflow(number, w->info->size_ns, &start) ? INT64_MIN : start;
}

/* The earliest end of all event-time windows, for the one compare of the time stage. */
static void set_close_time(RtPipe *pipe)
{
    i64 first = INT64_MAX;
    for (u32 i = 0; i < pipe->info->window_count; i++) {
        const RtWindow *w = pipe->windows[i];
        if (!w || !w->info->event_time || !w->pane_count) continue;
        i64 end = end_of(w, w->panes[0].number);
        if (end < first) first = end;
    }
    pipe->close_ns = first;
}

static Slot *slot_find(RtWindow *w, Key *key, i64 number)
{
    for (Slot *slot = key->slots; slot; slot = slot->next_of_key)
        if (slot->number == number) return slot;
    Pane *pane = pane_find(w, number);
    if (!pane) return NULL;
    Slot *slot = slot_new(w);
    if (!slot) return NULL;
    slot->number = number;
    slot->key = (u32)(key - w->keys);
    slot->next_of_pane = pane->slots;
    pane->slots = slot;
    pane->count++;
    slot->next_of_key = key->slots;
    key->slots = slot;
    key->live++;
    if (w->info->event_time) set_close_time(w->pipe);
    return slot;
}

static void close_panes(RtWindow *w, i64 until);
static i64 start_of(const RtWindow *w, i64 number);

/* Lets the inlined look-up find the slot from now on. */
static void note_seen(RtWindow *w, Slot *slot, const RtValue *keys)
{
    u64 a = 0, b = 0, len = 0;
    if (w->info->key_count && is_text(w->info->key_types[0])) {
        len = keys[0].s.n;
        if (len > 16) return;
        rt_key_words(keys[0].s.p, len, &a, &b);
    } else if (w->info->key_count) {
        a = keys[0].u;
    }
    RtSeen *at = rt_seen_at(w->seen, a, b);
    for (u32 i = 0;; i++) {
        if (at[i].len == len + 1 && at[i].a == a && at[i].b == b) {
            at += i; /* it has a place */
            break;
        }
        if (!at[i].len || i == 1) {
            at += at[i].len ? 0 : i; /* a free one; else the key in the first place gives way */
            *at = (RtSeen){.a = a, .b = b, .len = len + 1};
            break;
        }
    }
    at->start_ns[slot->number & 1] = start_of(w, slot->number);
    at->slot[slot->number & 1] = slot->aggregates;
    slot->seen = (u32)(at - w->seen->list) + 1;
}

void *rt_slot(RtPipe *pipe, u32 window, i64 ns, const RtValue *keys, u32 *reason)
{
    RtWindow *w = pipe->windows[window];
    const RtWindowInfo *info = w->info;
    i64 number = 0;
    *reason = RT_FINE;
    if (info->kind == 0) {
        number = ns / info->size_ns - (ns % info->size_ns < 0);
        i64 end = end_of(w, number);
        if (info->event_time) {
            if (end <= pipe->watermark_ns) {
                if (info->late_dead) rt_late(pipe, info->node);
                return NULL;
            }
        } else if (w->pane_count && ns >= end_of(w, w->panes[0].number)) {
            close_panes(w, ns);
        }
    }
    Key *key = key_find(w, keys);
    if (!key) {
        *reason = RT_OVERFLOW;
        return NULL;
    }
    Slot *slot = key->slot[number & 1];
    if (__builtin_expect(!slot || key->number[number & 1] != number, 0)) {
        slot = slot_find(w, key, number);
        if (!slot) {
            *reason = RT_OVERFLOW;
            return NULL;
        }
        key->slot[number & 1] = slot;
        key->number[number & 1] = number;
    }
    if (!slot->head.count++) slot->head.first_ns = ns;
    slot->head.last_ns = ns;
    if (w->seen->list) note_seen(w, slot, keys);
    return slot->aggregates;
}

RtChunk *rt_chunk(RtPipe *pipe, u32 window, RtSketch *sketch, u32 octave, u32 bits)
{
    RtWindow *w = pipe->windows[window];
    RtChunk **at = &sketch->table[octave & 15];
    for (RtChunk **p = at; *p; p = &(*p)->next) {
        if ((*p)->octave != octave) continue;
        RtChunk *found = *p; /* to the front: the next value is likely near */
        *p = found->next;
        found->next = *at;
        return *at = found;
    }
    u64 bytes = sizeof(RtChunk) + (sizeof(u32) << bits);
    RtChunk *chunk = w->free_chunks[bits];
    if (chunk) {
        w->free_chunks[bits] = chunk->next;
    } else {
        if (!afford(w, bytes)) return NULL;
        chunk = mem_alloc(bytes);
        if (!chunk) return NULL;
    }
    memset(chunk, 0, bytes);
    chunk->octave = octave;
    chunk->next = *at;
    return *at = chunk;
}

/* ---- closing ---- */

static int compare_bytes(const char *a, u64 an, const char *b, u64 bn)
{
    u64 n = an < bn ? an : bn;
    int order = n ? memcmp(a, b, n) : 0;
    return order ? order : an < bn ? -1 : an > bn;
}

/* Ascending by bytes of the keys as they are printed. */
static int compare_slots(const RtWindow *w, const Slot *a, const Slot *b)
{
    const RtWindowInfo *info = w->info;
    const Key *ka = &w->keys[a->key], *kb = &w->keys[b->key];
    if (info->key_count == 1 && is_text(info->key_types[0]))
        return compare_bytes(ka->bytes, ka->len, kb->bytes, kb->len);
    RtValue va[16], vb[16];
    decode(w, ka, va);
    decode(w, kb, vb);
    for (u32 i = 0; i < info->key_count; i++) {
        char ta[64], tb[64];
        RtField field = {.type = info->key_types[i],
                         .scale = info->key_scales ? info->key_scales[i] : 0,
                         .names = info->key_names ? info->key_names[i] : NULL};
        int order;
        if (is_text(field.type)) {
            order = compare_bytes(va[i].s.p, va[i].s.n, vb[i].s.p, vb[i].s.n);
        } else if (field.type == RT_ENUM && field.names) {
            order = strcmp(field.names[va[i].u], field.names[vb[i].u]);
        } else {
            u64 na = (u64)(rt_put_value(ta, &field, va[i], 0) - ta);
            u64 nb = (u64)(rt_put_value(tb, &field, vb[i], 0) - tb);
            order = compare_bytes(ta, na, tb, nb);
        }
        if (order) return order;
    }
    return 0;
}

/* Merge sort, bottom up: no recursion, and its space is kept. */
static Slot **sort_slots(RtWindow *w, u64 count)
{
    Slot **from = w->sorted, **to = w->sort_space;
    for (u64 width = 1; width < count; width *= 2) {
        for (u64 start = 0; start < count; start += 2 * width) {
            u64 middle = start + width < count ? start + width : count;
            u64 end = start + 2 * width < count ? start + 2 * width : count;
            u64 a = start, b = middle, out = start;
            while (a < middle && b < end)
                to[out++] = compare_slots(w, from[b], from[a]) < 0 ? from[b++] : from[a++];
            while (a < middle) to[out++] = from[a++];
            while (b < end) to[out++] = from[b++];
        }
        Slot **swap = from;
        from = to;
        to = swap;
    }
    return from;
}

static void agg_value(const RtAggInfo *agg, Slot *slot, RtValue *ret, u8 *ret_has)
{
    char *state = (char *)slot->aggregates + agg->offset;
    const RtSum *sum = (const void *)state;
    const RtPick *pick = (const void *)state;
    const RtVariance *variance = (const void *)state;
    const RtSketch *sketch = (const void *)state;
    *ret_has = 1;
    switch ((RtAggKind)agg->kind) {
    case RT_AGG_COUNT:
    case RT_AGG_COUNT_IF: ret->u = ((const RtCount *)(const void *)state)->n; break;
    case RT_AGG_SUM: *ret = sum->sum; break;
    case RT_AGG_MEAN:
        *ret_has = sum->n > 0;
        ret->d = sum->n ? sum->sum.d / (f64)sum->n : 0;
        break;
    case RT_AGG_MIN:
    case RT_AGG_MAX:
    case RT_AGG_FIRST:
    case RT_AGG_LAST:
        *ret_has = pick->n > 0;
        *ret = pick->value;
        if (is_text(agg->type)) ret->s.p = state + sizeof(RtPick);
        break;
    case RT_AGG_STDDEV:
        *ret_has = variance->n > 0;
        ret->d = variance->n > 1 ? __builtin_sqrt(variance->m2 / (f64)(variance->n - 1)) : 0;
        break;
    case RT_AGG_QUANTILE:
        *ret_has = sketch->n > 0;
        ret->d = sketch->n ? rt_sketch_quantile(sketch, agg->p, agg->bits) : 0;
        break;
    }
}

static void emit_row(RtWindow *w, Slot *slot, i64 start, i64 end)
{
    RtPipe *pipe = w->pipe;
    u32 keys = w->info->key_count;
    memset(w->row_has, 1, keys + 2);
    decode(w, &w->keys[slot->key], w->row);
    w->row[keys].i = start;
    w->row[keys + 1].i = end;
    for (u32 a = 0; a < w->info->agg_count; a++)
        agg_value(&w->info->aggs[a], slot, &w->row[keys + 2 + a], &w->row_has[keys + 2 + a]);
    RtWindowRow row = {w->row, w->row_has, start, end};
    u8 before = pipe->in_row;
    i64 event = pipe->event_ns;
    const char *raw = pipe->raw;
    u64 raw_len = pipe->raw_len;
    pipe->in_row = 1;
    pipe->event_ns = start;
    pipe->raw = NULL;
    pipe->raw_len = 0;
    pipe->n.rows++;
    if (pipe->info->row) pipe->info->row(pipe, w->index, &row);
    pipe->in_row = before;
    pipe->event_ns = event;
    pipe->raw = raw;
    pipe->raw_len = raw_len;
}

static void slot_release(RtWindow *w, Slot *slot)
{
    Key *key = &w->keys[slot->key];
    for (Slot **p = &key->slots; *p; p = &(*p)->next_of_key) {
        if (*p != slot) continue;
        *p = slot->next_of_key;
        break;
    }
    for (int i = 0; i < 2; i++)
        if (key->slot[i] == slot) key->slot[i] = NULL;
    RtSeen *seen = slot->seen ? &w->seen->list[slot->seen - 1] : NULL;
    for (int i = 0; seen && i < 2; i++)
        if (seen->slot[i] == slot->aggregates) seen->slot[i] = NULL;
    key->live--;
    chunks_release(w, slot);
    slot->next_of_pane = w->free_slots;
    w->free_slots = slot;
}

/* Emits and frees all slots of a pane that was taken off the list. */
static void pane_close(RtWindow *w, Pane pane)
{
    if (pane.count > w->sort_cap) {
        u64 cap = w->sort_cap ? w->sort_cap : 64;
        while (cap < pane.count) cap *= 2;
        Slot **a = mem_realloc(w->sorted, cap * sizeof *a);
        if (a) w->sorted = a;
        Slot **b = mem_realloc(w->sort_space, cap * sizeof *b);
        if (b) w->sort_space = b;
        if (a && b) w->sort_cap = cap;
    }
    u64 count = 0;
    Slot **list = NULL;
    if (pane.count <= w->sort_cap) {
        for (Slot *slot = pane.slots; slot; slot = slot->next_of_pane) w->sorted[count++] = slot;
        list = sort_slots(w, count);
    }
    Slot *next = pane.slots;
    for (u64 i = 0; i < pane.count; i++) { /* without memory to sort: unsorted, but all */
        Slot *slot = list ? list[i] : next;
        if (!list) next = slot->next_of_pane;
        i64 start = start_of(w, slot->number), end = end_of(w, slot->number);
        if (w->info->kind != 0) start = slot->head.first_ns, end = slot->head.last_ns;
        emit_row(w, slot, start, end);
        slot_release(w, slot);
    }
}

static void close_panes(RtWindow *w, i64 until)
{
    while (w->pane_count && (until == INT64_MAX || end_of(w, w->panes[0].number) <= until)) {
        Pane pane = w->panes[0];
        w->pane_count--;
        memmove(&w->panes[0], &w->panes[1], w->pane_count * sizeof *w->panes);
        pane_close(w, pane);
    }
}

void rt_close_until(RtPipe *pipe, i64 ns, int event_time)
{
    for (u32 i = 0; i < pipe->info->window_count; i++) {
        RtWindow *w = pipe->windows[i];
        if (w->info->event_time == event_time) close_panes(w, ns);
    }
    set_close_time(pipe);
}

void rt_close(RtPipe *pipe)
{
    rt_close_until(pipe, pipe->watermark_ns, 1);
}

void rt_slot_full(RtPipe *pipe, u32 window, void *aggregates)
{
    RtWindow *w = pipe->windows[window];
    Slot *slot = (Slot *)(void *)((char *)aggregates - offsetof(Slot, aggregates));
    if (slot->head.count < w->info->size_count || !w->pane_count) return;
    for (Slot **p = &w->panes[0].slots; *p; p = &(*p)->next_of_pane) {
        if (*p != slot) continue;
        *p = slot->next_of_pane;
        w->panes[0].count--;
        break;
    }
    emit_row(w, slot, slot->head.first_ns, slot->head.last_ns);
    slot_release(w, slot);
}

/* ---- quantiles ---- */

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

/* ---- saved state ---- */

/* u64 slots, then per slot: i64 number, u32 bytes of the keys, keys, u64 count, i64 first, i64
 * last, aggregates; a sketch as n, zeros, u32 chunks, each u32 octave and its counts. */
static void save_aggregates(const RtWindow *w, Slot *slot, Buf *out)
{
    for (u32 a = 0; a < w->info->agg_count; a++) {
        const RtAggInfo *agg = &w->info->aggs[a];
        u32 next = a + 1 < w->info->agg_count ? agg[1].offset : w->info->slot_bytes, chunks = 0;
        if (agg->kind != RT_AGG_QUANTILE) {
            buf_add(out, (char *)slot->aggregates + agg->offset, next - agg->offset);
            continue;
        }
        const RtSketch *sketch = sketch_of(agg, slot);
        for (u32 i = 0; i < 16; i++)
            for (const RtChunk *c = sketch->table[i]; c; c = c->next) chunks++;
        buf_add(out, &sketch->n, 8);
        buf_add(out, &sketch->zeros, 8);
        buf_add(out, &chunks, 4);
        for (u32 i = 0; i < 16; i++) {
            for (const RtChunk *c = sketch->table[i]; c; c = c->next) {
                buf_add(out, &c->octave, 4);
                buf_add(out, c->count, sizeof(u32) << agg->bits);
            }
        }
    }
}

void rt_window_save(const RtWindow *w, Buf *out)
{
    u64 count = 0;
    for (u32 p = 0; p < w->pane_count; p++) count += w->panes[p].count;
    buf_add(out, &count, 8);
    for (u32 p = 0; p < w->pane_count; p++) {
        for (Slot *slot = w->panes[p].slots; slot; slot = slot->next_of_pane) {
            const Key *key = &w->keys[slot->key];
            buf_add(out, &slot->number, 8);
            buf_add(out, &key->len, 4);
            buf_add(out, key->bytes, key->len);
            buf_add(out, &slot->head.count, 8);
            buf_add(out, &slot->head.first_ns, 8);
            buf_add(out, &slot->head.last_ns, 8);
            save_aggregates(w, slot, out);
        }
    }
}

static int take(Str *bytes, void *to, u64 n)
{
    if (bytes->len < n) return 0;
    memcpy(to, bytes->ptr, n);
    *bytes = str_skip(*bytes, n);
    return 1;
}

static int load_aggregates(RtWindow *w, Slot *slot, Str *bytes)
{
    for (u32 a = 0; a < w->info->agg_count; a++) {
        const RtAggInfo *agg = &w->info->aggs[a];
        u32 next = a + 1 < w->info->agg_count ? agg[1].offset : w->info->slot_bytes, chunks, octave;
        if (agg->kind != RT_AGG_QUANTILE) {
            char *state = (char *)slot->aggregates + agg->offset;
            if (!take(bytes, state, next - agg->offset)) return 0;
            const RtPick *pick = (const void *)state;
            if (agg->kind >= RT_AGG_MIN && agg->kind <= RT_AGG_LAST && is_text(agg->type) &&
                pick->value.s.n > next - agg->offset - sizeof *pick)
                return 0;
            continue;
        }
        RtSketch *sketch = sketch_of(agg, slot);
        if (!take(bytes, &sketch->n, 8) || !take(bytes, &sketch->zeros, 8) ||
            !take(bytes, &chunks, 4))
            return 0;
        while (chunks--) {
            if (!take(bytes, &octave, 4) || octave > 0xfff) return 0;
            RtChunk *chunk = rt_chunk(w->pipe, w->index, sketch, octave, agg->bits);
            if (!chunk || !take(bytes, chunk->count, sizeof(u32) << agg->bits)) return 0;
        }
    }
    return 1;
}

/* Encoded keys from a file must decode within their bytes. */
static int key_fits(const RtWindow *w, Str bytes)
{
    if (w->info->key_count == 1 && is_text(w->info->key_types[0])) return 1;
    for (u32 i = 0; i < w->info->key_count; i++) {
        u32 len = 8;
        if (is_text(w->info->key_types[i]) && !take(&bytes, &len, 4)) return 0;
        if (bytes.len < len) return 0;
        bytes = str_skip(bytes, len);
    }
    return bytes.len == 0;
}

Status rt_window_load(RtWindow *w, Str *bytes, Diag *diag)
{
    u64 count;
    if (!take(bytes, &count, 8)) return diag_set(diag, ST_CORRUPT, "the saved window ends early");
    while (count--) {
        i64 number;
        u32 len;
        if (!take(bytes, &number, 8) || !take(bytes, &len, 4) || bytes->len < len ||
            !key_fits(w, str_slice(bytes->ptr, len)))
            return diag_set(diag, ST_CORRUPT, "the saved window is damaged");
        Key *key = key_of_bytes(w, bytes->ptr, len);
        *bytes = str_skip(*bytes, len);
        Slot *slot = key ? slot_find(w, key, number) : NULL;
        if (!slot) return diag_set(diag, ST_LIMIT, "the saved state does not fit");
        if (!take(bytes, &slot->head.count, 8) || !take(bytes, &slot->head.first_ns, 8) ||
            !take(bytes, &slot->head.last_ns, 8) || !load_aggregates(w, slot, bytes))
            return diag_set(diag, ST_CORRUPT, "the saved window is damaged");
    }
    return ST_OK;
}
