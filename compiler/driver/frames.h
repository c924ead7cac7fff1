/* compiler/driver/frames.h: records with their topic and time behind each other in a file, on their
 * way from `tutti replay` to the batch run (BatchOptions.framed). */
#ifndef TUTTI_COMPILER_DRIVER_FRAMES_H
#define TUTTI_COMPILER_DRIVER_FRAMES_H

#include "base/str.h"
#include "flow/instance.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* False: it could not be written. */
bool frame_put(FILE *out, Str topic, int64_t received_ns, Str record);
/* The whole ones at the beginning of `bytes`; records and topics point into it. */
FlowCut frame_cut(Str bytes, RtRecord *records, uint32_t count_max);

#endif
