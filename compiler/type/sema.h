/* compiler/type/sema.h: from the tree to the IR: names, types, units, stages.
 *
 * Findings go to `diags`. The IR is only worth something when diags->error_count is 0. Memory: the
 * arena. ST_NO_MEMORY is the only failure. Safe on any tree the parser makes. */
#ifndef TUTTI_COMPILER_TYPE_SEMA_H
#define TUTTI_COMPILER_TYPE_SEMA_H

#include "compiler/ast/ast.h"
#include "compiler/diag/diag.h"
#include "compiler/ir/ir.h"

MUST Status check_file(Arena *arena, const AstFile *file, DiagList *diags, IrProgram **ret_program);
/* The same of a schema's text: its alarms are about fields of the type `root`; empty: they are not
 * looked at. */
MUST Status check_schema(Arena *arena, const AstFile *file, Str root, DiagList *diags,
                         IrProgram **ret_program);

#endif
