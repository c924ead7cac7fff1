/* runtime/flow/heap.h: what is due, the earliest first: a binary heap whose items know their place.
 *
 * An item embeds an RtTimer; it is in at most one heap. Adding and moving cost the logarithm of
 * what waits, so a jump in time costs no more than what becomes due. */
#ifndef TUTTI_FLOW_HEAP_H
#define TUTTI_FLOW_HEAP_H

#include "flow/abi.h"

#include <stdint.h>

typedef struct RtTimer {
    u32 at; /* place plus 1; 0 = in no heap */
} RtTimer;

typedef struct RtHeap {
    struct RtDue {
        i64 when;
        RtTimer *timer;
    } * list;
    u32 count, cap;
} RtHeap;

/* 0: no room for more state. */
int rt_heap_add(RtPipe *pipe, RtHeap *heap, RtTimer *timer, i64 when);
void rt_heap_move(RtHeap *heap, RtTimer *timer, i64 when);
void rt_heap_take(RtHeap *heap, RtTimer *timer);
void rt_heap_done(RtHeap *heap);

/* When the first is due; INT64_MAX: nothing waits (or nothing with an end). */
static inline i64 rt_heap_when(const RtHeap *heap)
{
    return heap->count ? heap->list[0].when : INT64_MAX;
}

#endif
