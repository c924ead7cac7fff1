/* compiler/type/vals.c: values while checking: constants, conversions, merging of arms. */
#include "compiler/type/check.h"

#include <math.h>

Val check__error_val(Span span)
{
    return (Val){.type = {.kind = IR_NONE}, .reg = NO_REG, .has = NO_REG, .span = span};
}

bool check__bad(const Val *v)
{
    return v->type.kind == IR_NONE && !v->type.null;
}

Val check__constant(IrType kind, IrImm imm, Span span)
{
    return (Val){.type = {.kind = kind},
                 .reg = NO_REG,
                 .has = NO_REG,
                 .constant = true,
                 .imm = imm,
                 .span = span};
}

IrReg check__reg_of(const Type *type, Str name)
{
    return (IrReg){.type = type->kind,
                   .names = type->names,
                   .bytes_max = type->bytes_max,
                   .scale = type->scale,
                   .record = type->kind == IR_LIST ? type->record->schema : 0,
                   .name = name};
}

uint32_t check__reg(Check *c, const Val *v)
{
    if (!v->constant) return v->reg;
    uint32_t reg = build_reg(c->b, check__reg_of(&v->type, STR_NONE));
    build_ins(c->b, IR_CONST, reg, NO_REG, NO_REG)->imm = v->imm;
    return reg;
}

Val check__emit2(Check *c, IrOp op, Type type, uint32_t a, uint32_t b, Span span)
{
    type.optional = false;
    uint32_t dst = build_reg(c->b, check__reg_of(&type, STR_NONE));
    build_ins(c->b, op, dst, a, b)->span = span;
    return (Val){.type = type, .reg = dst, .has = NO_REG, .span = span};
}

Val check__emit1(Check *c, IrOp op, Type type, uint32_t a, Span span)
{
    return check__emit2(c, op, type, a, NO_REG, span);
}

Val check__finite(Check *c, Val v)
{
    if (!v.wild || v.constant || !type_is_float(v.type.kind)) return v;
    Val clean = check__emit1(c, IR_FINITE, v.type, v.reg, v.span);
    clean.path = v.path;
    return clean;
}

double check__imm_number(IrType kind, IrImm imm)
{
    if (kind == IR_U32 || kind == IR_U64) return (double)imm.natural;
    return type_is_float(kind) ? imm.number : (double)imm.integer;
}

static bool integer_fits(IrType to, bool negative, uint64_t size)
{
    switch (to) {
    case IR_I32: return size <= (uint64_t)INT32_MAX + (negative ? 1 : 0);
    case IR_I64:
    case IR_DURATION:
    case IR_TIME: return size <= (uint64_t)INT64_MAX + (negative ? 1 : 0);
    case IR_U32: return (!negative || size == 0) && size <= UINT32_MAX;
    case IR_U64: return !negative || size == 0;
    default: return false;
    }
}

bool check__imm_convert(const Type *from_type, IrImm imm, const Type *to_type, IrImm *ret_imm)
{
    IrType from = from_type->kind, to = to_type->kind;
    if (to == IR_DECIMAL) return check__imm_to_decimal(from_type, imm, to_type->scale, ret_imm);
    if (from == IR_DECIMAL && !type_is_float(to)) {
        if (!check__imm_from_decimal(from_type, imm, &imm)) return false;
        from = IR_I64;
    }
    if (type_is_float(to)) {
        Val v = {.type = *from_type, .imm = imm};
        double value = check__val_number(&v);
        *ret_imm = (IrImm){.number = to == IR_F32 ? (double)(float)value : value};
        return isfinite(ret_imm->number);
    }
    bool negative;
    uint64_t size;
    if (type_is_float(from)) {
        double value = fabs(imm.number);
        if (value != floor(value) || !(value < 18446744073709551616.0)) return false;
        negative = imm.number < 0;
        size = (uint64_t)value;
    } else if (from == IR_U32 || from == IR_U64) {
        negative = false;
        size = imm.natural;
    } else {
        negative = imm.integer < 0;
        size = negative ? 0 - (uint64_t)imm.integer : (uint64_t)imm.integer;
    }
    if (!integer_fits(to, negative, size)) return false;
    if (to == IR_U32 || to == IR_U64)
        *ret_imm = (IrImm){.natural = size};
    else
        *ret_imm = (IrImm){.integer = (int64_t)(negative ? 0 - size : size)};
    return true;
}

