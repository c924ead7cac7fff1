/* runtime/modules/uns/uns_sql.c: one select from the API, over a connection of its own.
 *
 * Anyone who may look may ask, so a question is kept small: the file is opened read-only, an
 * authorizer lets a statement read the historian's tables and call functions and do nothing else,
 * and rows, bytes, time and memory have a maximum. It runs on a pool thread: a long one holds up
 * neither the loop nor other questions; two run at once. The authorizer is there while the
 * statement is prepared only: the tables are virtual, and what they read is their own affair. */
#include "modules/uns/uns.h"

#include "ask/historian.h"
#include "base/num.h"

#include <stdio.h>

enum {
    RUNNING_MAX = 2,
    LIMIT_PRESET = 1000,
    TIMEOUT_PRESET_MS = 5000,
    STEPS_BETWEEN_LOOKS = 1000,
    MEMORY_MAX = 64 << 20,
    VALUE_BYTES_MAX = 256 * 1024,
    ANSWER_BYTES = 900 * 1024,
};

typedef struct Sql {
    Uns *uns;
    Req *req;
    sqlite3 *db;
    Buf body;
    int64_t deadline_ns, limit;
    bool csv, over_time, over_memory, more;
    const char *denied; /* what the authorizer refused */
    char denied_name[80];
    Status status;
    Diag diag;
} Sql;

/* ---- limits ---- */

static int on_progress(void *ctx)
{
    Sql *sql = ctx;
    int used = 0, most = 0;
    (void)sqlite3_db_status(sql->db, SQLITE_DBSTATUS_CACHE_USED, &used, &most, 0);
    sql->over_memory = used > MEMORY_MAX;
    sql->over_time = clock_monotonic_ns() > sql->deadline_ns || atomic_load(&sql->uns->sql_halting);
    return sql->over_memory || sql->over_time;
}

/* Columns: a program's 200, and the number of the write. */
static void set_limits(sqlite3 *db)
{
    static const struct Limit {
        int id, most;
    } limits[] = {{SQLITE_LIMIT_ATTACHED, 0},          {SQLITE_LIMIT_LENGTH, 1 << 20},
                  {SQLITE_LIMIT_EXPR_DEPTH, 100},      {SQLITE_LIMIT_COMPOUND_SELECT, 50},
                  {SQLITE_LIMIT_COLUMN, 201},          {SQLITE_LIMIT_FUNCTION_ARG, 100},
                  {SQLITE_LIMIT_VARIABLE_NUMBER, 999}, {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000},
                  {SQLITE_LIMIT_VDBE_OP, 100000},      {SQLITE_LIMIT_WORKER_THREADS, 0}};
    for (size_t i = 0; i < COUNT_OF(limits); i++)
        (void)sqlite3_limit(db, limits[i].id, limits[i].most);
}

/* Tables that a question may read; those of programs begin with h_ and are read through views, and
 * views are all there is in the database `temp`. */
static bool is_open(const char *table, const char *column, const char *database, const char *view)
{
    static const char *const names[] = {"steps", "series_points", "json_each", "json_tree", ""};
    if (!table || strncmp(table, "h_", 2) == 0) return true;
    if (database && strcmp(database, "temp") == 0) return strncmp(table, "sqlite_", 7) != 0;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (strcmp(table, names[i]) == 0) return true;
    if (strcmp(table, "series") != 0) return false;
    /* Without a column (count(*)) SQLite does not say through which view. */
    if (column && !*column) return true;
    return view && (strcmp(view, "samples") == 0 || strcmp(view, "paths") == 0);
}

static int authorize(void *ctx, int action, const char *first, const char *second,
                     const char *database, const char *view)
{
    Sql *sql = ctx;
    if (action == SQLITE_SELECT || action == SQLITE_RECURSIVE) return SQLITE_OK;
    if (action == SQLITE_FUNCTION && second && strcmp(second, "load_extension") != 0)
        return SQLITE_OK;
    if (action == SQLITE_READ && is_open(first, second, database, view)) return SQLITE_OK;
    sql->denied = action == SQLITE_READ ? "there is no table" : "a question is one select: no";
    const char *name = action == SQLITE_READ ? first : "change, pragma or other statement";
    (void)snprintf(sql->denied_name, sizeof sql->denied_name, "%s", name ? name : "");
    return SQLITE_DENY;
}

