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

static u32 add_sum(RtSum *sum, u8 type, RtValue v)
{
    if (is_float(type)) {
        rt_add_f64(sum, v.d);
        return RT_FINE;
    }
    u32 fits = is_unsigned(type) ? rt_add_u64(sum, v.u) : rt_add_i64(sum, v.i);
    return fits ? RT_FINE : RT_OVERFLOW;
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

static u32 add_item(RtAggMemory *memory, const RtAggInfo *agg, RtItems *list, RtValue v)
{
    if (list->n >= agg->count) return RT_FINE; /* the first ones are kept */
    if (list->n == list->cap) {
        u64 cap = list->cap ? list->cap * 2 : 8, item = RT_ITEM_BYTES(1);
        char *more = rt_pool_get(&memory->pool, cap * item);
        if (!more) return RT_STATE_FULL;
        if (list->n) memcpy(more, list->items, list->n * item);
        rt_pool_put(&memory->pool, list->items, list->cap * item);
        list->items = more;
        list->cap = cap;
    }
    if (rt_is_text(agg->type)) {
        char *copy = rt_pool_get(&memory->pool, v.s.n ? v.s.n : 1);
        if (!copy) return RT_STATE_FULL;
        if (v.s.n) memcpy(copy, v.s.p, v.s.n);
        v.s.p = copy;
    }
    char *item = list->items + list->n++ * RT_ITEM_BYTES(1);
    memset(item, 0, RT_ITEM_BYTES(1));
    memcpy(item, &v, sizeof v);
    item[sizeof v] = 1;
    return RT_FINE;
}

u32 rt_agg_add(RtAggMemory *memory, const RtAggInfo *agg, void *state, RtValue v, i64 ns)
{
    switch ((RtAggKind)agg->kind) {
    case RT_AGG_COUNT: ((RtCount *)state)->n++; return RT_FINE;
    case RT_AGG_COUNT_IF: ((RtCount *)state)->n += v.i != 0; return RT_FINE;
    case RT_AGG_SUM: return add_sum(state, agg->type, v);
    case RT_AGG_MEAN: return add_sum(state, mean_type(agg), v);
    case RT_AGG_MIN:
    case RT_AGG_MAX:
    case RT_AGG_FIRST:
    case RT_AGG_LAST: (void)add_pick(agg, state, v); return RT_FINE;
    case RT_AGG_STDDEV: rt_add_variance(state, v.d); return RT_FINE;
    case RT_AGG_QUANTILE:
        return rt_sketch_add(memory, state, v, agg->bits) ? RT_FINE : RT_STATE_FULL;
    case RT_AGG_DISTINCT:
        return rt_set_add(memory, state, agg->type, v, agg->bits) ? RT_FINE : RT_STATE_FULL;
    case RT_AGG_DELTA:
    case RT_AGG_RATE: add_ends(state, v, ns); return RT_FINE;
    case RT_AGG_TIME_WEIGHTED: add_area(state, v.d, ns); return RT_FINE;
    case RT_AGG_LIST: return add_item(memory, agg, state, v);
    case RT_AGG_REVISION: return RT_FINE;
    }
    return RT_FINE;
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

static u32 merge_sum(RtSum *into, const RtSum *from, u8 type)
{
    u64 n = into->n + from->n;
    u32 why = from->n ? add_sum(into, type, from->sum) : RT_FINE;
    into->n = n;
    return why;
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

static u32 merge_items(RtAggMemory *memory, const RtAggInfo *agg, RtItems *into, RtItems *from)
{
    for (u64 i = 0; i < from->n; i++) {
        RtValue v;
        memcpy(&v, from->items + i * RT_ITEM_BYTES(1), sizeof v);
        u32 why = add_item(memory, agg, into, v);
        if (why) return why;
    }
    rt_agg_release(memory, agg, from);
    return RT_FINE;
}

u32 rt_agg_merge(RtAggMemory *memory, const RtAggInfo *agg, void *into, void *from)
{
    RtSum *sum = into;
    switch ((RtAggKind)agg->kind) {
    case RT_AGG_COUNT:
    case RT_AGG_COUNT_IF: ((RtCount *)into)->n += ((const RtCount *)from)->n; return RT_FINE;
    case RT_AGG_REVISION: {
        u64 n = ((const RtCount *)from)->n;
        if (n > ((RtCount *)into)->n) ((RtCount *)into)->n = n;
        return RT_FINE;
    }
    case RT_AGG_SUM: return merge_sum(sum, from, agg->type);
    case RT_AGG_MEAN: return merge_sum(sum, from, mean_type(agg));
    case RT_AGG_MIN:
    case RT_AGG_MAX:
    case RT_AGG_FIRST:
    case RT_AGG_LAST: merge_pick(agg, into, from); return RT_FINE;
    case RT_AGG_STDDEV: merge_variance(into, from); return RT_FINE;
    case RT_AGG_QUANTILE: {
        if (!rt_sketch_merge(memory, into, from, agg->bits)) return RT_STATE_FULL;
        rt_sketch_release(memory, from, agg->bits);
        return RT_FINE;
    }
    case RT_AGG_DISTINCT: {
        if (!rt_set_merge(memory, into, from, agg->bits)) return RT_STATE_FULL;
        rt_set_release(memory, from, agg->bits);
        return RT_FINE;
    }
    case RT_AGG_DELTA:
    case RT_AGG_RATE: merge_ends(into, from); return RT_FINE;
    case RT_AGG_TIME_WEIGHTED: merge_area(into, from); return RT_FINE;
    case RT_AGG_LIST: return merge_items(memory, agg, into, from);
    }
    return RT_FINE;
}

/* ---- panes ---- */

static int is_pick(const RtAggInfo *agg)
{
    return agg->kind >= RT_AGG_MIN && agg->kind <= RT_AGG_LAST;
}

u32 rt_agg_share(RtAggMemory *memory, const RtAggInfo *agg, void *state, RtValue v, i64 ns,
                 u64 number)
{
    RtPick *pick = state;
    if (!is_pick(agg)) return rt_agg_add(memory, agg, state, v, ns);
    u64 before = pick->n;
    pick->n = add_pick(agg, pick, v) ? number : before;
    return RT_FINE;
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
        if (add_item(memory, agg, list, v)) return 0;
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
