/* compiler/emit_c/streams.c: operations that lead to other stages or to other streams. */
#include "compiler/emit_c/emit_int.h"

#include <inttypes.h>

/* The row's leaves are filled in here, those of each item by the runtime, which then calls back. */
void emit_each(Emit *e, const IrIns *ins)
{
    const IrStage *to = &e->pipeline->stages[ins->imm.index];
    const uint32_t *args = e->stage->pool + ins->args;
    uint32_t row = ins->arg_count / 2, count = to->leaf_count ? to->leaf_count : 1;
    emit_f(e, "    { RtValue v[%" PRIu32 "]; u8 h[%" PRIu32 "];\n", count, count);
    for (uint32_t i = 0; i < row; i++) {
        uint32_t reg = args[2 * i];
        if (reg == NO_REG)
            emit_f(e, "    h[%" PRIu32 "] = 0;\n", i);
        else
            emit_f(e, "    v[%" PRIu32 "].%s = %s; h[%" PRIu32 "] = %s;\n", i,
                   emit_member(e->stage->regs[reg].type), emit_reg(e, reg), i,
                   emit_reg(e, args[2 * i + 1]));
    }
    emit_f(e,
           "    if (rt->each(pipe, %" PRIu32 ", &schema_%" PRIu32
           ", (RtValue){.s = %s}, v, h, %" PRIu32 ") && !done) done = 1; }\n",
           ins->imm.index, e->stage->regs[ins->a].record, emit_reg(e, ins->a), row);
}
