/* runtime/mqtt/keep_record.c: records of the broker's tables, written and read.
 *
 * Numbers are little-endian. A reader checks the checksum first and every length after it: the
 * checksum says that nothing was flipped, not that the bytes were written by this program. */
#include "mqtt/keep.h"

#include "base/crc.h"
#include "mqtt/codec.h"

enum {
    MSG_HEAD =
        40, /* crc 4, 'M', flags, publisher 2, topic 4, props 4, user 4, expiry 4, times 16 */
    SESSION_HEAD =
        40, /* crc 4, 'S', version, flags, 0, id 4, expiry 4, delay 4, times 16, user 4 */
    FILTER_HEAD = 10,
    ENTRY_HEAD = 6,
    WILL = 1,
};

static char *set(char *at, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) at[i] = (char)(value >> (8 * i));
    return at + bytes;
}

static void put(Buf *out, uint64_t value, size_t bytes)
{
    char text[8];
    buf_add(out, text, (size_t)(set(text, value, bytes) - text));
}

static uint64_t number(const char *at, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++) value |= (uint64_t)(uint8_t)at[i] << (8 * i);
    return value;
}

static void begin(Buf *out, char kind)
{
    put(out, 0, KEEP_CRC_BYTES);
    buf_char(out, kind);
}

static void seal(char *bytes, size_t len)
{
    uint32_t crc = crc32c(0, bytes + KEEP_CRC_BYTES, len - KEEP_CRC_BYTES);
    for (size_t i = 0; i < KEEP_CRC_BYTES; i++) bytes[i] = (char)(crc >> (8 * i));
}

static bool is_whole(Str bytes, size_t head, char kind)
{
    return bytes.len >= head && bytes.ptr[KEEP_CRC_BYTES] == kind &&
           number(bytes.ptr, KEEP_CRC_BYTES) ==
               crc32c(0, bytes.ptr + KEEP_CRC_BYTES, bytes.len - KEEP_CRC_BYTES);
}

/* Cuts `len` bytes off the front. */
static bool cut(Str *rest, size_t len, Str *ret_part)
{
    if (len > rest->len) return false;
    *ret_part = str_slice(rest->ptr, len);
    *rest = str_skip(*rest, len);
    return true;
}

/* ---- messages ---- */

void mqtt__keep_put_msg(Buf *out, const KeepMsg *msg)
{
    const MqttPub *pub = &msg->pub;
    char head[MSG_HEAD], *at = set(head, 0, KEEP_CRC_BYTES);
    at = set(at, 'M', 1);
    at = set(at, (uint64_t)(pub->qos | (pub->retain ? KEEP_ROW_RETAIN : 0)), 1);
    at = set(at, pub->publisher.len, 2);
    at = set(at, pub->topic.len, 4);
    at = set(at, pub->props.len, 4);
    at = set(at, pub->user.len, 4);
    at = set(at, pub->expiry_s, 4);
    at = set(at, (uint64_t)pub->received_ns, 8);
    (void)set(at, (uint64_t)msg->expires_ns, 8);
    buf_add(out, head, sizeof head);
    buf_str(out, pub->topic);
    buf_str(out, pub->props);
    buf_str(out, pub->publisher);
    buf_str(out, pub->user);
    buf_str(out, pub->payload);
}

static Status msg_read(Str bytes, KeepMsg *ret_msg)
{
    const char *at = bytes.ptr;
    if (bytes.len < MSG_HEAD || at[4] != 'M') return ST_CORRUPT;
    uint8_t flags = (uint8_t)at[5];
    KeepMsg msg = {.expires_ns = (int64_t)number(at + 32, 8)};
    MqttPub *pub = &msg.pub;
    pub->qos = flags & KEEP_ROW_QOS;
    pub->retain = flags & KEEP_ROW_RETAIN;
    pub->expiry_s = (uint32_t)number(at + 20, 4);
    pub->received_ns = (int64_t)number(at + 24, 8);
    Str rest = str_skip(bytes, MSG_HEAD);
    if (flags > 6 || pub->qos > 2 || !cut(&rest, number(at + 8, 4), &pub->topic) ||
        !cut(&rest, number(at + 12, 4), &pub->props) ||
        !cut(&rest, number(at + 6, 2), &pub->publisher) ||
        !cut(&rest, number(at + 16, 4), &pub->user))
        return ST_CORRUPT;
    pub->payload = rest;
    MqttProps props;
    if (!mqtt_topic_valid(pub->topic) || mqtt_levels(pub->topic) > MQTT_LEVELS_MAX ||
        mqtt_props_read(pub->props, MQTT_PUBLISH, &props))
        return ST_CORRUPT;
    *ret_msg = msg;
    return ST_OK;
}

Status mqtt__keep_get_msg(Str bytes, KeepMsg *ret_msg)
{
    return is_whole(bytes, MSG_HEAD, 'M') ? msg_read(bytes, ret_msg) : ST_CORRUPT;
}

