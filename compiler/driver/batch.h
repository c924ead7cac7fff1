/* compiler/driver/batch.h: runs pipelines to the end of their bounded input, without a server.
 *
 * Input: `file` and `stdin` sources as written; any other kind reads its records, one a line, from
 * standard input. Output: `stdout` and `file` sinks as written; error records for the dead-letter
 * table go to standard error; every other kind's rows go to standard output as JSON lines, as
 * {"sink":"KIND ADDRESS","row":...} when a pipeline has several sinks there. */
#ifndef TUTTI_COMPILER_DRIVER_BATCH_H
#define TUTTI_COMPILER_DRIVER_BATCH_H

#include "compiler/driver/native.h"

typedef struct BatchOptions {
    const char *pipeline; /* only this one; NULL: all, in the order of the files */
    bool stats;           /* counters of each pipeline to standard error, one JSON object a line */
} BatchOptions;

/* *ret_stopped: a pipeline stopped by its own rule. Memory does not grow with the input. */
MUST Status batch_run(NativeSet *set, const BatchOptions *options, bool *ret_stopped, Diag *diag);

#endif
