/* compiler/ir/verify.c: the rules of ir.h and ops.def, which every pass keeps.
 *
 * A program that breaks one is our fault, never the user's: the compiler stops with ST_INTERNAL.
 * "Written before read on every path" is followed with one bit set per open IF or TRY. */
#include "compiler/ir/ir.h"

enum { NEST_MAX = 256 };

typedef struct Frame {
    IrOp op;                /* IF, ELSE, TRY, CATCH, ARM */
    bool *before, *arm;     /* written at the start; by the first arm */
    bool has_arm, arm_left; /* the first arm ends in FAIL or DROP; ARM: `left` at the start */
} Frame;

typedef struct Leaves {
    IrLeaf *list; /* NULL: not asked for yet */
    uint32_t count;
} Leaves;

typedef struct Verify {
    const IrProgram *program;
    const IrPipeline *pipeline;
    const IrStage *stage;
    Arena *arena;
    Diag *diag;
    uint32_t stage_index, at;
    Leaves *leaves;    /* of each schema */
    uint32_t regs_max; /* of any stage: what the lists of registers hold */
    bool *written;
    bool left; /* behind FAIL or DROP: nothing runs */
    Frame *frames;
    uint32_t depth, deepest; /* frames made so far; those above were never opened */
} Verify;

static Status broken(const Verify *v, const char *what)
{
    return diag_set(
        v->diag, ST_INTERNAL, "IR of `%.*s`, stage %u, instruction %u (%s): %s",
        STR_ARG(v->pipeline->name), v->stage_index, v->at,
        v->at < v->stage->code_count ? ir_op_info(v->stage->code[v->at].op)->text : "end", what);
}

static Status read_reg(const Verify *v, uint32_t reg)
{
    if (reg >= v->stage->reg_count) return broken(v, "no such register");
    if (!v->written[reg] && !v->left) return broken(v, "reads a register before it is written");
    return ST_OK;
}

static bool same_type(const IrReg *a, const IrField *b)
{
    bool items = a->type == IR_LIST || a->type == IR_ITEM;
    return a->type == b->type && (!items || a->record == b->record);
}

static Status leaves_of(const Verify *v, uint32_t schema, IrLeaf **ret_list, uint32_t *ret_count)
{
    if (schema >= v->program->schema_count) return broken(v, "no such schema");
    Leaves *l = &v->leaves[schema];
    Status status = l->list ? ST_OK : ir_leaves(v->program, schema, v->arena, &l->list, &l->count);
    *ret_list = l->list;
    *ret_count = l->count;
    return status;
}

static Status row_args(const Verify *v, const IrIns *ins, uint32_t first, uint32_t schema,
                       bool holes)
{
    IrLeaf *leaves;
    uint32_t count;
    Status status = leaves_of(v, schema, &leaves, &count);
    if (status) return status;
    if (ins->arg_count != first + 2 * count) return broken(v, "a row of the wrong length");
    for (uint32_t i = 0; i < count; i++) {
        uint32_t value = v->stage->pool[ins->args + first + 2 * i],
                 has = v->stage->pool[ins->args + first + 2 * i + 1];
        if (value == NO_REG && has == NO_REG && holes) continue;
        if ((status = read_reg(v, value))) return status;
        if (!same_type(&v->stage->regs[value], leaves[i].field))
            return broken(v, "a row's value has another type than its leaf");
        if (has == NO_REG) continue;
        if (!leaves[i].optional) return broken(v, "a leaf that is always there has a `has`");
        if ((status = read_reg(v, has))) return status;
    }
    return ST_OK;
}

static Status window_args(const Verify *v, const IrIns *ins)
{
    if (ins->imm.index >= v->pipeline->window_count) return broken(v, "no such window");
    const IrWindow *w = &v->pipeline->windows[ins->imm.index];
    uint32_t first = w->key_count + 2 * w->agg_count;
    if (ins->arg_count < first) return broken(v, "too few arguments");
    for (uint32_t i = 0; i < first; i++) {
        uint32_t reg = v->stage->pool[ins->args + i];
        if (i >= w->key_count && reg == NO_REG) continue;
        Status status = read_reg(v, reg);
        if (status) return status;
        if (i < w->key_count && v->stage->regs[reg].type != w->keys[i].type)
            return broken(v, "a key of another type");
        uint32_t agg = (i - w->key_count) / 2;
        if (i >= w->key_count && (i - w->key_count) % 2 == 0 &&
            v->stage->regs[reg].type != w->aggs[agg].type)
            return broken(v, "an aggregate's input of another type");
    }
    return row_args(v, ins, first, w->in_schema, true);
}

