/* runtime/flow/clock.c: clocks in a dictionary, their watermarks in a heap for the slowest.
 *
 * A clock's lane is a small number that windows index by; numbers of forgotten clocks are used
 * again. Invariant: pipe->watermark_ns is the least watermark of all clocks, and never moves back.
 */
#include "flow/clock.h"

#include "base/mem.h"
#include "flow/asking.h"
#include "flow/dict.h"
#include "flow/heap.h"
#include "flow/pipe.h"

#include <string.h>

typedef struct Clock { /* payload of an entry */
    RtTimer timer;     /* by watermark */
    u32 lane, held;
    i64 highest_ns, watermark_ns;
    i64 heard_ns; /* arrival of its last record */
} Clock;

struct RtClock {
    RtPipe *pipe;
    RtDict dict;
    RtHeap slowest;
    RtEntry **by_lane; /* [0] is nobody's; NULL: free */
    u32 lane_count, lane_cap;
    u32 *free_lanes;
    u32 free_count, free_cap;
};

static Clock *clock_of(RtEntry *entry)
{
    return (Clock *)(void *)entry->payload;
}

static void forget(void *ctx, RtEntry *entry)
{
    RtClock *c = ctx;
    Clock *clock = clock_of(entry);
    rt_heap_take(&c->slowest, &clock->timer);
    c->by_lane[clock->lane] = NULL;
    c->free_lanes[c->free_count++] = clock->lane; /* has room for every lane */
}

RtClock *rt_clock_new(RtPipe *pipe, u64 keys_max)
{
    const RtPipelineInfo *info = pipe->info;
    RtClock *c = mem_zalloc(1, sizeof *c);
    if (!c) return NULL;
    c->pipe = pipe;
    c->lane_count = 1;
    if (rt_dict_init(&c->dict, pipe, info->clock_types, info->clock_bytes_max, info->clock_keys,
                     sizeof(Clock), keys_max)) {
        c->dict.forget = forget;
        c->dict.forget_ctx = c;
        return c;
    }
    rt_clock_free(c);
    return NULL;
}

void rt_clock_free(RtClock *c)
{
    if (!c) return;
    rt_dict_done(&c->dict);
    rt_heap_done(&c->slowest);
    mem_free((void *)c->by_lane);
    mem_free(c->free_lanes);
    mem_free(c);
}

static int lane_room(RtClock *c)
{
    if (c->lane_count < c->lane_cap) return 1;
    u32 cap = c->lane_cap ? c->lane_cap * 2 : 64;
    if (!rt_grow(c->pipe, (void **)&c->by_lane, sizeof *c->by_lane, c->lane_cap, cap)) return 0;
    if (!rt_grow(c->pipe, (void **)&c->free_lanes, sizeof *c->free_lanes, c->free_cap, cap))
        return 0;
    c->lane_cap = c->free_cap = cap;
    c->by_lane[0] = NULL;
    return 1;
}

static int lane_open(RtClock *c, RtEntry *entry)
{
    Clock *clock = clock_of(entry);
    if (!c->free_count && !lane_room(c)) return 0;
    clock->highest_ns = clock->watermark_ns = INT64_MIN;
    if (!rt_heap_add(c->pipe, &c->slowest, &clock->timer, INT64_MIN)) return 0;
    clock->lane = c->free_count ? c->free_lanes[--c->free_count] : c->lane_count++;
    c->by_lane[clock->lane] = entry;
    return 1;
}

static RtEntry *clock_get(RtClock *c, const char *p, u64 n)
{
    RtEntry *entry = rt_dict_get(&c->dict, p, n);
    if (!entry || clock_of(entry)->lane || lane_open(c, entry)) return entry;
    rt_dict_remove(&c->dict, entry);
    return NULL;
}

/* The slowest clock moves the windows that have no clock of their own. */
static void combine(RtClock *c)
{
    RtPipe *pipe = c->pipe;
    i64 least = rt_heap_when(&c->slowest);
    if (least == INT64_MAX || least <= pipe->watermark_ns) return;
    pipe->watermark_ns = least;
    rt_close(pipe);
}

