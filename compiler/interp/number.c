/* compiler/interp/number.c: kernels on numbers and truth values.
 *
 * Each is one loop over the lanes at hand, made by a macro per operation and cell; compiled with
 * -O3, so that plain ones become vectors. They run over all lanes, active or not: what an inactive
 * lane gets is never read. Where an operation may fail, the loop marks it in f->bad and the active
 * ones among the marked fail afterwards. The meaning is that of emit_c/stage.c, operation by
 * operation; -ffp-contract=off holds here too. */
#include "compiler/interp/interp_int.h"

#define LANES for (uint32_t r = 0; r < n; r++)
#define KERNEL2(name, T, U)                                                                        \
    static void name(Frame *f, const Step *s)                                                      \
    {                                                                                              \
        T *restrict d = COLUMN(f, T, s->dst);                                                      \
        const U *a = COLUMN(f, U, s->a), *b = COLUMN(f, U, s->b);                                  \
        uint32_t n = f->n;
#define KERNEL1(name, T, U)                                                                        \
    static void name(Frame *f, const Step *s)                                                      \
    {                                                                                              \
        T *restrict d = COLUMN(f, T, s->dst);                                                      \
        const U *a = COLUMN(f, U, s->a);                                                           \
        uint32_t n = f->n;

/* ---- moves ---- */

typedef struct Text16 {
    uint64_t p, n;
} Text16;

#define MOVE(name, T)                                                                              \
    KERNEL1(move_##name, T, T)                                                                     \
    LANES d[r] = a[r];                                                                             \
    }                                                                                              \
    KERNEL1(masked_##name, T, T)                                                                   \
    const uint8_t *active = f->active;                                                             \
    LANES d[r] = active[r] ? a[r] : d[r];                                                          \
    }
MOVE(1, uint8_t)
MOVE(4, uint32_t)
MOVE(8, uint64_t)
MOVE(16, Text16)

StepFn *interp__move(Cell cell, bool masked)
{
    switch (interp__cell_bytes(cell)) {
    case 1: return masked ? masked_1 : move_1;
    case 4: return masked ? masked_4 : move_4;
    case 8: return masked ? masked_8 : move_8;
    default: return masked ? masked_16 : move_16;
    }
}

/* ---- arithmetic ---- */

#define FLOATS(name, T, sign)                                                                      \
    KERNEL2(name, T, T)                                                                            \
    LANES d[r] = a[r] sign b[r];                                                                   \
    }
FLOATS(add_f32, float, +)
FLOATS(sub_f32, float, -)
FLOATS(mul_f32, float, *)
FLOATS(add_f64, double, +)
FLOATS(sub_f64, double, -)
FLOATS(mul_f64, double, *)

#define CHECKED(name, T, which)                                                                    \
    KERNEL2(name, T, T)                                                                            \
    uint8_t *bad = f->bad, any = 0;                                                                \
    LANES                                                                                          \
    {                                                                                              \
        T x;                                                                                       \
        uint8_t over = which(a[r], b[r], &x);                                                      \
        d[r] = x;                                                                                  \
        bad[r] = over;                                                                             \
        any |= over;                                                                               \
    }                                                                                              \
    if (RT_RARE(any)) interp__fail_bad(f, s, RT_OVERFLOW);                                         \
    }
