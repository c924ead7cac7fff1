/* runtime/mqtt/keep_apply.c: changes of the broker into its tables, on the store's thread.
 *
 * One table row says which statement an op is. Bodies that several sessions wait for are counted by
 * the rows that use them; the last one takes its body along. */
#include "mqtt/keep.h"

#include <string.h>

static const char keep_0001[] =
    "CREATE TABLE session(slot INTEGER PRIMARY KEY, record BLOB NOT NULL);"
    "CREATE TABLE filter(slot INTEGER NOT NULL, filter BLOB NOT NULL, record BLOB NOT NULL,"
    " PRIMARY KEY(slot, filter)) WITHOUT ROWID;"
    "CREATE TABLE queue(id INTEGER PRIMARY KEY, state INTEGER NOT NULL, body INTEGER NOT NULL,"
    " record BLOB NOT NULL);"
    "CREATE TABLE body(id INTEGER PRIMARY KEY, uses INTEGER NOT NULL, record BLOB NOT NULL);"
    "CREATE TABLE received(slot INTEGER NOT NULL, packet INTEGER NOT NULL, open INTEGER NOT NULL,"
    " PRIMARY KEY(slot, packet)) WITHOUT ROWID;"
    "CREATE TABLE retained(topic BLOB PRIMARY KEY, record BLOB NOT NULL);"
    "CREATE TABLE mark(slot INTEGER PRIMARY KEY, count INTEGER NOT NULL, bytes INTEGER NOT NULL,"
    " last INTEGER NOT NULL, sent INTEGER NOT NULL);"
    "CREATE TABLE damaged(place TEXT NOT NULL, id INTEGER NOT NULL, record BLOB NOT NULL,"
    " at INTEGER NOT NULL);";

/* By number: new rows lie side by side, so a batch touches few pages, where an index over topics
 * had a page for nearly every message. */
static const char keep_0002[] =
    "CREATE TABLE retained_rows(id INTEGER PRIMARY KEY, record BLOB NOT NULL);"
    "INSERT INTO retained_rows(record) SELECT record FROM retained;"
    "DROP TABLE retained;"
    "ALTER TABLE retained_rows RENAME TO retained;";

/* Beside the messages, so that a start need not read them. Empty: made from them at that start. */
static const char keep_0003[] =
    "CREATE TABLE retained_topic(id INTEGER PRIMARY KEY, topic BLOB NOT NULL);";

/* A start removes those that nobody uses and need not look at the others for it. */
static const char keep_0004[] = "CREATE INDEX body_unused ON body(id) WHERE uses <= 0;";

const StoreMigration mqtt__keep_migrations[] = {
    {1, "sessions, queues, retained messages", keep_0001},
    {2, "retained messages by number", keep_0002},
    {3, "topics of retained messages", keep_0003},
    {4, "bodies that nobody uses", keep_0004},
    {0}};

typedef struct Change {
    KeepHead head;
    Str bytes; /* of the batch, which stays until it is applied */
} Change;

static Status run(StoreStmt *stmt, Diag *diag)
{
    bool row = true;
    Status st = ST_OK;
    while (!st && row) st = store_step(stmt, &row, diag);
    return st;
}

/* ?1 = id, ?2 = small, ?3 = bytes, ?4 = key of the record, ?5 = flags, ?6 = number: those there. */
static const struct {
    const char *sql;
    bool small, bytes, key, flags, number, sealed;
} statements[] = {
    [KEEP_SESSION] = {"INSERT OR REPLACE INTO session(slot, record) VALUES(?1, ?3)", .bytes = true,
                      .sealed = true},
    [KEEP_FILTER] = {"INSERT OR REPLACE INTO filter(slot, filter, record) VALUES(?1, ?4, ?3)",
                     .bytes = true, .key = true, .sealed = true},
    [KEEP_UNFILTER] = {"DELETE FROM filter WHERE slot = ?1 AND filter = ?3", .bytes = true},
    [KEEP_QUEUE] = {"INSERT OR REPLACE INTO queue(id, state, body, record) VALUES(?1, ?5, ?6, ?3)",
                    .bytes = true, .flags = true, .number = true, .sealed = true},
    [KEEP_BODY] = {"INSERT OR REPLACE INTO body(id, uses, record) VALUES(?1, ?6, ?3)",
                   .bytes = true, .number = true, .sealed = true},
    [KEEP_RECEIVED] = {"INSERT OR REPLACE INTO received(slot, packet, open) VALUES(?1, ?2, ?5)",
                       .small = true, .flags = true},
    [KEEP_RELEASED] = {"DELETE FROM received WHERE slot = ?1 AND packet = ?2", .small = true},
    [KEEP_RETAIN] = {"INSERT OR REPLACE INTO retained(id, record) VALUES(?1, ?3)", .bytes = true,
                     .sealed = true},
    [KEEP_TOPIC] = {"INSERT OR REPLACE INTO retained_topic(id, topic) VALUES(?1, ?3)",
                    .bytes = true},
    [KEEP_UNRETAIN] = {.sql = "DELETE FROM retained WHERE id = ?1"},
};

