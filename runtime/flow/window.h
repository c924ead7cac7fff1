/* runtime/flow/window.h: keys, open windows and what is counted in them.
 *
 * An RtWindow keeps a dictionary of keys and, for each (key, window) that holds data, a slot with
 * the aggregates. Empty windows do not exist, so a jump in time costs nothing. In steady state
 * nothing is allocated: slots, keys and sketch chunks come from free lists. Everything counts
 * against the instance's state_bytes. One thread at a time. */
#ifndef TUTTI_FLOW_WINDOW_H
#define TUTTI_FLOW_WINDOW_H

#include "base/buf.h"
#include "base/status.h"
#include "flow/abi.h"

typedef struct RtWindow RtWindow;

RtWindow *rt_window_new(RtPipe *pipe, u32 index, u64 keys_max); /* NULL: out of memory */
void rt_window_free(RtWindow *window);

void *rt_slot(RtPipe *pipe, u32 window, i64 ns, const RtValue *keys, u32 *reason);
void rt_slot_full(RtPipe *pipe, u32 window, void *slot);
RtChunk *rt_chunk(RtPipe *pipe, u32 window, RtSketch *sketch, u32 octave, u32 bits);
void rt_close(RtPipe *pipe);
/* Closes what ends at or before `ns`, in every window (event_time: only those, else only others).
 */
void rt_close_until(RtPipe *pipe, i64 ns, int event_time);

/* Value at rank ceil(p * n), within 1 / (2 << bits); the caller has n > 0. */
f64 rt_sketch_quantile(const RtSketch *sketch, f64 p, u32 bits);

void rt_window_save(const RtWindow *window, Buf *out);
MUST Status rt_window_load(RtWindow *window, Str *bytes, Diag *diag);

#endif
