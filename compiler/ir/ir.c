/* compiler/ir/ir.c: tables and questions about the IR (see ir.h). */
#include "compiler/ir/ir.h"
#include "compiler/ir/facts.h"

enum {
    OPERANDS_NONE,
    OPERANDS_A,
    OPERANDS_AB,
    OPERANDS_ABC,
    OPERANDS_ARGS,
    OPERANDS_LEAF,
    OPERANDS_CONST
};
enum { RESULT_NONE, RESULT_SAME, RESULT_BOOL, RESULT_DST };
enum { EFFECT_PURE, EFFECT_FAIL, EFFECT_STATE, EFFECT_OUT, EFFECT_FLOW };

const IrOpInfo ir_op_infos[IR_OP__COUNT] = {
#define OP(name, operands, result, effect, text)                                                   \
    [IR_##name] = {text, OPERANDS_##operands, RESULT_##result, EFFECT_##effect},
#include "compiler/ir/ops.def"
#undef OP
};

const char *ir_type_name(IrType type)
{
    static const char *const names[IR__COUNT] = {
        "none",   "bool",  "i32",  "i64",      "u32",  "u64",  "f32",  "f64",  "decimal",
        "string", "bytes", "time", "duration", "enum", "json", "list", "item", "record"};
    return type < IR__COUNT ? names[type] : "?";
}

bool ir_is_scalar_item(const IrProgram *program, uint32_t schema)
{
    const IrSchema *s = &program->schemas[schema];
    return s->count == 1 && s->fields[0].name.len == 0 && s->fields[0].type != IR_RECORD;
}

IrPort ir_sink_port(const IrPipeline *p, uint32_t sink)
{
    if (ir_sink_takes_errors(p, sink)) return PORT_ERROR;
    for (uint32_t i = 0; i < p->wire_count; i++)
        if (p->wires[i].port == PORT_LATE && p->wires[i].to == p->sinks[sink].node)
            return PORT_LATE;
    return PORT_OUT;
}

uint32_t ir_main_sources(const IrPipeline *pipeline)
{
    uint32_t count = 0;
    while (count < pipeline->source_count && pipeline->sources[count].group == 0) count++;
    return count;
}

static Status fill_leaves(const IrProgram *program, uint32_t schema, const IrLeaf *around,
                          Arena *arena, IrLeaf *list, uint32_t *at)
{
    const IrSchema *s = &program->schemas[schema];
    for (uint32_t i = 0; i < s->count; i++) {
        IrLeaf leaf = *around;
        if (leaf.path_len == IR_PATH_MAX) return ST_LIMIT;
        leaf.path[leaf.path_len++] = i;
        leaf.field = &s->fields[i];
        leaf.optional = around->optional || s->fields[i].optional;
        leaf.name = around->path_len ? arena_printf(arena, "%.*s.%.*s", STR_ARG(around->name),
                                                    STR_ARG(s->fields[i].name))
                                     : s->fields[i].name;
        if (!leaf.name.ptr) return ST_NO_MEMORY;
        if (s->fields[i].type != IR_RECORD) {
            list[(*at)++] = leaf;
            continue;
        }
        Status status = fill_leaves(program, s->fields[i].record, &leaf, arena, list, at);
        if (status) return status;
    }
    return ST_OK;
}

Status ir_leaves(const IrProgram *program, uint32_t schema, Arena *arena, IrLeaf **ret_list,
                 uint32_t *ret_count)
{
    uint32_t count = ir_leaf_count(program, schema), at = 0;
    IrLeaf *list = arena_many(arena, IrLeaf, count + 1);
    if (!list) return ST_NO_MEMORY;
    IrLeaf root = {0};
    Status status = fill_leaves(program, schema, &root, arena, list, &at);
    if (status) return status;
    *ret_list = list;
    *ret_count = count;
    return ST_OK;
}

static bool fits(IrType from, IrType to)
{
    if (from == to || to == IR_F32 || to == IR_F64) return true;
    if (to == IR_I64)
        return from == IR_I32 || from == IR_U32 || from == IR_TIME || from == IR_DURATION;
    if (to == IR_U64) return from == IR_U32;
    return (to == IR_TIME || to == IR_DURATION) &&
           (from == IR_I64 || from == IR_I32 || from == IR_U32 || from == IR_TIME ||
            from == IR_DURATION);
}

bool ir_may_fail(const IrStage *stage, const IrIns *ins)
{
    switch (ins->op) {
    case IR_ADD:
    case IR_SUB:
    case IR_MUL:
    case IR_NEG: return stage->regs[ins->a].type != IR_F32 && stage->regs[ins->a].type != IR_F64;
    case IR_CONV:
        if (stage->regs[ins->a].type == IR_DECIMAL && stage->regs[ins->dst].type == IR_DECIMAL)
            return stage->regs[ins->dst].scale > stage->regs[ins->a].scale;
        return !fits(stage->regs[ins->a].type, stage->regs[ins->dst].type);
    case IR_TEXT: return ins->imm.boolean;
    case IR_LIST_AGG: /* a sum of floats never fails here, all others do where there is nothing */
        return ins->imm.index != AGG_SUM || (stage->regs[ins->dst].type != IR_F64);
    case IR_FAIL:
    case IR_MEM:
    case IR_CLOCK:
    case IR_WINDOW:
    case IR_WATERMARK: return true;
    default: return ir_op_infos[ins->op].effect == EFFECT_FAIL;
    }
}

void ir_put_alarms(const IrProgram *program, Buf *out)
{
    for (uint32_t i = 0; i < program->alarm_count; i++) {
        buf_char(out, i ? ',' : '[');
        buf_str(out, program->alarms[i].rule);
    }
    if (program->alarm_count) buf_char(out, ']');
}

/* No: sums of floats depend on the order of additions, and one of whole numbers that does not fit
 * fails with the record that made it so; a list and a time-weighted mean depend on which record of
 * the window came before. */
bool ir_agg_shares(IrAggKind kind)
{
    switch (kind) {
    case AGG_COUNT:
    case AGG_COUNT_IF:
    case AGG_MIN:
    case AGG_MAX:
    case AGG_FIRST:
    case AGG_LAST:
    case AGG_QUANTILE:
    case AGG_DISTINCT:
    case AGG_DELTA:
    case AGG_RATE: return true;
    case AGG_SUM:
    case AGG_MEAN:
    case AGG_STDDEV:
    case AGG_TIME_WEIGHTED:
    case AGG_LIST:
    case AGG_REVISION:
    case AGG__COUNT: return false;
    }
    return false;
}
