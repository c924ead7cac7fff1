/* runtime/flow/close.c: windows whose time has come: their rows in order, and early ones.
 *
 * Rows come out by (end, keys as they are printed, by bytes). What becomes due together is taken
 * out of the lane, sorted and handed on; a row may go into a window further down, never into this
 * one. */
#include "flow/window_int.h"

#include "base/mem.h"
#include "flow/asking.h"
#include "flow/clock.h"

#include <string.h>

/* ---- the order of rows ---- */

static int compare_text(const char *a, u64 an, const char *b, u64 bn)
{
    u64 n = an < bn ? an : bn;
    int order = n ? memcmp(a, b, n) : 0;
    return order ? order : an < bn ? -1 : an > bn;
}

/* By bytes of the keys as they are printed. */
static int compare_keys(const RtWindow *w, const Slot *a, const Slot *b)
{
    const RtWindowInfo *info = w->info;
    if (!a->key || !b->key) return 0;
    RtValue va[WINDOW_KEYS_MAX], vb[WINDOW_KEYS_MAX];
    rt_dict_decode(&w->keys, a->key, va);
    rt_dict_decode(&w->keys, b->key, vb);
    for (u32 i = 0; i < info->key_count; i++) {
        char ta[64], tb[64];
        RtField field = {.type = info->key_types[i],
                         .scale = info->key_scales ? info->key_scales[i] : 0,
                         .names = info->key_names ? info->key_names[i] : NULL};
        int order;
        if (rt_is_text(field.type)) {
            order = compare_text(va[i].s.p, va[i].s.n, vb[i].s.p, vb[i].s.n);
        } else if (field.type == RT_ENUM && field.names) {
            order = strcmp(field.names[va[i].u], field.names[vb[i].u]);
        } else {
            u64 na = (u64)(rt_put_value(ta, &field, va[i], 0) - ta);
            u64 nb = (u64)(rt_put_value(tb, &field, vb[i], 0) - tb);
            order = compare_text(ta, na, tb, nb);
        }
        if (order) return order;
    }
    return 0;
}

static int compare_slots(const RtWindow *w, const Slot *a, const Slot *b)
{
    i64 ea = rt__slot_end(w, a), eb = rt__slot_end(w, b);
    if (ea != eb) return ea < eb ? -1 : 1;
    int order = compare_keys(w, a, b);
    return order ? order : a->order < b->order ? -1 : 1;
}

/* Merge sort, bottom up: no recursion, and its space is kept. */
static void sort_slots(RtWindow *w, u64 count)
{
    Slot **from = w->sorted, **to = w->sort_space;
    for (u64 width = 1; width < count; width *= 2) {
        for (u64 start = 0; start < count; start += 2 * width) {
            u64 middle = start + width < count ? start + width : count;
            u64 end = start + 2 * width < count ? start + 2 * width : count;
            u64 a = start, b = middle, out = start;
            while (a < middle && b < end)
                to[out++] = compare_slots(w, from[b], from[a]) < 0 ? from[b++] : from[a++];
            while (a < middle) to[out++] = from[a++];
            while (b < end) to[out++] = from[b++];
        }
        Slot **swap = from;
        from = to;
        to = swap;
    }
    w->sorted = from;
    w->sort_space = to;
}

/* Room to sort that many; without memory fewer are sorted at a time, but none is lost. */
static u64 sort_room(RtWindow *w, u64 count)
{
    if (count > w->sort_cap) {
        u64 cap = w->sort_cap;
        while (cap < count) cap *= 2;
        Slot **a = mem_realloc((void *)w->sorted, cap * sizeof *a);
        if (a) w->sorted = a;
        Slot **b = mem_realloc((void *)w->sort_space, cap * sizeof *b);
        if (b) w->sort_space = b;
        if (a && b) w->sort_cap = cap;
    }
    return count < w->sort_cap ? count : w->sort_cap;
}

/* ---- rows ---- */