/* The leaves of a list's item, and that the register is one. */
static Status item_leaves(const Verify *v, uint32_t reg, IrLeaf **ret_list, uint32_t *ret_count)
{
    const IrReg *r = &v->stage->regs[reg];
    if (r->type != IR_LIST && r->type != IR_ITEM) return broken(v, "needs a list or an item");
    return leaves_of(v, r->record, ret_list, ret_count);
}

static Status list_args(const Verify *v, const IrIns *ins)
{
    IrLeaf *leaves;
    uint32_t count;
    if (ins->dst >= v->stage->reg_count) return broken(v, "no such result register");
    Status status = item_leaves(v, ins->dst, &leaves, &count);
    if (status) return status;
    if (v->stage->regs[ins->dst].type != IR_LIST || !count || ins->arg_count % (2 * count))
        return broken(v, "a list of the wrong length");
    for (uint32_t i = 0; i < ins->arg_count / 2; i++) {
        uint32_t value = v->stage->pool[ins->args + 2 * i],
                 has = v->stage->pool[ins->args + 2 * i + 1];
        if ((status = read_reg(v, value))) return status;
        if (!same_type(&v->stage->regs[value], leaves[i % count].field))
            return broken(v, "an item's value has another type than its leaf");
        if (has != NO_REG && (status = read_reg(v, has))) return status;
    }
    return ST_OK;
}

static Status clock_args(const Verify *v, const IrIns *ins)
{
    const IrTime *time = &v->pipeline->time;
    if (ins->arg_count != time->key_count) return broken(v, "keys of another number");
    Status status = read_reg(v, ins->a);
    if (!status && v->stage->regs[ins->a].type != IR_TIME) return broken(v, "needs a time");
    for (uint32_t i = 0; i < ins->arg_count && !status; i++) {
        uint32_t reg = v->stage->pool[ins->args + i];
        status = read_reg(v, reg);
        if (!status && v->stage->regs[reg].type != time->keys[i].type)
            return broken(v, "a key of another type");
    }
    return status;
}

static Status mem_args(const Verify *v, const IrIns *ins)
{
    if (ins->imm.index >= v->pipeline->mem_count) return broken(v, "no such memory");
    const IrMem *m = &v->pipeline->mems[ins->imm.index];
    const uint32_t *args = v->stage->pool + ins->args;
    Status status = ins->a == NO_REG ? ST_OK : read_reg(v, ins->a);
    if (status) return status;
    if (ins->arg_count != m->key_count + 2 * m->input_count)
        return broken(v, "arguments of another number than the memory's");
    for (uint32_t i = 0; i < ins->arg_count; i++) {
        bool has = i >= m->key_count && (i - m->key_count) % 2;
        if (has && args[i] == NO_REG) continue;
        if ((status = read_reg(v, args[i]))) return status;
        IrType want = i < m->key_count ? m->keys[i].type
                      : has            ? IR_BOOL
                                       : m->inputs[(i - m->key_count) / 2].type;
        if (v->stage->regs[args[i]].type != want) return broken(v, "an argument of another type");
    }
    return ST_OK;
}

/* INDEX, ITEM_FIELD, LIST_HAS, LIST_AGG, COUNT_OF: operand a is a list (an item). */
static Status of_list(const Verify *v, const IrIns *ins)
{
    const IrReg *regs = v->stage->regs, *a = &regs[ins->a], *dst = &regs[ins->dst];
    IrLeaf *leaves;
    uint32_t count;
    if (ins->op == IR_COUNT_OF && a->type == IR_BYTES && dst->type == IR_I64) return ST_OK;
    Status status = item_leaves(v, ins->a, &leaves, &count);
    if (status) return status;
    if (a->type != (ins->op == IR_ITEM_FIELD ? IR_ITEM : IR_LIST))
        return broken(v, "a list where an item is needed, or the other way");
    bool scalar = ir_is_scalar_item(v->program, a->record);
    bool fine = true;
    if (ins->op == IR_COUNT_OF) {
        fine = dst->type == IR_I64;
    } else if (ins->op == IR_INDEX) {
        fine = regs[ins->b].type == IR_I64 &&
               (scalar ? same_type(dst, leaves[0].field)
                       : dst->type == IR_ITEM && dst->record == a->record);
    } else if (ins->op == IR_ITEM_FIELD) {
        fine = ins->imm.index < count && same_type(dst, leaves[ins->imm.index].field);
    } else if (ins->op == IR_LIST_HAS) {
        fine = scalar && regs[ins->b].type == leaves[0].field->type;
    } else {
        fine = scalar && ins->imm.index >= AGG_SUM && ins->imm.index <= AGG_STDDEV;
    }
    return fine ? ST_OK : broken(v, "types that do not fit the list");
}

