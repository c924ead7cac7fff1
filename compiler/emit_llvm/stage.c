/* compiler/emit_llvm/stage.c: one stage of row code as one function, like emit_c/stage.c.
 *
 * A failure calls the runtime's error route and returns, or jumps to the CATCH around it. `done`
 * says how the record ended (emitted, in a window, late), so that the counters always add up. */
#include "compiler/emit_llvm/jit_int.h"

#include "compiler/ir/facts.h"

/* ---- leaving a record ---- */

/* Whatever follows is reached by nobody; LLVM drops it. */
static void unreachable(Jit *j)
{
    jit_in(j, jit_block(j));
}

void jit_leave(Jit *j, uint32_t node, LLVMValueRef reason, Str field, Str name)
{
    if (j->try_count) {
        jit_goto(j, j->tries[j->try_count - 1]);
    } else if (j->asks) {
        LLVMBuildRet(j->builder, jit_i32(j, 1));
    } else {
        CALL(j, "op_error", j->pipe, jit_i32(j, node), reason, jit_name(j, field),
             jit_name(j, name));
        jit_return(j);
    }
    unreachable(j);
}

static void leave_if(Jit *j, const IrIns *ins, LLVMValueRef failed, LLVMValueRef reason)
{
    LLVMBasicBlockRef next = jit_block(j);
    if (j->try_count) {
        jit_goto_if_rare(j, failed, j->tries[j->try_count - 1], next);
    } else {
        LLVMBasicBlockRef out = jit_block(j);
        jit_goto_if_rare(j, failed, out, next);
        jit_in(j, out);
        if (j->asks) {
            LLVMBuildRet(j->builder, jit_i32(j, 1));
        } else {
            CALL(j, "op_error", j->pipe, jit_i32(j, ins->node), reason, jit_name(j, ins->field),
                 jit_null(j));
            jit_return(j);
        }
    }
    jit_in(j, next);
}

void jit_leave_if(Jit *j, const IrIns *ins, LLVMValueRef failed, uint32_t reason)
{
    leave_if(j, ins, failed, jit_i32(j, reason));
}

void jit_leave_if_why(Jit *j, const IrIns *ins, LLVMValueRef why)
{
    LLVMValueRef failed = LLVMBuildICmp(j->builder, LLVMIntNE, why, jit_i32(j, 0), "");
    leave_if(j, ins, failed, why);
}

static void fail(Jit *j, const IrIns *ins)
{
    uint32_t reason = ir_reason_number(ins->imm.fail.reason);
    Str field = ins->imm.fail.field.len ? ins->imm.fail.field : ins->field;
    jit_leave(j, ins->node, jit_i32(j, reason), field, ins->imm.fail.reason);
}

/* ---- input ---- */

/* A window's row holds keys, start, end and aggregates in this order, whatever the schema's. */
static uint32_t place_of(const Jit *j, uint32_t leaf)
{
    if (j->stage->from != IR_FROM_WINDOW) return leaf;
    const IrWindow *window = &j->pipeline->windows[j->stage->from_index];
    for (uint32_t a = 0; a < window->agg_count; a++)
        if (window->aggs[a].out == leaf) return window->key_count + 2 + a;
    return leaf;
}

static void field(Jit *j, const IrIns *ins)
{
    IrType type = jit_reg(j, ins->dst)->type;
    jit_from_value(j, ins->dst, jit_at(j, j->v, place_of(j, ins->a)));
    if (!ir_reads_empty(j->stage, ins->a)) return;
    if (!jit_is_slice(type) && type != IR_ENUM) return;
    LLVMValueRef h = jit_load(j, jit_at(j, j->h, place_of(j, ins->a))),
                 v = jit_load(j, j->regs[ins->dst]);
    LLVMValueRef there = LLVMBuildICmp(j->builder, LLVMIntNE, h, LLVMConstNull(j->type.i8), "");
    if (jit_is_slice(type)) {
        LLVMValueRef n = LLVMBuildExtractValue(j->builder, v, 1, "");
        n = LLVMBuildSelect(j->builder, there, n, jit_i64(j, 0), "");
        v = LLVMBuildInsertValue(j->builder, v, n, 1, "");
    } else {
        v = LLVMBuildSelect(j->builder, there, v, jit_i32(j, 0), "");
    }
    jit_store(j, v, j->regs[ins->dst]);
}

