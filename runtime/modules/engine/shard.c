/* runtime/modules/engine/shard.c: the threads that run pipelines.
 *
 * A shard takes one batch of one pipeline per turn of its loop, so pipelines take turns. Files and
 * standard output are written here, synced once per batch; rows for all other sinks are copied into
 * an EngOut and posted to the main loop. A new version of a pipeline takes over between two
 * batches: what waits in the queue is still worked on by the old one, then state moves by flow_save
 * and flow_load. The queue and the sources do not notice, so nothing is lost or seen twice. */
#include "modules/engine/engine.h"

#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TICK_MS = 250 };

/* ---- one batch ---- */

static void give(EngRun *run);

/* Memory is short: waits for sinks to take something, rather than losing a row. False: stopping. */
static bool wait_for_room(EngPipe *pipe)
{
    engine__queue_pause(&pipe->queue, 20);
    return !atomic_load(&pipe->halting) && !atomic_load(&pipe->engine->closing);
}

static bool has_out(EngRun *run)
{
    return run->out || !engine__out_new(run, &run->out);
}

static void rows_lost(EngPipe *pipe, uint64_t rows)
{
    engine__problem(pipe, ENGINE_PROBLEM_ROWS, "there was no memory for %llu rows; they are lost",
                    (unsigned long long)rows);
}

/* Copies what is in a sink's buffer; a big batch goes on in pieces. */
static void take_sink(EngRun *run, uint32_t sink, const RtOut *rows)
{
    EngPipe *pipe = run->pipe;
    if (!rows->row_count) {
        return;
    }
    while (!has_out(run) || engine__part_take(&run->out->parts[sink], rows)) {
        if (!wait_for_room(pipe)) {
            rows_lost(pipe, rows->row_count);
            return;
        }
    }
    if (run->out->parts[sink].bytes.len < ENGINE_OUT_ROLL) {
        return;
    }
    while (atomic_load(&pipe->flight) >= ENGINE_PIECES_MAX && wait_for_room(pipe)) {
    }
    run->out->chained = run->rolled;
    run->rolled = true;
    give(run);
}

static void take_rows(EngRun *run)
{
    for (uint32_t i = 0; i < run->info->sink_count; i++) {
        take_sink(run, i, flow_out(run->instance, i));
        flow_out_clear(run->instance, i);
    }
    take_sink(run, run->info->sink_count, flow_dead(run->instance));
    flow_dead_clear(run->instance);
}

/* A sink's buffer is full in the middle of a batch; number sink_count is the dead-letter table. */
void engine__rows_full(void *ctx, FlowInstance *instance, uint32_t sink)
{
    EngRun *run = ctx;
    if (run->muted) {
        flow_out_clear(instance, sink);
        return;
    }
    take_sink(run, sink,
              sink < run->info->sink_count ? flow_out(instance, sink) : flow_dead(instance));
    flow_out_clear(instance, sink);
}

/* Keeps the tokens of a batch in its last EngOut; false: no memory, and no time to wait for it. */
static bool take_tokens(EngRun *run, const EngBatch *batch)
{
    EngToken *tokens = NULL;
    if (!batch || !batch->tokens) {
        return has_out(run);
    }
    while (!has_out(run) || !(tokens = mem_zalloc(batch->count, sizeof(EngToken)))) {
        if (!wait_for_room(run->pipe)) {
            return false;
        }
    }
    EngOut *out = run->out;
    out->tokens = tokens;
    for (uint32_t i = 0; i < batch->count; i++) {
        if (batch->items[i].token.kind != TOKEN_NONE) {
            tokens[out->token_count++] = batch->items[i].token;
        }
    }
    return true;
}

