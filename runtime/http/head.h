/* runtime/http/head.h: bytes of a request head to checked pieces; private to runtime/http.
 *
 * Pure functions without I/O, so that tests and the fuzzer reach every line. An HTTP error code
 * (400, 414, 431, 501, 505) is the result; 0 means well formed. */
#ifndef TUTTI_HTTP_HEAD_H
#define TUTTI_HTTP_HEAD_H

#include "base/buf.h"
#include "http/http.h"

enum { HTTP_METHOD_BYTES_MAX = 32, HTTP_TARGET_BYTES_MAX = 8192, HTTP_EMPTY_LINES_MAX = 4 };

typedef struct HttpHead {
    Str method, target;
    HttpField fields[HTTP_FIELDS_MAX];
    uint32_t field_count;
    uint8_t minor; /* HTTP/1.minor */
} HttpHead;

/* Looks for the end of a head that starts at bytes[0], going on at *at. Returns its length with
 * the empty line, 0 = more bytes are needed, -1 = never a head (control byte, bare CR or LF). */
ptrdiff_t http__head_end(const char *bytes, size_t len, size_t *at);
/* Cuts a complete head; slices point into it. Written by re2c from head.re. */
int http__head_lex(Str text, HttpHead *ret_head);

/* What the fields say about framing and connection (RFC 9112, sections 3.2, 6 and 9). */
typedef struct HttpFrame {
    uint64_t content_length;
    Str host; /* as sent */
    bool has_length, chunked, keep_alive, expect_continue, upgrade;
} HttpFrame;
int http__frame(const HttpHead *head, HttpFrame *ret_frame);

/* True when the comma list `value` has this token, case ignored. */
bool http__has_token(Str value, const char *token);
bool http__same_text(Str a, const char *lower); /* case ignored */
bool http__host_valid(Str host);
Str http__lower(Arena *arena, Str text);

/* Cuts the target (origin-form, or absolute-form whose authority equals `host`) and decodes the
 * path. 400 for anything else, for "." and ".." segments, control bytes and bad UTF-8. */
int http__target(Arena *arena, Str target, Str host, Str *ret_path, Str *ret_query);
/* Percent decoding; plus = '+' is a space. False when a sequence is broken or gives a NUL. */
bool http__decode(Arena *arena, Str text, bool plus, Str *ret_text);

/* Chunked body (RFC 9112, section 7.1), fed in pieces. */
typedef struct HttpChunks {
    uint64_t left;          /* bytes of the current chunk */
    uint32_t line_bytes;    /* of the current size or trailer line */
    uint32_t trailer_bytes; /* of all trailers */
    uint8_t state, digits;
} HttpChunks;
enum { HTTP_CHUNK_LINE_MAX = 256, HTTP_TRAILER_BYTES_MAX = 4096 };
/* Appends data to `body`. *ret_used bytes were eaten; *ret_done at the end of the body. 0, 400 or
 * 413 (body full). */
int http__chunks(HttpChunks *chunks, const char *bytes, size_t len, Buf *body, size_t *ret_used,
                 bool *ret_done);

#endif
