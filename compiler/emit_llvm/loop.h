/* compiler/emit_llvm/loop.h: the loop over a batch of lines or records, as emit_c/feed.c writes it.
 *
 * Twice in use: native.c compiles it once, for quick code, which it calls; bitcode/ops.c hands it
 * to the JIT, which inlines decoders and stage into it. Only the contract's types may be used here.
 */
#ifndef TUTTI_COMPILER_EMIT_LLVM_LOOP_H
#define TUTTI_COMPILER_EMIT_LLVM_LOOP_H

#include "compiler/emit_llvm/native.h"
#include "flow/hot.h"

/* What differs between the two: here constants of the place where the loop is inlined. */
typedef struct Loop {
    JitLearnt *learnt[RT_LAYOUTS];
    JitStage *stage;
    u32 layouts, bets, lazy;
} Loop;

/* Takes the meta data of a record that is not part of a text. */
RT_INLINE void loop_meta(RtPipe *pipe, const RtRecord *record)
{
    pipe->received_ns = record->received_ns;
    pipe->ack = record->ack;
    pipe->topic = record->topic;
    pipe->topic_len = record->topic_len;
    pipe->key = record->key;
    pipe->key_len = record->key_len;
    pipe->headers = record->headers;
    pipe->headers_len = record->headers_len;
}

/* Behind the last byte looked at, or NULL: no layout fits. */
RT_INLINE const char *loop_learnt(RtPipe *pipe, const Loop *with, const char *p, const char *end,
                                  u32 lines, RtValue *v, u8 *h, u64 *bet)
{
    const char *next;
    if (with->layouts == 1) {
        next = with->learnt[0](pipe, p, end, lines, v, h, bet);
        if (next) pipe->n.layout[0]++;
        return next;
    }
    for (u32 turn = 0; turn < with->layouts; turn++) {
        u32 which = pipe->layout[turn];
        if (which == 0)
            next = with->learnt[0](pipe, p, end, lines, v, h, bet);
        else if (which == 1)
            next = with->learnt[1](pipe, p, end, lines, v, h, bet);
        else if (with->layouts > 2 && which == 2)
            next = with->learnt[2](pipe, p, end, lines, v, h, bet);
        else
            next = with->layouts > 3 ? with->learnt[3](pipe, p, end, lines, v, h, bet) : 0;
        if (!next) continue;
        rt_layout_hit(pipe, turn);
        return next;
    }
    return 0;
}

/* Sets raw_len of a learnt record; returns where the next one begins. */
RT_INLINE const char *loop_behind(const RtApi *rt, RtPipe *pipe, const Loop *with, const char *p,
                                  const char *next, const char *end, u64 *bet, u32 lines)
{
    const char *behind = next + 1;
    if (with->lazy) {
        next = lines ? rt_steady(next, rt_line_end(next, end), &bet[with->bets]) : end;
        pipe->raw_len = (u64)(next - p) - (next[-1] == '\r');
        behind = next + 1;
    } else {
        pipe->raw_len = (u64)(next - p);
        behind += RT_RARE(*next == '\r') ? 1 : 0;
    }
    pipe->n.learnt++;
    if (RT_RARE(pipe->n.learnt % RT_FITTED_EVERY == 0)) rt->fitted(pipe);
    return behind;
}

RT_INLINE void loop_feed(const RtApi *rt, RtPipe *pipe, const RtBatch *batch, const JitFeed *feed,
                         const Loop *with, RtValue *v, u8 *h, u64 *bet)
{
    const char *p = batch->bytes, *end = p ? p + batch->len : p;
    const RtRecord *record = batch->records, *const last = record ? record + batch->count : record;
    const u32 lines = p != 0, source = batch->source;
    const u32 differs = feed->mixed && pipe->info->sources[source].differs;
    u32 misses = 0; /* where all records of a batch miss, not each one is tried */
    native_start(pipe, batch, feed, v, h, bet);
    while (!pipe->stopped) {
        if (!lines) {
            if (record == last) return;
            p = record->ptr;
            end = p + record->len;
            loop_meta(pipe, record++);
        } else if (p >= end) {
            return;
        }
        pipe->scratch_len = 0;
        pipe->raw = p;
        const char *next = 0, *behind;
        if (!differs && RT_LIKELY(misses < 32 || misses % 16 == 0))
            next = loop_learnt(pipe, with, p, end, lines, v, h, bet);
        if (RT_RARE(!next)) {
            u32 read = native_any_order(rt, pipe, feed, p, end, lines, v, h, &behind);
            p = behind;
            if (!read) continue;
            misses += feed->learns;
        } else {
            misses = 0;
            pipe->n.in++;
            p = loop_behind(rt, pipe, with, p, next, end, bet, lines);
        }
        with->stage(pipe, v, h, source);
    }
}

/* The same for pipelines that share a decoder, as emit_c/share.c writes it. */
RT_INLINE void loop_shared_feed(const RtApi *rt, RtPipe *const *pipes, const RtBatch *batch,
                                const JitShare *share, const Loop *with, RtValue *v, u8 *h,
                                RtValue *own_v, u8 *own_h, u64 *bet)
{
    const char *p = batch->bytes, *end = p ? p + batch->len : p;
    const RtRecord *record = batch->records, *const last = record ? record + batch->count : record;
    const u32 lines = p != 0;
    u32 misses = 0, first = 0;
    native_shared_start(pipes, batch, share, v, h, bet);
    for (;;) {
        if (first == share->count || !pipes[first] || pipes[first]->stopped) {
            first = native_shared_first(pipes, share, first);
            if (first == share->count) return;
        }
        RtPipe *const pipe = pipes[first];
        if (!lines) {
            if (record == last) return;
            p = record->ptr;
            end = p + record->len;
            native_shared_meta(pipes, share, first, record++);
        } else if (p >= end) {
            return;
        }
        pipe->scratch_len = 0;
        pipe->raw = p;
        const char *next = 0, *behind;
        if (RT_LIKELY(misses < 32 || misses % 16 == 0))
            next = loop_learnt(pipe, with, p, end, lines, v, h, bet);
        if (RT_RARE(!next)) {
            misses += native_shared_any_order(rt, pipes, share, first, p, end, lines, v, h, own_v,
                                              own_h, &behind);
        } else {
            misses = 0;
            behind = loop_behind(rt, pipe, with, p, next, end, bet, lines);
            native_shared_take(pipes, share, first, v, h, 0);
        }
        p = behind;
    }
}

#endif
