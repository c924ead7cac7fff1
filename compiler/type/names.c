/* compiler/type/names.c: what a file declares, each kind in a table of its own. */
#include "compiler/type/check.h"

/* `other`: what has that name already. */
static void put(Check *c, Map *map, const AstItem *item, void *value, const AstItem *other)
{
    if (other) {
        Diagnostic *d = diag_error(c->diags, DIAG_N002, item->name.span, "`%.*s` is declared twice",
                                   STR_ARG(item->name.text));
        diag_note(c->diags, d, other->name.span, "first here, line %u",
                  check__line(c, other->name.span));
        return;
    }
    Status status = map_put(map, item->name.text, value);
    if (status == ST_LIMIT)
        diag_error(c->diags, DIAG_T018, item->name.span, "a file declares at most %d of a kind",
                   CHECK_ITEMS_MAX);
    else if (status)
        check__leave(c, status);
}

static void declare_unit(Check *c, const AstItem *item)
{
    const AstExpr *e = item->as.unit.value;
    Unit known;
    const Unit *old = map_get(&c->scope->units, item->name.text);
    if (!e || e->kind != AST_NUMBER || !(e->as.number.number > 0 || e->as.number.integer > 0)) {
        diag_error(c->diags, DIAG_U007, item->span,
                   "a unit is a positive number: unit rev = 1, unit shift = 8 [h]");
        return;
    }
    if (unit_find(item->name.text, &known) || old) {
        diag_error(c->diags, DIAG_N002, item->name.span, "the unit `%.*s` exists already",
                   STR_ARG(item->name.text));
        return;
    }
    const Unit *base = e->as.number.unit ? check__unit(c, e->as.number.unit) : NULL;
    if (e->as.number.unit && !base) return;
    double value = e->as.number.is_int ? (double)e->as.number.integer : e->as.number.number;
    Unit *unit = NEW(c, Unit, 1);
    *unit = unit_declare(item->name.text, value, base);
    Status status = map_put(&c->scope->units, item->name.text, unit);
    if (status && status != ST_LIMIT) check__leave(c, status);
}

enum { UNITS_AHEAD_MAX = 64 }; /* units that are made of later ones, one in the other */

static bool is_unit(const AstItem *item)
{
    return item->kind == AST_ITEM_UNIT && !item->broken;
}

/* Each once, in the order in which they need each other. */
static void declare_units(Check *c)
{
    uint32_t count = 0;
    for (const AstItem *item = c->file->items; item; item = item->next) count += is_unit(item);
    bool *begun = NEW(c, bool, count + 1), *outer = c->units_begun;
    c->units_begun = begun;
    for (const AstItem *item = c->file->items; item; item = item->next) {
        if (!is_unit(item)) continue;
        if (!*begun) {
            *begun = true;
            declare_unit(c, item);
        }
        begun++;
    }
    c->units_begun = outer;
}

const Unit *check__unit_ahead(Check *c, Str name)
{
    bool *begun = c->units_begun;
    if (!begun || c->units_ahead >= UNITS_AHEAD_MAX) return NULL;
    for (const AstItem *item = c->file->items; item; item = item->next) {
        if (!is_unit(item)) continue;
        if (!*begun && str_eq(item->name.text, name)) {
            *begun = true;
            c->units_ahead++;
            declare_unit(c, item);
            c->units_ahead--;
            return map_get(&c->scope->units, name);
        }
        begun++;
    }
    return NULL;
}

static const AstItem *item_of(const Named *named)
{
    return named ? named->item : NULL;
}

static void put_named(Check *c, Map *map, const AstItem *item)
{
    Named *named = NEW(c, Named, 1);
    *named = (Named){item, c->scope};
    put(c, map, item, named, item_of(map_get(map, item->name.text)));
}

static void not_available(Check *c, const AstItem *item)
{
    diag_error(c->diags, DIAG_A004, item->keyword, "`%s` is not available yet",
               ast_item_word(item->kind));
}

