/* runtime/mqtt/broker_route.c: from an accepted publish to everybody who wants it.
 *
 * Which subscriptions match a topic is looked up in a cache keyed by the topic; a cached row list
 * is valid while the broker's generation (bumped by every change of subscriptions) stays the same.
 * Rows of one session stand side by side, so that overlapping subscriptions become one copy at the
 * highest QoS carrying all identifiers. */
#include "mqtt/broker_int.h"

#include "base/mem.h"

#include <stdlib.h>

static bool row_add(MatchSlot *slot, MatchRow row)
{
    if (slot->count == slot->cap) {
        uint32_t cap = slot->cap ? slot->cap * 2 : 4;
        MatchRow *rows = mem_realloc(slot->rows, cap * sizeof *rows);
        if (!rows) return false;
        slot->rows = rows;
        slot->cap = cap;
    }
    slot->rows[slot->count++] = row;
    return true;
}

static void on_match(void *ctx, TrieNode *node)
{
    MatchSlot *slot = ctx;
    NodeSubs *subs = node->value;
    for (Sub *sub = subs->subs; sub; sub = sub->next)
        if (!row_add(slot, (MatchRow){.session = sub->session, .attach = sub->attach, .sub = sub}))
            return;
    for (Share *share = subs->shares; share; share = share->next)
        if (!row_add(slot, (MatchRow){.share = share})) return;
}

static int row_order(const void *a, const void *b)
{
    uintptr_t left = (uintptr_t)((const MatchRow *)a)->session;
    uintptr_t right = (uintptr_t)((const MatchRow *)b)->session;
    return left < right ? -1 : left > right;
}

/* Into the room that the topic before had, where that is enough. */
static bool topic_take(MatchSlot *slot, Str topic)
{
    enum { STEP = 32, LONG = 1024 };
    if (!slot->topic || topic.len > slot->topic_room || slot->topic_room > LONG) {
        size_t room = (topic.len / STEP + 1) * STEP;
        char *copy = mem_realloc(slot->topic, room);
        if (!copy) return false;
        slot->topic = copy;
        slot->topic_room = (uint32_t)room;
    }
    memcpy(slot->topic, topic.ptr, topic.len);
    slot->topic_bytes = (uint32_t)topic.len;
    return true;
}

static MatchSlot *match(MqttBroker *b, Str topic)
{
    static MatchSlot nobody;
    if (!b->subs.nodes) return &nobody;
    MatchSlot *slot = &b->matches[hash_bytes(topic.ptr, topic.len) % MATCH_SLOTS];
    bool same = slot->topic && str_eq(str_slice(slot->topic, slot->topic_bytes), topic);
    if (same && slot->generation == b->generation) return slot;
    if (!same && !topic_take(slot, topic)) return NULL;
    slot->generation = b->generation;
    slot->count = 0;
    if (slot->cap > 1024) {
        mem_free(slot->rows);
        slot->rows = NULL;
        slot->cap = 0;
    }
    mqtt__trie_match(&b->subs, topic, on_match, slot);
    if (slot->count > 1) qsort(slot->rows, slot->count, sizeof *slot->rows, row_order);
    return slot;
}

static uint8_t lower(uint8_t a, uint8_t b)
{
    return a < b ? a : b;
}

bool mqtt__may_receive(const Session *s, const Msg *msg)
{
    MqttBroker *b = s->broker;
    if (s->bridge) return mqtt__bridge_takes(s, msg);
    if (!b->conf.may) return true;
    Str topic = str_slice(msg->text, msg->topic_bytes);
    if (b->conf.may(b->conf.may_ctx, s->id, s->user, MQTT_MAY_RECEIVE, topic)) return true;
    b->stats.dropped_denied++;
    return false;
}

/* No Local asks for the client identifier, which outlives a session (MQTT-3.8.3-3). */
bool mqtt__is_own(const Session *s, const Msg *msg)
{
    if (msg->from == s->serial) return true;
    return msg->publisher_bytes && str_eq(mqtt__msg_view(msg).publisher, s->id);
}

