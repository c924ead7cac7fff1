/* runtime/modules/engine/engine.c: the module: pipelines as people and other modules see them.
 *
 * Owns the shards, the list of pipelines and the tables below. What a pipeline does is in pipe.c
 * (life), shard.c (work), source.c and out.c (ends), deploy.c (versions), dead.c (what failed),
 * live.c (numbers). Everything here is on the loop's thread. */
#include "modules/engine/engine.h"

#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

static Status engine_open(void *self, const ModEnv *env, Diag *diag)
{
    Engine *engine = self;
    engine->env = env;
    engine->conf = env->conf;
    engine->compiler = program_compiler();
    buf_init(&engine->headers, 4 << 20);
    AUTO_BUF Buf path;
    buf_init(&path, 4096);
    buf_printf(&path, "%s/engine", env->data_dir);
    if (mkdir(path.ptr, 0700) && errno != EEXIST) {
        return diag_errno(diag, errno, "cannot create %s", path.ptr);
    }
    return ST_OK;
}

static Status engine_start(void *self, Diag *diag)
{
    Engine *engine = self;
    int64_t wanted = engine->conf->shards;
    for (uint32_t i = 0; i < wanted && i < ENGINE_SHARDS_MAX; i++) {
        Status st = engine__shard_start(engine, &engine->shards[i]);
        if (st) {
            return diag_set(diag, st, "cannot start shard %u", i);
        }
        engine->shard_count++;
    }
    return engine__restore(engine, diag);
}

void engine__check_drained(Engine *engine)
{
    if (engine->job || engine->leaving) {
        return; /* they end by themselves and call again */
    }
    for (uint32_t i = 0; i < engine->pipe_count; i++) {
        const EngPipe *one = engine->pipes[i];
        if (one->state == ENGINE_RUNNING || one->state == ENGINE_DRAINING || one->commands ||
            one->drain_timer) {
            return;
        }
    }
    if (engine->drain_done) {
        DoneFn *done = engine->drain_done;
        engine->drain_done = NULL;
        done(engine->drain_ctx);
    }
}

static void pipe_drained(EngPipe *pipe)
{
    engine__check_drained(pipe->engine);
}

/* Accepted records are finished; publishers of what is not accepted any more stay without answer
 * and send again to the next start. */
static void engine_drain(void *self, DoneFn *done, void *ctx)
{
    Engine *engine = self;
    atomic_store(&engine->closing, true);
    engine__jobs_close(engine);
    engine__tune_close(engine);
    engine->drain_done = done;
    engine->drain_ctx = ctx;
    for (uint32_t i = 0; i < engine->pipe_count; i++) {
        engine__pipe_stop(engine->pipes[i], pipe_drained);
    }
    engine__check_drained(engine);
}

static void engine_close(void *self)
{
    Engine *engine = self;
    if (!engine->env) {
        return;
    }
    atomic_store(&engine->closing, true);
    engine__watches_close(engine);
    engine__jobs_close(engine);
    engine__jobs_abandon(engine);
    engine__tune_close(engine);
    for (uint32_t i = 0; i < engine->pipe_count; i++) {
        atomic_store(&engine->pipes[i]->halting, true);
    }
    for (uint32_t i = 0; i < engine->shard_count; i++) {
        engine__shard_stop(engine->shards[i]);
    }
    for (uint32_t i = 0; i < engine->pipe_count; i++) {
        engine__shard_stop(engine->pipes[i]->own);
        engine->pipes[i]->own = NULL;
    }
    for (uint32_t i = 0; i < engine->pipe_count; i++) {
        engine__pipe_free(engine->pipes[i]);
    }
    engine->pipe_count = engine->shard_count = 0;
    mem_free(engine->hooks);
    engine->hooks = NULL;
    buf_done(&engine->headers);
}

/* ---- ops ---- */

