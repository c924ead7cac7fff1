/* runtime/deliver/pg_table.c: rows into a table of PostgreSQL.
 *
 * Up to DELIVER_ROWS_MAX rows go as one value, a JSON array, which the server takes apart by the
 * types of the table's own columns (json_populate_recordset): one statement, one transaction. Of
 * rows with the same key in one statement the last counts. When the server refuses a value
 * (SQLSTATE 22 or 23) fewer rows go at once, until the one it is about stands alone; COPY was not
 * taken because it knows no upsert. The table is not made here: its types are the database's
 * business. */
#include "deliver/deliver_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include "peer/pg.h"

enum { ROWS_BYTES = 1 << 20, STATEMENT_S = 30, CHECK_S = 3 };

typedef struct Self {
    PgPool *pool;
    Buf sql, rows;
    uint32_t size; /* rows at once; less after one was refused */
} Self;

static PgWait wait_of(Deliver *d, int64_t seconds)
{
    return (PgWait){clock_monotonic_ns() + seconds * NS_PER_S, d->host.halting, d->host.ctx};
}

/* "schema.table" is two names. */
static void put_table(const Deliver *d, Buf *out)
{
    Str name = str_from(d->sink->address);
    ptrdiff_t dot = str_find_char(name, '.');
    if (dot > 0) {
        pg_put_name(out, str_slice(name.ptr, (size_t)dot));
        buf_char(out, '.');
        name = str_skip(name, (size_t)dot + 1);
    }
    pg_put_name(out, name);
}

static void put_sql(Deliver *d, Buf *out)
{
    buf_text(out, "insert into ");
    put_table(d, out);
    buf_char(out, '(');
    deliver__put_names(d, out, false);
    buf_text(out, d->key_count ? ") select distinct on (" : ") select ");
    if (d->key_count) {
        deliver__put_names(d, out, true);
        buf_text(out, ") ");
    }
    deliver__put_names(d, out, false);
    buf_text(out, " from json_populate_recordset(null::");
    put_table(d, out);
    buf_text(out, ", $1::json) with ordinality");
    if (d->key_count) {
        buf_text(out, " order by ");
        deliver__put_names(d, out, true);
        buf_text(out, ", ordinality desc on conflict(");
        deliver__put_names(d, out, true);
        buf_char(out, ')');
        deliver__put_updates(d, out);
    }
    buf_char(out, 0);
}

static Status pg_open(Deliver *d, Diag *diag)
{
    Self *self = d->self;
    buf_init(&self->sql, 1 << 20);
    buf_init(&self->rows, 64 << 20);
    self->size = DELIVER_ROWS_MAX;
    Status st = deliver__columns(d, diag);
    if (!st) st = pg_pool(&d->link, &self->pool, diag);
    if (!st) put_sql(d, &self->sql);
    if (!st && self->sql.failed) st = diag_set(diag, ST_LIMIT, "the rows have too many columns");
    return st;
}

static void pg_close(Deliver *d)
{
    Self *self = d->self;
    pg_pool_unref(self->pool);
    buf_done(&self->sql);
    buf_done(&self->rows);
}

/* ---- does the table fit the rows ---- */

static const char *column_type(const RtField *field)
{
    switch (field->type) {
    case RT_BOOL: return "boolean";
    case RT_I32: return "integer";
    case RT_I64:
    case RT_U32: return "bigint";
    case RT_F32: return "real";
    case RT_F64: return "double precision";
    case RT_U64:
    case RT_DECIMAL: return "numeric";
    case RT_BYTES: return "bytea";
    case RT_TIME: return "timestamptz";
    case RT_DURATION: return "interval";
    case RT_JSON:
    case RT_LIST: return "json";
    default: return "text";
    }
}

typedef struct Fit {
    const Deliver *deliver;
    bool table, may_insert, may_update, key;
    bool found[DELIVER_COLUMNS_MAX];
    char wanted[200]; /* a column that must have a value and gets none */
} Fit;

/* One row for each column: name, whether it needs a value; the same words about the table in all.
 */
static Status on_column(void *ctx, const PgCell *cells, uint32_t count, Diag *diag)
{
    Fit *fit = ctx;
    bool found = false;
    if (count != 5) return diag_set(diag, ST_INTERNAL, "five columns");
    fit->table = true;
    fit->may_insert = str_is(cells[2].text, "t");
    fit->may_update = str_is(cells[3].text, "t");
    fit->key = str_is(cells[4].text, "t");
    for (uint32_t i = 0; i < fit->deliver->column_count; i++) {
        if (!str_eq(fit->deliver->columns[i].name, cells[0].text)) continue;
        fit->found[i] = found = true;
    }
    if (!found && str_is(cells[1].text, "t") && !fit->wanted[0]) {
        size_t len =
            cells[0].text.len < sizeof fit->wanted ? cells[0].text.len : sizeof fit->wanted - 1;
        memcpy(fit->wanted, cells[0].text.ptr, len);
    }
    return ST_OK;
}