static void move(RtClock *c, Clock *clock, i64 watermark_ns)
{
    if (watermark_ns > clock->watermark_ns) {
        clock->watermark_ns = watermark_ns;
        rt_heap_move(&c->slowest, &clock->timer, watermark_ns);
    }
    rt_window_advance(c->pipe, clock->lane, clock->watermark_ns, clock->highest_ns);
}

static i64 minus(i64 a, i64 b)
{
    i64 out;
    return __builtin_sub_overflow(a, b, &out) ? INT64_MIN : out;
}

u32 rt_clock(RtPipe *pipe, i64 ns, const RtValue *keys)
{
    RtClock *c = pipe->clock;
    const RtPipelineInfo *info = pipe->info;
    if (info->ahead_ns && ns > pipe->received_ns + info->ahead_ns) return RT_FUTURE_TIME;
    u64 n;
    const char *p = rt_dict_encode(&c->dict, keys, &n);
    if (c->dict.count >= c->dict.count_max && !rt_dict_find(&c->dict, p, n)) {
        rt_asking_finish(pipe); /* whose clock may be the one that is forgotten */
        p = rt_dict_encode(&c->dict, keys, &n);
    }
    RtEntry *entry = clock_get(c, p, n);
    if (!entry) return RT_STATE_FULL;
    Clock *clock = clock_of(entry);
    if (!clock->held) rt_dict_touch(&c->dict, entry);
    clock->heard_ns = pipe->received_ns;
    pipe->event_ns = ns;
    pipe->lane = clock->lane;
    if (ns > pipe->highest_ns) pipe->highest_ns = ns;
    if (ns <= clock->highest_ns) return RT_FINE;
    clock->highest_ns = ns;
    move(c, clock, minus(ns, info->order_ns));
    combine(c);
    return RT_FINE;
}

void rt_clock_set(RtPipe *pipe, i64 event_ns)
{
    RtClock *c = pipe->clock;
    for (u32 lane = 1; lane < c->lane_count; lane++) {
        RtEntry *entry = c->by_lane[lane];
        if (!entry) continue;
        if (event_ns > clock_of(entry)->highest_ns) clock_of(entry)->highest_ns = event_ns;
        move(c, clock_of(entry), minus(event_ns, pipe->info->order_ns));
    }
    combine(c);
}

void rt_clock_idle(RtPipe *pipe, i64 wall_ns)
{
    RtClock *c = pipe->clock;
    for (u32 lane = 1; lane < c->lane_count; lane++) {
        RtEntry *entry = c->by_lane[lane];
        i64 silent = entry ? minus(wall_ns, clock_of(entry)->heard_ns) : 0, now;
        if (!entry || silent < pipe->info->idle_ns || clock_of(entry)->highest_ns == INT64_MIN)
            continue;
        if (__builtin_add_overflow(clock_of(entry)->highest_ns, silent, &now)) continue;
        move(c, clock_of(entry), minus(now, pipe->info->order_ns));
    }
    combine(c);
}

void rt_clock_hold(RtPipe *pipe, u32 lane, int change)
{
    RtEntry *entry = pipe->clock->by_lane[lane];
    Clock *clock = clock_of(entry);
    clock->held = (u32)((int)clock->held + change);
    if (clock->held)
        rt_dict_keep(&pipe->clock->dict, entry);
    else
        rt_dict_touch(&pipe->clock->dict, entry);
}

u64 rt_clock_forgotten(const RtPipe *pipe)
{
    return pipe->clock ? pipe->clock->dict.forgotten : 0;
}

int rt_clock_has(const RtPipe *pipe, u32 lane)
{
    const RtClock *c = pipe->clock;
    return !lane || (c && lane < c->lane_count && c->by_lane[lane]);
}

