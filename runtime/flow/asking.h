/* runtime/flow/asking.h: records that wait for an answer, while later ones are asked about.
 *
 * An `ask` cuts a stage in two. The first half hands the row and the values of its question over
 * (rt_ask takes the values, rt_each the row); the second half runs when the answer is there. All
 * of that happens inside one feed: when it returns nobody waits any more, so acknowledgements,
 * saved state, a new version and a stop know nothing of it.
 *
 * Without `unordered` nobody can tell that questions overlap: second halves run in the order of
 * the records, each with the watermark as it was for its record, and whatever the first half of a
 * later record would do that others can see (an error record, a window that closes) waits until
 * all that came before it is done. */
#ifndef TUTTI_FLOW_ASKING_H
#define TUTTI_FLOW_ASKING_H

#include "flow/abi.h"

typedef struct RtAsking RtAsking;

RtAsking *rt_asking_new(RtPipe *pipe); /* NULL: out of memory */
void rt_asking_free(RtAsking *asking);
/* The stage is the second half of an `ask`: takes the row. 0: it is not. */
int rt_asking_take(RtPipe *pipe, u32 stage, RtValue list, const RtValue *v, const u8 *h, u32 row);
/* Everything that waits is run now, but what comes behind the one being run. */
void rt_asking_finish(RtPipe *pipe);
/* The record at hand fails in its first half: its second half, which has run, does not count. */
void rt_asking_failed(RtPipe *pipe);

#endif
