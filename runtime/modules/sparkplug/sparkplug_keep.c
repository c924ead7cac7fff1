/* runtime/modules/sparkplug/sparkplug_keep.c: which edge nodes and devices are alive, on the disk.
 *
 * After a start they are waited for: one that does not come is dead, and its values are marked. */
#include "modules/sparkplug/sparkplug_int.h"

#include "base/mem.h"

const StoreMigration sparkplug__migrations[] = {
    {1, "edge nodes and devices that are alive; bdSeq of our own edge node",
     "CREATE TABLE sparkplug_alive(grp TEXT NOT NULL, node TEXT NOT NULL, device TEXT NOT NULL,"
     " PRIMARY KEY(grp, node, device)) WITHOUT ROWID;"
     "CREATE TABLE sparkplug_edge(grp TEXT NOT NULL, node TEXT NOT NULL, bdseq INTEGER NOT NULL,"
     " PRIMARY KEY(grp, node)) WITHOUT ROWID;"},
    {2, "which host this process is",
     "CREATE TABLE sparkplug_host(id TEXT PRIMARY KEY) WITHOUT ROWID;"},
    {0, NULL, NULL}};

typedef struct Change {
    Sparkplug *self;
    Str group, node, device;
    bool alive;
    char bytes[];
} Change;

static Status change_job(StoreConn *conn, void *ctx, Diag *diag)
{
    const Change *change = ctx;
    StoreStmt *stmt;
    bool row;
    const char *sql = "INSERT OR IGNORE INTO sparkplug_alive(grp, node, device) VALUES(?1, ?2, ?3)";
    if (!change->alive) /* with an edge node its devices */
        sql = change->device.len
                  ? "DELETE FROM sparkplug_alive WHERE grp = ?1 AND node = ?2 AND device = ?3"
                  : "DELETE FROM sparkplug_alive WHERE grp = ?1 AND node = ?2";
    Status st = store_prepare(conn, sql, &stmt, diag);
    if (st) return st;
    store_bind_str(stmt, 1, change->group);
    store_bind_str(stmt, 2, change->node);
    if (change->alive || change->device.len) store_bind_str(stmt, 3, change->device);
    return store_step(stmt, &row, diag);
}

static void on_changed(void *ctx, Status status, const Diag *diag)
{
    Change *change = ctx;
    if (status)
        log_warn(change->self->env->log, "sparkplug", "a node's state is not on the disk",
                 "node=%.*s reason=%s", STR_ARG(change->node), diag ? diag->text : "");
    mem_free(change);
}

void sparkplug__keep(Sparkplug *self, const SpUnit *unit)
{
    const SpNode *node = unit->node;
    Change *change = mem_alloc(sizeof *change + node->key.len + unit->name.len);
    if (!change) return;
    memcpy(change->bytes, node->key.ptr, node->key.len);
    memcpy(change->bytes + node->key.len, unit->name.ptr ? unit->name.ptr : "", unit->name.len);
    *change = (Change){.self = self,
                       .group = str_slice(change->bytes, node->group.len),
                       .node = str_slice(change->bytes + node->group.len + 1, node->name.len),
                       .device = str_slice(change->bytes + node->key.len, unit->name.len),
                       .alive = unit->life == SP_ALIVE};
    if (store_write(self->env->store, change_job, on_changed, change))
        on_changed(change, ST_BUSY, NULL);
}

static Status load_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Sparkplug *self = ctx;
    StoreStmt *stmt;
    bool row;
    int64_t now_ms = clock_wall_ns() / NS_PER_MS;
    Status st = store_prepare(conn, "SELECT grp, node, device FROM sparkplug_alive", &stmt, diag);
    while (!st && !(st = store_step(stmt, &row, diag)) && row)
        if (sp_host_remember(self->host, store_str(stmt, 0), store_str(stmt, 1), store_str(stmt, 2),
                             now_ms))
            log_warn(self->env->log, "sparkplug", "a node from before the start is forgotten",
                     "node=%.*s", STR_ARG(store_str(stmt, 1)));
    return st;
}

Status sparkplug__keep_load(Sparkplug *self, Diag *diag)
{
    return store_run_now(self->env->store, load_job, self, diag);
}

/* ---- who we were ---- */

typedef struct Host {
    Sparkplug *self;
    Buf before; /* ids, each with a NUL behind it */
} Host;

static Status host_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Host *host = ctx;
    Str id = host->self->conf->host;
    StoreStmt *stmt;
    bool row;
    Status st = store_prepare(conn, "SELECT id FROM sparkplug_host WHERE id <> coalesce(?1, '')",
                              &stmt, diag);
    if (!st) store_bind_str(stmt, 1, id);
    while (!st && !(st = store_step(stmt, &row, diag)) && row) {
        buf_str(&host->before, store_str(stmt, 0));
        buf_char(&host->before, 0);
    }
    if (!st) st = store_exec(conn, "DELETE FROM sparkplug_host", diag);
    if (st || !id.len) return st;
    st = store_prepare(conn, "INSERT INTO sparkplug_host(id) VALUES(?1)", &stmt, diag);
    if (st) return st;
    store_bind_str(stmt, 1, id);
    return store_step(stmt, &row, diag);
}

/* What the will of a host on a connection would do: its STATE does not stay online when it was
 * killed and came back under another id, or as no host. */
Status sparkplug__keep_host(Sparkplug *self, Diag *diag)
{
    Host host = {.self = self};
    buf_init(&host.before, 64 * (SP_ID_BYTES_MAX + 1));
    Status st = store_run_now(self->env->store, host_job, &host, diag);
    Str rest = buf_view(&host.before);
    while (!st && rest.len) {
        Str id = str_slice(rest.ptr, (size_t)str_find_char(rest, 0));
        log_info(self->env->log, "sparkplug", "this process is no longer that host", "host=%.*s",
                 STR_ARG(id));
        sparkplug__state_say(self, id, false, clock_wall_ns() / NS_PER_MS);
        rest = str_skip(rest, id.len + 1);
    }
    buf_done(&host.before);
    return st;
}
