/* runtime/mqtt/client_flow.c: messages of a client, both ways, and its subscriptions.
 *
 * Own QoS 1/2 messages stand in one list in order: the first `in_flight` of them that are `sent`
 * wait for their acknowledgements. Received ones stand in a ring until the program acked them;
 * acknowledgements leave in the order of arrival. */
#include "mqtt/client_int.h"

#include "base/clock.h"
#include "base/mem.h"

static bool id_used(const MqttClient *k, uint16_t id)
{
    return k->used[id / 64] >> (id % 64) & 1;
}

static void id_mark(MqttClient *k, uint16_t id)
{
    k->used[id / 64] |= 1ull << (id % 64);
}

static void id_free(MqttClient *k, uint16_t id)
{
    k->used[id / 64] &= ~(1ull << (id % 64));
}

/* One that waits for no answer: there are always some, for far fewer than 65535 wait. */
static uint16_t id_new(MqttClient *k)
{
    do {
        if (!++k->next_id) k->next_id = 1;
    } while (id_used(k, k->next_id));
    id_mark(k, k->next_id);
    return k->next_id;
}

/* Why this server does not take such a message; NULL = it does. */
static const char *unfit(const MqttClient *k, const MqttPublishOut *pub, Status *ret_status)
{
    *ret_status = ST_UNSUPPORTED;
    if (pub->qos > k->qos_max) return "the server does not support this QoS";
    if (pub->retain && k->no_retain) return "the server keeps no retained messages";
    *ret_status = ST_LIMIT;
    if (k->packet_max && mqtt_publish_bytes(pub, k->version) > k->packet_max)
        return "the message is too large for the server";
    return NULL;
}

static MqttPublishOut packet_of(const Out *o)
{
    return (MqttPublishOut){.topic = str_slice(o->text, o->topic_bytes),
                            .payload = str_slice(o->text + o->topic_bytes, o->payload_bytes),
                            .id = o->id,
                            .qos = o->qos,
                            .retain = o->retain};
}

void mqtt_client__aliases_drop(MqttClient *k)
{
    for (size_t i = 0; i < COUNT_OF(k->aliases); i++) {
        mem_free(k->aliases[i]);
        k->aliases[i] = NULL;
    }
}

/* Writes what may be in flight: first time or again after a reconnect. */
static void pump(MqttClient *k)
{
    if (!k->connected) return;
    for (Out *o = k->first; o && k->in_flight < k->inflight_max; o = o->next) {
        if (o->sent) continue;
        if (o->released) {
            mqtt_put_ack(&k->out, MQTT_PUBREL, k->version, o->id, 0, STR_NONE);
        } else {
            bool again = o->id != 0;
            if (!again) o->id = id_new(k);
            MqttPublishOut pub = packet_of(o);
            pub.dup = again;
            mqtt_put_publish(&k->out, &pub, k->version);
        }
        o->sent = true;
        k->in_flight++;
    }
    if (k->out.len) mqtt_client__flush_later(k);
}

static void out_finish(MqttClient *k, uint16_t id, Status status, const char *reason)
{
    for (Out **link = &k->first, *before = NULL; *link; before = *link, link = &(*link)->next) {
        Out *o = *link;
        if (o->id != id || !o->sent) continue;
        *link = o->next;
        if (k->last == o) k->last = before;
        k->waiting--;
        k->in_flight--;
        id_free(k, id);
        if (o->fn) o->fn(o->ctx, status, str_from(reason));
        mem_free(o);
        pump(k);
        return;
    }
}

