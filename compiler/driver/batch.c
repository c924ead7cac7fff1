/* compiler/driver/batch.c: feeds bounded input through instances and writes what comes out.
 *
 * All pipelines that take records from standard input see the same chunks of it; what follows the
 * last line end waits for the next chunk. The first chunk also is the sample from which the
 * compiler learns the layout of records, so a program is compiled after its input was opened.
 * Rows are written after every chunk, so a pipe sees them at once. */
#include "compiler/driver/batch.h"

#include "compiler/driver/batch_sinks.h"
#include "compiler/driver/batch_table.h"
#include "compiler/driver/frames.h"

#include "ask/ask.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "compiler/driver/batch_out.h"
#include "compiler/driver/input.h"
#include "compiler/emit_c/emit.h"
#include "compiler/ir/facts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { CUT_RECORDS = 256 /* fed at once, of a format of bytes */ };

typedef struct Runs {
    struct Run *list;
    uint32_t count;
    BatchFiles files;
    const char *historian; /* its file, or NULL */
} Runs;

typedef struct Run {
    Native *native;
    const Runs *all; /* who else takes part */
    uint32_t index;  /* of the pipeline in it */
    uint32_t source; /* the one the input at hand stands for */
    const IrPipeline *ir;
    FlowInstance *instance;
    Asker *asker;
    BatchSinks *sinks; /* that wait for somebody else */
    BatchOut out;      /* to files and standard output */
    Input first;       /* its first file, opened to see what records look like */
    uint32_t first_source;
    bool fed;                      /* with others: rows are to be written */
    bool busy, finished;           /* inside flow_feed or flow_finish; no more input comes */
    Buf stream;                    /* rows on their way to another pipeline */
    char problem[DIAG_TEXT_BYTES]; /* told last */
    Status failed;
    Status broken; /* an input could not be read to its end */
    Diag *diag;
} Run;

static bool is_kind(const IrSink *sink, const char *kind)
{
    return str_is(sink->kind, kind);
}

static void write_sinks(Run *run);

/* Rows in a format of bytes are records of those who read the stream. */
static void feed_rows(Run *to, const RtBatch *batch, const RtOut *out)
{
    RtRecord records[CUT_RECORDS];
    RtBatch some = *batch;
    some.bytes = NULL;
    some.records = records;
    for (uint64_t i = 0; i < out->row_count; i += some.count) {
        for (some.count = 0; some.count < CUT_RECORDS && i + some.count < out->row_count;
             some.count++) {
            const RtRow *row = &out->rows[i + some.count];
            records[some.count] = (RtRecord){.ptr = batch->bytes + row->start,
                                             .len = row->len,
                                             .topic = batch->topic,
                                             .topic_len = (uint32_t)batch->topic_len,
                                             .key = "",
                                             .received_ns = batch->received_ns};
        }
        flow_feed(to->instance, &some);
    }
}

static void feed_stream(Run *from, Run *to, uint32_t source, const RtOut *out)
{
    Buf *copy = &from->stream;
    buf_clear(copy);
    buf_add(copy, out->bytes, out->len);
    if (!buf_reserve(copy, RT_PAD_BYTES)) {
        from->failed = diag_set(from->diag, ST_NO_MEMORY, "out of memory");
        return;
    }
    memset(copy->ptr + copy->len, 0, RT_PAD_BYTES);
    if (to->failed || flow_stopped(to->instance)) return;
    Str address = to->ir->sources[source].address;
    RtBatch batch = {.source = source,
                     .bytes = copy->ptr,
                     .len = copy->len,
                     .received_ns = clock_wall_ns(),
                     .topic = address.ptr,
                     .topic_len = address.len};
    bool busy = from->busy;
    from->busy = to->busy = true;
    if (ir_format_is_bytes(to->ir->sources[source].format))
        feed_rows(to, &batch, out);
    else
        flow_feed(to->instance, &batch);
    to->busy = false;
    write_sinks(to);
    from->busy = busy;
    if (to->failed) from->failed = to->failed;
}

