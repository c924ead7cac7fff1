/* compiler/emit_llvm/jit.h: the contract between `tutti` and its plug-in tutti-jit.so.
 *
 * LLVM is 110 MB, so `tutti` does not link it: `--engine jit` opens the plug-in beside the
 * executable (driver/jit_load.h), which exports one symbol, `tutti_jit`. Both are made by one
 * build: they share structures that have no version of their own, so the plug-in carries the hash
 * of the headers it was compiled with and another one is refused.
 *
 * The plug-in makes objects; `tutti` links them (object.h), new ones and kept ones alike. Where its
 * own linker does not know the processor it has the plug-in do that. */
#ifndef TUTTI_COMPILER_EMIT_LLVM_JIT_H
#define TUTTI_COMPILER_EMIT_LLVM_JIT_H

#include "base/buf.h"
#include "base/status.h"
#include "base/str.h"
#include "compiler/ir/ir.h"
#include "compiler/link/link.h"

/* Where the time of one compilation went, in microseconds. */
typedef struct JitCost {
    uint32_t build_us, pass_us, code_us;
} JitCost;

/* QUICK: reading a value is a call, so less is compiled. FULL: it is inlined. */
typedef enum JitSpeed { JIT_QUICK, JIT_FULL } JitSpeed;

/* NEAR: the small code model, for the linker of object.h. FAR: parts of the code may lie anywhere,
 * for LLVM's own linker. */
typedef enum JitReach { JIT_NEAR, JIT_FAR } JitReach;

/* What lies outside an object. */
typedef struct JitSymbol {
    const char *name;
    uint64_t at;
    bool function;
} JitSymbol;

typedef struct JitLinked JitLinked; /* an object linked by LLVM */

typedef struct JitPlugin {
    const char *build; /* JIT_BUILD of its compilation */
    const char *llvm;  /* "14.0.6" */
    /* Appends an object for object.h to `object`. Any thread, several at once. `samples` as in
     * emit_c/emit.h. `cpu`: what the processor has beyond the base of its kind, as LLVM writes it
     * ("+bmi,+bmi2"); "" for none. ST_UNSUPPORTED as in emit.h. Bytes out are the same whatever
     * `speed` and `cpu` say. `cost` may be NULL. */
    Status (*compile)(const IrProgram *program, const Linked *linked, const Str *samples,
                      JitSpeed speed, JitReach reach, const char *cpu, Buf *object, JitCost *cost,
                      Diag *diag);
    /* Links an object that was compiled FAR; `symbols` are all that it leaves open. It is not
     * checked: only what this plug-in wrote may be given. */
    Status (*link)(Str object, const JitSymbol *symbols, uint32_t count, JitLinked **ret_linked,
                   Diag *diag);
    const void *(*find)(JitLinked *linked, const char *name); /* NULL: it exports no such name */
    void (*unlink)(JitLinked *linked);                        /* accepts NULL */
} JitPlugin;

#endif
