/* runtime/mqtt/bridge_keep.c: what waits for the other broker: how much, how long, and what then.
 *
 * The queue is that of the bridge's session. When it is full and the oldest is to give way, or when
 * messages are too old, their rows are read from the disk in order and struck off. Only rows that
 * were never sent may go: the other side may have begun with the others, and a later message gets
 * their packet identifiers. While that is under way the queue may grow a little beyond its bound.
 */
#include "mqtt/bridge_int.h"

#include "base/mem.h"

enum { TRIM_BYTES_MAX = 64 << 20, ROOM_BYTES = 4 << 20, ROOM_ROWS = 4096 };

typedef struct Trim {
    MqttBroker *broker;
    uint64_t serial, from, to; /* serial: of the bridge */
    uint32_t slot;
    bool more;
    Buf rows;
} Trim;

/* ---- the broker's questions ---- */

/* A bridge of another Tutti to this one has a client id that says whose it is. */
bool bridge__is_of_remote(const MqttBridge *b, Str client_id)
{
    Str own = STR("tutti-");
    return b->remote_id[0] && str_starts(client_id, own) &&
           str_starts(str_skip(client_id, own.len), str_from(b->remote_id));
}

bool mqtt__bridge_takes(const Session *s, const Msg *msg)
{
    if (!bridge__is_of_remote(s->bridge, mqtt__msg_view(msg).publisher)) {
        if (s->bridge->version < 5) bridge__round(s->bridge, msg);
        return true;
    }
    bridge__drop(s->bridge, MQTT_DROP_LOOP);
    bridge__twice(s->bridge, str_slice(msg->text, msg->topic_bytes));
    return false;
}

bool mqtt__bridge_from(const Session *s, const Msg *msg)
{
    Str publisher = mqtt__msg_view(msg).publisher, own = STR(MQTT_BRIDGE_SESSION);
    if (!str_starts(publisher, own)) return false;
    for (MqttBridge *b = s->broker->bridges; b; b = b->next) {
        if (!str_eq(b->conf.name, str_skip(publisher, own.len)) || !bridge__is_of_remote(b, s->id))
            continue;
        bridge__drop(b, MQTT_DROP_LOOP);
        return true;
    }
    return false;
}

static uint64_t rows_max(const Session *s)
{
    return s->broker->conf.durable_queue_max;
}

bool mqtt__bridge_is_full(const Session *s)
{
    return s->kept_bytes >= s->bridge->conf.buffer_bytes || s->kept_count >= rows_max(s);
}

bool mqtt__bridge_room(const Session *s)
{
    const MqttBridge *b = s->bridge;
    return b && b->conf.full == MQTT_FULL_OLDEST &&
           s->kept_bytes < b->conf.buffer_bytes + ROOM_BYTES &&
           s->kept_count < rows_max(s) + ROOM_ROWS;
}

bool mqtt__bridge_refuses(const Session *s)
{
    return s->bridge->conf.full == MQTT_FULL_REFUSE;
}

void mqtt__bridge_not_queued(const Session *s)
{
    if (s->bridge) bridge__drop(s->bridge, MQTT_DROP_NEWEST);
}

void mqtt__bridge_not_sent(const Session *s, bool too_large)
{
    if (!s->bridge) return;
    bridge__drop(s->bridge, too_large ? MQTT_DROP_TOO_LARGE : MQTT_DROP_AGE);
}

static bool is_old(const MqttBridge *b, int64_t received_ns)
{
    return b->conf.buffer_age_s && clock_wall_ns() - received_ns > b->conf.buffer_age_s * NS_PER_S;
}

bool mqtt__bridge_too_old(const Session *s, const Msg *msg)
{
    return is_old(s->bridge, msg->received_ns);
}

uint8_t mqtt__bridge_version(const Session *s)
{
    return s->bridge->version;
}

uint8_t mqtt__bridge_qos0(const Session *s, const Msg *msg)
{
    const MqttBridge *b = s->bridge;
    if (!b->conf.keep_qos0) return 0;
    const BridgeRule *rule =
        bridge__rule(b, MQTT_BRIDGE_OUT, str_slice(msg->text, msg->topic_bytes));
    return rule && rule->qos ? 1 : 0;
}

void mqtt__bridge_away(const Session *s)
{
    if (s->bridge) bridge__drop(s->bridge, MQTT_DROP_AWAY);
}

void mqtt__bridge_gone(Session *s)
{
    if (s->bridge) s->bridge->session = NULL;
    s->bridge = NULL;
}

/* ---- striking off ---- */

static Status trim_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Trim *t = ctx;
    return mqtt__keep_rows(conn, keep_row(t->slot, t->from), keep_row(t->slot, t->to), &t->rows,
                           &t->more, diag);
}

