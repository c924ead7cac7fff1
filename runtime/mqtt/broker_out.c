/* runtime/mqtt/broker_out.c: messages towards one client.
 *
 * The short way encodes straight into the connection's output; when that is full, the client's
 * receive maximum is used up, or the client is away, the message waits in one of two rings: QoS 0
 * (the oldest gives way) and QoS 1/2 (the newest is refused). `inflight` keeps what was sent and
 * not acknowledged; packet identifiers are handed out in sequence, so slot i of that ring has the
 * identifier first_id + i and no search is needed. */
#include "mqtt/broker_int.h"

#include "base/mem.h"

static uint16_t id_at(const Session *s, uint32_t index)
{
    return (uint16_t)((s->first_id - 1u + index) % 65535u + 1u);
}

static uint32_t ids_of(const Entry *e, const uint32_t **ret_ids)
{
    *ret_ids = e->ids ? e->ids + 1 : &e->id;
    return e->ids ? e->ids[0] : e->id ? 1 : 0;
}

/* A topic alias for the connection: the first topics get one. */
static uint16_t alias_for(Conn *c, const Msg *msg, bool *ret_known)
{
    *ret_known = false;
    if (!c->alias_out_max || msg->topic_bytes < 3) return 0;
    uint64_t hash = hash_bytes(msg->text, msg->topic_bytes);
    for (uint16_t i = 0; i < c->alias_out_count; i++)
        if (c->alias_out[i] == hash) {
            *ret_known = true;
            return (uint16_t)(i + 1);
        }
    if (c->alias_out_count == c->alias_out_max) return 0;
    if (!c->alias_out) {
        c->alias_out = mem_zalloc(c->alias_out_max, sizeof *c->alias_out);
        if (!c->alias_out) return 0;
    }
    c->alias_out[c->alias_out_count++] = hash;
    return c->alias_out_count;
}

/* Room for an alias: the property, and a byte more of either length. */
enum { ALIAS_BYTES = 5 };

static void count_sent(Session *s, const Entry *e)
{
    s->out_count++;
    s->broker->stats.sent++;
    s->broker->stats.sent_bytes += e->msg->payload_bytes;
    mqtt__conn_dirty(s->conn);
}

/* What the receiver before got, when it fits this one too. */
static bool frame_again(Session *s, const Entry *e, uint16_t id)
{
    Frame *frame = &s->broker->frame;
    Conn *c = s->conn;
    size_t len = frame->bytes.len;
    if (frame->of != e->msg || !len || frame->version != c->version || frame->qos != e->qos ||
        frame->retain != e->retain || e->id || e->ids || c->alias_out_max ||
        (c->packet_max && len > c->packet_max))
        return false;
    char *to = buf_reserve(&c->out, len);
    if (!to) return false;
    memcpy(to, frame->bytes.ptr, len);
    if (id) {
        to[frame->id_at] = (char)(id >> 8);
        to[frame->id_at + 1] = (char)id;
    }
    c->out.len += len;
    count_sent(s, e);
    return true;
}

/* It stands in c->out from `start` on; a frame whose bytes failed stays empty. */
static void frame_keep(Session *s, const Entry *e, const MqttPublishOut *out, size_t start)
{
    Frame *frame = &s->broker->frame;
    const Conn *c = s->conn;
    if (frame->of != e->msg || out->alias || out->expires || out->dup || out->sub_id_count ||
        c->out.failed)
        return;
    buf_clear(&frame->bytes);
    buf_add(&frame->bytes, c->out.ptr + start, c->out.len - start);
    frame->version = c->version;
    frame->qos = e->qos;
    frame->retain = e->retain;
    size_t head = 2;
    while (c->out.ptr[start + head - 1] & 0x80) head++;
    frame->id_at = (uint32_t)(head + 2 + out->topic.len);
}

/* Encodes one PUBLISH; false when it was skipped (expired, larger than the client takes). What was
 * sent before does not expire any more (MQTT-4.3.3-7). */
