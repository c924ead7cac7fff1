/* runtime/modules/sparkplug/sparkplug_aware.c: births are kept for who comes later, as a server
 * does that knows Sparkplug (3.0, 10.2.4): the last NBIRTH of each edge node and DBIRTH of each
 * device, as they came, retained below $sparkplug/certificates/.
 *
 * Whether there is a host here, and what it makes of a birth, does not matter. What is no payload
 * of Sparkplug is not kept; how many there may be is the limit of retained messages. */
#include "modules/sparkplug/sparkplug_int.h"

#define CERTIFICATES "$sparkplug/certificates/"

enum { WINDOW = 1024 };

/* [tck-id-conformance-mqtt-aware-nbirth-mqtt-topic],
 * [tck-id-conformance-mqtt-aware-nbirth-mqtt-retain], and the same for DBIRTH. */
static void keep_birth(Sparkplug *self, const MqttPub *birth)
{
    char topic[sizeof CERTIFICATES + 4 * SP_ID_BYTES_MAX];
    SpPayload payload;
    Diag diag = {0};
    size_t head = sizeof CERTIFICATES - 1, len = head + birth->topic.len;
    Status st = len <= sizeof topic ? sp_payload_read(birth->payload, &payload, &diag) : ST_LIMIT;
    if (!st) {
        memcpy(topic, CERTIFICATES, head);
        memcpy(topic + head, birth->topic.ptr, birth->topic.len);
        MqttPub pub = {.topic = str_slice(topic, len), .payload = birth->payload, .retain = true};
        st = mqtt_broker_publish(self->env->broker, &pub, &diag);
    }
    if (!st) {
        self->certificates++;
        return;
    }
    self->uncertified++;
    if (!(self->uncertified & (self->uncertified - 1)))
        log_warn(self->env->log, "sparkplug", "a birth is not kept",
                 "topic=%.*s lost=%llu reason=\"%s\"", STR_ARG(birth->topic),
                 (unsigned long long)self->uncertified, diag.text[0] ? diag.text : status_text(st));
}

static void on_message(void *ctx, const MqttPub *pub, uint64_t token)
{
    Sparkplug *self = ctx;
    SpTopic is = sp_topic_read(pub->topic);
    if (!pub->retain && (is.kind == SP_NBIRTH || is.kind == SP_DBIRTH)) keep_birth(self, pub);
    mqtt_broker_ack(self->env->broker, token);
}

Status sparkplug__aware_start(Sparkplug *self, Diag *diag)
{
    if (!self->env->broker)
        return diag_set(diag, ST_UNSUPPORTED,
                        "Sparkplug needs the embedded broker, which this process has not");
    Status st = mqtt_broker_attach(self->env->broker, STR("spBv1.0/+/NBIRTH/+"), 1, on_message,
                                   self, WINDOW, &self->births[0], diag);
    return st ? st
              : mqtt_broker_attach(self->env->broker, STR("spBv1.0/+/DBIRTH/+/+"), 1, on_message,
                                   self, WINDOW, &self->births[1], diag);
}

void sparkplug__aware_stop(Sparkplug *self)
{
    for (size_t i = 0; i < COUNT_OF(self->births); i++) {
        if (self->births[i]) mqtt_broker_detach(self->births[i], true);
        self->births[i] = NULL;
    }
}
