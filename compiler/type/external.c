/* compiler/type/external.c: `extern c "vib.c" { pure fn ... step fn ... }`: functions in C.
 *
 * A call becomes a memory of the kind CELL: a step function's state is the cell, one for each key
 * as with every function that remembers; a pure function has a cell of no bytes and no keys. So no
 * engine knows C functions: all of them call rt->mem. */
#include "compiler/type/flow.h"
#include "compiler/use.h"

enum {
    LIST_BYTES_MAX = 256 << 10,
    STATE_BYTES_MAX = 1 << 20
}; /* a call's arrays are on the stack */

void check__declare_extern(Check *c, const AstItem *item)
{
    for (const AstCFn *fn = item->as.external.fns; fn; fn = fn->next) {
        Str name = fn->name.text;
        const Extern *old = map_get(&c->scope->externs, name);
        const Fn *other = check__fn(c, name);
        if (old || other || builtin_find(name) != BUILTIN__COUNT) {
            Diagnostic *d = diag_error(c->diags, DIAG_N002, fn->name.span,
                                       "there is a function `%.*s` already", STR_ARG(name));
            if (old) diag_note(c->diags, d, old->fn->name.span, "here");
            if (other) diag_note(c->diags, d, other->item->name.span, "here");
            continue;
        }
        Extern *external = NEW(c, Extern, 1);
        *external = (Extern){.item = item, .home = c->scope, .fn = fn};
        Status status = map_put(&c->scope->externs, name, external);
        if (status == ST_LIMIT)
            diag_error(c->diags, DIAG_T018, fn->name.span, "a file declares at most %d of a kind",
                       CHECK_ITEMS_MAX);
        else if (status)
            check__leave(c, status);
    }
}

static bool single(IrType kind)
{
    return type_is_number(kind) || kind == IR_BOOL || kind == IR_TIME || kind == IR_DURATION;
}

static bool fits(Check *c, const Type *type, bool result, Span span, uint64_t *bytes)
{
    const Type *item = NULL;
    bool fine = single(type->kind) && !type->optional;
    if (!result && !type->optional && (type->kind == IR_STR || type->kind == IR_BYTES)) {
        *bytes += type->bytes_max + 1u;
        fine = true;
    }
    if (!result && !type->optional && type->kind == IR_LIST && type->record->count == 1 &&
        type->record->fields[0].name.len == 0) {
        item = &type->record->fields[0].type;
        fine = type_is_number(item->kind) && !item->optional;
        *bytes += (uint64_t)type->bytes_max * 8;
    }
    if (!fine)
        diag_error(c->diags, DIAG_C002, span, "a C function cannot %s %.*s",
                   result ? "give" : "take", STR_ARG(type_text(c->arena, type)));
    else if (*bytes > LIST_BYTES_MAX)
        diag_error(c->diags, DIAG_C002, span, "the arrays of a call take at most %d KiB together",
                   LIST_BYTES_MAX >> 10);
    return fine && *bytes <= LIST_BYTES_MAX;
}

/* The first parameter of a step function. */
static bool state(Check *c, const AstCFn *fn, bool steps, IrExtern *out)
{
    const AstParam *p = fn->params;
    bool is_state = p && p->type && p->type->kind == AST_TYPE_STATE;
    if (steps != is_state) {
        diag_error(c->diags, DIAG_C003, is_state ? p->type->span : fn->name.span, "%s",
                   steps ? "a step function begins with its state: `s: state Name(64)`"
                         : "a pure function has no state; write `step fn`");
        return false;
    }
    if (!steps) return true;
    int64_t bytes = p->type->size.value;
    if (bytes < 1 || bytes > STATE_BYTES_MAX) {
        diag_error(c->diags, DIAG_C003, p->type->span, "a state has 1 to %d bytes",
                   STATE_BYTES_MAX);
        return false;
    }
    out->state = p->type->name.text;
    out->state_bytes = (uint32_t)((bytes + 7) / 8 * 8);
    return true;
}

static bool parameters(Check *c, Extern *external, const AstParam *first, IrExtern *out)
{
    uint64_t bytes = 0;
    uint32_t count = 0;
    bool fine = true;
    for (const AstParam *p = first; p; p = p->next) count++;
    if (count > CHECK_PARAMS_MAX) {
        diag_error(c->diags, DIAG_T018, external->fn->span,
                   "a C function has at most %d parameters", CHECK_PARAMS_MAX);
        return false;
    }
    external->params = NEW(c, Type, count + 1);
    out->params = NEW(c, IrExternParam, count + 1);
    for (const AstParam *p = first; p; p = p->next) {
        Type type = check__type(c, p->type, 0);
        if (type.kind == IR_NONE || !fits(c, &type, false, p->type->span, &bytes)) {
            fine = false;
            continue;
        }
        external->params[out->param_count] = type;
        out->params[out->param_count++] = (IrExternParam){
            .name = p->name.text,
            .type = type.kind,
            .item = type.kind == IR_LIST ? type.record->fields[0].type.kind : IR_NONE,
            .bytes_max = type.bytes_max};
    }
    return fine;
}

