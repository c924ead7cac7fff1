/* runtime/ask/steps_table.c: the table function steps(path, from, to, step, zone).
 *
 * An eponymous virtual table whose arguments are hidden columns (sqlite.org, "The Virtual Table
 * Mechanism Of SQLite", 2.1.3). A scan fills all its steps at once: they are at most ten thousand
 * (series/steps.h). from and to are nanoseconds, RFC 3339, 'now' or counted back from it: '-1d'. */
#include "ask/historian.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/rfc3339.h"
#include "series/server.h"
#include "series/steps.h"

enum {
    COLUMN_TIME,
    COLUMN_MEAN,
    COLUMN_MIN,
    COLUMN_MAX,
    COLUMN_FIRST,
    COLUMN_LAST,
    COLUMN_COUNT,
    COLUMN_QUALITY,
    COLUMN_GOOD_RATIO,
    COLUMN_PATH, /* the arguments from here on */
    COLUMN_FROM,
    COLUMN_TO,
    COLUMN_STEP,
    COLUMN_ZONE,
    COLUMN_END,
    ARGUMENTS = COLUMN_END - COLUMN_PATH
};

typedef struct Table {
    sqlite3_vtab base;
    StoreConn *conn;
    SeriesWork *work;
} Table;

typedef struct Cursor {
    sqlite3_vtab_cursor base;
    Arena *arena;
    SeriesSteps steps;
    Str argument[ARGUMENTS];
    uint32_t at;
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
    int code = sqlite3_declare_vtab(
        db, "CREATE TABLE x(time INTEGER, mean REAL, min REAL, max REAL, first REAL, last REAL,"
            " count INTEGER, quality TEXT, good_ratio REAL, path HIDDEN, \"from\" HIDDEN,"
            " \"to\" HIDDEN, step HIDDEN, zone HIDDEN)");
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

/* idxNum: a bit for each argument that is there, in order. */
static int table_plan(sqlite3_vtab *base, sqlite3_index_info *info)
{
    int bits = 0, count = 0;
    (void)base;
    for (int column = COLUMN_PATH; column < COLUMN_END; column++)
        for (int i = 0; i < info->nConstraint; i++) {
            if (info->aConstraint[i].iColumn != column ||
                info->aConstraint[i].op != SQLITE_INDEX_CONSTRAINT_EQ)
                continue;
            if (!info->aConstraint[i].usable) return SQLITE_CONSTRAINT;
            info->aConstraintUsage[i].argvIndex = ++count;
            info->aConstraintUsage[i].omit = 1;
            bits |= 1 << (column - COLUMN_PATH);
            break;
        }
    info->idxNum = bits;
    info->estimatedCost = 1000;
    info->estimatedRows = 100;
    if ((bits & 1) && (bits & (1 << (COLUMN_STEP - COLUMN_PATH)))) return SQLITE_OK;
    return SQLITE_CONSTRAINT;
}

static int cursor_open(sqlite3_vtab *base, sqlite3_vtab_cursor **ret_cursor)
{
    (void)base;
    Cursor *cursor = mem_zalloc(1, sizeof *cursor);
    if (cursor) cursor->arena = arena_new(0, 0);
    if (!cursor || !cursor->arena) {
        mem_free(cursor);
        return SQLITE_NOMEM;
    }
    *ret_cursor = &cursor->base;
    return SQLITE_OK;
}

static int cursor_close(sqlite3_vtab_cursor *base)
{
    Cursor *cursor = (Cursor *)base;
    arena_free(cursor->arena);
    mem_free(cursor);
    return SQLITE_OK;
}

static int tell(Cursor *cursor, Status status, const char *text)
{
    sqlite3_vtab *base = cursor->base.pVtab;
    sqlite3_free(base->zErrMsg);
    base->zErrMsg = sqlite3_mprintf("steps: %s", text);
    return status == ST_NO_MEMORY     ? SQLITE_NOMEM
           : status == ST_UNAVAILABLE ? SQLITE_CANTOPEN
                                      : SQLITE_ERROR;
}

static bool read_time(Str text, int64_t now_ns, int64_t *ret_ns)
{
    int64_t span_ns;
    if (str_is(text, "now")) {
        *ret_ns = now_ns;
        return true;
    }
    if (str_to_i64(text, ret_ns) || rfc3339_get(text, ret_ns)) return true;
    return text.len && text.ptr[0] == '-' && duration_get(text, &span_ns) &&
           !__builtin_add_overflow(now_ns, span_ns, ret_ns);
}

static Status find_series(Table *table, Str path, int64_t *ret_series, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    *ret_series = 0;
    Status st =
        store_prepare(table->conn, "SELECT id FROM main.series WHERE path = ?1", &stmt, diag);
    if (st) return st;
    store_bind_str(stmt, 1, path);
    st = store_step(stmt, &row, diag);
    if (st || !row) return st;
    *ret_series = store_int(stmt, 0);
    store_reset(stmt);
    return ST_OK;
}

static Status fill(Cursor *cursor, Diag *diag)
{
    Table *table = (Table *)cursor->base.pVtab;
    const Str *argument = cursor->argument - COLUMN_PATH;
    int64_t now_ns = clock_wall_ns(), from_ns, to_ns, series;
    Str from = argument[COLUMN_FROM].ptr ? argument[COLUMN_FROM] : STR("-1h"),
        to = argument[COLUMN_TO].ptr ? argument[COLUMN_TO] : STR("now");
    if (!read_time(from, now_ns, &from_ns) || !read_time(to, now_ns, &to_ns))
        return diag_set(diag, ST_INVALID,
                        "from and to are nanoseconds, RFC 3339, 'now' or like '-1d'");
    Status st = series_steps_cut(cursor->arena, argument[COLUMN_STEP], argument[COLUMN_ZONE],
                                 from_ns, to_ns, &cursor->steps, diag);
    if (!st) st = find_series(table, argument[COLUMN_PATH], &series, diag);
    if (!st) st = series_steps_fill(table->conn, table->work, series, now_ns, &cursor->steps, diag);
    return st;
}

static void skip_empty(Cursor *cursor)
{
    while (cursor->at < cursor->steps.count && !series_step_known(&cursor->steps.step[cursor->at]))
        cursor->at++;
}

static int cursor_filter(sqlite3_vtab_cursor *base, int bits, const char *text, int argc,
                         sqlite3_value **argv)
{
    Cursor *cursor = (Cursor *)base;
    Diag diag = {0};
    int at = 0;
    (void)text;
    (void)argc;
    arena_reset(cursor->arena);
    cursor->steps = (SeriesSteps){0};
    cursor->at = 0;
    for (int i = 0; i < ARGUMENTS; i++) {
        cursor->argument[i] = STR_NONE;
        if (!(bits & (1 << i))) continue;
        const char *value = (const char *)sqlite3_value_text(argv[at]);
        Str slice = {value ? value : "", (size_t)sqlite3_value_bytes(argv[at++])};
        cursor->argument[i] = arena_str(cursor->arena, slice);
        if (!cursor->argument[i].ptr) return SQLITE_NOMEM;
    }
    Status st = fill(cursor, &diag);
    if (st) {
        cursor->steps.count = 0;
        return tell(cursor, st, diag.text);
    }
    skip_empty(cursor);
    return SQLITE_OK;
}

static int cursor_next(sqlite3_vtab_cursor *base)
{
    Cursor *cursor = (Cursor *)base;
    cursor->at++;
    skip_empty(cursor);
    return SQLITE_OK;
}

static int cursor_eof(sqlite3_vtab_cursor *base)
{
    const Cursor *cursor = (const Cursor *)base;
    return cursor->at >= cursor->steps.count;
}

static int cursor_column(sqlite3_vtab_cursor *base, sqlite3_context *out, int column)
{
    static const char *const names[] = {"good", "uncertain", "bad"};
    const Cursor *cursor = (const Cursor *)base;
    const SeriesStep *step = &cursor->steps.step[cursor->at];
    if (column >= COLUMN_MIN && column <= COLUMN_LAST && !step->count) return SQLITE_OK; /* null */
    switch (column) {
    case COLUMN_TIME: sqlite3_result_int64(out, step->t_ns); break;
    case COLUMN_MEAN:
        if (step->width_ns > 0) sqlite3_result_double(out, step->area / step->width_ns);
        break;
    case COLUMN_MIN: sqlite3_result_double(out, step->least); break;
    case COLUMN_MAX: sqlite3_result_double(out, step->greatest); break;
    case COLUMN_FIRST: sqlite3_result_double(out, step->first); break;
    case COLUMN_LAST: sqlite3_result_double(out, step->last); break;
    case COLUMN_COUNT: sqlite3_result_int64(out, step->count); break;
    case COLUMN_QUALITY:
        sqlite3_result_text(out, names[step->worst < 2 ? step->worst : 2], -1, SQLITE_STATIC);
        break;
    case COLUMN_GOOD_RATIO:
        if (step->count) sqlite3_result_double(out, series_step_good(step));
        break;
    default: {
        Str text = cursor->argument[column - COLUMN_PATH];
        if (text.ptr) sqlite3_result_text(out, text.ptr, (int)text.len, SQLITE_TRANSIENT);
    }
    }
    return SQLITE_OK;
}

static int cursor_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *ret)
{
    const Cursor *cursor = (const Cursor *)base;
    *ret = cursor->at;
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

bool historian_steps_register(sqlite3 *db)
{
    return sqlite3_create_module_v2(db, "steps", &table_module, NULL, NULL) == SQLITE_OK;
}
