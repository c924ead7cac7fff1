/* compiler/type/aggregate.c: count, sum, mean ... inside the braces of a window.
 *
 * An aggregate's argument is computed where records come in (AggScope.in), its result is a leaf of
 * the row that the window makes: code switches between the two builders here. */
#include "compiler/type/flow.h"

static const struct {
    const char *name;
    IrAggKind kind;
} known_aggs[] = {{"count", AGG_COUNT},
                  {"sum", AGG_SUM},
                  {"mean", AGG_MEAN},
                  {"min", AGG_MIN},
                  {"max", AGG_MAX},
                  {"first", AGG_FIRST},
                  {"last", AGG_LAST},
                  {"stddev", AGG_STDDEV},
                  {"quantile", AGG_QUANTILE},
                  {"distinct", AGG_DISTINCT},
                  {"delta", AGG_DELTA},
                  {"rate", AGG_RATE},
                  {"time_weighted", AGG_TIME_WEIGHTED},
                  {"list", AGG_LIST},
                  {"good_ratio", AGG_MEAN}};

enum { LIST_ITEMS_MAX = 65536 };

/* What a value must be. */
static bool agg_takes(IrAggKind kind, const Type *type)
{
    bool number = type_is_number(type->kind), span = type->kind == IR_DURATION;
    switch (kind) {
    case AGG_FIRST:
    case AGG_LAST:
    case AGG_DISTINCT:
    case AGG_LIST: return true;
    case AGG_MIN:
    case AGG_MAX:
        return number || span || type->kind == IR_TIME || type->kind == IR_STR ||
               type->kind == IR_BYTES;
    case AGG_SUM: return number || span;
    case AGG_DELTA: return number || span || type->kind == IR_TIME;
    default: return number;
    }
}

/* The kind in which it is computed. */
static IrType agg_computes(IrAggKind kind, const Type *type)
{
    IrType k = type->kind;
    bool whole = type_is_integer(k);
    switch (kind) {
    case AGG_MEAN: return k == IR_DECIMAL ? k : IR_F64; /* decimals are summed exactly */
    case AGG_STDDEV:
    case AGG_QUANTILE:
    case AGG_TIME_WEIGHTED: return IR_F64;
    case AGG_SUM: return k == IR_I32 ? IR_I64 : k == IR_U32 ? IR_U64 : k == IR_F32 ? IR_F64 : k;
    case AGG_RATE: return whole ? k : IR_F64;
    case AGG_DELTA: return whole && k != IR_U64 ? IR_I64 : k;
    default: return k;
    }
}

static bool agg_result(Check *c, IrAggKind kind, const Val *v, Type *out)
{
    *out = v->type;
    out->span = (Span){0};
    out->has_range = false;
    bool difference = kind == AGG_STDDEV || kind == AGG_DELTA || kind == AGG_RATE;
    if (difference) out->unit = check__step_unit(c, v->type.unit);
    if (kind == AGG_DELTA) {
        if (type_is_integer(out->kind)) out->kind = IR_I64;
        if (out->kind == IR_TIME) out->kind = IR_DURATION;
    }
    if (kind == AGG_RATE) {
        *out = (Type){.kind = IR_F64};
        return check__rate_unit(c, v, &out->unit);
    }
    if (kind == AGG_MEAN) {
        out->kind = IR_F64;
        out->scale = 0;
    }
    if (kind == AGG_DISTINCT) *out = (Type){.kind = IR_I64};
    return true;
}

