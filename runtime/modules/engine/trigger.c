/* runtime/modules/engine/trigger.c: sources that are a moment: periods, schedules, somebody's wish.
 *
 * A record is pushed when it is due and bears the due time as its arrival. A timer waits at most a
 * minute at a time, so that a clock that is set right is noticed. What was due while nothing ran is
 * not made up for; after a pause of the process (a suspended machine) it comes once. */
#include "modules/engine/engine.h"

#include "base/clock.h"
#include "base/mem.h"

enum { WAIT_MAX_MS = 60000 };

static int64_t next_due(const EngSource *source, int64_t after_ns)
{
    if (source->every_ns) {
        return (after_ns / source->every_ns + 1) * source->every_ns;
    }
    return cron_next(&source->cron, source->tz, after_ns);
}

static void arm(EngSource *source);

static void on_due(void *ctx)
{
    EngSource *source = ctx;
    if (source->closing) {
        return;
    }
    int64_t now = clock_wall_ns();
    if (source->due_ns > now) {
        source->due_ns = next_due(source, now); /* sooner, should the clock have been set back */
    }
    while (source->due_ns <= now) {
        engine__source_push(source, STR("{}"), source->due_ns);
        source->due_ns = next_due(source, source->due_ns);
        if (now - source->due_ns > NS_PER_S) {
            source->due_ns = next_due(source, now - NS_PER_S);
        }
    }
    arm(source);
}

static void arm(EngSource *source)
{
    if (source->due_ns == INT64_MAX) {
        return; /* a day that does not come again */
    }
    int64_t wait_ms = (source->due_ns - clock_wall_ns() + NS_PER_MS - 1) / NS_PER_MS;
    wait_ms = wait_ms < 1 ? 1 : wait_ms > WAIT_MAX_MS ? WAIT_MAX_MS : wait_ms;
    if (loop_once(source->pipe->engine->env->loop, (uint64_t)wait_ms, on_due, source,
                  &source->retry)) {
        engine__pipe_fail(source->pipe, "no memory for a timer");
    }
}

Status engine__trigger_open(EngSource *source, const RtSourceInfo *info, Diag *diag)
{
    if (str_is(str_from(info->kind), "manual")) {
        return ST_OK;
    }
    const Json *options = NULL;
    source->arena = arena_new(0, 0);
    Str text = source->arena ? arena_str(source->arena, str_from(info->options)) : STR_NONE;
    if (!text.ptr || json_read(source->arena, text, &options, NULL)) {
        return diag_set(diag, ST_NO_MEMORY, "no memory for a schedule");
    }
    Status st = ST_OK;
    if (str_is(str_from(info->kind), "every")) {
        source->every_ns = json_int(options, "every", 0);
        if (source->every_ns <= 0) {
            return diag_set(diag, ST_INVALID, "a period must be above 0");
        }
    } else {
        st = cron_parse(str_from(info->address), &source->cron, diag);
        if (!st) {
            st = tz_load(source->arena, json_str(options, "zone", STR("UTC")), &source->tz, diag);
        }
    }
    if (!st) {
        source->due_ns = next_due(source, clock_wall_ns());
        arm(source);
    }
    return st;
}

static EngSource *trigger_of(EngPipe *pipe, const RtPipelineInfo *info, bool only_manual)
{
    for (uint32_t i = 0; i < ENGINE_SOURCES_MAX; i++) {
        EngSource *source = &pipe->sources[i];
        if (!source->used || !source->open || source->closing ||
            source->index >= info->source_count) {
            continue;
        }
        Str kind = str_from(info->sources[source->index].kind);
        if (str_is(kind, "manual") ||
            (!only_manual && (str_is(kind, "every") || str_is(kind, "cron")))) {
            return source;
        }
    }
    return NULL;
}

/* A record for `manual`, else the schedule's, now. */
void engine__op_trigger(void *self, Req *req)
{
    Engine *engine = self;
    EngPipe *pipe = engine__pipe_find(engine, json_str(req->in, "name", STR("")));
    if (!pipe) {
        req_fail(req, ST_NOT_FOUND, "no such pipeline");
        return;
    }
    int index = pipe->version && pipe->state == ENGINE_RUNNING
                    ? flow_program_find(pipe->version->program, str_from(pipe->name))
                    : -1;
    if (index < 0) {
        req_fail(req, ST_CONFLICT, "it does not run");
        return;
    }
    const RtPipelineInfo *info = &flow_program_table(pipe->version->program)->pipelines[index];
    EngSource *source = trigger_of(pipe, info, true);
    source = source ? source : trigger_of(pipe, info, false);
    if (!source) {
        req_fail(req, ST_CONFLICT, "it has no source `manual`, `every` or `cron`");
        return;
    }
    const Json *record = json_get(req->in, "record");
    Str payload = STR("{}");
    if (record && str_is(str_from(info->sources[source->index].kind), "manual")) {
        bool text = record->type == JSON_STRING &&
                    !str_is(str_from(info->sources[source->index].format), "json");
        payload = text ? record->text : record->raw;
    } else if (record) {
        req_fail(req, ST_INVALID, "a schedule's records have no fields");
        return;
    }
    engine__source_push(source, payload, clock_wall_ns());
    req_answer(req, STR("{}"));
}
