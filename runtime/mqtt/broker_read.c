/* runtime/mqtt/broker_read.c: sessions and their messages, back from the disk.
 *
 * At a start, before there is a loop turn, sessions, filters and topics of retained messages come
 * back; these themselves follow (broker_retained.c).
 * The messages of a queue come in portions when their client is there and little of it is in
 * memory: what is away costs no memory. What a client that comes back had not acknowledged takes
 * the same way, so a reconnect and a restart are one case. */
#include "mqtt/broker_int.h"

#include "base/mem.h"

enum { LOW = 64, PORTION_BYTES_MAX = 64 << 20 };

/* ---- portions of a queue ---- */

typedef struct Portion {
    MqttBroker *broker;
    uint64_t ticket, from, to;
    uint32_t slot;
    bool more;
    Buf rows;
} Portion;

static Status read_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Portion *p = ctx;
    return mqtt__keep_rows(conn, keep_row(p->slot, p->from), keep_row(p->slot, p->to), &p->rows,
                           &p->more, diag);
}

Msg *mqtt__msg_back(MqttBroker *b, const KeepMsg *kept)
{
    Msg *msg = mqtt__msg_new(b, &kept->pub, 0);
    if (msg && kept->expires_ns)
        msg->expires_ns = kept->expires_ns - clock_wall_ns() + clock_monotonic_ns();
    return msg;
}

static void row_damaged(Session *s, uint64_t seq)
{
    MqttBroker *b = s->broker;
    if (!b->keep.damaged++)
        log_error(b->log, "mqtt", "a stored message is damaged; it is set aside in \"damaged\"",
                  "client=%.*s row=%llu", STR_ARG(s->id), (unsigned long long)seq);
    mqtt__keep_damaged(s, seq);
}

/* False: no memory for it now. */
static bool row_take(Session *s, const KeepHead *head, Str bytes)
{
    MqttBroker *b = s->broker;
    uint32_t ids[KEEP_IDS_MAX], count;
    Str rest;
    KeepMsg kept;
    Entry e = {.seq = head->id - keep_row(s->slot, 0), .qos = head->flags & KEEP_ROW_QOS};
    e.retain = head->flags & KEEP_ROW_RETAIN;
    bool rec = head->flags & KEEP_ROW_REC;
    if (mqtt__keep_get_entry(bytes, ids, &count, &rest) || e.qos < 1 || e.qos > 2 ||
        (!rec && mqtt__keep_get_msg(rest, &kept))) {
        row_damaged(s, e.seq);
        return true;
    }
    if (rec)
        e.state = OUT_WAIT_COMP;
    else if (!(e.msg = mqtt__msg_back(b, &kept)))
        return false;
    if (!mqtt__entry_ids(&e, ids, count) || !mqtt__ring_push(&s->wait1, e)) {
        mqtt__entry_drop(b, &e);
        return false;
    }
    if (e.msg) s->wait_bytes += e.msg->bytes;
    return true;
}

static void portion_take(Session *s, const Portion *p)
{
    for (size_t at = 0; at < p->rows.len;) {
        KeepHead head;
        memcpy(&head, p->rows.ptr + at, sizeof head);
        at += sizeof head;
        if (!row_take(s, &head, str_slice(p->rows.ptr + at, head.bytes))) return;
        at += head.bytes;
        s->read_seq = head.id - keep_row(s->slot, 0);
    }
    if (!p->more) s->read_seq = p->to;
}

static void on_portion(void *ctx, Status status, const Diag *diag)
{
    Portion *p = ctx;
    MqttBroker *b = p->broker;
    Session *s = p->slot < b->keep.slot_count ? b->keep.slots[p->slot] : NULL;
    b->keep.reads--;
    if (s && s->ticket == p->ticket) {
        s->reading = false;
        if (status) {
            log_error(b->log, "mqtt", "waiting messages cannot be read", "client=%.*s reason=%s%s",
                      STR_ARG(s->id), diag ? diag->text : "", mqtt__keep_advice(b));
            if (s->conn) mqtt__conn_close(s->conn); /* it tries again when it comes back */
        } else {
            portion_take(s, p);
            mqtt__pump(s);
        }
    }
    buf_done(&p->rows);
    mem_free(p);
}

