/* runtime/modules/uns/uns_rows.c: rows of `into historian` in the order they were written, for
 * `from historian`.
 *
 * The first question about a table makes the index that finds rows by their number, so that tables
 * nobody reads so do not pay for it. Rows of before there were numbers come first, by row id. */
#include "modules/uns/uns.h"

#include "ask/rows.h"
#include "base/mem.h"

enum { ROWS_MAX = 512, ANSWER_BYTES = 512 << 10 };

typedef struct Rows {
    Uns *uns;
    Req *req;
    Arena *arena; /* owned; this lies in it */
    Str table, columns;
    int64_t n, next;
    bool unready, readied, more;
    Buf body;
    RowsTable found;
    uint32_t count;
} Rows;

/* ---- on the writer ---- */

static Status ready_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Rows *rows = ctx;
    AUTO_BUF Buf sql;
    RowsTable *found = &rows->found;
    buf_init(&sql, 1024);
    Status st = rows_open(conn, rows->table, rows->columns, found, diag);
    if (st) return st;
    rows_done(found);
    if (!found->numbered) {
        buf_printf(&sql, "ALTER TABLE \"h_%.*s\" ADD COLUMN \"" ROWS_NUMBER "\" INTEGER",
                   STR_ARG(rows->table));
        st = store_exec(conn, sql.ptr, diag);
        StoreCell cells[2] = {store_of_int(ROWS_NUMBER_NONE), store_of_str(rows->table)};
        if (!st)
            st = store_run(conn, "UPDATE record_tables SET wrote = ?1 WHERE name = ?2", cells, 2,
                           diag);
        buf_clear(&sql);
    }
    buf_printf(&sql, "CREATE INDEX IF NOT EXISTS \"i_%.*s\" ON \"h_%.*s\"(\"" ROWS_NUMBER "\")",
               STR_ARG(rows->table), STR_ARG(rows->table));
    return st ? st : store_exec(conn, sql.ptr, diag);
}

/* ---- on a reader ---- */

static void put_row(Rows *rows, StoreStmt *stmt, JsonOut *out)
{
    if (rows->n)
        rows->n = store_int(stmt, 0);
    else
        rows->next = store_int(stmt, 0) + 1;
    json_begin_array(out);
    json_put_int(out, rows->n);
    json_put_int(out, rows->next);
    json_put_raw(out, STR(""));
    rows_put(&rows->found, stmt, 1, &rows->body);
    json_end(out);
    rows->count++;
}

/* One of the two lists: without numbers (n = 0), or with. */
static Status read_list(StoreConn *conn, Rows *rows, JsonOut *out, Diag *diag)
{
    AUTO_BUF Buf sql;
    StoreStmt *stmt;
    bool row = false;
    buf_init(&sql, ROWS_SQL_BYTES_MAX + 1024);
    const char *by = rows->n ? "\"" ROWS_NUMBER "\"" : rows->found.rowid;
    buf_printf(&sql, "SELECT %s, %.*s FROM \"h_%.*s\" WHERE \"" ROWS_NUMBER "\" %s", by,
               STR_ARG(buf_view(&rows->found.select)), STR_ARG(rows->table),
               rows->n ? "> ?1" : "IS NULL AND ");
    if (!rows->n) buf_printf(&sql, "%s >= ?1", by);
    buf_printf(&sql, " ORDER BY %s", by);
    Status st = buf_status(&sql) ? diag_set(diag, ST_LIMIT, "too many columns")
                                 : store_prepare(conn, sql.ptr, &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, rows->n ? rows->n : rows->next);
    while (!(st = store_step(stmt, &row, diag)) && row) {
        rows->more = rows->count == ROWS_MAX || rows->body.len > ANSWER_BYTES;
        if (rows->more) break;
        put_row(rows, stmt, out);
    }
    if (row) store_reset(stmt);
    return st;
}

static Status read_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Rows *rows = ctx;
    JsonOut out;
    Status st = rows_open(conn, rows->table, rows->columns, &rows->found, diag);
    if (st) return st;
    rows->unready = !rows->found.numbered || !rows->found.indexed;
    if (rows->unready) {
        rows_done(&rows->found);
        return ST_OK;
    }
    json_out_init(&out, &rows->body);
    json_begin_object(&out);
    json_key(&out, "rows");
    json_begin_array(&out);
    if (!rows->n) {
        st = read_list(conn, rows, &out, diag);
        if (!rows->more) rows->n = ROWS_NUMBER_NONE;
    }
    if (!st && !rows->more) st = read_list(conn, rows, &out, diag);
    json_end(&out);
    json_field_int(&out, "n", rows->n);
    json_field_int(&out, "next", rows->next);
    json_field_bool(&out, "more", rows->more);
    json_end(&out);
    rows_done(&rows->found);
    return st ? st : buf_status(&rows->body);
}

/* ---- the op ---- */

static void end(Rows *rows, Status status, const char *text)
{
    Uns *uns = rows->uns;
    if (status) {
        buf_done(&rows->body);
        req_fail(rows->req, status, "%s", text);
    } else {
        req_answer_buf(rows->req, &rows->body);
    }
    arena_free(rows->arena);
    uns__job_done(uns);
}

static void on_read(void *ctx, Status status, const Diag *diag);

static void on_ready(void *ctx, Status status, const Diag *diag)
{
    Rows *rows = ctx;
    if (!status) {
        rows->readied = true;
        status = store_read(rows->uns->env->store, read_job, on_read, rows);
        if (!status) return;
        diag = NULL;
    }
    end(rows, status, diag ? diag->text : "too many questions at once");
}

static void on_read(void *ctx, Status status, const Diag *diag)
{
    Rows *rows = ctx;
    if (!status && rows->unready && !rows->readied) {
        status = store_write(rows->uns->env->store, ready_job, on_ready, rows);
        if (!status) return;
        diag = NULL;
    } else if (!status && rows->unready) {
        status = ST_BUSY;
        diag = NULL;
    }
    end(rows, status, diag ? diag->text : "too many writes wait");
}

void uns__op_rows(void *self, Req *req)
{
    Uns *uns = self;
    Arena *arena = arena_new(sizeof(Rows) + 1024, 1 << 20);
    Rows *rows = arena ? arena_one(arena, Rows) : NULL;
    if (!rows) {
        arena_free(arena);
        req_fail(req, ST_NO_MEMORY, "no memory for the question");
        return;
    }
    *rows = (Rows){.uns = uns,
                   .req = req,
                   .arena = arena,
                   .table = json_str(req->in, "table", STR_NONE),
                   .columns = json_str(req->in, "columns", STR_NONE),
                   .n = json_int(req->in, "n", 0),
                   .next = json_int(req->in, "next", 0)};
    buf_init(&rows->body, UNS_ANSWER_BYTES_MAX);
    Status st = uns__table_name(rows->table) && rows->n >= 0
                    ? store_read(uns->env->store, read_job, on_read, rows)
                    : ST_INVALID;
    if (!st) {
        uns->jobs++;
        return;
    }
    req_fail(req, st, st == ST_INVALID ? "no name of a table" : "too many questions at once");
    arena_free(arena);
}
