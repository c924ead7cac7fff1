/* compiler/type/memory.c: functions with memory: prev, delta, rate, ema, hysteresis, held,
 * baseline, and `x becomes v`.
 *
 * Each place in a pipeline where one stands is a memory of its own (a fn's body counts where it is
 * called), with a cell for every key. The key is what the pipeline is keyed by: the keys of `clock
 * by`, of the window the rows come from, and of the windows that follow, as far as they are fields
 * at this place; the finest of them is what a person means by "the record before". */
#include "compiler/type/flow.h"

enum { KEYS_MAX = 16, INPUTS_MAX = CHECK_PARAMS_MAX };

typedef struct Keys {
    uint32_t regs[KEYS_MAX], count;
    IrReg types[KEYS_MAX];
    Str missing; /* a key that is made further down */
    Span missing_span;
} Keys;

/* ---- keys of a place ---- */

/* The field that a path names, looked up without a word when it is not there. */
static const Val *row_value(Check *c, const Row *row, const AstExpr *path)
{
    if (path->kind == AST_NAME) {
        const RowField *field = check__row_find(row, path->as.name);
        return field ? &field->val : NULL;
    }
    if (path->kind != AST_FIELD) return NULL;
    const Val *base = row_value(c, row, path->as.field.base);
    if (!base || base->type.kind != IR_RECORD) return NULL;
    for (uint32_t i = 0; i < base->type.record->count; i++)
        if (str_eq(base->type.record->fields[i].name, path->as.field.name.text))
            return &base->fields[i];
    return NULL;
}

/* A key that may be missing counts as its empty value. */
static uint32_t key_reg(Check *c, const Val *v, bool known)
{
    if (v->has == NO_REG || known) return v->reg;
    uint32_t reg = build_reg(c->b, check__reg_of(&v->type, STR_NONE));
    build_ins(c->b, IR_IF, NO_REG, v->has, NO_REG);
    build_ins(c->b, IR_MOVE, reg, v->reg, NO_REG);
    build_ins(c->b, IR_ELSE, NO_REG, NO_REG, NO_REG);
    IrIns *ins = build_ins(c->b, IR_CONST, reg, NO_REG, NO_REG);
    if (v->type.kind == IR_STR) ins->imm.text = STR("");
    build_ins(c->b, IR_END, NO_REG, NO_REG, NO_REG);
    return reg;
}

static void add_key(Check *c, const Row *row, Keys *keys, const AstExpr *path, Str name, Span span)
{
    AstExpr plain = {.kind = AST_NAME, .as.name = name, .span = span};
    const Val *v = row_value(c, row, path ? path : &plain);
    bool path_is_name = !path || path->kind == AST_NAME || path->kind == AST_FIELD;
    if (!v && path_is_name && !str_eq(name, c->target) && !keys->missing.len) {
        keys->missing = name;
        keys->missing_span = span;
    }
    if (!v || v->reg == NO_REG || v->type.kind == IR_RECORD || v->type.kind == IR_JSON ||
        v->type.kind >= IR_LIST || keys->count == KEYS_MAX)
        return;
    for (uint32_t i = 0; i < keys->count; i++)
        if (str_eq(keys->types[i].name, name)) return;
    Str text;
    bool known =
        !v->type.optional || (path ? check__path(c, path, &text) && check__has_fact(row, text)
                                   : check__has_fact(row, name));
    keys->regs[keys->count] = key_reg(c, v, known);
    keys->types[keys->count++] = check__reg_of(&v->type, name);
}

static void add_picks(Check *c, const Row *row, Keys *keys, const AstPick *pick)
{
    for (; pick; pick = pick->next) {
        const AstExpr *e = pick->path;
        Str name = pick->as.text;
        if (!name.len && e->kind == AST_NAME) name = e->as.name;
        if (!name.len && e->kind == AST_FIELD) name = e->as.field.name.text;
        if (name.len) add_key(c, row, keys, e, name, pick->span);
    }
}

static void add_windows(Check *c, const Row *row, Keys *keys, const AstStage *stage)
{
    for (; stage; stage = stage->next) {
        if (stage->kind == AST_WINDOW) add_picks(c, row, keys, stage->as.window.by);
        for (const AstArm *arm = stage->kind == AST_SPLIT ? stage->as.split.arms : NULL; arm;
             arm = arm->next)
            add_windows(c, row, keys, arm->stages);
    }
}

