/* compiler/driver/jit_load.h: the engine jit: finds its plug-in, opens it once, makes programs. */
#ifndef TUTTI_COMPILER_DRIVER_JIT_LOAD_H
#define TUTTI_COMPILER_DRIVER_JIT_LOAD_H

#include "compiler/ir/ir.h"
#include "flow/instance.h"

/* ST_NOT_FOUND, ST_UNSUPPORTED: a sentence that says what is missing and what to install. Looks for
 * tutti-jit.so beside the executable, then in ../lib/tutti; TUTTI_JIT names it by its path. Any
 * thread. `found` looks for the file only, which is enough for programs that are kept; `ready`
 * opens it. */
MUST Status jit_found(Diag *diag);
MUST Status jit_ready(Diag *diag);
/* A program of its own: `ir` may go. `samples`: see emit_c/emit.h; `quick`: soon, not fastest.
 * `folder`: where objects are kept, or NULL. */
MUST Status jit_load(const IrProgram *ir, const Str *samples, bool quick, const char *folder,
                     FlowProgram **ret_program, Diag *diag);

#endif
