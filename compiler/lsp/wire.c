/* compiler/lsp/wire.c: messages on file descriptors: Content-Length, an empty line, the body. */
#include "compiler/lsp/lsp_int.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

enum { READ_BYTES = 64 << 10 };

static bool same_letters(const char *a, const char *b, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = a[i];
        if (c >= 'A' && c <= 'Z') c = (char)(c - 'A' + 'a');
        if (c != b[i]) return false;
    }
    return true;
}

/* The length that a header block names; false: none, or no number. */
static bool length_of(Str head, uint64_t *ret_length)
{
    static const char name[] = "content-length:";
    bool found = false;
    while (head.len) {
        ptrdiff_t end = str_find(head, STR("\r\n"));
        Str line = str_slice(head.ptr, end < 0 ? head.len : (size_t)end);
        head = str_skip(head, line.len + 2);
        if (line.len < sizeof name - 1 || !same_letters(line.ptr, name, sizeof name - 1)) continue;
        Str digits = str_trim(str_skip(line, sizeof name - 1));
        int64_t value;
        if (!str_to_i64(digits, &value) || value < 0) return false;
        *ret_length = (uint64_t)value;
        found = true;
    }
    return found;
}

static void skip_some(Lsp *lsp)
{
    uint64_t gone = lsp->skip < lsp->input.len ? lsp->skip : lsp->input.len;
    buf_consume(&lsp->input, (size_t)gone);
    lsp->skip -= gone;
}

WireState wire_next(Lsp *lsp, Str *ret_body, size_t *ret_whole)
{
    if (lsp->skip) skip_some(lsp);
    if (lsp->skip) return WIRE_MORE;
    Str all = buf_view(&lsp->input);
    Str start = str_slice(all.ptr, all.len < LSP_HEADER_MAX ? all.len : LSP_HEADER_MAX);
    ptrdiff_t end = str_find(start, STR("\r\n\r\n"));
    if (end < 0) return all.len >= LSP_HEADER_MAX ? WIRE_BROKEN : WIRE_MORE;
    uint64_t length = 0;
    if (!length_of(str_slice(all.ptr, (size_t)end), &length)) return WIRE_BROKEN;
    size_t head = (size_t)end + 4;
    if (length > LSP_MESSAGE_MAX) { /* its body is read and thrown away */
        buf_consume(&lsp->input, head);
        lsp->skip = length;
        *ret_body = STR_NONE;
        *ret_whole = 0;
        skip_some(lsp);
        return WIRE_MESSAGE;
    }
    if (all.len - head < length) return WIRE_MORE;
    *ret_body = str_slice(all.ptr + head, (size_t)length);
    *ret_whole = head + (size_t)length;
    return WIRE_MESSAGE;
}

void wire_done(Lsp *lsp, size_t whole)
{
    buf_consume(&lsp->input, whole);
}

bool wire_read(Lsp *lsp)
{
    char *at = buf_reserve(&lsp->input, READ_BYTES);
    if (!at) return false;
    ssize_t n;
    do n = read(lsp->in, at, READ_BYTES);
    while (n < 0 && errno == EINTR);
    if (n <= 0) return false;
    lsp->input.len += (size_t)n;
    return true;
}

bool wire_waiting(const Lsp *lsp)
{
    struct pollfd one = {.fd = lsp->in, .events = POLLIN};
    return poll(&one, 1, 0) > 0;
}

void wire_send(Lsp *lsp, Str body)
{
    char head[64];
    int len = snprintf(head, sizeof head, "Content-Length: %zu\r\n\r\n", body.len);
    Str parts[] = {str_slice(head, (size_t)len), body};
    for (size_t i = 0; i < COUNT_OF(parts) && !lsp->over; i++) {
        while (parts[i].len) {
            ssize_t n = write(lsp->out, parts[i].ptr, parts[i].len);
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) { /* nobody reads any more */
                lsp->over = true;
                return;
            }
            parts[i] = str_skip(parts[i], (size_t)n);
        }
    }
}
