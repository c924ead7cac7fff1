/* compiler/driver/cmd_lsp.c: `tutti lsp`: the language server on standard input and output. */
#include "compiler/driver/driver.h"

#include "compiler/lsp/lsp.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

int cmd_lsp(const Command *self, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) /* editors like to say --stdio */
        if (strcmp(argv[i], "--stdio") != 0)
            return driver_usage(self, "unknown argument `%s`", argv[i]);
    (void)signal(SIGPIPE, SIG_IGN);
    return lsp_serve(STDIN_FILENO, STDOUT_FILENO);
}
