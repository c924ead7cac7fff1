/* compiler/emit_llvm/bitcode/ops.c: what one operation does, as functions that the JIT inlines.
 *
 * Compiled by clang to bitcode at build time and embedded in the plug-in; every JIT module starts
 * as a copy of it. The builder (ops of stage.c, row.c, layout.c, feed.c) makes only registers,
 * constants, branches and calls of what is here, found by name, so meaning is written in C once
 * more and not in builder calls. `bool` results mean "failed" unless the name says otherwise.
 *
 * What is seldom needed, or the same for every program, is native code of the plug-in (native.h):
 * it is not compiled again and again.
 *
 * Only functions: data other than `rt` would have to be relocated in every module. */
#include "compiler/emit_llvm/loop.h"
#include "flow/hot.h"

#define OP  __attribute__((always_inline))
#define OUT __attribute__((noinline))
#define bool _Bool
#define RT_8W(p) (*(RtLoad8 *)(void *)(p))

const RtApi *rt;

void jit_bind(const RtApi *api)
{
    if (rt != api) rt = api;
}

/* ---- arithmetic ---- */

#define CHECKED(name, type)                                                                        \
    OP bool op_add_##name(type a, type b, type *ret)                                               \
    {                                                                                              \
        return __builtin_add_overflow(a, b, ret);                                                  \
    }                                                                                              \
    OP bool op_sub_##name(type a, type b, type *ret)                                               \
    {                                                                                              \
        return __builtin_sub_overflow(a, b, ret);                                                  \
    }                                                                                              \
    OP bool op_mul_##name(type a, type b, type *ret)                                               \
    {                                                                                              \
        return __builtin_mul_overflow(a, b, ret);                                                  \
    }                                                                                              \
    OP bool op_neg_##name(type a, type *ret)                                                       \
    {                                                                                              \
        return __builtin_sub_overflow((type)0, a, ret);                                            \
    }
CHECKED(i32, i32)
CHECKED(i64, i64)
CHECKED(u32, u32)
CHECKED(u64, u64)

/* The caller has asked for zero. */
#define SIGNED_DIVISION(name, type)                                                                \
    OP bool op_idiv_##name(type a, type b, type *ret)                                              \
    {                                                                                              \
        if (b == -1) return __builtin_sub_overflow((type)0, a, ret);                               \
        *ret = a / b;                                                                              \
        return 0;                                                                                  \
    }                                                                                              \
    OP bool op_mod_##name(type a, type b, type *ret)                                               \
    {                                                                                              \
        *ret = b == -1 ? 0 : a % b;                                                                \
        return 0;                                                                                  \
    }
SIGNED_DIVISION(i32, i32)
SIGNED_DIVISION(i64, i64)

#define UNSIGNED_DIVISION(name, type)                                                              \
    OP bool op_idiv_##name(type a, type b, type *ret)                                              \
    {                                                                                              \
        *ret = a / b;                                                                              \
        return 0;                                                                                  \
    }                                                                                              \
    OP bool op_mod_##name(type a, type b, type *ret)                                               \
    {                                                                                              \
        *ret = a % b;                                                                              \
        return 0;                                                                                  \
    }
UNSIGNED_DIVISION(u32, u32)
UNSIGNED_DIVISION(u64, u64)

OP f64 op_fmod(f64 a, f64 b)
{
    return rt->fmod(a, b);
}

/* ---- conversion ---- */

#define FIT(from, to)                                                                              \
    OP bool op_fit_##from##_##to(from a, to *ret)                                                  \
    {                                                                                              \
        *ret = (to)a;                                                                              \
        return (from)*ret != a || (*ret < 0) != (a < 0);                                           \
    }
FIT(i32, i32)
FIT(i32, i64)
FIT(i32, u32)
FIT(i32, u64)
FIT(i64, i32)
FIT(i64, i64)
FIT(i64, u32)
FIT(i64, u64)
FIT(u32, i32)
FIT(u32, i64)
FIT(u32, u32)
FIT(u32, u64)
FIT(u64, i32)
FIT(u64, i64)
FIT(u64, u32)
FIT(u64, u64)

