/* runtime/modules/engine/live.c: what people see of running pipelines: numbers and wires.
 *
 * The shards write the numbers (EngLive), this file reads them under the lock. A watch publishes
 * engine.wires.ID at its own rate, always complete, so a lost frame needs no repair. While nobody
 * watches a pipeline its shard keeps no last values. */
#include "modules/engine/engine.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>

enum { WATCH_TICK_MS = 100 };

static const char *const state_names[] = {"stopped", "compiling", "running", "failed", "draining"};
_Static_assert(COUNT_OF(state_names) == ENGINE_STATE__COUNT, "one name per state");

static void rate_field(JsonOut *out, const char *name, double rate)
{
    json_field_number(out, name, (double)(int64_t)(rate * 100 + 0.5) / 100);
}

/* ---- what is wrong now ---- */

void engine__problem(EngPipe *pipe, EngProblem which, const char *format, ...)
{
    char text[sizeof(pipe->live.problem[0])];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    uv_mutex_lock(&pipe->live_lock);
    bool fresh = !pipe->live.problem[which][0];
    memcpy(pipe->live.problem[which], text, sizeof(text));
    if (fresh) {
        pipe->live.problem_ns[which] = clock_wall_ns();
    }
    uv_mutex_unlock(&pipe->live_lock);
    if (fresh) {
        log_warn(pipe->engine->env->log, "engine", "a pipeline waits", "pipeline=%s reason=%s",
                 pipe->name, text);
    }
}

void engine__problem_over(EngPipe *pipe, EngProblem which)
{
    uv_mutex_lock(&pipe->live_lock);
    bool was = pipe->live.problem[which][0] != 0;
    int64_t ms = (clock_wall_ns() - pipe->live.problem_ns[which]) / NS_PER_MS;
    pipe->live.problem[which][0] = 0;
    uv_mutex_unlock(&pipe->live_lock);
    if (was) {
        log_info(pipe->engine->env->log, "engine", "a pipeline goes on again",
                 "pipeline=%s waited_ms=%lld", pipe->name, (long long)ms);
    }
}

bool engine__trouble(EngPipe *pipe, RtCounters *sum)
{
    bool any = false;
    uv_mutex_lock(&pipe->live_lock);
    for (uint32_t i = 0; i < ENGINE_PROBLEM__COUNT; i++) {
        any |= pipe->live.problem[i][0] != 0;
    }
    uint64_t *to = (uint64_t *)sum;
    const uint64_t *from = (const uint64_t *)&pipe->live.n;
    for (size_t i = 0; i < sizeof(*sum) / sizeof(*to); i++) {
        to[i] += from[i];
    }
    uv_mutex_unlock(&pipe->live_lock);
    return any;
}

static void put_trouble(const EngPipe *pipe, const EngLive *live, JsonOut *out)
{
    uint32_t i = 0;
    while (i < ENGINE_PROBLEM__COUNT && !live->problem[i][0]) {
        i++;
    }
    if (pipe->error[0] || i == ENGINE_PROBLEM__COUNT) {
        json_put_text(out, pipe->error[0] ? pipe->error : NULL);
    } else {
        json_put_text(out, live->problem[i]);
    }
}

