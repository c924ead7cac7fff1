/* compiler/interp/stream.c: the effects of a stage: PASS, WATERMARK, WINDOW, EACH, REMEMBER, EMIT.
 *
 * Their step only notes which lanes come by; what they do is effects.c. An operand that is written
 * again behind the effect (by another arm) is copied where the effect stands. */
#include "compiler/interp/translate.h"

#include "compiler/ir/facts.h"

enum { ADD_LISTS_BYTES = 16 << 10 }; /* a list grows: pages its pieces are cut from */

/* The operand as it is here, also when the steps are done. */
static Place kept(Translate *t, const IrIns *ins, uint32_t reg)
{
    Place place = interp__place(t, reg);
    if (reg == NO_REG || t->regs[t->regs[reg].root].last_def <= t->at) return place;
    Step *s = interp__step(t, interp__move((Cell)place.cell, false), ins);
    s->a = place.column;
    s->dst = interp__column_own(t, interp__cell_bytes((Cell)place.cell));
    place.column = s->dst;
    return place;
}

static Effect *note(Translate *t, const IrIns *ins, Effect *effect)
{
    Step *s = interp__step(t, interp__note, ins);
    uint32_t mask = interp__column_own(t, 1);
    s->dst = mask;
    t->notes[t->note_count++] = mask;
    effect->mask = mask;
    effect->node = ins->node;
    effect->order = t->at;
    effect->index = ins->imm.index;
    effect->at.column = NO_COLUMN;
    effect->late_stage = NO_INDEX;
    return effect;
}

/* `pairs`: value and has registers of each leaf. */
static const Pair *row(Translate *t, const IrIns *ins, const uint32_t *pairs, uint32_t count)
{
    Pair *list = interp__alloc(t, count + 1, sizeof *list);
    if (count > RT_LEAVES_MAX)
        interp__refuse(t, ST_UNSUPPORTED, "more than %d fields in a row", RT_LEAVES_MAX);
    for (uint32_t i = 0; list && i < count; i++) {
        list[i].value = kept(t, ins, pairs[2 * i]);
        list[i].has = kept(t, ins, pairs[2 * i + 1]).column;
    }
    return list;
}

static void pass(Translate *t, const IrIns *ins)
{
    const uint32_t *args = t->stage->pool + ins->args;
    const Pair *list = row(t, ins, args, ins->arg_count / 2);
    Effect *e = note(t, ins, &t->passes[t->pass_count++]);
    e->row = list;
    e->row_count = ins->arg_count / 2;
    e->of_source =
        t->stage == &t->pipeline->stages[0] && ins->imm.index < ir_main_sources(t->pipeline);
}

/* The part of event time that may fail is a step: what fails there has no effects. */
static void ahead(Translate *t, const IrIns *ins)
{
    const IrTime *time = &t->pipeline->time;
    if (!time->ahead_ns) return;
    Step *s = interp__step(t, interp__ahead, ins);
    s->a = interp__column(t, ins->a);
    s->number = (uint64_t)time->ahead_ns;
}

static const Place *keys_of(Translate *t, const IrIns *ins, uint32_t count)
{
    const uint32_t *args = t->stage->pool + ins->args;
    Place *keys = interp__alloc(t, count + 1, sizeof *keys);
    if (count > INTERP_KEYS_MAX) {
        interp__refuse(t, ST_UNSUPPORTED, "more than %d keys", INTERP_KEYS_MAX);
        return NULL;
    }
    for (uint32_t k = 0; keys && k < count; k++) keys[k] = kept(t, ins, args[k]);
    return keys;
}

static void watermark(Translate *t, const IrIns *ins)
{
    bool by_key = ins->op == IR_CLOCK;
    ahead(t, ins);
    Place at = kept(t, ins, ins->a);
    const Place *keys = by_key ? keys_of(t, ins, ins->arg_count) : NULL;
    Effect *e = note(t, ins, &t->effects[t->effect_count++]);
    e->run = by_key ? interp__clock : interp__watermark;
    e->at = at;
    e->keys = keys;
    e->key_count = by_key ? ins->arg_count : 0;
    e->order_ns = t->pipeline->time.order_ns;
    t->time = at;
    t->may_end |= by_key; /* too many clocks */
}

