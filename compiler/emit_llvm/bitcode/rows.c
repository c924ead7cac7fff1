/* compiler/emit_llvm/bitcode/rows.c: the second half of ops.c, which includes it: how rows are
 * written and records of a learnt layout read. */
#ifndef OP
#error "this is a part of ops.c"
#endif

/* ---- rows out: *w is the place to write to ---- */

OP char *row_begin(RtPipe *pipe, u32 sink, u64 bytes_max)
{
    return rt->row_begin(pipe, sink, bytes_max);
}

OP void row_end(RtPipe *pipe, u32 sink, char *w, const RtText *address)
{
    rt->row_end(pipe, sink, w, (RtValue){.s = *address}, (RtValue){.s = {address->p, 0}});
}

OP void row_other(RtPipe *pipe, u32 sink, u32 format, const RtValue *v, const u8 *h,
                  const RtText *address)
{
    rt->other_row(pipe, sink, format, v, h, (RtValue){.s = *address});
}

#define PUT(name, type)                                                                            \
    OP void row_put_##name(char **w, type v)                                                       \
    {                                                                                              \
        *w = rt->put_##name(*w, v);                                                                \
    }
PUT(i64, i64)
PUT(u64, u64)
PUT(f32, f32)
PUT(f64, f64)
PUT(time, i64)
PUT(duration, i64)

OP void row_put_decimal(char **w, i64 v, u32 scale)
{
    *w = rt->put_decimal(*w, v, scale);
}

OP void row_put_bool(char **w, bool v)
{
    RT_8W(*w) = v ? 0x65757274ull : 0x65736c6166ull; /* "true", "false"; rows have room behind */
    *w += v ? 4 : 5;
}

OP void row_put_string(char **w, const RtText *v)
{
    *w = native_put_string(rt, *w, v->p, v->n);
}

OP void row_put_base64(char **w, const RtText *v)
{
    *w = rt->put_base64(*w, v->p, v->n);
}

OP void row_put_raw(char **w, const RtText *v)
{
    __builtin_memcpy(*w, v->p, v->n);
    *w += v->n;
}

OP void row_put_list(char **w, const RtSchema *item, const RtText *v)
{
    RtValue list = {.s = *v};
    *w = rt->put_list(*w, item, &list);
}

OP u64 row_list_room(const RtSchema *item, const RtText *v, bool has)
{
    RtValue list = {.s = *v};
    return has ? rt->list_bytes(item, &list) : 0;
}

OP void row_put_name(char **w, const RtText *names, u32 v)
{
    __builtin_memcpy(*w, names[v].p, names[v].n);
    *w += names[v].n;
}

OP u64 row_room(const RtText *v, bool has)
{
    return has ? v->n * 6 : 0;
}

OP void row_object_end(char **w, char *start) /* '{' over the first comma, or alone */
{
    if (*w == start) ++*w;
    *start = '{';
}

/* ---- records in: *p is the place to read at; true: the layout does not fit ----
 *
 * near_ has the usual case inlined and is a little faster, far_ calls and is compiled much faster.
 * A native function gets no pointer to p: that would keep p out of a register. */

#define TAKE(p, q)                                                                                 \
    if (RT_RARE(!(q))) return 1;                                                                   \
    *(p) = (q);                                                                                    \
    return 0

OP bool near_text_end(const char **p, const char *end)
{
    const char *q = rt_plain(*p);
    if (RT_RARE(!q)) q = native_text_end(rt, *p, end);
    TAKE(p, q);
}

OP bool far_text_end(const char **p, const char *end)
{
    const char *q = native_text_end(rt, *p, end);
    TAKE(p, q);
}

OP bool near_text(RtPipe *pipe, const char **p, const char *end, RtValue *v, u32 bytes_max)
{
    const char *q = rt_plain(*p);
    if (RT_RARE(!q)) {
        q = native_text(rt, pipe, *p, end, v, bytes_max);
        TAKE(p, q);
    }
    u64 n = (u64)(q - *p);
    v->s.p = *p;
    v->s.n = n;
    *p = q;
    return RT_RARE(bytes_max && bytes_max < 15 && n > bytes_max); /* a plain one has at most 15 */
}

