/* runtime/modules/engine/run.c: a running instance, and batches into it.
 *
 * Made on main, fed on the shard. What comes out of it is the business of shard.c. */
#include "modules/engine/engine.h"

#include "base/mem.h"

static bool gives_up(void *ctx)
{
    EngPipe *pipe = ctx;
    return atomic_load(&pipe->halting);
}

MUST static Status new_asker(EngRun *run)
{
    AUTO_BUF Buf path;
    buf_init(&path, 4096);
    buf_printf(&path, "%s/history.db", run->pipe->engine->env->data_dir);
    buf_char(&path, 0);
    return path.failed ? path.failed : asker_new(path.ptr, gives_up, run->pipe, &run->asker);
}

Status engine__run_new(EngPipe *pipe, EngVersion *version, EngRun **ret_run, Diag *diag)
{
    int index = flow_program_find(version->program, str_from(pipe->name));
    if (index < 0) {
        return diag_set(diag, ST_NOT_FOUND, "no pipeline %s in %.*s", pipe->name,
                        STR_ARG(version->file));
    }
    EngRun *run = mem_zalloc(1, sizeof(*run));
    if (!run) {
        return diag_set(diag, ST_NO_MEMORY, "no memory for pipeline %s", pipe->name);
    }
    run->pipe = pipe;
    run->version = engine__version_ref(version);
    run->info = &flow_program_table(version->program)->pipelines[index];
    run->share = flow_share(version->program, (uint32_t)index);
    while (run->share && run->share->pipelines[run->share_at] != (uint32_t)index) {
        run->share_at++;
    }
    Status st = new_asker(run);
    FlowHost host = {.full = engine__rows_full,
                     .ctx = run,
                     .ask = asker_ask,
                     .ask_ctx = run->asker,
                     .ask_begin = asker_begin,
                     .ask_end = asker_end,
                     .ask_first = asker_first};
    if (!st) {
        st =
            flow_instance_new(version->program, (uint32_t)index, NULL, &host, &run->instance, diag);
    }
    run->wire_before = mem_zalloc(run->info->wire_count + 1, sizeof(uint64_t));
    run->wire_base = mem_zalloc(run->info->wire_count + 1, sizeof(uint64_t));
    run->records = mem_zalloc(ENGINE_BATCH_ITEMS, sizeof(RtRecord));
    if (!st && (!run->wire_before || !run->wire_base || !run->records)) {
        st = diag_set(diag, ST_NO_MEMORY, "no memory for pipeline %s", pipe->name);
    }
    if (!st && run->info->source_count > ENGINE_SOURCES_MAX) {
        st = diag_set(diag, ST_LIMIT, "pipeline %s has more than %d sources", pipe->name,
                      ENGINE_SOURCES_MAX);
    }
    for (uint32_t i = 0; i < run->info->source_count; i++) {
        run->answers |= str_is(str_from(run->info->sources[i].kind), "http");
    }
    for (uint32_t i = 0; i < ENGINE_SOURCES_MAX; i++) {
        run->slot_source[i] = UINT32_MAX;
    }
    if (st) {
        engine__run_free(run);
        return st;
    }
    *ret_run = run;
    return ST_OK;
}

void engine__run_free(EngRun *run)
{
    if (!run) {
        return;
    }
    flow_instance_free(run->instance);
    asker_free(run->asker);
    engine__out_free(run->out);
    engine__version_unref(run->version);
    mem_free(run->wire_before);
    mem_free(run->wire_base);
    mem_free(run->records);
    mem_free(run);
}

/* A window by arrival that time has closed must not open again. */
static int64_t arrival(const EngRun *run, int64_t received_ns)
{
    return received_ns > run->time_ns ? received_ns : run->time_ns;
}

static RtRecord record_of(const EngRun *run, const EngBatch *batch, const EngItem *item)
{
    const char *at = batch->bytes.ptr + item->at;
    return (RtRecord){.ptr = at,
                      .len = item->len,
                      .topic = at + item->len,
                      .topic_len = item->topic_len,
                      .key = at + item->len + item->topic_len,
                      .key_len = item->key_len,
                      .headers = at + item->len + item->topic_len + item->key_len,
                      .headers_len = item->headers_len,
                      .received_ns = arrival(run, item->received_ns),
                      .ack = item->token.kind == TOKEN_HTTP ? item->token.value : 0};
}

