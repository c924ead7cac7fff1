/* compiler/driver/batch_table.c: a table of a data folder, read by one statement: what a server
 * writes meanwhile is not part of it. Rows without a number are older than those with one. */
#include "compiler/driver/batch_table.h"

#include "ask/rows.h"
#include "base/clock.h"
#include "base/mem.h"
#include "flow/abi.h"

#include <sqlite3.h>

enum { BUSY_MS = 10000, CHUNK_BYTES = 64 << 10, LINES_BYTES_MAX = 16 << 20 };

static const IrOption *option_of(const IrSource *source, const char *name)
{
    for (uint32_t i = 0; i < source->option_count; i++)
        if (str_is(source->options[i].name, name)) return &source->options[i];
    return NULL;
}

/* The number that the wanted rows are behind; INT64_MIN: all rows. */
static int64_t behind_of(const IrSource *source)
{
    const IrOption *since = option_of(source, "since"), *age = option_of(source, "age");
    if (since) return rows_number_since(since->value.integer);
    return age ? rows_number_since(clock_wall_ns() - age->value.integer) : INT64_MIN;
}

static void put_question(Buf *sql, const RowsTable *rows, const IrSource *source)
{
    int64_t behind = behind_of(source);
    buf_printf(sql, "SELECT %.*s FROM \"h_%.*s\"", STR_ARG(buf_view(&rows->select)),
               STR_ARG(source->address));
    if (behind != INT64_MIN && rows->numbered)
        buf_printf(sql, " WHERE \"" ROWS_NUMBER "\" > %lld", (long long)behind);
    else if (behind != INT64_MIN)
        buf_text(sql, " WHERE false"); /* none says when it was written */
    buf_printf(sql, " ORDER BY %s%s", rows->numbered ? "\"" ROWS_NUMBER "\", " : "", rows->rowid);
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

MUST static Status read_all(StoreConn *conn, const RowsTable *rows, const IrSource *source,
                            BatchLinesFn *fn, void *ctx, Diag *diag)
{
    AUTO_BUF Buf sql, lines;
    StoreStmt *stmt;
    bool row = false, more = true;
    buf_init(&sql, ROWS_SQL_BYTES_MAX + 1024);
    buf_init(&lines, LINES_BYTES_MAX);
    put_question(&sql, rows, source);
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
    const IrOption *columns = option_of(source, "columns");
    if (!st)
        st = rows_open(conn, source->address, columns ? columns->value.text : STR(""), rows, diag);
    if (!st) {
        st = read_all(conn, rows, source, fn, ctx, diag);
        rows_done(rows);
    }
    if (conn) store_conn_free(conn);
    (void)sqlite3_close(db);
    mem_free(rows);
    return st;
}
