/* runtime/modules/uns/uns_record.c: tables of `into historian`: one real SQL table per name.
 *
 * A request brings its columns and key; the table is made or widened when it needs to be, and rows
 * are upserted by their key, so a row that is sent again after a crash is there once. The answer
 * leaves after the commit. A row that does not fit its columns goes to the quarantine with its
 * reason instead of failing the others. Names are checked and quoted; values are always bound.
 *
 * Every write that changes something gives its row the next number of the table (ask/rows.h); who
 * reads the table by `from historian` (uns_rows.c) is told of it after the commit, where anybody
 * listens. */
#include "modules/uns/uns.h"

#include "ask/rows.h"
#include "base/mem.h"

#include <stdio.h>

enum {
    NAME_BYTES_MAX = 63,
    COLUMNS_MAX = 200,
    SQL_BYTES_MAX = 128 * 1024,
    QUARANTINE_ROWS_MAX = 100000,
    QUERY_LIMIT = 100,
};

/* [A-Za-z_][A-Za-z0-9_]*: what the language calls a name, so nothing needs escaping. */
bool uns__table_name(Str name)
{
    if (!name.len || name.len > NAME_BYTES_MAX) return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && !(i > 0 && c >= '0' && c <= '9')) return false;
    }
    return true;
}

static const char *sql_type(Str type)
{
    if (str_is(type, "text")) return "TEXT";
    if (str_is(type, "number")) return "REAL";
    if (str_is(type, "int") || str_is(type, "bool") || str_is(type, "time")) return "INTEGER";
    return NULL;
}

typedef struct Record {
    Uns *uns;
    Req *req;
    Str table;
    const Json *columns, *key, *rows;
    Arena *arena;                         /* of the job; owned */
    int64_t written, quarantined, number; /* number: of the last write */
} Record;

static bool is_key(const Json *key, Str column)
{
    for (const Json *name = key->first; name; name = name->next)
        if (str_eq(name->text, column)) return true;
    return false;
}

static Status check_shape(const Record *record, Diag *diag)
{
    if (!uns__table_name(record->table))
        return diag_set(diag, ST_INVALID, "\"%.*s\" is not a table name", STR_ARG(record->table));
    for (const Json *column = record->columns->first; column; column = column->next) {
        Str name = json_str(column, "name", STR_NONE);
        if (!uns__table_name(name) || !sql_type(json_str(column, "type", STR_NONE)))
            return diag_set(diag, ST_INVALID, "column \"%.*s\" has no valid name or type",
                            STR_ARG(name));
    }
    for (const Json *name = record->key->first; name; name = name->next) {
        bool found = false;
        for (const Json *column = record->columns->first; column && !found; column = column->next)
            found =
                name->type == JSON_STRING && str_eq(json_str(column, "name", STR_NONE), name->text);
        if (!found)
            return diag_set(diag, ST_INVALID, "key \"%.*s\" is no column", STR_ARG(name->text));
    }
    return ST_OK;
}

/* ---- schema ---- */

static Status exec_buf(StoreConn *conn, Buf *sql, Diag *diag)
{
    Status st = buf_status(sql);
    if (st)
        st = diag_set(diag, st, "the table has too many columns");
    else
        st = store_exec(conn, sql->ptr, diag);
    buf_clear(sql);
    return st;
}

static void put_key(Buf *sql, const Json *key)
{
    for (const Json *name = key->first; name; name = name->next)
        buf_printf(sql, "%s\"%.*s\"", name == key->first ? "" : ", ", STR_ARG(name->text));
}

static Status create_table(StoreConn *conn, const Record *record, Buf *sql, Diag *diag)
{
    buf_printf(sql, "CREATE TABLE \"h_%.*s\"(", STR_ARG(record->table));
    for (const Json *column = record->columns->first; column; column = column->next)
        buf_printf(sql, "\"%.*s\" %s, ", STR_ARG(json_str(column, "name", STR_NONE)),
                   sql_type(json_str(column, "type", STR_NONE)));
    buf_text(sql, "\"" ROWS_NUMBER "\" INTEGER, PRIMARY KEY(");
    put_key(sql, record->key);
    buf_text(sql, "))");
    return exec_buf(conn, sql, diag);
}

static const Json *column_named(const Json *columns, Str name)
{
    const Json *column = columns ? columns->first : NULL;
    while (column && !str_eq(json_str(column, "name", STR_NONE), name)) column = column->next;
    return column;
}

