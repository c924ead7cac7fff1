/* runtime/module/gateway_pages.c: an answer of many pages, streamed (OP_PAGES).
 *
 * The op is asked page by page, each only when the one before left for the kernel, so neither side
 * holds more than a page. A page that fails in the middle ends the connection without the last
 * chunk: whoever reads sees that the body is not whole (RFC 9112, section 8). */
#include "module/gateway_int.h"

typedef struct Pages {
    GwCall *call;
    Str next; /* of the page to come, in the request's arena until the next one is there */
    bool begun, gone, waiting;
    char room[256];
} Pages;

static void ask_page(Pages *pages);

static void on_drain(void *ctx)
{
    Pages *pages = ctx;
    if (!pages->waiting) return;
    pages->waiting = false;
    ask_page(pages);
}

/* While a page is asked for its answer ends the exchange. */
static void on_gone(void *ctx)
{
    Pages *pages = ctx;
    pages->gone = true;
    if (pages->waiting) http_end(pages->call->req);
}

static void fail(Pages *pages, Status status, const char *text)
{
    HttpReq *req = pages->call->req;
    if (!pages->begun)
        gateway__fail(req, status, 0, text);
    else if (pages->gone)
        http_end(req);
    else
        http_abort(req);
}

static void put(Pages *pages, Str text)
{
    GwCall *call = pages->call;
    if (!pages->begun) {
        pages->begun = true;
        gateway__secure_fields(call->req);
        http_set(call->req, "Cache-Control", STR("no-store"));
        http_begin(call->req, 200, call->route->type, on_drain, on_gone, pages);
    }
    if (pages->gone) {
        http_end(call->req);
        return;
    }
    pages->waiting = true;
    size_t left = http_write(call->req, text);
    if (!pages->next.len || left == SIZE_MAX) {
        pages->waiting = false;
        http_end(call->req);
        return;
    }
    if (left) return;
    pages->waiting = false;
    ask_page(pages);
}

static void on_page(void *ctx, Status status, Str body)
{
    Pages *pages = ctx;
    Gateway *gateway = pages->call->gateway;
    const Json *answer = NULL;
    Arena *arena = arena_new(0, 8 << 20);
    gateway->pending--;
    if (!status && arena) status = json_read(arena, body, &answer, NULL);
    if (status || !arena) {
        char text[256] = "";
        if (body.len < sizeof text) memcpy(text, body.ptr, body.len);
        fail(pages, status ? status : ST_NO_MEMORY, text);
    } else {
        Str next = json_str(answer, "next", STR_NONE);
        pages->next = next.len < sizeof pages->room ? str_slice(pages->room, next.len) : STR_NONE;
        if (pages->next.len) memcpy(pages->room, next.ptr, next.len);
        put(pages, json_str(answer, "text", STR_NONE));
    }
    arena_free(arena);
    gateway__check_done(gateway);
}

/* The call's own input with another `after`. */
static Status page_input(Pages *pages, Buf *body)
{
    JsonOut out;
    const Json *input;
    Arena *arena = arena_new(0, 8 << 20);
    Status st = arena ? json_read(arena, pages->call->input, &input, NULL) : ST_NO_MEMORY;
    json_out_init(&out, body);
    json_begin_object(&out);
    for (const Json *field = st ? NULL : input->first; field; field = field->next) {
        if (str_is(field->key, "after")) continue;
        json_key_str(&out, field->key);
        json_put_raw(&out, field->raw);
    }
    json_field_str(&out, "after", pages->next);
    json_end(&out);
    arena_free(arena);
    return st ? st : buf_status(body);
}

static void ask_page(Pages *pages)
{
    GwCall *call = pages->call;
    Buf body;
    buf_init(&body, BUS_BODY_BYTES_MAX);
    Status st = page_input(pages, &body);
    if (!st)
        st = bus_request(call->gateway->conf.bus, str_from(call->route->op->subject),
                         buf_view(&body), &call->caller, call->route->op->timeout_ms, on_page,
                         pages);
    buf_done(&body);
    if (st)
        fail(pages, st, NULL);
    else
        call->gateway->pending++;
}

void gateway__pages(GwCall *call, Str input)
{
    Pages *pages = arena_one(call->req->arena, Pages);
    Status st = pages ? ST_OK : ST_NO_MEMORY;
    if (!st) {
        *pages = (Pages){.call = call};
        call->input = arena_str(call->req->arena, input);
        if (!call->input.ptr) st = ST_NO_MEMORY;
    }
    if (!st)
        st = bus_request(call->gateway->conf.bus, str_from(call->route->op->subject), input,
                         &call->caller, call->route->op->timeout_ms, on_page, pages);
    if (st)
        gateway__fail(call->req, st, 0, NULL);
    else
        call->gateway->pending++;
}
