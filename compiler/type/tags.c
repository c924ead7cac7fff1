/* compiler/type/tags.c: tags: a value with its quality and the time of its source.
 *
 * `tag T` is the record { value: T, quality: enum { good, uncertain, bad }, time: time? } with
 * Record.tag set; nothing behind the checker knows tags. What computes takes the values out
 * (check__untag), which notes the worst quality and the latest time of all of them, and puts its
 * result back (check__retag). A constant or a plain value beside a tag is good and has no time. */
#include "compiler/type/check.h"

enum { TAG_VALUE, TAG_QUALITY, TAG_TIME, TAG_FIELDS };

static const Str quality_names[] = {{"good", 4}, {"uncertain", 9}, {"bad", 3}};
static const IrEnum qualities = {quality_names, COUNT_OF(quality_names)};

Type check__tag_type(Check *c, const Type *value, Span span)
{
    Record *r = NEW(c, Record, 1);
    *r = (Record){.fields = NEW(c, RecordField, TAG_FIELDS),
                  .count = TAG_FIELDS,
                  .schema = NO_INDEX,
                  .tag = true};
    r->fields[TAG_VALUE] = (RecordField){STR("value"), *value, span};
    r->fields[TAG_VALUE].type.optional = false;
    r->fields[TAG_QUALITY] =
        (RecordField){STR("quality"), {.kind = IR_ENUM, .names = &qualities, .span = span}, span};
    r->fields[TAG_TIME] =
        (RecordField){STR("time"), {.kind = IR_TIME, .optional = true, .span = span}, span};
    return (Type){.kind = IR_RECORD, .record = r, .span = span};
}

Val check__tag_value(const Val *v)
{
    Val value = v->fields[TAG_VALUE];
    value.type = v->type.record->fields[TAG_VALUE].type;
    value.type.optional = v->type.optional;
    value.has = v->type.optional ? v->has : NO_REG;
    value.span = v->span;
    value.path = v->path;
    if (v->type.optional) value.type.span = v->type.span;
    return value;
}

uint32_t check__tag_quality(const Val *v)
{
    return v->fields[TAG_QUALITY].reg;
}

/* dst = b where `cond`. */
static void take_if(Check *c, uint32_t cond, uint32_t dst, uint32_t b)
{
    build_ins(c->b, IR_IF, NO_REG, cond, NO_REG);
    build_ins(c->b, IR_MOVE, dst, b, NO_REG);
    build_ins(c->b, IR_END, NO_REG, NO_REG, NO_REG);
}

static uint32_t copy(Check *c, IrType kind, uint32_t from)
{
    Type type = {.kind = kind, .names = kind == IR_ENUM ? &qualities : NULL};
    uint32_t reg = build_reg(c->b, check__reg_of(&type, STR_NONE));
    build_ins(c->b, IR_MOVE, reg, from, NO_REG);
    return reg;
}

static uint32_t test(Check *c, IrOp op, uint32_t a, uint32_t b, Span span)
{
    return check__emit2(c, op, (Type){.kind = IR_BOOL}, a, b, span).reg;
}

static void add(Check *c, const Val *v, Tagged *t)
{
    uint32_t quality = v->fields[TAG_QUALITY].reg, time = v->fields[TAG_TIME].reg,
             has = v->fields[TAG_TIME].has;
    if (!t->any) {
        *t = (Tagged){true, quality, time, has};
        return;
    }
    uint32_t worst = copy(c, IR_ENUM, t->quality);
    take_if(c, test(c, IR_GT, quality, t->quality, v->span), worst, quality);
    t->quality = worst;
    if (has == NO_REG && t->time_has == NO_REG) { /* both have a time */
        uint32_t latest = copy(c, IR_TIME, t->time);
        take_if(c, test(c, IR_GT, time, t->time, v->span), latest, time);
        t->time = latest;
        return;
    }
    /* Later, or the only one. What is not there is never looked at alone. */
    uint32_t later = test(c, IR_GT, time, t->time, v->span);
    if (t->time_has != NO_REG) {
        uint32_t alone = check__emit1(c, IR_NOT, (Type){.kind = IR_BOOL}, t->time_has, v->span).reg;
        later = test(c, IR_OR, later, alone, v->span);
    }
    if (has != NO_REG) later = test(c, IR_AND, later, has, v->span);
    uint32_t latest = copy(c, IR_TIME, t->time);
    take_if(c, later, latest, time);
    t->time = latest;
    t->time_has =
        has == NO_REG || t->time_has == NO_REG ? NO_REG : test(c, IR_OR, has, t->time_has, v->span);
}

