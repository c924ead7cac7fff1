/* compiler/emit_llvm/jit_int.h: what the files of the plug-in share.
 *
 * The builder makes four things only: locals, constants, branches and calls of the functions of
 * bitcode/ops.c by name. A register of the IR is a local in the function's first block (SROA turns
 * it into values), so code that writes one register in two arms of an IF needs no phi here. */
#ifndef TUTTI_COMPILER_EMIT_LLVM_JIT_INT_H
#define TUTTI_COMPILER_EMIT_LLVM_JIT_INT_H

#include "base/arena.h"
#include "base/buf.h"
#include "compiler/emit_llvm/jit.h"
#include "compiler/ir/ir.h"
#include "compiler/layout/layout.h"
#include "compiler/link/link.h"

#include <llvm-c/Core.h>
#include <llvm-c/TargetMachine.h>

enum { JIT_TRY_MAX = 32, JIT_ARM_MAX = 256, JIT_NAME_BYTES = 64 };

/* How a register is held and a value passed. */
typedef enum JitKind {
    JIT_BOOL,
    JIT_I32,
    JIT_I64,
    JIT_U32,
    JIT_U64,
    JIT_F32,
    JIT_F64,
    JIT_SLICE
} JitKind;

typedef struct JitTypes {
    LLVMTypeRef i1, i8, i16, i32, i64, f32, f64, nothing;
    LLVMTypeRef bytes;                     /* i8* */
    LLVMTypeRef text, value;               /* RtText, RtValue */
    LLVMTypeRef pipe, values, batch, rows; /* RtPipe *, RtValue *, RtBatch *, RtWindowRow * */
    LLVMTypeRef stage, keeps, learnt, feed, row, run; /* functions */
} JitTypes;

/* What other functions than its own call of a compiled pipeline; `keeps` may be NULL. */
typedef struct JitMade {
    LLVMValueRef stage, keeps;
} JitMade;

typedef struct Jit {
    const IrProgram *ir;
    const Linked *linked;
    const IrPipeline *pipeline;
    const RtPipelineInfo *info;
    uint32_t index; /* of the pipeline: suffix of its names; behind all: of a share */
    JitMade *made;  /* by pipeline */
    bool quick;
    const IrStage *stage;
    uint32_t stage_index;
    LLVMContextRef context;
    LLVMModuleRef module;
    LLVMBuilderRef builder, locals; /* `locals` stands in the first block */
    JitTypes type;
    LLVMValueRef seldom; /* branch weights */
    unsigned seldom_kind;
    LLVMValueRef function;
    LLVMValueRef pipe, v, h, source; /* parameters of the function at hand */
    LLVMBasicBlockRef first, body;
    LLVMValueRef *regs;        /* of the stage at hand */
    uint32_t *leaf_of;         /* of a register written once, from a leaf; else NO_INDEX */
    bool *written, *leaf_read; /* registers; leaves */
    LLVMValueRef row_v, row_h; /* arrays for rows and arguments that are handed on */
    LLVMValueRef done, w, why, wires, watch;
    LLVMBasicBlockRef tries[JIT_TRY_MAX];
    uint32_t try_count;
    LLVMBasicBlockRef arms[JIT_ARM_MAX], end; /* behind the open arms of splits; of the stage */
    uint32_t arm_count;
    LLVMValueRef *stages; /* functions of this pipeline */
    LLVMValueRef keeps;   /* its filter's, or NULL */
    bool asks;            /* the code at hand is the filter's: what fails is kept */
    uint32_t bets;        /* values of layouts whose length is bet on */
    Buf literal;          /* constant bytes of a row not yet written */
    Arena *arena;
    Status failed;
    Diag *diag;
} Jit;

/* ---- jit.c ---- */
/* For LLVM's own linker; NULL: LLVM does not know this machine. */
LLVMTargetMachineRef jit_machine_far(void);

/* ---- orc.c: members of JitPlugin ---- */
MUST Status jit_link(Str object, const JitSymbol *symbols, uint32_t count, JitLinked **ret_linked,
                     Diag *diag);