/* Rows of a stream as lines of those who read it. False: nobody here does. */
static bool write_stream(Run *run, const IrSink *sink, const RtOut *out)
{
    bool read = false;
    for (uint32_t i = 0; i < run->all->count && !run->failed; i++) {
        Run *to = &run->all->list[i];
        for (uint32_t s = 0; s < to->ir->source_count && !run->failed; s++) {
            const IrSource *source = &to->ir->sources[s];
            if (!str_is(source->kind, "stream") || !str_eq(source->address, sink->address))
                continue;
            read = true;
            if (to->busy) {
                run->failed = diag_set(run->diag, ST_UNSUPPORTED,
                                       "streams that lead in a circle do not run in batch");
                return true;
            }
            feed_stream(run, to, s, out);
        }
    }
    return read;
}

static bool is_delivered(const Run *run, const IrSink *sink)
{
    const IrProgram *ir = run->native->ir;
    bool linked = sink->connection != NO_INDEX;
    return batch_sinks_deliver(sink->kind,
                               linked ? ir->connections[sink->connection].name : STR(""));
}

static bool is_dead(const Run *run, uint32_t sink)
{
    return sink == run->ir->sink_count || is_kind(&run->ir->sinks[sink], "dead");
}

static void write_dead(Run *run, const RtOut *out)
{
    if (fwrite(out->bytes, 1, out->len, stderr) != out->len || fflush(stderr))
        run->failed = diag_errno(run->diag, errno, "writing rows");
}

static void write_sink(Run *run, uint32_t sink)
{
    const RtOut *out =
        sink < run->ir->sink_count ? flow_out(run->instance, sink) : flow_dead(run->instance);
    if (!out->row_count || run->failed) return; /* a row may have no bytes */
    if (sink < run->ir->sink_count && is_kind(&run->ir->sinks[sink], "stream") &&
        write_stream(run, &run->ir->sinks[sink], out)) {
        flow_out_clear(run->instance, sink);
        return;
    }
    if (is_dead(run, sink))
        write_dead(run, out);
    else if (is_delivered(run, &run->ir->sinks[sink]))
        run->failed = batch_sinks_write(run->sinks, sink, out, run->diag);
    else
        run->failed = batch_out_write(&run->out, sink, out);
    flow_out_clear(run->instance, sink);
}

static bool is_mixed(const Run *run, uint32_t sink)
{
    return sink < run->ir->sink_count && run->out.sinks[sink].mixed;
}

static void full(void *ctx, FlowInstance *instance, uint32_t sink)
{
    Run *run = ctx;
    run->instance = instance;
    if (is_mixed(run, sink)) {
        if (!run->failed) run->failed = batch_out_mixed(&run->out, instance);
    } else {
        write_sink(run, sink);
    }
    flow_out_clear(instance, sink); /* also after a failed write: the run ends anyway */
}

/* What is wrong now, once: a database that cannot be reached, a table that cannot be read. */
static void tell_problem(Run *run)
{
    const char *now = flow_problem(run->instance);
    if (strcmp(run->problem, now) == 0) return;
    (void)snprintf(run->problem, sizeof run->problem, "%s", now);
    if (now[0]) (void)fprintf(stderr, "tutti: pipeline %.*s: %s\n", STR_ARG(run->ir->name), now);
}

static void write_sinks(Run *run)
{
    bool mixed = false;
    tell_problem(run);
    for (uint32_t i = 0; i <= run->ir->sink_count; i++) {
        if (!is_mixed(run, i)) write_sink(run, i);
        mixed |= is_mixed(run, i);
    }
    if (mixed && !run->failed) run->failed = batch_out_mixed(&run->out, run->instance);
}

/* ---- pipelines ---- */

static void feed_chunk(Run *run, const char *bytes, size_t whole)
{
    Str address = run->ir->sources[run->source].address;
    RtBatch batch = {.source = run->source,
                     .bytes = bytes,
                     .len = whole,
                     .received_ns = clock_wall_ns(),
                     .topic = address.ptr,
                     .topic_len = address.len};
    run->busy = true;
    flow_feed(run->instance, &batch);
    run->busy = false;
    write_sinks(run);
}

static bool goes_on(const Run *run)
{
    return !run->failed && !flow_stopped(run->instance);
}