#define CHECKED3(name, T)                                                                          \
    CHECKED(add_##name, T, __builtin_add_overflow)                                                 \
    CHECKED(sub_##name, T, __builtin_sub_overflow)                                                 \
    CHECKED(mul_##name, T, __builtin_mul_overflow)
CHECKED3(i32, int32_t)
CHECKED3(u32, uint32_t)
CHECKED3(i64, int64_t)
CHECKED3(u64, uint64_t)

#define DIVIDE(name, T)                                                                            \
    KERNEL2(name, T, T)                                                                            \
    uint8_t *bad = f->bad, any = 0;                                                                \
    LANES                                                                                          \
    {                                                                                              \
        uint8_t zero = b[r] == 0;                                                                  \
        bad[r] = zero;                                                                             \
        any |= zero;                                                                               \
        d[r] = a[r] / b[r];                                                                        \
    }                                                                                              \
    if (RT_RARE(any)) interp__fail_bad(f, s, RT_DIV_ZERO);                                         \
    }
DIVIDE(div_f32, float)
DIVIDE(div_f64, double)

/* Division of integers costs as much as a call, so only active lanes do it. */
#define ACTIVE                                                                                     \
    uint32_t count;                                                                                \
    const uint16_t *lanes = interp__lanes(f, &count);                                              \
    (void)n;                                                                                       \
    for (uint32_t i = 0, r; i < count && (r = lanes[i], true); i++)
#define WHOLE(name, T, minus_one, quotient)                                                        \
    KERNEL2(name, T, T)                                                                            \
    ACTIVE                                                                                         \
    {                                                                                              \
        if (RT_RARE(b[r] == 0))                                                                    \
            interp__lane_fail(f, s, r, RT_DIV_ZERO);                                               \
        else if (minus_one && b[r] == (T)-1)                                                       \
            quotient(d[r], a[r]);                                                                  \
        else                                                                                       \
            WHOLE_##quotient(d[r], a[r], b[r]);                                                    \
    }                                                                                              \
    }
#define WHOLE_IDIV(d, a, b) ((d) = (a) / (b))
#define WHOLE_MOD(d, a, b)  ((d) = (a) % (b))
/* The least number by -1 does not fit; the remainder by -1 is 0. */
#define IDIV(d, a)                                                                                 \
    do {                                                                                           \
        if (RT_RARE(__builtin_sub_overflow((__typeof__(a))0, a, &(d))))                            \
            interp__lane_fail(f, s, r, RT_OVERFLOW);                                               \
    } while (0)
#define MOD(d, a) ((d) = 0)
WHOLE(idiv_i32, int32_t, 1, IDIV)
WHOLE(idiv_i64, int64_t, 1, IDIV)
WHOLE(idiv_u32, uint32_t, 0, IDIV)
WHOLE(idiv_u64, uint64_t, 0, IDIV)
WHOLE(mod_i32, int32_t, 1, MOD)
WHOLE(mod_i64, int64_t, 1, MOD)
WHOLE(mod_u32, uint32_t, 0, MOD)
WHOLE(mod_u64, uint64_t, 0, MOD)

#define FLOAT_MOD(name, T)                                                                         \
    KERNEL2(name, T, T)                                                                            \
    ACTIVE                                                                                         \
    {                                                                                              \
        if (RT_RARE(b[r] == 0))                                                                    \
            interp__lane_fail(f, s, r, RT_DIV_ZERO);                                               \
        else                                                                                       \
            d[r] = (T)f->rt->fmod(a[r], b[r]);                                                     \
    }                                                                                              \
    }
FLOAT_MOD(mod_f32, float)
FLOAT_MOD(mod_f64, double)

#define NEG_FLOAT(name, T)                                                                         \
    KERNEL1(name, T, T)                                                                            \
    LANES d[r] = -a[r];                                                                            \
    }
NEG_FLOAT(neg_f32, float)
NEG_FLOAT(neg_f64, double)
#define NEG(name, T)                                                                               \
    KERNEL1(name, T, T)                                                                            \
    uint8_t *bad = f->bad, any = 0;                                                                \
    LANES                                                                                          \
    {                                                                                              \
        T x;                                                                                       \
        bad[r] = __builtin_sub_overflow((T)0, a[r], &x);                                           \
        any |= bad[r];                                                                             \
        d[r] = x;                                                                                  \
    }                                                                                              \
    if (RT_RARE(any)) interp__fail_bad(f, s, RT_OVERFLOW);                                         \
    }
NEG(neg_i32, int32_t)
NEG(neg_u32, uint32_t)
NEG(neg_i64, int64_t)
NEG(neg_u64, uint64_t)

