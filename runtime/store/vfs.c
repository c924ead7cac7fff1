/* runtime/store/vfs.c: a VFS of SQLite that writes the log side by side.
 *
 * Over the preset VFS. A commit is seen by others when its index is written, which is behind the
 * sync of its frames (synchronous=FULL, sqlite_conn.c), and SQLite looks at what each of the calls
 * answers that bring bytes out. That is not so in the main file: a checkpoint that a reader cuts
 * short asks for nothing after its last write, so a full disk would go unnoticed there. */
#include "store/vfs.h"

#include "base/mem.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <string.h>

enum { GATHER_BYTES = 64 * 1024 };

typedef struct Log {
    sqlite3_file base;
    char *bytes; /* owned, made with the first write; GATHER_BYTES */
    size_t len;
    sqlite3_int64 at; /* of bytes[0] in the file */
} Log;

static Log *log_of(sqlite3_file *base)
{
    return (Log *)base;
}

/* The preset's file lies behind ours. */
static sqlite3_file *inner(sqlite3_file *base)
{
    return (sqlite3_file *)(log_of(base) + 1);
}

static int bring_out(sqlite3_file *base)
{
    Log *log = log_of(base);
    size_t len = log->len;
    log->len = 0;
    return len ? inner(base)->pMethods->xWrite(inner(base), log->bytes, (int)len, log->at)
               : SQLITE_OK;
}

/* ---- what moves bytes ---- */

static int on_write(sqlite3_file *base, const void *bytes, int len, sqlite3_int64 at)
{
    Log *log = log_of(base);
    bool follows = log->len && at == log->at + (sqlite3_int64)log->len;
    if (!follows || log->len + (size_t)len > GATHER_BYTES) {
        int code = bring_out(base);
        if (code) return code;
    }
    if (!log->bytes) log->bytes = mem_alloc(GATHER_BYTES);
    if (!log->bytes || (size_t)len > GATHER_BYTES)
        return inner(base)->pMethods->xWrite(inner(base), bytes, len, at);
    if (!log->len) log->at = at;
    memcpy(log->bytes + log->len, bytes, (size_t)len);
    log->len += (size_t)len;
    return SQLITE_OK;
}

static int on_read(sqlite3_file *base, void *bytes, int len, sqlite3_int64 at)
{
    const Log *log = log_of(base);
    sqlite3_int64 end = log->at + (sqlite3_int64)log->len;
    if (log->len && at < end && at + len > log->at) {
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

/* What is left was never committed. */
static int on_close(sqlite3_file *base)
{
    mem_free(log_of(base)->bytes);
    log_of(base)->bytes = NULL;
    return inner(base)->pMethods->xClose(inner(base));
}

/* ---- the rest is passed on ---- */

static int on_lock(sqlite3_file *base, int level)
{
    return inner(base)->pMethods->xLock(inner(base), level);
}

static int on_unlock(sqlite3_file *base, int level)
{
    return inner(base)->pMethods->xUnlock(inner(base), level);
}

static int on_reserved(sqlite3_file *base, int *ret_reserved)
{
    return inner(base)->pMethods->xCheckReservedLock(inner(base), ret_reserved);
}

static int on_control(sqlite3_file *base, int op, void *arg)
{
    return inner(base)->pMethods->xFileControl(inner(base), op, arg);
}

static int on_sector(sqlite3_file *base)
{
    return inner(base)->pMethods->xSectorSize(inner(base));
}

static int on_traits(sqlite3_file *base)
{
    return inner(base)->pMethods->xDeviceCharacteristics(inner(base));
}

/* Version 1: shared memory and mapping are the main file's. */
static const sqlite3_io_methods methods = {.iVersion = 1,
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
                                           .xDeviceCharacteristics = on_traits};

/* Files that are no log are the preset's own: there is room for one. */
static int on_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags,
                   int *ret_flags)
{
    sqlite3_vfs *preset = vfs->pAppData;
    if (!(flags & SQLITE_OPEN_WAL)) return preset->xOpen(preset, name, base, flags, ret_flags);
    *log_of(base) = (Log){0};
    int code = preset->xOpen(preset, name, inner(base), flags, ret_flags);
    if (!code) log_of(base)->base.pMethods = &methods;
    return code;
}

static sqlite3_vfs ours; /* a copy of the preset's, but for xOpen */
static const char *name_of_ours;

static void make(void)
{
    sqlite3_vfs *preset = sqlite3_vfs_find(NULL);
    if (!preset) return;
    ours = *preset;
    ours.zName = "tutti";
    ours.szOsFile = (int)sizeof(Log) + preset->szOsFile;
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
