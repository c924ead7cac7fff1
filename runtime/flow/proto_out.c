/* runtime/flow/proto_out.c: rows as messages of protobuf.
 *
 * Fields by their numbers, what is missing is left out, and so are zeros where absent means zero.
 * The bytes of a message inside are written first and its length pushed in front of them. */
#include "flow/proto.h"

#include "base/rfc3339.h"
#include "flow/hot.h"
#include "flow/list.h"
#include "flow/pack.h"
#include "flow/pipe.h"

#include <string.h>

enum { NS_PER_SEC = 1000000000, NS_PER_MS = 1000000 };

static char *put_tag(char *w, u32 number, u32 wire)
{
    return proto_put_varint(w, (u64)number << 3 | wire);
}

static char *put_little(char *w, u64 v, u32 bytes)
{
    memcpy(w, &v, bytes); /* little end first, as we have it */
    return w + bytes;
}

static char *put_bytes(char *w, const char *p, u64 n)
{
    w = proto_put_varint(w, n);
    if (n) memcpy(w, p, n);
    return w + n;
}

char *rt_proto_frame(char *start, char *w)
{
    char head[PROTO_VARINT_BYTES];
    u64 n = (u64)(w - start);
    u64 bytes = (u64)(proto_put_varint(head, n) - head);
    memmove(start + bytes, start, n);
    memcpy(start, head, bytes);
    return w + bytes;
}

/* Rounds down for a time, so that what is left counts forward; towards zero for a duration. */
static char *put_seconds(char *w, i64 ns, int is_time)
{
    i64 seconds = ns / NS_PER_SEC, nanos = ns % NS_PER_SEC;
    char *start = w;
    if (is_time && nanos < 0) {
        nanos += NS_PER_SEC;
        seconds--;
    }
    if (seconds) w = proto_put_varint(put_tag(w, 1, PROTO_VARINT), (u64)seconds);
    if (nanos) w = proto_put_varint(put_tag(w, 2, PROTO_VARINT), (u64)nanos);
    return rt_proto_frame(start, w);
}

static u64 zigzag(i64 v)
{
    return (u64)v << 1 ^ (u64)(v >> 63);
}

/* Any type of field that the checker lets into a number of the message. */
static u64 bits_of(const RtField *field, RtValue v, int single)
{
    u64 bits = 0;
    f64 d = field->type == RT_F32 || field->type == RT_F64   ? v.d
            : field->type == RT_U32 || field->type == RT_U64 ? (f64)v.u
                                                             : (f64)v.i;
    f32 f = (f32)d;
    if (single)
        memcpy(&bits, &f, sizeof f);
    else
        memcpy(&bits, &d, sizeof d);
    return bits;
}

static RtText text_of(const RtField *field, RtValue v, char *room)
{
    if (field->type == RT_STR || field->type == RT_BYTES) return v.s;
    if (field->type == RT_ENUM) {
        const char *name = v.u < field->name_count ? field->names[v.u] : "";
        return (RtText){name, strlen(name)};
    }
    return (RtText){room, (u64)(rt_put_value(room, field, v, 0) - room)};
}

static u64 number_of(const RtProtoField *f, const RtField *field, RtValue v)
{
    if (f->kind == RT_PROTO_ENUM && field->type == RT_ENUM)
        return v.u < f->value_count ? (u64)(i64)f->values[v.u] : 0;
    if (field->type == RT_TIME) /* of Sparkplug B: milliseconds */
        return (u64)(v.i / NS_PER_MS - (v.i % NS_PER_MS < 0));
    if (f->kind == RT_PROTO_UINT32) return (u32)v.u; /* of Sparkplug B: an i32 without its sign */
    if (f->kind == RT_PROTO_SINT32 || f->kind == RT_PROTO_SINT64) return zigzag(v.i);
    return f->kind == RT_PROTO_BOOL ? v.i != 0 : v.u;
}

/* A value without its number. */
static char *put(char *w, const RtProtoField *f, const RtField *field, RtValue v)
{
    char room[PACK_TEXT_BYTES];
    RtText text;
    switch (f->kind) {
    case RT_PROTO_DOUBLE: return put_little(w, bits_of(field, v, 0), 8);
    case RT_PROTO_FLOAT: return put_little(w, bits_of(field, v, 1), 4);
    case RT_PROTO_FIXED32:
    case RT_PROTO_SFIXED32: return put_little(w, v.u, 4);
    case RT_PROTO_FIXED64:
    case RT_PROTO_SFIXED64: return put_little(w, v.u, 8);
    case RT_PROTO_STRING:
    case RT_PROTO_BYTES: text = text_of(field, v, room); return put_bytes(w, text.p, text.n);
    case RT_PROTO_TIMESTAMP: return put_seconds(w, v.i, 1);
    case RT_PROTO_DURATION: return put_seconds(w, v.i, 0);
    default: return proto_put_varint(w, number_of(f, field, v));
    }
}

