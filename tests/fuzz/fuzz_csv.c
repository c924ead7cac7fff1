/* tests/fuzz/fuzz_csv.c: files of names as anybody may upload them.
 *
 * Input is the file. Whatever comes: the reader ends, cells lie in the text or are shorter than it,
 * places are in it, and what is written again is read as the same cells. */
#include "modules/uns/uns_cells.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void same_again(Arena *arena, const CsvCell *cells, uint32_t count)
{
    Buf out;
    CsvReader csv;
    static CsvCell again[CSV_COLUMNS_MAX];
    uint32_t found, line, column;
    Diag diag = {0};
    buf_init(&out, 4 << 20);
    buf_text(&out, "a,b\n"); /* says the separator */
    for (uint32_t i = 0; i < count; i++) {
        if (i) buf_char(&out, ',');
        csv_put(&out, cells[i].text);
    }
    /* One empty cell is an empty line, which no reader sees. */
    if (count > 1 || cells[0].text.len) {
        csv_begin(&csv, arena, buf_view(&out));
        if (csv_row(&csv, again, &found, &line, &column, &diag) || found != 2) abort();
        if (csv_row(&csv, again, &found, &line, &column, &diag) || found != count) abort();
        for (uint32_t i = 0; i < count; i++)
            if (!str_eq(again[i].text, cells[i].text)) abort();
    }
    buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static CsvCell cells[CSV_COLUMNS_MAX];
    Arena *arena = arena_new(0, 64 << 20);
    CsvReader csv;
    if (!arena) return 0;
    csv_begin(&csv, arena, (Str){(const char *)bytes, len});
    for (size_t rows = 0;; rows++) {
        uint32_t count = 0, line = 0, column = 0;
        size_t before = csv.at;
        Diag diag = {0};
        Status st = csv_row(&csv, cells, &count, &line, &column, &diag);
        if (st == ST_NO_MEMORY) break;
        if (st && (st != ST_INVALID || !line || !column || column > len + 1)) abort();
        if (!st && !count) break;
        if (csv.at <= before || csv.at > len || rows > len) abort();
        if (st) continue;
        for (uint32_t i = 0; i < count; i++)
            if (cells[i].text.len > CSV_CELL_BYTES_MAX || !cells[i].column) abort();
        same_again(arena, cells, count);
    }
    arena_free(arena);
    return 0;
}
