/* compiler/ir/build.c: appends code to a stage (see build.h). */
#include "compiler/ir/build.h"

static void *grow(IrBuilder *b, void *old, uint32_t count, uint32_t *cap, uint32_t more,
                  size_t bytes)
{
    if (count + more <= *cap) return old;
    uint32_t want = *cap ? *cap * 2 : 32;
    while (want < count + more) want *= 2;
    void *fresh = b->alloc(b->ctx, want, bytes);
    if (count) memcpy(fresh, old, count * bytes);
    b->release(b->ctx, old);
    *cap = want;
    return fresh;
}

uint32_t build_reg(IrBuilder *b, IrReg reg)
{
    IrStage *s = b->stage;
    if (s->reg_count >= IR_REGS_MAX) b->full(b->ctx);
    s->regs = grow(b, s->regs, s->reg_count, &b->reg_cap, 1, sizeof(IrReg));
    s->regs[s->reg_count] = reg;
    return s->reg_count++;
}

uint32_t build_temp(IrBuilder *b, IrType type)
{
    return build_reg(b, (IrReg){.type = type});
}

IrIns *build_ins(IrBuilder *b, IrOp op, uint32_t dst, uint32_t a, uint32_t b2)
{
    IrStage *s = b->stage;
    if (op == IR_IF || op == IR_TRY || op == IR_ARM) b->depth++;
    if (op == IR_END || op == IR_ENDTRY || op == IR_ENDARM) b->depth--;
    if (s->code_count >= IR_CODE_MAX || b->depth > IR_NEST_MAX) b->full(b->ctx);
    s->code = grow(b, s->code, s->code_count, &b->code_cap, 1, sizeof(IrIns));
    IrIns *ins = &s->code[s->code_count++];
    *ins = (IrIns){.op = op,
                   .dst = dst,
                   .a = a,
                   .b = b2,
                   .c = NO_REG,
                   .has = NO_REG,
                   .node = b->node,
                   .field = b->field,
                   .span = b->span};
    return ins;
}

IrIns *build_list(IrBuilder *b, IrOp op, uint32_t dst, const uint32_t *args, uint32_t count)
{
    IrStage *s = b->stage;
    if (s->pool_count + count > 4 * IR_CODE_MAX) b->full(b->ctx);
    s->pool = grow(b, s->pool, s->pool_count, &b->pool_cap, count, sizeof(uint32_t));
    if (count) memcpy(s->pool + s->pool_count, args, count * sizeof(uint32_t));
    uint32_t first = s->pool_count;
    s->pool_count += count;
    IrIns *ins = build_ins(b, op, dst, NO_REG, NO_REG);
    ins->args = first;
    ins->arg_count = count;
    return ins;
}
