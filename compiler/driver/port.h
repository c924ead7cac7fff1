/* compiler/driver/port.h: the compiler behind the runtime's door (module/compiler.h). */
#ifndef TUTTI_COMPILER_DRIVER_PORT_H
#define TUTTI_COMPILER_DRIVER_PORT_H

#include "compiler/driver/engine.h"

#include "module/compiler.h"

/* Shared objects are kept in DATA_DIR/cache, so a restart compiles nothing again; NULL takes the
 * user's cache folder. ENGINE_BEST without a C compiler is the interpreter. One per process; lives
 * as long as it. */
const ProgramCompiler *port_compiler(const char *data_dir, EngineKind engine);

#endif
