/* runtime/store/ahead_file.c: the ring of records on the disk.
 *
 * The file grows by zeros that are written, not by holes: a hole that is filled needs the file
 * system's own journal at every sync. */
#include "store/ahead_file.h"

#include "base/crc.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { MAGIC = 0x31474c54, GROW_BYTES = 1 << 20 }; /* "TLG1" */

typedef struct Head {
    uint32_t magic, crc, before, bytes;
    uint64_t seq;
} Head;

static size_t room_of(size_t bytes)
{
    size_t page = AHEAD_PAGE_BYTES - 1;
    return (sizeof(Head) + bytes + page) & ~page;
}

static uint32_t crc_of(const Head *head, Str bytes)
{
    size_t skip = offsetof(Head, before);
    uint32_t crc = crc32c(0, (const char *)head + skip, sizeof *head - skip);
    return crc32c(crc, bytes.ptr, bytes.len);
}

Status store__ahead_file_open(AheadFile *file, const char *path, Diag *diag)
{
    struct stat about;
    *file = (AheadFile){.fd = open(path, O_RDWR | O_CLOEXEC)};
    if (file->fd < 0 && errno != ENOENT) return diag_errno(diag, errno, "%s", path);
    file->path = mem_alloc(strlen(path) + 1);
    if (!file->path) return diag_set(diag, ST_NO_MEMORY, "no memory for the log of a store");
    memcpy(file->path, path, strlen(path) + 1);
    if (file->fd < 0) return ST_OK;
    if (fstat(file->fd, &about)) return diag_errno(diag, errno, "%s", path);
    file->bytes = (uint64_t)about.st_size;
    return ST_OK;
}

void store__ahead_file_close(AheadFile *file)
{
    if (file->fd >= 0) (void)close(file->fd);
    mem_free(file->path);
    *file = (AheadFile){.fd = -1};
}

bool store__ahead_place(const AheadFile *file, size_t bytes, uint64_t *ret_at)
{
    uint64_t room = room_of(bytes), next = file->last.next;
    if (file->tried) {
        *ret_at = file->tried_at;
        return true;
    }
    if (!file->needed) {
        *ret_at = 0;
        return room <= AHEAD_RING_BYTES;
    }
    bool wrapped = next <= file->oldest;
    uint64_t end = wrapped ? file->oldest : AHEAD_RING_BYTES;
    *ret_at = next;
    if (next + room <= end) return true;
    *ret_at = 0;
    return !wrapped && room <= file->oldest;
}

static Status write_all(const AheadFile *file, struct iovec *parts, int count, uint64_t at,
                        Diag *diag)
{
    while (count) {
        ssize_t done = pwritev(file->fd, parts, count, (off_t)at);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return diag_errno(diag, done ? errno : EIO, "%s", file->path);
        at += (uint64_t)done;
        for (size_t left = (size_t)done; left;) {
            size_t part = left < parts->iov_len ? left : parts->iov_len;
            parts->iov_base = (char *)parts->iov_base + part;
            parts->iov_len -= part;
            left -= part;
            if (parts->iov_len) break;
            parts++;
            count--;
        }
        while (count && !parts->iov_len) parts++, count--;
    }
    return ST_OK;
}

