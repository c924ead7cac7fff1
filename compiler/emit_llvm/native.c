/* compiler/emit_llvm/native.c: what JIT code calls in the plug-in: the slow ways of reading a
 * value, and the loop over a batch, as feed() in emit_c/emit.c. */
#include "compiler/emit_llvm/native.h"

#include "compiler/emit_llvm/loop.h"
#include "compiler/ir/ir.h"
#include "flow/hot.h"

#include <string.h>

/* The usual case needs no frame when the other one is a call in tail position. */
#define SELDOM __attribute__((noinline, cold)) static

const char *native_text_end(const RtApi *rt, const char *p, const char *end)
{
    const char *q = rt_plain(p);
    return RT_RARE(!q) ? rt->pass_text(p, end) : q;
}

SELDOM const char *slow_text(const RtApi *rt, RtPipe *pipe, const char *p, const char *end,
                             RtValue *v, u32 bytes_max)
{
    const char *q = rt->text(pipe, p, end, v);
    return q && bytes_max && v->s.n > bytes_max ? NULL : q;
}

const char *native_text(const RtApi *rt, RtPipe *pipe, const char *p, const char *end, RtValue *v,
                        u32 bytes_max)
{
    const char *q = rt_plain(p);
    if (RT_RARE(!q)) return slow_text(rt, pipe, p, end, v, bytes_max);
    v->s.p = p;
    v->s.n = (u64)(q - p);
    return RT_RARE(bytes_max && v->s.n > bytes_max) ? NULL : q;
}

SELDOM const char *slow_time(const RtApi *rt, RtPipe *pipe, const char *p, const char *end,
                             RtValue *v)
{
    const char *q = rt->pass_text(p, end);
    return q && rt->time(&pipe->day, p, (u64)(q - p), &v->i) ? q : NULL;
}

/* 24 bytes in front of a quote may be read whatever the text is: RT_PAD_BYTES. */
const char *native_time(const RtApi *rt, RtPipe *pipe, const char *p, const char *end, RtValue *v)
{
    return RT_RARE(!rt_time24(&pipe->day, p, &v->i)) ? slow_time(rt, pipe, p, end, v) : p + 24;
}

const char *native_pass_number(const RtApi *rt, const char *p, const char *end)
{
    const char *q = rt_pass_number(p);
    return RT_RARE(!q) ? rt->pass_number(p, end) : q;
}

const char *native_plus_number(const RtApi *rt, const char *p, const char *end)
{
    const char *q = rt_plus_number(p);
    return RT_RARE(!q) ? rt->pass_number(p, end) : q;
}

SELDOM const char *slow_f64(const RtApi *rt, const char *p, const char *end, RtValue *v)
{
    const char *q = rt->number(p, end, &v->d);
    return q && v->d - v->d == 0 ? q : NULL;
}

const char *native_f64(const RtApi *rt, const char *p, const char *end, RtValue *v)
{
    const char *q = rt_short_f64(p, &v->d);
    return RT_RARE(!q) ? slow_f64(rt, p, end, v) : q;
}

const char *native_plus_f64(const RtApi *rt, const char *p, const char *end, RtValue *v)
{
    const char *q = rt_plus_f64(p, &v->d);
    return RT_RARE(!q) ? slow_f64(rt, p, end, v) : q;
}

const char *native_i64(const RtApi *rt, const char *p, const char *end, RtValue *v)
{
    const char *q = rt_short_int(p, &v->i);
    if (RT_RARE(!q || *q == '.' || *q == 'e' || *q == 'E')) return rt->integer(p, end, &v->i);
    return q;
}

const char *native_plus_i64(const RtApi *rt, const char *p, const char *end, RtValue *v)
{
    const char *q = rt_plus_int(p, &v->i);
    if (RT_RARE(!q || *q == '.' || *q == 'e' || *q == 'E')) return rt->integer(p, end, &v->i);
    return q;
}

const char *native_decimal(const RtApi *rt, const char *p, const char *end, RtValue *v, u32 scale,
                           u32 cut)
{
    u32 why = 0;
    const char *q = rt->decimal(p, end, scale, (int)cut, &v->i, &why);
    return why ? NULL : q;
}