static void has(Jit *j, const IrIns *ins)
{
    LLVMValueRef h = jit_load(j, jit_at(j, j->h, place_of(j, ins->a)));
    jit_set(j, ins->dst, LLVMBuildICmp(j->builder, LLVMIntNE, h, LLVMConstNull(j->type.i8), ""));
}

/* ---- the stream ---- */

/* Marks the leaves that are read, and for each register the leaf whose value it always holds. */
static void find_leaves(Jit *j)
{
    const IrStage *s = j->stage;
    for (uint32_t r = 0; r < s->reg_count; r++) j->leaf_of[r] = NO_INDEX;
    for (uint32_t i = 0; i < s->leaf_count; i++) j->leaf_read[i] = false;
    for (uint32_t i = 0; i < s->code_count; i++) {
        const IrIns *ins = &s->code[i];
        bool reads = ins->op == IR_FIELD || ins->op == IR_HAS;
        if (reads && ins->a < s->leaf_count) j->leaf_read[ins->a] = true;
        if (ins->has != NO_REG && ins->has < s->reg_count) j->written[ins->has] = true;
        if (ins->dst == NO_REG || ins->dst >= s->reg_count) continue;
        j->leaf_of[ins->dst] = reads && !j->written[ins->dst] ? ins->a : NO_INDEX;
        j->written[ins->dst] = true;
    }
}

/* A decoder that is shared fills it in for another pipeline. */
static bool others_read(const Jit *j, uint32_t leaf)
{
    return j->pipeline->share != NO_INDEX && j->ir->shares[j->pipeline->share].needed[leaf];
}

/* A tap of a row that is the input itself needs no copy of it. */
static bool is_input(const Jit *j, const uint32_t *pairs, uint32_t count)
{
    bool strict = ir_group_source(j->pipeline, 0)->check == CHECK_STRICT;
    if (j->stage_index != 0 || strict || count != j->stage->leaf_count) return false;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t reg = pairs[2 * i], has = pairs[2 * i + 1];
        if (reg == NO_REG ? j->leaf_read[i] || others_read(j, i) : j->leaf_of[reg] != i)
            return false;
        if (has != NO_REG && j->leaf_of[has] != i) return false;
    }
    return true;
}

static void tap(Jit *j, LLVMValueRef wire, const uint32_t *pairs, uint32_t count)
{
    if (is_input(j, pairs, count)) {
        CALL(j, "op_tap", j->pipe, wire, j->v, j->h);
    } else {
        jit_arrays(j, pairs, count);
        CALL(j, "op_tap", j->pipe, wire, j->row_v, j->row_h);
    }
}

static void pass(Jit *j, const IrIns *ins)
{
    uint32_t wire = ins->imm.index;
    uint32_t sources = ir_main_sources(j->pipeline);
    bool any_source = j->stage_index == 0 && wire < sources && sources > 1;
    LLVMValueRef at = any_source ? j->source : jit_i32(j, wire);
    LLVMValueRef watched = CALL(j, "op_pass", j->wires, j->watch, at);
    if (!ins->arg_count) return;
    LLVMBasicBlockRef yes = jit_block(j), next = jit_block(j);
    jit_goto_if_rare(j, watched, yes, next);
    jit_in(j, yes);
    tap(j, at, j->stage->pool + ins->args, ins->arg_count / 2);
    jit_goto(j, next);
    jit_in(j, next);
}

static void watermark(Jit *j, const IrIns *ins)
{
    const IrTime *time = &j->pipeline->time;
    LLVMValueRef failed =
        CALL(j, "op_watermark", j->pipe, jit_get(j, ins->a), jit_i64(j, (uint64_t)time->order_ns),
             jit_i64(j, (uint64_t)time->ahead_ns));
    jit_leave_if(j, ins, failed, RT_FUTURE_TIME);
}

/* The counters are told at the end: an earlier sink may have taken the record. */
static void drop(Jit *j)
{
    jit_goto(j, j->arm_count ? j->arms[j->arm_count - 1] : j->end);
    unreachable(j);
}

/* ---- control ---- */

static void arm(Jit *j, const IrIns *ins)
{
    if (ins->op == IR_ENDARM) {
        LLVMBasicBlockRef behind = j->arms[--j->arm_count];
        jit_goto(j, behind);
        jit_in(j, behind);
    } else if (j->arm_count == JIT_ARM_MAX) {
        jit_fail(j, ST_UNSUPPORTED, "more than %d arms inside each other", JIT_ARM_MAX);
    } else {
        j->arms[j->arm_count++] = jit_block(j);
    }
}