static void function(Check *c, Extern *external, uint32_t file)
{
    const AstCFn *fn = external->fn;
    IrExtern out = {.name = fn->name.text, .file = file, .span = fn->span};
    uint64_t bytes = 0;
    bool pure = str_is(fn->mode.text, "pure");
    out.steps = str_is(fn->mode.text, "step");
    if (!pure && !out.steps) {
        diag_error(c->diags, DIAG_C001, fn->mode.span, "a C function is `pure fn` or `step fn`");
        return;
    }
    if (!state(c, fn, out.steps, &out)) return;
    bool fine = parameters(c, external, out.steps ? fn->params->next : fn->params, &out);
    external->result = check__type(c, fn->result, 0);
    if (external->result.kind == IR_NONE ||
        !fits(c, &external->result, true, fn->result->span, &bytes) || !fine)
        return;
    out.result = external->result.kind;
    IrProgram *p = c->program;
    external->index = p->extern_count;
    *PUSH(c, p->externs, p->extern_count, c->extern_cap) = out;
    external->good = true;
}

/* One file is compiled once, whatever number of blocks name it. */
static uint32_t file_of(Check *c, const Source *source)
{
    IrProgram *p = c->program;
    for (uint32_t i = 0; i < p->extern_file_count; i++)
        if (p->extern_files[i] == source) return i;
    *PUSH(c, p->extern_files, p->extern_file_count, c->extern_file_cap) = source;
    return p->extern_file_count - 1;
}

static void block(Check *c, const AstItem *item)
{
    Str path;
    Diag why = {0};
    Source *source;
    const AstName *language = &item->as.external.language;
    const AstExpr *e = item->as.external.path;
    if (!str_is(language->text, "c")) {
        Diagnostic *d =
            diag_error(c->diags, DIAG_C001, language->span,
                       "`extern` takes functions in c, not in %.*s", STR_ARG(language->text));
        diag_fix(c->diags, d, NULL, language->span, "c");
        return;
    }
    if (!e || !ast_string_text(e, &path) || !path.len) {
        diag_error(c->diags, DIAG_C001, item->span, "`extern c` needs its file, a fixed text");
        return;
    }
    Status status = use_text(c->arena, c->file->source, path, &source, &why);
    if (status == ST_NO_MEMORY) check__leave(c, status);
    if (status) {
        diag_error(c->diags, DIAG_N009, e->span, "`%.*s` cannot be used: %s", STR_ARG(path),
                   status == ST_NOT_FOUND ? "there is no such file" : why.text);
        return;
    }
    uint32_t file = file_of(c, source);
    for (const AstCFn *fn = item->as.external.fns; fn; fn = fn->next) {
        Extern *external = map_get(&c->scope->externs, fn->name.text);
        if (external && external->fn == fn) function(c, external, file);
    }
}

void check__externs(Check *c)
{
    for (const AstItem *item = c->file->items; item; item = item->next)
        if (item->kind == AST_ITEM_EXTERN && !item->broken) block(c, item);
}

Val check__extern_call(Check *c, const AstExpr *e, const Extern *external)
{
    Val inputs[CHECK_PARAMS_MAX];
    uint32_t i = 0, count = 0;
    for (const AstArg *arg = e->as.call.args; arg; arg = arg->next) count++;
    if (!external->good) return check__error_val(e->span);
    const IrExtern *fn = &c->program->externs[external->index];
    if (count != fn->param_count) {
        diag_error(c->diags, DIAG_T004, e->span, "`%.*s` takes %u argument%s, not %u",
                   STR_ARG(fn->name), fn->param_count, fn->param_count == 1 ? "" : "s", count);
        return check__error_val(e->span);
    }
    bool bad = false;
    for (const AstArg *arg = e->as.call.args; arg; arg = arg->next, i++) {
        const Type *want = &external->params[i];
        Val v = check__expr(c, arg->value, want);
        if (check__bad(&v) || !check__present(c, &v, "a C function takes what is there") ||
            !check__fit(c, &v, want, "the parameter", fn->params[i].name)) {
            bad = true;
            continue;
        }
        v = check__finite(c, v);
        inputs[i] = check__settle(c, v, STR_NONE);
        inputs[i].has = NO_REG;
    }
    if (bad) return check__error_val(e->span);
    IrMem mem = {.kind = MEM_CELL,
                 .name = fn->name,
                 .bytes = fn->state_bytes,
                 .external = external->index,
                 .alone = !fn->steps};
    return check__memory_call(c, mem, NULL, inputs, count, external->result, false, e->span);
}
