/* runtime/flow/keys.h: the field of a key, by a hash table per schema.
 *
 * Made when a schema is first read and kept by the instance, so schemas stay constant tables. The
 * words of the key are the hash's input and the first thing compared: names of up to eight bytes
 * need nothing else. */
#ifndef TUTTI_FLOW_KEYS_H
#define TUTTI_FLOW_KEYS_H

#include "flow/hot.h"
#include "flow/pipe.h"

#include <string.h>

/* How a value in its usual spelling is read. */
typedef enum RtQuick {
    RT_QUICK_NONE,
    RT_QUICK_F64,
    RT_QUICK_INT,
    RT_QUICK_UINT,
    RT_QUICK_STR,
    RT_QUICK_TIME,
    RT_QUICK_ENUM
} RtQuick;

/* What the scanner needs of a field, close together. */
typedef struct RtKey {
    u64 word;   /* as in RtField */
    u64 quoted; /* up to 7 bytes of the name and the quote behind them */
    u64 bit;    /* of the field, in its word of `seen` */
    const RtField *field;
    const u64 *names; /* ENUM: first 8 bytes of each name, as `word` */
    u16 name_len, leaf;
    u8 seen; /* which word */
    u8 flags;
    u8 quick;   /* RtQuick */
    u8 shift;   /* 64 less the bits of `quoted` */
    u32 counts; /* a leaf, which `check lazy` waits for: RT_COUNT_NEEDED, and RT_COUNT_EARLY */
} RtKey;

/* Two counters in one word, see Scan.wanted. */
#define RT_COUNT_NEEDED 1u
#define RT_COUNT_EARLY  0x10000u

enum { RT_SEEN_WORDS = RT_LEAVES_MAX / 64 };

typedef struct RtKeys {
    const RtSchema *schema;
    u64 required[RT_SEEN_WORDS]; /* bits of fields that must be there */
    u64 needed[RT_SEEN_WORDS];   /* of those, the ones somebody reads */
    u32 words;                   /* of the two that are in use */
    u32 shift, mask;
    u32 doubt; /* grows with keys that were not the expected ones */
    u64 factor;
    RtKey *list; /* from 1; 0 is no field */
    u16 *after;  /* key seen behind each key; of 0: the first one */
    u16 slots[]; /* key; 0 = free */
} RtKeys;

enum { RT_DOUBT = 32, RT_DOUBT_MAX = 64 };

/* NULL: no memory, or more than RT_LEAVES_MAX fields. */
RtKeys *rt_keys_make(FlowInstance *host, const RtSchema *schema);
void rt_keys_free(FlowInstance *host);

static inline RtKeys *rt_keys(FlowInstance *host, const RtSchema *schema)
{
    u32 at = (u32)((uintptr_t)schema / 16 % FLOW_KEYS_MAX);
    RtKeys *keys = host->keys[at];
    return keys && keys->schema == schema ? keys : rt_keys_make(host, schema);
}

static inline u32 rt_key_hash(const RtKeys *keys, u64 first, u64 last, u64 n)
{
    return (u32)(((first ^ (last << 23 | last >> 41)) + n) * keys->factor >> keys->shift);
}

/* The key `p`, n bytes; 8 more may be read. 0: no field of the schema. */
static inline u32 rt_key_find(const RtKeys *keys, const char *p, u64 n)
{
    u64 first = RT_8(p), last = 0;
    if (n > 8)
        last = RT_8(p + n - 8);
    else
        first = n ? first & (~0ull >> (64 - 8 * n)) : 0;
    for (u32 at = rt_key_hash(keys, first, last, n);; at = (at + 1) & keys->mask) {
        u32 slot = keys->slots[at];
        if (!slot) return 0;
        const RtKey *key = &keys->list[slot];
        if (key->word != first || key->name_len != n) continue;
        if (n > 8 && memcmp(key->field->name + 8, p + 8, n - 8) != 0) continue;
        return slot;
    }
}

/* The key's name, plain, with the closing quote behind it, stands at p. */
static inline int rt_key_is(const RtKey *key, const char *p)
{
    u64 n = key->name_len;
    if ((RT_8(p) ^ key->quoted) << key->shift) return 0;
    return n < 8 || (p[n] == '"' && memcmp(key->field->name + 7, p + 7, n - 7) == 0);
}

#endif
