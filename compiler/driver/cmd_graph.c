/* compiler/driver/cmd_graph.c: `tutti graph` and `tutti export`: what the dashboard draws. */
#include "compiler/driver/driver.h"

#include "compiler/graph/graph.h"
#include "compiler/report/report.h"

#include <stdio.h>
#include <string.h>

enum { GRAPH_BYTES_MAX = 64 << 20 };

static int graph(const Command *self, const char *path, bool json)
{
    Front front;
    Diag diag = {0};
    IrProgram *program = NULL;
    AUTO_BUF Buf out;
    buf_init(&out, GRAPH_BYTES_MAX);
    Status st = front_open(&front, &diag);
    if (!st) st = front_add(&front, path, &diag);
    if (!st && front.count != 1) {
        front_close(&front);
        return driver_usage(self, "name one file, not a folder");
    }
    if (!st) st = front_compile(&front, 0, &program, &diag);
    if (program && json) {
        graph_export(program, front.files[0], &out);
        buf_char(&out, '\n');
    } else if (program) {
        report_graph(program, STR_NONE, &out);
    }
    int code = st ? driver_failed(self, st, &diag) : front_report(&front);
    front_close(&front);
    if (code) return code;
    if (buf_status(&out)) return EXIT_OURS;
    (void)fwrite(out.ptr ? out.ptr : "", 1, out.len, stdout);
    return EXIT_FINE;
}

static int named(const Command *self, int argc, char **argv, bool json)
{
    const char *path = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            json = true;
        else if (argv[i][0] == '-' && argv[i][1])
            return driver_usage(self, "unknown option `%s`", argv[i]);
        else if (path)
            return driver_usage(self, "one file at a time");
        else
            path = argv[i];
    }
    return path ? graph(self, path, json) : driver_usage(self, "name a file");
}

int cmd_graph(const Command *self, int argc, char **argv)
{
    return named(self, argc, argv, false);
}

int cmd_export(const Command *self, int argc, char **argv)
{
    return named(self, argc, argv, true);
}
