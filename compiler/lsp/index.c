/* compiler/lsp/index.c: every name of a text, and what it means.
 *
 * Names with a place of their own (types, consts, functions, fields ...) are symbols. What a name
 * in an expression means was decided by the checker (facts); everything else is found by name here,
 * because declarations of one kind share one table. A field that a stage hands on under its name
 * (`keep a`, `by a`) is still the same symbol: its use there is the definition of the uses behind.
 */
#include "compiler/lsp/lsp_int.h"

#include "base/hash.h"
#include "compiler/parse/parse.h"

#include <stdlib.h>

typedef struct Walk {
    Doc *doc;
    Index *index;
    const AstItem *item;
    const AstStage *stage;
    const AstItem *uses;            /* the first `use` of the file, or NULL */
    Map names[SYMBOL_PIPELINE + 1]; /* declarations of each kind: name to index + 1 */
    uint32_t foreign[LSP_FOREIGN_MAX], foreign_count; /* symbols of other files */
    Status failed;
} Walk;

/* ---- lists -------------------------------------------------------------------------------- */

static void *grow(Walk *w, void *list, uint32_t count, uint32_t *cap, size_t bytes)
{
    if (count < *cap) return list;
    uint32_t want = *cap ? *cap * 2 : 64;
    void *fresh = arena_array(w->doc->arena, want, bytes);
    if (!fresh) {
        w->failed = ST_NO_MEMORY;
        return NULL;
    }
    if (count) memcpy(fresh, list, count * bytes);
    *cap = want;
    return fresh;
}

#define ADD(w, list, count, cap, value)                                                            \
    do {                                                                                           \
        void *room = (w)->failed ? NULL : grow((w), (list), (count), &(cap), sizeof *(list));      \
        if (!room) break;                                                                          \
        (list) = room;                                                                             \
        (list)[(count)++] = (value);                                                               \
    } while (0)

static bool own(const Walk *w, Span span)
{
    return span.end > span.start && span.file == w->doc->source->id;
}

static void mark(Walk *w, MarkKind kind, Span at, Str owner, bool in)
{
    Index *x = w->index;
    if (own(w, at)) ADD(w, x->marks, x->mark_count, x->mark_cap, ((Mark){at, kind, owner, in}));
}

/* Of `m.name`, where m is a used file, the name. */
static Span last_part(const Walk *w, Span at)
{
    if (!own(w, at)) return at;
    Str text = source_text(w->doc->source, at);
    for (size_t i = text.len; i > 0; i--) {
        if (text.ptr[i - 1] != '.') continue;
        at.start += (uint32_t)i;
        break;
    }
    return at;
}

static void use(Walk *w, Span at, uint32_t symbol)
{
    Index *x = w->index;
    at = last_part(w, at);
    if (own(w, at)) ADD(w, x->uses, x->use_count, x->use_cap, ((Use){at, symbol}));
}

static void symbol(Walk *w, SymbolKind kind, const AstName *name)
{
    Index *x = w->index;
    if (!own(w, name->span)) return;
    if (kind <= SYMBOL_PIPELINE && !map_get(&w->names[kind], name->text) && !w->failed) {
        Status st = map_put(&w->names[kind], name->text, (void *)(uintptr_t)(x->symbol_count + 1));
        if (st == ST_NO_MEMORY) w->failed = st;
    }
    use(w, name->span, x->symbol_count);
    ADD(w, x->symbols, x->symbol_count, x->symbol_cap,
        ((Symbol){kind, name->text, name->span, w->item}));
}

/* ---- names that are found by name ---------------------------------------------------------- */

static uint32_t named(const Walk *w, SymbolKind kind, Str name)
{
    uintptr_t found = (uintptr_t)map_get(&w->names[kind], name);
    return found ? (uint32_t)(found - 1) : NO_INDEX;
}

/* ---- names of other files ------------------------------------------------------------------ */

