/* compiler/driver/cmd_run.c: `tutti run`; without --batch it goes on in cmd_serve.c. */
#include "compiler/driver/batch.h"
#include "compiler/driver/serve.h"

#include "base/mem.h"

#include <signal.h>

enum {
    WARM_BYTES = 1 << 20, /* what a small program takes with its first chunk of input */
    PROGRAMS_MAX = 256,   /* of a process */
};

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

typedef struct Run {
    ServeArgs serve; /* first: rows of the table that it shares speak of it */
    bool batch, json;
    BatchOptions options;
    const char *cache;
    const char **files; /* of the command line, at its beginning */
    size_t count;
} Run;
_Static_assert(offsetof(Run, serve) == 0, "rows of SERVE_OPTIONS");

const Option run_options[] = {
    OPTION("--data", "DIR", OPTION_TEXT, ServeArgs, data,
           "all state; created; default ./tutti-data. With --batch a server's data: its historian\n"
           "answers `ask ... = historian sql`, and `from historian` reads its tables"),
    SERVE_OPTIONS,
    OPTION("--extern-c", NULL, OPTION_FLAG, ServeArgs, extern_c, NULL),
    OPTION("--batch", NULL, OPTION_FLAG, Run, batch,
           "read the bounded input (files, standard input) to its end, then exit"),
    OPTION("--pipeline", "NAME", OPTION_TEXT, Run, options.pipeline,
           "with --batch: only this pipeline"),
    OPTION("--stats", NULL, OPTION_FLAG, Run, options.stats,
           "with --batch: counters as JSON on standard error"),
    OPTION("--cache", "FOLDER", OPTION_TEXT, Run, cache,
           "with --batch: where compiled programs are kept"),
    OPTION("--json", NULL, OPTION_FLAG, Run, json, "with --batch: diagnostics as a JSON array"),
    {0}};

static int run_word(void *ctx, char *word)
{
    Run *run = ctx;
    run->files[run->count++] = word;
    return -1;
}

static int run_batch(Run *run)
{
    const Command *self = run->serve.self;
    NativeSet set;
    Diag diag = {0};
    if (run->serve.http || run->serve.mqtt || run->serve.log || run->serve.extern_c)
        return driver_usage(self, "--http, --mqtt, --log and --extern-c go without --batch");
    mem_warm(WARM_BYTES);
    Status st = native_open(&set, &diag);
    set.front.json = run->json;
    set.cache_dir = run->cache ? run->cache : set.cache_dir;
    set.engine = run->serve.engine;
    run->options.data = run->serve.data;
    for (size_t i = 0; i < run->count && !st; i++) st = native_add(&set, run->files[i], &diag);
    int code = st ? driver_failed(self, st, &diag) : execute(self, &set, &run->options);
    native_close(&set);
    return code;
}

int cmd_run(const Command *self, int argc, char **argv)
{
    Run run = {.serve.self = self, .files = (const char **)argv};
    int code = options_read(self, argc, argv, &run, run_word);
    if (code >= 0) return code;
    if (!run.count) return driver_usage(self, "name a file or a folder");
    if (run.batch) return run_batch(&run);
    if (run.options.pipeline || run.options.stats || run.cache || run.json)
        return driver_usage(self, "--pipeline, --stats, --cache and --json go with --batch");
    if (run.count > PROGRAMS_MAX) return driver_usage(self, "more than %d files", PROGRAMS_MAX);
    return serve_files(&run.serve, run.files, run.count);
}
