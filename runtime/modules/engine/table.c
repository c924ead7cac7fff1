/* runtime/modules/engine/table.c: rows of a table of the historian as records.
 *
 * The module that keeps the tables is asked for what is behind the last row (`uns.rows`), a piece
 * at a time and only while few rows wait here, and tells when more is written (`uns.recorded`).
 * How far the pipeline has come is its business (place.c), and it is asked for that when its first
 * instance runs: what its journal holds of the table is known then. Where it has no place yet it
 * begins with the first row, or with the first one written since the moment the program says. */
#include "modules/engine/engine.h"

#include "ask/rows.h"
#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>

enum {
    LOOK_MS = 10000, /* news may be lost where modules are processes apart */
    RETRY_MS = 1000,
    WAITING_MAX = ENGINE_WINDOW,
    QUESTION_BYTES_MAX = 128 << 10
};

static void pull(EngSource *source);

static void on_look(void *ctx)
{
    pull(ctx);
}

static void look_later(EngSource *source, uint64_t ms)
{
    loop_once_stop(&source->retry);
    if (loop_once(source->pipe->engine->env->loop, ms, on_look, source, &source->retry)) {
        engine__pipe_fail(source->pipe, "no memory for a timer");
    }
}

static void on_news(void *ctx, const BusMsg *msg)
{
    EngSource *source = ctx;
    Arena *arena = arena_new(512, 64 << 10);
    const Json *body = NULL;
    bool ours = !arena || json_read(arena, msg->body, &body, NULL) ||
                str_is(json_str(body, "table", STR("")), source->path);
    arena_free(arena);
    if (ours) {
        pull(source);
    }
}

/* ---- rows ---- */

static EngToken token_of(const EngSource *source, EngPlace at)
{
    return (EngToken){.value = (uint64_t)(at.n ? at.n : at.next),
                      .serial = source->serial,
                      .kind = at.n ? TOKEN_ROW : TOKEN_ROW_OLD,
                      .slot = source->slot};
}

EngPlace engine__token_place(const EngToken *token)
{
    if (token->kind == TOKEN_ROW) {
        return (EngPlace){.n = (int64_t)token->value};
    }
    return (EngPlace){.next = (int64_t)token->value};
}

static bool push_row(EngSource *source, const Json *row, int64_t now_ns)
{
    const Json *n = row->first, *next = n ? n->next : NULL, *record = next ? next->next : NULL;
    if (!record) {
        return true;
    }
    EngPlace at = {.n = n->integer, .next = n->integer ? 0 : next->integer};
    Str name = str_from(source->path);
    EngRecord item = {.payload = record->raw, .topic = name, .key = name, .received_ns = now_ns};
    if (engine__source_push_token(source, &item, token_of(source, at))) {
        return false;
    }
    source->asked = at;
    source->waiting++;
    return true;
}

static void take_rows(EngSource *source, const Json *answer)
{
    int64_t now_ns = clock_wall_ns();
    const Json *rows = json_get(answer, "rows");
    for (const Json *row = rows ? rows->first : NULL; row; row = row->next) {
        if (!push_row(source, row, now_ns)) { /* no memory: from this row on, later */
            look_later(source, RETRY_MS);
            return;
        }
    }
    source->asked = (EngPlace){json_int(answer, "n", 0), json_int(answer, "next", 0)};
    bool more = json_bool(answer, "more", false) || source->news;
    if (source->troubled) {
        source->troubled = false;
        engine__source_recovered(source->pipe);
    }
    look_later(source, LOOK_MS);
    if (more) {
        pull(source);
    }
}