OP bool op_scale_up(i64 a, i64 power, i64 *ret)
{
    return __builtin_mul_overflow(a, power, ret);
}

OP bool op_scale_down(i64 a, i64 power, i64 *ret)
{
    *ret = a / power;
    return a % power != 0;
}

/* exact, or overflow */
#define WHOLE(to, lo, hi)                                                                          \
    OP bool op_whole_##to(f64 x, to *ret)                                                          \
    {                                                                                              \
        if (!(x >= lo && x < hi && x == (f64)(to)x)) return 1;                                     \
        *ret = (to)x;                                                                              \
        return 0;                                                                                  \
    }
WHOLE(i32, -2147483648.0, 2147483648.0)
WHOLE(i64, -9223372036854775808.0, 9223372036854775808.0)
WHOLE(u32, 0.0, 4294967296.0)
WHOLE(u64, 0.0, 18446744073709551616.0)

OP bool op_to_decimal(f64 x, u32 scale, i64 *ret)
{
    return rt->to_decimal(x, scale, ret) != 0;
}

OP i64 op_round_decimal(i64 v, u32 digits, u32 how)
{
    return rt->round_decimal(v, digits, how);
}

OP bool op_not_finite(f64 x)
{
    return !(__builtin_fabs(x) <= 0x1.fffffffffffffp+1023);
}

OP bool op_not_finite_f32(f32 x)
{
    return !(__builtin_fabsf(x) <= 0x1.fffffep+127f);
}

/* ---- text ---- */

OP bool op_text_eq(const RtText *a, const RtText *b)
{
    return a->n == b->n && !__builtin_memcmp(a->p, b->p, a->n);
}

OP i32 op_text_compare(const RtText *a, const RtText *b)
{
    return rt->compare(a->p, a->n, b->p, b->n);
}

OP bool op_starts(const RtText *a, const RtText *b)
{
    return a->n >= b->n && !__builtin_memcmp(a->p, b->p, b->n);
}

OP bool op_ends(const RtText *a, const RtText *b)
{
    return a->n >= b->n && !__builtin_memcmp(a->p + (a->n - b->n), b->p, b->n);
}

OP bool op_contains(const RtText *a, const RtText *b)
{
    return rt->contains(a->p, a->n, b->p, b->n) != 0;
}

OP bool op_matches(const RtText *a, const RtText *automaton)
{
    return rt->matches(automaton->p, a->p, a->n) != 0;
}

OP u64 op_bytes_of(const RtText *a)
{
    return a->n;
}

OP bool op_too_long(const RtText *a, u32 bytes_max)
{
    return a->n > bytes_max;
}

#define TEXT(name, type, put)                                                                      \
    OP bool op_text_##name(RtPipe *pipe, type v, RtText *ret)                                      \
    {                                                                                              \
        char *w = rt->scratch(pipe, 64);                                                           \
        if (RT_RARE(!w)) return 1;                                                                 \
        ret->p = w;                                                                                \
        ret->n = (u64)(rt->put(w, v) - w);                                                         \
        return 0;                                                                                  \
    }
TEXT(i64, i64, put_i64)
TEXT(u64, u64, put_u64)
TEXT(f32, f32, put_f32)
TEXT(f64, f64, put_f64)
TEXT(time, i64, put_time)
TEXT(duration, i64, put_duration)

OP bool op_text_decimal(RtPipe *pipe, i64 v, u32 scale, RtText *ret)
{
    char *w = rt->scratch(pipe, 64);
    if (RT_RARE(!w)) return 1;
    ret->p = w;
    ret->n = (u64)(rt->put_decimal(w, v, scale) - w);
    return 0;
}

OP bool op_text_bytes(RtPipe *pipe, const RtText *v, RtText *ret)
{
    char *w = rt->scratch(pipe, v->n * 2 + 8);
    if (RT_RARE(!w)) return 1;
    u64 n = (u64)(rt->put_base64(w, v->p, v->n) - w);
    ret->p = w;
    ret->n = n;
    return 0;
}

