/* runtime/mqtt/broker_retained.c: what topics retain, in memory and back from the disk.
 *
 * A node of the retained tree holds a message. After a start topics are known by their rows first
 * (unread.h). Rows are read one portion after the other while clients are served. A publish to a
 * topic takes the row over, read or not. A new subscription gets what is in memory at once and the
 * rest when all is there: only what came from the disk since, so nothing twice. */
#include "mqtt/broker_int.h"

#include "base/mem.h"

enum { PORTION_BYTES_MAX = 64 << 20 };

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
    sub->waits = b->keep.unread.count > 0;
    mqtt__trie_select(&b->retained, sub->filter, on_retained, sub);
    sub->after_row = b->keep.read_row;
    mqtt__sys_replay(b, sub);
    b->depth--;
}

/* What was read since the subscription was made. */
static void on_late(void *ctx, TrieNode *node)
{
    Sub *sub = ctx;
    Msg *msg = mqtt__retained_msg(node);
    if (!msg->from_disk || msg->row <= sub->after_row) return;
    if (!mqtt__msg_expired(msg, clock_monotonic_ns())) mqtt__give_retained(sub, msg);
}

static void replay_late(MqttBroker *b, Sub *sub)
{
    if (!sub->waits) return;
    sub->waits = false;
    mqtt__trie_select(&b->retained, sub->filter, on_late, sub);
}

static void replays_late(MqttBroker *b)
{
    b->depth++;
    for (Session *s = b->sessions; s; s = s->next) {
        MapSlot *slot;
        for (size_t at = 0; (slot = map_next(&s->subs, &at));) replay_late(b, slot->value);
    }
    for (uint32_t i = 0; i < b->attach_top; i++)
        if (b->attaches[i] && !b->attaches[i]->gone) replay_late(b, b->attaches[i]->sub);
    b->depth--;
}

/* ---- back from the disk ---- */

void mqtt__retained_known(MqttBroker *b, uint32_t row, Str topic)
{
    Keep *k = &b->keep;
    mqtt__keep_row_taken(b, row);
    if (b->stats.retained_now >= b->conf.retained_max) {
        k->not_restored++;
        return;
    }
    Status st = mqtt__unread_add(&k->unread, topic, row);
    if (!st)
        b->stats.retained_now++;
    else if (st == ST_NO_MEMORY)
        k->not_restored++;
    else
        k->topics_wrong = true; /* too long: damaged */
}

Status mqtt__retained_all_known(MqttBroker *b)
{
    uint32_t doubles;
    Status st = mqtt__unread_index(&b->keep.unread, &doubles);
    if (st) return st;
    b->stats.retained_now -= doubles;
    if (doubles) b->keep.topics_wrong = true; /* a kill cannot do that: damaged */
    return ST_OK;
}

void mqtt__retained_unknown(MqttBroker *b)
{
    b->stats.retained_now -= b->keep.unread.count;
    mqtt__unread_done(&b->keep.unread);
}

static void record_take(MqttBroker *b, uint32_t row, Str record)
{
    Keep *k = &b->keep;
    KeepMsg kept;
    if (mqtt__keep_get_msg(record, &kept)) {
        mqtt__keep_unread(b, row);
        return;
    }
    Str topic = kept.pub.topic;
    if (mqtt__unread_row(&k->unread, topic) != row) return; /* newer, or ended */
    Msg *msg = NULL;
    bool put = false;
    if (kept.expires_ns && kept.expires_ns <= clock_wall_ns()) {
        mqtt__keep_row_drop(b, row);
    } else {
        msg = mqtt__msg_back(b, &kept);
        if (msg) {
            msg->row = row;
            msg->from_disk = true;
            put = mqtt__retain_put(b, msg);
        }
        if (!put) k->not_restored++; /* stays where it is */
    }
    if (!put && mqtt__unread_take(&k->unread, topic)) b->stats.retained_now--;
    mqtt__msg_unref(b, msg);
}

typedef struct Rows {
    MqttBroker *broker;
    uint32_t from, to;
    bool more;
    Buf records;
} Rows;

static uint32_t last_row(const Buf *records, uint32_t row)
{
    for (size_t at = 0; at < records->len;) {
        KeepHead head;
        memcpy(&head, records->ptr + at, sizeof head);
        at += sizeof head + head.bytes;
        if (head.id >= 1 && head.id <= UINT32_MAX) row = (uint32_t)head.id;
    }
    return row;
}

static Status rows_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Rows *rows = ctx;
    Status st = mqtt__keep_retained_rows(conn, rows->from, &rows->records, &rows->more, diag);
    rows->to = last_row(&rows->records, rows->from);
    return st;
}

