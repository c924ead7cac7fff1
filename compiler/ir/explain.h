/* compiler/ir/explain.h: what a pipeline does, in sentences; and its graph as text.
 *
 * `pipeline` empty: all of the program. Nothing is written when there is none of that name. */
#ifndef TUTTI_COMPILER_IR_EXPLAIN_H
#define TUTTI_COMPILER_IR_EXPLAIN_H

#include "compiler/ir/ir.h"

void ir_explain(const IrProgram *program, Str pipeline, Buf *out);
void ir_graph_text(const IrProgram *program, Str pipeline, Buf *out);
/* Most bytes the state of one key in one window takes, without the buckets of quantiles. */
uint64_t ir_window_bytes(const IrWindow *window);

#endif
