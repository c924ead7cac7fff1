/* runtime/module/gateway.c: a request's way through the edge: who asks, may they, which op, answer.
 *
 * Owns the HTTP server and nothing else that lasts: sessions are auth's, data is the modules'.
 * The order is fixed: route, origin, identity, role, input, bus. The host checks role and input
 * once more on the other side of the bus, because in Enterprise there are other doors to it. */
#include "module/gateway_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include "module/role.h"

#include <sodium.h>
#include <stdio.h>

enum { AUTH_TIMEOUT_MS = 5000 };

void gateway__json(HttpReq *req, int code, Str body)
{
    gateway__secure_fields(req);
    http_set(req, "Cache-Control", STR("no-store"));
    http_answer(req, code, "application/json", body);
}

void gateway__fail(HttpReq *req, Status status, int code, const char *text)
{
    Buf body;
    JsonOut out;
    buf_init(&body, 4096);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_key(&out, "error");
    json_begin_object(&out);
    json_field_text(&out, "code", status_name(status));
    json_field_text(&out, "text", text && *text ? text : status_text(status));
    json_end(&out);
    json_end(&out);
    gateway__json(req, code ? code : status_http(status), buf_view(&body));
    buf_done(&body);
}

bool gateway__has_role(const GwCall *call, uint32_t role)
{
    if (role == ROLE_NONE) return true;
    if (role == ROLE_SYSTEM) return false; /* never from the edge */
    return (call->caller.roles & (role | ROLE_ADMIN)) != 0;
}

/* ---- identity ---- */

static bool safe_method(Str method)
{
    return str_is(method, "GET") || str_is(method, "OPTIONS");
}

static bool origin_is_own(const HttpReq *req)
{
    Str origin = http_field(req, "origin");
    ptrdiff_t at = origin.ptr ? str_find(origin, STR("://")) : -1;
    return at >= 0 && str_eq(str_skip(origin, (size_t)at + 3), req->host);
}

/* A page of another site can make a browser send our cookie along; it cannot forge where the
 * request comes from. A program with a token is not a browser and is not asked. */
static bool origin_holds(const HttpReq *req, bool by_cookie)
{
    Str site = http_field(req, "sec-fetch-site"), origin = http_field(req, "origin");
    if (safe_method(req->method)) return true;
    if (site.ptr && !str_is(site, "same-origin") && !str_is(site, "none")) return false;
    if (origin.ptr) return origin_is_own(req);
    return !by_cookie || site.ptr;
}

static void read_identity(GwCall *call, Str body)
{
    Arena *arena = call->req->arena;
    const Json *answer;
    Str copy = arena_str(arena, body);
    if (!copy.ptr || json_read(arena, copy, &answer, NULL)) return;
    const Json *user = json_get(answer, "user");
    if (!user || user->type != JSON_OBJECT) return;
    call->caller.user = json_str(user, "id", STR_NONE);
    call->caller.name = json_str(user, "name", STR_NONE);
    call->caller.org = json_str(answer, "org", STR_NONE);
    call->user_json = user->raw;
    call->caller.roles |= roles_listed(json_get(user, "roles"));
}

static void on_identity(void *ctx, Status status, Str body)
{
    GwCall *call = ctx;
    Gateway *gateway = call->gateway;
    gateway->pending--;
    if (!status) read_identity(call, body);
    if (status && status != ST_UNAUTHENTICATED && status != ST_NOT_FOUND) {
        gateway__fail(call->req, status, 0, "nobody can check who you are now");
    } else {
        if (status) call->session = STR_NONE;
        call->next(call);
    }
    gateway__check_done(gateway);
}

