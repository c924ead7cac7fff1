/* compiler/driver/batch_sinks.c: deliveries of a batch run. */
#include "compiler/driver/batch_sinks.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rfc3339.h"
#include "deliver/deliver.h"

#include <stdio.h>
#include <stdlib.h>

enum { PATIENCE_S = 15 };

typedef struct One {
    BatchSinks *all;
    const RtSinkInfo *sink;
    Deliver *deliver; /* NULL: not one of ours */
    const RtOut *out; /* at hand */
    char told[DIAG_TEXT_BYTES];
} One;

struct BatchSinks {
    const RtPipelineInfo *info;
    One *list;
};

static DeliverHost settings(void)
{
    return (DeliverHost){.mail_url = str_from(getenv("TUTTI_ENGINE_MAIL_URL")),
                         .mail_from = str_from(getenv("TUTTI_ENGINE_MAIL_FROM")),
                         .patience_ns = PATIENCE_S * NS_PER_S};
}

bool batch_sinks_deliver(Str kind, Str connection)
{
    char kind_text[32], link[8];
    (void)snprintf(kind_text, sizeof kind_text, "%.*s", STR_ARG(kind));
    (void)snprintf(link, sizeof link, "%.*s", connection.len ? 1 : 0, "x");
    RtSinkInfo sink = {.kind = kind_text, .connection = link};
    DeliverHost host = settings();
    return deliver_takes(&sink) && deliver_is_set_up(&sink, &host);
}

static void problem(void *ctx, const char *text)
{
    One *one = ctx;
    if (strcmp(one->told, text ? text : "") == 0) return;
    (void)snprintf(one->told, sizeof one->told, "%s", text ? text : "");
    if (text)
        (void)fprintf(stderr, "tutti: pipeline %s: into %s: %s\n", one->all->info->name,
                      one->sink->connection[0] ? one->sink->connection : one->sink->kind, text);
}

/* As the engine's dead letters have it (modules/engine/out.c). */
static void refused(void *ctx, uint32_t row, Status status, const char *why)
{
    const One *one = ctx;
    char now[RFC3339_BYTES + 1];
    AUTO_BUF Buf text;
    JsonOut json;
    const RtRow *at = &one->out->rows[row];
    Str bytes = {one->out->bytes + at->start, at->len};
    if (bytes.len && bytes.ptr[bytes.len - 1] == '\n') bytes.len--;
    *rfc3339_put(now, clock_wall_ns()) = 0;
    buf_init(&text, (size_t)64 << 20);
    json_out_init(&json, &text);
    json_begin_object(&json);
    json_field_text(&json, "reason", status == ST_CONFLICT ? "sink_conflict" : "sink_refused");
    json_field_text(&json, "message", why);
    json_field_text(&json, "pipeline", one->all->info->name);
    json_field_text(&json, "stage", one->sink->kind);
    json_field_text(&json, "at", now);
    json_field_str(&json, "row", bytes);
    json_end(&json);
    (void)fprintf(stderr, "%s\n", text.ptr ? text.ptr : "");
}

/* Not our fault: exit code 2, as for files that cannot be written. */
static Status outside(Status status)
{
    return status == ST_NO_MEMORY ? status : ST_IO;
}

Status batch_sinks_open(const RtProgram *program, const RtPipelineInfo *info,
                        BatchSinks **ret_sinks, Diag *diag)
{
    BatchSinks *sinks = mem_zalloc(1, sizeof *sinks);
    if (sinks) sinks->list = mem_zalloc(info->sink_count + 1, sizeof *sinks->list);
    if (!sinks || !sinks->list) {
        mem_free(sinks);
        return diag_set(diag, ST_NO_MEMORY, "out of memory");
    }
    sinks->info = info;
    Status st = ST_OK;
    for (u32 i = 0; !st && i < info->sink_count; i++) {
        One *one = &sinks->list[i];
        DeliverHost host = settings();
        *one = (One){.all = sinks, .sink = &info->sinks[i]};
        host.problem = problem;
        host.refused = refused;
        host.ctx = one;
        if (!deliver_takes(one->sink) || !deliver_is_set_up(one->sink, &host)) continue;
        st = deliver_new(program, one->sink, &host, &one->deliver, diag);
        /* Who is not there now may be when the first row is. */
        if (!st && deliver_check(one->deliver, diag) == ST_INVALID) st = ST_INVALID;
        if (st)
            st = outside(diag_wrap(diag, st, "pipeline %s: into %s", info->name, one->sink->kind));
    }
    if (st)
        batch_sinks_free(sinks);
    else
        *ret_sinks = sinks;
    return st;
}

void batch_sinks_free(BatchSinks *sinks)
{
    if (!sinks) return;
    for (u32 i = 0; i < sinks->info->sink_count; i++) deliver_free(sinks->list[i].deliver);
    mem_free(sinks->list);
    mem_free(sinks);
}

Status batch_sinks_write(BatchSinks *sinks, uint32_t sink, const RtOut *out, Diag *diag)
{
    One *one = &sinks->list[sink];
    DeliverRows rows = {out->bytes, out->aside, out->rows, (uint32_t)out->row_count};
    uint32_t done;
    one->out = out;
    Status st = deliver_rows(one->deliver, &rows, &done, diag);
    if (st)
        st = outside(diag_wrap(diag, st, "pipeline %s: into %s: %u of %u rows", sinks->info->name,
                               one->sink->kind, done, rows.count));
    return st;
}
