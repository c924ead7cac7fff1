/* runtime/flow/proto.c: a message of protobuf against a schema.
 *
 * In two steps, because the last one of a number that comes twice counts: the bytes of fields are
 * first put where their values will be, then, when all have come, those are made and looked at. A
 * message inside that comes twice is one, items of lists add up, and a member of a oneof ends the
 * others. A field whose bytes are of another kind than its number says is one nobody knows. The
 * rules for what fails are those of pack.c. */
#include "flow/proto.h"

#include "flow/hot.h"
#include "flow/list.h"
#include "flow/pack.h"
#include "flow/pipe.h"

#include <math.h>
#include <string.h>

enum { NS_PER_SEC = 1000000000 };

/* `has` while a message is read; behind finish it is 0 or 1. */
enum {
    CAME = 1,
    FINAL = 2,     /* and is the field's value already */
    KIND_SHIFT = 2 /* above: 1 + the kind that a value of Sparkplug B came to be */
};

typedef struct Proto {
    RtPipe *pipe;
    u32 unknown; /* fields of no number of the schema came */
} Proto;

typedef struct Seconds { /* of a Timestamp or a Duration, where the value will be */
    i64 seconds, nanos;
} Seconds;
_Static_assert(sizeof(Seconds) == sizeof(RtValue), "it stands in the place of a value");

static const u8 wires[] = {[RT_PROTO_DOUBLE] = PROTO_64,     [RT_PROTO_FLOAT] = PROTO_32,
                           [RT_PROTO_INT32] = PROTO_VARINT,  [RT_PROTO_INT64] = PROTO_VARINT,
                           [RT_PROTO_UINT32] = PROTO_VARINT, [RT_PROTO_UINT64] = PROTO_VARINT,
                           [RT_PROTO_SINT32] = PROTO_VARINT, [RT_PROTO_SINT64] = PROTO_VARINT,
                           [RT_PROTO_FIXED32] = PROTO_32,    [RT_PROTO_FIXED64] = PROTO_64,
                           [RT_PROTO_SFIXED32] = PROTO_32,   [RT_PROTO_SFIXED64] = PROTO_64,
                           [RT_PROTO_BOOL] = PROTO_VARINT,   [RT_PROTO_ENUM] = PROTO_VARINT,
                           [RT_PROTO_STRING] = PROTO_LEN,    [RT_PROTO_BYTES] = PROTO_LEN,
                           [RT_PROTO_MESSAGE] = PROTO_LEN,   [RT_PROTO_TIMESTAMP] = PROTO_LEN,
                           [RT_PROTO_DURATION] = PROTO_LEN};

u32 rt_proto_wire(u32 kind)
{
    return wires[kind];
}

/* The number and the kind of bytes of the field at p. */
static inline const char *next_tag(const char *p, const char *end, u32 *ret_number, u32 *ret_wire)
{
    u64 tag = (u8)*p;
    if (tag < 128)
        p++;
    else if (!(p = proto_varint(p, end, &tag)))
        return NULL;
    *ret_number = (u32)(tag >> 3);
    *ret_wire = tag & 7;
    return tag >> 3 && tag >> 3 <= PROTO_NUMBER_MAX ? p : NULL;
}

/* Over the bytes of a field whose number was read. */
static const char *pass(const char *p, const char *end, u32 number, u32 wire, u32 levels)
{
    u64 n = 0;
    switch (wire) {
    case PROTO_VARINT: return proto_varint(p, end, &n);
    case PROTO_64: n = 8; break;
    case PROTO_32: n = 4; break;
    case PROTO_LEN:
        if (!(p = proto_varint(p, end, &n))) return NULL;
        break;
    case PROTO_GROUP:
        if (!levels) return NULL;
        while (p < end) {
            u32 inner, kind;
            if (!(p = next_tag(p, end, &inner, &kind))) return NULL;
            if (kind == PROTO_GROUP_END) return inner == number ? p : NULL;
            if (!(p = pass(p, end, inner, kind, levels - 1))) return NULL;
        }
        return NULL;
    default: return NULL;
    }
    return n <= (u64)(end - p) ? p + n : NULL;
}

static inline RtValue zero(u32 kind)
{
    RtValue v;
    v.s = (RtText){kind == RT_PROTO_STRING || kind == RT_PROTO_BYTES ? "" : NULL, 0};
    return v;
}

