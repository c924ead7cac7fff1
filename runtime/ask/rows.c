/* runtime/ask/rows.c: what a table holds against what is wanted of it; its rows as JSON. */
#include "ask/rows.h"

#include "base/arena.h"
#include "base/json.h"
#include "base/rfc3339.h"

#include <strings.h>

enum { TABLES_TOLD = 20 };

/* ---- what is wanted ---- */

/* `time` and `text` begin alike: a time is told by a letter of its own. */
static char letter_of(Str type)
{
    return str_starts(type, STR("time")) ? 'd' : type.len ? type.ptr[0] : 0;
}

static bool next_wanted(Str *rest, RowsColumn *ret_column, bool *ret_needed)
{
    const char *end = rest->len ? memchr(rest->ptr, '\n', rest->len) : NULL;
    if (!end) return false;
    Str line = {rest->ptr, (size_t)(end - rest->ptr)};
    const char *space = line.len ? memchr(line.ptr, ' ', line.len) : NULL;
    if (!space || space + 1 == end) return false;
    *ret_column = (RowsColumn){
        .name = {line.ptr, (size_t)(space - line.ptr)},
        .want = letter_of(str_skip(line, (size_t)(space + 1 - line.ptr))),
    };
    *ret_needed = end[-1] != '?';
    *rest = str_skip(*rest, line.len + 1);
    return true;
}

/* In the words of a program. */
static const char *word_of(char letter)
{
    switch (letter) {
    case 'b': return "bool";
    case 'i': return "i64";
    case 'n': return "f64";
    case 't': return "string(64)";
    case 'j': return "json";
    default: return "time";
    }
}

static bool may_be_read_as(char have, char want)
{
    return have == want || (have == 'i' && want == 'n') || (have == 't' && want == 'j');
}

/* ---- what there is ---- */

static void put_tables(StoreConn *conn, Buf *out)
{
    StoreStmt *stmt;
    bool row = false;
    uint32_t count = 0;
    if (store_prepare(conn, "SELECT name FROM record_tables ORDER BY name", &stmt, NULL)) return;
    while (!store_step(stmt, &row, NULL) && row && count < TABLES_TOLD)
        buf_printf(out, "%s%.*s", count++ ? ", " : "; there are ", STR_ARG(store_str(stmt, 0)));
    if (row) {
        store_reset(stmt);
        buf_text(out, " ...");
    }
}

MUST static Status no_table(StoreConn *conn, Str table, Diag *diag)
{
    AUTO_BUF Buf text;
    buf_init(&text, 2048);
    put_tables(conn, &text);
    return diag_set(diag, ST_NOT_FOUND,
                    "there is no table %.*s yet: it comes with the first row of `into historian "
                    "%.*s`%.*s",
                    STR_ARG(table), STR_ARG(table), STR_ARG(buf_view(&text)));
}

MUST static Status columns_of(StoreConn *conn, Arena *arena, Str table, const Json **ret_columns,
                              Diag *diag)
{
    StoreStmt *stmt;
    bool row = false;
    Status st =
        store_prepare(conn, "SELECT columns FROM record_tables WHERE name = ?1", &stmt, diag);
    if (st) return st;
    store_bind_str(stmt, 1, table);
    st = store_step(stmt, &row, diag);
    if (st) return st;
    if (!row) return no_table(conn, table, diag);
    Str text = arena_str(arena, store_str(stmt, 0));
    store_reset(stmt);
    return text.ptr ? json_read(arena, text, ret_columns, diag)
                    : diag_set(diag, ST_NO_MEMORY, "no memory for the table");
}

static void put_names(const Json *columns, Buf *out)
{
    for (const Json *c = columns->first; c; c = c->next)
        buf_printf(out, "%s%.*s", c == columns->first ? "" : ", ",
                   STR_ARG(json_str(c, "name", STR_NONE)));
}

MUST static Status no_column(Str table, const RowsColumn *column, const Json *columns, Diag *diag)
{
    AUTO_BUF Buf names;
    buf_init(&names, 16 << 10);
    put_names(columns, &names);
    return diag_set(diag, ST_NOT_FOUND,
                    "table %.*s has no column %.*s: write %.*s: %s? if it may be missing; its "
                    "columns are %.*s",
                    STR_ARG(table), STR_ARG(column->name), STR_ARG(column->name),
                    word_of(column->want), STR_ARG(buf_view(&names)));
}

