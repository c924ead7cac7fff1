/* compiler/type/builtins.c: the tables of builtins.def and checked.def as C. */
#include "compiler/type/builtins.h"

static const BuiltinInfo infos[] = {
#define BUILTIN(id, name, args, params, result, unit, bound, reason, doc)                          \
    {name, args, params, result, BUILTIN_##unit, BOUND_##bound, REASON_##reason, doc},
#include "stdlib/builtins.def"
#undef BUILTIN
};

const CheckedInfo checked_infos[] = {
#define CHECKED(name, params, needed) {name, params, needed},
#include "stdlib/checked.def"
#undef CHECKED
};
const uint32_t checked_info_count = COUNT_OF(checked_infos);

static const struct {
    const char *text, *doc;
} reasons[] = {
#define REASON(id, text, doc) {text, doc},
#include "compiler/type/reasons.def"
#undef REASON
};

const BuiltinInfo *builtin_info(Builtin which)
{
    return which < BUILTIN__COUNT ? &infos[which] : NULL;
}

Builtin builtin_find(Str name)
{
    for (uint32_t i = 0; i < BUILTIN__COUNT; i++)
        if (str_is(name, infos[i].name)) return (Builtin)i;
    return BUILTIN__COUNT;
}

const char *reason_text(Reason reason)
{
    return reason < REASON__COUNT ? reasons[reason].text : "";
}

const char *reason_doc(Reason reason)
{
    return reason < REASON__COUNT ? reasons[reason].doc : "";
}