const void *jit_find(JitLinked *linked, const char *name);
void jit_unlink(JitLinked *linked);

/* ---- build.c ---- */
void jit_fail(Jit *j, Status status, const char *format, ...) PRINTF_LIKE(3, 4);
void jit_types(Jit *j);
/* Opens a function for building; closes it again. */
void jit_function(Jit *j, LLVMValueRef function);
void jit_function_end(Jit *j);
/* A function of this module with internal linkage, or visible under its name. */
LLVMValueRef jit_declare(Jit *j, LLVMTypeRef type, bool visible, const char *format, ...)
    PRINTF_LIKE(4, 5);
/* Put where it is called from. */
void jit_inline(Jit *j, LLVMValueRef function);
LLVMValueRef jit_local(Jit *j, LLVMTypeRef type);
LLVMValueRef jit_local_many(Jit *j, LLVMTypeRef type, uint32_t count);
LLVMValueRef jit_i32(Jit *j, uint64_t value);
LLVMValueRef jit_i64(Jit *j, uint64_t value);
LLVMValueRef jit_f64(Jit *j, double value);
LLVMValueRef jit_bool(Jit *j, bool value);
LLVMValueRef jit_null(Jit *j);
/* A private constant of the module: a pointer to it. */
LLVMValueRef jit_constant(Jit *j, LLVMValueRef value);
/* Constant bytes with a NUL behind them; an i8 pointer. NULL pointer for an empty text: jit_name.
 */
LLVMValueRef jit_bytes(Jit *j, Str text);
LLVMValueRef jit_name(Jit *j, Str text);
/* Tables of compiler/link: the schema of what a group of sources reads, a field of the main
 * stream's records, the schema of an item or a row: constant addresses. */
LLVMValueRef jit_in_schema(Jit *j, uint32_t group);
LLVMValueRef jit_read_schema(Jit *j, uint32_t pipeline, uint32_t group);
LLVMValueRef jit_field(Jit *j, uint32_t leaf);
LLVMValueRef jit_schema(Jit *j, uint32_t schema);
/* Constant array of RtText. */
LLVMValueRef jit_texts(Jit *j, const Str *list, uint32_t count);
/* Calls a function of ops.c; pointers are cast as it wants them. The result may be void. */
LLVMValueRef jit_call(Jit *j, const char *name, LLVMValueRef *args, unsigned count);
#define CALL(j, name, ...)                                                                         \
    jit_call(j, name, (LLVMValueRef[]){__VA_ARGS__},                                               \
             sizeof((LLVMValueRef[]){__VA_ARGS__}) / sizeof(LLVMValueRef))
/* "op_add_" + "i64"; valid until 8 calls later. */
const char *jit_op(const char *prefix, const char *suffix);
LLVMValueRef jit_load(Jit *j, LLVMValueRef pointer);
void jit_store(Jit *j, LLVMValueRef value, LLVMValueRef pointer);
/* pointer + index, in elements */
LLVMValueRef jit_at(Jit *j, LLVMValueRef pointer, uint64_t index);
LLVMBasicBlockRef jit_block(Jit *j);
void jit_goto(Jit *j, LLVMBasicBlockRef block);
void jit_goto_if(Jit *j, LLVMValueRef condition, LLVMBasicBlockRef yes, LLVMBasicBlockRef no);
/* The same where `yes` is seldom taken. */
void jit_goto_if_rare(Jit *j, LLVMValueRef condition, LLVMBasicBlockRef yes, LLVMBasicBlockRef no);
/* Goes on building at the end of the block. */
void jit_in(Jit *j, LLVMBasicBlockRef block);
void jit_return(Jit *j);

