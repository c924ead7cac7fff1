/* compiler/type/facts.h: what the checker found out on its way, for editors.
 *
 * Filled only when a Facts is handed to check_file_facts; the checker then also walks pipelines
 * that lost a stage to a syntax error, with their findings unsaid, so that a half-written program
 * still has types. A name's definition is a Str that points into a source text: facts_place turns
 * it back into a Span. Everything lives in the arena of the check. */
#ifndef TUTTI_COMPILER_TYPE_FACTS_H
#define TUTTI_COMPILER_TYPE_FACTS_H

#include "compiler/ast/ast.h"
#include "compiler/diag/diag.h"
#include "compiler/type/builtins.h"
#include "compiler/type/type.h"

typedef enum FactKind { FACT_VALUE, FACT_FIELD, FACT_PARAM, FACT_CONST, FACT_ENUM_NAME } FactKind;

/* An expression with its type; when it is a name, what the name means. */
typedef struct Fact {
    Span at;
    FactKind kind;    /* FACT_VALUE: an expression as such */
    Str def;          /* the name where it was made; empty for FACT_VALUE */
    Type type;        /* kind IR_NONE after an error */
    uint32_t reasons; /* bit r: Reason r may arise here; FACT_VALUE only */
} Fact;

/* The fields that reach a stage, and those that leave it. */
typedef struct FactRow {
    Span stage;
    const Record *in, *out; /* NULL: none, or not known */
} FactRow;

typedef struct Facts {
    Fact *list; /* in the order of the walk */
    uint32_t count, cap;
    FactRow *rows;
    uint32_t row_count, row_cap;
} Facts;

MUST Status check_file_facts(Arena *arena, const AstFile *file, DiagList *diags, Facts *facts,
                             IrProgram **ret_program);

/* The place of a text that points into one of the sources; false for made-up names. */
bool facts_place(const SourceSet *sources, Str text, Span *ret_span);

#endif
