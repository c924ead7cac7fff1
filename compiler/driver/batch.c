/* compiler/driver/batch.c: feeds bounded input through instances and writes what comes out.
 *
 * All pipelines that take records from standard input see the same chunks of it; what follows the
 * last line end waits for the next chunk. The first chunk also is the sample from which the
 * compiler learns the layout of records, so a program is compiled after its input was opened.
 * Rows are written after every chunk, so a pipe sees them at once. */
#include "compiler/driver/batch.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "compiler/emit_c/emit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK_BYTES = 256 << 10, LINE_BYTES_MAX = 16 << 20, OPEN_FILES_MAX = 64 };

typedef struct Input {
    int fd;
    char *bytes; /* room for cap + RT_PAD_BYTES */
    size_t len, cap;
    bool ended;
} Input;

typedef struct OutFile {
    char path[512];
    uint32_t sink;
    int fd;
} OutFile;

typedef struct Run {
    Native *native;
    uint32_t index;  /* of the pipeline in it */
    uint32_t source; /* the one the input at hand stands for */
    const IrPipeline *ir;
    const char *name; /* in wrapped rows; NULL: only one pipeline takes part */
    FlowInstance *instance;
    OutFile files[OPEN_FILES_MAX];
    uint32_t file_count;
    bool wrap; /* several sinks share standard output */
    Buf line;  /* wrapped rows */
    Status failed;
    Diag *diag;
} Run;

/* ---- input ---- */

MUST static Status input_open(const IrSource *source, Input *in, Diag *diag)
{
    *in = (Input){.fd = STDIN_FILENO, .cap = CHUNK_BYTES};
    if (str_is(source->kind, "file")) {
        char path[4096];
        snprintf(path, sizeof path, "%.*s", STR_ARG(source->address));
        in->fd = open(path, O_RDONLY | O_CLOEXEC);
        if (in->fd < 0) return diag_errno(diag, errno, "%s", path);
    }
    in->bytes = mem_alloc(in->cap + RT_PAD_BYTES);
    return in->bytes ? ST_OK : diag_set(diag, ST_NO_MEMORY, "out of memory");
}

static void input_close(Input *in)
{
    if (in->fd > STDIN_FILENO) close(in->fd);
    mem_free(in->bytes);
    *in = (Input){.fd = -1};
}

/* One read; a line longer than the buffer doubles it. */
MUST static Status input_fill(Input *in, Diag *diag)
{
    if (in->len == in->cap) {
        if (in->cap >= LINE_BYTES_MAX)
            return diag_set(diag, ST_LIMIT, "a line is longer than 16 MiB");
        char *more = mem_realloc(in->bytes, in->cap * 2 + RT_PAD_BYTES);
        if (!more) return diag_set(diag, ST_NO_MEMORY, "out of memory");
        in->bytes = more;
        in->cap *= 2;
    }
    ssize_t n;
    do n = read(in->fd, in->bytes + in->len, in->cap - in->len);
    while (n < 0 && errno == EINTR);
    if (n < 0) return diag_errno(diag, errno, "reading the input");
    in->len += (size_t)n;
    in->ended = n == 0;
    return ST_OK;
}

/* ---- output ---- */

static void write_all(Run *run, int fd, const char *p, size_t n)
{
    while (n && !run->failed) {
        ssize_t done = write(fd, p, n);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) {
            run->failed = diag_errno(run->diag, errno, "writing rows");
            return;
        }
        p += done;
        n -= (size_t)done;
    }
}

static bool option_on(const IrSink *sink, const char *name)
{
    for (uint32_t i = 0; i < sink->option_count; i++)
        if (str_is(sink->options[i].name, name)) return true;
    return false;
}

/* The CSV header, at the top of an empty file. */
static void header(Run *run, uint32_t sink, int fd)
{
    const RtSinkInfo *info = &flow_info(run->instance)->sinks[sink];
    struct stat st;
    if (strcmp(info->format, "csv") != 0 || !info->schema) return;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0) return;
    buf_clear(&run->line);
    for (uint32_t i = 0; i < info->schema->count; i++) {
        if (i) buf_char(&run->line, ',');
        buf_text(&run->line, info->schema->fields[i].name);
    }
    buf_char(&run->line, '\n');
    write_all(run, fd, run->line.ptr, run->line.len);
}

