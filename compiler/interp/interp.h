/* compiler/interp/interp.h: runs a program without compiling it.
 *
 * The typed batch interpreter: every instruction of a stage becomes one kernel that works on
 * columns of up to 256 records; what a record does to the world (rows, windows, errors) is then
 * replayed record by record, so that every sink gets the bytes of the other engines. Translating a
 * program takes microseconds. Results are held equal to the C engine by tests/suites/engines.sh and
 * by the generated programs of tests/gen. */
#ifndef TUTTI_COMPILER_INTERP_INTERP_H
#define TUTTI_COMPILER_INTERP_INTERP_H

#include "compiler/ir/ir.h"
#include "flow/abi.h"

/* The program as a table for flow_program_static. `ir`, its arena and `arena` (they may be one)
 * must live until the last instance is gone. ST_UNSUPPORTED with a text for what this engine cannot
 * do. */
MUST Status interp_program(const IrProgram *ir, Arena *arena, const RtProgram **ret_program,
                           Diag *diag);

#endif
