/* runtime/flow/dict.c: keys to entries: open addressing over blocks that never move.
 *
 * Removing closes the gap by moving later entries of the run back, so a table never fills up with
 * marks of what was there. Long keys lie in pieces of 16 << class bytes with a free list a class.
 */
#include "flow/dict.h"

#include "base/hash.h"
#include "base/mem.h"
#include "flow/pipe.h"

#include <string.h>

__extension__ typedef unsigned __int128 u128;

int rt_afford(RtPipe *pipe, u64 bytes)
{
    FlowInstance *host = rt_host(pipe);
    if (host->state_bytes + bytes > host->limits.state_bytes) return 0;
    host->state_bytes += bytes;
    return 1;
}

int rt_grow(RtPipe *pipe, void **list, u64 item, u64 old, u64 count)
{
    if (!rt_afford(pipe, (count - old) * item)) return 0;
    void *more = mem_realloc(*list, count * item);
    if (!more) return 0;
    *list = more;
    return 1;
}

int rt_dict_init(RtDict *dict, RtPipe *pipe, const u8 *types, const u32 *bytes_max, u32 key_count,
                 u64 payload_bytes, u64 count_max)
{
    u64 space = 16;
    *dict = (RtDict){.pipe = pipe,
                     .key_count = key_count,
                     .types = types,
                     .bytes_max = bytes_max,
                     .count_max = count_max,
                     .table_cap = 256,
                     .far = {.pipe = pipe}};
    dict->seed = hash_bytes("window", 6);
    dict->stride = (sizeof(RtEntry) + payload_bytes + 15) / 16 * 16;
    for (u32 i = 0; i < key_count; i++) space += 12 + (u64)bytes_max[i];
    dict->table = mem_zalloc(dict->table_cap, sizeof *dict->table);
    dict->space = mem_alloc(space);
    return dict->table && dict->space;
}

void rt_dict_done(RtDict *dict)
{
    for (u32 i = 0; i < dict->block_count; i++) mem_free(dict->block[i]);
    rt_pool_done(&dict->far);
    mem_free(dict->space);
    mem_free((void *)dict->table);
    *dict = (RtDict){0};
}

/* ---- keys as bytes ---- */

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
static u64 key_hash(const RtDict *dict, const char *p, u64 n)
{
    u64 h = dict->seed ^ n * 0x9e3779b97f4a7c15ull, tail = n;
    for (; tail > 16; tail -= 8, p += 8) h = mix(h ^ load(p, 8), 0xd6e8feb86659fd93ull);
    u64 a = load(p, tail), b = tail > 8 ? load(p + tail - 8, 8) : 0;
    return mix(h ^ a, b ^ 0xa0761d6478bd642full ^ dict->seed);
}

const char *rt_dict_encode(RtDict *dict, const RtValue *keys, u64 *ret_len)
{
    if (dict->key_count == 1 && rt_is_text(dict->types[0])) {
        *ret_len = keys[0].s.n;
        return keys[0].s.p;
    }
    char *p = dict->space;
    for (u32 i = 0; i < dict->key_count; i++) {
        if (rt_is_text(dict->types[i])) {
            u64 n = keys[i].s.n > dict->bytes_max[i] ? dict->bytes_max[i] : keys[i].s.n;
            u32 len = (u32)n;
            memcpy(p, &len, 4);
            if (n) memcpy(p + 4, keys[i].s.p, n);
            p += 4 + n;
        } else {
            memcpy(p, &keys[i], 8);
            p += 8;
        }
    }
    *ret_len = (u64)(p - dict->space);
    return dict->space;
}

