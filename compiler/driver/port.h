/* compiler/driver/port.h: the compiler behind the runtime's door (module/compiler.h). */
#ifndef TUTTI_COMPILER_DRIVER_PORT_H
#define TUTTI_COMPILER_DRIVER_PORT_H

#include "compiler/driver/engine.h"

#include "module/compiler.h"
#include "module/lite.h"

/* Shared objects are kept in DATA_DIR/cache, so a restart compiles nothing again; NULL takes the
 * user's cache folder. ENGINE_BEST: what is not in the cache starts on the interpreter, and the
 * engine swaps in compiled code when it is ready; without a C compiler it stays there. One per
 * process; lives as long as it. */
const ProgramCompiler *port_compiler(const char *data_dir, EngineKind engine);

/* Whose functions in C may run here: those of these texts (lent), or with `any` those that somebody
 * deploys, too. Any other text with `extern c` is refused with C004. */
void port_trust_c(const LiteProgram *programs, size_t count, bool any);

#endif
