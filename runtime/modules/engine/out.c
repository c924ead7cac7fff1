/* runtime/modules/engine/out.c: rows of a batch to the sinks that live on the main loop.
 *
 * An EngOut is what one batch made, one part per sink. A part is committed when its sink said so:
 * the embedded broker took the publish, the historian answered (its rows are on disk), the peer of
 * a connection acknowledged, the dead-letter rows are committed. A sink that is down is tried again
 * with growing pauses for as long as it takes: meanwhile at most ENGINE_FLIGHT_MAX batches wait
 * here and the source is held back. A row its sink will never take goes to the dead-letter table.
 * Batches of a pipeline are acknowledged in their order. */
#include "modules/engine/engine.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/rfc3339.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum { RECORD_ROWS = 500, RETRY_FIRST_MS = 100, RETRY_LAST_MS = 5000 };

static void part_run(EngPart *part);

Status engine__out_new(EngRun *run, EngOut **ret_out)
{
    EngOut *out = mem_zalloc(1, sizeof(*out));
    if (!out) {
        return ST_NO_MEMORY;
    }
    out->part_count = run->info->sink_count + 1;
    out->parts = mem_zalloc(out->part_count, sizeof(EngPart));
    if (!out->parts) {
        mem_free(out);
        return ST_NO_MEMORY;
    }
    out->pipe = run->pipe;
    out->version = engine__version_ref(run->version);
    for (uint32_t i = 0; i < out->part_count; i++) {
        EngPart *part = &out->parts[i];
        part->sink = i < run->info->sink_count ? &run->info->sinks[i] : NULL;
        part->out = out;
        buf_init(&part->bytes, ENGINE_OUT_BYTES);
        buf_init(&part->aside, ENGINE_OUT_BYTES);
    }
    buf_init(&out->notes, ENGINE_OUT_BYTES);
    *ret_out = out;
    return ST_OK;
}

void engine__out_free(EngOut *out)
{
    if (!out) {
        return;
    }
    for (uint32_t i = 0; i < out->part_count; i++) {
        buf_done(&out->parts[i].bytes);
        buf_done(&out->parts[i].aside);
        mem_free(out->parts[i].rows);
        mem_free(out->parts[i].refused);
        loop_timer_stop(out->parts[i].retry);
    }
    engine__version_unref(out->version);
    buf_done(&out->notes);
    mem_free(out->tokens);
    mem_free(out->parts);
    mem_free(out);
}

Status engine__part_take(EngPart *part, const RtOut *rows)
{
    if (part->count == 0) {
        buf_clear(&part->bytes);
        buf_clear(&part->aside);
    }
    uint64_t need = part->count + rows->row_count;
    if (need > part->cap) {
        uint64_t cap = need < 64 ? 64 : need * 2;
        RtRow *grown = cap < UINT32_MAX ? mem_realloc(part->rows, cap * sizeof(RtRow)) : NULL;
        if (!grown) {
            return ST_NO_MEMORY;
        }
        part->rows = grown;
        part->cap = (uint32_t)cap;
    }
    size_t bytes_at = part->bytes.len, aside_at = part->aside.len;
    if (!buf_reserve(&part->bytes, rows->len) || !buf_reserve(&part->aside, rows->aside_len)) {
        part->bytes.failed = part->aside.failed = ST_OK;
        return ST_NO_MEMORY;
    }
    buf_add(&part->bytes, rows->bytes, rows->len);
    buf_add(&part->aside, rows->aside, rows->aside_len);
    for (uint64_t i = 0; i < rows->row_count; i++) {
        RtRow row = rows->rows[i];
        row.start += bytes_at;
        row.address += aside_at;
        row.key += aside_at;
        part->rows[part->count++] = row;
    }
    return ST_OK;
}

static bool is_bytes(const EngPart *part)
{
    return part->sink && part->sink->schema && flow_is_bytes(flow_format(part->sink->format));
}

static Str row_text(const EngPart *part, uint32_t index)
{
    const RtRow *row = &part->rows[index];
    Str text = {part->bytes.ptr + row->start, row->len};
    bool raw = part->sink && (str_is(str_from(part->sink->format), "raw") || is_bytes(part));
    if (!raw && text.len && text.ptr[text.len - 1] == '\n') {
        text.len--; /* the line end of our own */
    }
    return text;
}

static Str row_address(const EngPart *part, uint32_t index)
{
    const RtRow *row = &part->rows[index];
    if (part->sink->flags & RT_SINK_ADDRESS) {
        return (Str){part->aside.ptr + row->address, row->address_len};
    }
    return str_from(part->sink->address);
}

