/* compiler/type/builtins.h: the tables of builtins.def and checked.def as C. */
#ifndef TUTTI_COMPILER_TYPE_BUILTINS_H
#define TUTTI_COMPILER_TYPE_BUILTINS_H

#include "base/str.h"

typedef enum Builtin {
#define BUILTIN(id, name, args, params, result, unit, bound, reason, doc) BUILTIN_##id,
#include "stdlib/builtins.def"
#undef BUILTIN
    BUILTIN__COUNT
} Builtin;

typedef enum Reason {
#define REASON(id, text, doc) REASON_##id,
#include "compiler/type/reasons.def"
#undef REASON
    REASON__COUNT
} Reason;

typedef enum BuiltinUnit { BUILTIN_PLAIN, BUILTIN_KEEP, BUILTIN_ROOT, BUILTIN_ANGLE } BuiltinUnit;
typedef enum BuiltinBound { BOUND_NONE, BOUND_SAME, BOUND_TWICE, BOUND_ANY } BuiltinBound;

typedef struct BuiltinInfo {
    const char *name, *args, *params, *result;
    BuiltinUnit unit;
    BuiltinBound bound;
    Reason reason;
    const char *doc;
} BuiltinInfo;

/* A function that the checker writes itself; min and max have two rows. */
typedef struct CheckedInfo {
    const char *name, *params;
    uint32_t needed; /* so many of the params every call gives */
} CheckedInfo;

extern const CheckedInfo checked_infos[];
extern const uint32_t checked_info_count;

const BuiltinInfo *builtin_info(Builtin which);
/* BUILTIN__COUNT when there is none of that name. */
Builtin builtin_find(Str name);
const char *reason_text(Reason reason); /* "bad_json" */
const char *reason_doc(Reason reason);

#endif
