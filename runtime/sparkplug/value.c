/* runtime/sparkplug/value.c: values of metrics as JSON, and scalars from it.
 *
 * A whole number stands in `int` up to 32 bits and in `long` above, negative ones as the two's
 * complement of that many bits; some clients write the other member, or only the bits their type
 * has, and are understood as well. UInt32 is written as `long`, where Eclipse Tahu has it and
 * looks for it. */
#include "base/num.h"
#include "base/rfc3339.h"
#include "flow/instance.h"
#include "sparkplug/wire.h"

#include <math.h>

typedef enum Kind {
    K_NONE,
    K_SIGNED,
    K_UNSIGNED,
    K_FLOAT,
    K_BOOL,
    K_TEXT,
    K_TIME,
    K_DATASET,
    K_BYTES,
    K_TEMPLATE,
    K_SIGNED_LIST,
    K_UNSIGNED_LIST,
    K_FLOAT_LIST,
    K_BOOL_LIST,
    K_TEXT_LIST,
    K_TIME_LIST
} Kind;

static const struct {
    const char *text;
    Kind kind;
    uint32_t bits;
} types[SP_TYPES] = {
#define TYPE(number, name, text, value, bits) [number] = {text, K_##value, bits},
#include "sparkplug/types.def"
#undef TYPE
};

enum { TEXT_BYTES_MAX = 1 << 20 };

const char *sp_type_name(uint32_t type)
{
    return type && type < SP_TYPES ? types[type].text : "unknown";
}

static Kind kind_of(uint32_t type)
{
    return type < SP_TYPES ? types[type].kind : K_NONE;
}

bool sp_type_scalar(uint32_t type)
{
    Kind kind = kind_of(type);
    return kind >= K_SIGNED && kind <= K_TIME;
}

static int64_t sign_extend(uint64_t value, uint32_t bits)
{
    uint32_t shift = 64 - bits;
    return shift ? (int64_t)(value << shift) >> shift : (int64_t)value;
}

bool sp_value_int(uint32_t type, const SpValue *value, int64_t *ret_value)
{
    Kind kind = kind_of(type);
    if (value->form != SP_IN_INT && value->form != SP_IN_LONG) return false;
    if (kind != K_SIGNED && kind != K_UNSIGNED && kind != K_TIME) return false;
    uint32_t bits = types[type].bits;
    uint64_t mask = bits < 64 ? (1ull << bits) - 1 : UINT64_MAX;
    *ret_value =
        kind == K_SIGNED ? sign_extend(value->bits & mask, bits) : (int64_t)(value->bits & mask);
    return true;
}

/* ---- to JSON ---- */

static void put_value(JsonOut *out, uint32_t type, const SpValue *value, uint32_t level);

static void put_time(JsonOut *out, int64_t ms)
{
    char text[RFC3339_BYTES];
    int64_t ns;
    if (__builtin_mul_overflow(ms, (int64_t)1000000, &ns))
        json_put_null(out);
    else
        json_put_str(out, str_slice(text, (size_t)(rfc3339_put(text, ns) - text)));
}

static void put_float(JsonOut *out, double value, uint32_t bits)
{
    char text[NUM_TEXT_BYTES];
    if (bits == 32 && isfinite(value))
        json_put_raw(out, str_slice(text, (size_t)(num_put_f32(text, (float)value) - text)));
    else
        json_put_number(out, value);
}

static void put_item(JsonOut *out, Kind kind, uint32_t bits, const char *p)
{
    uint64_t raw = 0;
    memcpy(&raw, p, bits / 8);
    if (kind == K_SIGNED_LIST) {
        json_put_int(out, sign_extend(raw, bits));
    } else if (kind == K_UNSIGNED_LIST) {
        json_put_uint(out, raw);
    } else if (kind == K_TIME_LIST) {
        put_time(out, (int64_t)raw);
    } else if (bits == 32) {
        float value;
        memcpy(&value, &raw, 4);
        put_float(out, (double)value, 32);
    } else {
        double value;
        memcpy(&value, &raw, 8);
        put_float(out, value, 64);
    }
}

/* Their number in four bytes, then eight a byte, the first in the highest bit. */
static void put_bools(JsonOut *out, Str bytes)
{
    uint32_t count = 0;
    if (bytes.len >= 4) memcpy(&count, bytes.ptr, 4);
    bytes = str_skip(bytes, 4);
    for (uint32_t i = 0; i < count && i / 8 < bytes.len; i++)
        json_put_bool(out, (uint8_t)bytes.ptr[i / 8] >> (7 - i % 8) & 1);
}

