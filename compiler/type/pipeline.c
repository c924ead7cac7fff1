/* compiler/type/pipeline.c: one pipeline: its nodes, wires and stages in order. */
#include "compiler/ir/facts.h"
#include "compiler/type/flow.h"

Str flow__label(Flow *f, Span span)
{
    Str text = source_text(f->c->file->source, span);
    char line[96];
    size_t at = 0;
    bool gap = false;
    for (size_t i = 0; i < text.len && at < sizeof line - 8; i++) {
        char ch = text.ptr[i];
        if (ch == '#') { /* a comment: up to the line end */
            while (i < text.len && text.ptr[i] != '\n') i++;
            gap = true;
        } else if (ch == ' ' || ch == '\n' || ch == '\t' || ch == '\r') {
            gap = true;
        } else {
            if (gap && at) line[at++] = ' ';
            gap = false;
            line[at++] = ch;
            while (i + 1 < text.len && at < sizeof line - 8 && (ch = text.ptr[i + 1]) > ' ' &&
                   ch != '#' && ch < 127) { /* the rest of a plain word */
                line[at++] = ch;
                i++;
            }
            if (i + 1 < text.len && at >= sizeof line - 8) {
                while (at && ((unsigned char)line[at - 1] & 0xc0) == 0x80) at--;
                if (at && ((unsigned char)line[at - 1] & 0x80)) at--;
                memcpy(line + at, "...", 3);
                at += 3;
                break;
            }
        }
    }
    text = arena_str(f->c->arena, str_slice(line, at));
    if (!text.ptr) check__leave(f->c, ST_NO_MEMORY);
    return text;
}

uint32_t flow__node(Flow *f, const char *kind, Span span)
{
    IrNode node = {.kind = str_from(kind),
                   .label = flow__label(f, span),
                   .span = span,
                   .out_schema = NO_INDEX};
    *PUSH(f->c, f->p.nodes, f->p.node_count, f->node_cap) = node;
    return f->p.node_count - 1;
}

uint32_t flow__wire(Flow *f, uint32_t from, uint32_t to, IrPort port, uint32_t schema)
{
    *PUSH(f->c, f->p.wires, f->p.wire_count, f->wire_cap) = (IrWire){from, to, port, schema};
    return f->p.wire_count - 1;
}

IrStage *flow__stage(Flow *f, IrStageFrom from, uint32_t index, uint32_t schema)
{
    IrStage *stage = NEW(f->c, IrStage, 1);
    *stage = (IrStage){.from = from, .from_index = index, .schema = schema};
    if (from != IR_FROM_SOURCE && from != IR_FROM_ERROR && f->builder.stage)
        stage->asks = f->builder.stage->asks + (from == IR_FROM_ASK);
    Status status =
        ir_leaves(f->c->program, schema, f->c->arena, &stage->leaves, &stage->leaf_count);
    if (status) check__leave(f->c, status);
    *PUSH(f->c, f->stages, f->stage_count, f->stage_cap) = stage;
    return stage;
}

void flow__stage_begin(Flow *f, IrStage *stage, uint32_t node)
{
    check__builder(f->c, &f->builder, stage, node);
    f->c->b = &f->builder;
}

void flow__leave(Flow *f)
{
    for (uint32_t i = 0; i < f->left_count; i++)
        if (f->left[i].stage == f->builder.stage) {
            f->left[i] = f->builder;
            return;
        }
    *PUSH(f->c, f->left, f->left_count, f->left_cap) = f->builder;
}

void flow__back(Flow *f, IrStage *stage)
{
    for (uint32_t i = 0; i < f->left_count && f->builder.stage != stage; i++)
        if (f->left[i].stage == stage) f->builder = f->left[i];
    f->c->b = &f->builder;
}

static void pass(Flow *f, uint32_t wire)
{
    uint32_t *args;
    uint32_t count = check__flatten(f->c, f->row, &args);
    build_list(f->c->b, IR_PASS, NO_REG, args, count)->imm.index = wire;
}

