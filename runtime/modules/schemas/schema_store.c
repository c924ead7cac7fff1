/* runtime/modules/schemas/schema_store.c: schemas: kept, read again, changed, explained.
 *
 * Texts are compiled on a pool thread into a version that nobody sees yet; back on the loop it is
 * compared with the newest one, written, and only then put in place. Two people who save at once
 * meet at the version's number: the second is told to look again. */
#include "modules/schemas/schemas_int.h"

#include "base/mem.h"
#include "module/compiler.h"

#include <stdio.h>

enum { VERSION_ARENA_BYTES = 4 << 20 };

/* ---- in memory ---- */

Schema *schemas__find(const Schemas *self, Str name)
{
    for (uint32_t i = 0; i < self->count; i++)
        if (str_is(name, self->list[i]->name)) return self->list[i];
    return NULL;
}

SchemaVersion *schemas__version(const Schema *schema, int64_t version)
{
    if (!version) return schema->count ? schema->versions[schema->count - 1] : NULL;
    for (uint32_t i = 0; i < schema->count; i++)
        if (schema->versions[i]->version == version) return schema->versions[i];
    return NULL;
}

static void version_free(SchemaVersion *version)
{
    if (!version) return;
    flow_fit_free(version->fit);
    arena_free(version->arena);
}

static void schema_free(Schema *schema)
{
    for (uint32_t i = 0; i < schema->count; i++) version_free(schema->versions[i]);
    mem_free(schema);
}

void schemas__free(Schemas *self)
{
    for (uint32_t i = 0; i < self->count; i++) schema_free(self->list[i]);
    self->count = 0;
}

/* The schema of that name, made when there is none; at its place by name. */
static Schema *schema_add(Schemas *self, Str name)
{
    Schema *schema = schemas__find(self, name);
    if (schema) return schema;
    if (self->count == SCHEMA_COUNT_MAX || name.len > SCHEMA_NAME_BYTES_MAX) return NULL;
    schema = mem_zalloc(1, sizeof *schema);
    if (!schema) return NULL;
    memcpy(schema->name, name.ptr, name.len);
    uint32_t at = self->count++;
    for (; at && str_cmp(str_from(self->list[at - 1]->name), name) > 0; at--)
        self->list[at] = self->list[at - 1];
    self->list[at] = schema;
    return schema;
}

static void schema_drop(Schemas *self, Schema *schema)
{
    uint32_t at = 0;
    while (self->list[at] != schema) at++;
    for (self->count--; at < self->count; at++) self->list[at] = self->list[at + 1];
    schema_free(schema);
}

typedef struct VersionRow {
    int64_t version, at_ms;
    Str text, root, form, by, alarms;
    bool closed;
} VersionRow;

static Status version_new(const VersionRow *row, SchemaVersion **ret_version, Diag *diag)
{
    Arena *arena = arena_new(16 * 1024, VERSION_ARENA_BYTES);
    SchemaVersion *version = arena ? arena_one(arena, SchemaVersion) : NULL;
    if (!version) {
        arena_free(arena);
        return diag_set(diag, ST_NO_MEMORY, "no memory for a schema");
    }
    *version = (SchemaVersion){.version = row->version,
                               .at_ms = row->at_ms,
                               .arena = arena,
                               .text = arena_str(arena, row->text),
                               .root = arena_str(arena, row->root),
                               .form = arena_str(arena, row->form),
                               .by = arena_str(arena, row->by),
                               .alarm_text = arena_str(arena, row->alarms),
                               .closed = row->closed};
    Status st = version->form.ptr && version->text.ptr && version->root.ptr ? ST_OK : ST_NO_MEMORY;
    if (!st) st = json_read(arena, version->form, &version->json, diag);
    if (!st && !version->alarm_text.ptr) st = ST_NO_MEMORY;
    if (!st) st = json_read(arena, version->alarm_text, &version->alarms, diag);
    if (!st) st = schemas__form_field(arena, version->json, &version->field, diag);
    if (st)
        arena_free(arena);
    else
        *ret_version = version;
    return st;
}

static Status version_put(Schemas *self, Str name, SchemaVersion *version)
{
    Schema *schema = schema_add(self, name);
    if (!schema || schema->count == SCHEMA_VERSIONS_MAX) return ST_LIMIT;
    version->schema = schema;
    schema->versions[schema->count++] = version;
    return ST_OK;
}