static bool encode(Session *s, const Entry *e, uint16_t id, bool dup)
{
    Conn *c = s->conn;
    if (!dup && frame_again(s, e, id)) return true;
    MqttPub view = mqtt__msg_view(e->msg);
    if (s->bridge && e->qos && !dup && mqtt__bridge_too_old(s, e->msg)) {
        mqtt__bridge_not_sent(s, false);
        return false;
    }
    MqttPublishOut out = {.topic = view.topic,
                          .payload = view.payload,
                          .id = id,
                          .qos = e->qos,
                          .dup = dup,
                          .retain = e->retain};
    if (e->msg->expires_ns) {
        int64_t left = e->msg->expires_ns - clock_monotonic_ns();
        bool at_once = !e->msg->expiry_s && s->broker->depth; /* it is being handed out */
        if (left <= 0 && !dup && !at_once) {
            s->broker->stats.dropped_expired++;
            mqtt__bridge_not_sent(s, false);
            return false;
        }
        if (left <= 0) left = at_once ? 0 : NS_PER_S;
        out.expires = true;
        out.expiry_s = (uint32_t)((left + NS_PER_S - 1) / NS_PER_S);
    }
    if (c->version == 5) {
        out.props = view.props;
        out.sub_id_count = ids_of(e, &out.sub_ids);
    } else
        out.expires = false;
    size_t bytes = mqtt_publish_bytes(&out, c->version);
    if (!bytes || (c->packet_max && bytes + ALIAS_BYTES > c->packet_max)) {
        if (!bytes || bytes > c->packet_max) {
            s->dropped++;
            mqtt__bridge_not_sent(s, true);
            return false;
        }
    } else {
        bool known;
        out.alias = alias_for(c, e->msg, &known);
        if (known) out.topic = (Str){"", 0};
    }
    size_t start = c->out.len;
    mqtt_put_publish(&c->out, &out, c->version);
    count_sent(s, e);
    frame_keep(s, e, &out, start);
    return true;
}

/* How many may be unanswered. In 3.1.1 nobody says how many they take. Mosquitto closes, and loses,
 * above its max_inflight_messages of QoS 2, be it the server or the bridge: 20 when not set. */
static uint32_t window_of(const Session *s, const Entry *e)
{
    const Conn *c = s->conn;
    uint32_t max = c->receive_max < INFLIGHT_MAX ? c->receive_max : INFLIGHT_MAX;
    bool broker = c->bridges || (s->bridge && mqtt__bridge_version(s) < 5);
    return broker && e->qos == 2 && max > BROKER_QOS2_MAX ? BROKER_QOS2_MAX : max;
}

/* May this one, the next in order, be sent? One of QoS 2 only when its row is on disk: else another
 * message could get its identifier after a crash, and its receiver would take that for this one. */
static bool window_open(const Session *s, const Entry *e)
{
    if (s->unacked >= window_of(s, e)) return false;
    if (!s->slot) return s->inflight.count < INFLIGHT_SPAN_MAX;
    if (s->inflight.count && e->seq - s->first_seq >= INFLIGHT_SPAN_MAX) return false;
    return e->qos < 2 || e->seq <= s->durable_seq || e->state == OUT_WAIT_COMP;
}

/* The identifier of a durable session's message follows from its row. Rows that were skipped leave
 * free places between. */
static bool place_of(Session *s, uint64_t seq, uint16_t *ret_id)
{
    *ret_id = (uint16_t)((seq - 1) % 65535u + 1u);
    if (!s->inflight.count) {
        s->first_seq = seq;
        s->first_id = *ret_id;
    }
    while (s->first_seq + s->inflight.count < seq)
        if (!mqtt__ring_push(&s->inflight, (Entry){.state = OUT_FREE})) return false;
    return true;
}

static size_t bytes_of(const Entry *e)
{
    return e->msg ? e->msg->bytes : 0;
}

/* It will not be sent: too large for the client, or expired. */
static void send_skip(Session *s, Entry *e)
{
    if (e->qos) mqtt__keep_done(s, e, bytes_of(e));
    mqtt__entry_drop(s->broker, e);
}

/* Takes over the entry's reference. */
static void send_now(Session *s, Entry e)
{
    uint16_t id = 0;
    if (!e.qos) {
        (void)encode(s, &e, 0, false);
        mqtt__entry_drop(s->broker, &e);
        return;
    }
    if (!s->slot) {
        id = id_at(s, s->inflight.count);
    } else if (!place_of(s, e.seq, &id)) {
        mqtt__entry_drop(s->broker, &e); /* out of memory; the row is still there */
        mqtt__conn_close(s->conn);
        return;
    }
    if (e.state == OUT_WAIT_COMP) { /* acknowledged before it was read back */
        mqtt_put_ack(&s->conn->out, MQTT_PUBREL, s->conn->version, id, 0, STR_NONE);
        mqtt__conn_dirty(s->conn);
    } else {
        e.state = e.qos == 1 ? OUT_WAIT_ACK : OUT_WAIT_REC;
        if (!encode(s, &e, id, s->slot && e.seq <= s->dup_seq)) {
            send_skip(s, &e);
            return;
        }
    }
    if (!mqtt__ring_push(&s->inflight, e)) {
        mqtt__entry_drop(s->broker, &e);
        mqtt__conn_close(s->conn);
        return;
    }
    s->unacked++;
    if (!s->slot || e.seq <= s->sent_seq) return;
    s->sent_seq = e.seq;
    if (s->sent_seq + INFLIGHT_MAX / 2 > s->marked_sent_seq) mqtt__keep_touch(s);
}

