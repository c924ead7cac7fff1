/* compiler/lsp/doc.c: open documents: their texts, and what the compiler knows about them. */
#include "compiler/lsp/lsp_int.h"

#include "base/mem.h"
#include "compiler/parse/parse.h"

/* ---- finding and keeping ------------------------------------------------------------------ */

static Str uri_of(const Json *params)
{
    return json_str(json_get(params, "textDocument"), "uri", STR_NONE);
}

static Doc *find(Lsp *lsp, Str uri)
{
    for (size_t i = 0; i < LSP_DOCS_MAX; i++)
        if (lsp->docs[i].open && str_eq(lsp->docs[i].uri, uri)) return &lsp->docs[i];
    return NULL;
}

Doc *lsp_doc(Lsp *lsp, const Json *params)
{
    Str uri = uri_of(params);
    Doc *doc = uri.len ? find(lsp, uri) : NULL;
    if (!doc) lsp_fail(lsp, RPC_INVALID_PARAMS, "this document is not open");
    return doc;
}

static Str heap_text(Str text)
{
    char *copy = mem_alloc(text.len + 1);
    if (!copy) return STR_NONE;
    if (text.len) memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    return str_slice(copy, text.len);
}

static int hex(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* "file:///a%20b.tutti" to "/a b.tutti"; other schemes stay as they are. */
static Str path_of(Str uri)
{
    Str rest = str_starts(uri, STR("file://")) ? str_skip(uri, 7) : uri;
    Str copy = heap_text(rest);
    if (!copy.ptr || rest.ptr == uri.ptr) return copy;
    char *out = (char *)(uintptr_t)copy.ptr;
    size_t len = 0;
    for (size_t i = 0; i < copy.len; i++) {
        bool coded = copy.ptr[i] == '%' && i + 2 < copy.len && hex(copy.ptr[i + 1]) >= 0 &&
                     hex(copy.ptr[i + 2]) >= 0;
        if (coded) {
            out[len++] = (char)(hex(copy.ptr[i + 1]) * 16 + hex(copy.ptr[i + 2]));
            i += 2;
        } else {
            out[len++] = copy.ptr[i];
        }
    }
    out[len] = '\0';
    return str_slice(out, len);
}

void lsp_doc_free(Doc *doc)
{
    mem_free((void *)(uintptr_t)doc->uri.ptr);
    mem_free((void *)(uintptr_t)doc->path.ptr);
    mem_free(doc->lines);
    buf_done(&doc->text);
    arena_free(doc->arena);
    *doc = (Doc){0};
}

static Doc *open_doc(Lsp *lsp, Str uri)
{
    size_t i = 0;
    while (i < LSP_DOCS_MAX && lsp->docs[i].open) i++;
    if (i == LSP_DOCS_MAX || uri.len > LSP_URI_MAX) return NULL;
    Doc *doc = &lsp->docs[i];
    *doc = (Doc){.open = true};
    buf_init(&doc->text, LSP_MESSAGE_MAX);
    doc->uri = heap_text(uri);
    doc->path = path_of(uri);
    doc->arena = arena_new(256 << 10, LSP_ARENA_MAX);
    if (doc->uri.ptr && doc->path.ptr && doc->arena) return doc;
    lsp_doc_free(doc);
    return NULL;
}

/* ---- what the client tells ---------------------------------------------------------------- */

static void changed(Lsp *lsp, Doc *doc)
{
    doc->stale = doc->unsaid = true;
    for (size_t i = 0; i < LSP_DOCS_MAX; i++) /* they may use this one */
        if (lsp->docs[i].open && lsp->docs[i].uses_files)
            lsp->docs[i].stale = lsp->docs[i].unsaid = true;
    if (lsp_lines(doc) || buf_status(&doc->text)) { /* half a text is worse than none */
        lsp_doc_free(doc);
        lsp_fail(lsp, RPC_INTERNAL_ERROR, "out of memory");
    }
}

void lsp_did_open(Lsp *lsp, const Json *params)
{
    const Json *item = json_get(params, "textDocument");
    Str uri = uri_of(params);
    if (!uri.len) return;
    Doc *doc = find(lsp, uri);
    if (!doc) doc = open_doc(lsp, uri);
    if (!doc) {
        lsp_fail(lsp, RPC_REQUEST_FAILED, "more than %d documents are open", LSP_DOCS_MAX);
        return;
    }
    doc->version = json_int(item, "version", 0);
    buf_clear(&doc->text);
    buf_str(&doc->text, json_str(item, "text", STR("")));
    changed(lsp, doc);
}

static void replace(Doc *doc, uint32_t start, uint32_t end, Str put)
{
    if (end < start) end = start;
    size_t rest = doc->text.len - end;
    if (!buf_reserve(&doc->text, put.len)) return;
    memmove(doc->text.ptr + start + put.len, doc->text.ptr + end, rest);
    if (put.len) memcpy(doc->text.ptr + start, put.ptr, put.len);
    doc->text.len = start + put.len + rest;
}

void lsp_did_change(Lsp *lsp, const Json *params)
{
    Doc *doc = lsp_doc(lsp, params);
    if (!doc) return;
    doc->version = json_int(json_get(params, "textDocument"), "version", doc->version);
    doc->unsaid = true; /* findings carry the version, also when nothing else changed */
    const Json *changes = json_get(params, "contentChanges");
    for (const Json *c = changes ? changes->first : NULL; c && doc->open; c = c->next) {
        const Json *range = json_get(c, "range");
        Str text = json_str(c, "text", STR(""));
        if (range) {
            uint32_t start = lsp_offset(doc, json_get(range, "start"));
            replace(doc, start, lsp_offset(doc, json_get(range, "end")), text);
        } else {
            buf_clear(&doc->text);
            buf_str(&doc->text, text);
        }
        changed(lsp, doc);
    }
}

void lsp_did_save(Lsp *lsp, const Json *params)
{
    Doc *doc = lsp_doc(lsp, params);
    if (!doc) return;
    const Json *text = json_get(params, "text");
    if (text && text->type == JSON_STRING) {
        buf_clear(&doc->text);
        buf_str(&doc->text, text->text);
    }
    changed(lsp, doc);
}

void lsp_did_close(Lsp *lsp, const Json *params)
{
    Doc *doc = lsp_doc(lsp, params);
    if (!doc) return;
    buf_clear(&lsp->answer); /* a closed document has no findings */
    JsonOut out;
    json_out_init(&out, &lsp->answer);
    json_begin_object(&out);
    json_field_text(&out, "jsonrpc", "2.0");
    json_field_text(&out, "method", "textDocument/publishDiagnostics");
    json_key(&out, "params");
    json_begin_object(&out);
    json_field_str(&out, "uri", doc->uri);
    json_key(&out, "diagnostics");
    json_begin_array(&out);
    json_end(&out);
    json_end(&out);
    json_end(&out);
    wire_send(lsp, buf_view(&lsp->answer));
    lsp_doc_free(doc);
}

/* ---- what the compiler knows -------------------------------------------------------------- */

static bool uses_files(const AstFile *file)
{
    for (const AstItem *item = file->items; item; item = item->next)
        if (item->kind == AST_ITEM_USE) return true;
    return false;
}

/* What is open in the editor goes before what is on disk. */
static Status add_open_files(Doc *doc, const Doc *others)
{
    doc->uses_files = uses_files(doc->file);
    for (size_t i = 0; others && doc->uses_files && i < LSP_DOCS_MAX; i++) {
        Source *added;
        if (!others[i].open || str_eq(others[i].path, doc->path)) continue;
        Status st =
            source_add(&doc->sources, others[i].path, buf_view(&others[i].text), &added, NULL);
        if (st && st != ST_LIMIT) return st;
    }
    return ST_OK;
}

/* One chunk for what the last check needed: the next one takes nothing from the heap. */
static void arena_again(Arena *arena)
{
    size_t had = arena_bytes(arena);
    arena_reset(arena);
    if (arena_bytes(arena) < had && arena_alloc(arena, had)) arena_reset(arena);
}

Status lsp_doc_check(Doc *doc, const Doc *others)
{
    Source *source = NULL;
    arena_again(doc->arena);
    doc->file = NULL;
    doc->source = NULL;
    doc->program = NULL;
    doc->index = NULL;
    doc->facts = (Facts){0};
    source_set_init(&doc->sources, doc->arena);
    diag_list_init(&doc->diags, doc->arena, &doc->sources);
    Status st = source_add(&doc->sources, doc->path, buf_view(&doc->text), &source, NULL);
    if (st == ST_LIMIT) return ST_OK; /* source stays NULL: the text is too long */
    if (!st) st = parse_source(doc->arena, source, &doc->diags, &doc->file);
    if (!st) st = add_open_files(doc, others);
    if (!st) st = check_file_facts(doc->arena, doc->file, &doc->diags, &doc->facts, &doc->program);
    if (!st) doc->source = source;
    return st;
}

bool lsp_doc_ready(Lsp *lsp, Doc *doc)
{
    if (doc->stale) {
        Status st = lsp_doc_check(doc, lsp->docs);
        doc->stale = false;
        diag_sort(&doc->diags);
        if (st) {
            doc->source = NULL;
            lsp_fail(lsp, RPC_INTERNAL_ERROR, "%s", status_text(st));
            return false;
        }
    }
    if (!doc->source) lsp_fail(lsp, RPC_REQUEST_FAILED, "the text is too long");
    return doc->source != NULL;
}

const Index *lsp_index(Doc *doc)
{
    static const Index empty;
    if (!doc->index) {
        Index *index = arena_one(doc->arena, Index);
        if (!index || index_build(doc, index)) return &empty;
        doc->index = index;
    }
    return doc->index;
}
