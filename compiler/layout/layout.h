/* compiler/layout/layout.h: the shapes that records of one source are seen in.
 *
 * From sample lines the order of keys, the spacing and the kind of each value are learnt. A layout
 * is a flat list: constant bytes, a value, constant bytes, a value ... Whoever makes a decoder
 * (generated C, the interpreter, the JIT) compares the constants, converts the values of needed
 * leaves and checks the others. A layout is a guess: a record that differs is read in any order, so
 * it can be wrong but must never make a decoder accept what the any-order scanner refuses. */
#ifndef TUTTI_COMPILER_LAYOUT_LAYOUT_H
#define TUTTI_COMPILER_LAYOUT_LAYOUT_H

#include "compiler/ir/ir.h"

enum { LAYOUTS_MAX = 4, LAYOUT_ITEMS_MAX = 256 };

typedef enum LayoutKind {
    LAYOUT_TEXT,   /* `before` ends with the opening quote, the next `before` starts with the
                      closing one */
    LAYOUT_NUMBER, /* any JSON number */
    LAYOUT_BOOL,   /* true or false */
    LAYOUT_NULL,
    LAYOUT_OPAQUE /* an object or an array, not looked into */
} LayoutKind;

typedef struct LayoutItem {
    Str before; /* constant bytes in front of the value */
    LayoutKind kind;
    uint32_t leaf;  /* of the schema; NO_INDEX: not in it */
    uint32_t len;   /* bytes of the value, as most had it */
    uint32_t depth; /* records around the value, the whole one included */
    bool steady;    /* nine of ten had exactly `len` bytes: worth betting on */
    bool minus;     /* NUMBER: one began with '-' */
    int32_t lead;   /* while learning: how far `len` leads over other lengths */
} LayoutItem;

typedef struct Layout {
    LayoutItem *items;
    uint32_t count;
    Str after;      /* constant bytes behind the last value, '}' included */
    uint32_t votes; /* sample lines that had it; 0 = the guess from the declaration */
} Layout;

/* Most frequent first. */
typedef struct LayoutList {
    Layout list[LAYOUTS_MAX];
    uint32_t count;
} LayoutList;

/* The leaves whose value a decoder must give: those the stage reads; all with `check strict`.
 * `needed` has one member per leaf of the stage's schema. */
void layout_needed(const IrStage *stage, IrCheck check, bool *needed, uint32_t leaf_count);

/* How many items a decoder looks at. With `check lazy` what follows the last needed value is passed
 * over, but only where every needed leaf has come by then: else one might stand there. All items
 * means: also `after`, and that the record ends there. */
uint32_t layout_looked_at(const Layout *layout, IrCheck check, const bool *needed,
                          uint32_t leaf_count);

/* How many items must have been looked at before the pipeline's filter can be asked; 0: it cannot,
 * or nothing would be saved. */
uint32_t layout_asked_at(const Layout *layout, const IrPipeline *pipeline, uint32_t looked_at);

/* The layouts of `sample` (lines; the last one may be cut), or without any usable line the order of
 * the declaration, compact. There may be none: a shape that less than one line in 100 has is
 * not worth trying. A layout has every needed field that must be there, none twice, none that
 * `unknown reject` refuses, and a record where one is declared, so a decoder that checks each value
 * has checked all. Texts are the arena's. */
MUST Status layout_learn(const IrProgram *ir, uint32_t schema, const IrSource *source,
                         const bool *needed, Str sample, Arena *arena, LayoutList *ret_list);

#endif
