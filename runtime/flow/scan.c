/* runtime/flow/scan.c: a whole JSON record against a schema, keys in any order.
 *
 * Walked from a table instead of generated: the learnt layout takes nearly all records, and one
 * table walker is one thing to test and to fuzz (measured cost of the table: a tenth). The field
 * expected next is tried first, so records in declared order need no search. */
#include "flow/scan.h"

#include "base/num.h"
#include "base/rfc3339.h"
#include "base/str.h"
#include "flow/pipe.h"

#include <math.h>
#include <string.h>

typedef struct Scan {
    RtPipe *pipe;
    const char *end;
    RtScan *out;
    u32 check, unknown;
    u32 wanted; /* needed leaves and records still to come (check lazy) */
} Scan;

/* Of several failures the field declared first counts, so that the answer does not depend on the
 * order of keys in the record. */
static void fail(Scan *s, const RtField *field, u32 reason)
{
    RtScan *out = s->out;
    if (out->reason && (!field || (out->field && out->field->leaf <= field->leaf))) return;
    out->reason = reason;
    out->field = field;
    out->path = field ? field->path : NULL;
}

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
static u32 wrong_type(const RtField *field)
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

static const char *number(Scan *s, const RtField *field, const char *p, RtValue *v, u32 *reason)
{
    static const u8 unit_scale[] = {0, 9, 6, 3, 0}; /* s ms us ns as powers of ten to ns */
    f64 d;
    switch (field->type) {
    case RT_F64:
    case RT_F32:
        p = num_get_f64(p, s->end, &d);
        if (!p) return NULL;
        if (field->type == RT_F32) d = (f64)(f32)d;
        *reason = isfinite(d) ? RT_FINE : RT_RANGE;
        v->d = d;
        return p;
    case RT_U64: return natural(p, s->end, &v->u, reason);
    case RT_DECIMAL: return rt_decimal(p, s->end, field->scale, 0, &v->i, reason);
    case RT_TIME:
        p = rt_decimal(p, s->end, unit_scale[field->time_read], 1, &v->i, reason);
        if (p && *reason) *reason = RT_BAD_TIME;
        return p;
    default:
        p = rt_decimal(p, s->end, 0, 0, &v->i, reason);
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

static const char *object(Scan *s, const RtSchema *schema, const char *p, u32 depth);
static const char *list(Scan *s, const RtField *field, const char *p, u32 depth);

/* The value of a needed field at p, not null. NULL: not JSON. */
static const char *value(Scan *s, const RtField *field, const char *p, u32 depth)
{
    RtValue v = {.i = 0};
    u32 reason = RT_FINE;
    const char *q;
    if (field->type == RT_RECORD && *p == '{') return object(s, field->child, p + 1, depth + 1);
    if (field->type == RT_LIST && *p == '[') return list(s, field, p + 1, depth + 1);
    if (*p == '"' && takes_text(field)) {
        q = rt_text(s->pipe, p + 1, s->end, &v);
        if (!q) return NULL;
        reason = rt_value_from_text(s->pipe, field, v.s.p, v.s.n, &v);
        q++;
    } else if ((*p == '-' || (unsigned)(*p - '0') <= 9) && takes_number(field)) {
        q = number(s, field, p, &v, &reason);
    } else if ((*p == 't' || *p == 'f') && field->type == RT_BOOL) {
        v.i = *p == 't';
        q = rt_skip_value(p, s->end);
    } else {
        q = rt_skip_value(p, s->end);
        reason = field->type != RT_JSON ? wrong_type(field) : q ? slice(s->pipe, p, q, &v) : 0;
    }
    if (!q) return NULL;
    if (!reason) reason = rt_value_check(field, v);
    if (reason) {
        fail(s, field, reason);
    } else {
        s->out->value[field->leaf] = v;
        s->out->has[field->leaf] = 1;
    }
    return q;
}

static const RtField *find(const RtSchema *schema, const char *key, u64 len, u32 *next)
{
    u64 word = 0;
    memcpy(&word, key, len < 8 ? len : 8);
    for (u32 i = 0, at = *next; i < schema->count; i++, at++) {
        if (at >= schema->count) at = 0;
        const RtField *field = &schema->fields[at];
        if (field->name_len != len || field->word != word) continue;
        if (len > 8 && memcmp(field->name + 8, key + 8, len - 8) != 0) continue;
        *next = at + 1;
        return field;
    }
    return NULL;
}

static int wants(const Scan *s, const RtField *field)
{
    return (field->flags & RT_NEEDED) || s->check == RT_CHECK_STRICT;
}

static void missing(Scan *s, const RtSchema *schema, const u64 *seen)
{
    for (u32 i = 0; i < schema->count; i++) {
        const RtField *field = &schema->fields[i];
        if ((seen[i / 64] >> (i % 64) & 1) || (field->flags & RT_OPTIONAL)) continue;
        if (wants(s, field)) fail(s, field, RT_MISSING_FIELD);
    }
}

/* One member's value, p at it. */
static const char *member(Scan *s, const RtSchema *schema, const RtField *field, u64 *seen,
                          const char *p, u32 depth)
{
    if (!field) {
        if (s->unknown == RT_UNKNOWN_REJECT) fail(s, NULL, RT_UNKNOWN_FIELD);
        return rt_skip_value(p, s->end);
    }
    u32 at = (u32)(field - schema->fields);
    if (seen[at / 64] >> (at % 64) & 1) { /* the first wins */
        s->pipe->n.duplicate_keys++;
        return rt_skip_value(p, s->end);
    }
    seen[at / 64] |= 1ull << (at % 64);
    if (!wants(s, field)) return rt_skip_value(p, s->end);
    if (s->wanted && field->type != RT_RECORD) s->wanted--;
    if (s->end - p >= 4 && memcmp(p, "null", 4) == 0) {
        if (!(field->flags & RT_OPTIONAL)) fail(s, field, RT_MISSING_FIELD);
        return p + 4;
    }
    return value(s, field, p, depth);
}

/* p behind '{'. */
static const char *object(Scan *s, const RtSchema *schema, const char *p, u32 depth)
{
    const char *end = s->end;
    u64 seen[RT_LEAVES_MAX / 64] = {0};
    u32 next = 0;
    if (depth > RT_DEPTH_MAX || schema->count > RT_LEAVES_MAX) return NULL;
    p = rt_skip_space(p, end);
    if (p < end && *p == '}') {
        missing(s, schema, seen);
        return p + 1;
    }
    for (;;) {
        if (p >= end || *p != '"') return NULL;
        u32 escapes;
        RtValue key = {.s = {p + 1, 0}};
        const char *q = rt_string_end(p + 1, end, &escapes);
        if (!q) return NULL;
        key.s.n = (u64)(q - p - 1);
        if (escapes && !rt_text(s->pipe, p + 1, end, &key)) return NULL;
        p = rt_skip_space(q + 1, end);
        if (p >= end || *p != ':') return NULL;
        p = rt_skip_space(p + 1, end);
        if (p >= end) return NULL;
        const RtField *field = find(schema, key.s.p, key.s.n, &next);
        p = member(s, schema, field, seen, p, depth);
        if (!p) return NULL;
        if (s->check == RT_CHECK_LAZY && !s->wanted && depth == 1) return end;
        p = rt_skip_space(p, end);
        if (p >= end) return NULL;
        if (*p == '}') {
            missing(s, schema, seen);
            return p + 1;
        }
        if (*p != ',') return NULL;
        p = rt_skip_space(p + 1, end);
    }
}

/* One item at p, into the row at `to`. */
static const char *item(Scan *s, const RtSchema *schema, const char *p, u32 depth)
{
    const RtField *field = schema->fields;
    int null = s->end - p >= 4 && memcmp(p, "null", 4) == 0;
    memset(s->out->has, 0, schema->leaf_count);
    if (!field->name_len && !null) return value(s, field, p, depth);
    if (field->name_len && *p == '{') return object(s, schema, p + 1, depth + 1);
    if (field->name_len || !(field->flags & RT_OPTIONAL)) {
        fail(s, field, null ? RT_MISSING_FIELD : RT_BAD_VALUE);
        if (field->name_len) s->out->path = ""; /* the item itself */
    }
    return null ? p + 4 : rt_skip_value(p, s->end);
}

/* "samples[3]", "lines[3].quantity", "matrix[2][1]". */
static const char *item_path(RtPipe *pipe, const char *of, u64 index, const char *inside)
{
    if (!inside) return NULL;
    u64 left = strlen(of), right = strlen(inside);
    char *path = rt_scratch(pipe, left + right + 24), *w = path;
    if (!path) return of;
    memcpy(w, of, left);
    w += left;
    *w++ = '[';
    w = num_put_u64(w, index);
    *w++ = ']';
    if (right && *inside != '[') *w++ = '.';
    memcpy(w, inside, right + 1);
    return path;
}

typedef struct Items {
    char *bytes;
    u64 count, cap, stride;
} Items;

static int room_for_item(RtPipe *pipe, Items *items, u32 most)
{
    if (items->count < items->cap) return 1;
    u64 cap = items->cap ? items->cap * 2 : 8;
    if (cap > most) cap = most;
    char *more =
        rt_scratch_grow(pipe, items->bytes, items->count * items->stride, cap * items->stride);
    if (!more) return 0;
    items->bytes = more;
    items->cap = cap;
    return 1;
}

/* p behind '['. The first item that is wrong fails the field, with its own place as path; what
 * follows it is only looked at as JSON. */
static const char *list(Scan *s, const RtField *field, const char *p, u32 depth)
{
    const RtSchema *schema = field->child;
    Items items = {NULL, 0, 0, RT_ITEM_BYTES(schema->leaf_count)};
    RtScan inner = {0};
    Scan sub = {s->pipe, s->end, &inner, s->check, s->unknown, UINT32_MAX};
    u32 reason = RT_FINE;
    const char *path = field->path;
    if (depth > RT_DEPTH_MAX) return NULL;
    p = rt_skip_space(p, s->end);
    int empty = p < s->end && *p == ']';
    while (!empty) {
        if (p >= s->end) return NULL;
        if (!reason &&
            (items.count == field->bytes_max || !room_for_item(s->pipe, &items, field->bytes_max)))
            reason = RT_TOO_LONG;
        if (reason) {
            p = rt_skip_value(p, s->end);
        } else {
            char *at = items.bytes + items.count * items.stride;
            inner.value = (RtValue *)(void *)at;
            inner.has = (u8 *)at + 16 * (u64)schema->leaf_count;
            p = item(&sub, schema, p, depth);
            if (inner.reason) path = item_path(s->pipe, field->path, items.count, inner.path);
            reason = inner.reason;
            items.count++;
        }
        if (!p) return NULL;
        p = rt_skip_space(p, s->end);
        if (p >= s->end || (*p != ',' && *p != ']')) return NULL;
        if (*p == ']') break;
        p = rt_skip_space(p + 1, s->end);
    }
    if (reason) {
        const RtField *before = s->out->field;
        fail(s, path ? field : NULL, reason);
        if (s->out->field != before) s->out->path = path;
        return p + 1;
    }
    s->out->value[field->leaf].s.p = items.bytes ? items.bytes : "";
    s->out->value[field->leaf].s.n = items.count;
    s->out->has[field->leaf] = 1;
    return p + 1;
}

static u32 count_wanted(const RtSchema *schema)
{
    u32 count = 0;
    for (u32 i = 0; i < schema->count; i++) {
        const RtField *field = &schema->fields[i];
        if (!(field->flags & RT_NEEDED)) continue;
        count += field->type == RT_RECORD ? count_wanted(field->child) : 1;
    }
    return count;
}

int rt_scan_json(RtPipe *pipe, const RtSchema *schema, u32 check, u32 unknown, const char *p,
                 const char *end, RtScan *scan)
{
    Scan s = {pipe, end, scan, check, unknown, 0};
    scan->reason = RT_FINE;
    scan->field = NULL;
    scan->path = NULL;
    memset(scan->has, 0, schema->leaf_count);
    if (check == RT_CHECK_LAZY) {
        s.wanted = count_wanted(schema);
        if (!s.wanted) s.wanted = UINT32_MAX;
    }
    p = rt_skip_space(p, end);
    p = p < end && *p == '{' ? object(&s, schema, p + 1, 1) : NULL;
    if (!p || rt_skip_space(p, end) < end) {
        scan->reason = RT_BAD_JSON;
        scan->field = NULL;
        scan->path = NULL;
    }
    return (int)scan->reason;
}

const char *rt_scan_list(RtPipe *pipe, const RtSchema *item, u32 items_max, u32 check, u32 unknown,
                         const char *p, const char *end, RtValue *ret)
{
    u8 has = 0;
    RtScan scan = {.value = ret, .has = &has};
    Scan s = {pipe, end, &scan, check, unknown, UINT32_MAX};
    RtField field = {.type = RT_LIST, .bytes_max = items_max, .child = item, .path = ""};
    p = p < end && *p == '[' ? list(&s, &field, p + 1, 2) : NULL;
    return scan.reason ? NULL : p;
}

/* ---- formats of one value ---- */

static int plain(const RtSchema *schema, const char *p, const char *end, RtScan *scan)
{
    const RtField *field = schema->count ? schema->fields : NULL;
    RtValue v = {.s = {p, (u64)(end - p)}};
    scan->reason = RT_FINE;
    scan->field = field;
    scan->path = field ? field->path : NULL;
    memset(scan->has, 0, schema->leaf_count);
    if (!field) return RT_FINE;
    if (field->type == RT_JSON && rt_skip_value(p, end) != end) {
        scan->field = NULL;
        scan->path = NULL;
        return (int)(scan->reason = RT_BAD_JSON);
    }
    /* Well-formed it must be even when nobody reads it, as with json. */
    if (field->type == RT_STR && !str_utf8_valid(str_slice(p, v.s.n)))
        scan->reason = RT_BAD_VALUE;
    else if (field->flags & RT_NEEDED)
        scan->reason = rt_value_check(field, v);
    scan->value[field->leaf] = v;
    scan->has[field->leaf] = 1;
    return (int)scan->reason;
}

/* A line or message without the line end behind it. */
int rt_scan_text(RtPipe *pipe, const RtSchema *schema, const char *p, const char *end, RtScan *scan)
{
    (void)pipe;
    if (end > p && end[-1] == '\n') end--;
    if (end > p && end[-1] == '\r') end--;
    return plain(schema, p, end, scan);
}

/* Every byte as it came; only around JSON white space means nothing. */
int rt_scan_raw(RtPipe *pipe, const RtSchema *schema, const char *p, const char *end, RtScan *scan)
{
    (void)pipe;
    if (schema->count && schema->fields[0].type == RT_JSON) {
        p = rt_skip_space(p, end);
        while (end > p && rt_skip_space(end - 1, end) == end) end--;
    }
    return plain(schema, p, end, scan);
}
