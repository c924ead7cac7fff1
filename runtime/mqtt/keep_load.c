/* runtime/mqtt/keep_load.c: the broker's tables, read on the store's threads.
 *
 * At a start everything small is read: sessions, filters, numbers, topics of retained messages. How
 * many rows a queue holds stands in `mark`; its rows are read when its client comes, retained
 * messages one portion after the other when the start is over. So a start takes as long as there
 * are sessions and topics, whatever the messages weigh. A damaged row is moved to `damaged` and
 * the rest goes on. */
#include "mqtt/keep.h"

#include <string.h>

static Status set_aside(StoreConn *conn, const char *place, int64_t id, Str record,
                        const char *forget, Str key, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    Status st = store_prepare(conn,
                              "INSERT INTO damaged(place, id, record, at)"
                              " VALUES(?1, ?2, ?3, unixepoch())",
                              &stmt, diag);
    if (st) return st;
    store_bind_str(stmt, 1, str_from(place));
    store_bind_int(stmt, 2, id);
    store_bind_blob(stmt, 3, record);
    st = store_step(stmt, &row, diag);
    if (!st) st = store_prepare(conn, forget, &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, id);
    if (key.ptr) store_bind_blob(stmt, 2, key);
    return store_step(stmt, &row, diag);
}

typedef struct Bad { /* rows to be set aside once the walk is over */
    Buf rows;        /* id, key and record, each with its length */
} Bad;

static void bad_add(Bad *bad, int64_t id, Str key, Str record)
{
    KeepHead head = {.bytes = (uint32_t)record.len, .id = (uint64_t)id, .number = key.len};
    buf_add(&bad->rows, &head, sizeof head);
    buf_str(&bad->rows, key);
    buf_str(&bad->rows, record);
}

static Status bad_move(StoreConn *conn, Bad *bad, const char *place, const char *forget, bool keyed,
                       KeepVisitor *visitor, Diag *diag)
{
    Status st = buf_status(&bad->rows);
    for (size_t at = 0; at < bad->rows.len && !st;) {
        KeepHead head;
        memcpy(&head, bad->rows.ptr + at, sizeof head);
        at += sizeof head;
        Str key = str_slice(bad->rows.ptr + at, (size_t)head.number);
        at += key.len;
        Str record = str_slice(bad->rows.ptr + at, head.bytes);
        at += record.len;
        st = set_aside(conn, place, (int64_t)head.id, record, forget, keyed ? key : STR_NONE, diag);
        visitor->damaged++;
    }
    buf_done(&bad->rows);
    return st;
}

static Status load_sessions(StoreConn *conn, KeepVisitor *visitor, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    Bad bad;
    buf_init(&bad.rows, 64 << 20);
    Status st = store_prepare(conn, "SELECT slot, record FROM session", &stmt, diag);
    while (!st && !(st = store_step(stmt, &row, diag)) && row) {
        KeepSession session;
        int64_t slot = store_int(stmt, 0);
        Str record = store_str(stmt, 1);
        if (slot < 1 || slot >= KEEP_SLOTS_MAX || mqtt__keep_get_session(record, &session))
            bad_add(&bad, slot, STR_NONE, record);
        else
            visitor->session(visitor->ctx, (uint32_t)slot, &session);
    }
    Status moved = bad_move(conn, &bad, "session", "DELETE FROM session WHERE slot = ?1", false,
                            visitor, diag);
    return st ? st : moved;
}

static Status load_filters(StoreConn *conn, KeepVisitor *visitor, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    Bad bad;
    buf_init(&bad.rows, 64 << 20);
    Status st = store_prepare(conn, "SELECT slot, filter, record FROM filter", &stmt, diag);
    while (!st && !(st = store_step(stmt, &row, diag)) && row) {
        KeepFilter filter;
        int64_t slot = store_int(stmt, 0);
        Str key = store_str(stmt, 1), record = store_str(stmt, 2);
        if (mqtt__keep_get_filter(record, &filter) || !str_eq(filter.filter, key))
            bad_add(&bad, slot, key, record);
        else
            visitor->filter(visitor->ctx, (uint32_t)slot, &filter);
    }
    Status moved =
        bad_move(conn, &bad, "filter", "DELETE FROM filter WHERE slot = ?1 AND filter = ?2", true,
                 visitor, diag);
    return st ? st : moved;
}

/* Once, after a version that had no such rows, or when they did not fit. */
static Status topics_make(StoreConn *conn, Diag *diag)
{
    StoreStmt *read, *write;
    bool row, ignored;
    Status st = store_prepare(conn, "SELECT id, record FROM retained ORDER BY id", &read, diag);
    while (!st && !(st = store_step(read, &row, diag)) && row) {
        KeepMsg msg;
        if (mqtt__keep_get_msg(store_str(read, 1), &msg))
            continue; /* found again when it is read */
        st = store_prepare(conn, "INSERT INTO retained_topic(id, topic) VALUES(?1, ?2)", &write,
                           diag);
        if (st) break;
        store_bind_int(write, 1, store_int(read, 0));
        store_bind_blob(write, 2, msg.pub.topic);
        st = store_step(write, &ignored, diag);
    }
    return st;
}

