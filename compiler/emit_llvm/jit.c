/* compiler/emit_llvm/jit.c: the plug-in: a checked program to machine code in this process.
 *
 * One compilation is one LLVM context, one module (a copy of the embedded bitcode, to which the
 * program's functions are added), one object, one LLJIT that links the object. The context goes at
 * the end; the LLJIT owns the code and goes with the program, so nothing is shared between programs
 * and freeing one frees all of it. Objects are made here and not by LLJIT's own compile layer,
 * because that would need the context to live on and would take away the choice of code model.
 *
 * The module holds no address: tables are symbols, given when the object is linked. So its bitcode
 * is the name by which the object can be kept (JitCache), and a program that was compiled before
 * costs the building of its module only.
 *
 * The passes are few: inlining of what is marked so, SROA, early CSE, threading of jumps (a
 * reader's "failed" is tested where it is known), simplified control flow, then the cheap code
 * generator. The functions of the bitcode have been through clang -O2 already. */
#include "compiler/emit_llvm/jit_int.h"

#include "base/mem.h"
#include "compiler/emit_llvm/native.h"

#include <llvm-c/Analysis.h>
#include <llvm-c/BitReader.h>
#include <llvm-c/BitWriter.h>
#include <llvm-c/Error.h>
#include <llvm-c/LLJIT.h>
#include <llvm-c/Orc.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>
#include <llvm-c/Transforms/PassBuilder.h>
#include <llvm/Config/llvm-config.h>

#include <math.h>
#include <stdio.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

static const char passes[] = "always-inline,function(sroa,early-cse,jump-threading,simplifycfg)";

/* ops.c as bitcode, from the build. */
__asm__(".section .rodata\n.balign 16\njit_ops_begin:\n.incbin \"" JIT_OPS_FILE
        "\"\njit_ops_end:\n.previous\n");
extern const char jit_ops_begin[], jit_ops_end[];

typedef struct Made {
    JitCode code; /* first */
    LLVMOrcLLJITRef lljit;
    JitEntry entries[];
} Made;

/* ---- errors ---- */

static Status llvm_failed(Diag *diag, LLVMErrorRef error, const char *what)
{
    char *text = LLVMGetErrorMessage(error);
    Status st = diag_set(diag, ST_INTERNAL, "the JIT failed at %s: %s", what, text);
    LLVMDisposeErrorMessage(text);
    return st;
}

static Status text_failed(Diag *diag, char *text, const char *what)
{
    Status st = diag_set(diag, ST_INTERNAL, "the JIT failed at %s: %s", what, text ? text : "?");
    LLVMDisposeMessage(text);
    return st;
}

/* ---- the target ---- */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static LLVMTargetRef target;
static char *triple;

static void start(void)
{
    char *text = NULL;
    (void)LLVMInitializeNativeTarget();
    (void)LLVMInitializeNativeAsmPrinter();
    triple = LLVMGetDefaultTargetTriple(); /* for the life of the process */
    if (LLVMGetTargetFromTriple(triple, &target, &text)) {
        LLVMDisposeMessage(text);
        target = NULL;
    }
}

static LLVMTargetMachineRef machine(void)
{
    return LLVMCreateTargetMachine(target, triple, "", "", LLVMCodeGenLevelLess, LLVMRelocPIC,
                                   LLVMCodeModelJITDefault);
}

/* ---- the module ---- */

MUST static Status parse(Jit *j)
{
    LLVMMemoryBufferRef bytes = LLVMCreateMemoryBufferWithMemoryRange(
        jit_ops_begin, (size_t)(jit_ops_end - jit_ops_begin), "ops", false);
    bool failed = LLVMParseBitcodeInContext2(j->context, bytes, &j->module);
    LLVMDisposeMemoryBuffer(bytes);
    if (failed) return diag_set(j->diag, ST_INTERNAL, "the JIT's own bitcode is damaged");
    for (LLVMValueRef f = LLVMGetFirstFunction(j->module); f; f = LLVMGetNextFunction(f))
        if (!LLVMIsDeclaration(f)) LLVMSetLinkage(f, LLVMInternalLinkage);
    LLVMSetLinkage(LLVMGetNamedGlobal(j->module, "rt"), LLVMInternalLinkage);
    LLVMSetLinkage(LLVMGetNamedFunction(j->module, "jit_bind"), LLVMExternalLinkage);
    return ST_OK;
}

