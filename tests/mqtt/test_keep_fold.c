/* tests/mqtt/test_keep_fold.c: changes that go into the tables together, and one by one.
 *
 * What is struck out of batches side by side must not be missed: random histories of sessions are
 * applied change by change, where nothing can be struck out, and as a whole; the tables are the
 * same then. */
#include "test.h"

#include "mqtt/keep.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef uint64_t Rng;

static uint32_t rng_below(Rng *rng, uint32_t limit) /* xorshift64 (Marsaglia, 2003) */
{
    *rng ^= *rng << 13;
    *rng ^= *rng >> 7;
    *rng ^= *rng << 17;
    return (uint32_t)(*rng >> 33) % limit;
}

enum { SLOTS = 3, SEQS = 6, RETAINED = 4, CHANGES = 120 };

typedef struct Model { /* which changes are possible */
    bool session[SLOTS + 1], row[SLOTS + 1][SEQS + 1], shared[SLOTS + 1][SEQS + 1];
    bool rec[SLOTS + 1][SEQS + 1], retained[RETAINED + 1];
    uint64_t body;
    int number; /* makes each record another one */
} Model;

static void put_msg(Buf *out, Model *m)
{
    char payload[32];
    (void)snprintf(payload, sizeof payload, "payload %d", ++m->number);
    KeepMsg msg = {.pub = {.topic = STR("a/b"), .payload = str_from(payload), .qos = 1}};
    mqtt__keep_put_msg(out, &msg);
}

static size_t begin(Buf *out, KeepHead head)
{
    size_t at = out->len;
    buf_add(out, &head, sizeof head);
    return at;
}

static void end(Buf *out, size_t at)
{
    uint32_t bytes = (uint32_t)(out->len - at - sizeof(KeepHead));
    memcpy(out->ptr + at + offsetof(KeepHead, bytes), &bytes, sizeof bytes);
}

static void put_queue(Buf *out, Model *m, uint32_t slot, uint32_t seq, uint64_t body)
{
    size_t at = begin(
        out, (KeepHead){.op = KEEP_QUEUE, .flags = 2, .id = keep_row(slot, seq), .number = body});
    mqtt__keep_put_entry(out, NULL, 0);
    if (!body) put_msg(out, m);
    end(out, at);
    m->row[slot][seq] = true;
    m->rec[slot][seq] = false;
}

/* A message for two sessions, or for one. */
static void change_queue(Buf *out, Model *m, Rng *rng)
{
    uint32_t slot = 1 + rng_below(rng, SLOTS), seq = 1 + rng_below(rng, SEQS);
    uint32_t other = slot % SLOTS + 1;
    if (!m->session[slot] || m->row[slot][seq]) return;
    if (!m->session[other] || m->row[other][seq] || rng_below(rng, 2)) {
        put_queue(out, m, slot, seq, 0);
        return;
    }
    size_t at = begin(out, (KeepHead){.op = KEEP_BODY, .id = ++m->body, .number = 2});
    put_msg(out, m);
    end(out, at);
    put_queue(out, m, slot, seq, m->body);
    put_queue(out, m, other, seq, m->body);
}

static void change_row(Buf *out, Model *m, Rng *rng)
{
    uint32_t slot = 1 + rng_below(rng, SLOTS), seq = 1 + rng_below(rng, SEQS);
    if (!m->row[slot][seq]) return;
    uint64_t id = keep_row(slot, seq);
    if (!m->rec[slot][seq] && !rng_below(rng, 3)) {
        size_t at = begin(out, (KeepHead){.op = KEEP_REC, .flags = 2 | KEEP_ROW_REC, .id = id});
        mqtt__keep_put_entry(out, NULL, 0);
        end(out, at);
        m->rec[slot][seq] = true;
        return;
    }
    (void)begin(out, (KeepHead){.op = KEEP_DONE, .id = id});
    m->row[slot][seq] = false;
}

static void change_session(Buf *out, Model *m, Rng *rng)
{
    uint32_t slot = 1 + rng_below(rng, SLOTS);
    if (m->session[slot] && rng_below(rng, 3)) {
        KeepMark mark = {rng_below(rng, 9), rng_below(rng, 900), rng_below(rng, 99), 0};
        size_t at = begin(out, (KeepHead){.op = KEEP_MARK, .id = slot});
        buf_add(out, &mark, sizeof mark);
        end(out, at);
        return;
    }
    (void)begin(out, (KeepHead){.op = KEEP_END, .id = slot});
    memset(m->row[slot], 0, sizeof m->row[slot]);
    m->session[slot] = false;
    if (!rng_below(rng, 2)) return;
    KeepSession session = {.id = STR("client"), .version = 5, .expiry_s = 10 + rng_below(rng, 9)};
    size_t at = begin(out, (KeepHead){.op = KEEP_SESSION, .id = slot});
    mqtt__keep_put_session(out, &session);
    end(out, at);
    m->session[slot] = true;
}

static void change_retained(Buf *out, Model *m, Rng *rng)
{
    uint32_t row = 1 + rng_below(rng, RETAINED);
    if (m->retained[row] && !rng_below(rng, 3)) {
        (void)begin(out, (KeepHead){.op = KEEP_UNRETAIN, .id = row});
        m->retained[row] = false;
        return;
    }
    if (!m->retained[row]) {
        char topic[16];
        (void)snprintf(topic, sizeof topic, "t/%d", ++m->number);
        size_t at = begin(out, (KeepHead){.op = KEEP_TOPIC, .id = row});
        buf_text(out, topic);
        end(out, at);
    }
    size_t at = begin(out, (KeepHead){.op = KEEP_RETAIN, .id = row});
    put_msg(out, m);
    end(out, at);
    m->retained[row] = true;
}

