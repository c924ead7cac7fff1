/* runtime/mqtt/cursor.h: the only way packets are read: a cursor that cannot leave its bytes.
 *
 * A read past the end, or of something malformed, sets `bad` and gives zeros; readers check once
 * at the end. No parser of this folder touches packet bytes in another way. */
#ifndef TUTTI_MQTT_CURSOR_H
#define TUTTI_MQTT_CURSOR_H

#include "base/str.h"

typedef struct MqttCursor {
    const uint8_t *at, *end;
    bool bad;
} MqttCursor;

static inline MqttCursor mqtt_cursor(Str bytes)
{
    const uint8_t *at = (const uint8_t *)(bytes.ptr ? bytes.ptr : "");
    return (MqttCursor){at, at + bytes.len, false};
}

static inline size_t mqtt_left(const MqttCursor *c)
{
    return (size_t)(c->end - c->at);
}

static inline Str mqtt_take_bytes(MqttCursor *c, size_t len)
{
    if (c->bad || len > mqtt_left(c)) {
        c->bad = true;
        return (Str){"", 0};
    }
    Str out = {(const char *)c->at, len};
    c->at += len;
    return out;
}

static inline uint8_t mqtt_take_u8(MqttCursor *c)
{
    if (c->bad || c->at == c->end) {
        c->bad = true;
        return 0;
    }
    return *c->at++;
}

static inline uint16_t mqtt_take_u16(MqttCursor *c)
{
    uint32_t high = mqtt_take_u8(c);
    return (uint16_t)(high << 8 | mqtt_take_u8(c));
}

static inline uint32_t mqtt_take_u32(MqttCursor *c)
{
    uint32_t high = mqtt_take_u16(c);
    return high << 16 | mqtt_take_u16(c);
}

/* Variable byte integer: at most four bytes, and the shortest form (MQTT 5.0, 1.5.5). */
static inline uint32_t mqtt_take_varint(MqttCursor *c)
{
    uint32_t value = 0;
    for (uint32_t i = 0; i < 4; i++) {
        uint8_t byte = mqtt_take_u8(c);
        value |= (uint32_t)(byte & 0x7f) << (7 * i);
        if (byte & 0x80) continue;
        if (i && !byte) c->bad = true;
        return c->bad ? 0 : value;
    }
    c->bad = true;
    return 0;
}

static inline Str mqtt_take_binary(MqttCursor *c)
{
    return mqtt_take_bytes(c, mqtt_take_u16(c));
}

/* Control characters U+0000..U+001F and U+007F..U+009F. */
static inline bool mqtt_has_control(Str text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = (uint8_t)text.ptr[i];
        if (c < 0x20 || c == 0x7f) return true;
        if (c == 0xc2 && i + 1 < text.len && (uint8_t)text.ptr[i + 1] < 0xa0) return true;
    }
    return false;
}

/* UTF-8 string: well-formed, without U+0000 (must, MQTT 5.0, 1.5.4) and without the other control
 * characters (may, same place: they serve only to confuse logs and terminals). */
static inline bool mqtt_is_string(Str text)
{
    return !text.len || (!mqtt_has_control(text) && str_utf8_valid(text));
}

static inline Str mqtt_take_string(MqttCursor *c)
{
    Str text = mqtt_take_binary(c);
    if (!c->bad && !mqtt_is_string(text)) c->bad = true;
    return c->bad ? (Str){"", 0} : text;
}

/* Printable ASCII without wildcards: nothing of the rules for texts and topic names concerns it. */
static inline bool mqtt_is_plain(Str text)
{
    uint32_t odd = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = (uint8_t)text.ptr[i];
        odd |= (uint32_t)(c < 0x20) | (uint32_t)(c > 0x7e);
        odd |= (uint32_t)(c == '+') | (uint32_t)(c == '#');
    }
    return !odd;
}

#endif
