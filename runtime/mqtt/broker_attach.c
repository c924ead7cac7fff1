/* runtime/mqtt/broker_attach.c: consumers of this process, and their acknowledgements.
 *
 * A token is slot (16 bits), generation of the slot's user (16) and sequence number (32) in one
 * number, so a late ack of a consumer that is gone meets nobody. Acks from other threads are
 * collected under a lock and worked off on the loop, many per wake-up. */
#include "mqtt/broker_int.h"

#include "base/mem.h"

static uint64_t token_make(const MqttAttach *a, uint32_t seq)
{
    return (uint64_t)(a->slot + 1u) << 48 | (uint64_t)a->generation << 32 | seq;
}

static void call(MqttAttach *a, Msg *msg, uint8_t qos, bool retain, Pending *pending)
{
    uint64_t token = 0;
    if (qos) {
        uint32_t seq = a->first_seq + a->window.count;
        if (!mqtt__ring_push(&a->window, (Entry){.pending = pending, .state = OUT_WAIT_ACK})) {
            mqtt__pending_done(a->broker, pending);
            a->dropped++;
            return;
        }
        token = token_make(a, seq);
    }
    MqttPub view = mqtt__msg_view(msg);
    view.qos = qos;
    view.retain = retain;
    a->broker->depth++;
    a->fn(a->ctx, &view, token);
    a->broker->depth--;
}

static bool wait_add(Ring *ring, Msg *msg, uint8_t qos, bool retain, Pending *pending)
{
    Entry e = {.msg = msg, .qos = qos, .retain = retain, .pending = pending};
    if (ring->count >= ATTACH_WAIT_MAX || !mqtt__ring_push(ring, e)) return false;
    msg->refs++;
    return true;
}

void mqtt__attach_give(MqttAttach *a, Msg *msg, uint8_t qos, bool retain, Pending *pending)
{
    if (a->gone) return;
    bool full = a->window.count >= a->window_max;
    if (!qos) {
        if (!full && !a->wait0.count) {
            call(a, msg, 0, retain, NULL);
            return;
        }
        if (a->wait0.count >= a->window_max) {
            Entry oldest = mqtt__ring_pop(&a->wait0);
            mqtt__entry_drop(a->broker, &oldest);
            a->dropped++;
            a->broker->stats.dropped_qos0++;
        }
        if (!wait_add(&a->wait0, msg, 0, retain, NULL)) a->dropped++;
        return;
    }
    if (pending) {
        pending->remaining++;
        pending->attached = true;
    }
    if (!full && !a->wait1.count) {
        call(a, msg, qos, retain, pending);
        return;
    }
    a->broker->must_hold = true;
    if (wait_add(&a->wait1, msg, qos, retain, pending)) return;
    a->dropped++;
    a->broker->stats.dropped_full++;
    mqtt__pending_done(a->broker, pending);
}

void mqtt__held_resume(MqttBroker *b)
{
    for (Conn *c = b->first, *next; c && b->held_count; c = next) {
        next = c->next;
        if (!c->held) continue;
        c->held = false;
        b->held_count--;
        mqtt__conn_resume(c);
    }
}

static void attach_pump(MqttAttach *a)
{
    bool had = a->wait1.count > 0;
    while (!a->gone && a->wait1.count && a->window.count < a->window_max) {
        Entry e = mqtt__ring_pop(&a->wait1);
        call(a, e.msg, e.qos, e.retain, e.pending);
        mqtt__entry_drop(a->broker, &e);
    }
    while (!a->gone && a->wait0.count && a->window.count < a->window_max) {
        Entry e = mqtt__ring_pop(&a->wait0);
        call(a, e.msg, 0, e.retain, NULL);
        mqtt__entry_drop(a->broker, &e);
    }
    if (had && !a->wait1.count) mqtt__held_resume(a->broker);
}

static void ack_one(MqttBroker *b, uint64_t token)
{
    uint64_t slot = (token >> 48) - 1;
    MqttAttach *a = slot < ATTACH_MAX ? b->attaches[slot] : NULL;
    if (!a || a->gone || a->generation != (uint16_t)(token >> 32)) return;
    uint32_t index = (uint32_t)token - a->first_seq;
    if (index >= a->window.count) return;
    Entry *e = mqtt__ring_at(&a->window, index);
    if (e->state == OUT_FREE) return;
    e->state = OUT_FREE;
    Pending *pending = e->pending;
    e->pending = NULL;
    while (a->window.count && mqtt__ring_at(&a->window, 0)->state == OUT_FREE) {
        (void)mqtt__ring_pop(&a->window);
        a->first_seq++;
    }
    mqtt__pending_done(b, pending);
}

void mqtt__acks_run(MqttBroker *b)
{
    pthread_mutex_lock(&b->ack_lock);
    Buf swap = b->acks_now;
    b->acks_now = b->acks;
    b->acks = swap;
    b->ack_posted = false;
    pthread_mutex_unlock(&b->ack_lock);
    if (!b->acks_now.len) return;
    for (size_t at = 0; at + 8 <= b->acks_now.len; at += 8) {
        uint64_t token;
        memcpy(&token, b->acks_now.ptr + at, 8);
        ack_one(b, token);
    }
    buf_clear(&b->acks_now);
    for (uint32_t i = 0; i < b->attach_top; i++)
        if (b->attaches[i] && (b->attaches[i]->wait1.count || b->attaches[i]->wait0.count))
            attach_pump(b->attaches[i]);
}

static void on_acks(void *ctx)
{
    MqttBroker *b = ctx;
    if (!b->closing) mqtt__acks_run(b);
}

