/* runtime/modules/engine/pipe.c: the life of one pipeline, as the main loop sees it.
 *
 * States: stopped -> running -> draining -> stopped, or failed. A run (engine.h) is made here,
 * lives on the shard from COMMAND_RUN on, and comes back with the command's answer to be freed, so
 * that programs are closed only when no thread is inside them. Stopping first lets the queue run
 * empty: what was accepted is finished. */
#include "modules/engine/engine.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

static char *text_copy(Str text)
{
    char *copy = mem_alloc(text.len + 1);
    if (copy) {
        memcpy(copy, text.ptr ? text.ptr : "", text.len);
        copy[text.len] = 0;
    }
    return copy;
}

Status engine__pipe_new(Engine *engine, Str name, Str file, EngPipe **ret_pipe)
{
    if (engine->pipe_count >= ENGINE_PIPES_MAX) {
        return ST_LIMIT;
    }
    EngPipe *pipe = mem_zalloc(1, sizeof(*pipe));
    if (!pipe) {
        return ST_NO_MEMORY;
    }
    pipe->engine = engine;
    pipe->name = text_copy(name);
    pipe->file = text_copy(file);
    pipe->shard = engine->shards[engine->next_shard++ % engine->shard_count];
    pipe->since_ms = clock_wall_ns() / NS_PER_MS;
    bool lock = !uv_mutex_init(&pipe->live_lock), second = !uv_mutex_init(&pipe->journal.lock);
    engine__journal_init(&pipe->journal);
    bool third = !engine__places_init(&pipe->places);
    if (!pipe->name || !pipe->file || !lock || !second || !third ||
        engine__queue_init(&pipe->queue)) {
        mem_free(pipe->name);
        mem_free(pipe->file);
        if (lock) {
            uv_mutex_destroy(&pipe->live_lock);
        }
        if (second) {
            uv_mutex_destroy(&pipe->journal.lock);
        }
        if (third) {
            engine__places_done(&pipe->places);
        }
        mem_free(pipe);
        return ST_NO_MEMORY;
    }
    *ret_pipe = pipe;
    return ST_OK;
}

static void log_left(const EngPipe *pipe, const EngOut *out)
{
    uint32_t rows = 0;
    for (uint32_t i = 0; i < out->part_count; i++) {
        rows += out->parts[i].count - out->parts[i].next;
    }
    if (rows) {
        log_warn(pipe->engine->env->log, "engine", "rows were not delivered before the end",
                 "pipeline=%s rows=%u acknowledged=no", pipe->name, rows);
    }
}

/* Batches whose sinks still answer keep themselves alive (out.c, orphan). */
static void leave_outs(EngPipe *pipe)
{
    for (EngOut *out = pipe->out_first, *next; out; out = next) {
        next = out->next;
        bool waiting = false;
        for (uint32_t i = 0; i < out->part_count; i++) {
            loop_once_stop(&out->parts[i].retry);
            waiting |= out->parts[i].waiting > 0;
        }
        out->pipe = NULL;
        log_left(pipe, out);
        if (!waiting) {
            engine__out_free(out);
        }
    }
    pipe->out_first = pipe->out_last = NULL;
}

void engine__pipe_free(EngPipe *pipe)
{
    if (!pipe) {
        return;
    }
    engine__shard_stop(pipe->own);
    engine__sources_close_all(pipe);
    engine__sources_trim(pipe, !pipe->engine->closing);
    engine__carriers_close(pipe);
    leave_outs(pipe);
    engine__hooks_end(pipe);
    while (pipe->held_first) { /* the shard is gone */
        EngOut *out = pipe->held_first;
        pipe->held_first = out->next;
        log_left(pipe, out);
        engine__out_free(out);
    }
    engine__local_close(pipe);
    loop_timer_stop(pipe->drain_timer);
    engine__run_free(pipe->run);
    engine__version_unref(pipe->version);
    for (uint32_t i = 0; i < pipe->live.wire_count; i++) {
        mem_free(pipe->live.wires[i].tap);
    }
    mem_free(pipe->live.wires);
    mem_free(pipe->live.sample);
    if (pipe->stuck) {
        engine__queue_give(&pipe->queue, pipe->stuck);
    }
    engine__queue_done(&pipe->queue);
    engine__journal_done(&pipe->journal);
    engine__places_done(&pipe->places);
    uv_mutex_destroy(&pipe->journal.lock);
    uv_mutex_destroy(&pipe->live_lock);
    mem_free(pipe->name);
    mem_free(pipe->file);
    mem_free(pipe);
}

