/* compiler/interp/translate.c: a stage of row code to steps; see translate.h.
 *
 * The switch over operations has no default on purpose: a new operation does not compile until it
 * is either done here or refused by name. */
#include "compiler/interp/translate.h"

#include "compiler/ir/facts.h"
#include "compiler/type/builtins.h"

#include <stdarg.h>
#include <stdio.h>

void interp__refuse(Translate *t, Status status, const char *format, ...)
{
    if (t->failed) return;
    va_list args;
    char text[200];
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    t->failed = diag_set(t->diag, status, "%s", text);
}

void *interp__alloc(Translate *t, size_t count, size_t bytes)
{
    void *p = arena_array(t->arena, count, bytes);
    if (!p) interp__refuse(t, ST_NO_MEMORY, "no memory to translate the program");
    return p;
}

static Control *try_around(Translate *t)
{
    for (uint32_t d = t->depth; d-- > 0;)
        if (t->control[d].op == IR_TRY) return &t->control[d];
    return NULL;
}

static const char *text_of(Translate *t, Str text)
{
    if (!text.len) return NULL;
    Str copied = arena_str(t->arena, text);
    if (!copied.ptr) interp__refuse(t, ST_NO_MEMORY, "no memory to translate the program");
    return copied.ptr;
}

/* A step; where it fails, and to which boundary it jumps, is known from where it stands. */
Step *interp__step(Translate *t, StepFn *run, const IrIns *ins)
{
    static Step nowhere;
    if (t->step_count == t->step_cap) {
        uint32_t cap = t->step_cap ? t->step_cap * 2 : 128;
        Step *more = interp__alloc(t, cap, sizeof *more);
        if (!more) return &nowhere;
        if (t->step_count) memcpy(more, t->steps, t->step_count * sizeof *more);
        t->steps = more;
        t->step_cap = cap;
    }
    if (!run)
        interp__refuse(t, ST_INTERNAL, "the interpreter has no kernel for %s of this type",
                       ir_op_info(ins->op)->text);
    const Control *around = try_around(t);
    Step *s = &t->steps[t->step_count++];
    *s = (Step){.run = run,
                .node = ins->node,
                .field = text_of(t, ins->field),
                .floor = (uint16_t)(around ? around->level : 0),
                .top = (uint16_t)t->level,
                .caught = around ? around->caught : NO_COLUMN};
    return s;
}

/* ---- jumps to the next ELSE, END, CATCH ... ---- */

static void will_jump(Translate *t, Step *s)
{
    uint32_t *wait = t->depth ? &t->control[t->depth - 1].wait : &t->wait;
    s->target = *wait;
    *wait = (uint32_t)(s - t->steps) + 1;
}

static void land(Translate *t, uint32_t *wait, uint32_t target)
{
    while (*wait && !t->failed) {
        Step *s = &t->steps[*wait - 1];
        *wait = s->target;
        s->target = target;
    }
}

/* ---- values ---- */

Result interp__result_begin(Translate *t, uint32_t reg)
{
    Result r = {.cell = interp__cell(t->stage->regs[reg].type)};
    r.own = r.column = interp__column_of(t, reg);
    if (t->depth && t->regs[reg].defs > 1)
        r.column = interp__column_new(t, interp__cell_bytes(r.cell));
    return r;
}

void interp__result_end(Translate *t, const IrIns *ins, Result r)
{
    if (r.column == r.own) return;
    Step *s = interp__step(t, interp__move(r.cell, true), ins);
    s->dst = r.own;
    s->a = r.column;
    interp__column_give(t, r.column, interp__cell_bytes(r.cell));
}

static void compute(Translate *t, const IrIns *ins, StepFn *run)
{
    Result r = interp__result_begin(t, ins->dst);
    Step *s = interp__step(t, run, ins);
    s->dst = r.column;
    if (ins->a != NO_REG) s->a = interp__column(t, ins->a);
    if (ins->b != NO_REG) s->b = interp__column(t, ins->b);
    s->count = t->stage->regs[ins->dst].bytes_max;
    interp__result_end(t, ins, r);
}

static void copy(Translate *t, const IrIns *ins, uint32_t from)
{
    Result r = interp__result_begin(t, ins->dst);
    Step *s = interp__step(t, interp__move(r.cell, r.column != r.own || t->depth), ins);
    if (r.column != r.own) interp__column_give(t, r.column, interp__cell_bytes(r.cell));
    s->dst = r.own;
    s->a = from;
}

