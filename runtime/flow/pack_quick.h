/* runtime/flow/pack_quick.h: msgpack and cbor as they mostly come: keys in the order of last time,
 * values in the usual encoding of their type. What is read here is what pack.c would read. */
#ifndef TUTTI_FLOW_PACK_QUICK_H
#define TUTTI_FLOW_PACK_QUICK_H

#include "flow/keys.h"

/* Where the walk over a map stands. */
typedef struct PackPairs {
    u64 left;   /* pairs to come */
    u32 last;   /* the key read last, 0 = none */
    u32 all;    /* check strict: of fields that nobody reads, too */
    u32 wanted; /* see Pack in pack.c */
    u64 seen[RT_SEEN_WORDS];
} PackPairs;

/* Bytes of an item by its first one, where that tells and nothing stands in it; else 0.
 * [0] msgpack, [1] cbor. */
extern const u8 rt_pack_bytes_of[2][256];

/* Reads pairs until one is not as expected, or none is wanted; behind the last one it took. */
const char *rt_pack_pairs(RtPipe *, u32 format, RtKeys *keys, RtScan *out, const char *p,
                          const char *end, PackPairs *at);
/* One value of a field, or NULL: look closer. */
const char *rt_pack_one(RtPipe *, u32 format, const RtField *field, const char *p, const char *end,
                        RtValue *v);

#endif
