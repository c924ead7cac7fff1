/* tests/steady/steady.c: what pipelines allocate once they have seen everything once.
 *
 *   steady FILE.tutti FOLDER
 *
 * Makes records for every pipeline of the file (their values repeat, their times go on), feeds some
 * as a server or a batch run would and then three times as many again, and counts the calls of the
 * heap's door (base/mem.h) in each part, on every engine there is. One line each:
 *   PIPELINE ENGINE FIRST REST ROWS
 * FOLDER: for compiled programs. Exit 0, or 2: cannot run. Who judges is tests/suites/steady.sh. */
#include "ask/ask.h"
#include "base/mem.h"
#include "compiler/driver/jit_load.h"
#include "compiler/driver/native.h"
#include "compiler/emit_c/cc.h"

#include <stdio.h>
#include <string.h>

enum {
    BATCH = 100,
    FIRST_BATCHES = 84, /* then all values have come: their periods divide 8400 */
    TIMES = 4,
    LINE_BYTES = 2048
};
#define START_NS (1795428000 * (int64_t)1000000000) /* 2026-11-23T10:00:00Z */
#define STEP_NS  (50 * (int64_t)1000000)

/* One in 70 is no record, one in 60 comes late. */
static uint32_t make(IrFormat format, uint32_t n, char *line)
{
    static const char *const states[] = {"RUN", "IDLE", "FAULT"};
    static const char *const texts[] = {"AB-123", "an err", "xx", "AB-7777 and \\\"more\\\"",
                                        "-5-"};
    int64_t ms = (n % 60 == 59 ? n - 59 : n) * (STEP_NS / 1000000);
    int64_t s = ms / 1000 % 60, m = ms / 60000 % 60, h = 10 + ms / 3600000;
    uint32_t key = n % 7;
    char time[64];
    int len;
    (void)snprintf(time, sizeof time, "2026-11-23T%02d:%02d:%02d.%03dZ", (int)h, (int)m, (int)s,
                   (int)(ms % 1000));
    if (format == FORMAT_CSV)
        len = snprintf(line, LINE_BYTES, "%s,k%u,\"%s, %u\",%u,%u.5,%u.25,%s", time, key,
                       n % 5 == 3 ? "a \"\"b\"\"" : texts[n % 5], n % 10, n % 100, n % 50, n % 30,
                       n % 3 ? "7" : "");
    else if (n % 70 == 69)
        len = snprintf(line, LINE_BYTES, "{\"ts\":\"%s\",\"k\":", time);
    else
        len = snprintf(
            line, LINE_BYTES,
            "{\"ts\":\"%s\",\"k\":\"k%u\",\"s\":\"%s\",\"e\":\"%s\",\"i\":%u,\"n\":%u,\"f\":%u.125,"
            "\"g\":%u.5,\"d\":%u.25,%s\"on\":%s,\"du\":\"1m30s\",\"b\":\"AP8Q\",\"j\":{\"a\":[%u]},"
            "\"xs\":[1,2.5,%u],%s\"items\":[{\"part\":\"p%u\",\"qty\":%u},{\"part\":\"q\",\"qty\":"
            "2}],"
            "\"in1\":{\"a\":1.5,\"t\":\"in\"},\"t\":{\"value\":%u.5,\"quality\":\"%s\",\"time\":"
            "\"%s\"},\"more\":[{\"x\":%u}]}",
            time, key, texts[n % 5], states[n % 3], n % 120, n % 84, n % 100, n % 10, n % 40,
            n % 4 ? "\"o\":2.5," : "", n % 2 ? "true" : "false", n % 10, n % 20,
            n % 3 ? "\"names\":[\"a\",\"b\"]," : "", n % 4, n % 6, n % 25,
            n % 8 ? "good" : "uncertain", time, n % 10);
    return (uint32_t)len;
}

typedef struct Feed {
    FlowInstance *instance;
    const IrPipeline *pipeline;
    IrFormat format;
    bool messages; /* each by itself, as from a broker; else lines, as from a file */
    uint32_t next;
    uint64_t rows, calls; /* of the heap's door, while it worked */
    char *bytes;
    RtRecord *records;
} Feed;

static void take(Feed *feed)
{
    const RtPipelineInfo *info = flow_info(feed->instance);
    for (uint32_t i = 0; i < info->sink_count; i++) {
        feed->rows += flow_out(feed->instance, i)->row_count;
        flow_out_clear(feed->instance, i);
    }
    feed->rows += flow_dead(feed->instance)->row_count;
    flow_dead_clear(feed->instance);
}

/* What a format of bytes has instead of the lines made; `arena` is gone after the batch. */
static Status pack(Feed *feed, Arena *arena)
{
    for (uint32_t i = 0; i < BATCH; i++) {
        RtRecord *record = &feed->records[i];
        Str packed;
        Diag diag;
        Status st = flow_record_of_json(feed->instance, 0, str_slice(record->ptr, record->len),
                                        arena, &packed, &diag);
        char *copy = st ? NULL : arena_alloc(arena, packed.len + RT_PAD_BYTES);
        if (!copy) continue; /* no record: it stays text, which fails */
        memcpy(copy, packed.ptr, packed.len);
        record->ptr = copy;
        record->len = (uint32_t)packed.len;
    }
    return ST_OK;
}