void flow__enter(Flow *f, uint32_t node)
{
    uint32_t schema = check__row_schema(f->c, f->row);
    f->builder.node = node;
    f->builder.span = f->p.nodes[node].span;
    f->p.nodes[f->last_node].out_schema = schema;
    uint32_t wire = flow__wire(f, f->last_node, node, f->last_port, schema);
    if (f->p.source_count > 1 && f->last_node == f->p.sources[0].node && wire == 0) {
        for (uint32_t i = 1; i < f->p.source_count; i++) {
            f->p.nodes[f->p.sources[i].node].out_schema = schema;
            flow__wire(f, f->p.sources[i].node, node, PORT_OUT, schema);
        }
    }
    pass(f, wire);
}

static void start(Flow *f)
{
    if (f->row || f->p.source_count == 0) return;
    uint32_t schema = check__schema(f->c, f->in_record);
    f->p.in_schema = schema;
    IrStage *stage = flow__stage(f, IR_FROM_SOURCE, 0, schema);
    flow__stage_begin(f, stage, f->p.sources[0].node);
    f->row = check__load(f->c, f->in_record);
    for (uint32_t i = 0; i < f->p.source_count; i++)
        f->row->keeps_unknown |= f->p.sources[i].unknown == UNKNOWN_KEEP;
    f->c->row = f->row;
    f->last_node = f->p.sources[0].node;
    f->last_port = PORT_OUT;
}

static bool is_option(const AstStage *stage)
{
    return stage->kind >= AST_DURABLE && stage->kind <= AST_SHARDS;
}

static bool is_on_error(const AstStage *stage)
{
    return stage->kind == AST_ON && str_is(stage->as.on.port.text, "error");
}

/* What belongs to the whole pipeline does not stand in an arm. */
static bool top_only(Flow *f, const AstStage *stage)
{
    bool top = stage->kind == AST_FROM || stage->kind == AST_TIME || is_option(stage) ||
               is_on_error(stage);
    if (!top || !f->splits) return false;
    diag_error(f->c->diags, DIAG_S004, stage->keyword,
               "this stands at the top of a pipeline, not in an arm of `split`");
    return true;
}

static bool one_of(Check *c, const AstName *word, const char *option, const char *const *list,
                   size_t count, const char *which)
{
    Str best = STR_NONE;
    uint32_t distance = UINT32_MAX;
    for (size_t i = 0; i < count; i++) {
        if (str_is(word->text, list[i])) return true;
        diag_suggest(word->text, str_from(list[i]), &best, &distance);
    }
    Diagnostic *d = diag_error(c->diags, DIAG_S011, word->span, "`%s` is %s", option, which);
    check__did_you_mean(c, d, word->span, best);
    return false;
}

static bool shards(Flow *f, const AstStage *stage)
{
    Check *c = f->c;
    if (stage->as.shards.count.value < 1) {
        diag_error(c->diags, DIAG_S011, stage->as.shards.count.span, "`shards` is 1 to 4096");
        return false;
    }
    for (const AstPick *pick = stage->as.shards.by; pick; pick = pick->next) {
        Str name = pick->path->kind == AST_NAME ? pick->path->as.name : STR_NONE;
        if (f->row) {
            Val key = check__expr(c, pick->path, NULL);
            if (!check__key(c, &key, pick->span)) return false;
        } else if (name.len && f->in_record && !record_find(f->in_record, name)) {
            diag_error(c->diags, DIAG_S014, pick->span, "the records have no field `%.*s`",
                       STR_ARG(name));
            return false;
        }
    }
    return true;
}

/* Read and checked whole, so that only A007 is left when all is right. */
static void option(Flow *f, const AstStage *stage)
{
    static const char *const policies[] = {"block", "drop", "spill"};
    static const char *const priorities[] = {"high", "low"};
    Check *c = f->c;
    bool fine = true;
    if (stage->kind == AST_OVERFLOW)
        fine = one_of(c, &stage->as.overflow.policy, "overflow", policies, COUNT_OF(policies),
                      "`block`, `drop oldest` or `spill` and a size");
    if (fine && stage->kind == AST_OVERFLOW && str_is(stage->as.overflow.policy.text, "spill") &&
        !stage->as.overflow.bytes_span.end) {
        diag_error(c->diags, DIAG_S011, stage->as.overflow.policy.span,
                   "`overflow spill` needs its size: `overflow spill 1GB`");
        fine = false;
    }
    if (stage->kind == AST_PRIORITY)
        fine = one_of(c, &stage->as.priority, "priority", priorities, COUNT_OF(priorities),
                      "`high` or `low`");
    if (stage->kind == AST_SHARDS) fine = shards(f, stage);
    if (fine)
        diag_error(c->diags, DIAG_A007, stage->keyword, "the option `%s` is not available yet",
                   ast_stage_word(stage->kind));
}

