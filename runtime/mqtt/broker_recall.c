/* runtime/mqtt/broker_recall.c: retained messages, back from the disk while clients are served.
 *
 * Rows are read one portion after the other, in their order. Who subscribes meanwhile does not wait
 * for all of them: the row of a topic named in full is known at once, and for filters with
 * wildcards the unread topics are looked through, a slice between two portions, all such filters at
 * a time. Rows found so are read first. What comes from the disk goes to every subscription that
 * waits and fits: it was not in memory when that was made, so nothing goes twice. */
#include "mqtt/broker_int.h"

#include "base/mem.h"

enum {
    PORTION_BYTES_MAX = 64 << 20,
    WANTED_BYTES_MAX = 1 << 20, /* of row numbers; what finds no place comes in its order */
    LOOK_TOPICS = 32768,        /* that many are looked at between two portions */
    LOOK_FILTERS_MAX = 4096,    /* looked for at a time; who has others waits for the order */
    LOOK_HITS_MAX = 16384,      /* of one filter: one of very many is served as well by the order */
};

/* ---- what is asked for ---- */

static bool is_plain(Str filter)
{
    return str_find_char(filter, '+') < 0 && str_find_char(filter, '#') < 0;
}

static bool want(Recall *r, uint32_t row)
{
    if (row) buf_add(&r->wanted, &row, sizeof row);
    return !r->wanted.failed && r->wanted.len < WANTED_BYTES_MAX;
}

/* Topics that were looked at before are looked at again, in a circle. */
static void look_for(Recall *r, Str filter, const Unread *unread)
{
    if (!filter.len || filter.ptr[0] == '$' || str_is(filter, "#")) return;
    if (r->filter_count >= LOOK_FILTERS_MAX) return;
    if (!r->filters.root && mqtt__trie_init(&r->filters)) return;
    TrieNode *node = mqtt__trie_add(&r->filters, filter);
    if (!node) return;
    if (!node->value) r->filter_count++;
    node->value = (void *)(uintptr_t)1; /* NOLINT: topics that it fitted, plus one */
    r->look_left = unread->bytes;
}

void mqtt__recall_ask(MqttBroker *b, Sub *sub)
{
    Keep *k = &b->keep;
    if (!k->unread.count) return;
    sub->waits = k->recall.any_waits = true;
    if (is_plain(sub->filter))
        (void)want(&k->recall, mqtt__unread_row(&k->unread, sub->filter));
    else
        look_for(&k->recall, sub->filter, &k->unread);
}

static void filters_clear(Recall *r)
{
    if (r->filters.root) mqtt__trie_done(&r->filters);
    r->filters = (Trie){0};
    r->filter_count = 0;
    r->look_left = 0;
}

static void recall_clear(Recall *r)
{
    filters_clear(r);
    buf_done(&r->wanted);
    r->look_at = r->wanted_at = 0;
    r->any_waits = false;
}

static void on_looked(void *ctx, TrieNode *node)
{
    bool *fits = ctx;
    uintptr_t hits = (uintptr_t)node->value;
    node->value = hits > LOOK_HITS_MAX ? NULL : (void *)(hits + 1); /* NOLINT */
    *fits = true;
}

/* One slice, unless rows are wanted already. */
static void look(Keep *k)
{
    Recall *r = &k->recall;
    bool room = true;
    if (r->wanted.len) return;
    for (uint32_t i = 0; i < LOOK_TOPICS && r->look_left && room; i++) {
        size_t from = r->look_at;
        bool fits = false;
        Str topic;
        uint32_t row = mqtt__unread_next(&k->unread, &r->look_at, &topic);
        size_t bytes = r->look_at - from;
        r->look_left -= bytes < r->look_left ? bytes : r->look_left;
        if (row) mqtt__trie_match(&r->filters, topic, on_looked, &fits);
        if (fits) room = want(r, row);
        if (r->look_at >= k->unread.bytes) r->look_at = 0;
    }
    if (!r->look_left) filters_clear(r);
}

typedef struct Giving {
    MqttBroker *broker;
    Msg *msg;
} Giving;

static void on_waiting(void *ctx, TrieNode *node)
{
    const Giving *giving = ctx;
    NodeSubs *subs = node->value;
    for (Sub *sub = subs->subs, *next; sub; sub = next) {
        next = sub->next;
        if (sub->waits && !(sub->attach && sub->attach->gone))
            mqtt__give_retained(sub, giving->msg);
    }
}