MUST static Status no_table(const Deliver *d, Diag *diag)
{
    AUTO_BUF Buf sql;
    buf_init(&sql, 1 << 16);
    buf_text(&sql, "create table ");
    put_table(d, &sql);
    buf_char(&sql, '(');
    for (uint32_t i = 0; i < d->column_count; i++) {
        if (i) buf_text(&sql, ", ");
        pg_put_name(&sql, d->columns[i].name);
        buf_printf(&sql, " %s", column_type(deliver__field(&d->columns[i])));
    }
    if (d->key_count) {
        buf_text(&sql, ", primary key(");
        deliver__put_names(d, &sql, true);
        buf_char(&sql, ')');
    }
    buf_char(&sql, ')');
    return diag_set(diag, ST_INVALID, "there is no table %s; write: %.*s", d->sink->address,
                    STR_ARG(buf_view(&sql)));
}

MUST static Status judge(const Deliver *d, const Fit *fit, Diag *diag)
{
    const char *table = d->sink->address;
    AUTO_BUF Buf names;
    buf_init(&names, 4096);
    if (!fit->table) return no_table(d, diag);
    for (uint32_t i = 0; i < d->column_count; i++) {
        if (fit->found[i]) continue;
        return diag_set(diag, ST_INVALID,
                        "table %s has no column %.*s, and the rows have it; write: alter table %s "
                        "add column \"%.*s\" %s, or keep other fields before `into`",
                        table, STR_ARG(d->columns[i].name), table, STR_ARG(d->columns[i].name),
                        column_type(deliver__field(&d->columns[i])));
    }
    deliver__put_names(d, &names, true);
    if (fit->wanted[0])
        return diag_set(diag, ST_INVALID,
                        "column %s of table %s must have a value, and the rows have no such field",
                        fit->wanted, table);
    if (!fit->may_insert || (d->key_count && !fit->may_update))
        return diag_set(diag, ST_INVALID, "the user of connection %s may not %s table %s",
                        d->link.name, fit->may_insert ? "update" : "insert into", table);
    if (d->key_count && !fit->key)
        return diag_set(diag, ST_INVALID,
                        "table %s has no unique index on the key; write: create unique index on %s "
                        "(%.*s)",
                        table, table, STR_ARG(buf_view(&names)));
    return ST_OK;
}

/* The names of the key as an array's text: {"a","b"}. */
static void put_array(const Deliver *d, Buf *out)
{
    bool first = true;
    buf_char(out, '{');
    for (uint32_t i = 0; i < d->column_count; i++) {
        if (!d->columns[i].key) continue;
        if (!first) buf_char(out, ',');
        pg_put_name(out, d->columns[i].name);
        first = false;
    }
    buf_char(out, '}');
    buf_char(out, 0);
}

MUST static Status fits(Deliver *d, Pg *pg, const PgWait *wait, Diag *diag)
{
    static const char sql[] =
        "select a.attname::text, a.attnotnull and not a.atthasdef and a.attidentity = '', "
        "has_table_privilege(a.attrelid, 'insert'), has_table_privilege(a.attrelid, 'update'), "
        "exists (select from pg_index i where i.indrelid = a.attrelid and i.indisunique and "
        "i.indpred is null and (select array_agg(k.attname::text order by k.attname::text "
        "collate \"C\") from pg_attribute k where k.attrelid = i.indrelid and k.attnum = any "
        "(i.indkey[0:i.indnkeyatts - 1])) = (select array_agg(n order by n collate \"C\") from "
        "unnest($2::text[]) n)) "
        "from pg_attribute a where a.attrelid = to_regclass($1) and a.attnum > 0 and "
        "not a.attisdropped";
    AUTO_BUF Buf table, key;
    AUTO_FREE Fit *fit = mem_zalloc(1, sizeof *fit);
    buf_init(&table, 4096);
    buf_init(&key, 1 << 16);
    put_table(d, &table);
    buf_char(&table, 0);
    put_array(d, &key);
    if (!fit || table.failed || key.failed) return diag_set(diag, ST_NO_MEMORY, "out of memory");
    fit->deliver = d;
    const char *values[] = {table.ptr, key.ptr};
    Status st = pg_query(pg, wait, sql, values, 2, on_column, fit, diag);
    return st ? st : judge(d, fit, diag);
}