/* Records of a format of bytes: as many as are whole. Behind a broken one nothing can be read. */
static size_t feed_cut(Run *runs, uint32_t count, Input *in)
{
    RtRecord records[CUT_RECORDS];
    size_t done = 0;
    while (!in->broken) {
        Str rest = str_slice(in->bytes + done, in->len - done);
        FlowCut cut = in->framed ? frame_cut(rest, records, CUT_RECORDS)
                                 : flow_cut(in->format, rest, in->ended, records, CUT_RECORDS);
        int64_t now = clock_wall_ns();
        if (!cut.count) break;
        if (in->framed) now = records[0].received_ns;
        for (uint32_t i = 0; i < count; i++) {
            Run *run = &runs[i];
            Str address = run->ir->sources[run->source].address;
            for (uint32_t r = 0; r < cut.count && !in->framed; r++) {
                records[r].topic = address.ptr;
                records[r].topic_len = (uint32_t)address.len;
                records[r].received_ns = now;
            }
            RtBatch batch = {
                .source = run->source, .count = cut.count, .records = records, .received_ns = now};
            run->busy = true;
            if (goes_on(run)) {
                flow_feed(run->instance, &batch);
                write_sinks(run);
            }
            run->busy = false;
        }
        in->broken = cut.broken;
        in->before += cut.bytes - (cut.broken ? records[cut.count - 1].len : 0);
        done += cut.bytes;
    }
    return in->broken ? in->len : done;
}

/* Its main stream is at hand and decoded in common with others. */
static const RtShare *share_of(const Run *run)
{
    if (run->ir->sources[run->source].group) return NULL;
    return flow_share(run->native->program, run->index);
}

/* Those of `runs` that share a decoder with the first of them, all at once. False: nobody does. */
static bool feed_shared(Run *runs, uint32_t count, Input *in, size_t whole)
{
    const RtShare *share = share_of(&runs[0]);
    FlowInstance *instances[RT_SHARE_MAX] = {0};
    uint32_t taking = 0;
    for (uint32_t k = 0; share && k < share->count; k++)
        for (uint32_t i = 0; i < count; i++) {
            if (share_of(&runs[i]) != share || runs[i].index != share->pipelines[k]) continue;
            instances[k] = goes_on(&runs[i]) ? runs[i].instance : NULL;
            taking += instances[k] != NULL;
        }
    if (taking < 2) return false;
    Str address = runs[0].ir->sources[runs[0].source].address;
    RtBatch batch = {.source = runs[0].source,
                     .bytes = in->bytes,
                     .len = whole,
                     .received_ns = clock_wall_ns(),
                     .topic = address.ptr,
                     .topic_len = address.len};
    for (uint32_t i = 0; i < count; i++)
        if (share_of(&runs[i]) == share) runs[i].busy = true;
    flow_feed_shared(share, instances, &batch);
    for (uint32_t i = 0; i < count; i++) {
        if (share_of(&runs[i]) != share) continue;
        runs[i].busy = false;
        runs[i].fed = true;
    }
    return true;
}

/* The rows of those that were fed together are written when each one's turn comes. */
static void feed_next(Run *runs, uint32_t count, Input *in, size_t whole)
{
    if (!runs[0].fed && !feed_shared(runs, count, in, whole)) {
        feed_chunk(&runs[0], in->bytes, whole);
        return;
    }
    runs[0].fed = false;
    write_sinks(&runs[0]);
}

/* Lines: all whole ones in one batch. */
static size_t feed_lines(Run *runs, uint32_t count, Input *in)
{
    size_t whole = in->len;
    while (whole && in->bytes[whole - 1] != '\n') whole--;
    if (in->ended) whole = in->len;
    for (uint32_t i = 0; i < count; i++)
        if (whole && (runs[i].fed || goes_on(&runs[i]))) feed_next(&runs[i], count - i, in, whole);
    return whole;
}

/* The program goes on, with what there was; its exit code tells. */
static void tell_broken(Run *runs, const Input *in)
{
    Str from = runs->ir->sources[runs->source].address;
    Status st = diag_set(
        runs->diag, ST_IO, "%.*s: the record at byte %llu is broken; what follows was not read",
        STR_ARG(from.len ? from : STR("standard input")), (unsigned long long)in->before);
    if (!runs->broken) runs->broken = st;
}

/* Feeds one input to its end through all runs, as the source each of them is at. */
MUST static Status feed(Run *runs, uint32_t count, Input *in, Diag *diag)
{
    for (;;) {
        bool wanted = false;
        size_t whole = flow_is_bytes(in->format) || in->framed ? feed_cut(runs, count, in)
                                                               : feed_lines(runs, count, in);
        for (uint32_t i = 0; i < count; i++) {
            if (runs[i].failed) return runs[i].failed;
            wanted |= goes_on(&runs[i]);
        }
        in->bytes += whole;
        in->len -= whole;
        if (in->broken) tell_broken(runs, in);
        if (in->ended || in->broken || !wanted) return ST_OK;
        Status st = input_fill(in, diag);
        if (st) return st;
    }
}