/* Each ended by a NUL. */
static void put_texts(JsonOut *out, Str bytes)
{
    while (bytes.len) {
        ptrdiff_t end = str_find_char(bytes, 0);
        size_t len = end < 0 ? bytes.len : (size_t)end;
        json_put_str(out, str_slice(bytes.ptr, len));
        bytes = str_skip(bytes, len + 1);
    }
}

static void put_list(JsonOut *out, Kind kind, uint32_t bits, Str bytes)
{
    json_begin_array(out);
    if (kind == K_BOOL_LIST)
        put_bools(out, bytes);
    else if (kind == K_TEXT_LIST)
        put_texts(out, bytes);
    else
        for (size_t step = bits / 8; bytes.len >= step; bytes = str_skip(bytes, step))
            put_item(out, kind, bits, bytes.ptr);
    json_end(out);
}

static void put_base64(JsonOut *out, Str bytes)
{
    AUTO_BUF Buf text;
    buf_init(&text, TEXT_BYTES_MAX);
    flow_put_base64(&text, bytes);
    if (buf_status(&text))
        json_put_null(out);
    else
        json_put_str(out, buf_view(&text));
}

/* The n-th type of a DataSet; both ways to write them were checked. */
static void read_types(Str rest, uint8_t *list)
{
    Field field;
    uint32_t n = 0;
    u64 type;
    while (sp__step(&rest, &field) == STEP_FIELD) {
        if (field.number != D_TYPE) continue;
        if (field.wire == PROTO_VARINT && n < SP_COLUMNS_MAX)
            list[n++] = field.bits < SP_TYPES ? (uint8_t)field.bits : SP_NO_TYPE;
        while (field.wire == PROTO_LEN && field.bytes.len && n < SP_COLUMNS_MAX) {
            const char *end = field.bytes.ptr + field.bytes.len;
            const char *p = proto_varint(field.bytes.ptr, end, &type);
            if (!p) return;
            list[n++] = type < SP_TYPES ? (uint8_t)type : SP_NO_TYPE;
            field.bytes = str_slice(p, (size_t)(end - p));
        }
    }
}

static void put_row(JsonOut *out, Str rest, const uint8_t *list)
{
    Field field, inner;
    uint32_t n = 0;
    json_begin_array(out);
    while (sp__step(&rest, &field) == STEP_FIELD && n < SP_COLUMNS_MAX) {
        if (field.number != ROW_CELL || field.wire != PROTO_LEN) continue;
        SpValue value = {0};
        for (Str cell = field.bytes; sp__step(&cell, &inner) == STEP_FIELD;)
            (void)sp__take_value(&inner, CELL_VALUE, &value);
        put_value(out, list[n++], &value, SP_LEVELS_MAX);
    }
    json_end(out);
}

static void put_dataset(JsonOut *out, Str bytes)
{
    uint8_t list[SP_COLUMNS_MAX] = {0};
    Field field;
    uint32_t n = 0;
    read_types(bytes, list);
    json_begin_object(out);
    json_key(out, "columns");
    json_begin_array(out);
    for (Str rest = bytes; sp__step(&rest, &field) == STEP_FIELD;)
        if (field.number == D_COLUMN && field.wire == PROTO_LEN) {
            json_put_str(out, field.bytes);
            n++;
        }
    json_end(out);
    json_key(out, "types");
    json_begin_array(out);
    for (uint32_t i = 0; i < n && i < SP_COLUMNS_MAX; i++)
        json_put_text(out, sp_type_name(list[i]));
    json_end(out);
    json_key(out, "rows");
    json_begin_array(out);
    for (Str rest = bytes; sp__step(&rest, &field) == STEP_FIELD;)
        if (field.number == D_ROW && field.wire == PROTO_LEN) put_row(out, field.bytes, list);
    json_end(out);
    json_end(out);
}

static void put_template(JsonOut *out, Str bytes, uint32_t level)
{
    SpTemplate is = sp_template(bytes);
    SpMetric metric;
    SpWalk walk = sp_template_metrics(&is);
    json_begin_object(out);
    json_field_str(out, "ref", is.ref);
    json_key(out, "metrics");
    json_begin_object(out);
    while (level < SP_LEVELS_MAX && sp_metric_next(&walk, &metric)) {
        json_key_str(out, metric.name);
        if (metric.null)
            json_put_null(out);
        else
            put_value(out, metric.type, &metric.value, level + 1);
    }
    json_end(out);
    json_end(out);
}

