/* compiler/driver/cmd_serve.c: `tutti serve` and `tutti run FILE...`: a Lite process in the
 * foreground, with the compiler in it. */
#include "compiler/driver/engine.h"
#include "compiler/driver/port.h"

#include "module/compiler.h"
#include "module/lite.h"
#include "modules/modules.h"

#include <stdio.h>
#include <string.h>

enum { PROGRAMS_MAX = 256 };

static EngineKind engine; /* of this process */
static bool extern_c;     /* deployments may bring functions in C */

/* Reads Lite options; anything else goes to `files` (at most PROGRAMS_MAX). -1, or an exit code. */
static int read_options(const Command *self, int argc, char **argv, LiteOptions *options,
                        const char **files, size_t *ret_count)
{
    for (int at = 1; at < argc;) {
        Diag diag = {0};
        if (strcmp(argv[at], "--engine") == 0 && at + 1 < argc) {
            int code = engine_option(self, argv[at + 1], &engine);
            if (code >= 0) {
                return code;
            }
            at += 2;
            continue;
        }
        if (strcmp(argv[at], "--extern-c") == 0) {
            extern_c = true;
            at++;
            continue;
        }
        if (lite_option(options, argc, argv, &at, &diag)) {
            continue;
        }
        if (diag.status) {
            return driver_usage(self, "%s", diag.text);
        }
        if (argv[at][0] == '-' && argv[at][1]) {
            return driver_usage(self, "unknown option `%s`", argv[at]);
        }
        if (!files) {
            return driver_usage(self, "it takes no files; `tutti run` does");
        }
        if (*ret_count >= PROGRAMS_MAX) {
            return driver_usage(self, "more than %d files", PROGRAMS_MAX);
        }
        files[(*ret_count)++] = argv[at++];
    }
    return -1;
}

static int run_lite(LiteOptions *options)
{
    options->modules = modules_all();
    options->version = TUTTI_VERSION;
    port_trust_c(options->programs, options->program_count, extern_c);
    program_compiler_set(
        port_compiler(options->data_dir ? options->data_dir : "./tutti-data", engine));
    return lite_main(options);
}

int cmd_serve(const Command *self, int argc, char **argv)
{
    LiteOptions options = {0};
    int code = read_options(self, argc, argv, &options, NULL, NULL);
    return code >= 0 ? code : run_lite(&options);
}

/* Copies what must outlive the front, whose arena is large. */
static LiteProgram *copy_programs(Arena *arena, const Front *front, const Str *texts)
{
    LiteProgram *programs = arena_many(arena, LiteProgram, front->count);
    for (uint32_t i = 0; programs && i < front->count; i++) {
        const Source *source = front->programs[i];
        const char *slash = memrchr(source->path.ptr, '/', source->path.len);
        size_t skip = slash ? (size_t)(slash - source->path.ptr) + 1 : 0;
        programs[i] = (LiteProgram){.file = arena_str(arena, str_skip(source->path, skip)),
                                    .text = arena_str(arena, texts[i])};
        if (!programs[i].file.ptr || !programs[i].text.ptr) {
            return NULL;
        }
    }
    return programs;
}

static int run_files(const Command *self, LiteOptions *options, const char **files, size_t count)
{
    Front front;
    Diag diag = {0};
    Status st = front_open(&front, &diag);
    Arena *arena = st ? NULL : arena_new(0, 0);
    if (!arena) {
        return driver_failed(self, ST_NO_MEMORY, &diag);
    }
    Str *texts = NULL;
    int code = driver_texts(self, &front, files, count, &texts);
    options->programs = code == EXIT_FINE ? copy_programs(arena, &front, texts) : NULL;
    options->program_count = front.count;
    front_close(&front);
    if (code == EXIT_FINE && !options->programs) {
        code = driver_failed(self, ST_NO_MEMORY, NULL);
    }
    if (code == EXIT_FINE) {
        program_stdin_allow(true);
        code = run_lite(options);
    }
    arena_free(arena);
    return code;
}

int run_foreground(const Command *self, int argc, char **argv)
{
    LiteOptions options = {0};
    const char *files[PROGRAMS_MAX];
    size_t count = 0;
    int code = read_options(self, argc, argv, &options, files, &count);
    if (code >= 0) {
        return code;
    }
    return count ? run_files(self, &options, files, count)
                 : driver_usage(self, "name a file or a folder");
}
