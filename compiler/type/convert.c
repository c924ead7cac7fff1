/* compiler/type/convert.c: `x to [unit]` and `x to name`.
 *
 * Units convert within a dimension. Names are types: numbers among each other, text to and from
 * everything that has a text, durations to and from numbers with a unit of time, enums by name.
 * What a text does not say is the reason its decoder would give: bad_number, bad_time, bad_enum. */
#include "base/num.h"
#include "base/rfc3339.h"
#include "compiler/type/check.h"

/* ---- constants as text ---- */

bool check__constant_text(Check *c, const Val *v, Str *ret_text)
{
    AUTO_BUF Buf out;
    char room[64], *end = room;
    buf_init(&out, TYPE_STRING_MAX);
    switch (v->type.kind) {
    case IR_BOOL: buf_text(&out, v->imm.boolean ? "true" : "false"); break;
    case IR_I32:
    case IR_I64: buf_i64(&out, v->imm.integer); break;
    case IR_U32:
    case IR_U64: buf_u64(&out, v->imm.natural); break;
    case IR_F32: end = num_put_f32(room, (float)v->imm.number); break;
    case IR_F64: end = num_put_f64(room, v->imm.number); break;
    case IR_DECIMAL: check__put_decimal(&out, v->imm.integer, v->type.scale); break;
    case IR_TIME: end = rfc3339_put(room, v->imm.integer); break;
    case IR_DURATION: end = duration_put(room, v->imm.integer); break;
    case IR_ENUM: buf_str(&out, v->type.names->names[v->imm.integer]); break;
    case IR_STR: buf_str(&out, v->imm.text); break;
    default: return false;
    }
    buf_str(&out, str_slice(room, (size_t)(end - room)));
    *ret_text = arena_str(c->arena, buf_view(&out));
    if (!ret_text->ptr) check__leave(c, ST_NO_MEMORY);
    return true;
}

/* ---- calls and tests of texts ---- */

static Val call(Check *c, Builtin which, Type type, const Val *args, uint32_t count, Span span)
{
    uint32_t regs[4];
    for (uint32_t i = 0; i < count; i++) regs[i] = check__reg(c, &args[i]);
    uint32_t dst = build_reg(c->b, check__reg_of(&type, STR_NONE));
    IrIns *ins = build_list(c->b, IR_CALL, dst, regs, count);
    ins->imm.builtin = which;
    ins->span = span;
    return (Val){.type = type, .reg = dst, .has = NO_REG, .span = span};
}

static uint32_t is_text(Check *c, const Val *v, Str text, Span span)
{
    Val other = check__constant(IR_STR, (IrImm){.text = text}, span);
    other.type.bytes_max = (uint32_t)text.len;
    return check__emit2(c, IR_EQ, (Type){.kind = IR_BOOL}, v->reg, check__reg(c, &other), span).reg;
}

static void fail_unless(Check *c, uint32_t cond, const char *reason, Span span)
{
    uint32_t no = check__emit1(c, IR_NOT, (Type){.kind = IR_BOOL}, cond, span).reg;
    build_ins(c->b, IR_IF, NO_REG, no, NO_REG);
    build_ins(c->b, IR_FAIL, NO_REG, NO_REG, NO_REG)->imm.fail.reason = str_from(reason);
    build_ins(c->b, IR_END, NO_REG, NO_REG, NO_REG);
}

/* ---- units ---- */

static const Unit *second(Check *c)
{
    Unit *unit = NEW(c, Unit, 1);
    return unit_find(STR("s"), unit) ? unit : NULL;
}

