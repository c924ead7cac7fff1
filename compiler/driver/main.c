/* compiler/driver/main.c: finds the command and calls it.
 *
 * Everything a command says about itself comes from its row in commands.def. */
#include "compiler/driver/artifact_main.h"
#include "compiler/driver/options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const Command commands[] = {
#define COMMAND(name, fn, summary, usage, options, notes, example)                                 \
    {name, fn, summary, usage, options, notes, example},
#include "compiler/driver/commands.def"
#undef COMMAND
};

int driver_usage(const Command *self, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)fprintf(stderr, "tutti %s: ", self->name);
    (void)vfprintf(stderr, format, args);
    (void)fprintf(stderr, "\nusage: tutti %s %s\n", self->name, self->usage);
    va_end(args);
    return EXIT_USAGE;
}

int driver_failed(const Command *self, Status status, const Diag *diag)
{
    const char *text = diag && diag->text[0] ? diag->text : status_text(status);
    (void)fprintf(stderr, "tutti %s: %s\n", self->name, text);
    return status == ST_NOT_FOUND || status == ST_IO || status == ST_LIMIT ? EXIT_USAGE : EXIT_OURS;
}

Status driver_open(const char *path, FILE **ret_file, Diag *diag)
{
    struct stat info;
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    if (!file) return diag_set(diag, ST_NOT_FOUND, "%s: %s", path, strerror(errno));
    if (file != stdin && fstat(fileno(file), &info) == 0 && S_ISDIR(info.st_mode)) {
        (void)fclose(file);
        return diag_set(diag, ST_NOT_FOUND, "%s is a folder: name a file in it", path);
    }
    *ret_file = file;
    return ST_OK;
}

Status driver_read(const char *path, Buf *out, Diag *diag)
{
    char block[16384];
    FILE *file;
    Status st = driver_open(path, &file, diag);
    if (st) return st;
    for (size_t n; !out->failed && (n = fread(block, 1, sizeof block, file)) > 0;)
        buf_add(out, block, n);
    if (ferror(file)) st = diag_errno(diag, errno, "%s", path);
    if (file != stdin) (void)fclose(file);
    if (!st && out->failed == ST_LIMIT)
        return diag_set(diag, ST_LIMIT, "%s is longer than %zu bytes", path, out->max_bytes);
    return st ? st : out->failed;
}

static int help(FILE *out)
{
    (void)fputs("tutti: pipelines for industrial data, from text to native code\n\n"
                "usage: tutti COMMAND ...\n\n",
                out);
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        (void)fprintf(out, "  %-9s %s\n", commands[i].name, commands[i].summary);
    }
    (void)fputs("\n`tutti COMMAND --help` shows its options and an example.\n"
                "Exit codes: 0 fine, 1 the program is wrong, 2 usage, 3 stopped by its own rule, "
                "70 our fault.\n",
                out);
    return EXIT_FINE;
}

static int command_help(const Command *command)
{
    (void)printf("tutti %s: %s\n\nusage: tutti %s %s\n", command->name, command->summary,
                 command->name, command->usage);
    options_help(command->options, stdout);
    (void)printf("%s\nexample: %s\n", command->notes, command->example);
    return EXIT_FINE;
}

static int unknown(const char *word)
{
    Str best = STR_NONE;
    uint32_t distance = UINT32_MAX;
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        diag_suggest(str_from(word), str_from(commands[i].name), &best, &distance);
    }
    (void)fprintf(stderr, "tutti: there is no command `%s`", word);
    if (best.len) (void)fprintf(stderr, "; did you mean `%.*s`?", STR_ARG(best));
    (void)fputs("\n`tutti --help` lists them.\n", stderr);
    return EXIT_USAGE;
}

static bool asks_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

int main(int argc, char **argv)
{
    int carried;
    if (artifact_main(argc, argv, &carried)) return carried;
    if (argc < 2) {
        (void)help(stderr);
        return EXIT_USAGE;
    }
    if (asks_help(argv[1])) return help(stdout);
    bool about = strcmp(argv[1], "help") == 0;
    if (about && argc < 3) return help(stdout);
    const char *name = about ? argv[2] : argv[1];
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        if (strcmp(name, commands[i].name) != 0) continue;
        if (about) return command_help(&commands[i]);
        for (int at = 2; at < argc && strcmp(argv[at], "--") != 0; at++) {
            if (asks_help(argv[at])) return command_help(&commands[i]);
        }
        return commands[i].fn(&commands[i], argc - 1, argv + 1);
    }
    return unknown(name);
}
