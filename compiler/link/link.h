/* compiler/link/link.h: a program's tables, built in memory.
 *
 * What emit_c writes as constant C tables (schemas, sources, sinks, nodes, wires, windows,
 * connections), the interpreter and the JIT have here: an RtProgram in an arena. An engine fills in
 * what runs:
 *
 *     Status st = link_program(ir, arena, &linked, &diag);
 *     linked->pipelines[i].feed = ...; .row = ...; .code = ...;
 *     flow_program_static(&linked->program, ...);
 *
 * and keeps the arena as long as the program. The tables are those of a compiled .so, member by
 * member: tests/link compares the two over every example. */
#ifndef TUTTI_COMPILER_LINK_LINK_H
#define TUTTI_COMPILER_LINK_LINK_H

#include "compiler/ir/ir.h"
#include "flow/abi.h"

typedef struct Linked {
    RtProgram program;         /* .bind does nothing; an engine may set its own */
    RtPipelineInfo *pipelines; /* program.pipelines, to be completed: feed, row, code */
    const RtSchema **schemas;  /* by index of IrProgram.schemas: leaves numbered from 0 */
    uint32_t schema_count;
    const RtSchema ***groups; /* by pipeline and source group: what is read; [0] is info->in */
    RtShare *shares;          /* program.shares, to be completed: feed */
    const RtSchema **shared_schemas; /* what each of them reads */
} Linked;

/* Everything is copied into `arena`; ST_NO_MEMORY when that is full. */
MUST Status link_program(const IrProgram *ir, Arena *arena, Linked **ret_linked, Diag *diag);

/* Bytes of one aggregate's state in a slot, the text behind it included. */
uint32_t link_agg_bytes(const RtAggInfo *agg);

#endif
