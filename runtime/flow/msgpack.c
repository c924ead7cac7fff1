/* runtime/flow/msgpack.c: MessagePack, as its specification of 2017 has it.
 *
 * All families are read in all their lengths. The extension -1 is a time; other extensions are
 * well-formed, and no field holds them. Written is the shortest form of whole numbers, lengths and
 * times; a f64 always takes nine bytes, so that a field keeps its family whatever its value. */
#include "flow/pack.h"

#include "base/num.h"
#include "base/str.h"
#include "flow/pipe.h"

#include <string.h>

enum { NS_PER_SEC = 1000000000, EXT_TIME = -1 };

/* Bytes behind the first one: of a length, of a number, of both. */
typedef enum Family { NONE, UINT, INT, FLOAT, TEXT, BYTES, EXT, FIXEXT, LIST, MAP } Family;

static const struct {
    u8 family, bytes;
} table[] = {[0xc4 - 0xc0] = {BYTES, 1},  [0xc5 - 0xc0] = {BYTES, 2},  [0xc6 - 0xc0] = {BYTES, 4},
             [0xc7 - 0xc0] = {EXT, 1},    [0xc8 - 0xc0] = {EXT, 2},    [0xc9 - 0xc0] = {EXT, 4},
             [0xca - 0xc0] = {FLOAT, 4},  [0xcb - 0xc0] = {FLOAT, 8},  [0xcc - 0xc0] = {UINT, 1},
             [0xcd - 0xc0] = {UINT, 2},   [0xce - 0xc0] = {UINT, 4},   [0xcf - 0xc0] = {UINT, 8},
             [0xd0 - 0xc0] = {INT, 1},    [0xd1 - 0xc0] = {INT, 2},    [0xd2 - 0xc0] = {INT, 4},
             [0xd3 - 0xc0] = {INT, 8},    [0xd4 - 0xc0] = {FIXEXT, 1}, [0xd5 - 0xc0] = {FIXEXT, 2},
             [0xd6 - 0xc0] = {FIXEXT, 4}, [0xd7 - 0xc0] = {FIXEXT, 8}, [0xd8 - 0xc0] = {FIXEXT, 16},
             [0xd9 - 0xc0] = {TEXT, 1},   [0xda - 0xc0] = {TEXT, 2},   [0xdb - 0xc0] = {TEXT, 4},
             [0xdc - 0xc0] = {LIST, 2},   [0xdd - 0xc0] = {LIST, 4},   [0xde - 0xc0] = {MAP, 2},
             [0xdf - 0xc0] = {MAP, 4}};

static const char *cut(PackHead *h, u64 n)
{
    h->kind = PACK_CUT;
    h->n = n;
    return NULL;
}

/* n bytes at p belong to the item. */
static const char *content(PackHead *h, PackKind kind, const char *p, const char *end, u64 n)
{
    if (n > (u64)(end - p)) return cut(h, n);
    h->kind = (u8)kind;
    h->n = n;
    h->p = p;
    return p + n;
}

/* The three lengths of a timestamp; anything else, and what i64 does not hold, is no time. */
static void timestamp(PackHead *h, const char *p, u64 n)
{
    u64 ns = 0;
    i64 sec;
    if (n == 4) {
        sec = (i64)pack_be(p, 4);
    } else if (n == 8) {
        ns = pack_be(p, 8) >> 34;
        sec = (i64)(pack_be(p, 8) & ((1ull << 34) - 1));
    } else if (n == 12) {
        ns = pack_be(p, 4);
        sec = (i64)pack_be(p + 4, 8);
    } else {
        return;
    }
    if (ns >= NS_PER_SEC || __builtin_mul_overflow(sec, NS_PER_SEC, &h->ns) ||
        __builtin_add_overflow(h->ns, (i64)ns, &h->ns))
        return;
    h->kind = PACK_TIME;
}

static const char *extension(PackHead *h, const char *p, const char *end, u64 n)
{
    if (p == end) return cut(h, n);
    int type = (signed char)*p;
    const char *behind = content(h, PACK_OTHER, p + 1, end, n);
    if (behind && type == EXT_TIME) timestamp(h, h->p, n);
    return behind;
}

static const char *integer(PackHead *h, u64 v, int negative)
{
    h->kind = PACK_INT;
    h->negative = (u8)negative;
    h->n = negative ? ~v : v;
    return h->p;
}

/* First bytes 0xc0 to 0xdf; p is behind it. */
static const char *longer(PackHead *h, u8 first, const char *p, const char *end)
{
    u32 family = table[first - 0xc0].family, bytes = table[first - 0xc0].bytes;
    if (family == NONE) {
        h->kind = first == 0xc0 ? PACK_NIL : first == 0xc1 ? PACK_BAD : PACK_BOOL;
        h->n = first == 0xc3;
        return h->kind == PACK_BAD ? NULL : p;
    }
    if (family == FIXEXT) return extension(h, p, end, bytes);
    if (bytes > (u64)(end - p)) return cut(h, bytes);
    u64 v = pack_be(p, bytes);
    p += bytes;
    h->p = p;
    switch (family) {
    case UINT: return integer(h, v, 0);
    case INT: /* the sign is the first bit */
        if (!(v >> (8 * bytes - 1))) return integer(h, v, 0);
        return integer(h, bytes < 8 ? v | ~0ull << (8 * bytes) : v, 1);
    case FLOAT:
        h->kind = PACK_FLOAT;
        h->single = bytes == 4;
        h->d = h->single ? pack_f32((u32)v) : pack_f64(v);
        return p;
    case TEXT: return content(h, PACK_TEXT, p, end, v);
    case BYTES: return content(h, PACK_BYTES, p, end, v);
    case EXT: return extension(h, p, end, v);
    default:
        h->kind = family == LIST ? PACK_LIST : PACK_MAP;
        h->n = v;
        return p;
    }
}

