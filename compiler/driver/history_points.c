/* compiler/driver/history_points.c: see history_points.h.
 *
 * The history has a series for each topic whose value is a number or a truth value, and for each
 * such field of a record, below its topic (runtime/modules/uns/uns_payload.c says what is what). A
 * record is made again of all points of a topic that have one time. A value that did not change was
 * not always written, so fields hold until their next point. What is no number is not there: of
 * times the record gets that of its points. */
#include "compiler/driver/history_points.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/rfc3339.h"
#include "mqtt/codec.h"
#include "series/series.h"

#include <math.h>
#include <sqlite3.h>

enum { BUSY_MS = 5000, RECORD_BYTES_MAX = 1 << 20 };
enum { FIELD_NONE, FIELD_NUMBER, FIELD_BOOL, FIELD_TAG, FIELD_TIME, FIELD_QUALITY };

typedef struct Cell {
    double value;
    int64_t quality;
    bool has;
} Cell;

typedef struct Topic {
    Str name;
    Cell *cells; /* by field */
} Topic;

typedef struct History {
    const HistoryWish *wish;
    const IrSchema *type;
    int *kinds;         /* by field */
    uint32_t own_value; /* field `value`, that a topic's own value goes to, or NO_INDEX */
    Arena *arena;
    Topic *topics;
    uint32_t topic_count, topic_cap;
    sqlite3 *db;
    Buf record;
    Diag *diag;
} History;

static Status no_memory(const History *h)
{
    return diag_set(h->diag, ST_NO_MEMORY, "out of memory");
}

static Status sql_failed(const History *h)
{
    return diag_set(h->diag, ST_INVALID, "the history cannot be read: %s", sqlite3_errmsg(h->db));
}

/* ---- the type ---- */

static bool is_number(const IrField *f)
{
    return (f->type >= IR_I32 && f->type <= IR_F64) || f->type == IR_DECIMAL;
}

static int kind_of(const History *h, const IrField *f)
{
    if (f->type == IR_BOOL) return FIELD_BOOL;
    if (f->type == IR_TIME) return FIELD_TIME;
    if (is_number(f)) return FIELD_NUMBER;
    if (str_is(f->name, "quality") && h->own_value != NO_INDEX) return FIELD_QUALITY;
    if (f->type != IR_RECORD) return FIELD_NONE;
    const IrSchema *inner = &h->wish->ir->schemas[f->record];
    bool tag = inner->count >= 2 && str_is(inner->fields[0].name, "value") &&
               str_is(inner->fields[1].name, "quality") &&
               (is_number(&inner->fields[0]) || inner->fields[0].type == IR_BOOL);
    return tag ? FIELD_TAG : FIELD_NONE;
}

MUST static Status read_type(History *h)
{
    const IrPipeline *p = h->wish->pipeline;
    IrFormat format = p->sources[0].format;
    if ((format != FORMAT_JSON && format != FORMAT_NONE) || p->in_schema == NO_INDEX)
        return diag_set(h->diag, ST_UNSUPPORTED,
                        "pipeline %.*s does not read JSON, and records of the history are JSON: "
                        "replay a recording instead",
                        STR_ARG(p->name));
    h->type = &h->wish->ir->schemas[p->in_schema];
    h->kinds = arena_many(h->arena, int, h->type->count + 1);
    if (!h->kinds) return no_memory(h);
    h->own_value = NO_INDEX;
    for (uint32_t i = 0; i < h->type->count; i++)
        if (str_is(h->type->fields[i].name, "value")) h->own_value = i;
    for (uint32_t i = 0; i < h->type->count; i++) {
        const IrField *f = &h->type->fields[i];
        h->kinds[i] = kind_of(h, f);
        if (h->kinds[i] != FIELD_NONE || f->optional) continue;
        return diag_set(h->diag, ST_UNSUPPORTED,
                        "the history keeps numbers and truth values only, and every record of "
                        "pipeline %.*s has `%.*s`, a %s: make that field optional, or replay a "
                        "recording",
                        STR_ARG(p->name), STR_ARG(f->name), ir_type_name(f->type));
    }
    return ST_OK;
}

/* ---- the series ---- */

static Topic *topic_at(History *h, Str name, uint32_t *ret_index)
{
    for (uint32_t i = 0; i < h->topic_count; i++)
        if (str_eq(h->topics[i].name, name)) {
            *ret_index = i;
            return &h->topics[i];
        }
    if (h->topic_count == h->topic_cap) {
        uint32_t cap = h->topic_cap ? 2 * h->topic_cap : 64;
        Topic *grown = arena_many(h->arena, Topic, cap);
        if (!grown) return NULL;
        if (h->topic_count) memcpy(grown, h->topics, h->topic_count * sizeof *grown);
        h->topics = grown;
        h->topic_cap = cap;
    }
    Topic topic = {arena_str(h->arena, name), arena_many(h->arena, Cell, h->type->count + 1)};
    if (!topic.name.ptr || !topic.cells) return NULL;
    *ret_index = h->topic_count;
    h->topics[h->topic_count] = topic;
    return &h->topics[h->topic_count++];
}