static void stats(const Run *run)
{
    const RtCounters *n = flow_counters(run->instance);
    AUTO_BUF Buf text;
    buf_init(&text, 4096);
    JsonOut json;
    json_out_init(&json, &text);
    json_begin_object(&json);
    json_field_str(&json, "pipeline", run->ir->name);
    const struct {
        const char *name;
        uint64_t value;
    } list[] = {{"in", n->in},
                {"emitted", n->emitted},
                {"state", n->state},
                {"filtered", n->filtered},
                {"late", n->late},
                {"errors", n->errors},
                {"rows", n->rows},
                {"row_errors", n->row_errors},
                {"row_state", n->row_state},
                {"row_filtered", n->row_filtered},
                {"row_late", n->row_late},
                {"learnt", n->learnt},
                {"missed", n->missed},
                {"duplicate_keys", n->duplicate_keys},
                {"shared", n->shared},
                {"forgotten", flow_forgotten(run->instance)},
                {"state_bytes", flow_state_bytes(run->instance)},
                {"allocations", mem_calls()}};
    for (size_t i = 0; i < COUNT_OF(list); i++) {
        json_key(&json, list[i].name);
        json_put_uint(&json, list[i].value);
    }
    json_key(&json, "layouts"); /* learnt, by layout */
    json_begin_array(&json);
    for (uint32_t i = 0; i < flow_info(run->instance)->layout_count; i++)
        json_put_uint(&json, n->layout[i]);
    json_end(&json);
    json_end(&json);
    (void)fprintf(stderr, "%.*s\n", STR_ARG(buf_view(&text)));
}

/* A source that gives one empty record and asks nobody for it. */
static bool is_trigger(const Run *run, const IrSource *source)
{
    if (str_is(source->kind, "every") || str_is(source->kind, "cron")) return true;
    uint32_t schema = run->ir->in_schema;
    return str_is(source->kind, "manual") && run->native->ir->schemas[schema].count == 0;
}

static bool writes_stream(const IrPipeline *ir, Str name)
{
    for (uint32_t i = 0; i < ir->sink_count; i++)
        if (is_kind(&ir->sinks[i], "stream") && str_eq(ir->sinks[i].address, name)) return true;
    return false;
}

static bool reads_stream(const IrPipeline *ir, Str name)
{
    for (uint32_t i = 0; i < ir->source_count; i++)
        if (str_is(ir->sources[i].kind, "stream") && str_eq(ir->sources[i].address, name))
            return true;
    return false;
}

/* Somebody who takes part here writes what the source reads. */
static bool is_fed(const Run *run, const IrSource *source)
{
    if (!str_is(source->kind, "stream")) return false;
    for (uint32_t i = 0; i < run->all->count; i++)
        if (writes_stream(run->all->list[i].ir, source->address)) return true;
    return false;
}

/* A table of the data folder that was named. */
static bool is_table(const Run *run, const IrSource *source)
{
    return str_is(source->kind, "historian") && run->all->historian;
}

/* The main source that stands for standard input; how many there are when none does. */
static uint32_t stdin_source(const Run *run)
{
    uint32_t i = 0, count = ir_main_sources(run->ir);
    while (i < count) {
        const IrSource *source = &run->ir->sources[i];
        bool own = str_is(source->kind, "file") || is_trigger(run, source) || is_fed(run, source) ||
                   is_table(run, source);
        if (!own) break;
        i++;
    }
    return i;
}

static bool reads_stdin(const Run *run)
{
    return stdin_source(run) < ir_main_sources(run->ir);
}

/* The `file` sources of one run, each to its end: those of joins (`joined`), or the main ones, of
 * which the first may be open already. */
MUST static Status feed_files(Run *run, bool joined, Diag *diag)
{
    Status st = ST_OK;
    for (uint32_t i = 0; !st && i < run->ir->source_count && goes_on(run); i++) {
        if (!str_is(run->ir->sources[i].kind, "file")) continue;
        if (joined != (run->ir->sources[i].group > 0)) continue;
        Input *first = run->first.bytes && run->first_source == i ? &run->first : NULL;
        Input in = {.fd = -1};
        if (!first) st = input_open(&run->ir->sources[i], &in, diag);
        run->source = i;
        if (!st) st = feed(run, 1, first ? first : &in, diag);
        input_close(first ? first : &in);
    }
    return st;
}

