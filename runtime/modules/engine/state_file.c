/* runtime/modules/engine/state_file.c: open windows outlive a stop, in DATA/engine/NAME.state.
 *
 *   "TUTF", 16 bytes BLAKE2b of the rest, the state as flow_save writes it
 * A disk that lost or changed bytes must not change a sum: what does not hash to what was written
 * is put aside, said, and the pipeline starts empty. Runs on the shard. */
#include "modules/engine/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <unistd.h>

enum { STATE_BYTES_MAX = 256 << 20, STATE_HASH_BYTES = 16, STATE_HEAD_BYTES = 20 };

static void state_path(const EngPipe *pipe, const char *more, Buf *out)
{
    buf_init(out, 4096);
    buf_printf(out, "%s/engine/%s.state%s", pipe->engine->env->data_dir, pipe->name, more);
    buf_char(out, 0);
}

static void hash(Str bytes, unsigned char ret_hash[STATE_HASH_BYTES])
{
    crypto_generichash(ret_hash, STATE_HASH_BYTES, (const unsigned char *)bytes.ptr, bytes.len,
                       NULL, 0);
}

static int write_all(int fd, const char *bytes, size_t len)
{
    while (len) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return errno;
        }
        bytes += n;
        len -= (size_t)n;
    }
    return 0;
}

/* `path` is replaced once all of it is whole and on the disk. Returns errno. */
static int replace_file(const char *path, const char *fresh, Str bytes)
{
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        return errno;
    }
    int error = write_all(fd, bytes.ptr, bytes.len);
    if (!error && fsync(fd)) {
        error = errno;
    }
    close(fd);
    if (!error && rename(fresh, path)) {
        error = errno;
    }
    if (error) {
        unlink(fresh);
    }
    return error;
}

void engine__state_save(EngPipe *pipe, const EngRun *run)
{
    AUTO_BUF Buf path, fresh, state;
    static const char head[STATE_HEAD_BYTES] = "TUTF";
    state_path(pipe, "", &path);
    state_path(pipe, ".new", &fresh);
    buf_init(&state, STATE_BYTES_MAX);
    if (!flow_has_state(run->instance)) {
        return;
    }
    buf_add(&state, head, sizeof(head));
    int error = ENOMEM;
    if (!path.failed && !fresh.failed && !flow_save(run->instance, &state, NULL)) {
        unsigned char digest[STATE_HASH_BYTES];
        hash(str_skip(buf_view(&state), STATE_HEAD_BYTES), digest);
        memcpy(state.ptr + 4, digest, sizeof(digest));
        error = replace_file(path.ptr, fresh.ptr, buf_view(&state));
    }
    if (error) {
        log_error(pipe->engine->env->log, "engine", "open windows are lost by this stop",
                  "pipeline=%s reason=%s", pipe->name, strerror(error));
    }
}

static bool read_file(const char *path, Buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    ssize_t n = 1;
    while (n > 0) {
        char *room = buf_reserve(out, 65536);
        n = room ? read(fd, room, 65536) : -1;
        out->len += n > 0 ? (size_t)n : 0;
    }
    close(fd);
    return true;
}

static bool is_whole(Str file)
{
    unsigned char digest[STATE_HASH_BYTES];
    if (file.len < STATE_HEAD_BYTES || memcmp(file.ptr, "TUTF", 4) != 0) {
        return false;
    }
    hash(str_skip(file, STATE_HEAD_BYTES), digest);
    return memcmp(file.ptr + 4, digest, sizeof(digest)) == 0;
}

void engine__state_load(EngPipe *pipe, EngRun *run)
{
    AUTO_BUF Buf path, aside, state;
    Diag diag = {0};
    uint32_t dropped = 0;
    state_path(pipe, "", &path);
    state_path(pipe, ".damaged", &aside);
    buf_init(&state, STATE_BYTES_MAX + (64 << 10));
    if (path.failed || aside.failed || !read_file(path.ptr, &state)) {
        return;
    }
    Status st = is_whole(buf_view(&state))
                    ? flow_load(run->instance, str_skip(buf_view(&state), STATE_HEAD_BYTES),
                                &dropped, &diag)
                    : diag_set(&diag, ST_CORRUPT, "its bytes are not those that were written");
    /* Taken once: after a crash an old state must not come back over newer windows. */
    if (!st || rename(path.ptr, aside.ptr)) {
        unlink(path.ptr);
    }
    if (st) {
        log_error(pipe->engine->env->log, "engine",
                  "the saved open windows are damaged: it starts without them",
                  "pipeline=%s reason=%s kept=%s", pipe->name, diag.text, aside.ptr);
    } else if (dropped) {
        log_warn(pipe->engine->env->log, "engine", "saved windows do not fit this version",
                 "pipeline=%s windows=%u", pipe->name, dropped);
    }
}
