/* compiler/type/lists.c: lists in expressions: [a, b], xs[i], x in xs, len(xs), sum(xs).
 *
 * A list is one register; its items become values when one is taken out. Items of a list have one
 * type: the one wanted where it is known, else the one all items fit. */
#include "compiler/type/check.h"

enum { LIST_REGISTERS_MAX = 8192 };

/* Evaluates the items; false after an error. */
static bool items_of(Check *c, const AstExpr *e, const Type *hint, Val *vals)
{
    bool fine = true;
    uint32_t i = 0;
    for (const AstExpr *item = e->as.items; item; item = item->next, i++) {
        vals[i] = check__expr(c, item, hint->kind ? hint : i ? &vals[0].type : NULL);
        fine = fine && !check__bad(&vals[i]);
    }
    return fine;
}

/* The type that all items fit. */
static Type common(const Val *vals, uint32_t count)
{
    Val sum = vals[0];
    bool optional = false;
    for (uint32_t i = 0; i < count; i++) {
        optional = optional || vals[i].type.optional || vals[i].type.null;
        if (i == 0) continue;
        Type type = check__joined(&sum, &vals[i]);
        sum.constant = (sum.constant || sum.type.null) && (vals[i].constant || vals[i].type.null);
        sum.naked = sum.naked && vals[i].naked;
        sum.type = type;
    }
    sum.type.optional = optional;
    sum.type.has_range = false;
    return sum.type;
}

static Val make(Check *c, const AstExpr *e, Val *vals, uint32_t count, const Type *item)
{
    uint32_t *args = NULL, used = 0, cap = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!check__fit(c, &vals[i], item, "the item", check__text(c, "[%u]", i)))
            return check__error_val(e->span);
        vals[i] = vals[i].type.null ? check__absent(c, item, vals[i].span)
                                    : check__bind(c, vals[i], STR_NONE);
        check__flatten_val(c, &vals[i], !vals[i].type.optional, &args, &used, &cap);
        if (used > LIST_REGISTERS_MAX) {
            diag_error(c->diags, DIAG_T018, e->span, "this list is too large to be written out");
            return check__error_val(e->span);
        }
    }
    Type type = check__list_type(c, item, count ? count : 1, e->span);
    uint32_t dst = build_reg(c->b, check__reg_of(&type, STR_NONE));
    build_list(c->b, IR_LIST_OF, dst, args, used)->span = e->span;
    return (Val){.type = type, .reg = dst, .has = NO_REG, .span = e->span};
}

Val check__list(Check *c, const AstExpr *e, const Type *want)
{
    Type hint = want && want->kind == IR_LIST ? type_item(want) : (Type){0};
    uint32_t count = 0;
    for (const AstExpr *item = e->as.items; item; item = item->next) count++;
    if (count > CHECK_CASES_MAX) {
        diag_error(c->diags, DIAG_T018, e->span, "a list has at most %d items", CHECK_CASES_MAX);
        return check__error_val(e->span);
    }
    if (count == 0 && hint.kind == IR_NONE) {
        diag_error(c->diags, DIAG_T009, e->span, "an empty list has no type of its own");
        return check__error_val(e->span);
    }
    Val *vals = NEW(c, Val, count + 1);
    if (!items_of(c, e, &hint, vals)) return check__error_val(e->span);
    Type item = hint.kind ? hint : common(vals, count);
    if (item.kind == IR_NONE) {
        diag_error(c->diags, DIAG_T009, e->span, "null alone has no type");
        return check__error_val(e->span);
    }
    return make(c, e, vals, count, &item);
}

Val check__index(Check *c, const AstExpr *e, Val base)
{
    if (!check__present(c, &base, "`[i]` needs a list")) return check__error_val(e->span);
    if (base.type.kind != IR_LIST) {
        diag_error(c->diags, DIAG_T003, base.span, "`[i]` works on lists, this is %.*s",
                   STR_ARG(type_text(c->arena, &base.type)));
        return check__error_val(e->span);
    }
    Type whole = {.kind = IR_I64};
    Val at = check__expr(c, e->as.index.at, &whole);
    if (check__bad(&at) || !check__present(c, &at, "an index is always there"))
        return check__error_val(e->span);
    if (!type_is_integer(at.type.kind) || at.type.unit) {
        diag_error(c->diags, DIAG_T005, at.span, "an index is a whole number, this is %.*s",
                   STR_ARG(type_text(c->arena, &at.type)));
        return check__error_val(e->span);
    }
    if (!check__coerce(c, &at, IR_I64)) return check__error_val(e->span);
    if (at.constant && (at.imm.integer < 0 || at.imm.integer >= base.type.bytes_max)) {
        diag_error(c->diags, DIAG_T008, at.span, "this list has at most %u items, the first is [0]",
                   base.type.bytes_max);
        return check__error_val(e->span);
    }
    Type item = type_item(&base.type);
    IrReg reg = check__reg_of(&item, STR_NONE);
    if (item.kind == IR_RECORD) reg = (IrReg){.type = IR_ITEM, .record = base.type.record->schema};
    Val v = {.type = item, .has = NO_REG, .span = e->span};
    v.type.has_range = false;
    uint32_t index = check__reg(c, &at);
    v.reg = build_reg(c->b, reg);
    if (item.optional && item.kind != IR_RECORD) v.has = build_temp(c->b, IR_BOOL);
    IrIns *ins = build_ins(c->b, IR_INDEX, v.reg, base.reg, index);
    ins->has = v.has;
    ins->span = e->span;
    if (item.kind != IR_RECORD) return v;
    Val record = check__item(c, base.type.record, v.reg, e->span);
    return item.optional ? record.fields[0] : record; /* it is the one field, without a name */
}