/* Bridges: it came from there, or gets there another way. */
static bool is_known_there(const MatchSlot *slot, const MatchRow *rows, uint32_t count,
                           const Msg *msg)
{
    const Session *s = rows[0].session;
    if (s->bridge) return mqtt__bridge_pulled(s, slot, msg);
    return mqtt__bridge_from(s, msg) || mqtt__bridge_pushes(rows, count, msg);
}

/* All rows of one session: one copy. */
static void give_session(const MatchSlot *slot, const MatchRow *rows, uint32_t count, Msg *msg)
{
    Session *s = rows[0].session;
    uint32_t ids[MQTT_SUB_IDS_MAX], id_count = 0;
    uint8_t qos = 0;
    bool any = false, as_published = false;
    for (uint32_t i = 0; i < count; i++) {
        const Sub *sub = rows[i].sub;
        if (sub->no_local && mqtt__is_own(s, msg)) continue;
        any = true;
        as_published |= sub->as_published;
        if (sub->qos > qos) qos = sub->qos;
        if (sub->id && id_count < MQTT_SUB_IDS_MAX) ids[id_count++] = sub->id;
    }
    if (!any || !mqtt__may_receive(s, msg)) return;
    if (s->broker->bridges && is_known_there(slot, rows, count, msg)) return;
    mqtt__send(s, msg, lower(qos, msg->qos), as_published && msg->retain, ids, id_count, false);
}

static bool member_ready(const Sub *sub)
{
    if (sub->attach)
        return !sub->attach->gone && sub->attach->window.count < sub->attach->window_max;
    const Conn *c = sub->session->conn;
    return c && c->state == CONN_OPEN && !mqtt__conn_congested(c);
}

static void give_share(Share *share, Msg *msg, Pending *pending)
{
    Sub *chosen = NULL, *sub = share->turn ? share->turn : share->members;
    if (!sub) return;
    Sub *start = sub;
    do {
        if (member_ready(sub)) chosen = sub;
        sub = sub->next ? sub->next : share->members;
    } while (!chosen && sub != start);
    if (!chosen) chosen = start;
    share->turn = chosen->next ? chosen->next : share->members;
    uint8_t qos = lower(chosen->qos, msg->qos);
    bool retain = chosen->as_published && msg->retain;
    if (chosen->attach) {
        mqtt__attach_give(chosen->attach, msg, qos, false, pending);
    } else if (mqtt__may_receive(chosen->session, msg)) {
        mqtt__send(chosen->session, msg, qos, retain, &chosen->id, chosen->id ? 1 : 0, false);
    }
}

/* How many sessions will have the message written down, about: a session may have several rows. */
static uint32_t durable_rows(const MatchSlot *slot)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < slot->count; i++)
        count += slot->rows[i].session && slot->rows[i].session->slot && slot->rows[i].sub->qos;
    return count;
}

/* Somebody durable wants it and has no room for it: its publisher has to know, and nobody gets it.
 */
static bool is_refused(MqttBroker *b, const Msg *msg)
{
    bool all_full = b->keep.bytes >= b->conf.durable_bytes_total;
    if (!b->keep.store || !msg->qos || (!all_full && !b->keep.full_count)) return false;
    const MatchSlot *slot = match(b, mqtt__msg_topic(msg));
    for (uint32_t i = 0; slot && i < slot->count; i++) {
        const Session *s = slot->rows[i].session;
        bool full = s && s->slot && slot->rows[i].sub->qos && (all_full || s->full);
        if (full && (!s->bridge || mqtt__bridge_refuses(s))) return true;
    }
    return false;
}