void rt_dict_decode(const RtDict *dict, const RtEntry *entry, RtValue *ret)
{
    const char *p = rt_dict_bytes(entry);
    if (dict->key_count == 1 && rt_is_text(dict->types[0])) {
        ret[0].s.p = p;
        ret[0].s.n = entry->len;
        return;
    }
    for (u32 i = 0; i < dict->key_count; i++) {
        if (rt_is_text(dict->types[i])) {
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

int rt_dict_fits(const RtDict *dict, const char *p, u64 n)
{
    if (dict->key_count == 1 && rt_is_text(dict->types[0])) return n <= dict->bytes_max[0];
    for (u32 i = 0; i < dict->key_count; i++) {
        u64 need = 8;
        if (rt_is_text(dict->types[i])) {
            u32 len;
            if (n < 4) return 0;
            memcpy(&len, p, 4);
            if (len > dict->bytes_max[i]) return 0;
            need = 4 + (u64)len;
        }
        if (n < need) return 0;
        p += need;
        n -= need;
    }
    return n == 0;
}

/* memcmp costs a call; keys are short. */
static int same_bytes(const char *a, const char *b, u64 n)
{
    if (n < 8 || n > 16) return !n || memcmp(a, b, n) == 0;
    return load(a, 8) == load(b, 8) && load(a + n - 8, 8) == load(b + n - 8, 8);
}

/* ---- the order ---- */

void rt_dict_keep(RtDict *dict, RtEntry *entry)
{
    if (!entry->listed) return;
    if (entry->older)
        entry->older->newer = entry->newer;
    else
        dict->oldest = entry->newer;
    if (entry->newer)
        entry->newer->older = entry->older;
    else
        dict->newest = entry->older;
    entry->older = entry->newer = NULL;
    entry->listed = 0;
}

void rt_dict_touch(RtDict *dict, RtEntry *entry)
{
    if (dict->newest == entry) return;
    rt_dict_keep(dict, entry);
    entry->older = dict->newest;
    if (dict->newest)
        dict->newest->newer = entry;
    else
        dict->oldest = entry;
    dict->newest = entry;
    entry->listed = 1;
}

/* ---- the table ---- */

static void table_put(RtDict *dict, RtEntry *entry)
{
    u64 mask = dict->table_cap - 1, at = entry->hash & mask;
    while (dict->table[at]) at = (at + 1) & mask;
    dict->table[at] = entry;
}

static int table_double(RtDict *dict)
{
    u64 old = dict->table_cap;
    RtEntry **table = dict->table;
    if (!rt_afford(dict->pipe, old * sizeof *table)) return 0;
    RtEntry **more = mem_zalloc(old * 2, sizeof *more);
    if (!more) return 0;
    dict->table = more;
    dict->table_cap = old * 2;
    for (u64 i = 0; i < old; i++)
        if (table[i]) table_put(dict, table[i]);
    mem_free((void *)table);
    return 1;
}

static void table_take(RtDict *dict, const RtEntry *entry)
{
    u64 mask = dict->table_cap - 1, gap = entry->hash & mask;
    while (dict->table[gap] != entry) gap = (gap + 1) & mask;
    for (u64 at = (gap + 1) & mask; dict->table[at]; at = (at + 1) & mask) {
        u64 home = dict->table[at]->hash & mask;
        if (((at - home) & mask) < ((at - gap) & mask)) continue; /* would stand before its home */
        dict->table[gap] = dict->table[at];
        gap = at;
    }
    dict->table[gap] = NULL;
}

void rt_dict_remove(RtDict *dict, RtEntry *entry)
{
    table_take(dict, entry);
    rt_dict_keep(dict, entry);
    if (entry->len > DICT_NEAR_BYTES) rt_pool_put(&dict->far, entry->bytes.far, entry->len);
    entry->used = 0;
    entry->newer = dict->unused;
    dict->unused = entry;
    dict->count--;
}

static int forget_oldest(RtDict *dict)
{
    if (!dict->oldest) return 0;
    dict->forgotten++;
    if (dict->forget) dict->forget(dict->forget_ctx, dict->oldest);
    rt_dict_remove(dict, dict->oldest);
    return 1;
}

static int block_add(RtDict *dict)
{
    if (dict->block_count == DICT_BLOCKS_MAX) return 0;
    u64 count = 16ull << (dict->block_count < 16 ? dict->block_count : 16);
    if (!rt_afford(dict->pipe, count * dict->stride)) return 0;
    char *block = mem_zalloc(count, dict->stride);
    if (!block) return 0;
    dict->block[dict->block_count++] = block;
    for (u64 i = count; i-- > 0;) {
        RtEntry *entry = (RtEntry *)(void *)(block + i * dict->stride);
        entry->newer = dict->unused;
        dict->unused = entry;
    }
    return 1;
}

static RtEntry *add(RtDict *dict, u64 hash, const char *p, u64 n)
{
    char *far = NULL;
    if (dict->count >= dict->count_max && !forget_oldest(dict)) return NULL;
    if ((dict->count + 1) * 2 > dict->table_cap && !table_double(dict) && !forget_oldest(dict))
        return NULL;
    if (!dict->unused && !block_add(dict) && !forget_oldest(dict)) return NULL;
    while (n > DICT_NEAR_BYTES && !(far = rt_pool_get(&dict->far, n)))
        if (!forget_oldest(dict)) return NULL;
    RtEntry *entry = dict->unused;
    dict->unused = entry->newer;
    memset(entry, 0, dict->stride);
    entry->hash = hash;
    entry->len = (u32)n;
    entry->used = 1;
    if (far) entry->bytes.far = far;
    if (n) memcpy(far ? far : entry->bytes.near, p, n);
    table_put(dict, entry);
    dict->count++;
    return entry;
}

RtEntry *rt_dict_find(const RtDict *dict, const char *p, u64 n)
{
    u64 hash = key_hash(dict, p, n), mask = dict->table_cap - 1;
    for (u64 at = hash & mask; dict->table[at]; at = (at + 1) & mask) {
        RtEntry *entry = dict->table[at];
        if (entry->hash == hash && entry->len == n && same_bytes(rt_dict_bytes(entry), p, n))
            return entry;
    }
    return NULL;
}

RtEntry *rt_dict_get(RtDict *dict, const char *p, u64 n)
{
    u64 hash = key_hash(dict, p, n), mask = dict->table_cap - 1;
    for (u64 at = hash & mask; dict->table[at]; at = (at + 1) & mask) {
        RtEntry *entry = dict->table[at];
        if (entry->hash == hash && entry->len == n && same_bytes(rt_dict_bytes(entry), p, n))
            return entry;
    }
    return add(dict, hash, p, n);
}

RtEntry *rt_dict_next(const RtDict *dict, u64 *at)
{
    u64 first = 0;
    for (u32 b = 0; b < dict->block_count; b++) {
        u64 count = 16ull << (b < 16 ? b : 16);
        for (; *at < first + count; ++*at) {
            char *place = (char *)dict->block[b] + (*at - first) * dict->stride;
            RtEntry *entry = (RtEntry *)(void *)place;
            if (!entry->used) continue;
            ++*at;
            return entry;
        }
        first += count;
    }
    return NULL;
}