OP bool op_concat_begin(RtPipe *pipe, u64 n, RtText *text, char **w)
{
    *w = rt->scratch(pipe, n + 1);
    text->p = *w;
    text->n = n;
    return !*w;
}

OP void op_concat_part(char **w, const RtText *part)
{
    __builtin_memcpy(*w, part->p, part->n);
    *w += part->n;
}

OP u32 op_call(RtPipe *pipe, u32 which, const RtValue *args, u32 count, RtValue *ret)
{
    ret->s.p = 0;
    ret->s.n = 0;
    return rt->builtin(pipe, which, args, count, ret);
}

/* ---- meta data ---- */

OP void op_meta_topic(RtPipe *pipe, RtText *ret)
{
    *ret = (RtText){pipe->topic, pipe->topic_len};
}

OP void op_meta_key(RtPipe *pipe, RtText *ret)
{
    *ret = (RtText){pipe->key, pipe->key_len};
}

OP void op_meta_raw(RtPipe *pipe, RtText *ret)
{
    *ret = (RtText){pipe->raw, pipe->raw_len};
}

OP void op_meta_headers(RtPipe *pipe, RtText *ret)
{
    *ret = rt_headers(pipe);
}

OP void op_meta_kept(RtPipe *pipe, RtText *ret)
{
    const u8 keeps = pipe->info->sources[pipe->source].keeps;
    *ret = keeps ? (RtText){pipe->raw, pipe->raw_len} : (RtText){"{}", 2};
}

OP void op_meta_level(RtPipe *pipe, u32 level, RtText *ret)
{
    RtValue v;
    rt->meta_level(pipe, level, &v);
    *ret = v.s;
}

OP i64 op_meta_received(RtPipe *pipe)
{
    return pipe->received_ns;
}

/* ---- the stream ---- */

/* Not inlined: what seldom happens should be short at its place. */
OUT void op_error(RtPipe *pipe, u32 node, u32 reason, const char *field, const char *name)
{
    rt->error(pipe, node, reason, field, name);
}

OP RtWire *op_wires(RtPipe *pipe)
{
    return pipe->wires;
}

OP u64 op_watch(RtPipe *pipe)
{
    return pipe->watch;
}

OP bool op_pass(RtWire *wires, u64 watch, u32 wire) /* true: somebody looks */
{
    wires[wire].count++;
    return (watch & 1ull << (wire & 63)) != 0;
}

OUT void op_tap(RtPipe *pipe, u32 wire, const RtValue *v, const u8 *h)
{
    rt->tap(pipe, wire, v, h);
}

OP bool op_watermark(RtPipe *pipe, i64 ns, i64 order, i64 ahead)
{
    return !rt_watermark(pipe, rt, ns, order,
                         ahead ? pipe->received_ns + ahead : 0x7fffffffffffffffll);
}

OP void op_done(RtPipe *pipe, u32 done)
{
    if (done == 2)
        pipe->n.state++;
    else if (done == 1)
        pipe->n.emitted++;
    else if (done == 3)
        pipe->n.late++;
    else
        pipe->n.filtered++;
}

OP void op_row_done(RtPipe *pipe, u32 done)
{
    if (done == 2)
        pipe->n.row_state++;
    else if (done == 1)
        pipe->n.row_emitted++;
    else if (done == 3)
        pipe->n.row_late++;
    else
        pipe->n.row_filtered++;
}

/* Behind an answer, of a record or of a row. */
OP void op_ask_done(RtPipe *pipe, u32 done)
{
    if (pipe->in_row)
        op_row_done(pipe, done);
    else
        op_done(pipe, done);
}

OP bool op_asked(RtPipe *pipe)
{
    bool asked = pipe->asked;
    pipe->asked = 0;
    return asked;
}

OP void op_done_emitted(u32 *done)
{
    if (!*done) *done = 1;
}