/* Which topic and field a path is of; false: none that is wanted. */
static bool field_at(const History *h, Str path, Str *ret_topic, uint32_t *ret_field)
{
    for (uint32_t i = 0; i < h->type->count; i++) {
        Str name = h->type->fields[i].name;
        int kind = h->kinds[i];
        bool here = (kind == FIELD_NUMBER || kind == FIELD_BOOL || kind == FIELD_TAG) &&
                    path.len > name.len + 1 && path.ptr[path.len - name.len - 1] == '/' &&
                    str_eq(str_skip(path, path.len - name.len), name);
        *ret_topic = here ? str_slice(path.ptr, path.len - name.len - 1) : path;
        *ret_field = i;
        if (here && mqtt_topic_match(h->wish->filter, *ret_topic)) return true;
    }
    *ret_topic = path;
    *ret_field = h->own_value;
    return h->own_value != NO_INDEX && mqtt_topic_match(h->wish->filter, path);
}

MUST static Status want(History *h, sqlite3_stmt *insert, int64_t series, Str path)
{
    Str topic;
    uint32_t field, at;
    if (!field_at(h, path, &topic, &field)) return ST_OK;
    if (!topic_at(h, topic, &at)) return no_memory(h);
    (void)sqlite3_reset(insert);
    (void)sqlite3_bind_int64(insert, 1, series);
    (void)sqlite3_bind_int64(insert, 2, at);
    (void)sqlite3_bind_int64(insert, 3, field);
    return sqlite3_step(insert) == SQLITE_DONE ? ST_OK : sql_failed(h);
}

/* The table `wanted` of this connection: series, topic, field. */
MUST static Status find_series(History *h)
{
    sqlite3_stmt *list = NULL, *insert = NULL;
    Status st = ST_OK;
    if (sqlite3_exec(h->db,
                     "CREATE TEMP TABLE wanted(id INTEGER PRIMARY KEY, topic INTEGER, field "
                     "INTEGER)",
                     NULL, NULL, NULL) ||
        sqlite3_prepare_v2(h->db, "SELECT id, path FROM main.series ORDER BY id", -1, &list,
                           NULL) ||
        sqlite3_prepare_v2(h->db, "INSERT INTO temp.wanted VALUES(?1, ?2, ?3)", -1, &insert, NULL))
        st = sql_failed(h);
    int code = SQLITE_DONE;
    while (!st && (code = sqlite3_step(list)) == SQLITE_ROW) {
        const char *path = (const char *)sqlite3_column_text(list, 1);
        if (path) st = want(h, insert, sqlite3_column_int64(list, 0), str_from(path));
    }
    if (!st && code != SQLITE_DONE) st = sql_failed(h);
    (void)sqlite3_finalize(list);
    (void)sqlite3_finalize(insert);
    if (st || h->topic_count) return st;
    return diag_set(
        h->diag, ST_NOT_FOUND,
        "the history holds nothing of `%.*s` that this type reads: \"tutti history sql\" "
        "lists its paths (select path from paths)",
        STR_ARG(h->wish->filter));
}

/* ---- records ---- */

static void put_time(JsonOut *json, const IrField *f, int64_t t_ns)
{
    static const int64_t unit[] = {1, NS_PER_S, NS_PER_MS, 1000, 1};
    char text[RFC3339_BYTES];
    if (f->time_read != IR_TIME_TEXT)
        json_put_int(json, t_ns / unit[f->time_read]);
    else
        json_put_str(json, str_slice(text, (size_t)(rfc3339_put(text, t_ns) - text)));
}

static void put_value(JsonOut *json, const IrField *f, double value)
{
    if (f->type == IR_BOOL)
        json_put_bool(json, value != 0);
    else if (value == floor(value) && fabs(value) < 9007199254740992.0)
        json_put_int(json, (int64_t)value);
    else
        json_put_number(json, value);
}

static const char *quality_name(int64_t quality)
{
    return quality == 0 ? "good" : quality == 1 ? "uncertain" : "bad";
}

static void put_tag(JsonOut *json, const IrField *value, const Cell *cell, int64_t t_ns)
{
    json_begin_object(json);
    json_key(json, "value");
    put_value(json, value, cell->value);
    json_field_text(json, "quality", quality_name(cell->quality));
    json_key(json, "time");
    put_time(json, &(IrField){.time_read = IR_TIME_TEXT}, t_ns);
    json_end(json);
}

