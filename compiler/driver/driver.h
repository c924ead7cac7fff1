/* compiler/driver/driver.h: the `tutti` command: a table of commands and what they share.
 *
 * A command is one row in commands.def and one function in its own cmd_NAME.c. Exit codes are those
 * of docs/language.md: 0 fine, 1 the program is wrong, 2 usage, 3 stopped by its own rule, 70 our
 * fault. Diagnostics go to standard error as text, to standard output as one array with --json. */
#ifndef TUTTI_COMPILER_DRIVER_DRIVER_H
#define TUTTI_COMPILER_DRIVER_DRIVER_H

#include "compiler/ir/ir.h"
#include "compiler/parse/parse.h"

#include <stdio.h>

enum { EXIT_FINE = 0, EXIT_WRONG = 1, EXIT_USAGE = 2, EXIT_STOPPED = 3, EXIT_OURS = 70 };
enum { FRONT_ARENA_BYTES = 1 << 30 };

typedef struct Command {
    const char *name;
    int (*fn)(const struct Command *self, int argc, char **argv); /* argv[0] is the command */
    const char *summary;                                          /* one line of `tutti --help` */
    const char *usage;                                            /* what follows the name */
    const struct Option *options; /* options.h; ends with a row without name */
    const char *notes;            /* lines of `tutti NAME --help` behind them, or "" */
    const char *example;
} Command;

#define COMMAND(name, fn, summary, usage, options, notes, example)                                 \
    int fn(const Command *self, int argc, char **argv);
#include "compiler/driver/commands.def"
#undef COMMAND

/* "tutti check: MESSAGE" on standard error and EXIT_USAGE. */
int driver_usage(const Command *self, const char *format, ...) PRINTF_LIKE(2, 3);
/* The failure of a call in words; EXIT_USAGE for files that cannot be read, else EXIT_OURS. */
int driver_failed(const Command *self, Status status, const Diag *diag);

/* What commands mean by FILE|FOLDER: `each` gets the file as it was named, or the files of the
 * folder whose names have one of these endings (NULL behind the last): sorted, deep, none that
 * begin with a point. Ends with the first failure. */
typedef Status DriverFile(void *ctx, const char *path, Diag *diag);
MUST Status driver_walk(const char *path, const char *const *endings, DriverFile *each, void *ctx,
                        Diag *diag);
/* Opens a file of records or JSON to read; "-" is standard input (not to be closed). ST_NOT_FOUND
 * with the reason in words, also for a folder. */
MUST Status driver_open(const char *path, FILE **ret_file, Diag *diag);
/* Appends all of it; ST_LIMIT, in words, when it is longer than `out` may be. */
MUST Status driver_read(const char *path, Buf *out, Diag *diag);

/* Sources read and parsed, ready for the next phase. */
typedef struct Front {
    Arena *arena;
    SourceSet sources;
    DiagList diags;
    Source **programs; /* the files that were named; what they use is in `sources` too */
    AstFile **files;   /* their trees, same index */
    uint32_t count;
    bool json; /* print diagnostics as JSON */
    /* Sees programs after lowering and after each pass (pass.h); NULL: nobody looks. */
    void (*after)(void *ctx, const char *pass, const IrProgram *program);
    void *after_ctx;
} Front;

MUST Status front_open(Front *front, Diag *diag);
/* Reads and parses a file, or every .tutti file of a folder (sorted, deep); "-" is standard input.
 */
MUST Status front_add(Front *front, const char *path, Diag *diag);
/* Checks what was parsed and lowers it; *ret_program stays untouched when the file has errors. */
MUST Status front_compile(Front *front, uint32_t file, IrProgram **ret_program, Diag *diag);
/* Prints what was found; EXIT_WRONG when there were errors, else EXIT_FINE. */
int front_report(Front *front);
void front_close(Front *front);

/* Reads files and folders and checks them, so that all mistakes are shown at once; *ret_texts: one
 * for each of front->programs, with the files it uses (bundle.h). An exit code. */
int driver_texts(const Command *self, Front *front, const char *const *files, size_t count,
                 Str **ret_texts);

#endif
