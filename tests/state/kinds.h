/* tests/state/kinds.h: pipelines that between them have every kind of state, on the interpreter.
 *
 * For what looks at saved states: test_state.c, and the fuzz target of their reader. */
#ifndef TUTTI_TESTS_STATE_KINDS_H
#define TUTTI_TESTS_STATE_KINDS_H

#include "base/mem.h"
#include "compiler/compile.h"
#include "compiler/interp/interp.h"
#include "flow/instance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* No enum is here: that a saved one is one of its names is held by the hash of the file only
 * (modules/engine/state_file.c). One pipeline a kind, so that each can be filled and damaged by
 * itself. */
static const char kinds_text[] =
    "type R = { ts: time, k: string(12), s: string(20), f: f64, i: i64, d: decimal(2) }\n"
    "type Order = { k: string(12), name: string(12), n: [i32; 3] }\n"
    "pipeline tumble { from stdin as json R time ts order 1s window tumble 1h by k { n = coun"
    "t() m = mean(f) lo = min(s) fi = first(s) q = quantile(f, 0.5) di = distinct(s, within 5"
    "%) l = list(s, 3) sd = stddev(f) tw = time_weighted(f) ds = sum(d) ra = rate(f) } into s"
    "tdout on error into dead }\n"
    "pipeline hop { from stdin as json R time ts order 1s window hop 1h every 30m by k { n = "
    "count() la = last(s) } into stdout on error into dead }\n"
    "pipeline session { from stdin as json R time ts order 1s window session gap 1h by k { n "
    "= count() l = list(f, 3) } into stdout on error into dead }\n"
    "pipeline counts { from stdin as json R window count 100000 by k { n = count() s2 = sum(i"
    ") } into stdout on error into dead }\n"
    "pipeline clocks { from stdin as json R time ts order 1s clock by k window tumble 1h by k"
    " { n = count() } into stdout on error into dead }\n"
    "pipeline updates { from stdin as json R time ts order 0s window tumble 1h by k { n = cou"
    "nt() } into historian u key (k, start) on late update on error into dead }\n"
    "pipeline delays { from stdin as json R time ts order 1s delay 1h into stdout on error in"
    "to dead }\n"
    "pipeline memories { from stdin as json R time ts order 1s clock by k let p = prev(s) dl "
    "= delta(i) r = rate(f) em = ema(f, 5s) hy = hysteresis(f, on: 80, off: 75) he = held(f >"
    " 50, 2s) ba = baseline(f, 10s) be = s becomes \"text 1\" into stdout on error into dead "
    "}\n"
    "pipeline dedupes { from stdin as json R time ts order 1s dedupe by k within 1h into stdo"
    "ut on error into dead }\n"
    "pipeline deadbands { from stdin as json R time ts order 1s clock by k deadband(f, 1%) th"
    "rottle 3 per 1s into stdout on error into dead }\n"
    "pipeline joins { from stdin as json R join last mqtt \"o\" as json Order on order.k == k"
    " else null into stdout on error into dead }\n"
    "pipeline csvs { from stdin as csv { k: string(12), f: f64 } window count 100000 by k { n"
    " = count() } into stdout on error into dead stop above 50% in 1h }\n";

typedef struct Kinds {
    Arena *arena;
    FlowProgram *program;
    const RtProgram *table;
} Kinds;

static void kinds_open(Kinds *kinds)
{
    SourceSet sources;
    DiagList diags;
    Source *source;
    IrProgram *ir = NULL;
    Diag diag = {0};
    kinds->arena = arena_new(0, (size_t)256 << 20);
    source_set_init(&sources, kinds->arena);
    CompileOptions options = {.diag = &diag};
    Status st = source_add(&sources, STR("kinds.tutti"), str_from(kinds_text), &source, &diag);
    diag_list_init(&diags, kinds->arena, &sources);
    if (!st) st = compile_source(kinds->arena, source, &diags, &options, &ir);
    if (!st && !ir) (void)fprintf(stderr, "%.*s\n", STR_ARG(diags.first->message));
    if (!st && ir) st = interp_program(ir, kinds->arena, &kinds->table, &diag);
    if (st || !ir || flow_program_static(kinds->table, &kinds->program, &diag)) {
        (void)fprintf(stderr, "kinds.h: %s\n", diag.text);
        abort();
    }
}

static void kinds_close(Kinds *kinds)
{
    flow_program_free(kinds->program);
    arena_free(kinds->arena);
}

static FlowInstance *kinds_new(const Kinds *kinds, uint32_t index, const FlowLimits *limits)
{
    FlowInstance *instance = NULL;
    Diag diag = {0};
    if (flow_instance_new(kinds->program, index, limits, NULL, &instance, &diag)) abort();
    return instance;
}

/* Records `from` to `to`, each with a key of its own (one key for all: keys = 1). */
static void kinds_feed(FlowInstance *instance, uint32_t from, uint32_t to, uint32_t keys)
{
    const RtPipelineInfo *info = flow_info(instance);
    bool csv = strcmp(info->name, "csvs") == 0, join = info->join_count > 0;
    for (uint32_t n = from; n < to; n++) {
        char line[400 + RT_PAD_BYTES] = "";
        int len;
        if (csv)
            len = snprintf(line, 400, n ? "k%u,%u.5" : "k,f", n % keys, n % 50);
        else if (join && n % 2 == 0)
            len = snprintf(line, 400, "{\"k\":\"k%u\",\"name\":\"o%u\",\"n\":[1,%u]}", n % keys, n,
                           n);
        else
            len = snprintf(line, 400,
                           "{\"ts\":\"2026-11-23T10:00:%02u.%03uZ\",\"k\":\"k%u\",\"s\":\"text "
                           "%u\",\"f\":%u.5,\"i\":%u,\"d\":%u.25}",
                           n / 1000 % 60, n % 1000, n % keys, n % 9, n % 100, n, n % 30);
        RtRecord record = {.ptr = line, .len = (uint32_t)len, .received_ns = 1795428000000000000};
        RtBatch batch = {.source = join && n % 2 == 0 ? 1 : 0,
                         .records = &record,
                         .count = 1,
                         .received_ns = record.received_ns};
        flow_feed(instance, &batch);
    }
}

#endif