OP bool far_text(RtPipe *pipe, const char **p, const char *end, RtValue *v, u32 bytes_max)
{
    const char *q = native_text(rt, pipe, *p, end, v, bytes_max);
    TAKE(p, q);
}

OP bool near_time(RtPipe *pipe, const char **p, const char *end, RtValue *v)
{
    const char *q = *p + 24;
    if (RT_RARE(!rt_time24(&pipe->day, *p, &v->i))) q = native_time(rt, pipe, *p, end, v);
    TAKE(p, q);
}

OP bool far_time(RtPipe *pipe, const char **p, const char *end, RtValue *v)
{
    const char *q = native_time(rt, pipe, *p, end, v);
    TAKE(p, q);
}

/* plus_: where no '-' was seen. */
#define NUMBER(name, inlined)                                                                      \
    OP bool near_##name(const char **p, const char *end)                                           \
    {                                                                                              \
        const char *q = inlined(*p);                                                               \
        if (RT_RARE(!q)) q = native_##name(rt, *p, end);                                           \
        TAKE(p, q);                                                                                \
    }                                                                                              \
    OP bool far_##name(const char **p, const char *end)                                            \
    {                                                                                              \
        const char *q = native_##name(rt, *p, end);                                                \
        TAKE(p, q);                                                                                \
    }
NUMBER(pass_number, rt_pass_number)
NUMBER(plus_number, rt_plus_number)

#define F64(name, inlined)                                                                         \
    OP bool near_##name(const char **p, const char *end, RtValue *v)                               \
    {                                                                                              \
        const char *q = inlined(*p, &v->d);                                                        \
        if (RT_RARE(!q)) q = native_##name(rt, *p, end, v);                                        \
        TAKE(p, q);                                                                                \
    }                                                                                              \
    OP bool far_##name(const char **p, const char *end, RtValue *v)                                \
    {                                                                                              \
        const char *q = native_##name(rt, *p, end, v);                                             \
        TAKE(p, q);                                                                                \
    }
F64(f64, rt_short_f64)
F64(plus_f64, rt_plus_f64)

#define I64(name, inlined)                                                                         \
    OP bool near_##name(const char **p, const char *end, RtValue *v)                               \
    {                                                                                              \
        const char *q = inlined(*p, &v->i);                                                        \
        if (RT_RARE(!q || *q == '.' || *q == 'e' || *q == 'E')) q = native_##name(rt, *p, end, v); \
        TAKE(p, q);                                                                                \
    }                                                                                              \
    OP bool far_##name(const char **p, const char *end, RtValue *v)                                \
    {                                                                                              \
        const char *q = native_##name(rt, *p, end, v);                                             \
        TAKE(p, q);                                                                                \
    }
I64(i64, rt_short_int)
I64(plus_i64, rt_plus_int)

/* A bet on the length of the value that was read from `from` to *p. */
OP void in_steady(const char *from, const char **p, u64 *bet)
{
    *p = rt_steady(from, *p, bet);
}

/* The narrower types, from what the wide one has read. */
OP bool in_f32(RtValue *v)
{
    v->d = (f64)(f32)v->d;
    return RT_RARE(!(v->d - v->d == 0));
}

OP bool in_i32(RtValue *v)
{
    return RT_RARE(v->i != (i32)v->i);
}

OP bool in_u32(RtValue *v)
{
    return RT_RARE(v->i != (i64)(u32)v->i);
}

OP bool in_u64(RtValue *v)
{
    return RT_RARE(v->i < 0);
}

OP bool in_decimal(const char **p, const char *end, RtValue *v, u32 scale, u32 cut)
{
    const char *q = native_decimal(rt, *p, end, v, scale, cut);
    TAKE(p, q);
}

