/* runtime/http/chunked.c: the chunked transfer coding of request bodies, byte-strict.
 *
 *   size line:  1*HEXDIG [ ";" ext ] CR LF     data  CR LF     ... "0" CR LF trailers CR LF
 *
 * No sign, no blank, no "0x", no bare LF, at most 15 digits. Extensions are skipped, trailers
 * are checked for form and dropped: nothing may be decided by a field that came after the body. */
#include "http/head.h"

enum State { SIZE, EXTENSION, SIZE_LF, DATA, DATA_CR, DATA_LF, LINE, LINE_LF, NAME, FIELD, END_LF };
enum { DIGITS_MAX = 15 };

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static bool is_text(char c)
{
    unsigned char byte = (unsigned char)c;
    return (byte >= 0x20 && byte != 0x7f) || byte == '\t';
}

static int size_byte(HttpChunks *chunks, char c)
{
    int digit = hex_value(c);
    if (digit >= 0) {
        if (++chunks->digits > DIGITS_MAX) return 400;
        chunks->left = chunks->left * 16 + (uint64_t)digit;
        return 0;
    }
    if (!chunks->digits) return 400;
    if (c == ';')
        chunks->state = EXTENSION;
    else if (c == '\r')
        chunks->state = SIZE_LF;
    else
        return 400;
    return 0;
}

/* A trailer line has to look like a field: a name byte first, text behind. */
static int trailer_byte(HttpChunks *chunks, char c)
{
    if (++chunks->trailer_bytes > HTTP_TRAILER_BYTES_MAX) return 400;
    switch (chunks->state) {
    case LINE:
        if (c == '\r')
            chunks->state = END_LF;
        else if (!is_text(c) || c == ' ' || c == '\t' || c == ':')
            return 400;
        else
            chunks->state = NAME;
        return 0;
    case NAME:
        if (c == ':')
            chunks->state = FIELD;
        else if (!is_text(c) || c == ' ' || c == '\t')
            return 400;
        return 0;
    case FIELD:
        if (c == '\r')
            chunks->state = LINE_LF;
        else if (!is_text(c))
            return 400;
        return 0;
    default:
        if (c != '\n') return 400;
        chunks->state = LINE;
        return 0;
    }
}

static int line_byte(HttpChunks *chunks, char c)
{
    switch (chunks->state) {
    case SIZE: return size_byte(chunks, c);
    case EXTENSION:
        if (++chunks->line_bytes > HTTP_CHUNK_LINE_MAX) return 400;
        if (c == '\r')
            chunks->state = SIZE_LF;
        else if (!is_text(c))
            return 400;
        return 0;
    case SIZE_LF:
        if (c != '\n') return 400;
        chunks->state = chunks->left ? DATA : LINE;
        chunks->digits = 0;
        chunks->line_bytes = 0;
        return 0;
    case DATA_CR:
        if (c != '\r') return 400;
        chunks->state = DATA_LF;
        return 0;
    case DATA_LF:
        if (c != '\n') return 400;
        chunks->state = SIZE;
        return 0;
    default: return trailer_byte(chunks, c);
    }
}

int http__chunks(HttpChunks *chunks, const char *bytes, size_t len, Buf *body, size_t *ret_used,
                 bool *ret_done)
{
    size_t i = 0;
    *ret_done = false;
    while (i < len) {
        if (chunks->state == DATA) {
            size_t take = len - i < chunks->left ? len - i : (size_t)chunks->left;
            buf_add(body, bytes + i, take);
            if (buf_status(body)) return 413;
            i += take;
            chunks->left -= take;
            if (!chunks->left) chunks->state = DATA_CR;
            continue;
        }
        bool ending = chunks->state == END_LF;
        int code = ending && bytes[i] != '\n' ? 400 : ending ? 0 : line_byte(chunks, bytes[i]);
        if (code) return code;
        i++;
        if (chunks->state == DATA && chunks->left > body->max_bytes - body->len) return 413;
        if (ending) {
            *ret_done = true;
            break;
        }
    }
    *ret_used = i;
    return 0;
}