MUST static Status match(RowsTable *rows, Str table, Str wanted, const Json *columns, Diag *diag)
{
    RowsColumn column;
    bool needed, first = true;
    while (next_wanted(&wanted, &column, &needed)) {
        const Json *have = columns->first;
        while (have && !str_eq(json_str(have, "name", STR_NONE), column.name)) have = have->next;
        if (rows->count == ROWS_COLUMNS_MAX)
            return diag_set(diag, ST_LIMIT, "at most %d columns are read", ROWS_COLUMNS_MAX);
        if (!have && needed) return no_column(table, &column, columns, diag);
        column.there = have != NULL;
        column.have = have ? letter_of(json_str(have, "type", STR_NONE)) : 0;
        if (have && !may_be_read_as(column.have, column.want))
            return diag_set(diag, ST_CONFLICT,
                            "column %.*s of table %.*s is %s and is read as %s: write %.*s: %s",
                            STR_ARG(column.name), STR_ARG(table), word_of(column.have),
                            word_of(column.want), STR_ARG(column.name), word_of(column.have));
        if (have) buf_printf(&rows->select, "%s\"%.*s\"", first ? "" : ", ", STR_ARG(column.name));
        first &= !have;
        rows->columns[rows->count++] = column;
    }
    if (first) buf_text(&rows->select, "1"); /* rows without a column are rows, too */
    return buf_status(&rows->select) ? diag_set(diag, ST_LIMIT, "too many columns") : ST_OK;
}

static bool has_column(const Json *columns, const char *name)
{
    for (const Json *c = columns->first; c; c = c->next) {
        Str have = json_str(c, "name", STR_NONE);
        if (have.len == strlen(name) && strncasecmp(have.ptr, name, have.len) == 0) return true;
    }
    return false;
}

/* Whether the file has what `sql` looks for, by the names of the table. */
MUST static Status look(StoreConn *conn, const char *sql, Str table, bool *ret_there, Diag *diag)
{
    StoreStmt *stmt;
    *ret_there = false;
    Status st = store_prepare(conn, sql, &stmt, diag);
    if (st) return st;
    store_bind_str(stmt, 1, table);
    st = store_step(stmt, ret_there, diag);
    if (!st && *ret_there) store_reset(stmt);
    return st;
}

Status rows_open(StoreConn *conn, Str table, Str wanted, RowsTable *ret_rows, Diag *diag)
{
    static const char *const rowids[] = {"rowid", "_rowid_", "oid"};
    const Json *columns = NULL;
    RowsTable *rows = ret_rows;
    memset(rows, 0, sizeof *rows);
    buf_init(&rows->select, ROWS_SQL_BYTES_MAX);
    Arena *arena = arena_new(4096, 1 << 20);
    Status st = arena ? ST_OK : diag_set(diag, ST_NO_MEMORY, "no memory for the table");
    if (!st) st = columns_of(conn, arena, table, &columns, diag);
    if (!st) st = match(rows, table, wanted, columns, diag);
    for (size_t i = COUNT_OF(rowids); !st && i-- > 0;)
        if (!has_column(columns, rowids[i])) rows->rowid = rowids[i];
    if (!st && !rows->rowid)
        st = diag_set(diag, ST_UNSUPPORTED,
                      "table %.*s cannot be read in order: it has columns rowid, _rowid_ and oid",
                      STR_ARG(table));
    if (!st)
        st =
            look(conn, "SELECT 1 FROM pragma_table_info('h_' || ?1) WHERE name = '" ROWS_NUMBER "'",
                 table, &rows->numbered, diag);
    if (!st)
        st = look(conn, "SELECT 1 FROM sqlite_master WHERE type = 'index' AND name = 'i_' || ?1",
                  table, &rows->indexed, diag);
    arena_free(arena);
    if (st) rows_done(rows);
    return st;
}

void rows_done(RowsTable *rows)
{
    buf_done(&rows->select);
}

/* ---- rows ---- */

static void put_cell(const RowsColumn *column, StoreStmt *stmt, int at, JsonOut *out)
{
    char room[40];
    switch (column->have) {
    case 'b': json_put_bool(out, store_int(stmt, at) != 0); break;
    case 'i': json_put_int(out, store_int(stmt, at)); break;
    case 'n': json_put_number(out, store_number(stmt, at)); break;
    case 'd':
        *rfc3339_put(room, store_int(stmt, at)) = 0;
        json_put_str(out, str_from(room));
        break;
    default:
        if (column->want == 'j')
            json_put_raw(out, store_str(stmt, at));
        else
            json_put_str(out, store_str(stmt, at));
    }
}

void rows_put(const RowsTable *rows, StoreStmt *stmt, int at, Buf *out)
{
    JsonOut json;
    json_out_init(&json, out);
    json_begin_object(&json);
    for (uint32_t i = 0; i < rows->count; i++) {
        const RowsColumn *column = &rows->columns[i];
        if (!column->there) continue;
        if (!store_is_null(stmt, at)) {
            json_key_str(&json, column->name);
            put_cell(column, stmt, at, &json);
        }
        at++;
    }
    json_end(&json);
}
