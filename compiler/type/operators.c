/* compiler/type/operators.c: arithmetic, comparison, logic, conversion of units and numbers. */
#include "compiler/type/check.h"
#include "compiler/pass/pass.h"

static Type decimal_type(IrOp op, Type type, const Val *a, const Val *b)
{
    uint32_t x = check__digits(a), y = check__digits(b);
    bool fits = x != NO_DIGITS && y != NO_DIGITS && op != IR_DIV;
    uint32_t scale = op == IR_MUL ? x + y : x > y ? x : y;
    type.kind = fits ? IR_DECIMAL : IR_F64;
    type.scale = fits ? (uint8_t)scale : 0;
    return type;
}

Type check__number_type(IrOp op, const Val *a, const Val *b)
{
    Type type = a->type;
    type.optional = false;
    type.has_range = false;
    IrType x = a->type.kind, y = b->type.kind;
    IrImm imm;
    if (x == IR_DECIMAL || y == IR_DECIMAL) return decimal_type(op, type, a, b);
    if (x == y) return type;
    if (a->constant && !b->constant && check__imm_convert(&a->type, a->imm, &b->type, &imm) &&
        (type_is_float(y) || type_is_integer(x)))
        type.kind = y;
    else if (b->constant && !a->constant && check__imm_convert(&b->type, b->imm, &a->type, &imm) &&
             (type_is_float(x) || type_is_integer(y)))
        type.kind = x;
    else if (type_is_float(x) || type_is_float(y))
        type.kind = IR_F64;
    else if ((x == IR_U32 && y == IR_U64) || (x == IR_U64 && y == IR_U32))
        type.kind = IR_U64;
    else
        type.kind = IR_I64;
    return type;
}

/* `a` and `b` have the same unit, or one is a bare constant beside a constant. */
static bool same_unit(Check *c, const Val *a, const Val *b, Span op_span, Type *type)
{
    type->unit = a->type.unit ? a->type.unit : b->type.unit;
    if (unit_same(a->type.unit, b->type.unit)) return true;
    const Val *bare = a->naked ? a : b->naked ? b : NULL;
    const Val *other = bare == a ? b : a;
    const Val *affine = unit_affine(a->type.unit) ? a : unit_affine(b->type.unit) ? b : NULL;
    if (affine && affine->constant) { /* span > 2 [degC]: beside a difference it is one */
        Unit step = unit_difference(affine->type.unit);
        type->unit = affine == a ? b->type.unit : a->type.unit;
        if (unit_same(&step, type->unit)) return true;
    }
    if (bare && other->constant) {
        type->unit = other->type.unit;
        return true;
    }
    if (bare) {
        Str unit = other->type.unit ? other->type.unit->text : STR("1");
        Str name = other->path.len ? other->path : source_text(c->file->source, other->span);
        if (!name.len || name.len > 60 || str_find_char(name, '\n') >= 0)
            name = STR("the other side");
        Diagnostic *d = diag_error(c->diags, DIAG_U003, bare->span,
                                   "this number needs its unit: `%.*s` is in [%.*s]", STR_ARG(name),
                                   STR_ARG(unit));
        Span after = {bare->span.file, bare->span.end, bare->span.end};
        Str text = source_text(c->file->source, bare->span);
        diag_fix_str(c->diags, d, check__text(c, "%.*s [%.*s]", STR_ARG(text), STR_ARG(unit)),
                     after, check__text(c, " [%.*s]", STR_ARG(unit)));
        return false;
    }
    Str left = a->type.unit ? a->type.unit->text : STR("1"),
        right = b->type.unit ? b->type.unit->text : STR("1");
    Diagnostic *d =
        diag_error(c->diags, DIAG_U002, op_span, "[%.*s] and [%.*s] do not go together here",
                   STR_ARG(left), STR_ARG(right));
    if (affine && str_eq(left, right)) {
        diag_note(c->diags, d, (affine == a ? b : a)->span, "this is a difference of [%.*s]",
                  STR_ARG(left));
    } else if (unit_convertible(a->type.unit, b->type.unit)) {
        Str text = source_text(c->file->source, b->span);
        diag_fix_str(c->diags, d, STR_NONE, b->span,
                     check__text(c, "(%.*s to [%.*s])", STR_ARG(text), STR_ARG(left)));
    } else {
        diag_note(
            c->diags, d, a->span, "left is %.*s",
            STR_ARG(a->type.unit ? unit_dimension(c->arena, a->type.unit) : STR("plain number")));
        diag_note(
            c->diags, d, b->span, "right is %.*s",
            STR_ARG(b->type.unit ? unit_dimension(c->arena, b->type.unit) : STR("plain number")));
    }
    return false;
}