void rt__emit(RtWindow *w, Slot *slot)
{
    RtPipe *pipe = w->pipe;
    u32 keys = w->info->key_count;
    i64 start = rt__slot_start(w, slot), end = rt__slot_end(w, slot);
    memset(w->row_has, 1, keys + 2);
    if (w->info->panes) rt__pane_gather(w, slot);
    if (slot->key) rt_dict_decode(&w->keys, slot->key, w->row);
    w->row[keys].i = start;
    w->row[keys + 1].i = end;
    bool held = w->info->kind == RT_WINDOW_TUMBLE || w->info->kind == RT_WINDOW_HOP;
    for (u32 a = 0; a < w->info->agg_count; a++) {
        const RtAggInfo *agg = &w->info->aggs[a];
        void *state = (char *)slot->aggregates + agg->offset;
        rt_agg_value(agg, state, held ? end : INT64_MIN, &w->row[keys + 2 + a],
                     &w->row_has[keys + 2 + a]);
        if (agg->kind == RT_AGG_REVISION) ((RtCount *)state)->n++;
    }
    slot->changed = 0;
    RtWindowRow row = {w->row, w->row_has, start, end};
    u8 before = pipe->in_row, asked = pipe->asked;
    i64 event = pipe->event_ns;
    u32 lane = pipe->lane;
    const char *raw = pipe->raw;
    u64 raw_len = pipe->raw_len, scratch = pipe->scratch_len;
    pipe->in_row = 1;
    pipe->asked = 0;
    pipe->event_ns = end;
    pipe->lane = slot->lane;
    pipe->raw = NULL;
    pipe->raw_len = 0;
    pipe->n.rows++;
    RtTurn turn;
    bool asks = rt_host(pipe)->asking != NULL;
    if (asks) rt_turn_begin(pipe, &turn);
    if (pipe->info->row) pipe->info->row(pipe, w->index, &row);
    if (asks) rt_turn_end(pipe, &turn);
    pipe->in_row = before;
    pipe->asked = asked;
    pipe->event_ns = event;
    pipe->lane = lane;
    pipe->raw = raw;
    pipe->raw_len = raw_len;
    if (pipe->scratch_len > scratch) pipe->scratch_len = scratch;
    if (w->info->panes) rt__pane_scatter(w, slot);
}

/* A row was made; the slot goes, or waits for late records. */
static void done_with(RtWindow *w, Slot *slot, i64 until)
{
    i64 keep;
    if (w->info->panes) {
        (void)rt__pane_next(w, slot);
        return;
    }
    bool kept = w->info->keep_ns && w->info->event_time &&
                !__builtin_add_overflow(rt__slot_end(w, slot), w->info->keep_ns, &keep) &&
                keep > until;
    if (!kept) {
        rt__slot_free(w, slot);
        return;
    }
    slot->closed = 1;
    RtHeap *due = &w->lanes[slot->lane].due;
    if (!slot->timer.at && !rt_heap_add(w->pipe, due, &slot->timer, keep)) rt__slot_free(w, slot);
}

/* Takes what is due first off the lane. Returns how many rows it is; kept ones just go. */
static u64 take_due(RtWindow *w, Lane *lane)
{
    i64 when = rt_heap_when(&lane->due);
    u64 count = 0;
    while (lane->due.count && lane->due.list[0].when == when) {
        Slot *slot = (Slot *)(void *)lane->due.list[0].timer;
        if (!slot->closed) {
            if (count == sort_room(w, count + 1)) break;
            w->sorted[count++] = slot;
        }
        rt_heap_take(&lane->due, &slot->timer);
        if (slot->closed) rt__slot_free(w, slot);
    }
    return count;
}

static void lane_close(RtWindow *w, u32 lane, i64 until)
{
    while (w->lanes[lane].due.count && rt_heap_when(&w->lanes[lane].due) <= until &&
           rt_heap_when(&w->lanes[lane].due) != INT64_MAX) {
        u64 count = take_due(w, &w->lanes[lane]);
        sort_slots(w, count);
        for (u64 i = 0; i < count; i++) {
            rt__emit(w, w->sorted[i]);
            done_with(w, w->sorted[i], until);
        }
    }
    if (until > w->lanes[lane].closed_ns) w->lanes[lane].closed_ns = until;
}

/* ---- early rows ---- */

void rt__note_change(RtWindow *w, Slot *slot, i64 now_ns)
{
    Lane *lane = &w->lanes[slot->lane];
    slot->changed = 1;
    if (lane->early_ns != INT64_MAX) return;
    i64 every = w->info->early_ns, next = now_ns / every - (now_ns % every < 0) + 1;
    if (__builtin_mul_overflow(next, every, &lane->early_ns)) lane->early_ns = INT64_MAX;
    if (!slot->lane && w->info->event_time) rt__set_close_time(w->pipe);
}