static void share(Translate *t, uint32_t reg, uint32_t column)
{
    t->regs[reg].column = column;
    t->regs[reg].shared = true;
}

static bool same_constant(const Translate *t, const Constant *c, const IrIns *ins)
{
    const IrReg *reg = &t->stage->regs[ins->dst];
    if (c->place.type != reg->type || reg->type == IR_LIST || reg->type == IR_ITEM) return false;
    if (c->place.cell == CELL_TEXT) return str_eq(c->value.text, ins->imm.text);
    if (reg->type == IR_BOOL) return c->value.boolean == ins->imm.boolean;
    return c->value.natural == ins->imm.natural; /* all others are these 8 bytes */
}

/* An item where there is none: every leaf missing. */
static Str no_item(Translate *t, const IrReg *reg)
{
    uint32_t count = ir_leaf_count(t->ir, reg->record);
    const char *zeros = interp__alloc(t, 1, RT_ITEM_BYTES(count) + 1);
    return str_slice(zeros, 1);
}

static uint32_t constant(Translate *t, const IrIns *ins)
{
    enum { LOOK_BACK = 32 };
    uint32_t count = t->constant_count, from = count > LOOK_BACK ? count - LOOK_BACK : 0;
    for (uint32_t i = from; i < count; i++)
        if (same_constant(t, &t->constants[i], ins)) return t->constants[i].place.column;
    const IrReg *reg = &t->stage->regs[ins->dst];
    Cell cell = interp__cell(reg->type);
    IrImm value = ins->imm;
    if (reg->type == IR_LIST) value.text = STR("");
    if (reg->type == IR_ITEM) value.text = no_item(t, reg);
    uint32_t column = interp__column_own(t, interp__cell_bytes(cell));
    t->constants[t->constant_count++] =
        (Constant){{column, (uint8_t)cell, (uint8_t)reg->type, reg->scale}, value};
    return column;
}

static void named(Translate *t, const IrIns *ins, uint32_t column)
{
    if (t->regs[ins->dst].defs == 1)
        share(t, ins->dst, column);
    else
        copy(t, ins, column);
}

static void move(Translate *t, const IrIns *ins)
{
    if (t->regs[ins->dst].root != ins->dst) return; /* another name */
    copy(t, ins, interp__column(t, ins->a));
}

static void binary(Translate *t, const IrIns *ins)
{
    Cell cell = interp__cell(t->stage->regs[ins->a].type);
    compute(t, ins,
            cell == CELL_TEXT ? interp__text_binary(ins->op) : interp__binary(ins->op, cell));
}

static void convert(Translate *t, const IrIns *ins)
{
    uint64_t number;
    StepFn *run = interp__convert(&t->stage->regs[ins->a], &t->stage->regs[ins->dst], &number);
    Result r = interp__result_begin(t, ins->dst);
    Step *s = interp__step(t, run, ins);
    s->dst = r.column;
    s->a = interp__column(t, ins->a);
    s->number = number;
    s->count = ins->imm.index; /* IrRound */
    interp__result_end(t, ins, r);
}

static void to_text(Translate *t, const IrIns *ins)
{
    const IrReg *from = &t->stage->regs[ins->a];
    Result r = interp__result_begin(t, ins->dst);
    Step *s = interp__step(t, interp__to_text(from->type), ins);
    s->dst = r.column;
    s->a = interp__column(t, ins->a);
    s->count = t->stage->regs[ins->dst].bytes_max;
    s->number = from->scale;
    if (from->type == IR_ENUM) {
        RtText *names = interp__alloc(t, from->names->count + 1, sizeof *names);
        for (uint32_t i = 0; names && i < from->names->count; i++)
            names[i] = (RtText){from->names->names[i].ptr, from->names->names[i].len};
        s->more = names;
    }
    interp__result_end(t, ins, r);
}

static const Place *arguments(Translate *t, const IrIns *ins)
{
    Place *places = interp__alloc(t, ins->arg_count + 1, sizeof *places);
    for (uint32_t i = 0; places && i < ins->arg_count; i++)
        places[i] = interp__place(t, t->stage->pool[ins->args + i]);
    return places;
}

static void concat(Translate *t, const IrIns *ins)
{
    Result r = interp__result_begin(t, ins->dst);
    Step *s = interp__step(t, interp__concat, ins);
    s->dst = r.column;
    s->count = t->stage->regs[ins->dst].bytes_max;
    s->number = ins->arg_count;
    s->more = arguments(t, ins);
    interp__result_end(t, ins, r);
}

