/* runtime/base/mem.h: the one door to the heap.
 *
 * Everything that allocates does it here, so that tests can make the n-th call fail and count
 * what is still held. Sizes are bytes. NULL means out of memory and is always the caller's to
 * handle. */
#ifndef TUTTI_BASE_MEM_H
#define TUTTI_BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

void *mem_alloc(size_t bytes) __attribute__((malloc, alloc_size(1))); /* not zeroed */
void *mem_zalloc(size_t count, size_t bytes) __attribute__((malloc, alloc_size(1, 2)));
void *mem_realloc(void *old, size_t bytes) __attribute__((alloc_size(2)));
void mem_free(void *ptr); /* accepts NULL */
/* Much of this will be written soon: it begins at a large page, and the system is asked to give it
 * in such pages, which saves most of the time that giving memory takes. Not zeroed. */
enum { MEM_PAGE_LARGE = 2 << 20 };
void *mem_large(size_t bytes) __attribute__((malloc, alloc_size(1)));

/* So many bytes, at most MEM_PAGE_LARGE, will be asked for soon, in parts: takes their pages in one
 * step, because each page that is taken by itself, when it is written first, costs a way into the
 * system. It is one large page where the system has them. */
void mem_warm(size_t bytes);

/* For who makes many small things that stay: what the heap grew by since the last call gets its
 * pages in one step, for the same reason; once it grew by some MB, in large pages, which also makes
 * what lies all over it quicker to find. One thread only. */
void mem_ahead(void);

/* Gives free pages back to the system: after work that took much for a moment, like compiling. */
void mem_trim(void);

/* For tests: the n-th allocation from now on (1 = the next) fails, and only that one; 0 = never. */
void mem_fail_at(uint64_t nth);
/* Calls of mem_alloc, mem_zalloc and mem_realloc so far, by all threads. */
uint64_t mem_calls(void);

/* Frees a heap pointer when the scope ends: AUTO_FREE char *text = ...; */
static inline void mem__auto(void *slot)
{
    mem_free(*(void **)slot);
}
#define AUTO_FREE __attribute__((cleanup(mem__auto)))

#endif