/* Of a row of `into stream`, made in `buf`. */
static Str stream_topic(const EngPart *part, Buf *buf)
{
    buf_init(buf, 4096);
    buf_printf(buf, "%s%s", ENGINE_STREAMS, part->sink->address);
    return buf_view(buf);
}

/* ---- commits, in order ---- */

static void note_places(EngPipe *pipe)
{
    int error = engine__places_write(pipe, false);
    if (error) { /* the next one tries again; until then a crash would bring rows once more */
        log_warn(pipe->engine->env->log, "engine", "how far a table was read cannot be written",
                 "pipeline=%s reason=%s", pipe->name, strerror(error));
    }
}

static void complete(EngPipe *pipe)
{
    while (pipe->out_first && pipe->out_first->pending == 0) {
        EngOut *out = pipe->out_first;
        pipe->out_first = out->next;
        if (!pipe->out_first) {
            pipe->out_last = NULL;
        }
        engine__journal_mark(pipe, out->seq);
        for (uint32_t i = 0; i < out->token_count; i++) {
            engine__source_ack(pipe, &out->tokens[i]);
        }
        if (out->token_count && engine__is_row(&out->tokens[out->token_count - 1])) {
            note_places(pipe);
        }
        engine__dead_delete(pipe->engine, out->tokens, out->token_count);
        engine__out_free(out);
        atomic_fetch_sub(&pipe->flight, 1);
    }
    engine__pipe_wake(pipe);
}

static bool orphan(EngPart *part)
{
    EngOut *out = part->out;
    if (out->pipe) {
        return false;
    }
    bool waiting = false;
    for (uint32_t i = 0; i < out->part_count; i++) {
        waiting |= out->parts[i].waiting > 0;
    }
    if (!waiting) {
        engine__out_free(out);
    }
    return true;
}

void engine__part_done(EngPart *part)
{
    EngOut *out = part->out;
    if (part->tries && --out->pipe->retrying == 0) {
        engine__problem_over(out->pipe, ENGINE_PROBLEM_SINK);
    }
    out->pending--;
    complete(out->pipe);
}

static void on_retry(void *ctx)
{
    EngPart *part = ctx;
    part_run(part);
}

void engine__part_again(EngPart *part, const char *why)
{
    EngPipe *pipe = part->out->pipe;
    uint32_t shift = part->tries < 6 ? part->tries : 6;
    uint64_t pause_ms = (uint64_t)RETRY_FIRST_MS << shift;
    pipe->retrying += part->tries == 0;
    part->tries++;
    engine__problem(pipe, ENGINE_PROBLEM_SINK, "%s does not take rows: %s",
                    part->sink ? part->sink->kind : "the dead-letter table", why);
    pause_ms = pause_ms < RETRY_LAST_MS ? pause_ms : RETRY_LAST_MS;
    if (loop_once(pipe->engine->env->loop, pause_ms, on_retry, part, &part->retry)) {
        engine__pipe_fail(pipe, "no memory to try a sink again");
    }
}

/* ---- rows no sink will ever take: they become error records of this part ---- */

static void refused_json(JsonOut *json, const EngPart *part, uint32_t row, Status status, Str why)
{
    char now[40];
    *rfc3339_put(now, clock_wall_ns()) = 0;
    json_begin_object(json);
    json_field_text(json, "reason", status == ST_CONFLICT ? "sink_conflict" : "sink_refused");
    json_field_str(json, "message", why);
    json_field_text(json, "pipeline", part->out->pipe->name);
    json_field_text(json, "stage", part->sink->kind);
    json_field_text(json, "at", now);
    if (is_bytes(part)) {
        AUTO_BUF Buf text;
        buf_init(&text, ENGINE_OUT_BYTES);
        flow_put_base64(&text, row_text(part, row));
        json_field_str(json, "row", buf_view(&text));
    } else {
        json_field_str(json, "row", row_text(part, row));
    }
    json_end(json);
}

typedef struct DeadJob {
    EngPart *origin;
    EngPart records;
} DeadJob;

static void refuse_rows(EngPart *part, uint32_t count, Status status, Str why);

/* ---- the broker of this process ---- */

