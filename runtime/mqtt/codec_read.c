/* runtime/mqtt/codec_read.c: from bytes to packets, strict.
 *
 * Every rule that one packet can break alone is checked here and nowhere else; what needs memory of
 * earlier packets (packet identifiers, aliases, order) is checked by broker and client. */
#include "mqtt/codec.h"

enum { BYTE, U16, U32, VARINT, STRING, BINARY, PAIR };
enum { ONCE, MANY };

#define IN(packet) (1u << MQTT_##packet)
#define WILL       1u
#define ACKS       (IN(PUBACK) | IN(PUBREC) | IN(PUBREL) | IN(PUBCOMP))
#define ANY_PACKET 0xfffeu

typedef struct PropRow {
    uint8_t id, type, many;
    uint32_t packets;
} PropRow;

static const PropRow prop_rows[] = {
#define PROP(id, name, type, packets, many) [MQTT_P_##name] = {id, type, many, packets},
#include "mqtt/props.def"
#undef PROP
};

/* Identifier to index + 1; 0 = no such property. */
static const uint8_t prop_index[0x2b] = {
#define PROP(id, name, type, packets, many) [id] = MQTT_P_##name + 1,
#include "mqtt/props.def"
#undef PROP
};

static MqttReason number_check(MqttPropIndex index, uint8_t type, uint32_t value)
{
    if (type == BYTE && value > 1) return MQTT_RC_PROTOCOL;
    if (value) return MQTT_RC_OK;
    switch (index) {
    case MQTT_P_TOPIC_ALIAS: return MQTT_RC_TOPIC_ALIAS;
    case MQTT_P_RECEIVE_MAX:
    case MQTT_P_MAX_PACKET:
    case MQTT_P_SUBSCRIPTION_ID: return MQTT_RC_PROTOCOL;
    default: return MQTT_RC_OK;
    }
}

static MqttReason prop_value(MqttCursor *c, MqttPropIndex index, MqttProps *props)
{
    uint8_t type = prop_rows[index].type;
    uint32_t number = 0;
    switch (type) {
    case BYTE: number = mqtt_take_u8(c); break;
    case U16: number = mqtt_take_u16(c); break;
    case U32: number = mqtt_take_u32(c); break;
    case VARINT: number = mqtt_take_varint(c); break;
    case STRING: props->text[index] = mqtt_take_string(c); break;
    case BINARY: props->text[index] = mqtt_take_binary(c); break;
    default: (void)mqtt_take_string(c); props->text[index] = mqtt_take_string(c);
    }
    if (c->bad) return MQTT_RC_MALFORMED;
    if (index == MQTT_P_RESPONSE_TOPIC && !mqtt_topic_valid(props->text[index]))
        return MQTT_RC_PROTOCOL;
    if (type > VARINT) return MQTT_RC_OK;
    if (index == MQTT_P_SUBSCRIPTION_ID) {
        if (props->sub_id_count == MQTT_SUB_IDS_MAX) return MQTT_RC_IMPLEMENTATION;
        props->sub_ids[props->sub_id_count++] = number;
    }
    props->number[index] = number;
    return number_check(index, type, number);
}

MqttReason mqtt_props_read(Str block, uint8_t type, MqttProps *ret_props)
{
    MqttCursor c = mqtt_cursor(block);
    ret_props->has = 0;
    ret_props->sub_id_count = 0;
    ret_props->raw = block;
    while (c.at < c.end) {
        uint32_t id = mqtt_take_varint(&c);
        if (c.bad || id >= COUNT_OF(prop_index) || !prop_index[id]) return MQTT_RC_MALFORMED;
        MqttPropIndex index = (MqttPropIndex)(prop_index[id] - 1);
        const PropRow *row = &prop_rows[index];
        /* Bytes that are missing are worse than a property out of place: value first. */
        MqttReason reason = prop_value(&c, index, ret_props);
        if (reason) return reason;
        if (!(row->packets >> type & 1)) return MQTT_RC_PROTOCOL;
        bool many = row->many == MANY && !(id == 0x0b && type == MQTT_SUBSCRIBE);
        if (mqtt_has(ret_props, index) && !many) return MQTT_RC_PROTOCOL;
        ret_props->has |= 1ull << index;
    }
    return MQTT_RC_OK;
}

