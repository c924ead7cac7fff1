/* compiler/emit_c/cc.c: runs the C compiler, without a shell, and keeps what it makes.
 *
 * The object is written under a name of this process and renamed, so two processes may compile the
 * same text at once. -ffp-contract=off keeps a product and a sum two roundings on every machine. */
#include "compiler/emit_c/cc.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sodium.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static const char *const flags[] = {"-std=gnu17",
                                    "-ffp-contract=off",
                                    "-fno-strict-aliasing",
                                    "-fno-semantic-interposition",
                                    "-fvisibility=hidden",
                                    "-fno-asynchronous-unwind-tables",
                                    "-w",
                                    "-shared",
                                    "-fPIC"};
enum { FLAG_COUNT = sizeof flags / sizeof *flags, PATH_BYTES = 1024 };

Status cc_default_cache(Buf *ret_path, Diag *diag)
{
    const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    size_t start = ret_path->len;
    if (xdg && *xdg == '/')
        buf_printf(ret_path, "%s", xdg);
    else if (home && *home)
        buf_printf(ret_path, "%s/.cache", home);
    else
        return diag_set(diag, ST_NOT_FOUND, "no cache folder: set XDG_CACHE_HOME or HOME");
    if (buf_status(ret_path)) return buf_status(ret_path);
    (void)mkdir(ret_path->ptr + start, 0700); /* exists, or the next one says why not */
    buf_text(ret_path, "/tutti");
    if (mkdir(ret_path->ptr + start, 0700) && errno != EEXIST)
        return diag_errno(diag, errno, "creating %s", ret_path->ptr + start);
    return buf_status(ret_path);
}

/* Full path of the first compiler found. */
MUST static Status find_compiler(char *path, struct stat *ret_stat, Diag *diag)
{
    const char *names[] = {getenv("TUTTI_CC"), "cc", "gcc", "clang"};
    const char *search = getenv("PATH");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!names[i] || !*names[i]) continue;
        if (strchr(names[i], '/')) {
            snprintf(path, PATH_BYTES, "%s", names[i]);
            if (access(path, X_OK) == 0 && stat(path, ret_stat) == 0) return ST_OK;
            continue;
        }
        for (const char *dir = search ? search : "/usr/bin:/bin"; *dir;) {
            size_t len = strcspn(dir, ":");
            if (len) {
                snprintf(path, PATH_BYTES, "%.*s/%s", (int)len, dir, names[i]);
                if (access(path, X_OK) == 0 && stat(path, ret_stat) == 0) return ST_OK;
            }
            dir += len + (dir[len] == ':');
        }
    }
    return diag_set(diag, ST_NOT_FOUND,
                    "no C compiler found: install gcc or clang, or set TUTTI_CC");
}

static void name_of(Str text, const char *compiler, const struct stat *st, char *out)
{
    unsigned char hash[20];
    crypto_generichash_state state;
    long long identity[3] = {(long long)st->st_size, (long long)st->st_mtim.tv_sec,
                             (long long)st->st_mtim.tv_nsec};
    crypto_generichash_init(&state, NULL, 0, sizeof hash);
    crypto_generichash_update(&state, (const unsigned char *)text.ptr, text.len);
    for (int i = 0; i < FLAG_COUNT; i++)
        crypto_generichash_update(&state, (const unsigned char *)flags[i], strlen(flags[i]) + 1);
    crypto_generichash_update(&state, (const unsigned char *)compiler, strlen(compiler) + 1);
    crypto_generichash_update(&state, (const unsigned char *)identity, sizeof identity);
    crypto_generichash_final(&state, hash, sizeof hash);
    sodium_bin2hex(out, sizeof hash * 2 + 1, hash, sizeof hash);
}

MUST static Status write_file(const char *path, Str text, Diag *diag)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return diag_errno(diag, errno, "writing %s", path);
    size_t done = 0;
    while (done < text.len) {
        ssize_t n = write(fd, text.ptr + done, text.len - done);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            int error = errno;
            close(fd);
            return diag_errno(diag, error, "writing %s", path);
        }
        done += (size_t)n;
    }
    return close(fd) ? diag_errno(diag, errno, "writing %s", path) : ST_OK;
}

