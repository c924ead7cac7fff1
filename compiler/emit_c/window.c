/* compiler/emit_c/window.c: windows: their tables, the layout of a slot, records going in.
 *
 * Plain windows (ir/facts.h) are hot: the slot is found inline and the aggregates are written in
 * place. All others hand their values to RtApi.window_add, which knows every kind. */
#include "compiler/emit_c/emit_int.h"

#include "compiler/ir/facts.h"

#include <inttypes.h>

/* ---- tables ---- */

void emit_slots(Emit *e)
{
    static const char *const types[AGG__COUNT] = {
        "RtCount",    "RtCount",  "RtSum", "RtSum",  "RtPick", "RtPick", "RtPick",  "RtPick",
        "RtVariance", "RtSketch", "RtSet", "RtEnds", "RtEnds", "RtArea", "RtItems", "RtCount"};
    for (uint32_t i = 0; i < e->pipeline->window_count; i++) {
        const IrWindow *w = &e->pipeline->windows[i];
        IrLeaf *leaves;
        uint32_t count;
        if (w->key_count > EMIT_KEYS_MAX)
            emit_fail(e, ST_UNSUPPORTED, "more than %d keys", EMIT_KEYS_MAX);
        if (ir_leaves(e->ir, w->out_schema, e->arena, &leaves, &count) != ST_OK) {
            emit_fail(e, ST_NO_MEMORY, "compiling");
            return;
        }
        emit_f(e, "struct Slot_%" PRIu32 "_%" PRIu32 " {\n", e->index, i);
        for (uint32_t a = 0; a < w->agg_count; a++) {
            const IrField *f = w->aggs[a].out < count ? leaves[w->aggs[a].out].field : NULL;
            emit_f(e, "    %s a%" PRIu32 ";", types[w->aggs[a].kind], a);
            if (f) emit_f(e, " /* %.*s */", STR_ARG(leaves[w->aggs[a].out].name));
            if (ir_agg_holds_text(&w->aggs[a]))
                emit_f(e, " char t%" PRIu32 "[%" PRIu32 "];", a,
                       (ir_agg_text_max(&w->aggs[a], f) / 8 + 1) * 8);
            emit_f(e, "\n");
        }
        emit_f(e, "    u64 end;\n};\n");
    }
}

static const IrField *agg_field(Emit *e, const IrWindow *w, uint32_t agg)
{
    IrLeaf *leaves;
    uint32_t count;
    if (ir_leaves(e->ir, w->out_schema, e->arena, &leaves, &count) != ST_OK) return NULL;
    return w->aggs[agg].out < count ? leaves[w->aggs[agg].out].field : NULL;
}

