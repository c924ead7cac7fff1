/* compiler/emit_llvm/orc.c: linking by LLVM's own linker, for processors that object.c does not
 * know.
 *
 * One object is one LLJIT, which owns the code and goes with the program: nothing is shared between
 * programs, and freeing one frees all of it. It gives code, constants and data mappings of their
 * own, wherever there is room, so the object must be of the large code model, and runs slower for
 * it. */
#include "compiler/emit_llvm/jit_int.h"

#include "base/mem.h"

#include <llvm-c/Error.h>
#include <llvm-c/LLJIT.h>
#include <llvm-c/Orc.h>

struct JitLinked {
    LLVMOrcLLJITRef lljit;
};

static Status failed(Diag *diag, LLVMErrorRef error, const char *what)
{
    char *text = LLVMGetErrorMessage(error);
    Status st = diag_set(diag, ST_INTERNAL, "the JIT failed at %s: %s", what, text);
    LLVMDisposeErrorMessage(text);
    return st;
}

MUST static Status define(LLVMOrcLLJITRef lljit, const JitSymbol *symbols, uint32_t count,
                          Diag *diag)
{
    LLVMJITCSymbolMapPair *pairs = mem_zalloc(count + 1, sizeof *pairs);
    if (!pairs) return diag_set(diag, ST_NO_MEMORY, "compiling");
    for (uint32_t i = 0; i < count; i++) {
        uint8_t flags = LLVMJITSymbolGenericFlagsExported;
        if (symbols[i].function) flags |= LLVMJITSymbolGenericFlagsCallable;
        pairs[i].Name = LLVMOrcLLJITMangleAndIntern(lljit, symbols[i].name);
        pairs[i].Sym = (LLVMJITEvaluatedSymbol){symbols[i].at, {flags, 0}};
    }
    LLVMErrorRef error = count ? LLVMOrcJITDylibDefine(LLVMOrcLLJITGetMainJITDylib(lljit),
                                                       LLVMOrcAbsoluteSymbols(pairs, count))
                               : NULL;
    mem_free(pairs);
    return error ? failed(diag, error, "its symbols") : ST_OK;
}

MUST static Status load(LLVMOrcLLJITRef lljit, Str object, Diag *diag)
{
    LLVMMemoryBufferRef bytes =
        LLVMCreateMemoryBufferWithMemoryRangeCopy(object.ptr, object.len, "object");
    LLVMErrorRef error =
        LLVMOrcLLJITAddObjectFile(lljit, LLVMOrcLLJITGetMainJITDylib(lljit), bytes);
    return error ? failed(diag, error, "loading") : ST_OK;
}

Status jit_link(Str object, const JitSymbol *symbols, uint32_t count, JitLinked **ret_linked,
                Diag *diag)
{
    LLVMTargetMachineRef with = jit_machine_far();
    JitLinked *made = with ? mem_zalloc(1, sizeof *made) : NULL;
    if (!made) {
        if (with) LLVMDisposeTargetMachine(with);
        return with ? diag_set(diag, ST_NO_MEMORY, "compiling")
                    : diag_set(diag, ST_UNSUPPORTED, "LLVM does not know this machine");
    }
    LLVMOrcLLJITBuilderRef builder = LLVMOrcCreateLLJITBuilder();
    LLVMOrcLLJITBuilderSetJITTargetMachineBuilder(
        builder, LLVMOrcJITTargetMachineBuilderCreateFromTargetMachine(with));
    LLVMErrorRef error = LLVMOrcCreateLLJIT(&made->lljit, builder);
    Status st = error ? failed(diag, error, "its start") : ST_OK;
    if (!st) st = define(made->lljit, symbols, count, diag);
    if (!st) st = load(made->lljit, object, diag);
    if (st)
        jit_unlink(made);
    else
        *ret_linked = made;
    return st;
}

const void *jit_find(JitLinked *linked, const char *name)
{
    LLVMOrcJITTargetAddress at = 0;
    LLVMErrorRef error = LLVMOrcLLJITLookup(linked->lljit, &at, name);
    if (!error) return (const void *)(uintptr_t)at;
    LLVMConsumeError(error);
    return NULL;
}

void jit_unlink(JitLinked *linked)
{
    if (!linked) return;
    LLVMErrorRef error = linked->lljit ? LLVMOrcDisposeLLJIT(linked->lljit) : NULL;
    if (error) LLVMConsumeError(error);
    mem_free(linked);
}
