/* compiler/driver/infer_pack.h: samples in formats of bytes, for `tutti infer`. */
#ifndef TUTTI_COMPILER_DRIVER_INFER_PACK_H
#define TUTTI_COMPILER_DRIVER_INFER_PACK_H

#include "compiler/infer/infer.h"

#include <stdio.h>

/* Who hears of records that are left out; ST_OK goes on. */
typedef struct InferLeft InferLeft;
struct InferLeft {
    Status (*add)(InferLeft *left, uint64_t number, const char *why);
};

/* The format of bytes that a file begins like (RtFormat); 0: none, it holds lines. */
uint32_t infer_sniff(FILE *file);
/* All records that stand back to back in the file. */
MUST Status infer_packed(Infer *in, uint32_t format, FILE *file, InferLeft *left);

#endif
