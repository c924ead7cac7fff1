/* compiler/type/aggregate.c: count, sum, mean ... inside the braces of a window.
 *
 * An aggregate's argument is computed where records come in (AggScope.in), its result is a leaf of
 * the row that the window makes: code switches between the two builders here. */
#include "compiler/type/flow.h"

static const struct {
    const char *name;
    IrAggKind kind;
} known_aggs[] = {{"count", AGG_COUNT}, {"sum", AGG_SUM},       {"mean", AGG_MEAN},
                  {"min", AGG_MIN},     {"max", AGG_MAX},       {"first", AGG_FIRST},
                  {"last", AGG_LAST},   {"stddev", AGG_STDDEV}, {"quantile", AGG_QUANTILE}};

static bool agg_type(Check *c, IrAggKind kind, Val *v, Type *out, Str name)
{
    bool number = type_is_number(v->type.kind),
         ordered = number || v->type.kind == IR_TIME || v->type.kind == IR_DURATION;
    bool fine = kind == AGG_FIRST || kind == AGG_LAST ||
                ((kind == AGG_MIN || kind == AGG_MAX) ? ordered : number);
    if (kind == AGG_SUM && v->type.kind == IR_DURATION) fine = true;
    if (!fine || v->type.kind == IR_RECORD || v->type.kind == IR_LIST || v->type.kind == IR_JSON) {
        Diagnostic *d = diag_error(c->diags, DIAG_T005, v->span, "`%.*s` does not work on %.*s",
                                   STR_ARG(name), STR_ARG(type_text(c->arena, &v->type)));
        check__value_fix(c, d, v);
        if (v->type.kind == IR_LIST)
            diag_note(c->diags, d, (Span){UINT32_MAX, 0, 0},
                      "of the list in each record, then of all records: %.*s(%.*s(...))",
                      STR_ARG(name), STR_ARG(name));
        return false;
    }
    if (kind == AGG_SUM && unit_affine(v->type.unit)) {
        Unit kelvin = unit_difference(v->type.unit);
        diag_error(c->diags, DIAG_U005, v->span, "a sum of [%.*s] has no meaning, only of [%.*s]",
                   STR_ARG(v->type.unit->text), STR_ARG(kelvin.factors[0].name));
        return false;
    }
    IrType to = v->type.kind;
    if (kind == AGG_MEAN || kind == AGG_STDDEV || kind == AGG_QUANTILE) to = IR_F64;
    if (kind == AGG_SUM && to == IR_I32) to = IR_I64;
    if (kind == AGG_SUM && to == IR_U32) to = IR_U64;
    if (kind == AGG_SUM && to == IR_F32) to = IR_F64;
    if (!check__coerce(c, v, to)) return false;
    *out = v->type;
    out->span = (Span){0};
    out->has_range = false;
    if (kind == AGG_STDDEV && unit_affine(v->type.unit)) {
        Unit *unit = NEW(c, Unit, 1);
        *unit = unit_difference(v->type.unit);
        out->unit = unit;
    }
    return true;
}

static bool fraction(Check *c, const AstExpr *e, const char *what, double low, double high,
                     double *ret_value)
{
    Val v;
    if (!check__constant_expr(c, e, NULL, what, &v)) return false;
    if (!type_is_number(v.type.kind)) {
        diag_error(c->diags, DIAG_T005, e->span, "%s is a number", what);
        return false;
    }
    *ret_value = check__val_number(&v);
    if (*ret_value >= low && *ret_value <= high) return true;
    diag_error(c->diags, DIAG_T005, e->span, "%s is between %g and %g", what, low, high);
    return false;
}

static bool quantile_args(Check *c, const AstExpr *e, IrAgg *agg)
{
    agg->within = 0.01;
    const AstArg *p = e->as.call.args->next, *within = p ? p->next : NULL;
    if (!p || p->kind != AST_ARG_PLAIN || (within && within->kind != AST_ARG_WITHIN) ||
        (within && within->next)) {
        diag_error(c->diags, DIAG_T004, e->span,
                   "write quantile(x, 0.95) or "
                   "quantile(x, 0.95, within 1%%)");
        return false;
    }
    if (!fraction(c, p->value, "a quantile", 0, 1, &agg->p)) return false;
    return !within || fraction(c, within->value, "the error", 0.0005, 0.2, &agg->within);
}

/* A leaf for this aggregate, or the one of an equal aggregate. */
static uint32_t agg_leaf(Check *c, IrAgg agg, uint32_t value, uint32_t has, const Type *type)
{
    AggScope *s = c->agg;
    for (uint32_t i = 0; i < s->count; i++) {
        const IrAgg *x = &s->aggs[i];
        if (x->kind == agg.kind && s->inputs[2 * i] == value && s->inputs[2 * i + 1] == has &&
            x->p == agg.p && x->within == agg.within)
            return s->first_leaf + i;
    }
    agg.out = s->first_leaf + s->count;
    s->aggs[s->count] = agg;
    s->inputs[2 * s->count] = value;
    s->inputs[2 * s->count + 1] = has;
    s->outs[s->count] = (IrField){
        .name = check__text(c, "%.*s%s%u", STR_ARG(c->target), c->target.len ? "_" : "a", s->count),
        .type = type->kind,
        .optional = type->optional,
        .bytes_max = type->bytes_max,
        .scale = type->scale,
        .names = type->names,
        .unit = type->unit ? type->unit->text : STR("")};
    return s->first_leaf + s->count++;
}

