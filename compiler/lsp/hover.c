/* compiler/lsp/hover.c: what a name, a word or a value is, in Markdown. */
#include "compiler/lsp/lsp_int.h"

#include "compiler/library/library.h"
#include "compiler/type/builtins.h"
#include "parse/grammar.h"

static const char *symbol_word(SymbolKind kind)
{
    static const char *const words_of[] = {"type",       "const", "fn",        "unit",
                                           "connection", "map",   "table",     "alarm",
                                           "pipeline",   "field", "parameter", "name of an enum"};
    return words_of[kind];
}

static void code(Buf *out, Str text)
{
    buf_printf(out, "```tutti\n%.*s\n```\n", STR_ARG(text));
}

static void reasons(Buf *out, uint32_t bits)
{
    const char *before = "\nmay fail: ";
    for (uint32_t r = 1; r < REASON__COUNT; r++) {
        if (!(bits >> r & 1)) continue;
        buf_printf(out, "%s`%s`", before, reason_text((Reason)r));
        before = ", ";
    }
    if (before[0] == ',') buf_char(out, '\n');
}

/* Comment lines right above a declaration, without their signs. */
static void comments_above(const Doc *doc, uint32_t start, Buf *out)
{
    const LexToken *at = doc_token(doc, start);
    if (!at || at->start != start) return;
    const LexToken *first = at;
    while (first > doc->file->tokens && first[-1].kind == T_COMMENT && first[-1].first) first--;
    for (; first < at; first++) {
        Str text = str_trim(doc_text(doc, first->start, first->end));
        while (text.len && (text.ptr[0] == '#' || text.ptr[0] == ' ')) text = str_skip(text, 1);
        buf_printf(out, "\n%.*s  ", STR_ARG(text));
    }
}

/* The declaration as written, when it is not long; else its first line. */
static void declaration(const Doc *doc, Span span, Buf *out)
{
    Str text = source_text(doc->sources.list[span.file], span);
    ptrdiff_t end = str_find_char(text, '\n');
    if (text.len > 600 && end > 0) text = str_slice(text.ptr, (size_t)end);
    code(out, text);
}

static uint32_t line_of(const Doc *doc, Span span)
{
    return source_place(doc->source, span.start).line;
}

static void in_file(const Doc *doc, Span def, Buf *out)
{
    buf_printf(out, "in `%.*s`\n", STR_ARG(doc->sources.list[def.file]->path));
}

/* The type a name has where it is used: narrowed, after conversions. */
static const Fact *fact_at(const Doc *doc, Span at)
{
    const Fact *found = NULL;
    for (uint32_t i = 0; i < doc->facts.count; i++) {
        const Fact *f = &doc->facts.list[i];
        if (f->at.start == at.start && f->at.end == at.end && f->at.file == at.file) found = f;
    }
    return found;
}

/* A field at the place where it is made: its type stands in a row behind it. */
static bool made_field(const Doc *doc, const Symbol *s, Type *ret_type)
{
    const Facts *f = &doc->facts;
    for (uint32_t i = 0; i < f->row_count; i++) {
        const Record *row = f->rows[i].out;
        for (uint32_t n = 0; row && n < row->count; n++) {
            if (row->fields[n].name.ptr != s->name.ptr) continue;
            *ret_type = row->fields[n].type;
            return true;
        }
    }
    return false;
}

static const AstTypeField *declared_field(const AstType *t, const Symbol *s)
{
    for (const AstTypeField *f = t ? t->fields : NULL; f; f = f->next) {
        if (f->name.text.ptr == s->name.ptr) return f;
        const AstTypeField *inner = declared_field(f->type, s);
        if (inner) return inner;
    }
    return t && t->of ? declared_field(t->of, s) : NULL;
}

static void field(Doc *doc, const Symbol *s, const Use *u, Buf *out)
{
    Type type;
    const Fact *f = fact_at(doc, u->at);
    bool known = f && f->type.kind != IR_NONE;
    if (known) type = f->type;
    if (!known) known = made_field(doc, s, &type);
    const AstTypeField *written =
        s->item && s->item->kind == AST_ITEM_TYPE ? declared_field(s->item->as.type, s) : NULL;
    if (known) {
        Str text = type_text(doc->arena, &type);
        buf_printf(out, "```tutti\n%.*s: %.*s", STR_ARG(s->name), STR_ARG(text));
        if (type.has_range) buf_printf(out, " in %.15g..%.15g", type.lo, type.hi);
        buf_text(out, "\n```\n");
    } else if (written) {
        code(out, doc_text(doc, written->span.start, written->span.end));
    } else {
        code(out, s->name);
    }
    if (s->item && s->item->kind == AST_ITEM_TYPE)
        buf_printf(out, "field of `%.*s`\n", STR_ARG(s->item->name.text));
    else if (s->def.file != doc->source->id)
        in_file(doc, s->def, out);
    else
        buf_printf(out, "made in line %u\n", line_of(doc, s->def));
    if (known && f) {
        const Fact *value = doc_fact(doc, u->at.start);
        if (value && value->at.start == u->at.start && value->at.end == u->at.end)
            reasons(out, value->reasons);
    }
}