/* The row and the item behind it are what the stage begins with. */
static Status each_args(const Verify *v, const IrIns *ins)
{
    IrLeaf *item = NULL;
    uint32_t count = 0;
    if (ins->imm.index >= v->pipeline->stage_count) return broken(v, "no such stage");
    const IrStage *to = &v->pipeline->stages[ins->imm.index];
    Status status = read_reg(v, ins->a);
    if (!status) status = item_leaves(v, ins->a, &item, &count);
    if (status) return status;
    if ((to->from != IR_FROM_EACH && to->from != IR_FROM_ASK) ||
        v->stage->regs[ins->a].type != IR_LIST)
        return broken(v, "runs no list through a stage of `each`");
    if (ins->arg_count % 2 || to->leaf_count != ins->arg_count / 2 + count)
        return broken(v, "a row of the wrong length");
    for (uint32_t i = 0; i < ins->arg_count / 2; i++) {
        uint32_t value = v->stage->pool[ins->args + 2 * i],
                 has = v->stage->pool[ins->args + 2 * i + 1];
        if (value == NO_REG && has == NO_REG) continue;
        if ((status = read_reg(v, value))) return status;
        if (!same_type(&v->stage->regs[value], to->leaves[i].field))
            return broken(v, "a row's value has another type than its leaf");
        if (has != NO_REG && (status = read_reg(v, has))) return status;
    }
    for (uint32_t i = 0; i < count; i++)
        if (item[i].field->type != to->leaves[ins->arg_count / 2 + i].field->type)
            return broken(v, "an item's leaf of another type");
    return ST_OK;
}

static Status key_args(const Verify *v, const IrIns *ins, const IrReg *keys, uint32_t count)
{
    if (ins->arg_count < count) return broken(v, "too few arguments");
    for (uint32_t i = 0; i < count; i++) {
        uint32_t reg = v->stage->pool[ins->args + i];
        Status status = read_reg(v, reg);
        if (status) return status;
        if (v->stage->regs[reg].type != keys[i].type) return broken(v, "a key of another type");
    }
    return ST_OK;
}

static Status join_args(const Verify *v, const IrIns *ins)
{
    uint32_t schema;
    Status status;
    if (ins->op == IR_LOOKUP) {
        if (ins->imm.index >= v->program->table_count) return broken(v, "no such table");
        const IrTable *t = &v->program->tables[ins->imm.index];
        IrLeaf *leaves;
        uint32_t count;
        schema = t->schema;
        status = leaves_of(v, schema, &leaves, &count);
        if (status) return status;
        if (t->key >= count || ins->arg_count != 1) return broken(v, "a table has one key");
        IrReg key = {.type = leaves[t->key].field->type};
        status = key_args(v, ins, &key, 1);
    } else {
        if (ins->imm.index >= v->pipeline->join_count) return broken(v, "no such join");
        const IrJoin *j = &v->pipeline->joins[ins->imm.index];
        schema = j->schema;
        status = key_args(v, ins, j->keys, j->key_count);
        if (!status && ins->op == IR_REMEMBER) return row_args(v, ins, j->key_count, schema, false);
    }
    if (status) return status;
    if (ins->dst >= v->stage->reg_count || ins->has == NO_REG ||
        v->stage->regs[ins->dst].type != IR_ITEM || v->stage->regs[ins->dst].record != schema)
        return broken(v, "gives an item, and whether there is one");
    return ST_OK;
}

