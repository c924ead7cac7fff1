/* runtime/modules/engine/numbers.c: what a shard tells about its pipelines, four times a second.
 *
 * Counters, rates and the last rows of wires that somebody watches go into EngPipe.live, from where
 * live.c answers on main. */
#include "modules/engine/engine.h"

#include "base/clock.h"
#include "base/mem.h"

void engine__watch_wires(EngPipe *pipe, EngRun *run)
{
    bool on = atomic_load(&pipe->watchers) > 0;
    for (uint32_t i = 0; i < run->info->wire_count; i++) {
        flow_watch(run->instance, i, on);
    }
}

static void copy_wire(EngRun *run, EngWireLive *live, uint32_t wire, double span_s, int64_t now)
{
    uint64_t count = flow_wire_count(run->instance, wire);
    if (span_s > 0) {
        live->rate = (double)(count - run->wire_before[wire]) / span_s;
        run->wire_before[wire] = count;
    }
    live->count = count + run->wire_base[wire];
    uint64_t taps = live->tap_count;
    Str tap = flow_tap(run->instance, wire, &taps);
    if (!tap.len || taps == live->tap_count) {
        return;
    }
    if (!live->tap) {
        live->tap = mem_alloc(ENGINE_TAP_BYTES);
    }
    if (live->tap) {
        live->tap_len = (uint32_t)(tap.len < ENGINE_TAP_BYTES ? tap.len : ENGINE_TAP_BYTES);
        memcpy(live->tap, tap.ptr, live->tap_len);
        live->tap_count = taps;
        live->tap_ns = now;
    }
}

void engine__publish_numbers(EngPipe *pipe, int64_t now_ns)
{
    EngRun *run = pipe->run;
    int64_t mono = clock_monotonic_ns();
    double span_s = (double)(mono - pipe->tick_ns) / 1e9;
    bool whole_second = !pipe->tick_ns || span_s >= 0.95;
    RtCounters n = pipe->before;
    engine__add_counters(&n, flow_counters(run->instance));
    uv_mutex_lock(&pipe->live_lock);
    EngLive *live = &pipe->live;
    if (whole_second && pipe->tick_ns) {
        live->in_rate = (double)(n.in - live->n.in) / span_s;
        live->error_rate =
            (double)(n.errors + n.row_errors - live->n.errors - live->n.row_errors) / span_s;
        live->out_rate =
            (double)(n.emitted + n.row_emitted - live->n.emitted - live->n.row_emitted) / span_s;
    }
    for (uint32_t i = 0; i < live->wire_count && i < run->info->wire_count; i++) {
        copy_wire(run, &live->wires[i], i, whole_second && pipe->tick_ns ? span_s : 0, now_ns);
    }
    if (whole_second) {
        live->n = n;
        live->layouts = run->info->layout_count;
    }
    uv_mutex_unlock(&pipe->live_lock);
    if (whole_second) {
        pipe->tick_ns = mono;
        engine__learn_look(pipe, &n);
    }
}
