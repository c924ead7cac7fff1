/* compiler/bundle.c: several program files in one text, and apart again (see bundle.h). */
#include "compiler/bundle.h"

#include "base/buf.h"
#include "compiler/use.h"

#include <string.h>

#define MARK "#: file "

static size_t folder_len(Str path)
{
    size_t len = path.len;
    while (len && path.ptr[len - 1] != '/') len--;
    return len;
}

/* `path` as seen from the folder of `from`; both as use_path makes them. */
static void relative(Buf *out, Str from, Str path)
{
    size_t folder = folder_len(from), common = 0;
    bool roots = str_starts(from, STR("/")), root = str_starts(path, STR("/"));
    for (size_t i = 0; roots == root && i < folder && i < path.len && from.ptr[i] == path.ptr[i];
         i++)
        if (from.ptr[i] == '/') common = i + 1;
    for (size_t i = common; roots == root && i < folder; i++)
        if (from.ptr[i] == '/') buf_text(out, "../");
    buf_str(out, str_skip(path, common));
}

/* Start of the first mark at or behind `at` that leads a line; the text's length when none. */
static size_t next_mark(Str text, size_t at)
{
    while (at < text.len) {
        ptrdiff_t found = str_find(str_skip(text, at), STR(MARK));
        if (found < 0) return text.len;
        at += (size_t)found;
        if (at == 0 || text.ptr[at - 1] == '\n') return at;
        at += sizeof MARK - 1;
    }
    return text.len;
}

Status bundle_text(Arena *arena, const IrProgram *program, Str *ret_text, Diag *diag)
{
    const Source *own = program->source;
    AUTO_BUF Buf out;
    buf_init(&out, SOURCE_BYTES_MAX);
    buf_str(&out, own->text);
    uint32_t used_count = program->used_count, extern_count = program->extern_file_count;
    for (uint32_t i = 0; i < used_count + extern_count + program->proto_file_count; i++) {
        const Source *used = i < used_count ? program->used[i]
                             : i < used_count + extern_count
                                 ? program->extern_files[i - used_count]
                                 : program->proto_files[i - used_count - extern_count];
        if (next_mark(used->text, 0) != used->text.len)
            return diag_set(diag, ST_INVALID, "%.*s has a line that starts with `%s`",
                            STR_ARG(used->path), MARK);
        if (out.len && out.ptr[out.len - 1] != '\n') buf_char(&out, '\n');
        buf_text(&out, MARK);
        relative(&out, own->path, used->path);
        buf_char(&out, '\n');
        buf_str(&out, used->text);
    }
    if (buf_status(&out))
        return diag_set(diag, buf_status(&out), "%.*s and the files it uses are too long",
                        STR_ARG(own->path));
    *ret_text = arena_str(arena, buf_view(&out));
    return ret_text->ptr ? ST_OK : diag_set(diag, ST_NO_MEMORY, "no memory");
}

/* One carried file, from its mark on; *at moves behind it. */
MUST static Status part(Source *source, Str text, size_t *at, Diag *diag)
{
    Str rest = str_skip(text, *at + sizeof MARK - 1);
    ptrdiff_t end = str_find_char(rest, '\n');
    Str path = str_trim(end < 0 ? rest : str_slice(rest.ptr, (size_t)end));
    size_t start = end < 0 ? text.len : *at + sizeof MARK + (size_t)end;
    size_t next = next_mark(text, start);
    Str full = use_path(source->set->arena, source->path, path);
    Source *made;
    if (!full.ptr) return diag_set(diag, ST_INVALID, "`%s` without a path", MARK);
    Status st =
        source_add(source->set, full, str_slice(text.ptr + start, next - start), &made, diag);
    if (st) return st;
    made->kind = SOURCE_CARRIED;
    made->carried_at = (uint32_t)start;
    *at = next;
    return ST_OK;
}

Status bundle_open(Source *source, Diag *diag)
{
    Str text = source->text;
    size_t own = next_mark(text, 0);
    if (own == text.len) return ST_OK;
    source->carried = arena_str(source->set->arena, str_skip(text, own));
    if (!source->carried.ptr) return diag_set(diag, ST_NO_MEMORY, "no memory");
    for (size_t at = own; at < text.len;) {
        Status st = part(source, text, &at, diag);
        if (st) return st;
    }
    source->text.len = own; /* the bytes are the set's own: pad again */
    memset((char *)(uintptr_t)text.ptr + own, 0,
           text.len - own < SOURCE_PAD_BYTES ? text.len - own : SOURCE_PAD_BYTES);
    return ST_OK;
}
