/* runtime/mqtt/broker_session.c: what of a client outlives its connection, and subscriptions.
 *
 * A session owns its subscriptions, waiting messages, both QoS 2 states and the will. It ends at
 * its expiry after the connection went, or when a clean start replaces it. */
#include "mqtt/broker_int.h"

#include "base/mem.h"

static Str str_copy(Str text)
{
    char *copy = mem_alloc(text.len + 1);
    if (!copy) return STR_NONE;
    if (text.len) memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    return str_slice(copy, text.len);
}

static void str_free(Str text)
{
    mem_free((char *)(uintptr_t)text.ptr);
}

Session *mqtt__session_new(MqttBroker *b, Str id, Str user)
{
    if (b->session_count >= b->conf.sessions_max) return NULL;
    Session *s = mem_zalloc(1, sizeof *s);
    if (!s) return NULL;
    s->broker = b;
    s->id = str_copy(id);
    s->user = str_copy(user);
    s->serial = ++b->serial;
    s->first_id = 1;
    map_init(&s->subs, b->conf.filters_per_session_max);
    if (!s->id.ptr || !s->user.ptr || map_put(&b->by_id, s->id, s)) {
        str_free(s->id);
        str_free(s->user);
        mem_free(s);
        return NULL;
    }
    s->next = b->sessions;
    if (s->next) s->next->prev = s;
    b->sessions = s;
    b->session_count++;
    b->stats.sessions_now++;
    return s;
}

void mqtt__will_fire(Session *s)
{
    MqttBroker *b = s->broker;
    Msg *will = s->will;
    if (!will) return;
    s->will = NULL;
    s->will_at_ns = 0;
    /* Made anew: expiry counts from publication. Delivered through the ring of own publishes, which
     * runs when no message is being handed out. */
    MqttPub view = mqtt__msg_view(will);
    view.received_ns = 0;
    Str why;
    Msg *msg = mqtt__unfit(b, &view, &why) ? NULL : mqtt__msg_new(b, &view, s->serial);
    if (msg && (b->later.count >= LATER_MAX ||
                !mqtt__ring_push(&b->later, (Entry){.msg = msg, .qos = msg->qos})))
        mqtt__msg_unref(b, msg);
    mqtt__msg_unref(b, will);
}

static void pending_forget(Session *s, bool qos1_only)
{
    Pending **link = &s->pending_first;
    s->pending_last = NULL;
    while (*link) {
        Pending *p = *link;
        if (qos1_only && p->qos == 2 && p->session) {
            s->pending_last = p;
            link = &p->next;
            continue;
        }
        *link = p->next;
        s->pending_count--;
        p->session = NULL;
        p->listed = false;
        mqtt__pending_release(s->broker, p);
    }
}

void mqtt__session_end(Session *s)
{
    MqttBroker *b = s->broker;
    bool durable = s->slot != 0;
    mqtt__will_fire(s);
    mqtt__bridge_gone(s);
    mqtt__keep_end(s);
    MapSlot *slot;
    for (size_t at = 0; (slot = map_next(&s->subs, &at));) mqtt__sub_remove(b, slot->value);
    map_done(&s->subs);
    pending_forget(s, false);
    if (!durable) {
        b->stats.queued_now -= s->wait0.count + s->wait1.count;
        b->stats.queued_bytes_now -= s->wait_bytes;
    }
    mqtt__ring_done(b, &s->fresh);
    mqtt__ring_done(b, &s->wait0);
    mqtt__ring_done(b, &s->wait1);
    mqtt__ring_done(b, &s->inflight);
    (void)map_remove(&b->by_id, s->id);
    if (s->prev)
        s->prev->next = s->next;
    else
        b->sessions = s->next;
    if (s->next) s->next->prev = s->prev;
    b->session_count--;
    b->stats.sessions_now--;
    mem_free(s->received);
    mem_free(s->received_open);
    str_free(s->id);
    str_free(s->user);
    mem_free(s);
}