static void call(Translate *t, const IrIns *ins)
{
    static const uint16_t functions[] = {
#define BUILTIN(ID, name, args, params, result, unit, bound, reason, doc) RT_FN_##ID,
#include "stdlib/builtins.def"
#undef BUILTIN
    };
    if (ins->imm.builtin >= COUNT_OF(functions) || ins->arg_count > 8) {
        interp__refuse(t, ST_INTERNAL, "a call of an unknown function");
        return;
    }
    Result r = interp__result_begin(t, ins->dst);
    Step *s = interp__step(t, interp__call, ins);
    s->dst = r.column;
    s->a = r.cell;
    s->b = functions[ins->imm.builtin] == RT_FN_NOW;
    s->c = ins->arg_count;
    s->count = r.cell == CELL_TEXT ? t->stage->regs[ins->dst].bytes_max : 0;
    s->number = functions[ins->imm.builtin];
    s->more = arguments(t, ins);
    interp__result_end(t, ins, r);
}

static void meta(Translate *t, const IrIns *ins)
{
    MetaWhat *what = interp__alloc(t, 1, sizeof *what);
    Result r = interp__result_begin(t, ins->dst);
    Step *s = interp__step(t, interp__meta, ins);
    if (what) *what = (MetaWhat){ins->imm.meta.what, ins->imm.meta.level};
    s->dst = r.column;
    s->count = t->stage->regs[ins->dst].bytes_max;
    s->more = what;
    interp__result_end(t, ins, r);
}

/* ---- control ---- */

static Control *open(Translate *t, const IrIns *ins)
{
    static Control nowhere;
    if (t->depth == CONTROL_MAX) {
        interp__refuse(t, ST_UNSUPPORTED, "more than %d nested conditions", CONTROL_MAX);
        return &nowhere;
    }
    Control *c = &t->control[t->depth];
    *c = (Control){.op = ins->op, .before = interp__column_new(t, 1), .caught = NO_COLUMN};
    return c;
}

/* IF a; DROP; END: a `where`. */
static bool is_filter(const Translate *t)
{
    const IrIns *ins = &t->stage->code[t->at];
    return t->at + 2 < t->stage->code_count && ins[1].op == IR_DROP && ins[2].op == IR_END;
}

static Step *dropping(Translate *t, StepFn *run, const IrIns *ins)
{
    Step *s = interp__step(t, run, ins);
    s->floor = 0;
    for (uint32_t d = t->depth; d-- > 0 && !s->floor;)
        if (t->control[d].op == IR_ARM) s->floor = (uint16_t)t->control[d].level;
    will_jump(t, s);
    return s;
}

static void begin_if(Translate *t, const IrIns *ins)
{
    if (is_filter(t)) {
        dropping(t, interp__filter, ins)->a = interp__column(t, ins->a);
        interp__release(t, ins);
        t->at += 2;
        return;
    }
    Control *c = open(t, ins);
    c->first = interp__column_new(t, 1);
    Step *s = interp__step(t, interp__if, ins);
    s->dst = c->before;
    s->c = c->first;
    s->a = interp__column(t, ins->a);
    t->depth++;
    will_jump(t, s);
}

static void begin_level(Translate *t, const IrIns *ins)
{
    Control *c = open(t, ins);
    c->level = ++t->level;
    if (t->level > t->level_max) t->level_max = t->level;
    if (ins->op == IR_TRY) c->caught = interp__column_new(t, 1);
    Step *s = interp__step(t, interp__try, ins);
    s->dst = c->before;
    s->caught = c->caught;
    t->depth++;
}

static void middle(Translate *t, const IrIns *ins)
{
    Control *c = &t->control[t->depth - 1];
    land(t, &c->wait, t->step_count);
    if (c->op == IR_TRY) t->level--;
    c->op = ins->op; /* ELSE, CATCH: failures belong further out from here */
    Step *s = interp__step(t, ins->op == IR_ELSE ? interp__else : interp__catch, ins);
    s->dst = c->before;
    s->c = c->first;
    if (ins->op == IR_CATCH) s->caught = c->caught;
    will_jump(t, s);
}

static void finish(Translate *t, const IrIns *ins)
{
    Control *c = &t->control[t->depth - 1];
    land(t, &c->wait, t->step_count);
    if (c->op == IR_ARM) t->level--;
    bool two = c->op == IR_IF || c->op == IR_ELSE;
    t->depth--;
    Step *s = interp__step(t, interp__end, ins);
    s->dst = c->before;
    will_jump(t, s);
    interp__column_give(t, c->before, 1);
    if (two) interp__column_give(t, c->first, 1);
    if (c->caught != NO_COLUMN) interp__column_give(t, c->caught, 1);
}

