/* compiler/pass/fold.c: computes what is known when the program is compiled.
 *
 * Only stretches of code without jumps are looked at: a register's constant is forgotten at every
 * IF, ELSE, END, TRY, CATCH and ENDTRY unless the register is written once in the whole stage. An
 * operation that would fail is left alone: it must fail at run time, with its record. */
#include "compiler/pass/pass.h"

#include <math.h>

static Reason fold_float(IrOp op, IrType kind, double a, double b, IrImm *ret)
{
    double r = 0;
    switch (op) {
    case IR_ADD: r = a + b; break;
    case IR_SUB: r = a - b; break;
    case IR_MUL: r = a * b; break;
    case IR_DIV:
        if (b == 0) return REASON_DIV_ZERO;
        r = a / b;
        break;
    case IR_MOD:
        if (b == 0) return REASON_DIV_ZERO;
        r = fmod(a, b);
        break;
    default: return REASON_OVERFLOW;
    }
    if (kind == IR_F32) r = (double)(float)r;
    if (!isfinite(r)) return REASON_OVERFLOW;
    *ret = (IrImm){.number = r};
    return REASON_NONE;
}

static Reason fold_signed(IrOp op, IrType kind, int64_t a, int64_t b, IrImm *ret)
{
    int64_t r = 0;
    bool over = false;
    switch (op) {
    case IR_ADD: over = __builtin_add_overflow(a, b, &r); break;
    case IR_SUB: over = __builtin_sub_overflow(a, b, &r); break;
    case IR_MUL: over = __builtin_mul_overflow(a, b, &r); break;
    case IR_IDIV:
    case IR_MOD:
        if (b == 0) return REASON_DIV_ZERO;
        if (b == -1)
            over = op == IR_IDIV && __builtin_sub_overflow((int64_t)0, a, &r);
        else
            r = op == IR_IDIV ? a / b : a % b;
        break;
    default: return REASON_OVERFLOW;
    }
    if (over || (kind == IR_I32 && (r < INT32_MIN || r > INT32_MAX))) return REASON_OVERFLOW;
    *ret = (IrImm){.integer = r};
    return REASON_NONE;
}

static Reason fold_unsigned(IrOp op, IrType kind, uint64_t a, uint64_t b, IrImm *ret)
{
    uint64_t r = 0;
    bool over = false;
    switch (op) {
    case IR_ADD: over = __builtin_add_overflow(a, b, &r); break;
    case IR_SUB: over = __builtin_sub_overflow(a, b, &r); break;
    case IR_MUL: over = __builtin_mul_overflow(a, b, &r); break;
    case IR_IDIV:
    case IR_MOD:
        if (b == 0) return REASON_DIV_ZERO;
        r = op == IR_IDIV ? a / b : a % b;
        break;
    default: return REASON_OVERFLOW;
    }
    if (over || (kind == IR_U32 && r > UINT32_MAX)) return REASON_OVERFLOW;
    *ret = (IrImm){.natural = r};
    return REASON_NONE;
}

static bool is_float(IrType kind)
{
    return kind == IR_F32 || kind == IR_F64;
}

static bool is_unsigned(IrType kind)
{
    return kind == IR_U32 || kind == IR_U64;
}

static int order(IrType kind, IrImm a, IrImm b)
{
    if (is_float(kind)) return (a.number > b.number) - (a.number < b.number);
    if (is_unsigned(kind)) return (a.natural > b.natural) - (a.natural < b.natural);
    return (a.integer > b.integer) - (a.integer < b.integer);
}

Reason pass_fold_binary(IrOp op, IrType kind, IrImm a, IrImm b, IrImm *ret_imm)
{
    if (op >= IR_EQ && op <= IR_GE) {
        int o = order(kind, a, b);
        bool r = op == IR_EQ   ? o == 0
                 : op == IR_NE ? o != 0
                 : op == IR_LT ? o < 0
                 : op == IR_LE ? o <= 0
                 : op == IR_GT ? o > 0
                               : o >= 0;
        *ret_imm = (IrImm){.boolean = r};
        return REASON_NONE;
    }
    if (is_float(kind)) return fold_float(op, kind, a.number, b.number, ret_imm);
    if (is_unsigned(kind)) return fold_unsigned(op, kind, a.natural, b.natural, ret_imm);
    return fold_signed(op, kind, a.integer, b.integer, ret_imm);
}

