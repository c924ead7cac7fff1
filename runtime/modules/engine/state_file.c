/* runtime/modules/engine/state_file.c: checkpoints of open windows, in DATA/engine/NAME.state.
 *
 *   "TUTG", 16 bytes BLAKE2b of the rest, u64 generation, the state as flow_save writes it
 *   "TUTF", as above without a generation: written before there were journals
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

/* A new name is on the disk only when its folder is. Returns errno. */
int engine__state_sync_folder(const EngPipe *pipe)
{
    AUTO_BUF Buf path;
    buf_init(&path, 4096);
    buf_printf(&path, "%s/engine", pipe->engine->env->data_dir);
    int fd = path.failed ? -1 : open(path.ptr, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int error = fd < 0 || fsync(fd) ? errno : 0;
    if (fd >= 0) {
        close(fd);
    }
    return error;
}

int engine__state_save(EngPipe *pipe, const EngRun *run, uint64_t generation, size_t *ret_bytes)
{
    AUTO_BUF Buf path, fresh, state;
    static const char head[STATE_HEAD_BYTES] = "TUTG";
    state_path(pipe, "", &path);
    state_path(pipe, ".new", &fresh);
    buf_init(&state, STATE_BYTES_MAX);
    *ret_bytes = 0;
    if (!flow_has_state(run->instance)) {
        return 0;
    }
    buf_add(&state, head, sizeof(head));
    buf_add(&state, &generation, sizeof(generation));
    if (path.failed || fresh.failed || flow_save(run->instance, &state, NULL)) {
        return ENOMEM;
    }
    unsigned char digest[STATE_HASH_BYTES];
    hash(str_skip(buf_view(&state), STATE_HEAD_BYTES), digest);
    memcpy(state.ptr + 4, digest, sizeof(digest));
    *ret_bytes = state.len;
    int error = replace_file(path.ptr, fresh.ptr, buf_view(&state));
    return error ? error : engine__state_sync_folder(pipe);
}

void engine__state_remove(const EngPipe *pipe)
{
    AUTO_BUF Buf path;
    state_path(pipe, "", &path);
    if (!path.failed) {
        unlink(path.ptr);
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

/* *ret_state: what flow_save wrote. False: damaged. */
static bool is_whole(Str file, uint64_t *ret_generation, Str *ret_state)
{
    unsigned char digest[STATE_HASH_BYTES];
    bool numbered =
        file.len >= STATE_HEAD_BYTES + sizeof(*ret_generation) && memcmp(file.ptr, "TUTG", 4) == 0;
    if (file.len < STATE_HEAD_BYTES || (!numbered && memcmp(file.ptr, "TUTF", 4) != 0)) {
        return false;
    }
    *ret_state = str_skip(file, STATE_HEAD_BYTES);
    hash(*ret_state, digest);
    if (memcmp(file.ptr + 4, digest, sizeof(digest)) != 0) {
        return false;
    }
    *ret_generation = 0;
    if (numbered) {
        memcpy(ret_generation, ret_state->ptr, sizeof(*ret_generation));
        *ret_state = str_skip(*ret_state, sizeof(*ret_generation));
    }
    return true;
}

void engine__state_load(EngPipe *pipe, EngRun *run, bool once, uint64_t *ret_generation)
{
    AUTO_BUF Buf path, aside, file;
    Diag diag = {0};
    Str state;
    uint32_t dropped = 0;
    state_path(pipe, "", &path);
    state_path(pipe, ".damaged", &aside);
    buf_init(&file, STATE_BYTES_MAX + (64 << 10));
    *ret_generation = 0;
    if (path.failed || aside.failed || !read_file(path.ptr, &file)) {
        return;
    }
    Status st = is_whole(buf_view(&file), ret_generation, &state)
                    ? flow_load(run->instance, state, &dropped, &diag)
                    : diag_set(&diag, ST_CORRUPT, "its bytes are not those that were written");
    if (st) {
        *ret_generation = JOURNAL_ANY;
    }
    /* `once`: what reads its files again from the beginning must not find its sums again, too. */
    if (st ? rename(path.ptr, aside.ptr) : once) {
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
