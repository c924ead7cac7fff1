/* compiler/interp/interp.c: a program for the interpreter: tables, and the stages translated. */
#include "compiler/interp/interp_int.h"

#include "compiler/ir/facts.h"
/* As in a compiled program: the one table of the runtime, set before the first instance opens. */
const RtApi *interp__rt;

static void bind(const RtApi *api)
{
    if (interp__rt != api) interp__rt = api;
}

static void row(RtPipe *pipe, u32 window, const RtWindowRow *made)
{
    Interp *in = pipe->engine;
    uint32_t stage = in->code->pipeline->windows[window].out_stage;
    if (stage != NO_INDEX) interp__row(in, stage, made->values, made->has);
}

/* What begins behind `each`. */
static void run(RtPipe *pipe, u32 stage, const RtValue *values, const u8 *has)
{
    interp__row(pipe->engine, stage, values, has);
}

MUST static Status pipeline(const IrProgram *ir, uint32_t index, Linked *linked, Arena *arena,
                            Diag *diag)
{
    const IrPipeline *p = &ir->pipelines[index];
    RtPipelineInfo *info = &linked->pipelines[index];
    PipeCode *code = arena_one(arena, PipeCode);
    Code *codes = arena_many(arena, Code, p->stage_count + 1);
    uint32_t leaf_count = p->stages[0].leaf_count;
    bool *needed = arena_many(arena, bool, leaf_count + 1);
    if (!code || !codes || !needed) return diag_set(diag, ST_NO_MEMORY, "no memory for a program");
    layout_needed(&p->stages[0], ir_group_source(p, 0)->check, needed, leaf_count);
    *code = (PipeCode){.ir = ir,
                       .pipeline = p,
                       .info = info,
                       .groups = linked->groups[index],
                       .codes = codes,
                       .needed = needed,
                       .leaf_count = leaf_count};
    for (uint32_t i = 0; i < p->stage_count; i++) {
        Status st = interp__translate(ir, linked, p, i, arena, &codes[i], diag);
        if (st) return st;
    }
    if (p->filter && p->sources[0].check == CHECK_LAZY) {
        Code *filter = arena_one(arena, Code);
        if (!filter) return diag_set(diag, ST_NO_MEMORY, "no memory for a program");
        Status st = interp__translate_filter(ir, linked, p, codes[0].lanes, arena, filter,
                                             &code->keeps, diag);
        if (st) return st;
        code->filter = filter;
    }
    info->code = code;
    info->feed = interp__feed;
    info->row = row;
    info->run = run;
    info->open = interp__open;
    info->close = interp__close;
    return ST_OK;
}

/* A pipeline that decodes and does nothing: the leaves of its stage are all that one of those that
 * share it reads. */
MUST static Status common(const IrProgram *ir, uint32_t index, Linked *linked, Arena *arena,
                          Diag *diag)
{
    const IrShare *share = &ir->shares[index];
    const IrPipeline *first = &ir->pipelines[share->pipelines[0]];
    uint32_t leaves = first->stages[0].leaf_count;
    IrPipeline *p = arena_one(arena, IrPipeline);
    IrStage *stage = arena_one(arena, IrStage);
    IrIns *code = arena_many(arena, IrIns, 2 * leaves + 1);
    IrReg *regs = arena_many(arena, IrReg, 2 * leaves + 1);
    RtPipelineInfo *info = arena_one(arena, RtPipelineInfo);
    PipeCode *out = arena_one(arena, PipeCode);
    Code *made = arena_one(arena, Code);
    if (!p || !stage || !code || !regs || !info || !out || !made)
        return diag_set(diag, ST_NO_MEMORY, "no memory for a program");
    *stage = (IrStage){.from = IR_FROM_SOURCE,
                       .schema = first->in_schema,
                       .leaves = first->stages[0].leaves,
                       .leaf_count = leaves,
                       .regs = regs,
                       .code = code};
    for (uint32_t i = 0; i < leaves; i++) {
        const IrField *f = stage->leaves[i].field;
        if (!share->needed[i]) continue;
        for (IrOp op = IR_FIELD; op <= IR_HAS; op++) {
            uint32_t reg = stage->reg_count++;
            regs[reg] = op == IR_HAS ? (IrReg){.type = IR_BOOL}
                                     : (IrReg){.type = f->type,
                                               .names = f->names,
                                               .bytes_max = f->bytes_max,
                                               .scale = f->scale,
                                               .record = f->record};
            code[stage->code_count++] =
                (IrIns){.op = op, .dst = reg, .a = i, .b = NO_REG, .c = NO_REG, .has = NO_REG};
        }
    }
    *p = *first;
    p->filter = NULL;
    p->stages = stage;
    p->stage_count = 1;
    *info = linked->pipelines[share->pipelines[0]];
    info->in = linked->shared_schemas[index];
    *out = (PipeCode){.ir = ir,
                      .pipeline = p,
                      .info = info,
                      .codes = made,
                      .needed = share->needed,
                      .leaf_count = leaves,
                      .together = true};
    Status st = interp__translate_common(ir, linked, first, stage, arena, made, diag);
    for (uint32_t i = 0; !st && i < share->count; i++)
        ((PipeCode *)linked->pipelines[share->pipelines[i]].code)->common = out;
    linked->shares[index].feed = interp__feed_shared;
    return st;
}

Status interp_program(const IrProgram *ir, Arena *arena, const RtProgram **ret_program, Diag *diag)
{
    Linked *linked;
    Status st = link_program(ir, arena, &linked, diag);
    for (uint32_t i = 0; !st && i < ir->pipeline_count; i++)
        st = pipeline(ir, i, linked, arena, diag);
    for (uint32_t i = 0; !st && i < ir->share_count; i++) st = common(ir, i, linked, arena, diag);
    if (st) return st;
    linked->program.bind = bind;
    *ret_program = &linked->program;
    return ST_OK;
}
