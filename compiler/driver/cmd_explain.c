/* compiler/driver/cmd_explain.c: `tutti explain CODE|NAME` and `tutti explain FILE [PIPELINE]`. */
#include "compiler/driver/driver.h"

#include "compiler/ir/explain.h"
#include "compiler/library/library.h"
#include "compiler/words/words.h"

#include <stdio.h>
#include <string.h>

enum { EXPLAIN_BYTES_MAX = 64 << 20 };

static int explain_code(const DiagCodeInfo *info)
{
    (void)printf("%s: %s\n\n%s\n", info->id, info->title, info->why);
    return EXIT_FINE;
}

static int explain_name(const Command *self, const char *name)
{
    AUTO_BUF Buf out;
    buf_init(&out, 1 << 20);
    if (word_explain(str_from(name), &out) && !buf_status(&out)) {
        (void)fwrite(out.ptr, 1, out.len, stdout);
        return EXIT_FINE;
    }
    Str best = word_suggest(str_from(name));
    if (best.len)
        return driver_usage(self, "there is no code and no word `%s`; did you mean `%.*s`?", name,
                            STR_ARG(best));
    return driver_usage(self, "there is no code and no word `%s`", name);
}

static int explain_library(void)
{
    AUTO_BUF Buf out;
    buf_init(&out, 1 << 20);
    library_reference(&out);
    if (buf_status(&out)) return EXIT_OURS;
    (void)fwrite(out.ptr, 1, out.len, stdout);
    return EXIT_FINE;
}

static int explain_file(const Command *self, const char *path, Str pipeline, const char *dump)
{
    Front front;
    Diag diag = {0};
    IrProgram *program = NULL;
    AUTO_BUF Buf out;
    buf_init(&out, EXPLAIN_BYTES_MAX);
    Status st = front_open(&front, &diag);
    if (!st) st = front_add(&front, path, &diag);
    for (uint32_t i = 0; i < front.count && !st; i++) {
        st = front_compile(&front, i, &program, &diag);
        if (st || !program) continue;
        if (dump && strcmp(dump, "ir") == 0)
            ir_dump(program, &out);
        else if (dump)
            ir_graph_text(program, pipeline, &out);
        else
            ir_explain(program, pipeline, &out);
        program = NULL;
    }
    int code = st ? driver_failed(self, st, &diag) : front_report(&front);
    front_close(&front);
    if (code) return code;
    if (buf_status(&out)) return EXIT_OURS;
    if (!out.len && pipeline.len)
        return driver_usage(self, "there is no pipeline `%.*s`", STR_ARG(pipeline));
    (void)fwrite(out.ptr ? out.ptr : "", 1, out.len, stdout);
    return EXIT_FINE;
}

int cmd_explain(const Command *self, int argc, char **argv)
{
    const char *dump = NULL, *what = NULL, *pipeline = NULL;
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--dump=", 7) == 0)
            dump = argv[i] + 7;
        else if (strcmp(argv[i], "--stdlib") == 0)
            return explain_library();
        else if (argv[i][0] == '-' && argv[i][1])
            return driver_usage(self, "unknown option `%s`", argv[i]);
        else if (!what)
            what = argv[i];
        else if (!pipeline)
            pipeline = argv[i];
        else
            return driver_usage(self, "one file and one pipeline at a time");
    }
    if (dump && strcmp(dump, "ir") != 0 && strcmp(dump, "graph") != 0)
        return driver_usage(self, "there is no dump `%s`; graph and ir are", dump);
    if (!what) return driver_usage(self, "name a code such as P018, a word, or a file");
    const DiagCodeInfo *info = diag_code_find(str_from(what));
    if (info) return explain_code(info);
    bool file = strchr(what, '.') || strchr(what, '/');
    if (!file) return explain_name(self, what);
    return explain_file(self, what, str_from(pipeline), dump);
}
