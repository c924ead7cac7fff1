/* runtime/modules/engine/source.c: where a pipeline's records come from.
 *
 * A source slot belongs to the pipeline, not to a version: when a new version has the same source
 * (kind, connection, address, options), the slot goes on, so its subscription and what waits in the
 * queue are untouched by the change. Slots: broker filters (attached in process), connections (by
 * the connectors module), files and standard input (a reader thread each), periods and schedules
 * (trigger.c), paths of requests (hook.c), tables of the historian (table.c). */
#include "modules/engine/engine.h"

#include "base/clock.h"
#include "base/mem.h"
#include "mqtt/headers.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    READ_BYTES = 128 << 10,
    LINE_BYTES_MAX = 1 << 20,
    SUBSCRIBE_RETRY_MS = 1000,
    FOLLOW_MS = 100
};

static char *buf_steal(Buf *buf)
{
    buf_char(buf, 0);
    if (buf->failed) {
        buf_done(buf);
        return NULL;
    }
    char *text = buf->ptr;
    buf_init(buf, buf->max_bytes);
    return text;
}

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

static bool has_text(const char *text)
{
    return text && text[0];
}

static char *identity_of(const RtSourceInfo *info)
{
    Buf buf;
    buf_init(&buf, 1 << 16);
    buf_printf(&buf, "%s\n%s\n%s\n%s", info->kind, or_empty(info->connection),
               or_empty(info->address), or_empty(info->options));
    /* Where a record ends in a file is the format's business. */
    if (flow_is_bytes(flow_format(info->format))) {
        buf_printf(&buf, "\n%s", info->format);
    }
    return buf_steal(&buf);
}

static void push(EngSource *source, const EngRecord *record, EngToken token)
{
    EngPipe *pipe = source->pipe;
    bool wake = false;
    Status st = engine__queue_push(&pipe->queue, record, token, &wake);
    if (st) {
        /* Larger than any record may be, or no memory: counted, and not asked for again. */
        pipe->queue.dropped++;
        engine__source_ack(pipe, &token);
    } else if (wake && loop_post(pipe->shard->loop, engine__shard_drain, pipe)) {
        engine__queue_sleep(&pipe->queue);
    }
}

Status engine__source_push_token(EngSource *source, const EngRecord *record, EngToken token)
{
    EngPipe *pipe = source->pipe;
    bool wake = false;
    Status st = engine__queue_push(&pipe->queue, record, token, &wake);
    if (!st && wake && loop_post(pipe->shard->loop, engine__shard_drain, pipe)) {
        engine__queue_sleep(&pipe->queue);
    }
    return st;
}

void engine__source_push(EngSource *source, Str payload, int64_t received_ns)
{
    push(source, &(EngRecord){.payload = payload, .received_ns = received_ns},
         (EngToken){.kind = TOKEN_NONE, .slot = source->slot});
}

/* ---- the broker of this process ---- */

static void on_publish(void *ctx, const MqttPub *pub, uint64_t token)
{
    EngSource *source = ctx;
    EngPipe *pipe = source->pipe;
    if (source->closing) {
        if (token && !pipe->engine->closing) {
            mqtt_broker_ack(pipe->engine->env->broker, token);
        }
        return; /* while the engine closes, publishers stay unanswered and send again */
    }
    Buf *headers = &pipe->engine->headers;
    buf_clear(headers);
    if (source->headers) {
        mqtt_put_headers(pub->props, headers);
    }
    push(source,
         &(EngRecord){.payload = pub->payload,
                      .topic = pub->topic,
                      .key = pub->topic,
                      .headers = buf_view(headers),
                      .received_ns = pub->received_ns},
         (EngToken){.value = token, .kind = token ? TOKEN_MQTT : TOKEN_NONE, .slot = source->slot});
}

static Status open_broker(EngSource *source, const RtSourceInfo *info, Diag *diag)
{
    const ModEnv *env = source->pipe->engine->env;
    if (!env->broker) {
        return diag_set(diag, ST_UNSUPPORTED, "there is no embedded broker; name a connection");
    }
    uint8_t qos = 2;
    Arena *arena = arena_new(0, 0);
    const Json *options = NULL;
    if (arena && info->options && !json_read(arena, str_from(info->options), &options, NULL)) {
        int64_t asked = json_int(options, "qos", 2);
        qos = (uint8_t)(asked >= 0 && asked <= 2 ? asked : 2);
    }
    arena_free(arena);
    AUTO_BUF Buf topic;
    buf_init(&topic, 4096);
    buf_printf(&topic, "%s%s", str_is(str_from(info->kind), "stream") ? ENGINE_STREAMS : "",
               or_empty(info->address));
    if (topic.failed) {
        return diag_set(diag, ST_LIMIT, "the address is too long");
    }
    return mqtt_broker_attach(env->broker, buf_view(&topic), qos, on_publish, source, ENGINE_WINDOW,
                              &source->attach, diag);
}