static void declare(Check *c, const AstItem *item)
{
    Str name = item->name.text;
    switch (item->kind) {
    case AST_ITEM_TYPE: {
        NamedType *old = map_get(&c->scope->types, name), *type = NEW(c, NamedType, 1);
        type->item = item;
        type->home = c->scope;
        put(c, &c->scope->types, item, type, old ? old->item : NULL);
        return;
    }
    case AST_ITEM_CONST: {
        Const *old = map_get(&c->scope->consts, name), *constant = NEW(c, Const, 1);
        constant->item = item;
        constant->home = c->scope;
        put(c, &c->scope->consts, item, constant, old ? old->item : NULL);
        return;
    }
    case AST_ITEM_FN: {
        Fn *old = map_get(&c->scope->fns, name), *fn = NEW(c, Fn, 1);
        fn->item = item;
        fn->home = c->scope;
        if (builtin_find(name) != BUILTIN__COUNT)
            diag_error(c->diags, DIAG_N002, item->name.span, "`%.*s` is built in already",
                       STR_ARG(name));
        put(c, &c->scope->fns, item, fn, old ? old->item : NULL);
        return;
    }
    case AST_ITEM_CONNECTION: put_named(c, &c->scope->connections, item); return;
    case AST_ITEM_MAP: put_named(c, &c->scope->maps, item); return;
    case AST_ITEM_TABLE: {
        Table *old = map_get(&c->scope->tables, name), *table = NEW(c, Table, 1);
        *table = (Table){.item = item, .home = c->scope, .index = NO_INDEX};
        put(c, &c->scope->tables, item, table, old ? old->item : NULL);
        return;
    }
    case AST_ITEM_PIPELINE: put_named(c, &c->scope->pipelines, item); return;
    case AST_ITEM_ALARM: put_named(c, &c->scope->alarms, item); return;
    case AST_ITEM_EXTERN: check__declare_extern(c, item); return;
    case AST_ITEM_UNIT:
    case AST_ITEM_USE:
    case AST_ITEM_CHECK:
    case AST_ITEM_TEST: return;
    default: not_available(c, item); return;
    }
}

void check__declare(Check *c)
{
    declare_units(c);
    for (const AstItem *item = c->file->items; item; item = item->next)
        if (item->name.text.len || item->kind >= AST_ITEM_EXTERN) declare(c, item);
}

void check__resolve(Check *c)
{
    for (const AstItem *item = c->file->items; item; item = item->next) {
        if (item->broken) continue;
        if (item->kind == AST_ITEM_TYPE) check__named_type(c, item->name.text);
        if (item->kind == AST_ITEM_CONST) check__const(c, item->name.text);
    }
}

const NamedType *check__named_type(Check *c, Str name)
{
    NamedType *type = map_get(&c->scope->types, name);
    if (!type || type->done) return type;
    if (type->active) {
        diag_error(c->diags, DIAG_T012, type->item->name.span, "the type `%.*s` contains itself",
                   STR_ARG(name));
        return type;
    }
    type->active = true;
    Scope *outer = check__enter(c, type->home);
    if (type->item->as.type) type->type = check__type(c, type->item->as.type, 0);
    if (type->type.kind == IR_RECORD && type->type.record->name.len == 0) {
        Record *record = NEW(c, Record, 1);
        *record = *type->type.record;
        record->name = type->item->name.text;
        type->type.record = record;
    }
    check__enter(c, outer);
    type->active = false;
    type->done = true;
    return type;
}

const Val *check__const(Check *c, Str name)
{
    Const *constant = map_get(&c->scope->consts, name);
    if (!constant) return NULL;
    if (constant->done) return &constant->val;
    const AstItem *item = constant->item;
    constant->val = check__error_val(item->span);
    if (constant->active) {
        diag_error(c->diags, DIAG_T012, item->name.span, "the const `%.*s` needs itself",
                   STR_ARG(name));
        return &constant->val;
    }
    constant->active = true;
    Scope *outer = check__enter(c, constant->home);
    Type want = {0};
    if (item->as.constant.type) want = check__type(c, item->as.constant.type, 0);
    Local *locals = c->locals;
    AggScope *agg = c->agg;
    c->locals = NULL;
    c->agg = NULL;
    Val v;
    if (item->as.constant.value &&
        check__constant_expr(c, item->as.constant.value, want.kind ? &want : NULL, "a const", &v) &&
        check__fit(c, &v, &want, "the const", name)) {
        if (want.kind) {
            v.type = want;
            v.naked = false;
        }
        if (v.constant)
            constant->val = v;
        else
            diag_error(c->diags, DIAG_T009, v.span, "null alone is no const");
    }
    c->locals = locals;
    c->agg = agg;
    check__enter(c, outer);
    constant->active = false;
    constant->done = true;
    return &constant->val;
}

Fn *check__fn(Check *c, Str name)
{
    return map_get(&c->scope->fns, name);
}

void check__suggest_map(const Map *map, Str word, Str *best, uint32_t *distance)
{
    size_t at = 0;
    MapSlot *slot;
    while ((slot = map_next(map, &at))) diag_suggest(word, slot->key, best, distance);
}

void check__did_you_mean(Check *c, Diagnostic *d, Span span, Str best)
{
    if (best.len) diag_fix_str(c->diags, d, STR_NONE, span, best);
}
