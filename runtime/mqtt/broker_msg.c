/* runtime/mqtt/broker_msg.c: messages, and rings and queues of messages that wait for
 * somebody or for the disk.
 *
 * A message is one allocation whatever the number of its receivers; the broker counts the bytes of
 * all that are alive and refuses new ones above queue_bytes_total. */
#include "mqtt/broker_int.h"

#include "base/mem.h"

static char *text_put(char *to, Str text)
{
    if (text.len) memcpy(to, text.ptr, text.len);
    return to + text.len;
}

size_t mqtt__msg_bytes(const MqttPub *pub)
{
    return sizeof(Msg) + pub->topic.len + pub->props.len + pub->publisher.len + pub->user.len +
           pub->payload.len;
}

Msg *mqtt__msg_new(MqttBroker *b, const MqttPub *pub, uint64_t from)
{
    size_t bytes = mqtt__msg_bytes(pub);
    if (b->msg_bytes + bytes > b->conf.queue_bytes_total) return NULL;
    Msg *msg = bytes <= UINT32_MAX ? mem_alloc(bytes) : NULL;
    if (!msg) return NULL;
    *msg = (Msg){.refs = 1,
                 .qos = pub->qos,
                 .retain = pub->retain,
                 .topic_bytes = (uint16_t)pub->topic.len,
                 .props_bytes = (uint32_t)pub->props.len,
                 .publisher_bytes = (uint16_t)pub->publisher.len,
                 .user_bytes = (uint16_t)pub->user.len,
                 .payload_bytes = (uint32_t)pub->payload.len,
                 .bytes = (uint32_t)bytes,
                 .from = from,
                 .expiry_s = pub->expiry_s,
                 .received_ns = pub->received_ns ? pub->received_ns : clock_wall_ns()};
    if (pub->expiry_s || pub->expires)
        msg->expires_ns = clock_monotonic_ns() + pub->expiry_s * NS_PER_S;
    char *to = text_put(msg->text, pub->topic);
    to = text_put(to, pub->props);
    to = text_put(to, pub->publisher);
    to = text_put(to, pub->user);
    (void)text_put(to, pub->payload);
    b->msg_bytes += bytes;
    return msg;
}

void mqtt__msg_unref(MqttBroker *b, Msg *msg)
{
    if (!msg || --msg->refs) return;
    b->msg_bytes -= msg->bytes;
    mem_free(msg);
}

MqttPub mqtt__msg_view(const Msg *msg)
{
    MqttPub pub = {.received_ns = msg->received_ns,
                   .expiry_s = msg->expiry_s,
                   .expires = msg->expires_ns != 0,
                   .qos = msg->qos,
                   .retain = msg->retain};
    const char *at = msg->text;
    pub.topic = str_slice(at, msg->topic_bytes);
    at += msg->topic_bytes;
    pub.props = str_slice(at, msg->props_bytes);
    at += msg->props_bytes;
    pub.publisher = str_slice(at, msg->publisher_bytes);
    at += msg->publisher_bytes;
    pub.user = str_slice(at, msg->user_bytes);
    at += msg->user_bytes;
    pub.payload = str_slice(at, msg->payload_bytes);
    return pub;
}

bool mqtt__msg_expired(const Msg *msg, int64_t now_ns)
{
    return msg->expires_ns && now_ns >= msg->expires_ns;
}

Entry *mqtt__ring_at(const Ring *ring, uint32_t index)
{
    return &ring->at[(ring->head + index) & (ring->cap - 1)];
}

bool mqtt__entry_ids(Entry *entry, const uint32_t *ids, uint32_t count)
{
    if (count == 1) entry->id = ids[0];
    if (count < 2) return true;
    entry->ids = mem_alloc((count + 1) * sizeof *ids);
    if (!entry->ids) return false;
    entry->ids[0] = count;
    memcpy(entry->ids + 1, ids, count * sizeof *ids);
    return true;
}

bool mqtt__ring_push(Ring *ring, Entry entry)
{
    if (ring->count == ring->cap) {
        uint32_t cap = ring->cap ? ring->cap * 2 : 16;
        Entry *at = mem_alloc(cap * sizeof *at);
        if (!at) return false;
        for (uint32_t i = 0; i < ring->count; i++) at[i] = *mqtt__ring_at(ring, i);
        mem_free(ring->at);
        *ring = (Ring){at, 0, ring->count, cap};
    }
    ring->at[(ring->head + ring->count++) & (ring->cap - 1)] = entry;
    return true;
}

Entry mqtt__ring_pop(Ring *ring)
{
    Entry entry = ring->at[ring->head];
    ring->head = (ring->head + 1) & (ring->cap - 1);
    if (--ring->count == 0 && ring->cap > 1024) {
        mem_free(ring->at);
        *ring = (Ring){0};
    }
    return entry;
}

void mqtt__entry_drop(MqttBroker *b, Entry *entry)
{
    mqtt__msg_unref(b, entry->msg);
    mem_free(entry->ids);
    entry->msg = NULL;
    entry->ids = NULL;
}

void mqtt__ring_done(MqttBroker *b, Ring *ring)
{
    while (ring->count) {
        Entry entry = mqtt__ring_pop(ring);
        mqtt__entry_drop(b, &entry);
    }
    mem_free(ring->at);
    *ring = (Ring){0};
}

bool mqtt__queue_push(MsgQueue *queue, Msg *msg)
{
    enum { CAP_MIN = 64 };
    if (queue->count == queue->cap) {
        uint32_t cap = queue->cap ? queue->cap * 2 : CAP_MIN;
        Msg **at = mem_alloc(cap * sizeof(Msg *));
        if (!at) return false;
        for (uint32_t i = 0; i < queue->count; i++)
            at[i] = queue->at[(queue->head + i) & (queue->cap - 1)];
        mem_free(queue->at);
        *queue = (MsgQueue){at, 0, queue->count, cap};
    }
    queue->at[(queue->head + queue->count++) & (queue->cap - 1)] = msg;
    msg->refs++;
    return true;
}

Msg *mqtt__queue_pop(MsgQueue *queue)
{
    enum { CAP_KEPT = 8192 };
    Msg *msg = queue->at[queue->head];
    queue->head = (queue->head + 1) & (queue->cap - 1);
    if (--queue->count == 0 && queue->cap > CAP_KEPT) {
        mem_free(queue->at);
        *queue = (MsgQueue){0};
    }
    return msg;
}

void mqtt__queue_done(MqttBroker *b, MsgQueue *queue)
{
    while (queue->count) mqtt__msg_unref(b, mqtt__queue_pop(queue));
    mem_free(queue->at);
    *queue = (MsgQueue){0};
}
