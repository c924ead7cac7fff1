/* compiler/type/decimal.c: decimals: how many digits a value has, constants, conversions.
 *
 * A decimal is a whole number of 10^-scale. + - % and comparisons work at the greater scale of both
 * sides, * adds the scales, / leaves decimals for f64. A constant is as many digits as it is
 * written with; of a computed one the shortest text of the double is that, so 0.05 is 5 hundredths
 * and nothing else. */
#include "base/num.h"
#include "compiler/type/check.h"

#include <math.h>

int64_t check__power10(uint32_t n)
{
    int64_t v = 1;
    while (n--) v *= 10;
    return v;
}

/* A number's text as *ret_whole * 10^-*ret_digits, with the fewest digits; false when it has more
 * than fit. */
static bool digits_in(Str text, int64_t *ret_whole, uint32_t *ret_digits)
{
    const char *p = text.ptr, *end = p + text.len;
    bool minus = p < end && *p == '-', point = false;
    int64_t whole = 0, digits = 0, power = 0;
    for (p += minus; p < end && *p != 'e' && *p != 'E'; p++) {
        if (*p == '.') {
            point = true;
            continue;
        }
        if (*p < '0' || *p > '9') return false; /* NaN, Infinity */
        if (__builtin_mul_overflow(whole, 10, &whole) ||
            __builtin_add_overflow(whole, *p - '0', &whole))
            return false;
        digits += point;
    }
    bool down = p + 1 < end && p[1] == '-';
    if (p < end)
        for (p += 1 + (p[1] == '-' || p[1] == '+'); p < end && power < 1000; p++)
            power = power * 10 + (*p - '0');
    digits += down ? power : -power;
    for (; digits > 0 && whole % 10 == 0; digits--) whole /= 10;
    for (; digits < 0 && whole; digits++)
        if (__builtin_mul_overflow(whole, 10, &whole)) return false;
    if (digits > TYPE_SCALE_MAX) return false;
    *ret_whole = minus ? -whole : whole;
    *ret_digits = digits > 0 ? (uint32_t)digits : 0;
    return true;
}

static bool digits_of(double x, int64_t *ret_whole, uint32_t *ret_digits)
{
    char text[NUM_TEXT_BYTES];
    return digits_in((Str){text, (size_t)(num_put_f64(text, x) - text)}, ret_whole, ret_digits);
}

/* Of a constant float: as it is written, which may be more digits than a double has, for as long as
 * it still is that number. */
static bool digits_written(const Val *v, int64_t *ret_whole, uint32_t *ret_digits)
{
    const char *end = v->written.ptr + v->written.len;
    double same, x = v->imm.number;
    if (!v->written.len || num_get_f64(v->written.ptr, end, &same) != end || same != fabs(x))
        return digits_of(x, ret_whole, ret_digits);
    if (!digits_in(v->written, ret_whole, ret_digits)) return false;
    if (x < 0) *ret_whole = -*ret_whole;
    return true;
}

uint32_t check__digits(const Val *v)
{
    int64_t whole;
    uint32_t digits;
    if (v->type.kind == IR_DECIMAL) return v->type.scale;
    if (type_is_integer(v->type.kind)) return 0;
    return v->constant && digits_written(v, &whole, &digits) ? digits : NO_DIGITS;
}

static bool rescaled(int64_t whole, uint32_t from, uint32_t to, int64_t *ret)
{
    if (to >= from) return !__builtin_mul_overflow(whole, check__power10(to - from), ret);
    int64_t unit = check__power10(from - to);
    *ret = whole / unit;
    return whole % unit == 0;
}

bool check__imm_to_decimal(const Type *from, IrImm imm, uint32_t scale, IrImm *ret_imm)
{
    int64_t whole = imm.integer;
    uint32_t digits = from->kind == IR_DECIMAL ? from->scale : 0;
    if (type_is_float(from->kind) && !digits_of(imm.number, &whole, &digits)) return false;
    if (from->kind == IR_U64 && imm.natural > INT64_MAX) return false;
    *ret_imm = (IrImm){0};
    return rescaled(whole, digits, scale, &ret_imm->integer);
}

