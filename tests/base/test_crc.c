/* tests/base/test_crc.c: CRC32C against the examples of RFC 3720, B.4, and itself by table. */
#include "test.h"

#include "base/crc.h"

#include <string.h>

TEST(examples_of_the_rfc)
{
    unsigned char bytes[32] = {0};
    CHECK_INT(crc32c(0, bytes, 32), 0x8a9136aa);
    memset(bytes, 0xff, sizeof bytes);
    CHECK_INT(crc32c(0, bytes, 32), 0x62a8ab43);
    for (int i = 0; i < 32; i++) bytes[i] = (unsigned char)i;
    CHECK_INT(crc32c(0, bytes, 32), 0x46dd794e);
    CHECK_INT(crc32c(0, "123456789", 9), 0xe3069283);
}

TEST(in_parts_and_by_table_it_is_the_same)
{
    char text[257];
    for (size_t i = 0; i < sizeof text; i++) text[i] = (char)(i * 31);
    for (size_t len = 0; len <= sizeof text; len++) {
        uint32_t whole = crc32c(0, text, len);
        CHECK_INT(crc32c_by_table(0, text, len), whole);
        CHECK_INT(crc32c(crc32c(0, text, len / 3), text + len / 3, len - len / 3), whole);
    }
}
