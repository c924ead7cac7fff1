/* runtime/flow/agg.c: one function for all aggregates, by kind.
 *
 * Which records came first is told by their arrival for first, last and list, and by their time for
 * delta, rate and time_weighted, where time is what is meant. */
#include "flow/agg.h"

#include "base/mem.h"
#include "flow/dict.h"
#include "flow/hot.h"

#include <string.h>

__extension__ typedef __int128 i128;

void rt_agg_memory_done(RtAggMemory *memory)
{
    for (u32 bits = 0; bits < 16; bits++) {
        while (memory->free_chunks[bits]) {
            RtChunk *next = memory->free_chunks[bits]->next;
            mem_free(memory->free_chunks[bits]);
            memory->free_chunks[bits] = next;
        }
    }
    rt_pool_done(&memory->pool);
}

int rt_take(Str *bytes, void *to, u64 n)
{
    if (bytes->len < n) return 0;
    if (n) memcpy(to, bytes->ptr, n);
    *bytes = str_skip(*bytes, n);
    return 1;
}

static int is_float(u8 type)
{
    return type == RT_F32 || type == RT_F64;
}

static int is_unsigned(u8 type)
{
    return type == RT_U32 || type == RT_U64;
}

/* ---- values in ---- */

/* A whole one was tried, or ends up where it fits when all are added: in between it may wrap. */
static void add_sum(RtSum *sum, u8 type, RtValue v)
{
    sum->n++;
    if (is_float(type))
        sum->sum.d += v.d;
    else
        sum->sum.u += v.u;
}

/* Means are of floats, those of decimals of their whole multiples. */
static u8 mean_type(const RtAggInfo *agg)
{
    return agg->type == RT_DECIMAL ? RT_DECIMAL : RT_F64;
}

/* One division, so one rounding where the divisor is exact. */
static f64 mean_of(const RtAggInfo *agg, const RtSum *sum)
{
    f64 n = (f64)sum->n;
    if (agg->type != RT_DECIMAL) return sum->sum.d / n;
    for (u32 i = 0; i < agg->scale; i++) n *= 10;
    return (f64)sum->sum.i / n;
}

static int less(u8 type, RtValue a, RtValue b)
{
    if (rt_is_text(type)) return str_cmp(str_slice(a.s.p, a.s.n), str_slice(b.s.p, b.s.n)) < 0;
    return is_float(type) ? a.d < b.d : is_unsigned(type) ? a.u < b.u : a.i < b.i;
}

/* What a pick holds, its text where texts are kept: behind it. */
static RtValue held(const RtAggInfo *agg, RtPick *pick)
{
    RtValue v = pick->value;
    if (rt_is_text(agg->type)) v.s.p = (char *)(pick + 1);
    return v;
}

/* Returns whether it is held from now on. */
static int add_pick(const RtAggInfo *agg, RtPick *pick, RtValue v)
{
    int replace = 0;
    if (!pick->n || agg->kind == RT_AGG_LAST)
        replace = 1;
    else if (agg->kind == RT_AGG_MIN)
        replace = less(agg->type, v, held(agg, pick));
    else if (agg->kind == RT_AGG_MAX)
        replace = less(agg->type, held(agg, pick), v);
    if (replace && rt_is_text(agg->type)) {
        if (v.s.n > agg->bytes_max) v.s.n = agg->bytes_max; /* the type does not let it come here */
        if (v.s.n) memmove(pick + 1, v.s.p, v.s.n);
        pick->value.s.n = v.s.n;
    } else if (replace) {
        pick->value = v;
    }
    pick->n++;
    return replace;
}

static void add_ends(RtEnds *ends, RtValue v, i64 ns)
{
    if (!ends->n || ns < ends->first_ns) {
        ends->first = v;
        ends->first_ns = ns;
    }
    if (!ends->n || ns >= ends->last_ns) {
        ends->last = v;
        ends->last_ns = ns;
    }
    ends->n++;
}

/* A record older than the last one is left out: what held in between is known already. */
static void add_area(RtArea *area, f64 v, i64 ns)
{
    if (area->n && ns < area->last_ns) return;
    if (area->n)
        area->area += area->last * (f64)((i128)ns - area->last_ns);
    else
        area->first_ns = ns;
    area->last = v;
    area->last_ns = ns;
    area->n++;
}