OP void op_done_late(u32 *done)
{
    if (*done != 2) *done = 3;
}

/* True: rows were made. */
OP bool op_each(RtPipe *pipe, u32 stage, const RtSchema *item, const RtText *list, RtValue *v,
                u8 *h, u32 row)
{
    return rt->each(pipe, stage, item, (RtValue){.s = *list}, v, h, row) != 0;
}

OP void op_lookup(RtPipe *pipe, u32 table, const RtValue *key, RtValue *ret, u8 *has)
{
    *has = 0;
    rt->lookup(pipe, table, key, ret, has);
}

OP void op_recall(RtPipe *pipe, u32 join, const RtValue *keys, RtValue *ret, u8 *has)
{
    *has = 0;
    rt->recall(pipe, join, pipe->received_ns, keys, ret, has);
}

OP u32 op_remember(RtPipe *pipe, u32 join, const RtValue *keys, const RtValue *v, const u8 *h)
{
    return rt->remember(pipe, join, pipe->received_ns, keys, v, h);
}

OP u32 op_mem(RtPipe *pipe, u32 mem, i64 ns, const RtValue *args, const u8 *has, RtValue *ret,
              u8 *ret_has)
{
    ret->s.p = 0;
    ret->s.n = 0;
    *ret_has = 0;
    return rt->mem(pipe, mem, ns, args, has, ret, ret_has);
}

/* ---- windows ---- */

OP void op_clear(RtValue *v)
{
    v->u = 0;
}

OP u8 *op_slot(RtPipe *pipe, u32 window, i64 ns, const RtValue *keys, u32 *why)
{
    *why = 0;
    return rt->slot(pipe, window, ns, keys, why);
}

/* Tumbling windows with at most one key: the slot is found inline when the key was seen before. */
#define SLOT(name, seen, ...)                                                                      \
    OP u8 *op_slot_##name(RtPipe *pipe, u32 window, i64 ns, i64 size, u32 event_time,              \
                          const RtValue *keys, u32 *why)                                           \
    {                                                                                              \
        u8 *slot = seen(pipe, window, ns, size, event_time, __VA_ARGS__);                          \
        *why = 0;                                                                                  \
        return RT_RARE(!slot) ? rt->slot(pipe, window, ns, keys, why) : slot;                      \
    }
SLOT(one, rt_seen_words, 0, 0, 0)
SLOT(word, rt_seen_words, keys[0].u, 0, 0)
SLOT(text, rt_seen_text, keys[0].s)

OP i64 op_event_time(RtPipe *pipe)
{
    return pipe->event_ns;
}

OP bool op_window_add(RtPipe *pipe, u32 window, i64 ns, const RtValue *keys, const RtValue *values,
                      const u8 *has, u32 *why) /* true: late, or *why */
{
    *why = 0;
    return rt->window_add(pipe, window, ns, keys, values, has, why) != 0;
}

OP u32 op_clock(RtPipe *pipe, i64 ns, const RtValue *keys)
{
    return rt->clock(pipe, ns, keys);
}

OP void op_slot_full(RtPipe *pipe, u32 window, u8 *slot)
{
    rt->slot_full(pipe, window, slot);
}

OP u8 op_late_begin(RtPipe *pipe)
{
    u8 before = pipe->in_row;
    pipe->in_row = 1;
    pipe->n.rows++;
    return before;
}

OP void op_late_end(RtPipe *pipe, u8 before)
{
    pipe->in_row = before;
}

#define STATE(type, slot) ((type *)(void *)(slot))

OP void agg_count(u8 *slot)
{
    STATE(RtCount, slot)->n++;
}

OP void agg_count_if(u8 *slot, bool yes)
{
    STATE(RtCount, slot)->n += yes;
}

OP void agg_sum_f64(u8 *slot, f64 x)
{
    rt_add_f64(STATE(RtSum, slot), x);
}

/* Of the slot at hand: that the record fails, and that the slot is as it was. */
static bool back(RtPipe *pipe, u32 window, u8 *slot, u32 fine)
{
    if (RT_RARE(!fine)) rt->slot_back(pipe, window, slot);
    return !fine;
}