void emit_windows(Emit *e)
{
    const IrPipeline *p = e->pipeline;
    for (uint32_t i = 0; i < p->window_count; i++) {
        const IrWindow *w = &p->windows[i];
        emit_f(e, "static const RtAggInfo aggs_%" PRIu32 "_%" PRIu32 "[] = {\n", e->index, i);
        for (uint32_t a = 0; a < w->agg_count; a++) {
            const IrAgg *agg = &w->aggs[a];
            const IrField *f = agg_field(e, w, a);
            emit_f(e,
                   "    {.kind = %d, .type = %d, .scale = %u, .bits = %u, .offset = "
                   "__builtin_offsetof(struct "
                   "Slot_%" PRIu32 "_%" PRIu32 ", a%" PRIu32 "), .bytes_max = %" PRIu32
                   ", .count = %" PRIu32 ", .each = %d, .p = %a, .name = ",
                   (int)agg->kind, (int)agg->type, agg->scale, ir_agg_bits(agg), e->index, i, a,
                   ir_agg_text_max(agg, f), agg->count, agg->each, agg->p);
            emit_literal(e, f ? f->name : STR(""));
            emit_f(e, "},\n");
        }
        emit_f(e, "    {0}};\n");
    }
    emit_f(e, "static const RtWindowInfo windows_%" PRIu32 "[] = {\n", e->index);
    for (uint32_t i = 0; i < p->window_count; i++) {
        const IrWindow *w = &p->windows[i];
        emit_f(e,
               "    {.name = \"%.*s.%" PRIu32 "\", .layout = 0x%" PRIx64
               "ull, .kind = %d, .event_time = %d, .late_dead = %d, .own_clock = %d, .panes = %d, "
               ".size_ns = "
               "%" PRId64 "ll, .every_ns = %" PRId64 "ll, .max_ns = %" PRId64 "ll,\n",
               STR_ARG(p->name), i, ir_window_layout(w), (int)w->kind, w->event_time, w->late_dead,
               w->own_clock, w->panes, w->size_ns ? w->size_ns : 1, w->every_ns, w->max_ns);
        emit_f(e,
               "     .early_ns = %" PRId64 "ll, .keep_ns = %" PRId64 "ll, .size_count = %" PRIu64
               "ull, .key_count = %" PRIu32 ", .agg_count = %" PRIu32 ",\n",
               w->early_ns, w->keep_ns, w->size_count, w->key_count, w->agg_count);
        emit_f(e, "     .key_types = (const u8[]){");
        for (uint32_t k = 0; k < w->key_count; k++) emit_f(e, "%d, ", (int)w->keys[k].type);
        emit_f(e, "0}, .key_bytes_max = (const u32[]){");
        for (uint32_t k = 0; k < w->key_count; k++)
            emit_f(e, "%" PRIu32 ", ", w->keys[k].bytes_max);
        emit_f(e, "0}, .key_scales = (const u8[]){");
        for (uint32_t k = 0; k < w->key_count; k++) emit_f(e, "%u, ", w->keys[k].scale);
        emit_f(e, "0}, .key_names = (const char *const *const[]){");
        for (uint32_t k = 0; k < w->key_count; k++) {
            emit_names(e, w->keys[k].type == IR_ENUM ? w->keys[k].names : NULL);
            emit_f(e, ", ");
        }
        emit_f(e,
               "0},\n     .aggs = aggs_%" PRIu32 "_%" PRIu32
               ", .slot_bytes = sizeof(struct Slot_%" PRIu32 "_%" PRIu32 "), .node = %" PRIu32
               ", .asks = %" PRIu32 "},\n",
               e->index, i, e->index, i, w->node, w->asks);
    }
    emit_f(e, "    {0}};\n");
}

/* ---- records in ---- */

typedef struct AddTo {
    const IrIns *ins;
    const IrWindow *window;
    uint32_t at, value, has;
} AddTo;

static const char *sum_kind(const IrAgg *agg)
{
    return agg->type == IR_U32 || agg->type == IR_U64 ? "u64" : "i64";
}

/* Adds, or only asks; a record that cannot be added leaves, and the slot is as it was. */
static void add_or_leave(Emit *e, const AddTo *to, bool ask)
{
    const IrAgg *agg = &to->window->aggs[to->at];
    const char *v = emit_reg(e, to->value);
    bool sketch = agg->kind == AGG_QUANTILE;
    emit_f(e, "    if (");
    if (to->has != NO_REG) emit_f(e, "%s && ", emit_reg(e, to->has));
    if (sketch)
        emit_f(e, "RT_RARE(!rt_%s_sketch(pipe, rt, %" PRIu32 ", &slot->a%" PRIu32 ", (f64)%s, %u))",
               ask ? "room" : "add", to->ins->imm.index, to->at, v, ir_sketch_bits(agg->within));
    else
        emit_f(e, "RT_RARE(!rt_%s_%s(&slot->a%" PRIu32 ", %s))", ask ? "fits" : "add",
               sum_kind(agg), to->at, v);
    emit_f(e, ") { rt->slot_back(pipe, %" PRIu32 ", slot); ", to->ins->imm.index);
    emit_leave_ins(e, to->ins, sketch ? "RT_STATE_FULL" : "RT_OVERFLOW");
    emit_f(e, "    }\n");
}

