/* compiler/type/window.c: `window`: keys and aggregate inputs on one side, its rows on the other.
 */
#include "compiler/type/flow.h"

typedef struct Keys {
    RecordField *fields; /* name and type of each */
    uint32_t *regs, count, cap;
} Keys;

enum { WINDOW_KEYS_MAX = 16, HOP_OVERLAP_MAX = 1000 };

#define HOUR_NS INT64_C(3600000000000)

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
    if (!check__key(c, &v, v.span)) return;
    for (uint32_t i = 0; i < keys->count; i++) {
        if (!str_eq(keys->fields[i].name, name)) continue;
        diag_error(c->diags, DIAG_S005, pick->span, "the key `%.*s` stands here twice",
                   STR_ARG(name));
        return;
    }
    if (keys->count == WINDOW_KEYS_MAX) {
        diag_error(c->diags, DIAG_T018, pick->span, "a window has at most %d keys",
                   WINDOW_KEYS_MAX);
        return;
    }
    Type type = v.type;
    type.has_range = false;
    uint32_t cap = keys->cap;
    keys->regs = check__grow(c, keys->regs, keys->count, &cap, sizeof(uint32_t));
    keys->fields = check__grow(c, keys->fields, keys->count, &keys->cap, sizeof(RecordField));
    keys->regs[keys->count] = v.reg;
    keys->fields[keys->count++] = (RecordField){name, type, pick->span};
}

static bool wrong(Check *c, Span span, const char *what)
{
    diag_error(c->diags, DIAG_S011, span, "%s", what);
    return false;
}

static bool lengths(Check *c, const AstStage *stage, IrWindow *w)
{
    const AstDuration *size = &stage->as.window.size, *every = &stage->as.window.every,
                      *max = &stage->as.window.max;
    if (w->kind == WINDOW_COUNT) {
        if (w->size_count < 1 || stage->as.window.count.value < 1)
            return wrong(c, stage->as.window.count.span, "a count window has at least one record");
        return true;
    }
    if (size->ns <= 0)
        return wrong(c, size->span,
                     w->kind == WINDOW_SESSION ? "the gap is longer than 0"
                                               : "a window is longer than 0");
    if (w->kind == WINDOW_HOP && (every->ns <= 0 || every->ns > size->ns))
        return wrong(c, every->span, "`every` is longer than 0 and not longer than the window");
    if (w->kind == WINDOW_HOP && size->ns / every->ns > HOP_OVERLAP_MAX) {
        diag_error(c->diags, DIAG_S011, every->span, "a record is in at most %d windows at once",
                   HOP_OVERLAP_MAX);
        return false;
    }
    if (w->kind == WINDOW_SESSION && AST_HAS(*max) && max->ns < size->ns)
        return wrong(c, max->span, "`max` is at least as long as the gap");
    return true;
}

/* Options that go with some kinds only, and what is no kind of this language. */
static bool options(Check *c, const AstStage *stage, IrWindow *w)
{
    const AstDuration *early = &stage->as.window.early;
    const AstName *use = &stage->as.window.use;
    if (AST_HAS(stage->as.window.every) && w->kind != WINDOW_HOP)
        return wrong(c, stage->as.window.every.span, "`every` belongs to `hop`");
    if (AST_HAS(stage->as.window.max) && w->kind != WINDOW_SESSION)
        return wrong(c, stage->as.window.max.span, "`max` belongs to `session`");
    if (AST_HAS(*early) && (early->ns <= 0 || w->kind == WINDOW_COUNT))
        return wrong(c, early->span,
                     w->kind == WINDOW_COUNT ? "`early` is for windows of time"
                                             : "`early` is longer than 0");
    if (use->text.len && !str_is(use->text, "good") && !str_is(use->text, "any"))
        return wrong(c, use->span, "`using` takes `good` or `any`");
    return true;
}