/* ---- entries ---- */

void mqtt__keep_put_entry(Buf *out, const uint32_t *ids, uint32_t count)
{
    begin(out, 'E');
    put(out, count, 1);
    for (uint32_t i = 0; i < count; i++) put(out, ids[i], 4);
}

static size_t entry_bytes(Str bytes)
{
    return ENTRY_HEAD + (size_t)4 * (uint8_t)bytes.ptr[5];
}

Status mqtt__keep_get_entry(Str bytes, uint32_t ids[KEEP_IDS_MAX], uint32_t *ret_count,
                            Str *ret_rest)
{
    Str entry;
    if (bytes.len < ENTRY_HEAD || !cut(&bytes, entry_bytes(bytes), &entry) ||
        !is_whole(entry, ENTRY_HEAD, 'E'))
        return ST_CORRUPT;
    uint32_t count = (uint8_t)entry.ptr[5];
    if (count > KEEP_IDS_MAX) return ST_CORRUPT;
    for (uint32_t i = 0; i < count; i++)
        ids[i] = (uint32_t)number(entry.ptr + ENTRY_HEAD + (size_t)4 * i, 4);
    *ret_count = count;
    *ret_rest = bytes;
    return ST_OK;
}

/* ---- sessions ---- */

void mqtt__keep_put_session(Buf *out, const KeepSession *session)
{
    begin(out, 'S');
    put(out, session->version, 1);
    put(out, session->has_will ? WILL : 0, 1);
    put(out, 0, 1);
    put(out, session->id.len, 4);
    put(out, session->expiry_s, 4);
    put(out, session->will_delay_s, 4);
    put(out, (uint64_t)session->ends_ns, 8);
    put(out, (uint64_t)session->will_at_ns, 8);
    put(out, session->user.len, 4);
    buf_str(out, session->id);
    buf_str(out, session->user);
    if (session->has_will) mqtt__keep_put_msg(out, &session->will);
}

Status mqtt__keep_get_session(Str bytes, KeepSession *ret_session)
{
    const char *at = bytes.ptr;
    if (!is_whole(bytes, SESSION_HEAD, 'S')) return ST_CORRUPT;
    KeepSession session = {.version = (uint8_t)at[5],
                           .has_will = at[6] & WILL,
                           .expiry_s = (uint32_t)number(at + 12, 4),
                           .will_delay_s = (uint32_t)number(at + 16, 4),
                           .ends_ns = (int64_t)number(at + 20, 8),
                           .will_at_ns = (int64_t)number(at + 28, 8)};
    Str rest = str_skip(bytes, SESSION_HEAD);
    if (!cut(&rest, number(at + 8, 4), &session.id) ||
        !cut(&rest, number(at + 36, 4), &session.user) || !session.id.len || session.version < 3 ||
        session.version > 5)
        return ST_CORRUPT;
    if (session.has_will ? msg_read(rest, &session.will) != ST_OK : rest.len > 0) return ST_CORRUPT;
    *ret_session = session;
    return ST_OK;
}

/* ---- filters ---- */

void mqtt__keep_put_filter(Buf *out, const KeepFilter *filter)
{
    begin(out, 'F');
    put(out, (uint64_t)(filter->qos | (filter->no_local ? 4 : 0) | (filter->as_published ? 8 : 0)),
        1);
    put(out, filter->id, 4);
    buf_str(out, filter->filter);
}

Status mqtt__keep_get_filter(Str bytes, KeepFilter *ret_filter)
{
    if (!is_whole(bytes, FILTER_HEAD, 'F')) return ST_CORRUPT;
    uint8_t options = (uint8_t)bytes.ptr[5];
    KeepFilter filter = {.filter = str_skip(bytes, FILTER_HEAD),
                         .id = (uint32_t)number(bytes.ptr + 6, 4),
                         .qos = options & 3,
                         .no_local = options & 4,
                         .as_published = options & 8};
    Str group, rest;
    if (options > 14 || filter.qos > 2 || !mqtt_filter_valid(filter.filter) ||
        mqtt_levels(filter.filter) > MQTT_LEVELS_MAX ||
        !mqtt_share_split(filter.filter, &group, &rest))
        return ST_CORRUPT;
    *ret_filter = filter;
    return ST_OK;
}

void mqtt__keep_seal(uint8_t op, char *bytes, size_t len)
{
    if (op == KEEP_QUEUE) {
        size_t entry = entry_bytes((Str){bytes, len});
        seal(bytes, entry);
        if (len > entry) seal(bytes + entry, len - entry);
    } else {
        seal(bytes, len);
    }
}

Str mqtt__keep_key(Str record)
{
    if (record.ptr[KEEP_CRC_BYTES] == 'F') return str_skip(record, FILTER_HEAD);
    return str_slice(record.ptr + MSG_HEAD, number(record.ptr + 8, 4));
}
