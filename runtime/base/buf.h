/* runtime/base/buf.h: a growing buffer of bytes with a hard maximum.
 *
 * A Buf lives in its owner's memory; its bytes come from the heap. An append that would pass
 * `max_bytes`, or that finds no memory, sets `failed` and changes nothing more: writers append
 * freely and check once at the end (buf_status). */
#ifndef TUTTI_BASE_BUF_H
#define TUTTI_BASE_BUF_H

#include "base/status.h"
#include "base/str.h"

typedef struct Buf {
    char *ptr; /* owned; always room for one NUL behind len once not NULL */
    size_t len, cap, max_bytes;
    Status failed; /* ST_OK, ST_LIMIT or ST_NO_MEMORY: sticky until buf_clear */
} Buf;

void buf_init(Buf *buf, size_t max_bytes);
void buf_done(Buf *buf);  /* frees the bytes; the Buf can be initialised again */
void buf_clear(Buf *buf); /* empties, keeps the memory, forgets the failure */

/* Room for `bytes` more at ptr + len, or NULL and `failed`. The caller adds to len what it used. */
char *buf_reserve(Buf *buf, size_t bytes);
void buf_add(Buf *buf, const void *bytes, size_t len);
void buf_str(Buf *buf, Str text);
void buf_text(Buf *buf, const char *text);
void buf_char(Buf *buf, char c);
void buf_printf(Buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);
void buf_u64(Buf *buf, uint64_t value);
void buf_i64(Buf *buf, int64_t value);
/* Removes the first `count` bytes (moves the rest down). */
void buf_consume(Buf *buf, size_t count);

static inline Str buf_view(const Buf *buf)
{
    return (Str){buf->ptr ? buf->ptr : "", buf->len};
}

MUST static inline Status buf_status(const Buf *buf)
{
    return buf->failed;
}

#define AUTO_BUF __attribute__((cleanup(buf_done)))

#endif
