/* compiler/driver/native.h: program files to something that runs, for `run --batch` and `test`. */
#ifndef TUTTI_COMPILER_DRIVER_NATIVE_H
#define TUTTI_COMPILER_DRIVER_NATIVE_H

#include "compiler/driver/engine.h"
#include "compiler/ir/ir.h"
#include "flow/instance.h"

enum { NATIVE_PROGRAMS_MAX = SOURCE_FILES_MAX };

typedef struct Native {
    IrProgram *ir;
    FlowProgram *program; /* NULL until native_load */
} Native;

/* All programs named on the command line, checked. */
typedef struct NativeSet {
    Front front;
    Native *list;
    uint32_t count;
    const char *cache_dir; /* NULL: the user's cache folder */
    EngineKind engine;
    bool quick; /* cc without optimising: for tests of many programs */
    bool soon;  /* jit: little work to come, so code soon rather than the fastest */
    bool told;  /* that there is no C compiler */
} NativeSet;

MUST Status native_open(NativeSet *set, Diag *diag);
void native_close(NativeSet *set);
/* A file, or every .tutti file of a folder. Findings are in set->front.diags. */
MUST Status native_add(NativeSet *set, const char *path, Diag *diag);
/* A text in memory whose shared object exists already (a Lite artifact); NULL: the set's engine
 * makes it. */
MUST Status native_add_built(NativeSet *set, Str file, Str text, const char *so_path, Diag *diag);
/* Makes native->program by the set's engine. `samples`: see emit.h. */
MUST Status native_load(NativeSet *set, Native *native, const Str *samples, Diag *diag);

#endif