static void rows_take(MqttBroker *b, const Rows *rows)
{
    b->depth++; /* nothing is freed meanwhile */
    for (size_t at = 0; at < rows->records.len;) {
        KeepHead head;
        memcpy(&head, rows->records.ptr + at, sizeof head);
        at += sizeof head;
        if (head.id >= 1 && head.id <= UINT32_MAX)
            record_take(b, (uint32_t)head.id, str_slice(rows->records.ptr + at, head.bytes));
        at += head.bytes;
    }
    b->keep.read_row = rows->to;
    b->depth--;
}

static void all_read(MqttBroker *b)
{
    Keep *k = &b->keep;
    k->loading = false;
    k->topics_wrong = k->topics_wrong || k->unread.count > 0; /* topics without a message */
    mqtt__retained_unknown(b);
    if (k->topics_wrong && !b->closing) mqtt__keep_topics(b);
    if (k->damaged)
        log_error(b->log, "mqtt", "damaged records are set aside in \"damaged\"", "count=%llu",
                  (unsigned long long)k->damaged);
    if (k->not_restored)
        log_error(b->log, "mqtt", "not everything stored fits into memory", "count=%llu",
                  (unsigned long long)k->not_restored);
    log_info(b->log, "mqtt", "retained messages are read", "count=%llu bytes=%llu ms=%lld",
             (unsigned long long)b->stats.retained_now,
             (unsigned long long)b->stats.retained_bytes_now,
             (long long)((clock_monotonic_ns() - k->load_ns) / NS_PER_MS));
    replays_late(b);
}

static void rows_ask(MqttBroker *b, uint32_t from);

static void on_rows(void *ctx, Status status, const Diag *diag)
{
    Rows *rows = ctx;
    MqttBroker *b = rows->broker;
    b->keep.reads--;
    bool stale = rows->from != b->keep.read_row; /* somebody could not wait */
    if (b->keep.loading && !b->closing && !stale && status) {
        if (!b->keep.load_told)
            log_error(b->log, "mqtt", "retained messages cannot be read", "reason=%s%s",
                      diag ? diag->text : status_text(status), mqtt__keep_advice(b));
        b->keep.load_told = true;
        mqtt__retained_later(b);
    } else if (b->keep.loading && !b->closing && !stale) {
        if (rows->more) rows_ask(b, rows->to); /* read while these are taken */
        rows_take(b, rows);
        if (!rows->more) all_read(b);
    }
    buf_done(&rows->records);
    mem_free(rows);
}

static void rows_ask(MqttBroker *b, uint32_t from)
{
    Rows *rows = mem_alloc(sizeof *rows);
    if (rows) {
        *rows = (Rows){.broker = b, .from = from};
        buf_init(&rows->records, PORTION_BYTES_MAX);
        if (!store_read(b->keep.store, rows_job, on_rows, rows)) {
            b->keep.reads++;
            return;
        }
        mem_free(rows);
    }
    mqtt__retained_later(b);
}

static void on_again(void *ctx)
{
    MqttBroker *b = ctx;
    loop_timer_stop(b->keep.load_retry);
    b->keep.load_retry = NULL;
    if (b->keep.loading && !b->closing) rows_ask(b, b->keep.read_row);
}

void mqtt__retained_later(MqttBroker *b)
{
    if (!b->keep.load_retry &&
        loop_timer_start(b->loop, KEEP_RETRY_MS, 0, on_again, b, &b->keep.load_retry))
        log_error(b->log, "mqtt", "no timer: retained messages stay unread", "%s", "");
}

void mqtt__retained_load(MqttBroker *b)
{
    b->keep.load_ns = clock_monotonic_ns();
    b->keep.loading = true;
    rows_ask(b, b->keep.read_row);
}

/* For who cannot wait. */
static void load_now(MqttBroker *b)
{
    Diag diag = {0};
    Status st = ST_OK;
    while (b->keep.loading && b->keep.store && !st) {
        Rows rows = {.broker = b, .from = b->keep.read_row};
        buf_init(&rows.records, PORTION_BYTES_MAX);
        st = store_run_now(b->keep.store, rows_job, &rows, &diag);
        if (!st) rows_take(b, &rows);
        if (!st && !rows.more) all_read(b);
        buf_done(&rows.records);
    }
    if (!st) return;
    log_error(b->log, "mqtt", "retained messages cannot be read", "reason=%s", diag.text);
    mqtt__retained_later(b);
}

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
    load_now(broker);
    if (mqtt_filter_valid(filter)) mqtt__trie_select(&broker->retained, filter, on_walk, &walk);
    return walk.count;
}