static void portion_ask(Session *s)
{
    MqttBroker *b = s->broker;
    Portion *p = mem_alloc(sizeof *p);
    if (!p) return;
    *p = (Portion){.broker = b,
                   .ticket = s->ticket,
                   .from = s->read_seq,
                   .to = s->durable_seq,
                   .slot = s->slot};
    buf_init(&p->rows, PORTION_BYTES_MAX);
    if (store_read(b->keep.store, read_job, on_portion, p)) {
        mem_free(p);
        return;
    }
    b->keep.reads++;
    s->reading = true;
}

/* What is newest is in memory already: from here on nothing has to be read. */
static bool fresh_join(Session *s)
{
    while (s->fresh.count && mqtt__ring_at(&s->fresh, 0)->seq <= s->read_seq) {
        Entry e = mqtt__ring_pop(&s->fresh);
        s->fresh_bytes -= e.msg->bytes;
        mqtt__entry_drop(s->broker, &e);
    }
    if (s->read_seq < s->last_seq &&
        (!s->fresh.count || mqtt__ring_at(&s->fresh, 0)->seq != s->read_seq + 1))
        return false;
    while (s->fresh.count) {
        Entry e = *mqtt__ring_at(&s->fresh, 0);
        if (!mqtt__ring_push(&s->wait1, e)) return false;
        (void)mqtt__ring_pop(&s->fresh);
        s->wait_bytes += e.msg->bytes;
        s->fresh_bytes -= e.msg->bytes;
        s->read_seq = e.seq;
    }
    s->on_disk = false;
    return true;
}

bool mqtt__keep_more(Session *s)
{
    Keep *k = &s->broker->keep;
    if (!s->on_disk || s->reading || !s->conn || s->wait1.count >= LOW || !k->store) return false;
    if (s->read_after > k->durable) return false; /* the batch will call again */
    if (fresh_join(s)) return s->wait1.count > 0;
    if (s->read_seq < s->durable_seq) portion_ask(s);
    return false;
}

void mqtt__keep_forget(Session *s)
{
    MqttBroker *b = s->broker;
    if (!s->slot) return;
    mqtt__ring_done(b, &s->wait1);
    mqtt__ring_done(b, &s->inflight);
    mqtt__ring_done(b, &s->fresh);
    s->wait_bytes = s->fresh_bytes = 0;
    s->unacked = 0;
    s->reading = false;
    s->ticket = ++b->serial;
    s->read_seq = 0;
    s->dup_seq = s->sent_seq;
    s->on_disk = s->kept_count > 0;
    s->read_after = mqtt__keep_latest(b);
}

/* ---- a start ---- */

static int64_t to_monotonic(int64_t wall_ns)
{
    return wall_ns - clock_wall_ns() + clock_monotonic_ns();
}

static void on_session(void *ctx, uint32_t slot, const KeepSession *row)
{
    MqttBroker *b = ctx;
    Keep *k = &b->keep;
    if (map_get(&b->by_id, row->id) || !mqtt__keep_slot_room(b, slot)) return;
    Session *s = mqtt__session_new(b, row->id, row->user);
    if (!s) {
        b->keep.not_restored++;
        return;
    }
    k->slots[slot] = s;
    s->slot = slot;
    s->version = row->version;
    s->expiry_s = row->expiry_s;
    int64_t now = clock_monotonic_ns();
    s->ends_ns = row->ends_ns ? to_monotonic(row->ends_ns) : now + s->expiry_s * NS_PER_S;
    if (!row->has_will) return;
    s->will = mqtt__msg_back(b, &row->will);
    s->will_delay_s = row->will_delay_s;
    /* Connected when the process died: its connection ended then, so its will is due. */
    uint32_t delay = s->will_delay_s < s->expiry_s ? s->will_delay_s : s->expiry_s;
    s->will_at_ns = row->will_at_ns ? to_monotonic(row->will_at_ns) : now + delay * NS_PER_S;
}

