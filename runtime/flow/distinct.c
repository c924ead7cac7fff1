/* runtime/flow/distinct.c: how many different values there were.
 *
 * Few: the set of their 64-bit hashes, exact. More than 1 << (bits - 4): a HyperLogLog of 1 << bits
 * registers (Flajolet et al. 2007) with the estimator of Ertl (2017, "improved raw"), which has no
 * bias at either end and needs no tables. bits is chosen so that three standard errors, 3 * 1.04 /
 * sqrt(1 << bits), are within what the program allows. Hashes do not depend on the process: state
 * moves between them. */
#include "flow/agg.h"

#include "flow/dict.h"

#include <math.h>
#include <string.h>

__extension__ typedef unsigned __int128 u128;

enum { SET_CAP_MIN = 16 };

static u64 mix(u64 a, u64 b)
{
    u128 m = (u128)a * b;
    return (u64)m ^ (u64)(m >> 64);
}

static u64 hash_word(u64 v)
{
    v = (v ^ v >> 30) * 0xbf58476d1ce4e5b9ull;
    v = (v ^ v >> 27) * 0x94d049bb133111ebull;
    return v ^ v >> 31;
}

static u64 hash_text(const char *p, u64 n)
{
    u64 h = n * 0x9e3779b97f4a7c15ull, word = 0;
    for (; n >= 8; p += 8, n -= 8) {
        memcpy(&word, p, 8);
        h = mix(h ^ word, 0xd6e8feb86659fd93ull);
    }
    word = 0;
    if (n) memcpy(&word, p, n);
    return hash_word(mix(h ^ word, 0xa0761d6478bd642full));
}

static u64 hash_of(u8 type, RtValue value)
{
    if (rt_is_text(type)) return hash_text(value.s.p, value.s.n);
    if ((type == RT_F32 || type == RT_F64) && value.d == 0) value.d = 0; /* -0 is 0 */
    return hash_word(value.u + 0x9e3779b97f4a7c15ull);
}

static u64 exact_max(u32 bits)
{
    return 1ull << (bits - 4);
}

static void register_set(RtSet *set, u64 hash, u32 bits)
{
    u64 at = hash >> (64 - bits), rest = hash << bits;
    u8 rank = (u8)(rest ? (u32)__builtin_clzll(rest) + 1 : 64 - bits + 1);
    if (rank > set->registers[at]) set->registers[at] = rank;
}

static int to_registers(RtAggMemory *memory, RtSet *set, u32 bits)
{
    set->registers = rt_pool_get(&memory->pool, 1ull << bits);
    if (!set->registers) return 0;
    memset(set->registers, 0, 1ull << bits);
    for (u64 i = 0; i < set->cap; i++)
        if (set->hashes[i]) register_set(set, set->hashes[i], bits);
    rt_pool_put(&memory->pool, set->hashes, set->cap * 8);
    set->hashes = NULL;
    set->cap = set->used = 0;
    return 1;
}

static void put(RtSet *set, u64 hash)
{
    u64 at = hash & (set->cap - 1);
    while (set->hashes[at]) {
        if (set->hashes[at] == hash) return;
        at = (at + 1) & (set->cap - 1);
    }
    set->hashes[at] = hash;
    set->used++;
}

static int holds(const RtSet *set, u64 hash)
{
    u64 at = hash & (set->cap - 1);
    if (!set->cap) return 0;
    while (set->hashes[at] && set->hashes[at] != hash) at = (at + 1) & (set->cap - 1);
    return set->hashes[at] != 0;
}

static int double_set(RtAggMemory *memory, RtSet *set)
{
    RtSet more = {.cap = set->cap ? set->cap * 2 : SET_CAP_MIN};
    more.hashes = rt_pool_get(&memory->pool, more.cap * 8);
    if (!more.hashes) return 0;
    memset(more.hashes, 0, more.cap * 8);
    for (u64 i = 0; i < set->cap; i++)
        if (set->hashes[i]) put(&more, set->hashes[i]);
    rt_pool_put(&memory->pool, set->hashes, set->cap * 8);
    *set = more;
    return 1;
}

/* What the set becomes depends on the hashes alone, not on their order nor on how often one comes:
 * sets put together are as if they had been one. */
