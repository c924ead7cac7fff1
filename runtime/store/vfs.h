/* runtime/store/vfs.h: a VFS of SQLite that writes the log side by side; for this folder only.
 *
 * SQLite hands over a page at a time, and in the write-ahead log a head of 24 bytes before each: a
 * commit of some pages is dozens of system calls. Here what follows each other in the log is
 * gathered and goes out before anybody could miss it: before a sync, a read of it, a question for
 * its size. A write that fails is told by the call that brought it out. */
#ifndef TUTTI_STORE_VFS_H
#define TUTTI_STORE_VFS_H

/* Name for sqlite3_open_v2; NULL (the preset) when it could not be registered. Once per process,
 * from any thread. */
const char *store__vfs(void);

#endif