/* The bytes of one value at p, as they are, into *v. */
static inline const char *take(const char *p, const char *end, u32 wire, RtValue *v)
{
    u64 n = 0;
    u32 half;
    switch (wire) {
    case PROTO_VARINT:
        if (p < end && (u8)*p < 128) {
            v->u = (u8)*p;
            return p + 1;
        }
        return proto_varint(p, end, &v->u);
    case PROTO_64:
        if (end - p < 8) return NULL;
        memcpy(&v->u, p, 8); /* little end first, as we have it */
        return p + 8;
    case PROTO_32:
        if (end - p < 4) return NULL;
        memcpy(&half, p, 4);
        v->u = half;
        return p + 4;
    default:
        if (!(p = proto_varint(p, end, &n)) || n > (u64)(end - p)) return NULL;
        v->s = (RtText){p, n};
        return p + n;
    }
}

/* A Timestamp or a Duration; `at` holds what came of it before. */
static const char *take_seconds(const char *p, const char *end, u32 levels, RtValue *at)
{
    Seconds s;
    RtValue v;
    u32 number, wire;
    memcpy(&s, at, sizeof s);
    while (p < end) {
        if (!(p = next_tag(p, end, &number, &wire))) return NULL;
        if (number > 2 || wire != PROTO_VARINT) {
            if (!(p = pass(p, end, number, wire, levels))) return NULL;
            continue;
        }
        if (!(p = take(p, end, wire, &v))) return NULL;
        if (number == 1)
            s.seconds = v.i;
        else
            s.nanos = (i32)v.u;
    }
    memcpy(at, &s, sizeof s);
    return p;
}

static const char *message(Proto *s, const RtProto *proto, const RtSchema *schema, RtValue *value,
                           u8 *has, const char *p, const char *end, u32 depth);

/* Place for one more item of the list; NULL: there are too many, or no memory: the list is then
 * longer than it may be. */
static RtValue *add_item(Proto *s, const RtField *field, RtValue *value, u8 *has)
{
    const RtSchema *schema = field->child;
    RtValue *list = &value[field->leaf];
    if (!has[field->leaf]) *list = zero(RT_PROTO_STRING); /* its first one */
    has[field->leaf] = CAME;
    u64 stride = RT_ITEM_BYTES(schema->leaf_count), n = list->s.n;
    if (n >= field->bytes_max) {
        list->s.n = (u64)field->bytes_max + 1;
        return NULL;
    }
    if (n < 8 ? !n : !(n & (n - 1))) { /* its room is full: 8, 16, 32 ... */
        u64 more = n ? n * 2 : 8;
        if (more > field->bytes_max) more = field->bytes_max;
        char *items =
            rt_scratch_grow(s->pipe, n ? (char *)(u64)list->s.p : NULL, n * stride, more * stride);
        if (!items) {
            list->s.n = (u64)field->bytes_max + 1;
            return NULL;
        }
        list->s.p = items;
    }
    RtValue *item = (RtValue *)(u64)(list->s.p + n * stride);
    memset(item, 0, stride);
    list->s.n++;
    return item;
}

/* One value of the field: of a record inside, of a list's next item, or the value itself. */
static const char *one(Proto *s, const RtProtoField *f, const RtField *field, RtValue *value,
                       u8 *has, u32 wire, const char *p, const char *end, u32 depth)
{
    RtValue *to = &value[field->leaf], spare;
    u8 there, *to_has = &has[field->leaf];
    const RtSchema *inside = field->child;
    if (f->flags & RT_PROTO_REPEATED) {
        to = add_item(s, field, value, has);
        to_has = to ? (u8 *)to + 16 * (u64)inside->leaf_count : &there;
        if (!to) to = &spare;
    }
    if (f->kind < RT_PROTO_MESSAGE) {
        *to_has = 1;
        return take(p, end, wire, to);
    }
    RtValue bytes;
    if (!(p = take(p, end, wire, &bytes))) return NULL;
    if (f->kind == RT_PROTO_MESSAGE) {
        if (depth >= RT_DEPTH_MAX) return NULL;
        if (to == &spare) return p; /* of a list that is too long */
        if (!(f->flags & RT_PROTO_REPEATED)) to = value, to_has = has;
        return message(s, f->child, inside, to, to_has, bytes.s.p, p, depth + 1);
    }
    if (!*to_has || to == &spare) *to = zero(f->kind);
    *to_has = 1;
    return take_seconds(bytes.s.p, p, RT_DEPTH_MAX - depth, to);
}

