/* runtime/modules/engine/local.c: sinks the shard writes itself: files and standard output.
 *
 * Nothing here waits. A write that fails or would block leaves a note of how far it came, and the
 * next call goes on at that byte, so a full disk costs neither a row nor a whole line. A group (the
 * rows of one batch for one path) counts when it is synced. When the sync fails nobody knows what
 * is on the disk: the group is taken back from the file, if nobody wrote behind it, and written
 * again through a fresh handle. Handles are kept by path, a few of them, and opened again when
 * the file was deleted. A file whose last line was torn by a crash gets a line end first. */
#include "modules/engine/engine.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIPE_BYTES = 4096 }; /* POLLOUT promises room for so many (POSIX: PIPE_BUF) */

bool engine__local_takes(const RtSinkInfo *sink)
{
    Str kind = str_from(sink->kind);
    return str_is(kind, "file") || str_is(kind, "stdout");
}

/* ---- handles ---- */

static void file_close(EngFile *file)
{
    if (file->path) {
        close(file->fd);
        mem_free(file->path);
    }
    *file = (EngFile){0};
}

void engine__local_close(EngPipe *pipe)
{
    for (uint32_t i = 0; i < ENGINE_FILES_MAX; i++) {
        file_close(&pipe->files[i]);
    }
}

static bool is_deleted(const EngFile *file)
{
    struct stat info;
    return file->regular && !fstat(file->fd, &info) && info.st_nlink == 0;
}

/* A header for an empty csv file; a line end behind what a crash left half written. */
static int file_prepare(int fd, const EngPart *part, off_t size)
{
    AUTO_BUF Buf head;
    char last = '\n';
    bool raw = str_is(str_from(part->sink->format), "raw") ||
               flow_is_bytes(flow_format(part->sink->format));
    bool csv = str_is(str_from(part->sink->format), "csv") && part->sink->schema;
    buf_init(&head, 1 << 20);
    for (uint32_t i = 0; csv && size == 0 && i < part->sink->schema->count; i++) {
        buf_printf(&head, i ? ",%s" : "%s", part->sink->schema->fields[i].name);
    }
    if (head.len || (size > 0 && !raw && pread(fd, &last, 1, size - 1) == 1 && last != '\n')) {
        buf_char(&head, '\n');
    }
    ssize_t n = head.len ? write(fd, head.ptr, head.len) : 0;
    if (n == (ssize_t)head.len) {
        return 0;
    }
    int error = n < 0 ? errno : ENOSPC;
    return ftruncate(fd, size) ? errno : error;
}

/* The handle of the group's path. `fresh`: not a byte of the group is written yet. */
static int file_of(EngPipe *pipe, const EngPart *part, Str path, bool fresh, EngFile **ret_file)
{
    EngFile *file = NULL;
    for (uint32_t i = 0; i < ENGINE_FILES_MAX && !file; i++) {
        EngFile *one = &pipe->files[i];
        if (one->path && str_is(path, one->path)) {
            file = one;
        }
    }
    if (file && is_deleted(file)) {
        file_close(file);
    }
    if (!file) {
        file = &pipe->files[pipe->next_file++ % ENGINE_FILES_MAX];
        file_close(file);
    }
    if (!file->path) {
        char *name = mem_alloc(path.len + 1);
        if (!name) {
            return ENOMEM;
        }
        memcpy(name, path.ptr, path.len);
        name[path.len] = 0;
        /* Reading too, for the last byte; a named pipe takes no part in that. */
        int how = O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
        struct stat info;
        bool plain = stat(name, &info) != 0 || S_ISREG(info.st_mode);
        int fd = open(name, how | (plain ? O_RDWR : O_WRONLY), 0644);
        if (fd < 0 && errno == EACCES) {
            fd = open(name, how | O_WRONLY, 0644); /* may be written but not read */
        }
        int error = fd < 0 || fstat(fd, &info) ? errno : 0;
        if (!error && S_ISREG(info.st_mode) && fresh) {
            error = file_prepare(fd, part, info.st_size);
        }
        if (error) {
            mem_free(name);
            if (fd >= 0) {
                close(fd);
            }
            return error;
        }
        *file = (EngFile){.path = name, .fd = fd, .regular = S_ISREG(info.st_mode)};
    }
    *ret_file = file;
    return 0;
}

/* ---- one group ---- */

static int write_some(int fd, bool in_pieces, const char *bytes, size_t len, size_t *written)
{
    while (len) {
        struct pollfd room = {.fd = fd, .events = POLLOUT};
        if (in_pieces && poll(&room, 1, 0) <= 0) {
            return EAGAIN;
        }
        ssize_t n = write(fd, bytes, in_pieces && len > PIPE_BYTES ? PIPE_BYTES : len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return errno;
        }
        bytes += n;
        len -= (size_t)n;
        *written += (size_t)n;
    }
    return 0;
}

