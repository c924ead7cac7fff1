/* runtime/module/gateway_hook.c: requests to paths that pipelines answer (`from http`).
 *
 * The request goes to the engine as an op of its own: method, path, fields and body. What proves
 * who asks stays here: programs write their records to places where others read. */
#include "module/gateway_int.h"

#include "base/json.h"
#include "module/host.h"

#include <sodium.h>

enum { HOOK_TIMEOUT_MS = 30000 };

static bool is_secret(Str name)
{
    return str_is(name, "authorization") || str_is(name, "proxy-authorization") ||
           str_is(name, "cookie");
}

/* {"content-type":"text/plain",...} */
static void put_headers(const HttpReq *req, JsonOut *out)
{
    Str name, value;
    json_key(out, "headers");
    json_begin_object(out);
    for (uint32_t at = 0; http_field_next(req, &at, &name, &value);) {
        if (is_secret(name)) continue;
        json_key_str(out, name);
        json_put_str(out, value);
    }
    json_end(out);
}

/* {"code":201,"body":{...}} becomes the answer. */
static void answer_hook(HttpReq *req, Str body)
{
    const Json *answer = NULL;
    Str copy = arena_str(req->arena, body);
    if (!copy.ptr || json_read(req->arena, copy, &answer, NULL)) {
        gateway__fail(req, ST_NO_MEMORY, 0, NULL);
        return;
    }
    const Json *record = json_get(answer, "body");
    int code = (int)json_int(answer, "code", 204);
    if (record) {
        gateway__json(req, code, record->raw);
        return;
    }
    gateway__secure_fields(req);
    http_set(req, "Cache-Control", STR("no-store"));
    http_answer(req, code, NULL, STR_NONE);
}

static void on_hook(void *ctx, Status status, Str body)
{
    GwCall *call = ctx;
    Gateway *gateway = call->gateway;
    gateway->pending--;
    if (status == ST_NOT_FOUND)
        gateway__no_method(call->req);
    else if (status)
        gateway__fail(call->req, status, 0, arena_str(call->req->arena, body).ptr);
    else
        answer_hook(call->req, body);
    gateway__check_done(gateway);
}

static void run_hook(GwCall *call)
{
    HttpReq *req = call->req;
    size_t room = sodium_base64_ENCODED_LEN(req->body.len, sodium_base64_VARIANT_ORIGINAL);
    char *text = arena_array(req->arena, room, 1);
    Str method = str_is(req->method, "PUT") ? STR("put") : STR("post");
    Buf body;
    JsonOut out;
    buf_init(&body, BUS_BODY_BYTES_MAX);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_field_str(&out, "method", method);
    json_field_str(&out, "path", req->path);
    put_headers(req, &out);
    if (text) {
        (void)sodium_bin2base64(text, room, (const unsigned char *)req->body.ptr, req->body.len,
                                sodium_base64_VARIANT_ORIGINAL);
        json_field_text(&out, "body", text);
    }
    json_end(&out);
    Status st = text ? buf_status(&body) : ST_NO_MEMORY;
    if (!st)
        st = bus_request(call->gateway->conf.bus, STR("engine.hook"), buf_view(&body),
                         &call->caller, HOOK_TIMEOUT_MS, on_hook, call);
    buf_done(&body);
    if (st)
        gateway__fail(req, st, 0, NULL);
    else
        call->gateway->pending++;
}

void gateway__hook(Gateway *gateway, HttpReq *req)
{
    bool fits = str_is(req->method, "POST") || str_is(req->method, "PUT");
    if (!fits || !host_op(gateway->conf.host, "engine.hook")) {
        gateway__no_method(req);
        return;
    }
    GwCall *call = gateway__call_new(gateway, req);
    if (!call) return;
    call->next = run_hook;
    gateway__identify(call);
}
