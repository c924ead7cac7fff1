/* runtime/modules/logs/logs_sql.c: the tables of log lines and the queries over them.
 *
 * logs_text is an FTS5 index without a copy of the text (content=): what is deleted from logs_lines
 * must be handed to it first, with the same words. */
#include "modules/logs/logs_int.h"

enum { WORDS_MAX = 32, MATCH_BYTES_MAX = 8192, TRIM_ROUNDS_MAX = 50 };

const StoreMigration logs__migrations[] = {
    {1, "init",
     "CREATE TABLE logs_lines(id INTEGER PRIMARY KEY AUTOINCREMENT,time_ms INTEGER NOT NULL,"
     "level INTEGER NOT NULL,module TEXT NOT NULL,message TEXT NOT NULL,detail TEXT NOT NULL);"
     "CREATE INDEX logs_lines_time ON logs_lines(time_ms);"
     "CREATE VIRTUAL TABLE logs_text USING fts5(message,detail,module,content='logs_lines',"
     "content_rowid='id',tokenize='unicode61');"},
    {0, NULL, NULL}};

static Status run(StoreStmt *stmt, Diag *diag)
{
    bool row = false;
    return store_step(stmt, &row, diag);
}

Status logs__insert(StoreConn *conn, LogsRow *row, Diag *diag)
{
    StoreStmt *stmt = NULL;
    Status st = store_prepare(conn,
                              "INSERT INTO logs_lines(time_ms,level,module,message,detail)"
                              " VALUES(?1,?2,?3,?4,?5)",
                              &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, row->time_ms);
    store_bind_int(stmt, 2, row->level);
    store_bind_str(stmt, 3, row->module);
    store_bind_str(stmt, 4, row->message);
    store_bind_str(stmt, 5, row->detail);
    st = run(stmt, diag);
    if (st) return st;
    row->id = store_last_id(conn);
    st = store_prepare(conn,
                       "INSERT INTO logs_text(rowid,message,detail,module) VALUES(?1,?2,?3,?4)",
                       &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, row->id);
    store_bind_str(stmt, 2, row->message);
    store_bind_str(stmt, 3, row->detail);
    store_bind_str(stmt, 4, row->module);
    return run(stmt, diag);
}

static bool is_space(char c)
{
    return (unsigned char)c <= 0x20 || c == 0x7f;
}

void logs__match(Str words, Buf *out)
{
    size_t at = 0;
    for (int count = 0; count < WORDS_MAX; count++) {
        while (at < words.len && is_space(words.ptr[at])) at++;
        if (at == words.len) return;
        if (count) buf_char(out, ' ');
        buf_char(out, '"');
        for (; at < words.len && !is_space(words.ptr[at]); at++) {
            if (words.ptr[at] == '"') buf_char(out, '"');
            buf_char(out, words.ptr[at]);
        }
        buf_text(out, "\"*");
    }
}

void logs__put_row(JsonOut *out, const LogsRow *row)
{
    json_begin_object(out);
    json_field_int(out, "id", row->id);
    json_field_int(out, "time", row->time_ms);
    json_field_text(out, "level", log_level_name((LogLevel)row->level));
    json_field_str(out, "module", row->module);
    json_field_str(out, "message", row->message);
    json_field_str(out, "detail", row->detail);
    json_end(out);
}

static Status put_rows(StoreStmt *stmt, JsonOut *out, Diag *diag)
{
    bool more = false;
    Status st;
    while (!(st = store_step(stmt, &more, diag)) && more) {
        int64_t level = store_int(stmt, 2);
        LogsRow row = {.id = store_int(stmt, 0),
                       .time_ms = store_int(stmt, 1),
                       .level = level >= LOG_DEBUG && level <= LOG_ERROR ? (int)level : LOG_ERROR,
                       .module = store_str(stmt, 3),
                       .message = store_str(stmt, 4),
                       .detail = store_str(stmt, 5)};
        logs__put_row(out, &row);
    }
    return st;
}

