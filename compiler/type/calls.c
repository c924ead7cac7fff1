/* compiler/type/calls.c: calls: built-in functions, abs min max clamp, and the program's own fn,
 * whose bodies are put in place of the call. */
#include "compiler/type/check.h"

static uint32_t arg_count(const AstExpr *e)
{
    uint32_t count = 0;
    for (const AstArg *arg = e->as.call.args; arg; arg = arg->next) count++;
    return count;
}

static bool wrong_count(Check *c, const AstExpr *e, uint32_t need, const char *doc)
{
    uint32_t have = arg_count(e);
    if (have == need) return false;
    Diagnostic *d = diag_error(c->diags, DIAG_T004, e->span, "`%.*s` takes %u argument%s, not %u",
                               STR_ARG(e->as.call.name.text), need, need == 1 ? "" : "s", have);
    if (doc) diag_note(c->diags, d, (Span){UINT32_MAX, 0, 0}, "%s", doc);
    return true;
}

static IrType letter(char c)
{
    switch (c) {
    case 'f': return IR_F64;
    case 'i': return IR_I64;
    case 's': return IR_STR;
    case 'b': return IR_BYTES;
    case 't': return IR_TIME;
    default: return IR_DURATION;
    }
}

static bool half_unit(Check *c, Val *v)
{
    if (!v->type.unit) return true;
    Unit root = {.scale = {1, 1, false, 0}, .offset = {0, 1, false, 0}};
    Unit *out = NEW(c, Unit, 1);
    *out = root;
    for (uint32_t i = 0; i < v->type.unit->factor_count; i++) {
        const UnitFactor *f = &v->type.unit->factors[i];
        Unit base;
        if (f->power % 2 || !unit_find(f->name, &base)) return false;
        Unit next;
        if (unit_multiply(c->arena, out, &base, f->power / 2, &next)) return false;
        *out = next;
    }
    v->type.unit = out->factor_count ? out : NULL;
    return true;
}

static bool unit_rule(Check *c, const BuiltinInfo *info, uint32_t i, Val *v, const Unit **unit)
{
    if (!type_is_number(v->type.kind) || unit_convertible(v->type.unit, NULL)) {
        if (info->unit == BUILTIN_KEEP && i == 0) *unit = v->type.unit;
        if (v->type.unit && info->unit != BUILTIN_KEEP) {
            double factor, offset;
            unit_conversion(v->type.unit, NULL, &factor, &offset);
            if (factor == 1) return true;
            if (!check__coerce(c, v, IR_F64)) return false;
            Val by = check__constant(IR_F64, (IrImm){.number = factor}, v->span);
            bool wild = v->wild;
            *v = check__emit2(c, IR_MUL, (Type){.kind = IR_F64}, check__reg(c, v),
                              check__reg(c, &by), v->span);
            v->wild = wild;
        }
        return true;
    }
    if (i == 0 && info->unit == BUILTIN_KEEP) {
        *unit = v->type.unit;
        return true;
    }
    if (i == 0 && info->unit == BUILTIN_ROOT && half_unit(c, v)) {
        *unit = v->type.unit;
        return true;
    }
    diag_error(c->diags, DIAG_U002, v->span, "`%s` takes a plain number, this is in [%.*s]",
               info->name, STR_ARG(v->type.unit->text));
    return false;
}

/* round_to(d, 2): a decimal of so many digits. */
static Val round_to_decimal(Check *c, const AstExpr *e, Val v)
{
    Val digits;
    Type whole = {.kind = IR_I64};
    if (!check__constant_expr(c, e->as.call.args->next->value, &whole, "the number of digits",
                              &digits))
        return check__error_val(e->span);
    if (digits.type.kind != IR_I64 || digits.imm.integer < 0 || digits.imm.integer > 15) {
        diag_error(c->diags, DIAG_T005, digits.span, "`round_to` takes 0 to 15 digits");
        return check__error_val(e->span);
    }
    return check__round_decimal(c, v, (uint32_t)digits.imm.integer, ROUND_NEAREST, e->span);
}