static void one_stage(Flow *f, const AstStage *stage)
{
    Check *c = f->c;
    c->stage = stage;
    if (f->p.node_count > CHECK_NODES_MAX) {
        diag_error(c->diags, DIAG_T018, stage->keyword, "a pipeline has at most %d stages",
                   CHECK_NODES_MAX);
        check__leave(c, ST_LIMIT);
    }
    if (top_only(f, stage)) return;
    if (stage->kind == AST_FROM) {
        if (f->row || f->early) {
            Diagnostic *d = diag_error(c->diags, DIAG_S004, stage->keyword,
                                       "`from` stands before the stages that work on its records");
            if (f->early) diag_note(c->diags, d, f->early->keyword, "this stands before it");
            f->early = NULL;
            return;
        }
        flow__source(f, stage);
        return;
    }
    if (is_option(stage)) {
        option(f, stage);
        return;
    }
    start(f);
    if (!f->row) { /* S001 or the error in `from` says it */
        if (is_on_error(stage)) f->has_on_error = true;
        if (stage->kind == AST_INTO || stage->kind == AST_SPLIT || stage->kind == AST_REPLY)
            f->has_sink = true;
        return;
    }
    if (stage->kind == AST_ON)
        flow__on(f, stage);
    else if (stage->kind == AST_INTO)
        flow__into(f, stage);
    else if (stage->kind == AST_EACH)
        flow__each(f, stage);
    else if (stage->kind == AST_JOIN)
        flow__join(f, stage);
    else if (stage->kind == AST_ASK)
        flow__ask(f, stage);
    else if (stage->kind == AST_REPLY)
        flow__reply(f, stage);
    else if (stage->kind == AST_SPLIT)
        flow__split(f, stage);
    else if (stage->kind == AST_DELAY)
        flow__delay(f, stage);
    else if (stage->kind == AST_WINDOW)
        flow__window(f, stage);
    else
        flow__transform(f, stage);
}

void flow__one(Flow *f, const AstStage *stage)
{
    Check *c = f->c;
    if (!c->facts) {
        one_stage(f, stage);
        return;
    }
    uint32_t at = facts__stage(c, stage->span, f->row, f->in_record);
    one_stage(f, stage);
    facts__stage_end(c, at, f->row, f->in_record);
}

static void required_stages(Flow *f, uint32_t from_count)
{
    Check *c = f->c;
    const AstItem *item = f->item;
    Span name = item->name.span;
    Span close = {item->as.pipeline.body.file, item->as.pipeline.body.end - 1,
                  item->as.pipeline.body.end - 1};
    if (from_count == 0) {
        diag_error(c->diags, DIAG_S001, name, "the pipeline `%.*s` has no `from`",
                   STR_ARG(item->name.text));
        return;
    }
    if (!f->has_sink)
        diag_error(c->diags, DIAG_S003, name, "nothing takes the records of `%.*s`: no `into`",
                   STR_ARG(item->name.text));
    else if (f->open)
        diag_error(c->diags, DIAG_S017, f->open->keyword,
                   "nothing takes what leaves this `%s`: no `into` behind it",
                   ast_stage_word(f->open->kind));
    if (!f->has_on_error && !f->has_error_reply) {
        Diagnostic *d = diag_error(c->diags, DIAG_S002, name,
                                   "`%.*s` does not say what happens to records that fail",
                                   STR_ARG(item->name.text));
        diag_fix(c->diags, d, "on error into dead", close, "  on error into dead\n");
        diag_fix(c->diags, d, "on error into file \"dead.ndjson\"", close,
                 "  on error into file \"dead.ndjson\"\n");
        diag_fix(c->diags, d, "on error drop", close, "  on error drop\n");
    }
}

/* Every node that can fail has a wire to every error sink. */
static void error_wires(Flow *f)
{
    for (uint32_t n = 0; n < f->p.node_count; n++) {
        if (f->p.nodes[n].reason_count == 0) continue;
        for (uint32_t i = 0; i < f->p.sink_count; i++)
            if (ir_sink_takes_errors(&f->p, i))
                flow__wire(f, n, f->p.sinks[i].node, PORT_ERROR, NO_INDEX);
    }
}

