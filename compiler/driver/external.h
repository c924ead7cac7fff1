/* compiler/driver/external.h: C functions of a program for engines that run in this process. */
#ifndef TUTTI_COMPILER_DRIVER_EXTERNAL_H
#define TUTTI_COMPILER_DRIVER_EXTERNAL_H

#include "compiler/ir/ir.h"

/* Compiles (or finds in the cache) the program's `extern c` files and sets program->extern_code.
 * Does nothing without any. What was loaded stays until the process ends: a function may be
 * running when its program is replaced. ST_INVALID: the C is wrong; ST_NOT_FOUND: no compiler. */
MUST Status external_load(IrProgram *program, const char *cache_dir, Diag *diag);

#endif