static Val to_unit(Check *c, const AstExpr *e, Val v)
{
    c->unit_like = v.type.unit;
    const Unit *to = check__unit(c, e->as.convert.unit);
    c->unit_like = NULL;
    if (!to) return check__error_val(e->span);
    if (v.type.kind == IR_DURATION) { /* a duration is a number of seconds */
        v = call(c, BUILTIN_SECONDS, (Type){.kind = IR_F64, .unit = second(c)}, &v, 1, e->span);
    }
    if (!type_is_number(v.type.kind)) {
        diag_error(c->diags, DIAG_U006, v.span, "%.*s has no unit",
                   STR_ARG(type_text(c->arena, &v.type)));
        return check__error_val(e->span);
    }
    if (!unit_convertible(v.type.unit, to)) {
        Diagnostic *d =
            diag_error(c->diags, DIAG_U004, e->span, "%.*s does not convert to %.*s",
                       STR_ARG(v.type.unit ? check__text(c, "[%.*s]", STR_ARG(v.type.unit->text))
                                           : STR("a number without unit")),
                       STR_ARG(unit_dimension(c->arena, to)));
        if (!v.type.unit)
            diag_note(c->diags, d, v.type.span, "give its type a unit: [%.*s]", STR_ARG(to->text));
        return check__error_val(e->span);
    }
    if (v.type.unit && v.type.unit->step)
        to = check__step_unit(c, to); /* 10 degC more are 18 degF */
    double factor, offset;
    unit_conversion(v.type.unit, to, &factor, &offset);
    v.naked = false;
    if (factor == 1 && offset == 0) {
        v.type.unit = to;
        return v;
    }
    Type type = {.kind = IR_F64, .unit = to};
    if (!check__coerce(c, &v, IR_F64)) return check__error_val(e->span);
    if (v.constant) {
        v.imm.number *= factor;
        if (offset != 0) v.imm.number += offset;
        v.type = type;
        return v;
    }
    Val by = check__constant(IR_F64, (IrImm){.number = factor}, e->span),
        plus = check__constant(IR_F64, (IrImm){.number = offset}, e->span);
    Val out = check__emit2(c, IR_MUL, type, v.reg, check__reg(c, &by), e->span);
    if (offset != 0) out = check__emit2(c, IR_ADD, type, out.reg, check__reg(c, &plus), e->span);
    out.wild = true;
    return out;
}

/* ---- names ---- */

static Val convert(Check *c, const AstExpr *e, Val v);

Val check__convert(Check *c, const AstExpr *e)
{
    Tagged tagged = {0};
    Val v = check__untag(c, check__expr(c, e->as.convert.value, NULL), &tagged);
    if (check__bad(&v)) return v;
    return check__retag(c, convert(c, e, v), &tagged);
}

static Val does_not(Check *c, const AstExpr *e, const Val *v, const char *note)
{
    Diagnostic *d =
        diag_error(c->diags, DIAG_T003, v->span, "%.*s does not convert to %.*s",
                   STR_ARG(type_text(c->arena, &v->type)), STR_ARG(e->as.convert.name.text));
    if (note) diag_note(c->diags, d, (Span){UINT32_MAX, 0, 0}, "%s", note);
    return check__error_val(e->span);
}

static Val to_string(Check *c, const AstExpr *e, Val v)
{
    AstInteger size = e->as.convert.size;
    if (v.type.kind == IR_RECORD || v.type.kind == IR_LIST) return does_not(c, e, &v, NULL);
    if (AST_HAS(size) && (size.value < 1 || size.value > TYPE_STRING_MAX)) {
        diag_error(c->diags, DIAG_T013, size.span, "the length of string is from 1 to %d",
                   TYPE_STRING_MAX);
        return check__error_val(e->span);
    }
    uint32_t most = AST_HAS(size) ? (uint32_t)size.value : type_text_max(&v.type);
    Str text;
    if (v.constant && !AST_HAS(size) && check__constant_text(c, &v, &text)) {
        Val out = check__constant(IR_STR, (IrImm){.text = text}, e->span);
        out.type.bytes_max = (uint32_t)text.len;
        return out;
    }
    if (v.type.kind == IR_STR && v.type.bytes_max <= most) return v;
    v = check__finite(c, v);
    Type type = {.kind = IR_STR, .bytes_max = most};
    bool narrow = most < type_text_max(&v.type);
    Val out = check__emit1(c, IR_TEXT, type, check__reg(c, &v), e->span);
    c->b->stage->code[c->b->stage->code_count - 1].imm.boolean = narrow;
    return out;
}

