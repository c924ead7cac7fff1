/* runtime/flow/pack_shape.h: where a record of msgpack or cbor ends, by the one before.
 *
 * Records of one source have the same maps and lists, and items of mostly the same size in the same
 * places. A shape is the first bytes of all items of a record that was found whole; the next one
 * needs a comparison for each item. Whatever is not like it is walked as ever. */
#ifndef TUTTI_FLOW_PACK_SHAPE_H
#define TUTTI_FLOW_PACK_SHAPE_H

#include "flow/abi.h"

enum { PACK_SHAPE_MAX = 128 };

typedef struct PackShape {
    u32 count;
    struct {
        u16 first, mask; /* its first two bytes, or the first one */
        u16 bytes;       /* of the item */
        u16 kind;        /* in pack_shape.c */
    } items[PACK_SHAPE_MAX];
} PackShape;

/* Behind the record at p, or NULL: it is of another shape, or not whole. */
const char *rt_pack_shape_pass(PackShape *, u32 format, const char *p, const char *end);
/* The shape of the record from p to `behind`, which is well-formed. */
void rt_pack_shape_learn(PackShape *, u32 format, const char *p, const char *behind);

#endif
