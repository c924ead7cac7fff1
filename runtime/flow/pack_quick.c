/* runtime/flow/pack_quick.c: the usual, read at once; see pack_quick.h.
 *
 * Written once and compiled for each format, so that the first bytes of items are constants. Only
 * what is good is taken: everything else is left to pack.c, which judges. A text's bytes may be
 * read eight at a time, as RT_PAD_BYTES stand behind a record. */
#include "flow/pack_quick.h"

#include "base/str.h"
#include "flow/hot.h"
#include "flow/pack.h"

enum { NS_PER_SEC = 1000000000 };

#define ALWAYS static inline __attribute__((always_inline))
#define TOP    0x8080808080808080ull /* the first bit of eight bytes */

/* A whole number of at most 63 bits and a sign. */
ALWAYS const char *whole(u32 cbor, const char *p, i64 *ret)
{
    u8 first = (u8)*p++;
    if (cbor) {
        u32 info = first & 31, bytes = info < 24 ? 0 : 1u << (info - 24);
        u64 v = info;
        if (first >> 5 > 1 || info > 27) return NULL;
        if (bytes) v = __builtin_bswap64(RT_8(p)) >> (64 - 8 * bytes);
        if (v >> 63) return NULL;
        *ret = first >> 5 ? -1 - (i64)v : (i64)v;
        return p + bytes;
    }
    if (first < 0x80 || first >= 0xe0) {
        *ret = (signed char)first;
        return p;
    }
    if (first < 0xcc || first > 0xd3) return NULL;
    u32 bytes = 1u << (first & 3);
    u64 v = __builtin_bswap64(RT_8(p));
    *ret = first < 0xd0 ? (i64)(v >> (64 - 8 * bytes)) : (i64)v >> (64 - 8 * bytes);
    return first == 0xcf && v >> 63 ? NULL : p + bytes;
}

/* A text of at most 255 bytes. */
ALWAYS const char *text(u32 cbor, const char *p, u64 *ret_bytes)
{
    u8 first = (u8)*p++;
    if (first >= (cbor ? 0x60 : 0xa0) && first < (cbor ? 0x78 : 0xc0)) {
        *ret_bytes = first & 31;
        return p;
    }
    if (first != (cbor ? 0x78 : 0xd9)) return NULL;
    *ret_bytes = (u8)*p++;
    return p;
}

ALWAYS u32 is_utf8(const char *p, u64 n)
{
    u64 all = 0, i = 0;
    for (; i + 8 <= n; i += 8) all |= RT_8(p + i);
    if (i < n) all |= RT_8(p + i) << (64 - 8 * (n - i));
    return !(all & TOP) || str_utf8_valid(str_slice(p, n));
}

ALWAYS const char *instant(RtPipe *pipe, u32 cbor, const char *p, RtValue *v)
{
    if (cbor) { /* tag 0, a text of 24 bytes */
        if ((u8)p[0] != 0xc0 || (u8)p[1] != 0x78 || p[2] != 24) return NULL;
        return rt_time24(&pipe->day, p + 3, &v->i) ? p + 27 : NULL;
    }
    if ((u8)p[1] != 0xff) return NULL; /* the extension -1 */
    u64 both = __builtin_bswap64(RT_8(p + 2));
    if ((u8)p[0] == 0xd6) {
        v->i = (i64)(both >> 32) * NS_PER_SEC;
        return p + 6;
    }
    u64 ns = both >> 34;
    if ((u8)p[0] != 0xd7 || ns >= NS_PER_SEC || both >> 33 & 1) return NULL;
    v->i = (i64)(both & ((1ull << 33) - 1)) * NS_PER_SEC + (i64)ns;
    return p + 10;
}

ALWAYS u32 is_name(const char *name, const char *p, u64 n)
{
    u64 i = 0;
    while (i < n && name[i] == p[i]) i++; /* a name ends with a byte 0, p may not hold one there */
    return i == n && !name[i];
}

ALWAYS const char *named(const RtField *field, u32 cbor, const char *p, const char *end, RtValue *v)
{
    u64 n;
    if (!(p = text(cbor, p, &n)) || (i64)n > end - p) return NULL;
    for (u32 i = 0; i < field->name_count; i++)
        if (is_name(field->names[i], p, n)) {
            v->i = i;
            return p + n;
        }
    return NULL;
}

/* By the first eight bytes of its names. A text that ends with a byte 0 is left alone: it would
 * look like a shorter one. */
ALWAYS const char *known(const RtKey *key, u32 cbor, const char *p, const char *end, RtValue *v)
{
    u64 n;
    if (!(p = text(cbor, p, &n)) || n > 8 || !n || (i64)n > end - p || !p[n - 1]) return NULL;
    u64 word = RT_8(p) << (64 - 8 * n) >> (64 - 8 * n);
    for (u32 i = 0; i < key->field->name_count; i++)
        if (key->names[i] == word && (n < 8 || !key->field->names[i][8])) {
            v->i = i;
            return p + n;
        }
    return NULL;
}

