/* compiler/driver/cmd_import.c: `tutti import GRAPH.json`: the program that a graph is. */
#include "compiler/driver/options.h"

#include "compiler/fmt/fmt.h"
#include "compiler/graph/graph.h"

#include <stdio.h>
#include <string.h>

enum { IMPORT_BYTES_MAX = 64 << 20 };

/* Of which nodes of a bare graph the errors are. */
static void tell_places(const Front *front, const GraphPlace *places)
{
    const GraphPlace *told = NULL;
    for (const Diagnostic *d = front->diags.first; d; d = d->next) {
        const GraphPlace *at = NULL;
        for (const GraphPlace *p = places; p && p->at <= d->span.start; p = p->next) at = p;
        if (!at || at == told) continue;
        told = at;
        (void)fprintf(stderr, "tutti import: line %u is of pipeline `%.*s`%s%.*s%s\n",
                      source_place(front->sources.list[0], d->span.start).line,
                      STR_ARG(at->pipeline), at->node.len ? ", node `" : "", STR_ARG(at->node),
                      at->node.len ? "`" : "");
    }
}

/* Lays the text out; what is wrong with it is shown as with any program. */
static int lay_out(const Command *self, Front *front, Str text, const GraphPlace *places, Buf *out)
{
    Diag diag = {0};
    Source *source;
    AstFile *file = NULL;
    Status st = source_add(&front->sources, STR("<graph>"), text, &source, &diag);
    if (!st) st = parse_source(front->arena, source, &front->diags, &file);
    if (st) return driver_failed(self, st, &diag);
    if (file->broken) {
        int code = front_report(front);
        tell_places(front, places);
        return code;
    }
    st = fmt_file(front->arena, file, out);
    return st ? driver_failed(self, st, &diag) : EXIT_FINE;
}

static int import(const Command *self, const char *path, Buf *out)
{
    Front front;
    Diag diag = {0};
    AUTO_BUF Buf bytes, text;
    const Json *graph;
    GraphPlace *places = NULL;
    buf_init(&bytes, IMPORT_BYTES_MAX);
    buf_init(&text, SOURCE_BYTES_MAX);
    Status st = front_open(&front, &diag);
    if (st) return driver_failed(self, st, &diag);
    st = driver_read(path, &bytes, &diag);
    if (!st && str_find(buf_view(&bytes), STR("\n{\"tutti_graph\"")) >= 0)
        st = diag_set(&diag, ST_INVALID, "several graphs, one a line: import takes one at a time");
    if (!st) st = json_read(front.arena, buf_view(&bytes), &graph, &diag);
    if (!st)
        st = json_get(graph, "items") || !json_get(graph, "pipelines")
                 ? graph_text(graph, &text, &diag)
                 : graph_bare_text(front.arena, graph, &text, &places, &diag);
    int code = EXIT_FINE;
    if (st == ST_INVALID || st == ST_CORRUPT) {
        (void)fprintf(stderr, "tutti import: %s: %s\n", path, diag.text);
        code = EXIT_WRONG;
    } else {
        code = st ? driver_failed(self, st, &diag)
                  : lay_out(self, &front, buf_view(&text), places, out);
    }
    front_close(&front);
    return code;
}

typedef struct ImportArgs {
    const Command *self;
    const char *path;
} ImportArgs;

const Option import_options[] = {{0}};

static int import_word(void *ctx, char *word)
{
    ImportArgs *args = ctx;
    return options_place(args->self, "one graph at a time", word, &args->path, NULL);
}

int cmd_import(const Command *self, int argc, char **argv)
{
    ImportArgs args = {.self = self};
    int code = options_read(self, argc, argv, &args, import_word);
    if (code >= 0) return code;
    if (!args.path) return driver_usage(self, "name a graph, or -");
    AUTO_BUF Buf out;
    buf_init(&out, (size_t)SOURCE_BYTES_MAX * 4);
    code = import(self, args.path, &out);
    if (code == EXIT_FINE) (void)fwrite(out.ptr ? out.ptr : "", 1, out.len, stdout);
    return code;
}
