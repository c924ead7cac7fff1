/* compiler/interp/decode.h: a learnt layout as code for columns. */
#ifndef TUTTI_COMPILER_INTERP_DECODE_H
#define TUTTI_COMPILER_INTERP_DECODE_H

#include "compiler/interp/interp_int.h"

/* The lanes still to be decoded, ascending. */
typedef struct Lanes {
    Frame *frame;
    uint32_t count;
    uint16_t lane[INTERP_LANES_MAX];
    const char *at[INTERP_LANES_MAX]; /* how far each is read; inside `nowhere`: given up */
} Lanes;

typedef struct LayoutCode LayoutCode;

/* On the heap (mem_free); NULL: out of memory, or a layout that no lane could fit. */
LayoutCode *interp__layout_code(const PipeCode *code, const Layout *layout);
bool interp__layout_same(const LayoutCode *a, const LayoutCode *b);
/* Decodes the lanes that fit into the columns of the frame and takes them out of `lanes`. */
void interp__layout_run(const LayoutCode *code, Lanes *lanes);

#endif
