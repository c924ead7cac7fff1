/* runtime/peer/pq_lib.c: loads libpq. */
#include "peer/pq_lib.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

static PqLib lib;
static bool loaded;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void)
{
    static const char *const names[] = {
#define FN(result, name, parameters) "PQ" #name,
        PQ_FUNCTIONS(FN)
#undef FN
    };
    void *library = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);
    if (!library) return;
    void *found[sizeof names / sizeof *names];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!(found[i] = dlsym(library, names[i]))) return;
    memcpy(&lib, found, sizeof found); /* function pointers; POSIX says they fit */
    loaded = true;                     /* the library stays: connections live as long as we */
}

Status pq_lib(const PqLib **ret_lib, Diag *diag)
{
    _Static_assert(sizeof(void *) == sizeof(void (*)(void)), "POSIX");
    (void)pthread_once(&once, load);
    if (!loaded)
        return diag_set(diag, ST_UNSUPPORTED,
                        "PostgreSQL needs libpq.so.5, which is not here: install the package "
                        "libpq5");
    *ret_lib = &lib;
    return ST_OK;
}