/* Functions that this program does not call cost no further time. */
static void drop_unused(Jit *j)
{
    for (LLVMValueRef f = LLVMGetFirstFunction(j->module), next; f; f = next) {
        next = LLVMGetNextFunction(f);
        if (LLVMGetLinkage(f) == LLVMInternalLinkage && !LLVMGetFirstUse(f)) LLVMDeleteFunction(f);
    }
}

static void pipeline(Jit *j, uint32_t index, Str sample)
{
    j->index = index;
    j->pipeline = &j->ir->pipelines[index];
    j->info = &j->linked->pipelines[index];
    j->stages = arena_many(j->arena, LLVMValueRef, j->pipeline->stage_count + 1);
    if (!j->stages) {
        jit_fail(j, ST_NO_MEMORY, "compiling");
        return;
    }
    for (uint32_t i = 0; i < j->pipeline->stage_count; i++)
        j->stages[i] = jit_declare(j, j->type.stage, false, "stage_%u_%u", index, i);
    j->keeps = j->pipeline->filter ? jit_declare(j, j->type.keeps, false, "keeps_%u", index) : NULL;
    for (uint32_t i = 0; i < j->pipeline->stage_count && !j->failed; i++) jit_stage(j, i);
    if (j->keeps && !j->failed) jit_filter(j);
    if (!j->failed) j->layouts[index] = jit_feed(j, sample);
    if (!j->failed) jit_rows(j);
    if (!j->failed) jit_run(j);
}

MUST static Status build(Jit *j, const Str *samples)
{
    Status st = parse(j);
    if (st) return st;
    jit_types(j);
    j->layouts = arena_many(j->arena, uint32_t, j->ir->pipeline_count + 1);
    if (!j->layouts) return diag_set(j->diag, ST_NO_MEMORY, "compiling");
    for (uint32_t i = 0; i < j->ir->pipeline_count && !j->failed; i++)
        pipeline(j, i, samples ? samples[i] : STR_NONE);
    if (j->failed) return j->failed;
    drop_unused(j);
    char *text = NULL;
    if (LLVMVerifyModule(j->module, LLVMReturnStatusAction, &text))
        return text_failed(j->diag, text, "its own check");
    LLVMDisposeMessage(text);
    return ST_OK;
}

/* ---- linking ---- */

static void jit_free(JitCode *code)
{
    Made *made = (Made *)code; /* its first member */
    if (!made) return;
    if (made->lljit) {
        LLVMErrorRef error = LLVMOrcDisposeLLJIT(made->lljit);
        if (error) LLVMConsumeError(error);
    }
    mem_free(made);
}

#define LIBRARY(X) X(memcpy) X(memmove) X(memset) X(memcmp) X(bcmp) X(memchr)
/* All that code may call besides the runtime's table, and the tables it reads. */
MUST static Status define_symbols(LLVMOrcLLJITRef lljit, const Jit *j, Diag *diag)
{
    static const struct {
        const char *name;
        void (*at)(void);
    } list[] = {
#define SYMBOL(name) {#name, (void (*)(void))name},
        LIBRARY(SYMBOL) NATIVE(SYMBOL)
#undef SYMBOL
    };
    size_t count = COUNT_OF(list) + j->table_count;
    LLVMJITCSymbolMapPair *pairs = arena_many(j->arena, LLVMJITCSymbolMapPair, count);
    if (!pairs) return diag_set(diag, ST_NO_MEMORY, "compiling");
    for (uint32_t i = 0; i < j->table_count; i++) {
        char name[JIT_NAME_BYTES];
        (void)snprintf(name, sizeof name, "table_%u", i);
        LLVMJITCSymbolMapPair *pair = &pairs[COUNT_OF(list) + i];
        pair->Name = LLVMOrcLLJITMangleAndIntern(lljit, name);
        pair->Sym = (LLVMJITEvaluatedSymbol){(LLVMOrcJITTargetAddress)(uintptr_t)j->tables[i],
                                             {LLVMJITSymbolGenericFlagsExported, 0}};
    }
    for (size_t i = 0; i < COUNT_OF(list); i++) {
        pairs[i].Name = LLVMOrcLLJITMangleAndIntern(lljit, list[i].name);
        pairs[i].Sym = (LLVMJITEvaluatedSymbol){
            (LLVMOrcJITTargetAddress)(uintptr_t)list[i].at,
            {LLVMJITSymbolGenericFlagsExported | LLVMJITSymbolGenericFlagsCallable, 0}};
    }
    LLVMErrorRef error = LLVMOrcJITDylibDefine(LLVMOrcLLJITGetMainJITDylib(lljit),
                                               LLVMOrcAbsoluteSymbols(pairs, count));
    return error ? llvm_failed(diag, error, "its symbols") : ST_OK;
}

