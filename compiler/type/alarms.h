/* compiler/type/alarms.h: one `alarm` while it is checked; between alarms.c, which knows what an
 * alarm has, and alarm_values.c, which reads what stands behind its fields. */
#ifndef TUTTI_COMPILER_TYPE_ALARMS_H
#define TUTTI_COMPILER_TYPE_ALARMS_H

#include "base/json.h"
#include "compiler/type/check.h"

enum {
    ALARM_FILTER_BYTES_MAX = 1024,
    ALARM_TEXT_BYTES_MAX = 500,
    ALARM_RULE_BYTES_MAX = 15 << 10 /* the namespace takes 16 KiB, with what it adds */
};

enum {
#define ALARM_FIELD(name, takes, usage, doc) FIELD_##name,
#include "compiler/type/alarm_fields.def"
#undef ALARM_FIELD
    FIELD__COUNT
};
enum { FIRST_CONDITION = FIELD_above, LAST_CONDITION = FIELD_quality };

typedef struct AlarmFieldInfo {
    const char *name, *usage;
} AlarmFieldInfo;

extern const AlarmFieldInfo alarm_fields[FIELD__COUNT];

typedef struct Alarm {
    Check *c;
    const AstItem *item;
    const AstField *given[FIELD__COUNT];
    int condition;    /* FIELD_above ... FIELD_quality, or -1 */
    const Type *type; /* of the schema's field; NULL: not known */
    const Unit *unit; /* of the limit in the rule */
    JsonOut *json;
    bool wrong;
} Alarm;

#define WRONG(a, code, span, ...)                                                                  \
    ((a)->wrong = true, diag_error((a)->c->diags, (code), (span), __VA_ARGS__))

static inline bool alarm__is_rate(const Alarm *a)
{
    return a->condition == FIELD_rises || a->condition == FIELD_falls;
}

static inline bool alarm__has_limit(const Alarm *a)
{
    return alarm__is_rate(a) || a->condition == FIELD_above || a->condition == FIELD_below;
}

/* What stands behind the field, or NULL. From here on errors are those of this field: one each. */
const AstExpr *alarm__value_of(Alarm *a, int field);

/* Where one is false, what was wrong has been said. */
/* A text with constants in it; in a message also the placeholders, which stay. */
bool alarm__text(Alarm *a, int field, size_t bytes_max, Str *ret_text);
/* `on`: a path or a filter; of a schema (`root`: its type) a field, whose type says what fits. */
bool alarm__filter(Alarm *a, Str *ret_on);
bool alarm__field(Alarm *a, const Type *root, Str *ret_on);
/* One of some words, written bare. */
bool alarm__choice(Alarm *a, int field, const char *const *list, size_t count,
                   const char **ret_word);

/* Into the rule, what is given. The limit comes before its hysteresis. */
void alarm__put_limit(Alarm *a);
void alarm__put_hysteresis(Alarm *a);
void alarm__put_words(Alarm *a);
void alarm__put_span(Alarm *a, int field, const char *name, bool zero);

#endif
