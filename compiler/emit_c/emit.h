/* compiler/emit_c/emit.h: a checked program as C text for the runtime of runtime/flow/abi.h.
 *
 * The text is complete: it includes nothing and compiles to a shared object with one exported
 * symbol, `tutti_program`. It is meant to be read: names are the program's, #line leads back to it.
 */
#ifndef TUTTI_COMPILER_EMIT_C_EMIT_H
#define TUTTI_COMPILER_EMIT_C_EMIT_H

#include "base/buf.h"
#include "base/status.h"
#include "compiler/ir/ir.h"

enum { EMIT_BYTES_MAX = 32 << 20, EMIT_SAMPLE_BYTES = 64 << 10 };

/* Appends the C text. `samples` holds, per pipeline, some first lines of its input, from which the
 * order and spacing of keys is learnt (empty or NULL: the declared order, compact). ST_UNSUPPORTED
 * with a text for what this back end cannot do. */
MUST Status emit_c(const IrProgram *program, const Str *samples, Buf *out, Diag *diag);
/* The same in two: what stands in front of every program, a constant text, and the program. Most
 * that ask for the text only want to know whether its object is in the cache. */
Str emit_head(void);
MUST Status emit_c_rest(const IrProgram *program, const Str *samples, Buf *out, Diag *diag);

/* A program's C text, and the C of its `extern c` files with their wrappers: translation units of
 * one shared object. `main` may be empty: then only the functions, exported as `tutti_externs`. */
typedef struct EmitUnits {
    Str head, main; /* head: stands in front of main when that is emit_c_rest's; or empty */
    const Str *more;
    uint32_t more_count;
} EmitUnits;

/* external.c: fills in `more`; none without `extern c`. Texts live in `arena`. */
MUST Status emit_externs(const IrProgram *program, Arena *arena, EmitUnits *units, Diag *diag);
/* What C must look like for a function of an `extern c` block: "double rms(const float *x, ...)".
 */
void emit_prototype(const IrExtern *fn, Buf *out);

#endif
