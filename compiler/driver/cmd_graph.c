/* compiler/driver/cmd_graph.c: `tutti graph` and `tutti export`: what the dashboard draws. */
#include "compiler/driver/driver.h"

#include "compiler/graph/graph.h"
#include "compiler/report/report.h"

#include <stdio.h>
#include <string.h>

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

static int named(const Command *self, int argc, char **argv, bool json)
{
    Front front;
    Diag diag = {0};
    AUTO_BUF Buf out;
    buf_init(&out, GRAPH_BYTES_MAX);
    int paths = 0;
    Status st = front_open(&front, &diag);
    for (int i = 1; i < argc && !st; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            json = true;
        } else if (argv[i][0] == '-' && argv[i][1]) {
            front_close(&front);
            return driver_usage(self, "unknown option `%s`", argv[i]);
        } else {
            st = front_add(&front, argv[i], &diag);
            paths++;
        }
    }
    for (uint32_t i = 0; i < front.count && !st; i++) st = graph_one(&front, i, json, &out, &diag);
    int code = st       ? driver_failed(self, st, &diag)
               : !paths ? driver_usage(self, "name a file or a folder")
                        : front_report(&front);
    front_close(&front);
    if (code) return code;
    if (buf_status(&out)) return EXIT_OURS;
    (void)fwrite(out.ptr ? out.ptr : "", 1, out.len, stdout);
    return EXIT_FINE;
}

int cmd_graph(const Command *self, int argc, char **argv)
{
    return named(self, argc, argv, false);
}

int cmd_export(const Command *self, int argc, char **argv)
{
    return named(self, argc, argv, true);
}
