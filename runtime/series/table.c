/* runtime/series/table.c: points as a table of SQLite, so that SQL can ask for them.
 *
 * An eponymous virtual table (sqlite.org, "The Virtual Table Mechanism Of SQLite", 2.1.2). A scan
 * pushes points, a cursor pulls them: the cursor fetches some thousand at a time and goes on behind
 * the last one. SQLite checks every condition again, so a bound that is too wide is only slow. */
#include "series/series.h"

#include "base/mem.h"
#include "series/server.h"

#include <sqlite3.h>

enum { FETCH = 4096, COLUMN_SERIES = 0, COLUMN_T, COLUMN_VALUE, COLUMN_QUALITY };
enum { BOUND_FROM = 1, BOUND_TO = 2 }; /* idxNum: what follows the series in the arguments */

typedef struct Table {
    sqlite3_vtab base;
    StoreConn *conn;
    SeriesWork *work;
} Table;

typedef struct Fetched {
    int64_t t_ns;
    double value;
    uint8_t quality;
} Fetched;

typedef struct Cursor {
    sqlite3_vtab_cursor base;
    int64_t series, from_ns, to_ns;
    uint32_t count, at;
    bool more;
    Fetched points[FETCH];
} Cursor;

static int table_free(sqlite3_vtab *base)
{
    Table *table = (Table *)base;
    store_conn_free(table->conn);
    series_work_free(table->work);
    mem_free(table);
    return SQLITE_OK;
}

static int table_connect(sqlite3 *db, void *aux, int argc, const char *const *argv,
                         sqlite3_vtab **ret_table, char **ret_error)
{
    (void)aux;
    (void)argc;
    (void)argv;
    (void)ret_error;
    int code = sqlite3_declare_vtab(db, "CREATE TABLE x(series INTEGER, t INTEGER, value REAL,"
                                        " quality INTEGER)");
    if (code) return code;
    Table *table = mem_zalloc(1, sizeof *table);
    if (!table) return SQLITE_NOMEM;
    table->conn = store_conn_new(db);
    table->work = series_work_new();
    if (!table->conn || !table->work) {
        (void)table_free(&table->base);
        return SQLITE_NOMEM;
    }
    series_set_base(table->work, series_default_base());
    *ret_table = &table->base;
    return SQLITE_OK;
}

/* Takes one usable condition of a kind as the next argument. */
static bool take(sqlite3_index_info *info, int column, int op, int op_2, int *count)
{
    for (int i = 0; i < info->nConstraint; i++) {
        if (!info->aConstraint[i].usable || info->aConstraint[i].iColumn != column) continue;
        if (info->aConstraint[i].op != op && info->aConstraint[i].op != op_2) continue;
        info->aConstraintUsage[i].argvIndex = ++*count;
        return true;
    }
    return false;
}

static int table_plan(sqlite3_vtab *base, sqlite3_index_info *info)
{
    int count = 0, bounds = 0;
    (void)base;
    if (!take(info, COLUMN_SERIES, SQLITE_INDEX_CONSTRAINT_EQ, SQLITE_INDEX_CONSTRAINT_EQ, &count))
        return SQLITE_CONSTRAINT;
    if (take(info, COLUMN_T, SQLITE_INDEX_CONSTRAINT_GE, SQLITE_INDEX_CONSTRAINT_GT, &count))
        bounds |= BOUND_FROM;
    if (take(info, COLUMN_T, SQLITE_INDEX_CONSTRAINT_LE, SQLITE_INDEX_CONSTRAINT_LT, &count))
        bounds |= BOUND_TO;
    info->idxNum = bounds;
    info->estimatedCost = 1e6 / (bounds == (BOUND_FROM | BOUND_TO) ? 100 : bounds ? 10 : 1);
    info->estimatedRows = (sqlite3_int64)info->estimatedCost;
    info->orderByConsumed =
        info->nOrderBy == 1 && info->aOrderBy[0].iColumn == COLUMN_T && !info->aOrderBy[0].desc;
    return SQLITE_OK;
}

static int cursor_open(sqlite3_vtab *base, sqlite3_vtab_cursor **ret_cursor)
{
    (void)base;
    Cursor *cursor = mem_zalloc(1, sizeof *cursor);
    if (!cursor) return SQLITE_NOMEM;
    *ret_cursor = &cursor->base;
    return SQLITE_OK;
}

static int cursor_close(sqlite3_vtab_cursor *base)
{
    mem_free(base);
    return SQLITE_OK;
}

static bool fetch_point(void *ctx, int64_t t_ns, double value, uint8_t quality)
{
    Cursor *cursor = ctx;
    cursor->points[cursor->count++] = (Fetched){t_ns, value, quality};
    cursor->more = cursor->count == FETCH;
    return !cursor->more;
}