void mqtt__sessions_drop(MqttBroker *b)
{
    while (b->sessions) {
        mqtt__msg_unref(b, b->sessions->will);
        b->sessions->will = NULL;
        mqtt__session_end(b->sessions);
    }
}

void mqtt__session_detach(Conn *c)
{
    Session *s = c->session;
    if (!s) return;
    c->session = NULL;
    s->conn = NULL;
    pending_forget(s, true);
    int64_t now = clock_monotonic_ns();
    if (c->will_cancelled) {
        mqtt__msg_unref(s->broker, s->will);
        s->will = NULL;
    }
    if (s->will) {
        uint32_t delay = s->will_delay_s < s->expiry_s ? s->will_delay_s : s->expiry_s;
        if (delay)
            s->will_at_ns = now + delay * NS_PER_S;
        else
            mqtt__will_fire(s);
    }
    s->ends_ns = now + s->expiry_s * NS_PER_S;
    /* QoS 0 does not wait for somebody who is away. */
    while (s->wait0.count) {
        Entry e = mqtt__ring_pop(&s->wait0);
        s->wait_bytes -= e.msg->bytes;
        s->broker->stats.queued_now--;
        s->broker->stats.queued_bytes_now -= e.msg->bytes;
        mqtt__entry_drop(s->broker, &e);
    }
    if (!s->expiry_s) {
        mqtt__session_end(s);
        return;
    }
    mqtt__keep_session(s);
    mqtt__keep_forget(s);
}

void mqtt__sessions_tick(MqttBroker *b, int64_t now_ns)
{
    if (b->keep.restored) return;
    for (Session *s = b->sessions, *next; s; s = next) {
        next = s->next;
        if (s->conn) continue;
        if (s->will_at_ns && now_ns >= s->will_at_ns) {
            mqtt__will_fire(s);
            if (s->slot) mqtt__keep_session(s);
        }
        if (now_ns >= s->ends_ns) mqtt__session_end(s);
    }
}

static Share *share_of(NodeSubs *subs, TrieNode *node, Str group)
{
    for (Share *share = subs->shares; share; share = share->next)
        if (str_eq(share->group, group)) return share;
    Share *share = mem_zalloc(1, sizeof *share);
    if (!share) return NULL;
    *share = (Share){.next = subs->shares, .node = node, .group = str_copy(group)};
    if (!share->group.ptr) {
        mem_free(share);
        return NULL;
    }
    subs->shares = share;
    return share;
}

static void node_clean(MqttBroker *b, TrieNode *node)
{
    NodeSubs *subs = node->value;
    for (Share **link = &subs->shares; *link;) {
        Share *share = *link;
        if (share->members) {
            link = &share->next;
            continue;
        }
        *link = share->next;
        str_free(share->group);
        mem_free(share);
    }
    if (subs->subs || subs->shares) return;
    mem_free(subs);
    node->value = NULL;
    mqtt__trie_trim(&b->subs, node);
}

Sub *mqtt__sub_add(MqttBroker *b, Str filter, bool *ret_full)
{
    Str group, rest;
    *ret_full = false;
    if (!mqtt_share_split(filter, &group, &rest)) return NULL;
    Sub *sub = mem_zalloc(1, sizeof *sub);
    TrieNode *node = sub ? mqtt__trie_add(&b->subs, rest) : NULL;
    NodeSubs *subs = node ? node->value : NULL;
    if (node && !subs) {
        subs = mem_zalloc(1, sizeof *subs);
        node->value = subs;
        if (!subs) mqtt__trie_trim(&b->subs, node);
    }
    if (sub) sub->filter = str_copy(filter);
    if (!sub || !subs || !sub->filter.ptr) goto out;
    sub->node = node;
    if (group.len) {
        Share *share = sub->share = share_of(subs, node, group);
        if (!share) goto out;
        sub->prev = share->last;
        *(share->last ? &share->last->next : &share->members) = sub;
        share->last = sub;
    } else {
        sub->next = subs->subs;
        if (sub->next) sub->next->prev = sub;
        subs->subs = sub;
    }
    b->generation++;
    b->stats.subscriptions_now++;
    return sub;
out:
    if (subs) node_clean(b, node);
    if (sub) str_free(sub->filter);
    mem_free(sub);
    return NULL;
}

