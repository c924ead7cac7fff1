/* runtime/base/arena.c: chunk list with a bump pointer.
 *
 * Invariant: `chunk` is the newest chunk and the only one with room; older ones hang behind it.
 * A request larger than a chunk gets a chunk of its own size. Pools of nginx and memory contexts of
 * PostgreSQL are the models; there is no per-object free on purpose.
 *
 * Memory is zeroed where it is handed out: chunks zeroed as a whole would touch pages that nobody
 * ever uses, and a page fault costs more than anything else at a start. Large chunks are whole
 * large pages: page by page they would take half of the time of checking a large program. */
#include "base/arena.h"

#include "base/mem.h"

#include <stdio.h>

enum { CHUNK_MOST = 8 << 20 };

typedef struct Chunk {
    struct Chunk *older;
    size_t size, used; /* of the bytes behind this head */
    _Alignas(16) unsigned char bytes[];
} Chunk;

typedef struct Cleanup {
    struct Cleanup *older;
    void (*fn)(void *ctx);
    void *ctx;
} Cleanup;

struct Arena {
    Chunk *chunk;
    Cleanup *cleanups;
    size_t chunk_bytes, max_bytes, held_bytes;
};

Arena *arena_new(size_t chunk_bytes, size_t max_bytes)
{
    Arena *arena = mem_zalloc(1, sizeof *arena);
    if (!arena) return NULL;
    arena->chunk_bytes = chunk_bytes ? chunk_bytes : 4096;
    arena->max_bytes = max_bytes ? max_bytes : (size_t)64 << 20;
    return arena;
}

static void run_cleanups(Arena *arena)
{
    while (arena->cleanups) {
        Cleanup *first = arena->cleanups;
        arena->cleanups = first->older;
        first->fn(first->ctx);
    }
}

void arena_reset(Arena *arena)
{
    run_cleanups(arena);
    Chunk *keep = arena->chunk;
    for (Chunk *c = arena->chunk; c; c = c->older)
        if (c->size > keep->size) keep = c;
    for (Chunk *c = arena->chunk, *older; c; c = older) {
        older = c->older;
        if (c == keep) continue;
        arena->held_bytes -= c->size;
        mem_free(c);
    }
    if (keep) {
        keep->older = NULL;
        keep->used = 0;
    }
    arena->chunk = keep;
}

void arena_free(Arena *arena)
{
    if (!arena) return;
    run_cleanups(arena);
    for (Chunk *c = arena->chunk, *older; c; c = older) {
        older = c->older;
        mem_free(c);
    }
    mem_free(arena);
}

static Chunk *chunk_add(Arena *arena, size_t want)
{
    size_t size = arena->chunk ? arena->chunk->size * 2 : arena->chunk_bytes;
    if (size > CHUNK_MOST) size = CHUNK_MOST;
    if (size < want) size = want;
    if (size >= MEM_PAGE_LARGE / 2) /* whole pages, head and all */
        size = (sizeof(Chunk) + size + MEM_PAGE_LARGE - 1) / MEM_PAGE_LARGE * MEM_PAGE_LARGE -
               sizeof(Chunk);
    if (size > arena->max_bytes - arena->held_bytes) size = want;
    if (size > arena->max_bytes - arena->held_bytes) return NULL;
    size_t bytes = sizeof(Chunk) + size;
    Chunk *chunk = bytes >= MEM_PAGE_LARGE ? mem_large(bytes) : mem_alloc(bytes);
    if (!chunk) return NULL;
    chunk->size = size;
    chunk->used = 0;
    chunk->older = arena->chunk;
    arena->chunk = chunk;
    arena->held_bytes += size;
    return chunk;
}

void *arena_alloc(Arena *arena, size_t bytes)
{
    if (bytes > arena->max_bytes) return NULL;
    size_t want = (bytes + 15) & ~(size_t)15;
    Chunk *chunk = arena->chunk;
    if (!chunk || chunk->size - chunk->used < want) chunk = chunk_add(arena, want);
    if (!chunk) return NULL;
    void *ptr = chunk->bytes + chunk->used;
    chunk->used += want;
    memset(ptr, 0, want);
    return ptr;
}

void *arena_array(Arena *arena, size_t count, size_t bytes)
{
    size_t total;
    return __builtin_mul_overflow(count, bytes, &total) ? NULL : arena_alloc(arena, total);
}

Str arena_str(Arena *arena, Str text)
{
    char *copy = arena_alloc(arena, text.len + 1);
    if (!copy) return STR_NONE;
    if (text.len) memcpy(copy, text.ptr, text.len);
    return (Str){copy, text.len};
}

Str arena_join(Arena *arena, Str a, Str b)
{
    char *text = arena_alloc(arena, a.len + b.len + 1);
    if (!text) return STR_NONE;
    if (a.len) memcpy(text, a.ptr, a.len);
    if (b.len) memcpy(text + a.len, b.ptr, b.len);
    text[a.len + b.len] = 0;
    return (Str){text, a.len + b.len};
}

Str arena_vprintf(Arena *arena, const char *format, va_list args)
{
    char some[256]; /* long enough for nearly all, so that they are printed once */
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(some, sizeof some, format, again);
    va_end(again);
    char *text = len < 0 ? NULL : arena_alloc(arena, (size_t)len + 1);
    if (!text) return STR_NONE;
    if ((size_t)len < sizeof some)
        memcpy(text, some, (size_t)len);
    else
        (void)vsnprintf(text, (size_t)len + 1, format, args);
    return (Str){text, (size_t)len};
}

Str arena_printf(Arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    Str text = arena_vprintf(arena, format, args);
    va_end(args);
    return text;
}

Status arena_cleanup(Arena *arena, void (*fn)(void *ctx), void *ctx)
{
    Cleanup *row = arena_one(arena, Cleanup);
    if (!row) return ST_NO_MEMORY;
    *row = (Cleanup){arena->cleanups, fn, ctx};
    arena->cleanups = row;
    return ST_OK;
}

size_t arena_bytes(const Arena *arena)
{
    return arena->held_bytes;
}