/* The first lines of what the compiler said. */
static Status refused(const char *log, Diag *diag)
{
    char text[300];
    FILE *file = fopen(log, "re");
    size_t n = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file) fclose(file);
    text[n] = 0;
    return diag_set(diag, ST_INTERNAL, "the C compiler refused the generated code: %s", text);
}

MUST static Status run(const char *compiler, bool quick, const char *source, const char *object,
                       const char *log, Diag *diag)
{
    const char *argv[FLAG_COUNT + 7];
    int n = 0, status;
    argv[n++] = compiler;
    argv[n++] = quick ? "-O0" : "-O2";
    for (int i = 0; i < FLAG_COUNT; i++) argv[n++] = flags[i];
    argv[n++] = "-o";
    argv[n++] = object;
    argv[n++] = source;
    argv[n] = NULL;
    posix_spawn_file_actions_t actions;
    if (posix_spawn_file_actions_init(&actions))
        return diag_set(diag, ST_NO_MEMORY, "starting %s", compiler);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    pid_t pid;
    union {
        const char **constant;
        char **plain;
    } arguments = {argv};
    int error = posix_spawn(&pid, compiler, &actions, NULL, arguments.plain, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error) return diag_errno(diag, error, "starting %s", compiler);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) return diag_errno(diag, errno, "waiting for %s", compiler);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return ST_OK;
    return refused(log, diag);
}

/* Objects of the quick kind have a name of their own beside the full one. */
MUST static Status shared_object(Str text, const char *cache_dir, bool quick, Buf *ret_path,
                                 bool *ret_cached, Diag *diag)
{
    char compiler[PATH_BYTES], name[41], source[PATH_BYTES], object[PATH_BYTES], made[PATH_BYTES],
        log[PATH_BYTES];
    struct stat st;
    Status status = find_compiler(compiler, &st, diag);
    if (status) return status;
    if (strlen(cache_dir) > PATH_BYTES - 80)
        return diag_set(diag, ST_LIMIT, "the cache folder's path is too long");
    name_of(text, compiler, &st, name);
    if (quick) name[32] = 'q', name[33] = 0;
    snprintf(object, sizeof object, "%s/%s.so", cache_dir, name);
    bool cached = access(object, R_OK) == 0;
    if (!cached) {
        snprintf(source, sizeof source, "%s/%s.%ld.c", cache_dir, name, (long)getpid());
        snprintf(made, sizeof made, "%s/%s.%ld.so", cache_dir, name, (long)getpid());
        snprintf(log, sizeof log, "%s/%s.%ld.log", cache_dir, name, (long)getpid());
        status = write_file(source, text, diag);
        if (!status) status = run(compiler, quick, source, made, log, diag);
        if (!status && rename(made, object)) status = diag_errno(diag, errno, "writing %s", object);
        unlink(log);
        if (!status) {
            snprintf(made, sizeof made, "%s/%s.c", cache_dir, name);
            (void)rename(source, made); /* kept for readers; nothing depends on it */
        }
    }
    if (status) return status;
    buf_text(ret_path, object);
    if (ret_cached) *ret_cached = cached;
    return buf_status(ret_path);
}

Status cc_shared_object(Str text, const char *cache_dir, Buf *ret_path, bool *ret_cached,
                        Diag *diag)
{
    return shared_object(text, cache_dir, false, ret_path, ret_cached, diag);
}

Status cc_shared_object_quick(Str text, const char *cache_dir, Buf *ret_path, bool *ret_quick,
                              Diag *diag)
{
    char compiler[PATH_BYTES], name[41], object[PATH_BYTES];
    struct stat st;
    Status status = find_compiler(compiler, &st, diag);
    if (status) return status;
    name_of(text, compiler, &st, name);
    int len = snprintf(object, sizeof object, "%s/%s.so", cache_dir, name);
    *ret_quick = len >= (int)sizeof object || access(object, R_OK) != 0;
    return shared_object(text, cache_dir, *ret_quick, ret_path, NULL, diag);
}
