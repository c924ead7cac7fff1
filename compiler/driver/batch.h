/* compiler/driver/batch.h: runs pipelines to the end of their bounded input, without a server.
 *
 * Input: a `file` source reads its file. Any other source reads records, one a line, from standard
 * input; all pipelines that do so see the same input. A pipeline that only polls a device (modbus)
 * takes part only when named. Output: `stdout` and `file` sinks as written; error records for the
 * dead-letter table go to standard error; rows for other kinds go to standard output as JSON lines:
 * plain when only one sink's rows go there, else {"pipeline":NAME,"sink":"KIND ADDRESS","row":...}
 * (without "pipeline" when only one takes part).
 */
#ifndef TUTTI_COMPILER_DRIVER_BATCH_H
#define TUTTI_COMPILER_DRIVER_BATCH_H

#include "compiler/driver/native.h"

typedef struct BatchOptions {
    const char *pipeline; /* only this one; NULL: all */
    const char *data;     /* folder of a server's data, whose historian answers; or NULL */
    bool framed;          /* standard input holds frames (frames.h), which tell topic and time */
    bool stats;           /* counters of each pipeline to standard error, one JSON object a line */
} BatchOptions;

/* *ret_stopped: a pipeline stopped by its own rule. Memory does not grow with the input. */
MUST Status batch_run(NativeSet *set, const BatchOptions *options, bool *ret_stopped, Diag *diag);

#endif
