/* runtime/mqtt/broker_keep.c: what has to survive, on its way to the disk.
 *
 * Every change is appended to a batch. When the batch before is on disk, the one that gathered goes
 * into the log ahead of the store: one write, one sync, however many messages. What tells somebody
 * that a change happened (an acknowledgement, CONNACK, SUBACK, PUBREL) is written into the
 * connection's output at once, but behind a gate that opens with the batch; so order on the
 * wire is kept and nothing has to be remembered. At most two batches are under way, hence two
 * gates.
 *
 * A change that is undone before its batch left (a subscriber was quick) is taken back: both cost
 * nothing then. When the disk refuses, the batch is tried again until it takes it: nothing is
 * acknowledged meanwhile, publishers are held once HOLD_BYTES gathered. */
#include "mqtt/broker_int.h"

#include "base/mem.h"

enum {
    HOLD_BYTES = 8 << 20,
    IDLE_BYTES = 512 << 10, /* of a batch's memory: kept while nothing gathers */
    JOURNAL_BYTES_MAX = 256 << 20,
    LAZY_MAX = 65536,
    LAZY_MANY = LAZY_MAX / 4, /* so many do not wait for the tick */
    LAZY_BYTES = 1 << 20,     /* a burst of them goes in several batches, which take less memory */
    FULL_TOLD_EVERY_S = 60,
    ROWS_FREE_BYTES_MAX = 64 << 20, /* rows that find no place here are not used again */
    SHARE_BYTES_MIN = 1024,         /* smaller bodies are written once per session */
};

static size_t change(MqttBroker *b, KeepHead head)
{
    size_t at = b->keep.journal.len;
    b->keep.live++;
    b->keep.changes++;
    buf_add(&b->keep.journal, &head, sizeof head);
    return at;
}

/* The bytes behind the head at `at` are complete. */
static void change_end(MqttBroker *b, size_t at)
{
    Buf *journal = &b->keep.journal;
    if (journal->failed) return;
    uint32_t bytes = (uint32_t)(journal->len - at - sizeof(KeepHead));
    memcpy(journal->ptr + at + offsetof(KeepHead, bytes), &bytes, sizeof bytes);
}

static void change_bytes(MqttBroker *b, KeepHead head, Str bytes)
{
    size_t at = change(b, head);
    buf_str(&b->keep.journal, bytes);
    change_end(b, at);
}

static int64_t to_wall(int64_t monotonic_ns)
{
    return monotonic_ns ? monotonic_ns - clock_monotonic_ns() + clock_wall_ns() : 0;
}

static KeepMsg message(const Msg *msg)
{
    return (KeepMsg){mqtt__msg_view(msg), to_wall(msg->expires_ns)};
}

void mqtt__keep_touch(Session *s)
{
    Keep *k = &s->broker->keep;
    uint32_t side = k->batch & 1;
    if (!s->slot || s->touched[side]) return;
    s->touched[side] = true;
    s->touch_next[side] = k->touched[side];
    k->touched[side] = s;
}

static void untouch(Session *s)
{
    Keep *k = &s->broker->keep;
    for (uint32_t side = 0; side < 2; side++) {
        if (!s->touched[side]) continue;
        Session **link = &k->touched[side];
        while (*link != s) link = &(*link)->touch_next[side];
        *link = s->touch_next[side];
        s->touched[side] = false;
    }
}

/* ---- sessions ---- */

bool mqtt__keep_slot_room(MqttBroker *b, uint32_t slot)
{
    Keep *k = &b->keep;
    uint32_t count = k->slot_count;
    if (slot >= KEEP_SLOTS_MAX) return false;
    if (slot < count) return true;
    while (count <= slot) count *= 2;
    Session **slots = mem_realloc(k->slots, count * sizeof(Session *));
    if (!slots) return false;
    for (uint32_t i = k->slot_count; i < count; i++) slots[i] = NULL;
    k->slots = slots;
    k->slot_count = count;
    return true;
}