Val check__count_of(Check *c, const Val *list, Span span)
{
    return check__emit1(c, IR_COUNT_OF, (Type){.kind = IR_I64}, list->reg, span);
}

Val check__list_has(Check *c, Val list, Val item, Span span)
{
    if (!check__present(c, &list, "`in` needs a list") ||
        !check__present(c, &item, "`in` needs a value"))
        return check__error_val(span);
    Type type = type_item(&list.type);
    type.optional = false;
    if (type.kind == IR_RECORD || type.kind == IR_LIST || type.kind == IR_JSON) {
        diag_error(c->diags, DIAG_T007, list.span, "items of %.*s do not compare",
                   STR_ARG(type_text(c->arena, &list.type)));
        return check__error_val(span);
    }
    if (item.naked && type.unit) { /* beside values with a unit a bare number could be anything */
        Str unit = check__text(c, " [%.*s]", STR_ARG(type.unit->text));
        Diagnostic *d = diag_error(c->diags, DIAG_U003, item.span,
                                   "this number needs its unit:%.*s", STR_ARG(unit));
        diag_fix_str(c->diags, d,
                     check__text(c, "%.*s%.*s", STR_ARG(source_text(c->file->source, item.span)),
                                 STR_ARG(unit)),
                     (Span){item.span.file, item.span.end, item.span.end}, unit);
        return check__error_val(span);
    }
    if (!check__fit(c, &item, &type, "an item of", list.path.len ? list.path : STR("the list")))
        return check__error_val(span);
    item = check__finite(c, item);
    return check__emit2(c, IR_LIST_HAS, (Type){.kind = IR_BOOL}, list.reg, check__reg(c, &item),
                        span);
}

/* The type of the result; false: reported. */
static bool agg_result(Check *c, IrAggKind kind, const Val *list, Str name, Type *ret)
{
    Type item = type_item(&list->type);
    bool number = type_is_number(item.kind),
         ordered = number || item.kind == IR_TIME || item.kind == IR_DURATION;
    bool fine = kind == AGG_FIRST || kind == AGG_LAST ? item.kind != IR_RECORD
                : kind == AGG_MIN || kind == AGG_MAX  ? ordered
                                                      : number;
    if (kind == AGG_SUM && item.kind == IR_DURATION) fine = true;
    if (!fine || kind < AGG_SUM || kind > AGG_STDDEV) {
        diag_error(c->diags, DIAG_T005, list->span, "`%.*s` does not work on %.*s", STR_ARG(name),
                   STR_ARG(type_text(c->arena, &list->type)));
        return false;
    }
    if (kind == AGG_SUM && unit_affine(item.unit)) {
        Unit kelvin = unit_difference(item.unit);
        diag_error(c->diags, DIAG_U005, list->span,
                   "a sum of [%.*s] has no meaning, only of [%.*s]", STR_ARG(item.unit->text),
                   STR_ARG(kelvin.factors[0].name));
        return false;
    }
    if (kind == AGG_MEAN || kind == AGG_STDDEV || (kind == AGG_SUM && item.kind == IR_F32))
        item.kind = IR_F64;
    if (kind == AGG_SUM && item.kind == IR_I32) item.kind = IR_I64;
    if (kind == AGG_SUM && item.kind == IR_U32) item.kind = IR_U64;
    if (kind == AGG_STDDEV) item.unit = check__step_unit(c, item.unit);
    item.optional = item.has_range = false;
    item.span = (Span){0};
    *ret = item;
    return true;
}

Val check__list_agg(Check *c, const AstExpr *e, IrAggKind kind, bool *ret_is_list)
{
    const AstArg *arg = e->as.call.args;
    *ret_is_list = false;
    if (!arg || arg->next || arg->kind != AST_ARG_PLAIN) return check__error_val(e->span);
    uint32_t errors = c->diags->error_count;
    Val list = check__expr(c, arg->value, NULL);
    *ret_is_list = c->diags->error_count != errors || list.type.kind == IR_LIST;
    if (!*ret_is_list || check__bad(&list)) return check__error_val(e->span);
    Type type;
    if (!check__present(c, &list, "a list is needed here") ||
        !agg_result(c, kind, &list, e->as.call.name.text, &type))
        return check__error_val(e->span);
    Val v = check__emit1(c, IR_LIST_AGG, type, list.reg, e->span);
    c->b->stage->code[c->b->stage->code_count - 1].imm.index = kind;
    v.wild = type_is_float(type.kind) && (kind == AGG_SUM || kind == AGG_MEAN);
    return v;
}
