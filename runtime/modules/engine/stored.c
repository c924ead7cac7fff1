/* runtime/modules/engine/stored.c: the engine's tables, and small reads and writes of them. */
#include "modules/engine/engine.h"

#include "base/mem.h"

#include <stdio.h>

const StoreMigration engine__migrations[] = {
    {1, "init",
     "create table engine_program(file text primary key, version integer not null, "
     "hash text not null);"
     "create table engine_version(file text not null, version integer not null, "
     "hash text not null, at integer not null, by text not null, text text not null, "
     "primary key(file, version));"
     "create table engine_pipeline(name text primary key, file text not null, "
     "wanted integer not null);"
     "create table engine_dead(id integer primary key autoincrement, pipeline text not null, "
     "at integer not null, stage text, reason text not null, field text, message text, raw text);"
     "create index engine_dead_pipeline on engine_dead(pipeline, id);"},
    {2, "what came beside a record", "alter table engine_dead add column beside text;"},
    {0}};

Status engine__bind_and_step(StoreConn *conn, const char *sql, Str a, Str b, int64_t c, Diag *diag)
{
    StoreStmt *stmt;
    Status st = store_prepare(conn, sql, &stmt, diag);
    if (st) {
        return st;
    }
    bool row;
    store_bind_str(stmt, 1, a);
    store_bind_str(stmt, 2, b);
    store_bind_int(stmt, 3, c);
    return store_step(stmt, &row, diag);
}

/* ---- small writes ---- */

typedef struct Wanted {
    bool wanted;
    char name[ENGINE_NAME_BYTES_MAX + 1];
} Wanted;

static Status wanted_job(StoreConn *conn, void *ctx, Diag *diag)
{
    const Wanted *job = ctx;
    return engine__bind_and_step(
        conn, "update engine_pipeline set wanted = ?3 where name = ?1 and ?2 = ?2",
        str_from(job->name), STR(""), job->wanted, diag);
}

static void wanted_done(void *ctx, Status status, const Diag *diag)
{
    (void)status;
    (void)diag;
    mem_free(ctx);
}

void engine__store_wanted(EngPipe *pipe)
{
    Wanted *job = mem_zalloc(1, sizeof(*job));
    if (!job) {
        return;
    }
    job->wanted = pipe->wanted;
    (void)snprintf(job->name, sizeof(job->name), "%s", pipe->name);
    if (store_write(pipe->engine->env->store, wanted_job, wanted_done, job)) {
        mem_free(job);
    }
}

/* ---- versions ---- */

typedef struct Versions {
    Req *req;
    Str file;
    Buf out;
} Versions;

static Status versions_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Versions *job = ctx;
    StoreStmt *stmt;
    Status st = store_prepare(conn,
                              "select version, hash, at, by, length(text) from engine_version "
                              "where file = ?1 order by version desc",
                              &stmt, diag);
    if (st) {
        return st;
    }
    store_bind_str(stmt, 1, job->file);
    JsonOut json;
    json_out_init(&json, &job->out);
    json_begin_object(&json);
    json_field_str(&json, "file", job->file);
    json_key(&json, "versions");
    json_begin_array(&json);
    bool row = true;
    while (!(st = store_step(stmt, &row, diag)) && row) {
        json_begin_object(&json);
        json_field_int(&json, "version", store_int(stmt, 0));
        json_field_str(&json, "hash", store_str(stmt, 1));
        json_field_int(&json, "time", store_int(stmt, 2));
        json_field_str(&json, "by", store_str(stmt, 3));
        json_field_int(&json, "bytes", store_int(stmt, 4));
        json_end(&json);
    }
    json_end(&json);
    json_end(&json);
    return st;
}

static void versions_done(void *ctx, Status status, const Diag *diag)
{
    Versions *job = ctx;
    if (status) {
        req_fail(job->req, status, "%s", diag && diag->text[0] ? diag->text : status_text(status));
    } else {
        req_answer(job->req, buf_view(&job->out));
    }
    buf_done(&job->out);
    mem_free(job);
}

void engine__op_versions(void *self, Req *req)
{
    Engine *engine = self;
    const EngPipe *pipe = engine__pipe_find(engine, json_str(req->in, "name", STR("")));
    Versions *job = pipe ? mem_zalloc(1, sizeof(*job)) : NULL;
    if (!job) {
        req_fail(req, pipe ? ST_NO_MEMORY : ST_NOT_FOUND, "no such pipeline");
        return;
    }
    job->req = req;
    job->file = arena_str(req->arena, str_from(pipe->file));
    buf_init(&job->out, BUS_BODY_BYTES_MAX);
    if (store_read(engine->env->store, versions_job, versions_done, job)) {
        req_fail(req, ST_BUSY, "the store is busy");
        mem_free(job);
    }
}
