/* compiler/lsp/names.c: definition, references, highlights, rename.
 *
 * A rename is tried before it is handed out: the text with the new name must have no finding that
 * the old one did not have, and the name must mean the same thing in the same places. So it cannot
 * catch another name, or be caught. */
#include "compiler/lsp/lsp_int.h"

typedef struct Found {
    Doc *doc;
    const Index *index;
    const Use *use; /* NULL: nothing there */
} Found;

static bool at_position(Lsp *lsp, const Json *params, Found *found)
{
    *found = (Found){.doc = lsp_doc(lsp, params)};
    if (!found->doc || !lsp_doc_ready(lsp, found->doc)) return false;
    uint32_t offset = lsp_offset(found->doc, json_get(params, "position"));
    found->index = lsp_index(found->doc);
    const LexToken *token = doc_token(found->doc, offset);
    const Use *use = token ? index_use(found->index, token->start) : NULL;
    if (use && use->at.start == token->start) found->use = use;
    return true;
}

/* On the path of a `use`, or a name it gave: the start of that file. */
static void put_used_file(Lsp *lsp, const Json *params, const Found *f, JsonOut *out)
{
    uint32_t offset = lsp_offset(f->doc, json_get(params, "position"));
    const AstItem *item = doc_item(f->doc, offset);
    const AstFile *file = item && item->kind == AST_ITEM_USE && offset <= item->span.end
                              ? doc_used(f->doc, item)
                              : NULL;
    if (file)
        lsp_put_location(lsp, out, f->doc, (Span){file->source->id, 0, 0});
    else
        json_put_null(out);
}

void lsp_definition(Lsp *lsp, const Json *params, JsonOut *out)
{
    Found f;
    if (!at_position(lsp, params, &f)) return;
    if (f.use)
        lsp_put_location(lsp, out, f.doc, f.index->symbols[f.use->symbol].def);
    else
        put_used_file(lsp, params, &f, out);
}

static bool elsewhere(const Found *f)
{
    return f->index->symbols[f->use->symbol].def.file != f->doc->source->id;
}

static bool is_definition(const Found *f, const Use *u)
{
    return !elsewhere(f) && u->at.start == f->index->symbols[u->symbol].def.start;
}

void lsp_references(Lsp *lsp, const Json *params, JsonOut *out)
{
    Found f;
    if (!at_position(lsp, params, &f)) return;
    bool declaration = json_bool(json_get(params, "context"), "includeDeclaration", true);
    json_begin_array(out);
    for (uint32_t i = 0; f.use && i < f.index->use_count; i++) {
        const Use *u = &f.index->uses[i];
        if (u->symbol != f.use->symbol) continue;
        if (!declaration && is_definition(&f, u)) continue;
        lsp_put_location(lsp, out, f.doc, u->at);
    }
    json_end(out);
}

void lsp_highlight(Lsp *lsp, const Json *params, JsonOut *out)
{
    Found f;
    if (!at_position(lsp, params, &f)) return;
    json_begin_array(out);
    for (uint32_t i = 0; f.use && i < f.index->use_count; i++) {
        const Use *u = &f.index->uses[i];
        if (u->symbol != f.use->symbol) continue;
        bool made = is_definition(&f, u);
        json_begin_object(out);
        lsp_put_range(out, f.doc, u->at);
        json_field_int(out, "kind", made ? 3 : 2); /* write, read */
        json_end(out);
    }
    json_end(out);
}

/* ---- rename ------------------------------------------------------------------------------- */

void lsp_prepare_rename(Lsp *lsp, const Json *params, JsonOut *out)
{
    Found f;
    if (!at_position(lsp, params, &f)) return;
    if (!f.use || elsewhere(&f)) {
        json_put_null(out);
        return;
    }
    json_begin_object(out);
    lsp_put_range(out, f.doc, f.use->at);
    json_field_str(out, "placeholder", f.index->symbols[f.use->symbol].name);
    json_end(out);
}

static bool is_name(Str text)
{
    if (!text.len || text.len > LSP_NAME_MAX) return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && !(i && c >= '0' && c <= '9')) return false;
    }
    return true;
}

