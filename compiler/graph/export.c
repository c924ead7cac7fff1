/* compiler/graph/export.c: the text of a program in pieces.
 *
 * Between two pieces stand only blanks, line ends, comments and, between arms, `;`. What stands on
 * the line where a piece ends is its `note`; the lines before the next piece are its `before`, an
 * empty text for a blank line. */
#include "compiler/graph/graph.h"

typedef struct Export {
    JsonOut *json;
    const IrProgram *program;
    const IrPipeline *pipeline; /* of the item at hand, or NULL */
    const char *text;
    uint32_t at, end; /* everything before `at` is written */
} Export;

static Str slice(const Export *x, uint32_t from, uint32_t to)
{
    return str_slice(x->text + from, to - from);
}

/* Lines of comments and blank lines up to `to`. True when a line end was among them. */
static bool before(Export *x, uint32_t to)
{
    uint32_t lines = 0;
    bool broken = false;
    json_key(x->json, "before");
    json_begin_array(x->json);
    while (x->at < to) {
        char c = x->text[x->at];
        if (c == '#') {
            uint32_t from = x->at;
            while (x->at < to && x->text[x->at] != '\n') x->at++;
            if (lines > 1) json_put_text(x->json, "");
            lines = 0;
            json_put_str(x->json, str_trim(slice(x, from, x->at)));
            continue;
        }
        if (c == '\n') lines++;
        broken = broken || c == '\n';
        x->at++;
    }
    if (lines > 1) json_put_text(x->json, "");
    json_end(x->json);
    return broken;
}

/* A comment behind the piece, on its last line; `;` behind an arm. */
static void note(Export *x)
{
    uint32_t at = x->at;
    bool semicolon = false;
    while (at < x->end && (x->text[at] == ' ' || x->text[at] == '\t' || x->text[at] == ';')) {
        semicolon = semicolon || x->text[at] == ';';
        at++;
    }
    if (semicolon) {
        json_field_bool(x->json, "semicolon", true);
        x->at = at;
    }
    if (at >= x->end || x->text[at] != '#') return;
    uint32_t from = at;
    while (at < x->end && x->text[at] != '\n') at++;
    json_field_str(x->json, "note", str_trim(slice(x, from, at)));
    x->at = at;
}

/* Ids of the nodes that the piece became. */
static void nodes(Export *x, Span span, uint32_t head_end)
{
    const IrPipeline *p = x->pipeline;
    json_key(x->json, "nodes");
    json_begin_array(x->json);
    for (uint32_t i = 0; p && i < p->node_count; i++)
        if (p->nodes[i].span.start >= span.start && p->nodes[i].span.start < head_end)
            json_put_int(x->json, i);
    json_end(x->json);
}

/* Where the braces of a split open: behind its last word before the first arm. */
static uint32_t split_head(const Export *x, const AstStage *s)
{
    uint32_t at = s->span.start;
    while (at < s->span.end && x->text[at] != '{') at++;
    return at < s->span.end ? at + 1 : s->span.end;
}

static void stages(Export *x, const AstStage *s);

/* `where x => `: up to its arrow, which no text or comment of its condition can hold unseen. */
static uint32_t arm_head(const Export *x, const AstArm *a)
{
    uint32_t at = a->cond ? a->cond->span.end : a->span.start;
    for (const AstPick *p = a->picks; p; p = p->next) at = p->span.end;
    while (at + 1 < a->span.end && !(x->text[at] == '=' && x->text[at + 1] == '>')) {
        if (x->text[at] == '#')
            while (at < a->span.end && x->text[at] != '\n') at++;
        else
            at++;
    }
    return at + 2 < a->span.end ? at + 2 : a->span.end;
}

static void arm(Export *x, const AstArm *a)
{
    json_begin_object(x->json);
    if (!before(x, a->span.start)) json_field_bool(x->json, "joined", true);
    uint32_t head = arm_head(x, a);
    json_field_str(x->json, "text", slice(x, a->span.start, head));
    nodes(x, a->span, head);
    x->at = head;
    note(x);
    json_key(x->json, "stages");
    stages(x, a->stages);
    json_key(x->json, "close"); /* the last stage had its note; a `;` may follow */
    json_begin_object(x->json);
    note(x);
    json_end(x->json);
    json_end(x->json);
}

static void stage(Export *x, const AstStage *s)
{
    bool split = s->kind == AST_SPLIT;
    uint32_t head = split ? split_head(x, s) : s->span.end;
    json_begin_object(x->json);
    json_field_text(x->json, "kind", ast_stage_word(s->kind));
    if (!before(x, s->span.start)) json_field_bool(x->json, "joined", true);
    json_field_str(x->json, "text", slice(x, s->span.start, head));
    nodes(x, s->span, split ? s->span.start + 1 : head);
    x->at = head;
    if (split) {
        note(x);
        json_key(x->json, "arms");
        json_begin_array(x->json);
        for (const AstArm *a = s->as.split.arms; a; a = a->next) arm(x, a);
        json_end(x->json);
        json_key(x->json, "close");
        json_begin_object(x->json);
        if (!before(x, s->span.end - 1)) json_field_bool(x->json, "joined", true);
        x->at = s->span.end;
        note(x);
        json_end(x->json);
    } else {
        note(x);
    }
    json_end(x->json);
}

static void stages(Export *x, const AstStage *s)
{
    json_begin_array(x->json);
    for (; s; s = s->next) stage(x, s);
    json_end(x->json);
}

static const IrPipeline *pipeline_named(const IrProgram *program, Str name)
{
    for (uint32_t i = 0; i < program->pipeline_count; i++)
        if (str_eq(program->pipelines[i].name, name)) return &program->pipelines[i];
    return NULL;
}

static void item(Export *x, const AstItem *i)
{
    bool pipeline = i->kind == AST_ITEM_PIPELINE;
    uint32_t head = pipeline ? i->as.pipeline.body.start + 1 : i->span.end;
    json_begin_object(x->json);
    json_field_text(x->json, "kind", ast_item_word(i->kind));
    if (i->name.text.len) json_field_str(x->json, "name", i->name.text);
    (void)before(x, i->span.start);
    json_field_str(x->json, "text", slice(x, i->span.start, head));
    x->at = head;
    note(x);
    if (pipeline) {
        x->pipeline = pipeline_named(x->program, i->name.text);
        json_key(x->json, "stages");
        stages(x, i->as.pipeline.stages);
        json_key(x->json, "close");
        json_begin_object(x->json);
        (void)before(x, i->span.end - 1);
        x->at = i->span.end;
        note(x);
        json_end(x->json);
        x->pipeline = NULL;
    }
    json_end(x->json);
}

static void items(JsonOut *json, const IrProgram *program, const AstFile *file)
{
    Str text = file->source->text;
    Export x = {.json = json, .program = program, .text = text.ptr, .end = (uint32_t)text.len};
    json_key(json, "items");
    json_begin_array(json);
    for (const AstItem *i = file->items; i; i = i->next) item(&x, i);
    json_end(json);
    json_key(json, "rest");
    json_begin_object(json);
    (void)before(&x, x.end);
    json_end(json);
}

void graph_export(const IrProgram *program, const AstFile *file, Buf *out)
{
    JsonOut json;
    json_out_init(&json, out);
    json_begin_object(&json);
    json_field_int(&json, "tutti_graph", GRAPH_VERSION);
    ir_graph_pipelines(program, &json);
    items(&json, program, file);
    json_end(&json);
}