EngPipe *engine__pipe_find(Engine *engine, Str name)
{
    for (uint32_t i = 0; i < engine->pipe_count; i++) {
        if (str_eq(str_from(engine->pipes[i]->name), name)) {
            return engine->pipes[i];
        }
    }
    return NULL;
}

static void set_state(EngPipe *pipe, EngState state, const char *subject)
{
    pipe->state = state;
    pipe->since_ms = clock_wall_ns() / NS_PER_MS;
    if (subject) {
        engine__event(pipe->engine, subject, pipe);
    }
}

static void command_send(EngPipe *pipe, EngCommandKind kind, EngRun *run)
{
    EngCommand *command = mem_zalloc(1, sizeof(*command));
    if (!command) {
        engine__run_free(run);
        return;
    }
    *command = (EngCommand){.kind = kind, .pipe = pipe, .run = run};
    pipe->commands++;
    if (loop_post(pipe->shard->loop, engine__shard_run, command)) {
        abort(); /* a million posts wait: the shard is dead */
    }
}

/* Waiting for answers would hold the other pipelines of a shard. Without a thread more it does. */
static void own_thread(EngPipe *pipe, const RtPipelineInfo *info)
{
    bool asks = false;
    for (uint32_t i = 0; i < info->mem_count; i++) {
        asks |= info->mems[i].kind == RT_MEM_ASK;
    }
    if (asks && !pipe->own && !pipe->commands && !engine__shard_start(pipe->engine, &pipe->own)) {
        pipe->shard = pipe->own;
    }
}

void engine__pipe_run(EngPipe *pipe, EngRun *run)
{
    Diag diag = {0};
    bool fresh = pipe->state != ENGINE_RUNNING;
    Status st = engine__sources_plan(pipe, run, &diag);
    if (!st && fresh) {
        own_thread(pipe, run->info);
        pipe->queue.closed = false;
        atomic_store(&pipe->halting, false);
        st = engine__sources_start(pipe, run, &diag);
    }
    if (st) {
        engine__run_free(run);
        engine__pipe_fail(pipe, diag.text);
        return;
    }
    pipe->error[0] = 0;
    command_send(pipe, COMMAND_RUN, run);
    if (fresh) {
        set_state(pipe, ENGINE_RUNNING, "engine.started");
    }
}

/* ---- stopping ---- */

static void on_drained(void *ctx)
{
    EngPipe *pipe = ctx;
    bool empty = engine__queue_empty(&pipe->queue) && atomic_load(&pipe->flight) == 0;
    int64_t age_ms = clock_wall_ns() / NS_PER_MS - pipe->since_ms;
    if (!empty && age_ms < ENGINE_DRAIN_MS && age_ms >= 0) {
        return;
    }
    loop_timer_stop(pipe->drain_timer);
    pipe->drain_timer = NULL;
    atomic_store(&pipe->halting, true);
    command_send(pipe, COMMAND_STOP, NULL);
}

static void idle(EngPipe *pipe)
{
    void (*on_idle)(EngPipe *) = pipe->on_idle;
    pipe->on_idle = NULL;
    if (on_idle) {
        on_idle(pipe);
    }
}