char *rt_put_proto_value(char *w, const RtProtoField *f, const RtField *field, RtValue v)
{
    return put(put_tag(w, f->number, rt_proto_wire(f->kind)), f, field, v);
}

/* What is left out, as absent means the same. A negative zero is none. */
static int is_zero(const RtProtoField *f, const RtField *field, RtValue v)
{
    char room[PACK_TEXT_BYTES];
    switch (f->kind) {
    case RT_PROTO_DOUBLE: return !bits_of(field, v, 0);
    case RT_PROTO_FLOAT: return !bits_of(field, v, 1);
    case RT_PROTO_STRING:
    case RT_PROTO_BYTES: return !text_of(field, v, room).n;
    default: return !number_of(f, field, v);
    }
}

static char *put_message(char *w, const RtProtoField *f, const RtSchema *schema,
                         const RtValue *values, const u8 *has)
{
    w = put_tag(w, f->number, PROTO_LEN);
    return rt_proto_frame(w, rt_put_proto(w, f->child, schema, values, has));
}

static char *put_list(char *w, const RtProtoField *f, const RtField *field, const RtValue *list)
{
    const RtSchema *item = field->child;
    char *start = w;
    if (!list->s.n) return w;
    if (f->flags & RT_PROTO_PACKED) start = w = put_tag(w, f->number, PROTO_LEN);
    for (u64 i = 0; i < list->s.n; i++) {
        RtText at = {list->s.p + i * RT_ITEM_BYTES(item->leaf_count), 1};
        const RtValue *values = rt_item_value(at, 0);
        if (f->kind == RT_PROTO_MESSAGE)
            w = put_message(w, f, item, values, (const u8 *)at.p + 16 * (u64)item->leaf_count);
        else if (f->flags & RT_PROTO_PACKED)
            w = put(w, f, item->fields, values[0]);
        else
            w = rt_put_proto_value(w, f, item->fields, values[0]);
    }
    return f->flags & RT_PROTO_PACKED ? rt_proto_frame(start, w) : w;
}

char *rt_put_proto(char *w, const RtProto *proto, const RtSchema *schema, const RtValue *values,
                   const u8 *has)
{
    for (u32 i = 0; i < proto->count; i++) {
        const RtProtoField *f = &proto->fields[i];
        if (f->value_count && (f->flags & RT_PROTO_TYPED))
            w = proto_put_varint(put_tag(w, f->number, PROTO_VARINT), (u64)f->values[0]);
        if (f->field == RT_PROTO_ENDS) continue;
        const RtField *field = &schema->fields[f->field];
        if (f->flags & RT_PROTO_NULL) {
            if (!has[field->leaf]) w = proto_put_varint(put_tag(w, f->number, PROTO_VARINT), 1);
        } else if (field->type == RT_RECORD) {
            if (!(field->flags & RT_OPTIONAL) || rt_any_there(field->child, has))
                w = put_message(w, f, field->child, values, has);
        } else if (has[field->leaf]) {
            const RtValue v = values[field->leaf];
            if (f->flags & RT_PROTO_REPEATED)
                w = put_list(w, f, field, &v);
            else if (!(f->flags & RT_PROTO_IMPLICIT) || !is_zero(f, field, v))
                w = rt_put_proto_value(w, f, field, v);
        }
    }
    return w;
}

void rt_proto_row(RtPipe *pipe, u32 sink, const RtValue *values, const u8 *has, RtValue address)
{
    const RtSinkInfo *info = &pipe->info->sinks[sink];
    RtValue none = {.s = {"", 0}};
    char *start =
        rt_row_begin(pipe, sink, rt_json_bytes(info->schema, values, has) + PROTO_VARINT_BYTES);
    if (!start) return;
    char *w = info->proto ? rt_put_proto(start, info->proto, info->schema, values, has) : start;
    if (info->flags & RT_SINK_FRAMED) w = rt_proto_frame(start, w);
    rt_row_end(pipe, sink, w, address, none);
}
