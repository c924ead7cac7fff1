/* compiler/lsp/complete.c: what may stand at a place, best first. */
#include "compiler/lsp/context.h"

#include "compiler/library/library.h"
#include "compiler/type/builtins.h"
#include "parse/grammar.h"

#include <stdio.h>

/* Kinds of the protocol. */
enum {
    KIND_FUNCTION = 3,
    KIND_FIELD = 5,
    KIND_MODULE = 9,
    KIND_PROPERTY = 10,
    KIND_UNIT = 11,
    KIND_KEYWORD = 14,
    KIND_ENUM_MEMBER = 20,
    KIND_CONSTANT = 21,
    KIND_STRUCT = 22,
    KIND_PARAMETER = 6
};

typedef struct List {
    Lsp *lsp;
    Doc *doc;
    JsonOut *out;
    const Context *context;
    DocRow row;
    uint32_t count;
    uint32_t given; /* parameters that labels() passes over */
} List;

/* ---- one item ----------------------------------------------------------------------------- */

static void item(List *l, Str label, int kind, Str detail, Str doc, char order)
{
    JsonOut *out = l->out;
    if (l->count >= LSP_ITEMS_MAX || !label.len) return;
    json_begin_object(out);
    json_field_str(out, "label", label);
    json_field_int(out, "kind", kind);
    if (detail.len) json_field_str(out, "detail", detail);
    if (doc.len) json_field_str(out, "documentation", doc);
    char sort[16];
    (void)snprintf(sort, sizeof sort, "%c%04u", order, l->count);
    json_field_text(out, "sortText", sort);
    json_key(out, "textEdit");
    json_begin_object(out);
    lsp_put_range(out, l->doc, (Span){l->doc->source->id, l->context->start, l->context->end});
    json_field_str(out, "newText", label);
    json_end(out);
    json_end(out);
    l->count++;
}

static void text_item(List *l, const char *label, int kind, const char *detail, const char *doc,
                      char order)
{
    item(l, str_from(label), kind, str_from(detail), str_from(doc), order);
}

static void keywords(List *l, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++) text_item(l, list[i], KIND_KEYWORD, NULL, NULL, '5');
}

#define KEYWORDS(l, ...)                                                                           \
    do {                                                                                           \
        static const char *const list_[] = {__VA_ARGS__};                                          \
        keywords((l), list_, COUNT_OF(list_));                                                     \
    } while (0)

static void word_items(List *l, WordKind kind, int item_kind, char order)
{
    for (uint32_t i = 0; i < word_count; i++)
        if (words[i].kind == kind && word_available(&words[i]))
            text_item(l, words[i].name, item_kind, words[i].usage, words[i].doc, order);
}

/* ---- what the program declares -------------------------------------------------------------- */

/* Under `as m` a name is m.name; units keep their bare names. */
static void declared_in(List *l, const AstFile *file, Str as, AstItemKind wanted, int kind,
                        char order)
{
    for (const AstItem *i = file->items; i; i = i->next) {
        if (i->kind != wanted || !i->name.text.len) continue;
        Str text = source_text(file->source, i->span), name = i->name.text;
        if (as.len && wanted != AST_ITEM_UNIT)
            name = arena_printf(l->doc->arena, "%.*s.%.*s", STR_ARG(as), STR_ARG(name));
        ptrdiff_t line = str_find_char(text, '\n');
        if (line > 0) text = str_slice(text.ptr, (size_t)line);
        if (text.len > 120) text.len = 0;
        item(l, name, kind, text, STR_NONE, order);
    }
}

static void declared(List *l, AstItemKind wanted, int kind, char order)
{
    declared_in(l, l->doc->file, STR_NONE, wanted, kind, order);
    if (wanted == AST_ITEM_PIPELINE) return; /* those of used files are not part of the program */
    for (const AstItem *i = l->doc->file->items; i; i = i->next) {
        const AstFile *used = i->kind == AST_ITEM_USE ? doc_used(l->doc, i) : NULL;
        if (used) declared_in(l, used, i->as.use.as.text, wanted, kind, order);
    }
}

static void fields(List *l, const Record *row, bool (*wanted)(const Type *type))
{
    for (uint32_t i = 0; row && i < row->count; i++) {
        const RecordField *f = &row->fields[i];
        if (wanted && !wanted(&f->type)) continue;
        item(l, f->name, KIND_FIELD, type_text(l->doc->arena, &f->type), STR_NONE, '1');
    }
}

