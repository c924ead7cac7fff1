/* runtime/peer/pg.c: statements on one connection to PostgreSQL.
 *
 * libpq is used without blocking: what it wants to wait for is waited for here, with a deadline.
 * A connection on which something did not end in time is marked broken and closed when it is given
 * back; the server has ended the statement by then (statement_timeout, see pg_pool.c). */
#include "peer/pg_int.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"

#include <stdio.h>

enum {
    GRACE_MS = 200,  /* the server's own word about a timeout may come so late */
    REST_ROWS = 1000 /* read to its end rather than closed */
};

static Status status_of(const char *state)
{
    static const struct {
        const char *begin;
        Status status;
    } list[] = {{"57014", ST_TIMEOUT},  {"57", ST_UNAVAILABLE}, {"08", ST_UNAVAILABLE},
                {"53100", ST_IO},       {"53", ST_BUSY},        {"58", ST_IO},
                {"40", ST_BUSY},        {"55P03", ST_BUSY},     {"25006", ST_INVALID},
                {"22", ST_CONFLICT},    {"23", ST_CONFLICT},    {"28", ST_UNAVAILABLE},
                {"XX", ST_UNAVAILABLE}, {"", ST_INVALID}};
    for (size_t i = 0; i < COUNT_OF(list); i++)
        if (strncmp(state, list[i].begin, strlen(list[i].begin)) == 0) return list[i].status;
    return ST_INVALID;
}

const char *pg_sqlstate(const Pg *pg)
{
    return pg->sqlstate;
}

void pg_put_name(Buf *out, Str name)
{
    buf_char(out, '"');
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '"') buf_char(out, '"');
        buf_char(out, name.ptr[i]);
    }
    buf_char(out, '"');
}

MUST static Status lost(Pg *pg, Status status, Diag *diag)
{
    pg->broken = true;
    if (status == ST_TIMEOUT) return diag_set(diag, status, "no answer in time");
    if (status == ST_CANCELLED) return diag_set(diag, status, "stopped");
    return pg__say(diag, ST_UNAVAILABLE, "", pg__lib(pg->pool)->errorMessage(pg->conn));
}

MUST static Status flushed(Pg *pg, const PgWait *wait, Diag *diag)
{
    const PqLib *lib = pg__lib(pg->pool);
    int left;
    while ((left = lib->flush(pg->conn)) == 1) {
        Status st = pg__poll(lib->socket(pg->conn), true, wait);
        if (st) return lost(pg, st, diag);
        if (!lib->consumeInput(pg->conn)) return lost(pg, ST_UNAVAILABLE, diag);
    }
    return left ? lost(pg, ST_UNAVAILABLE, diag) : ST_OK;
}

/* The next result, or NULL at the end. */
MUST static Status next(Pg *pg, const PgWait *wait, PqResult **ret_result, Diag *diag)
{
    const PqLib *lib = pg__lib(pg->pool);
    PgWait late = *wait;
    late.deadline_ns += GRACE_MS * NS_PER_MS;
    while (lib->isBusy(pg->conn)) {
        Status st = pg__poll(lib->socket(pg->conn), false, &late);
        if (st) return lost(pg, st, diag);
        if (!lib->consumeInput(pg->conn)) return lost(pg, ST_UNAVAILABLE, diag);
    }
    *ret_result = lib->getResult(pg->conn);
    return ST_OK;
}

MUST static Status failure(Pg *pg, const PqResult *result, Diag *diag)
{
    const PqLib *lib = pg__lib(pg->pool);
    const char *state = lib->resultErrorField(result, PQ_DIAG_SQLSTATE);
    const char *text = lib->resultErrorField(result, PQ_DIAG_PRIMARY);
    if (!state) return lost(pg, ST_UNAVAILABLE, diag); /* libpq's own: the connection is gone */
    (void)snprintf(pg->sqlstate, sizeof pg->sqlstate, "%s", state);
    if (lib->status(pg->conn) != PQ_CONNECTION_OK) pg->broken = true;
    return pg__say(diag, status_of(state), "", text ? text : lib->resultErrorMessage(result));
}

typedef struct Rows {
    Pg *pg;
    PgRowFn *fn;
    void *ctx;
    uint32_t rest; /* rows nobody wants any more */
    bool enough;
    Status status;
    Diag *diag;
    PgCell *cells; /* heap */
} Rows;

static void take_row(Rows *rows, const PqResult *result)
{
    const PqLib *lib = pg__lib(rows->pg->pool);
    int count = lib->nfields(result);
    if (count > PG_COLUMNS_MAX) count = PG_COLUMNS_MAX;
    for (int i = 0; i < count; i++) {
        const char *text = lib->getvalue(result, 0, i);
        rows->cells[i].name = str_from(lib->fname(result, i));
        rows->cells[i].type = lib->ftype(result, i);
        rows->cells[i].text = lib->getisnull(result, 0, i)
                                  ? STR_NONE
                                  : (Str){text, (size_t)lib->getlength(result, 0, i)};
    }
    Status st = rows->fn(rows->ctx, rows->cells, (uint32_t)count, rows->diag);
    rows->enough = st != ST_OK;
    if (st != ST_CANCELLED) rows->status = st;
}

/* Reads all results of what was sent. */
MUST static Status read_all(Rows *rows, const PgWait *wait)
{
    Pg *pg = rows->pg;
    const PqLib *lib = pg__lib(pg->pool);
    for (;;) {
        PqResult *result = NULL;
        Status st = next(pg, wait, &result, rows->diag);
        if (st) return st;
        if (!result) return rows->status;
        int kind = lib->resultStatus(result);
        bool fine = kind == PQ_COMMAND_OK || kind == PQ_TUPLES_OK || kind == PQ_SINGLE_TUPLE;
        if (!fine && !rows->status) {
            rows->status = failure(pg, result, rows->diag);
            rows->enough = true;
        }
        if (kind == PQ_SINGLE_TUPLE && rows->fn && !rows->enough) take_row(rows, result);
        lib->clear(result);
        if (pg->broken) return rows->status;
        if (rows->enough && rows->rest++ > REST_ROWS) {
            pg->broken = true; /* closing is quicker than reading what nobody wants */
            return rows->status;
        }
    }
}

