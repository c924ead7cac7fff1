/* compiler/driver/cmd_replay.c: `tutti replay FILE RECORDED`: records that failed, or a recording,
 * through a program, offline; with `--data DIR` the dead letters of a server's pipeline, or with
 * `--history` too what its namespace's history holds of the topics that the pipeline reads.
 *
 * A line that is an error record (`reason` and `raw`) gives its `raw`, any other line itself. They
 * become standard input of the batch run, whose rules for sources, sinks and exit codes hold. Where
 * the program reads a format of bytes, the `raw` of error records is base64, and a file that does
 * not begin with one is a recording of the bytes themselves. */
#include "compiler/driver/batch.h"
#include "compiler/driver/dead_letters.h"
#include "compiler/driver/frames.h"
#include "compiler/driver/history_points.h"
#include "compiler/driver/options.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/rfc3339.h"
#include "mqtt/codec.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { REPLAY_LINE_ARENA = 64 << 20 };

typedef struct Replay {
    NativeSet set;
    BatchOptions options;
    const Command *self;
    const char *program, *records, *data_dir, *topic, *from, *to;
    bool history;
    int64_t from_ns, to_ns;
} Replay;

/* One record on one line: line ends inside a message are blanks of its JSON. */
static bool put_line(FILE *out, Str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (putc(c == '\n' || c == '\r' ? ' ' : c, out) == EOF) return false;
    }
    return putc('\n', out) != EOF;
}

/* What the line stands for. */
static Str record_of(Arena *scratch, Str line)
{
    const Json *json;
    arena_reset(scratch);
    if (json_read(scratch, line, &json, NULL)) return line;
    const Json *raw = json_get(json, "raw");
    bool error = json_get(json, "reason") && raw && raw->type == JSON_STRING;
    return error ? raw->text : line;
}

/* The bytes that an error record holds, as they would stand in a file. */
static bool put_bytes(FILE *out, Arena *scratch, Str record, IrFormat format)
{
    Str bytes;
    AUTO_BUF Buf frame;
    buf_init(&frame, 64);
    if (flow_get_base64(record, scratch, &bytes)) return false;
    if (format == FORMAT_PROTOBUF) flow_put_frame(&frame, bytes.len);
    return fwrite(frame.ptr ? frame.ptr : "", 1, frame.len, out) == frame.len &&
           fwrite(bytes.ptr, 1, bytes.len, out) == bytes.len;
}

static Status copy(FILE *from, FILE *to, Diag *diag)
{
    char part[64 << 10];
    size_t n;
    while ((n = fread(part, 1, sizeof part, from)) > 0)
        if (fwrite(part, 1, n, to) != n) return diag_errno(diag, errno, "keeping the records");
    return fflush(to) == 0 ? ST_OK : diag_errno(diag, errno, "keeping the records");
}

static Status convert(FILE *from, FILE *to, IrFormat format, Diag *diag)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    bool fine = true;
    Arena *scratch = arena_new(64 << 10, REPLAY_LINE_ARENA);
    if (!scratch) return diag_set(diag, ST_NO_MEMORY, "out of memory");
    while (fine && (len = getline(&line, &cap, from)) >= 0) {
        Str text = str_trim(str_slice(line, (size_t)len));
        if (text.len)
            fine = ir_format_is_bytes(format)
                       ? put_bytes(to, scratch, record_of(scratch, text), format)
                       : put_line(to, record_of(scratch, text));
    }
    free(line); /* check-allow: call getline allocated it */
    arena_free(scratch);
    fine = fflush(to) == 0 && fine;
    return fine ? ST_OK : diag_errno(diag, errno, "keeping the records");
}

MUST static Status from_file(const char *path, FILE *to, IrFormat format, Diag *diag)
{
    FILE *from;
    Status st = driver_open(path, &from, diag);
    if (st) return st;
    bool bytes = ir_format_is_bytes(format);
    int first = bytes ? getc(from) : EOF;
    if (first != EOF) (void)ungetc(first, from);
    bool recording = bytes && first != '{';
    st = recording ? copy(from, to, diag) : convert(from, to, format, diag);
    if (from != stdin) (void)fclose(from);
    return st;
}

typedef struct Letters {
    FILE *to;
    Arena *scratch;
    IrFormat format;
    bool fine;
} Letters;

static bool on_letter(void *ctx, Str raw)
{
    Letters *l = ctx;
    arena_reset(l->scratch);
    l->fine = ir_format_is_bytes(l->format) ? put_bytes(l->to, l->scratch, raw, l->format)
                                            : put_line(l->to, raw);
    return l->fine;
}

