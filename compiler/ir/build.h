/* compiler/ir/build.h: appends code to a stage.
 *
 * A builder grows one stage's lists. `alloc` is the caller's allocator and never returns NULL (the
 * checker leaves by its one door when memory ends), so nothing here fails; lists that were outgrown
 * go back to it by `release`. */
#ifndef TUTTI_COMPILER_IR_BUILD_H
#define TUTTI_COMPILER_IR_BUILD_H

#include "compiler/ir/ir.h"

/* Nesting stays below what C compilers take (clang: 256 brackets). */
enum { IR_CODE_MAX = 40000, IR_REGS_MAX = 40000, IR_NEST_MAX = 220 };

typedef struct IrBuilder {
    IrStage *stage;
    void *(*alloc)(void *ctx, size_t count, size_t bytes);
    void (*release)(void *ctx, void *list); /* accepts NULL */
    void (*full)(void *ctx);                /* over one of the limits: does not return */
    void *ctx;
    uint32_t reg_cap, code_cap, pool_cap;
    uint32_t depth; /* open IFs, TRYs and ARMs */
    uint32_t node;  /* of the next instructions */
    Str field;      /* whose value they make, or empty */
    Span span;
} IrBuilder;

uint32_t build_reg(IrBuilder *b, IrReg reg);
uint32_t build_temp(IrBuilder *b, IrType type);
/* The instruction, to fill in further; valid until the next call. */
IrIns *build_ins(IrBuilder *b, IrOp op, uint32_t dst, uint32_t a, uint32_t b2);
IrIns *build_list(IrBuilder *b, IrOp op, uint32_t dst, const uint32_t *args, uint32_t count);

#endif
