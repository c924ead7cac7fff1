/* compiler/lsp/lsp.c: the loop, JSON-RPC, and which function answers what (methods.def). */
#include "compiler/lsp/lsp.h"
#include "compiler/lsp/lsp_int.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>

typedef struct Method {
    const char *name;
    void (*fn)(Lsp *lsp, const Json *params, JsonOut *out);
} Method;

static const Method methods[] = {
#define METHOD(name, fn) {name, fn},
#include "compiler/lsp/methods.def"
#undef METHOD
};

static const struct {
    const char *name;
    void (*fn)(Lsp *lsp, const Json *params);
} notices[] = {{"textDocument/didOpen", lsp_did_open},
               {"textDocument/didChange", lsp_did_change},
               {"textDocument/didSave", lsp_did_save},
               {"textDocument/didClose", lsp_did_close}};

void lsp_fail(Lsp *lsp, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    lsp->error = code;
    lsp->error_text = arena_vprintf(lsp->arena, format, args);
    va_end(args);
}

/* ---- answers ------------------------------------------------------------------------------ */

static void begin(Lsp *lsp, JsonOut *out)
{
    buf_clear(&lsp->answer);
    json_out_init(out, &lsp->answer);
    json_begin_object(out);
    json_field_text(out, "jsonrpc", "2.0");
}

static void put_id(JsonOut *out, const Json *id)
{
    json_key(out, "id");
    if (id)
        json_put_raw(out, id->raw);
    else
        json_put_null(out);
}

static void send_error(Lsp *lsp, const Json *id, int code, Str text)
{
    JsonOut out;
    begin(lsp, &out);
    put_id(&out, id);
    json_key(&out, "error");
    json_begin_object(&out);
    json_field_int(&out, "code", code);
    json_field_str(&out, "message", text);
    json_end(&out);
    json_end(&out);
    wire_send(lsp, buf_view(&lsp->answer));
}

static void finish(Lsp *lsp, const Json *id, JsonOut *out)
{
    if (!lsp->error) json_end(out);
    if (!lsp->error && buf_status(&lsp->answer))
        lsp_fail(lsp, RPC_INTERNAL_ERROR, "the answer is too long");
    if (lsp->error)
        send_error(lsp, id, lsp->error, lsp->error_text);
    else
        wire_send(lsp, buf_view(&lsp->answer));
}

static void put_capabilities(JsonOut *out)
{
    json_key(out, "capabilities");
    json_put_raw(
        out,
        STR("{\"positionEncoding\":\"utf-16\","
            "\"textDocumentSync\":{\"openClose\":true,\"change\":2,\"save\":{\"includeText\":true}}"
            ","
            "\"hoverProvider\":true,\"definitionProvider\":true,\"referencesProvider\":true,"
            "\"documentHighlightProvider\":true,\"documentSymbolProvider\":true,"
            "\"documentFormattingProvider\":true,\"foldingRangeProvider\":true,"
            "\"renameProvider\":{\"prepareProvider\":true},"
            "\"codeActionProvider\":{\"codeActionKinds\":[\"quickfix\"]},"
            "\"completionProvider\":{\"triggerCharacters\":[\".\",\"[\"]},"
            "\"semanticTokensProvider\":{\"legend\":{\"tokenTypes\":[\"keyword\",\"type\","
            "\"property\","
            "\"function\",\"variable\",\"number\",\"string\",\"comment\",\"operator\","
            "\"enumMember\","
            "\"parameter\",\"namespace\"],\"tokenModifiers\":[\"declaration\",\"defaultLibrary\"]},"
            "\"full\":true}}"));
}

static void initialize(Lsp *lsp, const Json *id)
{
    JsonOut out;
    begin(lsp, &out);
    put_id(&out, id);
    json_key(&out, "result");
    json_begin_object(&out);
    put_capabilities(&out);
    json_key(&out, "serverInfo");
    json_begin_object(&out);
    json_field_text(&out, "name", "tutti");
    json_end(&out);
    json_end(&out);
    lsp->initialized = true;
    finish(lsp, id, &out);
}

/* ---- one message -------------------------------------------------------------------------- */

static const Method *method_named(Str name)
{
    for (size_t i = 0; i < COUNT_OF(methods); i++)
        if (str_is(name, methods[i].name)) return &methods[i];
    return NULL;
}