void engine__summary(const EngPipe *pipe, JsonOut *out, bool whole)
{
    EngPipe *open = (EngPipe *)(uintptr_t)pipe; /* for the lock only */
    json_begin_object(out);
    json_field_text(out, "name", pipe->name);
    json_field_text(out, "state", state_names[pipe->state]);
    json_field_int(out, "version", pipe->version ? pipe->version->number : 0);
    json_field_int(out, "since", pipe->since_ms);
    json_field_text(out, "file", pipe->file);
    uv_mutex_lock(&open->live_lock);
    EngLive live = pipe->live;
    uv_mutex_unlock(&open->live_lock);
    json_key(out, "error");
    put_trouble(pipe, &live, out);
    json_key(out, "in");
    json_put_uint(out, live.n.in);
    json_key(out, "out");
    json_put_uint(out, live.n.emitted + live.n.row_emitted);
    json_key(out, "filtered");
    json_put_uint(out, live.n.filtered + live.n.row_filtered);
    json_key(out, "late");
    json_put_uint(out, live.n.late);
    json_key(out, "errors");
    json_put_uint(out, live.n.errors + live.n.row_errors);
    json_key(out, "held");
    json_put_uint(out, live.n.state);
    json_key(out, "learnt");
    json_put_uint(out, live.n.learnt);
    json_key(out, "missed");
    json_put_uint(out, live.n.missed);
    json_key(out, "shared");
    json_put_uint(out, live.n.shared);
    json_key(out, "layouts");
    json_begin_array(out);
    for (uint32_t i = 0; i < live.layouts && i < RT_LAYOUTS; i++) {
        json_put_uint(out, live.n.layout[i]);
    }
    json_end(out);
    json_field_int(out, "waiting", atomic_load(&open->flight));
    json_key(out, "dropped");
    json_put_uint(out, pipe->queue.dropped);
    rate_field(out, "in_rate", live.in_rate);
    rate_field(out, "out_rate", live.out_rate);
    rate_field(out, "error_rate", live.error_rate);
    json_key(out, "last_error");
    if (live.error[0]) {
        json_put_text(out, live.error);
    } else {
        json_put_null(out);
    }
    if (whole) {
        const EngVersion *version = pipe->version;
        json_field_str(out, "text", version ? version->text : STR(""));
        json_key(out, "graph");
        json_put_raw(out, version && version->graph.len ? version->graph : STR("null"));
        json_key(out, "problems");
        json_put_raw(out, version && version->problems.len ? version->problems : STR("[]"));
    }
    json_end(out);
}

void engine__event(Engine *engine, const char *subject, const EngPipe *pipe)
{
    AUTO_BUF Buf body;
    buf_init(&body, 4096);
    JsonOut out;
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_field_text(&out, "name", pipe->name);
    json_field_text(&out, "state", state_names[pipe->state]);
    json_field_int(&out, "version", pipe->version ? pipe->version->number : 0);
    if (pipe->error[0]) {
        json_field_text(&out, "error", pipe->error);
    }
    json_end(&out);
    if (bus_publish(engine->env->bus, str_from(subject), buf_view(&body))) {
        log_warn(engine->env->log, "engine", "an event was not sent", "subject=%s", subject);
    }
}

/* ---- watches ---- */

static void put_wire(JsonOut *out, const EngWireLive *wire, uint64_t errors, int64_t now)
{
    json_begin_object(out);
    rate_field(out, "rate", wire->rate);
    json_key(out, "total");
    json_put_uint(out, wire->count);
    if (wire->tap_count) {
        Str tap = {wire->tap, wire->tap_len};
        Arena *arena = arena_new(0, 0);
        const Json *json = NULL;
        bool whole = arena && !json_read(arena, str_trim(tap), &json, NULL);
        arena_free(arena);
        if (whole) {
            json_key(out, "last");
            json_put_raw(out, str_trim(tap));
        } else {
            json_field_str(out, "last_text", tap);
        }
        json_field_int(out, "age_ms", (now - wire->tap_ns) / NS_PER_MS);
    }
    json_key(out, "errors");
    json_put_uint(out, errors);
    json_end(out);
}

static void put_node(JsonOut *out, const RtPipelineInfo *info, const EngLive *live, uint32_t node)
{
    uint64_t in = 0, went = 0, errors = 0;
    bool has_in = false;
    for (uint32_t i = 0; i < info->wire_count && i < live->wire_count; i++) {
        const RtWireInfo *wire = &info->wires[i];
        if (wire->to == node) {
            in += live->wires[i].count;
            has_in = true;
        }
        if (wire->from == node) {
            *(wire->port == 1 ? &errors : &went) += live->wires[i].count;
        }
    }
    json_begin_object(out);
    json_key(out, "in");
    json_put_uint(out, has_in ? in : went);
    json_key(out, "out");
    json_put_uint(out, went);
    json_key(out, "errors");
    json_put_uint(out, errors);
    if (errors && live->error[0]) {
        json_field_text(out, "error", live->error);
    }
    json_end(out);
}

