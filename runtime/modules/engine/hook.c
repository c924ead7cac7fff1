/* runtime/modules/engine/hook.c: requests to paths of pipelines (`from http`) and their answers.
 *
 * A request is a record with a token; the record's number goes along with its rows. On the shard
 * the rows of `reply` and of error records are taken out of a batch as notes; here a note becomes
 * the answer of its request, which is sent when the batch is acknowledged: when every sink has it.
 * A request that is not answered in time is over for its caller; its record is not. */
#include "modules/engine/engine.h"

#include "base/clock.h"
#include "base/mem.h"

#include <sodium.h>

enum { BODY_PRESET = 64 << 10 };

struct EngHook {
    uint64_t serial; /* 0 = free; its remainder is the place in the table */
    Req *req;
    EngPipe *pipe;
    int code;     /* 0 = no answer yet */
    bool replied; /* by the program, not for want of a reply */
    Buf body;
};

Status engine__hook_open(EngSource *source, const RtSourceInfo *info, Diag *diag)
{
    Engine *engine = source->pipe->engine;
    Arena *arena = source->arena = arena_new(0, 0);
    const Json *options = NULL;
    Str text = arena ? arena_str(arena, str_from(info->options)) : STR_NONE;
    if (!text.ptr || json_read(arena, text, &options, NULL)) {
        return diag_set(diag, ST_NO_MEMORY, "no memory for a path");
    }
    source->hook_path = arena_str(arena, str_from(info->address));
    source->method = json_str(options, "method", STR("post"));
    source->open_to_all = json_bool(options, "public", false);
    source->body_max = (uint32_t)json_int(options, "max", BODY_PRESET);
    if (!engine->hooks) {
        engine->hooks = mem_zalloc(ENGINE_HOOKS_MAX, sizeof(EngHook));
    }
    if (!source->hook_path.ptr || !engine->hooks) {
        return diag_set(diag, ST_NO_MEMORY, "no memory for a path");
    }
    const EngSource *other = engine__hook_find(engine, source->method, source->hook_path);
    if (other && other != source) {
        return diag_set(diag, ST_CONFLICT, "%s belongs to pipeline %s", info->address,
                        other->pipe->name);
    }
    return ST_OK;
}

EngSource *engine__hook_find(Engine *engine, Str method, Str path)
{
    for (uint32_t i = 0; i < engine->pipe_count; i++) {
        for (uint32_t k = 0; k < ENGINE_SOURCES_MAX; k++) {
            EngSource *source = &engine->pipes[i]->sources[k];
            if (source->used && source->open && !source->closing && source->method.len &&
                str_eq(source->method, method) && str_eq(source->hook_path, path)) {
                return source;
            }
        }
    }
    return NULL;
}

/* ---- on the shard: what a batch says about requests ---- */

static void note(Buf *notes, uint64_t serial, int64_t code, Str text)
{
    int64_t head[3] = {(int64_t)serial, code, (int64_t)text.len};
    buf_add(notes, head, sizeof(head));
    buf_add(notes, text.ptr, text.len);
}

void engine__hook_notes(EngOut *out)
{
    for (uint32_t i = 0; i < out->part_count; i++) {
        EngPart *part = &out->parts[i];
        bool reply = part->sink && str_is(str_from(part->sink->kind), "reply");
        bool failed = !part->sink || (part->sink->flags & RT_SINK_ERROR);
        int64_t code = 0;
        (void)(reply && str_to_i64(str_from(part->sink->address), &code));
        for (uint32_t k = 0; k < part->count && (reply || failed); k++) {
            const RtRow *row = &part->rows[k];
            if (row->ack) {
                note(&out->notes, row->ack, code,
                     str_trim((Str){part->bytes.ptr + row->start, row->len}));
            }
        }
        part->count = reply ? 0 : part->count;
    }
}

/* ---- on main ---- */

static EngHook *hook_of(Engine *engine, uint64_t serial)
{
    EngHook *hook = engine->hooks ? &engine->hooks[serial % ENGINE_HOOKS_MAX] : NULL;
    return hook && serial && hook->serial == serial ? hook : NULL;
}

static void failed_body(Buf *body, Str error)
{
    const Json *record = NULL;
    Arena *arena = arena_new(0, 0);
    JsonOut json;
    json_out_init(&json, body);
    json_begin_object(&json);
    if (arena && !json_read(arena, error, &record, NULL)) {
        json_field_str(&json, "reason", json_str(record, "reason", STR("")));
        json_field_str(&json, "message", json_str(record, "message", STR("")));
    }
    json_end(&json);
    arena_free(arena);
}

static void take_note(EngHook *hook, int code, Str text)
{
    if (hook->replied || (!code && hook->code)) {
        return; /* the first counts, and a reply of the program before ours */
    }
    hook->replied = code != 0;
    hook->code = code ? code : 422;
    buf_clear(&hook->body);
    if (code) {
        buf_str(&hook->body, text);
    } else {
        failed_body(&hook->body, text);
    }
}

