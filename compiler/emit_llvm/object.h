/* compiler/emit_llvm/object.h: an object of the plug-in, linked into this process.
 *
 * Objects are ELF files for x86-64 as LLVM writes them: position independent, small code model. All
 * of one goes into one mapping, so that nothing in it is further away than an instruction reaches;
 * what lies outside is reached through a table of addresses. That is why this is here and not in
 * LLVM: its linker gives each section a mapping of its own, wherever there is room. And a kept
 * object runs without LLVM being opened. */
#ifndef TUTTI_COMPILER_EMIT_LLVM_OBJECT_H
#define TUTTI_COMPILER_EMIT_LLVM_OBJECT_H

#include "base/status.h"
#include "base/str.h"
#include "compiler/emit_llvm/jit.h"
#include "compiler/link/link.h"
#include "flow/abi.h"

typedef struct JitEntry {
    uint32_t layout_count; /* see RtPipelineInfo */
    void (*feed)(RtPipe *pipe, const RtBatch *batch);
    void (*row)(RtPipe *pipe, u32 window, const RtWindowRow *row);
    void (*run)(RtPipe *pipe, u32 stage, const RtValue *values, const u8 *has);
} JitEntry;

typedef void JitShared(RtPipe *const *pipes, const RtBatch *batch);

/* Machine code of one program; constant, so any number of instances and threads may use it. */
typedef struct JitCode {
    void (*bind)(const RtApi *api); /* to be called once before the others */
    const JitEntry *pipelines;      /* in the order of the program */
    JitShared *const *shares;       /* likewise: RtShare.feed */
} JitCode;

/* What objects must be compiled for: FAR on processors that the linker here does not know, and
 * where TUTTI_JIT_LINK=llvm asks for it (for tests). */
JitReach jit_object_reach(void);
/* `plugin`: NULL for an object that was compiled NEAR; else the one that compiled it FAR, which
 * links it and must stay open. The tables of `linked`, which the code reads, must live as long as
 * the code. ST_CORRUPT for what is not such an object. */
MUST Status jit_object_link(Str object, const Linked *linked, const JitPlugin *plugin,
                            JitCode **ret_code, Diag *diag);
void jit_object_free(JitCode *code); /* accepts NULL; nobody may be inside */

#endif
