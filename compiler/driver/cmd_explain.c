/* compiler/driver/cmd_explain.c: `tutti explain CODE|NAME` and `tutti explain FILE [PIPELINE]`. */
#include "compiler/driver/options.h"

#include "compiler/emit_c/emit.h"
#include "compiler/library/library.h"
#include "compiler/report/report.h"
#include "compiler/words/words.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { EXPLAIN_BYTES_MAX = 64 << 20 };

typedef struct Explain {
    const Command *self;
    const char *what, *pipeline, *dump, *samples;
    bool codes, json, markdown, library;
    Buf *out;
    Buf known;     /* names that --dump could have been */
    Buf pipelines; /* the same of a pipeline */
    bool dumped;
} Explain;

static int explain_code(const DiagCodeInfo *info)
{
    AUTO_BUF Buf out;
    buf_init(&out, 1 << 20);
    diag_code_explain(info, &out);
    (void)fwrite(out.ptr, 1, out.len, stdout);
    return EXIT_FINE;
}

static int explain_codes(bool json, bool markdown)
{
    AUTO_BUF Buf out;
    buf_init(&out, 4 << 20);
    if (json)
        diag_codes_json(&out);
    else if (markdown)
        diag_codes_page(&out);
    else
        diag_codes_text(&out);
    if (buf_status(&out)) return EXIT_OURS;
    (void)fwrite(out.ptr, 1, out.len, stdout);
    return EXIT_FINE;
}

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static int explain_file(const Command *self, Explain *e);

/* A word of the language goes before a folder that is called so. */
static int explain_name(const Command *self, const char *name, Explain *e)
{
    AUTO_BUF Buf out;
    buf_init(&out, 1 << 20);
    if (word_explain(str_from(name), &out) && !buf_status(&out)) {
        (void)fwrite(out.ptr, 1, out.len, stdout);
        return EXIT_FINE;
    }
    if (is_folder(name)) return explain_file(self, e);
    Str best = word_suggest(str_from(name));
    if (best.len)
        return driver_usage(self, "there is no code and no word `%s`; did you mean `%.*s`?", name,
                            STR_ARG(best));
    return driver_usage(
        self,
        "there is no code and no word `%s`; `tutti explain --codes` lists the codes, "
        "and a program's file has a point in its name",
        name);
}

static int explain_library(void)
{
    AUTO_BUF Buf out;
    buf_init(&out, 1 << 20);
    library_reference(&out);
    word_reference(&out);
    if (buf_status(&out)) return EXIT_OURS;
    (void)fwrite(out.ptr, 1, out.len, stdout);
    return EXIT_FINE;
}

/* ---- dumps -------------------------------------------------------------------------------- */

/* Behind lowering and each pass. */
static void after_pass(void *ctx, const char *pass, const IrProgram *program)
{
    Explain *e = ctx;
    buf_printf(&e->known, "%s, ", pass);
    if (strcmp(pass, e->dump) != 0) return;
    ir_dump(program, e->out);
    e->dumped = true;
}

static Status dump(Explain *e, const IrProgram *program, Diag *diag)
{
    if (e->dumped) return ST_OK;
    e->dumped = true;
    if (strcmp(e->dump, "ir") == 0)
        ir_dump(program, e->out);
    else if (strcmp(e->dump, "graph") == 0)
        report_graph(program, str_from(e->pipeline), e->out);
    else if (strcmp(e->dump, "c") == 0)
        return emit_c(program, NULL, e->out, diag);
    else
        e->dumped = false;
    return ST_OK;
}

/* ---- files -------------------------------------------------------------------------------- */

/* The first lines of a recording. */
static Status read_sample(const char *path, Buf *out, Diag *diag)
{
    FILE *file;
    Status st = driver_open(path, &file, diag);
    if (st) return st;
    char *room = buf_reserve(out, EMIT_SAMPLE_BYTES);
    if (room) out->len += fread(room, 1, EMIT_SAMPLE_BYTES, file);
    if (file != stdin) (void)fclose(file);
    return room ? ST_OK : diag_set(diag, ST_NO_MEMORY, "out of memory");
}

