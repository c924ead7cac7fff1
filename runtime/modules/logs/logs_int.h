/* runtime/modules/logs/logs_int.h: between logs.c (lines, ops) and logs_sql.c (tables). */
#ifndef TUTTI_MODULES_LOGS_INT_H
#define TUTTI_MODULES_LOGS_INT_H

#include "module/module.h"

typedef struct LogsRow {
    int64_t id, time_ms;
    int level;
    Str module, message, detail;
} LogsRow;

typedef struct LogsQuery {
    Str words, module; /* empty = any */
    int level;         /* this or worse */
    int64_t since_ms, before, limit;
} LogsQuery;

extern const StoreMigration logs__migrations[];

/* Inside jobs of the store. Insert sets row->id. */
MUST Status logs__insert(StoreConn *conn, LogsRow *row, Diag *diag);
MUST Status logs__search(StoreConn *conn, const LogsQuery *query, JsonOut *out, Diag *diag);
MUST Status logs__trim(StoreConn *conn, int64_t oldest_ms, int64_t bytes_max, Diag *diag);
void logs__put_row(JsonOut *out, const LogsRow *row);
/* The caller's words as an FTS5 query: each quoted, as a prefix, all needed. Empty stays empty. */
void logs__match(Str words, Buf *out);

#endif