static void run_publish(EngPart *part)
{
    EngPipe *pipe = part->out->pipe;
    bool retain = str_is(str_from(part->sink->kind), "uns");
    bool stream = str_is(str_from(part->sink->kind), "stream");
    AUTO_BUF Buf topic;
    Str own = stream_topic(part, &topic);
    uint8_t qos = 1;
    Arena *arena = arena_new(0, 0);
    const Json *options = NULL;
    if (arena && !json_read(arena, str_from(part->sink->options), &options, NULL)) {
        retain = json_bool(options, "retain", retain);
        qos = (uint8_t)json_int(options, "qos", 1);
    }
    arena_free(arena);
    for (; part->next < part->count; part->next++) {
        MqttPub pub = {.topic = stream ? own : row_address(part, part->next),
                       .payload = row_text(part, part->next),
                       .qos = qos <= 2 ? qos : 1,
                       .retain = retain};
        Diag diag = {0};
        Status st = mqtt_broker_publish(pipe->engine->env->broker, &pub, &diag);
        if (st == ST_INVALID || st == ST_LIMIT) {
            refuse_rows(part, 1, st, str_from(diag.text));
            return;
        }
        if (st) {
            engine__part_again(part, diag.text[0] ? diag.text : status_text(st));
            return;
        }
    }
    engine__part_done(part);
}

/* ---- the historian ---- */

static const char *column_type(const RtField *field)
{
    switch (field->type) {
    case RT_BOOL: return "bool";
    case RT_I32:
    case RT_I64:
    case RT_U32:
    case RT_U64: return "int";
    case RT_F32:
    case RT_F64:
    case RT_DECIMAL: return "number";
    case RT_TIME: return "time";
    default: return "text";
    }
}

static void columns_of(const RtSchema *schema, JsonOut *json)
{
    for (uint32_t i = 0; i < schema->count; i++) {
        const RtField *field = &schema->fields[i];
        if (field->child) {
            columns_of(field->child, json);
            continue;
        }
        json_begin_object(json);
        json_field_text(json, "name", field->path ? field->path : field->name);
        json_field_text(json, "type", column_type(field));
        json_end(json);
    }
}

static void put_value(const RtField *field, const Json *value, JsonOut *json)
{
    int64_t ns;
    if (!value || value->type == JSON_NULL) {
        json_put_null(json);
    } else if (field->type == RT_TIME && value->type == JSON_STRING &&
               rfc3339_get(value->text, &ns)) {
        json_put_int(json, ns);
    } else if (value->type == JSON_OBJECT || value->type == JSON_ARRAY) {
        json_put_str(json, value->raw);
    } else {
        json_put_raw(json, value->raw);
    }
}

static void values_of(const RtSchema *schema, const Json *object, JsonOut *json)
{
    for (uint32_t i = 0; i < schema->count; i++) {
        const RtField *field = &schema->fields[i];
        const Json *value = json_get(object, field->name);
        if (field->child) {
            values_of(field->child, value, json);
        } else {
            put_value(field, value, json);
        }
    }
}

/* One request with at most RECORD_ROWS rows and as many bytes as the bus carries. Returns how many
 * rows it holds. */
static uint32_t record_body(const EngPart *part, Buf *body)
{
    JsonOut json;
    json_out_init(&json, body);
    json_begin_object(&json);
    json_field_str(&json, "table", row_address(part, part->next));
    json_key(&json, "columns");
    json_begin_array(&json);
    columns_of(part->sink->schema, &json);
    json_end(&json);
    json_key(&json, "key");
    json_put_raw(&json, part->sink->keys[0] ? str_from(part->sink->keys) : STR("[]"));
    json_key(&json, "rows");
    json_begin_array(&json);
    uint32_t count = 0;
    Arena *arena = arena_new(0, 0);
    while (arena && part->next + count < part->count && count < RECORD_ROWS &&
           body->len < BUS_BODY_BYTES_MAX / 2 &&
           str_eq(row_address(part, part->next), row_address(part, part->next + count))) {
        const Json *row = NULL;
        arena_reset(arena);
        if (json_read(arena, row_text(part, part->next + count), &row, NULL)) {
            row = NULL; /* all columns null: the historian puts it into quarantine */
        }
        json_begin_array(&json);
        values_of(part->sink->schema, row, &json);
        json_end(&json);
        count++;
    }
    arena_free(arena);
    json_end(&json);
    json_end(&json);
    return count;
}

static void on_recorded(void *ctx, Status status, Str body);

