/* runtime/flow/instance.c: loading programs and running instances of their pipelines.
 *
 * A program is bound once, an instance owns everything that changes. Nothing here is shared between
 * instances, so each may run on its own thread. */
#include "flow/instance.h"

#include "base/mem.h"
#include "flow/asking.h"
#include "flow/clock.h"
#include "flow/join.h"
#include "flow/keys.h"
#include "flow/mem.h"
#include "flow/pipe.h"
#include "flow/table.h"

#include "base/str.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

enum { SOURCE_TEXT_BYTES = 600 };

struct FlowProgram {
    void *library; /* NULL: linked in, or made in memory */
    void (*release)(void *ctx);
    void *ctx;
    const RtProgram *table;
    uint32_t instances;
};

MUST static Status program_new(const RtProgram *table, void *library, FlowProgram **ret_program,
                               Diag *diag)
{
    if (table->abi != RT_ABI)
        return diag_set(diag, ST_UNSUPPORTED,
                        "compiled for another version of the runtime (ABI %u, not %d)", table->abi,
                        RT_ABI);
    FlowProgram *program = mem_zalloc(1, sizeof *program);
    if (!program) return diag_set(diag, ST_NO_MEMORY, "loading a program");
    program->table = table;
    program->library = library;
    table->bind(&rt_api);
    *ret_program = program;
    return ST_OK;
}

Status flow_program_load(const char *path, FlowProgram **ret_program, Diag *diag)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) return diag_set(diag, ST_IO, "%s", dlerror());
    const RtProgram *table = dlsym(library, "tutti_program");
    Status st = table ? program_new(table, library, ret_program, diag)
                      : diag_set(diag, ST_INVALID, "%s is not a compiled Tutti program", path);
    if (st) dlclose(library);
    return st;
}

Status flow_program_static(const RtProgram *table, FlowProgram **ret_program, Diag *diag)
{
    return program_new(table, NULL, ret_program, diag);
}

Status flow_program_made(const RtProgram *table, void (*release)(void *ctx), void *ctx,
                         FlowProgram **ret_program, Diag *diag)
{
    Status st = program_new(table, NULL, ret_program, diag);
    if (st) return st;
    (*ret_program)->release = release;
    (*ret_program)->ctx = ctx;
    return ST_OK;
}

void flow_program_free(FlowProgram *program)
{
    if (!program) return;
    if (program->release) program->release(program->ctx);
    if (program->library) dlclose(program->library);
    mem_free(program);
}

const RtProgram *flow_program_table(const FlowProgram *program)
{
    return program->table;
}

int flow_program_find(const FlowProgram *program, Str name)
{
    for (u32 i = 0; i < program->table->pipeline_count; i++)
        if (str_is(name, program->table->pipelines[i].name)) return (int)i;
    return -1;
}

/* The files this pipeline looks into. */
MUST static Status tables_open(FlowInstance *instance, Diag *diag)
{
    RtPipe *pipe = &instance->pipe;
    const RtProgram *program = instance->program->table;
    Status st = ST_OK;
    for (u32 i = 0; !st && i < pipe->info->table_count; i++) {
        u32 at = pipe->info->tables[i];
        const FlowTable *other = instance->host.tables ? &instance->host.tables[at] : NULL;
        if (other && !other->replaced) other = NULL;
        st = rt_table_new(pipe, &program->tables[at], other, &pipe->tables[at], diag);
    }
    return st;
}

/* A file that cannot be read, or is wrong, leaves the rows as they are; somebody is told. */
static void tables_look(FlowInstance *instance, int64_t wall_ns)
{
    RtPipe *pipe = &instance->pipe;
    if (wall_ns - instance->tables_seen_ns < TABLE_LOOK_NS) return;
    instance->tables_seen_ns = wall_ns;
    instance->problem[0] = 0;
    for (u32 i = 0; i < pipe->info->table_count; i++) {
        Diag diag = {0};
        if (rt_table_look(pipe, pipe->tables[pipe->info->tables[i]], &diag))
            (void)snprintf(instance->problem, sizeof instance->problem, "%s", diag.text);
    }
}

const char *flow_problem(const FlowInstance *instance)
{
    return instance->problem;
}

