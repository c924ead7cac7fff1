/* runtime/modules/uns/uns_cells.h: rows of a CSV file (RFC 4180), each cell with its place.
 *
 * Text of anybody: nothing is read behind the end, cells and columns have a maximum. Separators are
 * comma, semicolon or tab, whichever the first line has first. */
#ifndef TUTTI_UNS_CELLS_H
#define TUTTI_UNS_CELLS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"

enum { CSV_COLUMNS_MAX = 64, CSV_CELL_BYTES_MAX = 8 * 1024 };

typedef struct CsvCell {
    Str text;              /* in the source text, or in the arena when quotes were inside */
    uint32_t line, column; /* of its first byte, from 1 */
} CsvCell;

typedef struct CsvReader {
    Str text;
    size_t at;
    size_t line_at; /* where the line at hand begins */
    uint32_t line;
    char separator;
    Arena *arena; /* for cells with quotes inside; lent */
} CsvReader;

void csv_begin(CsvReader *csv, Arena *arena, Str text);
/* The next row that is not empty; *ret_count 0: the end. ST_INVALID: not CSV at *ret_line,
 * *ret_column, and the reader stands behind that line; ST_NO_MEMORY: the arena is full. */
MUST Status csv_row(CsvReader *csv, CsvCell cells[CSV_COLUMNS_MAX], uint32_t *ret_count,
                    uint32_t *ret_line, uint32_t *ret_column, Diag *diag);
/* One cell, quoted where it has to be; no separator. */
void csv_put(Buf *out, Str text);

#endif