static Status arguments(const Verify *v, const IrIns *ins)
{
    if (ins->args > v->stage->pool_count || ins->arg_count > v->stage->pool_count - ins->args)
        return broken(v, "arguments outside the pool");
    switch (ins->op) {
    case IR_PASS:
        if (ins->imm.index >= v->pipeline->wire_count) return broken(v, "no such wire");
        return row_args(v, ins, 0, v->pipeline->wires[ins->imm.index].schema, true);
    case IR_EMIT: {
        if (ins->imm.index >= v->pipeline->sink_count) return broken(v, "no such sink");
        Status status = ins->a == NO_REG ? ST_OK : read_reg(v, ins->a);
        if (status) return status;
        return row_args(v, ins, 0, v->pipeline->sinks[ins->imm.index].schema, false);
    }
    case IR_WINDOW: return window_args(v, ins);
    case IR_CLOCK: return clock_args(v, ins);
    case IR_LIST_OF: return list_args(v, ins);
    case IR_EACH: return each_args(v, ins);
    case IR_MEM: return mem_args(v, ins);
    case IR_LOOKUP:
    case IR_REMEMBER:
    case IR_RECALL: return join_args(v, ins);
    default: break;
    }
    for (uint32_t i = 0; i < ins->arg_count; i++) {
        Status status = read_reg(v, v->stage->pool[ins->args + i]);
        if (status) return status;
        if (ins->op == IR_CONCAT && v->stage->regs[v->stage->pool[ins->args + i]].type != IR_STR)
            return broken(v, "joins something that is no text");
    }
    return ST_OK;
}

static Status types(const Verify *v, const IrIns *ins)
{
    const IrReg *regs = v->stage->regs;
    const IrOpInfo *info = ir_op_info(ins->op);
    if (ins->op >= IR_INDEX && ins->op <= IR_LIST_AGG) return of_list(v, ins);
    if (ins->op == IR_MATCHES)
        return regs[ins->a].type == IR_STR && regs[ins->b].type == IR_BYTES &&
                       regs[ins->dst].type == IR_BOOL
                   ? ST_OK
                   : broken(v, "needs text and an automaton");
    bool two = info->operands == 2;
    if (two && regs[ins->a].type != regs[ins->b].type) return broken(v, "operands of two types");
    if (info->result == 1 && regs[ins->dst].type != regs[ins->a].type)
        return broken(v, "result and operand of two types");
    if (info->result == 2 && regs[ins->dst].type != IR_BOOL)
        return broken(v, "the result must be bool");
    bool logic = ins->op == IR_IF || ins->op == IR_NOT || ins->op == IR_AND || ins->op == IR_OR;
    if (logic && regs[ins->a].type != IR_BOOL) return broken(v, "needs a bool");
    bool floats = ins->op == IR_DIV || ins->op == IR_FINITE;
    if (floats && regs[ins->a].type != IR_F32 && regs[ins->a].type != IR_F64)
        return broken(v, "needs a float");
    bool texts = ins->op == IR_STARTS || ins->op == IR_ENDS || ins->op == IR_CONTAINS;
    if (texts && regs[ins->a].type != IR_STR) return broken(v, "needs text");
    if (ins->op == IR_FIELD && regs[ins->dst].type != v->stage->leaves[ins->a].field->type)
        return broken(v, "a field of another type");
    return ST_OK;
}

static Status operands(Verify *v, const IrIns *ins)
{
    uint8_t kind = ir_op_info(ins->op)->operands;
    Status status = ST_OK;
    if (kind == 5) {
        if (ins->a >= v->stage->leaf_count) return broken(v, "no such leaf");
    } else if (kind >= 1 && kind <= 3) {
        status = read_reg(v, ins->a);
        if (!status && kind >= 2) status = read_reg(v, ins->b);
        if (!status && kind >= 3) status = read_reg(v, ins->c);
    } else if (kind == 4) {
        status = arguments(v, ins);
    }
    if (status) return status;
    if (ir_op_info(ins->op)->result == 0) {
        if (ins->dst != NO_REG) return broken(v, "has no result");
    } else if (ins->dst >= v->stage->reg_count) {
        return broken(v, "no such result register");
    }
    if (ins->has != NO_REG &&
        (ins->has >= v->stage->reg_count || v->stage->regs[ins->has].type != IR_BOOL))
        return broken(v, "`has` must be a bool register");
    return types(v, ins);
}