/* Rows that come again need sinks that know them by a key. */
static void updated_sinks(Flow *f)
{
    for (uint32_t i = 0; i < f->p.window_count; i++) {
        const IrWindow *w = &f->p.windows[i];
        const IrStage *s = f->stages[w->out_stage];
        for (uint32_t k = 0; w->keep_ns && k < s->code_count; k++) {
            if (s->code[k].op != IR_EMIT) continue;
            const IrSink *sink = &f->p.sinks[s->code[k].imm.index];
            if (sink->key_count || str_is(sink->kind, "uns")) continue;
            diag_error(f->c->diags, DIAG_S034, sink->span,
                       "`on late update` writes rows again: `%.*s` does not know them by a key",
                       STR_ARG(sink->kind));
        }
    }
}

static void finish(Flow *f)
{
    Check *c = f->c;
    f->p.stages = NEW(c, IrStage, f->stage_count + 1);
    for (uint32_t i = 0; i < f->stage_count; i++) {
        check__settle_code(c, f->stages[i]);
        f->p.stages[i] = *f->stages[i];
    }
    f->p.stage_count = f->stage_count;
    if (!f->has_time) f->p.time.node = NO_INDEX;
    f->groups[0] = f->in_record;
    check__reasons(c, &f->p, f->groups);
    error_wires(f);
    IrProgram *program = c->program;
    *PUSH(c, program->pipelines, program->pipeline_count, c->pipeline_cap) = f->p;
}

/* The stages that end before `limit`; what `on error` says in front of the source comes behind all.
 * Returns how many sources there are. */
static uint32_t stages_until(Flow *f, const AstStage *first, uint32_t limit)
{
    uint32_t from_count = 0;
    for (const AstStage *s = first; s && s->span.end <= limit; s = s->next) {
        from_count += s->kind == AST_FROM;
        if (!from_count && is_on_error(s)) continue;
        if (!from_count && !is_option(s) && !f->early) f->early = s;
        diag_stage_begin(f->c->diags, s->span);
        flow__one(f, s);
    }
    if (!from_count) return 0;
    for (const AstStage *s = first; s->kind != AST_FROM; s = s->next) {
        if (!is_on_error(s)) continue;
        diag_stage_begin(f->c->diags, s->span);
        flow__one(f, s);
    }
    return from_count;
}

/* The stages that end before `limit`; UINT32_MAX: the pipeline is whole. */
static void pipeline_until(Check *c, const AstItem *item, uint32_t limit)
{
    Flow *f = NEW(c, Flow, 1);
    *f = (Flow){.c = c, .item = item, .time_reg = NO_REG, .group_count = 1};
    c->flow = f;
    f->p.error_stage = NO_INDEX;
    f->groups = check__grow(c, NULL, 0, &f->group_cap, sizeof(Record *));
    f->p.name = item->name.text;
    f->p.span = item->span;
    f->p.bounded = true;
    uint32_t from_count = stages_until(f, item->as.pipeline.stages, limit);
    diag_stage_end(c->diags);
    c->stage = NULL;
    c->row = NULL;
    c->flow = NULL;
    if (limit != UINT32_MAX) return;
    required_stages(f, from_count);
    if (f->row && c->diags->error_count == 0) updated_sinks(f);
    if (f->row && c->diags->error_count == 0) finish(f);
}

static void pipeline(Check *c, const AstItem *item)
{
    pipeline_until(c, item, UINT32_MAX);
}

/* A pipeline that was not read whole: what stands before its first fault is complete, so its errors
 * are real; behind it a name may only be missing because its `let` was not understood. */
static void pipeline_start(Check *c, const AstItem *item)
{
    uint32_t limit = item->span.end;
    for (const Diagnostic *d = c->diags->first; d; d = d->next) {
        bool inside = d->span.file == item->span.file && d->span.start >= item->span.start;
        if (d->severity == DIAG_ERROR && inside && d->span.start < limit) limit = d->span.start;
    }
    pipeline_until(c, item, limit);
}

void check__pipelines(Check *c)
{
    for (const AstItem *item = c->file->items; item; item = item->next) {
        if (item->kind != AST_ITEM_PIPELINE) continue;
        if (!item->broken) {
            pipeline(c, item);
            continue;
        }
        pipeline_start(c, item);
        if (c->facts) facts__broken(c, item, pipeline);
    }
}