/* ---- the question ---- */

static Status failed(Sql *sql)
{
    int code = sqlite3_errcode(sql->db) & 0xff;
    if (sql->over_memory)
        return diag_set(&sql->diag, ST_LIMIT, "the question needs more than %d MiB of memory",
                        MEMORY_MAX >> 20);
    if (sql->over_time) return diag_set(&sql->diag, ST_TIMEOUT, "no answer in time");
    if (sql->denied)
        return diag_set(&sql->diag, ST_INVALID,
                        "%s %s; there are samples, steps(path, from, to, "
                        "step, zone), paths and the tables of `into "
                        "historian`",
                        sql->denied, sql->denied_name);
    Status st = code == SQLITE_BUSY || code == SQLITE_LOCKED ? ST_BUSY
                : code == SQLITE_NOMEM                       ? ST_NO_MEMORY
                : code == SQLITE_TOOBIG                      ? ST_LIMIT
                : code == SQLITE_CORRUPT                     ? ST_CORRUPT
                : code == SQLITE_CANTOPEN                    ? ST_UNAVAILABLE
                                                             : ST_INVALID;
    return diag_set(&sql->diag, st, "%s", sqlite3_errmsg(sql->db));
}

/* Virtual tables declare themselves when a statement first names them, by SQL that no authorizer
 * would let pass. */
static const char declare_sql[] =
    "SELECT 1 FROM steps('', 0, 0, '1d') UNION ALL SELECT 1 FROM series_points WHERE series = 1"
    " UNION ALL SELECT 1 FROM json_each('[]') UNION ALL SELECT 1 FROM json_tree('[]')";

static Status open_file(Sql *sql)
{
    sqlite3_stmt *stmt = NULL;
    char path[1024];
    int len = snprintf(path, sizeof path, "%s/history.db", sql->uns->env->data_dir);
    if (len < 0 || (size_t)len >= sizeof path)
        return diag_set(&sql->diag, ST_LIMIT, "the data folder's name is too long");
    int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(path, &sql->db, flags, NULL))
        return diag_set(&sql->diag, ST_UNAVAILABLE, "the history cannot be opened");
    (void)sqlite3_extended_result_codes(sql->db, 1);
    (void)sqlite3_busy_timeout(sql->db, TIMEOUT_PRESET_MS);
    Status st = historian_tables(sql->db, &sql->diag);
    if (!st) st = historian_views(sql->db, &sql->diag);
    if (st) return st;
    if (sqlite3_prepare_v2(sql->db, declare_sql, -1, &stmt, NULL)) return failed(sql);
    (void)sqlite3_finalize(stmt);
    set_limits(sql->db);
    sqlite3_progress_handler(sql->db, STEPS_BETWEEN_LOOKS, on_progress, sql);
    return ST_OK;
}

static Status prepare(Sql *sql, sqlite3_stmt **ret_stmt)
{
    Str text = json_str(sql->req->in, "sql", STR_NONE);
    const char *rest = "";
    (void)sqlite3_set_authorizer(sql->db, authorize, sql);
    int code = sqlite3_prepare_v3(sql->db, text.ptr, (int)text.len, 0, ret_stmt, &rest);
    Status st = code ? failed(sql) : ST_OK;
    (void)sqlite3_set_authorizer(sql->db, NULL, NULL);
    if (st) return st;
    Str left = str_trim(str_slice(rest, (size_t)(text.ptr + text.len - rest)));
    if (*ret_stmt && sqlite3_stmt_readonly(*ret_stmt) && !left.len) return ST_OK;
    return diag_set(&sql->diag, ST_INVALID, "a question is one select");
}