static void history(Buf *out, Rng *rng)
{
    Model model = {0};
    while (model.number < CHANGES) {
        switch (rng_below(rng, 8)) {
        case 0: change_session(out, &model, rng); break;
        case 1: change_retained(out, &model, rng); break;
        case 2:
        case 3:
        case 4: change_queue(out, &model, rng); break;
        default: change_row(out, &model, rng);
        }
        model.number++;
    }
}

typedef struct Run {
    const Buf *changes;
    bool together;
    Buf dump;
} Run;

static Status apply_job(StoreConn *conn, void *ctx, Diag *diag)
{
    const Run *run = ctx;
    AUTO_BUF Buf part;
    Status st = ST_OK;
    buf_init(&part, 1 << 20);
    if (run->together) {
        buf_str(&part, buf_view(run->changes));
        return mqtt__keep_apply(conn, &part, diag);
    }
    for (size_t at = 0; at < run->changes->len && !st;) {
        KeepHead head;
        memcpy(&head, run->changes->ptr + at, sizeof head);
        buf_clear(&part);
        buf_add(&part, run->changes->ptr + at, sizeof head + head.bytes);
        at += sizeof head + head.bytes;
        st = mqtt__keep_apply(conn, &part, diag);
    }
    return st;
}

static Status dump_job(StoreConn *conn, void *ctx, Diag *diag)
{
    static const char *const sql[] = {
        "SELECT slot || ' ' || hex(record) FROM session ORDER BY 1",
        "SELECT id || ' ' || state || ' ' || body || ' ' || hex(record) FROM queue ORDER BY id",
        "SELECT id || ' ' || uses || ' ' || hex(record) FROM body ORDER BY id",
        "SELECT id || ' ' || hex(record) FROM retained ORDER BY id",
        "SELECT id || ' ' || topic FROM retained_topic ORDER BY id",
        "SELECT slot || ' ' || count || ' ' || bytes || ' ' || last FROM mark ORDER BY slot"};
    Run *run = ctx;
    Status st = ST_OK;
    for (size_t i = 0; i < COUNT_OF(sql) && !st; i++) {
        StoreStmt *stmt;
        bool row = false;
        st = store_prepare(conn, sql[i], &stmt, diag);
        while (!st && !(st = store_step(stmt, &row, diag)) && row) {
            buf_str(&run->dump, store_str(stmt, 0));
            buf_char(&run->dump, '\n');
        }
        buf_text(&run->dump, "--\n");
    }
    buf_char(&run->dump, 0);
    return st;
}

static void apply_all(Loop *loop, const char *path, Run *run)
{
    Store *store;
    buf_init(&run->dump, 16 << 20);
    CHECK_OK(store_sqlite_open(loop, path, &store, NULL));
    CHECK_OK(store_migrate(store, "mqtt", mqtt__keep_migrations, NULL));
    CHECK_OK(store_run_now(store, apply_job, run, NULL));
    CHECK_OK(store_run_now(store, dump_job, run, NULL));
    store_close(store);
}

/* Shows the first row that differs: all of them are too many to look at. */
static void check_same(const Run *got, const Run *want)
{
    const char *a = got->dump.ptr, *b = want->dump.ptr;
    for (size_t at = 0;; at++) {
        if (a[at] == b[at] && a[at]) continue;
        if (!a[at] && !b[at]) return;
        size_t from = at;
        while (from && a[from - 1] != '\n') from--;
        print_error("together %.100s\none by one %.100s\n", a + from, b + from);
        CHECK(false);
    }
}

TEST(keep_changes_together_leave_what_they_leave_one_by_one)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        Loop *loop;
        Rng rng = seed * 0x9e3779b97f4a7c15U;
        char dir[] = "/tmp/tutti-fold-XXXXXX", one[64], all[64];
        AUTO_BUF Buf changes;
        buf_init(&changes, 1 << 20);
        history(&changes, &rng);
        CHECK_OK(loop_new(&loop));
        CHECK(mkdtemp(dir));
        (void)snprintf(one, sizeof one, "%s/one.db", dir);
        (void)snprintf(all, sizeof all, "%s/all.db", dir);
        Run single = {.changes = &changes}, together = {.changes = &changes, .together = true};
        apply_all(loop, one, &single);
        apply_all(loop, all, &together);
        check_same(&together, &single);
        buf_done(&single.dump);
        buf_done(&together.dump);
        loop_free(loop);
        CHECK(!unlink(one) && !unlink(all) && !rmdir(dir)); /* a close leaves no log */
    }
}

/* A message that was written down and done with costs the tables nothing. */
TEST(keep_what_came_and_went_is_struck_out)
{
    Model model = {0};
    AUTO_BUF Buf changes;
    buf_init(&changes, 1 << 20);
    put_queue(&changes, &model, 1, 1, 0);
    size_t second = changes.len;
    put_queue(&changes, &model, 1, 2, 0);
    size_t done = begin(&changes, (KeepHead){.op = KEEP_DONE, .id = keep_row(1, 1)});
    mqtt__keep_fold(&changes);
    CHECK_INT(changes.ptr[0], KEEP_NOTHING);
    CHECK_INT(changes.ptr[second], KEEP_QUEUE);
    CHECK_INT(changes.ptr[done], KEEP_NOTHING);
}
