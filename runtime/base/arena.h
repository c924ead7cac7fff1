/* runtime/base/arena.h: memory with one lifetime; freeing is dropping the whole.
 *
 * Chunks grow from `chunk_bytes` and the arena never holds more than `max_bytes`; beyond that, and
 * when the heap is empty, arena_alloc returns NULL. Memory is 16-byte aligned and zeroed.
 * Cleanup handlers run in reverse order of registration at reset and free. One thread at a time. */
#ifndef TUTTI_BASE_ARENA_H
#define TUTTI_BASE_ARENA_H

#include "base/status.h"
#include "base/str.h"

#include <stdarg.h>

typedef struct Arena Arena;

/* NULL when out of memory. Both sizes in bytes; 0 takes 4 KiB and 64 MiB. */
Arena *arena_new(size_t chunk_bytes, size_t max_bytes);
void arena_free(Arena *arena); /* accepts NULL */
/* Runs the cleanups and forgets all memory, keeping the largest chunk for the next round. */
void arena_reset(Arena *arena);

void *arena_alloc(Arena *arena, size_t bytes);
/* count * bytes with the overflow checked; NULL also then. */
void *arena_array(Arena *arena, size_t count, size_t bytes);
#define arena_one(arena, Type)         ((Type *)arena_alloc((arena), sizeof(Type)))
#define arena_many(arena, Type, count) ((Type *)arena_array((arena), (count), sizeof(Type)))

/* Copies, always with a NUL behind the bytes (not counted in len). ptr is NULL when out of memory.
 */
Str arena_str(Arena *arena, Str text);
Str arena_join(Arena *arena, Str a, Str b); /* whole, however long: STR_ARG cuts at 4096 bytes */
Str arena_printf(Arena *arena, const char *format, ...) PRINTF_LIKE(2, 3);
Str arena_vprintf(Arena *arena, const char *format, va_list args);

/* Registers fn(ctx) for reset and free. */
MUST Status arena_cleanup(Arena *arena, void (*fn)(void *ctx), void *ctx);
size_t arena_bytes(const Arena *arena); /* held from the heap now */

#endif
