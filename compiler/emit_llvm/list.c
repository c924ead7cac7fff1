/* compiler/emit_llvm/list.c: operations on lists and items: calls of the runtime, but reading a
 * leaf of an item, which is one load. */
#include "compiler/emit_llvm/jit_int.h"

#include "compiler/ir/facts.h"

static void result(Jit *j, const IrIns *ins, LLVMValueRef value, LLVMValueRef has)
{
    jit_from_value(j, ins->dst, value);
    if (ins->has != NO_REG) jit_set(j, ins->has, has);
}

static void literal(Jit *j, const IrIns *ins)
{
    uint32_t count = ins->arg_count / 2, schema = jit_reg(j, ins->dst)->record,
             leaves = ir_leaf_count(j->ir, schema);
    if (!leaves) {
        jit_fail(j, ST_INTERNAL, "a list of nothing");
        return;
    }
    LLVMValueRef ret = jit_local(j, j->type.value);
    jit_arrays(j, j->stage->pool + ins->args, count);
    jit_leave_if_why(j, ins,
                     CALL(j, "list_of", j->pipe, jit_schema(j, schema), j->row_v, j->row_h,
                          jit_i32(j, count / leaves), ret));
    result(j, ins, ret, jit_bool(j, true));
}

static void two_arguments(Jit *j, const IrIns *ins)
{
    LLVMValueRef ret = jit_local(j, j->type.value), has = jit_local(j, j->type.i8), why;
    LLVMValueRef schema = jit_schema(j, jit_reg(j, ins->a)->record);
    jit_to_value(j, ins->a, j->row_v);
    jit_to_value(j, ins->b, jit_at(j, j->row_v, 1));
    if (ins->op == IR_INDEX)
        why = CALL(j, "list_index", j->pipe, schema, j->row_v, ret, has);
    else
        why = CALL(j, "list_has", j->pipe, schema, j->row_v, ret, has);
    jit_leave_if_why(j, ins, why);
    result(j, ins, ret, CALL(j, "op_truth", has));
}

static void aggregate(Jit *j, const IrIns *ins)
{
    LLVMValueRef ret = jit_local(j, j->type.value);
    jit_to_value(j, ins->a, j->row_v);
    jit_leave_if_why(j, ins,
                     CALL(j, "list_agg", j->pipe, jit_schema(j, jit_reg(j, ins->a)->record),
                          jit_i32(j, ins->imm.index), j->row_v, ret));
    result(j, ins, ret, jit_bool(j, true));
}

static void item_field(Jit *j, const IrIns *ins)
{
    uint32_t leaves = ir_leaf_count(j->ir, jit_reg(j, ins->a)->record);
    LLVMValueRef item = jit_get(j, ins->a), leaf = jit_i32(j, ins->imm.index);
    LLVMValueRef has = CALL(j, "list_item_has", item, jit_i32(j, leaves), leaf);
    result(j, ins, CALL(j, "list_item_value", item, leaf), has);
}

void jit_list(Jit *j, const IrIns *ins)
{
    switch (ins->op) {
    case IR_LIST_OF: literal(j, ins); break;
    case IR_INDEX:
    case IR_LIST_HAS: two_arguments(j, ins); break;
    case IR_LIST_AGG: aggregate(j, ins); break;
    case IR_ITEM_FIELD: item_field(j, ins); break;
    default: jit_set(j, ins->dst, CALL(j, "op_bytes_of", jit_get(j, ins->a))); break;
    }
}