/* Some below the bound, so that not every message brings a reading. */
static bool over_goal(const Session *s)
{
    uint64_t bytes = s->bridge->conf.buffer_bytes, rows = rows_max(s);
    return s->kept_bytes > bytes - bytes / 32 || s->kept_count > rows - rows / 32;
}

/* False: this one and all behind it stay. */
static bool strike(Session *s, const KeepHead *head, Str bytes, bool full)
{
    MqttBridge *b = s->bridge;
    uint64_t seq = head->id - keep_row(s->slot, 0);
    uint32_t ids[KEEP_IDS_MAX], count;
    Str rest;
    KeepMsg msg;
    if (seq <= s->read_seq || seq <= s->sent_seq) return true; /* on its way by now */
    /* A damaged one is set aside when its turn comes. */
    if (mqtt__keep_get_entry(bytes, ids, &count, &rest) || mqtt__keep_get_msg(rest, &msg))
        return false;
    bool old =
        is_old(b, msg.pub.received_ns) || (msg.expires_ns && msg.expires_ns <= clock_wall_ns());
    if (!old && !(full && over_goal(s))) return false;
    Entry e = {.seq = seq};
    b->trim_seq = seq; /* first: it is not to be read again, though it is still there */
    if (s->conn) s->read_seq = seq;
    mqtt__keep_done(s, &e, mqtt__msg_bytes(&msg.pub));
    bridge__drop(b, old ? MQTT_DROP_AGE : MQTT_DROP_OLDEST);
    return true;
}

static bool may_trim(const Session *s)
{
    if (!s->slot || !s->kept_count || s->reading) return false;
    /* Online, what is next is in memory, or was sent before and has to be sent again. */
    return !s->conn || (s->on_disk && s->read_seq >= s->sent_seq);
}

static void trim(Session *s);

static void on_trim(void *ctx, Status status, const Diag *diag)
{
    Trim *t = ctx;
    MqttBroker *broker = t->broker;
    Session *s = t->slot < broker->keep.slot_count ? broker->keep.slots[t->slot] : NULL;
    MqttBridge *b = s && s->bridge && s->bridge->serial == t->serial ? s->bridge : NULL;
    broker->keep.reads--;
    if (b && status) bridge__note(b, 0, "the buffer cannot be read: %s", diag ? diag->text : "");
    bool full = b && !status && b->conf.full == MQTT_FULL_OLDEST && over_goal(s), go_on = b;
    uint64_t before = b ? b->trim_seq : 0;
    for (size_t at = 0; b && !status && go_on && at < t->rows.len && may_trim(s);) {
        KeepHead head;
        memcpy(&head, t->rows.ptr + at, sizeof head);
        at += sizeof head;
        go_on = strike(s, &head, str_slice(t->rows.ptr + at, head.bytes), full);
        at += head.bytes;
    }
    if (b) b->trimming = false; /* not before: striking off asks for more */
    if (b && b->trim_seq != before) {
        if (!s->conn) s->read_after = mqtt__keep_latest(broker);
        if (go_on && t->more) trim(s);
    }
    buf_done(&t->rows);
    mem_free(t);
}

static void trim(Session *s)
{
    MqttBridge *b = s->bridge;
    MqttBroker *broker = s->broker;
    if (b->trimming || !broker->keep.store || !may_trim(s)) return;
    uint64_t from = s->read_seq > s->sent_seq ? s->read_seq : s->sent_seq;
    if (b->trim_seq > from)
        from = b->trim_seq;
    else if (s->read_after > broker->keep.durable)
        return; /* what the bridge's former configuration struck off is still there */
    if (from >= s->durable_seq) return;
    Trim *t = mem_alloc(sizeof *t);
    if (!t) return;
    *t = (Trim){
        .broker = broker, .serial = b->serial, .from = from, .to = s->durable_seq, .slot = s->slot};
    buf_init(&t->rows, TRIM_BYTES_MAX);
    if (store_read(broker->keep.store, trim_job, on_trim, t)) {
        mem_free(t);
        return;
    }
    broker->keep.reads++;
    b->trimming = true;
}

void mqtt__bridge_counted(Session *s, bool full)
{
    if (full && s->bridge->conf.full == MQTT_FULL_OLDEST) trim(s);
}

void bridge__keep_tick(MqttBridge *b, int64_t now_ns)
{
    Session *s = b->session;
    if (!s || now_ns < b->trim_next_ns) return;
    int64_t every = b->conf.buffer_age_s ? b->conf.buffer_age_s * NS_PER_S / 20 : 10 * NS_PER_S;
    if (every < NS_PER_S) every = NS_PER_S;
    if (every > 60 * NS_PER_S) every = 60 * NS_PER_S;
    b->trim_next_ns = now_ns + every;
    bool full = b->conf.full == MQTT_FULL_OLDEST && mqtt__bridge_is_full(s);
    if (b->conf.buffer_age_s || full) trim(s);
}
