/* runtime/flow/ask.h: questions of `ask`; the host answers them (FlowHost.ask).
 *
 * An answer is rows, each as [u32 length][a line of CSV, cells in the order of the schema]. What
 * may be in a cell is thus the same as in a table's file. */
#ifndef TUTTI_FLOW_ASK_H
#define TUTTI_FLOW_ASK_H

#include "flow/abi.h"

/* The values of a question, as a list of one item that only rt_each may look at (asking.h). A
 * reason. */
u32 rt_ask(RtPipe *pipe, const RtMemInfo *info, const RtValue *values, const u8 *has, RtValue *ret);
/* Asks without waiting; NULL: nobody can, ask when the answer is wanted. */
void *rt_ask_begin(RtPipe *pipe, const RtMemInfo *info, const RtValue *values, const u8 *has);
/* Waits for whichever question of those with `asks` others before them is answered first; NULL: the
 * order is not known. */
void *rt_ask_first(RtPipe *pipe, u32 asks);
void rt_ask_forget(RtPipe *pipe, void *question);
/* Waits for the answer; a NULL question is asked now. *ret: a list of the rows, in scratch.
 * *ret_has 0: no answer; of a single row the list then has one without values, so that its first
 * item may be looked at. */
void rt_ask_answer(RtPipe *pipe, const RtMemInfo *info, void *question, const RtValue *values,
                   const u8 *has, RtValue *ret, u8 *ret_has);

#endif
