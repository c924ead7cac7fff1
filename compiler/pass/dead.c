/* compiler/pass/dead.c: removes what nobody reads, and marks the leaves that somebody reads.
 *
 * Goes backwards until nothing changes; an instruction stays when it may fail (a record that cannot
 * be computed is an error even if the result is not used), writes somewhere, or steers the flow.
 * What stays of FIELD and HAS is what the decoder has to look for: the projection. */
#include "compiler/pass/pass.h"

static void use(bool *used, uint32_t reg)
{
    if (reg != NO_REG) used[reg] = true;
}

static bool has_leaf(const IrIns *ins)
{
    return ins->op == IR_FIELD || ins->op == IR_HAS;
}

static bool removable(const IrStage *s, const IrIns *ins, const bool *used)
{
    if (ins->dst == NO_REG || used[ins->dst]) return false;
    if (ins->has != NO_REG && used[ins->has]) return false;
    return ir_op_info(ins->op)->effect == 0 ||
           (ir_op_info(ins->op)->effect == 1 && !ir_may_fail(s, ins));
}

static bool round_of(IrStage *s, bool *used, const uint32_t *roots, uint32_t root_count)
{
    memset(used, 0, s->reg_count);
    for (uint32_t i = 0; i < root_count; i++) use(used, roots[i]);
    for (uint32_t i = 0; i < s->code_count; i++) {
        const IrIns *ins = &s->code[i];
        if (!has_leaf(ins)) {
            use(used, ins->a);
            use(used, ins->b);
            use(used, ins->c);
        }
        if (ins->op == IR_PASS) continue; /* looking at a wire does not make a field needed */
        for (uint32_t n = 0; n < ins->arg_count; n++) use(used, s->pool[ins->args + n]);
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < s->code_count; i++)
        if (!removable(s, &s->code[i], used)) s->code[kept++] = s->code[i];
    bool changed = kept != s->code_count;
    s->code_count = kept;
    return changed;
}

/* IF and END with nothing between them. */
static bool empty_ifs(IrStage *s)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < s->code_count; i++) {
        const IrIns *last = kept ? &s->code[kept - 1] : NULL;
        if (s->code[i].op == IR_END && last && last->op == IR_IF)
            kept--;
        else if (s->code[i].op == IR_END && last && last->op == IR_ELSE && kept > 1 &&
                 s->code[kept - 2].op == IR_IF)
            kept -= 2;
        else
            s->code[kept++] = s->code[i];
    }
    bool changed = kept != s->code_count;
    s->code_count = kept;
    return changed;
}

void pass__dead_code(IrStage *s, bool *used, const uint32_t *roots, uint32_t root_count)
{
    while (round_of(s, used, roots, root_count) || empty_ifs(s)) {
    }
}

/* The row behind a window's inputs: only what the late stage reads. */
static void late_row(const IrPipeline *p, IrStage *s)
{
    for (uint32_t i = 0; i < s->code_count; i++) {
        const IrIns *ins = &s->code[i];
        if (ins->op != IR_WINDOW) continue;
        const IrWindow *w = &p->windows[ins->imm.index];
        uint32_t first = w->key_count + 2 * w->agg_count;
        for (uint32_t n = first; n < ins->arg_count; n++) {
            uint32_t leaf = (n - first) / 2;
            if (w->late_stage == NO_INDEX || !p->stages[w->late_stage].leaves[leaf].needed)
                s->pool[ins->args + n] = NO_REG;
        }
    }
}

/* The row beside an item: only what its stage reads. */
static void each_row(const IrPipeline *p, IrStage *s)
{
    for (uint32_t i = 0; i < s->code_count; i++) {
        const IrIns *ins = &s->code[i];
        for (uint32_t n = 0; ins->op == IR_EACH && n < ins->arg_count; n++)
            if (!p->stages[ins->imm.index].leaves[n / 2].needed) s->pool[ins->args + n] = NO_REG;
    }
}

/* Wires show what is computed anyway. */
static void thin_taps(IrStage *s, bool *written)
{
    memset(written, 0, s->reg_count);
    for (uint32_t i = 0; i < s->code_count; i++) {
        if (s->code[i].dst != NO_REG) written[s->code[i].dst] = true;
        if (s->code[i].has != NO_REG) written[s->code[i].has] = true;
    }
    for (uint32_t i = 0; i < s->code_count; i++) {
        const IrIns *ins = &s->code[i];
        for (uint32_t n = 0; ins->op == IR_PASS && n < ins->arg_count; n += 2) {
            uint32_t *value = &s->pool[ins->args + n], *has = value + 1;
            bool gone = *value == NO_REG || !written[*value] || (*has != NO_REG && !written[*has]);
            if (gone) *value = *has = NO_REG;
        }
    }
}

Status pass_dead(IrProgram *program)
{
    for (uint32_t p = 0; p < program->pipeline_count; p++)
        for (uint32_t i = program->pipelines[p].stage_count;
             i-- > 0;) { /* late before its window */
            IrStage *s = &program->pipelines[p].stages[i];
            late_row(&program->pipelines[p], s);
            each_row(&program->pipelines[p], s);
            bool *used = arena_many(program->arena, bool, s->reg_count + 1);
            if (!used) return ST_NO_MEMORY;
            pass__dead_code(s, used, NULL, 0);
            thin_taps(s, used);
            for (uint32_t n = 0; n < s->leaf_count; n++) s->leaves[n].needed = false;
            for (uint32_t n = 0; n < s->code_count; n++)
                if (has_leaf(&s->code[n])) s->leaves[s->code[n].a].needed = true;
        }
    return ST_OK;
}
