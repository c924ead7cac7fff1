/* runtime/modules/engine/restore.c: at start the stored programs run again, by the way of a deploy
 * (deploy.c) but for storing them. */
#include "modules/engine/engine.h"

typedef struct RestoreRow {
    struct RestoreRow *next;
    Str file, text;
    uint32_t version;
} RestoreRow;

typedef struct RestoreRead {
    Engine *engine;
    Arena *arena;
    RestoreRow *first;
    struct RestorePipe {
        struct RestorePipe *next;
        Str name, file;
        bool wanted;
    } * pipes;
} RestoreRead;

static Status restore_job(StoreConn *conn, void *ctx, Diag *diag)
{
    RestoreRead *read = ctx;
    StoreStmt *stmt;
    Status st = store_prepare(conn,
                              "select p.file, p.version, v.text from engine_program p join "
                              "engine_version v on v.file = p.file and v.version = p.version "
                              "order by p.file desc",
                              &stmt, diag);
    bool row = true;
    while (!st && !(st = store_step(stmt, &row, diag)) && row) {
        RestoreRow *one = arena_one(read->arena, RestoreRow);
        if (!one) {
            return ST_NO_MEMORY;
        }
        one->file = arena_str(read->arena, store_str(stmt, 0));
        one->version = (uint32_t)store_int(stmt, 1);
        one->text = arena_str(read->arena, store_str(stmt, 2));
        one->next = read->first;
        read->first = one;
    }
    if (!st) {
        st = store_prepare(conn, "select name, file, wanted from engine_pipeline", &stmt, diag);
    }
    row = true;
    while (!st && !(st = store_step(stmt, &row, diag)) && row) {
        struct RestorePipe *one = arena_one(read->arena, struct RestorePipe);
        if (!one) {
            return ST_NO_MEMORY;
        }
        one->name = arena_str(read->arena, store_str(stmt, 0));
        one->file = arena_str(read->arena, store_str(stmt, 1));
        one->wanted = store_int(stmt, 2) != 0;
        one->next = read->pipes;
        read->pipes = one;
    }
    return st;
}

Status engine__restore(Engine *engine, Diag *diag)
{
    RestoreRead read = {.engine = engine, .arena = arena_new(0, (size_t)512 << 20)};
    if (!read.arena) {
        return diag_set(diag, ST_NO_MEMORY, "no memory for the stored programs");
    }
    Status st = store_run_now(engine->env->store, restore_job, &read, diag);
    for (struct RestorePipe *one = read.pipes; !st && one; one = one->next) {
        EngPipe *pipe = NULL;
        st = engine__pipe_new(engine, one->name, one->file, &pipe);
        if (!st) {
            pipe->wanted = one->wanted;
            engine->pipes[engine->pipe_count++] = pipe;
        }
    }
    engine__sort(engine);
    for (RestoreRow *row = read.first; !st && row; row = row->next) {
        st = engine__job_restore(engine, row->file, row->text, row->version);
        if (st) {
            st = diag_set(diag, st, "too many stored programs");
        }
    }
    engine->restored = engine->restore_left == 0;
    if (!st && engine->restored) {
        engine__alarms_sweep(engine);
    }
    arena_free(read.arena);
    return st;
}

void engine__op_restored(void *self, Req *req)
{
    Engine *engine = self;
    if (engine->restored) {
        req_answer(req, STR("{}"));
    } else if (engine->restored_req_count < COUNT_OF(engine->restored_req)) {
        engine->restored_req[engine->restored_req_count++] = req;
    } else {
        req_fail(req, ST_BUSY, "too many wait");
    }
}