static bool slot_take(Session *s)
{
    Keep *k = &s->broker->keep;
    uint32_t slot = k->slot_low;
    while (slot < k->slot_count && k->slots[slot]) slot++;
    if (!mqtt__keep_slot_room(s->broker, slot)) return false;
    k->slots[slot] = s;
    k->slot_low = slot + 1;
    s->slot = slot;
    /* Should rows of a damaged session be left there: they are not this one's. */
    (void)change(s->broker, (KeepHead){.op = KEEP_END, .id = slot});
    return true;
}

void mqtt__keep_session(Session *s)
{
    MqttBroker *b = s->broker;
    if (!b->keep.store || (!s->slot && (!s->expiry_s || !slot_take(s)))) return;
    KeepSession row = {.id = s->id,
                       .user = s->user,
                       .version = s->version,
                       .expiry_s = s->expiry_s,
                       .will_delay_s = s->will_delay_s,
                       .ends_ns = s->conn ? 0 : to_wall(s->ends_ns),
                       .will_at_ns = to_wall(s->will_at_ns),
                       .has_will = s->will != NULL};
    if (s->will) row.will = message(s->will);
    size_t at = change(b, (KeepHead){.op = KEEP_SESSION, .id = s->slot});
    mqtt__keep_put_session(&b->keep.journal, &row);
    change_end(b, at);
    mqtt__keep_touch(s);
}

static bool is_full(const Session *s)
{
    const MqttBrokerConf *conf = &s->broker->conf;
    if (s->bridge) return mqtt__bridge_is_full(s);
    return s->kept_count >= conf->durable_queue_max || s->kept_bytes >= conf->durable_queue_bytes;
}

/* At most once a minute: a queue at its limit fills and empties with every message. */
static void tell_full(const Session *s)
{
    Keep *k = &s->broker->keep;
    int64_t now = clock_monotonic_ns();
    if (k->full_told_ns && now - k->full_told_ns < FULL_TOLD_EVERY_S * NS_PER_S) return;
    k->full_told_ns = now;
    log_warn(s->broker->log, "mqtt",
             "the queue of a session is full: who publishes to it with QoS 1 or 2 is refused",
             "session=%.*s messages=%llu bytes=%llu", STR_ARG(s->id),
             (unsigned long long)s->kept_count, (unsigned long long)s->kept_bytes);
}

static void full_set(Session *s, bool full)
{
    if (s->full == full) return;
    s->full = full;
    if (full) {
        s->broker->keep.full_count++;
        if (!s->bridge) tell_full(s);
    } else {
        s->broker->keep.full_count--;
    }
}

void mqtt__keep_counted(Session *s)
{
    full_set(s, is_full(s));
    if (s->bridge) mqtt__bridge_counted(s, s->full);
}

void mqtt__keep_end(Session *s)
{
    MqttBroker *b = s->broker;
    if (!s->slot) return;
    if (b->keep.store) (void)change(b, (KeepHead){.op = KEEP_END, .id = s->slot});
    untouch(s);
    full_set(s, false);
    b->keep.bytes -= s->kept_bytes;
    b->stats.queued_now -= s->kept_count;
    b->stats.queued_bytes_now -= s->kept_bytes;
    b->keep.slots[s->slot] = NULL;
    if (s->slot < b->keep.slot_low) b->keep.slot_low = s->slot;
    s->slot = 0;
}

void mqtt__keep_filter(const Sub *sub)
{
    MqttBroker *b = sub->session->broker;
    if (!sub->session->slot) return;
    KeepFilter row = {sub->filter, sub->id, sub->qos, sub->no_local, sub->as_published};
    size_t at = change(b, (KeepHead){.op = KEEP_FILTER, .id = sub->session->slot});
    mqtt__keep_put_filter(&b->keep.journal, &row);
    change_end(b, at);
}

void mqtt__keep_unfilter(const Session *s, Str filter)
{
    if (s->slot) change_bytes(s->broker, (KeepHead){.op = KEEP_UNFILTER, .id = s->slot}, filter);
}

void mqtt__keep_received(const Session *s, uint16_t id, bool open)
{
    KeepHead head = {.op = KEEP_RECEIVED, .flags = open, .small = id, .id = s->slot};
    if (s->slot) (void)change(s->broker, head);
}