static void run_record(EngPart *part)
{
    if (part->next >= part->count) {
        engine__part_done(part);
        return;
    }
    AUTO_BUF Buf body;
    buf_init(&body, BUS_BODY_BYTES_MAX);
    part->waiting = part->sink->schema ? record_body(part, &body) : 0;
    if (body.failed || !part->waiting) {
        part->waiting = 0;
        refuse_rows(part, 1, ST_LIMIT, STR("the row does not fit into one request"));
        return;
    }
    Status st = bus_request(part->out->pipe->engine->env->bus, STR("uns.record"), buf_view(&body),
                            NULL, 30000, on_recorded, part);
    if (st) {
        part->waiting = 0;
        engine__part_again(part, status_text(st));
    }
}

static void on_recorded(void *ctx, Status status, Str body)
{
    EngPart *part = ctx;
    uint32_t rows = part->waiting;
    part->waiting = 0;
    if (orphan(part)) {
        return;
    }
    if (status == ST_INVALID || status == ST_CONFLICT || status == ST_LIMIT) {
        refuse_rows(part, rows, status, body);
    } else if (status) {
        char why[200];
        (void)snprintf(why, sizeof(why), "%.*s", (int)(body.len < 190 ? body.len : 190),
                       body.len ? body.ptr : status_text(status));
        engine__part_again(part, body.len ? why : status_text(status));
    } else {
        part->next += rows;
        run_record(part);
    }
}

/* ---- a connection ---- */

static void on_written(void *ctx, Status status, Str body);

/* A request is JSON, so bytes that are no text go as base64. */
static void put_payload(JsonOut *json, Str bytes)
{
    if (str_utf8_valid(bytes)) {
        json_field_str(json, "payload", bytes);
        return;
    }
    AUTO_BUF Buf text;
    size_t room_bytes = sodium_base64_ENCODED_LEN(bytes.len, sodium_base64_VARIANT_ORIGINAL);
    buf_init(&text, BUS_BODY_BYTES_MAX);
    char *room = buf_reserve(&text, room_bytes);
    if (!room) {
        json->buf->failed = ST_LIMIT;
        return;
    }
    (void)sodium_bin2base64(room, room_bytes, (const unsigned char *)bytes.ptr, bytes.len,
                            sodium_base64_VARIANT_ORIGINAL);
    json_field_str(json, "payload", str_from(room));
    json_field_bool(json, "base64", true);
}

static void run_write(EngPart *part)
{
    if (part->next >= part->count) {
        engine__part_done(part);
        return;
    }
    AUTO_BUF Buf body;
    buf_init(&body, BUS_BODY_BYTES_MAX);
    JsonOut json;
    json_out_init(&json, &body);
    json_begin_object(&json);
    Diag diag = {0};
    Status st = engine__connection_put(&json, flow_program_table(part->out->version->program),
                                       part->sink->kind, part->sink->connection,
                                       part->sink->address, part->sink->options, &diag);
    if (st) {
        refuse_rows(part, 1, st, str_from(diag.text));
        return;
    }
    json_field_str(&json, "address", row_address(part, part->next));
    put_payload(&json, row_text(part, part->next));
    Arena *arena = arena_new(0, 0);
    const Json *options = NULL;
    if (arena && !json_read(arena, str_from(part->sink->options), &options, NULL)) {
        json_field_int(&json, "qos", json_int(options, "qos", 1));
        json_field_bool(&json, "retain", json_bool(options, "retain", false));
    }
    arena_free(arena);
    json_end(&json);
    if (body.failed) {
        refuse_rows(part, 1, ST_LIMIT, STR("the row does not fit into one request"));
        return;
    }
    part->waiting = 1;
    st = bus_request(part->out->pipe->engine->env->bus, STR("connectors.write"), buf_view(&body),
                     NULL, 10000, on_written, part);
    if (st) {
        part->waiting = 0;
        engine__part_again(part, status_text(st));
    }
}

static void on_written(void *ctx, Status status, Str body)
{
    EngPart *part = ctx;
    part->waiting = 0;
    if (orphan(part)) {
        return;
    }
    if (!status) {
        part->next++;
        run_write(part);
    } else if (status == ST_INVALID || status == ST_FORBIDDEN || status == ST_UNSUPPORTED) {
        refuse_rows(part, 1, status, body);
    } else {
        engine__part_again(part, status_text(status));
    }
}

/* ---- sinks that wait ---- */

static void run_carry(EngPart *part)
{
    if (part->next >= part->count) {
        engine__part_done(part);
        return;
    }
    part->waiting = 1;
    if (engine__carry(part)) {
        part->waiting = 0;
        engine__part_again(part, "no memory for a thread");
    }
}

/* Only what was refused is left of the part: that goes to the dead-letter table. */
static void keep_refused(EngPart *part)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < part->count; i++) {
        if (part->refused[i / 8] >> (i % 8) & 1) {
            part->rows[kept++] = part->rows[i];
        }
    }
    part->count = kept;
}

