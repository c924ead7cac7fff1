/* compiler/type/typeexpr.c: types and units as written, turned into Type and Unit. */
#include "compiler/type/check.h"

#include <math.h>

static const Unit *unit_named(Check *c, Str name, Unit *space)
{
    const Unit *own = map_get(&c->scope->units, name);
    if (own) return own;
    return unit_find(name, space) ? space : check__unit_ahead(c, name);
}

const Unit *check__unit(Check *c, const AstUnit *ast)
{
    Unit *unit = NULL;
    uint32_t count = 0;
    for (const AstFactor *f = ast->factors; f; f = f->next, count++) {
        Unit space;
        const Unit *one = unit_named(c, f->name.text, &space);
        if (!one) {
            Str best = unit_suggest(f->name.text, ast->factors->next ? NULL : c->unit_like);
            uint32_t distance = best.len ? diag_distance(f->name.text, best, 2) : UINT32_MAX;
            check__suggest_map(&c->scope->units, f->name.text, &best, &distance);
            Diagnostic *d = diag_error(c->diags, DIAG_U001, f->name.span, "there is no unit `%.*s`",
                                       STR_ARG(f->name.text));
            check__did_you_mean(c, d, f->name.span, best);
            return NULL;
        }
        if (count == 0 && !f->next && f->power == 1) {
            unit = NEW(c, Unit, 1);
            *unit = *one;
            return unit;
        }
        Unit *next = NEW(c, Unit, 1);
        if (unit_multiply(c->arena, unit, one, f->power, next)) {
            diag_error(c->diags, DIAG_U001, ast->span, "this unit has too many factors");
            return NULL;
        }
        unit = next;
    }
    if (unit && ast->text.len) unit->text = str_trim(ast->text);
    return unit;
}

static bool bound(Check *c, const AstExpr *e, const Type *type, double *ret_value)
{
    Val v;
    if (!check__constant_expr(c, e, type, "a range", &v)) return false;
    if (!type_is_number(v.type.kind)) {
        diag_error(c->diags, DIAG_T016, e->span, "a range has numbers as its ends");
        return false;
    }
    double value = check__val_number(&v);
    if (!v.naked && !unit_same(v.type.unit, type->unit)) {
        if (!unit_convertible(v.type.unit, type->unit)) {
            diag_error(c->diags, DIAG_U002, e->span, "the range is in another unit than its type");
            return false;
        }
        double factor, offset;
        unit_conversion(v.type.unit, type->unit, &factor, &offset);
        value = value * factor + offset;
    }
    *ret_value = value;
    return true;
}

static void range_of(Check *c, const AstType *ast, Type *type)
{
    if (!ast->lo || !ast->hi) return;
    if (!type_is_number(type->kind)) {
        diag_error(c->diags, DIAG_T016, ast->span, "`in lo..hi` is for numbers, not for %s",
                   type_word(type));
        return;
    }
    if (!bound(c, ast->lo, type, &type->lo) || !bound(c, ast->hi, type, &type->hi)) return;
    if (type->lo > type->hi) {
        diag_error(c->diags, DIAG_T016, span_join(ast->lo->span, ast->hi->span),
                   "this range is empty: %g is above %g", type->lo, type->hi);
        return;
    }
    type->has_range = true;
}

static bool bounded(Check *c, const AstType *ast, const char *what, int64_t most,
                    uint32_t *ret_value)
{
    if (!AST_HAS(ast->size)) {
        Diagnostic *d = diag_error(c->diags, DIAG_T013, ast->span,
                                   "%s needs its greatest length in bytes", what);
        Span at = {ast->name.span.file, ast->name.span.end, ast->name.span.end};
        diag_fix_str(c->diags, d, check__text(c, "%s(64)", what), at, STR("(64)"));
        return false;
    }
    if (ast->size.value < 1 || ast->size.value > most) {
        diag_error(c->diags, DIAG_T013, ast->size.span, "the length of %s is from 1 to %lld", what,
                   (long long)most);
        return false;
    }
    *ret_value = (uint32_t)ast->size.value;
    return true;
}

static Type unknown_type(Check *c, const AstType *ast)
{
    static const char *const others[] = {"string", "bytes", "decimal", "time", "duration"};
    static const struct {
        const char *word, *right;
    } slips[] = {{"int", "i64"},      {"float", "f64"},   {"double", "f64"},
                 {"number", "f64"},   {"str", "string"},  {"text", "string(64)"},
                 {"boolean", "bool"}, {"integer", "i64"}, {"timestamp", "time"},
                 {"long", "i64"},     {"real", "f64"}};
    Str name = ast->name.text, best = STR_NONE;
    uint32_t distance = UINT32_MAX;
    for (IrType kind = IR_BOOL; kind <= IR_F64; kind++)
        diag_suggest(name, str_from(ir_type_name(kind)), &best, &distance);
    for (size_t i = 0; i < COUNT_OF(others); i++)
        diag_suggest(name, str_from(others[i]), &best, &distance);
    check__suggest_map(&c->scope->types, name, &best, &distance);
    for (size_t i = 0; i < COUNT_OF(slips); i++)
        if (str_is(name, slips[i].word)) best = str_from(slips[i].right);
    Diagnostic *d =
        diag_error(c->diags, DIAG_N003, ast->name.span, "there is no type `%.*s`", STR_ARG(name));
    check__did_you_mean(c, d, ast->name.span, best);
    return (Type){0};
}

