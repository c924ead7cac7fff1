/* runtime/base/json.h: JSON for configuration and the API (RFC 8259); the data plane has its own.
 *
 * Reading gives a tree in an arena. It is strict: whole text, UTF-8 checked, at most 64 levels,
 * duplicate keys refused, integers exact in 64 bits. Writing appends to a Buf and puts the commas.
 * The reasons for not taking cJSON are in docs/decisions. */
#ifndef TUTTI_BASE_JSON_H
#define TUTTI_BASE_JSON_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"
#include "base/str.h"

enum { JSON_DEPTH_MAX = 64 };

typedef enum JsonType {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_INT,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
} JsonType;

typedef struct Json {
    JsonType type;
    Str key;            /* name inside an object, unescaped; else empty */
    Str text;           /* JSON_STRING: unescaped text. Every type: see `raw` for the source */
    Str raw;            /* the value's slice of the source text */
    int64_t integer;    /* JSON_INT: exact */
    double number;      /* JSON_INT and JSON_NUMBER */
    struct Json *first; /* JSON_ARRAY, JSON_OBJECT: children in order */
    struct Json *next;  /* next sibling */
    uint32_t count;     /* children */
} Json;

/* Reads one whole text. Everything lives in `arena`, except that raw slices point into `text`,
 * which must live as long. The Diag names line and column. */
MUST Status json_read(Arena *arena, Str text, const Json **ret_json, Diag *diag);

/* Lookups accept NULL and wrong types, and then give NULL or the preset. */
const Json *json_get(const Json *object, const char *name);
const Json *json_at(const Json *array, uint32_t index);
Str json_str(const Json *object, const char *name, Str preset);
int64_t json_int(const Json *object, const char *name, int64_t preset);
double json_number(const Json *object, const char *name, double preset);
bool json_bool(const Json *object, const char *name, bool preset);

/* Writer. Keys and values alternate inside objects; commas and escapes come by themselves.
 *   JsonOut out; json_out_init(&out, &buf);
 *   json_begin_object(&out); json_key(&out, "id"); json_put_int(&out, 7); json_end(&out);      */
typedef struct JsonOut {
    Buf *buf;
    uint32_t depth;
    bool comma[JSON_DEPTH_MAX + 1], is_object[JSON_DEPTH_MAX + 1], after_key;
} JsonOut;

void json_out_init(JsonOut *out, Buf *buf);
void json_begin_object(JsonOut *out);
void json_begin_array(JsonOut *out);
void json_end(JsonOut *out); /* closes the innermost object or array */
void json_key(JsonOut *out, const char *name);
void json_key_str(JsonOut *out, Str name);
void json_put_str(JsonOut *out, Str text);          /* bytes that are not UTF-8 become U+FFFD */
void json_put_text(JsonOut *out, const char *text); /* NULL writes null */
void json_put_int(JsonOut *out, int64_t value);
void json_put_uint(JsonOut *out, uint64_t value);
void json_put_number(JsonOut *out, double value); /* NaN and infinities write null */
void json_put_bool(JsonOut *out, bool value);
void json_put_null(JsonOut *out);
void json_put_raw(JsonOut *out, Str json); /* already valid JSON */
/* Key and value in one call. */
void json_field_str(JsonOut *out, const char *name, Str text);
void json_field_text(JsonOut *out, const char *name, const char *text);
void json_field_int(JsonOut *out, const char *name, int64_t value);
void json_field_number(JsonOut *out, const char *name, double value);
void json_field_bool(JsonOut *out, const char *name, bool value);

#endif