static bool feed_table_lines(void *ctx, Str lines)
{
    Run *run = ctx;
    feed_chunk(run, lines.ptr, lines.len);
    return goes_on(run);
}

/* The tables of one run, whole: those of joins (`joined`), or the main ones. */
MUST static Status feed_tables(Run *run, bool joined, Diag *diag)
{
    Status st = ST_OK;
    for (uint32_t i = 0; !st && i < run->ir->source_count && goes_on(run); i++) {
        const IrSource *source = &run->ir->sources[i];
        if (!is_table(run, source) || joined != (source->group > 0)) continue;
        run->source = i;
        st = batch_table(run->all->historian, source, feed_table_lines, run, diag);
    }
    return st;
}

/* Every trigger comes once. */
static void fire(Run *run)
{
    static const char record[2 + RT_PAD_BYTES] = "{}";
    for (uint32_t i = 0; i < ir_main_sources(run->ir) && goes_on(run); i++) {
        if (!is_trigger(run, &run->ir->sources[i])) continue;
        int64_t now = clock_wall_ns();
        RtRecord one = {.ptr = record, .len = 2, .topic = "", .key = "", .received_ns = now};
        RtBatch batch = {.source = i, .count = 1, .records = &one, .received_ns = now};
        run->busy = true;
        flow_feed(run->instance, &batch);
        run->busy = false;
        write_sinks(run);
    }
}

/* Compiles with the first input as a sample, and opens the instance. */
MUST static Status run_open(NativeSet *set, Run *run, const Input *in, FlowHost *host, Diag *diag)
{
    Status st = ST_OK;
    st = asker_new(run->all->historian, NULL, NULL, &run->asker);
    if (st) return diag_set(diag, st, "no memory for questions");
    *host = (FlowHost){.full = full,
                       .ctx = run,
                       .ask = asker_ask,
                       .ask_ctx = run->asker,
                       .ask_begin = asker_begin,
                       .ask_end = asker_end,
                       .ask_first = asker_first};
    if (!run->native->program) {
        Str sample =
            str_slice(in->bytes, in->len < EMIT_SAMPLE_BYTES ? in->len : EMIT_SAMPLE_BYTES);
        uint32_t count = run->native->ir->pipeline_count;
        Str *samples = arena_many(set->front.arena, Str, count);
        for (uint32_t i = 0; samples && i < count; i++) samples[i] = sample;
        set->soon = in->ended; /* all of it is here */
        st = native_load(set, run->native, samples, diag);
    }
    if (!st)
        st = flow_instance_new(run->native->program, run->index, NULL, host, &run->instance, diag);
    if (!st)
        st = batch_sinks_open(flow_program_table(run->native->program), flow_info(run->instance),
                              &run->sinks, diag);
    return st ? st : batch_out_begin(&run->out, run->instance);
}

/* Closes windows, writes what is left, and makes the file of an empty result. */
static void run_finish(Run *run, const BatchOptions *options, bool *ret_stopped)
{
    run->finished = true;
    run->busy = true;
    if (goes_on(run)) flow_finish(run->instance);
    run->busy = false;
    write_sinks(run);
    if (!run->failed) run->failed = batch_out_finish(&run->out);
    if (flow_stopped(run->instance)) *ret_stopped = true;
    if (options->stats) stats(run);
}

/* Somebody who has not finished yet may still write to it. */
static bool waits_for_another(const Run *run)
{
    for (uint32_t i = 0; i < run->ir->source_count; i++) {
        const IrSource *source = &run->ir->sources[i];
        for (uint32_t k = 0; str_is(source->kind, "stream") && k < run->all->count; k++) {
            const Run *other = &run->all->list[k];
            if (other != run && !other->finished && writes_stream(other->ir, source->address))
                return true;
        }
    }
    return false;
}

/* Each behind those whose streams it reads; of a circle the first one goes first. */
MUST static Status finish_all(Runs *runs, const BatchOptions *options, bool *ret_stopped)
{
    for (uint32_t turn = 0; turn < runs->count; turn++) {
        Run *next = NULL;
        for (uint32_t i = 0; i < runs->count; i++) {
            Run *run = &runs->list[i];
            if (run->finished || (next && !waits_for_another(next))) continue;
            if (!next || !waits_for_another(run)) next = run;
        }
        if (!next) break;
        run_finish(next, options, ret_stopped);
        if (next->failed) return next->failed;
    }
    return ST_OK;
}

