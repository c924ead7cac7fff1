/* runtime/mqtt/codec_write.c: from packets to bytes.
 *
 * A writer appends a whole packet or, when the Buf fails, leaves a failed Buf behind (base/buf.h).
 * Bodies are written behind five spare bytes and moved down once their length is known: packets
 * that go this way are small. PUBLISH, the hot one, computes its length first instead. */
#include "mqtt/codec.h"

static const uint8_t prop_ids[] = {
#define PROP(id, name, type, packets, many) [MQTT_P_##name] = id,
#include "mqtt/props.def"
#undef PROP
};

enum { BYTE, U16, U32, VARINT, STRING, BINARY, PAIR };
static const uint8_t prop_types[] = {
#define PROP(id, name, type, packets, many) [MQTT_P_##name] = type,
#include "mqtt/props.def"
#undef PROP
};

static void put_u8(Buf *out, uint32_t value)
{
    buf_char(out, (char)(uint8_t)value);
}

static void put_u16(Buf *out, uint32_t value)
{
    char bytes[2] = {(char)(value >> 8), (char)value};
    buf_add(out, bytes, 2);
}

static void put_u32(Buf *out, uint32_t value)
{
    put_u16(out, value >> 16);
    put_u16(out, value & 0xffff);
}

static size_t varint_write(char *to, uint32_t value)
{
    size_t len = 0;
    do {
        uint32_t byte = value & 0x7f;
        value >>= 7;
        to[len++] = (char)(byte | (value ? 0x80 : 0));
    } while (value);
    return len;
}

static size_t varint_bytes(size_t value)
{
    return value < 128 ? 1 : value < 16384 ? 2 : value < 2097152 ? 3 : 4;
}

static void put_varint(Buf *out, uint32_t value)
{
    char bytes[5];
    buf_add(out, bytes, varint_write(bytes, value));
}

void mqtt_put_string(Buf *rows, Str text)
{
    if (text.len > 65535) {
        rows->failed = ST_LIMIT;
        return;
    }
    put_u16(rows, (uint32_t)text.len);
    buf_str(rows, text);
}

static void put_block(Buf *out, uint8_t version, Str block)
{
    if (version < 5) return;
    put_varint(out, (uint32_t)block.len);
    buf_str(out, block);
}

/* Starts a packet: five bytes of room, given back by packet_end. */
static size_t packet_begin(Buf *out)
{
    size_t start = out->len;
    buf_add(out, "\0\0\0\0", 5);
    return start;
}

static void packet_end(Buf *out, size_t start, uint8_t first)
{
    if (out->failed) return;
    size_t body = out->len - start - 5;
    if (body > MQTT_REMAINING_MAX) {
        out->failed = ST_LIMIT;
        return;
    }
    char head[5];
    head[0] = (char)first;
    size_t head_len = 1 + varint_write(head + 1, (uint32_t)body);
    memmove(out->ptr + start + head_len, out->ptr + start + 5, body);
    memcpy(out->ptr + start, head, head_len);
    out->len = start + head_len + body;
}

void mqtt_put_prop_number(Buf *block, MqttPropIndex index, uint32_t value)
{
    put_u8(block, prop_ids[index]);
    switch (prop_types[index]) {
    case BYTE: put_u8(block, value); break;
    case U16: put_u16(block, value); break;
    case U32: put_u32(block, value); break;
    default: put_varint(block, value);
    }
}

void mqtt_put_prop_text(Buf *block, MqttPropIndex index, Str text)
{
    put_u8(block, prop_ids[index]);
    mqtt_put_string(block, text);
}

void mqtt_put_prop_user(Buf *block, Str key, Str value)
{
    put_u8(block, prop_ids[MQTT_P_USER]);
    mqtt_put_string(block, key);
    mqtt_put_string(block, value);
}

void mqtt_put_connect(Buf *out, const MqttConnectOut *connect)
{
    size_t start = packet_begin(out);
    mqtt_put_string(out, connect->version == 3 ? STR("MQIsdp") : STR("MQTT"));
    put_u8(out, connect->version | (connect->bridge ? 0x80u : 0u));
    uint32_t flags = connect->clean ? 2u : 0u;
    if (connect->has_will)
        flags |= 4u | (uint32_t)connect->will_qos << 3 | (connect->will_retain ? 0x20u : 0u);
    flags |= (connect->has_password ? 0x40u : 0u) | (connect->has_user ? 0x80u : 0u);
    put_u8(out, flags);
    put_u16(out, connect->keep_alive);
    put_block(out, connect->version, connect->props);
    mqtt_put_string(out, connect->client_id);
    if (connect->has_will) {
        put_block(out, connect->version, connect->will_props);
        mqtt_put_string(out, connect->will_topic);
        mqtt_put_string(out, connect->will_payload);
    }
    if (connect->has_user) mqtt_put_string(out, connect->user);
    if (connect->has_password) mqtt_put_string(out, connect->password);
    packet_end(out, start, MQTT_CONNECT << 4);
}

void mqtt_put_connack(Buf *out, uint8_t version, bool session_present, uint8_t reason, Str props)
{
    size_t start = packet_begin(out);
    put_u8(out, session_present);
    put_u8(out, reason);
    put_block(out, version, props);
    packet_end(out, start, MQTT_CONNACK << 4);
}

