/* compiler/emit_llvm/streams.c: operations that lead to other stages or to other streams. */
#include "compiler/emit_llvm/jit_int.h"

/* The row's leaves are filled in here, those of each item by the runtime, which then calls back. */
void jit_each(Jit *j, const IrIns *ins)
{
    uint32_t row = ins->arg_count / 2;
    LLVMBasicBlockRef some = jit_block(j), next = jit_block(j);
    jit_arrays(j, j->stage->pool + ins->args, row);
    jit_goto_if(j,
                CALL(j, "op_each", j->pipe, jit_i32(j, ins->imm.index),
                     jit_schema(j, jit_reg(j, ins->a)->record), jit_get(j, ins->a), j->row_v,
                     j->row_h, jit_i32(j, row)),
                some, next);
    jit_in(j, some);
    CALL(j, "op_done_emitted", j->done);
    jit_goto(j, next);
    jit_in(j, next);
}

static void keys(Jit *j, const uint32_t *args, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) jit_to_value(j, args[i], jit_at(j, j->row_v, i));
}

/* The keys, and behind them the row. */
static void remember(Jit *j, const IrIns *ins)
{
    const uint32_t *args = j->stage->pool + ins->args;
    uint32_t count = j->pipeline->joins[ins->imm.index].key_count;
    keys(j, args, count);
    jit_arrays_at(j, args + count, (ins->arg_count - count) / 2, count);
    jit_leave_if_why(j, ins,
                     CALL(j, "op_remember", j->pipe, jit_i32(j, ins->imm.index), j->row_v,
                          jit_at(j, j->row_v, count), jit_at(j, j->row_h, count)));
    jit_store(j, jit_i32(j, 2), j->done);
}

void jit_join(Jit *j, const IrIns *ins)
{
    if (ins->op == IR_REMEMBER) {
        remember(j, ins);
        return;
    }
    LLVMValueRef ret = jit_local(j, j->type.value), has = jit_local(j, j->type.i8);
    keys(j, j->stage->pool + ins->args, ins->arg_count);
    CALL(j, ins->op == IR_LOOKUP ? "op_lookup" : "op_recall", j->pipe, jit_i32(j, ins->imm.index),
         j->row_v, ret, has);
    jit_from_value(j, ins->dst, ret);
    if (ins->has != NO_REG) jit_set(j, ins->has, CALL(j, "op_truth", has));
}
