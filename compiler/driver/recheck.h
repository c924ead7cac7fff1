/* compiler/driver/recheck.h: `check P ...`: the tests of a pipeline again, disturbed.
 *
 * The plain run of a test, one record a batch, says which bytes each sink gets behind each record.
 * They, and the order of the rows of all sinks, have to come again when the instance is saved and
 * loaded into a new one, when records come in other batches, and on the other engines; and every
 * record has to be accounted for. */
#ifndef TUTTI_COMPILER_DRIVER_RECHECK_H
#define TUTTI_COMPILER_DRIVER_RECHECK_H

#include "compiler/driver/native.h"

/* When a record of a test arrives: the clock stands at the latest `clock` step or event time. */
int64_t recheck_arrival(const FlowInstance *instance, const IrPipeline *pipeline, int64_t clock_ns);

/* The record of an `in`, with the padding. */
MUST Status recheck_record(FlowInstance *instance, const IrTestStep *step, Arena *arena,
                           Str *ret_record);
/* What comes beside it: the topic is the source's address unless the step says another. */
void recheck_beside(const IrTestStep *step, const IrPipeline *pipeline, RtRecord *record);

/* Prints what differs. `only`: NULL or a part of the tests' names, *ret_any false when none has it;
 * the seed is for batches. */
MUST Status recheck(NativeSet *set, const Native *native, const IrRepeat *check, const char *only,
                    uint64_t seed, bool *ret_any, bool *ret_passed, Diag *diag);

#endif