enum { STATEMENTS = sizeof statements / sizeof *statements };

/* Statements of one batch by op: found by their text once. */
typedef struct Ready {
    StoreStmt *stmts[STATEMENTS];
} Ready;

static Status apply_plain(StoreConn *conn, Ready *ready, const Change *c, Diag *diag)
{
    uint8_t op = c->head.op;
    StoreStmt *stmt = ready->stmts[op];
    Status st = stmt ? ST_OK : store_prepare(conn, statements[op].sql, &stmt, diag);
    if (st) return st;
    ready->stmts[op] = stmt; /* each change gives it all its parameters */
    if (statements[op].sealed) mqtt__keep_seal(op, (char *)(uintptr_t)c->bytes.ptr, c->bytes.len);
    store_bind_int(stmt, 1, (int64_t)c->head.id);
    if (statements[op].small) store_bind_int(stmt, 2, c->head.small);
    if (statements[op].bytes) store_bind_lent(stmt, 3, c->bytes);
    if (statements[op].key) store_bind_lent(stmt, 4, mqtt__keep_key(c->bytes));
    if (statements[op].flags) store_bind_int(stmt, 5, c->head.flags);
    if (statements[op].number) store_bind_int(stmt, 6, (int64_t)c->head.number);
    return run(stmt, diag);
}

static Status body_unused(StoreConn *conn, int64_t body, Diag *diag)
{
    StoreStmt *stmt;
    if (!body) return ST_OK;
    Status st = store_prepare(conn, "UPDATE body SET uses = uses - 1 WHERE id = ?1", &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, body);
    st = run(stmt, diag);
    if (!st) st = store_prepare(conn, "DELETE FROM body WHERE id = ?1 AND uses <= 0", &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, body);
    return run(stmt, diag);
}

/* Runs a statement on one row that tells which body the row no longer uses. */
static Status row_let_go(StoreConn *conn, const char *sql, uint64_t id, Str record, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    int64_t body = 0;
    Status st = store_prepare(conn, sql, &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, (int64_t)id);
    if (record.len) store_bind_blob(stmt, 2, record);
    while (!(st = store_step(stmt, &row, diag)) && row) body = store_int(stmt, 0);
    return st ? st : body_unused(conn, body, diag);
}

static Status apply_done(StoreConn *conn, const Change *c, Diag *diag)
{
    return row_let_go(conn, "DELETE FROM queue WHERE id = ?1 RETURNING body", c->head.id, STR_NONE,
                      diag);
}

/* The row stays for its packet identifier; an UPDATE would tell the new body only. */
static Status apply_rec(StoreConn *conn, const Change *c, Diag *diag)
{
    Status st = apply_done(conn, c, diag);
    StoreStmt *stmt;
    if (!st)
        st = store_prepare(conn, "INSERT INTO queue(id, state, body, record) VALUES(?1, ?2, 0, ?3)",
                           &stmt, diag);
    if (st) return st;
    mqtt__keep_seal(KEEP_QUEUE, (char *)(uintptr_t)c->bytes.ptr, c->bytes.len);
    store_bind_int(stmt, 1, (int64_t)c->head.id);
    store_bind_int(stmt, 2, c->head.flags);
    store_bind_blob(stmt, 3, c->bytes);
    return run(stmt, diag);
}

static Status apply_damaged(StoreConn *conn, const Change *c, Diag *diag)
{
    StoreStmt *stmt;
    Status st = store_prepare(conn,
                              "INSERT INTO damaged(place, id, record, at) SELECT 'queue', id,"
                              " record, unixepoch() FROM queue WHERE id = ?1",
                              &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, (int64_t)c->head.id);
    st = run(stmt, diag);
    return st ? st : apply_done(conn, c, diag);
}

static Status by_id(StoreConn *conn, const char *sql, uint64_t id, Diag *diag)
{
    StoreStmt *stmt;
    Status st = store_prepare(conn, sql, &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, (int64_t)id);
    return run(stmt, diag);
}

static Status apply_unretain(StoreConn *conn, Ready *ready, const Change *c, Diag *diag)
{
    Status st = by_id(conn, "DELETE FROM retained_topic WHERE id = ?1", c->head.id, diag);
    return st ? st : apply_plain(conn, ready, c, diag);
}