/* What stands behind a parameter's colon. */
static Str declared_type(const Doc *doc, const Symbol *s)
{
    const AstItem *i = s->item;
    const AstCFn *c = i && i->kind == AST_ITEM_EXTERN ? i->as.external.fns : NULL;
    const AstParam *p = i && i->kind == AST_ITEM_FN ? i->as.fn.params : c ? c->params : NULL;
    while (p) {
        if (p->type && p->name.text.ptr == s->name.ptr)
            return source_text(doc->sources.list[p->type->span.file], p->type->span);
        p = p->next;
        while (!p && c && (c = c->next)) p = c->params;
    }
    return STR_NONE;
}

static void symbol(Doc *doc, const Symbol *s, const Use *u, Buf *out)
{
    switch (s->kind) {
    case SYMBOL_FIELD: field(doc, s, u, out); return;
    case SYMBOL_PARAM: {
        const Fact *f = fact_at(doc, u->at);
        Str text =
            f && f->type.kind != IR_NONE ? type_text(doc->arena, &f->type) : declared_type(doc, s);
        buf_printf(out, "```tutti\n%.*s%s%.*s\n```\nparameter\n", STR_ARG(s->name),
                   text.len ? ": " : "", STR_ARG(text));
        return;
    }
    case SYMBOL_ENUM_NAME:
        code(out, s->name);
        buf_text(out, "name of an enum");
        if (s->item && s->item->kind == AST_ITEM_TYPE)
            buf_printf(out, " in `%.*s`", STR_ARG(s->item->name.text));
        buf_char(out, '\n');
        return;
    case SYMBOL_PIPELINE:
        buf_printf(out, "```tutti\npipeline %.*s\n```\n", STR_ARG(s->name));
        break;
    default:
        if (!s->item) { /* of another file, met in an expression */
            buf_printf(out, "%s `%.*s` ", symbol_word(s->kind), STR_ARG(s->name));
            in_file(doc, s->def, out);
            return;
        }
        declaration(doc, s->item->span, out);
        break;
    }
    if (s->item && s->item->span.file == doc->source->id)
        comments_above(doc, s->item->span.start, out);
    else if (s->item)
        in_file(doc, s->def, out);
}

/* ---- words -------------------------------------------------------------------------------- */

static void word(const Word *w, Buf *out)
{
    code(out, str_from(w->usage));
    buf_printf(out, "%s\n\nexample\n", w->doc);
    code(out, str_from(w->example));
}

static bool word_of(WordKind kind, Str name, Buf *out)
{
    const Word *w = word_find(kind, name);
    if (!w || !word_available(w)) return false;
    word(w, out);
    return true;
}

static void function(Str name, Buf *out)
{
    Builtin which = builtin_find(name);
    if (which == BUILTIN__COUNT) {
        bool found = word_of(WORD_KIND_AGGREGATE, name, out) ||
                     word_of(WORD_KIND_FUNCTION, name, out) || word_of(WORD_KIND_MEMORY, name, out);
        LibraryFn fn;
        if (!found && library_find(name, &fn)) {
            buf_printf(out, "```tutti\n%.*s\n```\n", STR_ARG(fn.signature));
            AUTO_BUF Buf text;
            buf_init(&text, 8192);
            library_explain(&fn, &text);
            buf_str(out, str_skip(buf_view(&text), fn.signature.len + 2));
        }
        return;
    }
    const BuiltinInfo *info = builtin_info(which);
    buf_text(out, "```tutti\n");
    word_signature(info, out);
    buf_printf(out, "\n```\n%s\n", info->doc);
    if (info->reason != REASON_NONE) reasons(out, UINT32_C(1) << info->reason);
}

static void unit(Str name, Buf *out)
{
    for (uint32_t i = 0; i < word_unit_count; i++) {
        if (!str_is(name, word_units[i].name)) continue;
        buf_printf(out, "unit `%s`: %s\n", word_units[i].name, word_units[i].text);
        return;
    }
    buf_printf(out, "unit `%.*s`\n", STR_ARG(name));
}

static void option(const Mark *m, Str name, Buf *out)
{
    for (uint32_t i = 0; i < word_option_count; i++) {
        const WordOption *o = &word_options[i];
        if (!str_is(m->owner, o->connector) || !str_is(name, o->name)) continue;
        if (m->in ? !o->in : !o->out) continue;
        buf_printf(out, "option `%s` of `%s`: %s\n", o->name, o->connector, o->doc);
        if (o->takes[0]) buf_printf(out, "\ntakes %s\n", o->takes);
        return;
    }
}

static void alarm_field(Str name, Buf *out)
{
    const WordAlarmField *field = word_alarm_field(name);
    if (!field) return;
    code(out, str_from(field->usage));
    buf_printf(out, "%s\n", field->doc);
}