static bool input(Check *c, const AstExpr *e, IrAgg *agg, Type *out, uint32_t *value, uint32_t *has)
{
    const AstArg *args = e->as.call.args;
    Str name = e->as.call.name.text;
    *value = *has = NO_REG;
    *out = (Type){.kind = IR_I64};
    if (agg->kind == AGG_COUNT && !args) return true;
    if (agg->kind == AGG_COUNT) {
        agg->kind = AGG_COUNT_IF;
        agg->type = IR_BOOL;
        if (args->next || args->kind != AST_ARG_WHERE) {
            diag_error(c->diags, DIAG_T004, e->span, "write count() or count(where ...)");
            return false;
        }
        *value = check__condition(c, args->value, "`count(where ...)`");
        return *value != NO_REG;
    }
    bool extra = args && args->next && agg->kind != AGG_QUANTILE;
    if (!args || args->kind != AST_ARG_PLAIN || extra) {
        diag_error(c->diags, DIAG_T004, e->span, "`%.*s` takes one value", STR_ARG(name));
        return false;
    }
    if (agg->kind == AGG_QUANTILE && !quantile_args(c, e, agg)) return false;
    Val v = check__expr(c, args->value, NULL);
    if (check__bad(&v)) return false;
    if (v.type.null || !agg_type(c, agg->kind, &v, out, name)) return false;
    out->optional = v.type.optional && agg->kind != AGG_SUM; /* the sum of nothing is 0 */
    if (v.type.optional && v.wild) v.wild = false;           /* missing ones are not looked at */
    v = check__finite(c, v);
    if (v.constant) v = check__settle(c, v, STR_NONE);
    *value = v.reg;
    *has = v.has;
    agg->type = v.type.kind;
    agg->scale = v.type.scale;
    return true;
}

Val check__aggregate(Check *c, const AstExpr *e, bool *ret_known)
{
    Str name = e->as.call.name.text;
    size_t which = 0;
    while (which < COUNT_OF(known_aggs) && !str_is(name, known_aggs[which].name)) which++;
    IrAggKind kind = which < COUNT_OF(known_aggs) ? known_aggs[which].kind : AGG_COUNT;
    *ret_known = which < COUNT_OF(known_aggs);
    /* min and max of two values are plain functions. */
    bool two = (kind == AGG_MIN || kind == AGG_MAX) && e->as.call.args && e->as.call.args->next;
    if (two) *ret_known = false;
    if (!*ret_known) return check__error_val(e->span);
    if (!c->agg || c->in_agg) {
        bool is_list;
        Val v = check__list_agg(c, e, kind, &is_list);
        if (is_list) return v;
        diag_error(c->diags, DIAG_S015, e->span,
                   c->in_agg ? "`%.*s` does not stand inside another aggregate"
                             : "`%.*s` works on the records of a window, inside its braces",
                   STR_ARG(name));
        return check__error_val(e->span);
    }
    if (c->agg->count >= TYPE_LEAVES_MAX / 2) {
        diag_error(c->diags, DIAG_T018, e->span, "a window has at most %d aggregates",
                   TYPE_LEAVES_MAX / 2);
        return check__error_val(e->span);
    }
    IrBuilder *out_builder = c->b;
    Row *out_row = c->row;
    uint32_t out_time = c->flow->time_reg;
    c->b = c->agg->in;
    c->row = c->agg->in_row;
    c->flow->time_reg = c->agg->in_time;
    c->in_agg = true;
    IrAgg agg = {.kind = kind, .type = IR_NONE};
    Type type;
    uint32_t value, has;
    bool fine = input(c, e, &agg, &type, &value, &has);
    c->in_agg = false;
    c->b = out_builder;
    c->row = out_row;
    c->flow->time_reg = out_time;
    if (!fine) return check__error_val(e->span);
    uint32_t leaf = agg_leaf(c, agg, value, has, &type);
    Val v = {.type = type, .has = NO_REG, .span = e->span};
    v.reg = build_reg(c->b, check__reg_of(&type, STR_NONE));
    build_ins(c->b, IR_FIELD, v.reg, leaf, NO_REG);
    if (type.optional) {
        v.has = build_temp(c->b, IR_BOOL);
        build_ins(c->b, IR_HAS, v.has, leaf, NO_REG);
    }
    v.wild = type_is_float(type.kind) && kind == AGG_SUM;
    return v;
}
