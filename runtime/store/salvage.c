/* runtime/store/salvage.c: a damaged file put aside, and what is readable of it in a new one.
 *
 * The new file has the tables of the migrations. A table that the damaged file describes in the
 * same words is read from its root. Pages whose parent is damaged are orphans; a row of one goes to
 * the only table that it fits, by number and kind of its columns and, where the owner of the file
 * can judge, by its content. What fits no table or several is lost and counted; it is still in the
 * file that was put aside. A table in other words (the file was of an older version) stays there.
 */
#include "store/salvage.h"

#include "base/arena.h"
#include "base/mem.h"

#include <strings.h>

enum { TABLES_MAX = 256, WORDS_BYTES_MAX = 64 * 1024 };

typedef struct Column {
    bool whole, real, text, blob; /* what its values may be; none of them: anything */
    bool needed;
} Column;

typedef struct Table {
    Str name, sql;
    Column columns[PAGES_COLUMNS_MAX];  /* in the order of the file */
    uint32_t places[PAGES_COLUMNS_MAX]; /* of these among the columns of the table */
    uint32_t count;
    int alias; /* the column that is the row's number; -1 = none */
    bool by_number, fill;
    const char *insert;
} Table;

typedef struct Entry { /* of the damaged file's list of tables and indexes */
    Str name, sql;
    uint32_t root;
    bool is_table;
} Entry;

typedef struct Salvage {
    StoreConn *conn;
    Arena *arena;
    Pages pages;
    StoreJudgeFn *judge;
    Table tables[TABLES_MAX];
    Entry entries[TABLES_MAX];
    uint32_t table_count, entry_count;
    const Table *at; /* the table whose tree is walked */
    uint64_t rows, unfit;
    Status status;
    Diag *diag;
} Salvage;

/* ---- what the new file has ---- */

static bool has(Str text, const char *word)
{
    for (size_t i = 0, len = strlen(word); i + len <= text.len; i++)
        if (!strncasecmp(text.ptr + i, word, len)) return true;
    return false;
}

static Column column_of(Str type, bool needed)
{
    return (Column){.whole = has(type, "INT"),
                    .real = has(type, "REAL"),
                    .text = has(type, "TEXT"),
                    .blob = has(type, "BLOB"),
                    .needed = needed};
}

/* Columns of the key come first where there is no number of a row. */
static Status columns_read(Salvage *s, Table *t)
{
    StoreStmt *stmt;
    bool row;
    Status st = store_prepare(s->conn,
                              "SELECT cid, name, type, \"notnull\", pk FROM pragma_table_info(?1)"
                              " ORDER BY CASE WHEN ?2 OR pk = 0 THEN 1000 + cid ELSE pk END",
                              &stmt, s->diag);
    if (st) return st;
    store_bind_str(stmt, 1, t->name);
    store_bind_int(stmt, 2, t->by_number);
    AUTO_BUF Buf names, values;
    buf_init(&names, WORDS_BYTES_MAX);
    buf_init(&values, WORDS_BYTES_MAX);
    while (!(st = store_step(stmt, &row, s->diag)) && row) {
        if (t->count == PAGES_COLUMNS_MAX) return diag_set(s->diag, ST_LIMIT, "too many columns");
        bool key = store_int(stmt, 4) > 0;
        Str type = store_str(stmt, 2);
        if (key && t->by_number && has(type, "INTEGER") && type.len == 7) t->alias = (int)t->count;
        t->columns[t->count] = column_of(type, key || store_int(stmt, 3));
        buf_printf(&names, "%s\"%.*s\"", t->count ? "," : "", STR_ARG(store_str(stmt, 1)));
        buf_printf(&values, "%s?%u", t->count ? "," : "", t->count + 1);
        t->count++;
    }
    if (st) return st;
    Str insert =
        arena_printf(s->arena, "INSERT OR IGNORE INTO \"%.*s\"(%.*s) VALUES(%.*s)",
                     STR_ARG(t->name), (int)names.len, names.ptr, (int)values.len, values.ptr);
    t->insert = insert.ptr;
    return buf_status(&names) || !insert.ptr ? ST_NO_MEMORY : ST_OK;
}