static bool is_time(const Type *type)
{
    return type->kind == IR_TIME;
}

static void enum_names(List *l, const Type *type)
{
    if (!type || type->kind != IR_ENUM || !type->names) return;
    for (uint32_t i = 0; i < type->names->count; i++)
        item(l, type->names->names[i], KIND_ENUM_MEMBER, type_text(l->doc->arena, type), STR_NONE,
             '0');
}

/* ---- values before the place ---------------------------------------------------------------- */

static Str token_text(const List *l, uint32_t at)
{
    const LexToken *t = &l->doc->file->tokens[at];
    return doc_text(l->doc, t->start, t->end);
}

/* The token before `at` that is no comment, or NO_INDEX. */
static uint32_t before(const List *l, uint32_t at)
{
    while (at-- > 0)
        if (l->doc->file->tokens[at].kind != T_COMMENT) return at;
    return NO_INDEX;
}

static int kind_at(const List *l, uint32_t at)
{
    return at == NO_INDEX ? 0 : l->doc->file->tokens[at].kind;
}

static const RecordField *param_field(List *l, Str name)
{
    const AstItem *i = l->row.item;
    for (const AstParam *p = i && i->kind == AST_ITEM_FN ? i->as.fn.params : NULL; p; p = p->next) {
        if (!str_eq(p->name.text, name)) continue;
        for (uint32_t f = 0; f < l->doc->facts.count; f++) {
            const Fact *fact = &l->doc->facts.list[f];
            if (fact->kind != FACT_PARAM || fact->def.ptr != p->name.text.ptr) continue;
            RecordField *field = arena_one(l->doc->arena, RecordField);
            if (field) *field = (RecordField){name, fact->type, p->name.span};
            return field;
        }
    }
    return NULL;
}

/* The type of `a.b.c` that ends with token `at`; false: no path, or not known. */
static bool path_type(List *l, uint32_t at, Type *ret_type)
{
    uint32_t names[IR_PATH_MAX + 1], count = 0;
    for (; at != NO_INDEX && count < COUNT_OF(names); at = before(l, at)) {
        names[count++] = at;
        at = before(l, at);
        if (kind_at(l, at) != T_DOT) break;
    }
    if (!count || count == COUNT_OF(names)) return false;
    Str first = token_text(l, names[count - 1]);
    const RecordField *field = l->row.in ? record_find(l->row.in, first) : NULL;
    if (!field) field = param_field(l, first);
    for (uint32_t i = count - 1; field && i > 0; i--)
        field = field->type.kind == IR_RECORD
                    ? record_find(field->type.record, token_text(l, names[i - 1]))
                    : NULL;
    if (field) *ret_type = field->type;
    return field != NULL;
}

/* The type of what ends with token `at`: known to the checker, or a path. */
static bool type_before(List *l, uint32_t at, Type *ret_type)
{
    if (at == NO_INDEX) return false;
    const Fact *f = doc_fact_before(l->doc, l->doc->file->tokens[at].end);
    if (f && f->type.kind != IR_NONE) {
        *ret_type = f->type;
        return true;
    }
    return path_type(l, at, ret_type);
}

/* ---- places ------------------------------------------------------------------------------- */

static void connectors(List *l, bool in)
{
    declared(l, AST_ITEM_CONNECTION, KIND_MODULE, '1');
    for (uint32_t i = 0; i < word_connector_count; i++) {
        const WordConnector *c = &word_connectors[i];
        if (in ? c->in : c->out)
            text_item(l, c->name, KIND_MODULE, in ? "source" : "sink", c->doc, '2');
    }
}

static void options(List *l)
{
    Str kind = l->context->connector;
    bool in = l->context->in;
    for (const AstItem *i = l->doc->file->items; i; i = i->next)
        if (i->kind == AST_ITEM_CONNECTION && str_eq(i->name.text, kind))
            kind = i->as.connection.to.kind.text;
    for (uint32_t i = 0; i < word_option_count; i++) {
        const WordOption *o = &word_options[i];
        if (str_is(kind, o->connector) && (in ? o->in : o->out))
            text_item(l, o->name, KIND_PROPERTY, o->takes, o->doc, '1');
    }
    KEYWORDS(l, "as", "proto", "message");
    if (in) KEYWORDS(l, "check", "unknown");
    if (!in) KEYWORDS(l, "and");
    if (str_is(l->context->stage, "on")) KEYWORDS(l, "stop above");
}

