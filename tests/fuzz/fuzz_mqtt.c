/* tests/fuzz/fuzz_mqtt.c: any bytes as MQTT packets, both sides, all levels.
 *
 * The first byte chooses side and level; the rest is a stream. What decodes as a client's PUBLISH
 * is written again and must decode to the same topic and payload. */
#include "mqtt/codec.h"
#include "mqtt/headers.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void again(const MqttPacket *p, uint8_t version)
{
    Buf out, props;
    buf_init(&out, 1 << 20);
    buf_init(&props, 1 << 20);
    MqttPublishOut pub = {.topic = p->topic,
                          .payload = p->payload,
                          .props = mqtt_props_passing(&p->props, &props),
                          .id = p->id,
                          .alias = p->topic.len ? 0 : 1,
                          .qos = p->qos,
                          .dup = p->dup,
                          .retain = p->retain};
    mqtt_put_publish(&out, &pub, version);
    MqttPacket twin;
    size_t head, len;
    if (mqtt_publish_bytes(&pub, version) != out.len ||
        mqtt_frame(buf_view(&out), 1 << 20, &head, &len) != MQTT_FRAME_WHOLE ||
        mqtt_decode(buf_view(&out), head, version, MQTT_FROM_CLIENT, &twin) ||
        !str_eq(twin.topic, p->topic) || !str_eq(twin.payload, p->payload))
        abort();
    buf_clear(&out);
    mqtt_put_headers(pub.props, &out);
    if (out.len > MQTT_HEADERS_BYTES_MAX) abort();
    buf_done(&out);
    buf_done(&props);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size) return 0;
    MqttSide side = data[0] & 1 ? MQTT_FROM_SERVER : MQTT_FROM_CLIENT;
    uint8_t version = (uint8_t)(3 + (data[0] >> 1) % 3);
    Str rest = str_slice((const char *)data + 1, size - 1);
    size_t head, len;
    static MqttPacket p;
    while (mqtt_frame(rest, 1 << 20, &head, &len) == MQTT_FRAME_WHOLE) {
        MqttReason reason = mqtt_decode(str_slice(rest.ptr, len), head, version, side, &p);
        MqttFilterRow row;
        bool filters = p.type == MQTT_SUBSCRIBE || p.type == MQTT_UNSUBSCRIBE;
        if (!reason && filters)
            for (Str list = p.list; mqtt_next_filter(&list, p.type, version, &row);)
                (void)mqtt_topic_match(row.filter, STR("a/b/c"));
        if (!reason && p.type == MQTT_PUBLISH && side == MQTT_FROM_CLIENT) again(&p, version);
        rest = str_skip(rest, len);
    }
    return 0;
}
