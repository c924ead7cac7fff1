/* compiler/driver/batch_table.c: a table of a data folder, read by one statement: what a server
 * writes meanwhile is not part of it. Rows without a number are older than those with one. */
#include "compiler/driver/batch_table.h"

#include "ask/rows.h"
#include "base/mem.h"
#include "flow/abi.h"

#include <sqlite3.h>

enum { BUSY_MS = 10000, CHUNK_BYTES = 64 << 10, LINES_BYTES_MAX = 16 << 20 };

static Str columns_of(const IrSource *source)
{
    for (uint32_t i = 0; i < source->option_count; i++)
        if (str_is(source->options[i].name, "columns")) return source->options[i].value.text;
    return STR("");
}

/* False: the end, or nobody wants more. */
static bool give(Buf *lines, BatchLinesFn *fn, void *ctx)
{
    static const char pad[RT_PAD_BYTES];
    size_t len = lines->len;
    buf_add(lines, pad, sizeof pad);
    bool more = !lines->failed && fn(ctx, (Str){lines->ptr, len});
    if (!lines->failed) buf_clear(lines);
    return more;
}

MUST static Status read_all(StoreConn *conn, const RowsTable *rows, Str table, BatchLinesFn *fn,
                            void *ctx, Diag *diag)
{
    AUTO_BUF Buf sql, lines;
    StoreStmt *stmt;
    bool row = false, more = true;
    buf_init(&sql, ROWS_SQL_BYTES_MAX + 1024);
    buf_init(&lines, LINES_BYTES_MAX);
    buf_printf(&sql, "SELECT %.*s FROM \"h_%.*s\" ORDER BY %s%s", STR_ARG(buf_view(&rows->select)),
               STR_ARG(table), rows->numbered ? "\"" ROWS_NUMBER "\", " : "", rows->rowid);
    Status st = buf_status(&sql) ? diag_set(diag, ST_LIMIT, "too many columns")
                                 : store_prepare(conn, sql.ptr, &stmt, diag);
    if (st) return st;
    while (more && !(st = store_step(stmt, &row, diag)) && row) {
        rows_put(rows, stmt, 0, &lines);
        buf_char(&lines, '\n');
        if (lines.len > CHUNK_BYTES) more = give(&lines, fn, ctx);
    }
    if (row) store_reset(stmt);
    if (!st && more && lines.len) (void)give(&lines, fn, ctx);
    return st ? st : buf_status(&lines);
}

Status batch_table(const char *file, const IrSource *source, BatchLinesFn *fn, void *ctx,
                   Diag *diag)
{
    sqlite3 *db = NULL;
    RowsTable *rows = mem_zalloc(1, sizeof *rows);
    int code = sqlite3_open_v2(file, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
    StoreConn *conn = code == SQLITE_OK && rows ? store_conn_new(db) : NULL;
    Status st = ST_OK;
    if (code != SQLITE_OK)
        st = diag_set(diag, ST_NOT_FOUND, "%s is no historian: %s", file,
                      db ? sqlite3_errmsg(db) : sqlite3_errstr(code));
    else if (!conn)
        st = diag_set(diag, ST_NO_MEMORY, "out of memory");
    else
        (void)sqlite3_busy_timeout(db, BUSY_MS);
    if (!st) st = rows_open(conn, source->address, columns_of(source), rows, diag);
    if (!st) {
        st = read_all(conn, rows, source->address, fn, ctx, diag);
        rows_done(rows);
    }
    if (conn) store_conn_free(conn);
    (void)sqlite3_close(db);
    mem_free(rows);
    return st;
}
