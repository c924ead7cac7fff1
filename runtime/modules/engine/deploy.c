/* runtime/modules/engine/deploy.c: from a text somebody sent to a running version.
 *
 * Compiling and loading happen on a pool thread, the rest on the loop. Deploys are worked on one at
 * a time, in order, so that versions cannot overtake each other: compile, make an instance of every
 * pipeline (a version that cannot be opened is refused here, while the old one runs on), declare
 * its alarms, store it durably, then swap. At start the stored programs go the same way, without
 * the store step. */
#include "modules/engine/engine.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { JOBS_MAX = 256, SWAPS_WAITING_MAX = 2 };

typedef enum JobKind { JOB_DEPLOY, JOB_RESTORE, JOB_REMOVE } JobKind;

typedef struct DeployItem {
    EngPipe *pipe;
    EngRun *run;
    bool fresh, same;
} DeployItem;

struct EngJob {
    struct EngJob *next;
    JobKind kind;
    Engine *engine; /* NULL: it closed while this was at work */
    const ProgramCompiler *compiler;
    Req *req; /* NULL: the engine itself */
    Arena *arena;
    Str file, text, user;
    ProgramCompiled compiled;
    EngVersion *version;
    DeployItem *items;
    uint32_t item_count;
    Str *drops; /* pipelines no longer in the text */
    uint32_t drop_count;
    Status status;
    Diag diag;
    uint32_t number; /* restore: of the stored version */
    int64_t keep_versions;
};
typedef struct EngJob EngJob;

/* ---- jobs ---- */

static void job_next(Engine *engine);

static void job_free(EngJob *job)
{
    for (uint32_t i = 0; i < job->item_count; i++) {
        engine__run_free(job->items[i].run);
        if (job->items[i].fresh) {
            engine__pipe_free(job->items[i].pipe);
        }
    }
    engine__version_unref(job->version);
    arena_free(job->arena);
    mem_free(job);
}

static void job_end(EngJob *job)
{
    Engine *engine = job->engine;
    bool restoring = job->kind == JOB_RESTORE;
    engine->job = NULL;
    job_free(job);
    mem_trim();
    if (restoring && engine->restore_left && --engine->restore_left == 0) {
        engine->restored = true;
        engine__alarms_sweep(engine);
        for (uint32_t i = 0; i < engine->restored_req_count; i++) {
            req_answer(engine->restored_req[i], STR("{}"));
        }
        engine->restored_req_count = 0;
    }
    job_next(engine);
    if (atomic_load(&engine->closing)) {
        engine__check_drained(engine);
    }
}

static void job_fail(EngJob *job, Status status, const char *text)
{
    if (job->req) {
        req_fail(job->req, status, "%s", text[0] ? text : status_text(status));
    } else {
        log_error(job->engine->env->log, "engine", "cannot deploy", "program=%.*s reason=%s",
                  STR_ARG(job->file), text[0] ? text : status_text(status));
    }
    job_end(job);
}

bool engine__job_is_about(const Engine *engine, Str file)
{
    return engine->job && str_eq(engine->job->file, file);
}

/* On a pool thread. The arena is the job's alone. */
static void compile_work(void *ctx)
{
    EngJob *job = ctx;
    job->status =
        engine__version_make(job->compiler, job->arena, job->file, job->text, PROGRAM_QUICK, NULL,
                             0, &job->compiled, &job->version, &job->diag);
    if (!job->status && job->version && job->kind == JOB_DEPLOY) {
        job->status = engine__carry_check(job->version, &job->diag);
    }
}

/* ---- after compiling ---- */

/* The first problem's sentence: what a list shows of a program that no longer compiles. */
static Str first_problem(EngJob *job)
{
    const Json *list = NULL;
    if (json_read(job->arena, job->compiled.problems, &list, NULL) || !list->first) {
        return STR("it does not compile");
    }
    for (const Json *at = list->first; at; at = at->next) {
        if (str_is(json_str(at, "severity", STR("")), "error")) {
            return arena_printf(job->arena, "%.*s:%lld:%lld: %.*s", STR_ARG(job->file),
                                (long long)json_int(at, "line", 0),
                                (long long)json_int(at, "column", 0),
                                STR_ARG(json_str(at, "text", STR(""))));
        }
    }
    return STR("it does not compile");
}

