/* tests/emit/test_cc.c: the cache of objects: hits, damage, folders that cannot be written. */
#include "base/buf.h"
#include "base/mem.h"
#include "compiler/emit_c/cache.h"
#include "compiler/emit_c/cc.h"
#include "test.h"

#include <dirent.h>
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char folder[PATH_MAX]; /* absolute */

static void begin(void)
{
    char name[] = "cc-test-XXXXXX";
    CHECK(mkdtemp(name));
    CHECK(realpath(name, folder));
}

/* How many files there are; removes them all. */
static int end(const char *path)
{
    int count = 0;
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        char file[600];
        if (entry->d_name[0] == '.') continue;
        (void)snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        if (entry->d_type == DT_DIR)
            count += end(file);
        else
            count++, CHECK_INT(unlink(file), 0);
    }
    if (dir) closedir(dir);
    CHECK_INT(rmdir(path), 0);
    return count;
}

static Status compile(const char *text, const char *cache, Buf *path, bool *cached)
{
    Diag diag = {0};
    buf_clear(path);
    return cc_shared_object(&(EmitUnits){.main = str_from(text)}, cache, path, cached, &diag);
}

static int answer(const char *path)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    CHECK(library != NULL);
    const int *value = dlsym(library, "answer");
    CHECK(value != NULL);
    int copy = *value;
    dlclose(library);
    return copy;
}

/* How many the head of an ELF file says there are. */
static int sections(const char *path)
{
    Elf64_Ehdr head = {0};
    FILE *file = fopen(path, "rb");
    CHECK(file && fread(&head, sizeof head, 1, file) == 1 && fclose(file) == 0);
    return head.e_shnum;
}

static const char forty_two[] =
    "extern const int answer; __attribute__((visibility(\"default\"))) const int answer = 42;\n";

TEST(a_damaged_object_is_made_again)
{
    AUTO_BUF Buf path;
    bool cached = true;
    struct stat st;
    buf_init(&path, 4096);
    begin();
    CHECK_OK(compile(forty_two, folder, &path, &cached));
    CHECK(!cached);
    CHECK_OK(compile(forty_two, folder, &path, &cached));
    CHECK(cached);
    CHECK_INT(stat(path.ptr, &st), 0);
    for (int damage = 0; damage < 3; damage++) { /* a power cut: cut short, empty, zeros inside */
        if (damage < 2) {
            CHECK_INT(truncate(path.ptr, damage ? 0 : st.st_size / 2), 0);
        } else {
            FILE *file = fopen(path.ptr, "r+b");
            CHECK(file && !fseek(file, st.st_size / 2, SEEK_SET) && fputc(0x5a, file) == 0x5a);
            CHECK_INT(fclose(file), 0);
        }
        CHECK_OK(compile(forty_two, folder, &path, &cached));
        CHECK(!cached);
        CHECK_INT(answer(path.ptr), 42);
    }
    CHECK_INT(end(folder), 2); /* the object and its text */
}

TEST(a_folder_that_cannot_be_written_costs_nothing_but_the_cache)
{
    AUTO_BUF Buf path;
    bool cached = true;
    char gone[300];
    buf_init(&path, 4096);
    begin();
    CHECK_INT(setenv("TMPDIR", folder, 1), 0);
    (void)snprintf(gone, sizeof gone, "%s/gone", folder);
    CHECK_OK(compile(forty_two, gone, &path, &cached));
    CHECK(str_starts(str_from(path.ptr), str_from(folder)));
    CHECK_INT(answer(path.ptr), 42);
    CHECK_OK(compile(forty_two, gone, &path, &cached));
    CHECK(cached);
    /* A folder that others may write to is not trusted. */
    char spare[300];
    (void)snprintf(spare, sizeof spare, "%s/tutti-%ld", folder, (long)geteuid());
    CHECK_INT(chmod(spare, 0777), 0);
    CHECK_INT(compile("int other;", gone, &path, &cached), ST_IO);
    CHECK_INT(unsetenv("TMPDIR"), 0);
    (void)end(folder);
}

/* A linker that does not want to be called alone, only by the compiler. */
TEST(where_the_linker_cannot_be_used_the_compiler_links)
{
    static const char script[] = "#!/bin/sh\necho \"$1\" >>\"${0%/*}/calls\"\n"
                                 "[ \"$1\" = -shared ] && exit 1\nexec /usr/bin/ld \"$@\"\n";
    AUTO_BUF Buf path, search;
    bool cached = true;
    char linker[300], calls[300], line[64] = "";
    buf_init(&path, 4096);
    buf_init(&search, 65536);
    begin();
    (void)snprintf(linker, sizeof linker, "%s/bin", folder);
    CHECK_INT(mkdir(linker, 0700), 0);
    (void)snprintf(linker, sizeof linker, "%s/bin/ld", folder);
    (void)snprintf(calls, sizeof calls, "%s/bin/calls", folder);
    FILE *file = fopen(linker, "w");
    CHECK(file && fputs(script, file) >= 0 && fclose(file) == 0);
    CHECK_INT(chmod(linker, 0700), 0);
    const char *before = getenv("PATH");
    buf_printf(&search, "%s/bin:%s", folder, before);
    AUTO_FREE char *kept = mem_alloc(strlen(before) + 1);
    CHECK(kept);
    memcpy(kept, before, strlen(before) + 1);
    CHECK_INT(setenv("PATH", search.ptr, 1), 0);
    CHECK_OK(compile(forty_two, folder, &path, &cached));
    CHECK_INT(setenv("PATH", kept, 1), 0);
    CHECK(!cached);
    CHECK_INT(answer(path.ptr), 42);
    file = fopen(calls, "r"); /* it was asked, and refused */
    CHECK(file && fgets(line, sizeof line, file) && fclose(file) == 0);
    CHECK_TEXT(line, "-shared\n");
    CHECK_INT(end(folder), 4); /* the object, its text, and these two */
}

