/* compiler/driver/walk.c: what commands mean by FILE|FOLDER: the file, or those of a folder. */
#include "compiler/driver/driver.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { FOLDER_DEPTH_MAX = 32 };

typedef struct Walk {
    const char *const *endings;
    DriverFile *each;
    void *ctx;
} Walk;

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static bool has_ending(const Walk *walk, const char *name)
{
    for (const char *const *e = walk->endings; *e; e++)
        if (str_ends(str_from(name), str_from(*e))) return true;
    return false;
}

static int shown(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static Status walk_folder(const Walk *walk, const char *path, uint32_t depth, Diag *diag)
{
    struct dirent **list = NULL;
    if (depth > FOLDER_DEPTH_MAX) return diag_set(diag, ST_LIMIT, "%s: folders too deep", path);
    int count = scandir(path, &list, shown, alphasort);
    if (count < 0) return diag_errno(diag, errno, "%s", path);
    Status st = ST_OK;
    for (int i = 0; i < count; i++) {
        char inner[PATH_MAX];
        int len = snprintf(inner, sizeof inner, "%s/%s", path, list[i]->d_name);
        if (!st && (len < 0 || (size_t)len >= sizeof inner))
            st = diag_set(diag, ST_LIMIT, "%s/%s: the path is too long", path, list[i]->d_name);
        if (!st && is_folder(inner))
            st = walk_folder(walk, inner, depth + 1, diag);
        else if (!st && has_ending(walk, list[i]->d_name))
            st = walk->each(walk->ctx, inner, diag);
        free(list[i]); /* check-allow: call scandir allocated it */
    }
    free(list); /* check-allow: call scandir allocated it */
    return st;
}

Status driver_walk(const char *path, const char *const *endings, DriverFile *each, void *ctx,
                   Diag *diag)
{
    Walk walk = {endings, each, ctx};
    return is_folder(path) ? walk_folder(&walk, path, 1, diag) : each(ctx, path, diag);
}
