/* runtime/flow/list.c: lists: making, looking inside, adding up, writing as JSON.
 *
 * A list is n items behind each other, an item is a row in memory, so that one layout serves the
 * decoder, literals, tables and state. Lists of one record live in its scratch and are never freed
 * alone. Reading them as JSON is scan.c's. */
#include "flow/list.h"

#include "flow/asking.h"

#include "flow/hot.h"
#include "flow/pipe.h"

#include <math.h>
#include <string.h>

static RtText item_at(const RtSchema *item, const RtValue *list, u64 index)
{
    return (RtText){list->s.p + index * RT_ITEM_BYTES(item->leaf_count), 1};
}

u32 rt_list(RtPipe *pipe, const RtSchema *item, const RtValue *values, const u8 *has, u32 count,
            RtValue *ret)
{
    u32 leaves = item->leaf_count;
    u64 stride = RT_ITEM_BYTES(leaves);
    char *w = rt_scratch(pipe, count * stride);
    if (!w) return RT_TOO_LONG;
    ret->s = (RtText){w, count};
    for (u32 i = 0; i < count; i++, w += stride, values += leaves, has += leaves) {
        memcpy(w, values, 16 * (u64)leaves);
        memcpy(w + 16 * (u64)leaves, has, leaves);
    }
    return RT_FINE;
}

u32 rt_index(RtPipe *pipe, const RtSchema *item, const RtValue *args, RtValue *ret, u8 *ret_has)
{
    (void)pipe;
    if (args[1].i < 0 || args[1].u >= args[0].s.n) return RT_RANGE;
    RtText at = item_at(item, &args[0], args[1].u);
    *ret_has = 1;
    ret->s = at;
    if (!rt_scalar_item(item)) return RT_FINE;
    *ret = *rt_item_value(at, 0);
    *ret_has = rt_item_has(at, 1, 0);
    return RT_FINE;
}

static int equal(u8 type, RtValue a, RtValue b)
{
    switch (type) {
    case RT_STR:
    case RT_BYTES: return a.s.n == b.s.n && (!a.s.n || memcmp(a.s.p, b.s.p, a.s.n) == 0);
    case RT_F32:
    case RT_F64: return a.d == b.d;
    default: return a.i == b.i;
    }
}

u32 rt_list_has(RtPipe *pipe, const RtSchema *item, const RtValue *args, RtValue *ret)
{
    (void)pipe;
    ret->i = 0;
    for (u64 i = 0; i < args[0].s.n && !ret->i; i++) {
        RtText at = item_at(item, &args[0], i);
        ret->i =
            rt_item_has(at, 1, 0) && equal(item->fields[0].type, *rt_item_value(at, 0), args[1]);
    }
    return RT_FINE;
}

/* ---- aggregates ---- */

static f64 as_f64(const RtField *field, RtValue v)
{
    switch (field->type) {
    case RT_F32:
    case RT_F64: return v.d;
    case RT_U32:
    case RT_U64: return (f64)v.u;
    case RT_DECIMAL: return (f64)v.i / pow(10, field->scale);
    default: return (f64)v.i;
    }
}

/* -1, 0, 1 */
static int order(u8 type, RtValue a, RtValue b)
{
    switch (type) {
    case RT_F32:
    case RT_F64: return (a.d > b.d) - (a.d < b.d);
    case RT_U32:
    case RT_U64: return (a.u > b.u) - (a.u < b.u);
    default: return (a.i > b.i) - (a.i < b.i);
    }
}

static u32 add(u8 type, RtValue v, RtSum *sum)
{
    if (type == RT_F32 || type == RT_F64) {
        rt_add_f64(sum, v.d);
        return RT_FINE;
    }
    u32 fine = type == RT_U32 || type == RT_U64 ? rt_add_u64(sum, v.u) : rt_add_i64(sum, v.i);
    return fine ? RT_FINE : RT_OVERFLOW;
}

typedef struct Fold {
    RtSum sum, mean;
    RtVariance variance;
    RtValue best;
} Fold;