static Val to_date(Check *c, const AstExpr *e, Val v)
{
    if (v.type.kind != IR_TIME) return does_not(c, e, &v, "a time has a date");
    Type type = {.kind = IR_STR, .bytes_max = 30};
    Val args[3] = {check__emit1(c, IR_TEXT, type, check__reg(c, &v), e->span),
                   check__constant(IR_I64, (IrImm){.integer = 0}, e->span),
                   check__constant(IR_I64, (IrImm){.integer = 10}, e->span)};
    type.bytes_max = 10;
    return call(c, BUILTIN_SUBSTR, type, args, 3, e->span);
}

static Val to_number(Check *c, const AstExpr *e, Val v, IrType kind)
{
    if (v.type.kind == IR_STR)
        v = type_is_float(kind)
                ? call(c, BUILTIN_PARSE_FLOAT, (Type){.kind = IR_F64}, &v, 1, e->span)
                : call(c, BUILTIN_PARSE_INT, (Type){.kind = IR_I64}, &v, 1, e->span);
    if (v.type.kind == IR_BOOL) {
        Val one = check__constant(kind, (IrImm){0}, e->span), zero = one;
        if (!check__imm_convert(&(Type){.kind = IR_I64}, (IrImm){.integer = 1}, &one.type,
                                &one.imm))
            return check__error_val(e->span);
        build_ins(c->b, IR_IF, NO_REG, check__reg(c, &v), NO_REG);
        uint32_t mark = c->b->stage->code_count;
        build_ins(c->b, IR_ELSE, NO_REG, NO_REG, NO_REG);
        return check__merge(c, one, mark, zero, IR_END, e->span);
    }
    if (!type_is_number(v.type.kind))
        return does_not(c, e, &v,
                        v.type.kind == IR_TIME       ? "unix_ms(t) is its number of milliseconds"
                        : v.type.kind == IR_DURATION ? "write `to [s]`, or seconds(d)"
                                                     : NULL);
    if (!check__coerce(c, &v, kind)) return check__error_val(e->span);
    v.naked = false;
    if (kind == IR_F32) v.wild = !v.constant;
    return v;
}

static Val to_bool(Check *c, const AstExpr *e, Val v)
{
    if (v.type.kind == IR_BOOL) return v;
    if (v.type.kind != IR_STR)
        return does_not(c, e, &v, type_is_number(v.type.kind) ? "write x != 0" : NULL);
    v = check__settle(c, v, STR_NONE);
    uint32_t yes = is_text(c, &v, STR("true"), e->span), no = is_text(c, &v, STR("false"), e->span);
    uint32_t known = check__emit2(c, IR_OR, (Type){.kind = IR_BOOL}, yes, no, e->span).reg;
    fail_unless(c, known, "bad_value", e->span);
    return (Val){.type = {.kind = IR_BOOL}, .reg = yes, .has = NO_REG, .span = e->span};
}

static Val to_enum(Check *c, const AstExpr *e, Val v, const Type *to)
{
    if (v.type.kind == IR_ENUM && type_same(&v.type, to)) return v;
    if (v.type.kind != IR_STR) return does_not(c, e, &v, "an enum is made of its names as text");
    if (to->names->count > CHECK_CASES_MAX) return does_not(c, e, &v, "it has too many names");
    v = check__settle(c, v, STR_NONE);
    Type type = *to;
    type.optional = false;
    uint32_t dst = build_reg(c->b, check__reg_of(&type, STR_NONE)), known = NO_REG;
    build_ins(c->b, IR_CONST, dst, NO_REG, NO_REG);
    for (uint32_t i = 0; i < to->names->count; i++) {
        uint32_t same = is_text(c, &v, to->names->names[i], e->span);
        build_ins(c->b, IR_IF, NO_REG, same, NO_REG);
        build_ins(c->b, IR_CONST, dst, NO_REG, NO_REG)->imm.integer = i;
        build_ins(c->b, IR_END, NO_REG, NO_REG, NO_REG);
        known = known == NO_REG
                    ? same
                    : check__emit2(c, IR_OR, (Type){.kind = IR_BOOL}, known, same, e->span).reg;
    }
    fail_unless(c, known, "bad_enum", e->span);
    return (Val){.type = type, .reg = dst, .has = NO_REG, .span = e->span};
}