static Val builtin(Check *c, const AstExpr *e, Builtin which)
{
    const BuiltinInfo *info = builtin_info(which);
    uint32_t count = (uint32_t)strlen(info->args), i = 0;
    Str doc = check__text(c, "%s(%s): %s", info->name, info->params, info->doc);
    if (wrong_count(c, e, count, doc.ptr)) return check__error_val(e->span);
    uint32_t regs[4] = {0};
    Tagged tagged = {0};
    uint32_t bound = 0;
    const Unit *unit = NULL;
    bool bad = false;
    for (const AstArg *arg = e->as.call.args; arg; arg = arg->next, i++) {
        Val v = check__untag(c, check__expr(c, arg->value, NULL), &tagged);
        if (check__bad(&v)) {
            bad = true;
            continue;
        }
        IrType kind = letter(info->args[i]);
        if (!check__present(c, &v, check__text(c, "`%s` needs a value", info->name).ptr)) {
            bad = true;
            continue;
        }
        bool whole = i == 0 && which >= BUILTIN_ROUND && which <= BUILTIN_TRUNC &&
                     type_is_integer(v.type.kind);
        if (whole) return check__retag(c, v, &tagged);
        if (i == 0 && v.type.kind == IR_DECIMAL && which >= BUILTIN_ROUND && which <= BUILTIN_TRUNC)
            return check__retag(
                c, check__round_decimal(c, v, 0, (IrRound)(which - BUILTIN_ROUND), e->span),
                &tagged);
        if (i == 0 && v.type.kind == IR_DECIMAL && which == BUILTIN_ROUND_TO)
            return check__retag(c, round_to_decimal(c, e, v), &tagged);
        if (which == BUILTIN_LEN && (v.type.kind == IR_LIST || v.type.kind == IR_BYTES))
            return check__retag(c, check__count_of(c, &v, e->span), &tagged);
        bool number = (kind == IR_F64 && type_is_number(v.type.kind)) ||
                      (kind == IR_I64 && type_is_integer(v.type.kind));
        if (!number && v.type.kind != kind) {
            Diagnostic *d = diag_error(c->diags, DIAG_T005, v.span, "`%s` needs %s here, not %.*s",
                                       info->name, kind == IR_STR ? "text" : ir_type_name(kind),
                                       STR_ARG(type_text(c->arena, &v.type)));
            diag_note(c->diags, d, (Span){UINT32_MAX, 0, 0}, "%s", info->doc);
            bad = true;
            continue;
        }
        v = check__finite(c, v);
        if (!unit_rule(c, info, i, &v, &unit) || (number && !check__coerce(c, &v, kind))) {
            bad = true;
            continue;
        }
        v = check__finite(c, v);
        if (i == 0 && info->bound == BOUND_SAME) bound = v.type.bytes_max;
        if (i == 0 && info->bound == BOUND_TWICE) bound = 2 * v.type.bytes_max;
        regs[i] = check__reg(c, &v);
    }
    if (bad) return check__error_val(e->span);
    if (info->bound == BOUND_ANY) bound = 65536;
    Type type = {.kind = letter(info->result[0]), .unit = unit, .bytes_max = bound};
    uint32_t dst = build_reg(c->b, check__reg_of(&type, STR_NONE));
    IrIns *ins = build_list(c->b, IR_CALL, dst, regs, count);
    ins->imm.builtin = which;
    ins->span = e->span;
    Val v = {.type = type, .reg = dst, .has = NO_REG, .span = e->span, .wild = type.kind == IR_F64};
    return check__retag(c, v, &tagged);
}

/* min(a, b) and max(a, b) as plain code: a copy of b, overwritten by a where a is it. */
static Val pick(Check *c, IrOp op, Val a, Val b, Span span)
{
    a = check__settle(c, a, STR_NONE);
    Val first = check__compare(c, op, a, b, span, span);
    if (check__bad(&first)) return first;
    build_ins(c->b, IR_IF, NO_REG, check__reg(c, &first), NO_REG);
    uint32_t mark = c->b->stage->code_count;
    build_ins(c->b, IR_ELSE, NO_REG, NO_REG, NO_REG);
    return check__merge(c, a, mark, b, IR_END, span);
}

static Val of_values(Check *c, const AstExpr *e, IrOp op, const Val *args, uint32_t count);

static Val special(Check *c, const AstExpr *e, const Type *want, bool *ret_known)
{
    Str name = e->as.call.name.text;
    bool is_min = str_is(name, "min"), is_max = str_is(name, "max");
    uint32_t need = str_is(name, "abs") ? 1 : is_min || is_max ? 2 : str_is(name, "clamp") ? 3 : 0;
    *ret_known = need != 0;
    if (!need || wrong_count(c, e, need, NULL)) return check__error_val(e->span);
    Val args[3];
    Tagged tagged = {0};
    uint32_t i = 0;
    for (const AstArg *arg = e->as.call.args; arg; arg = arg->next, i++) {
        args[i] = check__untag(c, check__expr(c, arg->value, want), &tagged);
        if (check__bad(&args[i]) || !check__present(c, &args[i], "this needs a value"))
            return check__error_val(e->span);
        if (args[i].type.kind == IR_RECORD) {
            diag_error(c->diags, DIAG_T005, args[i].span, "`%.*s` takes single values",
                       STR_ARG(name));
            return check__error_val(e->span);
        }
        args[i] = check__finite(c, args[i]);
    }
    return check__retag(c, of_values(c, e, is_min ? IR_LE : IR_GE, args, need), &tagged);
}