/* False (reported): what keys the pipeline is not there yet. */
static bool keys_here(Check *c, Span span, const char *what, Keys *keys)
{
    const Place *place = &c->flow->place;
    const Row *row = c->in_fn ? c->call_row : c->row;
    *keys = (Keys){.missing = STR_NONE};
    if (!row) return true;
    add_picks(c, row, keys, place->clock_by);
    for (uint32_t i = 0; i < place->key_count; i++)
        add_key(c, row, keys, NULL, place->keys[i], span);
    const AstStage *from = c->stage;
    if (from && !(from->kind == AST_WINDOW && c->in_agg)) from = from->next;
    add_windows(c, row, keys, from);
    if (keys->count || !keys->missing.len) return true;
    Diagnostic *d = diag_error(c->diags, DIAG_S031, span,
                               "%s remembers for each `%.*s`, and that is not known here yet", what,
                               STR_ARG(keys->missing));
    diag_note(c->diags, d, keys->missing_span,
              "keyed here: make `%.*s` before this place, or count by a field that is there",
              STR_ARG(keys->missing));
    return false;
}

/* ---- one memory ---- */

/* By what state finds its place in the next version: what it is and for which name; places of one
 * name are numbered. */
static Str place_name(Check *c, const char *word)
{
    const Flow *f = c->flow;
    Str name = check__text(c, "%.*s.%s.%.*s", STR_ARG(f->p.name), word, STR_ARG(c->target));
    uint32_t same = 0;
    for (uint32_t i = 0; i < f->p.mem_count; i++)
        same += str_eq(f->p.mems[i].name, name) ||
                (str_starts(f->p.mems[i].name, name) && f->p.mems[i].name.ptr[name.len] == '#');
    return same ? check__text(c, "%.*s#%u", STR_ARG(name), same) : name;
}

Val check__memory_call(Check *c, IrMem mem, const AstPick *by, const Val *inputs, uint32_t count,
                       Type result, bool optional, Span span)
{
    Flow *f = c->flow;
    result.optional = optional;
    result.has_range = false;
    result.span = (Span){0};
    Val v = {.type = result, .has = NO_REG, .span = span};
    v.reg = build_reg(c->b, check__reg_of(&result, STR_NONE));
    if (optional) v.has = build_temp(c->b, IR_BOOL);
    v.wild = type_is_float(result.kind) && (mem.kind == MEM_DELTA || mem.kind == MEM_RATE ||
                                            mem.kind == MEM_EMA || mem.kind == MEM_BASELINE);
    if (!f) { /* the body of a fn, checked on its own; its code is thrown away */
        build_ins(c->b, IR_CONST, v.reg, NO_REG, NO_REG);
        if (optional) build_ins(c->b, IR_CONST, v.has, NO_REG, NO_REG);
        return v;
    }
    const char *word =
        mem.name.len ? check__text(c, "%.*s", STR_ARG(mem.name)).ptr : ir_mem_kind(mem.kind);
    Keys keys;
    if (by || mem.alone) {
        keys = (Keys){.missing = STR_NONE};
        for (const AstPick *pick = by; pick; pick = pick->next) {
            Val key = check__expr(c, pick->path, NULL);
            if (!check__key(c, &key, pick->span)) return check__error_val(span);
            if (keys.count == KEYS_MAX) {
                diag_error(c->diags, DIAG_S013, pick->span, "at most %d keys", KEYS_MAX);
                return check__error_val(span);
            }
            keys.types[keys.count] = check__reg_of(&key.type, key.path);
            keys.regs[keys.count++] = key.reg;
        }
    } else if (!keys_here(c, span, check__text(c, "`%s`", word).ptr, &keys)) {
        return check__error_val(span);
    }
    uint32_t args[KEYS_MAX + 2 * INPUTS_MAX], total = 0;
    mem.name = place_name(c, word);
    mem.keys = NEW(c, IrReg, keys.count + 1);
    mem.key_count = keys.count;
    if (keys.count) memcpy(mem.keys, keys.types, keys.count * sizeof(IrReg));
    mem.inputs = NEW(c, IrReg, count + 1);
    mem.input_count = count;
    mem.node = c->b->node;
    mem.event_time = f->has_time || f->in_rows;
    for (uint32_t i = 0; i < keys.count; i++) args[total++] = keys.regs[i];
    for (uint32_t i = 0; i < count; i++) {
        mem.inputs[i] = check__reg_of(&inputs[i].type, STR_NONE);
        args[total++] = check__reg(c, &inputs[i]);
        args[total++] = inputs[i].has;
    }
    IrIns *ins = build_list(c->b, IR_MEM, v.reg, args, total);
    ins->imm.index = f->p.mem_count;
    ins->a = f->time_reg;
    ins->has = v.has;
    ins->span = span;
    if (f->p.mem_count >= TYPE_LEAVES_MAX) {
        diag_error(c->diags, DIAG_T018, span, "a pipeline remembers in at most %d places",
                   TYPE_LEAVES_MAX);
        return check__error_val(span);
    }
    *PUSH(c, f->p.mems, f->p.mem_count, f->mem_cap) = mem;
    return v;
}