/* The symbol of a definition in another file; made when first used. */
static uint32_t foreign(Walk *w, SymbolKind kind, Str name, Span def, const AstItem *item)
{
    Index *x = w->index;
    for (uint32_t i = 0; i < w->foreign_count; i++) {
        const Symbol *s = &x->symbols[w->foreign[i]];
        if (s->def.file == def.file && s->def.start == def.start) return w->foreign[i];
    }
    if (w->foreign_count == LSP_FOREIGN_MAX || w->failed) return NO_INDEX;
    w->foreign[w->foreign_count++] = x->symbol_count;
    ADD(w, x->symbols, x->symbol_count, x->symbol_cap, ((Symbol){kind, name, def, item}));
    return w->failed ? NO_INDEX : x->symbol_count - 1;
}

static bool declares(const AstItem *item, SymbolKind kind);

static uint32_t foreign_named(Walk *w, SymbolKind kind, Str name)
{
    ptrdiff_t dot = str_find_char(name, '.');
    Str as = dot > 0 ? str_slice(name.ptr, (size_t)dot) : STR_NONE;
    if (dot > 0) name = str_skip(name, (size_t)dot + 1);
    for (const AstItem *u = w->uses; u; u = u->next) {
        if (u->kind != AST_ITEM_USE) continue;
        if (kind != SYMBOL_UNIT && !str_eq(u->as.use.as.text, as)) continue; /* units: bare */
        const AstFile *file = doc_used(w->doc, u);
        for (const AstItem *item = file ? file->items : NULL; item; item = item->next)
            if (declares(item, kind) && str_eq(item->name.text, name))
                return foreign(w, kind, item->name.text, item->name.span, item);
    }
    return NO_INDEX;
}

/* True when there is such a declaration. */
static bool use_named(Walk *w, SymbolKind kind, const AstName *name)
{
    uint32_t found = name->text.len ? named(w, kind, name->text) : NO_INDEX;
    if (found == NO_INDEX && name->text.len) found = foreign_named(w, kind, name->text);
    if (found != NO_INDEX) use(w, name->span, found);
    return found != NO_INDEX;
}

/* A field of a row by its name; the row's fields know where they were made. */
static void use_field(Walk *w, const Record *row, Str name, Span at)
{
    const RecordField *field = row ? record_find(row, name) : NULL;
    Span def;
    if (!field || !facts_place(&w->doc->sources, field->name, &def)) return;
    /* The symbol may not be known yet: kept as a place, and resolved at the end. */
    uint32_t there =
        own(w, def) ? NO_INDEX - 1 - def.start : foreign(w, SYMBOL_FIELD, field->name, def, NULL);
    if (there != NO_INDEX) use(w, at, there);
}

/* ---- expressions -------------------------------------------------------------------------- */

static void type(Walk *w, const AstType *t);

static void unit(Walk *w, const AstUnit *u)
{
    for (const AstFactor *f = u ? u->factors : NULL; f; f = f->next)
        if (!use_named(w, SYMBOL_UNIT, &f->name)) mark(w, MARK_UNIT, f->name.span, STR_NONE, false);
}

static void expr(Walk *w, const AstExpr *e);

static void exprs(Walk *w, const AstExpr *e)
{
    for (; e; e = e->next) expr(w, e);
}

static const AstParam *param_named(const AstItem *item, Str function, Str name)
{
    const AstParam *p = item && item->kind == AST_ITEM_FN ? item->as.fn.params : NULL;
    if (item && item->kind == AST_ITEM_EXTERN)
        for (const AstCFn *f = item->as.external.fns; f; f = f->next)
            if (str_eq(f->name.text, function)) p = f->params;
    while (p && !str_eq(p->name.text, name)) p = p->next;
    return p;
}

