/* compiler/driver/cmd_replay.c: `tutti replay FILE RECORDED`: records that failed, or a recording,
 * through a program, offline.
 *
 * A line that is an error record (`reason` and `raw`) gives its `raw`, any other line itself. They
 * become standard input of the batch run, whose rules for sources, sinks and exit codes hold. Where
 * the program reads a format of bytes, the `raw` of error records is base64, and a file that does
 * not begin with one is a recording of the bytes themselves. */
#include "compiler/driver/batch.h"

#include "base/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { REPLAY_LINE_ARENA = 64 << 20 };

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
static bool put_bytes(FILE *out, Arena *scratch, Str line, IrFormat format)
{
    Str bytes;
    AUTO_BUF Buf frame;
    buf_init(&frame, 64);
    if (flow_get_base64(record_of(scratch, line), scratch, &bytes)) return false;
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
            fine = ir_format_is_bytes(format) ? put_bytes(to, scratch, text, format)
                                              : put_line(to, record_of(scratch, text));
    }
    free(line); /* check-allow: call getline allocated it */
    arena_free(scratch);
    fine = fflush(to) == 0 && fine;
    return fine ? ST_OK : diag_errno(diag, errno, "keeping the records");
}

/* The records become what the batch run reads as standard input. */
static Status redirect(const char *path, IrFormat format, Diag *diag)
{
    FILE *from = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    if (!from) return diag_set(diag, ST_NOT_FOUND, "%s cannot be read", path);
    int fd = memfd_create("replay", MFD_CLOEXEC);
    FILE *to = fd < 0 ? NULL : fdopen(fd, "wb");
    bool bytes = ir_format_is_bytes(format);
    int first = bytes ? getc(from) : EOF;
    if (first != EOF) (void)ungetc(first, from);
    bool recording = bytes && first != '{';
    Status st = !to         ? diag_errno(diag, errno, "keeping the records")
                : recording ? copy(from, to, diag)
                            : convert(from, to, format, diag);
    if (!st && (lseek(fd, 0, SEEK_SET) < 0 || dup2(fd, STDIN_FILENO) < 0))
        st = diag_errno(diag, errno, "reading the records");
    if (to) (void)fclose(to);
    if (from != stdin) (void)fclose(from);
    return st;
}

static int run(const Command *self, NativeSet *set, const BatchOptions *options, const char *path)
{
    Diag diag = {0};
    bool stopped = false;
    int code = front_report(&set->front);
    if (code) return code;
    IrFormat format = FORMAT_JSON;
    for (uint32_t i = 0; i < set->count; i++)
        for (uint32_t p = 0; p < set->list[i].ir->pipeline_count; p++) {
            const IrPipeline *pipeline = &set->list[i].ir->pipelines[p];
            bool meant = !options->pipeline || str_is(pipeline->name, options->pipeline);
            if (meant && pipeline->source_count && ir_format_is_bytes(pipeline->sources[0].format))
                format = pipeline->sources[0].format;
        }
    Status st = redirect(path, format, &diag);
    if (!st) st = batch_run(set, options, &stopped, &diag);
    if (st) return driver_failed(self, st, &diag);
    return stopped ? EXIT_STOPPED : EXIT_FINE;
}

int cmd_replay(const Command *self, int argc, char **argv)
{
    NativeSet set;
    BatchOptions options = {0};
    Diag diag = {0};
    const char *program = NULL, *records = NULL;
    int code = -1;
    Status st = native_open(&set, &diag);
    for (int i = 1; i < argc && !st && code < 0; i++) {
        bool value = i + 1 < argc;
        if (strcmp(argv[i], "--stats") == 0)
            options.stats = true;
        else if (strcmp(argv[i], "--pipeline") == 0 && value)
            options.pipeline = argv[++i];
        else if (strcmp(argv[i], "--cache") == 0 && value)
            set.cache_dir = argv[++i];
        else if (strcmp(argv[i], "--engine") == 0 && value)
            code = engine_option(self, argv[++i], &set.engine);
        else if (argv[i][0] == '-' && argv[i][1])
            code = driver_usage(self, "unknown option `%s`", argv[i]);
        else if (!program)
            program = argv[i];
        else if (!records)
            records = argv[i];
        else
            code = driver_usage(self, "one program and one recording at a time");
    }
    if (code < 0 && !st && !records) code = driver_usage(self, "name a program and a recording");
    if (code < 0 && !st) st = native_add(&set, program, &diag);
    if (st)
        code = driver_failed(self, st, &diag);
    else if (code < 0)
        code = run(self, &set, &options, records);
    native_close(&set);
    return code;
}