static void restore_failed(EngJob *job, Str why)
{
    Engine *engine = job->engine;
    for (uint32_t i = 0; i < engine->pipe_count; i++) {
        EngPipe *pipe = engine->pipes[i];
        if (str_eq(str_from(pipe->file), job->file)) {
            char text[DIAG_TEXT_BYTES];
            (void)snprintf(text, sizeof(text), "%.*s", (int)(why.len < 470 ? why.len : 470),
                           why.ptr);
            engine__pipe_fail(pipe, text);
        }
    }
    job_end(job);
}

static void answer_problems(EngJob *job)
{
    if (!job->req) {
        restore_failed(job, first_problem(job));
        return;
    }
    Str first = first_problem(job);
    AUTO_BUF Buf body;
    buf_init(&body, BUS_BODY_BYTES_MAX);
    JsonOut json;
    json_out_init(&json, &body);
    json_begin_object(&json);
    json_key(&json, "error");
    json_begin_object(&json);
    json_field_text(&json, "code", "INVALID");
    json_field_str(&json, "text", first);
    json_end(&json);
    json_key(&json, "deployed");
    json_begin_array(&json);
    json_end(&json);
    json_key(&json, "problems");
    json_put_raw(&json, job->compiled.problems.len ? job->compiled.problems : STR("[]"));
    json_end(&json);
    req_fail_json(job->req, ST_INVALID, buf_view(&body));
    job_end(job);
}

static Status make_items(EngJob *job)
{
    const RtProgram *program = flow_program_table(job->version->program);
    if (!program->pipeline_count && program->alarms) {
        return diag_set(&job->diag, ST_INVALID,
                        "a program is deployed by its pipelines, and this one has only alarms: put "
                        "them beside a pipeline, or into a schema");
    }
    job->items = arena_many(job->arena, DeployItem, program->pipeline_count + 1);
    if (!job->items) {
        return ST_NO_MEMORY;
    }
    Status circle = engine__circle(job->engine, program, job->file, &job->diag);
    if (circle) {
        return circle;
    }
    for (uint32_t i = 0; i < program->pipeline_count; i++) {
        Str name = str_from(program->pipelines[i].name);
        DeployItem item = {.pipe = engine__pipe_find(job->engine, name)};
        if (item.pipe && !str_eq(str_from(item.pipe->file), job->file)) {
            return diag_set(&job->diag, ST_CONFLICT, "pipeline %.*s is already deployed by %s",
                            STR_ARG(name), item.pipe->file);
        }
        Status st = ST_OK;
        if (!item.pipe) {
            st = engine__pipe_new(job->engine, name, job->file, &item.pipe);
            item.fresh = true;
        }
        item.same = !item.fresh && item.pipe->version &&
                    strcmp(item.pipe->version->hash, job->version->hash) == 0 &&
                    item.pipe->state == ENGINE_RUNNING;
        if (!st && !item.same) {
            st = engine__run_new(item.pipe, job->version, &item.run, &job->diag);
        }
        if (st && item.fresh) {
            engine__pipe_free(item.pipe);
        }
        if (st) {
            return st;
        }
        job->items[job->item_count++] = item;
    }
    return ST_OK;
}

static Status next_number(StoreConn *conn, EngJob *job, bool *ret_same, Diag *diag)
{
    StoreStmt *stmt;
    Status st = store_prepare(conn, "select version, hash from engine_program where file = ?1",
                              &stmt, diag);
    if (st) {
        return st;
    }
    bool row = false;
    store_bind_str(stmt, 1, job->file);
    st = store_step(stmt, &row, diag);
    *ret_same = false;
    job->number = 1;
    if (!st && row) {
        *ret_same = str_is(store_str(stmt, 1), job->version->hash);
        job->number = (uint32_t)store_int(stmt, 0) + (*ret_same ? 0 : 1);
        store_reset(stmt);
    }
    return st;
}