static bool put_record(History *h, const Topic *topic, int64_t t_ns, HistoryRecordFn *fn, void *ctx)
{
    JsonOut json;
    buf_clear(&h->record);
    json_out_init(&json, &h->record);
    json_begin_object(&json);
    for (uint32_t i = 0; i < h->type->count; i++) {
        const IrField *f = &h->type->fields[i];
        const Cell *cell = &topic->cells[i];
        bool of_value = h->kinds[i] == FIELD_QUALITY;
        if (of_value) cell = &topic->cells[h->own_value];
        if (h->kinds[i] == FIELD_NONE || (h->kinds[i] != FIELD_TIME && !cell->has)) continue;
        json_key_str(&json, f->name);
        if (h->kinds[i] == FIELD_TIME)
            put_time(&json, f, t_ns);
        else if (of_value)
            json_put_text(&json, quality_name(cell->quality));
        else if (h->kinds[i] == FIELD_TAG)
            put_tag(&json, &h->wish->ir->schemas[f->record].fields[0], cell, t_ns);
        else
            put_value(&json, f, cell->value);
    }
    json_end(&json);
    return !h->record.failed && fn(ctx, topic->name, t_ns, buf_view(&h->record));
}

static void set_cell(History *h, sqlite3_stmt *row)
{
    Topic *topic = &h->topics[sqlite3_column_int64(row, 0)];
    topic->cells[sqlite3_column_int64(row, 1)] =
        (Cell){sqlite3_column_double(row, 2), sqlite3_column_int64(row, 3), true};
}

/* The last values before the first record. */
MUST static Status before(History *h)
{
    static const char sql[] =
        "SELECT w.topic, w.field, p.value, p.quality, max(p.t) FROM temp.wanted w CROSS JOIN "
        "series_points p ON p.series = w.id WHERE p.t < ?1 GROUP BY w.id";
    sqlite3_stmt *rows = NULL;
    int code = sqlite3_prepare_v2(h->db, sql, -1, &rows, NULL);
    if (!code) code = sqlite3_bind_int64(rows, 1, h->wish->from_ns);
    while (!code && (code = sqlite3_step(rows)) == SQLITE_ROW) {
        set_cell(h, rows);
        code = SQLITE_OK;
    }
    (void)sqlite3_finalize(rows);
    return code == SQLITE_DONE ? ST_OK : sql_failed(h);
}

MUST static Status between(History *h, HistoryRecordFn *fn, void *ctx)
{
    static const char sql[] =
        "SELECT w.topic, w.field, p.value, p.quality, p.t FROM temp.wanted w CROSS JOIN "
        "series_points p ON p.series = w.id WHERE p.t >= ?1 AND p.t < ?2 "
        "ORDER BY p.t, w.topic, w.field";
    sqlite3_stmt *rows = NULL;
    const Topic *topic = NULL; /* whose points of `t` are being gathered */
    int64_t t = 0;
    bool more = true;
    int code = sqlite3_prepare_v2(h->db, sql, -1, &rows, NULL);
    if (!code) code = sqlite3_bind_int64(rows, 1, h->wish->from_ns);
    if (!code) code = sqlite3_bind_int64(rows, 2, h->wish->to_ns);
    while (!code && more && (code = sqlite3_step(rows)) == SQLITE_ROW) {
        const Topic *of = &h->topics[sqlite3_column_int64(rows, 0)];
        int64_t at = sqlite3_column_int64(rows, 4);
        if (topic && (of != topic || at != t)) more = put_record(h, topic, t, fn, ctx);
        topic = of;
        t = at;
        set_cell(h, rows);
        code = SQLITE_OK;
    }
    if (code == SQLITE_DONE && topic && more) (void)put_record(h, topic, t, fn, ctx);
    Status st = code && code != SQLITE_DONE ? sql_failed(h) : ST_OK;
    (void)sqlite3_finalize(rows);
    return st;
}

MUST static Status open_history(History *h)
{
    AUTO_BUF Buf path;
    buf_init(&path, 4096);
    buf_printf(&path, "%s/history.db", h->wish->data_dir);
    buf_char(&path, 0);
    if (path.failed) return diag_set(h->diag, ST_LIMIT, "the path of the data folder is too long");
    if (sqlite3_open_v2(path.ptr, &h->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL))
        return diag_set(h->diag, ST_NOT_FOUND, "%s is no data folder with a history: %s",
                        h->wish->data_dir, h->db ? sqlite3_errmsg(h->db) : "out of memory");
    (void)sqlite3_busy_timeout(h->db, BUSY_MS);
    return series_table_register(h->db) ? ST_OK : no_memory(h);
}

Status history_records(const HistoryWish *wish, HistoryRecordFn *fn, void *ctx, Diag *diag)
{
    History h = {.wish = wish, .arena = arena_new(64 << 10, 256 << 20), .diag = diag};
    if (!h.arena) return no_memory(&h);
    buf_init(&h.record, RECORD_BYTES_MAX);
    Status st = read_type(&h);
    if (!st) st = open_history(&h);
    if (!st) st = find_series(&h);
    if (!st && wish->from_ns > INT64_MIN) st = before(&h);
    if (!st) st = between(&h, fn, ctx);
    (void)sqlite3_close(h.db);
    buf_done(&h.record);
    arena_free(h.arena);
    return st;
}
