/* compiler/type/library.c: functions of the standard library, parsed when the first one is called.
 */
#include "compiler/library/library.h"
#include "compiler/parse/parse.h"
#include "compiler/type/check.h"

/* The file's tree; its source is known to this compilation under a path no file of a user has. */
static const AstFile *tree(Check *c, const LibraryFile *file)
{
    SourceSet *set = c->file->source->set;
    Str path = check__text(c, "<%s>", file->path);
    Source *source = source_find(set, path);
    Diag diag = {0};
    Status status = ST_OK;
    if (!source) status = source_add(set, path, str_from(file->text.ptr), &source, &diag);
    if (!status && !source->tree) {
        AstFile *parsed;
        source->kind = SOURCE_BUILTIN;
        status = parse_source(c->arena, source, c->diags, &parsed);
        if (!status) source->tree = parsed;
    }
    if (status) check__leave(c, status);
    return source->tree;
}

Fn *check__library_fn(Check *c, Str name)
{
    LibraryFn found;
    if (!library_find(name, &found)) return NULL;
    Scope *scope = check__scope_of(c, tree(c, found.file));
    return map_get(&scope->fns, name);
}

void check__suggest_library(Str word, Str *best, uint32_t *distance)
{
    for (LibraryFn fn = {0}; library_next(&fn);) diag_suggest(word, fn.name, best, distance);
}