Status schemas__load(StoreConn *conn, void *ctx, Diag *diag)
{
    Schemas *self = ctx;
    StoreStmt *stmt;
    bool row;
    Status st = store_prepare(conn,
                              "SELECT name, version, text, root, form, closed, at, by, alarms"
                              " FROM schemas"
                              " ORDER BY name, version",
                              &stmt, diag);
    while (!st) {
        st = store_step(stmt, &row, diag);
        if (st || !row) break;
        VersionRow one = {.version = store_int(stmt, 1),
                          .text = store_str(stmt, 2),
                          .root = store_str(stmt, 3),
                          .form = store_str(stmt, 4),
                          .closed = store_int(stmt, 5) != 0,
                          .at_ms = store_int(stmt, 6),
                          .by = store_str(stmt, 7),
                          .alarms = store_str(stmt, 8)};
        SchemaVersion *version = NULL;
        Diag why = {0};
        Status bad = version_new(&one, &version, &why);
        if (!bad) bad = version_put(self, store_str(stmt, 0), version);
        if (!bad) continue;
        log_error(self->env->log, "schemas", "a version cannot be read",
                  "schema=%.*s version=%lld reason=%s", STR_ARG(store_str(stmt, 0)),
                  (long long)one.version, why.text);
        version_free(version);
    }
    return st ? st : schemas__bindings_load(self, conn, diag);
}

/* ---- reading ---- */

static void put_version(JsonOut *out, const SchemaVersion *version)
{
    json_begin_object(out);
    json_field_int(out, "version", version->version);
    json_field_int(out, "at", version->at_ms);
    json_field_str(out, "by", version->by);
    json_end(out);
}

void schemas__op_list(void *ctx, Req *req)
{
    const Schemas *self = ctx;
    Buf body;
    JsonOut out;
    buf_init(&body, SCHEMA_ANSWER_BYTES_MAX);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_key(&out, "schemas");
    json_begin_array(&out);
    for (uint32_t i = 0; i < self->count; i++) {
        const Schema *schema = self->list[i];
        const SchemaVersion *newest = schemas__version(schema, 0);
        uint32_t bound = 0;
        uint64_t violations = 0;
        for (uint32_t b = 0; b < self->binding_count; b++) {
            if (self->bindings[b]->schema != schema) continue;
            bound++;
            violations += self->bindings[b]->violations;
        }
        json_begin_object(&out);
        json_field_text(&out, "name", schema->name);
        json_field_int(&out, "version", newest->version);
        json_field_str(&out, "root", newest->root);
        json_field_int(&out, "at", newest->at_ms);
        json_field_int(&out, "versions", schema->count);
        json_field_int(&out, "bindings", bound);
        json_field_int(&out, "violations", (int64_t)violations);
        json_end(&out);
    }
    json_end(&out);
    json_end(&out);
    req_answer_buf(req, &body);
}

static const Schema *known(const Schemas *self, Req *req)
{
    Str name = json_str(req->in, "name", STR_NONE);
    const Schema *schema = schemas__find(self, name);
    if (!schema) req_fail(req, ST_NOT_FOUND, "there is no schema \"%.*s\"", STR_ARG(name));
    return schema;
}

static const SchemaVersion *known_version(const Schemas *self, Req *req)
{
    int64_t wanted = json_int(req->in, "version", 0); /* a request that failed is gone */
    const Schema *schema = known(self, req);
    const SchemaVersion *version = schema ? schemas__version(schema, wanted) : NULL;
    if (schema && !version)
        req_fail(req, ST_NOT_FOUND, "schema \"%s\" has no version %lld", schema->name,
                 (long long)wanted);
    return version;
}

void schemas__op_get(void *self, Req *req)
{
    const SchemaVersion *version = known_version(self, req);
    Buf body;
    JsonOut out;
    if (!version) return;
    buf_init(&body, SCHEMA_ANSWER_BYTES_MAX);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_field_text(&out, "name", version->schema->name);
    json_field_int(&out, "version", version->version);
    json_field_str(&out, "root", version->root);
    json_field_str(&out, "text", version->text);
    json_field_bool(&out, "closed", version->closed);
    json_key(&out, "form");
    json_put_raw(&out, version->form);
    json_key(&out, "alarms");
    json_put_raw(&out, version->alarm_text);
    json_key(&out, "versions");
    json_begin_array(&out);
    for (uint32_t i = version->schema->count; i-- > 0;)
        put_version(&out, version->schema->versions[i]);
    json_end(&out);
    json_end(&out);
    req_answer_buf(req, &body);
}

