/* compiler/interp/text.c: kernels on texts, calls of built-in functions, meta data.
 *
 * They work on active lanes only: a text of another lane may be anywhere. New texts live in the
 * pipe's scratch until the batch has been replayed; when that is used up the frame is `starved` and
 * the batch is done again with fewer lanes, down to one, where the answer is that of the other
 * engines. */
#include "compiler/interp/interp_int.h"

#define ACTIVE                                                                                     \
    uint32_t count;                                                                                \
    const uint16_t *lanes = interp__lanes(f, &count);                                              \
    for (uint32_t i = 0, r; i < count && (r = lanes[i], true); i++)

static char *scratch(Frame *f, uint64_t bytes)
{
    char *w = f->rt->scratch(f->pipe, bytes);
    f->starved |= !w;
    return w;
}

/* ---- comparison, search ---- */

static bool equal(RtText a, RtText b)
{
    return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

static int order(const Frame *f, RtText a, RtText b)
{
    return f->rt->compare(a.p, a.n, b.p, b.n);
}

static bool starts(RtText a, RtText b)
{
    return a.n >= b.n && memcmp(a.p, b.p, b.n) == 0;
}

static bool ends(RtText a, RtText b)
{
    return a.n >= b.n && memcmp(a.p + (a.n - b.n), b.p, b.n) == 0;
}

#define TEXTS(name, test)                                                                          \
    static void name(Frame *f, const Step *s)                                                      \
    {                                                                                              \
        uint8_t *d = COLUMN(f, uint8_t, s->dst);                                                   \
        const RtText *a = COLUMN(f, RtText, s->a), *b = COLUMN(f, RtText, s->b);                   \
        ACTIVE d[r] = (test);                                                                      \
    }
TEXTS(text_eq, equal(a[r], b[r]))
TEXTS(text_ne, !equal(a[r], b[r]))
TEXTS(text_lt, order(f, a[r], b[r]) < 0)
TEXTS(text_le, order(f, a[r], b[r]) <= 0)
TEXTS(text_gt, order(f, a[r], b[r]) > 0)
TEXTS(text_ge, order(f, a[r], b[r]) >= 0)
TEXTS(text_starts, starts(a[r], b[r]))
TEXTS(text_ends, ends(a[r], b[r]))
TEXTS(text_matches, f->rt->matches(b[r].p, a[r].p, a[r].n) != 0)
TEXTS(text_contains, f->rt->contains(a[r].p, a[r].n, b[r].p, b[r].n) != 0)

StepFn *interp__text_binary(IrOp op)
{
    static StepFn *const kernels[IR_OP__COUNT] = {
        [IR_EQ] = text_eq,          [IR_NE] = text_ne,     [IR_LT] = text_lt,
        [IR_LE] = text_le,          [IR_GT] = text_gt,     [IR_GE] = text_ge,
        [IR_STARTS] = text_starts,  [IR_ENDS] = text_ends, [IR_CONTAINS] = text_contains,
        [IR_MATCHES] = text_matches};
    return kernels[op];
}

/* ---- text of values ---- */

/* s->count: the most bytes, 0 = no limit. */
static void put(Frame *f, const Step *s, uint32_t lane, const char *p, uint64_t n)
{
    if (RT_RARE(s->count && n > s->count))
        interp__lane_fail(f, s, lane, RT_TOO_LONG);
    else
        COLUMN(f, RtText, s->dst)[lane] = (RtText){p, n};
}

static void text_of_text(Frame *f, const Step *s)
{
    const RtText *a = COLUMN(f, RtText, s->a);
    ACTIVE put(f, s, r, a[r].p, a[r].n);
}

static void text_of_bool(Frame *f, const Step *s)
{
    const uint8_t *a = COLUMN(f, uint8_t, s->a);
    ACTIVE put(f, s, r, a[r] ? "true" : "false", a[r] ? 4 : 5);
}

/* s->more: the names as RtText. */
static void text_of_enum(Frame *f, const Step *s)
{
    const uint32_t *a = COLUMN(f, uint32_t, s->a);
    const RtText *names = s->more;
    ACTIVE put(f, s, r, names[a[r]].p, names[a[r]].n);
}

#define PRINTED(name, T, bytes, call)                                                              \
    static void name(Frame *f, const Step *s)                                                      \
    {                                                                                              \
        const T *a = COLUMN(f, T, s->a);                                                           \
        ACTIVE                                                                                     \
        {                                                                                          \
            char *w = scratch(f, bytes);                                                           \
            if (RT_RARE(!w))                                                                       \
                interp__lane_fail(f, s, r, RT_TOO_LONG);                                           \
            else                                                                                   \
                put(f, s, r, w, (uint64_t)(f->rt->call - w));                                      \
        }                                                                                          \
    }
PRINTED(text_of_i32, int32_t, 64, put_i64(w, a[r]))
PRINTED(text_of_i64, int64_t, 64, put_i64(w, a[r]))
PRINTED(text_of_u32, uint32_t, 64, put_u64(w, a[r]))
PRINTED(text_of_u64, uint64_t, 64, put_u64(w, a[r]))
PRINTED(text_of_f32, float, 64, put_f32(w, a[r]))
PRINTED(text_of_f64, double, 64, put_f64(w, a[r]))
PRINTED(text_of_time, int64_t, 64, put_time(w, a[r]))
PRINTED(text_of_duration, int64_t, 64, put_duration(w, a[r]))
PRINTED(text_of_decimal, int64_t, 64, put_decimal(w, a[r], (u32)s->number))
PRINTED(text_of_bytes, RtText, a[r].n * 2 + 8, put_base64(w, a[r].p, a[r].n))

StepFn *interp__to_text(IrType from)
{
    static StepFn *const kernels[IR__COUNT] = {
        [IR_BOOL] = text_of_bool,         [IR_I32] = text_of_i32,         [IR_I64] = text_of_i64,
        [IR_U32] = text_of_u32,           [IR_U64] = text_of_u64,         [IR_F32] = text_of_f32,
        [IR_F64] = text_of_f64,           [IR_DECIMAL] = text_of_decimal, [IR_STR] = text_of_text,
        [IR_JSON] = text_of_text,         [IR_BYTES] = text_of_bytes,     [IR_TIME] = text_of_time,
        [IR_DURATION] = text_of_duration, [IR_ENUM] = text_of_enum};
    return kernels[from];
}

/* s->more: s->number Places. */
void interp__concat(Frame *f, const Step *s)
{
    const Place *args = s->more;
    ACTIVE
    {
        uint64_t n = 0;
        for (uint64_t k = 0; k < s->number; k++) n += COLUMN(f, RtText, args[k].column)[r].n;
        bool fits = !s->count || n <= s->count;
        char *w = fits ? scratch(f, n + 1) : NULL, *at = w;
        if (RT_RARE(!w)) {
            interp__lane_fail(f, s, r, RT_TOO_LONG);
            continue;
        }
        for (uint64_t k = 0; k < s->number; k++) {
            RtText part = COLUMN(f, RtText, args[k].column)[r];
            if (part.n) memcpy(at, part.p, part.n);
            at += part.n;
        }
        COLUMN(f, RtText, s->dst)[r] = (RtText){w, n};
    }
}

/* ---- calls ---- */

/* s->more: s->c Places; s->number: RtBuiltin; s->a: cell of the result; s->b: NOW wants the
 * record's meta data. */
void interp__call(Frame *f, const Step *s)
{
    const Place *args = s->more;
    Place dst = {.column = s->dst, .cell = (uint8_t)s->a};
    ACTIVE
    {
        RtValue in[8], out = {.s = {0, 0}};
        if (s->b) interp__lane_meta(f, r);
        for (uint32_t k = 0; k < s->c; k++) in[k] = interp__value(f, &args[k], r);
        uint32_t why = f->rt->builtin(f->pipe, (u32)s->number, in, s->c, &out);
        bool text = dst.cell == CELL_TEXT;
        if (!why && text && s->count && out.s.n > s->count)
            why = RT_TOO_LONG;
        else if (RT_RARE(why == RT_TOO_LONG))
            f->starved = true; /* perhaps: alone it may fit */
        if (RT_RARE(why))
            interp__lane_fail(f, s, r, why);
        else
            interp__put(f, &dst, r, out);
    }
}

/* s->more: MetaWhat. */
void interp__meta(Frame *f, const Step *s)
{
    const MetaWhat *what = s->more;
    const RtPipe *pipe = f->pipe;
    ACTIVE
    {
        RtValue level;
        RtText text;
        interp__lane_meta(f, r);
        switch (what->what) {
        case META_TOPIC: put(f, s, r, pipe->topic, pipe->topic_len); break;
        case META_TOPIC_LEVEL:
            f->rt->meta_level(f->pipe, what->level, &level);
            put(f, s, r, level.s.p, level.s.n);
            break;
        case META_KEY: put(f, s, r, pipe->key, pipe->key_len); break;
        case META_RECEIVED: COLUMN(f, int64_t, s->dst)[r] = pipe->received_ns; break;
        case META_KEPT:
            if (pipe->info->sources[pipe->source].keeps)
                put(f, s, r, pipe->raw, pipe->raw_len);
            else
                put(f, s, r, "{}", 2);
            break;
        case META_RAW: put(f, s, r, pipe->raw, pipe->raw_len); break;
        case META_HEADERS: text = rt_headers(pipe), put(f, s, r, text.p, text.n); break;
        }
    }
}
