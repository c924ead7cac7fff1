/* runtime/flow/cbor.c: CBOR (RFC 8949).
 *
 * Well-formed is what appendix C of the RFC says. Of tags the innermost counts: 0 and 1 are times,
 * 2 and 3 whole numbers, 4 decimals; others are passed over, their content is what it is. Written
 * are the shortest heads, definite lengths, times as tag 0 and decimals as tag 4, both exact; a f64
 * always takes nine bytes, so that a field keeps its family whatever its value. */
#include "flow/pack.h"

#include "base/num.h"
#include "base/rfc3339.h"
#include "base/str.h"
#include "flow/pipe.h"

#include <math.h>
#include <string.h>

typedef enum Major { UNSIGNED, NEGATIVE, BYTES, TEXT, LIST, MAP, TAG, SIMPLE } Major;

enum { BREAK = 0xff, OPEN = 31 };

static const char *bad(PackHead *h)
{
    h->kind = PACK_BAD;
    return NULL;
}

static const char *cut(PackHead *h, u64 n)
{
    h->kind = PACK_CUT;
    h->n = n;
    return NULL;
}

static f64 half(u32 bits)
{
    u32 exponent = bits >> 10 & 31, fraction = bits & 1023;
    f64 v = exponent == 0    ? ldexp((f64)fraction, -24)
            : exponent != 31 ? ldexp((f64)(fraction + 1024), (int)exponent - 25)
            : fraction       ? (f64)NAN
                             : (f64)INFINITY;
    return bits >> 15 ? -v : v;
}

/* Major 7, its number in `v`; `info` are the low bits of the first byte. */
static const char *simple(PackHead *h, u32 info, u64 v, const char *p)
{
    if (info == 24 && v < 32) return bad(h);
    h->kind = PACK_OTHER;
    if (info == 20 || info == 21) {
        h->kind = PACK_BOOL;
        h->n = info == 21;
    } else if (info == 22 || info == 23) { /* null, undefined */
        h->kind = PACK_NIL;
    } else if (info >= 25) {
        h->kind = PACK_FLOAT;
        h->single = info != 27;
        h->d = info == 25 ? half((u32)v) : info == 26 ? pack_f32((u32)v) : pack_f64(v);
    }
    return p;
}

/* An item that may be open: its end is a break. */
static const char *collection(PackHead *h, u32 major, int open, u64 n, const char *p,
                              const char *end)
{
    static const u8 kinds[] = {[BYTES] = PACK_BYTES, PACK_TEXT, PACK_LIST, PACK_MAP};
    if (!open && major <= TEXT && n > (u64)(end - p)) return cut(h, n);
    h->kind = kinds[major];
    h->open = (u8)open;
    h->n = open ? 0 : n;
    h->p = p;
    return major <= TEXT && !open ? p + n : p;
}

static const char *head(const char *p, const char *end, PackHead *h)
{
    for (;;) { /* once more behind each tag */
        if (p == end) return cut(h, 1);
        u8 first = (u8)*p++;
        u32 major = first >> 5, info = first & 31, bytes = info < 24 ? 0 : 1u << (info - 24);
        u64 v = info;
        if (info > 27 && (info != OPEN || major < BYTES || major > MAP)) return bad(h);
        if (bytes && info <= 27) {
            if (bytes > (u64)(end - p)) return cut(h, bytes);
            v = pack_be(p, bytes);
            p += bytes;
        }
        if (major == TAG) {
            h->mark = (u8)(v <= PACK_MARK_FRACTION - 1u ? v + 1 : PACK_MARK_NONE);
            continue;
        }
        if (major == SIMPLE) return simple(h, info, v, p);
        if (major >= BYTES) return collection(h, major, info == OPEN, v, p, end);
        h->kind = PACK_INT;
        h->negative = major == NEGATIVE;
        h->n = v;
        return p;
    }
}

static const char *join(const PackHead *h, const char *p, const char *end, PackHead *ret_all,
                        char *to)
{
    u64 n = 0;
    int utf8 = 1;
    while (p < end && (u8)*p != BREAK) {
        PackHead part = {0};
        u32 major = (u8)*p >> 5;
        if (major != (h->kind == PACK_TEXT ? TEXT : BYTES)) return bad(ret_all);
        if (!(p = head(p, end, &part))) {
            *ret_all = part;
            return NULL;
        }
        if (part.open) return bad(ret_all);
        if (h->kind == PACK_TEXT) utf8 &= str_utf8_valid(str_slice(part.p, part.n));
        if (to && part.n) memcpy(to + n, part.p, part.n);
        n += part.n;
    }
    if (p == end) return cut(ret_all, 1);
    *ret_all = *h;
    ret_all->kind = utf8 ? h->kind : PACK_OTHER; /* a character may not stand in two parts */
    ret_all->open = 0;
    ret_all->p = to;
    ret_all->n = n;
    return p + 1;
}

/* ---- out ---- */

static char *put_head(char *w, u32 major, u64 n)
{
    if (n < 24) {
        *w++ = (char)(major << 5 | n);
        return w;
    }
    u32 size = n <= 0xff ? 0 : n <= 0xffff ? 1 : n <= 0xffffffff ? 2 : 3;
    *w++ = (char)(major << 5 | (24 + size));
    return pack_put_be(w, n, 1u << size);
}

static char *put_nil(char *w)
{
    *w++ = (char)0xf6;
    return w;
}

static char *put_list(char *w, u64 items)
{
    return put_head(w, LIST, items);
}

static char *put_map(char *w, u64 pairs)
{
    return put_head(w, MAP, pairs);
}

static char *put_bytes(char *w, u32 major, const char *p, u64 n)
{
    w = put_head(w, major, n);
    if (n) memcpy(w, p, n);
    return w + n;
}

static char *put_text(char *w, const char *p, u64 n)
{
    return put_bytes(w, TEXT, p, n);
}

static char *put_int(char *w, i64 v)
{
    return v < 0 ? put_head(w, NEGATIVE, ~(u64)v) : put_head(w, UNSIGNED, (u64)v);
}

static char *put_decimal(char *w, i64 v, u32 scale)
{
    if (!scale) return put_int(w, v);
    w = put_list(put_head(w, TAG, 4), 2);
    return put_int(put_int(w, -(i64)scale), v);
}

static char *put(char *w, const RtField *field, RtValue v)
{
    char text[PACK_TEXT_BYTES];
    switch (field->type) {
    case RT_BOOL: *w++ = (char)(v.i ? 0xf5 : 0xf4); return w;
    case RT_I32:
    case RT_I64: return put_int(w, v.i);
    case RT_U32:
    case RT_U64: return put_head(w, UNSIGNED, v.u);
    case RT_F32:
    case RT_F64: return pack_put_float(w, (char)0xfa, field->type == RT_F32, v.d);
    case RT_DECIMAL: return put_decimal(w, v.i, field->scale);
    case RT_TIME:
        w = put_head(w, TAG, 0);
        return put_text(w, text, (u64)(rfc3339_put(text, v.i) - text));
    case RT_STR: return put_text(w, v.s.p, v.s.n);
    case RT_BYTES: return put_bytes(w, BYTES, v.s.p, v.s.n);
    case RT_ENUM: {
        const char *name = v.u < field->name_count ? field->names[v.u] : "";
        return put_text(w, name, strlen(name));
    }
    default: return put_text(w, text, (u64)(rt_put_value(text, field, v, 0) - text));
    }
}

const PackFormat rt_cbor = {head, join, put_nil, put_list, put_map, put_text, put};