static Type named(Check *c, const AstType *ast)
{
    Str name = ast->name.text;
    Type type = {.span = ast->span};
    for (IrType kind = IR_BOOL; kind <= IR_F64; kind++) {
        if (!str_is(name, ir_type_name(kind))) continue;
        type.kind = kind;
        return type;
    }
    if (str_is(name, "string")) {
        if (bounded(c, ast, "string", TYPE_STRING_MAX, &type.bytes_max)) type.kind = IR_STR;
        return type;
    }
    if (str_is(name, "duration")) {
        type.kind = IR_DURATION;
        return type;
    }
    if (str_is(name, "time")) {
        static const char *const reads[] = {"", "s", "ms", "us", "ns"};
        type.kind = IR_TIME;
        for (uint32_t i = 0; i < COUNT_OF(reads); i++) {
            if (!str_is(ast->param.text, reads[i])) continue;
            type.time_read = (IrTimeRead)i;
            return type;
        }
        diag_error(c->diags, DIAG_T013, ast->param.span, "a time is read as s, ms, us or ns");
        return type;
    }
    if (str_is(name, "decimal")) {
        if (AST_HAS(ast->size) && ast->size.value >= 0 && ast->size.value <= TYPE_SCALE_MAX) {
            type.kind = IR_DECIMAL;
            type.scale = (uint8_t)ast->size.value;
            return type;
        }
        Diagnostic *d = diag_error(c->diags, DIAG_T013, ast->span,
                                   "decimal says how many digits stand behind its point, 0 to %d",
                                   TYPE_SCALE_MAX);
        Span at = {ast->name.span.file, ast->name.span.end, ast->name.span.end};
        if (!AST_HAS(ast->size)) diag_fix_str(c->diags, d, STR("decimal(2)"), at, STR("(2)"));
        return type;
    }
    if (str_is(name, "bytes")) {
        if (bounded(c, ast, "bytes", TYPE_STRING_MAX, &type.bytes_max)) type.kind = IR_BYTES;
        return type;
    }
    if (str_is(name, "json")) { /* json(n), or as long as any text may be */
        type.bytes_max = TYPE_STRING_MAX;
        if (!AST_HAS(ast->size) || bounded(c, ast, "json", TYPE_STRING_MAX, &type.bytes_max))
            type.kind = IR_JSON;
        return type;
    }
    const NamedType *found = check__named_type(c, name);
    if (!found) return unknown_type(c, ast);
    type = found->type;
    type.span = ast->span;
    return type;
}

static Type enumeration(Check *c, const AstType *ast)
{
    uint32_t count = 0;
    for (const AstNames *n = ast->variants; n; n = n->next) count++;
    Str *names = NEW(c, Str, count + 1);
    uint32_t at = 0;
    if (count > 4096) {
        diag_error(c->diags, DIAG_T018, ast->span, "an enum has at most 4096 names");
        return (Type){0};
    }
    for (const AstNames *n = ast->variants; n; n = n->next) {
        for (uint32_t i = 0; i < at; i++) {
            if (!str_eq(names[i], n->name.text)) continue;
            diag_error(c->diags, DIAG_N002, n->name.span, "`%.*s` stands here twice",
                       STR_ARG(n->name.text));
        }
        names[at++] = n->name.text;
    }
    if (count == 0) {
        diag_error(c->diags, DIAG_T011, ast->span, "an enum has at least one name");
        return (Type){0};
    }
    IrEnum *list = NEW(c, IrEnum, 1);
    *list = (IrEnum){names, count};
    return (Type){.kind = IR_ENUM, .names = list, .span = ast->span};
}

