/* runtime/flow/dict.h: keys of a stream -> what is remembered of each; bounded.
 *
 * A key is the values of a few fields, encoded as bytes. Each entry has a payload of fixed size
 * behind it and never moves. Entries that may be forgotten stand in one order, the oldest first:
 * when the dictionary is full, or state may not grow, the oldest of them makes room and is counted
 * (`forgotten`). Memory comes in blocks that double and is kept until the end, so that keys that
 * come and go allocate nothing. */
#ifndef TUTTI_FLOW_DICT_H
#define TUTTI_FLOW_DICT_H

#include "flow/pool.h"

enum { DICT_NEAR_BYTES = 16, DICT_BLOCKS_MAX = 40 };

typedef struct RtEntry {
    u64 hash;
    struct RtEntry *older, *newer; /* the order of forgetting; `newer` also links free entries */
    u32 len;
    u8 used, listed;
    union {
        char near[DICT_NEAR_BYTES];
        char *far; /* longer keys */
    } bytes;
    u64 payload[]; /* all zero in a new entry */
} __attribute__((aligned(16))) RtEntry;

typedef struct RtDict {
    RtPipe *pipe;
    u32 key_count;
    const u8 *types;
    const u32 *bytes_max;
    u64 seed, table_cap, count, count_max, stride;
    RtEntry **table;
    void *block[DICT_BLOCKS_MAX]; /* block i holds 16 << i entries */
    u32 block_count;
    RtEntry *unused;
    RtEntry *oldest, *newest;
    char *space; /* a key being encoded */
    RtPool far;  /* bytes of long keys */
    u64 forgotten;
    void (*forget)(void *ctx, RtEntry *entry); /* before one is forgotten; or NULL */
    void *forget_ctx;
} RtDict;

static inline int rt_is_text(u8 type)
{
    return type == RT_STR || type == RT_BYTES || type == RT_JSON;
}

/* 0: out of memory (call rt_dict_done all the same). The type lists are the caller's. */
int rt_dict_init(RtDict *dict, RtPipe *pipe, const u8 *types, const u32 *bytes_max, u32 key_count,
                 u64 payload_bytes, u64 count_max);
void rt_dict_done(RtDict *dict);

/* The bytes that identify the keys: a single text is itself; else each with its length in front.
 * They live in `keys` or until the next call. */
const char *rt_dict_encode(RtDict *dict, const RtValue *keys, u64 *ret_len);
/* Texts point into the entry. */
void rt_dict_decode(const RtDict *dict, const RtEntry *entry, RtValue *ret_keys);
static inline const char *rt_dict_bytes(const RtEntry *entry)
{
    return entry->len <= DICT_NEAR_BYTES ? entry->bytes.near : entry->bytes.far;
}
/* True when such bytes, from a file, decode within their length. */
int rt_dict_fits(const RtDict *dict, const char *p, u64 n);

/* The entry of a key, new ones unlisted; NULL: full, and nothing may be forgotten. */
RtEntry *rt_dict_get(RtDict *dict, const char *p, u64 n);
/* NULL when the key is not there. */
RtEntry *rt_dict_find(const RtDict *dict, const char *p, u64 n);
/* To the young end of the order. */
void rt_dict_touch(RtDict *dict, RtEntry *entry);
/* Out of the order: is kept. */
void rt_dict_keep(RtDict *dict, RtEntry *entry);
void rt_dict_remove(RtDict *dict, RtEntry *entry);
/* All entries, in no order: *at starts at 0; NULL behind the last. */
RtEntry *rt_dict_next(const RtDict *dict, u64 *at);

/* Counts bytes against the instance's limit; 0: it is reached. */
int rt_afford(RtPipe *pipe, u64 bytes);
/* Grows *list from `old` to `count` items, counted as state. */
int rt_grow(RtPipe *pipe, void **list, u64 item, u64 old, u64 count);

#endif