/* What cannot fail, or was asked before. */
static void add(Emit *e, const AddTo *to)
{
    const IrAgg *agg = &to->window->aggs[to->at];
    uint32_t at = to->at;
    static const char *const picks[] = {"min", "max", "first", "last"};
    const char *v = to->value == NO_REG ? "0" : emit_reg(e, to->value);
    emit_f(e, "    ");
    if (to->has != NO_REG) emit_f(e, "if (%s) ", emit_reg(e, to->has));
    switch (agg->kind) {
    case AGG_COUNT: emit_f(e, "slot->a%" PRIu32 ".n++;\n", at); break;
    case AGG_COUNT_IF: emit_f(e, "slot->a%" PRIu32 ".n += (%s) != 0;\n", at, v); break;
    case AGG_MEAN:
    case AGG_SUM:
        if (ir_agg_can_fail(agg))
            emit_f(e, "(void)rt_add_%s(&slot->a%" PRIu32 ", %s);\n", sum_kind(agg), at, v);
        else
            emit_f(e, "rt_add_f64(&slot->a%" PRIu32 ", (f64)%s);\n", at, v);
        break;
    case AGG_MIN:
    case AGG_MAX:
    case AGG_FIRST:
    case AGG_LAST:
        if (emit_is_text(agg->type)) {
            emit_f(e,
                   "rt_keep_text(&slot->a%" PRIu32 ", slot->t%" PRIu32
                   ", (RtValue){.s = %s}, %d);\n",
                   at, at, v, agg->kind == AGG_LAST);
        } else {
            emit_f(e, "rt_%s_%s(&slot->a%" PRIu32 ", %s);\n", picks[agg->kind - AGG_MIN],
                   emit_is_float(agg->type) ? "f64" : sum_kind(agg), at, v);
        }
        break;
    case AGG_STDDEV: emit_f(e, "rt_add_variance(&slot->a%" PRIu32 ", (f64)%s);\n", at, v); break;
    case AGG_QUANTILE:
        emit_f(e, "(void)rt_add_sketch(pipe, rt, %" PRIu32 ", &slot->a%" PRIu32 ", (f64)%s, %u);\n",
               to->ins->imm.index, at, v, ir_sketch_bits(agg->within));
        break;
    default: break; /* not in a plain window */
    }
}

/* In the order that ir/facts.h tells. */
static void add_all(Emit *e, const IrIns *ins, const IrWindow *window)
{
    const uint32_t *values = e->stage->pool + ins->args + window->key_count;
    uint32_t last = ir_last_to_fail(window);
    for (uint32_t a = 0; last != NO_INDEX && a <= last; a++) {
        AddTo to = {ins, window, a, values[2 * a], values[2 * a + 1]};
        if (ir_agg_can_fail(&window->aggs[a])) add_or_leave(e, &to, a < last);
    }
    for (uint32_t a = 0; a < window->agg_count; a++) {
        AddTo to = {ins, window, a, values[2 * a], values[2 * a + 1]};
        if (a != last) add(e, &to);
    }
}

static void late(Emit *e, const IrWindow *window, const uint32_t *row, uint32_t count)
{
    if (window->late_stage != NO_INDEX && count) {
        emit_f(e, "    {\n");
        emit_arrays(e, row, count);
        emit_f(e, "    u8 before = pipe->in_row; pipe->in_row = 1; pipe->n.rows++;\n");
        emit_f(e, "    stage_%" PRIu32 "_%" PRIu32 "(pipe, v, h); pipe->in_row = before; }\n",
               e->index, window->late_stage);
    }
    emit_f(e, "    if (done != 2) done = 3;\n");
}

/* Time of the record: a register, or what the runtime has at hand. */
static const char *when(Emit *e, const IrIns *ins, const IrWindow *window)
{
    if (ins->a != NO_REG) return emit_reg(e, ins->a);
    return window->event_time || window->behind ? "pipe->event_ns" : "pipe->received_ns";
}

static void put_keys(Emit *e, const IrReg *keys, uint32_t count, const uint32_t *args)
{
    emit_f(e, "RtValue keys[%" PRIu32 "];\n", count ? count : 1);
    for (uint32_t k = 0; k < count; k++)
        emit_f(e, "    keys[%" PRIu32 "].u = 0; keys[%" PRIu32 "].%s = %s;\n", k, k,
               emit_member(keys[k].type), emit_reg(e, args[k]));
}