static void types(List *l)
{
    declared(l, AST_ITEM_TYPE, KIND_STRUCT, '1');
    word_items(l, WORD_KIND_TYPE, KIND_STRUCT, '2');
}

static void functions(List *l)
{
    declared(l, AST_ITEM_FN, KIND_FUNCTION, '3');
    for (uint32_t i = 0; i < BUILTIN__COUNT; i++) {
        const BuiltinInfo *info = builtin_info((Builtin)i);
        AUTO_BUF Buf text;
        buf_init(&text, 4096);
        word_signature(info, &text);
        item(l, str_from(info->name), KIND_FUNCTION, buf_view(&text), str_from(info->doc), '4');
    }
    for (LibraryFn fn = {0}; library_next(&fn);) {
        AUTO_BUF Buf text;
        buf_init(&text, 8192);
        library_explain(&fn, &text);
        item(l, fn.name, KIND_FUNCTION, fn.signature,
             str_skip(buf_view(&text), fn.signature.len + 2), '4');
    }
    word_items(l, WORD_KIND_FUNCTION, KIND_FUNCTION, '4');
    word_items(l, WORD_KIND_MEMORY, KIND_FUNCTION, '4');
    text_item(l, "min", KIND_FUNCTION, "min(a, b)", "The lesser of two values.", '4');
    text_item(l, "max", KIND_FUNCTION, "max(a, b)", "The greater of two values.", '4');
}

/* How many arguments stand in front of the place without a name: the first parameters. */
static uint32_t plain_args(const List *l)
{
    uint32_t count = 0, depth = 0;
    bool named = false;
    for (uint32_t at = l->context->call + 1; at < l->context->count; at++) {
        switch (kind_at(l, at)) {
        case T_LPAREN:
        case T_LBRACKET:
        case T_LBRACE:
        case T_STR_HEAD: depth++; break;
        case T_RPAREN:
        case T_RBRACKET:
        case T_RBRACE:
        case T_STR_TAIL: depth--; break;
        case T_COLON: named |= depth == 0; break;
        case T_COMMA:
            if (depth) break;
            count += !named;
            named = false;
            break;
        default: break;
        }
    }
    return count;
}

/* `name:` of a parameter that this call does not give yet. */
static void label(List *l, Str name, Str detail)
{
    if (l->given) {
        l->given--;
        return;
    }
    for (uint32_t at = l->context->call + 1; at + 1 < l->context->count; at++)
        if (kind_at(l, at + 1) == T_COLON && str_eq(token_text(l, at), name)) return;
    item(l, arena_printf(l->doc->arena, "%.*s:", STR_ARG(name)), KIND_PARAMETER, detail, STR_NONE,
         '2');
}

/* Of "x: f64, lo: f64" or "x, lo". */
static void labels_of(List *l, Str params)
{
    while (params.len) {
        ptrdiff_t comma = str_find(params, STR(", "));
        Str one = comma < 0 ? params : str_slice(params.ptr, (size_t)comma);
        ptrdiff_t colon = str_find_char(one, ':');
        Str type = colon < 0 ? STR_NONE : str_trim(str_skip(one, (size_t)colon + 1));
        label(l, colon < 0 ? one : str_slice(one.ptr, (size_t)colon), type);
        params = str_skip(params, comma < 0 ? params.len : (size_t)comma + 2);
    }
}

static bool declared_labels(List *l, const AstFile *file, Str as, Str function)
{
    const AstParam *p = NULL;
    bool found = false;
    if (as.len && str_starts(function, as) && function.len > as.len && function.ptr[as.len] == '.')
        function = str_skip(function, as.len + 1);
    else if (as.len)
        return false;
    for (const AstItem *i = file->items; i && !found; i = i->next) {
        if (i->kind == AST_ITEM_FN && str_eq(i->name.text, function)) {
            found = true;
            p = i->as.fn.params;
        }
        for (const AstCFn *f = i->kind == AST_ITEM_EXTERN ? i->as.external.fns : NULL; f;
             f = f->next) {
            if (!str_eq(f->name.text, function)) continue;
            found = true;
            p = f->params;
            if (p && p->type && p->type->kind == AST_TYPE_STATE) p = p->next;
        }
    }
    for (; p; p = p->next)
        label(l, p->name.text, p->type ? source_text(file->source, p->type->span) : STR_NONE);
    return found;
}