void gateway__identify(GwCall *call)
{
    HttpReq *req = call->req;
    Str header = http_field(req, "authorization"), bearer = STR_NONE;
    Str scheme = STR("Bearer ");
    call->caller.address = req->peer;
    if (str_starts(header, scheme))
        bearer = str_trim(str_skip(header, scheme.len));
    else
        call->session = http_cookie(req, GW_COOKIE);
    call->by_cookie = call->session.len > 0;
    if (!bearer.len && !origin_holds(req, call->by_cookie)) {
        gateway__fail(req, ST_FORBIDDEN, 0, "the request comes from a page of another site");
        return;
    }
    if (!bearer.len && !call->session.len) {
        call->next(call);
        return;
    }
    Buf body;
    JsonOut out;
    buf_init(&body, HTTP_HEAD_BYTES_MAX * 2);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_field_str(&out, bearer.len ? "token" : "session", bearer.len ? bearer : call->session);
    json_end(&out);
    Status st = buf_status(&body);
    BusCaller system = {.roles = ROLE_SYSTEM | ROLE_ADMIN, .address = req->peer};
    if (!st)
        st = bus_request(call->gateway->conf.bus, STR("auth.check"), buf_view(&body), &system,
                         AUTH_TIMEOUT_MS, on_identity, call);
    buf_done(&body);
    if (st)
        gateway__fail(req, st, 0, NULL);
    else
        call->gateway->pending++;
}

/* ---- ops ---- */

static void set_cookie(GwCall *call, Str session, int64_t expires_ms)
{
    Str cookie;
    int64_t left_s = expires_ms / 1000 - clock_wall_ns() / NS_PER_S;
    Arena *arena = call->req->arena;
    const char *secure = call->req->tls ? "; Secure" : "";
    if (!session.len)
        cookie = STR(GW_COOKIE "=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
    else if (left_s > 0)
        cookie = arena_printf(arena,
                              GW_COOKIE "=%.*s; Path=/; HttpOnly; SameSite=Strict%s; Max-Age=%lld",
                              STR_ARG(session), secure, (long long)left_s);
    else
        cookie = arena_printf(arena, GW_COOKIE "=%.*s; Path=/; HttpOnly; SameSite=Strict%s",
                              STR_ARG(session), secure);
    http_set(call->req, "Set-Cookie", cookie);
}

/* Sessions travel in cookies that no script can read: what auth answers as "session" is moved. */
static void answer_auth(GwCall *call, Str body)
{
    Arena *arena = call->req->arena;
    const Json *answer;
    Str copy = arena_str(arena, body);
    if (str_is(str_from(call->route->op->subject), "auth.logout")) set_cookie(call, STR_NONE, 0);
    if (!copy.ptr || json_read(arena, copy, &answer, NULL) || !json_get(answer, "session")) {
        gateway__json(call->req, 200, body);
        return;
    }
    Buf rest;
    JsonOut out;
    buf_init(&rest, BUS_BODY_BYTES_MAX);
    json_out_init(&out, &rest);
    json_begin_object(&out);
    for (const Json *field = answer->first; field; field = field->next) {
        if (str_is(field->key, "session")) {
            set_cookie(call, field->text, json_int(answer, "expires", 0));
            continue;
        }
        json_key_str(&out, field->key);
        json_put_raw(&out, field->raw);
    }
    json_end(&out);
    gateway__json(call->req, 200, buf_view(&rest));
    buf_done(&rest);
}

static void on_answer(void *ctx, Status status, Str body)
{
    GwCall *call = ctx;
    Gateway *gateway = call->gateway;
    const ModOp *op = call->route->op;
    gateway->pending--;
    if (status) {
        Str text = arena_str(call->req->arena, body);
        if (str_starts(body, STR("{"))) /* req_fail_json */
            gateway__json(call->req, status_http(status), body);
        else
            gateway__fail(call->req, status, 0, text.ptr);
    } else if (str_starts(str_from(op->subject), STR("auth."))) {
        answer_auth(call, body);
    } else if (op->flags & OP_RAW) {
        gateway__secure_fields(call->req);
        http_set(call->req, "Cache-Control", STR("no-store"));
        http_answer(call->req, 200,
                    call->route->type ? call->route->type : "application/octet-stream", body);
    } else {
        gateway__json(call->req, 200, body.len ? body : STR("{}"));
    }
    gateway__check_done(gateway);
}

static void run_op(GwCall *call)
{
    const GwRoute *route = call->route;
    uint32_t role = route->op ? route->op->role : route->role;
    if (!gateway__has_role(call, role)) {
        if (call->caller.user.len)
            gateway__fail(call->req, ST_FORBIDDEN, 0, "your role does not allow this");
        else
            gateway__fail(call->req, ST_UNAUTHENTICATED, 0, NULL);
        return;
    }
    if (route->own) {
        route->own(call);
        return;
    }
    Buf body;
    Diag diag = {0};
    buf_init(&body, BUS_BODY_BYTES_MAX);
    Status st = gateway__input(call, &body, &diag);
    if (!st && (route->op->flags & OP_PAGES)) {
        gateway__pages(call, buf_view(&body));
        buf_done(&body);
        return;
    }
    if (!st) {
        uint32_t timeout_ms = route->op->timeout_ms ? route->op->timeout_ms : 10000;
        st = bus_request(call->gateway->conf.bus, str_from(route->op->subject), buf_view(&body),
                         &call->caller, timeout_ms, on_answer, call);
        if (st) diag_set(&diag, st, "%s", status_text(st));
    }
    buf_done(&body);
    if (st)
        gateway__fail(call->req, st, 0, diag.text);
    else
        call->gateway->pending++;
}

GwCall *gateway__call_new(Gateway *gateway, HttpReq *req)
{
    GwCall *call = arena_one(req->arena, GwCall);
    if (!call) {
        gateway__fail(req, ST_NO_MEMORY, 0, NULL);
        return NULL;
    }
    call->gateway = gateway;
    call->req = req;
    return call;
}

static void handle_api(Gateway *gateway, HttpReq *req)
{
    Str allow = STR_NONE;
    GwCall *call = gateway__call_new(gateway, req);
    if (!call) return;
    call->route =
        gateway__route_find(gateway, req->arena, req->method, req->path, call->params, &allow);
    if (!call->route) {
        if (allow.len) {
            http_set(req, "Allow", allow);
            gateway__fail(req, ST_INVALID, 405, "this address does not know that method");
        } else {
            gateway__fail(req, ST_NOT_FOUND, 0, "no such address in the API");
        }
        return;
    }
    const ModOp *op = call->route->op;
    if (op && str_is(str_from(op->subject), "auth.setup") && !req->loopback) {
        gateway__fail(req, ST_FORBIDDEN, 0, "the first administrator is set on the machine itself");
        return;
    }
    call->next = run_op;
    gateway__identify(call);
}

/* Until somebody has a password, a page that rebinds its own name to 127.0.0.1 must not get in:
 * only the loopback's own names are served. */
static bool host_is_loopback(Str host)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        Str name = str_from(names[i]);
        if (str_starts(host, name) && (host.len == name.len || host.ptr[name.len] == ':'))
            return true;
    }
    return false;
}

