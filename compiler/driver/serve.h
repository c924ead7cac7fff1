/* compiler/driver/serve.h: a Lite process in the foreground, as `tutti serve` and `tutti run` have
 * it. */
#ifndef TUTTI_COMPILER_DRIVER_SERVE_H
#define TUTTI_COMPILER_DRIVER_SERVE_H

#include "compiler/driver/engine.h"
#include "compiler/driver/options.h"

typedef struct ServeArgs {
    const Command *self;
    const char *data, *http, *mqtt, *log;
    EngineKind engine;
    bool extern_c; /* deployments may bring functions in C */
} ServeArgs;

/* Rows of both tables; --data means more to a batch. */
#define SERVE_OPTIONS                                                                              \
    OPTION("--http", "ADDR", OPTION_TEXT, ServeArgs, http,                                         \
           "UI, API, metrics; default 127.0.0.1:8080"),                                            \
        OPTION("--mqtt", "ADDR", OPTION_TEXT, ServeArgs, mqtt,                                     \
               "embedded broker; default 127.0.0.1:1883"),                                         \
        OPTION("--engine", "NAME", OPTION_ENGINE, ServeArgs, engine,                               \
               "what runs pipelines: cc, jit, interp; `list` shows them"),                         \
        OPTION("--log", "text|json", OPTION_TEXT, ServeArgs, log, "log lines on standard error")

/* With the programs of these files; an exit code. */
int serve_files(const ServeArgs *args, const char *const *files, size_t count);

#endif
