/* compiler/driver/cmd_bench.c: `tutti bench FILE DATA`: how fast a pipeline handles recorded
 * records.
 *
 * The data is in memory before the clock starts; rows are made and thrown away. Each engine runs
 * the same rounds in a fresh instance; the first round warms up and is not counted. Figures are CPU
 * time of this process; allocations are those of the counted rounds. */
#include "compiler/driver/native.h"
#include "compiler/driver/options.h"

#include "base/clock.h"
#include "base/mem.h"
#include "compiler/emit_c/emit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BENCH_DATA_MAX = 1 << 30, BENCH_CHUNK = 256 << 10, ROUNDS_MAX = 1000 };

typedef struct Bench {
    const Command *self;
    const char *program, *data, *pipeline, *cache;
    uint64_t rounds;
    bool json;
    Buf bytes; /* the records, with padding behind them */
    size_t len;
} Bench;

typedef struct Figures {
    double seconds;
    uint64_t records, bytes, learnt, errors, allocations, state_bytes;
} Figures;

static double cpu_seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static Status load_data(Bench *b, Diag *diag)
{
    buf_init(&b->bytes, BENCH_DATA_MAX);
    Status st = driver_read(b->data, &b->bytes, diag);
    if (st) return st;
    b->len = b->bytes.len;
    char pad[RT_PAD_BYTES] = "\n";
    buf_add(&b->bytes, pad, sizeof pad);
    if (buf_status(&b->bytes)) return diag_set(diag, ST_LIMIT, "more than 1 GiB of data");
    return b->len ? ST_OK : diag_set(diag, ST_NOT_FOUND, "%s is empty", b->data);
}

static void throw_away(void *ctx, FlowInstance *instance, uint32_t sink)
{
    (void)ctx;
    flow_out_clear(instance, sink);
}

/* Where records of a format of bytes end is found in the same go, as a run does. */
static void round_of_records(const Bench *b, FlowInstance *instance, const RtPipelineInfo *info)
{
    RtRecord records[256];
    uint32_t format = flow_format(info->sources[0].format);
    Str rest = str_slice(b->bytes.ptr, b->len);
    for (FlowCut cut = {0}; rest.len && !cut.broken && !flow_stopped(instance);) {
        cut = flow_cut(format, rest, true, records, COUNT_OF(records));
        int64_t now = clock_wall_ns();
        for (uint32_t i = 0; i < cut.count; i++) records[i].received_ns = now;
        RtBatch batch = {.count = cut.count, .records = records, .received_ns = now, .topic = ""};
        flow_feed(instance, &batch);
        for (uint32_t i = 0; i <= info->sink_count; i++) flow_out_clear(instance, i);
        rest = str_skip(rest, cut.bytes);
    }
}

static void round_of(const Bench *b, FlowInstance *instance, const RtPipelineInfo *info)
{
    if (flow_is_bytes(flow_format(info->sources[0].format))) {
        round_of_records(b, instance, info);
        return;
    }
    for (size_t at = 0; at < b->len && !flow_stopped(instance);) {
        size_t end = at + BENCH_CHUNK < b->len ? at + BENCH_CHUNK : b->len;
        while (end < b->len && b->bytes.ptr[end - 1] != '\n') end++;
        const char *topic = info->sources[0].address;
        RtBatch batch = {.bytes = b->bytes.ptr + at,
                         .len = end - at,
                         .received_ns = clock_wall_ns(),
                         .topic = topic,
                         .topic_len = strlen(topic)};
        flow_feed(instance, &batch);
        for (uint32_t i = 0; i <= info->sink_count; i++) flow_out_clear(instance, i);
        at = end;
    }
}

static Status measure(const Bench *b, const Native *native, uint32_t index, Figures *f, Diag *diag)
{
    FlowInstance *instance;
    FlowHost host = {.full = throw_away};
    Status st = flow_instance_new(native->program, index, NULL, &host, &instance, diag);
    if (st) return st;
    const RtPipelineInfo *info = flow_info(instance);
    round_of(b, instance, info);
    RtCounters before = *flow_counters(instance);
    uint64_t calls = mem_calls();
    double from = cpu_seconds();
    for (uint32_t i = 0; i < b->rounds; i++) round_of(b, instance, info);
    const RtCounters *n = flow_counters(instance);
    *f = (Figures){.seconds = cpu_seconds() - from,
                   .records = n->in - before.in,
                   .bytes = n->bytes_in - before.bytes_in,
                   .learnt = n->learnt - before.learnt,
                   .errors = n->errors - before.errors,
                   .allocations = mem_calls() - calls,
                   .state_bytes = flow_state_bytes(instance)};
    flow_instance_free(instance);
    return ST_OK;
}

