/* compiler/driver/cmd_lsp.c: `tutti lsp`: the language server on standard input and output. */
#include "compiler/driver/options.h"

#include "compiler/lsp/lsp.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

typedef struct Lsp {
    const Command *self;
    bool stdio; /* editors like to say it */
} Lsp;

const Option lsp_options[] = {
    OPTION("--stdio", NULL, OPTION_FLAG, Lsp, stdio,
           "messages on standard input and output; the only way, and the default"),
    {0}};

static int lsp_word(void *ctx, char *word)
{
    const Lsp *args = ctx;
    return driver_usage(args->self, "unknown argument `%s`", word);
}

int cmd_lsp(const Command *self, int argc, char **argv)
{
    Lsp args = {.self = self};
    int code = options_read(self, argc, argv, &args, lsp_word);
    if (code >= 0) return code;
    (void)signal(SIGPIPE, SIG_IGN);
    code = lsp_serve(STDIN_FILENO, STDOUT_FILENO);
    if (code == EXIT_WRONG) /* a person, or an editor that fell over */
        (void)fputs(
            "tutti lsp: what came in ended without `shutdown` and `exit`; editors start this "
            "command and speak LSP to it\n",
            stderr);
    return code;
}
