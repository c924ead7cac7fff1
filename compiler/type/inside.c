/* compiler/type/inside.c: `j.name`, `j[i]`, `j["name"]` of a value of type json, and what they are.
 *
 * Parts of a json value are json again and may be missing: its text is looked through when they are
 * asked for (runtime/flow/inside.c). `to T` says what a part is; when it is not, the record fails
 * with the reason that T has at the edge. */
#include "compiler/type/check.h"

static Type text_type(uint32_t bytes_max)
{
    return (Type){.kind = IR_STR, .bytes_max = bytes_max};
}

/* Its text in a register; empty while it is missing. */
static uint32_t text_of(Check *c, const Val *j, Span span)
{
    Type type = text_type(j->type.bytes_max);
    if (j->has == NO_REG) return check__emit1(c, IR_TEXT, type, j->reg, span).reg;
    uint32_t text = build_reg(c->b, check__reg_of(&type, STR_NONE));
    build_ins(c->b, IR_CONST, text, NO_REG, NO_REG)->imm.text = STR("");
    build_ins(c->b, IR_IF, NO_REG, j->has, NO_REG);
    uint32_t there = check__emit1(c, IR_TEXT, type, j->reg, span).reg;
    build_ins(c->b, IR_MOVE, text, there, NO_REG);
    build_ins(c->b, IR_END, NO_REG, NO_REG, NO_REG);
    return text;
}

static uint32_t call(Check *c, Builtin which, const Type *type, uint32_t a, uint32_t b, Span span)
{
    uint32_t args[] = {a, b}, dst = build_reg(c->b, check__reg_of(type, STR_NONE));
    IrIns *ins = build_list(c->b, IR_CALL, dst, args, b == NO_REG ? 1 : 2);
    ins->imm.builtin = which;
    ins->span = span;
    return dst;
}

/* Text that is not empty. */
static uint32_t is_there(Check *c, uint32_t text, Span span)
{
    Val none = check__constant(IR_STR, (IrImm){.text = STR("")}, span);
    Type yes = {.kind = IR_BOOL};
    uint32_t empty = check__emit2(c, IR_EQ, yes, text, check__reg(c, &none), span).reg;
    return check__emit1(c, IR_NOT, yes, empty, span).reg;
}

static Val part(Check *c, const Val *j, Builtin which, uint32_t of, Span span)
{
    Type type = j->type;
    type.optional = true;
    type.span = span;
    Val v = {.type = type, .span = span};
    uint32_t text = text_of(c, j, span);
    v.reg = call(c, which, &type, text, of, span);
    Type found = text_type(type.bytes_max);
    v.has = is_there(c, check__emit1(c, IR_TEXT, found, v.reg, span).reg, span);
    return v;
}

Val check__json_member(Check *c, const Val *j, Str name, Span span)
{
    Val key = check__constant(IR_STR, (IrImm){.text = name}, span);
    key.type.bytes_max = (uint32_t)name.len;
    return part(c, j, BUILTIN_JSON_MEMBER, check__reg(c, &key), span);
}

Val check__json_index(Check *c, const AstExpr *e, const Val *j)
{
    Str name;
    if (ast_string_text(e->as.index.at, &name)) return check__json_member(c, j, name, e->span);
    Type whole = {.kind = IR_I64};
    Val at = check__expr(c, e->as.index.at, &whole);
    if (check__bad(&at) || !check__present(c, &at, "an index is always there"))
        return check__error_val(e->span);
    if (!type_is_integer(at.type.kind) || at.type.unit) {
        diag_error(c->diags, DIAG_T005, at.span,
                   "inside json stands a whole number or a fixed text, this is %.*s",
                   STR_ARG(type_text(c->arena, &at.type)));
        return check__error_val(e->span);
    }
    if (!check__coerce(c, &at, IR_I64)) return check__error_val(e->span);
    return part(c, j, BUILTIN_JSON_ITEM, check__reg(c, &at), e->span);
}

/* What `to` goes on with: a number for numbers, else a text. `text`: of a value that is there. */
static Val for_conversion(Check *c, Str to, uint32_t text, uint32_t bytes_max, Span span)
{
    static const char *const whole[] = {"i32", "i64", "u32", "u64"};
    Type i64 = {.kind = IR_I64}, f64 = {.kind = IR_F64}, words = text_type(bytes_max);
    Val v = {.type = words, .reg = text, .has = NO_REG, .span = span};
    for (size_t i = 0; i < COUNT_OF(whole); i++)
        if (str_is(to, whole[i])) {
            v.type = i64;
            v.reg = call(c, BUILTIN_JSON_INT, &i64, text, NO_REG, span);
            return v;
        }
    if (str_is(to, "f32") || str_is(to, "f64")) {
        v.type = f64;
        v.reg = call(c, BUILTIN_PARSE_FLOAT, &f64, text, NO_REG, span);
        return v;
    }
    if (str_is(to, "bool") || str_is(to, "decimal")) return v; /* as JSON writes them */
    if (str_is(to, "bytes")) { /* digits alone would be base64, too */
        Val quote = check__constant(IR_STR, (IrImm){.text = STR("\"")}, span);
        quote.type.bytes_max = 1;
        uint32_t is =
            check__emit2(c, IR_STARTS, (Type){.kind = IR_BOOL}, text, check__reg(c, &quote), span)
                .reg;
        build_ins(c->b, IR_IF, NO_REG,
                  check__emit1(c, IR_NOT, (Type){.kind = IR_BOOL}, is, span).reg, NO_REG);
        build_ins(c->b, IR_FAIL, NO_REG, NO_REG, NO_REG)->imm.fail.reason = STR("bad_value");
        build_ins(c->b, IR_END, NO_REG, NO_REG, NO_REG);
    }
    v.reg = call(c, BUILTIN_JSON_TEXT, &words, text, NO_REG, span);
    return v;
}

Val check__from_json(Check *c, const AstExpr *e, const Val *j,
                     Val (*convert)(Check *c, const AstExpr *e, Val v))
{
    Str to = e->as.convert.name.text;
    uint32_t text = text_of(c, j, e->span);
    if (e->as.convert.unit) {
        diag_error(c->diags, DIAG_U006, e->span,
                   "a json value has no unit: say first what it is, (x to f64) * 1 [%.*s]",
                   STR_ARG(e->as.convert.unit->text));
        return check__error_val(e->span);
    }
    if (!j->type.optional)
        return convert(c, e, for_conversion(c, to, text, j->type.bytes_max, e->span));
    build_ins(c->b, IR_IF, NO_REG, j->has, NO_REG);
    Val v = convert(c, e, for_conversion(c, to, text, j->type.bytes_max, e->span));
    if (check__bad(&v)) return v;
    v = check__settle(c, v, STR_NONE);
    uint32_t mark = c->b->stage->code_count;
    build_ins(c->b, IR_ELSE, NO_REG, NO_REG, NO_REG);
    Val none = check__absent(c, &v.type, e->span);
    return check__merge(c, v, mark, none, IR_END, e->span);
}