void engine__op_list(void *self, Req *req)
{
    const Engine *engine = self;
    AUTO_BUF Buf body;
    buf_init(&body, BUS_BODY_BYTES_MAX);
    JsonOut out;
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_key(&out, "pipelines");
    json_begin_array(&out);
    for (uint32_t i = 0; i < engine->pipe_count; i++) {
        engine__summary(engine->pipes[i], &out, false);
    }
    json_end(&out);
    json_end(&out);
    if (body.failed) {
        req_fail(req, body.failed, "the list is too long for one answer");
    } else {
        req_answer(req, buf_view(&body));
    }
}

/* Sums over all pipelines, for /metrics. */
static void op_stats(void *self, Req *req)
{
    const Engine *engine = self;
    RtCounters sum = {0};
    int64_t running = 0, failed = 0, troubled = 0, waiting = 0, dropped = 0;
    for (uint32_t i = 0; i < engine->pipe_count; i++) {
        EngPipe *pipe = engine->pipes[i];
        running += pipe->state == ENGINE_RUNNING;
        failed += pipe->state == ENGINE_FAILED;
        waiting += atomic_load(&pipe->flight);
        dropped += (int64_t)pipe->queue.dropped;
        troubled += engine__trouble(pipe, &sum);
    }
    Str body = arena_printf(
        req->arena,
        "{\"pipelines\":%u,\"running\":%lld,\"failed\":%lld,\"troubled\":%lld,\"waiting\":%lld,"
        "\"in\":%llu,\"out\":%llu,\"errors\":%llu,\"late\":%llu,\"dropped\":%lld}",
        engine->pipe_count, (long long)running, (long long)failed, (long long)troubled,
        (long long)waiting, (unsigned long long)sum.in,
        (unsigned long long)(sum.emitted + sum.row_emitted),
        (unsigned long long)(sum.errors + sum.row_errors), (unsigned long long)sum.late,
        (long long)dropped);
    req_answer(req, body);
}

static EngPipe *asked_pipe(Engine *engine, Req *req)
{
    Str name = json_str(req->in, "name", STR(""));
    EngPipe *pipe = engine__pipe_find(engine, name);
    if (!pipe) {
        req_fail(req, ST_NOT_FOUND, "no pipeline %.*s", STR_ARG(name));
    }
    return pipe;
}

static void answer_summary(const EngPipe *pipe, Req *req, bool whole)
{
    AUTO_BUF Buf body;
    buf_init(&body, BUS_BODY_BYTES_MAX);
    JsonOut out;
    json_out_init(&out, &body);
    engine__summary(pipe, &out, whole);
    if (body.failed) {
        req_fail(req, body.failed, "the answer is too long");
    } else {
        req_answer(req, buf_view(&body));
    }
}

void engine__op_get(void *self, Req *req)
{
    const EngPipe *pipe = asked_pipe(self, req);
    if (pipe) {
        answer_summary(pipe, req, true);
    }
}

void engine__op_start(void *self, Req *req)
{
    EngPipe *pipe = asked_pipe(self, req);
    if (!pipe) {
        return;
    }
    if (!pipe->version || pipe->state == ENGINE_DRAINING) {
        req_fail(req, ST_CONFLICT,
                 pipe->version ? "it is still draining, try again"
                               : "its program does not compile");
        return;
    }
    if (pipe->state != ENGINE_RUNNING) {
        Diag diag = {0};
        EngRun *run = NULL;
        Status st = engine__run_new(pipe, pipe->version, &run, &diag);
        if (st) {
            req_fail(req, st, "%s", diag.text);
            return;
        }
        engine__pipe_run(pipe, run);
    }
    pipe->wanted = true;
    engine__store_wanted(pipe);
    answer_summary(pipe, req, false);
}

static void stop_answer(EngPipe *pipe)
{
    Req *req = pipe->stop_req;
    pipe->stop_req = NULL;
    if (req) {
        answer_summary(pipe, req, false);
    }
}

void engine__op_stop(void *self, Req *req)
{
    EngPipe *pipe = asked_pipe(self, req);
    if (!pipe) {
        return;
    }
    if (pipe->stop_req) {
        req_fail(req, ST_BUSY, "it is being stopped already");
        return;
    }
    pipe->wanted = false;
    engine__store_wanted(pipe);
    pipe->stop_req = req;
    engine__pipe_stop(pipe, stop_answer);
}