void engine__hook_take_notes(EngOut *out)
{
    Str notes = buf_view(&out->notes);
    int64_t head[3];
    while (notes.len >= sizeof(head)) {
        memcpy(head, notes.ptr, sizeof(head));
        notes = str_skip(notes, sizeof(head));
        EngHook *hook = hook_of(out->pipe->engine, (uint64_t)head[0]);
        if (hook) {
            take_note(hook, (int)head[1], (Str){notes.ptr, (size_t)head[2]});
        }
        notes = str_skip(notes, (size_t)head[2]);
    }
    buf_clear(&out->notes);
}

static void hook_free(EngHook *hook)
{
    buf_done(&hook->body);
    hook->serial = 0;
    hook->req = NULL;
}

void engine__hook_done(Engine *engine, uint64_t serial)
{
    EngHook *hook = hook_of(engine, serial);
    if (!hook) {
        return;
    }
    AUTO_BUF Buf body;
    buf_init(&body, BUS_BODY_BYTES_MAX);
    JsonOut json;
    json_out_init(&json, &body);
    json_begin_object(&json);
    json_field_int(&json, "code", hook->code ? hook->code : 204);
    if (hook->body.len) {
        json_key(&json, "body");
        json_put_raw(&json, buf_view(&hook->body));
    }
    json_end(&json);
    if (body.failed || hook->body.failed) {
        req_fail(hook->req, ST_LIMIT, "the reply is too long for one answer");
    } else {
        req_answer(hook->req, buf_view(&body));
    }
    hook_free(hook);
}

void engine__hooks_end(EngPipe *pipe)
{
    EngHook *hooks = pipe->engine->hooks;
    for (uint32_t i = 0; hooks && i < ENGINE_HOOKS_MAX; i++) {
        if (hooks[i].serial && hooks[i].pipe == pipe) {
            req_fail(hooks[i].req, ST_UNAVAILABLE, "the pipeline was stopped");
            hook_free(&hooks[i]);
        }
    }
}

static bool may_call(const EngSource *source, Req *req)
{
    if (source->open_to_all || (req->caller.roles & (ROLE_OPERATE | ROLE_ADMIN))) {
        return true;
    }
    if (req->caller.user.len) {
        req_fail(req, ST_FORBIDDEN, "your role does not allow this");
    } else {
        req_fail(req, ST_UNAUTHENTICATED, "sign in first");
    }
    return false;
}

/* A free place, with the next number for it. */
static EngHook *hook_new(Engine *engine)
{
    for (uint32_t i = 0; i < ENGINE_HOOKS_MAX; i++) {
        uint64_t serial = ++engine->hook_serial;
        EngHook *hook = &engine->hooks[serial % ENGINE_HOOKS_MAX];
        if (!hook->serial) {
            hook->serial = serial;
            return hook;
        }
    }
    return NULL;
}

static Str decoded_body(Req *req)
{
    Str text = json_str(req->in, "body", STR(""));
    size_t len = 0;
    unsigned char *bytes = arena_many(req->arena, unsigned char, text.len + 1);
    if (!bytes || sodium_base642bin(bytes, text.len, text.ptr, text.len, NULL, &len, NULL,
                                    sodium_base64_VARIANT_ORIGINAL)) {
        return STR_NONE;
    }
    return (Str){(char *)bytes, len};
}

void engine__op_hook(void *self, Req *req)
{
    Engine *engine = self;
    Str path = json_str(req->in, "path", STR(""));
    EngSource *source = engine__hook_find(engine, json_str(req->in, "method", STR("")), path);
    if (!source || source->pipe->state != ENGINE_RUNNING) {
        req_fail(req, ST_NOT_FOUND, "no pipeline answers %.*s", STR_ARG(path));
        return;
    }
    if (!may_call(source, req)) {
        return;
    }
    Str body = decoded_body(req);
    if (!body.ptr || body.len > source->body_max) {
        req_fail(req, body.ptr ? ST_LIMIT : ST_INVALID, "the body is longer than %u bytes",
                 source->body_max);
        return;
    }
    EngHook *hook = hook_new(engine);
    if (!hook) {
        req_fail(req, ST_BUSY, "%d requests wait for their answers already", ENGINE_HOOKS_MAX);
        return;
    }
    hook->req = req;
    hook->pipe = source->pipe;
    hook->code = 0;
    hook->replied = false;
    buf_init(&hook->body, BUS_BODY_BYTES_MAX);
    EngToken token = {.value = hook->serial, .kind = TOKEN_HTTP, .slot = source->slot};
    const Json *headers = source->headers ? json_get(req->in, "headers") : NULL;
    EngRecord record = {.payload = body,
                        .topic = path,
                        .headers = headers ? headers->raw : STR_NONE,
                        .received_ns = clock_wall_ns()};
    if (engine__source_push_token(source, &record, token)) {
        hook_free(hook);
        req_fail(req, ST_LIMIT, "no room for the request");
    }
}
