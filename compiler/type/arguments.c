/* compiler/type/arguments.c: arguments by name: `round_to(temp, digits: 1)`.
 *
 * Who checks a call, of whatever kind, sees as many arguments as were given, without names and in
 * the order of the parameters: here they are put so, and nowhere else. The names are those of the
 * declaration (`fn`, `extern`), of builtins.def, or of checked.def. */
#include "compiler/type/check.h"

typedef struct Names {
    Str *list;
    uint32_t count, needed; /* the first of them that every call gives */
} Names;

static Names names_of_text(Check *c, const char *text, uint32_t needed)
{
    Names names = {.needed = needed};
    Str rest = str_from(text);
    names.list = NEW(c, Str, rest.len + 1);
    while (rest.len) {
        ptrdiff_t comma = str_find(rest, STR(", "));
        size_t len = comma < 0 ? rest.len : (size_t)comma;
        names.list[names.count++] = str_slice(rest.ptr, len);
        rest = str_skip(rest, comma < 0 ? len : len + 2);
    }
    return names;
}

static Names names_of_params(Check *c, const AstParam *first)
{
    uint32_t count = 0;
    for (const AstParam *p = first; p; p = p->next) count++;
    Names names = {.list = NEW(c, Str, count + 1), .needed = count};
    for (const AstParam *p = first; p; p = p->next) names.list[names.count++] = p->name.text;
    return names;
}

/* min and max are two functions each, by the number of arguments. */
static bool checked_names(Check *c, Str function, uint32_t given, Names *ret_names)
{
    bool found = false;
    for (uint32_t i = 0; i < checked_info_count; i++) {
        const CheckedInfo *info = &checked_infos[i];
        if (!str_is(function, info->name) || (found && info->needed > given)) continue;
        *ret_names = names_of_text(c, info->params, info->needed);
        found = true;
    }
    return found;
}

/* False: there is no such function. In the order in which check__call looks for one. */
static bool names_of(Check *c, Str function, uint32_t given, Names *ret_names)
{
    const Fn *fn = check__fn(c, function);
    const Extern *external = fn ? NULL : map_get(&c->scope->externs, function);
    if (external) {
        const AstParam *p = external->fn->params;
        bool state = p && p->type && p->type->kind == AST_TYPE_STATE;
        *ret_names = names_of_params(c, state ? p->next : p);
        return true;
    }
    if (!fn && checked_names(c, function, given, ret_names)) return true;
    const BuiltinInfo *info = fn ? NULL : builtin_info(builtin_find(function));
    if (info) {
        *ret_names = names_of_text(c, info->params, (uint32_t)strlen(info->args));
        return true;
    }
    if (!fn) fn = check__library_fn(c, function);
    if (fn) *ret_names = names_of_params(c, fn->item->as.fn.params);
    return fn != NULL;
}

/* "clamp(x, lo, hi)" as a note. */
static void note_names(Check *c, Diagnostic *d, Str function, const Names *names)
{
    Str text = STR("");
    for (uint32_t i = 0; i < names->count; i++)
        text = check__text(c, "%.*s%s%.*s", STR_ARG(text), i ? ", " : "", STR_ARG(names->list[i]));
    diag_note(c->diags, d, (Span){UINT32_MAX, 0, 0}, "%.*s(%.*s)", STR_ARG(function),
              STR_ARG(text));
}

/* The number of the parameter of that name; count (reported): there is none. */
static uint32_t place_of(Check *c, const AstArg *arg, Str function, const Names *names)
{
    Str best = STR_NONE;
    uint32_t distance = UINT32_MAX;
    for (uint32_t i = 0; i < names->count; i++) {
        if (str_eq(names->list[i], arg->name.text)) return i;
        diag_suggest(arg->name.text, names->list[i], &best, &distance);
    }
    Diagnostic *d =
        diag_error(c->diags, DIAG_T004, arg->name.span, "`%.*s` has no parameter `%.*s`",
                   STR_ARG(function), STR_ARG(arg->name.text));
    note_names(c, d, function, names);
    bool word = str_is(arg->name.text, "within") || str_is(arg->name.text, "where");
    if (word) /* quantile(x, 0.95, within 1%): no name, but a word of its own */
        diag_fix(c->diags, d, "without the colon",
                 (Span){arg->span.file, arg->name.span.end, arg->value->span.start}, " ");
    else
        check__did_you_mean(c, d, arg->name.span, best);
    return names->count;
}