/* ---- reg.c ---- */
JitKind jit_kind(IrType type);
bool jit_is_slice(IrType type); /* p and n: texts, lists, items */
bool jit_is_text(IrType type);
bool jit_is_float(IrType type);
const char *jit_suffix(IrType type); /* i32 i64 u32 u64 f32 f64 */
/* i64 u64 f64: the kinds of aggregates and writers */
const char *jit_wide_suffix(IrType type);
LLVMTypeRef jit_reg_type(Jit *j, IrType type);
const IrReg *jit_reg(const Jit *j, uint32_t reg);
LLVMValueRef jit_get(Jit *j, uint32_t reg);               /* slices: a pointer to it */
LLVMValueRef jit_get_wide(Jit *j, uint32_t reg);          /* as i64, or double */
LLVMValueRef jit_get_has(Jit *j, uint32_t reg);           /* NO_REG: true */
void jit_set(Jit *j, uint32_t reg, LLVMValueRef value);   /* slices: copied from a pointer */
LLVMValueRef jit_ptr(const Jit *j, uint32_t reg);         /* where it is */
void jit_to_value(Jit *j, uint32_t reg, LLVMValueRef to); /* into an RtValue */
void jit_from_value(Jit *j, uint32_t reg, LLVMValueRef from);
/* row_h[index] */
void jit_set_has(Jit *j, uint32_t index, LLVMValueRef has);
/* Fills row_v and row_h from `at` on. */
void jit_arrays_at(Jit *j, const uint32_t *pairs, uint32_t count, uint32_t at);
void jit_arrays(Jit *j, const uint32_t *pairs, uint32_t count);

/* ---- leaving a record ---- stage.c */
/* `reason` is an i32. Afterwards building goes on in a block that nothing reaches. */
void jit_leave(Jit *j, uint32_t node, LLVMValueRef reason, Str field, Str name);
/* Leaves when `failed` holds. */
void jit_leave_if(Jit *j, const IrIns *ins, LLVMValueRef failed, uint32_t reason);
void jit_leave_if_why(Jit *j, const IrIns *ins, LLVMValueRef why);
void jit_stage(Jit *j, uint32_t index);
/* Whether stage 0 will keep a record, by the leaves that are early. */
void jit_filter(Jit *j);
/* ---- value.c: operations on values ---- */
void jit_value_ins(Jit *j, const IrIns *ins);
/* ---- streams.c ---- */
void jit_each(Jit *j, const IrIns *ins);
void jit_join(Jit *j, const IrIns *ins);
/* ---- list.c ---- */
void jit_list(Jit *j, const IrIns *ins);
/* ---- state.c: what remembers ---- */
void jit_mem(Jit *j, const IrIns *ins);
void jit_window(Jit *j, const IrIns *ins);
void jit_clock(Jit *j, const IrIns *ins);
/* ---- row.c ---- */
void jit_row(Jit *j, const IrIns *ins);
/* ---- layout.c: a function of type `learnt` ---- */
LLVMValueRef jit_layout(Jit *j, const Layout *layout, const IrLeaf *leaves, const bool *needed,
                        uint32_t leaf_count, uint32_t serial);
/* ---- feed.c: the functions of a pipeline that others call ---- */
/* A loop over batches: one of loop.h. */
typedef struct JitLoop {
    uint32_t stage, group, leaves, layouts;
    LLVMValueRef learnt[RT_LAYOUTS]; /* decoders; NULL pointers behind the last */
    bool near;                       /* the loop is inlined, and decoders and stage behind it */
} JitLoop;
/* Decoders of the learnt layouts of the main stream; those of joins are read in any order: they are
 * slow ones, and a learnt layout is code. Returns how many they are; `needed` may be NULL. */
uint32_t jit_decoders(Jit *j, const bool *needed, Str sample, LLVMValueRef *learnt);
/* The filter's function where readers ask it, or a NULL pointer. */
LLVMValueRef jit_asked(Jit *j, const IrSource *source, LLVMValueRef keeps);
/* A JitFeed. Where the loop is inlined it names no functions, so that those are not compiled by
 * themselves too. `stage`: NULL where others say whose. */
LLVMValueRef jit_loop_constants(Jit *j, JitLoop *loop, LLVMValueRef stage);
void jit_feed(Jit *j, Str sample);
void jit_rows(Jit *j);
void jit_run(Jit *j);
/* ---- share.c: after all pipelines ---- */
void jit_share(Jit *j, uint32_t number, Str sample);

#endif
