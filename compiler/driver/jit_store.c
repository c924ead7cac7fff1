/* compiler/driver/jit_store.c: see jit_store.h. */
#include "compiler/driver/jit_store.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 1024, SEAL_BYTES = 32, OBJECT_BYTES_MAX = 64 << 20 };

static void seal_of(Str object, unsigned char *seal)
{
    crypto_generichash(seal, SEAL_BYTES, (const unsigned char *)object.ptr, object.len, NULL, 0);
}

/* False: the folder's name is too long. */
static bool path_of(const JitStore *store, Str module, char *path)
{
    unsigned char hash[20];
    char name[sizeof hash * 2 + 1];
    const char *const makers[] = {store->plugin->build, store->plugin->llvm};
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, sizeof hash);
    for (size_t i = 0; i < COUNT_OF(makers); i++)
        crypto_generichash_update(&state, (const unsigned char *)makers[i], strlen(makers[i]) + 1);
    crypto_generichash_update(&state, (const unsigned char *)module.ptr, module.len);
    crypto_generichash_final(&state, hash, sizeof hash);
    sodium_bin2hex(name, sizeof name, hash, sizeof hash);
    int len = snprintf(path, PATH_BYTES, "%s/%s.jit", store->folder, name);
    return len > 0 && len < PATH_BYTES - 8;
}

static bool read_all(int fd, char *at, size_t len)
{
    while (len) {
        ssize_t n = read(fd, at, len);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

static bool write_all(int fd, const char *at, size_t len)
{
    while (len) {
        ssize_t n = write(fd, at, len);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

static bool find(void *ctx, Str module, Str *ret_object)
{
    JitStore *store = ctx;
    char path[PATH_BYTES];
    unsigned char seal[SEAL_BYTES];
    struct stat st;
    if (!path_of(store, module, path)) return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    buf_clear(&store->object);
    bool fine = fstat(fd, &st) == 0 && st.st_size > SEAL_BYTES && st.st_size <= OBJECT_BYTES_MAX &&
                buf_reserve(&store->object, (size_t)st.st_size) &&
                read_all(fd, store->object.ptr, (size_t)st.st_size);
    (void)close(fd);
    if (!fine) return false;
    *ret_object = str_slice(store->object.ptr, (size_t)st.st_size - SEAL_BYTES);
    seal_of(*ret_object, seal);
    return memcmp(seal, ret_object->ptr + ret_object->len, SEAL_BYTES) == 0;
}

static void keep(void *ctx, Str module, Str object)
{
    const JitStore *store = ctx;
    char path[PATH_BYTES], made[PATH_BYTES];
    unsigned char seal[SEAL_BYTES];
    if (object.len > OBJECT_BYTES_MAX - SEAL_BYTES || !path_of(store, module, path)) return;
    (void)snprintf(made, sizeof made, "%.*s.XXXXXX", PATH_BYTES - 8, path);
    int fd = mkostemp(made, O_CLOEXEC);
    if (fd < 0) return;
    seal_of(object, seal);
    bool fine =
        write_all(fd, object.ptr, object.len) && write_all(fd, (const char *)seal, sizeof seal);
    fine = close(fd) == 0 && fine;
    if (!fine || rename(made, path)) (void)unlink(made);
}

const JitCache *jit_store(JitStore *store, const char *folder, const JitPlugin *plugin)
{
    *store = (JitStore){
        .cache = {.ctx = store, .find = find, .keep = keep}, .folder = folder, .plugin = plugin};
    buf_init(&store->object, OBJECT_BYTES_MAX);
    return folder ? &store->cache : NULL;
}

void jit_store_done(JitStore *store)
{
    buf_done(&store->object);
}
