/* compiler/driver/batch.c: feeds bounded input through instances and writes what comes out.
 *
 * Input is read in chunks; what follows the last line end waits for the next chunk. The first chunk
 * also is the sample from which the compiler learns the layout of records, so a program is compiled
 * after its input was opened. Rows are written after every chunk, so a pipe sees them at once. */
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
    const IrPipeline *ir;
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
        json_field_str(&json, "sink", str_trim(buf_view(&name)));
        json_key(&json, "row");
        json_put_raw(&json, str_trim(str_slice(out->bytes + row->start, row->len)));
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

/* ---- one pipeline ---- */

/* Feeds one source to its end. */
MUST static Status feed(Run *run, Input *in, uint32_t source)
{
    while (!run->failed && !flow_stopped(run->instance)) {
        size_t whole = in->len;
        while (whole && in->bytes[whole - 1] != '\n') whole--;
        if (in->ended) whole = in->len;
        if (whole) {
            char kept = in->bytes[whole];
            if (in->ended) in->bytes[whole] = 0; /* the padding's first byte */
            RtBatch batch = {.source = source,
                             .bytes = in->bytes,
                             .len = whole,
                             .received_ns = clock_wall_ns(),
                             .topic = run->ir->sources[source].address.ptr,
                             .topic_len = run->ir->sources[source].address.len};
            flow_feed(run->instance, &batch);
            if (!in->ended) in->bytes[whole] = kept;
            write_sinks(run);
            memmove(in->bytes, in->bytes + whole, in->len - whole);
            in->len -= whole;
        }
        if (in->ended) break;
        Status st = input_fill(in, run->diag);
        if (st) return st;
    }
    return run->failed;
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
                {"learnt", n->learnt},
                {"duplicate_keys", n->duplicate_keys},
                {"state_bytes", flow_state_bytes(run->instance)},
                {"allocations", mem_calls()}};
    for (size_t i = 0; i < COUNT_OF(list); i++) {
        json_key(&json, list[i].name);
        json_put_uint(&json, list[i].value);
    }
    json_end(&json);
    (void)fprintf(stderr, "%.*s\n", STR_ARG(buf_view(&text)));
}

static uint32_t shared_stdout(const IrPipeline *p)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < p->sink_count; i++)
        count += !is_kind(&p->sinks[i], "file") && !is_kind(&p->sinks[i], "dead");
    return count;
}

MUST static Status run_sources(Run *run, Input *first, Diag *diag)
{
    for (uint32_t i = 0; i < run->ir->sink_count; i++)
        if (is_kind(&run->ir->sinks[i], "stdout")) header(run, i, STDOUT_FILENO);
    Status st = feed(run, first, 0);
    for (uint32_t i = 1; !st && i < run->ir->source_count && !flow_stopped(run->instance); i++) {
        Input in;
        st = input_open(&run->ir->sources[i], &in, diag);
        if (!st) st = feed(run, &in, i);
        input_close(&in);
    }
    if (!st && !flow_stopped(run->instance)) flow_finish(run->instance);
    write_sinks(run);
    for (uint32_t i = 0; i < run->ir->sink_count && !run->failed;
         i++) /* an empty result is an empty file */
        if (is_kind(&run->ir->sinks[i], "file") && !run->ir->sinks[i].address_is_computed)
            (void)file_of(run, i, run->ir->sinks[i].address);
    return st ? st : run->failed;
}

MUST static Status run_pipeline(NativeSet *set, Native *native, uint32_t index,
                                const BatchOptions *options, bool *ret_stopped, Diag *diag)
{
    Input in;
    Run run = {.ir = &native->ir->pipelines[index], .diag = diag};
    FlowHost host = {full, &run};
    run.wrap = shared_stdout(run.ir) > 1;
    buf_init(&run.line, (size_t)64 << 20);
    Status st = input_open(&run.ir->sources[0], &in, diag);
    if (!st) st = input_fill(&in, diag);
    if (!st && !native->program) {
        Str *samples = arena_many(set->front.arena, Str, native->ir->pipeline_count);
        if (samples)
            samples[index] =
                str_slice(in.bytes, in.len < EMIT_SAMPLE_BYTES ? in.len : EMIT_SAMPLE_BYTES);
        st = native_load(set, native, samples, diag);
    }
    if (!st) st = flow_instance_new(native->program, index, NULL, &host, &run.instance, diag);
    if (!st) {
        st = run_sources(&run, &in, diag);
        if (flow_stopped(run.instance)) *ret_stopped = true;
        if (options->stats) stats(&run);
    }
    flow_instance_free(run.instance);
    for (uint32_t i = 0; i < run.file_count; i++) close(run.files[i].fd);
    input_close(&in);
    buf_done(&run.line);
    return st;
}

static bool reads_stdin(const IrPipeline *p)
{
    for (uint32_t i = 0; i < p->source_count; i++)
        if (!str_is(p->sources[i].kind, "file")) return true;
    return false;
}

Status batch_run(NativeSet *set, const BatchOptions *options, bool *ret_stopped, Diag *diag)
{
    uint32_t readers = 0, chosen = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        for (uint32_t p = 0; p < set->list[i].ir->pipeline_count; p++) {
            const IrPipeline *ir = &set->list[i].ir->pipelines[p];
            if (options->pipeline && !str_is(ir->name, options->pipeline)) continue;
            chosen++;
            readers += reads_stdin(ir);
        }
    }
    if (!chosen) return diag_set(diag, ST_NOT_FOUND, "there is no pipeline to run");
    if (readers > 1)
        return diag_set(diag, ST_NOT_FOUND,
                        "%u pipelines would read standard input; choose one with --pipeline NAME",
                        readers);
    for (uint32_t i = 0; i < set->count; i++) {
        for (uint32_t p = 0; p < set->list[i].ir->pipeline_count; p++) {
            if (options->pipeline && !str_is(set->list[i].ir->pipelines[p].name, options->pipeline))
                continue;
            Status st = run_pipeline(set, &set->list[i], p, options, ret_stopped, diag);
            if (st) return st;
        }
    }
    return ST_OK;
}