static bool product_unit(Check *c, IrOp op, const Val *a, const Val *b, Type *type)
{
    const Unit *x = a->type.unit, *y = b->type.unit;
    type->unit = NULL;
    if (!x && !y) return true;
    const Val *affine = unit_affine(x) ? a : unit_affine(y) ? b : NULL;
    if (affine) {
        Str kelvin = unit_difference(affine->type.unit).factors[0].name;
        Str unit = affine->type.unit->text;
        Diagnostic *d =
            diag_error(c->diags, DIAG_U005, affine->span,
                       "a value in [%.*s] does not multiply: its zero is arbitrary", STR_ARG(unit));
        Str text = source_text(c->file->source, affine->span);
        diag_fix_str(c->diags, d, STR_NONE, affine->span,
                     check__text(c, "(%.*s to [%.*s])", STR_ARG(text), STR_ARG(kelvin)));
        return false;
    }
    Unit *unit = NEW(c, Unit, 1);
    if (unit_multiply(c->arena, x, y, op == IR_DIV ? -1 : 1, unit)) {
        diag_error(c->diags, DIAG_U005, b->span, "this product of units is too long");
        return false;
    }
    type->unit = unit->factor_count ? unit : NULL;
    return true;
}

static Val fold(Check *c, IrOp op, Type type, const Val *a, const Val *b, Span span)
{
    IrImm imm;
    Reason reason = pass_fold_binary(op, type.kind, a->imm, b->imm, &imm);
    if (reason != REASON_NONE) {
        diag_error(c->diags, DIAG_T008, span, "this is always an error: %s", reason_text(reason));
        return check__error_val(span);
    }
    bool compare = op >= IR_EQ && op <= IR_GE;
    Val v = check__constant(compare ? IR_BOOL : type.kind, imm, span);
    if (!compare) v.type = type;
    v.naked = !compare && a->naked && b->naked;
    return v;
}

/* The operator as a program has it. */
static const char *written(IrOp op)
{
    switch (op) {
    case IR_ADD: return "+";
    case IR_SUB: return "-";
    case IR_MUL: return "*";
    case IR_DIV: return "/";
    case IR_MOD: return "%";
    default: return "div";
    }
}