/* One place has the settings: what `into email` uses. */
static void op_mail_server(void *self, Req *req)
{
    const Engine *engine = self;
    Buf body;
    JsonOut out;
    buf_init(&body, 16384);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_field_str(&out, "url", engine->conf->mail_url);
    json_field_str(&out, "from", engine->conf->mail_from);
    json_end(&out);
    req_answer_buf(req, &body);
}

/* ---- tables ---- */

static const ModConf conf[] = {
    {"shards", CONF_INT, "1", 1, ENGINE_SHARDS_MAX, offsetof(EngineConf, shards), 0,
     "threads that run pipelines"},
    {"keep_versions", CONF_INT, "100", 1, 100000, offsetof(EngineConf, keep_versions), 0,
     "stored versions of a program; older ones are deleted"},
    {"dead_rows_max", CONF_INT, "100000", 100, 100000000, offsetof(EngineConf, dead_rows_max), 0,
     "rows of the dead-letter table; the oldest leave first"},
    {"mail_url", CONF_STR, "", 0, 2048, offsetof(EngineConf, mail_url), CONF_SECRET,
     "mail server for `into email`: smtp://user:password@host:587"},
    {"mail_from", CONF_STR, "", 0, 320, offsetof(EngineConf, mail_from), 0,
     "sender of `into email`; tutti@HOST when left out"},
    {0}};

static const Field name_in[] = {
    {"name", FIELD_STR, FIELD_REQUIRED, 1, ENGINE_NAME_BYTES_MAX, "the pipeline's name"}, {0}};
static const Field text_in[] = {
    {"text", FIELD_STR, FIELD_REQUIRED, 0, ENGINE_TEXT_BYTES_MAX, "a program"},
    {"file", FIELD_STR, 0, 0, 255, "its file's name; deploying it again replaces it"},
    {0}};
static const Field rows_in[] = {
    {"name", FIELD_STR, FIELD_REQUIRED, 1, ENGINE_NAME_BYTES_MAX, "the pipeline's name"},
    {"limit", FIELD_INT, 0, 1, 1000, "at most so many rows"},
    {0}};
static const Field trigger_in[] = {
    {"name", FIELD_STR, FIELD_REQUIRED, 1, ENGINE_NAME_BYTES_MAX, "the pipeline's name"},
    {"record", FIELD_ANY, 0, 0, 0, "for `from manual as ...`: the record, or its text"},
    {0}};
static const Field hook_in[] = {{"method", FIELD_STR, FIELD_REQUIRED, 1, 8, "post or put"},
                                {"path", FIELD_STR, FIELD_REQUIRED, 1, 256, "as in `from http`"},
                                {"body", FIELD_STR, FIELD_REQUIRED, 0, 1 << 20, "base64"},
                                {"headers", FIELD_OBJECT, 0, 0, 0, "fields of the request"},
                                {0}};
static const Field watch_in[] = {
    {"pipeline", FIELD_STR, 0, 0, ENGINE_NAME_BYTES_MAX, "which pipeline to watch"},
    {"watch", FIELD_STR, 0, 0, 24, "a watch to renew"},
    {"hz", FIELD_NUMBER, 0, 0.1, 10, "frames per second"},
    {0}};
static const Field unwatch_in[] = {{"watch", FIELD_STR, FIELD_REQUIRED, 1, 24, "the watch to end"},
                                   {0}};

static const Field list_out[] = {
    {"pipelines", FIELD_ARRAY, FIELD_REQUIRED, 0, 0, "summaries, by name"}, {0}};
static const Field check_out[] = {
    {"ok", FIELD_BOOL, FIELD_REQUIRED, 0, 0, "it has no errors"},
    {"problems", FIELD_ARRAY, FIELD_REQUIRED, 0, 0, "errors, warnings, notes"},
    {"graph", FIELD_ANY, 0, 0, 0, "nodes and wires, or null"},
    {0}};
