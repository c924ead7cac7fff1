/* compiler/driver/cmd_explain.c: `tutti explain CODE`. */
#include "compiler/driver/driver.h"

#include <stdio.h>

int cmd_explain(const Command *self, int argc, char **argv)
{
    if (argc != 2) return driver_usage(self, "name one code, such as P018");
    const DiagCodeInfo *info = diag_code_find(str_from(argv[1]));
    if (!info) return driver_usage(self, "there is no code `%s`", argv[1]);
    (void)printf("%s: %s\n\n%s\n", info->id, info->title, info->why);
    return EXIT_FINE;
}