Status flow_instance_new(FlowProgram *program, uint32_t pipeline, const FlowLimits *limits,
                         const FlowHost *host, FlowInstance **ret_instance, Diag *diag)
{
    if (pipeline >= program->table->pipeline_count)
        return diag_set(diag, ST_NOT_FOUND, "the program has no pipeline number %u", pipeline);
    FlowInstance *instance = mem_zalloc(1, sizeof *instance);
    if (!instance) return diag_set(diag, ST_NO_MEMORY, "a pipeline instance");
    const RtPipelineInfo *info = &program->table->pipelines[pipeline];
    RtPipe *pipe = &instance->pipe;
    instance->program = program;
    instance->index = pipeline;
    if (limits) instance->limits = *limits;
    if (!instance->limits.out_bytes) instance->limits.out_bytes = 1 << 20;
    if (!instance->limits.state_bytes) instance->limits.state_bytes = 256 << 20;
    if (!instance->limits.keys) instance->limits.keys = 1000000;
    if (host) instance->host = *host;
    pipe->host = instance;
    pipe->info = info;
    pipe->watermark_ns = pipe->highest_ns = INT64_MIN;
    pipe->close_ns = INT64_MAX;
    rt_day_begin(&pipe->day);
    for (u8 i = 0; i < RT_LAYOUTS; i++) pipe->layout[i] = i;
    pipe->wires = mem_zalloc(info->wire_count + 1, sizeof *pipe->wires);
    pipe->out = mem_zalloc(info->sink_count + 1, sizeof *pipe->out);
    pipe->windows = mem_zalloc(info->window_count + 1, sizeof(RtWindow *));
    pipe->seen = mem_zalloc(info->window_count + 1, sizeof *pipe->seen);
    pipe->mems = mem_zalloc(info->mem_count + 1, sizeof(RtMem *));
    pipe->joins = mem_zalloc(info->join_count + 1, sizeof(RtJoin *));
    pipe->tables = mem_zalloc(program->table->table_count + 1, sizeof(RtTable *));
    int complete = pipe->joins && pipe->tables && pipe->wires && pipe->out && pipe->windows &&
                   pipe->seen && pipe->mems;
    for (u32 i = 0; complete && i < info->window_count; i++) {
        pipe->windows[i] = rt_window_new(pipe, i, instance->limits.keys);
        complete = pipe->windows[i] != NULL;
    }
    if (complete && info->clock_keys) {
        pipe->clock = rt_clock_new(pipe, instance->limits.keys);
        complete = pipe->clock != NULL;
    }
    for (u32 i = 0; complete && i < info->mem_count; i++) {
        pipe->mems[i] = rt_mem_new(pipe, i, instance->limits.keys);
        complete = pipe->mems[i] != NULL;
    }
    for (u32 i = 0; complete && i < info->join_count; i++) {
        pipe->joins[i] = rt_join_new(pipe, i, instance->limits.keys);
        complete = pipe->joins[i] != NULL;
    }
    for (u32 i = 0; complete && i < info->mem_count; i++) {
        if (!info->mems[i].ask || instance->asking) continue;
        instance->asking = rt_asking_new(pipe);
        complete = instance->asking != NULL;
    }
    if (complete && info->open) complete = (pipe->engine = info->open(pipe)) != NULL;
    if (!complete) {
        program->instances++;
        flow_instance_free(instance);
        return diag_set(diag, ST_NO_MEMORY, "a pipeline instance");
    }
    program->instances++;
    Status st = tables_open(instance, diag);
    if (st) {
        flow_instance_free(instance);
        return st;
    }
    *ret_instance = instance;
    return ST_OK;
}

static void out_free(RtOut *out)
{
    mem_free(out->bytes);
    mem_free(out->aside);
    mem_free(out->rows);
}

void flow_instance_free(FlowInstance *instance)
{
    if (!instance) return;
    RtPipe *pipe = &instance->pipe;
    if (pipe->info->close) pipe->info->close(pipe);
    rt_asking_free(instance->asking);
    buf_done(&instance->answer);
    for (u32 i = 0; pipe->windows && i < pipe->info->window_count; i++)
        rt_window_free(pipe->windows[i]);
    for (u32 i = 0; pipe->mems && i < pipe->info->mem_count; i++) rt_mem_free(pipe->mems[i]);
    for (u32 i = 0; pipe->joins && i < pipe->info->join_count; i++) rt_join_free(pipe->joins[i]);
    for (u32 i = 0; pipe->tables && i < instance->program->table->table_count; i++)
        rt_table_free(pipe->tables[i]);
    rt_clock_free(pipe->clock);
    for (u32 i = 0; pipe->out && i < pipe->info->sink_count; i++) out_free(&pipe->out[i]);
    for (u32 i = 0; pipe->wires && i < pipe->info->wire_count; i++) mem_free(pipe->wires[i].tap);
    for (u32 i = 0; i < instance->retired_count; i++) mem_free(instance->retired[i]);
    out_free(&instance->dead);
    mem_free(pipe->scratch);
    rt_samples_free(instance);
    rt_keys_free(instance);
    mem_free((void *)pipe->windows);
    mem_free(pipe->seen);
    mem_free((void *)pipe->mems);
    mem_free((void *)pipe->joins);
    mem_free((void *)pipe->tables);
    mem_free(pipe->out);
    mem_free(pipe->wires);
    instance->program->instances--;
    mem_free(instance);
}