/* The length and the block behind it. */
static MqttReason props_take(MqttCursor *c, uint8_t type, MqttProps *ret_props)
{
    uint32_t len = mqtt_take_varint(c);
    Str block = mqtt_take_bytes(c, len);
    if (c->bad) return MQTT_RC_MALFORMED;
    return mqtt_props_read(block, type, ret_props);
}

bool mqtt_next_user_prop(MqttCursor *cursor, Str *ret_key, Str *ret_value)
{
    while (cursor->at < cursor->end && !cursor->bad) {
        uint32_t id = mqtt_take_varint(cursor);
        if (id >= COUNT_OF(prop_index) || !prop_index[id]) return false;
        switch (prop_rows[prop_index[id] - 1].type) {
        case BYTE: (void)mqtt_take_u8(cursor); break;
        case U16: (void)mqtt_take_u16(cursor); break;
        case U32: (void)mqtt_take_u32(cursor); break;
        case VARINT: (void)mqtt_take_varint(cursor); break;
        case PAIR:
            *ret_key = mqtt_take_binary(cursor);
            *ret_value = mqtt_take_binary(cursor);
            return !cursor->bad;
        default: (void)mqtt_take_binary(cursor);
        }
    }
    return false;
}

Str mqtt_props_passing(const MqttProps *props, Buf *buf)
{
    const uint64_t local = 1ull << MQTT_P_MESSAGE_EXPIRY | 1ull << MQTT_P_TOPIC_ALIAS |
                           1ull << MQTT_P_WILL_DELAY | 1ull << MQTT_P_SUBSCRIPTION_ID;
    if (!(props->has & local)) return props->has ? props->raw : (Str){"", 0};
    size_t start = buf->len;
    if (mqtt_has(props, MQTT_P_PAYLOAD_FORMAT))
        mqtt_put_prop_number(buf, MQTT_P_PAYLOAD_FORMAT, props->number[MQTT_P_PAYLOAD_FORMAT]);
    static const MqttPropIndex texts[] = {MQTT_P_CONTENT_TYPE, MQTT_P_RESPONSE_TOPIC,
                                          MQTT_P_CORRELATION};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        if (mqtt_has(props, texts[i])) mqtt_put_prop_text(buf, texts[i], props->text[texts[i]]);
    MqttCursor c = mqtt_cursor(props->raw);
    for (Str key, value; mqtt_next_user_prop(&c, &key, &value);)
        mqtt_put_prop_user(buf, key, value);
    return str_skip(buf_view(buf), start);
}

MqttFrame mqtt_frame(Str bytes, uint32_t max_bytes, size_t *ret_head, size_t *ret_len)
{
    *ret_len = 0;
    uint32_t length = 0;
    for (size_t i = 1; i <= 4; i++) {
        if (i >= bytes.len) return MQTT_FRAME_MORE;
        uint8_t byte = (uint8_t)bytes.ptr[i];
        length |= (uint32_t)(byte & 0x7f) << (7 * (i - 1));
        if (byte & 0x80) continue;
        if (i > 1 && !byte) return MQTT_FRAME_BAD;
        size_t whole = 1 + i + length;
        if (whole > max_bytes) return MQTT_FRAME_TOO_LARGE;
        *ret_head = 1 + i;
        *ret_len = whole;
        return bytes.len >= whole ? MQTT_FRAME_WHOLE : MQTT_FRAME_MORE;
    }
    return MQTT_FRAME_BAD;
}

static MqttReason connect_name(MqttCursor *c, MqttPacket *p)
{
    Str name = mqtt_take_binary(c);
    p->version = mqtt_take_u8(c);
    if (c->bad) return MQTT_RC_MALFORMED;
    p->bridge = p->version == (0x80 | 4) || p->version == (0x80 | 3);
    if (p->bridge) p->version &= 0x7f;
    if (str_is(name, "MQTT"))
        return p->version == 4 || p->version == 5 ? MQTT_RC_OK : MQTT_RC_VERSION;
    if (str_is(name, "MQIsdp")) return p->version == 3 ? MQTT_RC_OK : MQTT_RC_VERSION;
    p->version = 0; /* not MQTT: no answer has a form that it would understand */
    return MQTT_RC_MALFORMED;
}

