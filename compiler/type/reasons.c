/* compiler/type/reasons.c: why records may leave each node by the error port. */
#include "compiler/type/flow.h"

typedef struct Reasons {
    Check *c;
    Str *list;
    uint32_t count, cap;
} Reasons;

enum { REASONS_MAX = 64 };

static void add(Reasons *r, Str reason)
{
    for (uint32_t i = 0; i < r->count; i++)
        if (str_eq(r->list[i], reason)) return;
    if (reason.len && r->count < REASONS_MAX) *PUSH(r->c, r->list, r->count, r->cap) = reason;
}

static void add_known(Reasons *r, Reason reason)
{
    add(r, str_from(reason_text(reason)));
}

static void decode(Reasons *r, const Record *record)
{
    for (uint32_t i = 0; i < record->count; i++) {
        const Type *t = &record->fields[i].type;
        if (!t->optional) add_known(r, REASON_MISSING_FIELD);
        if (type_is_number(t->kind))
            add_known(r, REASON_BAD_NUMBER);
        else if (t->kind == IR_TIME)
            add_known(r, REASON_BAD_TIME);
        else if (t->kind == IR_ENUM)
            add_known(r, REASON_BAD_ENUM);
        else
            add_known(r, REASON_BAD_VALUE);
        if (t->kind == IR_STR || t->kind == IR_BYTES || t->kind == IR_JSON || t->kind == IR_LIST)
            add_known(r, REASON_TOO_LONG);
        if (t->has_range) add_known(r, REASON_RANGE);
        if (t->kind == IR_RECORD || t->kind == IR_LIST) decode(r, t->record);
    }
}

static void window(Reasons *r, const IrWindow *w)
{
    add_known(r, REASON_STATE_FULL);
    for (uint32_t a = 0; a < w->agg_count; a++)
        if ((w->aggs[a].kind == AGG_SUM || w->aggs[a].kind == AGG_MEAN) &&
            !type_is_float(w->aggs[a].type))
            add_known(r, REASON_OVERFLOW);
}

static void instruction(Reasons *r, const IrPipeline *p, const IrStage *s, const IrIns *ins)
{
    IrType type = ins->a < s->reg_count ? s->regs[ins->a].type : IR_NONE;
    bool is_float = type_is_float(type);
    if (!ir_may_fail(s, ins)) return;
    switch (ins->op) {
    case IR_DIV:
    case IR_IDIV:
    case IR_MOD:
        if (!ins->imm.boolean) add_known(r, REASON_DIV_ZERO);
        if (!is_float && ins->op == IR_IDIV) add_known(r, REASON_OVERFLOW);
        break;
    case IR_CONCAT: break; /* bounds are the sum of the parts: they always fit */
    case IR_TEXT:
        if (ins->imm.boolean) add_known(r, REASON_TOO_LONG);
        break;
    case IR_CALL: add_known(r, builtin_info((Builtin)ins->imm.builtin)->reason); break;
    case IR_INDEX: add_known(r, REASON_RANGE); break;
    case IR_LIST_OF: add_known(r, REASON_TOO_LONG); break;
    case IR_LIST_AGG:
        add_known(r, ins->imm.index == AGG_SUM ? REASON_OVERFLOW : REASON_RANGE);
        break;
    case IR_MEM: {
        if (ins->imm.index >= p->mem_count) break; /* after an error */
        const IrMem *m = &p->mems[ins->imm.index];
        if (m->key_count) add_known(r, REASON_STATE_FULL);
        if (m->kind == MEM_CELL && type_is_float(s->regs[ins->dst].type))
            add_known(r, REASON_OVERFLOW);
        if (m->resets) add_known(r, REASON_RANGE);
        if (m->kind == MEM_DELTA && !type_is_float(m->inputs[0].type))
            add_known(r, REASON_OVERFLOW);
        break;
    }
    case IR_WINDOW: window(r, &p->windows[ins->imm.index]); break;
    case IR_FAIL: add(r, ins->imm.fail.reason); break;
    case IR_CLOCK:
    case IR_WATERMARK:
        if (ins->op == IR_CLOCK) add_known(r, REASON_STATE_FULL);
        if (p->time.ahead_ns) add_known(r, REASON_FUTURE_TIME);
        break;
    default: add_known(r, REASON_OVERFLOW); break;
    }
}

static void stage(Reasons *nodes, const IrPipeline *p, const IrStage *s)
{
    uint32_t caught = 0;
    for (uint32_t i = 0; i < s->code_count; i++) {
        const IrIns *ins = &s->code[i];
        if (ins->op == IR_TRY)
            caught++;
        else if (ins->op == IR_CATCH && caught)
            caught--;
        else if (!caught && ins->node < p->node_count)
            instruction(&nodes[ins->node], p, s, ins);
    }
}

uint32_t check__reason_bits(Check *c, const IrStage *s, uint32_t mark)
{
    static const IrPipeline none;
    const IrPipeline *p = c->flow ? &c->flow->p : &none;
    Reasons found = {.c = c};
    uint32_t caught = 0, bits = 0;
    for (uint32_t i = mark; i < s->code_count; i++) {
        if (s->code[i].op == IR_TRY)
            caught++;
        else if (s->code[i].op == IR_CATCH && caught)
            caught--;
        else if (!caught)
            instruction(&found, p, s, &s->code[i]);
    }
    for (uint32_t i = 0; i < found.count; i++)
        for (uint32_t r = 1; r < REASON__COUNT; r++)
            if (str_is(found.list[i], reason_text((Reason)r))) bits |= UINT32_C(1) << r;
    return bits;
}

/* `as text`, `as raw`: the one field is always there. */
static void plain(Reasons *r, IrType kind)
{
    add_known(r, REASON_TOO_LONG);
    if (kind == IR_STR) add_known(r, REASON_BAD_VALUE);
    if (kind == IR_JSON) add_known(r, REASON_BAD_JSON);
}

void check__reasons(Check *c, IrPipeline *p, const Record *const *in)
{
    Reasons *nodes = NEW(c, Reasons, p->node_count + 1);
    for (uint32_t i = 0; i < p->node_count; i++) nodes[i].c = c;
    for (uint32_t i = 0; i < p->source_count; i++) {
        Reasons *r = &nodes[p->sources[i].node];
        const Record *record = in[p->sources[i].group];
        if (p->sources[i].format == FORMAT_TEXT || p->sources[i].format == FORMAT_RAW) {
            plain(r, record->fields[0].type.kind);
        } else {
            bool bytes = ir_format_is_bytes(p->sources[i].format);
            add_known(r, bytes ? REASON_BAD_RECORD : REASON_BAD_JSON);
            decode(r, record);
        }
        bool link = p->sources[i].map != NO_INDEX || p->sources[i].connection != NO_INDEX;
        if (link) add(r, STR("source_failed"));
        if (p->sources[i].unknown == UNKNOWN_REJECT) add_known(r, REASON_UNKNOWN_KEY);
    }
    for (uint32_t i = 0; i < p->stage_count; i++) stage(nodes, p, &p->stages[i]);
    for (uint32_t i = 0; i < p->node_count; i++) {
        p->nodes[i].reasons = nodes[i].list;
        p->nodes[i].reason_count = nodes[i].count;
    }
}