/* The text with every use of the symbol under its new name. */
static Status renamed_text(const Found *f, Str name, Buf *out)
{
    Str text = f->doc->source->text;
    uint32_t at = 0;
    for (uint32_t i = 0; i < f->index->use_count; i++) {
        const Use *u = &f->index->uses[i];
        if (u->symbol != f->use->symbol || u->at.start < at) continue;
        buf_str(out, str_slice(text.ptr + at, u->at.start - at));
        buf_str(out, name);
        at = u->at.end;
    }
    buf_str(out, str_skip(text, at));
    return buf_status(out);
}

static uint32_t uses_of(const Index *index, uint32_t symbol, uint32_t before)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < index->use_count; i++)
        count += index->uses[i].symbol == symbol && index->uses[i].at.start < before;
    return count;
}

static const Diagnostic *first_error(const Doc *doc)
{
    for (const Diagnostic *d = doc->diags.first; d; d = d->next)
        if (d->severity == DIAG_ERROR) return d;
    return NULL;
}

/* Compares what the new text means with what the old one meant; fails the request when it differs.
 */
static bool same_meaning(Lsp *lsp, const Found *f, Doc *trial, Str name)
{
    const Symbol *old = &f->index->symbols[f->use->symbol];
    if (trial->diags.error_count > f->doc->diags.error_count) {
        const Diagnostic *d = first_error(trial);
        lsp_fail(lsp, RPC_REQUEST_FAILED, "`%.*s` does not do as a name here: %.*s", STR_ARG(name),
                 STR_ARG(d ? d->message : STR("the program would have errors")));
        return false;
    }
    const Index *index = lsp_index(trial);
    int64_t shift = (int64_t)name.len - (int64_t)old->name.len;
    uint32_t before = uses_of(f->index, f->use->symbol, old->def.start);
    uint32_t start = (uint32_t)(old->def.start + before * shift);
    const Use *there = index_use(index, start);
    uint32_t had = uses_of(f->index, f->use->symbol, UINT32_MAX);
    if (there && there->at.start == start && index->symbols[there->symbol].kind == old->kind &&
        uses_of(index, there->symbol, UINT32_MAX) == had && index->use_count == f->index->use_count)
        return true;
    lsp_fail(lsp, RPC_REQUEST_FAILED, "`%.*s` means something else already where `%.*s` is used",
             STR_ARG(name), STR_ARG(old->name));
    return false;
}

static bool rename_is_safe(Lsp *lsp, const Found *f, Str name)
{
    Doc trial = {.open = true, .path = f->doc->path, .arena = lsp->trial};
    buf_init(&trial.text, LSP_MESSAGE_MAX);
    Status st = renamed_text(f, name, &trial.text);
    if (!st) st = lsp_doc_check(&trial, lsp->docs);
    if (!st && !trial.source) st = ST_LIMIT;
    bool safe = !st && same_meaning(lsp, f, &trial, name);
    if (st) lsp_fail(lsp, RPC_INTERNAL_ERROR, "%s", status_text(st));
    buf_done(&trial.text);
    return safe;
}

void lsp_rename(Lsp *lsp, const Json *params, JsonOut *out)
{
    Found f;
    Str name = json_str(params, "newName", STR(""));
    if (!at_position(lsp, params, &f)) return;
    if (!f.use) {
        lsp_fail(lsp, RPC_REQUEST_FAILED, "there is nothing to rename here");
        return;
    }
    if (elsewhere(&f)) {
        lsp_fail(lsp, RPC_REQUEST_FAILED, "this name is declared in another file");
        return;
    }
    if (!is_name(name)) {
        lsp_fail(lsp, RPC_REQUEST_FAILED,
                 "a name starts with a letter or _ and goes on with letters, digits and _");
        return;
    }
    if (!rename_is_safe(lsp, &f, name)) return;
    json_begin_object(out);
    json_key(out, "changes");
    json_begin_object(out);
    json_key_str(out, f.doc->uri);
    json_begin_array(out);
    for (uint32_t i = 0; i < f.index->use_count; i++) {
        if (f.index->uses[i].symbol != f.use->symbol) continue;
        json_begin_object(out);
        lsp_put_range(out, f.doc, f.index->uses[i].at);
        json_field_str(out, "newText", name);
        json_end(out);
    }
    json_end(out);
    json_end(out);
    json_end(out);
}
