/* compiler/graph/graph_int.h: what the files of this folder share. */
#ifndef TUTTI_COMPILER_GRAPH_GRAPH_INT_H
#define TUTTI_COMPILER_GRAPH_GRAPH_INT_H

#include "compiler/graph/graph.h"

/* A bare graph being written as a program. */
typedef struct Bare {
    Arena *arena;
    Buf *out;
    GraphPlace **place; /* where the next one is hung in */
    Str pipeline, node; /* at hand, for messages; empty: none */
    Status failed;
    Diag *diag;
} Bare;

/* Says where: the pipeline and the node at hand. The first one counts. */
void graph__refuse(Bare *b, const char *format, ...) PRINTF_LIKE(2, 3);
/* A member that is a text, or empty; anything else is refused. */
Str graph__text(Bare *b, const Json *of, const char *name);
/* `comment`: a text, or a list of them: lines beginning with #. */
void graph__comment(Bare *b, const Json *of, uint32_t depth);
void graph__indent(Bare *b, uint32_t depth);

/* ---- words.c ---- */
/* `kind` is that of a stage a node can be, or `arm`. */
bool graph__is_stage(Str kind);
/* The words of a node behind its kind: its `text`, or made of the members that its kind has. */
void graph__words(Bare *b, const Json *node, Str kind);
/* `types` and `declarations`. */
void graph__declarations(Bare *b, const Json *graph);

#endif
