/* runtime/series/pack.h: whole numbers in few bits, for the blocks of the series store.
 *
 * Numbers go in groups of 128. A group is written with as many bits per number as most of its
 * numbers need; the few that need more are patched behind it ("patched frame of reference":
 * Zukowski et al., ICDE 2006). Where all are below a number that is no power of two, they may be
 * the digits of larger numbers instead: 9 numbers below 21 fit into 40 bits, not 45. All bytes are
 * little-endian. Reading never trusts what it reads: it
 * stays inside its bytes and sets `failed`. */
#ifndef TUTTI_SERIES_PACK_H
#define TUTTI_SERIES_PACK_H

#include "base/buf.h"

enum { PACK_GROUP = 128 };

/* A reading position. After `failed` every read gives 0. */
typedef struct PackIn {
    const uint8_t *at, *end;
    bool failed;
} PackIn;

static inline PackIn pack_in(Str bytes)
{
    const uint8_t *at = (const uint8_t *)bytes.ptr;
    return (PackIn){at, at + bytes.len, false};
}

uint8_t pack_get_u8(PackIn *in);
uint64_t pack_get_fixed(PackIn *in, uint32_t bytes); /* 1..8 */
uint64_t pack_get_varint(PackIn *in);                /* LEB128 */

void pack_put_u8(Buf *out, uint8_t value);
void pack_put_fixed(Buf *out, uint64_t value, uint32_t bytes);
void pack_put_varint(Buf *out, uint64_t value);

/* `count` numbers in groups. Reading fills values[0 .. count); on failure with what was there. */
void pack_put_all(Buf *out, const uint64_t *values, uint32_t count);
void pack_get_all(PackIn *in, uint64_t *values, uint32_t count);

/* Small numbers of either sign as small numbers (0, -1, 1, -2 ... as 0, 1, 2, 3 ...). */
static inline uint64_t pack_zigzag(uint64_t value)
{
    return (value << 1) ^ (0 - (value >> 63));
}
static inline uint64_t pack_unzigzag(uint64_t value)
{
    return (value >> 1) ^ (0 - (value & 1));
}
/* Bits that `value` needs; 0 for 0. */
static inline uint32_t pack_bits(uint64_t value)
{
    return value ? 64 - (uint32_t)__builtin_clzll(value) : 0;
}

#endif