/* Adds what is new; a changed type or key is refused: it would change the meaning of old rows. */
static Status widen_table(StoreConn *conn, const Record *record, const Json *known,
                          const Json *known_key, Buf *sql, bool *ret_changed, Diag *diag)
{
    Status st = ST_OK;
    const Json *a = known_key->first, *b = record->key->first;
    while (a && b && str_eq(a->text, b->text)) {
        a = a->next;
        b = b->next;
    }
    if (a || b)
        return diag_set(diag, ST_CONFLICT, "historian %.*s already has another key",
                        STR_ARG(record->table));
    for (const Json *column = record->columns->first; column && !st; column = column->next) {
        Str name = json_str(column, "name", STR_NONE), type = json_str(column, "type", STR_NONE);
        const Json *old = column_named(known, name);
        if (old && !str_eq(json_str(old, "type", STR_NONE), type))
            return diag_set(diag, ST_CONFLICT,
                            "historian %.*s: column %.*s was %.*s and is now %.*s",
                            STR_ARG(record->table), STR_ARG(name),
                            STR_ARG(json_str(old, "type", STR_NONE)), STR_ARG(type));
        if (old) continue;
        buf_printf(sql, "ALTER TABLE \"h_%.*s\" ADD COLUMN \"%.*s\" %s", STR_ARG(record->table),
                   STR_ARG(name), sql_type(type));
        st = exec_buf(conn, sql, diag);
        *ret_changed = true;
    }
    return st;
}

/* Columns of the table after this request: the old ones, then the new ones. */
static void put_columns(JsonOut *out, const Json *known, const Json *columns)
{
    json_begin_array(out);
    for (const Json *column = known ? known->first : NULL; column; column = column->next)
        json_put_raw(out, column->raw);
    for (const Json *column = columns->first; column; column = column->next) {
        if (column_named(known, json_str(column, "name", STR_NONE))) continue;
        json_begin_object(out);
        json_field_str(out, "name", json_str(column, "name", STR_NONE));
        json_field_str(out, "type", json_str(column, "type", STR_NONE));
        json_end(out);
    }
    json_end(out);
}

/* Reads the registry row of a table; *ret_columns NULL when there is none. */
static Status table_find(StoreConn *conn, Arena *arena, Str table, const Json **ret_columns,
                         const Json **ret_key, int64_t *ret_wrote, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    *ret_columns = NULL;
    *ret_wrote = 0;
    Status st = store_prepare(conn, "SELECT columns, key, wrote FROM record_tables WHERE name = ?1",
                              &stmt, diag);
    if (st) return st;
    store_bind_str(stmt, 1, table);
    st = store_step(stmt, &row, diag);
    if (st || !row) return st;
    Str columns = arena_str(arena, store_str(stmt, 0)), key = arena_str(arena, store_str(stmt, 1));
    *ret_wrote = store_int(stmt, 2);
    store_reset(stmt);
    if (!columns.ptr || !key.ptr) return diag_set(diag, ST_NO_MEMORY, "no memory for the table");
    st = json_read(arena, columns, ret_columns, diag);
    return st ? st : json_read(arena, key, ret_key, diag);
}

/* A table of before there were numbers; its rows get theirs when they are written again. */
static Status number_table(StoreConn *conn, const Record *record, Buf *sql, Diag *diag)
{
    buf_printf(sql, "ALTER TABLE \"h_%.*s\" ADD COLUMN \"" ROWS_NUMBER "\" INTEGER",
               STR_ARG(record->table));
    return exec_buf(conn, sql, diag);
}

static Status table_ready(StoreConn *conn, Record *record, Buf *sql, Diag *diag)
{
    const Json *known, *known_key;
    StoreStmt *stmt;
    JsonOut out;
    bool changed = false, row;
    Status st =
        table_find(conn, record->arena, record->table, &known, &known_key, &record->number, diag);
    if (st) return st;
    if (known && !record->number) st = number_table(conn, record, sql, diag);
    record->number = rows_number_now(record->number, clock_wall_ns());
    if (st) return st;
    if (known) {
        st = widen_table(conn, record, known, known_key, sql, &changed, diag);
    } else {
        st = create_table(conn, record, sql, diag);
        changed = true;
    }
    if (st || !changed) return st;
    st = store_prepare(conn,
                       "INSERT INTO record_tables(name, columns, key) VALUES(?1, ?2, ?3)"
                       " ON CONFLICT(name) DO UPDATE SET columns = excluded.columns",
                       &stmt, diag);
    if (st) return st;
    json_out_init(&out, sql);
    put_columns(&out, known, record->columns);
    store_bind_str(stmt, 1, record->table);
    store_bind_str(stmt, 2, buf_view(sql));
    store_bind_str(stmt, 3, record->key->raw);
    st = store_step(stmt, &row, diag);
    buf_clear(sql);
    return st;
}