static int add_hash(RtAggMemory *memory, RtSet *set, u64 hash, u32 bits)
{
    if (!hash) hash = 1; /* 0 is an empty place */
    if (set->used >= exact_max(bits) && holds(set, hash)) return 1;
    if (!set->registers && (set->used + 1) * 2 > set->cap) {
        if (set->used >= exact_max(bits)) {
            if (!to_registers(memory, set, bits)) return 0;
        } else if (!double_set(memory, set)) {
            return 0;
        }
    }
    if (set->registers)
        register_set(set, hash, bits);
    else
        put(set, hash);
    return 1;
}

/* Too many to be exact: that there is room for the registers is seen, but the set becomes them only
 * when the value comes. */
int rt_set_room(RtAggMemory *memory, RtSet *set, u8 type, RtValue value, u32 bits)
{
    if (set->registers || (set->used + 1) * 2 <= set->cap) return 1;
    if (set->used < exact_max(bits)) return double_set(memory, set);
    u64 hash = hash_of(type, value);
    if (holds(set, hash ? hash : 1)) return 1;
    void *registers = rt_pool_get(&memory->pool, 1ull << bits);
    rt_pool_put(&memory->pool, registers, 1ull << bits);
    return registers != NULL;
}

int rt_set_add(RtAggMemory *memory, RtSet *set, u8 type, RtValue value, u32 bits)
{
    return add_hash(memory, set, hash_of(type, value), bits);
}

int rt_set_merge(RtAggMemory *memory, RtSet *into, const RtSet *from, u32 bits)
{
    if (from->registers && !into->registers && !to_registers(memory, into, bits)) return 0;
    for (u64 i = 0; from->registers && i < 1ull << bits; i++)
        if (from->registers[i] > into->registers[i]) into->registers[i] = from->registers[i];
    for (u64 i = 0; i < from->cap; i++)
        if (from->hashes[i] && !add_hash(memory, into, from->hashes[i], bits)) return 0;
    return 1;
}

static f64 sigma(f64 x)
{
    f64 y = 1, z = x, before;
    if (x == 1) return INFINITY;
    do {
        x *= x;
        before = z;
        z += x * y;
        y += y;
    } while (z != before);
    return z;
}

static f64 tau(f64 x)
{
    f64 y = 1, z = 1 - x, before;
    if (x == 0 || x == 1) return 0;
    do {
        x = sqrt(x);
        before = z;
        y *= 0.5;
        z -= (1 - x) * (1 - x) * y;
    } while (z != before);
    return z / 3;
}

u64 rt_set_count(const RtSet *set, u32 bits)
{
    if (!set->registers) return set->used;
    u64 count[66] = {0}, m = 1ull << bits;
    u32 q = 64 - bits;
    for (u64 i = 0; i < m; i++) count[set->registers[i]]++;
    f64 size = (f64)m, z = size * tau(1 - (f64)count[q + 1] / size);
    for (u32 k = q; k >= 1; k--) z = 0.5 * (z + (f64)count[k]);
    z += size * sigma((f64)count[0] / size);
    return (u64)llround(size * size / (2 * log(2)) / z);
}

void rt_set_release(RtAggMemory *memory, RtSet *set, u32 bits)
{
    rt_pool_put(&memory->pool, set->registers, 1ull << bits);
    rt_pool_put(&memory->pool, set->hashes, set->cap * 8);
    *set = (RtSet){0};
}

/* u8 1: the registers; 0: u64 hashes, each. */
void rt_set_save(const RtSet *set, u32 bits, Buf *out)
{
    u8 full = set->registers != NULL;
    buf_add(out, &full, 1);
    if (full) {
        buf_add(out, set->registers, 1ull << bits);
        return;
    }
    buf_add(out, &set->used, 8);
    for (u64 i = 0; i < set->cap; i++)
        if (set->hashes[i]) buf_add(out, &set->hashes[i], 8);
}

int rt_set_load(RtAggMemory *memory, RtSet *set, u32 bits, Str *from)
{
    u8 full;
    u64 count, hash;
    if (!rt_take(from, &full, 1) || full > 1) return 0;
    if (full) {
        if (!to_registers(memory, set, bits) || !rt_take(from, set->registers, 1ull << bits))
            return 0;
        for (u64 i = 0; i < 1ull << bits; i++)
            if (set->registers[i] > 64 - bits + 1) return 0;
        return 1;
    }
    if (!rt_take(from, &count, 8) || count > exact_max(bits)) return 0;
    while (count--)
        if (!rt_take(from, &hash, 8) || !add_hash(memory, set, hash, bits)) return 0;
    return 1;
}
