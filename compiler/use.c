/* compiler/use.c: finds, reads and parses the files that a program uses. */
#include "compiler/use.h"

#include "compiler/parse/parse.h"

#include <string.h>

static size_t folder_len(Str path)
{
    size_t len = path.len;
    while (len && path.ptr[len - 1] != '/') len--;
    return len;
}

Str use_path(Arena *arena, Str from, Str path)
{
    size_t folder = str_starts(path, STR("/")) ? 0 : folder_len(from), len = 0;
    if (path.len == 0 || folder + path.len >= USE_PATH_BYTES) return STR_NONE;
    char joined[USE_PATH_BYTES], out[USE_PATH_BYTES];
    memcpy(joined, from.ptr, folder);
    memcpy(joined + folder, path.ptr, path.len);
    size_t total = folder + path.len, floor = 0; /* what stands before `floor` is a leading ../ */
    bool root = joined[0] == '/';
    if (root) out[len++] = '/', floor = 1;
    for (size_t at = root; at < total;) {
        const char *slash = memchr(joined + at, '/', total - at);
        size_t n = slash ? (size_t)(slash - joined) - at : total - at;
        bool up = n == 2 && memcmp(joined + at, "..", 2) == 0;
        bool here = n == 0 || (n == 1 && joined[at] == '.');
        if (up && len > floor) { /* takes the last part back */
            len--;
            while (len > floor && out[len - 1] != '/') len--;
        } else if (!here && !(up && root)) {
            memcpy(out + len, joined + at, n);
            len += n;
            out[len++] = '/';
            if (up) floor = len;
        }
        at += n + 1;
    }
    while (len > 1 && out[len - 1] == '/') len--;
    return arena_str(arena, str_slice(out, len));
}

static Status parsed(Arena *arena, Source *source, DiagList *diags, const AstFile **ret_file)
{
    AstFile *file;
    if (!source->tree) {
        Status st = parse_source(arena, source, diags, &file);
        if (st) return st;
        source->tree = file;
    }
    *ret_file = source->tree;
    return ST_OK;
}

/* A file named on the command line may have been written ./lib/x.tutti. */
static Source *find(Arena *arena, const SourceSet *set, Str full)
{
    for (uint32_t i = 0; i < set->count; i++)
        if (str_eq(use_path(arena, STR(""), set->list[i]->path), full)) return set->list[i];
    return NULL;
}

Status use_text(Arena *arena, const Source *from, Str path, Source **ret_source, Diag *why)
{
    Str full = use_path(arena, from->path, path);
    if (!full.ptr) return diag_set(why, ST_LIMIT, "the path is too long");
    Source *source = find(arena, from->set, full);
    if (!source && (from->set->sealed || from->kind == SOURCE_BUILTIN))
        return diag_set(why, ST_FORBIDDEN, "it did not come with the program");
    if (!source) {
        Str zero = arena_printf(arena, "%.*s", STR_ARG(full));
        if (!zero.ptr) return diag_set(why, ST_NO_MEMORY, "no memory");
        Status st = source_load(from->set, zero.ptr, &source, why);
        if (st) return st;
    }
    *ret_source = source;
    return ST_OK;
}

Status use_open(Arena *arena, const Source *from, Str path, DiagList *diags,
                const AstFile **ret_file, Diag *why)
{
    Source *source;
    Status st = use_text(arena, from, path, &source, why);
    return st ? st : parsed(arena, source, diags, ret_file);
}