/* ---- rows ---- */

/* A row that is written again as it is (by a publisher after a crash, say) is no news. */
static void put_changed(Buf *sql, const Record *record)
{
    bool first = true;
    buf_text(sql, ", \"" ROWS_NUMBER "\" = excluded.\"" ROWS_NUMBER "\"");
    for (const Json *column = record->columns->first; column; column = column->next) {
        Str name = json_str(column, "name", STR_NONE);
        if (is_key(record->key, name)) continue;
        buf_printf(sql, "%s\"%.*s\" IS NOT excluded.\"%.*s\"", first ? " WHERE " : " OR ",
                   STR_ARG(name), STR_ARG(name));
        first = false;
    }
}

static void put_upsert(Buf *sql, const Record *record)
{
    bool first = true;
    buf_printf(sql, "INSERT INTO \"h_%.*s\"(", STR_ARG(record->table));
    for (const Json *column = record->columns->first; column; column = column->next)
        buf_printf(sql, "%s\"%.*s\"", column == record->columns->first ? "" : ", ",
                   STR_ARG(json_str(column, "name", STR_NONE)));
    buf_text(sql, ", \"" ROWS_NUMBER "\") VALUES(");
    for (uint32_t i = 1; i <= record->columns->count + 1; i++)
        buf_printf(sql, "%s?%u", i == 1 ? "" : ", ", i);
    buf_text(sql, ") ON CONFLICT(");
    put_key(sql, record->key);
    buf_text(sql, ") DO ");
    for (const Json *column = record->columns->first; column; column = column->next) {
        Str name = json_str(column, "name", STR_NONE);
        if (is_key(record->key, name)) continue;
        buf_printf(sql, "%s\"%.*s\" = excluded.\"%.*s\"", first ? "UPDATE SET " : ", ",
                   STR_ARG(name), STR_ARG(name));
        first = false;
    }
    if (first)
        buf_text(sql, "NOTHING");
    else
        put_changed(sql, record);
}

/* Binds one value; the reason why not, or NULL. */
static const char *bind_value(StoreStmt *stmt, int index, const Json *value, Str type, bool key)
{
    if (value->type == JSON_NULL) {
        if (key) return "a key column is null";
        store_bind_null(stmt, index);
        return NULL;
    }
    if (str_is(type, "text")) {
        if (value->type != JSON_STRING) return "a text column got something else";
        store_bind_str(stmt, index, value->text);
    } else if (str_is(type, "number")) {
        if (value->type != JSON_INT && value->type != JSON_NUMBER)
            return "a number column got something else";
        store_bind_number(stmt, index, value->number);
    } else if (str_is(type, "bool")) {
        if (value->type != JSON_TRUE && value->type != JSON_FALSE)
            return "a bool column got something else";
        store_bind_int(stmt, index, value->type == JSON_TRUE);
    } else {
        if (value->type != JSON_INT) return "an integer column got something else";
        store_bind_int(stmt, index, value->integer);
    }
    return NULL;
}

static const char *bind_row(StoreStmt *stmt, const Record *record, const Json *row)
{
    int index = 0;
    if (row->type != JSON_ARRAY || row->count != record->columns->count)
        return "the row has another number of values than columns";
    const Json *column = record->columns->first;
    for (const Json *value = row->first; value; value = value->next, column = column->next) {
        const char *reason = bind_value(stmt, ++index, value, json_str(column, "type", STR_NONE),
                                        is_key(record->key, json_str(column, "name", STR_NONE)));
        if (reason) return reason;
    }
    return NULL;
}

static Status set_aside(StoreConn *conn, const Record *record, const Json *row, const char *reason,
                        Diag *diag)
{
    StoreStmt *stmt;
    bool more;
    Status st = store_prepare(conn,
                              "INSERT INTO quarantine(table_name, at, reason, row)"
                              " VALUES(?1, ?2, ?3, ?4)",
                              &stmt, diag);
    if (st) return st;
    store_bind_str(stmt, 1, record->table);
    store_bind_int(stmt, 2, clock_wall_ns());
    store_bind_str(stmt, 3, str_from(reason));
    store_bind_str(stmt, 4, row->raw);
    return store_step(stmt, &more, diag);
}