#define FINITE(name, T, Bits)                                                                      \
    KERNEL1(name, T, T)                                                                            \
    Bits any = 0; /* x - x is 0 or no number */                                                    \
    LANES                                                                                          \
    {                                                                                              \
        union {                                                                                    \
            T number;                                                                              \
            Bits bits;                                                                             \
        } x = {a[r] - a[r]};                                                                       \
        any |= x.bits;                                                                             \
        d[r] = a[r];                                                                               \
    }                                                                                              \
    if (!any) return;                                                                              \
    uint8_t *bad = f->bad;                                                                         \
    LANES bad[r] = !(d[r] - d[r] == 0);                                                            \
    interp__fail_bad(f, s, RT_OVERFLOW);                                                           \
    }
FINITE(finite_f32, float, uint32_t)
FINITE(finite_f64, double, uint64_t)

/* ---- comparison, logic ---- */

#define COMPARE(cell, T)                                                                           \
    KERNEL2(eq_##cell, uint8_t, T) LANES d[r] = a[r] == b[r];                                      \
    }                                                                                              \
    KERNEL2(ne_##cell, uint8_t, T) LANES d[r] = a[r] != b[r];                                      \
    }                                                                                              \
    KERNEL2(lt_##cell, uint8_t, T) LANES d[r] = a[r] < b[r];                                       \
    }                                                                                              \
    KERNEL2(le_##cell, uint8_t, T) LANES d[r] = a[r] <= b[r];                                      \
    }                                                                                              \
    KERNEL2(gt_##cell, uint8_t, T) LANES d[r] = a[r] > b[r];                                       \
    }                                                                                              \
    KERNEL2(ge_##cell, uint8_t, T) LANES d[r] = a[r] >= b[r];                                      \
    }
COMPARE(u8, uint8_t)
COMPARE(i32, int32_t)
COMPARE(u32, uint32_t)
COMPARE(i64, int64_t)
COMPARE(u64, uint64_t)
COMPARE(f32, float)
COMPARE(f64, double)

KERNEL2(and_u8, uint8_t, uint8_t) LANES d[r] = a[r] & b[r];
}
KERNEL2(or_u8, uint8_t, uint8_t) LANES d[r] = a[r] | b[r];
}
KERNEL1(not_u8, uint8_t, uint8_t) LANES d[r] = !a[r];
}

#define ROW7(name)                                                                                 \
    {                                                                                              \
        [CELL_U8] = name##_u8, [CELL_I32] = name##_i32, [CELL_U32] = name##_u32,                   \
        [CELL_I64] = name##_i64, [CELL_U64] = name##_u64, [CELL_F32] = name##_f32,                 \
        [CELL_F64] = name##_f64                                                                    \
    }
#define ROW6(name)                                                                                 \
    {                                                                                              \
        [CELL_I32] = name##_i32, [CELL_U32] = name##_u32, [CELL_I64] = name##_i64,                 \
        [CELL_U64] = name##_u64, [CELL_F32] = name##_f32, [CELL_F64] = name##_f64                  \
    }

StepFn *interp__binary(IrOp op, Cell cell)
{
    static StepFn *const kernels[IR_OP__COUNT][CELL__COUNT] = {
        [IR_ADD] = ROW6(add),
        [IR_SUB] = ROW6(sub),
        [IR_MUL] = ROW6(mul),
        [IR_DIV] = {[CELL_F32] = div_f32, [CELL_F64] = div_f64},
        [IR_IDIV] = {[CELL_I32] = idiv_i32,
                     [CELL_U32] = idiv_u32,
                     [CELL_I64] = idiv_i64,
                     [CELL_U64] = idiv_u64},
        [IR_MOD] = ROW6(mod),
        [IR_EQ] = ROW7(eq),
        [IR_NE] = ROW7(ne),
        [IR_LT] = ROW7(lt),
        [IR_LE] = ROW7(le),
        [IR_GT] = ROW7(gt),
        [IR_GE] = ROW7(ge),
        [IR_AND] = {[CELL_U8] = and_u8},
        [IR_OR] = {[CELL_U8] = or_u8},
    };
    return cell == CELL_TEXT ? NULL : kernels[op][cell];
}