static Val to_duration(Check *c, const AstExpr *e, Val v)
{
    if (v.type.kind == IR_DURATION) return v;
    Type type = {.kind = IR_DURATION};
    if (v.type.kind == IR_STR) return call(c, BUILTIN_PARSE_DURATION, type, &v, 1, e->span);
    const Unit *unit = second(c);
    if (!type_is_number(v.type.kind) || !v.type.unit || !unit_convertible(v.type.unit, unit))
        return does_not(c, e, &v, "a number with a unit of time is one: 5 [min]");
    double factor, offset;
    unit_conversion(v.type.unit, unit, &factor, &offset);
    if (!check__coerce(c, &v, IR_F64)) return check__error_val(e->span);
    Val by = check__constant(IR_F64, (IrImm){.number = factor * 1e9}, e->span);
    v.type.unit = NULL;
    v = check__finite(c, v);
    Val ns = check__emit2(c, IR_MUL, v.type, check__reg(c, &v), check__reg(c, &by), e->span);
    ns = call(c, BUILTIN_ROUND, ns.type, &ns, 1, e->span);
    ns = check__emit1(c, IR_CONV, (Type){.kind = IR_I64}, ns.reg, e->span);
    return check__emit1(c, IR_CONV, type, ns.reg, e->span);
}

static Val unknown(Check *c, const AstExpr *e, const Val *v)
{
    static const char *const names[] = {"i32",   "i64",    "u32",     "u64",  "f32",
                                        "f64",   "string", "decimal", "bool", "time",
                                        "bytes", "date",   "duration"};
    Str to = e->as.convert.name.text, best = STR_NONE;
    uint32_t distance = UINT32_MAX;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        diag_suggest(to, str_from(names[i]), &best, &distance);
    Diagnostic *d =
        diag_error(c->diags, DIAG_N003, e->as.convert.name.span, "%.*s does not convert to `%.*s`",
                   STR_ARG(type_text(c->arena, &v->type)), STR_ARG(to));
    check__did_you_mean(c, d, e->as.convert.name.span, best);
    return check__error_val(e->span);
}

static Val convert(Check *c, const AstExpr *e, Val v)
{
    static const IrType kinds[] = {IR_I32, IR_I64, IR_U32, IR_U64, IR_F32, IR_F64};
    Str to = e->as.convert.name.text;
    AstInteger size = e->as.convert.size;
    if (v.type.kind == IR_JSON) return check__from_json(c, e, &v, convert);
    if (!check__present(c, &v, "`to` needs a value")) return check__error_val(e->span);
    if (e->as.convert.unit) return to_unit(c, e, v);
    if (AST_HAS(size) && !str_is(to, "string") && !str_is(to, "decimal")) {
        diag_error(c->diags, DIAG_N003, size.span, "`to %.*s` takes no size", STR_ARG(to));
        return check__error_val(e->span);
    }
    if (str_is(to, "string")) return to_string(c, e, v);
    if (str_is(to, "date")) return to_date(c, e, v);
    if (str_is(to, "decimal")) return check__to_decimal(c, e, v);
    if (str_is(to, "bool")) return to_bool(c, e, v);
    if (str_is(to, "duration")) return to_duration(c, e, v);
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (str_is(to, ir_type_name(kinds[i]))) return to_number(c, e, v, kinds[i]);
    if (str_is(to, "time")) {
        if (v.type.kind == IR_TIME) return v;
        if (v.type.kind != IR_STR)
            return does_not(c, e, &v,
                            type_is_integer(v.type.kind) ? "from_unix_ms(n) makes a time" : NULL);
        return call(c, BUILTIN_PARSE_TIME, (Type){.kind = IR_TIME}, &v, 1, e->span);
    }
    if (str_is(to, "bytes")) {
        if (v.type.kind == IR_BYTES) return v;
        if (v.type.kind != IR_STR) return does_not(c, e, &v, NULL);
        Type type = {.kind = IR_BYTES, .bytes_max = v.type.bytes_max};
        return call(c, BUILTIN_FROM_BASE64, type, &v, 1, e->span);
    }
    const NamedType *named = check__named_type(c, to);
    if (named && named->type.kind == IR_ENUM) return to_enum(c, e, v, &named->type);
    return unknown(c, e, &v);
}