bool check__coerce(Check *c, Val *v, IrType kind)
{
    if (v->type.kind == kind || check__bad(v)) return true;
    if (v->constant) {
        IrImm imm;
        Type to = {.kind = kind};
        if (!check__imm_convert(&v->type, v->imm, &to, &imm)) {
            diag_error(c->diags, DIAG_T008, v->span, "this number does not fit %s",
                       ir_type_name(kind));
            return false;
        }
        v->imm = imm;
        v->type.kind = kind;
        v->type.scale = 0;
        return true;
    }
    Val source = type_is_float(kind) ? *v : check__finite(c, *v);
    Type type = source.type;
    type.kind = kind;
    type.scale = 0;
    Val out = check__emit1(c, IR_CONV, type, source.reg, v->span);
    out.type.optional = v->type.optional;
    out.has = v->has;
    out.wild = type_is_float(kind) && source.wild;
    *v = out;
    return true;
}

static Str since(Check *c, const Type *type)
{
    Str text = type_text(c->arena, type);
    if (type->span.end == 0) return text;
    return check__text(c, "%.*s since line %u", STR_ARG(text), check__line(c, type->span));
}

const char check__key_needs[] = "a key is always there";

bool check__present(Check *c, const Val *v, const char *needs)
{
    if (!v->type.optional && !v->type.null) return true;
    Str name = v->path.len ? v->path : source_text(c->file->source, v->span);
    if (name.len > 40) name = STR("this");
    Diagnostic *d;
    if (c->target.len)
        d = diag_error(c->diags, DIAG_T014, v->span, "`%.*s` can be missing here, `%.*s` cannot",
                       STR_ARG(name), STR_ARG(c->target));
    else
        d = diag_error(c->diags, DIAG_T014, v->span, "`%.*s` can be missing here, %s",
                       STR_ARG(name), needs);
    if (v->type.null) return false;
    diag_under(c->diags, d, "%.*s", STR_ARG(since(c, &v->type)));
    const char *zero = type_is_number(v->type.kind) ? "0"
                       : v->type.kind == IR_STR     ? "\"\""
                       : v->type.kind == IR_BOOL    ? "false"
                                                    : NULL;
    if (zero) {
        Str unit = v->type.unit ? check__text(c, " [%.*s]", STR_ARG(v->type.unit->text)) : STR_NONE;
        Str label = check__text(c, "%.*s ?? %s%.*s", STR_ARG(name), zero, STR_ARG(unit));
        bool key = needs == check__key_needs && v->path.len; /* it needs a name then */
        diag_fix_str(c->diags, d, label, v->span,
                     key ? check__text(c, "(%.*s) as %.*s", STR_ARG(label), STR_ARG(v->path))
                         : check__text(c, "(%.*s)", STR_ARG(label)));
    }
    if (v->path.len && c->stage) {
        Span before = {c->stage->span.file, c->stage->span.start, c->stage->span.start};
        Str label = check__text(c, "require %.*s", STR_ARG(v->path));
        diag_fix_str(c->diags, d, label, before, check__text(c, "%.*s\n  ", STR_ARG(label)));
        label = check__text(c, "where %.*s exists", STR_ARG(v->path));
        diag_fix_str(c->diags, d, label, before, check__text(c, "%.*s\n  ", STR_ARG(label)));
    }
    return false;
}

