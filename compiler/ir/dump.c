/* compiler/ir/dump.c: the IR as text, for people and for golden tests. */
#include "compiler/ir/ir.h"

static const char *const aggs[AGG__COUNT] = {
    "count",  "count_if", "sum",      "mean",  "min",  "max",           "first", "last",
    "stddev", "quantile", "distinct", "delta", "rate", "time_weighted", "list",  "revision"};

static void reg(Buf *out, const IrStage *s, uint32_t r)
{
    if (r == NO_REG) {
        buf_char(out, '-');
        return;
    }
    buf_printf(out, "%%%u", r);
    if (r < s->reg_count && s->regs[r].name.len) buf_printf(out, ".%.*s", STR_ARG(s->regs[r].name));
}

static void quoted(Buf *out, Str text)
{
    buf_char(out, '"');
    for (size_t i = 0; i < text.len && i < 60; i++) {
        unsigned char ch = (unsigned char)text.ptr[i];
        if (ch == '"' || ch == '\\') buf_char(out, '\\');
        if (ch < 0x20)
            buf_printf(out, "\\x%02x", ch);
        else
            buf_char(out, (char)ch);
    }
    buf_text(out, text.len > 60 ? "...\"" : "\"");
}

static void constant(Buf *out, const IrReg *r, IrImm imm)
{
    switch (r->type) {
    case IR_BOOL: buf_text(out, imm.boolean ? "true" : "false"); break;
    case IR_F32:
    case IR_F64: buf_printf(out, "%.17g", imm.number); break;
    case IR_U32:
    case IR_U64: buf_u64(out, imm.natural); break;
    case IR_STR:
    case IR_JSON: quoted(out, imm.text); break;
    case IR_BYTES: buf_printf(out, "<%zu bytes>", imm.text.len); break;
    case IR_LIST:
    case IR_ITEM: buf_text(out, "[]"); break;
    case IR_ENUM:
        if (r->names && (uint64_t)imm.integer < r->names->count)
            buf_str(out, r->names->names[imm.integer]);
        break;
    default: buf_i64(out, imm.integer); break;
    }
}

static void immediate(Buf *out, const IrStage *s, const IrIns *ins)
{
    static const char *const rounds[] = {"nearest", "floor", "ceil", "trunc"};
    static const char *const metas[] = {"topic", "topic",   "key", "received",
                                        "raw",   "headers", "kept"};
    switch (ins->op) {
    case IR_CONST:
        buf_char(out, ' ');
        constant(out, &s->regs[ins->dst], ins->imm);
        break;
    case IR_META:
        buf_printf(out, " %s", metas[ins->imm.meta.what]);
        if (ins->imm.meta.what == META_TOPIC_LEVEL) buf_printf(out, "[%u]", ins->imm.meta.level);
        break;
    case IR_FAIL:
        buf_printf(out, " %.*s %.*s", STR_ARG(ins->imm.fail.reason), STR_ARG(ins->imm.fail.field));
        break;
    case IR_CALL: buf_printf(out, " #%u", ins->imm.builtin); break;
    case IR_CONV:
        if (ins->imm.index) buf_printf(out, " %s", rounds[ins->imm.index]);
        if (s->regs[ins->dst].type == IR_DECIMAL) buf_printf(out, " (%u)", s->regs[ins->dst].scale);
        break;
    case IR_ITEM_FIELD: buf_printf(out, " %u", ins->imm.index); break;
    case IR_LIST_AGG: buf_printf(out, " %s", aggs[ins->imm.index]); break;
    case IR_DROP:
    case IR_PASS:
    case IR_WINDOW:
    case IR_EACH:
    case IR_MEM:
    case IR_LOOKUP:
    case IR_REMEMBER:
    case IR_RECALL:
    case IR_EMIT: buf_printf(out, " %u", ins->imm.index); break;
    default: break;
    }
}

static void instruction(Buf *out, const IrStage *s, const IrIns *ins, uint32_t depth)
{
    const IrOpInfo *info = ir_op_info(ins->op);
    buf_printf(out, "    %*s", (int)(depth > 40 ? 80 : depth * 2), "");
    if (ins->dst != NO_REG) {
        reg(out, s, ins->dst);
        if (ins->has != NO_REG) buf_char(out, ','), reg(out, s, ins->has);
        buf_printf(out, ":%s = ", ir_type_name(s->regs[ins->dst].type));
    }
    buf_text(out, info->text);
    immediate(out, s, ins);
    if (info->operands == 5)
        buf_printf(out, " %.*s", STR_ARG(s->leaves[ins->a].name));
    else if (info->operands >= 1 && info->operands <= 3) {
        buf_char(out, ' ');
        reg(out, s, ins->a);
        if (info->operands >= 2) buf_text(out, ", "), reg(out, s, ins->b);
    } else if (ins->a != NO_REG) {
        buf_text(out, " at ");
        reg(out, s, ins->a);
    }
    for (uint32_t i = 0; i < ins->arg_count; i++) {
        buf_text(out, i ? " " : " (");
        reg(out, s, s->pool[ins->args + i]);
        if (i + 1 == ins->arg_count) buf_char(out, ')');
    }
    buf_char(out, '\n');
}

