/* runtime/flow/window.h: keys, open windows and what is counted in them.
 *
 * An RtWindow keeps a dictionary of keys and, for each (key, window) that holds data, a slot with
 * the aggregates. Empty windows do not exist, so a jump in time costs nothing. In steady state
 * nothing is allocated: slots, keys and what aggregates need come from free lists. Everything
 * counts against the instance's state_bytes. One thread at a time.
 *
 * Slots wait in lanes until they are due. Lane 0 follows the pipeline's watermark (or, without
 * event time, the arrival of records); with `clock by` each clock has a lane of its own, for
 * windows whose keys hold the clock's. Windows are advanced in their order in the program, so the
 * rows of one reach the next before that one's watermark moves: nothing is late because time
 * jumped. */
#ifndef TUTTI_FLOW_WINDOW_H
#define TUTTI_FLOW_WINDOW_H

#include "base/buf.h"
#include "base/status.h"
#include "flow/agg.h"

typedef struct RtWindow RtWindow;

RtWindow *rt_window_new(RtPipe *pipe, u32 index, u64 keys_max); /* NULL: out of memory */
void rt_window_free(RtWindow *window);

/* For generated code, of tumbling and counting windows with the classical aggregates: the slot to
 * add to. NULL: late when *reason is 0, else that failure. */
void *rt_slot(RtPipe *pipe, u32 window, i64 ns, const RtValue *keys, u32 *reason);
void rt_slot_full(RtPipe *pipe, u32 window, void *slot);
void rt_slot_back(RtPipe *pipe, u32 window, void *slot);                  /* RtApi.slot_back */
u32 rt_window_room(RtPipe *pipe, u32 window, RtSketch *sketch, u32 bits); /* RtApi.sketch_room */
/* Any record into any window; a value and has for each aggregate. 1: it is late, when *reason is 0.
 */
u32 rt_window_add(RtPipe *pipe, u32 window, i64 ns, const RtValue *keys, const RtValue *values,
                  const u8 *has, u32 *reason);

/* The pipeline's watermark has moved: windows in lane 0 by event time are advanced. */
void rt_close(RtPipe *pipe);
/* The same for one lane of the windows that have their own clock. */
void rt_window_advance(RtPipe *pipe, u32 lane, i64 watermark_ns, i64 highest_ns);
/* Windows by arrival are advanced to `ns`. */
void rt_close_arrived(RtPipe *pipe, i64 ns);
/* The input has ended: all rows of all windows, by end and keys. */
void rt_close_all(RtPipe *pipe);

void rt_window_save(const RtWindow *window, Buf *out);
MUST Status rt_window_load(RtWindow *window, Str *bytes, Diag *diag);

#endif
