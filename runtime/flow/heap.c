/* runtime/flow/heap.c: the heap of heap.h: children of place i at 2i + 1 and 2i + 2. */
#include "flow/heap.h"

#include "base/mem.h"
#include "flow/dict.h"

static void put(RtHeap *heap, u32 at, struct RtDue due)
{
    heap->list[at] = due;
    due.timer->at = at + 1;
}

static void up(RtHeap *heap, u32 at)
{
    struct RtDue due = heap->list[at];
    while (at) {
        u32 parent = (at - 1) / 2;
        if (heap->list[parent].when <= due.when) break;
        put(heap, at, heap->list[parent]);
        at = parent;
    }
    put(heap, at, due);
}

static void down(RtHeap *heap, u32 at)
{
    struct RtDue due = heap->list[at];
    for (;;) {
        u32 child = 2 * at + 1;
        if (child >= heap->count) break;
        if (child + 1 < heap->count && heap->list[child + 1].when < heap->list[child].when) child++;
        if (heap->list[child].when >= due.when) break;
        put(heap, at, heap->list[child]);
        at = child;
    }
    put(heap, at, due);
}

int rt_heap_add(RtPipe *pipe, RtHeap *heap, RtTimer *timer, i64 when)
{
    if (heap->count == heap->cap) {
        u32 cap = heap->cap ? heap->cap * 2 : 16;
        if (!rt_grow(pipe, (void **)&heap->list, sizeof *heap->list, heap->cap, cap)) return 0;
        heap->cap = cap;
    }
    heap->list[heap->count] = (struct RtDue){when, timer};
    up(heap, heap->count++);
    return 1;
}

void rt_heap_move(RtHeap *heap, RtTimer *timer, i64 when)
{
    u32 at = timer->at - 1;
    i64 before = heap->list[at].when;
    heap->list[at].when = when;
    if (when < before)
        up(heap, at);
    else
        down(heap, at);
}

void rt_heap_take(RtHeap *heap, RtTimer *timer)
{
    u32 at = timer->at - 1;
    timer->at = 0;
    heap->count--;
    if (at == heap->count) return;
    i64 gone = heap->list[at].when;
    put(heap, at, heap->list[heap->count]);
    if (heap->list[at].when < gone)
        up(heap, at);
    else
        down(heap, at);
}

void rt_heap_done(RtHeap *heap)
{
    mem_free(heap->list);
    *heap = (RtHeap){0};
}