static MqttReason connect_will(MqttCursor *c, MqttPacket *p)
{
    if (p->version == 5) {
        MqttReason reason = props_take(c, 0, &p->will_props);
        if (reason) return reason;
    }
    p->will_topic = mqtt_take_string(c);
    p->will_payload = mqtt_take_binary(c);
    if (c->bad) return MQTT_RC_MALFORMED;
    return mqtt_topic_valid(p->will_topic) ? MQTT_RC_OK : MQTT_RC_TOPIC_INVALID;
}

static MqttReason read_connect(MqttCursor *c, uint8_t first, MqttPacket *p)
{
    MqttReason reason = connect_name(c, p);
    if (reason) return reason;
    uint8_t flags = mqtt_take_u8(c);
    p->keep_alive = mqtt_take_u16(c);
    p->clean = flags & 2;
    p->has_will = flags & 4;
    p->will_qos = flags >> 3 & 3;
    p->will_retain = flags & 0x20;
    p->has_password = flags & 0x40;
    p->has_user = flags & 0x80;
    /* MQTT 3.1 leaves the reserved bit and the header's flags of CONNECT unused, not zero. */
    if (p->version > 3 && (flags & 1 || first & 15)) return MQTT_RC_MALFORMED;
    if (c->bad || p->will_qos == 3) return MQTT_RC_MALFORMED;
    if (!p->has_will && (p->will_qos || p->will_retain)) return MQTT_RC_MALFORMED;
    if (p->version < 5 && p->has_password && !p->has_user) return MQTT_RC_MALFORMED;
    if (p->version == 5) {
        reason = props_take(c, MQTT_CONNECT, &p->props);
        if (reason) return reason;
        if (mqtt_has(&p->props, MQTT_P_AUTH_DATA) && !mqtt_has(&p->props, MQTT_P_AUTH_METHOD))
            return MQTT_RC_PROTOCOL;
    }
    p->client_id = mqtt_take_string(c);
    if (c->bad) return MQTT_RC_MALFORMED;
    if (p->has_will && (reason = connect_will(c, p))) return reason;
    if (p->has_user) p->user = mqtt_take_string(c);
    if (p->has_password) p->password = mqtt_take_binary(c);
    return c->bad || mqtt_left(c) ? MQTT_RC_MALFORMED : MQTT_RC_OK;
}

static MqttReason read_connack(MqttCursor *c, uint8_t version, MqttPacket *p)
{
    uint8_t flags = mqtt_take_u8(c);
    p->reason = mqtt_take_u8(c);
    p->session_present = flags & 1;
    if (c->bad || flags > 1) return MQTT_RC_MALFORMED;
    if (p->session_present && p->reason) return MQTT_RC_PROTOCOL;
    /* A server that knows only 3.1.1 answers a version 5 CONNECT in its own form. */
    if (version == 5 && mqtt_left(c)) {
        MqttReason reason = props_take(c, MQTT_CONNACK, &p->props);
        if (reason) return reason;
    }
    return mqtt_left(c) ? MQTT_RC_MALFORMED : MQTT_RC_OK;
}

static MqttReason read_publish(MqttCursor *c, uint8_t first, uint8_t version, MqttPacket *p)
{
    p->dup = first & 8;
    p->qos = first >> 1 & 3;
    p->retain = first & 1;
    if (p->qos == 3 || (!p->qos && p->dup)) return MQTT_RC_MALFORMED;
    p->topic = mqtt_take_binary(c);
    bool plain = mqtt_is_plain(p->topic);
    if (!plain && !mqtt_is_string(p->topic)) c->bad = true;
    if (p->qos) p->id = mqtt_take_u16(c);
    if (c->bad) return MQTT_RC_MALFORMED;
    if (p->qos && !p->id) return MQTT_RC_PROTOCOL;
    if (version == 5) {
        MqttReason reason = props_take(c, MQTT_PUBLISH, &p->props);
        if (reason) return reason;
    }
    p->payload = str_slice((const char *)c->at, mqtt_left(c));
    if (p->topic.len)
        return plain || mqtt_topic_valid(p->topic) ? MQTT_RC_OK : MQTT_RC_TOPIC_INVALID;
    if (version < 5) return MQTT_RC_MALFORMED;
    return mqtt_has(&p->props, MQTT_P_TOPIC_ALIAS) ? MQTT_RC_OK : MQTT_RC_PROTOCOL;
}

