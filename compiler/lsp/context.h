/* compiler/lsp/context.h: where in a program a person is typing, told from the tokens before it.
 *
 * Works on text that does not parse: brackets are counted from the start of the declaration, a
 * stage's keyword is believed where the parser believed it or where it leads a line. */
#ifndef TUTTI_COMPILER_LSP_CONTEXT_H
#define TUTTI_COMPILER_LSP_CONTEXT_H

#include "compiler/lsp/lsp_int.h"

typedef enum Place {
    PLACE_NONE,        /* nothing fits, or only a new name */
    PLACE_DECL,        /* a declaration starts */
    PLACE_STAGE,       /* a stage starts */
    PLACE_STEP,        /* a step of a test starts */
    PLACE_SOURCE,      /* behind `from` */
    PLACE_SINK,        /* behind `into` */
    PLACE_OPTIONS,     /* behind a connector and its address */
    PLACE_FORMAT,      /* behind `as`: formats and types */
    PLACE_TYPE,        /* types */
    PLACE_UNIT,        /* between the brackets of a unit */
    PLACE_VALUE,       /* an operand */
    PLACE_OPERATOR,    /* behind an operand */
    PLACE_MEMBER,      /* behind a dot */
    PLACE_FIELD,       /* a name of the row: keep, drop, by, key */
    PLACE_PIPELINE,    /* the name of a pipeline */
    PLACE_WORDS,       /* words of a stage: see `stage` */
    PLACE_STEP_FIELD,  /* a field's name in a test's record */
    PLACE_ALARM_FIELD, /* a field's name in an alarm */
    PLACE_ALARM_VALUE  /* behind it and its colon: see `field` */
} Place;

enum { CONTEXT_NEST_MAX = 264 };

typedef struct Context {
    Place place;
    uint32_t start, end; /* what a completion replaces */
    Str stage;           /* the keyword of the stage, or of the step; empty: none */
    uint32_t stage_at;   /* index of its token */
    Str item;            /* the keyword of the declaration */
    uint32_t count;      /* tokens before the place, comments included */
    bool tally;          /* in the braces of a window, outside of an aggregate */
    bool aggregate;      /* in an aggregate's parentheses */
    uint32_t call;       /* PLACE_VALUE: index of the `(` when an argument begins here; NO_INDEX */
    Str connector;       /* PLACE_OPTIONS */
    Str field;           /* PLACE_ALARM_VALUE */
    bool in;             /* PLACE_OPTIONS, PLACE_FORMAT: of a source */
    bool in_split;       /* arms fit here too */
} Context;

/* False inside a comment or a text. */
bool context_at(const Doc *doc, uint32_t offset, Context *ret_context);

#endif
