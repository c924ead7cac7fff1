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
/* The engine of that name; false: there is none here, and *diag says why. `later`: whether it can
 * be started is seen when it is. */
bool engine_find(const char *word, bool later, EngineKind *ret_engine, Diag *diag);
void engine_list(void); /* prints those there are */

/* All engines in turn that run programs here: the one behind `engine`, ENGINE_BEST at the end. */
EngineKind engine_next(EngineKind engine);
const char *engine_name(EngineKind engine); /* not of ENGINE_BEST */

#endif