/* min and max of two (op), clamp of three, abs of one. */
static Val of_values(Check *c, const AstExpr *e, IrOp op, const Val *args, uint32_t need)
{
    if (need == 2) return pick(c, op, args[0], args[1], e->span);
    if (need == 3)
        return pick(c, IR_GE, args[1], pick(c, IR_LE, args[0], args[2], e->span), e->span);
    if (!type_is_number(args[0].type.kind) && args[0].type.kind != IR_DURATION) {
        diag_error(c->diags, DIAG_T005, args[0].span, "`abs` needs a number");
        return check__error_val(e->span);
    }
    Val v = check__settle(c, args[0], STR_NONE);
    Val zero = check__constant(v.type.kind, (IrImm){0}, e->span);
    zero.type = v.type;
    Val negative = check__compare(c, IR_LT, v, zero, e->span, e->span);
    build_ins(c->b, IR_IF, NO_REG, check__reg(c, &negative), NO_REG);
    Val minus = v.type.kind == IR_U32 || v.type.kind == IR_U64
                    ? v
                    : check__emit1(c, IR_NEG, v.type, v.reg, e->span);
    uint32_t mark = c->b->stage->code_count;
    build_ins(c->b, IR_ELSE, NO_REG, NO_REG, NO_REG);
    return check__merge(c, minus, mark, v, IR_END, e->span);
}

/* The body with the parameters as locals; nothing else of the pipeline is seen from it. */
static Val body_of(Check *c, Fn *fn, Local *locals)
{
    Local *outer_locals = c->locals;
    Row *row = c->row;
    AggScope *agg = c->agg;
    Row *call_row = c->call_row;
    bool in_fn = c->in_fn;
    Str target = c->target;
    if (c->row && !in_fn) c->call_row = c->row;
    c->locals = locals;
    c->row = NEW(c, Row, 1); /* no fields: only what is known about the parameters */
    c->agg = NULL;
    c->in_fn = true;
    c->target = STR_NONE;
    fn->active = true;
    c->inlined++;
    Scope *outer = check__enter(c, fn->home);
    Val v = check__expr(c, fn->item->as.fn.body, &fn->result);
    if (check__bad(&v) || !check__fit(c, &v, &fn->result, "the result of", fn->item->name.text))
        v = check__error_val(v.span);
    check__enter(c, outer);
    c->inlined--;
    fn->active = false;
    c->locals = outer_locals;
    c->row = row;
    c->agg = agg;
    c->in_fn = in_fn;
    c->call_row = call_row;
    c->target = target;
    return v;
}

static void check_fn(Check *c, Fn *fn)
{
    if (fn->checked) return;
    fn->checked = true;
    const AstItem *item = fn->item;
    Scope *home = check__enter(c, fn->home);
    uint32_t errors = c->diags->error_count, cap = 0;
    for (const AstParam *p = item->as.fn.params; p; p = p->next) {
        Type type = check__type(c, p->type, 0);
        *PUSH(c, fn->params, fn->param_count, cap) = type;
    }
    fn->result = check__type(c, item->as.fn.result, 0);
    check__enter(c, home);
    IrStage stage = {0};
    IrBuilder builder, *outer = c->b;
    struct Flow *flow = c->flow;
    check__builder(c, &builder, &stage, 0);
    c->b = &builder;
    c->flow = NULL;
    Local *locals = NULL;
    uint32_t i = 0;
    for (const AstParam *p = item->as.fn.params; p; p = p->next, i++) {
        Local *l = NEW(c, Local, 1);
        Val v = {.type = fn->params[i], .reg = NO_REG, .has = NO_REG, .path = p->name.text};
        if (v.type.kind != IR_NONE) v = check__place(c, &fn->params[i], false, p->span);
        v.path = p->name.text;
        *l = (Local){p->name.text, v, locals};
        locals = l;
    }
    body_of(c, fn, locals);
    c->b = outer;
    c->flow = flow;
    fn->broken = c->diags->error_count != errors;
}

