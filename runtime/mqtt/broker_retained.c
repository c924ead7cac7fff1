/* runtime/mqtt/broker_retained.c: what topics retain, and who gets it.
 *
 * A node of the retained tree holds a message. After a start topics are known by their rows first
 * (unread.h), and rows are read while clients are served (broker_recall.c). A publish to a topic
 * takes the row over, read or not. */
#include "mqtt/broker_int.h"

#include "base/mem.h"

/* ---- nodes ---- */

Msg *mqtt__retained_msg(const TrieNode *node)
{
    return node ? node->value : NULL;
}

static void node_clear(MqttBroker *b, TrieNode *node)
{
    Msg *old = node->value;
    if (!old) return;
    b->stats.retained_now--;
    b->stats.retained_bytes_now -= old->bytes;
    node->value = NULL;
    old->current = false;
    mqtt__msg_unref(b, old);
}

/* The row that the topic has on the disk only, which is another's now; 0: none. */
static uint32_t unread_take(MqttBroker *b, const Msg *msg)
{
    uint32_t row = mqtt__unread_take(&b->keep.unread, mqtt__msg_topic(msg));
    if (row) b->stats.retained_now--;
    return row;
}

static void retain_end(MqttBroker *b, Msg *msg)
{
    TrieNode *node = mqtt__trie_find(&b->retained, mqtt__msg_topic(msg));
    const Msg *old = mqtt__retained_msg(node);
    msg->row = old ? old->row : unread_take(b, msg);
    if (!old) return;
    node_clear(b, node);
    mqtt__trie_trim(&b->retained, node);
}

bool mqtt__retain_put(MqttBroker *b, Msg *msg)
{
    if (!msg->payload_bytes) {
        retain_end(b, msg);
        return true;
    }
    TrieNode *node = mqtt__trie_add(&b->retained, mqtt__msg_topic(msg));
    mem_ahead();
    if (!node) return false;
    const Msg *old = mqtt__retained_msg(node);
    uint32_t unread = mqtt__unread_row(&b->keep.unread, mqtt__msg_topic(msg));
    uint64_t bytes = b->stats.retained_bytes_now - (old ? old->bytes : 0) + msg->bytes;
    if ((!old && !unread && b->stats.retained_now >= b->conf.retained_max) ||
        bytes > b->conf.retained_bytes) {
        mqtt__trie_trim(&b->retained, node);
        return false;
    }
    if (!msg->row) msg->row = old ? old->row : unread;
    if (unread) (void)unread_take(b, msg);
    node_clear(b, node);
    node->value = msg;
    msg->current = true;
    msg->refs++;
    b->stats.retained_now++;
    b->stats.retained_bytes_now += msg->bytes;
    return true;
}

static void on_free(void *ctx, TrieNode *node)
{
    node_clear(ctx, node);
}

void mqtt__retained_free(MqttBroker *b)
{
    mqtt__trie_select(&b->retained, STR("#"), on_free, b);
    for (TrieNode *node = b->retained.root->first_child; node; node = node->next) {
        if (!node->text_bytes || node->text[0] != '$') continue;
        Buf filter;
        buf_init(&filter, 70000);
        buf_add(&filter, node->text, node->text_bytes);
        buf_text(&filter, "/#");
        mqtt__trie_select(&b->retained, buf_view(&filter), on_free, b);
        buf_done(&filter);
    }
}

/* ---- to new subscriptions ---- */

void mqtt__give_retained(Sub *sub, Msg *msg)
{
    uint8_t qos = sub->qos < msg->qos ? sub->qos : msg->qos;
    if (sub->attach) {
        mqtt__attach_give(sub->attach, msg, qos, true, NULL);
        return;
    }
    if (!mqtt__may_receive(sub->session, msg)) return;
    if (sub->no_local && mqtt__is_own(sub->session, msg)) return;
    mqtt__send(sub->session, msg, qos, true, &sub->id, sub->id ? 1 : 0, true);
}

static void on_retained(void *ctx, TrieNode *node)
{
    Msg *msg = mqtt__retained_msg(node);
    if (!mqtt__msg_expired(msg, clock_monotonic_ns())) mqtt__give_retained(ctx, msg);
}

void mqtt__replay(MqttBroker *b, Sub *sub)
{
    b->depth++;
    mqtt__trie_select(&b->retained, sub->filter, on_retained, sub);
    mqtt__recall_ask(b, sub);
    mqtt__sys_replay(b, sub);
    b->depth--;
}

/* ---- to who asks ---- */

typedef struct RetainedWalk {
    void (*fn)(void *ctx, const MqttPub *pub);
    void *ctx;
    uint32_t max, count;
} RetainedWalk;

static void on_walk(void *ctx, TrieNode *node)
{
    RetainedWalk *walk = ctx;
    const Msg *msg = mqtt__retained_msg(node);
    if (!msg || walk->count >= walk->max || mqtt__msg_expired(msg, clock_monotonic_ns())) return;
    MqttPub view = mqtt__msg_view(msg);
    walk->count++;
    walk->fn(walk->ctx, &view);
}

uint32_t mqtt_broker_retained(MqttBroker *broker, Str filter, uint32_t max,
                              void (*fn)(void *ctx, const MqttPub *pub), void *ctx)
{
    RetainedWalk walk = {fn, ctx, max, 0};
    mqtt__recall_now(broker);
    if (mqtt_filter_valid(filter)) mqtt__trie_select(&broker->retained, filter, on_walk, &walk);
    return walk.count;
}