/* Where an argument begins, also the names of the parameters. */
static void labels(List *l)
{
    uint32_t end = l->context->call == NO_INDEX ? NO_INDEX : before(l, l->context->call);
    if (end == NO_INDEX) return;
    uint32_t first = end; /* m.name */
    if (kind_at(l, before(l, first)) == T_DOT) first = before(l, before(l, first));
    if (first == NO_INDEX) return;
    l->given = plain_args(l);
    const LexToken *tokens = l->doc->file->tokens;
    Str name = doc_text(l->doc, tokens[first].start, tokens[end].end);
    if (declared_labels(l, l->doc->file, STR_NONE, name)) return;
    for (const AstItem *i = l->doc->file->items; i; i = i->next) {
        const AstFile *used = i->kind == AST_ITEM_USE ? doc_used(l->doc, i) : NULL;
        if (used && declared_labels(l, used, i->as.use.as.text, name)) return;
    }
    const CheckedInfo *checked = NULL; /* of min and max, the one of two values */
    for (uint32_t i = 0; i < checked_info_count; i++)
        if (str_is(name, checked_infos[i].name)) checked = &checked_infos[i];
    if (checked) {
        labels_of(l, str_from(checked->params));
        return;
    }
    AUTO_BUF Buf text;
    buf_init(&text, 4096);
    const BuiltinInfo *info = builtin_info(builtin_find(name));
    LibraryFn fn;
    Str signature = STR_NONE;
    if (info) {
        word_signature(info, &text);
        signature = buf_view(&text);
    } else if (library_find(name, &fn)) {
        signature = fn.signature;
    }
    ptrdiff_t open = str_find_char(signature, '('), close = str_find(signature, STR(") -> "));
    if (open < 0 || close < open) return;
    labels_of(l, str_slice(signature.ptr + open + 1, (size_t)(close - open) - 1));
}

/* Keys, start, end and what stands in the braces already. */
static void tally(List *l)
{
    const AstStage *s = l->row.stage;
    const Record *out = s ? doc_stage_row(l->doc, s->span, true) : NULL;
    if (out && s->kind == AST_WINDOW) fields(l, out, NULL);
    word_items(l, WORD_KIND_AGGREGATE, KIND_FUNCTION, '0');
}

/* The enum on the other side of == or !=, or around a match's pattern. */
static void expected_names(List *l)
{
    uint32_t prev = before(l, l->context->count);
    Type type;
    if (kind_at(l, prev) == T_EQ || kind_at(l, prev) == T_NE) {
        if (type_before(l, before(l, prev), &type)) enum_names(l, &type);
        return;
    }
    bool pattern = kind_at(l, prev) == T_LBRACE || kind_at(l, prev) == T_COMMA ||
                   kind_at(l, prev) == T_OR || kind_at(l, prev) == T_ID;
    if (!pattern) return;
    uint32_t at = l->context->count;
    int depth = 0;
    for (uint32_t steps = 0; at != NO_INDEX && steps < 400; steps++) {
        at = before(l, at);
        int kind = kind_at(l, at);
        if (kind == T_RBRACE) depth++;
        if (kind == T_LBRACE && depth-- == 0) break;
    }
    if (at == NO_INDEX || !at) return;
    uint32_t value = before(l, at), word = value;
    while (kind_at(l, before(l, word)) == T_DOT) word = before(l, before(l, word));
    uint32_t match = word == NO_INDEX ? NO_INDEX : before(l, word);
    if (match != NO_INDEX && str_is(token_text(l, match), "match") && type_before(l, value, &type))
        enum_names(l, &type);
}

