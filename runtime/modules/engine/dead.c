/* runtime/modules/engine/dead.c: the dead-letter table: what failed, why, and trying it again.
 *
 * A row is one error record: the reason, where, and the record as it came, with its topic, key and
 * headers. It is written before the source's message is acknowledged. Replay puts the raw record
 * into the pipeline's queue again; its row is deleted once the batch it went with has committed, so
 * a crash in between repeats it. */
#include "modules/engine/engine.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/rfc3339.h"

enum { REPLAY_MAX = 1000 };

static const char insert_sql[] =
    "insert into engine_dead(pipeline, at, stage, reason, field, message, raw, beside) "
    "values(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
static const char prune_sql[] =
    "delete from engine_dead where id <= (select max(id) from engine_dead) - ?1";

/* ---- writing ---- */

typedef struct DeadWrite {
    EngPart *part;
    int64_t rows_max;
    StoreDoneFn *done;
    void *ctx;
} DeadWrite;

static void bind_optional(StoreStmt *stmt, int index, const Json *record, const char *name)
{
    const Json *value = json_get(record, name);
    if (value && value->type == JSON_STRING) {
        store_bind_str(stmt, index, value->text);
    } else if (value && value->type != JSON_NULL) {
        store_bind_str(stmt, index, value->raw);
    } else {
        store_bind_null(stmt, index);
    }
}

static Status insert_one(StoreStmt *stmt, const Json *record, Str text, Str beside, Diag *diag)
{
    int64_t at = clock_wall_ns();
    (void)rfc3339_get(json_str(record, "at", STR("")), &at);
    store_bind_str(stmt, 1, json_str(record, "pipeline", STR("")));
    store_bind_int(stmt, 2, at / NS_PER_MS);
    bind_optional(stmt, 3, record, "stage");
    store_bind_str(stmt, 4, json_str(record, "reason", STR("unknown")));
    bind_optional(stmt, 5, record, "field");
    bind_optional(stmt, 6, record, "message");
    if (json_get(record, "raw")) {
        bind_optional(stmt, 7, record, "raw");
    } else if (json_get(record, "row")) {
        bind_optional(stmt, 7, record, "row");
    } else {
        store_bind_str(stmt, 7, text);
    }
    if (beside.len) {
        store_bind_str(stmt, 8, beside);
    } else {
        store_bind_null(stmt, 8);
    }
    bool row;
    return store_step(stmt, &row, diag);
}

static Status write_job(StoreConn *conn, void *ctx, Diag *diag)
{
    const DeadWrite *job = ctx;
    const EngPart *part = job->part;
    Arena *arena = arena_new(0, 0);
    StoreStmt *stmt;
    Status st = arena ? store_prepare(conn, insert_sql, &stmt, diag) : ST_NO_MEMORY;
    for (uint32_t i = 0; !st && i < part->count; i++) {
        const RtRow *row = &part->rows[i];
        Str text = str_trim((Str){part->bytes.ptr + row->start, row->len});
        const Json *record = NULL;
        arena_reset(arena);
        (void)!json_read(arena, text, &record, NULL);
        Str beside = {part->aside.ptr + row->address, row->address_len};
        st = insert_one(stmt, record, text, row->address_len ? beside : STR_NONE, diag);
    }
    arena_free(arena);
    bool row;
    if (!st && !(st = store_prepare(conn, prune_sql, &stmt, diag))) {
        store_bind_int(stmt, 1, job->rows_max);
        st = store_step(stmt, &row, diag);
    }
    return st;
}

static void write_done(void *ctx, Status status, const Diag *diag)
{
    DeadWrite *job = ctx;
    StoreDoneFn *done = job->done;
    void *done_ctx = job->ctx;
    mem_free(job);
    done(done_ctx, status, diag);
}

Status engine__dead_store(EngPart *part, StoreDoneFn *done, void *ctx)
{
    const Engine *engine = part->out->pipe->engine;
    DeadWrite *job = mem_zalloc(1, sizeof(*job));
    if (!job) {
        return ST_NO_MEMORY;
    }
    *job = (DeadWrite){
        .part = part, .rows_max = engine->conf->dead_rows_max, .done = done, .ctx = ctx};
    Status st = store_write(engine->env->store, write_job, write_done, job);
    if (st) {
        mem_free(job);
    }
    return st;
}

/* ---- deleting what was replayed ---- */

typedef struct DeadDelete {
    uint32_t count;
    int64_t ids[];
} DeadDelete;