Status logs__search(StoreConn *conn, const LogsQuery *query, JsonOut *out, Diag *diag)
{
    static const char *const all =
        "SELECT id,time_ms,level,module,message,detail FROM logs_lines"
        " WHERE id<?1 AND level>=?2 AND (?3='' OR module=?3) AND time_ms>=?4"
        " ORDER BY id DESC LIMIT ?5";
    static const char *const matching =
        "SELECT l.id,l.time_ms,l.level,l.module,l.message,l.detail FROM logs_text t"
        " JOIN logs_lines l ON l.id=t.rowid WHERE logs_text MATCH ?6 AND t.rowid<?1"
        " AND l.level>=?2 AND (?3='' OR l.module=?3) AND l.time_ms>=?4"
        " ORDER BY t.rowid DESC LIMIT ?5";
    StoreStmt *stmt = NULL;
    AUTO_BUF Buf match;
    buf_init(&match, MATCH_BYTES_MAX);
    logs__match(query->words, &match);
    if (buf_status(&match)) return diag_set(diag, buf_status(&match), "the search is too long");
    Status st = store_prepare(conn, match.len ? matching : all, &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, query->before);
    store_bind_int(stmt, 2, query->level);
    store_bind_str(stmt, 3, query->module);
    store_bind_int(stmt, 4, query->since_ms);
    store_bind_int(stmt, 5, query->limit);
    if (match.len) store_bind_str(stmt, 6, buf_view(&match));
    return put_rows(stmt, out, diag);
}

/* ---- keeping within limits ---- */

static Status ask_int(StoreConn *conn, const char *sql, int64_t bind, int64_t *ret_value,
                      Diag *diag)
{
    StoreStmt *stmt = NULL;
    bool row = false;
    Status st = store_prepare(conn, sql, &stmt, diag);
    if (st) return st;
    if (bind) store_bind_int(stmt, 1, bind);
    st = store_step(stmt, &row, diag);
    if (st) return st;
    *ret_value = row ? store_int(stmt, 0) : 0;
    store_reset(stmt);
    return ST_OK;
}

/* Deletes the lines up to `last_id`, and their words from the index first. */
static Status delete_to(StoreConn *conn, int64_t last_id, Diag *diag)
{
    static const char *const sql[] = {
        "INSERT INTO logs_text(logs_text,rowid,message,detail,module)"
        " SELECT 'delete',id,message,detail,module FROM logs_lines WHERE id<=?1",
        "DELETE FROM logs_lines WHERE id<=?1"};
    Status st = ST_OK;
    for (size_t i = 0; i < COUNT_OF(sql) && !st; i++) {
        StoreStmt *stmt = NULL;
        st = store_prepare(conn, sql[i], &stmt, diag);
        if (st) return st;
        store_bind_int(stmt, 1, last_id);
        st = run(stmt, diag);
    }
    return st;
}

static const char *const used_sql = "SELECT (SELECT page_count FROM pragma_page_count)"
                                    "*(SELECT page_size FROM pragma_page_size)"
                                    "-(SELECT freelist_count FROM pragma_freelist_count)"
                                    "*(SELECT page_size FROM pragma_page_size)";

Status logs__trim(StoreConn *conn, int64_t oldest_ms, int64_t bytes_max, Diag *diag)
{
    int64_t last = 0, used = 0, lines = 0;
    Status st =
        ask_int(conn, "SELECT max(id) FROM logs_lines WHERE time_ms<?1", oldest_ms, &last, diag);
    if (!st && last) st = delete_to(conn, last, diag);
    if (!st) st = ask_int(conn, used_sql, 0, &used, diag);
    /* A tenth of the lines at a time: deleted pages are free at once and used again. */
    for (int round = 0; !st && used > bytes_max && round < TRIM_ROUNDS_MAX; round++) {
        st = ask_int(conn, "SELECT count(*) FROM logs_lines", 0, &lines, diag);
        if (st || !lines) break;
        st = ask_int(conn, "SELECT id FROM logs_lines ORDER BY id LIMIT 1 OFFSET ?1",
                     lines / 10 ? lines / 10 : 1, &last, diag);
        if (!st && last) st = delete_to(conn, last, diag);
        if (!st && !last) break;
        if (!st) st = store_exec(conn, "INSERT INTO logs_text(logs_text) VALUES('optimize')", diag);
        if (!st) st = ask_int(conn, used_sql, 0, &used, diag);
    }
    return st;
}