bool check__key(Check *c, Val *v, Span span)
{
    if (check__bad(v)) return false;
    if (!check__present(c, v, check__key_needs)) return false;
    if (v->type.kind == IR_RECORD || v->type.kind == IR_JSON || v->type.kind >= IR_LIST) {
        Diagnostic *d =
            diag_error(c->diags, DIAG_S013, span, "a key is a single value, this is %.*s",
                       STR_ARG(type_text(c->arena, &v->type)));
        check__value_fix(c, d, v);
        return false;
    }
    *v = check__settle(c, *v, STR_NONE);
    return true;
}

/* ---- the functions ---- */

typedef struct Function {
    const char *name;
    IrMemKind kind;
    uint32_t values, spans; /* arguments: values first, then a duration */
    const char *doc;
} Function;

static const Function functions[] = {
    {"prev", MEM_PREV, 1, 0, "prev(x) is x of the record before"},
    {"delta", MEM_DELTA, 1, 0, "delta(x) is x minus x of the record before"},
    {"rate", MEM_RATE, 1, 0, "rate(x) is how fast x changes, per second"},
    {"ema", MEM_EMA, 1, 1, "ema(x, 30s) is x smoothed with a time constant"},
    {"hysteresis", MEM_HYSTERESIS, 3, 0,
     "hysteresis(x, on: 80, off: 75) goes on at 80 and off at 75"},
    {"held", MEM_HELD, 1, 1, "held(cond, 10s) is true once cond was true for 10s"},
    {"baseline", MEM_BASELINE, 1, 1, "baseline(x, 24h) is the mean of x over the 24h before"}};

const char *check__memory_name(uint32_t index)
{
    return index < COUNT_OF(functions) ? functions[index].name : NULL;
}

static Val misused(Check *c, const AstExpr *e, const Function *fn)
{
    Diagnostic *d =
        diag_error(c->diags, DIAG_T004, e->span, "`%s` takes other arguments", fn->name);
    diag_note(c->diags, d, (Span){UINT32_MAX, 0, 0}, "%s", fn->doc);
    return check__error_val(e->span);
}

bool check__input(Check *c, const AstExpr *e, Val *v, Tagged *t)
{
    *v = check__expr(c, e, NULL);
    if (check__bad(v)) return false;
    if (t) *v = check__untag(c, *v, t);
    if (v->type.null) {
        diag_error(c->diags, DIAG_T009, e->span, "null alone has no type");
        return false;
    }
    if (v->type.kind == IR_RECORD || v->type.kind == IR_JSON || v->type.kind >= IR_LIST) {
        diag_error(c->diags, DIAG_T005, v->span, "only single values are remembered, this is %.*s",
                   STR_ARG(type_text(c->arena, &v->type)));
        return false;
    }
    if (v->wild && v->has != NO_REG) {
        build_ins(c->b, IR_IF, NO_REG, v->has, NO_REG);
        build_ins(c->b, IR_FINITE, v->reg, v->reg, NO_REG);
        build_ins(c->b, IR_END, NO_REG, NO_REG, NO_REG);
        v->wild = false;
    }
    uint32_t has = v->has;
    *v = check__settle(c, *v, STR_NONE);
    v->has = has;
    return true;
}

static bool number_kind(IrType kind)
{
    return type_is_number(kind) || kind == IR_DURATION;
}

static bool want_number(Check *c, const Val *v, const Function *fn, bool time_too)
{
    if (number_kind(v->type.kind) || (time_too && v->type.kind == IR_TIME)) return true;
    Diagnostic *d = diag_error(c->diags, DIAG_T005, v->span, "`%s` does not work on %.*s", fn->name,
                               STR_ARG(type_text(c->arena, &v->type)));
    diag_note(c->diags, d, (Span){UINT32_MAX, 0, 0}, "%s", fn->doc);
    return false;
}

