/* compiler/driver/artifact_main.c: what a Lite file does when it is started.
 *
 * The program is `tutti` with programs behind it: it runs them, as `tutti run` would, but compiles
 * nothing. `--batch` runs them over standard input instead, as `tutti run --batch` does. */
#include "compiler/driver/artifact_main.h"

#include "compiler/driver/batch.h"
#include "compiler/package/artifact.h"
#include "module/compiler.h"
#include "module/lite.h"
#include "modules/modules.h"

#include <signal.h>
#include <stdio.h>

typedef struct Started {
    const char *name; /* as the user called it */
    Arena *arena;
    Artifact artifact;
    PrebuiltProgram *prebuilt;
    LiteProgram *programs;
} Started;

static int fail(const Started *s, const Diag *diag)
{
    (void)fprintf(stderr, "%s: %s\n", s->name, diag->text);
    return EXIT_OURS;
}

static int help(const Started *s)
{
    (void)printf("%s: a Tutti Lite instance with its pipelines compiled in\n\n"
                 "usage: %s [OPTION...]     run until ctrl-C or SIGTERM\n"
                 "       %s --batch [--pipeline NAME] [--stats]\n"
                 "                          records on standard input, rows on standard output\n\n"
                 "%s\nprograms:",
                 s->name, s->name, s->name, lite_help);
    for (uint32_t i = 0; i < s->artifact.count; i++)
        (void)printf(" %.*s", STR_ARG(s->artifact.programs[i].file));
    (void)printf("\nexample: %s --data ./data --http 127.0.0.1:8080\n", s->name);
    return EXIT_FINE;
}

/* Makes every carried object loadable and fills both lists. */
static Status prepare(Started *s, Diag *diag)
{
    uint32_t count = s->artifact.count;
    s->prebuilt = arena_many(s->arena, PrebuiltProgram, count ? count : 1);
    s->programs = arena_many(s->arena, LiteProgram, count ? count : 1);
    if (!s->prebuilt || !s->programs) return diag_set(diag, ST_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < count; i++) {
        const ArtifactProgram *p = &s->artifact.programs[i];
        s->prebuilt[i] = (PrebuiltProgram){.file = p->file, .text = p->text, .graph = p->graph};
        s->programs[i] = (LiteProgram){.file = p->file, .text = p->text};
        Status st = artifact_so_path(s->arena, p, &s->prebuilt[i].so_path, diag);
        if (st) return st;
    }
    return ST_OK;
}

static int run_lite(const Started *s, int argc, char **argv)
{
    LiteOptions options = {.modules = modules_all(),
                           .version = TUTTI_VERSION,
                           .programs = s->programs,
                           .program_count = s->artifact.count};
    for (int at = 1; at < argc;) {
        Diag diag = {0};
        if (lite_option(&options, argc, argv, &at, &diag)) continue;
        if (diag.status)
            (void)fprintf(stderr, "%s: %s\n", s->name, diag.text);
        else
            (void)fprintf(stderr, "%s: unknown option %s; see --help\n", s->name, argv[at]);
        return EXIT_USAGE;
    }
    program_compiler_prebuilt(s->prebuilt, s->artifact.count);
    return lite_main(&options);
}

static int run_batch(const Started *s, int argc, char **argv)
{
    NativeSet set;
    BatchOptions options = {0};
    Diag diag = {0};
    bool stopped = false;
    for (int at = 2; at < argc; at++) {
        if (strcmp(argv[at], "--stats") == 0) {
            options.stats = true;
        } else if (strcmp(argv[at], "--pipeline") == 0 && at + 1 < argc) {
            options.pipeline = argv[++at];
        } else {
            (void)fprintf(stderr, "%s: unknown option %s; see --help\n", s->name, argv[at]);
            return EXIT_USAGE;
        }
    }
    Status st = native_open(&set, &diag);
    for (uint32_t i = 0; !st && i < s->artifact.count; i++)
        st = native_add_built(&set, s->prebuilt[i].file, s->prebuilt[i].text,
                              s->prebuilt[i].so_path.ptr, &diag);
    (void)signal(SIGPIPE, SIG_IGN); /* a reader that goes away is a failed write */
    if (!st) st = batch_run(&set, &options, &stopped, &diag);
    native_close(&set);
    if (st) return fail(s, &diag);
    return stopped ? EXIT_STOPPED : EXIT_FINE;
}

static int run(Started *s, int argc, char **argv)
{
    Diag diag = {0};
    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) return help(s);
    if (prepare(s, &diag)) return fail(s, &diag);
    bool batch = argc > 1 && strcmp(argv[1], "--batch") == 0;
    return batch ? run_batch(s, argc, argv) : run_lite(s, argc, argv);
}

bool artifact_main(int argc, char **argv, int *ret_exit)
{
    Diag diag = {0};
    Started s = {.name = argc ? argv[0] : "lite", .arena = arena_new(0, (size_t)1 << 30)};
    if (!s.arena) return false;
    Status st = artifact_read(s.arena, "/proc/self/exe", &s.artifact, &diag);
    if (st == ST_CORRUPT) *ret_exit = fail(&s, &diag);
    if (!st) *ret_exit = run(&s, argc, argv);
    arena_free(s.arena);
    return !st || st == ST_CORRUPT;
}
