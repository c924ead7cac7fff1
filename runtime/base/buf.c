/* runtime/base/buf.c: the growing buffer; doubling, capped, failure sticks. */
#include "base/buf.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>

void buf_init(Buf *buf, size_t max_bytes)
{
    *buf = (Buf){.max_bytes = max_bytes};
}

void buf_done(Buf *buf)
{
    mem_free(buf->ptr);
    *buf = (Buf){.max_bytes = buf->max_bytes};
}

void buf_clear(Buf *buf)
{
    buf->len = 0;
    buf->failed = ST_OK;
}

static bool grow(Buf *buf, size_t need)
{
    size_t cap = buf->cap ? buf->cap : 128;
    while (cap < need) cap *= 2;
    if (cap > buf->max_bytes + 1) cap = buf->max_bytes + 1;
    char *ptr = mem_realloc(buf->ptr, cap);
    if (!ptr) {
        buf->failed = ST_NO_MEMORY;
        return false;
    }
    buf->ptr = ptr;
    buf->cap = cap;
    return true;
}

char *buf_reserve(Buf *buf, size_t bytes)
{
    if (buf->failed) return NULL;
    if (bytes > buf->max_bytes - buf->len) {
        buf->failed = ST_LIMIT;
        return NULL;
    }
    size_t need = buf->len + bytes + 1;
    if (need > buf->cap && !grow(buf, need)) return NULL;
    return buf->ptr + buf->len;
}

void buf_add(Buf *buf, const void *bytes, size_t len)
{
    char *to = buf_reserve(buf, len);
    if (!to) return;
    if (len) memcpy(to, bytes, len);
    to[len] = '\0';
    buf->len += len;
}

void buf_str(Buf *buf, Str text)
{
    buf_add(buf, text.ptr, text.len);
}

void buf_text(Buf *buf, const char *text)
{
    buf_add(buf, text, strlen(text));
}

void buf_char(Buf *buf, char c)
{
    buf_add(buf, &c, 1);
}

void buf_printf(Buf *buf, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *to = len < 0 ? NULL : buf_reserve(buf, (size_t)len);
    if (to) {
        (void)vsnprintf(to, (size_t)len + 1, format, args);
        buf->len += (size_t)len;
    }
    va_end(args);
}

void buf_u64(Buf *buf, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    do digits[--at] = (char)('0' + value % 10);
    while (value /= 10);
    buf_add(buf, digits + at, sizeof digits - at);
}

void buf_i64(Buf *buf, int64_t value)
{
    if (value < 0) buf_char(buf, '-');
    buf_u64(buf, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void buf_consume(Buf *buf, size_t count)
{
    if (count >= buf->len) {
        buf->len = 0;
        return;
    }
    memmove(buf->ptr, buf->ptr + count, buf->len - count);
    buf->len -= count;
}