/* Ids are those of the graph: w and n with the index of wire and node. */
static void put_wires(JsonOut *out, const EngPipe *pipe)
{
    EngPipe *open = (EngPipe *)(uintptr_t)pipe; /* for the lock only */
    int index = flow_program_find(pipe->version->program, str_from(pipe->name));
    const RtPipelineInfo *info = &flow_program_table(pipe->version->program)->pipelines[index];
    int64_t now = clock_wall_ns();
    char id[16];
    uv_mutex_lock(&open->live_lock);
    json_key(out, "wires");
    json_begin_object(out);
    for (uint32_t i = 0; i < pipe->live.wire_count && i < info->wire_count; i++) {
        (void)snprintf(id, sizeof(id), "w%u", i);
        json_key(out, id);
        put_wire(out, &pipe->live.wires[i],
                 info->wires[i].port == 1 ? pipe->live.wires[i].count : 0, now);
    }
    json_end(out);
    json_key(out, "nodes");
    json_begin_object(out);
    for (uint32_t i = 0; i < info->node_count; i++) {
        (void)snprintf(id, sizeof(id), "n%u", i);
        json_key(out, id);
        put_node(out, info, &pipe->live, i);
    }
    json_end(out);
    uv_mutex_unlock(&open->live_lock);
}

static void send_watch(Engine *engine, EngWatch *watch, const EngPipe *pipe)
{
    AUTO_BUF Buf body;
    buf_init(&body, BUS_BODY_BYTES_MAX);
    JsonOut out;
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_field_int(&out, "seq", (int64_t)++watch->seq);
    json_field_int(&out, "time", clock_wall_ns() / NS_PER_MS);
    json_field_text(&out, "pipeline", pipe->name);
    json_field_text(&out, "state", state_names[pipe->state]);
    json_field_int(&out, "version", pipe->version->number);
    put_wires(&out, pipe);
    json_end(&out);
    char subject[48];
    (void)snprintf(subject, sizeof(subject), "engine.wires.%llu", (unsigned long long)watch->id);
    if (!body.failed) {
        (void)!bus_publish(engine->env->bus, str_from(subject), buf_view(&body));
    }
}

static void unlink_watch(Engine *engine, EngWatch **at)
{
    EngWatch *watch = *at;
    EngPipe *pipe = engine__pipe_find(engine, watch->pipeline);
    if (pipe) {
        atomic_fetch_sub(&pipe->watchers, 1);
    }
    *at = watch->next;
    engine->watch_count--;
    mem_free((void *)(uintptr_t)watch->pipeline.ptr);
    mem_free(watch);
}

static void stop_timer_when_alone(Engine *engine)
{
    if (!engine->watches) {
        loop_timer_stop(engine->watch_timer);
        engine->watch_timer = NULL;
    }
}

static void on_watch_tick(void *ctx)
{
    Engine *engine = ctx;
    int64_t now = clock_monotonic_ns();
    for (EngWatch **at = &engine->watches; *at;) {
        EngWatch *watch = *at;
        if (now - watch->lease_ns > ENGINE_WATCH_LEASE_MS * NS_PER_MS) {
            unlink_watch(engine, at);
            continue;
        }
        const EngPipe *pipe = engine__pipe_find(engine, watch->pipeline);
        if (pipe && pipe->version && now - watch->last_ns >= watch->every_ms * NS_PER_MS) {
            watch->last_ns = now;
            send_watch(engine, watch, pipe);
        }
        at = &watch->next;
    }
    stop_timer_when_alone(engine);
}

