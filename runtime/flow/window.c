/* runtime/flow/window.c: records into windows: the key, the slot, what is late.
 *
 * A record of a key it saw before finds its slot through the key's two-entry cache, indexed by the
 * lowest bit of the window's number, because data that is a little out of order swings between two
 * neighbouring windows; generated code looks into the table of seen slots before that. */
#include "flow/window_int.h"

#include "base/mem.h"
#include "flow/asking.h"
#include "flow/clock.h"
#include "flow/hot.h"

#include <string.h>

__extension__ typedef __int128 i128;

/* ---- making and freeing ---- */

/* Makes the table of the inlined look-up, or a larger one; what was in it is found again. It knows
 * tumbling windows and a key of one word or one text. */
static int seen_resize(RtWindow *w, u32 bits)
{
    if (w->info->kind != RT_WINDOW_TUMBLE || w->info->key_count > 1) return 1;
    RtSeen *list = mem_zalloc(((size_t)1 << bits) + 1, sizeof *list);
    if (!list) return 0;
    mem_free(w->seen->list);
    *w->seen = (RtSeenTable){list, 64 - bits};
    return 1;
}

RtWindow *rt_window_new(RtPipe *pipe, u32 index, u64 keys_max)
{
    RtWindow *w = mem_zalloc(1, sizeof *w);
    if (!w) return NULL;
    const RtWindowInfo *info = &pipe->info->windows[index];
    w->pipe = pipe;
    w->index = index;
    w->info = info;
    w->memory = (RtAggMemory){.pipe = pipe, .window = index, .pool = {.pipe = pipe}};
    w->stride = (sizeof(Slot) + info->slot_bytes + 15) / 16 * 16;
    u32 values = info->key_count + 2 + info->agg_count;
    w->row = mem_zalloc(values, sizeof *w->row);
    w->row_has = mem_zalloc(values, 1);
    w->sort_cap = 64;
    w->sorted = mem_zalloc(w->sort_cap, sizeof(Slot *));
    w->sort_space = mem_zalloc(w->sort_cap, sizeof(Slot *));
    w->seen = &pipe->seen[index];
    for (u32 a = 0; a < info->agg_count; a++) w->can_fail |= rt_agg_can_fail(&info->aggs[a]);
    int complete = !info->panes || rt__pane_init(w);
    complete &= rt_dict_init(&w->keys, pipe, info->key_types, info->key_bytes_max, info->key_count,
                             info->panes ? sizeof(PaneKey) : sizeof(KeyState), keys_max);
    if (complete && w->row && w->row_has && w->sorted && w->sort_space && rt__lane(w, 0) &&
        seen_resize(w, SEEN_BITS_MIN))
        return w;
    rt_window_free(w);
    return NULL;
}

static void release_aggregates(RtWindow *w, Slot *slot)
{
    for (u32 a = 0; a < w->info->agg_count; a++)
        rt_agg_release(&w->memory, &w->info->aggs[a],
                       (char *)slot->aggregates + w->info->aggs[a].offset);
}

void rt_window_free(RtWindow *w)
{
    if (!w) return;
    for (u32 l = 0; l < w->lane_count; l++) {
        for (u32 i = 0; i < w->lanes[l].due.count; i++) {
            Slot *slot = (Slot *)(void *)w->lanes[l].due.list[i].timer;
            if (w->info->panes) {
                for (Slot *p = rt__key_state(slot->key)->slots; p; p = p->next)
                    release_aggregates(w, p);
                rt__pane_release(w, slot);
            }
            release_aggregates(w, slot);
        }
        rt_heap_done(&w->lanes[l].due);
    }
    rt_agg_memory_done(&w->memory);
    rt_agg_memory_done(&w->gathered);
    rt_dict_done(&w->keys);
    for (u32 b = 0; b < w->block_count; b++) mem_free(w->block[b]);
    mem_free(w->lanes);
    mem_free((void *)w->sorted);
    mem_free((void *)w->sort_space);
    mem_free(w->cell_at);
    mem_free(w->row);
    mem_free(w->row_has);
    if (w->seen) mem_free(w->seen->list);
    mem_free(w);
}

