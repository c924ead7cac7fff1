/* compiler/emit_c/emit_int.h: what the files of this folder share. */
#ifndef TUTTI_COMPILER_EMIT_C_EMIT_INT_H
#define TUTTI_COMPILER_EMIT_C_EMIT_INT_H

#include "compiler/emit_c/emit.h"

enum { EMIT_TRY_MAX = 32, EMIT_KEYS_MAX = 16, EMIT_ARM_MAX = 256, EMIT_GROUP_DEPTH = 100 };

typedef struct Emit {
    const IrProgram *ir;
    const IrPipeline *pipeline;
    uint32_t index; /* of the pipeline: suffix of its names */
    Buf *out;
    Arena *arena;
    Buf literal; /* constant bytes of a row not yet written */
    const IrStage *stage;
    uint32_t stage_index;
    uint32_t tries[EMIT_TRY_MAX], try_count, labels;
    uint32_t arms[EMIT_ARM_MAX], arm_count; /* labels behind the open arms of splits */
    uint32_t line, line_file;               /* of the last #line */
    uint32_t group;                         /* of sources, being written */
    const IrLeaf *leaves;                   /* of the group's schema */
    uint32_t leaf_count;
    bool *needed;  /* leaves some code reads (all with check strict) */
    uint32_t bets; /* values of layouts whose length is bet on */
    bool asks;     /* the code at hand is a filter's: what fails is kept */
    Status failed;
    Diag *diag;
} Emit;

void emit_f(Emit *e, const char *format, ...) PRINTF_LIKE(2, 3);
/* A C string literal, quotes and all. */
void emit_literal(Emit *e, Str text);
/* Notes the first failure. */
void emit_fail(Emit *e, Status status, const char *format, ...) PRINTF_LIKE(3, 4);
const char *emit_ctype(IrType type);
bool emit_is_text(IrType type);
bool emit_is_slice(IrType type); /* text, a list or an item: RtText in C */
/* Member of RtValue that holds the type: "i", "u", "d" or "s". */
const char *emit_member(IrType type);

/* stage.c: the function of one stage. */
void emit_stage(Emit *e, uint32_t index);
/* `keeps_PIPELINE`: whether stage 0 will keep the record, by the leaves that are early. */
void emit_filter(Emit *e);
/* Name of a register in C; valid until 16 calls later. */
const char *emit_reg(Emit *e, uint32_t reg);
/* `what` is a RtReason's C name; leaves the record by the error route or to the CATCH around. */
void emit_leave(Emit *e, uint32_t node, const char *reason, Str field, Str name);
/* streams.c: EACH, LOOKUP, REMEMBER, RECALL; the tables of joins and of files. */
void emit_each(Emit *e, const IrIns *ins);
void emit_join(Emit *e, const IrIns *ins);
void emit_joins(Emit *e);
void emit_file_tables(Emit *e);
/* row.c: EMIT and the row arrays of taps, late stages and CSV. */
void emit_row(Emit *e, const IrIns *ins);
void emit_arrays(Emit *e, const uint32_t *pairs, uint32_t count);
/* list.c: operations on lists and items. */
void emit_list(Emit *e, const IrIns *ins);
/* The same for a failure of `ins` without field or name, and a line end. */
void emit_leave_ins(Emit *e, const IrIns *ins, const char *reason);
bool emit_is_float(IrType type);
void emit_names(Emit *e, const IrEnum *names); /* `(const char *const[]){...}` or 0 */
/* window.c: slots, tables of windows, WINDOW and CLOCK. */
void emit_slots(Emit *e);
void emit_windows(Emit *e);
void emit_window(Emit *e, const IrIns *ins);
void emit_clock(Emit *e, const IrIns *ins);
/* state.c: tables and calls of memories. */
void emit_mems(Emit *e);
void emit_mem(Emit *e, const IrIns *ins);
/* layout.c: one function per learnt layout, `learnt_PIPELINE_NUMBER`; returns how many. */
uint32_t emit_layouts(Emit *e, Str sample);
/* feed.c: the loop over a batch, with the decoders of the source's records. */
void emit_feed(Emit *e, uint32_t stage, Str sample);
/* Tries them at p: sets `next`, and opens the block for a record that fits one. */
void emit_try_layouts(Emit *e, uint32_t count);
/* share.c: decoders of several pipelines in one, and their table `shares`. */
void emit_shares(Emit *e, const Str *samples);
/* The source group whose records `stage` takes is the one at hand from here on. */
bool emit_group(Emit *e, uint32_t stage);
/* table.c: schemas and the tables of a pipeline and of the program. */
void emit_schemas(Emit *e);
void emit_tables(Emit *e);
/* `schema_in_N_D_0`, D = group * EMIT_GROUP_DEPTH: what a source group reads. */
void emit_in_schema(Emit *e, uint32_t group, uint32_t schema);
void emit_options(Emit *e, const IrOption *list, uint32_t count);

#endif