/* Does a payload fit? For people who write a schema. */
void schemas__op_try(void *self, Req *req)
{
    SchemaVersion *version = (SchemaVersion *)(uintptr_t)known_version(self, req);
    Diag diag = {0};
    FlowUnfit unfit = {"", "", ""};
    Buf body;
    JsonOut out;
    if (!version) return;
    Status st = schemas__fit(version, &diag);
    if (st) {
        req_fail(req, st, "%s", diag.text);
        return;
    }
    bool fits = flow_fit(version->fit, json_str(req->in, "payload", STR("")), &unfit);
    buf_init(&body, 8192);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_field_bool(&out, "fits", fits);
    json_field_text(&out, "reason", unfit.reason);
    json_field_text(&out, "message", unfit.message);
    json_field_text(&out, "field", unfit.path);
    json_end(&out);
    req_answer_buf(req, &body);
}

/* ---- a new version ---- */

typedef struct Save {
    Schemas *self;
    Req *req;
    Str name, text, root;
    bool closed, only_check, incompatible; /* incompatible: also when it is */
    ProgramSchema made;
    SchemaVersion *version; /* owned until it is put in place */
    Buf changes;
    bool any, compatible;
    Status status;
    Diag diag;
} Save;

static void save_free(Save *save)
{
    Schemas *self = save->self;
    version_free(save->version);
    buf_done(&save->changes);
    mem_free(save);
    schemas__job_done(self);
}

static void save_answer(Save *save, int64_t number)
{
    Buf body;
    JsonOut out;
    buf_init(&body, SCHEMA_ANSWER_BYTES_MAX);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_field_bool(&out, "ok", save->made.ok);
    if (number) json_field_int(&out, "version", number);
    json_key(&out, "problems");
    json_put_raw(&out, save->made.problems.len ? save->made.problems : STR("[]"));
    if (save->made.ok) {
        json_field_str(&out, "root", save->made.root);
        json_field_bool(&out, "compatible", save->compatible);
        json_field_bool(&out, "changed", save->any);
        json_key(&out, "changes");
        json_put_raw(&out, save->changes.len ? buf_view(&save->changes) : STR("[]"));
        json_key(&out, "form");
        json_put_raw(&out, save->made.form);
        json_key(&out, "alarms");
        json_put_raw(&out, save->made.alarms);
    }
    json_end(&out);
    req_answer_buf(save->req, &body);
}

/* A refusal that says which changes are meant. */
static void save_refuse(Save *save, Status status, const char *code, const char *text)
{
    Buf body;
    JsonOut out;
    buf_init(&body, SCHEMA_ANSWER_BYTES_MAX);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_key(&out, "error");
    json_begin_object(&out);
    json_field_text(&out, "code", code);
    json_field_text(&out, "text", text);
    json_end(&out);
    json_key(&out, "problems");
    json_put_raw(&out, save->made.problems.len ? save->made.problems : STR("[]"));
    json_key(&out, "changes");
    json_put_raw(&out, save->changes.len ? buf_view(&save->changes) : STR("[]"));
    json_end(&out);
    if (buf_status(&body))
        req_fail(save->req, status, "%s", text);
    else
        req_fail_json(save->req, status, buf_view(&body));
    buf_done(&body);
}

