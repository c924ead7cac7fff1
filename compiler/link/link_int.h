/* compiler/link/link_int.h: what the files of this folder share. */
#ifndef TUTTI_COMPILER_LINK_LINK_INT_H
#define TUTTI_COMPILER_LINK_LINK_INT_H

#include "compiler/link/link.h"

typedef struct Link {
    const IrProgram *ir;
    Arena *arena;
    Linked *out;
    bool failed; /* the arena is full; every function then goes on with what it has */
} Link;

/* Zeroed memory; NULL when the arena is full, noted in `failed`. */
void *link__alloc(Link *link, size_t count, size_t bytes);
/* A copy that ends with NUL; "" when the arena is full. */
const char *link__text(Link *link, Str text);
/* NULL for NULL. */
const char *const *link__names(Link *link, const IrEnum *names);

/* schema.c: the schema of rows out, leaves from 0. */
RtSchema *link__row_schema(Link *link, uint32_t schema);
/* The schema of a source's records, with what is needed marked. */
RtSchema *link__record_schema(Link *link, const IrPipeline *pipeline, uint32_t source,
                              uint32_t schema);
/* The same for several pipelines at once. */
RtSchema *link__shared_schema(Link *link, uint32_t schema, const bool *needed);

#endif
