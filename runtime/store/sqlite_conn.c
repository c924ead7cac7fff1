/* runtime/store/sqlite_conn.c: opening, statements, binding and reading of one connection.
 *
 * A failed binding is kept in its statement and reported by the next step, so that jobs can bind
 * without checking each call. */
#include "store/sqlite_conn.h"

#include "store/vfs.h"

#include "base/mem.h"

#include <stdio.h>

enum { STMTS_KEPT = 256, STMTS_MAX = 4096, BUSY_MS = 5000 };

struct StoreStmt {
    sqlite3_stmt *raw;
    StoreConn *conn;
    char *sql; /* owned: the cache's key */
    int bind_error;
};

static Status status_of(int code)
{
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE: return ST_OK;
    case SQLITE_CONSTRAINT: return ST_CONFLICT;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return ST_BUSY;
    case SQLITE_NOMEM: return ST_NO_MEMORY;
    case SQLITE_TOOBIG: return ST_LIMIT;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return ST_CORRUPT;
    case SQLITE_ERROR:
    case SQLITE_RANGE:
    case SQLITE_MISUSE: return ST_INTERNAL; /* our SQL is wrong */
    default: return ST_IO;
    }
}

static Status fail(StoreConn *conn, int code, Diag *diag)
{
    return diag_set(diag, status_of(code), "sqlite: %s", sqlite3_errmsg(conn->db));
}

/* Takes effect only while the file is empty. */
static int set_page_bytes(StoreConn *conn, uint32_t page_bytes)
{
    char sql[64];
    (void)snprintf(sql, sizeof sql, "PRAGMA page_size=%u", page_bytes);
    return sqlite3_exec(conn->db, sql, NULL, NULL, NULL);
}

Status store__conn_open(StoreConn *conn, const char *path, bool is_writer, uint32_t page_bytes,
                        Diag *diag)
{
    static const char *const setup = "PRAGMA journal_mode=WAL;"
                                     "PRAGMA synchronous=FULL;"
                                     "PRAGMA foreign_keys=ON;"
                                     "PRAGMA trusted_schema=OFF;"
                                     "PRAGMA temp_store=MEMORY;"
                                     "PRAGMA journal_size_limit=16777216;";
    int flags = SQLITE_OPEN_NOMUTEX | (is_writer ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY);
    int code = sqlite3_open_v2(path, &conn->db, flags, store__vfs());
    map_init(&conn->stmts, STMTS_MAX);
    if (code == SQLITE_OK) code = sqlite3_extended_result_codes(conn->db, 1);
    if (code == SQLITE_OK) code = sqlite3_busy_timeout(conn->db, BUSY_MS);
    if (code == SQLITE_OK && page_bytes) code = set_page_bytes(conn, page_bytes);
    if (code == SQLITE_OK)
        code = sqlite3_exec(conn->db, is_writer ? setup : "PRAGMA temp_store=MEMORY", NULL, NULL,
                            NULL);
    if (code == SQLITE_OK) return ST_OK;
    Status st = conn->db ? fail(conn, code, diag) : ST_NO_MEMORY;
    store__conn_close(conn);
    return diag_wrap(diag, st, "store %s", path);
}

static void stmt_free(StoreStmt *stmt)
{
    (void)sqlite3_finalize(stmt->raw);
    mem_free(stmt->sql);
    mem_free(stmt);
}

static void drop_stmts(StoreConn *conn)
{
    MapSlot *slot;
    for (size_t at = 0; (slot = map_next(&conn->stmts, &at));) {
        StoreStmt *stmt = slot->value;
        (void)map_remove(&conn->stmts, slot->key);
        stmt_free(stmt);
    }
}

StoreConn *store_conn_new(sqlite3 *db)
{
    StoreConn *conn = mem_zalloc(1, sizeof *conn);
    if (!conn) return NULL;
    conn->db = db;
    map_init(&conn->stmts, STMTS_MAX);
    return conn;
}

void store_conn_free(StoreConn *conn)
{
    if (!conn) return;
    drop_stmts(conn);
    map_done(&conn->stmts);
    mem_free(conn);
}

void store__conn_close(StoreConn *conn)
{
    drop_stmts(conn);
    map_done(&conn->stmts);
    (void)sqlite3_close(conn->db);
    conn->db = NULL;
}

void store__conn_rest(StoreConn *conn)
{
    for (sqlite3_stmt *raw = NULL; (raw = sqlite3_next_stmt(conn->db, raw));)
        if (sqlite3_stmt_busy(raw)) (void)sqlite3_reset(raw);
    if (conn->stmts.len > STMTS_KEPT) drop_stmts(conn);
}