static Status count_writes(StoreConn *conn, const Record *record, Diag *diag)
{
    StoreCell cells[2] = {store_of_int(record->number), store_of_str(record->table)};
    return store_run(conn, "UPDATE record_tables SET wrote = ?1 WHERE name = ?2", cells, 2, diag);
}

static Status count_aside(StoreConn *conn, const Record *record, Diag *diag)
{
    StoreStmt *stmt;
    bool more;
    if (!record->quarantined) return ST_OK;
    Status st = store_prepare(conn,
                              "UPDATE record_tables SET quarantined = quarantined + ?1"
                              " WHERE name = ?2",
                              &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, record->quarantined);
    store_bind_str(stmt, 2, record->table);
    st = store_step(stmt, &more, diag);
    if (st) return st;
    st = store_prepare(conn,
                       "DELETE FROM quarantine WHERE id <= (SELECT max(id) FROM quarantine) - ?1",
                       &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, QUARANTINE_ROWS_MAX);
    return store_step(stmt, &more, diag);
}

static Status record_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Record *record = ctx;
    StoreStmt *stmt;
    bool more;
    Buf sql;
    buf_init(&sql, SQL_BYTES_MAX);
    Status st = table_ready(conn, record, &sql, diag);
    if (!st) {
        put_upsert(&sql, record);
        st = buf_status(&sql) ? diag_set(diag, ST_LIMIT, "too many columns")
                              : store_prepare(conn, sql.ptr, &stmt, diag);
    }
    for (const Json *row = record->rows->first; row && !st; row = row->next) {
        const char *reason = bind_row(stmt, record, row);
        if (reason) {
            record->quarantined++;
            st = set_aside(conn, record, row, reason, diag);
        } else {
            record->written++;
            store_bind_int(stmt, (int)record->columns->count + 1, ++record->number);
            st = store_step(stmt, &more, diag);
        }
    }
    if (!st) st = count_writes(conn, record, diag);
    if (!st) st = count_aside(conn, record, diag);
    buf_done(&sql);
    return st;
}

static void tell_recorded(const Record *record)
{
    static const Str news = {"uns.recorded", sizeof "uns.recorded" - 1};
    const ModEnv *env = record->uns->env;
    if (!bus_heard(env->bus, news)) return;
    AUTO_BUF Buf body;
    JsonOut out;
    buf_init(&body, 256);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_field_str(&out, "table", record->table);
    json_end(&out);
    if (!buf_status(&body) && bus_publish(env->bus, news, buf_view(&body)))
        log_debug(env->log, "uns", "news not told", "table=%.*s", STR_ARG(record->table));
}

static void on_recorded(void *ctx, Status status, const Diag *diag)
{
    Record *record = ctx;
    Uns *uns = record->uns;
    Arena *arena = record->arena;
    if (status) {
        req_fail(record->req, status, "%s", diag ? diag->text : "");
    } else {
        char body[96];
        int len = snprintf(body, sizeof body, "{\"written\":%lld,\"quarantined\":%lld}",
                           (long long)record->written, (long long)record->quarantined);
        if (record->written) tell_recorded(record);
        req_answer(record->req, (Str){body, (size_t)len});
    }
    arena_free(arena);
    uns__job_done(uns);
}

void uns__op_record(void *self, Req *req)
{
    Uns *uns = self;
    Diag diag = {0};
    Arena *arena = arena_new(4096, 16 << 20);
    Record *record = arena ? arena_one(arena, Record) : NULL;
    Status st = record ? ST_OK : diag_set(&diag, ST_NO_MEMORY, "no memory for the rows");
    if (!st) {
        *record = (Record){.uns = uns,
                           .req = req,
                           .table = json_str(req->in, "table", STR_NONE),
                           .columns = json_get(req->in, "columns"),
                           .key = json_get(req->in, "key"),
                           .rows = json_get(req->in, "rows"),
                           .arena = arena};
        st = check_shape(record, &diag);
    }
    if (!st) {
        st = store_write(uns->env->store, record_job, on_recorded, record);
        if (st) diag_set(&diag, st, "too many writes wait");
    }
    if (!st) {
        uns->jobs++;
        return;
    }
    arena_free(arena);
    req_fail(req, st, "%s", diag.text);
}

/* ---- reading ---- */

typedef struct Query {
    Uns *uns;
    Req *req;
    Arena *arena; /* owned */
    Buf body;     /* the answer, written by the job */
    int64_t from_ms, to_ms;
    bool has_from, has_to;
} Query;

