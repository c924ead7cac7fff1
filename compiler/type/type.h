/* compiler/type/type.h: the type of a value while a program is checked.
 *
 * A Type is a small plain value; what it points to (units, enum names, records) lives in the unit's
 * arena. kind IR_NONE means "had an error, already reported" and fits everything, so that one slip
 * gives one message; with `null` set it is the type of the literal null. */
#ifndef TUTTI_COMPILER_TYPE_TYPE_H
#define TUTTI_COMPILER_TYPE_TYPE_H

#include "base/buf.h"
#include "compiler/ir/ir.h"
#include "compiler/type/units.h"

enum { TYPE_ITEMS_MAX = 1 << 20, TYPE_SCALE_MAX = 18 };
enum { TYPE_LEAVES_MAX = 256, TYPE_NESTING_MAX = IR_PATH_MAX, TYPE_STRING_MAX = 1 << 20 };

typedef struct Record Record;

typedef struct Type {
    IrType kind;
    bool optional, null;
    uint8_t scale;        /* DECIMAL */
    IrTimeRead time_read; /* TIME */
    uint32_t bytes_max;   /* STR BYTES JSON; LIST: most items */
    const IrEnum *names;  /* ENUM */
    const Record *record; /* RECORD; LIST: an item, one field "" when items are single values */
    const Unit *unit;     /* of numbers; NULL: plain */
    bool has_range;
    double lo, hi;
    Span span; /* where it was written; end == 0: nowhere */
} Type;

typedef struct RecordField {
    Str name;
    Type type;
    Span span;
} RecordField;

struct Record {
    Str name; /* empty: anonymous */
    RecordField *fields;
    uint32_t count;
    uint32_t schema; /* memo of type_schema; NO_INDEX */
    bool tag;        /* { value, quality, time }: see tags.c */
};

bool type_is_integer(IrType kind);
bool type_is_float(IrType kind);
bool type_is_number(IrType kind); /* integers, floats and decimals */
/* Of an item of a list. */
Type type_item(const Type *list);
/* Equal but for range, bounds and name: what may stand in one place. */
bool type_same(const Type *a, const Type *b);
/* As a user would write it: "f64 [bar]?", "string(16)". */
Str type_text(Arena *arena, const Type *type);
/* Its kind without unit and bound: "f64", "string". */
const char *type_word(const Type *type);
/* Most bytes a value takes as text (TEXT of ops.def). */
uint32_t type_text_max(const Type *type);
uint32_t record_leaf_count(const Record *record);
const RecordField *record_find(const Record *record, Str name);

#endif
