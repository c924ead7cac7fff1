/* compiler/type/each.c: `each xs`: the items of a list as records of their own.
 *
 * A record's other fields stay beside each item. The fields of an item that is a record take the
 * list's place, one of the same name replaces the record's; a single value takes the list's name.
 */
#include "compiler/type/flow.h"

static Str last_name(const AstExpr *e)
{
    return e->kind == AST_FIELD  ? e->as.field.name.text
           : e->kind == AST_NAME ? e->as.name
                                 : STR_NONE;
}

/* Without the list itself, when it is a field of the record. */
static Row *beside(Check *c, const Row *row, const AstExpr *e)
{
    Row *rest = check__row_copy(c, row);
    check__row_own(c, rest);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < rest->count; i++)
        if (e->kind != AST_NAME || !str_eq(rest->fields[i].name, e->as.name))
            rest->fields[kept++] = rest->fields[i];
    rest->count = kept;
    return rest;
}

/* The row's fields, then the item's: what the stage behind begins with. */
static const Record *input_of(Check *c, const Row *rest, const Record *item, Str name)
{
    const Record *row = check__row_record(c, rest);
    Record *all = NEW(c, Record, 1);
    *all = (Record){.fields = NEW(c, RecordField, row->count + item->count + 1),
                    .count = row->count + item->count,
                    .schema = NO_INDEX};
    memcpy(all->fields, row->fields, row->count * sizeof(RecordField));
    memcpy(all->fields + row->count, item->fields, item->count * sizeof(RecordField));
    if (name.len) all->fields[row->count].name = name;
    for (uint32_t i = row->count; i < all->count; i++) all->fields[i].type.has_range = false;
    return all;
}

/* Fields that only the item has. */
static void add_new(Check *c, Row *row, const Row *before, const Row *loaded)
{
    for (uint32_t i = 0; i < loaded->count; i++) {
        const RowField *f = &loaded->fields[i];
        if (!check__row_find(before, f->name) && !check__row_find(row, f->name))
            check__row_set(c, row, f->name, f->val, f->span);
    }
}

/* The loaded fields in the order a reader expects: the item's stand where the list stood. */
static Row *in_order(Check *c, const Row *before, const Row *loaded, const AstExpr *list)
{
    Row *row = NEW(c, Row, 1);
    for (uint32_t i = 0; i < before->count; i++) {
        const RowField *f = check__row_find(loaded, before->fields[i].name);
        bool place = list->kind == AST_NAME && str_eq(before->fields[i].name, list->as.name);
        if (place) add_new(c, row, before, loaded);
        if (f) check__row_set(c, row, f->name, f->val, f->span);
    }
    add_new(c, row, before, loaded); /* where the list is no field of the record */
    return row;
}

void flow__each(Flow *f, const AstStage *stage)
{
    Check *c = f->c;
    const AstExpr *e = stage->as.each;
    uint32_t node = flow__node(f, "each", stage->span);
    flow__enter(f, node);
    f->last_node = node;
    f->last_port = PORT_OUT;
    f->open = stage;
    Val list = check__expr(c, e, NULL);
    if (check__bad(&list) || !check__present(c, &list, "`each` needs a list")) return;
    if (list.type.kind != IR_LIST) {
        diag_error(c->diags, DIAG_T001, list.span, "`each` takes a list, this is %.*s",
                   STR_ARG(type_text(c->arena, &list.type)));
        return;
    }
    const Record *item = list.type.record;
    bool scalar = item->count == 1 && item->fields[0].name.len == 0;
    Str name = scalar ? last_name(e) : STR_NONE;
    if (scalar && !name.len) {
        diag_error(c->diags, DIAG_S018, e->span,
                   "single values need a name: let x = ... before it, then `each x`");
        return;
    }
    Row *rest = beside(c, f->row, e);
    const Record *input = input_of(c, rest, item, name);
    if (record_leaf_count(input) > TYPE_LEAVES_MAX) {
        diag_error(c->diags, DIAG_T018, stage->span, "a record has at most %d values",
                   TYPE_LEAVES_MAX);
        return;
    }
    uint32_t *args, count = check__flatten(c, rest, &args), index = f->stage_count;
    uint32_t reg = check__reg(c, &list);
    IrIns *ins = build_list(c->b, IR_EACH, NO_REG, args, count);
    ins->a = reg;
    ins->imm.index = index;
    IrStage *next = flow__stage(f, IR_FROM_EACH, index, check__schema(c, input));
    flow__leave(f);
    flow__stage_begin(f, next, node);
    Row *row = in_order(c, f->row, check__load(c, input), e);
    flow__move_clock(f, f->row, row);
    f->row = c->row = row;
    f->time_reg = NO_REG; /* of the stage before; the runtime knows the time at hand */
}
