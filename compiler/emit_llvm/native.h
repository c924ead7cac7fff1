/* compiler/emit_llvm/native.h: native functions of the plug-in that JIT code calls.
 *
 * The list NATIVE names them all: they are the symbols a module may leave open besides a few of the
 * C library. Included by bitcode/ops.c too, so only the contract's types may be used here. Readers
 * return the place behind the value, or NULL: the learnt layout does not fit. */
#ifndef TUTTI_COMPILER_EMIT_LLVM_NATIVE_H
#define TUTTI_COMPILER_EMIT_LLVM_NATIVE_H

#include "flow/abi.h"

typedef const char *JitLearnt(RtPipe *pipe, const char *p, const char *end, u32 lines, RtValue *v,
                              u8 *h, u64 *bet);

typedef u32 JitKeeps(RtPipe *pipe, const RtValue *v, const u8 *h);
typedef void JitStage(RtPipe *pipe, const RtValue *v, const u8 *h, u32 source);

/* What the loop over a batch needs of one source. */
typedef struct JitFeed {
    JitLearnt *learnt[RT_LAYOUTS];
    JitStage *stage;
    JitKeeps *keeps; /* `check lazy` */
    const RtSchema *schema;
    u32 layouts, bets, leaves;
    u32 learns; /* a server may learn layouts of what fits none */
    u32 format; /* IrFormat */
    u32 check, reject, node;
    u32 mixed; /* some source of the group has its own check or reject */
} JitFeed;

/* One of the pipelines that share a decoder. */
typedef struct JitTaker {
    JitStage *stage;
    JitKeeps *keeps; /* `check lazy` */
    const RtSchema *schema;
    u32 node;
} JitTaker;

/* What their loop needs: `feed` is the decoder's, without stage and keeps. */
typedef struct JitShare {
    JitFeed feed;
    const JitTaker *takers;
    u32 count;
} JitShare;

#define NATIVE(X)                                                                                  \
    X(native_text_end)                                                                             \
    X(native_text)                                                                                 \
    X(native_time)                                                                                 \
    X(native_pass_number)                                                                          \
    X(native_plus_number)                                                                          \
    X(native_f64)                                                                                  \
    X(native_plus_f64)                                                                             \
    X(native_i64)                                                                                  \
    X(native_plus_i64)                                                                             \
    X(native_decimal)                                                                              \
    X(native_opaque)                                                                               \
    X(native_line_end)                                                                             \
    X(native_put_string)                                                                           \
    X(native_start)                                                                                \
    X(native_any_order)                                                                            \
    X(native_feed)                                                                                 \
    X(native_shared_start)                                                                         \
    X(native_shared_first)                                                                         \
    X(native_shared_meta)                                                                          \
    X(native_shared_take)                                                                          \
    X(native_shared_any_order)                                                                     \
    X(native_shared_feed)

const char *native_text_end(const RtApi *rt, const char *p, const char *end);
const char *native_text(const RtApi *rt, RtPipe *pipe, const char *p, const char *end, RtValue *v,
                        u32 bytes_max);
const char *native_time(const RtApi *rt, RtPipe *pipe, const char *p, const char *end, RtValue *v);
const char *native_pass_number(const RtApi *rt, const char *p, const char *end);
const char *native_plus_number(const RtApi *rt, const char *p, const char *end);
const char *native_f64(const RtApi *rt, const char *p, const char *end, RtValue *v);
const char *native_plus_f64(const RtApi *rt, const char *p, const char *end, RtValue *v);
const char *native_i64(const RtApi *rt, const char *p, const char *end, RtValue *v);
const char *native_plus_i64(const RtApi *rt, const char *p, const char *end, RtValue *v);
const char *native_decimal(const RtApi *rt, const char *p, const char *end, RtValue *v, u32 scale,
                           u32 cut);
const char *native_opaque(const RtApi *rt, const char *p, const char *end, u32 depth);
const char *native_line_end(const char *p, const char *end);
/* A text into a JSON string; room: 6 n + 16. */
char *native_put_string(const RtApi *rt, char *w, const char *p, u64 n);
/* The loop over a batch (loop.h): before the first record; a record that fits no learnt layout
 * (false: there is none, or it failed), *ret_next: where the next one begins; and all of it. v and
 * h have room for all leaves, bet for all bets and one more. */
void native_start(RtPipe *pipe, const RtBatch *batch, const JitFeed *with, RtValue *v, u8 *h,
                  u64 *bet);
u32 native_any_order(const RtApi *rt, RtPipe *pipe, const JitFeed *with, const char *p,
                     const char *end, u32 lines, RtValue *v, u8 *h, const char **ret_next);
void native_feed(const RtApi *rt, RtPipe *pipe, const RtBatch *batch, const JitFeed *with,
                 RtValue *v, u8 *h, u64 *bet);

/* ---- of pipelines that share a decoder; `first`: number of the one whose room it uses ---- */

void native_shared_start(RtPipe *const *pipes, const RtBatch *batch, const JitShare *with,
                         RtValue *v, u8 *h, u64 *bet);
/* The first from `first` on that takes part, or `with->count`. */
u32 native_shared_first(RtPipe *const *pipes, const JitShare *with, u32 first);
void native_shared_meta(RtPipe *const *pipes, const JitShare *with, u32 first,
                        const RtRecord *record);
/* The record that `first` holds, decoded, through all. `twice`: keys of it that come twice. */
void native_shared_take(RtPipe *const *pipes, const JitShare *with, u32 first, const RtValue *v,
                        const u8 *h, u64 twice);
/* A record that fits no learnt layout, read and handed on; one with anything wrong is read again by
 * each pipeline, into `own_v` and `own_h`. False: there is none. */
u32 native_shared_any_order(const RtApi *rt, RtPipe *const *pipes, const JitShare *with, u32 first,
                            const char *p, const char *end, u32 lines, RtValue *v, u8 *h,
                            RtValue *own_v, u8 *own_h, const char **ret_next);
void native_shared_feed(const RtApi *rt, RtPipe *const *pipes, const RtBatch *batch,
                        const JitShare *with, RtValue *v, u8 *h, RtValue *own_v, u8 *own_h,
                        u64 *bet);

#endif