static Status pg_check(Deliver *d, Diag *diag)
{
    Self *self = d->self;
    Pg *pg = NULL;
    PgWait wait = wait_of(d, CHECK_S);
    Status st = pg_take(self->pool, &wait, false, &pg, diag);
    if (!st) st = fits(d, pg, &wait, diag);
    pg_give(pg);
    return st;
}

/* ---- rows ---- */

/* Base64 as PostgreSQL's hex. */
MUST static Status put_bytes(Deliver *d, Str text, JsonOut *json, Diag *diag)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char *bytes = arena_alloc(d->row, text.len + 1);
    char *out = arena_alloc(d->row, text.len * 2 + 2);
    if (!bytes || !out) return diag_set(diag, ST_NO_MEMORY, "out of memory");
    size_t count = deliver__bytes(text, bytes);
    out[0] = '\\';
    out[1] = 'x';
    for (size_t i = 0; i < count; i++) {
        out[2 + 2 * i] = hex[bytes[i] >> 4];
        out[3 + 2 * i] = hex[bytes[i] & 15];
    }
    json_put_str(json, str_slice(out, 2 + 2 * count));
    return ST_OK;
}

/* The row with the names of the columns. */
MUST static Status put_row(Deliver *d, Str text, JsonOut *json, Diag *diag)
{
    const Json *row = NULL;
    arena_reset(d->row);
    Status st = json_read(d->row, text, &row, diag);
    if (st) return st == ST_NO_MEMORY ? st : diag_set(diag, ST_CONFLICT, "the row cannot be read");
    json_begin_object(json);
    for (uint32_t i = 0; !st && i < d->column_count; i++) {
        const DeliverColumn *column = &d->columns[i];
        const Json *value = deliver__value(column, row);
        if (!value) continue;
        json_key_str(json, column->name);
        if (deliver__field(column)->type == RT_BYTES)
            st = put_bytes(d, value->text, json, diag);
        else
            json_put_raw(json, value->raw);
    }
    json_end(json);
    return st;
}

MUST static Status put_rows(Deliver *d, const DeliverRows *rows, uint32_t from, uint32_t *ret_count,
                            Diag *diag)
{
    Self *self = d->self;
    JsonOut json;
    uint32_t count = 0;
    Status st = ST_OK;
    buf_clear(&self->rows);
    json_out_init(&json, &self->rows);
    json_begin_array(&json);
    while (!st && from + count < rows->count && count < self->size &&
           (!count || self->rows.len < ROWS_BYTES)) {
        st = put_row(d, deliver__row(rows, from + count), &json, diag);
        if (!st) count++;
    }
    json_end(&json);
    if (st == ST_CONFLICT && count) st = ST_OK; /* its turn comes as the first of the next ones */
    buf_char(&self->rows, 0);
    if (!st && self->rows.failed)
        st = diag_set(diag, ST_CONFLICT, "the row is too long for a statement");
    *ret_count = count;
    return st;
}

static Status pg_some(Deliver *d, const DeliverRows *rows, uint32_t from, uint32_t *ret_done,
                      Diag *diag)
{
    Self *self = d->self;
    Pg *pg = NULL;
    uint32_t count = 0;
    PgWait wait = wait_of(d, STATEMENT_S);
    Status st = pg_take(self->pool, &wait, false, &pg, diag);
    while (!st) {
        st = put_rows(d, rows, from, &count, diag);
        if (st) break;
        const char *values[] = {self->rows.ptr};
        st = pg_query(pg, &wait, self->sql.ptr, values, 1, NULL, NULL, diag);
        if (st != ST_CONFLICT || count == 1) break;
        self->size = count / 2;
        st = ST_OK;
    }
    if (st == ST_INVALID) { /* the table changed: say how */
        Diag better = {0};
        if (fits(d, pg, &wait, &better) == ST_INVALID) *diag = better;
    }
    pg_give(pg);
    if (st) return st;
    if (self->size < DELIVER_ROWS_MAX / 2)
        self->size *= 2;
    else
        self->size = DELIVER_ROWS_MAX;
    *ret_done = count;
    return ST_OK;
}

const DeliverDriver deliver__postgres = {
    .kind = "postgres",
    .self_bytes = sizeof(Self),
    .open = pg_open,
    .check = pg_check,
    .some = pg_some,
    .close = pg_close,
};
