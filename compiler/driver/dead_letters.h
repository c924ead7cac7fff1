/* compiler/driver/dead_letters.h: what failed in a server, out of its data folder. */
#ifndef TUTTI_COMPILER_DRIVER_DEAD_LETTERS_H
#define TUTTI_COMPILER_DRIVER_DEAD_LETTERS_H

#include "base/status.h"
#include "base/str.h"

/* `raw` as in an error record; false ends it. */
typedef bool DeadLetterFn(void *ctx, Str raw);

/* The dead letters of a pipeline, oldest first, without those that a sink refused: these are rows,
 * no records. Reads only; the server may run meanwhile. */
MUST Status dead_letters(const char *data_dir, Str pipeline, DeadLetterFn *fn, void *ctx,
                         Diag *diag);

#endif
