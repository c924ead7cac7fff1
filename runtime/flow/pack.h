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

typedef struct PackHead {
    u8 kind; /* PackKind */
    u8 negative;
    u8 single; /* FLOAT: it came in 32 bits */
    u64 n;
    f64 d;
    i64 ns;
    const char *p;
} PackHead;

typedef struct PackFormat {
    /* Reads the head of the item at p. Returns what is behind it (behind all of an item without
     * items inside), or NULL with BAD or CUT. */
    const char *(*head)(const char *p, const char *end, PackHead *ret);
    char *(*put_nil)(char *w);
    char *(*put_list)(char *w, u64 items);
    char *(*put_map)(char *w, u64 pairs);
    char *(*put_text)(char *w, const char *p, u64 n);
    /* A value of the field, no record or list. */
    char *(*put)(char *w, const RtField *field, RtValue v);
} PackFormat;

enum { PACK_TEXT_BYTES = 64 }; /* of any value that is written as text but is none */

extern const PackFormat rt_msgpack;

/* Over the item at p and all in it, at most `levels` lists and maps deep; NULL: `*ret_why` is BAD
 * or CUT (may be NULL). */
const char *rt_pack_pass(const PackFormat *, const char *p, const char *end, u32 levels,
                         PackHead *ret_why);
/* Over what is in an item whose head was read. */
const char *rt_pack_rest(const PackFormat *, const PackHead *head, const char *p, const char *end,
                         u32 levels, PackHead *ret_why);
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