static void values(List *l)
{
    const Context *c = l->context;
    expected_names(l);
    if (c->tally && !c->aggregate) {
        tally(l);
    } else {
        fields(l, l->row.in, NULL);
        if (c->aggregate) KEYWORDS(l, "where", "within");
    }
    const AstItem *fn = l->row.item;
    for (const AstParam *p = fn && fn->kind == AST_ITEM_FN ? fn->as.fn.params : NULL; p;
         p = p->next)
        item(l, p->name.text, KIND_PARAMETER,
             p->type ? doc_text(l->doc, p->type->span.start, p->type->span.end) : STR_NONE,
             STR_NONE, '1');
    labels(l);
    declared(l, AST_ITEM_CONST, KIND_CONSTANT, '2');
    functions(l);
    if (str_is(c->item, "pipeline"))
        text_item(l, "meta", KIND_MODULE,
                  "meta.topic, meta.key, meta.received, meta.raw, meta.headers",
                  "what came with the record", '4');
    KEYWORDS(l, "if", "match", "try", "not", "true", "false", "null");
}

static void members(List *l)
{
    uint32_t dot = before(l, l->context->count), owner = before(l, dot);
    Type type;
    if (owner != NO_INDEX && str_is(token_text(l, owner), "meta") &&
        !(l->row.in && record_find(l->row.in, STR("meta")))) {
        text_item(l, "topic", KIND_FIELD, "string(1024)", "the topic it came on", '1');
        text_item(l, "key", KIND_FIELD, "string(1024)", "the message's key", '1');
        text_item(l, "received", KIND_FIELD, "time", "when it arrived", '1');
        text_item(l, "raw", KIND_FIELD, "string", "its bytes as they came", '1');
        text_item(l, "headers", KIND_FIELD, "json",
                  "what stood beside it: HTTP fields, user properties", '1');
        return;
    }
    if (owner != NO_INDEX && type_before(l, owner, &type) && type.kind == IR_RECORD)
        fields(l, type.record, NULL);
}

static void operators(List *l)
{
    word_items(l, WORD_KIND_OPERATOR, KIND_KEYWORD, '3');
    if (str_is(l->context->stage, "where")) KEYWORDS(l, "else drop", "else error");
    KEYWORDS(l, "then", "else");
}

/* ---- units -------------------------------------------------------------------------------- */

static void convertible_units(List *l, const Unit *from)
{
    static const char *const prefixes[] = {"", "k", "M", "m"};
    item(l, from->text, KIND_UNIT, STR("as it is"), STR_NONE, '9');
    for (uint32_t i = 0; i < word_unit_count; i++) {
        Unit to;
        if (!unit_find(str_from(word_units[i].name), &to) || !unit_convertible(from, &to)) continue;
        bool prefix = word_units[i].prefix && !unit_affine(from);
        for (size_t p = 0; p < (prefix ? COUNT_OF(prefixes) : 1); p++) {
            Str name = arena_printf(l->doc->arena, "%s%s", prefixes[p], word_units[i].name);
            if (name.ptr && !str_eq(name, from->text) && unit_find(name, &to))
                item(l, name, KIND_UNIT, str_from(word_units[i].text), STR_NONE, p ? '3' : '2');
        }
    }
}

/* Behind `x > 80 [`: the unit of x. */
static void expected_unit(List *l, uint32_t number)
{
    Type type;
    uint32_t sign = before(l, number);
    if (kind_at(l, sign) == T_MINUS && kind_at(l, before(l, sign)) != T_ID) sign = before(l, sign);
    switch (kind_at(l, sign)) {
    case T_GT:
    case T_GE:
    case T_LT:
    case T_LE:
    case T_EQ:
    case T_NE:
    case T_PLUS:
    case T_MINUS:
    case T_COALESCE:
        if (type_before(l, before(l, sign), &type) && type.unit)
            item(l, type.unit->text, KIND_UNIT, STR("the unit of the other side"), STR_NONE, '0');
        break;
    default: break;
    }
}

static void units(List *l)
{
    uint32_t bracket = before(l, l->context->count), prev = NO_INDEX;
    while (bracket != NO_INDEX && kind_at(l, bracket) != T_LBRACKET) bracket = before(l, bracket);
    if (bracket != NO_INDEX) prev = before(l, bracket);
    Type type;
    bool whole = bracket == before(l, l->context->count);
    if (prev != NO_INDEX && str_is(token_text(l, prev), "to") && whole &&
        type_before(l, before(l, prev), &type) && type.unit) {
        convertible_units(l, type.unit);
        return;
    }
    if (kind_at(l, prev) == T_NUM && whole) expected_unit(l, prev);
    declared(l, AST_ITEM_UNIT, KIND_UNIT, '1');
    for (uint32_t i = 0; i < word_unit_count; i++)
        text_item(l, word_units[i].name, KIND_UNIT, word_units[i].text, NULL, '2');
}

