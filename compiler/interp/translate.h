/* compiler/interp/translate.h: what the parts of the translator share.
 *
 * One walk over the instructions of a stage makes its steps. Registers get columns by a linear
 * scan: a column is given back after the last instruction that reads its register, unless an effect
 * does (effects run when all steps are done, so their operands must stay). Registers written once
 * by FIELD, HAS, CONST or MOVE have no column of their own: they are names of another one. */
#ifndef TUTTI_COMPILER_INTERP_TRANSLATE_H
#define TUTTI_COMPILER_INTERP_TRANSLATE_H

#include "compiler/interp/interp_int.h"

enum { CONTROL_MAX = 256, FREE_MAX = 1024 };

typedef struct Reg {
    uint32_t defs, last_def, last_use;
    uint32_t root; /* the register whose column this one uses; itself */
    uint32_t column;
    bool pinned; /* an effect reads it */
    bool shared; /* the column is a leaf's or a constant's: never given back */
} Reg;

typedef struct Control { /* an open IF, TRY or ARM */
    IrOp op;
    uint32_t before, first; /* masks */
    uint32_t caught;        /* TRY */
    uint32_t level;         /* of `live`, TRY and ARM */
    uint32_t wait; /* step + 1 of the last one that wants to jump to the next boundary; each
                    * holds the one before in its target */
} Control;

typedef struct FreeList {
    uint32_t column[FREE_MAX], count;
} FreeList;

typedef struct Translate {
    const IrProgram *ir;
    const IrPipeline *pipeline;
    const RtPipelineInfo *info;
    const RtSchema *const *schemas;
    const IrStage *stage;
    Arena *arena;
    Diag *diag;
    Status failed;
    Code *code;
    Reg *regs;
    FreeList free[4]; /* by bytes of a value: 1, 4, 8, 16 */
    uint32_t bytes, lanes;
    uint32_t result; /* a register that is read when all steps are done, or NO_REG */
    Step *steps;
    uint32_t step_count, step_cap;
    Effect *effects, *passes;
    uint32_t effect_count, pass_count;
    uint32_t *notes, note_count;
    Input *inputs;
    uint32_t input_count;
    Constant *constants;
    uint32_t constant_count;
    uint32_t *leaf_input; /* of each leaf: index of its input + 1 */
    Control control[CONTROL_MAX];
    uint32_t depth, level, level_max;
    uint32_t wait; /* as in Control, for the end of the code */
    uint32_t at;   /* the instruction at hand */
    Place time;    /* event time of the record, behind WATERMARK */
    bool may_end;  /* an effect stands before that may fail */
} Translate;

void interp__refuse(Translate *t, Status status, const char *format, ...) PRINTF_LIKE(3, 4);
void *interp__alloc(Translate *t, size_t count, size_t bytes);

/* columns.c */
void interp__find_lives(Translate *t);
uint32_t interp__column_new(Translate *t, uint32_t value_bytes);
/* One that was nobody's before and is never given back: filled before the steps run (inputs,
 * constants), or read when they have run (masks and operands of effects). */
uint32_t interp__column_own(Translate *t, uint32_t value_bytes);
void interp__column_give(Translate *t, uint32_t column, uint32_t value_bytes);
/* Where the value of a register lies; NO_REG: nowhere. */
Place interp__place(Translate *t, uint32_t reg);
uint32_t interp__column(Translate *t, uint32_t reg);
/* A column for a register about to be written. */
uint32_t interp__column_of(Translate *t, uint32_t reg);
/* Gives back the columns of registers that the instruction at hand was the last to read. */
void interp__release(Translate *t, const IrIns *ins);
/* Input of a leaf, made when it is not there yet. */
const Input *interp__input(Translate *t, uint32_t leaf);

/* translate.c */
Step *interp__step(Translate *t, StepFn *run, const IrIns *ins);

/* lists.c: LIST_OF ... LIST_AGG, MEM, LOOKUP and RECALL */
void interp__list(Translate *t, const IrIns *ins);
void interp__memory(Translate *t, const IrIns *ins);
void interp__find(Translate *t, const IrIns *ins);

/* Column to write the result to: the register's own, or one that is moved there for active lanes
 * only, because other lanes have the register's value from another arm. */
typedef struct Result {
    uint32_t column, own;
    Cell cell;
} Result;

Result interp__result_begin(Translate *t, uint32_t reg);
void interp__result_end(Translate *t, const IrIns *ins, Result r);

/* stream.c: PASS, WATERMARK, WINDOW, EACH, EMIT */
void interp__stream(Translate *t, const IrIns *ins);

#endif