bool check__val_to_decimal(const Val *v, uint32_t scale, IrImm *ret_imm)
{
    int64_t whole;
    uint32_t digits;
    if (v->type.kind != IR_F64) return check__imm_to_decimal(&v->type, v->imm, scale, ret_imm);
    *ret_imm = (IrImm){0};
    return digits_written(v, &whole, &digits) && rescaled(whole, digits, scale, &ret_imm->integer);
}

bool check__imm_from_decimal(const Type *from, IrImm imm, IrImm *ret_imm)
{
    *ret_imm = (IrImm){0};
    return rescaled(imm.integer, from->scale, 0, &ret_imm->integer);
}

double check__val_number(const Val *v)
{
    double number = check__imm_number(v->type.kind, v->imm);
    return v->type.kind == IR_DECIMAL ? number / (double)check__power10(v->type.scale) : number;
}

void check__put_decimal(Buf *out, int64_t value, uint32_t scale)
{
    uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value,
             unit = (uint64_t)check__power10(scale), rest = size % unit;
    if (value < 0) buf_char(out, '-');
    buf_u64(out, size / unit);
    if (rest) buf_char(out, '.');
    while (rest) {
        unit /= 10;
        buf_u64(out, rest / unit);
        rest %= unit;
    }
}

bool check__coerce_to(Check *c, Val *v, const Type *want)
{
    if (want->kind != IR_DECIMAL) return check__coerce(c, v, want->kind);
    if (check__bad(v) || (v->type.kind == IR_DECIMAL && v->type.scale == want->scale)) return true;
    Type type = v->type;
    type.kind = IR_DECIMAL;
    type.scale = want->scale;
    if (v->constant) {
        IrImm imm;
        if (!check__val_to_decimal(v, want->scale, &imm)) {
            diag_error(c->diags, DIAG_T008, v->span, "this number does not fit decimal(%u)",
                       want->scale);
            return false;
        }
        v->imm = imm;
        v->type = type;
        return true;
    }
    Val source = check__finite(c, *v);
    Val out = check__emit1(c, IR_CONV, type, source.reg, v->span);
    out.type.optional = v->type.optional;
    out.has = v->has;
    *v = out;
    return true;
}

Val check__round_decimal(Check *c, Val v, uint32_t scale, IrRound how, Span span)
{
    if (scale >= v.type.scale) return v;
    Type type = v.type;
    type.scale = (uint8_t)scale;
    type.has_range = false;
    Val out = check__emit1(c, IR_CONV, type, check__reg(c, &v), span);
    c->b->stage->code[c->b->stage->code_count - 1].imm.index = how;
    return out;
}

Val check__to_decimal(Check *c, const AstExpr *e, Val v)
{
    AstInteger size = e->as.convert.size;
    if (!AST_HAS(size) || size.value < 0 || size.value > TYPE_SCALE_MAX) {
        diag_error(c->diags, DIAG_T013, e->as.convert.name.span,
                   "decimal says how many digits stand behind its point: decimal(2), at most %d",
                   TYPE_SCALE_MAX);
        return check__error_val(e->span);
    }
    if (v.type.kind == IR_STR) {
        Type type = {.kind = IR_DECIMAL, .scale = (uint8_t)size.value};
        Val scale = check__constant(IR_I64, (IrImm){.integer = size.value}, e->span);
        uint32_t args[2] = {check__reg(c, &v), check__reg(c, &scale)},
                 dst = build_reg(c->b, check__reg_of(&type, STR_NONE));
        build_list(c->b, IR_CALL, dst, args, 2)->imm.builtin = BUILTIN_PARSE_DECIMAL;
        return (Val){.type = type, .reg = dst, .has = NO_REG, .span = e->span};
    }
    if (!type_is_number(v.type.kind)) {
        diag_error(c->diags, DIAG_T003, v.span, "%.*s is not a number",
                   STR_ARG(type_text(c->arena, &v.type)));
        return check__error_val(e->span);
    }
    Type want = {.kind = IR_DECIMAL, .scale = (uint8_t)size.value};
    if (v.type.kind == IR_DECIMAL)
        v = want.scale < v.type.scale
                ? check__round_decimal(c, v, want.scale, ROUND_NEAREST, e->span)
                : v;
    if (v.constant && type_is_float(v.type.kind)) v = check__settle(c, v, STR_NONE);
    if (!check__coerce_to(c, &v, &want)) return check__error_val(e->span);
    v.naked = false;
    return v;
}
