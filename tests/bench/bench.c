/* tests/bench/bench.c: runs contestants in turn on the same input and prints ratios.
 *
 *   bench ROUNDS INPUT NAME=COMMAND...        (a command is split at spaces, no shell)
 *
 * Each round runs every contestant once, stdin from INPUT and stdout to a file of its own in the
 * current folder (NAME.out). Figures are CPU time of the whole process (user and system, as the
 * kernel accounts it) and its peak memory. A ratio is the median over rounds of contestant / first
 * contestant inside the same round, so that a drifting machine does not matter. */
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { ROUNDS_MAX = 50, CONTESTANTS_MAX = 16, WORDS_MAX = 32 };

typedef struct Contestant {
    const char *name;
    char *words[WORDS_MAX + 1];
    double cpu_s[ROUNDS_MAX], ratio[ROUNDS_MAX];
    long rss_kib;
} Contestant;

static int split(Contestant *c, char *text)
{
    char *equals = strchr(text, '=');
    if (!equals) return 0;
    *equals = '\0';
    c->name = text;
    int count = 0;
    for (char *at = equals + 1; at && *at && count < WORDS_MAX;) {
        char *gap = strchr(at, ' ');
        c->words[count++] = at;
        if (gap) *gap++ = '\0';
        at = gap;
    }
    return count > 0;
}

/* Runs once; CPU seconds, or -1 when it could not be started or failed. The warm-up's memory is not
 * counted: it may be that of a compiler. */
static double run(Contestant *c, const char *input, bool counted)
{
    char out[200];
    (void)snprintf(out, sizeof out, "%s.out", c->name);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, input, O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, out, O_WRONLY | O_CREAT | O_TRUNC,
                                     0644);
    posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "stderr.log",
                                     O_WRONLY | O_CREAT | O_APPEND, 0644);
    pid_t pid;
    int failed = posix_spawnp(&pid, c->words[0], &files, NULL, c->words, environ), status = 0;
    posix_spawn_file_actions_destroy(&files);
    struct rusage use;
    if (failed || wait4(pid, &status, 0, &use) < 0) return -1;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return -1;
    if (counted && use.ru_maxrss > c->rss_kib) c->rss_kib = use.ru_maxrss;
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double *values, int count, double *ret_least, double *ret_most)
{
    double sorted[ROUNDS_MAX];
    memcpy(sorted, values, (size_t)count * sizeof *values);
    qsort(sorted, (size_t)count, sizeof *sorted, by_value);
    if (ret_least) *ret_least = sorted[0];
    if (ret_most) *ret_most = sorted[count - 1];
    return count % 2 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
}

int main(int argc, char **argv)
{
    static Contestant list[CONTESTANTS_MAX];
    int rounds = argc > 3 ? (int)strtol(argv[1], NULL, 10) : 0, count = 0;
    for (int i = 3; i < argc && count < CONTESTANTS_MAX; i++) count += split(&list[count], argv[i]);
    if (rounds < 1 || rounds > ROUNDS_MAX || count < 1) {
        (void)fprintf(stderr, "usage: bench ROUNDS INPUT NAME=COMMAND...\n");
        return 2;
    }
    for (int round = -1; round < rounds; round++) { /* round -1 warms caches and is not counted */
        for (int i = 0; i < count; i++) {
            double cpu = run(&list[i], argv[2], round >= 0);
            if (cpu < 0) {
                (void)fprintf(stderr, "bench: %s failed, see stderr.log\n", list[i].name);
                return 1;
            }
            if (round < 0) continue;
            list[i].cpu_s[round] = cpu;
            list[i].ratio[round] = cpu / list[0].cpu_s[round];
        }
        (void)fprintf(stderr, "\rround %d of %d ", round + 1, rounds);
    }
    (void)fprintf(stderr, "\r");
    printf("%-16s %10s %8s %15s %10s\n", "contestant", "CPU s", "ratio", "spread", "peak MiB");
    for (int i = 0; i < count; i++) {
        double least, most, ratio = median(list[i].ratio, rounds, &least, &most);
        printf("%-16s %10.3f %8.2f %7.2f-%-7.2f %10.1f\n", list[i].name,
               median(list[i].cpu_s, rounds, NULL, NULL), ratio, least, most,
               (double)list[i].rss_kib / 1024);
    }
    return 0;
}
