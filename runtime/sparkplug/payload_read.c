/* runtime/sparkplug/payload_read.c: a payload's bytes: checked whole, then walked.
 *
 * A field nobody knows is passed over, one whose bytes are of another kind than its number says as
 * well. */
#include "sparkplug/wire.h"

typedef struct Check {
    uint32_t metrics;
    const char *wrong;
    Status status;
} Check;

static bool bad(Check *check, Status status, const char *why)
{
    if (!check->wrong) {
        check->wrong = why;
        check->status = status;
    }
    return false;
}

static bool check_metric(Check *check, Str bytes, uint32_t level);

/* ---- property sets ---- */

static bool check_set(Check *check, Str bytes, uint32_t level);

static bool check_property(Check *check, Str rest, uint32_t level)
{
    Field field, inner;
    Step step;
    while ((step = sp__step(&rest, &field)) == STEP_FIELD) {
        if (field.wire != PROTO_LEN) continue;
        if (field.number == PROPERTY_SET && !check_set(check, field.bytes, level + 1)) return false;
        if (field.number != PROPERTY_LIST) continue;
        Str sets = field.bytes;
        while ((step = sp__step(&sets, &inner)) == STEP_FIELD)
            if (inner.number == LIST_SET && inner.wire == PROTO_LEN &&
                !check_set(check, inner.bytes, level + 1))
                return false;
        if (step == STEP_BAD) break;
    }
    return step == STEP_END || bad(check, ST_INVALID, "a property is cut off");
}

static bool check_set(Check *check, Str rest, uint32_t level)
{
    Field field;
    Step step;
    uint32_t keys = 0, values = 0;
    if (level > SP_LEVELS_MAX) return bad(check, ST_LIMIT, "property sets are nested too deep");
    while ((step = sp__step(&rest, &field)) == STEP_FIELD) {
        if (field.wire != PROTO_LEN) continue;
        keys += field.number == SET_KEY;
        values += field.number == SET_VALUE;
        if (field.number == SET_VALUE && !check_property(check, field.bytes, level)) return false;
    }
    if (step == STEP_BAD) return bad(check, ST_INVALID, "a property set is cut off");
    return keys == values || bad(check, ST_INVALID, "a property set has keys without values");
}

/* The value of the n-th key is the n-th value. */
static bool nth_value(Str rest, uint32_t n, Str *ret_value)
{
    Field field;
    while (sp__step(&rest, &field) == STEP_FIELD)
        if (field.number == SET_VALUE && field.wire == PROTO_LEN && !n--) {
            *ret_value = field.bytes;
            return true;
        }
    return false;
}

bool sp_property(Str set, const char *key, uint32_t *ret_type, SpValue *ret_value)
{
    Field field;
    Str rest = set, value;
    uint32_t n = 0, type = SP_NO_TYPE;
    bool null = false, found = false;
    SpValue taken = {0};
    while (sp__step(&rest, &field) == STEP_FIELD && !found) {
        if (field.number != SET_KEY || field.wire != PROTO_LEN) continue;
        found = str_is(field.bytes, key);
        n += !found;
    }
    if (!found || !nth_value(set, n, &value)) return false;
    while (sp__step(&value, &field) == STEP_FIELD) {
        if (sp__take_value(&field, PROPERTY_VALUE, &taken) || field.wire != PROTO_VARINT) continue;
        if (field.number == PROPERTY_TYPE) type = (uint32_t)field.bits;
        if (field.number == PROPERTY_NULL) null = field.bits != 0;
    }
    if (null || taken.form == SP_IN_NOTHING) return false;
    *ret_type = type;
    *ret_value = taken;
    return true;
}

/* ---- DataSets ---- */

static bool check_row(Check *check, Str rest, uint32_t *ret_cells)
{
    Field field, inner;
    Step step;
    *ret_cells = 0;
    while ((step = sp__step(&rest, &field)) == STEP_FIELD) {
        if (field.number != ROW_CELL || field.wire != PROTO_LEN) continue;
        ++*ret_cells;
        Str cell = field.bytes;
        while ((step = sp__step(&cell, &inner)) == STEP_FIELD) {
        }
        if (step == STEP_BAD) break;
    }
    return step == STEP_END || bad(check, ST_INVALID, "a row of a DataSet is cut off");
}

