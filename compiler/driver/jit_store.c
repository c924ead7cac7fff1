/* compiler/driver/jit_store.c: see jit_store.h. */
#include "compiler/driver/jit_store.h"

#include "compiler/emit_c/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SEAL_BYTES = 32 };

static void seal_of(Str object, unsigned char *seal)
{
    crypto_generichash(seal, SEAL_BYTES, (const unsigned char *)object.ptr, object.len, NULL, 0);
}

bool jit_store_path(const char *folder, const Str *parts, uint32_t count, char *path)
{
    unsigned char hash[20];
    char name[sizeof hash * 2 + 1];
    crypto_generichash_state state;
    if (sodium_init() < 0) return false; /* it picks the hash this processor is best at */
    crypto_generichash_init(&state, NULL, 0, sizeof hash);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t len = parts[i].len;
        crypto_generichash_update(&state, (const unsigned char *)&len, sizeof len);
        crypto_generichash_update(&state, (const unsigned char *)parts[i].ptr, parts[i].len);
    }
    crypto_generichash_final(&state, hash, sizeof hash);
    sodium_bin2hex(name, sizeof name, hash, sizeof hash);
    int len = snprintf(path, JIT_PATH_BYTES, "%s/%s.jit", folder, name);
    return len > 0 && len < JIT_PATH_BYTES - 8;
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

bool jit_store_find(const char *path, Buf *object)
{
    unsigned char seal[SEAL_BYTES];
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    buf_clear(object);
    bool fine = fstat(fd, &st) == 0 && st.st_size > SEAL_BYTES &&
                st.st_size <= JIT_OBJECT_BYTES_MAX && buf_reserve(object, (size_t)st.st_size) &&
                read_all(fd, object->ptr, (size_t)st.st_size);
    if (fine) cache_used(fd);
    (void)close(fd);
    if (!fine) return false;
    object->len = (size_t)st.st_size - SEAL_BYTES;
    seal_of(buf_view(object), seal);
    return memcmp(seal, object->ptr + object->len, SEAL_BYTES) == 0;
}

void jit_store_keep(const char *path, Str object)
{
    char made[JIT_PATH_BYTES];
    unsigned char seal[SEAL_BYTES];
    if (object.len > JIT_OBJECT_BYTES_MAX - SEAL_BYTES) return;
    (void)snprintf(made, sizeof made, "%.*s.XXXXXX", JIT_PATH_BYTES - 8, path);
    int fd = mkostemp(made, O_CLOEXEC);
    if (fd < 0) return;
    seal_of(object, seal);
    bool fine =
        write_all(fd, object.ptr, object.len) && write_all(fd, (const char *)seal, sizeof seal);
    fine = close(fd) == 0 && fine;
    if (!fine || rename(made, path)) {
        (void)unlink(made);
        return;
    }
    *strrchr(made, '/') = 0; /* what is left is the folder's name */
    cache_trim(made);
}