static int item_room(RtAggMemory *memory, const RtAggInfo *agg, RtItems *list)
{
    if (list->n < list->cap || list->n >= agg->count) return 1;
    u64 cap = list->cap ? list->cap * 2 : 8, item = RT_ITEM_BYTES(1);
    char *more = rt_pool_get(&memory->pool, cap * item);
    if (!more) return 0;
    if (list->n) memcpy(more, list->items, list->n * item);
    rt_pool_put(&memory->pool, list->items, list->cap * item);
    list->items = more;
    list->cap = cap;
    return 1;
}

static int add_item(RtAggMemory *memory, const RtAggInfo *agg, RtItems *list, RtValue v)
{
    if (list->n >= agg->count) return 1; /* the first ones are kept */
    if (!item_room(memory, agg, list)) return 0;
    if (rt_is_text(agg->type)) {
        char *copy = rt_pool_get(&memory->pool, v.s.n ? v.s.n : 1);
        if (!copy) return 0;
        if (v.s.n) memcpy(copy, v.s.p, v.s.n);
        v.s.p = copy;
    }
    char *item = list->items + list->n++ * RT_ITEM_BYTES(1);
    memset(item, 0, RT_ITEM_BYTES(1));
    memcpy(item, &v, sizeof v);
    item[sizeof v] = 1;
    return 1;
}

/* The text has room too, which the next one to ask gets. */
static int try_item(RtAggMemory *memory, const RtAggInfo *agg, RtItems *list, RtValue v)
{
    if (!item_room(memory, agg, list)) return 0;
    if (!rt_is_text(agg->type) || list->n >= agg->count) return 1;
    u64 bytes = v.s.n ? v.s.n : 1;
    char *text = rt_pool_get(&memory->pool, bytes);
    rt_pool_put(&memory->pool, text, bytes);
    return text != NULL;
}

u32 rt_agg_try(RtAggMemory *memory, const RtAggInfo *agg, void *state, RtValue v)
{
    RtSketch *sketch = state;
    int room = 1;
    switch ((RtAggKind)agg->kind) {
    case RT_AGG_SUM:
    case RT_AGG_MEAN:
        if (!rt_agg_sums(agg)) return RT_FINE;
        return (is_unsigned(agg->type) ? rt_fits_u64(state, v.u) : rt_fits_i64(state, v.i))
                   ? RT_FINE
                   : RT_OVERFLOW;
    case RT_AGG_QUANTILE:
        room = v.d == 0 || sketch->used < sketch->cap || rt_sketch_room(memory, sketch, agg->bits);
        break;
    case RT_AGG_DISTINCT: room = rt_set_room(memory, state, agg->type, v, agg->bits); break;
    case RT_AGG_LIST: room = try_item(memory, agg, state, v); break;
    default: break;
    }
    return room ? RT_FINE : RT_STATE_FULL;
}

/* Two aggregates may have found the same piece of room: what was tried goes in beyond the limit of
 * state then, a record's worth at most. */
static void beyond(RtAggMemory *memory, int yes)
{
    memory->beyond = memory->pool.beyond = (u8)yes;
}

void rt_agg_take(RtAggMemory *memory, const RtAggInfo *agg, void *state, RtValue v, i64 ns)
{
    int kept = 1;
    switch ((RtAggKind)agg->kind) {
    case RT_AGG_COUNT: ((RtCount *)state)->n++; return;
    case RT_AGG_COUNT_IF: ((RtCount *)state)->n += v.i != 0; return;
    case RT_AGG_SUM: add_sum(state, agg->type, v); return;
    case RT_AGG_MEAN: add_sum(state, mean_type(agg), v); return;
    case RT_AGG_MIN:
    case RT_AGG_MAX:
    case RT_AGG_FIRST:
    case RT_AGG_LAST: (void)add_pick(agg, state, v); return;
    case RT_AGG_STDDEV: rt_add_variance(state, v.d); return;
    case RT_AGG_DELTA:
    case RT_AGG_RATE: add_ends(state, v, ns); return;
    case RT_AGG_TIME_WEIGHTED: add_area(state, v.d, ns); return;
    case RT_AGG_REVISION: return;
    case RT_AGG_QUANTILE:
    case RT_AGG_DISTINCT:
    case RT_AGG_LIST: break;
    }
    beyond(memory, 1);
    if (agg->kind == RT_AGG_QUANTILE)
        kept = rt_sketch_add(memory, state, v, agg->bits) != 0;
    else if (agg->kind == RT_AGG_DISTINCT)
        kept = rt_set_add(memory, state, agg->type, v, agg->bits);
    else
        kept = add_item(memory, agg, state, v);
    beyond(memory, 0);
    if (!kept) memory->pipe->out_of_memory = 1;
}