static bool agg_type(Check *c, IrAggKind kind, Val *v, Type *out, Str name)
{
    if (!agg_takes(kind, &v->type) || v->type.kind == IR_RECORD || v->type.kind == IR_LIST ||
        v->type.kind == IR_JSON) {
        Diagnostic *d = diag_error(c->diags, DIAG_T005, v->span, "`%.*s` does not work on %.*s",
                                   STR_ARG(name), STR_ARG(type_text(c->arena, &v->type)));
        check__value_fix(c, d, v);
        if (v->type.kind == IR_DURATION) {
            Str text = source_text(c->file->source, v->span);
            diag_fix_str(c->diags, d, STR_NONE, v->span,
                         check__text(c, "%.*s to [s]", STR_ARG(text)));
        }
        if (v->type.kind == IR_LIST && kind <= AGG_MAX)
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
    return check__coerce(c, v, agg_computes(kind, &v->type)) && agg_result(c, kind, v, out);
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

static bool distinct_args(Check *c, const AstExpr *e, IrAgg *agg)
{
    agg->within = 0.01;
    const AstArg *within = e->as.call.args->next;
    if (!within) return true;
    if (within->kind != AST_ARG_WITHIN || within->next) {
        diag_error(c->diags, DIAG_T004, e->span, "write distinct(x) or distinct(x, within 1%%)");
        return false;
    }
    return fraction(c, within->value, "the error", 0.005, 0.2, &agg->within);
}

static bool list_args(Check *c, const AstExpr *e, IrAgg *agg)
{
    const AstArg *most = e->as.call.args->next;
    double count = 0;
    if (!most || most->kind != AST_ARG_PLAIN || most->next) {
        diag_error(c->diags, DIAG_T004, e->span, "write list(x, 100): at most so many");
        return false;
    }
    if (!fraction(c, most->value, "the number of items", 1, LIST_ITEMS_MAX, &count)) return false;
    agg->count = (uint32_t)count;
    if (count == (double)agg->count) return true;
    diag_error(c->diags, DIAG_T005, most->span, "the number of items is whole");
    return false;
}

void check__agg_room(Check *c, AggScope *s)
{
    uint32_t aggs = s->cap, inputs = s->cap;
    s->aggs = check__grow(c, s->aggs, s->count, &aggs, sizeof(IrAgg));
    s->inputs = check__grow(c, s->inputs, s->count, &inputs, 2 * sizeof(uint32_t));
    s->outs = check__grow(c, s->outs, s->count, &s->cap, sizeof(IrField));
}

/* A leaf for this aggregate, or the one of an equal aggregate. */
uint32_t check__agg_leaf(Check *c, IrAgg agg, uint32_t value, uint32_t has, const Type *type)
{
    AggScope *s = c->agg;
    for (uint32_t i = 0; i < s->count; i++) {
        const IrAgg *x = &s->aggs[i];
        if (x->kind == agg.kind && s->inputs[2 * i] == value && s->inputs[2 * i + 1] == has &&
            x->p == agg.p && x->within == agg.within && x->count == agg.count)
            return s->first_leaf + i;
    }
    agg.out = s->first_leaf + s->count;
    check__agg_room(c, s);
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
        .record = type->kind == IR_LIST ? type->record->schema : NO_INDEX,
        .unit = type->unit ? type->unit->text : STR("")};
    return s->first_leaf + s->count++;
}

/* A tag's value, there or not by what `using` says of its quality. */
static bool by_quality(Check *c, const AstExpr *e, Val *v)
{
    if (!check__is_tag(&v->type)) return true;
    Str use = c->agg->use;
    if (!use.len) {
        Diagnostic *d = diag_error(c->diags, DIAG_S033, e->span,
                                   "this window does not say which quality counts");
        Span at = {c->stage->span.file, c->stage->as.window.body.start,
                   c->stage->as.window.body.start};
        diag_fix(c->diags, d, "using good", at, "using good ");
        diag_fix(c->diags, d, "using any", at, "using any ");
        return false;
    }
    Val value = check__tag_value(v);
    if (str_is(use, "good")) {
        uint32_t good = check__tag_good(c, v, e->span);
        value.has =
            value.has == NO_REG
                ? good
                : check__emit2(c, IR_AND, (Type){.kind = IR_BOOL}, value.has, good, e->span).reg;
        value.type.optional = true;
    }
    *v = value;
    return true;
}

static bool count_input(Check *c, const AstExpr *e, IrAgg *agg, uint32_t *value)
{
    const AstArg *args = e->as.call.args;
    if (!args) return true;
    agg->kind = AGG_COUNT_IF;
    agg->type = IR_BOOL;
    if (args->next || args->kind != AST_ARG_WHERE) {
        diag_error(c->diags, DIAG_T004, e->span, "write count() or count(where ...)");
        return false;
    }
    *value = check__condition(c, args->value, "`count(where ...)`");
    return *value != NO_REG;
}

/* 1 for a record whose tags are all good, else 0; a tag that is missing says nothing. */
static bool good_input(Check *c, const AstExpr *e, IrAgg *agg, Type *out, uint32_t *value)
{
    const AstArg *args = e->as.call.args;
    uint32_t all = NO_REG;
    *out = (Type){.kind = IR_F64, .optional = true};
    agg->type = IR_F64;
    if (args && (args->next || args->kind != AST_ARG_PLAIN)) {
        diag_error(c->diags, DIAG_T004, e->span, "write good_ratio() or good_ratio(x)");
        return false;
    }
    Val one = args ? check__expr(c, args->value, NULL) : check__error_val(e->span);
    if (args && check__bad(&one)) return false;
    for (uint32_t i = 0; i < (args ? 1 : c->row->count); i++) {
        const Val *v = args ? &one : &c->row->fields[i].val;
        if (!check__is_tag(&v->type)) continue;
        uint32_t good = check__tag_good(c, v, e->span);
        if (v->has != NO_REG) {
            Val no = check__emit1(c, IR_NOT, (Type){.kind = IR_BOOL}, v->has, e->span);
            good = check__emit2(c, IR_OR, (Type){.kind = IR_BOOL}, good, no.reg, e->span).reg;
        }
        all = all == NO_REG
                  ? good
                  : check__emit2(c, IR_AND, (Type){.kind = IR_BOOL}, all, good, e->span).reg;
    }
    if (all == NO_REG) {
        diag_error(c->diags, DIAG_T005, e->span, "`good_ratio` is about tags, there are none here");
        return false;
    }
    *value = build_temp(c->b, IR_F64);
    build_ins(c->b, IR_CONST, *value, NO_REG, NO_REG)->imm.number = 0;
    build_ins(c->b, IR_IF, NO_REG, all, NO_REG);
    build_ins(c->b, IR_CONST, *value, NO_REG, NO_REG)->imm.number = 1;
    build_ins(c->b, IR_END, NO_REG, NO_REG, NO_REG);
    return true;
}

static bool input(Check *c, const AstExpr *e, IrAgg *agg, Type *out, uint32_t *value, uint32_t *has)
{
    const AstArg *args = e->as.call.args;
    Str name = e->as.call.name.text;
    IrAggKind kind = agg->kind;
    *value = *has = NO_REG;
    *out = (Type){.kind = IR_I64};
    if (kind == AGG_COUNT) return count_input(c, e, agg, value);
    if (str_is(name, "good_ratio")) return good_input(c, e, agg, out, value);
    bool more = kind == AGG_QUANTILE || kind == AGG_DISTINCT || kind == AGG_LIST;
    if (!args || args->kind != AST_ARG_PLAIN || (args->next && !more)) {
        diag_error(c->diags, DIAG_T004, e->span, "`%.*s` takes one value", STR_ARG(name));
        return false;
    }
    if (kind == AGG_QUANTILE && !quantile_args(c, e, agg)) return false;
    if (kind == AGG_DISTINCT && !distinct_args(c, e, agg)) return false;
    if (kind == AGG_LIST && !list_args(c, e, agg)) return false;
    Val v = check__expr(c, args->value, NULL);
    if (check__bad(&v) || !by_quality(c, args->value, &v)) return false;
    if (v.type.null || !agg_type(c, kind, &v, out, name)) return false;
    /* The sum of nothing is 0, so are the different values; there is no rate between two records
     * of one time. */
    bool always = kind == AGG_SUM || kind == AGG_DISTINCT || kind == AGG_LIST;
    out->optional = (v.type.optional && !always) || kind == AGG_RATE || kind == AGG_DELTA;
    if (v.type.optional && v.wild) v.wild = false; /* missing ones are not looked at */
    v = check__finite(c, v);
    if (v.constant) v = check__settle(c, v, STR_NONE);
    if (kind == AGG_LIST) {
        Type item = *out;
        item.optional = false;
        *out = check__list_type(c, &item, agg->count, e->span);
    }
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
    /* Outside the braces, and in an aggregate's argument, these are the functions with memory. */
    bool both = kind == AGG_DELTA || kind == AGG_RATE;
    if (both && (!c->agg || c->in_agg)) *ret_known = false;
    if (!*ret_known) return check__error_val(e->span);
    if (!c->agg || c->in_agg) {
        bool is_list;
        bool of_list = kind <= AGG_QUANTILE && !str_is(name, "good_ratio");
        Val v = of_list ? check__list_agg(c, e, kind, &is_list) : check__error_val(e->span);
        if (of_list && is_list) return v;
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
    uint32_t leaf = check__agg_leaf(c, agg, value, has, &type);
    Val v = {.type = type, .has = NO_REG, .span = e->span};
    v.reg = build_reg(c->b, check__reg_of(&type, STR_NONE));
    build_ins(c->b, IR_FIELD, v.reg, leaf, NO_REG);
    if (type.optional) {
        v.has = build_temp(c->b, IR_BOOL);
        build_ins(c->b, IR_HAS, v.has, leaf, NO_REG);
    }
    v.wild = type_is_float(type.kind) && (kind == AGG_SUM || kind == AGG_DELTA ||
                                          kind == AGG_RATE || kind == AGG_TIME_WEIGHTED);
    return v;
}