static void put_value(JsonOut *out, uint32_t type, const SpValue *value, uint32_t level)
{
    Kind kind = kind_of(type);
    int64_t whole;
    bool is_int = sp_value_int(type, value, &whole);
    if (kind == K_UNSIGNED && is_int)
        json_put_uint(out, (uint64_t)whole);
    else if (kind == K_SIGNED && is_int)
        json_put_int(out, whole);
    else if (kind == K_TIME && is_int)
        put_time(out, whole);
    else if (kind == K_FLOAT && (value->form == SP_IN_FLOAT || value->form == SP_IN_DOUBLE))
        put_float(out, value->number, value->form == SP_IN_FLOAT ? 32 : 64);
    else if (kind == K_BOOL && value->form == SP_IN_BOOL)
        json_put_bool(out, value->bits);
    else if (kind == K_TEXT && value->form == SP_IN_STRING)
        json_put_str(out, value->bytes);
    else if (kind >= K_SIGNED_LIST && value->form == SP_IN_BYTES)
        put_list(out, kind, types[type].bits, value->bytes);
    else if (kind == K_BYTES && value->form == SP_IN_BYTES)
        put_base64(out, value->bytes);
    else if (kind == K_DATASET && value->form == SP_IN_DATASET)
        put_dataset(out, value->bytes);
    else if (kind == K_TEMPLATE && value->form == SP_IN_TEMPLATE)
        put_template(out, value->bytes, level);
    else
        json_put_null(out);
}

void sp_put_json(JsonOut *out, uint32_t type, const SpValue *value)
{
    put_value(out, type, value, 0);
}

/* ---- from JSON ---- */

static bool whole_fits(Kind kind, uint32_t bits, int64_t value)
{
    if (kind != K_SIGNED) return value >= 0 && (bits == 64 || (uint64_t)value >> bits == 0);
    return bits == 64 || sign_extend((uint64_t)value, bits) == value;
}

static bool from_number(uint32_t type, const Json *json, SpValue *value)
{
    Kind kind = types[type].kind;
    uint32_t bits = types[type].bits;
    if (kind == K_FLOAT) {
        if (json->type != JSON_INT && json->type != JSON_NUMBER) return false;
        *value = (SpValue){.form = bits == 32 ? SP_IN_FLOAT : SP_IN_DOUBLE, .number = json->number};
        return bits == 64 || isfinite((float)json->number);
    }
    if (json->type != JSON_INT || !whole_fits(kind, bits, json->integer)) return false;
    bool is_long = bits == 64 || type == SP_UINT32;
    *value = (SpValue){.form = is_long ? SP_IN_LONG : SP_IN_INT, .bits = (uint64_t)json->integer};
    if (bits < 64) value->bits = (uint32_t)value->bits;
    return true;
}

static bool from_text(uint32_t type, const Json *json, SpValue *value)
{
    int64_t ns;
    if (json->type != JSON_STRING) return false;
    if (types[type].kind == K_TEXT) {
        *value = (SpValue){.form = SP_IN_STRING, .bytes = json->text};
        return true;
    }
    if (types[type].kind != K_TIME || !rfc3339_get(json->text, &ns) || ns < 0) return false;
    *value = (SpValue){.form = SP_IN_LONG, .bits = (uint64_t)(ns / 1000000)};
    return true;
}

Status sp_value_from_json(uint32_t type, const Json *json, SpMetric *ret_metric, Diag *diag)
{
    SpValue value = {0};
    if (!sp_type_scalar(type))
        return diag_set(diag, ST_UNSUPPORTED, "a value of type %s cannot be written from here",
                        sp_type_name(type));
    bool null = json->type == JSON_NULL, fits = null || from_text(type, json, &value);
    if (!fits && types[type].kind == K_BOOL &&
        (json->type == JSON_TRUE || json->type == JSON_FALSE)) {
        value = (SpValue){.form = SP_IN_BOOL, .bits = json->type == JSON_TRUE};
        fits = true;
    }
    if (!fits && types[type].kind != K_BOOL && types[type].kind != K_TEXT)
        fits = from_number(type, json, &value);
    if (!fits)
        return diag_set(diag, ST_INVALID, "%.*s is no %s",
                        (int)(json->raw.len < 60 ? json->raw.len : 60), json->raw.ptr,
                        sp_type_name(type));
    ret_metric->type = type;
    ret_metric->null = null;
    ret_metric->value = value;
    return ST_OK;
}
