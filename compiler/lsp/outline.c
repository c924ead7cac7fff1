/* compiler/lsp/outline.c: document symbols, folding, formatting, semantic tokens. */
#include "compiler/lsp/lsp_int.h"

#include "compiler/fmt/fmt.h"
#include "compiler/parse/parse.h"
#include "parse/grammar.h"

/* ---- symbols ------------------------------------------------------------------------------ */

static void begin_symbol(JsonOut *out, const Doc *doc, Str name, Str detail, int kind, Span whole,
                         Span at)
{
    json_begin_object(out);
    json_field_str(out, "name", name.len ? name : STR("?"));
    if (detail.len) json_field_str(out, "detail", detail);
    json_field_int(out, "kind", kind);
    lsp_put_range(out, doc, whole);
    json_key(out, "selectionRange");
    json_begin_object(out);
    json_key(out, "start");
    lsp_put_position(out, doc, at.start);
    json_key(out, "end");
    lsp_put_position(out, doc, at.end);
    json_end(out);
}

/* The first line of a stage, shortened. */
static Str first_line(const Doc *doc, Span span)
{
    Str text = doc_text(doc, span.start, span.end);
    ptrdiff_t end = str_find_char(text, '\n');
    if (end >= 0) text = str_trim(str_slice(text.ptr, (size_t)end));
    if (text.len <= 80) return text;
    size_t len = 80; /* not in the middle of a character */
    while (len && ((unsigned char)text.ptr[len] & 0xc0) == 0x80) len--;
    return str_slice(text.ptr, len);
}

static void stage_symbols(JsonOut *out, const Doc *doc, const AstStage *s)
{
    for (; s; s = s->next) {
        begin_symbol(out, doc, first_line(doc, s->span), STR_NONE, 24, s->span, s->keyword);
        if (s->kind == AST_SPLIT) {
            json_key(out, "children");
            json_begin_array(out);
            for (const AstArm *a = s->as.split.arms; a; a = a->next) {
                begin_symbol(out, doc, first_line(doc, a->span), STR_NONE, 24, a->span, a->span);
                json_key(out, "children");
                json_begin_array(out);
                stage_symbols(out, doc, a->stages);
                json_end(out);
                json_end(out);
            }
            json_end(out);
        }
        json_end(out);
    }
}

static void field_symbols(JsonOut *out, const Doc *doc, const AstType *t)
{
    for (const AstTypeField *f = t ? t->fields : NULL; f; f = f->next) {
        Str type = f->type ? doc_text(doc, f->type->span.start, f->type->span.end) : STR_NONE;
        begin_symbol(out, doc, f->name.text, type.len < 80 ? type : STR_NONE, 8, f->span,
                     f->name.span);
        json_end(out);
    }
}

void lsp_symbols(Lsp *lsp, const Json *params, JsonOut *out)
{
    static const int kinds[AST_ITEM__COUNT] = {
        [AST_ITEM_TYPE] = 23,  [AST_ITEM_CONNECTION] = 11, [AST_ITEM_CONST] = 14,
        [AST_ITEM_FN] = 12,    [AST_ITEM_UNIT] = 20,       [AST_ITEM_PIPELINE] = 2,
        [AST_ITEM_TEST] = 6,   [AST_ITEM_TABLE] = 18,      [AST_ITEM_MAP] = 19,
        [AST_ITEM_EXTERN] = 4, [AST_ITEM_USE] = 4,         [AST_ITEM_DEPLOY] = 4,
        [AST_ITEM_CHECK] = 6,  [AST_ITEM_ALARM] = 24};
    Doc *doc = lsp_doc(lsp, params);
    if (!doc || !lsp_doc_ready(lsp, doc)) return;
    json_begin_array(out);
    for (const AstItem *i = doc->file->items; i; i = i->next) {
        bool test = i->kind == AST_ITEM_TEST;
        Str name = test && i->as.test.text.len ? i->as.test.text
                   : i->name.text.len          ? i->name.text
                                               : first_line(doc, i->span);
        Span at = i->name.text.len ? i->name.span : i->keyword;
        begin_symbol(out, doc, name, str_from(ast_item_word(i->kind)), kinds[i->kind], i->span, at);
        json_key(out, "children");
        json_begin_array(out);
        if (i->kind == AST_ITEM_PIPELINE) stage_symbols(out, doc, i->as.pipeline.stages);
        if (i->kind == AST_ITEM_TYPE) field_symbols(out, doc, i->as.type);
        json_end(out);
        json_end(out);
    }
    json_end(out);
}

