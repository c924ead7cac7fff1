/* compiler/driver/input.h: what a batch run reads: a file or standard input, piece by piece. */
#ifndef TUTTI_DRIVER_INPUT_H
#define TUTTI_DRIVER_INPUT_H

#include "base/status.h"
#include "compiler/ir/ir.h"

typedef struct Input {
    int fd;
    char *bytes; /* room for cap + RT_PAD_BYTES */
    size_t len, cap;
    uint64_t before; /* format of bytes: how much of it was fed; then where it is broken */
    uint32_t format; /* RtFormat of its records */
    bool ended, broken;
} Input;

MUST Status input_open(const IrSource *source, Input *ret_in, Diag *diag);
void input_close(Input *in); /* accepts a closed one */
/* One read; a record longer than the buffer doubles it. */
MUST Status input_fill(Input *in, Diag *diag);

#endif