/* `slot = seen ? : called`: the inlined look-up where the window and its key allow it. */
static void find_slot(Emit *e, const IrIns *ins, const IrWindow *window)
{
    const char *ns = when(e, ins, window);
    emit_f(e, "    struct Slot_%" PRIu32 "_%" PRIu32 " *slot = 0;\n", e->index, ins->imm.index);
    if (window->kind == WINDOW_TUMBLE && window->key_count <= 1) {
        bool text = window->key_count && emit_is_text(window->keys[0].type);
        emit_f(e, "    slot = rt_seen_%s(pipe, %" PRIu32 ", %s, %" PRId64 "ll, %d, ",
               text ? "text" : "words", ins->imm.index, ns, window->size_ns, window->event_time);
        emit_f(e, text ? "keys[0].s" : window->key_count ? "keys[0].u, 0, 0" : "0, 0, 0");
        emit_f(e, ");\n    if (RT_RARE(!slot)) ");
    }
    emit_f(e, "slot = rt->slot(pipe, %" PRIu32 ", %s, keys, &why);\n", ins->imm.index, ns);
}

static void plain_add(Emit *e, const IrIns *ins)
{
    const IrWindow *window = &e->pipeline->windows[ins->imm.index];
    const uint32_t *args = e->stage->pool + ins->args;
    uint32_t keys = window->key_count, used = keys + 2 * window->agg_count;
    emit_f(e, "    { u32 why = 0; ");
    put_keys(e, window->keys, keys, args);
    find_slot(e, ins, window);
    emit_f(e, "    if (RT_RARE(!slot)) {\n    if (why) ");
    emit_leave_ins(e, ins, "why");
    late(e, window, args + used, ins->arg_count > used ? (ins->arg_count - used) / 2 : 0);
    emit_f(e, "    } else {\n");
    add_all(e, ins, window);
    if (window->kind == WINDOW_COUNT)
        emit_f(e, "    rt->slot_full(pipe, %" PRIu32 ", slot);\n", ins->imm.index);
    emit_f(e, "    done = 2;\n    } }\n");
}

/* Values as they are, one for each aggregate; the runtime adds them. */
static void any_add(Emit *e, const IrIns *ins)
{
    const IrWindow *window = &e->pipeline->windows[ins->imm.index];
    const uint32_t *args = e->stage->pool + ins->args, *inputs = args + window->key_count;
    uint32_t used = window->key_count + 2 * window->agg_count;
    emit_f(e, "    { u32 why = 0; ");
    put_keys(e, window->keys, window->key_count, args);
    emit_f(e, "    RtValue in[%" PRIu32 "]; u8 there[%" PRIu32 "];\n",
           window->agg_count ? window->agg_count : 1, window->agg_count ? window->agg_count : 1);
    for (uint32_t a = 0; a < window->agg_count; a++) {
        uint32_t value = inputs[2 * a];
        if (value == NO_REG)
            emit_f(e, "    in[%" PRIu32 "].u = 0; there[%" PRIu32 "] = 1;\n", a, a);
        else
            emit_f(e, "    in[%" PRIu32 "].%s = %s; there[%" PRIu32 "] = %s;\n", a,
                   emit_member(e->stage->regs[value].type), emit_reg(e, value), a,
                   emit_reg(e, inputs[2 * a + 1]));
    }
    emit_f(e, "    if (rt->window_add(pipe, %" PRIu32 ", %s, keys, in, there, &why)) {\n",
           ins->imm.index, when(e, ins, window));
    emit_f(e, "    if (why) ");
    emit_leave_ins(e, ins, "why");
    late(e, window, args + used, ins->arg_count > used ? (ins->arg_count - used) / 2 : 0);
    emit_f(e, "    } else done = 2;\n    }\n");
}

void emit_window(Emit *e, const IrIns *ins)
{
    if (ir_window_plain(&e->pipeline->windows[ins->imm.index]))
        plain_add(e, ins);
    else
        any_add(e, ins);
}

void emit_clock(Emit *e, const IrIns *ins)
{
    const IrTime *time = &e->pipeline->time;
    emit_f(e, "    { u32 why; ");
    put_keys(e, time->keys, time->key_count, e->stage->pool + ins->args);
    emit_f(e, "    why = rt->clock(pipe, %s, keys);\n    if (RT_RARE(why)) ", emit_reg(e, ins->a));
    emit_leave_ins(e, ins, "why");
    emit_f(e, "    }\n");
}
