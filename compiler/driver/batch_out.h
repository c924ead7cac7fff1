/* compiler/driver/batch_out.h: rows of a batch run to files and to standard output.
 *
 * What several sinks write to one place stands there in the order in which the rows were made, so
 * nothing shows where the input was cut. A file is opened once in a run, whoever writes to it and
 * by whatever path: it is emptied before the first row (unless `append` says otherwise), and every
 * row goes to its end. */
#ifndef TUTTI_COMPILER_DRIVER_BATCH_OUT_H
#define TUTTI_COMPILER_DRIVER_BATCH_OUT_H

#include "base/buf.h"
#include "compiler/ir/ir.h"
#include "flow/instance.h"

#include <sys/types.h>

enum { BATCH_FILES_MAX = 256 };

typedef struct BatchFile {
    char path[512];
    int fd;
    bool owned; /* false: another path leads to the same file */
    dev_t device;
    ino_t node;
} BatchFile;

typedef struct BatchFiles { /* of all pipelines of a run */
    BatchFile *list;        /* BATCH_FILES_MAX */
    uint32_t count, last;   /* last: found by the row before */
} BatchFiles;

typedef enum BatchHow {
    BATCH_ELSEWHERE, /* not ours */
    BATCH_FILE,
    BATCH_PLAIN,   /* standard output, as the sink writes */
    BATCH_FRAMED,  /* the same, of messages that do not say where they end */
    BATCH_WRAPPED, /* {"sink":"KIND ADDRESS","row":{...}} */
} BatchHow;

typedef struct BatchSink {
    BatchHow how;
    bool mixed;    /* another sink may write to the same place */
    uint64_t next; /* of a mixed one: the row that is not written yet */
} BatchSink;

typedef struct BatchOut { /* of one pipeline */
    BatchFiles *files;
    const IrPipeline *ir;
    const FlowInstance *instance;
    const char *name; /* in wrapped rows, or NULL */
    BatchSink *sinks; /* one a sink of the pipeline; `how` is the caller's to say */
    Buf line;         /* on its way to `fd` */
    int fd;
    Status failed;
    Diag *diag;
} BatchOut;

/* `sinks` outlives it; the rest of the struct is set here. */
void batch_out_open(BatchOut *out, BatchSink *sinks, BatchFiles *files, const IrPipeline *ir,
                    Diag *diag);
/* Behind flow_instance_new and when every `how` is known; writes the heads of tables. */
MUST Status batch_out_begin(BatchOut *out, const FlowInstance *instance);
/* The rows at hand of one sink that is not mixed. */
MUST Status batch_out_write(BatchOut *out, uint32_t sink, const RtOut *rows);
/* Those of all that are; they are cleared. */
MUST Status batch_out_mixed(BatchOut *out, FlowInstance *instance);
/* Makes the file of an empty result. */
MUST Status batch_out_finish(BatchOut *out);
void batch_out_close(BatchOut *out);
void batch_files_close(BatchFiles *files);

#endif
