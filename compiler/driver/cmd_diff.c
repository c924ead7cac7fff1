/* compiler/driver/cmd_diff.c: `tutti diff OLD NEW`: what a deploy of NEW over OLD would do. */
#include "compiler/driver/options.h"

#include "compiler/report/report.h"

#include <stdio.h>
#include <string.h>

enum { DIFF_BYTES_MAX = 64 << 20 };

static int diff(const Command *self, const char *const *paths, bool json)
{
    Front front;
    Diag diag = {0};
    IrProgram *programs[2] = {NULL, NULL};
    AUTO_BUF Buf out;
    buf_init(&out, DIFF_BYTES_MAX);
    Status st = front_open(&front, &diag);
    for (int i = 0; i < 2 && !st; i++) st = front_add(&front, paths[i], &diag);
    if (!st && front.count != 2) {
        front_close(&front);
        return driver_usage(
            self, "it compares two programs: name two files, `tutti diff OLD.tutti NEW.tutti`");
    }
    for (uint32_t i = 0; i < 2 && !st; i++) st = front_compile(&front, i, &programs[i], &diag);
    if (!st && programs[0] && programs[1])
        st = report_diff(programs[0], programs[1], json, &out, &diag);
    int code = st ? driver_failed(self, st, &diag) : front_report(&front);
    front_close(&front);
    if (code == EXIT_FINE) (void)fwrite(out.ptr ? out.ptr : "", 1, out.len, stdout);
    return code;
}

typedef struct DiffArgs {
    const Command *self;
    const char *paths[2];
    bool json;
} DiffArgs;

const Option diff_options[] = {
    OPTION("--json", NULL, OPTION_FLAG, DiffArgs, json, "for a program to read"), {0}};

static int diff_word(void *ctx, char *word)
{
    DiffArgs *args = ctx;
    return options_place(args->self, "two files at a time", word, &args->paths[0], &args->paths[1]);
}

int cmd_diff(const Command *self, int argc, char **argv)
{
    DiffArgs args = {.self = self};
    int code = options_read(self, argc, argv, &args, diff_word);
    if (code >= 0) return code;
    if (!args.paths[1]) return driver_usage(self, "name the old file and the new one");
    return diff(self, args.paths, args.json);
}
