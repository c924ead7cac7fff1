/* runtime/modules/schemas/schema_check.c: every publish, before anybody sees it.
 *
 * The broker asks only while something is bound. A topic that nothing bound begins like costs the
 * comparison of a few bytes, one without a binding a look into the cache, one with a binding the
 * scanner's walk over its payload. Nothing is allocated once a topic was seen. */
#include "modules/schemas/schemas_int.h"

#include "mqtt/broker.h"
#include "mqtt/codec.h"

#include <stdio.h>

static uint8_t on_publish(void *ctx, const MqttPub *pub, Str *ret_why)
{
    Schemas *self = ctx;
    FlowUnfit unfit;
    Binding *binding = schemas__binding_of(self, pub->topic);
    if (!binding || !binding->now) return 0;
    if (pub->retain && !pub->payload.len) return 0; /* takes a retained message away */
    binding->checked++;
    if (flow_fit(binding->now->fit, pub->payload, &unfit)) return 0;
    binding->violations++;
    binding->last_ms = clock_wall_ns() / NS_PER_MS;
    schemas__violation(self, binding, pub->topic, pub->payload, pub->publisher, pub->user, &unfit);
    if (!binding->strict) return 0;
    self->refused++;
    int len = snprintf(self->why, sizeof self->why, "does not fit schema %s version %lld: %s%s%s",
                       binding->schema->name, (long long)binding->now->version, unfit.path,
                       unfit.path[0] ? ": " : "", unfit.message);
    size_t most = sizeof self->why - 1;
    *ret_why = (Str){self->why, (size_t)len < most ? (size_t)len : most};
    return MQTT_RC_PAYLOAD;
}

void schemas__hook(Schemas *self)
{
    if (!self->env->broker) return;
    bool any = self->binding_count && self->cache;
    mqtt_broker_check(self->env->broker, any ? on_publish : NULL, self);
}