static void note_error(EngPipe *pipe, const EngOut *out, const RtPipelineInfo *info)
{
    for (uint32_t i = 0; i < out->part_count; i++) {
        const EngPart *part = &out->parts[i];
        if (!part->count || (i < info->sink_count && !(info->sinks[i].flags & RT_SINK_ERROR))) {
            continue;
        }
        const RtRow *row = &part->rows[part->count - 1];
        (void)snprintf(pipe->live.error, sizeof(pipe->live.error), "%.*s",
                       (int)(row->len < 511 ? row->len : 511), part->bytes.ptr + row->start);
        return;
    }
}

/* ---- from the batch to its sinks ---- */

/* Whether what the batch made can be acknowledged here, without the main loop. */
static bool is_done_here(const EngOut *out)
{
    for (uint32_t i = 0; i < out->part_count; i++) {
        if (out->parts[i].count) {
            return false;
        }
    }
    for (uint32_t i = 0; i < out->token_count; i++) {
        if (out->tokens[i].kind != TOKEN_MQTT) {
            return false;
        }
    }
    return !out->chained && !out->notes.len;
}

/* Rows of a table whose way ends in a file: how far the table was read is written at once, because
 * what a crash leaves between the two comes again. While earlier ones are on their way, it waits.
 */
static void note_rows(EngPipe *pipe, const EngOut *out)
{
    const EngRun *run = pipe->run;
    bool ends_here = run && out->token_count && !out->chained && atomic_load(&pipe->flight) == 1 &&
                     !engine__remembers(run->info);
    for (uint32_t i = 0; i < out->part_count; i++) {
        ends_here = ends_here && !out->parts[i].count;
    }
    const EngToken *token = &out->tokens[out->token_count - (out->token_count > 0)];
    if (!ends_here || !engine__is_row(token) || run->places[token->slot].serial != token->serial) {
        return;
    }
    engine__place_reached(pipe, run->places[token->slot].hash, engine__token_place(token), true);
    (void)!engine__places_write(pipe, false); /* main does it again, and says so */
}

/* Its files are written: acknowledged here, or on to the main loop. */
static void deliver(EngPipe *pipe, EngOut *out)
{
    if (out->token_count && engine__is_row(&out->tokens[0])) {
        note_rows(pipe, out);
    }
    if (is_done_here(out)) {
        engine__journal_mark(pipe, out->seq);
        out->seq = 0;
        for (uint32_t i = 0; i < out->token_count; i++) {
            mqtt_broker_ack(pipe->engine->env->broker, out->tokens[i].value);
        }
        atomic_fetch_sub(&pipe->flight, 1);
        mem_free(out->tokens);
        out->tokens = NULL;
        out->token_count = 0;
        if (pipe->run && !pipe->run->out && pipe->run->version == out->version) {
            pipe->run->out = out; /* as new */
        } else {
            engine__out_free(out);
        }
        return;
    }
    if (loop_post(pipe->engine->env->loop, engine__out_commit, out)) {
        abort(); /* a million posts wait: the main loop is dead */
    }
}

static void hold(EngPipe *pipe, EngOut *out)
{
    out->next = NULL;
    if (pipe->held_last) {
        pipe->held_last->next = out;
    } else {
        pipe->held_first = out;
    }
    pipe->held_last = out;
}

static void on_held(void *ctx);

/* A file that cannot be written (disk full, folder gone) holds its pipeline, better late than lost,
 * and no other: the queue fills and publishers wait until a later try goes through. */
static void try_later(EngPipe *pipe, const char *what, int error)
{
    /* The reader of a pipe that is only slow is no trouble worth a word. */
    if (error != EAGAIN || pipe->held_tries > 50) {
        engine__problem(pipe, ENGINE_PROBLEM_FILE, "cannot write %s: %s", what, strerror(error));
    }
    uint64_t pause_ms = pipe->held_tries < 10 ? 20 : 200;
    pipe->held_tries++;
    loop_once_stop(&pipe->held_timer);
    /* Without memory for it the tick looks. */
    loop_once(pipe->shard->loop, pause_ms, on_held, pipe, &pipe->held_timer);
}