Lane *rt__lane(RtWindow *w, u32 lane)
{
    if (lane >= w->lane_count) {
        u32 count = w->lane_count ? w->lane_count * 2 : 1;
        while (count <= lane) count *= 2;
        if (!rt_grow(w->pipe, (void **)&w->lanes, sizeof *w->lanes, w->lane_count, count))
            return NULL;
        for (u32 i = w->lane_count; i < count; i++)
            w->lanes[i] = (Lane){.closed_ns = INT64_MIN, .early_ns = INT64_MAX};
        w->lane_count = count;
    }
    return &w->lanes[lane];
}

/* ---- keys and slots ---- */

RtEntry *rt__window_key_bytes(RtWindow *w, const char *p, u64 n)
{
    u64 before = w->keys.count;
    RtEntry *entry = rt_dict_get(&w->keys, p, n);
    if (!entry || w->keys.count == before) return entry;
    u32 bits = 64 - w->seen->shift; /* eight places a key; without memory it stays small */
    if (w->seen->list && w->keys.count * 8 > 1ull << bits && bits < SEEN_BITS_MAX)
        (void)seen_resize(w, bits + 2);
    return entry;
}

RtEntry *rt__window_key(RtWindow *w, const RtValue *keys)
{
    u64 n;
    const char *p = rt_dict_encode(&w->keys, keys, &n);
    return rt__window_key_bytes(w, p, n);
}

static int block_add(RtWindow *w)
{
    if (w->block_count == SLOT_BLOCKS_MAX) return 0;
    u64 count = 16ull << (w->block_count < 16 ? w->block_count : 16);
    if (!rt_afford(w->pipe, count * w->stride)) return 0;
    char *block = mem_alloc(count * w->stride);
    if (!block) return 0;
    w->block[w->block_count++] = block;
    for (u64 i = count; i-- > 0;) {
        Slot *slot = (Slot *)(void *)(block + i * w->stride);
        slot->next = w->free_slots;
        w->free_slots = slot;
    }
    return 1;
}

Slot *rt__slot_take(RtWindow *w, u32 lane)
{
    if (!w->free_slots && !block_add(w)) return NULL;
    Slot *slot = w->free_slots;
    w->free_slots = slot->next;
    memset(slot, 0, w->stride);
    w->slot_count++;
    slot->lane = lane;
    slot->order = w->order++;
    if (lane) rt_clock_hold(w->pipe, lane, 1);
    return slot;
}

void rt__slot_give(RtWindow *w, Slot *slot)
{
    if (slot->lane) rt_clock_hold(w->pipe, slot->lane, -1);
    w->slot_count--;
    slot->next = w->free_slots;
    w->free_slots = slot;
}

void rt__slot_of_key(RtWindow *w, Slot *slot, RtEntry *key)
{
    KeyState *state = rt__key_state(key);
    rt_dict_keep(&w->keys, key);
    slot->key = key;
    slot->next = state->slots;
    state->slots = slot;
    state->live++;
}

Slot *rt__slot_new(RtWindow *w, RtEntry *key, u32 lane, i64 when)
{
    Lane *at = rt__lane(w, lane);
    Slot *slot = at ? rt__slot_take(w, lane) : NULL;
    if (!slot) return NULL;
    if (!rt_heap_add(w->pipe, &at->due, &slot->timer, when)) {
        rt__slot_give(w, slot);
        return NULL;
    }
    if (key) rt__slot_of_key(w, slot, key);
    if (!lane && w->info->event_time) rt__set_close_time(w->pipe);
    return slot;
}

static void forget_seen(RtWindow *w, const Slot *slot)
{
    RtSeen *seen = slot->seen && w->seen->list ? &w->seen->list[slot->seen - 1] : NULL;
    for (int i = 0; seen && i < 2; i++)
        if (seen->slot[i] == slot->aggregates) seen->slot[i] = NULL;
}

void rt__slot_free(RtWindow *w, Slot *slot)
{
    if (slot->timer.at) rt_heap_take(&w->lanes[slot->lane].due, &slot->timer);
    if (slot->key) {
        KeyState *state = rt__key_state(slot->key);
        for (Slot **p = &state->slots; *p; p = &(*p)->next) {
            if (*p != slot) continue;
            *p = slot->next;
            break;
        }
        for (int i = 0; i < 2; i++)
            if (state->slot[i] == slot) state->slot[i] = NULL;
        if (!--state->live) rt_dict_touch(&w->keys, slot->key);
    }
    forget_seen(w, slot);
    release_aggregates(w, slot);
    rt__slot_give(w, slot);
}

