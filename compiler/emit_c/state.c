/* compiler/emit_c/state.c: what remembers: the tables of memories and the calls of MEM.
 *
 * Everything goes through rt->mem: a memory is one call whatever it does, so that every engine
 * supports all of them with one piece of code. */
#include "compiler/emit_c/emit_int.h"

#include "compiler/ir/facts.h"

#include <inttypes.h>

static void put_ask(Emit *e, const IrMem *m)
{
    const IrAsk *a = m->ask;
    emit_f(e, ",\n     .ask = &(const RtAskInfo){.name = ");
    emit_literal(e, a->name);
    emit_f(e, ", .kind = ");
    emit_literal(e, a->kind);
    emit_f(e, ", .target = ");
    emit_literal(e, a->target);
    emit_f(e, ", .text = ");
    emit_literal(e, a->text);
    emit_f(e, ",\n      .schema = &schema_%" PRIu32 ", .types = (const u8[]){", a->schema);
    for (uint32_t i = 0; i < m->input_count; i++) emit_f(e, "%d, ", (int)m->inputs[i].type);
    emit_f(e,
           "0}, .rows_max = %" PRIu32 ", .retries = %" PRIu32 ", .timeout_ns = %" PRId64
           "ll, .backoff_ns = %" PRId64 "ll, .row = &schema_%" PRIu32 ", .stage = %" PRIu32
           ", .limit = %" PRIu32 ", .asks = %" PRIu32 ", .single = %d, .unordered = %d}",
           a->rows_max, a->retries, a->timeout_ns, a->backoff_ns, a->row, a->stage, a->limit,
           a->asks, a->single, a->unordered);
}

void emit_mems(Emit *e)
{
    const IrPipeline *p = e->pipeline;
    emit_f(e, "static const RtMemInfo mems_%" PRIu32 "[] = {\n", e->index);
    for (uint32_t i = 0; i < p->mem_count; i++) {
        const IrMem *m = &p->mems[i];
        emit_f(e, "    {.name = ");
        emit_literal(e, m->name);
        emit_f(e,
               ", .layout = 0x%" PRIx64 "ull, .kind = %d, .type = %d, .flags = %u, .bytes_max = "
               "%" PRIu32 ", .external = %" PRIu32 ", .inputs = %" PRIu32 ", .key_count = %" PRIu32
               ",\n",
               ir_mem_layout(m), (int)m->kind,
               m->input_count ? (int)m->inputs[0].type : (int)IR_NONE, ir_mem_flags(m),
               ir_mem_bytes_max(m), m->external, m->input_count, m->key_count);
        emit_f(e, "     .key_types = (const u8[]){");
        for (uint32_t k = 0; k < m->key_count; k++) emit_f(e, "%d, ", (int)m->keys[k].type);
        emit_f(e, "0}, .key_bytes_max = (const u32[]){");
        for (uint32_t k = 0; k < m->key_count; k++)
            emit_f(e, "%" PRIu32 ", ", m->keys[k].bytes_max);
        emit_f(e, "0}, .span_ns = %" PRId64 "ll, .count = %" PRIu64 "ull, .node = %" PRIu32,
               m->span_ns, m->count, m->node);
        if (m->ask) put_ask(e, m);
        emit_f(e, "},\n");
    }
    emit_f(e, "    {0}};\n");
}

void emit_mem(Emit *e, const IrIns *ins)
{
    const IrMem *m = &e->pipeline->mems[ins->imm.index];
    const uint32_t *args = e->stage->pool + ins->args;
    uint32_t count = m->key_count + m->input_count;
    IrType type = e->stage->regs[ins->dst].type;
    emit_f(e, "    { RtValue args[%" PRIu32 "], ret; u8 there[%" PRIu32 "], has; u32 why;\n",
           count ? count : 1, count ? count : 1);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = i < m->key_count ? i : m->key_count + 2 * (i - m->key_count);
        uint32_t has = i < m->key_count ? NO_REG : args[at + 1];
        emit_f(e, "    args[%" PRIu32 "].%s = %s; there[%" PRIu32 "] = %s;\n", i,
               emit_member(e->stage->regs[args[at]].type), emit_reg(e, args[at]), i,
               emit_reg(e, has));
    }
    emit_f(e, "    why = rt->mem(pipe, %" PRIu32 ", %s, args, there, &ret, &has);\n",
           ins->imm.index,
           ins->a != NO_REG ? emit_reg(e, ins->a)
           : m->event_time  ? "pipe->event_ns"
                            : "pipe->received_ns");
    emit_f(e, "    if (RT_RARE(why)) ");
    emit_leave(e, ins->node, "why", ins->field, STR_NONE);
    const char *dst = emit_reg(e, ins->dst);
    if (emit_is_slice(type))
        emit_f(e, "\n    %s = ret.s;", dst);
    else
        emit_f(e, "\n    %s = (%s)ret.%s;", dst, emit_ctype(type), emit_member(type));
    if (ins->has != NO_REG) emit_f(e, " %s = has;", emit_reg(e, ins->has));
    emit_f(e, " }\n");
}
