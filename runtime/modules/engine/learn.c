/* runtime/modules/engine/learn.c: when a pipeline's decoder should learn the shape of its records.
 *
 * A program first knows the order of the declaration. The shard looks at the counters: when more
 * than one in a hundred of the last records fitted no layout, it hands over a sample of them, and
 * tune.c compiles the same text again with it. So after some seconds the true shapes are known, and
 * a changed device is noticed. Each time a pipeline learns, the next time may only come later (the
 * pause doubles up to an hour), so records that have no shape cost no endless compiling. */
#include "modules/engine/engine.h"

#include "base/clock.h"
#include "base/mem.h"

enum { LEARN_RECORDS = 100, LEARN_PAUSE_S = 5, LEARN_PAUSE_MAX_S = 3600, SAMPLE_BYTES = 128 << 10 };

/* The sample for main; the one it did not take is replaced. */
static bool hand_over(EngPipe *pipe)
{
    AUTO_BUF Buf sample;
    buf_init(&sample, SAMPLE_BYTES);
    flow_sample_take(pipe->run->instance, &sample);
    char *lines = sample.len && !sample.failed ? mem_alloc(sample.len) : NULL;
    if (!lines) {
        return false;
    }
    memcpy(lines, sample.ptr, sample.len);
    uv_mutex_lock(&pipe->live_lock);
    mem_free(pipe->live.sample);
    pipe->live.sample = lines;
    pipe->live.sample_len = (uint32_t)sample.len;
    uv_mutex_unlock(&pipe->live_lock);
    return true;
}

void engine__learn_look(EngPipe *pipe, const RtCounters *n)
{
    uint64_t in = n->in - pipe->learn_in, missed = n->missed - pipe->learn_missed;
    bool open = clock_monotonic_ns() >= atomic_load(&pipe->learn_after_ns);
    if (open && in < LEARN_RECORDS) {
        return; /* too few to say */
    }
    pipe->learn_in = n->in;
    pipe->learn_missed = n->missed;
    if (!open || missed * 100 <= in || !hand_over(pipe)) {
        return;
    }
    atomic_store(&pipe->learn_after_ns, INT64_MAX); /* until main says when */
    if (loop_post(pipe->engine->env->loop, engine__learn_wanted, pipe)) {
        atomic_store(&pipe->learn_after_ns, 0);
    }
}

void engine__learn_wanted(void *ctx)
{
    EngPipe *pipe = ctx;
    pipe->learn_wanted = true;
    engine__tune_later(pipe->engine);
}

void engine__learn_reset(EngPipe *pipe)
{
    pipe->learn_wanted = false;
    pipe->learn_pause_s = 0;
    atomic_store(&pipe->learn_after_ns, 0);
}

void engine__learn_done(EngPipe *pipe)
{
    if (!pipe->learn_wanted) {
        return;
    }
    pipe->learn_wanted = false;
    int64_t pause = pipe->learn_pause_s ? pipe->learn_pause_s * 2 : LEARN_PAUSE_S;
    pipe->learn_pause_s = pause < LEARN_PAUSE_MAX_S ? pause : LEARN_PAUSE_MAX_S;
    atomic_store(&pipe->learn_after_ns, clock_monotonic_ns() + pipe->learn_pause_s * NS_PER_S);
}

/* What came in since, then what was known before: both are learnt from. */
static Str merge(Arena *arena, Str fresh, Str old)
{
    if (old.len > SAMPLE_BYTES / 2) {
        old.len = SAMPLE_BYTES / 2; /* the last line is cut: nobody reads it */
    }
    return arena_printf(arena, "%.*s%.*s", STR_ARG(fresh), STR_ARG(old));
}

static Str old_sample(const EngVersion *old, const char *pipeline)
{
    for (size_t i = 0; i < old->sample_count; i++) {
        if (str_is(old->samples[i].pipeline, pipeline)) {
            return old->samples[i].lines;
        }
    }
    return STR_NONE;
}

size_t engine__learn_samples(Engine *engine, const EngVersion *old, Arena *arena,
                             ProgramSample **ret_list)
{
    size_t count = 0;
    ProgramSample *list = arena_many(arena, ProgramSample, engine->pipe_count);
    for (uint32_t i = 0; list && i < engine->pipe_count; i++) {
        EngPipe *pipe = engine->pipes[i];
        if (pipe->version != old) {
            continue;
        }
        uv_mutex_lock(&pipe->live_lock);
        Str lines = str_slice(pipe->live.sample, pipe->live.sample_len);
        lines = merge(arena, lines, old_sample(old, pipe->name));
        mem_free(pipe->live.sample);
        pipe->live.sample = NULL;
        pipe->live.sample_len = 0;
        uv_mutex_unlock(&pipe->live_lock);
        if (lines.len) {
            list[count++] = (ProgramSample){arena_str(arena, str_from(pipe->name)), lines};
        }
    }
    *ret_list = list;
    return count;
}