static const Field preview_out[] = {
    {"ok", FIELD_BOOL, FIELD_REQUIRED, 0, 0, "it has no errors"},
    {"problems", FIELD_ARRAY, FIELD_REQUIRED, 0, 0, "errors, warnings, notes"},
    {"file", FIELD_STR, FIELD_REQUIRED, 0, 0, "the program it would replace, or be"},
    {"version", FIELD_INT, FIELD_REQUIRED, 0, 0, "of it that runs; 0 = none"},
    {"same", FIELD_BOOL, FIELD_REQUIRED, 0, 0, "this very text runs"},
    {"changes", FIELD_ANY, 0, 0, 0, "pipelines, ends, state; as `tutti diff --json`, or null"},
    {"text", FIELD_STR, FIELD_REQUIRED, 0, 0, "the changes in sentences"},
    {"taken", FIELD_ARRAY, FIELD_REQUIRED, 0, 0, "pipelines another program has: refused"},
    {0}};
static const Field deploy_out[] = {
    {"deployed", FIELD_ARRAY, FIELD_REQUIRED, 0, 0, "names of its pipelines"},
    {"version", FIELD_INT, 0, 0, 0, "of the program"},
    {"problems", FIELD_ARRAY, FIELD_REQUIRED, 0, 0, "warnings and notes"},
    {0}};
static const Field summary_out[] = {
    {"name", FIELD_STR, FIELD_REQUIRED, 0, 0, "the pipeline's name"},
    {"state", FIELD_STR, FIELD_REQUIRED, 0, 0, "compiling running stopped failed draining"},
    {"version", FIELD_INT, FIELD_REQUIRED, 0, 0, "of its program"},
    {"since", FIELD_INT, FIELD_REQUIRED, 0, 0, "ms since 1970 in this state"},
    {"file", FIELD_STR, FIELD_REQUIRED, 0, 0, "the program it came with"},
    {"error", FIELD_ANY, 0, 0, 0, "why it failed or waits, or null"},
    {"in", FIELD_INT, 0, 0, 0, "records that came in"},
    {"out", FIELD_INT, 0, 0, 0, "records and rows that reached a sink"},
    {"filtered", FIELD_INT, 0, 0, 0, "left out by where"},
    {"late", FIELD_INT, 0, 0, 0, "came after their window had closed"},
    {"errors", FIELD_INT, 0, 0, 0, "error records"},
    {"held", FIELD_INT, 0, 0, 0, "went into windows"},
    {"learnt", FIELD_INT, 0, 0, 0, "JSON records that fitted a learnt layout"},
    {"missed", FIELD_INT, 0, 0, 0, "good JSON records that fitted none"},
    {"shared", FIELD_INT, 0, 0, 0, "records that came decoded for another pipeline"},
    {"layouts", FIELD_ARRAY, 0, 0, 0, "how many records each learnt layout took"},
    {"waiting", FIELD_INT, 0, 0, 0, "batches whose sinks have not taken them yet"},
    {"dropped", FIELD_INT, 0, 0, 0, "QoS 0 records that found the queue full"},
    {"in_rate", FIELD_NUMBER, 0, 0, 0, "per second"},
    {"out_rate", FIELD_NUMBER, 0, 0, 0, "per second"},
    {"error_rate", FIELD_NUMBER, 0, 0, 0, "per second"},
    {"last_error", FIELD_ANY, 0, 0, 0, "the last error record, or null"},
    {"text", FIELD_STR, 0, 0, 0, "source of the program"},
    {"graph", FIELD_ANY, 0, 0, 0, "nodes and wires"},
    {"problems", FIELD_ARRAY, 0, 0, 0, "warnings and notes"},
    {0}};
static const Field lineage_in[] = {{"topic", FIELD_STR, FIELD_REQUIRED, 1, 4096, "a topic name"},
                                   {0}};
static const Field lineage_out[] = {
    {"writes", FIELD_ARRAY, FIELD_REQUIRED, 0, 0, "pipeline, running, by, from"},
    {"reads", FIELD_ARRAY, FIELD_REQUIRED, 0, 0, "pipeline, running, by, into"},
    {0}};