static void request(Lsp *lsp, Str name, const Json *id, const Json *params)
{
    JsonOut out;
    if (str_is(name, "initialize") && !lsp->initialized) {
        initialize(lsp, id);
        return;
    }
    if (!lsp->initialized || lsp->shut) {
        send_error(lsp, id, lsp->shut ? RPC_INVALID_REQUEST : RPC_NOT_INITIALIZED,
                   lsp->shut ? STR("the server is shutting down")
                             : STR("the first request is `initialize`"));
        return;
    }
    if (str_is(name, "initialize")) {
        send_error(lsp, id, RPC_INVALID_REQUEST, STR("`initialize` came before"));
        return;
    }
    const Method *method = method_named(name);
    bool shutdown = str_is(name, "shutdown");
    if (!method && !shutdown) {
        send_error(lsp, id, RPC_METHOD_NOT_FOUND, STR("this server has no such method"));
        return;
    }
    begin(lsp, &out);
    put_id(&out, id);
    json_key(&out, "result");
    if (shutdown) {
        lsp->shut = true;
        json_put_null(&out);
    } else {
        method->fn(lsp, params, &out);
    }
    finish(lsp, id, &out);
}

static void notice(Lsp *lsp, Str name, const Json *params)
{
    if (str_is(name, "exit")) {
        lsp->over = true;
        lsp->exit_code = lsp->shut ? 0 : 1;
    }
    for (size_t i = 0; i < COUNT_OF(notices) && lsp->initialized && !lsp->shut; i++)
        if (str_is(name, notices[i].name)) notices[i].fn(lsp, params);
    if (!lsp->error) return;
    JsonOut out;
    Str text = lsp->error_text;
    begin(lsp, &out); /* a notification has no answer: it is shown to the person */
    json_field_text(&out, "method", "window/logMessage");
    json_key(&out, "params");
    json_begin_object(&out);
    json_field_int(&out, "type", 2);
    json_field_str(&out, "message", text);
    json_end(&out);
    json_end(&out);
    wire_send(lsp, buf_view(&lsp->answer));
}

static void message(Lsp *lsp, Str body)
{
    const Json *json;
    arena_reset(lsp->arena);
    lsp->error = 0;
    if (!body.ptr) {
        send_error(lsp, NULL, RPC_INVALID_REQUEST, STR("this message is too long"));
        return;
    }
    if (json_read(lsp->arena, body, &json, NULL)) {
        send_error(lsp, NULL, RPC_PARSE_ERROR, STR("this message is not JSON"));
        return;
    }
    const Json *id = json_get(json, "id"), *name = json_get(json, "method");
    bool proper = !id || id->type == JSON_INT || id->type == JSON_STRING || id->type == JSON_NULL;
    if (!name || name->type != JSON_STRING || !proper) {
        bool answer = id && (json_get(json, "result") || json_get(json, "error"));
        if (!answer) send_error(lsp, proper ? id : NULL, RPC_INVALID_REQUEST, STR("no request"));
        return;
    }
    if (id)
        request(lsp, name->text, id, json_get(json, "params"));
    else
        notice(lsp, name->text, json_get(json, "params"));
}

/* ---- the loop ----------------------------------------------------------------------------- */

static void publish_all(Lsp *lsp)
{
    for (size_t i = 0; i < LSP_DOCS_MAX; i++) {
        Doc *doc = &lsp->docs[i];
        if (!doc->open || !doc->unsaid) continue;
        lsp->error = 0;
        arena_reset(lsp->arena);
        lsp_publish(lsp, doc);
    }
}

static void loop(Lsp *lsp)
{
    while (!lsp->over) {
        Str body;
        size_t whole;
        WireState state = wire_next(lsp, &body, &whole);
        if (state == WIRE_MESSAGE) {
            message(lsp, body);
            wire_done(lsp, whole);
            continue;
        }
        if (state == WIRE_BROKEN) {
            (void)fputs("tutti lsp: the input is not made of LSP messages\n", stderr);
            return;
        }
        if (!lsp->shut && !wire_waiting(lsp)) publish_all(lsp);
        if (!lsp->over && !wire_read(lsp)) return;
    }
}

int lsp_serve(int in, int out)
{
    Lsp *lsp = mem_zalloc(1, sizeof *lsp);
    Arena *arena = arena_new(256 << 10, LSP_ARENA_MAX);
    Arena *trial = arena_new(256 << 10, LSP_ARENA_MAX);
    int code = 70;
    if (lsp && arena && trial) {
        lsp->in = in;
        lsp->out = out;
        lsp->arena = arena;
        lsp->trial = trial;
        lsp->exit_code = 1; /* until `exit` says otherwise */
        buf_init(&lsp->input, (size_t)LSP_MESSAGE_MAX + LSP_HEADER_MAX + (128 << 10));
        buf_init(&lsp->answer, LSP_ANSWER_MAX);
        buf_init(&lsp->scratch, LSP_ANSWER_MAX);
        loop(lsp);
        code = lsp->exit_code;
        for (size_t i = 0; i < LSP_DOCS_MAX; i++) lsp_doc_free(&lsp->docs[i]);
        buf_done(&lsp->input);
        buf_done(&lsp->answer);
        buf_done(&lsp->scratch);
    }
    arena_free(arena);
    arena_free(trial);
    mem_free(lsp);
    return code;
}
