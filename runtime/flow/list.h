/* runtime/flow/list.h: lists, items behind each other in memory (see RT_ITEM_BYTES in abi.h). */
#ifndef TUTTI_FLOW_LIST_H
#define TUTTI_FLOW_LIST_H

#include "flow/abi.h"

/* The one field of the item has no name: a single value, or a record that may be missing. */
static inline int rt_nameless_item(const RtSchema *item)
{
    return item->count == 1 && !item->fields[0].name_len;
}

/* True when the items are single values. */
static inline int rt_scalar_item(const RtSchema *item)
{
    return rt_nameless_item(item) && item->fields[0].type != RT_RECORD;
}

/* An item that is missing has its place: null. A record is there when a value of it is. */
static inline int rt_item_missing(const RtSchema *item, const u8 *has)
{
    if (!rt_nameless_item(item)) return 0;
    for (u32 i = 0; i < item->leaf_count; i++)
        if (has[i]) return 0;
    return 1;
}

/* What an item that is a record is written as. */
static inline const RtSchema *rt_item_record(const RtSchema *item)
{
    return rt_nameless_item(item) ? item->fields[0].child : item;
}

/* What RtApi says of the members of the same name. */
u32 rt_list(RtPipe *, const RtSchema *item, const RtValue *values, const u8 *has, u32 count,
            RtValue *ret);
u32 rt_index(RtPipe *, const RtSchema *item, const RtValue *args, RtValue *ret, u8 *ret_has);
u32 rt_list_has(RtPipe *, const RtSchema *item, const RtValue *args, RtValue *ret);
u32 rt_list_agg(RtPipe *, const RtSchema *item, u32 kind, const RtValue *list, RtValue *ret);
char *rt_put_list(char *w, const RtSchema *item, const RtValue *list);
u64 rt_list_bytes(const RtSchema *item, const RtValue *list);
u64 rt_each(RtPipe *, u32 stage, const RtSchema *item, RtValue list, RtValue *v, u8 *h, u32 row);

#endif