static int file_of(Run *run, uint32_t sink, Str path)
{
    for (uint32_t i = 0; i < run->file_count; i++)
        if (run->files[i].sink == sink && str_is(path, run->files[i].path)) return run->files[i].fd;
    const IrSink *ir = &run->ir->sinks[sink];
    OutFile *file = &run->files[run->file_count];
    int how = O_WRONLY | O_CREAT | O_CLOEXEC | (option_on(ir, "append") ? O_APPEND : O_TRUNC);
    if (run->file_count == OPEN_FILES_MAX || path.len >= sizeof file->path) {
        run->failed =
            diag_set(run->diag, ST_LIMIT, "more than %d output files at once", OPEN_FILES_MAX);
        return -1;
    }
    for (uint32_t i = 0; i < run->file_count;
         i++) /* two sinks may share a file: do not empty it again */
        if (str_is(path, run->files[i].path)) how = (how & ~O_TRUNC) | O_APPEND;
    snprintf(file->path, sizeof file->path, "%.*s", STR_ARG(path));
    file->sink = sink;
    file->fd = open(file->path, how, 0644);
    if (file->fd < 0) {
        run->failed = diag_errno(run->diag, errno, "%s", file->path);
        return -1;
    }
    run->file_count++;
    header(run, sink, file->fd);
    return file->fd;
}

static void write_files(Run *run, uint32_t sink, const RtOut *out)
{
    const IrSink *ir = &run->ir->sinks[sink];
    if (!ir->address_is_computed) {
        int fd = file_of(run, sink, ir->address);
        if (fd >= 0) write_all(run, fd, out->bytes, out->len);
        return;
    }
    for (uint64_t i = 0; i < out->row_count && !run->failed; i++) {
        const RtRow *row = &out->rows[i];
        int fd = file_of(run, sink, str_slice(out->aside + row->address, row->address_len));
        if (fd >= 0) write_all(run, fd, out->bytes + row->start, row->len);
    }
}

/* A line's text; raw rows have no line end of ours. */
static Str without_line_end(const IrSink *sink, Str text)
{
    bool line = sink->format != FORMAT_RAW && text.len && text.ptr[text.len - 1] == '\n';
    return str_slice(text.ptr, text.len - line);
}

static void write_wrapped(Run *run, uint32_t sink, const RtOut *out)
{
    const IrSink *ir = &run->ir->sinks[sink];
    buf_clear(&run->line);
    for (uint64_t i = 0; i < out->row_count; i++) {
        const RtRow *row = &out->rows[i];
        Str address =
            row->address_len ? str_slice(out->aside + row->address, row->address_len) : ir->address;
        AUTO_BUF Buf name;
        buf_init(&name, 65536);
        buf_printf(&name, "%.*s %.*s", STR_ARG(ir->kind), STR_ARG(address));
        JsonOut json;
        json_out_init(&json, &run->line);
        json_begin_object(&json);
        if (run->name) json_field_text(&json, "pipeline", run->name);
        json_field_str(&json, "sink", str_trim(buf_view(&name)));
        json_key(&json, "row");
        Str text = str_slice(out->bytes + row->start, row->len);
        if (ir->format == FORMAT_JSON)
            json_put_raw(&json, str_trim(text));
        else
            json_put_str(&json, without_line_end(ir, text));
        json_end(&json);
        buf_char(&run->line, '\n');
    }
    write_all(run, STDOUT_FILENO, run->line.ptr ? run->line.ptr : "", run->line.len);
}

static bool is_kind(const IrSink *sink, const char *kind)
{
    return str_is(sink->kind, kind);
}

static void write_sink(Run *run, uint32_t sink)
{
    const RtOut *out =
        sink < run->ir->sink_count ? flow_out(run->instance, sink) : flow_dead(run->instance);
    if (!out->len || run->failed) return;
    if (sink == run->ir->sink_count || is_kind(&run->ir->sinks[sink], "dead"))
        write_all(run, STDERR_FILENO, out->bytes, out->len);
    else if (is_kind(&run->ir->sinks[sink], "file"))
        write_files(run, sink, out);
    else if (is_kind(&run->ir->sinks[sink], "stdout") || !run->wrap)
        write_all(run, STDOUT_FILENO, out->bytes, out->len);
    else
        write_wrapped(run, sink, out);
    flow_out_clear(run->instance, sink);
}

