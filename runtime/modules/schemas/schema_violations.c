/* runtime/modules/schemas/schema_violations.c: what did not fit: counted, and the last ones kept.
 *
 * A ring in memory takes them without ever waiting; a timer brings what is new to the disk, so a
 * device that sends rubbish ten thousand times a second costs memory copies and one small
 * transaction a second. Counters stand in the bindings. */
#include "modules/schemas/schemas_int.h"

#include "base/mem.h"

enum { STORE_EVERY_MS = 1000, LOG_EVERY_MS = 10000, LIST_LIMIT = 100 };

static uint64_t ring_max(const Schemas *self)
{
    return (uint64_t)schemas_conf(self)->violations_max;
}

static Violation *slot(const Schemas *self, uint64_t id)
{
    return &self->ring[id % ring_max(self)];
}

/* Cut at a whole letter. */
static uint16_t copy_text(char *to, size_t room, Str from)
{
    size_t len = from.len < room ? from.len : room;
    if (len < from.len)
        while (len && ((unsigned char)from.ptr[len] & 0xc0) == 0x80) len--;
    if (len) memcpy(to, from.ptr, len);
    return (uint16_t)len;
}

/* ---- to the disk and back ---- */

typedef struct StoreRow {
    Str filter;
    uint64_t violations;
    int64_t last_ms;
} StoreRow;

typedef struct StoreJob {
    Schemas *self;
    Arena *arena;
    Violation *rows;
    StoreRow *bindings;
    uint32_t row_count, binding_count;
    uint64_t upto;
} StoreJob;

static Status write_row(StoreConn *conn, const Violation *row, Diag *diag)
{
    StoreStmt *stmt;
    bool more;
    Status st = store_prepare(conn,
                              "INSERT OR REPLACE INTO schema_violations(id, at, topic, schema,"
                              " version, strict, client, user, reason, message, field, head, bytes)"
                              " VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13)",
                              &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, (int64_t)row->id);
    store_bind_int(stmt, 2, row->at_ms);
    store_bind_str(stmt, 3, str_slice(row->topic, row->topic_len));
    store_bind_str(stmt, 4, str_from(row->schema));
    store_bind_int(stmt, 5, row->version);
    store_bind_int(stmt, 6, row->strict);
    store_bind_str(stmt, 7, str_slice(row->client, row->client_len));
    store_bind_str(stmt, 8, str_slice(row->user, row->user_len));
    store_bind_str(stmt, 9, str_from(row->reason));
    store_bind_str(stmt, 10, str_from(row->message));
    store_bind_str(stmt, 11, str_slice(row->field, row->field_len));
    store_bind_blob(stmt, 12, str_slice(row->head, row->head_len));
    store_bind_int(stmt, 13, row->payload_bytes);
    return store_step(stmt, &more, diag);
}

static Status write_counts(StoreConn *conn, const StoreRow *row, Diag *diag)
{
    StoreStmt *stmt;
    bool more;
    Status st = store_prepare(
        conn, "UPDATE schema_bindings SET violations = ?2, last = ?3 WHERE filter = ?1", &stmt,
        diag);
    if (st) return st;
    store_bind_str(stmt, 1, row->filter);
    store_bind_int(stmt, 2, (int64_t)row->violations);
    store_bind_int(stmt, 3, row->last_ms);
    return store_step(stmt, &more, diag);
}

static Status store_job(StoreConn *conn, void *ctx, Diag *diag)
{
    const StoreJob *job = ctx;
    StoreStmt *stmt;
    bool more;
    Status st = ST_OK;
    for (uint32_t i = 0; i < job->row_count && !st; i++) st = write_row(conn, &job->rows[i], diag);
    for (uint32_t i = 0; i < job->binding_count && !st; i++)
        st = write_counts(conn, &job->bindings[i], diag);
    if (!st) st = store_prepare(conn, "DELETE FROM schema_violations WHERE id <= ?1", &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, (int64_t)job->upto - schemas_conf(job->self)->violations_max);
    return store_step(stmt, &more, diag);
}

static void timer_start(Schemas *self);

static void on_stored(void *ctx, Status status, const Diag *diag)
{
    StoreJob *job = ctx;
    Schemas *self = job->self;
    self->storing = false;
    if (!status)
        self->stored = job->upto;
    else
        log_warn(self->env->log, "schemas", "violations not stored", "reason=%s",
                 diag ? diag->text : "");
    arena_free(job->arena);
    if (self->stored < self->violated && !self->draining) timer_start(self);
    schemas__job_done(self);
}