MUST static Status command(Pg *pg, const PgWait *wait, int sent, Diag *diag)
{
    Rows none = {.pg = pg, .diag = diag};
    if (!sent) return lost(pg, ST_UNAVAILABLE, diag);
    Status st = flushed(pg, wait, diag);
    return st ? st : read_all(&none, wait);
}

MUST static Status count_values(Pg *pg, const PgWait *wait, const char *name, uint32_t *ret_count,
                                Diag *diag)
{
    const PqLib *lib = pg__lib(pg->pool);
    PqResult *result = NULL;
    if (!lib->sendDescribePrepared(pg->conn, name)) return lost(pg, ST_UNAVAILABLE, diag);
    Status st = flushed(pg, wait, diag);
    if (!st) st = next(pg, wait, &result, diag);
    if (st) return st;
    *ret_count = result ? (uint32_t)lib->nparams(result) : 0;
    if (result) lib->clear(result);
    Rows none = {.pg = pg, .diag = diag};
    return read_all(&none, wait);
}

/* Names the statement `name`, which this connection may know already. */
MUST static Status prepare(Pg *pg, const PgWait *wait, const char *sql, uint32_t count, char *name,
                           size_t name_bytes, Diag *diag)
{
    const PqLib *lib = pg__lib(pg->pool);
    uint64_t hash = hash_bytes(sql, strlen(sql));
    uint32_t at = 0;
    (void)snprintf(name, name_bytes, "t%016llx", (unsigned long long)hash);
    while (at < pg->prepared_count && pg->prepared[at].hash != hash) at++;
    if (at == PG_PREPARED_MAX) {
        int sent = lib->sendQueryParams(pg->conn, "deallocate all", 0, NULL, NULL, NULL, NULL, 0);
        Status st = command(pg, wait, sent, diag);
        if (st) return st;
        pg->prepared_count = at = 0;
    }
    if (at == pg->prepared_count) {
        uint32_t values = 0;
        Status st = command(pg, wait, lib->sendPrepare(pg->conn, name, sql, 0, NULL), diag);
        if (!st) st = count_values(pg, wait, name, &values, diag);
        if (st) return st;
        pg->prepared[at].hash = hash;
        pg->prepared[at].values = values;
        pg->prepared_count++;
    }
    if (pg->prepared[at].values == count) return ST_OK;
    return diag_set(diag, ST_INVALID, "a field between quotes is text and no value");
}

Status pg_query(Pg *pg, const PgWait *wait, const char *sql, const char *const *values,
                uint32_t count, PgRowFn *row, void *ctx, Diag *diag)
{
    const PqLib *lib = pg__lib(pg->pool);
    char name[24];
    pg->sqlstate[0] = 0;
    Status st = prepare(pg, wait, sql, count, name, sizeof name, diag);
    if (st) return st;
    if (!lib->sendQueryPrepared(pg->conn, name, (int)count, values, NULL, NULL, 0))
        return lost(pg, ST_UNAVAILABLE, diag);
    if (row) (void)lib->setSingleRowMode(pg->conn);
    st = flushed(pg, wait, diag);
    if (st) return st;
    Rows rows = {.pg = pg, .fn = row, .ctx = ctx, .diag = diag};
    if (row && !(rows.cells = mem_zalloc(PG_COLUMNS_MAX, sizeof *rows.cells)))
        return lost(pg, ST_NO_MEMORY, diag);
    st = read_all(&rows, wait);
    mem_free(rows.cells);
    return st;
}

/* ---- COPY ---- */

enum { COPY_BYTES = 64 << 10 };

static Status put_data(Pg *pg, const PgWait *wait, Str data, Diag *diag)
{
    const PqLib *lib = pg__lib(pg->pool);
    while (data.len) {
        int part = data.len < COPY_BYTES ? (int)data.len : COPY_BYTES;
        int put = lib->putCopyData(pg->conn, data.ptr, part);
        if (put < 0) return lost(pg, ST_UNAVAILABLE, diag);
        if (put) data = str_skip(data, (size_t)part);
        Status st = flushed(pg, wait, diag);
        if (st) return st;
    }
    for (;;) {
        int put = lib->putCopyEnd(pg->conn, NULL);
        if (put < 0) return lost(pg, ST_UNAVAILABLE, diag);
        Status st = flushed(pg, wait, diag);
        if (st || put) return st;
    }
}

Status pg_copy(Pg *pg, const PgWait *wait, const char *sql, Str data, Diag *diag)
{
    const PqLib *lib = pg__lib(pg->pool);
    PqResult *result = NULL;
    Rows rows = {.pg = pg, .diag = diag};
    pg->sqlstate[0] = 0;
    if (!lib->sendQueryParams(pg->conn, sql, 0, NULL, NULL, NULL, NULL, 0))
        return lost(pg, ST_UNAVAILABLE, diag);
    Status st = flushed(pg, wait, diag);
    if (!st) st = next(pg, wait, &result, diag);
    if (st) return st;
    bool ready = result && lib->resultStatus(result) == PQ_COPY_IN;
    if (!ready && result) rows.status = failure(pg, result, diag);
    if (result) lib->clear(result);
    if (ready) st = put_data(pg, wait, data, diag);
    return st ? st : read_all(&rows, wait);
}