static bool all_there(Check *c, Str function, Span span, const Names *names, const AstArg *list)
{
    Str lost = STR_NONE;
    bool gap = false;
    for (uint32_t i = names->count; i > 0; i--) {
        bool given = list[i - 1].value != NULL;
        gap |= given;
        if (given || (i > names->needed && !gap)) continue;
        lost = check__text(c, "`%.*s`%s%.*s", STR_ARG(names->list[i - 1]), lost.len ? ", " : "",
                           STR_ARG(lost));
    }
    if (!lost.len) return true;
    Diagnostic *d = diag_error(c->diags, DIAG_T004, span, "`%.*s` is not given %.*s",
                               STR_ARG(function), STR_ARG(lost));
    note_names(c, d, function, names);
    return false;
}

/* Those with a name, and those in front of them, into `list`; false: reported. */
static bool place(Check *c, Str function, const Names *names, const AstArg *args, AstArg *list)
{
    bool named = false;
    uint32_t at = 0;
    for (const AstArg *arg = args; arg; arg = arg->next) {
        if (arg->kind != AST_ARG_PLAIN) continue;
        named |= arg->name.text.len != 0;
        if (named && !arg->name.text.len) {
            diag_error(c->diags, DIAG_T004, arg->span,
                       "arguments without a name stand in front of those with one");
            return false;
        }
        uint32_t i = named ? place_of(c, arg, function, names) : at++;
        if (named && i == names->count) return false;
        if (i >= names->count) {
            Diagnostic *d = diag_error(c->diags, DIAG_T004, arg->span,
                                       "`%.*s` takes fewer arguments", STR_ARG(function));
            note_names(c, d, function, names);
            return false;
        }
        if (list[i].value) {
            diag_error(c->diags, DIAG_T004, arg->span, "`%.*s` has its value already",
                       STR_ARG(arg->name.text));
            return false;
        }
        list[i] = *arg;
        list[i].name = (AstName){0};
    }
    return true;
}

bool check__arrange(Check *c, Str function, Span span, AstArg **args)
{
    uint32_t given = 0;
    bool any = false;
    for (const AstArg *arg = *args; arg; arg = arg->next) {
        given += arg->kind == AST_ARG_PLAIN;
        any |= arg->name.text.len != 0;
    }
    Names names;
    if (!any || !names_of(c, function, given, &names)) return true;
    AstArg *list = NEW(c, AstArg, names.count + 1);
    if (!place(c, function, &names, *args, list) || !all_there(c, function, span, &names, list))
        return false;
    AstArg **next = args, *words = *args;
    for (uint32_t i = 0; i < names.count && list[i].value; i++) {
        *next = &list[i];
        next = &list[i].next;
    }
    *next = NULL;
    for (const AstArg *arg = words; arg; arg = arg->next) { /* within, where: behind them */
        if (arg->kind == AST_ARG_PLAIN) continue;
        AstArg *word = NEW(c, AstArg, 1);
        *word = *arg;
        word->next = NULL;
        *next = word;
        next = &word->next;
    }
    return true;
}

const AstExpr *check__arranged(Check *c, const AstExpr *call)
{
    AstArg *args = call->as.call.args;
    if (!check__arrange(c, call->as.call.name.text, call->span, &args)) return NULL;
    if (args == call->as.call.args) return call;
    AstExpr *copy = NEW(c, AstExpr, 1);
    *copy = *call;
    copy->as.call.args = args;
    return copy;
}