ALWAYS u32 in_range(const RtField *field, f64 d)
{
    return !(field->flags & RT_RANGED) || (d >= field->lo && d <= field->hi);
}

/* One value of a field, whole and good, or NULL. It may end behind `end`, or even begin there, by
 * less than the bytes that may be read. */
ALWAYS const char *one(RtPipe *pipe, u32 cbor, const RtField *field, const char *p, const char *end,
                       RtValue *v)
{
    u64 n;
    i64 i;
    switch (field->type) {
    case RT_F64:
        if ((u8)*p == (cbor ? 0xfb : 0xcb)) {
            u64 bits = __builtin_bswap64(RT_8(p + 1));
            v->d = pack_f64(bits);
            return (bits >> 52 & 0x7ff) != 0x7ff && in_range(field, v->d) ? p + 9 : NULL;
        }
        if (!(p = whole(cbor, p, &i))) return NULL;
        v->d = (f64)i;
        return in_range(field, v->d) ? p : NULL;
    case RT_I32:
        p = whole(cbor, p, &v->i);
        return p && v->i == (i32)v->i && in_range(field, (f64)v->i) ? p : NULL;
    case RT_I64: p = whole(cbor, p, &v->i); return p && in_range(field, (f64)v->i) ? p : NULL;
    case RT_U32:
        p = whole(cbor, p, &v->i);
        return p && v->i == (u32)v->i && in_range(field, (f64)v->i) ? p : NULL;
    case RT_U64:
        p = whole(cbor, p, &v->i);
        return p && v->i >= 0 && in_range(field, (f64)v->i) ? p : NULL;
    case RT_STR:
        if (!(p = text(cbor, p, &n)) || (i64)n > end - p) return NULL;
        v->s = (RtText){p, n};
        return (!field->bytes_max || n <= field->bytes_max) && is_utf8(p, n) ? p + n : NULL;
    case RT_BOOL:
        v->i = (u8)*p == (cbor ? 0xf5 : 0xc3);
        return v->i || (u8)*p == (cbor ? 0xf4 : 0xc2) ? p + 1 : NULL;
    case RT_TIME: return field->flags & RT_RANGED ? NULL : instant(pipe, cbor, p, v);
    case RT_ENUM: return named(field, cbor, p, end, v);
    default: return NULL;
    }
}

ALWAYS u32 is_key(const RtKey *key, u32 cbor, const char *p)
{
    u64 n = key->name_len, most = cbor ? 23 : 31;
    u64 first = key->word << 8 | (cbor ? 0x60 : 0xa0) | n;
    if ((RT_8(p) ^ first) << key->shift) return 0;
    if (n < 8) return 1;
    if (n < 15) return RT_8(key->field->name + n - 8) == RT_8(p + n - 7);
    return n <= most && !memcmp(key->field->name + 6, p + 7, n - 6);
}

/* Over an item that is nobody's. */
ALWAYS const char *pass(u32 cbor, const char *p, const char *end)
{
    u64 n;
    const char *q = text(cbor, p, &n);
    if (q) return (i64)n <= end - q ? q + n : NULL;
    u32 bytes = rt_pack_bytes_of[cbor][(u8)*p];
    return bytes ? p + bytes : NULL;
}

ALWAYS const char *pairs(RtPipe *pipe, u32 cbor, RtKeys *keys, RtScan *out, const char *p,
                         const char *end, PackPairs *at)
{
    u32 last = at->last;
    u64 left = at->left;
    for (; left && p < end; left--) {
        u32 slot = keys->after[last];
        const RtKey *key = &keys->list[slot];
        if (!slot || !is_key(key, cbor, p) || (at->seen[key->seen] & key->bit)) break;
        const char *q = p + 1 + key->name_len;
        if (key->flags & RT_NEEDED) {
            q = key->quick == RT_QUICK_ENUM
                    ? known(key, cbor, q, end, &out->value[key->leaf])
                    : one(pipe, cbor, key->field, q, end, &out->value[key->leaf]);
            if (!q || q > end) break;
            out->has[key->leaf] = 1;
            at->wanted -= key->counts;
        } else {
            q = at->all ? NULL : pass(cbor, q, end);
            if (!q || q > end) break;
        }
        at->seen[key->seen] |= key->bit;
        last = slot;
        p = q;
        if (!at->wanted) break;
    }
    at->last = last;
    at->left = left;
    return p;
}

const char *rt_pack_pairs(RtPipe *pipe, u32 format, RtKeys *keys, RtScan *out, const char *p,
                          const char *end, PackPairs *at)
{
    if (format == RT_FORMAT_MSGPACK) return pairs(pipe, 0, keys, out, p, end, at);
    return pairs(pipe, 1, keys, out, p, end, at);
}

const char *rt_pack_one(RtPipe *pipe, u32 format, const RtField *field, const char *p,
                        const char *end, RtValue *v)
{
    const char *q = p >= end                      ? NULL
                    : format == RT_FORMAT_MSGPACK ? one(pipe, 0, field, p, end, v)
                                                  : one(pipe, 1, field, p, end, v);
    return q && q <= end ? q : NULL;
}
