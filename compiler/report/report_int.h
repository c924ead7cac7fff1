/* compiler/report/report_int.h: what the files of this folder share. */
#ifndef TUTTI_COMPILER_REPORT_REPORT_INT_H
#define TUTTI_COMPILER_REPORT_REPORT_INT_H

#include "compiler/link/link.h"
#include "compiler/report/report.h"

typedef struct Report {
    const IrProgram *program;
    const Linked *linked;
    const IrPipeline *p;
    const RtPipelineInfo *info; /* of p */
    Arena *arena;
    Buf *out;
} Report;

void report__duration(Buf *out, int64_t ns);
void report__bytes(Buf *out, uint64_t bytes); /* 312 bytes, 4.5 KiB */
uint32_t report__line(const Report *r, Span span);

/* A stage as the program writes it: `window tumble 10s by machine`; `delta` of `speed`. */
void report__window_words(Buf *out, const IrWindow *w);
void report__mem_words(Buf *out, const IrMem *m, Str pipeline);
/* state.c: what node `index` keeps, a line each; and all of the pipeline. */
void report__state_of(const Report *r, uint32_t index);
void report__state_all(const Report *r);
/* asks.c: of a memory that is a question */
void report__ask(const Report *r, const IrMem *mem);
/* delivery.c */
void report__delivery(const Report *r, uint32_t sink);
/* Whether a stage that begins so writes to the sink. */
bool report__comes_from(const IrPipeline *p, uint32_t sink, IrStageFrom from);

#endif
