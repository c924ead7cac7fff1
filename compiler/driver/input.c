/* compiler/driver/input.c: opening and reading it; the reader moves `bytes` on over what it has
 * used. */
#include "compiler/driver/input.h"

#include "base/mem.h"
#include "base/str.h"
#include "flow/abi.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK_BYTES = 256 << 10, PAGE_BYTES = 4096, RECORD_BYTES_MAX = 16 << 20 };

static char *input_page(const Input *in)
{
    uintptr_t at = (uintptr_t)in->room + in->head + PAGE_BYTES - 1;
    return in->room + (at / PAGE_BYTES * PAGE_BYTES - (uintptr_t)in->room);
}

/* Makes room, and takes what is there along. */
MUST static Status input_room(Input *in, size_t head, size_t cap, Diag *diag)
{
    char *old = in->room;
    size_t bytes = head + cap + PAGE_BYTES + RT_PAD_BYTES;
    in->room = bytes >= MEM_PAGE_LARGE ? mem_large(bytes) : mem_alloc(bytes);
    if (!in->room) {
        in->room = old;
        return diag_set(diag, ST_NO_MEMORY, "out of memory");
    }
    in->head = head;
    in->cap = cap;
    char *place = input_page(in) - in->len;
    if (in->len) memcpy(place, in->bytes, in->len);
    in->bytes = place;
    mem_free(old);
    return ST_OK;
}

Status input_open(const IrSource *source, Input *in, Diag *diag)
{
    *in = (Input){.fd = STDIN_FILENO, .format = (uint32_t)source->format};
    if (str_is(source->kind, "file")) {
        char path[4096];
        snprintf(path, sizeof path, "%.*s", STR_ARG(source->address));
        in->fd = open(path, O_RDONLY | O_CLOEXEC);
        if (in->fd < 0) return diag_errno(diag, errno, "%s", path);
    }
    return input_room(in, PAGE_BYTES, CHUNK_BYTES, diag);
}

void input_close(Input *in)
{
    if (in->fd > STDIN_FILENO) close(in->fd);
    mem_free(in->room);
    *in = (Input){.fd = -1};
}

/* Where to read to: behind a record that is longer than all reads so far, else to the page. */
MUST static Status input_place(Input *in, char **ret_at, size_t *ret_room, Diag *diag)
{
    if (in->len >= RECORD_BYTES_MAX)
        return diag_set(diag, ST_LIMIT, "a record is longer than 16 MiB");
    char *end = input_page(in) + in->cap, *behind = in->bytes + in->len;
    bool longer = in->len && in->bytes == in->from;
    if (!longer || behind == end) {
        if (in->len > in->head) {
            size_t head = (2 * in->len + PAGE_BYTES) / PAGE_BYTES * PAGE_BYTES;
            Status st = input_room(in, head, in->cap * 2, diag);
            if (st) return st;
        }
        behind = input_page(in);
        end = behind + in->cap;
        memmove(behind - in->len, in->bytes, in->len);
        in->bytes = behind - in->len;
        in->from = in->bytes;
    }
    size_t room = (size_t)(end - behind), most = RECORD_BYTES_MAX - in->len;
    *ret_at = behind;
    *ret_room = room < most ? room : most;
    return ST_OK;
}

Status input_fill(Input *in, Diag *diag)
{
    char *at;
    size_t room;
    Status st = input_place(in, &at, &room, diag);
    if (st) return st;
    ssize_t n;
    do n = read(in->fd, at, room);
    while (n < 0 && errno == EINTR);
    if (n < 0) return diag_errno(diag, errno, "reading the input");
    in->len += (size_t)n;
    in->ended = n == 0;
    return ST_OK;
}
