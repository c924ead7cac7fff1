/* runtime/deliver/sqlite_table.c: rows into a table of a SQLite file.
 *
 * The file and the table are made when they are not there, with the columns of the rows and the
 * key as primary key; a table that is there must have the columns. Up to DELIVER_ROWS_MAX rows are
 * one transaction, committed with the file's own rules of syncing (full, unless somebody changed
 * them). */
#include "deliver/deliver_int.h"

#include "base/clock.h"
#include "peer/pg.h"

#include <poll.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct Self {
    sqlite3 *db;
    sqlite3_stmt *insert;
    int64_t busy_until_ns;
} Self;

enum { BUSY_MS = 2000, NAP_MS = 20 };

static int on_busy(void *ctx, int count)
{
    Deliver *d = ctx;
    Self *self = d->self;
    if (count == 0) self->busy_until_ns = clock_monotonic_ns() + BUSY_MS * NS_PER_MS;
    if (deliver__halts(d) || clock_monotonic_ns() > self->busy_until_ns) return 0;
    (void)poll(NULL, 0, NAP_MS);
    return 1;
}

static Status failed(const Deliver *d, Diag *diag)
{
    const Self *self = d->self;
    int code = self->db ? sqlite3_errcode(self->db) & 0xff : SQLITE_NOMEM;
    Status st = code == SQLITE_BUSY || code == SQLITE_LOCKED ? ST_BUSY
                : code == SQLITE_CONSTRAINT || code == SQLITE_MISMATCH || code == SQLITE_TOOBIG ||
                        code == SQLITE_RANGE
                    ? ST_CONFLICT
                : code == SQLITE_NOMEM                          ? ST_NO_MEMORY
                : code == SQLITE_ERROR || code == SQLITE_NOTADB ? ST_INVALID
                : code == SQLITE_FULL || code == SQLITE_IOERR   ? ST_IO
                                                                : ST_UNAVAILABLE;
    return diag_set(diag, st, "%s: %s", d->sink->address,
                    self->db ? sqlite3_errmsg(self->db) : "out of memory");
}

static void let_go(Deliver *d)
{
    Self *self = d->self;
    (void)sqlite3_finalize(self->insert);
    (void)sqlite3_close(self->db);
    *self = (Self){0};
}

MUST static Status run(Deliver *d, const char *sql, Diag *diag)
{
    Self *self = d->self;
    return sqlite3_exec(self->db, sql, NULL, NULL, NULL) ? failed(d, diag) : ST_OK;
}

/* ---- the table ---- */

static const char *column_type(const RtField *field)
{
    switch (field->type) {
    case RT_BOOL:
    case RT_I32:
    case RT_I64:
    case RT_U32:
    case RT_U64: return "integer";
    case RT_F32:
    case RT_F64: return "real";
    case RT_DECIMAL: return "numeric";
    case RT_BYTES: return "blob";
    default: return "text";
    }
}

static void put_create(const Deliver *d, Str table, Buf *out)
{
    buf_text(out, "create table if not exists ");
    pg_put_name(out, table);
    buf_char(out, '(');
    for (uint32_t i = 0; i < d->column_count; i++) {
        const DeliverColumn *column = &d->columns[i];
        if (i) buf_text(out, ", ");
        pg_put_name(out, column->name);
        buf_printf(out, " %s%s", column_type(deliver__field(column)),
                   column->key ? " not null" : "");
    }
    if (d->key_count) {
        buf_text(out, ", primary key(");
        deliver__put_names(d, out, true);
        buf_char(out, ')');
    }
    buf_char(out, ')');
}

static void put_insert(const Deliver *d, Str table, Buf *out)
{
    buf_text(out, "insert into ");
    pg_put_name(out, table);
    buf_char(out, '(');
    deliver__put_names(d, out, false);
    buf_text(out, ") values(");
    for (uint32_t i = 0; i < d->column_count; i++) buf_printf(out, i ? ",?%u" : "?%u", i + 1);
    buf_char(out, ')');
    if (!d->key_count) return;
    buf_text(out, " on conflict(");
    deliver__put_names(d, out, true);
    buf_char(out, ')');
    deliver__put_updates(d, out);
}

/* SQLite's own words, and what to write. */
MUST static Status does_not_fit(Deliver *d, Str table, Diag *diag)
{
    const Self *self = d->self;
    const char *text = sqlite3_errmsg(self->db);
    if (strstr(text, "ON CONFLICT")) {
        AUTO_BUF Buf names;
        buf_init(&names, 4096);
        deliver__put_names(d, &names, true);
        return diag_set(diag, ST_INVALID,
                        "%s: table %.*s has no unique index on the key; write: create unique index "
                        "on it (%.*s)",
                        d->sink->address, STR_ARG(table), STR_ARG(buf_view(&names)));
    }
    if (strstr(text, "has no column")) {
        const char *name = strstr(text, "named ");
        Str column = str_from(name ? name + 6 : "");
        const char *type = "text";
        for (uint32_t i = 0; i < d->column_count; i++)
            if (str_eq(d->columns[i].name, column))
                type = column_type(deliver__field(&d->columns[i]));
        return diag_set(diag, ST_INVALID,
                        "%s: %s, and the rows have it; write: alter table %.*s add column %.*s %s, "
                        "or keep other fields before `into`",
                        d->sink->address, text, STR_ARG(table), STR_ARG(column), type);
    }
    return failed(d, diag);
}