/* ---- a start ---- */

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
    recall_clear(&b->keep.recall);
}

/* ---- from the disk ---- */

/* True when the topic retains it from now on. */
static bool msg_take(MqttBroker *b, uint32_t row, const KeepMsg *kept)
{
    Msg *msg = mqtt__msg_back(b, kept);
    bool put = false;
    if (msg) {
        msg->row = row;
        put = mqtt__retain_put(b, msg);
    }
    if (put && b->keep.recall.any_waits) {
        Giving giving = {b, msg};
        mqtt__trie_match(&b->subs, mqtt__msg_topic(msg), on_waiting, &giving);
    }
    mqtt__msg_unref(b, msg);
    return put;
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
    if (mqtt__unread_row(&k->unread, topic) != row) return; /* was read, is newer, or ended */
    bool put = false;
    if (kept.expires_ns && kept.expires_ns <= clock_wall_ns()) {
        mqtt__keep_row_drop(b, row);
    } else {
        put = msg_take(b, row, &kept);
        if (!put) k->not_restored++; /* stays where it is */
    }
    if (!put && mqtt__unread_take(&k->unread, topic)) b->stats.retained_now--;
}

typedef struct Rows {
    MqttBroker *broker;
    uint64_t serial; /* of the reading that it belongs to */
    uint32_t from, to;
    bool more;
    Buf asked; /* uint32_t: these rows; empty: those behind `from` */
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
    if (rows->asked.len) return mqtt__keep_retained_these(conn, &rows->asked, &rows->records, diag);
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
    if (!rows->asked.len) b->keep.read_row = rows->to;
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
}

static void rows_ask(MqttBroker *b, uint32_t from);

static void on_rows(void *ctx, Status status, const Diag *diag)
{
    Rows *rows = ctx;
    MqttBroker *b = rows->broker;
    Keep *k = &b->keep;
    bool goes_on = k->loading && !b->closing && rows->serial == k->recall.serial;
    k->reads--;
    if (goes_on && status) {
        if (!k->load_told)
            log_error(b->log, "mqtt", "retained messages cannot be read", "reason=%s%s",
                      diag ? diag->text : status_text(status), mqtt__keep_advice(b));
        k->load_told = true;
        mqtt__retained_later(b);
    } else if (goes_on) {
        bool more = rows->asked.len || rows->more;
        look(k);
        if (more) rows_ask(b, rows->asked.len ? k->read_row : rows->to); /* while these are taken */
        rows_take(b, rows);
        if (!more) all_read(b);
    }
    buf_done(&rows->asked);
    buf_done(&rows->records);
    mem_free(rows);
}

/* Takes those that are read first, as many as a portion may have. */
static void wanted_take(Recall *r, Buf *asked)
{
    size_t bytes = KEEP_RETAINED_ROWS * sizeof(uint32_t), left = r->wanted.len - r->wanted_at;
    if (bytes > left) bytes = left;
    buf_add(asked, r->wanted.ptr + r->wanted_at, bytes);
    if (asked->failed) {
        buf_clear(asked);
        return;
    }
    r->wanted_at += bytes;
    if (r->wanted_at < r->wanted.len) return;
    buf_clear(&r->wanted);
    r->wanted_at = 0;
}

static void rows_ask(MqttBroker *b, uint32_t from)
{
    Rows *rows = mem_alloc(sizeof *rows);
    if (rows) {
        *rows = (Rows){.broker = b, .serial = b->keep.recall.serial, .from = from};
        buf_init(&rows->records, PORTION_BYTES_MAX);
        buf_init(&rows->asked, WANTED_BYTES_MAX);
        if (b->keep.recall.wanted.len) wanted_take(&b->keep.recall, &rows->asked);
        if (!store_read(b->keep.store, rows_job, on_rows, rows)) {
            b->keep.reads++;
            return;
        }
        buf_done(&rows->asked);
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
    buf_init(&b->keep.recall.wanted, WANTED_BYTES_MAX + sizeof(uint32_t));
    rows_ask(b, b->keep.read_row);
}

/* For who cannot wait. */
void mqtt__recall_now(MqttBroker *b)
{
    Diag diag = {0};
    Status st = ST_OK;
    if (b->keep.loading) b->keep.recall.serial++; /* what is under way belongs to nobody */
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

void mqtt__recall_done(MqttBroker *b)
{
    mqtt__unread_done(&b->keep.unread);
    recall_clear(&b->keep.recall);
}