OP bool in_bool(const char **p, RtValue *v)
{
    u32 yes = RT_4(*p) == 0x65757274u; /* "true" */
    if (!yes && RT_RARE((RT_8(*p) & 0xffffffffffull) != 0x65736c6166ull)) return 1;
    if (v) v->i = yes;
    *p += yes ? 4 : 5;
    return 0;
}

OP bool in_opaque(const char **p, const char *end, u32 depth)
{
    const char *q = native_opaque(rt, *p, end, depth);
    TAKE(p, q);
}

OP bool in_list(RtPipe *pipe, const RtSchema *item, u32 items_max, u32 check, u32 reject,
                const char **p, const char *end, u32 depth, RtValue *v)
{
    const char *line = native_line_end(*p, end);
    const char *q = rt->scan_list(pipe, item, items_max, check, reject, *p, line, depth, v);
    TAKE(p, q);
}

/* What no inlined reader knows; `quote`: 1 where p stands behind one, and shall stand at the next.
 */
OP bool in_value(RtPipe *pipe, const RtField *field, const char **p, const char *end, u32 depth,
                 RtValue *v, u32 quote)
{
    const char *q = rt->value(pipe, field, *p - quote, end, depth, v);
    if (RT_RARE(!q)) return 1;
    *p = q - quote;
    return 0;
}

OP bool in_range(f64 x, f64 lo, f64 hi)
{
    return RT_RARE(!(x >= lo && x <= hi));
}

OP bool in_same(const char *p, const char *text, u64 n)
{
    return !__builtin_memcmp(p, text, n);
}

OP bool in_no_end(const char *p)
{
    return RT_RARE(*p != ',' && *p != '}' && *p != ' ');
}

/* While somebody watches a wire all of a record is read, to be shown. */
OP bool in_dropped(RtPipe *pipe, u32 keeps)
{
    return !keeps && !pipe->watch;
}

OP bool in_not_at_end(const char *p, const char *end, u32 lines)
{
    return RT_RARE(!rt_at_end(p, end, lines));
}

OP void far_feed(RtPipe *pipe, const RtBatch *batch, const JitFeed *feed, RtValue *v, u8 *h,
                 u64 *bet)
{
    native_feed(rt, pipe, batch, feed, v, h, bet);
}

/* Decoders and stage are constants here, so they are inlined behind the loop. */
OP void near_feed(RtPipe *pipe, const RtBatch *batch, const JitFeed *feed, RtValue *v, u8 *h,
                  u64 *bet, u32 layouts, u32 bets, u32 lazy, JitStage *stage, JitLearnt *a,
                  JitLearnt *b, JitLearnt *c, JitLearnt *d)
{
    Loop loop = {{a, b, c, d}, stage, layouts, bets, lazy};
    loop_feed(rt, pipe, batch, feed, &loop, v, h, bet);
}

OP void far_shared(RtPipe *const *pipes, const RtBatch *batch, const JitShare *share, RtValue *v,
                   u8 *h, RtValue *own_v, u8 *own_h, u64 *bet)
{
    native_shared_feed(rt, pipes, batch, share, v, h, own_v, own_h, bet);
}

/* The decoders are inlined; stages are called, as each of them is in a feed of its own too. */
OP void near_shared(RtPipe *const *pipes, const RtBatch *batch, const JitShare *share, RtValue *v,
                    u8 *h, RtValue *own_v, u8 *own_h, u64 *bet, u32 layouts, u32 bets, u32 lazy,
                    JitLearnt *a, JitLearnt *b, JitLearnt *c, JitLearnt *d)
{
    Loop loop = {{a, b, c, d}, 0, layouts, bets, lazy};
    loop_shared_feed(rt, pipes, batch, share, &loop, v, h, own_v, own_h, bet);
}

OP u32 in_group(RtPipe *pipe, const RtBatch *batch)
{
    return pipe->info->sources[batch->source].group;
}

OP const RtValue *in_row_values(const RtWindowRow *row)
{
    return row->values;
}

OP const u8 *in_row_has(const RtWindowRow *row)
{
    return row->has;
}