static Type record(Check *c, const AstType *ast, uint32_t depth)
{
    Record *r = NEW(c, Record, 1);
    uint32_t cap = 0, leaves = 0;
    *r = (Record){.schema = NO_INDEX};
    for (const AstTypeField *f = ast->fields; f; f = f->next) {
        const RecordField *old = record_find(r, f->name.text);
        if (old) {
            Diagnostic *d = diag_error(c->diags, DIAG_N002, f->name.span,
                                       "the field `%.*s` stands here twice", STR_ARG(f->name.text));
            diag_note(c->diags, d, old->span, "first here, line %u", check__line(c, old->span));
            continue;
        }
        Type type = check__type(c, f->type, depth + 1);
        type.span = f->span;
        leaves += type.kind == IR_RECORD ? record_leaf_count(type.record) : 1;
        if (leaves > TYPE_LEAVES_MAX) {
            diag_error(c->diags, DIAG_T018, f->span, "a record has at most %d values",
                       TYPE_LEAVES_MAX);
            return (Type){0};
        }
        *PUSH(c, r->fields, r->count, cap) = (RecordField){f->name.text, type, f->span};
    }
    if (r->count == 0) {
        diag_error(c->diags, DIAG_T011, ast->span, "a record has at least one field");
        return (Type){0};
    }
    return (Type){.kind = IR_RECORD, .record = r, .span = ast->span};
}

Type check__list_type(Check *c, const Type *item, uint32_t most, Span span)
{
    Type type = {.kind = IR_LIST, .bytes_max = most, .span = span};
    if (item->kind == IR_RECORD && !item->optional) {
        type.record = item->record;
    } else {
        Record *r = NEW(c, Record, 1);
        *r = (Record){.fields = NEW(c, RecordField, 1), .count = 1, .schema = NO_INDEX};
        r->fields[0] = (RecordField){STR(""), *item, span};
        r->fields[0].type.span = span;
        type.record = r;
    }
    /* Registers name the item's schema, so it is made at once. */
    ((Record *)(uintptr_t)type.record)->schema = check__schema(c, type.record);
    return type;
}

static Type array(Check *c, const AstType *ast, uint32_t depth)
{
    Type item = check__type(c, ast->of, depth + 1);
    if (item.kind == IR_NONE) return (Type){0};
    if (ast->size.value < 1 || ast->size.value > TYPE_ITEMS_MAX) {
        diag_error(c->diags, DIAG_T013, ast->size.span, "a list has from 1 to %d items",
                   TYPE_ITEMS_MAX);
        return (Type){0};
    }
    return check__list_type(c, &item, (uint32_t)ast->size.value, ast->span);
}

static uint32_t record_depth(const Type *type)
{
    uint32_t most = 0;
    if (type->kind != IR_RECORD && type->kind != IR_LIST) return 0;
    for (uint32_t i = 0; i < type->record->count; i++) {
        uint32_t depth = record_depth(&type->record->fields[i].type);
        if (depth > most) most = depth;
    }
    return most + 1;
}

/* Unit and range stand behind the tag and belong to its value; `?` belongs to the tag. */
static Type tag(Check *c, const AstType *ast, uint32_t depth)
{
    AstType inner = *ast->of;
    if (ast->unit) inner.unit = ast->unit;
    if (ast->lo) inner.lo = ast->lo, inner.hi = ast->hi;
    Type value = check__type(c, &inner, depth + 1);
    if (value.kind == IR_NONE) return value;
    if (value.kind == IR_RECORD) {
        diag_error(c->diags, DIAG_T017, ast->of->span, "a tag holds a single value, not %.*s",
                   STR_ARG(type_text(c->arena, &value)));
        return (Type){0};
    }
    Type type = check__tag_type(c, &value, ast->span);
    type.optional = ast->optional;
    return type;
}

Type check__type(Check *c, const AstType *ast, uint32_t depth)
{
    Type type = {0};
    if (!ast) return type;
    if (depth > TYPE_NESTING_MAX) {
        diag_error(c->diags, DIAG_T018, ast->span, "records nest at most %d deep",
                   TYPE_NESTING_MAX);
        return type;
    }
    switch (ast->kind) {
    case AST_TYPE_NAMED: type = named(c, ast); break;
    case AST_TYPE_ENUM: type = enumeration(c, ast); break;
    case AST_TYPE_RECORD: type = record(c, ast, depth); break;
    case AST_TYPE_ARRAY: type = array(c, ast, depth); break;
    case AST_TYPE_TAG: return tag(c, ast, depth);
    case AST_TYPE_STATE:
        diag_error(c->diags, DIAG_C003, ast->span,
                   "`state` is the first parameter of a step function of `extern c`");
        return type;
    }
    if (record_depth(&type) + depth > TYPE_NESTING_MAX) {
        diag_error(c->diags, DIAG_T018, ast->span, "records nest at most %d deep",
                   TYPE_NESTING_MAX);
        return (Type){0};
    }
    type.optional = type.optional || ast->optional;
    if (ast->unit && type.kind != IR_NONE) {
        if (type_is_number(type.kind)) {
            type.unit = check__unit(c, ast->unit);
            if (!type.unit) return (Type){0}; /* what is made of it would be blamed too */
        } else {
            diag_error(c->diags, DIAG_U006, ast->unit->span, "%s has no unit", type_word(&type));
        }
    }
    range_of(c, ast, &type);
    return type;
}
