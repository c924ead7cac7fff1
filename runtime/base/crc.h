/* runtime/base/crc.h: CRC32C, the checksum of what lies on a disk.
 *
 * It finds damage, not malice. The polynomial is Castagnoli's (RFC 3720, appendix B.4); the
 * processor's own instruction is used where there is one. */
#ifndef TUTTI_BASE_CRC_H
#define TUTTI_BASE_CRC_H

#include <stddef.h>
#include <stdint.h>

/* `crc` is 0 at first, then what the call before returned. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t len);
uint32_t crc32c_by_table(uint32_t crc, const void *bytes, size_t len); /* what others use */

#endif
