/* compiler/emit_c/cc.h: generated C to a shared object, by the C compiler of the machine, cached.
 *
 * The cache is content-addressed: the file's name is a BLAKE2b hash of the text, the ABI, the flags
 * and the identity of the compiler, so a stale file cannot be hit; a seal tells a damaged one.
 * The generated text stays beside the object, for debuggers and curious readers. */
#ifndef TUTTI_COMPILER_EMIT_C_CC_H
#define TUTTI_COMPILER_EMIT_C_CC_H

#include "base/buf.h"
#include "base/status.h"
#include "compiler/emit_c/emit.h"

/* $XDG_CACHE_HOME/tutti or ~/.cache/tutti; created. */
MUST Status cc_default_cache(Buf *ret_path, Diag *diag);
/* Whether there is a C compiler: $TUTTI_CC, cc, gcc or clang. */
bool cc_installed(void);
/* Appends the path of the .so (with a NUL behind it). Compilers tried: $TUTTI_CC, cc, gcc, clang.
 * ST_NOT_FOUND: no compiler installed. ST_INTERNAL: it refused the text,
 * ST_INVALID: the C of an `extern c` file. ST_IO: neither the cache
 * nor a folder for temporary files can be written. Blocks for some 100 ms;
 * `cached` (may be NULL) tells whether it was a hit. */
MUST Status cc_shared_object(const EmitUnits *units, const char *cache_dir, Buf *ret_path,
                             bool *ret_cached, Diag *diag);
/* Appends the path of the full object when it is in the cache already; false: it is not. */
bool cc_cached(const EmitUnits *units, const char *cache_dir, Buf *ret_path);
/* The same without optimising, in a third of the time, for a server that must run a change now
 * and swaps in the full object later. *ret_quick false: the full one was in the cache already.
 * Bytes out are the same: no flag here changes what an operation gives. */
MUST Status cc_shared_object_quick(const EmitUnits *units, const char *cache_dir, Buf *ret_path,
                                   bool *ret_quick, Diag *diag);

#endif