/* The types stand one a field, as proto2 writes them, or packed. */
static bool count_types(Str rest, uint32_t *count)
{
    u64 n;
    while (rest.len) {
        const char *end = rest.ptr + rest.len, *p = proto_varint(rest.ptr, end, &n);
        if (!p) return false;
        rest = str_slice(p, (size_t)(end - p));
        ++*count;
    }
    return true;
}

static bool check_dataset(Check *check, Str bytes)
{
    Field field;
    Step step;
    uint32_t columns = 0, types = 0, cells;
    Str rest = bytes;
    while ((step = sp__step(&rest, &field)) == STEP_FIELD) {
        if (field.number == D_TYPE && field.wire == PROTO_VARINT) types++;
        if (field.wire != PROTO_LEN) continue;
        columns += field.number == D_COLUMN;
        if (field.number == D_TYPE && !count_types(field.bytes, &types))
            return bad(check, ST_INVALID, "the types of a DataSet are cut off");
        if (columns > SP_COLUMNS_MAX || types > SP_COLUMNS_MAX)
            return bad(check, ST_LIMIT, "a DataSet has too many columns");
    }
    if (step == STEP_BAD) return bad(check, ST_INVALID, "a DataSet is cut off");
    /* tck-id-payloads-dataset-column-num-headers, tck-id-payloads-dataset-types-num */
    if (columns != types) return bad(check, ST_INVALID, "a DataSet has not one type a column");
    for (rest = bytes; sp__step(&rest, &field) == STEP_FIELD;) {
        if (field.number != D_ROW || field.wire != PROTO_LEN) continue;
        if (!check_row(check, field.bytes, &cells)) return false;
        if (cells != columns)
            return bad(check, ST_INVALID, "a row of a DataSet has not one value a column");
    }
    return true;
}

/* ---- templates ---- */

static bool check_template(Check *check, Str rest, uint32_t level)
{
    Field field, inner;
    Step step;
    if (level > SP_LEVELS_MAX) return bad(check, ST_LIMIT, "templates are nested too deep");
    while ((step = sp__step(&rest, &field)) == STEP_FIELD) {
        if (field.wire != PROTO_LEN) continue;
        if (field.number == T_METRIC && !check_metric(check, field.bytes, level)) return false;
        if (field.number != T_PARAMETER) continue;
        Str parameter = field.bytes;
        while ((step = sp__step(&parameter, &inner)) == STEP_FIELD) {
        }
        if (step == STEP_BAD) break;
    }
    return step == STEP_END || bad(check, ST_INVALID, "a template is cut off");
}

SpTemplate sp_template(Str bytes)
{
    SpTemplate is = {.bytes = bytes};
    Field field;
    for (Str rest = bytes; sp__step(&rest, &field) == STEP_FIELD;) {
        if (field.number == T_REF && field.wire == PROTO_LEN) is.ref = field.bytes;
        if (field.number == T_DEFINITION && field.wire == PROTO_VARINT)
            is.definition = field.bits != 0;
    }
    return is;
}

SpWalk sp_template_metrics(const SpTemplate *of)
{
    return (SpWalk){of->bytes, T_METRIC};
}

/* ---- metrics ---- */

static void take_flag(SpMetric *metric, const Field *field)
{
    bool on = field->bits != 0;
    switch (field->number) {
    case M_ALIAS:
        metric->alias = field->bits;
        metric->has_alias = true;
        break;
    case M_TIMESTAMP:
        metric->ts_ms = field->bits > INT64_MAX ? INT64_MAX : (int64_t)field->bits;
        break;
    case M_TYPE: metric->type = (uint32_t)field->bits; break;
    case M_HISTORICAL: metric->historical = on; break;
    case M_TRANSIENT: metric->transient = on; break;
    case M_NULL: metric->null = on; break;
    default: break;
    }
}

