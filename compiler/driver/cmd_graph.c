/* compiler/driver/cmd_graph.c: `tutti graph` and `tutti export`: what the dashboard draws. */
#include "compiler/driver/options.h"

#include "compiler/graph/graph.h"
#include "compiler/report/report.h"

#include <stdio.h>

enum { GRAPH_BYTES_MAX = 64 << 20 };

/* As JSON one graph a line; a person reads which file it is of where there are several. */
static Status graph_one(Front *front, uint32_t file, bool json, Buf *out, Diag *diag)
{
    IrProgram *program = NULL;
    Status st = front_compile(front, file, &program, diag);
    if (st || !program) return st;
    if (json) {
        graph_export(program, front->files[file], out);
        buf_char(out, '\n');
    } else {
        if (front->count > 1) buf_printf(out, "%.*s\n", STR_ARG(front->programs[file]->path));
        report_graph(program, STR_NONE, out);
    }
    return ST_OK;
}

const Option graph_options[] = {
    OPTION("--json", NULL, OPTION_FLAG, FrontArgs, flag,
           "one graph a line, for the dashboard and for `tutti import`; docs/graph-json.md"),
    {0}};
const Option export_options[] = {OPTION("--json", NULL, OPTION_FLAG, FrontArgs, flag, NULL), {0}};

static int graph_all(FrontArgs *args, bool json)
{
    Diag diag = {0};
    Status st = ST_OK;
    AUTO_BUF Buf out;
    buf_init(&out, GRAPH_BYTES_MAX);
    for (uint32_t i = 0; i < args->front.count && !st; i++)
        st = graph_one(&args->front, i, json, &out, &diag);
    int code = st ? driver_failed(args->self, st, &diag) : front_report(&args->front);
    if (code) return code;
    if (buf_status(&out)) return EXIT_OURS;
    (void)fwrite(out.ptr ? out.ptr : "", 1, out.len, stdout);
    return EXIT_FINE;
}

int cmd_graph(const Command *self, int argc, char **argv)
{
    FrontArgs args;
    int code = options_read_front(self, argc, argv, &args);
    if (code >= 0) return code;
    code = graph_all(&args, args.flag || self->options == export_options);
    front_close(&args.front);
    return code;
}
