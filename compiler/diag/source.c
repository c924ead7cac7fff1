/* compiler/diag/source.c: texts with their line tables.
 *
 * The padding behind every text is written here and nowhere else: the lexer relies on it. */
#include "compiler/diag/source.h"

#include "base/buf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void source_set_init(SourceSet *set, Arena *arena)
{
    *set = (SourceSet){.arena = arena};
}

static Status grow(SourceSet *set)
{
    if (set->count < set->cap) return ST_OK;
    uint32_t cap = set->cap ? set->cap * 2 : 8;
    Source **list = arena_many(set->arena, Source *, cap);
    if (!list) return ST_NO_MEMORY;
    if (set->count) memcpy(list, set->list, set->count * sizeof(*list));
    set->list = list;
    set->cap = cap;
    return ST_OK;
}

static Status index_lines(Arena *arena, Source *source)
{
    const char *text = source->text.ptr, *end = text + source->text.len;
    uint32_t count = 1;
    for (const char *p = text; (p = memchr(p, '\n', (size_t)(end - p))); p++) count++;

    source->lines = arena_many(arena, uint32_t, count);
    if (!source->lines) return ST_NO_MEMORY;
    source->line_count = count;
    uint32_t line = 1;
    for (const char *p = text; (p = memchr(p, '\n', (size_t)(end - p))); p++)
        source->lines[line++] = (uint32_t)(p - text) + 1;
    return ST_OK;
}

Status source_add(SourceSet *set, Str path, Str text, Source **ret_source, Diag *diag)
{
    if (text.len > SOURCE_BYTES_MAX) {
        return diag_set(diag, ST_LIMIT, "%.*s is larger than %d MiB", STR_ARG(path),
                        SOURCE_BYTES_MAX >> 20);
    }
    if (set->count >= SOURCE_FILES_MAX) {
        return diag_set(diag, ST_LIMIT, "more than %d files", SOURCE_FILES_MAX);
    }
    Source *source = arena_one(set->arena, Source);
    char *bytes = arena_alloc(set->arena, text.len + SOURCE_PAD_BYTES); /* zeroed */
    if (!source || !bytes || grow(set)) return diag_set(diag, ST_NO_MEMORY, "no memory");

    if (text.len) memcpy(bytes, text.ptr, text.len);
    source->id = set->count;
    source->set = set;
    source->path = arena_str(set->arena, path);
    source->text = str_slice(bytes, text.len);
    if (!source->path.ptr || index_lines(set->arena, source)) {
        return diag_set(diag, ST_NO_MEMORY, "no memory");
    }
    set->list[set->count++] = source;
    *ret_source = source;
    return ST_OK;
}

static Status read_all(FILE *file, Buf *buf)
{
    while (!feof(file)) {
        char *room = buf_reserve(buf, 64 << 10);
        if (!room) return buf->failed;
        size_t got = fread(room, 1, 64 << 10, file);
        buf->len += got;
        if (ferror(file)) return ST_IO;
        if (got == 0) break;
    }
    return ST_OK;
}

Status source_load(SourceSet *set, const char *path, Source **ret_source, Diag *diag)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : fopen(path, "rbe");
    if (!file) {
        int error = errno;
        (void)diag_errno(diag, error, "%s", path);
        if (error == ENOENT && diag) diag->status = ST_NOT_FOUND;
        return error == ENOENT ? ST_NOT_FOUND : ST_IO;
    }
    Buf buf;
    buf_init(&buf, (size_t)SOURCE_BYTES_MAX + (128 << 10));
    Status st = read_all(file, &buf);
    if (st == ST_IO)
        st = diag_errno(diag, errno, "%s", path);
    else if (st)
        st = diag_set(diag, st, "%s: %s", path, status_text(st));
    if (!st)
        st = source_add(set, str_from(standard ? "<stdin>" : path), buf_view(&buf), ret_source,
                        diag);
    buf_done(&buf);
    if (!standard) (void)fclose(file);
    return st;
}

Source *source_find(const SourceSet *set, Str path)
{
    for (uint32_t i = 0; i < set->count; i++)
        if (str_eq(set->list[i]->path, path)) return set->list[i];
    return NULL;
}

SourcePlace source_place(const Source *source, uint32_t offset)
{
    uint32_t low = 0, high = source->line_count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (source->lines[middle] <= offset)
            low = middle;
        else
            high = middle;
    }
    return (SourcePlace){low + 1, offset - source->lines[low] + 1};
}

Str source_line(const Source *source, uint32_t line)
{
    if (line == 0 || line > source->line_count) return STR_NONE;
    uint32_t start = source->lines[line - 1];
    size_t end = line < source->line_count ? source->lines[line] - 1 : source->text.len;
    if (end > start && source->text.ptr[end - 1] == '\r') end--;
    return str_slice(source->text.ptr + start, end - start);
}