static Status delete_job(StoreConn *conn, void *ctx, Diag *diag)
{
    const DeadDelete *job = ctx;
    StoreStmt *stmt;
    Status st = store_prepare(conn, "delete from engine_dead where id = ?1", &stmt, diag);
    for (uint32_t i = 0; !st && i < job->count; i++) {
        bool row;
        store_bind_int(stmt, 1, job->ids[i]);
        st = store_step(stmt, &row, diag);
    }
    return st;
}

static void delete_done(void *ctx, Status status, const Diag *diag)
{
    (void)status;
    (void)diag;
    mem_free(ctx);
}

void engine__dead_delete(Engine *engine, const EngToken *tokens, uint32_t count)
{
    uint32_t dead = 0;
    for (uint32_t i = 0; i < count; i++) {
        dead += tokens[i].kind == TOKEN_DEAD;
    }
    DeadDelete *job = dead ? mem_zalloc(1, sizeof(*job) + dead * sizeof(int64_t)) : NULL;
    if (!job) {
        return; /* without memory they stay and can be replayed again */
    }
    for (uint32_t i = 0; i < count; i++) {
        if (tokens[i].kind == TOKEN_DEAD) {
            job->ids[job->count++] = (int64_t)tokens[i].value;
        }
    }
    if (store_write(engine->env->store, delete_job, delete_done, job)) {
        mem_free(job);
    }
}

/* ---- engine.dead, engine.dead_replay ---- */

typedef struct DeadRead {
    Engine *engine;
    Req *req;
    Str name;
    int64_t limit;
    Buf out; /* dead: the answer. replay: ReplayHead, raw, beside ... */
    uint32_t count;
} DeadRead;

typedef struct ReplayHead {
    uint64_t id, raw_len, beside_len;
} ReplayHead;

static void put_column(JsonOut *json, const char *name, StoreStmt *stmt, int column)
{
    json_key(json, name);
    if (store_is_null(stmt, column)) {
        json_put_null(json);
    } else {
        json_put_str(json, store_str(stmt, column));
    }
}

static Status list_job(StoreConn *conn, void *ctx, Diag *diag)
{
    DeadRead *job = ctx;
    StoreStmt *stmt;
    Status st = store_prepare(conn,
                              "select id, at, stage, reason, field, message, raw, "
                              "json_extract(beside, '$.topic') from engine_dead "
                              "where pipeline = ?1 order by id desc limit ?2",
                              &stmt, diag);
    if (st) {
        return st;
    }
    JsonOut json;
    json_out_init(&json, &job->out);
    json_begin_object(&json);
    json_key(&json, "rows");
    json_begin_array(&json);
    store_bind_str(stmt, 1, job->name);
    store_bind_int(stmt, 2, job->limit);
    bool row = true;
    while (!(st = store_step(stmt, &row, diag)) && row && job->out.len < BUS_BODY_BYTES_MAX / 2) {
        json_begin_object(&json);
        json_field_int(&json, "id", store_int(stmt, 0));
        json_field_int(&json, "time", store_int(stmt, 1));
        put_column(&json, "stage", stmt, 2);
        put_column(&json, "reason", stmt, 3);
        put_column(&json, "field", stmt, 4);
        put_column(&json, "message", stmt, 5);
        put_column(&json, "raw", stmt, 6);
        put_column(&json, "topic", stmt, 7);
        json_end(&json);
    }
    store_reset(stmt);
    json_end(&json);
    if (!st) {
        st = store_prepare(conn, "select count(*) from engine_dead where pipeline = ?1", &stmt,
                           diag);
    }
    if (!st) {
        store_bind_str(stmt, 1, job->name);
        st = store_step(stmt, &row, diag);
        json_field_int(&json, "total", !st && row ? store_int(stmt, 0) : 0);
        store_reset(stmt);
    }
    json_end(&json);
    return st;
}

static void list_done(void *ctx, Status status, const Diag *diag)
{
    DeadRead *job = ctx;
    Req *req = job->req;
    if (!status) {
        status = buf_status(&job->out);
    }
    if (status) {
        req_fail(req, status, "%s", diag && diag->text[0] ? diag->text : status_text(status));
    } else {
        req_answer(req, buf_view(&job->out));
    }
    buf_done(&job->out);
    mem_free(job);
}

static DeadRead *read_new(Engine *engine, Req *req, int64_t limit)
{
    DeadRead *job = mem_zalloc(1, sizeof(*job));
    if (!job) {
        req_fail(req, ST_NO_MEMORY, "out of memory");
        return NULL;
    }
    job->engine = engine;
    job->req = req;
    job->name = json_str(req->in, "name", STR(""));
    job->limit = limit;
    buf_init(&job->out, (size_t)8 << 20);
    return job;
}