static void unit_mismatch(Check *c, const Val *v, const Type *want)
{
    Diagnostic *d;
    if (v->naked && want->unit) {
        d = diag_error(c->diags, DIAG_U003, v->span, "this number needs its unit, [%.*s]",
                       STR_ARG(want->unit->text));
        Span after = {v->span.file, v->span.end, v->span.end};
        diag_fix_str(c->diags, d,
                     check__text(c, "%.*s [%.*s]", STR_ARG(source_text(c->file->source, v->span)),
                                 STR_ARG(want->unit->text)),
                     after, check__text(c, " [%.*s]", STR_ARG(want->unit->text)));
        return;
    }
    Str have = v->type.unit ? v->type.unit->text : STR("1"),
        need = want->unit ? want->unit->text : STR("1");
    d = diag_error(c->diags, DIAG_U002, v->span, "this is in [%.*s], [%.*s] is needed",
                   STR_ARG(have), STR_ARG(need));
    if (want->unit && unit_convertible(v->type.unit, want->unit)) {
        Str text = check__text(c, "%.*s to [%.*s]", STR_ARG(source_text(c->file->source, v->span)),
                               STR_ARG(need));
        diag_fix_str(c->diags, d, STR_NONE, v->span, text);
    }
}

static bool widens(const Val *v, const Type *want)
{
    IrType from = v->type.kind, to = want->kind;
    if (v->constant) return true;
    if (to == IR_DECIMAL)
        return type_is_integer(from) || (from == IR_DECIMAL && v->type.scale <= want->scale);
    if (from == to) return true;
    if (to == IR_F64) return true;
    if (to == IR_F32) return false;
    if (to == IR_I64) return from == IR_I32 || from == IR_U32;
    return to == IR_U64 && from == IR_U32;
}

/* A record into one of the same fields, in any order; those that may be missing may be left out. */
static bool fit_record(Check *c, Val *v, const Type *want, const char *what)
{
    const Record *have = v->type.record, *to = want->record;
    Val *fields = NEW(c, Val, to->count + 1);
    uint32_t found = 0;
    for (uint32_t i = 0; i < to->count; i++) {
        const RecordField *f = &to->fields[i];
        uint32_t at = 0;
        while (at < have->count && !str_eq(have->fields[at].name, f->name)) at++;
        if (at == have->count && !f->type.optional) return false;
        if (at == have->count) {
            fields[i] = check__absent(c, &f->type, v->span);
            continue;
        }
        found++;
        fields[i] = v->fields[at];
        fields[i].type = have->fields[at].type;
        if (!check__fit(c, &fields[i], &f->type, what, f->name)) return false;
    }
    if (found != have->count) return false;
    v->fields = fields;
    bool optional = v->type.optional;
    v->type = *want;
    v->type.optional = optional;
    return true;
}

bool check__fit(Check *c, Val *v, const Type *want, const char *what, Str name)
{
    if (check__bad(v) || want->kind == IR_NONE) return true;
    if ((v->type.optional || v->type.null) && !want->optional) {
        Str keep = c->target;
        c->target = STR_NONE;
        check__present(c, v, check__text(c, "%s `%.*s` cannot", what, STR_ARG(name)).ptr);
        c->target = keep;
        return false;
    }
    if (v->type.null) {
        return true;
    }
    if (check__is_tag(want) && v->type.kind != IR_RECORD) {
        bool optional = v->type.optional;
        Type value = want->record->fields[0].type;
        value.optional = optional;
        if (!check__fit(c, v, &value, what, name)) return false;
        *v = check__as_tag(c, *v);
    }
    uint32_t errors = c->diags->error_count;
    if (v->type.kind == IR_RECORD && want->kind == IR_RECORD &&
        (!v->type.record->tag || want->record->tag)) { /* a record may be written as a tag */
        if (fit_record(c, v, want, what)) return true;
        if (c->diags->error_count != errors) return false;
    }
    bool numbers = type_is_number(v->type.kind) && type_is_number(want->kind);
    if (numbers && widens(v, want)) {
        if (!(v->naked && v->constant) && !unit_same(v->type.unit, want->unit)) {
            unit_mismatch(c, v, want);
            return false;
        }
        if (!check__coerce_to(c, v, want)) return false;
        v->type.unit = want->unit;
        return true;
    }
    if (v->type.kind == want->kind && (!numbers || unit_same(v->type.unit, want->unit)) &&
        type_same(&v->type, want))
        return true;
    Diagnostic *d = diag_error(c->diags, DIAG_T001, v->span, "%s `%.*s` is %.*s, this is %.*s",
                               what, STR_ARG(name), STR_ARG(type_text(c->arena, want)),
                               STR_ARG(type_text(c->arena, &v->type)));
    check__value_fix(c, d, v);
    if (numbers) {
        Type plain = {.kind = want->kind, .scale = want->scale};
        Str text = check__text(c, "%.*s to %.*s", STR_ARG(source_text(c->file->source, v->span)),
                               STR_ARG(type_text(c->arena, &plain)));
        diag_fix_str(c->diags, d, STR_NONE, v->span, text);
    }
    return false;
}

