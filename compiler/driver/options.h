/* compiler/driver/options.h: the options of a command, as a table: `--help` shows it, and one
 * function reads words by it. A table stands in cmd_NAME.c, beside the struct that it fills. */
#ifndef TUTTI_COMPILER_DRIVER_OPTIONS_H
#define TUTTI_COMPILER_DRIVER_OPTIONS_H

#include "compiler/driver/driver.h"

typedef enum OptionKind {
    OPTION_FLAG,   /* bool */
    OPTION_TEXT,   /* const char *, into argv */
    OPTION_NUMBER, /* uint64_t; what is no number is 0 */
    OPTION_ENGINE, /* EngineKind (engine.h) */
} OptionKind;

typedef struct Option {
    const char *name, *argument; /* "--to", "URL"; NULL: nothing follows */
    OptionKind kind;
    size_t offset;    /* in the struct that options_read fills */
    const char *help; /* lines without the one at the end; NULL: --help does not show it */
    const char *verb; /* goes with this first word alone; NULL: with all */
} Option;

/* The tables of the commands in commands.def. */
extern const Option check_options[], fmt_options[], graph_options[], export_options[],
    import_options[], diff_options[], deploy_options[], infer_options[], build_options[],
    replay_options[], alarms_options[], bench_options[], test_options[], explain_options[],
    lsp_options[], run_options[], serve_options[], history_options[], names_options[],
    bridge_options[];

#define OPTION(name, argument, kind, type, member, help)                                           \
    {                                                                                              \
        name, argument, kind, offsetof(type, member), help, NULL                                   \
    }
#define OPTION_OF(verb, name, argument, kind, type, member, help)                                  \
    {                                                                                              \
        name, argument, kind, offsetof(type, member), help, verb                                   \
    }

/* A word that is no option; -1 when it is taken, else an exit code. */
typedef int OptionsWord(void *args, char *word);

/* For that: a word goes to *first, the next one to *second (NULL: there is none); of one more
 * `too_many` says that it is wrong, a format for that word. */
int options_place(const Command *self, const char *too_many, const char *word, const char **first,
                  const char **second);

/* Reads argv[1] and what follows by the table of `self`, in order; -1, or the exit code of what is
 * wrong, which was told then. What an option takes is the next word, or stands behind a `=`. `args`
 * is the struct that the table speaks of. */
int options_read(const Command *self, int argc, char **argv, void *args, OptionsWord *word);
/* Behind it, for commands whose first word is a verb: is each that was given one of that verb? */
int options_verb(const Command *self, const char *verb, const void *args);
/* The lines of --help. */
void options_help(const Option *options, FILE *out);

/* Commands that take FILE|FOLDER... and a flag. */
typedef struct FrontArgs {
    const Command *self;
    Front front;
    bool flag, named;
} FrontArgs;

/* Opens the front and reads all files; -1, or an exit code and the front is closed. */
int options_read_front(const Command *self, int argc, char **argv, FrontArgs *args);

#endif