/* Into the frame's own list, made at its first use and used again at this depth. */
static bool copy(Verify *v, bool **to, const bool *from)
{
    if (!*to) *to = arena_many(v->arena, bool, v->regs_max + 1);
    if (*to) memcpy(*to, from, v->stage->reg_count);
    return *to != NULL;
}

static Status open_frame(Verify *v, IrOp op)
{
    if (v->depth == NEST_MAX) return broken(v, "nested too deeply");
    Frame *f = &v->frames[v->depth++];
    if (v->depth > v->deepest) {
        *f = (Frame){0};
        v->deepest = v->depth;
    }
    f->op = op;
    f->has_arm = false;
    f->arm_left = v->left;
    return copy(v, &f->before, v->written) ? ST_OK : ST_NO_MEMORY;
}

static Status middle(Verify *v, IrOp open, IrOp op)
{
    if (!v->depth || v->frames[v->depth - 1].op != open) return broken(v, "has no beginning");
    Frame *f = &v->frames[v->depth - 1];
    f->op = op;
    f->arm_left = v->left;
    f->has_arm = true;
    if (!copy(v, &f->arm, v->written)) return ST_NO_MEMORY;
    memcpy(v->written, f->before, v->stage->reg_count);
    v->left = false;
    return ST_OK;
}

static Status close_frame(Verify *v, IrOp without, IrOp with)
{
    if (!v->depth) return broken(v, "has no beginning");
    Frame *f = &v->frames[--v->depth];
    if (f->op != with && f->op != without) return broken(v, "closes something else");
    const bool *other = f->has_arm ? f->arm : f->before;
    bool other_left = f->has_arm ? f->arm_left : false;
    for (uint32_t r = 0; r < v->stage->reg_count; r++) {
        if (v->left)
            v->written[r] = other[r];
        else if (!other_left)
            v->written[r] = v->written[r] && other[r];
    }
    v->left = v->left && other_left;
    return ST_OK;
}

/* A DROP may have left the arm anywhere, so nothing written inside is there behind it. */
static Status close_arm(Verify *v)
{
    if (!v->depth) return broken(v, "has no beginning");
    Frame *f = &v->frames[--v->depth];
    if (f->op != IR_ARM) return broken(v, "closes something else");
    memcpy(v->written, f->before, v->stage->reg_count);
    v->left = f->arm_left;
    return ST_OK;
}

static Status control(Verify *v, const IrIns *ins)
{
    switch (ins->op) {
    case IR_IF:
    case IR_ARM:
    case IR_TRY: return open_frame(v, ins->op);
    case IR_ENDARM: return close_arm(v);
    case IR_ELSE: return middle(v, IR_IF, IR_ELSE);
    case IR_CATCH: return middle(v, IR_TRY, IR_CATCH);
    case IR_END: return close_frame(v, IR_IF, IR_ELSE);
    case IR_ENDTRY: return close_frame(v, IR_CATCH, IR_CATCH);
    case IR_FAIL:
    case IR_DROP: v->left = true; return ST_OK;
    default:
        if (ins->dst != NO_REG) v->written[ins->dst] = true;
        if (ins->has != NO_REG) v->written[ins->has] = true;
        return ST_OK;
    }
}

static Status verify_stage(Verify *v)
{
    memset(v->written, 0, v->stage->reg_count);
    v->depth = 0;
    v->left = false;
    for (v->at = 0; v->at < v->stage->code_count; v->at++) {
        const IrIns *ins = &v->stage->code[v->at];
        if ((uint32_t)ins->op >= IR_OP__COUNT) return broken(v, "no such operation");
        if (ins->node >= v->pipeline->node_count) return broken(v, "no such node");
        Status status = operands(v, ins);
        if (!status) status = control(v, ins);
        if (status) return status;
    }
    return v->depth ? broken(v, "an IF, TRY or ARM is open") : ST_OK;
}

/* Only windows that overlap have panes, and what panes cannot put together is counted by each. */
static bool panes_fit(const IrWindow *w)
{
    bool may = w->kind == WINDOW_HOP && w->every_ns < w->size_ns && !w->early_ns && !w->keep_ns;
    for (uint32_t i = 0; i < w->agg_count; i++)
        if (w->aggs[i].each != (w->panes && !ir_agg_shares(w->aggs[i].kind))) return false;
    return may || !w->panes;
}

