/* runtime/flow/mem.h: what functions and stages with memory remember, a cell for each key.
 *
 * One RtMem is one place in a program: `prev(x)`, `deadband(x, d)`, `dedupe by k within 1h`. Its
 * keys are the leading arguments; without keys there is one cell. When `limits.keys` keys or the
 * instance's state_bytes are reached, the key that was longest not seen is forgotten and counted.
 */
#ifndef TUTTI_FLOW_MEM_H
#define TUTTI_FLOW_MEM_H

#include "base/buf.h"
#include "base/status.h"
#include "flow/abi.h"

typedef struct RtMem RtMem;

RtMem *rt_mem_new(RtPipe *pipe, u32 index, u64 keys_max); /* NULL: out of memory */
void rt_mem_free(RtMem *mem);

/* One record through a memory: args are the keys, then the inputs, has[i] = 0: missing. `ns` is the
 * record's time. The result in *ret and *ret_has; a reason, RT_FINE = none. */
u32 rt_mem(RtPipe *pipe, u32 mem, i64 ns, const RtValue *args, const u8 *has, RtValue *ret,
           u8 *ret_has);
/* Keys forgotten because the memory was full, of all memories. */
u64 rt_mem_forgotten(const RtPipe *pipe);

void rt_mem_save(const RtMem *mem, Buf *out);
MUST Status rt_mem_load(RtMem *mem, Str *bytes, Diag *diag);

#endif