static int code_of(Status status)
{
    switch (status) {
    case ST_OK: return SQLITE_OK;
    case ST_CORRUPT: return SQLITE_CORRUPT;
    case ST_NO_MEMORY: return SQLITE_NOMEM;
    case ST_BUSY: return SQLITE_BUSY;
    case ST_TIMEOUT: return SQLITE_INTERRUPT;
    case ST_UNAVAILABLE: return SQLITE_CANTOPEN;
    default: return SQLITE_ERROR;
    }
}

static int fetch(Cursor *cursor)
{
    Table *table = (Table *)cursor->base.pVtab;
    SeriesVisitor visitor = {fetch_point, NULL, cursor};
    Diag diag = {0};
    cursor->count = cursor->at = 0;
    cursor->more = false;
    Status st = series_scan(table->conn, table->work, cursor->series, cursor->from_ns,
                            cursor->to_ns, &visitor, &diag);
    if (!st) return SQLITE_OK;
    sqlite3_free(table->base.zErrMsg);
    table->base.zErrMsg = sqlite3_mprintf("%s", diag.text);
    return code_of(st);
}

/* A bound that is no whole number is left to SQLite. */
static int64_t bound(sqlite3_value *value, int64_t preset)
{
    return sqlite3_value_type(value) == SQLITE_INTEGER ? sqlite3_value_int64(value) : preset;
}

/* A text is behind every number for SQLite, so the answer would be none or all, without a word. */
static int tell_text(Cursor *cursor)
{
    sqlite3_vtab *base = cursor->base.pVtab;
    sqlite3_free(base->zErrMsg);
    base->zErrMsg = sqlite3_mprintf("time is a number of nanoseconds: compare it with now() -"
                                    " 3600000000000 or unixepoch('2026-01-01T00:00:00Z') *"
                                    " 1000000000, not with a text");
    cursor->count = cursor->at = 0;
    return SQLITE_ERROR;
}

static int cursor_filter(sqlite3_vtab_cursor *base, int bounds, const char *text, int argc,
                         sqlite3_value **argv)
{
    Cursor *cursor = (Cursor *)base;
    int at = 0;
    (void)text;
    for (int i = 1; i < argc; i++)
        if (sqlite3_value_numeric_type(argv[i]) == SQLITE_TEXT) return tell_text(cursor);
    cursor->series = bound(argv[at++], 0);
    cursor->from_ns = bounds & BOUND_FROM ? bound(argv[at++], INT64_MIN) : INT64_MIN;
    cursor->to_ns = bounds & BOUND_TO ? bound(argv[at++], INT64_MAX) : INT64_MAX;
    return fetch(cursor);
}

static int cursor_next(sqlite3_vtab_cursor *base)
{
    Cursor *cursor = (Cursor *)base;
    if (++cursor->at < cursor->count || !cursor->more) return SQLITE_OK;
    int64_t last = cursor->points[cursor->count - 1].t_ns;
    if (last >= cursor->to_ns) return SQLITE_OK;
    cursor->from_ns = last + 1;
    return fetch(cursor);
}

static int cursor_eof(sqlite3_vtab_cursor *base)
{
    const Cursor *cursor = (const Cursor *)base;
    return cursor->at >= cursor->count;
}

static int cursor_column(sqlite3_vtab_cursor *base, sqlite3_context *out, int column)
{
    const Cursor *cursor = (const Cursor *)base;
    const Fetched *point = &cursor->points[cursor->at];
    switch (column) {
    case COLUMN_SERIES: sqlite3_result_int64(out, cursor->series); break;
    case COLUMN_T: sqlite3_result_int64(out, point->t_ns); break;
    case COLUMN_VALUE: sqlite3_result_double(out, point->value); break;
    default: sqlite3_result_int(out, point->quality);
    }
    return SQLITE_OK;
}

static int cursor_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *ret)
{
    const Cursor *cursor = (const Cursor *)base;
    *ret = cursor->points[cursor->at].t_ns; /* unique within the one series of a scan */
    return SQLITE_OK;
}

static const sqlite3_module table_module = {
    .iVersion = 1,
    .xConnect = table_connect,
    .xBestIndex = table_plan,
    .xDisconnect = table_free,
    .xOpen = cursor_open,
    .xClose = cursor_close,
    .xFilter = cursor_filter,
    .xNext = cursor_next,
    .xEof = cursor_eof,
    .xColumn = cursor_column,
    .xRowid = cursor_rowid,
};

bool series_table_register(sqlite3 *db)
{
    return sqlite3_create_module_v2(db, "series_points", &table_module, NULL, NULL) == SQLITE_OK;
}