static const Field stats_out[] = {
    {"pipelines", FIELD_INT, FIELD_REQUIRED, 0, 0, "how many there are"},
    {"running", FIELD_INT, FIELD_REQUIRED, 0, 0, "of them run"},
    {"failed", FIELD_INT, FIELD_REQUIRED, 0, 0, "of them failed"},
    {"troubled", FIELD_INT, FIELD_REQUIRED, 0, 0, "have a sink or source that does not work now"},
    {"waiting", FIELD_INT, FIELD_REQUIRED, 0, 0, "batches whose sinks have not taken them yet"},
    {"in", FIELD_INT, FIELD_REQUIRED, 0, 0, "records that came in"},
    {"out", FIELD_INT, FIELD_REQUIRED, 0, 0, "records and rows that reached a sink"},
    {"errors", FIELD_INT, FIELD_REQUIRED, 0, 0, "error records"},
    {"late", FIELD_INT, FIELD_REQUIRED, 0, 0, "came after their window had closed"},
    {"dropped", FIELD_INT, FIELD_REQUIRED, 0, 0, "QoS 0 records that found the queue full"},
    {0}};
static const Field hook_out[] = {{"code", FIELD_INT, FIELD_REQUIRED, 0, 0, "of the HTTP answer"},
                                 {"body", FIELD_ANY, 0, 0, 0, "what the pipeline replied"},
                                 {0}};
static const Field dead_out[] = {
    {"rows", FIELD_ARRAY, FIELD_REQUIRED, 0, 0, "newest first"},
    {"total", FIELD_INT, FIELD_REQUIRED, 0, 0, "rows of this pipeline"},
    {0}};
static const Field replay_out[] = {
    {"replayed", FIELD_INT, FIELD_REQUIRED, 0, 0, "records put into the pipeline again"}, {0}};
static const Field versions_out[] = {
    {"file", FIELD_STR, FIELD_REQUIRED, 0, 0, "the program"},
    {"versions", FIELD_ARRAY, FIELD_REQUIRED, 0, 0, "newest first"},
    {0}};
static const Field mail_out[] = {
    {"url", FIELD_STR, FIELD_REQUIRED | FIELD_SECRET, 0, 0, "empty: none was named"},
    {"from", FIELD_STR, FIELD_REQUIRED, 0, 0, "sender, or empty"},
    {0}};
static const Field watch_out[] = {
    {"watch", FIELD_STR, FIELD_REQUIRED, 0, 0, "events come as engine.wires.WATCH"}, {0}};
static const Field event_body[] = {{"name", FIELD_STR, FIELD_REQUIRED, 0, 0, "the pipeline"},
                                   {"state", FIELD_STR, FIELD_REQUIRED, 0, 0, "its state now"},
                                   {"version", FIELD_INT, FIELD_REQUIRED, 0, 0, "of its program"},
                                   {"error", FIELD_STR, 0, 0, 0, "why it failed"},
                                   {0}};

