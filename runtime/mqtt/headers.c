/* runtime/mqtt/headers.c: user properties and their like for programs: meta.headers. */
#include "mqtt/headers.h"

#include "base/json.h"
#include "mqtt/codec.h"
#include "mqtt/cursor.h"

typedef struct Pair {
    Str name, value;
} Pair;

static uint32_t pairs_of(Str block, Pair pairs[MQTT_HEADERS_MAX])
{
    MqttProps props;
    uint32_t count = 0;
    if (mqtt_props_read(block, MQTT_PUBLISH, &props)) {
        return 0;
    }
    if (mqtt_has(&props, MQTT_P_CONTENT_TYPE)) {
        pairs[count++] = (Pair){STR("content-type"), props.text[MQTT_P_CONTENT_TYPE]};
    }
    if (mqtt_has(&props, MQTT_P_RESPONSE_TOPIC)) {
        pairs[count++] = (Pair){STR("response-topic"), props.text[MQTT_P_RESPONSE_TOPIC]};
    }
    MqttCursor c = mqtt_cursor(block);
    while (count < MQTT_HEADERS_MAX &&
           mqtt_next_user_prop(&c, &pairs[count].name, &pairs[count].value)) {
        count++;
    }
    return count;
}

static uint32_t times(const Pair *pairs, uint32_t from, uint32_t to, Str name)
{
    uint32_t n = 0;
    for (uint32_t i = from; i < to; i++) {
        n += str_eq(pairs[i].name, name);
    }
    return n;
}

static void put(const Pair *pairs, uint32_t count, Buf *out)
{
    JsonOut json;
    json_out_init(&json, out);
    json_begin_object(&json);
    for (uint32_t i = 0; i < count; i++) {
        Str name = pairs[i].name;
        if (times(pairs, 0, i, name)) {
            continue;
        }
        bool many = times(pairs, i, count, name) > 1;
        json_key_str(&json, name);
        if (many) {
            json_begin_array(&json);
        }
        for (uint32_t k = i; k < count; k++) {
            if (str_eq(pairs[k].name, name)) {
                json_put_str(&json, pairs[k].value);
            }
        }
        if (many) {
            json_end(&json);
        }
    }
    json_end(&json);
}

void mqtt_put_headers(Str props, Buf *out)
{
    Pair pairs[MQTT_HEADERS_MAX];
    size_t start = out->len;
    uint32_t count = props.len ? pairs_of(props, pairs) : 0;
    if (!count) {
        return;
    }
    put(pairs, count, out);
    while (out->len - start > MQTT_HEADERS_BYTES_MAX && count) {
        count /= 2;
        out->len = start;
        put(pairs, count, out);
    }
}
