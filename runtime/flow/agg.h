/* runtime/flow/agg.h: aggregates: values into a state, a state to its result, two states to one.
 *
 * The states of the classical ones (abi.h) are also written by generated code, with the inline
 * functions of hot.h that agg.c uses too: the bytes are the same either way. */
#ifndef TUTTI_FLOW_AGG_H
#define TUTTI_FLOW_AGG_H

#include "base/buf.h"
#include "base/str.h"
#include "flow/pool.h"

/* Memory of the aggregates of one window. */
typedef struct RtAggMemory {
    RtPipe *pipe;
    u32 window;
    RtPool pool;              /* sets, lists and their texts */
    RtChunk *free_chunks[16]; /* of sketches, by bits */
    u8 beyond;                /* may pass the limit of state: for one result */
} RtAggMemory;

void rt_agg_memory_done(RtAggMemory *memory);

/* A record is in all aggregates of all its windows or in none, so a value goes in by two steps.
 * RT_FINE, or why the record fails; nothing is counted yet, but there is room for it. */
u32 rt_agg_try(RtAggMemory *memory, const RtAggInfo *agg, void *state, RtValue value);
/* It is a sum of whole numbers, whose state is an RtSum. */
static inline int rt_agg_sums(const RtAggInfo *agg)
{
    return (agg->kind == RT_AGG_SUM && agg->type != RT_F64 && agg->type != RT_F32) ||
           (agg->kind == RT_AGG_MEAN && agg->type == RT_DECIMAL);
}
/* Adding to it can fail; where it cannot there is nothing to try. */
static inline int rt_agg_can_fail(const RtAggInfo *agg)
{
    return rt_agg_sums(agg) || agg->kind == RT_AGG_QUANTILE || agg->kind == RT_AGG_DISTINCT ||
           agg->kind == RT_AGG_LIST;
}
/* The value of a record of `ns` that was tried. */
void rt_agg_take(RtAggMemory *memory, const RtAggInfo *agg, void *state, RtValue value, i64 ns);
/* The result of a window that ends at `end_ns`; *ret_has = 0: none. Slices live in the state. */
void rt_agg_value(const RtAggInfo *agg, void *state, i64 end_ns, RtValue *ret, u8 *ret_has);
/* `from`, of later records, into `into`; `from` is empty then. A sum must fit: rt_agg_fits. */
void rt_agg_merge(RtAggMemory *memory, const RtAggInfo *agg, void *into, void *from);
/* Panes of hop windows: aggregates whose bytes are the same however records are grouped, but for
 * sketches. `number` is the record's among all; of a RtPick, `n` is then that of the one it holds.
 */
void rt_agg_share(RtAggMemory *memory, const RtAggInfo *agg, void *state, RtValue value, i64 ns,
                  u64 number);
/* A pane into a window, the pane stays as it is. 0: no room. */
int rt_agg_join(RtAggMemory *memory, const RtAggInfo *agg, void *into, const void *from);
/* The total of all fits, whatever that of some of them does. */
int rt_agg_fits(const RtAggInfo *agg, const RtSum *const *sums, u32 count);
/* Gives back what the state holds beside its own bytes. */
void rt_agg_release(RtAggMemory *memory, const RtAggInfo *agg, void *state);
/* True when it counts towards any value and needs no input (count(), the revision). */
static inline int rt_agg_counts(const RtAggInfo *agg)
{
    return agg->kind == RT_AGG_COUNT || agg->kind == RT_AGG_REVISION;
}

/* `bytes` of state lie in the slot. Loading fills an empty state; 0: damaged, or it does not fit.
 */
void rt_agg_save(const RtAggInfo *agg, const void *state, u32 bytes, Buf *out);
int rt_agg_load(RtAggMemory *memory, const RtAggInfo *agg, void *state, u32 bytes, Str *from);

/* sketch.c. The list is full: room for one more at least; 0: there is none. */
u32 rt_sketch_room(RtAggMemory *memory, RtSketch *sketch, u32 bits);
u32 rt_sketch_add(RtAggMemory *memory, RtSketch *sketch, RtValue v, u32 bits); /* 0: no room */
static inline u64 rt_sketch_n(const RtSketch *sketch)
{
    return sketch->n + sketch->used;
}
/* NULL: no room. */
RtChunk *rt_sketch_chunk(RtAggMemory *memory, RtSketch *sketch, u32 octave, u32 bits);
void rt_sketch_release(RtAggMemory *memory, RtSketch *sketch, u32 bits);
int rt_sketch_merge(RtAggMemory *memory, RtSketch *into, RtSketch *from, u32 bits);
/* Value at rank ceil(p * n), within 1 / (2 << bits); the caller has n > 0. */
f64 rt_sketch_quantile(RtSketch *sketch, f64 p, u32 bits);
/* Room for a value in a pane and its whole; 0: there is none. */
int rt_sketch_share_room(RtAggMemory *memory, RtSketch *pane, RtSketch *whole, RtValue value,
                         u32 bits);
/* It goes into the pane, and into the whole when the pane is counted in it. */
void rt_sketch_share(RtSketch *pane, RtSketch *whole, int counted, RtValue value, u32 bits);
/* All counts of a pane are added to its whole, or taken away. */
void rt_sketch_count(RtSketch *whole, const RtSketch *pane, int in, u32 bits);
/* A pane that is not counted goes; or one comes that was filled elsewhere (0: no room). */
void rt_sketch_leave(RtAggMemory *memory, RtSketch *whole, const RtSketch *pane, u32 bits);
int rt_sketch_enter(RtAggMemory *memory, RtSketch *whole, const RtSketch *pane, u32 bits);
void rt_sketch_save(const RtSketch *sketch, u32 bits, Buf *out);
int rt_sketch_load(RtAggMemory *memory, RtSketch *sketch, u32 bits, Str *from);

/* distinct.c: 0: no room. */
int rt_set_room(RtAggMemory *memory, RtSet *set, u8 type, RtValue value, u32 bits); /* for one */
int rt_set_add(RtAggMemory *memory, RtSet *set, u8 type, RtValue value, u32 bits);
int rt_set_merge(RtAggMemory *memory, RtSet *into, const RtSet *from, u32 bits);
u64 rt_set_count(const RtSet *set, u32 bits);
void rt_set_release(RtAggMemory *memory, RtSet *set, u32 bits);
void rt_set_save(const RtSet *set, u32 bits, Buf *out);
int rt_set_load(RtAggMemory *memory, RtSet *set, u32 bits, Str *from);

/* Takes n bytes off the front; 0: there are less. */
int rt_take(Str *bytes, void *to, u64 n);

#endif
