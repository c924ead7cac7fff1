/* compiler/driver/input.c: opening and reading it; what stands in the buffer is whole from its
 * start, the reader takes away what it has used. */
#include "compiler/driver/input.h"

#include "base/mem.h"
#include "base/str.h"
#include "flow/abi.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { CHUNK_BYTES = 256 << 10, RECORD_BYTES_MAX = 16 << 20 };

Status input_open(const IrSource *source, Input *in, Diag *diag)
{
    *in = (Input){.fd = STDIN_FILENO, .cap = CHUNK_BYTES, .format = (uint32_t)source->format};
    if (str_is(source->kind, "file")) {
        char path[4096];
        snprintf(path, sizeof path, "%.*s", STR_ARG(source->address));
        in->fd = open(path, O_RDONLY | O_CLOEXEC);
        if (in->fd < 0) return diag_errno(diag, errno, "%s", path);
    }
    in->bytes = mem_alloc(in->cap + RT_PAD_BYTES);
    return in->bytes ? ST_OK : diag_set(diag, ST_NO_MEMORY, "out of memory");
}

void input_close(Input *in)
{
    if (in->fd > STDIN_FILENO) close(in->fd);
    mem_free(in->bytes);
    *in = (Input){.fd = -1};
}

Status input_fill(Input *in, Diag *diag)
{
    if (in->len == in->cap) {
        if (in->cap >= RECORD_BYTES_MAX)
            return diag_set(diag, ST_LIMIT, "a record is longer than 16 MiB");
        char *more = mem_realloc(in->bytes, in->cap * 2 + RT_PAD_BYTES);
        if (!more) return diag_set(diag, ST_NO_MEMORY, "out of memory");
        in->bytes = more;
        in->cap *= 2;
    }
    ssize_t n;
    do n = read(in->fd, in->bytes + in->len, in->cap - in->len);
    while (n < 0 && errno == EINTR);
    if (n < 0) return diag_errno(diag, errno, "reading the input");
    in->len += (size_t)n;
    in->ended = n == 0;
    return ST_OK;
}