static Val time_arith(Check *c, IrOp op, Val a, Val b, Span span, Span op_span)
{
    IrType x = a.type.kind, y = b.type.kind;
    IrType result = IR_NONE, work = IR_NONE;
    if (x == IR_TIME && y == IR_TIME && op == IR_SUB)
        result = IR_DURATION, work = IR_TIME;
    else if (x == IR_TIME && y == IR_DURATION && (op == IR_ADD || op == IR_SUB))
        result = work = IR_TIME;
    else if (x == IR_DURATION && y == IR_TIME && op == IR_ADD)
        result = work = IR_TIME;
    else if (x == IR_DURATION && y == IR_DURATION && (op == IR_ADD || op == IR_SUB))
        result = work = IR_DURATION;
    else if (x == IR_DURATION && y == IR_DURATION && op == IR_DIV)
        result = work = IR_F64;
    else if (x == IR_DURATION && y == IR_DURATION && op == IR_MOD)
        result = work = IR_DURATION;
    else if (x == IR_DURATION && type_is_integer(y) && (op == IR_MUL || op == IR_IDIV))
        result = work = IR_DURATION;
    else if (type_is_integer(x) && y == IR_DURATION && op == IR_MUL)
        result = work = IR_DURATION;
    if (result == IR_NONE) {
        Diagnostic *d = diag_error(
            c->diags, DIAG_T003, op_span, "`%s` does not work on %.*s and %.*s", written(op),
            STR_ARG(type_text(c->arena, &a.type)), STR_ARG(type_text(c->arena, &b.type)));
        if (x == IR_DURATION && op == IR_DIV && type_is_integer(y)) {
            Str left = source_text(c->file->source, a.span);
            Str right = source_text(c->file->source, b.span);
            diag_fix_str(c->diags, d,
                         check__text(c, "%.*s div %.*s", STR_ARG(left), STR_ARG(right)), op_span,
                         STR(" div "));
        }
        return check__error_val(span);
    }
    Type type = {.kind = work};
    if (work == IR_F64) {
        a.type.unit = b.type.unit = NULL;
        if (!check__coerce(c, &a, IR_F64) || !check__coerce(c, &b, IR_F64))
            return check__error_val(span);
    } else {
        if (!check__coerce(c, &a, work) || !check__coerce(c, &b, work))
            return check__error_val(span);
    }
    if (a.constant && b.constant) {
        Val v = fold(c, op, type, &a, &b, span);
        if (!check__bad(&v)) v.type.kind = result;
        return v;
    }
    Val v = check__emit2(c, op, type, check__reg(c, &a), check__reg(c, &b), span);
    if (result != work) v = check__emit1(c, IR_CONV, (Type){.kind = result}, v.reg, span);
    return v;
}

/* What stands for a value inside a text: a literal's own letters, else {value}. */
static Str text_piece(Check *c, const Val *v)
{
    Str text = source_text(c->file->source, v->span);
    bool literal = text.len >= 2 && text.ptr[0] == '"' && text.ptr[text.len - 1] == '"' &&
                   v->constant && str_find_char(str_slice(text.ptr + 1, text.len - 2), '"') < 0;
    return literal ? str_slice(text.ptr + 1, text.len - 2)
                   : check__text(c, "{%.*s}", STR_ARG(text));
}

/* a + "b" is written "{a}b". */
static void join_fix(Check *c, Diagnostic *d, const Val *a, const Val *b, Span span)
{
    Str left = text_piece(c, a), right = text_piece(c, b);
    diag_fix_str(c->diags, d, STR_NONE, span,
                 check__text(c, "\"%.*s%.*s\"", STR_ARG(left), STR_ARG(right)));
}