/* ---- results ---- */

static int ends_value(const RtAggInfo *agg, const RtEnds *ends, RtValue *ret)
{
    RtValue d = {0};
    if (is_float(agg->type)) {
        d.d = ends->last.d - ends->first.d;
        if (agg->type == RT_F32) d.d = (f64)(f32)d.d;
    } else {
        i128 whole = is_unsigned(agg->type) ? (i128)ends->last.u - (i128)ends->first.u
                                            : (i128)ends->last.i - ends->first.i;
        if (agg->kind == RT_AGG_RATE) d.d = (f64)whole;
        if (agg->kind == RT_AGG_DELTA && (whole > INT64_MAX || whole < INT64_MIN)) return 0;
        if (agg->kind == RT_AGG_DELTA) d.i = (i64)whole;
    }
    *ret = d;
    if (agg->kind == RT_AGG_DELTA) return ends->n > 0;
    u64 ns = (u64)ends->last_ns - (u64)ends->first_ns;
    if (!ends->n || !ns) return 0;
    ret->d = d.d / ((f64)ns / 1e9);
    return 1;
}

static int area_value(const RtArea *area, i64 end_ns, RtValue *ret)
{
    if (!area->n) return 0;
    i64 end = end_ns > area->last_ns ? end_ns : area->last_ns;
    u64 ns = (u64)end - (u64)area->first_ns;
    ret->d = area->last;
    if (ns) ret->d = (area->area + area->last * (f64)((u64)end - (u64)area->last_ns)) / (f64)ns;
    return 1;
}

void rt_agg_value(const RtAggInfo *agg, void *state, i64 end_ns, RtValue *ret, u8 *ret_has)
{
    const RtSum *sum = state;
    const RtVariance *variance = state;
    RtSketch *sketch = state;
    const RtItems *list = state;
    *ret_has = 1;
    ret->u = 0;
    switch ((RtAggKind)agg->kind) {
    case RT_AGG_COUNT:
    case RT_AGG_COUNT_IF:
    case RT_AGG_REVISION: ret->u = ((const RtCount *)state)->n; break;
    case RT_AGG_SUM: *ret = sum->sum; break;
    case RT_AGG_MEAN:
        *ret_has = sum->n > 0;
        ret->d = sum->n ? mean_of(agg, sum) : 0;
        break;
    case RT_AGG_MIN:
    case RT_AGG_MAX:
    case RT_AGG_FIRST:
    case RT_AGG_LAST:
        *ret_has = ((RtPick *)state)->n > 0;
        *ret = held(agg, state);
        break;
    case RT_AGG_STDDEV:
        *ret_has = variance->n > 0;
        ret->d = variance->n > 1 ? __builtin_sqrt(variance->m2 / (f64)(variance->n - 1)) : 0;
        break;
    case RT_AGG_QUANTILE:
        *ret_has = rt_sketch_n(sketch) > 0;
        ret->d = *ret_has ? rt_sketch_quantile(sketch, agg->p, agg->bits) : 0;
        break;
    case RT_AGG_DISTINCT: ret->u = rt_set_count(state, agg->bits); break;
    case RT_AGG_DELTA:
    case RT_AGG_RATE: *ret_has = (u8)ends_value(agg, state, ret); break;
    case RT_AGG_TIME_WEIGHTED: *ret_has = (u8)area_value(state, end_ns, ret); break;
    case RT_AGG_LIST:
        ret->s.p = list->items;
        ret->s.n = list->n;
        break;
    }
}

/* ---- two into one ---- */

int rt_agg_fits(const RtAggInfo *agg, const RtSum *const *sums, u32 count)
{
    i128 total = 0;
    for (u32 i = 0; i < count; i++)
        total += is_unsigned(agg->type) ? (i128)sums[i]->sum.u : (i128)sums[i]->sum.i;
    return is_unsigned(agg->type) ? total >= 0 && total <= UINT64_MAX
                                  : total >= INT64_MIN && total <= INT64_MAX;
}

static void merge_sum(RtSum *into, const RtSum *from, u8 type)
{
    u64 n = into->n + from->n;
    if (from->n) add_sum(into, type, from->sum);
    into->n = n;
}

static void merge_pick(const RtAggInfo *agg, RtPick *into, RtPick *from)
{
    if (!from->n) return;
    u64 n = into->n + from->n;
    (void)add_pick(agg, into, held(agg, from));
    into->n = n;
}