static Status bind_one(Sql *sql, sqlite3_stmt *stmt, int at, const Json *value)
{
    int code;
    switch (value->type) {
    case JSON_NULL: code = sqlite3_bind_null(stmt, at); break;
    case JSON_TRUE:
    case JSON_FALSE: code = sqlite3_bind_int(stmt, at, value->type == JSON_TRUE); break;
    case JSON_INT: code = sqlite3_bind_int64(stmt, at, value->integer); break;
    case JSON_NUMBER: code = sqlite3_bind_double(stmt, at, value->number); break;
    case JSON_STRING:
        code = sqlite3_bind_text64(stmt, at, value->text.ptr ? value->text.ptr : "",
                                   value->text.len, SQLITE_TRANSIENT, SQLITE_UTF8);
        break;
    default: return diag_set(&sql->diag, ST_INVALID, "a parameter is a text, number, bool or null");
    }
    return code ? failed(sql) : ST_OK;
}

static Status bind_all(Sql *sql, sqlite3_stmt *stmt)
{
    const Json *params = json_get(sql->req->in, "params");
    int wanted = sqlite3_bind_parameter_count(stmt);
    bool list = params && params->type == JSON_ARRAY;
    if (params && !list && params->type != JSON_OBJECT)
        return diag_set(&sql->diag, ST_INVALID, "params is a list or an object");
    if (list && (int)params->count != wanted)
        return diag_set(&sql->diag, ST_INVALID, "the question has %d parameters, params has %u",
                        wanted, params->count);
    Status st = ST_OK;
    for (int at = 1; at <= wanted && !st; at++) {
        const char *name = sqlite3_bind_parameter_name(stmt, at);
        const Json *value = list             ? json_at(params, (uint32_t)at - 1)
                            : params && name ? json_get(params, name + 1)
                                             : NULL;
        if (!value)
            return diag_set(&sql->diag, ST_INVALID, "params says nothing for %s",
                            name ? name : "a parameter");
        st = bind_one(sql, stmt, at, value);
    }
    return st;
}

/* ---- the answer ---- */

static Str cell_text(sqlite3_stmt *stmt, int column)
{
    const char *text = (const char *)sqlite3_column_text(stmt, column);
    int bytes = sqlite3_column_bytes(stmt, column);
    return text ? str_slice(text, (size_t)bytes) : STR("");
}

static void put_json_cell(JsonOut *out, sqlite3_stmt *stmt, int column)
{
    switch (sqlite3_column_type(stmt, column)) {
    case SQLITE_NULL: json_put_null(out); break;
    case SQLITE_INTEGER: json_put_int(out, sqlite3_column_int64(stmt, column)); break;
    case SQLITE_FLOAT: json_put_number(out, sqlite3_column_double(stmt, column)); break;
    default: json_put_str(out, cell_text(stmt, column));
    }
}

static void put_csv_cell(Buf *out, sqlite3_stmt *stmt, int column)
{
    char number[NUM_TEXT_BYTES];
    if (column) buf_char(out, ',');
    switch (sqlite3_column_type(stmt, column)) {
    case SQLITE_NULL: break;
    case SQLITE_FLOAT: {
        char *end = num_put_f64(number, sqlite3_column_double(stmt, column));
        buf_add(out, number, (size_t)(end - number));
        break;
    }
    default: uns__csv_text(out, cell_text(stmt, column));
    }
}

static void put_row(Sql *sql, JsonOut *out, sqlite3_stmt *stmt)
{
    if (!sql->csv) json_begin_array(out);
    for (int i = 0; i < sqlite3_column_count(stmt); i++)
        if (sql->csv)
            put_csv_cell(&sql->body, stmt, i);
        else
            put_json_cell(out, stmt, i);
    if (sql->csv)
        buf_text(&sql->body, "\r\n");
    else
        json_end(out);
}

