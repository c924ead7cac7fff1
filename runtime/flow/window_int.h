/* runtime/flow/window_int.h: what the files of windows share. */
#ifndef TUTTI_FLOW_WINDOW_INT_H
#define TUTTI_FLOW_WINDOW_INT_H

#include "flow/dict.h"
#include "flow/heap.h"
#include "flow/pipe.h"
#include "flow/window.h"

enum { SLOT_BLOCKS_MAX = 40, SEEN_BITS_MIN = 9, SEEN_BITS_MAX = 14, WINDOW_KEYS_MAX = 16 };

/* One key in one window. */
typedef struct Slot {
    RtTimer timer; /* in its lane, first: a timer is its slot */
    u32 lane;
    u32 seen;          /* place in the table of seen slots plus 1, or 0 */
    u8 closed;         /* its row was made, it is kept for late ones */
    u8 changed;        /* since its last row (`early`) */
    struct Slot *next; /* of the key; also links free slots */
    RtEntry *key;
    i64 number;         /* TUMBLE HOP: of the window */
    i64 from_ns, to_ns; /* SESSION: earliest and latest record */
    u64 order;          /* of making: DELAY rows of one time come out in it */
    RtSlotHead head;
    u32 aggregates[]; /* behind the head, 8-byte aligned; slots lie 16-byte aligned */
} __attribute__((aligned(16))) Slot;
_Static_assert(offsetof(Slot, aggregates) == offsetof(Slot, head) + sizeof(RtSlotHead),
               "generated code finds the head in front of the aggregates");

/* Payload of an entry. A key without slots may be forgotten. */
typedef struct KeyState {
    Slot *slots;
    u32 live;
    i64 number[2]; /* of the slots found last, by the lowest bit of the number */
    Slot *slot[2];
} KeyState;

typedef struct Lane {
    RtHeap due;
    i64 closed_ns; /* windows that end here or before have had their rows */
    i64 early_ns;  /* event time of the next rows of open windows; INT64_MAX: nothing changed */
} Lane;

struct RtWindow {
    RtPipe *pipe;
    const RtWindowInfo *info;
    u32 index;
    RtDict keys;
    Lane *lanes;
    u32 lane_count;
    void *block[SLOT_BLOCKS_MAX]; /* of slots; block i holds 16 << i */
    u32 block_count;
    u64 stride, slot_count, order;
    Slot *free_slots;
    RtAggMemory memory;
    Slot **sorted, **sort_space;
    u64 sort_cap;
    RtValue *row;
    u8 *row_has;
    RtSeenTable *seen; /* pipe->seen[index] */
};

static inline KeyState *rt__key_state(RtEntry *entry)
{
    return (KeyState *)(void *)entry->payload;
}

/* window.c */
RtEntry *rt__window_key(RtWindow *w, const RtValue *keys);
RtEntry *rt__window_key_bytes(RtWindow *w, const char *p, u64 n);
/* A new slot of a key (NULL: DELAY), due at `when` in its lane; NULL: no room. */
Slot *rt__slot_new(RtWindow *w, RtEntry *key, u32 lane, i64 when);
void rt__slot_free(RtWindow *w, Slot *slot);
Lane *rt__lane(RtWindow *w, u32 lane); /* NULL: no room */
i64 rt__slot_start(const RtWindow *w, const Slot *slot);
i64 rt__slot_end(const RtWindow *w, const Slot *slot);
/* The earliest end of all windows in lane 0, for the one compare of the time stage. */
void rt__set_close_time(RtPipe *pipe);

/* close.c */
void rt__emit(RtWindow *w, Slot *slot);
/* Closes what ends at or before the watermark, then early rows up to `now_ns`. */
void rt__lane_advance(RtWindow *w, u32 lane, i64 watermark_ns, i64 now_ns);
void rt__note_change(RtWindow *w, Slot *slot, i64 now_ns);

#endif