/* The names before the colons of f(x, least: 0.1): parameters of a function that is declared. */
static void arg_labels(Walk *w, const AstExpr *e)
{
    Str name = e->as.call.name.text;
    uint32_t found = named(w, SYMBOL_FN, name);
    if (found == NO_INDEX) found = foreign_named(w, SYMBOL_FN, name);
    const AstItem *item = found == NO_INDEX ? NULL : w->index->symbols[found].item;
    for (const AstArg *a = e->as.call.args; a; a = a->next) {
        if (!a->name.text.len) continue;
        const AstParam *p = param_named(item, name, a->name.text);
        if (p && own(w, p->name.span))
            use(w, a->name.span, NO_INDEX - 1 - p->name.span.start);
        else if (p)
            use(w, a->name.span, foreign(w, SYMBOL_PARAM, p->name.text, p->name.span, item));
        else if (!item)
            mark(w, MARK_LABEL, a->name.span, name, false);
    }
}

static void call(Walk *w, const AstExpr *e)
{
    if (!use_named(w, SYMBOL_FN, &e->as.call.name))
        mark(w, MARK_CALL, e->as.call.name.span, STR_NONE, false);
    arg_labels(w, e);
    for (const AstArg *a = e->as.call.args; a; a = a->next) expr(w, a->value);
}

/* A field of a table's rows, whose type stands there or is declared. */
static void table_field(Walk *w, const AstItem *table, const AstName *name)
{
    const AstType *t = table->as.table.type;
    if (t && t->kind == AST_TYPE_NAMED) {
        uint32_t found = named(w, SYMBOL_TYPE, t->name.text);
        t = found == NO_INDEX ? NULL : w->index->symbols[found].item->as.type;
    }
    for (const AstTypeField *f = t ? t->fields : NULL; f; f = f->next)
        if (str_eq(f->name.text, name->text) && own(w, f->name.span))
            use(w, name->span, NO_INDEX - 1 - f->name.span.start);
}

/* `m.id` in `join m on m.id == id` means the table. */
static void field(Walk *w, const AstExpr *e)
{
    const AstExpr *base = e->as.field.base;
    bool join = w->stage && w->stage->kind == AST_JOIN && !w->stage->as.join.last &&
                base->kind == AST_NAME && str_eq(base->as.name, w->stage->as.join.table.text);
    AstName name = {join ? base->as.name : STR_NONE, base->span};
    if (!join) {
        expr(w, base);
        return;
    }
    uint32_t table = named(w, SYMBOL_TABLE, name.text);
    if (table == NO_INDEX) return;
    use(w, name.span, table);
    table_field(w, w->index->symbols[table].item, &e->as.field.name);
}

static void expr(Walk *w, const AstExpr *e)
{
    if (!e || w->failed) return;
    switch (e->kind) {
    case AST_NUMBER: unit(w, e->as.number.unit); break;
    case AST_STRING:
        for (const AstPart *p = e->as.string.parts; p; p = p->next) expr(w, p->expr);
        break;
    case AST_FIELD: field(w, e); break;
    case AST_INDEX:
        expr(w, e->as.index.base);
        expr(w, e->as.index.at);
        break;
    case AST_CALL: call(w, e); break;
    case AST_UNARY:
    case AST_BINARY:
    case AST_EXISTS:
        expr(w, e->as.op.a);
        expr(w, e->as.op.b);
        break;
    case AST_CONVERT:
        expr(w, e->as.convert.value);
        unit(w, e->as.convert.unit);
        if (e->as.convert.name.text.len && !use_named(w, SYMBOL_TYPE, &e->as.convert.name))
            mark(w, MARK_TYPE, e->as.convert.name.span, STR_NONE, false);
        break;
    case AST_RANGE:
        expr(w, e->as.range.lo);
        expr(w, e->as.range.hi);
        break;
    case AST_IF:
    case AST_TRY:
        expr(w, e->as.branch.cond);
        expr(w, e->as.branch.yes);
        expr(w, e->as.branch.no);
        break;
    case AST_MATCH:
        expr(w, e->as.match.value);
        for (const AstCase *c = e->as.match.cases; c; c = c->next) {
            exprs(w, c->patterns);
            expr(w, c->value);
        }
        break;
    case AST_RECORD:
        for (const AstField *f = e->as.fields; f; f = f->next) {
            if (!f->spread) symbol(w, SYMBOL_FIELD, &f->name);
            expr(w, f->value);
            expr(w, f->tolerance);
        }
        break;
    case AST_LIST: exprs(w, e->as.items); break;
    default: break; /* leaves; names are in the facts */
    }
}