static Val call_fn(Check *c, const AstExpr *e, Fn *fn)
{
    if (fn->active || c->inlined >= CHECK_INLINE_MAX) {
        diag_error(c->diags, DIAG_T012, e->span, "`%.*s` calls itself",
                   STR_ARG(e->as.call.name.text));
        return check__error_val(e->span);
    }
    if (!fn->checked) check_fn(c, fn);
    if (fn->param_count != arg_count(e)) {
        wrong_count(c, e, fn->param_count, NULL);
        return check__error_val(e->span);
    }
    Local *locals = NULL;
    uint32_t i = 0;
    bool bad = fn->broken;
    const AstParam *p = fn->item->as.fn.params;
    for (const AstArg *arg = e->as.call.args; arg; arg = arg->next, i++, p = p->next) {
        Val v = check__expr(c, arg->value, &fn->params[i]);
        if (check__bad(&v) || !check__fit(c, &v, &fn->params[i], "the parameter", p->name.text)) {
            bad = true;
            continue;
        }
        if (v.type.null) {
            diag_error(c->diags, DIAG_T009, v.span, "null alone has no type here");
            bad = true;
            continue;
        }
        v = v.type.kind == IR_RECORD ? check__bind(c, v, STR_NONE) : check__finite(c, v);
        v.naked = false;
        v.type.unit = fn->params[i].unit;
        v.type.span = (Span){0};
        v.path = p->name.text;
        Local *l = NEW(c, Local, 1);
        *l = (Local){p->name.text, v, locals};
        locals = l;
    }
    if (bad) return check__error_val(e->span);
    bool quiet = c->quiet;
    c->quiet = true;
    Val v = body_of(c, fn, locals);
    c->quiet = quiet;
    if (!check__bad(&v)) {
        bool optional = v.type.optional;
        uint32_t bytes = v.type.bytes_max;
        v.type = fn->result;
        v.type.optional = optional;
        if (bytes > v.type.bytes_max) v.type.bytes_max = bytes;
    }
    return v;
}

static Val missing(Check *c, const AstExpr *e)
{
    if (wrong_count(c, e, 1, "missing(x) is true when x is not there"))
        return check__error_val(e->span);
    Val v = check__expr(c, e->as.call.args->value, NULL);
    if (check__bad(&v)) return v;
    if (v.has == NO_REG) return check__constant(IR_BOOL, (IrImm){.boolean = false}, e->span);
    return check__emit1(c, IR_NOT, (Type){.kind = IR_BOOL}, v.has, e->span);
}

static void unknown_function(Check *c, const AstExpr *e)
{
    static const char *const others[] = {"abs",  "min",   "max",  "clamp",  "count",    "sum",
                                         "mean", "first", "last", "stddev", "quantile", "missing"};
    Str name = e->as.call.name.text, best = STR_NONE;
    uint32_t distance = UINT32_MAX;
    if (str_is(name, "env")) {
        diag_error(c->diags, DIAG_A005, e->span, "`env` is not available in an expression yet");
        return;
    }
    for (uint32_t i = 0; i < BUILTIN__COUNT; i++)
        diag_suggest(name, str_from(builtin_info((Builtin)i)->name), &best, &distance);
    for (size_t i = 0; i < COUNT_OF(others); i++)
        diag_suggest(name, str_from(others[i]), &best, &distance);
    for (uint32_t i = 0; check__memory_name(i); i++)
        diag_suggest(name, str_from(check__memory_name(i)), &best, &distance);
    check__suggest_map(&c->scope->fns, name, &best, &distance);
    check__suggest_library(name, &best, &distance);
    check__suggest_map(&c->scope->externs, name, &best, &distance);
    Diagnostic *d = diag_error(c->diags, DIAG_N005, e->as.call.name.span,
                               "there is no function `%.*s`", STR_ARG(name));
    check__did_you_mean(c, d, e->as.call.name.span, best);
}

Val check__call(Check *c, const AstExpr *call, const Type *want)
{
    const AstExpr *e = check__arranged(c, call);
    if (!e) return check__error_val(call->span);
    Str name = e->as.call.name.text;
    Fn *fn = check__fn(c, name);
    bool known;
    if (!fn && !map_get(&c->scope->externs, name)) {
        Val v = check__aggregate(c, e, &known);
        if (known) return v;
        v = check__memory(c, e, &known);
        if (known) return v;
    }
    for (const AstArg *arg = e->as.call.args; arg; arg = arg->next) {
        if (arg->kind == AST_ARG_PLAIN) continue;
        diag_error(c->diags, DIAG_T004, arg->span, "`%.*s` takes plain arguments only",
                   STR_ARG(name));
        return check__error_val(e->span);
    }
    if (fn) return call_fn(c, e, fn);
    const Extern *external = map_get(&c->scope->externs, name);
    if (external) return check__extern_call(c, e, external);
    Val v = special(c, e, want, &known);
    if (known) return v;
    if (str_is(name, "missing")) return missing(c, e);
    Builtin which = builtin_find(name);
    if (which != BUILTIN__COUNT) return builtin(c, e, which);
    fn = check__library_fn(c, name);
    if (fn) return call_fn(c, e, fn);
    unknown_function(c, e);
    return check__error_val(e->span);
}

void check__fns(Check *c)
{
    for (const AstItem *item = c->file->items; item; item = item->next) {
        if (item->kind != AST_ITEM_FN || item->broken) continue;
        Fn *fn = check__fn(c, item->name.text);
        if (fn && fn->item == item) check_fn(c, fn);
    }
}