typedef struct Known {
    uint32_t *known; /* 0 = no, else the stretch it was written in */
    IrImm *value;
    uint32_t *writes, stretch;
} Known;

static bool is_known(const IrStage *s, const Known *k, uint32_t reg)
{
    if (reg == NO_REG || reg >= s->reg_count || !k->known[reg]) return false;
    return k->writes[reg] == 1 || k->known[reg] == k->stretch;
}

static bool foldable(IrType kind)
{
    return (kind >= IR_I32 && kind <= IR_F64) || kind == IR_DURATION || kind == IR_TIME;
}

static void fold_ins(IrStage *s, IrIns *ins, const Known *k)
{
    bool leaf = ins->op == IR_FIELD || ins->op == IR_HAS;
    bool a = !leaf && is_known(s, k, ins->a), b = !leaf && is_known(s, k, ins->b);
    IrImm imm;
    if (ins->op == IR_MOVE && a) {
        imm = k->value[ins->a];
    } else if (ins->op == IR_NOT && a) {
        imm = (IrImm){.boolean = !k->value[ins->a].boolean};
    } else if ((ins->op == IR_AND || ins->op == IR_OR) && a && b) {
        bool x = k->value[ins->a].boolean, y = k->value[ins->b].boolean;
        imm = (IrImm){.boolean = ins->op == IR_AND ? x && y : x || y};
    } else if (ins->op == IR_FINITE && a && isfinite(k->value[ins->a].number)) {
        imm = k->value[ins->a];
    } else if (((ins->op >= IR_ADD && ins->op <= IR_MOD) ||
                (ins->op >= IR_EQ && ins->op <= IR_GE)) &&
               a && b && foldable(s->regs[ins->a].type)) {
        if (pass_fold_binary(ins->op, s->regs[ins->a].type, k->value[ins->a], k->value[ins->b],
                             &imm) != REASON_NONE)
            return;
    } else {
        return;
    }
    *ins = (IrIns){.op = IR_CONST,
                   .dst = ins->dst,
                   .a = NO_REG,
                   .b = NO_REG,
                   .c = NO_REG,
                   .has = NO_REG,
                   .imm = imm,
                   .node = ins->node,
                   .span = ins->span};
}

static Status fold_stage(Arena *arena, IrStage *s)
{
    Known k = {arena_many(arena, uint32_t, s->reg_count + 1),
               arena_many(arena, IrImm, s->reg_count + 1),
               arena_many(arena, uint32_t, s->reg_count + 1), 1};
    if (!k.known || !k.value || !k.writes) return ST_NO_MEMORY;
    for (uint32_t i = 0; i < s->code_count; i++) {
        if (s->code[i].dst != NO_REG) k.writes[s->code[i].dst]++;
        if (s->code[i].has != NO_REG) k.writes[s->code[i].has]++;
    }
    for (uint32_t i = 0; i < s->code_count; i++) {
        IrIns *ins = &s->code[i];
        if (ir_op_info(ins->op)->effect == 4) k.stretch++;
        fold_ins(s, ins, &k);
        if (ins->has != NO_REG) k.known[ins->has] = 0;
        if (ins->dst == NO_REG) continue;
        k.known[ins->dst] = ins->op == IR_CONST ? k.stretch : 0;
        if (ins->op == IR_CONST) k.value[ins->dst] = ins->imm;
    }
    return ST_OK;
}

Status pass_fold(IrProgram *program)
{
    for (uint32_t p = 0; p < program->pipeline_count; p++)
        for (uint32_t i = 0; i < program->pipelines[p].stage_count; i++) {
            Status status = fold_stage(program->arena, &program->pipelines[p].stages[i]);
            if (status) return status;
        }
    return ST_OK;
}
