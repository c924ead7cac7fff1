/* runtime/mqtt/codec.h: MQTT 3.1.1 and 5.0 packets, both directions, for broker and client.
 *
 * Reading: mqtt_frame finds the next packet in received bytes and judges its announced length
 * before anybody allocates; mqtt_decode checks everything the standard demands of one packet
 * (flags, lengths, UTF-8, topics, properties) and gives slices into the bytes. Writing appends
 * whole packets to a Buf. Nothing here keeps state: order of packets is the caller's affair.
 * Levels: 3 = MQTT 3.1 (name MQIsdp, otherwise as 3.1.1), 4 = 3.1.1, 5 = 5.0. */
#ifndef TUTTI_MQTT_CODEC_H
#define TUTTI_MQTT_CODEC_H

#include "base/buf.h"
#include "base/str.h"
#include "mqtt/cursor.h"

typedef enum MqttType {
    MQTT_CONNECT = 1,
    MQTT_CONNACK,
    MQTT_PUBLISH,
    MQTT_PUBACK,
    MQTT_PUBREC,
    MQTT_PUBREL,
    MQTT_PUBCOMP,
    MQTT_SUBSCRIBE,
    MQTT_SUBACK,
    MQTT_UNSUBSCRIBE,
    MQTT_UNSUBACK,
    MQTT_PINGREQ,
    MQTT_PINGRESP,
    MQTT_DISCONNECT,
    MQTT_AUTH
} MqttType;

/* Reason codes of MQTT 5.0, 2.4, as far as they are used here. */
typedef enum MqttReason {
    MQTT_RC_OK = 0x00,
    MQTT_RC_WITH_WILL = 0x04,
    MQTT_RC_NO_MATCH = 0x10,
    MQTT_RC_NO_SUBSCRIPTION = 0x11,
    MQTT_RC_CONTINUE = 0x18,
    MQTT_RC_REAUTH = 0x19,
    MQTT_RC_UNSPECIFIED = 0x80,
    MQTT_RC_MALFORMED = 0x81,
    MQTT_RC_PROTOCOL = 0x82,
    MQTT_RC_IMPLEMENTATION = 0x83,
    MQTT_RC_VERSION = 0x84,
    MQTT_RC_CLIENT_ID = 0x85,
    MQTT_RC_BAD_USER = 0x86,
    MQTT_RC_NOT_AUTHORIZED = 0x87,
    MQTT_RC_UNAVAILABLE = 0x88,
    MQTT_RC_SHUTDOWN = 0x8b,
    MQTT_RC_AUTH_METHOD = 0x8c,
    MQTT_RC_KEEP_ALIVE = 0x8d,
    MQTT_RC_TAKEN_OVER = 0x8e,
    MQTT_RC_FILTER_INVALID = 0x8f,
    MQTT_RC_TOPIC_INVALID = 0x90,
    MQTT_RC_ID_IN_USE = 0x91,
    MQTT_RC_ID_NOT_FOUND = 0x92,
    MQTT_RC_RECEIVE_MAX = 0x93,
    MQTT_RC_TOPIC_ALIAS = 0x94,
    MQTT_RC_TOO_LARGE = 0x95,
    MQTT_RC_QUOTA = 0x97,
    MQTT_RC_ADMINISTRATIVE = 0x98,
    MQTT_RC_PAYLOAD = 0x99, /* Payload format invalid */
    MQTT_RC_SHARED_UNSUPPORTED = 0x9e,
} MqttReason;

typedef enum MqttPropIndex {
#define PROP(id, name, type, packets, many) MQTT_P_##name,
#include "mqtt/props.def"
#undef PROP
    MQTT_P__COUNT
} MqttPropIndex;

enum { MQTT_SUB_IDS_MAX = 64, MQTT_LEVELS_MAX = 256, MQTT_REMAINING_MAX = 268435455 };

typedef struct MqttProps {
    uint64_t has; /* bit 1 << MqttPropIndex; the arrays hold rubbish where it is 0 */
    Str raw;      /* the block as received, without its length */
    uint32_t sub_id_count;
    uint32_t sub_ids[MQTT_SUB_IDS_MAX];
    uint32_t number[MQTT_P__COUNT]; /* BYTE, U16, U32, VARINT */
    Str text[MQTT_P__COUNT];        /* STRING, BINARY; USER: the last pair's value */
} MqttProps;

static inline bool mqtt_has(const MqttProps *props, MqttPropIndex index)
{
    return props->has >> index & 1;
}

static inline uint32_t mqtt_number(const MqttProps *props, MqttPropIndex index, uint32_t preset)
{
    return mqtt_has(props, index) ? props->number[index] : preset;
}

static inline Str mqtt_text(const MqttProps *props, MqttPropIndex index)
{
    return mqtt_has(props, index) ? props->text[index] : (Str){"", 0};
}

typedef struct MqttPacket {
    uint8_t type, version; /* version: CONNECT only, as asked for */
    uint8_t reason;        /* CONNACK, acks, DISCONNECT, AUTH */
    uint8_t qos, will_qos;
    bool dup, retain;                                          /* PUBLISH */
    bool session_present;                                      /* CONNACK */
    bool clean, has_will, will_retain, has_user, has_password; /* CONNECT */
    bool
        bridge; /* CONNECT below 5.0: the top bit of the level, by which a broker says what it is */
    uint16_t id, keep_alive;
    uint32_t count;                                          /* entries in `list` */
    Str topic, payload;                                      /* PUBLISH */
    Str client_id, will_topic, will_payload, user, password; /* CONNECT */
    Str list; /* SUBSCRIBE, UNSUBSCRIBE: filters; SUBACK, UNSUBACK: reason codes */
    MqttProps props, will_props;
} MqttPacket;