static void wait_pop(Session *s, Ring *ring, Entry *ret_entry)
{
    *ret_entry = mqtt__ring_pop(ring);
    s->wait_bytes -= bytes_of(ret_entry);
    if (s->slot && ret_entry->qos) return; /* counted as rows */
    s->broker->stats.queued_now--;
    s->broker->stats.queued_bytes_now -= ret_entry->msg->bytes;
}

static void wait_push(Session *s, Entry e, bool replay)
{
    MqttBroker *b = s->broker;
    Ring *ring = e.qos ? &s->wait1 : &s->wait0;
    uint32_t count_max = b->conf.session_queue_max + (replay ? b->conf.retained_max : 0);
    while (
        !replay && !e.qos && ring->count &&
        (ring->count >= count_max || s->wait_bytes + e.msg->bytes > b->conf.session_queue_bytes)) {
        Entry oldest;
        wait_pop(s, ring, &oldest);
        mqtt__entry_drop(b, &oldest);
        b->stats.dropped_qos0++;
        s->dropped++;
    }
    bool full = ring->count >= count_max ||
                (!replay && s->wait_bytes + e.msg->bytes > b->conf.session_queue_bytes);
    if (full || !mqtt__ring_push(ring, e)) {
        mqtt__entry_drop(b, &e);
        if (e.qos)
            b->stats.dropped_full++;
        else
            b->stats.dropped_qos0++;
        s->dropped++;
        return;
    }
    s->wait_bytes += e.msg->bytes;
    b->stats.queued_now++;
    b->stats.queued_bytes_now += e.msg->bytes;
}

/* Behind what is only on disk: kept in memory as far as that is not much. */
static void fresh_push(Session *s, Entry e)
{
    if (s->fresh.count >= WAIT_MEMORY_MAX || s->fresh_bytes + e.msg->bytes > WAIT_MEMORY_BYTES) {
        while (s->fresh.count) {
            Entry old = mqtt__ring_pop(&s->fresh);
            mqtt__entry_drop(s->broker, &old);
        }
        s->fresh_bytes = 0;
    }
    s->fresh_bytes += e.msg->bytes;
    if (!mqtt__ring_push(&s->fresh, e)) mqtt__entry_drop(s->broker, &e);
}

/* A durable session's: the row is written, and what the client can take soon stays in memory. */
static void send_durable(Session *s, Entry e, const uint32_t *ids, uint32_t id_count)
{
    Conn *c = s->conn;
    bool online = c && c->state == CONN_OPEN;
    if (!mqtt__keep_queue(s, &e, ids, id_count)) {
        mqtt__entry_drop(s->broker, &e);
        s->broker->stats.dropped_full++;
        s->dropped++;
        mqtt__bridge_not_queued(s);
        return;
    }
    if (!online) {
        s->on_disk = true;
        mqtt__entry_drop(s->broker, &e);
    } else if (s->on_disk) {
        fresh_push(s, e);
    } else if (s->wait1.count || mqtt__conn_congested(c) || !window_open(s, &e)) {
        if (s->wait1.count < WAIT_MEMORY_MAX && s->wait_bytes + e.msg->bytes <= WAIT_MEMORY_BYTES &&
            mqtt__ring_push(&s->wait1, e)) {
            s->wait_bytes += e.msg->bytes;
            s->read_seq = e.seq;
            return;
        }
        s->on_disk = true;
        s->read_seq = e.seq - 1;
        fresh_push(s, e);
    } else {
        s->read_seq = e.seq;
        send_now(s, e);
    }
}

void mqtt__send(Session *s, Msg *msg, uint8_t qos, bool retain, const uint32_t *ids,
                uint32_t id_count, bool replay)
{
    Conn *c = s->conn;
    bool online = c && c->state == CONN_OPEN;
    if (s->bridge && !qos) qos = mqtt__bridge_qos0(s, msg);
    if (!online && !qos) {
        mqtt__bridge_away(s);
        return;
    }
    Entry e = {.msg = msg, .qos = qos, .retain = retain};
    if (!mqtt__entry_ids(&e, ids, id_count)) return;
    msg->refs++;
    if (s->slot && qos) {
        send_durable(s, e, ids, id_count);
        return;
    }
    bool now = online && !mqtt__conn_congested(c) &&
               (qos ? !s->wait1.count && !s->resend && window_open(s, &e) : !s->wait0.count);
    if (now)
        send_now(s, e);
    else
        wait_push(s, e, replay);
}

