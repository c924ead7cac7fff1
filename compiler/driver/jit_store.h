/* compiler/driver/jit_store.h: objects of the engine jit, kept on disk beside those of the C
 * engine.
 *
 * A file's name is the hash of all that decides what is in it: the program as C text (emit_c says
 * all that a program does, so an equal text is an equal program), the plug-in, the processor. So a
 * kept object is found without opening LLVM. Behind the object stands the hash of its bytes: half a
 * file, or a changed one, is not taken. Writing is atomic, and what cannot be written is only not
 * kept. */
#ifndef TUTTI_COMPILER_DRIVER_JIT_STORE_H
#define TUTTI_COMPILER_DRIVER_JIT_STORE_H

#include "base/buf.h"

enum { JIT_OBJECT_BYTES_MAX = 64 << 20, JIT_PATH_BYTES = 1024 };

/* The path of the object made of these parts; false: the folder's name is too long. */
bool jit_store_path(const char *folder, const Str *parts, uint32_t count, char *path);
/* The object of that path, whole and unchanged; false: there is none. */
bool jit_store_find(const char *path, Buf *object);
void jit_store_keep(const char *path, Str object);

#endif
