/* compiler/graph/import.c: the pieces of a graph's `items` back into one text. */
#include "compiler/graph/graph.h"

typedef struct Import {
    Buf *out;
    Diag *diag;
    Status failed;
    uint32_t depth;
    bool in_comment; /* the line at hand ends with one */
} Import;

enum { IMPORT_DEPTH_MAX = 48 };

static void refuse(Import *in, const char *what)
{
    if (!in->failed) in->failed = diag_set(in->diag, ST_INVALID, "%s", what);
}

static const Json *list_of(Import *in, const Json *of, const char *name, bool needed)
{
    const Json *list = json_get(of, name);
    if (list && list->type == JSON_ARRAY) return list->first;
    if (list || needed) refuse(in, "`items`, `stages`, `arms` and `before` are lists");
    return NULL;
}

/* A comment must stay one: it begins with # and holds no line end. */
static void comment(Import *in, Str text)
{
    if (text.len && (text.ptr[0] != '#' || str_find_char(text, '\n') >= 0)) {
        refuse(in, "a comment is one line that begins with #");
        return;
    }
    buf_str(in->out, text);
}

static void before(Import *in, const Json *piece)
{
    bool joined = json_bool(piece, "joined", false) && !in->in_comment;
    for (const Json *line = list_of(in, piece, "before", false); line; line = line->next) {
        if (line->type != JSON_STRING) refuse(in, "`before` holds texts");
        buf_char(in->out, '\n');
        comment(in, line->text);
        joined = joined && !line->text.len;
    }
    buf_char(in->out, joined ? ' ' : '\n');
    in->in_comment = false;
}

static void note(Import *in, const Json *piece)
{
    if (json_bool(piece, "semicolon", false)) buf_char(in->out, ';');
    Str text = json_str(piece, "note", STR_NONE);
    if (!text.len) return;
    buf_text(in->out, "  ");
    comment(in, text); /* what follows begins with a line end */
    in->in_comment = true;
}

static void text_of(Import *in, const Json *piece)
{
    const Json *text = json_get(piece, "text");
    if (!text || text->type != JSON_STRING)
        refuse(in, "every item, stage and arm has its `text`");
    else
        buf_str(in->out, text->text);
}

static void stages(Import *in, const Json *of);

static void close_of(Import *in, const Json *of)
{
    const Json *close = json_get(of, "close");
    before(in, close);
    buf_char(in->out, '}');
    note(in, close);
}

static void arms(Import *in, const Json *stage)
{
    for (const Json *arm = list_of(in, stage, "arms", true); arm && !in->failed; arm = arm->next) {
        before(in, arm);
        text_of(in, arm);
        note(in, arm);
        stages(in, arm);
        note(in, json_get(arm, "close"));
    }
}

static void stages(Import *in, const Json *of)
{
    if (++in->depth > IMPORT_DEPTH_MAX) refuse(in, "splits are nested too deeply");
    const Json *stage = list_of(in, of, "stages", true);
    for (; stage && !in->failed; stage = stage->next) {
        before(in, stage);
        text_of(in, stage);
        note(in, stage);
        if (!json_get(stage, "arms")) continue;
        arms(in, stage);
        close_of(in, stage);
    }
    in->depth--;
}

Status graph_text(const Json *graph, Buf *out, Diag *diag)
{
    Import in = {.out = out, .diag = diag};
    if (json_int(graph, "tutti_graph", 0) != GRAPH_VERSION)
        return diag_set(diag, ST_INVALID, "this is no graph of version %d (tutti graph --json)",
                        GRAPH_VERSION);
    for (const Json *i = list_of(&in, graph, "items", true); i && !in.failed; i = i->next) {
        before(&in, i);
        text_of(&in, i);
        note(&in, i);
        if (!str_is(json_str(i, "kind", STR_NONE), "pipeline")) continue;
        stages(&in, i);
        close_of(&in, i);
    }
    before(&in, json_get(graph, "rest"));
    if (in.failed) return in.failed;
    Str text = buf_view(out);
    size_t blank = 0; /* the first piece had a line end before it */
    while (blank < text.len && text.ptr[blank] == '\n') blank++;
    buf_consume(out, blank);
    return buf_status(out);
}