/* ---- folding ------------------------------------------------------------------------------ */

static bool opens(int kind)
{
    return kind == T_LBRACE || kind == T_LPAREN || kind == T_LBRACKET || kind == T_STR_HEAD;
}

static bool closes(int kind)
{
    return kind == T_RBRACE || kind == T_RPAREN || kind == T_RBRACKET || kind == T_STR_TAIL;
}

void lsp_folding(Lsp *lsp, const Json *params, JsonOut *out)
{
    Doc *doc = lsp_doc(lsp, params);
    if (!doc || !lsp_doc_ready(lsp, doc)) return;
    uint32_t open[PARSE_NESTING_MAX], count = 0;
    json_begin_array(out);
    for (const LexToken *t = doc->file->tokens; t && t->kind; t++) {
        if (opens(t->kind) && count < COUNT_OF(open)) open[count++] = t->start;
        if (!closes(t->kind) || !count) continue;
        uint32_t from, to, column;
        lsp_place(doc, open[--count], &from, &column);
        lsp_place(doc, t->start, &to, &column);
        if (to <= from + 1) continue;
        json_begin_object(out);
        json_field_int(out, "startLine", from);
        json_field_int(out, "endLine", (int64_t)to - 1);
        json_end(out);
    }
    json_end(out);
}

/* ---- formatting --------------------------------------------------------------------------- */

/* One edit from the first line that changes to the last. */
static void put_change(JsonOut *out, const Doc *doc, Str old, Str new)
{
    size_t same = 0, line = 0, tail = 0;
    while (same < old.len && same < new.len &&old.ptr[same] == new.ptr[same])
        if (old.ptr[same++] == '\n') line = same;
    while (tail < old.len - line &&
           tail < new.len - line &&old.ptr[old.len - 1 - tail] == new.ptr[new.len - 1 - tail])
        tail++;
    while (tail && ((unsigned char)old.ptr[old.len - tail] & 0xc0) == 0x80) tail--;
    json_begin_object(out);
    lsp_put_range(out, doc, (Span){doc->source->id, (uint32_t)line, (uint32_t)(old.len - tail)});
    json_field_str(out, "newText", str_slice(new.ptr + line, new.len - line - tail));
    json_end(out);
}

void lsp_formatting(Lsp *lsp, const Json *params, JsonOut *out)
{
    Doc *doc = lsp_doc(lsp, params);
    if (!doc || !lsp_doc_ready(lsp, doc)) return;
    if (doc->file->broken) { /* a text with syntax errors stays as it is */
        json_put_null(out);
        return;
    }
    buf_clear(&lsp->scratch);
    Status st = fmt_file(lsp->arena, doc->file, &lsp->scratch);
    if (st) {
        lsp_fail(lsp, RPC_INTERNAL_ERROR, "%s", status_text(st));
        return;
    }
    json_begin_array(out);
    Str new = buf_view(&lsp->scratch);
    if (!str_eq(doc->source->text, new)) put_change(out, doc, doc->source->text, new);
    json_end(out);
}

/* ---- semantic tokens ---------------------------------------------------------------------- */

/* Order of the legend in lsp.c. */
enum {
    PAINT_KEYWORD,
    PAINT_TYPE,
    PAINT_FIELD,
    PAINT_FUNCTION,
    PAINT_VARIABLE,
    PAINT_NUMBER,
    PAINT_STRING,
    PAINT_COMMENT,
    PAINT_OPERATOR,
    PAINT_ENUM_NAME,
    PAINT_PARAMETER,
    PAINT_NAMESPACE,
    PAINT_NONE
};
enum { PAINT_DECLARATION = 1, PAINT_LIBRARY = 2 };

