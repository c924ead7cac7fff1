/* runtime/flow/sample.c: the records that fitted no learnt layout, for the next version to learn
 * from.
 *
 * Two halves: the one at hand is filled, then they change places, so the newest records are always
 * there and what is kept has a maximum. */
#include "flow/pipe.h"

#include "base/mem.h"

#include <string.h>

void rt_missed(RtPipe *pipe)
{
    FlowInstance *host = rt_host(pipe);
    u64 n = pipe->raw_len;
    if (pipe->n.missed++ & host->sample_every) return; /* it is full: now and then is enough */
    if (n + 1 > FLOW_SAMPLE_BYTES / 4) return; /* a long one would leave no room for others */
    if (memchr(pipe->raw, '\n', n)) return;    /* not one line: nothing learns from it */
    u32 at = host->sample_at;
    if (host->sample_len[at] + n + 1 > FLOW_SAMPLE_BYTES) {
        host->sample_at = at ^= 1;
        if (host->sample_len[at]) host->sample_every = 15;
        host->sample_len[at] = 0;
    }
    if (!host->sample[at]) host->sample[at] = mem_alloc(FLOW_SAMPLE_BYTES);
    if (!host->sample[at]) return;
    memcpy(host->sample[at] + host->sample_len[at], pipe->raw, n);
    host->sample[at][host->sample_len[at] + n] = '\n';
    host->sample_len[at] += (u32)n + 1;
}

void flow_sample_take(FlowInstance *instance, Buf *out)
{
    for (u32 turn = 1; turn <= 2; turn++) { /* the older half first */
        u32 at = (instance->sample_at + turn) & 1;
        buf_add(out, instance->sample[at], instance->sample_len[at]);
        instance->sample_len[at] = 0;
    }
    instance->sample_every = 0;
}