static AddKind pick_kind(const IrAgg *agg)
{
    static const AddKind kinds[4][4] = {
        {ADD_MIN_F64, ADD_MIN_U64, ADD_MIN_I64, ADD_FIRST_TEXT},
        {ADD_MAX_F64, ADD_MAX_U64, ADD_MAX_I64, ADD_FIRST_TEXT},
        {ADD_FIRST_F64, ADD_FIRST_U64, ADD_FIRST_I64, ADD_FIRST_TEXT},
        {ADD_LAST_F64, ADD_LAST_U64, ADD_LAST_I64, ADD_LAST_TEXT}};
    bool is_float = agg->type == IR_F32 || agg->type == IR_F64,
         natural = agg->type == IR_U32 || agg->type == IR_U64;
    bool text = interp__cell(agg->type) == CELL_TEXT;
    return kinds[agg->kind - AGG_MIN][is_float ? 0 : natural ? 1 : text ? 3 : 2];
}

/* Of the classical ones: all others go through the runtime. */
static AddKind add_kind(const IrAgg *agg)
{
    switch (agg->kind) {
    case AGG_COUNT: return ADD_COUNT;
    case AGG_COUNT_IF: return ADD_COUNT_IF;
    case AGG_MEAN: return agg->type == IR_DECIMAL ? ADD_I64 : ADD_F64;
    case AGG_SUM:
        if (agg->type == IR_F32 || agg->type == IR_F64) return ADD_F64;
        return agg->type == IR_U32 || agg->type == IR_U64 ? ADD_U64 : ADD_I64;
    case AGG_MIN:
    case AGG_MAX: return pick_kind(agg);
    case AGG_FIRST:
    case AGG_LAST: return pick_kind(agg);
    case AGG_STDDEV: return ADD_VARIANCE;
    case AGG_QUANTILE: return ADD_SKETCH;
    default: return ADD_COUNT;
    }
}

static const Add *adds(Translate *t, const IrIns *ins, const IrWindow *window,
                       const uint32_t *pairs)
{
    const RtWindowInfo *info = &t->info->windows[ins->imm.index];
    Add *list = interp__alloc(t, window->agg_count + 1, sizeof *list);
    for (uint32_t a = 0; list && a < window->agg_count; a++) {
        const IrAgg *agg = &window->aggs[a];
        Add *add = &list[a];
        add->kind = add_kind(agg);
        add->value = kept(t, ins, pairs[2 * a]);
        add->has = kept(t, ins, pairs[2 * a + 1]).column;
        add->offset = info->aggs[a].offset;
        add->bits = info->aggs[a].bits;
    }
    return list;
}

/* Adds that cannot fail, so that nothing is lost when they wait. */
static bool can_wait(const Add *list, uint32_t count)
{
    for (uint32_t a = 0; a < count; a++)
        if (list[a].kind == ADD_I64 || list[a].kind == ADD_U64) return false;
    return true;
}

