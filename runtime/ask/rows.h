/* runtime/ask/rows.h: rows of a table of `into historian`, as records of `from historian`.
 *
 * Every write of a row gives it the next number of its table, in the column "#": that is the order
 * of writing. Rows from before there were numbers have none and come first, by their row ids. */
#ifndef TUTTI_ASK_ROWS_H
#define TUTTI_ASK_ROWS_H

#include "base/buf.h"
#include "store/store.h"

/* Column of the number, no name that a field can have. The first row has one above NONE. */
#define ROWS_NUMBER "#"

enum { ROWS_COLUMNS_MAX = 256, ROWS_SQL_BYTES_MAX = 64 << 10, ROWS_NUMBER_NONE = 1 };

typedef struct RowsColumn {
    Str name;
    char have, want; /* letters of bool int number text json; d: time */
    bool there;
} RowsColumn;

typedef struct RowsTable {
    RowsColumn columns[ROWS_COLUMNS_MAX];
    uint32_t count;
    bool numbered, indexed; /* it has the column; it is found by it */
    const char *rowid;      /* the name for it that is no column */
    Buf select;             /* "c", "d" of those that are there; done by rows_done */
} RowsTable;

/* `wanted`: the option `columns` of the source (compiler/type/historian.c). ST_NOT_FOUND: there is
 * no such table, or a column is not there that must be; both may come. ST_CONFLICT: a column is of
 * another type, for good. */
MUST Status rows_open(StoreConn *conn, Str table, Str wanted, RowsTable *ret_rows, Diag *diag);
void rows_done(RowsTable *rows);
/* The record as JSON; column `at` of the statement is the first of `select`. NULL is missing. */
void rows_put(const RowsTable *rows, StoreStmt *stmt, int at, Buf *out);

#endif