Val check__arith(Check *c, IrOp op, Val a, Val b, Span span, Span op_span)
{
    if (check__bad(&a) || check__bad(&b)) return check__error_val(span);
    if (check__is_tag(&a.type) || check__is_tag(&b.type)) {
        Tagged t = {0};
        a = check__untag(c, a, &t);
        b = check__untag(c, b, &t);
        return check__retag(c, check__arith(c, op, a, b, span, op_span), &t);
    }
    const char *needs = "arithmetic needs a value";
    if (!check__present(c, &a, needs) || !check__present(c, &b, needs))
        return check__error_val(span);
    IrType x = a.type.kind, y = b.type.kind;
    if (x == IR_TIME || x == IR_DURATION || y == IR_TIME || y == IR_DURATION)
        return time_arith(c, op, a, b, span, op_span);
    if (!type_is_number(x) || !type_is_number(y)) {
        Diagnostic *d = diag_error(
            c->diags, DIAG_T003, op_span, "`%s` needs numbers, not %.*s and %.*s", written(op),
            STR_ARG(type_text(c->arena, &a.type)), STR_ARG(type_text(c->arena, &b.type)));
        if (op == IR_ADD && (x == IR_STR || y == IR_STR)) join_fix(c, d, &a, &b, span);
        return check__error_val(span);
    }
    Type type = check__number_type(op, &a, &b);
    if (op == IR_DIV && type_is_integer(type.kind)) type.kind = IR_F64;
    if (type.kind == IR_DECIMAL && type.scale > TYPE_SCALE_MAX) {
        Diagnostic *d =
            diag_error(c->diags, DIAG_T003, op_span,
                       "this product has %u digits behind the point, a decimal at most %d",
                       type.scale, TYPE_SCALE_MAX);
        Str text = source_text(c->file->source, a.span);
        diag_fix_str(c->diags, d, STR_NONE, a.span,
                     check__text(c, "(%.*s to decimal(2))", STR_ARG(text)));
        return check__error_val(span);
    }
    if (op == IR_IDIV && !type_is_integer(type.kind)) {
        diag_error(c->diags, DIAG_T003, op_span, "`div` is for integers; use `/`");
        return check__error_val(span);
    }
    if (op == IR_MUL || op == IR_DIV) {
        if (!product_unit(c, op, &a, &b, &type)) return check__error_val(span);
    } else if (op == IR_IDIV) {
        Type ratio = type;
        if (!product_unit(c, IR_DIV, &a, &b, &ratio)) return check__error_val(span);
        type.unit = ratio.unit;
    } else {
        bool offset = op == IR_ADD && a.type.unit && b.type.unit && unit_affine(a.type.unit) &&
                      !unit_affine(b.type.unit);
        Unit step;
        if (offset) step = unit_difference(a.type.unit);
        if (offset && unit_same(&step, b.type.unit))
            type.unit = a.type.unit;
        else if (!same_unit(c, &a, &b, op_span, &type))
            return check__error_val(span);
        if (op == IR_SUB && !a.naked && !b.naked) type.unit = check__step_unit(c, type.unit);
    }
    if (op == IR_DIV || op == IR_MOD) b = check__finite(c, b);
    Type left_type = type, right_type = type;
    if (op == IR_MUL && type.kind == IR_DECIMAL) {
        left_type.scale = (uint8_t)check__digits(&a);
        right_type.scale = (uint8_t)check__digits(&b);
    }
    if (!check__coerce_to(c, &a, &left_type) || !check__coerce_to(c, &b, &right_type))
        return check__error_val(span);
    type.span = (Span){0};
    if (a.constant && b.constant) return fold(c, op, type, &a, &b, span);
    uint32_t left = check__reg(c, &a), right = check__reg(c, &b);
    Val v = check__emit2(c, op, type, left, right, span);
    if ((op == IR_DIV || op == IR_IDIV || op == IR_MOD) && b.constant)
        c->b->stage->code[c->b->stage->code_count - 1].imm.boolean =
            check__imm_number(type.kind, b.imm) != 0;
    v.wild = type_is_float(type.kind);
    return v;
}

Val check__compare(Check *c, IrOp op, Val a, Val b, Span span, Span op_span)
{
    if (check__bad(&a) || check__bad(&b)) return check__error_val(span);
    a = check__untag(c, a, NULL);
    b = check__untag(c, b, NULL);
    if (a.type.null || b.type.null) {
        const Val *v = a.type.null ? &b : &a;
        Diagnostic *d = diag_error(c->diags, DIAG_T014, span, "nothing compares with null");
        if (v->path.len)
            diag_fix_str(c->diags, d, STR_NONE, span,
                         check__text(c, op == IR_EQ ? "not (%.*s exists)" : "%.*s exists",
                                     STR_ARG(v->path)));
        return check__error_val(span);
    }
    const char *needs = "a comparison needs a value";
    if (!check__present(c, &a, needs) || !check__present(c, &b, needs))
        return check__error_val(span);
    Type type = a.type;
    bool numbers = type_is_number(a.type.kind) && type_is_number(b.type.kind);
    if (numbers) {
        type = check__number_type(op, &a, &b);
        Type unit;
        if (!same_unit(c, &a, &b, op_span, &unit)) return check__error_val(span);
        a = check__finite(c, a);
        b = check__finite(c, b);
        if (!check__coerce_to(c, &a, &type) || !check__coerce_to(c, &b, &type))
            return check__error_val(span);
    } else if (a.type.kind != b.type.kind || !type_same(&a.type, &b.type) ||
               a.type.kind == IR_RECORD || a.type.kind == IR_LIST || a.type.kind == IR_JSON) {
        Diagnostic *d = diag_error(c->diags, DIAG_T007, op_span, "%.*s and %.*s do not compare",
                                   STR_ARG(type_text(c->arena, &a.type)),
                                   STR_ARG(type_text(c->arena, &b.type)));
        if (a.type.kind == IR_ENUM && b.type.kind == IR_STR && b.constant)
            diag_fix_str(c->diags, d, STR_NONE, b.span, b.imm.text);
        return check__error_val(span);
    } else if ((a.type.kind == IR_BOOL || a.type.kind == IR_ENUM) && op != IR_EQ && op != IR_NE) {
        diag_error(c->diags, DIAG_T007, op_span,
                   "%s has no order, only == and !=", type_word(&a.type));
        return check__error_val(span);
    }
    if (a.constant && b.constant && numbers) return fold(c, op, type, &a, &b, span);
    return check__emit2(c, op, (Type){.kind = IR_BOOL}, check__reg(c, &a), check__reg(c, &b), span);
}

