/* compiler/infer/infer.h: what sample records have in common, as a type of the language.
 *
 *   Infer *in = infer_new(arena);
 *   for each record: st = infer_record(in, json);
 *   infer_type(in, STR("Press"), false, &out);
 *
 * A text without a source (Json.raw.ptr is NULL) stands for bytes: formats other than JSON have
 * them. Memory does not grow with the number of records: a field keeps counts, its least and
 * greatest value, its longest text, and a few different words. */
#ifndef TUTTI_COMPILER_INFER_INFER_H
#define TUTTI_COMPILER_INFER_INFER_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"

enum {
    INFER_FIELDS_MAX = 256, /* of all records together, as a type may have */
    INFER_DEPTH_MAX = 8,
    INFER_WORDS_MAX = 12,   /* different texts of an enum */
    INFER_COLUMNS_MAX = 256 /* of CSV */
};

typedef struct Infer Infer;

Infer *infer_new(Arena *arena); /* NULL: out of memory */
/* Adds a record; anything but an object is ST_INVALID. ST_LIMIT: more fields than a type may have.
 */
MUST Status infer_record(Infer *in, const Json *record);
/* Adds a line of CSV. The first one is the header when its cells are different names; otherwise
 * columns are called c1, c2 ... ST_INVALID: no CSV, or another number of cells. */
MUST Status infer_csv(Infer *in, Str line);

/* Another file begins: CSV has a header of its own. */
void infer_next_file(Infer *in);

uint64_t infer_count(const Infer *in); /* records so far */
/* `type NAME = { ... }`, a line a field with what was seen as a comment; `ranges` makes the least
 * and greatest values, widened to round numbers, part of the type. */
void infer_type(const Infer *in, Str name, bool ranges, Buf *out);
/* {"name","records","fields":[{"name","type","optional","seen","missing",...}]} */
void infer_json(const Infer *in, Str name, bool ranges, Buf *out);

#endif
