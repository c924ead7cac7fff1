/* compiler/driver/cmd_infer.c: `tutti infer FILE`: a type that fits the samples.
 *
 * Lines that are no records are counted and said, not believed: recordings hold rubbish. */
#include "compiler/driver/options.h"

#include "base/mem.h"
#include "compiler/driver/infer_pack.h"
#include "compiler/infer/infer.h"
#include "flow/instance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INFER_LINE_ARENA = 64 << 20, INFER_OUT_BYTES = 16 << 20 };

typedef struct Options {
    const char *name;
    bool json, ranges, csv;
    char **words; /* of the command line */
    uint32_t paths;
    const char *format; /* json csv msgpack cbor; NULL: as the file's name or its first byte says */
} Options;

typedef struct Bad { /* lines or records that were left out */
    InferLeft left;
    const char *what;
    uint64_t count, first;
    char why[DIAG_TEXT_BYTES];
} Bad;

static void left_out(Bad *bad, uint64_t line, const char *why)
{
    if (!bad->count++) {
        bad->first = line;
        (void)snprintf(bad->why, sizeof bad->why, "%s", why);
    }
}

static Status record_left_out(InferLeft *left, uint64_t number, const char *why)
{
    left_out((Bad *)left, number, why); /* its first member */
    return ST_OK;
}

static Status one_line(Infer *in, const Options *o, Arena *scratch, Str line, Diag *diag)
{
    const Json *record;
    if (o->csv) {
        Status st = infer_csv(in, line);
        return st == ST_INVALID ? diag_set(diag, st, "no CSV, or another number of cells") : st;
    }
    arena_reset(scratch);
    Status st = json_read(scratch, line, &record, diag);
    if (st) return st == ST_NO_MEMORY ? diag_set(diag, ST_INVALID, "a record too large") : st;
    st = infer_record(in, record);
    return st == ST_INVALID ? diag_set(diag, st, "a record is a JSON object") : st;
}

static Status read_lines(Infer *in, const Options *o, FILE *file, Bad *bad, Diag *diag)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    uint64_t number = 0;
    Status st = ST_OK;
    Arena *scratch = arena_new(64 << 10, INFER_LINE_ARENA);
    if (!scratch) st = ST_NO_MEMORY;
    while (!st && (len = getline(&line, &cap, file)) >= 0) {
        Diag why = {0};
        Str text = str_slice(line, (size_t)len);
        while (text.len && (text.ptr[text.len - 1] == '\n' || text.ptr[text.len - 1] == '\r'))
            text.len--;
        if (number++ == 0 && str_starts(text, STR("\xef\xbb\xbf"))) text = str_skip(text, 3);
        if (!str_trim(text).len) continue;
        st = one_line(in, o, scratch, text, &why);
        if (st != ST_INVALID) continue;
        left_out(bad, number, why.text);
        st = ST_OK;
    }
    free(line); /* check-allow: call getline allocated it */
    arena_free(scratch);
    if (st == ST_LIMIT)
        return diag_set(diag, st, "line %llu: a type has at most %d fields",
                        (unsigned long long)number, INFER_FIELDS_MAX);
    return st;
}

static bool is_name(const char *name)
{
    for (const char *c = name; *c; c++) {
        bool letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || *c == '_';
        if (!letter && !(c > name && *c >= '0' && *c <= '9')) return false;
    }
    return *name != '\0';
}

/* Says itself what is in it: no other format of bytes does. */
static bool packs(uint32_t format)
{
    return format == RT_FORMAT_MSGPACK || format == RT_FORMAT_CBOR;
}

const Option infer_options[] = {
    OPTION("--name", "NAME", OPTION_TEXT, Options, name, "of the type; Record when left out"),
    OPTION("--ranges", NULL, OPTION_FLAG, Options, ranges,
           "least and greatest values, widened to round numbers, become part of the type"),
    OPTION("--format", "FORMAT", OPTION_TEXT, Options, format,
           "json, csv, msgpack or cbor; when left out the file's name and first byte say it"),
    OPTION("--csv", NULL, OPTION_FLAG, Options, csv,
           "the file is CSV; so is one whose name ends in .csv"),
    OPTION("--json", NULL, OPTION_FLAG, Options, json, "the type and what was seen as JSON"),
    {0}};

/* They move to the front of the words. */
static int infer_word(void *ctx, char *word)
{
    Options *o = ctx;
    o->words[++o->paths] = word;
    return -1;
}

