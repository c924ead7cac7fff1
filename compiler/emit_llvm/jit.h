/* compiler/emit_llvm/jit.h: the contract between `tutti` and its plug-in tutti-jit.so.
 *
 * LLVM is 110 MB, so `tutti` does not link it: `--engine jit` opens the plug-in beside the
 * executable (driver/jit_load.h), which exports one symbol, `tutti_jit`. Both are made by one
 * build: they share structures that have no version of their own, so the plug-in carries the hash
 * of the headers it was compiled with and another one is refused.
 *
 * The plug-in makes code only. Tables (schemas, sinks, windows ...) are those of compiler/link and
 * must live as long as the code, which holds addresses of them. */
#ifndef TUTTI_COMPILER_EMIT_LLVM_JIT_H
#define TUTTI_COMPILER_EMIT_LLVM_JIT_H

#include "base/status.h"
#include "base/str.h"
#include "compiler/ir/ir.h"
#include "compiler/link/link.h"
#include "flow/abi.h"

typedef struct JitEntry {
    uint32_t layout_count; /* see RtPipelineInfo */
    void (*feed)(RtPipe *pipe, const RtBatch *batch);
    void (*row)(RtPipe *pipe, u32 window, const RtWindowRow *row);
    void (*run)(RtPipe *pipe, u32 stage, const RtValue *values, const u8 *has);
} JitEntry;

/* Where the time of one compilation went, in microseconds, and what it made. */
typedef struct JitCost {
    uint32_t build_us, pass_us, code_us, link_us;
    uint32_t code_bytes; /* of the object: code and constants */
    bool found;          /* in the cache: neither passes nor code generation */
} JitCost;

/* Machine code of one program; constant, so any number of instances and threads may use it. */
typedef struct JitCode {
    void (*bind)(const RtApi *api); /* to be called once before the others */
    const JitEntry *pipelines;      /* in the order of the program */
    JitCost cost;
} JitCode;

/* QUICK: reading a value is a call, so less is compiled. FULL: it is inlined. */
typedef enum JitSpeed { JIT_QUICK, JIT_FULL } JitSpeed;

/* Keeps objects by the modules they were made of. A module is the program as bitcode before any
 * pass, the addresses it uses as names, so an equal one gives an equal object in any process. */
typedef struct JitCache {
    void *ctx;
    /* The object, valid until the next call; false: there is none. */
    bool (*find)(void *ctx, Str module, Str *ret_object);
    void (*keep)(void *ctx, Str module, Str object);
} JitCache;

typedef struct JitPlugin {
    const char *build; /* JIT_BUILD of its compilation */
    const char *llvm;  /* "14.0.6" */
    /* Any thread, several at once. `samples` as in emit_c/emit.h. ST_UNSUPPORTED as there. Bytes
     * out are the same whatever `speed` says. `cache` may be NULL. */
    Status (*compile)(const IrProgram *program, const Linked *linked, const Str *samples,
                      JitSpeed speed, const JitCache *cache, JitCode **ret_code, Diag *diag);
    void (*free)(JitCode *code); /* accepts NULL; nobody may be inside */
} JitPlugin;

#endif