void mqtt_put_ack(Buf *out, uint8_t type, uint8_t version, uint16_t id, uint8_t reason, Str props)
{
    uint8_t first = (uint8_t)(type << 4 | (type == MQTT_PUBREL ? 2 : 0));
    if (version < 5 || (!reason && !props.len)) {
        char bytes[4] = {(char)first, 2, (char)(id >> 8), (char)id};
        buf_add(out, bytes, 4);
        return;
    }
    size_t start = packet_begin(out);
    put_u16(out, id);
    put_u8(out, reason);
    if (props.len) put_block(out, version, props);
    packet_end(out, start, first);
}

static void put_rows(Buf *out, uint8_t type, uint8_t version, uint16_t id, Str props, Str rows)
{
    size_t start = packet_begin(out);
    put_u16(out, id);
    put_block(out, version, props);
    buf_str(out, rows);
    packet_end(out, start, (uint8_t)(type << 4 | 2));
}

void mqtt_put_subscribe(Buf *out, uint8_t version, uint16_t id, Str props, Str rows)
{
    put_rows(out, MQTT_SUBSCRIBE, version, id, props, rows);
}

void mqtt_put_unsubscribe(Buf *out, uint8_t version, uint16_t id, Str props, Str rows)
{
    put_rows(out, MQTT_UNSUBSCRIBE, version, id, props, rows);
}

void mqtt_put_filter(Buf *rows, uint8_t version, const MqttFilterRow *row)
{
    mqtt_put_string(rows, row->filter);
    uint32_t options = row->qos;
    if (version == 5)
        options |= (row->no_local ? 4u : 0u) | (row->retain_as_published ? 8u : 0u) |
                   (uint32_t)row->retain_handling << 4;
    put_u8(rows, options);
}

void mqtt_put_codes(Buf *out, uint8_t type, uint8_t version, uint16_t id, Str codes)
{
    size_t start = packet_begin(out);
    put_u16(out, id);
    put_block(out, version, (Str){"", 0});
    if (type == MQTT_SUBACK || version == 5) buf_str(out, codes);
    packet_end(out, start, (uint8_t)(type << 4));
}

void mqtt_put_bare(Buf *out, uint8_t type)
{
    char bytes[2] = {(char)(type << 4), 0};
    buf_add(out, bytes, 2);
}

void mqtt_put_disconnect(Buf *out, uint8_t version, uint8_t reason, Str props)
{
    if (version < 5 || (!reason && !props.len)) {
        mqtt_put_bare(out, MQTT_DISCONNECT);
        return;
    }
    size_t start = packet_begin(out);
    put_u8(out, reason);
    if (props.len) put_block(out, version, props);
    packet_end(out, start, (uint8_t)(MQTT_DISCONNECT << 4));
}

void mqtt_put_auth(Buf *out, uint8_t reason, Str props)
{
    size_t start = packet_begin(out);
    put_u8(out, reason);
    put_block(out, 5, props);
    packet_end(out, start, (uint8_t)(MQTT_AUTH << 4));
}

static size_t publish_props(const MqttPublishOut *pub)
{
    size_t len = pub->props.len + (pub->expires ? 5 : 0) + (pub->alias ? 3 : 0);
    for (uint32_t i = 0; i < pub->sub_id_count; i++) len += 1 + varint_bytes(pub->sub_ids[i]);
    return len;
}

static size_t publish_body(const MqttPublishOut *pub, uint8_t version, size_t props)
{
    return 2 + pub->topic.len + (pub->qos ? 2 : 0) +
           (version == 5 ? varint_bytes(props) + props : 0) + pub->payload.len;
}

size_t mqtt_publish_bytes(const MqttPublishOut *pub, uint8_t version)
{
    size_t body = publish_body(pub, version, publish_props(pub));
    return body > MQTT_REMAINING_MAX || pub->topic.len > 65535 ? 0 : 1 + varint_bytes(body) + body;
}

void mqtt_put_publish(Buf *out, const MqttPublishOut *pub, uint8_t version)
{
    size_t props = publish_props(pub), body = publish_body(pub, version, props);
    if (body > MQTT_REMAINING_MAX || pub->topic.len > 65535) {
        out->failed = ST_LIMIT;
        return;
    }
    char *to = buf_reserve(out, 5 + body);
    if (!to) return;
    char *start = to;
    *to++ = (char)(MQTT_PUBLISH << 4 | (pub->dup ? 8 : 0) | pub->qos << 1 | (pub->retain ? 1 : 0));
    to += varint_write(to, (uint32_t)body);
    *to++ = (char)(pub->topic.len >> 8);
    *to++ = (char)pub->topic.len;
    if (pub->topic.len) memcpy(to, pub->topic.ptr, pub->topic.len);
    to += pub->topic.len;
    if (pub->qos) {
        *to++ = (char)(pub->id >> 8);
        *to++ = (char)pub->id;
    }
    out->len += (size_t)(to - start);
    if (version == 5) {
        put_varint(out, (uint32_t)props);
        if (pub->expires) mqtt_put_prop_number(out, MQTT_P_MESSAGE_EXPIRY, pub->expiry_s);
        if (pub->alias) mqtt_put_prop_number(out, MQTT_P_TOPIC_ALIAS, pub->alias);
        for (uint32_t i = 0; i < pub->sub_id_count; i++)
            mqtt_put_prop_number(out, MQTT_P_SUBSCRIPTION_ID, pub->sub_ids[i]);
        buf_str(out, pub->props);
    }
    buf_str(out, pub->payload);
}