static void shape(Flow *f, const AstStage *stage, IrWindow *w)
{
    static const IrWindowKind kinds[] = {[AST_WINDOW_TUMBLE] = WINDOW_TUMBLE,
                                         [AST_WINDOW_HOP] = WINDOW_HOP,
                                         [AST_WINDOW_SESSION] = WINDOW_SESSION,
                                         [AST_WINDOW_COUNT] = WINDOW_COUNT};
    w->kind = kinds[stage->as.window.kind];
    w->size_ns = w->kind == WINDOW_COUNT ? 0 : stage->as.window.size.ns;
    w->every_ns = w->kind == WINDOW_HOP ? stage->as.window.every.ns : 0;
    w->max_ns = w->kind == WINDOW_SESSION ? stage->as.window.max.ns : 0;
    w->early_ns = stage->as.window.early.ns;
    if (w->kind == WINDOW_COUNT) w->size_count = (uint64_t)stage->as.window.count.value;
    if (lengths(f->c, stage, w)) (void)options(f->c, stage, w);
}

/* An `on late update` behind the window, before another `on late`. */
static bool updates(const AstStage *stage)
{
    for (const AstStage *s = stage->next; s; s = s->next)
        if (s->kind == AST_ON && str_is(s->as.on.port.text, "late"))
            return s->as.on.action == AST_ON_UPDATE;
    return false;
}

/* How long closed windows are kept for late records: ten lengths, an hour at least. */
static int64_t keep_of(const IrWindow *w)
{
    int64_t keep, size = w->max_ns ? w->max_ns : w->size_ns;
    if (__builtin_mul_overflow(size, INT64_C(10), &keep)) keep = INT64_MAX;
    return keep > HOUR_NS ? keep : HOUR_NS;
}

/* True when the keys hold all those of `clock by`. */
static bool holds_clock(const Flow *f, const Keys *keys)
{
    const Place *place = &f->place;
    for (uint32_t i = 0; i < place->clock_count; i++) {
        uint32_t k = 0;
        while (k < keys->count && keys->regs[k] != place->clock_regs[i]) k++;
        if (place->clock_regs[i] == NO_REG || k == keys->count) return false;
    }
    return place->clock_count > 0;
}

void flow__move_clock(Flow *f, const Row *before, const Row *after)
{
    Place *place = &f->place;
    uint32_t *regs = NEW(f->c, uint32_t, place->clock_count + 1);
    for (uint32_t i = 0; i < place->clock_count; i++) {
        regs[i] = NO_REG;
        for (uint32_t k = 0; k < before->count; k++) {
            if (before->fields[k].val.reg != place->clock_regs[i]) continue;
            const RowField *field = check__row_find(after, before->fields[k].name);
            if (field) regs[i] = field->val.reg;
        }
    }
    place->clock_regs = regs;
}

