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

Status interp_program(const IrProgram *ir, Arena *arena, const RtProgram **ret_program, Diag *diag)
{
    Linked *linked;
    Status st = link_program(ir, arena, &linked, diag);
    for (uint32_t i = 0; !st && i < ir->pipeline_count; i++)
        st = pipeline(ir, i, linked, arena, diag);
    if (st) return st;
    linked->program.bind = bind;
    *ret_program = &linked->program;
    return ST_OK;
}