static void inflight_trim(Session *s)
{
    while (s->inflight.count && mqtt__ring_at(&s->inflight, 0)->state == OUT_FREE) {
        (void)mqtt__ring_pop(&s->inflight);
        s->first_id = id_at(s, 1);
        s->first_seq++;
    }
    if (s->resend > s->inflight.count) s->resend = s->inflight.count;
}

static void resend(Session *s)
{
    while (s->resend) {
        uint32_t i = s->inflight.count - s->resend;
        Entry *e = mqtt__ring_at(&s->inflight, i);
        if (!window_open(s, e)) break;
        s->resend--;
        if (e->state == OUT_FREE) continue;
        if (e->state == OUT_WAIT_COMP) {
            mqtt_put_ack(&s->conn->out, MQTT_PUBREL, s->conn->version, id_at(s, i), 0, STR_NONE);
        } else if (!encode(s, e, id_at(s, i), true)) {
            mqtt__entry_drop(s->broker, e);
            e->state = OUT_FREE;
            continue;
        }
        s->unacked++;
    }
    inflight_trim(s);
    mqtt__conn_dirty(s->conn);
}

void mqtt__pump(Session *s)
{
    Entry e;
    if (!s->conn || s->conn->state != CONN_OPEN) return;
    if (s->resend) resend(s);
    do {
        while (s->wait1.count && !s->resend && !mqtt__conn_congested(s->conn) &&
               window_open(s, mqtt__ring_at(&s->wait1, 0))) {
            wait_pop(s, &s->wait1, &e);
            send_now(s, e);
        }
    } while (s->on_disk && mqtt__keep_more(s));
    while (s->wait0.count && !mqtt__conn_congested(s->conn)) {
        wait_pop(s, &s->wait0, &e);
        send_now(s, e);
    }
}

static void finish(Session *s, Entry *e)
{
    mqtt__keep_done(s, e, bytes_of(e));
    mqtt__entry_drop(s->broker, e);
    e->state = OUT_FREE;
    s->unacked--;
    inflight_trim(s);
    mqtt__pump(s);
}

/* After a reconnect: everything unacknowledged again, in the original order (MQTT 5.0, 4.4), as
 * much at once as the new connection allows (MQTT-3.3.4-9). */
void mqtt__resume_inflight(Session *s)
{
    s->resend = s->inflight.count;
    s->unacked = 0;
    resend(s);
}

void mqtt__acked(Session *s, uint8_t type, uint16_t id, uint8_t reason)
{
    Conn *c = s->conn;
    uint32_t index = ((uint32_t)id + 65535u - s->first_id) % 65535u;
    bool sent = index < s->inflight.count - s->resend;
    Entry *e = sent ? mqtt__ring_at(&s->inflight, index) : NULL;
    uint8_t state = e ? e->state : OUT_FREE;
    switch (type) {
    case MQTT_PUBACK:
        if (state == OUT_WAIT_ACK)
            finish(s, e);
        else if (state != OUT_FREE)
            mqtt__conn_fail(c, MQTT_RC_PROTOCOL);
        return;
    case MQTT_PUBREC:
        if (state == OUT_WAIT_ACK) {
            mqtt__conn_fail(c, MQTT_RC_PROTOCOL);
            return;
        }
        if (state == OUT_WAIT_REC && reason >= 0x80) {
            finish(s, e);
            return;
        }
        if (state == OUT_FREE && reason >= 0x80) return; /* it knows no more of it either */
        if (state == OUT_WAIT_REC) {
            mqtt__keep_rec(s, e, bytes_of(e));
            if (s->slot) mqtt__keep_gate(c, mqtt__keep_latest(s->broker));
            mqtt__msg_unref(s->broker, e->msg);
            e->msg = NULL;
            e->state = OUT_WAIT_COMP;
        }
        mqtt_put_ack(&c->out, MQTT_PUBREL, c->version, id,
                     state == OUT_FREE ? MQTT_RC_ID_NOT_FOUND : 0, STR_NONE);
        mqtt__conn_dirty(c);
        return;
    default:
        if (state == OUT_WAIT_COMP)
            finish(s, e);
        else if (state != OUT_FREE)
            mqtt__conn_fail(c, MQTT_RC_PROTOCOL);
    }
}
