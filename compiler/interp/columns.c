/* compiler/interp/columns.c: which column a register lives in; see translate.h. */
#include "compiler/interp/translate.h"

#include "compiler/ir/facts.h"

Cell interp__cell(IrType type)
{
    switch (type) {
    case IR_BOOL: return CELL_U8;
    case IR_I32: return CELL_I32;
    case IR_U32:
    case IR_ENUM: return CELL_U32;
    case IR_U64: return CELL_U64;
    case IR_F32: return CELL_F32;
    case IR_F64: return CELL_F64;
    case IR_STR:
    case IR_BYTES:
    case IR_JSON:
    case IR_LIST:
    case IR_ITEM: return CELL_TEXT;
    default: return CELL_I64;
    }
}

uint32_t interp__cell_bytes(Cell cell)
{
    static const uint8_t bytes[CELL__COUNT] = {1, 4, 4, 8, 8, 4, 8, 16};
    return bytes[cell];
}

static FreeList *free_list(Translate *t, uint32_t bytes)
{
    return &t->free[bytes == 1 ? 0 : bytes == 4 ? 1 : bytes == 8 ? 2 : 3];
}

uint32_t interp__column_own(Translate *t, uint32_t value_bytes)
{
    uint32_t column = t->bytes;
    t->bytes += (value_bytes * t->lanes + 63) / 64 * 64;
    return column;
}

uint32_t interp__column_new(Translate *t, uint32_t value_bytes)
{
    FreeList *list = free_list(t, value_bytes);
    if (list->count) return list->column[--list->count];
    return interp__column_own(t, value_bytes);
}

void interp__column_give(Translate *t, uint32_t column, uint32_t value_bytes)
{
    FreeList *list = free_list(t, value_bytes);
    if (list->count < FREE_MAX) list->column[list->count++] = column;
}

/* ---- lives ---- */

static bool is_effect(IrOp op)
{
    return op == IR_PASS || op == IR_WATERMARK || op == IR_CLOCK || op == IR_WINDOW ||
           op == IR_EACH || op == IR_REMEMBER || op == IR_EMIT;
}

/* Calls fn for every register an instruction reads. */
static void reads(Translate *t, const IrIns *ins, void (*fn)(Translate *t, uint32_t reg, bool pin))
{
    enum { A = 1, AB, ABC, ARGS }; /* operand classes of ops.def, as in ir.c */
    uint8_t kind = ir_op_info(ins->op)->operands;
    bool pin = is_effect(ins->op);
    if (kind >= A && kind <= ARGS && ins->a != NO_REG) fn(t, ins->a, pin);
    if (kind >= AB && kind <= ABC) fn(t, ins->b, pin);
    if (kind == ABC) fn(t, ins->c, pin);
    for (uint32_t i = 0; kind == ARGS && i < ins->arg_count; i++)
        if (t->stage->pool[ins->args + i] != NO_REG) fn(t, t->stage->pool[ins->args + i], pin);
}

static void note_use(Translate *t, uint32_t reg, bool pin)
{
    Reg *root = &t->regs[t->regs[reg].root];
    root->last_use = t->at + 1;
    root->pinned |= pin;
}

static void note_def(Translate *t, uint32_t reg)
{
    if (reg == NO_REG) return;
    t->regs[reg].defs++;
    t->regs[reg].last_def = t->at + 1;
}

void interp__find_lives(Translate *t)
{
    const IrStage *s = t->stage;
    for (uint32_t i = 0; i < s->reg_count; i++) t->regs[i] = (Reg){.root = i, .column = NO_COLUMN};
    for (t->at = 0; t->at < s->code_count; t->at++) {
        note_def(t, s->code[t->at].dst);
        note_def(t, s->code[t->at].has);
    }
    for (t->at = 0; t->at < s->code_count; t->at++) {
        const IrIns *ins = &s->code[t->at];
        bool name = ins->op == IR_MOVE && t->regs[ins->dst].defs == 1;
        if (name && t->regs[t->regs[ins->a].root].defs == 1)
            t->regs[ins->dst].root = t->regs[ins->a].root;
        reads(t, ins, note_use);
    }
}

static void release_one(Translate *t, uint32_t reg, bool pin)
{
    (void)pin;
    Reg *root = &t->regs[t->regs[reg].root];
    bool last = root->last_use <= t->at + 1 && root->last_def <= t->at + 1;
    if (!last || root->pinned || root->shared || root->column == NO_COLUMN) return;
    Cell cell = interp__cell(t->stage->regs[t->regs[reg].root].type);
    interp__column_give(t, root->column, interp__cell_bytes(cell));
    root->column = NO_COLUMN;
}

void interp__release(Translate *t, const IrIns *ins)
{
    reads(t, ins, release_one);
    if (ins->dst != NO_REG) release_one(t, ins->dst, false); /* nobody reads it at all */
    if (ins->has != NO_REG) release_one(t, ins->has, false);
}

/* ---- columns of registers ---- */

uint32_t interp__column_of(Translate *t, uint32_t reg)
{
    Reg *r = &t->regs[t->regs[reg].root];
    if (r->column == NO_COLUMN) {
        Cell cell = interp__cell(t->stage->regs[reg].type);
        r->column = interp__column_new(t, interp__cell_bytes(cell));
    }
    return r->column;
}

uint32_t interp__column(Translate *t, uint32_t reg)
{
    uint32_t column = reg == NO_REG ? NO_COLUMN : t->regs[t->regs[reg].root].column;
    if (reg != NO_REG && column == NO_COLUMN)
        interp__refuse(t, ST_INTERNAL, "the interpreter lost register %u of stage %u", reg,
                       (unsigned)(t->stage - t->pipeline->stages));
    return column;
}

Place interp__place(Translate *t, uint32_t reg)
{
    if (reg == NO_REG) return (Place){.column = NO_COLUMN};
    const IrReg *r = &t->stage->regs[reg];
    return (Place){interp__column(t, reg), (uint8_t)interp__cell(r->type), (uint8_t)r->type,
                   r->scale};
}

/* The number of a leaf in the row that comes in: rows of windows are keys, start, end, aggregates.
 */
static uint32_t row_index(const Translate *t, uint32_t leaf)
{
    if (t->stage->from != IR_FROM_WINDOW) return leaf;
    const IrWindow *window = &t->pipeline->windows[t->stage->from_index];
    for (uint32_t a = 0; a < window->agg_count; a++)
        if (window->aggs[a].out == leaf) return window->key_count + 2 + a;
    return leaf;
}

const Input *interp__input(Translate *t, uint32_t leaf)
{
    if (t->leaf_input[leaf]) return &t->inputs[t->leaf_input[leaf] - 1];
    const IrLeaf *l = &t->stage->leaves[leaf];
    Input *input = &t->inputs[t->input_count];
    Cell cell = interp__cell(l->field->type);
    *input = (Input){.leaf = row_index(t, leaf),
                     .optional = l->optional,
                     .reads_empty = ir_reads_empty(t->stage, leaf)};
    /* Of its own: it is filled before the first step runs. */
    input->value = (Place){interp__column_own(t, interp__cell_bytes(cell)), (uint8_t)cell,
                           (uint8_t)l->field->type, l->field->scale};
    input->has = interp__column_own(t, 1);
    t->leaf_input[leaf] = ++t->input_count;
    return input;
}