static void run_close(Run *run)
{
    batch_sinks_free(run->sinks);
    flow_instance_free(run->instance);
    asker_free(run->asker);
    batch_out_close(&run->out);
    input_close(&run->first);
    buf_done(&run->stream);
}

/* The input whose beginning shows what records look like: standard input, or the first file. */
MUST static Status open_one(NativeSet *set, Run *run, const Input *standard, FlowHost *host,
                            Diag *diag)
{
    static const Input none = {0};
    Status st = ST_OK;
    bool lines = reads_stdin(run);
    const Input *sample = lines && !standard->framed ? standard : &none;
    for (uint32_t i = 0; !lines && !st && i < ir_main_sources(run->ir); i++) {
        if (!str_is(run->ir->sources[i].kind, "file")) continue;
        run->first_source = i;
        st = input_open(&run->ir->sources[i], &run->first, diag);
        if (!st) st = input_fill(&run->first, diag);
        sample = &run->first;
    }
    return st ? st : run_open(set, run, sample, host, diag);
}

/* Lines go to all who read them; records in a format of bytes to those of that format. */
MUST static Status stdin_format(const Runs *runs, uint32_t readers, IrFormat *ret_format,
                                Diag *diag)
{
    for (uint32_t i = 0; i < readers; i++) {
        IrFormat format = runs->list[i].ir->sources[stdin_source(&runs->list[i])].format;
        bool fits = format == *ret_format ||
                    (!ir_format_is_bytes(format) && !ir_format_is_bytes(*ret_format));
        if (i && !fits)
            return diag_set(diag, ST_LIMIT,
                            "standard input cannot be %s and %s at once: choose a pipeline with "
                            "--pipeline",
                            ir_format_name(*ret_format), ir_format_name(format));
        *ret_format = format;
    }
    return ST_OK;
}

MUST static Status run_all(NativeSet *set, Runs *runs, uint32_t readers,
                           const BatchOptions *options, bool *ret_stopped, Diag *diag)
{
    FlowHost *hosts = arena_many(set->front.arena, FlowHost, runs->count);
    Input standard = {.fd = -1};
    if (!hosts) return diag_set(diag, ST_NO_MEMORY, "out of memory");
    IrSource on_stdin = {.kind = STR("stdin")};
    Status st = readers ? stdin_format(runs, readers, &on_stdin.format, diag) : ST_OK;
    if (!st && readers) st = input_open(&on_stdin, &standard, diag);
    standard.framed = options->framed;
    if (!st && readers) st = input_fill(&standard, diag);
    for (uint32_t i = 0; !st && i < runs->count; i++)
        st = open_one(set, &runs->list[i], &standard, &hosts[i], diag);
    /* What a join remembers is there before the first record asks for it. */
    for (uint32_t i = 0; !st && i < runs->count; i++) {
        st = feed_files(&runs->list[i], true, diag);
        if (!st) st = feed_tables(&runs->list[i], true, diag);
    }
    for (uint32_t i = 0; i < readers; i++) runs->list[i].source = stdin_source(&runs->list[i]);
    if (!st && readers) st = feed(runs->list, readers, &standard, diag);
    for (uint32_t i = 0; !st && i < runs->count; i++) {
        st = feed_files(&runs->list[i], false, diag);
        if (!st) st = feed_tables(&runs->list[i], false, diag);
        if (!st) fire(&runs->list[i]);
        if (!st) st = runs->list[i].failed;
    }
    if (!st) st = finish_all(runs, options, ret_stopped);
    for (uint32_t i = 0; !st && i < runs->count; i++) st = runs->list[i].failed;
    for (uint32_t i = 0; !st && i < runs->count; i++) st = runs->list[i].broken;
    input_close(&standard);
    return st;
}

/* A device that is polled sends nothing one could put on standard input, unless asked to. */
static bool takes_part(const IrPipeline *ir, const BatchOptions *options)
{
    if (options->pipeline) return str_is(ir->name, options->pipeline);
    for (uint32_t i = 0; i < ir->source_count; i++)
        if (!str_is(ir->sources[i].kind, "modbus")) return true;
    return false;
}

/* A stream that somebody here reads is not written anywhere else. */
static bool is_read(const Runs *runs, const IrSink *sink)
{
    for (uint32_t i = 0; is_kind(sink, "stream") && i < runs->count; i++)
        if (reads_stream(runs->list[i].ir, sink->address)) return true;
    return false;
}