const char *native_opaque(const RtApi *rt, const char *p, const char *end, u32 depth)
{
    return rt->skip(p, rt_line_end(p, end), depth);
}

const char *native_line_end(const char *p, const char *end)
{
    return rt_line_end(p, end);
}

char *native_put_string(const RtApi *rt, char *w, const char *p, u64 n)
{
    return rt_put_plain(rt, w, p, n);
}

/* ---- the loop over a batch ---- */

static void batch_begins(RtPipe *pipe, const RtBatch *batch)
{
    pipe->received_ns = batch->received_ns;
    pipe->ack = 0;
    pipe->topic = batch->topic;
    pipe->topic_len = batch->topic_len;
    pipe->key_len = pipe->headers_len = 0;
}

static void room_begins(const JitFeed *with, RtValue *v, u8 *h, u64 *bet)
{
    memset(h, 0, with->leaves);
    memset(v, 0, with->leaves * sizeof *v);
    memset(bet, 0, (with->bets + 1) * sizeof *bet);
}

void native_start(RtPipe *pipe, const RtBatch *batch, const JitFeed *with, RtValue *v, u8 *h,
                  u64 *bet)
{
    batch_begins(pipe, batch);
    room_begins(with, v, h, bet);
}

static bool blank(const char *p, const char *stop)
{
    while (p < stop && (*p == ' ' || *p == '\t' || *p == '\r')) p++;
    return p == stop;
}

u32 native_any_order(const RtApi *rt, RtPipe *pipe, const JitFeed *with, const char *p,
                     const char *end, u32 lines, RtValue *v, u8 *h, const char **ret_next)
{
    const char *stop = lines ? rt_line_end(p, end) : end;
    const RtSourceInfo *from = &pipe->info->sources[pipe->source];
    const u32 check = with->mixed ? from->check : with->check,
              reject = with->mixed ? from->reject : with->reject;
    RtScan scan = {.value = v, .has = h, .keeps = with->keeps};
    int why;
    *ret_next = stop + 1;
    if (lines && blank(p, stop)) return false;
    bool bytes = with->format >= (u32)FORMAT_MSGPACK;
    pipe->raw_len = (u64)(stop - p) - (!bytes && stop > p && stop[-1] == '\r');
    if (with->format == FORMAT_CSV)
        why = rt->scan_csv(pipe, with->schema, p, stop, &scan);
    else if (with->format == FORMAT_TEXT)
        why = rt->scan_text(pipe, with->schema, p, stop, &scan);
    else if (with->format == FORMAT_RAW)
        why = rt->scan_raw(pipe, with->schema, p, stop, &scan);
    else if (bytes)
        why = rt->scan_bytes(pipe, with->format, with->schema, check, reject, p, stop, &scan);
    else
        why = rt->scan(pipe, with->schema, check, reject, p, stop, &scan);
    if (why < 0) return false; /* the header of a CSV file */
    pipe->n.in++;
    if (why)
        rt->error(pipe, with->node, scan.reason, scan.path, NULL);
    else if (with->learns && !from->differs)
        rt->missed(pipe);
    return !why;
}

static Loop loop_of(const JitFeed *with)
{
    return (Loop){.learnt = {with->learnt[0], with->learnt[1], with->learnt[2], with->learnt[3]},
                  .stage = with->stage,
                  .layouts = with->layouts,
                  .bets = with->bets,
                  .lazy = with->check == RT_CHECK_LAZY};
}

void native_feed(const RtApi *rt, RtPipe *pipe, const RtBatch *batch, const JitFeed *with,
                 RtValue *v, u8 *h, u64 *bet)
{
    Loop loop = loop_of(with);
    loop_feed(rt, pipe, batch, with, &loop, v, h, bet);
}

/* ---- the same for pipelines that share a decoder ---- */

void native_shared_start(RtPipe *const *pipes, const RtBatch *batch, const JitShare *with,
                         RtValue *v, u8 *h, u64 *bet)
{
    for (u32 i = 0; i < with->count; i++)
        if (pipes[i]) batch_begins(pipes[i], batch);
    room_begins(&with->feed, v, h, bet);
}

