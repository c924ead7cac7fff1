/* compiler/driver/names_parts.h: a file of names in parts that a server takes in one request each,
 * without losing where a row stands in the file. The page does the same
 * (runtime/web/src/explore/parts.ts). */
#ifndef TUTTI_COMPILER_DRIVER_NAMES_PARTS_H
#define TUTTI_COMPILER_DRIVER_NAMES_PARTS_H

#include "base/json.h"

/* A request of the server has 1 MiB; parts are smaller, so that nobody waits long behind one. */
enum { NAMES_PART_BYTES = 600000, NAMES_PART_ROWS = 5000, NAMES_FILE_BYTES = 32 << 20 };

/* What is sent is `before`, `rows` and `after`: pieces of the file, and brackets. */
typedef struct NamesPart {
    struct NamesPart *next;
    Str before, rows, after;
    uint32_t head; /* lines of `before`: the columns of a CSV */
    uint32_t line; /* of the file, from 1, on which its first row begins */
    int64_t shift; /* columns by which that line of its rows stands further right in the file */
    const Json *answer; /* what the server said of it; NULL before */
} NamesPart;

/* The whole as one part when it is small: then the server checks and takes it as a whole. Parts lie
 * in the arena and point into the text. ST_INVALID, in words: the file is not cut anywhere. */
MUST Status names_parts(Arena *arena, Str text, bool json, NamesPart **ret_first, Diag *diag);
/* A place of a part as a place of the file. */
void names_place(const NamesPart *part, int64_t *line, int64_t *column);

#endif