static uint32_t symbol_paint(SymbolKind kind)
{
    switch (kind) {
    case SYMBOL_TYPE:
    case SYMBOL_UNIT: return PAINT_TYPE;
    case SYMBOL_CONST: return PAINT_VARIABLE;
    case SYMBOL_FN: return PAINT_FUNCTION;
    case SYMBOL_FIELD: return PAINT_FIELD;
    case SYMBOL_PARAM: return PAINT_PARAMETER;
    case SYMBOL_ENUM_NAME: return PAINT_ENUM_NAME;
    default: return PAINT_NAMESPACE;
    }
}

static uint32_t mark_paint(MarkKind kind)
{
    switch (kind) {
    case MARK_UNIT:
    case MARK_TYPE: return PAINT_TYPE;
    case MARK_CALL: return PAINT_FUNCTION;
    case MARK_LABEL: return PAINT_PARAMETER;
    case MARK_CONNECTOR: return PAINT_NAMESPACE;
    default: return PAINT_KEYWORD;
    }
}

static uint32_t token_paint(const LexToken *t)
{
    if (t->role != LEX_ROLE_NONE) return PAINT_KEYWORD;
    switch (t->kind) {
    case T_COMMENT: return PAINT_COMMENT;
    case T_NUM:
    case T_DUR:
    case T_SIZE:
    case T_PCT:
    case T_INSTANT: return PAINT_NUMBER;
    case T_STR:
    case T_STR_HEAD:
    case T_STR_MID:
    case T_STR_TAIL: return PAINT_STRING;
    case T_AND:
    case T_OR:
    case T_NOT:
    case T_IF:
    case T_THEN:
    case T_ELSE:
    case T_ELSE_ARM:
    case T_MATCH:
    case T_TRY:
    case T_TO:
    case T_AS:
    case T_BY:
    case T_IN:
    case T_DIV:
    case T_EXISTS:
    case T_CONTAINS:
    case T_STARTS_WITH:
    case T_ENDS_WITH:
    case T_MATCHES:
    case T_BECOMES:
    case T_TRUE:
    case T_FALSE:
    case T_NULL:
    case T_ENUM:
    case T_WITHIN:
    case T_STOP: return PAINT_KEYWORD;
    default: return PAINT_NONE;
    }
}

typedef struct Painter {
    Doc *doc;
    JsonOut *out;
    uint32_t line, column;
} Painter;

static void paint(Painter *p, const LexToken *t, uint32_t type, uint32_t flags)
{
    uint32_t line, column;
    lsp_place(p->doc, t->start, &line, &column);
    uint32_t length = lsp_utf16(doc_text(p->doc, t->start, t->end));
    json_put_int(p->out, line - p->line);
    json_put_int(p->out, line == p->line ? column - p->column : column);
    json_put_int(p->out, length);
    json_put_int(p->out, type);
    json_put_int(p->out, flags);
    p->line = line;
    p->column = column;
}

void lsp_semantic_tokens(Lsp *lsp, const Json *params, JsonOut *out)
{
    Doc *doc = lsp_doc(lsp, params);
    if (!doc || !lsp_doc_ready(lsp, doc)) return;
    const Index *index = lsp_index(doc);
    Painter p = {.doc = doc, .out = out};
    uint32_t use = 0, mark = 0; /* everything is in the order of the text */
    json_begin_object(out);
    json_key(out, "data");
    json_begin_array(out);
    for (const LexToken *t = doc->file->tokens; t && t->kind; t++) {
        while (use < index->use_count && index->uses[use].at.start < t->start) use++;
        while (mark < index->mark_count && index->marks[mark].at.start < t->start) mark++;
        uint32_t type = token_paint(t), flags = 0;
        if (use < index->use_count && index->uses[use].at.start == t->start) {
            const Symbol *s = &index->symbols[index->uses[use].symbol];
            type = symbol_paint(s->kind);
            if (s->def.start == t->start) flags = PAINT_DECLARATION;
        } else if (mark < index->mark_count && index->marks[mark].at.start == t->start) {
            type = mark_paint(index->marks[mark].kind);
            flags = PAINT_LIBRARY;
        }
        if (type != PAINT_NONE && t->end > t->start) paint(&p, t, type, flags);
    }
    json_end(out);
    json_end(out);
}
