/* compiler/compile.h: from a source text to verified IR; the one door for everybody else.
 *
 *   Status s = compile_source(arena, source, &diags, NULL, &program);
 *   if (!s && !diags.error_count) ... program is checked, optimised and verified.
 *
 * ST_OK with errors in `diags`: the user's program is wrong, *ret_program is untouched.
 * ST_NO_MEMORY: the arena is full. ST_INTERNAL: the verifier found a fault of ours; the Diag says
 * which. Safe on hostile text: everything has a limit (parse.h, type.h, check.h). */
#ifndef TUTTI_COMPILER_COMPILE_H
#define TUTTI_COMPILER_COMPILE_H

#include "compiler/ast/ast.h"
#include "compiler/diag/diag.h"
#include "compiler/ir/ir.h"

typedef struct CompileOptions {
    /* Called with "lower" and after every pass; may be NULL. */
    void (*after)(void *ctx, const char *pass, const IrProgram *program);
    void *ctx;
    const AstFile **ret_ast; /* the tree, for tools; may be NULL. Set even when there are errors */
    bool schema;             /* of the text of a schema (check_schema); */
    Str schema_root;         /* its type, or empty */
    Diag *diag;              /* words for ST_INTERNAL; may be NULL */
} CompileOptions;

MUST Status compile_source(Arena *arena, const Source *source, DiagList *diags,
                           const CompileOptions *options, IrProgram **ret_program);

#endif
