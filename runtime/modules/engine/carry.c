/* runtime/modules/engine/carry.c: rows for sinks that wait (runtime/deliver), on threads of their
 * own.
 *
 * A carrier is one thread for one sink of a pipeline: it takes the parts in their order and hands
 * each back to the main loop when all its rows are there or set aside. It is started by the first
 * part, outlives versions, and ends with the pipeline: a pipeline that was stopped still brings
 * what it has, as other sinks do. Parts that are left then are not acknowledged. A new version
 * opens the sink anew, between two parts. */
#include "modules/engine/engine.h"

#include "base/mem.h"
#include "deliver/deliver.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

enum { NAP_MS = 20 };

struct EngCarrier {
    EngCarrier *next;
    EngPipe *pipe;
    uint32_t sink;
    uv_thread_t thread;
    uv_mutex_t lock;
    uv_cond_t work;
    EngPart *first, *last; /* under `lock` */
    atomic_bool closing;
    /* the thread's */
    EngVersion *version;
    Deliver *deliver;
    EngPart *part; /* at hand */
};

static bool halting(void *ctx)
{
    EngCarrier *carrier = ctx;
    return atomic_load(&carrier->closing);
}

static const char *sink_name(const RtSinkInfo *sink)
{
    return sink->connection[0] ? sink->connection : sink->kind;
}

static void problem(void *ctx, const char *text)
{
    EngCarrier *carrier = ctx;
    if (text) {
        engine__problem(carrier->pipe, ENGINE_PROBLEM_SINK, "%s does not take rows: %s",
                        sink_name(carrier->part->sink), text);
    } else {
        engine__problem_over(carrier->pipe, ENGINE_PROBLEM_SINK);
    }
}

/* Kept in the part; the main loop makes dead letters of them. Without memory for the sentence the
 * row keeps the one before. */
static void refused(void *ctx, uint32_t row, Status status, const char *why)
{
    EngCarrier *carrier = ctx;
    EngPart *part = carrier->part;
    (void)status;
    if (!part->refused) {
        part->refused = mem_zalloc((part->count + 7) / 8, 1);
    }
    if (part->refused) {
        part->refused[row / 8] |= (uint8_t)(1u << (row % 8));
    }
    part->refused_count++;
    (void)snprintf(part->why, sizeof(part->why), "%s", why);
}

static DeliverHost host_of(EngCarrier *carrier, const Engine *engine)
{
    return (DeliverHost){.mail_url = engine->conf->mail_url,
                         .mail_from = engine->conf->mail_from,
                         .halting = halting,
                         .problem = problem,
                         .refused = refused,
                         .ctx = carrier};
}

static void let_go(EngCarrier *carrier)
{
    deliver_free(carrier->deliver);
    engine__version_unref(carrier->version);
    carrier->deliver = NULL;
    carrier->version = NULL;
}

/* The sink of the part's version. */
MUST static Status open_sink(EngCarrier *carrier, EngPart *part, Diag *diag)
{
    EngVersion *version = part->out->version;
    if (carrier->deliver && carrier->version == version) {
        return ST_OK;
    }
    Deliver *fresh = NULL;
    DeliverHost host = host_of(carrier, carrier->pipe->engine);
    Status st = deliver_new(flow_program_table(version->program), part->sink, &host, &fresh, diag);
    let_go(carrier); /* behind the new one, so that they share connections */
    carrier->deliver = fresh;
    carrier->version = st ? NULL : engine__version_ref(version);
    return st;
}

/* True: done with, one way or the other. */
static bool bring(EngCarrier *carrier, EngPart *part)
{
    Diag diag = {0};
    DeliverRows rows = {part->bytes.ptr, part->aside.ptr, part->rows, part->count};
    carrier->part = part;
    Status st = open_sink(carrier, part, &diag);
    if (st && st != ST_NO_MEMORY) { /* settings that are wrong stay wrong */
        for (uint32_t i = 0; i < part->count; i++) {
            refused(carrier, i, st, diag.text);
        }
        return true;
    }
    uint32_t done = 0;
    if (!st) {
        st = deliver_rows(carrier->deliver, &rows, &done, &diag);
    }
    return st == ST_OK;
}

static EngPart *take(EngCarrier *carrier)
{
    uv_mutex_lock(&carrier->lock);
    while (!carrier->first && !halting(carrier)) {
        uv_cond_wait(&carrier->work, &carrier->lock);
    }
    EngPart *part = halting(carrier) ? NULL : carrier->first;
    uv_mutex_unlock(&carrier->lock);
    return part;
}