/* False: something is still held. */
static bool write_held(EngPipe *pipe)
{
    while (pipe->held_first) {
        EngOut *out = pipe->held_first;
        const char *what = "";
        int error = engine__local_write(pipe, out, &what);
        if (error) {
            try_later(pipe, what, error);
            return false;
        }
        pipe->held_first = out->next;
        pipe->held_last = pipe->held_first ? pipe->held_last : NULL;
        out->next = NULL;
        deliver(pipe, out);
    }
    if (pipe->held_tries) {
        engine__problem_over(pipe, ENGINE_PROBLEM_FILE);
    }
    pipe->held_tries = 0;
    return true;
}

static void tell_end(EngPipe *pipe)
{
    Loop *main_loop = pipe->engine->env->loop;
    if (pipe->then_stopped) {
        (void)!loop_post(main_loop, engine__pipe_stopped_itself, pipe);
    } else if (pipe->then_ended) {
        (void)!loop_post(main_loop, engine__pipe_ended, pipe);
    }
    pipe->then_stopped = pipe->then_ended = false;
}

static void on_held(void *ctx)
{
    EngPipe *pipe = ctx;
    loop_once_stop(&pipe->held_timer); /* the tick calls too */
    if (write_held(pipe)) {
        tell_end(pipe);
        engine__pipe_wake(pipe);
    }
}

/* run->out, whole or a piece of its batch, to its sinks, in order. */
static void give(EngRun *run)
{
    EngPipe *pipe = run->pipe;
    EngOut *out = run->out;
    run->out = NULL;
    if (run->answers) {
        engine__hook_notes(out);
    }
    atomic_fetch_add(&pipe->flight, 1);
    const char *what = "";
    int error = pipe->held_first ? 0 : engine__local_write(pipe, out, &what);
    if (pipe->held_first || error) {
        hold(pipe, out);
        if (error) {
            try_later(pipe, what, error);
        }
        return;
    }
    deliver(pipe, out);
}

static bool has_rows(const EngRun *run)
{
    bool some = run->rolled;
    for (uint32_t i = 0; run->out && i < run->out->part_count; i++) {
        some |= run->out->parts[i].count > 0;
    }
    return some;
}

/* Gives what the instance made to its sinks. */
static void commit(EngRun *run, const EngBatch *batch)
{
    EngPipe *pipe = run->pipe;
    take_rows(run);
    uv_mutex_lock(&pipe->live_lock);
    if (run->out) {
        note_error(pipe, run->out, run->info);
    }
    pipe->live.commit_ns = clock_wall_ns();
    uv_mutex_unlock(&pipe->live_lock);
    if (take_tokens(run, batch)) {
        run->out->chained = run->rolled;
        run->out->seq = has_rows(run) ? run->seq : 0;
        give(run);
    }
    run->rolled = false;
    run->seq = 0;
}

/* Time goes on to `now_ns` without a record. */
static void idle(EngRun *run, int64_t now_ns)
{
    run->time_ns = now_ns;
    flow_idle(run->instance, now_ns);
    take_rows(run);
    engine__journal_idle(run, now_ns, has_rows(run));
    commit(run, NULL);
}

void engine__run_again(EngRun *run, const EngBatch *batch, int64_t idle_ns, uint64_t seq, bool done)
{
    run->muted = done;
    if (idle_ns) {
        run->time_ns = idle_ns;
        flow_idle(run->instance, idle_ns);
    }
    engine__run_feed(run, batch);
    run->muted = false;
    for (uint32_t i = 0; done && i <= run->info->sink_count; i++) {
        flow_out_clear(run->instance, i);
    }
    run->seq = seq;
    commit(run, NULL);
}

/* The pipeline stops, or has no such sink any more: the dead-letter table takes what could not be
 * written, and then it is acknowledged. */