/* False when no subscription matched. */
static bool hand_out(MqttBroker *b, Msg *msg, Pending *pending)
{
    MatchSlot *slot = match(b, mqtt__msg_topic(msg));
    if (!slot) return false;
    /* Of version 0, so it fits nobody until it is encoded. */
    b->frame = (Frame){.of = slot->count > 1 ? msg : NULL, .bytes = b->frame.bytes};
    if (msg->qos) mqtt__keep_share(b, msg, b->keep.store ? durable_rows(slot) : 0);
    for (uint32_t i = 0; i < slot->count;) {
        const MatchRow *row = &slot->rows[i];
        uint32_t count = 1;
        if (row->share)
            give_share(row->share, msg, pending);
        else if (row->attach)
            mqtt__attach_give(row->attach, msg, lower(row->sub->qos, msg->qos), false, pending);
        else {
            while (i + count < slot->count && slot->rows[i + count].session == row->session)
                count++;
            give_session(slot, row, count, msg);
        }
        i += count;
    }
    b->keep.shared = NULL;
    b->frame.of = NULL;
    return slot->count > 0;
}

static bool retain_keep(MqttBroker *b, Msg *msg)
{
    if (!mqtt__retain_put(b, msg)) return false;
    mqtt__keep_retained(b, msg);
    return true;
}

static void observe(MqttBroker *b, const Msg *msg, Pending *pending)
{
    if (!b->observe) return;
    MqttPub view = mqtt__msg_view(msg);
    uint64_t mark = b->observe(b->observe_ctx, &view);
    if (mark && pending)
        mqtt__observe_wait(b, pending, mark);
    else if (mark && !msg->from)
        b->own_mark = mark;
}

bool mqtt__accept_msg(MqttBroker *b, Msg *msg, Pending *pending)
{
    b->depth++;
    observe(b, msg, pending);
    bool matched = hand_out(b, msg, pending);
    b->depth--;
    return matched;
}

uint8_t mqtt__unfit(MqttBroker *b, const MqttPub *pub, Str *ret_why)
{
    if (!b->check) return 0;
    uint8_t reason = b->check(b->check_ctx, pub, ret_why);
    if (reason < 0x80) return 0;
    b->stats.dropped_unfit++;
    return reason;
}

MqttReason mqtt__accept(MqttBroker *b, const MqttPub *pub, uint64_t from, Pending *pending)
{
    Msg *msg = mqtt__msg_new(b, pub, from);
    if (!msg) {
        b->stats.dropped_full++;
        return MQTT_RC_QUOTA;
    }
    if ((from && is_refused(b, msg)) || (pub->retain && !retain_keep(b, msg))) {
        b->stats.dropped_full++;
        mqtt__msg_unref(b, msg);
        return MQTT_RC_QUOTA;
    }
    bool matched = mqtt__accept_msg(b, msg, pending);
    mqtt__msg_unref(b, msg);
    return matched ? MQTT_RC_OK : MQTT_RC_NO_MATCH;
}

static const Sub *own_member(const Share *share)
{
    const Sub *sub = share->members;
    while (sub && !sub->attach) sub = sub->next;
    return sub;
}

MqttReason mqtt__accept_own(MqttBroker *b, const MqttPub *pub, uint64_t from, Pending *pending)
{
    Msg *msg = mqtt__msg_new(b, pub, from);
    if (!msg) return MQTT_RC_QUOTA;
    b->depth++;
    observe(b, msg, pending);
    const MatchSlot *slot = match(b, pub->topic);
    for (uint32_t i = 0; slot && i < slot->count; i++) {
        const MatchRow *row = &slot->rows[i];
        const Sub *sub = row->share ? own_member(row->share) : row->sub;
        if (sub && sub->attach)
            mqtt__attach_give(sub->attach, msg, lower(sub->qos, msg->qos), false, pending);
    }
    b->depth--;
    mqtt__msg_unref(b, msg);
    return MQTT_RC_OK;
}

void mqtt__later_run(MqttBroker *b)
{
    uint64_t changes = b->keep.changes;
    for (uint32_t left = b->later.count; left && b->later.count; left--) {
        Entry e = mqtt__ring_pop(&b->later);
        if (e.msg->retain) (void)retain_keep(b, e.msg);
        (void)mqtt__accept_msg(b, e.msg, NULL);
        mqtt__entry_drop(b, &e);
    }
    if (b->keep.changes != changes) b->keep.own_batch = b->keep.batch;
}
