/* runtime/sparkplug/payload_write.c: payloads appended to a buffer, field by field.
 *
 * The length of a message inside stands in front of it and is put there when it is known: what was
 * written moves by as many bytes as the length takes. */
#include "sparkplug/wire.h"

static void put_varint(Buf *out, uint64_t value)
{
    char *room = buf_reserve(out, PROTO_VARINT_BYTES);
    if (room) out->len += (size_t)(proto_put_varint(room, value) - room);
}

static void put_number(Buf *out, uint32_t number, uint64_t value)
{
    put_varint(out, (uint64_t)number << 3 | PROTO_VARINT);
    put_varint(out, value);
}

static void put_bytes(Buf *out, uint32_t number, Str bytes)
{
    put_varint(out, (uint64_t)number << 3 | PROTO_LEN);
    put_varint(out, bytes.len);
    buf_str(out, bytes);
}

static size_t begin(Buf *out, uint32_t number)
{
    put_varint(out, (uint64_t)number << 3 | PROTO_LEN);
    return out->len;
}

static void end(Buf *out, size_t start)
{
    char length[PROTO_VARINT_BYTES];
    if (out->failed) return;
    size_t bytes = out->len - start, more = (size_t)(proto_put_varint(length, bytes) - length);
    if (!buf_reserve(out, more)) return;
    memmove(out->ptr + start + more, out->ptr + start, bytes);
    memcpy(out->ptr + start, length, more);
    out->len += more;
}

/* `first`: the number of the member for 32 bits; the others follow. */
static void put_value(Buf *out, uint32_t first, const SpValue *value)
{
    float half = (float)value->number;
    switch (value->form) {
    case SP_IN_NOTHING: return;
    case SP_IN_INT: put_number(out, first, (uint32_t)value->bits); return;
    case SP_IN_LONG: put_number(out, first + 1, value->bits); return;
    case SP_IN_FLOAT:
        put_varint(out, (uint64_t)(first + 2) << 3 | PROTO_32);
        buf_add(out, &half, 4);
        return;
    case SP_IN_DOUBLE:
        put_varint(out, (uint64_t)(first + 3) << 3 | PROTO_64);
        buf_add(out, &value->number, 8);
        return;
    case SP_IN_BOOL: put_number(out, first + 4, value->bits); return;
    default:
        put_bytes(out, first + 5 + (uint32_t)(value->form - SP_IN_STRING), value->bytes);
        return;
    }
}

void sp_put_begin(Buf *out, int64_t ts_ms)
{
    put_number(out, P_TIMESTAMP, (uint64_t)ts_ms);
}

void sp_put_seq(Buf *out, uint8_t seq)
{
    put_number(out, P_SEQ, seq);
}

void sp_put_metric(Buf *out, const SpMetric *metric)
{
    size_t start = begin(out, P_METRIC);
    if (metric->name.len) put_bytes(out, M_NAME, metric->name);
    if (metric->has_alias) put_number(out, M_ALIAS, metric->alias);
    if (metric->ts_ms != SP_NO_TIME) put_number(out, M_TIMESTAMP, (uint64_t)metric->ts_ms);
    if (metric->type) put_number(out, M_TYPE, metric->type);
    if (metric->historical) put_number(out, M_HISTORICAL, 1);
    if (metric->transient) put_number(out, M_TRANSIENT, 1);
    if (metric->null) put_number(out, M_NULL, 1);
    if (metric->set.len) put_bytes(out, M_PROPERTIES, metric->set);
    if (!metric->null) put_value(out, M_VALUE, &metric->value);
    end(out, start);
}

static void put_property(Buf *set, const char *key, uint32_t type, const SpValue *value)
{
    put_bytes(set, SET_KEY, str_from(key));
    size_t start = begin(set, SET_VALUE);
    put_number(set, PROPERTY_TYPE, type);
    put_value(set, PROPERTY_VALUE, value);
    end(set, start);
}

void sp_put_property_text(Buf *set, const char *key, Str text)
{
    put_property(set, key, SP_STRING, &(SpValue){.form = SP_IN_STRING, .bytes = text});
}

void sp_put_property_int(Buf *set, const char *key, int32_t value)
{
    put_property(set, key, SP_INT32, &(SpValue){.form = SP_IN_INT, .bits = (uint32_t)value});
}
