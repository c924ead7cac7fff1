/* compiler/graph/graph.h: a program as a graph in JSON, and back: docs/graph-json.md.
 *
 * The graph has two halves: `pipelines`, nodes and wires as the compiler made them, to be drawn;
 * and `items`, the program's own words in their order, comments and all, cut at declarations and
 * stages. Import puts the items together again and lays them out: text -> graph -> text is what
 * `tutti fmt` makes of the text. */
#ifndef TUTTI_COMPILER_GRAPH_GRAPH_H
#define TUTTI_COMPILER_GRAPH_GRAPH_H

#include "base/json.h"
#include "compiler/ast/ast.h"
#include "compiler/ir/ir.h"

enum { GRAPH_VERSION = 1 };

/* One JSON object. `program` and `file` are of the same source. */
void graph_export(const IrProgram *program, const AstFile *file, Buf *out);
/* The text of `items`, not yet laid out. ST_INVALID: this is no such graph; the Diag says where. */
MUST Status graph_text(const Json *graph, Buf *out, Diag *diag);

/* Where in a text a piece of a bare graph stands: from `at` to the next one. */
typedef struct GraphPlace {
    uint32_t at;
    Str pipeline, node; /* node: its id; empty: the pipeline itself */
    struct GraphPlace *next;
} GraphPlace;

/* The text of a graph that has no `items`: of its nodes and wires alone, not yet laid out. */
MUST Status graph_bare_text(Arena *arena, const Json *graph, Buf *out, GraphPlace **ret_places,
                            Diag *diag);

#endif