static void type(Walk *w, const AstType *t)
{
    if (!t || w->failed) return;
    if (t->kind == AST_TYPE_NAMED && !use_named(w, SYMBOL_TYPE, &t->name))
        mark(w, MARK_TYPE, t->name.span, STR_NONE, false);
    for (const AstNames *n = t->variants; n; n = n->next) symbol(w, SYMBOL_ENUM_NAME, &n->name);
    for (const AstTypeField *f = t->fields; f; f = f->next) {
        symbol(w, SYMBOL_FIELD, &f->name);
        type(w, f->type);
    }
    type(w, t->of);
    unit(w, t->unit);
    expr(w, t->lo);
    expr(w, t->hi);
}

/* ---- stages ------------------------------------------------------------------------------- */

static void picks(Walk *w, const AstPick *p)
{
    const Record *row = w->stage ? doc_stage_row(w->doc, w->stage->span, false) : NULL;
    for (; p; p = p->next) {
        if (p->path->kind == AST_NAME) /* `drop a` computes nothing: no fact about it */
            use_field(w, row, p->path->as.name, p->path->span);
        expr(w, p->path);
        if (p->as.text.len) symbol(w, SYMBOL_FIELD, &p->as);
    }
}

static void lets(Walk *w, const AstLet *l)
{
    for (; l; l = l->next) {
        symbol(w, SYMBOL_FIELD, &l->name);
        expr(w, l->value);
        expr(w, l->reset);
    }
}

/* Fields in an option's value: key (a, b); no expression, so the checker wrote nothing down. */
static void keys(Walk *w, const AstExpr *value)
{
    const Record *row = w->stage ? doc_stage_row(w->doc, w->stage->span, false) : NULL;
    const AstExpr *e = value->kind == AST_LIST ? value->as.items : value;
    for (; e; e = value->kind == AST_LIST ? e->next : NULL)
        if (e->kind == AST_NAME) use_field(w, row, e->as.name, e->span);
}

static void connector(Walk *w, const AstConnector *c, bool in)
{
    Str kind = c->kind.text;
    uint32_t connection = named(w, SYMBOL_CONNECTION, kind);
    if (connection != NO_INDEX) {
        use(w, c->kind.span, connection);
        const AstItem *item = w->index->symbols[connection].item;
        kind = item->as.connection.to.kind.text;
    } else {
        mark(w, MARK_CONNECTOR, c->kind.span, STR_NONE, in);
    }
    expr(w, c->address);
    for (const AstOption *o = c->options; o; o = o->next) {
        mark(w, MARK_OPTION, o->name.span, kind, in);
        if (!o->value) continue;
        AstName word = {o->value->kind == AST_NAME ? o->value->as.name : STR_NONE, o->value->span};
        if (str_is(o->name.text, "map"))
            (void)use_named(w, SYMBOL_MAP, &word);
        else if (str_is(o->name.text, "key"))
            keys(w, o->value);
        else if (!str_is(o->name.text, "message")) /* that names nothing of ours */
            expr(w, o->value);
    }
}

static void decode(Walk *w, const AstDecode *d)
{
    if (d->format.text.len) mark(w, MARK_FORMAT, d->format.span, STR_NONE, true);
    type(w, d->type);
}

static void sinks(Walk *w, const AstSink *s)
{
    for (; s; s = s->next) {
        connector(w, &s->to, false);
        if (s->format.text.len) mark(w, MARK_FORMAT, s->format.span, STR_NONE, false);
    }
}

static void stages(Walk *w, const AstStage *s);

static void arms(Walk *w, const AstArm *a)
{
    for (; a; a = a->next) {
        expr(w, a->cond);
        picks(w, a->picks);
        stages(w, a->stages);
    }
}

