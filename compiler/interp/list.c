/* compiler/interp/list.c: kernels on lists and items, and calls of memories, tables and joins.
 *
 * Each is a call of the runtime for every active lane, in the order of the records; leaves of items
 * are read in place. What a memory gives depends on the records before, so its lanes must be the
 * very ones that come there one by one. */
#include "compiler/interp/interp_int.h"

#define ACTIVE                                                                                     \
    uint32_t count;                                                                                \
    const uint16_t *lanes = interp__lanes(f, &count);                                              \
    for (uint32_t i = 0, r; i < count && (r = lanes[i], true); i++)

static void result(Frame *f, const Step *s, uint32_t lane, uint32_t why, RtValue value, bool has)
{
    const Args *args = s->more;
    f->starved |= why == RT_TOO_LONG;
    if (RT_RARE(why)) {
        interp__lane_fail(f, s, lane, why);
        return;
    }
    interp__put(f, &args->dst, lane, value);
    if (args->has != NO_COLUMN) COLUMN(f, uint8_t, args->has)[lane] = has;
}

static u8 there(const Frame *f, const Pair *pair, uint32_t lane)
{
    return pair->has == NO_COLUMN || COLUMN(f, uint8_t, pair->has)[lane];
}

void interp__list_of(Frame *f, const Step *s)
{
    const Args *args = s->more;
    RtValue *v = COLUMN(f, RtValue, args->space), ret;
    u8 *h = (u8 *)(v + args->count);
    ACTIVE
    {
        for (uint32_t k = 0; k < args->count; k++) {
            v[k] = interp__value(f, &args->list[k].value, r);
            h[k] = there(f, &args->list[k], r);
        }
        u32 items = args->count / args->item->leaf_count;
        u32 why = f->rt->list(f->pipe, args->item, v, h, items, &ret);
        result(f, s, r, why, ret, true);
    }
}

void interp__index(Frame *f, const Step *s)
{
    const Args *args = s->more;
    ACTIVE
    {
        RtValue in[2] = {interp__value(f, &args->list[0].value, r),
                         interp__value(f, &args->list[1].value, r)},
                ret = {.i = 0};
        u8 has = 1;
        u32 why = f->rt->index(f->pipe, args->item, in, &ret, &has);
        result(f, s, r, why, ret, has);
    }
}

void interp__count_of(Frame *f, const Step *s)
{
    const RtText *a = COLUMN(f, RtText, s->a);
    int64_t *d = COLUMN(f, int64_t, s->dst);
    for (uint32_t r = 0; r < f->n; r++) d[r] = (int64_t)a[r].n;
}

void interp__item_field(Frame *f, const Step *s)
{
    const Args *args = s->more;
    ACTIVE
    {
        RtText item = COLUMN(f, RtText, args->list[0].value.column)[r];
        result(f, s, r, RT_FINE, *rt_item_value(item, args->index),
               rt_item_has(item, args->item->leaf_count, args->index));
    }
}

void interp__list_has(Frame *f, const Step *s)
{
    const Args *args = s->more;
    ACTIVE
    {
        RtValue in[2] = {interp__value(f, &args->list[0].value, r),
                         interp__value(f, &args->list[1].value, r)},
                ret = {.i = 0};
        u32 why = f->rt->list_has(f->pipe, args->item, in, &ret);
        result(f, s, r, why, ret, true);
    }
}

void interp__list_agg(Frame *f, const Step *s)
{
    const Args *args = s->more;
    ACTIVE
    {
        RtValue in = interp__value(f, &args->list[0].value, r), ret = {.i = 0};
        u32 why = f->rt->list_agg(f->pipe, args->item, args->index, &in, &ret);
        result(f, s, r, why, ret, true);
    }
}

/* ---- memories ---- */

/* The time of the lane: a register, the event time of this record, or its arrival. */
static int64_t time_of(Frame *f, const Args *args, uint32_t lane)
{
    if (args->time.column != NO_COLUMN) return COLUMN(f, int64_t, args->time.column)[lane];
    if (args->event_time) return f->pipe->event_ns;
    return f->in->records && f->of_main ? f->in->records[lane].received_ns : f->pipe->received_ns;
}

enum { MEM_ARGS_MAX = 32 };

void interp__mem(Frame *f, const Step *s)
{
    const Args *args = s->more;
    ACTIVE
    {
        RtValue in[MEM_ARGS_MAX], ret = {.s = {0, 0}};
        u8 have[MEM_ARGS_MAX], has = 0;
        for (uint32_t k = 0; k < args->count; k++) {
            in[k] = interp__value(f, &args->list[k].value, r);
            have[k] = there(f, &args->list[k], r);
        }
        u32 why = f->rt->mem(f->pipe, args->index, time_of(f, args, r), in, have, &ret, &has);
        result(f, s, r, why, ret, has);
    }
}

/* ---- tables, and the last records of other streams ---- */

/* Where there is none the item has every leaf missing. */
static void find(Frame *f, const Step *s, bool table)
{
    const Args *args = s->more;
    ACTIVE
    {
        RtValue keys[MEM_ARGS_MAX], ret;
        u8 has = 0;
        for (uint32_t k = 0; k < args->count; k++)
            keys[k] = interp__value(f, &args->list[k].value, r);
        if (table)
            f->rt->lookup(f->pipe, args->index, keys, &ret, &has);
        else
            f->rt->recall(f->pipe, args->index, time_of(f, args, r), keys, &ret, &has);
        result(f, s, r, RT_FINE, ret, has);
    }
}

void interp__lookup(Frame *f, const Step *s)
{
    find(f, s, true);
}

void interp__recall(Frame *f, const Step *s)
{
    find(f, s, false);
}