static void stage(Buf *out, const IrStage *s)
{
    buf_text(out, " needs");
    for (uint32_t i = 0; i < s->leaf_count; i++)
        if (s->leaves[i].needed) buf_printf(out, " %.*s", STR_ARG(s->leaves[i].name));
    buf_char(out, '\n');
    uint32_t depth = 0;
    for (uint32_t i = 0; i < s->code_count; i++) {
        IrOp op = s->code[i].op;
        bool closes =
            op == IR_ELSE || op == IR_END || op == IR_CATCH || op == IR_ENDTRY || op == IR_ENDARM;
        if (closes && depth) depth--;
        instruction(out, s, &s->code[i], depth);
        if (op == IR_IF || op == IR_TRY || op == IR_ELSE || op == IR_CATCH || op == IR_ARM) depth++;
    }
}

static void schema(Buf *out, const IrProgram *program, uint32_t index)
{
    const IrSchema *s = &program->schemas[index];
    buf_printf(out, "schema %u %.*s {", index, STR_ARG(s->name));
    for (uint32_t i = 0; i < s->count; i++) {
        const IrField *f = &s->fields[i];
        buf_printf(out, "%s%.*s: %s", i ? ", " : " ", STR_ARG(f->name), ir_type_name(f->type));
        if (f->type == IR_STR) buf_printf(out, "(%u)", f->bytes_max);
        if (f->type == IR_RECORD || f->type == IR_LIST) buf_printf(out, " %u", f->record);
        if (f->type == IR_LIST) buf_printf(out, " at most %u", f->bytes_max);
        if (f->type == IR_DECIMAL) buf_printf(out, "(%u)", f->scale);
        if (f->unit.len) buf_printf(out, " [%.*s]", STR_ARG(f->unit));
        if (f->has_range) buf_printf(out, " in %g..%g", f->lo, f->hi);
        if (f->optional) buf_char(out, '?');
    }
    buf_text(out, " }\n");
}

static void window(Buf *out, const IrPipeline *p, uint32_t index)
{
    static const char *const kinds[] = {"tumble", "count", "hop", "session", "delay"};
    const IrWindow *w = &p->windows[index];
    buf_printf(out, "  window %u %s %lld", index, kinds[w->kind],
               w->kind == WINDOW_COUNT ? (long long)w->size_count : (long long)w->size_ns);
    if (w->every_ns) buf_printf(out, " every %lld", (long long)w->every_ns);
    if (w->max_ns) buf_printf(out, " max %lld", (long long)w->max_ns);
    if (w->early_ns) buf_printf(out, " early %lld", (long long)w->early_ns);
    if (w->keep_ns) buf_printf(out, " keep %lld", (long long)w->keep_ns);
    buf_printf(out, " %s time%s%s%s keys", w->event_time ? "event" : "arrival",
               w->own_clock ? " own clock" : "", w->behind ? " behind" : "",
               w->panes ? " panes" : "");
    for (uint32_t i = 0; i < w->key_count; i++)
        buf_printf(out, " %.*s:%s", STR_ARG(w->keys[i].name), ir_type_name(w->keys[i].type));
    buf_text(out, " aggregates");
    for (uint32_t i = 0; i < w->agg_count; i++) {
        buf_printf(out, " %s:%s", aggs[w->aggs[i].kind], ir_type_name(w->aggs[i].type));
        if (w->aggs[i].kind == AGG_QUANTILE)
            buf_printf(out, "(%g within %g)", w->aggs[i].p, w->aggs[i].within);
        if (w->aggs[i].kind == AGG_DISTINCT) buf_printf(out, "(within %g)", w->aggs[i].within);
        if (w->aggs[i].kind == AGG_LIST) buf_printf(out, "(%u)", w->aggs[i].count);
        if (w->aggs[i].each) buf_text(out, " each");
    }
    buf_printf(out, " in %u out %u stage %u", w->in_schema, w->out_schema, w->out_stage);
    if (w->late_stage != NO_INDEX) buf_printf(out, " late %u", w->late_stage);
    if (w->late_dead) buf_text(out, " late dead");
    buf_char(out, '\n');
}

const char *ir_mem_kind(IrMemKind kind)
{
    static const char *const names[MEM__COUNT] = {
        "prev",    "delta",  "rate",     "ema",      "hysteresis", "held", "baseline",
        "becomes", "dedupe", "deadband", "throttle", "sample",     "cell", "ask"};
    return kind < MEM__COUNT ? names[kind] : "?";
}

static void memory(Buf *out, const IrMem *m, uint32_t index)
{
    buf_printf(out, "  mem %u %s", index, ir_mem_kind(m->kind));
    if (m->span_ns) buf_printf(out, " %lld", (long long)m->span_ns);
    if (m->count) buf_printf(out, " %llu", (unsigned long long)m->count);
    buf_printf(out, "%s%s%s keys", m->resets ? " resets" : "", m->share ? " share" : "",
               m->starts ? " starts" : "");
    for (uint32_t i = 0; i < m->key_count; i++)
        buf_printf(out, " %.*s:%s", STR_ARG(m->keys[i].name), ir_type_name(m->keys[i].type));
    if (m->ask) buf_printf(out, " %.*s \"%.*s\"", STR_ARG(m->ask->kind), STR_ARG(m->ask->text));
    buf_text(out, " inputs");
    for (uint32_t i = 0; i < m->input_count; i++)
        buf_printf(out, " %s", ir_type_name(m->inputs[i].type));
    buf_char(out, '\n');
}