typedef struct Open {
    LLVMBasicBlockRef other, end; /* IF: the other arm; TRY: the CATCH */
    bool other_begun;
} Open;

enum { OPEN_MAX = 256 };

typedef struct Control {
    Open open[OPEN_MAX];
    uint32_t count;
} Control;

static Open *open_new(Jit *j, Control *c)
{
    if (c->count == OPEN_MAX) {
        jit_fail(j, ST_UNSUPPORTED, "more than %d `if` inside each other", OPEN_MAX);
        return &c->open[0];
    }
    Open *open = &c->open[c->count++];
    *open = (Open){jit_block(j), jit_block(j), false};
    return open;
}

static void control(Jit *j, Control *c, const IrIns *ins)
{
    Open *open = c->count ? &c->open[c->count - 1] : NULL;
    switch (ins->op) {
    case IR_IF: {
        LLVMBasicBlockRef yes = jit_block(j);
        open = open_new(j, c);
        jit_goto_if(j, jit_get(j, ins->a), yes, open->other);
        jit_in(j, yes);
        break;
    }
    case IR_TRY:
        open = open_new(j, c);
        if (j->try_count == JIT_TRY_MAX)
            jit_fail(j, ST_UNSUPPORTED, "more than %d `try` inside each other", JIT_TRY_MAX);
        else
            j->tries[j->try_count++] = open->other;
        break;
    case IR_CATCH: /* from here on failures go further out */
        j->try_count--;
        __attribute__((fallthrough));
    case IR_ELSE:
        jit_goto(j, open->end);
        jit_in(j, open->other);
        open->other_begun = true;
        break;
    default: /* END, ENDTRY */
        jit_goto(j, open->end);
        if (!open->other_begun) {
            jit_in(j, open->other);
            jit_goto(j, open->end);
        }
        jit_in(j, open->end);
        c->count--;
        break;
    }
}

/* ---- */

/* No default: a new operation of ops.def must be given its code here, or nothing compiles. */
static void instruction(Jit *j, Control *c, const IrIns *ins)
{
    switch (ins->op) {
    case IR_FIELD: field(j, ins); break;
    case IR_HAS: has(j, ins); break;
    case IR_CONST:
    case IR_MOVE:
    case IR_META:
    case IR_CONV:
    case IR_ADD:
    case IR_SUB:
    case IR_MUL:
    case IR_DIV:
    case IR_IDIV:
    case IR_MOD:
    case IR_NEG:
    case IR_FINITE:
    case IR_EQ:
    case IR_NE:
    case IR_LT:
    case IR_LE:
    case IR_GT:
    case IR_GE:
    case IR_AND:
    case IR_OR:
    case IR_NOT:
    case IR_STARTS:
    case IR_ENDS:
    case IR_CONTAINS:
    case IR_MATCHES:
    case IR_TEXT:
    case IR_CONCAT:
    case IR_CALL: jit_value_ins(j, ins); break;
    case IR_LIST_OF:
    case IR_INDEX:
    case IR_COUNT_OF:
    case IR_ITEM_FIELD:
    case IR_LIST_HAS:
    case IR_LIST_AGG: jit_list(j, ins); break;
    case IR_MEM: jit_mem(j, ins); break;
    case IR_IF:
    case IR_ELSE:
    case IR_END:
    case IR_TRY:
    case IR_CATCH:
    case IR_ENDTRY: control(j, c, ins); break;
    case IR_ARM:
    case IR_ENDARM: arm(j, ins); break;
    case IR_FAIL: fail(j, ins); break;
    case IR_DROP: drop(j); break;
    case IR_PASS: pass(j, ins); break;
    case IR_WATERMARK: watermark(j, ins); break;
    case IR_CLOCK: jit_clock(j, ins); break;
    case IR_WINDOW: jit_window(j, ins); break;
    case IR_EACH: jit_each(j, ins); break;
    case IR_LOOKUP:
    case IR_REMEMBER:
    case IR_RECALL: jit_join(j, ins); break;
    case IR_EMIT: jit_row(j, ins); break;
    case IR_OP__COUNT: break;
    }
}

/* Arrays for rows and arguments, as long as the longest; each is filled and used up in one place.
 */
