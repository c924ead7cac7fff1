/* compiler/driver/batch_sinks.h: sinks of a batch run that wait for somebody else
 * (runtime/deliver).
 *
 * Rows are delivered when their chunk is done; a row nobody will ever take goes to standard error
 * like a dead letter. A server that does not answer is waited for, but not for ever: then the run
 * fails. */
#ifndef TUTTI_COMPILER_DRIVER_BATCH_SINKS_H
#define TUTTI_COMPILER_DRIVER_BATCH_SINKS_H

#include "flow/instance.h"

typedef struct BatchSinks BatchSinks;

/* True for sinks of that kind and connection ("" = none) that are delivered here. */
bool batch_sinks_deliver(Str kind, Str connection);
/* Both must outlive it. Fails when a table does not fit. */
MUST Status batch_sinks_open(const RtProgram *program, const RtPipelineInfo *info,
                             BatchSinks **ret_sinks, Diag *diag);
void batch_sinks_free(BatchSinks *sinks); /* accepts NULL */
MUST Status batch_sinks_write(BatchSinks *sinks, uint32_t sink, const RtOut *out, Diag *diag);

#endif
