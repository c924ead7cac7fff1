/* runtime/flow/proto_json.c: records and rows in protobuf, from and to JSON, for tests.
 *
 * As pack_json.c for the other formats of bytes. A value that its field could not hold for its
 * range or length arrives as it is; what a message has no way to say is left out, and a field it
 * does not have comes under a number it does not have. */
#include "flow/proto_json.h"

#include "flow/instance.h"
#include "flow/list.h"
#include "flow/pack.h"
#include "flow/pipe.h"
#include "flow/proto.h"

#include <string.h>

enum { LEVELS = 8 };

static char *put_object(RtPipe *pipe, char *w, const RtProto *proto, const RtSchema *schema,
                        const Json *json);

/* A value of Sparkplug B comes as the member that holds all values of the field's type. */
static u32 member_of(const RtField *field)
{
    switch (field->type) {
    case RT_BOOL: return RT_PROTO_BOOL;
    case RT_F32:
    case RT_F64: return RT_PROTO_DOUBLE;
    case RT_STR:
    case RT_ENUM: return RT_PROTO_STRING;
    case RT_BYTES: return RT_PROTO_BYTES;
    default: return RT_PROTO_UINT64;
    }
}

static const RtProtoField *field_of(const RtProto *proto, const RtSchema *schema, Str name)
{
    for (u32 i = 0; i < proto->count; i++) {
        const RtProtoField *f = &proto->fields[i];
        if (f->field == RT_PROTO_ENDS) continue;
        const RtField *field = &schema->fields[f->field];
        if (!str_eq(name, str_slice(field->name, field->name_len))) continue;
        if (!(f->flags & RT_PROTO_ANY) || f->kind == member_of(field)) return f;
    }
    return NULL;
}

/* A negative number needs its data type beside it, Int64, unless the record says one itself. */
static char *put_type(char *w, const RtProto *proto, const RtSchema *schema, const Json *record)
{
    for (u32 i = 0; i < proto->count; i++) {
        const RtProtoField *f = &proto->fields[i];
        if (!(f->flags & RT_PROTO_TYPED)) continue;
        const RtField *own = f->field == RT_PROTO_ENDS ? NULL : &schema->fields[f->field];
        if (own && json_get(record, own->name)) continue;
        w = proto_put_varint(w, (u64)f->number << 3 | PROTO_VARINT);
        w = proto_put_varint(w, 4);
    }
    return w;
}

/* The number of another name than those the field knows. */
static char *put_other_name(char *w, const RtProtoField *f)
{
    static const i32 none[] = {INT32_MAX};
    static const RtField first = {.type = RT_ENUM};
    RtProtoField other = *f;
    other.values = none;
    other.value_count = 1;
    return rt_put_proto_value(w, &other, &first, (RtValue){.i = 0});
}

static char *put_one(RtPipe *pipe, char *w, const RtProtoField *f, const RtField *field,
                     const RtSchema *record, const Json *json)
{
    RtValue v;
    RtField loose = *field;
    u32 reason = RT_FINE;
    if (json->type == JSON_NULL) return w;
    if (f->kind == RT_PROTO_MESSAGE) {
        if (json->type != JSON_OBJECT) return w;
        w = proto_put_varint(w, (u64)f->number << 3 | PROTO_LEN);
        return rt_proto_frame(w, put_object(pipe, w, f->child, record, json));
    }
    loose.flags &= (u8)~RT_RANGED;
    loose.bytes_max = UINT32_MAX;
    char *p = rt_scratch(pipe, json->raw.len + RT_PAD_BYTES), *end = p + json->raw.len;
    if (!p) return w;
    memcpy(p, json->raw.ptr, json->raw.len);
    memset(end, 0, RT_PAD_BYTES);
    if (rt_value(pipe, &loose, p, end, LEVELS, &v, &reason) && !reason)
        return rt_put_proto_value(w, f, field, v);
    return reason == RT_BAD_ENUM && f->kind == RT_PROTO_ENUM ? put_other_name(w, f) : w;
}

static char *put_object(RtPipe *pipe, char *w, const RtProto *proto, const RtSchema *schema,
                        const Json *json)
{
    for (const Json *at = json->first; at; at = at->next) {
        const RtProtoField *f = field_of(proto, schema, at->key);
        if (!f) {
            w = proto_put_varint(w, (u64)PROTO_NUMBER_MAX << 3 | PROTO_VARINT);
            w = proto_put_varint(w, 0);
            continue;
        }
        const RtField *field = &schema->fields[f->field];
        if ((f->flags & RT_PROTO_ANY) && at->raw.len && at->raw.ptr[0] == '-' &&
            f->kind == RT_PROTO_UINT64)
            w = put_type(w, proto, schema, json);
        if (!(f->flags & RT_PROTO_REPEATED)) {
            w = put_one(pipe, w, f, field, field->child, at);
        } else if (at->type == JSON_ARRAY) {
            for (const Json *item = at->first; item; item = item->next)
                w = put_one(pipe, w, f, field->child->fields, field->child, item);
        }
    }
    return w;
}

char *flow__proto_of_json(RtPipe *pipe, char *w, const RtProto *proto, const RtSchema *schema,
                          const Json *json)
{
    return json->type == JSON_OBJECT && proto ? put_object(pipe, w, proto, schema, json) : w;
}