static const char *head(const char *p, const char *end, PackHead *h)
{
    if (p == end) return cut(h, 1);
    u8 first = (u8)*p++;
    h->p = p;
    if (first < 0x80) return integer(h, first, 0);
    if (first >= 0xe0) return integer(h, (u64)(i64)(signed char)first, 1);
    if (first >= 0xc0) return longer(h, first, p, end);
    if (first >= 0xa0) return content(h, PACK_TEXT, p, end, first & 31);
    h->kind = first < 0x90 ? PACK_MAP : PACK_LIST;
    h->n = first & 15;
    return p;
}

/* ---- out ---- */

static char *put_uint(char *w, u64 v)
{
    if (v < 0x80) {
        *w++ = (char)v;
        return w;
    }
    u32 size = v <= 0xff ? 0 : v <= 0xffff ? 1 : v <= 0xffffffff ? 2 : 3;
    *w++ = (char)(0xcc + size);
    return pack_put_be(w, v, 1u << size);
}

static char *put_int(char *w, i64 v)
{
    if (v >= 0) return put_uint(w, (u64)v);
    if (v >= -32) {
        *w++ = (char)v;
        return w;
    }
    u32 size = v >= INT8_MIN ? 0 : v >= INT16_MIN ? 1 : v >= INT32_MIN ? 2 : 3;
    *w++ = (char)(0xd0 + size);
    return pack_put_be(w, (u64)v, 1u << size);
}

/* A length: below `short_max` in the first byte, else behind one of three first bytes. `byte`: the
 * one for a length of eight bits, 0 where there is none. */
static char *put_length(char *w, u64 n, u8 fix, u64 short_max, u8 byte, u8 two)
{
    if (n < short_max) {
        *w++ = (char)(fix | n);
    } else if (byte && n <= 0xff) {
        *w++ = (char)byte;
        w = pack_put_be(w, n, 1);
    } else if (n <= 0xffff) {
        *w++ = (char)two;
        w = pack_put_be(w, n, 2);
    } else {
        *w++ = (char)(two + 1);
        w = pack_put_be(w, n, 4);
    }
    return w;
}

static char *put_nil(char *w)
{
    *w++ = (char)0xc0;
    return w;
}

static char *put_list(char *w, u64 items)
{
    return put_length(w, items, 0x90, 16, 0, 0xdc);
}

static char *put_map(char *w, u64 pairs)
{
    return put_length(w, pairs, 0x80, 16, 0, 0xde);
}

static char *put_bytes(char *w, const char *p, u64 n)
{
    if (n) memcpy(w, p, n);
    return w + n;
}

static char *put_text(char *w, const char *p, u64 n)
{
    return put_bytes(put_length(w, n, 0xa0, 32, 0xd9, 0xda), p, n);
}

static char *put_time(char *w, i64 ns)
{
    i64 sec = ns / NS_PER_SEC, rest = ns % NS_PER_SEC;
    if (rest < 0) {
        rest += NS_PER_SEC;
        sec--;
    }
    if (sec >= 0 && sec >> 34 == 0) {
        u64 both = (u64)rest << 34 | (u64)sec;
        int small = both >> 32 == 0;
        *w++ = (char)(small ? 0xd6 : 0xd7);
        *w++ = EXT_TIME;
        return pack_put_be(w, both, small ? 4 : 8);
    }
    *w++ = (char)0xc7;
    *w++ = 12;
    *w++ = EXT_TIME;
    return pack_put_be(pack_put_be(w, (u64)rest, 4), (u64)sec, 8);
}

/* Decimals and durations are texts, as MessagePack has nothing exact for them. */
static char *put(char *w, const RtField *field, RtValue v)
{
    char text[PACK_TEXT_BYTES];
    switch (field->type) {
    case RT_BOOL: *w++ = (char)(v.i ? 0xc3 : 0xc2); return w;
    case RT_I32:
    case RT_I64: return put_int(w, v.i);
    case RT_U32:
    case RT_U64: return put_uint(w, v.u);
    case RT_F32:
    case RT_F64: return pack_put_float(w, (char)0xca, field->type == RT_F32, v.d);
    case RT_TIME: return put_time(w, v.i);
    case RT_STR: return put_text(w, v.s.p, v.s.n);
    case RT_BYTES: {
        w = put_length(w, v.s.n, 0, 0, 0xc4, 0xc5);
        return put_bytes(w, v.s.p, v.s.n);
    }
    case RT_ENUM: {
        const char *name = v.u < field->name_count ? field->names[v.u] : "";
        return put_text(w, name, strlen(name));
    }
    default: return put_text(w, text, (u64)(rt_put_value(text, field, v, 0) - text));
    }
}

const PackFormat rt_msgpack = {head, NULL, put_nil, put_list, put_map, put_text, put};