static void held_give_up(EngPipe *pipe, const char *why)
{
    loop_once_stop(&pipe->held_timer);
    if (!pipe->held_first) {
        return;
    }
    while (pipe->held_first) {
        EngOut *out = pipe->held_first;
        pipe->held_first = out->next;
        out->next = NULL;
        engine__local_give_up(pipe, out);
        out->why = why;
        if (loop_post(pipe->engine->env->loop, engine__out_commit, out)) {
            abort(); /* a million posts wait: the main loop is dead */
        }
    }
    pipe->held_last = NULL;
    pipe->held_tries = 0;
    engine__problem_over(pipe, ENGINE_PROBLEM_FILE);
}

/* False: the batch waits until the journal can be written. */
static bool write_down(EngPipe *pipe, EngBatch *batch)
{
    int error = engine__journal_add(pipe->run, batch);
    bool was = pipe->stuck != NULL;
    pipe->stuck = error ? batch : NULL;
    if (error && error != EAGAIN) {
        engine__problem(pipe, ENGINE_PROBLEM_STATE, "cannot write what it remembers: %s",
                        strerror(error));
    } else if (!error && was) {
        engine__problem_over(pipe, ENGINE_PROBLEM_STATE);
    }
    if (error) {
        engine__queue_sleep(&pipe->queue); /* the tick tries again */
    }
    return !error;
}

/* ---- pipelines of one program that read the same ---- */

typedef struct Together {
    EngRun *runs[RT_SHARE_MAX]; /* the first one's batch is fed to all */
    EngBatch *batches[RT_SHARE_MAX];
    uint32_t count;
} Together;

/* Whether `pipe` could take its next batch with that of `first`. One that cannot go on (a file that
 * cannot be written, sinks that lag) takes no part and holds nobody; it catches up by itself. */
static bool can_join(EngPipe *pipe, const EngRun *first)
{
    EngRun *run = pipe->run;
    return run != first && run->share == first->share && run->version == first->version &&
           run->time_ns == first->time_ns && !pipe->stuck && !pipe->held_first && has_out(run) &&
           atomic_load(&pipe->flight) < ENGINE_FLIGHT_MAX && !flow_stopped(run->instance) &&
           engine__journal_tidy(pipe);
}

/* Those whose next records are the same, for as many of them as all have. */
static uint32_t find_together(Together *t, const EngShard *shard, const EngBatch *batch)
{
    EngRun *first = t->runs[0];
    uint32_t same = batch->count;
    for (uint32_t i = 0; i < shard->pipe_count && t->count < RT_SHARE_MAX; i++) {
        EngPipe *pipe = shard->pipes[i];
        uint32_t n = can_join(pipe, first)
                         ? engine__queue_same(&pipe->queue, pipe->run->slot_source, batch)
                         : 0;
        if (n && 2 * n >= batch->count) {
            t->runs[t->count++] = pipe->run;
            same = n < same ? n : same;
        }
    }
    return same;
}

/* Takes what the others have of the first one's batch, which may become shorter. */
static void join_others(Together *t, EngBatch *batch)
{
    EngPipe *pipe = t->runs[0]->pipe;
    uint32_t same = find_together(t, pipe->shard, batch), joined = 1;
    if (same < batch->count && !engine__queue_keep(&pipe->queue, batch, same)) {
        same = 0;
    }
    for (uint32_t i = 1; i < t->count && same; i++) {
        EngRun *run = t->runs[i];
        EngBatch *own = engine__queue_take_some(&run->pipe->queue, same);
        if (own && write_down(run->pipe, own)) { /* else it is stuck, and tried again */
            t->runs[joined] = run;
            t->batches[joined++] = own;
        }
    }
    t->count = joined;
}