/* On the store's thread. */
static Status deploy_job(StoreConn *conn, void *ctx, Diag *diag)
{
    EngJob *job = ctx;
    bool same;
    Status st = next_number(conn, job, &same, diag);
    Str hash = str_from(job->version->hash);
    StoreStmt *stmt;
    bool row;
    if (!st && !same) {
        st = engine__bind_and_step(
            conn,
            "insert into engine_program(file, hash, version) values(?1, ?2, ?3) on "
            "conflict(file) do update set hash = ?2, version = ?3",
            job->file, hash, job->number, diag);
        if (!st) {
            st = store_prepare(conn,
                               "insert into engine_version(file, version, hash, at, by, text) "
                               "values(?1, ?2, ?3, ?4, ?5, ?6)",
                               &stmt, diag);
        }
        if (!st) {
            store_bind_str(stmt, 1, job->file);
            store_bind_int(stmt, 2, job->number);
            store_bind_str(stmt, 3, hash);
            store_bind_int(stmt, 4, clock_wall_ns() / NS_PER_MS);
            store_bind_str(stmt, 5, job->user);
            store_bind_str(stmt, 6, job->text);
            st = store_step(stmt, &row, diag);
        }
        if (!st) {
            st = engine__bind_and_step(conn,
                                       "delete from engine_version where file = ?1 and ?2 = ?2 and "
                                       "version <= ?3",
                                       job->file, hash, (int64_t)job->number - job->keep_versions,
                                       diag);
        }
    }
    for (uint32_t i = 0; !st && i < job->item_count; i++) {
        const EngPipe *pipe = job->items[i].pipe;
        st = engine__bind_and_step(
            conn,
            "insert into engine_pipeline(name, file, wanted) values(?1, ?2, ?3) on "
            "conflict(name) do update set file = ?2",
            str_from(pipe->name), job->file, 1, diag);
    }
    for (uint32_t i = 0; !st && i < job->drop_count; i++) {
        st = engine__bind_and_step(
            conn, "delete from engine_pipeline where name = ?1 and file = ?2 and ?3 = ?3",
            job->drops[i], job->file, 0, diag);
    }
    return st;
}

static void free_when_idle(EngPipe *pipe)
{
    Engine *engine = pipe->engine;
    engine__pipe_free(pipe);
    engine->leaving--;
    engine__check_drained(engine);
}

/* Takes a pipeline off the list and frees it once the shard let go. */
static void drop_pipe(Engine *engine, EngPipe *pipe, const char *reason)
{
    for (uint32_t i = 0; i < engine->pipe_count; i++) {
        if (engine->pipes[i] == pipe) {
            memmove(&engine->pipes[i], &engine->pipes[i + 1],
                    (engine->pipe_count - i - 1) * sizeof(*engine->pipes));
            engine->pipe_count--;
            break;
        }
    }
    engine->leaving++;
    engine__journal_forget(pipe);
    engine__watch_ended(engine, str_from(pipe->name), reason);
    engine__event(engine, "engine.removed", pipe);
    engine__pipe_stop(pipe, free_when_idle);
}