/* ---- words of stages ---------------------------------------------------------------------- */

/* The shape stands first, the rest behind it. */
static void window_words(List *l, bool first)
{
    static const char *const shapes[] = {"tumble", "hop", "session", "count"};
    for (uint32_t i = 0; i < word_count; i++) {
        const Word *w = &words[i];
        bool shape = false;
        for (size_t n = 0; n < COUNT_OF(shapes); n++)
            shape = shape || str_is(str_from(w->name), shapes[n]);
        if (w->kind == WORD_KIND_WINDOW && shape == first && word_available(w))
            text_item(l, w->name, KIND_KEYWORD, w->usage, w->doc, '1');
    }
    if (!first) KEYWORDS(l, "by");
}

static void stage_words(List *l)
{
    Str stage = l->context->stage;
    uint32_t prev = before(l, l->context->count);
    bool first = prev == l->context->stage_at;
    Str word = prev == NO_INDEX ? STR_NONE : token_text(l, prev);
    if (str_is(stage, "window")) {
        window_words(l, first);
    } else if (str_is(stage, "on")) {
        if (first)
            KEYWORDS(l, "error", "late");
        else if (str_is(word, "error") || str_is(word, "late"))
            KEYWORDS(l, "into", "drop", "dead");
        else
            KEYWORDS(l, "stop above", "in");
    } else if (str_is(stage, "time")) {
        KEYWORDS(l, "order", "idle", "max ahead");
    } else if (str_is(stage, "keep") || str_is(stage, "drop") || str_is(stage, "require")) {
        KEYWORDS(l, "as");
    } else if (str_is(stage, "split") && first) {
        KEYWORDS(l, "all");
    } else if (str_is(stage, "sample") && first) {
        KEYWORDS(l, "every");
    } else if (str_is(stage, "overflow") && first) {
        KEYWORDS(l, "block", "drop oldest", "spill");
    } else if (str_is(stage, "priority") && first) {
        KEYWORDS(l, "high", "low");
    } else if (str_is(stage, "dedupe")) {
        KEYWORDS(l, "within");
    }
}

/* Behind `expect` and `in` of a test: sinks of its pipeline, and late, error. */
static void step_words(List *l)
{
    const AstItem *test = l->row.item;
    if (str_is(l->context->stage, "in")) KEYWORDS(l, "from", "topic", "key", "header");
    if (!str_is(l->context->stage, "expect") || !test) return;
    KEYWORDS(l, "error", "late", "nothing else");
    for (const AstItem *i = l->doc->file->items; i; i = i->next) {
        if (i->kind != AST_ITEM_PIPELINE || !str_eq(i->name.text, test->name.text)) continue;
        for (const AstStage *s = i->as.pipeline.stages; s; s = s->next)
            for (const AstSink *k = s->kind == AST_INTO ? s->as.sinks : NULL; k; k = k->next)
                item(l, k->to.kind.text, KIND_MODULE, STR("sink"), STR_NONE, '1');
    }
}

/* The record around the place in a test, as far as its step is known. */
static const Record *step_record(List *l)
{
    const AstItem *test = l->row.item;
    if (!test || test->kind != AST_ITEM_TEST || l->context->stage_at == NO_INDEX) return NULL;
    uint32_t at = l->context->stage_at;
    const LexToken *word = &l->doc->file->tokens[at];
    AstStep step = {.kind = str_is(l->context->stage, "in") ? AST_STEP_IN : AST_STEP_EXPECT};
    for (const AstStep *s = test->as.test.steps; s; s = s->next)
        if (s->span.start == word->start) step = *s;
    if (step.kind == AST_STEP_EXPECT && !step.target.text.len)
        step.target.text = token_text(l, at + 1);
    return doc_step_row(l->doc, test, &step, STR_NONE);
}

static void step_fields(List *l)
{
    const Record *row = step_record(l);
    for (uint32_t i = 0; row && i < row->count; i++) {
        Str label = arena_printf(l->doc->arena, "%.*s:", STR_ARG(row->fields[i].name));
        item(l, label, KIND_FIELD, type_text(l->doc->arena, &row->fields[i].type), STR_NONE, '1');
    }
}