static void fail(Translate *t, const IrIns *ins)
{
    FailText *text = interp__alloc(t, 1, sizeof *text);
    if (!text) return;
    Str field = ins->imm.fail.field.len ? ins->imm.fail.field : ins->field;
    *text = (FailText){text_of(t, field), text_of(t, ins->imm.fail.reason)};
    Step *s = interp__step(t, interp__fail, ins);
    s->reason = ir_reason_number(ins->imm.fail.reason);
    s->more = text;
    will_jump(t, s);
}

static void instruction(Translate *t, const IrIns *ins)
{
    switch (ins->op) {
    case IR_CONST: named(t, ins, constant(t, ins)); break;
    case IR_MOVE: move(t, ins); break;
    case IR_FIELD: named(t, ins, interp__input(t, ins->a)->value.column); break;
    case IR_HAS: named(t, ins, interp__input(t, ins->a)->has); break;
    case IR_META: meta(t, ins); break;
    case IR_CONV: convert(t, ins); break;
    case IR_ADD:
    case IR_SUB:
    case IR_MUL:
    case IR_DIV:
    case IR_IDIV:
    case IR_MOD:
    case IR_EQ:
    case IR_NE:
    case IR_LT:
    case IR_LE:
    case IR_GT:
    case IR_GE:
    case IR_AND:
    case IR_OR:
    case IR_STARTS:
    case IR_ENDS:
    case IR_CONTAINS:
    case IR_MATCHES: binary(t, ins); break;
    case IR_NEG:
    case IR_FINITE:
    case IR_NOT:
        compute(t, ins, interp__unary(ins->op, interp__cell(t->stage->regs[ins->a].type)));
        break;
    case IR_TEXT: to_text(t, ins); break;
    case IR_CONCAT: concat(t, ins); break;
    case IR_CALL: call(t, ins); break;
    case IR_LIST_OF:
    case IR_INDEX:
    case IR_COUNT_OF:
    case IR_ITEM_FIELD:
    case IR_LIST_HAS:
    case IR_LIST_AGG: interp__list(t, ins); break;
    case IR_MEM: interp__memory(t, ins); break;
    case IR_LOOKUP:
    case IR_RECALL: interp__find(t, ins); break;
    case IR_IF: begin_if(t, ins); break;
    case IR_TRY:
    case IR_ARM: begin_level(t, ins); break;
    case IR_ELSE:
    case IR_CATCH: middle(t, ins); break;
    case IR_END:
    case IR_ENDTRY:
    case IR_ENDARM: finish(t, ins); break;
    case IR_FAIL: fail(t, ins); break;
    case IR_DROP: (void)dropping(t, interp__drop, ins); break;
    case IR_PASS:
    case IR_WATERMARK:
    case IR_CLOCK:
    case IR_WINDOW:
    case IR_EACH:
    case IR_REMEMBER:
    case IR_EMIT: interp__stream(t, ins); break;
    case IR_OP__COUNT: break;
    }
}

/* ---- the stage ---- */

static void lists(Translate *t)
{
    const IrStage *s = t->stage;
    uint32_t streams = 0, constants = 0;
    for (uint32_t i = 0; i < s->code_count; i++) {
        streams += ir_op_info(s->code[i].op)->effect >= 2;
        constants += s->code[i].op == IR_CONST;
    }
    t->regs = interp__alloc(t, s->reg_count + 1, sizeof *t->regs);
    t->effects = interp__alloc(t, streams + 1, sizeof *t->effects);
    t->passes = interp__alloc(t, streams + 1, sizeof *t->passes);
    t->notes = interp__alloc(t, streams + 1, sizeof *t->notes);
    t->inputs = interp__alloc(t, s->leaf_count + 1, sizeof *t->inputs);
    t->leaf_input = interp__alloc(t, s->leaf_count + 1, sizeof *t->leaf_input);
    t->constants = interp__alloc(t, constants + 1, sizeof *t->constants);
}

static void fixed_columns(Translate *t)
{
    Code *c = t->code;
    *c = (Code){.lanes = t->lanes, .asks = ir_stage_asks(t->pipeline, t->stage)};
    c->active = interp__column_new(t, 1);
    c->end = interp__column_new(t, 1);
    c->bad = interp__column_new(t, 1);
    c->spare = interp__column_new(t, 16);
    c->sel = t->bytes;
    t->bytes += (uint32_t)(sizeof(uint16_t) * t->lanes + 63) / 64 * 64;
    c->ends = t->bytes;
    t->bytes += (uint32_t)(sizeof(LaneEnd) * t->lanes + 63) / 64 * 64;
}

