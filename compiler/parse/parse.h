/* compiler/parse/parse.h: from text to AstFile.
 *
 * Everything lives in `arena`. Programs with errors give a tree too, with what was wrong left out
 * and every finding in `diags`; only running out of memory is a failure. A text over the limits
 * (SOURCE_BYTES_MAX, PARSE_NESTING_MAX, PARSE_TOKENS_MAX) gives a diagnostic and an empty tree. */
#ifndef TUTTI_COMPILER_PARSE_PARSE_H
#define TUTTI_COMPILER_PARSE_PARSE_H

#include "compiler/ast/ast.h"
#include "compiler/diag/diag.h"

enum {
    PARSE_NESTING_MAX = 200, /* brackets inside brackets */
    PARSE_TOKENS_MAX = 1000000,
};

MUST Status parse_source(Arena *arena, const Source *source, DiagList *diags, AstFile **ret_file);

#endif