static Status apply_unread(StoreConn *conn, const Change *c, Diag *diag)
{
    static const char aside[] =
        "INSERT INTO damaged(place, id, record, at) SELECT 'retained', id, record, unixepoch()"
        " FROM retained WHERE id = ?1";
    static const char *const sql[] = {aside, "DELETE FROM retained WHERE id = ?1",
                                      "DELETE FROM retained_topic WHERE id = ?1"};
    Status st = ST_OK;
    for (size_t i = 0; i < sizeof sql / sizeof *sql && !st; i++)
        st = by_id(conn, sql[i], c->head.id, diag);
    return st;
}

static Status apply_mark(StoreConn *conn, const Change *c, Diag *diag)
{
    StoreStmt *stmt;
    KeepMark mark;
    if (c->bytes.len != sizeof mark) return diag_set(diag, ST_INTERNAL, "a mark of another size");
    memcpy(&mark, c->bytes.ptr, sizeof mark);
    Status st = store_prepare(conn,
                              "INSERT OR REPLACE INTO mark(slot, count, bytes, last, sent)"
                              " VALUES(?1, ?2, ?3, ?4, ?5)",
                              &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, (int64_t)c->head.id);
    store_bind_int(stmt, 2, (int64_t)mark.count);
    store_bind_int(stmt, 3, (int64_t)mark.bytes);
    store_bind_int(stmt, 4, (int64_t)mark.last_seq);
    store_bind_int(stmt, 5, (int64_t)mark.sent_seq);
    return run(stmt, diag);
}

/* Bodies first: a shared one may be used by others. */
static Status queue_end(StoreConn *conn, uint32_t slot, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    AUTO_BUF Buf bodies;
    buf_init(&bodies, (size_t)1 << 30);
    Status st = store_prepare(
        conn, "SELECT body FROM queue WHERE id BETWEEN ?1 AND ?2 AND body <> 0", &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, (int64_t)keep_row(slot, 0));
    store_bind_int(stmt, 2, (int64_t)keep_row(slot + 1, 0) - 1);
    while (!(st = store_step(stmt, &row, diag)) && row) {
        int64_t body = store_int(stmt, 0);
        buf_add(&bodies, &body, sizeof body);
    }
    if (!st) st = buf_status(&bodies);
    for (size_t at = 0; at < bodies.len && !st; at += sizeof(int64_t)) {
        int64_t body;
        memcpy(&body, bodies.ptr + at, sizeof body);
        st = body_unused(conn, body, diag);
    }
    if (!st) st = store_prepare(conn, "DELETE FROM queue WHERE id BETWEEN ?1 AND ?2", &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, (int64_t)keep_row(slot, 0));
    store_bind_int(stmt, 2, (int64_t)keep_row(slot + 1, 0) - 1);
    return run(stmt, diag);
}

static Status apply_end(StoreConn *conn, const Change *c, Diag *diag)
{
    static const char *const sql[] = {
        "DELETE FROM session WHERE slot = ?1", "DELETE FROM filter WHERE slot = ?1",
        "DELETE FROM received WHERE slot = ?1", "DELETE FROM mark WHERE slot = ?1"};
    Status st = queue_end(conn, (uint32_t)c->head.id, diag);
    for (size_t i = 0; i < sizeof sql / sizeof *sql && !st; i++)
        st = by_id(conn, sql[i], c->head.id, diag);
    return st;
}

static Status apply(StoreConn *conn, Ready *ready, const Change *c, Diag *diag)
{
    switch (c->head.op) {
    case KEEP_NOTHING: return ST_OK;
    case KEEP_END: return apply_end(conn, c, diag);
    case KEEP_DONE: return apply_done(conn, c, diag);
    case KEEP_REC: return apply_rec(conn, c, diag);
    case KEEP_DAMAGED: return apply_damaged(conn, c, diag);
    case KEEP_UNRETAIN: return apply_unretain(conn, ready, c, diag);
    case KEEP_UNREAD: return apply_unread(conn, c, diag);
    case KEEP_TOPICS: return store_exec(conn, "DELETE FROM retained_topic", diag);
    case KEEP_MARK: return apply_mark(conn, c, diag);
    default: return apply_plain(conn, ready, c, diag);
    }
}

Status mqtt__keep_apply(StoreConn *conn, Buf *batches, Diag *diag)
{
    Status st = ST_OK;
    Ready ready = {0};
    mqtt__keep_fold(batches);
    for (size_t at = 0; at < batches->len && !st;) {
        Change c;
        memcpy(&c.head, batches->ptr + at, sizeof c.head);
        at += sizeof c.head;
        c.bytes = str_slice(batches->ptr + at, c.head.bytes);
        at += c.head.bytes;
        st = apply(conn, &ready, &c, diag);
    }
    return st;
}
