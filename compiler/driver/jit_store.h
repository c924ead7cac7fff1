/* compiler/driver/jit_store.h: objects of the engine jit, kept on disk beside those of the C
 * engine.
 *
 * A file's name is the hash of the module and of the plug-in it was made by; behind the object
 * stands the hash of its bytes, so half a file, or a changed one, is not taken. Writing is atomic,
 * and what cannot be written is only not kept. */
#ifndef TUTTI_COMPILER_DRIVER_JIT_STORE_H
#define TUTTI_COMPILER_DRIVER_JIT_STORE_H

#include "base/buf.h"
#include "compiler/emit_llvm/jit.h"

typedef struct JitStore {
    JitCache cache;
    const char *folder;
    const JitPlugin *plugin;
    Buf object; /* the one found last */
} JitStore;

/* NULL without a folder; jit_store_done all the same. */
const JitCache *jit_store(JitStore *store, const char *folder, const JitPlugin *plugin);
void jit_store_done(JitStore *store);

#endif