static void window(Translate *t, const IrIns *ins)
{
    const IrWindow *w = &t->pipeline->windows[ins->imm.index];
    const uint32_t *args = t->stage->pool + ins->args;
    uint32_t used = w->key_count + 2 * w->agg_count;
    bool plain = ir_window_plain(w);
    Effect made = {.run = plain ? interp__window : interp__window_any, .at = kept(t, ins, ins->a)};
    made.keys = keys_of(t, ins, w->key_count);
    made.key_count = w->key_count;
    made.adds = adds(t, ins, w, args + w->key_count);
    made.add_count = w->agg_count;
    if (ins->arg_count > used && w->late_stage != NO_INDEX) {
        made.row_count = (ins->arg_count - used) / 2;
        made.row = row(t, ins, args + used, made.row_count);
    }
    Effect *e = note(t, ins, &t->effects[t->effect_count++]);
    made.mask = e->mask;
    made.node = e->node;
    made.order = e->order;
    made.index = e->index;
    made.late_stage = w->late_stage;
    made.event_time = w->event_time || w->behind;
    made.counts = w->kind == WINDOW_COUNT;
    made.can_fail = ir_last_to_fail(w) != NO_INDEX;
    made.size_ns = plain && w->kind == WINDOW_TUMBLE && w->key_count <= 1 ? w->size_ns : 0;
    made.may_wait =
        t->stage->from == IR_FROM_SOURCE && made.size_ns && can_wait(made.adds, made.add_count);
    for (uint32_t a = 0; a < made.add_count; a++)
        if (plain && made.adds[a].kind == ADD_SKETCH)
            t->code->add_bytes +=
                ADD_LISTS_BYTES +
                RT_SKETCH_LIST_MAX * ((uint32_t)sizeof(RtChunk) + (4u << made.adds[a].bits));
    t->may_end = true;
    *e = made;
}

static void each(Translate *t, const IrIns *ins)
{
    const uint32_t *args = t->stage->pool + ins->args;
    uint32_t count = ins->arg_count / 2, record = t->stage->regs[ins->a].record;
    if (t->pipeline->stages[ins->imm.index].leaf_count > RT_LEAVES_MAX)
        interp__refuse(t, ST_UNSUPPORTED, "more than %d fields in a row", RT_LEAVES_MAX);
    const Pair *list = row(t, ins, args, count);
    Place at = kept(t, ins, ins->a);
    Effect *e = note(t, ins, &t->effects[t->effect_count++]);
    e->run = interp__each;
    e->at = at;
    e->row = list;
    e->row_count = count;
    e->item = t->schemas[record];
}

static void remember(Translate *t, const IrIns *ins)
{
    const uint32_t *args = t->stage->pool + ins->args;
    const IrJoin *join = &t->pipeline->joins[ins->imm.index];
    uint32_t count = (ins->arg_count - join->key_count) / 2;
    if (join->key_count > INTERP_KEYS_MAX) {
        interp__refuse(t, ST_UNSUPPORTED, "more than %d keys", INTERP_KEYS_MAX);
        return;
    }
    Place *keys = interp__alloc(t, join->key_count + 1, sizeof *keys);
    for (uint32_t k = 0; keys && k < join->key_count; k++) keys[k] = kept(t, ins, args[k]);
    const Pair *list = row(t, ins, args + join->key_count, count);
    Effect *e = note(t, ins, &t->effects[t->effect_count++]);
    e->run = interp__remember;
    e->keys = keys;
    e->key_count = join->key_count;
    e->row = list;
    e->row_count = count;
    t->may_end = true;
}

static void emit(Translate *t, const IrIns *ins)
{
    const uint32_t *args = t->stage->pool + ins->args;
    uint32_t count = ins->arg_count / 2;
    const Pair *list = row(t, ins, args, count);
    Place at = kept(t, ins, ins->a);
    RowCode *code = interp__alloc(t, 1, sizeof *code);
    if (!list || !code) return;
    Status st = interp__row_code(t->ir, t->schemas, &t->pipeline->sinks[ins->imm.index], list,
                                 count, t->stage, args, t->arena, code, t->diag);
    if (st && !t->failed) t->failed = st;
    Effect *e = note(t, ins, &t->effects[t->effect_count++]);
    e->run = interp__emit;
    e->at = at;
    e->row = list;
    e->row_count = count;
    e->code = code;
}

void interp__stream(Translate *t, const IrIns *ins)
{
    if (ins->op == IR_PASS) pass(t, ins);
    if (ins->op == IR_WATERMARK || ins->op == IR_CLOCK) watermark(t, ins);
    if (ins->op == IR_WINDOW) window(t, ins);
    if (ins->op == IR_EACH) each(t, ins);
    if (ins->op == IR_REMEMBER) remember(t, ins);
    if (ins->op == IR_EMIT) emit(t, ins);
}