MUST static Status lookup(LLVMOrcLLJITRef lljit, const char *prefix, uint32_t index,
                          uintptr_t *ret_at, Diag *diag)
{
    char name[JIT_NAME_BYTES];
    LLVMOrcJITTargetAddress at;
    (void)snprintf(name, sizeof name, index == NO_INDEX ? "%s" : "%s_%u", prefix, index);
    LLVMErrorRef error = LLVMOrcLLJITLookup(lljit, &at, name);
    if (error) return llvm_failed(diag, error, name);
    *ret_at = (uintptr_t)at;
    return ST_OK;
}

MUST static Status entries(Made *made, uint32_t count, Diag *diag)
{
    uintptr_t at;
    Status st = lookup(made->lljit, "jit_bind", NO_INDEX, &at, diag);
    if (!st) made->code.bind = (void (*)(const RtApi *))at;
    for (uint32_t i = 0; !st && i < count; i++) {
        st = lookup(made->lljit, "feed", i, &at, diag);
        if (!st) made->entries[i].feed = (void (*)(RtPipe *, const RtBatch *))at;
        if (!st) st = lookup(made->lljit, "row", i, &at, diag);
        if (!st) made->entries[i].row = (void (*)(RtPipe *, u32, const RtWindowRow *))at;
        if (!st) st = lookup(made->lljit, "run", i, &at, diag);
        if (!st) made->entries[i].run = (void (*)(RtPipe *, u32, const RtValue *, const u8 *))at;
    }
    return st;
}

/* Takes `object`. */
MUST static Status link(LLVMMemoryBufferRef object, LLVMTargetMachineRef with, const Jit *j,
                        Made **ret_made)
{
    uint32_t count = j->ir->pipeline_count;
    Diag *diag = j->diag;
    Made *made = mem_zalloc(1, sizeof *made + count * sizeof(JitEntry));
    if (!made) {
        LLVMDisposeMemoryBuffer(object);
        LLVMDisposeTargetMachine(with);
        return diag_set(diag, ST_NO_MEMORY, "compiling");
    }
    made->code.pipelines = made->entries;
    made->code.cost.code_bytes = (uint32_t)LLVMGetBufferSize(object);
    LLVMOrcLLJITBuilderRef builder = LLVMOrcCreateLLJITBuilder();
    LLVMOrcLLJITBuilderSetJITTargetMachineBuilder(
        builder, LLVMOrcJITTargetMachineBuilderCreateFromTargetMachine(with));
    LLVMErrorRef error = LLVMOrcCreateLLJIT(&made->lljit, builder);
    Status st = error ? llvm_failed(diag, error, "its start") : ST_OK;
    if (!st) st = define_symbols(made->lljit, j, diag);
    if (!st) {
        error = LLVMOrcLLJITAddObjectFile(made->lljit, LLVMOrcLLJITGetMainJITDylib(made->lljit),
                                          object);
        if (error) st = llvm_failed(diag, error, "loading");
    } else {
        LLVMDisposeMemoryBuffer(object);
    }
    if (!st) st = entries(made, count, diag);
    if (!st)
        *ret_made = made;
    else
        jit_free(&made->code);
    return st;
}

/* ---- the whole ---- */

static uint32_t lap(struct timespec *since)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t ns = (now.tv_sec - since->tv_sec) * (int64_t)1000000000 + now.tv_nsec - since->tv_nsec;
    *since = now;
    return (uint32_t)(ns / 1000);
}

