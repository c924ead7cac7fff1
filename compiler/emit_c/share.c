/* compiler/emit_c/share.c: one decoder for pipelines that read the same source
 * (compiler/pass/share.c).
 *
 * The loop is that of feed.c, but a decoded record is handed to stage 0 of each pipeline in turn.
 * The first that takes part is the decoder's: its room holds the texts, its counters and samples
 * are those of the layouts. A record that has anything wrong with it for the union of the fields is
 * read again by each pipeline for itself. */
#include "compiler/emit_c/emit_int.h"

#include "compiler/layout/layout.h"

#include <inttypes.h>

/* Stage 0 of each pipeline, not inlined here a second time for every way to it; and a record read
 * by the pipeline alone. */
static void takers(Emit *e, const IrShare *share)
{
    for (uint32_t i = 0; i < share->count; i++) {
        uint32_t n = share->pipelines[i];
        const IrPipeline *p = &e->ir->pipelines[n];
        const IrSource *s = &p->sources[0];
        uint32_t leaves = p->stages[0].leaf_count ? p->stages[0].leaf_count : 1;
        emit_f(e,
               "static __attribute__((noinline)) void take_%" PRIu32
               "(RtPipe *pipe, const RtValue *v, const u8 *h)\n"
               "{\n    stage_%" PRIu32 "_0(pipe, v, h, 0);\n}\n",
               n, n);
        emit_f(e,
               "static __attribute__((noinline, cold)) void alone_%" PRIu32
               "(RtPipe *pipe, const char *p, const char *stop)\n{\n"
               "    RtValue v[%" PRIu32 "] = {0};\n    u8 h[%" PRIu32 "] = {0};\n"
               "    RtScan scan = {.value = v, .has = h",
               n, leaves, leaves);
        if (p->filter && s->check == CHECK_LAZY) emit_f(e, ", .keeps = keeps_%" PRIu32, n);
        emit_f(e,
               "};\n    pipe->n.in++;\n"
               "    if (rt->scan(pipe, &schema_in_%" PRIu32 "_0_0, %d, %d, p, stop, &scan)) {\n"
               "        rt->error(pipe, %" PRIu32 ", scan.reason, scan.path, 0);\n"
               "        return;\n    }\n    rt->missed(pipe);\n    take_%" PRIu32
               "(pipe, v, h);\n}\n",
               n, (int)s->check, s->unknown == UNKNOWN_REJECT, s->node, n);
    }
}

static void begin(Emit *e, const IrShare *share)
{
    uint32_t leaves = e->leaf_count ? e->leaf_count : 1;
    emit_f(e,
           "static void shared_%" PRIu32 "(RtPipe *const *pipes, const RtBatch *batch)\n{\n"
           "    enum { pipe_count = %" PRIu32 " };\n"
           "    const char *p = batch->bytes, *end = p ? p + batch->len : p;\n"
           "    const RtRecord *record = batch->records, *const last = record ? record + "
           "batch->count : record;\n"
           "    const u32 lines = p != 0;\n    u32 misses = 0, first = 0;\n"
           "    RtValue v[%" PRIu32 "], wide[%" PRIu32 "];\n    u8 h[%" PRIu32 "], there[%" PRIu32
           "];\n    u64 bet[%" PRIu32 "] = {0};\n",
           e->index, share->count, leaves, leaves, leaves, leaves, e->bets + 1);
    emit_f(e,
           "    for (u32 i = 0; i < pipe_count; i++) {\n        RtPipe *at = pipes[i];\n"
           "        if (!at) continue;\n"
           "        at->received_ns = batch->received_ns; at->ack = 0;\n"
           "        at->topic = batch->topic; at->topic_len = batch->topic_len;\n"
           "        at->key_len = at->headers_len = 0;\n"
           "    }\n"
           "    for (u32 i = 0; i < %" PRIu32 "; i++) h[i] = 0, v[i].u = 0;\n",
           leaves);
    emit_f(e,
           "    for (;;) {\n        const char *next, *stop;\n"
           "        while (first < pipe_count && (!pipes[first] || pipes[first]->stopped)) "
           "first++;\n"
           "        if (first == pipe_count) return;\n"
           "        RtPipe *const pipe = pipes[first];\n"
           "        if (!lines) {\n            if (record == last) return;\n"
           "            p = record->ptr; end = p + record->len;\n"
           "            for (u32 i = first; i < pipe_count; i++) {\n"
           "                RtPipe *at = pipes[i];\n                if (!at) continue;\n"
           "                at->received_ns = record->received_ns; at->ack = record->ack;\n"
           "                at->topic = record->topic; at->topic_len = record->topic_len;\n"
           "                at->key = record->key; at->key_len = record->key_len;\n"
           "                at->headers = record->headers; at->headers_len = record->headers_len;\n"
           "            }\n            record++;\n"
           "        } else if (p >= end) return;\n"
           "        u64 raw_len, twice = 0;\n        u32 why = 0;\n"
           "        pipe->scratch_len = 0;\n        pipe->raw = p;\n");
}