StepFn *interp__unary(IrOp op, Cell cell)
{
    static StepFn *const kernels[IR_OP__COUNT][CELL__COUNT] = {
        [IR_NEG] = ROW6(neg),
        [IR_FINITE] = {[CELL_F32] = finite_f32, [CELL_F64] = finite_f64},
        [IR_NOT] = {[CELL_U8] = not_u8},
    };
    return kernels[op][cell];
}

/* ---- conversion ---- */

/* Whole numbers: times s->number, a power of ten (1 but for decimals). */
#define INT_INT(from, F, to, T)                                                                    \
    KERNEL1(conv_##from##_##to, T, F)                                                              \
    uint8_t *bad = f->bad, any = 0;                                                                \
    int64_t k = (int64_t)s->number;                                                                \
    LANES                                                                                          \
    {                                                                                              \
        T x;                                                                                       \
        bad[r] = __builtin_mul_overflow(a[r], k, &x);                                              \
        any |= bad[r];                                                                             \
        d[r] = x;                                                                                  \
    }                                                                                              \
    if (RT_RARE(any)) interp__fail_bad(f, s, RT_OVERFLOW);                                         \
    }
#define INT_FLOAT(from, F, to, T)                                                                  \
    KERNEL1(conv_##from##_##to, T, F)                                                              \
    LANES d[r] = (T)a[r];                                                                          \
    }
#define INT_ANY(from, F)                                                                           \
    INT_INT(from, F, i32, int32_t)                                                                 \
    INT_INT(from, F, u32, uint32_t)                                                                \
    INT_INT(from, F, i64, int64_t)                                                                 \
    INT_INT(from, F, u64, uint64_t)                                                                \
    INT_FLOAT(from, F, f32, float)                                                                 \
    INT_FLOAT(from, F, f64, double)
INT_ANY(u8, uint8_t)
INT_ANY(i32, int32_t)
INT_ANY(u32, uint32_t)
INT_ANY(i64, int64_t)
INT_ANY(u64, uint64_t)

/* Decimals to fewer digits (exact, or overflow) and to floats. */
#define CUT_INT(to, T)                                                                             \
    KERNEL1(cut_##to, T, int64_t)                                                                  \
    uint8_t *bad = f->bad, any = 0;                                                                \
    int64_t k = (int64_t)s->number;                                                                \
    LANES                                                                                          \
    {                                                                                              \
        T x = 0;                                                                                   \
        bad[r] = a[r] % k || __builtin_add_overflow(a[r] / k, 0, &x);                              \
        any |= bad[r];                                                                             \
        d[r] = x;                                                                                  \
    }                                                                                              \
    if (RT_RARE(any)) interp__fail_bad(f, s, RT_OVERFLOW);                                         \
    }
#define CUT_FLOAT(to, T)                                                                           \
    KERNEL1(cut_##to, T, int64_t)                                                                  \
    double k = (double)s->number;                                                                  \
    LANES d[r] = (T)((double)a[r] / k);                                                            \
    }
CUT_INT(i32, int32_t)
CUT_INT(u32, uint32_t)
CUT_INT(i64, int64_t)
CUT_INT(u64, uint64_t)
CUT_FLOAT(f32, float)
CUT_FLOAT(f64, double)

/* Floats to whole numbers: exact, or overflow; to a decimal (scale_, s->number digits) the
 * nearest. */
