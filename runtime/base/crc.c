/* runtime/base/crc.c: CRC32C by instruction or by a table of 256 entries that is made once. */
#include "base/crc.h"

#include <pthread.h>
#include <string.h>

static uint32_t table[256];
static pthread_once_t table_made = PTHREAD_ONCE_INIT;

static void table_make(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t value = i;
        for (int bit = 0; bit < 8; bit++) value = value >> 1 ^ (value & 1 ? 0x82f63b78u : 0);
        table[i] = value;
    }
}

uint32_t crc32c_by_table(uint32_t crc, const void *bytes, size_t len)
{
    (void)pthread_once(&table_made, table_make);
    const unsigned char *at = bytes;
    crc = ~crc;
    for (; len; len--) crc = crc >> 8 ^ table[(crc ^ *at++) & 0xff];
    return ~crc;
}

#if defined __x86_64__
__attribute__((target("sse4.2"))) static uint32_t by_instruction(uint32_t crc, const char *at,
                                                                 size_t len)
{
    uint64_t value = ~crc;
    for (; len >= 8; len -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        value = __builtin_ia32_crc32di(value, word);
    }
    for (; len; len--) value = __builtin_ia32_crc32qi((uint32_t)value, (unsigned char)*at++);
    return ~(uint32_t)value;
}
#endif

uint32_t crc32c(uint32_t crc, const void *bytes, size_t len)
{
#if defined __x86_64__
    if (__builtin_cpu_supports("sse4.2")) return by_instruction(crc, bytes, len);
#endif
    return crc32c_by_table(crc, bytes, len);
}
