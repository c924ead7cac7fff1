/* runtime/ask/historian.h: the historian's file as SQL sees it.
 *
 * samples(path, time, value, quality)   every number of the namespace
 * paths(path)                           what has a history
 * steps(path, from, to, step, zone)     a path step by step of time, a table function: time, mean,
 *                                       min, max, first, last, count, quality
 * and the tables of `into historian` under their own names. Times are nanoseconds since 1970;
 * now() is one. */
#ifndef TUTTI_ASK_HISTORIAN_H
#define TUTTI_ASK_HISTORIAN_H

#include "base/status.h"

#include <sqlite3.h>

/* The function now(). False: out of memory. */
MUST bool historian_now(sqlite3 *db);
/* Gives a read-only connection to the file its tables and functions, but those of programs. */
MUST Status historian_tables(sqlite3 *db, Diag *diag);
/* Views for the tables of programs that came since the last call. */
MUST Status historian_views(sqlite3 *db, Diag *diag);
/* steps_table.c; false: out of memory. */
MUST bool historian_steps_register(sqlite3 *db);

#endif