/* Quick code is linked here, and by a linker when there is something in it that only one knows. */
TEST(quick_code_is_linked_either_way)
{
    static const char more[] = "__thread int x; int *f(void) { return &x; }\n";
    AUTO_BUF Buf path, text;
    Diag diag = {0};
    bool quick;
    buf_init(&path, 4096);
    buf_init(&text, 4096);
    begin();
    for (int i = 0; i < 2; i++) {
        buf_clear(&path);
        buf_text(&text, i ? more : forty_two);
        EmitUnits units = {.main = buf_view(&text)};
        CHECK_OK(cc_shared_object_quick(&units, folder, &path, &quick, &diag));
        CHECK(quick);
        CHECK_INT(answer(path.ptr), 42);
        CHECK_INT(sections(path.ptr) > 0, i); /* a linker lists them */
    }
    CHECK_INT(end(folder), 5); /* the last: how to call the compiler's parts */
}

TEST(a_refused_text_leaves_nothing_behind)
{
    AUTO_BUF Buf path;
    bool cached;
    buf_init(&path, 4096);
    begin();
    CHECK_INT(compile("this is not C\n", folder, &path, &cached), ST_INTERNAL);
    CHECK_INT(end(folder), 0);
}

/* ---- the maximum ---- */

static void file_of(const char *name, size_t kib, int64_t used_s)
{
    static char block[1024];
    struct timespec times[2] = {{.tv_sec = used_s}, {.tv_sec = used_s}};
    char path[PATH_MAX + 100];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    memset(block, 'x', sizeof block);
    for (size_t i = 0; i < kib; i++) CHECK(write(fd, block, sizeof block) == sizeof block);
    CHECK_INT(fsync(fd), 0); /* its blocks are counted then */
    CHECK_INT(futimens(fd, times), 0);
    CHECK_INT(close(fd), 0);
}

static bool there(const char *name)
{
    char path[PATH_MAX + 100];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return access(path, F_OK) == 0;
}

#define HASH "0123456789abcdef0123456789abcdef"

TEST(what_was_not_used_for_longest_goes_first)
{
    int64_t now = (int64_t)time(NULL);
    begin();
    CHECK_INT(setenv("TUTTI_CACHE_MIB", "1", 1), 0);
    file_of(HASH "00000000.so", 300, now - 5000);
    file_of(HASH "q.so", 300, now - 4000);
    file_of(HASH "00000001.jit", 300, now - 3000);
    file_of("notes.txt", 900, now - 9000);
    cache_trim(folder); /* 900 of 1,024 KiB */
    CHECK(there(HASH "00000000.so") && there(HASH "q.so"));
    file_of(HASH "00000002.77.c", 300, now - 6000);
    cache_trim(folder); /* 1,200 of them: to 768 and below, the oldest first */
    CHECK(!there(HASH "00000002.77.c") && !there(HASH "00000000.so"));
    CHECK(there(HASH "q.so") && there(HASH "00000001.jit") && there("notes.txt"));
    CHECK_INT(unsetenv("TUTTI_CACHE_MIB"), 0);
    CHECK_INT(end(folder), 3);
}

TEST(what_may_be_opened_now_stays)
{
    int64_t now = (int64_t)time(NULL);
    begin();
    CHECK_INT(setenv("TUTTI_CACHE_MIB", "1", 1), 0);
    file_of(HASH ".so", 900, now - 5);
    file_of(HASH "a.so", 900, now);
    cache_trim(folder);
    CHECK(there(HASH ".so") && there(HASH "a.so"));
    CHECK_INT(setenv("TUTTI_CACHE_MIB", "0", 1), 0); /* no limit */
    file_of(HASH "b.so", 900, now - 9000);
    cache_trim(folder);
    CHECK(there(HASH "b.so"));
    CHECK_INT(setenv("TUTTI_CACHE_MIB", "many", 1), 0); /* the preset */
    cache_trim(folder);
    CHECK(there(HASH "b.so"));
    CHECK_INT(unsetenv("TUTTI_CACHE_MIB"), 0);
    CHECK_INT(end(folder), 3);
}

TEST(a_hit_counts_as_use)
{
    AUTO_BUF Buf path;
    struct stat st;
    bool cached;
    buf_init(&path, 8192);
    begin();
    CHECK_OK(compile("__attribute__((visibility(\"default\"))) const int answer = 7;", folder,
                     &path, &cached));
    struct timespec old[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    CHECK_INT(utimensat(AT_FDCWD, path.ptr, old, 0), 0);
    CHECK_OK(compile("__attribute__((visibility(\"default\"))) const int answer = 7;", folder,
                     &path, &cached));
    CHECK(cached);
    CHECK_INT(stat(path.ptr, &st), 0);
    CHECK(st.st_mtim.tv_sec > 1000000000);
    (void)end(folder);
}
