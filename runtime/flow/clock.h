/* runtime/flow/clock.h: `clock by`: a watermark for each key.
 *
 * A device whose clock is slow, or that is offline, neither delays nor closes what belongs to
 * another: windows whose keys hold the clock's follow that clock alone, each in a lane of its own.
 * Windows with other keys follow the slowest clock. A clock that was silent for `idle` goes on with
 * the wall clock. When there are too many, the one not heard for longest and without open windows
 * is forgotten. */
#ifndef TUTTI_FLOW_CLOCK_H
#define TUTTI_FLOW_CLOCK_H

#include "base/buf.h"
#include "base/status.h"
#include "flow/abi.h"

typedef struct RtClock RtClock;

RtClock *rt_clock_new(RtPipe *pipe, u64 keys_max); /* NULL: out of memory */
void rt_clock_free(RtClock *clock);

/* The `time` stage of a record: its clock and event time are those at hand from here on; what its
 * clock closes is closed. A reason. */
u32 rt_clock(RtPipe *pipe, i64 ns, const RtValue *keys);
/* All clocks have come to `event_ns`. */
void rt_clock_set(RtPipe *pipe, i64 event_ns);
/* Clocks silent for `idle` go on. */
void rt_clock_idle(RtPipe *pipe, i64 wall_ns);
/* Slots in a lane: its clock is not forgotten while there are any. */
void rt_clock_hold(RtPipe *pipe, u32 lane, int change);
u64 rt_clock_forgotten(const RtPipe *pipe);
/* A lane that slots may be in: nobody's, or that of a clock. */
int rt_clock_has(const RtPipe *pipe, u32 lane);
/* INT64_MIN: the lane is free. */
i64 rt_clock_highest(const RtPipe *pipe, u32 lane);

void rt_clock_save(const RtClock *clock, Buf *out);
MUST Status rt_clock_load(RtClock *clock, Str *bytes, Diag *diag);

#endif