/* Which reason codes a packet type knows (MQTT 5.0, 2.4). */
static bool reason_known(uint8_t type, MqttSide side, uint8_t reason)
{
    static const uint8_t acks[] = {0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99};
    static const uint8_t rel[] = {0x00, 0x92};
    static const uint8_t both[] = {0x00, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93,
                                   0x94, 0x95, 0x96, 0x97, 0x98, 0x99};
    static const uint8_t server[] = {0x87, 0x89, 0x8b, 0x8d, 0x8e, 0x8f, 0x9a, 0x9b,
                                     0x9c, 0x9d, 0x9e, 0x9f, 0xa0, 0xa1, 0xa2};
    switch (type) {
    case MQTT_PUBACK:
    case MQTT_PUBREC: return memchr(acks, reason, sizeof acks);
    case MQTT_PUBREL:
    case MQTT_PUBCOMP: return memchr(rel, reason, sizeof rel);
    case MQTT_DISCONNECT:
        if (memchr(both, reason, sizeof both)) return true;
        return side == MQTT_FROM_CLIENT ? reason == 0x04
                                        : memchr(server, reason, sizeof server) != NULL;
    default: return reason == 0x00 || reason == 0x18 || reason == 0x19; /* AUTH */
    }
}

static MqttReason read_ack(MqttCursor *c, uint8_t version, MqttSide side, MqttPacket *p)
{
    p->id = mqtt_take_u16(c);
    if (c->bad || (version < 5 && mqtt_left(c))) return MQTT_RC_MALFORMED;
    if (!p->id) return MQTT_RC_PROTOCOL;
    if (!mqtt_left(c)) return MQTT_RC_OK;
    p->reason = mqtt_take_u8(c);
    if (!reason_known(p->type, side, p->reason)) return MQTT_RC_PROTOCOL;
    if (!mqtt_left(c)) return MQTT_RC_OK;
    MqttReason reason = props_take(c, p->type, &p->props);
    if (reason) return reason;
    return mqtt_left(c) ? MQTT_RC_MALFORMED : MQTT_RC_OK;
}

static MqttReason read_last(MqttCursor *c, uint8_t version, MqttSide side, MqttPacket *p)
{
    if (version < 5)
        return p->type == MQTT_AUTH || mqtt_left(c) || side == MQTT_FROM_SERVER ? MQTT_RC_MALFORMED
                                                                                : MQTT_RC_OK;
    if (!mqtt_left(c)) return MQTT_RC_OK;
    p->reason = mqtt_take_u8(c);
    if (!reason_known(p->type, side, p->reason)) return MQTT_RC_PROTOCOL;
    if (!mqtt_left(c)) return MQTT_RC_OK;
    MqttReason reason = props_take(c, p->type, &p->props);
    if (reason) return reason;
    return mqtt_left(c) ? MQTT_RC_MALFORMED : MQTT_RC_OK;
}

bool mqtt_next_filter(Str *list, uint8_t type, uint8_t version, MqttFilterRow *ret_row)
{
    if (!list->len) return false;
    MqttCursor c = mqtt_cursor(*list);
    *ret_row = (MqttFilterRow){.filter = mqtt_take_string(&c)};
    if (type == MQTT_SUBSCRIBE) {
        uint8_t options = mqtt_take_u8(&c);
        ret_row->qos = options & 3;
        ret_row->no_local = version == 5 && options & 4;
        ret_row->retain_as_published = version == 5 && options & 8;
        ret_row->retain_handling = version == 5 ? options >> 4 & 3 : 0;
    }
    if (c.bad) return false;
    *list = str_slice((const char *)c.at, mqtt_left(&c));
    return true;
}

static MqttReason filters_check(MqttCursor *c, uint8_t version, MqttPacket *p)
{
    p->list = str_slice((const char *)c->at, mqtt_left(c));
    while (mqtt_left(c)) {
        Str filter = mqtt_take_string(c), group, rest;
        if (p->type == MQTT_SUBSCRIBE) {
            uint8_t options = mqtt_take_u8(c);
            uint8_t reserved = version == 5 ? 0xc0 : 0xfc;
            if (options & reserved || (options & 3) == 3) return MQTT_RC_MALFORMED;
            if ((options & 0x30) == 0x30) return MQTT_RC_PROTOCOL;
            /* No Local on a shared subscription is a protocol error (3.8.3.1). */
            if (options & 4 && str_starts(filter, STR("$share/"))) return MQTT_RC_PROTOCOL;
        }
        if (c->bad) return MQTT_RC_MALFORMED;
        if (!mqtt_filter_valid(filter)) return MQTT_RC_MALFORMED;
        if (version == 5 && !mqtt_share_split(filter, &group, &rest)) return MQTT_RC_PROTOCOL;
        p->count++;
    }
    return p->count ? MQTT_RC_OK : MQTT_RC_PROTOCOL;
}

