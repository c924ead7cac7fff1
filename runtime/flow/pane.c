/* runtime/flow/pane.c: hop windows that overlap count each record once.
 *
 * Time is cut wherever a window begins or ends: at most two panes for each `every`, and each window
 * is whole panes. A record is added to one pane; a window that closes puts its panes together. That
 * is done for aggregates whose bytes do not depend on how records were grouped (ir_agg_shares);
 * sketches go on from window to window, some panes more and some less (sketch.c); the others, like
 * sums of floats, which are added in the order of arrival, have a cell in each window (cells.c).
 *
 * Of a key there is one slot a pane, and a head: the one slot that waits in the lane, for the next
 * window of the key to close. A pane is kept while a window that holds it is open. Invariant: a key
 * has a head exactly when it has panes, and the head's window holds one of them. */
#include "flow/window_int.h"

#include <string.h>

int rt__pane_init(RtWindow *w)
{
    w->gathered = (RtAggMemory){
        .pipe = w->pipe, .window = w->index, .beyond = 1, .pool = {.pipe = w->pipe, .beyond = 1}};
    w->rest = w->info->size_ns % w->info->every_ns;
    return rt__cells_init(w);
}

static void *state_of(const Slot *slot, const RtAggInfo *agg)
{
    return (char *)(uintptr_t)slot->aggregates + agg->offset;
}

/* ---- panes and windows, by their numbers ---- */

/* The last window that holds the pane: it begins with the pane, or the one before does. */
static i64 last_window(const RtWindow *w, i64 pane)
{
    return w->rest ? rt__floor_div(pane, 2) : pane;
}

/* No window begins before time does. */
static i64 first_window(const RtWindow *w, i64 pane)
{
    i64 every = w->info->every_ns, first, last = last_window(w, pane);
    i64 before = w->info->size_ns / every - (w->rest && !(pane & 1) ? 0 : 1);
    i64 least = rt__floor_div(INT64_MIN, every) + 1;
    if (__builtin_sub_overflow(last, before, &first) || first < least) first = least;
    return first < last ? first : last;
}

static i64 pane_of(const RtWindow *w, i64 ns)
{
    i64 every = w->info->every_ns, number = rt__floor_div(ns, every), in = ns % every;
    if (in < 0) in += every;
    return w->rest ? number * 2 + (in >= w->rest) : number;
}

/* ---- heads and panes ---- */

Slot *rt__pane_head(RtWindow *w, RtEntry *key, u32 lane, i64 number)
{
    Lane *at = rt__lane(w, lane);
    Slot *head = at ? rt__slot_take(w, lane) : NULL;
    if (!head) return NULL;
    if (!rt_heap_add(w->pipe, &at->due, &head->timer, rt__number_end(w, number))) {
        rt__slot_give(w, head);
        return NULL;
    }
    head->number = number;
    head->key = key;
    rt__pane_key(head)->head = head;
    if (!lane && w->info->event_time) rt__set_close_time(w->pipe);
    return head;
}

Slot *rt__pane_slot(RtWindow *w, Slot *head, i64 number)
{
    Slot *pane = rt__slot_find(rt__key_state(head->key), number);
    if (pane) return pane;
    pane = rt__slot_take(w, head->lane);
    if (!pane) return NULL;
    pane->number = number;
    rt__slot_of_key(w, pane, head->key);
    return pane;
}

void rt__pane_release(RtWindow *w, Slot *head)
{
    rt__cells_before(w, rt__pane_key(head), INT64_MAX);
}

/* Without panes the key goes on as if it had never come. */
static void head_free(RtWindow *w, Slot *head)
{
    RtEntry *key = head->key;
    PaneKey *of = rt__pane_key(head);
    rt__pane_release(w, head);
    if (head->timer.at) rt_heap_take(&w->lanes[head->lane].due, &head->timer);
    of->head = NULL;
    if (!of->key.live) rt_dict_touch(&w->keys, key);
    rt__slot_give(w, head);
}

/* The head waits for this window, which has not closed. */
static void head_move(RtWindow *w, Slot *head, i64 number)
{
    head->number = number;
    rt_heap_move(&w->lanes[head->lane].due, &head->timer, rt__number_end(w, number));
    if (!head->lane && w->info->event_time) rt__set_close_time(w->pipe);
}

/* In the sketches of the head is what the window before had. */
static void recount(RtWindow *w, Slot *head, Slot *pane, bool in)
{
    if (pane->changed == in) return;
    for (u32 a = 0; a < w->info->agg_count; a++)
        if (w->info->aggs[a].kind == RT_AGG_QUANTILE)
            rt_sketch_count(state_of(head, &w->info->aggs[a]), state_of(pane, &w->info->aggs[a]),
                            in, w->info->aggs[a].bits);
    pane->changed = in;
}

static void pane_free(RtWindow *w, Slot *head, Slot *pane)
{
    recount(w, head, pane, false);
    for (u32 a = 0; a < w->info->agg_count; a++)
        if (w->info->aggs[a].kind == RT_AGG_QUANTILE)
            rt_sketch_leave(&w->memory, state_of(head, &w->info->aggs[a]),
                            state_of(pane, &w->info->aggs[a]), w->info->aggs[a].bits);
    rt__slot_free(w, pane);
}

/* ---- a record ---- */

/* Nothing of it is counted yet. */
static u32 try_value(RtWindow *w, const PaneAdd *add, u32 at, Slot *pane, i64 first, i64 last)
{
    const RtAggInfo *agg = &w->info->aggs[at];
    PaneKey *key = rt__pane_key(pane);
    void *state = state_of(pane, agg);
    if (agg->each) return rt__cells_try(w, key, at, first, last, add->values[at]);
    if (agg->kind != RT_AGG_QUANTILE) return rt_agg_try(&w->memory, agg, state, add->values[at]);
    bool room = rt_sketch_share_room(&w->memory, state, state_of(key->head, agg), add->values[at],
                                     agg->bits);
    return room ? RT_FINE : RT_STATE_FULL;
}