static u32 fold(Fold *f, const RtField *field, u32 kind, RtValue v)
{
    u64 n = f->mean.n;
    rt_add_f64(&f->mean, kind == RT_AGG_MEAN ? as_f64(field, v) : 0);
    switch (kind) {
    case RT_AGG_SUM: return add(field->type, v, &f->sum);
    case RT_AGG_STDDEV: rt_add_variance(&f->variance, as_f64(field, v)); break;
    case RT_AGG_MIN:
        if (!n || order(field->type, v, f->best) < 0) f->best = v;
        break;
    case RT_AGG_MAX:
        if (!n || order(field->type, v, f->best) > 0) f->best = v;
        break;
    case RT_AGG_LAST: f->best = v; break;
    default:
        if (!n) f->best = v;
    }
    return RT_FINE;
}

u32 rt_list_agg(RtPipe *pipe, const RtSchema *item, u32 kind, const RtValue *list, RtValue *ret)
{
    Fold f = {.mean = {.n = 0}};
    (void)pipe;
    for (u64 i = 0; i < list->s.n; i++) {
        RtText at = item_at(item, list, i);
        if (!rt_item_has(at, 1, 0)) continue;
        u32 why = fold(&f, item->fields, kind, *rt_item_value(at, 0));
        if (why) return why;
    }
    if (kind == RT_AGG_SUM) {
        *ret = f.sum.sum;
        return RT_FINE;
    }
    if (!f.mean.n) return RT_RANGE;
    *ret = f.best;
    if (kind == RT_AGG_MEAN) ret->d = f.mean.sum.d / (f64)f.mean.n;
    if (kind == RT_AGG_STDDEV)
        ret->d = f.variance.n > 1 ? sqrt(f.variance.m2 / (f64)(f.variance.n - 1)) : 0;
    return RT_FINE;
}

/* ---- as JSON ---- */

static int is_null(const RtSchema *item, RtText at)
{
    return rt_item_missing(item, (const u8 *)at.p + 16 * (u64)item->leaf_count);
}

u64 rt_list_bytes(const RtSchema *item, const RtValue *list)
{
    u64 bytes = 2 + list->s.n * 5;
    for (u64 i = 0; i < list->s.n; i++) {
        RtText at = item_at(item, list, i);
        const RtValue *values = rt_item_value(at, 0);
        if (is_null(item, at)) continue;
        if (rt_scalar_item(item))
            bytes += rt_value_bytes(item->fields, values[0]);
        else
            bytes += rt_json_bytes(rt_item_record(item), values,
                                   (const u8 *)at.p + 16 * (u64)item->leaf_count);
    }
    return bytes;
}

char *rt_put_list(char *w, const RtSchema *item, const RtValue *list)
{
    *w++ = '[';
    for (u64 i = 0; i < list->s.n; i++) {
        RtText at = item_at(item, list, i);
        const RtValue *values = rt_item_value(at, 0);
        if (i) *w++ = ',';
        if (is_null(item, at)) {
            memcpy(w, "null", 4);
            w += 4;
        } else if (rt_scalar_item(item)) {
            w = rt_put_value(w, item->fields, values[0], 1);
        } else {
            w = rt_put_json(w, rt_item_record(item), values,
                            (const u8 *)at.p + 16 * (u64)item->leaf_count);
        }
    }
    *w++ = ']';
    return w;
}

u64 rt_each(RtPipe *pipe, u32 stage, const RtSchema *item, RtValue list, RtValue *v, u8 *h, u32 row)
{
    u32 leaves = item->leaf_count;
    const char *at = list.s.p, *scratch = pipe->scratch;
    u64 used = pipe->scratch_len, i = 0;
    u8 before = pipe->in_row, asked = pipe->asked;
    bool asks = rt_host(pipe)->asking != NULL;
    if (asks && rt_asking_take(pipe, stage, list, v, h, row)) return 1;
    if (!before) pipe->in_row = 2;
    RtTurn turn;
    if (asks) rt_turn_begin(pipe, &turn);
    for (; i < list.s.n && !pipe->stopped; i++, at += RT_ITEM_BYTES(leaves)) {
        memcpy(v + row, at, sizeof *v * leaves);
        memcpy(h + row, at + sizeof *v * leaves, leaves);
        pipe->n.rows++;
        pipe->asked = 0;
        if (asks) rt_turn_next(&turn);
        pipe->info->run(pipe, stage, v, h);
        /* An item's texts end with it; in a block that is new none are older. */
        if (pipe->scratch != scratch) scratch = pipe->scratch, used = 0;
        pipe->scratch_len = used;
    }
    if (asks) rt_turn_end(pipe, &turn);
    pipe->in_row = before;
    pipe->asked = asked;
    return i;
}
