/* runtime/sparkplug/payload.h: payloads of Sparkplug B 3.0 (Eclipse, chapter 6): read by walking,
 * written by appending.
 *
 * A payload is checked whole once (sp_payload_read) and then walked as often as wanted; nothing is
 * copied and nothing allocated: all slices point into the bytes that were read. No length from
 * outside is believed before the bytes are there, and what stands inside each other (templates,
 * property sets) has a maximum of levels. */
#ifndef TUTTI_SPARKPLUG_PAYLOAD_H
#define TUTTI_SPARKPLUG_PAYLOAD_H

#include "base/json.h"

enum {
    SP_NO_TYPE = 0,
#define TYPE(number, name, text, value, bits) SP_##name = (number),
#include "sparkplug/types.def"
#undef TYPE
    SP_TYPES
};

enum {
    SP_METRICS_MAX = 10000,  /* of one payload, templates inside counted along */
    SP_LEVELS_MAX = 6,       /* templates in templates, property sets in property sets */
    SP_COLUMNS_MAX = 512,    /* of a DataSet */
    SP_NAME_BYTES_MAX = 512, /* of a metric */
};
#define SP_NO_TIME INT64_MIN

/* In which member of the message a value stood: those that a type does not have are found out when
 * it is read as that type. */
typedef enum SpForm {
    SP_IN_NOTHING,
    SP_IN_INT,
    SP_IN_LONG,
    SP_IN_FLOAT,
    SP_IN_DOUBLE,
    SP_IN_BOOL,
    SP_IN_STRING,
    SP_IN_BYTES,
    SP_IN_DATASET,
    SP_IN_TEMPLATE
} SpForm;

typedef struct SpValue {
    SpForm form;
    uint64_t bits; /* INT, LONG, BOOL */
    double number; /* FLOAT, DOUBLE */
    Str bytes;     /* the others */
} SpValue;

typedef struct SpMetric {
    Str name; /* empty: only the alias says which */
    Str set;  /* its properties, as a message; sp_property */
    uint64_t alias;
    int64_t ts_ms; /* SP_NO_TIME: none */
    uint32_t type; /* SP_NO_TYPE: as its birth said */
    SpValue value;
    bool has_alias, historical, transient, null;
} SpMetric;

typedef struct SpPayload {
    Str bytes;
    int64_t ts_ms;  /* SP_NO_TIME: none */
    int32_t seq;    /* 0 .. 255; -1: none */
    uint32_t count; /* metrics */
} SpPayload;

typedef struct SpWalk {
    Str rest;
    uint32_t number; /* of the field that is walked over */
} SpWalk;

/* NULL-terminated name of a type's number, "unknown" when there is none. */
const char *sp_type_name(uint32_t type);

/* Everything below it is checked: what is walked afterwards cannot be malformed. ST_INVALID: it is
 * no payload; ST_LIMIT: too many metrics. */
MUST Status sp_payload_read(Str bytes, SpPayload *ret_payload, Diag *diag);
SpWalk sp_metrics(const SpPayload *payload);
bool sp_metric_next(SpWalk *walk, SpMetric *ret_metric);

/* A property of a metric: false when it has none of that name, or null. */
bool sp_property(Str set, const char *key, uint32_t *ret_type, SpValue *ret_value);

typedef struct SpTemplate {
    Str ref;
    bool definition;
    Str bytes;
} SpTemplate;
SpTemplate sp_template(Str bytes);
SpWalk sp_template_metrics(const SpTemplate *of);

/* A value as one of its type: scalars as themselves (64 bits whole; DateTime as RFC 3339), lists as
 * arrays, bytes as base64, a DataSet as {"columns","types","rows"}, a Template as
 * {"ref","metrics"}. What does not fit its type is null. Bytes that are no UTF-8 become U+FFFD. */
void sp_put_json(JsonOut *out, uint32_t type, const SpValue *value);
/* True for the types that have one value: numbers, Boolean, texts, DateTime. */
bool sp_type_scalar(uint32_t type);
/* Signed types and DateTime; false: it does not stand in a member for whole numbers. */
bool sp_value_int(uint32_t type, const SpValue *value, int64_t *ret_value);

/* The other way: a scalar or null from JSON as a value of that type; numbers have to fit it. The
 * slices of the value point into `json`. */
MUST Status sp_value_from_json(uint32_t type, const Json *json, SpMetric *ret_metric, Diag *diag);

/* ---- writing ---- */

void sp_put_begin(Buf *out, int64_t ts_ms);
void sp_put_metric(Buf *out, const SpMetric *metric);
void sp_put_seq(Buf *out, uint8_t seq);
/* A property set with one more text, integer. */
void sp_put_property_text(Buf *set, const char *key, Str text);
void sp_put_property_int(Buf *set, const char *key, int32_t value);

#endif