static u32 try_values(RtWindow *w, const PaneAdd *add, Slot *pane, i64 first, i64 last)
{
    u32 why = RT_FINE;
    for (u32 i = 0; w->can_fail && i < w->info->agg_count && !why; i++)
        if (add->has[i] && rt_agg_can_fail(&w->info->aggs[i]))
            why = try_value(w, add, i, pane, first, last);
    return why;
}

static void take_value(RtWindow *w, const PaneAdd *add, u32 at, Slot *pane, i64 first, i64 last)
{
    const RtAggInfo *agg = &w->info->aggs[at];
    PaneKey *key = rt__pane_key(pane);
    void *state = state_of(pane, agg);
    if (agg->kind == RT_AGG_QUANTILE) {
        rt_sketch_share(state, state_of(key->head, agg), pane->changed, add->values[at], agg->bits);
    } else if (!agg->each) {
        rt_agg_share(&w->memory, agg, state, add->values[at], add->ns, w->arrivals);
    } else {
        rt__cells_take(w, key, at, first, last, add->values[at], add->ns);
        if (agg->kind == RT_AGG_SUM || agg->kind == RT_AGG_MEAN) ((RtSum *)state)->n++;
    }
}

static void take_values(RtWindow *w, const PaneAdd *add, Slot *pane, i64 first, i64 last)
{
    w->arrivals++;
    rt__count_in(pane, add->ns);
    for (u32 i = 0; i < w->info->agg_count; i++)
        if (add->has[i]) take_value(w, add, i, pane, first, last);
}

u32 rt__pane_add(RtWindow *w, const PaneAdd *in, bool *ret_added)
{
    PaneAdd add = *in;
    /* Arrival does not go back: a window that has had its row takes nothing more. */
    if (!w->info->event_time && add.ns < add.closed_ns) add.ns = add.closed_ns;
    i64 number = pane_of(w, add.ns), last = last_window(w, number);
    i64 first = first_window(w, number);
    while (first <= last && rt__number_end(w, first) <= add.closed_ns) first++;
    if (first > last) return RT_FINE;
    RtEntry *key = rt__window_key(w, add.keys);
    if (!key) return RT_STATE_FULL;
    PaneKey *of = (PaneKey *)(void *)key->payload;
    Slot *head = of->head ? of->head : rt__pane_head(w, key, add.lane, first);
    if (!head) return rt__no_room(w, key);
    Slot *pane = rt__cells_room(w, of, first, last) ? rt__pane_slot(w, head, number) : NULL;
    u32 why = pane ? try_values(w, &add, pane, first, last) : RT_STATE_FULL;
    if (why) {
        if (pane && !pane->head.count) pane_free(w, head, pane);
        if (!of->key.live) head_free(w, head);
        return why;
    }
    if (first < head->number) head_move(w, head, first);
    *ret_added = true;
    take_values(w, &add, pane, first, last);
    return RT_FINE;
}

/* ---- a window that closes ---- */

/* A set's room may be beyond the limit of state, as a row can no longer fail: it is that of one
 * window, kept for the next row. Without any memory left the instance says so. */
void rt__pane_gather(RtWindow *w, Slot *head)
{
    i64 number = head->number;
    rt__cells_read(w, head);
    for (Slot *p = rt__key_state(head->key)->slots; p; p = p->next) {
        bool in = last_window(w, p->number) >= number && first_window(w, p->number) <= number;
        recount(w, head, p, in);
        for (u32 a = 0; in && a < w->info->agg_count; a++)
            if (!rt_agg_join(&w->gathered, &w->info->aggs[a], state_of(head, &w->info->aggs[a]),
                             state_of(p, &w->info->aggs[a])))
                w->pipe->out_of_memory = 1;
    }
}

/* Only sketches are kept. What lies in the cells is theirs. */
void rt__pane_scatter(RtWindow *w, Slot *head)
{
    for (u32 a = 0; a < w->info->agg_count; a++) {
        const RtAggInfo *agg = &w->info->aggs[a];
        if (agg->kind == RT_AGG_QUANTILE) continue;
        if (!agg->each) rt_agg_release(&w->gathered, agg, state_of(head, agg));
        memset(state_of(head, agg), 0, rt__state_bytes(w, a));
    }
}

int rt__pane_loaded(RtWindow *w, Slot *head, const Slot *pane)
{
    for (u32 a = 0; a < w->info->agg_count; a++)
        if (w->info->aggs[a].kind == RT_AGG_QUANTILE &&
            !rt_sketch_enter(&w->memory, state_of(head, &w->info->aggs[a]),
                             state_of(pane, &w->info->aggs[a]), w->info->aggs[a].bits))
            return 0;
    return 1;
}

bool rt__pane_next(RtWindow *w, Slot *head)
{
    PaneKey *of = rt__pane_key(head);
    i64 next = INT64_MAX, closed = head->number;
    for (Slot *p = of->key.slots, *after; p; p = after) {
        after = p->next;
        if (last_window(w, p->number) <= closed) {
            pane_free(w, head, p);
            continue;
        }
        i64 first = first_window(w, p->number);
        if (first < next) next = first;
    }
    if (!of->key.slots) {
        head_free(w, head);
        return false;
    }
    head->number = next > closed ? next : closed + 1;
    rt__cells_before(w, of, head->number);
    i64 end = rt__number_end(w, head->number);
    /* It stood there before, so there is room. */
    if (!head->timer.at) return rt_heap_add(w->pipe, &w->lanes[head->lane].due, &head->timer, end);
    return true;
}
