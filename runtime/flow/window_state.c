/* runtime/flow/window_state.c: an open window's slots as bytes and back.
 *
 *   u64 order, u32 lanes, each: i64 closed, i64 early
 *   u64 slots, in the order in which they were made, each:
 *     u32 lane, u32 bytes of the keys (NO_KEY: none), keys, u8 closed, u8 changed, i64 number,
 * from, to, u64 order, u64 count, i64 first, i64 last, i64 due, then each aggregate (agg.c)
 *
 * With panes (pane.c) these slots are heads, and behind the order stands u64 arrivals. Each head:
 *     u32 lane, u32 bytes of the keys, keys, i64 number, cells (cells.c), u32 panes, each:
 *     i64 number, u64 count, i64 first, i64 last, then each aggregate
 */
#include "flow/clock.h"
#include "flow/window_int.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define NO_KEY 0xffffffffu

static void save_slot(const RtWindow *w, const Slot *slot, i64 due, Buf *out)
{
    u32 len = slot->key ? slot->key->len : NO_KEY;
    buf_add(out, &slot->lane, 4);
    buf_add(out, &len, 4);
    if (slot->key) buf_add(out, rt_dict_bytes(slot->key), len);
    buf_add(out, &slot->closed, 1);
    buf_add(out, &slot->changed, 1);
    buf_add(out, &slot->number, 8);
    buf_add(out, &slot->from_ns, 8);
    buf_add(out, &slot->to_ns, 8);
    buf_add(out, &slot->order, 8);
    buf_add(out, &slot->head, sizeof slot->head);
    buf_add(out, &due, 8);
    for (u32 a = 0; a < w->info->agg_count; a++)
        rt_agg_save(&w->info->aggs[a], (const char *)slot->aggregates + w->info->aggs[a].offset,
                    rt__state_bytes(w, a), out);
}

static void save_pane(const RtWindow *w, const Slot *pane, Buf *out)
{
    buf_add(out, &pane->number, 8);
    buf_add(out, &pane->head, sizeof pane->head);
    for (u32 a = 0; a < w->info->agg_count; a++)
        rt_agg_save(&w->info->aggs[a], (const char *)pane->aggregates + w->info->aggs[a].offset,
                    rt__state_bytes(w, a), out);
}

static void save_head(const RtWindow *w, const Slot *head, Buf *out)
{
    const PaneKey *key = rt__pane_key(head);
    buf_add(out, &head->lane, 4);
    buf_add(out, &head->key->len, 4);
    buf_add(out, rt_dict_bytes(head->key), head->key->len);
    buf_add(out, &head->number, 8);
    rt__cells_save(w, key, out);
    buf_add(out, &key->key.live, 4);
    for (const Slot *p = key->key.slots; p; p = p->next) save_pane(w, p, out);
}

typedef struct Saved {
    const Slot *slot;
    i64 due;
} Saved;

static int by_order(const void *a, const void *b)
{
    u64 x = ((const Saved *)a)->slot->order, y = ((const Saved *)b)->slot->order;
    return x < y ? -1 : x > y;
}

void rt_window_save(const RtWindow *w, Buf *out)
{
    u64 count = 0;
    Saved *list = mem_alloc((w->slot_count + 1) * sizeof *list);
    buf_add(out, &w->order, 8);
    if (w->info->panes) buf_add(out, &w->arrivals, 8);
    buf_add(out, &w->lane_count, 4);
    for (u32 l = 0; l < w->lane_count; l++) {
        const Lane *lane = &w->lanes[l];
        buf_add(out, &lane->closed_ns, 8);
        buf_add(out, &lane->early_ns, 8);
        for (u32 i = 0; list && i < lane->due.count; i++)
            list[count++] =
                (Saved){(const Slot *)(void *)lane->due.list[i].timer, lane->due.list[i].when};
    }
    if (!list) {
        if (!out->failed) out->failed = ST_NO_MEMORY;
        return;
    }
    qsort(list, count, sizeof *list, by_order);
    buf_add(out, &count, 8);
    for (u64 i = 0; i < count; i++) {
        if (w->info->panes)
            save_head(w, list[i].slot, out);
        else
            save_slot(w, list[i].slot, list[i].due, out);
    }
    mem_free(list);
}

static int load_pane(RtWindow *w, Slot *head, Str *bytes, int *ret_full)
{
    i64 number;
    if (!rt_take(bytes, &number, 8)) return 0;
    Slot *pane = rt__pane_slot(w, head, number);
    *ret_full = !pane;
    if (!pane || !rt_take(bytes, &pane->head, sizeof pane->head)) return 0;
    for (u32 a = 0; a < w->info->agg_count; a++)
        if (!rt_agg_load(&w->memory, &w->info->aggs[a],
                         (char *)pane->aggregates + w->info->aggs[a].offset, rt__state_bytes(w, a),
                         bytes))
            return 0;
    *ret_full = !rt__pane_loaded(w, head, pane);
    return !*ret_full;
}