void schemas__violations_flush(Schemas *self)
{
    loop_timer_stop(self->store_timer);
    self->store_timer = NULL;
    if (self->storing || self->stored == self->violated) return;
    uint64_t first = self->stored + 1, max = ring_max(self);
    if (self->violated > max && first < self->violated - max + 1) first = self->violated - max + 1;
    uint32_t rows = (uint32_t)(self->violated - first + 1);
    Arena *arena = arena_new(64 * 1024, rows * sizeof(Violation) + (8 << 20));
    StoreJob *job = arena ? arena_one(arena, StoreJob) : NULL;
    Violation *copies = job ? arena_many(arena, Violation, rows) : NULL;
    StoreRow *counts = copies ? arena_many(arena, StoreRow, self->binding_count + 1) : NULL;
    if (!counts) {
        arena_free(arena);
        return; /* with the next one */
    }
    *job = (StoreJob){.self = self,
                      .arena = arena,
                      .rows = copies,
                      .bindings = counts,
                      .row_count = rows,
                      .upto = self->violated};
    for (uint32_t i = 0; i < rows; i++) copies[i] = *slot(self, first + i);
    for (uint32_t i = 0; i < self->binding_count; i++) {
        const Binding *binding = self->bindings[i];
        Str filter = arena_str(arena, str_slice(binding->filter, binding->filter_len));
        if (filter.ptr)
            counts[job->binding_count++] =
                (StoreRow){filter, binding->violations, binding->last_ms};
    }
    self->storing = true;
    self->jobs++;
    if (store_write(self->env->store, store_job, on_stored, job)) on_stored(job, ST_BUSY, NULL);
}

static void on_timer(void *ctx)
{
    schemas__violations_flush(ctx);
}

static void timer_start(Schemas *self)
{
    if (self->store_timer) return;
    if (loop_timer_start(self->env->loop, STORE_EVERY_MS, 0, on_timer, self, &self->store_timer))
        self->store_timer = NULL;
}

static bool ring_there(Schemas *self)
{
    if (!self->ring) self->ring = mem_zalloc((size_t)ring_max(self), sizeof *self->ring);
    return self->ring != NULL;
}

Status schemas__violations_load(Schemas *self, StoreConn *conn, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    Status st =
        store_prepare(conn,
                      "SELECT id, at, topic, schema, version, strict, client, user, reason,"
                      " field, head, bytes FROM schema_violations ORDER BY id DESC LIMIT ?1",
                      &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, schemas_conf(self)->violations_max);
    while (!(st = store_step(stmt, &row, diag)) && row) {
        if (!ring_there(self) || store_int(stmt, 0) <= 0) continue;
        Violation *v = slot(self, (uint64_t)store_int(stmt, 0));
        if (v->id) continue; /* a hole: an older one than the ring holds */
        FlowUnfit unfit = flow_unfit_of(store_str(stmt, 8));
        *v = (Violation){.id = (uint64_t)store_int(stmt, 0),
                         .at_ms = store_int(stmt, 1),
                         .version = store_int(stmt, 4),
                         .strict = store_int(stmt, 5) != 0,
                         .reason = unfit.reason,
                         .message = unfit.message,
                         .payload_bytes = (uint32_t)store_int(stmt, 11)};
        v->topic_len = copy_text(v->topic, sizeof v->topic, store_str(stmt, 2));
        (void)copy_text(v->schema, sizeof v->schema - 1, store_str(stmt, 3));
        v->client_len = copy_text(v->client, sizeof v->client, store_str(stmt, 6));
        v->user_len = copy_text(v->user, sizeof v->user, store_str(stmt, 7));
        v->field_len = copy_text(v->field, sizeof v->field, store_str(stmt, 9));
        v->head_len = copy_text(v->head, sizeof v->head, store_str(stmt, 10));
        if (v->id > self->violated) self->violated = self->stored = v->id;
    }
    return st;
}

/* ---- taking ---- */

void schemas__violation(Schemas *self, const Binding *binding, Str topic, Str payload, Str client,
                        Str user, const FlowUnfit *unfit)
{
    if (!ring_there(self)) return;
    Violation *v = slot(self, ++self->violated);
    v->id = self->violated;
    v->at_ms = binding->last_ms;
    v->version = binding->now->version;
    memcpy(v->schema, binding->schema->name, sizeof v->schema);
    v->topic_len = copy_text(v->topic, sizeof v->topic, topic);
    v->head_len = copy_text(v->head, sizeof v->head, payload);
    v->client_len = copy_text(v->client, sizeof v->client, client);
    v->user_len = copy_text(v->user, sizeof v->user, user);
    v->field_len = copy_text(v->field, sizeof v->field, str_from(unfit->path));
    v->payload_bytes = (uint32_t)payload.len;
    v->strict = binding->strict;
    v->reason = unfit->reason;
    v->message = unfit->message;
    timer_start(self);
    if (binding->last_ms - self->logged_ms < LOG_EVERY_MS) return;
    self->logged_ms = binding->last_ms;
    log_warn(self->env->log, "schemas", "a publish does not fit its schema",
             "topic=%.*s schema=%s field=%s reason=%s mode=%s client=%.*s", STR_ARG(topic),
             binding->schema->name, unfit->path, unfit->reason, binding->strict ? "strict" : "soft",
             STR_ARG(client));
}