static Status tables_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Query *query = ctx;
    StoreStmt *stmt, *count;
    JsonOut out;
    bool row, counted;
    json_out_init(&out, &query->body);
    json_begin_object(&out);
    json_key(&out, "tables");
    json_begin_array(&out);
    Status st = store_prepare(conn,
                              "SELECT name, columns, key, quarantined FROM record_tables"
                              " ORDER BY name",
                              &stmt, diag);
    while (!st && !(st = store_step(stmt, &row, diag)) && row) {
        Str name = store_str(stmt, 0);
        json_begin_object(&out);
        json_field_str(&out, "name", name);
        json_key(&out, "columns");
        json_put_raw(&out, store_str(stmt, 1));
        json_key(&out, "key");
        json_put_raw(&out, store_str(stmt, 2));
        json_field_int(&out, "quarantined", store_int(stmt, 3));
        Str sql = arena_printf(query->arena, "SELECT count(*) FROM \"h_%.*s\"", STR_ARG(name));
        st = sql.ptr ? store_prepare(conn, sql.ptr, &count, diag) : ST_NO_MEMORY;
        if (!st) st = store_step(count, &counted, diag);
        if (!st && counted) {
            json_field_int(&out, "rows", store_int(count, 0));
            store_reset(count);
        }
        json_end(&out);
    }
    json_end(&out);
    json_end(&out);
    return st;
}

static void put_cell(JsonOut *out, StoreStmt *stmt, int column, Str type)
{
    if (store_is_null(stmt, column))
        json_put_null(out);
    else if (str_is(type, "text"))
        json_put_str(out, store_str(stmt, column));
    else if (str_is(type, "number"))
        json_put_number(out, store_number(stmt, column));
    else if (str_is(type, "bool"))
        json_put_bool(out, store_int(stmt, column) != 0);
    else if (str_is(type, "time")) {
        char room[40];
        json_put_str(out, uns_time_text(store_int(stmt, column), room));
    } else
        json_put_int(out, store_int(stmt, column));
}

/* The statement of a query; every name in it was found among the table's columns. */
static Status put_select(const Query *query, const Json *columns, Buf *sql, Diag *diag)
{
    static const char *const named[] = {"order", "column", "time"};
    const Json *in = query->req->in;
    for (size_t i = 0; i < COUNT_OF(named); i++) {
        Str name = json_str(in, named[i], STR_NONE);
        if (name.len && !column_named(columns, name))
            return diag_set(diag, ST_INVALID, "there is no column %.*s", STR_ARG(name));
    }
    Str column = json_str(in, "column", STR_NONE), time = json_str(in, "time", STR_NONE),
        order = json_str(in, "order", STR_NONE);
    if ((query->has_from || query->has_to) && !time.len)
        return diag_set(diag, ST_INVALID, "from and to need time, the name of a time column");
    buf_text(sql, "SELECT ");
    for (const Json *each = columns->first; each; each = each->next)
        buf_printf(sql, "%s\"%.*s\"", each == columns->first ? "" : ", ",
                   STR_ARG(json_str(each, "name", STR_NONE)));
    buf_printf(sql, " FROM \"h_%.*s\" WHERE 1", STR_ARG(json_str(in, "name", STR_NONE)));
    if (column.len) buf_printf(sql, " AND \"%.*s\" = ?1", STR_ARG(column));
    if (query->has_from) buf_printf(sql, " AND \"%.*s\" >= ?2", STR_ARG(time));
    if (query->has_to) buf_printf(sql, " AND \"%.*s\" <= ?3", STR_ARG(time));
    if (order.len)
        buf_printf(sql, " ORDER BY \"%.*s\"%s", STR_ARG(order),
                   json_bool(in, "desc", false) ? " DESC" : "");
    buf_text(sql, " LIMIT ?4");
    return buf_status(sql) ? diag_set(diag, ST_LIMIT, "too many columns") : ST_OK;
}

/* A filter's text as the column's type, so that an index or the key can be used. */
static void bind_equals(StoreStmt *stmt, const Json *columns, const Json *in, Arena *arena)
{
    Str text = json_str(in, "equals", STR_NONE);
    const Json *column = column_named(columns, json_str(in, "column", STR_NONE)), *json = NULL;
    Str type = json_str(column, "type", STR_NONE);
    int64_t ns;
    if (str_is(type, "text"))
        store_bind_str(stmt, 1, text);
    else if (str_is(type, "time") && uns_time_read(text, &ns))
        store_bind_int(stmt, 1, ns);
    else if (!json_read(arena, text, &json, NULL) && json->type == JSON_INT)
        store_bind_int(stmt, 1, json->integer);
    else if (json && json->type == JSON_NUMBER)
        store_bind_number(stmt, 1, json->number);
    else
        store_bind_int(stmt, 1, str_is(text, "true"));
}