static Str view(LLVMMemoryBufferRef bytes)
{
    return str_slice(LLVMGetBufferStart(bytes), LLVMGetBufferSize(bytes));
}

/* Passes and code generation. */
MUST static Status generate(Jit *j, LLVMTargetMachineRef with, struct timespec *clock,
                            JitCost *cost, LLVMMemoryBufferRef *ret_object)
{
    char *text = NULL;
    LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
    LLVMErrorRef error = LLVMRunPasses(j->module, passes, with, options);
    LLVMDisposePassBuilderOptions(options);
    cost->pass_us = lap(clock);
    if (error) return llvm_failed(j->diag, error, "its passes");
    if (LLVMTargetMachineEmitToMemoryBuffer(with, j->module, LLVMObjectFile, &text, ret_object))
        return text_failed(j->diag, text, "code generation");
    cost->code_us = lap(clock);
    return ST_OK;
}

/* From the cache, or made and put there. */
MUST static Status object_of(Jit *j, const JitCache *cache, LLVMTargetMachineRef with,
                             struct timespec *clock, JitCost *cost, LLVMMemoryBufferRef *ret_object)
{
    if (!cache) return generate(j, with, clock, cost, ret_object);
    Str found;
    LLVMMemoryBufferRef module = LLVMWriteBitcodeToMemoryBuffer(j->module);
    Status st = ST_OK;
    cost->found = cache->find(cache->ctx, view(module), &found);
    if (cost->found) {
        *ret_object = LLVMCreateMemoryBufferWithMemoryRangeCopy(found.ptr, found.len, "object");
    } else {
        st = generate(j, with, clock, cost, ret_object);
        if (!st) cache->keep(cache->ctx, view(module), view(*ret_object));
    }
    LLVMDisposeMemoryBuffer(module);
    return st;
}

MUST static Status compile_in(Jit *j, const Str *samples, const JitCache *cache, Made **ret_made)
{
    struct timespec clock;
    JitCost cost = {0};
    LLVMMemoryBufferRef object = NULL;
    (void)clock_gettime(CLOCK_MONOTONIC, &clock);
    Status st = build(j, samples);
    cost.build_us = lap(&clock);
    LLVMTargetMachineRef with = machine();
    if (!st) st = object_of(j, cache, with, &clock, &cost, &object);
    if (st) {
        LLVMDisposeTargetMachine(with);
        return st;
    }
    st = link(object, with, j, ret_made);
    if (st) return st;
    cost.link_us = lap(&clock);
    cost.code_bytes = (*ret_made)->code.cost.code_bytes;
    (*ret_made)->code.cost = cost;
    for (uint32_t i = 0; i < j->ir->pipeline_count; i++)
        (*ret_made)->entries[i].layout_count = j->layouts[i];
    return ST_OK;
}

MUST static Status jit_compile(const IrProgram *program, const Linked *linked, const Str *samples,
                               JitSpeed speed, const JitCache *cache, JitCode **ret_code,
                               Diag *diag)
{
    (void)pthread_once(&once, start);
    if (!target) return diag_set(diag, ST_UNSUPPORTED, "LLVM does not know this machine");
    Made *made = NULL;
    Jit j = {.ir = program, .linked = linked, .quick = speed == JIT_QUICK, .diag = diag};
    j.arena = arena_new(64 << 10, 256 << 20);
    if (!j.arena) return diag_set(diag, ST_NO_MEMORY, "compiling");
    buf_init(&j.literal, 1 << 20);
    j.context = LLVMContextCreate();
    j.builder = LLVMCreateBuilderInContext(j.context);
    j.locals = LLVMCreateBuilderInContext(j.context);
    Status st = compile_in(&j, samples, cache, &made);
    LLVMDisposeBuilder(j.locals);
    LLVMDisposeBuilder(j.builder);
    if (j.module) LLVMDisposeModule(j.module);
    LLVMContextDispose(j.context);
    buf_done(&j.literal);
    arena_free(j.arena);
    if (!st) *ret_code = &made->code;
    return st;
}

extern const JitPlugin tutti_jit;
__attribute__((visibility("default"))) const JitPlugin tutti_jit = {
    .build = JIT_BUILD, .llvm = LLVM_VERSION_STRING, .compile = jit_compile, .free = jit_free};