Val check__settle(Check *c, Val v, Str name)
{
    if (v.type.kind == IR_RECORD) {
        Val *fields = NEW(c, Val, v.type.record->count + 1);
        for (uint32_t i = 0; i < v.type.record->count; i++)
            fields[i] = check__settle(c, v.fields[i], v.type.record->fields[i].name);
        v.fields = fields;
        return v;
    }
    v = check__finite(c, v);
    if (v.constant) {
        uint32_t reg = check__reg(c, &v);
        v.reg = reg;
        v.constant = v.naked = false;
    }
    if (v.reg != NO_REG && name.len && c->b->stage->regs[v.reg].name.len == 0)
        c->b->stage->regs[v.reg].name = name;
    return v;
}

Val check__bind(Check *c, Val v, Str name)
{
    uint32_t has = v.has;
    if (v.type.kind == IR_RECORD) {
        const Record *r = v.type.record;
        Val *fields = NEW(c, Val, r->count + 1);
        for (uint32_t i = 0; i < r->count; i++)
            fields[i] = check__bind(c, v.fields[i], r->fields[i].name);
        v.fields = fields;
        return v;
    }
    if (v.wild && has != NO_REG) {
        build_ins(c->b, IR_IF, NO_REG, has, NO_REG);
        build_ins(c->b, IR_FINITE, v.reg, v.reg, NO_REG);
        build_ins(c->b, IR_END, NO_REG, NO_REG, NO_REG);
        v.wild = false;
    }
    v = check__settle(c, v, name);
    v.has = has;
    return v;
}

Val check__place(Check *c, const Type *type, bool optional, Span span)
{
    Val v = {.type = *type, .reg = NO_REG, .has = NO_REG, .span = span};
    optional = optional || type->optional;
    if (optional) v.has = build_temp(c->b, IR_BOOL);
    if (type->kind != IR_RECORD) {
        v.reg = build_reg(c->b, check__reg_of(type, STR_NONE));
        return v;
    }
    v.fields = NEW(c, Val, type->record->count + 1);
    for (uint32_t i = 0; i < type->record->count; i++)
        v.fields[i] = check__place(c, &type->record->fields[i].type, optional, span);
    return v;
}

static void put_bool(Check *c, uint32_t dst, bool value)
{
    if (dst != NO_REG) build_ins(c->b, IR_CONST, dst, NO_REG, NO_REG)->imm.boolean = value;
}

