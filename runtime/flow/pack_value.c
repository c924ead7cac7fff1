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

/* A whole number that came as bytes; 0: it has more than 64 bits. */
static int big(const PackHead *h, PackHead *ret)
{
    const char *p = h->p, *end = p + h->n;
    while (p < end && !*p) p++;
    *ret = (PackHead){.kind = PACK_INT,
                      .negative = h->mark == PACK_MARK_BIG_NEGATIVE,
                      .n = end - p <= 8 ? pack_be(p, (u32)(end - p)) : 0};
    return end - p <= 8;
}

static int is_big(const PackHead *h)
{
    return h->kind == PACK_BYTES && (h->mark == PACK_MARK_BIG || h->mark == PACK_MARK_BIG_NEGATIVE);
}

static char *put_whole(char *w, const PackHead *h)
{
    if (h->negative) *w++ = '-';
    if (!h->negative || h->n < UINT64_MAX) return num_put_u64(w, h->n + h->negative);
    static const char least[] = "18446744073709551616";
    for (u32 i = 0; i + 1 < sizeof least; i++) *w++ = least[i];
    return w;
}

u32 rt_pack_fraction(const RtField *field, const PackHead *e, const PackHead *m, RtValue *ret)
{
    char text[64], *w = text;
    PackHead whole_m = *m;
    u32 reason = RT_FINE;
    if (!takes_number(field) || e->kind != PACK_INT || (m->kind != PACK_INT && !is_big(m)))
        return rt_wrong_type(field);
    if (is_big(m) && !big(m, &whole_m)) return RT_RANGE;
    w = put_whole(w, &whole_m);
    *w++ = 'e';
    w = put_whole(w, e);
    reason = digits(field, text, w, ret);
    return reason ? reason : rt_value_check(field, *ret);
}

/* Seconds since 1970, in digits; what is below the nanosecond is cut off. */
static u32 epoch(const PackHead *h, RtValue *ret)
{
    char text[64], *w = text;
    u32 reason = RT_FINE;
    if (h->kind == PACK_INT)
        w = put_whole(w, h);
    else if (h->kind == PACK_FLOAT && isfinite(h->d))
        w = h->single ? num_put_f32(w, (f32)h->d) : num_put_f64(w, h->d);
    return rt_decimal(text, w, 9, 1, &ret->i, &reason) == w && !reason ? RT_FINE : RT_BAD_TIME;
}

static u32 whole(const RtField *field, const PackHead *h, RtValue *ret)
{
    char text[32];
    u64 n = h->n;
    int negative = h->negative;
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
    return digits(field, text, put_whole(text, h), ret);
}

static u32 floating(const RtField *field, const PackHead *h, RtValue *ret)
{
    char text[40];
    if (isnan(h->d)) return rt_wrong_type(field);
    if (isinf(h->d)) return field->type == RT_TIME ? RT_BAD_TIME : RT_RANGE;
    if (field->type == RT_F64 || (field->type == RT_F32 && h->single)) {
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
        if (field->time_read && h->mark != PACK_MARK_TIME) return RT_BAD_TIME;
        return rt_value_from_text(pipe, field, h->p, h->n, ret);
    case RT_DURATION:
    case RT_ENUM: return rt_value_from_text(pipe, field, h->p, h->n, ret);
    default: return rt_wrong_type(field);
    }
}

u32 rt_pack_value(RtPipe *pipe, const RtField *field, const PackHead *h, RtValue *ret)
{
    u32 reason = RT_FINE;
    PackHead plain;
    ret->s = (RtText){"", 0};
    if (h->mark == PACK_MARK_EPOCH && field->type == RT_TIME)
        reason = epoch(h, ret);
    else if (is_big(h) && takes_number(field))
        reason = big(h, &plain) ? whole(field, &plain, ret) : RT_RANGE;
    else if (is_big(h)) /* bytes, but not meant as such */
        reason = rt_wrong_type(field);
    else if (h->kind == PACK_INT && takes_number(field))
        reason = whole(field, h, ret);
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