static int by_name(const void *a, const void *b)
{
    const EngPipe *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

void engine__sort(Engine *engine)
{
    qsort(engine->pipes, engine->pipe_count, sizeof(*engine->pipes), by_name);
}

static void apply(EngJob *job)
{
    Engine *engine = job->engine;
    EngVersion *version = job->version;
    version->number = job->number;
    /* The version keeps the job's arena: text, graph and problems live in it. */
    version->arena = job->arena;
    job->arena = NULL;
    for (uint32_t i = 0; i < job->drop_count; i++) {
        EngPipe *pipe = engine__pipe_find(engine, job->drops[i]);
        if (pipe) {
            drop_pipe(engine, pipe, "it is no longer in its program");
        }
    }
    for (uint32_t i = 0; i < job->item_count; i++) {
        DeployItem *item = &job->items[i];
        EngPipe *pipe = item->pipe;
        EngRun *run = item->run;
        bool fresh = item->fresh;
        item->run = NULL;
        item->fresh = false;
        if (fresh) {
            engine->pipes[engine->pipe_count++] = pipe;
            pipe->wanted = true;
        }
        engine__version_unref(pipe->version);
        pipe->version = engine__version_ref(version);
        engine__learn_reset(pipe);
        if (run && pipe->state == ENGINE_FAILED && job->kind == JOB_DEPLOY) {
            pipe->wanted = true; /* who deploys a repair wants it to run */
            engine__store_wanted(pipe);
        }
        if (run && pipe->wanted && pipe->state != ENGINE_DRAINING) {
            engine__pipe_run(pipe, run);
        } else {
            engine__run_free(run);
        }
        engine__event(engine, "engine.deployed", pipe);
    }
    engine__sort(engine);
    if (version->quick) {
        engine__tune_later(engine);
    }
}

static void answer_deployed(EngJob *job)
{
    if (!job->req) {
        return;
    }
    AUTO_BUF Buf body;
    buf_init(&body, BUS_BODY_BYTES_MAX);
    JsonOut json;
    json_out_init(&json, &body);
    json_begin_object(&json);
    json_key(&json, "deployed");
    json_begin_array(&json);
    for (uint32_t i = 0; i < job->item_count; i++) {
        json_put_text(&json, job->items[i].pipe->name);
    }
    json_end(&json);
    json_field_int(&json, "version", job->version->number);
    json_key(&json, "problems");
    json_put_raw(&json, job->version->problems.len ? job->version->problems : STR("[]"));
    json_end(&json);
    engine__deployed(job->engine, job->req, job->file, buf_view(&body));
}

static void stored(void *ctx, Status status, const Diag *diag)
{
    EngJob *job = ctx;
    if (!job->engine) {
        job_free(job);
        return;
    }
    if (status) {
        engine__alarms_back(job->engine, job->file);
        job_fail(job, status, diag ? diag->text : "");
        return;
    }
    apply(job);
    answer_deployed(job);
    job->item_count = 0; /* the items live in the arena the version now owns */
    job_end(job);
}

static void find_drops(EngJob *job)
{
    Engine *engine = job->engine;
    job->drops = arena_many(job->arena, Str, engine->pipe_count + 1);
    for (uint32_t i = 0; job->drops && i < engine->pipe_count; i++) {
        const EngPipe *pipe = engine->pipes[i];
        if (str_eq(str_from(pipe->file), job->file) &&
            flow_program_find(job->version->program, str_from(pipe->name)) < 0) {
            job->drops[job->drop_count++] = arena_str(job->arena, str_from(pipe->name));
        }
    }
}

/* ---- its alarms ---- */

static Status remove_job(StoreConn *conn, void *ctx, Diag *diag);
static void removed(void *ctx, Status status, const Diag *diag);

static void declared(void *ctx, Status status, Str body)
{
    EngJob *job = ctx;
    if (!job->engine) {
        job_free(job);
        return;
    }
    Str why = body.len ? body : str_from(status_text(status));
    const char *alarms = job->version ? flow_program_table(job->version->program)->alarms : NULL;
    if (status == ST_UNAVAILABLE && !alarms) {
        status = ST_OK; /* nobody who would have any */
    }
    if (status && job->kind == JOB_RESTORE) { /* those that `uns` has kept hold */
        log_error(job->engine->env->log, "engine", "alarms of a program were not taken",
                  "program=%.*s reason=%.*s", STR_ARG(job->file), STR_ARG(why));
    } else if (status) {
        char text[DIAG_TEXT_BYTES];
        (void)snprintf(text, sizeof(text), "its alarms were not taken: %.*s",
                       (int)(why.len < 450 ? why.len : 450), why.ptr);
        job_fail(job, status, text);
        return;
    }
    if (job->kind == JOB_RESTORE) {
        stored(job, ST_OK, NULL);
        return;
    }
    Status st = job->kind == JOB_REMOVE
                    ? store_write(job->engine->env->store, remove_job, removed, job)
                    : store_write(job->engine->env->store, deploy_job, stored, job);
    if (st) {
        engine__alarms_back(job->engine, job->file);
        job_fail(job, st, "the store is busy");
    }
}

static void declare(EngJob *job, const char *alarms)
{
    Status st = engine__alarms_declare(job->engine, job->file, alarms, declared, job);
    if (st) {
        declared(job, st, STR_NONE);
    }
}

static void compile_done(void *ctx)
{
    EngJob *job = ctx;
    if (!job->engine) {
        job_free(job);
        return;
    }
    if (job->status) {
        if (job->req) {
            job_fail(job, job->status, job->diag.text);
        } else {
            restore_failed(job, str_from(job->diag.text));
        }
        return;
    }
    if (!job->compiled.ok) {
        answer_problems(job);
        return;
    }
    Status st = make_items(job);
    if (st) {
        if (job->kind == JOB_RESTORE) {
            restore_failed(job, str_from(job->diag.text));
        } else {
            job_fail(job, st, job->diag.text);
        }
        return;
    }
    find_drops(job);
    declare(job, flow_program_table(job->version->program)->alarms);
}

/* ---- removing a program ---- */

static Status remove_job(StoreConn *conn, void *ctx, Diag *diag)
{
    EngJob *job = ctx;
    static const char *const sqls[] = {
        "delete from engine_pipeline where file = ?1 and ?2 = ?2 and ?3 = ?3",
        "delete from engine_program where file = ?1 and ?2 = ?2 and ?3 = ?3",
        "delete from engine_version where file = ?1 and ?2 = ?2 and ?3 = ?3"};
    Status st = ST_OK;
    for (size_t i = 0; !st && i < COUNT_OF(sqls); i++) {
        st = engine__bind_and_step(conn, sqls[i], job->file, job->file, 0, diag);
    }
    return st;
}

static void removed(void *ctx, Status status, const Diag *diag)
{
    EngJob *job = ctx;
    Engine *engine = job->engine;
    if (!engine) {
        job_free(job);
        return;
    }
    if (status) {
        engine__alarms_back(engine, job->file);
        job_fail(job, status, diag ? diag->text : "");
        return;
    }
    for (uint32_t i = engine->pipe_count; i-- > 0;) {
        if (str_eq(str_from(engine->pipes[i]->file), job->file)) {
            drop_pipe(engine, engine->pipes[i], "it was removed");
        }
    }
    req_answer(job->req, STR("{}"));
    job_end(job);
}

static void job_start(EngJob *job)
{
    if (job->kind == JOB_REMOVE) {
        declare(job, NULL);
        return;
    }
    Status st = loop_work(job->engine->env->loop, compile_work, compile_done, job);
    if (st) {
        job_fail(job, st, "too much at once, try again");
    }
}

/* A shard takes a new version between two batches, and each that waits for that is an instance with
 * all its buffers: a program whose pipelines have some waiting gets its next one later. */
static bool must_wait(const Engine *engine, const EngJob *job)
{
    for (uint32_t i = 0; i < engine->pipe_count; i++) {
        const EngPipe *pipe = engine->pipes[i];
        if (pipe->commands >= SWAPS_WAITING_MAX && str_eq(str_from(pipe->file), job->file)) {
            return true;
        }
    }
    return false;
}

/* The jobs of one file keep their order; a file that has to wait holds up no other. */
static void job_next(Engine *engine)
{
    EngJob **at = &engine->jobs;
    while (!engine->job && *at) {
        EngJob *job = *at;
        if (must_wait(engine, job)) {
            at = &job->next;
            continue;
        }
        *at = job->next;
        engine->job_count--;
        engine->job = job;
        job_start(job);
        at = &engine->jobs; /* one that failed at once went on with others */
    }
}

void engine__deploy_go_on(Engine *engine)
{
    if (!atomic_load(&engine->closing)) {
        job_next(engine);
    }
}

static void job_add(EngJob *job)
{
    Engine *engine = job->engine;
    EngJob **at = &engine->jobs;
    while (*at) {
        at = &(*at)->next;
    }
    *at = job;
    engine->job_count++;
    job_next(engine);
}

void engine__jobs_abandon(Engine *engine)
{
    EngJob *job = engine->job;
    if (job) {
        /* The host did not wait for it. Another thread may still look at its pipelines: they stay
         * until the process ends, which is next. */
        job->engine = NULL;
        job->item_count = 0;
        engine->job = NULL;
    }
}

void engine__jobs_close(Engine *engine)
{
    engine__deployed_close(engine);
    while (engine->jobs) {
        EngJob *job = engine->jobs;
        engine->jobs = job->next;
        if (job->req) {
            req_fail(job->req, ST_CANCELLED, "the engine stops");
        }
        job_free(job);
    }
}

static EngJob *job_new(Engine *engine, JobKind kind, Req *req)
{
    EngJob *job = engine->job_count < JOBS_MAX ? mem_zalloc(1, sizeof(*job)) : NULL;
    if (!job) {
        return NULL;
    }
    job->kind = kind;
    job->engine = engine;
    job->compiler = engine->compiler;
    job->keep_versions = engine->conf->keep_versions;
    job->req = req;
    job->arena = arena_new(0, (size_t)256 << 20);
    if (!job->arena) {
        mem_free(job);
        return NULL;
    }
    return job;
}

Str engine__file_name(Arena *arena, Str file, Str text)
{
    const char *slash = file.len ? memrchr(file.ptr, '/', file.len) : NULL;
    if (slash) {
        file = str_skip(file, (size_t)(slash - file.ptr) + 1);
    }
    if (file.len) {
        return arena_str(arena, file);
    }
    ptrdiff_t at = str_find(text, STR("pipeline "));
    Str name = at < 0 ? STR("program") : str_trim(str_skip(text, (size_t)at + 9));
    size_t len = 0;
    while (len < name.len && len < 64 &&
           (name.ptr[len] == '_' || (name.ptr[len] >= '0' && name.ptr[len] <= '9') ||
            ((name.ptr[len] | 32) >= 'a' && (name.ptr[len] | 32) <= 'z'))) {
        len++;
    }
    return arena_printf(arena, "%.*s.tutti", (int)len, name.ptr);
}

void engine__op_deploy(void *self, Req *req)
{
    Engine *engine = self;
    EngJob *job = job_new(engine, JOB_DEPLOY, req);
    if (!job) {
        req_fail(req, ST_BUSY, "too many deploys wait");
        return;
    }
    Str text = json_str(req->in, "text", STR(""));
    job->file = engine__file_name(job->arena, json_str(req->in, "file", STR("")), text);
    job->text = arena_str(job->arena, text);
    job->user =
        arena_str(job->arena, req->caller.user.len ? bus_caller_who(&req->caller) : STR("system"));
    if (!job->file.ptr || !job->text.ptr || !job->user.ptr) {
        job_free(job);
        req_fail(req, ST_NO_MEMORY, "out of memory");
        return;
    }
    job_add(job);
}

Status engine__job_restore(Engine *engine, Str file, Str text, uint32_t number)
{
    EngJob *job = job_new(engine, JOB_RESTORE, NULL);
    if (!job) {
        return ST_LIMIT;
    }
    job->file = arena_str(job->arena, file);
    job->text = arena_str(job->arena, text);
    job->number = number;
    engine->restore_left++;
    job_add(job);
    return ST_OK;
}

void engine__op_remove(void *self, Req *req)
{
    Engine *engine = self;
    const EngPipe *pipe = engine__pipe_find(engine, json_str(req->in, "name", STR("")));
    if (!pipe) {
        req_fail(req, ST_NOT_FOUND, "no such pipeline");
        return;
    }
    EngJob *job = job_new(engine, JOB_REMOVE, req);
    if (!job) {
        req_fail(req, ST_BUSY, "too many deploys wait");
        return;
    }
    job->file = arena_str(job->arena, str_from(pipe->file));
    job_add(job);
}