static uint32_t needs_of(const Jit *j, const IrIns *ins)
{
    if (ins->op == IR_EACH) return j->pipeline->stages[ins->imm.index].leaf_count;
    return ins->arg_count;
}

static uint32_t arguments_max(const Jit *j, const IrStage *stage)
{
    uint32_t most = 2; /* LIST_HAS and INDEX have two */
    for (uint32_t i = 0; i < stage->code_count; i++)
        if (needs_of(j, &stage->code[i]) > most) most = needs_of(j, &stage->code[i]);
    return most;
}

static void registers(Jit *j)
{
    for (uint32_t r = 0; r < j->stage->reg_count; r++) {
        IrType type = j->stage->regs[r].type;
        if (type == IR_NONE || type == IR_RECORD) continue;
        j->regs[r] = jit_local(j, jit_reg_type(j, type));
        /* A row hands on the value of a leaf that is not there: it must be some value. */
        jit_store(j, LLVMConstNull(jit_reg_type(j, type)), j->regs[r]);
    }
}

/* Opens the function and all that code of a stage needs: false when there is no memory. */
static bool begin(Jit *j, const IrStage *stage, uint32_t index, LLVMValueRef function)
{
    j->stage = stage;
    j->stage_index = index;
    j->try_count = j->arm_count = 0;
    j->regs = arena_many(j->arena, LLVMValueRef, stage->reg_count + 1);
    j->leaf_of = arena_many(j->arena, uint32_t, stage->reg_count + 1);
    j->written = arena_many(j->arena, bool, stage->reg_count + 1);
    j->leaf_read = arena_many(j->arena, bool, stage->leaf_count + 1);
    if (!j->regs || !j->leaf_of || !j->written || !j->leaf_read) {
        jit_fail(j, ST_NO_MEMORY, "compiling");
        return false;
    }
    find_leaves(j);
    jit_function(j, function);
    j->end = jit_block(j);
    j->pipe = LLVMGetParam(function, 0);
    j->v = LLVMGetParam(function, 1);
    j->h = LLVMGetParam(function, 2);
    uint32_t most = arguments_max(j, stage);
    j->row_v = jit_local_many(j, j->type.value, most);
    j->row_h = jit_local_many(j, j->type.i8, most);
    j->done = jit_local(j, j->type.i32);
    j->w = jit_local(j, j->type.bytes);
    j->why = jit_local(j, j->type.i32);
    jit_store(j, jit_i32(j, 0), j->done);
    registers(j);
    return true;
}

static void code(Jit *j)
{
    Control *control_stack = arena_many(j->arena, Control, 1);
    if (!control_stack) jit_fail(j, ST_NO_MEMORY, "compiling");
    for (uint32_t i = 0; i < j->stage->code_count && !j->failed; i++)
        instruction(j, control_stack, &j->stage->code[i]);
    jit_goto(j, j->end);
    jit_in(j, j->end);
}

void jit_stage(Jit *j, uint32_t index)
{
    LLVMValueRef function = j->stages[index];
    if (!j->quick && index == 0) jit_inline(j, function);
    if (!begin(j, &j->pipeline->stages[index], index, function)) return;
    j->source = LLVMGetParam(function, 3);
    j->wires = CALL(j, "op_wires", j->pipe);
    j->watch = CALL(j, "op_watch", j->pipe);
    code(j);
    if (ir_stage_asks(j->pipeline, j->stage)) {
        LLVMBasicBlockRef waits = jit_block(j), ends = jit_block(j);
        jit_goto_if(j, CALL(j, "op_asked", j->pipe), waits, ends);
        jit_in(j, waits);
        jit_return(j);
        jit_in(j, ends);
    }
    CALL(j,
         j->stage->from == IR_FROM_SOURCE ? "op_done"
         : j->stage->from == IR_FROM_ASK  ? "op_ask_done"
                                          : "op_row_done",
         j->pipe, jit_load(j, j->done));
    jit_return(j);
    jit_function_end(j);
}

void jit_filter(Jit *j)
{
    if (!j->quick) jit_inline(j, j->keeps);
    if (!begin(j, j->pipeline->filter, 0, j->keeps)) return;
    j->asks = true;
    code(j);
    j->asks = false;
    LLVMValueRef keeps = jit_get(j, j->pipeline->filter_keeps);
    LLVMBuildRet(j->builder, LLVMBuildZExt(j->builder, keeps, j->type.i32, ""));
    jit_function_end(j);
}
