/* compiler/lsp/find.c: what stands at a place: tokens, names, stages, rows, values. */
#include "compiler/lsp/lsp_int.h"

#include "compiler/use.h"

Str doc_text(const Doc *doc, uint32_t start, uint32_t end)
{
    return str_slice(doc->source->text.ptr + start, end - start);
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

const LexToken *doc_token(const Doc *doc, uint32_t offset)
{
    const LexToken *tokens = doc->file->tokens;
    uint32_t low = 0, high = doc->file->token_count;
    while (low < high) { /* the first token that starts behind the offset */
        uint32_t middle = low + (high - low) / 2;
        if (tokens[middle].start <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    if (!low) return NULL;
    const LexToken *at = &tokens[low - 1];
    if (!at->kind && low > 1) at--; /* the end of the text is no token */
    const char *text = doc->source->text.ptr + offset;
    bool behind = at->start == offset && low > 1 && at[-1].end == offset;
    if (behind && is_word(text[-1]) && !is_word(text[0]))
        at--; /* on a sign right behind a name: the name is meant */
    return at->kind && offset <= at->end ? at : NULL;
}

const Use *index_use(const Index *index, uint32_t offset)
{
    uint32_t low = 0, high = index->use_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (index->uses[middle].at.start <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low && offset <= index->uses[low - 1].at.end ? &index->uses[low - 1] : NULL;
}

const Mark *index_mark(const Index *index, uint32_t offset)
{
    uint32_t low = 0, high = index->mark_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (index->marks[middle].at.start <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low && offset <= index->marks[low - 1].at.end ? &index->marks[low - 1] : NULL;
}

/* ---- stages and rows ---------------------------------------------------------------------- */

const AstItem *doc_item(const Doc *doc, uint32_t offset)
{
    const AstItem *found = NULL;
    for (const AstItem *item = doc->file->items; item; item = item->next)
        if (item->span.start <= offset) found = item;
    return found;
}

/* Rows are in the order of the walk, which is that of the text, but for what `on error` says in
 * front of the source: it comes behind all other stages. */
static const FactRow *row_of(const Doc *doc, Span stage)
{
    const Facts *f = &doc->facts;
    uint32_t low = 0, high = f->row_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (f->rows[middle].stage.start < stage.start)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < f->row_count && f->rows[low].stage.start == stage.start) return &f->rows[low];
    for (uint32_t i = 0; i < f->row_count; i++)
        if (f->rows[i].stage.start == stage.start) return &f->rows[i];
    return NULL;
}

const Record *doc_stage_row(const Doc *doc, Span stage, bool out)
{
    const FactRow *row = row_of(doc, stage);
    return row ? (out ? row->out : row->in) : NULL;
}

static void find_stage(const Doc *doc, const AstStage *list, uint32_t offset, DocRow *found)
{
    const AstStage *at = NULL;
    for (const AstStage *s = list; s && s->span.start <= offset; s = s->next) at = s;
    if (!at) return;
    if (offset > at->span.end) {
        const Record *out = doc_stage_row(doc, at->span, true);
        if (out) found->in = out;
        return;
    }
    const Record *in = doc_stage_row(doc, at->span, false);
    if (in) found->in = in;
    found->stage = at;
    if (at->kind != AST_SPLIT) return;
    for (const AstArm *arm = at->as.split.arms; arm; arm = arm->next) {
        if (arm->span.start > offset || (arm->next && arm->next->span.start <= offset)) continue;
        find_stage(doc, arm->stages, offset, found);
    }
}

DocRow doc_row(const Doc *doc, uint32_t offset)
{
    DocRow found = {.item = doc_item(doc, offset)};
    if (found.item && found.item->kind == AST_ITEM_PIPELINE)
        find_stage(doc, found.item->as.pipeline.stages, offset, &found);
    return found;
}

/* ---- values ------------------------------------------------------------------------------- */

const Fact *doc_fact(const Doc *doc, uint32_t offset)
{
    const Fact *best = NULL;
    for (uint32_t i = 0; i < doc->facts.count; i++) {
        const Fact *f = &doc->facts.list[i];
        if (f->kind != FACT_VALUE || f->at.file != doc->source->id) continue;
        if (f->at.start > offset || f->at.end <= offset) continue;
        if (!best || f->at.end - f->at.start < best->at.end - best->at.start) best = f;
    }
    return best;
}

const Fact *doc_fact_before(const Doc *doc, uint32_t end)
{
    const Fact *best = NULL;
    for (uint32_t i = 0; i < doc->facts.count; i++) {
        const Fact *f = &doc->facts.list[i];
        if (f->at.file != doc->source->id || f->at.end != end) continue;
        if (!best || f->at.start < best->at.start) best = f;
    }
    return best;
}

const AstFile *doc_used(const Doc *doc, const AstItem *use)
{
    Str path;
    const AstExpr *e = use->as.use.path;
    if (!e || !ast_string_text(e, &path)) return NULL;
    Str full = use_path(doc->arena, doc->source->path, path);
    for (uint32_t i = 0; full.ptr && i < doc->sources.count; i++) {
        const Source *s = doc->sources.list[i];
        if (s != doc->source && s->tree && str_eq(use_path(doc->arena, STR(""), s->path), full))
            return s->tree;
    }
    return NULL;
}

/* ---- tests -------------------------------------------------------------------------------- */

static const AstItem *pipeline_named(const Doc *doc, Str name)
{
    for (const AstItem *item = doc->file->items; item; item = item->next)
        if (item->kind == AST_ITEM_PIPELINE && str_eq(item->name.text, name)) return item;
    return NULL;
}

/* The record that an expression makes. */
static const Record *record_of(const Doc *doc, Span at)
{
    for (uint32_t i = 0; i < doc->facts.count; i++) {
        const Fact *f = &doc->facts.list[i];
        if (f->kind == FACT_VALUE && f->at.file == at.file && f->at.start == at.start &&
            f->at.end == at.end && f->type.kind == IR_RECORD)
            return f->type.record;
    }
    return NULL;
}

/* The row that reaches the first sink of that kind, in arms too; with that field, if one is named.
 */
static const Record *sink_row(const Doc *doc, const AstStage *s, Str kind, Str field)
{
    const Record *found = NULL;
    for (; s && !found; s = s->next) {
        if (s->kind == AST_SPLIT)
            for (const AstArm *a = s->as.split.arms; a && !found; a = a->next)
                found = sink_row(doc, a->stages, kind, field);
        if (s->kind == AST_REPLY && str_is(kind, "reply") && s->as.reply.body)
            found = record_of(doc, s->as.reply.body->span);
        if (s->kind != AST_INTO) continue;
        for (const AstSink *sink = s->as.sinks; sink && !found; sink = sink->next)
            if (str_eq(sink->to.kind.text, kind)) found = doc_stage_row(doc, s->span, false);
        if (found && field.len && !record_find(found, field)) found = NULL;
    }
    return found;
}

static const Record *late_row(const Doc *doc, const AstStage *s)
{
    for (; s; s = s->next)
        if (s->kind == AST_WINDOW) return doc_stage_row(doc, s->span, false);
    return NULL;
}

/* What `in NAME` of a test feeds: the record that a `join last` adds under that name. */
static const Record *joined_row(const Doc *doc, const AstStage *s, Str name)
{
    for (; s; s = s->next) {
        const Record *out = s->kind == AST_JOIN ? doc_stage_row(doc, s->span, true) : NULL;
        const RecordField *field = out ? record_find(out, name) : NULL;
        if (field && field->type.kind == IR_RECORD) return field->type.record;
    }
    return NULL;
}

const Record *doc_step_row(const Doc *doc, const AstItem *test, const AstStep *step, Str field)
{
    const AstItem *pipeline = pipeline_named(doc, test->name.text);
    if (!pipeline) return NULL;
    const AstStage *first = pipeline->as.pipeline.stages;
    if (step->kind == AST_STEP_IN) {
        const Record *joined = joined_row(doc, first, step->target.text);
        if (joined) return joined;
        return first && first->kind == AST_FROM ? doc_stage_row(doc, first->span, true) : NULL;
    }
    if (step->kind != AST_STEP_EXPECT) return NULL;
    if (str_is(step->target.text, "late")) return late_row(doc, first);
    return sink_row(doc, first, step->target.text, field);
}