static MqttReason read_filters(MqttCursor *c, uint8_t version, MqttPacket *p)
{
    p->id = mqtt_take_u16(c);
    if (c->bad) return MQTT_RC_MALFORMED;
    if (!p->id) return MQTT_RC_PROTOCOL;
    if (version == 5) {
        MqttReason reason = props_take(c, p->type, &p->props);
        if (reason) return reason;
    }
    return filters_check(c, version, p);
}

static MqttReason read_codes(MqttCursor *c, uint8_t version, MqttPacket *p)
{
    p->id = mqtt_take_u16(c);
    if (c->bad || !p->id) return MQTT_RC_MALFORMED;
    if (version == 5) {
        MqttReason reason = props_take(c, p->type, &p->props);
        if (reason) return reason;
    }
    p->list = str_slice((const char *)c->at, mqtt_left(c));
    p->count = (uint32_t)p->list.len;
    if (p->type == MQTT_UNSUBACK && version < 5) return p->count ? MQTT_RC_MALFORMED : MQTT_RC_OK;
    return p->count ? MQTT_RC_OK : MQTT_RC_MALFORMED;
}

MqttReason mqtt_decode(Str bytes, size_t head, uint8_t version, MqttSide side,
                       MqttPacket *ret_packet)
{
    /* Which types a side may send; bit = type. */
    const uint32_t from_client = IN(CONNECT) | IN(PUBLISH) | ACKS | IN(SUBSCRIBE) |
                                 IN(UNSUBSCRIBE) | IN(PINGREQ) | IN(DISCONNECT) | IN(AUTH);
    const uint32_t from_server = IN(CONNACK) | IN(PUBLISH) | ACKS | IN(SUBACK) | IN(UNSUBACK) |
                                 IN(PINGRESP) | IN(DISCONNECT) | IN(AUTH);
    MqttPacket *p = ret_packet;
    memset(p, 0, offsetof(MqttPacket, props));
    p->props.has = p->will_props.has = 0;
    p->props.sub_id_count = p->will_props.sub_id_count = 0;
    p->props.raw = p->will_props.raw = (Str){"", 0};
    uint8_t first = (uint8_t)bytes.ptr[0];
    p->type = first >> 4;
    if (!p->type || (version < 5 && p->type == MQTT_AUTH)) return MQTT_RC_MALFORMED;
    if (!((side == MQTT_FROM_CLIENT ? from_client : from_server) >> p->type & 1))
        return MQTT_RC_PROTOCOL;
    uint8_t want =
        p->type == MQTT_PUBREL || p->type == MQTT_SUBSCRIBE || p->type == MQTT_UNSUBSCRIBE ? 2 : 0;
    bool judged = p->type == MQTT_PUBLISH || p->type == MQTT_CONNECT; /* by their readers */
    /* 3.1 sends those again, marked as a duplicate. */
    uint8_t seen = version == 3 && want ? first & 7 : first & 15;
    if (!judged && seen != want) return MQTT_RC_MALFORMED;
    MqttCursor c = mqtt_cursor(str_skip(bytes, head));
    switch (p->type) {
    case MQTT_CONNECT: return read_connect(&c, first, p);
    case MQTT_CONNACK: return read_connack(&c, version, p);
    case MQTT_PUBLISH: return read_publish(&c, first, version, p);
    case MQTT_PUBACK:
    case MQTT_PUBREC:
    case MQTT_PUBREL:
    case MQTT_PUBCOMP: return read_ack(&c, version, side, p);
    case MQTT_SUBSCRIBE:
    case MQTT_UNSUBSCRIBE: return read_filters(&c, version, p);
    case MQTT_SUBACK:
    case MQTT_UNSUBACK: return read_codes(&c, version, p);
    case MQTT_PINGREQ:
    case MQTT_PINGRESP: return mqtt_left(&c) ? MQTT_RC_MALFORMED : MQTT_RC_OK;
    default: return read_last(&c, version, side, p);
    }
}