static void answer_text(HttpReq *req, int code, const char *text)
{
    gateway__secure_fields(req);
    http_set(req, "Cache-Control", STR("no-store"));
    http_answer(req, code, "text/plain; charset=utf-8", str_from(text));
}

static void open_live(Gateway *gateway, HttpReq *req)
{
    Diag diag = {0};
    Status st = ws_check(req, false, &diag);
    if (st) {
        if (st == ST_UNSUPPORTED) {
            http_set(req, "Upgrade", STR("websocket"));
            http_set(req, "Sec-WebSocket-Version", STR("13"));
        }
        gateway__fail(req, st, st == ST_UNSUPPORTED ? 426 : 0, diag.text);
        return;
    }
    GwCall *call = gateway__call_new(gateway, req);
    if (!call) return;
    call->next = gateway__live;
    gateway__identify(call);
}

/* ---- paths of pipelines ---- */

void gateway__no_method(HttpReq *req)
{
    http_set(req, "Allow", STR("GET, HEAD"));
    gateway__fail(req, ST_INVALID, 405, "this address does not know that method");
}

static void handle(void *ctx, HttpReq *req)
{
    Gateway *gateway = ctx;
    bool get = str_is(req->method, "GET");
    if (gateway->loopback_only && (!req->loopback || !host_is_loopback(req->host))) {
        gateway__fail(req, ST_FORBIDDEN, 421,
                      "no administrator is set yet: open http://localhost on the machine itself");
    } else if (str_is(req->path, "/healthz") && get) {
        answer_text(req, 200, "ok\n");
    } else if (str_is(req->path, "/readyz") && get) {
        bool ready = host_ready(gateway->conf.host) && !gateway->closing;
        answer_text(req, ready ? 200 : 503, ready ? "ok\n" : "not ready\n");
    } else if (str_is(req->path, "/ws") && get) {
        open_live(gateway, req);
    } else if (str_is(req->path, "/mqtt") && get) {
        gateway__mqtt(gateway, req);
    } else if (str_starts(req->path, STR("/api/")) || str_is(req->path, "/metrics") ||
               str_starts(req->path, STR("/.well-known/"))) {
        handle_api(gateway, req);
    } else if (get) {
        gateway__page(req);
    } else {
        gateway__hook(gateway, req);
    }
}