static void finish_batch(EngRun *run, EngBatch *batch)
{
    EngPipe *pipe = run->pipe;
    commit(run, batch);
    pipe->then_stopped = flow_stopped(run->instance);
    pipe->then_ended = batch->end && run->ends_seen == run->ends_wanted && run->info->bounded;
    engine__queue_give(&pipe->queue, batch);
    if (!pipe->held_first) {
        tell_end(pipe);
    }
}

static void feed_batch(EngRun *run, EngBatch *batch, bool fresh)
{
    Together t = {.runs = {run}, .batches = {batch}, .count = 1};
    if (run->share && fresh && engine__run_can_share(run, batch)) {
        join_others(&t, batch);
    }
    if (!write_down(run->pipe, batch)) {
        for (uint32_t i = 1; i < t.count; i++) { /* they go on by themselves */
            engine__run_feed(t.runs[i], t.batches[i]);
            finish_batch(t.runs[i], t.batches[i]);
        }
        return;
    }
    if (t.count > 1) {
        engine__run_feed_together(t.runs, t.count, batch);
    } else {
        engine__run_feed(run, batch);
    }
    for (uint32_t i = 0; i < t.count; i++) {
        finish_batch(t.runs[i], t.batches[i]);
    }
}

/* Works on one batch; true when there may be more. */
static bool one_batch(EngPipe *pipe)
{
    EngRun *run = pipe->run;
    if (!run || pipe->held_first || !has_out(run)) {
        engine__queue_sleep(&pipe->queue);
        return false;
    }
    if (atomic_load(&pipe->flight) >= ENGINE_FLIGHT_MAX) {
        engine__queue_sleep(&pipe->queue); /* a commit wakes us */
        return atomic_load(&pipe->flight) < ENGINE_FLIGHT_MAX && engine__queue_wake(&pipe->queue);
    }
    if (!engine__journal_tidy(pipe)) {
        engine__queue_sleep(&pipe->queue); /* a commit wakes us */
        return atomic_load(&pipe->flight) == 0 && engine__queue_wake(&pipe->queue);
    }
    bool fresh = !pipe->stuck;
    EngBatch *batch = fresh ? engine__queue_take(&pipe->queue) : pipe->stuck;
    if (!batch) {
        return false;
    }
    if (flow_stopped(run->instance)) {
        pipe->stuck = NULL;
        engine__queue_give(&pipe->queue, batch);
        return true; /* unacknowledged: they come again once somebody starts it */
    }
    feed_batch(run, batch, fresh);
    return !pipe->stuck;
}

void engine__shard_drain(void *ctx)
{
    EngPipe *pipe = ctx;
    if (one_batch(pipe) && loop_post(pipe->shard->loop, engine__shard_drain, pipe)) {
        engine__queue_sleep(&pipe->queue);
    }
}

void engine__pipe_wake(EngPipe *pipe)
{
    if (engine__queue_wake(&pipe->queue) &&
        loop_post(pipe->shard->loop, engine__shard_drain, pipe)) {
        engine__queue_sleep(&pipe->queue);
    }
}

/* ---- time ---- */

/* A table's file that cannot be read again, or a question without answer, stops nothing, but
 * somebody should know. */
static void note_problem(EngPipe *pipe)
{
    const char *problem = flow_problem(pipe->run->instance);
    if (problem[0]) {
        engine__problem(pipe, ENGINE_PROBLEM_TABLE, "%s", problem);
    } else {
        engine__problem_over(pipe, ENGINE_PROBLEM_TABLE);
    }
}

/* Time goes on without records: idle sources, windows by arrival. */
static void on_tick(void *ctx)
{
    EngShard *shard = ctx;
    int64_t now = clock_wall_ns();
    for (uint32_t i = 0; i < shard->pipe_count; i++) {
        EngPipe *pipe = shard->pipes[i];
        engine__watch_wires(pipe, pipe->run);
        if (pipe->held_first && !pipe->held_timer) {
            on_held(pipe);
        }
        if (!flow_stopped(pipe->run->instance) && !pipe->held_first && has_out(pipe->run) &&
            atomic_load(&pipe->flight) < ENGINE_FLIGHT_MAX) {
            idle(pipe->run, now);
            note_problem(pipe);
            (void)engine__journal_tidy(pipe);
        }
        if (pipe->stuck && one_batch(pipe)) {
            engine__pipe_wake(pipe);
        }
        engine__publish_numbers(pipe, now);
    }
}

