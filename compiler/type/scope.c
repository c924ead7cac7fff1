/* compiler/type/scope.c: which names a file may use: its own and those of the files it uses.
 *
 * Every file of a program has one scope, made once. A used file's own declarations come in under
 * their names, or with `as m` under `m.name`; what it uses itself stays there. Pipelines, tests
 * and alarms of a used file are not part of the program. */
#include "compiler/type/check.h"
#include "compiler/use.h"

/* What the parser left out must not be reported as missing: with a pipeline, test or alarm cut
 * short only that one is not looked at; with anything else lost, names may be gone and nothing is.
 */
static bool too_broken(const AstFile *file)
{
    bool in_pipeline = false;
    for (const AstItem *item = file->items; item; item = item->next) {
        bool own = item->kind == AST_ITEM_PIPELINE || item->kind == AST_ITEM_TEST ||
                   item->kind == AST_ITEM_ALARM;
        if (item->broken && !own) return true;
        in_pipeline = in_pipeline || item->broken;
    }
    return file->broken && !in_pipeline;
}

static Scope *scope_new(Check *c, const AstFile *file)
{
    Scope *scope = NEW(c, Scope, 1);
    scope->file = file;
    Map *maps[] = {&scope->types,   &scope->consts,      &scope->fns,       &scope->units,
                   &scope->maps,    &scope->connections, &scope->pipelines, &scope->tables,
                   &scope->externs, &scope->alarms};
    for (size_t i = 0; i < COUNT_OF(maps); i++) map_init(maps[i], CHECK_ITEMS_MAX);
    *PUSH(c, c->scopes, c->scope_count, c->scope_cap) = scope;
    return scope;
}

void check__scopes_done(Check *c)
{
    for (uint32_t i = 0; i < c->scope_count; i++) {
        Scope *scope = c->scopes[i];
        Map *maps[] = {&scope->types,   &scope->consts,      &scope->fns,       &scope->units,
                       &scope->maps,    &scope->connections, &scope->pipelines, &scope->tables,
                       &scope->externs, &scope->alarms};
        for (size_t m = 0; m < COUNT_OF(maps); m++) map_done(maps[m]);
    }
}

Scope *check__enter(Check *c, Scope *scope)
{
    Scope *before = c->scope;
    c->scope = scope;
    c->file = scope ? scope->file : c->file;
    return before;
}

/* The same for Fn, Const, NamedType and Named: they begin with the item and its home. */
typedef struct Home {
    const AstItem *item;
    Scope *home;
} Home;
_Static_assert(offsetof(Fn, home) == offsetof(Home, home) &&
                   offsetof(Const, home) == offsetof(Home, home) &&
                   offsetof(NamedType, home) == offsetof(Home, home) &&
                   offsetof(Named, home) == offsetof(Home, home) &&
                   offsetof(Table, home) == offsetof(Home, home) &&
                   offsetof(Extern, home) == offsetof(Home, home),
               "every declared thing begins alike");

static Str visible(Check *c, Str as, Str name)
{
    return as.len ? check__text(c, "%.*s.%.*s", STR_ARG(as), STR_ARG(name)) : name;
}

static void import_one(Check *c, const AstItem *use, Map *to, Str name, void *value)
{
    const Home *old = map_get(to, name), *fresh = value;
    if (old && old->item == fresh->item) return; /* the same file twice */
    if (old) {
        Diagnostic *d =
            diag_error(c->diags, DIAG_N002, use->span,
                       "two used files declare `%.*s`; name one of them with `as`", STR_ARG(name));
        diag_note(c->diags, d, old->item->name.span, "here");
        diag_note(c->diags, d, fresh->item->name.span, "and here");
        return;
    }
    Status status = map_put(to, name, value);
    if (status == ST_LIMIT)
        diag_error(c->diags, DIAG_T018, use->span, "a program names at most %d things of a kind",
                   CHECK_ITEMS_MAX);
    else if (status)
        check__leave(c, status);
}

