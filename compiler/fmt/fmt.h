/* compiler/fmt/fmt.h: the one layout of programs, without options.
 *
 * Works on the lossless token list of a program without syntax errors: tokens and comments stay as
 * they are, only blanks between them change. So parse(fmt(x)) equals parse(x), and fmt(fmt(x)) is
 * fmt(x); tests hold both over all programs. Line breaks are the writer's, except that stages of a
 * pipeline and declarations each start a line. */
#ifndef TUTTI_COMPILER_FMT_FMT_H
#define TUTTI_COMPILER_FMT_FMT_H

#include "compiler/ast/ast.h"

/* Appends the program to `out`. ST_INVALID when the file has syntax errors (nothing is written). */
MUST Status fmt_file(Arena *arena, const AstFile *file, Buf *out);

#endif
