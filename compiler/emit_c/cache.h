/* compiler/emit_c/cache.h: the folder of compiled programs has a maximum.
 *
 * $TUTTI_CACHE_MIB is how many MiB the files that Tutti made there may take together (512 when it
 * is not set, 0 is no limit); what was not used for longest goes first, until a quarter is free. A
 * file used within the last ten minutes stays, whatever the sum: another process may be about to
 * open it. Files with other names are never touched. */
#ifndef TUTTI_COMPILER_EMIT_C_CACHE_H
#define TUTTI_COMPILER_EMIT_C_CACHE_H

/* The open file was used now. */
void cache_used(int fd);
/* To be called when something was added. What cannot be removed stays, silently. */
void cache_trim(const char *folder);

#endif