static void trouble(EngSource *source, Status status, Str why)
{
    EngPipe *pipe = source->pipe;
    char text[400];
    (void)snprintf(text, sizeof(text), "from historian %s: %.*s", source->path,
                   (int)(why.len < 360 ? why.len : 360), why.len ? why.ptr : status_text(status));
    if (status == ST_CONFLICT || status == ST_INVALID || status == ST_UNSUPPORTED) {
        engine__pipe_fail(pipe, text);
        return;
    }
    source->troubled = true;
    engine__problem(pipe, ENGINE_PROBLEM_SOURCE, "%s", text);
    /* A table that is not there comes with news. */
    look_later(source, status == ST_NOT_FOUND ? LOOK_MS : RETRY_MS);
    if (source->news) {
        pull(source);
    }
}

static void on_rows(void *ctx, Status status, Str body)
{
    EngSource *source = engine__ask_source(ctx, status);
    if (!source) {
        return;
    }
    source->busy = false;
    if (source->closing) {
        return;
    }
    Arena *arena = arena_new(64 << 10, 64 << 20);
    const Json *answer = NULL;
    if (!status && (!arena || json_read(arena, body, &answer, NULL))) {
        status = ST_NO_MEMORY;
        body = STR("no memory for its rows");
    }
    if (status) {
        trouble(source, status, body);
    } else {
        take_rows(source, answer);
    }
    arena_free(arena);
}

static Status ask_rows(EngSource *source)
{
    AUTO_BUF Buf body;
    JsonOut json;
    buf_init(&body, QUESTION_BYTES_MAX);
    json_out_init(&json, &body);
    json_begin_object(&json);
    json_field_text(&json, "table", source->path);
    json_field_str(&json, "columns", source->columns);
    json_field_int(&json, "n", source->asked.n);
    json_field_int(&json, "next", source->asked.next);
    json_end(&json);
    return body.failed ? body.failed
                       : engine__source_ask(source, "uns.rows", buf_view(&body), on_rows);
}

/* There may be more: asked for at once, or when an answer or an acknowledgement makes room. */
static void pull(EngSource *source)
{
    if (source->closing || !source->going) {
        return;
    }
    source->news |= source->busy || source->waiting > WAITING_MAX / 2;
    if (source->busy || source->waiting > WAITING_MAX / 2) {
        return;
    }
    source->news = false;
    source->busy = true;
    if (ask_rows(source)) {
        source->busy = false;
        look_later(source, RETRY_MS);
    }
}

/* ---- the life of a source ---- */

static void read_options(EngSource *source, const RtSourceInfo *info)
{
    const Json *options = NULL;
    Str text = source->arena ? arena_str(source->arena, str_from(info->options)) : STR_NONE;
    if (!text.ptr || json_read(source->arena, text, &options, NULL)) {
        return;
    }
    source->columns = json_str(options, "columns", STR_NONE);
    source->since = json_get(options, "since");
    source->age = json_get(options, "age");
}

static EngPlace first_place(const EngSource *source)
{
    if (source->since) {
        return (EngPlace){.n = rows_number_since(source->since->integer)};
    }
    if (source->age) {
        return (EngPlace){.n = rows_number_since(clock_wall_ns() - source->age->integer)};
    }
    return ENGINE_PLACE_FIRST;
}

Status engine__table_open(EngSource *source, const RtSourceInfo *info, Diag *diag)
{
    EngPipe *pipe = source->pipe;
    size_t len = strlen(info->address) + 1;
    engine__places_open(pipe);
    source->arena = arena_new(0, 0);
    read_options(source, info);
    source->path = mem_alloc(len);
    if (!source->columns.ptr || !source->path) {
        return diag_set(diag, ST_NO_MEMORY, "no memory to read table %s", info->address);
    }
    memcpy(source->path, info->address, len);
    (void)snprintf(source->id, sizeof(source->id), "%.40s-%u-%u", pipe->name, source->slot,
                   source->serial);
    Status st = bus_subscribe(pipe->engine->env->bus, "uns.recorded", NULL, 1024, 0, on_news,
                              source, &source->sub);
    return st ? diag_set(diag, st, "cannot listen to uns.recorded") : ST_OK;
}