#define FLOAT_INT(from, F, to, T, lo, hi)                                                          \
    KERNEL1(conv_##from##_##to, T, F)                                                              \
    uint8_t *bad = f->bad, any = 0;                                                                \
    LANES                                                                                          \
    {                                                                                              \
        double x = (double)a[r];                                                                   \
        bool in = x >= lo && x < hi;                                                               \
        T t = in ? (T)x : 0;                                                                       \
        bad[r] = !(in && x == (double)t);                                                          \
        any |= bad[r];                                                                             \
        d[r] = t;                                                                                  \
    }                                                                                              \
    if (RT_RARE(any)) interp__fail_bad(f, s, RT_OVERFLOW);                                         \
    }
#define FLOAT_ANY(from, F)                                                                         \
    FLOAT_INT(from, F, i32, int32_t, -2147483648.0, 2147483648.0)                                  \
    FLOAT_INT(from, F, u32, uint32_t, 0.0, 4294967296.0)                                           \
    FLOAT_INT(from, F, i64, int64_t, -9223372036854775808.0, 9223372036854775808.0)                \
    FLOAT_INT(from, F, u64, uint64_t, 0.0, 18446744073709551616.0)                                 \
    KERNEL1(conv_##from##_f32, float, F) LANES d[r] = (float)a[r];                                 \
    }                                                                                              \
    KERNEL1(conv_##from##_f64, double, F) LANES d[r] = (double)a[r];                               \
    }                                                                                              \
    KERNEL1(scale_##from, int64_t, F)                                                              \
    ACTIVE                                                                                         \
    {                                                                                              \
        i64 x;                                                                                     \
        if (RT_RARE(f->rt->to_decimal((double)a[r], (u32)s->number, &x)))                          \
            interp__lane_fail(f, s, r, RT_OVERFLOW);                                               \
        else                                                                                       \
            d[r] = x;                                                                              \
    }                                                                                              \
    }
FLOAT_ANY(f32, float)
FLOAT_ANY(f64, double)

/* A decimal without its last s->number digits, as s->count (IrRound) says. */
KERNEL1(round_decimal, int64_t, int64_t)
LANES d[r] = f->rt->round_decimal(a[r], (u32)s->number, s->count);
}

static uint64_t power10(unsigned n)
{
    uint64_t v = 1;
    while (n--) v *= 10;
    return v;
}

StepFn *interp__convert(const IrReg *from, const IrReg *to, uint64_t *ret_number)
{
    static StepFn *const plain[CELL__COUNT][CELL__COUNT] = {
        [CELL_U8] = ROW6(conv_u8),   [CELL_I32] = ROW6(conv_i32), [CELL_U32] = ROW6(conv_u32),
        [CELL_I64] = ROW6(conv_i64), [CELL_U64] = ROW6(conv_u64), [CELL_F32] = ROW6(conv_f32),
        [CELL_F64] = ROW6(conv_f64)};
    static StepFn *const cut[CELL__COUNT] = ROW6(cut);
    Cell a = interp__cell(from->type), d = interp__cell(to->type);
    unsigned from_scale = from->type == IR_DECIMAL ? from->scale : 0,
             to_scale = to->type == IR_DECIMAL ? to->scale : 0;
    bool from_float = a == CELL_F32 || a == CELL_F64, to_float = d == CELL_F32 || d == CELL_F64;
    StepFn *scaled = a == CELL_F32 ? scale_f32 : scale_f64;
    *ret_number = 1;
    if (a == CELL_TEXT || d == CELL_TEXT) return NULL;
    if (to_float) {
        *ret_number = power10(from_scale);
        return from_scale ? cut[d] : plain[a][d];
    }
    if (from_float) {
        *ret_number = to_scale;
        return to->type == IR_DECIMAL ? scaled : plain[a][d];
    }
    if (from->type == IR_DECIMAL && to->type == IR_DECIMAL && to_scale < from_scale) {
        *ret_number = from_scale - to_scale;
        return round_decimal;
    }
    bool up = to_scale >= from_scale;
    *ret_number = power10(up ? to_scale - from_scale : from_scale - to_scale);
    return up ? plain[a][d] : cut[d];
}