static Status query_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Query *query = ctx;
    const Json *in = query->req->in, *columns, *key;
    Str name = json_str(in, "name", STR_NONE);
    int64_t limit = json_int(in, "limit", QUERY_LIMIT), count = 0;
    StoreStmt *stmt;
    JsonOut out;
    Buf sql;
    bool row = false;
    int64_t wrote;
    Status st = table_find(conn, query->arena, name, &columns, &key, &wrote, diag);
    if (st) return st;
    if (!columns) return diag_set(diag, ST_NOT_FOUND, "there is no historian %.*s", STR_ARG(name));
    buf_init(&sql, SQL_BYTES_MAX);
    st = put_select(query, columns, &sql, diag);
    if (!st) st = store_prepare(conn, sql.ptr, &stmt, diag);
    buf_done(&sql);
    if (st) return st;
    if (json_get(in, "column")) bind_equals(stmt, columns, in, query->arena);
    if (query->has_from) store_bind_int(stmt, 2, query->from_ms * NS_PER_MS);
    if (query->has_to) store_bind_int(stmt, 3, query->to_ms * NS_PER_MS);
    store_bind_int(stmt, 4, limit + 1);
    json_out_init(&out, &query->body);
    json_begin_object(&out);
    json_field_str(&out, "name", name);
    json_key(&out, "columns");
    json_put_raw(&out, columns->raw);
    json_key(&out, "rows");
    json_begin_array(&out);
    while (!(st = store_step(stmt, &row, diag)) && row && count++ < limit) {
        int index = 0;
        json_begin_array(&out);
        for (const Json *column = columns->first; column; column = column->next)
            put_cell(&out, stmt, index++, json_str(column, "type", STR_NONE));
        json_end(&out);
    }
    if (row) store_reset(stmt);
    json_end(&out);
    json_field_bool(&out, "more", row);
    json_end(&out);
    return st;
}

static void on_queried(void *ctx, Status status, const Diag *diag)
{
    Query *query = ctx;
    Uns *uns = query->uns;
    Arena *arena = query->arena;
    if (status) {
        req_fail(query->req, status, "%s", diag ? diag->text : "");
        buf_done(&query->body);
    } else {
        req_answer_buf(query->req, &query->body);
    }
    arena_free(arena);
    uns__job_done(uns);
}

static Query *query_new(Uns *uns, Req *req)
{
    Arena *arena = arena_new(4096, 16 << 20);
    Query *query = arena ? arena_one(arena, Query) : NULL;
    if (!query) {
        arena_free(arena);
        req_fail(req, ST_NO_MEMORY, "no memory for the question");
        return NULL;
    }
    *query = (Query){.uns = uns, .req = req, .arena = arena};
    buf_init(&query->body, UNS_ANSWER_BYTES_MAX);
    return query;
}

static void query_start(Query *query, StoreJobFn *job)
{
    Uns *uns = query->uns;
    Status st = store_read(uns->env->store, job, on_queried, query);
    if (!st) {
        uns->jobs++;
        return;
    }
    req_fail(query->req, st, "too many questions at once");
    arena_free(query->arena);
}

void uns__op_tables(void *self, Req *req)
{
    Query *query = query_new(self, req);
    if (query) query_start(query, tables_job);
}

void uns__op_query_table(void *self, Req *req)
{
    Query *query = query_new(self, req);
    int64_t now_ms = clock_wall_ns() / NS_PER_MS;
    if (!query) return;
    Str from = json_str(req->in, "from", STR_NONE), to = json_str(req->in, "to", STR_NONE);
    query->has_from = from.len > 0;
    query->has_to = to.len > 0;
    bool good = uns__table_name(json_str(req->in, "name", STR_NONE)) &&
                (!from.len || uns_when_read(from, now_ms, &query->from_ms)) &&
                (!to.len || uns_when_read(to, now_ms, &query->to_ms));
    if (!good) {
        req_fail(req, ST_INVALID, "name, from or to is not valid");
        arena_free(query->arena);
        return;
    }
    query_start(query, query_job);
}
