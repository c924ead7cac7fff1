/* runtime/modules/engine/preview.c: what is wrong with a text, and what a deploy of it would
 * change; any number at once, nothing is stored or loaded. */
#include "modules/engine/engine.h"

typedef struct PreviewJob {
    Engine *engine;
    const ProgramCompiler *compiler;
    Req *req;
    Str file, text, old; /* old: what runs of this file, or empty */
    bool only_check;
    ProgramCompiled compiled;
    ProgramPreview preview;
    Status status;
    Diag diag;
} PreviewJob;

static void work(void *ctx)
{
    PreviewJob *job = ctx;
    const ProgramCompiler *compiler = job->compiler;
    Arena *arena = job->req->arena;
    bool can = compiler && (job->only_check || compiler->preview);
    if (!can)
        job->status = diag_set(&job->diag, ST_UNSUPPORTED, "this program has no compiler");
    else if (job->only_check)
        job->status = compiler->compile(compiler->ctx, arena, job->file, job->text, PROGRAM_CHECK,
                                        &job->compiled, &job->diag);
    else
        job->status = compiler->preview(compiler->ctx, arena, job->file, job->old, job->text,
                                        &job->preview, &job->diag);
}

static void put_list(JsonOut *json, const char *name, Str list, Str preset)
{
    json_key(json, name);
    json_put_raw(json, list.len ? list : preset);
}

/* Names that another program has: a deploy of this one is refused. */
static void put_taken(JsonOut *json, const PreviewJob *job)
{
    const Json *changes = NULL;
    json_key(json, "taken");
    json_begin_array(json);
    if (job->preview.ok && json_read(job->req->arena, job->preview.changes, &changes, NULL))
        changes = NULL;
    const Json *list = json_get(changes, "pipelines");
    for (const Json *at = list ? list->first : NULL; at; at = at->next) {
        Str name = json_str(at, "pipeline", STR(""));
        const EngPipe *pipe = engine__pipe_find(job->engine, name);
        if (!pipe || str_eq(str_from(pipe->file), job->file)) continue;
        json_begin_object(json);
        json_field_str(json, "pipeline", name);
        json_field_text(json, "by", pipe->file);
        json_end(json);
    }
    json_end(json);
}

static const EngVersion *running(const Engine *engine, Str file)
{
    for (uint32_t i = 0; i < engine->pipe_count; i++) {
        const EngPipe *pipe = engine->pipes[i];
        if (pipe->version && str_eq(str_from(pipe->file), file)) return pipe->version;
    }
    return NULL;
}

static void put_preview(JsonOut *json, const PreviewJob *job)
{
    const ProgramPreview *preview = &job->preview;
    const EngVersion *old = running(job->engine, job->file);
    json_field_bool(json, "ok", preview->ok);
    put_list(json, "problems", preview->problems, STR("[]"));
    json_field_str(json, "file", job->file);
    json_field_int(json, "version", old ? old->number : 0);
    json_field_bool(json, "same", old && str_eq(old->text, job->text));
    put_list(json, "changes", preview->changes, STR("null"));
    json_field_str(json, "text", preview->text.len ? preview->text : STR(""));
    put_taken(json, job);
}

static void done(void *ctx)
{
    PreviewJob *job = ctx;
    if (job->status) {
        req_fail(job->req, job->status, "%s", job->diag.text);
        return;
    }
    AUTO_BUF Buf body;
    buf_init(&body, BUS_BODY_BYTES_MAX);
    JsonOut json;
    json_out_init(&json, &body);
    json_begin_object(&json);
    if (job->only_check) {
        json_field_bool(&json, "ok", job->compiled.ok);
        put_list(&json, "problems", job->compiled.problems, STR("[]"));
        put_list(&json, "graph", job->compiled.graph, STR("null"));
    } else {
        put_preview(&json, job);
    }
    json_end(&json);
    if (body.failed)
        req_fail(job->req, body.failed, "the answer is too long");
    else
        req_answer(job->req, buf_view(&body));
}

static void start(Engine *engine, Req *req, bool only_check)
{
    PreviewJob *job = arena_one(req->arena, PreviewJob);
    if (!job) {
        req_fail(req, ST_NO_MEMORY, "out of memory");
        return;
    }
    job->engine = engine;
    job->compiler = engine->compiler;
    job->req = req;
    job->only_check = only_check;
    job->text = json_str(req->in, "text", STR(""));
    job->file = engine__file_name(req->arena, json_str(req->in, "file", STR("")), job->text);
    const EngVersion *old = running(engine, job->file);
    job->old = old ? arena_str(req->arena, old->text) : STR_NONE;
    Status st = loop_work(engine->env->loop, work, done, job);
    if (st) {
        req_fail(req, st, "too much at once, try again");
    }
}

void engine__op_check(void *self, Req *req)
{
    start(self, req, true);
}

void engine__op_preview(void *self, Req *req)
{
    start(self, req, false);
}
