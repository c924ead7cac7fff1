/* runtime/mqtt/keep_open.c: opening the file of sessions and queues, also when it is damaged.
 *
 * A torn write-ahead log is SQLite's own affair: it ends at the last whole commit. A flipped bit in
 * a record is found by its checksum and costs that record. Should the file's own structure be
 * damaged, the store puts it aside and reads what it can of it (store_salvage). Rows that are in no
 * tree any more are told apart by their records here; numbers that a lost row had are made anew. */
#include "mqtt/keep.h"

#include "base/log.h"

static bool is_int(const StoreCell *cells, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++)
        if (cells[i].kind != STORE_INT || cells[i].integer < 0) return false;
    return true;
}

/* The tables that have rows by number; `received`, which has no checksum, only by its tree. */
static bool judge(Str table, const StoreCell *cells, uint32_t count)
{
    KeepMsg msg;
    KeepSession session;
    uint32_t ids[KEEP_IDS_MAX], id_count;
    Str rest;
    if (str_is(table, "session"))
        return count == 2 && !mqtt__keep_get_session(cells[1].bytes, &session);
    if (str_is(table, "retained")) return count == 2 && !mqtt__keep_get_msg(cells[1].bytes, &msg);
    if (str_is(table, "body")) return count == 3 && !mqtt__keep_get_msg(cells[2].bytes, &msg);
    if (str_is(table, "queue"))
        return count == 4 && is_int(cells, 1, 3) &&
               !mqtt__keep_get_entry(cells[3].bytes, ids, &id_count, &rest);
    return str_is(table, "mark") && count == 5 && is_int(cells, 1, 5);
}

/* Of each session: how much waits, and what was the last number. A message that may have been sent
 * before is sent as such. Bodies and rows that belong together are counted anew; topics are made of
 * the messages. */
static const char *const repair[] = {
    "DELETE FROM retained_topic",
    "DELETE FROM queue WHERE id / 8796093022208 NOT IN (SELECT slot FROM session)",
    "CREATE TEMP TABLE IF NOT EXISTS uses(body INTEGER PRIMARY KEY, count INTEGER)",
    "DELETE FROM uses",
    "INSERT INTO uses SELECT body, count(*) FROM queue WHERE body <> 0 GROUP BY body",
    "DELETE FROM body WHERE id NOT IN (SELECT body FROM uses)",
    "UPDATE body SET uses = (SELECT count FROM temp.uses u WHERE u.body = body.id)",
    "CREATE TEMP TABLE IF NOT EXISTS waits(slot INTEGER PRIMARY KEY, count INTEGER, bytes INTEGER,"
    " last INTEGER)",
    "DELETE FROM waits",
    "INSERT INTO waits SELECT id / 8796093022208, count(*), sum(length(record)),"
    " max(id % 8796093022208) FROM queue GROUP BY 1",
    "INSERT OR REPLACE INTO mark(slot, count, bytes, last, sent)"
    " SELECT s.slot, coalesce(w.count, 0), min(coalesce(m.bytes, w.bytes, 0),"
    " coalesce(w.bytes, 0)), max(coalesce(m.last, 0), coalesce(w.last, 0)),"
    " coalesce(m.sent, w.last, 0)"
    " FROM session s LEFT JOIN waits w ON w.slot = s.slot LEFT JOIN mark m ON m.slot = s.slot",
};
_Static_assert(KEEP_SLOT_SHIFT == 43, "8796093022208 is 1 << 43");

static Status repair_job(StoreConn *conn, void *ctx, Diag *diag)
{
    (void)ctx;
    Status st = ST_OK;
    for (size_t i = 0; i < sizeof repair / sizeof *repair && !st; i++)
        st = store_exec(conn, repair[i], diag);
    return st;
}

/* Once, after the file was filled with what could be read of the old one. */
static Status mend(Store *store, Log *log, Diag *diag)
{
    const StoreSalvaged *salvaged = store_salvaged(store);
    Status st = store_run_now(store, repair_job, NULL, diag);
    if (st) return st;
    log_error(log, "mqtt", "the file of sessions was damaged: what is readable was salvaged",
              "rows=%llu lost=%llu kept=%s", (unsigned long long)salvaged->rows,
              (unsigned long long)salvaged->lost, salvaged->aside);
    return ST_OK;
}

Status mqtt__keep_salvage(Store *store, Log *log, Diag *diag)
{
    Status st = store_salvage(store, diag);
    return st ? st : mend(store, log, diag);
}

/* Rows are written side by side and read once: more pages at hand would be memory for nothing. */
static Status few_pages(StoreConn *conn, void *ctx, Diag *diag)
{
    (void)ctx;
    return store_exec(conn, "PRAGMA cache_size=-512", diag);
}

Status mqtt_store_open(Loop *loop, const char *path, Log *log, Store **ret_store, Diag *diag)
{
    Store *store;
    Status st = store_sqlite_open_salvaging(loop, path, 0, judge, &store, diag);
    if (st) return st;
    st = store_migrate(store, "mqtt", mqtt__keep_migrations, diag);
    if (!st && store_salvaged(store)) st = mend(store, log, diag);
    if (!st) st = store_run_now(store, few_pages, NULL, diag);
    if (st) {
        store_close(store);
        return st;
    }
    *ret_store = store;
    return ST_OK;
}