static const ModOp ops[] = {
    {"engine.list", engine__op_list, NULL, list_out, 5000, ROLE_VIEW, OP_READ,
     "all pipelines with state and numbers"},
    {"engine.lineage", engine__op_lineage, lineage_in, lineage_out, 5000, ROLE_VIEW, OP_READ,
     "pipelines that write or read a topic, and their other ends"},
    {"engine.stats", op_stats, NULL, stats_out, 5000, ROLE_VIEW, OP_READ,
     "sums over all pipelines since they started"},
    {"engine.get", engine__op_get, name_in, summary_out, 5000, ROLE_VIEW, OP_READ,
     "one pipeline with text, graph and problems"},
    {"engine.check", engine__op_check, text_in, check_out, 15000, ROLE_VIEW, OP_READ,
     "checks a program without deploying it"},
    {"engine.preview", engine__op_preview, text_in, preview_out, 15000, ROLE_VIEW, OP_READ,
     "what a deploy would change, and what state it would keep"},
    {"engine.deploy", engine__op_deploy, text_in, deploy_out, 60000, ROLE_ENGINEER, OP_DURABLE,
     "compiles a program and runs its pipelines; running ones change over without a gap"},
    {"engine.start", engine__op_start, name_in, summary_out, 15000, ROLE_OPERATE, 0,
     "starts a pipeline"},
    {"engine.stop", engine__op_stop, name_in, summary_out, 15000, ROLE_OPERATE, 0,
     "finishes what was accepted, keeps open windows, stops"},
    {"engine.trigger", engine__op_trigger, trigger_in, NULL, 5000, ROLE_OPERATE, 0,
     "a record for a pipeline whose source is manual, every or cron, now"},
    {"engine.hook", engine__op_hook, hook_in, hook_out, 30000, ROLE_NONE, 0,
     "a request to the path of a pipeline; who may ask is up to its source"},
    {"engine.remove", engine__op_remove, name_in, NULL, 15000, ROLE_ENGINEER, OP_DURABLE,
     "stops and deletes the program this pipeline came with"},
    {"engine.versions", engine__op_versions, name_in, versions_out, 5000, ROLE_VIEW, OP_READ,
     "stored versions of a pipeline's program"},
    {"engine.dead", engine__op_dead, rows_in, dead_out, 10000, ROLE_VIEW, OP_READ,
     "records that failed, with reason and raw text"},
    {"engine.dead_replay", engine__op_replay, rows_in, replay_out, 15000, ROLE_OPERATE, 0,
     "puts failed records into the pipeline again, oldest first"},
    {"engine.watch", engine__op_watch, watch_in, watch_out, 2000, ROLE_VIEW, OP_READ,
     "live numbers of one pipeline's wires and nodes"},
    {"engine.unwatch", engine__op_unwatch, unwatch_in, NULL, 2000, ROLE_VIEW, OP_READ,
     "ends a watch"},
    {"engine.mail_server", op_mail_server, NULL, mail_out, 2000, ROLE_SYSTEM, OP_READ,
     "the mail server of this process, for modules that send mails"},
    {"engine.restored", engine__op_restored, NULL, NULL, 120000, ROLE_SYSTEM, OP_READ,
     "answers once all stored pipelines have been started"},
    {0}};

static const ModPub pubs[] = {{"engine.deployed", event_body, "a version was deployed"},
                              {"engine.started", event_body, "a pipeline runs"},
                              {"engine.stopped", event_body, "a pipeline was stopped or has ended"},
                              {"engine.failed", event_body, "a pipeline cannot run"},
                              {"engine.removed", event_body, "a pipeline is gone"},
                              {"engine.wires.>", NULL, "live numbers of a watch"},
                              {0}};

static const ModRoute routes[] = {
    {"GET", "/api/v1/pipelines", "engine.list", NULL},
    {"POST", "/api/v1/pipelines", "engine.deploy", NULL},
    {"POST", "/api/v1/pipelines/check", "engine.check", NULL},
    {"POST", "/api/v1/pipelines/preview", "engine.preview", NULL},
    {"GET", "/api/v1/pipelines/{name}", "engine.get", NULL},
    {"DELETE", "/api/v1/pipelines/{name}", "engine.remove", NULL},
    {"POST", "/api/v1/pipelines/{name}/start", "engine.start", NULL},
    {"POST", "/api/v1/pipelines/{name}/stop", "engine.stop", NULL},
    {"POST", "/api/v1/pipelines/{name}/trigger", "engine.trigger", NULL},
    {"GET", "/api/v1/pipelines/{name}/versions", "engine.versions", NULL},
    {"GET", "/api/v1/pipelines/{name}/dead", "engine.dead", NULL},
    {"POST", "/api/v1/pipelines/{name}/dead/replay", "engine.dead_replay", NULL},
    {0}};

/* Their ops take the rows of a drain, so they are drained after the engine. */
static const char *const needs[] = {"uns", "connectors", NULL};

extern const ModuleDef engine_module;
const ModuleDef engine_module = {
    .abi = MODULE_ABI,
    .name = "engine",
    .doc = "pipelines: versions, deploy, run, stop, live wire values, dead letters",
    .needs = needs,
    .self_bytes = sizeof(Engine),
    .conf_bytes = sizeof(EngineConf),
    .conf = conf,
    .migrations = engine__migrations,
    .ops = ops,
    .pubs = pubs,
    .routes = routes,
    .open = engine_open,
    .start = engine_start,
    .drain = engine_drain,
    .close = engine_close,
};
