/* tests/emit/test_cc_steps.c: the compiler's parts called without its driver: what is learnt, what
 * makes it learnt again, and what is never followed. The driver is a script that says when it is
 * called and what it would start. */
#include "base/buf.h"
#include "compiler/emit_c/cc.h"
#include "test.h"

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[PATH_MAX], cache[PATH_MAX + 20]; /* absolute; the scripts lie in the first */

static void in_folder(const char *name, char *path)
{
    (void)snprintf(path, PATH_MAX + 100, "%s/%s", folder, name);
}

static void script(const char *name, const char *text)
{
    char path[PATH_MAX + 100];
    in_folder(name, path);
    FILE *file = fopen(path, "w");
    CHECK(file && fputs("#!/bin/sh\n", file) >= 0 && fputs(text, file) >= 0 && fclose(file) == 0);
    CHECK_INT(chmod(path, 0700), 0);
}

static void begin(const char *driver)
{
    char name[] = "cc-steps-XXXXXX", path[PATH_MAX + 100];
    CHECK(mkdtemp(name));
    CHECK(realpath(name, folder));
    (void)snprintf(cache, sizeof cache, "%s/cache", folder);
    CHECK_INT(mkdir(cache, 0700), 0);
    script("driver", driver);
    in_folder("driver", path);
    CHECK_INT(setenv("TUTTI_CC", path, 1), 0);
}

static void remove_all(const char *path)
{
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        char file[PATH_MAX + 300];
        if (entry->d_name[0] == '.') continue;
        (void)snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        if (unlink(file)) remove_all(file);
    }
    if (dir) closedir(dir);
    CHECK_INT(rmdir(path), 0);
}

static void end(void)
{
    CHECK_INT(unsetenv("TUTTI_CC"), 0);
    remove_all(folder);
}

/* What the driver was called for since the last time: 'a' asked what it would start, 'c' to
 * compile. */
static void calls(char *out)
{
    char path[PATH_MAX + 100], line[64];
    in_folder("calls", path);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file)) *out++ = strcmp(line, "-###\n") ? 'c' : 'a';
    if (file) CHECK_INT(fclose(file), 0);
    *out = '\0';
    (void)unlink(path);
}

/* Compiles and loads a text of its own; then the driver was called `want`. */
static void try(int answer, const char *want)
{
    AUTO_BUF Buf path, text;
    Diag diag = {0};
    char said[32];
    bool quick;
    buf_init(&path, 8192);
    buf_init(&text, 4096);
    buf_printf(&text,
               "extern const int answer; __attribute__((visibility(\"default\")))"
               "const int answer = %d;\n",
               answer);
    EmitUnits units = {.main = buf_view(&text)};
    CHECK_OK(cc_shared_object_quick(&units, cache, &path, &quick, &diag));
    void *library = dlopen(path.ptr, RTLD_NOW | RTLD_LOCAL);
    CHECK(library != NULL);
    const int *value = dlsym(library, "answer");
    CHECK(value && *value == answer);
    CHECK_INT(dlclose(library), 0);
    calls(said);
    CHECK_TEXT(said, want);
}

/* The file that keeps the steps; false: there is none. */
static bool kept(char *path)
{
    bool found = false;
    DIR *dir = opendir(cache);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        if (str_ends(str_from(entry->d_name), STR(".steps"))) {
            CHECK(!found);
            found = true;
            (void)snprintf(path, PATH_MAX + 300, "%s/%s", cache, entry->d_name);
        }
    if (dir) closedir(dir);
    return found;
}

#define SAYS "echo \"$1\" >>\"${0%/*}/calls\"\n"

static const char honest[] = SAYS "exec cc \"$@\"\n";
/* One part, which is a script too. */
static const char with_a_part[] =
    SAYS "[ \"$1\" = -### ] || exec cc \"$@\"\n"
         "for word; do case $last in -o) object=$word;; esac; last=$word\n"
         "case $word in *.c) source=$word;; esac; done\n"
         "echo 'A driver, its first version'\necho ' (remark)'\n"
         "echo \" \\\"${0%/*}/part\\\" \\\"-D\\\\\\\"x\\\" $source \\\"$object\\\"\"\n";
static const char part[] = "exec cc -O0 -fPIC -c \"$2\" -o \"$3\"\n";

TEST(the_driver_is_asked_once)
{
    char path[PATH_MAX + 300];
    struct stat st;
    begin(honest);
    try(1, "a");
    try(2, "");
    CHECK(kept(path));
    CHECK_INT(stat(path, &st), 0);
    CHECK_INT(st.st_mode & 0777, 0600);
    end();
}