static void stage(Walk *w, const AstStage *s)
{
    switch (s->kind) {
    case AST_FROM:
        connector(w, &s->as.from.source, true);
        decode(w, &s->as.from.decode);
        break;
    case AST_TIME: picks(w, s->as.time.clock_by); break;
    case AST_WHERE:
    case AST_WHEN: expr(w, s->as.where.cond); break;
    case AST_LET: lets(w, s->as.lets); break;
    case AST_KEEP:
    case AST_DROP:
    case AST_REQUIRE: picks(w, s->as.picks); break;
    case AST_EACH: expr(w, s->as.each); break;
    case AST_SPLIT: arms(w, s->as.split.arms); break;
    case AST_JOIN:
        (void)use_named(w, SYMBOL_TABLE, &s->as.join.table);
        if (s->as.join.last) connector(w, &s->as.join.source, true);
        decode(w, &s->as.join.decode);
        expr(w, s->as.join.on);
        break;
    case AST_ASK:
        symbol(w, SYMBOL_FIELD, &s->as.ask.name);
        connector(w, &s->as.ask.source, true);
        decode(w, &s->as.ask.decode);
        break;
    case AST_WINDOW:
        picks(w, s->as.window.by);
        lets(w, s->as.window.aggregates);
        break;
    case AST_DEDUPE: picks(w, s->as.dedupe.by); break;
    case AST_DEADBAND:
        for (const AstArg *a = s->as.deadband.args; a; a = a->next) {
            if (a->name.text.len) mark(w, MARK_LABEL, a->name.span, STR("deadband"), false);
            expr(w, a->value);
        }
        break;
    case AST_INTO: sinks(w, s->as.sinks); break;
    case AST_REPLY: expr(w, s->as.reply.body); break;
    case AST_ON:
        sinks(w, s->as.on.sinks);
        expr(w, s->as.on.body);
        break;
    case AST_SHARDS: picks(w, s->as.shards.by); break;
    default: break; /* no names in it */
    }
}

static void stages(Walk *w, const AstStage *s)
{
    for (; s && !w->failed; s = s->next) {
        const AstStage *outer = w->stage;
        w->stage = s;
        stage(w, s);
        w->stage = outer;
    }
}

/* ---- tests -------------------------------------------------------------------------------- */

static void step_record(Walk *w, const AstExpr *e, const Record *row);

/* Items that may be missing are records of one field without a name. */
static const Record *item_record(const Record *inner)
{
    bool plain = inner && inner->count == 1 && !inner->fields[0].name.len;
    return plain ? inner->fields[0].type.record : inner;
}

/* A value that stands for a field, whose record (or that of its items) is `inner`. */
static void step_value(Walk *w, const AstExpr *e, const Record *inner)
{
    if (!e) return;
    if (e->kind == AST_RECORD)
        step_record(w, e, inner);
    else if (e->kind == AST_LIST)
        for (const AstExpr *one = e->as.items; one; one = one->next)
            step_value(w, one, item_record(inner));
    else
        expr(w, e);
}

static void step_record(Walk *w, const AstExpr *e, const Record *row)
{
    for (const AstField *f = e->as.fields; f; f = f->next) {
        if (f->spread) continue;
        use_field(w, row, f->name.text, f->name.span);
        const RecordField *field = row ? record_find(row, f->name.text) : NULL;
        step_value(w, f->value, field ? field->type.record : NULL);
    }
}

/* Rows of several sinks may be meant: each field is looked for in one that has it. */
static void test(Walk *w, const AstItem *item)
{
    for (const AstStep *s = item->as.test.steps; s; s = s->next) {
        if (!s->value || s->value->kind != AST_RECORD) continue;
        for (const AstField *f = s->value->as.fields; f; f = f->next) {
            if (f->spread) continue;
            const Record *row = doc_step_row(w->doc, item, s, f->name.text);
            use_field(w, row, f->name.text, f->name.span);
            const RecordField *field = row ? record_find(row, f->name.text) : NULL;
            step_value(w, f->value, field ? field->type.record : NULL);
        }
    }
}

