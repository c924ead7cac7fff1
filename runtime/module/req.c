/* runtime/module/req.c: a request between the bus and a module.
 *
 * Parses the body once into an arena of its own, checks role and schema, and calls the op. The
 * caller is answered exactly once: by the module, by the timeout, or by the closing host. After a
 * timeout the Req stays alive until the module lets go of it; only the answer is then dropped. */
#include "module/host_private.h"

#include "base/mem.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

enum { LIVE = 0x7e57ab1e, FAIL_TEXT_BYTES = 512 };

struct HostReq {
    Req pub; /* what the module sees; host_private points back here */
    uint32_t state;
    HostMod *mod;
    BusReq *bus_req; /* NULL once the caller was answered */
    LoopTimer *timer;
    HostReq *next, **link;
};

static void answer(HostReq *req, Status status, Str body)
{
    loop_timer_stop(req->timer);
    req->timer = NULL;
    if (!req->bus_req) return;
    bus_answer(req->bus_req, status, body);
    req->bus_req = NULL;
}

static void release(HostReq *req)
{
    req->state = 0;
    *req->link = req->next;
    if (req->next) req->next->link = req->link;
    arena_free(req->pub.arena); /* the HostReq lives in it */
}

static HostReq *private_of(Req *req)
{
    HostReq *host_req = req->host_private;
    assert(host_req->state == LIVE); /* answered twice: a bug of the module */
    return host_req;
}

void req_answer(Req *req, Str json)
{
    HostReq *host_req = private_of(req);
    answer(host_req, ST_OK, json);
    release(host_req);
}

void req_fail(Req *req, Status status, const char *format, ...)
{
    HostReq *host_req = private_of(req);
    char text[FAIL_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    answer(host_req, status ? status : ST_INTERNAL, str_from(text));
    release(host_req);
}

void req_answer_buf(Req *req, Buf *body)
{
    Buf held = *body;
    *body = (Buf){0};
    if (held.failed)
        req_fail(req, ST_LIMIT, "the answer is too large: ask for less");
    else
        req_answer(req, buf_view(&held));
    buf_done(&held);
}

void req_fail_json(Req *req, Status status, Str json)
{
    HostReq *host_req = private_of(req);
    answer(host_req, status ? status : ST_INTERNAL, json);
    release(host_req);
}

static void on_timeout(void *ctx)
{
    HostReq *req = ctx;
    Log *log = req->mod->host->options.log;
    log_warn(log, "host", "op gave no answer in time", "op=%s", req->pub.op->subject);
    answer(req, ST_TIMEOUT, STR("the module gave no answer in time"));
}

void host__cancel_requests(HostMod *mod)
{
    while (mod->reqs) {
        HostReq *req = mod->reqs;
        answer(req, ST_CANCELLED, STR("the module is closing"));
        release(req);
    }
}

static Status check_role(const ModOp *op, const BusCaller *caller)
{
    uint32_t wanted = op->role;
    if (wanted == ROLE_NONE) return ST_OK;
    if (!(wanted & ROLE_SYSTEM)) wanted |= ROLE_ADMIN;
    if (caller->roles & wanted) return ST_OK;
    return caller->user.len ? ST_FORBIDDEN : ST_UNAUTHENTICATED;
}

static Str keep(Arena *arena, Str text)
{
    return text.len ? arena_str(arena, text) : STR_NONE;
}

/* Fills everything a module may look at; on failure `diag` says what the caller did wrong. */
static Status prepare(HostReq *req, const BusMsg *msg, Diag *diag)
{
    Arena *arena = req->pub.arena;
    Str body = str_trim(msg->body);
    body = arena_str(arena, body.len ? body : STR("{}"));
    if (!body.ptr) return diag_set(diag, ST_NO_MEMORY, "no memory for the request");
    Status st = json_read(arena, body, &req->pub.in, diag);
    if (!st) st = field_check(req->pub.op->in, req->pub.in, diag);
    if (st) return st;
    req->pub.caller =
        (BusCaller){keep(arena, msg->caller.user), keep(arena, msg->caller.org), msg->caller.roles,
                    keep(arena, msg->caller.address), keep(arena, msg->caller.name)};
    return loop_timer_start(req->mod->host->options.loop, req->pub.op->timeout_ms, 0, on_timeout,
                            req, &req->timer);
}

static HostReq *req_new(HostMod *mod, const ModOp *op)
{
    Arena *arena = arena_new(0, HOST_REQ_ARENA_BYTES_MAX);
    HostReq *req = arena ? arena_one(arena, HostReq) : NULL;
    if (!req) {
        arena_free(arena);
        return NULL;
    }
    req->pub.arena = arena;
    req->pub.op = op;
    req->pub.host_private = req;
    req->state = LIVE;
    req->mod = mod;
    req->next = mod->reqs;
    req->link = &mod->reqs;
    if (req->next) req->next->link = &req->next;
    mod->reqs = req;
    return req;
}

void host__on_request(void *ctx, const BusMsg *msg)
{
    HostSub *sub = ctx;
    HostMod *mod = sub->mod;
    if (!msg->req) return; /* published instead of asked: nobody waits for an answer */
    Status st = check_role(sub->op, &msg->caller);
    if (st) {
        bus_answer(msg->req, st, str_from(status_text(st)));
        return;
    }
    /* While draining, other modules may still need this one to finish what they accepted. */
    if (mod->host->draining && (mod->drained || !(msg->caller.roles & ROLE_SYSTEM))) {
        bus_answer(msg->req, ST_UNAVAILABLE, STR("the program is stopping"));
        return;
    }
    HostReq *req = req_new(mod, sub->op);
    if (!req) {
        bus_answer(msg->req, ST_NO_MEMORY, STR("no memory for the request"));
        return;
    }
    Diag diag = {0};
    req->bus_req = msg->req;
    st = prepare(req, msg, &diag);
    if (st)
        req_fail(&req->pub, st, "%s", diag.text);
    else
        sub->op->fn(mod->self, &req->pub);
}
