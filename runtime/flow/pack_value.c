/* runtime/flow/pack_value.c: one value of a format of bytes to what a field holds.
 *
 * A number means what its digits mean in JSON: where the family is not the field's own (a float for
 * a whole number, a decimal, a time) the shortest digits that read back are read as JSON reads
 * them, so that a record means the same in every format. */
#include "flow/pack.h"

#include "base/num.h"
#include "base/str.h"
#include "flow/pipe.h"

#include <math.h>

static u32 digits(const RtField *field, const char *p, const char *end, RtValue *ret)
{
    u32 reason = RT_FINE;
    return rt_value_number(field, p, end, ret, &reason) == end ? reason : rt_wrong_type(field);
}

static int takes_number(const RtField *field)
{
    return (field->type >= RT_I32 && field->type <= RT_DECIMAL) ||
           (field->type == RT_TIME && field->time_read != 0);
}

static u32 whole(const RtField *field, u64 n, int negative, RtValue *ret)
{
    char text[32], *w = text;
    i64 v = negative ? -1 - (i64)n : (i64)n;
    int fits = n <= INT64_MAX;
    switch (field->type) {
    case RT_F64: /* -1 - n, rounded once */
        ret->d = !negative ? (f64)n : n == UINT64_MAX ? -18446744073709551616.0 : -(f64)(n + 1);
        return RT_FINE;
    case RT_F32:
        ret->d = !negative ? (f64)n : n == UINT64_MAX ? -18446744073709551616.0 : -(f64)(n + 1);
        ret->d = (f64)(f32)ret->d;
        return RT_FINE;
    case RT_I64: ret->i = v; return fits ? RT_FINE : RT_RANGE;
    case RT_I32: ret->i = v; return fits && v >= INT32_MIN && v <= INT32_MAX ? RT_FINE : RT_RANGE;
    case RT_U32: ret->i = v; return fits && v >= 0 && v <= UINT32_MAX ? RT_FINE : RT_RANGE;
    case RT_U64: ret->u = n; return negative ? RT_RANGE : RT_FINE;
    default: break;
    }
    if (negative && n == UINT64_MAX) return field->type == RT_TIME ? RT_BAD_TIME : RT_RANGE;
    if (negative) *w++ = '-';
    w = num_put_u64(w, negative ? n + 1 : n);
    return digits(field, text, w, ret);
}

static u32 floating(const RtField *field, const PackHead *h, RtValue *ret)
{
    char text[40];
    if (isnan(h->d)) return rt_wrong_type(field);
    if (isinf(h->d)) return field->type == RT_TIME ? RT_BAD_TIME : RT_RANGE;
    if (field->type == RT_F64) {
        ret->d = h->d;
        return RT_FINE;
    }
    return digits(field, text, h->single ? num_put_f32(text, (f32)h->d) : num_put_f64(text, h->d),
                  ret);
}

static u32 text(RtPipe *pipe, const RtField *field, const PackHead *h, RtValue *ret)
{
    switch (field->type) {
    case RT_STR:
        ret->s = (RtText){h->p, h->n};
        return str_utf8_valid(str_slice(h->p, h->n)) ? RT_FINE : RT_BAD_VALUE;
    case RT_DECIMAL: return digits(field, h->p, h->p + h->n, ret);
    case RT_TIME:
        if (field->time_read) return RT_BAD_TIME;
        return rt_value_from_text(pipe, field, h->p, h->n, ret);
    case RT_DURATION:
    case RT_ENUM: return rt_value_from_text(pipe, field, h->p, h->n, ret);
    default: return rt_wrong_type(field);
    }
}

u32 rt_pack_value(RtPipe *pipe, const RtField *field, const PackHead *h, RtValue *ret)
{
    u32 reason = RT_FINE;
    ret->s = (RtText){"", 0};
    if (h->kind == PACK_INT && takes_number(field))
        reason = whole(field, h->n, h->negative, ret);
    else if (h->kind == PACK_FLOAT && takes_number(field))
        reason = floating(field, h, ret);
    else if (h->kind == PACK_TEXT)
        reason = text(pipe, field, h, ret);
    else if (h->kind == PACK_BYTES && field->type == RT_BYTES)
        ret->s = (RtText){h->p, h->n};
    else if (h->kind == PACK_BOOL && field->type == RT_BOOL)
        ret->i = (i64)h->n;
    else if (h->kind == PACK_TIME && field->type == RT_TIME)
        ret->i = h->ns;
    else
        reason = rt_wrong_type(field);
    return reason ? reason : rt_value_check(field, *ret);
}