static const char *packed(Proto *s, const RtProtoField *f, const RtField *field, RtValue *value,
                          u8 *has, const char *p, const char *end)
{
    RtValue bytes, spare;
    u32 wire = rt_proto_wire(f->kind);
    const char *behind = take(p, end, PROTO_LEN, &bytes);
    if (!behind) return NULL;
    for (p = bytes.s.p; p < behind;) {
        RtValue *item = add_item(s, field, value, has);
        if (item) *((u8 *)item + 16) = 1; /* an item of one leaf */
        if (!(p = take(p, behind, wire, item ? item : &spare))) return NULL;
    }
    return behind;
}

static void take_away(const RtField *field, u8 *has)
{
    if (field->type == RT_RECORD)
        memset(has + field->leaf, 0, field->child->leaf_count);
    else
        has[field->leaf] = 0;
}

static void end_others(const RtProto *proto, const RtProtoField *f, const RtSchema *schema, u8 *has)
{
    for (u32 i = 0; i < proto->count; i++) {
        const RtProtoField *other = &proto->fields[i];
        if (other->oneof != f->oneof || other == f || other->field == RT_PROTO_ENDS) continue;
        if (schema->fields[other->field].flags & RT_NEEDED)
            take_away(&schema->fields[other->field], has);
    }
}