static EngWatch *watch_by_id(Engine *engine, Str id)
{
    int64_t number = 0;
    if (str_to_i64(id, &number)) {
        for (EngWatch *at = engine->watches; at; at = at->next) {
            if (at->id == (uint64_t)number) {
                return at;
            }
        }
    }
    return NULL;
}

static uint32_t every_of(const Json *in)
{
    double hz = json_number(in, "hz", 4);
    hz = hz < 0.1 ? 0.1 : hz > 10 ? 10 : hz;
    return (uint32_t)(1000 / hz) - 5; /* a tick early is better than one late */
}

static EngWatch *watch_new(Engine *engine, EngPipe *pipe)
{
    EngWatch *watch =
        engine->watch_count < ENGINE_WATCHES_MAX ? mem_zalloc(1, sizeof(*watch)) : NULL;
    size_t len = strlen(pipe->name);
    char *name = watch ? mem_alloc(len + 1) : NULL;
    if (!name ||
        (!engine->watch_timer && loop_timer_start(engine->env->loop, WATCH_TICK_MS, WATCH_TICK_MS,
                                                  on_watch_tick, engine, &engine->watch_timer))) {
        mem_free(name);
        mem_free(watch);
        return NULL;
    }
    memcpy(name, pipe->name, len + 1);
    watch->pipeline = (Str){name, len};
    watch->id = ++engine->watch_serial;
    watch->next = engine->watches;
    engine->watches = watch;
    engine->watch_count++;
    atomic_fetch_add(&pipe->watchers, 1);
    return watch;
}

void engine__op_watch(void *self, Req *req)
{
    Engine *engine = self;
    EngWatch *watch = NULL;
    if (json_get(req->in, "watch")) {
        watch = watch_by_id(engine, json_str(req->in, "watch", STR("")));
        if (!watch) {
            req_fail(req, ST_NOT_FOUND, "no such watch");
            return;
        }
    } else {
        EngPipe *pipe = engine__pipe_find(engine, json_str(req->in, "pipeline", STR("")));
        if (!pipe) {
            req_fail(req, ST_NOT_FOUND, "no such pipeline");
            return;
        }
        watch = watch_new(engine, pipe);
        if (!watch) {
            req_fail(req, ST_LIMIT, "too many watches");
            return;
        }
    }
    if (json_get(req->in, "hz") || !watch->every_ms) {
        watch->every_ms = every_of(req->in);
    }
    watch->lease_ns = clock_monotonic_ns();
    req_answer(req,
               arena_printf(req->arena, "{\"watch\":\"%llu\"}", (unsigned long long)watch->id));
}

void engine__op_unwatch(void *self, Req *req)
{
    Engine *engine = self;
    const EngWatch *watch = watch_by_id(engine, json_str(req->in, "watch", STR("")));
    for (EngWatch **at = &engine->watches; watch && *at; at = &(*at)->next) {
        if (*at == watch) {
            unlink_watch(engine, at);
            break;
        }
    }
    stop_timer_when_alone(engine);
    req_answer(req, STR("{}"));
}

/* The pipeline is off the list already, so its count of watchers is not touched any more. */
void engine__watch_ended(Engine *engine, Str pipeline, const char *reason)
{
    for (EngWatch **at = &engine->watches; *at;) {
        if (!str_eq((*at)->pipeline, pipeline)) {
            at = &(*at)->next;
            continue;
        }
        char subject[48];
        AUTO_BUF Buf body;
        buf_init(&body, 1024);
        JsonOut out;
        json_out_init(&out, &body);
        json_begin_object(&out);
        json_field_text(&out, "ended", reason);
        json_end(&out);
        (void)snprintf(subject, sizeof(subject), "engine.wires.%llu",
                       (unsigned long long)(*at)->id);
        (void)!bus_publish(engine->env->bus, str_from(subject), buf_view(&body));
        unlink_watch(engine, at);
    }
    stop_timer_when_alone(engine);
}

void engine__watches_close(Engine *engine)
{
    while (engine->watches) {
        unlink_watch(engine, &engine->watches);
    }
    stop_timer_when_alone(engine);
}