static void take_bytes(SpMetric *metric, const Field *field)
{
    switch (field->number) {
    case M_NAME: metric->name = field->bytes; break;
    case M_PROPERTIES: metric->set = field->bytes; break;
    case M_BYTES: metric->value = (SpValue){.form = SP_IN_BYTES, .bytes = field->bytes}; break;
    case M_DATASET: metric->value = (SpValue){.form = SP_IN_DATASET, .bytes = field->bytes}; break;
    case M_TEMPLATE:
        metric->value = (SpValue){.form = SP_IN_TEMPLATE, .bytes = field->bytes};
        break;
    default: break;
    }
}

static Step read_metric(Str rest, SpMetric *metric)
{
    Field field;
    Step step;
    *metric = (SpMetric){.ts_ms = SP_NO_TIME};
    while ((step = sp__step(&rest, &field)) == STEP_FIELD) {
        if (sp__take_value(&field, M_VALUE, &metric->value)) continue;
        if (field.wire == PROTO_VARINT) take_flag(metric, &field);
        if (field.wire == PROTO_LEN) take_bytes(metric, &field);
    }
    return step;
}

static bool check_metric(Check *check, Str bytes, uint32_t level)
{
    SpMetric metric;
    if (++check->metrics > SP_METRICS_MAX) return bad(check, ST_LIMIT, "too many metrics");
    if (read_metric(bytes, &metric) == STEP_BAD)
        return bad(check, ST_INVALID, "a metric is cut off");
    if (metric.name.len > SP_NAME_BYTES_MAX || !str_utf8_valid(metric.name))
        return bad(check, ST_INVALID, "a metric's name is too long or no UTF-8");
    if (metric.set.len && !check_set(check, metric.set, 0)) return false;
    if (metric.value.form == SP_IN_DATASET) return check_dataset(check, metric.value.bytes);
    if (metric.value.form == SP_IN_TEMPLATE)
        return check_template(check, metric.value.bytes, level + 1);
    return true;
}

Status sp_payload_read(Str bytes, SpPayload *ret_payload, Diag *diag)
{
    SpPayload payload = {.bytes = bytes, .ts_ms = SP_NO_TIME, .seq = -1};
    Check check = {0};
    Field field;
    Step step;
    Str rest = bytes;
    while ((step = sp__step(&rest, &field)) == STEP_FIELD) {
        if (field.number == P_METRIC && field.wire == PROTO_LEN) {
            payload.count++;
            if (!check_metric(&check, field.bytes, 0)) break;
        } else if (field.number == P_TIMESTAMP && field.wire == PROTO_VARINT) {
            payload.ts_ms = field.bits > INT64_MAX ? INT64_MAX : (int64_t)field.bits;
        } else if (field.number == P_SEQ && field.wire == PROTO_VARINT) {
            if (field.bits > 255) (void)bad(&check, ST_INVALID, "seq is not between 0 and 255");
            payload.seq = (int32_t)(field.bits & 255);
        } else if (field.number == P_UUID && str_is(field.bytes, "SPBV1.0_COMPRESSED")) {
            (void)bad(&check, ST_UNSUPPORTED, "it is compressed, which 3.0 does not know");
        }
    }
    if (step == STEP_BAD) (void)bad(&check, ST_INVALID, "the payload is cut off, or no protobuf");
    if (check.wrong) return diag_set(diag, check.status, "%s", check.wrong);
    *ret_payload = payload;
    return ST_OK;
}

SpWalk sp_metrics(const SpPayload *payload)
{
    return (SpWalk){payload->bytes, P_METRIC};
}

bool sp_metric_next(SpWalk *walk, SpMetric *ret_metric)
{
    Field field;
    while (sp__step(&walk->rest, &field) == STEP_FIELD)
        if (field.number == walk->number && field.wire == PROTO_LEN)
            return read_metric(field.bytes, ret_metric) == STEP_END;
    return false;
}
