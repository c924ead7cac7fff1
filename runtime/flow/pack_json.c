/* runtime/flow/pack_json.c: records and rows in formats of bytes, from and to JSON.
 *
 * For tests, which write a record and expect a row as people do: nothing here is fast. A value goes
 * by its JSON type, so that a wrong one arrives as such; only what JSON has no type for goes by the
 * field's. */
#include "flow/instance.h"

#include "base/json.h"
#include "flow/pack.h"
#include "flow/pipe.h"
#include "flow/proto.h"
#include "flow/proto_json.h"

#include <stdlib.h>

enum { ITEM_BYTES_MAX = 16 }; /* of anything that is no text */

typedef struct Maker {
    const PackFormat *format;
    RtPipe *pipe;
} Maker;

static const RtField *field_of(const RtSchema *schema, Str name)
{
    for (u32 i = 0; schema && i < schema->count; i++)
        if (str_eq(name, str_slice(schema->fields[i].name, schema->fields[i].name_len)))
            return &schema->fields[i];
    return NULL;
}

static char *put_number(const Maker *m, char *w, const RtField *field, const Json *json)
{
    static const RtField whole = {.type = RT_I64}, natural = {.type = RT_U64},
                         real = {.type = RT_F64};
    RtValue v = {.d = json->number};
    if (field && field->type == RT_DECIMAL)
        return m->format->put_text(w, json->raw.ptr, json->raw.len);
    if (field && field->type == RT_F32) return m->format->put(w, field, v);
    if (json->type == JSON_INT) {
        v.i = json->integer;
        return m->format->put(w, &whole, v);
    }
    if (field && field->type == RT_U64 && json->raw.len < 21) {
        v.u = strtoull(json->raw.ptr, NULL, 10); /* a sign of its own ends it */
        return m->format->put(w, &natural, v);
    }
    return m->format->put(w, &real, v);
}

static char *put_json(const Maker *m, char *w, const RtField *field, const Json *json);

static char *put_object(const Maker *m, char *w, const RtSchema *schema, const Json *json)
{
    w = m->format->put_map(w, json->count);
    for (const Json *child = json->first; child; child = child->next) {
        w = m->format->put_text(w, child->key.ptr, child->key.len);
        w = put_json(m, w, field_of(schema, child->key), child);
    }
    return w;
}

static char *put_json(const Maker *m, char *w, const RtField *field, const Json *json)
{
    static const RtField flag = {.type = RT_BOOL};
    const RtSchema *child = field ? field->child : NULL;
    RtValue v = {.i = json->type == JSON_TRUE};
    switch (json->type) {
    case JSON_NULL: return m->format->put_nil(w);
    case JSON_FALSE:
    case JSON_TRUE: return m->format->put(w, &flag, v);
    case JSON_INT:
    case JSON_NUMBER: return put_number(m, w, field, json);
    case JSON_OBJECT: return put_object(m, w, child, json);
    case JSON_ARRAY:
        w = m->format->put_list(w, json->count);
        for (const Json *at = json->first; at; at = at->next) {
            bool single = child && child->count == 1 && !child->fields[0].name_len;
            const RtField record = {.type = RT_RECORD, .child = child};
            w = put_json(m, w, single ? child->fields : &record, at);
        }
        return w;
    default: break;
    }
    if (field && field->type == RT_BYTES && !rt_base64(m->pipe, json->text.ptr, json->text.len, &v))
        return m->format->put(w, field, v);
    return m->format->put_text(w, json->text.ptr, json->text.len);
}

/* The type of what this source gives. */
static const RtSchema *source_schema(const RtPipelineInfo *info, uint32_t source)
{
    u32 group = info->sources[source].group;
    for (u32 i = 0; group && i < info->join_count; i++)
        if (i + 1 == group) return info->joins[i].schema;
    return info->in;
}

Status flow_record_of_json(FlowInstance *instance, uint32_t source, Str text, Arena *arena,
                           Str *ret_record, Diag *diag)
{
    RtPipe *pipe = &instance->pipe;
    const Json *json;
    const RtSourceInfo *info = &pipe->info->sources[source];
    Maker m = {rt_pack_format(flow_format(info->format)), pipe};
    Status st = json_read(arena, text, &json, diag);
    char *bytes = arena_alloc(arena, text.len * ITEM_BYTES_MAX + RT_PAD_BYTES);
    if (st || !bytes) return st ? st : ST_NO_MEMORY;
    const RtSchema *schema = source_schema(pipe->info, source);
    char *end = !m.format ? flow__proto_of_json(pipe, bytes, info->proto, schema, json)
                : json->type == JSON_OBJECT ? put_object(&m, bytes, schema, json)
                                            : put_json(&m, bytes, NULL, json);
    pipe->scratch_len = 0;
    *ret_record = str_slice(bytes, (size_t)(end - bytes));
    return ST_OK;
}

Status flow_json_of_row(FlowInstance *instance, uint32_t sink, Str row, Arena *arena, Str *ret_json)
{
    RtPipe *pipe = &instance->pipe;
    const RtSinkInfo *info = &pipe->info->sinks[sink];
    RtValue values[RT_LEAVES_MAX];
    u8 has[RT_LEAVES_MAX];
    RtScan scan = {.value = values, .has = has};
    uint32_t format = flow_format(info->format);
    const char *p = row.ptr, *end = p + row.len;
    u64 n = 0;
    if (info->flags & RT_SINK_FRAMED) p = proto_varint(p, end, &n);
    int why = !p ? RT_BAD_RECORD
              : format == RT_FORMAT_PROTOBUF
                  ? rt_scan_proto(pipe, info->proto, info->schema, RT_UNKNOWN_REJECT, p, end, &scan)
                  : rt_scan_bytes(pipe, format, info->schema, RT_CHECK_STRICT, RT_UNKNOWN_REJECT, p,
                                  end, &scan);
    char *w = why ? NULL : arena_alloc(arena, rt_json_bytes(info->schema, values, has));
    if (w) *ret_json = str_slice(w, (size_t)(rt_put_json(w, info->schema, values, has) - w));
    pipe->scratch_len = 0;
    return w ? ST_OK : ST_INVALID;
}