void engine__part_carried(void *ctx)
{
    EngPart *part = ctx;
    part->waiting = 0;
    if (orphan(part)) {
        return;
    }
    if (!part->refused_count) {
        part->next = part->count;
        engine__part_done(part);
        return;
    }
    if (part->refused) {
        keep_refused(part);
    }
    refuse_rows(part, part->count, ST_CONFLICT, str_from(part->why));
}

/* ---- refused rows ---- */

static StoreDoneFn on_refused;

static void refuse_rows(EngPart *part, uint32_t count, Status status, Str why)
{
    DeadJob *job = mem_zalloc(1, sizeof(*job));
    RtRow *rows = mem_zalloc(count, sizeof(RtRow));
    if (!job || !rows) {
        mem_free(job);
        mem_free(rows);
        engine__part_again(part, "no memory");
        return;
    }
    job->origin = part;
    buf_init(&job->records.bytes, ENGINE_OUT_BYTES);
    JsonOut json;
    for (uint32_t i = 0; i < count && part->next < part->count; i++, part->next++) {
        rows[i].start = job->records.bytes.len;
        json_out_init(&json, &job->records.bytes);
        refused_json(&json, part, part->next, status, why);
        rows[i].len = (uint32_t)(job->records.bytes.len - rows[i].start);
        job->records.count++;
    }
    job->records.rows = rows;
    job->records.out = part->out;
    part->waiting = 1;
    if (engine__dead_store(&job->records, on_refused, job)) {
        part->waiting = 0;
        part->next -= job->records.count;
        buf_done(&job->records.bytes);
        mem_free(rows);
        mem_free(job);
        engine__part_again(part, "the dead-letter table is busy");
    }
}

static void on_refused(void *ctx, Status status, const Diag *diag)
{
    DeadJob *job = ctx;
    EngPart *part = job->origin;
    uint32_t count = job->records.count;
    buf_done(&job->records.bytes);
    mem_free(job->records.rows);
    mem_free(job);
    part->waiting = 0;
    if (orphan(part)) {
        return;
    }
    if (status) {
        part->next -= count;
        engine__part_again(part, diag && diag->text[0] ? diag->text : status_text(status));
    } else {
        part_run(part);
    }
}

static void on_dead(void *ctx, Status status, const Diag *diag)
{
    EngPart *part = ctx;
    part->waiting = 0;
    if (orphan(part)) {
        return;
    }
    if (status) {
        engine__part_again(part, diag && diag->text[0] ? diag->text : status_text(status));
    } else {
        engine__part_done(part);
    }
}

static void run_dead(EngPart *part)
{
    part->waiting = 1;
    if (engine__dead_store(part, on_dead, part)) {
        part->waiting = 0;
        engine__part_again(part, "the dead-letter table is busy");
    }
}

/* ---- which way ---- */

static void part_run(EngPart *part)
{
    Str kind = part->sink ? str_from(part->sink->kind) : STR("dead");
    if (str_is(kind, "dead")) {
        run_dead(part);
    } else if (str_is(kind, "historian")) {
        run_record(part);
    } else if (engine__carry_takes(part->sink)) {
        run_carry(part);
    } else if (engine__is_remote(part->sink->kind, part->sink->connection)) {
        run_write(part);
    } else if ((str_is(kind, "uns") || str_is(kind, "mqtt") || str_is(kind, "stream")) &&
               part->out->pipe->engine->env->broker) {
        run_publish(part);
    } else {
        if (part->next < part->count) {
            const char *why = part->out->why;
            refuse_rows(part, part->count - part->next, ST_UNSUPPORTED,
                        why ? str_from(why) : STR("this program has no such sink"));
        } else {
            engine__part_done(part);
        }
    }
}

void engine__out_commit(void *ctx)
{
    EngOut *out = ctx;
    EngPipe *pipe = out->pipe;
    if (pipe->out_last) {
        pipe->out_last->next = out;
    } else {
        pipe->out_first = out;
    }
    pipe->out_last = out;
    engine__hook_take_notes(out);
    /* All are counted before the first runs, because a part may be done at once. */
    out->pending = 1;
    for (uint32_t i = 0; i < out->part_count; i++) {
        out->pending += out->parts[i].count > 0;
    }
    for (uint32_t i = 0; i < out->part_count; i++) {
        if (out->parts[i].count) {
            part_run(&out->parts[i]);
        }
    }
    out->pending--;
    complete(pipe);
}
