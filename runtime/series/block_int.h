/* runtime/series/block_int.h: the parts of a block; private to this folder. */
#ifndef TUTTI_SERIES_BLOCK_INT_H
#define TUTTI_SERIES_BLOCK_INT_H

#include "series/block.h"
#include "series/pack.h"

/* values: one byte of VALUES_*, then what that way needs */
void series__values_put(Buf *out, const double *values, uint32_t count, SeriesScratch *scratch);
void series__values_get(PackIn *in, double *values, uint32_t count, SeriesScratch *scratch);

#endif