void mqtt__keep_released(const Session *s, uint16_t id)
{
    KeepHead head = {.op = KEEP_RELEASED, .small = id, .id = s->slot};
    if (s->slot) (void)change(s->broker, head);
}

/* ---- retained messages ---- */

void mqtt__keep_row_taken(MqttBroker *b, uint32_t row)
{
    Keep *k = &b->keep;
    while (++k->row_top < row) buf_add(&k->rows_free, &k->row_top, sizeof k->row_top);
}

/* A place in the table: the lowest pages are filled again, new ones lie side by side. */
static uint32_t row_take(MqttBroker *b)
{
    Keep *k = &b->keep;
    uint32_t row;
    if (k->rows_free.len < sizeof row) return ++k->row_top;
    k->rows_free.len -= sizeof row;
    memcpy(&row, k->rows_free.ptr + k->rows_free.len, sizeof row);
    return row;
}

void mqtt__keep_row_drop(MqttBroker *b, uint32_t row)
{
    Keep *k = &b->keep;
    if (!row) return; /* it was never written */
    (void)change(b, (KeepHead){.op = KEEP_UNRETAIN, .id = row});
    if (!k->rows_free.failed) buf_add(&k->rows_free, &row, sizeof row);
}

void mqtt__keep_unread(MqttBroker *b, uint32_t row)
{
    b->keep.damaged++;
    (void)change(b, (KeepHead){.op = KEEP_UNREAD, .id = row});
}

void mqtt__keep_topics(MqttBroker *b)
{
    (void)change(b, (KeepHead){.op = KEEP_TOPICS});
}

static void retained_write(MqttBroker *b, Msg *msg)
{
    if (!msg->payload_bytes) {
        mqtt__keep_row_drop(b, msg->row);
        return;
    }
    if (!msg->row) {
        msg->row = row_take(b);
        change_bytes(b, (KeepHead){.op = KEEP_TOPIC, .id = msg->row},
                     str_slice(msg->text, msg->topic_bytes));
    }
    KeepMsg row = message(msg);
    size_t at = change(b, (KeepHead){.op = KEEP_RETAIN, .id = msg->row});
    mqtt__keep_put_msg(&b->keep.journal, &row);
    change_end(b, at);
}

/* Of those of a topic that followed each other the last one is written. At most `most`, and until
 * the batch has `bytes`; returns how many. */
static uint32_t retained_run(MqttBroker *b, MsgQueue *queue, uint32_t most, size_t bytes)
{
    uint32_t count = 0;
    for (; queue->count && count < most && b->keep.journal.len < bytes; count++) {
        Msg *msg = mqtt__queue_pop(queue);
        if (msg->current) {
            retained_write(b, msg);
            mqtt__msg_unref(b, msg);
            continue;
        }
        const TrieNode *node = mqtt__trie_find(&b->retained, mqtt__msg_topic(msg));
        Msg *now = mqtt__retained_msg(node);
        if (!msg->payload_bytes) retained_write(b, msg);
        if (now && queue == &b->keep.urgent && !now->qos)
            retained_write(b, now); /* nobody waits for that one, but it is newer */
        mqtt__msg_unref(b, msg);
    }
    return count;
}

/* For one of QoS 0 nobody waits: it has time until the next tick. */
void mqtt__keep_retained(MqttBroker *b, Msg *msg)
{
    Keep *k = &b->keep;
    if (!k->store || msg->text[0] == '$') return;
    bool has_time = !msg->qos && msg->payload_bytes;
    MsgQueue *queue = has_time ? &k->lazy : &k->urgent;
    if (queue->count >= LAZY_MAX) (void)retained_run(b, queue, UINT32_MAX, SIZE_MAX);
    if (has_time && queue->count >= LAZY_MANY) k->lazy_due = queue->count;
    if (!mqtt__queue_push(queue, msg)) {
        retained_write(b, msg);
        return;
    }
    if (has_time)
        mqtt__tick_start(b);
    else
        k->changes++;
}

/* ---- queues ---- */