static Val logic(Check *c, const AstExpr *e)
{
    bool is_and = e->as.op.op == AST_AND;
    const char *what = is_and ? "`and`" : "`or`";
    uint32_t left = check__condition(c, e->as.op.a, what);
    uint32_t facts = c->row ? c->row->fact_count : 0;
    uint32_t at = c->b->stage->code_count, cond = left;
    if (!is_and && left != NO_REG)
        cond = check__emit1(c, IR_NOT, (Type){.kind = IR_BOOL}, left, e->span).reg;
    build_ins(c->b, IR_IF, NO_REG, cond, NO_REG);
    uint32_t inside = c->b->stage->code_count;
    check__learn(c, e->as.op.a, is_and, c->row);
    uint32_t right = check__condition(c, e->as.op.b, what);
    if (c->row) c->row->fact_count = facts;
    if (left == NO_REG || right == NO_REG) return check__error_val(e->span);
    bool plain = true;
    IrStage *s = c->b->stage;
    for (uint32_t i = inside; i < s->code_count && plain; i++)
        plain = ir_op_info(s->code[i].op)->effect <= 1 && !ir_may_fail(s, &s->code[i]);
    if (plain && s->code_count - inside <= 8) { /* nothing to protect: both sides, no jump */
        memmove(s->code + at, s->code + inside, (s->code_count - inside) * sizeof(IrIns));
        s->code_count -= inside - at;
        c->b->depth--;
        return check__emit2(c, is_and ? IR_AND : IR_OR, (Type){.kind = IR_BOOL}, left, right,
                            e->span);
    }
    uint32_t dst = build_temp(c->b, IR_BOOL);
    build_ins(c->b, IR_MOVE, dst, right, NO_REG);
    build_ins(c->b, IR_ELSE, NO_REG, NO_REG, NO_REG);
    build_ins(c->b, IR_CONST, dst, NO_REG, NO_REG)->imm.boolean = !is_and;
    build_ins(c->b, IR_END, NO_REG, NO_REG, NO_REG);
    return (Val){.type = {.kind = IR_BOOL}, .reg = dst, .has = NO_REG, .span = e->span};
}

static Val in_list(Check *c, Val list, const AstExpr *item, Span span)
{
    Type want = type_item(&list.type);
    Val a = check__untag(c, check__expr(c, item, &want), NULL);
    return check__bad(&a) ? a : check__list_has(c, list, a, span);
}