Val check__untag(Check *c, Val v, Tagged *t)
{
    if (!check__is_tag(&v.type)) return v;
    if (t) add(c, &v, t);
    return check__tag_value(&v);
}

Val check__retag(Check *c, Val v, const Tagged *t)
{
    if (!t->any || check__bad(&v)) return v;
    if (v.constant) v = check__settle(c, v, STR_NONE);
    Val out = {.type = check__tag_type(c, &v.type, v.span),
               .reg = NO_REG,
               .has = NO_REG,
               .span = v.span,
               .fields = NEW(c, Val, TAG_FIELDS)};
    const RecordField *fields = out.type.record->fields;
    out.fields[TAG_VALUE] = v;
    out.fields[TAG_QUALITY] =
        (Val){.type = fields[TAG_QUALITY].type, .reg = t->quality, .has = NO_REG, .span = v.span};
    out.fields[TAG_TIME] =
        (Val){.type = fields[TAG_TIME].type, .reg = t->time, .has = t->time_has, .span = v.span};
    return out;
}

Type check__quality_type(void)
{
    return (Type){.kind = IR_ENUM, .names = &qualities};
}

uint32_t check__tag_good(Check *c, const Val *v, Span span)
{
    Val good = {.type = {.kind = IR_ENUM, .names = &qualities}, .constant = true};
    return check__emit2(c, IR_EQ, (Type){.kind = IR_BOOL}, check__tag_quality(v),
                        check__reg(c, &good), span)
        .reg;
}

Val check__retag_optional(Check *c, Val v, const Tagged *t)
{
    if (!t->any || check__bad(&v) || v.has == NO_REG) return check__retag(c, v, t);
    uint32_t has = v.has;
    if (v.wild) { /* what is missing is not looked at */
        build_ins(c->b, IR_IF, NO_REG, has, NO_REG);
        build_ins(c->b, IR_FINITE, v.reg, v.reg, NO_REG);
        build_ins(c->b, IR_END, NO_REG, NO_REG, NO_REG);
        v.wild = false;
    }
    Val out = check__retag(c, v, t);
    out.type.optional = true;
    out.has = out.fields[TAG_VALUE].has = out.fields[TAG_QUALITY].has = has;
    out.fields[TAG_TIME].has =
        t->time_has == NO_REG ? has : test(c, IR_AND, has, t->time_has, v.span);
    return out;
}

Val check__as_tag(Check *c, Val v)
{
    Type type = {.kind = IR_ENUM, .names = &qualities};
    Tagged good = {true, build_reg(c->b, check__reg_of(&type, STR_NONE)), build_temp(c->b, IR_TIME),
                   build_temp(c->b, IR_BOOL)};
    build_ins(c->b, IR_CONST, good.quality, NO_REG, NO_REG);
    build_ins(c->b, IR_CONST, good.time, NO_REG, NO_REG);
    build_ins(c->b, IR_CONST, good.time_has, NO_REG, NO_REG);
    bool optional = v.type.optional;
    uint32_t has = v.has;
    Val out = check__retag(c, v, &good);
    if (optional) {
        out.type.optional = true;
        out.has = out.fields[TAG_VALUE].has = out.fields[TAG_QUALITY].has = has;
    }
    return out;
}

void check__value_fix(Check *c, Diagnostic *d, const Val *v)
{
    if (!check__is_tag(&v->type)) return;
    diag_fix_str(c->diags, d, STR_NONE, v->span,
                 check__text(c, "%.*s.value", STR_ARG(source_text(c->file->source, v->span))));
}