void engine__pipe_stop(EngPipe *pipe, void (*on_idle)(EngPipe *pipe))
{
    pipe->on_idle = on_idle;
    if (pipe->state == ENGINE_DRAINING) {
        return;
    }
    if (pipe->state != ENGINE_RUNNING && !pipe->commands && !pipe->drain_timer) {
        idle(pipe);
        return;
    }
    if (pipe->state != ENGINE_RUNNING) {
        return; /* it is on its way there */
    }
    engine__sources_close_all(pipe);
    set_state(pipe, ENGINE_DRAINING, NULL);
    if (loop_timer_start(pipe->engine->env->loop, 0, 5, on_drained, pipe, &pipe->drain_timer)) {
        atomic_store(&pipe->halting, true);
        command_send(pipe, COMMAND_STOP, NULL);
    }
}

void engine__pipe_fail(EngPipe *pipe, const char *text)
{
    (void)snprintf(pipe->error, sizeof(pipe->error), "%s", text);
    log_warn(pipe->engine->env->log, "engine", "pipeline failed", "pipeline=%s reason=%s",
             pipe->name, text);
    if (pipe->state == ENGINE_RUNNING) {
        engine__pipe_stop(pipe, NULL);
    } else if (pipe->state != ENGINE_DRAINING) {
        set_state(pipe, ENGINE_FAILED, "engine.failed");
    }
}

static void on_settled(void *ctx)
{
    EngPipe *pipe = ctx;
    int64_t age_ms = clock_wall_ns() / NS_PER_MS - pipe->since_ms;
    if (pipe->out_first && age_ms < ENGINE_SETTLE_MS && age_ms >= 0) {
        return;
    }
    loop_timer_stop(pipe->drain_timer);
    pipe->drain_timer = NULL;
    idle(pipe);
}

/* The shard has done what it was told; what it hands back is freed here. */
void engine__pipe_answer(void *ctx)
{
    EngCommand *command = ctx;
    EngPipe *pipe = command->pipe;
    Engine *engine = pipe->engine;
    pipe->commands--;
    engine__run_free(command->run);
    if (command->kind == COMMAND_RUN) {
        if (command->dropped) {
            log_warn(pipe->engine->env->log, "engine", "windows of the old version were dropped",
                     "pipeline=%s windows=%u", pipe->name, command->dropped);
        }
        Diag diag = {0};
        engine__sources_trim(pipe, true);
        if (pipe->state == ENGINE_RUNNING && engine__sources_start(pipe, NULL, &diag)) {
            engine__pipe_fail(pipe, diag.text);
        }
        engine__tables_go(pipe);
    } else if (command->kind == COMMAND_STOP) {
        engine__sources_trim(pipe, !pipe->engine->closing);
        engine__hooks_end(pipe);
        command_send(pipe, COMMAND_FENCE, NULL);
        bool failed = pipe->error[0] != 0;
        set_state(pipe, failed ? ENGINE_FAILED : ENGINE_STOPPED,
                  failed ? "engine.failed" : "engine.stopped");
    }
    bool quiet = command->kind == COMMAND_FENCE;
    mem_free(command);
    engine__deployed_look(engine);
    engine__deploy_go_on(engine);
    if (!quiet) {
        return;
    }
    /* What the shard could not write is on its way to the dead-letter table now. */
    if (!pipe->out_first ||
        loop_timer_start(engine->env->loop, 0, 5, on_settled, pipe, &pipe->drain_timer)) {
        idle(pipe);
    }
}

void engine__pipe_stopped_itself(void *ctx)
{
    EngPipe *pipe = ctx;
    if (pipe->state == ENGINE_RUNNING) {
        engine__pipe_fail(pipe, "stopped by its own rule: too many records failed (stop above)");
    }
}

/* All bounded sources have ended: nothing more will come. It is not started again by a restart,
 * because it would read its files a second time. */
void engine__pipe_ended(void *ctx)
{
    EngPipe *pipe = ctx;
    if (pipe->state == ENGINE_RUNNING) {
        pipe->wanted = false;
        engine__store_wanted(pipe);
        engine__pipe_stop(pipe, NULL);
    }
}