void mqtt__sub_remove(MqttBroker *b, Sub *sub)
{
    NodeSubs *subs = sub->node->value;
    Sub **list = sub->share ? &sub->share->members : &subs->subs;
    if (sub->share && sub->share->turn == sub) sub->share->turn = sub->next;
    if (sub->share && sub->share->last == sub) sub->share->last = sub->prev;
    if (sub->prev)
        sub->prev->next = sub->next;
    else
        *list = sub->next;
    if (sub->next) sub->next->prev = sub->prev;
    node_clean(b, sub->node);
    b->generation++;
    b->stats.subscriptions_now--;
    str_free(sub->filter);
    mem_free(sub);
}

uint8_t mqtt__subscribe(Session *s, const MqttFilterRow *row, uint32_t id)
{
    MqttBroker *b = s->broker;
    Str group, rest;
    if (!mqtt_share_split(row->filter, &group, &rest)) return MQTT_RC_FILTER_INVALID;
    if (row->filter.len > b->conf.filter_bytes_max || mqtt_levels(row->filter) > MQTT_LEVELS_MAX)
        return MQTT_RC_QUOTA;
    if (b->conf.may && !s->bridge &&
        !b->conf.may(b->conf.may_ctx, s->id, s->user, MQTT_MAY_SUBSCRIBE, rest))
        return MQTT_RC_UNSPECIFIED; /* the one failure code that 3.1.1 and 5.0 share */
    Sub *sub = map_get(&s->subs, row->filter);
    bool fresh = !sub, full;
    if (fresh) {
        if (s->subs.len >= b->conf.filters_per_session_max) return MQTT_RC_QUOTA;
        sub = mqtt__sub_add(b, row->filter, &full);
        if (!sub) return MQTT_RC_QUOTA;
        sub->session = s;
        if (map_put(&s->subs, sub->filter, sub)) {
            mqtt__sub_remove(b, sub);
            return MQTT_RC_QUOTA;
        }
    }
    sub->qos = row->qos;
    sub->no_local = row->no_local;
    sub->as_published = row->retain_as_published;
    sub->id = id;
    mqtt__keep_filter(sub);
    return row->qos;
}

bool mqtt__unsubscribe(Session *s, Str filter)
{
    Sub *sub = map_remove(&s->subs, filter);
    if (!sub) return false;
    mqtt__keep_unfilter(s, filter);
    mqtt__sub_remove(s->broker, sub);
    return true;
}

bool mqtt__received_has(const Session *s, uint16_t id)
{
    return s->received && s->received[id / 64] >> (id % 64) & 1;
}

bool mqtt__received_set(Session *s, uint16_t id)
{
    if (!s->received) s->received = mem_zalloc(1024, sizeof *s->received);
    if (!s->received) return false;
    s->received[id / 64] |= 1ull << (id % 64);
    s->received_count++;
    return true;
}

void mqtt__received_clear(Session *s, uint16_t id)
{
    if (!mqtt__received_has(s, id)) return;
    s->received[id / 64] &= ~(1ull << (id % 64));
    s->received_count--;
    (void)mqtt__received_open_take(s, id);
    mqtt__keep_released(s, id);
}

bool mqtt__received_open_set(Session *s, uint16_t id)
{
    if (!s->received_open) s->received_open = mem_zalloc(1024, sizeof *s->received_open);
    if (!s->received_open) return false;
    s->received_open[id / 64] |= 1ull << (id % 64);
    return true;
}

bool mqtt__received_open_take(Session *s, uint16_t id)
{
    if (!s->received_open || !(s->received_open[id / 64] >> (id % 64) & 1)) return false;
    s->received_open[id / 64] &= ~(1ull << (id % 64));
    return true;
}
