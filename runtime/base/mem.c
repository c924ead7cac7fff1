/* runtime/base/mem.c: malloc with a counter and a switch that makes one call fail. */
#include "base/mem.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    PAGE_BYTES = 4096,
    AHEAD_BYTES_MAX = 1 << 20,
    LARGE_FROM_BYTES = 8 << 20,
    STEP_BYTES = 8 << 20
};

static _Atomic uint64_t calls, fail_at;

static bool must_fail(void)
{
    uint64_t now = atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed) + 1;
    return now == atomic_load_explicit(&fail_at, memory_order_relaxed);
}

void *mem_alloc(size_t bytes)
{
    return must_fail() ? NULL : malloc(bytes ? bytes : 1);
}

void *mem_zalloc(size_t count, size_t bytes)
{
    return must_fail() ? NULL : calloc(count ? count : 1, bytes ? bytes : 1);
}

void *mem_realloc(void *old, size_t bytes)
{
    return must_fail() ? NULL : realloc(old, bytes ? bytes : 1);
}

void mem_free(void *ptr)
{
    free(ptr);
}

void mem_trim(void)
{
    (void)malloc_trim(0);
}

void *mem_large(size_t bytes)
{
    void *ptr;
    if (must_fail() || posix_memalign(&ptr, MEM_PAGE_LARGE, bytes)) return NULL;
    (void)madvise(ptr, bytes, MADV_HUGEPAGE); /* a hint */
    return ptr;
}

void mem_warm(size_t bytes)
{
#if defined __GLIBC__ && defined MADV_POPULATE_WRITE
    static void *before; /* what is in front of the large page: never written, so no memory */
    size_t room = 2 * MEM_PAGE_LARGE, head = 2 * sizeof(size_t);
    (void)mallopt(M_MMAP_THRESHOLD, (int)room * 2); /* from the heap, which keeps it */
    (void)mallopt(M_TRIM_THRESHOLD, (int)room * 2);
    char *block = malloc(room);
    if (!block) return;
    uintptr_t large = ((uintptr_t)block / MEM_PAGE_LARGE + 1) * MEM_PAGE_LARGE;
    size_t skip = large - (uintptr_t)block;
    free(block);
    if (skip > head) before = malloc(skip - head); /* the next one begins at the large page */
    __asm__ volatile("" : : "m"(before));          /* nobody reads it: do not leave it out */
    (void)madvise((void *)large, MEM_PAGE_LARGE, MADV_HUGEPAGE); /* hints */
    (void)madvise((void *)large, bytes, MADV_POPULATE_WRITE);
#else
    (void)bytes;
#endif
}

#if defined __GLIBC__ && defined MADV_POPULATE_WRITE
static char *up_to(const char *at, size_t unit)
{
    return (char *)(((uintptr_t)at + unit - 1) & ~(uintptr_t)(unit - 1)); /* NOLINT */
}

/* From here on the heap grows by some large pages at a time. `asked`: they are asked for up to
 * there; NULL = this is the first time. */
static char *ask_large(char *asked, char *from, char *end)
{
    if (!asked) {
        (void)mallopt(M_TOP_PAD, STEP_BYTES);
        (void)mallopt(M_TRIM_THRESHOLD, 2 * STEP_BYTES);
        asked = up_to(from, MEM_PAGE_LARGE);
    }
    char *to = up_to(end - MEM_PAGE_LARGE + 1, MEM_PAGE_LARGE);
    if (to < asked) return up_to(end, MEM_PAGE_LARGE) < asked ? up_to(end, MEM_PAGE_LARGE) : asked;
    if (to > asked) (void)madvise(asked, (size_t)(to - asked), MADV_HUGEPAGE); /* a hint */
    return to;
}
#endif

void mem_ahead(void)
{
#if defined __GLIBC__ && defined MADV_POPULATE_WRITE
    static char *first, *seen, *asked; /* the heap's end: malloc moves it by some pages at a time */
    char *end = sbrk(0);
    if (end == seen) return;
    size_t grown = seen && end > seen ? (size_t)(end - seen) : 0;
    char *from = up_to(seen, PAGE_BYTES);
    if (!first) first = end;
    if (asked || end >= first + LARGE_FROM_BYTES)
        asked = ask_large(asked, seen, end);
    else if (grown > PAGE_BYTES && grown <= AHEAD_BYTES_MAX)
        (void)madvise(from, (size_t)(end - from), MADV_POPULATE_WRITE); /* a hint */
    seen = end;
#endif
}

void mem_fail_at(uint64_t nth)
{
    atomic_store(&fail_at, nth ? atomic_load(&calls) + nth : 0);
}

uint64_t mem_calls(void)
{
    return atomic_load(&calls);
}