/* Nothing but values come out of it. */
static Status verify_filter(Verify *v)
{
    Status status = verify_stage(v);
    uint32_t keeps = v->pipeline->filter_keeps;
    for (v->at = 0; v->at < v->stage->code_count && !status; v->at++) {
        IrOp op = v->stage->code[v->at].op;
        bool branch = op == IR_IF || op == IR_ELSE || op == IR_END;
        if (ir_op_info(op)->effect > 1 && !branch) status = broken(v, "a filter has no effects");
    }
    if (!status) status = read_reg(v, keeps);
    if (!status && v->stage->regs[keeps].type != IR_BOOL) status = broken(v, "no yes or no");
    return status;
}

static Status indexes(const IrProgram *program, const IrPipeline *p, Diag *diag)
{
    bool fine = p->in_schema < program->schema_count && p->stage_count > 0;
    for (uint32_t i = 0; i < p->wire_count && fine; i++)
        fine = p->wires[i].from < p->node_count && p->wires[i].to < p->node_count &&
               (p->wires[i].schema == NO_INDEX || p->wires[i].schema < program->schema_count);
    for (uint32_t i = 0; i < p->sink_count && fine; i++)
        fine = p->sinks[i].node < p->node_count &&
               (p->sinks[i].schema == NO_INDEX || p->sinks[i].schema < program->schema_count);
    for (uint32_t i = 0; i < p->error_sink_count && fine; i++)
        fine = p->error_sinks[i] < p->sink_count;
    for (uint32_t i = 0; i < p->window_count && fine; i++)
        fine = p->windows[i].out_stage < p->stage_count &&
               (p->windows[i].late_stage == NO_INDEX || p->windows[i].late_stage < p->stage_count);
    for (uint32_t i = 0; i < p->window_count; i++)
        if (!panes_fit(&p->windows[i]))
            return diag_set(diag, ST_INTERNAL, "IR of `%.*s`: panes do not fit window %u",
                            STR_ARG(p->name), i);
    if (fine && p->error_stage != NO_INDEX)
        fine = p->error_stage < p->stage_count && p->stages[p->error_stage].from == IR_FROM_ERROR &&
               p->stages[p->error_stage].leaf_count == IR_ERROR_LEAVES;
    for (uint32_t i = 0; i < p->join_count && fine; i++)
        fine = p->joins[i].schema < program->schema_count && p->joins[i].node < p->node_count;
    for (uint32_t i = 0; i < p->stage_count && fine; i++)
        fine = p->stages[i].schema < program->schema_count;
    if (fine) return ST_OK;
    return diag_set(diag, ST_INTERNAL, "IR of `%.*s`: an index out of bounds", STR_ARG(p->name));
}

static Status verify_pipeline(Verify *v, const IrPipeline *pipeline)
{
    v->pipeline = pipeline;
    Status status = indexes(v->program, pipeline, v->diag);
    for (uint32_t s = 0; s < pipeline->stage_count && !status; s++) {
        v->stage = &pipeline->stages[s];
        v->stage_index = s;
        status = verify_stage(v);
    }
    if (status || !pipeline->filter) return status;
    v->stage = pipeline->filter;
    v->stage_index = pipeline->stage_count;
    return verify_filter(v);
}

Status ir_verify(const IrProgram *program, Diag *diag)
{
    Frame frames[NEST_MAX];
    Verify v = {.program = program, .frames = frames, .diag = diag};
    for (uint32_t p = 0; p < program->pipeline_count; p++) {
        const IrPipeline *pipeline = &program->pipelines[p];
        for (uint32_t s = 0; s <= pipeline->stage_count; s++) {
            const IrStage *stage =
                s < pipeline->stage_count ? &pipeline->stages[s] : pipeline->filter;
            if (stage && stage->reg_count > v.regs_max) v.regs_max = stage->reg_count;
        }
    }
    v.arena = arena_new(64 << 10, 256 << 20);
    if (v.arena) v.leaves = arena_many(v.arena, Leaves, program->schema_count + 1);
    if (v.arena) v.written = arena_many(v.arena, bool, v.regs_max + 1);
    Status status = v.leaves && v.written ? ST_OK : ST_NO_MEMORY;
    for (uint32_t p = 0; p < program->pipeline_count && !status; p++)
        status = verify_pipeline(&v, &program->pipelines[p]);
    arena_free(v.arena);
    return status;
}