/* ---- commands from the main loop ---- */

static void enlist(EngShard *shard, EngPipe *pipe)
{
    for (uint32_t i = 0; i < shard->pipe_count; i++) {
        if (shard->pipes[i] == pipe) {
            return;
        }
    }
    if (shard->pipe_count < ENGINE_PIPES_MAX) {
        shard->pipes[shard->pipe_count++] = pipe;
    }
}

static void delist(EngShard *shard, const EngPipe *pipe)
{
    for (uint32_t i = 0; i < shard->pipe_count; i++) {
        if (shard->pipes[i] == pipe) {
            shard->pipes[i] = shard->pipes[--shard->pipe_count];
            return;
        }
    }
}

/* What waits is worked on by the version it came for. Bounded by the queue's length; what arrives
 * meanwhile may go to either. */
static void run_queue_down(EngPipe *pipe)
{
    for (uint32_t i = 0; i < 4 * ENGINE_QUEUE_BATCHES && !engine__queue_empty(&pipe->queue); i++) {
        if (!one_batch(pipe)) {
            break;
        }
    }
}

static void reset_wires(EngPipe *pipe, const EngRun *run)
{
    uv_mutex_lock(&pipe->live_lock);
    EngLive *live = &pipe->live;
    for (uint32_t i = 0; i < live->wire_count; i++) {
        mem_free(live->wires[i].tap);
    }
    mem_free(live->wires);
    uint32_t count = run->info->wire_count;
    count = count < ENGINE_WIRES_MAX ? count : ENGINE_WIRES_MAX;
    live->wires = mem_zalloc(count + 1, sizeof(EngWireLive));
    live->wire_count = live->wires ? count : 0;
    uv_mutex_unlock(&pipe->live_lock);
}

/* Better code of one version: what was counted goes on. */
static bool is_same_text(const EngRun *a, const EngRun *b)
{
    return a->version->number == b->version->number && a->info->wire_count == b->info->wire_count;
}

/* Whether what is held can still go where it was meant to. */
static bool has_all_sinks(const EngPipe *pipe, const EngRun *fresh)
{
    for (const EngOut *out = pipe->held_first; out; out = out->next) {
        for (uint32_t i = 0; i + 1 < out->part_count; i++) {
            const RtSinkInfo *sink = out->parts[i].sink;
            bool found = !out->parts[i].count || !engine__local_takes(sink);
            for (uint32_t k = 0; k < fresh->info->sink_count && !found; k++) {
                const RtSinkInfo *have = &fresh->info->sinks[k];
                found = strcmp(have->kind, sink->kind) == 0 &&
                        strcmp(have->address, sink->address) == 0;
            }
            if (!found) {
                return false;
            }
        }
    }
    return true;
}

static void swap_in(EngPipe *pipe, EngCommand *command)
{
    EngRun *fresh = command->run, *old = pipe->run;
    if (old) {
        run_queue_down(pipe);
        AUTO_BUF Buf state;
        buf_init(&state, (size_t)256 << 20);
        if (!flow_save(old->instance, &state, NULL) &&
            !flow_load(fresh->instance, buf_view(&state), &command->dropped, NULL)) {
            command->moved = true;
        }
        engine__journal_swap(pipe, old, fresh);
        fresh->ends_seen = old->ends_seen;
        fresh->time_ns = old->time_ns;
        for (uint32_t i = 0; i < fresh->info->wire_count && is_same_text(old, fresh); i++) {
            fresh->wire_base[i] = old->wire_base[i] + flow_wire_count(old->instance, i);
        }
        engine__add_counters(&pipe->before, flow_counters(old->instance));
        if (!has_all_sinks(pipe, fresh)) {
            held_give_up(pipe, "the new version has no such sink");
        }
    }
    reset_wires(pipe, fresh);
    pipe->run = fresh;
    if (!old) {
        engine__journal_open(pipe, fresh);
    }
    command->run = old;
    enlist(pipe->shard, pipe);
    engine__watch_wires(pipe, fresh);
}