static Status write_version(StoreConn *conn, void *ctx, Diag *diag)
{
    const Save *save = ctx;
    StoreStmt *stmt;
    bool row;
    Status st = store_prepare(conn,
                              "INSERT INTO schemas(name, version, text, root, form, closed, at, by,"
                              " alarms) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                              &stmt, diag);
    if (st) return st;
    store_bind_str(stmt, 1, save->name);
    store_bind_int(stmt, 2, save->version->version);
    store_bind_str(stmt, 3, save->version->text);
    store_bind_str(stmt, 4, save->version->root);
    store_bind_str(stmt, 5, save->version->form);
    store_bind_int(stmt, 6, save->version->closed);
    store_bind_int(stmt, 7, save->version->at_ms);
    store_bind_str(stmt, 8, save->version->by);
    store_bind_str(stmt, 9, save->version->alarm_text);
    return store_step(stmt, &row, diag);
}

static void tell_alarms(const Save *save)
{
    const Schema *schema = schemas__find(save->self, save->name);
    if (schema) schemas__alarms_tell(save->self, schema);
}

static void on_written(void *ctx, Status status, const Diag *diag)
{
    Save *save = ctx;
    Schemas *self = save->self;
    if (status) {
        tell_alarms(save);
        req_fail(save->req, status, "%s",
                 status == ST_CONFLICT ? "somebody saved this schema at the same time: look again"
                                       : diag->text);
        save_free(save);
        return;
    }
    int64_t number = save->version->version;
    Diag why = {0};
    Status st = version_put(self, save->name, save->version);
    if (!st) save->version = NULL;
    if (!st) st = schemas__rebind(self, &why);
    log_info(self->env->log, "schemas", "a schema has a new version",
             "schema=%.*s version=%lld compatible=%s by=%.*s%s%s", STR_ARG(save->name),
             (long long)number, save->compatible ? "yes" : "no",
             STR_ARG(bus_caller_who(&save->req->caller)), st ? " not_in_place=" : "",
             st ? why.text : "");
    tell_alarms(save);
    schemas__changed(self, "saved", save->name);
    save_answer(save, number);
    save_free(save);
}

static void save_write(Save *save)
{
    Status st = store_write(save->self->env->store, write_version, on_written, save);
    if (!st) return;
    tell_alarms(save);
    req_fail(save->req, st, "%s", status_text(st));
    save_free(save);
}

static void on_declared(void *ctx, Status status, Str body)
{
    Save *save = ctx;
    if (!status) {
        save_write(save);
        return;
    }
    Str why = body.len ? body : str_from(status_text(status));
    req_fail(save->req, status, "its alarms were not taken: %.*s", STR_ARG(why));
    save_free(save);
}

/* What is bound to the newest version has other alarms now: refused here, nothing is saved. */
static void save_begin_writing(Save *save, const Schema *schema)
{
    const SchemaChange change = {.newest = save->version};
    if (!schema || !schemas__is_bound(save->self, schema, 0) ||
        !schemas__has_alarms(schema, &change)) {
        save_write(save);
        return;
    }
    Status st = schemas__alarms_declare(save->self, schema, &change, on_declared, save);
    if (st) on_declared(save, st, STR_NONE);
}

/* Makes the version that would come next, and compares. */
static Status prepare(Save *save, const Schema *schema)
{
    const SchemaVersion *newest = schema ? schemas__version(schema, 0) : NULL;
    VersionRow row = {.version = newest ? newest->version + 1 : 1,
                      .at_ms = clock_wall_ns() / NS_PER_MS,
                      .text = save->text,
                      .root = save->made.root,
                      .form = save->made.form,
                      .by = bus_caller_who(&save->req->caller),
                      .alarms = save->made.alarms,
                      .closed = save->closed};
    Status st = version_new(&row, &save->version, &save->diag);
    if (st) return st;
    save->compatible = save->any = true;
    if (!newest) return ST_OK;
    JsonOut out;
    save->version->schema = (Schema *)(uintptr_t)schema;
    json_out_init(&out, &save->changes);
    save->compatible = schemas__diff(newest, save->version, &out, &save->any);
    return buf_status(&save->changes);
}

static void on_made(void *ctx)
{
    Save *save = ctx;
    Schemas *self = save->self;
    const Schema *schema = save->name.len ? schemas__find(self, save->name) : NULL;
    const SchemaVersion *newest = schema ? schemas__version(schema, 0) : NULL;
    Status st = save->status;
    if (!st && save->made.ok) st = prepare(save, schema);
    bool full = schema ? schema->count == SCHEMA_VERSIONS_MAX : self->count == SCHEMA_COUNT_MAX;
    if (st) {
        req_fail(save->req, st, "%s", save->diag.text[0] ? save->diag.text : status_text(st));
    } else if (save->only_check) {
        save_answer(save, 0);
    } else if (!save->made.ok) {
        save_refuse(save, ST_INVALID, "invalid", "the text has errors; nothing was saved");
    } else if (newest && !save->any && str_eq(newest->text, save->text)) {
        save_answer(save, newest->version); /* nothing to save */
    } else if (!save->compatible && !save->incompatible) {
        save_refuse(save, ST_CONFLICT, "conflict",
                    "the change is not compatible; say \"incompatible\": true to save it all the "
                    "same");
    } else if (full) {
        req_fail(save->req, ST_LIMIT,
                 schema ? "a schema has at most %d versions" : "there are at most %d schemas",
                 schema ? SCHEMA_VERSIONS_MAX : SCHEMA_COUNT_MAX);
    } else {
        save_begin_writing(save, schema);
        return;
    }
    save_free(save);
}

static void make(void *ctx)
{
    Save *save = ctx;
    const ProgramCompiler *compiler = program_compiler();
    save->status = compiler && compiler->schema
                       ? compiler->schema(compiler->ctx, save->req->arena, save->text, save->root,
                                          &save->made, &save->diag)
                       : diag_set(&save->diag, ST_UNSUPPORTED,
                                  "this program has no compiler: it keeps the schemas it has");
}

static bool name_valid(Str name)
{
    if (!name.len || name.len > SCHEMA_NAME_BYTES_MAX) return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && !(i && ((c >= '0' && c <= '9') || c == '-' || c == '.'))) return false;
    }
    return true;
}

