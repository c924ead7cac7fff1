/* compiler/driver/artifact_main.c: what a Lite file does when it is started.
 *
 * The program is `tutti` with programs behind it: it runs them, as `tutti run` would, by the code
 * made when it was built, and compiles nothing. With `--engine interp` or `jit` it runs their texts
 * instead, and takes other programs too, as `tutti serve` does. `--batch` runs them over standard
 * input instead, as `tutti run --batch` does. */
#include "compiler/driver/artifact_main.h"

#include "compiler/driver/batch.h"
#include "compiler/driver/port.h"
#include "compiler/package/artifact.h"
#include "module/compiler.h"
#include "module/lite.h"
#include "modules/modules.h"

#include <signal.h>
#include <stdio.h>

static const char engine_help[] =
    "  --engine NAME      what runs the pipelines: cc, the code in this file (preset); interp, "
    "their\n"
    "                     texts at once; jit, machine code made now, with tutti-jit.so beside it\n";

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
                 "       %s --batch [--pipeline NAME] [--stats] [--engine NAME]\n"
                 "                          records on standard input, rows on standard output\n\n"
                 "%s%s\nprograms:",
                 s->name, s->name, s->name, lite_help, engine_help);
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

/* At `--engine NAME`: true, and past it. *ret_exit: -1, or there is nothing more to do. */
static bool engine_word(const Started *s, int argc, char **argv, int *at, EngineKind *ret_engine,
                        int *ret_exit)
{
    Diag diag = {0};
    if (strcmp(argv[*at], "--engine") != 0 || *at + 1 >= argc) return false;
    const char *word = argv[*at + 1];
    *at += 2;
    if (strcmp(word, "list") == 0) {
        engine_list();
        *ret_exit = EXIT_FINE;
    } else if (!engine_find(word, false, ret_engine, &diag)) {
        (void)fprintf(stderr, "%s: %s\n", s->name, diag.text);
        *ret_exit = EXIT_USAGE;
    }
    return true;
}

static int run_lite(const Started *s, int argc, char **argv)
{
    EngineKind engine = ENGINE_CC;
    LiteOptions options = {.modules = modules_all(),
                           .version = TUTTI_VERSION,
                           .programs = s->programs,
                           .program_count = s->artifact.count};
    for (int at = 1; at < argc;) {
        Diag diag = {0};
        int code = -1;
        if (engine_word(s, argc, argv, &at, &engine, &code)) {
            if (code >= 0) return code;
            continue;
        }
        if (lite_option(&options, argc, argv, &at, &diag)) continue;
        if (diag.status)
            (void)fprintf(stderr, "%s: %s\n", s->name, diag.text);
        else
            (void)fprintf(stderr, "%s: unknown option %s; see --help\n", s->name, argv[at]);
        return EXIT_USAGE;
    }
    if (engine == ENGINE_CC) {
        program_compiler_prebuilt(s->prebuilt, s->artifact.count);
    } else {
        port_trust_c(options.programs, options.program_count, false);
        program_compiler_set(
            port_compiler(options.data_dir ? options.data_dir : "./tutti-data", engine));
    }
    return lite_main(&options);
}

static int run_batch(const Started *s, int argc, char **argv)
{
    NativeSet set;
    BatchOptions options = {0};
    Diag diag = {0};
    bool stopped = false;
    EngineKind engine = ENGINE_CC;
    for (int at = 2; at < argc;) {
        int code = -1;
        if (engine_word(s, argc, argv, &at, &engine, &code)) {
            if (code >= 0) return code;
        } else if (strcmp(argv[at], "--stats") == 0) {
            options.stats = true;
            at++;
        } else if (strcmp(argv[at], "--pipeline") == 0 && at + 1 < argc) {
            options.pipeline = argv[at + 1];
            at += 2;
        } else {
            (void)fprintf(stderr, "%s: unknown option %s; see --help\n", s->name, argv[at]);
            return EXIT_USAGE;
        }
    }
    Status st = native_open(&set, &diag);
    set.engine = engine;
    for (uint32_t i = 0; !st && i < s->artifact.count; i++)
        st = native_add_built(&set, s->prebuilt[i].file, s->prebuilt[i].text,
                              engine == ENGINE_CC ? s->prebuilt[i].so_path.ptr : NULL, &diag);
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