/* SUBSCRIBE or UNSUBSCRIBE of one filter. */
static void put_request(MqttClient *k, uint8_t type, Str filter, uint8_t qos)
{
    Buf rows;
    size_t start = k->out.len;
    uint16_t id = id_new(k);
    buf_init(&rows, 70000);
    if (type == MQTT_SUBSCRIBE) {
        mqtt_put_filter(&rows, k->version, &(MqttFilterRow){.filter = filter, .qos = qos});
        mqtt_put_subscribe(&k->out, k->version, id, STR_NONE, buf_view(&rows));
    } else {
        mqtt_put_string(&rows, filter);
        mqtt_put_unsubscribe(&k->out, k->version, id, STR_NONE, buf_view(&rows));
    }
    buf_done(&rows);
    if (k->packet_max && !k->out.failed && k->out.len - start > k->packet_max) {
        k->out.len = start;
        id_free(k, id);
        mqtt_client__state_say(k, MQTT_CLIENT_CONNECTED,
                               STR("a filter is too large for the server"), 0);
        return;
    }
    mqtt_client__flush_later(k);
}

/* Without its session the server knows nothing of what was open: what it had taken is done, the
 * rest is published as if for the first time (MQTT-3.2.2-5). */
void mqtt_client__begin(MqttClient *k, bool session_present)
{
    Out *gone = NULL, **gone_link = &gone;
    memset(k->used, 0, IDS_WORDS * sizeof *k->used);
    if (!session_present) memset(k->seen, 0, IDS_WORDS * sizeof *k->seen);
    k->last = NULL;
    for (Out **link = &k->first; *link;) {
        Out *o = *link;
        if (!session_present && !o->released) o->id = 0;
        MqttPublishOut pub = packet_of(o);
        Status status = ST_OK;
        const char *reason = o->released ? NULL : unfit(k, &pub, &status);
        if (!reason && (session_present || !o->released)) {
            if (o->id) id_mark(k, o->id);
            k->last = o;
            link = &o->next;
            continue;
        }
        *link = o->next;
        *gone_link = o;
        gone_link = &o->next;
        o->next = NULL;
        k->waiting--;
    }
    for (uint32_t i = 0; i < k->filter_count; i++)
        put_request(k, MQTT_SUBSCRIBE, k->filters[i].text, k->filters[i].qos);
    pump(k);
    while (gone) { /* at last, for they may do anything */
        Out *o = gone;
        MqttPublishOut pub = packet_of(o);
        Status status = ST_OK;
        const char *reason = o->released ? NULL : unfit(k, &pub, &status);
        gone = o->next;
        if (o->fn) o->fn(o->ctx, reason ? status : ST_OK, str_from(reason ? reason : ""));
        mem_free(o);
    }
}

static bool topic_of(MqttClient *k, MqttPacket *p)
{
    uint32_t alias = k->version == 5 ? mqtt_number(&p->props, MQTT_P_TOPIC_ALIAS, 0) : 0;
    if (!alias) return true;
    if (alias > COUNT_OF(k->aliases)) return false;
    if (p->topic.len) {
        char *copy = mem_realloc(k->aliases[alias - 1], p->topic.len);
        if (!copy) return false;
        memcpy(copy, p->topic.ptr, p->topic.len);
        k->aliases[alias - 1] = copy;
        k->alias_bytes[alias - 1] = p->topic.len;
        return true;
    }
    if (!k->aliases[alias - 1]) return false;
    p->topic = str_slice(k->aliases[alias - 1], k->alias_bytes[alias - 1]);
    return true;
}

static void on_publish(MqttClient *k, MqttPacket *p)
{
    if (!topic_of(k, p)) {
        mqtt_client__lost(k, "the server used an unknown topic alias");
        return;
    }
    MqttClientMsg msg = {.topic = p->topic,
                         .payload = p->payload,
                         .props = p->props.raw,
                         .received_ns = clock_wall_ns(),
                         .qos = p->qos,
                         .retain = p->retain,
                         .dup = p->dup};
    if (p->qos) {
        if (k->received_count == k->conf.receive_max) {
            mqtt_client__lost(k, "the server exceeds the receive maximum");
            return;
        }
        bool again = p->qos == 2 && k->seen[p->id / 64] >> (p->id % 64) & 1;
        uint32_t at = (k->received_head + k->received_count++) % k->conf.receive_max;
        k->received[at] = (In){.id = p->id, .qos = p->qos, .acked = again};
        msg.token = k->epoch << 32 | (uint32_t)(k->seq_head + k->received_count - 1);
        if (again) {
            mqtt_client_ack(k, 0);
            return;
        }
    }
    if (k->conf.on_message) k->conf.on_message(k->conf.ctx, &msg);
    if (k->version < 5 && k->received_count == k->conf.receive_max && k->socket) {
        k->stopped = true;
        (void)uv_read_stop((uv_stream_t *)&k->socket->tcp);
    }
}

