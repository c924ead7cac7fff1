/* compiler/driver/engine.h: which engine runs a program. */
#ifndef TUTTI_COMPILER_DRIVER_ENGINE_H
#define TUTTI_COMPILER_DRIVER_ENGINE_H

#include "compiler/driver/driver.h"

typedef enum EngineKind {
    ENGINE_BEST, /* nobody chose: cc, or where there is no C compiler the interpreter */
#define ENGINE(id, name, doc) ENGINE_##id,
#include "compiler/driver/engines.def"
#undef ENGINE
} EngineKind;

/* `--engine WORD`: -1 when it is understood, else an exit code (`list` prints the engines there are
 * and ends). */
int engine_option(const Command *self, const char *word, EngineKind *ret_engine);

/* All engines in turn that run programs here: the one behind `engine`, ENGINE_BEST at the end. */
EngineKind engine_next(EngineKind engine);
const char *engine_name(EngineKind engine); /* not of ENGINE_BEST */

#endif