/* src NULL: missing. Values are written too, so that every path writes before a read. */
static void move(Check *c, const Val *dst, const Val *src)
{
    if (src && src->has != NO_REG && dst->has != NO_REG)
        build_ins(c->b, IR_MOVE, dst->has, src->has, NO_REG);
    else
        put_bool(c, dst->has, src != NULL);
    if (dst->type.kind == IR_RECORD) {
        for (uint32_t i = 0; i < dst->type.record->count; i++)
            move(c, &dst->fields[i], src ? &src->fields[i] : NULL);
    } else if (!src) {
        IrIns *ins = build_ins(c->b, IR_CONST, dst->reg, NO_REG, NO_REG);
        if (dst->type.kind == IR_STR) ins->imm.text = STR("");
    } else if (src->constant) {
        build_ins(c->b, IR_CONST, dst->reg, NO_REG, NO_REG)->imm = src->imm;
    } else {
        build_ins(c->b, IR_MOVE, dst->reg, src->reg, NO_REG);
    }
}

Val check__absent(Check *c, const Type *type, Span span)
{
    Type optional = *type;
    optional.optional = true;
    Val v = check__place(c, &optional, true, span);
    move(c, &v, NULL);
    return v;
}

static void reverse(IrIns *list, uint32_t from, uint32_t to)
{
    for (; from + 1 < to; from++, to--) {
        IrIns keep = list[from];
        list[from] = list[to - 1];
        list[to - 1] = keep;
    }
}

Type check__joined(const Val *a, const Val *b)
{
    if (a->type.null) return b->type;
    if (b->type.null) return a->type;
    if (check__is_tag(&b->type) && !check__is_tag(&a->type)) return b->type;
    if (check__is_tag(&a->type)) return a->type;
    Type type = a->type;
    if (type_is_number(a->type.kind) && type_is_number(b->type.kind)) {
        bool decimal = a->type.kind == IR_DECIMAL || b->type.kind == IR_DECIMAL;
        if (decimal)
            type = check__number_type(IR_ADD, a, b);
        else if (a->constant && !b->constant)
            type = b->type;
        else if (!b->constant || b->type.kind == IR_F64) {
            if (a->type.kind != b->type.kind)
                type.kind =
                    type_is_float(a->type.kind) || type_is_float(b->type.kind) ? IR_F64 : IR_I64;
        }
        if (a->naked && !b->naked) type.unit = b->type.unit;
        if (a->constant && !b->constant && type_is_integer(type.kind) &&
            type_is_float(a->type.kind))
            type.kind = IR_F64;
        if (b->constant && !a->constant && type_is_integer(type.kind) &&
            type_is_float(b->type.kind))
            type.kind = IR_F64;
        type.has_range = false;
    }
    if (b->type.bytes_max > type.bytes_max) type.bytes_max = b->type.bytes_max;
    return type;
}

Val check__merge(Check *c, Val a, uint32_t mark, Val b, IrOp end, Span span)
{
    bool optional = a.type.optional || b.type.optional || a.type.null || b.type.null;
    if (a.type.null && b.type.null) {
        diag_error(c->diags, DIAG_T009, span, "both sides are null");
        return check__error_val(span);
    }
    if (check__bad(&a) || check__bad(&b)) return check__error_val(span);
    Type type = check__joined(&a, &b);
    type.optional = optional;
    if (!check__fit(c, &b, &type, "the other side of", STR("if"))) return check__error_val(span);
    if (b.type.kind == IR_RECORD && !b.type.null) b = check__bind(c, b, STR_NONE);
    uint32_t finish = c->b->stage->code_count;
    if (!check__fit(c, &a, &type, "the other side of", STR("if"))) return check__error_val(span);
    if (a.type.kind == IR_RECORD && !a.type.null) a = check__bind(c, a, STR_NONE);
    Val dst = check__place(c, &type, optional, span);
    move(c, &dst, a.type.null ? NULL : &a);
    IrIns *code = c->b->stage->code;
    uint32_t count = c->b->stage->code_count;
    reverse(code, mark, finish); /* rotate: what ends arm a goes to the end of arm a */
    reverse(code, finish, count);
    reverse(code, mark, count);
    move(c, &dst, b.type.null ? NULL : &b);
    build_ins(c->b, end, NO_REG, NO_REG, NO_REG);
    dst.wild = a.wild || b.wild;
    return dst;
}
