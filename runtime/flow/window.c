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
    rt__count_in(slot, ns);
    if (w->seen->list) note_seen(w, slot, keys);
    return slot->aggregates;
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

typedef struct Adding {
    RtWindow *w;
    u32 lane;
    i64 closed_ns, now_ns; /* of the lane; latest time seen */
    i64 ns;
    const RtValue *values;
    const u8 *has;
    bool added, makes_row; /* somewhere; in a window whose row has been made */
} Adding;

static u32 add_to(Adding *a, Slot *slot)
{
    RtWindow *w = a->w;
    rt__count_in(slot, a->ns);
    a->added = true;
    for (u32 i = 0; i < w->info->agg_count; i++) {
        const RtAggInfo *agg = &w->info->aggs[i];
        if (!a->has[i]) continue;
        u32 why = rt_agg_add(&w->memory, agg, (char *)slot->aggregates + agg->offset, a->values[i],
                             a->ns);
        if (why) return why;
    }
    if (slot->closed)
        a->makes_row = true;
    else if (w->info->early_ns)
        rt__note_change(w, slot, a->now_ns);
    return RT_FINE;
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

static u32 add_numbered(Adding *a, const RtValue *keys)
{
    RtWindow *w = a->w;
    i64 step = step_of(w), last = rt__floor_div(a->ns, step), first = last;
    if (w->info->kind == RT_WINDOW_HOP && a->ns >= INT64_MIN + w->info->size_ns)
        first = rt__floor_div(a->ns - w->info->size_ns, step) + 1;
    RtEntry *key = NULL;
    Slot *list[HOP_OVERLAP_MAX];
    bool many = last > first && last - first < HOP_OVERLAP_MAX;
    for (i64 number = first; number <= last; number++) {
        i64 end = rt__number_end(w, number);
        if (too_late(a, end)) continue;
        if (!key) {
            key = rt__window_key(w, keys);
            if (key && many) find_numbered(key, first, last, list);
        }
        Slot *slot = key && many ? list[number - first] : NULL;
        if (key && !slot) slot = numbered(w, key, a->lane, number, !many);
        if (!slot) return rt__no_room(w, key);
        mark_closed(a, slot, end);
        bool update = slot->closed;
        u32 why = add_to(a, slot);
        if (update) rt__emit(w, slot);
        if (why) return why;
    }
    return RT_FINE;
}

static bool joins(const RtWindow *w, const Slot *slot, i64 from, i64 to)
{
    i64 gap = w->info->size_ns, max = w->info->max_ns;
    if ((i128)from - slot->to_ns >= gap || (i128)slot->from_ns - to >= gap) return false;
    i64 low = from < slot->from_ns ? from : slot->from_ns,
        high = to > slot->to_ns ? to : slot->to_ns;
    return !max || (i128)high - low < max;
}

/* The session of a key that [from, to] belongs to; other than `not`. */
static Slot *session_find(const RtWindow *w, RtEntry *key, i64 from, i64 to, const Slot * not )
{
    for (Slot *slot = rt__key_state(key)->slots; slot; slot = slot->next)
        if (slot != not &&joins(w, slot, from, to)) return slot;
    return NULL;
}

/* The record in between makes one of two: the later one is added to the earlier one. */
static u32 session_merge(RtWindow *w, Slot *slot, Slot **ret_slot)
{
    Slot *other;
    while ((other = session_find(w, slot->key, slot->from_ns, slot->to_ns, slot))) {
        Slot *early = other->from_ns < slot->from_ns ? other : slot,
             *late = early == slot ? other : slot;
        for (u32 i = 0; i < w->info->agg_count; i++) {
            const RtAggInfo *agg = &w->info->aggs[i];
            u32 why = rt_agg_merge(&w->memory, agg, (char *)early->aggregates + agg->offset,
                                   (char *)late->aggregates + agg->offset);
            if (why) return why;
        }
        early->head.count += late->head.count;
        early->head.last_ns = late->head.last_ns;
        if (late->to_ns > early->to_ns) early->to_ns = late->to_ns;
        early->closed = early->closed && late->closed;
        early->changed |= late->changed;
        rt__slot_free(w, late);
        slot = early;
    }
    *ret_slot = slot;
    return RT_FINE;
}

static u32 add_session(Adding *a, const RtValue *keys)
{
    RtWindow *w = a->w;
    RtEntry *key = rt__window_key(w, keys);
    if (!key) return RT_STATE_FULL;
    Slot *slot = session_find(w, key, a->ns, a->ns, NULL);
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
    if (a->ns < slot->from_ns) slot->from_ns = a->ns;
    if (a->ns > slot->to_ns) slot->to_ns = a->ns;
    u32 why = add_to(a, slot);
    if (!why) why = session_merge(w, slot, &slot);
    end = session_end(w, slot->from_ns, slot->to_ns);
    if (slot->closed && end > a->closed_ns) slot->closed = 0; /* open again */
    if (!slot->closed) rt_heap_move(&w->lanes[slot->lane].due, &slot->timer, end);
    mark_closed(a, slot, end);
    if (slot->closed) rt__emit(w, slot);
    return why;
}

static u32 add_delayed(Adding *a)
{
    i64 due = plus(a->ns, a->w->info->size_ns);
    Slot *slot = rt__slot_new(a->w, NULL, a->lane, due);
    if (!slot) return RT_STATE_FULL;
    u32 why = add_to(a, slot);
    if (a->w->info->event_time && due <= a->closed_ns) { /* its time has come already */
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
    rt_slot_full(a->w->pipe, a->w->index, slot->aggregates);
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