/* ---- connections ---- */

static uint64_t get_u64(const char *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof(value));
    return value;
}

static uint32_t get_u32(const char *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof(value));
    return value;
}

void engine__source_recovered(EngPipe *pipe)
{
    for (uint32_t i = 0; i < ENGINE_SOURCES_MAX; i++) {
        if (pipe->sources[i].used && pipe->sources[i].troubled) {
            return;
        }
    }
    engine__problem_over(pipe, ENGINE_PROBLEM_SOURCE);
}

static void on_record(EngSource *source, uint32_t kind, const EngRecord *record, uint64_t seq)
{
    EngToken token = {
        .value = seq, .serial = source->serial, .kind = TOKEN_SEQ, .slot = source->slot};
    EngPipe *pipe = source->pipe;
    if (kind == 0) {
        if (source->troubled) {
            source->troubled = false;
            engine__source_recovered(pipe);
        }
        push(source, record, token);
        return;
    }
    source->troubled = true;
    engine__problem(pipe, ENGINE_PROBLEM_SOURCE, "source: %.*s",
                    (int)(record->payload.len < 200 ? record->payload.len : 200),
                    record->payload.ptr);
    token.failed = true;
    push(source, record, token);
}

/* Layout in runtime/modules/connectors/README.md. */
static void on_connect(void *ctx, const BusMsg *msg)
{
    EngSource *source = ctx;
    Str body = msg->body;
    if (source->closing || body.len < 16) {
        return;
    }
    uint32_t count = get_u32(body.ptr);
    uint64_t seq = get_u64(body.ptr + 8);
    body = str_skip(body, 16);
    for (uint32_t i = 0; i < count && body.len >= 24; i++, seq++) {
        uint32_t kind = get_u32(body.ptr), key_len = get_u32(body.ptr + 4);
        uint32_t len = get_u32(body.ptr + 8), headers_len = get_u32(body.ptr + 12);
        EngRecord record = {.received_ns = (int64_t)get_u64(body.ptr + 16)};
        size_t bytes = (size_t)key_len + len + headers_len;
        body = str_skip(body, 24);
        if (body.len < bytes) {
            return;
        }
        record.key = record.topic = (Str){body.ptr, key_len};
        record.payload = (Str){body.ptr + key_len, len};
        record.headers = (Str){body.ptr + key_len + len, source->headers ? headers_len : 0};
        on_record(source, kind, &record, seq);
        body = str_skip(body, bytes);
    }
}

/* A request of a source outlives neither the source nor the engine: it carries ids only. */
typedef struct SourceAsk {
    Engine *engine;
    char pipe[ENGINE_NAME_BYTES_MAX + 1], id[72];
} SourceAsk;

static EngSource *ask_source(const SourceAsk *ask)
{
    EngPipe *pipe = engine__pipe_find(ask->engine, str_from(ask->pipe));
    for (uint32_t i = 0; pipe && i < ENGINE_SOURCES_MAX; i++) {
        EngSource *source = &pipe->sources[i];
        if (source->used && strcmp(source->id, ask->id) == 0) {
            return source;
        }
    }
    return NULL;
}

EngSource *engine__ask_source(void *ctx, Status status)
{
    SourceAsk *was = ctx;
    EngSource *source = status == ST_CANCELLED ? NULL : ask_source(was);
    mem_free(was);
    return source;
}

Status engine__source_ask(EngSource *source, const char *subject, Str body, BusAnswerFn *fn)
{
    SourceAsk *ctx = mem_zalloc(1, sizeof(*ctx));
    if (!ctx) {
        return ST_NO_MEMORY;
    }
    ctx->engine = source->pipe->engine;
    (void)snprintf(ctx->pipe, sizeof(ctx->pipe), "%s", source->pipe->name);
    (void)snprintf(ctx->id, sizeof(ctx->id), "%s", source->id);
    Status st = bus_request(ctx->engine->env->bus, str_from(subject), body, NULL, 10000, fn, ctx);
    if (st) {
        mem_free(ctx);
    }
    return st;
}

static void subscribe(void *ctx);