static Status load_topics(StoreConn *conn, KeepVisitor *visitor, Diag *diag)
{
    StoreStmt *stmt;
    bool row = false;
    Status st = store_prepare(conn,
                              "SELECT EXISTS(SELECT 1 FROM retained)"
                              " AND NOT EXISTS(SELECT 1 FROM retained_topic)",
                              &stmt, diag);
    if (!st) st = store_step(stmt, &row, diag);
    if (st) return st;
    bool missing = row && store_int(stmt, 0);
    store_reset(stmt);
    if (missing) st = topics_make(conn, diag);
    if (!st)
        st = store_prepare(conn, "SELECT id, topic FROM retained_topic ORDER BY id", &stmt, diag);
    while (!st && !(st = store_step(stmt, &row, diag)) && row) {
        int64_t id = store_int(stmt, 0);
        if (id >= 1 && id <= UINT32_MAX)
            visitor->topic(visitor->ctx, (uint32_t)id, store_str(stmt, 1));
    }
    return st;
}

/* Numbers only: nothing to check but that they fit. */
static Status load_numbers(StoreConn *conn, KeepVisitor *visitor, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    Status st = store_prepare(conn, "SELECT slot, packet, open FROM received", &stmt, diag);
    while (!st && !(st = store_step(stmt, &row, diag)) && row)
        visitor->received(visitor->ctx, (uint32_t)store_int(stmt, 0), (uint16_t)store_int(stmt, 1),
                          store_int(stmt, 2) != 0);
    if (!st)
        st = store_prepare(conn, "SELECT slot, count, bytes, last, sent FROM mark", &stmt, diag);
    while (!st && !(st = store_step(stmt, &row, diag)) && row) {
        KeepMark mark = {(uint64_t)store_int(stmt, 1), (uint64_t)store_int(stmt, 2),
                         (uint64_t)store_int(stmt, 3), (uint64_t)store_int(stmt, 4)};
        visitor->mark(visitor->ctx, (uint32_t)store_int(stmt, 0), &mark);
    }
    if (!st) st = store_exec(conn, "DELETE FROM body WHERE uses <= 0", diag);
    if (!st) st = store_prepare(conn, "SELECT max(id) FROM body", &stmt, diag);
    if (!st) st = store_step(stmt, &row, diag);
    if (!st && row) visitor->last_body = (uint64_t)store_int(stmt, 0);
    if (!st) store_reset(stmt);
    return st;
}

Status mqtt__keep_load(StoreConn *conn, KeepVisitor *visitor, Diag *diag)
{
    Status st = load_sessions(conn, visitor, diag);
    if (!st) st = load_filters(conn, visitor, diag);
    if (!st) st = load_numbers(conn, visitor, diag);
    return st ? st : load_topics(conn, visitor, diag);
}

Status mqtt__keep_rows(StoreConn *conn, uint64_t from, uint64_t to, Buf *out, bool *ret_more,
                       Diag *diag)
{
    StoreStmt *stmt;
    bool row = false;
    uint32_t count = 0;
    Status st = store_prepare(conn,
                              "SELECT q.id, q.state, q.record, b.record FROM queue q"
                              " LEFT JOIN body b ON q.body <> 0 AND b.id = q.body"
                              " WHERE q.id > ?1 AND q.id <= ?2 ORDER BY q.id",
                              &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, (int64_t)from);
    store_bind_int(stmt, 2, (int64_t)to);
    while (count < KEEP_READ_ROWS && out->len < KEEP_READ_BYTES &&
           !(st = store_step(stmt, &row, diag)) && row) {
        Str entry = store_str(stmt, 2), body = store_str(stmt, 3);
        KeepHead head = {.op = KEEP_QUEUE,
                         .flags = (uint8_t)store_int(stmt, 1),
                         .bytes = (uint32_t)(entry.len + body.len),
                         .id = (uint64_t)store_int(stmt, 0)};
        buf_add(out, &head, sizeof head);
        buf_str(out, entry);
        buf_str(out, body);
        count++;
    }
    if (!st && row) store_reset(stmt);
    *ret_more = row;
    return st ? st : buf_status(out);
}

static void put_retained(Buf *out, uint64_t id, Str record)
{
    KeepHead head = {.op = KEEP_RETAIN, .bytes = (uint32_t)record.len, .id = id};
    buf_add(out, &head, sizeof head);
    buf_str(out, record);
}

Status mqtt__keep_retained_rows(StoreConn *conn, uint32_t from, Buf *out, bool *ret_more,
                                Diag *diag)
{
    StoreStmt *stmt;
    bool row = false;
    uint32_t count = 0;
    Status st = store_prepare(conn, "SELECT id, record FROM retained WHERE id > ?1 ORDER BY id",
                              &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, from);
    while (count < KEEP_RETAINED_ROWS && out->len < KEEP_RETAINED_BYTES &&
           !(st = store_step(stmt, &row, diag)) && row) {
        put_retained(out, (uint64_t)store_int(stmt, 0), store_str(stmt, 1));
        count++;
    }
    if (!st && row) store_reset(stmt);
    *ret_more = row;
    return st ? st : buf_status(out);
}

Status mqtt__keep_retained_these(StoreConn *conn, const Buf *asked, Buf *out, Diag *diag)
{
    StoreStmt *stmt;
    Status st = ST_OK;
    for (size_t at = 0; at < asked->len && !st; at += sizeof(uint32_t)) {
        uint32_t id;
        bool row = false;
        memcpy(&id, asked->ptr + at, sizeof id);
        st = store_prepare(conn, "SELECT record FROM retained WHERE id = ?1", &stmt, diag);
        if (st) break;
        store_bind_int(stmt, 1, id);
        st = store_step(stmt, &row, diag);
        if (row) put_retained(out, id, store_str(stmt, 0));
        store_reset(stmt);
    }
    return st ? st : buf_status(out);
}