/* It stops while the journal cannot be written: what was taken from the queue is worked on, and
 * whether its windows are kept is told by journal_stop. */
static void feed_stuck(EngPipe *pipe)
{
    EngBatch *batch = pipe->stuck;
    pipe->stuck = NULL;
    if (!batch) {
        return;
    }
    if (!flow_stopped(pipe->run->instance)) {
        engine__run_feed(pipe->run, batch);
        commit(pipe->run, batch);
    }
    engine__queue_give(&pipe->queue, batch);
}

static void take_out(EngPipe *pipe, EngCommand *command)
{
    EngRun *run = pipe->run;
    held_give_up(pipe, "the pipeline was stopped before it could be written");
    engine__local_close(pipe);
    pipe->then_stopped = pipe->then_ended = false;
    if (run) {
        feed_stuck(pipe);
        engine__publish_numbers(pipe, clock_wall_ns());
        engine__journal_stop(pipe, run);
        engine__add_counters(&pipe->before, flow_counters(run->instance));
        uv_mutex_lock(&pipe->live_lock);
        pipe->live.n = pipe->before;
        pipe->live.in_rate = pipe->live.out_rate = pipe->live.error_rate = 0;
        uv_mutex_unlock(&pipe->live_lock);
        delist(pipe->shard, pipe);
    }
    pipe->run = NULL;
    pipe->tick_ns = 0;
    command->run = run;
}

void engine__shard_run(void *ctx)
{
    EngCommand *command = ctx;
    EngPipe *pipe = command->pipe;
    Loop *main_loop = pipe->engine->env->loop;
    if (command->kind == COMMAND_RUN) {
        swap_in(pipe, command);
        /* Always: the queue may count as woken by a look that was part of the swap. */
        if (loop_post(pipe->shard->loop, engine__shard_drain, pipe)) {
            engine__queue_sleep(&pipe->queue);
        }
    } else if (command->kind == COMMAND_STOP) {
        take_out(pipe, command);
    }
    if (loop_post(main_loop, engine__pipe_answer, command)) {
        abort(); /* a million posts wait: the main loop is dead */
    }
}

/* ---- the thread ---- */

static void shard_main(void *ctx)
{
    EngShard *shard = ctx;
    loop_run(shard->loop);
    loop_timer_stop(shard->tick);
    loop_run_posts(shard->loop);
}

Status engine__shard_start(Engine *engine, EngShard **ret_shard)
{
    EngShard *shard = mem_zalloc(1, sizeof(*shard));
    if (!shard) {
        return ST_NO_MEMORY;
    }
    shard->engine = engine;
    Status st = loop_new(&shard->loop);
    if (!st) {
        st = loop_timer_start(shard->loop, TICK_MS, TICK_MS, on_tick, shard, &shard->tick);
    }
    if (!st && uv_thread_create(&shard->thread, shard_main, shard)) {
        loop_timer_stop(shard->tick);
        st = ST_NO_MEMORY;
    }
    if (st) {
        if (shard->loop) {
            loop_free(shard->loop);
        }
        mem_free(shard);
        return st;
    }
    shard->started = true;
    *ret_shard = shard;
    return ST_OK;
}

void engine__shard_stop(EngShard *shard)
{
    if (shard) {
        loop_stop(shard->loop);
        uv_thread_join(&shard->thread);
        loop_free(shard->loop);
        mem_free(shard);
    }
}