static Status is_empty(Salvage *s, Table *t)
{
    StoreStmt *stmt;
    bool row;
    Str sql = arena_printf(s->arena, "SELECT EXISTS(SELECT 1 FROM \"%.*s\")", STR_ARG(t->name));
    if (!sql.ptr) return ST_NO_MEMORY;
    Status st = store_prepare(s->conn, sql.ptr, &stmt, s->diag);
    if (!st) st = store_step(stmt, &row, s->diag);
    if (st) return st;
    t->fill = !store_int(stmt, 0);
    store_reset(stmt);
    return ST_OK;
}

static Status tables_read(Salvage *s)
{
    StoreStmt *stmt;
    bool row;
    Status st = store_prepare(s->conn,
                              "SELECT t.name, m.sql, t.wr FROM pragma_table_list t"
                              " JOIN sqlite_schema m ON m.type = 'table' AND m.name = t.name"
                              " WHERE t.schema = 'main' AND t.type = 'table'"
                              " AND t.name NOT LIKE 'sqlite_%' AND t.name <> 'tutti_migrations'",
                              &stmt, s->diag);
    while (!st && !(st = store_step(stmt, &row, s->diag)) && row) {
        if (s->table_count == TABLES_MAX) return diag_set(s->diag, ST_LIMIT, "too many tables");
        Table *t = &s->tables[s->table_count++];
        *t = (Table){.name = arena_str(s->arena, store_str(stmt, 0)),
                     .sql = arena_str(s->arena, store_str(stmt, 1)),
                     .by_number = !store_int(stmt, 2),
                     .alias = -1};
        if (!t->name.ptr || !t->sql.ptr) return ST_NO_MEMORY;
    }
    for (uint32_t i = 0; i < s->table_count && !st; i++) {
        st = columns_read(s, &s->tables[i]);
        if (!st) st = is_empty(s, &s->tables[i]);
    }
    return st;
}

/* ---- rows ---- */

static void row_put(Salvage *s, const Table *t, const PagesRow *row)
{
    StoreStmt *stmt;
    bool ignored;
    if (s->status || row->count > t->count) {
        s->unfit++;
        return;
    }
    s->status = store_prepare(s->conn, t->insert, &stmt, s->diag);
    if (s->status) return;
    for (uint32_t i = 0; i < t->count; i++) {
        int place = (int)i + 1;
        if ((int)i == t->alias)
            store_bind_int(stmt, place, row->id);
        else if (i >= row->count)
            store_bind_null(stmt, place);
        else
            store_bind_cell(stmt, place, &row->cells[i]);
    }
    int64_t before = store_total_changes(s->conn);
    Status st = store_step(stmt, &ignored, s->diag);
    if (!st && store_total_changes(s->conn) != before)
        s->rows++;
    else
        s->unfit++;
    if (st && st != ST_CONFLICT && st != ST_LIMIT) s->status = st; /* the new file refuses */
}

static void on_row(void *ctx, const PagesRow *row)
{
    Salvage *s = ctx;
    row_put(s, s->at, row);
}

static bool cell_fits(const Column *column, const StoreCell *cell)
{
    bool any = !column->whole && !column->real && !column->text && !column->blob;
    switch (cell->kind) {
    case STORE_NULL: return !column->needed;
    case STORE_INT: return any || column->whole || column->real;
    case STORE_NUMBER: return any || column->real;
    case STORE_TEXT: return any || column->text;
    case STORE_BLOB: return any || column->blob;
    }
    return false;
}

static bool row_fits(const Salvage *s, const Table *t, const PagesRow *row)
{
    if (!t->fill || !t->by_number || row->count != t->count) return false;
    for (uint32_t i = 0; i < t->count; i++)
        if ((int)i == t->alias ? row->cells[i].kind != STORE_NULL
                               : !cell_fits(&t->columns[i], &row->cells[i]))
            return false;
    return !s->judge || s->judge(t->name, row->cells, row->count);
}

