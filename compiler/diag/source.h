/* compiler/diag/source.h: the texts of a compilation, and places in them.
 *
 * A Source owns nothing: its bytes live in the unit's arena, always followed by SOURCE_PAD_BYTES
 * zero bytes, which is what lets the lexer run without a bounds check (re2c with yyfill off).
 * A Span is half open, in bytes: [start, end). Lines and columns start at 1; a column counts
 * bytes, as compilers and editors of the field do. */
#ifndef TUTTI_COMPILER_DIAG_SOURCE_H
#define TUTTI_COMPILER_DIAG_SOURCE_H

#include "base/arena.h"
#include "base/status.h"
#include "base/str.h"

enum {
    SOURCE_BYTES_MAX = 4 << 20, /* a longer file is refused with P003 */
    SOURCE_PAD_BYTES = 16,
    SOURCE_FILES_MAX = 1024,
};

typedef struct Span {
    uint32_t file; /* Source.id */
    uint32_t start, end;
} Span;

typedef enum SourceKind {
    SOURCE_FILE,    /* named by the user, or read because a program uses it */
    SOURCE_CARRIED, /* came in one text with the program that uses it (bundle.h) */
    SOURCE_BUILTIN, /* of the standard library, inside this executable */
} SourceKind;

struct SourceSet;
struct AstFile;

typedef struct Source {
    uint32_t id; /* its index in the SourceSet */
    SourceKind kind;
    struct SourceSet *set;
    const struct AstFile *tree; /* memo of compiler/use.c, for files that programs use */
    uint32_t carried_at;        /* CARRIED: where it begins in the text it came in */
    Str carried;                /* what was cut off behind `text` (bundle.h) */
    Str path;                   /* as the user gave it; shown in diagnostics */
    Str text;                   /* padded, see above */
    uint32_t *lines;            /* byte offset of each line's first byte; lines[0] is 0 */
    uint32_t line_count;
} Source;

/* All files of one compilation; a Span's file is an index into it. */
typedef struct SourceSet {
    Source **list;
    uint32_t count, cap;
    bool sealed; /* a server: what a program uses came with it, nothing is read from disk */
    Arena *arena;
} SourceSet;

typedef struct SourcePlace {
    uint32_t line, column; /* from 1 */
} SourcePlace;

void source_set_init(SourceSet *set, Arena *arena);
/* Copies `text` (padded) and adds it. ST_LIMIT: too long or too many files. */
MUST Status source_add(SourceSet *set, Str path, Str text, Source **ret_source, Diag *diag);
/* Reads a file; "-" is standard input. ST_NOT_FOUND, ST_IO, ST_LIMIT. */
MUST Status source_load(SourceSet *set, const char *path, Source **ret_source, Diag *diag);

/* The one with that path, or NULL. */
Source *source_find(const SourceSet *set, Str path);

SourcePlace source_place(const Source *source, uint32_t offset);
/* The text of one line (from 1) without its line end; empty past the last. */
Str source_line(const Source *source, uint32_t line);

/* The text of a span, which may lie in any file of the source's set. */
static inline Str source_text(const Source *source, Span span)
{
    if (span.file != source->id && source->set) source = source->set->list[span.file];
    return str_slice(source->text.ptr + span.start, span.end - span.start);
}

/* The smallest span that holds both; `a` when they are of different files. */
static inline Span span_join(Span a, Span b)
{
    if (a.file != b.file) return a;
    return (Span){a.file, a.start < b.start ? a.start : b.start, a.end > b.end ? a.end : b.end};
}

#endif