typedef struct MqttFilterRow { /* one entry of SUBSCRIBE or UNSUBSCRIBE */
    Str filter;
    uint8_t qos, retain_handling;
    bool no_local, retain_as_published;
} MqttFilterRow;

typedef enum MqttFrame {
    MQTT_FRAME_MORE,
    MQTT_FRAME_WHOLE,
    MQTT_FRAME_TOO_LARGE,
    MQTT_FRAME_BAD
} MqttFrame;

/* Looks at the start of `bytes`. WHOLE: *ret_len is the size of the first packet with its header,
 * *ret_head the size of the header. MORE: *ret_len is what must arrive, or 0 when not known yet. */
MqttFrame mqtt_frame(Str bytes, uint32_t max_bytes, size_t *ret_head, size_t *ret_len);

typedef enum MqttSide { MQTT_FROM_CLIENT, MQTT_FROM_SERVER } MqttSide;

/* Reads one whole packet. `version` is the level in force (ignored for CONNECT). Returns MQTT_RC_OK
 * or the reason code to disconnect with. Slices point into `bytes`. An empty topic of a version 5
 * PUBLISH is accepted only together with a topic alias. */
MqttReason mqtt_decode(Str bytes, size_t head, uint8_t version, MqttSide side,
                       MqttPacket *ret_packet);
/* Where a Mosquitto tells whether its bridge is connected: $SYS/broker/connection/NAME/state. */
bool mqtt_is_bridge_state(Str topic);
/* Walks packet->list; false at the end. The list was checked by mqtt_decode. */
bool mqtt_next_filter(Str *list, uint8_t type, uint8_t version, MqttFilterRow *ret_row);

/* Reads a property block (without its length) for packets of `type`; 0 = will. */
MqttReason mqtt_props_read(Str block, uint8_t type, MqttProps *ret_props);
/* Walks the user properties of a block that was checked before. */
bool mqtt_next_user_prop(MqttCursor *cursor, Str *ret_key, Str *ret_value);
/* The part of a checked PUBLISH or will block that travels unchanged to subscribers. Returns a
 * slice of `props->raw` when nothing has to be left out, else appends to `buf`. */
Str mqtt_props_passing(const MqttProps *props, Buf *buf);

/* Property writers, appending to a block. */
void mqtt_put_prop_number(Buf *block, MqttPropIndex index, uint32_t value);
void mqtt_put_prop_text(Buf *block, MqttPropIndex index, Str text);
void mqtt_put_prop_user(Buf *block, Str key, Str value);

/* Writers of whole packets. `props` is a block without length; version < 5 leaves it out. */
typedef struct MqttConnectOut {
    uint8_t version;
    bool clean, has_user, has_password, has_will, will_retain;
    bool bridge; /* the top bit of the level, which some servers know a bridge by */
    uint8_t will_qos;
    uint16_t keep_alive;
    Str client_id, user, password, will_topic, will_payload, props, will_props;
} MqttConnectOut;
void mqtt_put_connect(Buf *out, const MqttConnectOut *connect);
void mqtt_put_connack(Buf *out, uint8_t version, bool session_present, uint8_t reason, Str props);
/* PUBACK, PUBREC, PUBREL, PUBCOMP. A version below 5 has no reason. */
void mqtt_put_ack(Buf *out, uint8_t type, uint8_t version, uint16_t id, uint8_t reason, Str props);
/* `rows`: encoded by mqtt_put_filter (SUBSCRIBE) or mqtt_put_string (UNSUBSCRIBE). */
void mqtt_put_subscribe(Buf *out, uint8_t version, uint16_t id, Str props, Str rows);
void mqtt_put_unsubscribe(Buf *out, uint8_t version, uint16_t id, Str props, Str rows);
void mqtt_put_filter(Buf *rows, uint8_t version, const MqttFilterRow *row);
void mqtt_put_string(Buf *rows, Str text);
/* SUBACK, UNSUBACK; codes is one byte per filter (left out of a v3 UNSUBACK). */
void mqtt_put_codes(Buf *out, uint8_t type, uint8_t version, uint16_t id, Str codes);
void mqtt_put_bare(Buf *out, uint8_t type); /* PINGREQ, PINGRESP, v3 DISCONNECT */
void mqtt_put_auth(Buf *out, uint8_t reason, Str props);
void mqtt_put_disconnect(Buf *out, uint8_t version, uint8_t reason, Str props);

typedef struct MqttPublishOut {
    Str topic, payload, props;
    const uint32_t *sub_ids;
    uint32_t sub_id_count;
    uint32_t expiry_s;
    bool expires;       /* expiry_s is sent */
    uint16_t id, alias; /* alias 0 = none */
    uint8_t qos;
    bool dup, retain;
} MqttPublishOut;
/* Size of the whole packet; 0 when it cannot be expressed. */
size_t mqtt_publish_bytes(const MqttPublishOut *pub, uint8_t version);
void mqtt_put_publish(Buf *out, const MqttPublishOut *pub, uint8_t version);

/* Topic names and filters: MQTT 5.0, 4.7. How many levels are too many is the caller's rule. */
uint32_t mqtt_levels(Str topic);
bool mqtt_topic_valid(Str topic);
bool mqtt_filter_valid(Str filter);
/* Takes "$share/GROUP/FILTER" apart; false when it starts so but is malformed. Without the prefix
 * *ret_group is empty and *ret_filter the whole. */
bool mqtt_share_split(Str filter, Str *ret_group, Str *ret_filter);
bool mqtt_topic_match(Str filter, Str topic);

#endif