/* Its rows go to standard output, or to a file. */
static bool is_ours(const Runs *runs, const Run *run, const IrSink *sink)
{
    return !is_kind(sink, "dead") && !is_read(runs, sink) && !is_delivered(run, sink);
}

static uint32_t stdout_rows(const Runs *runs, const Run *run)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < run->ir->sink_count; i++) {
        const IrSink *sink = &run->ir->sinks[i];
        count += !is_kind(sink, "file") && is_ours(runs, run, sink);
    }
    return count;
}

/* `wrap`: several sinks share standard output. */
static BatchHow how_of(const Runs *runs, const Run *run, const IrSink *sink, bool wrap)
{
    if (is_kind(sink, "file")) return BATCH_FILE;
    if (!is_ours(runs, run, sink)) return BATCH_ELSEWHERE;
    if (!wrap && sink->format == FORMAT_PROTOBUF && !ir_sink_framed(sink)) return BATCH_FRAMED;
    return is_kind(sink, "stdout") || !wrap ? BATCH_PLAIN : BATCH_WRAPPED;
}

/* Where the rows of each pipeline go. */
MUST static Status runs_out(Runs *runs, Arena *arena, Diag *diag)
{
    uint32_t rows = 0;
    for (uint32_t i = 0; i < runs->count; i++) rows += stdout_rows(runs, &runs->list[i]);
    runs->files.list = arena_many(arena, BatchFile, BATCH_FILES_MAX);
    for (uint32_t i = 0; i < runs->count; i++) {
        Run *run = &runs->list[i];
        BatchSink *sinks = arena_many(arena, BatchSink, run->ir->sink_count + 1);
        if (!sinks || !runs->files.list) return diag_set(diag, ST_NO_MEMORY, "out of memory");
        batch_out_open(&run->out, sinks, &runs->files, run->ir, diag);
        buf_init(&run->stream, (size_t)256 << 20);
        for (uint32_t k = 0; k < run->ir->sink_count; k++)
            sinks[k].how = how_of(runs, run, &run->ir->sinks[k], rows > 1);
        if (runs->count > 1) run->out.name = arena_str(arena, run->ir->name).ptr;
    }
    return ST_OK;
}

/* Those on standard input stand first: they share it. Returns how many they are. */
static uint32_t sort_readers(Runs *runs, Arena *arena)
{
    Run *list = arena_many(arena, Run, runs->count);
    uint32_t readers = 0, others = 0;
    if (!list) return 0;
    for (uint32_t i = 0; i < runs->count; i++) readers += reads_stdin(&runs->list[i]);
    uint32_t reader = 0;
    for (uint32_t i = 0; i < runs->count; i++)
        list[reads_stdin(&runs->list[i]) ? reader++ : readers + others++] = runs->list[i];
    runs->list = list;
    return readers;
}

Status batch_run(NativeSet *set, const BatchOptions *options, bool *ret_stopped, Diag *diag)
{
    uint32_t total = 0;
    Runs runs = {0};
    for (uint32_t i = 0; i < set->count; i++) total += set->list[i].ir->pipeline_count;
    runs.list = arena_many(set->front.arena, Run, total ? total : 1);
    if (!runs.list) return diag_set(diag, ST_NO_MEMORY, "out of memory");
    if (options->data)
        runs.historian = arena_printf(set->front.arena, "%s/history.db", options->data).ptr;
    for (uint32_t i = 0; i < total; i++) {
        uint32_t n = 0, p = i;
        while (p >= set->list[n].ir->pipeline_count) p -= set->list[n++].ir->pipeline_count;
        Run run = {.native = &set->list[n], .index = p, .diag = diag, .all = &runs};
        run.ir = &run.native->ir->pipelines[p];
        if (takes_part(run.ir, options)) runs.list[runs.count++] = run;
    }
    if (!runs.count) return diag_set(diag, ST_NOT_FOUND, "there is no pipeline to run");
    uint32_t readers = sort_readers(&runs, set->front.arena);
    Status st = runs_out(&runs, set->front.arena, diag);
    if (st) return st;
    st = run_all(set, &runs, readers, options, ret_stopped, diag);
    for (uint32_t i = 0; i < runs.count; i++) run_close(&runs.list[i]);
    batch_files_close(&runs.files);
    return st;
}