/* A value in a test's record: the names of its enum. */
static void step_value(List *l)
{
    uint32_t colon = before(l, l->context->count), name = before(l, colon);
    const Record *row = kind_at(l, colon) == T_COLON ? step_record(l) : NULL;
    const RecordField *field =
        row && name != NO_INDEX ? record_find(row, token_text(l, name)) : NULL;
    if (field) enum_names(l, &field->type);
    KEYWORDS(l, "true", "false", "null");
}

/* Those that do not stand there yet. */
static void alarm_fields(List *l)
{
    const AstItem *alarm = l->row.item;
    bool known = alarm && alarm->kind == AST_ITEM_ALARM && alarm->as.alarm.fields;
    for (uint32_t i = 0; i < word_alarm_field_count; i++) {
        const WordAlarmField *w = &word_alarm_fields[i];
        const AstField *f = known ? alarm->as.alarm.fields->as.fields : NULL;
        while (f && !str_is(f->name.text, w->name)) f = f->next;
        Str label = arena_printf(l->doc->arena, "%s:", w->name);
        if (!f) item(l, label, KIND_FIELD, str_from(w->usage), str_from(w->doc), '1');
    }
}

static void alarm_value(List *l)
{
    const WordAlarmField *field = word_alarm_field(l->context->field);
    switch (field ? field->takes : ALARM_TAKES_TEXT) {
    case ALARM_TAKES_PRIORITY: KEYWORDS(l, "critical", "high", "medium", "low"); return;
    case ALARM_TAKES_QUALITY: KEYWORDS(l, "bad"); return;
    case ALARM_TAKES_FLAG:
    case ALARM_TAKES_WORDS: KEYWORDS(l, "true", "false"); break;
    default: break;
    }
    declared(l, AST_ITEM_CONST, KIND_CONSTANT, '2');
}

static void fill(List *l)
{
    switch (l->context->place) {
    case PLACE_DECL: word_items(l, WORD_KIND_DECL, KIND_KEYWORD, '1'); break;
    case PLACE_STAGE:
        word_items(l, WORD_KIND_STAGE, KIND_KEYWORD, '1');
        if (l->context->in_split) KEYWORDS(l, "else =>");
        break;
    case PLACE_STEP: KEYWORDS(l, "in", "clock", "expect"); break;
    case PLACE_SOURCE: connectors(l, true); break;
    case PLACE_SINK: connectors(l, false); break;
    case PLACE_OPTIONS: options(l); break;
    case PLACE_FORMAT:
        word_items(l, WORD_KIND_FORMAT, KIND_KEYWORD, '1');
        if (l->context->in) types(l);
        break;
    case PLACE_TYPE: types(l); break;
    case PLACE_UNIT: units(l); break;
    case PLACE_VALUE:
        if (str_is(l->context->item, "test"))
            step_value(l);
        else
            values(l);
        break;
    case PLACE_OPERATOR: operators(l); break;
    case PLACE_MEMBER: members(l); break;
    case PLACE_FIELD:
        fields(l, l->row.in, str_is(l->context->stage, "time") ? is_time : NULL);
        break;
    case PLACE_PIPELINE: declared(l, AST_ITEM_PIPELINE, KIND_MODULE, '1'); break;
    case PLACE_WORDS:
        if (str_is(l->context->item, "test"))
            step_words(l);
        else
            stage_words(l);
        break;
    case PLACE_STEP_FIELD: step_fields(l); break;
    case PLACE_ALARM_FIELD: alarm_fields(l); break;
    case PLACE_ALARM_VALUE: alarm_value(l); break;
    case PLACE_NONE: break;
    }
}

void lsp_completion(Lsp *lsp, const Json *params, JsonOut *out)
{
    Doc *doc = lsp_doc(lsp, params);
    if (!doc || !lsp_doc_ready(lsp, doc)) return;
    uint32_t offset = lsp_offset(doc, json_get(params, "position"));
    Context context;
    json_begin_object(out);
    json_field_bool(out, "isIncomplete", false);
    json_key(out, "items");
    json_begin_array(out);
    if (context_at(doc, offset, &context)) {
        List l = {.lsp = lsp, .doc = doc, .out = out, .context = &context};
        l.row = doc_row(doc, context.start);
        fill(&l);
    }
    json_end(out);
    json_end(out);
}