MUST static Status from_server(const Replay *r, Str pipeline, FILE *to, IrFormat format, Diag *diag)
{
    Letters letters = {to, arena_new(64 << 10, REPLAY_LINE_ARENA), format, true};
    if (!letters.scratch) return diag_set(diag, ST_NO_MEMORY, "out of memory");
    Status st = dead_letters(r->data_dir, pipeline, on_letter, &letters, diag);
    arena_free(letters.scratch);
    letters.fine = fflush(to) == 0 && letters.fine;
    return !st && !letters.fine ? diag_errno(diag, errno, "keeping the records") : st;
}

typedef struct Points {
    FILE *to;
    bool fine;
} Points;

static bool on_record(void *ctx, Str topic, int64_t t_ns, Str record)
{
    Points *p = ctx;
    p->fine = frame_put(p->to, topic, t_ns, record);
    return p->fine;
}

/* What the pipeline would have read, as frames. */
MUST static Status from_history(const Replay *r, const IrProgram *ir, const IrPipeline *pipeline,
                                FILE *to, Diag *diag)
{
    const IrSource *source = &pipeline->sources[0];
    Points points = {to, true};
    if (ir_main_sources(pipeline) != 1)
        return diag_set(diag, ST_UNSUPPORTED, "pipeline %.*s reads several sources as one stream",
                        STR_ARG(pipeline->name));
    if (!r->topic && (!str_is(source->kind, "mqtt") || source->connection != NO_INDEX))
        return diag_set(diag, ST_INVALID,
                        "pipeline %.*s reads no topics of the server it runs on: say by --topic "
                        "which ones to replay",
                        STR_ARG(pipeline->name));
    Str group, filter = r->topic ? str_from(r->topic) : source->address;
    if (!mqtt_share_split(filter, &group, &filter) || !mqtt_filter_valid(filter))
        return diag_set(diag, ST_INVALID, "`%.*s` is no filter of topics", STR_ARG(filter));
    HistoryWish wish = {.data_dir = r->data_dir,
                        .ir = ir,
                        .pipeline = pipeline,
                        .filter = filter,
                        .from_ns = r->from_ns,
                        .to_ns = r->to_ns};
    Status st = history_records(&wish, on_record, &points, diag);
    points.fine = fflush(to) == 0 && points.fine;
    return !st && !points.fine ? diag_errno(diag, errno, "keeping the records") : st;
}

/* The records become what the batch run reads as standard input. */
MUST static Status redirect(const Replay *r, const IrProgram *ir, const IrPipeline *pipeline,
                            IrFormat format, Diag *diag)
{
    int fd = memfd_create("replay", MFD_CLOEXEC);
    FILE *to = fd < 0 ? NULL : fdopen(fd, "wb");
    Status st = !to          ? diag_errno(diag, errno, "keeping the records")
                : r->history ? from_history(r, ir, pipeline, to, diag)
                : r->data_dir
                    ? from_server(r, pipeline ? pipeline->name : STR_NONE, to, format, diag)
                    : from_file(r->records, to, format, diag);
    if (!st && (lseek(fd, 0, SEEK_SET) < 0 || dup2(fd, STDIN_FILENO) < 0))
        st = diag_errno(diag, errno, "reading the records");
    if (to) (void)fclose(to);
    return st;
}

/* How many pipelines are meant, and the first of them. */
static uint32_t meant(const NativeSet *set, const char *name, const IrProgram **ret_ir,
                      const IrPipeline **ret_first)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < set->count; i++)
        for (uint32_t p = 0; p < set->list[i].ir->pipeline_count; p++) {
            const IrPipeline *pipeline = &set->list[i].ir->pipelines[p];
            if (name && !str_is(pipeline->name, name)) continue;
            bool bytes = pipeline->source_count && ir_format_is_bytes(pipeline->sources[0].format);
            if (count++ && !bytes) continue;
            *ret_first = pipeline;
            *ret_ir = set->list[i].ir;
        }
    return count;
}