const Unit *check__step_unit(Check *c, const Unit *unit)
{
    if (!unit_affine(unit)) return unit;
    Unit *out = NEW(c, Unit, 1);
    *out = unit_difference(unit);
    return out;
}

bool check__rate_unit(Check *c, const Val *v, const Unit **ret_unit)
{
    Unit second, *out = NEW(c, Unit, 1);
    const Unit *unit = check__step_unit(c, v->type.unit);
    *ret_unit = NULL;
    if (!unit_find(STR("s"), &second) || unit_multiply(c->arena, unit, &second, -1, out)) {
        diag_error(c->diags, DIAG_U005, v->span, "this product of units is too long");
        return false;
    }
    *ret_unit = out->factor_count ? out : NULL;
    return true;
}

static Val quality_before(Check *c, const Tagged *t, uint32_t has, Span span)
{
    Val q = {.type = check__quality_type(), .reg = t->quality, .has = has, .span = span};
    IrMem mem = {.kind = MEM_PREV};
    q.type.optional = has != NO_REG;
    return check__memory_call(c, mem, NULL, &q, 1, check__quality_type(), true, span);
}

/* The worst of this record and the one before. */
static void both_qualities(Check *c, Tagged *t, uint32_t has, Span span)
{
    Val q = quality_before(c, t, has, span);
    Type type = check__quality_type();
    uint32_t worst = build_reg(c->b, check__reg_of(&type, STR_NONE));
    build_ins(c->b, IR_MOVE, worst, t->quality, NO_REG);
    build_ins(c->b, IR_IF, NO_REG, q.has, NO_REG);
    Val above = check__emit2(c, IR_GT, (Type){.kind = IR_BOOL}, q.reg, t->quality, span);
    build_ins(c->b, IR_IF, NO_REG, above.reg, NO_REG);
    build_ins(c->b, IR_MOVE, worst, q.reg, NO_REG);
    build_ins(c->b, IR_END, NO_REG, NO_REG, NO_REG);
    build_ins(c->b, IR_END, NO_REG, NO_REG, NO_REG);
    t->quality = worst;
}

/* A tag's prev is what the tag was: value, quality and time. */
static Val prev(Check *c, const AstExpr *e)
{
    Val v;
    IrMem mem = {.kind = MEM_PREV};
    Tagged t = {0};
    if (!check__input(c, e->as.call.args->value, &v, &t)) return check__error_val(e->span);
    uint32_t has = v.has;
    Val out = check__memory_call(c, mem, NULL, &v, 1, v.type, true, e->span);
    if (!t.any || check__bad(&out)) return out;
    Type time_type = {.kind = IR_TIME, .optional = true};
    Val time = {.type = time_type, .reg = t.time, .has = t.time_has, .span = e->span};
    time = check__memory_call(c, mem, NULL, &time, 1, time_type, true, e->span);
    Tagged before = {true, quality_before(c, &t, has, e->span).reg, time.reg, time.has};
    return check__retag_optional(c, out, &before);
}

static Val delta_or_rate(Check *c, const Function *fn, const AstExpr *e, const AstExpr *reset)
{
    Val in[2];
    Tagged tags = {0};
    if (!check__input(c, e->as.call.args->value, &in[0], &tags) ||
        !want_number(c, &in[0], fn, fn->kind == MEM_DELTA))
        return check__error_val(e->span);
    Type type = in[0].type;
    uint32_t has = in[0].has;
    if (type_is_integer(type.kind) && type.kind != IR_U64 && !check__coerce(c, &in[0], IR_I64))
        return check__error_val(e->span);
    if (fn->kind == MEM_RATE && (type.kind == IR_DECIMAL || type.kind == IR_F32) &&
        !check__coerce(c, &in[0], IR_F64))
        return check__error_val(e->span);
    in[0].has = has;
    if (reset) {
        Type want = in[0].type;
        want.optional = false;
        in[1] = check__expr(c, reset, &want);
        if (check__bad(&in[1]) ||
            !check__fit(c, &in[1], &want, "the limit of", e->as.call.name.text))
            return check__error_val(e->span);
        in[1] = check__settle(c, in[1], STR_NONE);
    }
    IrMem mem = {.kind = fn->kind, .resets = reset != NULL};
    if (fn->kind == MEM_DELTA) {
        type = in[0].type;
        if (type_is_integer(type.kind)) type.kind = IR_I64;
        if (type.kind == IR_TIME) type.kind = IR_DURATION;
        type.unit = check__step_unit(c, type.unit);
    } else {
        const Unit *unit;
        if (!check__rate_unit(c, &in[0], &unit)) return check__error_val(e->span);
        if (type.kind == IR_DURATION) {
            diag_error(c->diags, DIAG_T005, in[0].span,
                       "`rate` takes a number; write rate(seconds(x))");
            return check__error_val(e->span);
        }
        type = (Type){.kind = IR_F64, .unit = unit};
    }
    Val v = check__memory_call(c, mem, NULL, in, reset ? 2 : 1, type, true, e->span);
    if (tags.any) both_qualities(c, &tags, has, e->span);
    return check__retag_optional(c, v, &tags);
}