u32 native_shared_first(RtPipe *const *pipes, const JitShare *with, u32 first)
{
    while (first < with->count && (!pipes[first] || pipes[first]->stopped)) first++;
    return first;
}

void native_shared_meta(RtPipe *const *pipes, const JitShare *with, u32 first,
                        const RtRecord *record)
{
    for (u32 i = first; i < with->count; i++)
        if (pipes[i]) loop_meta(pipes[i], record);
}

/* The record at hand of another pipeline is that of this one too. */
static void same_record(RtPipe *pipe, const RtPipe *of)
{
    pipe->raw = of->raw;
    pipe->raw_len = of->raw_len;
}

void native_shared_take(RtPipe *const *pipes, const JitShare *with, u32 first, const RtValue *v,
                        const u8 *h, u64 twice)
{
    const RtPipe *const lead = pipes[first];
    for (u32 i = first; i < with->count; i++) {
        RtPipe *at = pipes[i];
        if (!at || at->stopped) continue;
        if (at != lead) {
            same_record(at, lead);
            at->scratch_len = 0;
            at->n.shared++;
        }
        at->n.in++;
        at->n.duplicate_keys += twice;
        with->takers[i].stage(at, v, h, 0);
    }
}

/* Read by each pipeline for itself. */
static void each_alone(const RtApi *rt, RtPipe *const *pipes, const JitShare *with, u32 first,
                       const char *p, const char *stop, RtValue *v, u8 *h)
{
    const JitFeed *feed = &with->feed;
    for (u32 i = first; i < with->count; i++) {
        RtPipe *at = pipes[i];
        const JitTaker *taker = &with->takers[i];
        if (!at || at->stopped) continue;
        RtScan scan = {.value = v, .has = h, .keeps = taker->keeps};
        memset(h, 0, feed->leaves);
        memset(v, 0, feed->leaves * sizeof *v);
        same_record(at, pipes[first]);
        at->scratch_len = 0;
        at->n.in++;
        if (rt->scan(at, taker->schema, feed->check, feed->reject, p, stop, &scan)) {
            rt->error(at, taker->node, scan.reason, scan.path, NULL);
            continue;
        }
        rt->missed(at);
        taker->stage(at, v, h, 0);
    }
}

/* With `check lazy` a key that comes twice behind what one pipeline needs is none of its business.
 */
u32 native_shared_any_order(const RtApi *rt, RtPipe *const *pipes, const JitShare *with, u32 first,
                            const char *p, const char *end, u32 lines, RtValue *v, u8 *h,
                            RtValue *own_v, u8 *own_h, const char **ret_next)
{
    const JitFeed *feed = &with->feed;
    RtPipe *lead = pipes[first];
    const char *stop = lines ? rt_line_end(p, end) : end;
    RtScan scan = {.value = v, .has = h};
    *ret_next = stop + 1;
    if (lines && blank(p, stop)) return false;
    lead->raw_len = (u64)(stop - p) - (stop > p && stop[-1] == '\r');
    u64 twice = lead->n.duplicate_keys;
    int why = rt->scan(lead, feed->schema, feed->check, feed->reject, p, stop, &scan);
    twice = lead->n.duplicate_keys - twice;
    lead->n.duplicate_keys -= twice;
    if (why || (twice && feed->check == RT_CHECK_LAZY)) {
        each_alone(rt, pipes, with, first, p, stop, own_v, own_h);
        return true;
    }
    rt->missed(lead);
    native_shared_take(pipes, with, first, v, h, twice);
    return true;
}

void native_shared_feed(const RtApi *rt, RtPipe *const *pipes, const RtBatch *batch,
                        const JitShare *with, RtValue *v, u8 *h, RtValue *own_v, u8 *own_h,
                        u64 *bet)
{
    Loop loop = loop_of(&with->feed);
    loop_shared_feed(rt, pipes, batch, with, &loop, v, h, own_v, own_h, bet);
}
