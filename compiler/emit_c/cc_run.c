/* compiler/emit_c/cc_run.c: the compiler's programs as processes, see cc_int.h.
 *
 * They are started with their memory in large pages where the system gives such on request
 * (transparent_hugepage = madvise, glibc 2.35 and later; elsewhere it changes nothing): a C
 * compiler touches some 2,000 small pages to compile a small program, which is a tenth of its time.
 */
#include "compiler/emit_c/cc_int.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { VARIABLES_MAX = 1000 };

typedef struct Start { /* how a program is to be started */
    const char *folder, *log;
    int in, out; /* descriptors; -1: nothing comes in, what it says goes to the log */
} Start;

bool cc__find_program(const char *name, char *path, struct stat *ret_stat)
{
    const char *search = getenv("PATH");
    if (strchr(name, '/')) {
        snprintf(path, CC_PATH_BYTES, "%s", name);
        return access(path, X_OK) == 0 && stat(path, ret_stat) == 0;
    }
    for (const char *dir = search ? search : "/usr/bin:/bin"; *dir;) {
        size_t len = strcspn(dir, ":");
        if (len) {
            snprintf(path, CC_PATH_BYTES, "%.*s/%s", (int)len, dir, name);
            if (access(path, X_OK) == 0 && stat(path, ret_stat) == 0) return true;
        }
        dir += len + (dir[len] == ':');
    }
    return false;
}

/* The environment with temporary files in `folder`: there is room where the object goes. */
static void environment(const char *folder, char *variable, const char **out)
{
    size_t n = 0;
    for (char **one = environ; *one && n < VARIABLES_MAX; one++)
        if (strncmp(*one, "TMPDIR=", 7) != 0) out[n++] = *one;
    snprintf(variable, CC_PATH_BYTES + 8, "TMPDIR=%s", folder);
    out[n++] = variable;
    if (!getenv("GLIBC_TUNABLES")) /* all from one heap that grows by 16 MB */
        out[n++] = "GLIBC_TUNABLES=glibc.malloc.hugetlb=1:glibc.malloc.top_pad=16777216:"
                   "glibc.malloc.mmap_threshold=16777216";
    out[n] = NULL;
}

MUST static Status start(const Start *s, const char *const *argv, pid_t *ret_pid, Diag *diag)
{
    const char *variables[VARIABLES_MAX + 3];
    char temporary[CC_PATH_BYTES + 8];
    posix_spawn_file_actions_t actions;
    union {
        const char *const *constant;
        char *const *plain;
    } arguments = {argv}, settings = {variables};
    if (posix_spawn_file_actions_init(&actions))
        return diag_set(diag, ST_NO_MEMORY, "starting %s", argv[0]);
    if (s->in >= 0) /* first: what is opened below may take its number */
        posix_spawn_file_actions_adddup2(&actions, s->in, 0);
    if (s->out >= 0) posix_spawn_file_actions_adddup2(&actions, s->out, 1);
    if (s->in < 0) posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    int how = O_WRONLY | O_CREAT | O_APPEND | (s->in < 0 ? O_TRUNC : 0);
    posix_spawn_file_actions_addopen(&actions, 2, s->log, how, 0600);
    if (s->out < 0) posix_spawn_file_actions_adddup2(&actions, 2, 1);
    environment(s->folder, temporary, variables);
    int error = posix_spawn(ret_pid, argv[0], &actions, NULL, arguments.plain, settings.plain);
    posix_spawn_file_actions_destroy(&actions);
    return error ? diag_errno(diag, error, "starting %s", argv[0]) : ST_OK;
}

MUST static Status finish(pid_t pid, const char *name, bool *ret_fine, Diag *diag)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) return diag_errno(diag, errno, "waiting for %s", name);
    *ret_fine = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    return ST_OK;
}

Status cc__run(const char *const *argv, const char *folder, const char *log, bool *ret_fine,
               Diag *diag)
{
    pid_t pid;
    Start one = {.folder = folder, .log = log, .in = -1, .out = -1};
    Status status = start(&one, argv, &pid, diag);
    return status ? status : finish(pid, argv[0], ret_fine, diag);
}

Status cc__run_piped(const char *const *first, const char *const *second, const char *folder,
                     const char *log, bool *ret_fine, Diag *diag)
{
    int ends[2];
    pid_t writer, reader;
    bool wrote = false, read = false;
    if (pipe2(ends, O_CLOEXEC)) return diag_errno(diag, errno, "starting %s", first[0]);
    Start from = {.folder = folder, .log = log, .in = -1, .out = ends[1]};
    Start to = {.folder = folder, .log = log, .in = ends[0], .out = -1};
    Status status = start(&from, first, &writer, diag);
    Status other = status ? status : start(&to, second, &reader, diag);
    close(ends[0]);
    close(ends[1]);
    if (!status) status = finish(writer, first[0], &wrote, diag);
    if (!other) other = finish(reader, second[0], &read, diag);
    *ret_fine = wrote && read;
    return status ? status : other;
}