static void full(void *ctx, FlowInstance *instance, uint32_t sink)
{
    Run *run = ctx;
    run->instance = instance;
    write_sink(run, sink);
    flow_out_clear(instance, sink); /* also after a failed write: the run ends anyway */
}

static void write_sinks(Run *run)
{
    for (uint32_t i = 0; i <= run->ir->sink_count; i++) write_sink(run, i);
}

/* ---- pipelines ---- */

static void feed_chunk(Run *run, Input *in, size_t whole)
{
    Str address = run->ir->sources[run->source].address;
    RtBatch batch = {.source = run->source,
                     .bytes = in->bytes,
                     .len = whole,
                     .received_ns = clock_wall_ns(),
                     .topic = address.ptr,
                     .topic_len = address.len};
    flow_feed(run->instance, &batch);
    write_sinks(run);
}

static bool goes_on(const Run *run)
{
    return !run->failed && !flow_stopped(run->instance);
}

/* Feeds one input to its end through all runs, as the source each of them is at. */
MUST static Status feed(Run *runs, uint32_t count, Input *in, Diag *diag)
{
    for (;;) {
        size_t whole = in->len;
        bool wanted = false;
        while (whole && in->bytes[whole - 1] != '\n') whole--;
        if (in->ended) whole = in->len;
        for (uint32_t i = 0; i < count; i++) {
            if (goes_on(&runs[i]) && whole) feed_chunk(&runs[i], in, whole);
            if (runs[i].failed) return runs[i].failed;
            wanted |= goes_on(&runs[i]);
        }
        memmove(in->bytes, in->bytes + whole, in->len - whole);
        in->len -= whole;
        if (in->ended || !wanted) return ST_OK;
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

/* The main source that stands for standard input; how many there are when all are files. */
static uint32_t stdin_source(const Run *run)
{
    uint32_t i = 0, count = ir_main_sources(run->ir);
    while (i < count && str_is(run->ir->sources[i].kind, "file")) i++;
    return i;
}

static bool reads_stdin(const Run *run)
{
    return stdin_source(run) < ir_main_sources(run->ir);
}

/* The `file` sources of one run, each to its end: those of joins (`joined`), or the main ones. */
MUST static Status feed_files(Run *run, bool joined, Input *opened, uint32_t opened_at, Diag *diag)
{
    Status st = ST_OK;
    for (uint32_t i = 0; !st && i < run->ir->source_count && goes_on(run); i++) {
        if (!str_is(run->ir->sources[i].kind, "file")) continue;
        if (joined != (run->ir->sources[i].group > 0)) continue;
        Input in = {.fd = -1};
        if (opened && i == opened_at)
            in = *opened;
        else
            st = input_open(&run->ir->sources[i], &in, diag);
        run->source = i;
        if (!st) st = feed(run, 1, &in, diag);
        if (!opened || i != opened_at)
            input_close(&in);
        else
            *opened = in;
    }
    return st;
}

/* Compiles with the first input as a sample, and opens the instance. */
MUST static Status run_open(NativeSet *set, Run *run, const Input *in, FlowHost *host, Diag *diag)
{
    Status st = ST_OK;
    *host = (FlowHost){full, run};
    if (!run->native->program) {
        Str sample =
            str_slice(in->bytes, in->len < EMIT_SAMPLE_BYTES ? in->len : EMIT_SAMPLE_BYTES);
        uint32_t count = run->native->ir->pipeline_count;
        Str *samples = arena_many(set->front.arena, Str, count);
        for (uint32_t i = 0; samples && i < count; i++) samples[i] = sample;
        st = native_load(set, run->native, samples, diag);
    }
    if (!st)
        st = flow_instance_new(run->native->program, run->index, NULL, host, &run->instance, diag);
    for (uint32_t i = 0; !st && i < run->ir->sink_count; i++)
        if (is_kind(&run->ir->sinks[i], "stdout")) header(run, i, STDOUT_FILENO);
    return st;
}

/* Closes windows, writes what is left, and makes the file of an empty result. */
static void run_finish(Run *run, const BatchOptions *options, bool *ret_stopped)
{
    if (goes_on(run)) flow_finish(run->instance);
    write_sinks(run);
    for (uint32_t i = 0; i < run->ir->sink_count && !run->failed; i++) {
        const IrSink *sink = &run->ir->sinks[i];
        if (is_kind(sink, "file") && !sink->address_is_computed)
            (void)file_of(run, i, sink->address);
    }
    if (flow_stopped(run->instance)) *ret_stopped = true;
    if (options->stats) stats(run);
}

static void run_close(Run *run)
{
    flow_instance_free(run->instance);
    for (uint32_t i = 0; i < run->file_count; i++) close(run->files[i].fd);
    buf_done(&run->line);
}

/* Runs that share one input: all on standard input, or one on its own first file. */
MUST static Status run_group(NativeSet *set, Run *runs, uint32_t count, const BatchOptions *options,
                             bool *ret_stopped, Diag *diag)
{
    FlowHost *hosts = arena_many(set->front.arena, FlowHost, count);
    bool on_stdin = reads_stdin(&runs[0]);
    uint32_t at = on_stdin ? stdin_source(&runs[0]) : 0;
    Input in;
    if (!hosts) return diag_set(diag, ST_NO_MEMORY, "out of memory");
    Status st = input_open(&runs[0].ir->sources[at], &in, diag);
    if (!st) st = input_fill(&in, diag);
    for (uint32_t i = 0; !st && i < count; i++) st = run_open(set, &runs[i], &in, &hosts[i], diag);
    /* What a join remembers is there before the first record asks for it. */
    for (uint32_t i = 0; !st && i < count; i++) st = feed_files(&runs[i], true, NULL, 0, diag);
    for (uint32_t i = 0; i < count; i++) runs[i].source = stdin_source(&runs[i]);
    if (!st && on_stdin) st = feed(runs, count, &in, diag);
    for (uint32_t i = 0; !st && i < count; i++) {
        st = feed_files(&runs[i], false, on_stdin ? NULL : &in, at, diag);
        if (!st) run_finish(&runs[i], options, ret_stopped);
        if (!st) st = runs[i].failed;
    }
    for (uint32_t i = 0; i < count; i++) run_close(&runs[i]);
    input_close(&in);
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

static uint32_t stdout_rows(const IrPipeline *p)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < p->sink_count; i++)
        count += !is_kind(&p->sinks[i], "file") && !is_kind(&p->sinks[i], "dead");
    return count;
}

Status batch_run(NativeSet *set, const BatchOptions *options, bool *ret_stopped, Diag *diag)
{
    uint32_t total = 0, count = 0, readers = 0, rows = 0;
    for (uint32_t i = 0; i < set->count; i++) total += set->list[i].ir->pipeline_count;
    Run *runs = arena_many(set->front.arena, Run, total ? total : 1);
    if (!runs) return diag_set(diag, ST_NO_MEMORY, "out of memory");
    /* Those on standard input first, then those on files of their own. */
    for (int stdin_turn = 1; stdin_turn >= 0; stdin_turn--) {
        for (uint32_t i = 0; i < total; i++) {
            uint32_t n = 0, p = i;
            while (p >= set->list[n].ir->pipeline_count) p -= set->list[n++].ir->pipeline_count;
            Run run = {.native = &set->list[n], .index = p, .diag = diag};
            run.ir = &run.native->ir->pipelines[p];
            if (!takes_part(run.ir, options) || reads_stdin(&run) != stdin_turn) continue;
            rows += stdout_rows(run.ir);
            readers += (uint32_t)stdin_turn;
            runs[count++] = run;
        }
    }
    if (!count) return diag_set(diag, ST_NOT_FOUND, "there is no pipeline to run");
    for (uint32_t i = 0; i < count; i++) {
        runs[i].wrap = rows > 1;
        buf_init(&runs[i].line, (size_t)64 << 20);
        Str name = arena_str(set->front.arena, runs[i].ir->name);
        if (count > 1) runs[i].name = name.ptr;
    }
    Status st = readers ? run_group(set, runs, readers, options, ret_stopped, diag) : ST_OK;
    for (uint32_t i = readers; !st && i < count; i++)
        st = run_group(set, &runs[i], 1, options, ret_stopped, diag);
    return st;
}
