/* runtime/flow/pool.h: pieces of memory of sizes that double, counted as state and used again.
 *
 * For what a key or a window needs beside its fixed cell: long keys, sets, lists. Nothing goes back
 * to the heap before the end, so what comes and goes allocates nothing. */
#ifndef TUTTI_FLOW_POOL_H
#define TUTTI_FLOW_POOL_H

#include "flow/abi.h"

enum { POOL_CLASSES = 28 }; /* 16 bytes to 2 GiB */

typedef struct RtPool {
    RtPipe *pipe;
    void *spare[POOL_CLASSES]; /* free pieces of 16 << class */
    void *chunks;              /* where they came from, linked by their first word */
    u8 beyond;                 /* counted as state only up to its limit */
} RtPool;

/* At least `bytes`, not zeroed; NULL: state may not grow. */
void *rt_pool_get(RtPool *pool, u64 bytes);
/* `bytes` as it was asked for; NULL is accepted. */
void rt_pool_put(RtPool *pool, void *piece, u64 bytes);
void rt_pool_done(RtPool *pool);

#endif