static void subscribe_later(EngSource *source)
{
    loop_once(source->pipe->engine->env->loop, SUBSCRIBE_RETRY_MS, subscribe, source,
              &source->retry);
}

static void on_subscribed(void *ctx, Status status, Str body)
{
    EngSource *source = engine__ask_source(ctx, status);
    if (!source || source->closing || !status || status == ST_CONFLICT) {
        return;
    }
    if (status == ST_INVALID || status == ST_UNSUPPORTED || status == ST_FORBIDDEN) {
        char text[300];
        (void)snprintf(text, sizeof(text), "the connection was refused: %.*s",
                       (int)(body.len < 250 ? body.len : 250), body.len ? body.ptr : "");
        engine__pipe_fail(source->pipe, text);
        return;
    }
    subscribe_later(source);
}

static void subscribe(void *ctx)
{
    EngSource *source = ctx;
    if (!source->closing && engine__source_ask(source, "connectors.subscribe",
                                               str_from(source->subscribe), on_subscribed)) {
        subscribe_later(source);
    }
}

static Status subscribe_body(const EngSource *source, const RtSourceInfo *info,
                             const RtProgram *program, JsonOut *json, Diag *diag)
{
    json_begin_object(json);
    json_field_text(json, "id", source->id);
    Status st = engine__connection_put(json, program, info->kind, info->connection, info->address,
                                       info->options, diag);
    json_field_text(json, "address", has_text(info->connection) ? or_empty(info->address) : "");
    if (!st) {
        st = engine__source_options_put(json, info->options, diag);
    }
    json_field_int(json, "window", ENGINE_WINDOW);
    json_end(json);
    return st;
}

static Status open_connection(EngSource *source, const RtSourceInfo *info, const RtProgram *program,
                              Diag *diag)
{
    EngPipe *pipe = source->pipe;
    source->serial = ++pipe->connect_serial;
    (void)snprintf(source->id, sizeof(source->id), "%.40s-%u-%u", pipe->name, source->slot,
                   source->serial);
    char subject[128];
    (void)snprintf(subject, sizeof(subject), "data.connect.%s", source->id);
    Status st = bus_subscribe(pipe->engine->env->bus, subject, NULL, 65536, 0, on_connect, source,
                              &source->sub);
    if (st) {
        return diag_set(diag, st, "cannot listen to %s", subject);
    }
    Buf body;
    buf_init(&body, 1 << 17);
    JsonOut json;
    json_out_init(&json, &body);
    st = subscribe_body(source, info, program, &json, diag);
    if (st) {
        buf_done(&body);
        return st;
    }
    source->subscribe = buf_steal(&body);
    if (!source->subscribe) {
        return diag_set(diag, ST_LIMIT, "the source's options are too long");
    }
    subscribe(source);
    return ST_OK;
}

static void on_acked(void *ctx, Status status, Str body)
{
    (void)body;
    EngSource *source = engine__ask_source(ctx, status);
    if (source) {
        source->ack_busy = false;
        if (source->ack_wanted > source->acked) {
            engine__source_ack(source->pipe, &(EngToken){.value = source->ack_wanted,
                                                         .serial = source->serial,
                                                         .kind = TOKEN_SEQ,
                                                         .slot = source->slot});
        }
    }
}

void engine__source_ack(EngPipe *pipe, const EngToken *token)
{
    if (token->kind == TOKEN_MQTT) {
        mqtt_broker_ack(pipe->engine->env->broker, token->value);
        return;
    }
    if (token->kind == TOKEN_HTTP) {
        engine__hook_done(pipe->engine, token->value);
        return;
    }
    if (engine__is_row(token)) {
        engine__table_ack(pipe, token);
        return;
    }
    EngSource *source = &pipe->sources[token->slot];
    if (token->kind != TOKEN_SEQ || !source->used || source->serial != token->serial) {
        return;
    }
    if (token->value > source->ack_wanted) {
        source->ack_wanted = token->value;
    }
    if (source->ack_busy || source->ack_wanted <= source->acked) {
        return;
    }
    char body[160];
    int len = snprintf(body, sizeof(body), "{\"id\":\"%s\",\"seq\":%llu}", source->id,
                       (unsigned long long)source->ack_wanted);
    uint64_t sent = source->ack_wanted;
    if (!engine__source_ask(source, "connectors.ack", (Str){body, (size_t)len}, on_acked)) {
        source->ack_busy = true;
        source->acked = sent;
    }
}

/* ---- files and standard input ---- */

