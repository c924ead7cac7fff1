/* compiler/driver/cmd_lsp.c: `tutti lsp`: the language server on standard input and output. */
#include "compiler/driver/driver.h"

#include "compiler/lsp/lsp.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int cmd_lsp(const Command *self, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) /* editors like to say --stdio */
        if (strcmp(argv[i], "--stdio") != 0)
            return driver_usage(self, "unknown argument `%s`", argv[i]);
    (void)signal(SIGPIPE, SIG_IGN);
    int code = lsp_serve(STDIN_FILENO, STDOUT_FILENO);
    if (code == EXIT_WRONG) /* a person, or an editor that fell over */
        (void)fputs(
            "tutti lsp: what came in ended without `shutdown` and `exit`; editors start this "
            "command and speak LSP to it\n",
            stderr);
    return code;
}
