/* runtime/store/vfs.c: a VFS of SQLite that writes pages side by side at once.
 *
 * Over the preset VFS: every method is passed on, and those after which somebody may look at the
 * file bring out first what was gathered. In WAL mode a commit is seen by others when its index is
 * written, between two barriers on the main file: frames are out by then, since a commit syncs them
 * (synchronous=FULL, sqlite_conn.c). A checkpoint counts pages as done behind a sync, too. */
#include "store/vfs.h"

#include "base/mem.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <string.h>

enum { GATHER_BYTES = 64 * 1024 };

typedef struct File {
    sqlite3_file base;
    bool gathers;
    int failed;  /* what a call that cannot tell it met; told by the next one that can */
    char *bytes; /* owned, made with the first write; GATHER_BYTES */
    size_t len;
    sqlite3_int64 at; /* of bytes[0] in the file */
} File;

static File *file_of(sqlite3_file *base)
{
    return (File *)base;
}

/* The preset's file lies behind ours. */
static sqlite3_file *inner(sqlite3_file *base)
{
    return (sqlite3_file *)(file_of(base) + 1);
}

static int bring_out(sqlite3_file *base)
{
    File *file = file_of(base);
    size_t len = file->len;
    int code = file->failed;
    file->failed = SQLITE_OK;
    file->len = 0;
    if (code || !len) return code;
    return inner(base)->pMethods->xWrite(inner(base), file->bytes, (int)len, file->at);
}

/* ---- what moves bytes ---- */

static int on_write(sqlite3_file *base, const void *bytes, int len, sqlite3_int64 at)
{
    File *file = file_of(base);
    bool follows = file->len && at == file->at + (sqlite3_int64)file->len;
    if (!follows || file->len + (size_t)len > GATHER_BYTES) {
        int code = bring_out(base);
        if (code) return code;
    }
    if (!file->bytes && file->gathers) file->bytes = mem_alloc(GATHER_BYTES);
    if (!file->bytes || (size_t)len > GATHER_BYTES)
        return inner(base)->pMethods->xWrite(inner(base), bytes, len, at);
    if (!file->len) file->at = at;
    memcpy(file->bytes + file->len, bytes, (size_t)len);
    file->len += (size_t)len;
    return SQLITE_OK;
}

static int on_read(sqlite3_file *base, void *bytes, int len, sqlite3_int64 at)
{
    const File *file = file_of(base);
    sqlite3_int64 end = file->at + (sqlite3_int64)file->len;
    if (file->len && at < end && at + len > file->at) {
        int code = bring_out(base);
        if (code) return code;
    }
    return inner(base)->pMethods->xRead(inner(base), bytes, len, at);
}

static int on_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    int code = bring_out(base);
    return code ? code : inner(base)->pMethods->xTruncate(inner(base), size);
}

static int on_sync(sqlite3_file *base, int flags)
{
    int code = bring_out(base);
    return code ? code : inner(base)->pMethods->xSync(inner(base), flags);
}

static int on_size(sqlite3_file *base, sqlite3_int64 *ret_size)
{
    int code = bring_out(base);
    return code ? code : inner(base)->pMethods->xFileSize(inner(base), ret_size);
}

static int on_control(sqlite3_file *base, int op, void *arg)
{
    int code = bring_out(base);
    return code ? code : inner(base)->pMethods->xFileControl(inner(base), op, arg);
}

static int on_close(sqlite3_file *base)
{
    int written = bring_out(base), code = inner(base)->pMethods->xClose(inner(base));
    mem_free(file_of(base)->bytes);
    file_of(base)->bytes = NULL;
    return written ? written : code;
}

/* ---- locks: who takes or leaves one may look, or others may ---- */

static int on_lock(sqlite3_file *base, int level)
{
    int code = bring_out(base);
    return code ? code : inner(base)->pMethods->xLock(inner(base), level);
}

static int on_unlock(sqlite3_file *base, int level)
{
    int written = bring_out(base), code = inner(base)->pMethods->xUnlock(inner(base), level);
    return written ? written : code;
}

static int on_reserved(sqlite3_file *base, int *ret_reserved)
{
    return inner(base)->pMethods->xCheckReservedLock(inner(base), ret_reserved);
}

static int on_shm_map(sqlite3_file *base, int page, int bytes, int extend, void volatile **ret)
{
    return inner(base)->pMethods->xShmMap(inner(base), page, bytes, extend, ret);
}

static int on_shm_lock(sqlite3_file *base, int offset, int count, int flags)
{
    int code = bring_out(base);
    return code ? code : inner(base)->pMethods->xShmLock(inner(base), offset, count, flags);
}

static void on_shm_barrier(sqlite3_file *base)
{
    file_of(base)->failed = bring_out(base);
    inner(base)->pMethods->xShmBarrier(inner(base));
}

static int on_shm_unmap(sqlite3_file *base, int delete)
{
    return inner(base)->pMethods->xShmUnmap(inner(base), delete);
}

/* ---- the rest ---- */

static int on_sector(sqlite3_file *base)
{
    return inner(base)->pMethods->xSectorSize(inner(base));
}

static int on_traits(sqlite3_file *base)
{
    return inner(base)->pMethods->xDeviceCharacteristics(inner(base));
}

static int on_fetch(sqlite3_file *base, sqlite3_int64 at, int bytes, void **ret)
{
    int code = bring_out(base);
    return code ? code : inner(base)->pMethods->xFetch(inner(base), at, bytes, ret);
}

static int on_unfetch(sqlite3_file *base, sqlite3_int64 at, void *bytes)
{
    return inner(base)->pMethods->xUnfetch(inner(base), at, bytes);
}

static const sqlite3_io_methods methods = {.iVersion = 3,
                                           .xClose = on_close,
                                           .xRead = on_read,
                                           .xWrite = on_write,
                                           .xTruncate = on_truncate,
                                           .xSync = on_sync,
                                           .xFileSize = on_size,
                                           .xLock = on_lock,
                                           .xUnlock = on_unlock,
                                           .xCheckReservedLock = on_reserved,
                                           .xFileControl = on_control,
                                           .xSectorSize = on_sector,
                                           .xDeviceCharacteristics = on_traits,
                                           .xShmMap = on_shm_map,
                                           .xShmLock = on_shm_lock,
                                           .xShmBarrier = on_shm_barrier,
                                           .xShmUnmap = on_shm_unmap,
                                           .xFetch = on_fetch,
                                           .xUnfetch = on_unfetch};

static int on_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags,
                   int *ret_flags)
{
    sqlite3_vfs *preset = vfs->pAppData;
    File *file = file_of(base);
    *file = (File){.gathers = flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_DB)};
    int code = preset->xOpen(preset, name, inner(base), flags, ret_flags);
    const sqlite3_io_methods *under = inner(base)->pMethods;
    if (code || !under) return code;
    if (under->iVersion < 3) { /* not the one this was written for */
        (void)under->xClose(inner(base));
        return SQLITE_CANTOPEN;
    }
    file->base.pMethods = &methods;
    return SQLITE_OK;
}

static sqlite3_vfs ours; /* a copy of the preset's, but for xOpen */
static const char *name_of_ours;

static void make(void)
{
    sqlite3_vfs *preset = sqlite3_vfs_find(NULL);
    if (!preset) return;
    ours = *preset;
    ours.zName = "tutti";
    ours.szOsFile = (int)sizeof(File) + preset->szOsFile;
    ours.pAppData = preset;
    ours.xOpen = on_open;
    if (!sqlite3_vfs_register(&ours, 0)) name_of_ours = ours.zName;
}

const char *store__vfs(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, make);
    return name_of_ours;
}