/* Into a sum; `ask`: only whether it fits. */
#define SUM(type)                                                                                  \
    OP void agg_sum_##type(u8 *state, type x)                                                      \
    {                                                                                              \
        (void)rt_add_##type(STATE(RtSum, state), x);                                               \
    }                                                                                              \
    OP bool agg_fits_##type(RtPipe *pipe, u32 window, u8 *slot, u8 *state, type x)                 \
    {                                                                                              \
        return back(pipe, window, slot, rt_fits_##type(STATE(RtSum, state), x));                   \
    }                                                                                              \
    OP bool agg_try_##type(RtPipe *pipe, u32 window, u8 *slot, u8 *state, type x)                  \
    {                                                                                              \
        return back(pipe, window, slot, rt_add_##type(STATE(RtSum, state), x));                    \
    }
SUM(i64)
SUM(u64)

#define PICK(name, type)                                                                           \
    OP void agg_##name(u8 *slot, type x)                                                           \
    {                                                                                              \
        rt_##name(STATE(RtPick, slot), x);                                                         \
    }
PICK(min_f64, f64)
PICK(max_f64, f64)
PICK(first_f64, f64)
PICK(last_f64, f64)
PICK(min_i64, i64)
PICK(max_i64, i64)
PICK(first_i64, i64)
PICK(last_i64, i64)
PICK(min_u64, u64)
PICK(max_u64, u64)
PICK(first_u64, u64)
PICK(last_u64, u64)

OP void agg_text(u8 *slot, const RtText *x, u32 replace)
{
    rt_keep_text(STATE(RtPick, slot), (char *)slot + sizeof(RtPick), (RtValue){.s = *x}, replace);
}

OP void agg_stddev(u8 *slot, f64 x)
{
    rt_add_variance(STATE(RtVariance, slot), x);
}

OP void agg_quantile(RtPipe *pipe, u32 window, u8 *state, f64 x, u32 bits)
{
    (void)rt_add_sketch(pipe, rt, window, STATE(RtSketch, state), x, bits);
}

OP bool agg_room(RtPipe *pipe, u32 window, u8 *slot, u8 *state, f64 x, u32 bits)
{
    return back(pipe, window, slot,
                rt_room_sketch(pipe, rt, window, STATE(RtSketch, state), x, bits));
}

OP bool agg_try_quantile(RtPipe *pipe, u32 window, u8 *slot, u8 *state, f64 x, u32 bits)
{
    return back(pipe, window, slot,
                rt_add_sketch(pipe, rt, window, STATE(RtSketch, state), x, bits));
}

/* ---- lists ---- */

OP u32 list_of(RtPipe *pipe, const RtSchema *item, const RtValue *values, const u8 *has, u32 count,
               RtValue *ret)
{
    return rt->list(pipe, item, values, has, count, ret);
}

OP u32 list_index(RtPipe *pipe, const RtSchema *item, const RtValue *args, RtValue *ret, u8 *has)
{
    *has = 1;
    return rt->index(pipe, item, args, ret, has);
}

OP u32 list_has(RtPipe *pipe, const RtSchema *item, const RtValue *args, RtValue *ret, u8 *has)
{
    *has = 1;
    return rt->list_has(pipe, item, args, ret);
}

OP u32 list_agg(RtPipe *pipe, const RtSchema *item, u32 kind, const RtValue *list, RtValue *ret)
{
    return rt->list_agg(pipe, item, kind, list, ret);
}

OP bool op_truth(const u8 *has)
{
    return *has != 0;
}

OP const RtValue *list_item_value(const RtText *item, u32 leaf)
{
    return rt_item_value(*item, leaf);
}

OP bool list_item_has(const RtText *item, u32 leaf_count, u32 leaf)
{
    return rt_item_has(*item, leaf_count, leaf) != 0;
}

#include "compiler/emit_llvm/bitcode/rows.c" /* one unit: a module starts with all of it */