/* In the order of the file, so that what is said does not depend on a table's order. */
static void import_file(Check *c, const AstItem *use, Scope *to, const Scope *from)
{
    Str as = use->as.use.as.text;
    for (const AstItem *item = from->file->items; item; item = item->next) {
        const Map *source = NULL;
        Map *target = NULL;
        switch (item->kind) {
        case AST_ITEM_TYPE: source = &from->types, target = &to->types; break;
        case AST_ITEM_CONST: source = &from->consts, target = &to->consts; break;
        case AST_ITEM_FN: source = &from->fns, target = &to->fns; break;
        case AST_ITEM_CONNECTION: source = &from->connections, target = &to->connections; break;
        case AST_ITEM_MAP: source = &from->maps, target = &to->maps; break;
        case AST_ITEM_TABLE: source = &from->tables, target = &to->tables; break;
        default: break;
        }
        for (const AstCFn *fn = item->kind == AST_ITEM_EXTERN ? item->as.external.fns : NULL; fn;
             fn = fn->next) {
            Extern *external = map_get(&from->externs, fn->name.text);
            if (external && external->fn == fn)
                import_one(c, use, &to->externs, visible(c, as, fn->name.text), external);
        }
        Home *found = source ? map_get(source, item->name.text) : NULL;
        if (found && found->item == item)
            import_one(c, use, target, visible(c, as, item->name.text), found);
        const Unit *unit =
            item->kind == AST_ITEM_UNIT ? map_get(&from->units, item->name.text) : NULL;
        if (!unit || map_get(&to->units, item->name.text)) continue; /* units have no prefix */
        Status status = map_put(&to->units, item->name.text, (void *)(uintptr_t)unit);
        if (status && status != ST_LIMIT) check__leave(c, status);
    }
}

static bool follow(Check *c, Scope *scope, uint32_t depth);

static Scope *scope_of(Check *c, const AstFile *file)
{
    for (uint32_t i = 0; i < c->scope_count; i++)
        if (c->scopes[i]->file == file) return c->scopes[i];
    return NULL;
}

Scope *check__scope_of(Check *c, const AstFile *file)
{
    Scope *scope = scope_of(c, file);
    if (scope) return scope;
    scope = scope_new(c, file);
    Scope *outer = check__enter(c, scope);
    check__declare(c);
    check__enter(c, outer);
    return scope;
}

/* The scope of the file that `use` names, or NULL after an error. */
static Scope *used_scope(Check *c, const AstItem *use, uint32_t depth, bool *fine)
{
    Str path;
    Diag why = {0};
    const AstFile *file = NULL;
    const AstExpr *e = use->as.use.path;
    if (!e || !ast_string_text(e, &path)) {
        diag_error(c->diags, DIAG_N009, use->span, "`use` takes a fixed text: use \"other.tutti\"");
        return NULL;
    }
    if (depth >= USE_DEPTH_MAX || c->scope_count >= USE_FILES_MAX) {
        diag_error(c->diags, DIAG_T018, use->span,
                   "a program uses at most %d files, %d inside each other", USE_FILES_MAX,
                   USE_DEPTH_MAX);
        return NULL;
    }
    Status status = use_open(c->arena, c->file->source, path, c->diags, &file, &why);
    if (status == ST_NO_MEMORY) check__leave(c, status);
    if (status) {
        diag_error(c->diags, DIAG_N009, e->span, "`%.*s` cannot be used: %s", STR_ARG(path),
                   status == ST_NOT_FOUND ? "there is no such file" : why.text);
        return NULL;
    }
    Scope *scope = scope_of(c, file);
    if (scope && scope->active) {
        diag_error(c->diags, DIAG_N010, e->span, "`%.*s` uses this file itself", STR_ARG(path));
        return NULL;
    }
    if (!scope) {
        scope = scope_new(c, file);
        *fine = follow(c, scope, depth + 1) && *fine;
    }
    return scope;
}

static bool follow(Check *c, Scope *scope, uint32_t depth)
{
    bool fine = !too_broken(scope->file);
    Scope *outer = check__enter(c, scope);
    scope->active = true;
    for (const AstItem *item = scope->file->items; item; item = item->next) {
        if (item->kind != AST_ITEM_USE || item->broken) continue;
        diag_stage_end(c->diags);
        Scope *used = used_scope(c, item, depth, &fine);
        if (!used) {
            fine = false;
            continue;
        }
        import_file(c, item, scope, used);
        *PUSH(c, scope->used, scope->used_count, scope->used_cap) = (ScopeUse){used, item};
    }
    check__declare(c);
    scope->active = false;
    check__enter(c, outer);
    return fine;
}

bool check__scopes(Check *c, const AstFile *file)
{
    Scope *own = scope_new(c, file);
    ((Source *)(uintptr_t)file->source)->tree = file; /* whoever uses it finds this scope */
    bool fine = follow(c, own, 0);
    IrProgram *program = c->program;
    program->used = NEW(c, const Source *, c->scope_count);
    for (uint32_t i = 1; i < c->scope_count; i++)
        program->used[program->used_count++] = c->scopes[i]->file->source;
    check__enter(c, own);
    return fine;
}
