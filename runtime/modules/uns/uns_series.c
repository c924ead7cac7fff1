/* runtime/modules/uns/uns_series.c: samples in the series store: writing, tidying, rolling up.
 *
 * Tidying is a job of its own behind the write: what it finds damaged must not undo what was just
 * received. It goes on until nothing is due, one merge a job, so that others get their turn. */
#include "modules/uns/uns.h"

#include "base/mem.h"
#include "series/server.h"

enum { MOVED_AT_ONCE = 65536 };

Status uns__series_work(SeriesWork **slot, Diag *diag)
{
    if (!*slot) *slot = series_work_new();
    return *slot ? ST_OK : diag_set(diag, ST_NO_MEMORY, "no memory for the history");
}

Status uns__read_work(Uns *uns, Diag *diag)
{
    Status st = uns__series_work(&uns->read_work, diag);
    if (!st) series_set_base(uns->read_work, uns__server_base(uns));
    return st;
}

static Status write_names(StoreConn *conn, const UnsName *names, uint32_t count, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    Status st = store_prepare(conn,
                              "INSERT INTO series(id, path, type) VALUES(?1, ?2, ?3)"
                              " ON CONFLICT DO UPDATE SET type = excluded.type WHERE type = 0",
                              &stmt, diag);
    for (uint32_t i = 0; i < count && !st; i++) {
        store_bind_int(stmt, 1, names[i].series);
        store_bind_str(stmt, 2, str_from(names[i].path));
        store_bind_int(stmt, 3, names[i].type);
        st = store_step(stmt, &row, diag);
    }
    return st;
}

Status uns__write_samples(StoreConn *conn, Uns *uns, SeriesPoint *points, uint32_t count,
                          const UnsName *names, uint32_t name_count, Diag *diag)
{
    if (!count) return ST_OK;
    Status st = uns__series_work(&uns->write_work, diag);
    if (!st) st = write_names(conn, names, name_count, diag);
    return st ? st : series_write(conn, uns->write_work, points, count, diag);
}

/* ---- tidying ---- */

typedef struct Tidy {
    Uns *uns;
    bool more;
} Tidy;

static Status tidy_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Tidy *tidy = ctx;
    Status st = uns__series_work(&tidy->uns->write_work, diag);
    if (!st) st = series_tidy(conn, tidy->uns->write_work, &tidy->more, diag);
    return st || tidy->more ? st : uns__roll(conn, tidy->uns, &tidy->more, diag);
}

static void on_tidy(void *ctx, Status status, const Diag *diag)
{
    Tidy *tidy = ctx;
    Uns *uns = tidy->uns;
    bool more = !status && tidy->more;
    if (status)
        log_warn(uns->env->log, "uns", "history not tidied", "reason=%s", diag ? diag->text : "");
    mem_free(tidy);
    uns->tidying = false;
    if (more && !uns->draining) uns__tidy(uns);
    uns__job_done(uns);
}

void uns__tidy(Uns *uns)
{
    Tidy *tidy = uns->tidying ? NULL : mem_alloc(sizeof *tidy);
    if (!tidy) return;
    *tidy = (Tidy){uns, false};
    if (store_write(uns->env->store, tidy_job, on_tidy, tidy)) {
        mem_free(tidy);
        return;
    }
    uns->tidying = true;
    uns->jobs++;
}

/* ---- what an older version wrote ---- */

/* Rows of one value each, in milliseconds. */
static Status read_old(StoreConn *conn, SeriesPoint *points, uint32_t *ret_count, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    *ret_count = 0;
    Status st = store_prepare(conn, "SELECT series, t, v, q FROM samples LIMIT ?1", &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, MOVED_AT_ONCE);
    while (!(st = store_step(stmt, &row, diag)) && row)
        points[(*ret_count)++] = (SeriesPoint){store_int(stmt, 0), uns_ns(store_int(stmt, 1)),
                                               store_number(stmt, 2), (uint8_t)store_int(stmt, 3)};
    return st;
}

static Status forget_old(StoreConn *conn, uint32_t count, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    Status st = store_prepare(conn,
                              "DELETE FROM samples WHERE (series, t) IN"
                              " (SELECT series, t FROM samples LIMIT ?1)",
                              &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, count);
    return store_step(stmt, &row, diag);
}

static Status has_old(StoreConn *conn, bool *ret_has, Diag *diag)
{
    StoreStmt *stmt;
    Status st = store_prepare(conn, "SELECT 1 FROM samples LIMIT 1", &stmt, diag);
    if (!st) st = store_step(stmt, ret_has, diag);
    if (!st && *ret_has) store_reset(stmt);
    return st;
}

static Status move_some(StoreConn *conn, Uns *uns, SeriesPoint *points, Diag *diag)
{
    uint32_t count;
    bool more = true;
    Status st = read_old(conn, points, &count, diag);
    if (!st) st = forget_old(conn, count, diag);
    if (!st) st = uns__write_samples(conn, uns, points, count, NULL, 0, diag);
    while (!st && more) st = series_tidy(conn, uns->write_work, &more, diag);
    return st;
}

Status uns__move_samples(StoreConn *conn, Uns *uns, Diag *diag)
{
    bool has;
    Status st = has_old(conn, &has, diag);
    if (st || !has) return st;
    SeriesPoint *points = mem_alloc(MOVED_AT_ONCE * sizeof *points);
    if (!points) return diag_set(diag, ST_NO_MEMORY, "no memory to move the history");
    while (!st && has) {
        st = move_some(conn, uns, points, diag);
        if (!st) st = has_old(conn, &has, diag);
    }
    mem_free(points);
    return st;
}
