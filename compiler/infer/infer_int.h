/* compiler/infer/infer_int.h: what is kept of each field; only for compiler/infer. */
#ifndef TUTTI_COMPILER_INFER_INFER_INT_H
#define TUTTI_COMPILER_INFER_INFER_INT_H

#include "compiler/infer/infer.h"

typedef struct Seen Seen;
struct Seen {
    Str name;
    uint64_t count, nulls; /* null counts as missing */
    uint64_t bools, ints, huge, numbers, texts, lists, objects;
    uint64_t blobs;            /* bytes */
    uint64_t times, durations; /* of the texts: RFC 3339; 1m30s */
    uint64_t plain_times;      /* of the texts: a date or a time without zone */
    int64_t least, greatest;   /* of whole numbers within 64 bits */
    double lo, hi;             /* of all numbers */
    size_t longest;            /* bytes of the longest text */
    uint64_t items_max;        /* of lists */
    Str words[INFER_WORDS_MAX + 1];
    uint32_t word_count; /* INFER_WORDS_MAX + 1: too many, or one that is no name */
    Seen *first, *last;  /* fields of objects, in the order they came */
    Seen *next;
    Seen *item; /* of lists */
    bool too_deep;
};

struct Infer {
    Arena *arena;
    Seen root;
    uint32_t field_count;
    Seen *columns[INFER_COLUMNS_MAX]; /* CSV */
    uint32_t column_count;
    bool has_header;
};

bool infer__is_name(Str text);
Seen *infer__field(Infer *in, Seen *of, Str name, Status *ret_status); /* found or added */
MUST Status infer__text(Infer *in, Seen *s, Str text);
void infer__number(Seen *s, double value);
void infer__integer(Seen *s, int64_t value);

#endif
