/* runtime/mqtt/headers.h: what a message says beside its payload, as one JSON object of texts. */
#ifndef TUTTI_MQTT_HEADERS_H
#define TUTTI_MQTT_HEADERS_H

#include "base/buf.h"

enum {
    MQTT_HEADERS_MAX = 100,          /* names; those behind are left out */
    MQTT_HEADERS_BYTES_MAX = 0xffff, /* of the object; the last names are left out to stay below */
};

/* Appends {"name":"text",...} made of a checked property block: content type and response topic
 * (MQTT 5.0, 3.3.2.3.9 and 3.3.2.3.5) as `content-type` and `response-topic`, then the user
 * properties (3.3.2.3.7) in their order. A name that comes several times is a list of its texts.
 * Nothing is appended when there is none. */
void mqtt_put_headers(Str props, Buf *out);

#endif
