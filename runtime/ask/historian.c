/* runtime/ask/historian.c: tables and views of the historian for one connection.
 *
 * Tables of programs have a prefix in the file; views without it, of this connection only, give
 * them the names they have in programs. */
#include "ask/historian.h"

#include "ask/rows.h"
#include "base/clock.h"
#include "series/server.h"

static Status failed(sqlite3 *db, Diag *diag)
{
    int code = sqlite3_errcode(db) & 0xff;
    Status st = code == SQLITE_BUSY || code == SQLITE_LOCKED ? ST_BUSY
                : code == SQLITE_NOMEM                       ? ST_NO_MEMORY
                                                             : ST_IO;
    return diag_set(diag, st, "%s", sqlite3_errmsg(db));
}

static void sql_now(sqlite3_context *ctx, int count, sqlite3_value **values)
{
    (void)count;
    (void)values;
    sqlite3_result_int64(ctx, clock_wall_ns());
}

bool historian_now(sqlite3 *db)
{
    return sqlite3_create_function(db, "now", 0, SQLITE_UTF8, NULL, sql_now, NULL, NULL) ==
           SQLITE_OK;
}

/* Numbers of the namespace by path and time; see runtime/modules/uns for `series`. */
static const char views_sql[] =
    "CREATE TEMP VIEW samples AS SELECT s.path AS path, p.t AS time, p.value AS value,"
    " CASE p.quality WHEN 0 THEN 'good' WHEN 1 THEN 'uncertain' ELSE 'bad' END AS quality"
    " FROM main.series s JOIN series_points p ON p.series = s.id;"
    "CREATE TEMP VIEW paths AS SELECT path FROM main.series";

/* Are the points of this file on a server that this process does not know? */
static bool is_elsewhere(sqlite3 *db)
{
    sqlite3_stmt *stmt = NULL;
    bool marked = sqlite3_prepare_v2(db, "SELECT 1 FROM main.series_kept WHERE series = 0", -1,
                                     &stmt, NULL) == SQLITE_OK &&
                  sqlite3_step(stmt) == SQLITE_ROW;
    (void)sqlite3_finalize(stmt);
    return marked && !series_default_base();
}

Status historian_tables(sqlite3 *db, Diag *diag)
{
    sqlite3_stmt *found = NULL;
    static const char sql[] = "SELECT 1 FROM main.sqlite_master WHERE name = 'series_rolls'";
    int code = sqlite3_prepare_v2(db, sql, -1, &found, NULL);
    bool has = code == SQLITE_OK && sqlite3_step(found) == SQLITE_ROW;
    (void)sqlite3_finalize(found);
    if (has && is_elsewhere(db))
        return diag_set(diag, ST_UNSUPPORTED,
                        "the points of this history are on a server: ask where Tutti runs");
    if (code == SQLITE_OK && !historian_now(db)) code = SQLITE_NOMEM;
    if (code == SQLITE_OK && has && (!series_table_register(db) || !historian_steps_register(db)))
        code = SQLITE_NOMEM;
    if (code == SQLITE_OK && has) code = sqlite3_exec(db, views_sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? ST_OK : failed(db, diag);
}

/* "h_press" of the file becomes "press" for this connection, without the number of the write
 * (ask/rows.h), which is nobody's business. Names are those of the language, so nothing in them
 * needs escaping. */
Status historian_views(sqlite3 *db, Diag *diag)
{
    static const char sql[] =
        "SELECT format('CREATE TEMP VIEW \"%s\" AS SELECT %s FROM main.\"%s\"',"
        " substr(h, 3), group_concat(c), h) FROM"
        " (SELECT t.name AS h, '\"' || c.name || '\"' AS c"
        " FROM main.sqlite_master t, pragma_table_info(t.name, 'main') c"
        " WHERE t.type = 'table' AND substr(t.name, 1, 2) = 'h_' AND c.name <> '" ROWS_NUMBER "'"
        " AND substr(t.name, 3) NOT IN (SELECT name FROM temp.sqlite_master)"
        " ORDER BY t.name, c.cid) GROUP BY h";
    sqlite3_stmt *list = NULL;
    int code = sqlite3_prepare_v2(db, sql, -1, &list, NULL);
    while (code == SQLITE_OK && sqlite3_step(list) == SQLITE_ROW)
        code = sqlite3_exec(db, (const char *)sqlite3_column_text(list, 0), NULL, NULL, NULL);
    Status st = code == SQLITE_OK ? ST_OK : failed(db, diag);
    (void)sqlite3_finalize(list);
    return st;
}
