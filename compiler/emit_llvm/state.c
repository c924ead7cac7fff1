/* compiler/emit_llvm/state.c: calls of memories: one call whatever the memory does. */
#include "compiler/emit_llvm/jit_int.h"

/* Fills row_v and row_h: the keys, then the inputs. */
static void arguments(Jit *j, const IrMem *mem, const uint32_t *args)
{
    uint32_t keys = mem->key_count;
    for (uint32_t i = 0; i < keys; i++) {
        jit_to_value(j, args[i], jit_at(j, j->row_v, i));
        jit_set_has(j, i, jit_bool(j, true));
    }
    for (uint32_t i = 0; i < mem->input_count; i++) {
        jit_to_value(j, args[keys + 2 * i], jit_at(j, j->row_v, keys + i));
        jit_set_has(j, keys + i, jit_get_has(j, args[keys + 2 * i + 1]));
    }
}

void jit_mem(Jit *j, const IrIns *ins)
{
    const IrMem *mem = &j->pipeline->mems[ins->imm.index];
    LLVMValueRef ret = jit_local(j, j->type.value), has = jit_local(j, j->type.i8), ns;
    arguments(j, mem, j->stage->pool + ins->args);
    if (ins->a != NO_REG)
        ns = jit_get(j, ins->a);
    else
        ns = CALL(j, mem->event_time ? "op_event_time" : "op_meta_received", j->pipe);
    jit_leave_if_why(
        j, ins,
        CALL(j, "op_mem", j->pipe, jit_i32(j, ins->imm.index), ns, j->row_v, j->row_h, ret, has));
    jit_from_value(j, ins->dst, ret);
    if (ins->has != NO_REG) jit_set(j, ins->has, CALL(j, "op_truth", has));
}
