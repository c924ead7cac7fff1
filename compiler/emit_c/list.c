/* compiler/emit_c/list.c: operations on lists and items: calls of the runtime, but reading a leaf
 * of an item, which is one load. */
#include "compiler/emit_c/emit_int.h"

#include <inttypes.h>
#include <stdio.h>

/* dst = value, has = has; both C expressions. The value is a RtValue. */
static void result(Emit *e, const IrIns *ins, const char *value, const char *has)
{
    IrType type = e->stage->regs[ins->dst].type;
    if (emit_is_slice(type))
        emit_f(e, "    %s = %s.s;\n", emit_reg(e, ins->dst), value);
    else
        emit_f(e, "    %s = (%s)%s.%s;\n", emit_reg(e, ins->dst), emit_ctype(type), value,
               emit_member(type));
    if (ins->has != NO_REG) emit_f(e, "    %s = %s;\n", emit_reg(e, ins->has), has);
}

static void why(Emit *e, const IrIns *ins)
{
    emit_f(e, "    if (RT_RARE(why)) ");
    emit_leave(e, ins->node, "why", ins->field, STR_NONE);
    emit_f(e, "\n");
}

static void literal(Emit *e, const IrIns *ins)
{
    const uint32_t *args = e->stage->pool + ins->args;
    uint32_t count = ins->arg_count / 2, schema = e->stage->regs[ins->dst].record, leaves = 0;
    IrLeaf *list;
    if (ir_leaves(e->ir, schema, e->arena, &list, &leaves) != ST_OK || !leaves) {
        emit_fail(e, ST_NO_MEMORY, "compiling");
        return;
    }
    emit_f(e, "    {\n");
    emit_arrays(e, args, count);
    emit_f(e,
           "    RtValue ret; u32 why = rt->list(pipe, &schema_%" PRIu32 ", v, h, %" PRIu32
           ", &ret);\n",
           schema, count / leaves);
    why(e, ins);
    result(e, ins, "ret", "1");
    emit_f(e, "    }\n");
}

static void two_arguments(Emit *e, const IrIns *ins, const char *call)
{
    IrType type = e->stage->regs[ins->b].type;
    emit_f(e, "    { RtValue args[2], ret; u8 there = 1;\n    args[0].s = %s; args[1].%s = %s;\n",
           emit_reg(e, ins->a), emit_member(type), emit_reg(e, ins->b));
    emit_f(e, "    u32 why = rt->%s(pipe, &schema_%" PRIu32 ", args, &ret%s);\n", call,
           e->stage->regs[ins->a].record, ins->op == IR_INDEX ? ", &there" : "");
    why(e, ins);
    result(e, ins, "ret", "there");
    emit_f(e, "    (void)there; }\n");
}

static void aggregate(Emit *e, const IrIns *ins)
{
    emit_f(e, "    { RtValue list, ret; list.s = %s;\n", emit_reg(e, ins->a));
    emit_f(e, "    u32 why = rt->list_agg(pipe, &schema_%" PRIu32 ", %" PRIu32 ", &list, &ret);\n",
           e->stage->regs[ins->a].record, ins->imm.index);
    why(e, ins);
    result(e, ins, "ret", "1");
    emit_f(e, "    }\n");
}

static void item_field(Emit *e, const IrIns *ins)
{
    char value[160], has[160];
    const char *item = emit_reg(e, ins->a);
    uint32_t count = 0;
    IrLeaf *leaves;
    if (ir_leaves(e->ir, e->stage->regs[ins->a].record, e->arena, &leaves, &count) != ST_OK) {
        emit_fail(e, ST_NO_MEMORY, "compiling");
        return;
    }
    snprintf(value, sizeof value, "(*rt_item_value(%s, %" PRIu32 "))", item, ins->imm.index);
    snprintf(has, sizeof has, "rt_item_has(%s, %" PRIu32 ", %" PRIu32 ")", item, count,
             ins->imm.index);
    result(e, ins, value, has);
}

void emit_list(Emit *e, const IrIns *ins)
{
    switch (ins->op) {
    case IR_LIST_OF: literal(e, ins); break;
    case IR_INDEX: two_arguments(e, ins, "index"); break;
    case IR_LIST_HAS: two_arguments(e, ins, "list_has"); break;
    case IR_LIST_AGG: aggregate(e, ins); break;
    case IR_ITEM_FIELD: item_field(e, ins); break;
    default: emit_f(e, "    %s = (i64)%s.n;\n", emit_reg(e, ins->dst), emit_reg(e, ins->a));
    }
}
