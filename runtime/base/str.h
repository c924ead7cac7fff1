/* runtime/base/str.h: the one string type: a slice of bytes that somebody else owns.
 *
 * A Str is never NUL-terminated by promise and may hold any byte; its text is UTF-8 where a
 * function says so. Whoever made the bytes keeps them alive (usually an arena). */
#ifndef TUTTI_BASE_STR_H
#define TUTTI_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct Str {
    const char *ptr;
    size_t len; /* bytes */
} Str;

/* A string literal as a constant Str, and how to hand a Str to printf: "%.*s", STR_ARG(s). */
#define STR(lit)       ((Str){"" lit, sizeof(lit) - 1})
#define STR_ARG(s)     (int)((s).len > 4096 ? 4096 : (s).len), (s).len ? (s).ptr : ""
#define STR_NONE       ((Str){NULL, 0})
#define COUNT_OF(list) (sizeof(list) / sizeof(*(list)))

static inline Str str_from(const char *text)
{
    return text ? (Str){text, strlen(text)} : STR_NONE;
}

static inline Str str_slice(const char *ptr, size_t len)
{
    return (Str){ptr, len};
}

static inline bool str_eq(Str a, Str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool str_is(Str a, const char *text)
{
    return str_eq(a, str_from(text));
}

static inline bool str_starts(Str a, Str prefix)
{
    return a.len >= prefix.len && (prefix.len == 0 || memcmp(a.ptr, prefix.ptr, prefix.len) == 0);
}

static inline bool str_ends(Str a, Str suffix)
{
    return a.len >= suffix.len &&
           (suffix.len == 0 || memcmp(a.ptr + a.len - suffix.len, suffix.ptr, suffix.len) == 0);
}

static inline Str str_skip(Str a, size_t count)
{
    if (count > a.len) count = a.len;
    return count ? (Str){a.ptr + count, a.len - count} : a; /* NULL + 0 is not defined in C */
}

/* Byte order, shorter first when one is a prefix of the other: <0, 0, >0. */
int str_cmp(Str a, Str b);
/* Position of the first `needle`, or -1. */
ptrdiff_t str_find(Str hay, Str needle);
ptrdiff_t str_find_char(Str hay, char needle);
Str str_trim(Str a);
/* True when all bytes are well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool str_utf8_valid(Str a);
/* Whole decimal integer with optional '-'; false when it is anything else or does not fit. */
bool str_to_i64(Str a, int64_t *ret_value);

#endif
