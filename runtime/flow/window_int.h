/* runtime/flow/window_int.h: what the files of windows share. */
#ifndef TUTTI_FLOW_WINDOW_INT_H
#define TUTTI_FLOW_WINDOW_INT_H

#include "flow/dict.h"
#include "flow/heap.h"
#include "flow/pipe.h"
#include "flow/window.h"

enum {
    SLOT_BLOCKS_MAX = 40,
    SEEN_BITS_MIN = 9,
    SEEN_BITS_MAX = 14,
    WINDOW_KEYS_MAX = 16,
    HOP_OVERLAP_MAX = 1001, /* windows one record is in */
    CELLS_MAX = 64          /* windows in one piece of cells */
};

/* One key in one window. */
typedef struct Slot {
    RtTimer timer; /* in its lane, first: a timer is its slot */
    u32 lane;
    u32 seen;          /* place in the table of seen slots plus 1, or 0 */
    u8 closed;         /* its row was made, it is kept for late ones */
    u8 changed;        /* since its last row (`early`); of a pane: counted in its head's sketches */
    struct Slot *next; /* of the key; also links free slots */
    RtEntry *key;
    i64 number;         /* TUMBLE HOP: of the window; with panes: of the pane (pane.c) */
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

/* With panes: aggregates that each window counts by itself, of `RtWindow.cells` windows that follow
 * each other, aggregate by aggregate (cells.c). */
typedef struct Cells {
    struct Cells *next; /* of the key */
    i64 first;          /* number of its first window, a multiple of the count */
    u64 states[];
} Cells;

/* Payload of an entry with panes, which are the slots of its KeyState. */
typedef struct PaneKey {
    KeyState key;
    Slot *head; /* waits in the lane for the next window to close; NULL: no panes */
    Cells *cells;
} PaneKey;

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
    bool can_fail;     /* adding to one of its aggregates */
    i64 last_ns;       /* COUNT: of the slot found last, before the record at hand */
    /* with panes */
    u64 arrivals;          /* records that came in */
    i64 rest;              /* of the size by `every`: where a second pane begins; 0: none does */
    u32 cells, cell_bytes; /* windows in one piece, its bytes; 0: nothing is counted there */
    u32 *cell_at;          /* of each aggregate's states in a piece */
    RtAggMemory gathered;  /* of the head whose row is being made */
};

static inline KeyState *rt__key_state(RtEntry *entry)
{
    return (KeyState *)(void *)entry->payload;
}

static inline PaneKey *rt__pane_key(const Slot *slot)
{
    return (PaneKey *)(void *)slot->key->payload;
}

/* Of one aggregate in a slot. */
static inline u32 rt__state_bytes(const RtWindow *w, u32 agg)
{
    const RtAggInfo *at = &w->info->aggs[agg];
    return (agg + 1 < w->info->agg_count ? at[1].offset : w->info->slot_bytes) - at->offset;
}

static inline i64 rt__floor_div(i64 a, i64 b)
{
    return a / b - (a % b < 0);
}

/* window.c */
RtEntry *rt__window_key(RtWindow *w, const RtValue *keys);
RtEntry *rt__window_key_bytes(RtWindow *w, const char *p, u64 n);
/* A new slot of a key (NULL: DELAY), due at `when` in its lane; NULL: no room. */
Slot *rt__slot_new(RtWindow *w, RtEntry *key, u32 lane, i64 when);
void rt__slot_free(RtWindow *w, Slot *slot);
/* A slot that is neither in a lane nor of a key yet, and back; NULL: no room. */
Slot *rt__slot_take(RtWindow *w, u32 lane);
void rt__slot_give(RtWindow *w, Slot *slot);
void rt__slot_of_key(RtWindow *w, Slot *slot, RtEntry *key);
/* The slot of that number; NULL: none. */
Slot *rt__slot_find(KeyState *state, i64 number);
/* The record at hand failed: a slot that was made for it goes again. */
void rt__slot_unmake(RtWindow *w, Slot *slot);
/* Why a key has no slot; it may be forgotten again. */
u32 rt__no_room(RtWindow *w, RtEntry *key);
i64 rt__number_end(const RtWindow *w, i64 number);
void rt__count_in(Slot *slot, i64 ns);
Lane *rt__lane(RtWindow *w, u32 lane); /* NULL: no room */
i64 rt__slot_start(const RtWindow *w, const Slot *slot);
i64 rt__slot_end(const RtWindow *w, const Slot *slot);
/* The earliest end of all windows in lane 0, for the one compare of the time stage. */
void rt__set_close_time(RtPipe *pipe);

/* pane.c: hop windows that share what they count. */
typedef struct PaneAdd {
    u32 lane;
    i64 closed_ns; /* windows that end here or before are closed */
    i64 ns;
    const RtValue *keys, *values;
    const u8 *has;
} PaneAdd;
int rt__pane_init(RtWindow *w); /* 0: out of memory */
u32 rt__pane_add(RtWindow *w, const PaneAdd *add, bool *ret_added);
/* Puts the panes of the head's window together in its aggregates, for a row. */
void rt__pane_gather(RtWindow *w, Slot *head);
void rt__pane_scatter(RtWindow *w, Slot *head);
/* The row of the head's window was made: it waits for the next one, or goes. False: it went. */
bool rt__pane_next(RtWindow *w, Slot *head);
/* Gives back all a key has beside its panes' slots, when the window goes. */
void rt__pane_release(RtWindow *w, Slot *head);
/* A head or a pane as it was saved; NULL: no room. */
Slot *rt__pane_head(RtWindow *w, RtEntry *key, u32 lane, i64 number);
Slot *rt__pane_slot(RtWindow *w, Slot *head, i64 number);
int rt__pane_loaded(RtWindow *w, Slot *head, const Slot *pane); /* its state; 0: no room */

/* cells.c */
int rt__cells_init(RtWindow *w); /* 0: out of memory */
/* Makes room for the windows first to last; 0: there is none. */
int rt__cells_room(RtWindow *w, PaneKey *key, i64 first, i64 last);
u32 rt__cells_try(RtWindow *w, PaneKey *key, u32 agg, i64 first, i64 last, RtValue value);
void rt__cells_take(RtWindow *w, PaneKey *key, u32 agg, i64 first, i64 last, RtValue value, i64 ns);
/* What the head's window has counted, into the head. */
void rt__cells_read(const RtWindow *w, Slot *head);
/* Gives back the pieces that end before that window. */
void rt__cells_before(RtWindow *w, PaneKey *key, i64 number);
void rt__cells_save(const RtWindow *w, const PaneKey *key, Buf *out);
int rt__cells_load(RtWindow *w, PaneKey *key, Str *bytes);

/* close.c */
void rt__emit(RtWindow *w, Slot *slot);
/* Closes what ends at or before the watermark, then early rows up to `now_ns`. */
void rt__lane_advance(RtWindow *w, u32 lane, i64 watermark_ns, i64 now_ns);
void rt__note_change(RtWindow *w, Slot *slot, i64 now_ns);

#endif
