/* runtime/flow/asking.h: records that wait for an answer, while later ones are asked about.
 *
 * An `ask` cuts a stage in two. The first half hands the row and the values of its question over
 * (rt_ask takes the values, rt_each the row); the second half runs when the answer is there, and
 * may hand over to the next question. All of that happens inside one feed: when it returns nobody
 * waits any more, so acknowledgements, saved state, a new version and a stop know nothing of it.
 *
 * Without `unordered` nobody can tell that questions overlap: second halves run in the order of
 * the records, each with the watermark as it was for its record, and an error record waits until
 * all that came before its record is done. Windows behind a question have a time of their own: they
 * go on with the records that come out of it, or (rt_asking_tick) in their order; windows before it
 * wait for nobody. */
#ifndef TUTTI_FLOW_ASKING_H
#define TUTTI_FLOW_ASKING_H

#include "flow/abi.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct RtAsking RtAsking;

RtAsking *rt_asking_new(RtPipe *pipe); /* NULL: out of memory */
void rt_asking_free(RtAsking *asking);
/* The stage is the second half of an `ask`: takes the row. 0: it is not. */
int rt_asking_take(RtPipe *pipe, u32 stage, RtValue list, const RtValue *v, const u8 *h, u32 row);
/* Everything that waits behind the code at hand is run now; it came before its record. */
void rt_asking_finish(RtPipe *pipe);
/* The record at hand fails after it was handed over: its second half, which has run, does not
 * count. */
void rt_asking_failed(RtPipe *pipe);

/* ---- windows behind `asks` questions ---- */

/* Nobody waits between the code at hand and such a window, which is behind it. */
bool rt_asking_clear(const RtPipe *pipe, u32 asks);
bool rt_asking_behind(const RtPipe *pipe, u32 asks);
/* Time went on (lane 0: the pipeline's, else a clock's) where somebody waits in front of a window:
 * it is told when its turn comes. */
void rt_asking_tick(RtPipe *pipe, u32 lane, i64 watermark_ns, i64 highest_ns);
/* Somebody waits, and a window behind would see each step of the pipeline's time. */
bool rt_asking_all_steps(const RtPipe *pipe);
/* Latest event time of a clock as it was for the record at hand. */
i64 rt_asking_highest(const RtPipe *pipe, u32 lane);

/* ---- turns: one record, or one row, in one piece of code ---- */

enum { RT_ENDS = offsetof(RtCounters, bytes_in) / sizeof(u64) };

/* What it hands over may be counted before it fails; then it was counted once too often. */
typedef struct RtTurn {
    struct RtTurn *outer;
    u64 record;   /* number of what was handed over; 0: nothing was */
    u64 *outcome; /* where that was counted; NULL: not yet */
    u64 began[RT_ENDS];
    u64 own[RT_ENDS]; /* the same, and what others were counted as meanwhile */
} RtTurn;

/* Around rows that are made on the way, in a pipeline that asks; rt_turn_next in front of another.
 */
void rt_turn_begin(RtPipe *pipe, RtTurn *turn);
void rt_turn_next(RtTurn *turn);
void rt_turn_end(RtPipe *pipe, const RtTurn *turn);

#endif
