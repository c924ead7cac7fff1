/* compiler/graph/words.c: one node of a bare graph in the language's words (docs/graph-json.md).
 *
 * A node either has its `text`, or the members below; what they hold is checked by the parser and
 * the compiler, as if it had been typed. */
#include "compiler/graph/graph_int.h"

enum { LIST, FIELDS, CONDITION, CONNECTOR, ARM, TEXT };

/* What a kind may have instead of `text`. Settings of a pipeline are no nodes. */
static const struct {
    AstStageKind kind;
    int form;
} forms[] = {
    {AST_FROM, CONNECTOR}, {AST_INTO, CONNECTOR}, {AST_WHERE, CONDITION}, {AST_WHEN, CONDITION},
    {AST_EACH, CONDITION}, {AST_LET, FIELDS},     {AST_KEEP, LIST},       {AST_DROP, LIST},
    {AST_REQUIRE, LIST},   {AST_TIME, TEXT},      {AST_SPLIT, TEXT},      {AST_JOIN, TEXT},
    {AST_ASK, TEXT},       {AST_WINDOW, TEXT},    {AST_DEDUPE, TEXT},     {AST_DEADBAND, TEXT},
    {AST_THROTTLE, TEXT},  {AST_SAMPLE, TEXT},    {AST_DELAY, TEXT},      {AST_REPLY, TEXT}};

static int form_of(Str kind)
{
    if (str_is(kind, "arm")) return ARM;
    for (size_t i = 0; i < COUNT_OF(forms); i++)
        if (str_is(kind, ast_stage_word(forms[i].kind))) return forms[i].form;
    return -1;
}

bool graph__is_stage(Str kind)
{
    return form_of(kind) >= 0;
}

/* A text of the language; places like {site} stay places. */
static void quoted(Bare *b, Str text)
{
    buf_char(b->out, '"');
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] < ' ') graph__refuse(b, "a text holds a control character");
        if (text.ptr[i] == '"' || text.ptr[i] == '\\') buf_char(b->out, '\\');
        buf_char(b->out, text.ptr[i]);
    }
    buf_char(b->out, '"');
}

/* Names with a text each, as `{ name: text }` or name = text. */
static void pairs(Bare *b, const Json *object, const char *between, const char *behind)
{
    for (const Json *one = object->first; one; one = one->next) {
        if (one->type != JSON_STRING) {
            graph__refuse(b, "`%.*s` is a text in the language: write \"%.*s\": \"...\"",
                          STR_ARG(one->key), STR_ARG(one->key));
            return;
        }
        buf_printf(b->out, "%.*s%s%.*s%s", STR_ARG(one->key), between, STR_ARG(one->text),
                   one->next ? behind : "");
    }
}

/* A name, the text of a type, or an object with one field each. */
static void type(Bare *b, const Json *type)
{
    if (type->type == JSON_STRING) {
        buf_str(b->out, type->text);
    } else if (type->type == JSON_OBJECT && type->first) {
        buf_text(b->out, "{ ");
        pairs(b, type, ": ", ", ");
        buf_text(b->out, " }");
    } else {
        graph__refuse(b, "a type is a text, or an object of its fields: { \"x\": \"f64\" }");
    }
}

static void options(Bare *b, const Json *options)
{
    if (options && options->type != JSON_OBJECT) {
        graph__refuse(b, "`options` is an object: { \"qos\": 1 }");
        return;
    }
    for (const Json *o = options ? options->first : NULL; o; o = o->next) {
        buf_printf(b->out, " %.*s ", STR_ARG(o->key));
        if (o->type == JSON_STRING)
            quoted(b, o->text);
        else if (o->type == JSON_INT || o->type == JSON_NUMBER)
            buf_str(b->out, o->raw);
        else
            graph__refuse(b, "the option `%.*s` is a text or a number; others stand in `text`",
                          STR_ARG(o->key));
    }
}

static void connector(Bare *b, const Json *node)
{
    Str kind = graph__text(b, node, "connector"), address = graph__text(b, node, "address");
    Str format = graph__text(b, node, "format");
    if (!kind.len)
        graph__refuse(b, "it needs its `text`, or a `connector` and an `address`, such as \"mqtt\" "
                         "and \"plant/+/data\"");
    buf_str(b->out, kind);
    if (address.len) {
        buf_char(b->out, ' ');
        quoted(b, address);
    }
    options(b, json_get(node, "options"));
    const Json *of = json_get(node, "type");
    if (!format.len && !of) return;
    buf_printf(b->out, " as %.*s%s", STR_ARG(format), format.len && of ? " " : "");
    if (of) type(b, of);
}