/* ---- ops ---- */

static void put_violation(JsonOut *out, const Violation *v)
{
    json_begin_object(out);
    json_field_int(out, "id", (int64_t)v->id);
    json_field_int(out, "at", v->at_ms);
    json_field_str(out, "topic", str_slice(v->topic, v->topic_len));
    json_field_text(out, "schema", v->schema);
    json_field_int(out, "version", v->version);
    json_field_text(out, "mode", v->strict ? "strict" : "soft");
    json_field_str(out, "client", str_slice(v->client, v->client_len));
    json_field_str(out, "user", str_slice(v->user, v->user_len));
    json_field_text(out, "reason", v->reason);
    json_field_text(out, "message", v->message);
    json_field_str(out, "field", str_slice(v->field, v->field_len));
    json_field_str(out, "head", str_slice(v->head, v->head_len));
    json_field_int(out, "bytes", v->payload_bytes);
    json_end(out);
}

/* `topic` names one topic, or with a line of levels behind it a branch. */
static bool wanted(const Violation *v, Str topic, Str schema)
{
    Str own = str_slice(v->topic, v->topic_len);
    if (schema.len && !str_is(schema, v->schema)) return false;
    if (!topic.len) return true;
    return str_starts(own, topic) && (own.len == topic.len || own.ptr[topic.len] == '/');
}

void schemas__op_violations(void *ctx, Req *req)
{
    const Schemas *self = ctx;
    Str topic = json_str(req->in, "topic", STR("")), schema = json_str(req->in, "schema", STR(""));
    int64_t left = json_int(req->in, "limit", LIST_LIMIT), total = 0;
    Buf body;
    JsonOut out;
    buf_init(&body, SCHEMA_ANSWER_BYTES_MAX);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_key(&out, "violations");
    json_begin_array(&out);
    for (uint64_t i = 0, max = ring_max(self); self->ring && i < max && i < self->violated; i++) {
        const Violation *v = slot(self, self->violated - i);
        if (v->id != self->violated - i || !wanted(v, topic, schema)) continue;
        total++;
        if (left-- > 0 && body.len < SCHEMA_ANSWER_BYTES_MAX - 8192) put_violation(&out, v);
    }
    json_end(&out);
    json_field_int(&out, "kept", total);
    json_field_int(&out, "ever", (int64_t)self->violated);
    json_end(&out);
    req_answer_buf(req, &body);
}

static Status forget_job(StoreConn *conn, void *ctx, Diag *diag)
{
    (void)ctx;
    return store_exec(conn, "DELETE FROM schema_violations", diag);
}

typedef struct Forget {
    Schemas *self;
    Req *req;
} Forget;

static void on_forgotten(void *ctx, Status status, const Diag *diag)
{
    Forget *forget = ctx;
    Schemas *self = forget->self;
    if (status) {
        req_fail(forget->req, status, "%s", diag->text);
    } else {
        if (self->ring) memset(self->ring, 0, (size_t)ring_max(self) * sizeof *self->ring);
        self->stored = self->violated;
        for (uint32_t i = 0; i < self->binding_count; i++) self->bindings[i]->violations = 0;
        log_info(self->env->log, "schemas", "violations are forgotten", "by=%.*s",
                 STR_ARG(bus_caller_who(&forget->req->caller)));
        req_answer(forget->req, STR("{}"));
    }
    mem_free(forget);
    schemas__job_done(self);
}

void schemas__op_forget(void *ctx, Req *req)
{
    Schemas *self = ctx;
    Forget *forget = mem_alloc(sizeof *forget);
    Status st = forget ? ST_OK : ST_NO_MEMORY;
    if (forget) {
        *forget = (Forget){self, req};
        self->jobs++;
        st = store_write(self->env->store, forget_job, on_forgotten, forget);
    }
    if (!st) return;
    req_fail(req, st, "%s", status_text(st));
    if (!forget) return;
    mem_free(forget);
    schemas__job_done(self);
}

void schemas__op_stats(void *ctx, Req *req)
{
    const Schemas *self = ctx;
    uint64_t checked = 0;
    Buf body;
    JsonOut out;
    for (uint32_t i = 0; i < self->binding_count; i++) checked += self->bindings[i]->checked;
    buf_init(&body, 4096);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_field_int(&out, "schemas", self->count);
    json_field_int(&out, "bindings", self->binding_count);
    json_field_int(&out, "checked", (int64_t)checked);
    json_field_int(&out, "violations", (int64_t)self->violated);
    json_field_int(&out, "stored", (int64_t)self->stored);
    json_field_int(&out, "refused", (int64_t)self->refused);
    json_end(&out);
    req_answer_buf(req, &body);
}