static Val member(Check *c, const AstExpr *e)
{
    const AstExpr *set = e->as.op.b;
    if (set->kind == AST_NAME || set->kind == AST_FIELD) { /* an enum's name is known by the list */
        Val list = check__expr(c, set, NULL);
        if (check__bad(&list)) return list;
        if (list.type.kind == IR_LIST) return in_list(c, list, e->as.op.a, e->span);
    }
    Val a = check__untag(c, check__expr(c, e->as.op.a, NULL), NULL);
    if (check__bad(&a)) return a;
    if (!check__present(c, &a, "`in` needs a value")) return check__error_val(e->span);
    if (set->kind != AST_LIST && set->kind != AST_RANGE) {
        Val list = check__expr(c, set, NULL);
        if (check__bad(&list)) return list;
        if (list.type.kind == IR_LIST) return check__list_has(c, list, a, e->span);
    }
    if (a.type.kind != IR_RECORD) a = check__settle(c, a, STR_NONE);
    if (set->kind == AST_RANGE) {
        Val lo = check__expr(c, set->as.range.lo, &a.type),
            hi = check__expr(c, set->as.range.hi, &a.type);
        Val above = check__compare(c, IR_GE, a, lo, e->span, e->as.op.op_span),
            below = check__compare(c, IR_LE, a, hi, e->span, e->as.op.op_span);
        if (check__bad(&above) || check__bad(&below)) return check__error_val(e->span);
        return check__emit2(c, IR_AND, (Type){.kind = IR_BOOL}, check__reg(c, &above),
                            check__reg(c, &below), e->span);
    }
    if (set->kind != AST_LIST || !set->as.items) {
        diag_error(c->diags, DIAG_T003, set->span, "behind `in` stands lo..hi or a list [a, b]");
        return check__error_val(e->span);
    }
    Val found = check__error_val(e->span);
    uint32_t count = 0;
    for (const AstExpr *item = set->as.items; item; item = item->next) {
        if (++count > CHECK_CASES_MAX) {
            diag_error(c->diags, DIAG_T018, item->span, "a list has at most %d items",
                       CHECK_CASES_MAX);
            return check__error_val(e->span);
        }
        Val v = check__expr(c, item, &a.type);
        Val same = check__compare(c, IR_EQ, a, v, item->span, item->span);
        if (check__bad(&same)) return same;
        found = count == 1 ? same
                           : check__emit2(c, IR_OR, (Type){.kind = IR_BOOL}, check__reg(c, &found),
                                          check__reg(c, &same), e->span);
    }
    return found;
}

static Val coalesce(Check *c, const AstExpr *e, const Type *want)
{
    Val a = check__expr(c, e->as.op.a, want);
    if (check__bad(&a)) {
        check__expr(c, e->as.op.b, want);
        return a;
    }
    if (a.has == NO_REG) {
        if (!c->quiet)
            diag_warning(c->diags, DIAG_T015, e->span, "the left side is never missing here");
        return a;
    }
    build_ins(c->b, IR_IF, NO_REG, a.has, NO_REG);
    uint32_t mark = c->b->stage->code_count;
    build_ins(c->b, IR_ELSE, NO_REG, NO_REG, NO_REG);
    Type hint = a.type;
    Val b = check__expr(c, e->as.op.b, &hint);
    a.type.optional = false;
    a.has = NO_REG;
    Val other = check__untag(c, a, NULL);
    if (other.type.unit && b.naked && b.constant && !unit_same(other.type.unit, b.type.unit)) {
        Type unit;
        if (!same_unit(c, &other, &b, e->as.op.op_span, &unit)) return check__error_val(e->span);
    }
    return check__merge(c, a, mark, b, IR_END, e->span);
}

static Val text_test(Check *c, IrOp op, const AstExpr *e)
{
    Val a = check__untag(c, check__expr(c, e->as.op.a, NULL), NULL);
    if (op == IR_CONTAINS && a.type.kind == IR_LIST) return in_list(c, a, e->as.op.b, e->span);
    Val b = check__untag(c, check__expr(c, e->as.op.b, NULL), NULL);
    if (check__bad(&a) || check__bad(&b)) return check__error_val(e->span);
    const char *needs = "a text test needs a value";
    if (!check__present(c, &a, needs) || !check__present(c, &b, needs))
        return check__error_val(e->span);
    const Val *wrong = a.type.kind != IR_STR ? &a : b.type.kind != IR_STR ? &b : NULL;
    if (wrong) {
        diag_error(c->diags, DIAG_T003, wrong->span, "`%s` needs text, this is %.*s",
                   ast_op_text(e->as.op.op), STR_ARG(type_text(c->arena, &wrong->type)));
        return check__error_val(e->span);
    }
    return check__emit2(c, op, (Type){.kind = IR_BOOL}, check__reg(c, &a), check__reg(c, &b),
                        e->span);
}