/* Chan's formula for two groups. */
static void merge_variance(RtVariance *into, const RtVariance *from)
{
    if (!from->n) return;
    f64 n = (f64)into->n + (f64)from->n, d = from->mean - into->mean;
    into->m2 += from->m2 + d * d * (f64)into->n * (f64)from->n / n;
    into->mean += d * (f64)from->n / n;
    into->n += from->n;
}

static void merge_ends(RtEnds *into, const RtEnds *from)
{
    if (!from->n) return;
    u64 n = into->n + from->n;
    add_ends(into, from->first, from->first_ns);
    add_ends(into, from->last, from->last_ns);
    into->n = n;
}

static void merge_area(RtArea *into, const RtArea *from)
{
    if (!from->n) return;
    if (!into->n) {
        *into = *from;
        return;
    }
    if (from->first_ns < into->last_ns) return; /* cannot be: `from` is of later records */
    into->area += into->last * (f64)((i128)from->first_ns - into->last_ns) + from->area;
    into->last = from->last;
    into->last_ns = from->last_ns;
    into->n += from->n;
}

static int merge_items(RtAggMemory *memory, const RtAggInfo *agg, RtItems *into, RtItems *from)
{
    for (u64 i = 0; i < from->n; i++) {
        RtValue v;
        memcpy(&v, from->items + i * RT_ITEM_BYTES(1), sizeof v);
        if (!add_item(memory, agg, into, v)) return 0;
    }
    return 1;
}

/* What both hold has its room already, so for the moment that both do the limit does not count. */
static void merge_held(RtAggMemory *memory, const RtAggInfo *agg, void *into, void *from)
{
    beyond(memory, 1);
    int kept = agg->kind == RT_AGG_QUANTILE   ? rt_sketch_merge(memory, into, from, agg->bits)
               : agg->kind == RT_AGG_DISTINCT ? rt_set_merge(memory, into, from, agg->bits)
                                              : merge_items(memory, agg, into, from);
    beyond(memory, 0);
    if (!kept) memory->pipe->out_of_memory = 1;
    rt_agg_release(memory, agg, from);
}

void rt_agg_merge(RtAggMemory *memory, const RtAggInfo *agg, void *into, void *from)
{
    RtCount *count = into;
    const RtCount *more = from;
    switch ((RtAggKind)agg->kind) {
    case RT_AGG_COUNT:
    case RT_AGG_COUNT_IF: count->n += more->n; break;
    case RT_AGG_REVISION:
        if (more->n > count->n) count->n = more->n;
        break;
    case RT_AGG_SUM: merge_sum(into, from, agg->type); break;
    case RT_AGG_MEAN: merge_sum(into, from, mean_type(agg)); break;
    case RT_AGG_MIN:
    case RT_AGG_MAX:
    case RT_AGG_FIRST:
    case RT_AGG_LAST: merge_pick(agg, into, from); break;
    case RT_AGG_STDDEV: merge_variance(into, from); break;
    case RT_AGG_DELTA:
    case RT_AGG_RATE: merge_ends(into, from); break;
    case RT_AGG_TIME_WEIGHTED: merge_area(into, from); break;
    case RT_AGG_QUANTILE:
    case RT_AGG_DISTINCT:
    case RT_AGG_LIST: merge_held(memory, agg, into, from); break;
    }
}

/* ---- panes ---- */

static int is_pick(const RtAggInfo *agg)
{
    return agg->kind >= RT_AGG_MIN && agg->kind <= RT_AGG_LAST;
}

void rt_agg_share(RtAggMemory *memory, const RtAggInfo *agg, void *state, RtValue v, i64 ns,
                  u64 number)
{
    RtPick *pick = state;
    if (!is_pick(agg)) {
        rt_agg_take(memory, agg, state, v, ns);
        return;
    }
    u64 before = pick->n;
    pick->n = add_pick(agg, pick, v) ? number : before;
}

/* Of equal ones, like 0 and -0, the one that came first is held. */
static int takes_over(const RtAggInfo *agg, RtPick *into, RtValue v, u64 number)
{
    int earlier = number < into->n;
    if (!into->n) return 1;
    if (agg->kind == RT_AGG_FIRST) return earlier;
    if (agg->kind == RT_AGG_LAST) return !earlier;
    RtValue old = held(agg, into);
    int before = less(agg->type, v, old), behind = less(agg->type, old, v);
    return agg->kind == RT_AGG_MIN ? before || (earlier && !behind)
                                   : behind || (earlier && !before);
}