/* ---- declarations ------------------------------------------------------------------------- */

static const struct {
    AstItemKind item;
    SymbolKind symbol;
} declarations[] = {{AST_ITEM_TYPE, SYMBOL_TYPE},   {AST_ITEM_CONNECTION, SYMBOL_CONNECTION},
                    {AST_ITEM_CONST, SYMBOL_CONST}, {AST_ITEM_FN, SYMBOL_FN},
                    {AST_ITEM_UNIT, SYMBOL_UNIT},   {AST_ITEM_PIPELINE, SYMBOL_PIPELINE},
                    {AST_ITEM_TABLE, SYMBOL_TABLE}, {AST_ITEM_MAP, SYMBOL_MAP},
                    {AST_ITEM_ALARM, SYMBOL_ALARM}};

static bool declares(const AstItem *item, SymbolKind kind)
{
    for (size_t i = 0; i < COUNT_OF(declarations); i++)
        if (declarations[i].item == item->kind) return declarations[i].symbol == kind;
    return false;
}

static void declare(Walk *w, const AstItem *item)
{
    for (size_t i = 0; i < COUNT_OF(declarations); i++)
        if (declarations[i].item == item->kind) symbol(w, declarations[i].symbol, &item->name);
    if (item->kind != AST_ITEM_EXTERN) return;
    for (const AstCFn *f = item->as.external.fns; f; f = f->next) symbol(w, SYMBOL_FN, &f->name);
}

static void params(Walk *w, const AstParam *p)
{
    for (; p; p = p->next) {
        symbol(w, SYMBOL_PARAM, &p->name);
        type(w, p->type);
    }
}

static void map_fields(Walk *w, const AstItem *item)
{
    for (const AstMapField *f = item->as.map.fields; f; f = f->next) {
        symbol(w, SYMBOL_FIELD, &f->name);
        if (!f->type) continue;
        mark(w, MARK_TYPE, f->type->name.span, STR_NONE, false);
        unit(w, f->type->unit);
    }
}

static void alarm_fields(Walk *w, const AstExpr *record)
{
    for (const AstField *f = record ? record->as.fields : NULL; f; f = f->next) {
        if (f->spread) continue;
        mark(w, MARK_ALARM_FIELD, f->name.span, STR_NONE, false);
        expr(w, f->value);
    }
}

static void item_parts(Walk *w, const AstItem *item)
{
    switch (item->kind) {
    case AST_ITEM_TYPE: type(w, item->as.type); break;
    case AST_ITEM_CONNECTION:
        mark(w, MARK_CONNECTOR, item->as.connection.to.kind.span, STR_NONE, true);
        break;
    case AST_ITEM_CONST:
        type(w, item->as.constant.type);
        expr(w, item->as.constant.value);
        break;
    case AST_ITEM_FN:
        params(w, item->as.fn.params);
        type(w, item->as.fn.result);
        expr(w, item->as.fn.body);
        break;
    case AST_ITEM_UNIT: expr(w, item->as.unit.value); break;
    case AST_ITEM_PIPELINE: stages(w, item->as.pipeline.stages); break;
    case AST_ITEM_TEST:
    case AST_ITEM_CHECK:
        (void)use_named(w, SYMBOL_PIPELINE, &item->name);
        if (item->kind == AST_ITEM_TEST) test(w, item);
        break;
    case AST_ITEM_TABLE:
        type(w, item->as.table.type);
        table_field(w, item, &item->as.table.key);
        break;
    case AST_ITEM_MAP: map_fields(w, item); break;
    case AST_ITEM_ALARM: alarm_fields(w, item->as.alarm.fields); break;
    case AST_ITEM_EXTERN:
        for (const AstCFn *f = item->as.external.fns; f; f = f->next) {
            params(w, f->params);
            type(w, f->result);
        }
        break;
    default: break; /* use, deploy: no names of this file */
    }
}