/* ---- first administrator ---- */

static void open_to_all(Gateway *gateway)
{
    gateway->loopback_only = false;
    http_server_loopback_only(gateway->http, false);
}

static void on_setup_done(void *ctx, const BusMsg *msg)
{
    (void)msg;
    open_to_all(ctx);
}

static void on_auth_state(void *ctx, Status status, Str body)
{
    Gateway *gateway = ctx;
    Arena *arena = arena_new(0, 0);
    const Json *state;
    gateway->pending--;
    if (!status && arena && !json_read(arena, body, &state, NULL) && json_get(state, "setup") &&
        !json_bool(state, "setup", true))
        open_to_all(gateway);
    arena_free(arena);
    gateway__check_done(gateway);
}

/* ---- life ---- */

static void gateway_free(Gateway *gateway)
{
    bus_unsubscribe(gateway->setup_done);
    bus_unsubscribe(gateway->to_sockets);
    bus_unsubscribe(gateway->session_ended);
    mem_free(gateway->routes);
    mem_free(gateway);
}

void gateway__check_done(Gateway *gateway)
{
    if (!gateway->http_closed || gateway->pending) return;
    LoopFn *done = gateway->done;
    void *ctx = gateway->done_ctx;
    gateway_free(gateway);
    if (done) done(ctx);
}

static void on_http_closed(void *ctx)
{
    Gateway *gateway = ctx;
    gateway->http_closed = true;
    gateway__check_done(gateway);
}

void gateway_close(Gateway *gateway, uint32_t grace_ms, LoopFn *done, void *ctx)
{
    gateway->closing = true;
    gateway->done = done;
    gateway->done_ctx = ctx;
    gateway__tls_close(gateway);
    http_server_close(gateway->http, grace_ms, on_http_closed, gateway);
}

static Status wire(Gateway *gateway, Diag *diag)
{
    Bus *bus = gateway->conf.bus;
    BusCaller system = {.roles = ROLE_SYSTEM | ROLE_ADMIN};
    Status st = gateway__routes_read(gateway, diag);
    if (!st) st = gateway__sockets_open(gateway);
    if (!st)
        st = bus_subscribe(bus, "auth.setup_done", NULL, 16, 0, on_setup_done, gateway,
                           &gateway->setup_done);
    if (!st)
        st = bus_request(bus, STR("auth.state"), STR("{}"), &system, AUTH_TIMEOUT_MS, on_auth_state,
                         gateway);
    if (!st) gateway->pending++;
    return st;
}

Status gateway_open(const GatewayConf *conf, Gateway **ret_gateway, uint16_t *ret_port, Diag *diag)
{
    Gateway *gateway = mem_zalloc(1, sizeof *gateway);
    if (!gateway) return diag_set(diag, ST_NO_MEMORY, "no memory for the gateway");
    gateway->conf = *conf;
    gateway->started_ns = clock_wall_ns();
    gateway->loopback_only = true;
    if (!gateway->conf.sockets_max) gateway->conf.sockets_max = 1024;
    HttpConf http = {.handle = handle, .ctx = gateway, .loopback_only = true};
    Status st = http_server_open(conf->loop, &http, conf->log, &gateway->http);
    if (st) {
        mem_free(gateway);
        return diag_set(diag, st, "no memory for the HTTP server");
    }
    st = http_server_listen(gateway->http, conf->address, ret_port, diag);
    if (!st) st = gateway__tls_open(gateway, diag);
    if (!st) {
        st = wire(gateway, diag);
        if (st && diag && !diag->text[0]) diag_set(diag, st, "the gateway cannot use the bus");
    }
    if (st) {
        gateway_close(gateway, 0, NULL, NULL);
        return st;
    }
    *ret_gateway = gateway;
    return ST_OK;
}