static void start_read(DeadRead *job, StoreJobFn *fn, StoreDoneFn *done)
{
    Status st = store_read(job->engine->env->store, fn, done, job);
    if (st) {
        req_fail(job->req, st, "the store is busy");
        buf_done(&job->out);
        mem_free(job);
    }
}

void engine__op_dead(void *self, Req *req)
{
    DeadRead *job = read_new(self, req, json_int(req->in, "limit", 100));
    if (job) {
        start_read(job, list_job, list_done);
    }
}

static Status raw_job(StoreConn *conn, void *ctx, Diag *diag)
{
    DeadRead *job = ctx;
    StoreStmt *stmt;
    Status st = store_prepare(conn,
                              "select id, raw, beside from engine_dead where pipeline = ?1 "
                              "and reason not in ('sink_refused', 'sink_conflict') and raw <> '' "
                              "order by id limit ?2",
                              &stmt, diag);
    if (st) {
        return st;
    }
    store_bind_str(stmt, 1, job->name);
    store_bind_int(stmt, 2, job->limit);
    bool row = true;
    while (!(st = store_step(stmt, &row, diag)) && row) {
        Str raw = store_str(stmt, 1), beside = STR("");
        if (!store_is_null(stmt, 2)) {
            beside = store_str(stmt, 2);
        }
        ReplayHead head = {(uint64_t)store_int(stmt, 0), raw.len, beside.len};
        if (job->out.len + sizeof(head) + raw.len + beside.len > job->out.max_bytes / 2) {
            store_reset(stmt);
            break;
        }
        buf_add(&job->out, &head, sizeof(head));
        buf_str(&job->out, raw);
        buf_str(&job->out, beside);
        job->count++;
    }
    return st;
}

/* The records of the pipeline are bytes: their raw is in base64. */
static bool sends_bytes(const EngPipe *pipe)
{
    const RtProgram *program = pipe->version ? flow_program_table(pipe->version->program) : NULL;
    int index = program ? flow_program_find(pipe->version->program, str_from(pipe->name)) : -1;
    return index >= 0 && program->pipelines[index].source_count &&
           flow_is_bytes(flow_format(program->pipelines[index].sources[0].format));
}

/* What is none stays as it is, and fails again. */
static Str from_base64(Arena *arena, Str text)
{
    Str bytes;
    return flow_get_base64(text, arena, &bytes) ? text : bytes;
}

/* What came beside the record when it came first; it lives in the request. */
static void give_back(EngRecord *record, Arena *arena, Str beside)
{
    const Json *json = NULL, *headers;
    if (!beside.len || json_read(arena, arena_str(arena, beside), &json, NULL)) {
        return; /* of a version that kept none */
    }
    record->topic = json_str(json, "topic", STR(""));
    record->key = json_str(json, "key", STR(""));
    headers = json_get(json, "headers");
    if (headers) {
        record->headers = headers->raw;
    }
}

static void raw_done(void *ctx, Status status, const Diag *diag)
{
    DeadRead *job = ctx;
    EngPipe *pipe = engine__pipe_find(job->engine, job->name);
    const char *at = job->out.ptr;
    uint32_t pushed = 0;
    bool wake_any = false, bytes = pipe && sends_bytes(pipe);
    if (!status && (!pipe || pipe->state != ENGINE_RUNNING)) {
        req_fail(job->req, ST_CONFLICT, "the pipeline is not running");
    } else if (status) {
        req_fail(job->req, status, "%s", diag && diag->text[0] ? diag->text : status_text(status));
    } else {
        for (; pushed < job->count; pushed++) {
            ReplayHead head;
            memcpy(&head, at, sizeof(head));
            at += sizeof(head);
            EngToken token = {.value = head.id, .kind = TOKEN_DEAD, .slot = 0};
            bool wake = false;
            Str raw = {at, head.raw_len};
            EngRecord record = {.payload = bytes ? from_base64(job->req->arena, raw) : raw,
                                .received_ns = clock_wall_ns()};
            at += head.raw_len;
            give_back(&record, job->req->arena, (Str){at, head.beside_len});
            if (engine__queue_push(&pipe->queue, &record, token, &wake)) {
                break;
            }
            wake_any |= wake;
            at += head.beside_len;
        }
        if (wake_any && loop_post(pipe->shard->loop, engine__shard_drain, pipe)) {
            engine__queue_sleep(&pipe->queue);
        }
        Str body = arena_printf(job->req->arena, "{\"replayed\":%u}", pushed);
        req_answer(job->req, body);
    }
    buf_done(&job->out);
    mem_free(job);
}

void engine__op_replay(void *self, Req *req)
{
    DeadRead *job = read_new(self, req, json_int(req->in, "limit", REPLAY_MAX));
    if (job) {
        start_read(job, raw_job, raw_done);
    }
}