static void early_rows(RtWindow *w, u32 index, i64 now_ns)
{
    Lane *lane = &w->lanes[index];
    if (now_ns < lane->early_ns || lane->early_ns == INT64_MAX) return;
    lane->early_ns = INT64_MAX;
    u64 count = 0, room = sort_room(w, lane->due.count);
    for (u32 i = 0; i < lane->due.count && count < room; i++) {
        Slot *slot = (Slot *)(void *)lane->due.list[i].timer;
        if (slot->changed && !slot->closed) w->sorted[count++] = slot;
    }
    sort_slots(w, count);
    for (u64 i = 0; i < count; i++) rt__emit(w, w->sorted[i]);
}

void rt__lane_advance(RtWindow *w, u32 lane, i64 watermark_ns, i64 now_ns)
{
    if (!rt__lane(w, lane)) return;
    lane_close(w, lane, watermark_ns);
    if (w->info->early_ns) early_rows(w, lane, now_ns);
}

/* ---- whose time has come ---- */

void rt_close(RtPipe *pipe)
{
    bool waits = false;
    pipe->closing = 1;
    for (u32 i = 0; i < pipe->info->window_count; i++) {
        RtWindow *w = pipe->windows[i];
        if (!w->info->event_time || w->info->own_clock) continue;
        if (rt_asking_clear(pipe, w->info->asks))
            rt__lane_advance(w, 0, pipe->watermark_ns, pipe->highest_ns);
        else
            waits |= rt_asking_behind(pipe, w->info->asks);
    }
    pipe->closing = 0;
    if (waits) rt_asking_tick(pipe, 0, pipe->watermark_ns, pipe->highest_ns);
    rt__set_close_time(pipe);
}

void rt_window_advance(RtPipe *pipe, u32 lane, i64 watermark_ns, i64 highest_ns)
{
    bool waits = false;
    for (u32 i = 0; i < pipe->info->window_count; i++) {
        RtWindow *w = pipe->windows[i];
        if (!w->info->event_time || !w->info->own_clock) continue;
        if (rt_asking_clear(pipe, w->info->asks))
            rt__lane_advance(w, lane, watermark_ns, highest_ns);
        else
            waits |= rt_asking_behind(pipe, w->info->asks);
    }
    if (waits) rt_asking_tick(pipe, lane, watermark_ns, highest_ns);
}

void rt_close_arrived(RtPipe *pipe, i64 ns)
{
    for (u32 i = 0; i < pipe->info->window_count; i++) {
        RtWindow *w = pipe->windows[i];
        if (w->info->event_time) continue;
        if (w->info->asks) rt_asking_finish(pipe); /* rows from further up */
        rt__lane_advance(w, 0, ns, ns);
    }
}

/* Without memory to sort them all the lanes come one after the other. */
static void close_all(RtWindow *w)
{
    u64 count = 0, room = sort_room(w, w->slot_count);
    for (u32 l = 0; l < w->lane_count; l++) {
        RtHeap *due = &w->lanes[l].due;
        while (due->count && count < room) {
            Slot *slot = (Slot *)(void *)due->list[due->count - 1].timer;
            rt_heap_take(due, &slot->timer);
            if (slot->closed)
                rt__slot_free(w, slot);
            else
                w->sorted[count++] = slot;
        }
    }
    sort_slots(w, count);
    for (u64 i = 0; i < count; i++) {
        rt__emit(w, w->sorted[i]);
        rt__slot_free(w, w->sorted[i]);
    }
}

/* The heads of the earliest end, again and again. */
static void close_all_panes(RtWindow *w)
{
    i64 when = INT64_MAX;
    u64 count = 0, room = sort_room(w, w->slot_count);
    for (u32 l = 0; l < w->lane_count; l++)
        if (rt_heap_when(&w->lanes[l].due) < when) when = rt_heap_when(&w->lanes[l].due);
    for (u32 l = 0; l < w->lane_count; l++) {
        RtHeap *due = &w->lanes[l].due;
        while (rt_heap_when(due) == when && due->count && count < room) {
            w->sorted[count++] = (Slot *)(void *)due->list[0].timer;
            rt_heap_take(due, due->list[0].timer);
        }
    }
    sort_slots(w, count);
    for (u64 i = 0; i < count; i++) {
        do rt__emit(w, w->sorted[i]);
        while (rt__pane_next(w, w->sorted[i]) && when == INT64_MAX); /* all ends at once */
    }
}

void rt_close_all(RtPipe *pipe)
{
    for (u32 i = 0; i < pipe->info->window_count; i++) {
        RtWindow *w = pipe->windows[i];
        if (w->info->asks) rt_asking_finish(pipe); /* rows from further up */
        while (w->slot_count) {
            if (w->info->panes)
                close_all_panes(w);
            else
                close_all(w);
        }
    }
    rt__set_close_time(pipe);
}
