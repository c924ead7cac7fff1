/* tests/e2e/fault_io.c: a disk with faults, for any program: LD_PRELOAD=fault_io.so.
 *
 * FAULT_IO names a file of 4096 bytes that a test keeps writing to: `MODE TEXT`. While MODE is
 * not `none`, calls on files whose path holds TEXT go wrong: `enospc` and `eio` let nothing be
 * written, `half` lets half of every write through and then answers ENOSPC, `short` only cuts
 * writes in half (which is no error), `sync` fails every sync. The file is mapped, so a change
 * counts from the next call on. Sockets and pipes have no path and are left alone. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

enum { CONTROL_BYTES = 4096 };

static const char *control;

__attribute__((constructor)) static void control_open(void)
{
    const char *path = getenv("FAULT_IO");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *map = fd < 0 ? MAP_FAILED : mmap(NULL, CONTROL_BYTES, PROT_READ, MAP_SHARED, fd, 0);
    control = map == MAP_FAILED ? NULL : map;
    if (fd >= 0) close(fd);
}

static bool is_mode(const char *mode)
{
    size_t len = strlen(mode);
    return control && strncmp(control, mode, len) == 0 && control[len] == ' ';
}

static bool is_hit(const char *path)
{
    const char *text = control ? memchr(control, ' ', 16) : NULL;
    return text && text[1] && !is_mode("none") && strstr(path, text + 1);
}

static bool is_hit_fd(int fd)
{
    char link[64], path[4096];
    if (!control || is_mode("none")) return false;
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n <= 0) return false;
    path[n] = '\0';
    return path[0] == '/' && is_hit(path);
}

static void *next_of(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

/* How much of `len` may be written: 0 with errno, or a part of it. */
static size_t allowed(int fd, size_t len)
{
    if (!len || !is_hit_fd(fd)) return len;
    if (is_mode("short")) return len > 1 ? len / 2 : len;
    if (is_mode("half") && len > 1) return len / 2;
    if (is_mode("sync")) return len;
    errno = is_mode("eio") ? EIO : ENOSPC;
    return 0;
}

ssize_t write(int fd, const void *bytes, size_t len)
{
    static ssize_t (*real)(int, const void *, size_t);
    if (!real) *(void **)&real = next_of("write");
    size_t n = allowed(fd, len);
    return len && !n ? -1 : real(fd, bytes, n);
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t at)
{
    static ssize_t (*real)(int, const void *, size_t, off64_t);
    if (!real) *(void **)&real = next_of("pwrite64");
    size_t n = allowed(fd, len);
    return len && !n ? -1 : real(fd, bytes, n, at);
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at)
{
    return pwrite64(fd, bytes, len, at);
}

ssize_t writev(int fd, const struct iovec *list, int count)
{
    static ssize_t (*real)(int, const struct iovec *, int);
    if (!real) *(void **)&real = next_of("writev");
    size_t len = 0;
    for (int i = 0; i < count; i++) len += list[i].iov_len;
    size_t n = allowed(fd, len);
    if (n == len) return real(fd, list, count);
    return n ? write(fd, list[0].iov_base, list[0].iov_len) : -1;
}

ssize_t pwritev64(int fd, const struct iovec *list, int count, off64_t at)
{
    static ssize_t (*real)(int, const struct iovec *, int, off64_t);
    if (!real) *(void **)&real = next_of("pwritev64");
    size_t len = 0;
    for (int i = 0; i < count; i++) len += list[i].iov_len;
    size_t n = allowed(fd, len);
    if (n == len) return real(fd, list, count, at);
    return n ? pwrite64(fd, list[0].iov_base, list[0].iov_len, at) : -1;
}

ssize_t pwritev(int fd, const struct iovec *list, int count, off_t at)
{
    return pwritev64(fd, list, count, at);
}

static int sync_fault(int fd)
{
    if (!is_hit_fd(fd) || !(is_mode("sync") || is_mode("eio"))) return 0;
    errno = EIO;
    return -1;
}

int fsync(int fd)
{
    static int (*real)(int);
    if (!real) *(void **)&real = next_of("fsync");
    return sync_fault(fd) ? -1 : real(fd);
}

int fdatasync(int fd)
{
    static int (*real)(int);
    if (!real) *(void **)&real = next_of("fdatasync");
    return sync_fault(fd) ? -1 : real(fd);
}

static bool grows_into_nothing(int fd)
{
    return is_hit_fd(fd) && (is_mode("enospc") || is_mode("half"));
}

int posix_fallocate64(int fd, off64_t at, off64_t len)
{
    static int (*real)(int, off64_t, off64_t);
    if (!real) *(void **)&real = next_of("posix_fallocate64");
    return grows_into_nothing(fd) ? ENOSPC : real(fd, at, len);
}

int posix_fallocate(int fd, off_t at, off_t len)
{
    return posix_fallocate64(fd, at, len);
}

static int open_with(const char *name, const char *path, int how, mode_t mode)
{
    int (*real)(const char *, int, ...);
    *(void **)&real = next_of(name);
    bool full = is_mode("enospc") || is_mode("half");
    if ((how & O_CREAT) && full && access(path, F_OK) != 0) {
        char whole[4096];
        char *dir = path[0] == '/' ? NULL : getcwd(whole, sizeof whole / 2);
        (void)snprintf(whole + (dir ? strlen(dir) : 0), sizeof whole / 2, dir ? "/%s" : "%s", path);
        if (is_hit(whole)) {
            errno = ENOSPC;
            return -1;
        }
    }
    return real(path, how, mode);
}

#define OPEN(name)                                                                                 \
    int name(const char *path, int how, ...);                                                      \
    int name(const char *path, int how, ...)                                                       \
    {                                                                                              \
        va_list args;                                                                              \
        va_start(args, how);                                                                       \
        mode_t mode = how & (O_CREAT | __O_TMPFILE) ? va_arg(args, mode_t) : 0;                    \
        va_end(args);                                                                              \
        return open_with(#name, path, how, mode);                                                  \
    }
OPEN(open)
OPEN(open64)
