/* compiler/pass/share.c: pipelines that read one source get one decoder.
 *
 * The records of several pipelines with the same source, format, options and type are the same
 * records: they are decoded once, into the union of the fields that the pipelines read, and each
 * pipeline's stage 0 works on the values. What a pipeline makes of a record stays its own affair: a
 * record that the common decoder finds anything wrong with is read again by each pipeline's own, so
 * that an error in a field which only one of them reads is an error of that one alone.
 *
 * A pipeline that others feed by streams must not run beside them record by record, and files are
 * read one after the other: these decode for themselves. */
#include "compiler/pass/pass.h"

#include "compiler/layout/layout.h"

enum { SHARE_MAX = 64 }; /* RT_SHARE_MAX of flow/abi.h */

static bool same_option(const IrOption *a, const IrOption *b)
{
    if (!str_eq(a->name, b->name) || a->type != b->type) return false;
    if (a->type == IR_STR) return str_eq(a->value.text, b->value.text);
    if (a->type == IR_BOOL) return a->value.boolean == b->value.boolean;
    return a->value.integer == b->value.integer;
}

/* Records of both are the same ones. */
static bool same_place(const IrSource *a, const IrSource *b)
{
    if (!str_eq(a->kind, b->kind) || !str_eq(a->address, b->address)) return false;
    if (a->connection != b->connection || a->map != b->map) return false;
    if (a->option_count != b->option_count) return false;
    for (uint32_t i = 0; i < a->option_count; i++)
        if (!same_option(&a->options[i], &b->options[i])) return false;
    return true;
}

static IrAlone alone(const IrPipeline *p)
{
    static const char *const by_itself[] = {"file",   "every", "cron",     "manual",
                                            "stream", "http",  "historian"};
    const IrSource *s = &p->sources[0];
    for (size_t i = 0; i < COUNT_OF(by_itself); i++)
        if (str_is(s->kind, by_itself[i])) return ALONE_KIND;
    for (uint32_t i = 0; i < p->source_count; i++)
        if (str_is(p->sources[i].kind, "stream")) return ALONE_STREAM;
    if (ir_main_sources(p) != 1) return ALONE_SOURCES;
    for (uint32_t i = 0; i < p->mem_count; i++)
        if (p->mems[i].kind == MEM_ASK) return ALONE_ASK;
    return s->format == FORMAT_JSON || s->format == FORMAT_NONE ? ALONE_NOT : ALONE_FORMAT;
}

/* Why not, where both read the same place. */
static IrAlone differ(const IrPipeline *a, const IrPipeline *b)
{
    const IrSource *x = &a->sources[0], *y = &b->sources[0];
    if (a->in_schema != b->in_schema) return ALONE_TYPE;
    return x->format != y->format || x->check != y->check || x->unknown != y->unknown
               ? ALONE_OPTIONS
               : ALONE_NOT;
}

MUST static Status add(IrProgram *program, uint32_t a, uint32_t b)
{
    IrPipeline *first = &program->pipelines[a], *second = &program->pipelines[b];
    const IrStage *stage = &second->stages[0];
    if (first->share == NO_INDEX) {
        IrShare *made = &program->shares[program->share_count];
        made->pipelines = arena_many(program->arena, uint32_t, program->pipeline_count);
        made->needed = arena_many(program->arena, bool, stage->leaf_count + 1);
        if (!made->pipelines || !made->needed) return ST_NO_MEMORY;
        layout_needed(&first->stages[0], first->sources[0].check, made->needed, stage->leaf_count);
        made->pipelines[made->count++] = a;
        first->share = program->share_count++;
    }
    IrShare *share = &program->shares[first->share];
    if (share->count == SHARE_MAX) return ST_OK;
    bool *needed = arena_many(program->arena, bool, stage->leaf_count + 1);
    if (!needed) return ST_NO_MEMORY;
    layout_needed(stage, second->sources[0].check, needed, stage->leaf_count);
    for (uint32_t i = 0; i < stage->leaf_count; i++) share->needed[i] |= needed[i];
    share->pipelines[share->count++] = b;
    second->share = first->share;
    return ST_OK;
}

/* Joins the first pipeline before it that it may share with. */
MUST static Status find(IrProgram *program, uint32_t index)
{
    IrPipeline *p = &program->pipelines[index];
    for (uint32_t i = 0; i < index; i++) {
        IrPipeline *other = &program->pipelines[i];
        if (!same_place(&p->sources[0], &other->sources[0])) continue;
        IrAlone why = alone(p);
        if (!why) why = alone(other);
        if (!why) why = differ(p, other);
        if (!why) return add(program, i, index);
        p->alone = why;
        p->alone_from = i;
    }
    return ST_OK;
}

Status pass_share(IrProgram *program)
{
    program->share_count = 0;
    program->shares = arena_many(program->arena, IrShare, program->pipeline_count + 1);
    if (!program->shares) return ST_NO_MEMORY;
    for (uint32_t i = 0; i < program->pipeline_count; i++) program->pipelines[i].share = NO_INDEX;
    for (uint32_t i = 0; i < program->pipeline_count; i++) {
        Status st = find(program, i);
        if (st) return st;
    }
    return ST_OK;
}