/* The same behind a window: its keys are in its rows, by the names they were given. */
static void keys_clock(Flow *f, const Keys *keys, const Row *row)
{
    Place *place = &f->place;
    uint32_t *regs = NEW(f->c, uint32_t, place->clock_count + 1);
    for (uint32_t i = 0; i < place->clock_count; i++) {
        regs[i] = NO_REG;
        for (uint32_t k = 0; k < keys->count; k++)
            if (keys->regs[k] == place->clock_regs[i])
                regs[i] = check__row_find(row, keys->fields[k].name)->val.reg;
    }
    place->clock_regs = regs;
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

/* `revision`: how many rows were made of this window and key before. */
static void add_revision(Flow *f, const AstStage *stage, Row *row)
{
    Check *c = f->c;
    Type type = {.kind = IR_I64};
    if (check__row_find(row, STR("revision"))) {
        diag_error(c->diags, DIAG_S005, stage->keyword,
                   "`on late update` adds `revision` to the rows, and there is one already");
        return;
    }
    uint32_t leaf = check__agg_leaf(c, (IrAgg){.kind = AGG_REVISION}, NO_REG, NO_REG, &type);
    Val v = {.type = type, .has = NO_REG, .span = stage->span};
    v.reg = build_reg(c->b, check__reg_of(&type, STR("revision")));
    build_ins(c->b, IR_FIELD, v.reg, leaf, NO_REG);
    check__row_set(c, row, STR("revision"), v, stage->span);
}

/* The stage of the window's rows takes over; `row` is what it begins with. */
static void go_on(Flow *f, IrWindow *w, IrStage *out, IrBuilder out_builder, Row *row)
{
    Check *c = f->c;
    uint32_t index = f->p.window_count;
    const Record *in_record = check__row_record(c, f->row);
    w->out_stage = f->stage_count;
    IrStage *slot = flow__stage(f, IR_FROM_WINDOW, index, w->out_schema);
    out->from = slot->from;
    out->from_index = index;
    out->schema = slot->schema;
    out->asks = slot->asks;
    out->leaves = slot->leaves;
    out->leaf_count = slot->leaf_count;
    f->stages[f->stage_count - 1] = out;
    flow__leave(f);
    f->builder = out_builder;
    c->b = &f->builder;
    f->row = c->row = row;
    f->windows = check__grow(c, f->windows, index, &f->flow_window_cap, sizeof(FlowWindow));
    f->windows[index] = (FlowWindow){.in = in_record};
    *PUSH(c, f->p.windows, f->p.window_count, f->window_cap) = *w;
    f->last_node = w->node;
    f->last_port = PORT_OUT;
}

static IrWindow window_new(Flow *f, const AstStage *stage, uint32_t node)
{
    return (IrWindow){.event_time = f->has_time,
                      .behind = f->in_rows,
                      .node = node,
                      .asks = f->builder.stage->asks,
                      .span = stage->span,
                      .out_stage = NO_INDEX,
                      .late_stage = NO_INDEX};
}

static void place_keys(Flow *f, const Keys *keys)
{
    f->place.keys = NEW(f->c, Str, keys->count + 1);
    f->place.key_count = keys->count;
    for (uint32_t i = 0; i < keys->count; i++) f->place.keys[i] = keys->fields[i].name;
}

void flow__window(Flow *f, const AstStage *stage)
{
    Check *c = f->c;
    uint32_t node = flow__node(f, "window", stage->span);
    flow__enter(f, node);
    f->has_window = true;
    f->open = stage;
    IrWindow w = window_new(f, stage, node);
    shape(f, stage, &w);
    bool update = updates(stage);
    if (f->place.updates)
        diag_error(
            c->diags, DIAG_S035, stage->keyword,
            "the window before writes rows again (`on late update`): they would count twice");
    Keys keys = {0};
    for (const AstPick *pick = stage->as.window.by; pick; pick = pick->next) key(f, &keys, pick);
    if (!stage->as.window.aggregates)
        diag_error(c->diags, DIAG_S018, stage->keyword,
                   "a window needs aggregates: `{ n = count() }`");
    w.own_clock = holds_clock(f, &keys);
    if (update && w.kind != WINDOW_COUNT) w.keep_ns = keep_of(&w);
    AggScope agg = {.in = &f->builder,
                    .in_row = f->row,
                    .in_time = f->time_reg,
                    .use = stage->as.window.use.text,
                    .first_leaf = keys.count + 2,
                    .node = node};
    IrStage *out = NEW(c, IrStage, 1);
    IrBuilder out_builder;
    check__builder(c, &out_builder, out, node);
    c->b = &out_builder;
    Row *row = out_row(c, &keys);
    c->row = row;
    c->agg = &agg;
    place_keys(f, &keys);
    f->time_reg = check__row_find(row, STR("end"))->val.reg;
    body(f, stage, row);
    if (update) add_revision(f, stage, row);
    c->agg = NULL;
    w.in_schema = check__row_schema(c, f->row);
    window_ins(f, f->p.window_count, &keys, &agg, f->row);
    w.out_schema = out_schema(c, &keys, &agg);
    w.keys = NEW(c, IrReg, keys.count + 1);
    for (uint32_t i = 0; i < keys.count; i++)
        w.keys[i] = check__reg_of(&keys.fields[i].type, keys.fields[i].name);
    w.key_count = keys.count;
    w.aggs = agg.aggs;
    w.agg_count = agg.count;
    keys_clock(f, &keys, row);
    f->place.updates = f->place.updates || update;
    go_on(f, &w, out, out_builder, row);
    f->in_rows = true;
}

/* ---- delay ---- */

/* A value of the row as it is behind the delay: its leaves are `first` of the one record. */
static Val held(Flow *f, AggScope *agg, const Val *v, bool present, Span span)
{
    Check *c = f->c;
    Val out = *v;
    out.path = STR_NONE;
    if (v->type.kind == IR_RECORD) {
        out.fields = NEW(c, Val, v->type.record->count + 1);
        for (uint32_t i = 0; i < v->type.record->count; i++) {
            bool there = present && !v->type.record->fields[i].type.optional;
            out.fields[i] = held(f, agg, &v->fields[i], there, span);
        }
        if (present)
            out.has = NO_REG;
        else
            out.has = check__record_has(c, &out);
        return out;
    }
    bool text = v->type.kind == IR_STR || v->type.kind == IR_BYTES || v->type.kind == IR_JSON;
    if (v->type.kind >= IR_LIST || (text && !v->type.bytes_max)) {
        diag_error(c->diags, DIAG_S036, span, "`delay` does not hold %.*s",
                   STR_ARG(type_text(c->arena, &v->type)));
        return check__error_val(span);
    }
    Type type = v->type;
    type.optional = !present;
    uint32_t leaf = agg->first_leaf + agg->count;
    IrAgg one = {.kind = AGG_FIRST, .type = type.kind, .scale = type.scale, .out = leaf};
    check__agg_room(c, agg);
    agg->aggs[agg->count] = one;
    agg->inputs[2 * agg->count] = v->reg;
    agg->inputs[2 * agg->count + 1] = present ? NO_REG : v->has;
    agg->outs[agg->count] = (IrField){.name = check__text(c, "held_%u", agg->count),
                                      .type = type.kind,
                                      .optional = type.optional,
                                      .bytes_max = type.bytes_max,
                                      .scale = type.scale,
                                      .names = type.names,
                                      .record = NO_INDEX,
                                      .unit = type.unit ? type.unit->text : STR("")};
    agg->count++;
    out.reg = build_reg(c->b, check__reg_of(&type, STR_NONE));
    build_ins(c->b, IR_FIELD, out.reg, leaf, NO_REG);
    out.has = NO_REG;
    if (present) return out;
    out.has = build_temp(c->b, IR_BOOL);
    build_ins(c->b, IR_HAS, out.has, leaf, NO_REG);
    return out;
}

void flow__delay(Flow *f, const AstStage *stage)
{
    Check *c = f->c;
    uint32_t node = flow__node(f, "delay", stage->span);
    flow__enter(f, node);
    f->open = stage;
    IrWindow w = window_new(f, stage, node);
    w.kind = WINDOW_DELAY;
    w.size_ns = stage->as.duration.ns;
    if (w.size_ns <= 0) {
        diag_error(c->diags, DIAG_S011, stage->as.duration.span, "a delay is longer than 0");
        return;
    }
    Keys keys = {0};
    if (record_leaf_count(check__row_record(c, f->row)) > TYPE_LEAVES_MAX - 2) {
        diag_error(c->diags, DIAG_T018, stage->span, "`delay` holds at most %d values of a record",
                   TYPE_LEAVES_MAX - 2);
        return;
    }
    AggScope agg = {.first_leaf = 2, .in_time = f->time_reg};
    IrStage *out = NEW(c, IrStage, 1);
    IrBuilder out_builder;
    check__builder(c, &out_builder, out, node);
    c->b = &out_builder;
    Row *row = NEW(c, Row, 1);
    uint32_t time_reg = build_temp(c->b, IR_TIME);
    build_ins(c->b, IR_FIELD, time_reg, 1, NO_REG); /* `end`: the record's own time */
    for (uint32_t i = 0; i < f->row->count; i++) {
        const RowField *field = &f->row->fields[i];
        bool present = !field->val.type.optional || check__has_fact(f->row, field->name);
        Val v = held(f, &agg, &field->val, present, stage->span);
        if (present) v.type.optional = false;
        check__row_set(c, row, field->name, v, field->span);
    }
    for (uint32_t i = 0; i < f->row->fact_count; i++) check__add_fact(c, row, f->row->facts[i]);
    w.in_schema = check__row_schema(c, f->row);
    window_ins(f, f->p.window_count, &keys, &agg, f->row);
    w.out_schema = out_schema(c, &keys, &agg);
    w.keys = NEW(c, IrReg, 1);
    w.aggs = agg.aggs;
    w.agg_count = agg.count;
    w.own_clock = f->p.time.key_count > 0;
    flow__move_clock(f, f->row, row);
    go_on(f, &w, out, out_builder, row);
    f->time_reg = time_reg;
    f->in_rows = true;
}
