/* runtime/ask/pg.c: questions in SQL to PostgreSQL, by runtime/peer/pg.h.
 *
 * Values of the program are parameters; the server finds their types from where they stand. Cells
 * come as text and are written as the edge of a program reads them: times in RFC 3339, durations
 * as in programs, bytes in base64. Transactions are read-only: a question changes nothing. */
#include "ask/ask_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/rfc3339.h"
#include "peer/pg.h"

#include <sodium.h>

enum { VALUES_BYTES_MAX = 4 << 20, POOLS_MAX = 16 };

struct AskPools {
    struct {
        const RtAskInfo *ask;
        PgPool *pool;
    } list[POOLS_MAX];
};

typedef struct Answer {
    const RtAskInfo *ask;
    Buf *out;
    uint32_t rows;
} Answer;

MUST static Status find_pool(Asker *asker, const RtAskInfo *ask, PgPool **ret_pool, Diag *diag)
{
    if (!asker->pools && !(asker->pools = mem_zalloc(1, sizeof *asker->pools)))
        return diag_set(diag, ST_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < POOLS_MAX; i++) {
        if (asker->pools->list[i].ask == ask) {
            *ret_pool = asker->pools->list[i].pool;
            return ST_OK;
        }
        if (asker->pools->list[i].ask) continue;
        PeerLink link = {0};
        Status st = peer_link_read(str_from(ask->target), &link, diag);
        if (!st) st = pg_pool(&link, ret_pool, diag);
        peer_link_done(&link);
        if (st) return st;
        asker->pools->list[i].ask = ask;
        asker->pools->list[i].pool = *ret_pool;
        return ST_OK;
    }
    return diag_set(diag, ST_LIMIT, "a pipeline has at most %d questions to PostgreSQL", POOLS_MAX);
}

void ask__pg_done(Asker *asker)
{
    for (size_t i = 0; asker->pools && i < POOLS_MAX; i++)
        pg_pool_unref(asker->pools->list[i].pool);
    mem_free(asker->pools);
    asker->pools = NULL;
}

/* ---- values ---- */

/* Appends the value's text and its NUL. */
static void put_value(Buf *out, u8 type, const RtValue *v)
{
    char text[64];
    char *end = text;
    switch (type) {
    case RT_STR: buf_add(out, v->s.p ? v->s.p : "", v->s.n); break;
    case RT_BOOL: buf_text(out, v->i ? "true" : "false"); break;
    case RT_F64: end = num_put_f64(text, v->d); break;
    case RT_TIME: end = rfc3339_put(text, v->i); break;
    case RT_DURATION: /* in ns, as an interval whose last digits are microseconds */
        buf_printf(out, "%lld microseconds", (long long)(v->i / NS_PER_US));
        break;
    default: end = num_put_i64(text, v->i); break;
    }
    buf_add(out, text, (size_t)(end - text));
    buf_char(out, 0);
}

MUST static Status texts(const RtAskInfo *ask, const RtValue *values, const u8 *has, u32 count,
                         Buf *room, const char **ret_texts, Diag *diag)
{
    size_t at[PG_VALUES_MAX];
    if (count > PG_VALUES_MAX)
        return diag_set(diag, ST_LIMIT, "a question has at most %d values", PG_VALUES_MAX);
    for (u32 i = 0; i < count; i++) {
        at[i] = room->len;
        if (!has[i]) continue;
        if (ask->types[i] == RT_STR && values[i].s.n && memchr(values[i].s.p, 0, values[i].s.n))
            return diag_set(diag, ST_INVALID, "PostgreSQL takes no text with a NUL byte");
        put_value(room, ask->types[i], &values[i]);
    }
    if (room->failed) return diag_set(diag, ST_LIMIT, "the question is too long");
    for (u32 i = 0; i < count; i++) ret_texts[i] = has[i] ? room->ptr + at[i] : NULL;
    return ST_OK;
}

/* ---- cells ---- */

/* "2026-11-23 10:00:00.5+00", without a zone, or a date alone. What is none of them (infinity) is
 * left as it is, and no time. */
static Str as_time(const PgCell *cell, char *room, size_t room_bytes)
{
    bool date = cell->type == PG_OID_DATE;
    Str text = cell->text;
    if (cell->type == PG_OID_TIMESTAMPTZ && str_ends(text, STR("+00"))) text.len -= 3;
    size_t len = text.len + (date ? 10 : 1);
    if (len >= room_bytes || text.len < 10) return cell->text;
    memcpy(room, text.ptr, text.len);
    if (date)
        memcpy(room + text.len, "T00:00:00Z", 10);
    else
        room[text.len] = 'Z';
    if (!date && room[10] == ' ') room[10] = 'T';
    return (Str){room, len};
}

/* "P1DT2H30M4.5S" (ISO 8601, as the session asks for) as in programs; the empty text when it has
 * years or months, whose length nobody knows. */
