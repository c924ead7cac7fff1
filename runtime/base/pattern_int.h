/* runtime/base/pattern_int.h: a pattern as a tree; only for the files of base/pattern. */
#ifndef TUTTI_BASE_PATTERN_INT_H
#define TUTTI_BASE_PATTERN_INT_H

#include "base/arena.h"
#include "base/pattern.h"

typedef enum PatternKind {
    PATTERN_EMPTY,
    PATTERN_CLASS,  /* one character of ranges */
    PATTERN_THEN,   /* a, then b */
    PATTERN_OR,     /* a or b */
    PATTERN_REPEAT, /* a, min to max times; max -1: without end */
    PATTERN_BEGIN,
    PATTERN_END
} PatternKind;

typedef struct PatternRange {
    uint32_t lo, hi; /* code points, both inclusive */
} PatternRange;

typedef struct PatternNode {
    PatternKind kind;
    const struct PatternNode *a, *b;
    int min, max;
    const PatternRange *ranges; /* sorted, apart */
    uint32_t range_count;
} PatternNode;

MUST Status pattern__parse(Arena *arena, Str text, const PatternNode **ret_root, size_t *ret_at,
                           Diag *diag);

#endif
