/* compiler/driver/dead_letters.c: what failed in a server, out of its data folder.
 *
 * The table is that of the module engine; it is only read, in a connection that cannot write, so a
 * server that runs on the folder does not notice. */
#include "compiler/driver/dead_letters.h"

#include "base/buf.h"

#include <sqlite3.h>

enum { BUSY_MS = 5000 };

static const char select_sql[] =
    "select raw from engine_dead where pipeline = ?1 and reason not in "
    "('sink_refused', 'sink_conflict') and raw <> '' order by id";

MUST static Status each(sqlite3 *db, Str pipeline, DeadLetterFn *fn, void *ctx, Diag *diag)
{
    sqlite3_stmt *stmt = NULL;
    int code = sqlite3_prepare_v2(db, select_sql, -1, &stmt, NULL);
    if (!code) code = sqlite3_bind_text(stmt, 1, pipeline.ptr, (int)pipeline.len, SQLITE_TRANSIENT);
    bool more = true;
    while (!code && more && (code = sqlite3_step(stmt)) == SQLITE_ROW) {
        const void *raw = sqlite3_column_blob(stmt, 0);
        more = fn(ctx, str_slice(raw ? raw : "", (size_t)sqlite3_column_bytes(stmt, 0)));
        code = SQLITE_OK;
    }
    Status st =
        !code || code == SQLITE_DONE
            ? ST_OK
            : diag_set(diag, ST_INVALID, "its dead letters cannot be read: %s", sqlite3_errmsg(db));
    (void)sqlite3_finalize(stmt);
    return st;
}

Status dead_letters(const char *data_dir, Str pipeline, DeadLetterFn *fn, void *ctx, Diag *diag)
{
    AUTO_BUF Buf path;
    sqlite3 *db = NULL;
    buf_init(&path, 4096);
    buf_printf(&path, "%s/tutti.db", data_dir);
    buf_char(&path, 0);
    if (path.failed) return diag_set(diag, ST_LIMIT, "the path of the data folder is too long");
    int code = sqlite3_open_v2(path.ptr, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
    Status st = ST_OK;
    if (code)
        st = diag_set(diag, ST_NOT_FOUND, "%s is no data folder: %s", data_dir,
                      db ? sqlite3_errmsg(db) : sqlite3_errstr(code));
    else
        (void)sqlite3_busy_timeout(db, BUSY_MS);
    if (!st) st = each(db, pipeline, fn, ctx, diag);
    (void)sqlite3_close(db);
    return st;
}