Status store_prepare(StoreConn *conn, const char *sql, StoreStmt **ret_stmt, Diag *diag)
{
    StoreStmt *stmt = map_get(&conn->stmts, str_from(sql));
    if (stmt) {
        (void)sqlite3_reset(stmt->raw);
        (void)sqlite3_clear_bindings(stmt->raw);
        stmt->bind_error = SQLITE_OK;
        *ret_stmt = stmt;
        return ST_OK;
    }
    size_t bytes = strlen(sql) + 1;
    stmt = mem_zalloc(1, sizeof *stmt);
    char *copy = mem_alloc(bytes);
    if (!stmt || !copy) {
        mem_free(stmt);
        mem_free(copy);
        return diag_set(diag, ST_NO_MEMORY, "no memory for a statement");
    }
    memcpy(copy, sql, bytes);
    stmt->sql = copy;
    stmt->conn = conn;
    int code = sqlite3_prepare_v3(conn->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt->raw, NULL);
    Status st = code ? fail(conn, code, diag) : map_put(&conn->stmts, str_from(copy), stmt);
    if (st) {
        stmt_free(stmt);
        return diag_wrap(diag, st, "%.80s", sql);
    }
    *ret_stmt = stmt;
    return ST_OK;
}

static void bound(StoreStmt *stmt, int code)
{
    if (code && !stmt->bind_error) stmt->bind_error = code;
}

void store_bind_int(StoreStmt *stmt, int index, int64_t value)
{
    bound(stmt, sqlite3_bind_int64(stmt->raw, index, value));
}

void store_bind_number(StoreStmt *stmt, int index, double value)
{
    bound(stmt, sqlite3_bind_double(stmt->raw, index, value));
}

void store_bind_str(StoreStmt *stmt, int index, Str text)
{
    bound(stmt, sqlite3_bind_text64(stmt->raw, index, text.len ? text.ptr : "", text.len,
                                    SQLITE_TRANSIENT, SQLITE_UTF8));
}

void store_bind_blob(StoreStmt *stmt, int index, Str bytes)
{
    bound(stmt, sqlite3_bind_blob64(stmt->raw, index, bytes.len ? bytes.ptr : "", bytes.len,
                                    SQLITE_TRANSIENT));
}

void store_bind_lent(StoreStmt *stmt, int index, Str bytes)
{
    bound(stmt, sqlite3_bind_blob64(stmt->raw, index, bytes.len ? bytes.ptr : "", bytes.len,
                                    SQLITE_STATIC));
}

void store_bind_null(StoreStmt *stmt, int index)
{
    bound(stmt, sqlite3_bind_null(stmt->raw, index));
}

void store_bind_cell(StoreStmt *stmt, int index, const StoreCell *cell)
{
    switch (cell->kind) {
    case STORE_NULL: store_bind_null(stmt, index); break;
    case STORE_INT: store_bind_int(stmt, index, cell->integer); break;
    case STORE_NUMBER: store_bind_number(stmt, index, cell->number); break;
    case STORE_TEXT: store_bind_str(stmt, index, cell->bytes); break;
    case STORE_BLOB: store_bind_blob(stmt, index, cell->bytes); break;
    }
}

Status store_step(StoreStmt *stmt, bool *ret_row, Diag *diag)
{
    if (stmt->bind_error)
        return diag_set(diag, status_of(stmt->bind_error), "sqlite: a parameter was refused: %s",
                        sqlite3_errstr(stmt->bind_error));
    int code = sqlite3_step(stmt->raw);
    if (code == SQLITE_ROW) {
        *ret_row = true;
        return ST_OK;
    }
    Status st = code == SQLITE_DONE ? ST_OK : fail(stmt->conn, code, diag);
    (void)sqlite3_reset(stmt->raw);
    if (!st) *ret_row = false;
    return st;
}

void store_reset(StoreStmt *stmt)
{
    (void)sqlite3_reset(stmt->raw);
}

int64_t store_int(StoreStmt *stmt, int column)
{
    return sqlite3_column_int64(stmt->raw, column);
}

double store_number(StoreStmt *stmt, int column)
{
    return sqlite3_column_double(stmt->raw, column);
}

Str store_str(StoreStmt *stmt, int column)
{
    /* The pointer must be fetched before the length: fetching may convert. */
    const char *text = sqlite3_column_blob(stmt->raw, column);
    int bytes = sqlite3_column_bytes(stmt->raw, column);
    return text && bytes > 0 ? (Str){text, (size_t)bytes} : (Str){"", 0};
}

bool store_is_null(StoreStmt *stmt, int column)
{
    return sqlite3_column_type(stmt->raw, column) == SQLITE_NULL;
}

Status store_exec(StoreConn *conn, const char *sql, Diag *diag)
{
    int code = sqlite3_exec(conn->db, sql, NULL, NULL, NULL);
    return code ? fail(conn, code, diag) : ST_OK;
}

Status store_run(StoreConn *conn, const char *sql, const StoreCell *cells, size_t count, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    Status st = store_prepare(conn, sql, &stmt, diag);
    if (st) return st;
    for (size_t i = 0; i < count; i++) store_bind_cell(stmt, (int)i + 1, &cells[i]);
    return store_step(stmt, &row, diag);
}

int64_t store_last_id(StoreConn *conn)
{
    return sqlite3_last_insert_rowid(conn->db);
}

int64_t store_changes(StoreConn *conn)
{
    return sqlite3_changes64(conn->db);
}

int64_t store_total_changes(StoreConn *conn)
{
    return sqlite3_total_changes64(conn->db);
}
