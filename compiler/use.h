/* compiler/use.h: the files that a program uses.
 *
 * `use "lib/units.tutti"` names a file beside the one it stands in. It is looked for among the
 * sources that are there already (named on the command line too, used twice, or carried in one text
 * with the program: bundle.h), then read from disk, unless the set is sealed, as in a server. Each
 * file is parsed once in a compilation. */
#ifndef TUTTI_COMPILER_USE_H
#define TUTTI_COMPILER_USE_H

#include "compiler/ast/ast.h"
#include "compiler/diag/diag.h"

enum {
    USE_FILES_MAX = 64,   /* of one program */
    USE_DEPTH_MAX = 16,   /* files that use files */
    USE_PATH_BYTES = 1024 /* of one path */
};

/* `path` as seen from the folder of `from`, without `.` and with `..` where it can be resolved.
 * Empty: longer than USE_PATH_BYTES. */
Str use_path(Arena *arena, Str from, Str path);
/* ST_NOT_FOUND, ST_IO, ST_LIMIT; ST_FORBIDDEN: sealed, and it did not come along. */
MUST Status use_open(Arena *arena, const Source *from, Str path, DiagList *diags,
                     const AstFile **ret_file, Diag *why);

/* The same for a file of another language, which is not parsed: the C of an `extern c` block. */
MUST Status use_text(Arena *arena, const Source *from, Str path, Source **ret_source, Diag *why);

#endif
