/* runtime/flow/cells.c: aggregates that every window counts by itself, behind shared panes.
 *
 * Windows that follow each other lie side by side, aggregate by aggregate: a record goes into all
 * windows it is in by one loop over neighbours, in the order of arrival, which is what the bytes of
 * a float sum depend on. A piece holds a power of two of windows and begins at a multiple of it, so
 * a key has one or two of them more than its windows need. */
#include "flow/window_int.h"

#include "base/mem.h"
#include "flow/hot.h"

#include <string.h>

/* Only what panes cannot share has a cell. */
static u32 cell_bytes(const RtAggInfo *agg)
{
    switch ((RtAggKind)agg->kind) {
    case RT_AGG_SUM:
    case RT_AGG_MEAN: return 8; /* of the sum; how many there are the panes know */
    case RT_AGG_STDDEV: return sizeof(RtVariance);
    case RT_AGG_TIME_WEIGHTED: return sizeof(RtArea);
    case RT_AGG_LIST: return sizeof(RtItems);
    default: return 0;
    }
}

int rt__cells_init(RtWindow *w)
{
    u64 overlap = (u64)(w->info->size_ns / w->info->every_ns) + 1;
    w->cell_at = mem_zalloc(w->info->agg_count + 1, sizeof *w->cell_at);
    if (!w->cell_at) return 0;
    for (w->cells = 2; w->cells < overlap && w->cells < CELLS_MAX;) w->cells *= 2;
    for (u32 a = 0; a < w->info->agg_count; a++) {
        w->cell_at[a] = w->cell_bytes;
        if (w->info->aggs[a].each) w->cell_bytes += w->cells * cell_bytes(&w->info->aggs[a]);
    }
    if (w->cell_bytes) w->cell_bytes += sizeof(Cells);
    return 1;
}

static i64 piece_first(const RtWindow *w, i64 number)
{
    return number & ~((i64)w->cells - 1);
}

static char *states_of(const RtWindow *w, Cells *piece, u32 agg)
{
    return (char *)piece->states + w->cell_at[agg];
}

static Cells *find(const PaneKey *key, i64 first)
{
    Cells *piece = key->cells;
    while (piece && piece->first != first) piece = piece->next;
    return piece;
}

static Cells *make(RtWindow *w, PaneKey *key, i64 first)
{
    Cells *piece = rt_pool_get(&w->memory.pool, w->cell_bytes);
    if (!piece) return NULL;
    memset(piece, 0, w->cell_bytes);
    piece->first = first;
    piece->next = key->cells;
    key->cells = piece;
    return piece;
}

int rt__cells_room(RtWindow *w, PaneKey *key, i64 first, i64 last)
{
    if (!w->cell_bytes) return 1;
    for (i64 at = piece_first(w, first);; at += w->cells) {
        if (!find(key, at) && !make(w, key, at)) return 0;
        if (last - at < w->cells) return 1;
    }
}

/* The common ones: nothing but an addition for each window, of floats two at a time. */
static void add_floats(char *sums, u64 count, f64 x)
{
    typedef f64 V2 __attribute__((vector_size(16), may_alias, aligned(8)));
    V2 both = {x, x};
    for (; count >= 2; count -= 2, sums += 16) *(V2 *)(void *)sums += both;
    if (count) *(f64 *)(void *)sums += x;
}

/* Cells side by side: `count` from `states` on, of one piece. */
typedef struct Run {
    char *states;
    u64 count;
} Run;

/* The next run of the windows from *at to last; a count of 0: there is none. */
static Run next_run(const RtWindow *w, const PaneKey *key, u32 agg, i64 *at, i64 last)
{
    if (*at > last) return (Run){0};
    i64 piece = piece_first(w, *at);
    u64 from = (u64)(*at - piece), left = (u64)(last - *at) + 1, count = w->cells - from;
    if (count > left) count = left;
    *at += (i64)count;
    return (Run){states_of(w, find(key, piece), agg) + from * cell_bytes(&w->info->aggs[agg]),
                 count};
}

static RtSum sum_at(const Run *run, u64 i)
{
    RtSum sum = {0};
    memcpy(&sum.sum, run->states + 8 * i, 8);
    return sum;
}

static void add_wholes(const Run *run, RtValue v)
{
    for (u64 i = 0; i < run->count; i++) {
        RtSum sum = sum_at(run, i);
        sum.sum.u += v.u; /* it was tried */
        memcpy(run->states + 8 * i, &sum.sum, 8);
    }
}