static Session *of_slot(MqttBroker *b, uint32_t slot)
{
    return slot < b->keep.slot_count ? b->keep.slots[slot] : NULL;
}

static void on_filter(void *ctx, uint32_t slot, const KeepFilter *row)
{
    MqttBroker *b = ctx;
    Session *s = of_slot(b, slot);
    bool full;
    Sub *sub = s ? mqtt__sub_add(b, row->filter, &full) : NULL;
    if (!s) return;
    if (!sub) {
        b->keep.not_restored++;
        return;
    }
    sub->session = s;
    sub->qos = row->qos;
    sub->id = row->id;
    sub->no_local = row->no_local;
    sub->as_published = row->as_published;
    if (map_put(&s->subs, sub->filter, sub)) {
        mqtt__sub_remove(b, sub);
        b->keep.not_restored++;
    }
}

static void on_received(void *ctx, uint32_t slot, uint16_t id, bool open)
{
    MqttBroker *b = ctx;
    Session *s = of_slot(b, slot);
    if (!s) return;
    if (!mqtt__received_has(s, id) && !mqtt__received_set(s, id)) b->keep.not_restored++;
    if (open && !mqtt__received_open_set(s, id)) b->keep.not_restored++;
}

static void on_mark(void *ctx, uint32_t slot, const KeepMark *mark)
{
    MqttBroker *b = ctx;
    Session *s = of_slot(b, slot);
    if (!s) return;
    s->kept_count = mark->count;
    s->kept_bytes = mark->bytes;
    s->last_seq = s->durable_seq = s->flying_seq = mark->last_seq;
    s->sent_seq = s->dup_seq = s->marked_sent_seq = mark->sent_seq;
    s->on_disk = mark->count > 0;
    mqtt__keep_counted(s);
    b->keep.bytes += mark->bytes;
    b->stats.queued_now += mark->count;
    b->stats.queued_bytes_now += mark->bytes;
}

static void on_topic(void *ctx, uint32_t row, Str topic)
{
    mqtt__retained_known(ctx, row, topic);
}

static Status load_job(StoreConn *conn, void *ctx, Diag *diag)
{
    return mqtt__keep_load(conn, ctx, diag);
}

/* As before it began. */
static void restore_undo(MqttBroker *b)
{
    Keep *k = &b->keep;
    Store *store = k->store;
    k->store = NULL; /* what ends in memory stays on the disk */
    mqtt__sessions_drop(b);
    mqtt__retained_unknown(b);
    k->store = store;
    k->row_top = 0;
    buf_clear(&k->rows_free);
    k->not_restored = 0;
    k->topics_wrong = false;
}

static Status load(MqttBroker *b, KeepVisitor *visitor, Diag *diag)
{
    Status st = store_ahead_open(b->keep.store, mqtt__keep_apply, diag);
    return st ? st : store_run_now(b->keep.store, load_job, visitor, diag);
}

Status mqtt_broker_restore(MqttBroker *broker, Diag *diag)
{
    MqttBroker *b = broker;
    if (!b->keep.store) return ST_OK;
    KeepVisitor visitor = {.session = on_session,
                           .filter = on_filter,
                           .received = on_received,
                           .mark = on_mark,
                           .topic = on_topic,
                           .ctx = b};
    Status st = store_migrate(b->keep.store, "mqtt", mqtt__keep_migrations, diag);
    if (!st) st = load(b, &visitor, diag);
    if (st == ST_CORRUPT && !store_salvaged(b->keep.store)) {
        restore_undo(b);
        visitor.damaged = visitor.last_body = 0;
        st = mqtt__keep_salvage(b->keep.store, b->log, diag);
        if (!st) st = load(b, &visitor, diag);
    }
    if (!st && (st = mqtt__retained_all_known(b))) diag_set(diag, st, "out of memory");
    if (st) return diag_wrap(diag, st, "sessions and retained messages");
    b->keep.body = visitor.last_body;
    b->keep.damaged = visitor.damaged;
    b->keep.restored = true;
    mqtt__retained_load(b);
    return ST_OK;
}