static void on_puback(MqttClient *k, const MqttPacket *p)
{
    bool bad = p->reason >= 0x80;
    out_finish(k, p->id, bad ? ST_FORBIDDEN : ST_OK, bad ? "the server refused the message" : "");
}

static void on_pubrec(MqttClient *k, const MqttPacket *p)
{
    if (p->reason >= 0x80) {
        out_finish(k, p->id, ST_FORBIDDEN, "the server refused the message");
        return;
    }
    for (Out *o = k->first; o; o = o->next)
        if (o->id == p->id && o->qos == 2) o->released = true;
    mqtt_put_ack(&k->out, MQTT_PUBREL, k->version, p->id, 0, STR_NONE);
    mqtt_client__flush_later(k);
}

static void on_pubrel(MqttClient *k, const MqttPacket *p)
{
    k->seen[p->id / 64] &= ~(1ull << (p->id % 64));
    mqtt_put_ack(&k->out, MQTT_PUBCOMP, k->version, p->id, 0, STR_NONE);
    mqtt_client__flush_later(k);
}

void mqtt_client__packet(MqttClient *k, Str bytes, size_t head)
{
    MqttPacket p;
    MqttReason reason = mqtt_decode(bytes, head, k->version, MQTT_FROM_SERVER, &p);
    if (reason || (!k->connected && p.type != MQTT_CONNACK)) {
        mqtt_client__lost(k, "the server sent a malformed packet");
        return;
    }
    switch (p.type) {
    case MQTT_CONNACK: mqtt_client__connack(k, &p); return;
    case MQTT_PUBLISH: on_publish(k, &p); return;
    case MQTT_PUBACK: on_puback(k, &p); return;
    case MQTT_PUBREC: on_pubrec(k, &p); return;
    case MQTT_PUBREL: on_pubrel(k, &p); return;
    case MQTT_PUBCOMP: out_finish(k, p.id, ST_OK, ""); return;
    case MQTT_PINGRESP: k->ping_out = false; return;
    case MQTT_DISCONNECT:
        mqtt_client__lost(k, p.reason == MQTT_RC_TAKEN_OVER
                                 ? "another client took over this client id"
                                 : "the server ended the connection");
        return;
    case MQTT_UNSUBACK: id_free(k, p.id); return;
    case MQTT_SUBACK:
        id_free(k, p.id);
        for (size_t i = 0; i < p.list.len; i++)
            if (p.list.ptr[i] & 0x80)
                mqtt_client__state_say(k, MQTT_CLIENT_CONNECTED,
                                       STR("the server refused a subscription"), 0);
        return;
    default: /* AUTH */
        mqtt_client__lost(k, "the server wants to authenticate without being asked");
    }
}

Status mqtt_client_subscribe(MqttClient *client, Str filter, uint8_t qos, Diag *diag)
{
    MqttClient *k = client;
    if (!mqtt_filter_valid(filter) || qos > 2)
        return diag_set(diag, ST_INVALID, "\"%.*s\" is not a topic filter", STR_ARG(filter));
    Filter *at = NULL;
    for (uint32_t i = 0; i < k->filter_count; i++)
        if (str_eq(k->filters[i].text, filter)) at = &k->filters[i];
    if (!at) {
        char *copy = k->filter_count < FILTERS_MAX ? mem_alloc(filter.len) : NULL;
        if (!copy) return diag_set(diag, ST_LIMIT, "at most %d filters", FILTERS_MAX);
        memcpy(copy, filter.ptr, filter.len);
        at = &k->filters[k->filter_count++];
        at->text = str_slice(copy, filter.len);
    }
    at->qos = qos;
    if (k->connected) put_request(k, MQTT_SUBSCRIBE, filter, qos);
    return ST_OK;
}

