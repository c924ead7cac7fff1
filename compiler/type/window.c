/* compiler/type/window.c: `window`: keys and aggregate inputs on one side, its rows on the other.
 */
#include "compiler/type/flow.h"

typedef struct Keys {
    RecordField *fields; /* name and type of each */
    uint32_t *regs, count, cap;
} Keys;

static void key(Flow *f, Keys *keys, const AstPick *pick)
{
    Check *c = f->c;
    Val v = check__expr(c, pick->path, NULL);
    if (check__bad(&v)) return;
    Str name = pick->as.text;
    if (!name.len && pick->path->kind == AST_NAME) name = pick->path->as.name;
    if (!name.len && pick->path->kind == AST_FIELD) name = pick->path->as.field.name.text;
    if (!name.len) {
        diag_error(c->diags, DIAG_S013, pick->span, "a computed key needs a name: `by ... as x`");
        return;
    }
    if (!check__present(c, &v, check__key_needs)) return;
    if (v.type.kind == IR_RECORD || v.type.kind == IR_LIST || v.type.kind == IR_JSON) {
        Diagnostic *d =
            diag_error(c->diags, DIAG_S013, v.span, "a key is a single value, this is %.*s",
                       STR_ARG(type_text(c->arena, &v.type)));
        check__value_fix(c, d, &v);
        return;
    }
    for (uint32_t i = 0; i < keys->count; i++) {
        if (!str_eq(keys->fields[i].name, name)) continue;
        diag_error(c->diags, DIAG_S005, pick->span, "the key `%.*s` stands here twice",
                   STR_ARG(name));
        return;
    }
    v = check__settle(c, v, STR_NONE);
    Type type = v.type;
    type.has_range = false;
    uint32_t cap = keys->cap;
    keys->regs = check__grow(c, keys->regs, keys->count, &cap, sizeof(uint32_t));
    keys->fields = check__grow(c, keys->fields, keys->count, &keys->cap, sizeof(RecordField));
    keys->regs[keys->count] = v.reg;
    keys->fields[keys->count++] = (RecordField){name, type, pick->span};
}

static bool shape(Flow *f, const AstStage *stage, IrWindow *w)
{
    Check *c = f->c;
    const AstDuration *size = &stage->as.window.size;
    bool fine = true;
    if (stage->as.window.kind == AST_WINDOW_HOP || stage->as.window.kind == AST_WINDOW_SESSION) {
        diag_error(c->diags, DIAG_A001, stage->keyword,
                   "`hop` and `session` windows are not available yet, `tumble` and `count` are");
        return false;
    }
    w->kind = stage->as.window.kind == AST_WINDOW_COUNT ? WINDOW_COUNT : WINDOW_TUMBLE;
    w->size_ns = size->ns;
    if (w->kind == WINDOW_TUMBLE && size->ns <= 0) {
        diag_error(c->diags, DIAG_S011, size->span, "a window is longer than 0");
        fine = false;
    }
    if (w->kind == WINDOW_COUNT) {
        w->size_ns = 0;
        w->size_count = (uint64_t)stage->as.window.count.value;
        if (stage->as.window.count.value < 1) {
            diag_error(c->diags, DIAG_S011, stage->as.window.count.span,
                       "a count window has at least one record");
            fine = false;
        }
    }
    if (stage->as.window.use.text.len) {
        diag_error(c->diags, DIAG_A007, stage->as.window.use.span, "`using` is not available yet");
        fine = false;
    }
    if (AST_HAS(stage->as.window.early)) {
        diag_error(c->diags, DIAG_A007, stage->as.window.early.span,
                   "`early` is not available yet");
        fine = false;
    }
    return fine;
}

/* The row a closed window hands over: keys, start, end, one leaf an aggregate. */
static Row *out_row(Check *c, const Keys *keys)
{
    Record *record = NEW(c, Record, 1);
    record->schema = NO_INDEX;
    record->fields = NEW(c, RecordField, keys->count + 2);
    if (keys->count) memcpy(record->fields, keys->fields, keys->count * sizeof(RecordField));
    record->count = keys->count + 2;
    Span span = c->stage->span;
    record->fields[keys->count] = (RecordField){STR("start"), {.kind = IR_TIME}, span};
    record->fields[keys->count + 1] = (RecordField){STR("end"), {.kind = IR_TIME}, span};
    return check__load(c, record);
}

static void body(Flow *f, const AstStage *stage, Row *row)
{
    Check *c = f->c;
    for (const AstLet *l = stage->as.window.aggregates; l; l = l->next) {
        c->target = l->name.text;
        if (check__row_find(row, l->name.text)) {
            diag_error(c->diags, DIAG_S005, l->name.span, "`%.*s` is in the window's row already",
                       STR_ARG(l->name.text));
            continue;
        }
        uint32_t before = c->agg->count;
        Val v = l->reset ? check__reset(c, l->value, l->reset) : check__expr(c, l->value, NULL);
        if (v.type.null) {
            diag_error(c->diags, DIAG_T009, l->span, "null alone has no type");
            v = check__error_val(l->span);
        }
        (void)before;
        if (!check__bad(&v)) {
            uint32_t has = v.has;
            if (has != NO_REG && v.wild) {
                build_ins(c->b, IR_IF, NO_REG, has, NO_REG);
                build_ins(c->b, IR_FINITE, v.reg, v.reg, NO_REG);
                build_ins(c->b, IR_END, NO_REG, NO_REG, NO_REG);
                v.wild = false;
            }
            v = check__settle(c, v, l->name.text);
            v.type.span = l->span;
        }
        check__row_set(c, row, l->name.text, v, l->span);
    }
    c->target = STR_NONE;
}

