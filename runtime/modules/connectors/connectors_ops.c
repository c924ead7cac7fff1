/* runtime/modules/connectors/connectors_ops.c: the engine's door: subscribe, ack, write; and test.
 */
#include "modules/connectors/connectors_int.h"

#include "base/clock.h"
#include "base/mem.h"

#include <sodium.h>

enum { TEST_MS = 6000, WINDOW_MAX = 65536, WINDOW_PRESET = 1024, WRITE_WINDOW = 1 };

static bool word_ok(Str id)
{
    if (!id.len || id.len > CONNECTORS_NAME_MAX) return false;
    for (size_t i = 0; i < id.len; i++) {
        char c = id.ptr[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '-' || c == '_';
        if (!fine) return false;
    }
    return true;
}

/* "name" or "connection": exactly one of them. */
static Status target_read(Connectors *self, const Json *in, UseWish *wish, Diag *diag)
{
    Str name = json_str(in, "name", STR_NONE);
    wish->inline_connection = json_get(in, "connection");
    if ((name.len > 0) == (wish->inline_connection != NULL))
        return diag_set(diag, ST_INVALID, "give either \"name\" or \"connection\"");
    if (!name.len) return ST_OK;
    wish->profile = map_get(&self->profiles, name);
    if (!wish->profile)
        return diag_set(diag, ST_NOT_FOUND, "there is no connection \"%.*s\"", STR_ARG(name));
    return ST_OK;
}

void connectors__op_subscribe(void *ctx, Req *req)
{
    Connectors *self = ctx;
    Diag diag = {0};
    Str id = json_str(req->in, "id", STR_NONE);
    int64_t window = json_int(req->in, "window", WINDOW_PRESET);
    UseWish wish = {.kind = USE_SUBSCRIBE,
                    .key = id,
                    .address = json_str(req->in, "address", STR_NONE),
                    .sub_options = json_get(req->in, "options"),
                    .window = (uint32_t)window};
    if (!word_ok(id) || window < 1 || window > WINDOW_MAX) {
        req_fail(req, ST_INVALID, "id is 1 to 64 of A-Z a-z 0-9 - _, window is 1 to 65536");
        return;
    }
    if (connectors__use_find(self, USE_SUBSCRIBE, id)) {
        req_fail(req, ST_CONFLICT, "subscription \"%.*s\" exists", STR_ARG(id));
        return;
    }
    Use *use;
    Status st = target_read(self, req->in, &wish, &diag);
    if (!st) st = connectors__use_open(self, &wish, &use, &diag);
    if (st) {
        req_fail(req, st, "%s", diag.text);
        return;
    }
    Str answer = arena_printf(req->arena, "{\"id\":\"%.*s\"}", STR_ARG(id));
    req_answer(req, answer);
}

void connectors__op_unsubscribe(void *ctx, Req *req)
{
    Use *use = connectors__use_find(ctx, USE_SUBSCRIBE, json_str(req->in, "id", STR_NONE));
    if (!use) {
        req_fail(req, ST_NOT_FOUND, "there is no such subscription");
        return;
    }
    connectors__use_close(use);
    req_answer(req, STR("{}"));
}

void connectors__op_ack(void *ctx, Req *req)
{
    Use *use = connectors__use_find(ctx, USE_SUBSCRIBE, json_str(req->in, "id", STR_NONE));
    int64_t seq = json_int(req->in, "seq", -1);
    if (!use) {
        req_fail(req, ST_NOT_FOUND, "there is no such subscription");
        return;
    }
    if (seq < 0 || (uint64_t)seq >= use->next_seq) {
        req_fail(req, ST_INVALID, "record %lld was not sent", (long long)seq);
        return;
    }
    while (use->acked < (uint64_t)seq) {
        use->acked++;
        uint64_t token = use->tokens[use->acked % use->window];
        if (token) use->driver->ack(use->link, token);
    }
    req_answer(req, STR("{}"));
}

static void on_written(void *ctx, Status status, Str reason)
{
    Req *req = ctx;
    if (status)
        req_fail(req, status, "%.*s", STR_ARG(reason));
    else
        req_answer(req, STR("{}"));
}

/* The payload's bytes: as they stand, or what base64 stands for. */
static Status write_payload(Req *req, Str *ret_payload, Diag *diag)
{
    Str text = json_str(req->in, "payload", STR_NONE);
    *ret_payload = text;
    if (!json_bool(req->in, "base64", false)) return ST_OK;
    size_t bytes = 0;
    unsigned char *room = arena_alloc(req->arena, text.len / 4 * 3 + 4);
    if (!room) return diag_set(diag, ST_NO_MEMORY, "out of memory");
    if (sodium_base642bin(room, text.len / 4 * 3 + 4, text.ptr, text.len, NULL, &bytes, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0)
        return diag_set(diag, ST_INVALID, "the payload is not base64");
    *ret_payload = str_slice((const char *)room, bytes);
    return ST_OK;
}

void connectors__op_write(void *ctx, Req *req)
{
    Connectors *self = ctx;
    Diag diag = {0};
    UseWish wish = {.kind = USE_WRITE, .window = WRITE_WINDOW};
    int64_t qos = json_int(req->in, "qos", 1);
    Status st = target_read(self, req->in, &wish, &diag);
    if (!st && (qos < 0 || qos > 2)) st = diag_set(&diag, ST_INVALID, "qos is 0, 1 or 2");
    Str payload = STR_NONE;
    if (!st) st = write_payload(req, &payload, &diag);
    if (st) {
        req_fail(req, st, "%s", diag.text);
        return;
    }
    /* A connection given in the request is known by a digest: its text may hold a password, and
     * keys are shown in logs. */
    wish.key = wish.profile
                   ? str_from(wish.profile->name)
                   : arena_printf(req->arena, "inline:%016llx",
                                  (unsigned long long)hash_bytes(wish.inline_connection->raw.ptr,
                                                                 wish.inline_connection->raw.len));
    Use *use = connectors__use_find(self, USE_WRITE, wish.key);
    if (!use) st = connectors__use_open(self, &wish, &use, &diag);
    if (!st && !use->driver->write)
        st = diag_set(&diag, ST_UNSUPPORTED, "a %s device cannot be written", use->driver->kind);
    if (st) {
        req_fail(req, st, "%s", diag.text);
        return;
    }
    if (use->profile) use->profile->writes++;
    st = use->driver->write(use->link, json_str(req->in, "address", STR_NONE), payload,
                            (uint8_t)qos, json_bool(req->in, "retain", false), on_written, req);
    if (st) req_fail(req, st, "%s", status_text(st));
}

static void on_test_over(void *ctx)
{
    Use *use = ctx;
    if (use->req) connectors__test_answer(use, false, STR("no answer in time"));
    connectors__use_close(use);
}

void connectors__test_answer(Use *use, bool ok, Str error)
{
    Req *req = use->req;
    if (!req) return;
    use->req = NULL;
    JsonOut out;
    Buf body;
    buf_init(&body, 4096);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_field_bool(&out, "ok", ok);
    json_field_str(&out, "error", error);
    json_field_int(&out, "ms", (clock_monotonic_ns() - use->started_ns) / NS_PER_MS);
    json_end(&out);
    if (body.failed)
        req_fail(req, ST_NO_MEMORY, "out of memory");
    else
        req_answer(req, buf_view(&body));
    buf_done(&body);
    /* The driver is in the middle of a call: closed on a later turn. */
    loop_timer_stop(use->timer);
    use->timer = NULL;
    if (loop_timer_start(use->self->env.loop, 0, 0, on_test_over, use, &use->timer))
        log_error(use->self->env.log, "connectors", "no timer", "%s", "");
}

void connectors__op_test(void *ctx, Req *req)
{
    Connectors *self = ctx;
    Diag diag = {0};
    UseWish wish = {.kind = USE_TEST, .window = WRITE_WINDOW};
    Str name = json_str(req->in, "name", STR_NONE);
    wish.profile = name.len ? map_get(&self->profiles, name) : NULL;
    if (json_get(req->in, "kind")) {
        wish.profile = NULL;
        wish.inline_connection = req->in;
    } else if (!wish.profile) {
        req_fail(req, ST_NOT_FOUND, "there is no connection \"%.*s\"", STR_ARG(name));
        return;
    }
    Use *use;
    Status st = connectors__use_open(self, &wish, &use, &diag);
    if (st) {
        req_fail(req, st, "%s", diag.text);
        return;
    }
    use->req = req;
    if (loop_timer_start(self->env.loop, TEST_MS, 0, on_test_over, use, &use->timer))
        connectors__use_close(use);
}