static void join_pick(const RtAggInfo *agg, RtPick *into, const RtPick *from)
{
    RtValue v = from->value;
    if (rt_is_text(agg->type)) v.s.p = (const char *)(from + 1);
    if (!from->n || !takes_over(agg, into, v, from->n)) return;
    into->n = 0; /* so that it is replaced */
    (void)add_pick(agg, into, v);
    into->n = from->n;
}

int rt_agg_join(RtAggMemory *memory, const RtAggInfo *agg, void *into, const void *from)
{
    switch ((RtAggKind)agg->kind) {
    case RT_AGG_COUNT:
    case RT_AGG_COUNT_IF: ((RtCount *)into)->n += ((const RtCount *)from)->n; return 1;
    case RT_AGG_MIN:
    case RT_AGG_MAX:
    case RT_AGG_FIRST:
    case RT_AGG_LAST: join_pick(agg, into, from); return 1;
    case RT_AGG_DISTINCT: return rt_set_merge(memory, into, from, agg->bits);
    case RT_AGG_DELTA:
    case RT_AGG_RATE: merge_ends(into, from); return 1;
    case RT_AGG_SUM:
    case RT_AGG_MEAN: ((RtSum *)into)->n += ((const RtSum *)from)->n; return 1;
    default: return 1; /* a sketch, or in the cells of each window */
    }
}

void rt_agg_release(RtAggMemory *memory, const RtAggInfo *agg, void *state)
{
    RtItems *list = state;
    if (agg->kind == RT_AGG_QUANTILE) rt_sketch_release(memory, state, agg->bits);
    if (agg->kind == RT_AGG_DISTINCT) rt_set_release(memory, state, agg->bits);
    if (agg->kind != RT_AGG_LIST) return;
    for (u64 i = 0; rt_is_text(agg->type) && i < list->n; i++) {
        RtValue v;
        memcpy(&v, list->items + i * RT_ITEM_BYTES(1), sizeof v);
        rt_pool_put(&memory->pool, (void *)(uintptr_t)v.s.p, v.s.n ? v.s.n : 1);
    }
    rt_pool_put(&memory->pool, list->items, list->cap * RT_ITEM_BYTES(1));
    *list = (RtItems){0};
}

/* ---- saved state ---- */

static void save_items(const RtAggInfo *agg, const RtItems *list, Buf *out)
{
    buf_add(out, &list->n, 8);
    for (u64 i = 0; i < list->n; i++) {
        RtValue v;
        memcpy(&v, list->items + i * RT_ITEM_BYTES(1), sizeof v);
        if (rt_is_text(agg->type)) {
            buf_add(out, &v.s.n, 8);
            buf_add(out, v.s.p, v.s.n);
        } else {
            buf_add(out, &v.u, 8);
        }
    }
}

static int load_items(RtAggMemory *memory, const RtAggInfo *agg, RtItems *list, Str *from)
{
    u64 count;
    if (!rt_take(from, &count, 8) || count > agg->count) return 0;
    while (count--) {
        RtValue v = {0};
        if (rt_is_text(agg->type)) {
            if (!rt_take(from, &v.s.n, 8) || v.s.n > from->len) return 0;
            v.s.p = from->ptr;
            *from = str_skip(*from, v.s.n);
        } else if (!rt_take(from, &v.u, 8)) {
            return 0;
        }
        if (!add_item(memory, agg, list, v)) return 0;
    }
    return 1;
}

void rt_agg_save(const RtAggInfo *agg, const void *state, u32 bytes, Buf *out)
{
    switch (agg->kind) {
    case RT_AGG_QUANTILE: rt_sketch_save(state, agg->bits, out); break;
    case RT_AGG_DISTINCT: rt_set_save(state, agg->bits, out); break;
    case RT_AGG_LIST: save_items(agg, state, out); break;
    default: buf_add(out, state, bytes); break;
    }
}

int rt_agg_load(RtAggMemory *memory, const RtAggInfo *agg, void *state, u32 bytes, Str *from)
{
    const RtPick *pick = state;
    switch (agg->kind) {
    case RT_AGG_QUANTILE: return rt_sketch_load(memory, state, agg->bits, from);
    case RT_AGG_DISTINCT: return rt_set_load(memory, state, agg->bits, from);
    case RT_AGG_LIST: return load_items(memory, agg, state, from);
    default: break;
    }
    if (!rt_take(from, state, bytes)) return 0;
    bool text = agg->kind >= RT_AGG_MIN && agg->kind <= RT_AGG_LAST && rt_is_text(agg->type);
    return !text || pick->value.s.n <= bytes - sizeof *pick;
}
