/* compiler/emit_c/cache.c: see cache.h. A file's time of change says when it was used last. */
#include "compiler/emit_c/cache.h"

#include "base/mem.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    PRESET_MIB = 512,
    RECENT_S = 600,
    FILES_MAX = 1 << 20,
    HASH_CHARS = 32,    /* the shortest beginning of a name we give */
    NAME_BYTES_MAX = 80 /* hash, process, ending */
};

typedef struct File {
    int64_t used_s, bytes;
    char name[NAME_BYTES_MAX + 1];
} File;

typedef struct Files {
    File *list;
    uint32_t count, room;
    int64_t bytes;
} Files;

void cache_used(int fd)
{
    (void)futimens(fd, NULL);
}

/* 0: there is none. */
static int64_t limit_bytes(void)
{
    const char *text = getenv("TUTTI_CACHE_MIB");
    char *end = NULL;
    long long mib = text && *text ? strtoll(text, &end, 10) : PRESET_MIB;
    if (text && *text && (*end || mib < 0 || mib > 1 << 30)) mib = PRESET_MIB;
    return (int64_t)mib << 20;
}

/* A hash in small hexadecimal digits, then an ending, perhaps with a process in front of it. */
static bool is_ours(const char *name)
{
    size_t digits = strspn(name, "0123456789abcdef"), len = strlen(name);
    const char *rest = name + digits + (name[digits] == 'q');
    return digits >= HASH_CHARS && *rest == '.' && len <= NAME_BYTES_MAX;
}

static bool add(Files *files, const char *name, const struct stat *st)
{
    if (files->count == files->room) {
        uint32_t room = files->room ? files->room * 2 : 256;
        File *list = room <= FILES_MAX ? mem_realloc(files->list, room * sizeof *list) : NULL;
        if (!list) return false;
        files->list = list;
        files->room = room;
    }
    File *file = &files->list[files->count++];
    file->used_s = st->st_mtim.tv_sec;
    file->bytes = (int64_t)st->st_blocks * 512;
    memcpy(file->name, name, strlen(name) + 1);
    files->bytes += file->bytes;
    return true;
}

static int by_use(const void *a, const void *b)
{
    const File *x = a, *y = b;
    return (x->used_s > y->used_s) - (x->used_s < y->used_s);
}

static void trim(int folder, Files *files, int64_t limit)
{
    int64_t now = (int64_t)time(NULL);
    qsort(files->list, files->count, sizeof *files->list, by_use);
    for (uint32_t i = 0; i < files->count && files->bytes > limit / 4 * 3; i++) {
        const File *file = &files->list[i];
        if (now - file->used_s < RECENT_S) return;
        if (unlinkat(folder, file->name, 0) == 0) files->bytes -= file->bytes;
    }
}

void cache_trim(const char *folder)
{
    int64_t limit = limit_bytes();
    DIR *dir = limit ? opendir(folder) : NULL;
    Files files = {0};
    if (!dir) return;
    for (const struct dirent *entry; (entry = readdir(dir));) {
        struct stat st;
        if (is_ours(entry->d_name) &&
            fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(st.st_mode) && !add(&files, entry->d_name, &st))
            break;
    }
    if (files.bytes > limit) trim(dirfd(dir), &files, limit);
    mem_free(files.list);
    closedir(dir);
}