static u32 find(const RtProto *proto, u32 number)
{
    u32 low = 0, high = proto->count;
    while (low < high) {
        u32 middle = (low + high) / 2;
        if (proto->fields[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < proto->count && proto->fields[low].number == number ? low : proto->count;
}

/* What is absent but never missing. */
static void preset(const RtProto *proto, const RtSchema *schema, RtValue *value, u8 *has)
{
    for (u32 i = 0; i < proto->count; i++) {
        const RtProtoField *f = &proto->fields[i];
        if (!(f->flags & (RT_PROTO_IMPLICIT | RT_PROTO_REPEATED)) || f->field == RT_PROTO_ENDS)
            continue;
        const RtField *field = &schema->fields[f->field];
        if (!(field->flags & RT_NEEDED) || has[field->leaf]) continue;
        value[field->leaf] = f->flags & RT_PROTO_REPEATED ? zero(RT_PROTO_STRING) : zero(f->kind);
        has[field->leaf] = 1;
    }
}

/* A single value as it mostly comes: put where it belongs, and final if nothing is left to look at.
 * NULL: none of those. */
static inline const char *usual(const RtProtoField *f, const RtField *field, RtValue *v, u8 *has,
                                const char *p, const char *end)
{
    u64 n, all = 0;
    u32 as_is = !(field->flags & RT_RANGED);
    switch (f->kind) {
    case RT_PROTO_DOUBLE:
        if (end - p < 8) return NULL;
        v->u = RT_8(p);
        as_is &= field->type == RT_F64 && (v->u >> 52 & 0x7ff) != 0x7ff;
        p += 8;
        break;
    case RT_PROTO_INT32:
    case RT_PROTO_INT64:
    case RT_PROTO_UINT32:
    case RT_PROTO_UINT64:
        if (!(p = take(p, end, PROTO_VARINT, v))) return NULL;
        as_is &= v->u <= INT32_MAX && field->type >= RT_I32 && field->type <= RT_U64;
        break;
    case RT_PROTO_STRING:
        if (p == end || (n = (u8)*p++) > 127 || n > (u64)(end - p)) return NULL;
        v->s = (RtText){p, n};
        as_is &= field->type == RT_STR && (!field->bytes_max || n <= field->bytes_max);
        for (u64 i = 0; i + 8 <= n; i += 8) all |= RT_8(p + i);
        if (n & 7) all |= RT_8(p + (n & ~7ull)) << (64 - 8 * (n & 7));
        as_is &= !(all & 0x8080808080808080ull);
        p += n;
        break;
    default: return NULL;
    }
    *has = as_is ? FINAL : CAME;
    return p;
}

/* A whole number of Sparkplug B by its data type, 1 to 4 being Int8 to Int64 and 5 to 8 UInt8 to
 * UInt64: negative ones stand there without sign, in so many bits or in more. Without a type, which
 * only births have to say, it counts as it stands. */
static u32 typed(u32 kind, u64 type, RtValue *v)
{
    if (kind != RT_PROTO_UINT32 && kind != RT_PROTO_UINT64) return kind;
    if (kind == RT_PROTO_UINT32) v->u = (u32)v->u;
    if (!type || type > 8) return RT_PROTO_UINT64;
    u32 shift = 64 - (8u << (type - 1) % 4);
    v->u <<= shift;
    if (type <= 4)
        v->i >>= shift;
    else
        v->u >>= shift;
    return type <= 4 ? RT_PROTO_INT64 : RT_PROTO_UINT64;
}

static void end_any(const RtProtoField *f, u64 type, const RtSchema *schema, RtValue *value,
                    u8 *has)
{
    u32 leaf = schema->fields[f->field].leaf;
    if (has[leaf]) has[leaf] = (u8)((typed(f->kind, type, &value[leaf]) + 1) << KIND_SHIFT);
}

static const char *message(Proto *s, const RtProto *proto, const RtSchema *schema, RtValue *value,
                           u8 *has, const char *p, const char *end, u32 depth)
{
    u32 next = 0; /* fields mostly come in order */
    const RtProtoField *any = NULL;
    RtValue type = {.u = 0};
    if (depth > 1) preset(proto, schema, value, has);
    while (p < end) {
        u32 number, wire, at = next;
        if (!(p = next_tag(p, end, &number, &wire))) return NULL;
        if (at == proto->count || proto->fields[at].number != number) at = find(proto, number);
        if (at == proto->count) {
            s->unknown = 1;
            p = pass(p, end, number, wire, RT_DEPTH_MAX - depth);
            if (!p) return NULL;
            continue;
        }
        const RtProtoField *f = &proto->fields[at];
        const RtField *field = f->field == RT_PROTO_ENDS ? NULL : &schema->fields[f->field];
        u32 own = wires[f->kind];
        if (wire == own && field && (field->flags & RT_NEEDED) && !f->oneof &&
            !(f->flags & (RT_PROTO_REPEATED | RT_PROTO_TYPED))) {
            const char *q = usual(f, field, &value[field->leaf], &has[field->leaf], p, end);
            if (q) {
                next = at + 1;
                p = q;
                continue;
            }
        }
        u32 pieces = wire == PROTO_LEN && own != PROTO_LEN && (f->flags & RT_PROTO_REPEATED);
        next = f->flags & RT_PROTO_REPEATED && !pieces ? at : at + 1;
        if (!field || (wire != own && !pieces)) s->unknown = 1;
        if (f->oneof && (wire == own || pieces)) end_others(proto, f, schema, has);
        if ((f->flags & RT_PROTO_TYPED) && wire == own && !take(p, end, wire, &type)) return NULL;
        if ((f->flags & RT_PROTO_ANY) && wire == own && (field->flags & RT_NEEDED)) any = f;
        if (!field || !(field->flags & RT_NEEDED) || (wire != own && !pieces))
            p = pass(p, end, number, wire, RT_DEPTH_MAX - depth);
        else if (pieces)
            p = packed(s, f, field, value, has, p, end);
        else
            p = one(s, f, field, value, has, wire, p, end, depth);
        if (!p) return NULL;
    }
    if (any) end_any(any, type.u, schema, value, has);
    return p;
}

/* ---- values, when all has come ---- */

static void fail(RtScan *out, const RtField *field, u32 reason, const char *path)
{
    if (out->reason && out->field && out->field->leaf <= field->leaf) return;
    out->reason = reason;
    out->field = field;
    out->path = path;
}

static u32 whole(RtPipe *pipe, const RtField *field, i64 v, RtValue *ret)
{
    switch (field->type) {
    case RT_I64: ret->i = v; break;
    case RT_I32:
        ret->i = v;
        if (v < INT32_MIN || v > INT32_MAX) return RT_RANGE;
        break;
    default: {
        const PackHead head = {.kind = PACK_INT, .negative = v < 0, .n = (u64)(v < 0 ? ~v : v)};
        return rt_pack_value(pipe, field, &head, ret);
    }
    }
    return field->flags & RT_RANGED ? rt_value_check(field, *ret) : RT_FINE;
}

static u32 natural(RtPipe *pipe, const RtField *field, u64 v, RtValue *ret)
{
    const PackHead head = {.kind = PACK_INT, .n = v};
    return rt_pack_value(pipe, field, &head, ret);
}

static u32 floating(RtPipe *pipe, const RtField *field, f64 d, int single, RtValue *ret)
{
    const PackHead head = {.kind = PACK_FLOAT, .single = (u8)single, .d = d};
    if ((field->type != RT_F64 && !(single && field->type == RT_F32)) || !isfinite(d))
        return rt_pack_value(pipe, field, &head, ret);
    ret->d = d;
    return field->flags & RT_RANGED ? rt_value_check(field, *ret) : RT_FINE;
}

/* A Timestamp counts nanoseconds forward, those of a Duration have the sign of its seconds. */
static u32 time_span(const RtField *field, const Seconds *s, RtValue *ret)
{
    i64 ns;
    u32 is_time = field->type == RT_TIME, reason = is_time ? RT_BAD_TIME : RT_RANGE;
    i64 least = is_time ? 0 : -(NS_PER_SEC - 1);
    if (s->nanos < least || s->nanos >= NS_PER_SEC) return is_time ? RT_BAD_TIME : RT_BAD_VALUE;
    if ((s->seconds > 0 && s->nanos < 0) || (s->seconds < 0 && s->nanos > 0 && !is_time))
        return RT_BAD_VALUE;
    if (__builtin_mul_overflow(s->seconds, NS_PER_SEC, &ns) ||
        __builtin_add_overflow(ns, s->nanos, &ret->i))
        return reason;
    return rt_value_check(field, *ret);
}

/* The field's own number for that of the message. A zero that stands for nothing said is no name's:
 * then there is no value. */
static u32 named(const RtProtoField *f, const RtField *field, i32 number, RtValue *ret, u8 *there)
{
    for (u32 i = 0; i < f->value_count; i++)
        if (f->values[i] == number) {
            ret->i = i;
            return RT_FINE;
        }
    if (number || !(f->flags & RT_PROTO_IMPLICIT)) return RT_BAD_ENUM;
    *there = 0;
    return field->flags & RT_OPTIONAL ? RT_FINE : RT_MISSING_FIELD;
}

/* What the field holds for the bytes that came for it. */
static u32 convert(Proto *s, const RtProtoField *f, const RtField *field, RtValue *v, u8 *there)
{
    const RtValue raw = *v;
    Seconds seconds;
    PackHead head = {.p = raw.s.p, .n = raw.s.n};
    u32 half = (u32)raw.u;
    switch (f->kind) {
    case RT_PROTO_DOUBLE: return floating(s->pipe, field, pack_f64(raw.u), 0, v);
    case RT_PROTO_FLOAT: return floating(s->pipe, field, pack_f32(half), 1, v);
    case RT_PROTO_INT32:
    case RT_PROTO_SFIXED32: return whole(s->pipe, field, (i32)half, v);
    case RT_PROTO_INT64:
    case RT_PROTO_SFIXED64: return whole(s->pipe, field, raw.i, v);
    case RT_PROTO_SINT32: return whole(s->pipe, field, (i32)(half >> 1 ^ (0 - (half & 1))), v);
    case RT_PROTO_SINT64: return whole(s->pipe, field, (i64)(raw.u >> 1 ^ (0 - (raw.u & 1))), v);
    case RT_PROTO_UINT32:
    case RT_PROTO_FIXED32: return whole(s->pipe, field, (i64)half, v);
    case RT_PROTO_UINT64:
    case RT_PROTO_FIXED64: return natural(s->pipe, field, raw.u, v);
    case RT_PROTO_BOOL: v->i = raw.u != 0; return RT_FINE;
    case RT_PROTO_ENUM:
        if (field->type == RT_ENUM) return named(f, field, (i32)half, v, there);
        return whole(s->pipe, field, (i32)half, v);
    case RT_PROTO_STRING: head.kind = PACK_TEXT; return rt_pack_value(s->pipe, field, &head, v);
    case RT_PROTO_BYTES: head.kind = PACK_BYTES; return rt_pack_value(s->pipe, field, &head, v);
    default: memcpy(&seconds, &raw, sizeof seconds); return time_span(field, &seconds, v);
    }
}

/* A value of Sparkplug B, whose kind `has` tells; true is 1 where a number is wanted. */
static u32 convert_any(Proto *s, const RtProtoField *f, const RtField *field, RtValue *v, u8 *there)
{
    RtProtoField came = *f;
    came.kind = (u8)((*there >> KIND_SHIFT) - 1);
    *there = CAME;
    if (came.kind == RT_PROTO_BOOL && field->type != RT_BOOL)
        return whole(s->pipe, field, v->u != 0, v);
    return convert(s, &came, field, v, there);
}

static void finish(Proto *s, const RtProto *proto, const RtSchema *schema, RtValue *value, u8 *has,
                   RtScan *out);

static void finish_list(Proto *s, const RtProtoField *f, const RtField *field, const RtValue *list,
                        RtScan *out)
{
    const RtSchema *schema = field->child;
    u64 stride = RT_ITEM_BYTES(schema->leaf_count);
    RtScan inner = {0};
    if (list->s.n > field->bytes_max) {
        fail(out, field, RT_TOO_LONG, field->path);
        return;
    }
    for (u64 i = 0; i < list->s.n; i++) {
        RtValue *item = (RtValue *)(u64)(list->s.p + i * stride);
        u8 *item_has = (u8 *)item + 16 * (u64)schema->leaf_count;
        if (f->kind == RT_PROTO_MESSAGE)
            finish(s, f->child, schema, item, item_has, &inner);
        else if ((inner.reason = convert(s, f, schema->fields, item, item_has)))
            inner.path = schema->fields->path;
        if (!inner.reason) continue;
        fail(out, field, inner.reason, rt_item_path(s->pipe, field->path, i, inner.path));
        return;
    }
}

/* A field of the record must be there: without it nobody could tell the record from none. */
static int has_required(const RtSchema *schema)
{
    for (u32 i = 0; i < schema->count; i++)
        if (!(schema->fields[i].flags & RT_OPTIONAL)) return 1;
    return 0;
}

static int any_leaf(const RtField *record, const u8 *has)
{
    for (u32 i = 0; i < record->child->leaf_count; i++)
        if (has[record->leaf + i]) return 1;
    return 0;
}

static void finish_field(Proto *s, const RtProtoField *f, const RtField *field, RtValue *value,
                         u8 *has, RtScan *out)
{
    u32 must = !(field->flags & RT_OPTIONAL);
    if (field->type == RT_RECORD) {
        if (any_leaf(field, has))
            finish(s, f->child, field->child, value, has, out);
        else if (must && has_required(field->child))
            fail(out, field, RT_MISSING_FIELD, field->path);
        return;
    }
    u8 *there = &has[field->leaf];
    if (*there == FINAL) {
        *there = CAME;
        return;
    }
    if (!*there && !(f->flags & (RT_PROTO_IMPLICIT | RT_PROTO_REPEATED))) {
        if (must) fail(out, field, RT_MISSING_FIELD, field->path);
        return;
    }
    if (!*there) { /* of the record itself; preset did it for those inside */
        *there = CAME;
        value[field->leaf] = zero(f->flags & RT_PROTO_REPEATED ? RT_PROTO_STRING : f->kind);
    }
    if (f->flags & RT_PROTO_REPEATED) {
        finish_list(s, f, field, &value[field->leaf], out);
        return;
    }
    u32 any = f->flags & RT_PROTO_ANY, done = any && *there == CAME; /* by another member's row */
    u32 reason = done  ? RT_FINE
                 : any ? convert_any(s, f, field, &value[field->leaf], there)
                       : convert(s, f, field, &value[field->leaf], there);
    if (reason) fail(out, field, reason, field->path);
}

static void finish(Proto *s, const RtProto *proto, const RtSchema *schema, RtValue *value, u8 *has,
                   RtScan *out)
{
    for (u32 i = 0; i < proto->count; i++) {
        const RtProtoField *f = &proto->fields[i];
        if (f->field == RT_PROTO_ENDS) continue;
        const RtField *field = &schema->fields[f->field];
        if (field->flags & RT_NEEDED) finish_field(s, f, field, value, has, out);
    }
}

int rt_scan_proto(RtPipe *pipe, const RtProto *proto, const RtSchema *schema, u32 unknown,
                  const char *p, const char *end, RtScan *scan)
{
    Proto s = {.pipe = pipe};
    scan->reason = RT_FINE;
    scan->field = NULL;
    scan->path = NULL;
    memset(scan->has, 0, schema->leaf_count);
    if (!proto || !message(&s, proto, schema, scan->value, scan->has, p, end, 1))
        scan->reason = RT_BAD_RECORD;
    else
        finish(&s, proto, schema, scan->value, scan->has, scan);
    if (!scan->reason && s.unknown && unknown == RT_UNKNOWN_REJECT) scan->reason = RT_UNKNOWN_FIELD;
    return (int)scan->reason;
}
