/* runtime/peer/curl_lib.c: loads libcurl. */
#include "peer/curl_lib.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

static CurlLib lib;
static bool loaded;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void)
{
    static const char *const files[] = {"libcurl.so.4", "libcurl-gnutls.so.4"};
    static const char *const names[] = {
        "curl_easy_init",     "curl_easy_setopt",  "curl_easy_perform", "curl_easy_getinfo",
        "curl_easy_strerror", "curl_easy_cleanup", "curl_slist_append", "curl_slist_free_all"};
    _Static_assert(sizeof lib == sizeof names, "a name for each function");
    void *library = NULL, *found[sizeof names / sizeof *names];
    for (size_t i = 0; i < sizeof files / sizeof *files && !library; i++)
        library = dlopen(files[i], RTLD_NOW | RTLD_LOCAL);
    if (!library) return;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!(found[i] = dlsym(library, names[i]))) return;
    memcpy(&lib, found, sizeof found); /* function pointers; POSIX says they fit */
    loaded = true;                     /* the library stays: it has threads' data */
}

void *curl_handle(const CurlLib *curl)
{
    static pthread_mutex_t first = PTHREAD_MUTEX_INITIALIZER;
    (void)pthread_mutex_lock(&first);
    void *handle = curl->init();
    (void)pthread_mutex_unlock(&first);
    return handle;
}

Status curl_lib(const char *who, const CurlLib **ret_lib, Diag *diag)
{
    (void)pthread_once(&once, load);
    if (!loaded)
        return diag_set(diag, ST_UNSUPPORTED,
                        "%s needs libcurl.so.4, which is not here: install the package libcurl4",
                        who);
    *ret_lib = &lib;
    return ST_OK;
}
