/* runtime/modules/engine/tune.c: better code for what was made to run quickly.
 *
 * A deploy runs on the interpreter, or on an object compiled without optimising, because saving
 * must mean running now. Once nothing was deployed for TUNE_QUIET_MS, the same text is compiled in
 * full, one program at a time, and swapped in like any version, between two batches; version
 * number and counts stay. The same happens when a pipeline's records have shapes its decoder does
 * not know (learn.c). Results are the same bytes on both, only sooner. */
#include "modules/engine/engine.h"

#include "base/mem.h"

enum { TUNE_QUIET_MS = 1000 };

typedef struct EngTune {
    Engine *engine; /* main only; NULL: it closed while this was at work */
    const ProgramCompiler *compiler;
    Arena *arena;
    EngVersion *old, *fresh;
    ProgramSample *samples;
    size_t sample_count;
    ProgramCompiled compiled;
    Status status;
    Diag diag;
} EngTune;

static void tune_work(void *ctx)
{
    EngTune *tune = ctx;
    tune->status =
        engine__version_make(tune->compiler, tune->arena, arena_str(tune->arena, tune->old->file),
                             arena_str(tune->arena, tune->old->text), PROGRAM_FULL, tune->samples,
                             tune->sample_count, &tune->compiled, &tune->fresh, &tune->diag);
}

static void tune_free(EngTune *tune)
{
    engine__version_unref(tune->old);
    engine__version_unref(tune->fresh);
    arena_free(tune->arena);
    mem_free(tune);
    mem_trim(); /* a compiler's buffers would stay as holes between what lives on */
}

/* Every pipeline that still has the old version gets the new code. */
static void replace(Engine *engine, EngVersion *old, EngVersion *fresh)
{
    for (uint32_t i = 0; i < engine->pipe_count; i++) {
        EngPipe *pipe = engine->pipes[i];
        if (pipe->version != old) {
            continue;
        }
        EngRun *run = NULL;
        Diag diag = {0};
        if (pipe->state == ENGINE_RUNNING && engine__run_new(pipe, fresh, &run, &diag)) {
            log_warn(engine->env->log, "engine", "better code was not taken",
                     "pipeline=%s reason=%s", pipe->name, diag.text);
            continue;
        }
        engine__version_unref(pipe->version);
        pipe->version = engine__version_ref(fresh);
        if (run) {
            engine__pipe_run(pipe, run);
        }
    }
}

static void tune_done(void *ctx)
{
    EngTune *tune = ctx;
    Engine *engine = tune->engine;
    if (!engine) {
        tune_free(tune); /* the engine closed meanwhile */
        return;
    }
    engine->tune = NULL;
    if (tune->fresh) {
        tune->fresh->number = tune->old->number;
        tune->fresh->arena = tune->arena;
        tune->arena = NULL;
        replace(engine, tune->old, tune->fresh);
        if (tune->sample_count) {
            log_info(engine->env->log, "engine", "the shapes of records are learnt",
                     "program=%.*s pipelines=%zu", STR_ARG(tune->old->file), tune->sample_count);
        }
    } else {
        log_warn(engine->env->log, "engine", "better code was not made", "program=%.*s reason=%s",
                 STR_ARG(tune->old->file), tune->diag.text);
    }
    tune->old->quick = false; /* not again, also when it failed */
    for (uint32_t i = 0; i < engine->pipe_count; i++) {
        EngPipe *pipe = engine->pipes[i];
        if (pipe->version == tune->old || pipe->version == tune->fresh) {
            engine__learn_done(pipe);
        }
    }
    tune_free(tune);
    engine__tune_later(engine);
}

static EngVersion *next_version(const Engine *engine)
{
    for (uint32_t i = 0; i < engine->pipe_count; i++) {
        const EngPipe *pipe = engine->pipes[i];
        EngVersion *version = pipe->version;
        if (version && (version->quick || (version->learns && pipe->learn_wanted)) &&
            pipe->state == ENGINE_RUNNING) {
            return version;
        }
    }
    return NULL;
}

static void on_quiet(void *ctx)
{
    Engine *engine = ctx;
    EngVersion *old = engine->tune || engine->job ? NULL : next_version(engine);
    EngTune *tune = old ? mem_zalloc(1, sizeof(*tune)) : NULL;
    if (!tune) {
        return;
    }
    tune->engine = engine;
    tune->compiler = engine->compiler;
    tune->old = engine__version_ref(old);
    tune->arena = arena_new(0, (size_t)256 << 20);
    engine->tune = tune;
    if (tune->arena) {
        tune->sample_count = engine__learn_samples(engine, old, tune->arena, &tune->samples);
    }
    if (!tune->arena || loop_work(engine->env->loop, tune_work, tune_done, tune)) {
        engine->tune = NULL;
        tune_free(tune);
    }
}

void engine__tune_later(Engine *engine)
{
    loop_once_stop(&engine->tune_timer);
    if (engine->tune || atomic_load(&engine->closing) || !next_version(engine)) {
        return; /* the one at work calls again */
    }
    if (loop_once(engine->env->loop, TUNE_QUIET_MS, on_quiet, engine, &engine->tune_timer)) {
        log_warn(engine->env->log, "engine", "no timer for better code", "%s", "");
    }
}

void engine__tune_close(Engine *engine)
{
    loop_once_stop(&engine->tune_timer);
    if (engine->tune) {
        engine->tune->engine = NULL; /* its thread works on; nobody takes the result */
        engine->tune = NULL;
    }
}
