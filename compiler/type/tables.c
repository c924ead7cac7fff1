/* compiler/type/tables.c: `table NAME from csv "m.csv" key id [reload on change] : { ... }`. */
#include "compiler/type/check.h"

Table *check__table(Check *c, Str name)
{
    return map_get(&c->scope->tables, name);
}

/* A key is compared by its bytes, so it is one value that is always there. */
static bool key_fits(Check *c, const AstItem *item, const Record *record, uint32_t *ret_leaf)
{
    const AstName *key = &item->as.table.key;
    if (!key->text.len) {
        diag_error(c->diags, DIAG_S012, item->name.span,
                   "a table needs the field that names its rows: `key id`");
        return false;
    }
    uint32_t leaf = 0;
    for (uint32_t i = 0; i < record->count; i++, leaf++) {
        const Type *type = &record->fields[i].type;
        if (!str_eq(record->fields[i].name, key->text)) continue;
        bool fits = !type->optional && type->kind != IR_RECORD && type->kind != IR_LIST &&
                    type->kind != IR_JSON && !type_is_float(type->kind);
        if (fits) {
            *ret_leaf = leaf;
            return true;
        }
        diag_error(c->diags, DIAG_S013, key->span,
                   "a key is a single value that is always there and no float, this is %.*s",
                   STR_ARG(type_text(c->arena, type)));
        return false;
    }
    Str best = STR_NONE;
    uint32_t distance = UINT32_MAX;
    for (uint32_t i = 0; i < record->count; i++)
        diag_suggest(key->text, record->fields[i].name, &best, &distance);
    Diagnostic *d = diag_error(c->diags, DIAG_S014, key->span,
                               "the key `%.*s` is no field of the table", STR_ARG(key->text));
    check__did_you_mean(c, d, key->span, best);
    return false;
}

static bool flat(Check *c, const AstItem *item, const Record *record)
{
    for (uint32_t i = 0; i < record->count; i++) {
        IrType kind = record->fields[i].type.kind;
        if (kind != IR_RECORD && kind != IR_LIST) continue;
        diag_error(c->diags, DIAG_T017, record->fields[i].span,
                   "csv has no records or lists inside records");
        return false;
    }
    (void)item;
    return true;
}

static void check_table(Check *c, Table *table)
{
    const AstItem *item = table->item;
    const AstConnector *from = &item->as.table.from;
    Str path = STR_NONE;
    uint32_t leaf;
    if (!str_is(from->kind.text, "csv")) {
        diag_error(c->diags, DIAG_A006, from->kind.span,
                   "tables come from csv files: table %.*s from csv \"file.csv\" key ...",
                   STR_ARG(item->name.text));
        return;
    }
    if (!from->address || !ast_string_text(from->address, &path) || !path.len) {
        diag_error(c->diags, DIAG_S012, from->kind.span, "`csv` needs its path, a fixed text");
        return;
    }
    for (const AstOption *o = from->options; o; o = o->next)
        diag_error(c->diags, DIAG_S010, o->name.span,
                   "a table has `key` and `reload on change`, not `%.*s`", STR_ARG(o->name.text));
    Type type = check__type(c, item->as.table.type, 0);
    if (type.kind == IR_NONE) return;
    if (type.kind != IR_RECORD || type.optional) {
        diag_error(c->diags, DIAG_T017, item->as.table.type->span, "a table has records, not %.*s",
                   STR_ARG(type_text(c->arena, &type)));
        return;
    }
    if (!flat(c, item, type.record) || !key_fits(c, item, type.record, &leaf)) return;
    Record *record = NEW(c, Record, 1); /* of its own, so that it can carry the table's name */
    *record = *type.record;
    table->record = record;
    IrProgram *p = c->program;
    table->index = p->table_count;
    *PUSH(c, p->tables, p->table_count, c->table_cap) =
        (IrTable){.name = item->name.text,
                  .kind = from->kind.text,
                  .path = path,
                  .schema = check__schema(c, type.record),
                  .key = leaf,
                  .reload = item->as.table.reload,
                  .span = item->span};
}

void check__tables(Check *c)
{
    for (const AstItem *item = c->file->items; item; item = item->next) {
        if (item->kind != AST_ITEM_TABLE || item->broken) continue;
        Table *table = check__table(c, item->name.text);
        if (!table || table->item != item || table->checked) continue;
        table->checked = true;
        check_table(c, table);
    }
}
