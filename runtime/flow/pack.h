/* runtime/flow/pack.h: formats of bytes that say themselves what each item is.
 *
 * Such a format is a row of functions: one reads the head of an item, the others write. The walk
 * over a record (pack.c), what a value becomes in a field (pack_value.c), rows (pack_out.c) and
 * where a record ends in a file (cut.c) are the same for all of them. Nothing reads behind `end`,
 * and no length from outside is believed before the bytes are there. */
#ifndef TUTTI_FLOW_PACK_H
#define TUTTI_FLOW_PACK_H

#include "flow/abi.h"

typedef enum PackKind {
    PACK_BAD, /* no encoding of anything */
    PACK_CUT, /* the bytes end within the item; `n` is the length it claims */
    PACK_NIL,
    PACK_BOOL,  /* n */
    PACK_INT,   /* n, or -1 - n when negative */
    PACK_FLOAT, /* d */
    PACK_TEXT,  /* n bytes at p, not looked at */
    PACK_BYTES,
    PACK_LIST, /* n items follow */
    PACK_MAP,  /* n pairs follow */
    PACK_TIME, /* ns */
    PACK_OTHER /* well-formed, and nothing a field could hold */
} PackKind;

/* What a tag says of the item behind it: 1 more than its number in CBOR. */
typedef enum PackMark {
    PACK_MARK_NONE,
    PACK_MARK_TIME,  /* TEXT: RFC 3339 */
    PACK_MARK_EPOCH, /* a number: seconds */
    PACK_MARK_BIG,   /* BYTES: a whole number */
    PACK_MARK_BIG_NEGATIVE,
    PACK_MARK_FRACTION /* LIST of two: e and m of m * 10^e */
} PackMark;

typedef struct PackHead {
    u8 kind; /* PackKind */
    u8 negative;
    u8 single; /* FLOAT: it came in at most 32 bits */
    u8 open;   /* TEXT BYTES: parts follow up to a break; LIST MAP: items do, n is not known */
    u8 mark;   /* PackMark */
    u64 n;
    f64 d;
    i64 ns;
    const char *p;
} PackHead;

typedef struct PackFormat {
    /* Reads the head of the item at p. Returns what is behind it (behind all of an item without
     * items inside), or NULL with BAD or CUT. */
    const char *(*head)(const char *p, const char *end, PackHead *ret);
    /* Over the parts of an open text or bytes, into `to` (NULL: only how many bytes they have, in
     * *ret_all), which is the whole item. NULL as above. */
    const char *(*join)(const PackHead *, const char *p, const char *end, PackHead *ret_all,
                        char *to);
    char *(*put_nil)(char *w);
    char *(*put_list)(char *w, u64 items);
    char *(*put_map)(char *w, u64 pairs);
    char *(*put_text)(char *w, const char *p, u64 n);
    /* A value of the field, no record or list. */
    char *(*put)(char *w, const RtField *field, RtValue v);
} PackFormat;

enum { PACK_TEXT_BYTES = 64 }; /* of any value that is written as text but is none */

/* The byte behind the last item of what is open. */
enum { PACK_BREAK = 0xff };

extern const PackFormat rt_msgpack, rt_cbor;

/* Over the item at p and all in it, at most `levels` lists and maps deep; NULL: `*ret_why` is BAD
 * or CUT (may be NULL). */
const char *rt_pack_pass(const PackFormat *, const char *p, const char *end, u32 levels,
                         PackHead *ret_why);
/* Over what is in an item whose head was read. */
const char *rt_pack_rest(const PackFormat *, const PackHead *head, const char *p, const char *end,
                         u32 levels, PackHead *ret_why);
/* One more item at *p in what `head` opened, of which i were read; passes over a break. */
static inline int pack_more(const PackHead *head, u64 i, const char **p, const char *end)
{
    if (!head->open) return i < head->n;
    if (*p == end || (u8) * *p != PACK_BREAK) return 1; /* or none at all, which reading it tells */
    (*p)++;
    return 0;
}
/* m * 10^e as a value of the field; a RtReason. */
u32 rt_pack_fraction(const RtField *, const PackHead *e, const PackHead *m, RtValue *ret);
/* What a single value is in a field, range and length checked; a RtReason. */
u32 rt_pack_value(RtPipe *, const RtField *, const PackHead *, RtValue *ret);

/* NULL: not a format of this kind. */
const PackFormat *rt_pack_format(u32 format);
int rt_scan_bytes(RtPipe *, u32 format, const RtSchema *, u32 check, u32 unknown, const char *p,
                  const char *end, RtScan *scan);
/* Rows of sinks in csv or a format of bytes. */
void rt_other_row(RtPipe *, u32 sink, u32 format, const RtValue *values, const u8 *has,
                  RtValue address);
/* A record, leaves as the schema numbers them, in the room of rt_json_bytes. */
char *rt_put_pack(char *w, const PackFormat *, const RtSchema *, const RtValue *values,
                  const u8 *has);

/* Numbers as they stand in bytes, the most significant one first. */
static inline u64 pack_be(const char *p, u32 bytes)
{
    u64 v = 0;
    for (u32 i = 0; i < bytes; i++) v = v << 8 | (u8)p[i];
    return v;
}

static inline char *pack_put_be(char *w, u64 v, u32 bytes)
{
    for (u32 i = bytes; i > 0; i--) *w++ = (char)(v >> (8 * (i - 1)));
    return w;
}

/* The first byte, that of 64 bits is one more, then the float. */
static inline char *pack_put_float(char *w, char first, int single, f64 d)
{
    u64 bits = 0;
    f32 f = (f32)d;
    if (single)
        __builtin_memcpy(&bits, &f, sizeof f); /* little end first */
    else
        __builtin_memcpy(&bits, &d, sizeof d);
    *w++ = (char)(first + !single);
    return pack_put_be(w, bits, single ? 4 : 8);
}

static inline f64 pack_f64(u64 bits)
{
    f64 d;
    __builtin_memcpy(&d, &bits, sizeof d);
    return d;
}

static inline f64 pack_f32(u32 bits)
{
    f32 f;
    __builtin_memcpy(&f, &bits, sizeof f);
    return (f64)f;
}

#endif