MUST static Status open_table(Deliver *d, Diag *diag)
{
    Self *self = d->self;
    AUTO_BUF Buf sql;
    Str table = deliver__option(d, "table");
    buf_init(&sql, 1 << 20);
    if (self->insert) return ST_OK;
    if (!self->db) {
        int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
        if (sqlite3_open_v2(d->sink->address, &self->db, flags, NULL)) return failed(d, diag);
        (void)sqlite3_limit(self->db, SQLITE_LIMIT_ATTACHED, 0);
        (void)sqlite3_busy_handler(self->db, on_busy, d);
    }
    put_create(d, table, &sql);
    buf_char(&sql, 0);
    if (sql.failed) return diag_set(diag, ST_LIMIT, "the rows have too many columns");
    Status st = run(d, sql.ptr, diag);
    if (st) return st;
    buf_clear(&sql);
    put_insert(d, table, &sql);
    if (sql.failed) return diag_set(diag, ST_LIMIT, "the rows have too many columns");
    if (sqlite3_prepare_v2(self->db, sql.ptr, (int)sql.len, &self->insert, NULL))
        return does_not_fit(d, table, diag);
    return ST_OK;
}

/* ---- rows ---- */

MUST static Status bind_number(sqlite3_stmt *stmt, int at, const RtField *field, const Json *value,
                               Diag *diag)
{
    bool whole = field->type != RT_F32 && field->type != RT_F64 && field->type != RT_DECIMAL;
    if (field->type == RT_DECIMAL) {
        (void)sqlite3_bind_text64(stmt, at, value->raw.ptr, value->raw.len, SQLITE_STATIC,
                                  SQLITE_UTF8);
    } else if (whole && value->type == JSON_INT) {
        (void)sqlite3_bind_int64(stmt, at, value->integer);
    } else if (whole) {
        return diag_set(diag, ST_CONFLICT, "%s: %.*s is above the largest integer of SQLite",
                        field->name, STR_ARG(value->raw));
    } else {
        (void)sqlite3_bind_double(stmt, at, value->number);
    }
    return ST_OK;
}

MUST static Status bind(Deliver *d, uint32_t column, const Json *row, Diag *diag)
{
    Self *self = d->self;
    const RtField *field = deliver__field(&d->columns[column]);
    const Json *value = deliver__value(&d->columns[column], row);
    int at = (int)column + 1;
    if (!value) {
        (void)sqlite3_bind_null(self->insert, at);
    } else if (value->type == JSON_TRUE || value->type == JSON_FALSE) {
        (void)sqlite3_bind_int64(self->insert, at, value->type == JSON_TRUE);
    } else if (value->type == JSON_INT || value->type == JSON_NUMBER) {
        return bind_number(self->insert, at, field, value, diag);
    } else if (field->type == RT_BYTES) {
        unsigned char *bytes = arena_alloc(d->row, value->text.len + 1);
        if (!bytes) return diag_set(diag, ST_NO_MEMORY, "out of memory");
        (void)sqlite3_bind_blob64(self->insert, at, bytes, deliver__bytes(value->text, bytes),
                                  SQLITE_STATIC);
    } else {
        Str text = value->type == JSON_STRING ? value->text : value->raw;
        (void)sqlite3_bind_text64(self->insert, at, text.len ? text.ptr : "", text.len,
                                  SQLITE_STATIC, SQLITE_UTF8);
    }
    return ST_OK;
}

MUST static Status one(Deliver *d, Str text, Diag *diag)
{
    Self *self = d->self;
    const Json *row = NULL;
    arena_reset(d->row);
    Status st = json_read(d->row, text, &row, diag);
    if (st) return st == ST_NO_MEMORY ? st : diag_set(diag, ST_CONFLICT, "the row cannot be read");
    for (uint32_t i = 0; !st && i < d->column_count; i++) st = bind(d, i, row, diag);
    if (!st && sqlite3_step(self->insert) != SQLITE_DONE) st = failed(d, diag);
    (void)sqlite3_reset(self->insert);
    (void)sqlite3_clear_bindings(self->insert);
    return st;
}

static Status sqlite_some(Deliver *d, const DeliverRows *rows, uint32_t from, uint32_t *ret_done,
                          Diag *diag)
{
    Self *self = d->self;
    uint32_t done = 0;
    Status st = open_table(d, diag);
    if (!st) st = run(d, "begin immediate", diag);
    while (!st && from + done < rows->count && done < DELIVER_ROWS_MAX) {
        st = one(d, deliver__row(rows, from + done), diag);
        if (!st) done++;
    }
    if (st == ST_CONFLICT && done) st = ST_OK; /* the refused one is the first of the next call */
    if (!st) st = run(d, "commit", diag);
    if (st && self->db && !sqlite3_get_autocommit(self->db))
        (void)sqlite3_exec(self->db, "rollback", NULL, NULL, NULL);
    if (st && st != ST_CONFLICT && st != ST_BUSY) let_go(d); /* the file may be another one later */
    if (!st) *ret_done = done;
    return st;
}

static Status sqlite_check(Deliver *d, Diag *diag)
{
    return open_table(d, diag);
}

static Status sqlite_open(Deliver *d, Diag *diag)
{
    return deliver__columns(d, diag);
}

const DeliverDriver deliver__sqlite = {
    .kind = "sqlite",
    .self_bytes = sizeof(Self),
    .open = sqlite_open,
    .check = sqlite_check,
    .some = sqlite_some,
    .close = let_go,
};