static void save_begin(Schemas *self, Req *req, bool only_check)
{
    Str name = json_str(req->in, "name", STR_NONE);
    if ((name.len || !only_check) && !name_valid(name)) {
        req_fail(req, ST_INVALID,
                 "\"%.*s\" is no name of a schema: letters, digits, _ - and ., a letter first",
                 STR_ARG(name));
        return;
    }
    Save *save = mem_zalloc(1, sizeof *save);
    if (!save) {
        req_fail(req, ST_NO_MEMORY, "no memory for the request");
        return;
    }
    *save = (Save){.self = self,
                   .req = req,
                   .name = name,
                   .text = json_str(req->in, "text", STR("")),
                   .root = json_str(req->in, "root", STR("")),
                   .closed = json_bool(req->in, "closed", false),
                   .incompatible = json_bool(req->in, "incompatible", false),
                   .only_check = only_check};
    buf_init(&save->changes, SCHEMA_FORM_BYTES_MAX);
    self->jobs++;
    Status st = loop_work(self->env->loop, make, on_made, save);
    if (!st) return;
    req_fail(req, st, "%s", status_text(st));
    save_free(save);
}

void schemas__op_save(void *self, Req *req)
{
    save_begin(self, req, false);
}

void schemas__op_check(void *self, Req *req)
{
    save_begin(self, req, true);
}

/* ---- removing ---- */

typedef struct Remove {
    Schemas *self;
    Req *req;
    Str name;
} Remove;

static Status remove_job(StoreConn *conn, void *ctx, Diag *diag)
{
    const Remove *remove = ctx;
    StoreStmt *stmt;
    bool row;
    Status st = store_prepare(conn, "DELETE FROM schemas WHERE name = ?1", &stmt, diag);
    if (st) return st;
    store_bind_str(stmt, 1, remove->name);
    return store_step(stmt, &row, diag);
}

static void on_removed(void *ctx, Status status, const Diag *diag)
{
    Remove *remove = ctx;
    Schemas *self = remove->self;
    Schema *schema = schemas__find(self, remove->name);
    if (status) {
        req_fail(remove->req, status, "%s", diag->text);
    } else {
        log_info(self->env->log, "schemas", "a schema is gone", "schema=%.*s by=%.*s",
                 STR_ARG(remove->name), STR_ARG(bus_caller_who(&remove->req->caller)));
        if (schema) schema_drop(self, schema);
        schemas__changed(self, "removed", remove->name);
        req_answer(remove->req, STR("{}"));
    }
    mem_free(remove);
    schemas__job_done(self);
}

void schemas__op_remove(void *ctx, Req *req)
{
    Schemas *self = ctx;
    const Schema *schema = known(self, req);
    if (!schema) return;
    if (schemas__is_bound(self, schema, 0)) {
        req_fail(req, ST_CONFLICT, "schema \"%s\" is bound to topics: unbind it there first",
                 schema->name);
        return;
    }
    Remove *remove = mem_alloc(sizeof *remove);
    if (!remove) {
        req_fail(req, ST_NO_MEMORY, "no memory for the request");
        return;
    }
    *remove = (Remove){self, req, json_str(req->in, "name", STR_NONE)};
    self->jobs++;
    Status st = store_write(self->env->store, remove_job, on_removed, remove);
    if (!st) return;
    req_fail(req, st, "%s", status_text(st));
    mem_free(remove);
    schemas__job_done(self);
}
