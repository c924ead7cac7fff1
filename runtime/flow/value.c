/* runtime/flow/value.c: one value of a record: text, JSON or a cell of CSV to what a field holds.
 */
#include "flow/scan.h"

#include "base/num.h"
#include "base/rfc3339.h"
#include "base/str.h"
#include "flow/pipe.h"

#include <math.h>
#include <string.h>

u32 rt_value_check(const RtField *field, RtValue v)
{
    f64 d;
    switch (field->type) {
    case RT_STR:
    case RT_BYTES:
    case RT_JSON: return field->bytes_max && v.s.n > field->bytes_max ? RT_TOO_LONG : RT_FINE;
    case RT_F32:
    case RT_F64: d = v.d; break;
    case RT_U64: d = (f64)v.u; break;
    case RT_DECIMAL: d = (f64)v.i / pow(10, field->scale); break;
    default: d = (f64)v.i; break;
    }
    return (field->flags & RT_RANGED) && !(d >= field->lo && d <= field->hi) ? RT_RANGE : RT_FINE;
}

u32 rt_value_from_text(RtPipe *pipe, const RtField *field, const char *p, u64 n, RtValue *ret)
{
    switch (field->type) {
    case RT_STR: ret->s.p = p, ret->s.n = n; return RT_FINE;
    case RT_BYTES: return rt_base64(pipe, p, n, ret);
    case RT_TIME: return rt_time_text(&pipe->day, p, n, &ret->i) ? RT_FINE : RT_BAD_TIME;
    case RT_DURATION: return duration_get(str_slice(p, n), &ret->i) ? RT_FINE : RT_BAD_VALUE;
    case RT_ENUM:
        for (u32 i = 0; i < field->name_count; i++) {
            if (strlen(field->names[i]) != n || memcmp(field->names[i], p, n) != 0) continue;
            ret->i = i;
            return RT_FINE;
        }
        return RT_BAD_ENUM;
    default: return RT_BAD_VALUE;
    }
}

/* What a value of another JSON type is called for this field. */
u32 rt_wrong_type(const RtField *field)
{
    switch (field->type) {
    case RT_I32:
    case RT_I64:
    case RT_U32:
    case RT_U64:
    case RT_F32:
    case RT_F64:
    case RT_DECIMAL: return RT_BAD_NUMBER;
    case RT_TIME: return RT_BAD_TIME;
    case RT_ENUM: return RT_BAD_ENUM;
    default: return RT_BAD_VALUE;
    }
}

static const char *natural(const char *p, const char *end, u64 *ret, u32 *reason)
{
    const char *q = p;
    u64 v = 0;
    while (q < end && (unsigned)(*q - '0') <= 9 && !__builtin_mul_overflow(v, 10, &v) &&
           !__builtin_add_overflow(v, (unsigned)(*q - '0'), &v))
        q++;
    const char *stop = rt_number_end(p, end);
    if (!stop) return NULL;
    *reason = RT_FINE;
    *ret = v;
    if (stop == q) return stop;
    i64 whole; /* written with a point or an exponent: at most 2^63 - 1 there */
    stop = rt_decimal(p, end, 0, 0, &whole, reason);
    if (!*reason && whole < 0) *reason = RT_RANGE;
    *ret = (u64)whole;
    return stop;
}

const char *rt_value_number(const RtField *field, const char *p, const char *end, RtValue *v,
                            u32 *reason)
{
    static const u8 unit_scale[] = {0, 9, 6, 3, 0}; /* s ms us ns as powers of ten to ns */
    f64 d;
    switch (field->type) {
    case RT_F64:
    case RT_F32:
        p = num_get_f64(p, end, &d);
        if (!p) return NULL;
        if (field->type == RT_F32) d = (f64)(f32)d;
        *reason = isfinite(d) ? RT_FINE : RT_RANGE;
        v->d = d;
        return p;
    case RT_U64: return natural(p, end, &v->u, reason);
    case RT_DECIMAL: return rt_decimal(p, end, field->scale, 0, &v->i, reason);
    case RT_TIME:
        p = rt_decimal(p, end, unit_scale[field->time_read], 1, &v->i, reason);
        if (p && *reason) *reason = RT_BAD_TIME;
        return p;
    default:
        p = rt_decimal(p, end, 0, 0, &v->i, reason);
        if (!p || *reason) return p;
        if (field->type == RT_I32 && (v->i < INT32_MIN || v->i > INT32_MAX)) *reason = RT_RANGE;
        if (field->type == RT_U32 && (v->i < 0 || v->i > UINT32_MAX)) *reason = RT_RANGE;
        return p;
    }
}

static int takes_text(const RtField *field)
{
    return field->type == RT_STR || field->type == RT_BYTES || field->type == RT_ENUM ||
           field->type == RT_DURATION || (field->type == RT_TIME && field->time_read == 0);
}

static int takes_number(const RtField *field)
{
    return (field->type >= RT_I32 && field->type <= RT_DECIMAL) ||
           (field->type == RT_TIME && field->time_read != 0);
}

/* A json value as it came; a line end between its tokens becomes a space, because rows are lines.
 */
static u32 slice(RtPipe *pipe, const char *p, const char *end, RtValue *ret)
{
    u64 n = (u64)(end - p);
    ret->s = (RtText){p, n};
    if (!memchr(p, '\n', n) && !memchr(p, '\r', n)) return RT_FINE;
    char *w = rt_scratch(pipe, n);
    if (!w) return RT_TOO_LONG;
    for (u64 i = 0; i < n; i++) w[i] = p[i] == '\n' || p[i] == '\r' ? ' ' : p[i];
    ret->s.p = w;
    return RT_FINE;
}

const char *rt_value(RtPipe *pipe, const RtField *field, const char *p, const char *end, u32 levels,
                     RtValue *ret, u32 *ret_reason)
{
    u32 reason = RT_FINE;
    const char *q;
    ret->s = (RtText){NULL, 0};
    if (*p == '"' && takes_text(field)) {
        q = rt_text(pipe, p + 1, end, ret);
        if (!q) return NULL;
        reason = rt_value_from_text(pipe, field, ret->s.p, ret->s.n, ret);
        q++;
    } else if ((*p == '-' || (unsigned)(*p - '0') <= 9) && takes_number(field)) {
        q = rt_value_number(field, p, end, ret, &reason);
    } else if ((*p == 't' || *p == 'f') && field->type == RT_BOOL) {
        ret->i = *p == 't';
        q = rt_skip_levels(p, end, levels);
    } else {
        q = rt_skip_levels(p, end, levels);
        reason = field->type != RT_JSON ? rt_wrong_type(field) : q ? slice(pipe, p, q, ret) : 0;
    }
    if (!q) return NULL;
    *ret_reason = reason ? reason : rt_value_check(field, *ret);
    return q;
}
