/* runtime/ask/rows.h: rows of a table of `into historian`, as records of `from historian`.
 *
 * Every write of a row gives it the next number of its table, in the column "#": that is the order
 * of writing. A number is at least the microseconds since 1970 of its write, so it says when that
 * was, too: where the clock goes back, or rows come quicker, numbers go on one by one. Rows from
 * before there were numbers have none and come first, by their row ids; those of before numbers
 * were times have small ones. */
#ifndef TUTTI_ASK_ROWS_H
#define TUTTI_ASK_ROWS_H

#include "base/buf.h"
#include "store/store.h"

/* Column of the number, no name that a field can have. The first row has one above NONE. */
#define ROWS_NUMBER "#"

enum { ROWS_COLUMNS_MAX = 256, ROWS_SQL_BYTES_MAX = 64 << 10, ROWS_NUMBER_NONE = 1 };

/* The number that rows written now come behind, `last` being that of the row before. */
static inline int64_t rows_number_now(int64_t last, int64_t now_ns)
{
    int64_t now = now_ns / 1000;
    return now > last ? now : last;
}
/* Rows written at `t_ns` or later come behind this number, and no row without one does. */
static inline int64_t rows_number_since(int64_t t_ns)
{
    int64_t number = t_ns / 1000;
    return number > ROWS_NUMBER_NONE ? number : ROWS_NUMBER_NONE;
}

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
