/* compiler/driver/cmd_run.c: `tutti run --batch`. */
#include "compiler/driver/batch.h"

#include "base/mem.h"

#include <signal.h>
#include <string.h>

/* What a small program takes with its first chunk of input. */
enum { WARM_BYTES = 1 << 20 };

static int execute(const Command *self, NativeSet *set, const BatchOptions *options)
{
    Diag diag = {0};
    bool stopped = false;
    int code = front_report(&set->front);
    if (code) return code;
    (void)signal(SIGPIPE, SIG_IGN); /* a reader that goes away is a failed write */
    Status st = batch_run(set, options, &stopped, &diag);
    if (st) return driver_failed(self, st, &diag);
    return stopped ? EXIT_STOPPED : EXIT_FINE;
}

static bool asks_batch(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--batch") == 0) return true;
    }
    return false;
}

int cmd_run(const Command *self, int argc, char **argv)
{
    if (!asks_batch(argc, argv)) return run_foreground(self, argc, argv);
    NativeSet set;
    BatchOptions options = {0};
    Diag diag = {0};
    int code = -1, paths = 0;
    mem_warm(WARM_BYTES);
    Status st = native_open(&set, &diag);
    for (int i = 1; i < argc && !st && code < 0; i++) {
        bool value = i + 1 < argc;
        if (strcmp(argv[i], "--batch") == 0) continue;
        if (strcmp(argv[i], "--stats") == 0)
            options.stats = true;
        else if (strcmp(argv[i], "--json") == 0)
            set.front.json = true;
        else if (strcmp(argv[i], "--pipeline") == 0 && value)
            options.pipeline = argv[++i];
        else if (strcmp(argv[i], "--data") == 0 && value)
            options.data = argv[++i];
        else if (strcmp(argv[i], "--cache") == 0 && value)
            set.cache_dir = argv[++i];
        else if (strcmp(argv[i], "--engine") == 0 && value)
            code = engine_option(self, argv[++i], &set.engine);
        else if (argv[i][0] == '-' && argv[i][1])
            code = driver_usage(self, "unknown option `%s`", argv[i]);
        else {
            st = native_add(&set, argv[i], &diag);
            paths++;
        }
    }
    if (st)
        code = driver_failed(self, st, &diag);
    else if (code < 0 && !paths)
        code = driver_usage(self, "name a file or a folder");
    else if (code < 0)
        code = execute(self, &set, &options);
    native_close(&set);
    return code;
}
