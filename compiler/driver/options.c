/* compiler/driver/options.c: words of a command line by the table of their command. */
#include "compiler/driver/options.h"

#include "compiler/driver/engine.h"

#include <stdlib.h>
#include <string.h>

/* ---- reading ---- */

/* *ret_value: what stands behind a `=`; NULL: the next word is it. */
static const Option *named(const Option *options, char *word, char **ret_value)
{
    size_t len = strcspn(word, "=");
    *ret_value = word[len] ? word + len + 1 : NULL;
    for (const Option *o = options; o->name; o++)
        if (strlen(o->name) == len && strncmp(o->name, word, len) == 0 &&
            (o->argument || !*ret_value))
            return o;
    return NULL;
}

static int unknown(const Command *self, const char *word)
{
    Str best = STR_NONE;
    uint32_t distance = UINT32_MAX;
    for (const Option *o = self->options; o->name; o++)
        diag_suggest(str_slice(word, strcspn(word, "=")), str_from(o->name), &best, &distance);
    if (!best.len) return driver_usage(self, "unknown option `%s`", word);
    return driver_usage(self, "unknown option `%s`; did you mean `%.*s`?", word, STR_ARG(best));
}

/* -1, or an exit code. */
static int take(const Command *self, const Option *option, char *value, void *args)
{
    void *to = (char *)args + option->offset;
    switch (option->kind) {
    case OPTION_FLAG: *(bool *)to = true; return -1;
    case OPTION_TEXT: *(const char **)to = value; return -1;
    case OPTION_NUMBER: *(uint64_t *)to = strtoull(value, NULL, 10); return -1;
    case OPTION_ENGINE: return engine_option(self, value, to);
    }
    return EXIT_OURS;
}

int options_read(const Command *self, int argc, char **argv, void *args, OptionsWord *word)
{
    int code = -1;
    for (int i = 1; i < argc && code < 0; i++) {
        char *value;
        const Option *option = named(self->options, argv[i], &value);
        if (option && option->argument && !value && i + 1 == argc)
            code = driver_usage(self, "`%s` takes %s, and nothing is behind it", option->name,
                                option->argument);
        else if (option)
            code = take(self, option, option->argument && !value ? argv[++i] : value, args);
        else if (argv[i][0] == '-' && argv[i][1])
            code = unknown(self, argv[i]);
        else
            code = word(args, argv[i]);
    }
    return code;
}

int options_place(const Command *self, const char *too_many, const char *word, const char **first,
                  const char **second)
{
    const char **to = !*first ? first : second && !*second ? second : NULL;
    if (!to) return driver_usage(self, too_many, word);
    *to = word;
    return -1;
}

static bool given(const Option *option, const void *args)
{
    const void *at = (const char *)args + option->offset;
    if (option->kind == OPTION_FLAG) return *(const bool *)at;
    return option->kind == OPTION_TEXT && *(const char *const *)at;
}

int options_verb(const Command *self, const char *verb, const void *args)
{
    for (const Option *o = self->options; o->name; o++)
        if (o->verb && strcmp(o->verb, verb) != 0 && given(o, args))
            return driver_usage(self, "`%s` goes with `%s`", o->name, o->verb);
    return -1;
}

static int front_word(void *ctx, char *word)
{
    FrontArgs *args = ctx;
    Diag diag = {0};
    Status st = front_add(&args->front, word, &diag);
    args->named = true;
    return st ? driver_failed(args->self, st, &diag) : -1;
}

int options_read_front(const Command *self, int argc, char **argv, FrontArgs *args)
{
    Diag diag = {0};
    *args = (FrontArgs){.self = self};
    Status st = front_open(&args->front, &diag);
    int code =
        st ? driver_failed(self, st, &diag) : options_read(self, argc, argv, args, front_word);
    if (code < 0 && !args->named) code = driver_usage(self, "name a file or a folder");
    if (code >= 0) front_close(&args->front);
    return code;
}

/* ---- help ---- */

static int width_of(const Option *option)
{
    return (int)(strlen(option->name) + (option->argument ? 1 + strlen(option->argument) : 0));
}

static void put_lines(const char *lines, int column, FILE *out)
{
    for (const char *end; (end = strchr(lines, '\n')); lines = end + 1)
        (void)fprintf(out, "%.*s\n%*s", (int)(end - lines), lines, column, "");
    (void)fprintf(out, "%s\n", lines);
}

void options_help(const Option *options, FILE *out)
{
    int widest = 0;
    for (const Option *o = options; o->name; o++)
        if (o->help && width_of(o) > widest) widest = width_of(o);
    for (const Option *o = options; o->name; o++) {
        if (!o->help) continue;
        (void)fprintf(out, "  %s%s%s%*s", o->name, o->argument ? " " : "",
                      o->argument ? o->argument : "", widest - width_of(o) + 2, "");
        put_lines(o->help, widest + 4, out);
    }
}