static void marked(const Doc *doc, const Mark *m, Buf *out)
{
    Str name = doc_text(doc, m->at.start, m->at.end);
    switch (m->kind) {
    case MARK_UNIT: unit(name, out); break;
    case MARK_TYPE: (void)word_of(WORD_KIND_TYPE, name, out); break;
    case MARK_FORMAT: (void)word_of(WORD_KIND_FORMAT, name, out); break;
    case MARK_CALL: function(name, out); break;
    case MARK_LABEL:
        if (!word_of(WORD_KIND_STAGE, m->owner, out)) function(m->owner, out); /* deadband */
        break;
    case MARK_OPTION: option(m, name, out); break;
    case MARK_ALARM_FIELD: alarm_field(name, out); break;
    case MARK_CONNECTOR:
        for (uint32_t i = 0; i < word_connector_count; i++)
            if (str_is(name, word_connectors[i].name))
                buf_printf(out, "`%s`: %s\n", word_connectors[i].name, word_connectors[i].doc);
        break;
    }
}

/* Why records may leave a stage by the error port; known once the whole file is right. */
static void stage_reasons(const Doc *doc, uint32_t start, Buf *out)
{
    bool any = false;
    for (uint32_t p = 0; doc->program && p < doc->program->pipeline_count; p++) {
        const IrPipeline *pipeline = &doc->program->pipelines[p];
        for (uint32_t n = 0; n < pipeline->node_count; n++) {
            const IrNode *node = &pipeline->nodes[n];
            if (node->span.start != start || any) continue;
            for (uint32_t r = 0; r < node->reason_count; r++)
                buf_printf(out, "%s`%.*s`", r ? ", " : "\nmay fail: ", STR_ARG(node->reasons[r]));
            any = node->reason_count > 0;
        }
    }
    if (any) buf_char(out, '\n');
}

static void fields_behind(Doc *doc, const LexToken *token, Buf *out)
{
    Span stage = {doc->source->id, token->start, token->end};
    const Record *row = doc_stage_row(doc, stage, true);
    if (!row || !row->count) return;
    buf_text(out, "\nfields behind it\n```tutti\n");
    for (uint32_t i = 0; i < row->count && i < 40; i++) {
        Str text = type_text(doc->arena, &row->fields[i].type);
        buf_printf(out, "%.*s: %.*s\n", STR_ARG(row->fields[i].name), STR_ARG(text));
    }
    if (row->count > 40) buf_text(out, "...\n");
    buf_text(out, "```\n");
}

static void keyword(Doc *doc, const LexToken *token, Buf *out)
{
    Str name = doc_text(doc, token->start, token->end);
    if (token->role == LEX_ROLE_STAGE) {
        if (!word_of(WORD_KIND_STAGE, name, out)) return;
        stage_reasons(doc, token->start, out);
        fields_behind(doc, token, out);
    } else if (token->role == LEX_ROLE_ITEM) {
        (void)word_of(WORD_KIND_DECL, name, out);
    } else if (token->kind != T_ID) {
        (void)word_of(WORD_KIND_OPERATOR, name, out);
    } else {
        const AstStage *stage = doc_row(doc, token->start).stage;
        if (stage && stage->kind == AST_WINDOW) (void)word_of(WORD_KIND_WINDOW, name, out);
    }
}

static void value(Doc *doc, uint32_t offset, Buf *out)
{
    const Fact *f = doc_fact(doc, offset);
    if (!f || f->type.kind == IR_NONE) return;
    Str source = doc_text(doc, f->at.start, f->at.end), text = type_text(doc->arena, &f->type);
    if (source.len > 120 || str_find_char(source, '\n') >= 0) source = STR("...");
    buf_printf(out, "```tutti\n%.*s: %.*s\n```\n", STR_ARG(source), STR_ARG(text));
    reasons(out, f->reasons);
}

void lsp_hover(Lsp *lsp, const Json *params, JsonOut *out)
{
    Doc *doc = lsp_doc(lsp, params);
    if (!doc || !lsp_doc_ready(lsp, doc)) return;
    uint32_t offset = lsp_offset(doc, json_get(params, "position"));
    const LexToken *token = doc_token(doc, offset);
    Buf *text = &lsp->scratch;
    buf_clear(text);
    if (token && token->kind != T_COMMENT) {
        const Index *index = lsp_index(doc);
        const Use *u = index_use(index, token->start);
        const Mark *m = index_mark(index, token->start);
        if (u && u->at.start == token->start)
            symbol(doc, &index->symbols[u->symbol], u, text);
        else if (m && m->at.start == token->start)
            marked(doc, m, text);
        else
            keyword(doc, token, text);
        if (!text->len) value(doc, token->start, text);
    }
    if (!text->len || buf_status(text)) {
        json_put_null(out);
        return;
    }
    json_begin_object(out);
    json_key(out, "contents");
    json_begin_object(out);
    json_field_text(out, "kind", "markdown");
    json_field_str(out, "value", buf_view(text));
    json_end(out);
    lsp_put_range(out, doc, (Span){doc->source->id, token->start, token->end});
    json_end(out);
}
