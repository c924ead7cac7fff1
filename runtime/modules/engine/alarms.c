/* runtime/modules/engine/alarms.c: the alarms of programs, declared to the module `uns`.
 *
 * A program's alarms are the namespace's objects, under the origin "program FILE": declared as one
 * list before a version is stored and put in place, and again at every start; what an alarm's state
 * is stays with `uns`. Alarms of a program that is no longer there, because the process died
 * between the two, go at the next start. */
#include "modules/engine/engine.h"

#include "base/mem.h"

#define ORIGIN "program "

Status engine__alarms_declare(const Engine *engine, Str file, const char *alarms, BusAnswerFn *fn,
                              void *ctx)
{
    AUTO_BUF Buf body;
    JsonOut json;
    buf_init(&body, BUS_BODY_BYTES_MAX);
    json_out_init(&json, &body);
    json_begin_object(&json);
    json_key(&json, "origin");
    AUTO_BUF Buf origin;
    buf_init(&origin, 1024);
    buf_text(&origin, ORIGIN);
    buf_str(&origin, file);
    json_put_str(&json, buf_view(&origin));
    json_key(&json, "alarms");
    json_put_raw(&json, alarms ? str_from(alarms) : STR("[]"));
    json_end(&json);
    if (body.failed || origin.failed) {
        return ST_LIMIT;
    }
    return bus_request(engine->env->bus, STR("uns.alarm_declare"), buf_view(&body), NULL, 15000, fn,
                       ctx);
}

const char *engine__alarms_of(const Engine *engine, Str file)
{
    for (uint32_t i = 0; i < engine->pipe_count; i++) {
        const EngPipe *pipe = engine->pipes[i];
        if (pipe->version && str_eq(str_from(pipe->file), file)) {
            return flow_program_table(pipe->version->program)->alarms;
        }
    }
    return NULL;
}

/* ---- a change that failed, and what a start finds ---- */

static void on_put_right(void *ctx, Status status, Str body)
{
    Log *log = ctx;
    if (status && status != ST_CANCELLED) {
        log_error(log, "engine", "alarms of a program are not as it declares them", "reason=%.*s",
                  STR_ARG(body.len ? body : str_from(status_text(status))));
    }
}

static void put_right(const Engine *engine, Str file, const char *alarms)
{
    Log *log = engine->env->log;
    Status st = engine__alarms_declare(engine, file, alarms, on_put_right, log);
    if (st) {
        on_put_right(log, st, STR_NONE);
    }
}

void engine__alarms_back(const Engine *engine, Str file)
{
    put_right(engine, file, engine__alarms_of(engine, file));
}

static bool has_program(const Engine *engine, Str file)
{
    for (uint32_t i = 0; i < engine->pipe_count; i++) {
        if (str_eq(str_from(engine->pipes[i]->file), file)) {
            return true;
        }
    }
    return engine__job_is_about(engine, file);
}

static void on_rules(void *ctx, Status status, Str body)
{
    Engine *engine = ctx;
    const Json *json = NULL;
    Str last = STR_NONE; /* rules of one program need not follow each other; twice is harmless */
    Arena *arena = status == ST_CANCELLED ? NULL : arena_new(0, (size_t)64 << 20);
    if (!arena) {
        return; /* the engine may be gone */
    }
    if (!status && !json_read(arena, body, &json, NULL)) {
        const Json *rules = json_get(json, "rules");
        for (const Json *at = rules ? rules->first : NULL; at; at = at->next) {
            Str origin = json_str(at, "origin", STR_NONE);
            if (!str_starts(origin, STR(ORIGIN)) || str_eq(origin, last)) {
                continue;
            }
            last = origin;
            Str file = str_skip(origin, sizeof(ORIGIN) - 1);
            if (!has_program(engine, file)) {
                put_right(engine, file, NULL);
            }
        }
    }
    arena_free(arena);
}

void engine__alarms_sweep(Engine *engine)
{
    Status st = bus_request(engine->env->bus, STR("uns.alarm_rules"), STR("{}"), NULL, 15000,
                            on_rules, engine);
    if (st) {
        log_warn(engine->env->log, "engine", "alarms were not looked through", "reason=%s",
                 status_text(st));
    }
}
