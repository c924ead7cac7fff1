/* compiler/library/library.h: the standard library, stdlib/ in the language, inside this
 * executable.
 *
 * Its functions are known to every program that does not declare the same name. Nothing is parsed
 * until one is called: a name is looked for in the texts, line by line, where `fn NAME(` begins
 * one. The comment above such a line is its documentation; a line of it that starts with `example:`
 * is one. Functions without an example are the file's own and not known outside. All texts are
 * constant. */
#ifndef TUTTI_COMPILER_LIBRARY_LIBRARY_H
#define TUTTI_COMPILER_LIBRARY_LIBRARY_H

#include "base/buf.h"
#include "base/str.h"

typedef struct LibraryFile {
    const char *name; /* "signal" */
    const char *path; /* "stdlib/signal.tutti" */
    Str text;
} LibraryFile;

typedef struct LibraryFn {
    const LibraryFile *file;
    Str name, signature, comment; /* signature: the line up to its `=`; comment: lines with # */
} LibraryFn;

extern const LibraryFile *const library_files[]; /* NULL behind the last */

/* The next function behind *ret_fn ({0}: the first), in the order of the files. */
bool library_next(LibraryFn *ret_fn);
bool library_find(Str name, LibraryFn *ret_fn);
/* Signature, what it does, example. */
void library_explain(const LibraryFn *fn, Buf *out);
/* All of it as a page in Markdown: docs/stdlib.md. */
void library_reference(Buf *out);

#endif
