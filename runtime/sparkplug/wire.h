/* runtime/sparkplug/wire.h: fields of a protobuf message, one after the other, and what their
 * numbers are in sparkplug_b.proto (Sparkplug 3.0, 6.4.1); private. */
#ifndef TUTTI_SPARKPLUG_WIRE_H
#define TUTTI_SPARKPLUG_WIRE_H

#include "base/str.h"
#include "flow/proto.h"
#include "sparkplug/payload.h"

enum { /* Payload */
       P_TIMESTAMP = 1,
       P_METRIC = 2,
       P_SEQ = 3,
       P_UUID = 4,
};
enum { /* Metric */
       M_NAME = 1,
       M_ALIAS = 2,
       M_TIMESTAMP = 3,
       M_TYPE = 4,
       M_HISTORICAL = 5,
       M_TRANSIENT = 6,
       M_NULL = 7,
       M_PROPERTIES = 9,
       M_VALUE = 10, /* the first of those that hold one: sp__take_value */
       M_BYTES = 16,
       M_DATASET = 17,
       M_TEMPLATE = 18,
};
enum { SET_KEY = 1, SET_VALUE = 2 };
enum { PROPERTY_TYPE = 1, PROPERTY_NULL = 2, PROPERTY_VALUE = 3, PROPERTY_SET = 9, PROPERTY_LIST };
enum { LIST_SET = 1 };
enum { T_METRIC = 2, T_PARAMETER = 3, T_REF = 4, T_DEFINITION = 5 };
enum { D_COLUMN = 2, D_TYPE = 3, D_ROW = 4 };
enum { ROW_CELL = 1, CELL_VALUE = 1 };

typedef struct Field {
    uint32_t number, wire;
    uint64_t bits; /* VARINT, 64, 32 */
    Str bytes;     /* LEN */
} Field;

typedef enum Step { STEP_END, STEP_FIELD, STEP_BAD } Step;

/* The field at the front of *rest, which begins behind it afterwards. Groups are not read: no
 * message of Sparkplug has one. */
static inline Step sp__step(Str *rest, Field *field)
{
    u64 tag, n;
    if (!rest->len) return STEP_END;
    const char *end = rest->ptr + rest->len, *p = proto_varint(rest->ptr, end, &tag);
    if (!p || !(tag >> 3) || tag >> 3 > PROTO_NUMBER_MAX) return STEP_BAD;
    *field = (Field){.number = (uint32_t)(tag >> 3), .wire = tag & 7};
    switch (field->wire) {
    case PROTO_VARINT:
        if (!(p = proto_varint(p, end, &n))) return STEP_BAD;
        field->bits = n;
        break;
    case PROTO_64:
    case PROTO_32:
        n = field->wire == PROTO_64 ? 8 : 4;
        if ((u64)(end - p) < n) return STEP_BAD;
        memcpy(&field->bits, p, n); /* little end first, as we have it */
        p += n;
        break;
    case PROTO_LEN:
        if (!(p = proto_varint(p, end, &n)) || n > (u64)(end - p)) return STEP_BAD;
        field->bytes = str_slice(p, n);
        p += n;
        break;
    default: return STEP_BAD;
    }
    *rest = str_slice(p, (size_t)(end - p));
    return STEP_FIELD;
}

/* int, long, float, double, boolean, string stand one behind the other in every message that holds
 * a value; `first` is the number of the first. False: the field is no value, or of another kind. */
static inline bool sp__take_value(const Field *field, uint32_t first, SpValue *value)
{
    static const uint8_t wires[] = {PROTO_VARINT, PROTO_VARINT, PROTO_32,
                                    PROTO_64,     PROTO_VARINT, PROTO_LEN};
    uint32_t at = field->number - first;
    if (field->number < first || at >= COUNT_OF(wires) || field->wire != wires[at]) return false;
    *value = (SpValue){.form = SP_IN_INT + at, .bits = field->bits, .bytes = field->bytes};
    if (value->form == SP_IN_INT) value->bits = (uint32_t)field->bits;
    if (value->form == SP_IN_BOOL) value->bits = field->bits != 0;
    if (value->form == SP_IN_DOUBLE) memcpy(&value->number, &field->bits, 8);
    if (value->form == SP_IN_FLOAT) {
        float half;
        memcpy(&half, &field->bits, 4);
        value->number = (double)half;
    }
    return true;
}

#endif
