/* tests/fuzz/fuzz_pattern.c: any bytes as a pattern and, behind the first line, a text. */
#include "base/pattern.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *p = (const char *)data;
    if (!size || size > 400) return 0;
    const char *line = memchr(p, '\n', size);
    size_t n = line ? (size_t)(line - p) : size, at = 0;
    Buf table;
    buf_init(&table, 1 << 20);
    Status st = pattern_compile(str_slice(p, n), &table, &at, NULL);
    assert(at <= n);
    if (!st) {
        bool found = line ? pattern_matches(table.ptr, line + 1, size - n - 1)
                          : pattern_matches(table.ptr, "", 0);
        (void)found;
    }
    buf_done(&table);
    return 0;
}
