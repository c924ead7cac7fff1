/* runtime/flow/pack_shape.c: shapes of records; see pack_shape.h.
 *
 * Items without items inside may take each other's place: nothing behind them moves in the
 * structure. Heads of maps and lists and tags stay what they are. */
#include "flow/pack_shape.h"

#include "flow/hot.h"
#include "flow/pack.h"
#include "flow/pack_quick.h"

typedef enum Kind { OTHER, SINGLE, HOLDS /* items, or is a tag of the next one */ } Kind;

typedef struct Item {
    u32 kind, bytes; /* HOLDS: of its head */
    u32 heads;       /* how many bytes say so: 1 or 2; 0: more */
} Item;

/* clang-format off: sixteen a line */
const u8 rt_pack_bytes_of[2][256] = {
    {
        1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,
        1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,
        1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,
        1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,
        1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,
        1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  0,  0,  0,  0,
        0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,
        0,  0,  0,  0,  0,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16,
        17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 1,  0,  1,  1,  0,  0,
        0,  0,  0,  0,  5,  9,  2,  3,  5,  9,  2,  3,  5,  9,  3,  4,  6,  10, 18, 0,  0,  0,
        0,  0,  0,  0,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,
        1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,
    },
    {
        1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,
        1,  1,  2,  3,  5,  9,  0,  0,  0,  0,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,
        1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  2,  3,  5,  9,  0,  0,  0,  0,  1,  2,
        3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24,
        0,  0,  0,  0,  0,  0,  0,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14,
        15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,
        0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,
        0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,
        0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,
        0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,
        0,  0,  0,  0,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,
        1,  1,  1,  1,  1,  1,  0,  3,  5,  9,  0,  0,  0,  0,
    }};
/* clang-format on */

/* What stands at p, of which two bytes may be read. */
static inline Item item_at(u32 cbor, const char *p)
{
    u8 first = (u8)p[0], second = (u8)p[1];
    u32 bytes = rt_pack_bytes_of[cbor][first];
    if (bytes) return (Item){SINGLE, bytes, 1};
    if (cbor) {
        if (first == 0x58 || first == 0x78) return (Item){SINGLE, 2u + second, 2};
        if (first == 0x59 || first == 0x79) return (Item){SINGLE, 3 + (u32)pack_be(p + 1, 2), 0};
        u32 major = first >> 5, info = first & 31;
        if (major < 4 || major > 6 || info > 24) return (Item){OTHER, 0, 0};
        return (Item){HOLDS, info == 24 ? 2 : 1, info == 24 ? 2 : 1};
    }
    if (first < 0xa0) return (Item){HOLDS, 1, 1};
    if (first == 0xd9 || first == 0xc4) return (Item){SINGLE, 2u + second, 2};
    if (first == 0xda || first == 0xc5) return (Item){SINGLE, 3 + (u32)pack_be(p + 1, 2), 0};
    return (Item){OTHER, 0, 0};
}

static inline void note(PackShape *s, u32 i, const char *p, Item item)
{
    u16 mask = item.heads == 1 ? 0xff : 0xffff;
    bool fixed = item.heads && item.bytes <= UINT16_MAX;
    s->items[i].first = (u16)(fixed ? ((u8)p[0] | (u8)p[1] << 8) & mask : 1);
    s->items[i].mask = (u16)(fixed ? mask : 0); /* what differs is read again */
    s->items[i].bytes = (u16)item.bytes;
    s->items[i].kind = (u16)item.kind;
}

static inline const char *pass(PackShape *s, u32 cbor, const char *p, const char *end)
{
    for (u32 i = 0; i < s->count; i++) {
        if (p >= end) return NULL;
        u32 bytes = s->items[i].bytes;
        if (RT_RARE((RT_2(p) & s->items[i].mask) != s->items[i].first)) {
            Item item = item_at(cbor, p);
            if (item.kind != SINGLE || s->items[i].kind != SINGLE) return NULL;
            note(s, i, p, item);
            bytes = item.bytes;
        }
        p += bytes;
    }
    return s->count && p <= end ? p : NULL;
}

const char *rt_pack_shape_pass(PackShape *s, u32 format, const char *p, const char *end)
{
    return format == RT_FORMAT_MSGPACK ? pass(s, 0, p, end) : pass(s, 1, p, end);
}

void rt_pack_shape_learn(PackShape *s, u32 format, const char *p, const char *behind)
{
    u32 count = 0;
    s->count = 0;
    while (p < behind) {
        Item item = item_at(format == RT_FORMAT_CBOR, p);
        if (item.kind == OTHER || count == PACK_SHAPE_MAX) return; /* it has no shape */
        note(s, count++, p, item);
        p += item.bytes;
    }
    s->count = count;
}