void mqtt__keep_share(MqttBroker *b, const Msg *msg, uint32_t receivers)
{
    Keep *k = &b->keep;
    k->shared = NULL;
    if (!k->store || receivers < 2 || msg->bytes < SHARE_BYTES_MIN) return;
    KeepMsg row = message(msg);
    k->body_at = change(b, (KeepHead){.op = KEEP_BODY, .id = ++k->body});
    mqtt__keep_put_msg(&k->journal, &row);
    change_end(b, k->body_at);
    k->shared = msg;
}

static void body_use(MqttBroker *b, KeepHead *head)
{
    Keep *k = &b->keep;
    uint64_t uses;
    if (k->journal.failed) return;
    char *at = k->journal.ptr + k->body_at + offsetof(KeepHead, number);
    memcpy(&uses, at, sizeof uses);
    uses++;
    memcpy(at, &uses, sizeof uses);
    head->number = k->body;
}

bool mqtt__keep_queue(Session *s, Entry *e, const uint32_t *ids, uint32_t id_count)
{
    MqttBroker *b = s->broker;
    Keep *k = &b->keep;
    if (k->bytes >= b->conf.durable_bytes_total || (is_full(s) && !mqtt__bridge_room(s)))
        return false;
    e->seq = ++s->last_seq;
    KeepHead head = {.op = KEEP_QUEUE,
                     .flags = (uint8_t)(e->qos | (e->retain ? KEEP_ROW_RETAIN : 0)),
                     .id = keep_row(s->slot, e->seq)};
    bool shared = k->shared == e->msg;
    if (shared) body_use(b, &head);
    e->batch = shared ? 0 : k->batch; /* a shared one is not taken back */
    e->at = change(b, head);
    mqtt__keep_put_entry(&k->journal, ids, id_count);
    if (!shared) {
        KeepMsg row = message(e->msg);
        mqtt__keep_put_msg(&k->journal, &row);
    }
    change_end(b, e->at);
    s->kept_count++;
    s->kept_bytes += e->msg->bytes;
    k->bytes += e->msg->bytes;
    b->stats.queued_now++;
    b->stats.queued_bytes_now += e->msg->bytes;
    mqtt__keep_counted(s);
    mqtt__keep_touch(s);
    return true;
}

static void bytes_less(Session *s, size_t bytes)
{
    MqttBroker *b = s->broker;
    if (bytes > s->kept_bytes) bytes = (size_t)s->kept_bytes; /* what was counted may be damaged */
    s->kept_bytes -= bytes;
    b->keep.bytes -= bytes;
    b->stats.queued_bytes_now -= bytes;
}

/* True when the row never left: it is taken out of the batch again. */
static bool take_back(MqttBroker *b, const Entry *e)
{
    Keep *k = &b->keep;
    if (e->batch != k->batch || k->journal.failed) return false;
    k->journal.ptr[e->at + offsetof(KeepHead, op)] = KEEP_NOTHING;
    k->live--;
    return true;
}

void mqtt__keep_done(Session *s, const Entry *e, size_t bytes)
{
    MqttBroker *b = s->broker;
    if (!s->slot) return;
    if (!take_back(b, e))
        (void)change(b, (KeepHead){.op = KEEP_DONE, .id = keep_row(s->slot, e->seq)});
    if (s->kept_count) {
        s->kept_count--;
        b->stats.queued_now--;
    }
    bytes_less(s, bytes);
    mqtt__keep_counted(s);
    mqtt__keep_touch(s);
}

void mqtt__keep_damaged(Session *s, uint64_t seq)
{
    (void)change(s->broker, (KeepHead){.op = KEEP_DAMAGED, .id = keep_row(s->slot, seq)});
    if (s->kept_count) {
        s->kept_count--;
        s->broker->stats.queued_now--;
    }
    mqtt__keep_touch(s);
}

void mqtt__keep_rec(Session *s, const Entry *e, size_t bytes)
{
    MqttBroker *b = s->broker;
    if (!s->slot) return;
    size_t at = change(
        b, (KeepHead){.op = KEEP_REC, .flags = 2 | KEEP_ROW_REC, .id = keep_row(s->slot, e->seq)});
    mqtt__keep_put_entry(&b->keep.journal, NULL, 0);
    change_end(b, at);
    bytes_less(s, bytes);
    mqtt__keep_touch(s);
}

