/* runtime/http/head.c: where a head ends, and what its fields mean for the framing.
 *
 * Every rule that keeps two readers from seeing different messages is in http__frame: one Host, one
 * Content-Length of digits only, or exactly one Transfer-Encoding "chunked" and no length beside
 * it. There is no lenient mode. */
#include "http/head.h"

ptrdiff_t http__head_end(const char *bytes, size_t len, size_t *at)
{
    size_t i = *at;
    for (; i < len; i++) {
        unsigned char c = (unsigned char)bytes[i];
        bool after_cr = i > 0 && bytes[i - 1] == '\r';
        if (c == '\n') {
            if (!after_cr) return -1;
            if (i >= 3 && bytes[i - 2] == '\n') return (ptrdiff_t)i + 1;
        } else if (after_cr || (c < 0x20 && c != '\t' && c != '\r') || c == 0x7f) {
            return -1;
        }
    }
    *at = i;
    return 0;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool http__same_text(Str a, const char *text)
{
    for (size_t i = 0; i < a.len; i++)
        if (!text[i] || lower(a.ptr[i]) != lower(text[i])) return false;
    return text[a.len] == '\0';
}

Str http__lower(Arena *arena, Str text)
{
    char *copy = arena_alloc(arena, text.len + 1);
    if (!copy) return STR_NONE;
    for (size_t i = 0; i < text.len; i++) copy[i] = lower(text.ptr[i]);
    copy[text.len] = '\0';
    return (Str){copy, text.len};
}

bool http__has_token(Str value, const char *token)
{
    while (value.len) {
        ptrdiff_t comma = str_find_char(value, ',');
        size_t len = comma < 0 ? value.len : (size_t)comma;
        if (http__same_text(str_trim((Str){value.ptr, len}), token)) return true;
        value = str_skip(value, comma < 0 ? len : len + 1);
    }
    return false;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'f');
}

/* uri-host [":" port] (RFC 3986, section 3.2.2): names, IPv4 and [IPv6], no user, no list. */
bool http__host_valid(Str host)
{
    size_t i = 0;
    if (host.len == 0 || host.len > 255) return false;
    if (host.ptr[0] == '[') {
        for (i = 1; i < host.len && host.ptr[i] != ']'; i++)
            if (!is_hex(host.ptr[i]) && host.ptr[i] != ':' && host.ptr[i] != '.') return false;
        if (i < 3 || i == host.len) return false;
        i++;
    } else {
        for (; i < host.len && host.ptr[i] != ':'; i++) {
            char c = lower(host.ptr[i]);
            if (!(c >= 'a' && c <= 'z') && !is_digit(c) && c != '-' && c != '.' && c != '_' &&
                c != '~')
                return false;
        }
        if (i == 0) return false;
    }
    if (i == host.len) return true;
    if (host.ptr[i++] != ':' || host.len - i > 5) return false;
    for (; i < host.len; i++)
        if (!is_digit(host.ptr[i])) return false;
    return true;
}

static int read_length(Str value, uint64_t *ret_length)
{
    enum { DIGITS_MAX = 18 }; /* below 2^63, so no sum with it can wrap */
    uint64_t length = 0;
    if (value.len == 0 || value.len > DIGITS_MAX) return 400;
    for (size_t i = 0; i < value.len; i++) {
        if (!is_digit(value.ptr[i])) return 400;
        length = length * 10 + (uint64_t)(value.ptr[i] - '0');
    }
    *ret_length = length;
    return 0;
}

int http__frame(const HttpHead *head, HttpFrame *ret_frame)
{
    HttpFrame frame = {.keep_alive = head->minor == 1};
    uint32_t hosts = 0, lengths = 0, encodings = 0;
    for (uint32_t i = 0; i < head->field_count; i++) {
        Str name = head->fields[i].name, value = head->fields[i].value;
        if (http__same_text(name, "host")) {
            if (hosts++ || !http__host_valid(value)) return 400;
            frame.host = value;
        } else if (http__same_text(name, "content-length")) {
            if (lengths++ || read_length(value, &frame.content_length)) return 400;
            frame.has_length = true;
        } else if (http__same_text(name, "transfer-encoding")) {
            if (encodings++ || !http__same_text(value, "chunked") || head->minor == 0) return 400;
            frame.chunked = true;
        } else if (http__same_text(name, "connection")) {
            if (http__has_token(value, "close"))
                frame.keep_alive = false;
            else if (http__has_token(value, "keep-alive"))
                frame.keep_alive = true;
            if (http__has_token(value, "upgrade")) frame.upgrade = true;
        } else if (http__same_text(name, "expect")) {
            if (!http__same_text(value, "100-continue")) return 417;
            frame.expect_continue = head->minor == 1;
        }
    }
    if (head->minor == 1 && hosts != 1) return 400;
    if (lengths && encodings) return 400;
    *ret_frame = frame;
    return 0;
}
