/* runtime/flow/pack_out.c: rows in formats of bytes.
 *
 * A row is a map in the order of its fields; what is missing is left out, an item that is missing
 * keeps its place as nil. The room that JSON needs is enough for all of it. */
#include "flow/pack.h"

#include "flow/hot.h"
#include "flow/list.h"
#include "flow/pipe.h"
#include "flow/proto.h"

static int is_there(const RtField *f, const u8 *has)
{
    if (f->type == RT_RECORD) return !(f->flags & RT_OPTIONAL) || rt_any_there(f->child, has);
    return has[f->leaf];
}

static char *put_list(char *w, const PackFormat *format, const RtSchema *item, const RtValue *list)
{
    w = format->put_list(w, list->s.n);
    for (u64 i = 0; i < list->s.n; i++) {
        RtText at = {list->s.p + i * RT_ITEM_BYTES(item->leaf_count), 1};
        const RtValue *values = rt_item_value(at, 0);
        const u8 *has = (const u8 *)at.p + 16 * (u64)item->leaf_count;
        if (rt_item_missing(item, has))
            w = format->put_nil(w);
        else if (!rt_scalar_item(item))
            w = rt_put_pack(w, format, rt_item_record(item), values, has);
        else if (item->fields[0].type == RT_LIST)
            w = put_list(w, format, item->fields[0].child, &values[0]);
        else
            w = format->put(w, item->fields, values[0]);
    }
    return w;
}

char *rt_put_pack(char *w, const PackFormat *format, const RtSchema *schema, const RtValue *values,
                  const u8 *has)
{
    u64 count = 0;
    for (u32 i = 0; i < schema->count; i++) count += (u64)is_there(&schema->fields[i], has);
    w = format->put_map(w, count);
    for (u32 i = 0; i < schema->count; i++) {
        const RtField *f = &schema->fields[i];
        if (!is_there(f, has)) continue;
        w = format->put_text(w, f->name, f->name_len);
        if (f->type == RT_RECORD)
            w = rt_put_pack(w, format, f->child, values, has);
        else if (f->type == RT_LIST)
            w = put_list(w, format, f->child, &values[f->leaf]);
        else
            w = format->put(w, f, values[f->leaf]);
    }
    return w;
}

void rt_other_row(RtPipe *pipe, u32 sink, u32 number, const RtValue *values, const u8 *has,
                  RtValue address)
{
    const RtSchema *schema = pipe->info->sinks[sink].schema;
    const PackFormat *format = rt_pack_format(number);
    if (number == RT_FORMAT_PROTOBUF) {
        rt_proto_row(pipe, sink, values, has, address);
        return;
    }
    if (!format) {
        rt_csv_row(pipe, sink, values, has, address);
        return;
    }
    char *w = rt_row_begin(pipe, sink, rt_json_bytes(schema, values, has));
    if (!w) return;
    RtValue none = {.s = {"", 0}};
    rt_row_end(pipe, sink, rt_put_pack(w, format, schema, values, has), address, none);
}
