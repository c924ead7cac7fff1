/* runtime/flow/join.h: `join last`: the last row of each key of another stream.
 *
 * When `limits.keys` keys or the instance's state_bytes are reached, the key whose row came longest
 * ago is forgotten and counted. Time here is arrival. */
#ifndef TUTTI_FLOW_JOIN_H
#define TUTTI_FLOW_JOIN_H

#include "base/buf.h"
#include "base/status.h"
#include "flow/abi.h"

typedef struct RtJoin RtJoin;

RtJoin *rt_join_new(RtPipe *pipe, u32 index, u64 keys_max); /* NULL: out of memory */
void rt_join_free(RtJoin *join);                            /* accepts NULL */
u32 rt_remember(RtPipe *pipe, u32 join, i64 ns, const RtValue *keys, const RtValue *v, const u8 *h);
void rt_recall(RtPipe *pipe, u32 join, i64 ns, const RtValue *keys, RtValue *ret, u8 *ret_has);
u64 rt_join_forgotten(const RtPipe *pipe); /* of all joins */

void rt_join_save(const RtJoin *join, Buf *out);
MUST Status rt_join_load(RtJoin *join, Str *bytes, Diag *diag);

#endif
