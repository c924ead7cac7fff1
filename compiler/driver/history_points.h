/* compiler/driver/history_points.h: what the namespace's history holds of topics, as the records
 * that a pipeline read. */
#ifndef TUTTI_COMPILER_DRIVER_HISTORY_POINTS_H
#define TUTTI_COMPILER_DRIVER_HISTORY_POINTS_H

#include "base/status.h"
#include "base/str.h"
#include "compiler/ir/ir.h"

typedef struct HistoryWish {
    const char *data_dir;
    const IrProgram *ir;
    const IrPipeline *pipeline;
    Str filter;             /* of topics, as in MQTT */
    int64_t from_ns, to_ns; /* from <= t < to */
} HistoryWish;

/* False ends it. */
typedef bool HistoryRecordFn(void *ctx, Str topic, int64_t t_ns, Str record);

/* In the order of time. Reads only; the server may run meanwhile. ST_UNSUPPORTED: its type wants
 * what no history has. */
MUST Status history_records(const HistoryWish *wish, HistoryRecordFn *fn, void *ctx, Diag *diag);

#endif
