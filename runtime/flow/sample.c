/* runtime/flow/sample.c: records kept for the next version to learn from: those that fitted no
 * learnt layout, and a few of the others, so that what is known is not forgotten.
 *
 * A sample has two halves: the one at hand is filled, then they change places, so the newest
 * records are always there and what is kept has a maximum. */
#include "flow/pipe.h"

#include "base/mem.h"

#include <string.h>

static void keep(FlowSample *sample, const char *p, u64 n)
{
    if (n + 1 > FLOW_SAMPLE_BYTES / 4) return; /* a long one would leave no room for others */
    if (memchr(p, '\n', n)) return;            /* not one line: nothing learns from it */
    u32 at = sample->at;
    if (sample->len[at] + n + 1 > FLOW_SAMPLE_BYTES) {
        sample->at = at ^= 1;
        if (sample->len[at]) sample->rarely = 15;
        sample->len[at] = 0;
    }
    if (!sample->half[0]) {
        sample->half[0] = mem_alloc((size_t)2 * FLOW_SAMPLE_BYTES);
        if (!sample->half[0]) return;
        sample->half[1] = sample->half[0] + FLOW_SAMPLE_BYTES;
    }
    memcpy(sample->half[at] + sample->len[at], p, n);
    sample->half[at][sample->len[at] + n] = '\n';
    sample->len[at] += (u32)n + 1;
}

void rt_missed(RtPipe *pipe)
{
    FlowSample *sample = &rt_host(pipe)->missed;
    if (pipe->n.missed++ & sample->rarely) return; /* it is full: now and then is enough */
    keep(sample, pipe->raw, pipe->raw_len);
}

void rt_fitted(RtPipe *pipe)
{
    keep(&rt_host(pipe)->fitted, pipe->raw, pipe->raw_len);
}

static void take(FlowSample *sample, Buf *out)
{
    for (u32 turn = 1; turn <= 2; turn++) { /* the older half first */
        u32 at = (sample->at + turn) & 1;
        buf_add(out, sample->half[at], sample->len[at]);
        sample->len[at] = 0;
    }
    sample->rarely = 0;
}

void flow_sample_take(FlowInstance *instance, Buf *out)
{
    take(&instance->missed, out);
    take(&instance->fitted, out);
}

void rt_samples_free(FlowInstance *instance)
{
    mem_free(instance->missed.half[0]);
    mem_free(instance->fitted.half[0]);
}