static uint32_t out_schema(Check *c, const Keys *keys, const AggScope *agg)
{
    uint32_t count = keys->count + 2;
    IrField *fields = NEW(c, IrField, count + agg->count + 1);
    for (uint32_t i = 0; i < keys->count; i++) {
        const Type *t = &keys->fields[i].type;
        fields[i] = (IrField){.name = keys->fields[i].name,
                              .type = t->kind,
                              .names = t->names,
                              .bytes_max = t->bytes_max,
                              .scale = t->scale,
                              .record = NO_INDEX,
                              .unit = t->unit ? t->unit->text : STR(""),
                              .span = keys->fields[i].span};
    }
    fields[keys->count] = (IrField){.name = STR("start"), .type = IR_TIME, .record = NO_INDEX};
    fields[keys->count + 1] = (IrField){.name = STR("end"), .type = IR_TIME, .record = NO_INDEX};
    for (uint32_t i = 0; i < agg->count; i++) {
        fields[count + i] = agg->outs[i];
        fields[count + i].record = NO_INDEX;
    }
    IrProgram *p = c->program;
    *PUSH(c, p->schemas, p->schema_count, c->schema_cap) =
        (IrSchema){STR_NONE, fields, count + agg->count};
    return p->schema_count - 1;
}

static void window_ins(Flow *f, uint32_t index, const Keys *keys, const AggScope *agg,
                       const Row *in_row)
{
    Check *c = f->c;
    uint32_t *row, count = check__flatten(c, in_row, &row), total = 0;
    uint32_t *args = NEW(c, uint32_t, keys->count + 2 * agg->count + count + 1);
    for (uint32_t i = 0; i < keys->count; i++) args[total++] = keys->regs[i];
    for (uint32_t i = 0; i < 2 * agg->count; i++) args[total++] = agg->inputs[i];
    for (uint32_t i = 0; i < count; i++) args[total++] = row[i];
    IrIns *ins = build_list(&f->builder, IR_WINDOW, NO_REG, args, total);
    ins->imm.index = index;
    ins->a = agg->in_time;
}

void flow__window(Flow *f, const AstStage *stage)
{
    Check *c = f->c;
    uint32_t node = flow__node(f, "window", stage->span), index = f->p.window_count;
    flow__enter(f, node);
    f->has_window = true;
    f->open = stage;
    IrWindow w = {.event_time = f->has_time,
                  .node = node,
                  .span = stage->span,
                  .out_stage = NO_INDEX,
                  .late_stage = NO_INDEX};
    bool fine = shape(f, stage, &w);
    if (f->in_rows) {
        diag_error(c->diags, DIAG_A001, stage->keyword,
                   "a window behind another one is not available yet");
        fine = false;
    }
    Keys keys = {0};
    for (const AstPick *pick = stage->as.window.by; pick; pick = pick->next) key(f, &keys, pick);
    if (!stage->as.window.aggregates) {
        diag_error(c->diags, DIAG_S018, stage->keyword,
                   "a window needs aggregates: `{ n = count() }`");
        fine = false;
    }
    AggScope agg = {.in = &f->builder,
                    .in_row = f->row,
                    .in_time = f->time_reg,
                    .first_leaf = keys.count + 2,
                    .node = node};
    agg.aggs = NEW(c, IrAgg, TYPE_LEAVES_MAX);
    agg.outs = NEW(c, IrField, TYPE_LEAVES_MAX);
    agg.inputs = NEW(c, uint32_t, 2 * TYPE_LEAVES_MAX);
    IrStage *out = NEW(c, IrStage, 1);
    IrBuilder out_builder;
    check__builder(c, &out_builder, out, node);
    c->b = &out_builder;
    Row *row = out_row(c, &keys);
    c->row = row;
    c->agg = &agg;
    f->place.keys = NEW(c, Str, keys.count + 1);
    f->place.key_count = keys.count;
    for (uint32_t i = 0; i < keys.count; i++) f->place.keys[i] = keys.fields[i].name;
    f->time_reg = check__row_find(row, STR("end"))->val.reg;
    body(f, stage, row);
    c->agg = NULL;
    const Record *in_record = check__row_record(c, f->row);
    w.in_schema = check__schema(c, in_record);
    window_ins(f, index, &keys, &agg, f->row);
    w.out_schema = out_schema(c, &keys, &agg);
    w.keys = NEW(c, IrReg, keys.count + 1);
    for (uint32_t i = 0; i < keys.count; i++)
        w.keys[i] = check__reg_of(&keys.fields[i].type, keys.fields[i].name);
    w.key_count = keys.count;
    w.aggs = agg.aggs;
    w.agg_count = agg.count;
    w.out_stage = f->stage_count;
    IrStage *slot = flow__stage(f, IR_FROM_WINDOW, index, w.out_schema);
    out->from = slot->from;
    out->from_index = index;
    out->schema = slot->schema;
    out->leaves = slot->leaves;
    out->leaf_count = slot->leaf_count;
    f->stages[f->stage_count - 1] = out;
    flow__leave(f);
    f->in_rows = true;
    f->builder = out_builder;
    c->b = &f->builder;
    f->row = c->row = row;
    f->windows = check__grow(c, f->windows, index, &f->flow_window_cap, sizeof(FlowWindow));
    f->windows[index] = (FlowWindow){.in = in_record};
    *PUSH(c, f->p.windows, f->p.window_count, f->window_cap) = w;
    f->last_node = node;
    f->last_port = PORT_OUT;
    (void)fine;
}