static bool wait_readable(int fd, const EngSource *source)
{
    struct pollfd want = {.fd = fd, .events = POLLIN};
    while (!source->closing) {
        int n = poll(&want, 1, 100);
        if (n > 0 || (n < 0 && errno != EINTR)) {
            return true;
        }
    }
    return false;
}

static bool give_lines(EngSource *source, Str lines, bool end)
{
    EngPipe *pipe = source->pipe;
    bool wake = false;
    bool open = engine__queue_push_lines(&pipe->queue, source->slot, lines, end, &wake);
    if (wake && loop_post(pipe->shard->loop, engine__shard_drain, pipe)) {
        engine__queue_sleep(&pipe->queue);
    }
    return open;
}

/* How much of what was read goes to the pipeline now. */
static size_t whole_lines(const Buf *buf)
{
    const char *last = memrchr(buf->ptr, '\n', buf->len);
    if (!last && buf->len >= LINE_BYTES_MAX) {
        return buf->len; /* no line is that long: it becomes an error record */
    }
    return last ? (size_t)(last - buf->ptr) + 1 : 0;
}

static size_t whole_records(const EngSource *source, const Buf *buf, bool *ret_broken)
{
    RtRecord records[64];
    size_t whole = 0;
    for (FlowCut cut = {.count = 1}; cut.count && !cut.broken; whole += cut.bytes) {
        cut = flow_cut(source->format, str_skip(buf_view(buf), whole), false, records,
                       COUNT_OF(records));
        *ret_broken = cut.broken;
    }
    if (!whole && buf->len >= LINE_BYTES_MAX) {
        *ret_broken = true;
    }
    return whole;
}

static void reader_main(void *ctx)
{
    EngSource *source = ctx;
    int fd = source->path ? open(source->path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
    Buf buf;
    buf_init(&buf, LINE_BYTES_MAX + READ_BYTES);
    bool open = fd >= 0;
    while (open && wait_readable(fd, source)) {
        char *room = buf_reserve(&buf, READ_BYTES);
        ssize_t n = room ? read(fd, room, READ_BYTES) : -1;
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n == 0 && source->follow) {
            (void)poll(NULL, 0, FOLLOW_MS);
            continue;
        }
        if (n <= 0) {
            break;
        }
        buf.len += (size_t)n;
        bool bytes = flow_is_bytes(source->format), broken = false;
        size_t whole = bytes ? whole_records(source, &buf, &broken) : whole_lines(&buf);
        if (broken) {
            engine__problem(source->pipe, ENGINE_PROBLEM_SOURCE,
                            "%s: a record is broken; what follows was not read",
                            source->path ? source->path : "standard input");
            break;
        }
        if (whole) {
            open = give_lines(source, (Str){buf.ptr, whole}, false);
            buf_consume(&buf, whole);
        }
    }
    if (open && !source->closing) {
        (void)give_lines(source, buf_view(&buf), true);
    }
    buf_done(&buf);
    if (fd > STDIN_FILENO) {
        close(fd);
    }
}

static Status open_reader(EngSource *source, const RtSourceInfo *info, Diag *diag)
{
    if (str_is(str_from(info->kind), "stdin")) {
        if (!program_stdin_allowed()) {
            return diag_set(diag, ST_UNSUPPORTED,
                            "standard input can be read by `tutti run` in the foreground only");
        }
    } else {
        Buf path;
        buf_init(&path, 4096);
        buf_text(&path, info->address);
        source->path = buf_steal(&path);
        if (!source->path || access(source->path, R_OK)) {
            return diag_errno(diag, errno, "cannot read %s", info->address);
        }
    }
    source->format = flow_format(info->format);
    source->follow = info->options && strstr(info->options, "\"follow\":true") != NULL;
    if (uv_thread_create(&source->reader, reader_main, source)) {
        return diag_set(diag, ST_NO_MEMORY, "no thread to read %s", info->address);
    }
    source->has_reader = true;
    return ST_OK;
}

/* ---- slots ---- */

static EngSource *find_slot(EngPipe *pipe, const char *identity)
{
    for (uint32_t i = 0; i < ENGINE_SOURCES_MAX; i++) {
        EngSource *source = &pipe->sources[i];
        if (source->used && !source->closing && !source->matched &&
            strcmp(source->identity, identity) == 0) {
            return source;
        }
    }
    return NULL;
}

static EngSource *free_slot(EngPipe *pipe)
{
    for (uint32_t i = 0; i < ENGINE_SOURCES_MAX; i++) {
        if (!pipe->sources[i].used) {
            return &pipe->sources[i];
        }
    }
    return NULL;
}

