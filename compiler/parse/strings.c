/* compiler/parse/strings.c: what stands between quotes, with its escapes undone.
 *
 * Escapes are those of docs/language.md: \n \t \r \" \\ \{ \} \/ and \u{1F600}. raw "..." knows
 * the same escapes, only that braces mean themselves in it; so JSON can be written in tests. */
#include "compiler/parse/parser.h"

#include <string.h>

static uint32_t hex_value(char c)
{
    if (c >= '0' && c <= '9') return (uint32_t)(c - '0');
    return (uint32_t)((c | 0x20) - 'a') + 10;
}

static size_t put_utf8(char *out, uint32_t code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xC0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xE0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3F));
        out[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3F));
    out[2] = (char)(0x80 | (code >> 6 & 0x3F));
    out[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}

/* \u{1F600}: `at` stands on the 'u'. The text never grows: \u{0} has five bytes, UTF-8 four. */
static size_t unicode_escape(Parser *p, Str text, size_t at, uint32_t offset, char *out,
                             size_t *len)
{
    size_t end = at + 1;
    uint32_t code = 0, digits = 0;
    if (end < text.len && text.ptr[end] == '{') {
        for (end++; end < text.len && text.ptr[end] != '}' && digits < 8; end++, digits++) {
            code = code << 4 | hex_value(text.ptr[end]);
        }
        bool closed = end < text.len && text.ptr[end] == '}';
        bool scalar = code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
        if (closed && digits >= 1 && digits <= 6 && scalar) {
            *len += put_utf8(out + *len, code);
            return end + 1;
        }
        if (closed) end++;
    }
    Span span = {p->source->id, offset + (uint32_t)at - 1, offset + (uint32_t)end};
    (void)diag_error(p->diags, DIAG_P059, span,
                     "a character by number is written \\u{1F600}: one to six hex digits of a "
                     "Unicode scalar value");
    return end;
}

static void bad_escape(Parser *p, Str text, size_t at, uint32_t offset)
{
    size_t width = 1;
    while (at + width < text.len && ((unsigned char)text.ptr[at + width] & 0xC0) == 0x80) width++;
    Span span = {p->source->id, offset + (uint32_t)at - 1, offset + (uint32_t)(at + width)};
    Diagnostic *d =
        diag_error(p->diags, DIAG_P010, span, "`\\%.*s` is no escape", (int)width, text.ptr + at);
    Span here = {span.file, span.start, span.start};
    diag_fix(p->diags, d, "\\\\ for a backslash", here, "\\");
}

static Str unescape(Parser *p, Str text, uint32_t offset)
{
    if (!str_utf8_valid(text)) {
        (void)diag_error(p->diags, DIAG_P060,
                         (Span){p->source->id, offset, offset + (uint32_t)text.len},
                         "this text is not UTF-8");
        return STR("");
    }
    if (!text.len || !memchr(text.ptr, '\\', text.len)) return text;
    char *out = parse__node(p, text.len + 1);
    if (out == p->spare) return STR("");
    size_t len = 0;
    for (size_t at = 0; at < text.len;) {
        if (text.ptr[at] != '\\' || at + 1 >= text.len) {
            out[len++] = text.ptr[at++];
            continue;
        }
        char c = text.ptr[++at];
        switch (c) {
        case 'n': out[len++] = '\n', at++; break;
        case 't': out[len++] = '\t', at++; break;
        case 'r': out[len++] = '\r', at++; break;
        case '"':
        case '\\':
        case '/':
        case '{':
        case '}': out[len++] = c, at++; break;
        case 'u': at = unicode_escape(p, text, at, offset, out, &len); break;
        default: bad_escape(p, text, at, offset), out[len++] = c, at++; break;
        }
    }
    return str_slice(out, len);
}

/* The text of a piece without its delimiters: quotes, raw, and the braces around it. */
static Str inside(Str text, uint32_t *skipped)
{
    size_t start = 0, end = text.len;
    bool raw = text.len && text.ptr[0] == 'r';
    while (raw && start < end && text.ptr[start] != '"') start++;
    bool curly = text.len > 3 && (unsigned char)text.ptr[0] == 0xE2;
    if (start < end) start += curly ? 3 : 1; /* the quote or the closing brace */
    char last = end > start ? text.ptr[end - 1] : '\0';
    if (last == '"' || last == '\'' || (last == '{' && !raw)) {
        end--;
    } else if (end > start + 2 && (unsigned char)text.ptr[end - 3] == 0xE2) {
        end -= 3;
    }
    *skipped = (uint32_t)start;
    return str_slice(text.ptr + start, end - start);
}

static AstPart *piece(Parser *p, ParseToken token)
{
    uint32_t skipped;
    AstPart *part = NEW(p, AstPart);
    Str text = inside(token.text, &skipped);
    part->text = unescape(p, text, token.span.start + skipped);
    part->span = token.span;
    return part;
}

AstExpr *parse__string(Parser *p, ParseToken token)
{
    AstExpr *expr = parse__expr(p, AST_STRING, token.span);
    expr->as.string.parts = piece(p, token);
    expr->as.string.raw = token.text.len && token.text.ptr[0] == 'r';
    return expr;
}

void parse__string_piece(Parser *p, PartList *parts, ParseToken token)
{
    AstPart *part = piece(p, token);
    if (part->text.len) LIST_ADD(*parts, part);
}

void parse__string_expr(Parser *p, PartList *parts, AstExpr *expr)
{
    AstPart *part = NEW(p, AstPart);
    part->expr = expr;
    part->span = expr->span;
    LIST_ADD(*parts, part);
}

AstExpr *parse__string_end(Parser *p, ParseToken head, PartList parts)
{
    AstExpr *expr = parse__expr(p, AST_STRING, parse__from(p, head.span));
    expr->as.string.parts = parts.first;
    for (const AstPart *part = parts.first; part; part = part->next) {
        if (part->expr && expr->depth <= part->expr->depth) expr->depth = part->expr->depth + 1;
    }
    return expr;
}
