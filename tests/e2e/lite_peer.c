/* tests/e2e/lite_peer.c: a Lite process without a compiler, for tests of its faces alone. */
#include "module/lite.h"
#include "modules/modules.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    LiteOptions options = {.modules = modules_all(), .version = "test"};
    Diag diag = {0};
    for (int at = 1; at < argc;) {
        if (!lite_option(&options, argc, argv, &at, &diag)) {
            (void)fprintf(stderr, "%s\nlite_peer takes\n%s",
                          diag.status ? diag.text : "unknown option", lite_help);
            return 2;
        }
    }
    return lite_main(&options);
}
