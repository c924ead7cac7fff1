/* runtime/flow/pool.c: a free list for each size; small pieces are cut from one page. */
#include "flow/pool.h"

#include "base/mem.h"
#include "flow/dict.h"

#include <string.h>

enum { PAGE_BYTES = 4096, CHUNK_HEAD = 16 };

static u32 class_of(u64 bytes)
{
    u32 class = 0;
    while (class + 1 < POOL_CLASSES && (16ull << class) < bytes) class ++;
    return class;
}

static int refill(RtPool *pool, u32 class)
{
    u64 piece = 16ull << class, count = piece < PAGE_BYTES ? PAGE_BYTES / piece : 1;
    if (!rt_afford(pool->pipe, CHUNK_HEAD + count * piece)) {
        if (!pool->beyond) return 0;
        count = 1; /* more would be room for the next record, which then does the same */
    }
    char *chunk = mem_alloc(CHUNK_HEAD + count * piece);
    if (!chunk) return 0;
    memcpy(chunk, &pool->chunks, sizeof pool->chunks);
    pool->chunks = chunk;
    for (u64 i = 0; i < count; i++) rt_pool_put(pool, chunk + CHUNK_HEAD + i * piece, piece);
    return 1;
}

void *rt_pool_get(RtPool *pool, u64 bytes)
{
    u32 class = class_of(bytes);
    if ((16ull << class) < bytes) return NULL;
    if (!pool->spare[class] && !refill(pool, class)) return NULL;
    void *piece = pool->spare[class];
    memcpy(&pool->spare[class], piece, sizeof(void *));
    return piece;
}

void rt_pool_put(RtPool *pool, void *piece, u64 bytes)
{
    u32 class = class_of(bytes);
    if (!piece) return;
    memcpy(piece, &pool->spare[class], sizeof(void *));
    pool->spare[class] = piece;
}

void rt_pool_done(RtPool *pool)
{
    while (pool->chunks) {
        void *next;
        memcpy(&next, pool->chunks, sizeof next);
        mem_free(pool->chunks);
        pool->chunks = next;
    }
    memset(pool->spare, 0, sizeof pool->spare);
}
