/* compiler/driver/cmd_serve.c: `tutti serve`, and `tutti run FILE...` without --batch: a Lite
 * process in the foreground, with the compiler in it. */
#include "compiler/driver/serve.h"

#include "compiler/driver/port.h"

#include "module/compiler.h"
#include "module/lite.h"
#include "modules/modules.h"

#include <stdio.h>
#include <string.h>

static int take_options(const ServeArgs *args, LiteOptions *options)
{
    const struct {
        const char *name, *value;
    } rows[] = {{"--data", args->data},
                {"--http", args->http},
                {"--mqtt", args->mqtt},
                {"--log", args->log}};
    Diag diag = {0};
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (rows[i].value && lite_take(options, rows[i].name, rows[i].value, &diag))
            return driver_usage(args->self, "%s", diag.text);
    return -1;
}

static int run_lite(const ServeArgs *args, LiteOptions *options)
{
    options->modules = modules_all();
    options->version = TUTTI_VERSION;
    port_trust_c(options->programs, options->program_count, args->extern_c);
    program_compiler_set(
        port_compiler(options->data_dir ? options->data_dir : "./tutti-data", args->engine));
    return lite_main(options);
}

const Option serve_options[] = {OPTION("--data", "DIR", OPTION_TEXT, ServeArgs, data,
                                       "all state; created; default ./tutti-data"),
                                SERVE_OPTIONS,
                                OPTION("--extern-c", NULL, OPTION_FLAG, ServeArgs, extern_c,
                                       "take programs with functions in C, which is native code"),
                                {0}};

static int serve_word(void *ctx, char *word)
{
    const ServeArgs *args = ctx;
    (void)word;
    return driver_usage(args->self, "it takes no files; `tutti run` does");
}

int cmd_serve(const Command *self, int argc, char **argv)
{
    ServeArgs args = {.self = self};
    LiteOptions options = {0};
    int code = options_read(self, argc, argv, &args, serve_word);
    if (code < 0) code = take_options(&args, &options);
    return code >= 0 ? code : run_lite(&args, &options);
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

int serve_files(const ServeArgs *args, const char *const *files, size_t count)
{
    Front front;
    Diag diag = {0};
    LiteOptions options = {0};
    int code = take_options(args, &options);
    if (code >= 0) return code;
    Status st = front_open(&front, &diag);
    Arena *arena = st ? NULL : arena_new(0, 0);
    if (!arena) return driver_failed(args->self, ST_NO_MEMORY, &diag);
    Str *texts = NULL;
    code = driver_texts(args->self, &front, files, count, &texts);
    options.programs = code == EXIT_FINE ? copy_programs(arena, &front, texts) : NULL;
    options.program_count = front.count;
    front_close(&front);
    if (code == EXIT_FINE && !options.programs)
        code = driver_failed(args->self, ST_NO_MEMORY, NULL);
    if (code == EXIT_FINE) {
        program_stdin_allow(true);
        code = run_lite(args, &options);
    }
    arena_free(arena);
    return code;
}