u32 rt__cells_try(RtWindow *w, PaneKey *key, u32 agg, i64 first, i64 last, RtValue v)
{
    const RtAggInfo *info = &w->info->aggs[agg];
    u32 why = RT_FINE, bytes = cell_bytes(info);
    for (Run run; !why && (run = next_run(w, key, agg, &first, last)).count;) {
        for (u64 i = 0; i < run.count && !why; i++) {
            RtSum sum;
            if (rt_agg_sums(info)) sum = sum_at(&run, i);
            why = rt_agg_try(&w->memory, info,
                             rt_agg_sums(info) ? (void *)&sum : run.states + i * bytes, v);
        }
    }
    return why;
}

void rt__cells_take(RtWindow *w, PaneKey *key, u32 agg, i64 first, i64 last, RtValue v, i64 ns)
{
    const RtAggInfo *info = &w->info->aggs[agg];
    bool sums = info->kind == RT_AGG_SUM || info->kind == RT_AGG_MEAN;
    for (Run run; (run = next_run(w, key, agg, &first, last)).count;) {
        for (u64 i = 0; !sums && i < run.count; i++)
            rt_agg_take(&w->memory, info, run.states + i * cell_bytes(info), v, ns);
        if (sums && rt_agg_sums(info)) add_wholes(&run, v);
        if (sums && !rt_agg_sums(info)) add_floats(run.states, run.count, v.d);
    }
}

void rt__cells_read(const RtWindow *w, Slot *head)
{
    i64 first = piece_first(w, head->number);
    Cells *piece = w->cell_bytes ? find(rt__pane_key(head), first) : NULL;
    for (u32 a = 0; piece && a < w->info->agg_count; a++) {
        const RtAggInfo *agg = &w->info->aggs[a];
        u32 bytes = agg->each ? cell_bytes(agg) : 0;
        memcpy((char *)head->aggregates + agg->offset,
               states_of(w, piece, a) + (u64)(head->number - first) * bytes, bytes);
    }
}

static void release(RtWindow *w, Cells *piece)
{
    for (u32 a = 0; a < w->info->agg_count; a++) {
        const RtAggInfo *agg = &w->info->aggs[a];
        if (!agg->each || agg->kind != RT_AGG_LIST) continue; /* all else holds nothing outside */
        char *states = states_of(w, piece, a);
        for (u32 i = 0; i < w->cells; i++)
            rt_agg_release(&w->memory, agg, states + (u64)i * cell_bytes(agg));
    }
    rt_pool_put(&w->memory.pool, piece, w->cell_bytes);
}

void rt__cells_before(RtWindow *w, PaneKey *key, i64 number)
{
    for (Cells **p = &key->cells; *p;) {
        Cells *piece = *p;
        if (piece->first > number || (u64)number - (u64)piece->first < w->cells) {
            p = &piece->next;
        } else {
            *p = piece->next;
            release(w, piece);
        }
    }
}

/* u32 pieces, each: i64 first, then its states as agg.c saves them. */
void rt__cells_save(const RtWindow *w, const PaneKey *key, Buf *out)
{
    u32 count = 0;
    for (const Cells *c = key->cells; c; c = c->next) count++;
    buf_add(out, &count, 4);
    for (Cells *c = key->cells; c; c = c->next) {
        buf_add(out, &c->first, 8);
        for (u32 a = 0; a < w->info->agg_count; a++) {
            u32 bytes = cell_bytes(&w->info->aggs[a]);
            const char *states = states_of(w, c, a);
            for (u32 i = 0; w->info->aggs[a].each && i < w->cells; i++)
                rt_agg_save(&w->info->aggs[a], states + (u64)i * bytes, bytes, out);
        }
    }
}

int rt__cells_load(RtWindow *w, PaneKey *key, Str *bytes)
{
    u32 count;
    i64 first;
    if (!rt_take(bytes, &count, 4)) return 0;
    while (count--) {
        if (!rt_take(bytes, &first, 8) || piece_first(w, first) != first || find(key, first) ||
            !w->cell_bytes)
            return 0;
        Cells *piece = make(w, key, first);
        if (!piece) return 0;
        for (u32 a = 0; a < w->info->agg_count; a++) {
            u32 size = cell_bytes(&w->info->aggs[a]);
            char *states = states_of(w, piece, a);
            for (u32 i = 0; w->info->aggs[a].each && i < w->cells; i++)
                if (!rt_agg_load(&w->memory, &w->info->aggs[a], states + (u64)i * size, size,
                                 bytes))
                    return 0;
        }
    }
    return 1;
}