bool engine__run_can_share(const EngRun *run, const EngBatch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        const EngToken *token = &batch->items[i].token;
        if (token->failed || run->slot_source[token->slot] != 0) {
            return false;
        }
    }
    return batch->count > 0 && !batch->lines;
}

void engine__run_feed_together(EngRun *const *runs, uint32_t count, const EngBatch *batch)
{
    FlowInstance *instances[RT_SHARE_MAX] = {0};
    EngRun *first = runs[0];
    for (uint32_t i = 0; i < count; i++) {
        instances[runs[i]->share_at] = runs[i]->instance;
    }
    for (uint32_t i = 0; i < batch->count; i++) {
        first->records[i] = record_of(first, batch, &batch->items[i]);
    }
    RtBatch feed = {.count = batch->count,
                    .records = first->records,
                    .received_ns = first->records[0].received_ns};
    flow_feed_shared(first->share, instances, &feed);
}

static void feed_items(EngRun *run, const EngBatch *batch)
{
    uint32_t i = 0;
    while (i < batch->count) {
        uint8_t slot = batch->items[i].token.slot;
        uint32_t count = 0;
        if (batch->items[i].token.failed) {
            const EngItem *item = &batch->items[i++];
            uint32_t from = run->slot_source[slot];
            flow_source_failed(run->instance, from == UINT32_MAX ? 0 : from,
                               (Str){batch->bytes.ptr + item->at, item->len},
                               arrival(run, item->received_ns));
            continue;
        }
        for (; i < batch->count && batch->items[i].token.slot == slot &&
               !batch->items[i].token.failed;
             i++) {
            run->records[count++] = record_of(run, batch, &batch->items[i]);
        }
        uint32_t source = run->slot_source[slot];
        if (source == UINT32_MAX) {
            source = 0; /* its source left the program while it waited */
        }
        RtBatch feed = {.source = source,
                        .count = count,
                        .records = run->records,
                        .received_ns = run->records[0].received_ns};
        flow_feed(run->instance, &feed);
    }
}

/* Records back to back; the reader gave whole ones, or the end of its file. */
static void feed_cut(EngRun *run, const EngBatch *batch, uint32_t source, uint32_t format)
{
    RtRecord records[256];
    Str topic = str_from(run->info->sources[source].address), rest = buf_view(&batch->bytes);
    for (FlowCut cut = {0}; rest.len && !cut.broken; rest = str_skip(rest, cut.bytes)) {
        cut = flow_cut(format, rest, true, records, COUNT_OF(records));
        for (uint32_t i = 0; i < cut.count; i++) {
            records[i].topic = topic.ptr ? topic.ptr : "";
            records[i].topic_len = (uint32_t)topic.len;
            records[i].received_ns = arrival(run, batch->received_ns);
        }
        RtBatch feed = {.source = source,
                        .count = cut.count,
                        .records = records,
                        .received_ns = arrival(run, batch->received_ns)};
        flow_feed(run->instance, &feed);
    }
}

static void feed_lines(EngRun *run, const EngBatch *batch)
{
    uint32_t source = run->slot_source[batch->slot];
    if (source == UINT32_MAX) {
        source = 0;
    }
    Str topic = str_from(run->info->sources[source].address);
    uint32_t format = flow_format(run->info->sources[source].format);
    if (flow_is_bytes(format)) {
        feed_cut(run, batch, source, format);
    } else if (batch->bytes.len) {
        RtBatch feed = {.source = source,
                        .bytes = batch->bytes.ptr,
                        .len = batch->bytes.len,
                        .received_ns = arrival(run, batch->received_ns),
                        .topic = topic.ptr ? topic.ptr : "",
                        .topic_len = topic.len};
        flow_feed(run->instance, &feed);
    }
    if (batch->end && ++run->ends_seen == run->ends_wanted && run->info->bounded) {
        flow_finish(run->instance);
    }
}

void engine__run_feed(EngRun *run, const EngBatch *batch)
{
    if (batch->lines) {
        feed_lines(run, batch);
    } else if (batch->count) {
        feed_items(run, batch);
    }
}

void engine__add_counters(RtCounters *sum, const RtCounters *n)
{
    uint64_t *to = (uint64_t *)sum;
    const uint64_t *from = (const uint64_t *)n;
    for (size_t i = 0; i < sizeof(*sum) / sizeof(*to); i++) {
        to[i] += from[i];
    }
}
