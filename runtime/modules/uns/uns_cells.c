/* runtime/modules/uns/uns_cells.c: see uns_cells.h. */
#include "modules/uns/uns_cells.h"

#include <string.h>

void csv_begin(CsvReader *csv, Arena *arena, Str text)
{
    *csv = (CsvReader){.text = text, .line = 1, .separator = ',', .arena = arena};
    if (str_starts(text, STR("\xef\xbb\xbf"))) csv->at = csv->line_at = 3;
    for (size_t i = csv->at; i < text.len && text.ptr[i] != '\n'; i++) {
        char c = text.ptr[i];
        if (c != ',' && c != ';' && c != '\t') continue;
        csv->separator = c;
        break;
    }
}

static bool at_end(const CsvReader *csv)
{
    return csv->at >= csv->text.len;
}

static char here(const CsvReader *csv)
{
    return at_end(csv) ? '\n' : csv->text.ptr[csv->at];
}

/* At a line end, be it \n, \r\n or that of the text. */
static bool at_line_end(const CsvReader *csv)
{
    return here(csv) == '\n' || (here(csv) == '\r' && (csv->at + 1 >= csv->text.len ||
                                                       csv->text.ptr[csv->at + 1] == '\n'));
}

static void new_line(CsvReader *csv)
{
    csv->line++;
    csv->line_at = csv->at;
}

static void pass_line_end(CsvReader *csv)
{
    if (here(csv) == '\r') csv->at++;
    if (!at_end(csv)) csv->at++;
    new_line(csv);
}

static Status fail(CsvReader *csv, const char *what, uint32_t *ret_line, uint32_t *ret_column,
                   Diag *diag)
{
    *ret_line = csv->line;
    *ret_column = (uint32_t)(csv->at - csv->line_at) + 1;
    while (!at_line_end(csv)) csv->at++;
    pass_line_end(csv);
    return diag_set(diag, ST_INVALID, "%s", what);
}

/* Behind the opening quote: up to the closing one; "" inside is a quote. */
static const char *quoted(CsvReader *csv, Str *ret_text, Status *ret_status)
{
    size_t start = csv->at, doubled = 0;
    for (;; csv->at++) {
        if (at_end(csv)) return "a quote is opened and not closed";
        if (csv->text.ptr[csv->at] == '\n') {
            csv->line++;
            csv->line_at = csv->at + 1;
        }
        if (csv->text.ptr[csv->at] != '"') continue;
        if (csv->at + 1 >= csv->text.len || csv->text.ptr[csv->at + 1] != '"') break;
        csv->at++;
        doubled++;
    }
    Str raw = {csv->text.ptr + start, csv->at - start};
    csv->at++;
    *ret_text = raw;
    if (!doubled) return NULL;
    char *to = arena_alloc(csv->arena, raw.len);
    if (!to) {
        *ret_status = ST_NO_MEMORY;
        return NULL;
    }
    size_t len = 0;
    for (size_t i = 0; i < raw.len; i++) {
        to[len++] = raw.ptr[i];
        if (raw.ptr[i] == '"') i++;
    }
    *ret_text = (Str){to, len};
    return NULL;
}

static const char *cell(CsvReader *csv, CsvCell *ret_cell, Status *ret_status)
{
    ret_cell->line = csv->line;
    ret_cell->column = (uint32_t)(csv->at - csv->line_at) + 1;
    if (here(csv) == '"') {
        csv->at++;
        const char *wrong = quoted(csv, &ret_cell->text, ret_status);
        if (wrong) return wrong;
        if (!at_line_end(csv) && here(csv) != csv->separator)
            return "behind a closing quote there is the next cell or the end of the line";
    } else {
        size_t start = csv->at;
        while (!at_line_end(csv) && here(csv) != csv->separator) {
            if (here(csv) == '"')
                return "a quote stands inside a cell that does not begin with one";
            csv->at++;
        }
        ret_cell->text = (Str){csv->text.ptr + start, csv->at - start};
    }
    return ret_cell->text.len > CSV_CELL_BYTES_MAX ? "the cell is longer than 8 KiB" : NULL;
}

Status csv_row(CsvReader *csv, CsvCell cells[CSV_COLUMNS_MAX], uint32_t *ret_count,
               uint32_t *ret_line, uint32_t *ret_column, Diag *diag)
{
    uint32_t count = 0;
    *ret_count = 0;
    while (!at_end(csv) && at_line_end(csv)) pass_line_end(csv);
    if (at_end(csv)) return ST_OK;
    for (;;) {
        Status st = ST_OK;
        if (count == CSV_COLUMNS_MAX)
            return fail(csv, "a row has at most 64 cells", ret_line, ret_column, diag);
        const char *wrong = cell(csv, &cells[count], &st);
        if (st) return st;
        if (wrong) return fail(csv, wrong, ret_line, ret_column, diag);
        count++;
        if (at_line_end(csv)) break;
        csv->at++; /* the separator */
    }
    pass_line_end(csv);
    *ret_count = count;
    return ST_OK;
}

void csv_put(Buf *out, Str text)
{
    bool plain = true;
    for (size_t i = 0; i < text.len && plain; i++)
        plain = !strchr(",;\t\"\r\n", text.ptr[i]) || !text.ptr[i];
    if (plain && text.len && (text.ptr[0] == ' ' || text.ptr[text.len - 1] == ' ')) plain = false;
    if (plain) {
        buf_str(out, text);
        return;
    }
    buf_char(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"') buf_char(out, '"');
        buf_char(out, text.ptr[i]);
    }
    buf_char(out, '"');
}