void mqtt_broker_ack(MqttBroker *broker, uint64_t token)
{
    if (!token) return;
    pthread_mutex_lock(&broker->ack_lock);
    buf_add(&broker->acks, &token, sizeof token);
    bool post = !broker->ack_posted;
    broker->ack_posted = true;
    pthread_mutex_unlock(&broker->ack_lock);
    /* A full post queue is not lost: the prepare handle looks at the list on every turn anyway. */
    if (post && loop_post(broker->loop, on_acks, broker)) return;
}

Status mqtt_broker_attach(MqttBroker *broker, Str filter, uint8_t qos, MqttAttachFn *fn, void *ctx,
                          uint32_t window_max, MqttAttach **ret_attach, Diag *diag)
{
    Str group, rest;
    if (qos > 2 || !mqtt_filter_valid(filter) || mqtt_levels(filter) > MQTT_LEVELS_MAX ||
        !mqtt_share_split(filter, &group, &rest))
        return diag_set(diag, ST_INVALID, "\"%.*s\" is not a topic filter", STR_ARG(filter));
    uint32_t slot = 0;
    while (slot < ATTACH_MAX && broker->attaches[slot]) slot++;
    if (slot == ATTACH_MAX) return diag_set(diag, ST_LIMIT, "too many attachments");
    MqttAttach *a = mem_zalloc(1, sizeof *a);
    bool full;
    Sub *sub = a ? mqtt__sub_add(broker, filter, &full) : NULL;
    if (!sub) {
        mem_free(a);
        return diag_set(diag, ST_NO_MEMORY, "out of memory");
    }
    *a = (MqttAttach){.broker = broker,
                      .sub = sub,
                      .fn = fn,
                      .ctx = ctx,
                      .slot = (uint16_t)slot,
                      .generation = ++broker->attach_generation,
                      .window_max = window_max ? window_max : 1024,
                      .first_seq = 1,
                      .replay = !group.len,
                      .qos = qos};
    sub->attach = a;
    sub->qos = qos;
    broker->attaches[slot] = a;
    if (slot >= broker->attach_top) broker->attach_top = slot + 1;
    broker->attach_work |= a->replay;
    broker->stats.attachments_now++;
    *ret_attach = a;
    return ST_OK;
}

static void pending_drop(Pending *p)
{
    Session *s = p->session;
    if (!s) return;
    if (p->qos == 2) mqtt__received_clear(s, p->id);
    p->session = NULL; /* never answered */
    if (s->conn) mqtt__conn_close(s->conn);
}

static void give_up(MqttAttach *a, Ring *ring, bool accept)
{
    while (ring->count) {
        Entry e = mqtt__ring_pop(ring);
        Pending *p = e.pending;
        if (p && !accept) pending_drop(p);
        mqtt__entry_drop(a->broker, &e);
        mqtt__pending_done(a->broker, p);
    }
}

void mqtt_broker_detach(MqttAttach *attach, bool accept)
{
    if (!attach || attach->gone) return;
    MqttBroker *b = attach->broker;
    attach->gone = true;
    b->attach_work = true;
    b->stats.attachments_now--;
    give_up(attach, &attach->window, accept);
    give_up(attach, &attach->wait1, accept);
    give_up(attach, &attach->wait0, accept);
    if (!b->depth) mqtt__attach_work(b);
    mqtt__held_resume(b);
}

/* ---- the observer ---- */

void mqtt__observe_wait(MqttBroker *b, Pending *pending, uint64_t mark)
{
    if (mark <= b->observed) return;
    pending->remaining++;
    pending->mark = mark;
    pending->observe_next = NULL;
    if (b->observe_last)
        b->observe_last->observe_next = pending;
    else
        b->observe_first = pending;
    b->observe_last = pending;
    if (b->want) b->want(b->observe_ctx, mark);
}

static Pending *observe_pop(MqttBroker *b)
{
    Pending *p = b->observe_first;
    b->observe_first = p->observe_next;
    if (!b->observe_first) b->observe_last = NULL;
    return p;
}

void mqtt_broker_observed(MqttBroker *broker, uint64_t mark)
{
    broker->observed = mark;
    while (broker->observe_first && broker->observe_first->mark <= mark)
        mqtt__pending_done(broker, observe_pop(broker));
}

/* Their publishers are not answered: they send again. */
void mqtt__observe_give_up(MqttBroker *b)
{
    while (b->observe_first) {
        Pending *p = observe_pop(b);
        p->own_waited = true;
        pending_drop(p);
        mqtt__pending_done(b, p);
    }
}

void mqtt_broker_observe_hold(MqttBroker *broker, bool hold)
{
    bool had = broker->observe_hold;
    broker->observe_hold = hold;
    if (had && !hold) mqtt__held_resume(broker);
}

uint64_t mqtt_attach_dropped(const MqttAttach *attach)
{
    return attach->dropped;
}

static void attach_free(MqttAttach *a)
{
    MqttBroker *b = a->broker;
    mqtt__sub_remove(b, a->sub);
    mqtt__ring_done(b, &a->window);
    mqtt__ring_done(b, &a->wait0);
    mqtt__ring_done(b, &a->wait1);
    b->attaches[a->slot] = NULL;
    mem_free(a);
}

void mqtt__attach_work(MqttBroker *b)
{
    b->attach_work = false;
    for (uint32_t i = 0; i < b->attach_top; i++) {
        MqttAttach *a = b->attaches[i];
        if (!a) continue;
        if (a->gone) {
            attach_free(a);
        } else if (a->replay) {
            a->replay = false;
            mqtt__replay(b, a->sub);
        }
    }
}

void mqtt__attaches_done(MqttBroker *b)
{
    for (uint32_t i = 0; i < b->attach_top; i++)
        if (b->attaches[i]) {
            mqtt_broker_detach(b->attaches[i], false);
            if (b->attaches[i]) attach_free(b->attaches[i]);
        }
}
