/* runtime/flow/item.h: rows in memory that outlive their record: measured, copied, saved, loaded.
 *
 * A row is one value and one `has` per leaf of a schema; texts and lists lie elsewhere. A packed
 * row is one piece of memory: the item first (RT_ITEM_BYTES), then what it points to, each part
 * padded to 16 bytes. */
#ifndef TUTTI_FLOW_ITEM_H
#define TUTTI_FLOW_ITEM_H

#include "base/buf.h"
#include "flow/abi.h"

u64 rt_pack_bytes(const RtSchema *schema, const RtValue *values, const u8 *has);
/* Writes the packed row to `to`, which has that many bytes and is aligned to 16. */
void rt_pack(const RtSchema *schema, const RtValue *values, const u8 *has, char *to);
/* The same as bytes without addresses. */
void rt_row_save(const RtSchema *schema, const RtValue *values, const u8 *has, Buf *out);
/* Back: texts point into `bytes`, lists into scratch. 0: damaged, or no memory. */
int rt_row_load(RtPipe *pipe, const RtSchema *schema, Str *bytes, RtValue *values, u8 *has);

#endif