static bool span_of(Check *c, const AstExpr *e, const Function *fn, int64_t *ret_ns)
{
    Val v;
    if (!check__constant_expr(c, e, NULL, "a span of time", &v)) return false;
    if (v.type.kind == IR_DURATION && v.imm.integer > 0) {
        *ret_ns = v.imm.integer;
        return true;
    }
    Diagnostic *d =
        diag_error(c->diags, DIAG_T005, e->span, "`%s` needs a time above 0 here", fn->name);
    diag_note(c->diags, d, (Span){UINT32_MAX, 0, 0}, "%s", fn->doc);
    return false;
}

static Val smoothed(Check *c, const Function *fn, const AstExpr *e)
{
    Val v;
    IrMem mem = {.kind = fn->kind};
    const AstArg *args = e->as.call.args;
    Tagged tags = {0};
    if (!check__input(c, args->value, &v, &tags) || !want_number(c, &v, fn, false) ||
        !span_of(c, args->next->value, fn, &mem.span_ns))
        return check__error_val(e->span);
    if (v.type.kind == IR_DURATION) {
        diag_error(c->diags, DIAG_T005, v.span, "`%s` takes a number; write %s(seconds(x), ...)",
                   fn->name, fn->name);
        return check__error_val(e->span);
    }
    uint32_t has = v.has;
    if (!check__coerce(c, &v, IR_F64)) return check__error_val(e->span);
    v.has = has;
    bool optional = fn->kind == MEM_BASELINE || has != NO_REG;
    v = check__memory_call(c, mem, NULL, &v, 1, v.type, optional, e->span);
    return check__retag_optional(c, v, &tags);
}

static Val held(Check *c, const Function *fn, const AstExpr *e)
{
    const AstArg *args = e->as.call.args;
    IrMem mem = {.kind = MEM_HELD};
    uint32_t cond = check__condition(c, args->value, "`held`");
    if (cond == NO_REG || !span_of(c, args->next->value, fn, &mem.span_ns))
        return check__error_val(e->span);
    Val v = {.type = {.kind = IR_BOOL}, .reg = cond, .has = NO_REG, .span = e->span};
    return check__memory_call(c, mem, NULL, &v, 1, v.type, false, e->span);
}

/* Both sides in one type, as a comparison would have them. */
bool check__unify(Check *c, Val *x, Val *limit, const Unit *unit, Span span)
{
    if (!check__present(c, limit, "this is always there")) return false;
    uint32_t has = x->has, mark = c->b->stage->code_count;
    *limit = check__finite(c, *limit);
    Val plain = *x;
    plain.has = NO_REG;
    plain.type.optional = false;
    plain.type.unit = unit;
    Val test = check__compare(c, IR_LT, plain, *limit, span, limit->span); /* for its findings */
    c->b->stage->code_count = mark;
    if (check__bad(&test)) return false;
    if (!type_is_number(plain.type.kind)) return true;
    Type type = check__number_type(IR_LT, &plain, limit);
    if (!check__coerce_to(c, x, &type) || !check__coerce_to(c, limit, &type)) return false;
    x->has = has;
    return true;
}

