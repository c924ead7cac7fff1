/* runtime/flow/ask.h: questions of `ask`; the host answers them (FlowHost.ask).
 *
 * An answer is rows, each as [u32 length][a line of CSV, cells in the order of the schema]. What
 * may be in a cell is thus the same as in a table's file. */
#ifndef TUTTI_FLOW_ASK_H
#define TUTTI_FLOW_ASK_H

#include "flow/abi.h"

/* *ret: a list of the rows, in scratch. *ret_has 0: no answer; of a single row the list then has
 * one without values, so that its first item may be looked at. */
void rt_ask(RtPipe *pipe, const RtMemInfo *info, const RtValue *values, const u8 *has, RtValue *ret,
            u8 *ret_has);

#endif