Status engine__sources_plan(EngPipe *pipe, EngRun *run, Diag *diag)
{
    for (uint32_t i = 0; i < ENGINE_SOURCES_MAX; i++) {
        pipe->sources[i].matched = false;
    }
    for (uint32_t i = 0; i < run->info->source_count; i++) {
        char *identity = identity_of(&run->info->sources[i]);
        EngSource *source = identity ? find_slot(pipe, identity) : NULL;
        if (source) {
            mem_free(identity);
        } else {
            source = identity ? free_slot(pipe) : NULL;
            if (!source) {
                mem_free(identity);
                return diag_set(diag, ST_LIMIT, "too many sources at once");
            }
            memset(source, 0, sizeof(*source));
            source->used = true;
            source->slot = (uint8_t)(source - pipe->sources);
            source->pipe = pipe;
            source->identity = identity;
        }
        source->matched = true;
        source->headers = run->info->sources[i].headers;
        source->index = i;
        if (str_is(str_from(run->info->sources[i].kind), "historian")) {
            engine__table_plan(source, &run->info->sources[i], run);
        }
        run->slot_source[source->slot] = i;
        run->ends_wanted += run->info->sources[i].bounded;
    }
    for (uint32_t i = 0; i < ENGINE_SOURCES_MAX; i++) {
        EngSource *source = &pipe->sources[i];
        if (source->used && !source->matched) {
            source->closing = true;
        }
    }
    engine__tables_replaced(pipe, run);
    return ST_OK;
}

Status engine__sources_start(EngPipe *pipe, EngRun *run, Diag *diag)
{
    const EngVersion *version = run ? run->version : pipe->version;
    const RtProgram *program = flow_program_table(version->program);
    int index = flow_program_find(version->program, str_from(pipe->name));
    Status st = ST_OK;
    for (uint32_t i = 0; !st && index >= 0 && i < ENGINE_SOURCES_MAX; i++) {
        EngSource *source = &pipe->sources[i];
        const RtPipelineInfo *info = &program->pipelines[index];
        if (!source->used || source->closing || source->open ||
            source->index >= info->source_count) {
            continue;
        }
        const RtSourceInfo *from = &info->sources[source->index];
        Str kind = str_from(from->kind);
        source->open = true;
        if (engine__is_remote(from->kind, from->connection)) {
            st = open_connection(source, from, program, diag);
        } else if (str_is(kind, "mqtt") || str_is(kind, "uns") || str_is(kind, "stream")) {
            st = open_broker(source, from, diag);
        } else if (str_is(kind, "historian")) {
            st = engine__table_open(source, from, diag);
        } else if (str_is(kind, "http")) {
            st = engine__hook_open(source, from, diag);
        } else if (str_is(kind, "every") || str_is(kind, "cron") || str_is(kind, "manual")) {
            st = engine__trigger_open(source, from, diag);
        } else if (str_is(kind, "file") || str_is(kind, "stdin")) {
            st = open_reader(source, from, diag);
        } else {
            st = diag_set(diag, ST_UNSUPPORTED, "there is no source of kind %s here", from->kind);
        }
    }
    if (st && run) {
        engine__sources_close_all(pipe);
        engine__sources_trim(pipe, true);
    }
    return st;
}

static void close_slot(EngSource *source, bool accept)
{
    mqtt_broker_detach(source->attach, accept);
    engine__table_close(source, accept);
    if (source->subscribe && source->sub) {
        char body[100];
        int len = snprintf(body, sizeof(body), "{\"id\":\"%s\"}", source->id);
        (void)!engine__source_ask(source, "connectors.unsubscribe", (Str){body, (size_t)len},
                                  on_subscribed);
    }
    bus_unsubscribe(source->sub);
    loop_timer_stop(source->retry);
    if (source->has_reader) {
        uv_thread_join(&source->reader);
    }
    mem_free(source->identity);
    mem_free(source->subscribe);
    mem_free(source->path);
    arena_free(source->arena);
    memset(source, 0, sizeof(*source));
}

void engine__sources_trim(EngPipe *pipe, bool accept)
{
    for (uint32_t i = 0; i < ENGINE_SOURCES_MAX; i++) {
        if (pipe->sources[i].used && pipe->sources[i].closing) {
            close_slot(&pipe->sources[i], accept);
        }
    }
}

void engine__sources_close_all(EngPipe *pipe)
{
    for (uint32_t i = 0; i < ENGINE_SOURCES_MAX; i++) {
        if (pipe->sources[i].used) {
            pipe->sources[i].closing = true;
        }
    }
    engine__queue_close(&pipe->queue);
}
