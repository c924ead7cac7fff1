/* compiler/driver/input.h: what a batch run reads: a file or standard input, piece by piece. */
#ifndef TUTTI_DRIVER_INPUT_H
#define TUTTI_DRIVER_INPUT_H

#include "base/status.h"
#include "compiler/ir/ir.h"

/* Each read goes to the start of a page, whole pages at once: the kernel copies fastest from page
 * to page, and on some processors several times slower to a place a few bytes further. What is left
 * of the read before, a piece of a record, is put before that place. */
typedef struct Input {
    int fd;
    char *bytes; /* not used yet: the reader moves it on; RT_PAD_BYTES behind them are ours */
    size_t len;
    char *room;       /* of head + cap, and a page to find one's start in */
    const char *from; /* what `bytes` was behind the last read */
    size_t head, cap;
    uint64_t before; /* format of bytes: how much of it was fed; then where it is broken */
    uint32_t format; /* RtFormat of its records */
    bool ended, broken, framed; /* framed: see frames.h */
} Input;

MUST Status input_open(const IrSource *source, Input *ret_in, Diag *diag);
void input_close(Input *in); /* accepts a closed one */
/* One read; a record longer than the buffer makes it larger. */
MUST Status input_fill(Input *in, Diag *diag);

#endif