static void learnt(Emit *e, uint32_t layouts, bool lazy)
{
    emit_try_layouts(e, layouts);
    if (lazy)
        emit_f(e,
               "            if (lines) next = rt_steady(next, rt_line_end(next, end), &bet[%" PRIu32
               "]);\n            else next = end;\n"
               "            raw_len = (u64)(next - p) - (next[-1] == '\\r');\n"
               "            stop = next++;\n",
               e->bets);
    else
        emit_f(e, "            raw_len = (u64)(next - p);\n            stop = next;\n"
                  "            next += 1 + (RT_RARE(*next == '\\r') ? 1 : 0);\n");
    emit_f(e, "            misses = 0;\n            pipe->raw_len = raw_len;\n"
              "            pipe->n.learnt++;\n"
              "            if (RT_RARE(pipe->n.learnt %% RT_FITTED_EVERY == 0)) rt->fitted(pipe);\n"
              "        } else {\n");
}

/* With `check lazy` a key that comes twice behind what one pipeline needs is none of its business.
 */
static void any_order(Emit *e, const IrSource *s)
{
    emit_f(e, "        stop = lines ? rt_line_end(p, end) : end;\n        next = stop + 1;\n"
              "        if (lines) {\n            const char *q = p;\n"
              "            while (q < stop && (*q == ' ' || *q == '\\t' || *q == '\\r')) q++;\n"
              "            if (q == stop) { p = next; continue; } /* blank line */\n        }\n"
              "        raw_len = (u64)(stop - p) - (stop > p && stop[-1] == '\\r');\n"
              "        pipe->raw_len = raw_len;\n"
              "        RtScan scan = {.value = wide, .has = there};\n"
              "        twice = pipe->n.duplicate_keys;\n");
    emit_f(e,
           "        why = (u32)rt->scan(pipe, &schema_in_%" PRIu32
           "_0_0, %d, %d, p, stop, &scan);\n"
           "        twice = pipe->n.duplicate_keys - twice;\n"
           "        pipe->n.duplicate_keys -= twice;\n",
           e->index, (int)s->check, s->unknown == UNKNOWN_REJECT);
    if (s->check == CHECK_LAZY) emit_f(e, "        if (twice) why = RT_BAD_JSON;\n");
    for (uint32_t i = 0; i < e->leaf_count; i++)
        if (e->needed[i])
            emit_f(e,
                   "        v[%" PRIu32 "] = wide[%" PRIu32 "]; h[%" PRIu32 "] = there[%" PRIu32
                   "];\n",
                   i, i, i, i);
    emit_f(e, "        misses++;\n        if (!why) rt->missed(pipe);\n        }\n");
}

static void hand_on(Emit *e, const IrShare *share)
{
    for (uint32_t i = 0; i < share->count; i++) {
        uint32_t n = share->pipelines[i];
        emit_f(e,
               "        { RtPipe *at = pipes[%" PRIu32 "];\n"
               "        if (at && !at->stopped) {\n"
               "            at->raw = p; at->raw_len = raw_len;\n"
               "            if (why || at != pipe) at->scratch_len = 0;\n"
               "            if (RT_RARE(why)) alone_%" PRIu32 "(at, p, stop);\n"
               "            else {\n                at->n.in++;\n"
               "                at->n.shared += at != pipe;\n"
               "                at->n.duplicate_keys += twice;\n"
               "                take_%" PRIu32 "(at, v, h);\n            }\n        } }\n",
               i, n, n);
    }
    emit_f(e, "        p = next;\n    }\n}\n");
}

static void one(Emit *e, uint32_t number, const Str *samples)
{
    const IrShare *share = &e->ir->shares[number];
    IrPipeline common = e->ir->pipelines[share->pipelines[0]];
    common.filter = NULL; /* one drops what another one wants */
    e->pipeline = &common;
    e->index = e->ir->pipeline_count + number;
    emit_f(e, "\n/* ==== a decoder for %" PRIu32 " pipelines ==== */\n", share->count);
    takers(e, share);
    if (!emit_group(e, 0)) return;
    memcpy(e->needed, share->needed, e->leaf_count * sizeof *e->needed);
    emit_in_schema(e, 0, common.in_schema);
    e->bets = 0;
    uint32_t layouts = emit_layouts(e, samples ? samples[share->pipelines[0]] : STR_NONE);
    begin(e, share);
    if (layouts)
        learnt(e, layouts, common.sources[0].check == CHECK_LAZY);
    else
        emit_f(e, "        {\n");
    any_order(e, &common.sources[0]);
    hand_on(e, share);
}

void emit_shares(Emit *e, const Str *samples)
{
    for (uint32_t i = 0; i < e->ir->share_count && !e->failed; i++) one(e, i, samples);
    emit_f(e, "static const RtShare shares[] = {\n");
    for (uint32_t i = 0; i < e->ir->share_count; i++) {
        const IrShare *share = &e->ir->shares[i];
        emit_f(e, "    {(const u32[]){");
        for (uint32_t k = 0; k < share->count; k++)
            emit_f(e, "%s%" PRIu32, k ? ", " : "", share->pipelines[k]);
        emit_f(e, "}, %" PRIu32 ", shared_%" PRIu32 "},\n", share->count,
               e->ir->pipeline_count + i);
    }
    emit_f(e, "    {0}};\n");
}