/* ---- gates ---- */

uint64_t mqtt__keep_latest(const MqttBroker *b)
{
    const Keep *k = &b->keep;
    if (k->journal.len || k->urgent.count) return k->batch;
    return k->busy ? k->batch - 1 : 0;
}

void mqtt__keep_gate(Conn *c, uint64_t batch)
{
    Keep *k = &c->broker->keep;
    if (batch <= k->durable || c->gate[0] >= batch || c->gate[1] >= batch) return;
    uint32_t i = c->gate[0] ? 1 : 0;
    c->gate[i] = batch;
    c->gate_at[i] = c->out.len;
    if (c->gated) return;
    c->gated = true;
    c->gated_next = k->gated;
    k->gated = c;
}

size_t mqtt__keep_writable(const Conn *c)
{
    return c->gate[0] && c->gate_at[0] < c->out.len ? c->gate_at[0] : c->out.len;
}

void mqtt__keep_written(Conn *c, size_t bytes)
{
    for (uint32_t i = 0; i < 2; i++) c->gate_at[i] -= bytes < c->gate_at[i] ? bytes : c->gate_at[i];
}

void mqtt__keep_ungate(Conn *c)
{
    Conn **link = &c->broker->keep.gated;
    if (!c->gated) return;
    while (*link != c) link = &(*link)->gated_next;
    *link = c->gated_next;
    c->gated = false;
}

static void gates_open(Keep *k)
{
    for (Conn **link = &k->gated; *link;) {
        Conn *c = *link;
        while (c->gate[0] && c->gate[0] <= k->durable) {
            c->gate[0] = c->gate[1];
            c->gate_at[0] = c->gate_at[1];
            c->gate[1] = 0;
        }
        mqtt__conn_dirty(c);
        if (c->gate[0]) {
            link = &c->gated_next;
            continue;
        }
        *link = c->gated_next;
        c->gated = false;
    }
}

/* ---- batches ---- */

static void marks_write(MqttBroker *b)
{
    Keep *k = &b->keep;
    for (Session *s = k->touched[k->batch & 1]; s; s = s->touch_next[k->batch & 1]) {
        uint64_t sent = s->sent_seq;
        if (s->conn) sent = s->last_seq < sent + INFLIGHT_MAX ? s->last_seq : sent + INFLIGHT_MAX;
        KeepMark mark = {s->kept_count, s->kept_bytes, s->last_seq, sent};
        s->flying_seq = s->last_seq;
        s->marked_sent_seq = sent;
        change_bytes(b, (KeepHead){.op = KEEP_MARK, .id = s->slot},
                     (Str){(const char *)&mark, sizeof mark});
    }
}

/* What a burst took stays no longer than it is needed. The buffer is empty. */
static void give_back(Buf *buf, size_t bytes)
{
    if (buf->cap > bytes) buf_done(buf);
}

static void batch_on_disk(MqttBroker *b)
{
    Keep *k = &b->keep;
    uint32_t side = (k->batch - 1) & 1;
    k->busy = false;
    k->durable = k->batch - 1;
    buf_clear(&k->flying);
    give_back(&k->flying, k->journal.len ? HOLD_BYTES : IDLE_BYTES);
    if (!k->journal.len) give_back(&k->journal, IDLE_BYTES);
    gates_open(k);
    while (k->touched[side]) {
        Session *s = k->touched[side];
        k->touched[side] = s->touch_next[side];
        s->touched[side] = false;
        s->durable_seq = s->flying_seq;
        mqtt__pump(s);
    }
    mqtt__held_resume(b);
}

static void on_written(void *ctx, Status status, const Diag *diag);

static void batch_write(void *ctx)
{
    MqttBroker *b = ctx;
    loop_timer_stop(b->keep.retry);
    b->keep.retry = NULL;
    b->keep.writing = true;
    /* `flying` is lent until it is reported. */
    Status st = store_ahead_write(b->keep.store, buf_view(&b->keep.flying), on_written, b);
    if (st) on_written(b, st, NULL);
}