static void walk(Translate *t)
{
    const IrStage *s = t->stage;
    lists(t);
    if (t->failed) return;
    fixed_columns(t);
    interp__find_lives(t);
    if (t->result != NO_REG) t->regs[t->regs[t->result].root].pinned = true;
    for (t->at = 0; t->at < s->code_count && !t->failed; t->at++) {
        const IrIns *ins = &s->code[t->at];
        instruction(t, ins);
        interp__release(t, ins);
    }
    land(t, &t->wait, t->step_count);
    for (uint32_t i = 0; i + 1 < t->effect_count; i++) t->effects[i].may_wait = false;
    Code *c = t->code;
    const Effect *last = t->effect_count ? &t->effects[t->effect_count - 1] : NULL;
    bool marked = t->effect_count == 2 && t->effects[0].run == interp__watermark;
    if (last && last->may_wait && last->size_ns && (t->effect_count == 1 || marked))
        c->window = last;
    if (c->window && marked) c->watermark = &t->effects[0];
    c->stage = s;
    c->steps = t->steps;
    c->step_count = t->step_count;
    c->effects = t->effects;
    c->effect_count = t->effect_count;
    c->passes = t->passes;
    c->pass_count = t->pass_count;
    c->notes = t->notes;
    c->note_count = t->note_count;
    c->inputs = t->inputs;
    c->input_count = t->input_count;
    c->constants = t->constants;
    c->constant_count = t->constant_count;
    c->live = t->bytes; /* masks behind each other, not on 64 bytes */
    t->bytes += (t->level_max + 1) * t->lanes;
    c->bytes = (t->bytes + 63) / 64 * 64;
}

MUST static Status translate(const Translate *with, uint32_t lanes, Code *ret_code,
                             uint32_t *ret_column)
{
    Translate *t = arena_one(with->arena, Translate);
    if (!t) return diag_set(with->diag, ST_NO_MEMORY, "no memory to translate the program");
    *t = *with;
    t->time.column = NO_COLUMN;
    t->code = ret_code;
    t->lanes = lanes;
    walk(t);
    if (t->result != NO_REG && !t->failed) *ret_column = interp__column(t, t->result);
    return t->failed;
}

/* As many lanes as stage 0 has. */
Status interp__translate_filter(const IrProgram *ir, const Linked *linked,
                                const IrPipeline *pipeline, uint32_t lanes, Arena *arena,
                                Code *ret_code, uint32_t *ret_keeps, Diag *diag)
{
    Translate with = {.ir = ir,
                      .pipeline = pipeline,
                      .info = &linked->pipelines[pipeline - ir->pipelines],
                      .schemas = linked->schemas,
                      .stage = pipeline->filter,
                      .result = pipeline->filter_keeps,
                      .arena = arena,
                      .diag = diag};
    return translate(&with, lanes, ret_code, ret_keeps);
}

/* Records of a source come many at once; rows of windows and late records one by one. */
Status interp__translate(const IrProgram *ir, const Linked *linked, const IrPipeline *pipeline,
                         uint32_t stage, Arena *arena, Code *ret_code, Diag *diag)
{
    return interp__translate_common(ir, linked, pipeline, &pipeline->stages[stage], arena, ret_code,
                                    diag);
}

Status interp__translate_common(const IrProgram *ir, const Linked *linked,
                                const IrPipeline *pipeline, const IrStage *stage, Arena *arena,
                                Code *ret_code, Diag *diag)
{
    static const uint32_t lanes[] = {INTERP_LANES_MAX, 128, 64, 32, 16, 1};
    bool many = stage->from == IR_FROM_SOURCE;
    Translate with = {.ir = ir,
                      .pipeline = pipeline,
                      .info = &linked->pipelines[pipeline - ir->pipelines],
                      .schemas = linked->schemas,
                      .stage = stage,
                      .result = NO_REG,
                      .arena = arena,
                      .diag = diag};
    for (size_t i = many ? 0 : COUNT_OF(lanes) - 1; i < COUNT_OF(lanes); i++) {
        Status st = translate(&with, lanes[i], ret_code, NULL);
        if (st) return st;
        if (ret_code->bytes <= INTERP_FRAME_BYTES || lanes[i] == 16) return ST_OK;
    }
    return ST_OK;
}
