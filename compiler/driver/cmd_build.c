/* compiler/driver/cmd_build.c: `tutti build FILE... --target lite -o NAME`: one executable.
 *
 * Every program is compiled as `tutti run` would, and what comes out is appended to a copy of this
 * executable (compiler/package). What starts such a file is artifact_main.c. */
#include "compiler/bundle.h"
#include "compiler/compile.h"
#include "compiler/driver/options.h"
#include "compiler/driver/port.h"
#include "compiler/package/artifact.h"

#include "module/compiler.h"

#include <stdio.h>
#include <sys/stat.h>

typedef struct Build {
    const Command *self;
    Front front;
    const char *target, *out;
    Artifact artifact;
} Build;

static Str base_name(Str path)
{
    const char *slash = memrchr(path.ptr, '/', path.len);
    return slash ? str_skip(path, (size_t)(slash + 1 - path.ptr)) : path;
}

const Option build_options[] = {OPTION("--target", "lite", OPTION_TEXT, Build, target,
                                       "one process, one file: needs glibc and nothing else"),
                                OPTION("-o", "NAME", OPTION_TEXT, Build, out, "the file to write"),
                                {0}};

static int build_word(void *ctx, char *word)
{
    Build *b = ctx;
    Diag diag = {0};
    Status st = front_add(&b->front, word, &diag);
    return st ? driver_failed(b->self, st, &diag) : -1;
}

/* -1, or an exit code. */
static int read_arguments(Build *b, int argc, char **argv)
{
    int code = options_read(b->self, argc, argv, b, build_word);
    if (code >= 0) return code;
    if (!b->target || strcmp(b->target, "lite") != 0)
        return driver_usage(b->self, "say --target lite");
    if (!b->out || !*b->out) return driver_usage(b->self, "say where to: -o NAME");
    if (b->front.count == 0) return driver_usage(b->self, "no .tutti file was given");
    if (b->front.count > ARTIFACT_PROGRAMS_MAX)
        return driver_usage(b->self, "more than %d programs", ARTIFACT_PROGRAMS_MAX);
    return b->front.diags.error_count ? front_report(&b->front) : -1;
}

static Status load_object(Arena *arena, Str path, Str *ret_bytes, Diag *diag)
{
    struct stat info;
    FILE *in = fopen(path.ptr, "rb");
    if (!in || fstat(fileno(in), &info) != 0) {
        if (in) (void)fclose(in);
        return diag_set(diag, ST_IO, "cannot read %s", path.ptr);
    }
    size_t len = (size_t)info.st_size;
    char *bytes = arena_alloc(arena, len);
    bool whole = bytes && fread(bytes, 1, len, in) == len;
    (void)fclose(in);
    if (!whole) return diag_set(diag, ST_IO, "cannot read %s", path.ptr);
    *ret_bytes = str_slice(bytes, len);
    return ST_OK;
}

/* Compiles one source into the artifact's next program; -1, or an exit code. */
static int add_program(Build *b, const ProgramCompiler *compiler, const Source *source, Str text)
{
    Diag diag = {0};
    ProgramCompiled compiled = {0};
    ArtifactProgram *p = &b->artifact.programs[b->artifact.count];
    *p = (ArtifactProgram){.file = base_name(source->path), .text = text};
    for (uint32_t i = 0; i < b->artifact.count; i++) {
        if (!str_eq(b->artifact.programs[i].file, p->file)) continue;
        return driver_usage(b->self, "two programs are called %.*s", STR_ARG(p->file));
    }
    (void)fprintf(stderr, "build: compiling %.*s\n", STR_ARG(source->path));
    Status st = compiler->compile(compiler->ctx, b->front.arena, p->file, text, PROGRAM_FULL,
                                  &compiled, &diag);
    if (st) return driver_failed(b->self, st, &diag);
    if (!compiled.ok) return EXIT_WRONG; /* reported before: see check_all */
    p->graph = compiled.graph;
    st = load_object(b->front.arena, compiled.so_path, &p->so, &diag);
    if (st) return driver_failed(b->self, st, &diag);
    b->artifact.count++;
    return -1;
}

/* Full checking of every program, so that all mistakes are shown before anything is compiled. */
static int check_all(Build *b, Str *texts)
{
    for (uint32_t i = 0; i < b->front.count; i++) {
        IrProgram *program = NULL;
        Diag diag = {0};
        CompileOptions options = {.diag = &diag};
        Status st = compile_source(b->front.arena, b->front.programs[i], &b->front.diags, &options,
                                   &program);
        if (!st && program) st = bundle_text(b->front.arena, program, &texts[i], &diag);
        if (st) return driver_failed(b->self, st, &diag);
    }
    return b->front.diags.error_count ? front_report(&b->front) : -1;
}

static int build(Build *b)
{
    Diag diag = {0};
    Str *texts = arena_many(b->front.arena, Str, b->front.count);
    if (!texts) return driver_failed(b->self, ST_NO_MEMORY, NULL);
    int code = check_all(b, texts);
    if (code >= 0) return code;
    b->artifact.name = base_name(str_from(b->out));
    b->artifact.programs = arena_many(b->front.arena, ArtifactProgram, b->front.count);
    if (!b->artifact.programs) return driver_failed(b->self, ST_NO_MEMORY, NULL);
    port_trust_c(NULL, 0, true); /* its own files */
    const ProgramCompiler *compiler = port_compiler(NULL, ENGINE_CC);
    for (uint32_t i = 0; i < b->front.count; i++) {
        code = add_program(b, compiler, b->front.programs[i], texts[i]);
        if (code >= 0) return code;
    }
    Status st = artifact_write(b->out, "/proc/self/exe", &b->artifact, &diag);
    if (st) return driver_failed(b->self, st, &diag);
    struct stat info;
    double mib = stat(b->out, &info) == 0 ? (double)info.st_size / (1 << 20) : 0;
    (void)fprintf(stderr, "build: %s, %u program%s, %.1f MiB; start it with --help first\n", b->out,
                  b->artifact.count, b->artifact.count == 1 ? "" : "s", mib);
    return EXIT_FINE;
}

int cmd_build(const Command *self, int argc, char **argv)
{
    Diag diag = {0};
    Build b = {.self = self};
    Status st = front_open(&b.front, &diag);
    if (st) return driver_failed(self, st, &diag);
    int code = read_arguments(&b, argc, argv);
    if (code < 0) code = build(&b);
    front_close(&b.front);
    return code;
}