i64 rt_clock_highest(const RtPipe *pipe, u32 lane)
{
    const RtClock *c = pipe->clock;
    return lane < c->lane_count && c->by_lane[lane] ? clock_of(c->by_lane[lane])->highest_ns
                                                    : INT64_MIN;
}

/* ---- saved state ---- */

/* u32 lanes in use; each: u32 lane, u32 bytes of the key, key, i64 highest, watermark, heard. Then
 * u32 clocks that may be forgotten and the lane of each, the one that goes first in front. */
void rt_clock_save(const RtClock *c, Buf *out)
{
    u32 count = (u32)c->dict.count;
    buf_add(out, &count, 4);
    for (u32 lane = 1; lane < c->lane_count; lane++) {
        RtEntry *entry = c->by_lane[lane];
        if (!entry) continue;
        const Clock *clock = clock_of(entry);
        buf_add(out, &lane, 4);
        buf_add(out, &entry->len, 4);
        buf_add(out, rt_dict_bytes(entry), entry->len);
        buf_add(out, &clock->highest_ns, 8);
        buf_add(out, &clock->watermark_ns, 8);
        buf_add(out, &clock->heard_ns, 8);
    }
    count = 0;
    for (RtEntry *entry = c->dict.oldest; entry; entry = entry->newer) count++;
    buf_add(out, &count, 4);
    for (RtEntry *entry = c->dict.oldest; entry; entry = entry->newer)
        buf_add(out, &clock_of(entry)->lane, 4);
}

/* The order of forgetting. */
MUST static Status load_order(RtClock *c, Str *bytes, Diag *diag)
{
    u32 count, lane;
    if (!rt_take(bytes, &count, 4) || count > c->dict.count)
        return diag_set(diag, ST_CORRUPT, "the saved clocks are damaged");
    while (count--) {
        if (!rt_take(bytes, &lane, 4) || !lane || lane >= c->lane_count || !c->by_lane[lane])
            return diag_set(diag, ST_CORRUPT, "the saved clocks are damaged");
        rt_dict_touch(&c->dict, c->by_lane[lane]);
    }
    return ST_OK;
}

/* Lanes are numbered anew in their old order; windows name them by the old numbers, so the numbers
 * in between are opened and given back. */
Status rt_clock_load(RtClock *c, Str *bytes, Diag *diag)
{
    u32 count, lane, len;
    if (!rt_take(bytes, &count, 4)) return diag_set(diag, ST_CORRUPT, "the saved clocks end early");
    while (count--) {
        if (!rt_take(bytes, &lane, 4) || !rt_take(bytes, &len, 4) || bytes->len < len ||
            !rt_dict_fits(&c->dict, bytes->ptr, len) || lane < c->lane_count ||
            lane > c->dict.count_max)
            return diag_set(diag, ST_CORRUPT, "the saved clocks are damaged");
        while (c->lane_count < lane) {
            if (!lane_room(c)) return diag_set(diag, ST_LIMIT, "the saved state does not fit");
            c->by_lane[c->lane_count] = NULL;
            c->lane_count++;
        }
        RtEntry *entry = clock_get(c, bytes->ptr, len);
        if (!entry || clock_of(entry)->lane != lane)
            return diag_set(diag, ST_LIMIT, "the saved state does not fit");
        *bytes = str_skip(*bytes, len);
        Clock *clock = clock_of(entry);
        rt_dict_touch(&c->dict, entry);
        if (!rt_take(bytes, &clock->highest_ns, 8) || !rt_take(bytes, &clock->watermark_ns, 8) ||
            !rt_take(bytes, &clock->heard_ns, 8))
            return diag_set(diag, ST_CORRUPT, "the saved clocks end early");
        rt_heap_move(&c->slowest, &clock->timer, clock->watermark_ns);
    }
    for (u32 i = c->lane_count; i-- > 1;) /* the smallest is used first */
        if (!c->by_lane[i]) c->free_lanes[c->free_count++] = i;
    return load_order(c, bytes, diag);
}