/* -1, or an exit code. */
static int read_options(const Command *self, int argc, char **argv, Options *o)
{
    int code = options_read(self, argc, argv, o, infer_word);
    if (code >= 0) return code;
    if (!o->paths) return driver_usage(self, "name a file of records, a folder of them, or -");
    if (!is_name(o->name)) return driver_usage(self, "`%s` is no name", o->name);
    if (o->format && !str_is(STR("csv"), o->format) && !str_is(STR("json"), o->format) &&
        !packs(flow_format(o->format)))
        return driver_usage(self, "--format takes json, csv, msgpack or cbor, not `%s`", o->format);
    if (o->format) o->csv = str_is(STR("csv"), o->format);
    return -1;
}

static Status read_all(Infer *in, const Options *o, FILE *file, Bad *bad, Diag *diag)
{
    uint32_t format = o->format ? flow_format(o->format) : o->csv ? 0 : infer_sniff(file);
    if (!packs(format)) return read_lines(in, o, file, bad, diag);
    bad->what = "record";
    bad->left.add = record_left_out;
    Status st = infer_packed(in, format, file, &bad->left);
    if (st == ST_LIMIT) return diag_set(diag, st, "a type has at most %d fields", INFER_FIELDS_MAX);
    return st;
}

/* All files that are read for one type. */
typedef struct Reading {
    const Options *options;
    Infer *in;
    uint32_t files;
} Reading;

static Status read_file(void *ctx, const char *path, Diag *diag)
{
    Reading *r = ctx;
    Options o = *r->options;
    FILE *file = NULL;
    Status st = driver_open(path, &file, diag);
    if (st) return st;
    r->files++;
    if (!o.format) o.csv = o.csv || str_ends(str_from(path), STR(".csv"));
    Bad bad = {.what = "line"};
    infer_next_file(r->in);
    st = read_all(r->in, &o, file, &bad, diag);
    if (file != stdin) (void)fclose(file);
    if (st == ST_LIMIT) (void)diag_wrap(diag, st, "%s", path);
    if (!st && bad.count)
        (void)fprintf(stderr, "tutti infer: %s: %llu %s%s left out, the first is %s %llu: %s\n",
                      path, (unsigned long long)bad.count, bad.what, bad.count == 1 ? "" : "s",
                      bad.what, (unsigned long long)bad.first, bad.why);
    return st;
}

static int say(const Command *self, const Reading *r, const char *path)
{
    AUTO_BUF Buf out;
    const Options *o = r->options;
    const Infer *in = r->in;
    buf_init(&out, INFER_OUT_BYTES);
    if (!infer_count(in)) {
        (void)fprintf(stderr, "tutti infer: %s: %s\n", path,
                      r->files ? "there is no record in it"
                               : "no file in it ends in .ndjson .jsonl .json .csv .msgpack or "
                                 ".cbor: name a file");
        return EXIT_WRONG;
    }
    if (o->json)
        infer_json(in, str_from(o->name), o->ranges, &out);
    else
        infer_type(in, str_from(o->name), o->ranges, &out);
    if (buf_status(&out)) return driver_failed(self, buf_status(&out), NULL);
    (void)fwrite(out.ptr, 1, out.len, stdout);
    return EXIT_FINE;
}

int cmd_infer(const Command *self, int argc, char **argv)
{
    static const char *const endings[] = {".ndjson",  ".jsonl", ".json", ".csv",
                                          ".msgpack", ".cbor",  NULL};
    Options o = {.name = "Record", .words = argv};
    int code = read_options(self, argc, argv, &o);
    if (code >= 0) return code;
    Diag diag = {0};
    Arena *arena = arena_new(0, (size_t)256 << 20);
    Reading reading = {&o, arena ? infer_new(arena) : NULL, 0};
    Status st = reading.in ? ST_OK : ST_NO_MEMORY;
    for (uint32_t i = 1; i <= o.paths && !st; i++)
        st = driver_walk(argv[i], endings, read_file, &reading, &diag);
    if (st == ST_LIMIT) {
        (void)fprintf(stderr, "tutti infer: %s\n", diag.text);
        code = EXIT_WRONG;
    } else {
        code = st ? driver_failed(self, st, &diag) : say(self, &reading, argv[1]);
    }
    arena_free(arena);
    return code;
}