const RtPipelineInfo *flow_info(const FlowInstance *instance)
{
    return instance->pipe.info;
}

static void batch_done(FlowInstance *instance)
{
    while (instance->retired_count) mem_free(instance->retired[--instance->retired_count]);
    instance->pipe.scratch_len = 0;
}

static void input_done(FlowInstance *instance, int64_t now_ns)
{
    RtPipe *pipe = &instance->pipe;
    if (pipe->info->stop_in_ns && now_ns - instance->span_start_ns >= pipe->info->stop_in_ns)
        rt_stop_check(pipe, 1);
    batch_done(instance);
}

static void input_begins(FlowInstance *instance, const RtBatch *batch)
{
    if (!instance->span_start_ns) instance->span_start_ns = batch->received_ns;
    instance->last_input_ns =
        batch->count ? batch->records[batch->count - 1].received_ns : batch->received_ns;
    instance->pipe.source = batch->source;
    instance->pipe.key = ""; /* lines have none */
    instance->format = flow_format(instance->pipe.info->sources[batch->source].format);
    const RtRecord *last = batch->count ? &batch->records[batch->count - 1] : NULL;
    instance->broken = last && last->broken ? last->ptr : NULL;
}

void flow_feed(FlowInstance *instance, const RtBatch *batch)
{
    RtPipe *pipe = &instance->pipe;
    if (pipe->stopped) return;
    input_begins(instance, batch);
    pipe->info->feed(pipe, batch);
    rt_asking_finish(pipe);
    input_done(instance, instance->last_input_ns);
}

/* Values of a record may be in the room for texts of any of them: that is given back at the end. */
void flow_feed_shared(const RtShare *share, FlowInstance *const *instances, const RtBatch *batch)
{
    RtPipe *pipes[RT_SHARE_MAX] = {0};
    if (share->count > RT_SHARE_MAX) return;
    for (u32 i = 0; i < share->count; i++) {
        if (!instances[i] || instances[i]->pipe.stopped) continue;
        input_begins(instances[i], batch);
        pipes[i] = &instances[i]->pipe;
    }
    share->feed(pipes, batch);
    for (u32 i = 0; i < share->count; i++) {
        if (!pipes[i]) continue;
        rt_asking_finish(pipes[i]);
        input_done(instances[i], instances[i]->last_input_ns);
    }
}

const RtShare *flow_share(const FlowProgram *program, uint32_t pipeline)
{
    const RtProgram *table = flow_program_table(program);
    for (u32 s = 0; s < table->share_count; s++)
        for (u32 i = 0; i < table->shares[s].count; i++)
            if (table->shares[s].pipelines[i] == pipeline && table->shares[s].feed)
                return &table->shares[s];
    return NULL;
}

/* For event time the source stays silent. */
void flow_source_failed(FlowInstance *instance, uint32_t source, Str why, int64_t received_ns)
{
    RtPipe *pipe = &instance->pipe;
    char text[SOURCE_TEXT_BYTES];
    if (pipe->stopped || source >= pipe->info->source_count) return;
    if (!str_utf8_valid(why)) why = STR("the source says nothing readable");
    (void)snprintf(text, sizeof text, "%.*s", STR_ARG(why));
    if (!instance->span_start_ns) instance->span_start_ns = received_ns;
    pipe->n.in++;
    pipe->received_ns = received_ns;
    pipe->raw = "";
    pipe->raw_len = pipe->topic_len = pipe->key_len = pipe->headers_len = 0;
    pipe->ack = 0;
    rt_failed(pipe, pipe->info->sources[source].node, "source_failed", text, NULL);
    input_done(instance, received_ns);
}

static i64 minus_order(const RtPipe *pipe, i64 ns)
{
    i64 mark;
    return __builtin_sub_overflow(ns, pipe->info->order_ns, &mark) ? INT64_MIN : mark;
}