static Str as_duration(Str text, char *room, size_t room_bytes)
{
    int64_t ns = 0;
    bool time = false;
    Str at = str_starts(text, STR("P")) ? str_skip(text, 1) : STR("?");
    while (at.len) {
        if (at.ptr[0] == 'T') {
            time = true;
            at = str_skip(at, 1);
            continue;
        }
        double number = 0;
        const char *end = num_get_f64(at.ptr, at.ptr + at.len, &number);
        if (!end || end == at.ptr + at.len) return STR("");
        double unit = !time && *end == 'D'  ? 86400e9
                      : time && *end == 'H' ? 3600e9
                      : time && *end == 'M' ? 60e9
                      : time && *end == 'S' ? 1e9
                                            : 0;
        double part = number * unit;
        if (unit == 0 || part > 9e18 || part < -9e18) return STR("");
        int64_t whole = (int64_t)(part < 0 ? part - 0.5 : part + 0.5);
        if (__builtin_add_overflow(ns, whole, &ns)) return STR("");
        at = str_skip(at, (size_t)(end - at.ptr) + 1);
    }
    if (room_bytes < DURATION_BYTES) return STR("");
    return (Str){room, (size_t)(duration_put(room, ns) - room)};
}

/* "\x00ff" as base64, behind what `room` holds. */
static Str as_base64(Str text, Buf *room)
{
    size_t bytes = text.len > 2 ? (text.len - 2) / 2 : 0, have = 0;
    AUTO_FREE unsigned char *raw = mem_alloc(bytes + 1);
    size_t need = sodium_base64_ENCODED_LEN(bytes, sodium_base64_VARIANT_ORIGINAL);
    buf_clear(room);
    char *out = buf_reserve(room, need);
    if (!raw || !out || text.len < 2 ||
        sodium_hex2bin(raw, bytes, text.ptr + 2, bytes * 2, NULL, &have, NULL))
        return STR("?");
    (void)sodium_bin2base64(out, need, raw, have, sodium_base64_VARIANT_ORIGINAL);
    return str_from(out);
}

static void put_cell(Buf *out, bool first, const RtField *field, const PgCell *cell)
{
    char room[64];
    AUTO_BUF Buf bytes;
    buf_init(&bytes, 16 << 20);
    Str text = cell->text;
    if (!text.ptr) {
    } else if (cell->type == PG_OID_BOOL) {
        if (field->type == RT_BOOL || field->type == RT_STR)
            text = text.ptr[0] == 't' ? STR("true") : STR("false");
        else
            text = text.ptr[0] == 't' ? STR("1") : STR("0");
    } else if ((cell->type == PG_OID_TIMESTAMPTZ || cell->type == PG_OID_TIMESTAMP ||
                cell->type == PG_OID_DATE) &&
               field->type == RT_TIME) {
        text = as_time(cell, room, sizeof room);
    } else if (cell->type == PG_OID_INTERVAL && field->type == RT_DURATION) {
        text = as_duration(text, room, sizeof room);
    } else if (cell->type == PG_OID_BYTEA) {
        text = as_base64(text, &bytes);
    }
    ask__cell(out, first, text);
}

static Status on_row(void *ctx, const PgCell *cells, uint32_t count, Diag *diag)
{
    Answer *a = ctx;
    const RtSchema *schema = a->ask->schema;
    size_t row = ask__row_begin(a->out);
    for (u32 i = 0; i < schema->count; i++) {
        const RtField *field = &schema->fields[i];
        const PgCell *cell = NULL;
        for (uint32_t c = 0; c < count && !cell; c++)
            if (str_is(cells[c].name, field->name)) cell = &cells[c];
        if (!cell) return diag_set(diag, ST_INVALID, "the answer has no column %s", field->name);
        if (!cell->text.ptr && !(field->flags & RT_OPTIONAL))
            return diag_set(diag, ST_INVALID, "%s is null, and its type says it is always there",
                            field->name);
        put_cell(a->out, i == 0, field, cell);
    }
    ask__row_end(a->out, row);
    if (a->out->failed) return diag_set(diag, ST_LIMIT, "the answer is too long");
    a->rows++;
    /* One row more than there may be says that there are too many. */
    return a->ask->single || a->rows > a->ask->rows_max ? ST_CANCELLED : ST_OK;
}

Status ask__pg(Asker *asker, const RtAskInfo *ask, const RtValue *values, const u8 *has, u32 count,
               Buf *out, Diag *diag)
{
    PgPool *pool = NULL;
    Pg *pg = NULL;
    const char *list[PG_VALUES_MAX];
    AUTO_BUF Buf room;
    buf_init(&room, VALUES_BYTES_MAX);
    PgWait wait = {asker->deadline_ns, asker->halting, asker->ctx};
    Answer answer = {.ask = ask, .out = out};
    Status st = texts(ask, values, has, count, &room, list, diag);
    if (!st) st = find_pool(asker, ask, &pool, diag);
    if (!st) st = pg_take(pool, &wait, true, &pg, diag);
    if (!st) st = pg_query(pg, &wait, ask->text, list, count, on_row, &answer, diag);
    pg_give(pg);
    return st;
}
