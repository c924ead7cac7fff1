/* compiler/emit_llvm/jit.c: the plug-in: a checked program to an object.
 *
 * One compilation is one LLVM context, one module (a copy of the embedded bitcode, to which the
 * program's functions are added), one object. The module holds no address: tables and functions
 * outside are symbols, which object.c knows. So an object serves in any process.
 *
 * The passes are few: inlining of what is marked so, SROA, early CSE, threading of jumps (a
 * reader's "failed" is tested where it is known), simplified control flow, then the cheap code
 * generator, or for quick code the cheapest. The functions of the bitcode have been through clang
 * -O2 already. */
#include "compiler/emit_llvm/jit_int.h"

#include <llvm-c/Analysis.h>
#include <llvm-c/BitReader.h>
#include <llvm-c/Error.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>
#include <llvm-c/Transforms/PassBuilder.h>
#include <llvm/Config/llvm-config.h>

#include <stdio.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

static const char passes[] = "always-inline,function(sroa,early-cse,jump-threading,simplifycfg)";

/* ops.c as bitcode, from the build. */
__asm__(".section .rodata\n.balign 16\njit_ops_begin:\n.incbin \"" JIT_OPS_FILE
        "\"\njit_ops_end:\n.previous\n");
extern const char jit_ops_begin[], jit_ops_end[];

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

/* The small code model: object.c puts all of an object beside each other. Code that is wanted soon
 * is selected instruction by instruction, in a third of the time. */
static LLVMTargetMachineRef machine(const char *cpu, bool quick, JitReach reach)
{
    return LLVMCreateTargetMachine(
        target, triple, "", cpu, quick ? LLVMCodeGenLevelNone : LLVMCodeGenLevelLess, LLVMRelocPIC,
        reach == JIT_FAR ? LLVMCodeModelJITDefault : LLVMCodeModelSmall);
}

LLVMTargetMachineRef jit_machine_far(void)
{
    (void)pthread_once(&once, start);
    return target ? machine("", false, JIT_FAR) : NULL;
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
    if (!j->failed) jit_feed(j, sample);
    if (!j->failed) jit_rows(j);
    if (!j->failed) jit_run(j);
    j->made[index] = (JitMade){j->stages[0], j->keeps};
}

MUST static Status build(Jit *j, const Str *samples)
{
    Status st = parse(j);
    if (st) return st;
    jit_types(j);
    j->made = arena_many(j->arena, JitMade, j->ir->pipeline_count + 1);
    if (!j->made) return diag_set(j->diag, ST_NO_MEMORY, "compiling");
    for (uint32_t i = 0; i < j->ir->pipeline_count && !j->failed; i++)
        pipeline(j, i, samples ? samples[i] : STR_NONE);
    for (uint32_t i = 0; i < j->ir->share_count && !j->failed; i++)
        jit_share(j, i, samples ? samples[j->ir->shares[i].pipelines[0]] : STR_NONE);
    if (j->failed) return j->failed;
    drop_unused(j);
    char *text = NULL;
    if (LLVMVerifyModule(j->module, LLVMReturnStatusAction, &text))
        return text_failed(j->diag, text, "its own check");
    LLVMDisposeMessage(text);
    return ST_OK;
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

/* Passes and code generation. */
MUST static Status generate(Jit *j, LLVMTargetMachineRef with, struct timespec *clock,
                            JitCost *cost, Buf *object)
{
    char *text = NULL;
    LLVMMemoryBufferRef made = NULL;
    LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
    LLVMErrorRef error = LLVMRunPasses(j->module, passes, with, options);
    LLVMDisposePassBuilderOptions(options);
    cost->pass_us = lap(clock);
    if (error) return llvm_failed(j->diag, error, "its passes");
    if (LLVMTargetMachineEmitToMemoryBuffer(with, j->module, LLVMObjectFile, &text, &made))
        return text_failed(j->diag, text, "code generation");
    buf_add(object, LLVMGetBufferStart(made), LLVMGetBufferSize(made));
    LLVMDisposeMemoryBuffer(made);
    cost->code_us = lap(clock);
    return buf_status(object) ? diag_set(j->diag, buf_status(object), "the object is too large")
                              : ST_OK;
}

MUST static Status compile_in(Jit *j, const Str *samples, JitReach reach, const char *cpu,
                              Buf *object, JitCost *cost)
{
    struct timespec clock;
    (void)clock_gettime(CLOCK_MONOTONIC, &clock);
    Status st = build(j, samples);
    cost->build_us = lap(&clock);
    if (st) return st;
    LLVMTargetMachineRef with = machine(cpu, j->quick, reach);
    st = generate(j, with, &clock, cost, object);
    LLVMDisposeTargetMachine(with);
    return st;
}

MUST static Status jit_compile(const IrProgram *program, const Linked *linked, const Str *samples,
                               JitSpeed speed, JitReach reach, const char *cpu, Buf *object,
                               JitCost *cost, Diag *diag)
{
    (void)pthread_once(&once, start);
    if (!target) return diag_set(diag, ST_UNSUPPORTED, "LLVM does not know this machine");
    Jit j = {.ir = program, .linked = linked, .quick = speed == JIT_QUICK, .diag = diag};
    JitCost unasked;
    j.arena = arena_new(64 << 10, 256 << 20);
    if (!j.arena) return diag_set(diag, ST_NO_MEMORY, "compiling");
    buf_init(&j.literal, 1 << 20);
    j.context = LLVMContextCreate();
    j.builder = LLVMCreateBuilderInContext(j.context);
    j.locals = LLVMCreateBuilderInContext(j.context);
    Status st = compile_in(&j, samples, reach, cpu, object, cost ? cost : &unasked);
    LLVMDisposeBuilder(j.locals);
    LLVMDisposeBuilder(j.builder);
    if (j.module) LLVMDisposeModule(j.module);
    LLVMContextDispose(j.context);
    buf_done(&j.literal);
    arena_free(j.arena);
    return st;
}

extern const JitPlugin tutti_jit;
__attribute__((visibility("default"))) const JitPlugin tutti_jit = {.build = JIT_BUILD,
                                                                    .llvm = LLVM_VERSION_STRING,
                                                                    .compile = jit_compile,
                                                                    .link = jit_link,
                                                                    .find = jit_find,
                                                                    .unlink = jit_unlink};
