/* tests/fuzz/fuzz_learnt.c: any bytes as a record, read by learnt layouts and in any order: the
 * same counters, rows and errors. The program is tests/layout/learnt.tutti, compiled at build time.
 */
#include "tests/layout/pair.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static Pairs pairs;
    if (!pairs.program) pairs_open(&pairs);
    if (size > PAIR_BYTES_MAX) return 0;
    if (!pairs_try(&pairs, (const char *)data, size)) abort();
    return 0;
}
