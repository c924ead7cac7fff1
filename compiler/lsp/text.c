/* compiler/lsp/text.c: lines and UTF-16 columns of the client, byte offsets of everybody else.
 *
 * Lines end with \n, \r\n or \r, as LSP has it. A column past the end of its line means the end;
 * one inside a character means its start. */
#include "compiler/lsp/lsp_int.h"

#include "base/mem.h"

static Status line_add(Doc *doc, uint32_t offset)
{
    if (doc->line_count == doc->line_cap) {
        uint32_t cap = doc->line_cap ? doc->line_cap * 2 : 256;
        uint32_t *lines = mem_realloc(doc->lines, cap * sizeof *lines);
        if (!lines) return ST_NO_MEMORY;
        doc->lines = lines;
        doc->line_cap = cap;
    }
    doc->lines[doc->line_count++] = offset;
    return ST_OK;
}

Status lsp_lines(Doc *doc)
{
    Str text = buf_view(&doc->text);
    doc->line_count = 0;
    Status st = line_add(doc, 0);
    for (size_t i = 0; i < text.len && !st; i++) {
        bool end = text.ptr[i] == '\n' ||
                   (text.ptr[i] == '\r' && (i + 1 == text.len || text.ptr[i + 1] != '\n'));
        if (end) st = line_add(doc, (uint32_t)i + 1);
    }
    return st;
}

/* Bytes of the character that starts with this byte, as far as there are any. */
static size_t char_bytes(Str text, size_t at)
{
    unsigned char c = (unsigned char)text.ptr[at];
    size_t len = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    return len < text.len - at ? len : text.len - at;
}

uint32_t lsp_utf16(Str text)
{
    uint32_t units = 0;
    for (size_t at = 0; at < text.len;) {
        size_t len = char_bytes(text, at);
        units += len == 4 ? 2 : 1;
        at += len;
    }
    return units;
}

static Str line_text(const Doc *doc, uint32_t line)
{
    Str text = buf_view(&doc->text);
    size_t start = doc->lines[line];
    size_t end = line + 1 < doc->line_count ? doc->lines[line + 1] : text.len;
    while (end > start && (text.ptr[end - 1] == '\n' || text.ptr[end - 1] == '\r')) end--;
    return str_slice(text.ptr + start, end - start);
}

uint32_t lsp_offset(const Doc *doc, const Json *position)
{
    int64_t line = json_int(position, "line", 0), column = json_int(position, "character", 0);
    if (line < 0) return 0;
    if (line >= doc->line_count) return (uint32_t)doc->text.len;
    Str text = line_text(doc, (uint32_t)line);
    size_t at = 0;
    for (int64_t units = 0; at < text.len && units < column;) {
        size_t len = char_bytes(text, at);
        units += len == 4 ? 2 : 1;
        if (units > column) break;
        at += len;
    }
    return doc->lines[line] + (uint32_t)at;
}

void lsp_place(const Doc *doc, uint32_t offset, uint32_t *ret_line, uint32_t *ret_column)
{
    uint32_t low = 0, high = doc->line_count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (doc->lines[middle] <= offset)
            low = middle;
        else
            high = middle;
    }
    Str text = buf_view(&doc->text);
    if (offset > text.len) offset = (uint32_t)text.len;
    *ret_line = low;
    *ret_column = lsp_utf16(str_slice(text.ptr + doc->lines[low], offset - doc->lines[low]));
}

void lsp_put_position(JsonOut *out, const Doc *doc, uint32_t offset)
{
    uint32_t line, column;
    lsp_place(doc, offset, &line, &column);
    json_begin_object(out);
    json_field_int(out, "line", line);
    json_field_int(out, "character", column);
    json_end(out);
}

void lsp_put_range(JsonOut *out, const Doc *doc, Span span)
{
    json_key(out, "range");
    json_begin_object(out);
    json_key(out, "start");
    lsp_put_position(out, doc, span.start);
    json_key(out, "end");
    lsp_put_position(out, doc, span.end);
    json_end(out);
}