void flow_clock(FlowInstance *instance, int64_t event_ns)
{
    RtPipe *pipe = &instance->pipe;
    pipe->received_ns = event_ns;
    if (event_ns > pipe->highest_ns) pipe->highest_ns = event_ns;
    i64 mark = minus_order(pipe, event_ns);
    if (pipe->clock) {
        rt_clock_set(pipe, event_ns);
    } else {
        if (mark > pipe->watermark_ns) pipe->watermark_ns = mark;
        if (pipe->watermark_ns >= pipe->close_ns) rt_close(pipe);
    }
    rt_close_arrived(pipe, event_ns);
    rt_asking_finish(pipe);
    batch_done(instance);
}

/* A source that has been silent for `idle` lets event time go on. */
static void idle_clock(FlowInstance *instance, i64 wall_ns)
{
    RtPipe *pipe = &instance->pipe;
    const RtPipelineInfo *info = pipe->info;
    i64 silent = wall_ns - instance->last_input_ns;
    if (!info->has_time || !info->idle_ns || pipe->highest_ns == INT64_MIN) return;
    if (pipe->clock) {
        rt_clock_idle(pipe, wall_ns);
    } else if (instance->last_input_ns && silent >= info->idle_ns) {
        i64 mark = minus_order(pipe, pipe->highest_ns + silent);
        if (mark > pipe->watermark_ns) pipe->watermark_ns = mark;
        if (pipe->watermark_ns >= pipe->close_ns) rt_close(pipe);
    }
}

void flow_idle(FlowInstance *instance, int64_t wall_ns)
{
    RtPipe *pipe = &instance->pipe;
    const RtPipelineInfo *info = pipe->info;
    pipe->received_ns = wall_ns;
    if (info->table_count) tables_look(instance, wall_ns);
    if (instance->last_input_ns && info->stop_in_ns &&
        wall_ns - instance->span_start_ns >= info->stop_in_ns)
        rt_stop_check(pipe, 1);
    idle_clock(instance, wall_ns);
    rt_close_arrived(pipe, wall_ns);
    rt_asking_finish(pipe);
    batch_done(instance);
}

void flow_finish(FlowInstance *instance)
{
    RtPipe *pipe = &instance->pipe;
    /* What fails now came with the last record, also when that was before a restart. */
    if (instance->last_input_ns) pipe->received_ns = instance->last_input_ns;
    rt_close_all(pipe);
    rt_asking_finish(pipe);
    rt_stop_check(pipe, 1);
    batch_done(instance);
}

bool flow_stopped(const FlowInstance *instance)
{
    return instance->pipe.stopped;
}

const RtOut *flow_out(const FlowInstance *instance, uint32_t sink)
{
    return &instance->pipe.out[sink];
}

static void out_clear(RtOut *out)
{
    out->len = out->aside_len = out->row_count = 0;
}

void flow_out_clear(FlowInstance *instance, uint32_t sink)
{
    if (sink >= instance->pipe.info->sink_count)
        out_clear(&instance->dead);
    else
        out_clear(&instance->pipe.out[sink]);
}

const RtOut *flow_dead(const FlowInstance *instance)
{
    return &instance->dead;
}

void flow_dead_clear(FlowInstance *instance)
{
    out_clear(&instance->dead);
}

const RtCounters *flow_counters(const FlowInstance *instance)
{
    return &instance->pipe.n;
}

uint64_t flow_wire_count(const FlowInstance *instance, uint32_t wire)
{
    return instance->pipe.wires[wire].count;
}

void flow_watch(FlowInstance *instance, uint32_t wire, bool on)
{
    RtPipe *pipe = &instance->pipe;
    RtWire *at = &pipe->wires[wire];
    if (on && !at->tap) {
        at->tap = mem_alloc(512);
        at->tap_cap = at->tap ? 512 : 0;
    } else if (!on) {
        mem_free(at->tap);
        at->tap = NULL;
        at->tap_cap = at->tap_len = 0;
    }
    pipe->watch = 0;
    for (u32 i = 0; i < pipe->info->wire_count; i++)
        if (pipe->wires[i].tap) pipe->watch |= 1ull << (i & 63);
}

Str flow_tap(const FlowInstance *instance, uint32_t wire, uint64_t *ret_count)
{
    const RtWire *at = &instance->pipe.wires[wire];
    *ret_count = at->tap_count;
    return str_slice(at->tap ? at->tap : "", at->tap_len);
}

uint64_t flow_state_bytes(const FlowInstance *instance)
{
    return instance->state_bytes;
}

uint64_t flow_forgotten(const FlowInstance *instance)
{
    const RtPipe *pipe = &instance->pipe;
    return rt_mem_forgotten(pipe) + rt_join_forgotten(pipe) + rt_clock_forgotten(pipe);
}

int64_t flow_event_time(const FlowInstance *instance)
{
    return instance->pipe.highest_ns;
}