const char *mqtt__keep_advice(const MqttBroker *b)
{
    return store_is_damaged(b->keep.store) ? "; a restart salvages what is readable" : "";
}

static void on_written(void *ctx, Status status, const Diag *diag)
{
    MqttBroker *b = ctx;
    b->keep.writing = false;
    if (!status) {
        b->stats.stored_batches++;
        if (b->keep.failures)
            log_info(b->log, "mqtt", "the disk takes changes again", "failures=%llu",
                     (unsigned long long)b->keep.failures);
        b->keep.failures = 0;
        batch_on_disk(b);
        return;
    }
    b->stats.store_failures++;
    if (!b->keep.failures++)
        log_error(b->log, "mqtt", "not stored, nothing is acknowledged", "retry_ms=%d reason=%s%s",
                  KEEP_RETRY_MS, diag ? diag->text : status_text(status), mqtt__keep_advice(b));
    if (loop_timer_start(b->loop, KEEP_RETRY_MS, 0, batch_write, b, &b->keep.retry))
        log_error(b->log, "mqtt", "no timer: durable messages stand still", "%s", "");
}

void mqtt__keep_turn(MqttBroker *b)
{
    Keep *k = &b->keep;
    if (k->busy) return;
    if (!k->journal.len && !k->urgent.count && !k->touched[k->batch & 1] && !k->lazy_due) return;
    (void)retained_run(b, &k->urgent, UINT32_MAX, SIZE_MAX);
    k->lazy_due -= retained_run(b, &k->lazy, k->lazy_due, LAZY_BYTES);
    if (k->lazy_due > k->lazy.count) k->lazy_due = k->lazy.count;
    bool needed = k->live > 0 || !k->journal.len;
    marks_write(b);
    if (buf_status(&k->journal)) { /* without it a batch would have holes */
        log_error(b->log, "mqtt", "no memory for changes: durable messages stand still", "%s", "");
        k->busy = true;
        return;
    }
    Buf swap = k->flying;
    k->flying = k->journal;
    k->journal = swap;
    k->batch++;
    k->live = 0;
    k->busy = true;
    if (needed)
        batch_write(b);
    else
        batch_on_disk(b); /* all of it was taken back */
}

void mqtt__keep_tick(MqttBroker *b)
{
    if (b->keep.store) b->keep.lazy_due = b->keep.lazy.count;
}

bool mqtt__keep_behind(const MqttBroker *b)
{
    return b->keep.journal.len > HOLD_BYTES;
}

bool mqtt__keep_idle(const MqttBroker *b)
{
    const Keep *k = &b->keep;
    return !k->busy && !k->journal.len && !k->urgent.count && !k->lazy.count;
}

Status mqtt__keep_open(MqttBroker *b, Store *store)
{
    Keep *k = &b->keep;
    buf_init(&k->journal, JOURNAL_BYTES_MAX);
    buf_init(&k->flying, JOURNAL_BYTES_MAX);
    k->store = store;
    k->batch = 1;
    k->slot_low = 1;
    k->slot_count = 64;
    buf_init(&k->rows_free, ROWS_FREE_BYTES_MAX);
    k->slots = mem_zalloc(k->slot_count, sizeof(Session *));
    return k->slots ? ST_OK : ST_NO_MEMORY;
}

void mqtt__keep_close(MqttBroker *b)
{
    Keep *k = &b->keep;
    k->store = NULL; /* sessions that are freed now live on on the disk */
    loop_timer_stop(k->retry);
    loop_timer_stop(k->load_retry);
    k->retry = k->load_retry = NULL;
    mqtt__queue_done(b, &k->lazy);
    mqtt__queue_done(b, &k->urgent);
}

void mqtt__keep_free(MqttBroker *b)
{
    buf_done(&b->keep.journal);
    buf_done(&b->keep.flying);
    buf_done(&b->keep.rows_free);
    mqtt__recall_done(b);
    mem_free(b->keep.slots);
}