/* ---- time ---- */

static i64 plus(i64 a, i64 b) /* b >= 0 */
{
    i64 sum;
    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

static i64 times(i64 number, i64 size)
{
    i64 at; /* the first window of all time begins before int64 does */
    return __builtin_mul_overflow(number, size, &at) ? number < 0 ? INT64_MIN : INT64_MAX : at;
}

static i64 step_of(const RtWindow *w)
{
    return w->info->kind == RT_WINDOW_HOP ? w->info->every_ns : w->info->size_ns;
}

/* End of the numbered window; no window holds the last moments of time. */
i64 rt__number_end(const RtWindow *w, i64 number)
{
    i64 start = times(number, step_of(w));
    return start == INT64_MIN ? plus(times(number + 1, step_of(w)), w->info->size_ns - step_of(w))
                              : plus(start, w->info->size_ns);
}

static i64 session_end(const RtWindow *w, i64 from, i64 to)
{
    i64 end = plus(to, w->info->size_ns);
    i64 cut = w->info->max_ns ? plus(from, w->info->max_ns) : INT64_MAX;
    return end < cut ? end : cut;
}

i64 rt__slot_start(const RtWindow *w, const Slot *slot)
{
    switch ((RtWindowKind)w->info->kind) {
    case RT_WINDOW_TUMBLE:
    case RT_WINDOW_HOP: return times(slot->number, step_of(w));
    case RT_WINDOW_SESSION: return slot->from_ns;
    default: return slot->head.first_ns;
    }
}

i64 rt__slot_end(const RtWindow *w, const Slot *slot)
{
    switch ((RtWindowKind)w->info->kind) {
    case RT_WINDOW_TUMBLE:
    case RT_WINDOW_HOP: return rt__number_end(w, slot->number);
    case RT_WINDOW_SESSION: return session_end(w, slot->from_ns, slot->to_ns);
    default: return slot->head.last_ns;
    }
}

void rt__set_close_time(RtPipe *pipe)
{
    i64 first = INT64_MAX;
    for (u32 i = 0; i < pipe->info->window_count; i++) {
        const RtWindow *w = pipe->windows[i];
        if (!w || !w->info->event_time) continue;
        const Lane *lane = &w->lanes[0];
        i64 due = rt_heap_when(&lane->due), early = lane->early_ns;
        if (early != INT64_MAX && early - pipe->info->order_ns < due)
            due = early - pipe->info->order_ns;
        if (due < first) first = due;
    }
    pipe->close_ns = rt_asking_all_steps(pipe) ? INT64_MIN : first;
}

/* ---- finding the slot ---- */

/* Lets the inlined look-up find the slot from now on. */
static void note_seen(RtWindow *w, Slot *slot, const RtValue *keys)
{
    u64 a = 0, b = 0, len = 0;
    if (w->info->key_count && rt_is_text(w->info->key_types[0])) {
        len = keys[0].s.n;
        if (len > 16) return;
        rt_key_words(keys[0].s.p, len, &a, &b);
    } else if (w->info->key_count) {
        a = keys[0].u;
    }
    RtSeen *at = rt_seen_at(w->seen, a, b);
    for (u32 i = 0;; i++) {
        if (at[i].len == len + 1 && at[i].a == a && at[i].b == b) {
            at += i; /* it has a place */
            break;
        }
        if (!at[i].len || i == 1) {
            at += at[i].len ? 0 : i; /* a free one; else the key in the first place gives way */
            *at = (RtSeen){.a = a, .b = b, .len = len + 1};
            break;
        }
    }
    at->start_ns[slot->number & 1] = rt__slot_start(w, slot);
    at->slot[slot->number & 1] = slot->aggregates;
    slot->seen = (u32)(at - w->seen->list) + 1;
}

Slot *rt__slot_find(KeyState *state, i64 number)
{
    Slot *slot = state->slot[number & 1];
    if (slot && state->number[number & 1] == number) return slot;
    for (slot = state->slots; slot; slot = slot->next)
        if (slot->number == number) break;
    if (slot) {
        state->slot[number & 1] = slot;
        state->number[number & 1] = number;
    }
    return slot;
}

/* The slot of a numbered window, new when it must be; not searched for where it is known to be. */
static Slot *numbered(RtWindow *w, RtEntry *key, u32 lane, i64 number, bool search)
{
    Slot *slot = search ? rt__slot_find(rt__key_state(key), number) : NULL;
    if (slot) return slot;
    slot = rt__slot_new(w, key, lane,
                        w->info->kind == RT_WINDOW_COUNT ? INT64_MAX : rt__number_end(w, number));
    if (slot) slot->number = number;
    return slot;
}

u32 rt__no_room(RtWindow *w, RtEntry *key)
{
    if (key && !rt__key_state(key)->live) rt_dict_touch(&w->keys, key);
    return RT_STATE_FULL;
}

void rt__count_in(Slot *slot, i64 ns)
{
    if (!slot->head.count++) slot->head.first_ns = ns;
    slot->head.last_ns = ns;
}

void rt__slot_unmake(RtWindow *w, Slot *slot)
{
    if (!slot->head.count) rt__slot_free(w, slot);
}

/* Windows by arrival go on when a record comes. */
static void arrived(RtWindow *w, i64 ns)
{
    const Lane *lane = &w->lanes[0];
    if (w->info->event_time) return;
    if (rt_heap_when(&lane->due) > ns && lane->early_ns > ns) return;
    rt__lane_advance(w, 0, ns, ns);
}

/* Up to where windows of this lane have had their rows. Lane 0 is only visited when something is
 * due, but the watermark holds in between; while windows are being advanced, each has its own. */
static i64 closed_until(const RtWindow *w, const Lane *lane, u32 number)
{
    if (number || w->pipe->closing || lane->closed_ns > w->pipe->watermark_ns)
        return lane->closed_ns;
    return w->pipe->watermark_ns;
}

void *rt_slot(RtPipe *pipe, u32 window, i64 ns, const RtValue *keys, u32 *reason)
{
    RtWindow *w = pipe->windows[window];
    const RtWindowInfo *info = w->info;
    i64 number = 0;
    *reason = RT_FINE;
    if (info->kind == RT_WINDOW_TUMBLE) {
        number = rt__floor_div(ns, info->size_ns);
        arrived(w, ns);
        if (info->event_time && rt__number_end(w, number) <= closed_until(w, &w->lanes[0], 0)) {
            if (info->late_dead) rt_late(pipe, info->node);
            return NULL;
        }
    }
    RtEntry *key = rt__window_key(w, keys);
    Slot *slot = key ? numbered(w, key, 0, number, true) : NULL;
    if (!slot) {
        *reason = rt__no_room(w, key);
        return NULL;
    }
    w->last_ns = slot->head.last_ns;
    rt__count_in(slot, ns);
    if (w->seen->list) note_seen(w, slot, keys);
    return slot->aggregates;
}

void rt_slot_back(RtPipe *pipe, u32 window, void *aggregates)
{
    RtWindow *w = pipe->windows[window];
    Slot *slot = (Slot *)(void *)((char *)aggregates - offsetof(Slot, aggregates));
    slot->head.count--;
    if (w->info->kind == RT_WINDOW_COUNT) slot->head.last_ns = w->last_ns;
    rt__slot_unmake(w, slot);
}

u32 rt_window_room(RtPipe *pipe, u32 window, RtSketch *sketch, u32 bits)
{
    return rt_sketch_room(&pipe->windows[window]->memory, sketch, bits);
}

void rt_slot_full(RtPipe *pipe, u32 window, void *aggregates)
{
    RtWindow *w = pipe->windows[window];
    Slot *slot = (Slot *)(void *)((char *)aggregates - offsetof(Slot, aggregates));
    if (slot->head.count < w->info->size_count) return;
    rt__emit(w, slot);
    rt__slot_free(w, slot);
}

/* ---- any record into any window ---- */

enum { SESSIONS_JOINED_MAX = 8 };

typedef struct Adding {
    RtWindow *w;
    u32 lane;
    i64 closed_ns, now_ns; /* of the lane; latest time seen */
    i64 ns;
    const RtValue *values;
    const u8 *has;
    bool added, makes_row; /* somewhere; in a window whose row has been made */
} Adding;

static void *state_of(Slot *slot, const RtAggInfo *agg)
{
    return (char *)slot->aggregates + agg->offset;
}

/* A record is in all aggregates of all its windows or in none: all that can fail are asked first.
 */
static u32 try_all(const Adding *a, Slot *slot)
{
    RtWindow *w = a->w;
    u32 why = RT_FINE;
    for (u32 i = 0; w->can_fail && i < w->info->agg_count && !why; i++) {
        const RtAggInfo *agg = &w->info->aggs[i];
        if (a->has[i] && rt_agg_can_fail(agg))
            why = rt_agg_try(&w->memory, agg, state_of(slot, agg), a->values[i]);
    }
    return why;
}

static void take_all(Adding *a, Slot *slot)
{
    RtWindow *w = a->w;
    rt__count_in(slot, a->ns);
    a->added = true;
    for (u32 i = 0; i < w->info->agg_count; i++) {
        const RtAggInfo *agg = &w->info->aggs[i];
        if (a->has[i]) rt_agg_take(&w->memory, agg, state_of(slot, agg), a->values[i], a->ns);
    }
    if (slot->closed)
        a->makes_row = true;
    else if (w->info->early_ns)
        rt__note_change(w, slot, a->now_ns);
}

/* Into one slot; one that was made for the record goes with it. */
static u32 add_to(Adding *a, Slot *slot)
{
    u32 why = try_all(a, slot);
    if (why)
        rt__slot_unmake(a->w, slot);
    else
        take_all(a, slot);
    return why;
}

/* A window that has closed already takes records as long as it is kept (`on late update`). */
static bool too_late(const Adding *a, i64 end)
{
    return a->w->info->event_time && end <= a->closed_ns &&
           (!a->w->info->keep_ns || plus(end, a->w->info->keep_ns) <= a->closed_ns);
}

/* A slot whose window has closed meanwhile waits to be forgotten, not for its row. */
static void mark_closed(const Adding *a, Slot *slot, i64 end)
{
    if (!a->w->info->event_time || end > a->closed_ns) return;
    slot->closed = 1;
    rt_heap_move(&a->w->lanes[slot->lane].due, &slot->timer, plus(end, a->w->info->keep_ns));
}

/* The windows a record is in, as far as the key has them: one walk along its slots. */
static void find_numbered(RtEntry *key, i64 first, i64 last, Slot **list)
{
    memset((void *)list, 0, (u64)(last - first + 1) * sizeof *list);
    for (Slot *slot = rt__key_state(key)->slots; slot; slot = slot->next)
        if (slot->number >= first && slot->number <= last) list[slot->number - first] = slot;
}

/* Finds or makes the slots of windows first to last and asks all of them; of a record that fails
 * none stays that was made for it. */
static u32 try_numbered(Adding *a, RtEntry *key, i64 first, i64 last, Slot **list)
{
    RtWindow *w = a->w;
    bool many = last > first;
    u32 why = RT_FINE;
    i64 number = first;
    list[0] = NULL;
    if (many) find_numbered(key, first, last, list);
    for (; number <= last && !why; number++) {
        Slot **at = &list[number - first];
        if (!*at) *at = numbered(w, key, a->lane, number, !many);
        why = *at ? try_all(a, *at) : RT_STATE_FULL;
    }
    if (!why) return RT_FINE;
    while (number-- > first)
        if (list[number - first]) rt__slot_unmake(w, list[number - first]);
    return why == RT_STATE_FULL ? rt__no_room(w, key) : why;
}

static u32 add_numbered(Adding *a, const RtValue *keys)
{
    RtWindow *w = a->w;
    i64 step = step_of(w), last = rt__floor_div(a->ns, step), first = last;
    Slot *list[HOP_OVERLAP_MAX];
    if (w->info->kind == RT_WINDOW_HOP && a->ns >= INT64_MIN + w->info->size_ns)
        first = rt__floor_div(a->ns - w->info->size_ns, step) + 1;
    while (first <= last && too_late(a, rt__number_end(w, first))) first++;
    if (first > last) return RT_FINE;
    if (last - first >= HOP_OVERLAP_MAX) first = last - HOP_OVERLAP_MAX + 1; /* never */
    RtEntry *key = rt__window_key(w, keys);
    u32 why = key ? try_numbered(a, key, first, last, list) : RT_STATE_FULL;
    for (i64 number = first; !why && number <= last; number++) {
        Slot *slot = list[number - first];
        mark_closed(a, slot, rt__number_end(w, number));
        bool update = slot->closed;
        take_all(a, slot);
        if (update) rt__emit(w, slot);
    }
    return why;
}

static bool joins(const RtWindow *w, const Slot *slot, i64 from, i64 to)
{
    i64 gap = w->info->size_ns, max = w->info->max_ns;
    if ((i128)from - slot->to_ns >= gap || (i128)slot->from_ns - to >= gap) return false;
    i64 low = from < slot->from_ns ? from : slot->from_ns,
        high = to > slot->to_ns ? to : slot->to_ns;
    return !max || (i128)high - low < max;
}

/* The first session of a key that [from, to] belongs to; none of `but`. */
static Slot *session_find(const RtWindow *w, RtEntry *key, i64 from, i64 to, Slot *const *but,
                          u32 but_count)
{
    Slot *found = NULL;
    for (Slot *slot = rt__key_state(key)->slots; slot; slot = slot->next) {
        u32 i = 0;
        while (i < but_count && but[i] != slot) i++;
        bool before = !found || slot->from_ns < found->from_ns;
        if (i == but_count && before && joins(w, slot, from, to)) found = slot;
    }
    return found;
}

/* Sessions that a record makes one: list[0] is that which it is in, the others come in the order in
 * which session_merge finds them. */
static u32 sessions_joined(const Adding *a, i64 from, i64 to, Slot **list)
{
    u32 count = 1;
    while (count < SESSIONS_JOINED_MAX) {
        Slot *other = session_find(a->w, list[0]->key, from, to, list, count);
        if (!other) break;
        if (other->from_ns < from) from = other->from_ns;
        if (other->to_ns > to) to = other->to_ns;
        list[count++] = other;
    }
    return count;
}

/* What can fail when the record comes and sessions become one. */
static u32 try_joined(const Adding *a, u32 agg, Slot *const *list, u32 count)
{
    const RtAggInfo *info = &a->w->info->aggs[agg];
    const RtSum value = {a->values[agg], 1}, *sums[SESSIONS_JOINED_MAX + 1];
    u32 n = 0;
    if (!rt_agg_sums(info))
        return a->has[agg] ? rt_agg_try(&a->w->memory, info, state_of(list[0], info), value.sum)
                           : RT_FINE;
    while (n < count) {
        sums[n] = state_of(list[n], info);
        n++;
    }
    if (a->has[agg]) sums[n++] = &value;
    return rt_agg_fits(info, sums, n) ? RT_FINE : RT_OVERFLOW;
}

static u32 try_session(const Adding *a, i64 from, i64 to, Slot **list, u32 *ret_count)
{
    const RtWindow *w = a->w;
    u32 why = RT_FINE, count = *ret_count = sessions_joined(a, from, to, list);
    if (count == 1) return try_all(a, list[0]);
    if (count == SESSIONS_JOINED_MAX) return RT_STATE_FULL; /* never: it is next to two at most */
    for (u32 i = 0; w->can_fail && !why && i < w->info->agg_count; i++)
        if (rt_agg_can_fail(&w->info->aggs[i])) why = try_joined(a, i, list, count);
    return why;
}

/* A record in between makes one of two: the later one is added to the earlier one. Which of the two
 * records was the first to arrive is known by the slots' order; the last is the one at hand. */
static Slot *session_merge(RtWindow *w, Slot *slot, Slot *other)
{
    Slot *early = other->from_ns < slot->from_ns ? other : slot,
         *late = early == slot ? other : slot;
    for (u32 i = 0; i < w->info->agg_count; i++) {
        const RtAggInfo *agg = &w->info->aggs[i];
        bool first = agg->kind == RT_AGG_FIRST && late->order < early->order;
        rt_agg_merge(&w->memory, agg, state_of(first ? late : early, agg),
                     state_of(first ? early : late, agg));
        if (first) memcpy(state_of(early, agg), state_of(late, agg), rt__state_bytes(w, i));
    }
    early->head.count += late->head.count;
    early->head.last_ns = late->head.last_ns;
    if (late->order < early->order) early->order = late->order;
    if (late->to_ns > early->to_ns) early->to_ns = late->to_ns;
    early->closed = early->closed && late->closed;
    early->changed |= late->changed;
    rt__slot_free(w, late);
    return early;
}

static u32 add_session(Adding *a, const RtValue *keys)
{
    RtWindow *w = a->w;
    RtEntry *key = rt__window_key(w, keys);
    if (!key) return RT_STATE_FULL;
    Slot *slot = session_find(w, key, a->ns, a->ns, NULL, 0), *list[SESSIONS_JOINED_MAX];
    i64 end = session_end(w, a->ns, a->ns);
    if (!slot && too_late(a, end)) {
        (void)rt__no_room(w, key);
        return RT_FINE;
    }
    if (!slot) {
        slot = rt__slot_new(w, key, a->lane, end);
        if (!slot) return rt__no_room(w, key);
        slot->from_ns = slot->to_ns = a->ns;
    }
    i64 from = a->ns < slot->from_ns ? a->ns : slot->from_ns;
    i64 to = a->ns > slot->to_ns ? a->ns : slot->to_ns;
    u32 count;
    list[0] = slot;
    u32 why = try_session(a, from, to, list, &count);
    if (why) {
        rt__slot_unmake(w, slot);
        return why;
    }
    slot->from_ns = from;
    slot->to_ns = to;
    for (u32 s = 1; s < count; s++) slot = session_merge(w, slot, list[s]);
    take_all(a, slot);
    end = session_end(w, slot->from_ns, slot->to_ns);
    if (slot->closed && end > a->closed_ns) slot->closed = 0; /* open again */
    if (!slot->closed) rt_heap_move(&w->lanes[slot->lane].due, &slot->timer, end);
    mark_closed(a, slot, end);
    if (slot->closed) rt__emit(w, slot);
    return RT_FINE;
}

static u32 add_delayed(Adding *a)
{
    i64 due = plus(a->ns, a->w->info->size_ns);
    Slot *slot = rt__slot_new(a->w, NULL, a->lane, due);
    if (!slot) return RT_STATE_FULL;
    u32 why = add_to(a, slot);
    if (!why && a->w->info->event_time && due <= a->closed_ns) { /* its time has come already */
        rt__emit(a->w, slot);
        rt__slot_free(a->w, slot);
    }
    return why;
}

static u32 add_counted(Adding *a, const RtValue *keys)
{
    RtEntry *key = rt__window_key(a->w, keys);
    Slot *slot = key ? numbered(a->w, key, a->lane, 0, true) : NULL;
    if (!slot) return rt__no_room(a->w, key);
    u32 why = add_to(a, slot);
    if (!why) rt_slot_full(a->w->pipe, a->w->index, slot->aggregates);
    return why;
}

u32 rt_window_add(RtPipe *pipe, u32 window, i64 ns, const RtValue *keys, const RtValue *values,
                  const u8 *has, u32 *reason)
{
    RtWindow *w = pipe->windows[window];
    u32 lane = w->info->own_clock ? pipe->lane : 0;
    arrived(w, ns);
    const Lane *at = rt__lane(w, lane);
    *reason = RT_STATE_FULL;
    if (!at) return 1;
    Adding a = {.w = w,
                .lane = lane,
                .closed_ns = closed_until(w, at, lane),
                .ns = ns,
                .values = values,
                .has = has};
    a.now_ns = !w->info->event_time ? ns : rt_asking_highest(pipe, lane);
    PaneAdd pane = {lane, w->info->event_time ? a.closed_ns : at->closed_ns, ns, keys, values, has};
    switch ((RtWindowKind)w->info->kind) {
    case RT_WINDOW_TUMBLE:
    case RT_WINDOW_HOP:
        *reason = w->info->panes ? rt__pane_add(w, &pane, &a.added) : add_numbered(&a, keys);
        break;
    case RT_WINDOW_SESSION: *reason = add_session(&a, keys); break;
    case RT_WINDOW_COUNT: *reason = add_counted(&a, keys); break;
    case RT_WINDOW_DELAY: *reason = add_delayed(&a); break;
    }
    if (*reason || a.added) return *reason != RT_FINE;
    if (w->info->late_dead) rt_late(pipe, w->info->node);
    return 1;
}
