/* compiler/pass/pass.h: what makes the code of stages smaller. One pass a file.
 *
 * Every pass keeps the meaning, bytes and failures included. pass_all runs them in order and the
 * verifier after each one; `after` (may be NULL) sees the program behind each pass, for dumps. */
#ifndef TUTTI_COMPILER_PASS_PASS_H
#define TUTTI_COMPILER_PASS_PASS_H

#include "compiler/ir/ir.h"
#include "compiler/type/builtins.h"

/* a OP b of operands of one kind; REASON_NONE and the result, or why it always fails. Comparisons
 * give imm.boolean. DIV on floats, IDIV and MOD on integers as in ops.def. */
Reason pass_fold_binary(IrOp op, IrType kind, IrImm a, IrImm b, IrImm *ret_imm);

/* Constant operands computed, moves of constants, IF on a constant. */
MUST Status pass_fold(IrProgram *program);
/* The same pure computation once per stretch of code without jumps. */
MUST Status pass_cse(IrProgram *program);
/* Instructions whose result nobody reads; marks the leaves that are read (IrLeaf.needed). */
MUST Status pass_dead(IrProgram *program);
/* Hop windows share what they count where that gives the same bytes. */
MUST Status pass_panes(IrProgram *program);
/* Marks what of a record the first `where` needs, as code for the decoder (IrPipeline.filter). */
MUST Status pass_push(IrProgram *program);
/* Pipelines that read the same source and get one decoder (IrProgram.shares). */
MUST Status pass_share(IrProgram *program);
/* Without what neither the code's effects nor `roots` need; room in `used` for all registers. */
void pass__dead_code(IrStage *s, bool *used, const uint32_t *roots, uint32_t root_count);

MUST Status pass_all(IrProgram *program,
                     void (*after)(void *ctx, const char *pass, const IrProgram *program),
                     void *ctx, Diag *diag);

#endif