void mqtt_client_unsubscribe(MqttClient *client, Str filter)
{
    MqttClient *k = client;
    for (uint32_t i = 0; i < k->filter_count; i++) {
        if (!str_eq(k->filters[i].text, filter)) continue;
        if (k->connected) put_request(k, MQTT_UNSUBSCRIBE, filter, 0);
        mem_free((char *)(uintptr_t)k->filters[i].text.ptr);
        k->filters[i] = k->filters[--k->filter_count];
        return;
    }
}

Status mqtt_client_publish(MqttClient *client, Str topic, Str payload, uint8_t qos, bool retain,
                           MqttClientSentFn *fn, void *ctx)
{
    MqttClient *k = client;
    if (k->closed || !mqtt_topic_valid(topic) || qos > 2) return ST_INVALID;
    MqttPublishOut pub = {.topic = topic, .payload = payload, .qos = qos, .retain = retain};
    Status status;
    const char *reason = k->connected ? unfit(k, &pub, &status) : NULL;
    if (reason) {
        if (!fn) return status;
        fn(ctx, status, str_from(reason));
        return ST_OK;
    }
    if (!qos) {
        if (!k->connected) return ST_UNAVAILABLE;
        if (uv_stream_get_write_queue_size((uv_stream_t *)&k->socket->tcp) > OUT_BYTES_MAX)
            return ST_BUSY;
        mqtt_put_publish(&k->out, &pub, k->version);
        mqtt_client__flush_later(k);
        if (fn) fn(ctx, ST_OK, STR_NONE);
        return ST_OK;
    }
    if (k->waiting >= k->conf.queue_max) return ST_LIMIT;
    Out *o = mem_alloc(sizeof *o + topic.len + payload.len);
    if (!o) return ST_NO_MEMORY;
    *o = (Out){.fn = fn,
               .ctx = ctx,
               .qos = qos,
               .retain = retain,
               .topic_bytes = (uint32_t)topic.len,
               .payload_bytes = payload.len};
    memcpy(o->text, topic.ptr, topic.len);
    if (payload.len) memcpy(o->text + topic.len, payload.ptr, payload.len);
    if (k->last)
        k->last->next = o;
    else
        k->first = o;
    k->last = o;
    k->waiting++;
    pump(k);
    return ST_OK;
}

/* Acks go out in the order of arrival (MQTT 5.0, 4.6), so an early one waits for those before. */
void mqtt_client_ack(MqttClient *client, uint64_t token)
{
    MqttClient *k = client;
    if (k->closed || (token && token >> 32 != (k->epoch & 0xffffffff))) return;
    if (token) {
        uint32_t index = (uint32_t)token - (uint32_t)k->seq_head;
        if (index >= k->received_count) return;
        k->received[(k->received_head + index) % k->conf.receive_max].acked = true;
    }
    while (k->received_count && k->received[k->received_head].acked) {
        const In *in = &k->received[k->received_head];
        if (in->qos == 2) k->seen[in->id / 64] |= 1ull << (in->id % 64);
        mqtt_put_ack(&k->out, in->qos == 1 ? MQTT_PUBACK : MQTT_PUBREC, k->version, in->id, 0,
                     STR_NONE);
        k->received_head = (k->received_head + 1) % k->conf.receive_max;
        k->received_count--;
        k->seq_head++;
        mqtt_client__flush_later(k);
    }
    if (k->stopped && k->received_count < k->conf.receive_max && k->socket) mqtt_client__read_on(k);
}