static void on_orphan(void *ctx, const PagesRow *row)
{
    Salvage *s = ctx;
    const Table *only = NULL;
    for (uint32_t i = 0; i < s->table_count; i++) {
        if (!row_fits(s, &s->tables[i], row)) continue;
        if (only) {
            s->unfit++;
            return;
        }
        only = &s->tables[i];
    }
    if (only)
        row_put(s, only, row);
    else
        s->unfit++;
}

/* ---- what the damaged file has ---- */

static void on_entry(void *ctx, const PagesRow *row)
{
    Salvage *s = ctx;
    const StoreCell *c = row->cells;
    if (row->count != 5 || c[0].kind != STORE_TEXT || c[1].kind != STORE_TEXT ||
        c[3].kind != STORE_INT || c[3].integer < 2 || c[3].integer > UINT32_MAX ||
        s->entry_count == TABLES_MAX)
        return;
    Entry entry = {.name = arena_str(s->arena, c[1].bytes),
                   .sql = arena_str(s->arena, c[4].kind == STORE_TEXT ? c[4].bytes : STR_NONE),
                   .root = (uint32_t)c[3].integer,
                   .is_table = str_is(c[0].bytes, "table")};
    if (entry.name.ptr && entry.sql.ptr) s->entries[s->entry_count++] = entry;
}

static void nothing(void *ctx, const PagesRow *row)
{
    (void)ctx;
    (void)row;
}

static const Table *table_of(const Salvage *s, const Entry *entry)
{
    for (uint32_t i = 0; i < s->table_count; i++)
        if (entry->is_table && str_eq(s->tables[i].name, entry->name)) return &s->tables[i];
    return NULL;
}

/* Tables that no migration makes: their owner made them while it ran. */
static Status tables_made(Salvage *s)
{
    for (uint32_t i = 0; i < s->entry_count; i++) {
        const Entry *entry = &s->entries[i];
        if (!entry->is_table || table_of(s, entry) ||
            !str_starts(entry->sql, STR("CREATE TABLE")) ||
            str_starts(entry->name, STR("sqlite_")) || str_is(entry->name, "tutti_migrations"))
            continue;
        Diag ignored;
        if (store_exec(s->conn, entry->sql.ptr, &ignored)) s->unfit++;
    }
    s->table_count = 0;
    return tables_read(s);
}

static void walk_all(Salvage *s)
{
    for (uint32_t i = 0; i < s->entry_count; i++) {
        const Entry *entry = &s->entries[i];
        s->at = table_of(s, entry);
        bool take = s->at && s->at->fill && str_eq(s->at->sql, entry->sql);
        uint64_t lost = s->pages.lost;
        pages_walk(&s->pages, entry->root, take ? on_row : nothing, s);
        if (!entry->is_table) s->pages.lost = lost; /* an index is made anew */
    }
    for (uint32_t at = 0; pages_orphan(&s->pages, &at, on_orphan, s) && !s->status;) {
    }
}

Status store__salvage(StoreConn *conn, const StoreSalvageAsk *ask, uint64_t *ret_rows,
                      uint64_t *ret_lost, Diag *diag)
{
    Salvage *s = mem_zalloc(1, sizeof *s);
    if (!s) return ST_NO_MEMORY;
    s->conn = conn;
    s->judge = ask->judge;
    s->diag = diag;
    s->arena = arena_new(64 * 1024, 64 << 20);
    Status st = s->arena ? pages_open(&s->pages, ask->path, ask->page_bytes, diag) : ST_NO_MEMORY;
    if (!st) {
        pages_walk(&s->pages, 1, on_entry, s);
        pages_skip_free(&s->pages);
        st = tables_read(s);
    }
    if (!st && ask->whole) st = tables_made(s);
    if (!st) {
        walk_all(s);
        st = s->status;
        *ret_rows += s->rows;
        *ret_lost = s->pages.lost + s->unfit;
    }
    pages_close(&s->pages);
    arena_free(s->arena);
    mem_free(s);
    return st;
}
