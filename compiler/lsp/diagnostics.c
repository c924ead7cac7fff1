/* compiler/lsp/diagnostics.c: findings to the client, and their fixes as code actions. */
#include "compiler/lsp/lsp_int.h"

static void put_source_place(JsonOut *out, const Source *source, uint32_t offset)
{
    SourcePlace at = source_place(source, offset);
    uint32_t start = source->lines[at.line - 1];
    json_begin_object(out);
    json_field_int(out, "line", at.line - 1);
    json_field_int(out, "character",
                   lsp_utf16(str_slice(source->text.ptr + start, offset - start)));
    json_end(out);
}

/* A place in a file that is not open, or not under this text. */
static void put_foreign(Lsp *lsp, JsonOut *out, const Source *source, Span span)
{
    static const char hex[] = "0123456789ABCDEF";
    buf_clear(&lsp->scratch);
    buf_text(&lsp->scratch, str_starts(source->path, STR("/")) ? "file://" : "");
    for (size_t i = 0; i < source->path.len; i++) {
        unsigned char c = (unsigned char)source->path.ptr[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                     strchr("/-_.~:", c);
        if (plain && c)
            buf_char(&lsp->scratch, (char)c);
        else
            buf_printf(&lsp->scratch, "%%%c%c", hex[c >> 4], hex[c & 15]);
    }
    json_field_str(out, "uri", buf_view(&lsp->scratch));
    json_key(out, "range");
    json_begin_object(out);
    json_key(out, "start");
    put_source_place(out, source, span.start);
    json_key(out, "end");
    put_source_place(out, source, span.end);
    json_end(out);
}

void lsp_put_location(Lsp *lsp, JsonOut *out, const Doc *doc, Span span)
{
    json_begin_object(out);
    if (span.file == doc->source->id) {
        json_field_str(out, "uri", doc->uri);
        lsp_put_range(out, doc, span);
    } else {
        put_foreign(lsp, out, doc->sources.list[span.file], span);
    }
    json_end(out);
}

static bool in_doc(const Doc *doc, Span span)
{
    return doc->source && span.file == doc->source->id;
}

static void put_message(Lsp *lsp, JsonOut *out, const Diagnostic *d)
{
    buf_clear(&lsp->scratch);
    buf_str(&lsp->scratch, d->message);
    if (d->under.len) buf_printf(&lsp->scratch, "\n%.*s", STR_ARG(d->under));
    for (const DiagNote *n = d->notes; n; n = n->next)
        if (n->span.file == UINT32_MAX) buf_printf(&lsp->scratch, "\n%.*s", STR_ARG(n->text));
    json_field_str(out, "message", buf_view(&lsp->scratch));
}

void lsp_put_diagnostic(Lsp *lsp, JsonOut *out, Doc *doc, const Diagnostic *d)
{
    json_begin_object(out);
    lsp_put_range(out, doc, d->span);
    json_field_int(out, "severity", d->severity == DIAG_ERROR ? 1 : 2);
    json_field_text(out, "code", diag_code_info(d->code)->id);
    json_field_text(out, "source", "tutti");
    put_message(lsp, out, d);
    bool any = false;
    for (const DiagNote *n = d->notes; n; n = n->next) {
        if (n->span.file == UINT32_MAX) continue;
        if (!any) {
            json_key(out, "relatedInformation");
            json_begin_array(out);
        }
        any = true;
        json_begin_object(out);
        json_key(out, "location");
        lsp_put_location(lsp, out, doc, n->span);
        json_field_str(out, "message", n->text);
        json_end(out);
    }
    if (any) json_end(out);
    json_end(out);
}

static void put_too_long(JsonOut *out, const Doc *doc)
{
    json_begin_object(out);
    lsp_put_range(out, doc, (Span){0, 0, 0});
    json_field_int(out, "severity", 1);
    json_field_text(out, "code", "P003");
    json_field_text(out, "source", "tutti");
    json_field_text(out, "message", "the file is too large to be checked");
    json_end(out);
}

/* A used file that has errors: names of it may be missing here, so its `use` says so. */
static void put_used_errors(Lsp *lsp, JsonOut *out, const Doc *doc)
{
    for (const AstItem *i = doc->file->items; i; i = i->next) {
        const AstFile *file = i->kind == AST_ITEM_USE ? doc_used(doc, i) : NULL;
        const Diagnostic *d = file ? doc->diags.first : NULL;
        while (d && (d->severity != DIAG_ERROR || d->span.file != file->source->id)) d = d->next;
        if (!d) continue;
        uint32_t line = source_place(file->source, d->span.start).line;
        buf_clear(&lsp->scratch);
        buf_printf(&lsp->scratch, "this file has errors; line %u: %.*s", line, STR_ARG(d->message));
        json_begin_object(out);
        lsp_put_range(out, doc, i->span);
        json_field_int(out, "severity", 1);
        json_field_text(out, "code", diag_code_info(d->code)->id);
        json_field_text(out, "source", "tutti");
        json_field_str(out, "message", buf_view(&lsp->scratch));
        json_end(out);
    }
}

void lsp_publish(Lsp *lsp, Doc *doc)
{
    JsonOut out;
    bool ready = lsp_doc_ready(lsp, doc);
    doc->unsaid = false;
    if (!ready && lsp->error == RPC_INTERNAL_ERROR) return; /* no memory: nothing is known */
    buf_clear(&lsp->answer);
    json_out_init(&out, &lsp->answer);
    json_begin_object(&out);
    json_field_text(&out, "jsonrpc", "2.0");
    json_field_text(&out, "method", "textDocument/publishDiagnostics");
    json_key(&out, "params");
    json_begin_object(&out);
    json_field_str(&out, "uri", doc->uri);
    json_field_int(&out, "version", doc->version);
    json_key(&out, "diagnostics");
    json_begin_array(&out);
    for (const Diagnostic *d = ready ? doc->diags.first : NULL; d; d = d->next)
        if (in_doc(doc, d->span)) lsp_put_diagnostic(lsp, &out, doc, d);
    if (ready && doc->uses_files) put_used_errors(lsp, &out, doc);
    if (!ready) put_too_long(&out, doc);
    json_end(&out);
    json_end(&out);
    json_end(&out);
    if (!buf_status(&lsp->answer)) wire_send(lsp, buf_view(&lsp->answer));
}

/* ---- code actions ------------------------------------------------------------------------- */

static bool wants_fixes(const Json *context)
{
    const Json *only = json_get(context, "only");
    if (!only || only->type != JSON_ARRAY) return true;
    for (const Json *kind = only->first; kind; kind = kind->next)
        if (kind->type == JSON_STRING && (str_is(kind->text, "quickfix") || kind->text.len == 0))
            return true;
    return false;
}

static void put_action(Lsp *lsp, JsonOut *out, Doc *doc, const Diagnostic *d, const DiagFix *fix)
{
    Str label = fix->label.len ? fix->label : str_trim(fix->text);
    buf_clear(&lsp->scratch);
    if (label.len)
        buf_printf(&lsp->scratch, "write  %.*s", STR_ARG(label));
    else
        buf_text(&lsp->scratch, "take it out");
    json_begin_object(out);
    json_field_str(out, "title", buf_view(&lsp->scratch));
    json_field_text(out, "kind", "quickfix");
    json_field_bool(out, "isPreferred", fix == d->fixes);
    json_key(out, "diagnostics");
    json_begin_array(out);
    lsp_put_diagnostic(lsp, out, doc, d);
    json_end(out);
    json_key(out, "edit");
    json_begin_object(out);
    json_key(out, "changes");
    json_begin_object(out);
    json_key_str(out, doc->uri);
    json_begin_array(out);
    json_begin_object(out);
    lsp_put_range(out, doc, fix->span);
    json_field_str(out, "newText", fix->text);
    json_end(out);
    json_end(out);
    json_end(out);
    json_end(out);
    json_end(out);
}

/* Some fixes are advice in words: they write what stands there. */
static bool changes(const Doc *doc, const DiagFix *fix)
{
    return !str_eq(doc_text(doc, fix->span.start, fix->span.end), fix->text);
}

void lsp_code_action(Lsp *lsp, const Json *params, JsonOut *out)
{
    Doc *doc = lsp_doc(lsp, params);
    if (!doc || !lsp_doc_ready(lsp, doc)) return;
    const Json *range = json_get(params, "range");
    uint32_t start = lsp_offset(doc, json_get(range, "start"));
    uint32_t end = lsp_offset(doc, json_get(range, "end"));
    bool wanted = wants_fixes(json_get(params, "context"));
    json_begin_array(out);
    for (const Diagnostic *d = doc->diags.first; d && wanted; d = d->next) {
        if (!in_doc(doc, d->span) || d->span.start > end || d->span.end < start) continue;
        for (const DiagFix *fix = d->fixes; fix; fix = fix->next)
            if (in_doc(doc, fix->span) && changes(doc, fix)) put_action(lsp, out, doc, d, fix);
    }
    json_end(out);
}