TEST(what_was_learnt_holds_for_these_programs_only)
{
    char path[PATH_MAX + 100];
    begin(with_a_part);
    script("part", part);
    try(1, "a");
    try(2, "");
    script("part", "# another\nexec cc -O0 -fPIC -c \"$2\" -o \"$3\"\n");
    try(3, "a");
    try(4, "");
    in_folder("driver", path); /* another driver */
    struct timespec times[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    CHECK_INT(utimensat(AT_FDCWD, path, times, 0), 0);
    try(5, "a");
    in_folder("part", path);
    CHECK_INT(unlink(path), 0); /* nothing to learn: a part is missing */
    try(6, "ac");
    end();
}

TEST(damaged_steps_are_learnt_again)
{
    char path[PATH_MAX + 300];
    struct stat st;
    begin(with_a_part);
    script("part", part);
    try(1, "a");
    CHECK(kept(path));
    CHECK_INT(stat(path, &st), 0);
    for (int i = 0; i < 4; i++) { /* cut short, empty, a byte of the seal, another program */
        FILE *file = fopen(path, "r+b");
        CHECK(file);
        if (i < 2) CHECK_INT(ftruncate(fileno(file), i ? 0 : st.st_size - 1), 0);
        if (i == 2) {
            CHECK_INT(fseek(file, -1, SEEK_END), 0);
            int last = fgetc(file);
            CHECK(!fseek(file, -1, SEEK_END) && fputc(last ^ 1, file) == (last ^ 1));
        }
        if (i == 3) CHECK(fputs("/bin/true", file) >= 0);
        CHECK_INT(fclose(file), 0);
        try(10 + 2 * i, "a");
        try(11 + 2 * i, "");
    }
    end();
}

TEST(steps_that_others_could_write_are_not_followed)
{
    char path[PATH_MAX + 300], other[PATH_MAX + 100];
    begin(with_a_part);
    script("part", part);
    try(1, "a");
    CHECK(kept(path));
    for (int i = 0; i < 2; i++) {
        CHECK_INT(chmod(path, i ? 0602 : 0620), 0);
        try(10 + i, "a"); /* written anew */
        try(20 + i, "");
    }
    in_folder("elsewhere", other); /* a link to what is elsewhere */
    CHECK(rename(path, other) == 0 && symlink(other, path) == 0);
    try(30, "a");
    try(31, "");
    for (int i = 0; i < 2; i++) { /* a folder in which others may put files: the driver compiles */
        CHECK_INT(chmod(cache, i ? 0702 : 0720), 0);
        try(40 + i, "c");
    }
    CHECK_INT(chmod(cache, 0700), 0);
    try(50, "a");         /* what lay there is forgotten */
    if (geteuid() == 0) { /* files and folders of another user */
        CHECK_INT(chown(path, 1, 1), 0);
        try(60, "a");
        CHECK_INT(chown(cache, 1, 1), 0);
        try(61, "c");
        CHECK_INT(chown(cache, 0, 0), 0);
    }
    end();
}

TEST(where_the_steps_fail_the_driver_compiles)
{
    static const char *const answers[] = {
        "echo \" /bin/false $*\"",                        /* fails, and is not kept */
        "echo \" /bin/false $* |\"; echo \" /bin/cat\"",  /* the first of two fails */
        "echo \" /bin/echo $* |\"; echo \" /bin/false\"", /* the second */
    };
    static const char *const unknown[] = {
        "echo \" /bin/true $*\"; echo \" /bin/true $*\"", /* a file between two steps */
        "echo \" /bin/true $* |\"",                       /* and then? */
        "echo \" /bin/true $* | more\"",
        "echo \" /bin/true $4\"",            /* neither source nor object */
        "echo \" /bin/no-such-part $*\"",    /* it is not there */
        "echo \" /bin/true \\\"$*\"",        /* a quote without an end */
        "echo \"what do you want?\"; true",  /* no steps */
        "echo \" /bin/true $*\"; exit 1",    /* it does not know -### */
        "yes \" /bin/true\" | head -n 30000" /* too much */
    };
    char text[400], path[PATH_MAX + 300];
    for (size_t i = 0; i < COUNT_OF(answers) + COUNT_OF(unknown); i++) {
        bool fails = i < COUNT_OF(answers);
        (void)snprintf(text, sizeof text, "%s[ \"$1\" = -### ] || exec cc \"$@\"\n%s\n", SAYS,
                       fails ? answers[i] : unknown[i - COUNT_OF(answers)]);
        begin(text);
        try((int)i, "ac");
        if (kept(path)) fail_msg("kept: %s", text);
        try((int)i + 100, "ac");
        end();
    }
}

/* A text that nobody can compile is refused as ever, in the driver's words. */
TEST(a_refused_text_keeps_the_steps)
{
    AUTO_BUF Buf path;
    Diag diag = {0};
    char said[32];
    bool quick;
    buf_init(&path, 8192);
    begin(honest);
    EmitUnits units = {.main = STR("this is not C\n")};
    for (int i = 0; i < 2; i++) {
        CHECK_INT(cc_shared_object_quick(&units, cache, &path, &quick, &diag), ST_INTERNAL);
        CHECK(strstr(diag.text, "error") != NULL);
        calls(said);
        CHECK_TEXT(said, i ? "c" : "ac");
    }
    try(1, "");
    end();
}
