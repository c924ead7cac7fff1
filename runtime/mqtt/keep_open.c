/* runtime/mqtt/keep_open.c: opening the file of sessions and queues, also when it is damaged.
 *
 * A torn write-ahead log is SQLite's own affair: it ends at the last whole commit. A flipped bit in
 * a record is found by its checksum and costs that record. Should the file's own structure be
 * damaged where a start reads it, the file is renamed and a new one begun: a broker that
 * refuses to start would lose more, and what lies in the renamed file is not lost. */
#include "mqtt/keep.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, ASIDE_MAX = 100 };

static void ignore_session(void *ctx, uint32_t slot, const KeepSession *session)
{
    (void)ctx;
    (void)slot;
    (void)session;
}

static void ignore_filter(void *ctx, uint32_t slot, const KeepFilter *filter)
{
    (void)ctx;
    (void)slot;
    (void)filter;
}

static void ignore_received(void *ctx, uint32_t slot, uint16_t id, bool open)
{
    (void)ctx;
    (void)slot;
    (void)id;
    (void)open;
}

static void ignore_mark(void *ctx, uint32_t slot, const KeepMark *mark)
{
    (void)ctx;
    (void)slot;
    (void)mark;
}

static void ignore_topic(void *ctx, uint32_t row, Str topic)
{
    (void)ctx;
    (void)row;
    (void)topic;
}

static Status look(StoreConn *conn, void *ctx, Diag *diag)
{
    (void)ctx;
    KeepVisitor nobody = {.session = ignore_session,
                          .filter = ignore_filter,
                          .received = ignore_received,
                          .mark = ignore_mark,
                          .topic = ignore_topic};
    Status st = mqtt__keep_load(conn, &nobody, diag);
    /* What was set aside is set aside, counted and said by the restore that follows: so not here.
     */
    return st ? st : ST_CANCELLED;
}

static Status open_sound(Loop *loop, const char *path, Store **ret_store, Diag *diag)
{
    Store *store;
    Status st = store_sqlite_open(loop, path, &store, diag);
    if (st) return st;
    st = store_migrate(store, "mqtt", mqtt__keep_migrations, diag);
    if (!st) st = store_run_now(store, look, NULL, diag);
    if (st && st != ST_CANCELLED) {
        store_close(store);
        return st;
    }
    *ret_store = store;
    return ST_OK;
}

/* "mqtt.db" to "mqtt.db.damaged-1", and what belongs to it. */
static bool move_aside(const char *path, char *ret_name)
{
    static const char *const parts[] = {"", "-wal", "-shm"};
    char from[PATH_BYTES + 16], to[PATH_BYTES + 48];
    int n = 1;
    for (; n < ASIDE_MAX; n++) {
        (void)snprintf(ret_name, PATH_BYTES + 32, "%s.damaged-%d", path, n);
        if (access(ret_name, F_OK)) break;
    }
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        (void)snprintf(from, sizeof from, "%s%s", path, parts[i]);
        (void)snprintf(to, sizeof to, "%s%s", ret_name, parts[i]);
        if (rename(from, to) && i == 0) return false;
    }
    return n < ASIDE_MAX;
}

Status mqtt_store_open(Loop *loop, const char *path, Log *log, Store **ret_store, Diag *diag)
{
    char aside[PATH_BYTES + 32];
    Diag first = {0};
    if (strlen(path) >= PATH_BYTES) return diag_set(diag, ST_LIMIT, "the path is too long");
    Status st = open_sound(loop, path, ret_store, &first);
    if (st != ST_CORRUPT || !move_aside(path, aside)) {
        if (st && diag) *diag = first;
        return st;
    }
    log_error(log, "mqtt", "the file of sessions is damaged: a new one is begun",
              "kept=%s reason=%s", aside, first.text);
    return open_sound(loop, path, ret_store, diag);
}
