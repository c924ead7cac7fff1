/* runtime/modules/connectors/connectors_secret.c: passwords at rest.
 *
 * One key per data directory, made when the first secret is stored, in a file of mode 0600 that is
 * synced before anything is sealed with it. Each secret is nonce || secretbox (XSalsa20-Poly1305,
 * libsodium): whoever has the database alone has nothing. */
#include "modules/connectors/connectors_int.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(CONNECTORS_KEY_BYTES == crypto_secretbox_KEYBYTES, "the key of secretbox");

static Status key_write(int fd, const unsigned char *key, Diag *diag)
{
    if (write(fd, key, CONNECTORS_KEY_BYTES) != CONNECTORS_KEY_BYTES || fsync(fd))
        return diag_errno(diag, errno, "connectors.key cannot be written");
    return ST_OK;
}

static Status key_read(int fd, unsigned char *key, Diag *diag)
{
    struct stat info;
    if (fstat(fd, &info)) return diag_errno(diag, errno, "connectors.key");
    if (info.st_mode & 077)
        return diag_set(diag, ST_FORBIDDEN, "connectors.key can be read by others: chmod 600");
    if (read(fd, key, CONNECTORS_KEY_BYTES) != CONNECTORS_KEY_BYTES)
        return diag_set(diag, ST_CORRUPT, "connectors.key is too short");
    return ST_OK;
}

Status connectors__key_load(Connectors *self, Diag *diag)
{
    if (self->has_key) return ST_OK;
    if (sodium_init() < 0) return diag_set(diag, ST_INTERNAL, "no random source");
    char path[4096];
    int len = snprintf(path, sizeof path, "%s/connectors.key", self->env.data_dir);
    if (len < 0 || (size_t)len >= sizeof path) return diag_set(diag, ST_LIMIT, "path is too long");
    unsigned char key[CONNECTORS_KEY_BYTES];
    Status st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        st = key_read(fd, key, diag);
    } else {
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0) return diag_errno(diag, errno, "connectors.key");
        randombytes_buf(key, sizeof key);
        st = key_write(fd, key, diag);
        if (st) (void)unlink(path);
    }
    (void)close(fd);
    if (!st) memcpy(self->key, key, sizeof key);
    self->has_key = !st;
    sodium_memzero(key, sizeof key);
    return st;
}

Status connectors__seal(Connectors *self, Arena *arena, Str text, Str *ret_sealed)
{
    size_t bytes = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + text.len;
    unsigned char *out = arena_alloc(arena, bytes);
    if (!out) return ST_NO_MEMORY;
    randombytes_buf(out, crypto_secretbox_NONCEBYTES);
    (void)crypto_secretbox_easy(out + crypto_secretbox_NONCEBYTES, (const unsigned char *)text.ptr,
                                text.len, out, self->key);
    *ret_sealed = str_slice((const char *)out, bytes);
    return ST_OK;
}

Status connectors__unseal(Connectors *self, Arena *arena, Str sealed, Str *ret_text)
{
    const size_t head = crypto_secretbox_NONCEBYTES;
    if (sealed.len < head + crypto_secretbox_MACBYTES) return ST_CORRUPT;
    size_t bytes = sealed.len - head - crypto_secretbox_MACBYTES;
    unsigned char *out = arena_alloc(arena, bytes + 1);
    if (!out) return ST_NO_MEMORY;
    const unsigned char *in = (const unsigned char *)sealed.ptr;
    if (crypto_secretbox_open_easy(out, in + head, sealed.len - head, in, self->key))
        return ST_CORRUPT;
    *ret_text = str_slice((const char *)out, bytes);
    return ST_OK;
}

void connectors__wipe(Str text)
{
    if (text.len) sodium_memzero((void *)(uintptr_t)text.ptr, text.len);
}
