/* compiler/pass/cse.c: the same pure computation is done once.
 *
 * Looks back over the last CSE_WINDOW instructions of the same stretch without jumps; both results
 * and operands must be registers that are written once. The second result is replaced wherever it
 * is read. Failing operations count too: the first one has failed the record already. */
#include "compiler/pass/pass.h"

enum { CSE_WINDOW = 64 };

static bool same_imm(const IrStage *s, const IrIns *a, const IrIns *b)
{
    if (a->op == IR_CONST) {
        IrType type = s->regs[a->dst].type;
        if (type == IR_STR) return str_eq(a->imm.text, b->imm.text);
        if (type == IR_BOOL) return a->imm.boolean == b->imm.boolean;
        if (type == IR_BYTES || type == IR_JSON) return str_eq(a->imm.text, b->imm.text);
    }
    return a->imm.integer == b->imm.integer; /* everything else is these 8 bytes */
}

static bool once(const uint32_t *writes, uint32_t reg)
{
    return reg == NO_REG || writes[reg] == 1;
}

/* Pure or failing, no list of arguments, and nothing it touches is written again. */
static bool candidate(const IrIns *ins, const uint32_t *writes)
{
    uint8_t effect = ir_op_info(ins->op)->effect;
    if (ins->dst == NO_REG || ins->has != NO_REG || effect > 1 || ins->op == IR_CALL ||
        ins->arg_count || ins->op == IR_MOVE || writes[ins->dst] != 1)
        return false;
    bool leaf = ins->op == IR_FIELD || ins->op == IR_HAS;
    return leaf || (once(writes, ins->a) && once(writes, ins->b));
}

static bool same(const IrStage *s, const IrIns *a, const IrIns *b)
{
    const IrReg *x = &s->regs[a->dst], *y = &s->regs[b->dst];
    return a->op == b->op && a->a == b->a && a->b == b->b && a->c == b->c && x->type == y->type &&
           x->bytes_max == y->bytes_max && x->names == y->names && x->scale == y->scale &&
           same_imm(s, a, b);
}

static Status cse_stage(Arena *arena, IrStage *s)
{
    uint32_t *writes = arena_many(arena, uint32_t, s->reg_count + 1),
             *instead = arena_many(arena, uint32_t, s->reg_count + 1);
    if (!writes || !instead) return ST_NO_MEMORY;
    for (uint32_t i = 0; i < s->reg_count; i++) instead[i] = i;
    for (uint32_t i = 0; i < s->code_count; i++) {
        if (s->code[i].dst != NO_REG) writes[s->code[i].dst]++;
        if (s->code[i].has != NO_REG) writes[s->code[i].has]++;
    }
    uint32_t from = 0, kept = 0;
    for (uint32_t i = 0; i < s->code_count; i++) {
        IrIns ins = s->code[i];
        if (ins.op != IR_FIELD && ins.op != IR_HAS) {
            if (ins.a != NO_REG) ins.a = instead[ins.a];
            if (ins.b != NO_REG) ins.b = instead[ins.b];
        }
        for (uint32_t n = 0; n < ins.arg_count; n++) {
            uint32_t *arg = &s->pool[ins.args + n];
            if (*arg != NO_REG) *arg = instead[*arg];
        }
        bool done = false;
        if (candidate(&ins, writes)) {
            uint32_t first = kept > from + CSE_WINDOW ? kept - CSE_WINDOW : from;
            for (uint32_t n = kept; n-- > first && !done;) {
                const IrIns *old = &s->code[n];
                done = old->op == ins.op && candidate(old, writes) && same(s, old, &ins);
                if (done) instead[ins.dst] = old->dst;
            }
        }
        if (done) continue;
        s->code[kept++] = ins;
        if (ir_op_info(ins.op)->effect == 4) from = kept;
    }
    s->code_count = kept;
    return ST_OK;
}

Status pass_cse(IrProgram *program)
{
    for (uint32_t p = 0; p < program->pipeline_count; p++)
        for (uint32_t i = 0; i < program->pipelines[p].stage_count; i++) {
            IrStage *s = &program->pipelines[p].stages[i];
            Status status = cse_stage(program->arena, s);
            if (status) return status;
        }
    return ST_OK;
}
