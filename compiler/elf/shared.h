/* compiler/elf/shared.h: an object of generated code as a shared object, without a linker.
 *
 * `ld` needs 15 ms to start; what it has to do for the object of one program is little: code,
 * tables that point to each other, and calls of memcpy. It is done here for x86-64, and what
 * generated code does not need is refused: thread-local data, functions that run when it is loaded,
 * groups, symbols of the object's own that others may replace. Who calls this has a linker for the
 * rest. */
#ifndef TUTTI_COMPILER_ELF_SHARED_H
#define TUTTI_COMPILER_ELF_SHARED_H

#include "base/buf.h"
#include "base/status.h"
#include "base/str.h"

/* Appends the file. Its global, visible symbols can be found by dlsym; functions that it calls and
 * has not must be in the process that loads it. `object` begins where 8 bytes are aligned.
 * ST_UNSUPPORTED: there is something in it that only a linker knows; ST_CORRUPT: it is damaged. */
MUST Status elf_shared(Str object, Buf *ret_file, Diag *diag);

#endif