static int run(const Command *self, Replay *r)
{
    Diag diag = {0};
    bool stopped = false;
    const IrPipeline *pipeline = NULL;
    const IrProgram *ir = NULL;
    int code = front_report(&r->set.front);
    if (code) return code;
    uint32_t count = meant(&r->set, r->options.pipeline, &ir, &pipeline);
    if (!count && r->options.pipeline)
        return driver_usage(self, "there is no pipeline `%s` in the program", r->options.pipeline);
    if (r->data_dir && count > 1)
        return driver_usage(self, "%s of one pipeline: name it by --pipeline",
                            r->history ? "the topics are those" : "dead letters are those");
    if (r->history && (!pipeline || !pipeline->source_count))
        return driver_usage(self, "there is no such pipeline");
    bool has_source = pipeline && pipeline->source_count;
    IrFormat format = has_source && ir_format_is_bytes(pipeline->sources[0].format)
                          ? pipeline->sources[0].format
                          : FORMAT_JSON;
    r->options.framed = r->history;
    Status st = redirect(r, ir, pipeline, format, &diag);
    if (r->history && (st == ST_INVALID || st == ST_UNSUPPORTED)) { /* not what was asked for */
        (void)driver_failed(self, st, &diag);
        return EXIT_USAGE;
    }
    if (!st) st = batch_run(&r->set, &r->options, &stopped, &diag);
    if (st) return driver_failed(self, st, &diag);
    return stopped ? EXIT_STOPPED : EXIT_FINE;
}

/* An instant, or a duration before now: -1h. */
static bool time_option(const char *text, int64_t *ret_ns)
{
    int64_t ago;
    if (rfc3339_get(str_from(text), ret_ns)) return true;
    if (text[0] != '-' || !duration_get(str_from(text), &ago)) return false;
    *ret_ns = clock_wall_ns() + ago;
    return true;
}

const Option replay_options[] = {
    OPTION("--data", "FOLDER", OPTION_TEXT, Replay, data_dir,
           "the dead letters of a server's data folder instead of RECORDED; only read"),
    OPTION("--history", NULL, OPTION_FLAG, Replay, history,
           "with --data: what its history holds of the topics the pipeline reads"),
    OPTION("--from", "TIME", OPTION_TEXT, Replay, from,
           "of the history: from then on; 2026-11-27T08:00:00Z, or -1h"),
    OPTION("--to", "TIME", OPTION_TEXT, Replay, to, "of the history: before then"),
    OPTION("--topic", "FILTER", OPTION_TEXT, Replay, topic, "of the history: these topics instead"),
    OPTION("--pipeline", "NAME", OPTION_TEXT, Replay, options.pipeline, "only this pipeline"),
    OPTION("--stats", NULL, OPTION_FLAG, Replay, options.stats,
           "counters as JSON on standard error"),
    OPTION("--engine", "NAME", OPTION_ENGINE, Replay, set.engine,
           "what runs it: cc, jit, interp; `list` shows them"),
    OPTION("--cache", "FOLDER", OPTION_TEXT, Replay, set.cache_dir,
           "where compiled programs are kept"),
    {0}};

static int replay_word(void *ctx, char *word)
{
    Replay *r = ctx;
    return options_place(r->self, "one program and one recording at a time", word, &r->program,
                         &r->records);
}

/* -1, or an exit code. */
static int read_time(const Command *self, const char *value, int64_t *ret_ns)
{
    if (!value || time_option(value, ret_ns)) return -1;
    return driver_usage(self, "`%s` is no time: write 2026-11-27T08:00:00Z, or -1h for an hour ago",
                        value);
}

/* -1, or an exit code. */
static int read_options(const Command *self, int argc, char **argv, Replay *r)
{
    int code = options_read(self, argc, argv, r, replay_word);
    if (code < 0) code = read_time(self, r->from, &r->from_ns);
    if (code < 0) code = read_time(self, r->to, &r->to_ns);
    if (code >= 0) return code;
    bool bounded = r->from || r->to || r->topic;
    if (r->history && !r->data_dir)
        return driver_usage(self, "--history is that of a server's data: name its --data FOLDER");
    if (bounded && !r->history)
        return driver_usage(self, "--from, --to and --topic belong to --history");
    if (r->history && r->from_ns >= r->to_ns)
        return driver_usage(self, "--from is not before --to");
    if (r->data_dir && r->records) return driver_usage(self, "a recording, or --data: not both");
    if (!r->program || (!r->records && !r->data_dir))
        return driver_usage(self, "name a program and a recording, or --data FOLDER");
    return -1;
}

int cmd_replay(const Command *self, int argc, char **argv)
{
    Replay r = {.self = self, .from_ns = INT64_MIN, .to_ns = INT64_MAX};
    Diag diag = {0};
    Status st = native_open(&r.set, &diag);
    int code = st ? -1 : read_options(self, argc, argv, &r);
    if (code < 0 && !st) st = native_add(&r.set, r.program, &diag);
    if (st)
        code = driver_failed(self, st, &diag);
    else if (code < 0)
        code = run(self, &r);
    native_close(&r.set);
    return code;
}