static Val hysteresis(Check *c, const Function *fn, const AstExpr *e)
{
    const AstArg *on = e->as.call.args->next;
    const AstExpr *limits[2] = {on->value, on->next->value};
    Val in[3];
    if (!check__input(c, e->as.call.args->value, &in[0], NULL) ||
        !want_number(c, &in[0], fn, false))
        return check__error_val(e->span);
    for (int i = 0; i < 2; i++) {
        in[i + 1] = check__expr(c, limits[i], &in[0].type);
        if (check__bad(&in[i + 1])) return check__error_val(e->span);
    }
    /* The second one may have widened x once more. */
    const Unit *unit = in[0].type.unit;
    if (!check__unify(c, &in[0], &in[1], unit, e->span) ||
        !check__unify(c, &in[0], &in[2], unit, e->span) ||
        !check__unify(c, &in[0], &in[1], unit, e->span))
        return check__error_val(e->span);
    for (int i = 1; i < 3; i++) in[i] = check__settle(c, in[i], STR_NONE);
    IrMem mem = {.kind = MEM_HYSTERESIS};
    return check__memory_call(c, mem, NULL, in, 3, (Type){.kind = IR_BOOL}, false, e->span);
}

static bool wrong_place(Check *c, Span span, Str name)
{
    if (c->flow || c->in_fn) return false;
    diag_error(c->diags, DIAG_S030, span, "`%.*s` remembers earlier records, there are none here",
               STR_ARG(name));
    return true;
}

static bool plain_args(const AstExpr *e, const Function *fn)
{
    uint32_t count = 0;
    for (const AstArg *arg = e->as.call.args; arg; arg = arg->next, count++)
        if (arg->kind != AST_ARG_PLAIN) return false;
    return count == fn->values + fn->spans;
}

static Val call(Check *c, const AstExpr *e, const AstExpr *reset, bool *ret_known)
{
    size_t which = 0;
    Str name = e->as.call.name.text;
    while (which < COUNT_OF(functions) && !str_is(name, functions[which].name)) which++;
    *ret_known = which < COUNT_OF(functions);
    if (!*ret_known || wrong_place(c, e->span, name)) return check__error_val(e->span);
    const Function *fn = &functions[which];
    if (!plain_args(e, fn)) return misused(c, e, fn);
    switch (fn->kind) {
    case MEM_DELTA:
    case MEM_RATE: return delta_or_rate(c, fn, e, reset);
    case MEM_EMA:
    case MEM_BASELINE: return smoothed(c, fn, e);
    case MEM_HELD: return held(c, fn, e);
    case MEM_HYSTERESIS: return hysteresis(c, fn, e);
    default: return prev(c, e);
    }
}

Val check__memory(Check *c, const AstExpr *e, bool *ret_known)
{
    return call(c, e, NULL, ret_known);
}

Val check__reset(Check *c, const AstExpr *e, const AstExpr *reset)
{
    bool known = false;
    if (e->kind == AST_CALL && !check__fn(c, e->as.call.name.text) &&
        (str_is(e->as.call.name.text, "delta") || str_is(e->as.call.name.text, "rate"))) {
        const AstExpr *plain = check__arranged(c, e);
        return plain ? call(c, plain, reset, &known) : check__error_val(e->span);
    }
    diag_error(c->diags, DIAG_S032, span_join(e->span, reset->span),
               "`reset at` belongs to delta(x) or rate(x)");
    return check__error_val(e->span);
}

/* Missing counts as another value than v. */
Val check__becomes(Check *c, const AstExpr *e)
{
    if (wrong_place(c, e->span, STR("becomes"))) return check__error_val(e->span);
    Val a = check__expr(c, e->as.op.a, NULL);
    if (check__bad(&a)) return check__error_val(e->span);
    Val b = check__expr(c, e->as.op.b, &a.type);
    if (check__bad(&b)) return check__error_val(e->span);
    uint32_t cond = build_temp(c->b, IR_BOOL), has = a.has;
    build_ins(c->b, IR_CONST, cond, NO_REG, NO_REG)->imm.boolean = false;
    if (has != NO_REG) build_ins(c->b, IR_IF, NO_REG, has, NO_REG);
    a.type.optional = false;
    a.has = NO_REG;
    Val same = check__compare(c, IR_EQ, a, b, e->span, e->as.op.op_span);
    if (check__bad(&same)) return same;
    build_ins(c->b, IR_MOVE, cond, check__reg(c, &same), NO_REG);
    if (has != NO_REG) build_ins(c->b, IR_END, NO_REG, NO_REG, NO_REG);
    Val v = {.type = {.kind = IR_BOOL}, .reg = cond, .has = NO_REG, .span = e->span};
    bool starts = has == NO_REG && b.type.kind == IR_BOOL && b.constant && !b.imm.boolean;
    IrMem mem = {.kind = MEM_EDGE, .starts = starts};
    return check__memory_call(c, mem, NULL, &v, 1, v.type, false, e->span);
}