/* The other streams of a `join last`: each key's record comes anew. */
static void feed_others(Feed *feed, int64_t now)
{
    static char line[64 + RT_PAD_BYTES];
    for (uint32_t s = 0; s < feed->pipeline->source_count; s++) {
        if (!feed->pipeline->sources[s].group) continue;
        for (uint32_t key = 0; key < 5; key++) {
            int len = snprintf(line, 64, "{\"machine\":\"k%u\",\"number\":\"n%u\"}", key,
                               feed->next % 100);
            RtRecord one = {.ptr = line, .len = (uint32_t)len, .topic = "", .received_ns = now};
            RtBatch batch = {.source = s, .records = &one, .count = 1, .received_ns = now};
            flow_feed(feed->instance, &batch);
        }
    }
}

static void batch(Feed *feed)
{
    int64_t now = START_NS + feed->next * STEP_NS;
    char *at = feed->bytes;
    for (uint32_t i = 0; i < BATCH; i++, feed->next++) {
        uint32_t len = make(feed->format, feed->next, at);
        feed->records[i] = (RtRecord){.ptr = at,
                                      .len = len,
                                      .topic = "plant/press-07/temp",
                                      .topic_len = 19,
                                      .received_ns = START_NS + feed->next * STEP_NS,
                                      .ack = feed->next + 1};
        at[len] = '\n';
        at += feed->messages || ir_format_is_bytes(feed->format) ? len + RT_PAD_BYTES : len + 1;
    }
    RtBatch one = {.received_ns = now, .topic = "plant/all", .topic_len = 9};
    bool packed = ir_format_is_bytes(feed->format);
    Arena *arena = packed ? arena_new(0, 16 << 20) : NULL;
    if (packed && (!arena || pack(feed, arena))) return;
    uint64_t from = mem_calls();
    feed_others(feed, now);
    if (feed->messages || packed) {
        one.records = feed->records;
        one.count = BATCH;
    } else {
        one.bytes = feed->bytes;
        one.len = (uint64_t)(at - feed->bytes);
    }
    flow_feed(feed->instance, &one);
    take(feed);
    flow_idle(feed->instance, now);
    take(feed);
    feed->calls += mem_calls() - from;
    arena_free(arena);
}

static Status run(const Native *native, uint32_t index, bool messages, const char *engine,
                  Diag *diag)
{
    const IrPipeline *p = &native->ir->pipelines[index];
    Feed feed = {.pipeline = p, .format = p->sources[0].format, .messages = messages};
    feed.bytes = mem_zalloc(BATCH + 1, LINE_BYTES + RT_PAD_BYTES);
    feed.records = mem_zalloc(BATCH, sizeof *feed.records);
    Status st = feed.bytes && feed.records ? ST_OK : ST_NO_MEMORY;
    Asker *asker = NULL;
    if (!st) st = asker_new(NULL, NULL, NULL, &asker);
    FlowHost host = {.ask = asker_ask,
                     .ask_ctx = asker,
                     .ask_begin = asker_begin,
                     .ask_end = asker_end,
                     .ask_first = asker_first};
    if (!st) st = flow_instance_new(native->program, index, NULL, &host, &feed.instance, diag);
    if (!st) {
        for (uint32_t i = 0; i < FIRST_BATCHES; i++) batch(&feed);
        uint64_t first = feed.calls, rows = feed.rows;
        for (uint32_t i = 0; i < FIRST_BATCHES * (TIMES - 1); i++) batch(&feed);
        printf("%.*s%s %s %llu %llu %llu\n", STR_ARG(p->name), messages ? ".messages" : "", engine,
               (unsigned long long)first, (unsigned long long)(feed.calls - first),
               (unsigned long long)(feed.rows - rows));
        flow_instance_free(feed.instance);
    }
    asker_free(asker);
    mem_free(feed.records);
    mem_free(feed.bytes);
    return st;
}

static const struct {
    EngineKind kind;
    const char *name;
} engines[] = {
#define ENGINE(id, name, doc) {ENGINE_##id, name},
#include "compiler/driver/engines.def"
#undef ENGINE
};

static bool is_here(EngineKind kind)
{
    Diag diag = {0};
    return kind == ENGINE_CC ? cc_installed() : kind != ENGINE_JIT || !jit_ready(&diag);
}

static Status on_engine(EngineKind engine, const char *name, const char *file, const char *folder,
                        Diag *diag)
{
    NativeSet set;
    Status st = native_open(&set, diag);
    set.engine = engine;
    set.quick = true;
    set.cache_dir = folder;
    if (!st) st = native_add(&set, file, diag);
    if (!st && (set.front.diags.error_count || set.count != 1))
        st = diag_set(diag, ST_INVALID, "%s does not compile", file);
    if (!st) st = native_load(&set, &set.list[0], NULL, diag);
    for (uint32_t i = 0; !st && i < set.list[0].ir->pipeline_count; i++)
        for (int messages = 0; !st && messages < 2; messages++)
            st = run(&set.list[0], i, messages, name, diag);
    native_close(&set);
    return st;
}

int main(int argc, char **argv)
{
    Diag diag = {0};
    Status st = ST_OK;
    if (argc != 3) return 2;
    for (size_t i = 0; !st && i < COUNT_OF(engines); i++)
        if (is_here(engines[i].kind))
            st = on_engine(engines[i].kind, engines[i].name, argv[1], argv[2], &diag);
    if (st) (void)fprintf(stderr, "steady: %s\n", diag.text);
    return st ? 2 : 0;
}
