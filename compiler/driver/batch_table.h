/* compiler/driver/batch_table.h: rows of a historian's table as the lines of a source. */
#ifndef TUTTI_COMPILER_DRIVER_BATCH_TABLE_H
#define TUTTI_COMPILER_DRIVER_BATCH_TABLE_H

#include "base/buf.h"
#include "base/status.h"
#include "compiler/ir/ir.h"

/* Some whole lines; false: no more are wanted. */
typedef bool BatchLinesFn(void *ctx, Str lines);

/* All rows of the table of `from historian` in `file`, as they were at one moment, in the order of
 * writing. Behind `lines` RT_PAD_BYTES can be read. */
MUST Status batch_table(const char *file, const IrSource *source, BatchLinesFn *fn, void *ctx,
                        Diag *diag);

#endif