static void print(const Bench *b, Str name, const char *engine, const Figures *f)
{
    double each = f->records ? f->seconds * 1e9 / (double)f->records : 0;
    double rate = f->seconds > 0 ? (double)f->records / f->seconds : 0;
    double share = f->records ? 100.0 * (double)f->learnt / (double)f->records : 0;
    if (b->json)
        (void)printf("{\"pipeline\":\"%.*s\",\"engine\":\"%s\",\"records\":%llu,\"errors\":%llu,"
                     "\"records_per_s\":%.0f,\"ns_per_record\":%.2f,\"allocations\":%llu,"
                     "\"learnt_percent\":%.2f,\"state_bytes\":%llu}\n",
                     STR_ARG(name), engine, (unsigned long long)f->records,
                     (unsigned long long)f->errors, rate, each, (unsigned long long)f->allocations,
                     share, (unsigned long long)f->state_bytes);
    else
        (void)printf("%-16.*s %-8s %10.0f records/s %9.1f ns each %8llu allocations %6.1f%% learnt "
                     "%llu errors%s\n",
                     STR_ARG(name), engine, rate, each, (unsigned long long)f->allocations, share,
                     (unsigned long long)f->errors,
                     f->records && f->errors == f->records ? ": all; `tutti replay` shows why"
                                                           : "");
}

static Status all_pipelines(const Bench *b, NativeSet *set, const char *engine, uint32_t *count,
                            Diag *diag)
{
    Status st = ST_OK;
    size_t sample_len = b->len < EMIT_SAMPLE_BYTES ? b->len : EMIT_SAMPLE_BYTES;
    for (uint32_t i = 0; i < set->count && !st; i++) {
        Native *native = &set->list[i];
        uint32_t pipelines = native->ir->pipeline_count;
        Str *samples = arena_many(set->front.arena, Str, pipelines + 1);
        if (!samples) return diag_set(diag, ST_NO_MEMORY, "out of memory");
        for (uint32_t p = 0; p < pipelines; p++) samples[p] = str_slice(b->bytes.ptr, sample_len);
        st = native_load(set, native, samples, diag);
        for (uint32_t p = 0; p < pipelines && !st; p++) {
            Figures f;
            Str name = native->ir->pipelines[p].name;
            if (b->pipeline && !str_is(name, b->pipeline)) continue;
            ++*count;
            st = measure(b, native, p, &f, diag);
            if (!st) print(b, name, engine, &f);
        }
    }
    return st;
}

static int one_engine(const Command *self, const Bench *b, EngineKind kind, const char *name)
{
    NativeSet set;
    Diag diag = {0};
    uint32_t count = 0;
    Status st = native_open(&set, &diag);
    set.engine = kind;
    set.cache_dir = b->cache;
    if (!st) st = native_add(&set, b->program, &diag);
    int code = st ? driver_failed(self, st, &diag) : front_report(&set.front);
    if (code == EXIT_FINE) {
        st = all_pipelines(b, &set, name, &count, &diag);
        if (st)
            code = driver_failed(self, st, &diag);
        else if (!count)
            code = b->pipeline ? driver_usage(self, "there is no pipeline `%s` in %s", b->pipeline,
                                              b->program)
                               : driver_usage(self, "there is no pipeline in %s", b->program);
    }
    native_close(&set);
    return code;
}

const Option bench_options[] = {
    OPTION("--rounds", "N", OPTION_NUMBER, Bench, rounds, "how often the data is run; 5"),
    OPTION("--pipeline", "NAME", OPTION_TEXT, Bench, pipeline, "only this pipeline"),
    OPTION("--cache", "FOLDER", OPTION_TEXT, Bench, cache, "where compiled programs are kept"),
    OPTION("--json", NULL, OPTION_FLAG, Bench, json, "one JSON object a line"),
    {0}};

static int bench_word(void *ctx, char *word)
{
    Bench *b = ctx;
    return options_place(b->self, "one program and one recording at a time", word, &b->program,
                         &b->data);
}

/* -1, or an exit code. */
static int read_options(const Command *self, int argc, char **argv, Bench *b)
{
    int code = options_read(self, argc, argv, b, bench_word);
    if (code >= 0) return code;
    if (!b->program || !b->data) return driver_usage(self, "name a program and a recording");
    if (!b->rounds || b->rounds > ROUNDS_MAX)
        return driver_usage(self, "rounds are from 1 to %d", ROUNDS_MAX);
    return -1;
}

int cmd_bench(const Command *self, int argc, char **argv)
{
    Diag diag = {0};
    Bench b = {.self = self, .rounds = 5};
    int code = read_options(self, argc, argv, &b);
    if (code >= 0) return code;
    Status st = load_data(&b, &diag);
    if (st == ST_INVALID) {
        code = driver_usage(self, "%s", diag.text);
    } else if (st) {
        code = driver_failed(self, st, &diag);
    } else {
        EngineKind engine = ENGINE_BEST;
        code = EXIT_FINE;
        while (code == EXIT_FINE && (engine = engine_next(engine)) != ENGINE_BEST)
            code = one_engine(self, &b, engine, engine_name(engine));
    }
    buf_done(&b.bytes);
    return code;
}
