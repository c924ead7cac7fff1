/* tests/layout/pair.h: one record, read by the learnt layouts and in any order: the same outcome?
 *
 * Both instances run the same generated code (learnt.tutti with the shapes of learnt.ndjson); a
 * space in front of the record, which no learnt layout has, makes it be read in any order. Behind
 * the record stands text that would go on with it, so that a reader that runs over the end is seen
 * to. */
#ifndef TUTTI_TESTS_LAYOUT_PAIR_H
#define TUTTI_TESTS_LAYOUT_PAIR_H

#include "base/mem.h"
#include "flow/instance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAIR_PIPELINES = 5, PAIR_BYTES_MAX = 4096 };

extern const RtProgram tutti_program;

typedef struct Pair {
    FlowInstance *learnt, *any;
    const char *name;
} Pair;

typedef struct Pairs {
    FlowProgram *program;
    Pair list[PAIR_PIPELINES];
} Pairs;

static void pairs_open(Pairs *pairs)
{
    Diag diag;
    if (flow_program_static(&tutti_program, &pairs->program, &diag)) abort();
    for (uint32_t i = 0; i < PAIR_PIPELINES; i++) {
        Pair *pair = &pairs->list[i];
        pair->name = tutti_program.pipelines[i].name;
        if (flow_instance_new(pairs->program, i, NULL, NULL, &pair->learnt, &diag) ||
            flow_instance_new(pairs->program, i, NULL, NULL, &pair->any, &diag))
            abort();
    }
}

static void pairs_close(Pairs *pairs)
{
    for (uint32_t i = 0; i < PAIR_PIPELINES; i++) {
        flow_instance_free(pairs->list[i].learnt);
        flow_instance_free(pairs->list[i].any);
    }
    flow_program_free(pairs->program);
}

/* Feeds one record, as such or as a line, in a block of exactly its size and the padding. */
static void pair_feed(FlowInstance *to, const char *front, const char *record, size_t n, bool line)
{
    static const char after[] = "\":1,\"i\":7,\"t\":\"2026-11-23T10:00:00.000Z\",\"s\":\"x\"}0.5e";
    size_t start = strlen(front), whole = start + n;
    char *text = malloc(whole + RT_PAD_BYTES);
    if (!text) abort();
    memcpy(text, front, start);
    if (n) memcpy(text + start, record, n);
    text[whole] = line ? '\n' : '\0';
    for (size_t i = 1; i < RT_PAD_BYTES; i++) text[whole + i] = after[(i - 1) % (sizeof after - 1)];
    RtRecord one = {.ptr = text, .len = (uint32_t)whole, .topic = "t", .topic_len = 1, .key = ""};
    RtBatch batch = {.received_ns = 1000, .topic = "t", .topic_len = 1};
    if (line) {
        batch.bytes = text;
        batch.len = whole + 1;
    } else {
        batch.records = &one;
        batch.count = 1;
        one.received_ns = 1000;
    }
    flow_feed(to, &batch);
    free(text);
}

/* Error records without the record itself, which has a space more. */
static Str pair_row(const FlowInstance *in, uint32_t sink)
{
    const RtOut *out = flow_out(in, sink);
    Str text = str_slice(out->bytes ? out->bytes : "", out->len);
    ptrdiff_t raw = sink == 1 ? str_find(text, STR("\"raw\":")) : -1;
    return raw < 0 ? text : str_slice(text.ptr, (size_t)raw);
}

static bool pair_same(const Pair *pair, const RtCounters *a0, const RtCounters *b0)
{
    const RtCounters *a = flow_counters(pair->learnt), *b = flow_counters(pair->any);
    return a->in - a0->in == b->in - b0->in &&
           a->emitted - a0->emitted == b->emitted - b0->emitted &&
           a->filtered - a0->filtered == b->filtered - b0->filtered &&
           a->errors - a0->errors == b->errors - b0->errors &&
           str_eq(pair_row(pair->learnt, 0), pair_row(pair->any, 0)) &&
           str_eq(pair_row(pair->learnt, 1), pair_row(pair->any, 1));
}

/* False when the two ways of reading differ, after saying how. */
static bool pairs_try(Pairs *pairs, const char *record, size_t n)
{
    bool same = true, one_line = !memchr(record, '\n', n);
    for (uint32_t i = 0; i < PAIR_PIPELINES; i++) {
        const Pair *pair = &pairs->list[i];
        for (int line = 0; line <= (one_line ? 1 : 0); line++) {
            RtCounters a0 = *flow_counters(pair->learnt), b0 = *flow_counters(pair->any);
            pair_feed(pair->learnt, "", record, n, line);
            pair_feed(pair->any, " ", record, n, line);
            if (!pair_same(pair, &a0, &b0)) {
                Str a = pair_row(pair->learnt, 0), b = pair_row(pair->any, 0);
                Str c = pair_row(pair->learnt, 1), d = pair_row(pair->any, 1);
                printf("%s%s: %.*s\n  learnt %.*s%.*s\n  any    %.*s%.*s\n", pair->name,
                       line ? " (line)" : "", (int)n, record, STR_ARG(a), STR_ARG(c), STR_ARG(b),
                       STR_ARG(d));
                same = false;
            }
            for (uint32_t sink = 0; sink < 2; sink++) {
                flow_out_clear(pair->learnt, sink);
                flow_out_clear(pair->any, sink);
            }
        }
    }
    return same;
}

#endif
