/* compiler/emit_c/streams.c: operations that lead to other stages or to other streams. */
#include "compiler/emit_c/emit_int.h"

#include "compiler/ir/facts.h"

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

static void keys_array(Emit *e, const uint32_t *args, const IrReg *keys, uint32_t count)
{
    emit_f(e, "    { RtValue keys[%" PRIu32 "], ret; u8 there = 0;\n", count ? count : 1);
    for (uint32_t i = 0; i < count; i++)
        emit_f(e, "    keys[%" PRIu32 "].%s = %s;\n", i,
               emit_member(keys ? keys[i].type : e->stage->regs[args[i]].type),
               emit_reg(e, args[i]));
}

void emit_join(Emit *e, const IrIns *ins)
{
    const uint32_t *args = e->stage->pool + ins->args;
    if (ins->op == IR_REMEMBER) {
        const IrJoin *j = &e->pipeline->joins[ins->imm.index];
        keys_array(e, args, j->keys, j->key_count);
        emit_arrays(e, args + j->key_count, (ins->arg_count - j->key_count) / 2);
        emit_f(e, "    u32 why = rt->remember(pipe, %" PRIu32 ", pipe->received_ns, keys, v, h);\n",
               ins->imm.index);
        emit_f(e, "    (void)ret; (void)there; if (RT_RARE(why)) ");
        emit_leave(e, ins->node, "why", STR_NONE, STR_NONE);
        emit_f(e, "\n    done = 2; }\n");
        return;
    }
    bool table = ins->op == IR_LOOKUP;
    keys_array(e, args, NULL, ins->arg_count);
    emit_f(e, "    rt->%s(pipe, %" PRIu32 ", %skeys, &ret, &there);\n", table ? "lookup" : "recall",
           ins->imm.index, table ? "" : "pipe->received_ns, ");
    emit_f(e, "    %s = ret.s; %s = there; }\n", emit_reg(e, ins->dst), emit_reg(e, ins->has));
}

void emit_joins(Emit *e)
{
    const IrPipeline *p = e->pipeline;
    emit_f(e, "static const RtJoinInfo joins_%" PRIu32 "[] = {\n", e->index);
    for (uint32_t i = 0; i < p->join_count; i++) {
        const IrJoin *j = &p->joins[i];
        emit_f(e,
               "    {.name = \"%.*s.%.*s\", .layout = 0x%" PRIx64 "ull, .schema = &schema_%" PRIu32
               ", .key_count = %" PRIu32 ", .node = %" PRIu32 ", .within_ns = %" PRId64 "ll,\n",
               STR_ARG(p->name), STR_ARG(j->name), ir_join_layout(e->ir, j), j->schema,
               j->key_count, j->node, j->within_ns);
        emit_f(e, "     .key_types = (const u8[]){");
        for (uint32_t k = 0; k < j->key_count; k++) emit_f(e, "%d, ", (int)j->keys[k].type);
        emit_f(e, "0}, .key_bytes_max = (const u32[]){");
        for (uint32_t k = 0; k < j->key_count; k++)
            emit_f(e, "%" PRIu32 ", ", j->keys[k].bytes_max);
        emit_f(e, "0}},\n");
    }
    emit_f(e, "    {0}};\n");
    uint32_t *list = arena_many(e->arena, uint32_t, e->ir->table_count + 1), count = 0;
    if (list)
        count = ir_tables_of(e->ir, p, list);
    else
        emit_fail(e, ST_NO_MEMORY, "compiling");
    emit_f(e,
           "enum { looks_%" PRIu32 "_count = %" PRIu32 " };\nstatic const u32 looks_%" PRIu32
           "[] = {",
           e->index, count, e->index);
    for (uint32_t i = 0; i < count; i++) emit_f(e, "%" PRIu32 ", ", list[i]);
    emit_f(e, "0};\n");
}

void emit_file_tables(Emit *e)
{
    emit_f(e, "static const RtTableInfo tables[] = {\n");
    for (uint32_t i = 0; i < e->ir->table_count; i++) {
        const IrTable *t = &e->ir->tables[i];
        emit_f(e, "    {");
        emit_literal(e, t->name);
        emit_f(e, ", ");
        emit_literal(e, t->path);
        emit_f(e, ", &schema_%" PRIu32 ", %" PRIu32 ", %d},\n", t->schema, t->key, t->reload);
    }
    emit_f(e, "    {0}};\n");
}
