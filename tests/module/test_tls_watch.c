/* tests/module/test_tls_watch.c: a renewed certificate is seen once, an unusable one is not taken.
 */
#include "mod_bed.h"

#include "module/tls_watch.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

extern char **environ;

enum { EVERY_MS = 1 };

typedef struct Seen {
    ModBed bed;
    TlsWatch watch;
    char cert[100], key[100];
    int renewed, logged;
} Seen;

static void on_renewed(void *ctx, TlsServer *tls)
{
    Seen *seen = ctx;
    CHECK(tls != NULL);
    tls_server_free(tls);
    seen->renewed++;
    loop_stop(seen->bed.loop);
}

static void on_line(void *ctx, const LogLine *line)
{
    Seen *seen = ctx;
    if (line->level != LOG_ERROR) return;
    seen->logged++;
    loop_stop(seen->bed.loop);
}

/* A certificate that signs itself, written at `second`. */
static void certify(const Seen *seen, int64_t second)
{
    char *arguments[] = {"openssl",
                         "req",
                         "-x509",
                         "-newkey",
                         "ec",
                         "-pkeyopt",
                         "ec_paramgen_curve:P-256",
                         "-nodes",
                         "-subj",
                         "/CN=localhost",
                         "-days",
                         "1",
                         "-keyout",
                         (char *)(uintptr_t)seen->key,
                         "-out",
                         (char *)(uintptr_t)seen->cert,
                         NULL};
    struct timespec times[2] = {{.tv_sec = second}, {.tv_sec = second}};
    posix_spawn_file_actions_t quiet;
    pid_t pid;
    int status;
    CHECK_INT(posix_spawn_file_actions_init(&quiet), 0);
    posix_spawn_file_actions_addopen(&quiet, 2, "/dev/null", O_WRONLY, 0);
    CHECK_INT(posix_spawnp(&pid, "openssl", &quiet, NULL, arguments, environ), 0);
    posix_spawn_file_actions_destroy(&quiet);
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    CHECK_INT(utimensat(AT_FDCWD, seen->key, times, 0), 0);
    CHECK_INT(utimensat(AT_FDCWD, seen->cert, times, 0), 0);
}

static void wait_for(Seen *seen, int renewed, int logged)
{
    while (!seen->bed.late && (seen->renewed < renewed || seen->logged < logged))
        loop_run(seen->bed.loop);
    CHECK_INT(seen->renewed, renewed);
    CHECK_INT(seen->logged, logged);
}

/* Ten more looks. */
static void on_tick(void *ctx)
{
    loop_stop(((Seen *)ctx)->bed.loop);
}

static void look_on(Seen *seen)
{
    LoopTimer *timer;
    CHECK_OK(loop_timer_start(seen->bed.loop, 10 * EVERY_MS, 0, on_tick, seen, &timer));
    loop_run(seen->bed.loop);
    loop_timer_stop(timer);
}

TEST(new_files_are_taken_once_and_bad_ones_never)
{
    Seen seen = {0};
    Diag diag = {0};
    TlsServer *tls = NULL;
    bed_begin(&seen.bed);
    log_set_sink(seen.bed.log, on_line, &seen);
    (void)snprintf(seen.cert, sizeof seen.cert, "%s/cert.pem", seen.bed.dir);
    (void)snprintf(seen.key, sizeof seen.key, "%s/key.pem", seen.bed.dir);
    seen.watch = (TlsWatch){.files = {.cert_file = seen.cert, .key_file = seen.key},
                            .log = seen.bed.log,
                            .who = "test",
                            .renew = on_renewed,
                            .ctx = &seen};
    CHECK_INT(tls_watch_server(&seen.watch, &tls, &diag), ST_INVALID);
    CHECK(strstr(diag.text, seen.cert) != NULL);
    certify(&seen, 1000);
    CHECK_OK(tls_watch_server(&seen.watch, &tls, &diag));
    tls_server_free(tls);
    CHECK_OK(tls_watch_start(&seen.watch, seen.bed.loop, EVERY_MS));
    look_on(&seen);
    wait_for(&seen, 0, 0);
    certify(&seen, 2000);
    wait_for(&seen, 1, 0);
    look_on(&seen);
    wait_for(&seen, 1, 0);
    FILE *file = fopen(seen.cert, "w"); /* no certificate */
    CHECK(file && fputs("nothing\n", file) >= 0 && fclose(file) == 0);
    wait_for(&seen, 1, 1);
    look_on(&seen);
    wait_for(&seen, 1, 1); /* said once */
    certify(&seen, 1500);  /* an older file is another file */
    wait_for(&seen, 2, 1);
    tls_watch_stop(&seen.watch);
    certify(&seen, 3000);
    look_on(&seen);
    wait_for(&seen, 2, 1);
    bed_end(&seen.bed);
}
