/* compiler/diag/print.c: how findings look, for people and for machines.
 *
 * The text form is the one of docs/language.md: head line, the user's own line with carets and the
 * short fact, further places, and one `write` line with the alternatives. Tabs are shown as one
 * space and long lines are cut around the carets, so that carets always stand where they should. */
#include "base/json.h"
#include "compiler/diag/diag.h"

enum { LINE_COLUMNS_MAX = 160, WRITE_BYTES_MAX = 100 };

static const Source *source_of(const DiagList *list, Span span)
{
    return span.file < list->sources->count ? list->sources->list[span.file] : NULL;
}

static void spaces(Buf *out, size_t count)
{
    for (size_t i = 0; i < count; i++) buf_char(out, ' ');
}

static bool continues(char c) /* a UTF-8 byte that takes no column of its own */
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

static size_t columns(Str text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++) count += !continues(text.ptr[i]);
    return count;
}

static void put_line(Buf *out, Str line)
{
    for (size_t i = 0; i < line.len; i++) {
        unsigned char c = (unsigned char)line.ptr[i];
        buf_char(out, c < 0x20 || c == 0x7F ? ' ' : line.ptr[i]);
    }
    buf_char(out, '\n');
}

/*   press.tutti:10:12 |   power = pressure * rpm
 *                     |           ^^^^^^^^ f64? since line 3 */
static void put_place(const DiagList *list, Buf *out, Span span, Str fact)
{
    const Source *source = source_of(list, span);
    if (!source) {
        if (fact.len) {
            buf_text(out, "  ");
            put_line(out, fact);
        }
        return;
    }
    SourcePlace place = source_place(source, span.start);
    Str line = source_line(source, place.line);
    size_t at = place.column - 1 < line.len ? place.column - 1 : line.len, cut = 0;
    size_t width = span.end > span.start ? span.end - span.start : 1;

    if (at > LINE_COLUMNS_MAX * 3 / 4) {
        cut = at - LINE_COLUMNS_MAX / 2;
        while (cut < at && continues(line.ptr[cut])) cut++;
    }
    Str shown = str_skip(line, cut);
    if (shown.len > LINE_COLUMNS_MAX) {
        shown.len = LINE_COLUMNS_MAX;
        while (shown.len && continues(shown.ptr[shown.len])) shown.len--;
    }
    at -= cut;
    if (at > shown.len) at = shown.len;
    if (width > shown.len - at) width = shown.len - at; /* only its first line */

    size_t before = out->len;
    buf_printf(out, "  %.*s:%u:%u", STR_ARG(source->path), place.line, place.column);
    size_t margin = columns(str_slice(out->ptr + before, out->len - before));
    buf_text(out, cut ? " | ..." : " | ");
    put_line(out, shown);
    spaces(out, margin);
    buf_text(out, " | ");
    spaces(out, columns(str_slice(shown.ptr, at)) + (cut ? 3 : 0));
    size_t carets = columns(str_slice(shown.ptr + at, width));
    for (size_t i = 0; i < (carets ? carets : 1); i++) buf_char(out, '^');
    if (fact.len) buf_char(out, ' ');
    put_line(out, fact);
}

static void put_write(Buf *out, Str text)
{
    Str shown = text;
    if (shown.len > WRITE_BYTES_MAX) shown.len = WRITE_BYTES_MAX;
    while (shown.len && shown.len < text.len && continues(shown.ptr[shown.len])) shown.len--;
    for (size_t i = 0; i < shown.len; i++) {
        buf_char(out, shown.ptr[i] == '\n' ? ' ' : shown.ptr[i]);
    }
}

static void put_fixes(const Diagnostic *d, Buf *out)
{
    const char *between = "  write  ";
    for (const DiagFix *fix = d->fixes; fix; fix = fix->next, between = "   |  ") {
        buf_text(out, between);
        put_write(out, fix->label.len ? fix->label : str_trim(fix->text));
    }
    for (const DiagHint *hint = d->hints; hint; hint = hint->next, between = "   |  ") {
        buf_text(out, between);
        put_write(out, hint->text);
    }
    if (d->fixes || d->hints) buf_char(out, '\n');
}

void diag_print(const DiagList *list, Buf *out)
{
    for (const Diagnostic *d = list->first; d; d = d->next) {
        buf_printf(out, "%s[%s] ", d->severity == DIAG_ERROR ? "error" : "warning",
                   diag_code_info(d->code)->id);
        put_line(out, d->message);
        put_place(list, out, d->span, d->under);
        for (const DiagNote *note = d->notes; note; note = note->next) {
            put_place(list, out, note->span, note->text);
        }
        put_fixes(d, out);
    }
}

static void json_span(const DiagList *list, JsonOut *out, Span span)
{
    const Source *source = source_of(list, span);
    if (!source) return;
    SourcePlace start = source_place(source, span.start), end = source_place(source, span.end);
    json_field_str(out, "file", source->path);
    json_field_int(out, "line", start.line);
    json_field_int(out, "column", start.column);
    json_key(out, "end");
    json_begin_object(out);
    json_field_int(out, "line", end.line);
    json_field_int(out, "column", end.column);
    json_end(out);
    json_key(out, "span");
    json_begin_array(out);
    json_put_int(out, span.start);
    json_put_int(out, span.end);
    json_end(out);
}

static void json_one(const DiagList *list, JsonOut *out, const Diagnostic *d)
{
    json_begin_object(out);
    json_field_text(out, "code", diag_code_info(d->code)->id);
    json_field_text(out, "severity", d->severity == DIAG_ERROR ? "error" : "warning");
    json_field_str(out, "message", d->message);
    json_span(list, out, d->span);
    if (d->under.len) json_field_str(out, "fact", d->under);
    json_key(out, "notes");
    json_begin_array(out);
    for (const DiagNote *note = d->notes; note; note = note->next) {
        json_begin_object(out);
        json_field_str(out, "text", note->text);
        json_span(list, out, note->span);
        json_end(out);
    }
    json_end(out);
    json_key(out, "fixes");
    json_begin_array(out);
    for (const DiagFix *fix = d->fixes; fix; fix = fix->next) {
        json_begin_object(out);
        json_field_str(out, "label", fix->label.len ? fix->label : fix->text);
        json_span(list, out, fix->span);
        json_field_str(out, "text", fix->text);
        json_end(out);
    }
    json_end(out);
    json_key(out, "hints");
    json_begin_array(out);
    for (const DiagHint *hint = d->hints; hint; hint = hint->next) json_put_str(out, hint->text);
    json_end(out);
    json_end(out);
}

void diag_print_json(const DiagList *list, Buf *out)
{
    JsonOut json;
    json_out_init(&json, out);
    json_begin_array(&json);
    for (const Diagnostic *d = list->first; d; d = d->next) json_one(list, &json, d);
    json_end(&json);
    buf_char(out, '\n');
}
