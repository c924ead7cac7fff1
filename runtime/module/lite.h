/* runtime/module/lite.h: a whole Lite process: loop, stores, bus, broker, modules, HTTP edge.
 *
 * The same assembly serves `tutti serve` (no programs), `tutti run FILE...` (programs as texts) and
 * a Lite artifact (program_compiler_prebuilt, then the carried texts). Set the compiler first. */
#ifndef TUTTI_MODULE_LITE_H
#define TUTTI_MODULE_LITE_H

#include "base/status.h"
#include "base/str.h"
#include "module/module.h"

typedef struct LiteProgram {
    Str file, text; /* "press.tutti" and its source; deployed at start unless it runs already */
} LiteProgram;

typedef struct LiteOptions {
    const char *data_dir; /* NULL = "./tutti-data"; created, mode 0700; locked against a second
                             process */
    const char *http;     /* NULL = "127.0.0.1:8080" */
    const char *mqtt;     /* NULL = "127.0.0.1:1883" */
    bool log_json, quiet; /* quiet: nothing on standard output */
    const char *version;  /* of the program; NULL = "0" */
    const ModuleDef *const *modules; /* modules_all() */
    const LiteProgram *programs;
    size_t program_count;
} LiteOptions;

/* Runs until SIGTERM or SIGINT, drains, and returns the process's exit code: 0, 1 (a program to
 * deploy is wrong; diagnostics on standard error), 2 (address or data folder), 70. */
MUST int lite_main(const LiteOptions *options);

/* The options every Lite face takes: --data DIR --http ADDR --mqtt ADDR --log json|text. Reads
 * argv[*at] (and its value), moves *at behind it. False: not one of them, *at is unchanged, and
 * diag->status is ST_INVALID when it is one but its value is not good. */
bool lite_option(LiteOptions *options, int argc, char **argv, int *at, Diag *diag);
/* One of them with its value; ST_INVALID when that is not good. */
MUST Status lite_take(LiteOptions *options, const char *name, const char *value, Diag *diag);
/* The part of a help text that explains them. */
extern const char lite_help[];

#endif