static void list(Bare *b, const Json *node, Str kind)
{
    const Json *fields = json_get(node, "fields");
    if (!fields || fields->type != JSON_ARRAY || !fields->first) {
        graph__refuse(b, "`%.*s` needs its `text`, or `fields`, a list of texts: [\"a\", \"b\"]",
                      STR_ARG(kind));
        return;
    }
    for (const Json *f = fields->first; f; f = f->next) {
        if (f->type != JSON_STRING || !f->text.len)
            graph__refuse(b, "`fields` holds texts: [\"a\", \"b\"]");
        buf_printf(b->out, "%.*s%s", STR_ARG(f->text), f->next ? ", " : "");
    }
}

static void let(Bare *b, const Json *node)
{
    const Json *fields = json_get(node, "fields");
    if (fields && fields->type == JSON_OBJECT && fields->first)
        pairs(b, fields, " = ", ", ");
    else
        graph__refuse(b, "`let` needs its `text`, or `fields`: { \"y\": \"x * 2\" }");
}

static void condition(Bare *b, const Json *node, Str kind)
{
    const char *name = str_is(kind, "each") ? "list" : "condition";
    Str text = graph__text(b, node, name);
    if (!text.len)
        graph__refuse(b, "`%.*s` needs its `text`, or `%s`: \"%s\"", STR_ARG(kind), name,
                      str_is(kind, "each") ? "samples" : "x > 1");
    buf_str(b->out, text);
}

/* `where e`, `else`, `keep a` or `each tag`: what stands before the arrow. */
static void arm(Bare *b, const Json *node)
{
    Str text = graph__text(b, node, "text"), when = graph__text(b, node, "condition");
    if (when.len)
        buf_printf(b->out, "where %.*s", STR_ARG(when));
    else if (json_bool(node, "else", false))
        buf_text(b->out, "else");
    else if (text.len)
        buf_str(b->out, text);
    else
        graph__refuse(b, "an arm needs a `condition`: \"x > 1\", or `else`: true");
}

static bool in_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* People write the leading word too, and labels of drawn graphs have it. */
static Str without_word(Str text, Str kind)
{
    bool leads = str_starts(text, kind) && (text.len == kind.len || !in_name(text.ptr[kind.len]));
    return leads ? str_trim(str_skip(text, kind.len)) : text;
}

void graph__words(Bare *b, const Json *node, Str kind)
{
    Str text = without_word(str_trim(graph__text(b, node, "text")), kind);
    int form = form_of(kind);
    if (form == ARM) {
        arm(b, node);
        return;
    }
    buf_printf(b->out, "%.*s ", STR_ARG(kind));
    if (text.len)
        buf_str(b->out, text);
    else if (form == CONNECTOR)
        connector(b, node);
    else if (form == CONDITION)
        condition(b, node, kind);
    else if (form == FIELDS)
        let(b, node);
    else if (form == LIST)
        list(b, node, kind);
    else if (!str_is(kind, "split"))
        graph__refuse(b, "`%.*s` needs its `text`: what stands behind that word in the language",
                      STR_ARG(kind));
}

void graph__declarations(Bare *b, const Json *graph)
{
    const Json *types = json_get(graph, "types"), *others = json_get(graph, "declarations");
    if (types && types->type != JSON_OBJECT)
        graph__refuse(b, "`types` is an object: { \"Reading\": { \"x\": \"f64\" } }");
    for (const Json *t = types ? types->first : NULL; t && !b->failed; t = t->next) {
        buf_printf(b->out, "type %.*s = ", STR_ARG(t->key));
        type(b, t);
        buf_char(b->out, '\n');
    }
    if (others && others->type != JSON_ARRAY)
        graph__refuse(b, "`declarations` is a list of texts: [\"const limit = 80\"]");
    for (const Json *d = others ? others->first : NULL; d && !b->failed; d = d->next) {
        if (d->type != JSON_STRING) graph__refuse(b, "`declarations` holds texts");
        buf_str(b->out, d->text);
        buf_char(b->out, '\n');
    }
}