static Status explain_all(Explain *e, Front *front, Str sample, Diag *diag)
{
    Status st = ST_OK;
    for (uint32_t i = 0; i < front->count && !st; i++) {
        IrProgram *program = NULL;
        e->dumped = false;
        st = front_compile(front, i, &program, diag);
        if (st || !program) continue;
        for (uint32_t k = 0; k < program->pipeline_count; k++)
            buf_printf(&e->pipelines, "%s`%.*s`", e->pipelines.len ? ", " : "",
                       STR_ARG(program->pipelines[k].name));
        st = e->dump ? dump(e, program, diag)
                     : report_explain(program, str_from(e->pipeline), sample, e->out, diag);
        if (!st && e->dump && !e->dumped)
            return diag_set(diag, ST_NOT_FOUND, "there is no dump `%s`; %.*sir, graph and c are",
                            e->dump, STR_ARG(buf_view(&e->known)));
    }
    return st;
}

static int explain_file(const Command *self, Explain *e)
{
    Front front;
    Diag diag = {0};
    AUTO_BUF Buf sample;
    buf_init(&sample, EMIT_SAMPLE_BYTES);
    Status st = front_open(&front, &diag);
    if (e->dump) {
        front.after = after_pass;
        front.after_ctx = e;
    }
    if (!st) st = front_add(&front, e->what, &diag);
    if (!st && e->samples) st = read_sample(e->samples, &sample, &diag);
    if (!st) st = explain_all(e, &front, buf_view(&sample), &diag);
    int code = st ? driver_failed(self, st, &diag) : front_report(&front);
    front_close(&front);
    if (code) return code;
    if (buf_status(e->out)) return EXIT_OURS;
    if (!e->out->len && e->pipeline)
        return driver_usage(self, "there is no pipeline `%s`; the file has %.*s", e->pipeline,
                            STR_ARG(e->pipelines.len ? buf_view(&e->pipelines) : STR("none")));
    (void)fwrite(e->out->ptr ? e->out->ptr : "", 1, e->out->len, stdout);
    return EXIT_FINE;
}

const Option explain_options[] = {
    OPTION("--samples", "FILE", OPTION_TEXT, Explain, samples,
           "learn the layouts of records from this recording"),
    OPTION("--dump", "WHAT", OPTION_TEXT, Explain, dump,
           "graph: nodes and wires; c: the C text; ir: the code of the stages after all passes,\n"
           "lower: before the first one, or the name of a pass: behind it"),
    OPTION("--codes", NULL, OPTION_FLAG, Explain, codes,
           "all codes; with --json or --markdown whole"),
    OPTION("--json", NULL, OPTION_FLAG, Explain, json, NULL),
    OPTION("--markdown", NULL, OPTION_FLAG, Explain, markdown, NULL),
    OPTION("--stdlib", NULL, OPTION_FLAG, Explain, library,
           "the reference of the standard library"),
    {0}};

static int explain_word(void *ctx, char *word)
{
    Explain *e = ctx;
    return options_place(e->self, "one file and one pipeline at a time", word, &e->what,
                         &e->pipeline);
}

static int explain(const Command *self, Explain *e)
{
    if (e->library) return explain_library();
    if (e->codes && !e->what && !(e->json && e->markdown))
        return explain_codes(e->json, e->markdown);
    if (e->codes || e->json || e->markdown)
        return driver_usage(self, "--codes stands alone, or with --json or --markdown");
    if (!e->what) return driver_usage(self, "name a code such as P018, a word, or a file");
    const DiagCodeInfo *info = diag_code_find(str_from(e->what));
    if (info) return explain_code(info);
    bool file = strchr(e->what, '.') || strchr(e->what, '/');
    return file ? explain_file(self, e) : explain_name(self, e->what, e);
}

int cmd_explain(const Command *self, int argc, char **argv)
{
    AUTO_BUF Buf out;
    buf_init(&out, EXPLAIN_BYTES_MAX);
    Explain e = {.self = self, .out = &out, .codes = argc == 1};
    buf_init(&e.known, 1 << 16);
    buf_init(&e.pipelines, 1 << 16);
    int code = options_read(self, argc, argv, &e, explain_word);
    if (code < 0) code = explain(self, &e);
    buf_done(&e.known);
    buf_done(&e.pipelines);
    return code;
}
