/* runtime/module/secret.c: secrets at rest: nonce || secretbox (XSalsa20-Poly1305, libsodium). */
#include "module/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(SECRET_KEY_BYTES == crypto_secretbox_KEYBYTES, "the key of secretbox");

static Status key_write(int fd, const unsigned char *key, const char *file, Diag *diag)
{
    if (write(fd, key, SECRET_KEY_BYTES) != SECRET_KEY_BYTES || fsync(fd))
        return diag_errno(diag, errno, "%s cannot be written", file);
    return ST_OK;
}

static Status key_read(int fd, unsigned char *key, const char *file, Diag *diag)
{
    struct stat info;
    if (fstat(fd, &info)) return diag_errno(diag, errno, "%s", file);
    if (info.st_mode & 077)
        return diag_set(diag, ST_FORBIDDEN, "%s can be read by others: chmod 600", file);
    if (read(fd, key, SECRET_KEY_BYTES) != SECRET_KEY_BYTES)
        return diag_set(diag, ST_CORRUPT, "%s is too short", file);
    return ST_OK;
}

Status secret_key_load(SecretKey *key, const char *data_dir, const char *file, Diag *diag)
{
    if (key->there) return ST_OK;
    if (sodium_init() < 0) return diag_set(diag, ST_INTERNAL, "no random source");
    char path[4096];
    int len = snprintf(path, sizeof path, "%s/%s", data_dir, file);
    if (len < 0 || (size_t)len >= sizeof path) return diag_set(diag, ST_LIMIT, "path is too long");
    unsigned char bytes[SECRET_KEY_BYTES];
    Status st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        st = key_read(fd, bytes, file, diag);
    } else {
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0) return diag_errno(diag, errno, "%s", file);
        randombytes_buf(bytes, sizeof bytes);
        st = key_write(fd, bytes, file, diag);
        if (st) (void)unlink(path);
    }
    (void)close(fd);
    if (!st) memcpy(key->bytes, bytes, sizeof bytes);
    key->there = !st;
    sodium_memzero(bytes, sizeof bytes);
    return st;
}

void secret_key_wipe(SecretKey *key)
{
    sodium_memzero(key, sizeof *key);
}

Status secret_seal(const SecretKey *key, Arena *arena, Str text, Str *ret_sealed)
{
    size_t bytes = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + text.len;
    unsigned char *out = arena_alloc(arena, bytes);
    if (!out) return ST_NO_MEMORY;
    randombytes_buf(out, crypto_secretbox_NONCEBYTES);
    (void)crypto_secretbox_easy(out + crypto_secretbox_NONCEBYTES, (const unsigned char *)text.ptr,
                                text.len, out, key->bytes);
    *ret_sealed = str_slice((const char *)out, bytes);
    return ST_OK;
}

Status secret_unseal(const SecretKey *key, Arena *arena, Str sealed, Str *ret_text)
{
    const size_t head = crypto_secretbox_NONCEBYTES;
    if (sealed.len < head + crypto_secretbox_MACBYTES) return ST_CORRUPT;
    size_t bytes = sealed.len - head - crypto_secretbox_MACBYTES;
    unsigned char *out = arena_alloc(arena, bytes + 1);
    if (!out) return ST_NO_MEMORY;
    const unsigned char *in = (const unsigned char *)sealed.ptr;
    if (crypto_secretbox_open_easy(out, in + head, sealed.len - head, in, key->bytes))
        return ST_CORRUPT;
    *ret_text = str_slice((const char *)out, bytes);
    return ST_OK;
}

void secret_wipe(Str text)
{
    if (text.len) sodium_memzero((void *)(uintptr_t)text.ptr, text.len);
}