static Status create(AheadFile *file, Diag *diag)
{
    file->fd = open(file->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file->fd < 0) return diag_errno(diag, errno, "%s", file->path);
    char *slash = strrchr(file->path, '/');
    if (slash) *slash = '\0';
    int dir = open(slash ? file->path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (slash) *slash = '/';
    Status st =
        dir < 0 || fsync(dir) ? diag_errno(diag, errno, "%s: its folder", file->path) : ST_OK;
    if (dir >= 0) (void)close(dir);
    if (!st) return ST_OK;
    (void)close(file->fd);
    file->fd = -1;
    return st;
}

static Status grow(AheadFile *file, uint64_t bytes, Diag *diag)
{
    static const char zeros[64 << 10];
    uint64_t to = (bytes + GROW_BYTES - 1) / GROW_BYTES * GROW_BYTES, had = file->bytes;
    if (to > AHEAD_RING_BYTES) to = AHEAD_RING_BYTES;
    for (Status st; file->bytes < to;) {
        uint64_t part = to - file->bytes < sizeof zeros ? to - file->bytes : sizeof zeros;
        struct iovec parts[] = {{(void *)(uintptr_t)zeros, part}};
        st = write_all(file, parts, 1, file->bytes, diag);
        if (st) {
            if (!ftruncate(file->fd, (off_t)had)) file->bytes = had;
            return st;
        }
        file->bytes += part;
    }
    return ST_OK;
}

Status store__ahead_append(AheadFile *file, uint64_t at, Str bytes, Diag *diag)
{
    if (bytes.len > AHEAD_RECORD_BYTES) return diag_set(diag, ST_LIMIT, "a record is too long");
    Head head = {.magic = MAGIC,
                 .before = file->last.crc,
                 .bytes = (uint32_t)bytes.len,
                 .seq = file->last.seq + 1};
    head.crc = crc_of(&head, bytes);
    uint64_t end = at + room_of(bytes.len);
    Status st = file->fd < 0 ? create(file, diag) : ST_OK;
    if (!st && end > file->bytes) st = grow(file, end, diag);
    struct iovec parts[] = {{&head, sizeof head}, {(void *)(uintptr_t)bytes.ptr, bytes.len}};
    file->tried = true;
    file->tried_at = at;
    if (!st) st = write_all(file, parts, 2, at, diag);
    if (!st && fdatasync(file->fd)) st = diag_errno(diag, errno, "%s", file->path);
    if (st) return st;
    file->tried = false;
    file->last = (AheadMark){.seq = head.seq, .next = end, .crc = head.crc};
    return ST_OK;
}

/* False: there is nothing that was written as a whole. */
static bool get(const AheadFile *file, uint64_t at, void *to, size_t bytes)
{
    for (size_t done = 0; done < bytes;) {
        ssize_t part = pread(file->fd, (char *)to + done, bytes - done, (off_t)(at + done));
        if (part < 0 && errno == EINTR) continue;
        if (part <= 0) return false;
        done += (size_t)part;
    }
    return true;
}

static bool get_head(const AheadFile *file, uint64_t at, Head *head)
{
    return at <= file->bytes && file->bytes - at >= sizeof *head &&
           get(file, at, head, sizeof *head) && head->magic == MAGIC &&
           head->seq == file->last.seq + 1 && head->before == file->last.crc &&
           head->bytes <= AHEAD_RECORD_BYTES && at + sizeof *head + head->bytes <= file->bytes;
}

Status store__ahead_read(AheadFile *file, Buf *out, uint64_t *ret_at, bool *ret_there, Diag *diag)
{
    const uint64_t places[] = {file->last.next, 0};
    *ret_there = false;
    for (size_t i = 0; i < 2 && file->fd >= 0; i++) {
        Head head;
        uint64_t at = places[i];
        if (!get_head(file, at, &head)) continue;
        char *bytes = buf_reserve(out, head.bytes);
        if (!bytes) return diag_set(diag, out->failed, "%s: too much of it", file->path);
        if (!get(file, at + sizeof head, bytes, head.bytes) ||
            head.crc != crc_of(&head, str_slice(bytes, head.bytes)))
            continue;
        out->len += head.bytes;
        file->last = (AheadMark){head.seq, at + room_of(head.bytes), head.crc};
        *ret_at = at;
        *ret_there = true;
        return ST_OK;
    }
    return ST_OK;
}

void store__ahead_shrink(AheadFile *file)
{
    uint64_t end = file->needed ? file->last.next : 0;
    if (file->fd < 0 || (file->needed && end <= file->oldest) || end >= file->bytes) return;
    if (!ftruncate(file->fd, (off_t)end)) file->bytes = end;
}
