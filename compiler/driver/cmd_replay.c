/* compiler/driver/cmd_replay.c: `tutti replay FILE RECORDED`: records that failed, or a recording,
 * through a program, offline; with `--data DIR` the dead letters of a server's pipeline.
 *
 * A line that is an error record (`reason` and `raw`) gives its `raw`, any other line itself. They
 * become standard input of the batch run, whose rules for sources, sinks and exit codes hold. Where
 * the program reads a format of bytes, the `raw` of error records is base64, and a file that does
 * not begin with one is a recording of the bytes themselves. */
#include "compiler/driver/batch.h"
#include "compiler/driver/dead_letters.h"

#include "base/json.h"

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
    const char *program, *records, *data_dir;
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
    FILE *from = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    if (!from) return diag_set(diag, ST_NOT_FOUND, "%s cannot be read", path);
    bool bytes = ir_format_is_bytes(format);
    int first = bytes ? getc(from) : EOF;
    if (first != EOF) (void)ungetc(first, from);
    bool recording = bytes && first != '{';
    Status st = recording ? copy(from, to, diag) : convert(from, to, format, diag);
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

/* The records become what the batch run reads as standard input. */
MUST static Status redirect(const Replay *r, Str pipeline, IrFormat format, Diag *diag)
{
    int fd = memfd_create("replay", MFD_CLOEXEC);
    FILE *to = fd < 0 ? NULL : fdopen(fd, "wb");
    Status st = !to           ? diag_errno(diag, errno, "keeping the records")
                : r->data_dir ? from_server(r, pipeline, to, format, diag)
                              : from_file(r->records, to, format, diag);
    if (!st && (lseek(fd, 0, SEEK_SET) < 0 || dup2(fd, STDIN_FILENO) < 0))
        st = diag_errno(diag, errno, "reading the records");
    if (to) (void)fclose(to);
    return st;
}

/* How many pipelines are meant, and the first of them. */
static uint32_t meant(const NativeSet *set, const char *name, const IrPipeline **ret_first)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < set->count; i++)
        for (uint32_t p = 0; p < set->list[i].ir->pipeline_count; p++) {
            const IrPipeline *pipeline = &set->list[i].ir->pipelines[p];
            if (name && !str_is(pipeline->name, name)) continue;
            bool bytes = pipeline->source_count && ir_format_is_bytes(pipeline->sources[0].format);
            if (!count++ || bytes) *ret_first = pipeline;
        }
    return count;
}

static int run(const Command *self, Replay *r)
{
    Diag diag = {0};
    bool stopped = false;
    const IrPipeline *pipeline = NULL;
    int code = front_report(&r->set.front);
    if (code) return code;
    uint32_t count = meant(&r->set, r->options.pipeline, &pipeline);
    if (r->data_dir && count > 1)
        return driver_usage(self, "dead letters are those of one pipeline: name it by --pipeline");
    bool has_source = pipeline && pipeline->source_count;
    IrFormat format = has_source && ir_format_is_bytes(pipeline->sources[0].format)
                          ? pipeline->sources[0].format
                          : FORMAT_JSON;
    Status st = redirect(r, pipeline ? pipeline->name : STR_NONE, format, &diag);
    if (!st) st = batch_run(&r->set, &r->options, &stopped, &diag);
    if (st) return driver_failed(self, st, &diag);
    return stopped ? EXIT_STOPPED : EXIT_FINE;
}

/* -1, or an exit code. */
static int read_options(const Command *self, int argc, char **argv, Replay *r)
{
    int code = -1;
    for (int i = 1; i < argc && code < 0; i++) {
        bool value = i + 1 < argc;
        if (strcmp(argv[i], "--stats") == 0)
            r->options.stats = true;
        else if (strcmp(argv[i], "--pipeline") == 0 && value)
            r->options.pipeline = argv[++i];
        else if (strcmp(argv[i], "--data") == 0 && value)
            r->data_dir = argv[++i];
        else if (strcmp(argv[i], "--cache") == 0 && value)
            r->set.cache_dir = argv[++i];
        else if (strcmp(argv[i], "--engine") == 0 && value)
            code = engine_option(self, argv[++i], &r->set.engine);
        else if (argv[i][0] == '-' && argv[i][1])
            code = driver_usage(self, "unknown option `%s`", argv[i]);
        else if (!r->program)
            r->program = argv[i];
        else if (!r->records)
            r->records = argv[i];
        else
            code = driver_usage(self, "one program and one recording at a time");
    }
    if (code >= 0) return code;
    if (r->data_dir && r->records) return driver_usage(self, "a recording, or --data: not both");
    if (!r->program || (!r->records && !r->data_dir))
        return driver_usage(self, "name a program and a recording, or --data FOLDER");
    return -1;
}

int cmd_replay(const Command *self, int argc, char **argv)
{
    Replay r = {0};
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