static bool is_table(const EngSource *source)
{
    return source->used && source->table;
}

/* It is the same table whichever columns of it are read. */
static void hash_of(const RtSourceInfo *info, unsigned char ret_hash[ENGINE_PLACE_HASH])
{
    AUTO_BUF Buf name;
    buf_init(&name, 1 << 16);
    buf_printf(&name, "%s\n%s", info->kind, info->address);
    engine__place_hash(buf_view(&name), ret_hash);
}

static void run_knows(EngRun *run, const EngSource *source)
{
    struct EngRunPlace *place = &run->places[source->slot];
    place->serial = source->serial;
    memcpy(place->hash, source->hash, sizeof(place->hash));
}

void engine__table_plan(EngSource *source, const RtSourceInfo *info, EngRun *run)
{
    if (!source->table) {
        source->table = true;
        source->serial = ++source->pipe->connect_serial;
        hash_of(info, source->hash);
    }
    run_knows(run, source);
    source->keeps = engine__journal_wants(run)     ? PLACE_BY_JOURNAL
                    : engine__remembers(run->info) ? PLACE_NONE
                                                   : PLACE_BY_SINKS;
}

void engine__tables_replaced(EngPipe *pipe, EngRun *run)
{
    for (uint32_t i = 0; i < ENGINE_SOURCES_MAX; i++) {
        EngSource *old = &pipe->sources[i];
        for (uint32_t k = 0; k < ENGINE_SOURCES_MAX && is_table(old) && old->closing; k++) {
            EngSource *fresh = &pipe->sources[k];
            if (!is_table(fresh) || fresh->closing ||
                memcmp(fresh->hash, old->hash, sizeof(old->hash)) != 0) {
                continue;
            }
            old->replaced = true;
            fresh->follows = old->serial;
            run_knows(run, old); /* rows of it may wait still */
            run->slot_source[old->slot] = fresh->index;
        }
    }
}

void engine__tables_go(EngPipe *pipe)
{
    for (uint32_t i = 0; i < ENGINE_SOURCES_MAX; i++) {
        EngSource *source = &pipe->sources[i];
        if (!source->used || !source->open || source->closing || source->going ||
            !is_table(source)) {
            continue;
        }
        EngPlace first = first_place(source);
        bool anew = source->keeps == PLACE_NONE && !source->follows;
        if (!anew && (source->since || source->age)) {
            engine__place_begin(pipe, source->hash, first);
        }
        EngPlace start = engine__place_start(pipe, source->hash);
        source->going = true;
        source->asked = anew ? first : start;
        pull(source);
    }
}

static EngSource *source_of(EngPipe *pipe, const EngToken *token)
{
    EngSource *source = &pipe->sources[token->slot];
    if (is_table(source) && source->serial == token->serial) {
        return source;
    }
    for (uint32_t i = 0; i < ENGINE_SOURCES_MAX; i++) {
        if (is_table(&pipe->sources[i]) && pipe->sources[i].follows == token->serial) {
            return &pipe->sources[i];
        }
    }
    return NULL;
}

void engine__table_ack(EngPipe *pipe, const EngToken *token)
{
    EngSource *source = source_of(pipe, token);
    if (!source) {
        return;
    }
    if (source->keeps != PLACE_NONE) {
        engine__place_reached(pipe, source->hash, engine__token_place(token),
                              source->keeps == PLACE_BY_SINKS);
    }
    source->waiting -= source->serial == token->serial;
    if (source->news) {
        pull(source);
    }
}

/* A new version has no such source: should one come back, it reads from the beginning. */
void engine__table_close(EngSource *source, bool accept)
{
    if (!source->table) {
        return;
    }
    if (!source->matched && !source->replaced) {
        engine__place_forget(source->pipe, source->hash);
    } else if (accept && source->going && (source->waiting || source->replaced)) {
        engine__place_left(source->pipe, source->hash, source->asked);
    }
}