/* ---- order, and names that stand for names ------------------------------------------------- */

static int by_place(const void *a, const void *b)
{
    const Use *x = a, *y = b;
    if (x->at.start != y->at.start) return x->at.start < y->at.start ? -1 : 1;
    /* Places first: a field of a record literal is the field of the type that is wanted there. */
    return x->symbol > y->symbol ? -1 : x->symbol < y->symbol;
}

static int mark_by_place(const void *a, const void *b)
{
    const Mark *x = a, *y = b;
    return x->at.start < y->at.start ? -1 : x->at.start > y->at.start;
}

/* The first use that starts there, or NULL; uses are sorted. */
static Use *use_at(const Index *x, uint32_t start)
{
    uint32_t low = 0, high = x->use_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (x->uses[middle].at.start < start)
            low = middle + 1;
        else
            high = middle;
    }
    return low < x->use_count && x->uses[low].at.start == start ? &x->uses[low] : NULL;
}

/* Uses that name a place become uses of the symbol there, through those that only hand on. */
static void resolve(Index *x)
{
    for (uint32_t i = 0; i < x->use_count; i++) {
        uint32_t symbol_at = x->uses[i].symbol;
        for (int hop = 0; symbol_at >= x->symbol_count && hop < LSP_ALIASES_MAX; hop++) {
            const Use *there = use_at(x, NO_INDEX - 1 - symbol_at);
            if (!there) break;
            symbol_at = there->symbol;
        }
        x->uses[i].symbol = symbol_at < x->symbol_count ? symbol_at : NO_INDEX;
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < x->use_count; i++) {
        bool twice = kept && x->uses[kept - 1].at.start == x->uses[i].at.start;
        if (x->uses[i].symbol != NO_INDEX && !twice) x->uses[kept++] = x->uses[i];
    }
    x->use_count = kept;
}

static SymbolKind symbol_of(FactKind kind)
{
    switch (kind) {
    case FACT_PARAM: return SYMBOL_PARAM;
    case FACT_CONST: return SYMBOL_CONST;
    case FACT_ENUM_NAME: return SYMBOL_ENUM_NAME;
    default: return SYMBOL_FIELD;
    }
}

static void facts(Walk *w)
{
    const Facts *f = &w->doc->facts;
    for (uint32_t i = 0; i < f->count && !w->failed; i++) {
        Span def;
        if (f->list[i].kind == FACT_VALUE || !own(w, f->list[i].at)) continue;
        if (!facts_place(&w->doc->sources, f->list[i].def, &def)) continue;
        SymbolKind kind = symbol_of(f->list[i].kind);
        uint32_t there =
            own(w, def) ? NO_INDEX - 1 - def.start : foreign(w, kind, f->list[i].def, def, NULL);
        if (there != NO_INDEX) use(w, f->list[i].at, there);
    }
}

static void walk(Walk *w)
{
    for (const AstItem *item = w->doc->file->items; item; item = item->next) {
        w->item = item;
        if (!w->uses && item->kind == AST_ITEM_USE) w->uses = item;
        declare(w, item);
    }
    for (const AstItem *item = w->doc->file->items; item && !w->failed; item = item->next) {
        w->item = item;
        item_parts(w, item);
    }
    facts(w);
}

Status index_build(Doc *doc, Index *index)
{
    Walk *w = arena_one(doc->arena, Walk);
    if (!w) return ST_NO_MEMORY;
    w->doc = doc;
    w->index = index;
    for (size_t i = 0; i < COUNT_OF(w->names); i++) map_init(&w->names[i], PARSE_TOKENS_MAX);
    walk(w);
    for (size_t i = 0; i < COUNT_OF(w->names); i++) map_done(&w->names[i]);
    if (w->failed) return w->failed;
    if (index->use_count) qsort(index->uses, index->use_count, sizeof(Use), by_place);
    if (index->mark_count) qsort(index->marks, index->mark_count, sizeof(Mark), mark_by_place);
    resolve(index);
    return ST_OK;
}