static void put_head(Sql *sql, JsonOut *out, sqlite3_stmt *stmt)
{
    int count = sqlite3_column_count(stmt);
    if (!sql->csv) {
        json_begin_object(out);
        json_key(out, "columns");
        json_begin_array(out);
    }
    for (int i = 0; i < count; i++) {
        Str name = str_from(sqlite3_column_name(stmt, i));
        if (!sql->csv) {
            json_put_str(out, name);
            continue;
        }
        if (i) buf_char(&sql->body, ',');
        uns__csv_text(&sql->body, name);
    }
    if (sql->csv) {
        buf_text(&sql->body, "\r\n");
        return;
    }
    json_end(out);
    json_key(out, "rows");
    json_begin_array(out);
}

static Status put_rows(Sql *sql, sqlite3_stmt *stmt)
{
    JsonOut out;
    int64_t count = 0;
    int code = SQLITE_DONE;
    json_out_init(&out, &sql->body);
    put_head(sql, &out, stmt);
    while (!sql->body.failed && (code = sqlite3_step(stmt)) == SQLITE_ROW) {
        sql->more = count++ == sql->limit || sql->body.len > ANSWER_BYTES - VALUE_BYTES_MAX;
        if (sql->more) break;
        put_row(sql, &out, stmt);
    }
    if (sql->body.failed) return diag_set(&sql->diag, ST_LIMIT, "a row of the answer is too large");
    if (code != SQLITE_ROW && code != SQLITE_DONE) return failed(sql);
    if (sql->csv && sql->more)
        return diag_set(&sql->diag, ST_LIMIT,
                        "more than %lld rows, or more than fit: ask for less "
                        "or say a limit in the select",
                        (long long)sql->limit);
    if (sql->csv) return ST_OK;
    json_end(&out);
    json_field_bool(&out, "more", sql->more);
    json_end(&out);
    return ST_OK;
}

static void work(void *ctx)
{
    Sql *sql = ctx;
    sqlite3_stmt *stmt = NULL;
    Status st = open_file(sql);
    if (!st) st = prepare(sql, &stmt);
    if (!st) st = bind_all(sql, stmt);
    if (!st) st = put_rows(sql, stmt);
    (void)sqlite3_finalize(stmt);
    (void)sqlite3_close(sql->db);
    sql->status = st;
}

static void done(void *ctx)
{
    Sql *sql = ctx;
    Uns *uns = sql->uns;
    uns->sql_running--;
    if (sql->status) { /* sql lives in the request's arena, which goes with the answer */
        buf_done(&sql->body);
        req_fail(sql->req, sql->status, "%s", sql->diag.text);
    } else {
        req_answer_buf(sql->req, &sql->body);
    }
    uns__job_done(uns);
}

/* What waited in memory is on disk. */
static void on_written(void *ctx, Status status, const Diag *diag)
{
    Sql *sql = ctx;
    (void)status;
    (void)diag;
    Status st = loop_work(sql->uns->env->loop, work, done, sql);
    if (!st) return;
    sql->status = diag_set(&sql->diag, st, "no thread for the question");
    done(sql);
}

static void start(Uns *uns, Req *req, bool csv)
{
    Sql *sql = arena_one(req->arena, Sql);
    int64_t timeout_ms = json_int(req->in, "timeout", TIMEOUT_PRESET_MS);
    if (!sql || uns->sql_running == RUNNING_MAX) {
        req_fail(req, sql ? ST_BUSY : ST_NO_MEMORY, "%d questions in SQL run already", RUNNING_MAX);
        return;
    }
    *sql = (Sql){.uns = uns, .req = req, .csv = csv};
    sql->limit = json_int(req->in, "limit", LIMIT_PRESET);
    sql->deadline_ns = clock_monotonic_ns() + timeout_ms * NS_PER_MS;
    buf_init(&sql->body, ANSWER_BYTES + (size_t)VALUE_BYTES_MAX / 4);
    Status st = uns__keep_then(uns, on_written, sql);
    if (st) {
        buf_done(&sql->body);
        req_fail(req, st, "too many questions at once");
        return;
    }
    uns->sql_running++;
}

void uns__op_sql(void *self, Req *req)
{
    start(self, req, false);
}

void uns__op_sql_csv(void *self, Req *req)
{
    start(self, req, true);
}
