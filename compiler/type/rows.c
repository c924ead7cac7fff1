/* compiler/type/rows.c: what flows between two stages: named values, and their schema. */
#include "compiler/type/check.h"

static bool same_field(const IrField *x, const IrField *y)
{
    return str_eq(x->name, y->name) && x->type == y->type && x->optional == y->optional &&
           x->bytes_max == y->bytes_max && x->scale == y->scale && x->time_read == y->time_read &&
           x->names == y->names && x->record == y->record && x->has_range == y->has_range &&
           x->lo == y->lo && x->hi == y->hi && str_eq(x->unit, y->unit);
}

static IrField field_of(Check *c, Str name, const Type *t, Span span)
{
    bool inner = t->kind == IR_RECORD || t->kind == IR_LIST;
    return (IrField){.name = name,
                     .type = t->kind,
                     .optional = t->optional,
                     .bytes_max = t->bytes_max,
                     .scale = t->scale,
                     .time_read = t->time_read,
                     .names = t->names,
                     .record = inner ? check__schema(c, t->record) : NO_INDEX,
                     .has_range = t->has_range,
                     .lo = t->lo,
                     .hi = t->hi,
                     .unit = t->unit ? t->unit->text : STR(""),
                     .span = span};
}

/* One of the last schemas, all of them anonymous, that has these fields: most stages change
 * nothing. NO_INDEX: none. */
static uint32_t made_already(const IrProgram *p, const IrField *fields, uint32_t count)
{
    for (uint32_t i = p->schema_count; i > 0 && i + 4 > p->schema_count; i--) {
        const IrSchema *old = &p->schemas[i - 1];
        if (old->name.len || old->count != count) continue;
        uint32_t same = 0;
        while (same < count && same_field(&old->fields[same], &fields[same])) same++;
        if (same == count) return i - 1;
    }
    return NO_INDEX;
}

static uint32_t add_schema(Check *c, Str name, const IrField *fields, uint32_t count)
{
    IrProgram *p = c->program;
    IrField *list = NEW(c, IrField, count + 1);
    if (count) memcpy(list, fields, count * sizeof(IrField));
    *PUSH(c, p->schemas, p->schema_count, c->schema_cap) = (IrSchema){name, list, count};
    return p->schema_count - 1;
}

/* Fields to look for, before a list of them is kept. */
enum { FEW_FIELDS = 32 };

uint32_t check__schema(Check *c, const Record *record)
{
    if (record->schema != NO_INDEX && record->schema < c->program->schema_count &&
        c->program->schemas[record->schema].count == record->count)
        return record->schema;
    IrField few[FEW_FIELDS];
    IrField *fields = record->count <= FEW_FIELDS ? few : NEW(c, IrField, record->count);
    for (uint32_t i = 0; i < record->count; i++) {
        const RecordField *f = &record->fields[i];
        fields[i] = field_of(c, f->name, &f->type, f->span);
    }
    uint32_t made = record->name.len ? NO_INDEX : made_already(c->program, fields, record->count);
    if (made != NO_INDEX) return made;
    made = add_schema(c, record->name, fields, record->count);
    ((Record *)(uintptr_t)record)->schema = made; /* the memo of this file's walk */
    return made;
}

static Type row_type(const Row *row, const RowField *f)
{
    Type type = f->val.type;
    if (type.optional && check__has_fact(row, f->name)) type.optional = false;
    if (type.kind == IR_NONE) type.kind = IR_BOOL; /* after an error; thrown away */
    return type;
}

const Record *check__row_record(Check *c, const Row *row)
{
    Record *record = NEW(c, Record, 1);
    *record = (Record){
        .fields = NEW(c, RecordField, row->count + 1), .count = row->count, .schema = NO_INDEX};
    for (uint32_t i = 0; i < row->count; i++) {
        const RowField *f = &row->fields[i];
        record->fields[i] = (RecordField){f->name, row_type(row, f), f->span};
    }
    return record;
}

uint32_t check__row_leaf_count(const Row *row)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < row->count; i++) {
        const Type *type = &row->fields[i].val.type;
        count += type->kind == IR_RECORD ? record_leaf_count(type->record) : 1;
    }
    return count;
}

uint32_t check__row_schema(Check *c, const Row *row)
{
    IrField few[FEW_FIELDS];
    IrField *fields = row->count <= FEW_FIELDS ? few : NEW(c, IrField, row->count);
    for (uint32_t i = 0; i < row->count; i++) {
        const RowField *f = &row->fields[i];
        Type type = row_type(row, f);
        fields[i] = field_of(c, f->name, &type, f->span);
    }
    uint32_t made = made_already(c->program, fields, row->count);
    return made != NO_INDEX ? made : add_schema(c, STR_NONE, fields, row->count);
}

void check__flatten_val(Check *c, const Val *v, bool present, uint32_t **list, uint32_t *count,
                        uint32_t *cap)
{
    if (v->type.kind == IR_RECORD) {
        for (uint32_t i = 0; i < v->type.record->count; i++) {
            bool there = present && !v->type.record->fields[i].type.optional;
            check__flatten_val(c, &v->fields[i], there, list, count, cap);
        }
        return;
    }
    *PUSH(c, *list, *count, *cap) = v->reg;
    *PUSH(c, *list, *count, *cap) = present ? NO_REG : v->has;
}