static void pipeline(Buf *out, const IrPipeline *p)
{
    static const char *const ports[] = {"out", "error", "late"};
    buf_printf(out, "pipeline %.*s%s\n", STR_ARG(p->name), p->bounded ? " bounded" : "");
    for (uint32_t i = 0; i < p->source_count; i++)
        buf_printf(out, "  source %u %.*s \"%.*s\"\n", i, STR_ARG(p->sources[i].kind),
                   STR_ARG(p->sources[i].address));
    if (p->time.present) {
        buf_printf(out, "  time order %lld idle %lld ahead %lld\n", (long long)p->time.order_ns,
                   (long long)p->time.idle_ns, (long long)p->time.ahead_ns);
        for (uint32_t i = 0; i < p->time.key_count; i++)
            buf_printf(out, "    clock %.*s:%s\n", STR_ARG(p->time.keys[i].name),
                       ir_type_name(p->time.keys[i].type));
    }
    for (uint32_t i = 0; i < p->window_count; i++) window(out, p, i);
    for (uint32_t i = 0; i < p->mem_count; i++) memory(out, &p->mems[i], i);
    for (uint32_t i = 0; i < p->join_count; i++) {
        const IrJoin *j = &p->joins[i];
        buf_printf(out, "  join %u %.*s group %u schema %u within %lld keys", i, STR_ARG(j->name),
                   j->group, j->schema, (long long)j->within_ns);
        for (uint32_t k = 0; k < j->key_count; k++)
            buf_printf(out, " %s", ir_type_name(j->keys[k].type));
        buf_char(out, '\n');
    }
    for (uint32_t i = 0; i < p->sink_count; i++) {
        buf_printf(out, "  sink %u %.*s %s keys", i, STR_ARG(p->sinks[i].kind),
                   p->sinks[i].address_is_computed ? "computed" : "fixed");
        for (uint32_t k = 0; k < p->sinks[i].key_count; k++)
            buf_printf(out, " %u", p->sinks[i].keys[k]);
        buf_char(out, '\n');
    }
    for (uint32_t i = 0; i < p->node_count; i++) {
        buf_printf(out, "  node %u %.*s", i, STR_ARG(p->nodes[i].kind));
        for (uint32_t r = 0; r < p->nodes[i].reason_count; r++)
            buf_printf(out, " !%.*s", STR_ARG(p->nodes[i].reasons[r]));
        buf_char(out, '\n');
    }
    for (uint32_t i = 0; i < p->wire_count; i++)
        buf_printf(out, "  wire %u %u -> %u %s\n", i, p->wires[i].from, p->wires[i].to,
                   ports[p->wires[i].port]);
    for (uint32_t i = 0; i < p->stage_count; i++) {
        static const char *const from[] = {"source", "window", "late", "each", "ask", "error"};
        const IrStage *s = &p->stages[i];
        buf_printf(out, "  stage %u from %s %u schema %u", i, from[s->from], s->from_index,
                   s->schema);
        stage(out, s);
    }
    if (!p->filter) return;
    buf_printf(out, "  filter of stage 0 keeps %%%u", p->filter_keeps);
    stage(out, p->filter);
}

static void share(Buf *out, const IrProgram *program, const IrShare *s)
{
    const IrStage *stage = &program->pipelines[s->pipelines[0]].stages[0];
    buf_text(out, "share");
    for (uint32_t i = 0; i < s->count; i++)
        buf_printf(out, " %.*s", STR_ARG(program->pipelines[s->pipelines[i]].name));
    buf_text(out, " needs");
    for (uint32_t i = 0; i < stage->leaf_count; i++)
        if (s->needed[i]) buf_printf(out, " %.*s", STR_ARG(stage->leaves[i].name));
    buf_char(out, '\n');
}

void ir_dump(const IrProgram *program, Buf *out)
{
    for (uint32_t i = 0; i < program->schema_count; i++) schema(out, program, i);
    for (uint32_t i = 0; i < program->table_count; i++) {
        const IrTable *t = &program->tables[i];
        buf_printf(out, "table %u %.*s %.*s ", i, STR_ARG(t->name), STR_ARG(t->kind));
        quoted(out, t->path);
        buf_printf(out, " schema %u key %u%s\n", t->schema, t->key, t->reload ? " reload" : "");
    }
    for (uint32_t i = 0; i < program->pipeline_count; i++) pipeline(out, &program->pipelines[i]);
    for (uint32_t i = 0; i < program->share_count; i++) share(out, program, &program->shares[i]);
    for (uint32_t i = 0; i < program->alarm_count; i++)
        buf_printf(out, "alarm %.*s\n", STR_ARG(program->alarms[i].rule));
}
