/* tests/fuzz/fuzz_ahead.c: the log ahead of a store, from a file of hostile bytes.
 *
 * The first bytes are the mark that a store would have (number, checksum, place), the rest is the
 * file. Whatever it holds, reading ends, stays inside, and gives numbers without a gap. */
#include "store/ahead_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AheadMark mark = {0};
    AheadFile file;
    AUTO_BUF Buf out = {0};
    char path[40];
    if (size < 16) return 0;
    memcpy(&mark.seq, data, 4);
    memcpy(&mark.crc, data + 4, 4);
    memcpy(&mark.next, data + 8, 8);
    int fd = memfd_create("ahead", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data + 16, size - 16) != (ssize_t)(size - 16)) abort();
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    buf_init(&out, 8 << 20);
    if (store__ahead_file_open(&file, path, NULL)) abort();
    file.last = mark;
    bool there = true;
    for (uint64_t records = 0; there; records++) {
        uint64_t at;
        if (records > size / 16) abort();
        if (store__ahead_read(&file, &out, &at, &there, NULL)) break;
        if (there && (at > size || file.last.seq != mark.seq + records + 1)) abort();
    }
    if (out.len > size) abort();
    store__ahead_file_close(&file);
    (void)close(fd);
    return 0;
}