uint32_t check__flatten(Check *c, const Row *row, uint32_t **ret_list)
{
    uint32_t *list, count = 0, cap;
    ROOM(c, list, 2 * row->count, cap);
    for (uint32_t i = 0; i < row->count; i++) {
        const RowField *f = &row->fields[i];
        bool present = !f->val.type.optional || check__has_fact(row, f->name);
        check__flatten_val(c, &f->val, present, &list, &count, &cap);
    }
    *ret_list = list;
    return count;
}

/* has of a record: that of a leaf which is always there when the record is, else of any leaf. */
uint32_t check__record_has(Check *c, const Val *v)
{
    uint32_t any = NO_REG;
    for (uint32_t i = 0; i < v->type.record->count; i++) {
        uint32_t has = v->fields[i].has;
        if (has == NO_REG) continue;
        if (!v->type.record->fields[i].type.optional) return has;
        any = any == NO_REG
                  ? has
                  : check__emit2(c, IR_OR, (Type){.kind = IR_BOOL}, any, has, c->b->span).reg;
    }
    return any;
}

/* A leaf of the stage's input, or of an item. */
static void load_leaf(Check *c, Val *v, bool optional, uint32_t leaf, uint32_t item)
{
    if (optional) v->has = build_temp(c->b, IR_BOOL);
    if (item != NO_REG) {
        IrIns *ins = build_ins(c->b, IR_ITEM_FIELD, v->reg, item, NO_REG);
        ins->imm.index = leaf;
        ins->has = v->has;
        return;
    }
    build_ins(c->b, IR_FIELD, v->reg, leaf, NO_REG);
    if (optional) build_ins(c->b, IR_HAS, v->has, leaf, NO_REG);
}

static Val load(Check *c, const RecordField *f, bool optional, uint32_t *leaf, uint32_t item)
{
    Val v = {.type = f->type, .reg = NO_REG, .has = NO_REG, .span = f->span};
    optional = optional || f->type.optional;
    if (f->type.kind == IR_RECORD) {
        v.fields = NEW(c, Val, f->type.record->count + 1);
        for (uint32_t i = 0; i < f->type.record->count; i++)
            v.fields[i] = load(c, &f->type.record->fields[i], optional, leaf, item);
        if (optional) v.has = check__record_has(c, &v);
        return v;
    }
    v.reg = build_reg(c->b, check__reg_of(&f->type, f->name));
    load_leaf(c, &v, optional, (*leaf)++, item);
    return v;
}

Val check__item(Check *c, const Record *record, uint32_t item, Span span)
{
    RecordField whole = {STR_NONE, {.kind = IR_RECORD, .record = record, .span = span}, span};
    uint32_t leaf = 0;
    return load(c, &whole, false, &leaf, item);
}

Val check__item_if(Check *c, const Record *record, uint32_t item, uint32_t has, Span span)
{
    Type type = {.kind = IR_RECORD, .record = record, .optional = true, .span = span};
    RecordField whole = {STR_NONE, type, span};
    uint32_t leaf = 0;
    Val v = load(c, &whole, true, &leaf, item);
    v.has = has;
    return v;
}

Row *check__load(Check *c, const Record *record)
{
    Row *row = NEW(c, Row, 1);
    uint32_t leaf = 0;
    ROOM(c, row->fields, record->count + 2, row->cap);
    for (uint32_t i = 0; i < record->count; i++) {
        const RecordField *f = &record->fields[i];
        check__row_set(c, row, f->name, load(c, f, false, &leaf, NO_REG), f->span);
    }
    return row;
}

/* Most stages change no field, and fields are long: both have one list until one writes to it. */
Row *check__row_copy(Check *c, const Row *row)
{
    Row *copy = NEW(c, Row, 1);
    copy->keeps_unknown = row->keeps_unknown;
    copy->fields = row->fields;
    copy->count = copy->cap = row->count;              /* what is added goes to a list of its own */
    copy->lent = ((Row *)(uintptr_t)row)->lent = true; /* its fields stay as they are */
    for (uint32_t i = 0; i < row->fact_count; i++) check__add_fact(c, copy, row->facts[i]);
    return copy;
}

void check__row_own(Check *c, Row *row)
{
    if (!row->lent) return;
    const RowField *lent = row->fields;
    ROOM(c, row->fields, row->count + 2, row->cap);
    if (row->count) memcpy(row->fields, lent, row->count * sizeof(RowField));
    row->lent = false;
}

RowField *check__row_find(const Row *row, Str name)
{
    for (uint32_t i = 0; i < row->count; i++)
        if (str_eq(row->fields[i].name, name)) return &row->fields[i];
    return NULL;
}

void check__row_set(Check *c, Row *row, Str name, Val val, Span span)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < row->fact_count; i++) { /* what was known was about the old value */
        Str fact = row->facts[i];
        bool about = str_eq(fact, name) || (str_starts(fact, name) && fact.ptr[name.len] == '.');
        if (!about) row->facts[kept++] = fact;
    }
    row->fact_count = kept;
    val.path = STR_NONE;
    const RowField *old = check__row_find(row, name);
    uint32_t at = old ? (uint32_t)(old - row->fields) : row->count;
    if (old || row->count == row->cap) check__row_own(c, row);
    if (old)
        row->fields[at] = (RowField){name, val, span};
    else
        *PUSH(c, row->fields, row->count, row->cap) = (RowField){name, val, span};
}

bool check__has_fact(const Row *row, Str path)
{
    for (uint32_t i = 0; i < row->fact_count; i++)
        if (str_eq(row->facts[i], path)) return true;
    return false;
}

void check__add_fact(Check *c, Row *row, Str path)
{
    if (!check__has_fact(row, path)) *PUSH(c, row->facts, row->fact_count, row->fact_cap) = path;
}