/* The sync failed: what was written of the group is taken back, when it is the file's end. */
static void take_back(const EngFile *file, EngPart *part, size_t start)
{
    struct stat info;
    off_t end = (off_t)(part->base + (int64_t)(part->written - start));
    if (part->base >= 0 && !fstat(file->fd, &info) && info.st_size == end &&
        !ftruncate(file->fd, (off_t)part->base)) {
        part->base = -1;
    }
    part->written = start; /* rather twice than not at all */
}

/* Bytes [start, end) of the part to `path`, from where the last try stopped. */
static int write_group(EngPipe *pipe, EngPart *part, Str path, size_t start, size_t end)
{
    EngFile *file = NULL;
    bool fresh = part->written <= start;
    part->written = fresh ? start : part->written;
    int error = file_of(pipe, part, path, fresh, &file);
    if (error) {
        return error;
    }
    struct stat info;
    bool known = file->regular && !fstat(file->fd, &info);
    if (!fresh && known && info.st_size < part->base + (int64_t)(part->written - start)) {
        part->written = start; /* somebody cut the file, or it is another one now */
        fresh = true;
    }
    if (fresh) {
        part->base = known ? (int64_t)info.st_size : -1;
    }
    error = write_some(file->fd, false, part->bytes.ptr + part->written, end - part->written,
                       &part->written);
    if (error) {
        return error;
    }
    /* A pipe or a device cannot be synced; that is not a failure. */
    if (file->regular && fdatasync(file->fd) && errno != EINVAL && errno != EROFS) {
        error = errno;
        take_back(file, part, start);
        file_close(file); /* the kernel may have dropped the pages: this handle would lie */
    }
    return error;
}

static Str row_path(const EngPart *part, uint32_t row)
{
    if (!(part->sink->flags & RT_SINK_ADDRESS)) {
        return str_from(part->sink->address);
    }
    return (Str){part->aside.ptr + part->rows[row].address, part->rows[row].address_len};
}

static size_t row_end(const EngPart *part, uint32_t row)
{
    return part->rows[row].start + part->rows[row].len;
}

/* Consecutive rows of one path are one group. `part->next` is the first row not committed. */
static int part_write(EngPipe *pipe, EngPart *part)
{
    if (str_is(str_from(part->sink->kind), "stdout")) {
        int error = write_some(STDOUT_FILENO, true, part->bytes.ptr + part->written,
                               part->bytes.len - part->written, &part->written);
        part->next = error ? part->next : part->count;
        return error;
    }
    while (part->next < part->count) {
        Str path = row_path(part, part->next);
        uint32_t last = part->next;
        while (last + 1 < part->count && str_eq(path, row_path(part, last + 1))) {
            last++;
        }
        int error =
            write_group(pipe, part, path, part->rows[part->next].start, row_end(part, last));
        if (error) {
            return error;
        }
        part->next = last + 1;
    }
    return 0;
}

int engine__local_write(EngPipe *pipe, EngOut *out, const char **ret_what)
{
    for (uint32_t i = 0; i + 1 < out->part_count; i++) {
        EngPart *part = &out->parts[i];
        if (!part->count || !engine__local_takes(part->sink)) {
            continue;
        }
        int error = part_write(pipe, part);
        if (error) {
            bool file = str_is(str_from(part->sink->kind), "file");
            *ret_what = file ? part->sink->address : "standard output";
            return error;
        }
        part->count = part->next = 0;
        part->written = 0;
    }
    return 0;
}

/* A torn row at the end of the file is taken away again; whole rows stay and count as written. */
static void keep_whole_rows(EngPipe *pipe, EngPart *part)
{
    size_t start = part->rows[part->next].start, whole = start;
    EngFile *file = NULL;
    Str path = row_path(part, part->next);
    if (part->written <= start) {
        return;
    }
    while (part->next < part->count && row_end(part, part->next) <= part->written) {
        whole = row_end(part, part->next++);
    }
    if (part->written > whole && part->base >= 0 && !file_of(pipe, part, path, false, &file)) {
        (void)!ftruncate(file->fd, (off_t)(part->base + (int64_t)(whole - start)));
    }
}

void engine__local_give_up(EngPipe *pipe, EngOut *out)
{
    for (uint32_t i = 0; i + 1 < out->part_count; i++) {
        EngPart *part = &out->parts[i];
        if (part->next < part->count && str_is(str_from(part->sink->kind), "file")) {
            keep_whole_rows(pipe, part);
        }
    }
}
