/* compiler/ir/facts.h: what the tables of a program say about its IR, for every back end.
 *
 * A program is the same tables whether they are printed as C (emit_c/table.c) or built in memory
 * (link/): options are JSON text, state moves by the hash of its layout. Such facts are computed
 * here, once. */
#ifndef TUTTI_COMPILER_IR_FACTS_H
#define TUTTI_COMPILER_IR_FACTS_H

#include "compiler/ir/ir.h"

/* Scalars of a schema, nested records flattened. */
uint32_t ir_leaf_count(const IrProgram *program, uint32_t schema);
/* Room of a row as JSON without its values: names, brackets, the names of enums. */
uint64_t ir_row_bytes(const IrProgram *program, uint32_t schema);
/* Number of a reason in the runtime's list (RtReason of flow/abi.h): from 1, named ones last. */
uint32_t ir_reason_number(Str reason);
/* A file or standard input: ends by itself. */
bool ir_source_bounded(const IrSource *source);
/* True when error records may go there: no schema, or named by `on error`. */
bool ir_sink_takes_errors(const IrPipeline *pipeline, uint32_t sink);
/* "" for FORMAT_NONE. */
const char *ir_format_name(IrFormat format);

/* Buckets of a sketch: each power of two is cut into 1 << bits parts, so that a bucket's middle is
 * within `within` of every value in it. */
unsigned ir_sketch_bits(double within);
/* Registers of a DISTINCT: 1 << bits, so that three standard errors are within `within`. */
unsigned ir_distinct_bits(double within);
/* Of the two above, the one of this aggregate; else 0. */
unsigned ir_agg_bits(const IrAgg *agg);
/* Keeps text behind its state: min, max, first and last of text. */
bool ir_agg_holds_text(const IrAgg *agg);
/* How much of it; `out` is the aggregate's leaf. */
uint32_t ir_agg_text_max(const IrAgg *agg, const IrField *out);
/* Records may be added by the inlined code of the classical aggregates; all others go through
 * RtApi.window_add. */
bool ir_window_plain(const IrWindow *window);
/* Of a plain window: adding to it can fail, with a sum that does not fit or for want of room. A
 * record is in all aggregates or in none: all but the last of these are asked before any is added
 * to, the last one is added to first, and then the others. */
bool ir_agg_can_fail(const IrAgg *agg);
uint32_t ir_last_to_fail(const IrWindow *window); /* index of an aggregate, or NO_INDEX */
/* A text or an enum that is missing reads as empty, as the first: `t exists and t == "x"` looks at
 * both sides. Not the answer of an `ask`: a missing one has an item without values (flow/ask.h). */
bool ir_reads_empty(const IrStage *stage, uint32_t leaf);
/* Some records of the stage go on in one from IR_FROM_ASK, which counts them. */
bool ir_stage_asks(const IrPipeline *pipeline, const IrStage *stage);
/* Hash of whatever must be equal for a window's saved state to fit. */
uint64_t ir_window_layout(const IrWindow *window);
/* The same of a memory. */
uint64_t ir_mem_layout(const IrMem *mem);
/* RT_MEM_RESETS and so on. */
unsigned ir_mem_flags(const IrMem *mem);
/* Text a MEM_PREV keeps, or the size of a MEM_CELL. */
uint32_t ir_mem_bytes_max(const IrMem *mem);
/* The program's tables that the pipeline looks into, ascending; room for table_count. */
uint32_t ir_tables_of(const IrProgram *program, const IrPipeline *pipeline, uint32_t *list);
/* The same of a row, mixed into `h`, and of what a join keeps. */
uint64_t ir_schema_layout(const IrProgram *program, uint32_t schema, uint64_t h);
uint64_t ir_join_layout(const IrProgram *program, const IrJoin *join);
/* The source of a group whose `check` and `unknown` say what its schema marks as needed and how
 * learnt layouts read. Sources of the group with other options are read in any order. */
const IrSource *ir_group_source(const IrPipeline *pipeline, uint32_t group);
/* Does any stage ask for meta.headers? */
bool ir_reads_headers(const IrPipeline *pipeline);
/* False: its options are those of its group's source. */
bool ir_source_differs(const IrPipeline *pipeline, const IrSource *source);
bool ir_group_mixed(const IrPipeline *pipeline, uint32_t group); /* some source differs */
/* Options as a JSON object; `map` (a register map, or NULL) adds its members in front. */
void ir_put_options(Buf *out, const IrOption *list, uint32_t count, const IrMap *map);
/* `key (...)` of a sink as a JSON list of leaf paths. `arena` is for scratch. */
MUST Status ir_put_keys(Buf *out, const IrProgram *program, const IrSink *sink, Arena *arena);

#endif