Val check__binary(Check *c, const AstExpr *e, const Type *want)
{
    static const IrOp arith[AST_OP__COUNT] = {
        [AST_ADD] = IR_ADD,      [AST_SUB] = IR_SUB, [AST_MUL] = IR_MUL, [AST_DIV] = IR_DIV,
        [AST_INT_DIV] = IR_IDIV, [AST_MOD] = IR_MOD, [AST_EQ] = IR_EQ,   [AST_NE] = IR_NE,
        [AST_LT] = IR_LT,        [AST_LE] = IR_LE,   [AST_GT] = IR_GT,   [AST_GE] = IR_GE};
    AstOp op = e->as.op.op;
    switch (op) {
    case AST_AND:
    case AST_OR: return logic(c, e);
    case AST_IN: return member(c, e);
    case AST_COALESCE: return coalesce(c, e, want);
    case AST_STARTS_WITH: return text_test(c, IR_STARTS, e);
    case AST_ENDS_WITH: return text_test(c, IR_ENDS, e);
    case AST_CONTAINS: return text_test(c, IR_CONTAINS, e);
    case AST_BECOMES: return check__becomes(c, e);
    case AST_MATCHES: return check__matches(c, e);
    default: break;
    }
    bool compare = op >= AST_EQ && op <= AST_GE;
    Val a, b;
    /* An enum's name is known by the type of the other side. */
    bool name_first = compare && e->as.op.a->kind == AST_NAME && c->row &&
                      !check__row_find(c->row, e->as.op.a->as.name);
    if (name_first) {
        b = check__expr(c, e->as.op.b, NULL);
        a = check__expr(c, e->as.op.a, check__bad(&b) ? NULL : &b.type);
    } else {
        a = check__expr(c, e->as.op.a, compare ? NULL : want);
        if (check__bad(&a) && compare && e->as.op.b->kind == AST_NAME) return a;
        b = check__expr(c, e->as.op.b, compare && !check__bad(&a) ? &a.type : want);
    }
    if (compare) return check__compare(c, arith[op], a, b, e->span, e->as.op.op_span);
    return check__arith(c, arith[op], a, b, e->span, e->as.op.op_span);
}

Val check__unary(Check *c, const AstExpr *e, const Type *want)
{
    if (e->as.op.op == AST_NOT) {
        uint32_t cond = check__condition(c, e->as.op.a, "`not`");
        if (cond == NO_REG) return check__error_val(e->span);
        return check__emit1(c, IR_NOT, (Type){.kind = IR_BOOL}, cond, e->span);
    }
    Tagged tagged = {0};
    Val v = check__untag(c, check__expr(c, e->as.op.a, want), &tagged);
    if (check__bad(&v)) return v;
    if (!check__present(c, &v, "`-` needs a value")) return check__error_val(e->span);
    if ((!type_is_number(v.type.kind) && v.type.kind != IR_DURATION) ||
        (!v.constant && (v.type.kind == IR_U32 || v.type.kind == IR_U64))) {
        diag_error(c->diags, DIAG_T003, e->span, "`-` does not work on %.*s",
                   STR_ARG(type_text(c->arena, &v.type)));
        return check__error_val(e->span);
    }
    if (v.constant) {
        if (type_is_float(v.type.kind)) {
            v.imm.number = -v.imm.number;
        } else if (v.type.kind == IR_U64 && v.imm.natural <= (uint64_t)INT64_MAX + 1) {
            v.type.kind = IR_I64;
            v.imm.integer = (int64_t)(0 - v.imm.natural);
        } else if (v.type.kind == IR_U64 || v.imm.integer == INT64_MIN) {
            diag_error(c->diags, DIAG_T008, e->span, "this number does not fit i64");
            return check__error_val(e->span);
        } else {
            v.imm.integer = -v.imm.integer;
        }
        return v;
    }
    Val out = check__emit1(c, IR_NEG, v.type, v.reg, e->span);
    out.wild = v.wild;
    return check__retag(c, out, &tagged);
}