/* 0: damaged, or it does not fit (*ret_full). */
static int load_head(RtWindow *w, Str *bytes, int *ret_full)
{
    u32 lane, len, panes;
    i64 number;
    if (!rt_take(bytes, &lane, 4) || lane >= w->lane_count || !rt_clock_has(w->pipe, lane) ||
        !rt_take(bytes, &len, 4) || bytes->len < len || !rt_dict_fits(&w->keys, bytes->ptr, len))
        return 0;
    RtEntry *key = rt__window_key_bytes(w, bytes->ptr, len);
    *ret_full = !key;
    if (!key || ((PaneKey *)(void *)key->payload)->head) return 0;
    *bytes = str_skip(*bytes, len);
    if (!rt_take(bytes, &number, 8)) return 0;
    Slot *head = rt__pane_head(w, key, lane, number);
    *ret_full = !head;
    if (!head || !rt__cells_load(w, rt__pane_key(head), bytes) || !rt_take(bytes, &panes, 4) ||
        !panes)
        return 0;
    while (panes--)
        if (!load_pane(w, head, bytes, ret_full)) return 0;
    return 1;
}

/* The same. */
static int load_slot(RtWindow *w, Str *bytes, int *ret_full)
{
    u32 lane, len;
    RtEntry *key = NULL;
    i64 due;
    Slot read;
    if (!rt_take(bytes, &lane, 4) || lane >= w->lane_count || !rt_clock_has(w->pipe, lane) ||
        !rt_take(bytes, &len, 4))
        return 0;
    if ((len == NO_KEY) != (w->info->kind == RT_WINDOW_DELAY)) return 0;
    if (len != NO_KEY) {
        if (bytes->len < len || !rt_dict_fits(&w->keys, bytes->ptr, len)) return 0;
        key = rt__window_key_bytes(w, bytes->ptr, len);
        *ret_full = !key;
        if (!key) return 0;
        *bytes = str_skip(*bytes, len);
    }
    if (!rt_take(bytes, &read.closed, 1) || !rt_take(bytes, &read.changed, 1) ||
        !rt_take(bytes, &read.number, 8) || !rt_take(bytes, &read.from_ns, 8) ||
        !rt_take(bytes, &read.to_ns, 8) || !rt_take(bytes, &read.order, 8) ||
        !rt_take(bytes, &read.head, sizeof read.head) || !rt_take(bytes, &due, 8))
        return 0;
    Slot *slot = rt__slot_new(w, key, lane, due);
    *ret_full = !slot;
    if (!slot) return 0;
    slot->closed = read.closed != 0;
    slot->changed = read.changed != 0;
    slot->number = read.number;
    slot->from_ns = read.from_ns;
    slot->to_ns = read.to_ns;
    slot->order = read.order;
    slot->head = read.head;
    for (u32 a = 0; a < w->info->agg_count; a++)
        if (!rt_agg_load(&w->memory, &w->info->aggs[a],
                         (char *)slot->aggregates + w->info->aggs[a].offset, rt__state_bytes(w, a),
                         bytes))
            return 0;
    return 1;
}

Status rt_window_load(RtWindow *w, Str *bytes, Diag *diag)
{
    u64 count, order;
    u32 lanes;
    int full = 0;
    if (!rt_take(bytes, &order, 8) || (w->info->panes && !rt_take(bytes, &w->arrivals, 8)) ||
        !rt_take(bytes, &lanes, 4))
        return diag_set(diag, ST_CORRUPT, "the saved window ends early");
    for (u32 l = 0; l < lanes; l++) {
        i64 closed, early;
        if (!rt_take(bytes, &closed, 8) || !rt_take(bytes, &early, 8))
            return diag_set(diag, ST_CORRUPT, "the saved window ends early");
        Lane *lane = rt__lane(w, l);
        if (!lane) return diag_set(diag, ST_LIMIT, "the saved state does not fit");
        lane->closed_ns = closed;
        lane->early_ns = early;
    }
    if (!rt_take(bytes, &count, 8))
        return diag_set(diag, ST_CORRUPT, "the saved window ends early");
    while (count--) {
        if (w->info->panes ? load_head(w, bytes, &full) : load_slot(w, bytes, &full)) continue;
        if (full) return diag_set(diag, ST_LIMIT, "the saved state does not fit");
        return diag_set(diag, ST_CORRUPT, "the saved window is damaged");
    }
    w->order = order;
    rt__set_close_time(w->pipe);
    return ST_OK;
}