static void carrier_main(void *ctx)
{
    EngCarrier *carrier = ctx;
    EngPart *part;
    while ((part = take(carrier))) {
        if (!bring(carrier, part)) {
            (void)poll(NULL, 0, NAP_MS); /* closing, or no memory for now */
            continue;
        }
        uv_mutex_lock(&carrier->lock);
        carrier->first = part->behind;
        carrier->last = carrier->first ? carrier->last : NULL;
        uv_mutex_unlock(&carrier->lock);
        part->behind = NULL;
        if (loop_post(carrier->pipe->engine->env->loop, engine__part_carried, part)) {
            abort(); /* a million posts wait: the main loop is dead */
        }
    }
    let_go(carrier);
}

static EngCarrier *carrier_new(EngPipe *pipe, uint32_t sink)
{
    EngCarrier *carrier = mem_zalloc(1, sizeof(*carrier));
    if (!carrier) {
        return NULL;
    }
    carrier->pipe = pipe;
    carrier->sink = sink;
    bool lock = !uv_mutex_init(&carrier->lock), work = lock && !uv_cond_init(&carrier->work);
    if (work && !uv_thread_create(&carrier->thread, carrier_main, carrier)) {
        carrier->next = pipe->carriers;
        pipe->carriers = carrier;
        return carrier;
    }
    if (work) {
        uv_cond_destroy(&carrier->work);
    }
    if (lock) {
        uv_mutex_destroy(&carrier->lock);
    }
    mem_free(carrier);
    return NULL;
}

bool engine__carry_takes(const RtSinkInfo *sink)
{
    return sink && deliver_takes(sink);
}

Status engine__carry(EngPart *part)
{
    EngPipe *pipe = part->out->pipe;
    uint32_t sink = (uint32_t)(part - part->out->parts);
    EngCarrier *carrier = pipe->carriers;
    while (carrier && carrier->sink != sink) {
        carrier = carrier->next;
    }
    if (!carrier) {
        carrier = carrier_new(pipe, sink);
    }
    if (!carrier) {
        return ST_NO_MEMORY;
    }
    part->behind = NULL;
    uv_mutex_lock(&carrier->lock);
    if (carrier->last) {
        carrier->last->behind = part;
    } else {
        carrier->first = part;
    }
    carrier->last = part;
    uv_cond_signal(&carrier->work);
    uv_mutex_unlock(&carrier->lock);
    return ST_OK;
}

void engine__carriers_close(EngPipe *pipe)
{
    for (EngCarrier *carrier = pipe->carriers; carrier; carrier = carrier->next) {
        uv_mutex_lock(&carrier->lock);
        atomic_store(&carrier->closing, true);
        uv_cond_signal(&carrier->work);
        uv_mutex_unlock(&carrier->lock);
    }
    while (pipe->carriers) {
        EngCarrier *carrier = pipe->carriers;
        pipe->carriers = carrier->next;
        (void)uv_thread_join(&carrier->thread);
        for (EngPart *part = carrier->first; part; part = part->behind) {
            part->waiting = 0; /* nobody will answer */
        }
        uv_cond_destroy(&carrier->work);
        uv_mutex_destroy(&carrier->lock);
        mem_free(carrier);
    }
}

/* On a pool thread, before a version runs. */
Status engine__carry_check(const EngVersion *version, Diag *diag)
{
    const RtProgram *program = flow_program_table(version->program);
    for (uint32_t p = 0; p < program->pipeline_count; p++) {
        const RtPipelineInfo *info = &program->pipelines[p];
        for (uint32_t i = 0; i < info->sink_count; i++) {
            const RtSinkInfo *sink = &info->sinks[i];
            Deliver *deliver = NULL;
            DeliverHost host = {0};
            if (!deliver_takes(sink) || !deliver_is_set_up(sink, &host)) {
                continue;
            }
            Status st = deliver_new(program, sink, &host, &deliver, diag);
            if (!st && deliver_check(deliver, diag) == ST_INVALID) {
                st = ST_INVALID; /* what cannot be reached now may be later */
            }
            deliver_free(deliver);
            if (st) {
                return diag_wrap(diag, st, "pipeline %s: into %s", info->name, sink_name(sink));
            }
        }
    }
    return ST_OK;
}
